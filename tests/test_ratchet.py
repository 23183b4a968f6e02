"""The ratchet: whom it accepts, what it refuses, and how often it is wrong."""

from __future__ import annotations

import math
import threading
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.pressure.bounds import betting_lower, black_box_floor, clopper_pearson, enumerated
from moot.complexity.pressure.certificate import Certificate
from moot.complexity.pressure.divergences import any_of
from moot.complexity.pressure.kinds import Bound
from moot.experiments.oversight import relaxed as study
from moot.training.specification.ratchet import Ratchet, delta_of, digest_of, draws_needed


def ratchet(**more: Any) -> Ratchet:
    """Candidates are pairs of a capability and the inputs, whole numbers, on which they fail."""
    given = {"limit": 0.05, "least": 0.5, "capability": lambda one: one[0], "pressure": None,
             "fails": lambda one, inputs: [x in one[1] for x in inputs]}  # fmt: skip
    return Ratchet((0.0, ()), **{**given, **more})


GOOD: tuple[float, tuple[int, ...]] = (0.9, ())


def certificate(upper: float | None) -> Certificate:
    return Certificate(event=0.05, per="reply", delta=0.01, upper=upper, route="draws", routes={}, assumes=(),
                       refused=() if upper is not None else ("nothing bounds the asks",))  # fmt: skip


def test_who_is_accepted_takes_the_place_and_who_is_not_does_not() -> None:
    one = ratchet()
    assert one.current == (0.0, ()) and one.certified is None
    first = one.offer(GOOD, range(100), seed=1)
    assert first.accepted and first.why == () and first.look == 1 and one.current == GOOD
    assert first.certified == one.certified == clopper_pearson(0, 100, delta_of(0.05, 1)).upper
    failing = (0.9, tuple(range(100, 112)))
    second = one.offer(failing, range(100, 400), seed=2)
    assert not second.accepted and one.current == GOOD and "held-out draws" in second.why[0] and second.look == 2
    assert second.held_out == clopper_pearson(12, 300, delta_of(0.05, 2))
    idle = one.offer((0.1, ()), range(400, 800))
    assert not idle.accepted and idle.look is None and idle.held_out is None and "capability is 0.1" in idle.why[0]
    assert one.looks == 2 and one.decisions == [first, second, idle]
    assert one.offer((0.5, ()), range(400, 800)).accepted, (
        "whoever is not looked at spends no draws, and a floor is met by what is equal"
    )


def test_all_that_speaks_against_a_candidate_is_said() -> None:
    one = ratchet(limit=0.001)
    found = one.offer((0.1, ()), range(50))
    assert [each.split()[0] for each in found.why] == ["its", "sampling"] and found.look is None
    assert f"{found.needed:,} without a failure would do" in found.why[1] and one.looks == 0


def test_sampling_stalls_at_its_floor_and_not_before() -> None:
    one = ratchet(limit=3e-4)
    accepted = [one.offer(GOOD, range(number * 20_000, (number + 1) * 20_000)).accepted for number in range(6)]
    assert accepted == [True] * 3 + [False] * 3 and one.looks == 3
    assert study.stalls(3e-4, 20_000, 0.05) == 4
    last = one.decisions[-1]
    assert last.floor == black_box_floor(20_000, delta_of(0.05, 4)) > 3e-4 and "sampling stalls" in last.why[0]
    assert one.offer(GOOD, range(10**6, 10**6 + last.needed)).accepted, "so many draws do"
    for look, floor in study.FLOORS:
        assert black_box_floor(20_000, delta_of(0.05, look)) == pytest.approx(floor, abs=6e-8)


@given(st.floats(1e-4, 0.9), st.floats(1e-6, 0.5))
def test_so_many_draws_are_needed_and_no_fewer(limit: float, share: float) -> None:
    needed = draws_needed(limit, share)
    assert black_box_floor(needed, share) <= limit
    assert needed == 1 or black_box_floor(needed - 1, share) > limit


@given(st.floats(0.001, 0.5))
def test_all_looks_together_spend_delta_and_no_more(delta: float) -> None:
    spent = math.fsum(delta_of(delta, look) for look in range(1, 2001))
    assert delta * (1 - 0.00031) < spent < delta


def test_draws_that_are_not_fresh_are_refused_and_nothing_is_lost() -> None:
    one = ratchet()
    one.offer(GOOD, range(100), seed="a")
    for inputs, seed in (
        (range(100), "b"),
        ([*range(100)], None),
        ([*range(99, -1, -1)], None),
        (range(100, 200), "a"),
    ):
        with pytest.raises(moot.UsageError, match="earlier look"):
            one.offer(GOOD, inputs, seed=seed)
    assert one.looks == 1 and len(one.decisions) == 1
    assert one.offer(GOOD, range(100, 250), seed="b").accepted
    rows = np.random.default_rng(0).random((50, 4)) < 0.5
    assert digest_of(rows) == digest_of(rows[::-1]) == digest_of([*rows]) != digest_of(~rows)
    assert digest_of(["ab", "c"]) != digest_of(["a", "bc"]) and digest_of([1]) != digest_of(["1"])
    strange: Any
    for strange in ([object()], [[object()]], np.array([[object(), 1]], dtype=object)):
        with pytest.raises(moot.UsageError, match="do not say what they are"):
            digest_of(strange)
    for strange, known in ((iter(range(9)), None), (range(9), [1])):
        with pytest.raises(moot.UsageError, match="give a list or an array"):
            one.offer(GOOD, strange, seed=known)


