"""Reachability in a directed graph: the claim that halving settles (Savitch 1970; Irving et al. 2018).
Rule: the task and its judge; the game's moves and their order are the protocol's.

On a graph that is written out, as here, it is easy without a debate; the debate looks up one edge. The same debate
decides graphs of 2^n vertices that only a program describes, which is all of PSPACE."""

import re
from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.reachability import Half, Middle, middles, rounds
from moot.tasks.family import entries
from moot.tasks.programs.games import Game, debated
from moot.tasks.programs.play import Program, ruled

YES, NO = "yes", "no"


class EdgeJudge(Program, name="edge judge"):
    """Follows the disputed halves and looks up the one edge that they end in.
    It reads start and goal, 2 moves a round and one cell: 2 * ceil(log2(N - 1)) + 3 at most."""

    def act(self, request: Request) -> Verdict:
        view = request.view
        start, goal, middle = view.look("start"), view.look("goal"), 0
        for move in (entry.move for entry in view):
            if isinstance(move, Middle):
                middle = move.vertex
            elif isinstance(move, Half):
                start, goal = (start, middle) if move.half == "first" else (middle, goal)
        there = start == goal
        with suppress(Illegal):  # a vertex that the graph does not have
            there = there or (min(start, goal) >= 0 and view.look("edges", start, goal) == 1)
        return ruled(view.question, YES, there, f"{'a' if there else 'no'} step leads from {start} to {goal}")


class Reach(Game):
    """Does a walk lead from one vertex to another? n vertices, every edge there with probability 1.1 / n.
    The rule: a walk of at most 1 step is an edge, or none is needed; one of at most 2 k has a middle, with at most k on either side."""

    name: ClassVar[str] = "reach"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a directed graph of so many vertices: edges[u][v] is 1 where an edge leads from u to v, and 0 where none does. "
        "reach(u,v,k) asks whether a walk of at most k steps leads from u to v; k is a power of 2, and no step is needed "
        "from a vertex to itself. The answer is yes or no."
    )
    notation = re.compile(r"reach\((\d+),(\d+),(\d+)\)")
    example = "reach(0,5,8), with a power of 2 as steps"
    reads: ClassVar[str] = "2*n + 3"
    smallest, largest = 2, 128
    counted = "vertices"
    source: ClassVar[str] = "Savitch 1970, Relationships between nondeterministic and deterministic tape complexities"
    plays = {"reachability": debated("edge-judge")}
    own = {**Game.own, "edge-judge": EdgeJudge}

    def data(self, size: int, random: Random) -> dict[str, Any]:
        edges = [[int(u != v and random.random() < 1.1 / size) for v in range(size)] for u in range(size)]
        start, goal = random.sample(range(size), 2)
        return {"vertices": size, "start": start, "goal": goal, "edges": edges}

    def count(self, data: Any) -> int:
        return entries(data["edges"])

    def ask(self, data: Any, random: Random) -> str:
        return f"reach({data['start']},{data['goal']},{2 ** rounds(data)})"

    def truth(self, data: Any, text: str) -> str:
        start, goal, steps = self.claim(text)
        edges = data["edges"]
        if max(start, goal) >= len(edges):
            raise UsageError(f"{text!r} names a vertex that this graph of {len(edges)} does not have")
        reached, frontier = {start}, [start]
        for _ in range(min(steps, len(edges))):
            frontier = [v for v in range(len(edges)) if v not in reached and any(edges[u][v] for u in frontier)]
            reached.update(frontier)
        return YES if goal in reached else NO

    def rule(self, text: str, look: Look) -> Rule:
        start, goal, steps = self.claim(text)
        if steps == 1:
            return YES if start == goal or look("edges", start, goal) else NO
        count = look("vertices")
        half = steps // 2
        parts = [f"reach({u},{v},{half})" for m in range(count) for u, v in ((start, m), (m, goal))]
        answers = yield tuple(parts)
        pairs = list(zip(answers[::2], answers[1::2], strict=True))
        return YES if (YES, YES) in pairs else NO if all(NO in pair for pair in pairs) else UNKNOWN

    def questions(self, data: Any) -> Iterator[str]:
        count, steps = len(data["edges"]), 2 ** rounds(data)
        while steps:
            yield from (f"reach({u},{v},{steps})" for u in range(count) for v in range(count))
            steps //= 2

    def claim(self, text: str) -> tuple[int, int, int]:
        """Start, goal and steps of a question. UsageError when it is none."""
        start, goal, steps = map(int, self.match(text).groups())
        if steps < 1 or steps & (steps - 1):
            raise UsageError(f"{text!r} is no question about a walk; write {self.example}")
        return start, goal, steps

    def after(self, request: Request) -> Iterator[tuple[Move, str]]:
        """Every middle, with whether both halves hold; or both halves, with whether each holds."""
        data: Any = request.view.question.data
        told = request.brief["details"]
        start, goal, half = told["start"], told["goal"], told["steps"] // 2

        def walk(u: int, v: int) -> str:
            # A vertex that the graph does not have can be named, and has no edges.
            known = max(u, v) < len(data["edges"]) and min(u, v) >= 0
            return self.truth(data, f"reach({u},{v},{half})") if known else (YES if u == v else NO)

        for move in middles(request):
            if isinstance(move, Middle):
                yield move, YES if walk(start, move.vertex) == walk(move.vertex, goal) == YES else NO
            elif isinstance(move, Half):
                ends = (start, told["middle"]) if move.half == "first" else (told["middle"], goal)
                yield move, walk(*ends)
