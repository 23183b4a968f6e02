"""Multilevel splitting is unbiased, and what the study of tails says of bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

import moot
from moot.complexity.estimators.splitting import splitting
from moot.complexity.pressure.bounds import clopper_pearson
from moot.experiments.oversight import tails


class _Branch(Random):
    """Chance that is told how each choice falls; what is not told falls on the first, and is kept with how many there were."""

    def __init__(self, told: Sequence[int]) -> None:
        super().__init__(0)
        self.told, self.ways = told, list[int]()

    def randrange(self, start: int, stop: int | None = None, step: int = 1) -> int:
        place = len(self.ways)
        self.ways.append(start)
        return self.told[place] if place < len(self.told) else 0

    def choice(self, seq: Any) -> Any:
        return seq[self.randrange(len(seq))] if len(seq) > 1 else seq[0]


def mean(run: Callable[[Random], float]) -> float:
    """The exact mean of a run over all ways in which chance may fall."""
    told, parts = list[int](), list[float]()
    while True:
        branch = _Branch(told)
        value = run(branch)
        parts.append(value / math.prod(branch.ways))
        path = [*told, *[0] * (len(branch.ways) - len(told))]
        while path and path[-1] == branch.ways[len(path) - 1] - 1:
            path.pop()
        if not path:
            return math.fsum(parts)
        told = [*path[:-1], path[-1] + 1]


def split(random: Random, bits: int, walkers: int, sweeps: int = 1, levels: Sequence[float] | None = None) -> float:
    def moved(x: int, random: Random) -> int:
        return x ^ (random.randrange(2) << random.randrange(bits))

    return splitting(lambda random: random.randrange(1 << bits), int.bit_count, moved, bits, walkers=walkers, sweeps=sweeps,
                     random=random, levels=levels)  # fmt: skip


def line(random: Random, walkers: int, levels: Sequence[float], top: int = 3) -> float:
    """From 0 to the top, each as probable, in steps of one: a kernel that mixes badly."""

    def moved(x: int, random: Random) -> int:
        return min(top, max(0, x + 2 * random.randrange(2) - 1))

    return splitting(lambda random: random.randrange(top + 1), float, moved, top, walkers=walkers, sweeps=1, random=random,
                     levels=levels)  # fmt: skip


@pytest.mark.parametrize("levels", [(), (1,), (0.5,), (-3,)])
def test_it_is_unbiased_over_all_ways_in_which_chance_may_fall(levels: tuple[float, ...]) -> None:
    """Two walkers on two bits, of which one is moved at a time, and two or three on a line."""
    assert mean(lambda random: split(random, 2, 2, 1, levels)) == pytest.approx(1 / 4, rel=1e-12)
    assert mean(lambda random: line(random, 2, (*levels, 2))) == pytest.approx(1 / 4, rel=1e-12)


def test_so_it_is_with_three_walkers() -> None:
    assert mean(lambda random: line(random, 3, (1, 2))) == pytest.approx(1 / 4, rel=1e-12)


@pytest.mark.parametrize(("bits", "times"), [(2, 1.0), (3, 25 / 24), (4, 575 / 512)])
def test_what_moves_the_copies_alone_and_reads_its_levels_off_itself_is_too_high(bits: int, times: float) -> None:
    """The usual short cut with two walkers on bits, of which one is flipped at a time: exactly."""

    def short(random: Random) -> float:
        found, estimate = [random.randrange(1 << bits) for _ in range(2)], 1.0
        while (level := min(x.bit_count() for x in found)) < bits:
            alive = [x for x in found if x.bit_count() > level]
            if not alive:
                return 0.0
            estimate *= len(alive) / 2
            there = alive[0] ^ (1 << random.randrange(bits))
            found = [alive[0], there if there.bit_count() > level else alive[0]]
        return estimate

    assert mean(short) * 2**bits == pytest.approx(times, rel=1e-12)


def test_who_reached_a_level_is_copied_as_probably_as_any_other() -> None:
    drawn = iter([1.0, *[2.0] * 9, *[0.0] * 10])
    found = splitting(
        lambda r: next(drawn), float, lambda x, r: x, 2.0, walkers=20, sweeps=1, random=Random(1), levels=(1.0,)
    )
    assert 0.35 < found <= 0.5, "the first alone would leave .225"


def test_a_pilot_of_its_own_leaves_it_unbiased() -> None:
    random, runs = Random("pilot"), 2000
    found = [split(random, 4, 4, 2) * 16 for _ in range(runs)]
    middle = math.fsum(found) / runs
    error = math.sqrt(math.fsum((each - middle) ** 2 for each in found)) / runs
    assert abs(middle - 1) < 4 * error < 0.25


def test_many_walkers_come_near() -> None:
    assert 0.2 < tails.split(200, 10, 1) < 3
    assert split(Random(0), 4, 50, 1, (2, 3)) == split(Random(0), 4, 50, 1, (2, 3))
    assert splitting(lambda r: 1.0, float, lambda x, r: x, 1.0, walkers=2, sweeps=1, random=Random(0)) == 1.0
    assert splitting(lambda r: 1.0, float, lambda x, r: x, 2.0, walkers=2, sweeps=1, random=Random(0)) == 0.0


@pytest.mark.parametrize(("more", "match"), [
    ({"walkers": 1}, "walkers"), ({"walkers": True}, "walkers"), ({"sweeps": 0}, "sweeps"), ({"target": math.nan}, "finite"),
    ({"target": math.inf}, "finite"), ({"levels": (2, 1)}, "increase"), ({"levels": (3,)}, "below the target"),
    ({"levels": (math.nan,)}, "no number"), ({"score": lambda x: math.nan}, "a score is nan"),
])  # fmt: skip
def test_bad_numbers_are_refused(more: dict[str, Any], match: str) -> None:
    given_ = {"score": int.bit_count, "target": 3, "walkers": 4, "sweeps": 1, "levels": None, **more}
    score, target = given_.pop("score"), given_.pop("target")
    with pytest.raises(moot.UsageError, match=match):
        splitting(lambda r: r.getrandbits(3), score, lambda x, r: x, target, random=Random(0), **given_)


# -- the study ----------------------------------------------------------------------------------------------------------


def test_the_world_of_the_study_is_as_it_is_said() -> None:
    assert all(map(tails.bad, tails.BAD)) and len(set(tails.BAD)) == 96
    for share in (0.1, 0.5):
        mass = math.fsum(share + (1 - share) * tails.density(x) for x in range(1 << 15)) / 2**15
        assert mass == pytest.approx(1)
    values = tails.weighted(4000, 0.1, Random(1))
    assert 0 < max(values) <= 10 and math.fsum(values) / 4000 == pytest.approx(64 / 2**20, rel=0.3)
    assert tails.normal([0.0, 1.0]).kind == "none" and tails.normal([0.0, 1.0]).upper is None


def test_the_tilt_is_drawn_as_its_density_says() -> None:
    random = Random(7)
    found = [tails.tilted(random) for _ in range(200)]
    for low, high, p in ((0, 14, tails.TILT), (14, 20, 0.5)):
        ones = sum(x >> bit & 1 for x in found for bit in range(low, high))
        bound = clopper_pearson(ones, 200 * (high - low), 1e-9)
        assert (bound.lower or 0) <= p <= (bound.upper or 1)


def test_the_report_on_tails_holds_and_cannot_but_by_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(tails, "repeated", lambda count, seed, real=tails.repeated: real(10, seed))
    monkeypatch.setattr(tails, "_splits", lambda runs, seed: [])
    monkeypatch.setattr(tails, "counted", lambda: 96)
    report = tails.reproduce(pictures=tmp_path)
    assert report.holds and (tmp_path / "tails.png").stat().st_size > 20_000
    assert any("does not show" in note for note in report.notes)
    monkeypatch.setattr(tails, "betting_lower", lambda values, delta: clopper_pearson(1, 2, 0.5))
    assert not all(row.holds for row in tails._lowers(40, 0))
    with pytest.raises(moot.UsageError, match="the tilt is 0"):
        tails.lowers(10, 1, 0, 0.0)


@pytest.mark.long
def test_what_is_counted_in_full() -> None:
    assert tails.counted() == 96 and tails.reproduce(full=True).holds
