"""Calling the command line from tests: in this process, and in one of its own."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer import testing
from typer.main import get_command
from typer.testing import CliRunner, Result

from moot.cli.app import app

HERE = Path(__file__).parent
QUESTION = ("--question", "Who sank the fleet?", "--choice", "a storm", "--choice", "the admiral")
SPEAKERS = ("--seat", "a=python:cli_agents:speaker", "--seat", "b=python:cli_agents:speaker")
JUDGE = ("--seat", "judge=python:cli_agents:judge")
DEBATE = ("run", "--protocol", "debate", *QUESTION, *SPEAKERS, *JUDGE)
DECIDE = ("run", "-P", "debate", *QUESTION, *SPEAKERS, "--seat")
MAIN = (sys.executable, "-c", "from moot.cli import main; main()")

vars(testing)["_get_command"] = functools.cache(get_command)  # made anew, it is most of the time of a call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MOOT_TRACEBACK"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path


def call(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def said(*words: str, code: int = 0) -> str:
    done = call(*words)
    assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.stdout}\n{done.stderr}\n{done.exception!r}"
    return done.stdout


def refused(*words: str, code: int = 2) -> str:
    """The one line on stderr with which a command refuses."""
    done = call(*words)
    assert done.exit_code == code, f"{words}: {done.exit_code}\n{done.stdout}\n{done.stderr}\n{done.exception!r}"
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("moot: ") and "Traceback" not in done.stderr, done.stderr
    return lines[0]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(HERE)])}


def spawned(*words: str, **options: Any) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    return subprocess.Popen([*MAIN, *words], stdout=pipe, stderr=pipe, text=True, env=environment(), **options)


def recorded(path: str = "d.jsonl", *more: str) -> str:
    said(*DEBATE, "-o", path, *more)
    return path


def a_set(count: int, path: str = "set.jsonl") -> str:
    lines = [
        {"id": f"q/{i}", "question": f"Question {i}?", "choices": ["yes", "no"], "truth": i % 2} for i in range(count)
    ]
    Path(path).write_text("\n".join(map(json.dumps, lines)))
    return path
