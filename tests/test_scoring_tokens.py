"""Given tokens, scored: over a socket as llama.cpp and vLLM do it, and where it cannot be done."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import pytest
from agent_kit import Mock, completion, request_for
from starlette.applications import Starlette
from starlette.requests import Request as HttpRequest
from starlette.responses import JSONResponse
from starlette.routing import Route

import moot
from moot.agents.models.lm import LM
from moot.agents.models.tokens.scoring import Scored
from moot.complexity.pressure.sampled import PLAIN
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Speech
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI
from moot.testing.server.serving import thread
from moot.testing.server.tokens import END, id_of, text_of

WORDS = "<speech>Nine ships sank.</speech>"


def ask(lm: LM, call: Callable[[], Any]) -> Any:
    """What a coroutine returns or raises. The model's connections are closed at its end."""

    async def main() -> Any:
        try:
            return await call()
        except (UsageError, AgentError) as error:
            return error
        finally:
            await lm.close()

    return anyio.run(main)


def ids_of(*texts: str) -> list[int]:
    return [id_of(text) for text in texts]


@contextmanager
def llamacpp(**options: Any) -> Iterator[tuple[LM, MockOpenAI]]:
    mock = MockOpenAI(profile="llamacpp", **options)
    with mock.serve() as url:
        yield LM("mock", base_url=url, structured="tags", retries=0), mock


def test_the_numbers_of_the_mock_have_their_texts_back() -> None:
    assert all(text_of(id_of(text)) == text for text in (" ships", ".", "é", "漢", "\n", "\0"))
    assert text_of(END) == "" and id_of("") == END


# -- llama.cpp -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [True, False])
def test_tokens_are_scored_by_a_grammar_of_their_ids(ended: bool) -> None:
    texts = ["Yes", ",", " it", *([""] if ended else [])]
    with llamacpp() as (lm, mock):
        found = ask(lm, lambda: lm.score(request_for(Speech), ids_of(*texts), texts))
    assert isinstance(found, Scored) and found.whole_reply == ended and list(found.texts) == texts
    assert found.total == pytest.approx(
        3 * math.log(0.9) + ended * math.log(0.5)
    ) and found.usage.completion_tokens == len(texts)
    (call,) = mock.calls
    assert {name: call.body[name] for name in PLAIN} == PLAIN and call.body["temperature"] == 1
    assert call.body["max_tokens"] == len(texts) and call.body["cache_prompt"] is False and "seed" not in call.body
    assert call.body["messages"] == lm.prompt_of(request_for(Speech), tagged=True).messages()


@pytest.mark.parametrize("structured", ["schema", "object", "tags"])
def test_the_prompt_is_that_which_act_sends(structured: Any) -> None:
    with llamacpp() as (lm, mock):
        lm.structured = structured
        ask(lm, lambda: lm.act(request_for(Speech, task="speech", answer=0)))
        ask(lm, lambda: lm.score(request_for(Speech, task="speech", answer=0), ids_of("Yes")))
    acted, scored = mock.calls[0].body, mock.calls[-1].body
    assert scored["messages"] == acted["messages"] and "response_format" not in scored


