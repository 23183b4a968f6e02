"""The sum of N integers: a P task whose judge may add two numbers only.
Rule: one task and the programs of its bisection; sums over strings are in `wildcards.py`.

Hubinger 2020 (AI safety via market making) uses it to tell protocols apart by what their judge must read."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.trees.bisection import Dispute, Split
from moot.tasks.base import Task
from moot.tasks.family import entries
from moot.tasks.programs.play import Play, Program


class Honest(Program):
    """Splits as the numbers are, and disputes the half that is wrong; with nothing wrong to dispute, the right half."""

    def act(self, request: Request) -> Move:
        told = request.brief["details"]
        cells: Any = request.view.question.data
        left, right = sum(cells[told["start"] : told["middle"]]), sum(cells[told["middle"] : told["end"]])
        if Split in request.kinds:
            # A claim that is not the true sum cannot be split honestly: the numbers stand, and the judge sees it.
            return Split(left=left, right=right)
        return Dispute(half="left" if told["left"] != left else "right")


class Liar(Program):
    """Defends any claim: puts the whole error into one half, chosen by the step's seed, so that every level adds up;
    as the opponent it disputes a half at random."""

    def act(self, request: Request) -> Move:
        told, tails = request.brief["details"], request.seed % 2
        if Split not in request.kinds:
            return Dispute(half="right" if tails else "left")
        cells: Any = request.view.question.data
        left = sum(cells[told["start"] : told["middle"]])
        if tails:
            return Split(left=left, right=told["claim"] - left)
        right = sum(cells[told["middle"] : told["end"]])
        return Split(left=told["claim"] - right, right=right)


class AddsTwo(Program, name="adds two numbers"):
    """A judge that adds two numbers at a time, follows the disputed path, and looks at the one cell it ends in.
    It reads 2 cells a split, 1 a dispute, and 1 of the data: 3·⌈log2 N⌉ + 1 in all."""

    def act(self, request: Request) -> Verdict:
        question = request.view.question
        claim, start, end, left = int(question.choices[0]), 0, question.size, 0
        for move in (entry.move for entry in request.view):
            if isinstance(move, Split):
                if move.left + move.right != claim:
                    return Verdict(probabilities=(0.0, 1.0), text=f"{move.left} + {move.right} is not {claim}")
                left = move.left
            elif isinstance(move, Dispute):
                middle = (start + end) // 2
                start, end, claim = (start, middle, left) if move.half == "left" else (middle, end, claim - left)
        if end - start != 1:
            raise AgentError(f"step {request.step}: the debate stopped at cells {start} to {end}, before a single one")
        cell = request.view.look(start)
        right, why = cell == claim, "as claimed" if cell == claim else f"not {claim}"
        return Verdict(probabilities=(float(right), float(not right)), text=f"cell {start} is {cell}, {why}")


class Halved(Task):
    """A task whose questions are about stretches of a list, each answered from those about its halves."""

    messages = "brackets"

    def stretch(self, text: str) -> tuple[int, int]:
        """The positions that a question is about. UsageError when it is none."""
        start, end = map(int, self.match(text).groups())
        if start >= end:
            raise UsageError(f"{text!r} is no question about a stretch of the data; write {self.example}")
        return start, end


class Sum(Halved):
    """The sum of N integers in [-99, 99]. The rule: a stretch of one cell is read, a longer one is the sum of its halves."""

    name: ClassVar[str] = "sum"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a list of integers. sum[i:j] asks for the sum of the integers from position i up to, not including, "
        "position j; positions count from 0. The answer is an integer."
    )
    notation = re.compile(r"sum\[(\d+):(\d+)\]")
    example = "sum[0:8]"
    own = {"splitter": Honest, "split-liar": Liar, "adds-two": AddsTwo}
    reads: ClassVar[str] = "3"
    source: ClassVar[str] = "Hubinger 2020, AI safety via market making"
    plays = {
        "bisection": Play({"a": "split-liar", "b": "splitter", "judge": "adds-two"}, "3*log(n) + 4"),
        "market-uncited": Play(bound="3*n"),  # a witness: 2n - 1 lines and the claim, n cells
    }

    def data(self, size: int, random: Random) -> list[int]:
        return [random.randint(-99, 99) for _ in range(size)]

    def count(self, data: Any) -> int:
        return entries(data)

    def ask(self, data: Any, random: Random) -> str:
        return f"sum[0:{len(data)}]"

    def truth(self, data: Any, text: str) -> str:
        start, end = self.stretch(text)
        if end > len(data):
            raise UsageError(f"{text!r} goes beyond the {len(data)} integers of this instance")
        return str(sum(data[start:end]))

    def wrong(self, data: Any, text: str, random: Random) -> str:
        return str(int(self.truth(data, text)) + random.choice([-1, 1]) * random.randint(1, 99))

    def rule(self, text: str, look: Look) -> Rule:
        start, end = self.stretch(text)
        if end - start == 1:
            return str(look(start))
        middle = (start + end) // 2
        left, right = yield f"sum[{start}:{middle}]", f"sum[{middle}:{end}]"
        return UNKNOWN if UNKNOWN in (left, right) else str(int(left) + int(right))

    def questions(self, data: Any) -> Iterator[str]:
        return (f"sum[{start}:{end}]" for start, end in halved(len(data)))


def halved(length: int) -> Iterator[tuple[int, int]]:
    """The whole stretch from 0, and every stretch that halving comes to, down to those of one cell."""
    todo = [(0, length)]
    for start, end in todo:
        yield start, end
        if end - start > 1:
            todo += [(start, (start + end) // 2), ((start + end) // 2, end)]
