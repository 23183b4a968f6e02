"""Replay and verify a transcript of 100,000 events: against `json.loads` over its lines."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moot
from benchmarks.offline import debate
from benchmarks.timing import Row, best

_MEMORY = """
import re, sys, moot
def peak():  # of this process alone; ru_maxrss would include its parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
moot.run; moot.Debate; moot.replay; before = peak()
t = moot.load(sys.argv[1]); moot.replay(t); moot.verify(t)
print(peak() - before)
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.jsonl"
        transcript = debate(49_999, path)
        lines = path.read_bytes().splitlines()

        def parse() -> None:
            for line in lines:
                json.loads(line)

        loaded = moot.load(path)

        last: list[Any] = []

        def again() -> None:
            last[:] = [moot.replay(loaded)]

        def check() -> None:
            moot.verify(moot.Transcript(path=path))

        base, replayed, verified = best(parse, again, check, repeats=3)
        assert last[0].digest == transcript.digest
        count = f"{len(lines):,} events; json.loads alone {base:.2f} s"
        yield Row("replay, once loaded, against json.loads over the same lines", replayed / base, 2.8, "×", count)
        yield Row("verify, chain and digest, against json.loads over the same lines", verified / base, 1.0, "×", count)
        done = subprocess.run([sys.executable, "-c", _MEMORY, str(path)], capture_output=True, text=True, check=True)
        size = path.stat().st_size
        yield Row("peak memory of load, replay and verify against the file", int(done.stdout) / size, 6.0, "×",
                  f"file of {size / 1e6:.0f} MB")  # fmt: skip
