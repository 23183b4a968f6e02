"""Primality as a task, stability against brute force, and estimators that learn against their published bounds."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil, comb, isqrt, log
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rule_kit import keeps_the_rules

import moot
from moot.complexity.rules import evaluate, looker
from moot.experiments.reproductions.obfuscation import reproduce
from moot.protocols.trees.prover_estimator import ProverEstimator
from moot.protocols.trees.stability import Rests, shift, stability
from moot.tasks.arithmetic.primality import Primality, PrimalityByBases
from moot.tasks.arithmetic.primality_claims import drawn
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover
from moot.tasks.arithmetic.primes import is_prime, passes_to
from moot.tasks.base import task_named
from moot.training.online import LearningEstimator, OnlineGradient, advantage, called, indistinguishable

TASK, BASES = Primality(), PrimalityByBases()
FEW = settings(deadline=None, max_examples=40)


def sieve(most: int) -> set[int]:
    left = set(range(2, most + 1))
    for n in range(2, most + 1):
        left -= set(range(2 * n, most + 1, n))
    return left


PRIMES = sieve(2000)

# -- the tasks ---------------------------------------------------------------------------------------------------------


def test_the_intervals_of_221() -> None:
    parts = TASK.split("prime(221)", looker({}), 4)
    assert parts == ("free(2,4)", "free(5,7)", "free(8,10)", "free(11,14)")
    data = TASK.about_number(221)
    assert [TASK.truth(data, part) for part in parts] == ["yes", "yes", "yes", "no"]
    assert TASK.truth(data, "free(13,13)") == "no" and TASK.truth(data, "prime(221)") == "no"


@pytest.mark.parametrize("n", range(5, 400))
def test_primality_against_a_sieve(n: int) -> None:
    data = TASK.about_number(n)
    assert is_prime(n) == (n in PRIMES)
    assert (TASK.truth(data, f"prime({n})") == "yes") == (n in PRIMES) == (evaluate(TASK, data, f"prime({n})") == "yes")


@FEW
@given(n=st.integers(3, 999).map(lambda k: 2 * k + 1))
def test_a_prime_passes_to_every_base_and_a_product_to_few(n: int) -> None:
    passed = sum(passes_to(n, base) for base in range(1, n))
    assert passed == n - 1 if n in PRIMES else 4 * passed <= n - 1 or n == 9 and passed == 2


@pytest.mark.parametrize("size", [4, 6, 9, 12])
@pytest.mark.parametrize("task", [TASK, BASES], ids=lambda task: task.name)
def test_the_rule_agrees_with_the_truth(task: Any, size: int) -> None:
    for seed in range(3):
        assert keeps_the_rules(task, size, seed)
        sample = task.sample(size, seed)
        n = sample.question.data["n"]
        assert (sample.question.choices[sample.unseal()] == "yes") == is_prime(n)
    assert type(task_named(task.name)) is type(task)


def test_half_of_the_instances_are_prime() -> None:
    numbers = [drawn(12, Random(seed)) for seed in range(200)]
    assert all(2**11 <= n < 2**12 for n in numbers)
    assert 70 <= sum(map(is_prime, numbers)) <= 130
    assert all(is_prime(n) or sum(n % d == 0 for d in range(2, isqrt(n) + 1)) == 1 for n in numbers)


@pytest.mark.parametrize(("make", "says"), [
    (lambda: TASK.of(4), "takes numbers from 5"), (lambda: TASK.of(2**28), "2\\^28 - 1"), (lambda: TASK.sample(3), "at least 4"),
    (lambda: TASK.truth(TASK.about_number(221), "prime(223)"), "no question about 221"),
    (lambda: TASK.truth(TASK.about_number(221), "free(5,4)"), "not smaller"), (lambda: TASK.truth({}, "free(x)"), "write prime"),
    (lambda: BASES.truth(BASES.about_number(221), "passes(222)"), "no question about 221"),
    (lambda: BASES.about_number(2047, (2,)), "do not tell"), (lambda: Estimator(TASK, prior=1.0), "prior between 0 and 1"),
])  # fmt: skip
def test_what_is_no_question(make: Any, says: str) -> None:
    with pytest.raises(moot.UsageError, match=says):
        make()


def test_a_judge_takes_only_parts_that_cover_the_claim() -> None:
    look = looker(TASK.about_number(221))
    assert TASK.join("prime(221)", {"free(2,10)": "yes", "free(9,14)": "yes"}, look) == "yes"
    assert TASK.join("prime(221)", {"free(2,10)": "yes", "free(12,14)": "yes"}, look) is None
    assert TASK.join("prime(221)", {"free(2,10)": "yes", "is it so?": "yes"}, look) is None
    assert TASK.join("free(2,4)", {"free(2,4)": "no"}, look) == "no"


# -- stability ---------------------------------------------------------------------------------------------------------


def tables(most: int = 3) -> st.SearchStrategy[tuple[int, list[bool]]]:
    return st.integers(1, most).flatmap(
        lambda q: st.tuples(st.just(q), st.lists(st.booleans(), min_size=2**q, max_size=2**q))
    )


def by_table(q: int, table: list[bool], parts: Sequence[bool]) -> Rests:
    def right(state: tuple[bool, ...]) -> bool:
        return table[sum(1 << i for i, holds in enumerate(state) if holds)]

    return Rests("table", tuple(parts), (), lambda state, holds: (*state, holds), right)


def brute(claim: Rests, epsilon: float) -> float:
    """Every estimator that errs by 0 or epsilon after each history of coins, one after the other."""
    q = len(claim.parts)
    histories = [history for length in range(q) for history in product((False, True), repeat=length)]
    worst = 0.0
    for errs in product((False, True), repeat=len(histories)):
        chosen, wrong = dict(zip(histories, errs, strict=True)), 0.0
        for coins in product((False, True), repeat=q):
            chance = 1.0
            for i, coin in enumerate(coins):
                error = epsilon * chosen[coins[:i]]
                chance *= 1 - error if coin == claim.parts[i] else error
            wrong += chance * (not claim.value(coins))
        worst = max(worst, wrong)
    return worst


@FEW
@given(tables(), st.floats(0, 1), st.data())
def test_shift_against_every_estimator(drawn_: tuple[int, list[bool]], epsilon: float, data: st.DataObject) -> None:
    q, table = drawn_
    parts = data.draw(st.lists(st.booleans(), min_size=q, max_size=q))
    claim = by_table(q, table, parts)
    if not claim.value(parts):
        with pytest.raises(moot.UsageError, match="not right"):
            shift(claim, epsilon)
        return
    assert shift(claim, epsilon) == pytest.approx(brute(claim, epsilon), abs=1e-12)


@pytest.mark.parametrize("m", [2, 4, 8, 13])
def test_a_prime_by_intervals_is_not_stable_and_a_product_is(m: int) -> None:
    for epsilon in (0.01, 0.05, 0.3):
        prime, product_ = (
            stability(TASK.rests(TASK.about_number(n), f"prime({n})", 1, m), epsilon) for n in (211, 221)
        )
        assert prime.shifts == pytest.approx((1 - (1 - epsilon) ** m,)) and not prime.holds and prime.unstable == 1
        assert product_.shifts == pytest.approx((epsilon,)) and product_.holds and product_.gain == pytest.approx(1)
        assert prime.flipped == (prime.shifts[0] >= 0.5)


def test_a_prime_by_bases_is_stable() -> None:
    for n in (211, 221):
        measured = ProverEstimator(epsilon=0.1).stable(BASES.rests(BASES.about_number(n), f"prime({n})"))
        tail = sum(comb(9, k) * 0.1**k * 0.9 ** (9 - k) for k in range(5, 10))
        assert measured.holds and measured.shifts[0] <= tail + 1e-12


def test_a_share_of_the_claims_may_fail() -> None:
    claims = list(TASK.rests(TASK.about_number(221), "prime(221)", 2, 4))
    assert len(claims) == 5
    measured = ProverEstimator(epsilon=0.05, rho=0.6).stable(claims)
    assert measured.unstable == pytest.approx(3 / 5) and measured.holds
    assert not ProverEstimator(epsilon=0.05, rho=0.5).stable(claims).holds
    with pytest.raises(moot.UsageError, match="there are none"):
        stability([], 0.1)
    with pytest.raises(moot.UsageError, match="epsilon is 2"):
        stability(claims, 2)


# -- learning ----------------------------------------------------------------------------------------------------------


@FEW
@given(st.lists(st.floats(-1, 1), min_size=1, max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_the_regret_of_gradient_descent(gradients: list[float], start: float, other: float) -> None:
    """Against the best fixed point, and any, for losses fixed beforehand; and for an adversary who goes by the point."""
    learner, lost, fixed = OnlineGradient(start), 0.0, 0.0
    for gradient in gradients:
        lost, fixed = lost + gradient * learner.value, fixed + gradient * other
        learner.step(gradient)
    assert lost - fixed <= learner.regret + 1e-9 <= learner.most + 2e-9
    hunted = OnlineGradient(start)
    for _ in gradients:
        hunted.step(1.0 if hunted.value >= 0.5 else -1.0)
    assert hunted.regret <= hunted.most + 1e-9
    with pytest.raises(moot.UsageError, match="over the bound"):
        hunted.step(1.5)


def test_the_steps_of_gradient_descent() -> None:
    learner = OnlineGradient(5.0, low=1.0, high=9.0, bound=4.0)
    learner.step(0.5)
    assert learner.value == pytest.approx(5 - 8 / 4 * 0.5)
    learner.step(-1.0)
    assert learner.value == pytest.approx(4 + 8 / 4 / 2**0.5)
    assert learner.regret == pytest.approx(0.5 * 5 - 4 + 0.5 * 9) and learner.most == pytest.approx(
        1.5 * 4 * 8 * 2**0.5
    )
    with pytest.raises(moot.UsageError, match="an interval, a start in it"):
        OnlineGradient(5.0)


@FEW
@given(
    st.lists(st.tuples(st.floats(0.05, 1), st.floats(0, 1)), min_size=1, max_size=6), st.sampled_from((0.02, 0.1, 0.5))
)
def test_no_test_tells_learned_outcomes_from_those_of_nature(cases: list[tuple[float, float]], epsilon: float) -> None:
    whole = sum(weight for weight, _ in cases)
    weights: dict[Any, float] = {case: weight / whole for case, (weight, _) in enumerate(cases)}
    nature: dict[Any, float] = {case: q for case, (_, q) in enumerate(cases)}
    tests: list[Any] = [lambda case, outcome, p, at=at: float(outcome and case <= at) for at in weights]
    tests.append(lambda case, outcome, p: p if outcome else -p)
    learned = indistinguishable(weights, nature, tests, epsilon)
    assert learned.steps <= ceil(4 * log(2) / epsilon**2)
    assert all(abs(advantage(weights, nature, learned.probabilities, test)) <= epsilon for test in tests)
    with pytest.raises(moot.UsageError, match="sum to 1"):
        indistinguishable({0: 0.5}, {0: 1.0}, [], epsilon)


def test_an_estimator_learns_from_calls() -> None:
    """A prover that always says too low drives what it calls up, and pays for it as soon as it is wrong."""
    learner = LearningEstimator()

    def prover(request: moot.Request) -> moot.Move:
        kind = request.kinds[0]
        return moot.Call(sign=-1) if kind is moot.Call else Prover(TASK, lies=True, knows=False).act(request)

    seats = {"a": prover, "b": learner, "judge": ClaimJudge(TASK)}
    for seed in range(12):
        t = moot.run(ProverEstimator(width=2, source="metered"), TASK.sample(10, seed), seats, seed=seed)
        signs = called(t)
        assert len(signs) == 2 and all(sign == -1 for _, sign in signs)
        learner.learn(t)
    assert all(odds.value == 1.0 for odds in learner.odds.values() if odds.steps)
    assert sum(odds.steps for odds in learner.odds.values()) == 24


# -- the benchmark -----------------------------------------------------------------------------------------------------


def test_the_benchmark() -> None:
    report = reproduce(seed=3, cases=((221, 4), (10_403, 8)), primes=((223, 4),), plays=20, rounds_of_learning=40)
    assert report.holds and "recursive, n = 221, m = 4" in report.text()
    rows = {row.name: row for row in report.rows}
    assert rows["recursive, n = 10,403, m = 8: b wins, exactly"].measured == 0.125
    assert rows["n = 221, m = 4: the obfuscator's pay, recursive"].measured == 0.5
    with pytest.raises(moot.UsageError, match="223 is not as it was given"):
        reproduce(cases=((223, 4),))
    with pytest.raises(moot.UsageError, match="at least one"):
        reproduce(plays=0)