def test_what_shapes_answers_is_left_out_of_a_score_and_what_shapes_prompts_is_not() -> None:
    shaping = {
        "stop": ["x"],
        "grammar": 'root ::= "a"',
        "n": 2,
        "ignore_eos": True,
        "max_tokens": 1,
        "n_predict": 1,
        "top_k": 5,
        "chat_template_kwargs": {"a": 1},
    }
    with llamacpp() as (lm, mock):
        lm.extra_body.update(shaping)
        assert isinstance(ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes", ","))), Scored)
    body = mock.calls[0].body
    assert (
        not {"stop", "n", "n_predict", "ignore_eos"} & body.keys()
        and body["max_tokens"] == 2
        and body["top_k"] == 0
        and "<[" in body["grammar"]
    )
    assert body["chat_template_kwargs"] == {"a": 1}


def test_other_ids_that_come_back_are_refused() -> None:
    with llamacpp() as (lm, _):
        parted = ask(
            lm, lambda: lm.score(request_for(Speech), ids_of("Y", "e", "s"))
        )  # the mock's own tokens make one of it
        within = ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes", "", ",")))
    assert isinstance(parted, UsageError) and "retokenised" in str(parted) and "1 tokens for 3" in str(parted)
    assert isinstance(within, UsageError) and "where token 1 is 2" in str(within)
    answer = completion("Yes")
    listed = [{"token": text, "id": number, "logprob": -1.0} for text, number in (("Yes", 5), ("", 2))]
    answer["choices"][0]["logprobs"] = {"content": listed}
    more = LM(
        "m", base_url="http://mock/v1", http_client=Mock(lambda body, i: answer).client(), profile={"scores": "grammar"}
    )
    found = ask(more, lambda: more.score(request_for(Speech), [5]))
    assert isinstance(found, UsageError) and "2 tokens for 1" in str(found) and "2 stands where they end" in str(found)


def test_a_truncated_answer_is_refused() -> None:
    with llamacpp(script=[Fault("length")]) as (lm, _):
        found = ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes", ",", " it", " is")))
    assert isinstance(found, UsageError) and "ends before" in str(found)


@pytest.mark.parametrize(
    ("status", "words"), [(400, "Failed to initialize samplers: failed to parse grammar"),
                          (500, "got exception: Unexpected empty grammar stack after accepting piece: ectable (49151)")],
)  # fmt: skip
def test_tokens_that_no_answer_can_have_are_refused_without_another_attempt(status: int, words: str) -> None:
    with llamacpp(script=[Fault.http(status, words)] * 5) as (lm, mock):
        lm.endpoint.retries = 9
        found = ask(lm, lambda: lm.score(request_for(Speech), [10**9]))
    assert isinstance(found, UsageError) and "not in its vocabulary" in str(found) and mock.count == 1


def test_a_server_that_fails_otherwise_is_asked_again() -> None:
    with llamacpp(script=[Fault.http(503, "Loading model"), None]) as (lm, mock):
        lm.endpoint.retries, lm.endpoint.backoff = 2, 0.01
        assert isinstance(ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes"))), Scored) and mock.count == 2


def test_another_vocabulary_is_refused() -> None:
    with llamacpp() as (lm, _):
        found = ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes", ","), ["Yes", ";"]))
    assert isinstance(found, UsageError) and "token 1" in str(found) and "different vocabularies" in str(found)


@pytest.mark.parametrize(("ids", "texts"), [([], None), ([-1], None), ([True], None), (["5"], None), ([5, 6], ["a"])])
def test_what_is_no_list_of_tokens_is_refused_before_any_call(ids: Any, texts: Any) -> None:
    with llamacpp() as (lm, mock):
        found = ask(lm, lambda: lm.score(request_for(Speech), ids, texts))
    assert isinstance(found, UsageError) and "to score" in str(found) and mock.count == 0


def test_a_score_is_of_no_play_and_under_no_budget_but_under_a_cap() -> None:
    notes: list[dict[str, Any]] = []

    def spent(measure: str, amount: int) -> None:
        assert measure != "tokens" or not amount

    with llamacpp() as (lm, mock):
        assert isinstance(
            ask(lm, lambda: lm.score(request_for(Speech, notes=notes, heard=notes, left=spent), ids_of("Yes"))), Scored
        )
        with moot.Cap(tokens=10):
            with pytest.raises(BaseException) as raised:
                ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes")))
    assert notes == [] and mock.count == 1 and "cap" in repr(raised.value).lower()


def test_a_remote_endpoint_is_not_called_where_that_is_forbidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOOT_FORBID_REMOTE", "1")
    for profile in ({"scores": "grammar"}, {"scores": "prompt_logprobs"}, {}):
        lm = LM("m", base_url="http://models.example.org/v1", profile=profile)
        found = ask(lm, lambda: lm.score(request_for(Speech), [5]))  # noqa: B023
        assert isinstance(found, UsageError) and "MOOT_FORBID_REMOTE" in str(found)


def test_a_model_that_calls_tools_first_is_not_scored() -> None:
    mock = MockOpenAI(profile="llamacpp")
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), tools=["calculator"])
    found = ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes")))
    assert isinstance(found, UsageError) and "may look" in str(found) and mock.count == 0


def test_a_prompt_is_computed_anew_unless_told_otherwise() -> None:
    with llamacpp() as (lm, mock):
        for told in ({}, {"cache_prompt": True}):
            lm.extra_body.update(told)
            ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes")))
    assert [call.body["cache_prompt"] for call in mock.calls] == [False, True]


# -- vLLM ----------------------------------------------------------------------------------------------------------------


