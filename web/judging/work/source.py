"""Where plays for people come from: the cells of a study, or recorded plays that are judged again.

Rule of this file: which plays there are, and how one is had once its people sit down; who they are is the office's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from moot.agents.failing import cancelled, contained
from moot.agents.identity import Identity, identity
from moot.agents.people.browser import Browser
from moot.play.rejudging import arejudge
from moot.play.rerun import aresume
from moot.protocols.engine.errors import MootError, UsageError, said
from moot.protocols.engine.question import Question
from moot.studies.cells import Ended, Task, begun, have
from moot.studies.design import Cell, derived_seed
from moot.studies.folder import DESIGN, read_design
from moot.studies.index import Index
from moot.studies.rows import FINAL, JUDGED
from moot.studies.running import Progress
from moot.studies.study import Study
from moot.studies.watch import Board
from moot.transcripts.index import ended_at
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript
from moot.web.judging.work.desk import Heard, items_of, people_of, person_in, with_person
from moot.web.judging.work.queue import Job, Kind

Told = Callable[[str, str], None]
"""Is told "asked" or "answered", and the seat."""
Having = Callable[[Mapping[str, Browser], Told], Awaitable[Ended]]
AT_ONCE = 16
"""Plays without people at the same time."""


@dataclass(frozen=True)
class Play:
    """A play that waits for its people. had: has it played by these, by seat; it returns however that went."""

    job: Job
    question: Question
    roles: Mapping[str, str]
    judge: str | None
    seed: int
    had: Having


Sit = Callable[[Play], Awaitable[Ended]]


class Source(ABC):
    """Plays for people. name: of the study, or of the folder."""

    name: str

    @abstractmethod
    def jobs(self) -> Iterator[Job]:
        """Every play that people are needed for, whether it is there or not."""

    @abstractmethod
    def files(self) -> dict[str, Path]:
        """The transcripts that there are, by key; also those of plays that are no longer asked for."""

    def seen(self) -> Iterator[tuple[str, frozenset[str]]]:
        """Who has sat in a play elsewhere, and what its question is known by."""
        return iter(())

    @abstractmethod
    async def run(self, sit: Sit) -> Progress:
        """Have all of it. sit: has a play had once its people are there."""


class StudySource(Source):
    """The cells of a study: those that need nobody are played as ever. most: what all model calls may cost."""

    def __init__(self, study: Study, folder: Path, fsync: Fsync = "ended", most: float | None = None) -> None:
        self.study, self.folder, self.name, self.most = study, folder, study.name, most
        self.fsync: Fsync = fsync
        agents = [each for arm in study.seated for each in arm.agents.values()]
        self._known: dict[int, Identity] = {id(a): found for a in agents if (found := identity(a)) is not None}

    def people(self) -> dict[str, Browser]:
        """The seats that people sit at, named for messages, as the study has them."""
        return {
            f"arm {arm.name!r}, {seat}": person
            for arm in self.study.seated for seat, agent in arm.agents.items() if (person := person_in(agent)) is not None
        }  # fmt: skip

    def jobs(self) -> Iterator[Job]:
        items = [items_of(sample.question) for sample in self.study.samples]
        seats = [[_seats(arm.agents), _seats(arm.swapped)] for arm in self.study.seated]
        for cell in self.study.design.cells():
            if found := seats[cell.arm][cell.swapped]:
                yield Job(cell.key, items[cell.question], self._kind(cell), found)

    def _kind(self, cell: Cell) -> Kind:
        return (self.study.seated[cell.arm].name, cell.swapped, cell.flip)

    def files(self) -> dict[str, Path]:
        return files_in(self.folder)

    async def run(self, sit: Sit) -> Progress:
        free = anyio.CapacityLimiter(AT_ONCE)

        async def by(task: Task, board: Board) -> Ended:
            arm = task.seated
            agents = arm.swapped if task.cell.swapped else arm.agents
            if not (seats := _seats(agents)):
                async with free:
                    return await have(task, board, self._known, self.fsync)
            question = task.sample.question
            job = Job(task.cell.key, items_of(question), self._kind(task.cell), seats)
            roles, judge = arm.protocol.roles(question), arm.protocol.judge
            return await sit(Play(job, question, roles, judge, task.cell.seed, partial(self._had, task, board, agents)))

        return await self.study.arun(
            self.folder, limit=self.study.design.size, fsync=self.fsync, max_cost=self.most, by=by
        )

    async def _had(
        self, task: Task, board: Board, agents: Mapping[str, Any], people: Mapping[str, Browser], told: Told
    ) -> Ended:
        """Have a cell with these people in it, under the identities that the study knows of its seats."""
        seats: dict[str, Any] = {}
        known: dict[int, Identity] = {}
        for seat, agent in agents.items():
            who = with_person(agent, people[seat]) if seat in people else agent
            seats[seat] = heard = Heard(who, told)
            if (found := self._known.get(id(agent))) is not None:
                known[id(heard)] = found
        return await have(
            replace(task, seated=replace(task.seated, agents=seats, swapped=seats)), board, known, self.fsync
        )


class FolderSource(Source):
    """Recorded plays, each judged again so many times. folder: of the plays, or of a study; out: where the new ones go. bound: puts a
    judge in a bound, instead of that which was recorded."""

    def __init__(
        self, folder: Path, out: Path, judgements: int = 1, fsync: Fsync = "ended", bound: Callable[[Any], Any] | None = None
    ) -> None:  # fmt: skip
        self.folder, self.out, self.name, self.bound = folder, out, folder.resolve().name, bound
        self.fsync: Fsync = fsync
        if out.resolve() == folder.resolve():
            raise UsageError(f"{folder} holds the plays that are judged again; give another folder by -o")
        self.judgements, self.skipped = judgements, list[str]()
        self.plays: dict[str, Recorded] = {each.key: each for each in recorded(folder, self.skipped)}
        if not self.plays:
            why = f" ({self.skipped[0]})" if self.skipped else ""
            raise UsageError(f"{folder} holds no play that could be judged again{why}")

    def jobs(self) -> Iterator[Job]:
        for number in range(1, self.judgements + 1):
            for each in self.plays.values():
                yield self._job(each, number)

    def _job(self, each: Recorded, number: int) -> Job:
        return Job(f"{each.key}.{number}", each.items, each.kind, {each.seat: None})

    def files(self) -> dict[str, Path]:
        return files_in(self.out)

    def seen(self) -> Iterator[tuple[str, frozenset[str]]]:
        return ((person, each.items) for each in self.plays.values() for person in each.people)

    async def run(self, sit: Sit) -> Progress:
        progress = Progress(self.judgements * len(self.plays))
        self.out.mkdir(parents=True, exist_ok=True)
        there = self.files()

        async def one(each: Recorded, number: int) -> None:
            job = self._job(each, number)
            path = there.get(job.key, self.out / f"{job.key}.jsonl")
            if path.exists() and begun(path) and (kind := ended_at(path)) in FINAL:
                progress.how["kept"] += 1
                progress.outcomes[str(kind)] += 1
                return
            seed = derived_seed(each.seed, "again", number)
            ended = await sit(
                Play(job, each.question, each.roles, each.judge, seed, partial(again, each, path, seed, self.fsync, self.bound))
            )  # fmt: skip
            outcome = None if ended.transcript is None else ended.transcript.outcome
            progress.how[ended.how] += 1
            progress.outcomes["not played" if outcome is None else outcome.kind] += 1
            if ended.problem is not None and len(progress.problems) < 20:
                progress.problems.append(f"{path.name}: {' '.join(ended.problem.split())[:300]}")

        async with anyio.create_task_group() as group:
            for number in range(1, self.judgements + 1):
                for each in self.plays.values():
                    group.start_soon(one, each, number)
        return progress


@dataclass(frozen=True)
class Recorded:
    """A play that can be judged again. key: its name; seat: the judge's that is asked anew; roles: of all seats; people: who sat in it."""

    key: str
    path: Path
    question: Question
    items: frozenset[str]
    kind: Kind
    seat: str
    roles: Mapping[str, str]
    judge: str | None
    seed: int
    people: frozenset[str]


