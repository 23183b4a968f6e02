"""What lines leave out, readers give back: to the field, in its order and type, whoever wrote and whatever is in the file."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

import moot
from moot.agents.money.bill import bill_of
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI
from moot.transcripts.events import LONGEST, PLAYED, EventLog, event_body
from moot.transcripts.exporters.json_tree import Json
from moot.transcripts.once import Once
from moot.transcripts.transcript import Transcript
from moot.transcripts.wellformed import Reader

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"))
STARTED = {
    "format": "moot-transcript", "version": 2, "protocol": {"name": "debate", "params": {}}, "seed": 0,
    "question": QUESTION.model_dump(mode="json", exclude_defaults=True), "roles": {"a": "debater", "b": "debater"},
}  # fmt: skip
AT = "2026-11-30T10:17:00.049+00:00"
VALUES = [0, 1, False, True, 0.0, -0.0, 1.0, None, "", "1", [], [1], [True], {"x": 1}, {"x": 1.0}, 1 << 70]
ALIKE = st.sampled_from(VALUES)
FIELDS = st.dictionaries(st.sampled_from(["attempt", "model", "ok", "cost", "text"]), ALIKE)
ODD = [
    AT, "2026-11-30T10:17:00.0491+00:00", "2026-11-30T10:17:00,049+00:00", "2026-11-30T10:17:00.049+01:00", "2026-11-30",
    "2026-11-30T10:17:00.049Z", "2026-11-30 10:17:00.049+00:00", "2026-W48-1T10:17:00.049+00:00", "2026-11-30T24:00:00.000+00:00",
    "2026-11-30T10:17:00.04\u0669+00:00", "2026-13-30T10:17:00.049+00:00", "soon", "", 5, None, True, ["x"],
]  # fmt: skip
TIMES = st.one_of(
    st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30)).map(lambda at: at.replace(tzinfo=UTC).isoformat(timespec="milliseconds")),
    st.sampled_from(ODD), st.integers(0, 999).map(lambda ms: f"{AT[:20]}{ms:03d}+00:00"),
    st.text("0123456789+:.\u0669", max_size=10).map(AT[:20].__add__),
)  # fmt: skip
METAS = st.dictionaries(st.sampled_from(["at", "x", "seats"]), st.none(), max_size=3).flatmap(
    lambda keys: st.fixed_dictionaries({key: {"at": TIMES, "x": ALIKE, "seats": st.dictionaries(st.sampled_from("abc"), ALIKE)}[key] for key in keys})
)  # fmt: skip
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["asked", "attempted", "answered", "resumed", "ended", "mine"]),
        st.sampled_from("ab"),
        FIELDS,
        METAS,
    ),
    max_size=8,
)


Events = list[tuple[str, dict[str, Any], dict[str, Any]]]


def read(lines: list[bytes]) -> list[dict[str, Any]]:
    return [event for _, event in Reader("it", check=False).read(iter(lines))]


def as_it_was(lines: list[bytes], events: Events) -> None:
    """What is read of the lines is what the log was told, key by key in the same order and type."""
    for (name, fields, meta), event in zip(events, read(lines), strict=True):
        assert (event.pop("event"), len(event.pop("chain"))) == (name, 32)
        assert to_json(event) == to_json({**fields, "meta": meta})


@given(TIMES, EVENTS)
def test_whatever_is_logged_is_read_back_to_the_letter(at: Any, told: list[Any]) -> None:
    events = [("started", STARTED, {"at": at, "seats": {"a": {"n": 1}, "b": {"n": True}, "judge": {"n": 1}}})]
    events += [(name, {"step": "0", "seat": seat, **fields}, meta) for name, seat, fields, meta in told]
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for event in events:
        log.event(*event)
    as_it_was(lines, events)


@pytest.mark.parametrize("at", ODD, ids=repr)
def test_a_time_of_another_form_is_written_as_it_is(at: Any) -> None:
    for first, second in ((AT, at), (at, AT)):
        events: Events = [("started", STARTED, {"at": first})]
        events += [("asked", {"step": "0", "seat": "a"}, {"at": at, "x": 1}) for at in (first, second)]
        log = EventLog((lines := list[bytes]()).append)
        for event in events:
            log.event(*event)
        as_it_was(lines, events)
        assert (b'"after":0,"x"' in lines[2]) == (first == second == AT)


def test_a_play_may_go_on_days_later_or_by_a_clock_that_was_set_back() -> None:
    events: Events = [("started", STARTED, {"at": AT})]
    events += [
        ("asked", {"step": "0", "seat": "a"}, {"at": at})
        for at in ("2027-01-02T00:00:00.000+00:00", "2026-11-29T23:59:59.999+00:00")
    ]
    log = EventLog((lines := list[bytes]()).append)
    for event in events:
        log.event(*event)
    as_it_was(lines, events)
    assert [json.loads(line)["meta"]["after"] for line in lines[1:]] == [2_814_179_951, -37_020_050]


def test_descriptions_are_the_same_only_in_the_same_bytes() -> None:
    seats = {"a": {"n": 1}, "b": {"n": True}, "judge": {"n": 1}, "c": {"n": 1.0}}
    lines: list[bytes] = []
    EventLog(lines.append).event("started", STARTED, {"seats": seats})
    assert json.loads(lines[0])["meta"]["seats"] == {"a": {"n": 1}, "b": {"n": True}, "judge": "a", "c": {"n": 1.0}}
    as_it_was(lines, [("started", STARTED, {"seats": seats})])
    for old in (
        {"a": "Program", "b": "a"},
        {"a": "b", "b": "a"},
        {"a": "a"},
        {"a": {}, "b": "nobody"},
        {"a": {}, "b": 3},
    ):
        lines.clear()
        EventLog(lines.append).line(event_body("started", STARTED), {"seats": old})
        assert read(lines)[0]["meta"]["seats"] == old  # words of an old file that name nobody are left


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Transcript:
    """A debate between models, one call of which fails, and is made again."""
    out = tmp_path_factory.mktemp("once") / "d.jsonl"
    mock = MockOpenAI(script=[Fault.http(500)])
    lm = moot.LM(
        "mock", base_url="http://mock/v1", api_key="none", http_client=mock.http_client(), prices=(1, 2), backoff=0
    )
    return moot.run(moot.Debate(rounds=3), QUESTION, {"a": lm, "b": lm, "judge": lm}, out=out)


def whole_lines(transcript: Transcript) -> list[bytes]:
    """The same play as it was recorded before anything was left out."""
    log, asked = EventLog((lines := list[bytes]()).append), dict[str, str]()
    for event in transcript.events():
        if event["event"] in ("moved", "rejected"):
            asked.setdefault(event["step"], event["request"])
    for event in transcript.events():
        own = {key: each for key, each in event.items() if key not in ("event", "meta", "chain")}
        own |= {"request": asked[event["step"]]} if event["event"] == "asked" else {}
        log.line(event_body(event["event"], own), event["meta"])
    return lines


BILLED = ("seat", "model", "attempts", "tokens", "cost", "untold", "unknown")


def told(event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: each for key, each in event.items() if key != "chain" and (key != "request" or event["event"] != "asked")
    }


def test_a_short_log_says_all_that_a_long_one_says(live: Transcript) -> None:
    """Attempts, usage, cost, seconds, model, prompt, who sat where and when: nothing differs but the request of `asked`."""
    old = Transcript(whole_lines(live), live.path)
    said, was = (list(map(told, each.events())) for each in (live, old))
    assert [to_json(event) for event in said] == [to_json(event) for event in was]
    bills = [[tuple(getattr(line, name) for name in BILLED) for line in bill_of(each.events())] for each in (live, old)]
    assert bills[0] == bills[1] and len(bills[0]) == 3 and live.ledger == old.ledger
    assert (live.digest, live.seats, live.question, live.outcome) == (old.digest, old.seats, old.question, old.outcome)
    assert list(live.steps()) == list(old.steps()) and Json().tree(live.tree) == Json().tree(old.tree)
    assert moot.replay(live) and moot.replay(old) and moot.verify(old).digest == moot.verify(live).digest
    tried = [event for event in live.events() if event["event"] == "attempted"]
    assert {event["ok"] for event in tried} == {True, False} and sum(
        b'"same":true' in line for line in live.lines()
    ) >= 3
    assert all({"model", "template", "prompt", "status", "error", "seconds"} <= event.keys() for event in tried)


def test_what_a_line_leaves_out_is_nothing_of_the_play(live: Transcript) -> None:
    for line, old in zip(live.lines(), whole_lines(live), strict=True):
        event = json.loads(line)
        if event["event"] in PLAYED:
            assert line.split(b',"meta":')[0] == old.split(b',"meta":')[0]


def test_a_further_call_costs_so_many_bytes(tmp_path: Path) -> None:
    """The law of growth: what is beside the play, the words and the chain, for each call of a longer debate."""
    mock = MockOpenAI()
    lm = moot.LM("mock", base_url="http://mock/v1", api_key="none", http_client=mock.http_client())

    def beside(rounds: int) -> int:
        play = moot.run(
            moot.Debate(rounds=rounds),
            QUESTION,
            {"a": lm, "b": lm, "judge": lambda r: moot.Verdict(probabilities=(0.5, 0.5))},
            out=tmp_path / f"{rounds}.jsonl",
        )
        return sum(
            len(line) for line in play.lines() if line.startswith((b'{"event":"asked"', b'{"event":"attempted"'))
        )

    assert (beside(6) - beside(2)) / 8 <= 385  # it was 548


def test_taken_up_again_it_goes_on_from_the_same_beginning(tmp_path: Path, live: Transcript) -> None:
    """Of a file cut anywhere, with old lines or new ones in it; the clock of the first event is still the one that counts."""
    mock = MockOpenAI()
    lm = moot.LM("mock", base_url="http://mock/v1", api_key="none", http_client=mock.http_client(), backoff=0)
    for name, lines in (("new", list(live.lines())), ("old", whole_lines(live))):
        half = next(n for n, line in enumerate(lines) if line.startswith(b'{"event":"attempted","step":"1.0'))
        (out := tmp_path / f"{name}.jsonl").write_bytes(b"".join(lines[: half + 1]))
        before = list(moot.load(out).events())
        again = moot.resume(out, {"a": lm, "b": lm, "judge": lm})
        events = list(again.events())
        assert events[: len(before)] == before and again.outcome is not None
        times = [datetime.fromisoformat(event["meta"]["at"]) for event in events if "at" in event["meta"]]
        assert all(one <= two for one, two in pairwise(times)) and len(times) > 10
        assert all("after" not in event["meta"] and "same" not in event["meta"] for event in events)
        late = [json.loads(line) for line in list(again.lines())[half + 1 :]]
        assert any("after" in event["meta"] for event in late) and not any("at" in event["meta"] for event in late)


@pytest.mark.parametrize(("name", "meta", "words"), [
    ("attempted", {"same": True}, "meta.same"), ("attempted", {"same": 1}, "meta.same"), ("attempted", {"same": None}, "meta.same"),
    ("asked", {"after": True}, "meta.after"), ("asked", {"after": 1.5}, "meta.after"), ("asked", {"after": "5"}, "meta.after"),
    ("asked", {"after": None}, "meta.after"), ("asked", {"after": 1 << 63}, "meta.after"), ("asked", {"after": -(1 << 200)}, "meta.after"),
    ("asked", {"after": 10**15}, "meta.after"), ("cancelled", {"after": []}, "meta.after"), ("resumed", {"after": {}}, "meta.after"),
])  # fmt: skip
@pytest.mark.parametrize("at", [{"at": AT}, {}])
def test_a_line_that_stands_for_nothing_is_an_error_that_names_it(
    name: str, meta: dict[str, Any], words: str, at: dict[str, Any]
) -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    log.event("started", STARTED, at)
    log.line(event_body(name, {"step": "0", "seat": "a", "steps": []}), meta)
    for written in (False, True):
        with pytest.raises(moot.TranscriptError, match=rf"line 2 \(event {name}.*{words}"):
            list(Transcript(list(lines), written=written).events())


def test_a_time_after_no_beginning_is_an_error() -> None:
    EventLog((lines := list[bytes]()).append).event("started", STARTED, {"at": "soon"})
    EventLog(lines.append).line(event_body("asked", {"step": "0", "seat": "a"}), {"after": 5})
    with pytest.raises(moot.TranscriptError, match="line 2 .*first event"):
        read(lines)


def test_what_a_reader_does_to_an_event_changes_no_later_one() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    log.event("started", STARTED, {"at": AT, "seats": {"a": {"model": "m"}, "b": {"model": "m"}}})
    for _ in range(2):
        log.event("attempted", {"step": "0", "seat": "a", "model": "m", "more": {"x": 1}}, {"at": AT})
    seen = []
    for _, event in Reader("it", check=False).read(iter(lines)):
        seen.append(json.loads(to_json(event)))
        event.get("more", {}).clear()
        event["meta"].get("seats", {}).get("a", {}).clear()
        assert event["meta"].get("seats", {}).get("b") != {}
        event |= {"model": "another", "seat": "b"}
    assert [each.get("model") for each in seen[1:]] == ["m", "m"] and seen[2]["more"] == {"x": 1}


def test_attempts_of_one_seat_stand_for_none_of_another() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    log.event("started", STARTED, {})
    for seat, model in (("a", "m"), ("b", "n"), ("a", "m"), ("b", "n"), ("a", "n")):
        log.event("attempted", {"step": "0", "seat": seat, "model": model, "ok": True}, {"at": AT})
    assert [event["model"] for event in read(lines)[1:]] == ["m", "n", "m", "n", "n"]
    assert [b'"model"' in line for line in lines[1:]] == [True, True, False, False, True]


def test_the_writer_holds_one_attempt_a_seat() -> None:
    once = Once(AT)
    for number in range(1000):
        fields = {"step": str(number), "seat": "ab"[number % 2]}
        once.short("attempted", fields, {"at": AT})
        once.wrote(fields)
        once.short("answered", {"step": str(number), "seat": "a", "text": "x"}, {"at": AT})
    assert len(once._last) == 2


@pytest.mark.parametrize("first", VALUES, ids=repr)
def test_equal_values_of_other_bytes_do_not_stand_for_each_other(first: Any) -> None:
    events: Events = [("started", STARTED, {})]
    for second in VALUES:
        events += [
            ("attempted", {"step": "0", "seat": "a", "ok": True, "cost": each}, {"x": 1}) for each in (first, second)
        ]
    log = EventLog((lines := list[bytes]()).append)
    for event in events:
        log.event(*event)
    as_it_was(lines, events)


def test_fields_in_another_order_are_written_again() -> None:
    events: Events = [("started", STARTED, {})]
    for keys in ("ok cost", "cost ok", "cost", "cost ok model", "cost ok model"):
        events.append(("attempted", {"step": "0", "seat": "a", **dict.fromkeys(keys.split(), 1)}, {"x": 1}))
    log = EventLog((lines := list[bytes]()).append)
    for event in events:
        log.event(*event)
    as_it_was(lines, events)
    assert [b'"same"' in line for line in lines] == [False, False, False, False, False, True]


@pytest.mark.parametrize("same", [False, None, 1, "true", [True]])
def test_a_mark_that_is_not_true_is_none(same: Any) -> None:
    log = EventLog((lines := list[bytes]()).append)
    log.event("started", STARTED, {})
    for meta in ({"x": 1}, {"same": same}):
        log.line(event_body("attempted", {"step": "0", "seat": "a"}), meta)
    with pytest.raises(moot.TranscriptError, match="line 3 .*meta.same"):
        read(lines)


def test_an_attempt_that_could_not_be_written_stands_for_nothing() -> None:
    """A note that is too long is refused, and whoever wrote it may go on."""
    log = EventLog((lines := list[bytes]()).append)
    log.event("started", STARTED, {})
    kept: Events = []
    for model, text in (("one", "x"), ("two", "x" * LONGEST), ("two", "x"), ("two", "y")):
        fields = {"step": "0", "seat": "a", "model": model, "text": text}
        if len(text) > 1:
            with pytest.raises(moot.TranscriptError, match="say less at once"):
                log.event("attempted", fields, {"at": AT})
        else:
            log.event("attempted", fields, {"at": AT})
            kept.append(("attempted", fields, {"at": AT}))
    as_it_was(lines, [("started", STARTED, {}), *kept])


def test_an_attempt_without_any_meta_is_one_as_well() -> None:
    events: Events = [("started", STARTED, {})]
    for model, meta in (("one", {"x": 1}), ("two", {}), ("one", {"x": 1})):
        events.append(("attempted", {"step": "0", "seat": "a", "model": model, "ok": True}, meta))
    log = EventLog((lines := list[bytes]()).append)
    for event in events:
        log.event(*event)
    as_it_was(lines, events)


def test_of_an_attempt_with_many_fields_nothing_is_left_out() -> None:
    for many, left in ((62, True), (63, False)):
        fields = {"step": "0", "seat": "a", **{f"f{n}": n for n in range(many)}}
        events: Events = [("started", STARTED, {}), *[("attempted", fields, {"x": 1})] * 3]
        log = EventLog((lines := list[bytes]()).append)
        for event in events:
            log.event(*event)
        as_it_was(lines, events)
        assert [b'"same"' in line for line in lines] == [False, False, left, left]


def test_a_short_line_never_stands_for_much() -> None:
    """A file may be anybody's: what it makes of a reader's memory is in proportion to its size."""
    log = EventLog((lines := list[bytes]()).append)
    log.event("started", STARTED, {})
    log.line(event_body("attempted", {"step": "0", "seat": "a", **{f"f{n}": n for n in range(63)}}), {})
    log.line(event_body("attempted", {"step": "0", "seat": "a"}), {"same": True})
    with pytest.raises(moot.TranscriptError, match="line 3 .*at most 64 fields"):
        read(lines)
    lines.clear()
    long = {"a": {"model": "x" * 99_000}, **{f"s{n}": "a" for n in range(200)}}
    EventLog(lines.append).line(event_body("started", STARTED), {"seats": long})
    with pytest.raises(moot.TranscriptError, match="line 1 .*stand for more than 16,777,216 bytes"):
        read(lines)
    lines.clear()
    seats = {f"s{n}": {"model": "x" * 99_000} for n in range(200)}
    with pytest.raises(moot.TranscriptError, match="say less at once"):  # as it could not be read back
        EventLog(lines.append).event("started", STARTED, {"seats": seats})
