"""Elo ratings: from the binomial likelihood (Bradley and Terry 1952), and by least squares.
Rule: players, pairings and points of Elo; the fits themselves are in `strengths.py`.

P(i beats j) = 1 / (1 + 10^((R_j − R_i) / 400)). The likelihood is that of Arnesen et al. 2024 (arXiv 2409.16636) and of
Engels et al. 2025 (arXiv 2504.18530), whose guards only ever meet houdinis: to a rating they are all players. Least
squares is that of Khan et al. 2024 (arXiv 2402.06782)."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from moot.experiments.statistics.intervals import BOOTSTRAP, Bootstrap, Estimate
from moot.experiments.statistics.records import Judged, decided
from moot.experiments.statistics.strengths import Games, covariance, least_squares_fit, likelihood_fit
from moot.protocols.engine.errors import UsageError

SCALE = 400 / math.log(10)
"""Elo points for one natural unit of log odds."""

FEWER = Bootstrap(resamples=200)
"""Every resample is a fit of its own."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """What came of the games between two players: how often `one` won, lost, and neither (a draw: half a win to each)."""

    one: str
    other: str
    wins: int
    losses: int
    draws: int = 0

    def __post_init__(self) -> None:
        counts = (self.wins, self.losses, self.draws)
        if self.one == self.other or any(type(count) is not int or count < 0 for count in counts):
            raise UsageError(f"{self}: it needs two players, and numbers of games that are integers of at least 0")

    @property
    def games(self) -> int:
        return self.wins + self.losses + self.draws


@dataclass(frozen=True)
class Ratings:
    """Elo ratings, each with its interval; they are relative, so the mean of the finite ones is `anchor`. ratings: by player;
    where nothing bounds one, it is inf (the player never lost to the others, nor drew), −inf (it never won), or None (it
    cannot be placed). covariance: of the finite ones, as in `rated`, in Elo points squared; empty for least squares."""

    ratings: Mapping[str, Estimate]
    rated: tuple[str, ...]
    covariance: tuple[tuple[float, ...], ...]
    anchor: float
    by: Bootstrap

    def difference(self, one: str, other: str) -> Estimate:
        """How much higher `one` is rated than `other`, with an interval where the fit gives one.
        UsageError on an unknown player. None when one of the two cannot be placed, or both are infinite alike."""
        for name in (one, other):
            if name not in self.ratings:
                raise UsageError(f"{name!r} has no rating; there are {', '.join(self.ratings)}")
        first, second = self.ratings[one], self.ratings[other]
        games = first.count + second.count
        if first.value is None or second.value is None or (first.value == second.value and math.isinf(first.value)):
            return Estimate(None, count=games, method=first.method)
        value = first.value - second.value
        if not (math.isfinite(value) and self.covariance):
            return Estimate(value, count=games, method=first.method)
        i, j = self.rated.index(one), self.rated.index(other)
        variance = self.covariance[i][i] + self.covariance[j][j] - 2 * self.covariance[i][j]
        half = self.by.z * math.sqrt(max(variance, 0.0))
        return Estimate(value, value - half, value + half, games, method=first.method)


def elo(pairings: Iterable[Pairing], anchor: float = 1500.0, by: Bootstrap = BOOTSTRAP) -> Ratings:
    """Ratings of greatest likelihood, by Newton's method. Intervals: Wald's, from the Fisher information.

    The likelihood has a maximum only where every group of players won something from the rest (Ford 1957). Otherwise the
    largest group of which that holds is rated, and whoever stands above or below it without bound is ±inf. UsageError when
    no comparison, however indirect, links all players."""
    games = _games(pairings)
    groups = games.components()
    largest = max(groups, key=len)
    if len(groups) > 1 and sum(len(group) == len(largest) for group in groups) > 1:
        largest = []
    rated = tuple(games.players[i] for i in sorted(largest))
    inner = games.among(sorted(largest))
    fit, found = likelihood_fit(inner), dict[str, Estimate]()
    values = [SCALE * x + anchor for x in fit]
    spread = [[SCALE * SCALE * x for x in row] for row in covariance(inner, fit)]
    above, below = games.reach(largest)
    for index, name in enumerate(games.players):
        value, low, high = math.inf if index in above else -math.inf if index in below else None, None, None
        if name in rated:
            place = rated.index(name)
            half = by.z * math.sqrt(spread[place][place])
            value, low, high = values[place], values[place] - half, values[place] + half
        found[name] = Estimate(value, low, high, round(sum(games.played[index])), method="Wald")
    return Ratings(found, rated, tuple(map(tuple, spread)), anchor, by)


def elo_least_squares(pairings: Iterable[Pairing], anchor: float = 1500.0, by: Bootstrap = FEWER) -> Ratings:
    """Ratings with the least Σ (P(i beats j) − share of games that i won)^2, one term for each pair that met.
    Intervals: the games of each pair drawn again; unknown when some resample has no finite ratings. Ratings that run
    apart have no value (None): the squares may be least at infinity. Raises UsageError like `elo`."""
    pairings = _merged(pairings)
    games = _games(pairings)
    fit = least_squares_fit(games)
    resampled = [] if fit is None else _resampled(pairings, games.players, anchor, by)
    found = {}
    for index, name in enumerate(games.players):
        value, seen = None if fit is None else SCALE * fit[index] + anchor, [row[index] for row in resampled]
        low, high = by.percentiles(seen, value) if seen and value is not None else (None, None)
        found[name] = Estimate(value, low, high, round(sum(games.played[index])), method="bootstrap over games")
    return Ratings(found, () if fit is None else games.players, (), anchor, by)


def _resampled(pairings: Sequence[Pairing], players: Sequence[str], anchor: float, by: Bootstrap) -> list[list[float]]:
    random, found = Random(by.seed), []
    for _ in range(by.resamples):
        again: list[Pairing] = []
        for each in pairings:
            drawn = random.choices(range(3), (each.wins, each.losses, each.draws), k=each.games)
            again.append(Pairing(each.one, each.other, *map(drawn.count, range(3))))
        fit = least_squares_fit(_games(again, players))
        if fit is None:
            return []
        found.append([SCALE * x + anchor for x in fit])
    return found


def pairings(records: Iterable[Judged], sided: bool = False) -> list[Pairing]:
    """The games of two debaters each: whose choice the judge found the more probable won; a tie is a draw.
    sided: a debater is one player when it argues for the truth and another when it argues against it ("NAME (true)",
    "NAME (false)"). What was not decided, and without `sided` the debates of a debater with itself, are no games."""
    games: list[Pairing] = []
    for record in decided(records, truth=sided)[0]:
        if len(record.defenders) != 2:
            raise UsageError(f"question {record.question!r}: a game is of two debaters, not of {record.defenders}")
        names = list(record.defenders)
        if sided:
            names = [side_of(name, record.true == choice) for choice, name in enumerate(names)]
        if names[0] != names[1]:
            won = [0, 0, 1] if record.choice is None else [1 - record.choice, record.choice, 0]
            games.append(Pairing(names[0], names[1], *won))
    return _merged(games)


def side_of(name: str, true: bool) -> str:
    """What a debater is called that argues for the truth, or against it."""
    return f"{name} ({'true' if true else 'false'})"


def truth_advantage(ratings: Ratings, name: str) -> Estimate:
    """How many Elo points a debater gains by arguing for the truth: of ratings made from `pairings(…, sided=True)`.
    UsageError when the debater was not rated on both sides."""
    return ratings.difference(side_of(name, True), side_of(name, False))


def _merged(pairings: Iterable[Pairing]) -> list[Pairing]:
    """One pairing for each two players that met."""
    tally: dict[tuple[str, str], list[tuple[int, int, int]]] = {}
    for each in pairings:
        if each.one < each.other:
            tally.setdefault((each.one, each.other), []).append((each.wins, each.losses, each.draws))
        else:
            tally.setdefault((each.other, each.one), []).append((each.losses, each.wins, each.draws))
    merged = (Pairing(*names, *map(sum, zip(*counts, strict=True))) for names, counts in sorted(tally.items()))
    return [pairing for pairing in merged if pairing.games]


def _games(pairings: Iterable[Pairing], players: Sequence[str] | None = None) -> Games:
    merged = _merged(pairings)
    names = tuple(players or sorted({name for each in merged for name in (each.one, each.other)}))
    if not names:
        raise UsageError("ratings need games, and there is none")
    index = {name: i for i, name in enumerate(names)}
    won = [[0.0] * len(names) for _ in names]
    for each in merged:
        i, j = index[each.one], index[each.other]
        won[i][j] += each.wins + each.draws / 2
        won[j][i] += each.losses + each.draws / 2
    games = Games(names, won)
    parts = games.linked()
    if len(parts) > 1:
        shown = "; ".join(", ".join(names[i] for i in part) for part in parts)
        do = "Rate each by itself, or add games between them"
        raise UsageError(f"no game links these groups of players, so nothing says how they compare: {shown}. {do}")
    return games
