"""Computations with an oracle, and the tasks made of them: exact probabilities, true Lipschitz constants, kept promises."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.cli import main
from moot.experiments.reproductions.doubly_efficient import chained
from moot.protocols.games.computations import Computation, computation, computation_named
from moot.tasks.base import task_named
from moot.tasks.oracle.computations import above, after, exact, walk_constant
from moot.tasks.oracle.noisy_oracle import Honest, Vera

PLAIN = "doubly-efficient"
ALL = ("oracle-chain", "oracle-walk", "oracle-sort")
some = settings(deadline=None, max_examples=30)


def run(question: moot.Question, alice: Any, bob: Any) -> Any:
    """A play with Alice in seat a."""
    return moot.run(moot.DoublyEfficientDebate(), question, {"a": alice, "b": bob, "judge": Vera()})


# -- computations ------------------------------------------------------------------------------------------------------


def test_questions_that_name_no_computation_are_refused() -> None:
    made = moot.DoublyEfficientDebate()
    for data, says in (
        (None, "name the computation"),
        ({"computation": "nothing"}, "no computation is called .nothing."),
        ({"computation": "chain", "input": {"n": 0}}, "at least 1"),
        ({"computation": "walk", "input": {"n": 4}}, "odd"),
        ({"computation": "chain", "input": 3}, "the input must be"),
    ):
        with pytest.raises(moot.UsageError, match=says):
            made.roles(moot.Question("Is it so?", ("yes", "no"), data=data))


def test_a_users_computation_is_played_and_replayed() -> None:
    @computation(worst=lambda x: x, name="test-parity")
    async def parity(ask: Any, x: Any) -> bool:
        return bool(sum([await ask(f"bit({each})") for each in range(x)]) % 2)

    table = {f"bit({each})": "1" if each != 1 else "0" for each in range(4)}
    data = {"computation": "test-parity", "input": 4, "oracle": table}
    question = moot.Question("odd?", ("yes", "no"), data=data, size=4, unit="cells")
    transcript = run(question, Honest(), Honest())
    assert transcript.outcome.verdict.choice == 0 and moot.replay(transcript).digest == transcript.digest
    assert parity.constant(4) == 4, "without a better one K is the number of queries"
    assert [step.move["of"] for step in transcript.steps() if step.move["kind"] == "probability"] == list(table)


def test_what_a_computation_may_not_do_is_said() -> None:
    @computation(worst=lambda x: 1, name="test-sleeps")
    async def sleeps(ask: Any, x: Any) -> bool:
        await asyncio.sleep(0)
        return True

    @computation(worst=lambda x: 1, name="test-asks-more")
    async def asks_more(ask: Any, x: Any) -> bool:
        return bool(await ask("once") and await ask("twice") and await ask("thrice"))

    @computation(worst=lambda x: 1, name="test-number")
    async def number(ask: Any, x: Any) -> bool:
        return 7  # type: ignore[return-value]

    for made, says in (
        (sleeps, "may await only"),
        (asks_more, r"more than its worst\(None\) = 1"),
        (number, "True or False"),
    ):
        data = {"computation": made.name, "input": None, "oracle": {"once": "1", "twice": "1"}}
        with pytest.raises(moot.UsageError, match=says):
            run(moot.Question("?", ("yes", "no"), data=data), Honest(), Honest())
    with pytest.raises(moot.UsageError, match="no async function"):
        computation(worst=lambda x: 1)(lambda ask, x: True)  # type: ignore[arg-type, return-value]
    with pytest.raises(moot.UsageError, match=r"worst\(None\) is 0"):
        Computation("none", sleeps.function, lambda x: 0).queries(None)


@some
@given(st.integers(0, 3).map(lambda half: 2 * half + 1), st.fractions(0, 1, max_denominator=30))
def test_exact_probabilities_of_walks(n: int, up: Fraction) -> None:
    assert exact(computation_named("walk"), {"n": n}, lambda query: up) == above(n, up)


def test_sorting_is_a_sort_where_comparisons_are_right() -> None:
    made = computation_named("sorting")
    for ranks in ((0, 1, 2, 3), (1, 0, 2, 3), (3, 2, 1, 0), (0, 3, 1, 2)):

        def right(query: str, ranks: tuple[int, ...] = ranks) -> Fraction:
            i, j = map(int, query[5:-1].split(","))
            return Fraction(ranks[i] < ranks[j])

        assert exact(made, {"n": 4}, right) == (ranks[0] == 0)


@some
@given(st.lists(st.integers(0, 20), min_size=4, max_size=4), st.lists(st.integers(0, 20), min_size=4, max_size=4))
def test_lipschitz_constants_are_true(one: list[int], other: list[int]) -> None:
    """Of moot's own computations, at drawn oracles: of walks, where the first is the same for every step."""
    for name, x in (("chain", {"n": 3}), ("walk", {"n": 3}), ("sorting", {"n": 3})):
        made = computation_named(name)
        tables: list[dict[str, Fraction]] = [{}, {}]
        for table, numbers in zip(tables, (one, other), strict=True):
            for query in ("bit({})", "up({})"):
                table.update({query.format(i): Fraction(number, 20) for i, number in enumerate(numbers)})
            table.update(
                {q: Fraction(n, 20) for q, n in zip(("less(1,0)", "less(2,0)", "less(2,1)"), numbers, strict=False)}
            )
        for step in range(3):
            tables[0][f"up({step})"] = Fraction(one[0], 20)
        apart = max(abs(tables[0][query] - tables[1][query]) for query in tables[0] if not query.endswith("(3)"))
        first, second = (exact(made, x, table.__getitem__) for table in tables)
        assert abs(first - second) <= Fraction(made.constant(x)) * apart + Fraction(1, 10**12)


