"""How workers come to be: processes of this machine, or actors of a Ray cluster.

Rule of this file: a worker is started with an address and a token, and everything else goes over its connection.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from typing import Any, Literal, Protocol

from moot.protocols.engine.errors import UsageError, said

Executor = Literal["processes", "ray"]


class Handle(Protocol):
    """A worker that was started."""

    def wait(self) -> str:
        """Wait until it has ended; how, in a line."""
        ...

    def kill(self) -> None: ...


class Launcher(Protocol):
    """Starts workers. host: of the owner, as they reach it."""

    host: str

    def begin(self, port: int, token: bytes, number: int) -> Handle: ...

    def close(self) -> None: ...


class _Process:
    def __init__(self, line: str) -> None:
        self._errors = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moot.studies.cluster.worker"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=self._errors, start_new_session=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )  # fmt: skip
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.write(line.encode())
            self._process.stdin.close()
        self.pid = self._process.pid

    def wait(self) -> str:
        code = self._process.wait()
        with suppress(OSError, ValueError):
            self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - 2000))
            lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
            if lines:
                return f"exit code {code}: {lines[-1][:300]}"
        return f"exit code {code}"

    def kill(self) -> None:
        with suppress(OSError):
            self._process.kill()


class Processes:
    """Workers as processes of this machine."""

    host = "127.0.0.1"

    def begin(self, port: int, token: bytes, number: int) -> Handle:
        return _Process(f"{self.host} {port} {token.hex()} {number}\n")

    def close(self) -> None:
        pass


class _Actor:
    """What Ray runs."""

    def work(self, host: str, port: int, token: bytes, number: int) -> None:
        from moot.studies.cluster.worker import work

        work(host, port, token, number)


class _Acting:
    def __init__(self, actor: Any, result: Any) -> None:
        self.actor, self.result = actor, result

    def wait(self) -> str:
        import ray  # pyright: ignore[reportMissingImports] - of an extra

        try:
            ray.get(self.result)
        except Exception as error:
            return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        return "it ended"

    def kill(self) -> None:
        import ray  # pyright: ignore[reportMissingImports] - of an extra

        with suppress(Exception):
            ray.kill(self.actor)


def reached(address: str) -> None:
    """Raise UsageError where nobody listens at HOST:PORT: Ray itself would wait for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon:
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except (OSError, ValueError, OverflowError) as error:
            raise UsageError(f"there is no Ray cluster at {address!r}: {said(error)}") from None


class Ray:
    """Workers as actors of a Ray cluster, a CPU each: of the one that this process is connected to, of the one at an address, or of one
    that is started here for as long as the study runs. An actor is never restarted by Ray, as its owner starts another ("Actor
    Fault Tolerance", docs.ray.io: max_restarts is 0). Ray gives workers no environment variable of the driver's ("Common Issues",
    docs.ray.io), and none is put into its `runtime_env`, which the cluster keeps: keys are set on the nodes."""

    def __init__(self, address: str | None, workers: int) -> None:
        if find_spec("ray") is None:
            raise UsageError("executor is 'ray', which is not installed: pip install 'moot[ray]'")
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        import ray  # pyright: ignore[reportMissingImports] - of an extra

        self._own = not ray.is_initialized()
        if self._own:
            here: dict[str, Any] = {"num_cpus": max(workers, os.cpu_count() or 1), "include_dashboard": False}
            where = address or os.environ.get("RAY_ADDRESS")
            if where is None:
                here |= {"address": "local", "_node_ip_address": "127.0.0.1"}
            else:
                reached(where)
                here = {"address": where}
            try:
                ray.init(log_to_driver=False, logging_level="ERROR", **here)
            except Exception as error:
                raise UsageError(
                    f"Ray does not start, or is not at {where or 'this machine'}: {type(error).__name__}: {error}"
                ) from None
        elif address is not None:
            raise UsageError(
                "this process is connected to a Ray cluster already: leave address out, or call ray.shutdown() first"
            )
        self.host = ray.util.get_node_ip_address()
        self._actor = ray.remote(_Actor).options(num_cpus=1, max_restarts=0)

    def begin(self, port: int, token: bytes, number: int) -> Handle:
        actor = self._actor.remote()
        return _Acting(actor, actor.work.remote(self.host, port, token, number))

    def close(self) -> None:
        import ray  # pyright: ignore[reportMissingImports] - of an extra

        if self._own:
            ray.shutdown()


def launcher(executor: str, address: str | None, workers: int) -> Launcher:
    """What starts workers. Raises UsageError on an executor that there is not, and where Ray is not to be had."""
    if executor == "ray":
        return Ray(address, workers)
    if executor != "processes":
        raise UsageError(f"executor is {executor!r}; it can be 'processes' (of this machine) or 'ray' (a cluster)")
    if address is not None:
        raise UsageError("address is that of a Ray cluster, and executor is 'processes'")
    return Processes()
