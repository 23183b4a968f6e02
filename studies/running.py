"""Running a study: which cells are still to be had, so many at a time, until they all are or something says stop.

Rule of this file: order and limits; a cell is had in `cells.py`, and what was had is known from the index alone.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio

from moot.agents.base import close_all, start_all, together
from moot.agents.identity import Identity, identity
from moot.agents.money.cap import Cap
from moot.agents.people.terminal import warn
from moot.protocols.engine.errors import UsageError, said
from moot.protocols.engine.question import Sample
from moot.studies.cells import LEFT, Ended, Task, have, name_of
from moot.studies.design import Cell, Design
from moot.studies.grid import Seated
from moot.studies.index import Index, Known
from moot.studies.rows import FINAL, FOREIGN, JUDGED, own, truth_mark
from moot.studies.watch import Board
from moot.transcripts.store import Fsync, room_for

Have = Callable[[Task, Board], Awaitable[Ended]]
LOST = 25
"""Plays in a row that end in errors before a run stops: an endpoint or a disk is gone."""


@dataclass
class Progress:
    """How a run went. cells: how many the study has; outcomes: of those that have ended, kept ones among them; how: what was
    done about them; stopped: why it stopped before the end; problems: up to twenty, in a line each."""

    cells: int
    outcomes: Counter[str] = field(default_factory=Counter)
    how: Counter[str] = field(default_factory=Counter)
    stopped: str | None = None
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every cell has ended for good."""
        return sum(self.outcomes[kind] for kind in FINAL) == self.cells

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} {kind}" for kind, count in sorted(self.outcomes.items())) or "none played"
        how = ", ".join(f"{count} {kind}" for kind, count in sorted(self.how.items()))
        return (
            f"{self.cells} cells: {outcomes}"
            + (f" ({how})" if how else "")
            + (f"; stopped: {self.stopped}" if self.stopped else "")
        )


