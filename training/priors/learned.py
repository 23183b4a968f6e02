"""Learning the prior: hypotheses about data are weighed by a person's prior and by what each says of the labels, part by part.
Rule: hypotheses, plays that evaluate them, and what is chosen by which score; nothing is fitted by gradient.

Christiano 2020, Learning the prior; Barnes 2021, Imitative generalisation (AKA "learning the prior"). A model that is
fitted to confounded data may pick up either of two cues. Instead a hypothesis z is looked for that maximises log-prior(z) + log-likelihood
(labels | z), where both are evaluated by people whom models help: what z says of x is worked out from its parts, and so is how plausible z
is. Then z, and not the fit, says what holds where the cues come apart."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from moot.agents.wrappers.frozen import Frozen
from moot.play.run import arun, in_loop
from moot.protocols.amplification.amplification import Amplification, Reply, Subquestions
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.programs.play import Program
from moot.tasks.programs.programs import rounds
from moot.training.oversight import Claims
from moot.transcripts.transcript import Transcript

Cue = Literal["shape", "snow"]
CUES: tuple[Cue, ...] = ("shape", "snow")


class Picture(NamedTuple):
    """A picture by its cues, and its label where it has one: whether it is a husky."""

    shape: bool
    snow: bool
    label: bool | None = None

    @property
    def words(self) -> str:
        return f"shape: {_yes(self.shape)}, snow: {_yes(self.snow)}"


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A rule by which a picture is a husky. parts: the cues that it names, and its other symbols; bits: its length in the
    prefix code `0 cue`, `10 constant`, `11 connective` (which always joins both cues)."""

    name: str
    parts: tuple[str, ...]
    bits: int

    def says(self, picture: Picture) -> bool:
        cues = [bool(getattr(picture, part)) for part in self.parts if part in CUES]
        return {"and": all(cues), "always": True, "never": False}.get(self.parts[-1], any(cues))


HYPOTHESES = (
    Hypothesis("shape", ("shape",), 2), Hypothesis("snow", ("snow",), 2), Hypothesis("both", (*CUES, "and"), 3),
    Hypothesis("either", (*CUES, "or"), 3), Hypothesis("always", ("always",), 3), Hypothesis("never", ("never",), 3),
)  # fmt: skip
HUMAN: Mapping[str, float] = {"shape": 0, "snow": -4, "and": -2, "or": -2, "always": -1, "never": -1}
"""A person's log-prior of each part, in nats, up to a constant: dogs are told by their shape, and hardly by snow."""
CONFOUNDED = (*[Picture(True, True, True)] * 9, *[Picture(False, False, False)] * 9, Picture(True, False, False))
"""Nine pairs in which the cues go together, and one odd label against the shape."""
SHIFTED = tuple(Picture(shape, snow, shape) for shape in (True, False) for snow in (True, False))
"""Where a model is deployed: the cues are independent, and the shape is right."""
NOISE = 0.1
"""How often a label is other than the rule says, in the likelihood."""

_TYPE = Question("…", ("yes", "no"))
_SAYS, _CUE = "By the rule of {}, is a picture with {} a husky?", "Does a picture with {} have the cue {}?"
_PRIOR, _PART = "How plausible, in nats, are huskies told by the rule of {}?", "How plausible is the part {}?"


class Reads(Program, records=()):
    """The overseer: works out what a rule says of a picture, and how plausible it is, from what it is told of its parts."""

    def act(self, request: Request) -> Move:
        text, told = request.view.question.text, rounds(request.view)
        if (found := _taken(_SAYS, text)) is not None:
            z, parts = _rule(found[0]), [_CUE.format(found[1], part) for part in _rule(found[0]).parts if part in CUES]
            cues = dict(zip((part for part in z.parts if part in CUES), told[0] if told else (), strict=False))
            if parts and not told:
                return Subquestions(questions=tuple(parts))
            seen = Picture(cues.get("shape") == "yes", cues.get("snow") == "yes")
            return Reply(answer=_yes(z.says(seen)) if UNKNOWN not in cues.values() else UNKNOWN)
        if (found := _taken(_PRIOR, text)) is not None:
            if not told:
                return Subquestions(questions=tuple(_PART.format(part) for part in _rule(found[0]).parts))
            known = [float(each) for each in told[0] if each != UNKNOWN]
            total = shown(math.fsum(known)) if len(known) == len(told[0]) else UNKNOWN
            return Reply(answer=total if total in request.view.question.choices else UNKNOWN)
        return Reply(answer=UNKNOWN)


