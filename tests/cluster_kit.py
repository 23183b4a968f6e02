"""Studies whose cells are played by workers, for the tests of processes and of Ray: what is played, and what happens to a worker."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio

import moot
from moot.studies.cluster.pool import Pool
from moot.studies.running import Progress
from moot.studies.study import Study
from moot.testing.server.faults import Fault
from moot.testing.server.replies import default_reply
from moot.testing.server.server import MockOpenAI


class Judge:
    def __init__(self, share: float) -> None:
        self.share = share

    def act(self, request: moot.Request) -> moot.Move:
        return moot.Verdict(probabilities=(self.share, 1 - self.share))


class Speaker:
    def __init__(self, name: str) -> None:
        self.name = name

    def act(self, request: moot.Request) -> moot.Move:
        return moot.Speech(text=f"{self.name} says {request.seed}")


class Deadly(Speaker):
    """Takes its process with it, on one question."""

    def act(self, request: moot.Request) -> moot.Move:
        if request.view.question.text == "Who is 1?":
            os._exit(7)
        return super().act(request)


def samples(count: int) -> list[moot.Sample]:
    return [moot.Sample(moot.Question(f"Who is {i}?", ("yes", "no"), id=f"q{i}"), i % 2) for i in range(count)]


def study(count: int, speaker: Any = None, judge: Any = None) -> Study:
    seats = {"debater": speaker or Speaker("ann"), "judge": judge or Judge(0.7)}
    return Study("cells elsewhere", samples(count), protocols={"debate": moot.Debate(rounds=1)}, seats=seats)


def rows(made: Study, folder: Path) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in made.rows(folder)]


def model(url: str, **more: Any) -> moot.LM:
    return moot.LM("mock", base_url=url, backoff=0.02, **more)


class Watched:
    """A stub, the calls that it has answered by their content, and what is done once it has answered so many."""

    def __init__(
        self, latency: float, after: int = 0, then: Callable[[], None] | None = None, script: Any = ()
    ) -> None:
        self.answered: dict[str, list[float]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.latency, self.after, self.then = latency, after, then
        self.at = float("inf")
        self.stub = MockOpenAI(self._reply, script)

    async def _reply(self, body: dict[str, Any]) -> Any:
        key = json.dumps(body, sort_keys=True)
        self.asked[key] += 1
        await anyio.sleep(self.latency * (1 + len(self.asked) % 3))
        self.answered[key].append(time.monotonic())
        if self.then is not None and sum(map(len, self.answered.values())) >= self.after:
            then, self.then, self.at = self.then, None, time.monotonic()
            threading.Thread(target=then).start()
        return default_reply(body)

    @property
    def repeated(self) -> list[str]:
        """Calls that were made again though their answer had been sent well before the worker was lost."""
        return [key for key, when in self.answered.items() if len(when) > 1 and when[0] < self.at - 0.02]


def killed_in_the_middle(folder: Path, executor: Any) -> tuple[Progress, Watched]:
    """A study of which the busiest worker is killed, and what its stub was asked."""
    pools, init = list[Pool](), Pool.__init__

    def made(self: Pool, *given: Any) -> None:
        init(self, *given)
        pools.append(self)

    def kill() -> None:
        busy = max(pools[0]._remotes.values(), key=lambda each: len(each.jobs))
        pools[0]._handles[busy.number].kill()

    watched = Watched(0.03, 12, kill)
    Pool.__init__ = made  # type: ignore[method-assign, assignment]
    try:
        with watched.stub.serve() as url:
            asked = study(10, model(url, max_tokens=64), model(url, max_tokens=64))
            return asked.run(folder, executor=executor, workers=2, limit=6), watched
    finally:
        Pool.__init__ = init  # type: ignore[method-assign]


def stormed(folder: Path, executor: Any) -> tuple[Progress, Watched]:
    """A study whose endpoint refuses three calls of ten with 429, and once asks all to wait."""
    script = [*([None] * 5), Fault.rate_limit(0.2), *[Fault.rate_limit() if i % 10 < 3 else None for i in range(30)]]
    watched = Watched(0.01, script=script)
    with watched.stub.serve() as url:
        made = study(8, model(url, max_tokens=64), model(url, max_tokens=64))
        return made.run(folder, executor=executor, workers=2, limit=8), watched


def capped(folder: Path, executor: Any, most: float) -> tuple[Progress, float, Progress]:
    """A study that costs more than it may; what it cost by then; and how it went on, in this process, under a higher cap."""
    watched = Watched(0.01)
    with watched.stub.serve() as url:
        priced = model(url, max_tokens=100, prices=(0.0, 1e4))  # 1.00 a call at most; it answers in fewer tokens
        made = study(8, priced, priced)
        progress = made.run(folder, executor=executor, workers=2, limit=6, max_cost=most)
        spent = sum(row["cost"] or 0.0 for row in made.rows(folder))
        return progress, spent, made.run(folder, max_cost=1e6)
