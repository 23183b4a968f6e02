"""Version 1 files, kept as they were written: they load, verify and fold as ever, and their moves are run again."""

from __future__ import annotations

import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from format_kit import Event, as_version_1, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.protocols.engine.errors import ReplayDivergence
from moot.testing import puppet
from moot.testing.strategies import transcripts
from moot.transcripts.display.show import as_text
from moot.transcripts.events import chain_of, check_line, played, played_part
from moot.transcripts.exporters.json_tree import Json, from_json
from moot.transcripts.version1 import translate

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.jsonl"))
SAME = pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)


def test_the_golden_files_of_version_1_are_as_they_were() -> None:
    content = sha256(b"".join(path.read_bytes() for path in GOLDEN)).hexdigest()
    assert content == "274da5cae6bf0903719fa7b17bcc6f52dca2cd05973fa98b54daf93944cf89d0"
    digests = "".join(moot.verify(moot.load(path)).digest for path in GOLDEN)
    assert sha256(digests.encode()).hexdigest() == "b4afaf0bb328beb1421efd02948b055315814059f62fea50a865169a33fb0237"


@SAME
def test_it_loads_folds_and_is_run_again(path: Path) -> None:
    play = moot.load(path)
    verified = moot.verify(play)
    assert play.version == 1 and verified.digest == play.digest and verified.unknown == 0
    again = moot.replay(play)
    assert again.transcript is play and again.digest == play.digest and not again.requests_compared
    said = [event for event in play.events() if event["event"] in ("moved", "rejected")]
    assert sum(spent.calls for spent in play.ledger.seats.values()) == len(said) and said
    assert play.ledger.tree.full_tree_size == play.started.get("full_tree_size") and "implied" not in play.started
    assert play.outcome is not None and play.guarantee.protocol == play.started["protocol"]["name"]
    assert play.outcome.kind in as_text(play).lower()
    drawn = from_json(Json().text(play))
    assert dict(drawn.nodes) == dict(play.tree.nodes) and dict(drawn.edges) == dict(play.tree.edges)


