"""What protocols of several families check and share: the choices of a question, the fields of a move, two sides.

Rule of this file: it knows no protocol by name.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, TypedDict, TypeVar

from pydantic import JsonValue

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError, standing
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Answer, Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.values.frozen import remade
from moot.protocols.engine.view import Source, View
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting, quoted
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum

M = TypeVar("M", bound=Move)


def checked(
    one_of: Mapping[str, Collection[str]] | None = None, most: Mapping[str, int] | None = None, **filled: Any
) -> Callable[[M], M]:
    """The check of a move: a field is among these texts, a list has at most so many entries; then the fields that the
    protocol fills in."""

    if not one_of and not most:
        return lambda move: fill(move, **filled)

    def check(move: M) -> M:
        for field, texts in (one_of or {}).items():
            if (text := getattr(move, field)) not in texts:
                raise Illegal(f"{text[:40]!r} is none of {', '.join(texts)}")
        for field, count in (most or {}).items():
            if (given := len(getattr(move, field))) > count:
                raise Illegal(f"at most {count} {field} may be given here, not {given}")
        return fill(move, **filled)

    return check


def fill(move: M, **fields: Any) -> M:
    """The move with these fields; itself where it has them already."""
    for name, value in fields.items():
        if getattr(move, name) != value:
            return remade(move, fields)
    return move


def shortened(move: M, limit: Limit | None, last: bool = False) -> M:
    """The move with its `text` within the limit. last: no attempt is left. Raises Illegal where the limit rejects."""
    if limit is None or not (move.text or limit.least):  # type: ignore[attr-defined]
        return move
    with standing(lambda: move):
        return fill(move, text=limit.apply(move.text, last=last))  # type: ignore[attr-defined]


class Told(TypedDict, total=False):
    """What a brief tells of the rules for words."""

    limit: Mapping[str, JsonValue]
    quote_limit: Mapping[str, JsonValue]
    quotes: str


def told(limit: Limit | None, quote_limit: Limit | None = None, quotes: Quoting = "free") -> Told:
    """The rules for words as they stand in a brief."""
    given = (("limit", limit), ("quote_limit", quote_limit))
    found: Any = {name: each.model_dump(exclude_none=True) for name, each in given if each is not None}
    if quotes != "free":
        found["quotes"] = quotes
    return found  # type: ignore[no-any-return]


def need_choices(protocol: Protocol, question: Question, answer: int | None = None) -> None:
    """Raise UsageError unless the question has two or more choices, and `answer` is the index of one."""
    count = len(question.choices)
    if count < 2:
        raise UsageError(f"{protocol.name} decides between choices; {question.text!r} has none: give two or more")
    if answer is not None and answer >= count:
        raise UsageError(f"{protocol.name}: answer {answer} is none of the {count} choices")


def need_passage(protocol: Protocol, question: Question, quotes: Quoting) -> None:
    """Raise UsageError where speakers must quote a passage that there is not."""
    if quotes != "free" and not question.passage:
        raise UsageError(f'{protocol.name}: quotes="{quotes}" needs a passage to quote; {question.text!r} has none')


def unseen(judge: str, source: Source, question: Question) -> str | None:
    """What is short where a judge who checks single steps may look at nothing of a question that has a source; else None."""
    hidden = source == "none" and question.has_source
    return f"the {judge} may look at nothing of the data, and so can check no step that rests on it" if hidden else None


async def choose(
    floor: Floor, seat: str, source: Source = "all", silent: bool = False, check_quotes: bool = True
) -> int:
    """Ask a seat which choice it will defend; its answer is public. silent: without its words. check_quotes: whether the
    quotes in them are verified."""
    count, passage = len(floor.question.choices), floor.question.passage

    def check(move: Answer) -> Answer:
        if move.choice >= count:
            raise Illegal(f"answer {move.choice} is none of the {count} choices")
        if silent:
            return fill(move, text="", quotes=())
        return quoted(move, passage) if check_quotes else move

    return (await floor.ask(seat, Answer, view=floor.said(seat, source=source), check=check, task="answer")).choice


class TwoSided(Protocol):
    """Seat a defends choice 0 and seat b choice 1 before a judge. The payoffs are zero-sum, by the field `scoring`."""

    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    zero_sum: ClassVar[bool] = True
    if TYPE_CHECKING:
        scoring: ScoringRule = ScoringRule()

    def roles(self, question: Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise UsageError(f"{self.name} needs 2 choices; {question.text!r} has {len(question.choices)}")
        return {"a": "debater", "b": "debater", "judge": "judge"}

    def defended(self, question: Question, chosen: Mapping[str, int]) -> dict[str, int]:
        return {"a": 0, "b": 1}

    def decided(self, floor: Floor, verdict: Verdict) -> Decided:
        """What the judge's verdict, given in this step, pays."""
        scoring: Any = self.scoring  # frozen, and so hashable
        return Decided(verdict, payoffs=dict(_paid(scoring, verdict.probabilities)), step=floor.step)

    async def judged(self, floor: Floor, view: View, task: str = "verdict", **brief: Any) -> Decided:
        """The verdict of the judge, who is shown this view, and what it pays."""
        return self.decided(floor, await floor.ask("judge", Verdict, view=view, task=task, **brief))

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, 2)


@lru_cache(maxsize=1024)
def _paid(scoring: ScoringRule, probabilities: tuple[float, ...]) -> dict[str, float]:
    return zero_sum(scoring, probabilities, ("a", "b"))
