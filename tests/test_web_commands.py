"""Every command that the pages on pages write out is one: its words and options are those of the command line."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from moot.cli.app import app

DOCS = Path(__file__).resolve().parent.parent / "docs"
WRITTEN = [
    (page, line.partition("#")[0].strip())
    for page in ("viewer.md", "human_judging.md", "architecture.md")
    for line in re.findall(r"(?:^|`)(moot [^`\n]*--[^`\n]*)", (DOCS / page).read_text("utf-8"), re.MULTILINE)
]


def wrong(line: str) -> list[str]:
    """The options of a line that its command does not know."""
    command: Any = get_command(app)
    words = shlex.split(line)[1:]
    options: set[str] = set()
    for word in words:
        options |= {name for each in command.params for name in each.opts}
        command = getattr(command, "commands", {}).get(word, command)
    options |= {name for each in command.params for name in each.opts}
    return [word for word in words if word.startswith("-") and word not in options]


@pytest.mark.parametrize(("page", "line"), WRITTEN, ids=[f"{page} {line}" for page, line in WRITTEN])
def test_its_options_are_known(page: str, line: str) -> None:
    assert wrong(line) == []


def test_one_that_is_not_is_found() -> None:
    assert len(WRITTEN) >= 8
    assert wrong("moot export d.jsonl --nothing html -o d.html") == ["--nothing"]
