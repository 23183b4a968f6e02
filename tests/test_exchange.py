"""Decomposition debate that a seat below settles: its operator, the induction, training towards it, and what is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.classes.exchange import (
    Instance,
    always,
    bounded,
    reads,
    step_holds,
    won,
)
from moot.experiments.reproductions.debate_and_r import FOR_EVER, IN_TWO, fixed, line, reproduce
from moot.protocols.amplification.moves import Open, Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.trees.decomposition_debate import Claim, Claimed, Decomposition
from moot.tasks.base import known_tasks, task_named
from moot.tasks.programs.decomposing import ChecksStep, Decomposes, Disputes, Known, decomposed
from moot.training.below import debate_of, train_below, winner
from moot.training.learners import Tabular

CIRCUIT, HALTING = task_named("circuit"), task_named("halting")
GATES = CIRCUIT.sample(3, 1).question
SMALL = Instance(CIRCUIT, GATES.data, GATES.text)
RUN = Instance(HALTING, HALTING.sample(1).question.data, "run")
FEW = settings(deadline=None, max_examples=20)


def models(instance: Instance) -> st.SearchStrategy[dict[str, str]]:
    """Any answers to the questions of an instance, "?" among them; to some none at all."""
    domain = (*instance.domain("run"), UNKNOWN)
    return st.dictionaries(st.sampled_from([*instance.graph]), st.sampled_from(domain))


# -- the operator ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [SMALL, RUN], ids=["circuit", "halting"])
def test_a_debate_below_any_model_is_won_by_what_the_rule_makes_of_its_answers(instance: Instance) -> None:
    """T(M)(q) = rule(M(parts)), by the programs; whatever M says, of q too."""

    @FEW
    @given(models(instance), st.sampled_from([*instance.graph]))
    def check(model: dict[str, str], text: str) -> None:
        found = winner(instance.task, instance.questions[text], model)
        computed = instance.computed(text, model)
        assert found == (computed if computed in instance.questions[text].choices else UNKNOWN)

    check()


def test_no_prover_wins_otherwise_against_every_opponent() -> None:
    """The same by search, over every model on a gate's inputs and every set of parts; the programs play as well as any."""
    tried = 0
    for text in SMALL.graph:
        for model in SMALL.models(text):
            found, computed = winner(CIRCUIT, SMALL.questions[text], model), SMALL.computed(text, model)
            assert won(SMALL, text, model) == [found] * (found != UNKNOWN) == [computed] * (computed != UNKNOWN)
            tried += 1
    assert tried > 20


@pytest.mark.parametrize("instance", [SMALL, RUN], ids=["circuit", "halting"])
def test_right_below_is_right_and_the_step_of_the_induction_needs_no_more(instance: Instance) -> None:
    assert all(step_holds(instance, text) for text in instance.graph)


class Believes(ChecksStep):
    """A mutant: a judge that lets every step stand."""

    def act(self, request: moot.Request) -> moot.Move:
        return moot.Verdict(probabilities=(1.0, 0.0)) if request.brief["task"] == "follows" else super().act(request)


class Resting(ChecksStep):
    """A mutant: a judge for which a claim may rest on itself."""

    def act(self, request: moot.Request) -> moot.Move:
        claimed, *given_ = (entry.move for entry in request.view)
        assert isinstance(claimed, Claimed)
        if request.brief["task"] == "read" or claimed in given_:
            return moot.Verdict(probabilities=(1.0, 0.0))
        return super().act(request)


MUTANTS: dict[str, Callable[[Instance, str], bool]] = {
    "below is wrong on one part": lambda each, text: step_holds(each, text, model=Instance.spoiled),
    "below knows nothing": lambda each, text: step_holds(each, text, model=lambda *_: {}),
    "every step stands": lambda each, text: step_holds(each, text, judge=Believes(each.task)),
    "a claim may rest on itself": lambda each, text: step_holds(each, text, judge=Resting(each.task)),
}


@pytest.mark.parametrize("mutant", MUTANTS)
@pytest.mark.parametrize("instance", [SMALL, RUN], ids=["circuit", "halting"])
def test_the_witness_fails_where_the_premise_the_judge_or_the_rule_is_broken(mutant: str, instance: Instance) -> None:
    assert not all(MUTANTS[mutant](instance, text) for text in instance.graph)


