"""`moot.run_many`: a plain list of questions, several plays at a time.

Rule of this file: without a folder nothing is written; with one it is a study of a single arm, and goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import anyio.lowlevel

from moot.agents.base import together
from moot.agents.money.cap import Cap
from moot.play.run import Backend, arun, in_loop
from moot.play.seats import Seats
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.question import Question, Sample
from moot.studies.design import derived_seed
from moot.studies.grid import Arm, questions_of
from moot.studies.index import Index
from moot.studies.running import under
from moot.studies.study import Study
from moot.transcripts.store import Fsync
from moot.transcripts.transcript import Transcript


async def arun_many(
    protocol: Protocol, samples: Iterable[Sample | Question], seats: Seats, *, seed: int = 0, out: Path | str | None = None,
    limit: int = 16, max_cost: float | None = None, fsync: Fsync = "ended",
) -> list[Transcript]:  # fmt: skip
    """`run_many`, from async code."""
    if type(seed) is not int:
        raise UsageError(f"seed is {seed!r}; it must be a whole number")
    if out is not None:
        study = Study("run_many", samples, {protocol.name: Arm(protocol, seats)}, seed=seed)
        progress = await study.arun(out, limit=limit, max_cost=max_cost, fsync=fsync)
        index = Index(Path(out), owner=False)  # which knows what has been sealed since
        paths = [index.place(cell.key) for cell in study.design.cells()]
        index.close()
        if missing := sum(not path.exists() for path in paths):
            why = progress.stopped or next(iter(progress.problems), "they were not played")
            raise MootError(f"{missing} of {len(paths)} plays are missing: {why}; what was played is kept in {out}")
        return [Transcript(path=path) for path in paths]
    listed, designs = questions_of(samples)
    if type(limit) is not int or limit < 1:
        raise UsageError(f"limit is {limit!r}; it must be 1 or more plays at a time")
    found: list[Any] = [None] * len(listed)
    waiting = iter(range(len(listed)))
    cap = None if max_cost is None else Cap(max_cost)

    async def worker() -> None:
        for place in waiting:
            at = derived_seed(seed, designs[place].name, 0)
            found[place] = await arun(protocol, listed[place], seats, seed=at)
            await anyio.lowlevel.checkpoint()

    with under(cap):
        await together([worker] * min(limit, len(listed)))
    return found


def run_many(
    protocol: Protocol, samples: Iterable[Sample | Question], seats: Seats, *, seed: int = 0, out: Path | str | None = None,
    limit: int = 16, max_cost: float | None = None, fsync: Fsync = "ended", backend: Backend = "asyncio",
) -> list[Transcript]:  # fmt: skip
    """Play a protocol on many questions, at most `limit` at a time, and return the transcripts in the order of the questions.

    out: a folder to record in, which is that of a study with one arm (`moot.Study`): the same call goes on where it broke off, and plays
    nothing twice. Without one the transcripts stay in memory. The rest as for `moot.run`. Raises MootError where a folder
    is left with plays missing.
    """
    given: dict[str, Any] = {"seed": seed, "out": out, "limit": limit, "max_cost": max_cost, "fsync": fsync}
    return in_loop(lambda: arun_many(protocol, samples, seats, **given), backend)
