"""Generalized geography: two players walk through a graph in turn, never twice to one vertex; who is stuck has lost.
Rule: one game and its moves; which graphs are drawn, and who wins on them, is the task's.

Deciding who wins is PSPACE-complete (Schaefer 1978). It is the plainest debate on a tree of unbounded branching.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar, Literal

from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.games.claims import ClaimGame, graph_problem


class Go(Move, argues=True, fixed_reading=1, worded="to vertex {vertex}"):
    """A step along an edge, to a vertex that was not visited. The judge checks that it is one."""

    kind: Literal["go"] = "go"
    vertex: int


class Stuck(Move, argues=True, fixed_reading=1, worded="there is nowhere left to go"):
    """The player has nowhere to go, or gives up: it loses."""

    kind: Literal["stuck"] = "stuck"


class Geography(ClaimGame):
    """Does the player who moves first win? The claimant of "yes" is that player.

    question.data is {"start": 0, "edges": [[0, 1, …], …]}: edges[u][v] is 1 where an edge leads from u to v. The start
    counts as visited. Any step is put on the record; the maker of the first illegal one loses, and if there is none the
    player who is stuck. With N vertices nobody can make an N-th legal step, so N turns end it, and the judge, who
    checks every step, reads at most 2N + 1.
    """

    name: ClassVar[str] = "geography"
    dynamics: ClassVar[str] = "sequential"

    async def play(self, floor: Floor, question: Question) -> Decided:
        return await self.onward(floor, question, ())

    async def onward(self, floor: Floor, question: Question, moves: Sequence[Move]) -> Decided:
        players = self.sides(question)
        data: Any = question.data
        at, under = data["start"], None
        if moves:
            at, under = getattr(moves[-1], "vertex", None), floor.step
        over = bool(moves) and isinstance(moves[-1], Stuck)
        for turn in range(len(moves), 0 if over else len(data["edges"])):
            step: Go | Stuck = await floor.ask(
                players[turn % 2], Go | Stuck, view=floor.said(source="all"), under=under,
                relation="attacks" if turn % 2 else "supports", task="go", details={"at": at},
            )  # fmt: skip
            if isinstance(step, Stuck):
                break
            at, under = step.vertex, floor.step
        return await self.judged(floor, floor.said(source="metered"))

    def worth_trying(self, request: Request) -> Iterator[Move]:
        return steps(request)

    def fit(self, question: Question) -> str | None:
        return graph_problem(question.data, "start")

    def most_moves(self, question: Question) -> dict[str, int] | None:
        first, second = self.sides(question)
        count = len(question.data["edges"])  # type: ignore[index, call-overload, arg-type]
        return {first: (count + 1) // 2, second: count // 2, "judge": 1}


def steps(request: Request) -> Iterator[Move]:
    """Every legal step, and giving up where there is none: what a search may try, as nothing else can win."""
    data: Any = request.view.question.data
    at = request.brief["details"]["at"]
    seen = {data["start"], *(entry.move.vertex for entry in request.view if isinstance(entry.move, Go))}
    count = len(data["edges"])
    legal = [v for v in range(count) if v not in seen and at in range(count) and data["edges"][at][v]]
    yield from (Go(vertex=vertex) for vertex in legal)
    if not legal:
        yield Stuck()
