"""Sealing, unsealing and listing."""

from __future__ import annotations

import errno
import os
import random
import shutil
import subprocess
from pathlib import Path

import cli_agents
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.transcripts import index
from moot.transcripts.index import lines_from_end, summaries, summary_of
from moot.transcripts.seal import seal
from moot.transcripts.sealed import head, library, sealed_summary, unsealed

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="The storm came at night.")
MAGIC = bytes.fromhex("5d2a4d18")  # of a zstd frame that is passed over
SEATS = {"a": cli_agents.speaker, "b": cli_agents.speaker, "judge": cli_agents.judge}


def played(path: Path, rounds: int = 2, **seats: object) -> moot.Transcript:
    return moot.run(moot.Debate(rounds=rounds), moot.Sample(QUESTION, 1), {**SEATS, **seats}, out=path)


@settings(max_examples=60, deadline=None)
@given(data=st.lists(st.binary(max_size=40).filter(lambda b: b"\n" not in b), max_size=8), torn=st.binary(max_size=9))
def test_lines_from_the_end_are_the_whole_lines_reversed(
    data: list[bytes], torn: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    torn = torn.replace(b"\n", b"")
    path = tmp_path_factory.mktemp("lines") / "x"
    path.write_bytes(b"".join(line + b"\n" for line in data) + torn)
    for chunk in (1, 2, 7, 65536):
        index._CHUNK, kept = chunk, index._CHUNK
        try:
            with open(path, "rb") as file:
                assert list(lines_from_end(file, path.stat().st_size)) == [line + b"\n" for line in reversed(data)]
        finally:
            index._CHUNK = kept


def test_sealing_keeps_every_byte_and_removes_the_original(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    before = played(path)
    lines, digest, outcome = list(before.lines()), before.digest, before.outcome
    sealed = seal(path)
    assert sealed == tmp_path / "d.jsonl.zst"
    assert [entry.name for entry in tmp_path.glob("*.jsonl*")] == ["d.jsonl.zst"]
    assert list(unsealed(sealed)) == lines
    after = moot.load(sealed)
    assert after.digest == digest and after.outcome == outcome
    assert moot.replay(after).digest == digest
    summary = sealed_summary(sealed)
    assert (summary["digest"], summary["events"], summary["outcome"]) == (digest, len(lines), "decided")
    assert summary["question"] == QUESTION.text


def test_a_play_that_is_sealed_meanwhile_is_still_read(tmp_path: Path) -> None:
    """By whoever holds its transcript under the old name, whether it was looked at before or not."""
    path = tmp_path / "d.jsonl"
    unread, read = played(path), moot.Transcript(path=path)
    outcome, lines = read.outcome, list(read.lines())
    seal(path)
    for transcript in (unread, read):
        assert transcript.outcome == outcome and list(transcript.lines()) == lines
        assert transcript.ledger == read.ledger and moot.replay(transcript).digest == transcript.digest
    (tmp_path / "d.jsonl.zst").unlink()
    with pytest.raises(UsageError, match=r"there is no transcript .*d\.jsonl"):
        moot.Transcript(path=path).outcome  # noqa: B018


def test_zstd_itself_reads_a_sealed_file(tmp_path: Path) -> None:
    zstd = shutil.which("zstd")
    if zstd is None:
        pytest.skip("no zstd program here")
    path = tmp_path / "d.jsonl"
    whole = b"".join(played(path).lines())
    sealed = seal(path)
    done = subprocess.run([zstd, "-d", "-c", str(sealed)], capture_output=True, check=True)
    assert done.stdout == whole


def test_a_listing_reads_only_the_start_of_a_sealed_file(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    played(path, rounds=200)
    sealed = seal(path)
    assert sealed.read_bytes()[:4] == MAGIC
    start = 8 + int.from_bytes(sealed.read_bytes()[4:8], "little")
    with open(sealed, "rb+") as file:
        file.truncate(start)
    found = summary_of(sealed)
    assert found.problem is None and found.outcome == "decided" and found.sealed
    with pytest.raises(TranscriptError, match="cut off"):
        moot.load(sealed)


def test_only_ended_plays_are_sealed(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    before = played(path)
    lines, digest = list(before.lines()), before.digest
    path.write_bytes(b"".join(lines[:-1]))
    with pytest.raises(UsageError, match="has not ended"):
        seal(path)
    assert path.read_bytes() == b"".join(lines[:-1]) and len(list(tmp_path.glob("*.jsonl*"))) == 1
    assert moot.resume(path, SEATS).digest == digest, "and others can write it again"


def test_an_edited_transcript_is_not_sealed(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    played(path)
    edited = path.read_bytes().replace(b"nobody saw", b"we all saw", 1)
    path.write_bytes(edited)
    with pytest.raises(TranscriptError, match="line 2 .*hash chain"):
        seal(path)
    assert path.read_bytes() == edited and len(list(tmp_path.glob("*.jsonl*"))) == 1


def test_what_cannot_be_sealed_says_so(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    with pytest.raises(UsageError, match="there is no transcript"):
        seal(path)
    with pytest.raises(UsageError, match="is a folder"):
        seal(tmp_path)
    played(path)
    (tmp_path / "d.jsonl.zst").write_bytes(b"mine")
    with pytest.raises(UsageError, match="exists already"):
        seal(path)
    assert (tmp_path / "d.jsonl.zst").read_bytes() == b"mine" and path.exists()
    with pytest.raises(UsageError, match="sealed already"):
        seal(tmp_path / "d.jsonl.zst")


def test_a_copy_that_reads_back_differently_leaves_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "d.jsonl"
    whole = b"".join(played(path).lines())
    monkeypatch.setattr("moot.transcripts.seal.unsealed", lambda path: iter([b"something else\n"]))
    with pytest.raises(TranscriptError, match="reads back differently"):
        seal(path)
    assert path.read_bytes() == whole and len(list(tmp_path.glob("*.jsonl*"))) == 1


def test_the_original_goes_when_the_copy_is_on_the_disk_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, partial = tmp_path / "d.jsonl", tmp_path / ".d.jsonl.zst.part"
    whole = b"".join(played(path).lines())
    synced: list[int] = []

    def fsync(file: int) -> None:
        assert path.exists() and os.fstat(file).st_ino == partial.stat().st_ino
        synced.append(os.fstat(file).st_size)

    with monkeypatch.context() as patch:
        patch.setattr("moot.transcripts.seal.os.fsync", fsync)
        size = seal(path).stat().st_size
    assert synced == [size]
    (tmp_path / "d.jsonl.zst").unlink()
    path.write_bytes(whole)

    def full(file: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("moot.transcripts.seal.os.fsync", full)
    with pytest.raises(TranscriptError, match=r"cannot write .*\.part: No space left.*d\.jsonl is untouched"):
        seal(path)
    assert path.read_bytes() == whole and len(list(tmp_path.glob("*.jsonl*"))) == 1


@pytest.mark.parametrize(
    ("start", "says"),
    [
        (b"", "carries no summary"),
        (MAGIC + b"\2\0\0", "carries no summary"),
        (MAGIC[:3] + b"\x19" + b"\2\0\0\0{}", "carries no summary"),
        (bytes([MAGIC[0] - 1]) + MAGIC[1:] + b"\2\0\0\0{}", "carries no summary"),
        (MAGIC + b"\1\0\0\1{}", "carries no summary"),
        (MAGIC + b"\0\0\0\1{", "the summary is cut off or damaged"),
        (MAGIC + b"\2\0\0\0[]", "the summary is cut off or damaged"),
        (MAGIC + b"\1\0\0\0{}", "the summary is cut off or damaged"),
        (MAGIC + b"\2\0\0\0{}", "does not open a moot transcript"),
    ],
)
def test_what_does_not_begin_with_a_summary_of_ours_has_none(tmp_path: Path, start: bytes, says: str) -> None:
    (path := tmp_path / "d.jsonl.zst").write_bytes(start)
    with pytest.raises(TranscriptError, match=says):
        sealed_summary(path)


def packed(content: bytes, level: int = 10) -> bytes:
    packer = library().packer(level)
    return bytes(packer.compress(content) + packer.flush())


def test_what_is_read_is_the_lines_and_what_follows_them(tmp_path: Path) -> None:
    """Of any zstd file, in however many frames."""
    path = tmp_path / "t.zst"
    for content, read in ((b"", []), (b"a\n\nb", [b"a\n", b"\n", b"b"]), (b"a\n", [b"a\n"])):
        path.write_bytes(packed(content))
        assert list(unsealed(path)) == read
    path.write_bytes(head(b"{}") + packed(b"a\nb") + packed(b"") + packed(b"c\n"))
    assert list(unsealed(path)) == [b"a\n", b"bc\n"]
    path.write_bytes(head(b"{}"))
    with pytest.raises(TranscriptError, match="cut off"):
        list(unsealed(path))
    text = b" ".join(b"word%d" % n for n in random.Random(1).choices(range(300), k=5000))
    assert len(packed(text, 19)) < len(packed(text, 1)), "a higher level packs better"


def test_a_file_may_open_to_so_much_and_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def opens(content: bytes, free: int, ratio: int = 0, longest: int = 100) -> bool:
        (path := tmp_path / "t.zst").write_bytes(packed(content))
        for name, value in (("_FREE", free), ("_RATIO", ratio), ("LONGEST", longest)):
            monkeypatch.setattr(f"moot.transcripts.sealed.{name}", value)
        try:
            return b"".join(unsealed(path)) == content
        except TranscriptError as error:
            assert ("a line longer than 99 " if longest < 100 else "opens to more than ") in str(error)
            return False

    lines = b"x\n" * 600
    assert opens(lines, 1200) and not opens(lines, 1199)
    assert opens(lines, 0, ratio=1200) and opens(lines, 1200, ratio=1) and not opens(lines, 1, ratio=1)
    assert opens(b"x" * 100, 1200) and not opens(b"x" * 100, 1200, longest=99)


def test_damage_to_a_sealed_file_is_always_noticed(tmp_path: Path) -> None:
    """A bit of every byte after the summary, all of the frame's header, and many lengths: what is read is what was
    written, or nothing. Only bits that say how the text is packed, and not what it is, go unnoticed."""
    path = tmp_path / "d.jsonl"
    lines = list(played(path, rounds=1).lines())
    sealed = seal(path)
    whole = sealed.read_bytes()
    start = 8 + int.from_bytes(whole[4:8], "little")
    unnoticed = 0
    for at in range(start, len(whole)):
        if at < start + 12 or not at % 5:
            sealed.write_bytes(whole[:at])
            with pytest.raises(TranscriptError):
                list(unsealed(sealed))
        for bit in range(8) if at < start + 12 else (at % 8,):
            sealed.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
            try:
                read = list(unsealed(sealed))
            except TranscriptError:
                continue
            unnoticed += 1
            assert read == lines, (at - start, bit)
    assert 0 < unnoticed < 24


def test_summaries_report_broken_files_and_go_on(tmp_path: Path) -> None:
    played(tmp_path / "a.jsonl")
    played(tmp_path / "b.jsonl", a=cli_agents.broken)
    lines = (tmp_path / "a.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "c.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:20])
    (tmp_path / "d.jsonl").write_bytes(b"")
    (tmp_path / "e.jsonl").write_bytes(lines[0][:30])
    (tmp_path / "f.jsonl").write_bytes(b"\xff\xfenot json\n")
    (tmp_path / "g.jsonl").write_bytes(lines[0].replace(b'"version":2', b'"version":9', 1))
    (tmp_path / "h.jsonl.zst").write_bytes(b"(\xb5/\xfd")
    (tmp_path / "i.jsonl").write_bytes(b'{"event":"started","format":"moot-transcript","version":1}\n')
    (tmp_path / "notes.txt").write_text("not listed")
    (tmp_path / "folder.jsonl").mkdir()
    found = {summary.path.name: summary for summary in summaries(tmp_path)}
    assert sorted(found) == [f"{name}.jsonl" for name in "abcdefg"] + ["h.jsonl.zst", "i.jsonl"]
    assert found["a.jsonl"].outcome == "decided" and found["a.jsonl"].verdict == (0.25, 0.75)
    assert found["b.jsonl"].outcome == "errored" and found["b.jsonl"].verdict is None
    assert found["c.jsonl"].outcome is None and found["c.jsonl"].problem is None
    for name, part in {
        "d": "empty",
        "e": "no whole event",
        "f": "JSON",
        "g": "upgrade moot",
        "i": "meta is None",
    }.items():
        assert part in (found[f"{name}.jsonl"].problem or ""), name
    assert found["h.jsonl.zst"].problem is not None


def test_summaries_of_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path, part in ((tmp_path / "none", "no folder"), (tmp_path / "file", "is a file")):
        with pytest.raises(UsageError, match=part):
            next(summaries(path))
