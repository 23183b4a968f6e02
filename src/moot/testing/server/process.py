"""The mock server as a process of its own: its command, and the child process that runs it.

    python -m moot.testing.server.process --help

Rule: options, signals and processes; what is answered stands in `server`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from moot.agents.people.terminal import guard, show
from moot.protocols.engine.errors import UsageError
from moot.testing.server.faults import Fault, Rule, rate
from moot.testing.server.server import MockOpenAI
from moot.testing.server.serving import OnUvicorn, bound, listening


async def _serve(listener: OnUvicorn, on: socket.socket, exit_with_parent: bool) -> None:
    """Serve until SIGINT or SIGTERM, or until the starting process is gone."""
    loop, stop, parent = asyncio.get_running_loop(), asyncio.Event(), os.getppid()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)

    async def orphaned() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110 - nothing tells a process that its parent is gone
            await asyncio.sleep(1)
        stop.set()

    watch = loop.create_task(orphaned()) if exit_with_parent else None
    async with listening(listener, on) as url:
        show(url)
        await stop.wait()
    if watch is not None:
        watch.cancel()


def _fault(text: str, seed: int) -> Rule:
    name, _, share = text.rpartition("=")
    try:
        return rate(float(share), Fault.parse(name), seed)
    except ValueError:
        raise UsageError(f"--fault {text}: give FAULT=RATE, such as 429=0.1") from None


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the server until SIGINT or SIGTERM; the first line of output is its base URL. Returns the exit status."""
    guard()
    about = "A mock OpenAI-compatible server."
    parser = argparse.ArgumentParser(prog="python -m moot.testing.server.process", description=about)
    add = parser.add_argument
    add("--port", type=int, default=0, help="0 takes a free one (default)")
    add("--latency-ms", type=float, default=0.0, help="milliseconds before each answer")
    add("--model", action="append", metavar="NAME", help="a model it serves; may be repeated [mock]")
    add("--reply", metavar="TEXT", help="say this to everything, instead of filling the schema")
    add("--api-key", metavar="KEY", help="answer 401 to any other key")
    add("--fault", action="append", default=[], metavar="FAULT=RATE", help="such as 429:0.2=0.1, hang=0.01")
    add("--seed", type=int, default=0, help="of the faults' rates")
    add("--exit-with-parent", action="store_true", help="stop when the starting process is gone")
    options = parser.parse_args(arguments)
    reply = None if options.reply is None else lambda body: options.reply
    try:
        faults = [_fault(text, options.seed) for text in options.fault]
        mock = MockOpenAI(reply, faults, options.model or ["mock"], options.api_key, latency=options.latency_ms / 1000,
                          keep_calls=False)  # fmt: skip
        asyncio.run(_serve(OnUvicorn(mock), bound(options.port), options.exit_with_parent))
    except UsageError as error:
        show(f"error: {error}", error=True, line=True)
        return 2
    return 0


@contextmanager
def mock_process(*options: str, latency_ms: float = 0.0) -> Iterator[str]:
    """The command as a child process: gives its base URL, and ends it at the end.

    options: further options of the command. Raises UsageError, with the command, when it does not start.
    """
    line = [
        sys.executable,
        "-m",
        "moot.testing.server.process",
        "--exit-with-parent",
        f"--latency-ms={latency_ms}",
        *options,
    ]
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


if __name__ == "__main__":
    raise SystemExit(main())
