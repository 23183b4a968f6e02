"""What the tasks that are games share: players that look ahead, and how they are seated.

Rule of this file: it knows no game."""

from abc import abstractmethod
from collections.abc import Iterable
from random import Random

from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.tasks.base import Task
from moot.tasks.programs.play import Play, TaskProgram, side_of


class Player(TaskProgram, name="honest", records=()):
    """A debater that looks ahead: of the moves after which its answer still comes out, the first; with none, any: it draws
    one by the step's seed, in the hope that the other errs."""

    task: "Game"

    def act(self, request: Request) -> Move:
        moves = self._worth(request)
        return moves[0] if len(moves) == 1 else Random(request.seed).choice(moves)

    def distribution(self, request: Request) -> list[tuple[Move, float]]:
        """What `act` draws from, for searches that take the expectation."""
        moves = self._worth(request)
        return [(move, 1 / len(moves)) for move in moves]

    def _worth(self, request: Request) -> list[Move]:
        own, moves = self.answer(request), list[Move]()
        for move, answer in self.task.after(request):
            if answer == own:
                return [move]
            moves.append(move)
        return moves

    def answer(self, request: Request) -> str:
        """What it works for: the answer of its seat."""
        return side_of(request)


class Liar(Player, name="liar"):
    """The same, working for the wrong answer from whichever seat it sits in."""

    def answer(self, request: Request) -> str:
        side_of(request)
        question = request.view.question
        true = self.task.truth(question.data, question.text)
        return next(choice for choice in question.choices if choice != true)


class Game(Task):
    """A task that two debaters play, one for each answer. `Player` and `Liar` look ahead with `after`."""

    own = {"honest": Player, "liar": Liar}

    @abstractmethod
    def after(self, request: Request) -> Iterable[tuple[Move, str]]:
        """The moves worth thinking of, each with the answer that optimal play leads to after it."""


def debated(judge: str, bound: str | None = None) -> Play:
    """The play of two honest debaters before a judge."""
    return Play({"a": "honest", "b": "honest", "judge": judge}, bound)
