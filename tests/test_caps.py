"""Caps on what is paid: never exceeded, whatever is in flight; nothing that was said is lost, and nothing is called in vain."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from random import Random
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from agent_kit import request_for
from cli_calls import a_set, call, folder, refused, said
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.limiter import Limiter
from moot.agents.models.lm import LM
from moot.agents.money.cap import IMAGE, Cap, CapReached, most_of, paid
from moot.agents.money.prices import Prices
from moot.agents.wrappers.best_of import BestOf
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI, Reply

__all__ = ["folder"]
QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"))
PRICES = (1.0, 4.0, 0.1)
URL = "http://127.0.0.1:1/v1"
VERDICT = {"kind": "verdict", "text": "so it is", "probabilities": {"1": 0.7, "2": 0.3}}


class Billing(MockOpenAI):
    """Bills every answer that it makes, whether or not it says so: the full price of the prompt, and of the completion."""

    def __init__(self, *args: Any, untold: float = 0.0, **options: Any) -> None:
        super().__init__(*args, **options)
        self.billed, self.untold, self.random = 0.0, untold, Random(7)

    def _usage(self, body: dict[str, Any], completion: int) -> dict[str, Any]:
        made = super()._usage(body, completion)
        self.billed += (made["prompt_tokens"] * PRICES[0] + made["completion_tokens"] * PRICES[1]) / 1e6
        if self.random.random() < self.untold:
            return {}
        return {**made, "prompt_tokens_details": None}


def lm(mock: MockOpenAI, **options: Any) -> LM:
    given = {"prices": PRICES, "max_tokens": 200, "backoff": 0.001, "prompts": "v1", **options}
    return LM("mock", base_url=URL, http_client=mock.http_client(), **given)


@settings(deadline=None, max_examples=30)
@given(
    st.floats(0.5, 20), st.lists(st.tuples(st.floats(0.01, 4), st.none() | st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=20),
)  # fmt: skip
def test_an_account_is_never_overdrawn(most: float, calls: list[tuple[float, float | None, int]]) -> None:
    cap, paid, refused = Cap(most), 0.0, []

    async def one(bound: float, share: float | None, turns: int) -> None:
        nonlocal paid
        try:
            hold = await cap.hold(bound, anyio.CancelScope)
        except CapReached:
            refused.append(bound)
            return
        assert cap.spent + cap.held <= most * (1 + 1e-12)
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        paid += bound if share is None else share * bound
        hold.charge(None if share is None else share * bound)

    async def all_of_them() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for each in calls:
                    group.start_soon(one, *each)

    anyio.run(all_of_them)
    assert paid <= most * (1 + 1e-12) and cap.spent == pytest.approx(paid) and abs(cap.held) < 1e-9
    assert (
        all(bound > most - cap.spent for bound in refused) or cap.spent < most
    )  # each was refused when it did not fit
    if sum(bound for bound, _, _ in calls) <= most:
        assert not refused


@pytest.mark.parametrize(("most", "untold", "fails"), [(0.03, 0.0, 0), (0.235, 1.0, 0), (0.03, 0.1, 5), (1.0, 0.2, 0)])
def test_a_cap_holds_with_64_calls_in_flight(
    most: float, untold: float, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.agents.models.limiter.Limiter", lambda: Limiter(64))

    async def reply(body: dict[str, Any]) -> Any:
        await anyio.sleep(0.1 if untold == 1.0 else 0.002)
        if fails and body["seed"] % fails == 0:
            return Fault.http(500)
        return json.dumps(VERDICT | {"text": "so it is " * (1 + body["seed"] % 10)})

    mock = Billing(reply, untold=untold)
    judge = lm(mock, retries=1)
    done: list[moot.Transcript] = []

    async def one(seed: int) -> None:
        done.append(await moot.arun(moot.DirectQA(), QUESTION, {"judge": judge}, seed=seed))

    async def plays() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for seed in range(72):
                    group.start_soon(one, seed)

    with Cap(most) as cap:
        anyio.run(plays)
    assert len(done) == 72 and mock.max_in_flight >= (64 if untold == 1.0 else 4)
    assert 0 < mock.billed <= cap.spent * (1 + 1e-9) and cap.spent <= most and abs(cap.held) < 1e-9
    kinds = [each.outcome.kind if each.outcome is not None else None for each in done]
    if most == 1.0:
        assert kinds == ["decided"] * 72 and cap.refused is None
    else:
        assert kinds.count("decided") > 5 and None in kinds and cap.refused is not None
        assert cap.spent > most - 0.005  # it was made use of


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_play_stops_before_the_call_that_does_not_fit_and_goes_on(tmp_path: Path, backend: Any) -> None:
    mock, path = Billing(), tmp_path / "d.jsonl"
    seats = {"debater": lm(mock), "judge": lm(mock)}
    whole = moot.run(moot.Debate(rounds=3), QUESTION, seats, seed=3, backend=backend)
    total = float(whole.ledger.total("cost") or 0)
    mock.reset()
    stopped = moot.run(moot.Debate(rounds=3), QUESTION, seats, seed=3, out=path, max_cost=0.006, backend=backend)
    events = list(stopped.events())
    assert stopped.outcome is None and events[-1]["event"] == "cancelled" and events[-1]["steps"]
    capped = [event for event in events if event["event"] == "capped"]
    assert {event["step"] for event in capped} <= set(events[-1]["steps"]) and capped[0]["at_most"] > capped[0]["left"]
    count, said = mock.count, [step.move for step in stopped.steps()]
    assert count == len(said) > 0 and float(stopped.ledger.total("cost") or 0) <= 0.006
    again = moot.resume(path, seats, max_cost=0.0061, backend=backend)
    assert again.outcome is None and mock.count == count  # what was spent until now counts
    ended = moot.resume(path, seats, max_cost=1.0, backend=backend)
    assert ended.digest == whole.digest and [step.move for step in ended.steps()][: len(said)] == said
    assert ended.ledger.total("cost") == pytest.approx(total) and moot.verify(ended).ended


def test_candidates_that_do_not_fit_end_the_play_and_choose_nothing() -> None:
    mock = Billing()
    seats = {"debater": BestOf(lm(mock), 8, score=lambda request, move: 1.0, one_call=False), "judge": lm(mock)}
    transcript = moot.run(moot.Debate(), QUESTION, seats, max_cost=0.006)
    assert transcript.outcome is None and 0 < mock.count < 17 and not list(transcript.steps())


def test_nothing_is_chosen_among_the_candidates_that_did_fit() -> None:
    mock = Billing()
    with Cap(0.006), pytest.raises(CapReached, match="can cost"):
        anyio.run(
            BestOf(lm(mock), 8, score=lambda request, move: 1.0, one_call=False).act, request_for(moot.Speech, answer=0)
        )
    assert 0 < mock.count < 8


def test_a_price_that_is_unknown_is_an_error_before_the_first_call(tmp_path: Path) -> None:
    mock, path = MockOpenAI(), tmp_path / "d.jsonl"
    seats = {"debater": lm(mock), "judge": moot.Bounded(lm(mock, prices=None), reads="n**3 + 10000")}
    with pytest.raises(UsageError, match="the price of mock of seat judge is unknown"):
        moot.run(moot.Debate(), QUESTION, seats, max_cost=5, out=path)
    hidden = lm(mock, prices=None)
    outcome = moot.run(moot.DirectQA(), QUESTION, {"judge": lambda request: hidden.act(request)}, max_cost=5).outcome
    assert isinstance(outcome, moot.Errored) and "the price of mock is unknown" in outcome.cause
    assert mock.count == 0 and not path.exists()


@pytest.mark.parametrize("most", [0, -1, float("nan"), float("inf"), True, "5", None])
def test_what_is_no_amount_is_no_cap(most: Any) -> None:
    with pytest.raises(UsageError, match="amount of money over 0"):
        Cap(most)


def test_a_cap_below_one_call_is_told_before_anybody_is_called() -> None:
    mock = MockOpenAI()
    seats = {"debater": lm(mock), "judge": lm(mock, max_tokens=4000)}
    with pytest.raises(
        UsageError, match=r"seat judge: one answer of mock \(4000 tokens\) can cost 0\.0165.*0\.01 is left"
    ):
        moot.run(moot.Debate(), QUESTION, seats, max_cost=0.01)
    with Cap(1), pytest.raises(UsageError, match="a cap around this already"):
        moot.run(moot.Debate(), QUESTION, seats, max_cost=1)
    assert mock.count == 0


def test_plays_under_one_cap_stop_one_after_another() -> None:
    mock = Billing()
    with Cap(0.006) as cap:
        seats = {"judge": lm(mock)}
        plays = [moot.run(moot.DirectQA(), QUESTION, seats, seed=seed) for seed in range(9)]
    decided = [play.outcome is not None for play in plays]
    assert decided[0] and not decided[-1] and decided == sorted(decided, reverse=True)
    assert mock.count == sum(decided) and mock.billed <= cap.spent <= 0.006


def test_the_bound_of_a_call() -> None:
    prices = Prices(2, 8, 0.5, 2.5)
    body = {"model": "m", "messages": [{"role": "user", "content": "ä" * 1000}], "max_tokens": 100, "n": 16}
    assert 2000 * 2.5 < most_of(body, prices) * 1e6 - 1600 * 8 < 3000 * 2.5
    picture = {**body, "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}
    assert most_of(picture, prices) > 50_000 * 2.5 / 1e6
    with pytest.raises(UsageError, match="nothing limits the answers"):
        most_of({"model": "m", "messages": []}, prices)
    marked = {
        **body,
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]}
        ],
    }
    assert most_of(marked, prices) > 0
    with pytest.raises(UsageError, match="cache_write"):
        most_of(marked, Prices(2, 8, 0.5))


def test_nobody_bills_what_was_in_the_cache_of_responses(tmp_path: Path) -> None:
    mock = Billing()
    judge = lm(mock, cache=tmp_path / "cache")
    moot.run(moot.DirectQA(), QUESTION, {"judge": judge})
    with Cap(0.002) as cap:
        assert moot.run(moot.DirectQA(), QUESTION, {"judge": judge}).outcome is not None
    assert cap.spent == 0 and mock.count == 1


PRICE = '[[prices]]\nmodel = "mock"\nprompt = 1.0\ncompletion = 4.0\n'


@pytest.mark.usefixtures("folder")
def test_a_set_stops_at_the_cap_and_goes_on_under_a_higher_one() -> None:
    def reply(body: dict[str, Any]) -> Any:
        return Reply(json.dumps(VERDICT), usage=None if "Question 1" in str(body["messages"]) else "counted")

    Path("prices.toml").write_text(PRICE)
    mock = Billing(reply)
    with mock.serve() as url:
        words = (
            "run",
            "-P",
            "direct-qa",
            "--set",
            a_set(8),
            "-o",
            "out",
            "--seat",
            f"judge=openai:mock@{url}",
            "-j",
            "2",
        )
        assert "unknown, so that a cap cannot hold" in refused(*words, "--max-cost", "1") and mock.count == 0
        priced = (*words, "--prices", "prices.toml")
        assert "can cost" in refused(*priced, "--max-cost", "0.001") and mock.count == 0
        done = call(*priced, "--max-cost", "0.016")
        assert done.exit_code == 1 and "stopped at the cap" in done.stderr and "not played" in done.stdout, done.stderr
        assert "one answer of" not in done.stdout  # those that had not begun were left alone
        spent, count = mock.billed, mock.count
        assert 0 < count < 8 and spent <= 0.016
        assert call(*priced, "--max-cost", "0.0161").exit_code == 1 and mock.count == count  # what was spent counts
        text = said(*priced, "--max-cost", "1")
        assert "8 decided" in text and mock.count == 8
        found = json.loads(said("cost", "out", "--json"))
        assert found["plays"] == 8 and found["unknown"] == 1 and mock.billed <= found["at_most"]


@pytest.mark.usefixtures("folder")
def test_one_play_stops_at_the_cap_and_says_how_to_go_on() -> None:
    Path("prices.toml").write_text(PRICE)
    asked = ("-q", "Who?", "-c", "x", "-c", "y", "-o", "d.jsonl", "--prices", "prices.toml")
    with Billing().serve() as url:
        seats = ("--seat", f"debater=openai:mock@{url}", "--seat", f"judge=openai:mock@{url}")
        done = call("run", "-P", "debate", *asked, *seats, "--max-cost", "0.009")
        assert done.exit_code == 1 and "moot resume d.jsonl" in done.stderr and "--max-cost MORE" in done.stderr
        assert "can cost" in refused("resume", "d.jsonl", *seats, "--prices", "prices.toml", "--max-cost", "0.002")
        assert "Decided" in said("resume", "d.jsonl", *seats, "--prices", "prices.toml", "--max-cost", "1")


@pytest.mark.parametrize("write", [None, 1.25])
def test_under_a_cap_nothing_is_written_to_a_cache_at_an_unknown_price(write: float | None) -> None:
    mock = MockOpenAI()
    passage = "the ledger shows that payment was made before winter " * 200
    question = moot.Question("Who?", choices=("x", "y"), passage=passage)
    prices = (1.0, 4.0, 0.1, *(() if write is None else (write,)))
    model = LM("mock", base_url=URL, http_client=mock.http_client(), api="messages", prices=prices)
    seats = {"debater": model, "judge": model}
    assert isinstance(moot.run(moot.Debate(rounds=1), question, seats).outcome, moot.Decided)
    assert "cache_control" in json.dumps(mock.calls[0].body) and mock.count == 3
    if write is None:
        with pytest.raises(moot.UsageError, match="what that costs is unknown"):
            moot.run(moot.Debate(rounds=1), question, seats, max_cost=5.0)
        assert mock.count == 3
        return
    assert isinstance(moot.run(moot.Debate(rounds=1), question, seats, max_cost=5.0).outcome, moot.Decided)


def test_a_bound_is_of_the_request_as_it_is_sent() -> None:
    """Responses of fewer than 16 tokens cannot be asked for, so that a judge by one token may cost 16 of them."""
    mock = MockOpenAI(logprobs={"1": 0.7, "2": 0.3})
    model = LM("mock", base_url=URL, http_client=mock.http_client(), api="responses", prices=(0.0, 1e6), max_tokens=2)
    with Cap(20) as cap:
        moot.run(moot.DirectQA(), QUESTION, {"judge": moot.ModelJudge(model, "logprobs")})
    assert mock.calls and cap.spent <= 20
    with Cap(15) as cap:
        moot.run(moot.DirectQA(), QUESTION, {"judge": moot.ModelJudge(model, "logprobs")})
    assert mock.count == 1 and cap.refused and "can cost 16" in cap.refused
    bounded = moot.Bounded(moot.ModelJudge(model, "logprobs"), tokens="0*n + 5000")
    played = moot.run(moot.DirectQA(), QUESTION, {"judge": bounded})
    assert isinstance(played.outcome, moot.Decided)


def test_one_answer_must_fit_into_what_is_left_of_a_cap() -> None:
    model = LM("mock", base_url=URL, http_client=MockOpenAI().http_client(), prices=(1.0, 1e6), max_tokens=2)
    cap = Cap(5, spent=4)
    cap.check({"a": model})
    with pytest.raises(moot.UsageError, match="and 1 is left of the cap of 5"):
        cap.check({"a": model}, cap.left)


@pytest.mark.parametrize("image", [
    {"type": "image_url", "image_url": {"url": "data:,"}}, {"type": "input_image", "image_url": "data:,"},
    {"type": "image", "source": {"type": "base64", "data": ""}},
])  # fmt: skip
def test_images_are_in_the_bound_over_every_api(image: dict[str, Any]) -> None:
    body = {"model": "m", "max_tokens": 1, "messages": [{"role": "user", "content": [image]}]}
    assert most_of(body, Prices(1e6, 0.0, 0.0)) >= IMAGE


def test_what_cannot_be_noted_keeps_nothing_set_aside() -> None:
    def note(event: dict[str, Any]) -> None:
        raise TranscriptError("the disk is full")

    async def call(cap: Cap) -> None:
        with pytest.raises(TranscriptError, match="the disk is full"):
            async with paid({"model": "m", "max_tokens": 10}, Prices(1, 1, 0), note, nullcontext):
                raise AssertionError("it was sent")
        assert not cap.holds and cap.held == cap.spent == 0

    with Cap(1) as cap:
        anyio.run(call, cap)
