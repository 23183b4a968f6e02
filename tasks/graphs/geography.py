"""Generalized geography: who wins a game of walking through a graph without returning (Schaefer 1978).
Rule: the task and its judge; the game's moves and their order are the protocol's."""

import re
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.geography import Go, Stuck, steps
from moot.tasks.family import entries
from moot.tasks.programs.games import Game, debated
from moot.tasks.programs.play import Program, ruled

YES, NO = "yes", "no"


class WalkJudge(Program, name="walk judge"):
    """Checks every step, and finds against the maker of the first that is illegal, or else against who is stuck.
    It reads the start, at most N moves and an edge for each: 2 N + 1 at most."""

    def act(self, request: Request) -> Verdict:
        view = request.view

        def edge(u: int, v: int) -> bool:
            try:
                return bool(view.look("edges", u, v) == 1)
            except Illegal:
                return False

        walk = [view.look("start")]
        for turn, entry in enumerate(view):
            mover, why = ("first", "second")[turn % 2], "player is stuck"
            if isinstance(entry.move, Go):
                walk.append(entry.move.vertex)
                why = f"player's step {entry.step} is illegal"
            if not isinstance(entry.move, Go) or not legal(walk, edge):
                return ruled(view.question, YES, mover == "second", f"the {mover} {why}")
        raise AgentError(f"step {request.step}: the walk {walk} stopped before anybody was stuck")


class GeographyGame(Game):
    """Does the player to move win? n vertices, every edge there with probability 2.5 / n.
    The rule: whoever is to move wins when there is a step after which the other, who is then to move, does not."""

    name: ClassVar[str] = "geography"
    complexity_class: ClassVar[str] = "PSPACE"
    about: ClassVar[str] = (
        "The data is a directed graph of so many vertices: edges[u][v] is 1 where an edge leads from u to v, and 0 where none "
        "does. Two players walk along its edges in turn, never to a vertex where the walk has been; who cannot move loses. "
        "wins(0,3,5) asks whether the player wins who is to move after the walk 0, 3, 5. The answer is yes or no."
    )
    notation = re.compile(r"wins\((\d+(?:,\d+)*)\)")
    example = "wins(0,3,5)"
    reads: ClassVar[str] = "2*n + 1"
    largest = 24
    counted = "vertices"
    source: ClassVar[str] = "Schaefer 1978, On the complexity of some two-person perfect-information games"
    plays = {"geography": debated("walk-judge")}
    own = {**Game.own, "walk-judge": WalkJudge}

    def data(self, size: int, random: Random) -> dict[str, Any]:
        edges = [[int(u != v and random.random() < 2.5 / size) for v in range(size)] for u in range(size)]
        return {"vertices": size, "start": random.randrange(size), "edges": edges}

    def count(self, data: Any) -> int:
        return entries(data["edges"])

    def ask(self, data: Any, random: Random) -> str:
        return f"wins({data['start']})"

    def truth(self, data: Any, text: str) -> str:
        walk = self.walk(text)
        edges: list[list[int]] = data["edges"]
        if max(walk) >= len(edges) or not all(edges[u][v] for u, v in zip(walk, walk[1:], strict=False)):
            raise UsageError(f"{text!r} is no walk along the edges of this graph")
        return YES if mover_wins(edges, walk[-1], frozenset(walk), {}) else NO

    def rule(self, text: str, look: Look) -> Rule:
        walk = self.walk(text)
        there = [v for v in range(look("vertices")) if v not in walk and look("edges", walk[-1], v)]
        if not there:
            return NO
        answers = yield tuple(f"wins({','.join(map(str, (*walk, v)))})" for v in there)
        return YES if NO in answers else UNKNOWN if UNKNOWN in answers else NO

    def questions(self, data: Any) -> Iterator[str]:
        edges = data["edges"]
        if len(edges) > 8:
            raise UsageError(f"task geography: the walks through {len(edges)} vertices are too many to list")
        todo: list[tuple[int, ...]] = [(v,) for v in range(len(edges))]
        for walk in todo:
            yield f"wins({','.join(map(str, walk))})"
            todo += [(*walk, v) for v in range(len(edges)) if v not in walk and edges[walk[-1]][v]]

    def walk(self, text: str) -> tuple[int, ...]:
        """The walk that a question is about. UsageError when it is none."""
        walk = tuple(map(int, self.match(text)[1].split(",")))
        if len(set(walk)) < len(walk):
            raise UsageError(f"{text!r} is no question about a walk without return; write {self.example}")
        return walk

    def after(self, request: Request) -> Iterator[tuple[Move, str]]:
        """Every legal step with whether the first player wins after it; being stuck, where there is none.
        After an illegal step everything is won or lost, and giving up is as good as any move."""
        data: Any = request.view.question.data
        edges, walk = data["edges"], [data["start"]]
        for turn, entry in enumerate(request.view):
            assert isinstance(entry.move, Go)
            walk.append(entry.move.vertex)
            if not legal(walk, lambda u, v: v < len(edges) and edges[u][v] == 1):
                yield Stuck(), NO if turn % 2 == 0 else YES
                return
        first = len(walk) % 2 == 1
        for move in steps(request):
            if isinstance(move, Go):
                wins = mover_wins(edges, move.vertex, frozenset((*walk, move.vertex)), {})
                yield move, YES if wins != first else NO
            else:
                yield move, NO if first else YES


def legal(walk: list[int], edge: Callable[[int, int], bool]) -> bool:
    """Whether the last step of a walk goes along an edge, to a vertex that is new."""
    *before, vertex = walk
    return vertex >= 0 and vertex not in before and edge(before[-1], vertex)


def mover_wins(edges: list[list[int]], at: int, seen: frozenset[int], known: dict[Any, bool]) -> bool:
    """Whether the player wins who is to move at `at` when the walk has been at `seen`; `known` keeps what was found."""
    if (at, seen) not in known:
        there = (v for v, edge in enumerate(edges[at]) if edge and v not in seen)
        known[at, seen] = any(not mover_wins(edges, v, seen | {v}, known) for v in there)
    return known[at, seen]
