"""Market making about satisfiability: what an adversary can make the judge believe, over everything that it can say."""

from __future__ import annotations

from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.rules import looker
from moot.protocols.market.moves import Statement
from moot.tasks.logic.dimacs import parse_dimacs
from moot.tasks.logic.formulas import SATISFIABLE, UNSATISFIABLE, cells_of, satisfies
from moot.tasks.logic.satisfiability import Satisfiability

TASK = Satisfiability()


class Says:
    """An adversary that makes the same statement whenever it is asked."""

    def __init__(self, said: Statement) -> None:
        self.said = said

    def act(self, request: moot.Request) -> Statement:
        return self.said


def played(sample: moot.Sample, said: Statement | None = None) -> moot.Transcript:
    made, seats = TASK.staged("market-uncited", sample)
    return moot.run(made, sample, seats if said is None else {**seats, "adversary": Says(said)})


def answered(play: moot.Transcript, sample: moot.Sample) -> str:
    assert isinstance(play.outcome, moot.Decided)
    choice = play.outcome.verdict.choice
    assert choice is not None
    return sample.question.choices[choice]


@pytest.mark.parametrize("size", [3, 8, 20, 60])
def test_an_assignment_that_is_stated_decides_within_the_judges_bound(size: int) -> None:
    for seed in range(4):
        sample = TASK.sample(size, seed)
        play = played(sample)
        true = sample.question.choices[sample.unseal() or 0]
        # Of a formula that has no assignment the market's price stands, which no argument shows to be right.
        assert answered(play, sample) == true and play.guarantee.holds == (true == SATISFIABLE)
        assert play.guarantee.used is not None and play.guarantee.used <= 16 * size + 4
        assert moot.replay(play).digest == play.digest


@pytest.mark.parametrize(
    "text", ["p cnf 1 2\n1 0\n-1 0\n", "p cnf 2 4\n1 2 0\n1 -2 0\n-1 2 0\n-1 -2 0\n", "p cnf 2 1\n1 -2 0\n"]
)
def test_of_everything_that_can_be_said_only_an_assignment_that_is_one_makes_the_judge_say_satisfiable(
    text: str,
) -> None:
    sample = TASK.sample_of(parse_dimacs(text))
    data: Any = sample.question.data
    assignments = [" ".join(bits) for length in range(1, 4) for bits in product("01", repeat=length)]
    for said in [*assignments, "none", "10", "1 1 1 1", "2 0", "satisfiable", "1\u00a01", "١ ٠"]:
        words = said.split()
        for claim in (SATISFIABLE, UNSATISFIABLE, None):
            cut = words[: data["variables"]]  # longer statements are clipped
            fits = len(cut) == data["variables"] and set(cut) <= {"0", "1"}
            proved = fits and satisfies([word == "1" for word in cut], looker(data))
            found = answered(played(sample, Statement(text=said, answer=claim)), sample)
            assert not proved or found == SATISFIABLE, said
            # Where nothing is proved the market's price may stand, and this market is right; it proves nothing itself.
            assert proved or found in (UNSATISFIABLE, sample.question.choices[sample.unseal() or 0]), said


def test_every_small_formula_is_decided() -> None:
    literals = [(x,) for x in (1, -1)] + [(x, y) for x in (1, -1) for y in (2, -2)]
    answers, random = set(), Random("which choice comes first")
    for count in (2, 3, 4):
        for clauses in list(combinations(literals, count))[::3]:
            sample = TASK.pose(cells_of(clauses, 2), "sat()", random)
            found = answered(played(sample), sample)
            assert found == sample.question.choices[sample.unseal() or 0]
            answers.add((sample.unseal(), found))
    assert answers == set(product((0, 1), (SATISFIABLE, UNSATISFIABLE)))


@given(said=st.text("01 \n", max_size=60), seed=st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_no_statement_goes_beyond_the_bound_or_makes_an_unsatisfiable_formula_satisfiable(said: str, seed: int) -> None:
    sample = TASK.sample(4, seed)
    play = played(sample, Statement(text=said, answer=SATISFIABLE))
    used, budget = play.guarantee.used, play.guarantee.budget
    assert used is not None and budget is not None and used <= budget
    if sample.question.choices[sample.unseal() or 0] == UNSATISFIABLE:
        assert answered(play, sample) == UNSATISFIABLE
