"""Queries to an oracle: the judge may put single claims to a verifier who sees the source, and is told yes, no, not addressed or invalid.
Rule: one part of a debate, its moves, and the comparison of texts by which a claim is refused.

A judge helped by a verifier of single facts: the limited verification of Irving, Christiano and Amodei 2018 (arXiv 1805.00899,
section 2.2), made a budget; what replies are worth is told apart by arms without their content (`placebo`) and with what
verifiers get wrong put in on purpose (`na`, `wrap`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.checks import fill, told
from moot.protocols.debate.parts import Part, Turn
from moot.protocols.engine.errors import standing
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Asked, Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Source
from moot.protocols.limits import Limit

Finding = Literal["yes", "no", "not addressed", "invalid"]
REASONS = Limit(chars=500, over="clip")
"""What is kept of an oracle's reasons."""
PLAIN = frozenset(
    "a an the is are was were be been being it its that this these those of to in on at by for and or not never does do did has have "
    "had so as answer answers choice option correct incorrect right true false wrong yes no claim statement passage text data "
    "source say says said state states stated support supports supported".split()
)
"""Words by which a claim says nothing of its own."""
_SEVERAL = re.compile(r"[?!;](?![?!;])[\s\"')]*\w|\n[^\S\n]*\w|[^\W\d_]{4}\.[\s\"')]+\w")


class OracleQuery(Move, bare_field="claim", read_as="{claim}"):
    """One claim that the oracle is to verify. An empty one asks nothing more."""

    kind: Literal["oracle-query"] = "oracle-query"
    claim: Annotated[str, Asked("one claim, or nothing to ask no more", "The claim (empty: no more)", empty=True)]


class OracleAnswer(Move, filled=("claim", "shown"), private_fields=("text",), asked_first=("text",), worded="{answer}"):
    """What the oracle finds: whether its source says so ("yes"), says otherwise ("no"), does not say ("not addressed"), or the
    claim is not one that can be verified ("invalid").

    text: its reasons, which nobody is shown. The protocol fills in the `claim` of the judge, and `shown`, the question as
    the oracle was asked it.
    """

    kind: Literal["oracle-answer"] = "oracle-answer"
    answer: Annotated[Finding, Asked("what you find", "What do you find?")]
    text: Annotated[str, Asked("your reasons, in a sentence", "Your reasons (may be empty)")] = ""
    claim: str = ""
    shown: str = ""


class OracleReply(Move, read_as="{text}"):
    """What the judge is told of its claim, in words of the protocol.

    answer: None where it is told none: the claim was refused, or no verification is reported. counted: whether it is one of
    the queries; left: how many more may be put.
    """

    kind: Literal["oracle-reply"] = "oracle-reply"
    text: str
    answer: Finding | None = None
    counted: bool = True
    left: Annotated[int, Field(ge=0)]

    def prompt_attributes(self) -> dict[str, str]:
        answer = {} if self.answer is None else {"answer": self.answer}
        return {"kind": self.kind, **answer, "left": str(self.left)}

    def in_words(self) -> str:
        return f"{self.text} ({self.left} left)"