class Run:
    """One run of a study in its folder. limit: plays at the same time; seconds: after which nothing is begun. elsewhere: has a cell
    played in another process; by: has one played here, once whoever is needed is there, so that it may have as many at a time as it likes; without
    both, cells are played here as they come."""

    def __init__(
        self, design: Design, seated: Sequence[Seated], samples: Sequence[Sample], folder: Path, index: Index, board: Board, *,
        limit: int, cap: Cap | None = None, seconds: float | None = None, fsync: Fsync = "ended", elsewhere: Have | None = None,
        by: Have | None = None,
    ) -> None:  # fmt: skip
        self.design, self.seated, self.samples, self.folder, self.index = design, seated, samples, folder, index
        self.board, self.cap, self.seconds, self.elsewhere = board, cap, seconds, elsewhere
        self.fsync: Fsync = fsync
        self.by = by
        self.limit = max(1, limit if by is not None else room_for(limit))
        self.progress = Progress(design.size)
        self.known: dict[str, Known] = {}
        self.identities: dict[int, Identity] = {}
        self._errors = 0
        self._ready: deque[Cell] = deque()
        self._under_way = 0
        self._more: anyio.Event | None = None  # set when a play has ended

    @property
    def agents(self) -> list[Any]:
        """Everybody who sits anywhere, each once."""
        return list({id(each): each for arm in self.seated for each in arm.agents.values()}.values())

    async def __call__(self) -> Progress:
        """Have every cell that is not there yet."""
        self.known = self.index.refreshed()
        self._same_truths()
        self.identities = {id(each): found for each in self.agents if (found := identity(each)) is not None}
        self._begun = time.monotonic()
        self._first = self.design.first()

        async def worker() -> None:
            while not self._stops():
                if (cell := self._next()) is None:
                    if not self._under_way:
                        return
                    self._more = self._more or anyio.Event()  # what ends may be judged again
                    await self._more.wait()
                    continue
                self._under_way += 1
                try:
                    await self._one(cell)
                finally:
                    self._under_way -= 1
                    if self._more is not None:
                        self._more.set()
                        self._more = None

        agents = self.agents if self.elsewhere is None else []
        try:
            await start_all(agents)  # held over all plays, so that connections stay open between them
        except UsageError:
            raise
        except Exception:
            pass  # each play starts them too, and says what is wrong
        try:
            await together([worker] * self.limit)
        finally:
            self.index.flush()
            with anyio.CancelScope(shield=True):
                try:
                    await close_all(agents)
                except Exception as error:
                    warn(f"an agent failed to close: {type(error).__name__}: {said(error)}; the plays are kept")
        return self.progress

    def _same_truths(self) -> None:
        """Raise UsageError where a play that is there was of a question whose true answer is another now: its row would say
        so, and those of new plays something else."""
        told: dict[str | None, tuple[str, Sample]] = {}
        marks: dict[str, str] = {}
        for question, sample in zip(self.design.questions, self.samples, strict=True):
            told[question.fingerprint] = question.name, sample
        for key, known in self.known.items():
            straight = known.asked in told
            found = told.get(known.asked if straight else known.mirror)
            if found is None:  # of a question that is no longer asked
                continue
            name, sample = found
            if name not in marks:
                marks[name] = truth_mark(sample)
            if known.mark not in (None, marks[name]):
                raise UsageError(
                    f"question {name!r:.100} has another true answer than in {self.index.place(key)}, which was played before: set it "
                    "back, word the question anew, or use a new folder; nothing was played"
                )

    def _next(self) -> Cell | None:
        """The next cell that is to be played, those first that judge again what is there; None where there is none now. One
        that is had already is counted."""
        while (cell := self._ready.popleft() if self._ready else next(self._first, None)) is not None:
            if (known := self._kept(cell)) is None:
                return cell
            self.progress.how["kept"] += 1
            self._count(cell, known.outcome)
            self.board.kept += 1
            self.board.counts[known.outcome] += 1
        return None

    def _kept(self, cell: Cell) -> Known | None:
        """What is known of a cell that need not be played."""
        known = self.known.get(cell.key)
        if known is None or known.outcome not in FINAL or not own(self.design, cell, *known.whose):
            return None
        if cell.parent is not None and known.judged_again != self.known[cell.parent].digest:
            return None  # the play was had anew, and this judged the one before
        return known

    def _count(self, cell: Cell, outcome: str, problem: str | None = None) -> None:
        self.progress.outcomes[outcome] += 1
        if problem is not None and len(self.progress.problems) < 20:
            self.progress.problems.append(f"{cell.path}: {outcome}: {' '.join(problem.split())[:300]}")
        if outcome in JUDGED:
            self._ready.extend(self.design.after(cell))
        elif (missing := self._below(cell)) > 0:
            self.progress.outcomes["not played"] += missing

    def _below(self, cell: Cell) -> int:
        """How many cells would judge it again, those of those too."""
        return sum(1 + self._below(again) for again in self.design.after(cell))

    async def _one(self, cell: Cell) -> None:
        task = self._task(cell)
        if (cleared := self._cleared(cell, task.path)) is not None:
            ended = cleared
        elif (having := self.elsewhere or self.by) is not None:
            ended = await having(task, self.board)
        else:
            ended = await have(task, self.board, self.identities, self.fsync)
        outcome, problem = self._noted(cell, ended)
        self.progress.how[ended.how] += 1
        self._count(cell, outcome, problem)
        if ended.how != LEFT:  # nobody's fault
            self._errors = self._errors + 1 if outcome in ("errored", "not played") else 0
        self.board.ended(name_of(task), outcome, problem)

    def _cleared(self, cell: Cell, path: Path) -> Ended | None:
        """Make room for a play that judges anew. Why it cannot be had, where what is in its place is not its own."""
        known = self.known.get(cell.key)
        if known is None:
            return None
        if not own(self.design, cell, *known.whose):
            return Ended("not played", problem=FOREIGN)
        if known.outcome in FINAL:  # it judged a play that was had anew since
            try:
                set_aside(path)
            except OSError as error:
                return Ended("not played", problem=f"cannot be moved to replaced/: {error}")
        return None

    def _noted(self, cell: Cell, ended: Ended) -> tuple[str, str | None]:
        """Keep in the index what came of a play."""
        if ended.transcript is None:
            return "not played", ended.problem
        self.known[cell.key] = known = self.index.put(cell.key, ended.transcript)
        outcome = ended.transcript.outcome
        return known.outcome, next(
            filter(None, (getattr(outcome, name, None) for name in ("cause", "rule", "reason"))), None
        )

    def _task(self, cell: Cell) -> Task:
        parent = None if cell.parent is None else self.index.place(cell.parent)
        return Task(cell, self.seated[cell.arm], self.samples[cell.question], self.index.place(cell.key), parent)

    def _stops(self) -> bool:
        """Whether nothing more is begun."""
        if self.cap is not None and self.cap.refused:
            self.progress.stopped = self.cap.refused
        elif self.seconds is not None and time.monotonic() - self._begun >= self.seconds:
            self.progress.stopped = f"the {self.seconds:g} seconds that it may take are over"
        elif self._errors >= LOST:
            self.progress.stopped = (
                f"{self._errors} plays in a row ended in errors, the last: {(self.progress.problems or ['?'])[-1]}"
            )
        return self.progress.stopped is not None


def set_aside(path: Path) -> None:
    """Move a transcript and its truth to `replaced/` in the folder of the study: nothing that was recorded is lost."""
    aside = path.parents[2] / "replaced"
    aside.mkdir(exist_ok=True)
    key, _, ending = path.name.partition(".")
    taken = (f"{key}-{number}" for number in itertools.count(1))
    name = next(each for each in taken if not any((aside / f"{each}.{end}").exists() for end in ("jsonl", "jsonl.zst")))
    truth = path.with_name(f"{key}.truth.json")
    if truth.exists():
        truth.rename(aside / f"{name}.truth.json")
    path.rename(aside / f"{name}.{ending}")


def under(cap: Cap | None) -> Any:
    """The block that runs inside a cap, where there is one."""
    return nullcontext() if cap is None else cap
