"""Shortest paths in a random directed graph.
Rule: one task in both forms; what the forms are is in `rounds.py`.

`GraphTask` of Christiano, Shlegeris and Amodei 2018, whose size is 64. Their instances, but a step that no distance
measures (a path one edge longer than the longest distance) is "inf" here, as its distance is."""

from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import number
from moot.tasks.graphs.rounds import Asked, RoundsTask, adjacency

INFINITE = "inf"
"""The answer when no path is short enough, or none is known."""


class ShortestPath(RoundsTask):
    """D(a,b), the distance, and S(a,b), the first step, in a graph of `size` vertices and 2·size random directed edges.

    Edges may repeat and may lead back to where they start. A path has at least one edge, so D(a,a) is the length of the
    shortest circle. Distances above 2·⌈log2 size⌉ are "inf". Of several first steps the smallest number is the true one.

    The rule. D: an edge is 1; else one more than D from S(a,b). S: an edge leads to b; else of the candidates (see
    `moot.tasks.graphs.rounds`) the one with the least D to b; "inf" when none is known to reach b. D[k] knows paths of at
    most (k + 1)/2 edges, S[k] those of at most k/2 + 1."""

    name: ClassVar[str] = "shortest-path"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a directed graph with vertices v0, v1, … . D(a,b) asks for the number of edges on a shortest path of "
        "at least one edge from a to b, S(a,b) for the first vertex after a on it, the smallest-numbered one of several. "
        "Both are inf if there is no path, or none of at most 2·log2(n) edges, the logarithm rounded up. D[k](a,b) and "
        "S[k](a,b) ask for what is known after k rounds: after none that is ?, and in each round D becomes 1 for an edge, "
        "else one more than the distance from the step of the round before, and S becomes b for an edge, else the "
        "neighbour of a with the least distance of the round before, or inf if none has one. E(a,b) asks whether there is "
        "an edge, yes or no; N(a,i) asks for neighbour number i of a, counted from 0."
    )
    reads: ClassVar[str] = "2*n + 7"
    smallest, largest = 2, 4000
    counted = "vertices"
    prefix: ClassVar[str] = "v"
    learned: ClassVar[dict[str, int]] = {"D": 2, "S": 2}
    example = "D(v3,v17) or S(v3,v17)"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        neighbours: list[list[int]] = [[] for _ in range(size)]
        for _ in range(2 * size):
            neighbours[random.randrange(size)].append(random.randrange(size))
        return adjacency(neighbours)

    @staticmethod
    def longest(size: int) -> int:
        """The longest distance that is a number, 2·⌈log2 size⌉."""
        return 2 * (size - 1).bit_length()

    def rounds(self, data: Any) -> int:
        return 2 * self.longest(data["size"]) - 1

    def best(self, data: Any, a: int, b: int) -> tuple[int, int] | None:
        """Distance and smallest first step from a to b, however long, by a search backwards from b."""
        leading: list[list[int]] = [[] for _ in range(data["size"])]
        for vertex, row in enumerate(data["neighbours"]):
            for after in row:
                leading[after].append(vertex)
        distance = {b: 0}
        for vertex in (queue := [b]):
            for before in leading[vertex]:
                if before not in distance:
                    distance[before] = distance[vertex] + 1
                    queue.append(before)
        return min(((distance[v] + 1, v) for v in data["neighbours"][a] if v in distance), default=None)

    def known(self, data: Any, asked: Asked) -> str:
        k, most, found = asked.round, self.longest(data["size"]), self.best(data, *asked.names)
        if k is not None:
            most = min(most, (k + 1) // 2 if asked.letter == "D" else k // 2 + 1)
        if found is None or found[0] > most:
            return UNKNOWN if asked.letter == "D" and k == 1 else INFINITE
        return str(found[0]) if asked.letter == "D" else f"v{found[1]}"

    def near(self, data: Any, asked: Asked, true: str, random: Random) -> list[str]:
        if asked.letter == "S":
            return self.beside(data, asked, true)
        d, longest = number(true), self.longest(data["size"])
        if d is None:
            return [str(random.randint(2, longest))]
        return [str(d - 1) if d > 1 else INFINITE, str(d + 1) if d < longest else INFINITE]

    def step(self, asked: Asked, size: int, look: Look) -> Rule:
        a, b = asked.names
        (edge,) = yield (self.write("E", None, a, b),)
        if edge == "yes":
            return "1" if asked.letter == "D" else f"v{b}"
        if asked.letter == "S":
            best = yield from self.nearest(asked, size, look, lambda vertex: self.before(asked, "D", vertex, b))
            return INFINITE if best is None or best[0] >= self.longest(size) else f"v{best[1]}"
        (first,) = yield (self.before(asked, "S", a, b),)
        if (vertex := self.node(first, size)) is None:
            return INFINITE if first == INFINITE else UNKNOWN
        (rest,) = yield (self.before(asked, "D", vertex, b),)
        if (d := number(rest)) is None:
            return INFINITE if rest == INFINITE else UNKNOWN
        return str(d + 1) if d < self.longest(size) else INFINITE

    def stratum(self, data: Any, text: str) -> int:
        """The distance of the two vertices, one more than the longest for "inf"; 0 for a primitive question."""
        asked = self.asked(text, data["size"])
        if asked.letter in self.looked:
            return 0
        found, most = self.best(data, *asked.names), self.longest(data["size"]) + 1
        return most if found is None else min(found[0], most)

    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """0 for D and 1 for S; a; b; whether there is an edge."""
        asked = self.learned_question(data, text)
        a, b = asked.names
        return int(asked.letter == "S"), a, b, int(data["edge"][a][b])

    def answers(self, data: Any) -> list[str]:
        numbers = [str(d) for d in range(1, self.longest(data["size"]) + 1)]
        return [*numbers, INFINITE, *(f"v{vertex}" for vertex in range(data["size"]))]


class PublishedShortestPath(ShortestPath):
    """The same questions without rounds, as published: a recursion waits for itself, a learner can be trained on them."""

    name: ClassVar[str] = "shortest-path-published"
    well_founded: ClassVar[bool] = False
    by_rounds: ClassVar[bool] = False
