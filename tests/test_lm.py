"""Language models as agents, against an endpoint inside the process: moves, repairs, retries, refusals, costs."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_kit import Mock, completion, log_of, refusal, request_for
from starlette.responses import Response

from moot.agents.models.attempts import TEXT_KEPT
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.lm import LM
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import AgentError, BudgetExceeded, UsageError
from moot.protocols.engine.moves import Move, Speech, Stop, Verdict
from moot.protocols.engine.question import Question

SPEECH = json.dumps({"kind": "speech", "text": "It was <quote>a storm</quote>."})
VERDICT = json.dumps({"kind": "verdict", "text": "So.", "probabilities": {"1": 0.75, "2": 0.25}})
both_loops = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def lm(mock: Mock, **options: Any) -> LM:
    return LM("m", base_url="http://mock.invalid/v1", http_client=mock.client(), **{"backoff": 0.001, **options})


def act(agent: Any, *kinds: type[Move], backend: str = "asyncio", **request: Any) -> tuple[Any, list[dict[str, Any]]]:
    notes: list[dict[str, Any]] = []

    async def main() -> Any:
        await agent.start()
        try:
            return await agent.act(request_for(*kinds, notes=notes, **request))
        finally:
            await agent.close()

    return anyio.run(main, backend=backend), notes


def fails(agent: Any, error: type[Exception], match: str, *kinds: type[Move], **request: Any) -> list[dict[str, Any]]:
    notes: list[dict[str, Any]] = []

    async def main() -> None:
        await agent.act(request_for(*kinds, notes=notes, **request))

    with pytest.raises(error, match=match):
        anyio.run(main)
    return notes


# -- one call ----------------------------------------------------------------------------------------------------------


@both_loops
def test_a_speech_and_its_note(backend: str) -> None:
    mock = Mock(lambda body, i: SPEECH)
    move, (note,) = act(lm(mock, prices=(2.0, 8.0, 0.5)), Speech, backend=backend, task="speech")
    assert move == Speech(text="It was <quote>a storm</quote>.")
    assert (note["event"], note["attempt"], note["model"], note["ok"], note["status"]) == (
        "attempted",
        1,
        "m",
        True,
        200,
    )
    assert (note["prompt_tokens"], note["completion_tokens"], note["cached_tokens"]) == (100, 20, 60)
    assert note["cost"] == pytest.approx((40 * 2 + 60 * 0.5 + 20 * 8) / 1e6)
    assert note["template"] == "v2" and len(note["prompt"]) == 32 and note["cached"] is False and "text" not in note
    (body,) = mock.bodies
    assert body["response_format"]["type"] == "json_schema" and body["seed"] == 7 and body["max_tokens"] == 1024


def test_unknown_usage_is_none_and_not_zero() -> None:
    mock = Mock(lambda body, i: completion(SPEECH, usage={}))
    _, (note,) = act(lm(mock, prices=(2, 8)), Speech)
    assert [note[key] for key in ("prompt_tokens", "completion_tokens", "cached_tokens", "cost")] == [None] * 4
    _, (note,) = act(lm(Mock(lambda body, i: SPEECH)), Speech)
    assert note["cost"] is None


def test_probabilities_that_do_not_sum_are_scaled_and_noted() -> None:
    text = json.dumps({"kind": "verdict", "text": "", "probabilities": {"1": 25, "2": 75}})
    move, (note,) = act(lm(Mock(lambda body, i: text)), Verdict, role="judge")
    assert move.probabilities == (0.25, 0.75) and note["renormalised"] is True


@pytest.mark.parametrize(
    "bad",
    [
        "", "[1]", '{"kind": "verdict", "probabilities": {"1": NaN, "2": 1}}',
        '{"kind": "speech", "text": "x"}',
        '{"kind": "verdict", "probabilities": {"1": -1, "2": 1}}', '{"kind": "verdict", "probabilities": {"1": 1}}',
        '{"kind": "verdict", "probabilities": {"1": 0, "2": 0}}', '{"kind": "verdict"}', "[" * 100_000,
        '{"kind": "verdict", "probabilities": {"1": 1e999, "2": 1}}',
    ],
)  # fmt: skip
def test_one_repair_round_then_an_error(bad: str) -> None:
    mended = Mock(lambda body, i: VERDICT if i else bad)
    move, notes = act(lm(mended), Verdict)
    assert move.probabilities == (0.75, 0.25)
    assert [(note["attempt"], note["ok"]) for note in notes] == [(1, False), (2, True)]
    assert notes[0]["text"].startswith(bad[:1000]) and notes[0]["error"]
    assert "could not be read" in mended.bodies[1]["messages"][-1]["content"]
    roles = [message["role"] for message in mended.bodies[1]["messages"]]
    assert roles == (["system", "user", "assistant", "user"] if bad else ["system", "user"])
    never = Mock(lambda body, i: bad)
    notes = fails(lm(never), AgentError, "gave no move", Verdict)
    assert len(notes) == len(never.bodies) == 2


def test_a_cut_off_speech_is_kept_and_noted_and_a_cut_off_verdict_is_not() -> None:
    half = completion('{"kind": "speech", "text": "It was a st', finish="length")
    move, (note,) = act(lm(Mock(lambda body, i: half)), Speech)
    assert move == Speech(text="It was a st") and note["cut"] is True
    half = completion('{"kind": "verdict", "text": "It was a st', finish="length")
    fails(lm(Mock(lambda body, i: half)), AgentError, "cut off at max_tokens", Verdict)


def test_a_refusal_of_the_model_is_an_error_with_its_words() -> None:
    mock = Mock(lambda body, i: completion(None, refusal="I would rather not."))
    fails(lm(mock), AgentError, "I would rather not", Speech)


def test_a_huge_answer_is_not_parsed_and_its_note_is_short() -> None:
    notes = fails(lm(Mock(lambda body, i: "x" * 10_000_000)), AgentError, "over 4,000,000 bytes", Speech)
    assert len(notes) == 1 and len(notes[0]["text"]) < TEXT_KEPT + 100
    notes = fails(lm(Mock(lambda body, i: "x" * 1_000_000)), AgentError, "lower max_tokens", Speech)
    assert len(notes) == 1 and notes[0]["text"].endswith("[cut: 1,000,000 characters in all]")


# -- structured output -------------------------------------------------------------------------------------------------


def test_tags_where_the_endpoint_refuses_schemas_found_out_once() -> None:
    def answer(body: dict[str, Any], i: int) -> Any:
        if "response_format" in body:
            return refusal(400, "response_format is not supported by this model")
        return "<speech>Yes.</speech>"

    mock = Mock(answer)
    agent = lm(mock)
    move, notes = act(agent, Speech)
    assert move == Speech(text="Yes.") and [note["status"] for note in notes] == [400, 200]
    assert notes[0]["prompt"] != notes[1]["prompt"] and "<speech>" in mock.bodies[1]["messages"][-1]["content"]
    move, notes = act(agent, Speech)
    assert len(notes) == 1 and len(mock.bodies) == 3


def test_schema_only_does_not_fall_back() -> None:
    mock = Mock(lambda body, i: refusal(400, "response_format is not supported"))
    notes = fails(lm(mock, structured="schema"), AgentError, "response_format is not supported", Speech)
    assert len(notes) == 1


# -- retries -----------------------------------------------------------------------------------------------------------


@both_loops
@pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 529])
def test_passing_failures_are_tried_again(status: int, backend: str) -> None:
    mock = Mock(lambda body, i: SPEECH if i == 2 else refusal(status, "not now"))
    move, notes = act(lm(mock), Speech, backend=backend)
    assert move.text and [note["status"] for note in notes] == [status, status, 200]
    assert [note["attempt"] for note in notes] == [1, 2, 3] and "not now" in notes[0]["error"]


@pytest.mark.parametrize(
    ("status", "words"),
    [(400, "refused the request"), (401, "set OPENAI_API_KEY"), (403, "it is not allowed"), (404,
     "no model 'm'"),
     (307, "redirects to http://elsewhere")],
)  # fmt: skip
def test_lasting_refusals_are_not_tried_again(status: int, words: str) -> None:
    mock = Mock(lambda body, i: refusal(status, "sorry", location="http://elsewhere/v1"))
    notes = fails(lm(mock), AgentError, words, Speech)
    assert len(mock.bodies) == len(notes) == 1 and notes[0]["status"] == status


@pytest.mark.parametrize("body", [b"<html>busy</html>", b"{}", b'{"choices": []}', b"null", b"\xff\xfe", b"[" * 9999])
def test_garbage_with_status_200_is_tried_again_and_then_an_error(body: bytes) -> None:
    mock = Mock(lambda _, i: SPEECH if i == 1 else Response(body))
    assert [note["ok"] for note in act(lm(mock), Speech)[1]] == [False, True]
    fails(
        lm(Mock(lambda _, i: Response(body)), retries=1), AgentError, "OpenAI-compatible API.*given up after 2", Speech
    )


def test_a_hang_is_a_time_out() -> None:
    async def hang() -> None:
        await anyio.sleep(30)

    notes = fails(lm(Mock(lambda body, i: hang()), timeout=0.05, retries=1), AgentError, "within 0.05 s", Speech)
    assert [note["status"] for note in notes] == [None, None]


@both_loops
def test_an_endpoint_that_is_not_there(backend: str) -> None:
    agent = LM("m", base_url="http://127.0.0.1:9/v1", retries=1, backoff=0.001)
    with pytest.raises(AgentError, match=r"127\.0\.0\.1:9/v1.*given up after 2 attempts"):
        act(agent, Speech, backend=backend)


def test_retry_after_is_honoured_and_shared() -> None:
    mock = Mock(lambda body, i: refusal(429, "slow down", retry_after="0.3") if i == 0 else SPEECH)
    agent = lm(mock)

    async def main() -> list[float]:
        begun, ends = anyio.current_time(), []

        async def one(delay: float) -> None:
            await anyio.sleep(delay)
            await agent.act(request_for(Speech))
            ends.append(anyio.current_time() - begun)

        async with anyio.create_task_group() as group:
            group.start_soon(one, 0)
            group.start_soon(one, 0.15)
        return ends

    assert min(anyio.run(main)) >= 0.3


def test_a_cancelled_attempt_is_noted() -> None:
    async def hang() -> None:
        await anyio.sleep(30)

    notes: list[dict[str, Any]] = []

    async def main() -> int:
        agent = lm(Mock(lambda body, i: hang()))
        with anyio.move_on_after(0.1):
            await agent.act(request_for(Speech, notes=notes))
        return agent.endpoint.limiter.running

    assert anyio.run(main) == 0
    assert [(note["error"], note["prompt_tokens"]) for note in notes] == [("cancelled", None)]


# -- budgets, cache, guards --------------------------------------------------------------------------------------------


def only(measure: str, limit: int) -> Callable[[str, int], None]:
    def left(name: str, amount: int) -> None:
        if name == measure and amount > limit:
            raise BudgetExceeded(name, amount, limit)

    return left


def test_tokens_are_reserved_before_the_call() -> None:
    mock = Mock(lambda body, i: VERDICT)
    fails(lm(mock, max_tokens=100), BudgetExceeded, "tokens", Verdict, left=only("tokens", 600))
    assert mock.bodies == []
    seen: list[int] = []
    act(lm(mock, max_tokens=100), Verdict, left=lambda name, amount: seen.append(amount) if name == "tokens" else None)
    text = "".join(message["content"] for message in mock.bodies[0]["messages"])
    assert seen[0] >= len(text.encode()) + 100


def test_reads_over_the_budget_stop_the_call() -> None:
    mock = Mock(lambda body, i: VERDICT)
    log = log_of(("a", Speech(text="hello there")))
    fails(lm(mock), BudgetExceeded, "reads", Verdict, log=log, left=only("reads", 5))
    assert mock.bodies == []


def test_the_cache_answers_the_same_request_and_no_other(tmp_path: Path) -> None:
    mock = Mock(lambda body, i: json.dumps({"kind": "speech", "text": f"number {i}"}))
    path = tmp_path / "cache.sqlite"
    first, _ = act(lm(mock, cache=path, prices=(1, 1)), Speech, seed=1)
    again, (note,) = act(lm(mock, cache=path, prices=(1, 1)), Speech, seed=1)
    other, _ = act(lm(mock, cache=path), Speech, seed=2)
    assert first == again == Speech(text="number 0") and other == Speech(text="number 1")
    assert note["cached"] is True and note["cost"] == 0 and note["status"] is None
    (tmp_path / "text").write_text("no database at all, but long enough to look like one" * 99)
    with pytest.raises(UsageError, match="not a database"):
        lm(mock, cache=tmp_path / "text")


async def stored(path: Path, value: Any) -> list[Any]:
    """The values in a cache file; each becomes `value`, unless that is None."""
    with closing(sqlite3.connect(path)) as db, db:
        if value is not None:
            db.execute("UPDATE responses SET value = ?", (json.dumps(value),))
        return [json.loads(row[0]) for row in db.execute("SELECT value FROM responses")]


@pytest.mark.parametrize(
    "bad", [completion("{ no"), {"error": {"code": 502}}, {"choices": []}, [], completion("", finish="error")]
)
def test_only_what_could_be_read_is_kept_and_what_cannot_is_asked_for_again(bad: Any, tmp_path: Path) -> None:
    answers = [bad]
    path = tmp_path / "cache.sqlite"
    agent = lm(Mock(lambda body, i: answers[0]), cache=path, retries=0)
    fails(agent, AgentError, "m|error|400|address", Verdict)
    assert anyio.run(stored, path, None) == []
    answers[0] = completion(VERDICT)
    assert act(agent, Verdict)[0].probabilities == (0.75, 0.25)
    assert anyio.run(stored, path, bad) == [bad]  # as an older moot may have left it
    assert act(agent, Verdict)[0].probabilities == (0.75, 0.25)
    assert anyio.run(stored, path, None) == [completion(VERDICT)]
    answers[0] = bad
    assert act(agent, Verdict)[1][-1]["cached"] is True


def test_no_call_leaves_the_machine_when_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOT_FORBID_REMOTE", "1")
    fails(LM("m", base_url="https://example.invalid/v1", api_key="k"), UsageError, "MOOT_FORBID_REMOTE", Speech)
    assert act(lm(Mock(lambda body, i: SPEECH)), Speech)[0].text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"base_url": "localhost:80"}, "base URL"), *(({"base_url": f"http://{named}@h/v1"}, "of h carries a user or a password") for named in ("u:p", "u", "u:", ":p", "")),
        ({"structured": "xml"}, "structured"), ({"max_tokens": 0}, "max_tokens"), ({"temperature": -1}, "temperature"),
        ({"prices": (1,)}, "prices"), ({"timeout": 0}, "timeout"), ({"base_url": "https://api.openai.com/v1"},
        "no key"),
    ],
)  # fmt: skip
def test_bad_options(options: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        LM("m", **{"base_url": "http://127.0.0.1/v1", **options})


def test_one_limiter_and_client_per_endpoint_and_loop() -> None:
    async def main() -> Any:
        one, two = Endpoint("http://127.0.0.1:1/v1", "k"), Endpoint("http://127.0.0.1:1/v1/", "k")
        other = Endpoint("http://127.0.0.1:1/v1", "other")
        assert one.limiter is two.limiter and one.limiter is not other.limiter
        return one.limiter

    assert anyio.run(main) is not anyio.run(main)


# -- the model judge ---------------------------------------------------------------------------------------------------


def logprobs(*listed: tuple[str, float]) -> dict[str, Any]:
    value = completion("1", finish="length")
    top = [{"token": token, "logprob": math.log(p) if p else -9999.0, "bytes": None} for token, p in listed]
    value["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
    return value


def test_log_probabilities_are_renormalised_over_the_answers() -> None:
    mock = Mock(lambda body, i: logprobs(("The", 0.5), ("1", 0.2), (" 1", 0.1), ("2", 0.1)))
    judge = ModelJudge(lm(mock), "logprobs")
    move, (note,) = act(judge, Verdict, role="judge", seat="judge", source="none", task="verdict")
    assert move.probabilities == pytest.approx((0.75, 0.25))
    assert note["mass"] == pytest.approx(0.4) and note["unlisted"] == [] and note["method"] == "logprobs"
    (body,) = mock.bodies
    assert (body["logprobs"], body["top_logprobs"], body["max_tokens"]) == (True, 20, 1)
    assert "response_format" not in body and judge.describe()["method"] == "logprobs"


@pytest.mark.parametrize("given", [logprobs(("The", 0.9)), logprobs(("1", 0.0), ("2", 0.0)), completion("1")])
def test_no_answer_among_the_tokens_is_an_error_and_no_verdict(given: dict[str, Any]) -> None:
    mock = Mock(lambda body, i: given)
    notes = fails(ModelJudge(lm(mock), "logprobs"), AgentError, "0 of the probability|no log-probabilities", Verdict)
    assert [note["ok"] for note in notes] == [False]


def test_many_choices_are_lettered_and_other_kinds_are_put_as_usual() -> None:
    question = Question("?", choices=tuple(f"c{i}" for i in range(12)))
    mock = Mock(lambda body, i: logprobs(("L", 0.5), ("A", 0.25)))
    move, (note,) = act(ModelJudge(lm(mock), "logprobs"), Verdict, question=question)
    assert move.probabilities[11] == pytest.approx(0.5) and "B" in note["unlisted"]
    assert move.probabilities[1] == pytest.approx(0.025), "a tenth of what the listed tokens leave, and not 0"
    mock = Mock(lambda body, i: '{"kind": "stop", "stop": true}')
    assert act(ModelJudge(lm(mock), "logprobs"), Stop)[0] == Stop(stop=True)
    assert act(ModelJudge(lm(Mock(lambda body, i: VERDICT))), Verdict)[0].probabilities == (0.75, 0.25)
    with pytest.raises(UsageError, match="stated"):
        ModelJudge(lm(mock), "guess")  # type: ignore[arg-type]


@both_loops
def test_account_headers_stay_with_the_account_of_the_environment(
    backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-mine")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-mine")
    mock = Mock(lambda body, i: SPEECH)
    for key, expected in (("another-key", None), ("sk-mine", "org-mine")):
        lm = LM("m", base_url="http://elsewhere.invalid/v1", api_key=key, http_client=mock.client())
        anyio.run(lm.act, request_for(Speech), backend=backend)
        assert mock.headers[-1].get("openai-organization") == expected
