"""Doubly-efficient debate about step machines: every wrong value is caught, right ones stand, one step is done again."""

from __future__ import annotations

from itertools import product
from math import ceil, log2
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.rules import looker
from moot.protocols.games.doubly_efficient_steps import Accept, Fault, Value, Witness, address, step_of
from moot.protocols.games.step_machines import StepMachine, machine_named, redone, run_of
from moot.tasks.base import task_named
from moot.tasks.oracle.machines import Subset, Tally
from moot.tasks.oracle.steps import Lying, Redoer, Stepper

TALLY: Any = task_named("oracle-tally")
SUBSET: Any = task_named("oracle-subset")
some = settings(deadline=None, max_examples=25)


class Bound(Stepper):
    """An Alice with these values, and a witness of her own."""

    def __init__(self, task: Any, table: list[str], witness: tuple[str, ...] = ()) -> None:
        super().__init__(task)
        self.table, self.chosen = table, witness

    def act(self, request: moot.Request) -> moot.Move:
        if Witness in request.kinds:
            return Witness(values=self.chosen)
        return Value(answer=self.table[request.brief["details"]["step"]])


def debated(task: Any, sample: Any, alice: Any = None, bob: Any = None, copied: bool = True, **params: Any) -> Any:
    """A play with the task's programs in the seats for which nobody is given."""
    made, seats = task.staged(next(iter(task.plays)), sample, **params)
    first, second = made.sides(sample.question)
    seats[first] = (moot.Copies(alice) if copied else alice) if alice else seats[first]
    seats[second] = bob or seats[second]
    return moot.run(made, sample, seats)


def answer(transcript: Any) -> str:
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided), outcome
    return str(transcript.question.choices[outcome.verdict.choice])


def bits(text: str) -> int:
    return 8 * len(text)


def posed(task: Any, data: Any) -> Any:
    return task.pose(data, "answer()", Random(1))


@st.composite
def tallies(draw: st.DrawFn) -> Any:
    oracle = draw(st.lists(st.integers(0, 1), min_size=1, max_size=12))
    data = {
        "machine": "tally", "input": {"items": len(oracle), "least": draw(st.integers(0, 13))},
        "oracle": {f"item({item})": bit for item, bit in enumerate(oracle)},
    }  # fmt: skip
    return posed(TALLY, data)


@some
@given(tallies(), st.data())
def test_any_table_that_is_wrong_is_caught_and_the_right_one_stands(sample: Any, data: Any) -> None:
    """Whatever Alice's values are: with a last value that is wrong she loses, and with all of them right nothing refutes."""
    question = sample.question
    true = run_of(Tally(), looker(question.data["input"]), lambda query: bool(question.data["oracle"][query]))
    changed = data.draw(
        st.dictionaries(st.integers(0, len(true) - 1), st.sampled_from(["0", "1", "2", "7", "x", "01", "-1"]))
    )
    table = [changed.get(t, value) for t, value in enumerate(true)]
    transcript = debated(TALLY, sample, Bound(TALLY, table))
    if table == true:
        assert answer(transcript) == ("yes" if true[-1] == "1" else "no")
    else:
        assert answer(transcript) == "no", "Bob names the first value that does not follow"
    assert transcript.guarantee.holds and transcript.guarantee.budget == 1
    assert transcript.ledger.seats["judge"].queries <= 1
    assert moot.replay(transcript).digest == transcript.digest


@some
@given(tallies(), st.integers(0, 14))
def test_no_challenge_refutes_honest_alice(sample: Any, t: int) -> None:
    def bob(request: moot.Request) -> moot.Move:
        return Fault(address=address(t))

    transcript = debated(TALLY, sample, None, bob)
    steps = sample.question.data["input"]["items"] + 1
    if t < steps:
        assert answer(transcript) == "yes", "a challenge of a right value is lost, whatever the truth"
    else:
        assert answer(transcript) == TALLY.truth(sample.question.data, "answer()"), (
            "that is no step: the last one decides"
        )