@settings(max_examples=25, deadline=None)
@example(["\0", "a\0"])
@given(st.lists(st.integers(-9, 9) | st.floats(-1, 1) | st.text(max_size=3), min_size=1))
def test_the_same_draws_in_another_dress_are_not_fresh(draws: list[Any]) -> None:
    one, other = digest_of(draws), digest_of([np.array(each)[()] for each in draws])
    assert one == other == digest_of(np.array(draws, dtype=object))
    pairs = np.arange(2 * len(draws)).reshape(-1, 2)
    assert digest_of(pairs) == digest_of(pairs.tolist()) == digest_of([*map(tuple, pairs)])


def test_what_moves_after_it_was_offered_is_not_what_was_accepted() -> None:
    """A candidate is kept as it was offered, whoever trains on: the one who made it, a callback, or whoever was handed it."""

    def greedy(candidate: Any, inputs: Any) -> list[bool]:
        candidate["bad"] = [7]
        return [x in candidate["was"] for x in inputs]

    one: Ratchet = Ratchet(
        {"was": [1], "bad": []}, limit=0.05, least=0.5, capability=lambda _: 0.9, pressure=None, fails=greedy
    )
    candidate: dict[str, Any] = {"was": [], "bad": []}
    assert one.offer(candidate, range(100)).accepted and candidate["bad"] == []
    candidate["was"].append(5)
    one.current["was"].append(6)
    assert one.current == {"was": [], "bad": []}
    with pytest.raises(moot.UsageError, match="cannot be copied"):
        one.offer({"was": (), "lock": threading.Lock()}, range(100, 200))
    assert one.looks == 1


def test_looks_within_looks_have_shares_of_their_own() -> None:
    def nests(candidate: Any) -> float:
        if candidate == "outer":
            one.offer("inner", range(1000, 1100))
        return 0.9

    one = ratchet(capability=nests, fails=lambda candidate, inputs: [False] * len(inputs))
    one.offer("outer", range(100))
    assert [each.look for each in one.decisions] == [1, 2]
    assert [each.delta for each in one.decisions] == [delta_of(0.05, 1), delta_of(0.05, 2)]


def test_what_was_looked_at_stays_so_when_a_callback_breaks() -> None:
    def breaks(one: Any, inputs: Any) -> Any:
        raise RuntimeError("the judge is down")

    one = ratchet(fails=breaks)
    with pytest.raises(RuntimeError):
        one.offer(GOOD, range(100), seed=1)
    assert one.looks == 1 and not one.decisions and one.current == (0.0, ())
    with pytest.raises(moot.UsageError, match="earlier look"):
        one.offer(GOOD, range(100), seed=2)


def test_what_is_unknown_counts_as_a_failure() -> None:
    one = ratchet(fails=lambda one, inputs: [None] * 3 + [False] * (len(inputs) - 3))
    found = one.offer(GOOD, range(300)).held_out
    assert found is not None and found.estimate == 0.01
    for verdicts in ([False] * 9, [False] * 9 + ["ok"], [False] * 9 + [2]):
        with pytest.raises(moot.UsageError, match="verdicts for 10 inputs"):
            ratchet(limit=0.5, fails=lambda one, inputs, said=verdicts: said).offer(GOOD, range(10))


@pytest.mark.parametrize(
    "bound", [betting_lower([0.0, 0.1], 0.05), Bound(kind="none", estimate=0.0), Bound(kind="valid bound", lower=0.0)]
)
def test_what_holds_nothing_from_above_certifies_nothing(bound: Bound) -> None:
    one = ratchet(pressure=lambda candidate, held: bound)
    with pytest.raises(moot.UsageError, match="holds nothing from above"):
        one.offer(GOOD, range(100))
    assert one.current == (0.0, ()) and one.certified is None and not one.decisions


