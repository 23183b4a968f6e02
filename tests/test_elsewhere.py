"""Plays replayed in other processes: whence a protocol comes there, and what is said of one that does not."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from types import ModuleType

import broken
import broken_elsewhere
import broken_script as scripted
import pytest

import moot
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.engine.floor import _kinds
from moot.testing import NotExamined
from moot.testing.checks import elsewhere
from moot.testing.checks.laws import LAWS, LawBroken, check_protocol

LAW = LAWS["portable"]


def test_what_is_defined_in_a_function_is_not_passed_over_in_silence() -> None:
    class Local(broken.Two):
        pass

    for examined in (LAW, check_protocol):
        with pytest.warns(
            NotExamined, match=r'law "portable" .* was not examined for Local\(\): .* inside a function'
        ) as told:
            examined(Local(), examples=2)
        assert len(told) == 1, "it says so once"


def in_a_script(file: Path | None, monkeypatch: pytest.MonkeyPatch) -> moot.Protocol:
    """A protocol as one that was defined in the file that is being run, or at a prompt."""
    main = ModuleType("__main__")
    main.__file__ = None if file is None else str(file)
    monkeypatch.setitem(sys.modules, "__main__", main)
    for name in ("Broken", "Kept"):
        monkeypatch.setattr(getattr(scripted, name), "__module__", "__main__")
    return scripted.Broken()


@pytest.mark.parametrize("file", [None, Path("<stdin>")])
def test_what_is_typed_at_a_prompt_is_not_passed_over_in_silence(
    file: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.warns(NotExamined, match="a prompt, or a notebook"):
        LAW(in_a_script(file, monkeypatch), examples=2)


def test_a_script_is_read_from_its_file_and_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol = in_a_script(Path(scripted.__file__), monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(LawBroken, match="in another process"):
            LAW(protocol, examples=30)
        LAW(scripted.Kept(), examples=3)


def asked(**changes: object) -> dict[str, str]:
    transcript = moot.run(
        moot.Debate(rounds=1),
        moot.Question("Who?", ("x", "y")),
        dict.fromkeys(("a", "b", "judge"), moot.testing.puppet),
    )
    lines = [line.decode() for line in transcript.lines()]
    debate = {"module": "moot.protocols.debate.debate", "file": None, "name": "Debate", "params": {"rounds": 1}}
    return elsewhere._process(elsewhere.HASHES[0]).asked({**debate, "lines": lines, "path": [], **changes}) | {
        "was": transcript.digest
    }


def test_what_another_process_answers(tmp_path: Path) -> None:
    found = asked()
    assert found["digest"] == found["was"]
    assert "replay diverged" in asked(params={"rounds": 2})["differs"]
    assert "cannot be made there: UsageError" in asked(params={"rounds": -1})["unknown"]
    assert "cannot be imported there: ModuleNotFoundError" in asked(module="no_such_module")["unknown"]
    assert "cannot be imported there: AttributeError" in asked(name="Nothing")["unknown"]
    assert "is another thing there" in asked(name="annotations")["unknown"]
    (file := tmp_path / "mine.py").write_text("print('loud')\nfrom moot.protocols.debate.debate import Debate\n")
    assert asked(module="tests.not.importable", file=str(file))["digest"] == found["was"]
    (ends := tmp_path / "ends.py").write_text("import os\nos._exit(3)\n")
    assert "gave no answer" in asked(module="no_such_module", file=str(ends))["unknown"]
    assert asked()["digest"] == found["was"], "and another one is started"


def test_one_process_is_asked_many_times() -> None:
    process = elsewhere._process(elsewhere.HASHES[0])
    asked()
    first = process._child
    asked()
    assert process._child is first and first is not None and (os.getpid(), elsewhere.HASHES[0]) in elsewhere._processes


def test_a_play_that_differs_in_its_end_alone_differs() -> None:
    with pytest.raises(LawBroken, match=r"GoesThroughASet.*\n  in another process"):
        LAW(broken_elsewhere.GoesThroughASet(), examples=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LAW(broken_elsewhere.SortsASet(), examples=5)


def test_kinds_are_asked_for_in_the_order_of_their_union() -> None:
    """Unions in different orders are equal: a cache by unions would give both in the order of the first."""
    assert _kinds((Reply, Subquestions)) == (Reply, Subquestions)
    assert _kinds((Subquestions, Reply)) == (Subquestions, Reply)
    with pytest.raises(moot.ProtocolError, match="asked for"):
        _kinds((Reply, int))


def test_whoever_pays_a_seat_that_there_is_not_is_told_in_a_live_play_too() -> None:
    seats = dict.fromkeys(("a", "b", "judge"), moot.testing.puppet)
    question = moot.Question("Who?", ("x", "y"))
    with pytest.raises(moot.ProtocolError, match="paid seat 'audience'; its seats are a, b, judge"):
        moot.run(broken.PaysStrangers(), question, seats)
    with pytest.raises(moot.ProtocolError, match="the verdict has 3 probabilities for 2 choices"):
        moot.run(broken_elsewhere.DecidesTooMuch(), question, seats)
