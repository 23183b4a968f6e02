"""The file format: events that are no part of the play, what the opening event may say, newer and unknown parts."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from format_kit import mixed, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.play.recorded import header
from moot.protocols.engine.base import Protocol
from moot.testing.strategies import transcripts
from moot.transcripts.display.show import as_text
from moot.transcripts.events import KNOWN, PLAYED, EventLog, played_part
from moot.transcripts.exporters.json_tree import Json
from moot.transcripts.index import summary_of
from moot.transcripts.seal import seal

DEBATE = moot.Debate(rounds=1)
UNKNOWN = ("dreamt", "Moved", "x.other", "")
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6), lambda v: st.lists(v, max_size=2)
)
fields = st.fixed_dictionaries(
    {},
    optional={
        "step": st.sampled_from(["0", "0.0.0", "9.9", "not a step", ""]) | values,
        "seat": st.sampled_from(["a", "judge", "nobody"]) | values,
        "text": st.text(max_size=20),
        "move": st.just({"kind": "verdict", "probabilities": [1.0, 0.0]}) | values,
        "outcome": st.just({"kind": "forfeited", "seat": "a", "rule": "none", "step": ""}) | values,
        "under": st.just("q"),
        "reads": st.integers(0, 9),
        "messages": values,
    },
)
others = st.lists(
    st.tuples(
        st.integers(0, 40), st.sampled_from(UNKNOWN), fields,
        st.fixed_dictionaries({}, optional={"at": st.just("now"), "recorded": st.just(True), "seconds": st.just(9.5)}),
    ),
    min_size=1, max_size=6,
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(play=transcripts(), more=others)
def test_every_reader_passes_over_what_is_no_part_of_the_play(
    play: moot.Transcript, more: list[Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    found = moot.Transcript(mixed(play, more), truth=play.sample)
    verified = moot.verify(found)
    assert verified.unknown == sum(name in UNKNOWN for _, name, _, _ in more) and verified.ended
    assert verified.digest == found.digest == play.digest == moot.replay(found).digest
    assert (found.outcome, list(found.steps())) == (play.outcome, list(play.steps()))
    assert found.ledger == play.ledger and found.guarantee == play.guarantee
    assert as_text(found) == as_text(play) and Json().text(found) == Json().text(play)
    path = tmp_path_factory.mktemp("format") / "t.jsonl"
    path.write_bytes(b"".join(found.lines()))
    listed = summary_of(path)
    assert play.outcome is not None and (listed.outcome, listed.problem) == (play.outcome.kind, None)
    sealed = moot.load(seal(path))
    assert list(sealed.lines()) == list(found.lines()) and sealed.digest == play.digest


@settings(max_examples=20, deadline=None)
@given(play=transcripts(DEBATE), more=others, data=st.data())
def test_resume_and_fork_pass_over_it_too(
    play: moot.Transcript, more: list[Any], data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = mixed(play, more)
    said = {step.step: step.move for step in play.steps()}

    def again(request: moot.Request) -> dict[str, Any]:
        return dict(said[request.step])

    path = tmp_path_factory.mktemp("format") / "t.jsonl"
    path.write_bytes(b"".join(lines[: data.draw(st.integers(1, len(lines)))]))
    seats = dict.fromkeys(play.started["roles"], again)
    if moot.load(path).outcome is None:
        assert moot.resume(path, seats).outcome == play.outcome
        assert moot.replay(moot.load(path)).transcript.outcome == play.outcome
    if said:
        forked = moot.fork(moot.Transcript(lines), data.draw(st.sampled_from(sorted(said))), seats)
        assert {step.step: step.move for step in forked.steps()} == said


def test_what_follows_the_end_does_not_hide_it_in_a_listing(tmp_path: Path) -> None:
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak))
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(mixed(play, [(99, "thought", {"text": "x" * 70_000}, {}), (99, "dreamt", {}, {})])))
    assert summary_of(path).outcome == "decided"
    path.write_bytes(b"".join(mixed(play, [(-1, "resumed", {"events": 3}, {}), (-1, "dreamt", {"text": "on"}, {})])))
    assert summary_of(path).outcome is None and moot.load(path).outcome is None


def test_the_table_names_every_event() -> None:
    import moot.transcripts.events as events

    named = {
        name: row.rstrip(" |").rpartition("| ")[2]
        for row in re.findall(r"^\| (?!event)[a-z].*\|$", events.__doc__ or "", re.MULTILINE)
        for name in row.split("|")[1].strip().split(", ")
    }
    assert set(named) == KNOWN
    assert {name for name, part in named.items() if part.startswith("yes")} == PLAYED


@pytest.mark.parametrize(
    ("version", "says"),
    [
        (3, "written in version 3; this moot reads up to 2: upgrade moot"),
        (0, "line 1 gives no version of the format, but 0"),
        (True, "line 1 gives no version of the format, but True"),
        ("2", "line 1 gives no version of the format, but '2'"),
        (None, "line 1 gives no version of the format, but None"),
    ],
)
def test_other_versions_are_refused(version: Any, says: str, tmp_path: Path) -> None:
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak))
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(rewritten(play, lambda e: {**e, "version": version} if "version" in e else None)))
    for read in (moot.load, lambda path: moot.resume(path, everywhere(DEBATE, speak))):
        with pytest.raises(moot.TranscriptError, match=re.escape(f"{path}: {says}")):
            read(path)
    assert says in (summary_of(path).problem or "")


def test_an_outcome_of_no_known_kind(tmp_path: Path) -> None:
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak))
    lines = rewritten(play, lambda e: {**e, "outcome": {"kind": "adjourned"}} if e["event"] == "ended" else None)
    with pytest.raises(
        moot.TranscriptError,
        match=r"transcript: line 5 \(event ended\): holds an outcome that this moot cannot read.*adjourned",
    ):
        moot.Transcript(lines).outcome  # noqa: B018
    with pytest.raises((moot.TranscriptError, moot.ReplayDivergence), match="adjourned"):
        moot.replay(moot.Transcript(lines))


def test_who_wrote_it_is_named() -> None:
    text = (Path(__file__).parent.parent / "pyproject.toml").read_text()
    assert f'\nversion = "{moot.__version__}"\n' in text
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak))
    assert play.started["meta"]["moot"] == moot.__version__ and play.version == 2 and play.parent is None


@pytest.mark.parametrize("name", sorted(PLAYED | {"resumed"}))
def test_an_agent_cannot_note_an_event_of_the_play(name: str) -> None:
    def forger(request: moot.Request) -> moot.Move:
        request.note({"event": name, "outcome": {"kind": "errored", "step": "", "cause": ""}})
        return speak(request)

    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak, a=forger))
    assert isinstance(play.outcome, moot.Errored) and f"seat a notes an event {name!r}" in play.outcome.cause
    assert moot.replay(play).digest == play.digest


def test_an_agent_notes_what_is_reserved() -> None:
    def thinker(request: moot.Request) -> moot.Move:
        request.note({"event": "thought", "attempt": request.attempt, "text": "it was a storm"})
        return speak(request)

    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak, a=thinker))
    (thought,) = (event for event in play.events() if event["event"] == "thought")
    assert (thought["step"], thought["seat"], thought["text"]) == ("0.0.0", "a", "it was a storm")
    assert (
        moot.verify(play).unknown == 0 and play.digest == moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak)).digest
    )


def test_a_verdict_that_nobody_gave_is_no_ending() -> None:
    play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak))
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in play.pairs():
        if event["event"] != "moved" or event["seat"] != "judge":
            log.line(played_part(line), event["meta"])
    forged = moot.Transcript(lines)
    assert moot.verify(forged).ended and forged.outcome == play.outcome
    with pytest.raises(moot.ReplayDivergence, match="event was 'ended' in the recording and is 'nothing' now"):
        moot.replay(forged)


def test_an_unreadable_answer_ends_a_play_that_replays(tmp_path: Path) -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    log.event("started", header(DEBATE, QUESTION))
    game = moot.Game(DEBATE, QUESTION, recorder=log).start()
    game.answer("0.0.0", moot.Speech(text="a storm"))
    game.unreadable("0.1.0", "no JSON")
    play = moot.Transcript(lines)
    assert play.outcome == moot.Unreadable(step="0.1.0", seat="b", reason="no JSON") and moot.verify(play).ended
    assert moot.replay(play).digest == play.digest and "no JSON" in as_text(play)
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"".join(lines))
    assert summary_of(path).outcome == "unreadable"
    with pytest.raises(moot.UsageError, match="has ended .unreadable"):
        moot.resume(path, everywhere(DEBATE, speak))
    forked = moot.fork(play, "0.0.0", everywhere(DEBATE, speak))
    assert forked.digest == moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak)).digest


# -- the truth beside the file -------------------------------------------------------------------------------------------


def beside(folder: Path, content: bytes, protocol: Protocol = DEBATE, **seal: Any) -> moot.Transcript:
    """A play whose truth is sealed in a file beside it."""
    play = moot.run(protocol, QUESTION, everywhere(protocol, speak))
    (folder / "truth.json").write_bytes(content)
    sealed = {"file": "truth.json", "sha256": sha256(content).hexdigest(), **seal}
    first, *rest = (json.loads(line) for line in play.lines())
    first["meta"]["sealed"] = sealed
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for event in (first, *rest):
        said = {name: value for name, value in event.items() if name not in ("event", "meta", "chain")}
        log.event(event["event"], said, event["meta"])
    (folder / "d.jsonl").write_bytes(b"".join(lines))
    return moot.load(folder / "d.jsonl")


TRUTH = b'{"truth": 1, "salt": "kept by nobody"}'


def test_the_truth_may_be_sealed_beside_the_file(tmp_path: Path) -> None:
    play = beside(tmp_path, TRUTH)
    assert play.sample.unseal() == 1 and play.sample.question == QUESTION
    assert moot.judge_reward(play) == pytest.approx(moot.ScoringRule().reward((0.75, 0.25), 1, 0))
    assert "true answer: the admiral" in as_text(play)


def test_what_is_made_of_a_play_has_its_own_file_of_the_same_truth(tmp_path: Path) -> None:
    play = beside(tmp_path, TRUTH)
    forked = moot.fork(play, "1", everywhere(DEBATE, speak), out=tmp_path / "fork.jsonl")
    rejudged = moot.rejudge(play, speak, out=tmp_path / "judged.jsonl")
    for derived in (forked, rejudged):
        seal, own = derived.started["meta"]["sealed"], f"{derived.path.stem}.truth.json"  # type: ignore[union-attr]
        assert seal == {**play.started["meta"]["sealed"], "file": own} and (tmp_path / own).read_bytes() == TRUTH
    (tmp_path / "truth.json").unlink()
    assert (forked.sample.unseal(), rejudged.sample.unseal()) == (1, 1)
    again = moot.fork(play, "1", everywhere(DEBATE, speak))  # the truth is not here, and not asked for
    apart = moot.fork(play, "1", everywhere(DEBATE, speak), out=tmp_path / "apart.jsonl")
    for derived in (again, apart):
        assert derived.digest == play.digest
        assert derived.started["meta"]["sealed"] == play.started["meta"]["sealed"]
        with pytest.raises(moot.SealedElsewhere, match=r"sealed in 'truth\.json', which is not in "):
            derived.sample.unseal()
    (tmp_path / "truth.json").write_bytes(TRUTH)
    assert (play.sample.unseal(), again.sample.unseal(), apart.sample.unseal()) == (1, 1, 1)


@pytest.mark.parametrize(
    ("content", "seal", "says"),
    [
        (TRUTH, {"sha256": "0" * 64}, "which was altered"),
        (TRUTH, {"sha256": None}, "which was altered"),
        (TRUTH, {"file": "gone.json"}, "which is not in .*unknown here; put the file beside"),
        (TRUTH, {"file": "../truth.json"}, "no name of a file beside it"),
        (TRUTH, {"file": "a\\truth.json"}, "no name of a file beside it"),
        (TRUTH, {"file": ".."}, "no name of a file beside it"),
        (TRUTH, {"file": 7}, "no name of a file beside it"),
        (b"1", {}, "holds no truth"),
        (b"{", {}, "holds no truth"),
        (b'{"truth": 2}', {}, "holds no truth.*must be 0 to 1"),
    ],
)
def test_a_truth_that_cannot_be_opened_says_so_when_it_is_asked_for(
    content: bytes, seal: dict[str, Any], says: str, tmp_path: Path
) -> None:
    play = beside(tmp_path, content, **seal)
    assert moot.replay(play).digest == play.digest
    for ask in (lambda: play.sample.unseal(), lambda: moot.judge_reward(play)):
        with pytest.raises(moot.TranscriptError, match=rf"d\.jsonl: the truth is sealed in .*{says}"):
            ask()
    assert "the truth is sealed in" in " ".join(as_text(play).split())
