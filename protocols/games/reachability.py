"""The debate about a walk in a graph: whoever says that there is one names its middle, and only one half is looked at.
Rule: one game and its moves; which graphs are drawn, and what is reached in them, is the task's.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899), the Reach example, after Savitch 1970: a walk of 2^k steps is
settled in k rounds, by a judge that looks up one edge.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar, Literal

from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.games.claims import ClaimGame, graph_problem


class Middle(Move, argues=True, fixed_reading=1, worded="the walk has vertex {vertex} in its middle"):
    """The vertex in the middle of the claimed walk. One that the graph does not have has no edges."""

    kind: Literal["middle"] = "middle"
    vertex: int


class Half(Move, argues=True, fixed_reading=1, worded="the {half} half is no walk"):
    """The half of the walk that the opponent disputes."""

    kind: Literal["half"] = "half"
    half: Literal["first", "second"]


class Reachability(ClaimGame):
    """Does a walk lead from start to goal? The claimant of "yes" names middle vertices, its opponent picks halves.

    question.data is {"start": 0, "goal": 3, "edges": [[0, 1, …], …]}: edges[u][v] is 1 where an edge leads from u to v.
    With N vertices there are ⌈log2(N − 1)⌉ rounds, as a shortest walk has at most N − 1 steps. The judge reads start, goal,
    those rounds and one edge: 2·⌈log2(N − 1)⌉ + 3 reads, of a tree that has (2N)^rounds leaves. Under optimal play the true
    answer wins: a walk has a middle with walks on both sides, and without one each middle leaves a half that is none. On
    graphs that are written out, as these are, that is NL; of graphs of 2^n vertices that n bits describe it would be PSPACE.
    """

    name: ClassVar[str] = "reachability"
    complexity_class: ClassVar[str | None] = "NL"
    dynamics: ClassVar[str] = "sequential"

    async def play(self, floor: Floor, question: Question) -> Decided:
        claimant, opponent = self.sides(question)
        start, goal, under = question.data["start"], question.data["goal"], None  # type: ignore[index, call-overload]
        for left in range(rounds(question.data), 0, -1):
            where = {"start": start, "goal": goal, "steps": 2**left}
            view = floor.said(source="all")
            middle: Middle = await floor.ask(claimant, Middle, view=view, under=under, task="middle", details=where)
            half = await floor.ask(
                opponent, Half, view=floor.said(source="all"), under=floor.step, relation="attacks", task="half",
                details={**where, "middle": middle.vertex},
            )  # fmt: skip
            under = floor.step
            start, goal = (start, middle.vertex) if half.half == "first" else (middle.vertex, goal)
        return await self.judged(floor, floor.said(source="metered"))

    def worth_trying(self, request: Request) -> Iterator[Move]:
        return middles(request)

    def fit(self, question: Question) -> str | None:
        return graph_problem(question.data, "start", "goal")

    def full_tree_size(self, question: Question) -> int | None:
        count = len(question.data["edges"])  # type: ignore[index, call-overload, arg-type]
        return 1 + sum(int((2 * count) ** level) * 3 * count for level in range(rounds(question.data)))

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": rounds(question.data), "b": rounds(question.data), "judge": 1}


def rounds(data: Any) -> int:
    """How often the walk is halved: up to one step, from the N − 1 that a shortest walk has at most."""
    return max(0, len(data["edges"]) - 2).bit_length()


def middles(request: Request) -> Iterator[Move]:
    """Every vertex as the middle, or both halves: what a search may try."""
    if Half in request.kinds:
        yield from (Half(half="first"), Half(half="second"))
    else:
        data: Any = request.view.question.data
        yield from (Middle(vertex=vertex) for vertex in range(len(data["edges"])))
