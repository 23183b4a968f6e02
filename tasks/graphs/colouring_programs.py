"""Programs that are cross-examined about a colouring: claimants, true and false, their opponent, and the judge.
Rule: programs alone; whether a colouring is one is computed in `succinct_graph.py`."""

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.cross_examination import Challenge, Examination
from moot.tasks.graphs.succinct_graph import check_edge, colour_of, neighbours, spoilt_colour, violated_edge
from moot.tasks.programs.play import Program, ruled

_CELL = re.compile(r"colour\((0|[1-9]\d{0,9})\)", re.ASCII)


def cell(v: int) -> str:
    """The address of a vertex's colour."""
    return f"colour({v})"


def cells(data: Any) -> Iterator[str]:
    """Every address of a colouring of the graph."""
    return map(cell, range(2 ** data["k"]))


def colours(request: Request) -> Iterator[Move]:
    """Every colour as the answer for a cell: what a search may try for the claimant."""
    return (Reply(answer=str(colour)) for colour in range(3))


def challenges(request: Request) -> Iterator[Move]:
    """Every vertex and every pair of vertices as the challenge: what a search may try for the opponent."""
    data: Any = request.view.question.data
    return (Challenge(addresses=pair) for size in (1, 2) for pair in combinations(cells(data), size))


def vertex_of(address: str, count: int) -> int | None:
    """The vertex whose colour stands at an address; None when that is no address of a graph of `count` vertices."""
    found = _CELL.fullmatch(address)
    return v if found is not None and (v := int(found[1])) < count else None


def colour_said(answer: str) -> int:
    """The colour that an answer states, -1 when it states none."""
    return int(answer) if answer in ("0", "1", "2") else -1


class Cross(Program, name="honest", records=("task",)):
    """Both sides of a cross-examination. As a claimant it gives each vertex the colour that `colour` has for it. As an
    opponent it examines the ends of the extra edges, then all other vertices if there are queries enough, and names an
    edge that the answers violate. Of what it may not examine it believes what the honest claimant would say."""

    task = "colouring"

    def colour(self, data: Any, v: int) -> int:
        return colour_of(data, v)

    def act(self, request: Request) -> Move:
        if Reply not in request.kinds:
            return self.attack(request)
        data: Any = request.view.question.data
        v = vertex_of(request.brief["details"]["cell"], 2 ** data["k"])
        return Reply(answer=UNKNOWN if v is None else str(self.colour(data, v)))

    def attack(self, request: Request) -> Move:
        data: Any = request.view.question.data
        left = request.brief["details"]["left"]
        replies = [entry.move for entry in request.view if isinstance(entry.move, Reply)]
        said = {reply.of: colour_said(reply.answer) for reply in replies}

        def colour(v: int) -> int:
            return said[cell(v)] if cell(v) in said else colour_of(data, v)

        edge = next(((u, v) for u, v in data["extra"] if not check_edge(data, u, v, colour(u), colour(v))), None)
        every = edge is None and 2 ** data["k"] <= len(said) + left
        wanted = range(2 ** data["k"]) if every else sorted({v for pair in data["extra"] for v in pair})
        unknown = tuple(cell(v) for v in wanted if cell(v) not in said)[:left]
        if unknown and (edge is None or not all(cell(v) in said for v in edge)):
            return Examination(addresses=unknown)
        if edge is None and len(said) == 2 ** data["k"]:
            edge = violated_edge(data, colour)
        return Challenge(addresses=tuple(dict.fromkeys(map(cell, edge or data["extra"][0]))))


class Spoilt(Cross):
    """A claimant whose colouring is wrong at one vertex, the first that has a neighbour."""

    def colour(self, data: Any, v: int) -> int:
        return spoilt_colour(data, v, next(v for v in range(2 ** data["k"]) if neighbours(data, v)))


class Adaptive(Cross):
    """A claimant that gives the second vertex of a challenge another colour than it has just given the first.
    That takes sight of the challenge: a copy has none, and answers as the honest one does."""

    def act(self, request: Request) -> Move:
        if Reply in request.kinds and len(request.view) > 1:
            before, last = request.view[-2].move, request.view[-1].move
            if isinstance(before, Challenge) and isinstance(last, Reply):
                return Reply(answer=str((colour_said(last.answer) + 1) % 3))
        return super().act(request)


class WindowJudge(Program, name="window judge"):
    """Checks the one edge, or the one vertex, that is challenged: it reads 2 addresses, 2 answers and 27 cells of the
    description at most. A challenge that names no vertices, or more than two, refutes nothing."""

    def act(self, request: Request) -> Verdict:
        view = request.view
        challenge, count = view[0].move, 2 ** view.look("k")
        assert isinstance(challenge, Challenge)
        vertices = [vertex_of(address, count) for address in dict.fromkeys(challenge.addresses)]
        ends = [v for v in vertices if v is not None]
        if len(ends) != len(vertices) or len(ends) > 2:
            return ruled(view.question, "yes", True, "the challenge names no edge and no vertex")
        said = [colour_said(entry.move.answer) for entry in view[1:] if isinstance(entry.move, Reply)]
        holds = check_edge(view.look, ends[0], ends[-1], said[0], said[-1])
        named = challenge.content().replace("\n", ", ")
        why = f"{named} {'can' if holds else 'cannot'} be {said} in a proper colouring"
        return ruled(view.question, "yes", holds, why)
