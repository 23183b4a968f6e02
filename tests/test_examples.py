"""What the README, the pages and the examples say runs, and runs offline."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from import_kit import FIXTURES

import moot.testing
from moot.transcripts.formats.importing import format_named

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted([*(ROOT / "examples").glob("*.py"), *(ROOT / "examples" / "studies").glob("*.py")])
README = ROOT / "README.md"
PAGES = sorted(
    page for page in (ROOT / "docs").rglob("*.md")
    if "```python" in page.read_text(encoding="utf-8") and page.name != "market_making.md"  # which test_market runs
)  # fmt: skip


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "100"},
    )  # fmt: skip


@pytest.mark.skipif(not EXAMPLES, reason="the examples are not part of an installation")
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs(example: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Those that take long on smaller instances, unless --long says otherwise."""
    options, program = {"demo": ["--programs-only", "--out", str(tmp_path)]}, [str(example)]
    if not request.config.getoption("--long"):
        options |= {
            "market_making": ["--quick"], "amplification_failures": ["--quick"], "frontier": ["--sizes", "8", "--instances", "1"],
            "iterated_amplification": ["--size", "8", "--every", "400"], "proposer_critic": ["--questions", "12"],
            "limited_verification": ["--debates", "6", "--repetitions", "1"],
        }  # fmt: skip
        if example.stem == "own_protocol":
            program = ["-c", FEWER_PLAYS, *program]
    done = run(*program, *options.get(example.stem, ()), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() and "Warning" not in done.stderr, done.stderr
    if example.stem == "costs":  # what a page says that it prints; the rest depends on who is answered first
        page = (ROOT / "docs" / "costs.md").read_text(encoding="utf-8").splitlines()
        rows = [row.split("|")[2:-1] for row in page if row.startswith(("| at most", "| to expect, declared"))]
        printed = [re.split(r" {2,}", line)[-4:] for line in done.stdout.splitlines()]
        assert len(rows) == 2 and all([cell.strip() for cell in row] in printed for row in rows)
    if example.stem == "frontier" and "--sizes" in options.get("frontier", ()):
        assert FRONTIER <= set(done.stdout.splitlines()), done.stdout


FEWER_PLAYS = """
import runpy, sys, moot.testing
moot.testing.check_protocol.__kwdefaults__["examples"] = 4
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs an example with four plays a law."""

FRONTIER = {
    f"{family:11}{protocol:21} enough at n = 8: {enough!s:6}" + " ".join(f"{2**k}:{share:.2f}" for k, share in enumerate((*shares, *[1.0] * (11 - len(shares))), 1))
    for family, protocol, enough, shares in (
        ("expression", "direct-qa", 37, [0.0] * 5),
        ("expression", "recursive-debate", None, [0.0] * 4),
        ("expression", "decomposition-debate", 7, [0.0] * 2),
        ("path", "direct-qa", 20, [0.0] * 4),
        ("path", "recursive-debate", 19, [0.0]),  # this walk does not end where it should, which is seen at once
        ("path", "decomposition-debate", 6, [0.0, 0.5]),
    )
}  # fmt: skip
"""What the frontier comes to for one instance of each family at n = 8: shares of right verdicts up to that budget from which all are."""


def _blocks(page: Path) -> list[str]:
    return re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize(
    "page",
    [pytest.param(page, marks=pytest.mark.long) if page.name == "mnist.md" else page for page in PAGES],
    ids=lambda page: page.stem,
)
def test_the_python_of_a_page_runs(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its blocks in their order, as one program, in a folder with the files that they name. Printing is theirs."""
    if page.name in ("mnist.md", "judges.md"):
        pytest.importorskip("sklearn")
    blocks = [block for block in _blocks(page) if 'reproduce("package/data"' not in block]  # needs MNIST, and a minute
    assert blocks
    khan, codenames = (FIXTURES / name for name in ("khan", "codenames"))
    (tmp_path / "judged.csv").write_bytes((khan / "judged.csv").read_bytes())
    if page.name == "importing.md":
        assert list(format_named("codenames").imports(codenames / "sets.jsonl", tmp_path / "imported"))
    if page.name == "question_sets.md":  # which reads the sets of the tests
        (tmp_path / "tests" / "data").mkdir(parents=True)
        (tmp_path / "tests" / "data" / "sets").symlink_to(ROOT / "tests" / "data" / "sets")
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(key, "none")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "page"}
    for number, block in enumerate(blocks, 1):
        exec(compile(block, f"{page.name}, block {number}", "exec", dont_inherit=True), names)


def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not README.exists():
        pytest.skip("the README is not part of an installation")
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "none")
    monkeypatch.chdir(tmp_path)
    smaller: Any = moot.Local.__init__
    monkeypatch.setitem(
        smaller.__kwdefaults__, "context", 1024
    )  # making room for 8192 tokens in each slot takes seconds
    first, *rest = _blocks(README)
    names: dict[str, Any] = {"__name__": "readme"}
    exec(compile(first, "README.md, block 1", "exec", dont_inherit=True), names)
    for number, block in enumerate(rest, 2):
        if "moot.Local()" in block and find_spec("xllamacpp") is None:
            continue
        if "moot.resume(" in block:
            assert names["t"].guarantee.holds
        if "class Defence" in block:
            assert len(block.strip().splitlines()) < 40
        exec(compile(block, f"README.md, block {number}", "exec", dont_inherit=True), names)
    defaults: Any = moot.testing.check_protocol.__kwdefaults__
    monkeypatch.setitem(defaults, "examples", 5)  # with --long, examples/own_protocol.py plays them all
    names["test_defence"]()
