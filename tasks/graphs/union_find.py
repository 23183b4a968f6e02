"""Which value a variable has when equations join the variables into trees, one of each tree's variables has a value.
Rule: one task in both forms; what the forms are is in `rounds.py`.

`EqualsTask` of Christiano, Shlegeris and Amodei 2018, whose size is 64. The paper caps depths; here they are exact."""

from math import isqrt
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import number
from moot.tasks.graphs.rounds import Asked, RoundsTask, adjacency

NONE = "none"
"""The answer to S(x) when no value is given for x."""


class UnionFind(RoundsTask):
    """V(x), the value, P(x), the parent towards the root, and D(x), the depth, of `size` variables with isqrt(size) values.
    Those that draw the same value are joined by the equations of a random tree, and one of them, the root, has it given.

    The rule. V: the given value, else that of the parent. D: 0 if a value is given, else one more than the parent's. P:
    x itself if a value is given, else of the candidates (see `moot.tasks.graphs.rounds`) the one with the least D. Round
    k ≥ 1 knows V and D up to depth (k - 1)/2 and P up to depth k/2."""

    name: ClassVar[str] = "union-find"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a list of equations between variables x0, x1, …, and of values c0, c1, … given for some of them. The "
        "equations join the variables into trees, and one variable of each tree, its root, has a value given. V(x) asks "
        "for the value of x, P(x) for the neighbour of x on the way to the root (a root is its own), D(x) for the number of "
        "equations on that way. V[k](x), P[k](x) and D[k](x) ask for what is known after k rounds: after none that is ?, "
        "and in each round V, D and P follow from the given value, else from what the round before knows of the parent, "
        "which is the neighbour with the least known depth. S(x) asks for the value given for x, or none; E(x,y) asks "
        "whether there is an equation of x and y, yes or no; N(x,i) asks for neighbour number i of x, counted from 0."
    )
    reads: ClassVar[str] = "2*n + 7"
    smallest, largest = 4, 4000  # from two values on
    prefix: ClassVar[str] = "x"
    learned: ClassVar[dict[str, int]] = {"V": 1, "P": 1, "D": 1}
    looked: ClassVar[dict[str, int]] = {"E": 2, "N": 2, "S": 1}
    example = "V(x5), P(x5) or D(x5)"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        values = isqrt(size)
        classes: list[list[int]] = [[] for _ in range(values)]
        for x in random.sample(range(size), size):
            random.choice(classes).append(x)
        given: list[str] = [NONE] * size
        neighbours: list[list[int]] = [[] for _ in range(size)]
        for value, members in enumerate(classes):
            if members:
                given[random.choice(members)] = f"c{value}"
                for x, y in _tree(members, random):
                    neighbours[x].append(y)
                    neighbours[y].append(x)
        return {**adjacency(neighbours), "values": values, "given": given}

    def rounds(self, data: Any) -> int:
        return 2 * max(depth for depth, _, _ in self._trees(data).values()) + 1

    def _trees(self, data: Any) -> dict[int, tuple[int, int, str]]:
        """Depth, parent and value of every variable, by a search from the roots."""
        found = {x: (0, x, value) for x, value in enumerate(data["given"]) if value != NONE}
        for x in (queue := list(found)):
            depth, _, value = found[x]
            for y in data["neighbours"][x]:
                if y not in found:
                    found[y] = depth + 1, x, value
                    queue.append(y)
        return found

    def known(self, data: Any, asked: Asked) -> str:
        k, (depth, parent, value) = asked.round, self._trees(data)[asked.names[0]]
        if k is not None and depth > (k // 2 if asked.letter == "P" else (k - 1) // 2):
            return UNKNOWN
        return {"V": value, "P": f"x{parent}", "D": str(depth)}[asked.letter]

    def near(self, data: Any, asked: Asked, true: str, random: Random) -> list[str]:
        values = [f"c{value}" for value in range(data["values"])]
        if asked.letter == "S":
            return ["c0", "c1"] if true == NONE else [NONE, *values]
        if asked.letter == "V":
            return values
        if asked.letter == "D":
            depth = number(true) or 0
            return [str(depth + 1), str(max(depth - 1, 0))]
        return self.beside(data, asked, true)

    def step(self, asked: Asked, size: int, look: Look) -> Rule:
        (x,) = asked.names
        (given,) = yield (self.write("S", None, x),)
        if given.startswith("c"):
            return {"V": given, "P": f"x{x}", "D": "0"}[asked.letter]
        if asked.letter == "P":
            best = yield from self.nearest(asked, size, look, lambda y: self.before(asked, "D", y))
            return UNKNOWN if best is None else f"x{best[1]}"
        (parent,) = yield (self.before(asked, "P", x),)
        if (y := self.node(parent, size)) is None:
            return UNKNOWN
        (answer,) = yield (self.before(asked, asked.letter, y),)
        if asked.letter == "V":
            return answer if answer.startswith("c") else UNKNOWN
        depth = number(answer)
        # No way to a root is longer than all variables: a learner that counts around a circle is stopped here.
        return UNKNOWN if depth is None or depth + 1 >= size else str(depth + 1)

    def stratum(self, data: Any, text: str) -> int:
        """The depth of the variable; 0 for a primitive question."""
        asked = self.asked(text, data["size"])
        return 0 if asked.letter in self.looked else self._trees(data)[asked.names[0]][0]

    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """0 for V, 1 for P, 2 for D; the variable; 0 or one more than the number of the value given for it."""
        asked = self.learned_question(data, text)
        (x,) = asked.names
        given = data["given"][x]
        return "VPD".index(asked.letter), x, 0 if given == NONE else 1 + int(given[1:])

    def answers(self, data: Any) -> list[str]:
        values = [f"c{value}" for value in range(data["values"])]
        return [*values, *(f"x{x}" for x in range(data["size"])), *(str(depth) for depth in range(data["size"]))]


class PublishedUnionFind(UnionFind):
    """The same questions without rounds, as published: a recursion waits for itself, a learner can be trained on them."""

    name: ClassVar[str] = "union-find-published"
    well_founded: ClassVar[bool] = False
    by_rounds: ClassVar[bool] = False


def _tree(members: list[int], random: Random) -> list[tuple[int, int]]:
    """The edges of a random tree: the list is cut in two at random, an edge joins random members, and so on in each part."""
    edges, parts = [], [members]
    for part in parts:
        if len(part) > 1:
            cut = random.randrange(1, len(part))
            edges.append((random.choice(part[:cut]), random.choice(part[cut:])))
            parts += [part[:cut], part[cut:]]
    return edges
