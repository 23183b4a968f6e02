"""A set of questions, as `moot run --set` plays it: what is done before the first call, what a play leaves in memory, and what a second run
over the finished folder takes. The agents are programs, and the plays of `direct-qa`."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path

import moot
from benchmarks import timing
from benchmarks.timing import Row, best
from moot.cli.batch import jobs_of, play_set
from moot.cli.plan import Plan, plan
from moot.cli.running import samples_of

MANY, FEW, PLAYED = 100_000, 1_000, 4_000


def judge(request: moot.Request) -> moot.Move:
    return moot.Verdict(probabilities=(0.7, 0.3))


def written(folder: Path, count: int) -> Path:
    """A set of so many questions."""
    path = folder / f"{count}.jsonl"
    asked = (
        {"question": f"Who is {n}?", "choices": ["yes", "no"], "truth": n % 2, "id": f"q{n}"} for n in range(count)
    )
    path.write_text("".join(json.dumps(each) + "\n" for each in asked), encoding="utf-8")
    return path


def begun(path: Path, out: Path) -> None:
    """All that is done before the first call."""
    samples, protocol = samples_of(str(path)), moot.DirectQA()
    assert {role for each in samples for role in protocol.roles(each.question).values()} == {"judge"}
    next(jobs_of([protocol], samples, out, 0))


def named(path: Path, out: Path) -> Callable[[], None]:
    samples = samples_of(str(path))
    return lambda: [None for _ in jobs_of([moot.DirectQA()], samples, out, 0)].clear()


def played(samples: list[moot.Sample], out: Path) -> None:
    """The whole run, as the command line makes it once the set is read."""
    planned: Plan = plan("direct-qa", (), ["judge=python:benchmarks.files.sets:judge"], (), 0, None)
    with redirect_stdout(StringIO()) as told, redirect_stderr(StringIO()):
        play_set(planned, [planned.protocol], samples, out, None, False)
    assert "decided" in told.getvalue(), told.getvalue()


def resident() -> int:
    """Bytes of this process that are in memory."""
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    return int(found[1]) * 1024 if found else 0


def child(path: str, out: str) -> None:
    """Play the set, its first quarter first, and print by how much the rest of it made this process grow."""
    samples = samples_of(path)
    played(samples[: PLAYED // 4], Path(out))
    before = resident()
    played(samples, Path(out))
    print(resident() - before)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few, many, some = (written(folder, count) for count in (FEW, MANY, PLAYED))
        repeats = min(5, timing.most)
        one, all_of_them = best(lambda: begun(few, folder), lambda: begun(many, folder), repeats=repeats)
        yield Row("before the first call of a set, per question, 10⁵ against 10³", all_of_them / one / (MANY / FEW), 1.2, "×",
                  f"{all_of_them / MANY * 1e6:.1f} µs a question against {one / FEW * 1e6:.1f}")  # fmt: skip
        yield Row("before the first call of a set of 10⁵, against one of 10³", all_of_them / one, 1.0, "×",
                  "a set is checked whole before anything of it is played")  # fmt: skip
        [alone, every] = best(named(few, folder), named(many, folder), repeats=repeats)
        yield Row("names and seeds of the plays of a set, per question, 10⁵ against 10³", every / alone / (MANY / FEW), 1.2, "×",
                  f"{every / MANY * 1e6:.1f} µs a question against {alone / FEW * 1e6:.1f}")  # fmt: skip
        command = [sys.executable, "-c", "import sys; from benchmarks.files.sets import child; child(*sys.argv[1:])"]
        done = subprocess.run([*command, str(some), str(folder / "out")], capture_output=True, text=True, check=True)
        grown, more = int(done.stdout), PLAYED - PLAYED // 4
        yield Row("memory kept per play of a set", grown / more / 1024, 0.5, "KB",
                  f"{grown / 1e6:.1f} MB over {more:,} plays")  # fmt: skip
        [again, reading] = best(
            lambda: played(samples_of(str(some)), folder / "out"), lambda: begun(some, folder), repeats=repeats
        )
        yield Row("a second run over a finished folder, per play", again / PLAYED * 1000, 0.1, "ms",
                  f"of these {reading / PLAYED * 1e6:.0f} µs to read and check the set")  # fmt: skip
