"""Debates of Khan et al. 2024 (arXiv 2402.06782, llm_debate) as plays: `TranscriptConfig` objects, as JSON or in a CSV column.

Those records name everything by its truth ("correct", "incorrect"). Here the answers stand where their judges saw them: in
position A the correct one, or with `swap` the incorrect one; seat a defends position A and b position B.

Rule: one format, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar, cast

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import AnyPart, Questions, Speeches
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Ask, Speech, Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.quotes import verify
from moot.transcripts.formats.importing import Format, Play, Said
from moot.transcripts.formats.records import Given, Record, csv_rows, json_records, json_value, read

SIDES = ("correct", "incorrect")
ASKERS = ("judge", "cross_examiner")
COLUMNS = ("answer_judge", "answer_judge1")

_ANSWER = re.compile(r"^(?:Final )?Answer: (?:<([AB])>|([AB]))[ \t\r]*$", re.MULTILINE)
_LIKELY = re.compile(r"correct answer is most likely to be \(([AB])")
_LAST = re.compile(r": *[<(]?([AB])[>)]?\.?$", re.IGNORECASE)  # at the end of a line that speaks of a final answer
_PROBABILITIES = re.compile(r"Prob A: ([0-9.]+), Prob B: ([0-9.]+)")
_CONFIDENCE = re.compile(r"Confidence correct: ([0-9.]+)\s*$")
_MARK = re.compile(r"<(/?)([vu])_quote>")


class _Answers(Given):
    correct: str
    incorrect: str


class _Round(Given):
    correct: str | None = None
    incorrect: str | None = None
    judge: str | None = None
    cross_examiner: str | None = None
    type: str | None = None

    def said(self, who: str) -> str | None:
        return cast("str | None", getattr(self, who))


class _Transcript(Given):
    answers: _Answers
    question: str
    swap: bool = False
    story: str | None = None
    rounds: list[_Round] = []
    names: dict[str, Any] = {}
    rollout_type: str = ""


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
        row = record.value
        given = row.get("transcript") if isinstance(row, dict) else None
        if given is None:
            yield _play(record.name, {}, read(_Transcript, row), "")
            return
        if isinstance(given, str):
            try:
                given = json_value(given.encode())
            except (ValueError, RecursionError):
                raise UsageError(f"transcript is no JSON: {given[:100]!r}") from None
        yield _play(record.name, row, read(_Transcript, given, "transcript"), "transcript.")


def _play(name: str, row: Mapping[str, Any], given: _Transcript, at: str) -> Play:
    position = SIDES[::-1] if given.swap else SIDES
    choices = tuple(getattr(given.answers, side) for side in position)
    if choices[0] == choices[1]:
        raise UsageError(f"{at}answers: both are {choices[0][:60]!r}, and a judge cannot tell them apart")
    story = given.story or row.get("story") or None
    question = Question(given.question, choices, passage=story, id=name)
    problems: list[str] = []
    told = str(row.get("swap")).lower()
    if told in ("true", "false") and isinstance(row["swap"], str) and (told == "true") != given.swap:
        problems.append(f"swap is {row['swap']}, and {at}swap is {given.swap}: the transcript's is taken")
    protocol, moves = _rounds(given, position, at, problems)
    problems += quote_marks((move.text for said in moves.values() for move in said if isinstance(move, Speech)), story)
    if (verdict := judgement_of(row, given.swap, problems)) is not None:
        moves["judge"].append(verdict)
    seats = _seats(given.names, row, position, protocol)
    return Play(protocol, Sample(question, position.index("correct")), moves, seats=seats, problems=tuple(problems))


def _rounds(
    given: _Transcript, position: tuple[str, ...], at: str, problems: list[str]
) -> tuple[Protocol, dict[str, list[Said | None]]]:
    """The protocol whose rounds these are, and what each seat said."""
    sides = [side for side in position if any(held.said(side) is not None for held in given.rounds)]
    sides = sides or [side for side in position if given.names.get(side) is not None]
    if not given.rounds and len(sides) != 1:
        return DirectQA(), {"judge": []}
    sides = sides or list(position)
    alone = len(sides) == 1
    seats = dict(zip(sides, ("consultant",) if alone else ("a", "b"), strict=True))
    moves: dict[str, list[Said | None]] = {seat: [] for seat in (*seats.values(), "judge")}
    parts: list[AnyPart] = []
    for number, held in enumerate(given.rounds):
        where = f"{at}rounds.{number}"
        asks = [Ask(text=text) for asker in ASKERS if (text := held.said(asker))]  # an empty text asks nothing
        moves["judge"] += asks
        parts += [Questions() for _ in asks]
        if all(held.said(side) is None for side in sides):
            problems.append(f"{where}: nobody answers the judge" if asks else f"{where} is empty")
            continue
        parts.append(Speeches(order=_order(held, given.rollout_type, where, [] if alone else problems)))
        for side, seat in seats.items():
            if (text := held.said(side)) is None:
                problems.append(f"{where}.{side} is missing")
            moves[seat].append(None if text is None else Speech(text=text))
    kind: Any = Consultancy if alone else Debate
    fields: dict[str, Any] = {"answer": position.index(sides[0])} if alone else {}
    orders = {part.order for part in parts if isinstance(part, Speeches)}
    if len(orders) > 1 or any(isinstance(part, Questions) for part in parts):
        return kind(rounds=0, opening=tuple(parts), **fields), moves
    if orders and not alone:
        fields["order"] = orders.pop()
    return kind(rounds=len(parts), **fields), moves


def _order(held: _Round, rollout: str, where: str, problems: list[str]) -> Any:
    """Whether a round's debaters spoke blind to each other. Where nothing says it, they are read as speaking in turn."""
    told = next((each for each in ("sim", "seq") if each in rollout), None) if held.type is None else held.type
    if told not in ("sim", "seq"):
        problems.append(f"{where}.type is {told!r}, not sim or seq: the debaters are read as speaking in turn")
    return "simultaneous" if told == "sim" else "sequential"


