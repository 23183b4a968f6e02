"""Human debates of Michael et al. 2023 (arXiv 2311.08702) as transcripts.

A record's rules become a protocol (`nyu_rules`), and its rounds are played through the engine move by move
(`nyu_rounds`), so that every limit, order and blindness holds, or is reported as a problem of that record. The record
itself is kept in an `imported` event, as there is more in it (surveys, scratchpads, offline judgments) than a play says.

Rule: the format and what it keeps; the platform's rules, rounds and texts stand in the files beside it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from pydantic_core import from_json, to_json

from moot.agents.base import act_of
from moot.complexity.reward import continues, judge_reward
from moot.play.driver import header
from moot.protocols.engine import __version__
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.view import Request
from moot.transcripts.events import EventLog
from moot.transcripts.formats.importing import Format, Imported, Play, import_event
from moot.transcripts.formats.nyu_passage import Passage, tokens_of
from moot.transcripts.formats.nyu_rounds import OfflineJudgment, clock, offline_judgment, play_rounds, seats_of
from moot.transcripts.formats.nyu_rules import protocol_of, read_record
from moot.transcripts.formats.records import Record, json_records, json_value, reason, refuse_constants
from moot.transcripts.replay import Replay, no_collection
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import sealed

SOURCE = "nyu-debate"
METADATA = "debates-metadata.jsonl"


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
        self._metadata, found = lines_of_metadata(described) if described is not None else ({}, [])
        if found:
            yield Imported(METADATA, None, found)
        for each in imported:
            if each.path is not None and described is not None and self._file.stem not in self._metadata:
                each.problems.insert(0, f"{self._file}: no line of {METADATA} describes it")
            yield each
        for name in self._metadata if path.is_dir() else ():
            if all(file.stem != name for file in files):
                yield Imported(name, None, [f"{described}: describes {name!r}, and there is no {beside / name}.json"])


def import_debate(record: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> Transcript:
    """One record, and its line of metadata where there is one, as a transcript in memory.

    The truth is sealed. What breaks the record's own rules ends the play there, unfinished, and `problems` lists it.
    Raises UsageError, naming the place, on a record that cannot be read or whose rules no protocol holds to.
    """
    with no_collection():
        return _imported(record, metadata)


def _imported(record: Mapping[str, Any], metadata: Mapping[str, Any] | None) -> Transcript:
    given = read_record(record)
    setup, protocol = given.setup, protocol_of(given.setup)
    ((material, source),) = setup.sourceMaterial.items()
    passage = Passage.of(source.contents)
    question = Question(setup.question, choices=tuple(setup.answers), passage=passage.text)
    sample = Sample(question, setup.correctAnswerIndex)
    seats = {role: seat for seat, role in seats_of(protocol, question).items()}
    people = {seats[role]: {"agent": "human", "name": name} for role, name in setup.roles.items() if role in seats}
    lines: list[bytes] = []
    log = EventLog(lines.append)
    game = Game(protocol, question, recorder=log)
    try:
        meta = {"moot": __version__, **clock(setup.creationTime), "seats": people, **sealed(sample)}
        log.event("started", header(protocol, question), meta)
        found = play_rounds(game.start(), protocol, given.rounds, passage)
        play = Transcript(lines, written=True)
        vars(play).update(protocol=protocol, question=question, sample=sample)  # which it need not read again
        kept = {"source": SOURCE, "record": _without_tokens(record), "contents": passage.recorded}
        if metadata is not None:
            kept["metadata"] = dict(metadata)
            found += _contradictions(_status(play, protocol, record), metadata)
        log.event("imported", {**kept, "problems": found})
        refuse_constants(lines[-1][: -len(passage.text)])  # all but the tokens, in which they are words
    except ValueError as error:
        raise UsageError(f"the record holds what JSON in UTF-8 cannot: {error}") from None
    finally:
        game.close()
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
    record: dict[str, Any] = imported["record"]
    ((material, source),) = record["setup"]["sourceMaterial"].items()
    sources = {material: {**source, "contents": tokens_of(imported["contents"])}}
    return {**record, "setup": {**record["setup"], "sourceMaterial": sources}}


def export_metadata(transcript: Transcript) -> dict[str, Any] | None:
    """The line of metadata that came with the record; None when none did. Raises UsageError like `export_debate`."""
    metadata: dict[str, Any] | None = _import_of(transcript).get("metadata")
    return metadata


def offline_judgments(transcript: Transcript) -> list[OfflineJudgment]:
    """The beliefs of those who judged the debate after its end, by judge. Raises UsageError like `export_debate`."""
    return [
        offline_judgment(judge, given)
        for held in read_record(export_debate(transcript)).rounds
        if held.OfflineJudgments is not None
        for judge, given in held.OfflineJudgments.judgments.items()
    ]


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
        if request.step != self.last:
            return reply
        return _ended_later(reply) if inspect.isawaitable(reply) else _ended(reply)


def _ended(reply: Any) -> Any:
    if isinstance(reply, Verdict):
        return reply.model_copy(update={"end": True})
    return {**reply, "end": True} if isinstance(reply, Mapping) else reply


async def _ended_later(reply: Any) -> Any:
    return _ended(await reply)


# -- what is kept of a record ------------------------------------------------------------------------------------------


def lines_of_metadata(file: Path) -> tuple[dict[str, dict[str, Any]], list[str]]:
    """The lines of a metadata file by name, and what is wrong with others."""
    lines: dict[str, dict[str, Any]] = {}
    found: list[str] = []
    try:
        for each in json_records(file):
            value: Any = each.value if isinstance(each, Record) else None
            name = value.get("name") if isinstance(value, dict) else None
            if isinstance(name, str) and name not in lines:
                lines[name] = value
            elif isinstance(each, Record):
                found.append(f"{file}: {each.place}: its name is {name!r}: not a name, or one that was there before")
            else:
                found.append(f"{file}: {each}")
    except (OSError, ValueError) as error:
        found.append(f"{file}: {reason(error)}")
    return lines, found


def _import_of(transcript: Transcript) -> dict[str, Any]:
    """The event that keeps the record."""
    if (event := import_event(transcript)).get("source") != SOURCE:
        raise UsageError(f"{transcript.name} was not imported from a human debate, so it cannot be exported as one")
    return event


def _without_tokens(record: Mapping[str, Any]) -> dict[str, Any]:
    """The record with nothing in the place of its source's tokens."""
    setup = record["setup"]
    sources = {material: {**source, "contents": None} for material, source in setup["sourceMaterial"].items()}
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
