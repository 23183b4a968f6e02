"""What the judges of Khan et al. 2024 (arXiv 2402.06782) decided, from the columns and texts in which it was saved."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Verdict
from moot.protocols.quotes import verify

COLUMNS = ("answer_judge", "answer_judge1")

_ANSWER = re.compile(r"^(?:Final )?Answer: (?:<([AB])>|([AB]))[ \t\r]*$", re.MULTILINE)
_LIKELY = re.compile(r"correct answer is most likely to be \(([AB])")
_LAST = re.compile(r"final answer.*: *[<(]?([AB])[>)]?\.?$", re.IGNORECASE)
_PROBABILITIES = re.compile(r"Prob A: ([0-9.]+), Prob B: ([0-9.]+)")
_CONFIDENCE = re.compile(r"Confidence correct: ([0-9.]+)\s*$")
_MARKED = re.compile(r"<([vu])_quote>(.*?)</\1_quote>", re.DOTALL)


def judgement_of(row: Mapping[str, Any], swap: bool, problems: list[str]) -> Verdict | None:
    """The verdict of a row over positions A and B; None where there is none, or, with a remark, none that can be read.

    The confidence of a human judge is taken first, then the probabilities of a judge by log-probabilities, then the letter
    that a judge answered with, which gets probability 1. swap: the correct answer is in position B.
    """
    text = next((row[column] for column in COLUMNS if isinstance(row.get(column), str) and row[column].strip()), "")
    explained = row.get("explanation")
    words = explained if isinstance(explained, str) and explained else text
    correct = _confidence(row, text, problems)
    if correct is not None:
        first = 1 - correct if swap else correct
        _contradiction(row, correct > 0.5 if correct != 0.5 else None, problems)
        return Verdict(probabilities=(first, 1 - first), text=words)
    if not text:
        return None
    pair = _PROBABILITIES.search(text)
    if pair is not None:
        return _normalised(pair[1], pair[2], text, problems)
    letters = _letters(text)
    if len(letters) != 1:
        problems.append(f"the judge's answer names {'both answers' if letters else 'neither answer'}: {text[-80:]!r}")
        return None
    (letter,) = letters
    _contradiction(row, (letter == "A") != swap, problems)
    return Verdict(probabilities=(1.0, 0.0) if letter == "A" else (0.0, 1.0), text=words)


def _confidence(row: Mapping[str, Any], text: str, problems: list[str]) -> float | None:
    """The probability that a human judge gave the correct answer."""
    said = _CONFIDENCE.search(text)
    told = row.get("confidence_correct")
    if told in (None, ""):
        told = said[1] if said else None
    if told is None:
        told, right = row.get("confidence"), _truth(row.get("correct"))
        if told in (None, "") or right is None:
            return None
        chosen = _probability("confidence", told, problems)
        return chosen if chosen is None or right else 1 - chosen
    return _probability("confidence_correct", told, problems)


def _probability(name: str, told: Any, problems: list[str]) -> float | None:
    try:
        number = float(told)
    except (TypeError, ValueError, OverflowError):
        number = -1.0
    if isinstance(told, bool) or not 0 <= number <= 100:
        problems.append(f"{name} is {str(told)[:40]!r}, which is no probability")
        return None
    if number > 1:
        problems.append(f"{name} is {number:g}, which is read as percent")
        return number / 100
    return number


def _normalised(first: str, second: str, text: str, problems: list[str]) -> Verdict | None:
    try:
        a, b = float(first), float(second)
    except ValueError:
        a = b = 0.0
    if not 0 < a + b < 2.1:
        problems.append(f"the judge's probabilities {first} and {second} are none")
        return None
    return Verdict(probabilities=(a / (a + b), b / (a + b)), text=text)  # four digits each: they sum to 1 only nearly


def _letters(text: str) -> set[str]:
    """The letters that the text answers with, in the forms that these judges use."""
    stripped = text.strip()
    if len(stripped) <= 3:
        return {letter for letter in "AB" if stripped == letter or f"{letter})" in stripped}
    found = {first or second for first, second in _ANSWER.findall(text)} | set(_LIKELY.findall(text))
    if not found and (last := _LAST.search(stripped.splitlines()[-1])):
        found = {last[1].upper()}
    return found


def _truth(told: Any) -> bool | None:
    if isinstance(told, bool):
        return told
    return {"true": True, "false": False}.get(told.strip().lower()) if isinstance(told, str) else None


def _contradiction(row: Mapping[str, Any], right: bool | None, problems: list[str]) -> None:
    told = _truth(row.get("correct"))
    if told is not None and right is not None and told != right:
        problems.append(f"correct is {told}, and the judgement says {right}")


def quote_marks(texts: Iterable[str], story: str | None) -> list[str]:
    """Where the marks of quotes as verified (<v_quote>) or not (<u_quote>) differ from what is found in the story."""
    if story is None:
        return []
    absent = present = 0
    for text in texts:
        for mark, quoted in _MARKED.findall(text):
            try:
                (found,) = verify(f"<quote>{quoted}</quote>", story)
            except (Illegal, ValueError):
                continue  # tags inside a quote, or too many pieces: the speech itself says what is wrong
            absent += mark == "v" and not found.verified
            present += mark == "u" and bool(found.verified)
    told = [f"of the quotes marked as verified, {absent} not found in the story"] if absent else []
    return [*told, f"of the quotes marked as unverified, {present} found in the story"] if present else told
