"""Who decides: panels, bounds around any agent, and a model by what it states or by its tokens' probabilities."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median
from typing import Any, Literal

import anyio
import pytest
from agent_kit import request_for
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.agents.base import start_all
from moot.agents.models.http.clients import OverAiohttp
from moot.agents.models.lm import LM
from moot.agents.models.wire import Completion, completion_from
from moot.agents.money.usage import Usage
from moot.agents.prompts.values import UnreadableAnswer
from moot.judges.bounded import Bounded
from moot.judges.model import FLOOR, ModelJudge, labels_for, read_verdict
from moot.judges.panel import Panel, combined
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Ask, Speech, Stop, Verdict
from moot.testing.server.server import MockOpenAI

QUESTION = moot.Question("Who?", ("a", "b"))
Rule = Literal["mean", "median", "vote"]
backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def normal(weights: list[int]) -> tuple[float, ...]:
    return tuple(weight / sum(weights) for weight in weights)


def distributions(size: int) -> st.SearchStrategy[tuple[float, ...]]:
    return st.lists(st.integers(0, 9), min_size=size, max_size=size).filter(any).map(normal)


panels = st.integers(2, 4).flatmap(lambda size: st.lists(distributions(size), min_size=1, max_size=6))


# -- panels ------------------------------------------------------------------------------------------------------------


@given(panels, st.sampled_from(["mean", "median", "vote"]), st.randoms())
def test_a_panel_gives_a_distribution_whatever_the_order(given_: list[Any], rule: str, random: Any) -> None:
    verdicts = [Verdict(probabilities=each) for each in given_]
    whole = combined(verdicts, rule)
    assert math.isclose(sum(whole), 1) and all(0 <= p <= 1 + 1e-9 for p in whole)
    random.shuffle(verdicts)
    assert combined(verdicts, rule) == pytest.approx(whole)
    for index, p in enumerate(whole):  # what all agree to be impossible stays so
        if all(each[index] == 0 for each in given_):
            assert p == 0


@given(panels)
def test_what_each_rule_does(given_: list[Any]) -> None:
    verdicts, columns = [Verdict(probabilities=each) for each in given_], list(zip(*given_, strict=True))
    assert combined(verdicts, "mean") == pytest.approx([sum(column) / len(column) for column in columns])
    middle = [median(column) for column in columns]
    if sum(middle):
        assert combined(verdicts, "median") == pytest.approx([m / sum(middle) for m in middle])
    votes = [
        sum((p == max(each)) / each.count(max(each)) for each, p in zip(given_, column, strict=True))
        for column in columns
    ]
    assert combined(verdicts, "vote") == pytest.approx([v / len(given_) for v in votes])
    assert all(combined(verdicts[:1] * 3, rule) == pytest.approx(given_[0]) for rule in ("mean", "median"))


def judge(*probabilities: float) -> Any:
    return lambda request: Verdict(probabilities=probabilities, text="mine")


def play(judge: Any, backend: Any = "asyncio", protocol: Protocol | None = None) -> moot.Transcript:
    seats = {"a": lambda r: Speech(text="AAAA"), "b": lambda r: Speech(text="BBBB"), "judge": judge}
    return moot.run(protocol or moot.Debate(rounds=1), QUESTION, seats, backend=backend)


@backends
@pytest.mark.parametrize(("rule", "decided"), [("mean", (0.5, 0.5)), ("median", (0.6, 0.4)), ("vote", (2 / 3, 1 / 3))])
def test_a_panel_decides_a_debate(rule: Rule, decided: tuple[float, ...], backend: Any) -> None:
    async def late(request: Any) -> dict[str, Any]:
        await anyio.sleep(0.01)
        return {"kind": "verdict", "probabilities": [0.1, 0.9]}

    outcome = play(Panel(judge(0.8, 0.2), late, judge(0.6, 0.4), rule=rule), backend).outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == pytest.approx(decided)
    assert outcome.verdict.text == "[1] mine\n\n[3] mine"


def test_a_member_that_fails_fails_the_panel() -> None:
    def broken(request: Any) -> Verdict:
        raise RuntimeError("out of order")

    outcome = play(Panel(judge(1, 0), broken)).outcome
    assert isinstance(outcome, moot.Errored) and "out of order" in outcome.cause
    with pytest.raises(AgentError, match="different numbers of choices"):
        anyio.run(Panel(judge(1, 0), judge(1, 0, 0)).act, request_for(Verdict))
    with pytest.raises(AgentError, match="a panel gives verdicts"):
        anyio.run(Panel(judge(1, 0)).act, request_for(Stop))
    bads: list[Callable[[], Panel]] = [lambda: Panel(), lambda: Panel(judge(1, 0), rule="loudest")]  # type: ignore[arg-type]
    for bad in bads:
        with pytest.raises(UsageError):
            bad()


# -- start and close ---------------------------------------------------------------------------------------------------


class Counting:
    def __init__(self) -> None:
        self.seen: list[str] = []

    def act(self, request: Any) -> Verdict:
        self.seen.append("act")
        return Verdict(probabilities=(1, 0))

    async def start(self) -> None:
        self.seen.append("start")

    async def close(self) -> None:
        self.seen.append("close")


class CountingAtOnce(Counting):
    def start(self) -> None:  # type: ignore[override]
        self.seen.append("start")

    def close(self) -> None:  # type: ignore[override]
        self.seen.append("close")


@backends
def test_wrappers_start_and_close_what_they_hold_once(backend: Any) -> None:
    members = [Counting(), CountingAtOnce()]
    play(Bounded(Panel(*members), calls=3), backend)
    assert [member.seen for member in members] == [["start", "act", "close"]] * 2
    twice = Counting()
    play(Panel(twice, twice), backend)
    assert twice.seen == ["start", "act", "act", "close"]


def test_a_model_judge_starts_and_closes_its_model() -> None:
    mock = MockOpenAI()

    async def main(url: str) -> None:
        lm = LM("mock", base_url=url)
        judge = Bounded(Panel(ModelJudge(lm)), calls=9)
        await start_all([judge])
        await judge.act(request_for(Verdict, role="judge", task="verdict"))
        shared = lm.endpoint._share()
        assert isinstance(client := shared.client, OverAiohttp) and (session := client._session) is not None
        assert shared.users == 1 and not session.closed
        await judge.close()
        assert shared.users == 0 and shared.client is None and session.closed

    with mock.serve() as url:
        anyio.run(main, url)
    assert mock.count == 1


# -- bounds ------------------------------------------------------------------------------------------------------------


@backends
@pytest.mark.parametrize(
    ("measure", "bound"),
    [("reads", {"reads": "7"}), ("calls", {"calls": 0}), ("seconds", {"seconds": 0.05}), ("tokens", {"tokens": 9})],
)
def test_each_measure_of_a_bound_is_enforced(measure: str, bound: dict[str, Any], backend: Any) -> None:
    async def reader(request: Any) -> Verdict:
        list(request.view)
        if measure == "tokens":
            request.budget.reserve("tokens", 10)
        await anyio.sleep(5 if measure == "seconds" else 0)
        return Verdict(probabilities=(1, 0))

    outcome = play(Bounded(reader, **bound), backend).outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.seat, outcome.measure) == ("judge", measure)
    assert outcome.used > outcome.limit


@pytest.mark.parametrize("text", ["-5", "n - 2", "log(n) - 1", "3 - 4*n^2"])
def test_a_negative_bound_is_refused_when_it_is_made(text: str) -> None:
    with pytest.raises(UsageError, match=r"is -\d at n = 1; a budget cannot be negative"):
        Bounded(lambda request: None, reads=text)
    assert Bounded(lambda request: None, reads="n - 1", calls="2*n^2 - 2*n").bound.limits(3) == {
        "reads": 2,
        "calls": 12,
    }


def test_a_judge_may_put_no_more_questions_than_its_bound() -> None:
    def curious(request: Any) -> Any:
        return Ask(text="Why?") if Ask in request.kinds else Verdict(probabilities=(1, 0))

    debate = moot.Debate(rounds=3, questions=True)
    asked = play(curious, protocol=debate).ledger.spent("judge", "queries")
    assert isinstance(asked, int) and asked > 1
    assert isinstance(play(Bounded(curious, queries=asked), protocol=debate).outcome, moot.Decided)
    outcome = play(Bounded(curious, queries=asked - 1), protocol=debate).outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.measure, outcome.used) == ("queries", asked)


def test_a_models_tokens_are_reserved_before_the_call_and_settled_after() -> None:
    mock = MockOpenAI()
    with mock.serve() as url:
        lm = LM("mock", base_url=url, max_tokens=100)
        outcome = play(Bounded(ModelJudge(lm), tokens=500)).outcome
        assert isinstance(outcome, moot.Exhausted) and outcome.measure == "tokens" and mock.count == 0
        roomy = play(Bounded(ModelJudge(lm), tokens=20_000))
    spent = roomy.ledger.spent("judge", "tokens")
    assert isinstance(roomy.outcome, moot.Decided) and mock.count == 1
    assert spent is not None and 0 < spent < 20_000


# -- a model as judge --------------------------------------------------------------------------------------------------


@backends
def test_a_model_states_its_verdict(backend: Any) -> None:
    mock = MockOpenAI(reply=lambda body: {"text": "So.", "probabilities": {"1": 0.3, "2": 0.7}})
    with mock.serve() as url:
        outcome = play(ModelJudge(LM("mock", base_url=url)), backend).outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == (0.3, 0.7)
    assert "response_format" in mock.calls[0].body and "logprobs" not in mock.calls[0].body


@backends
def test_a_model_judges_by_its_tokens(backend: Any) -> None:
    mock = MockOpenAI(logprobs={"1": 0.6, " 2": 0.2, "x": 0.2})
    with mock.serve() as url:
        transcript = play(ModelJudge(LM("mock", base_url=url), "logprobs"), backend)
    assert isinstance(transcript.outcome, moot.Decided)
    assert transcript.outcome.verdict.probabilities == pytest.approx((0.75, 0.25))
    (note,) = (event for event in transcript.events() if event["event"] == "attempted")
    assert note["ok"] and note["mass"] == pytest.approx(0.8) and note["method"] == "logprobs"
    assert "1: a\n2: b" in mock.calls[0].body["messages"][-1]["content"]
    assert (transcript.ledger.seats["judge"].completion_tokens, transcript.ledger.total("attempts")) == (1, 1)


@pytest.mark.parametrize(
    ("logprobs", "problem"), [(False, "no log-probabilities"), ({"x": 1.0}, "0 of the probability of the first token")]
)
def test_without_usable_tokens_there_is_no_verdict(logprobs: Any, problem: str) -> None:
    mock = MockOpenAI(logprobs=logprobs)
    with mock.serve() as url:
        transcript = play(ModelJudge(LM("mock", base_url=url), "logprobs"))
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Unreadable if logprobs else moot.Errored) and problem in repr(outcome)
    assert mock.count == transcript.ledger.total("failed_attempts") == 1


tokens = st.sampled_from(["1", " 1", "2\n", '"2', "\u01201", "3", "10", "?", "", "<think>"])


@given(st.lists(st.tuples(tokens, st.floats(-50, 1e-4)), max_size=20), st.integers(2, 4))
def test_tokens_are_renormalised_over_the_answers(top: list[tuple[str, float]], count: int) -> None:
    completion, labels = Completion("1", "length", Usage(), tuple(top)), labels_for(count)
    chances = [math.exp(min(0.0, p)) for _, p in top]
    found = {"1": "1", " 1": "1", "\u01201": "1", "2\n": "2", '"2': "2", "3": "3"}
    mass = [
        math.fsum(p for (token, _), p in zip(top, chances, strict=True) if found.get(token) == label)
        for label in labels
    ]
    extra: dict[str, Any] = {}
    if sum(mass) < FLOOR:
        with pytest.raises(
            UnreadableAnswer, match=r"no log-prob|the answers 1, 2.* of the probability of the first token"
        ):
            read_verdict(completion, labels, extra)
        return
    verdict = read_verdict(completion, labels, extra)
    assert extra["mass"] == pytest.approx(sum(mass)) and math.isclose(sum(verdict.probabilities), 1)
    most = min(*chances, 1, max(0, 1 - sum(chances)) / max(1, len(extra["unlisted"])))
    given_ = [p if label not in extra["unlisted"] else most for p, label in zip(mass, labels, strict=True)]
    assert verdict.probabilities == pytest.approx([each / sum(given_) for each in given_])


def listed(*entries: tuple[str, Any]) -> Completion:
    """A completion, from the JSON of an endpoint that lists these tokens."""
    top = [{"token": token, "logprob": logprob} for token, logprob in entries]
    first = {**top[0], "top_logprobs": top}
    return completion_from({"choices": [{"message": {"content": "1"}, "logprobs": {"content": [first]}}]})


@pytest.mark.parametrize("bad", [None, float("nan"), float("-inf"), "", "much", [], 10**400])
def test_one_bad_log_probability_costs_its_own_entry_alone(bad: Any) -> None:
    sound = read_verdict(listed(("1", -2.4), ("2", -0.1)), labels_for(2), {})
    for entries in ((("1", -2.4), ("2", -0.1), ("x", bad)), (("x", bad), ("2", -0.1), ("1", -2.4))):
        assert read_verdict(listed(*entries), labels_for(2), {}).probabilities == pytest.approx(sound.probabilities)


def test_a_log_probability_over_0_by_rounding_is_0_and_by_more_is_none() -> None:
    assert read_verdict(listed(("1", 1e-5), ("2", -9.0)), labels_for(2), {}).probabilities[0] > 0.999
    with pytest.raises(UnreadableAnswer, match="'1' has the log-probability 0.5, over 0"):
        read_verdict(listed(("1", 0.5), ("2", -9.0)), labels_for(2), {})


def test_an_unlisted_answer_is_not_called_impossible() -> None:
    extra: dict[str, Any] = {}
    verdict = read_verdict(listed(("2", math.log(0.9)), ("The", math.log(0.02))), labels_for(2), extra)
    assert extra["unlisted"] == ["1"] and verdict.probabilities == pytest.approx((0.02 / 0.92, 0.9 / 0.92))


def test_a_judge_that_is_about_to_think_gives_no_verdict() -> None:
    with pytest.raises(UnreadableAnswer, match="2e-09 of the probability.*the most probable is '<think>'"):
        read_verdict(listed(("<think>", 0.0), ("1", math.log(2e-9))), labels_for(2), {})


def test_labels() -> None:
    assert (labels_for(9)[-1], labels_for(10)[-1], len(labels_for(26))) == ("9", "J", 26)
    with pytest.raises(UsageError, match="27 choices"):
        labels_for(27)
