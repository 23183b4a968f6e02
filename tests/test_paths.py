"""A file of a part gives the same to every tool by either of its paths: its own, and the one through the link."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
FILES = ("protocols/engine/game.py", "complexity/polynomial.py", "transcripts/transcript.py", "judges/bounded.py")
LINKED = tuple(f"src/moot/{name}" for name in FILES)
MISTAKE = "\n\ndef mistaken(number: int) -> str:\n    return number + 1\n"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not (ROOT / "protocols").is_dir(), reason="an sdist has no links"),
]


def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, timeout=280,
        env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1", **environment},
    )  # fmt: skip


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("mypy"))


@pytest.mark.parametrize("files", [FILES, LINKED], ids=["own path", "through the link"])
def test_mypy_finds_nothing(files: tuple[str, ...], cache: str) -> None:
    pytest.importorskip("mypy")
    done = run("mypy", "--cache-dir", cache, *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"no issues found in {len(files)} source files" in done.stdout


@pytest.mark.parametrize("file", [FILES[1], LINKED[1]], ids=["own path", "through the link"])
def test_mypy_finds_what_is_wrong(file: str, cache: str, tmp_path: Path) -> None:
    pytest.importorskip("mypy")
    changed = tmp_path / "changed.py"
    changed.write_text((ROOT / file).read_text("utf-8") + MISTAKE, "utf-8")
    done = run("mypy", "--cache-dir", cache, "--shadow-file", file, str(changed), file)
    (error, last) = done.stdout.strip().splitlines()
    assert error.startswith(f"{file}:") and 'got "int", expected "str"' in error
    assert last.startswith("Found 1 error in 1 file")


@pytest.mark.parametrize("files", [FILES, LINKED], ids=["own path", "through the link"])
def test_pyright_finds_nothing(files: tuple[str, ...]) -> None:
    pytest.importorskip("pyright")
    done = run("pyright", "--pythonpath", sys.executable, "--outputjson", *files)
    found = json.loads(done.stdout)
    assert found["summary"]["filesAnalyzed"] == len(files)
    assert not found["generalDiagnostics"], found["generalDiagnostics"]


def test_coverage_counts_the_same_lines(tmp_path: Path) -> None:
    """--source=src/moot sees the parts as well, and --source=protocols what is imported through the link."""
    pytest.importorskip("coverage")
    (tmp_path / "use.py").write_text("from moot.protocols.engine.moves import Speech\nSpeech(text='so')\n", "utf-8")
    counted: list[dict[str, Any]] = []
    for source in ("src/moot", "protocols"):
        data = {"COVERAGE_FILE": str(tmp_path / "data")}
        assert run("coverage", "run", f"--source={source}", str(tmp_path / "use.py"), **data).returncode == 0
        assert run("coverage", "json", "-q", "-o", str(tmp_path / "found.json"), **data).returncode == 0
        counted.append(json.loads((tmp_path / "found.json").read_text("utf-8"))["files"])
    assert counted[0] == counted[1]
    assert counted[0]["protocols/engine/moves.py"]["summary"]["covered_lines"] > 10
    assert not any(name.startswith("src/moot/protocols") for name in counted[0])
