"""The example of a plug-in (`examples/plugin`), installed as a user installs it and used by every way that is open to one."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from cli_calls import MAIN, environment

import moot

SOURCE = Path(__file__).parent.parent / "examples" / "plugin"
CONFIG = """
protocol = "audit"
[params]
stake = 2
[seats]
clerk = "sly"
auditor = "bookkeeper"
[bounds.judge]
reads = "2*n"
[agents.sly]
kind = "bookkeeper"
slip = 1
[agents.unsure]
kind = "recount"
sure = 0.9
"""
GOOD = {"bookings": [3, 5, 9], "answers": [18, 17], "balances": [3, 9], "doubt": 1, "believed": 0.5, "truth": 1}
LOG = (
    GOOD,
    {**GOOD, "balances": [3, 9, 18]},  # breaks a rule of the protocol
    {**GOOD, "doubt": 3},  # so does this
    {**GOOD, "believed": None},  # no verdict: unfinished
    {**GOOD, "believed": 7},
    {**GOOD, "answers": [18]},
)
IN_PYTHON = """
import moot
import moot.testing
from moot.agents.spec import agent_from
from moot_example.protocol import Audit, Doubt

moot.testing.check_protocol(Audit(), examples=5)

bookings, asked = [4, -1, 7, 2, 6], []

def clerk(request):
    asked.append(request)
    return agent_from(f"bookkeeper:{slip}").act(request)

def auditor(request):
    asked.append(request)
    return agent_from("bookkeeper").act(request)

for claimed in (18, 19):
    question = moot.Question("The sum?", (str(claimed), "0"), data=bookings, unit="cells", size=5)
    for slip in range(5):
        seats = {"clerk": clerk, "auditor": auditor, "judge": moot.Bounded(agent_from("recount:0.75"), reads="4")}
        play = moot.run(Audit(), question, seats)
        assert play.outcome.payoffs == ({"clerk": 0.5, "auditor": -0.5} if claimed == 18 else {"clerk": -0.5, "auditor": 0.5})
        assert play.guarantee.holds and play.ledger.seats["judge"].reads == 4, "the judge reads one doubt, however long the sum"
        assert {"before", "amount", "after"} <= dict(next(s.move for s in play.steps() if s.seat == "auditor")).keys()

write, doubt = asked[-2:]
assert "Exactly 4 values" in moot.prompt_for(write).messages()[-1]["content"]
told = moot.prompt_for(doubt).messages()[-1]["content"]
assert '"booking" is a whole number from 0 to 4' in told and "before" not in told
assert moot.read_move('{"booking": 2}', doubt) == Doubt(booking=2)
declared = Audit().metadata(question)
assert (declared.complexity_class, declared.zero_sum, declared.utility_bound) == ("P", True, 1.0)
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the installed plug-in."""
    if not SOURCE.is_dir():
        pytest.skip("the examples are not part of an installation")
    try:
        version = tuple(int(number) for number in metadata.version("setuptools").split(".")[:2])
        metadata.version("pip")
    except metadata.PackageNotFoundError as missing:
        pytest.skip(f"nothing to install it with: no {missing.name}")
    if version < (70, 1):
        pytest.skip("setuptools before 70.1 builds no wheel by itself")
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(SOURCE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info", "__pycache__"))
    offline = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet")
    pip = [sys.executable, "-m", "pip", "install", *offline, "--target", "site", "./source"]
    done = subprocess.run(pip, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder / "site"


@pytest.fixture
def folder(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where child processes run, with the plug-in on their path."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), environment()["PYTHONPATH"]]))
    monkeypatch.setenv("COLUMNS", "150")
    (tmp_path / "c.toml").write_text(CONFIG)
    (tmp_path / "bookings.json").write_text("[3, 5, 9, 2]")
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LOG))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str, code: int = 0) -> str:
    done = subprocess.run([*MAIN, *words], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def test_it_is_short_and_says_what_its_files_are_for() -> None:
    files = sorted(SOURCE.rglob("*.py"))
    if not files:
        pytest.skip("the examples are not part of an installation")
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert sum(len(text.splitlines()) for text in texts) < 200
    assert all(text.startswith('"""') and ast.get_docstring(ast.parse(text)) for text in texts)


