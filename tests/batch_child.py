"""Plays in a batch, in a process that kills itself: `python batch_child.py URL`, then a JSON list a line, of a folder and where it is
killed: "upload", "create" or "poll" (before that request is sent), "created" (before the batch's id is noted), "results" (before
they are kept), or "" for not at all. For each a process is forked off; how it ended is printed."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import anyio
from players import QUESTION

import moot
from moot.agents.models.batches.batch import Batch
from moot.agents.models.batches.folder import Folder
from moot.agents.models.batches.forms import OpenAIForm

DEBATE = moot.Debate(rounds=2)
PLAYS = 2


def agents(url: str, **options: Any) -> dict[str, moot.LM]:
    model = moot.LM("mock", base_url=url, backoff=0.001, **options)
    return {"debater": model, "judge": model}


async def plays(
    folder: Path, seats: dict[str, Any], count: int = PLAYS, *, wave: float = 0.02
) -> list[moot.Transcript]:
    """Debates in one batch, begun or taken up."""
    ended: list[moot.Transcript] = []

    async def one(seed: int) -> None:
        path = folder / f"{seed}.jsonl"
        kept = moot.Transcript(path=path) if path.exists() else None
        if kept is not None and isinstance(kept.outcome, moot.Decided):
            ended.append(kept)
        elif kept is not None:
            ended.append(await moot.aresume(path, seats))
        else:
            ended.append(await moot.arun(DEBATE, QUESTION, seats, seed=seed, out=path))

    with Batch(folder / "batches", quiet=wave, poll=(0.005, 0.02)):
        async with anyio.create_task_group() as group:
            for seed in range(count):
                group.start_soon(one, seed)
    return ended


def killed_at(where: str) -> None:
    """Kill this process where it first comes to that point of its second wave; of "poll" and "results", of its first."""

    count = itertools.count()

    def before(owner: type, name: str, when: Any) -> None:
        plain = getattr(owner, name)

        def hooked(*args: Any, **options: Any) -> Any:
            if when(*args):
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*args, **options)

        setattr(owner, name, hooked)

    if where in ("upload", "create"):
        before(OpenAIForm, where, lambda *args: next(count) == 1)
    elif where == "created":
        before(Folder, "note", lambda folder, job: job.id and job.number == 2)
    elif where == "poll":
        before(OpenAIForm, "state", lambda *args: True)
    elif where == "results":
        before(Folder, "keep", lambda *args: True)


def main(url: str) -> None:
    import aiohttp  # noqa: F401
    import openai  # noqa: F401

    for line in sys.stdin:
        folder, where = json.loads(line)
        if (child := os.fork()) == 0:
            killed_at(where)
            anyio.run(plays, Path(folder), agents(url))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
