"""The fits behind Elo ratings, in natural units (log odds), with a mean of 0.
Rule: numbers alone, without names, scales or intervals; those are in `ratings.py`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import networkx

FARTHEST = 20.0
"""Log odds between two players who met beyond which least squares counts as run apart: 2e-9, or 3,474 Elo points."""

Vector = list[float]
Matrix = list[list[float]]


@dataclass
class Games:
    """Who won how often: won[i][j] is how often player i beat player j, draws counted half. played: the sum of both."""

    players: tuple[str, ...]
    won: Matrix
    played: Matrix = field(init=False)

    def __post_init__(self) -> None:
        both = range(len(self.players))
        self.played = [[self.won[i][j] + self.won[j][i] for j in both] for i in both]

    def among(self, chosen: Sequence[int]) -> Games:
        """The games of these players with each other."""
        return Games(tuple(self.players[i] for i in chosen), [[self.won[i][j] for j in chosen] for i in chosen])

    def beaten(self) -> networkx.DiGraph[int]:
        """An edge from each player to everybody of whom it won something."""
        graph: networkx.DiGraph[int] = networkx.DiGraph()
        graph.add_nodes_from(range(len(self.players)))
        graph.add_edges_from((i, j) for i, row in enumerate(self.won) for j, wins in enumerate(row) if wins)
        return graph

    def linked(self) -> list[list[int]]:
        """The groups of players that games link, directly or through others."""
        return sorted(map(sorted, networkx.weakly_connected_components(self.beaten())))

    def components(self) -> list[list[int]]:
        """The groups of players of whom each won something from each other one, directly or through others."""
        return sorted(map(sorted, networkx.strongly_connected_components(self.beaten())))

    def reach(self, group: Sequence[int]) -> tuple[set[int], set[int]]:
        """The players above a group, who beat it and never lost to it (directly or through others), and those below it."""
        if not group:
            return set(), set()
        above, below = (find(self.beaten(), group[0]) for find in (networkx.ancestors, networkx.descendants))
        return above - below, below - above


def likelihood_fit(games: Games) -> Vector:
    """The strengths of greatest likelihood, by Newton's method with halved steps. The players must be one component."""
    k = len(games.players)
    at = [0.0] * k
    best = _log_likelihood(games, at)
    for _ in range(200):
        slope = [math.fsum(games.won[i][j] - games.played[i][j] * _p(at, i, j) for j in range(k)) for i in range(k)]
        step = _solve(_information(games, at), slope)
        size = 1.0
        while size > 1e-12:
            tried = [a + size * s for a, s in zip(at, step, strict=True)]
            likelihood = _log_likelihood(games, tried)
            if likelihood >= best:
                break
            size /= 2
        else:
            break  # no step goes up: this is the top, as far as floats tell
        at, best = tried, likelihood
        if max(map(abs, step), default=0.0) < 1e-12:
            break
    return _centred(at)


def covariance(games: Games, at: Vector) -> Matrix:
    """The covariance of strengths whose mean is fixed: the pseudo-inverse of the Fisher information."""
    k = len(games.players)
    if k < 2:
        return [[0.0] * k for _ in range(k)]
    information = _information(games, at)
    # With 1/k added everywhere the information is inverted on the plane of mean 0, and the line across it gives 1/k back.
    columns = [_solve(information, [float(i == j) - 1 / k for i in range(k)]) for j in range(k)]
    return [[columns[j][i] for j in range(k)] for i in range(k)]


def _information(games: Games, at: Vector) -> Matrix:
    """The Fisher information, with 1/k added to every entry so that it is regular (nothing moves the mean)."""
    k = len(games.players)
    weights = [[games.played[i][j] * _p(at, i, j) * _p(at, j, i) for j in range(k)] for i in range(k)]
    return [[(math.fsum(weights[i]) if i == j else -weights[i][j]) + 1 / k for j in range(k)] for i in range(k)]


def _log_likelihood(games: Games, at: Vector) -> float:
    # The logarithm of p is that of 1 + e^x without its sign, x being by how much the other is stronger.
    pairs = ((wins, at[j] - at[i]) for i, row in enumerate(games.won) for j, wins in enumerate(row) if wins)
    return -math.fsum(wins * (max(x, 0.0) + math.log1p(math.exp(-abs(x)))) for wins, x in pairs)


def least_squares_fit(games: Games) -> Vector | None:
    """The strengths whose probabilities are nearest to the shares won, by Levenberg and Marquardt; None when they run
    apart. The squares are not convex: this is the least that is reached from equal strengths and, where there is one,
    from the fit of greatest likelihood."""
    k = len(games.players)
    pairs = [(i, j, games.won[i][j] / games.played[i][j]) for i in range(k) for j in range(i) if games.played[i][j]]
    starts = [[0.0] * k]
    if len(games.components()) == 1:
        starts.append(likelihood_fit(games))
    found = min((_descend(pairs, start) for start in starts), key=lambda at: _squares(pairs, at))
    if any(abs(found[i] - found[j]) > FARTHEST for i, j, _ in pairs):
        return None
    return _centred(found)


def _descend(pairs: Sequence[tuple[int, int, float]], at: Vector) -> Vector:
    k, damping, best = len(at), 1e-3, _squares(pairs, at)
    for _ in range(500):
        slope, curve = [0.0] * k, [[1 / k] * k for _ in range(k)]
        for i, j, share in pairs:
            p = _p(at, i, j)
            weight, error = p * (1 - p), p - share
            slope[i] -= weight * error
            slope[j] += weight * error
            for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
                curve[a][b] += sign * weight * weight
        while damping < 1e12:
            damped = [[x + (damping if i == j else 0.0) for j, x in enumerate(row)] for i, row in enumerate(curve)]
            step = _solve(damped, slope)
            tried = [a + s for a, s in zip(at, step, strict=True)]
            squares = _squares(pairs, tried)
            if squares <= best:
                break
            damping *= 4
        else:
            return at
        at, best, damping = tried, squares, max(damping / 9, 1e-15)
        if max(map(abs, step), default=0.0) < 1e-11 or any(abs(at[i] - at[j]) > 2 * FARTHEST for i, j, _ in pairs):
            return at
    return at


def _squares(pairs: Sequence[tuple[int, int, float]], at: Vector) -> float:
    return math.fsum((_p(at, i, j) - share) ** 2 for i, j, share in pairs)


def _p(at: Vector, i: int, j: int) -> float:
    x = at[i] - at[j]
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def _centred(at: Vector) -> Vector:
    mean = math.fsum(at) / len(at) if at else 0.0
    return [x - mean for x in at]


def _solve(matrix: Matrix, right: Vector) -> Vector:
    """The solution of a system with a positive definite matrix, by Gaussian elimination with pivots."""
    k = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(k):
        pivot = max(range(column, k), key=lambda i: abs(rows[i][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column]
        if head[column] == 0:
            continue
        for row in rows[column + 1 :]:
            factor = row[column] / head[column]
            if factor:
                for index in range(column, k + 1):
                    row[index] -= factor * head[index]
    found = [0.0] * k
    for i in reversed(range(k)):
        rest = rows[i][k] - math.fsum(rows[i][j] * found[j] for j in range(i + 1, k))
        found[i] = rest / rows[i][i] if rows[i][i] else 0.0
    return found