# -- the play ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["decomposition-debate", "decomposition-debate-pointers"])
def test_the_truth_wins_on_every_task_with_a_rule_and_the_judge_keeps_its_bound(protocol: str) -> None:
    tasks = [
        task for task in known_tasks().values() if type(task).__module__.startswith("moot.") and task.cast(protocol)
    ]
    played = 0
    for task, first in product(tasks, (True, False)):
        size = max(task.smallest, min(3, task.largest))
        if task.name in ("count-sat", "primality", "primality-by-bases"):
            continue  # slow truths, and programs of their own
        try:
            sample = task.sample(size, 1, true_first=first)
        except UsageError:
            continue
        made, seats = task.staged(protocol, sample)
        transcript = moot.run(made, sample, seats)
        assert isinstance(transcript.outcome, moot.Decided), (task.name, transcript.outcome)
        assert transcript.outcome.verdict.choice == sample.unseal() and transcript.outcome.payoffs["a"] == 1
        assert moot.replay(transcript).digest == transcript.digest
        played += 1
    assert played > 20


def test_what_the_judge_reads_has_no_part_in_how_long_the_machine_runs() -> None:
    assert reads(RUN) == reads(Instance(HALTING, HALTING.sample(2).question.data, "run")) == 15
    root = {
        n: moot.run(*_staged("decomposition-debate-pointers", "halting", n)).ledger.spent("judge", "reads") or 0
        for n in (1, 4)
    }
    assert root[4] - root[1] == 3  # the bits of the number


def _staged(protocol: str, task: str, size: int) -> tuple[Any, ...]:
    sample = task_named(task).sample(size)
    made, seats = task_named(task).staged(protocol, sample)
    return made, sample, seats


def _played(text: str, model: Mapping[str, str], number: int, **seats: Any) -> moot.Transcript:
    given = {
        "a": Decomposes(CIRCUIT, model), "b": always(number), "judge": bounded(CIRCUIT), "below": Known(model), **seats
    }  # fmt: skip
    return moot.run(debate_of(CIRCUIT), SMALL.questions[text], given)


def _asked(transcript: moot.Transcript) -> list[str]:
    return [step.seat for step in transcript.steps()]


def test_below_is_asked_about_the_part_in_dispute_and_nothing_else() -> None:
    transcript = _played(GATES.text, SMALL.true, 1)
    assert _asked(transcript) == ["a", "a", "b", "below", "judge"]
    reply = next(step for step in transcript.steps() if step.seat == "below")
    assert reply.move["of"] == SMALL.parts(GATES.text)[0] and transcript.outcome.payoffs["a"] == 1  # type: ignore[union-attr]
    assert _asked(_played(GATES.text, SMALL.true, 0)) == ["a", "a", "b", "judge"]


def test_a_part_that_is_the_claim_itself_is_read_by_the_judge() -> None:
    leaf = next(text for text in SMALL.graph if not SMALL.parts(text))
    lies = {text: SMALL.wrong(text) for text in SMALL.graph}
    for number in (0, 1):
        transcript = _played(leaf, lies, number)
        assert "below" not in _asked(transcript) and transcript.outcome.payoffs["a"] == 1  # type: ignore[union-attr]
    # What could be taken apart does not stand by itself: the judge is no further than its one step.
    itself = lambda request: (  # noqa: E731
        decomposed({GATES.text: SMALL.true[GATES.text]}) if Decomposition in request.kinds
        else moot.Answer(choice=SMALL.questions[GATES.text].choices.index(SMALL.true[GATES.text]))
    )  # fmt: skip
    transcript = _played(GATES.text, SMALL.true, 1, a=itself)
    assert "below" not in _asked(transcript) and transcript.outcome.payoffs["a"] == -1  # type: ignore[union-attr]


def test_the_seat_below_sees_the_question_of_the_part_and_nothing_that_was_said() -> None:
    seen: list[moot.Request] = []

    def below(request: moot.Request) -> Reply:
        seen.append(request)
        return Reply(answer="0")

    _played(GATES.text, SMALL.true, 1, below=below)
    (request,) = seen
    assert request.view.question.text == SMALL.parts(GATES.text)[0] and not request.view.question.choices
    assert not len(request.view)


