"""Plays in processes of their own, to be killed: `python kill_child.py`. Each line of its input is a JSON list: a transcript to
record to or take up, with a file that every call is noted in; or the words of a `moot` command. For each a process is forked
off that has everything loaded already; its number is printed, and how it ended."""

from __future__ import annotations

import json
import os
import sys
import traceback
from pathlib import Path

import anyio
from players import QUESTION, everywhere, speak

import moot

ROUNDS = 60
DEBATE = moot.Debate(rounds=ROUNDS)


class Logged:
    """Writes each step that it is asked to a side log, then takes a moment."""

    def __init__(self, calls: str, pause: float) -> None:
        self.file = os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.pause = pause

    async def act(self, request: moot.Request) -> moot.Move:
        os.write(self.file, f"{request.step}\n".encode())
        await anyio.sleep(self.pause * (1 + request.seed % 3))
        return speak(request)


def play(path: Path, calls: str) -> None:
    agents = everywhere(DEBATE, Logged(calls, 0.004))
    if path.exists() and path.read_bytes().count(b"\n"):
        moot.resume(path, agents)
    else:
        path.unlink(missing_ok=True)
        moot.run(DEBATE, QUESTION, agents, seed=4, out=path)


def work(words: list[str]) -> None:
    if words[0] == "moot":
        from moot.cli import main

        main(words[1:])
    else:
        play(Path(words[0]), words[1])


def serve() -> None:
    import aiohttp  # noqa: F401
    import openai  # noqa: F401

    import moot.agents.models.lm
    import moot.cli.app
    import moot.cli.batch
    import moot.cli.running  # noqa: F401 - what the processes need is loaded once

    for line in sys.stdin:
        if (child := os.fork()) == 0:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
            try:
                work(json.loads(line))
            except SystemExit as stop:
                os._exit(stop.code if isinstance(stop.code, int) else 0)
            except BaseException:
                traceback.print_exc()
                os._exit(70)
            os._exit(0)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    serve()
