"""Orchestration: CPU per generation of many debates at once over a loopback stub with 50 ms of latency, against the raw
`openai.AsyncOpenAI` client making the same calls, in its best configuration and in its default one, and against a bare
aiohttp session that posts the same bodies and parses the answers' JSON: the least that a program can do."""

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

ROUNDS = 4
AT_ONCE = (64, 256)  # debates
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


async def ours(url: str, debates: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sitting = seats(base_url=url)
        async with asyncio.TaskGroup() as group:
            for number in range(debates):
                out = Path(folder) / f"{number}.jsonl"
                group.create_task(
                    decided(moot.arun(moot.Debate(rounds=ROUNDS), QUESTION, sitting, seed=number, out=out))
                )


async def decided(play: Coroutine[Any, Any, moot.Transcript]) -> None:
    transcript = await play
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome


async def raw(url: str, best: bool, calls: list[dict[str, Any]], debates: int) -> None:
    import openai

    http = openai.DefaultAioHttpClient() if best else None
    async with openai.AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=60, http_client=http) as client:

        async def debate() -> None:
            for first in range(0, len(calls), 2):
                both = (client.chat.completions.create(**body) for body in calls[first : first + 2])
                await asyncio.gather(*both)

        await asyncio.gather(*(debate() for _ in range(debates)))


async def bare(url: str, calls: list[dict[str, Any]], debates: int) -> None:
    import aiohttp

    headers = {"authorization": "Bearer none", "content-type": "application/json"}
    sent, place = [json.dumps(body).encode() for body in calls], f"{url}/chat/completions"
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:

        async def ask(body: bytes) -> None:
            async with session.post(place, data=body, headers=headers) as response:
                json.loads(await response.read())

        async def debate() -> None:
            for first in range(0, len(sent), 2):
                await asyncio.gather(*map(ask, sent[first : first + 2]))

        await asyncio.gather(*(debate() for _ in range(debates)))


def child(mode: str, url: str, debates: int) -> None:
    """Make the calls in this process and print the CPU seconds of one. Imports are warm; connections are not, on any side: each
    opens as many in the round that is measured."""
    calls = json.loads(sys.stdin.read())

    async def measured() -> float:
        async def once() -> None:
            if mode == "moot":
                await ours(url, debates)
            elif mode == "bare":
                await bare(url, calls, debates)
            else:
                await raw(url, mode == "best", calls, debates)

        await once()
        begun = time.process_time()
        await once()
        return time.process_time() - begun

    print(json.dumps(asyncio.run(measured()) / (debates * len(calls))))


def rows() -> Iterator[Row]:
    from moot.testing.server.process import mock_process

    calls = json.dumps(bodies())
    with mock_process(latency_ms=50) as url:
        for debates in AT_ONCE:
            modes = ("moot", "best", "bare", *(["default"] if debates == AT_ONCE[0] else []))
            taken: dict[str, list[float]] = {mode: [] for mode in modes}
            for _ in range(3 if timing.most >= 3 else 1):  # each warms up by itself
                for mode in modes:
                    command = [sys.executable, "-m", "benchmarks.calls", mode, url, str(debates)]
                    done = subprocess.run(command, input=calls, capture_output=True, text=True, check=True)
                    taken[mode].append(float(done.stdout))
            least = {mode: timing.Turns(seconds) for mode, seconds in taken.items()}
            ms = {mode: f"{seconds * 1000:.2f} ms" for mode, seconds in least.items()}
            many = "" if debates == AT_ONCE[0] else f", {debates} debates at once"
            yield Row(f"CPU a generation against the raw client at its best{many}", least["moot"] / least["best"], 0.6, "×",
                      f"moot {ms['moot']}, raw client with aiohttp {ms['best']}")  # fmt: skip
            yield Row(f"CPU a generation against a bare aiohttp session{many}", least["moot"] / least["bare"], 3.5, "×",
                      f"moot {ms['moot']}, aiohttp and JSON {ms['bare']}")  # fmt: skip
            if "default" in least:
                yield Row("CPU a generation against the raw client by default", least["moot"] / least["default"], 1.0, "×",
                          f"moot {ms['moot']}, raw client by default {ms['default']}")  # fmt: skip
    yield from memory()


_MEMORY = """
import asyncio, re, sys, moot
from benchmarks.offline import QUESTION, SEATS
def resident(): return int(re.search(r"VmRSS:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
async def main():
    for number in range(2600):
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
        yield Row("memory kept per finished debate, after the first 100", grown / 2500 / 1024, 0.5, "KB",
                  f"{grown / 1e6:.1f} MB over 2,500 debates")  # fmt: skip


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2], int(sys.argv[3]))
