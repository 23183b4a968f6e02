"""Recursive debate by decomposition: a claim is taken apart, the opponent names a part that is wrong, the judge reads it.
Rule: one protocol, its moves, and the tree of claims that `prover_estimator.py` builds on too.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899). Barnes and Christiano 2020 (Debate update: obfuscated arguments
problem) show where it fails: an opponent who knows that some part is wrong, and cannot find which, can only guess.
One round whose disputed part is answered by the seat `below` has the operator of HCH (docs/debate/exchange.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from moot.protocols.amplification.moves import Open, Reply, Text
from moot.protocols.checks import checked, choose, fill, need_choices, unseen
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import beyond
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.engine.view import Entry, Source
from moot.protocols.pointers import Store, as_messages, check_message, shown
from moot.protocols.quotes import quoted

M = TypeVar("M", bound=Move)

RIGHT, WRONG = "right", "wrong"
"""What the judge decides between when it is shown one claim."""
FOLLOWS = "0"
"""What the opponent picks when every part may be right, and the claim does not follow from them."""
ASKED = {
    "read": "Is this claim right?",
    "follows": "Is the first claim right, by what is said of those that it rests on?",
    "given": "Is the claim right, if the answer given below it is?",
}
"""What the judge is asked, by its task. The claims are statements, which it pays for: no text of a debater is a question."""


class Claim(BaseModel):
    """That `answer` is the right answer to `question`."""

    model_config = ConfigDict(frozen=True, extra="forbid", revalidate_instances="always")
    question: Text
    answer: Text

    def __str__(self) -> str:
        return f"{self.question} → {self.answer}"


class Decomposition(Move, argues=True, filled=("of",), quoting=("claims",)):
    """The claims that a claim rests on. of: its question (the protocol fills it in)."""

    kind: Literal["decomposition"] = "decomposition"
    of: str = ""
    claims: Annotated[tuple[Claim, ...], Field(min_length=1)]
    quotes: Quotes = ()

    def content(self) -> str:
        return "\n".join(f"{number}. {claim}" for number, claim in enumerate(self.claims, 1))

    def cells(self) -> int:
        return len(self.claims)

    def excess(self) -> int:
        return beyond(*(text for claim in self.claims for text in (claim.question, claim.answer)))

    def in_words(self) -> str:
        return f"{self.of} rests on" + "".join(f"\n({i}) {claim}" for i, claim in enumerate(self.claims, 1))


class Pick(Move, argues=True, fixed_cells=1, read_as="{claim}"):
    """The number of the claim, of those just given, that the debate goes on about: "1" is the first."""

    kind: Literal["pick"] = "pick"
    claim: Text

    def in_words(self) -> str:
        return "the claim does not follow" if self.claim == FOLLOWS else f"claim ({self.claim})"


class Claimed(Move, fixed_cells=1, read_as="{of} → {answer}", quoting=("of", "answer")):
    """A claim as the judge is shown it. Nobody is asked for it."""

    kind: Literal["claimed"] = "claimed"
    of: str
    answer: str
    quotes: Quotes = ()

    def excess(self) -> int:
        return beyond(self.of, self.answer)


@dataclass(frozen=True, slots=True)
class Stated:
    """A claim that was made at a step."""

    question: str
    answer: str
    step: str

    @property
    def shown(self) -> Claimed:
        """The claim as the judge is shown it."""
        return Claimed(of=self.question, answer=self.answer)


class ClaimTree(Protocol):
    """What recursive debates share: seat a answers the question and takes claims apart, the judge is shown one claim.

    rounds: how often a claim is taken apart before the judge reads. width: how many parts there may be. source: what of
    the question's data a and b see ("all", "metered" cell by cell, "none"); judge_source: what the judge sees of it.
    check_quotes: whether quotes in claims and reasons are verified.
    """

    players: ClassVar[tuple[str, ...]] = ("prover", "opponent", "judge")
    dynamics: ClassVar[str] = "sequential"
    zero_sum: ClassVar[bool] = True
    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    rounds: Annotated[int, Field(ge=1)] = 1
    width: Annotated[int, Field(ge=1)] = 8
    source: Source = "all"
    judge_source: Source = "metered"
    check_quotes: bool = True

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        return {"a": "prover", "b": self.players[1], "judge": "judge"}

    def sees(self, question: Question) -> dict[str, Source]:
        return {seat: self.judge_source if seat == "judge" else self.source for seat in self.roles(question)}

    async def claim(self, floor: Floor, question: Question, store: Store | None = None) -> tuple[Stated, int]:
        """What a claims of the whole question, and which choice that is. store: of messages, where there may be pointers."""
        choice = await choose(floor, "a", self.source, check_quotes=self.check_quotes)
        return Stated(_stored(question.text, store), question.choices[choice], floor.step), choice

    async def parts(
        self, floor: Floor, claim: Stated, round: int, under: str | None, store: Store | None = None
    ) -> tuple[Stated, ...]:
        """The claims that a rests a claim on."""
        most = {"claims": self.width}
        fitting = checked(most=most, of=claim.question)

        def legal(move: Decomposition) -> Decomposition:
            for text in (text for made in move.claims for text in (made.question, made.answer)):
                _stored(text, store)
            return self.verified(floor, fitting(move))

        made: Decomposition = await floor.ask(
            "a", Decomposition, view=floor.said(source=self.source), check=legal,
            under=under, task="decompose", claim=claim.question, claimed=claim.answer, round=round, rounds=self.rounds,
            most=most,
        )  # fmt: skip
        step = floor.step
        return tuple(Stated(_stored(each.question, store), _stored(each.answer, store), step) for each in made.claims)

    def verified(self, floor: Floor, move: M) -> M:
        """The move with its quotes verified, where they are checked here."""
        if not self.check_quotes:
            return move
        passage = floor.question.passage
        return quoted(move, passage, alike=as_messages(passage) if self.pointers else None)

    def entry(self, floor: Floor, claim: Stated) -> Entry:
        """A claim as a statement on the record of those who are shown it alone."""
        return Entry(claim.step, "a", self.verified(floor, claim.shown))

    async def pick(self, floor: Floor, seat: str, parts: Sequence[Stated], round: int, *more: str) -> int:
        """Which part the seat picks, as an index; -1 for "0", where that is among `more`."""
        one_of = {"claim": [*more, *map(str, range(1, len(parts) + 1))]}
        picked: Pick = await floor.ask(
            seat, Pick, view=floor.said(source=self.source), check=checked(one_of), under=parts[0].step,
            relation="attacks", task="pick", round=round, rounds=self.rounds, one_of=one_of,
        )  # fmt: skip
        return int(picked.claim) - 1

    async def judged(self, floor: Floor, claim: Stated, *given: Entry, task: str, store: Store | None = None) -> float:
        """How probable it is to the judge that the claim is right; it is shown the claim, what is given, and no more."""
        verdict: Verdict = await self.put(
            floor, "judge", Verdict, ASKED[task], self.entry(floor, claim), *given, choices=(RIGHT, WRONG), store=store,
            source=self.judge_source, task=task,
        )  # fmt: skip
        return verdict.probabilities[0]

    async def put(
        self, floor: Floor, seat: str, kind: Any, text: str, *entries: Entry, source: Source, store: Store | None,
        choices: tuple[str, ...] = (), check: Callable[[Any], Move] | None = None, **more: Any,
    ) -> Any:  # fmt: skip
        """A seat's move on a text, with these statements before it. Where there may be pointers it may open some first."""
        seen, kinds, visible = list(entries), kind, list[str]()
        while True:
            if store is not None:
                visible, more["details"] = shown(text, *(entry.move.content() for entry in seen)), {"pointers": True}
                opens = bool(visible) and len(seen) < len(entries) + self.opening()
                kinds, more["one_of"] = (kind | Open, {"pointer": visible}) if opens else (kind, {})
            legal = (
                partial(_opened, store, visible, check, partial(self.verified, floor)) if store is not None else check
            )
            view = floor.only(text, *seen, choices=choices, source=source)
            move = await floor.ask(seat, kinds, view=view, check=legal, **more)
            if not isinstance(move, Open):
                return move
            seen.append(Entry(floor.step, seat, move))

    def opening(self) -> int:
        """How many pointers a seat may open before it answers."""
        return 0

    def most_moves(self, question: Question) -> dict[str, int] | None:
        return {"a": 1 + self.rounds, "b": self.rounds, "judge": 1}


