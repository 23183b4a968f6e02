"""The owner's side of one worker: what it is given to play, what comes of that, and what it may call and spend.

Rule of this file: each line goes to the cell's own file as it comes, so that another worker can go on from there; what a lost worker
had been granted is taken back, money that it may have spent as spent.
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
from anyio.abc import ByteStream, TaskGroup
from pydantic_core import from_json

from moot.agents.models.limiter import Limiter
from moot.agents.money.cap import Cap, CapReached, Hold
from moot.protocols.engine import __version__
from moot.protocols.engine.errors import MootError, said
from moot.studies.cells import Ended, Task, begun, name_of
from moot.studies.cluster.packing import packed
from moot.studies.cluster.wire import Lost, Reader, framed
from moot.studies.watch import Board, Told
from moot.transcripts.store import Fsync, Writer, repair, write_new
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import truth_files


class Job:
    """One cell while a worker plays it. Raises in the making what keeps it from being sent."""

    def __init__(self, task: Task, told: Told | None, fsync: Fsync) -> None:
        self.task, self.told = task, told
        self.fsync: Fsync = fsync
        self.ended: Ended | None = None
        self.done = anyio.Event()
        self.failure: str | None = None
        self.whole = False  # whether the play has ended, by what came of it
        self._writer: Writer | None = None
        path, parent, files = task.path, task.parent, dict[str, bytes]()
        self.resumed = path.exists() and begun(path)
        if self.resumed:
            repair(path)
            files[path.name] = path.read_bytes()
        for each in truth_files(path):
            files[each.name] = each.read_bytes()
        if parent is not None:
            for each in (parent, *truth_files(parent)):
                files[f"parent/{each.name}"] = each.read_bytes()
        self.body = packed(
            {"cell": task.cell, "sample": task.sample, "files": files, "name": path.name, "parent": parent}
        )

    def line(self, line: bytes) -> None:
        """Keep a line of its transcript. Raises MootError where the disk does not take it."""
        if self._writer is None:
            self._writer = Writer(self.task.path, append=self.resumed, fsync=self.fsync)
        self._writer(line)
        self.whole = line.startswith(b'{"event":"ended"')
        if self.told is not None and line.startswith(b'{"event":"moved"'):
            event = from_json(line)
            self.told("answered", SimpleNamespace(seat=event["seat"], step=event["step"]), None)  # type: ignore[arg-type]

    def file(self, name: str, data: bytes) -> None:
        """Keep a truth. Raises MootError where the disk does not take it."""
        if Path(name).name != name or not name.startswith(f"{self.task.path.stem}.truth"):
            raise MootError(f"a worker sent a file {name!r:.100}, which is none of its cell's")
        self.task.path.parent.mkdir(parents=True, exist_ok=True)
        write_new(self.task.path.with_name(name), data)

    def close(self) -> None:
        """Hand to the disk what came."""
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                writer.close()
            except MootError as error:
                self.failure = self.failure or said(error)

    def end(self, how: str, problem: str | None) -> None:
        self.close()
        if self.failure is not None:
            how, problem = "not played", self.failure
        found = Transcript(path=self.task.path) if how != "not played" else None
        self.ended = Ended(how, found, problem)
        self.done.set()


class Remote:
    """A worker that is connected. jobs: what it plays. served: how many cells it has ended."""

    def __init__(
        self, number: int, stream: ByteStream, reader: Reader, cap: Cap | None, limiters: dict[str, Limiter],
        ready: Callable[[Remote], None],
    ) -> None:  # fmt: skip
        self.number, self.stream, self.reader, self.cap, self.limiters = number, stream, reader, cap, limiters
        self.is_ready, self.lost, self.stopping, self.served = False, False, False, 0
        self.refused: str | None = None
        self.jobs: dict[int, Job] = {}
        self.gone = anyio.Event()
        self._ready = ready
        self._holds: dict[int, Hold] = {}
        self._places: Counter[str] = Counter()
        self._group: TaskGroup | None = None
        self._out, self._outs = anyio.create_memory_object_stream[bytes](1 << 20)
        self._count = 0

    def send(self, body: bytes = b"", **head: Any) -> None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):
            self._out.send_nowait(framed(head, body))

    async def serve(self, study: bytes) -> None:
        """Hear it out until it is gone. study: what it is given first."""
        self.send(study, do="study", cap=None if self.cap is None else self.cap.most)
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                group.start_soon(self._sender)
                with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, Lost, OSError):
                    while True:
                        head, body = await self.reader.message()
                        self._heard(head, body)
                group.cancel_scope.cancel()
        finally:
            self._left()

    async def _sender(self) -> None:
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            async for data in self._outs:
                await self.stream.send(data)

    def _left(self) -> None:
        """It is gone: what it held is free, and what it may have spent is spent."""
        self.lost, self.is_ready = True, False
        self._out.close()
        self._outs.close()
        for hold in self._holds.values():
            hold.charge(None)
            if self.cap is not None:
                self.cap.holds.pop(hold.number, None)
        for place, count in self._places.items():
            for _ in range(count):
                self.limiters[place].release()
        for job in self.jobs.values():
            job.close()
            job.done.set()
        self.gone.set()

    async def play(self, job: Job) -> Ended | None:
        """Have a cell played; None where the worker is lost before it has ended."""
        self._count += 1
        number = self._count
        self.jobs[number] = job
        try:
            self.send(job.body, do="cell", cell=number, spent=0.0 if self.cap is None else self.cap.spent)
            await job.done.wait()
        finally:
            del self.jobs[number]
            job.close()
        return job.ended

    def _heard(self, head: dict[str, Any], body: bytes) -> None:
        say = head.get("say")
        if say in ("line", "file", "ended"):
            if (job := self.jobs.get(head["cell"])) is not None:
                self._of(job, head, body)
        elif say == "hello":
            own = {"moot": __version__, "python": platform.python_version()}
            for what, version in own.items():
                if head[what].split(".")[:2] != version.split(".")[:2]:
                    self.refused = (
                        f"a worker on {head['host']} has {what} {head[what]}, and the owner {version}: install the same"
                    )
                    self._ready(self)
        elif say == "refused":
            self.refused = head["why"]
            self._ready(self)
        elif say == "ready":
            self.is_ready = self.refused is None
            self._ready(self)
        elif say in ("hold", "acquire"):
            assert self._group is not None
            self._group.start_soon(self._hold if say == "hold" else self._acquire, head)
        elif say == "charge":
            hold = self._holds.pop(head["hold"], None)
            if hold is not None and self.cap is not None:
                hold.charge(head["cost"])
                self.cap.holds.pop(hold.number, None)
        elif say == "release":
            if self._places[head["place"]] > 0:
                self._places[head["place"]] -= 1
                self.limiters[head["place"]].release()
        elif say in ("grow", "shrink", "pause"):
            limiter = self._limiter(head["place"])
            if say == "grow":
                limiter.grow()
            elif say == "shrink":
                limiter.shrink(head["ticket"])
            else:
                limiter.pause(head["seconds"])

    def _of(self, job: Job, head: dict[str, Any], body: bytes) -> None:
        if head["say"] == "ended":
            self.served += 1
            return job.end("resumed" if job.resumed and head["how"] != "not played" else head["how"], head["problem"])
        if job.failure is not None:
            return
        try:
            if head["say"] == "line":
                job.line(body)
            else:
                job.file(head["name"], body)
        except MootError as error:
            job.failure = said(error)
            self.send(do="drop", cell=head["cell"])

    def _limiter(self, place: str) -> Limiter:
        if place not in self.limiters:
            self.limiters[place] = Limiter()
        return self.limiters[place]

    async def _acquire(self, head: dict[str, Any]) -> None:
        ticket = await self._limiter(head["place"]).acquire()
        if self.lost:
            return self._limiter(head["place"]).release()
        self._places[head["place"]] += 1
        self.send(do="admitted", id=head["id"], ticket=ticket, place=head["place"])

    async def _hold(self, head: dict[str, Any]) -> None:
        assert self.cap is not None
        refused, number = None, 0
        try:
            hold = await self.cap.hold(head["bound"], nullcontext)
            if self.lost:  # it was never told
                hold.charge(0.0)
                del self.cap.holds[hold.number]
                return
            self._holds[hold.number], number = hold, hold.number
        except CapReached as error:
            refused = said(error)
        self.send(do="granted", id=head["id"], hold=number, refused=refused, spent=self.cap.spent)


def watching(task: Task, board: Board) -> Told | None:
    """What tells the board about a cell; where nothing is drawn, nothing is told."""
    told = board.watch(name_of(task))
    return told if board.live else None
