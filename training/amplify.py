"""Amplify^H(X): plays one step of amplification for many questions at the same time, without recording.
Rule: it plays and gives answers; nothing is learned here, and no true answer is asked for."""

from collections.abc import Callable, Sequence
from typing import Any

from moot.complexity.rules import looker
from moot.protocols.amplification.amplification import Amplification, Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.curriculum import CurriculumTask, look_up
from moot.training.learners import Learner

Act = Callable[[Request], Move]


class Amplifier:
    """Plays `Amplification(model=True, depth=1)` about one instance: the overseer asks, the model answers the parts, the
    environment primitive ones; what is neither primitive nor learnable gets "?". With a depth, a question may ask for
    itself: the model has an answer to it already. targets: how many questions were played so far; failed: how many of
    these ended without a decision (their answer is "?"). seed: of the requests' seeds, which go up from play to play."""

    def __init__(self, task: CurriculumTask, data: Any, seed: int = 0) -> None:
        self.task, self.data, self.seed = task, data, seed
        choices = tuple(task.answers(data))
        size = len(data) if not isinstance(data, dict) else int(data["size"])
        self.protocol = Amplification(model=True, depth=1, width=max(16, size), turns=8, questions=1 << 20)
        self.question = Question("…", choices, data=data, about=task.about, size=size, unit="cells", id=None)
        self.learnable = frozenset(task.learnable(data))
        self.look = looker(data)
        self.looked: dict[str, str] = {}
        self.targets = self.failed = 0

    def play(self, questions: Sequence[str], overseer: Act, model: Learner) -> list[str]:
        """The answers of Amplify to questions. All that the model is asked at one time it is asked in one call."""
        games = running = [self._open(text) for text in questions]
        while running:
            asked: list[tuple[Game, str, str]] = []
            for game in running:
                # An illegal move leaves its step open, to be asked again, until the seat has forfeited.
                while any(game.open[step].ask.seat == "overseer" for step in game.open):
                    for step, request in game.requests().items():
                        if request.seat == "overseer":
                            game.answer(step, overseer(request))
                asked += [(game, step, request.view.question.text) for step, request in game.requests().items()]
            wanted = list(dict.fromkeys(text for *_, text in asked if text in self.learnable))
            known = dict(zip(wanted, model.predict(wanted), strict=True))
            for game, step, text in asked:
                game.answer(step, Reply(answer=known[text] if text in known else self.environment(text)))
            running = [game for game in running if game.outcome is None]
        return [self._decided(game) for game in games]

    def _open(self, text: str) -> Game:
        self.targets += 1
        # A copy, so that the data is checked once and not in each play.
        question = self.question.model_copy(update={"text": text})
        return Game(self.protocol, question, seed=self.seed * 1_000_003 + self.targets).start()

    def environment(self, text: str) -> str:
        """The answer to a primitive question; "?" to what is no question about this instance."""
        if text not in self.looked:
            try:
                primitive = self.task.primitive(text)
                self.looked[text] = look_up(self.task, text, self.look) if primitive else UNKNOWN
            except (UsageError, LookupError):
                self.looked[text] = UNKNOWN
        return self.looked[text]

    def _decided(self, game: Game) -> str:
        chosen = game.outcome.verdict.choice if isinstance(game.outcome, Decided) else None
        self.failed += not isinstance(game.outcome, Decided)
        return UNKNOWN if chosen is None else game.question.choices[chosen]
