"""Two versions benchmarked against each other: when a row counts as worse, and that nothing which failed is hidden."""

from __future__ import annotations

import importlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).resolve().parents[1]
FILES = ROOT / "benchmarks"

pytestmark = pytest.mark.skipif(not FILES.is_dir(), reason="the benchmarks are part of a checkout")
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="the other version is fetched with git")

WITHIN, WORSE, BETTER = "within its spread", "worse beyond its spread", "better beyond its spread"
FEW = "too few rounds to tell"


@pytest.fixture(scope="module")
def compare() -> Iterator[ModuleType]:
    sys.path.insert(0, str(ROOT))
    try:
        yield importlib.import_module("benchmarks.compare")
    finally:
        sys.path.remove(str(ROOT))
        for name in [name for name in sys.modules if name.partition(".")[0] == "benchmarks"]:
            del sys.modules[name]


# -- the verdict -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "new", "verdict"),
    [
        ([10, 11, 10, 9, 10], [10, 10, 11, 10, 9], WITHIN),
        ([10, 10, 10, 10, 10], [11, 12, 11.5, 12, 11.8], WORSE),
        ([10, 10, 10, 10, 10], [9, 8, 8.5, 8, 8.2], BETTER),
        ([10, 20, 40, 20, 10], [12, 24, 48, 24, 12], WORSE),  # what a round does to both is no spread
        ([10, 10, 10, 10, 10], [11, 13, 11, 11, 11], WITHIN),  # always worse, and by less than the rounds differ
        ([10, 10, 10, 10, 10], [9, 30, 30, 30, 30], WITHIN),
        ([388.35] * 5, [388.4] * 5, WITHIN),  # bytes without a spread: no difference to speak of
        ([388] * 5, [396] * 5, WORSE),
        ([0] * 5, [0] * 5, WITHIN),
        ([0] * 5, [3] * 5, WORSE),
        ([3] * 5, [0] * 5, BETTER),
        ([0, 0, 0, 0, 5], [3, 3, 3, 3, 3], WITHIN),
        ([-1] * 5, [3] * 5, WORSE),
        ([-1, 3, 3, 3, 3], [3, 3, -1, 3, 3], WITHIN),  # a difference of two times may come out below 0
        ([10, 10], [20, 20], FEW),
        ([10], [1], FEW),
        ([10], [10], WITHIN),
    ],
)
def test_verdicts(compare: ModuleType, base: list[float], new: list[float], verdict: str) -> None:
    assert compare.Pairs("×", base, new).verdict == verdict


ROUNDS = st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=3, max_size=9)


@given(ROUNDS, st.randoms(use_true_random=False))
def test_what_is_worse_was_worse_in_every_round_by_more_than_rounds_differ(
    compare: ModuleType, rounds: list[tuple[float, float]], random: Any
) -> None:
    def judged(rounds: list[tuple[float, float]]) -> Any:
        return compare.Pairs("×", [base for base, _ in rounds], [new for _, new in rounds])

    pairs = judged(rounds)
    ratios = [new / base if base else math.inf if new else 1.0 for base, new in rounds]
    assert pairs.spread == (min(ratios), median(ratios), max(ratios))
    if pairs.verdict == WORSE:
        assert all(new > base for base, new in rounds)
        assert min(ratios) == math.inf or median(ratios) - 1 > max(ratios) - min(ratios)
    if pairs.verdict == BETTER:
        assert all(new < base for base, new in rounds)
    assert judged(random.sample(rounds, len(rounds))).verdict == pairs.verdict
    assert judged([(base, base) for base, _ in rounds]).verdict == WITHIN


@given(st.lists(st.floats(0.1, 1e6), min_size=3, max_size=9), st.floats(1.02, 50))
def test_a_steady_loss_is_seen_under_any_noise_that_both_share(
    compare: ModuleType, base: list[float], factor: float
) -> None:
    assert compare.Pairs("×", base, [each * factor for each in base]).verdict == WORSE
    assert compare.Pairs("×", [each * factor for each in base], base).verdict == BETTER