def recorded(folder: Path, skipped: list[str]) -> Iterator[Recorded]:
    """The plays of a folder, or of a study's, that can be judged again. skipped: is given the others, with why. Raises UsageError where
    there is no such folder."""
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}")
    kinds: dict[str, Kind] = {}
    if (folder / DESIGN).exists():
        design = read_design(folder)
        kinds = {cell.key: (design.arms[cell.arm].name, cell.swapped, cell.flip) for cell in design.cells()}
    files = {key: path for key, path in files_in(folder).items() if not kinds or key in kinds}
    for key, path in files.items():
        try:
            if (outcome := ended_at(path)) not in JUDGED:
                skipped.append(f"{path}: {'it has not ended' if outcome is None else f'it is {outcome}'}")
                continue
            play = Transcript(path=path)
            protocol, question = play.protocol, play.question
            roles = protocol.roles(question)
            judges = [seat for seat, role in roles.items() if role == protocol.judge]
            if not judges:
                skipped.append(f"{path}: {protocol.name} has no judge")
                continue
            if len(judges) > 1:
                skipped.append(f"{path}: it has {len(judges)} judges, who would be one person")
                continue
            yield Recorded(key, path, question, items_of(question, named=False), kinds.get(key, ()), judges[0], roles,
                           protocol.judge, play.seed, frozenset(filter(None, people_of(play.seats).values())))  # fmt: skip
        except (MootError, OSError) as error:
            skipped.append(f"{path}: {said(error)}")


async def again(
    each: Recorded, path: Path, seed: int, fsync: Fsync, bound: Callable[[Any], Any] | None, people: Mapping[str, Browser],
    told: Told,
) -> Ended:  # fmt: skip
    """Have a recorded play judged by a person, or go on with that. Whatever is wrong with it stops no other."""
    try:
        play = Transcript(path=each.path)
        person = people[each.seat]
        judge = Heard(person if bound is None else bound(person), told, play.bounds.get(each.seat))
        if _there(path):
            return Ended("resumed", await aresume(path, {each.seat: judge}, fsync=fsync, parent=each.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        return Ended("played", await arejudge(play, judge, out=path, fsync=fsync, seed=seed))
    except BaseException as error:
        failure = contained(error)
        if not isinstance(failure, Exception) or cancelled():
            raise failure from None
        why = said(failure) if isinstance(failure, MootError) else f"{type(failure).__name__}: {said(failure)}"
        return Ended("not played", problem=why)


def _there(path: Path) -> bool:
    return path.exists() and begun(path)


def _seats(agents: Mapping[str, Any]) -> dict[str, str | None]:
    return {seat: person.name for seat, agent in agents.items() if (person := person_in(agent)) is not None}


def files_in(folder: Path) -> dict[str, Path]:
    """The transcripts of a folder by key, those of a study with what it has set aside."""
    if (folder / DESIGN).exists():
        index = Index(folder, owner=False)
        try:
            found = {key: index.place(key) for key in index.files()}
        finally:
            index.close()
        return found | {f"replaced/{key}": path for key, path in _flat(folder / "replaced").items()}
    return _flat(folder)


def _flat(folder: Path) -> dict[str, Path]:
    files = (path for path in sorted(folder.glob("*.jsonl*")) if path.suffix in (".jsonl", ".zst"))
    return {path.name.partition(".jsonl")[0]: path for path in files}