class VLLM:
    """What vLLM 0.10.2 and later answer: vllm/entrypoints/openai/completion/protocol.py and chat_completion/protocol.py."""

    def __init__(self, change: Callable[[list[Any]], list[Any]] = list, prompt: Any = (7, 8, 9)) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.change, self.prompt = change, prompt
        routes = [
            Route("/v1/models", self.models),
            Route("/v1/chat/completions", self.chat, methods=["POST"]),
            Route("/v1/completions", self.completions, methods=["POST"]),
        ]
        self.app = Starlette(routes=routes)

    async def models(self, http: HttpRequest) -> JSONResponse:
        return JSONResponse(
            {"object": "list", "data": [{"id": "m", "object": "model", "owned_by": "vllm", "max_model_len": 8192}]}
        )

    async def chat(self, http: HttpRequest) -> JSONResponse:
        self.bodies.append(body := await http.json())
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": "x"},
            "finish_reason": "length",
            "token_ids": [1],
        }
        ids = list(self.prompt) if body.get("return_token_ids") and self.prompt else None
        usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
        return JSONResponse({"id": "c", "model": "m", "choices": [choice], "usage": usage, "prompt_token_ids": ids})

    async def completions(self, http: HttpRequest) -> JSONResponse:
        self.bodies.append(body := await http.json())
        told: list[Any] = [None]
        for place, token in enumerate(body["prompt"][1:]):
            entry = {"logprob": -0.25 * (place + 1), "rank": 3, "decoded_token": f"<{token}>"}
            told.append({"4": {"logprob": -0.1, "rank": 1, "decoded_token": "no"}, str(token): entry})
        choice = {"index": 0, "text": "x", "finish_reason": "length", "prompt_logprobs": self.change(told)}
        usage = {"prompt_tokens": len(told), "completion_tokens": 1, "total_tokens": len(told) + 1}
        return JSONResponse({"id": "c", "object": "text_completion", "model": "m", "choices": [choice], "usage": usage})


def by_prompt(server: VLLM, ids: list[int], texts: list[str] | None = None, **options: Any) -> Any:
    with thread(server.app) as url:
        lm = LM("m", base_url=url, retries=0, **options)
        return ask(lm, lambda: lm.score(request_for(Speech), ids, texts))


def test_vllm_scores_by_the_log_probabilities_of_a_prompt() -> None:
    server = VLLM()
    found = by_prompt(
        server, [20, 21], ["<20>", "<21>"], extra_body={"chat_template_kwargs": {"enable_thinking": False}, "top_k": 3}
    )
    assert found == Scored((20, 21), ("<20>", "<21>"), (-0.75, -1.0), None, found.usage) and found.total == -1.75
    assert (found.usage.prompt_tokens, found.usage.completion_tokens) == (8, 2)
    chat, scored = server.bodies
    assert (
        chat["return_token_ids"] is True
        and chat["chat_template_kwargs"] == {"enable_thinking": False}
        and chat["max_tokens"] == 1
    )
    assert scored["prompt"] == [7, 8, 9, 20, 21] and scored["prompt_logprobs"] == 0 and scored["max_tokens"] == 1


@pytest.mark.parametrize(
    ("server", "told"),
    [
        (VLLM(lambda told: told[:-1]), "4 prompt_logprobs came for 5 tokens"),
        (VLLM(lambda told: []), "0 prompt_logprobs"),
        (VLLM(lambda told: [*told[:-1], {"99": {"logprob": -1.0}}]), "retokenised"),
        (VLLM(lambda told: [*told[:-1], None]), "retokenised"),
        (VLLM(lambda told: [*told[:-1], {"21": {"logprob": None}}]), "log-probability is none"),
        (VLLM(prompt=None), "no prompt_token_ids"),
    ],
)
def test_answers_of_vllm_that_do_not_fit_are_refused(server: VLLM, told: str) -> None:
    found = by_prompt(server, [20, 21])
    assert isinstance(found, (UsageError, AgentError)) and told in str(found)


# -- others --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("profile", ["azure", "gemini", "groq", "sglang", "ollama", None])
def test_a_hosted_endpoint_cannot_score_and_is_sent_no_answer_to_make(profile: str | None) -> None:
    mock = MockOpenAI(profile=profile)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, retries=0)
        found = ask(lm, lambda: lm.score(request_for(Speech), [5]))
    assert isinstance(found, UsageError) and "cannot score given tokens" in str(found) and mock.count == 0
    assert "llama.cpp" in str(found) and "profile={'scores'" in str(found)


