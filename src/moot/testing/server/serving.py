"""The mock server on a socket: in a thread, as a process, and as a command."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from moot.protocols.engine.errors import UsageError
from moot.testing.server.faults import Fault, rate
from moot.testing.server.lean import LeanResponder
from moot.testing.server.server import MockOpenAI

if TYPE_CHECKING:
    import uvicorn

Started = Callable[[asyncio.AbstractEventLoop, asyncio.Event], None]


def _bound(port: int = 0) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(2048)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UsageError(
            f"the mock server cannot listen on 127.0.0.1:{port}: {error}; --port 0 takes a free one"
        ) from None
    return listener


def _url(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}/v1"


def _server(mock: MockOpenAI, stop: asyncio.Event, started: Callable[[], None]) -> uvicorn.Server:
    """A uvicorn server that stops at once when told so, however many requests hang."""
    try:
        import uvicorn
    except ImportError as error:
        raise UsageError(f"the mock server on a socket needs uvicorn ({error}); pip install 'moot[testing]'") from error

    class Server(uvicorn.Server):
        async def main_loop(self) -> None:
            await self.on_tick(0)
            started()
            await stop.wait()

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            for server in self.servers:
                server.close()
            for connection in list(self.server_state.connections):
                connection.transport.abort()
            await asyncio.sleep(0)  # lets each connection learn that it is lost, so that nothing more is sent on it
            running = list(self.server_state.tasks)
            for task in running:
                task.cancel()
            if running:
                await asyncio.wait(running, timeout=5)

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(stop.set)  # a plain set would not wake a loop that sleeps

    loop = asyncio.get_running_loop()
    # uvicorn reports the answers that are cut off on purpose as errors, hence its level.
    return Server(
        uvicorn.Config(
            mock,
            lifespan="off",
            access_log=False,
            log_config=None,
            log_level="critical",
            server_header=False,
            date_header=False,
            timeout_keep_alive=60,
            loop="asyncio",
            ws="none",
        )
    )


@contextmanager
def thread(mock: MockOpenAI) -> Iterator[str]:
    """Serve `mock` in a thread of its own; gives the base URL."""
    ready = threading.Event()
    running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
    problem: list[BaseException] = []
    listener = _bound()

    async def serve() -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        running.append((loop, stop))
        await _server(mock, stop, ready.set).serve(sockets=[listener])

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            problem.append(error)
        finally:
            ready.set()

    worker = threading.Thread(target=run, name="moot-mock-server", daemon=True)
    try:
        worker.start()
        ready.wait()
        if problem:
            raise problem[0]
        yield _url(listener)
    finally:
        if worker.is_alive() and running:
            loop, stop = running[0]
            with suppress(RuntimeError):  # its loop may have ended by itself
                loop.call_soon_threadsafe(stop.set)
        worker.join(10)
        listener.close()


async def _serve_process(options: argparse.Namespace, mock: MockOpenAI, listener: socket.socket) -> None:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    parent = os.getppid()

    def announce() -> None:
        print(_url(listener), flush=True)

    async def orphaned() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process that its parent is gone
            await asyncio.sleep(1)
        stop.set()

    watch = loop.create_task(orphaned()) if options.exit_with_parent else None
    if options.lean:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        responder = LeanResponder(options.reply, tuple(options.model), options.latency_ms / 1000)
        async with await loop.create_server(responder.connection, sock=listener):
            announce()
            await stop.wait()
            responder.abort()
    else:
        await _server(mock, stop, announce).serve(sockets=[listener])
    if watch is not None:
        watch.cancel()


def command(arguments: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM; the first line of output is its base URL."""
    parser = argparse.ArgumentParser(
        prog="python -m moot.testing.server.server", description="A mock OpenAI-compatible server."
    )
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--latency-ms", type=float, default=0.0, help="milliseconds before each answer")
    parser.add_argument("--model", action="append", metavar="NAME", help="a model it serves; may be repeated [mock]")
    parser.add_argument("--reply", metavar="TEXT", help="say this to everything, instead of filling the schema")
    parser.add_argument("--api-key", metavar="KEY", help="answer 401 to any other key (not with --lean)")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="FAULT=RATE", help="such as 429:0.2=0.1, hang=0.01"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults' rates")
    parser.add_argument(
        "--lean", action="store_true", help="least CPU per request: no checks, faults or log-probabilities"
    )
    parser.add_argument("--exit-with-parent", action="store_true", help="stop when the starting process is gone")
    options = parser.parse_args(arguments)
    options.model = options.model or ["mock"]
    try:
        if options.lean and (options.fault or options.api_key):
            raise UsageError("--lean has neither faults nor keys; leave out --lean, or --fault and --api-key")
        faults = []
        for text in options.fault:
            name, _, share = text.rpartition("=")
            try:
                faults.append(rate(float(share), Fault.parse(name), options.seed))
            except ValueError:
                raise UsageError(f"--fault {text}: give FAULT=RATE, such as 429=0.1") from None
        said = options.reply
        mock = MockOpenAI(
            reply=None if said is None else lambda body: said,
            script=faults,
            model_names=options.model,
            api_key=options.api_key,
            latency=options.latency_ms / 1000,
            keep_calls=False,
        )
        listener = _bound(options.port)
        try:
            asyncio.run(_serve_process(options, mock, listener))
        finally:
            listener.close()
    except UsageError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        pass
    return 0


@contextmanager
def child(*options: str) -> Iterator[str]:
    """The command in a process of its own; gives the base URL."""
    line = [sys.executable, "-m", "moot.testing.server.server", "--exit-with-parent", *options]
    path = os.pathsep.join(entry for entry in sys.path if entry)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise UsageError(f"the mock server did not start (exit status {process.wait()}): {' '.join(line)}")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
