"""Grounded and imputed leaves of amplification: how much of an answer is fiction, and what conditioning on grounds comes to.
Rule: closed forms, and plays of `sourced.py` on sums with masked cells; any agent may impute.

A balanced tree of depth d has n = 2^d leaves, each masked with probability m on its own; an imputed leaf is right with probability a. A
sum is right where every leaf is: (1 - m)^n of the answers rest on the source alone, (1 - m + m a)^n are right. Given that all leaves are
grounded the answer is right, and what was drawn is 1 / (1 - m)^n times as probable as before: a density, which the ledger has.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

from moot.agents.base import Wrapper
from moot.agents.policy import Policy
from moot.agents.wrappers.conditioned import Conditioned
from moot.agents.wrappers.nested import answer_of, copy_of
from moot.complexity.pressure.policies import condition
from moot.experiments.oversight.plays.sourced import Grounded, Imputed, SourcedAmplification, fiction_rate, leaves
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.pressure import pressure
from moot.play.run import arun, in_loop
from moot.protocols.amplification.moves import Reply
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.programs.programs import Overseer
from moot.transcripts.transcript import Transcript

TASK = Sum()
DEPTH, MASK, RIGHT = 3, 0.1, 0.5
TRIES = 12
"""Draws that conditioning may take for one leaf; all of them are imputed with probability m^12."""


def grounded(depth: int = DEPTH, mask: float = MASK) -> float:
    """How probably every leaf is grounded: (1 - mask)^(2^depth). Raises UsageError for a negative depth, and a mask outside [0, 1)."""
    return (1 - mask) ** _leaves(depth, mask, 0.0)


def right(depth: int = DEPTH, mask: float = MASK, imputing: float = RIGHT) -> float:
    """How probably every leaf is right, where masked ones are imputed: (1 - mask + mask imputing)^(2^depth). Raises UsageError as
    `grounded`, and for imputing outside [0, 1]."""
    count = _leaves(depth, mask, imputing)
    return (1 - mask + mask * imputing) ** count


def _leaves(depth: int, mask: float, imputing: float) -> int:
    if isinstance(depth, bool) or not isinstance(depth, int) or not 0 <= depth <= 12:
        raise UsageError(f"fiction: a depth of {depth!r}; give a whole number from 0 to 12")
    if not 0 <= mask < 1 or not 0 <= imputing <= 1:
        raise UsageError(
            f"fiction: a mask of {mask!r} and imputations right with {imputing!r}; give a mask in [0, 1) and a probability"
        )
    return int(2**depth)


# -- the world ----------------------------------------------------------------------------------------------------------


def world(seed: int, depth: int = DEPTH, mask: float = MASK) -> tuple[list[int], Sample]:
    """The numbers, and the question for their sum, of which each number is None with probability mask. UsageError as `grounded`."""
    random = Random(f"fiction/{seed}")
    full = TASK.data(_leaves(depth, mask, 0.0), random)
    shown = [None if random.random() < mask else each for each in full]
    text, truth = TASK.ask(full, random), str(sum(full))
    question = Question(
        text, (truth, TASK.wrong(full, text, random)), data=shown, size=len(full), unit="cells",
        about=f"{TASK.about} null stands where an integer is not known.",
    )  # fmt: skip
    return full, Sample(question, 0, TASK.name)


class Reading(Wrapper):
    """An overseer that follows the rule of sums: it reads the cell of a leaf, and where there is none has `imputing`, any agent, impute
    an answer; without one it says "?"."""

    def __init__(self, imputing: Any = None) -> None:
        self.imputing, self.held, self.overseer = imputing, () if imputing is None else (imputing,), Overseer(TASK)

    async def act(self, request: Request) -> Move:
        start, end = TASK.stretch(request.view.question.text)
        if end - start > 1:
            return self.overseer.act(request)
        cell = request.view.look(start)
        if cell is not None:
            return Grounded(cell=(start,), answer=str(cell))
        if self.imputing is None:
            return Reply(answer=UNKNOWN)
        return await answer_of(self.imputing, copy_of(request, "candidate", 0, kinds=(Imputed,)))


def guessing(full: Sequence[int], imputing: float = RIGHT) -> Policy:
    """Imputes the truth with probability `imputing`, and else a number that no other errors make good: the errors are 200 times
    powers of 2."""
    return Policy(lambda request: {Imputed(answer=text): share for text, share in _guesses(full, imputing, request)})


def drawing(full: Sequence[int], mask: float = MASK, imputing: float = RIGHT) -> Policy:
    """An overseer that looks into the source at a leaf with probability 1 - mask, and else imputes as `guessing` does."""

    def moves(request: Request) -> list[tuple[Move, float]]:
        start, end = TASK.stretch(request.view.question.text)
        if end - start > 1:
            return [(Overseer(TASK).act(request), 1.0)]
        guesses = [(Imputed(answer=text), mask * share) for text, share in _guesses(full, imputing, request)]
        return [(Grounded(cell=(start,), answer=str(full[start])), 1 - mask), *guesses]

    return Policy(moves)


def _guesses(full: Sequence[int], imputing: float, request: Request) -> list[tuple[str, float]]:
    start, _ = TASK.stretch(request.view.question.text)
    return [(str(full[start]), imputing), (str(full[start] + 200 * 2**start), 1 - imputing)]


def is_grounded(request: Request, move: Move) -> bool:
    """Whether a move is anything but an imputation."""
    return not isinstance(move, Imputed)


# -- plays --------------------------------------------------------------------------------------------------------------


def play(overseer: Any, sample: Sample, seed: int = 0) -> Transcript:
    """A play about a sum with any agent as its overseer."""
    return plays_of([(overseer, sample, seed)])[0]


def plays_of(seated: Sequence[tuple[Any, Sample, int]]) -> list[Transcript]:
    """Plays of overseers about sums with these seeds, one after another."""

    async def played() -> list[Transcript]:
        found = []
        for overseer, sample, seed in seated:
            assert sample.question.size is not None
            protocol = SourcedAmplification(depth=sample.question.size.bit_length() + 1, width=2)  # cuts nothing
            found.append(await arun(protocol, sample, {"overseer": overseer}, seed=seed))
        return found

    return in_loop(played)


def answered(transcript: Transcript) -> bool:
    """Whether a play came to the right sum."""
    outcome = transcript.outcome
    return isinstance(outcome, Decided) and outcome.verdict.choice == transcript.sample.unseal()


def imputed_right(transcript: Transcript, full: Sequence[int]) -> tuple[int, int]:
    """How many imputed leaves of a play are right, and how many there are."""
    marks = leaves(transcript)
    said = [step.move for step in transcript.steps() if marks.get(step.step) == "imputed"]
    return sum(move["answer"] == TASK.truth(full, move["of"]) for move in said), len(said)


def misplaced(transcript: Transcript) -> int:
    """How many grounded leaves of a play cite another cell than those at which the task's rule looks for that question."""
    marks, found = leaves(transcript), 0
    for step in transcript.steps():
        if marks.get(step.step) == "grounded":
            start, end = TASK.stretch(step.move["of"])
            found += end - start != 1 or tuple(step.move["cell"]) != (start,)
    return found