def test_all_that_it_announces_is_found(folder: Path) -> None:
    told = said("doctor")
    for name, kind in (
        ("audit", "protocol"), ("bookkeeper", "agent"), ("recount", "judge"), ("minutes", "exporter"), ("audit-log", "format"),
    ):  # fmt: skip
        assert re.search(rf"✓ plug-in {name} +{kind} of moot-example-plugin", told), told
    told = said("protocols")
    assert re.search(
        r"^audit: .*\n    clerk, auditor, judge; sequential; judge reads: P; zero sum\n    -p stake=1", told, re.M
    )
    assert re.search(r"^audit-log +\.jsonl", said("import", "list"), re.M)


def test_a_play_from_a_configuration_and_what_is_made_of_it(folder: Path) -> None:
    asked = (
        "-q",
        "What is the sum?",
        "-c",
        "20",
        "-c",
        "19",
        "--truth",
        "1",
        "--data",
        "bookings.json",
        "--unit",
        "cells",
    )
    run = ("run", "--protocol", "audit", "--config", "c.toml", *asked, "--seat")
    assert "Decided: 19 (90 %)" in said(*run, "judge=unsure", "-o", "d.jsonl")
    play = moot.load("d.jsonl")
    assert isinstance(play.outcome, moot.Decided) and play.outcome.payoffs == pytest.approx(
        {"clerk": -1.6, "auditor": 1.6}
    )
    assert play.bounds == {"judge": {"reads": 12}} and play.ledger.seats["judge"].reads == 4
    assert "3 moves replayed to the identical digest" in said("replay", "d.jsonl")
    assert "booking 1, 5, does not lead from 3 to 9" in said("show", "d.jsonl")
    minutes = said("export", "-f", "minutes", "d.jsonl").splitlines()
    assert minutes[2:4] == [
        "- 0. **clerk** supports q: values 3, 9, 18",
        "- 1. **auditor** attacks 0: booking 1, 5, does not lead from 3 to 9",
    ]
    assert minutes[-1] == "Outcome: 20: 10%, 19: 90%"
    assert "Decided: 19 (70 %)" in said("rejudge", "d.jsonl", "--judge", "recount:0.7", "-o", "again.jsonl")
    assert "recount:lots: sure is 'lots'" in said(*run, "judge=recount:lots", code=2)
    assert re.search(r"all +3 +\d+ +0 +0", said(*run, "judge=recount", "--dry-run"))


def test_records_are_imported_by_the_rules_of_its_protocol(folder: Path) -> None:
    told = said("import", "audit-log", "log.jsonl", "-o", "out", code=1)
    for line in (
        "line 2: what clerk said as number 1 cannot be played: 3 bookings need 2 balances, not 3",
        "line 3: what auditor said as number 1 cannot be played: there is no booking 3: they are numbered from 0 to 2",
        "line 5: believed: Input should be less than or equal to 1",
        "line 6: answers: List should have at least 2 items after validation, not 1",
        "4 imported to out, 2 refused",
    ):
        assert line in told, told
    ended = [(play := moot.load(path)).outcome and play.outcome.kind for path in sorted(Path("out").iterdir())]
    assert ended == ["decided", None, None, None]
    assert "replayed to the identical digest" in said("replay", "out/log-1.jsonl")
    assert "the judge is right" in said("rejudge", "out/log-1.jsonl", "--judge", "recount", "-o", "again.jsonl")


def test_its_laws_and_its_theorem(folder: Path) -> None:
    """The auditor finds every slip, and the judge reads one doubt for it; in a process that has the plug-in."""
    done = subprocess.run([sys.executable, "-c", IN_PYTHON], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
