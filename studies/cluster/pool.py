"""The workers of a run: started, started again when they are lost, each given the next cell while it has the fewest.

Rule of this file: a cell belongs to one worker at a time, and to the next one from where the last left it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from anyio.abc import SocketStream

from moot.agents.identity import identity
from moot.agents.models.limiter import Limiter
from moot.agents.money.cap import Cap
from moot.protocols.engine.errors import MootError, UsageError, said
from moot.studies.cells import Ended, Task
from moot.studies.cluster.launching import Handle, Launcher, launcher
from moot.studies.cluster.owner import Job, Remote, watching
from moot.studies.cluster.packing import each_packed, packed
from moot.studies.cluster.wire import NONCE, Lost, Reader, nonce, proof, proved
from moot.studies.grid import Seated
from moot.studies.watch import Board
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript

TRIES = 3
"""Workers that a cell may lose before it is left as it is."""
LEAVE = 5.0
"""Seconds that workers have to end what they do, once they are told to stop."""
T = TypeVar("T")


class Pool:
    """The workers of one run. executor: "processes" or "ray"; workers: how many, by default one for each CPU of this machine."""

    def __init__(
        self,
        seated: list[Seated],
        executor: str,
        workers: int | None,
        address: str | None,
        cap: Cap | None,
        fsync: Fsync,
    ) -> None:
        workers = (os.cpu_count() or 1) if workers is None else workers
        if type(workers) is not int or workers < 1:
            raise UsageError(f"workers is {workers!r}; it must be 1 or more")
        self.workers, self.cap = workers, cap
        self.fsync: Fsync = fsync
        agents = {f"{arm.name}, {seat}": who for arm in seated for seat, who in arm.agents.items()}
        pairs = [
            (who, found)
            for who in {id(who): who for who in agents.values()}.values()
            if (found := identity(who)) is not None
        ]
        own = any(
            type(who).__module__ == "__main__" or getattr(who, "__module__", "") == "__main__"
            for who in agents.values()
        )
        whole = each_packed(agents, lambda: (seated, pairs))
        self._study = packed({"path": sys.path[:], "seated": whole, "by_value": own})
        self._from: tuple[str, str | None] = executor, address
        self._token = nonce()
        self._remotes: dict[int, Remote] = {}
        self._handles: dict[int, Handle] = {}
        self._limiters: dict[str, Limiter] = {}
        self._failure: MootError | None = None
        self._stopping = False
        self._count = 0
        self._changed = anyio.Event()

    async def around(self, run: Callable[[], Awaitable[T]]) -> T:
        """What `run` returns, which has its cells played by `have`. Raises what it raises."""
        starting = launcher(*self._from, self.workers)
        failure: BaseException | None = None
        found: list[T] = []
        try:
            listener = await anyio.create_tcp_listener(local_host=starting.host)
            async with listener, anyio.create_task_group() as group:
                port = listener.extra(anyio.abc.SocketAttribute.local_port)
                group.start_soon(listener.serve, self._serve)
                for _ in range(self.workers):
                    group.start_soon(self._mind, starting, port)
                try:
                    found.append(await run())
                except BaseException as error:
                    failure = error
                with anyio.CancelScope(shield=True):
                    await self._stop()
                group.cancel_scope.cancel()
        finally:
            for handle in self._handles.values():
                handle.kill()
            starting.close()
        if failure is not None:
            raise failure
        return found[0]

    async def have(self, task: Task, board: Board) -> Ended:
        """Have a cell played, by another worker where one is lost. Raises UsageError where no worker can play this study."""
        told = watching(task, board)
        for _ in range(TRIES):
            remote = await self._free()
            try:
                job = Job(task, told, self.fsync)
            except (MootError, OSError) as error:
                return Ended("not played", problem=said(error))
            if (ended := await remote.play(job)) is not None:
                return ended
            if job.whole and job.failure is None:  # its worker was lost before it could say so
                return Ended("resumed" if job.resumed else "played", Transcript(path=task.path))
        return Ended("not played", problem=f"{TRIES} workers were lost while they played it; what was recorded is kept")

    async def _free(self) -> Remote:
        """The worker with the fewest cells, once there is one."""
        while True:
            if self._failure is not None:
                raise self._failure
            if ready := [each for each in self._remotes.values() if each.is_ready]:
                return min(ready, key=lambda each: len(each.jobs))
            await self._changed.wait()

    def _tell(self, remote: Remote | None = None) -> None:
        """Wake those who wait for a worker."""
        if remote is not None and remote.refused is not None and self._failure is None:
            self._failure = UsageError(f"a worker cannot play this study: {remote.refused}")
        self._changed.set()
        self._changed = anyio.Event()

    async def _mind(self, starting: Launcher, port: int) -> None:
        """Have one worker, and another each time that it is lost; three in a row that end before they have played anything end the run."""
        idle, why = 0, ""
        while not self._stopping and idle < TRIES:
            self._count += 1
            number = self._count
            try:
                handle = self._handles[number] = starting.begin(port, self._token, number)
                why = await anyio.to_thread.run_sync(
                    handle.wait, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
                )
            except Exception as error:
                why = f"{type(error).__name__}: {said(error)}"
            self._handles.pop(number, None)
            remote = self._remotes.pop(number, None)
            idle = 0 if remote is not None and remote.served else idle + 1
        if not self._stopping and self._failure is None:
            self._failure = MootError(
                f"{TRIES} workers in a row ended before they had played anything, the last so: {why}"
            )
            self._tell()

    async def _serve(self, stream: SocketStream) -> None:
        """A connection: a worker, once it has proved that it is one."""
        async with stream:
            reader, own = Reader(stream), nonce()
            try:
                with anyio.fail_after(60):
                    number = int.from_bytes(await reader.exactly(4), "big")
                    theirs = await reader.exactly(NONCE)
                    await stream.send(own + proof(self._token, b"owner", theirs))
                    if not proved(self._token, b"worker", own, await reader.exactly(len(proof(b"", b"", b"")))):
                        return
            except (TimeoutError, anyio.EndOfStream, anyio.BrokenResourceError, Lost, OSError):
                return
            if number not in self._handles or number in self._remotes:
                return
            remote = self._remotes[number] = Remote(number, stream, reader, self.cap, self._limiters, self._tell)
            try:
                await remote.serve(self._study)
            finally:
                if not self._stopping and (handle := self._handles.get(number)) is not None:
                    handle.kill()  # whatever it still does, its cells are another's now
                self._tell()

    async def _stop(self) -> None:
        """Tell all workers to stop, and wait a little for what they still have to say."""
        self._stopping = True
        for remote in list(self._remotes.values()):
            remote.send(do="stop")
        with anyio.move_on_after(LEAVE):
            for remote in list(self._remotes.values()):
                await remote.gone.wait()
