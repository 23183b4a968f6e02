"""What reaches a terminal: everything through one file, nothing that steers it, nothing of one person's turn to the next."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from agent_kit import request_for
from cli_calls import MAIN, QUESTION, environment, folder
from hypothesis import given
from hypothesis import strategies as st
from test_text import hostile, steers

import moot
from moot.agents.people import terminal
from moot.agents.people.human import HANDED_OVER, has_person
from moot.cli import main
from moot.cli.running import watched
from moot.protocols.text import visible
from moot.studies.watch import board

__all__ = ["folder"]
ROOT = Path(moot.__file__).parent
THE_ONE_PLACE = "agents/people/terminal.py"
FOR_PYTEST = "testing/checks/check.py", "testing/checks/child.py"
"""What a test kit warns pytest of, and the pipe of a child process of its own."""
_CALLS = {
    "print", "input", "pprint", "breakpoint", "exit", "quit", "help", "echo", "secho", "echo_via_pager", "confirm", "prompt",
    "getpass", "warn", "warn_explicit", "print_exc", "print_exception", "print_stack", "progressbar", "launch", "print_help",
    "warning", "critical", "basicConfig", "StreamHandler",
}  # fmt: skip
_MODULES = {"getpass", "curses", "readline", "rich.live", "rich.prompt", "rich.progress", "rich.logging"}
_STREAMS = {"stdout", "stderr", "stdin", "__stdout__", "__stderr__", "__stdin__", "displayhook", "excepthook"}
_FILES = re.compile(r"/dev/(tty|std\w+|fd/\d)|CONOUT?\$")
_ANY = re.compile(
    rf"\b(?:{'|'.join(_CALLS)})\(|import .*\b(?:{'|'.join(_CALLS)})\b|\b(?:{'|'.join(_STREAMS | _MODULES)})\b"
    r"|Console|argparse|/dev/|CON|os\.(?:write|fdopen|system)"
)


def writes(source: str) -> Iterator[str]:
    """What in a source writes to a terminal or reads from one, each with its line."""
    if not _ANY.search(source):
        return
    tree = ast.parse(source)
    guarded = any(isinstance(node, ast.Call) and ast.unparse(node.func).endswith("guard") for node in ast.walk(tree))
    harmless = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "fileno"}
    ours = {each.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
            and node.module == "moot.agents.people.terminal" for each in node.names}  # fmt: skip
    for node in ast.walk(tree):
        found = ""
        match node:
            case ast.Call(func=ast.Attribute(attr="print", value=ast.Name(id="self") | ast.Attribute())):
                pass  # of a console, which has a file of its own: see below
            case ast.Call(func=ast.Name(id=name)) if name in ours:
                pass
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if name in _CALLS:
                found = name
            case ast.Call(func=ast.Name(id="Console") | ast.Attribute(attr="Console"), keywords=given):
                found = "" if any(each.arg == "file" for each in given) else "Console"
            case (
                ast.Call(
                    func=ast.Attribute(value=ast.Name(id="os"), attr="write" | "writev" | "fdopen" as name),
                    args=[ast.Constant(value=0 | 1 | 2), *_],
                )
                | ast.Call(func=ast.Attribute(value=ast.Name(id="os"), attr="system" as name))
            ):
                found = f"os.{name}"
            case ast.ImportFrom(module="moot.agents.people.terminal"):
                pass
            case ast.Attribute(value=ast.Name(id="sys"), attr=name) if name in _STREAMS and id(node) not in harmless:
                found = f"sys.{name}"
            case ast.ImportFrom(module=module, names=names):
                both = {module or "", *(f"{module}.{each.name}" for each in names)}
                taken = both & _MODULES or {each.name for each in names} & _CALLS or {
                    each.name for each in names if module == "sys" and each.name in _STREAMS
                }  # fmt: skip
                found = ", ".join(sorted(taken))
            case ast.Import(names=names):
                found = ", ".join(each.name for each in names if each.name in _MODULES)
                if any(each.name == "argparse" for each in names) and not guarded:
                    found = "argparse without guard()"
            case ast.Constant(value=str(text)) if _FILES.fullmatch(text):
                found = text
        if found:
            yield f"line {getattr(node, 'lineno', 0)}: {found}"


def sources() -> dict[str, str]:
    found = {str(path.relative_to(ROOT)): path for path in sorted(ROOT.glob("*.py"))}
    for part in sorted(path for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"):
        found |= {f"{part.name}/{path.relative_to(part.resolve())}": path for path in part.resolve().rglob("*.py")}
    return {name: path.read_text(encoding="utf-8") for name, path in found.items()}


def test_one_file_alone_writes_to_terminals() -> None:
    files = sources()
    assert len(files) > 200 and any(writes(files.pop(THE_ONE_PLACE)))
    bad = {name: found for name, text in files.items() if name not in FOR_PYTEST and (found := list(writes(text)))}
    assert not bad, bad


@pytest.mark.parametrize(
    "mutant",
    ["print(x)", "print(x, file=sys.stderr)", "import sys; sys.stdout.write(x)", "sys.__stderr__.write(x)", "from sys import stdout",
     "typer.echo(x)", "click.secho(x)", "from typer import echo", "input()", "import warnings; warnings.warn(x)", "import logging; logging.warning(x)", "log.critical(x)",
     "from rich.live import Live", "from rich import print", "Console().print(x)", "rich.console.Console(stderr=True)",
     "os.write(1, x)", "open('/dev/tty', 'w')", "import argparse", "traceback.print_exc()", "getpass.getpass()", "typer.confirm(x)",
     "sys.stdout.buffer.write(x)", "import rich.progress"],
)  # fmt: skip
def test_whatever_else_writes_is_found(mutant: str) -> None:
    assert list(writes(f"def f(x):\n    {mutant}\n"))


class Tty(io.StringIO):
    """A terminal that keeps what it was given."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__()
        self._encoding = encoding

    @property
    def encoding(self) -> str:  # type: ignore[override]
        return self._encoding

    def isatty(self) -> bool:
        return True

    def write(self, text: str) -> int:
        text.encode(self._encoding)  # as a real one would: raises where it cannot
        return super().write(text)


