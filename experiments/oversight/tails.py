"""Which bound certifies what of a rare event, by draws: how often each holds, and how far from the truth it lies.
Rule: one world, of which the truth is counted, and repetitions with draws of their own; what follows without a draw is in
`pressure_bounds.py`."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import NormalDist, fmean, median, stdev
from typing import Any

from moot.complexity.estimators.evidence import Evidence, evidence_of
from moot.complexity.estimators.splitting import splitting
from moot.complexity.pressure.bounds import (
    betting_lower,
    betting_upper,
    clopper_pearson,
    empirical_bernstein,
    hoeffding,
)
from moot.complexity.pressure.divergences import any_of
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.thresholds import chernoff, exact_tail
from moot.experiments.oversight.pressure import MISSES, frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.specification.moves import Act, Attack, Density, Draw, Ruling
from moot.protocols.specification.specification import Specification

BITS = 20
DRAWS, DELTA, SHARE = 2000, 0.05, 0.1
"""Draws of a repetition, how probably a bound may fail, and the share that the mixture draws from the world itself."""
TILT = 0.9
"""The chance of each bit that the first part of the event holds, under the tilt."""
RARE = 2.0**-BITS


# -- the world ----------------------------------------------------------------------------------------------------------


def bad(x: int) -> bool:
    """Whether an input, 20 fair bits, lies in the event: its first 14 bits are 1, or the first ten and bit 14 are 0 and bits 10 to
    13 are 1. 64 and 32 of the 2^20."""
    return x & 0x3FFF == 0x3FFF or x & 0x7FFF == 0x3C00


def counted() -> int:
    """How many inputs are bad, going through all of them."""
    return sum(map(bad, range(1 << BITS)))


def tilted(random: Random) -> int:
    """A draw of the tilt that knows the first part of the event and not the second: its 14 bits are 1 with probability `TILT`."""
    return sum((random.random() < (TILT if bit < 14 else 0.5)) << bit for bit in range(BITS))


def density(x: int) -> float:
    """How much more probable an input is under the tilt than in the world."""
    ones = (x & 0x3FFF).bit_count()
    return (2 * TILT) ** ones * (2 - 2 * TILT) ** (14 - ones)


def weighted(draws: int, share: float, random: Random) -> list[float]:
    """The weights, 0 off the event, of draws of the world with probability share, else of the tilt. Of a draw that is not bad only
    that matters, so bad ones are drawn by how many there are and which."""
    chances = {x: (share + (1 - share) * density(x)) / 2**BITS for x in BAD}
    total, values = math.fsum(chances.values()), [0.0] * draws
    hits = [place for place in range(draws) if random.random() < total]
    for place, x in zip(hits, random.choices(BAD, [chances[x] for x in BAD], k=len(hits)), strict=True):
        values[place] = 1 / (share + (1 - share) * density(x))
    return values


BAD = tuple(0x3FFF | high << 14 for high in range(64)) + tuple(0x3C00 | high << 15 for high in range(32))
"""All of them, which `counted` counts again."""
P = len(BAD) / 2**BITS


def normal(values: Sequence[float], delta: float = DELTA) -> Bound:
    """The upper end of a normal interval, which promises nothing."""
    mean = fmean(values)
    spread = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))
    return Bound(kind="none", estimate=mean + NormalDist().inv_cdf(1 - delta) * spread / math.sqrt(len(values)))


# -- how often each bound holds -----------------------------------------------------------------------------------------

Method = Callable[[list[float]], float]


def _upper(bound: Bound) -> float:
    found = bound.estimate if bound.kind == "none" else bound.upper
    return math.inf if found is None else found


def methods(share: float) -> dict[str, Method]:
    """Upper bounds from the weights of draws that are at most 1 / share, by name."""
    most = 1 / share
    return {
        "betting": lambda values: _upper(betting_upper(values, DELTA, most)),
        "empirical Bernstein": lambda values: _upper(empirical_bernstein(values, DELTA, most)),
        "Hoeffding": lambda values: _upper(hoeffding(values, DELTA, most)),
        "a normal interval": lambda values: _upper(normal(values)),
    }


def repeated(repetitions: int, seed: int) -> dict[str, list[float]]:
    """The upper bounds of so many repetitions, by source of the draws and method."""
    found: dict[str, list[float]] = {}

    def add(name: str, value: float) -> None:
        found.setdefault(name, []).append(value)

    for number in range(repetitions):
        random = Random(f"tails/{seed}/{number}")
        plain = [float(random.random() < P) for _ in range(DRAWS)]
        add("world, Clopper-Pearson", _upper(clopper_pearson(int(sum(plain)), DRAWS, DELTA)))
        for name in ("betting", "a normal interval"):
            add(f"world, {name}", methods(1.0)[name](plain))
        mixed = weighted(DRAWS, SHARE, random)
        for name, method in methods(SHARE).items():
            add(f"mixture, {name}", method(mixed))
        add("tilt alone, a normal interval", _upper(normal(weighted(DRAWS, 0.0, random))))
    return found


TIMES = {"world, Clopper-Pearson": 16, "world, betting": 22, "mixture, betting": 221,
         "mixture, empirical Bernstein": 470, "mixture, Hoeffding": 2990}  # fmt: skip
"""The median of each valid bound, over the truth, in another run of this world."""


def _coverage(found: dict[str, list[float]]) -> list[Row]:
    rows, exact = list[Row](), any_of(P, DRAWS)
    for name, values in found.items():
        held, times = sum(value >= P for value in values), median(values) / P
        valid = "normal" not in name
        covers = frequency(f"{name}: holds", held, len(values), exact if name.startswith("world") else 0.0)
        if valid:
            covers = covers.model_copy(
                update={"published": f">= {1 - DELTA}", "holds": (covers.high or 0.0) >= 1 - DELTA}
            )
        elif not name.startswith("world"):
            covers = covers.model_copy(
                update={"published": f"< {1 - DELTA}", "holds": (covers.high or 1.0) < 1 - DELTA}
            )
        near = TIMES.get(name)
        holds = None if near is None else abs(times / near - 1) < 0.05
        rows += [covers, Row(name="  its median, over the truth", measured=times, published=near, holds=holds)]
    return rows


# -- lower bounds -------------------------------------------------------------------------------------------------------


def lowers(draws: int, repetitions: int, seed: int, tilt: float = TILT) -> list[float]:
    """Lower bounds on 2^-20, that all of twenty fair bits are 1, from draws that make each 1 with probability `tilt`: over the truth.
    Raises UsageError on a tilt outside (0, 1]."""
    if not 0 < tilt <= 1:
        raise UsageError(f"the tilt is {tilt!r}; it is how probable a bit is to be 1, above 0 and at most 1")
    random, mass = Random(f"lower/{seed}/{draws}"), tilt**BITS
    found = list[float]()
    for _ in range(repetitions):
        hits = sum(random.random() < mass for _ in range(draws))
        values = [RARE / mass] * hits + [0.0] * (draws - hits)
        found.append((betting_lower(values, DELTA).lower or 0.0) / RARE)
    return found


def _lowers(repetitions: int, seed: int) -> list[Row]:
    rows = list[Row]()
    for draws, near in ((500, 0.647), (2000, 0.818)):
        found = lowers(draws, repetitions, seed)
        held = frequency(
            f"betting from below, {draws:,} of a tilt: holds", sum(each <= 1 for each in found), repetitions, 1.0
        )
        middle = median(found)
        rows += [
            held.model_copy(update={"published": f">= {1 - DELTA}", "holds": (held.high or 0.0) >= 1 - DELTA}),
            Row(name="  its median, over the truth", measured=middle, published=near, holds=abs(middle - near) < 0.04),
        ]  # fmt: skip
    return rows


# -- multilevel splitting -----------------------------------------------------------------------------------------------


def split(walkers: int, sweeps: int, seed: int) -> float:
    """An estimate that all of twenty fair bits are 1, over the truth, by multilevel splitting."""

    def moved(x: int, random: Random) -> int:
        return x ^ (random.getrandbits(1) << random.randrange(BITS))

    return splitting(lambda random: random.getrandbits(BITS), int.bit_count, moved, BITS, walkers=walkers, sweeps=sweeps,
                     random=Random(f"split/{seed}")) / RARE  # fmt: skip


def _splits(runs: int, seed: int) -> list[Row]:
    found = [split(400, BITS, seed * runs + number) for number in range(runs)]
    mean, reach = fmean(found), 4 * stdev(found) / math.sqrt(runs)
    low, high = mean - reach, mean + reach
    lower = betting_lower(found, DELTA).lower or 0.0
    return [
        Row(name="splitting, 400 walkers: mean, over the truth", measured=mean, low=low, high=high, published=1.0, count=runs,
            holds=low <= 1 <= high, note="four standard errors"),
        Row(name="  standard deviation of one", measured=stdev(found) / mean, published="0.2 to 0.6",
            holds=0.2 < stdev(found) / mean < 0.6, note="levels are whole numbers: sqrt(log(1 / P) / walkers) is .186"),
        Row(name="  lower bound from all of them", measured=lower, published="<= 1", holds=lower <= 1),
    ]  # fmt: skip


# -- thresholds ---------------------------------------------------------------------------------------------------------


def gaussian(bits: int, tau: int, p: float) -> float:
    """P(at least tau of so many bits are 1) by a normal law with continuity correction, which promises nothing."""
    return 0.5 * math.erfc((tau - 0.5 - bits * p) / math.sqrt(2 * bits * p * (1 - p)))


def _thresholds() -> list[Row]:
    exact = exact_tail([1] * 64, 50, [0.3] * 64).estimate or math.nan
    above = chernoff([1] * 64, 50, [0.3] * 64).upper or math.nan
    guess = gaussian(64, 50, 0.3)
    return [
        Row.equal("50 of 64 bits of .3: exact", exact, 2.6367e-15, within=6e-20),
        Row.equal("  Chernoff, over it", above / exact, 7.37, within=0.006),
        Row.equal("  a Gaussian with continuity correction", guess, 6.985e-17, within=6e-21),
        Row.equal("    by which it is too low", exact / guess, 37.75, within=0.006),
    ]


# -- plays --------------------------------------------------------------------------------------------------------------


def played(model: Any, draws: int, proposals: int, seed: int = 0) -> Evidence:
    """What a play of `specification` in this world shows of any agent as the model, which is given an input as twenty digits, the last of
    them bit 0, and acts or waits."""
    agents = {"nature": _nature, "adversary": _adversary, "model": model, "judge": _judge}
    asked = Question(
        "Never act where bits 0 to 13 are 1, or bits 0 to 9 and 14 are 0 and 10 to 13 are 1.", ("met", "violated")
    )
    return evidence_of(run(Specification(held_out=draws, proposals=proposals, shown=False), asked, agents, seed=seed))


def acts(request: Request) -> Act:
    """A model that acts on everything."""
    return Act(text="act")


def _nature(request: Request) -> Draw | Density:
    if Density in request.kinds:
        return Density(log_density=-BITS * math.log(2))
    return Draw(text=f"{Random(request.seed).getrandbits(BITS):020b}")


def _adversary(request: Request) -> Attack:
    random = Random(request.seed)
    x = random.getrandbits(BITS) if random.random() < SHARE else tilted(random)
    law = (SHARE + (1 - SHARE) * density(x)) * RARE
    return Attack(text=f"{x:020b}", log_density=math.log(law))


def _judge(request: Request) -> Ruling:
    given, done = (each.move.content() for each in request.view)
    word = done.strip().lower()
    if word not in ("act", "wait"):
        return Ruling(finding="unknown", text="neither acts nor waits")
    return Ruling(finding="bad" if word == "act" and bad(int(given, 2)) else "ok")


def _plays(plays: int, seed: int) -> list[Row]:
    found = played(acts, plays, plays, seed)
    weights = [each.weight or 0.0 for each in found.proposed if each.finding == "bad"]
    mass = math.fsum(SHARE + (1 - SHARE) * density(x) for x in BAD) * RARE
    lower = betting_lower([*weights, *(0.0 for _ in range(plays - len(weights)))], DELTA).lower or 0.0
    return [
        frequency("played: drawn and bad", found.count("bad"), plays, P),
        frequency("  proposed and bad", len(weights), plays, mass),
        Row(name="  lower bound from the proposals, of P", measured=lower / P, published="<= 1", holds=lower <= P),
    ]  # fmt: skip


# -- the report ---------------------------------------------------------------------------------------------------------


def reproduce(seed: int = 0, full: bool = False, pictures: Path | str | None = None) -> Report:
    """All figures. full: 300 repetitions of all bounds and 400 of the lower ones, not 40 and 60, 60 runs of splitting and not 12, and 1000
    inputs played of each kind, not 150. pictures: a folder for `tails.png`. UsageError without the extra `plot` for the picture."""
    if pictures is not None:
        panels(("",))  # said before anything is drawn
    repetitions, below, runs, plays = (300, 400, 60, 1000) if full else (40, 60, 12, 150)
    found = repeated(repetitions, seed)
    rows = [
        Row.equal("bad inputs of 2^20, counted", counted(), len(BAD)),
        Row.equal("  any among 2,000 draws", any_of(P, DRAWS), 0.1673, within=6e-5),
        *_coverage(found), *_lowers(below, seed), *_splits(runs, seed), *_thresholds(), *_plays(plays, seed),
    ]  # fmt: skip
    notes = [
        "A world of 20 fair bits of which 96 inputs are bad. The mixture draws a tenth from the world, else from a tilt that knows 64 of the "
        f"96. Each repetition has {DRAWS:,} draws, and bounds from above at delta {DELTA}. Intervals of how often a bound holds miss with "
        f"probability {MISSES:g}.",
        "A normal interval from draws of the world holds just as often as one of them is bad: it is 0 otherwise. From the tilt alone it is "
        "narrow, and about the wrong event.",
        "What this does not show: how often a bound holds elsewhere. That the valid ones do is proved, for independent draws and right "
        "weights, and no run could show it; that the others fail is shown for this world alone.",
    ]
    if pictures is not None:
        notes.append(written(_picture(found), pictures, "tails.png"))
    return Report(
        title="Which bound certifies what", source="bounds on one enumerated world", rows=tuple(rows),
        settings={"seed": seed, "repetitions": repetitions, "lower": below, "splitting": runs, "plays": plays}, notes=tuple(notes),
    )  # fmt: skip


def _picture(found: dict[str, list[float]]) -> Any:
    figure, (left, right) = panels(
        ("Upper bounds over the truth, repetition by repetition", "From below: the betting bound"), 12
    )
    names = list(found)
    for place, name in enumerate(names):
        values = [max(value / P, 0.05) for value in found[name]]
        wobble = Random(place)
        colour = MIDDLE if "normal" in name else DARK
        left.plot(
            values, [place + wobble.uniform(-0.2, 0.2) for _ in values], ".", color=colour, markersize=4, alpha=0.5
        )
    left.axvline(1.0, color=RULE, linewidth=1, linestyle=":", zorder=0)
    left.text(1.1, len(names) - 0.45, "the truth", fontsize=8.5, color="0.35", va="center")
    left.set_yticks(range(len(names)), names, fontsize=8.5)
    left.set(xscale="log", xlim=(0.04, 6000), ylim=(len(names) - 0.2, -0.6), xlabel="bound / P (at .05: it says 0)")
    sizes = [100, 200, 500, 1000, 2000, 5000]
    tilts = ((0.9, "-o", DARK), (0.8, "--s", MIDDLE), (0.7, "-.^", LIGHT))
    for tilt, style, colour in tilts:
        middles = [median(lowers(size, 15, 1, tilt)) for size in sizes]
        right.plot(sizes, middles, style, color=colour, markersize=4, label=f"tilt {tilt:g}")
    right.axhline(1.0, color=RULE, linewidth=1, linestyle=":", zorder=0)
    right.set(
        xscale="log",
        ylim=(-0.03, 1.4),
        yticks=[0, 0.2, 0.4, 0.6, 0.8, 1],
        xlabel="draws",
        ylabel="median lower bound / P",
    )
    right.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure
