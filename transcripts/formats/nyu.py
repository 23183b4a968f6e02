"""Human debates of Michael et al. 2023 (arXiv 2311.08702) as transcripts.

A record's rules become a protocol (`nyu_rules`), and its rounds are played through the engine, so that every limit, order and
blindness holds or is reported. The record is kept, as more is in it (surveys, offline judgments).

Rule: the format and what it keeps; the platform's rules and texts stand in the files beside it.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from moot.agents.base import act_of
from moot.complexity.reward import continues, judge_reward
from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.errors import UsageError, first_problem
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.view import Request
from moot.transcripts.formats.importing import Format, Imported, Play, import_event, record_play
from moot.transcripts.formats.nyu_passage import Passage, speech_of, tokens_of
from moot.transcripts.formats.nyu_rules import Offline, Round, debater, protocol_of, read_record, round_of
from moot.transcripts.formats.records import Record, json_records, json_value, reason, refuse_constants
from moot.transcripts.replay import Replay, no_collection
from moot.transcripts.transcript import Transcript

SOURCE = "nyu-debate"
METADATA = "debates-metadata.jsonl"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NyuDebates(Format):
    """A folder with `debates/*.json` and `debates-metadata.jsonl`, a folder of such records, or one of them, whose metadata
    is looked for beside it and above."""

    name: ClassVar[str] = "nyu"
    about: ClassVar[str] = "human and model debates of Michael et al. 2023, one JSON file each"

    def __init__(self) -> None:
        self._metadata: dict[str, dict[str, Any]] = {}
        self._file = Path()  # that is being read

    def root(self, path: Path) -> Path:
        return path / "debates" if (path / "debates").is_dir() else path

    def records(self, file: Path) -> Iterator[Record | str]:
        self._file = file
        record = read_json(file.read_bytes())
        if not isinstance(record, dict):
            raise UsageError(f"it holds a {type(record).__name__}, not a record")
        yield Record(file.stem, record)

    def plays(self, record: Record) -> Iterable[Play]:
        raise UsageError("these records are played by their own rounds: import_debate(record, metadata)")

    def makers(self, record: Record) -> Iterator[tuple[str, Callable[[], Transcript]] | str]:
        yield record.name, partial(import_debate, record.value, self._metadata.get(record.name))

    def imports(self, path: Path, out: Path) -> Iterator[Imported]:
        return self._described(Path(path), super().imports(path, out))

    def _described(self, path: Path, imported: Iterator[Imported]) -> Iterator[Imported]:
        files = self.files(path)
        beside = files[0].parent
        places = (at / METADATA for at in (beside, beside.parent, path))
        described = next((place for place in places if place.is_file()), None)
        self._metadata, found = lines_of_metadata(described) if described else ({}, [])
        if found:
            yield Imported(METADATA, None, found)
        for each in imported:
            if each.path and described and self._file.stem not in self._metadata:
                each.problems.insert(0, f"{self._file}: no line of {METADATA} describes it")
            yield each
        for name in self._metadata if path.is_dir() else ():
            if all(file.stem != name for file in files):
                yield Imported(name, None, [f"{described}: describes {name!r}, and there is no {beside / name}.json"])


@no_collection()
def import_debate(record: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> Transcript:
    """One record, and its line of metadata where there is one, as a transcript in memory, the truth sealed. What breaks the
    record's own rules ends the play there, unfinished, and `problems` lists it. Raises UsageError, naming the place, on a
    record that cannot be read or whose rules no protocol holds to."""
    given = read_record(record)
    setup, protocol = given.setup, protocol_of(given.setup)
    (source,) = setup.sourceMaterial.values()
    passage = Passage.of(source.contents)
    question = Question(setup.question, choices=tuple(setup.answers), passage=passage.text)
    sample = Sample(question, setup.correctAnswerIndex)
    seats = {role: seat for seat, role in seats_of(protocol, question).items()}
    people = {seats[role]: {"agent": "human", "name": name} for role, name in setup.roles.items() if role in seats}

    def drive(game: Game, play: Transcript) -> dict[str, Any]:
        found = play_rounds(game, protocol, given.rounds, passage)
        vars(play).update(protocol=protocol, question=question, sample=sample)  # which it need not read again
        kept = {"source": SOURCE, "record": _with_contents(record, None), "contents": passage.recorded}
        if metadata is not None:
            kept["metadata"] = dict(metadata)
            found += _contradictions(_status(play, protocol, record), metadata)
        return {**kept, "problems": found}

    play = record_play(protocol, sample, {**clock(setup.creationTime), "seats": people}, drive)
    try:
        refuse_constants(deque(play.lines(), 1)[0][: -len(passage.text)])  # all but the tokens, in which they are words
    except ValueError as error:
        raise UsageError(f"the record holds what JSON in UTF-8 cannot: {error}") from None
    return play


def read_json(text: bytes) -> Any:
    """A record as JSON. Raises ValueError, as `json_value` does, that says where it ends to be one."""
    try:
        return from_json(text, allow_inf_nan=False, cache_strings="keys")
    except ValueError:
        return json_value(text)  # says what is wrong, and takes what is nested deeply


def export_debate(transcript: Transcript) -> dict[str, Any]:
    """The record that a transcript was imported from, the same to the last field. Raises UsageError when it was not
    imported."""
    imported = _import_of(transcript)
    return _with_contents(imported["record"], tokens_of(imported["contents"]))


def export_metadata(transcript: Transcript) -> dict[str, Any] | None:
    """The line of metadata that came with the record; None when none did. Raises UsageError like `export_debate`."""
    return cast("dict[str, Any] | None", _import_of(transcript).get("metadata"))


def offline_judgments(transcript: Transcript) -> list[OfflineJudgment]:
    """The beliefs of those who judged the debate after its end, by judge. Raises UsageError like `export_debate`."""
    held = (each.OfflineJudgments for each in read_record(export_debate(transcript)).rounds)
    return [offline_judgment(judge, given) for each in held if each for judge, given in each.judgments.items()]


class OfflineJudge:
    """A judge for `moot.rejudge` of a debate whose speakers have left: it hears what was said, and ends it with the
    last judgment that was asked for, because nobody would answer it.

        moot.rejudge(transcript, OfflineJudge(judge, transcript), stale=True)
    """

    def __init__(self, judge: Any, transcript: Transcript) -> None:
        self.judge, self._act = judge, act_of(judge)
        game = Replay(transcript).game
        asked = [step.step for step in transcript.steps() if step.seat == "judge"]
        asked += [step for step, waiting in game.open.items() if waiting.ask.seat == "judge"]
        game.close()
        self.last = asked[-1] if asked else None

    def __getattr__(self, name: str) -> Any:
        if name == "judge":
            raise AttributeError(name)
        return getattr(self.judge, name)

    def act(self, request: Request) -> Any:
        reply = self._act(request)
        return _ended(reply) if request.step == self.last else reply


async def _ended(reply: Any) -> Any:
    reply = await reply if inspect.isawaitable(reply) else reply
    if isinstance(reply, Verdict):
        return reply.model_copy(update={"end": True})
    return {**reply, "end": True} if isinstance(reply, Mapping) else reply


# -- the rounds of a record played through the engine --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OfflineJudgment:
    """What one judge believed who read the debate after its end: all at once ("timed") or step by step ("stepped")."""

    judge: str
    mode: str
    verdicts: tuple[Verdict, ...]


def seats_of(protocol: Debate, question: Question) -> dict[str, str]:
    """Seat to role as a record names it, the debaters by the answers that they defend."""
    if isinstance(protocol, Consultancy):
        return {"consultant": debater(protocol.answer), "judge": "Judge"}
    seats = [seat for seat, role in protocol.roles(question).items() if role == "debater"]
    return {**{seat: debater(index) for index, seat in enumerate(seats)}, "judge": "Judge"}


def _speakers(protocol: Debate, question: Question) -> dict[str, str]:
    """The answers that have a speaker, by index as a record writes it, and their seats."""
    roles = {debater(index): str(index) for index in range(len(question.choices))}
    return {roles[role]: seat for seat, role in seats_of(protocol, question).items() if seat != "judge"}


def _over(game: Game) -> bool:
    """Whether the debate itself has ended: by the judge, or with only the final verdict left to ask for."""
    return game.outcome is not None or any(waiting.ask.brief["task"] == "verdict" for waiting in game.open.values())


def play_rounds(game: Game, protocol: Debate, rounds: list[Round], passage: Passage) -> list[str]:
    """Play the rounds as far as the rules accept them. What was wrong, each with its place."""
    speakers = _speakers(protocol, game.question)
    found: list[str] = []
    parts = protocol.parts()
    for index, (name, held) in enumerate(each.case for each in rounds):
        place = f"rounds.{index}.{name}"
        if name == "OfflineJudgments":
            found += _bad_judgments(place, held.judgments)
            if not _over(game):
                found.append(f"{place}: the debate has not ended yet")
            continue
        part = None if _over(game) else next(parts)[0]
        if part is None or round_of(part) != name:
            rules = "the debate has ended before it" if part is None else f"the rules call for {round_of(part)} here"
            return [*found, f"{place}: {rules}"]
        for where, seat, move, at in _moves(place, name, held, speakers, passage, found):
            step = next((step for step, waiting in game.open.items() if waiting.ask.seat == seat), None)
            if step is None:
                return [*found, f"{where}: it is not for {seat} to speak here"]
            waiting = game.open[step]
            if not game.answer(step, move, meta=clock(at)):
                return [*found, f"{where}: {waiting.problem}"]
    return found


def _moves(
    place: str, name: str, held: Any, speakers: Mapping[str, str], passage: Passage, found: list[str]
) -> Iterator[tuple[str, str, dict[str, Any], int | None]]:
    """The moves of a round: where each stands, whose it is, the move, its time. Bad quotes are added to `found`."""
    if name == "JudgeFeedback":
        text = speech_of(held.feedback.content, passage)["text"]
        verdict = {"kind": "verdict", "probabilities": held.distribution, "text": text, "end": held.endDebate}
        yield place, "judge", verdict, held.feedback.timestamp
    elif name == "NegotiateEnd":
        for key, vote in held.votes.items():
            yield f"{place}.votes.{key}", _speaker(speakers, key), {"kind": "stop", "stop": vote}, None
    else:
        said = held.speeches if name == "SimultaneousSpeeches" else dict(sorted(held.speeches.items()))
        for key, spoken in said.items():
            where = f"{place}.speeches.{key}"
            spans = ((i, segment.Quote.span) for i, segment in enumerate(spoken.content) if segment.Quote is not None)
            found += [
                f"{where}.content.{number}: the quote spans tokens {first} to {last} of a source that has "
                f"{len(passage.tokens)}; only what is there is quoted"
                for number, (first, last) in spans
                if not 0 <= first < last <= len(passage.tokens)
            ]
            yield where, _speaker(speakers, key), speech_of(spoken.content, passage), spoken.timestamp


def _speaker(speakers: Mapping[str, str], key: str) -> str:
    return speakers.get(key, f"whoever defends answer {key}")


def offline_judgment(judge: str, given: Offline) -> OfflineJudgment:
    verdicts = []
    for each in given.judgments:
        text = "".join(part.Text.text for part in each.feedback.content if part.Text)
        verdicts.append(Verdict(probabilities=tuple(each.distribution), text=text, end=each.endDebate))
    return OfflineJudgment(judge, given.mode, tuple(verdicts))


def _bad_judgments(place: str, judgments: Mapping[str, Offline]) -> list[str]:
    found = []
    for judge, given in judgments.items():
        try:
            offline_judgment(judge, given)
        except ValidationError as error:
            found.append(f"{place}.judgments.{judge}: {first_problem(error, 'it')}")
    return found


def clock(milliseconds: int | None) -> dict[str, str]:
    """A time of a record as event meta; nothing where there is none, or none that a calendar holds."""
    if milliseconds is None:
        return {}
    try:
        return {"at": (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")}
    except OverflowError:
        return {}


# -- what is kept of a record ------------------------------------------------------------------------------------------


def lines_of_metadata(file: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The lines of a metadata file by name, and what is wrong with others."""
    lines: dict[str, dict[str, Any]] = {}
    found: list[str] = []
    try:
        for each in json_records(file):
            if isinstance(each, str):
                found.append(f"{file}: {each}")
                continue
            name = each.value.get("name") if isinstance(each.value, dict) else None
            if isinstance(name, str) and name not in lines:
                lines[name] = each.value
            else:
                found.append(f"{file}: {each.place}: its name is {name!r}: not a name, or one that was there before")
    except (OSError, ValueError) as error:
        found.append(f"{file}: {reason(error)}")
    return lines, found


def _import_of(transcript: Transcript) -> dict[str, Any]:
    """The event that keeps the record."""
    if (event := import_event(transcript)).get("source") != SOURCE:
        raise UsageError(f"{transcript.name} was not imported from a human debate, so it cannot be exported as one")
    return event


def _with_contents(record: Mapping[str, Any], contents: list[str] | None) -> dict[str, Any]:
    """The record with these in the place of its source's tokens."""
    setup = record["setup"]
    sources = {material: {**source, "contents": contents} for material, source in setup["sourceMaterial"].items()}
    return {**record, "setup": {**setup, "sourceMaterial": sources}}


def _status(play: Transcript, protocol: Any, record: Mapping[str, Any]) -> dict[str, Any]:
    """How the play ended, as a line of metadata says it."""
    held = [each for each in record["rounds"] if "OfflineJudgments" not in each]
    truth, outcome, judging = play.sample.unseal(), play.outcome, None
    parts = len(protocol.opening) + (protocol.rounds or 0) * len(protocol.repeated()) + len(protocol.closing)
    if isinstance(outcome, Decided):
        ended = "JudgeDecided"
        judging = {
            "correctAnswerIndex": truth, "numContinues": continues(play),
            "finalJudgement": list(outcome.verdict.probabilities), "judgeReward": judge_reward(play),
        }  # fmt: skip
    elif held and "NegotiateEnd" in held[-1] and all(held[-1]["NegotiateEnd"]["votes"].values()):
        ended = "MutualAgreement"
    elif protocol.rounds is not None and len(held) == parts:
        ended = "TimeUp"
    else:
        return {"InProgress": {}} if held else {"WaitingToBegin": {}}
    return {"Complete": {"result": {"correctAnswerIndex": truth, "endedBy": {ended: {}}, "judgingInfo": judging}}}


def _contradictions(ours: Mapping[str, Any], metadata: Mapping[str, Any]) -> list[str]:
    """Where the metadata says something else of the result than the play does."""
    theirs = metadata.get("status")
    if not isinstance(theirs, dict) or list(ours) != list(theirs):
        return [f"metadata.status is {theirs!r:.80}; by the record's rules and rounds it is {next(iter(ours))}"]
    ours, theirs = (status.get("Complete", {}).get("result") or {} for status in (ours, theirs))
    return [
        f"metadata.status.Complete.result.{name} is {theirs.get(name)}; the play gives {ours.get(name)}"
        for name in ("endedBy", "correctAnswerIndex", "judgingInfo")
        if to_json(ours.get(name)) != to_json(theirs.get(name))
    ]
