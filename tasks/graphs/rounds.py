"""Questions about a graph whose published rules ask the question itself again, and the same rules counted in rounds.
Rule: what the two forms share; no particular question about a graph stands here.

In Christiano, Shlegeris and Amodei 2018 the step of a shortest path and the parent in a tree are found by asking a
learner for the best neighbour that it knows (twice), drawing one neighbour at random, and keeping whichever is nearest.
That has no bottom: a recursion would wait for itself. The two forms here:

published: `S(a,b)` asks `S(a,b)`. A learner that starts with "?" gets better from sweep to sweep over all questions.
by rounds: `S[k](a,b)` asks rounds k - 1 only, and round 0 is "?". It is what is known after k such sweeps.

A rule has no randomness, so it asks for each neighbour, as if every draw came up: one that is fixed by the text would
never show the learner the others. Of candidates at equal distance the one with the smallest number is taken."""

import re
from abc import abstractmethod
from collections.abc import Callable, Generator, Iterator, Mapping
from itertools import product
from random import Random
from typing import Any, ClassVar, NamedTuple

from moot.complexity.rules import Look, Rule, looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import NUMBER, CurriculumTask, number
from moot.tasks.family import entries

Part = Generator["tuple[str, ...] | str", tuple[str, ...], tuple[int, int] | None]


class Asked(NamedTuple):
    """A question taken apart: its letter, its round (None in the published form), and the nodes or indices it names."""

    letter: str
    round: int | None
    names: tuple[int, ...]


