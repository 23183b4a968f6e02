"""Fresh answers: seats write what they then defend, where a question has no choices.
Rule: two protocols and their one move; debate over the answers, once they are there, is `debate.py`'s.

The proposer and critic are those of debate training on mathematics (github.com/ethanelasky/debate, DESIGN-pc-format.md): the
proposal is the opening and is graded, the critic always speaks second and has the last word, and the judge decides whether
the proposed answer is right. That seats choose what they defend is open debate (Kenton et al. 2024, arXiv 2407.04622).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, PrivateAttr

from moot.protocols.checks import fill, told
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Speeches, Turn
from moot.protocols.debate.slots import Slot
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Asked, Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, as_shown, reworded
from moot.protocols.engine.values.frozen import frozen
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit
from moot.protocols.quotes import Quoting, on_record
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum

RIGHT, WRONG = "the proposed answer is right", "the proposed answer is wrong"
"""What the judge of a proposal decides between."""


class Proposal(
    Move, argues=True, asked_first=("text",), read_as="{text}\nAnswer: {answer}", marked={"answer": "answer"}, quoting=("text",)
):  # fmt: skip
    """An answer of the seat's own, which is graded as it stands in `answer`, and in `text` what shows that it is right."""

    kind: Literal["proposal"] = "proposal"
    answer: Annotated[str, Asked("your final answer, alone", "Your final answer, alone")]
    text: Annotated[str, Asked("what shows that it is right", "What shows it (may be empty)", empty=True)] = ""
    quotes: Quotes = ()

    def in_short(self, choices: Any) -> str:
        return f"answers “{self.answer}”"


Count = Annotated[int, Field(ge=1, le=100_000)]


def _proposed(move: Proposal, most: int) -> Proposal:
    """Raises Illegal on an answer that shows nothing, or is too long."""
    if not as_shown(move.answer):
        raise Illegal("the answer is empty; write your final answer, alone, into answer")
    if len(move.answer) > most:
        raise Illegal(f"the answer has {len(move.answer)} characters; at most {most}: what shows it goes into text")
    return move


def _open(protocol: Protocol, question: Question) -> None:
    if question.choices:
        raise UsageError(
            f"{protocol.name} is for questions without choices, as its seats write the answers; {question.text!r} has {len(question.choices)}"
        )


class ProposerCritic(Protocol):
    """The proposer writes an answer of its own and what shows it, the critic says what is wrong with it and has the last word,
    and the judge decides whether the answer is right.

    rounds: how often the proposer replies and the critic speaks again after the critique. answer_limit: the most characters of
    the answer. swap: whether the judge is shown "wrong" before "right"; everybody stays in their seat. limit, quote_limit, quotes: of the proposal's text and
    every speech; slots: of the speeches. judge_source, scoring: as in Debate.

    Payoffs are zero-sum: the proposer gets the score of "right" less the mean of both, the critic what it loses. The judge
    may find the answer wrong without knowing another; then none stands. No class is claimed: the judge decides about an answer,
    and which answers are proposed is the proposer's to say.
    """

    name: ClassVar[str] = "proposer-critic"
    players: ClassVar[tuple[str, ...]] = ("proposer", "critic", "judge")
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True

    rounds: Annotated[int, Field(ge=0, le=1000)] = 1
    answer_limit: Count = 1000
    swap: bool = False
    limit: Limit | None = None
    quote_limit: Limit | None = None
    quotes: Quoting = "free"
    slots: tuple[Slot, ...] = ()
    judge_source: Source = "none"
    scoring: ScoringRule = ScoringRule()

    @property
    def options(self) -> tuple[str, str]:
        """What the judge decides between, in the order in which it is shown them."""
        return (WRONG, RIGHT) if self.swap else (RIGHT, WRONG)

    def roles(self, question: Question) -> dict[str, str]:
        _open(self, question)
        self.speech().fits(self, question)
        return {"proposer": "proposer", "critic": "critic", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        rules: tuple[Limit | None, Limit | None, Quoting] = self.limit, self.quote_limit, self.quotes
        bare = self.quotes == "free" and not (self.limit and self.limit.least)

        def check(move: Proposal, last: bool = False) -> Proposal:
            _proposed(move, self.answer_limit)
            if bare and not move.text.strip():
                return fill(move, text="", quotes=())
            return on_record(move, question.passage, *rules, last)

        speech, turn = self.speech(), Turn(round=1, rounds=1 + self.rounds)
        await floor.ask(
            "proposer", Proposal, view=floor.said("proposer", source="all"), check=check, last=lambda move: check(move, True), task="propose",
            **told(*rules),
        )  # fmt: skip
        said = floor.step
        for turn.round in range(1, self.rounds + 2):
            about: Any = {"round": turn.round, "rounds": turn.rounds}
            if turn.round > 1:
                await speech.turn(floor, "proposer", turn, about, said, "supports", "defence")
                said = turn.last["proposer"]
            await speech.turn(floor, "critic", turn, about, said, "attacks", "critique")
            said = turn.last["critic"]
        shown = question if self.judge_source == "all" else question.without_source()
        asked = reworded(shown, question.text, self.options)
        view = floor.said("judge", source=self.judge_source).then(asking=asked)
        verdict = await floor.ask("judge", Verdict, view=view, task="verdict")
        return Decided(verdict, payoffs=self.payoffs(verdict), step=floor.step)

    def payoffs(self, verdict: Verdict) -> dict[str, float]:
        """What proposer and critic are paid for the verdict."""
        seats = ("critic", "proposer") if self.swap else ("proposer", "critic")
        return zero_sum(self.scoring, verdict.probabilities, seats)

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"proposer": "all", "critic": "all", "judge": self.judge_source}

    def proposed(self, steps: Iterable[Any]) -> tuple[str, ...]:
        return _answers(steps)[:1]

    def standing(self, steps: Iterable[Any], verdict: Verdict) -> str | None:
        chosen = None if verdict.choice is None else self.options[verdict.choice]
        return next(iter(self.proposed(steps)), None) if chosen == RIGHT else None

    def right(self, grades: tuple[float, ...]) -> int | None:
        return self.options.index(RIGHT if grades[0] == 1 else WRONG)

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, 2)

    def most_moves(self, question: Question) -> dict[str, int]:
        each = len(self.slots) or 1
        return {"proposer": 1 + each * self.rounds, "critic": each * (1 + self.rounds), "judge": 1}

    def speech(self) -> Speeches:
        """The turn of a speaker."""
        return Speeches(limit=self.limit, quote_limit=self.quote_limit, quotes=self.quotes, slots=self.slots)


