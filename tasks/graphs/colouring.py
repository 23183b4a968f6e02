"""Succinct 3-colouring: a NEXP task. A description of O(k) bits stands for a graph with 2^k vertices.
Rule: the task alone; its programs are in `colouring_programs.py`.

Succinct 3-colouring is NEXP-complete for graphs described by circuits (Papadimitriou and Yannakakis 1986). A witness, a
colouring, is of exponential length, so nobody can state it; one who claims it can be asked for the colours of two
vertices, and one violated edge refutes it. What such a cross-examination needs is in `succinct_graph.py`."""

from itertools import combinations
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.question import Question
from moot.tasks.arithmetic.primes import bits_of, first_prime
from moot.tasks.base import Task
from moot.tasks.graphs.colouring_programs import Adaptive, Cross, Spoilt, WindowJudge
from moot.tasks.graphs.succinct_graph import EXTRA, MAPS, class_of, four_joined, solution, wrong_edges
from moot.tasks.programs.play import Play


def _examined(question: Question) -> dict[str, int]:
    """An edge as the window; the ends of the extra edges may be examined, and up to 2^6 vertices all of them."""
    data: Any = question.data
    return {"window": 2, "queries": max(2 * EXTRA, 2 ** data["k"] if data["k"] <= 6 else 0)}


# Beside `reads`, a challenge has two addresses and one look that tells whether they are vertices.
PLAYED = Play({"debater": "honest", "judge": "window-judge"}, "{reads} + 3", _examined)


class Colouring(Task):
    """Can the 2^k vertices of a graph be coloured with three colours so that every edge joins different ones?

    Three affine maps propose edges, and those between vertices of one class (a number from 0 to 2, computed from the
    vertex) are left out, so that the classes colour the graph; eight more edges are listed. In half of the instances these
    join different classes too; in the others six of them are all the pairs of four vertices, which need four colours.
    Such planted instances are easy for those who know how they were made: it is the family that is hard."""

    name: ClassVar[str] = "colouring"
    complexity_class: ClassVar[str] = "NEXP"
    about: ClassVar[str] = (
        "A graph has the vertices 0 to 2^k - 1. The data holds k, three maps (a, b), the numbers (c, d, p) called class, "
        "and eight extra edges. The class of vertex v is ((c*v + d) mod p) mod 3. Vertices u and v are joined when they are "
        "an extra edge, or when they are of different classes and some map takes one to the other: (a*u + b) mod 2^k = v. "
        "colourable() asks whether three colours suffice so that joined vertices differ. The answer is yes or no. "
        "colour(v) asks for the colour of vertex v in such a colouring; the answer is 0, 1 or 2."
    )
    example = "colourable()"
    reads: ClassVar[str] = "28"
    smallest, largest = 3, 30
    counted = "bits of a vertex's number"
    plays = {"cross-examination": PLAYED, "cross-examination-uncopied": PLAYED}
    own = {"honest": Cross, "spoilt": Spoilt, "adaptive": Adaptive, "window-judge": WindowJudge}
    source: ClassVar[str] = "Papadimitriou and Yannakakis 1986, A note on succinct representations of graphs"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        count = 2**size
        maps = [[2 * random.randrange(count // 2) + 1, random.randrange(count)] for _ in range(MAPS)]
        while True:
            p = first_prime(random.randrange(4**size, 2 * 4**size))
            affine = [random.randrange(1, p), random.randrange(p), p]
            classes = [class_of(affine, v) for v in range(min(count, 64))]
            if all(classes.count(c) >= 2 for c in range(3)):
                break

        def vertex(of: int, but: int | None = None) -> int:
            while True:
                v = random.randrange(count)
                if v != but and class_of(affine, v) == of:
                    return v

        four = [vertex(0), vertex(1), vertex(2)]
        pairs = [list(pair) for pair in combinations([*four, vertex(0, but=four[0])], 2)]
        if random.random() < 0.5:
            pairs = [pair for pair in pairs if class_of(affine, pair[0]) != class_of(affine, pair[1])]
        while len(pairs) < EXTRA:
            one, other = random.sample(range(3), 2)
            pairs.append([vertex(one), vertex(other)])
        random.shuffle(pairs)
        extra = [random.sample(pair, 2) for pair in pairs]
        return {"k": size, "maps": maps, "class": affine, "extra": extra}

    def count(self, data: Any) -> int:
        return bits_of(data["k"], data["class"][2])

    def truth(self, data: Any, text: str) -> str:
        """From the description, in polynomial time where that settles it; by a search for a colouring up to 2^8 vertices.
        The classes are a colouring unless an extra edge joins equal ones; four vertices joined in pairs hold such an edge.
        UsageError when neither settles it and the graph is too large to search."""
        self.match(text)
        if not wrong_edges(data):
            return "yes"
        return "no" if four_joined(data) or solution(data) is None else "yes"
