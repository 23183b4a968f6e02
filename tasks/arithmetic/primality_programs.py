"""Programs that debate whether a number is prime. What they may compute is what they may read: a cell is one division.
Rule: programs alone; what the claims are, and how they are written, is in `primality_claims.py`."""

import re
from collections.abc import Iterable, Mapping
from math import comb
from random import Random
from typing import Any

from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Answer, Move, Verdict
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import View
from moot.protocols.trees.decomposition_debate import FOLLOWS, RIGHT, Claim, Claimed, Decomposition, Pick
from moot.protocols.trees.prover_estimator import FINE, HIGH, LOW, Call, Estimate, Sampled
from moot.tasks.arithmetic.primality_claims import NO, YES, PrimeFamily, opposite, span
from moot.tasks.programs.play import Program, TaskProgram


class Prover(Program, records=("task", "lies", "knows")):
    """Answers, takes claims apart, calls estimates and picks parts. lies: it claims the wrong answer, and parts that fit.
    knows: it looks at the cells that its claim is about; otherwise at nothing: it claims prime (not prime when it does not
    lie), calls every estimate fine and picks a part by the step's seed: there is a flaw, it does not know where."""

    def __init__(self, task: PrimeFamily, lies: bool = False, knows: bool = True) -> None:
        self.task, self.lies, self.knows = task, lies, knows

    def act(self, request: Request) -> Move:
        kind, view, brief = request.kinds[0], request.view, request.brief
        if kind is Answer:
            true = (self.knows and found(self.task, view.question.text, view)) or NO
            return Answer(choice=view.question.choices.index(opposite(true) if self.lies else true))
        if kind is Decomposition:
            return self._parts(request, brief["claim"], brief["claimed"])
        if kind is Call:
            return Call(sign=self._sign(view, brief))
        if kind is Pick:
            return Pick(claim=str(self._pick(request) + 1))
        raise AgentError(f"step {request.step}: a prover gives no {kind.__name__}")

    def _parts(self, request: Request, text: str, claimed: str) -> Decomposition:
        look = request.view.look
        parts = self.task.split(text, look, request.brief["most"]["claims"]) or (text,)
        if self.knows:
            answers = {part: found(self.task, part, request.view) or NO for part in parts}
            if self.task.join(text, answers, look) == claimed:
                return _decomposed(answers)
        # all of one kind fit a claim that a number is prime, and one "no" the opposite
        answers = dict.fromkeys(parts, YES)
        left = list(parts)
        Random(request.seed).shuffle(left)
        while left and claimed == NO and self.task.join(text, answers, look) != NO:
            answers[left.pop()] = NO
        return _decomposed(answers)

    def _sign(self, view: View, brief: Brief) -> Any:
        if not self.knows:
            return FINE
        error = brief["details"]["estimate"] - (found(self.task, brief["claim"], view) == brief["claimed"])
        return FINE if abs(error) <= brief["details"]["forgiven"] else LOW if error < 0 else HIGH

    def _pick(self, request: Request) -> int:
        claims, estimates = last_parts(request.view)
        if not self.knows:
            return Random(request.seed).randrange(len(claims))
        right = (found(self.task, claim.question, request.view) == claim.answer for claim in claims)
        errors = [abs(estimate - holds) for estimate, holds in zip(estimates, right, strict=True)]
        return errors.index(max(errors))


