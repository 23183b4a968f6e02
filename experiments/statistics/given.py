"""What a seat was ever given, off transcripts, and its loss there and on what it was not given.
Rule: folds over plays that were recorded; what is played, and who plays, is an experiment's.

Loss-optimal on every input ever given is a term of Hubinger, van Merwijk, Mikulik, Skalse and Garrabrant 2019, Risks from learned
optimization: it says nothing of any other input.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.transcripts.index import summaries
from moot.transcripts.transcript import Transcript, load


@dataclass(frozen=True)
class Input:
    """Something that a seat was given. request: the hash of all that it was shown. question: of the first play in which it was. answers: its
    moves, as they are recorded, each with the index of the true choice of that play's question, None where nobody knows it; that may be
    another one in each play, where it hangs on what the seat is not shown."""

    request: str
    question: Question
    answers: tuple[tuple[Mapping[str, Any], int | None], ...]


@dataclass(frozen=True)
class Seen:
    """What a seat was given in some plays, each input once. undecided: plays that ended without a decision, in the last turn of which the
    seat may have been given what it has no move for."""

    inputs: tuple[Input, ...]
    undecided: int = 0

    def within(self, other: Seen) -> Seen:
        """Those of its inputs that are among another's as well."""
        known = {each.request for each in other.inputs}
        return Seen(tuple(each for each in self.inputs if each.request in known), self.undecided)

    def beyond(self, other: Seen) -> Seen:
        """Those of its inputs that are not among another's: a counterfactual set, where the other is what was ever given."""
        known = {each.request for each in other.inputs}
        return Seen(tuple(each for each in self.inputs if each.request not in known), self.undecided)


@dataclass(frozen=True)
class Loss:
    """A mean loss over inputs, each counted once. value: None where there is no input whose truth is known. inputs: how many it is of;
    unknown: how many others there are, whose truth no play knows."""

    value: float | None
    inputs: int
    unknown: int = 0


def given(plays: Iterable[Transcript] | Path | str, seat: str = "judge") -> Seen:
    """All that a seat was given in these plays, or in those of a folder or a file, in the order in which it was. Two inputs are one
    where the seat was shown the same (kinds, question, statements, brief), whatever the seed. Raises UsageError for a folder that is none,
    and where no play has such a seat (a role is none), TranscriptError for a file that is no transcript."""
    if isinstance(plays, Path | str):
        there = Path(plays)
        plays = [load(there)] if there.is_file() else [load(each.path) for each in summaries(there)]
    found: dict[str, Input] = {}
    seats = set[str]()
    undecided = 0
    for play in plays:
        seats.update(play.started["roles"])
        if seat not in play.started["roles"]:
            continue
        truth = play.sample.unseal()
        undecided += not isinstance(play.outcome, Decided)
        for step in play.steps():
            if step.seat != seat:
                continue
            before = found.get(step.request, Input(step.request, play.question, ()))
            found[step.request] = replace(before, answers=(*before.answers, (step.move, truth)))
    if seats and seat not in seats:
        raise UsageError(
            f"no play has a seat {seat!r}{near(seat, sorted(seats))}; the seats: {', '.join(sorted(seats))}"
        )
    return Seen(tuple(found.values()), undecided)


def missed(move: Mapping[str, Any], truth: int) -> float:
    """The loss of a verdict: what belief it leaves to the other choices. UsageError of a move that states no belief."""
    if "probabilities" not in move:
        raise UsageError(
            f"a move of kind {move.get('kind')!r} states no probabilities; say what it loses: loss(seen, of=…)"
        )
    return 1.0 - float(move["probabilities"][truth])


def loss(seen: Seen, of: Callable[[Mapping[str, Any], int], float] = missed) -> Loss:
    """The mean loss on these inputs. of: what a recorded move loses, given the index of the true choice."""
    each = list[float]()
    for one in seen.inputs:
        if known := [of(move, truth) for move, truth in one.answers if truth is not None]:
            each.append(math.fsum(known) / len(known))
    return Loss(math.fsum(each) / len(each) if each else None, len(each), len(seen.inputs) - len(each))
