"""Succinct 3-colouring: a NEXP task. A description of O(k) bits stands for a graph with 2^k vertices.

Succinct 3-colouring is NEXP-complete for graphs described by circuits (Papadimitriou and Yannakakis 1986). A witness, a
colouring, is of exponential length, so nobody can state it; one who claims it can be asked for the colours of two
vertices, and one violated edge refutes it. What such a cross-examination needs is here: colours that are right, colours
that are wrong somewhere, a search for the violated edge, and the judge's check of it, which reads at most 28 cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from itertools import combinations
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.tasks.base import Task
from moot.tasks.circuits.succinct_circuit import first_prime
from moot.tasks.logic.solver import solve

MAPS, EXTRA = 3, 8
LARGEST = 30
SEARCHED = 16
SOLVED = 8
PLAYED = ("cross-examination", "cross-examination-uncopied")


class Colouring(Task):
    """Can the 2^k vertices of a graph be coloured with three colours so that every edge joins different ones?

    Instances are of known truth. Three affine maps propose edges, and those between vertices of one class (a number
    from 0 to 2, computed from the vertex) are left out, so that the classes colour the graph; eight more edges are
    listed. In half of the instances all of these join different classes too; in the others six of them are all the
    pairs of four vertices, two of which are of one class, and four vertices joined in pairs need four colours. Planted
    instances are easy for those who know how they were made: it is the family that is hard, not its samples."""

    name: ClassVar[str] = "colouring"
    complexity_class: ClassVar[str] = "NEXP"
    about: ClassVar[str] = (
        "A graph has the vertices 0 to 2^k - 1. The data holds k, three maps (a, b), the numbers (c, d, p) called class, "
        "and eight extra edges. The class of vertex v is ((c*v + d) mod p) mod 3. Vertices u and v are joined when they are "
        "an extra edge, or when they are of different classes and some map takes one to the other: (a*u + b) mod 2^k = v. "
        "colourable() asks whether three colours suffice so that joined vertices differ. The answer is yes or no. "
        "colour(v) asks for the colour of vertex v in such a colouring; the answer is 0, 1 or 2."
    )
    reads: ClassVar[str] = "28"
    source: ClassVar[str] = "Papadimitriou and Yannakakis 1986, A note on succinct representations of graphs"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        if not 3 <= size <= LARGEST:
            raise UsageError(f"task colouring has sizes 3 to {LARGEST} (bits of a vertex's number), not {size}")
        count = 2**size
        maps = [[2 * random.randrange(count // 2) + 1, random.randrange(count)] for _ in range(MAPS)]
        while True:
            p = first_prime(random.randrange(4**size, 2 * 4**size))
            affine = [random.randrange(1, p), random.randrange(p), p]
            classes = [_class(affine, v) for v in range(min(count, 64))]
            if all(classes.count(c) >= 2 for c in range(3)):
                break

        def vertex(of: int, but: int | None = None) -> int:
            while True:
                v = random.randrange(count)
                if v != but and _class(affine, v) == of:
                    return v

        four = [vertex(0), vertex(1), vertex(2)]
        pairs = [list(pair) for pair in combinations([*four, vertex(0, but=four[0])], 2)]
        if random.random() < 0.5:
            pairs = [pair for pair in pairs if _class(affine, pair[0]) != _class(affine, pair[1])]
        while len(pairs) < EXTRA:
            one, other = random.sample(range(3), 2)
            pairs.append([vertex(one), vertex(other)])
        random.shuffle(pairs)
        extra = [random.sample(pair, 2) for pair in pairs]
        return {"k": size, "maps": maps, "class": affine, "extra": extra}

    def ask(self, data: Any, random: Random) -> str:
        return "colourable()"

    def truth(self, data: Any, text: str) -> str:
        """From the description, in polynomial time where that settles it; by a search for a colouring up to 2^8
        vertices.

        Every edge but the extra ones joins different classes. So the classes are a colouring unless an extra edge joins
        equal ones, and four vertices joined in pairs, two of which must be of one class, hold such an edge. UsageError
        when neither settles it and the graph is too large to search."""
        if text != "colourable()":
            raise UsageError(f"{text!r} is no question about a colouring; write colourable()")
        if not _flaws(data):
            return "yes"
        return "no" if _four_joined(data) or _solution(data) is None else "yes"

    def wrong(self, data: Any, text: str, random: Random) -> str:
        return "no" if self.truth(data, text) == "yes" else "yes"

    def programs(self) -> dict[str, Callable[[], Any]]:
        from moot.tasks.graphs.colouring_programs import Adaptive, Cross, Spoilt, WindowJudge

        mine: dict[str, Callable[[], Any]] = {each.name: each for each in (Cross, Spoilt, Adaptive)}
        return {**super().programs(), **mine, "window-judge": WindowJudge}

    def cast(self, protocol: str) -> dict[str, str]:
        if protocol in PLAYED:
            return {"debater": "honest", "judge": "window-judge"}
        return super().cast(protocol)

    def bound(self, protocol: str) -> str:
        """`reads`, and for a challenge its two addresses and one look that tells whether they are vertices."""
        return f"{self.reads} + 3" if protocol in PLAYED else super().bound(protocol)

    def options(self, protocol: str, question: Question) -> dict[str, Any]:
        """An edge as the window; the ends of the extra edges may be examined, and up to 2^6 vertices all of them."""
        if protocol not in PLAYED:
            return super().options(protocol, question)
        data: Any = question.data
        return {"window": 2, "queries": max(2 * EXTRA, 2 ** data["k"] if data["k"] <= 6 else 0)}


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
    if _class(affine, u) == _class(affine, v):
        return False
    maps = ((look("maps", i, 0), look("maps", i, 1)) for i in range(MAPS))
    return any((a * u + b - v) % count == 0 or (a * v + b - u) % count == 0 for a, b in maps)


def check_edge(data: Any, u: int, v: int, cu: int, cv: int) -> bool:
    """Whether colours cu of u and cv of v, as a claimant states them, can belong to one proper colouring.
    They cannot when one is no colour (0, 1, 2), when joined vertices have the same, or when one vertex has two. data:
    an instance, or a `look` over it, under which at most 26 cells are charged. UsageError when u or v is no vertex."""
    look: Look = data if callable(data) else looker(data)
    if not {cu, cv} <= {0, 1, 2}:
        return False
    return cu == cv if u == v else cu != cv or not edge(look, u, v)


def neighbours(data: Any, v: int) -> list[int]:
    """The vertices joined to v, in order, found from the maps and their inverses without a search."""
    count, affine = 2 ** data["k"], data["class"]
    near = {u for a, b in data["maps"] for u in ((a * v + b) % count, pow(a, -1, count) * (v - b) % count)}
    extra = {u + w - v for u, w in data["extra"] if v in (u, w)}
    return sorted(({u for u in near if _class(affine, u) != _class(affine, v)} | extra) - {v})


def colour_of(data: Any, v: int) -> int:
    """The honest claimant's colour of vertex v: of a proper colouring where one is known, of the classes otherwise.
    Where no proper colouring exists the colours have a violated edge, as any have. UsageError as in
    `Colouring.truth`."""
    if _flaws(data) and not _four_joined(data):
        solved = _solution(data)
        if solved is not None:
            return solved[v]
    return _class(data["class"], v)


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
    """The first pair of vertices whose colours `check_edge` refutes, None when there is none; what an opponent names.
    The extra edges are looked at first, then every vertex with its neighbours. A vertex whose colour is no colour is
    named twice. UsageError above 2^16 vertices when the extra edges are fine."""
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


def _class(affine: list[int], v: int) -> int:
    c, d, p = affine
    return (c * v + d) % p % 3


def _flaws(data: Any) -> list[tuple[int, int]]:
    """The extra edges between vertices of one class."""
    affine = data["class"]
    return [(u, v) for u, v in data["extra"] if u != v and _class(affine, u) == _class(affine, v)]


def _four_joined(data: Any) -> bool:
    """Whether four vertices are joined in pairs; two of them are then an extra edge within a class."""
    for u, v in _flaws(data):
        common = set(neighbours(data, u)) & set(neighbours(data, v))
        if any(common & set(neighbours(data, w)) for w in common):
            return True
    return False


def _solution(data: Any) -> list[int] | None:
    """A proper colouring, vertex by vertex, or None when there is none."""
    if data["k"] > SOLVED:
        raise UsageError(
            f"2^{data['k']} vertices are too many to search for a colouring; at most 2^{SOLVED} are, "
            "unless the description settles the question"
        )
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
