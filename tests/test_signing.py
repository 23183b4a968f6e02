"""What a chain, a head and a key show of a transcript that somebody changed."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cli_calls import folder as folder
from cli_calls import recorded, refused, said
from hostile_kit import chained
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.transcripts.seal import seal
from moot.transcripts.signing import read_key

DEBATE = moot.Debate(rounds=1)
KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "d.jsonl"
    moot.run(DEBATE, moot.Sample(QUESTION, truth=1), everywhere(DEBATE, speak), out=path)
    return path


def cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def forge(path: Path) -> None:
    """Another truth, under a chain made anew."""
    events = []
    for line in path.read_bytes().splitlines():
        event = json.loads(line)
        del event["chain"]
        events.append((event, event.pop("meta")))
    events[0][1]["sealed"] = {"truth": 0}
    path.write_bytes(chained(events))


def go_on(path: Path) -> None:
    cut(path)
    moot.resume(path, everywhere(DEBATE, speak))


@pytest.mark.parametrize("change", [cut, forge, go_on])
def test_what_the_chain_cannot_show_a_head_and_a_key_do(change: Callable[[Path], None], path: Path) -> None:
    head = moot.verify(moot.load(path)).head
    moot.sign(moot.load(path), KEY)
    assert moot.verify(moot.load(path), head=head, key=KEY).signed
    change(path)
    found = moot.verify(moot.load(path))  # the chain alone is whole
    assert found.head != head and not found.signed
    with pytest.raises(moot.TranscriptError, match=f"its head is {found.head}, and not {head}"):
        moot.verify(moot.load(path), head=head)
    with pytest.raises(moot.TranscriptError, match="the signature .* does not fit"):
        moot.verify(moot.load(path), key=KEY)
    with pytest.raises(moot.UsageError, match="is there and does not fit.*remove it to sign anew"):
        moot.sign(moot.load(path), KEY)


def test_a_signature_holds_for_the_sealed_file_and_for_no_other_key(path: Path) -> None:
    signature = moot.sign(moot.load(path), KEY)
    assert signature == path.with_name("d.jsonl.hmac") == moot.sign(moot.load(path), KEY)
    assert KEY not in signature.read_bytes() and KEY.hex().encode() not in signature.read_bytes()
    head, sealed = moot.verify(moot.load(path)).head, seal(path)
    found = moot.verify(moot.load(sealed), head=head.upper(), key=KEY)
    assert found.signed and moot.sign(moot.load(sealed), KEY) == signature
    with pytest.raises(moot.TranscriptError, match="does not fit"):
        moot.verify(moot.load(sealed), key=KEY[::-1])


@settings(max_examples=25, deadline=None)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_any_other_signature_is_refused(place: int, byte: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("sign") / "d.jsonl"
    moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=path)
    signature = moot.sign(moot.load(path), KEY)
    good = signature.read_bytes()
    place %= len(good)
    for bad in (good[:place] + bytes([byte]) + good[place + 1 :], good[:place], good + bytes([byte])):
        signature.write_bytes(bad)
        if bad != good:
            with pytest.raises(moot.TranscriptError, match="does not fit"):
                moot.verify(moot.load(path), key=KEY)
    signature.unlink()
    with pytest.raises(moot.TranscriptError, match=r"no signature can be read from .*d\.jsonl\.hmac"):
        moot.verify(moot.load(path), key=KEY)


def test_keys(tmp_path: Path, path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(KEY)
    if sys.platform != "win32":
        key.chmod(0o640)
        with pytest.raises(moot.UsageError, match="others may read the key .*: chmod 600"):
            read_key(key)
        key.chmod(0o600)
    assert read_key(key) == KEY
    for wrong, says in ((b"", "holds 0 bytes"), (b"short", "holds 5 bytes"), (b"x" * 10_000, "holds over 4096 bytes")):
        key.write_bytes(wrong)
        with pytest.raises(moot.UsageError, match=f"{says}; a key has 16 to 4096"):
            read_key(key)
        with pytest.raises(moot.UsageError, match="a key has 16 to 4096"):
            moot.sign(moot.load(path), wrong)
    with pytest.raises(moot.UsageError, match="a key is bytes"):
        moot.verify(moot.load(path), key="a text")  # type: ignore[arg-type]
    with pytest.raises(moot.UsageError, match="cannot read the key"):
        read_key(tmp_path / "none")
    with pytest.raises(moot.UsageError, match="is in memory alone"):
        moot.sign(moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak)), KEY)
    path.write_bytes(path.read_bytes().replace(b"judge", b"jadge", 1))
    with pytest.raises(moot.TranscriptError, match="hash chain"):
        moot.sign(moot.Transcript(path=path), KEY)


def test_the_command_line_prints_the_head_and_checks_it(folder: Path) -> None:
    path, key = recorded(), folder / "key"
    key.write_bytes(KEY)
    key.chmod(0o600)
    head = moot.verify(moot.load(path)).head
    assert f"; head {head}" in said("verify", path)
    assert json.loads(said("verify", path, "--json", "--head", head))["head"] == head
    assert "--head is of one transcript" in refused("verify", path, path, "--head", head)
    assert "moot sign needs a key" in refused("sign", path)
    assert "no signature can be read" in refused("verify", path, "--key", "key", code=1)
    assert said("sign", path, "--key", "key") == "d.jsonl: signed in d.jsonl.hmac\n"
    assert ", ended, as signed; digest" in said("verify", path, "--key", "key")
    cut(Path(path))
    assert "its head is" in refused("verify", path, "--head", head, code=1)
    assert "does not fit" in refused("verify", path, "--key", "key", code=1)


@pytest.mark.parametrize("tail", [b"\0" * 4096, b"garbage", b'{"event":"told"', b"\xff\xfe"])
def test_what_follows_the_last_whole_line_is_reported(tail: bytes, folder: Path) -> None:
    path = recorded()
    whole = Path(path).read_bytes()
    events = whole.count(b"\n")
    Path(path).write_bytes(whole + tail)
    assert moot.load(path).dropped == moot.verify(moot.load(path)).dropped == len(tail)
    assert f"{events} whole events, then {len(tail)} bytes that are none" in refused("verify", path, code=1)
    Path(path).write_bytes(whole[:-1])  # the end of the last line is lost, and with it the event
    last = len(whole.splitlines()[-1])
    assert f"{events - 1} whole events, then {last} bytes" in refused("verify", path, code=1)
    Path(path).write_bytes(whole + b"garbage\n")
    assert f"line {events + 1}: this is no moot event" in refused("verify", path, code=1)
