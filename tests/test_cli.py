"""The command line: what it does, what it says when it cannot, and its exit codes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

import moot
from moot.cli.app import app
from moot.cli.batch import jobs_of
from moot.cli.plan import assignments

HERE = Path(__file__).parent
QUESTION = ("--question", "Who sank the fleet?", "--choice", "a storm", "--choice", "the admiral")
SPEAKERS = ("--seat", "a=python:cli_agents:speaker", "--seat", "b=python:cli_agents:speaker")
JUDGE = ("--seat", "judge=python:cli_agents:judge")
DEBATE = ("run", "--protocol", "debate", *QUESTION, *SPEAKERS, *JUDGE)
DECIDE = ("run", "-P", "debate", *QUESTION, *SPEAKERS, "--seat")
MAIN = (sys.executable, "-c", "from moot.cli import main; main()")


@pytest.fixture(autouse=True)
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


# -- properties ----------------------------------------------------------------------------------------------------


_key = st.from_regex(r"[a-z]{1,4}", fullmatch=True)


@given(st.dictionaries(_key, st.one_of(st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=3))))
def test_assignments_are_json(values: dict[str, Any]) -> None:
    assert assignments([f"{key}={json.dumps(value)}" for key, value in values.items()], "-p") == values


@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=8, unique=True), st.integers())
def test_every_question_of_a_set_has_a_file_and_a_seed_of_its_own(ids: list[str], seed: int) -> None:
    samples = [moot.Sample(moot.Question("x", ("1", "2"), id=each)) for each in ids]
    jobs = list(jobs_of([moot.Debate(), moot.Debate(swap=True)], samples, Path("out"), seed))
    names = [job.path.name.lower() for job in jobs]
    assert len(set(names)) == 2 * len(ids)
    assert all(job.path.parent == Path("out") and re.fullmatch(r"[a-z0-9_.-]+", job.path.name.lower()) for job in jobs)
    alone = list(jobs_of([moot.Debate()], samples[:1], Path("out"), seed))[0]
    assert alone.seed == jobs[0].seed, "it does not depend on what else is in the set"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda t: "\0" not in t), max_size=5)
)
def test_no_words_at_all_end_in_a_traceback(words: list[str]) -> None:
    done = call("run", *words)
    assert done.exit_code in (0, 2), done.exception
    done = call("show", *words)
    assert done.exit_code in (0, 1, 2), done.exception


# -- run -----------------------------------------------------------------------------------------------------------


def test_a_debate_on_a_passage_is_run_recorded_and_read(folder: Path) -> None:
    (folder / "p.txt").write_text("\ufeffThe storm came at night.", encoding="utf-8")
    text = said(*DEBATE, "--passage", "p.txt", "--truth", "1", "-p", "rounds=1", "--seed", "7", "-o", "d.jsonl",
                "--bound", "judge.reads=40*n + 2000")  # fmt: skip
    assert "Decided: the admiral (75 %)" in text and "the judge is right" in text
    transcript = moot.load("d.jsonl")
    assert transcript.question.passage == "The storm came at night."
    assert transcript.seed == 7 and transcript.bounds["judge"]["reads"] == 40 * transcript.question.size + 2000
    assert transcript.digest in text
    assert "“the storm came at night”✓" in said("show", "d.jsonl")
    assert json.loads(said("show", "d.jsonl", "--json"))["outcome"]["kind"] == "decided"
    assert "└─ 0.1.0 b speech" in said("tree", "d.jsonl")
    assert "guarantee: holds" in said("cost", "d.jsonl")
    assert json.loads(said("cost", "d.jsonl", "--json"))["guarantee"]["holds"] is True
    assert transcript.digest in said("verify", "d.jsonl") and transcript.digest in said("replay", "d.jsonl")
    assert json.loads(said("replay", "d.jsonl", "--json"))["digest"] == transcript.digest
    assert "d.jsonl" in said("list", ".") and "75 %" in said("list", ".")
    assert json.loads(said("list", ".", "--json"))["outcome"] == "decided"


def test_without_a_name_the_play_is_recorded_all_the_same(folder: Path) -> None:
    text = said(*DEBATE)
    (path,) = (folder / "runs").iterdir()
    assert path.name.startswith("debate-") and path.name in text


@pytest.mark.parametrize(
    "form, part", [("json", '"moot-tree"'), ("dot", "digraph"), ("mermaid", "flowchart"), ("graphml", "<graphml")]
)
def test_exports(form: str, part: str, folder: Path) -> None:
    recorded()
    assert part in said("tree", "d.jsonl", "--format", form)
    assert part in said("export", "d.jsonl", "--format", form)
    said("export", "d.jsonl", "--format", form, "-o", "tree.out")
    assert part in (folder / "tree.out").read_text()
    assert "exists already" in refused("export", "d.jsonl", "--format", form, "-o", "tree.out")


def test_an_export_of_the_events_unseals(folder: Path) -> None:
    before = Path(recorded()).read_bytes()
    said("seal", "d.jsonl")
    assert not Path("d.jsonl").exists()
    said("export", "d.jsonl.zst", "--format", "jsonl", "-o", "again.jsonl")
    assert Path("again.jsonl").read_bytes() == before
    for verb in ("show", "tree", "cost", "verify", "replay"):
        said(verb, "d.jsonl.zst")
    assert "d.jsonl.zst" in said("list", ".")


def test_both_seatings_show_what_the_seat_is_worth() -> None:
    text = said(*DEBATE, "--both-seatings", "-o", "e.jsonl")
    assert "seat a gains +0.000" in text
    found = json.loads(said(*DECIDE, "judge=python:cli_agents:first_speaker",
                            "--both-seatings", "-o", "f.jsonl", "--json"))  # fmt: skip
    assert found["first_seat"] == pytest.approx(0.3) and found["mean"] == pytest.approx([0.5, 0.5])
    assert moot.load("f.swapped.jsonl").started["protocol"]["params"] == {"swap": True}
    assert "no seats to swap" in refused("run", "-P", "direct-qa", *QUESTION, *JUDGE, "--both-seatings")


def test_a_configuration_file_and_what_is_typed_over_it() -> None:
    Path("c.toml").write_text(
        'protocol = "debate"\nseed = 3\n[params]\nrounds = 1\n[seats]\ndebater = "python:cli_agents:speaker"\n'
        'judge = "python:cli_agents:judge"\n[bounds.judge]\nreads = "n^2"\n'
    )
    said(
        "run",
        "--config",
        "c.toml",
        *QUESTION,
        "-o",
        "d.jsonl",
        "-p",
        "order=sequential",
        "--seat",
        "judge=python:cli_agents:FirstChoice",
    )
    transcript = moot.load("d.jsonl")
    assert transcript.started["protocol"]["params"] == {"rounds": 1, "order": "sequential"}
    assert transcript.seed == 3 and transcript.bounds == {"judge": {"reads": transcript.question.size**2}}
    assert transcript.seats["judge"]["name"].endswith("FirstChoice")
    Path("c.toml").write_text("protocl = 1")
    assert "'protocl' is no setting" in refused("run", "--config", "c.toml", *QUESTION)
    Path("c.toml").write_text("protocol =")
    assert "c.toml is no TOML" in refused("run", "--config", "c.toml", *QUESTION)


def test_an_undecided_play_is_exit_code_1() -> None:
    text = said(
        "run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:broken", *JUDGE, "-o", "d.jsonl", code=1
    )
    assert "Errored at step 0.0.0: seat a failed: RuntimeError: the agent broke" in text
    text = said("run", "-P", "debate", *QUESTION, *SPEAKERS, "--seat", "judge=python:cli_agents:reader", "--bound",
                "judge.reads=1", "-o", "e.jsonl", code=1)  # fmt: skip
    assert "Exhausted at step" in text


def test_hostile_agents_do_not_reach_the_terminal() -> None:
    words = ("run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:hostile", *JUDGE, "-o", "d.jsonl")
    shown = said(*words) + "".join(
        said(*verb, "d.jsonl") for verb in (("show",), ("tree",), ("cost",), ("show", "--json"))
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert "␛[2J" in shown


def test_a_dry_run_calls_nobody_and_needs_no_key() -> None:
    text = said("run", "-P", "debate", *QUESTION, "--seat", "debater=openai:gpt-x", *JUDGE, "--dry-run")
    assert re.search(r"^a +2 +8 ", text, re.M) and re.search(r"^judge +1 +2 +0 +0$", text, re.M)
    assert not list(Path().iterdir())
    found = json.loads(said("run", "-P", "debate", *QUESTION, "--dry-run", "--json"))
    assert found["total"]["prompt_tokens"] is None and found["total"]["moves"] == 5
    found = json.loads(said("run", "-P", "debate", *QUESTION, "--dry-run", "--json", "-p", "limit.chars=100"))
    assert found["seats"]["judge"]["prompt_tokens"] > 4 * 500 and found["seats"]["a"]["completion_tokens"] is None
    endless = '[{"part":"speeches"},{"part":"feedback"}]'
    text = said("run", "-P", "debate", *QUESTION, "--dry-run", "-p", "rounds=null", "-p", f"repeat={endless}")
    assert "unbounded: debate with these parameters has no last round" in text


def test_the_bound_of_a_dry_run_holds_for_a_real_one() -> None:
    words = (
        "run",
        "-P",
        "debate",
        *QUESTION,
        *SPEAKERS,
        "--seat",
        "judge=python:cli_agents:reader",
        "-p",
        "questions=false",
    )
    bill = json.loads(said(*words, "--dry-run", "--json"))
    said(*words, "-o", "d.jsonl")
    for seat, spending in moot.load("d.jsonl").ledger.seats.items():
        assert spending.calls <= bill["seats"][seat]["calls"]


# -- many questions -----------------------------------------------------------------------------------------------


SET = ("run", "-P", "debate", "--seat", "debater=python:cli_agents:speaker", *JUDGE)


def a_set(count: int, path: str = "set.jsonl") -> str:
    lines = [
        {"id": f"q/{i}", "question": f"Question {i}?", "choices": ["yes", "no"], "truth": i % 2} for i in range(count)
    ]
    Path(path).write_text("\n".join(map(json.dumps, lines)))
    return path


def test_a_set_is_played_once() -> None:
    text = said(*SET, "--set", a_set(5), "-o", "out", "-j", "3")
    assert "5 decided" in text and "2 right, 3 wrong" in text
    files = {path.name: path.read_bytes() for path in Path("out").iterdir()}
    assert sorted(files) == [f"q-{i}.jsonl" for i in range(5)]
    assert len({moot.load(path).seed for path in Path("out").iterdir()}) == 5
    said("seal", "out/q-1.jsonl")
    text = said(*SET, "--set", "set.jsonl", "-o", "out")
    assert "5 had ended before" in text
    assert {path.name: path.read_bytes() for path in Path("out").glob("*.jsonl")} == {
        name: data for name, data in files.items() if name != "q-1.jsonl"
    }
    text = said(*SET, "--set", "set.jsonl", "-o", "out", "--seat", "a=python:cli_agents:slow", code=1)
    assert "holds a play with other agents" in text


def test_a_set_takes_up_what_was_torn_and_what_failed() -> None:
    said(*SET, "--set", a_set(4), "-o", "out")
    whole = {path.name: moot.load(path).digest for path in Path("out").iterdir()}
    lines = Path("out/q-0.jsonl").read_bytes().splitlines(keepends=True)
    Path("out/q-0.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:30])
    Path("out/q-1.jsonl").write_bytes(lines[0][:30])
    Path("out/q-2.jsonl").write_bytes(b"")
    Path("out/q-3.jsonl").unlink()
    found = [json.loads(line) for line in said(*SET, "--set", "set.jsonl", "-o", "out", "--json").splitlines()]
    assert [row["how"] for row in found[:4]] == ["resumed", "played", "played", "played"]
    assert {path.name: moot.load(path).digest for path in Path("out").iterdir()} == whole
    said("replay", *sorted(map(str, Path("out").iterdir())))


def test_a_broken_file_in_the_folder_is_reported_and_the_rest_goes_on() -> None:
    said(*SET, "--set", a_set(3), "-o", "out")
    Path("out/q-0.jsonl").write_bytes(b"not a transcript\n")
    Path("out/q-1.jsonl").unlink()
    text = said(*SET, "--set", "set.jsonl", "-o", "out", code=1)
    assert "2 decided, 1 not played" in text and "q-0.jsonl" in text and "JSON" in text
    assert Path("out/q-0.jsonl").read_bytes() == b"not a transcript\n"


def test_the_built_in_passages_with_both_seatings() -> None:
    text = said(*SET, "--set", "passages", "--limit", "4", "--both-seatings", "-o", "out")
    assert "8 decided" in text and "(4 pairs)" in text and len(list(Path("out").iterdir())) == 8


def test_sets_that_cannot_be_played() -> None:
    assert "give a folder" in refused(*SET, "--set", a_set(1))
    Path("file").write_text("x")
    assert "is a file" in refused(*SET, "--set", "set.jsonl", "-o", "file")
    assert "exclude each other" in refused(*SET, *QUESTION, "--set", "set.jsonl", "-o", "out")
    assert "none.jsonl" in refused(*SET, "--set", "none.jsonl", "-o", "out")
    Path("bad.jsonl").write_text('{"question": "x", "choices": ["only"]}')
    assert "bad.jsonl, line 1" in refused(*SET, "--set", "bad.jsonl", "-o", "out")
    Path("three.jsonl").write_text('{"question": "x", "choices": ["1", "2", "3"]}')
    words = ("run", "-P", "debate", *SPEAKERS, *JUDGE, "--set", "three.jsonl", "-o", "out")
    assert "nobody sits at 'c'" in refused(*words)


# -- again ---------------------------------------------------------------------------------------------------------


def test_resume_fork_and_rejudge() -> None:
    recorded()
    whole = moot.load("d.jsonl")
    text = said("rejudge", "d.jsonl", "--judge", "python:cli_agents:FirstChoice", "-o", "r.jsonl")
    assert "a storm (90 %)" in text
    assert [s.move for s in moot.load("r.jsonl").steps() if s.seat != "judge"] == [
        s.move for s in whole.steps() if s.seat != "judge"
    ]
    seats = (*SPEAKERS, "--seat", "judge=python:cli_agents:FirstChoice")
    said("fork", "d.jsonl", "--at", "1.0.0", *seats, "-o", "f.jsonl")
    assert moot.load("f.jsonl").ledger.seats["a"].recorded == 1
    lines = Path("d.jsonl").read_bytes().splitlines(keepends=True)
    Path("cut.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:9])
    said("resume", "cut.jsonl", *SPEAKERS, *JUDGE)
    assert moot.load("cut.jsonl").digest == whole.digest
    assert "has ended" in refused("resume", "d.jsonl", *SPEAKERS, *JUDGE)
    assert "no move was recorded at step 9" in refused("fork", "d.jsonl", "--at", "9", *seats, "-o", "x.jsonl", code=1)
    assert "nobody sits at 'b'" in refused("fork", "d.jsonl", "--at", "1.0.0", *seats[:2], "-o", "x.jsonl")
    assert "r.jsonl exists already" in refused(
        "rejudge", "d.jsonl", "--judge", "python:cli_agents:judge", "-o", "r.jsonl"
    )
    assert not Path("x.jsonl").exists()


# -- bad input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words, part",
    [
        (("run", *QUESTION, *SPEAKERS, *JUDGE), "which protocol?"),
        (("run", "-P", "debat", *QUESTION, *SPEAKERS, *JUDGE), "no protocol is called 'debat'"),
        (("run", "-P", "no_such_module:Debate", *QUESTION), "cannot import no_such_module"),
        (("run", "-P", "cli_agents:FirstChoice", *QUESTION), "is no protocol"),
        ((*DEBATE, "--seat", "z=local"), "debate has no seat 'z'; its seats: a (debater), b (debater), judge (judge)"),
        (("run", "-P", "debate", *QUESTION, *JUDGE, *SPEAKERS[:2]), "nobody sits at 'b'"),
        ((*DEBATE, "--seat", "a=local"), "taken"),
        ((*DEBATE, "--seat", "a"), "SEAT=AGENT"),
        ((*DECIDE, "judge=gpt"), "no agent is called 'gpt'"),
        ((*DECIDE, "judge=openai:gpt-x"), "OPENAI_API_KEY"),
        ((*DECIDE, "judge=local:none.gguf"), "no model file none.gguf"),
        ((*DECIDE, "judge=python:cli_agents:nobody"), "'nobody'"),
        ((*DECIDE, "judge=python:cli_agents:number"), "cannot take a seat"),
        ((*DECIDE, "judge=python:cli_agents:NeedsArguments"), "arguments"),
        ((*DEBATE, "--bound", "judge.reads=n**n"), "n**n"),
        ((*DEBATE, "--bound", "judge.reads=__import__('os')"), "__import__"),
        ((*DEBATE, "--bound", "judge.words=n"), "no measure is called 'words'"),
        ((*DEBATE, "--bound", "reads=n"), "SEAT.MEASURE"),
        ((*DEBATE, "--bound", "z.reads=n"), "no seat 'z'"),
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
        (("tree", "good.jsonl", "--format", "pdf"), "--format pdf"),
        (("seal", "none.jsonl"), "there is no transcript"),
        (("list", "none"), "there is no folder none"),
        (("list", "good.jsonl"), "is a file"),
        (("import", "nyu", "none", "-o", "out"), "there is no folder none"),
        (("rejudge", "good.jsonl", "--judge", "gpt", "-o", "x.jsonl"), "no agent is called 'gpt'"),
        (("rejudge", "good.jsonl", "--judge", "human", "-o", "x.jsonl", "-s", "z=human"), "no seat 'z'"),
        (("--import", "no_such_module", "protocols"), "cannot import no_such_module"),
    ],
)  # fmt: skip
def test_bad_input_is_told_in_one_line(words: tuple[str, ...], part: str) -> None:
    Path("latin.txt").write_bytes("café".encode("latin-1"))
    Path("empty.txt").write_text("")
    if "good.jsonl" in words:
        recorded("good.jsonl")
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
    EventLog(newer.append).line(played_part(lines[0]).replace(b'"version":1', b'"version":99'))
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
    assert "not ended" in said("verify", "torn.jsonl")
    assert "as far as it goes" in said("replay", "torn.jsonl")
    assert "moot resume torn.jsonl" in said("show", "torn.jsonl")
    done = call("verify", "edited.jsonl", "d.jsonl", "newer.jsonl")
    assert done.exit_code == 1 and "d.jsonl: " in done.stdout and len(done.stderr.splitlines()) == 2
    listed = call("list", ".")
    assert listed.exit_code == 1 and "unreadable" in listed.stdout and "torn.jsonl" in listed.stdout


def test_an_unexpected_error_is_one_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded()

    def fail(*_: object) -> str:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("moot.transcripts.show.as_text", fail)
    line = refused("show", "d.jsonl", code=3)
    assert "unexpected ZeroDivisionError: by zero" in line and "MOOT_TRACEBACK=1" in line
    monkeypatch.setenv("MOOT_TRACEBACK", "1")
    assert isinstance(call("show", "d.jsonl").exception, ZeroDivisionError)


def test_doctor_and_protocols(monkeypatch: pytest.MonkeyPatch) -> None:
    text = said("doctor")
    assert "✓ python" in text and "✓ moot.protocols" in text and "✓ writing here" in text
    names = [json.loads(line)["name"] for line in said("protocols", "--json").splitlines()]
    assert {"debate", "consultancy", "open-debate", "direct-qa", "bisection"} <= set(names)
    assert "-p rounds=2" in said("protocols")
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
    done = spawned("--import", name, "replay", "d.jsonl", cwd=folder)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0 and "identical digest" in out, err


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
    assert moot.replay(moot.load("d.jsonl")).ledger.seats["a"].calls == 200


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
    moves = sum(path.read_bytes().count(b'{"event":"moved"') for path in Path("out").iterdir())
    assert moves >= 2
    assert "30 decided" in said(*words, "-j", "30")
    assert len(list(Path("out").iterdir())) == 30


def test_a_full_disk_loses_nothing_that_was_said(folder: Path) -> None:
    resource = pytest.importorskip("resource")
    words = ("run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:speaker", *JUDGE, "-p", "rounds=200")
    full = spawned(*words, "-o", "d.jsonl", cwd=folder, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000)))
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


def test_help_is_quick_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom moot.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit: pass\n"
        "print(sorted(set(sys.modules) & {'openai', 'networkx', 'pydantic', 'anyio', 'xllamacpp'}))"
    )
    best, done = 9.0, None
    for _ in range(5):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, env=environment(), check=True
        )
        best = min(best, time.perf_counter() - begun)
    assert done is not None and done.stdout.splitlines()[-1] == "[]"
    assert "Exit codes" in done.stdout
    assert best < 0.6


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
