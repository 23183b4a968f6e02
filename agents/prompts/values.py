"""Values in an answer, read: probabilities, choices by number, texts that hold pointers; and what cannot be read.

Rule of this file: it knows numbers and texts, no moves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from moot.protocols.engine.errors import AgentError

NEAR = 0.05
"""How far from 1, or from 100 percent, stated probabilities may sum: rounding, and no more."""
_LONGEST = 10_000  # characters of a text that holds probabilities
_FRAMED = "(about|asked|choices?|claim|data|passage|question|record|statement|turn)"
_BEGUN, _FRAME = re.compile(rf"<{_FRAMED}\b"), re.compile(rf"</{_FRAMED}\s{{0,9}}>\s{{0,99}}\Z")
"""The end of an element that moot itself puts around what is shown."""
_POINTER = re.compile(r"&amp;(?=[0-9a-f]{12}(?![0-9a-f]))")  # as the record shows a pointer, and a model copies it
_SURROGATE = re.compile("[\ud800-\udfff]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)

Ending = Literal["stop", "length", "filtered", "failed"]
_ENDINGS: dict[str, Ending] = {
    **dict.fromkeys(("length", "max_tokens", "model_length", "max_output_tokens", "max_length", "token_limit",
                     "model_context_window_exceeded"), "length"),
    **dict.fromkeys(("content_filter", "content_filtered", "safety", "recitation", "prohibited_content", "blocklist",
                     "spii", "sensitive", "filtered"), "filtered"),
    **dict.fromkeys(("error", "network_error", "malformed_function_call", "abort", "failed"), "failed"),
}  # fmt: skip
"""The words of endpoints and proxies for why an answer ended, other than that it was done."""


class UnreadableAnswer(AgentError):
    """An answer that cannot be read as a move. `text` is what came; `final` when asking again would not help; `overthought`
    where the thinking that was asked for left no room for the move."""

    def __init__(self, message: str, text: str = "", final: bool = False, overthought: bool = False) -> None:
        super().__init__(encodable(message))
        self.text, self.final, self.overthought = text, final, overthought


class Overthought(ValueError):
    """The thinking that was asked for took all the tokens of the answer."""

    def __init__(self) -> None:
        super().__init__("the thinking took all the tokens that the answer may have, and no move came: think less")


def ending(word: str | None) -> Ending:
    """Why an answer ended, by the endpoint's word for it (`finish_reason`)."""
    return _ENDINGS.get((word or "").strip().lower().replace("-", "_"), "stop")


