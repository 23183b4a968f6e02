"""Whole debates against an endpoint that misbehaves, over real sockets: what is tried again, said, recorded and counted."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_kit import request_for

import moot
from moot.agents.models.lm import LM
from moot.protocols.engine.moves import Speech
from moot.testing.server.faults import Fault
from moot.testing.server.replies import count_tokens, default_reply
from moot.testing.server.server import MockOpenAI

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. Nine ships sank.")
KEY = "sk-very-secret-key"
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def debate(url: str, backend: Any = "asyncio", out: Path | None = None, **options: Any) -> moot.Transcript:
    """Three calls: a and b at once, then the judge."""
    lm = LM("mock", **{"base_url": url, "backoff": 0.001, "timeout": 20, "api_key": KEY, **options})
    return moot.run(moot.Debate(rounds=1), QUESTION, {"a": lm, "b": lm, "judge": lm}, backend=backend, out=out)


def served(mock: MockOpenAI, backend: Any = "asyncio", **options: Any) -> moot.Transcript:
    with mock.serve() as url:
        transcript = debate(url, backend, **options)
    assert_counted(transcript, mock)
    return transcript


def attempts(transcript: moot.Transcript) -> list[dict[str, Any]]:
    return [event for event in transcript.events() if event["event"] == "attempted"]


def assert_counted(transcript: moot.Transcript, *mocks: MockOpenAI) -> None:
    """Every request that arrived is one event and one attempt of the ledger."""
    noted, ledger = attempts(transcript), transcript.ledger
    assert len(noted) == ledger.total("attempts") == sum(mock.count for mock in mocks)
    assert ledger.total("failed_attempts") == sum(not each["ok"] for each in noted)
    assert all(bool(each["error"]) is not each["ok"] and each["seconds"] > 0 for each in noted)


def tokens_asked(mock: MockOpenAI) -> int:
    prompts = ("".join(f"<|{m['role']}|>{m['content']}" for m in call.body["messages"]) for call in mock.calls)
    return sum(-(-len(prompt.encode()) // 4) for prompt in prompts)


@backends
def test_the_ledger_is_the_endpoints_own_count(backend: Any) -> None:
    said: list[str] = []

    def reply(body: dict[str, Any]) -> str:
        said.append(default_reply(body))
        return said[-1]

    mock = MockOpenAI(reply=reply, api_key=KEY)
    transcript = served(mock, backend, prices=(1.0, 2.0))
    asked, answered = tokens_asked(mock), sum(map(count_tokens, said))
    assert isinstance(transcript.outcome, moot.Decided) and mock.count == 3
    assert (transcript.ledger.total("prompt_tokens"), transcript.ledger.total("completion_tokens")) == (asked, answered)
    assert transcript.ledger.total("cost") == pytest.approx((asked + 2 * answered) / 1e6)


PASSING: list[tuple[Fault, int | None, str]] = [
    (Fault.rate_limit(), 429, "has too much to do"), (Fault.server_error(), 500, "failed"),
    (Fault.unavailable(), 503, "has too much to do"), (Fault.cut_off(), None, "broke off"),
    (Fault.garbage("json"), 200, "not JSON"), (Fault.garbage("html"), 200, "not JSON"),
    (Fault.garbage("bytes"), 200, "not JSON"), (Fault.no_choices(), 200, "not a chat completion"),
    (Fault.hang(), None, "within 0.7 s"), (Fault.inside(429), 200, "has too much to do (429, inside a 200)"),
    (Fault.choice(502), 200, "failed (502, inside a 200)"),
]  # fmt: skip


@backends
@pytest.mark.parametrize(("fault", "status", "words"), PASSING, ids=[f"{f}-{f.form}" for f, _, _ in PASSING])
def test_what_passes_is_tried_again(fault: Fault, status: int | None, words: str, backend: Any) -> None:
    mock = MockOpenAI(script={1: fault, 3: fault})
    transcript = served(mock, backend, prices=(1, 1), **({"timeout": 0.7} if fault.kind == "hang" else {}))
    assert isinstance(transcript.outcome, moot.Decided) and mock.count == 5
    failed = [each for each in attempts(transcript) if not each["ok"]]
    assert [each["status"] for each in failed] == [status] * 2
    assert all(words in each["error"] for each in failed)
    if status not in (429, 503) and fault.kind not in ("inside", "choice"):  # what a broken answer cost, nobody knows
        assert {(each["prompt_tokens"], each["cost"]) for each in failed} == {(None, None)}
        assert transcript.ledger.total("prompt_tokens") is transcript.ledger.total("cost") is None


@backends
@pytest.mark.parametrize("fault", [Fault.malformed(), Fault.empty(), Fault.length()], ids=str)
def test_a_verdict_that_cannot_be_read_is_asked_for_once_more(fault: Fault, backend: Any) -> None:
    mock = MockOpenAI(script={2: fault})
    transcript = served(mock, backend)
    judge = transcript.ledger.seats["judge"]
    assert isinstance(transcript.outcome, moot.Decided)
    assert (judge.attempts, judge.failed_attempts, judge.calls) == (2, 1, 1)
    assert "could not be read" in mock.calls[3].body["messages"][-1]["content"]
    assert transcript.ledger.total("prompt_tokens") == tokens_asked(mock)  # the rejected answer was paid for


def test_missing_usage_is_unknown_for_its_seat_alone() -> None:
    ledger = served(MockOpenAI(script={2: Fault.no_usage()}), prices=(1, 1)).ledger
    judge, a = ledger.seats["judge"], ledger.seats["a"]
    assert (judge.prompt_tokens, judge.completion_tokens, judge.cached_tokens, judge.cost) == (None,) * 4
    assert a.prompt_tokens and a.cost and ledger.total("cost") is None is ledger.spent("judge", "tokens")


LASTING: list[tuple[Fault, str]] = [
    (Fault.unauthorized(), r"refused the request \(401\): no key, or not a good one: Incorrect API key provided; set"),
    (Fault.unknown_model("mock"), r"\(404\): The model `mock` does not exist; there is no model 'mock' there"),
    (Fault.http(400, f"bad request of {KEY}"), r"refused the request \(400\): bad request of \[key\]"),
    (Fault.http(413, "too long"), r"refused the request \(413\): too long"),
    (Fault.http(429, "insufficient_quota"), r"the account has no credit left: insufficient_quota"),
    (Fault.rate_limit(3600), r"it asks for a wait of 3600 s, over 600 s"),
    (Fault.inside(402, "no credits"), r"\(402, inside a 200\): the account has no credit left: no credits"),
    (Fault.huge(10_000_000), r"over 4,000,000 bytes and was not read; lower max_tokens"),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "message"), LASTING, ids=[f"{f}-{f.message[:5]}" for f, _ in LASTING])
def test_what_lasts_ends_the_debate_at_once_and_says_why(fault: Fault, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    transcript = served(MockOpenAI(script={2: fault}), "trio" if fault.status == 400 else "asyncio", out=path)
    outcome = transcript.outcome
    said = outcome.reason if isinstance(outcome, moot.Unreadable) else getattr(outcome, "cause", "")
    assert isinstance(outcome, moot.Unreadable if fault.kind == "huge" else moot.Errored) and re.search(message, said)
    assert transcript.ledger.seats["judge"].attempts == 1
    assert KEY not in path.read_text()


@backends
def test_an_endpoint_that_always_fails_is_given_up(backend: Any) -> None:
    transcript = served(MockOpenAI(script={n: Fault.server_error() for n in range(2, 99)}), backend, retries=2)
    assert isinstance(transcript.outcome, moot.Errored)
    assert re.search(r"failed \(500\): The server had .*given up after 3 attempts", transcript.outcome.cause)
    assert transcript.ledger.seats["judge"].failed_attempts == 3


@backends
@pytest.mark.parametrize("fault", [Fault.rate_limit(0.4), Fault.unavailable(0.4)], ids=str)
def test_retry_after_holds_back_the_debate(fault: Fault, backend: Any) -> None:
    mock = MockOpenAI(script={2: fault})
    assert isinstance(served(mock, backend).outcome, moot.Decided)
    refused, again = mock.calls[2:]
    assert 0.4 <= again.when - refused.when < 10


@backends
def test_a_storm_over_64_calls_is_one_wait_for_all(backend: Any) -> None:
    mock = MockOpenAI(script=[Fault.rate_limit(0.5)] * 32)
    notes: list[dict[str, Any]] = []

    async def main(url: str) -> int:
        lm = LM("mock", base_url=url, backoff=0.001)
        await lm.start()
        with anyio.fail_after(60):
            async with anyio.create_task_group() as group:
                for _ in range(64):
                    group.start_soon(lm.act, request_for(Speech, notes=notes))
        limit = lm.endpoint.limiter.limit
        await lm.close()
        return limit

    with mock.serve() as url:
        limit = anyio.run(main, url, backend=backend)
    refused, answered = ([call for call in mock.calls if call.status == status] for status in (429, 200))
    assert (len(refused), len(answered)) == (32, 64) and mock.max_in_flight <= 64
    assert sorted(note["status"] for note in notes) == [200] * 64 + [429] * 32
    # Nobody is let in while the endpoint has asked for a pause, those that already waited for a place included.
    assert min(call.when for call in answered) >= min(call.when for call in refused) + 0.5
    assert limit >= 12  # one storm halves the limit once, not 32 times


def closed_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@backends
def test_an_unreachable_port(backend: Any) -> None:
    port = closed_port()
    transcript = debate(f"http://127.0.0.1:{port}/v1", backend, retries=1)
    assert isinstance(transcript.outcome, moot.Errored)
    assert re.search(rf"cannot reach http://127.0.0.1:{port}/v1.*given up after 2", transcript.outcome.cause)
    noted = attempts(transcript)
    assert 2 <= len(noted) <= 4 and {(each["status"], each["prompt_tokens"]) for each in noted} == {(None, 0)}


@backends
def test_a_hang_costs_the_time_outs_and_no_more(backend: Any) -> None:
    mock = MockOpenAI(script=[Fault.hang()] * 9)
    transcript = served(mock, backend, timeout=0.3, retries=1)
    assert isinstance(transcript.outcome, moot.Errored) and "within 0.3 s" in transcript.outcome.cause
    assert transcript.ledger.total("prompt_tokens") is None
    tried = attempts(transcript)
    assert mock.count == len(tried) <= 4 and all(each["seconds"] > 0.25 for each in tried)


@backends
def test_resume_after_the_endpoint_was_down(backend: Any, tmp_path: Path) -> None:
    path, mock, well = tmp_path / "t.jsonl", MockOpenAI(script={n: Fault.unavailable() for n in (2, 3)}), MockOpenAI()
    broken = served(mock, backend, out=path, retries=1)
    assert isinstance(broken.outcome, moot.Errored) and "given up after 2 attempts" in broken.outcome.cause
    said = [event["move"] for event in broken.events() if event["event"] == "moved"]
    with well.serve() as url:
        lm = LM("mock", base_url=url)
        whole = moot.resume(path, {"a": lm, "b": lm, "judge": lm}, backend=backend)
    assert isinstance(whole.outcome, moot.Decided) and well.count == 1  # the judge's call alone
    assert_counted(whole, mock, well)
    assert [event["move"] for event in whole.events() if event["event"] == "moved"][:-1] == said and len(said) == 2
    assert moot.verify(whole)
