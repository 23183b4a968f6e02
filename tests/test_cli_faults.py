"""The command line: what it says when it cannot."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest
from cli_calls import DEBATE, DECIDE, JUDGE, QUESTION, SPEAKERS, call, recorded, refused, said, spawned
from cli_calls import folder as folder

pytestmark = pytest.mark.usefixtures("folder")


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, part",
    [
        (("run", *QUESTION, *SPEAKERS, *JUDGE), "which protocol?"),
        (("run", "-P", "debat", *QUESTION, *SPEAKERS, *JUDGE), "no protocol is called 'debat'"),
        (("run", "-P", "no_such_module:Debate", *QUESTION), "cannot import no_such_module"),
        (("run", "-P", "cli_agents:FirstChoice", *QUESTION), "is no protocol"),
        ((*DEBATE, "--seat", "z=local"), "debate has no seat or role 'z'; its seats: a (debater), b (debater), judge (judge)"),
        (("run", "-P", "debate", *QUESTION, *JUDGE, *SPEAKERS[:2]), "nobody sits at 'b'"),
        ((*DEBATE, "--seat", "debatr=human"), "did you mean 'debater'?"),
        (("resume", "cut.jsonl", "-s", "judg=human"), "did you mean 'judge'?"),
        (("fork", "good.jsonl", "--at", "1.0.0", "-s", "debatr=human", "-o", "x.jsonl"), "did you mean 'debater'?"),
        (("rejudge", "good.jsonl", "--judge", "human", "-o", "x.jsonl", "-s", "debatr=human"), "did you mean 'debater'?"),
        ((*DEBATE, "--seat", "a=local"), "taken"),
        ((*DEBATE, "--seat", "a"), "SEAT=AGENT"),
        ((*DECIDE, "judge=gpt"), "there is no agent 'gpt'"),
        ((*DECIDE, "judge=openai:gpt-x"), "OPENAI_API_KEY"),
        ((*DECIDE, "judge=local:none.gguf"), "no model file none.gguf"),
        ((*DECIDE, "judge=python:cli_agents:nobody"), "'nobody'"),
        ((*DECIDE, "judge=python:cli_agents:number"), "cannot take a seat"),
        ((*DECIDE, "judge=python:cli_agents:NeedsArguments"), "argument"),
        ((*DEBATE, "--bound", "judge.reads=n**n"), "n**n"),
        ((*DEBATE, "--bound", "judge.reads=__import__('os')"), "__import__"),
        ((*DEBATE, "--bound", "judge.words=n"), "no measure is called 'words'"),
        ((*DEBATE, "--bound", "reads=n"), "SEAT.MEASURE"),
        ((*DEBATE, "--bound", "z.reads=n"), "no seat or role 'z'"),
        ((*DEBATE, "--bound", "judge.seconds=soon"), "plain number"),
        ((*DEBATE, "-p", "rounds=many"), "rounds"),
        ((*DEBATE, "-p", "rouns=2"), "its parameters: rounds"),
        ((*DEBATE, "-p", "rounds"), "key=value"),
        ((*DEBATE, "--truth", "2"), "it must be 0 to 1"),
        ((*DEBATE, "--truth", "-1"), "it must be 0 to 1"),
        (("run", "-P", "debate", "--question", "x", "--choice", "only"), "one choice"),
        (("run", "-P", "debate", "--question", "x", "--choice", "y", "--choice", "y"), "two equal choices"),
        (("run", "-P", "debate", "--choice", "y"), "which question?"),
        (("run", "-P", "debate", *QUESTION, "--question", " "), "empty"),
        ((*DEBATE, "--size", "0"), "size n must be at least 1"),
        ((*DEBATE, "--passage", "none.txt"), "there is no file none.txt"),
        ((*DEBATE, "--passage", "."), "is a folder"),
        ((*DEBATE, "--passage", "latin.txt"), "latin.txt is not UTF-8 text (byte 0xe9 at offset 3)"),
        ((*DEBATE, "--passage", "empty.txt"), "empty.txt is empty"),
        ((*DEBATE, "--data", "empty.txt"), "is no JSON"),
        ((*DEBATE, "-o", "."), "is a folder"),
        ((*DEBATE, "-o", "d.zst"), "moot seal"),
        ((*DEBATE, "-o", "empty.txt/d.jsonl"), "cannot write empty.txt/d.jsonl: empty.txt"),
        (("resume", "none.jsonl", *SPEAKERS, *JUDGE), "no transcript none.jsonl"),
        (("show", "none.jsonl"), "there is no transcript none.jsonl"),
        (("show", "."), "is a folder"),
        (("verify", "none.jsonl"), "there is no transcript none.jsonl"),
        (("tree", "good.jsonl", "--format", "pdf"), "no exporter is called 'pdf'"),
        (("tree", "good.jsonl", "--format", "jsonl"), "no form of a tree"),
        (("export", "good.jsonl", "-f", "dot", "--json"), "name it with -o"),
        (("seal", "none.jsonl"), "there is no transcript"),
        (("list", "none"), "there is no folder none"),
        (("list", "good.jsonl"), "is a file"),
        (("import", "nyu", "none", "-o", "out"), "there is no file or folder none"),
        (("rejudge", "good.jsonl", "--judge", "gpt", "-o", "x.jsonl"), "there is no agent 'gpt'"),
        (("rejudge", "good.jsonl", "--judge", "human", "-o", "x.jsonl", "-s", "z=human"), "no seat or role 'z'"),
        (("--import", "no_such_module", "protocols"), "cannot import no_such_module"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_one_line(words: tuple[str, ...], part: str) -> None:
    Path("latin.txt").write_bytes("café".encode("latin-1"))
    Path("empty.txt").write_text("")
    if "good.jsonl" in words:
        recorded("good.jsonl")
    if "cut.jsonl" in words:
        Path("cut.jsonl").write_bytes(Path(recorded("whole.jsonl")).read_bytes().partition(b'{"event":"ended"')[0])
    before = sorted(path.name for path in Path().iterdir())
    assert part in refused(*words)
    assert sorted(path.name for path in Path().iterdir()) == before, "nothing was left behind"


def test_torn_edited_and_newer_transcripts() -> None:
    data = Path(recorded()).read_bytes()
    lines = data.splitlines(keepends=True)
    Path("edited.jsonl").write_bytes(data.replace(b"nobody saw", b"we all saw", 1))
    Path("short.jsonl").write_bytes(b"".join(lines[:2] + lines[3:]))
    Path("newer.jsonl").write_bytes(b"")
    from moot.transcripts.events import EventLog, played_part

    newer: list[bytes] = []
    EventLog(newer.append).line(played_part(lines[0]).replace(b'"version":2', b'"version":99'))
    Path("newer.jsonl").write_bytes(newer[0])
    Path("other.jsonl").write_bytes(b'{"some": "json"}\n')
    Path("empty.jsonl").write_bytes(b"")
    for verb in ("show", "tree", "cost", "verify", "replay"):
        assert "edited.jsonl: line 2 (event moved, step 0.0.0): the hash chain breaks" in refused(
            verb, "edited.jsonl", code=1
        )
        assert "short.jsonl: line 3 (event moved" in refused(verb, "short.jsonl", code=1)
        assert "version 99; this moot reads up to" in refused(verb, "newer.jsonl", code=1)
        assert "other.jsonl: line 1" in refused(verb, "other.jsonl", code=1)
        assert "holds no whole event" in refused(verb, "empty.jsonl", code=1)
    Path("torn.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:40])
    assert "3 whole events, then 40 bytes that are none" in refused("verify", "torn.jsonl", code=1)
    assert "as far as it goes" in said("replay", "torn.jsonl")
    assert "moot resume torn.jsonl" in said("show", "torn.jsonl")
    done = call("verify", "edited.jsonl", "d.jsonl", "newer.jsonl")
    assert done.exit_code == 1 and "d.jsonl: " in done.stdout and len(done.stderr.splitlines()) == 2
    listed = call("list", ".")
    assert listed.exit_code == 1 and "no transcript" in listed.stdout and "torn.jsonl" in listed.stdout


def test_an_unexpected_error_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded()

    def fail(*_: object) -> str:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("moot.transcripts.display.show.as_text", fail)
    line = refused("show", "d.jsonl", code=3)
    assert "unexpected ZeroDivisionError: by zero" in line and "MOOT_TRACEBACK=1" in line
    monkeypatch.setenv("MOOT_TRACEBACK", "1")
    assert isinstance(call("show", "d.jsonl").exception, ZeroDivisionError)


def test_doctor_and_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    text = said("doctor")
    assert "✓ python" in text and "✓ moot.protocols" in text and "✓ writing here" in text
    names = [json.loads(line)["name"] for line in said("protocols", "--json").splitlines()]
    assert {"debate", "consultancy", "open-debate", "direct-qa", "bisection"} <= set(names)
    shown = said("protocols")
    assert (
        "    -p rounds=2    integer at least 0 | null\n" in shown
        and '    -p scoring={"rule": "brier"}    ScoringRule\n' in shown
    )
    assert "    -p most=16    integer at least 1, at most 16\n" in shown and "    -p input=null    JSON\n" in shown
    assert not re.search("FieldInfo|Annotated|typing|<class", shown)
    assert "✗ endpoint" in said("doctor", "--endpoint", "http://127.0.0.1:9/v1", code=1)
    assert json.loads(said("doctor", "--json").splitlines()[0])["state"] == "ok"


def test_a_protocol_of_ones_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(folder))
    name = f"mine_{os.getpid()}"
    Path(f"{name}.py").write_text(
        "import moot\n"
        "class Coin(moot.Protocol):\n"
        "    def roles(self, question): return {'judge': 'judge'}\n"
        "    async def play(self, floor, question):\n"
        "        await floor.flip()\n"
        "        return moot.Decided(await floor.ask('judge', moot.Verdict))\n"
    )
    done = spawned("run", "-P", f"{name}:Coin", *QUESTION, *JUDGE, "-o", "d.jsonl", cwd=folder)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0, err
    done = spawned("show", "d.jsonl", cwd=folder)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0 and "coin at step 0" in out, err
    done = spawned("replay", "d.jsonl", cwd=folder)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 2 and "moot --import MODULE" in err and "replay" in err, err
    done = spawned("--import", name, "replay", "d.jsonl", cwd=folder)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0 and "identical digest" in out, err
