"""Refusals: by status or inside a 200, retried or final by their code; how long, at whose cost, and on whose time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from agent_kit import completion, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak
from trio.testing import MockClock

import moot
from moot.agents.models.lm import LM
from moot.agents.models.refusals import refusal_in, refusal_of
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Speech, Verdict

VERDICT = json.dumps({"kind": "verdict", "text": "So.", "probabilities": {"1": 0.75, "2": 0.25}})
WORKED = {500, 502, 504, 520, 524}
PASSING = [408, 409, 425, 429, 498, 500, 502, 503, 504, 520, 524, 529]
LASTING = [400, 401, 402, 403, 404, 413, 422, 501]
Answer = tuple[int, dict[str, str], Any]


def model(answer: Callable[[int], Any], **options: Any) -> LM:
    """A model whose server answers its nth call with `answer(n)`: a body, or a status, headers and a body."""
    count = iter(range(10**6))

    def handle(request: httpx2.Request) -> httpx2.Response:
        given = answer(next(count))
        status, headers, body = given if isinstance(given, tuple) else (200, {}, given)
        return httpx2.Response(status, headers=headers, json=completion(VERDICT) if body is None else body)

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    return LM("m", base_url="http://mock.invalid/v1", http_client=client, **options)


def timed(agent: Any, **request: Any) -> tuple[Any, float, list[dict[str, Any]]]:
    """What a call comes to, how long it took on a clock of its own, and its notes."""
    notes: list[dict[str, Any]] = []

    async def main() -> tuple[Any, float]:
        begun = anyio.current_time()
        try:
            move: Any = await agent.act(request_for(Verdict, role="judge", notes=notes, **request))
        except AgentError as error:
            move = error
        return move, anyio.current_time() - begun

    move, took = anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
    return move, took, [note for note in notes if note["event"] == "attempted"]


def played(judge: Any, **bounds: Any) -> moot.Transcript:
    """A debate before this judge, on a clock of its own."""

    async def main() -> moot.Transcript:
        seats = {"a": speak, "b": speak, "judge": moot.Bounded(judge, **bounds)}
        return await moot.arun(moot.Debate(rounds=1), QUESTION, seats)

    return anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})


def shapes(code: int, words: str) -> list[Any]:
    """The bodies of a 200 in which providers and routers say that a call failed."""
    error = {"code": code, "message": words}
    partial = completion("half an ans", finish="error", usage={})
    partial["choices"][0]["error"] = error
    return [
        {"error": error}, {"error": {**error, "code": str(code)}}, [{"error": error}], partial,
        {"error": {"message": words, "type": "some_error", "status": code}}, {"object": "error", **error},
        {"error": json.dumps({"error": error})}, {"error": {**error, "metadata": {"raw": "upstream"}}, "user_id": "u"},
    ]  # fmt: skip


@given(st.sampled_from(PASSING + LASTING), st.integers(0, 7), st.text("abc d", min_size=1))
def test_a_code_inside_a_200_is_judged_as_the_status_is(code: int, shape: int, words: str) -> None:
    inside = refusal_in(shapes(code, words)[shape])
    outside = refusal_of(code, {}, json.dumps({"error": {"message": words}}).encode())
    assert inside is not None and inside.status == code and " ".join(words.split()) in inside.words
    for name in ("passing", "crowded", "worked", "no_credit"):
        assert getattr(inside, name) == getattr(outside, name)
    assert outside.passing is (code in PASSING) and outside.worked is (code in WORKED or code == 501)


json_values = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(
    st.sampled_from(["error", "choices", "code", "message", "type", "detail", "loc", "details", "param", "status"]), inner), max_leaves=8)  # fmt: skip


@given(json_values, st.integers(300, 599))
def test_any_body_of_a_refusal_is_read(data: Any, status: int) -> None:
    found = refusal_of(status, {}, json.dumps(data).encode())
    assert found.status == status and isinstance(found.words, str) and isinstance(found.passing, bool)
    refusal_in(data)


@pytest.mark.parametrize("shape", range(8))
def test_a_passing_error_inside_a_200_is_tried_again_and_a_lasting_one_is_not(shape: int) -> None:
    move, took, notes = timed(model(lambda i: shapes(502, "Provider disconnected")[shape] if i < 3 else None))
    assert move.probabilities == (0.75, 0.25) and took > 1
    assert [(note["ok"], note["status"]) for note in notes] == [(False, 200)] * 3 + [(True, 200)]
    assert (
        "failed (502, inside a 200): Provider disconnected" in notes[0]["error"] and notes[0]["prompt_tokens"] is None
    )
    error, took, notes = timed(model(lambda i: shapes(402, "Insufficient credits")[shape]))
    assert "no credit left: Insufficient credits" in str(error) and "address" not in str(error)
    assert len(notes) == 1 and took == 0 and notes[0]["prompt_tokens"] == notes[0]["cost"] == 0


@pytest.mark.parametrize(
    "body", [{"error": None}, {"error": {}}, {"error": ""}, {"error": {"code": None, "message": ""}}]
)
def test_an_empty_error_beside_an_answer_is_none(body: Any) -> None:
    assert timed(model(lambda i: {**completion(VERDICT), **body}))[0].probabilities == (0.75, 0.25)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"error": {"message": "ThrottlingException: slow down"}}), (400, {"__type": "aws#ThrottlingException"}),
        (403, {"error": {"message": "no", "status": "RESOURCE_EXHAUSTED"}}), (429, {"error": {"message": "x"}}),
        (403, {"error": {"errors": [], "message": "Rate Limit Exceeded", "code": 403}}), (498, {"error": "capacity"}),
        (403, {"error": {"details": [{"reason": "rateLimitExceeded"}], "message": ""}}),
    ],
)  # fmt: skip
def test_a_refusal_for_the_rate_passes_whatever_its_status(status: int, body: Any) -> None:
    move, _, notes = timed(model(lambda i: (status, {}, body) if i < 2 else None))
    assert move.probabilities and [note["status"] for note in notes] == [status, status, 200]
    assert all("has too much to do" in note["error"] and "key" not in note["error"] for note in notes[:2])
    assert {(note["prompt_tokens"], note["cost"]) for note in notes[:2]} == {(0, 0.0)}


@pytest.mark.parametrize(
    "error",
    [{"code": "insufficient_quota", "message": "x"}, {"message": "Request too large for m: Limit 10, Requested 20"},
     {"type": "billing_error", "message": "x"}],
)  # fmt: skip
def test_a_429_that_no_wait_mends_is_final(error: Any) -> None:
    assert len(timed(model(lambda i: (429, {}, {"error": error})))[2]) == 1


# -- patience ----------------------------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(st.integers(0, 10**9))
def test_a_window_of_a_minute_is_outlasted_and_a_dead_server_is_not_waited_for(seed: int) -> None:
    error, took, notes = timed(model(lambda i: (429, {}, {"error": "TPM"})), seed=seed)
    assert "given up after 10 attempts" in str(error) and 120 < took < 300 and len(notes) == 10
    error, took, notes = timed(model(lambda i: (500, {}, {"error": "down"})), seed=seed)
    assert "given up after 7 attempts" in str(error) and took < 45

    def gone(i: int) -> Any:
        raise httpx2.ConnectError("connection refused")

    error, took, notes = timed(model(gone), seed=seed)
    assert "given up after 5 attempts" in str(error) and took < 15
    assert {note["prompt_tokens"] for note in notes} == {0}  # nobody worked on it


@pytest.mark.parametrize("headers", [{"retry-after": "59"}, {"x-ratelimit-reset-tokens": "59s"}, {}])
def test_a_wait_that_is_asked_for_is_kept_and_no_more_calls_are_made(headers: dict[str, str]) -> None:
    body = {"error": {"message": "", "details": [] if headers else [{"retryDelay": "59s"}]}}
    move, took, notes = timed(model(lambda i: (429, headers, body) if i < 1 else None))
    assert move.probabilities and 59 <= took < 65 and len(notes) == 2


def test_a_wait_beyond_patience_is_refused_in_words() -> None:
    for said in ("86400", "inf", "1e999", "9000m"):
        error, took, notes = timed(model(lambda i, said=said: (503, {"retry-after": said}, {})))  # type: ignore[misc]
        assert "asks for a wait of" in str(error) and took == 0 and len(notes) == 1


# -- whose cost, whose time --------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.lists(st.sampled_from(PASSING), max_size=5), st.booleans())
def test_what_was_not_answered_is_not_the_judges_and_never_ends_the_play_exhausted(
    failed: list[int], well: bool
) -> None:
    def answer(i: int) -> Any:
        if i < len(failed):
            return failed[i], {}, {"error": "busy"}
        return None if well else (503, {}, {"error": "busy"})

    t = played(model(answer), tokens="20*n + 8000")
    assert t.outcome is not None and t.outcome.kind == ("decided" if well else "errored")
    tried = [event for event in t.events() if event["event"] == "attempted" and not event["ok"]]
    assert {event["prompt_tokens"] for event in tried if event["status"] in WORKED} <= {None}
    assert {event["prompt_tokens"] for event in tried if event["status"] not in WORKED} <= {0}
    if well:
        moved = [event for event in t.events() if event["event"] == "moved"][-1]
        assert moved["meta"]["spent"]["tokens"] == 120


def test_a_wait_that_the_provider_ordered_is_not_the_judges_time() -> None:
    lm = model(lambda i: (429, {"retry-after": "2"}, {"error": "slow down"}) if i < 2 else None)
    t = played(lm, seconds=1.5)
    assert t.outcome is not None and t.outcome.kind == "decided"
    assert t.ledger.seats["judge"].seconds < 1.5

    async def slow(request: Any) -> Any:
        with request.budget.calling(), request.budget.waiting():
            await anyio.sleep(30)
        await anyio.sleep(3)
        return Speech(text="late")

    assert played(slow, seconds=1.5).outcome.kind == "exhausted"  # type: ignore[union-attr]

    async def late(request: Any) -> Any:
        with request.budget.calling(), request.budget.calling():
            with request.budget.waiting():  # the other call goes on, and so does the clock
                await anyio.sleep(3)
        return Speech(text="late")

    assert played(late, seconds=1.5).outcome.kind == "exhausted"  # type: ignore[union-attr]


def test_calls_at_the_same_time_never_hold_more_than_there_is() -> None:
    most = 0

    def answer(i: int) -> Any:
        return completion(VERDICT, usage={"prompt_tokens": 900, "completion_tokens": 100})

    lm = model(answer, max_tokens=1000)

    async def act(request: Any) -> Any:
        nonlocal most
        found: list[Any] = []

        async def one() -> None:
            nonlocal most
            try:
                found.append(await lm.act(request))
            except moot.BudgetExceeded:
                most = max(most, request.budget.spent.get("tokens", 0) + request.budget.held.get("tokens", 0))

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(one)
        return found[0]

    t = played(act, tokens="12000")
    assert t.outcome is not None and t.outcome.kind == "decided" and 0 < most <= 12_000


def test_refusals_of_the_rate_and_of_the_key_are_told_apart() -> None:
    error, _, _ = timed(model(lambda i: (401, {}, {"error": "bad key"})))
    assert "no key, or not a good one: bad key" in str(error)
    error, _, _ = timed(model(lambda i: (403, {}, {"error": "flagged"})))
    assert "it is not allowed: flagged" in str(error)


@pytest.mark.parametrize("kind", [asyncio.CancelledError, SystemExit, GeneratorExit])
def test_what_a_client_lets_out_is_a_failed_attempt_of_its_step(kind: type[BaseException]) -> None:
    calls = []

    def handle(request: httpx2.Request) -> httpx2.Response:
        calls.append(request)
        raise kind

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    judge = moot.LM("m", base_url="http://mock/v1", http_client=client)
    debate = moot.Debate(rounds=1)
    transcript = moot.run(debate, QUESTION, everywhere(debate, speak, judge=judge))
    noted = [event["error"] for event in transcript.events() if event["event"] == "attempted"]
    assert noted == [f"it let out {kind.__name__}"] and len(calls) == 1
    assert isinstance(transcript.outcome, moot.Errored) and kind.__name__ in transcript.outcome.cause
    assert transcript.outcome.step == "1" and transcript.ledger.total("attempts") == 1
