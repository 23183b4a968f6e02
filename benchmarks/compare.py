"""Two versions of moot, row by row: make bench BASE=COMMIT, and if wanted ROUNDS=9 or ROWS="solving calls" (families of rows).

Rule: it runs the rows of the files beside it and compares what they say; it measures nothing itself. Less is better in every row.

New is this tree as it stands, uncommitted changes included; base is COMMIT, in a git worktree that is removed at the end. In
each round a family runs once with either version, in turn (A B, B A, ...), every time in a new process of this Python. Both
run this tree's benchmark files and this environment's libraries, so that both do the same work; where base cannot run a
file, each version runs its own. A row without any change is called worse about once in 300 times in 5 rounds, and once in 25
in 3: what was found worse, run again alone and longer.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from benchmarks.run import FAMILIES
from benchmarks.timing import FEWEST, Pairs

ROOT = Path(__file__).resolve().parents[1]
TURNS = 2  # how often a side is timed within a run, at most, as whole runs are repeated here
LONGEST = 600.0  # seconds for a family in one version

_CHILD = """
import importlib, json, math, pathlib, sys
import moot
from benchmarks import timing
family, source, turns, out = sys.argv[1:]
if not pathlib.Path(moot.__file__).resolve().is_relative_to(source):
    sys.exit(f"moot was imported from {moot.__file__} and not from {source}")
timing.most = int(turns)
names = set()
with open(out, "w", encoding="utf-8") as file:
    for row in importlib.import_module(f"benchmarks.{family}").rows():
        if row.name in names or not math.isfinite(row.measured):
            sys.exit(f"{row.name}: measured {row.measured}" + (", and a row before it has its name" * (row.name in names)))
        names.add(row.name)
        print(json.dumps([row.name, [row.measured, row.unit]]), file=file, flush=True)