class Estimator(Program, records=("prior", "divisions")):
    """Says how probable claims are to one who looks at `divisions` cells, spread evenly. What it saw, it knows.

    Its model: each number that it did not try divides independently of the others, so rarely that the whole is prime with
    probability `prior`; a share s of the whole is then free of divisors with probability prior^s. However a claim is taken
    apart, it comes out right as probably as was said, so that no call before the last gains anything. That a product has
    one divisor makes prior^s too low by at most 0.044 (at 1/2). Bases are independent coins with probability `prior`."""

    def __init__(self, task: PrimeFamily, prior: float = 0.5, divisions: int = 0) -> None:
        if not 0 < prior < 1 or divisions < 0:
            raise UsageError(f"an estimator needs a prior between 0 and 1, divisions from 0; not {prior}, {divisions}")
        self.task, self.prior, self.divisions = task, prior, divisions

    def act(self, request: Request) -> Estimate:
        text, claimed = request.brief["claim"], request.brief["claimed"]
        if self.divisions:
            _needs_data(request.view)
        try:
            yes = (self._passes if self.task.bases else self._free)(text, request.view)
        except (UsageError, ValueError):
            return Estimate(probability=0.0)  # what is no question has no right answer
        return Estimate(probability=yes if claimed == YES else 1 - yes if claimed == NO else 0.0)

    def _free(self, text: str, view: View) -> float:
        """The probability that no number of the interval divides."""
        low, high = span(text)
        last = span(view.question.text)[1]
        if high > last:
            raise UsageError(f"{text!r} goes beyond {last}")
        count = min(self.divisions, last - 1)
        tried = [2 + (last - 1) * index // count for index in range(count)]
        found = next((divisor for divisor in tried if view.look("remainders", divisor - 2) == 0), None)
        if found is not None and low <= found <= high:
            return 0.0
        untried = high - low + 1 - sum(low <= divisor <= high for divisor in tried)
        return float(self.prior ** (untried / (last - 1)))

    def _passes(self, text: str, view: View) -> float:
        """The probability that the number passes to a base, or to most of them."""
        if text != view.question.text and not re.fullmatch(r"passes\([0-9]+\)", text):
            raise UsageError(f"{text!r} is no question about a base")
        seen = [view.look("passes", index) for index in range(min(self.divisions, self.task.bases))]
        p = self.prior if not seen else float(2 * sum(seen) > len(seen))
        if not text.startswith("prime"):
            return p
        n = self.task.bases
        return sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n // 2 + 1, n + 1))


class Searcher(Program, records=("divisions",)):
    """The opponent of a recursive debate who may try `divisions` numbers of the claim at hand, spread evenly (None:
    all). It picks a part that it knows to be wrong; else, by the step's seed, one that it does not know to be right;
    else it says that the claim does not follow."""

    def __init__(self, task: PrimeFamily, divisions: int | None = None) -> None:
        self.task, self.divisions = task, divisions

    def act(self, request: Request) -> Pick:
        claims, _ = last_parts(request.view)
        # What division by the number of claims leaves over goes to the last ones.
        shares = (None if self.divisions is None else (self.divisions + i) // len(claims) for i in range(len(claims)))
        known = [self._known(claim, request.view, share) for claim, share in zip(claims, shares, strict=True)]
        open_ = [number for number, right in enumerate(known, 1) if right is None]
        if False in known:
            return Pick(claim=str(known.index(False) + 1))
        return Pick(claim=str(Random(request.seed).choice(open_)) if open_ else FOLLOWS)

    def _known(self, claim: Claim, view: View, divisions: int | None) -> bool | None:
        """Whether a claim is right, as far as so many cells tell. What is no claim about the number is not."""
        if divisions != 0:
            _needs_data(view)
        if claim.answer not in (YES, NO):
            return False
        if divisions is None or self.task.bases:
            return None if divisions == 0 else found(self.task, claim.question, view) == claim.answer
        try:
            low, high = span(claim.question)
            count = min(divisions, high - low + 1)
            for index in range(count):
                if view.look("remainders", low + (high - low + 1) * index // count - 2) == 0:
                    return claim.answer == NO
        except (UsageError, Illegal, ValueError):
            return False
        return claim.answer == YES if count == high - low + 1 else None


class ClaimJudge(TaskProgram, name="claim judge"):
    """Checks one claim: from what is given of its parts, by the rule that joins them; without, by looking at the cells."""

    task: PrimeFamily

    def act(self, request: Request) -> Verdict:
        view = request.view
        claimed, *given = (entry.move for entry in view)
        if not isinstance(claimed, Claimed) or view.question.choices[0] != RIGHT:
            raise AgentError(f"step {request.step}: this judge is shown one claim, and says whether it is right")
        if request.brief["task"] == "read":
            answer = found(self.task, claimed.of, view)
        else:
            answer = joined(self.task, claimed.of, dict(_said(given)), view)
        why = "nothing follows" if answer is None else f"it is {answer}"
        return Verdict(probabilities=(1.0, 0.0) if answer == claimed.answer else (0.0, 1.0), text=why)


def found(task: PrimeFamily, text: str, view: View) -> str | None:
    """The answer to a question by looking at the data; None where a text is no question about it, whoever wrote it."""
    _needs_data(view)
    try:
        return task.cell(text, view.look)
    except (UsageError, Illegal, ValueError):
        return None


def _needs_data(view: View) -> None:
    """UsageError where there is nothing to look at: that is not the fault of who wrote a claim."""
    if not view.has_cells:
        raise UsageError("this program looks at the data of the question, and this view gives no access to any")


def joined(task: PrimeFamily, text: str, answers: Mapping[str, str], view: View) -> str | None:
    """What answers to parts say of a question; None where they do not settle it, or the text is no question."""
    if not set(answers.values()) <= {YES, NO}:
        return None
    if set(answers) == {text}:
        return answers[text]  # what is not taken apart any further rests on itself
    try:
        return task.join(text, answers, view.look)
    except (UsageError, Illegal, ValueError):
        return None


def last_parts(view: View) -> tuple[tuple[Claim, ...], list[float]]:
    """The claims of the last decomposition, and the estimates made of them since."""
    claims, estimates = tuple[Claim, ...](), list[float]()
    for entry in view:
        if isinstance(entry.move, Decomposition):
            claims, estimates = entry.move.claims, []
        elif isinstance(entry.move, Estimate):
            estimates.append(entry.move.probability)
    return claims, estimates


def _decomposed(answers: Mapping[str, str]) -> Decomposition:
    return Decomposition(claims=tuple(Claim(question=part, answer=said) for part, said in answers.items()))


def _said(moves: Iterable[Move]) -> Iterable[tuple[str, str]]:
    for move in moves:
        if isinstance(move, Sampled):
            yield move.of, move.answer if move.holds or move.answer not in (YES, NO) else opposite(move.answer)
        elif isinstance(move, Claimed):
            yield move.of, move.answer