def _seats(
    names: Mapping[str, Any], row: Mapping[str, Any], position: tuple[str, ...], protocol: Protocol
) -> dict[str, dict[str, Any]]:
    """Who sat where, by the names that the record has."""
    held = dict(zip("ab", position, strict=True)) if isinstance(protocol, Debate) else {}
    if isinstance(protocol, Consultancy):
        held = {"consultant": position[protocol.answer]}
    seats = {seat: {"name": name} for seat, side in held.items() if isinstance(name := names.get(side), str)}
    judge = {"name": names.get("judge") or row.get("judge_id"), "cross_examiner": names.get("cross_examiner")}
    told = {key: name for key, name in judge.items() if isinstance(name, str) and name}
    return {**seats, "judge": told} if told else seats


# -- what the judges decided -------------------------------------------------------------------------------------------


def judgement_of(row: Mapping[str, Any], swap: bool, problems: list[str]) -> Said | None:
    """The verdict of a row over positions A and B; None where there is none, or, with a remark, none that can be read: the
    confidence of a human judge, else probabilities from log-probabilities, else the letter answered with, which gets 1.
    swap: the correct answer is in position B."""
    text = next((row[column] for column in COLUMNS if isinstance(row.get(column), str) and row[column].strip()), "")
    words = explained if isinstance(explained := row.get("explanation"), str) and explained else text
    right: bool | None = None
    if (correct := _confidence(row, text, problems)) is not None:
        first = 1 - correct if swap else correct
        right = correct > 0.5 if correct != 0.5 else None
    elif not text:
        return None
    elif (pair := _PROBABILITIES.search(text)) is not None:
        return _stated(pair[1], pair[2], text, problems)
    else:
        letters = _letters(text)
        if len(letters) != 1:
            named = "both answers" if letters else "neither answer"
            problems.append(f"the judge's answer names {named}: {text[-80:]!r}")
            return None
        first = float("A" in letters)
        right = (first == 1) != swap
    told = _truth(row.get("correct"))
    if told is not None and right is not None and told != right:
        problems.append(f"correct is {told}, and the judgement says {right}")
    return Verdict(probabilities=(first, 1 - first), text=words)


def _confidence(row: Mapping[str, Any], text: str, problems: list[str]) -> float | None:
    """The probability that a human judge gave the correct answer."""
    told, said = row.get("confidence_correct"), _CONFIDENCE.search(text)
    if told in (None, "") and said is not None:
        told = said[1]
    if told not in (None, ""):
        return _probability("confidence_correct", told, problems)
    told, right = row.get("confidence"), _truth(row.get("correct"))
    if told in (None, "") or right is None:
        return None
    chosen = _probability("confidence", told, problems)
    return chosen if chosen is None or right else 1 - chosen


def _probability(name: str, told: Any, problems: list[str]) -> float | None:
    number = -1.0
    with suppress(TypeError, ValueError, OverflowError):
        number = number if isinstance(told, bool) else float(told)
    if not 0 <= number <= 100:
        problems.append(f"{name} is {str(told)[:40]!r}, which is no probability")
        return None
    if number > 1:
        problems.append(f"{name} is {number:g}, which is read as percent")
    return number / 100 if number > 1 else number


def _stated(first: str, second: str, text: str, problems: list[str]) -> Said | None:
    a = b = 0.0
    with suppress(ValueError):
        a, b = float(first), float(second)
    if not 0 < a + b < 2.1:
        problems.append(f"the judge's probabilities {first} and {second} are none")
        return None
    if abs(a + b - 1) > 2e-4:
        return {"kind": "verdict", "probabilities": [a, b], "text": text}
    return Verdict(probabilities=(a / (a + b), b / (a + b)), text=text)  # four digits each: they sum to 1 only nearly


def _letters(text: str) -> set[str]:
    """The letters that the text answers with, in the forms that these judges use."""
    stripped = text.strip()
    if len(stripped) <= 3:
        return {letter for letter in "AB" if stripped == letter or f"{letter})" in stripped}
    found = {first or second for first, second in _ANSWER.findall(text)} | set(_LIKELY.findall(text))
    line = stripped.splitlines()[-1]
    last = _LAST.search(line)
    return found or ({last[1].upper()} if last and "final answer" in line[: last.start()].lower() else set())


def _truth(told: Any) -> bool | None:
    return {"true": True, "false": False}.get(str(told).strip().lower()) if isinstance(told, bool | str) else None


def _marked(text: str) -> Iterator[tuple[str, str]]:
    """The pieces of a text that are marked as quotes, each with its mark."""
    opened, at = "", 0
    for mark in _MARK.finditer(text):
        if not mark[1]:
            opened, at = mark[2], mark.end()
        elif mark[2] == opened:
            yield opened, text[at : mark.start()]
            opened = ""


def quote_marks(texts: Iterable[str], story: str | None) -> list[str]:
    """Where the marks of quotes as verified (<v_quote>) or not (<u_quote>) differ from what is found in the story."""
    if story is None:
        return []
    absent = present = 0
    for text in texts:
        for mark, quoted in _marked(text):
            try:
                (found,) = verify(f"<quote>{quoted}</quote>", story)
            except (Illegal, ValueError):
                continue  # tags inside a quote, or too many pieces: the speech itself says what is wrong
            absent += mark == "v" and not found.verified
            present += mark == "u" and bool(found.verified)
    told = (f"verified, {absent} not" if absent else "", f"unverified, {present}" if present else "")
    return [f"of the quotes marked as {what} found in the story" for what in told if what]
