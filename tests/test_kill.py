"""kill -9 at random moments: what was recorded is never lost, and no recorded call is made again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from kill_child import DEBATE
from players import QUESTION, everywhere, speak

import moot

CHILD = Path(__file__).parent / "kill_child.py"


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_killed_again_and_again(tmp_path: Path) -> None:
    path, calls = tmp_path / "play.jsonl", tmp_path / "calls"
    calls.touch()
    chance = random.Random(11)
    kills = 0
    while True:
        recorded = (
            {step.step for step in moot.load(path).steps()} if kills and path.exists() and _whole(path) else set()
        )
        already = len(calls.read_text().split())
        process = subprocess.Popen(
            [sys.executable, str(CHILD), str(path), str(calls)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        try:
            assert process.stdout is not None and process.stderr is not None
            if chance.random() < 0.85:
                assert process.stdout.readline() == b"ready\n", process.stderr.read().decode()
            time.sleep(chance.uniform(0, 0.06))
            ended = process.poll() is not None
            process.send_signal(signal.SIGKILL)
            code = process.wait(20)
        finally:
            process.kill()
            for pipe in (process.stdout, process.stderr):
                if pipe is not None:
                    pipe.close()
        again = calls.read_text().split()[already:]
        assert recorded.isdisjoint(again), f"asked again although recorded: {sorted(recorded & set(again))}"
        assert len(again) == len(set(again))
        if ended:
            assert code == 0
            break
        kills += 1
        if kills >= 15:
            last = subprocess.run([sys.executable, str(CHILD), str(path), str(calls)], capture_output=True, timeout=60)
            if last.returncode == 0:
                break
            assert b"has ended" in last.stderr, last.stderr.decode()
            break
    assert kills >= 15
    whole = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=4)
    survived = moot.load(path)
    assert survived.digest == whole.digest and survived.outcome == whole.outcome
    assert moot.replay(survived).digest == whole.digest
    asked = [event["step"] for event in survived.events() if event["event"] == "asked"]
    moved = [event["step"] for event in survived.events() if event["event"] == "moved"]
    assert len(moved) == len(set(moved))
    assert survived.ledger.total("lost") == len(asked) - len(moved)


def _whole(path: Path) -> bool:
    return path.read_bytes().count(b"\n") > 0
