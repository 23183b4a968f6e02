"""What a replay compares, what verification counts, and what is taken out of a recording.

Rule: plays of version 2; `test_version1.py` has the older ones, `test_rerun.py` what is played on from a recording."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from format_kit import Event, as_version_1, mixed, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from players import FAIR, QUESTION, everywhere, speak

import moot
from moot.protocols.engine.errors import ReplayDivergence
from moot.protocols.limits import Limit
from moot.transcripts.events import EventLog, chain_of, played_part
from moot.transcripts.replay import Recording, Replay, no_collection

DEBATE = moot.Debate(rounds=1)
GOLDEN = sorted((Path(__file__).parent / "golden" / "v2").glob("*.jsonl"))
MADE = {
    "started": {"roles", "full_tree_size"}, "moved": {"step", "seat", "request", "under", "relation", "size"},
    "rejected": {"step", "seat", "request", "rule"}, "flipped": {"step", "weights", "value"},
    "charged": {"step", "seat", "measure", "amount"}, "entered": {"step", "protocol", "question", "seats"},
    "left": {"step", "outcome"}, "ended": {"outcome"},
}  # fmt: skip
"""What follows from the moves and is made again: all fields but the moves and what was spent on them."""


@cache
def golden(path: Path) -> moot.Transcript:
    return moot.load(path)


def other(value: Any) -> Any:
    """Another value of the same sort, of the same length where that can be."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1 if value % 10 < 9 else value - 1
        case str():
            return value[::-1] if value[::-1] != value else value + "x"
        case list():
            return [other(value[0]), *value[1:]] if value else [1]
        case dict() if value:
            last = list(value)[-1]
            return {**value, last: other(value[last])}
    return "x"


def only(number: int, change: Callable[[Event], Event]) -> Callable[[Event], Event | None]:
    """A change of one event alone."""
    counted = iter(range(10**6))
    return lambda event: change(event) if next(counted) == number else None


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(GOLDEN), st.data())
def test_whatever_follows_from_the_moves_is_compared(path: Path, data: st.DataObject) -> None:
    play = golden(path)
    places = [
        (number, field)
        for number, event in enumerate(play.events())
        for field in event
        if field in MADE.get(event["event"], ())
        and (field != "outcome" or event["outcome"]["kind"] in ("decided", "forfeited"))
    ]
    number, field = data.draw(st.sampled_from(places))
    changed = rewritten(play, only(number, lambda event: {**event, field: other(event[field])}))
    with pytest.raises((ReplayDivergence, moot.TranscriptError)) as caught:
        moot.replay(moot.Transcript(changed))
    if isinstance(caught.value, ReplayDivergence) and field != "step":
        assert caught.value.field == field


def reading(request: moot.Request) -> moot.Move:
    list(request.view)
    return speak(request)


def play_of(*, bound: str = "", **seats: Any) -> moot.Transcript:
    given_: dict[str, Any] = everywhere(DEBATE, speak, **seats)
    if bound:
        given_["judge"] = moot.Bounded(given_["judge"], reads=bound)
    return moot.run(DEBATE, QUESTION, given_, seed=3)


def fails(request: moot.Request) -> moot.Move:
    raise ConnectionError("down")


class Unready:
    async def start(self) -> None:
        raise ConnectionError("down")

    async def act(self, request: moot.Request) -> moot.Move:
        return speak(request)


def reads_and_fails(request: moot.Request) -> moot.Move:
    list(request.view)
    raise ConnectionError("down")


def illegal(request: moot.Request) -> moot.Move:
    return moot.Speech(text="")


ENDS = {
    "decided": play_of(), "errored": play_of(b=fails), "forfeited": play_of(b=illegal), "exhausted": play_of(judge=reading, bound="1"),
    "errored before the first move": play_of(a=Unready()), "errored after reading": play_of(judge=reads_and_fails, bound="1000*n"),
}  # fmt: skip
END = pytest.mark.parametrize("end", ENDS)


@END
def test_however_a_play_ended_it_is_run_again(end: str) -> None:
    play = ENDS[end]
    assert play.outcome is not None and play.outcome.kind == end.split()[0]
    again = moot.replay(play)
    assert again.requests_compared and again.digest == play.digest and again.transcript is play
    whole = Replay(play)
    assert whole.unwritten == [] and not whole.game.open and whole.game.outcome == play.outcome