class RoundsTask(CurriculumTask):
    """Questions about the nodes of a graph, learnable ones in two forms.

    prefix: what stands before a node's number. learned, looked: letters of learnable and of primitive questions, with
    the number of nodes that they name; every task has E(a,b), "is there an edge", and N(a,i), "neighbour number i"; any
    other is the cell of "given" at a node. by_rounds: whether `ask` and `questions` use the form with rounds."""

    notation = re.compile(rf"([A-Z])(?:\[({NUMBER})\])?\(([^()]*)\)")
    messages = "brackets"
    prefix: ClassVar[str]
    learned: ClassVar[Mapping[str, int]]
    looked: ClassVar[Mapping[str, int]] = {"E": 2, "N": 2}
    by_rounds: ClassVar[bool] = True

    @abstractmethod
    def rounds(self, data: Any) -> int:
        """A round by which every answer is the final one."""

    @abstractmethod
    def known(self, data: Any, asked: Asked) -> str:
        """What is known after the question's round, 1 or later, by a direct algorithm; without a round, the true answer."""

    @abstractmethod
    def near(self, data: Any, asked: Asked, true: str, random: Random) -> list[str]:
        """Answers to a learnable question that look right; the true one may be among them."""

    @abstractmethod
    def step(self, asked: Asked, size: int, look: Look) -> Rule:
        """The rule of a learnable question after round 0."""

    def asked(self, text: str, size: int | None = None) -> Asked:
        """A question taken apart. UsageError when it is none, or none about an instance of that size."""
        found = self.match(text)
        letter, arguments = found[1], found[3].split(",")
        wanted = self.learned.get(letter) or self.looked.get(letter)
        numbers = [number(a) if letter == "N" and i else self.node(a) for i, a in enumerate(arguments)]
        names = tuple(n for n in numbers if n is not None)
        if not len(names) == len(arguments) == wanted or (found[2] and letter in self.looked):
            raise UsageError(f"{text!r} is no question of task {self.name}; write {self.example}")
        if size is not None and max(names[:1] if letter == "N" else names) >= size:
            raise UsageError(f"{text!r} is no question about this instance: its numbers must be below {size}")
        return Asked(letter, None if found[2] is None else int(found[2]), names)

    def node(self, answer: str, size: int | None = None) -> int | None:
        """The node that an answer names, or None when it is none (below `size`)."""
        found = number(answer[len(self.prefix) :]) if answer.startswith(self.prefix) else None
        return None if found is None or (size is not None and found >= size) else found

    def write(self, letter: str, round: int | None, *nodes: int) -> str:
        """The text of a question about nodes."""
        index = "" if round is None else f"[{round}]"
        return f"{letter}{index}({','.join(f'{self.prefix}{node}' for node in nodes)})"

    def before(self, asked: Asked, letter: str, *nodes: int) -> str:
        """The text of a sub-question: of the round before, or in the published form."""
        return self.write(letter, None if asked.round is None else asked.round - 1, *nodes)

    def count(self, data: Any) -> int:
        return entries(data["edge"])

    def ask(self, data: Any, random: Random) -> str:
        letter = random.choice(sorted(self.learned))
        nodes = [random.randrange(data["size"]) for _ in range(self.learned[letter])]
        return self.write(letter, self.rounds(data) if self.by_rounds else None, *nodes)

    def truth(self, data: Any, text: str) -> str:
        asked = self.asked(text, data["size"])
        if asked.letter in self.looked:
            return self._look_up(asked, text, looker(data))
        return UNKNOWN if asked.round == 0 else self.known(data, asked)

    def wrong(self, data: Any, text: str, random: Random) -> str:
        asked, true = self.asked(text, data["size"]), self.truth(data, text)
        if asked.letter == "E":
            return self.other(true)
        others = [f"{self.prefix}{node}" for node in range(data["size"])]
        near = others if asked.letter == "N" else self.near(data, asked, true, random)
        return random.choice([answer for answer in near if answer != true])

    def rule(self, text: str, look: Look) -> Rule:
        size = look("size")
        asked = self.asked(text, size)
        if asked.letter in self.looked:
            return self._look_up(asked, text, look)
        if asked.round == 0:
            return UNKNOWN
        return (yield from self.step(asked, size, look))

    def _look_up(self, asked: Asked, text: str, look: Look) -> str:
        if asked.letter == "E":
            return "yes" if look("edge", *asked.names) == "1" else "no"
        if asked.letter == "N":
            node, i = asked.names
            if i >= (degree := look("degree", node)):
                raise UsageError(f"{text!r} is no question about this instance: the node has {degree} neighbours")
            return f"{self.prefix}{look('neighbours', node, i)}"
        return str(look("given", asked.names[0]))

    def nearest(self, asked: Asked, size: int, look: Look, distance: Callable[[int], str]) -> Part:
        """The candidate next to the question's first node with the least known distance, as (distance, node).
        The candidates are the answers to the question itself, asked twice and kept if there is an edge, and all neighbours."""
        here = asked.names[0]
        own = self.before(asked, asked.letter, *asked.names)
        neighbours = (f"N({self.prefix}{here},{i})" for i in range(look("degree", here)))
        said = yield own, own, *neighbours
        candidates = {node for answer in said[2:] if (node := self.node(answer, size)) is not None}
        best = sorted({node for answer in said[:2] if (node := self.node(answer, size)) is not None})
        if best:
            edges = yield tuple(self.write("E", None, here, node) for node in best)
            candidates |= {node for node, edge in zip(best, edges, strict=True) if edge == "yes"}
        if not candidates:
            return None
        distances = yield tuple(distance(node) for node in sorted(candidates))
        known = [(d, node) for d, node in zip(map(number, distances), sorted(candidates), strict=True) if d is not None]
        return min(known, default=None)

    def beside(self, data: Any, asked: Asked, true: str) -> list[str]:
        """The neighbours of a question's first node; all nodes where these hold no other than the true one."""
        near = [f"{self.prefix}{node}" for node in data["neighbours"][asked.names[0]]]
        return near if set(near) - {true} else [f"{self.prefix}{node}" for node in range(data["size"])]

    def questions(self, data: Any) -> Iterator[str]:
        for round in range(self.rounds(data) + 1) if self.by_rounds else (None,):
            yield from self._written(data, self.learned, round)
        yield from self._written(data, {letter: count for letter, count in self.looked.items() if letter != "N"}, None)
        for node, degree in enumerate(data["degree"]):
            yield from (f"N({self.prefix}{node},{i})" for i in range(degree))

    def learnable(self, data: Any) -> Iterator[str]:
        return self._written(data, self.learned, None)

    def _written(self, data: Any, letters: Mapping[str, int], round: int | None) -> Iterator[str]:
        for letter, count in letters.items():
            yield from (self.write(letter, round, *nodes) for nodes in product(range(data["size"]), repeat=count))

    def primitive(self, text: str) -> bool:
        return self.asked(text).letter in self.looked

    def learned_question(self, data: Any, text: str) -> Asked:
        """A learnable question taken apart. UsageError when it is primitive or written with a round."""
        asked = self.asked(text, data["size"])
        if asked.letter in self.looked or asked.round is not None:
            raise UsageError(f"{text!r} is no question that a learner is trained on; write {self.example}")
        return asked


def adjacency(neighbours: list[list[int]]) -> dict[str, Any]:
    """The cells of a graph: its size, and each node's degree, neighbours in order and row of the adjacency matrix."""
    rows = [set(row) for row in neighbours]
    edge = ["".join("01"[node in row] for node in range(len(rows))) for row in rows]
    return {"size": len(rows), "degree": [*map(len, rows)], "neighbours": [*map(sorted, rows)], "edge": edge}