@SAME
def test_it_is_forked_and_rejudged(path: Path) -> None:
    play = moot.load(path)
    moves = {step.step: step.move for step in play.steps()}
    seats = dict.fromkeys(play.started["roles"], puppet)
    at = sorted(moves, key=lambda step: [int(part) for part in step.split(".")])[len(moves) // 2]
    derived = [moot.fork(play, at, seats)]
    if play.protocol.judge in play.started["roles"].values():
        derived.append(moot.rejudge(play, puppet))
    for other in derived:
        assert {step.step: step.move for step in other.steps()} == moves and other.outcome == play.outcome
        assert other.version == 2 and other.parent is not None and other.parent["digest"] == play.digest
        assert moot.replay(other).requests_compared
    kept = {
        event["step"] for event in derived[0].events() if event["event"] == "moved" and event["meta"].get("recorded")
    }
    assert at not in kept and len(kept) >= len(moves) // 2


@SAME
def test_it_is_not_resumed_but_forked(path: Path, tmp_path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    cut = tmp_path / "cut.jsonl"
    content = b"".join(lines[:-1]) + lines[-1][:9]
    cut.write_bytes(content)
    play = moot.load(cut)
    assert moot.replay(play).transcript.outcome is None
    seats = dict.fromkeys(play.started["roles"], puppet)
    with pytest.raises(moot.UsageError, match=r"in version 1 of the format.*moot fork .* --at (\S+) ") as refused:
        moot.resume(cut, seats)
    assert cut.read_bytes() == content
    at = re.search(r"--at (\S+)", str(refused.value))
    assert at is not None and moot.fork(play, at[1], seats).outcome == moot.load(path).outcome


def test_one_in_which_nobody_has_moved_is_played_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes((GOLDEN[0]).read_bytes().splitlines(keepends=True)[0])
    with pytest.raises(moot.UsageError, match="play it again: nobody has moved yet"):
        moot.resume(path, {})


def golden(name: str, change: Any) -> moot.Transcript:
    """A golden file with one event of a kind changed, under a whole chain."""
    play = moot.load(next(path for path in GOLDEN if path.stem == name))
    raw = moot.Transcript(rewritten(play, lambda event: None))
    assert raw.digest == play.digest
    return moot.Transcript(rewritten(play, change))


def changed(name: str, **fields: Any) -> Any:
    """A change of the first event of that name."""
    left = [name]

    def change(event: Event) -> Event | None:
        if event["event"] in left:
            left.remove(event["event"])
            return {**event, **fields}
        return None

    return change


@pytest.mark.parametrize(
    ("file", "event", "fields", "field"),
    [
        ("nested-oversight", "flipped", {"value": 0.125}, "value"),
        ("doubly-efficient-deterministic", "charged", {"amount": 99}, "amount"),
        ("debate", "moved", {"size": 1}, "size"),
        ("debate", "moved", {"relation": "attacks"}, "relation"),
        ("debate", "moved", {"step": "7"}, "open steps"),
        ("debate", "ended", {"outcome": {"kind": "forfeited", "role": "a", "rule": "none", "step": "2"}}, "outcome"),
        ("sequential", "moved", {"under": "0"}, "under"),
        ("both-seatings", "entered", {"seats": {}}, "seats"),
    ],
)
def test_what_comes_out_otherwise_is_still_found(file: str, event: str, fields: Any, field: str) -> None:
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(golden(file, changed(event, **fields)))
    assert caught.value.field == field


def test_the_words_of_a_broken_rule_are_compared_in_version_2_alone() -> None:
    assert moot.replay(golden("amplify-with-pointers", changed("rejected", rule="in other words")))
    play = moot.load(Path(__file__).parent / "golden" / "v2" / "amplify-with-pointers.jsonl")
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(moot.Transcript(rewritten(play, changed("rejected", rule="in other words"))))
    assert caught.value.field == "rule"


def test_requests_are_compared_in_version_2_alone() -> None:
    other = changed("moved", request="0" * 32)
    assert not moot.replay(golden("debate", other)).requests_compared
    debate = moot.Debate(rounds=1)
    play = moot.run(debate, QUESTION, everywhere(debate, speak))
    assert moot.replay(play).requests_compared
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(moot.Transcript(rewritten(play, changed("moved", request="0" * 32))))
    assert caught.value.field == "request"


def test_an_answer_to_what_was_not_asked_this_time_is_still_found() -> None:
    """The judge of "questions" speaks to the debaters: another judge, other questions."""
    play = moot.load(next(path for path in GOLDEN if path.stem == "questions"))

    def other(request: moot.Request) -> moot.Move:
        return moot.Ask(text="why?") if moot.Ask in request.kinds else puppet(request)

    with pytest.raises(ReplayDivergence) as caught:
        moot.rejudge(play, other)
    assert caught.value.field == "request"
    stale = moot.rejudge(play, other, stale=True)
    assert any(event["meta"].get("stale") for event in stale.events() if event["event"] == "moved")


@settings(max_examples=20, deadline=None)
@given(play=transcripts(), data=st.data())
def test_what_version_1_would_have_written_reads_as_the_same_play(play: moot.Transcript, data: st.DataObject) -> None:
    old = moot.Transcript(rewritten(play, as_version_1))
    assert (old.outcome, old.question, old.bounds) == (play.outcome, play.question, play.bounds)
    assert (old.ledger.tree, old.ledger.flips) == (play.ledger.tree, play.ledger.flips)
    assert [(s.step, s.move, s.raw) for s in old.steps()] == [(s.step, s.move, s.raw) for s in play.steps()]
    assert list(old.tree.nodes(data=True)) == list(play.tree.nodes(data=True)) and as_text(old)
    assert not moot.replay(old).requests_compared
    chain = b""
    for number, (line, _) in enumerate(old.pairs(), 1):
        chain = check_line(line, number, chain, "old")
        assert chain == chain_of(line)
    said = {step.step: step.move for step in play.steps()}
    if said and isinstance(play.outcome, moot.Decided):
        at = data.draw(st.sampled_from(sorted(said)))
        seats = dict.fromkeys(play.started["roles"], lambda request: dict(said[request.step]))
        forked = moot.fork(old, at, seats)
        assert {step.step: step.move for step in forked.steps()} == said and forked.outcome == play.outcome


def test_the_role_of_an_outcome_is_its_seat() -> None:
    debate = moot.Debate(rounds=1)

    def never(request: moot.Request) -> str:
        return "no move"

    forfeited = moot.run(debate, QUESTION, everywhere(debate, speak, b=never))
    exhausted = moot.run(debate, QUESTION, everywhere(debate, speak), bounds={"judge": {"calls": 0}})
    for play, seat in ((forfeited, "b"), (exhausted, "judge")):
        lines = rewritten(play, as_version_1)
        assert f'"role":"{seat}"'.encode() in b"".join(lines)
        old = moot.Transcript(lines)
        assert old.outcome == play.outcome and getattr(old.outcome, "seat", None) == seat
        assert moot.replay(old).digest == old.digest != play.digest


def test_an_outcome_inside_a_play_is_translated_too() -> None:
    left = {"event": "left", "outcome": {"kind": "forfeited", "role": "a", "rule": "none", "step": "0"}}
    noted = {"event": "dreamt", "outcome": {"role": "a"}}
    translate(left)
    translate(noted)
    assert left["outcome"] == {"kind": "forfeited", "seat": "a", "rule": "none", "step": "0"}
    assert noted["outcome"] == {"role": "a"}


@settings(max_examples=20, deadline=None)
@given(play=transcripts())
def test_lines_that_come_later_are_read_alike(play: moot.Transcript) -> None:
    lines = rewritten(play, as_version_1)
    growing: list[bytes] = []
    seen = moot.Transcript(growing)
    for line in lines:
        growing.append(line)
        list(seen.events())
    assert seen.outcome == play.outcome and list(seen.events()) == list(moot.Transcript(lines).events())
    bodies = [played_part(line) for line, _ in played(seen.pairs())]
    assert b'"version":1' in bodies[0] and b"full_tree_size" not in b"".join(bodies)