class FreshDebate(Protocol):
    """Each debater writes an answer of its own, one after the other and each another one; then they debate over them.

    debaters: how many. params: those of the debate (`Debate`): {"rounds": 1}. answer_limit: the most characters of an answer.
    swap: the answers are listed in the reverse order; everybody stays in their seat and defends the answer that they wrote.

    The first writes blind, and who writes later is shown the answers before and must give another, or forfeits: what all agree on
    needs no debate. Payoffs are the debate's. No class is claimed: none of the answers may be right.
    """

    name: ClassVar[str] = "fresh-debate"
    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    zero_sum: ClassVar[bool] = True

    debaters: Annotated[int, Field(ge=2, le=26)] = 2
    answer_limit: Count = 1000
    swap: bool = False
    params: Annotated[dict[str, Any], AfterValidator(frozen)] = Field(default_factory=dict)

    _inner: Debate = PrivateAttr()

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        if "swap" in self.params:
            raise UsageError(f"{self.name}: swap is a parameter of its own; take it out of params")
        made = Debate(**self.params)
        super().__init__(**{**fields, "params": record_of(made)["params"]})  # as they are recorded, whatever was given
        self._inner = Debate(**self.params, swap=self.swap)

    @property
    def scoring(self) -> ScoringRule:
        """That of the debate."""
        return self._inner.scoring

    def _question(self, question: Question, answers: Iterable[str]) -> Question:
        listed = tuple(answers)
        return reworded(question, question.text, listed[::-1] if self.swap else listed)

    def roles(self, question: Question) -> dict[str, str]:
        _open(self, question)
        return self._inner.roles(self._question(question, map(str, range(self.debaters))))

    async def play(self, floor: Floor, question: Question) -> Decided:
        answers: dict[str, str] = {}

        def check(move: Proposal) -> Proposal:
            shown = as_shown(_proposed(move, self.answer_limit).answer)
            if shown in answers:
                raise Illegal(f"{move.answer[:80]!r} was written before; give another answer, to debate over")
            return fill(move, text="", quotes=())

        for seat in floor.seats("debater"):
            given = await floor.ask(seat, Proposal, view=floor.said(seat, source="all"), check=check, task="propose")
            answers[as_shown(given.answer)] = given.answer
        decided = await floor.play(self._inner, self._question(question, answers.values()))
        return decided.model_copy(update={"step": floor.step})

    def sees(self, question: Question) -> Mapping[str, Source]:
        return self._inner.sees(self._question(question, map(str, range(self.debaters))))

    def proposed(self, steps: Iterable[Any]) -> tuple[str, ...]:
        found = _answers(steps)
        return found[::-1] if self.swap else found

    def standing(self, steps: Iterable[Any], verdict: Verdict) -> str | None:
        return None if verdict.choice is None else self.proposed(steps)[verdict.choice]

    def right(self, grades: tuple[float, ...]) -> int | None:
        return grades.index(1) if grades.count(1) == 1 else None

    def utility_bound(self, question: Question) -> float:
        return most_paid(self.scoring, self.debaters)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        counts = self._inner.most_moves(self._question(question, map(str, range(self.debaters))))
        return counts and {seat: count + (seat != "judge") for seat, count in counts.items()}


def _answers(steps: Iterable[Any]) -> tuple[str, ...]:
    """The answers that were written, in the order of the steps."""
    return tuple(str(step.move["answer"]) for step in steps if step.move.get("kind") == "proposal")
