"""The command line in processes of its own: Ctrl-C, full disks, terminals, pipes, speed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_calls import JUDGE, MAIN, QUESTION, a_set, environment, recorded, said, spawned
from cli_calls import folder as folder

import moot

pytestmark = pytest.mark.usefixtures("folder")


# -- real processes ------------------------------------------------------------------------------------------------


def wait_for(path: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(600):
        if path.exists() and path.read_bytes().count(b'{"event":"moved"') >= count:
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError(f"{path} never held {count} moves")


def test_ctrl_c_keeps_what_was_said_and_says_how_to_go_on(folder: Path) -> None:
    words = ("run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:slow", *JUDGE, "-p", "rounds=200")
    process = spawned(*words, "-o", "d.jsonl", cwd=folder)
    wait_for(folder / "d.jsonl", 4, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    (line,) = err.strip().splitlines()
    kept = Path("d.jsonl").read_bytes().count(b'{"event":"moved"')
    assert f"all that was said is kept ({kept} moves)" in line and "go on with: moot resume d.jsonl --seat a=" in line
    again = line.split("go on with: moot ")[1].replace("cli_agents:slow", "cli_agents:speaker").split()
    assert "Decided" in said(*again)
    assert moot.replay(moot.load("d.jsonl")).transcript.ledger.seats["a"].calls == 200


def test_ctrl_c_in_a_set(folder: Path) -> None:
    a_set(30)
    words = (
        "run",
        "-P",
        "debate",
        "--seat",
        "debater=python:cli_agents:slow",
        *JUDGE,
        "--set",
        "set.jsonl",
        "-o",
        "out",
        "-j",
        "4",
    )
    process = spawned(*words, cwd=folder)
    wait_for(folder / "out" / "q-0.jsonl", 2, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "the same command goes on" in err and "Traceback" not in err
    moves = sum(path.read_bytes().count(b'{"event":"moved"') for path in Path("out").glob("*.jsonl"))
    assert moves >= 2
    assert "30 decided" in said(*words, "-j", "30")
    assert len(list(Path("out").glob("*.jsonl"))) == 30


def test_a_full_disk_loses_nothing_that_was_said(folder: Path) -> None:
    resource = pytest.importorskip("resource")
    words = (
        "run",
        "-P",
        "debate",
        *QUESTION,
        "--seat",
        "debater=python:cli_agents:speaker",
        *JUDGE,
        "-p",
        "rounds=200",
    )
    full = spawned(
        *words, "-o", "d.jsonl", cwd=folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))
    )
    out, err = full.communicate(timeout=60)
    assert full.returncode == 1 and "Traceback" not in err, err
    assert re.search(r"d.jsonl: cannot write event \d+: .*make room, then: moot resume d.jsonl", err)
    said("resume", "d.jsonl", "--seat", "a=python:cli_agents:speaker", "--seat", "b=python:cli_agents:speaker", *JUDGE)
    said("replay", "d.jsonl")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a pseudo-terminal")
@pytest.mark.parametrize("many", [False, True])
def test_on_a_terminal_it_shows_what_happens(many: bool, folder: Path) -> None:
    import pty

    a_set(6)
    what = ("--set", "set.jsonl", "-o", "out") if many else (*QUESTION, "-o", "d.jsonl")
    ours, theirs = pty.openpty()
    words = ("run", "-P", "debate", "--seat", "debater=python:cli_agents:slow", *JUDGE, "-p", "rounds=3", *what)
    process = subprocess.Popen([*MAIN, *words], stdout=subprocess.PIPE, stderr=theirs, env=environment(), cwd=folder)
    os.close(theirs)
    shown = b""
    while True:
        try:
            block = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not block:
            break
        shown += block
    os.close(ours)
    out = process.communicate(timeout=60)[0].decode()
    assert process.returncode == 0
    text = shown.decode()
    if many:
        assert "of 6 plays ended" in text and "at step" in text and "6 decided" in out
    else:
        assert "1.0.0" in text and "a says a storm" in text and "Decided" in out


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom moot.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'openai', 'networkx', 'pydantic', 'anyio', 'xllamacpp'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in done.stdout


def test_moot_alone_shows_help_and_a_closed_pipe_is_no_error(folder: Path) -> None:
    alone = spawned()
    out, err = alone.communicate(timeout=60)
    assert "Commands:" in out + err and "rejudge" in out + err and "Traceback" not in err
    recorded("d.jsonl", "-p", "rounds=300")
    process = spawned("show", "d.jsonl", cwd=folder)
    assert process.stdout is not None and process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.stderr.read() == "" and process.wait(60) in (0, 1)


def test_output_survives_a_terminal_without_unicode(folder: Path) -> None:
    recorded()
    for name in ("ascii", "latin-1"):
        done = subprocess.run([*MAIN, "show", "d.jsonl"], capture_output=True, cwd=folder,
                              env={**environment(), "PYTHONIOENCODING": name})  # fmt: skip
        assert done.returncode == 0 and b"Decided: the admiral" in done.stdout, done.stderr