def test_without_below_nothing_changes_and_nobody_sits_there() -> None:
    assert "below" not in moot.DecompositionDebate().roles(GATES)
    assert moot.DecompositionDebate(below=True).roles(GATES)["below"] == "below"
    assert moot.PointerDecompositionDebate().roles(GATES)["below"] == "below"
    with pytest.raises(UsageError, match="is no message"):
        moot.PointerDecompositionDebate().roles(moot.Question("run [", ("a", "b")))


@pytest.mark.parametrize(("move", "says"), [
    (Decomposition(claims=(Claim(question="run [a", answer="a"),)), "without their ']'"),
    (Decomposition(claims=(Claim(question="run &0123456789ab", answer="a"),)), "points to nothing"),
    (Decomposition(claims=(Claim(question="run", answer="&0123456789ab"),)), "points to nothing"),
])  # fmt: skip
def test_messages_that_are_none_are_refused(move: moot.Move, says: str) -> None:
    def prover(request: moot.Request) -> moot.Move:
        return move if Decomposition in request.kinds else moot.Answer(choice=0)

    seats = {"a": prover, "b": always(0), "judge": bounded(HALTING), "below": Known({})}
    outcome = moot.run(debate_of(HALTING), RUN.questions["run"], seats).outcome
    assert isinstance(outcome, moot.Forfeited) and outcome.seat == "a" and says in outcome.rule


def test_a_judge_opens_what_it_was_shown_alone_and_so_often_as_it_may() -> None:
    text = next(text for text in RUN.graph if RUN.parts(text) and text != "run")
    seats = {"a": Decomposes(HALTING, RUN.true), "b": always(0), "below": Known(RUN.true)}
    made_up = lambda request: Open(pointer="&0123456789ab")  # noqa: E731
    outcome = moot.run(debate_of(HALTING), RUN.questions[text], {**seats, "judge": made_up}).outcome
    assert isinstance(outcome, moot.Forfeited) and "was not shown to you" in outcome.rule
    for opens, paid in ((0, -1), (1, -1), (2, 1)):  # a step of the machine takes two
        made = moot.PointerDecompositionDebate(opens=opens)
        transcript = moot.run(made, RUN.questions[text], {**seats, "judge": bounded(HALTING)})
        assert transcript.outcome.payoffs["a"] == paid  # type: ignore[union-attr]
        assert sum(step.move["kind"] == "open" for step in transcript.steps()) == opens
        assert made.most_moves(RUN.questions[text])["judge"] == opens + 1  # type: ignore[index]


@pytest.mark.parametrize("instance", [SMALL, RUN], ids=["circuit", "halting"])
def test_a_lie_that_follows_from_a_false_part_is_disputed_there(instance: Instance) -> None:
    lied = [text for text in instance.graph if instance.spoiled(text) != instance.right_below(text)]
    assert lied
    for text in lied:
        right, task = instance.right_below(text), instance.task
        seats = {"a": Decomposes(task, instance.spoiled(text)), "b": Disputes(task, right), "below": Known(right)}
        transcript = moot.run(debate_of(task), instance.questions[text], {**seats, "judge": bounded(task)})
        assert transcript.outcome.payoffs["a"] == -1 and "below" in _asked(transcript)  # type: ignore[union-attr]


@pytest.mark.parametrize(("said", "says"), [("[a", "without their ']'"), ("&0123456789ab", "points to nothing")])
def test_an_answer_from_below_that_is_no_message_is_refused(said: str, says: str) -> None:
    seats = {"a": Decomposes(HALTING, RUN.true), "b": always(1), "judge": bounded(HALTING)}
    below = lambda request: Reply(answer=said)  # noqa: E731
    outcome = moot.run(debate_of(HALTING), RUN.questions["run"], {**seats, "below": below}).outcome
    assert isinstance(outcome, moot.Forfeited) and outcome.seat == "below" and says in outcome.rule


def test_what_is_no_answer_to_the_question_settles_nothing_for_the_prover() -> None:
    """Replies of any text: the claim stands exactly where it is what below said."""

    @FEW
    @given(st.text(min_size=1, max_size=20))
    def check(said: str) -> None:
        part = SMALL.parts(GATES.text)[0]
        transcript = _played(GATES.text, SMALL.true, 1, below=lambda request: Reply(answer=said))
        paid = transcript.outcome.payoffs["a"]  # type: ignore[union-attr]
        assert paid == (1 if said == SMALL.true[part] else -1)

    check()