def test_what_broke_off_or_stands_on_one_side_alone_is_noted(compare: ModuleType) -> None:
    found, run = compare.Comparison("family"), compare.Run
    found.add(run({"a": (1.0, "×"), "b": (2.0, "×")}), run({"a": (1.1, "×"), "b": (2.0, "×")}))
    assert not found.over and not found.notes and not found.failed
    found.add(run({"a": (1.0, "×"), "b": (2.0, "×")}), run({"a": (1.2, "×"), "c": (1.0, "×")}, "ValueError: no"))
    assert found.over and found.failed and found.rows["a"].new == [1.1, 1.2] and found.rows["b"].new == [2.0]
    assert found.notes == {
        "family, new": "failed in new: ValueError: no", "b": "only base measured it", "c": "only new measured it"
    }  # fmt: skip

    other = compare.Comparison("other")
    other.add(run({}, "ImportError: no"), run({"a": (1.0, "×")}))
    assert other.over and not other.failed and other.notes["other, base"] == "failed in base: ImportError: no"

    exact = compare.Comparison("exact")
    exact.add(run({"a": (0.0, "%")}), run({"a": (0.0, "%")}))
    assert exact.over and not exact.notes and exact.rows["a"].verdict == WITHIN


# -- from a commit to the table ----------------------------------------------------------------------------------------

TIMING = "from collections import namedtuple\nRow = namedtuple('Row', 'name measured unit')\n"
ONE = "from benchmarks.timing import Row\nimport moot\ndef rows():\n    "