def test_the_ledger_decides_beside_the_draws() -> None:
    def best_of_16(candidate: Any, held: Bound) -> float:
        return any_of(held.upper or 1.0, 16)

    pushed = ratchet(limit=0.04, pressure=best_of_16).offer(GOOD, range(100))
    assert not pushed.accepted and "as it is used" in pushed.why[0] and (pushed.certified or 0) > 0.04
    assert ratchet(limit=0.04, pressure=best_of_16).offer(GOOD, range(2000)).accepted
    for found, accepted in (
        (certificate(0.03), True), (certificate(0.05), False), (certificate(None), False), (0.04, True), (0.041, False),
        (clopper_pearson(0, 5000, 0.01), True), (enumerated({1: 0.9, 2: 0.1}, lambda x: x == 2), False),
    ):  # fmt: skip
        decision = ratchet(limit=0.04, pressure=lambda candidate, held, found=found: found).offer(GOOD, range(100))
        assert decision.accepted == accepted and (decision.why == ()) == accepted
    wrong: Any
    for wrong, why in (
        (certificate(math.nan), "the ledger certifies is nan"), (certificate(-1.0), r"lies in \[0, 1\]"),
        (certificate(1e-6).model_copy(update={"event": 1e-9}), "an event of probability 1e-09"),
        (certificate(0.03).model_copy(update={"event": math.nan}), "an event of probability nan"),
        (certificate(0.03).model_copy(update={"delta": 0.05}), "may fail with 0.05"), (clopper_pearson(0, 500, 0.2), "may fail with 0.2"),
    ):  # fmt: skip
        with pytest.raises(moot.UsageError, match=why):
            ratchet(pressure=lambda candidate, held, wrong=wrong: wrong).offer(GOOD, range(100))
    nothing = ratchet(pressure=lambda candidate, held: certificate(None)).offer(GOOD, range(100))
    assert nothing.certified is None and nothing.why == ("the ledger certifies nothing: nothing bounds the asks",)
    for wrong in (1.5, -0.1, math.nan, True, "0.1"):
        with pytest.raises(moot.UsageError, match="the ledger certifies is"):
            ratchet(pressure=lambda candidate, held, wrong=wrong: wrong).offer(GOOD, range(100))


def test_a_ledger_that_makes_little_of_much_does_not_undo_the_draws() -> None:
    one = ratchet(pressure=lambda candidate, held: 0.0)
    assert not one.offer((0.9, tuple(range(20))), range(100)).accepted


def test_a_ratchet_measures_capability_and_does_not_loosen() -> None:
    for wrong in ({"capability": None}, {"capability": 0.9}):
        with pytest.raises(moot.UsageError, match="a measure of capability"):
            ratchet(**wrong)
    for name, value in (
        ("limit", 0),
        ("limit", 1),
        ("limit", math.nan),
        ("delta", 0.0),
        ("delta", 1),
        ("least", math.nan),
        ("least", None),
    ):
        with pytest.raises(moot.UsageError, match=name):
            ratchet(**{name: value})
    for measured in (math.nan, None, math.inf, "good"):
        one = ratchet(capability=lambda one, measured=measured: measured)
        with pytest.raises(moot.UsageError, match="capability of a candidate"):
            one.offer(GOOD, range(100))
        assert one.looks == 0
    assert ratchet(capability=lambda one: np.float32(0.9)).offer(GOOD, range(100)).accepted
    one = ratchet()
    one.tighten(0.01)
    assert not one.offer(GOOD, range(100)).accepted and one.limit == 0.01
    with pytest.raises(moot.UsageError, match="never loosened"):
        one.tighten(0.02)
    with pytest.raises(moot.UsageError, match="whole number"):
        one.offer(GOOD, [])


# -- how often it is wrong ----------------------------------------------------------------------------------------------


def test_false_acceptance_to_the_digits() -> None:
    shares = [delta_of(0.05, look) for look in range(1, 51)]
    assert study.false_acceptance(0.002, 2000, 0.0019, shares) == pytest.approx(0.0182424, abs=6e-8)
    assert study.false_acceptance(0.002, 2000, 0.0019, shares[:1]) == pytest.approx(0.998**2000)
    assert study.false_acceptance(0.002, 2000, 0.0019, [0.05] * 50) == pytest.approx(0.60170, abs=6e-6)
    assert 1 - (1 - 0.0182424) ** 50 == pytest.approx(0.60170, abs=2e-5)


@settings(max_examples=25)
@given(st.floats(0.01, 0.6), st.integers(5, 60), st.integers(1, 4))
def test_false_acceptance_is_within_delta(p: float, draws: int, looks: int) -> None:
    shares = [delta_of(0.3, look) for look in range(1, looks + 1)]
    assert study.false_acceptance(p, draws, p * (1 - 1e-9), shares) <= 0.3


def test_a_ratchet_is_wrong_as_often_as_it_may_be() -> None:
    """Played many times, with candidates just above the limit: as enumerated, and within delta."""
    p, limit, draws, delta, runs = 0.1, 0.099, 60, 0.3, 300
    exact = study.false_acceptance(p, draws, limit, [delta_of(delta, look) for look in range(1, 6)])
    random, wrong = Random(5), 0
    for _ in range(runs):
        one = ratchet(limit=limit, delta=delta, fails=lambda one, inputs: [x < p for x in inputs])
        wrong += any(one.offer(GOOD, [random.random() for _ in range(draws)]).accepted for _ in range(5))
    low, high = (clopper_pearson(wrong, runs, 5e-5).lower, clopper_pearson(wrong, runs, 5e-5).upper)
    assert (low or 0) <= exact <= (high or 0) and 0.1 < exact <= delta and (low or 0) <= delta
