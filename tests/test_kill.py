"""kill -9 at random moments: what was recorded is never lost, and no recorded call is made again."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from kill_child import DEBATE
from players import QUESTION, everywhere, speak

import moot
from moot.protocols.engine.steps import seed_of
from moot.testing.server.server import MockOpenAI

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")


class Nursery:
    """Where the processes that are killed come from."""

    def __init__(self, errors: Path) -> None:
        self.errors = errors
        words = [sys.executable, str(Path(__file__).parent / "kill_child.py")]
        with open(errors, "wb") as file:
            self.process = subprocess.Popen(words, stdin=-1, stdout=-1, stderr=file, text=True, env=dict(os.environ, OPENAI_API_KEY="k"))  # fmt: skip

    def run(self, words: list[str], calls: Callable[[], int] = lambda: 0, most: int | None = None) -> int:
        """What a process ends with, killed soon after it has made as many calls."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        child = int(self.process.stdout.readline())
        with suppress(ProcessLookupError):
            while most is not None:
                os.kill(child, signal.SIGKILL if calls() >= most else 0)
                time.sleep(0.003)
        return int(self.process.stdout.readline())


@pytest.fixture
def nursery(tmp_path: Path) -> Iterator[Nursery]:
    made = Nursery(tmp_path / "errors")
    try:
        yield made
    finally:
        assert made.process.stdin is not None and made.process.stdout is not None
        made.process.stdin.close()
        made.process.wait(60)
        made.process.stdout.close()


def lines_of(path: Path) -> list[bytes]:
    return (
        [line for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")] if path.exists() else []
    )


def moved(lines: list[bytes]) -> set[str]:
    return {json.loads(line)["step"] for line in lines if line.startswith(b'{"event":"moved"')}


def _calls(log: Path, before: int) -> int:
    return log.read_bytes().count(b"\n") - before


def kill_one_play(nursery: Nursery, folder: Path, least: int, seed: int) -> int:
    """Kill a play, and whoever takes it up, until it ends; how often."""
    path, calls = folder / f"{seed}.jsonl", folder / f"calls-{seed}"
    calls.touch()
    chance, kills = random.Random(seed), 0
    while True:
        before, already = lines_of(path), len(calls.read_text().split())
        more, so_far = chance.randrange(8 if kills else 2), partial(_calls, calls, already)
        code = nursery.run([str(path), str(calls)], so_far, more if kills < least else None)
        again = calls.read_text().split()[already:]
        assert lines_of(path)[: len(before)] == before
        assert moved(before).isdisjoint(again), "asked again although recorded"
        assert len(again) == len(set(again))
        if code != -signal.SIGKILL:
            break
        kills += 1
    assert code == 0, nursery.errors.read_text()
    whole = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=4)
    survived = moot.load(path)
    assert survived.digest == whole.digest == moot.replay(survived).digest and survived.outcome == whole.outcome
    events = list(survived.events())
    asked = [event["step"] for event in events if event["event"] == "asked"]
    done = [event["step"] for event in events if event["event"] == "moved"]
    assert len(done) == len(set(done))
    assert survived.ledger.total("lost") == len(asked) - len(done)
    return kills


def kill_a_set(nursery: Nursery, folder: Path, server: MockOpenAI, url: str, kills: int, seed: int) -> int:
    """Kill a set of plays with models again and again, then let it end; how many processes it took."""
    questions, out = folder / "set.jsonl", folder / f"out-{seed}"
    texts = [{"id": f"q{n}", "text": f"Who {n}? é", "choices": ["x é", "y"], "truth": n % 2} for n in range(4)]
    questions.write_text("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in texts), encoding="utf-8")
    words = ["moot", "run", "-P", "debate", "-p", "rounds=1", "-p", 'order="simultaneous"', "--set", str(questions), "-j", "4",
             "-o", str(out), "--seat", f"debater=openai:mock@{url}", "--seat", f"judge=openai:mock@{url}"]  # fmt: skip
    chance, ever = random.Random(seed), set[int]()
    for number in range(kills + 1):
        before = {path: lines_of(path) for path in out.glob("*.jsonl")}
        server.reset()
        code = nursery.run(words, lambda: server.count, chance.randrange(1, 8) if number < kills else None)
        asked = {call.body["seed"] for call in server.calls}
        ever |= asked
        for path, lines in before.items():
            assert lines_of(path)[: len(lines)] == lines, "a line was lost"
            if lines:
                assert asked.isdisjoint(_seeds(lines)), "a completed call was made again"
    assert code == 0, nursery.errors.read_text()
    files = sorted(out.glob("*.jsonl"))
    assert len(files) == 4 and all(moot.verify(moot.load(path)).ended for path in files)
    for path in files:
        moot.replay(moot.load(path))
    assert set().union(*map(_seeds, map(lines_of, files))) <= ever  # which is how calls are told apart here
    return kills


def _seeds(lines: list[bytes]) -> set[int]:
    """The seeds that were sent with the calls for what a transcript holds."""
    start = json.loads(lines[0])["seed"]
    return {seed_of(start, step) % 2**31 for step in moved(lines)}


def test_killed_again_and_again(nursery: Nursery, tmp_path: Path) -> None:
    assert kill_one_play(nursery, tmp_path, 8, 11) >= 6


def test_a_set_that_is_killed_again_and_again(nursery: Nursery, tmp_path: Path) -> None:
    server = MockOpenAI(latency=0.01)
    with server.serve() as url:
        kill_a_set(nursery, tmp_path, server, url, 2, 3)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(30))
def test_three_hundred_kills(seed: int, nursery: Nursery, tmp_path: Path) -> None:
    server = MockOpenAI(latency=0.01)
    with server.serve() as url:
        assert kill_one_play(nursery, tmp_path, 7, seed) + kill_a_set(nursery, tmp_path, server, url, 4, seed) >= 8
