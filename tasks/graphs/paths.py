"""Does a claimed walk through a graph follow its edges? A P task that halves.
Rule: one task; how a stretch is halved and debated is taken from `tasks/arithmetic/sums.py`."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.arithmetic.sums import Halved, halved
from moot.tasks.family import entries

_WHOLE = re.compile(r"path\((\d{1,7}),(\d{1,7})\)")


class PathCheck(Halved):
    """A random undirected graph with n vertices, of average degree about 6, and a claimed walk of n steps through it.
    In half of the instances one thing is wrong with the walk: a step that is no edge, or in some where it ends. The
    rule looks at both ends of the walk and halves it down to single steps, which are looked up in the graph."""

    name: ClassVar[str] = "path"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is an undirected graph (edges[u][v] is 1 where u and v are joined, 0 where not; vertices count from 0) and "
        "a walk, a list of vertices, with the number of its steps. path(u,v) asks whether the walk begins at u, ends at v "
        "and follows edges all the way; walk[i:j] asks whether it does so from its position i to its position j. "
        "The answer is yes or no."
    )
    notation = re.compile(r"walk\[(\d{1,7}):(\d{1,7})\]")
    example = "path(0,3) or walk[0:8]"
    reads: ClassVar[str] = "4"
    smallest, largest = 4, 2000
    counted = "vertices, and steps of the walk"
    source: ClassVar[str] = "Savitch 1970, Relationships between nondeterministic and deterministic tape complexities"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        ring = random.sample(range(size), size)  # a cycle through all vertices, so that every walk can go on
        joined = {frozenset(pair) for pair in zip(ring, ring[1:] + ring[:1], strict=True)}
        joined |= {frozenset(random.sample(range(size), 2)) for _ in range(2 * size if size > 6 else 1)}
        near = [[v for v in range(size) if frozenset((u, v)) in joined] for u in range(size)]
        walk = [random.randrange(size)]
        for _ in range(size):
            walk.append(random.choice(near[walk[-1]]))
        start, end = walk[0], walk[-1]
        fault = random.choice(["none", "none", "none", "step", "step", "end"])
        if fault == "end":
            end = random.choice([v for v in range(size) if v != end])
        if fault == "step":
            at, to = random.choice([(i, v) for i in range(1, size) for v in range(size) if v not in near[walk[i - 1]]])
            walk[at] = to
        edges = ["".join("1" if v in row else "0" for v in range(size)) for row in near]
        return {"edges": edges, "walk": walk, "steps": size, "from": start, "to": end}

    def count(self, data: Any) -> int:
        return max(entries(data["edges"]), entries(data["walk"]) - 1)

    def ask(self, data: Any, random: Random) -> str:
        return f"path({data['from']},{data['to']})"

    def truth(self, data: Any, text: str) -> str:
        """Step by step from the one end to the other."""
        walk, steps = data["walk"], data["steps"]
        whole = _WHOLE.fullmatch(text)
        start, end = (0, steps) if whole else self.stretch(text)
        if end > steps:
            raise UsageError(f"{text!r} goes beyond the {steps} steps of this walk")
        if whole and (max(int(whole[1]), int(whole[2])) >= len(data["edges"])):
            raise UsageError(f"{text!r} names a vertex beyond the {len(data['edges'])} of this graph")
        ends = whole is None or (int(whole[1]), int(whole[2])) == (walk[0], walk[-1])
        fine = all(data["edges"][walk[i]][walk[i + 1]] == "1" for i in range(start, end))
        return "yes" if ends and fine else "no"

    def rule(self, text: str, look: Look) -> Rule:
        whole = _WHOLE.fullmatch(text)
        if whole is not None:
            steps = look("steps")
            if (look("walk", 0), look("walk", steps)) != (int(whole[1]), int(whole[2])):
                return "no"
            (answer,) = yield (f"walk[0:{steps}]",)
            return answer
        start, end = self.stretch(text)
        if end - start == 1:
            return "yes" if look("edges", look("walk", start), look("walk", end)) == "1" else "no"
        middle = (start + end) // 2
        halves = yield f"walk[{start}:{middle}]", f"walk[{middle}:{end}]"
        return UNKNOWN if UNKNOWN in halves else "yes" if halves == ("yes", "yes") else "no"

    def questions(self, data: Any) -> Iterator[str]:
        """The question about the whole walk, and the stretches that halving comes to."""
        yield f"path({data['from']},{data['to']})"
        yield from (f"walk[{start}:{end}]" for start, end in halved(data["steps"]))