# -- training ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instance", [SMALL, RUN], ids=["circuit", "halting"])
def test_training_comes_to_the_truth_from_anywhere_within_as_many_rounds_as_questions_stand_on_each_other(
    instance: Instance,
) -> None:
    depth = instance.graph.depth
    assert depth is not None

    @settings(deadline=None, max_examples=3)
    @given(models(instance))
    def check(start: dict[str, str]) -> None:
        learner = Tabular()
        learner.train([*start], [*start.values()])
        *_, last = train_below(instance.task, instance.questions, learner, depth + 2)
        assert last.answers == instance.true and not last.changed and last.number <= depth + 2

    check()


def test_smaller_questions_first_take_one_round_and_any_order_gets_there() -> None:
    first = {text: SMALL.questions[text] for text in SMALL.true}  # in the order in which the rule answers
    once = next(train_below(CIRCUIT, first, Tabular(), 1, batch=1))
    assert once.answers == SMALL.true and once.debates == len(first)
    from random import Random

    *_, last = train_below(CIRCUIT, first, Tabular(), len(first) + 1, batch=2, random=Random(3))
    assert last.answers == SMALL.true and not last.changed
    assert next(train_below(CIRCUIT, dict(reversed(first.items())), Tabular(), 1, batch=1)).answers != SMALL.true


def test_no_truth_takes_part(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object) -> str:
        raise AssertionError("the truth was asked for")

    monkeypatch.setattr(type(CIRCUIT), "truth", asked)
    *_, last = train_below(CIRCUIT, SMALL.questions, Tabular(), 20)
    assert last.answers == SMALL.true


def test_a_machine_that_never_halts_is_left_open() -> None:
    never, halts = (Instance(HALTING, data, "run") for data in (FOR_EVER, IN_TWO))
    assert not never.graph.well_founded and halts.graph.well_founded
    assert fixed(halts) == (1, 256) and fixed(never) == (4, 256)
    for answer in (*"abc", UNKNOWN):  # whatever it begins with stands, and nothing says which is right
        learner = Tabular()
        learner.train([*never.graph], [answer] * len(never.graph))
        only = list(train_below(HALTING, never.questions, learner, 5))
        assert len(only) == 1 and set(only[0].answers.values()) == {answer}


@pytest.mark.parametrize("wrong", [{"rounds": 0}, {"rounds": 1, "batch": 0}])
def test_numbers_that_make_no_training_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="1 or more"):
        next(train_below(CIRCUIT, SMALL.questions, Tabular(), **wrong))


# -- the table and the picture -----------------------------------------------------------------------------------------


def test_a_line_is_refused_exactly_where_it_is_longer_than_the_polynomial() -> None:
    lines = [line(k) for k in (2, 4, 5)]
    assert [each.holds for each in lines] == [each.line <= each.budget for each in lines] == [True, True, False]
    assert [each.depth for each in lines] == [2, 14, 30] and {each.below for each in lines} == {11}
    assert "would have spent" in lines[-1].because


def test_the_table_says_what_each_half_of_the_exchange_says(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "exchange.png"
    report = reproduce(depths=(2, 5), bits=(1,), time=2, picture=path)
    assert report.holds and path.read_bytes().startswith(b"\x89PNG")
    rows = {row.name: row for row in report.rows}
    assert "refused" in rows["a line of 30 claims, n = 5: reads"].note
    assert rows["truth wins, one deciding part wrong below"].measured == 0
    assert rows["fixed points of T, machine that never halts"].measured == 4
    assert rows["a run that never halts: share answered"].measured == 0
    with pytest.raises(UsageError, match="cannot be written"):
        reproduce(depths=(2,), bits=(1,), time=1, picture=tmp_path / "nowhere" / "x.png")


@pytest.mark.parametrize("wrong", [{"depths": ()}, {"bits": (0,)}, {"time": 0}])
def test_sizes_that_there_are_not_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="debate-and-r"):
        reproduce(**wrong)