@given(
    hostile, st.sampled_from(["utf-8", "ascii", "cp1252", "latin-1"]), st.sampled_from(["", "line", "whole", "styled"])
)
def test_whatever_is_shown_steers_no_terminal_of_any_encoding(text: str, encoding: str, how: str) -> None:
    out, kept = Tty(encoding), sys.stdout
    sys.stdout = out
    try:
        terminal.show(text, line=how == "line", whole=how == "whole", styled=how == "styled")
        terminal.Guarded(out).write(text)
    finally:
        sys.stdout = kept
    shown = out.getvalue()
    if how == "styled":
        shown = re.sub(r"\x1b\[[0-9;]*m", "", shown)
    assert not steers(shown)
    if how == "line":
        assert shown.removesuffix(visible(text)).count("\n") <= 1 + visible(text).count("\n")


def test_long_lines_are_broken_and_a_terminal_without_an_encoding_gets_plain_signs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = Tty("ascii")
    monkeypatch.setattr(sys, "stdout", out)
    terminal.show("x" * 9000)
    assert max(map(len, out.getvalue().splitlines())) == terminal.LONG and out.getvalue().count("x") == 9000
    terminal.show("█─ ✓ “é”")
    assert out.getvalue().endswith('#- v "\\xe9"\n')
    monkeypatch.setattr(sys, "stdout", None)
    terminal.show("nobody is there")


def test_guarded_streams_take_what_others_write(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Tty()
    monkeypatch.setattr(sys, "stderr", out)
    monkeypatch.setattr(sys, "stdout", Tty())
    terminal.guard()
    terminal.guard()
    assert isinstance(sys.stderr, terminal.Guarded) and sys.stderr.unguarded is out
    print("\x1b[2J", file=sys.stderr)
    sys.stderr.writelines(["a\x9b", "b\x1bc"])
    terminal.show("\x1b[31mred\x1b[0m\x1b[2J", error=True, styled=True)
    assert out.getvalue().endswith("a\\x9bb\\x1bc\x1b[31mred\x1b[0m\\x1b[2J\n") and "\\x1b[2J" in out.getvalue()


def test_what_is_typed_is_in_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bool] = []
    monkeypatch.setitem(sys.modules, "readline", SimpleNamespace(set_auto_history=kept.append))
    monkeypatch.setattr(sys, "stdin", io.StringIO("secret\n"))
    monkeypatch.setattr(sys, "stdout", out := Tty())
    assert terminal.ask("\x1b[2J? ") == "secret" and kept == [False, True]
    with pytest.raises(EOFError):
        terminal.ask("? ")
    assert kept == [False, True] * 2 and "\x1b" not in out.getvalue()