class Knows(Program, records=()):
    """The earlier model: knows which cues a picture has, and how plausible people find each part; "?" of everything else."""

    def __init__(self, prior: Mapping[str, float] = HUMAN) -> None:
        self.prior = dict(prior)

    def act(self, request: Request) -> Move:
        text = request.view.question.text
        if (found := _taken(_CUE, text)) is not None:
            return Reply(
                answer=next((_yes(f"{found[1]}: yes" in found[0]) for cue in CUES if cue == found[1]), UNKNOWN)
            )
        part = _taken(_PART, text)
        return Reply(answer=shown(self.prior[part[0]]) if part and part[0] in self.prior else UNKNOWN)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What plays came to. agreed: by hypothesis, on how many of `of` labels it was found to agree, None where a play of it was not
    decided, or the overseer said "?". prior: by hypothesis its log-prior in nats, up to a constant, None where that is unknown. noise: as of `evaluate`."""

    hypotheses: tuple[Hypothesis, ...]
    agreed: Mapping[str, int | None]
    of: int
    prior: Mapping[str, float | None]
    noise: float

    def likelihood(self, z: Hypothesis) -> float | None:
        """The log-likelihood of the labels, in nats: each is as z says with probability 1 - noise."""
        agreed = self.agreed[z.name]
        return None if agreed is None else loglikelihood(agreed, self.of, self.noise)

    def score(self, z: Hypothesis, by: Literal["fit", "length", "prior"]) -> float | None:
        """The log-likelihood alone ("fit": empirical risk), or with the log-prior by description length, or with that of people."""
        likelihood = self.likelihood(z)
        prior = {"fit": 0.0, "length": -z.bits * math.log(2), "prior": self.prior.get(z.name)}[by]
        return None if likelihood is None or prior is None else likelihood + prior

    def best(self, by: Literal["fit", "length", "prior"]) -> tuple[Hypothesis, ...]:
        """All that have the greatest score, equal up to 1e-9; none where the score of any is unknown."""
        scores = [self.score(z, by) for z in self.hypotheses]
        known = [each for each in scores if each is not None]
        if len(known) < len(scores) or not known:
            return ()
        return tuple(z for z, score in zip(self.hypotheses, known, strict=True) if score >= max(known) - 1e-9)


def loglikelihood(agreed: int, of: int, noise: float) -> float:
    """Of so many labels, of which `agreed` are as a hypothesis says. UsageError unless noise is in (0, 1/2)."""
    if not 0 < noise < 0.5:
        raise UsageError(f"learned: the noise of labels is {noise}; it must be above 0 and below 1/2")
    return agreed * math.log(1 - noise) + (of - agreed) * math.log(noise)


def odd_labels(margin: float, noise: float = NOISE) -> int:
    """The least number of labels that speak for another hypothesis, and against this one, at which a log-prior that is greater by
    `margin` no longer wins: each costs log((1 - noise)/noise) nats. UsageError for a margin below 0, and as of `loglikelihood`."""
    if not 0 <= margin < math.inf:
        raise UsageError(f"learned: the margin is {margin}; it must be a number of nats of at least 0")
    each = loglikelihood(1, 1, noise) - loglikelihood(0, 1, noise)
    return math.ceil(margin / each - 1e-12)


def unmoved(revealing: int, p: float, margin: float = 0.0, noise: float = NOISE) -> float:
    """How probably `revealing` labels, each of which speaks against a hypothesis, fail to bring it below another whose log-prior is less by
    `margin`, where the overseer that sees labels passes each of them with probability p: P(revealing - K <= margin / log((1 -
    noise)/noise)) for K ~ Bin(revealing, p). UsageError for p outside [0, 1], fewer than no labels, and as of `odd_labels`."""
    if not 0 <= p <= 1 or isinstance(revealing, bool) or not isinstance(revealing, int) or revealing < 0:
        raise UsageError(
            f"learned: {revealing!r} labels, persuaded with p = {p}; give a whole number of labels, and a probability"
        )
    least = odd_labels(margin, noise)
    tie = math.isclose(least * math.log((1 - noise) / noise), margin, abs_tol=1e-9)  # equal scores are no decision
    most = least if tie else least - 1
    return math.fsum(
        math.comb(revealing, left) * (1 - p) ** left * p ** (revealing - left)
        for left in range(min(most, revealing) + 1)
    )


def accuracy(z: Hypothesis, pictures: Sequence[Picture]) -> float:
    """The share of labels that a hypothesis gets right. UsageError without pictures, and for one without a label."""
    if not pictures or any(each.label is None for each in pictures):
        raise UsageError("learned: there is nothing to be right about; give at least one picture, each with its label")
    return sum(z.says(each) == each.label for each in pictures) / len(pictures)


def evaluate(
    pictures: Sequence[Picture] = CONFOUNDED, *, hypotheses: Sequence[Hypothesis] = HYPOTHESES, seen: bool = False, overseer: Any = None,
    earlier: Any = None, text: str = "", noise: float = NOISE, prior: Mapping[str, float | None] | None = None, turns: int = 3,
    seed: int = 0, watch: Callable[[Transcript], None] | None = None,
) -> Evaluation:  # fmt: skip
    """Evaluate hypotheses by plays. Of each and each picture, Approval is played about what the hypothesis says of it: the model claims
    the label, with `text`; whether the overseer sees that is the protocol's affair (`seen`), and it agrees where the label is approved. Of each,
    Amplification is played about its log-prior, unless `prior` has them. overseer: `Reads()` unless given; earlier: who answers
    parts, `Frozen(Knows())` unless given; turns: calls of the overseer in a play. Any agents may sit there, as all that is asked is text. UsageError
    for pictures without a label, a log-prior that is no number, and as of `loglikelihood`."""
    if not pictures or any(each.label is None for each in pictures):
        raise UsageError(
            "learned: a hypothesis is evaluated on pictures with labels; give at least one, each with its label"
        )
    for name, nats in (prior or {}).items():
        if nats is not None and not nats < math.inf:
            raise UsageError(f"learned: the log-prior of {name!r} is {nats}; give nats, or None where it is unknown")
    loglikelihood(0, 1, noise)
    overseer, earlier = overseer or Reads(), earlier or Frozen(Knows())
    plays = 0

    async def play(protocol: Any, question: Question, seats: dict[str, Any]) -> Decided | None:
        nonlocal plays
        plays += 1
        found = await arun(protocol, question, {"overseer": overseer, **seats}, seed=seed * 1_000_003 + plays)
        if watch is not None:
            watch(found)
        return found.outcome if isinstance(found.outcome, Decided) else None

    async def main() -> Evaluation:
        agreed, priors, approval = (
            dict[str, int | None](),
            dict[str, float | None](prior or {}),
            Approval(seen=seen, turns=turns, width=3, source="none"),
        )
        for z in hypotheses:
            found = list[bool]()
            for each in pictures:
                question = _TYPE.model_copy(update={"text": _SAYS.format(z.name, each.words)})
                seats = {"model": Claims(_yes(bool(each.label)), text), "earlier": earlier}
                decided = await play(approval, question, seats)
                if decided is not None and decided.verdict.choice is not None:  # "?" is no disagreement
                    found.append(decided.payoffs["model"] == 1)
            agreed[z.name] = sum(found) if len(found) == len(pictures) else None
        for z in hypotheses if prior is None else ():
            question = Question(_PRIOR.format(z.name), tuple(shown(-each / 2) for each in range(41)))
            decided = await play(
                Amplification(model=True, depth=1, turns=turns, source="none"), question, {"model": earlier}
            )
            choice = None if decided is None else decided.verdict.choice
            priors[z.name] = None if choice is None else float(question.choices[choice])
        return Evaluation(tuple(hypotheses), agreed, len(pictures), priors, noise)

    found: Evaluation = in_loop(main)
    return found


def shown(nats: float) -> str:
    """A log-prior as it is said."""
    return f"{nats + 0.0:g}"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"


def _rule(name: str) -> Hypothesis:
    found = next((z for z in HYPOTHESES if z.name == name), None)
    if found is None:
        raise UsageError(f"learned: there is no rule of {name!r}; there are {', '.join(z.name for z in HYPOTHESES)}")
    return found


def _taken(form: str, text: str) -> tuple[str, ...] | None:
    """What stands in the gaps of a form; None where a text is not of it."""
    first, *between, last = form.split("{}")
    if not (text.startswith(first) and text.endswith(last)) or len(text) < len(first) + len(last):
        return None
    inner = text[len(first) : len(text) - len(last)]
    return tuple(inner.split(between[0], 1)) if between and between[0] in inner else None if between else (inner,)
