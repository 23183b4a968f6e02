"""The relatives of debate: propaganda, critique, double consultancy, interactive debate, concession, both seatings."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from agent_kit import request_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.prompts import Templates
from moot.agents.prompts.render import render
from moot.protocols.debate.interactive import ExaminerQuestions
from moot.protocols.engine.moves import Answer, Ask, Concession, Speech, Verdict
from moot.testing.strategies import texts

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. Nine ships sank.")
SHORT = moot.Limit(chars=9)
few = settings(deadline=None, max_examples=40)
words = texts(1, 20).filter(str.strip)
chance = st.integers(0, 100).map(lambda n: n / 100)


class Seat:
    """Answers with what it is told to, in order, and keeps what it was asked."""

    def __init__(self, *replies: Any) -> None:
        self.replies, self.asked = list(replies), list[moot.Request]()

    def act(self, request: moot.Request) -> Any:
        self.asked.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return reply(request) if callable(reply) else reply

    @property
    def saw(self) -> list[list[tuple[str, str]]]:
        return [[(entry.seat, entry.move.content()) for entry in request.view] for request in self.asked]


def verdict(p: float) -> Verdict:
    return Verdict(probabilities=(p, 1 - p))


def say(text: str) -> Speech:
    return Speech(text=text)


def decided(protocol: moot.Protocol, **seats: Any) -> moot.Transcript:
    transcript = moot.run(protocol, QUESTION, seats)
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
    assert moot.replay(transcript).digest == transcript.digest
    return transcript


# -- propaganda and critique -------------------------------------------------------------------------------------------


def test_propaganda_is_consultancy_of_one_speech() -> None:
    for answer in (0, 1):
        seats = {"consultant": Seat(say("Nine ships.")), "judge": Seat(verdict(0.7))}
        one = decided(moot.Propaganda(answer=answer), **seats)
        other = decided(moot.Consultancy(answer=answer, rounds=1), **seats)
        first, second = one.outcome, other.outcome
        assert first == second and isinstance(first, moot.Decided) and first.payoffs == {}
        assert [step.move for step in one.steps()] == [step.move for step in other.steps()]
        assert {request.brief["answer"] for request in seats["consultant"].asked} == {answer}
        assert seats["judge"].saw == [[("consultant", "Nine ships.")]] * 2
        seats["consultant"].asked.clear()


def test_a_critique_is_read_with_what_it_criticises() -> None:
    consultant, critic, judge = Seat(say("A storm."), say("Still.")), Seat(say("Not said.")), Seat(verdict(0.9))
    transcript = decided(moot.Critique(reply=True), consultant=consultant, critic=critic, judge=judge)
    said = [("consultant", "A storm."), ("critic", "Not said."), ("consultant", "Still.")]
    assert critic.saw == [said[:1]] and consultant.saw == [[], said[:2]] and judge.saw == [said]
    assert critic.asked[0].brief["against"] == 0 and critic.asked[0].view.question.passage is not None
    assert judge.asked[0].view.question.passage is None
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided)
    half = (math.log(0.9) - math.log(0.1)) / 2
    assert outcome.payoffs == pytest.approx({"consultant": half, "critic": -half})
    tree = transcript.tree
    assert [tree.edges[edge]["relation"] for edge in tree.edges] == ["supports", "attacks", "supports"]
    assert transcript.ledger.tree.depth == 3  # one line of argument


@few
@given(st.lists(st.integers(1, 50), min_size=2, max_size=4), st.data())
def test_consultant_and_critic_are_paid_opposite_amounts(weights: list[int], data: st.DataObject) -> None:
    answer = data.draw(st.integers(0, len(weights) - 1))
    belief = Verdict(probabilities=tuple(weight / sum(weights) for weight in weights))
    paid = moot.Critique(answer=answer, scoring=moot.ScoringRule(rule="brier")).payoffs(belief, answer)
    assert paid["consultant"] == -paid["critic"]
    best = max(range(len(weights)), key=lambda place: weights[place])
    assert (paid["consultant"] >= 0) or answer != best


def test_a_consultant_may_choose_what_is_criticised() -> None:
    consultant = Seat(Answer(choice=1), say("The admiral."))
    critic = Seat(say("No."))
    decided(moot.Critique(answer=None), consultant=consultant, critic=critic, judge=Seat(verdict(0.5)))
    assert consultant.asked[1].brief["answer"] == 1 and critic.asked[0].brief["against"] == 1


@pytest.mark.parametrize("protocol", [moot.OpenDebate(rounds=1), moot.OpenConsultancy(rounds=1), moot.Critique(answer=None)], ids=lambda p: p.name)  # fmt: skip
def test_an_answer_that_there_is_not_can_be_chosen_by_nobody(protocol: moot.Protocol) -> None:
    chooser = next(iter(protocol.roles(QUESTION)))
    game = moot.Game(protocol, QUESTION).start()
    assert not game.answer("0", Answer(choice=2))
    assert game.request("0").problem == "answer 2 is none of the 2 choices"
    again = moot.Game(protocol, QUESTION).start()
    assert not again.answer("0", Answer(choice=2)) and again.answer("0", Answer(choice=1))
    assert again.outcome is None and all(request.brief.get("answer") in (0, 1) for request in again.requests().values())
    assert not game.answer("0", Answer(choice=7)) and isinstance(game.outcome, moot.Forfeited)
    assert game.outcome.seat == chooser


@pytest.mark.parametrize(
    "make",
    [
        lambda: moot.Propaganda(answer=2).roles(QUESTION),
        lambda: moot.Propaganda().roles(moot.Question("Open?")),
        lambda: moot.Critique(answer=2).roles(QUESTION),
        lambda: moot.Critique(answer=-1),
        lambda: moot.Critique().roles(moot.Question("Open?")),
        lambda: moot.DoubleConsultancy(rounds=-1),
        lambda: moot.DoubleConsultancy().roles(moot.Question("Open?")),
        lambda: moot.SideSwapped(protocol="consultancy"),
        lambda: moot.SideSwapped(protocol="side-swapped"),
        lambda: moot.SideSwapped(protocol="nothing"),
        lambda: moot.SideSwapped(params={"rounds": "many"}),
        lambda: moot.SideSwapped(params=3),
        lambda: moot.InteractiveDebate(questions=False).roles(QUESTION),
        lambda: moot.SideSwapped().roles(moot.Question("Which?", ("x", "y", "z"))),
        lambda: moot.Debate(concede=True).roles(moot.Question("Which?", ("x", "y", "z"))),
    ],
)
def test_what_does_not_fit_is_the_callers_fault(make: Any) -> None:
    with pytest.raises(moot.UsageError):
        make()


# -- double consultancy ------------------------------------------------------------------------------------------------


@few
@given(
    st.lists(words, min_size=2, max_size=2),
    st.lists(words, min_size=2, max_size=2),
    st.sampled_from(["together", "apart"]),
)
def test_consultants_are_blind_to_each_other(of_a: list[str], of_b: list[str], judged: Any) -> None:
    protocol = moot.DoubleConsultancy(judged=judged)
    a, b, judge = Seat(*map(say, of_a)), Seat(*map(say, of_b)), Seat(verdict(0.25))
    transcript = decided(protocol, a=a, b=b, judge=judge)
    heard_a, heard_b = [("a", text) for text in of_a], [("b", text) for text in of_b]
    assert a.saw == [[], heard_a[:1]] and b.saw == [[], heard_b[:1]]
    assert sorted(judge.saw) == ([heard_a + heard_b] if judged == "together" else sorted([heard_a, heard_b]))
    quiet = decided(protocol, a=Seat(say("hush")), b=Seat(*map(say, of_b)), judge=judge)
    mine = [[step.request for step in each.steps() if step.seat == "b"] for each in (transcript, quiet)]
    assert mine[0] == mine[1]  # nothing that b is shown depends on a


def test_the_belief_of_two_consultancies_judged_apart_is_the_mean() -> None:
    def judge(request: moot.Request) -> Verdict:
        return verdict(0.9 if request.view[0].seat == "a" else 0.4)

    seats = {"a": Seat(say("x")), "b": Seat(say("y")), "judge": judge}
    outcome = decided(moot.DoubleConsultancy(judged="apart", scoring=moot.ScoringRule(rule="brier")), **seats).outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == pytest.approx((0.65, 0.35))
    # brier: -(1 - .65)^2 - .35^2 = -.245 and -.845, each less their mean
    assert outcome.payoffs == pytest.approx({"a": 0.3, "b": -0.3})


# -- somebody who asks -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("examiner", [False, True])
def test_questions_come_before_every_round_but_the_first(examiner: bool) -> None:
    asks = Seat(Ask(text="Where?", to="a"), Ask(text=""))
    judge = Seat(verdict(0.5)) if examiner else Seat(Ask(text="Where?", to="a"), Ask(text=""), verdict(0.5))
    seats = {"a": Seat(say("x")), "b": Seat(say("y")), "judge": judge, **({"examiner": asks} if examiner else {})}
    protocol = moot.InteractiveDebate(rounds=3, examiner=examiner)
    transcript = decided(protocol, **seats)
    who = "examiner" if examiner else "judge"
    order = [step.seat for step in transcript.steps()]
    assert order == ["a", "b", who, "a", "b", who, "a", "b", "judge"]
    assert transcript.ledger.spent(who, "queries") == 1  # an empty text asks nothing
    made = {seat: order.count(seat) for seat in protocol.roles(QUESTION)}
    assert protocol.most_moves(QUESTION) == made
    asker = asks if examiner else judge
    assert asker.asked[0].view.question.passage is None and (who, "Where?") in seats["a"].saw[1]


def test_an_examiner_is_not_the_judge() -> None:
    protocol = moot.InteractiveDebate(examiner=True)
    assert protocol.roles(QUESTION)["examiner"] == "examiner"
    kinds = [type(part) for part, _ in protocol.parts()]
    assert kinds == [moot.Speeches, ExaminerQuestions, moot.Speeches]  # none after the last speeches
    bounded = {"examiner": moot.Bounded(Seat(Ask(text="Where?")), queries=0)}
    seats = {"a": Seat(say("x")), "b": Seat(say("y")), "judge": Seat(verdict(0.5)), **bounded}
    outcome = moot.run(protocol, QUESTION, seats).outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.seat, outcome.measure) == ("examiner", "queries")


# -- concession --------------------------------------------------------------------------------------------------------


@few
@given(
    st.integers(1, 4),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from(["simultaneous", "sequential"]),
    st.booleans(),
)
def test_a_concession_ends_the_debate_with_the_rivals_answer(
    rounds: int, a_at: int, b_at: int, order: Any, swap: bool
) -> None:
    a = Seat(*[say("x")] * a_at, Concession(text="you are right"))
    b = Seat(*[say("y")] * b_at, Concession())
    judge = Seat(verdict(0.75))
    transcript = decided(moot.Debate(rounds=rounds, order=order, concede=True, swap=swap), a=a, b=b, judge=judge)
    outcome, held = transcript.outcome, min(rounds, a_at + 1, b_at + 1)
    assert len(a.asked) == len(b.asked) == held
    assert isinstance(outcome, moot.Decided)
    gone = [seat for seat, at in (("a", a_at), ("b", b_at)) if at == held - 1]
    if len(gone) == 1:
        assert not judge.asked
        left = 1 - "ab".index(gone[0]) if not swap else "ab".index(gone[0])
        assert outcome.verdict.choice == left and outcome.verdict.probabilities[left] == 1
        other = "b" if gone == ["a"] else "a"
        assert outcome.payoffs[other] == -outcome.payoffs[gone[0]] > 4  # all that the log rule pays
    else:  # nobody conceded, or both did: the judge decides by what was said
        assert len(judge.asked) == 1 and outcome.verdict.probabilities == (0.75, 0.25)
        assert ("a", "you are right") in judge.saw[0] or not gone


def test_nobody_who_was_not_offered_it_can_concede() -> None:
    seats = {"a": Seat(Concession()), "b": Seat(say("y")), "judge": Seat(verdict(0.5))}
    outcome = moot.run(moot.Debate(), QUESTION, seats).outcome
    assert isinstance(outcome, moot.Forfeited) and outcome.seat == "a"


def test_concession_as_a_part_of_its_own() -> None:
    protocol = moot.Debate(rounds=1, repeat=(moot.Speeches(),), closing=(moot.SpeechesOrConcessions(),))
    a = Seat(say("x"), Concession())
    seats = {"a": a, "b": Seat(say("y")), "judge": Seat(verdict(0.5))}
    outcome = decided(protocol, **seats).outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == (0.0, 1.0)
    assert a.asked[1].brief["task"] == "speech-or-concession"
    with pytest.raises(moot.UsageError, match="two answers"):
        protocol.roles(moot.Question("Which?", ("x", "y", "z")))


def test_conceding_gains_nothing_by_exact_search() -> None:
    """Even against a judge that leans the other way, the best that both can do is to go on."""
    sums = moot.Question("What is it?", ("1", "2"), data=[1], size=1, unit="cells")
    both: Any = {"a": lambda request: [Concession(), say("x")], "b": lambda request: [Concession(), say("y")]}
    protocol = moot.Debate(rounds=1, order="sequential", concede=True)
    solution = moot.solve(protocol, sums, moves=both, seats={"judge": lambda request: verdict(0.8)})
    assert solution.value["a"] == pytest.approx((math.log(0.8) - math.log(0.2)) / 2)
    assert [type(entry.move) for entry in solution.line if entry.seat != "judge"] == [Speech, Speech]


# -- both seatings -----------------------------------------------------------------------------------------------------


exchanges = st.sampled_from(["answers", "places"])
CUES = ("listed", "spoke", "named")


@few
@given(
    chance, st.sampled_from(["debate", "double-consultancy", "interactive-debate"]), st.sampled_from(CUES), exchanges
)
def test_a_judge_of_places_believes_one_half(p: float, name: str, cue: str, exchange: Any) -> None:
    def judge(request: moot.Request) -> Any:
        if Verdict not in request.kinds:
            return Ask(text="")
        defends = {entry.seat: entry.move.content() for entry in request.view if isinstance(entry.move, Speech)}
        choices = request.view.question.choices
        liked = {"listed": choices[0], "spoke": next(iter(defends.values())), "named": defends["a"]}[cue]
        return verdict(p if liked == choices[0] else 1 - p)

    speaker = Seat(lambda request: say(request.view.question.choices[request.brief["answer"]]))
    seats = {"a": speaker, "b": speaker, "judge": judge}
    protocol = moot.SideSwapped(protocol=name, params={"rounds": 1}, exchange=exchange)
    outcome = decided(protocol, **seats).outcome
    assert isinstance(outcome, moot.Decided)
    if (cue, exchange) == ("named", "places"):  # a's answer has the same name beside it in both plays
        assert outcome.verdict.probabilities == pytest.approx((p, 1 - p))
        return
    assert outcome.verdict.probabilities == pytest.approx((0.5, 0.5))
    if exchange == "places":
        assert outcome.payoffs == pytest.approx({"a": 0, "b": 0}, abs=1e-9)


@few
@given(chance, exchanges)
def test_a_judge_of_arguments_is_left_as_it_is(p: float, exchange: Any) -> None:
    def judge(request: moot.Request) -> Verdict:
        storm = request.view.question.choices.index("a storm")
        return verdict(p if storm == 0 else 1 - p)

    seats = {"a": Seat(say("x")), "b": Seat(say("y")), "judge": judge}
    one = decided(moot.Debate(rounds=1), **seats).outcome
    both = decided(moot.SideSwapped.of(moot.Debate(rounds=1), exchange), **seats).outcome
    assert isinstance(one, moot.Decided) and isinstance(both, moot.Decided)
    assert both.verdict.probabilities == pytest.approx(one.verdict.probabilities)
    assert both.payoffs == pytest.approx(one.payoffs if exchange == "places" else {"a": 0, "b": 0}, abs=1e-9)


@few
@given(chance, chance, exchanges)
def test_the_belief_and_the_payoffs_are_means(p: float, q: float, exchange: Any) -> None:
    a, b = Seat(lambda request: say(request.view.question.choices[request.brief["answer"]])), Seat(say("y"))
    judge = Seat(lambda request: verdict(p if request.view.question.choices[0] == "a storm" else q))
    inner = moot.Debate(rounds=1, scoring=moot.ScoringRule(rule="brier"))
    transcript = decided(moot.SideSwapped.of(inner, exchange), a=a, b=b, judge=judge)
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided)
    assert outcome.verdict.probabilities == pytest.approx(((p + 1 - q) / 2, (1 - p + q) / 2))
    first, second = (inner.payoffs(verdict(belief), {"a": 0, "b": 1}) for belief in (p, q))
    at = {"a": "a", "b": "b"} if exchange == "answers" else {"a": "b", "b": "a"}
    assert outcome.payoffs == pytest.approx({seat: (first[seat] + second[at[seat]]) / 2 for seat in "ab"})
    argued = sorted(step.move["text"] for step in transcript.steps() if step.seat == "a")
    assert argued == (["a storm", "the admiral"] if exchange == "answers" else ["a storm", "a storm"])
    assert all(len(seen) == 2 for seen in judge.saw)  # no play sees the other


def test_both_seatings_are_estimated_and_named(tmp_path: Path) -> None:
    protocol = moot.SideSwapped(protocol="interactive-debate", params={"rounds": 2, "examiner": True})
    assert protocol.most_moves(QUESTION) == {"a": 4, "b": 4, "judge": 2, "examiner": 2}
    seats = {"a": Seat(say("x")), "b": Seat(say("y")), "judge": Seat(verdict(0.5)), "examiner": Seat(Ask(text="Why?"))}
    path = tmp_path / "both.jsonl"
    moot.run(protocol, QUESTION, seats, out=path)
    transcript = moot.load(path)
    given = moot.SideSwapped(params={"limit": SHORT, "rounds": 2})
    assert given.params == {"limit": SHORT.model_dump(mode="json")} and given == moot.SideSwapped.of(given.inner)
    assert transcript.protocol == protocol and not transcript.guarantee.holds
    assert moot.replay(transcript).digest == transcript.digest


def test_two_consultancies_read_both_ways_cost_the_judge_what_it_reads() -> None:
    seats = {"a": Seat(say("xxx")), "b": Seat(say("yyyyy"))}

    def judge(request: moot.Request) -> Verdict:
        return verdict(0.6) if [entry.move.content() for entry in request.view] else verdict(0.4)

    for judged in ("together", "apart"):
        protocol = moot.DoubleConsultancy(rounds=2, judged=judged)
        transcript = decided(protocol, **seats, judge=moot.Bounded(judge, reads="40*n"))
        assert transcript.ledger.spent("judge", "reads") == 16
        assert transcript.guarantee.holds
        assert transcript.guarantee.complexity_class == ("S2P" if judged == "together" else "NP")


# -- what a model is told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["v1", "v1-small"])
@pytest.mark.parametrize(
    ("task", "role", "told"),
    [
        ("critique", "critic", "wrong with"),
        ("ask", "examiner", "judge"),
        ("refine", "debater", "draft"),
        ("speech-or-concession", "debater", "concede"),
    ],
)
def test_the_new_tasks_have_words_of_their_own(version: str, task: str, role: str, told: str) -> None:
    brief: Any = {"task": task, "role": role, **({"against": 1} if role == "critic" else {"answer": 1})}
    prompt = render(request_for(Speech, question=QUESTION, **brief), Templates(version=version), "Reply.")
    text = f"{prompt.system}{prompt.messages()[1]['content']}"
    ET.fromstring(f"<r>{text}</r>")
    assert told in text
    stance = "You criticise the case for answer 2: the admiral." if role == "critic" else "You defend answer 2"
    assert role == "examiner" or stance in text
    assert "Details" not in text