def test_files_go_to_pipes_byte_for_byte_and_to_terminals_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw))
    terminal.document(b"\x1b[2J\xff")
    assert raw.getvalue() == b"\x1b[2J\xff"
    monkeypatch.setattr(sys, "stdout", out := Tty())
    terminal.document(b"\x1b[2J\xff")
    assert out.getvalue() == "\\x1b[2J\ufffd"
    terminal.clear()
    assert out.getvalue().endswith(terminal.CLEAR)


BAD = "\x1b]0;owned\x07\x9b2J\u202e"


@pytest.mark.parametrize(
    "words",
    [
        ("run", f"--{BAD}"), (BAD,), ("show", f"{BAD}.jsonl"), ("seal", BAD, f"--jso{BAD}"), ("run", "-P", BAD, *QUESTION),
        ("run", "-P", "debate", *QUESTION, "-s", f"a={BAD}", "-s", "b=human", "-s", "judge=human"), ("verify", f"{BAD}\n{BAD}"),
        ("run", "-P", "debate", *QUESTION, "--bound", f"judge.{BAD}=3"), ("list", BAD), ("import", BAD, BAD, "-o", BAD),
    ],
)  # fmt: skip
def test_errors_that_repeat_what_was_given_steer_no_terminal(
    words: tuple[str, ...], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdout", out := Tty())
    monkeypatch.setattr(sys, "stderr", out)
    with pytest.raises(SystemExit) as ended:
        main(words)
    shown = out.getvalue()
    assert ended.value.code in (0, 1, 2, 3) and not steers(shown) and "\\x1b" in shown, shown
    assert len(shown.splitlines()) <= 5 and "Traceback" not in shown


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
def test_a_traceback_steers_no_terminal(folder: Path) -> None:
    import pty

    ours, theirs = pty.openpty()
    (folder / "bad.py").write_text(f"raise ValueError({BAD!r})")
    given = {**environment(), "MOOT_TRACEBACK": "1", "PYTHONPATH": f"{environment().get('PYTHONPATH', '')}:."}
    words = [*MAIN, "--import", "bad", "protocols"]
    process = subprocess.Popen(words, stdin=theirs, stdout=theirs, stderr=theirs, env=given, cwd=folder)
    os.close(theirs)
    shown = received(ours)
    assert process.wait(60) and "Traceback" in shown and "\\x1b]0;owned" in shown
    assert not steers(shown.replace("\r\n", "\n")), shown


def received(ours: int) -> str:
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other side is closed
            block = b""
        if not block:
            os.close(ours)
            return shown.decode()
        shown += block


TWO = """
import moot
from moot.agents.people.human import Human
q = moot.Question("Who?", ("ann", "bob"), passage="PASSAGE-ALL-SEE")
seats = {"a": Human(), "b": Human(), "judge": Human(name="Jo")}
t = moot.run(moot.Debate(rounds=1), q, seats)
print("THE END", t.outcome.kind)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
def test_the_screen_is_cleared_between_people() -> None:
    import pty

    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", TWO], stdin=theirs, stdout=theirs, stderr=theirs, env=environment()
    )
    os.close(theirs)
    seen, shown = "", ""
    turns = [("SECRET-OF-A", "a (debater)"), ("SECRET-OF-B", "b (debater)"), ("SECRET-OF-JO", "Jo, judge (judge)")]

    def until(what: str) -> None:
        nonlocal seen, shown
        while what not in shown:
            assert select.select([ours], [], [], 60)[0], f"{what!r} never came: {seen}"
            block = os.read(ours, 65536).decode(errors="replace")
            seen += block
            shown = seen.rpartition(terminal.CLEAR)[2]  # what is on the screen, and what it scrolls back to

    first = ""
    for place, (secret, seat) in enumerate(turns):
        until("Pass the keyboard to" if place else "> ")
        if place:
            assert f"Pass the keyboard to {seat}" in shown
            assert not any(each in shown for each, _ in turns[:place]) and "PASSAGE" not in shown, shown
            os.write(ours, b"\n")
            until("> ")
            assert "Pass the" not in shown and not any(each in shown for each, _ in turns[:place] if place < 2), shown
        first = first or shown
        os.write(ours, f"{secret}\n.\n".encode())
        if place == 2:
            until("1. ann")
            os.write(ours, b"60\n")
            until("2. bob")
            os.write(ours, b"40\n")
    until("THE END decided")
    assert not any(secret in shown for secret, _ in turns), "the last turn is gone too"
    process.wait(60)
    os.close(ours)
    assert "PASSAGE-ALL-SEE" in first and seen.count(terminal.CLEAR) == 5


def test_without_a_terminal_a_marker_says_where_another_persons_turn_begins() -> None:
    shown: list[str] = []
    typed = iter(["a's words", ".", "b's words", ".", "more", ".", "more", ".", ".", "50", "50"])

    def read(prompt: str) -> str:
        return next(typed)

    seats = {seat: moot.Human(read, shown.append) for seat in ("a", "b", "judge")}
    moot.run(moot.Debate(rounds=2), moot.Question("Who?", ("x", "y")), seats)
    marks = [place for place, text in enumerate(shown) if text.startswith(HANDED_OVER)]
    assert [shown[place].split()[-3] for place in marks] == ["b", "a", "b", "judge"]
    assert not any("a's words" in text for text in shown[: marks[1]])
    for mark, end in zip(marks, [*marks[1:], len(shown)], strict=True):
        assert "Question: Who?" in shown[mark:end], "each is shown it all again"
    again: list[str] = []
    typed = iter(["1", ".", "2", ".", ".", "50", "50"])
    one = moot.Human(read, again.append, name="Ann")
    moot.run(moot.Debate(rounds=1), moot.Question("Who?", ("x", "y")), dict.fromkeys(("a", "b", "judge"), one))
    assert not any(text.startswith(HANDED_OVER) for text in again), "who has a name sits in several seats"


@pytest.mark.parametrize("person", [False, True])
def test_nobody_who_sits_at_the_terminal_is_told_what_others_say_blind(
    person: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", out := Tty())
    other = "human" if person else "python:cli_agents:speaker"
    agents = watched({"a": "python:cli_agents:speaker", "b": other}, {}, {})
    agents["a"].act(request_for(answer=0, source="none"))
    assert "0.9" in out.getvalue() and ("a says" in out.getvalue()) != person


def test_the_table_of_plays_under_way_steers_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", out := Tty())
    with board(2) as shown:
        told = shown.watch(f"one{BAD}\nmoot: all is well.jsonl")
        told("asked", request_for(seat=BAD), None)
        shown.ended("other", f"errored{BAD}", BAD)
        time.sleep(0.3)
    drawn = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", out.getvalue())
    assert "\\x1b]0;owned" in drawn and not steers(drawn.replace("\r", "")) and "\nmoot: all" not in drawn
    monkeypatch.setattr(sys, "stderr", plain := io.StringIO())
    with board(2) as shown:
        shown.ended(f"a\nb{BAD}", f"errored{BAD}", BAD)
    assert not steers(plain.getvalue()) and plain.getvalue().count("\n") == 1


def test_a_person_is_found_inside_wrappers() -> None:
    assert has_person(moot.Bounded(moot.Human(), calls=3)) and not has_person(lambda request: moot.Speech(text="x"))


def test_json_is_ascii_that_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    from moot.cli.frame import tell_json

    value: Any = {"x": "\x7f\x9b\u202e\x1b\U000e0041"}
    tell_json(value)
    shown = capsys.readouterr().out
    assert shown.isascii() and not steers(shown) and json.loads(shown)["x"] == value["x"]
