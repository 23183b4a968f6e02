"""Transcripts on disk: torn, edited, foreign, newer, on a full disk, and with two writers."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.testing.strategies import transcripts
from moot.transcripts.events import EventLog, event_body
from moot.transcripts.store import Writer, repair

DEBATE = moot.Debate(rounds=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "debate.jsonl"
    moot.run(DEBATE, moot.Sample(QUESTION, truth=1), everywhere(DEBATE, speak), seed=5, out=path)
    return path


@settings(max_examples=40, deadline=None)
@given(transcripts())
def test_any_play_verifies_and_replays(transcript: moot.Transcript) -> None:
    verified = moot.verify(transcript)
    assert verified.ended and verified.events == sum(1 for _ in transcript.lines())
    assert moot.replay(transcript).digest == verified.digest == transcript.digest
    again = moot.Transcript(list(transcript.lines()))
    assert (again.outcome, again.seed, again.question) == (transcript.outcome, transcript.seed, transcript.question)
    for line in transcript.lines():
        assert line.endswith(b"\n") and isinstance(json.loads(line), dict)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), tail=st.sampled_from([b"", b"\0", b"\0" * 4096, b"\xc3", b'{"event":"ended"', b"\xff\xfe"]))
def test_a_file_cut_at_any_byte_with_anything_behind_it_goes_on(
    data: st.DataObject, tail: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("cut") / "t.jsonl"
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=3, out=path)
    whole = path.read_bytes()
    cut = data.draw(st.integers(whole.index(b"\n") + 1, whole.rindex(b"\n", 0, -1) + 1) | st.just(len(whole) - 1))
    kept = whole[:cut].rpartition(b"\n")[0] + b"\n"
    path.write_bytes(whole[:cut] + tail)
    done = {step.step for step in moot.load(path).steps()}
    assert moot.verify(moot.load(path)).dropped == cut + len(tail) - len(kept) and moot.load(path).outcome is None

    def only_new(request: moot.Request) -> moot.Move:
        return _never(request) if request.step in done else speak(request)

    resumed = moot.resume(path, everywhere(DEBATE, only_new))
    assert resumed.digest == play.digest and resumed.outcome == play.outcome and resumed.dropped == 0
    assert path.read_bytes().startswith(kept)


def test_repairing_takes_what_is_torn_and_nothing_else(path: Path) -> None:
    whole = path.read_bytes()
    last = whole.splitlines(keepends=True)[-1]
    path.write_bytes(whole[:-5])
    assert repair(path) == len(last) - 5 and path.read_bytes() == whole[: -len(last)] and repair(path) == 0


def _never(request: moot.Request) -> moot.Move:
    raise AssertionError(f"step {request.step} was asked again")


def test_every_byte_that_is_changed_lost_or_added_is_noticed(path: Path) -> None:
    whole = path.read_bytes()
    for place in (*range(0, len(whole), 6), *range(len(whole) - 50, len(whole))):
        number = whole.count(b"\n", 0, place) + 1
        for byte in (bytes([whole[place] ^ 1 << place % 8]), b"", b"x" + whole[place : place + 1]):
            path.write_bytes(whole[:place] + byte + whole[place + 1 :])
            try:
                assert moot.verify(moot.load(path)).dropped, (place, byte)  # an end of line: the last event is none
            except moot.TranscriptError as error:
                assert re.search(rf"debate\.jsonl: line ({number}|{number + 1})\b", str(error)), error
    path.write_bytes(whole)
    assert moot.load(path).outcome is not None


def test_a_removed_repeated_or_reordered_line_is_found(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    for changed, number in (
        (lines[:2] + lines[3:], 3), (lines[:2] + lines[1:], 3), ([lines[0], lines[2], lines[1], *lines[3:]], 2), (lines[1:], 1),
    ):  # fmt: skip
        path.write_bytes(b"".join(changed))
        with pytest.raises(moot.TranscriptError, match=rf"line {number}\b.*hash chain breaks here"):
            moot.load(path)


def _written(path: Path, **fields: Any) -> None:
    lines: list[bytes] = []
    EventLog(lines.append).line(event_body("started", fields))
    path.write_bytes(b"".join(lines))


def test_a_newer_version_is_refused(path: Path) -> None:
    _written(path, format="moot-transcript", version=3)
    with pytest.raises(moot.TranscriptError, match="written in version 3; this moot reads up to 2: upgrade moot"):
        moot.load(path)


def test_another_format_is_refused(path: Path) -> None:
    _written(path, format="elsewhere", version=1)
    with pytest.raises(moot.TranscriptError, match="does not open a moot transcript"):
        moot.load(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "holds no whole event"),
        (b"no newline", "holds no whole event"),
        (b"# Notes\n\nNot a transcript.\n", "line 1: this is no moot event"),
        (b'{"event": "started"}\n', "line 1: this is no moot event"),
        (b"\x00\xff\xfe\n" * 3, "line 1: this is no moot event"),
        (b"[1, 2]\n", "line 1: this is no moot event"),
    ],
)
def test_what_is_no_transcript_is_said_to_be_none(path: Path, content: bytes, says: str) -> None:
    path.write_bytes(content)
    with pytest.raises(moot.TranscriptError, match=rf"debate\.jsonl: {says}"):
        moot.load(path)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    with pytest.raises(moot.UsageError, match="there is no transcript"):
        moot.load(tmp_path / "none.jsonl")
    with pytest.raises(moot.UsageError, match="is a folder"):
        moot.load(tmp_path)
    with pytest.raises(moot.UsageError, match="there is no transcript"):
        moot.resume(tmp_path / "none.jsonl", everywhere(DEBATE, speak))


def test_a_cell_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(moot.UsageError, match="cannot write"):
        Writer(tmp_path / "file" / "t.jsonl")


FULL = """
import resource, signal, sys
sys.path.insert(0, {here!r})
import moot
from players import QUESTION, everywhere, speak
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, ({most}, {most}))
debate = moot.Debate(rounds=20)
try:
    moot.run(debate, QUESTION, everywhere(debate, speak), out={path!r})
