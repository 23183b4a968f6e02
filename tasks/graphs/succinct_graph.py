"""The graphs that a short description stands for, and their colours: edges, checks, a search for what is wrong.

Rule of this file: graphs and colours; the task is in `colouring.py`, its programs in `colouring_programs.py`."""

import json
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from moot.complexity.rules import Look, looker
from moot.protocols.engine.errors import UsageError
from moot.tasks.logic.solver import solve

MAPS, EXTRA = 3, 8
SEARCHED = 16
SOLVED = 8


def edge(look: Look, u: int, v: int) -> bool:
    """Whether vertices u and v are joined. Reads at most 26 cells of the description."""
    count = 2 ** look("k")
    if not (0 <= u < count and 0 <= v < count):
        raise UsageError(f"{u} and {v} are not both vertices; they are 0 to {count - 1}")
    if u == v:
        return False
    if any({look("extra", i, 0), look("extra", i, 1)} == {u, v} for i in range(EXTRA)):
        return True
    affine = [look("class", i) for i in range(3)]
    if class_of(affine, u) == class_of(affine, v):
        return False
    maps = ((look("maps", i, 0), look("maps", i, 1)) for i in range(MAPS))
    return any((a * u + b - v) % count == 0 or (a * v + b - u) % count == 0 for a, b in maps)


def check_edge(data: Any, u: int, v: int, cu: int, cv: int) -> bool:
    """Whether colours cu of u and cv of v can belong to one proper colouring: not when one is no colour (0, 1, 2), when joined
    vertices have the same, or when one vertex has two. data: an instance, or a `look` over it, under which at most 26
    cells are charged. UsageError when u or v is no vertex."""
    look: Look = data if callable(data) else looker(data)
    if not {cu, cv} <= {0, 1, 2}:
        return False
    return cu == cv if u == v else cu != cv or not edge(look, u, v)


def neighbours(data: Any, v: int) -> list[int]:
    """The vertices joined to v, in order, found from the maps and their inverses without a search."""
    count, affine = 2 ** data["k"], data["class"]
    near = {u for a, b in data["maps"] for u in ((a * v + b) % count, pow(a, -1, count) * (v - b) % count)}
    extra = {u + w - v for u, w in data["extra"] if v in (u, w)}
    return sorted(({u for u in near if class_of(affine, u) != class_of(affine, v)} | extra) - {v})


def colour_of(data: Any, v: int) -> int:
    """The honest claimant's colour of vertex v: of a proper colouring where one is known, of the classes otherwise.
    Where none exists they have a violated edge, as any have. UsageError as in `Colouring.truth`."""
    if wrong_edges(data) and not four_joined(data) and (solved := solution(data)) is not None:
        return solved[v]
    return class_of(data["class"], v)


def spoilt_colour(data: Any, v: int, at: int) -> int:
    """The same colouring with one lie: vertex `at` is given the colour of its first neighbour.
    UsageError when it has none, as no colour of it is then a lie."""
    if v != at:
        return colour_of(data, v)
    joined = neighbours(data, at)
    if not joined:
        raise UsageError(f"vertex {at} has no neighbour; every colour of it is right")
    return colour_of(data, joined[0])


def violated_edge(data: Any, colour: Callable[[int], int]) -> tuple[int, int] | None:
    """The first pair of vertices whose colours `check_edge` refutes, None when there is none: an extra edge, then a vertex
    with a neighbour, or named twice where its colour is none. UsageError above 2^16 vertices when extra edges are fine."""
    for u, v in data["extra"]:
        if not check_edge(data, u, v, colour(u), colour(v)):
            return u, v
    if data["k"] > SEARCHED:
        raise UsageError(f"2^{data['k']} vertices are too many to search for a violated edge; at most 2^{SEARCHED} are")
    for u in range(2 ** data["k"]):
        mine = colour(u)
        if mine not in (0, 1, 2):
            return u, u
        for v in neighbours(data, u):
            if colour(v) == mine:
                return u, v
    return None


def class_of(affine: list[int], v: int) -> int:
    c, d, p = affine
    return (c * v + d) % p % 3


def wrong_edges(data: Any) -> list[tuple[int, int]]:
    """The extra edges between vertices of one class."""
    affine = data["class"]
    return [(u, v) for u, v in data["extra"] if u != v and class_of(affine, u) == class_of(affine, v)]


def four_joined(data: Any) -> bool:
    """Whether four vertices are joined in pairs; two of them are then an extra edge within a class."""
    for u, v in wrong_edges(data):
        common = set(neighbours(data, u)) & set(neighbours(data, v))
        if any(common & set(neighbours(data, w)) for w in common):
            return True
    return False


def solution(data: Any) -> list[int] | None:
    """A proper colouring, vertex by vertex, or None when there is none."""
    if data["k"] > SOLVED:
        most = f"at most 2^{SOLVED} are, unless the description settles the question"
        raise UsageError(f"2^{data['k']} vertices are too many to search for a colouring; {most}")
    return _solved(json.dumps(data))


@lru_cache(maxsize=8)
def _solved(text: str) -> list[int] | None:
    """Variable 3 v + c + 1 says that vertex v has colour c."""
    data = json.loads(text)
    count = 2 ** data["k"]
    joined = [(u, v) for u in range(count) for v in neighbours(data, u) if u < v]
    clauses = [(3 * v + 1, 3 * v + 2, 3 * v + 3) for v in range(count)]
    values = solve([*clauses, *((-3 * u - c, -3 * v - c) for u, v in joined for c in (1, 2, 3))])
    if values is None:
        return None
    return [next(c for c in range(3) if values.get(3 * v + c + 1, True)) for v in range(count)]