class DecompositionDebate(ClaimTree):
    """a claims an answer and takes it apart; b names the part that is wrong; the judge reads what is left.

    After `rounds` rounds the judge reads the data to see whether the claim at hand is right. b may also pick "0": the claim
    does not follow; then the judge is shown the parts alone, as if all of them held. a is paid 2 p − 1 and b the opposite,
    where p is the judge's probability that what it was shown is right, and the verdict gives a's answer p.

    A right claim has right parts, and a wrong one has a wrong part or does not follow, so that under optimal play b wins
    exactly when a's answer is wrong. A b that cannot tell which of m parts is wrong wins with probability 1/m.

    below: the part that is left is settled by one more seat, "below", such as a model as it was trained by earlier debates.
    It is asked the part's question, sees neither claim nor debate, and the judge says whether the claim is right if that
    answer is. With one round, optimal play, and a judge who accepts a step exactly where it follows by a rule, a wins with
    an answer exactly when the rule gives it from the answers of "below" to the parts (docs/debate/exchange.md). A claim that rests on
    no other is its own only part; a part that is the claim's own question is read by the judge, and not asked of "below".

    Premise `right-below`, which no play can show: "below" answers rightly every question that the rule asks for the
    question of the play (with more rounds: that stands so many steps of the rule under it). Then the verdict is right.
    """

    name: ClassVar[str] = "decomposition-debate"
    players: ClassVar[tuple[str, ...]] = ("prover", "opponent", "judge", "below")
    complexity_class: ClassVar[str | None] = "EXP"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "right-below")

    below: bool = False

    def roles(self, question: Question) -> dict[str, str]:
        if self.pointers:
            check_message(self.name, question.text)
        return {**super().roles(question), **({"below": "below"} if self.below else {})}

    async def play(self, floor: Floor, question: Question) -> Decided:
        store = Store() if self.pointers else None
        claim, choice = await self.claim(floor, question, store)
        given, task, under = list[Entry](), "read", None
        for round in range(1, self.rounds + 1):
            parts = await self.parts(floor, claim, round, under, store)
            picked = await self.pick(floor, "b", parts, round, FOLLOWS)
            under = floor.step
            if picked < 0:
                given, task = [self.entry(floor, part) for part in parts], "follows"
                break
            whole, claim = claim, parts[picked]
            if self.below and claim.question == whole.question:
                break
        else:
            if self.below:
                given, task = [await self.answer(floor, claim, under, store)], "given"
        right = await self.judged(floor, claim, *given, task=task, store=store)
        verdict = believed(right, choice, len(question.choices))
        return Decided(verdict, payoffs={"a": 2 * right - 1, "b": 1 - 2 * right}, step=floor.step)

    def decides(self, question: Question) -> str | None:
        """Without the seat below, the judge reads a claim that nobody has settled: no class is claimed."""
        return self.complexity_class if self.below else None

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        return unseen(self.judge, self.judge_source, question)

    async def answer(self, floor: Floor, claim: Stated, under: str | None, store: Store | None) -> Entry:
        """What the seat "below" answers to the question of a claim."""
        task = "amplify" if store is None else "amplify-strong"

        def filled(move: Reply) -> Reply:
            return self.verified(floor, fill(move, of=claim.question, answer=_stored(move.answer, store)))

        reply: Reply = await self.put(
            floor, "below", Reply, claim.question, source=self.source, store=store, check=filled, say=False, to=("judge",), under=under, relation="answers", task=task,
        )  # fmt: skip
        return Entry(floor.step, "below", reply)

    def utility_bound(self, question: Question) -> float:
        return 1.0

    def most_moves(self, question: Question) -> dict[str, int] | None:
        most, opens = {"a": 1 + self.rounds, "b": self.rounds, "judge": 1}, self.opening() + 1
        return {**most, "judge": opens, **({"below": opens} if self.below else {})}


