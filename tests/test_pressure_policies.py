"""What selection makes of a policy, against every way that the draws can fall; and how far that is from the base."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from itertools import chain, combinations, permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.complexity.pressure.binomials import best_share
from moot.complexity.pressure.divergences import (
    any_of,
    binary_kl,
    greatest_ratio,
    kl,
    kl_inverse,
    quantilized_kl,
    selection_kl,
)  # fmt: skip
from moot.complexity.pressure.policies import (
    best_of,
    condition,
    policy,
    probability,
    quantilize,
    quantilized,
    quantilized_density,
    tilt,
)  # fmt: skip
from moot.protocols.engine.errors import UsageError

FEW = settings(deadline=None, max_examples=40)
Policy = dict[int, float]
Draws = tuple[int, ...]


@st.composite
def scored(draw: st.DrawFn, most: int = 5) -> tuple[Policy, dict[int, float]]:
    """A base of a few outcomes, some of them impossible, and scores with ties, some of them infinite."""
    weights = draw(st.lists(st.integers(0, 20), min_size=1, max_size=most).filter(any))
    values = st.sampled_from([-math.inf, 0.0, 1.0, 2.0, math.inf])
    scores = draw(st.lists(values, min_size=len(weights), max_size=len(weights)))
    return {i: weight / sum(weights) for i, weight in enumerate(weights)}, dict(enumerate(scores))


def laid(base: Policy, n: int) -> Iterator[tuple[Draws, float]]:
    """Every way that n draws can fall, and how probable it is."""
    for draws in product([each for each, share in base.items() if share], repeat=n):
        yield draws, math.prod(base[each] for each in draws)


def law(base: Policy, n: int, pick: Callable[[Draws], dict[int, float]]) -> Policy:
    """What a rule makes of n draws that picks the i-th of them with the probabilities that it gives."""
    found = dict.fromkeys(base, 0.0)
    for draws, share in laid(base, n):
        for index, chance in pick(draws).items():
            found[draws[index]] += share * chance
    return found


def same(one: Policy, other: Policy) -> bool:
    return all(math.isclose(one.get(i, 0), other.get(i, 0), rel_tol=1e-9, abs_tol=1e-15) for i in one | other)


def uniform(size: int) -> Policy:
    return dict.fromkeys(range(size), 1 / size)


@FEW
@given(scored(4), st.integers(1, 4))
def test_best_of_is_the_first_of_the_best_drawn(given_: tuple[Policy, dict[int, float]], n: int) -> None:
    base, score = given_

    def first_best(draws: Draws) -> dict[int, float]:
        return {max(range(n), key=lambda i: (score[draws[i]], -i)): 1.0}

    assert same(best_of(base, n, score.__getitem__), law(base, n, first_best))


@FEW
@given(scored(4), st.integers(1, 4), st.data())
def test_a_sampled_quantilizer_is_one_of_the_best_drawn(
    given_: tuple[Policy, dict[int, float]], n: int, data: st.DataObject
) -> None:
    base, score = given_
    k = data.draw(st.integers(1, n))

    def one_of_best(draws: Draws) -> dict[int, float]:
        return dict.fromkeys(sorted(range(n), key=lambda i: (-score[draws[i]], i))[:k], 1 / k)

    found = quantilized(base, n, k, score.__getitem__)
    assert same(found, law(base, n, one_of_best))
    assert greatest_ratio(found, base) <= n / k * (1 + 1e-9)
    assert kl(found, base) <= min(quantilized_kl(n, k), math.log(n / k), selection_kl(n)) + 1e-9
    for chosen in subsets(base):
        inside = best_share(probability(base, chosen.__contains__), n, k)
        assert probability(found, chosen.__contains__) <= inside + 1e-12


@FEW
@given(scored(), st.floats(1e-3, 1))
def test_a_quantilizer_is_the_best_policy_within_its_ratio(given_: tuple[Policy, dict[int, float]], q: float) -> None:
    """The policies within a ratio are a polytope, and each of its corners fills outcomes up in some order."""
    base, score = given_
    worth = {i: math.atan(value) for i, value in score.items()}
    found = quantilize(base, q, score.__getitem__)
    assert math.isclose(math.fsum(found.values()), 1) and greatest_ratio(found, base) <= (1 + 1e-12) / q
    best = -math.inf
    for order in permutations(base):
        left, total = 1.0, 0.0
        for outcome in order:
            total += worth[outcome] * (taken := min(left, base[outcome] / q))
            left -= taken
        best = max(best, total)
    assert math.isclose(sum(worth[i] * share for i, share in found.items()), best, abs_tol=1e-9)
    for members in ({i for i in found if score[i] == value} for value in score.values()):
        assert len({round(found[i] / base[i], 9) for i in members}) <= 1


def subsets(base: Policy) -> Iterator[set[int]]:
    return map(set, chain.from_iterable(combinations(base, size) for size in range(len(base) + 1)))


@FEW
@given(scored(3), st.integers(1, 3), st.data())
def test_no_rule_that_picks_a_draw_goes_further_than_the_best_of_n(
    given_: tuple[Policy, dict[int, float]], n: int, data: st.DataObject
) -> None:
    """Any rule, also one that throws coins and looks at all draws: as a table from the draws to weights."""
    base, _ = given_
    weights = st.lists(st.sampled_from([0, 0, 1, 5]), min_size=n, max_size=n).filter(any)
    table = {draws: data.draw(weights) for draws, _ in laid(base, n)}
    found = law(base, n, lambda draws: {i: each / sum(table[draws]) for i, each in enumerate(table[draws])})
    assert kl(found, base) <= selection_kl(n) + 1e-12
    assert kl(found, base) <= selection_kl(n, greatest_ratio(found, base) * (1 + 1e-12)) + 1e-12
    for chosen in subsets(base):
        assert probability(found, chosen.__contains__) <= any_of(probability(base, chosen.__contains__), n) + 1e-12


def test_the_best_of_n_goes_as_far_as_any_rule() -> None:
    for n in (2, 16):
        found = best_of(uniform(20_000), n, float)
        assert selection_kl(n) * 0.999 < kl(found, uniform(20_000)) <= selection_kl(n)
        assert n * 0.999 < greatest_ratio(found, uniform(20_000)) <= n
        assert probability(found, lambda i: i >= 19_990) == pytest.approx(any_of(5e-4, n), rel=1e-9)


@FEW
@given(scored(), st.data())
def test_conditioning_has_the_ratio_of_its_event(given_: tuple[Policy, dict[int, float]], data: st.DataObject) -> None:
    base, _ = given_
    kept = data.draw(st.sets(st.sampled_from(sorted(base)))).__contains__
    if not (p := probability(base, kept)):
        with pytest.raises(UsageError, match="an event of probability 0"):
            condition(base, kept)
        return
    found = condition(base, kept)
    assert math.isclose(greatest_ratio(found, base), 1 / p) and math.isclose(
        kl(found, base), -math.log(p), abs_tol=1e-12
    )
    assert all(kept(outcome) for outcome in found)


@FEW
@given(scored(), st.floats(0, 4), st.data())
def test_a_tilt_attains_the_worst_within_a_divergence(
    given_: tuple[Policy, dict[int, float]], budget: float, data: st.DataObject
) -> None:
    base, _ = given_
    event = data.draw(st.sets(st.sampled_from(sorted(base)))).__contains__
    if (p := probability(base, event)) in (0, 1):
        assert kl_inverse(p, budget) == p
        return
    worst = kl_inverse(p, budget)
    found = tilt(base, event, worst)
    assert probability(found, event) == pytest.approx(worst) and math.isclose(math.fsum(found.values()), 1)
    assert kl(found, base) == pytest.approx(min(budget, -math.log(p)), rel=1e-6, abs=1e-9)


@FEW
@given(scored(), st.data())
def test_no_policy_does_more_to_an_event_than_its_divergence_allows(
    given_: tuple[Policy, dict[int, float]], data: st.DataObject
) -> None:
    base, _ = given_
    parts = data.draw(st.lists(st.integers(0, 9), min_size=len(base), max_size=len(base)))
    shares = [part if base[i] else 0 for i, part in enumerate(parts)]
    if not (total := sum(shares)):
        return
    other = {i: share / total for i, share in enumerate(shares)}
    for chosen in subsets(base):
        worst = kl_inverse(probability(base, chosen.__contains__), kl(other, base))
        assert probability(other, chosen.__contains__) <= worst * (1 + 1e-9) + 1e-12


def in_decimals(q: float, p: float) -> Decimal:
    """Binary KL to 60 digits."""
    with localcontext() as context:
        context.prec = 60
        pairs = ((Decimal(q), Decimal(p)), (1 - Decimal(q), 1 - Decimal(p)))
        return sum((a * (a / b).ln() for a, b in pairs if a), Decimal(0))


@FEW
@given(st.floats(1e-12, 1 - 1e-9), st.floats(-30, 1.5))
def test_the_inverse_is_never_below_the_truth(p: float, digits: float) -> None:
    """Also where the budget is far less than the rounding of logarithms: the worst is just above p."""
    budget = 10.0**digits
    worst = kl_inverse(p, budget)
    assert worst >= p and (worst == 1 or in_decimals(worst, p) >= Decimal(budget))
    if worst * (1 - 3e-12) > p:
        assert in_decimals(worst * (1 - 3e-12), p) < Decimal(budget)
    nearby = p + (1 - p) * min(1.0, 10.0 ** (digits / 2))
    assert binary_kl(nearby, p) == pytest.approx(float(in_decimals(nearby, p)), rel=1e-9)


def test_divergences_to_the_digits() -> None:
    allowed = [kl_inverse(1e-6, budget) for budget in (0.01, 0.1, 0.5, 1, 2, 5)]
    assert allowed == pytest.approx([0.00157196, 0.0119165, 0.0507114, 0.0951281, 0.178748, 0.410929], rel=5e-6)
    table = {
        1e-2: (0.0270, 0.0805, 0.222, 0.357, 0.581, 1.0, 1.614, 4.605),
        1e-4: (0.00376, 0.0226, 0.0862, 0.156, 0.282, 0.615, 3.912, 9.210),
        1e-6: (0.00157, 0.0119, 0.0507, 0.0951, 0.179, 0.411, 6.215, 13.816),
        1e-9: (7.9e-4, 0.00679, 0.0308, 0.0591, 0.114, 0.269, 9.668, 20.723),
    }
    for p, row in table.items():
        *worst, even, certain = row
        found = [kl_inverse(p, budget) for budget in (0.01, 0.1, 0.5, 1, 2, 5)]
        assert found == pytest.approx(worst, rel=7e-3)
        assert (binary_kl(0.5, p), binary_kl(1, p)) == pytest.approx((even, certain), abs=6e-4)
    assert [selection_kl(n) for n in (2, 4, 8, 16, 64, 256, 1000)] == pytest.approx(
        [0.193147, 0.636294, 1.204442, 1.835089, 3.174508, 4.549084, 5.908755], abs=6e-7
    )
    for size, known in ((2, (0.130812, 0.459356, 0.692963, 0.693147)), (10, (0.189318, 0.628825, 1.733063, 2.293451))):
        found = [kl(best_of(uniform(size), n, float), uniform(size)) for n in (2, 4, 16, 64)]
        assert found == pytest.approx(known, abs=6e-7)


def test_a_divergence_spent_step_by_step_against_the_last_policy() -> None:
    path = [1e-6]
    for _ in range(7):
        path.append(kl_inverse(path[-1], 0.1))
    assert path[1:] == pytest.approx([0.011916, 0.086613, 0.2359, 0.439727, 0.661985, 0.858549, 0.984288], abs=6e-7)
    assert binary_kl(path[-1], path[0]) == pytest.approx(13.5176, abs=6e-5)
    assert kl_inverse(1e-6, 0.7) == pytest.approx(0.0688014, abs=6e-8)


def test_the_ratio_certifies_what_the_divergence_does_not() -> None:
    anchor = -math.expm1(math.log(0.05) / 20_000)
    assert anchor == pytest.approx(1.498e-4, abs=6e-8)
    assert any_of(anchor, 16) == pytest.approx(0.0023937, abs=6e-8)
    assert kl_inverse(anchor, selection_kl(16)) == pytest.approx(0.27518, abs=6e-6)


def test_an_attacker_that_chooses_at_random_gains_nothing() -> None:
    """Both spend .1 nats on one of a hundred actions: one on the bad one, the other on any."""
    base, worst = uniform(100), kl_inverse(0.01, 0.1)
    assert worst == pytest.approx(0.0805145, abs=6e-8)
    reached = [tilt(base, lambda each, aim=aim: each == aim, worst)[0] for aim in base]  # type: ignore[misc]
    assert reached[0] == pytest.approx(worst) and math.fsum(reached) / 100 == pytest.approx(0.01, rel=1e-12)


def test_quantilizers_to_the_digits() -> None:
    base = dict(enumerate((0.4, 0.3, 0.2, 0.1)))
    found = quantilize(base, 0.25, float)
    assert list(map(found.get, base)) == pytest.approx([0, 0, 0.6, 0.4])
    assert kl(found, base) == pytest.approx(1.213685, abs=6e-7) and greatest_ratio(found, base) == pytest.approx(4)
    for n, k, ratio, known in ((8, 2, 4, 0.831867), (16, 4, 4, 0.987679), (100, 10, 10, None)):
        assert quantilized_density(n, k, 0) == ratio
        assert known is None or quantilized_kl(n, k) == pytest.approx(known, abs=6e-7)
    assert quantilized_kl(64, 1) == pytest.approx(selection_kl(64), abs=1e-9) and quantilized_kl(7, 7) == 0
    shares, again = uniform(64), []
    reached = shares
    for _ in range(4):
        reached = quantilize(reached, 0.25, float)
        again.append(greatest_ratio(reached, shares))
    assert again == pytest.approx([4, 16, 64, 64])
    assert again[:3] == pytest.approx([0.25**-level for level in (1, 2, 3)])


def test_what_a_sampled_quantilizer_costs_is_approached_by_many_atoms() -> None:
    for n, k in ((8, 2), (16, 4), (3000, 40)):
        found = quantilized(uniform(3000), n, k, float)
        assert math.fsum(found.values()) == pytest.approx(1, abs=1e-10)
        assert quantilized_kl(n, k) * 0.99 < kl(found, uniform(3000)) <= quantilized_kl(n, k) + 1e-9
    ratios = [quantilized_density(50, 7, (i + 0.5) / 5000) for i in range(5000)]  # by the midpoint rule
    assert quantilized_kl(50, 7) == pytest.approx(sum(r * math.log(r) for r in ratios if r) / 5000, abs=1e-6)


@pytest.mark.parametrize("rare", [1e-6, 1e-18, 1e-300])
def test_what_is_rare_keeps_its_ratio(rare: float) -> None:
    """In floats 1 - 1e-18 is 1: whoever computes with that finds that pressure makes nothing of a rare event."""
    top, bottom = {0: rare, 1: 1 - rare}, {0: 1 - rare, 1: rare}
    assert best_of(top, 16, lambda i: -i)[0] / rare == pytest.approx(16, rel=2e-5)
    assert quantilized(top, 10_000, 100, lambda i: -i)[0] / rare == pytest.approx(100, rel=1e-2)
    assert quantilize(top, 0.25, lambda i: -i)[0] / rare == pytest.approx(4)
    assert best_of({0: 0.5, 1: rare, 2: 0.5 - rare}, 3, lambda i: -i)[1] / rare == pytest.approx(0.75, rel=1e-5)
    assert best_of(bottom, 1, lambda i: -i)[1] / rare == pytest.approx(1)
    assert rare < 1e-100 or best_of(bottom, 3, lambda i: -i)[1] / rare**3 == pytest.approx(1)
    middle = quantilized({0: 0.01, 1: rare, 2: 0.99 - rare}, 10_000, 100, lambda i: -i)[1]
    assert middle / rare == pytest.approx(quantilized_density(10_000, 100, 0.01), rel=1e-3)
    assert any_of(rare, 16) / rare == pytest.approx(16, rel=2e-5)
    assert tilt(top, lambda i: i == 0, 0.5)[0] == pytest.approx(0.5)
    assert kl(tilt(top, lambda i: i == 0, 0.5), top) == pytest.approx(binary_kl(0.5, rare))


def test_many_draws_are_no_matter() -> None:
    base = uniform(40)
    for n, k in ((10_000, 1), (10_000, 2_500), (10_000, 10_000), (1_000_000, 1_000)):
        found = quantilized(base, n, k, float)
        assert math.fsum(found.values()) == pytest.approx(1, abs=1e-9) and min(found.values()) >= 0
    assert same(quantilized(base, 10_000, 1, float), best_of(base, 10_000, float))
    assert same(quantilized(base, 10_000, 10_000, float), base)
    assert any_of(1e-300, 10**400) == any_of(5e-324, 10**400) == 1 and any_of(0.0, 10**400) == 0
    # Many draws leave the quantilizer itself: the law of large numbers.
    assert kl(quantilized(base, 1_000_000, 250_000, float), base) == pytest.approx(
        kl(quantilize(base, 0.25, float), base), rel=1e-2
    )


def test_rounding_leaves_no_outcome_in() -> None:
    """Three tenths of ten tenths, which in floats sum to a little less or more."""
    base = dict.fromkeys(range(10), 0.1)
    for tenths in range(1, 11):
        found = quantilize(base, tenths / 10, float)
        assert sum(share > 0 for share in found.values()) == tenths
        assert math.fsum(found.values()) == pytest.approx(1, abs=1e-11)
    everything = tilt({0: 1 / 3, 1: 1 / 3, 2: 1 / 3}, lambda i: True, 1)
    assert math.fsum(everything.values()) == pytest.approx(1)
    assert kl(base, dict(base)) == 0 and greatest_ratio(base, base) == 1


def test_what_the_base_rules_out() -> None:
    base = {"a": 0.5, "b": 0.5, "never": 0.0}
    asked: list[str] = []
    for found in (
        best_of(base, 3, lambda outcome: len(asked) or asked.append(outcome) or 0),  # type: ignore[func-returns-value]
        condition(base, lambda outcome: outcome != "a"),
        tilt(base, lambda outcome: outcome == "a", 0.9),
    ):
        assert "never" not in found
    assert kl({"never": 1.0}, base) == kl({"new": 1.0}, base) == math.inf
    assert greatest_ratio({"never": 1.0}, base) == math.inf
    assert (kl_inverse(0, 5), kl_inverse(0, math.inf), kl_inverse(1, 0)) == (0, 1, 1)
    assert (any_of(0, math.inf), any_of(1, 0), any_of(1, 3)) == (0, 0, 1) and any_of(0.25, 1) == pytest.approx(0.25)


@pytest.mark.parametrize(
    "bad",
    [
        lambda: policy({}), lambda: policy({"a": math.nan}), lambda: policy({"a": 0.7, "b": 0.7}), lambda: policy([("a", True)]),
        lambda: best_of({"a": 0.5}, 2, len), lambda: best_of({"a": 1.0}, 0, len), lambda: best_of({"a": 1.0}, 2, lambda _: math.nan),
        lambda: best_of({"a": 1.0}, 2, lambda _: None), lambda: best_of({}, 2, len),  # type: ignore[arg-type, return-value]
        lambda: quantilize({"a": 1.0}, 0, len), lambda: quantilize({"a": 1.0}, 1.5, len), lambda: quantilize({"a": 1.0}, math.nan, len),
        lambda: quantilized({"a": 1.0}, 2, 3, len), lambda: quantilized({"a": 1.0}, 2, 0, len), lambda: quantilized_density(2, 1, 1.5),
        lambda: quantilized_kl(2, 3), lambda: tilt({"a": 1.0}, lambda _: True, 0.5), lambda: tilt({"a": 1.0}, lambda _: False, 0.5),
        lambda: tilt({"a": 1.0}, lambda _: True, math.nan), lambda: condition({"a": 0.5}, lambda _: True),
        lambda: probability({"a": 0.5}, lambda _: True), lambda: kl({"a": 0.5}, {"a": 0.5}), lambda: greatest_ratio({}, {"a": 1.0}),
        lambda: binary_kl(1.5, 0.5), lambda: kl_inverse(1.5, 1), lambda: kl_inverse(0.5, -1), lambda: kl_inverse(0.5, math.nan),
        lambda: any_of(1.5, 2), lambda: any_of(0.5, -1), lambda: selection_kl(0), lambda: selection_kl(2, 0.5), lambda: selection_kl(2, math.nan),
    ],
)  # fmt: skip
def test_what_is_no_policy_or_no_number_is_refused(bad: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        bad()
