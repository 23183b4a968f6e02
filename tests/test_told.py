"""Words of the protocol itself: shown to whom it says, charged, recorded, and found again by a replay."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest

import moot
from moot.protocols.engine.errors import ProtocolError, ReplayDivergence
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Speech, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing import check_protocol
from moot.testing.golden import puppet
from moot.transcripts.display.scenes import scenes
from moot.transcripts.replay import Replay, replay
from moot.transcripts.transcript import Transcript, load

QUESTION = Question("Who sank the fleet?", choices=("a storm", "the admiral"))


class Told(moot.Protocol):
    """Two debaters, told apart; the judge is told a placebo."""

    name: ClassVar[str] = "told-for-tests"
    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    placebo: str = "No verification was made."
    seat: str = "a"

    def roles(self, question: Question) -> dict[str, str]:
        return {self.seat: "debater", "b": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        await floor.tell(Speech(text=f"You are {self.seat}."), to=(self.seat,))

        async def speak(seat: str) -> None:
            await floor.ask(seat, Speech)
            await floor.tell(Speech(text=f"{seat} has spoken."))

        await floor.parallel(speak(self.seat), speak("b"), seats=(self.seat, "b"))
        await floor.tell(Speech(text=self.placebo), to=("judge",))
        return moot.Decided(await floor.ask("judge", Verdict), step=floor.step)


def played(**options: Any) -> tuple[Transcript, dict[str, list[tuple[str, str]]]]:
    seen: dict[str, list[tuple[str, str]]] = {}

    def agent(request: Request) -> Any:
        seen[request.seat] = [(entry.seat, entry.move.content()) for entry in request.view]
        return puppet(request)

    return moot.run(Told(), QUESTION, dict.fromkeys(("a", "b", "judge"), agent), seed=1, **options), seen


def test_it_is_shown_to_whom_it_is_told_and_to_nobody_else() -> None:
    _, seen = played()
    assert seen["a"] == [("protocol", "You are a.")] and seen["b"] == []
    assert [said for who, said in seen["judge"] if who == "protocol"] == [
        "a has spoken.", "b has spoken.", "No verification was made."
    ]  # fmt: skip


def test_reading_it_is_charged() -> None:
    _, seen = played()
    spent = sum(len(said) for _, said in seen["judge"])
    assert played(bounds={"judge": {"reads": spent}})[0].outcome.kind == "decided"  # type: ignore[union-attr]
    short, _ = played(bounds={"judge": {"reads": spent - 1}})
    assert short.outcome is not None and short.outcome.kind == "exhausted"


def test_it_is_recorded_and_replays(tmp_path: Path) -> None:
    play, _ = played(out=tmp_path / "d.jsonl")
    told = [event for event in load(tmp_path / "d.jsonl").events() if event["event"] == "told"]
    assert [(event["move"]["text"], event["to"]) for event in told] == [
        ("You are a.", ["a"]), ("a has spoken.", None), ("b has spoken.", None), ("No verification was made.", ["judge"])
    ]  # fmt: skip
    assert replay(play).requests_compared
    with pytest.raises(ReplayDivergence, match="request"):
        replay(play, Told(placebo="Something else."))
    (said,) = [scene for scene in scenes(play) if scene.extra == "to judge"]
    assert (said.seat, said.pieces[0].text) == ("protocol", "No verification was made.")


@pytest.mark.parametrize("kept", range(1, 8))
def test_a_play_that_broke_off_goes_on_and_tells_nothing_twice(tmp_path: Path, kept: int) -> None:
    whole, _ = played(out=tmp_path / "d.jsonl")
    lines = (tmp_path / "d.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "cut.jsonl").write_bytes(b"".join(lines[:kept]))
    again = moot.resume(tmp_path / "cut.jsonl", dict.fromkeys(("a", "b", "judge"), puppet))
    assert again.digest == whole.digest
    steps = [event["step"] for event in again.events() if event["event"] == "told"]
    assert sorted(steps) == sorted(event["step"] for event in whole.events() if event["event"] == "told")
    assert not Replay(again).unwritten


@pytest.mark.parametrize("examples", [10, pytest.param(50, marks=pytest.mark.long)])
def test_laws_hold_of_a_protocol_that_tells(examples: int) -> None:
    check_protocol(Told(), examples=examples)


def test_nobody_may_pass_for_the_protocol() -> None:
    with pytest.raises(ProtocolError, match="rename it"):
        Game(Told(seat="protocol"), QUESTION).start()


def test_it_is_told_to_seats_that_there_are() -> None:
    class Nowhere(Told):
        name: ClassVar[str] = "told-to-nobody"

        async def play(self, floor: Floor, question: Question) -> moot.Decided:
            await floor.tell(Speech(text="hear"), to=("jury",))
            raise AssertionError

    with pytest.raises(ProtocolError, match="names seat 'jury'"):
        Game(Nowhere(), QUESTION).start()
