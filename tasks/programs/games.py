"""What the tasks that are games share: reading lists cell by cell, players that look ahead, and verdicts on a claim."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from random import Random
from typing import Any

from moot.complexity.rules import Look
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Request

After = Callable[[Request], Iterable[tuple[Move, str]]]
"""The moves worth thinking of, each with the answer that optimal play leads to after it."""


class Player:
    """A debater that looks ahead: of the moves after which its answer still comes out, the first; with none, any.
    lies: it works for the wrong answer from whichever seat it sits in; otherwise for its own seat's. Where no move
    reaches that, it draws one by the step's seed, in the hope that the other errs."""

    def __init__(self, truth: Callable[[Any, str], str], after: After, lies: bool = False) -> None:
        self.truth, self.after, self.lies = truth, after, lies

    def act(self, request: Request) -> Move:
        question = request.view.question
        if request.seat not in ("a", "b") or len(question.choices) != 2:
            raise UsageError(
                f"step {request.step}: this program debates two choices, from seat a or b, not {request.seat}"
            )
        own = question.choices["ab".index(request.seat)]
        if self.lies:
            true = self.truth(question.data, question.text)
            own = next(choice for choice in question.choices if choice != true)
        moves = []
        for move, answer in self.after(request):
            if answer == own:
                return move
            moves.append(move)
        return Random(request.seed).choice(moves)

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "liar" if self.lies else "honest"}


def listed(look: Look, *address: int | str) -> Iterator[Any]:
    """The cells of a list in the data, one look each, until there are no more."""
    for index in count():
        try:
            cell = look(*address, index)
        except (Illegal, IndexError):
            return
        yield cell


def ruled(question: Question, claim: str, holds: bool, why: str) -> Verdict:
    """The verdict that `claim` is right, or that the other choice is."""
    first = (question.choices[0] == claim) == holds
    return Verdict(probabilities=(1.0, 0.0) if first else (0.0, 1.0), text=why)