@END
def test_a_play_that_was_broken_off_stands_where_its_recording_ends(end: str) -> None:
    """What follows from the last recorded event without anybody's doing is not written yet."""
    lines = list(ENDS[end].lines())
    cut = Replay(moot.Transcript(lines[:-1]))
    if end == "errored before the first move":
        assert cut.unwritten == [] and cut.game.open
        return
    (ended,) = cut.unwritten
    assert ended.startswith(b'{"event":"ended"') and lines[-1].startswith(ended)
    failed = next((n for n, line in enumerate(lines) if line.startswith(b'{"event":"failed"')), None)
    if failed is not None:
        before = Replay(moot.Transcript(lines[:failed]))
        assert before.unwritten == [] and before.game.open and before.game.outcome is None


@END
def test_a_failure_alone_is_opened_again(end: str) -> None:
    again = Replay(ENDS[end], reopen=True)
    assert bool(again.game.open) == end.startswith("errored") and again.unwritten == []


@pytest.mark.parametrize("step", ["0.1.0", "0.0.0"])
def test_the_words_of_a_broken_rule_are_of_a_version_and_what_it_ended_is_not(step: str) -> None:
    def old(event: Event) -> Event:
        if event["event"] == "rejected":
            return as_version_1({**event, "rule": "in other words"})
        if event["event"] == "ended":
            return as_version_1({**event, "outcome": {**event["outcome"], "rule": "in other words", "step": step}})
        return as_version_1(event)

    play = moot.Transcript(rewritten(ENDS["forfeited"], old))
    if step == "0.1.0":
        assert not moot.replay(play).requests_compared
        return
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(play)
    assert caught.value.field == "outcome"


def test_what_a_bounded_seat_read_before_the_break_counts_after_it(tmp_path: Path) -> None:
    """To the character, also where it was nothing."""
    protocol = moot.Debate(rounds=2, questions=True)

    def judge(request: moot.Request) -> moot.Move:
        return reading(request) if moot.Verdict in request.kinds else speak(request)

    def run(bound: int) -> moot.Transcript:
        seats = everywhere(protocol, speak, judge=moot.Bounded(judge, reads=str(bound)))
        return moot.run(protocol, QUESTION, seats, seed=3)

    used = max(event.get("reads", 0) for event in run(10_000).events())
    for bound, end in ((used, "decided"), (used - 1, "exhausted")):
        whole = run(bound)
        asked = next(n for n, event in enumerate(whole.events()) if event.get("move", {}).get("kind") == "ask")
        (path := tmp_path / end).write_bytes(b"".join(list(whole.lines())[: asked + 1]))
        again = moot.resume(path, everywhere(protocol, speak, judge=judge))
        assert again.outcome is not None and again.outcome.kind == end and again.digest == whole.digest


def test_equal_values_in_other_bytes_are_told_apart() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in play_of().pairs():
        log.line(played_part(line).replace(b'"size":', b'"size": '), event["meta"])
    with pytest.raises(ReplayDivergence, match="the recorded bytes") as caught:
        moot.replay(moot.Transcript(lines))
    assert (caught.value.field, caught.value.step) == ("encoding", "0.0.0")


def test_that_another_question_was_asked_is_said_before_what_becomes_of_the_answer() -> None:
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(play_of(), moot.Debate(rounds=1, limit=Limit(chars=1)))
    assert (caught.value.field, caught.value.step) == ("request", "0.0.0")


def _moved(play: moot.Transcript) -> int:
    return next(number for number, event in enumerate(play.events()) if event["event"] == "moved")


