"""A worker: it connects to the owner of a study, plays the cells that it is given, and hands on each line as it is recorded.

Rule of this file: nothing is kept here. Whatever is not with the owner when this process ends was never recorded.
"""

from __future__ import annotations

import asyncio
import os
import pickle
import platform
import socket
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from shutil import rmtree
from typing import Any

import anyio

from moot.agents.base import close_all, start_all
from moot.agents.identity import Identity, identity
from moot.agents.models.limiter import shared
from moot.protocols.engine import __version__
from moot.protocols.engine.errors import said
from moot.studies.cells import Task, have
from moot.studies.cluster.leases import Asking, LeasedCap, LeasedLimiter
from moot.studies.cluster.wire import NONCE, Lost, exactly, framed, message, nonce, proof, proved
from moot.studies.grid import Seated
from moot.studies.running import under
from moot.studies.watch import Board
from moot.transcripts.store import copied

GRACE = 10.0
"""Seconds after which a process whose owner is gone ends, whatever its agents do."""


def work(host: str, port: int, token: bytes, number: int) -> None:
    """Work for the owner at an address until it says stop, or is gone. number: which of its workers this is."""
    with socket.create_connection((host, port), timeout=60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        own = nonce()
        sock.sendall(number.to_bytes(4, "big") + own)
        theirs, given = exactly(sock, NONCE), exactly(sock, NONCE)
        if not proved(token, b"owner", own, given):
            raise Lost(f"{host}:{port} is not the owner of this study")
        sock.sendall(proof(token, b"worker", theirs))
        sock.settimeout(None)
        with tempfile.TemporaryDirectory(prefix="moot-worker-", ignore_cleanup_errors=True) as folder:
            anyio.run(Worker(sock, token, Path(folder)).run)


class Worker:
    """One connection to an owner. Its loop sends; a thread of its own reads."""

    def __init__(self, sock: socket.socket, token: bytes, folder: Path) -> None:
        self.sock, self.token, self.folder = sock, token, folder
        self.asking = Asking(self.send)
        self.seated: list[Seated] = []
        self.known: dict[int, Identity] = {}
        self.board = Board(0, live=False)
        self.scopes: dict[int, anyio.CancelScope] = {}
        self._sending = threading.Lock()

    def send(self, body: bytes = b"", **head: Any) -> None:
        with self._sending:
            self.sock.sendall(framed(head, body))

    async def run(self) -> None:
        heard, hears = anyio.create_memory_object_stream[tuple[dict[str, Any], bytes]](1 << 20)
        loop = asyncio.get_running_loop()
        stops = anyio.Event()

        def read() -> None:
            try:
                while True:
                    loop.call_soon_threadsafe(heard.send_nowait, message(self.sock))
            except Exception:
                timer = threading.Timer(GRACE, os._exit, (1,))
                timer.daemon = True
                timer.start()
                with suppress(RuntimeError):  # the loop has ended already
                    loop.call_soon_threadsafe(stops.set)

        self.send(
            say="hello", moot=__version__, python=platform.python_version(), host=socket.gethostname(), pid=os.getpid()
        )
        threading.Thread(target=read, daemon=True).start()
        head, body = await hears.receive()
        if (why := self._taken(body)) is not None:
            return self.send(say="refused", why=why)
        agents = list({id(each): each for arm in self.seated for each in arm.agents.values()}.values())
        cap = None if head["cap"] is None else LeasedCap(head["cap"], self.asking)
        shared.set(lambda place: LeasedLimiter(self._named(place), self.asking))
        try:
            try:
                await start_all(agents)  # held over all plays, so that connections stay open between them
            except Exception as error:
                return self.send(say="refused", why=f"an agent does not start there: {said(error)}")
            with under(cap):
                self.send(say="ready")
                async with anyio.create_task_group() as group:
                    group.start_soon(self._until, stops, group.cancel_scope)
                    while (each := await hears.receive())[0]["do"] != "stop":
                        head, body = each
                        if head["do"] == "cell":
                            if cap is not None:
                                cap.spent = head["spent"]
                            group.start_soon(self._cell, head["cell"], body)
                        elif head["do"] == "drop":
                            if (scope := self.scopes.get(head["cell"])) is not None:
                                scope.cancel()
                        else:
                            self.asking.heard(head)
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True), anyio.move_on_after(GRACE / 2):
                await close_all(agents)

    async def _until(self, stops: anyio.Event, scope: anyio.CancelScope) -> None:
        await stops.wait()
        scope.cancel()

    def _named(self, place: str) -> str:
        """What the owner calls an endpoint with its key: the same in all workers, and telling nothing of the key."""
        return blake2b(place.encode("utf-8", "replace"), key=self.token, digest_size=16).hexdigest()

    def _taken(self, body: bytes) -> str | None:
        """Take the study. Why that cannot be, where it cannot."""
        try:
            told = pickle.loads(body)
        except Exception as error:
            return f"the study's agents cannot be made there: {type(error).__name__}: {said(error)}"
        for folder in told["path"]:
            if folder not in sys.path:
                sys.path.append(folder)
        try:
            self.seated, pairs = pickle.loads(told["seated"])
        except Exception as error:
            return f"the study's agents cannot be made there: {type(error).__name__}: {said(error)}"
        for agent, known in pairs:
            found = identity(agent)
            if found is not None and found.fingerprint != known.fingerprint and not told["by_value"]:
                return f"{type(agent).__name__} has another identity there: its code, or a file that it reads, is another version"
            self.known[id(agent)] = known
        return None

    async def _cell(self, number: int, body: bytes) -> None:
        folder = self.folder / str(number)
        with anyio.CancelScope() as scope:
            self.scopes[number] = scope
            try:
                told = pickle.loads(body)
                task = placed(folder, told, self.seated)

                def give(path: Path, data: bytes) -> None:
                    if path == task.path:
                        self.send(data, say="line", cell=number)
                    elif path.parent == folder:
                        self.send(data, say="file", cell=number, name=path.name)

                copied.set(give)
                ended = await have(task, self.board, self.known)
                self.send(say="ended", cell=number, how=ended.how, problem=ended.problem)
            except Exception as error:
                self.send(say="ended", cell=number, how="not played", problem=f"{type(error).__name__}: {said(error)}")
            finally:
                del self.scopes[number]
                self.board.under_way.clear()
                rmtree(folder, ignore_errors=True)
        if scope.cancelled_caught:
            self.send(say="ended", cell=number, how="not played", problem="it was given up")


def placed(folder: Path, told: Mapping[str, Any], seated: list[Seated]) -> Task:
    """A cell with its files put where it can be played."""
    cell = told["cell"]
    (folder / "parent").mkdir(parents=True)
    for name, data in told["files"].items():
        (folder / name).write_bytes(data)
    parent = None if told["parent"] is None else folder / "parent" / told["parent"].name
    return Task(cell, seated[cell.arm], told["sample"], folder / told["name"], parent, told["parent"])


def main() -> None:
    """Work for the owner whose address and token stand in the first line of the input."""
    with open(0, encoding="ascii") as told:
        host, port, token, number = told.readline().split()
    work(host, int(port), bytes.fromhex(token), int(number))


if __name__ == "__main__":
    main()
