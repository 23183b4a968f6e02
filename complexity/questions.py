"""The questions of a play or of a rule, each once, with what they ask in turn: a graph that counts as it grows.
Rule: a graph of texts, from whoever asks them; what an answer is worth is not judged here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from moot.complexity.rules import Circle, Ruled, evaluate
from moot.protocols.engine.errors import UsageError
from moot.protocols.pointers import Store

if TYPE_CHECKING:
    import networkx as nx

LARGEST_TREE = 2**1024
_OPEN = -1


class QuestionGraph:
    """Questions by their texts; an edge leads from a question to a sub-question, however often it was asked.

    Tell it what was `asked` and what was `answered`, in any order. Counting a play from the bottom up costs time and memory
    linear in its edges: a question whose sub-questions are counted is itself counted when it is answered, for good.

    unique: questions. edges: pairs of a question and its sub-question. branching: the most sub-questions of one question.
    longest: characters of the longest question. `depth` and `tree` are computed for those that are not answered yet when
    they are read.
    """

    def __init__(self) -> None:
        self.edges = self.branching = self.longest = 0
        self.answers: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._texts: list[str] = []
        self._parts: list[tuple[int, ...]] = []
        self._asked: list[bool] = []
        # Longest way down in edges, and nodes of the tree below with itself; _OPEN and None until they are final.
        self._height: list[int] = []
        self._tree: list[int | None] = []
        self._total: tuple[int | None, int | None] | None = None

    @classmethod
    def of_rule(cls, task: Ruled, data: Any, root: str, store: Store | None = None) -> QuestionGraph:
        """What a task's rule asks from `root` on when every sub-question is answered by the rule.

        Where questions wait for each other the rule has no answers: the graph then ends in that cycle, and says so.
        """
        graph = cls()
        answers: dict[str, str] = {}
        graph._number(root if store is None else store.intern(root))
        with suppress(Circle):
            evaluate(task, data, root, answers, store, graph.asked)
        for question, answer in answers.items():
            graph.answered(question, answer)
        return graph

    def asked(self, question: str, subquestions: Iterable[str]) -> None:
        """`question` asked these. Telling it twice changes nothing; more may be added later."""
        number = self._number(question)
        old = self._parts[number]
        parts = tuple(dict.fromkeys((*old, *map(self._number, subquestions))))
        if len(parts) == len(old):
            return
        if self._height[number] != _OPEN:  # it was counted already, and so may be what asked it
            self._height = [_OPEN] * len(self._height)
            self._tree = [None] * len(self._tree)
        for part in parts[len(old) :]:
            self._asked[part] = True
        self._parts[number] = parts
        self.edges += len(parts) - len(old)
        self.branching = max(self.branching, len(parts))
        self._total = None

    def answered(self, question: str, answer: str) -> None:
        """`question` was answered. A later answer takes the place of an earlier one."""
        number = self._number(question)
        self.answers[question] = answer
        parts, height = self._parts[number], self._height
        if height[number] == _OPEN and all(height[part] != _OPEN for part in parts):
            height[number], self._tree[number] = _above(parts, height, self._tree)

    def __len__(self) -> int:
        return len(self._texts)

    def __iter__(self) -> Iterator[str]:
        return iter(self._texts)

    def __contains__(self, question: object) -> bool:
        return question in self._numbers

    def subquestions(self, question: str) -> list[str]:
        """What a question asked, in order. Raises UsageError on one that is not in the graph."""
        if question not in self._numbers:
            raise UsageError(f"the graph has no question {question!r}")
        return [self._texts[part] for part in self._parts[self._numbers[question]]]

    @property
    def unique(self) -> int:
        return len(self._texts)

    @property
    def depth(self) -> int | None:
        """Edges on the longest way down from any question; None when there is a cycle, and no longest way."""
        return self._counts()[0]

    @property
    def tree(self) -> int | None:
        """Nodes of the tree in which every question asks all its own again, summed over the questions that none asks.

        None when that is 2^1024 or more, or there is a cycle, and no end to it.
        """
        return self._counts()[1]

    @property
    def well_founded(self) -> bool:
        return not self._texts or self._counts()[0] is not None

    def cycle(self) -> list[str] | None:
        """Questions of which each asks the next, and the last the first; None when there are none."""
        found = self._finish(list(self._height), list(self._tree))
        return [self._texts[number] for number in found] or None

    def graph(self) -> nx.DiGraph[str]:
        """The questions as a networkx graph, with `answer` at those that have one; made anew at each call."""
        import networkx as nx

        graph: nx.DiGraph[str] = nx.DiGraph()
        for text in self._texts:
            graph.add_node(text, **({"answer": self.answers[text]} if text in self.answers else {}))
        for text, parts in zip(self._texts, self._parts, strict=True):
            graph.add_edges_from((text, self._texts[part]) for part in parts)
        return graph

    def _number(self, question: str) -> int:
        number = self._numbers.setdefault(question, len(self._texts))
        if number == len(self._texts):
            self._texts.append(question)
            self._parts.append(())
            self._asked.append(False)
            self._height.append(_OPEN)
            self._tree.append(None)
            self.longest = max(self.longest, len(question))
            self._total = None
        return number

    def _counts(self) -> tuple[int | None, int | None]:
        if self._total is None:
            height, tree = list(self._height), list(self._tree)
            if self._finish(height, tree):
                self._total = None, None
            else:
                roots = [tree[number] for number, asked in enumerate(self._asked) if not asked]
                self._total = max(height, default=0), _sum(roots, 0)
        return self._total

    def _finish(self, height: list[int], tree: list[int | None]) -> list[int]:
        """Count what is open, from the bottom up, into `height` and `tree`; a cycle when there is one, else []."""
        for start in range(len(height)):
            if height[start] != _OPEN:
                continue
            path = {start: iter(self._parts[start])}  # what is being counted, and what is left of its parts
            while path:
                number, left = next(reversed(path.items()))
                part = next((part for part in left if height[part] == _OPEN), None)
                if part is None:
                    path.popitem()
                    height[number], tree[number] = _above(self._parts[number], height, tree)
                elif part in path:
                    return [*path][[*path].index(part) :]
                else:
                    path[part] = iter(self._parts[part])
        return []


def _above(parts: tuple[int, ...], height: list[int], tree: list[int | None]) -> tuple[int, int | None]:
    return 1 + max((height[part] for part in parts), default=-1), _sum((tree[part] for part in parts), 1)


def _sum(counts: Iterable[int | None], total: int) -> int | None:
    for count in counts:
        if count is None:
            return None
        total += count
    return total if total < LARGEST_TREE else None
