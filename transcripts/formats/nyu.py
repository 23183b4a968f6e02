"""Human debates of Michael et al. 2023 (arXiv 2311.08702) as transcripts.

A record's rules become a protocol (`nyu_rules`), and its rounds are played through the engine (`nyu_rounds`). The record is
kept, as more is in it (surveys, offline judgments).

Rule: the format and what it keeps; the platform's rules and texts stand in the files beside it.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, cast

from pydantic_core import from_json, to_json

from moot.agents.base import act_of
from moot.complexity.reward import continues, judge_reward
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.transcripts.formats.importing import Format, Imported, Paths, Play, import_event, paths_of, record_play
from moot.transcripts.formats.nyu_passage import Passage, tokens_of
from moot.transcripts.formats.nyu_rounds import OfflineJudgment, as_held, clock, offline_judgment, play_rounds, seats_of
from moot.transcripts.formats.nyu_rules import not_held_to, protocol_of, read_record
from moot.transcripts.formats.records import Record, content_of, json_records, json_value, reason, refuse_constants
from moot.transcripts.replay import Replay, no_collection
from moot.transcripts.transcript import Transcript

SOURCE = "nyu-debate"
METADATA = "debates-metadata.jsonl"


class NyuDebates(Format):
    """A folder with `debates/*.json` and `debates-metadata.jsonl`, a folder of such records, or one of them, whose metadata
    is looked for beside it and up to three folders above."""

    name: ClassVar[str] = "nyu"
    about: ClassVar[str] = "human and model debates of Michael et al. 2023, one JSON file each"

    def __init__(self) -> None:
        self._lines: dict[Path, dict[str, dict[str, Any]]] = {}  # of each file of metadata, by name
        self._wrong: list[Imported] = []  # what is wrong with those files, until it is told
        self._beside: Path | None = None  # the metadata of the file that is being read
        self._file = Path()

    def root(self, path: Path) -> Path:
        return path / "debates" if (path / "debates").is_dir() else path

    def records(self, file: Path) -> Iterator[Record | str]:
        self._file, self._beside = file, metadata_of(file)
        if self._beside is not None and self._beside not in self._lines:
            self._lines[self._beside], wrong = lines_of_metadata(self._beside)
            self._wrong += [Imported(METADATA, None, wrong)] if wrong else []
        record = read_json(content_of(file))
        if not isinstance(record, dict):
            raise UsageError(f"it holds a {type(record).__name__}, not a record")
        yield Record(file.stem, record)

    def plays(self, record: Record) -> Iterable[Play]:
        raise UsageError("these records are played by their own rounds: import_debate(record, metadata)")

    def makers(self, record: Record) -> Iterator[tuple[str, Callable[[], Transcript]] | str]:
        described = self._lines[self._beside].get(record.name) if self._beside is not None else None
        yield record.name, partial(import_debate, record.value, described)

    def imports(self, paths: Paths, out: Path) -> Iterator[Imported]:
        given = paths_of(paths)
        return self._described(super().imports(given, out), any(path.is_dir() for path in given))

    def _described(self, imported: Iterator[Imported], folders: bool) -> Iterator[Imported]:
        read = dict[Path, set[str]]()
        for each in imported:
            yield from self._told()
            if self._beside is not None:
                read.setdefault(self._beside, set()).add(self._file.stem)
                if each.path and self._file.stem not in self._lines[self._beside]:
                    each.problems.insert(0, f"{self._file}: no line of {METADATA} describes it")
            yield each
        for file, stems in read.items() if folders else ():
            for name in self._lines[file]:
                if name not in stems:
                    yield Imported(name, None, [f"{file}: describes {name!r}, and no {name}.json is there"])

    def _told(self) -> list[Imported]:
        told, self._wrong = self._wrong, []
        return told

    def debates(self, paths: Paths) -> Iterator[tuple[Path, Transcript | str]]:
        """Every debate that `imports` makes a transcript of, as a transcript in memory, or why there is none, with its file.
        Raises UsageError as `imports` does."""
        for _, file in self.found(paths):
            try:
                for record in self.records(file):
                    yield from ((file, problem) for each in self._told() for problem in each.problems)
                    for found in self.makers(record) if isinstance(record, Record) else ():
                        yield file, found if isinstance(found, str) else found[1]()
            except Exception as error:  # whatever it is, the others go on
                yield file, f"{file}: {reason(error)}"


def metadata_of(file: Path) -> Path | None:
    """The file of metadata that describes a record: beside it, or up to three folders above."""
    above = (at / METADATA for at in file.absolute().parents[:4])
    return next((place for place in above if place.is_file()), None)


@no_collection()
def import_debate(record: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> Transcript:
    """One record, and its line of metadata where there is one, as a transcript in memory, the truth sealed. What breaks the
    record's own rules was accepted all the same and is played; `problems` lists it. Raises UsageError, naming the place, on a
    record that cannot be read or whose rules no protocol holds to."""
    given = read_record(record)
    setup, rules = given.setup, protocol_of(given.setup)
    protocol, remarks = as_held(rules, given.rounds)
    (source,) = setup.sourceMaterial.values()
    passage = Passage.of(source.contents)
    question = Question(setup.question, choices=tuple(setup.answers), passage=passage.text)
    sample = Sample(question, setup.correctAnswerIndex)
    seats = {role: seat for seat, role in seats_of(protocol, question).items()}
    people = {seats[role]: {"agent": "human", "name": name} for role, name in setup.roles.items() if role in seats}

    def drive(game: Game, play: Transcript) -> dict[str, Any]:
        found = not_held_to(setup.rules) + remarks + play_rounds(game, protocol, given.rounds, passage)
        vars(play).update(protocol=protocol, question=question, sample=sample)  # which it need not read again
        kept = {"source": SOURCE, "record": _with_contents(record, None), "contents": passage.recorded}
        if metadata is not None:
            kept["metadata"] = dict(metadata)
            found += _contradictions(_status(play, rules, record), metadata)
        return {**kept, "problems": found}

    play = record_play(protocol, sample, {**clock(setup.creationTime), "seats": people}, drive)
    try:
        refuse_constants(deque(play.lines(), 1)[0][: -len(passage.text)])  # all but the tokens, in which they are words
    except ValueError as error:
        raise UsageError(f"the record holds what JSON in UTF-8 cannot: {error}") from None
    return play


def read_json(text: bytes) -> Any:
    """A record as JSON. Raises ValueError, as `json_value` does, that says where it ends to be one."""
    try:  # short texts once each: a story has thousands of tokens and few different ones, which are then compared and hashed once
        return from_json(text, allow_inf_nan=False, cache_strings="all")
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


def _status(play: Transcript, protocol: Debate, record: Mapping[str, Any]) -> dict[str, Any]:
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
