"""Programs that play a debate with queries to an oracle, and the share of wrong verdicts that they come to, exactly.
Rule: seats as functions of a request, and one closed form; the part that they play is `protocols/debate/queries.py`.

They say what a study of limited verification must find if it measures rightly: an oracle that is right with probability a, and a
judge that adds ±ln(a/(1 − a)) to its log odds for each answer that it is told.
"""

from __future__ import annotations

import math
import re
from random import Random
from typing import Literal

from moot.protocols.debate.queries import OracleAnswer, OracleQuery, OracleReply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request

CLAIM = "clue {number} points to {choice}"


class NoisyVerifier:
    """An oracle that is right about a clue with probability `accuracy`, and with probability `silent` finds it not addressed (with
    `muddled` instead, where it is asked in words that are wrapped twice). The question's data are {"truth": index}."""

    def __init__(self, accuracy: float, silent: float = 0.0, muddled: float | None = None) -> None:
        self.accuracy, self.silent, self.muddled = accuracy, silent, silent if muddled is None else muddled
        if not (0.5 < accuracy < 1 and 0 <= self.silent <= 1 and 0 <= self.muddled <= 1):
            raise UsageError(f"accuracy is {accuracy}, silent {silent}: give one between 0.5 and 1, and one in [0, 1]")

    def __call__(self, request: Request) -> Move:
        asked, chance = request.view.question, Random(request.seed)
        if chance.random() < (self.muddled if asked.text.startswith("Is it supported") else self.silent):
            return OracleAnswer(answer="not addressed")
        found = re.search(r"clue (\d+) points to", asked.text)
        if found is None:
            return OracleAnswer(answer="invalid")
        data: dict[str, int] = asked.data  # type: ignore[assignment]
        holds = data["truth"] == int(found[1]) % 2
        return OracleAnswer(answer="yes" if holds == (chance.random() < self.accuracy) else "no")


class LogOddsJudge:
    """A judge of two answers that begins at `start`, its log odds for the first one, and asks of clue i whether it points to answer
    i mod 2, counted from 0. It takes each yes and no as right with probability `accuracy`."""

    def __init__(self, start: float, accuracy: float) -> None:
        self.start, self.weight = start, math.log(accuracy / (1 - accuracy))

    def __call__(self, request: Request) -> Move:
        said = [entry.move for entry in request.view]
        if OracleQuery in request.kinds:
            number = sum(isinstance(move, OracleQuery) for move in said)
            choice = request.view.question.choices[number % 2]
            return OracleQuery(claim=CLAIM.format(number=number, choice=choice))
        odds = self.start
        for number, move in enumerate(move for move in said if isinstance(move, OracleReply)):
            sign = {"yes": 1, "no": -1}.get(move.answer or "", 0)
            odds += self.weight * sign * (1 if number % 2 == 0 else -1)
        first = 1 / (1 + math.exp(-odds))
        return Verdict(probabilities=(first, 1 - first))


def expected_share(
    start: float, accuracy: float, budget: int, truth: int, *, silent: float = 0.0, na: Literal["as given", "no"] = "as given",
    placebo: bool = False,
) -> float:  # fmt: skip
    """The probability that such a judge, after `budget` queries, finds the wrong answer more probable; a tie counts half.

    start: its log odds for the first answer; truth: the index of the right one; silent: how often the oracle finds a claim not
    addressed. The sum is over what the answers come to, in units of ln(a/(1 − a)).
    """
    net = {0: 1.0}  # evidence for the right answer, in units, and its probability
    for number in range(0 if placebo else budget):
        quiet = 0 if na == "as given" else (1 if number % 2 != truth else -1)
        steps = ((1, (1 - silent) * accuracy), (-1, (1 - silent) * (1 - accuracy)), (quiet, silent))
        found: dict[int, float] = {}
        for units, chance in net.items():
            for step, own in steps:
                found[units + step] = found.get(units + step, 0.0) + chance * own
        net = found
    begins, weight = start if truth == 0 else -start, math.log(accuracy / (1 - accuracy))
    odds = {units: begins + units * weight for units in net}
    return sum(chance * (0.5 if abs(odds[units]) < 1e-9 else float(odds[units] < 0)) for units, chance in net.items())