@pytest.mark.parametrize("size", [1, 2, 9, 100, 1500])
def test_the_judge_reads_little_however_long_the_computation(size: int) -> None:
    """O(l log T) bits: the challenge, at most two values with their addresses, and four cells of the data."""
    seen: list[list[str]] = []

    def judge(request: moot.Request) -> moot.Verdict:
        assert request.view.question.data is None
        seen.append([entry.move.content() for entry in request.view])
        return Redoer().act(request)

    def bob(request: moot.Request) -> moot.Move:
        return Fault(address=address(size - 1))

    sample = TALLY.sample(size, 3)
    made, seats = TALLY.staged(next(iter(TALLY.plays)), sample)
    alice, other = made.sides(sample.question)
    transcript = moot.run(
        made, sample, {alice: seats[alice], other: bob, "judge": moot.Bounded(judge, queries=1, reads=TALLY.reads)}
    )
    assert transcript.guarantee.holds and transcript.ledger.seats["judge"].queries == 1
    (contents,) = seen
    length, digits = len(str(size)), ceil(log2(size + 1)) + 1
    read = sum(map(bits, contents))
    assert read <= 8 * 2 * (length + 3) + 3 * 8 * (6 + digits)
    assert len(contents) <= 3 and (transcript.ledger.seats["judge"].reads or 0) <= 8


def test_a_lie_at_the_end_is_caught_and_queries_are_counted() -> None:
    for seed in range(8):
        sample = TALLY.sample(20, seed)
        truth = sample.question.choices[sample.unseal()]
        made, seats = TALLY.staged(next(iter(TALLY.plays)), sample)
        alice, bob = made.sides(sample.question)
        for lies in (False, True):
            if lies:
                seats[alice] = Lying(TALLY)
            transcript = moot.run(made, sample, seats)
            assert answer(transcript) == truth
            spent = transcript.ledger.seats
            assert spent[alice].queries == spent[bob].queries == 20, "each does the computation once"


def test_bob_who_may_not_examine_accepts_and_what_he_names_is_done_again() -> None:
    data = {"machine": "tally", "input": {"items": 2, "least": 2}, "oracle": {"item(0)": 1, "item(1)": 0}}
    sample = posed(TALLY, data)
    assert answer(debated(TALLY, sample, Lying(TALLY), examined=0)) == "yes", "nobody looked"
    assert answer(debated(TALLY, sample, Lying(TALLY), lambda request: Fault(address="step(2)"), examined=0)) == "no"
    greedy = debated(TALLY, sample, bob=lambda request: moot.Examination(addresses=("step(0)", "step(1)")), examined=1)
    assert isinstance(greedy.outcome, moot.Forfeited) and "at most 1 addresses" in greedy.outcome.rule


def test_copies_answer_once_and_see_nothing_of_the_challenge() -> None:
    seen: dict[str, int] = {}
    honest = Stepper(TALLY)

    def alice(request: moot.Request) -> moot.Move:
        assert not len(request.view), "a copy is shown its address and the data"
        seen[request.view.question.text] = seen.get(request.view.question.text, 0) + 1
        return honest.act(request)

    sample = TALLY.sample(6, 1)
    debated(TALLY, sample, alice, copied=False)
    assert seen == {address(t): 1 for t in range(7)}


def test_values_longer_than_the_machine_has_are_no_values() -> None:
    data = {"machine": "tally", "input": {"items": 3, "least": 0}, "oracle": {f"item({t})": 1 for t in range(3)}}
    transcript = debated(TALLY, posed(TALLY, data), Bound(TALLY, ["1", "2", "3" * 900, "1"]))
    assert answer(transcript) == "no"
    assert {step.move["answer"] for step in transcript.steps() if step.move["kind"] == "value"} == {"1", "2", "?"}


# -- witnesses ---------------------------------------------------------------------------------------------------------


def subset(weights: list[int], approved: list[int], target: int) -> Any:
    oracle = {f"item({item})": bit for item, bit in enumerate(approved)}
    data = {
        "machine": "subset",
        "input": {"items": len(weights), "weights": weights, "target": target},
        "oracle": oracle,
    }
    return posed(SUBSET, data)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 1)), min_size=1, max_size=7), st.integers(0, 30))
def test_sums_are_found_where_there_are_some(items: list[tuple[int, int]], target: int) -> None:
    weights, approved = [list(each) for each in zip(*items, strict=True)]
    data = subset(weights, approved, target).question.data
    sums = {
        sum(w for w, one, bit in zip(weights, chosen, approved, strict=True) if one and bit)
        for chosen in product((0, 1), repeat=len(items))
    }
    assert SUBSET.holds(data) == (target in sums)
    values = run_of(Subset(), looker(data["input"]), lambda query: bool(data["oracle"][query]), SUBSET.witness(data))
    assert values[-1] == str(int(target in sums)) and max(map(len, values)) <= Subset().width(looker(data["input"]))


def test_soundness_over_all_witnesses_and_all_tables() -> None:
    """Two items and a target that nothing reaches: whatever witness and values Alice has, Bob wins. Where there is a
    witness, the honest Alice wins, and among all Alices none loses who is right throughout."""
    for weights, approved, target, likely in (([2, 2], [1, 0], 4, False), ([1, 2], [1, 1], 3, True)):
        sample = subset(weights, approved, target)
        look = looker(sample.question.data["input"])
        wins = 0
        for witness in (*product("01", repeat=2), ("?", "1")):
            right = run_of(Subset(), look, lambda query: bool(sample.question.data["oracle"][query]), witness)  # noqa: B023
            for first, second, last in product("012", "0123", "01"):
                table = [*witness, first, second, last]
                found = answer(debated(SUBSET, sample, Bound(SUBSET, table, witness)))
                assert found == ("yes" if table == right and last == "1" else "no")
                wins += found == "yes"
        assert (wins > 0) == likely == SUBSET.holds(sample.question.data)
        assert answer(debated(SUBSET, sample)) == ("yes" if likely else "no")


@some
@given(st.integers(1, 12), st.integers(0, 10**6))
def test_honest_programs_come_to_the_truth(size: int, seed: int) -> None:
    sample = SUBSET.sample(size, seed)
    for alice in (None, Lying(SUBSET)):
        transcript = debated(SUBSET, sample, alice)
        assert answer(transcript) == sample.question.choices[sample.unseal()] and transcript.guarantee.holds


def test_a_witness_is_written_first_and_shown_to_all_but_the_judge() -> None:
    shown: dict[str, set[str]] = {}
    sample = subset([1, 2, 4], [1, 1, 1], 5)
    made, seats = SUBSET.staged(next(iter(SUBSET.plays)), sample)

    def watched(seat: str) -> Any:
        def act(request: moot.Request) -> Any:
            shown.setdefault(seat + str(request.brief["task"]), set()).update(
                type(each.move).__name__ for each in request.view
            )
            if seat == bob:
                return Fault(address="step(4)")
            return seats[seat].act(request)

        return act

    alice, bob = made.sides(sample.question)
    transcript = moot.run(made, sample, {seat: watched(seat) for seat in (alice, bob, "judge")})
    assert answer(transcript) == "yes"
    assert shown[f"{alice}step"] == {"Witness"} == shown[f"{bob}examine"] and shown["judgeredo"] == {"Fault", "Value"}
    assert [step.move["kind"] for step in transcript.steps()][0] == "witness"


def test_a_witness_that_is_short_or_long() -> None:
    sample = subset([1, 2], [1, 1], 3)
    short = debated(SUBSET, sample, Bound(SUBSET, ["", "", "1", "1", "0"], ("1",)))
    assert answer(short) == "no"
    long = debated(SUBSET, sample, Bound(SUBSET, [], ("1", "1", "1"))).outcome
    assert isinstance(long, moot.Forfeited) and "2 values, not 3" in long.rule


# -- what is refused ---------------------------------------------------------------------------------------------------


