"""What a seat was shown where that is not simply what was said: it is on the record, and `moot show --asked` prints it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cli_calls import refused, said

import moot
from moot.protocols.engine.moves import Speech, Verdict
from moot.protocols.engine.view import Entry
from moot.testing.golden import puppet
from moot.transcripts.replay import replay

QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"), data=[1, 2, 3])


class Doubled(moot.Protocol):
    """The judge is shown a query that was wrapped twice, then a placebo, then other data, then what everybody sees."""

    name: ClassVar[str] = "doubled-for-tests"

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "judge": "judge"}

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", Speech)
        await floor.ask("judge", Verdict)
        entry = floor.said()[0]
        wrapped = Speech(text="Is it said that it is said?")
        await floor.ask("judge", Verdict, view=floor.only("It is said?", entry, choices=question.choices))
        await floor.ask("judge", Verdict, view=floor.said().then(Entry("0", "a", wrapped)))
        other = floor.only(question.text, choices=question.choices, source="metered", data=[9])
        await floor.ask("judge", Verdict, view=other)
        await floor.ask("judge", Verdict, view=floor.said(source="metered"))
        return moot.Decided(await floor.ask("judge", Verdict))


def test_what_differs_is_on_the_record_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    play = moot.run(Doubled(), QUESTION, {"a": puppet, "judge": puppet}, seed=1, out=path)
    shown = {event["step"]: event for event in play.events() if event["event"] == "shown"}
    assert list(shown) == ["2", "3", "4"]
    assert shown["2"]["question"] == "It is said?" and shown["2"]["statements"] == [{"step": "0"}]
    assert shown["3"]["first"] == 3 and shown["3"]["statements"] == [
        {"step": "0", "seat": "a", "move": {"kind": "speech", "text": "Is it said that it is said?", "quotes": []}}
    ]
    assert shown["4"]["data"] == [9] and shown["4"]["statements"] == []
    assert replay(play).requests_compared
    told = said("show", str(path), "--asked", "3")
    assert "Is it said that it is said?" in told and "3 statements" in told
    assert "It is said?" in said("show", str(path), "--asked", "2")
    found = json.loads(said("show", str(path), "--asked", "2", "--json"))
    assert found["prompts"] == [] and found["shown"]["statements"][0]["move"]["kind"] == "speech"
    assert "no prompt was recorded" in refused("show", str(path), "--asked", "1")


def test_without_it_the_record_replays_as_before(tmp_path: Path) -> None:
    from moot.transcripts.events import EventLog, played_part
    from moot.transcripts.transcript import Transcript

    play = moot.run(Doubled(), QUESTION, {"a": puppet, "judge": puppet}, seed=1)
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in play.pairs():
        if event["event"] != "shown":
            log.line(played_part(line))
    assert replay(Transcript(lines)).digest == play.digest


def test_what_is_long_is_kept_by_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moot.protocols.engine.values.evidence.LARGEST", 10)
    monkeypatch.setattr("moot.protocols.engine.values.evidence.MOST", 2)
    play = moot.run(Doubled(), QUESTION, {"a": puppet, "judge": puppet}, seed=1)
    shown = {event["step"]: event for event in play.events() if event["event"] == "shown"}
    assert shown["3"]["statements"] == [{"step": "0", "seat": "a"}] and shown["4"]["data"] == {"characters": 3}


@pytest.mark.parametrize("protocol", [
    moot.Debate(rounds=2, questions=True), moot.OpenDebate(order="sequential"), moot.InteractiveDebate(examiner=True),
    moot.SideSwapped(), moot.Debate(repeat=(moot.Speeches(), moot.Feedback()), judge_source="metered"),
], ids=lambda protocol: protocol.name)  # fmt: skip
def test_an_ordinary_play_has_none(protocol: Any) -> None:
    seats = dict.fromkeys(protocol.roles(QUESTION), puppet)
    assert not [event for event in moot.run(protocol, QUESTION, seats).events() if event["event"] == "shown"]


def test_nobody_may_note_it() -> None:
    def noting(request: moot.Request) -> moot.Move:
        request.note({"event": "shown", "first": 0, "statements": []})
        return puppet(request)

    play = moot.run(moot.DirectQA(), QUESTION, {"judge": noting})
    assert isinstance(play.outcome, moot.Errored) and "which the play itself records" in play.outcome.cause


def test_a_market_is_shown_the_statements_until_then() -> None:
    protocol = moot.Debate(rounds=1, closing=(moot.MarketPrices(),))
    play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), puppet))
    shown = [[each["step"] for each in event["statements"]] for event in play.events() if event["event"] == "shown"]
    assert shown == [[], ["0.0.0"], ["0.0.0", "0.1.0"]]
