"""Orchestration: CPU per generation of 64 simultaneous debates at once over a loopback stub with 50 ms of latency,
against the raw `openai.AsyncOpenAI` client making the same calls, in its best configuration and in its default one."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import moot
from benchmarks import timing
from benchmarks.timing import Row

DEBATES, ROUNDS = 64, 4
QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="The fleet sank in a storm. " * 40)


def decide(request: Any) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def seats(**options: Any) -> dict[str, Any]:
    lm = moot.LM("mock", api_key="none", max_tokens=100, **options)
    return {"a": lm, "b": lm, "judge": decide}


def bodies() -> list[dict[str, Any]]:
    """What one debate sends, call by call."""
    from moot.testing.server.server import MockOpenAI

    mock = MockOpenAI()
    t = moot.run(moot.Debate(rounds=ROUNDS), QUESTION, seats(base_url="http://mock/v1", http_client=mock.http_client()))
    assert isinstance(t.outcome, moot.Decided) and len(mock.calls) == 2 * ROUNDS, t.outcome
    return [call.body for call in mock.calls]


async def ours(url: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sitting = seats(base_url=url)
        async with asyncio.TaskGroup() as group:
            for number in range(DEBATES):
                out = Path(folder) / f"{number}.jsonl"
                group.create_task(
                    decided(moot.arun(moot.Debate(rounds=ROUNDS), QUESTION, sitting, seed=number, out=out))
                )


async def decided(play: Coroutine[Any, Any, moot.Transcript]) -> None:
    transcript = await play
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome


async def raw(url: str, best: bool, calls: list[dict[str, Any]]) -> None:
    import openai

    http = openai.DefaultAioHttpClient() if best else None
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60, http_client=http) as client:

        async def debate() -> None:
            for first in range(0, len(calls), 2):
                both = (client.chat.completions.create(**body) for body in calls[first : first + 2])
                await asyncio.gather(*both)

        await asyncio.gather(*(debate() for _ in range(DEBATES)))


def child(mode: str, url: str) -> None:
    """Make the calls in this process and print CPU seconds and calls; connections and imports are warm."""
    calls = json.loads(sys.stdin.read())

    async def measured() -> float:
        async def once() -> None:
            await (ours(url) if mode == "moot" else raw(url, mode == "best", calls))

        await once()
        begun = time.process_time()
        await once()
        return time.process_time() - begun

    print(json.dumps(asyncio.run(measured()) / (DEBATES * len(calls))))


def rows() -> Iterator[Row]:
    from moot.testing.server.process import mock_process

    calls = json.dumps(bodies())
    least = dict.fromkeys(("moot", "best", "default"), float("inf"))
    with mock_process(latency_ms=50) as url:
        for _ in range(3 if timing.most >= 3 else 1):  # each warms up by itself
            for mode in least:
                command = [sys.executable, "-m", "benchmarks.calls", mode, url]
                done = subprocess.run(command, input=calls, capture_output=True, text=True, check=True)
                least[mode] = min(least[mode], float(done.stdout))
    ms = {mode: f"{seconds * 1000:.2f} ms" for mode, seconds in least.items()}
    yield Row("CPU a generation against the raw client at its best", least["moot"] / least["best"], 1.25, "×",
              f"moot {ms['moot']}, raw client with aiohttp {ms['best']}")  # fmt: skip
    yield Row("CPU a generation against the raw client by default", least["moot"] / least["default"], 1.0, "×",
              f"moot {ms['moot']}, raw client by default {ms['default']}")  # fmt: skip
    yield from memory()


_MEMORY = """
import asyncio, re, sys, moot
from benchmarks.offline import QUESTION, SEATS
def resident(): return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
async def main():
    for number in range(600):
        await moot.arun(moot.Debate(rounds=10), QUESTION, SEATS, seed=number, out=f"{sys.argv[1]}/{number}.jsonl")
        if number == 99: early = resident()
    print(resident() - early)
asyncio.run(main())
"""


def memory() -> Iterator[Row]:
    """Memory must not grow with the number of finished debates."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([sys.executable, "-c", _MEMORY, folder], capture_output=True, text=True, check=True)
        grown = max(0, int(done.stdout))
        yield Row("memory kept per finished debate, after the first 100", grown / 500 / 1024, 1.0, "KB",
                  f"{grown / 1e6:.1f} MB over 500 debates")  # fmt: skip


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2])
