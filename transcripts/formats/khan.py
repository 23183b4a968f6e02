"""Debates of Khan et al. 2024 (arXiv 2402.06782, llm_debate) as plays: `TranscriptConfig` objects, as JSON or in a CSV column.

Those records name everything by its truth ("correct", "incorrect"). Here the answers stand where their judges saw them: in
position A the correct one, or with `swap` the incorrect one; seat a defends position A and b position B.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import AnyPart, Questions, Speeches
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Ask, Move, Speech
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.formats.importing import Format, Play, Record, json_value
from moot.transcripts.formats.khan_judgements import judgement_of, quote_marks
from moot.transcripts.formats.records import csv_rows, field, json_records, objects

SIDES = ("correct", "incorrect")
ASKERS = ("judge", "cross_examiner")


class Khan(Format):
    """Files of transcripts, each a JSON object, on a line of its own, in an array, or in the column `transcript` of a CSV."""

    name: ClassVar[str] = "khan"
    about: ClassVar[str] = "debates and consultancies of llm_debate, JSON or CSV (Khan et al. 2024)"
    suffixes: ClassVar[tuple[str, ...]] = (".csv", ".json", ".jsonl")

    def records(self, file: Path) -> Iterator[Record | str]:
        if file.suffix.lower() != ".csv":
            yield from json_records(file)
            return
        number = 1
        for number, row in csv_rows(file):
            if "transcript" not in row:
                yield f"there is no column transcript; the columns are {', '.join(list(row)[:12])}"
                return
            yield Record(f"{file.stem}-{number}", row, f"row {number}")
        if number == 1:
            yield "the file has a header and no rows"

    def plays(self, record: Record) -> Iterator[Play]:
        row, at = record.value, ""
        given = field(row, "transcript", object, None)
        if given is None:
            given = row
        else:
            at = "transcript"
            if isinstance(given, str):
                try:
                    given = json_value(given.encode())
                except (ValueError, RecursionError):
                    raise UsageError(f"transcript is no JSON: {given[:100]!r}") from None
        yield _play(record.name, row if at else {}, given, at)


def _play(name: str, row: Mapping[str, Any], given: Any, at: str) -> Play:
    answers = field(given, "answers", dict, at=at)
    answer = {side: field(answers, side, str, at=_in(at, "answers")) for side in SIDES}
    swap = field(given, "swap", bool, False, at)
    position = SIDES[::-1] if swap else SIDES
    story = field(given, "story", str, None, at) or row.get("story") or None
    choices = tuple(answer[side] for side in position)
    if choices[0] == choices[1]:
        raise UsageError(f"{_in(at, 'answers')}: both are {choices[0][:60]!r}, and a judge cannot tell them apart")
    question = Question(field(given, "question", str, at=at), choices, passage=story, id=name)
    problems: list[str] = []
    if (
        isinstance(told := row.get("swap"), str)
        and told.lower() in ("true", "false")
        and (told.lower() == "true") != swap
    ):
        problems.append(f"swap is {told}, and {_in(at, 'swap')} is {swap}: the transcript's is taken")
    protocol, moves = _rounds(given, position, at, problems)
    texts = [move.text for said in moves.values() for move in said if isinstance(move, Speech)]
    problems += quote_marks(texts, story)
    verdict = judgement_of(row, swap, problems)
    if verdict is not None:
        moves["judge"].append(verdict)
    names = field(given, "names", dict, {}, at)
    seats = _seats(names, row, position, protocol)
    return Play(protocol, Sample(question, position.index("correct")), moves, seats=seats, problems=tuple(problems))


def _rounds(
    given: Any, position: tuple[str, ...], at: str, problems: list[str]
) -> tuple[Protocol, dict[str, list[Move]]]:
    """The protocol whose rounds these are, and what each seat said, up to the first round that is not whole."""
    rounds, where = objects(given, "rounds", at, []), _in(at, "rounds")
    names = field(given, "names", dict, {}, at)
    spoken = [
        {side: field(held, side, str, None, f"{where}.{i}") for side in (*SIDES, *ASKERS)}
        for i, held in enumerate(rounds)
    ]
    sides = [side for side in position if any(held[side] is not None for held in spoken)]
    if not sides:
        sides = [side for side in position if names.get(side) is not None]
    if not rounds and len(sides) != 1:
        return DirectQA(), {"judge": []}
    sides = sides or list(position)
    seats = dict(zip(sides, ("consultant",) if len(sides) == 1 else ("a", "b"), strict=True))
    moves: dict[str, list[Move]] = {seat: [] for seat in (*seats.values(), "judge")}
    parts: list[AnyPart] = []
    whole = True
    for number, held in enumerate(spoken):
        asks = [Ask(text=text) for asker in ASKERS if (text := held[asker])]  # an empty text asks nothing
        if whole:
            moves["judge"] += asks
        parts += [Questions() for _ in asks]
        if all(held[side] is None for side in sides):
            problems.append(f"{where}.{number}: nobody answers the judge" if asks else f"{where}.{number} is empty")
            continue
        order = _order(rounds[number], given, f"{where}.{number}", at, problems if len(sides) == 2 else [])
        parts.append(Speeches(order=order))
        if whole:
            for side, seat in seats.items():
                if held[side] is not None:
                    moves[seat].append(Speech(text=held[side]))
                elif whole:
                    whole = False
                    problems.append(f"{where}.{number}.{side} is missing: the play ends there")
    kind: Any = Consultancy if len(sides) == 1 else Debate
    fields: dict[str, Any] = {"answer": position.index(sides[0])} if len(sides) == 1 else {}
    alike = {part.order for part in parts if isinstance(part, Speeches)}
    if len(alike) <= 1 and not any(isinstance(part, Questions) for part in parts):
        return kind(rounds=len(parts), **({"order": alike.pop()} if alike and len(sides) == 2 else {}), **fields), moves
    return kind(rounds=0, opening=tuple(parts), **fields), moves


def _order(held: Mapping[str, Any], given: Any, where: str, at: str, problems: list[str]) -> Any:
    """Whether a round's debaters spoke blind to each other. Where nothing says it, they are read as speaking in turn."""
    told = field(held, "type", str, None, where)
    rollout = field(given, "rollout_type", str, "", at)
    if told is None:
        told = next((each for each in ("sim", "seq") if each in rollout), None)
    if told not in ("sim", "seq"):
        problems.append(f"{where}.type is {told!r}, not sim or seq: the debaters are read as speaking in turn")
    return "simultaneous" if told == "sim" else "sequential"


def _seats(
    names: Mapping[str, Any], row: Mapping[str, Any], position: tuple[str, ...], protocol: Protocol
) -> dict[str, dict[str, Any]]:
    """Who sat where, by the names that the record has."""
    debaters = {side: names.get(side) for side in position}
    if isinstance(protocol, Consultancy):
        found = {"consultant": debaters[position[protocol.answer]]}
    elif isinstance(protocol, Debate):
        found = {"a": debaters[position[0]], "b": debaters[position[1]]}
    else:
        found = {}
    seats = {seat: {"name": name} for seat, name in found.items() if isinstance(name, str)}
    judge = {"name": names.get("judge") or row.get("judge_id"), "cross_examiner": names.get("cross_examiner")}
    told = {key: name for key, name in judge.items() if isinstance(name, str) and name}
    return {**seats, "judge": told} if told else seats


def _in(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