class PointerDecompositionDebate(DecompositionDebate):
    """Decomposition debate whose claims may hold pointers to messages of any size; the seat "below" settles it.

    What stands in square brackets in a claim is a message of its own, and a pointer ("&" and 12 hex digits) stands in its
    place for judge and "below". Either may open a pointer that it was shown, which is a read. The debaters see what was
    written whole. Premise, `right-below`: as in DecompositionDebate. opens: the most pointers opened before one answer.
    """

    name: ClassVar[str] = "decomposition-debate-pointers"
    complexity_class: ClassVar[str | None] = "R"
    pointers: ClassVar[bool] = True

    below: bool = True
    opens: Annotated[int, Field(ge=0)] = 16

    def opening(self) -> int:
        return self.opens

    def decides(self, question: Question) -> str | None:
        """Messages that may not be opened are of a bounded size, as those of the plain debate are."""
        reached = super().decides(question)
        return reached if self.opens else reached and "EXP"


def believed(probability: float, choice: int, count: int) -> Verdict:
    """The verdict that gives one choice this probability, and each other one an equal share of the rest."""
    rest = (1 - probability) / (count - 1)
    return Verdict(probabilities=tuple(probability if index == choice else rest for index in range(count)))


def _stored(text: str, store: Store | None) -> str:
    """A text as it goes on: its messages in the store, pointers in their place. Raises Illegal where it is no message.
    Storing twice changes nothing, so that a move may be checked any number of times."""
    return text if store is None else store.intern(text)


def _opened(
    store: Store,
    visible: Collection[str],
    check: Callable[[Any], Move] | None,
    verified: Callable[[Open], Move],
    move: Any,
) -> Move:
    """The check of a seat that may open pointers."""
    if not isinstance(move, Open):
        return move if check is None else check(move)
    if move.pointer not in visible:
        raise Illegal(f"{move.pointer[:40]!r} was not shown to you; what may be opened is {', '.join(visible)}")
    return verified(fill(move, text=store.open(move.pointer)))
