"""One cell: what there is of it, and how the rest is had.

Rule of this file: a play that has ended is never played again, what was recorded of one that has not is taken up, and whatever is
wrong with one cell stops no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moot.agents.failing import cancelled, contained
from moot.agents.identity import Identity
from moot.play.rejudging import arejudge
from moot.play.rerun import aresume
from moot.play.run import arun
from moot.protocols.engine.errors import MootError, SealedElsewhere, said
from moot.protocols.engine.question import Sample
from moot.studies.design import Cell
from moot.studies.grid import Seated, flipped
from moot.studies.watch import Board, Watched
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import Sealed

FIRST = b'{"event":"started"'
LEFT = "left"
"""How a cell was left that waits for people, none of whom can take it."""


@dataclass(frozen=True, slots=True)
class Task:
    """A cell with what it takes to play it. path: of its transcript; parent: of the play that it judges again; named: what that is
    recorded as, where `parent` is a copy."""

    cell: Cell
    seated: Seated
    sample: Sample
    path: Path
    parent: Path | None = None
    named: Path | None = None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a cell was left. how: "played", "resumed", "not played" or "left" (`LEFT`); problem: why, in one line."""

    how: str
    transcript: Transcript | None = None
    problem: str | None = None


async def have(task: Task, board: Board, known: Mapping[int, Identity], fsync: Fsync = "ended") -> Ended:
    """Play a cell, or take it up. known: identities by agent, as they were before anybody answered."""
    try:
        return await _had(task, board, known, fsync)
    except BaseException as error:
        failure = contained(error)
        if not isinstance(failure, Exception) or cancelled():
            raise failure from None
        told = said(failure) if isinstance(failure, MootError) else f"{type(failure).__name__}: {said(failure)}"
        return Ended("not played", problem=told)


async def _had(task: Task, board: Board, known: Mapping[int, Identity], fsync: Fsync) -> Ended:
    cell, seated, path = task.cell, task.seated, task.path
    agents = seated.swapped if cell.swapped else seated.agents
    told = board.watch(name_of(task))
    seats: dict[str, Any] = {seat: Watched(agent, told, known.get(id(agent))) for seat, agent in agents.items()}
    protocol, sample = flipped(seated.protocol, task.sample) if cell.flip else (seated.protocol, task.sample)
    if path.exists() and begun(path):
        return Ended("resumed", await aresume(path, seats, protocol=protocol, fsync=fsync, parent=task.parent))
    path.parent.mkdir(parents=True, exist_ok=True)
    if task.parent is None:
        return Ended("played", await arun(protocol, sample, seats, seed=cell.seed, out=path, fsync=fsync))
    judge = next(seat for seat, role in protocol.roles(sample.question).items() if role == protocol.judge)
    others = {seat: agent for seat, agent in seats.items() if seat != judge}  # further judges among them
    before = flipped(seated.before, task.sample)[0] if cell.flip else seated.before
    again = await arejudge(
        _source(task.parent, task.named), seats[judge], seats=others, out=path, fsync=fsync, seed=cell.seed, protocol=before,
        **seated.arm.again(),
    )  # fmt: skip
    return Ended("played", again)


def _source(path: Path, named: Path | None) -> Transcript:
    """The play at a path. named: what it is recorded as, where that is a copy."""
    found = Transcript(path=path)
    if named is None:
        return found
    truth = found.sample
    if isinstance(truth, Sealed):
        with suppress(SealedElsewhere):
            truth = Sealed(truth.question, truth.task, truth.seal, held=truth.content())
    return Transcript(list(found.lines()), named, truth=truth)


def begun(path: Path) -> bool:
    """Whether a file holds more than the beginning of a first event; one that does not says nothing, and is cleared away."""
    if path.suffix == ".zst":
        return True
    with open(path, "rb") as file:
        head = file.readline(1 << 26)
        if head.endswith(b"\n") or file.read(1) or not (head.startswith(FIRST) or FIRST.startswith(head)):
            return True
    path.unlink()
    return False


def name_of(task: Task) -> str:
    """A cell in a line for people."""
    question = task.sample.question
    more = [f"epoch {task.cell.epoch}"] if task.cell.epoch else []
    more += ["swapped"] * task.cell.swapped + ["flipped"] * task.cell.flip
    more += [f"again {task.cell.repetition}"] if task.cell.repetition else []
    return " · ".join((task.seated.name, (question.id or question.text)[:60], *more))
