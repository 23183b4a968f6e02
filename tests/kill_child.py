"""A play in a process of its own, to be killed: `python kill_child.py TRANSCRIPT CALLS`. Resumes what it finds."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import anyio
from players import QUESTION, everywhere, speak

import moot

ROUNDS = 100
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


def main(path: Path, calls: str) -> None:
    agents = everywhere(DEBATE, Logged(calls, 0.006))
    print("ready", flush=True)
    if path.exists() and path.read_bytes().count(b"\n"):
        moot.resume(path, agents)
    else:
        path.unlink(missing_ok=True)
        moot.run(DEBATE, QUESTION, agents, seed=4, out=path)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
