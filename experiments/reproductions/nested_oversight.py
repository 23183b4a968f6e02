"""How likely a chain of oversight is to hold, and how many steps are best: the theory of nested scalable oversight.
Rule: curves, chains and their figures; the protocol that plays a chain is in `protocols/debate`.

Engels, Baek, Kantamneni and Tegmark 2025, Scaling laws for scalable oversight (arXiv 2504.18530), and the figures of
the notebook that they published with it."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from moot.experiments.statistics.report import Report, Row
from moot.protocols.debate.nested_oversight import Strength, wins
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request

Curve = Callable[[float], float]
"""A player's domain Elo (how well it plays one oversight game) as a function of its general Elo."""

MOST_STEPS = 20


@dataclass(frozen=True, slots=True)
class Line:
    """slope · general Elo + intercept."""

    slope: float
    intercept: float = 0.0

    def __call__(self, general: float) -> float:
        return self.slope * general + self.intercept


@dataclass(frozen=True, slots=True)
class DoubleReLU:
    """Flat, then linear, then flat: `low` up to a general Elo of `start`, `high` from `stop` on, a line between them.
    Below `start` a model is too weak for the task, above `stop` the task has no more to ask of it."""

    low: float
    high: float
    start: float
    stop: float

    def __post_init__(self) -> None:
        if not self.start < self.stop:
            raise UsageError(f"a double ReLU rises from start to a later stop, not from {self.start} to {self.stop}")

    def __call__(self, general: float) -> float:
        along = min(max((general - self.start) / (self.stop - self.start), 0.0), 1.0)
        return self.low + along * (self.high - self.low)


def success(guard: Curve, houdini: Curve, gap: float, steps: int, start: float = 0.0) -> float:
    """The probability that a chain of `steps` equal steps over a gap of general Elo holds.
    Π over i < steps of P(guard(start + gap·i/steps) beats houdini(start + gap·(i+1)/steps))."""
    if type(steps) is not int or steps < 1:
        raise UsageError(f"a chain of oversight has 1 or more steps, not {steps!r}")
    at = [start + gap * i / steps for i in range(steps + 1)]
    return math.prod(wins(guard(at[i]), houdini(at[i + 1])) for i in range(steps))


def best_steps(guard: Curve, houdini: Curve, gap: float, start: float = 0, most: int = MOST_STEPS) -> tuple[int, float]:
    """The number of steps, of 1 to `most`, with which the chain is likeliest to hold, and how likely. Of equals the fewest."""
    if type(most) is not int or most < 1:
        raise UsageError(f"the most steps to try are 1 or more, not {most!r}")
    chances = {steps: success(guard, houdini, gap, steps, start) for steps in range(1, most + 1)}
    best = max(chances, key=lambda steps: chances[steps])
    return best, chances[best]


def playing(curve: Curve) -> Callable[[Request], Strength]:
    """A program for either seat of the protocol `nested-oversight`: it plays at the domain Elo of its general Elo."""

    def act(request: Request) -> Strength:
        return Strength(elo=curve(float(request.brief["details"][request.seat])))

    return act


def fit_double_relu(points: Iterable[tuple[float, float]], weights: Sequence[float] | None = None) -> DoubleReLU:
    """The double ReLU with the least weighted sum of squares to points (general Elo, domain Elo). Exact, not a descent: for
    each way in which the bends may lie on points or between neighbouring ones, the best curve is a linear least-squares
    problem. weights: one for each point, above 0. UsageError with fewer than two different general Elos."""
    given = list(points)
    loads = [1.0] * len(given) if weights is None else list(weights)
    if len(loads) != len(given) or not all(w > 0 and math.isfinite(w) for w in loads):
        raise UsageError(f"the fit needs one finite weight above 0 for each of {len(given)} points")
    data = sorted((float(x), float(y), w) for (x, y), w in zip(given, loads, strict=True))
    xs = sorted({x for x, _, _ in data})
    if len(xs) < 2 or not all(math.isfinite(v) for row in data for v in row):
        raise UsageError("the fit needs finite points of at least two different general Elos")
    curves = (_between(data, start, stop) for start, stop in _bends(data, xs) if start < stop)
    return min(curves, key=lambda curve: math.fsum(w * (y - curve(x)) ** 2 for x, y, w in data))


_Data = list[tuple[float, float, float]]


def _bends(data: _Data, xs: list[float]) -> Iterable[tuple[float, float]]:
    """Every place where the two bends of the best curve can lie."""
    for i, j in product(range(len(xs)), repeat=2):
        if i < j:
            yield xs[i], xs[j]  # both bends on points
            yield from _one_free(data, xs, i, j)
        if i < j - 1:
            # Both between points: a level, a line, and a level, each fitted by itself, meet where they cross.
            low, high = _level([p for p in data if p[0] <= xs[i]]), _level([p for p in data if p[0] >= xs[j]])
            line = _line([p for p in data if xs[i] < p[0] < xs[j]])
            start, stop = _meets(low, line), _meets(high, line)
            if xs[i] <= start <= xs[i + 1] and xs[j - 1] <= stop <= xs[j]:
                yield start, stop


def _one_free(data: _Data, xs: list[float], i: int, j: int) -> Iterable[tuple[float, float]]:
    """One bend on a point, and the other between two neighbours: there a level, fitted by itself, meets a bent line."""
    low, high = _level([p for p in data if p[0] <= xs[i]]), _level([p for p in data if p[0] >= xs[j]])
    start = _meets(low, _line([(min(x, xs[j]), y, w) for x, y, w in data if x > xs[i]]))
    if xs[i] <= start <= xs[i + 1]:
        yield start, xs[j]
    stop = _meets(high, _line([(max(x, xs[i]), y, w) for x, y, w in data if x < xs[j]]))
    if xs[j - 1] <= stop <= xs[j]:
        yield xs[i], stop