def density(transcript: Transcript, base: Policy) -> list[float]:
    """What conditioning on grounds makes of the probabilities at each answer of a play, by its ledger: the greatest ratio of `base`,
    given that the move is grounded, to `base` itself."""

    def given(request: Request) -> Any:
        shares: Any = dict(base.distribution(request))
        return condition(shares, lambda move: is_grounded(request, move))

    found = pressure(transcript, base, policies={"overseer": Policy(given)})
    return [math.nan if row.ratio is None else row.ratio for row in found.rows]


# -- the study ----------------------------------------------------------------------------------------------------------


def reproduce(
    seed: int = 0, full: bool = False, pictures: Path | str | None = None, plays: int | None = None
) -> Report:
    """All figures. plays: 150 unless given; a third of them on the ledger. full: 1000. pictures: a folder for `fiction.png`. UsageError for plays below 3,
    and without the extra `plot` for the picture."""
    if pictures is not None:
        panels(("",))  # said before anything is played
    plays = (1000 if full else 150) if plays is None else plays
    if isinstance(plays, bool) or not isinstance(plays, int) or plays < 3:
        raise UsageError(f"fiction: {plays!r} plays; give a whole number of them, at least 3")
    played = _played(plays, seed)
    notes = [
        f"Sums of {2**DEPTH} numbers, of which each is masked with probability {MASK:g}. A leaf is marked in the argument tree: its node has "
        "the kind grounded, with the cell that was found to hold its answer, or imputed.",
        "What this does not show: that a grounded leaf is about the right cell (a cell that happens to hold the answer passes; "
        "of these plays none did, by the task's rule), that the masks of a real source, and a model's errors, are "
        "independent of each other (where all leaves are masked together, 1 - m of the answers are grounded at any depth), or that errors never "
        "cancel. An answer that combines others is not marked, whatever it rests on; nor is an imputed one worthless.",
    ]
    if pictures is not None:
        notes.append(written(_picture(played), pictures, "fiction.png"))
    return Report(
        title="Grounded and imputed leaves of amplification", source="after Christiano, Shlegeris and Amodei 2018",
        rows=(*_closed(), *played, *_ledger(seed, plays // 3)), settings={"seed": seed, "plays": plays, "depth": DEPTH, "mask": MASK, "imputing": RIGHT},
        notes=tuple(notes),
    )  # fmt: skip


def _closed() -> list[Row]:
    return [
        Row.equal(f"depth {DEPTH}: all leaves grounded", grounded(), 0.430467, within=6e-7),
        Row.equal("  right, if the rest is imputed", right(), 0.663420, within=6e-7),
        Row.equal("  so of those with fiction in them, right", (right() - grounded()) / (1 - grounded()), 0.409025, within=6e-7),
        Row.equal("  density of all grounded", 1 / grounded(), 2.32306, within=6e-6),
    ]  # fmt: skip


def _played(plays: int, seed: int) -> list[Row]:
    worlds = [world(seed * 1_000_000 + number) for number in range(plays)]
    filled = plays_of([(Reading(guessing(full)), sample, number) for number, (full, sample) in enumerate(worlds)])
    refused = sum(map(answered, plays_of([(Reading(), sample, 0) for _, sample in worlds])))
    guesses = [imputed_right(each, full) for each, (full, _) in zip(filled, worlds, strict=True)]
    good, imputed = (sum(each) for each in zip(*guesses, strict=True))
    wrong = sum(map(misplaced, filled))
    fiction, marked = fiction_rate(filled)
    whole = list(filter(_whole, filled))
    return [
        frequency("played: all leaves grounded", len(whole), plays, grounded()),
        frequency("  right, imputing", sum(map(answered, filled)), plays, right()),
        frequency("  right, saying ? instead", refused, plays, grounded()),
        Row.equal("  right, of those all grounded", sum(map(answered, whole)), len(whole), count=len(whole)),
        frequency("  fiction rate of leaves", fiction, marked, MASK),
        frequency("  imputed leaves that are right", good, imputed, RIGHT),
        Row.equal("  grounded in another cell", wrong, 0, count=marked - fiction),
    ]


def _whole(transcript: Transcript) -> bool:
    return "imputed" not in leaves(transcript).values()


def _ledger(seed: int, plays: int) -> list[Row]:
    """Conditioning on grounds, leaf by leaf, of an overseer that draws whether to look."""
    worlds = [world(seed * 1_000_000 + number, mask=0.0) for number in range(plays)]
    bases = [(drawing(full), sample) for full, sample in worlds]
    free = plays_of([(base, sample, number) for number, (base, sample) in enumerate(bases)])
    held = plays_of(
        [(Conditioned(base, is_grounded, TRIES), sample, number) for number, (base, sample) in enumerate(bases)]
    )
    densities = [math.prod(density(each, base)) for each, (base, _) in zip(held[:5], bases, strict=False)]
    most = max(abs(each - 1 / grounded()) for each in densities)
    return [
        frequency("drawn: all leaves grounded", sum(map(_whole, free)), plays, grounded()),
        frequency("  conditioned on grounds", sum(map(_whole, held)), plays, (1 - MASK**TRIES) ** 2**DEPTH),
        frequency("    right", sum(map(answered, held)), plays, (1 - MASK**TRIES) ** 2**DEPTH),
        Row(name="  its density, by the ledger", measured=densities[0], published=1 / grounded(), count=len(densities), holds=most < 1e-9,
            note="the product over the answers of a play of the exact ratios at each"),
    ]  # fmt: skip


def _picture(played: list[Row]) -> Any:
    figure, (left, right_) = panels(
        ("Answers that are right, by depth", f"Played, against the closed form (depth {DEPTH})"), 11
    )
    depths = range(7)
    left.plot(depths, [grounded(depth) for depth in depths], "o-", color=DARK, label="grounded in all leaves")
    for imputing, colour, style in ((0.5, MIDDLE, "s--"), (0.9, LIGHT, "^-.")):
        left.plot(
            depths,
            [right(depth, MASK, imputing) for depth in depths],
            style,
            color=colour,
            label=f"imputed, right with {imputing:g}",
        )
    left.axhline(1, color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    left.text(6, 1.01, "given that all leaves are grounded", ha="right", va="bottom", fontsize=8.5, color="0.35")
    left.set(ylim=(-0.03, 1.12), xlabel="depth (2^depth leaves)", ylabel=f"share of answers, a mask of {MASK:g}")
    left.legend(loc="lower left", fontsize=8.5, frameon=False)
    rows = [row for row in played if row.low is not None]
    for place, row in enumerate(rows):
        right_.plot([row.low, row.high], [place, place], color=LIGHT, linewidth=4, solid_capstyle="butt")
        right_.plot([row.measured], [place], "o", color=DARK, markersize=5, label=None if place else "played")
        right_.plot(
            [row.published],
            [place],
            "|",
            color=MIDDLE,
            markersize=16,
            markeredgewidth=2,
            label=None if place else "closed form",
        )
    right_.set_yticks(range(len(rows)), [row.name.removeprefix("played: ").strip() for row in rows], fontsize=8.5)
    right_.set(ylim=(len(rows) - 0.4, -0.6), xlim=(0, 1), xlabel="share")
    right_.legend(loc="lower right", fontsize=8.5, frameon=False)
    return figure