def test_the_constant_of_a_walk_is_its_steepest_slope() -> None:
    for n in (1, 3, 5, 9, 31, 999):
        slope = float(above(n, Fraction(500001, 10**6)) - above(n, Fraction(499999, 10**6))) / 2e-6
        assert walk_constant(n) == pytest.approx(slope, rel=1e-5) and walk_constant(n) ** 2 <= n


# -- tasks -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_samples_keep_the_promise_and_are_played(name: str) -> None:
    task: Any = task_named(name)
    truths, right = [], 0
    for seed in range(16):
        sample = task.sample(5, seed)
        likely = task.probability(sample.question.data)
        assert likely >= Fraction(2, 3) or likely <= Fraction(1, 3)
        truths.append(sample.question.choices[sample.unseal() or 0])
        made, seats = task.staged(PLAIN, sample)
        transcript = moot.run(made, sample, seats, seed=seed)
        assert isinstance(transcript.outcome, moot.Decided) and transcript.guarantee.holds
        assert moot.replay(transcript).digest == transcript.digest
        right += transcript.outcome.verdict.choice == sample.unseal()
        rules = made.constants(sample.question)
        spent = transcript.ledger.seats
        alice, bob = made.sides(sample.question)
        assert spent[alice].queries <= rules.queries * rules.alice and spent[bob].queries <= rules.queries * rules.bob
        assert transcript.ledger.bounds["judge"]["queries"] >= rules.judge
    assert set(truths) == {"yes", "no"} and right >= 8


def test_what_breaks_the_promise_has_no_truth() -> None:
    task: Any = task_named("oracle-chain")
    for p, says in (("1/2", "2/3 and more"), ("3/2", "no probability"), ("x", "no probability")):
        with pytest.raises(moot.UsageError, match=says):
            task.truth(chained(p).data, "likely()")
    with pytest.raises(moot.UsageError, match="no question of task"):
        task.truth(chained("2/3").data, "certainly()")
    uneven = {"computation": "walk", "input": {"n": 3}, "oracle": {"up(0)": "1/2", "up(1)": "1", "up(2)": "1"}}
    with pytest.raises(moot.UsageError, match="one probability"):
        task_named("oracle-walk").truth(uneven, "likely()")


def test_seats_follow_the_order_of_the_choices() -> None:
    for first in (True, False):
        sample = task_named("oracle-chain").sample(3, 1, true_first=first)
        made, seats = task_named("oracle-chain").staged(PLAIN, sample)
        transcript = moot.run(made, sample, seats)
        alice = "ab"[sample.question.choices.index("yes")]
        assert {step.seat for step in transcript.steps() if step.move["kind"] == "probability"} == {alice}


def test_positions_of_a_computation() -> None:
    made = computation_named("walk")
    assert after(made, {"n": 3}, ()) == "up(0)" and after(made, {"n": 3}, (True, False)) == "up(2)"
    assert after(made, {"n": 3}, (True, True)) is True and after(made, {"n": 3}, (False, False)) is False
    assert (
        sum(after(made, {"n": 3}, bits) is True for bits in product((True, False), repeat=3) if bits[:2] != (True,) * 2)
        == 2
    )


@pytest.mark.parametrize(
    ("task", "protocol"),
    [(name, PLAIN) for name in ALL]
    + [("oracle-tally", "doubly-efficient-deterministic"), ("oracle-subset", "doubly-efficient-witness")],
)
def test_the_command_line_plays_them(task: str, protocol: str, tmp_path: Path) -> None:
    command = ["run", "--task", task, "--size", "4", "--protocol", protocol, "--out", str(tmp_path / "play.jsonl")]
    with pytest.raises(SystemExit) as ended:
        main(command)
    assert ended.value.code in (None, 0)
    transcript = moot.load(tmp_path / "play.jsonl")
    assert isinstance(transcript.outcome, moot.Decided) and transcript.guarantee.holds
    assert transcript.guarantee.measure == "judge queries"
    assert moot.replay(transcript).digest == transcript.digest