def git(tree: Path, *arguments: str) -> str:
    command = ["git", "-C", str(tree), "-c", "user.name=A", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def tree(compare: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny moot with a commit, and uncommitted changes on top of it."""
    monkeypatch.setattr(compare, "ROOT", tmp_path / "tree")
    monkeypatch.setattr(compare, "FAMILIES", ("slower", "renamed", "broken", "added"))
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    tree = tmp_path / "tree"

    def write(**files: str) -> None:
        for name, text in files.items():
            path = tree / ("src/moot/__init__.py" if name == "moot" else f"benchmarks/{name}.py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")

    (tmp_path / "tmp").mkdir()
    write(
        moot="cost, older = 2.0, 5.0", __init__="", timing=TIMING,
        slower=ONE + "yield Row('a [bold] row', 99.0, 's')",
        renamed=ONE + "yield Row('by two names', moot.older, 's')",
        broken=ONE + "yield Row('of two', 1.0, 's')",
    )  # fmt: skip
    git(tree, "init", "-q")
    git(tree, "add", ".")
    git(tree, "commit", "-q", "-m", "the base")
    write(
        moot="cost, newer, fails = 3.0, 5.0, True",
        slower=ONE + "yield Row('a [bold] row', moot.cost, 's')",
        renamed=ONE + "yield Row('by two names', moot.newer, 's')",
        broken=ONE + "yield Row('of two', 1.0, 's')\n    if hasattr(moot, 'fails'): 1 / 0\n    yield Row('second', 1.0, 's')",
        added="import tempfile\n" + ONE + "tempfile.mkdtemp()\n    yield Row('an added one', 4.0, 's')",
        twice=ONE + "yield from [Row('twin', 1.0, 's')] * 2",
        endless=ONE + "yield Row('endless', float('nan'), 's')",
    )  # fmt: skip
    return tree


@needs_git
def test_a_commit_against_the_tree_as_it_stands(
    compare: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*families: str) -> tuple[int, dict[str, list[str]], list[str]]:
        code = compare.main(["HEAD", *families, "--rounds", "3"])
        lines = capsys.readouterr().out.splitlines()
        rows = [[cell.strip() for cell in line.strip("│").split("│")] for line in lines if line.startswith("│")]
        return code, {name: cells for name, *cells in rows}, lines[-3:]

    code, rows, _ = told("slower", "added")  # the new file measures both versions, one that base does not have too
    assert code == 1
    assert rows == {
        "a [bold] row": ["2 s", "3 s", "1.500", "1.500 to 1.500", "3", WORSE],
        "an added one": ["4 s", "4 s", "1.000", "1.000 to 1.000", "1", WITHIN],
    }
    code, rows, notes = told("renamed", "broken")
    assert code == 1 and {name: cells[-1] for name, cells in rows.items()} == {"by two names": WITHIN, "of two": WITHIN}
    why = (
        "each version ran its own file; base cannot run the new: AttributeError: module 'moot' has no attribute 'newer'"
    )
    assert notes == [
        f"renamed: {why}",
        "broken, new: failed in new: ZeroDivisionError: division by zero",
        "second: only base measured it",
    ]
    assert told("added")[0] == 0
    # Nothing was changed here, and nothing is left of the other version.
    assert len(git(tree, "worktree", "list").splitlines()) == 1 and not os.listdir(tempfile.gettempdir())


@needs_git
def test_rows_that_cannot_be_told_apart_or_are_no_numbers_are_failures(
    compare: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {name: compare.measure(compare.Comparison(name), tree, 0).error for name in ("twice", "endless")}
    assert found == {
        "twice": "twin: measured 1.0, and a row before it has its name",
        "endless": "endless: measured nan",
    }
    shutil.rmtree(tree / "src" / "moot")  # the installed moot is no stand-in for that of the tree
    assert "and not from" in str(compare.measure(compare.Comparison("added"), tree, 0).error)


@needs_git
def test_nothing_compared_is_no_pass(compare: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = compare.Run({}, "ImportError: no")
    monkeypatch.setattr(compare, "measure", lambda of, where, seed: failing if where != tree else compare.Run({}))
    assert compare.main(["HEAD", "slower"]) == 1


@needs_git
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere"], "'nowhere' is no commit that git has here"),
        (["HEAD:src"], "is no commit"),
        (["--", "--all"], "'--all' is no commit"),
        (["HEAD", "nothing"], "no benchmark is called 'nothing'"),
        (["HEAD", "--rounds", "2"], "take 3 at least"),
    ],
)
def test_what_cannot_be_compared_is_told(
    compare: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], says: str,
) -> None:  # fmt: skip
    with pytest.raises(SystemExit) as caught:
        compare.main(arguments)
    assert caught.value.code == 2 and says in capsys.readouterr().err


@needs_git
def test_without_git_it_says_so(
    compare: ModuleType, tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SystemExit):
        compare.main(["HEAD"])
    assert "No such file or directory: 'git'" in capsys.readouterr().err


@needs_git
@pytest.mark.skipif(sys.platform == "win32", reason="it sends a signal")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_comparison_that_is_broken_off_leaves_nothing(tree: Path, name: str) -> None:
    for file in ("compare", "timing"):
        shutil.copy(FILES / f"{file}.py", tree / "benchmarks")
    (tree / "benchmarks" / "run.py").write_text('FAMILIES = ("stop",)', "utf-8")
    stop = "import os, signal, time\ndef rows():\n    os.kill(os.getppid(), signal.%s)\n    time.sleep(60)\n    yield"
    (tree / "benchmarks" / "stop.py").write_text(stop % name, "utf-8")
    env = {**os.environ, "PYTHONPATH": ""}
    command = [sys.executable, "-m", "benchmarks.compare", "HEAD", "stop"]
    done = subprocess.run(command, cwd=tree, env=env, capture_output=True, text=True)
    assert done.returncode == 130 and not done.stderr, done.stderr
    assert len(git(tree, "worktree", "list").splitlines()) == 1 and not os.listdir(tempfile.gettempdir())


def test_samples_are_of_the_function_that_runs_and_of_those_that_called_it() -> None:
    from benchmarks.profile.sample import Samples

    samples = Samples()

    def inner() -> None:
        samples(0, sys._getframe())

    def outer() -> None:
        inner()

    for call in (inner, outer, outer):
        call()
    here = {name.rpartition(".")[2]: count for name, count in samples.cumulative.items() if "<locals>" in name}
    assert samples.count == 3 and here["inner"] == 3 and here["outer"] == 2
    assert [name.rpartition(".")[2] for name in samples.own] == ["inner"] and samples.own.total() == 3


def test_a_ratio_is_the_median_of_paired_turns_with_their_spread() -> None:
    from benchmarks.run import markdown
    from benchmarks.timing import Ratio, Row, Turns

    ours, theirs = Turns([4.0, 2.0, 9.0]), Turns([1.0, 2.0, 3.0])
    ratio = ours / theirs
    assert isinstance(ratio, Ratio) and (ratio.low, float(ratio), ratio.high) == (1.0, 3.0, 4.0)
    assert (ours, theirs) == (2.0, 1.0) and ours / 2 == 1.0 and type(ours / Turns([4.0])) is float
    half = ratio / 2
    assert isinstance(half, Ratio) and (half.low, float(half), half.high) == (0.5, 1.5, 2.0)
    assert markdown(Row("this", ratio, 2.5, "×", "so")) == "| this | **3.00 ×** | 1.00 to 4.00 | 2.5 × | so |"
    assert markdown(Row("that", 2.0, 2.5, "×", "so")) == "| that | 2.00 × |  | 2.5 × | so |"