except moot.TranscriptError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs file size limits")
def test_a_full_disk_keeps_what_was_recorded(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    script = FULL.format(here=str(Path(__file__).parent), most=4000, path=str(path))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 7, done.stderr
    assert "cannot write event" in done.stdout and "What was recorded before it is safe" in done.stdout
    assert path.stat().st_size <= 4000
    debate = moot.Debate(rounds=20)
    kept = moot.load(path)
    assert kept.outcome is None and sum(1 for _ in kept.steps()) > 5
    resumed = moot.resume(path, everywhere(debate, speak))
    assert resumed.digest == moot.run(debate, QUESTION, everywhere(debate, speak)).digest


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_device_that_is_full() -> None:
    writer = Writer("/dev/full", append=True)
    with pytest.raises(moot.TranscriptError, match="No space left"):
        writer(b"line\n")
    writer.close()


@pytest.mark.skipif(sys.platform == "win32", reason="needs file locks")
def test_two_writers(path: Path) -> None:
    first = Writer(path, append=True)
    before = path.read_bytes()
    with pytest.raises(moot.UsageError, match="being written by another process"):
        Writer(path, append=True)
    with pytest.raises(moot.UsageError, match="being written by another process"):
        moot.resume(path, everywhere(DEBATE, speak))
    assert path.read_bytes() == before
    first.close()
    Writer(path, append=True).close()


@settings(max_examples=40, deadline=None)
@given(transcripts(), st.data())
def test_the_truth_is_in_the_meta_alone(transcript: moot.Transcript, data: st.DataObject) -> None:
    truth = transcript.sample.unseal()
    assert b"sealed" not in b"".join(line[: line.rindex(b',"meta":')] for line in transcript.lines())
    assert truth is None or 0 <= truth < len(transcript.question.choices)


def test_a_file_that_changes_after_it_was_found_good_is_checked_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    question = moot.Question("Who?", ("a", "b"))
    speak, decide = (lambda r: moot.Speech(text="So.")), (lambda r: moot.Verdict(probabilities=(0.5, 0.5)))
    moot.run(moot.Debate(rounds=1), question, {"a": speak, "b": speak, "judge": decide}, out=path)
    transcript = moot.load(path)
    assert moot.replay(transcript).digest == transcript.digest
    path.write_bytes(path.read_bytes().replace(b"So.", b"No."))
    with pytest.raises(moot.TranscriptError, match="line 2"):
        moot.replay(transcript)
    with pytest.raises(moot.TranscriptError, match="line 2"):
        moot.verify(transcript)


def test_a_transcript_is_shown_by_its_file_and_not_read_for_that(path: Path) -> None:
    transcript = moot.Transcript(path=path)
    path.unlink()
    assert repr(transcript) == f"<Transcript {path}>"
    assert repr(moot.Transcript([b"no event"])) == "<Transcript of 1 events>"


@pytest.mark.parametrize("place", ["describe", "data", "move", "both"])
def test_what_is_called_meta_inside_is_no_end_of_the_play(place: str) -> None:
    """The digest takes no part of the meta, and all before it, whatever fields have its name."""
    inner = {"x": 1, "meta": {"meta": 2, "y": [{"z": 0, "meta": {}}]}}

    class Described:
        def __init__(self, more: Any) -> None:
            self.more = more

        def describe(self) -> dict[str, Any]:
            return {"agent": "program", **self.more}

        def act(self, request: moot.Request) -> moot.Move:
            return speak(request)

    def played(described: Any, data: Any, said: str = "so") -> moot.Transcript:
        question = moot.Question("Who?", ("a", "b"), data=data)
        seats = everywhere(DEBATE, Described(described), question)
        return moot.run(DEBATE, question, {**seats, "a": lambda request: moot.Speech(text=said)})

    data = inner if place in ("data", "both") else None
    text = ',"meta":{}' if place == "move" else "so"
    one, other = (
        played(inner if place in ("describe", "both") else more, data, text) for more in ({}, {"b": 1, "c": inner})
    )
    assert one.digest == other.digest == moot.replay(other).digest
    assert played({}, {"x": 1, "meta": 3}).digest != played({}, {"x": 1, "meta": 4}).digest
