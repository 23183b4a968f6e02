"""Moves made from the schema of their kind: by Hypothesis for the laws, by a seeded generator for golden transcripts.

Rule: what is known of a request goes into a form here; values that a schema alone decides are made in `schemas`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from pydantic import ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.pixel_debate import Pixel, unseen
from moot.testing.schemas import WORDS, Chooser, T, build


class Seeded(Chooser):
    """Choices that follow from a number alone: the same in every process and on every machine."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def integer(self, low: int, high: int) -> int:
        return self._random.randint(low, high)

    def real(self, low: float, high: float) -> float:
        return min(high, low + (high - low) * self._random.randrange(1025) / 1024)

    def text(self, least: int, most: int) -> str:
        words = " ".join(self._random.choice(WORDS) for _ in range(self._random.randint(1, 12)))
        return words.ljust(least, ".")[:most]

    def pick(self, among: Sequence[T]) -> T:
        return among[self._random.randrange(len(among))]

    def pattern(self, regex: str, least: int, most: float) -> str:
        raise UsageError(f"a text that must match {regex!r} cannot be made without Hypothesis; seat a program instead")


def move_of(request: Request, choose: Chooser) -> Move:
    """A move of one of the kinds that `request` asks for; legal as far as kinds, question and brief can tell.

    Raises UsageError when nothing that its schema describes is a valid move of that kind.
    """
    kind = choose.pick(request.kinds)
    known = (make for base, make in _KNOWN
             if issubclass(kind, base) and kind.model_fields.keys() == base.model_fields.keys())  # fmt: skip
    made, problem = next(known, None), ""
    for _ in range(10):
        form = _told(request, kind, build(schema_of(kind), choose), choose) if made is None else made(request, choose)
        try:
            return kind.model_validate({**form, "kind": kind.model_fields["kind"].default})
        except ValidationError as error:
            problem = first_problem(error, "it")
    raise UsageError(f"moot.testing cannot make a {kind.__name__} from its schema ({problem}): give moves=, a function from "
                     "a request to a strategy of moves")  # fmt: skip


def _told(request: Request, kind: type[Move], form: dict[str, Any], choose: Chooser) -> dict[str, Any]:
    """A form within what the brief says of its fields: the texts that there may be (one_of), how long lists are (least,
    most), and what numbers lie below (below)."""
    for name in kind.filled:
        form.pop(name, None)
    brief = request.brief
    one_of, below = brief.get("one_of", {}), brief.get("below", {})
    least, most = brief.get("least", {}), brief.get("most", {})
    for name in form:
        listed = isinstance(form[name], list)
        if name in one_of and not listed:
            form[name] = choose.pick(one_of[name])
        elif name in below:
            form[name] = choose.integer(0, below[name] - 1)
        elif name in least or name in most:
            items, root = schema_of(kind)["properties"][name].get("items", {}), schema_of(kind)
            form[name] += [build(items, choose, root) for _ in range(least.get(name, 0) - len(form[name]))]
            form[name] = form[name][: most.get(name)]
        if name in one_of and listed:
            form[name] = [choose.pick(one_of[name]) for _ in form[name]]
    return form


@lru_cache(maxsize=256)
def schema_of(kind: type[Move]) -> Mapping[str, Any]:
    """The JSON schema of a kind of move."""
    return kind.model_json_schema()


def _verdict(request: Request, choose: Chooser) -> dict[str, Any]:
    count = len(request.view.question.choices) or 2
    weights = [choose.integer(0, 16) for _ in range(count)]
    if not any(weights):
        weights[choose.integer(0, count - 1)] = 1
    probabilities = [weight / sum(weights) for weight in weights]
    return {"probabilities": probabilities, "text": choose.text(0, 20), "end": choose.integer(0, 1) == 1}


def _ask(request: Request, choose: Chooser) -> dict[str, Any]:
    named = request.brief.get("to_seats")
    seats = [seat for seat in named if isinstance(seat, str)] if isinstance(named, (list, tuple)) else []
    return {"text": choose.text(0, 20), "to": choose.pick((None, *seats))}


def _speech(request: Request, choose: Chooser) -> dict[str, Any]:
    text = choose.text(1, 60)
    text = text if text.strip() else "so it is"
    passage = request.view.question.passage or ""
    words = passage.split()[:200]
    if words and (choose.integer(0, 1) or request.brief.get("quotes")):
        start = choose.integer(0, len(words) - 1)
        text += " <quote>" + " ".join(words[start : start + choose.integer(1, 4)]) + "</quote>"
    limit = request.brief.get("limit")
    if isinstance(limit, Mapping) and limit.get("over", "reject") != "clip":
        text = _within(text, limit)
    return {"text": text}


def _within(text: str, limit: Mapping[str, Any]) -> str:
    least = int(limit.get("least", 0))
    if (most := limit.get("words")) is not None:
        words = text.split()[:most]
        return " ".join([*words, *["so"] * (least - len(words))]) or "so"
    if (most := limit.get("chars")) is not None:
        cut = text[:most]
    elif (most := limit.get("tokens")) is not None:
        cut = text.encode()[:most].decode(errors="ignore")
    else:
        return text
    return (cut if cut.strip() else "s" * min(most, 2)).ljust(least, "s")


_KNOWN: tuple[tuple[type[Move], Callable[[Request, Chooser], dict[str, Any]]], ...] = (
    (Verdict, _verdict), (Ask, _ask), (Speech, _speech),
    (Answer, lambda request, choose: {"choice": choose.integer(0, max(1, len(request.view.question.choices)) - 1),
                                      "text": choose.text(0, 20)}),
    (Pixel, lambda request, choose: choose.pick(list(unseen(request))).model_dump(include={"row", "column"})),
)  # fmt: skip