def _meets(level: float, line: Line | None) -> float:
    """Where a line crosses a level; NaN where it does not."""
    return (level - line.intercept) / line.slope if line is not None and line.slope else math.nan


def _between(data: _Data, start: float, stop: float) -> DoubleReLU:
    """The best curve with these bends: a line in how far along each point is."""
    line = _line([(min(max((x - start) / (stop - start), 0.0), 1.0), y, w) for x, y, w in data])
    if line is None:  # every point is on one level
        return DoubleReLU(_level(data), _level(data), start, stop)
    return DoubleReLU(line.intercept, line.slope + line.intercept, start, stop)


def _level(data: _Data) -> float:
    return math.fsum(w * y for _, y, w in data) / math.fsum(w for _, _, w in data)


def _line(data: _Data) -> Line | None:
    """The weighted least-squares line; None when all points have one x."""
    if len({x for x, _, _ in data}) < 2:
        return None
    total = math.fsum(w for _, _, w in data)
    mean_x = math.fsum(w * x for x, _, w in data) / total
    mean_y = math.fsum(w * y for _, y, w in data) / total
    spread = math.fsum(w * (x - mean_x) ** 2 for x, _, w in data)
    slope = math.fsum(w * (x - mean_x) * (y - mean_y) for x, y, w in data) / spread
    return Line(slope, mean_y - slope * mean_x)


START = 1103.0
"""The general Elo of the weakest model that they measured, where their chains start."""

GAMES = {
    "Mafia": (Line(1.5305382247861692, -622.9317463747565), Line(0.8344154600833648, 173.2206142928111)),
    "Debate": (Line(1.0983942546126946, -47.49890598669299), Line(0.04936115584058696, 1080.3983558810423)),
    "Backdoor Code": (Line(0.7192614624976502, 552.0221384375485), Line(1.9518243250891987, -1361.61176329289)),
    "Wargames": (Line(1.1666737577004682, -229.07366870912878), Line(0.6795738441484533, 422.0053838057133)),
}
"""The fitted lines of guard and houdini in the four games."""

PUBLISHED = {
    "Mafia": (1, 0.110623594442584), "Debate": (1, 0.513584475109633), "Backdoor Code": (2, 0.275691407676766),
    "Wargames": (1, 0.097977002063204),
}  # fmt: skip
"""The best number of steps over a gap of 400, and its probability, as their notebook printed them."""

CHAINS = (((1, 1, 10, 10, 10), 0.000707984491), ((1, 1, -1000, 2000, 20), 0.893907284))
"""Slopes of guard and houdini, the houdini's intercept (the guard's is 0), gap and steps; the probability."""

BEST = (
    ((1, 1, 400, 1200), 1, 0.0000999900), ((1, 1, -200, 500), 2, 0.183643860), ((1, 2, -800, 1000), 4, 0.008131508),
    ((1, 3, -2000, 1000), 7, 0.191597309),
)  # fmt: skip
"""Slopes, intercept and gap of their four example plots; the best number of steps, and its probability."""


ABSTRACT = {"Mafia": 0.135, "Debate": 0.517, "Backdoor Code": 0.1, "Wargames": 0.094}
"""The probabilities of the four games at a gap of 400 in the abstract of the paper."""


def reproduce() -> Report:
    """The published figures of nested oversight, computed again. They hold when they are equal to 1e-9."""
    rows: list[Row] = []
    for name, (guard, houdini) in GAMES.items():
        steps, chance = best_steps(guard, houdini, 400, START)
        rows += _rows(f"{name}, gap 400", steps, chance, *PUBLISHED[name])
        rows.append(Row(name=f"{name}, gap 400: probability, in the paper", measured=chance, published=ABSTRACT[name],
                        note="not reproduced: the paper's is from another fit, which its notebook does not hold"))  # fmt: skip
    for (m, h, intercept, gap, n), published in CHAINS:
        chance = success(Line(m), Line(h, intercept), gap, n)
        name = f"slopes {m} and {h}, intercept {intercept}, gap {gap}, {n} steps"
        rows.append(Row.equal(name, chance, published, 1e-9))
    for (m, h, intercept, gap), fewest, published in BEST:
        steps, chance = best_steps(Line(m), Line(h, intercept), gap)
        rows += _rows(f"slopes {m} and {h}, intercept {intercept}, gap {gap}", steps, chance, fewest, published)
    return Report(
        title="Nested scalable oversight: the probability that a chain holds", rows=tuple(rows),
        source="Engels, Baek, Kantamneni and Tegmark 2025, arXiv 2504.18530",
        settings={"steps tried": f"1 to {MOST_STEPS}", "general Elo of the first guard": START}, notes=(
            "The four games: what is reproduced is the authors' notebook, from the fitted lines in it, and not the paper. Its "
            "abstract gives 13.5 %, 51.7 %, 10.0 % and 9.4 %: those are from another fit, whose lines are not in the notebook; "
            "they stand in rows of their own, which claim nothing.",
            "The other chains are those of the authors' scripts; beside them stands what the formula gives in decimal "
            "arithmetic of 80 digits.",
        ),
    )  # fmt: skip


def _rows(name: str, steps: int, chance: float, published_steps: int, published: float) -> list[Row]:
    return [
        Row.equal(f"{name}: best steps", steps, published_steps),
        Row.equal(f"{name}: probability", chance, published, 1e-9),
    ]