def test_questions_that_do_not_fit() -> None:
    plain, witnessed = moot.DeterministicDoublyEfficientDebate(), moot.WitnessedDoublyEfficientDebate()
    tally, chosen = TALLY.sample(3, 1).question, SUBSET.sample(3, 1).question
    for protocol, question, says in (
        (plain, chosen, "a witness of 3 values; doubly-efficient-deterministic takes none"),
        (witnessed, tally, "a witness of 0 values; doubly-efficient-witness takes some"),
        (plain, moot.Question("?", ("yes", "no")), "name the machine"),
        (plain, moot.Question("?", ("yes", "no"), data={"machine": "x"}), "no machine is called 'x'"),
        (plain, moot.Question("?", ("yes", "no"), data={"machine": "tally"}), "its input is none of its machine's"),
        (plain, moot.Question("?", ("a", "b"), data=tally.data), "needs the choices yes and no"),
    ):
        with pytest.raises(moot.UsageError, match=says):
            protocol.roles(question)
    for task in (TALLY, SUBSET):
        with pytest.raises(moot.UsageError, match="no question of task"):
            task.truth(task.sample(2, 1).question.data, "what()")
    with pytest.raises(moot.UsageError, match="takes a witness of 0"):
        run_of(Tally(), looker({"items": 1, "least": 1}), lambda query: True, ("1",))
    with pytest.raises(moot.UsageError, match="examined"):
        moot.DeterministicDoublyEfficientDebate(examined=-1)


def test_a_users_machine() -> None:
    class Parity(StepMachine):
        name: ClassVar[str] = "test-steps-parity"

        def steps(self, look: Any) -> int:
            return int(look("n"))

        def width(self, look: Any) -> int:
            return 1

        def inputs(self, look: Any, t: int) -> tuple[int, ...]:
            return (t - 1,) if t else ()

        def query(self, look: Any, t: int, values: Any) -> str | None:
            return f"bit({t})"

        def value(self, look: Any, t: int, values: Any, bit: bool | None) -> str:
            return str((int(values[0]) if values else 0) ^ bool(bit))

    assert isinstance(machine_named("test-steps-parity"), Parity)
    look = looker({"n": 3})
    assert run_of(Parity(), look, lambda query: True) == ["1", "0", "1"]
    assert redone(Parity(), look, 1, ["x"], lambda query: True) is None


def test_addresses() -> None:
    assert step_of("step(0)", 1) == 0 and step_of(address(41), 42) == 41
    for text in ("step(1)", "step(-1)", "step(01)", "step", "step(9)", "step(0) ", "ｓtep(0)", "step(٠)"):
        assert step_of(text, 1) is None
    assert Accept().content() == "accepted"


def test_a_machine_that_fails_on_what_a_liar_writes() -> None:
    """It is the liar's fault: the step has no value, and the play goes on."""

    class Dividing(StepMachine):
        name = "dividing"

        def steps(self, look: Any) -> int:
            return 2

        def width(self, look: Any) -> int:
            return 4

        def inputs(self, look: Any, t: int) -> tuple[int, ...]:
            return (t - 1,) if t else ()

        def query(self, look: Any, t: int, values: Any) -> str | None:
            return f"item({4 // int(values[0])})" if t else None

        def value(self, look: Any, t: int, values: Any, bit: bool | None) -> str:
            return str(4 // int(values[0])) if t else "4"

    def alice(request: moot.Request) -> moot.Move:
        return Value(answer=["0", "1"][request.brief["details"]["step"]])

    seen: list[Any] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append(redone(Dividing(), lambda *at: None, 1, ["0"], lambda query: True))
        return moot.Verdict(probabilities=(0.0, 1.0))

    question = moot.Question("answer()", ("yes", "no"), data={}, size=1, unit="cells")
    protocol = moot.DeterministicDoublyEfficientDebate(machine="dividing", input={})
    seats = {"a": alice, "b": lambda request: Fault(address="step(1)"), "judge": moot.Bounded(judge, queries=0)}
    outcome = moot.run(protocol, question, seats).outcome
    assert isinstance(outcome, moot.Decided) and outcome.payoffs["b"] > 0 and seen == [None]