def test_a_proxy_before_several_servers_has_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with llamacpp() as (lm, _):
        both = {"data": [{"id": "mock", "owned_by": "llamacpp"}, {"id": "other", "owned_by": "vllm"}]}

        async def models(api: Any = None) -> tuple[int, Any]:
            return 200, both

        monkeypatch.setattr(lm.endpoint, "models", models)
        found = ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes")))
        assert isinstance(found, UsageError) and "'llamacpp', 'vllm'" in str(found)
        both["data"].pop()
        assert isinstance(ask(lm, lambda: lm.score(request_for(Speech), ids_of("Yes"))), Scored)


@pytest.mark.parametrize("profile", [None, "ollama", "vllm"])
def test_one_that_ignores_a_grammar_is_found_out(profile: str | None) -> None:
    mock = MockOpenAI(lambda body: WORDS, profile=profile)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, retries=0, profile={"scores": "grammar"})
        found = ask(lm, lambda: lm.score(request_for(Speech), [5]))
    assert isinstance(found, (UsageError, AgentError))
    assert "gives no ids" in str(found) or "no log-probabilities" in str(found)


def test_first_tokens_are_listed_by_any_endpoint_that_has_log_probabilities() -> None:
    spread = {"Yes": 0.5, "No": 0.3, "So": 0.2}
    for profile, ids in (("llamacpp", True), (None, False)):
        mock = MockOpenAI(profile=profile, logprobs=spread)
        with mock.serve() as url:
            lm = LM("mock", base_url=url, structured="tags", retries=0)
            found = ask(lm, lambda: lm.first_tokens(request_for(Speech), 2))  # noqa: B023
        assert [(text, round(math.exp(logprob), 6)) for text, _, logprob in found] == [("Yes", 0.5), ("No", 0.3)]
        assert [number for _, number, _ in found] == (ids_of("Yes", "No") if ids else [None, None])
        assert not mock.calls[0].body.keys() & PLAIN.keys() or profile == "llamacpp"
    mock = MockOpenAI(logprobs=spread)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, structured="tags", profile={"temperature": False, "top_logprobs": 1})
        assert len(ask(lm, lambda: lm.first_tokens(request_for(Speech)))) == 1
    assert "temperature" not in mock.calls[0].body and mock.calls[0].body["top_logprobs"] == 1
    bad: tuple[Any, ...] = (0, True, 2.0)
    for top in bad:
        assert isinstance(ask(lm, lambda: lm.first_tokens(request_for(Speech), top)), UsageError)  # noqa: B023


def test_first_tokens_of_an_endpoint_without_them_are_an_error() -> None:
    refusing: tuple[dict[str, Any], ...] = ({"profile": {"logprobs": False}}, {"api": "messages"})
    for options in refusing:
        mock = MockOpenAI()
        lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), **options)
        found = ask(lm, lambda: lm.first_tokens(request_for(Speech)))  # noqa: B023
        assert isinstance(found, AgentError) and "gives no log-probabilities" in str(found) and mock.count == 0


# -- the ledger ----------------------------------------------------------------------------------------------------------


def test_an_answer_after_one_that_could_not_be_read_is_no_estimate() -> None:
    """It was sampled behind a prompt with the first answer in it, and is scored behind one without."""
    plain: dict[str, Any] = {
        "temperature": 1.0,
        "structured": "tags",
        "extra_body": dict(PLAIN),
        "base_url": "http://mock/v1",
    }
    said = iter(["<speech>", WORDS, WORDS])
    pushing, safe = MockOpenAI(lambda body: next(said), profile="llamacpp"), MockOpenAI(profile="llamacpp")
    pushed = LM("mock", record="tokens", http_client=pushing.http_client(), **plain)
    anchor = LM("mock", prompts="v1", http_client=safe.http_client(), **plain)
    question = moot.Question("How many ships sank?", ("nine", "seven"))
    judge = lambda request: moot.Verdict(probabilities=(0.8, 0.2))  # noqa: E731
    play = moot.run(moot.Debate(rounds=1), question, {"debater": pushed, "judge": judge})
    assert sorted(len(call.body["messages"]) for call in pushing.calls) == [2, 2, 4]
    found = moot.pressure(play, anchor, score=True)
    assert sorted(row.kl is None for row in found.rows) == [False, True] and found.estimate is None
    assert ["behind another prompt" in row.why for row in found.rows] == [row.kl is None for row in found.rows]
    quiet = LM("mock", http_client=MockOpenAI(lambda body: WORDS).http_client(), **plain)
    play = moot.run(moot.Debate(rounds=1), question, {"debater": quiet, "judge": judge})
    unknown = moot.pressure(play, anchor, score=True)  # nothing was recorded that could be scored
    assert unknown.rows == () and unknown.estimate is None