def test_a_field_too_many_or_too_few_is_found() -> None:
    play = play_of()
    placed = {"under", "relation", "size"}
    for change, field in (
        (lambda e: {**e, "zeal": 1}, "zeal"), (lambda e: {name: e[name] for name in e if name not in placed}, "under"),
    ):  # fmt: skip
        with pytest.raises(ReplayDivergence) as caught:
            moot.replay(moot.Transcript(rewritten(play, only(_moved(play), change))))
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("name", "fields", "field"),
    [
        ("flipped", {"step": "3", "weights": [1, 1], "value": 0}, "event"),
        ("failed", {"step": "9", "seat": "a", "outcome": {"kind": "errored", "cause": "x", "step": "9"}}, "event"),
        ("moved", {"step": "9", "seat": "a", "request": "0" * 32, "move": {"kind": "speech", "text": "x"}}, "open steps"),
    ],
)  # fmt: skip
def test_what_did_not_happen_is_found(name: str, fields: Event, field: str) -> None:
    """After the second of four moves, and before the end."""
    play = play_of()
    names = [event["event"] for event in play.events()]
    for place in (_moved(play), len(names) - 2):
        with pytest.raises(ReplayDivergence) as caught:
            moot.replay(moot.Transcript(mixed(play, [(place, name, fields, {})])))
        assert caught.value.field in (field, "event"), place


def test_an_end_that_the_play_has_not_come_to_is_found() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in play_of().pairs():
        if event.get("seat") != "judge":
            log.line(played_part(line), event["meta"])
    with pytest.raises(ReplayDivergence) as caught:
        moot.replay(moot.Transcript(lines))
    assert (caught.value.field, caught.value.expected, caught.value.got) == ("event", "ended", "nothing")


@pytest.mark.parametrize("was", [True, False])
def test_a_replay_leaves_the_garbage_collector_as_it_was(was: bool) -> None:
    kept = gc.isenabled()
    (gc.enable if was else gc.disable)()
    try:
        with no_collection():
            assert not gc.isenabled()
        assert gc.isenabled() == was
    finally:
        (gc.enable if kept else gc.disable)()


def test_verification_counts_what_is_there() -> None:
    play = play_of()
    lines = list(play.lines())
    found = moot.verify(play)
    assert (found.events, found.ended, found.digest, found.unknown) == (len(lines), True, play.digest, 0)
    assert (found.dropped, found.head, found.signed) == (0, chain_of(lines[-1]).decode(), False)
    assert moot.verify(play, head=f" {found.head.upper()}\n") == found
    with pytest.raises(moot.TranscriptError, match=f"its head is {found.head}, and not {'0' * 32}"):
        moot.verify(play, head="0" * 32)
    last = len(lines) - 1
    strange = moot.verify(moot.Transcript(mixed(play, [(0, "sang", {}, {}), (last, "sang", {}, {})])))
    assert (strange.events, strange.unknown, strange.ended, strange.digest) == (len(lines) + 2, 2, True, play.digest)
    again = moot.verify(moot.Transcript(mixed(play, [(last, "resumed", {}, {})])))
    assert not again.ended and again.unknown == 0 and again.digest != play.digest
    assert not moot.verify(moot.Transcript(lines[:-1])).ended


def test_a_recording_gives_every_answer_once() -> None:
    tries = iter("xy")

    def late(request: moot.Request) -> moot.Move:
        return moot.Speech(text="" if next(tries, "y") == "x" else "at last")

    play = moot.run(
        moot.Debate(rounds=2),
        QUESTION,
        everywhere(DEBATE, speak, b=late, judge=moot.Bounded(reading, reads="1000*n")),
        seed=3,
    )
    recording = Recording(play)
    answers = [recording.next("0.1.0") for _ in range(3)]
    assert [each and each.reply["text"] for each in answers] == ["", "at last", None]
    requests = {event["request"] for event in play.events() if event.get("step") == "0.1.0" and "request" in event}
    assert {each.request for each in answers if each} == requests and len(requests) == 1
    verdict = recording.next("2")
    assert verdict is not None and (verdict.reply, verdict.history) == (FAIR.model_dump(mode="json"), False)
    (judged,) = (event for event in play.events() if event["event"] == "moved" and event["seat"] == "judge")
    assert verdict.reads == judged["reads"] > 0 and verdict.spent == judged["meta"].get("spent")
    assert recording.next("9") is None
    early = Recording(play, before="1.0.0", without=frozenset({"a"}))
    assert set(early.answers) == {"0.1.0"} and set(Recording(play, before="1.1.0").answers) == {
        "0.0.0",
        "0.1.0",
        "1.0.0",
    }