def encodable(text: str) -> str:
    """The text with U+FFFD for lone surrogates, which no encoding has."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


def cleaned(value: Any) -> Any:
    """The value as it can be recorded: encodable, and with its pointers as they are written, as a model may copy one as the
    record shows it, escaped."""
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    if isinstance(value, dict):
        return {encodable(str(key)): cleaned(each) for key, each in value.items()}
    return encodable(_POINTER.sub("&", value) if "&" in value else value) if isinstance(value, str) else value


def unframed(text: str) -> str:
    """Plain words without the ends of our own elements behind them, which a model copies from the prompt that it goes on with; one
    that the words themselves begin stays."""
    if not text.rstrip().endswith(">"):
        return text
    end, begun = len(text), None
    while (found := _FRAME.search(text[max(0, end - 140) : end])) is not None:
        begun = set(_BEGUN.findall(text)) if begun is None else begun
        if found[1] in begun:
            break
        end -= len(found[0])
    return text if end == len(text) else text[:end].rstrip()


def index(name: str, given: Any, count: int) -> int:
    """The index of a choice that was given by its number from 1 on. Raises ValueError when there is none."""
    number = int(given) if isinstance(given, str) and given.strip().isdecimal() and len(given) < 99 else given
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= (count or number):
        raise ValueError(f"{name} is {given!r:.80}; it must be a number from 1{f' to {count}' if count else ''}")
    return number - 1


def shares(given: Any, count: int) -> tuple[tuple[float, ...], bool]:
    """Stated probabilities, from a list, an object by numbers, or a text; and whether they were scaled to sum to 1.

    count: how many there must be, 0 where that is not known. They are probabilities where none is negative and they sum to 1,
    or to 100, within 5 percent. A text may have percent signs, fractions, or commas for decimal points, as long as it can
    be read in one way only. Raises ValueError with what is wrong.
    """
    if isinstance(given, str):
        return _written(given, count)
    if isinstance(given, dict):
        wanted = [str(i) for i in range(1, (count or len(given)) + 1)]
        if set(given) != set(wanted):
            known = ", ".join(sorted(given))[:200]
            raise ValueError(f"probabilities are for {known or 'none'}; give one for each of {', '.join(wanted)}")
        given = [given[key] for key in wanted]
    if not isinstance(given, list):
        raise ValueError("there are no probabilities; give one for each answer")
    return _scaled(given, count)


def _written(text: str, count: int) -> tuple[tuple[float, ...], bool]:
    """Probabilities in a text. Raises ValueError where no reading of it, or more than one, makes sense."""
    if len(text) > _LONGEST:
        raise ValueError(f"probabilities: {len(text):,} characters hold no list of numbers")
    text = text.lower().replace("percent", "%").replace("per cent", "%").strip("[](){} \t\r\n")
    plain = _joined(re.split(r"[,;\s/|]+", text))
    commas = [part.rstrip(",") for part in _joined(re.split(r"[;\s/|]+", text))]
    decimal = [part.replace(",", ".") for part in commas] if any("," in part for part in commas) else []
    fractions = _joined(re.split(r"[,;\s|]+", text)) if "/" in text else []
    found: dict[tuple[float, ...], bool] = {}
    first: ValueError | None = None
    for reading in (plain, decimal, fractions):
        try:
            numbers, changed = _scaled(reading, count)
            found.setdefault(numbers, changed)
        except ValueError as error:
            first = first or error
    if len(found) > 1:
        raise ValueError(
            f"probabilities: {text[:80]!r} can be read in two ways; write decimal points, and commas between"
        )
    for numbers, changed in found.items():
        return numbers, changed
    raise first or ValueError("there are no probabilities; give one for each answer")


def _joined(parts: Iterable[str]) -> list[str]:
    """The parts that are not empty, a percent sign alone joined to the one before."""
    found: list[str] = []
    for part in filter(None, parts):
        if part.strip(",") == "%" and found:
            found[-1] += part
        else:
            found.append(part)
    return found


def _scaled(given: Sequence[Any], count: int) -> tuple[tuple[float, ...], bool]:
    if not given:
        raise ValueError("there are no probabilities; give one for each answer")
    if count and len(given) != count:
        raise ValueError(f"there are {len(given)} probabilities for {count} answers")
    percent = any(isinstance(each, str) and each.rstrip().endswith("%") for each in given)
    numbers = [_number(each, percent) for each in given]
    total = math.fsum(numbers)
    for whole in (1.0,) if percent else (1.0, 100.0):
        if abs(total - whole) <= NEAR * whole + 1e-9:
            if math.isclose(total, 1.0, abs_tol=1e-9):
                return tuple(numbers), False
            return tuple(number / total for number in numbers), True
    told = ", ".join(f"{number:.6g}" for number in numbers[:12])
    raise ValueError(f"probabilities: {told} sum to {total:.6g}; they must sum to 1, or to 100 percent")


def _number(value: Any, percent: bool) -> float:
    """A number of a list of probabilities. percent: some of them have the sign, so that only 0 may do without it."""
    number = math.nan
    if isinstance(value, str):
        text = value.strip()
        above, slash, below = text.partition("/")
        if text.endswith("%"):
            number = _plain(text[:-1]) / 100
        elif slash and (divisor := _plain(below)) > 0:
            number = _plain(above) / divisor
        elif not slash:
            number = _plain(text)
        percent = percent and not text.endswith("%")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        number = float(value) if abs(value) < 1e9 else math.inf
    if not math.isfinite(number):
        raise ValueError(f"probabilities: {str(value)[:80]!r} is no number")
    if number < 0 or (percent and number):
        rule = "with percent signs, all must have one" if number >= 0 else "each must be from 0 to 1"
        raise ValueError(f"probabilities: {str(value)[:80]!r} is none; {rule}, and they must sum to 1")
    return number


def _plain(text: str) -> float:
    text = text.strip()
    return float(text) if len(text) < 99 and _NUMBER.fullmatch(text) else math.nan
