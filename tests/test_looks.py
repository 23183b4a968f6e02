"""Samples of one judge, and a judge who looks at both orders of the answers or at both seatings."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from agent_kit import log_of, request_for
from hypothesis import given
from hypothesis import strategies as st
from players import everywhere, speak

import moot
from moot.agents.models.lm import LM
from moot.agents.spec import agent_from, profile_of
from moot.judges.looks import Relabelled, Relabelling
from moot.protocols.engine.moves import Answer, Ask, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.golden import puppet
from moot.testing.server.server import MockOpenAI

QUESTION = Question("Who sank the fleet?", ("a storm", "the admiral"))
THREE = Question("Who?", ("x", "y", "z"))


def debate(rounds: int = 1, question: Question = QUESTION, **parts: Any) -> moot.Transcript:
    protocol = moot.Debate(rounds=rounds, **parts)
    return moot.run(protocol, moot.Sample(question, truth=0), everywhere(protocol, speak), seed=4)


def noted(play: moot.Transcript, event: str) -> list[dict[str, Any]]:
    return [each for each in play.events() if each["event"] == event]


def believed(play: moot.Transcript) -> tuple[float, ...]:
    assert isinstance(play.outcome, moot.Decided), play.outcome
    return play.outcome.verdict.probabilities


def acted(agent: Any, request: moot.Request) -> Any:
    return anyio.run(agent.act, request)


# -- samples -----------------------------------------------------------------------------------------------------------


def test_k_samples_are_k_seeds_and_their_verdicts_are_kept() -> None:
    shares = iter([0.2, 0.4, 0.9, 0.1, 0.3])
    mock = MockOpenAI(reply=lambda body: {"text": "So.", "probabilities": {"1": (p := next(shares)), "2": 1 - p}})
    with mock.serve() as url:
        lm = LM("mock", base_url=url)
        play = moot.rejudge(debate(), moot.Panel(moot.ModelJudge(lm), samples=5))
        assert len({call.body["seed"] for call in mock.calls}) == mock.count == 5
        assert len({str(call.body["messages"]) for call in mock.calls}) == 1
        (event,) = noted(play, "combined")
        firsts = [each["probabilities"][0] for each in event["verdicts"]]
        assert sorted(firsts) == [0.1, 0.2, 0.3, 0.4, 0.9] and {e["text"] for e in event["verdicts"]} == {"So."}
        assert believed(play)[0] == pytest.approx(0.38) and event["rule"] == "mean"
        assert sorted(each["sample"] for each in noted(play, "attempted")) == [0, 1, 2, 3, 4]
        assert moot.replay(play).digest == play.digest
        seeds = [call.body["seed"] for call in mock.calls]
        mock.reset()
        mock.reply = None
        moot.rejudge(debate(), moot.Panel(*[lm] * 3))  # a panel of one model
        again = [call.body["seed"] for call in mock.calls]
        assert set(again) == set(again) & set(seeds) and len(set(again)) == 3  # the first of those five
        mock.reset()
        moot.rejudge(debate(), lm)
        assert mock.calls[0].body["seed"] in again  # the first sample is the model alone


@given(st.integers(1, 6), st.integers(1, 4))
def test_more_samples_hold_the_fewer_ones(k: int, more: int) -> None:
    seen: list[int] = []

    def judge(request: moot.Request) -> Verdict:
        seen.append(request.seed)
        return Verdict.sure(0)

    for samples in (k, k + more):
        acted(moot.Panel(judge, samples=samples), request_for(Verdict, question=QUESTION, seed=11))
    assert sorted(seen[:k]) == sorted(seen[k:][:k]) and len(set(seen[k:])) == k + more and seen[0] == 11


def test_each_sample_reads_for_itself() -> None:
    whole = debate(rounds=2)

    def reader(request: moot.Request) -> Verdict:
        list(request.view)
        return Verdict.sure(0)

    one = moot.rejudge(whole, moot.Bounded(reader, reads=10_000)).ledger.spent("judge", "reads")
    three = moot.rejudge(whole, moot.Bounded(moot.Panel(reader, samples=3), reads=10_000)).ledger.spent(
        "judge", "reads"
    )
    both = moot.rejudge(whole, moot.Bounded(moot.BothOrders(reader), reads=10_000)).ledger.spent("judge", "reads")
    assert isinstance(one, int) and three == 3 * one > 0 and both == 2 * one
    short = moot.rejudge(whole, moot.Bounded(moot.Panel(reader, samples=3), reads=2 * one)).outcome
    assert isinstance(short, moot.Exhausted) and short.measure == "reads"


def test_a_seed_that_nobody_looks_at_is_not_computed() -> None:
    """So that exact search takes a judge in a panel for what it is: one that draws nothing."""
    request = request_for(Verdict, question=QUESTION)
    asked: list[str] = []

    def later(name: str) -> Any:
        asked.append(name)
        return {"seed": 5, "digest": "d"}.get(name)

    for name in ("seed", "digest"):
        del request.__dict__[name]
    request.later = later
    acted(moot.Panel(lambda r: Verdict.sure(0), samples=2), request)
    assert asked == []
    acted(moot.Panel(lambda r: Verdict.sure(r.seed % 2), samples=2), request)
    assert "seed" in asked


@pytest.mark.parametrize("bad", [0, -1, True, 1.0, 1001, "3"])
def test_samples_are_counted(bad: Any) -> None:
    with pytest.raises(moot.UsageError, match="samples is .*a whole number from 1 to 1,000"):
        moot.Panel(speak, samples=bad)


def test_a_sample_that_fails_is_no_vote() -> None:
    def sometimes(request: moot.Request) -> Verdict:
        if request.seed % 2:
            raise RuntimeError("down")
        return Verdict.sure(0)

    outcomes = {moot.rejudge(debate(), moot.Panel(sometimes, samples=8), seed=s).outcome.kind for s in range(4)}  # type: ignore[union-attr]
    assert outcomes == {"errored"}


def test_kinds_by_name() -> None:
    named = agent_from("samples:3:stated:openai:m@http://127.0.0.1:1/v1")
    assert isinstance(named, moot.Panel) and named.samples == 3 and isinstance(named.members[0], moot.ModelJudge)
    once = profile_of("openai:m@http://127.0.0.1:1/v1").calls
    assert profile_of("samples:3:openai:m@http://127.0.0.1:1/v1").calls == 3 * once
    assert profile_of("both-orders:openai:m@http://127.0.0.1:1/v1").calls == 2 * once
    assert isinstance(agent_from("both-seatings:both-orders:openai:m@http://127.0.0.1:1/v1").agent, moot.BothOrders)
    tables = {"agents": {"j": {"kind": "samples", "k": 2, "of": "m", "rule": "vote"},
                         "m": {"kind": "openai", "model": "m", "base_url": "http://127.0.0.1:1/v1"}}}  # fmt: skip
    assert agent_from("j", tables).rule == "vote"
    for bad in ("samples:", "samples:x:local", "samples:3", "samples:3:", "samples:²:local", "samples:0:local",
                "samples:-1:local"):  # fmt: skip
        with pytest.raises(moot.UsageError, match="samples"):
            agent_from(bad)


# -- both orders -------------------------------------------------------------------------------------------------------


def test_both_orders_cost_no_debater_call_and_are_averaged() -> None:
    """A model that always gives 0.9 to what stands first believes nothing."""
    mock = MockOpenAI(reply=lambda body: {"text": "The first.", "probabilities": {"1": 0.9, "2": 0.1}})
    with mock.serve() as url:
        lm = LM("mock", base_url=url)
        protocol = moot.Debate(rounds=1)
        seats = {"debater": speak, "judge": moot.BothOrders(moot.ModelJudge(lm))}
        live = moot.run(protocol, QUESTION, seats)
        assert mock.count == 2
        saved = moot.rejudge(debate(rounds=2), moot.BothOrders(moot.ModelJudge(lm)))
    assert mock.count == 4
    for play in (live, saved):
        assert believed(play) == (0.5, 0.5) and moot.replay(play).digest == play.digest
        (event,) = noted(play, "looked")
        assert [each["probabilities"] for each in event["verdicts"]] == [[0.9, 0.1], [0.1, 0.9]]
        assert event["difference"] == pytest.approx([0.8, -0.8]) and event["other"] == [1, 0]
    shown = [call.body["messages"][-1]["content"] for call in mock.calls]
    assert '<choice number="1">a storm' in shown[0] and '<choice number="1">the admiral' in shown[1]
    assert len({call.body["seed"] for call in mock.calls[:2]}) == 2
    text = saved.outcome.verdict.text  # type: ignore[union-attr]
    assert text == "[1] The first.\n\n[2, answers in the order 2, 1] The first."


orders = st.integers(2, 5).flatmap(lambda n: st.permutations(range(n)))


@given(orders, st.data())
def test_what_is_relabelled_and_back_is_as_it_was(order: list[int], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(0, 9), min_size=len(order), max_size=len(order)).filter(any))
    by, shares = Relabelling(order, {"a": "b", "b": "a"}), tuple(w / sum(weights) for w in weights)
    question = Question("q", tuple(f"c{i}" for i in range(len(order))))
    shown = by.question(question).choices
    verdict = by.move(Verdict(probabilities=shares))
    assert {shown[place]: p for place, p in enumerate(verdict.stated_probabilities())} == dict(
        zip(question.choices, shares, strict=True)
    )
    chosen = by.move(Answer(choice=order[0]))
    assert isinstance(chosen, Answer) and shown[chosen.choice] == question.choices[order[0]]
    for move in (
        Verdict(probabilities=shares),
        Answer(choice=0),
        Ask(text="?", to="a"),
        Ask(text="?"),
        Speech(text="1"),
    ):
        assert by.back().move(by.move(move)) == move
    brief = by.brief({"answer": 0, "against": len(order) - 1, "task": "verdict"})
    assert shown[brief["answer"]] == "c0" and by.back().brief(brief)["answer"] == 0


def test_an_order_of_three_and_earlier_verdicts_in_it() -> None:
    seen: list[Any] = []

    def judge(request: moot.Request) -> Verdict:
        found = [(e.seat, e.move.stated_probabilities()) for e in request.view if e.move.stated_probabilities()]
        seen.append((request.view.question.choices, found, request.view[-1].seat, request.view.at("0.0").seat,
                     [e.seat for e in request.view[:1]], len(request.view), len(request.view.opened())))  # fmt: skip
        return Verdict(probabilities=(0.6, 0.3, 0.1))

    log = log_of(("a", Speech(text="A")), ("judge", Verdict(probabilities=(0.2, 0.3, 0.5))))
    notes: list[dict[str, Any]] = []
    request = request_for(Verdict, question=THREE, log=log, notes=notes, seat="judge", role="judge", source="none")
    verdict = acted(moot.BothOrders(judge), request)
    assert verdict.probabilities == pytest.approx((0.35, 0.3, 0.35))
    assert seen[0][0] == ("x", "y", "z") and seen[1][0] == ("z", "y", "x")
    assert seen[0][1] == [("judge", (0.2, 0.3, 0.5))] and seen[1][1] == [("judge", (0.5, 0.3, 0.2))]
    assert seen[0][2:] == seen[1][2:] == ("judge", "a", ["a"], 2, 2)
    told: list[Any] = []
    defending = request_for(Verdict, question=THREE, source="none", answer=0, against=2)

    def told_sides(request: moot.Request) -> Verdict:
        told.append((request.brief["answer"], request.brief["against"]))
        return Verdict.sure(0, 3)

    acted(moot.BothOrders(told_sides), defending)
    assert told == [(0, 2), (2, 0)]
    digests: list[Any] = []

    def asks(request: moot.Request) -> Verdict:
        digests.append((request.digest, request.view.digest))
        return Verdict(probabilities=(1, 0, 0))

    acted(moot.BothOrders(asks), request)
    assert len({one for one, _ in digests}) == len({two for _, two in digests}) == 2  # another look is another request


def test_what_is_no_verdict_is_asked_once_and_as_it_is() -> None:
    asked: list[tuple[str, ...]] = []

    def judge(request: moot.Request) -> Any:
        asked.append(request.view.question.choices)
        return Ask(text="Why?") if Ask in request.kinds else Verdict.sure(0)

    protocol = moot.Debate(rounds=2, questions=True)
    play = moot.run(protocol, QUESTION, {"debater": speak, "judge": moot.BothOrders(judge)})
    assert asked == [QUESTION.choices, QUESTION.choices, QUESTION.choices[::-1]]
    assert moot.replay(play).digest == play.digest and believed(play) == (0.5, 0.5)


@pytest.mark.parametrize(
    "reply", [{"kind": "verdict", "probabilities": [1, 0, 0]}, {"kind": "speech", "text": "x"}, None]
)
def test_a_look_without_a_verdict_is_none(reply: Any) -> None:
    def judge(request: moot.Request) -> Any:
        return reply if request.view.question.choices[0] == "the admiral" else Verdict.sure(0)

    for agent in (moot.BothOrders(judge), moot.BothSeatings(lambda r: reply)):
        assert isinstance(moot.rejudge(debate(), agent).outcome, moot.Errored)


def test_a_price_that_stands_in_both_looks_stands() -> None:
    from moot.protocols.market.moves import Stands

    request = request_for(Verdict, Stands, question=QUESTION)
    assert isinstance(acted(moot.BothOrders(lambda r: Stands(text="same")), request), Stands)
    moved = lambda r: Stands() if r.view.question == QUESTION else Verdict(probabilities=(0.2, 0.8))  # noqa: E731
    assert acted(moot.BothOrders(moved), request).probabilities == (0.8, 0.2)


# -- both seatings -----------------------------------------------------------------------------------------------------


def test_names_are_exchanged_over_statements() -> None:
    def partial_to_a(request: moot.Request) -> Verdict:
        first = next(iter(request.view))
        return Verdict.sure(0 if first.seat == "a" else 1)

    play = moot.rejudge(debate(), moot.BothSeatings(partial_to_a))
    assert believed(play) == (0.5, 0.5) and noted(play, "looked")[0]["other"] == {"a": "b", "b": "a"}
    four = moot.rejudge(debate(), moot.BothSeatings(moot.BothOrders(partial_to_a)))
    assert believed(four) == (0.5, 0.5) and len(noted(four, "looked")) == 3
    mock = MockOpenAI()
    with mock.serve() as url:
        moot.rejudge(debate(), moot.BothSeatings(LM("mock", base_url=url)))
    one, two = (call.body["messages"][-1]["content"] for call in mock.calls)
    told = "{} defends answer 1: a storm. {} defends answer 2: the admiral."
    assert told.format("a", "b") in one and "a defends answer 2: the admiral. b defends answer 1: a storm." in two
    one, two = (each.partition("<turn>")[0] for each in (one, two))
    assert one != two and one == two.replace('by="a"', 'by="?"').replace('by="b"', 'by="a"').replace('by="?"', 'by="b"')


@pytest.mark.parametrize("seats", ["ab", (), ("a",), ("a", "a"), ("a", "b", "c"), ("a", 1), ("a", "")])
def test_two_names_are_exchanged(seats: Any) -> None:
    with pytest.raises(moot.UsageError, match="both seatings: seats is"):
        moot.BothSeatings(speak, seats)


def test_a_look_that_changes_nothing_is_told() -> None:
    protocol = moot.Consultancy(rounds=1)
    play = moot.run(protocol, QUESTION, everywhere(protocol, speak))

    def reader(request: moot.Request) -> Verdict:
        return Verdict(probabilities=(1, 0), text=str(len(list(request.view))))

    outcome = moot.rejudge(play, moot.BothSeatings(reader)).outcome
    assert (
        isinstance(outcome, moot.Errored) and "neither a nor b has said anything here, but consultant" in outcome.cause
    )


def test_a_view_with_other_labels_passes_on_what_it_may() -> None:
    question = Question("q", ("x", "y"), passage="abc", data=[5, 6])
    request = request_for(Verdict, question=question, log=log_of(("a", Answer(choice=0))), source="metered")
    by = Relabelling((1, 0), {"a": "b"})
    view = Relabelled(request.view.then(asking=by.question(request.view.question)), by)
    assert (view.source, view.has_cells, view.look(1), view.excerpt(1, 3)) == ("metered", True, 6, "bc")
    assert view.question.choices == ("y", "x") and view[0].move == Answer(choice=1) and view[0].seat == "b"
    more = view.then(view[0])  # who adds a statement has seen these labels
    assert [entry.move for entry in more] == [Answer(choice=1)] * 2
    other = view.then(asking=THREE)
    assert other.question == THREE and other[0].move == Answer(choice=0)


def test_who_defends_what_is_told_under_the_labelling_of_each_look() -> None:
    told: list[dict[str, str]] = []

    def judge(request: Request) -> Verdict:
        assert request.facts is not None
        answers = request.facts.answers(request.view)
        told.append({seat: request.view.question.choices[answer] for seat, answer in answers.items()})
        return Verdict.sure(0, len(request.view.question.choices))

    question = Question("Who sank the fleet?", choices=("a storm", "the admiral"))
    for protocol in (moot.Debate(rounds=1), moot.OpenDebate(rounds=1), moot.Debate(rounds=1, swap=True)):
        told.clear()
        seats = {"a": puppet, "b": puppet}
        moot.run(protocol, question, {**seats, "judge": judge}, seed=2)
        plain = told.pop()
        moot.run(protocol, question, {**seats, "judge": moot.BothOrders(judge)}, seed=2)
        assert told == [plain, plain]
        told.clear()
        moot.run(protocol, question, {**seats, "judge": moot.BothSeatings(judge)}, seed=2)
        assert told == [plain, {"a": plain["b"], "b": plain["a"]}]
        told.clear()
        moot.run(protocol, question, {**seats, "judge": moot.BothSeatings(moot.BothOrders(judge))}, seed=2)
        assert told == [plain, plain, *[{"a": plain["b"], "b": plain["a"]}] * 2]