"""


@dataclass(frozen=True)
class Run:
    """A family, once with one version: value and unit of each row by name, and what ended it early, if anything did."""

    rows: dict[str, tuple[float, str]]
    error: str | None = None


@dataclass
class Comparison:
    """A family with both versions. notes: what could not be compared as it should. own: each version runs its own file.
    over: no more rounds. failed: the new version broke off."""

    family: str
    rows: dict[str, Pairs] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    own: bool = False
    over: bool = False
    failed: bool = False

    def add(self, base: Run, new: Run) -> None:
        """A round. The last one if a version broke off, or if both measured exactly the same, which no times do."""
        for version, run in (("base", base), ("new", new)):
            if run.error is not None:
                self.notes[f"{self.family}, {version}"] = f"failed in {version}: {run.error}"
        self.failed |= new.error is not None
        self.over |= self.failed or base.error is not None or base.rows == new.rows
        for name in dict.fromkeys((*base.rows, *new.rows)):
            if name in base.rows and name in new.rows:
                pairs = self.rows.setdefault(name, Pairs(new.rows[name][1]))
                pairs.base.append(base.rows[name][0])
                pairs.new.append(new.rows[name][0])
            else:
                self.notes[name] = f"only {'base' if name in base.rows else 'new'} measured it"


def measure(of: Comparison, tree: Path, seed: int) -> Run:
    """A family once with the moot of a tree, in a process of its own whose temporary files go when it ends."""
    source, scripts, turns = tree / "src", tree if of.own else ROOT, sys.maxsize if of.own else TURNS
    with tempfile.TemporaryDirectory(prefix="moot-bench-") as scratch:
        out = Path(scratch) / "rows"
        out.touch()
        path = os.pathsep.join(filter(None, (str(source), str(scripts), os.environ.get("PYTHONPATH"))))
        env = dict(os.environ, PYTHONPATH=path, PYTHONHASHSEED=str(seed), TMPDIR=scratch)
        env.pop("PYTHONDONTWRITEBYTECODE", None)  # a fresh checkout would be compiled in every process
        command = [sys.executable, "-c", _CHILD, of.family, str(source), str(turns), str(out)]
        try:
            done = subprocess.run(command, cwd=scripts, env=env, capture_output=True, timeout=LONGEST)
        except subprocess.TimeoutExpired:
            error: str | None = f"did not end within {LONGEST:g} s"
        else:
            said = done.stderr.decode("utf-8", "replace").strip().splitlines()
            error = (said or [f"exit status {done.returncode}"])[-1] if done.returncode else None
        return Run({name: tuple(row) for name, row in map(json.loads, out.read_text("utf-8").splitlines())}, error)


def compare(families: Sequence[str], base: Path, rounds: int, tell: Callable[[str], None]) -> list[Comparison]:
    """Every family with the moot of this tree and of `base`, so many times."""
    found = [Comparison(family) for family in families]
    for number in range(rounds):
        for each in (each for each in found if not each.over):
            tell(f"round {number + 1} of {rounds}: {each.family} …")
            first, second = (base, ROOT) if number % 2 == 0 else (ROOT, base)
            runs = {first: measure(each, first, number)}
            if number == 0 and runs[base].error and (base / "benchmarks" / f"{each.family}.py").exists():
                each.own = True
                each.notes[each.family] = f"each version ran its own file; base cannot run the new: {runs[base].error}"
                runs[base] = measure(each, base, number)
            runs[second] = measure(each, second, number)
            each.add(runs[base], runs[ROOT])
    return found


def git(*arguments: str) -> str:
    """What git says about this tree. Raises ValueError with its own words where it fails."""
    done = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise ValueError(done.stderr.strip())
    return done.stdout.strip()


@contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """The tree of a commit, in a git worktree that goes whatever happens."""
    with tempfile.TemporaryDirectory(prefix="moot-base-") as folder:
        tree = Path(folder).resolve() / "base"
        try:
            git("worktree", "add", "--quiet", "--detach", str(tree), commit)
            yield tree
        finally:
            with suppress(ValueError):
                git("worktree", "remove", "--force", str(tree))


def table(found: Sequence[Comparison], title: str) -> Table:
    drawn = Table("what", "base", "new", "new/base", "lowest to highest", "rounds", "", title=title)
    for each in found:
        for name, pairs in each.rows.items():
            low, middle, high = pairs.spread
            cells = [f"{median(values):.4g} {pairs.unit}" for values in (pairs.base, pairs.new)]
            cells += [f"{middle:.3f}", f"{low:.3f} to {high:.3f}", str(len(pairs.new)), pairs.verdict]
            drawn.add_row(escape(name), *cells, style={"worse": "red", "better": "green"}.get(pairs.verdict.split()[0]))
    return drawn


def main(arguments: Sequence[str]) -> int:
    """0: no row is worse. 1: one is, or new broke off in a family, or nothing could be compared. 2: it cannot begin."""
    parser = argparse.ArgumentParser("python -m benchmarks.compare")
    parser.add_argument("base", metavar="COMMIT")
    parser.add_argument("families", metavar="FAMILY", nargs="*", help="all by default")
    parser.add_argument("--rounds", type=int, default=5, help="by default 5")
    given = parser.parse_args(arguments)
    families = given.families or FAMILIES
    if unknown := set(families) - set(FAMILIES):
        parser.error(f"no benchmark is called {min(unknown)!r}; there are {', '.join(FAMILIES)}")
    if given.rounds < FEWEST:
        parser.error(f"{given.rounds} rounds have no spread to speak of; take {FEWEST} at least")
    try:
        commit = git("rev-parse", "--verify", f"{given.base}^{{commit}}")
    except (OSError, ValueError) as error:
        parser.error(f"{given.base!r} is no commit that git has here (git fetch may bring it): {error}")
    console = Console(width=None if sys.stdout.isatty() else 180)
    with checked_out(commit) as base:
        found = compare(families, base, given.rounds, lambda line: console.print(f"[dim]{line}[/dim]"))
    console.print(table(found, f"this tree against {commit[:10]}"))
    for name, note in ((name, note) for each in found for name, note in each.notes.items()):
        console.print(f"{name}: {note}", style="yellow", markup=False, soft_wrap=True)
    told = {pairs.verdict.split()[0] for each in found for pairs in each.rows.values()} - {"too"}
    return 1 if any(each.failed for each in found) or "worse" in told or not told else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
