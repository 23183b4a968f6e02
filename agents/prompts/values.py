"""Values in an answer, read: probabilities, choices by number, texts that hold pointers; and what cannot be read.

Rule of this file: it knows numbers and texts, no moves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from moot.protocols.engine.errors import AgentError

_POINTER = re.compile(r"&amp;(?=[0-9a-f]{12}(?![0-9a-f]))")  # as the record shows a pointer, and a model copies it


class UnreadableAnswer(AgentError):
    """An answer that cannot be read as a move. `text` is what came; `final` when asking again would not help."""

    def __init__(self, message: str, text: str = "", final: bool = False) -> None:
        super().__init__(message)
        self.text, self.final = text, final


def normalised(stated: Sequence[float]) -> tuple[tuple[float, ...], bool]:
    """Probabilities that sum to 1, and whether they were scaled. Raises ValueError where one is below 0, or all are 0."""
    for number in stated:
        if not math.isfinite(number) or number < 0:
            raise ValueError(f"probabilities: {number!r} is none; each must be from 0 to 1, and they must sum to 1")
    largest = max(stated, default=0.0)
    if largest <= 0:
        raise ValueError("probabilities: they are all 0; they must sum to 1")
    if largest <= 1 and math.isclose(math.fsum(stated), 1.0, abs_tol=1e-9):
        return tuple(stated), False
    scaled = [number / largest for number in stated]
    total = math.fsum(scaled)
    return tuple(number / total for number in scaled), True


def cleaned(value: Any) -> Any:
    """The value as it can be recorded: with its pointers as they are written, as a model may copy one as the record shows
    it, escaped; and with "?" for lone surrogates, which no encoding has."""
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if not isinstance(value, str):
        return value
    return _POINTER.sub("&", value).encode("utf-8", "replace").decode()


def index(name: str, given: Any, count: int) -> int:
    """The index of a choice that was given by its number from 1 on. Raises ValueError when there is none."""
    number = int(given) if isinstance(given, str) and given.strip().isdecimal() else given
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= (count or number):
        raise ValueError(f"{name} is {given!r}; it must be a number from 1{f' to {count}' if count else ''}")
    return number - 1


def numbers(given: Any, count: int) -> list[float]:
    """Probabilities as a list, from a list, an object by numbers, or text. Raises ValueError on anything else."""
    if isinstance(given, str):
        given = [part for part in re.split(r"[,;\s]+", given) if part]
    if isinstance(given, dict):
        wanted = [str(i) for i in range(1, (count or len(given)) + 1)]
        if set(given) != set(wanted):
            raise ValueError(f"probabilities are for {sorted(given)}; give one for each of {', '.join(wanted)}")
        given = [given[key] for key in wanted]
    if not isinstance(given, list):
        raise ValueError("there are no probabilities; give one for each answer")
    if count and len(given) != count:
        raise ValueError(f"there are {len(given)} probabilities for {count} answers")
    return [_number(each) for each in given]


def _number(value: Any) -> float:
    try:
        if isinstance(value, str):
            stripped = value.strip()
            return float(stripped[:-1]) / 100 if stripped.endswith("%") else float(stripped)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    except (ValueError, OverflowError):
        pass
    raise ValueError(f"probabilities: {str(value)[:80]!r} is no number")
