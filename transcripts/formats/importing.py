"""Making transcripts of what others saved: the part that every format shares.

Importing is history and no refereeing: what the other system accepted goes on the record as accepted, move by move through
the engine, with the rule of our protocol that it breaks as a remark on its step; the play goes on, and the verdict that was
reached there is the outcome. The transcript replays like any other. The record is kept in an `imported` event.

Rule: no format is known here; reading files and fields stands in `records`.
"""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, ClassVar

from moot.play.recorded import header
from moot.protocols.engine import __version__
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, TranscriptError, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move, Speech, Stop
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.registry import Named, everything, find
from moot.transcripts.events import EventLog
from moot.transcripts.formats.records import LINES, Record, content_of, json_records, json_value, reason
from moot.transcripts.store import Writer
from moot.transcripts.transcript import Transcript

Said = Move | Mapping[str, Any]
"""A move, or what a move is recorded as: {"kind": …, fields…}, valid here or not."""


Paths = str | Path | Iterable[str | Path]
"""A file or a folder, or several."""


def paths_of(paths: Paths) -> list[Path]:
    return [Path(paths)] if isinstance(paths, str | Path) else [*map(Path, paths)]


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of one record: its name, the transcript's file (None when there is none), and what is wrong with the
    record, each with file and place."""

    name: str
    path: Path | None
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Play:
    """One play that a record holds. moves: what each seat said, in its order (None: nothing, at its turn); the engine decides
    whose turn it is, and the play goes as far as they last. times: when each was said, as ISO 8601 or None. seats: who sat where. problems: what is
    wrong with the record already. chance: the values of the play's coins, in their order. name: of the transcript, where a
    record holds several plays."""

    protocol: Protocol
    question: Question | Sample
    moves: Mapping[str, Iterable[Said | None]]
    seats: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    times: Mapping[str, Iterable[str | None]] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    chance: tuple[int | float, ...] = ()
    name: str = ""


class Format(Named, ABC, kind="format"):
    """A format that `moot import` takes. name: what the command line calls it. about: what it is, and whose (year), in one
    line. suffixes: of its files, for looking through a folder."""

    about: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = (".json",)

    def root(self, path: Path) -> Path:
        """The file, or the folder with the files, that a path given by a user stands for."""
        return path

    def files(self, path: Path) -> list[Path]:
        """The files to read: the root itself, or every file below it with one of the suffixes, in order. What is hidden is
        passed over: its name, or that of a folder between, begins with a dot, as in `.git` and `._data.json`."""
        root = self.root(path)
        if not root.is_dir():
            return [root]
        named = (file for file in root.rglob("*") if file.name.lower().endswith(self.suffixes) and file.is_file())
        return sorted(file for file in named if not any(p.startswith(".") for p in file.relative_to(root).parts))

    def records(self, file: Path) -> Iterator[Record | str]:
        """The records of one file; for what is none, a text that says where and why. Raises OSError, UsageError or ValueError on
        a file of which nothing can be read. By default the file is one record, as JSON, or, where the format has a suffix of
        lines, any number (`json_records`)."""
        if LINES.isdisjoint(self.suffixes):
            return iter([Record(file.stem, json_value(content_of(file)))])
        return json_records(file)

    @abstractmethod
    def plays(self, record: Record) -> Iterable[Play | str]:
        """The plays that a record holds; for what is none, a text that says where and why, after which the others go on.
        Raises UsageError, naming the field, on a record that cannot be one."""

    def makers(self, record: Record) -> Iterator[tuple[str, Callable[[], Transcript]] | str]:
        """For each play of a record the name of its transcript, and what makes it; or what `plays` says instead."""
        for play in self.plays(record):
            yield play if isinstance(play, str) else (
                play.name or record.name, partial(transcript_of, play, self.name, record.value))  # fmt: skip

    def found(self, paths: Paths, besides: Path | None = None) -> list[tuple[Path, Path]]:
        """The files that a path, or several, stand for, each once, with the root that its name begins at. besides: a folder
        that is passed over in those above it. Raises UsageError on a path that is not there, or holds no file of this format."""
        read: dict[Path, tuple[Path, Path]] = {}
        for path in paths_of(paths):
            if not path.exists():
                raise UsageError(f"there is no file or folder {path}")
            try:
                whole = [(file.resolve(), file) for file in self.files(path)]
            except OSError as error:
                raise UsageError(f"cannot look through {path}: {error.strerror}") from None
            over = besides if besides is not None and path.resolve() in besides.parents else None
            kept = [(real, file) for real, file in whole if over not in real.parents]
            if not kept:
                raise UsageError(f"{path} holds no {' or '.join(self.suffixes)} file, which {self.name} is read from")
            for real, file in kept:
                read.setdefault(real, (self.root(path), file))
        return list(read.values())

    def imports(self, paths: Paths, out: Path) -> Iterator[Imported]:
        """Import every record of a file, or of the files of a folder, or of several of either, into the folder `out`, one after
        the other as they are asked for, each as NAME.jsonl: its name, after those of the folders between the root and its file.

        What is wrong with one record is reported with it, with its file and place, and the rest goes on. What is in `out` is
        left as it is and not read. Raises UsageError when there is nothing to read, or `out` is no folder."""
        paths, out = paths_of(paths), Path(out)
        made = out.resolve()
        if made in (path.resolve() for path in paths if path.is_dir()):
            raise UsageError(f"{out} is what is read; take another folder for the transcripts")
        files = self.found(paths, besides=made)
        try:
            out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot import to {out}: {error.strerror}") from None
        if not os.access(out, os.W_OK):
            raise UsageError(f"cannot import to {out}: it may not be written to")
        return self._imports(files, out)

    def _imports(self, files: list[tuple[Path, Path]], out: Path) -> Iterator[Imported]:
        taken: set[str] = set()
        for root, file in files:
            folders = file.relative_to(root).parts[:-1] if root.is_dir() else ()
            try:
                for record in self.records(file):
                    if isinstance(record, str):
                        yield Imported(file.stem, None, [f"{file}: {record}"])
                    else:
                        yield from self._import(record, file, () if record.named else folders, out, taken)
            except Exception as error:  # whatever it is, the other files go on
                yield Imported(file.stem, None, [f"{file}: {reason(error)}"])

    def _import(
        self, record: Record, file: Path, folders: tuple[str, ...], out: Path, taken: set[str]
    ) -> Iterator[Imported]:
        where = f"{file}, {record.place}" if record.place else str(file)
        makers = self.makers(record)
        while True:
            name = record.name
            try:
                if (found := next(makers, None)) is None:
                    return
                if isinstance(found, str):
                    raise UsageError(found)
                name = own = file_name("-".join([*folders, found[0]]))
                number = count(2)
                while name in taken:  # by a record of this import
                    name = f"{own}-{next(number)}"
                taken.add(name)
                path = out / f"{name}.jsonl"
                if path.exists():
                    raise UsageError(f"{path} exists already, and is left as it is; remove it to import it again")
                transcript = found[1]()
                save(transcript.lines(), path)
                yield Imported(name, path, [f"{where}: {problem}" for problem in problems(transcript)])
            except Exception as error:  # whatever it is, the other records go on
                yield Imported(name, None, [f"{where}: {reason(error)}"])


def transcript_of(play: Play, source: str, record: Any) -> Transcript:
    """Play a record through the engine, in memory. `record` is kept whole; the truth is sealed. What breaks the protocol's
    rules is a remark on its step and among the problems of the `imported` event; a move after which the protocol cannot go on
    ends the play there, unfinished. Raises as `record_play` does."""
    coins = deque(play.chance)
    chance = (lambda step, weights: coins.popleft()) if play.chance else None
    meta = {"seats": {seat: dict(who) for seat, who in play.seats.items()}}

    def drive(game: Game, _: Transcript) -> dict[str, Any]:
        return {"source": source, "record": record, "problems": [*play.problems, *_played(game, play)]}

    try:
        return record_play(play.protocol, play.question, meta, drive, chance)
    except IndexError:
        raise UsageError(f"the play has more coins than the {len(play.chance)} that the record gives") from None


def record_play(
    protocol: Protocol, asked: Question | Sample, meta: Mapping[str, Any],
    drive: Callable[[Game, Transcript], Mapping[str, Any]],
    chance: Callable[[str, tuple[float, ...] | None], int | float] | None = None,
) -> Transcript:  # fmt: skip
    """The transcript of a game that `drive` plays, with what that returns as its `imported` event. Raises UsageError when
    the question does not fit the protocol, and on what JSON cannot hold."""
    sample = asked if isinstance(asked, Sample) else Sample(asked)
    question, name, truth = sample.question.unnamed(), sample.question.id, sample.unseal()
    known = ({} if name is None else {"id": name}) | ({} if truth is None else {"sealed": {"truth": truth}})
    lines: list[bytes] = []
    log, play = EventLog(lines.append), Transcript(lines, written=True)
    try:
        with closing(Game(protocol, question, recorder=log, chance=chance)) as game:
            log.event("started", header(protocol, question), {"moot": __version__, **meta, **known})
            log.event("imported", drive(game.start(), play))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"the record holds what JSON in UTF-8 cannot: {error}") from None
    return play


def _played(game: Game, play: Play) -> list[str]:
    """Answer what is open as long as somebody has something to say. What was wrong.

    A seat that has nothing more to say while others have was silent at its turn; where a play may last for ever, only once
    before the next of their moves."""
    left = {seat: deque(moves) for seat, moves in play.moves.items()}
    times = {seat: deque(at) for seat, at in play.times.items()}
    said = dict.fromkeys(left, 0)
    found = [f"seat {seat!r} is none of {', '.join(game.roles)}" for seat in left if seat not in game.roles]
    more = sum(move is not None for seat, moves in left.items() if seat in game.roles for move in moves)
    endless, silent = game.protocol.most_moves(game.question) is None, set[str]()
    while more and game.open:
        asked = {step: waiting.ask.seat for step, waiting in game.open.items()}
        step = next((step for step, seat in asked.items() if left.get(seat)), None)
        step = step or next((step for step, seat in asked.items() if seat not in silent), None)
        if step is None:
            break
        seat = asked[step]
        move = left[seat].popleft() if left.get(seat) else None
        at = times[seat].popleft() if times.get(seat) else None
        if move is None:
            silent |= {seat} if endless else set()
            if (problem := be_silent(game, step)) is None:
                break
            found.append(problem)
            continue
        silent.clear()
        more, said[seat] = more - 1, said[seat] + 1
        where = f"what {seat} said as number {said[seat]}"
        try:
            if (remark := accept(game, step, move, {"at": at} if at else None)) is not None:
                found.append(f"{where} (step {step}): {remark}")
        except Illegal as error:
            return [*found, f"{where} cannot be played: {error}"]
    unsaid = ((sum(move is not None for move in left[seat]), seat) for seat in left if seat in game.roles)
    none = f"no place in a play of {game.protocol.name}"
    return [*found, *(f"{many} more by {seat} {'have' if many > 1 else 'has'} {none}" for many, seat in unsaid if many)]


def accept(game: Game, step: str, move: Said, meta: Mapping[str, Any] | None = None) -> str | None:
    """Answer a step with what another system accepted. The rule of our protocol that it breaks; None when it breaks none.
    Raises Illegal when the play cannot go on with it, and leaves it as it is."""
    waiting = game.open[step]
    game.answer(step, move if isinstance(move, Move) else dict(move), meta=meta, history=True)
    return waiting.problem


def be_silent(game: Game, step: str) -> str | None:
    """Answer a step at which the record has nothing, and goes on: what that was taken for. None, with nothing done, where
    silence can be taken for nothing."""
    ask = game.open[step].ask
    for kind, move, meant in (
        (Speech, Speech(text=""), "a speech without words"), (Stop, Stop(stop=False), "going on"),
    ):  # fmt: skip
        if kind in ask.kinds:
            accept(game, step, move)
            return f"step {step}: there is nothing by {ask.seat}, and it went on: that is read as {meant}"
    return None


def import_event(transcript: Transcript) -> dict[str, Any]:
    """The event that keeps the record: its source, the record, its problems. Raises UsageError when there is none."""
    for event in transcript.events():
        if event["event"] == "imported":
            return event
    raise UsageError(f"{transcript.name} was not imported")


def problems(transcript: Transcript) -> list[str]:
    """What the import found wrong with the record, each with its place. Raises UsageError when it was not imported."""
    return list(import_event(transcript)["problems"])


def record_of_import(transcript: Transcript) -> Any:
    """The record that a transcript was imported from, as it was read. Raises UsageError when it was not imported."""
    return import_event(transcript).get("record")


def file_name(name: str) -> str:
    """A name as a file may have it on any system: letters, digits, dots, dashes and underscores, at most 200. A longer one
    loses its middle, because what tells it from others stands at its ends."""
    allowed = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")
    return (allowed if len(allowed) <= 200 else f"{allowed[:98]}--{allowed[-100:]}") or "record"


def save(lines: Iterable[bytes], path: Path) -> None:
    """Write a transcript as a whole: a kill leaves none rather than half of one."""
    if path.exists():
        raise UsageError(f"{path} exists already; take another name")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with closing(Writer(part)) as writer:
            for line in lines:
                writer(line)
        os.replace(part, path)
    except OSError as error:
        raise TranscriptError(f"cannot write {path}: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)


def known_formats() -> dict[str, type[Format]]:
    """Every format by name: moot's own, those of plug-ins, and every subclass that was imported."""
    return everything("format")


def format_named(name: str) -> Format:
    """The format called `name`. Raises UsageError when there is none."""
    made: Format = find("format", name)()
    return made
