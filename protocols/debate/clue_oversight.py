"""Oversight of a clue in a word game: the overseer pays for every comparison of two words that it has made.
Rule: one protocol and its moves; the overseers of that study are in `judges/clue_overseers.py`.

After the experiments of Crazytieguy 2025, codenames-oversight: giving a clue is harder than finding what is wrong with it,
and that is harder than judging what was found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field

from moot.protocols.checks import checked
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.values.quoting import Quotes
from moot.protocols.engine.view import Source
from moot.protocols.quotes import quoted

M = TypeVar("M", bound=Move)
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Clue(Move, argues=True, quoting=("targets",)):
    """A clue, and the good words that it is meant for."""

    kind: Literal["clue"] = "clue"
    clue: str
    targets: tuple[str, ...] = ()
    quotes: Quotes = ()

    def content(self) -> str:
        return f"{self.clue}: {', '.join(self.targets)}"

    def cells(self) -> int:
        return 1 + len(self.targets)


class ClueCritique(Move, argues=True, fixed_cells=2, read_as="{bad_word} > {target}", quoting=("bad_word", "target")):
    """The claim that a bad word is at least as close to the clue as one of its targets."""

    worded: ClassVar[str] = "{bad_word} is at least as close as {target}"
    kind: Literal["clue-critique"] = "clue-critique"
    bad_word: str
    target: str
    quotes: Quotes = ()


class WordComparison(Move, filled=("closer",), fixed_cells=1):
    """Which of two words is closer to the clue? `closer` is filled in: "first" only where it is strictly closer.

    first_weight, second_weight: what the asker multiplies the similarities by; other than 1 for one who misjudges.
    """

    kind: Literal["word-comparison"] = "word-comparison"
    first: str
    second: str
    first_weight: Weight = 1.0
    second_weight: Weight = 1.0
    closer: Literal["first", "second"] | None = None

    def content(self) -> str:
        nearer, other = (self.first, self.second) if self.closer == "first" else (self.second, self.first)
        return f"{nearer} rather than {other}"

    def in_words(self) -> str:
        weights = self.first_weight, self.second_weight
        weighted = "" if weights == (1, 1) else f" (weighted {weights[0]:g} and {weights[1]:g})"
        return f"{self.first} is {'' if self.closer == 'first' else 'not '}closer than {self.second}{weighted}"


class ClueOversight(Protocol):
    """One seat gives a clue, critics may object, and the judge says how many good words it will find.

    question.data is {"good_words": […], "bad_words": […], "similarities": {clue: {word: number}}}. The choices are the
    scores "0" to as many as there are good words. The judge sees the words, the clue and the critiques, never a similarity;
    each comparison that it has made is charged to its "queries". A judge that ignores the targets and compares all words
    is the baseline, one that checks the targets is consultancy, and one that checks only what critics said is critiques.

    critiques: how many critiques there are, each made without sight of the others. comparisons: the most that the judge
    may ask for; None: one for each pair of words and one for each critique. check_quotes: whether quotes in clues and critiques
    are verified, where the question has a passage. The seat of the clue is paid the expected score.
    """

    name: ClassVar[str] = "clue-oversight"
    players: ClassVar[tuple[str, ...]] = ("cluer", "critic", "judge")
    measure: ClassVar[str] = "queries"

    unnamed: ClassVar[Mapping[str, Any]] = {"check_quotes": False}

    critiques: Annotated[int, Field(ge=0)] = 0
    comparisons: Annotated[int, Field(ge=0)] | None = None
    check_quotes: bool = True

    def roles(self, question: Question) -> dict[str, str]:
        if (problem := unfit(question)) is not None:
            raise UsageError(f"{self.name}: question {question.text!r}: {problem}")
        critic = {"critic": "critic"} if self.critiques else {}
        return {"cluer": "cluer", **critic, "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        data: Any = question.data
        table, words = data["similarities"], {"good_words": data["good_words"], "bad_words": data["bad_words"]}

        def verified(move: M) -> M:
            return quoted(move, question.passage) if self.check_quotes else move

        known = checked({"clue": list(table)})
        clue: Clue = await floor.ask(
            "cluer", Clue, view=floor.said(source="all"), check=lambda move: verified(known(move)), task="clue",
            one_of={"clue": list(table), "targets": data["good_words"]},
        )  # fmt: skip
        given = floor.step
        if self.critiques:
            named = {"bad_word": data["bad_words"], "target": list(clue.targets) or data["good_words"]}
            await floor.parallel(
                *(floor.ask("critic", ClueCritique, view=floor.said(source="all"), check=verified, under=given,
                            relation="attacks", task="critique", details={"clue": clue.clue}, one_of=named) for _ in range(self.critiques))
            )  # fmt: skip
        row = table[clue.clue]
        one_of = {side: [*data["good_words"], *data["bad_words"]] for side in ("first", "second")}
        left = self._most(question)
        while True:
            move: WordComparison | Verdict = await floor.ask(
                "judge", WordComparison | Verdict if left else Verdict, task="oversee" if left else "verdict",
                check=lambda move: move if isinstance(move, Verdict) else _compared(move, row), one_of=one_of,
                details={"left": left, **words},
            )  # fmt: skip
            if isinstance(move, Verdict):
                expected = math.fsum(score * probability for score, probability in enumerate(move.probabilities))
                return Decided(move, payoffs={"cluer": expected}, step=floor.step)
            await floor.charge("judge", "queries", 1)
            left -= 1

    def sees(self, question: Question) -> Mapping[str, Source]:
        critic: dict[str, Source] = {"critic": "all"} if self.critiques else {}
        return {"cluer": "all", **critic, "judge": "none"}

    def utility_bound(self, question: Question) -> float:
        return float(len(question.choices) - 1)

    def most_moves(self, question: Question) -> dict[str, int]:
        critic = {"critic": self.critiques} if self.critiques else {}
        return {"cluer": 1, **critic, "judge": self._most(question) + 1}

    def _most(self, question: Question) -> int:
        data: Any = question.data
        words = len(data["good_words"]) + len(data["bad_words"])
        return math.comb(words, 2) + self.critiques if self.comparisons is None else self.comparisons


def unfit(question: Question) -> str | None:
    """What is wrong with the question's data and choices; None when nothing is."""
    data: Any = question.data
    if not isinstance(data, dict) or not {"good_words", "bad_words", "similarities"} <= set(data):
        return 'data is no game; give {"good_words": [...], "bad_words": [...], "similarities": {clue: {word: number}}}'
    for side in ("good_words", "bad_words"):
        words = data[side]
        if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
            return f"{side} must be a list of words, at least one"
    table = data["similarities"]
    if not isinstance(table, dict) or not table or not all(isinstance(row, dict) for row in table.values()):
        return "similarities must give, for each clue, numbers for words"
    for clue, row in table.items():
        for word, number in row.items():
            if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
                return f"similarities of {clue!r}: {word!r} has {number!r}, which is no number"
    scores = tuple(str(score) for score in range(len(data["good_words"]) + 1))
    return None if question.choices == scores else f"the choices must be the scores {', '.join(scores)}, in order"


def _compared(move: WordComparison, row: Mapping[str, float]) -> WordComparison:
    for word in (move.first, move.second):
        if word not in row:
            raise Illegal(f"how close {word!r} is to the clue is not known")
    first, second = move.first_weight * row[move.first], move.second_weight * row[move.second]
    return move.model_copy(update={"closer": "first" if first > second else "second"})
