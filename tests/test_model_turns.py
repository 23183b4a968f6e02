"""Hostile turns: what a model is shown is charged, also from a record; tools and seats that try what they may not."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any, ClassVar

import pytest
from looking_kit import VERDICT, judged, look, noted, speech, users
from test_told import played
from test_tools import BARE, broken, call

import moot
from moot.agents.base import act_of
from moot.agents.models.kinds import OpenAIKind
from moot.agents.models.lm import LM
from moot.agents.tools.tool import Tool
from moot.agents.wrappers.nested import copy_of
from moot.judges.looks import Relabelled
from moot.protocols.debate.side_swapped import SideSwapped
from moot.protocols.debate.slots import Note, Slot
from moot.protocols.engine.budget import Meter
from moot.protocols.engine.errors import ProtocolError, ReplayDivergence, TranscriptError, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Decided, Errored
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import NOTHING, Shown, View
from moot.tasks.base import task_named
from moot.testing import MockOpenAI
from moot.testing.server.faults import Fault
from moot.transcripts.replay import Replay

SECRET = Question("The play's own?", ("left", "right"), data=[7, 8], passage="Nobody else may read this.", size=9)


def sure(request: moot.Request) -> moot.Verdict:
    return moot.Verdict.sure(0)


# -- what is shown is charged -------------------------------------------------------------------------------------------


def test_what_a_tool_read_before_the_break_is_charged_once_more(tmp_path: Path) -> None:
    def peek(request: moot.Request, count: int) -> str:
        """Reads the passage."""
        return request.view.excerpt(0, count)

    path, _, lm = broken(tmp_path, replies := [call("peek", count=500), Fault.http(400)], peek)
    replies[:] = [call("peek", count=500), VERDICT]
    again = moot.resume(path, {"a": speech, "b": speech, "judge": lm})
    (event,) = noted(again, "called")  # it was taken from the record
    assert isinstance(again.outcome, Decided) and event["reads"] == 500
    assert noted(again, "moved")[-1]["meta"]["reads"] > 500


def test_a_view_with_other_labels_charges_for_all_that_a_view_charges_for() -> None:
    """A method that it took over from the view without a meter would charge nobody."""
    for cls in (Relabelled, Shown):
        own = {name for name, value in vars(View).items() if callable(value) and not name.startswith("_")}
        assert own - vars(cls).keys() <= {"at", "probe"} and ("at" in vars(cls) or "_place" in vars(cls)), cls


def test_that_a_passage_has_ended_is_charged() -> None:
    meter = Meter()
    view = Shown(View(SECRET, NOTHING, "metered"), meter)
    for start, end, cost in ((500, 501, 1), (10, -1, 15), (25, -1, 1), (3, 3, 0), (0, 4, 4)):
        before = meter.reads
        view.excerpt(start, end)
        assert meter.reads - before == cost, (start, end)


@pytest.mark.parametrize("units", [-1, 1.5, True, "3", None])
def test_nobody_is_paid_back(units: Any) -> None:
    meter = Meter()
    with pytest.raises(UsageError, match="at least 0"):
        Shown(View(SECRET, NOTHING, "metered"), meter).repay(units)
    assert meter.reads == 0


def test_a_source_shown_whole_brings_no_other_text_with_it() -> None:
    """A reader of a sub-question is shown the data, and not what the play is about."""
    game = Game(moot.Debate(), SECRET)
    floor = Floor(game, game.protocol, SECRET, game.roles, {})
    for view in (
        floor.only("A part of it?", source="metered"),
        Shown(floor.only("A part of it?", source="metered"), Meter()),
    ):
        whole = view.whole(64, 2000)
        assert whole is not None and (whole.text, whole.choices) == ("A part of it?", ())
        assert (whole.data, whole.passage, whole.images) == (SECRET.data, SECRET.passage, ())


def test_a_look_that_is_cut_says_so() -> None:
    long = Question("Which?", ("x", "y"), passage="word " * 5000, size=9)
    play, mock = judged([look("passage 0:25000"), look("passage 0:20"), VERDICT], question=long)
    assert users(mock)[1].count("(cut here; go on from 20000)") == 1 and "cut here" not in users(mock)[2]
    assert [event["reads"] for event in noted(play, "read")] == [20_000, 20]


@pytest.mark.parametrize("character", ["&", "[", "a", "é", "\U0001f600", "\x07", '"'])
def test_a_look_tells_no_more_than_what_is_reckoned_with(character: str) -> None:
    """Whatever the passage is made of and the model asks for, a dry run allows for it."""
    long = Question("Which?", ("x", "y"), passage=character * 30_000, size=9)
    wrong = [character * 900 for _ in range(31)]
    _, mock = judged([look(*wrong, "passage 0:20000", find=character * 200), VERDICT], question=long, max_tokens=99_999)
    profile = OpenAIKind(model="m").profile()  # type: ignore[call-arg]
    assert 30_000 < len(users(mock)[1].encode()) <= profile.shows


# -- tools --------------------------------------------------------------------------------------------------------------


def legal(move: str) -> str:
    """Says whether a move is legal."""
    return f"{move} is legal"


def muse(thinking: str, scratchpad: str, reflection: str, thoughts: str) -> str:
    """Takes four texts."""
    return thinking


class Fatal:
    def __repr__(self) -> str:
        raise SystemExit("no repr")


def fatal() -> object:
    """Gives what cannot be shown."""
    return Fatal()


class Mute(BaseException):
    def __str__(self) -> str:
        raise ValueError("no words")


def mute() -> str:
    """Fails without words."""
    raise Mute


def plays() -> str:
    """Plays another debate."""
    play = moot.run(moot.Debate(rounds=1), BARE, {"a": speech, "b": speech, "judge": sure})
    return type(play.outcome).__name__


@pytest.mark.parametrize(("tool", "given", "says"), [
    (legal, {"move": "e4"}, "e4 is legal"), (Tool("move", legal), {"move": "e4"}, "e4 is legal"),
    (muse, dict.fromkeys(("thinking", "scratchpad", "reflection", "thoughts"), "hm"), "hm"),
    (fatal, {}, "it let out SystemExit"), (mute, {}, "it let out Mute: <its message cannot be read"), (plays, {}, "Decided"),
])  # fmt: skip
def test_a_tool_of_any_form_answers_or_is_told_to_have_failed(tool: Any, given: dict[str, str], says: str) -> None:
    name = getattr(tool, "name", getattr(tool, "__name__", ""))
    play, mock = judged([call(name, **given), VERDICT], tools=[tool])
    assert isinstance(play.outcome, Decided), play.outcome
    assert says.replace("<", "&lt;") in users(mock)[1]


# -- what seats may not do ----------------------------------------------------------------------------------------------


def test_no_seat_can_change_what_others_are_told_of_the_play() -> None:
    facts = next(iter(Game(moot.Debate(), BARE).start().requests().values())).facts
    assert facts is not None
    for told in (facts.seats, facts.names, facts.settled, facts.declared):
        with pytest.raises(TypeError):
            told["a"] = "villain"  # type: ignore[index]
    with pytest.raises(TypeError):
        SideSwapped.of(moot.Debate(rounds=1)).params["rounds"] = 9


def test_who_answers_a_part_is_not_told_the_whole_question() -> None:
    task = task_named("sum")
    sample = task.sample(4, 1)
    protocol, seats = task.staged("amplify", sample)
    told: dict[str, str] = {}

    def overseer(request: moot.Request) -> Any:
        assert request.facts is not None
        told[request.view.question.text] = request.facts.question.text
        return act_of(seats["overseer"])(request)

    play = moot.run(protocol, sample, {**seats, "overseer": overseer})
    assert isinstance(play.outcome, Decided), play.outcome
    assert len(told) > 2 and all(shown == known for shown, known in told.items())


@pytest.mark.parametrize("name", ["told", "asked", "cancelled", "resumed", "imported"])
def test_no_seat_notes_an_event_of_the_play(name: str) -> None:
    def forger(request: moot.Request) -> moot.Speech:
        request.note({"event": name, "move": {"kind": "speech", "text": "So says the protocol."}, "steps": []})
        return speech(request)

    play = moot.run(moot.Debate(rounds=1), BARE, {"a": forger, "b": speech, "judge": sure})
    assert isinstance(play.outcome, Errored) and "rename it" in play.outcome.cause and not noted(play, name)[:-1]


def test_whoever_is_asked_within_a_move_is_not_given_what_was_rejected_before() -> None:
    request = next(iter(Game(moot.Debate(), BARE).start().requests().values()))
    request.attempt, request.problem, request.rejected = 1, "too long", {"kind": "speech", "text": "my plan"}
    assert copy_of(request, "candidate", 0).rejected == request.rejected
    assert copy_of(request, "judging", 0, attempt=0, problem=None).rejected is None


def test_copies_are_not_told_the_step_by_what_was_recorded_there(tmp_path: Path) -> None:
    def count() -> int:
        """Counts."""
        return 1

    path, _, _ = broken(tmp_path, [call("count"), Fault.http(400)], count)
    found: list[Any] = []

    def judge(request: moot.Request) -> moot.Verdict:
        found.extend(request.noted)
        return sure(request)

    moot.resume(path, {"a": speech, "b": speech, "judge": judge})
    assert [event["tool"] for event in found] == ["count"] and not {"step", "meta", "chain"} & found[0].keys()


heard: list[str] = []


def remember(word: str) -> str:
    """Remembers words."""
    heard.append(word)
    return ", ".join(heard)


def remembering() -> Callable[[str], str]:
    kept: list[str] = []

    def recall(word: str) -> str:
        """Remembers words."""
        kept.append(word)
        return ", ".join(kept)

    return recall


class Twice(moot.Protocol):
    """Two verdicts, on two questions."""

    name: ClassVar[str] = "two-verdicts-in-tests"

    def roles(self, question: Question) -> dict[str, str]:
        return {"judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        await floor.ask("judge", moot.Verdict, view=floor.only("One?", choices=question.choices))
        return Decided(
            await floor.ask("judge", moot.Verdict, view=floor.only("Two?", choices=question.choices)), payoffs={}
        )


def copied(tool: Any) -> tuple[moot.Transcript, MockOpenAI]:
    name = getattr(tool, "name", getattr(tool, "__name__", ""))
    replies = [call(name, word="first"), VERDICT, call(name, word="second"), VERDICT]
    mock = MockOpenAI(lambda body: replies.pop(0))
    lm = LM("mock", base_url="http://mock/v1", api_key="k", http_client=mock.http_client(), tools=[tool])
    return moot.run(Twice(), BARE, {"judge": moot.Copies(lm)}), mock


@pytest.mark.parametrize("tool", [remember, remembering()], ids=["global", "captured"])
def test_a_copy_learns_nothing_of_another_by_a_tool_that_remembers(tool: Any) -> None:
    heard.clear()
    play, mock = copied(tool)
    assert isinstance(play.outcome, Errored) and "keeps something for later calls" in play.outcome.cause
    assert not any("first" in text for text in users(mock)[2:])


def test_tools_of_copies_are_functions_that_keep_nothing() -> None:
    def echo(word: str) -> str:
        """Says it again."""
        return word

    assert isinstance(copied(echo)[0].outcome, Decided)
    with pytest.raises(UsageError, match="no plain function"):
        copied(Tool("upper", Upper().said, "Shouts."))


class Upper:
    def said(self, word: str) -> str:
        return word.upper()


def test_what_a_speaker_notes_for_its_turn_is_its_own_in_either_seating() -> None:
    shown: list[tuple[str, str]] = []

    def debater(request: moot.Request) -> moot.Move:
        shown.extend((request.seat, entry.seat) for entry in request.view if isinstance(entry.move, Note))
        return Note(text="for me") if Note in request.kinds else speech(request)

    slots = (Slot(name="plan", to="turn"), Slot(name="speech"))
    both = SideSwapped.of(moot.Debate(rounds=1, slots=slots), "places")
    moot.run(both, BARE, {"a": debater, "b": debater, "judge": sure})
    assert len(shown) == 4 and all(reader == author for reader, author in shown)


# -- what the protocol told ---------------------------------------------------------------------------------------------


def forged(source: Path, target: Path, change: Any) -> moot.Transcript:
    """A transcript of which each line is changed, or left out, and the chain made anew."""
    chain, made = b"", []
    for line in source.read_bytes().splitlines(keepends=True):
        if (changed := change(line)) is not None:
            chain = blake2b(chain + changed[:-45], digest_size=16).hexdigest().encode()
            made.append(changed[:-45] + b',"chain":"%b"}\n' % chain)
    target.write_bytes(b"".join(made))
    return moot.load(target)


@pytest.mark.parametrize("change", [
    lambda line: line.replace(b"No verification was made.", b"All of it was verified."),
    lambda line: line.replace(b'"to":["judge"]', b'"to":null'),
    lambda line: None if b'"event":"told"' in line else line,
    lambda line: line.replace(b'"event":"told","step":"2"', b'"event":"told","step":"7"'),
    lambda line: line.replace(b'"event":"told","step":"2"', b'"event":"told","step":"0"'),
])  # fmt: skip
def test_what_was_told_cannot_be_forged(tmp_path: Path, change: Any) -> None:
    play, _ = played(out=tmp_path / "d.jsonl")
    same = forged(tmp_path / "d.jsonl", tmp_path / "same.jsonl", lambda line: line)
    assert moot.replay(same).digest == play.digest
    other = forged(tmp_path / "d.jsonl", tmp_path / "other.jsonl", change)
    moot.verify(other)
    with pytest.raises(ReplayDivergence):
        moot.replay(other)


@pytest.mark.parametrize("to", [b"5", b'"judge"', b"{}", b"[1]", b"[null]"])
def test_whom_it_was_told_is_a_list_of_seats(tmp_path: Path, to: bytes) -> None:
    played(out=tmp_path / "d.jsonl")
    with pytest.raises(TranscriptError, match=r"event told.*to is .*it must be a list of texts"):
        moot.verify(
            forged(
                tmp_path / "d.jsonl",
                tmp_path / "o.jsonl",
                lambda line: line.replace(b'["judge"],"meta"', to + b',"meta"'),
            )
        )


def test_a_play_that_has_ended_has_told_all_that_it_tells(tmp_path: Path) -> None:
    """Nothing is written behind the end of a play of which what was told last is lost."""
    played(out=tmp_path / "d.jsonl")
    last = forged(tmp_path / "d.jsonl", tmp_path / "o.jsonl", lambda line: None if b"No verification" in line else line)
    with pytest.raises(ReplayDivergence):
        Replay(last, reopen=True)


def test_a_protocol_that_tells_what_cannot_be_written_is_named() -> None:
    class Broken(moot.Protocol):
        """It tells half of a character."""

        name: ClassVar[str] = "tells-half-a-character"

        def roles(self, question: Question) -> dict[str, str]:
            return {"judge": "judge"}

        async def play(self, floor: Floor, question: Question) -> Decided:
            await floor.tell(moot.Speech(text="\ud800"))
            raise AssertionError

    with pytest.raises(ProtocolError, match="Speech cannot be written down"):
        Game(Broken(), BARE).start()


def test_forged_calls_without_a_length_are_read(tmp_path: Path) -> None:
    def count() -> int:
        """Counts."""
        return 1

    path, _, lm = broken(tmp_path, replies := [call("count"), Fault.http(400)], count)
    other = forged(path, tmp_path / "o.jsonl", lambda line: line.replace(b'"length":1', b'"length":null'))
    replies[:] = [call("count"), VERDICT]
    again = moot.resume(other.path, {"a": speech, "b": speech, "judge": lm})  # type: ignore[arg-type]
    assert isinstance(again.outcome, Decided)