class Queries(Part):
    """The judge may put `budget` claims to an oracle, one after the other; each is a query of the judge's.

    to: the oracle's seat, of the role "oracle". budget: how many at most; an empty claim asks no more. source: how the oracle sees the source; debate: whether it is shown what was said. The judge and the oracle
    alone are shown claims and replies.

    screen: "contract" refuses what restates an answer (`restates`) or is several claims (`several`): the first time it counts
    as no query, from then on it does, and the oracle is not asked. "none" puts everything to the oracle. limit: of a claim.

    What the judge is told: na="no" tells it no where the oracle finds the claim not addressed; placebo, whatever it finds, that
    no verification was made. wrap=2 asks the oracle in words that are wrapped twice. What the oracle found, and the words that
    it was asked in, stand in its `OracleAnswer` on the record; what the judge was told, in the `OracleReply`.
    """

    judging: ClassVar[bool] = True

    part: Literal["queries"] = "queries"
    to: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,39}$")] = "oracle"
    budget: Annotated[int, Field(ge=0, le=1000, strict=True)] = 1
    screen: Literal["contract", "none"] = "contract"
    wrap: Literal[1, 2] = 1
    na: Literal["as given", "no"] = "as given"
    placebo: Annotated[bool, Field(strict=True)] = False
    source: Source = "all"
    debate: Annotated[bool, Field(strict=True)] = False
    limit: Limit = Limit(chars=300, over="retry")

    @property
    def seats(self) -> Mapping[str, str]:
        return {self.to: "oracle"}

    @property
    def sees(self) -> Mapping[str, Source]:
        return {self.to: self.source}

    def most(self, said: int) -> Mapping[str, int]:
        free = 1 if self.budget and self.screen == "contract" else 0
        return {"judge": self.budget + free, self.to: self.budget}

    async def hold(self, floor: Floor, answers: Mapping[str, int], turn: Turn) -> Verdict | bool | None:
        left, refused = self.budget, False
        short = partial(_shortened, limit=self.limit)
        while left:
            about: Any = {"task": "oracle-query", "details": self.told(left, refused)}
            query = await floor.ask(
                "judge", OracleQuery, view=floor.said("judge", source=turn.judge_source), check=short,
                last=partial(short, last=True), to=(), **about, **told(self.limit),
            )  # fmt: skip
            if not query.claim.strip():
                break
            problem = self.problem(query.claim, floor.question)
            counted = problem is None or refused
            if counted:
                await floor.charge("judge", "queries", 1)
                left -= 1
            if problem is None:
                reply = self.reply(await self.asked(floor, query.claim), left)
            else:
                refused = True
                price = "It counts as a query" if counted else "This time it does not count"
                reply = OracleReply(text=f"Refused: {problem}. {price}.", counted=counted, left=left)
            await floor.tell(reply, to=("judge",))
        return None

    def told(self, left: int, refused: bool) -> Mapping[str, Any]:
        """What the judge is told before it asks: how many queries are left, and the contract in words."""
        sight = "The oracle is shown the source of the question, " + ("and what" if self.debate else "not what")
        rules = f"{sight} the debaters said."
        if self.screen == "contract":
            price = "counts as a query" if refused else "costs nothing the first time, and from then on a query"
            rules += f" What restates an answer, or is more than one claim, is not put to it: that {price}."
        return {"left": left, "queries": self.budget, "rules": rules}

    async def asked(self, floor: Floor, claim: str) -> Finding:
        """What the oracle finds of a claim."""
        shown = wrapped(claim, self.wrap)
        view = floor.only(shown, *(floor.said() if self.debate else ()), source=self.source)
        check = partial(_found, claim=claim, shown=shown)
        return (await floor.ask(self.to, OracleAnswer, view=view, check=check, to=(), task="oracle-answer")).answer

    def reply(self, found: Finding, left: int) -> OracleReply:
        """What the judge is told of it."""
        if self.placebo:
            return OracleReply(text="No verification was made.", left=left)
        answer: Finding = "no" if found == "not addressed" and self.na == "no" else found
        return OracleReply(text=f"The oracle: {answer}.", answer=answer, left=left)

    def problem(self, claim: str, question: Question) -> str | None:
        """Why the contract refuses a claim; None where it does not."""
        if self.screen == "none":
            return None
        if several(claim):
            return "it is more than one claim"
        return "it restates an answer" if restates(claim, question.text, question.choices) else None


def wrapped(claim: str, times: int) -> str:
    """The question that an oracle is asked about a claim."""
    once = f"is it stated that {claim.strip().rstrip('.?!').rstrip()}"
    return f"{'Is it supported that ' + once if times == 2 else once[0].upper() + once[1:]}?"


def several(claim: str) -> bool:
    """Whether a text goes on after the end of a sentence: behind a question or exclamation mark, a semicolon, a new line, or the
    full stop after a word of four letters or more. Two claims in one sentence are the oracle's to find invalid."""
    return _SEVERAL.search(claim.strip()) is not None


def restates(claim: str, question: str, choices: Sequence[str]) -> bool:
    """Whether a claim says nothing but what is asked: besides `PLAIN` words it has none but words of the question, of one
    choice, and numbers or letters that choices may be called by; and it has every word of that choice, or of the
    question, or names a choice by its number or letter. Words are compared without case, accents' encoding and signs."""
    said = _words(claim)
    asked, own = _words(question) - PLAIN, said - PLAIN
    labels = {str(place) for place in range(1, len(choices) + 1)} | set("abcdefghijklmnopqrstuvwxyz"[: len(choices)])
    for choice in map(_words, choices):
        whole = choice - PLAIN or choice
        if own <= asked | whole | labels and (whole <= said or asked <= own or own <= labels):
            return True
    return False


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W_]+", unicodedata.normalize("NFKC", text).casefold()))


def _shortened(move: OracleQuery, limit: Limit, last: bool = False) -> OracleQuery:
    with standing(lambda: move):
        return fill(move, claim=limit.apply(move.claim, last=last)) if move.claim.strip() else move


def _found(move: OracleAnswer, claim: str, shown: str) -> OracleAnswer:
    return fill(move, claim=claim, shown=shown, text=REASONS.apply(move.text, last=True))
