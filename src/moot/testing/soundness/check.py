"""`check_guarantee`: whether a verdict can be wrong whose guarantee holds and whose premises are all true of the play.
Rule: it draws, counts and reports; what is true of a play is asked elsewhere.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy

from moot.complexity.estimates import wilson
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.outcomes import Decided
from moot.tasks.base import Task, task_named
from moot.testing.soundness.drawing import Drawn, played, plays
from moot.testing.soundness.integrity import passed_by
from moot.testing.soundness.plays import Run
from moot.testing.soundness.premises import premises

PATIENCE = 5.0
"""Seconds that are spent on a smaller play, once one was found that breaks a guarantee."""


class GuaranteeBroken(AssertionError):
    """A guarantee that holds of a play in which it must not. drawn: the play, from which it can be made again."""

    def __init__(self, message: str, drawn: Drawn, what: str) -> None:
        super().__init__(message)
        self.drawn, self.what = drawn, what


class TooFew(AssertionError):
    """Premises that are hardly ever true of a play: nothing was checked."""


class _Found(Exception):
    """Ends a search of Hypothesis."""


@dataclass
class Counts:
    """What `check_guarantee` counted. drawn: plays; refused: draws of which there is no play. held: guarantees that held.
    counted: those of which every premise was true; unknown, false: by the premise for which others were not. chances: of plays
    whose verdict is right with probability d only, by d: how many were right, and how many there were."""

    protocol: str
    task: str
    drawn: int = 0
    refused: int = 0
    decided: int = 0
    held: int = 0
    counted: int = 0
    wrong: int = 0
    unknown: Counter[str] = field(default_factory=Counter)
    false: Counter[str] = field(default_factory=Counter)
    chances: dict[float, tuple[int, int]] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of all plays drawn, those that count."""
        return self.counted / self.drawn if self.drawn else 0.0

    def __str__(self) -> str:
        what = [f"{name} unknown {count}" for name, count in self.unknown.most_common()]
        what += [f"{name} false {count}" for name, count in self.false.most_common()]
        what += [f"{right} of {of} right, d = {d:g}" for d, (right, of) in self.chances.items()]
        more = f" ({'; '.join(what)})" if what else ""
        return (
            f"{self.protocol} on {self.task}: {self.drawn} drawn, {self.decided} decided, {self.held} held, {self.counted} counted "
            f"({self.share:.0%}), {self.wrong} wrong{more}"
        )


def check_guarantee(
    protocol: Protocol | str, task: Task | str, *, examples: int = 100, counted: int | None = None, seed: int = 0,
    players: Collection[str] | None = None, least: float = 0.1, out: Path | str | None = None,
) -> Counts:  # fmt: skip
    """Draw plays of `protocol` about instances of `task`, with honest, erring and hostile players, many parameters and budgets,
    and check of each: where its guarantee holds and every premise that it lists is true of the play, the verdict is the truth.

    protocol: by its name, and parameters are drawn; or one as it is. examples: plays to draw. counted: draw on, `examples` at a
    time, until so many count (or, after 20 times as many draws, fewer do). players: who is drawn beside the task's own programs,
    names of `agents.py`, "puppet", or "task:PROGRAM" (None: anybody). least: the share of plays drawn that must count, where
    40 or more were drawn and the guarantee ever held: a check of which nothing counts has checked nothing. out: a folder to keep the transcript in that
    breaks the guarantee. Plays of which a premise is false, or not known to be true, are played and not counted.

    Raises GuaranteeBroken with the play, from which it can be made again: where the verdict is wrong; where it is right less
    often than promised, by a Wilson interval (Wilson 1927); and where the record says what is not so (`integrity.py`).
    TooFew where less than `least` count: what the guarantee assumes is hardly ever true.
    UsageError where the protocol claims no class, or the programs of the task do not play it.
    """
    made = task_named(task) if isinstance(task, str) else task
    name = protocol if isinstance(protocol, str) else protocol.name
    if not made.cast(name):
        raise UsageError(f"the programs of task {made.name} do not play {name}")
    counts = Counts(name, made.name)
    given = None if isinstance(protocol, str) else protocol
    drawing = plays(name, made, given, None if players is None else frozenset(players))
    for part in range(20 if counted else 1):
        _search(counts, made, drawing, examples, seed + part, given, None if out is None else Path(out))
        if counted is None or counts.counted >= counted or counts.drawn >= 20 * counted:
            break
    if counts.held and counts.drawn >= 40 and counts.share < least:
        raise TooFew(f"{counts}: less than {least:.0%} count, so that next to nothing was checked")
    return counts


def _search(
    counts: Counts, task: Task, drawing: SearchStrategy[Drawn], examples: int, seed: int, given_: Protocol | None, out: Path | None
) -> None:  # fmt: skip
    @seeded(seed)
    @settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=tuple(HealthCheck),  # pyright: ignore[reportArgumentType]
        print_blob=False, report_multiple_bugs=False, phases=(Phase.generate,),
    )  # fmt: skip
    @given(drawn=drawing)
    def examined(drawn: Drawn) -> None:
        try:
            examine(drawn, task, counts, given_, out)
        except GuaranteeBroken as error:
            found.append(error)
            raise _Found from None

    found = list[GuaranteeBroken]()
    try:
        examined()
    except (_Found, Flaky):
        raise smallest(found[0], task, given_, out) from None


def smallest(error: GuaranteeBroken, task: Task, protocol: Protocol | None, out: Path | None) -> GuaranteeBroken:
    """The same fault in a plainer play, where one is found soon: with the task's own programs and parameters, and smaller."""
    until = time.monotonic() + PATIENCE
    for plainer in plainer_than(error.drawn):
        if time.monotonic() > until:
            break
        try:
            examine(plainer, task, Counts(error.drawn.protocol, task.name), protocol, out)
        except GuaranteeBroken as found:
            if found.what == error.what:
                return smallest(found, task, protocol, out) if time.monotonic() < until else found
    return error


def plainer_than(drawn: Drawn) -> Iterator[Drawn]:
    """The same play with one thing less."""
    plain: dict[str, Any] = {"declared": 0, "bound": "task", "players": None}
    yield from (replace(drawn, **{name: other}) for name, other in plain.items() if getattr(drawn, name) != other)
    for seat in drawn.agents:
        yield replace(drawn, agents={name: who for name, who in drawn.agents.items() if name != seat})
    for each in drawn.params:
        yield replace(drawn, params={name: value for name, value in drawn.params.items() if name != each})
    if drawn.size > 1:
        yield replace(drawn, size=drawn.size - 1)
    yield from (replace(drawn, instance=each) for each in range(min(8, drawn.instance)))


def examine(
    drawn: Drawn, task: Task, counts: Counts, protocol: Protocol | None = None, out: Path | None = None
) -> None:
    """Play one draw, check it, and count it."""
    try:
        run = played(drawn, task, protocol)
    except UsageError:
        counts.refused += 1
        return
    counts.drawn += 1
    counts.decided += isinstance(run.transcript.outcome, Decided)
    guarantee = run.transcript.guarantee
    if (fault := passed_by(run, guarantee)) is not None:
        raise broken(fault, drawn, run, out)
    if not guarantee.holds:
        return
    counts.held += 1
    name, true = premises(run, guarantee.assumes)
    if true is not True:
        (counts.false if true is False else counts.unknown)[name] += 1
        return
    counts.counted += 1
    right = run.verdict == run.truth
    if "promise" in guarantee.assumes:
        by_chance(counts, right, drawn, run, out)
    elif not right:
        counts.wrong += 1
        raise broken("the verdict is wrong", drawn, run, out)


def by_chance(counts: Counts, right: bool, drawn: Drawn, run: Run, out: Path | None) -> None:
    """Count a play whose verdict is right with probability d, and fail where d is above the interval of the share so far."""
    d: float = run.protocol.d  # type: ignore[attr-defined]
    had, of = counts.chances.get(d, (0, 0))
    counts.chances[d] = had + right, of + 1
    counts.wrong += not right
    if wilson(had + right, of + 1, 4.0)[1] < d:
        raise broken(f"{had + right} of {of + 1} verdicts were right, and {d:g} was promised", drawn, run, out)


def broken(what: str, drawn: Drawn, run: Run, out: Path | None) -> GuaranteeBroken:
    """The error, with all that it takes to play it again."""
    transcript, guarantee = run.transcript, run.transcript.guarantee
    kept = ""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        try:
            kept = f"\n  transcript: {transcript.save(out / f'{transcript.digest[:16]}.jsonl')}"
        except (MootError, OSError) as error:
            kept = f"\n  transcript: not kept ({error})"
    held = (
        f"{guarantee.complexity_class}, {guarantee.because}"
        if guarantee.holds
        else f"does not hold: {guarantee.because}"
    )
    told = f"premises, all true of it: {', '.join(guarantee.assumes) or 'none'}"
    choices = run.question.choices
    said = None if run.verdict is None else choices[run.verdict]
    seats = ", ".join(f"{seat}: {each.name}" for seat, each in run.seated.items())
    return GuaranteeBroken(
        f"{run.protocol.name} on {run.task.name}: {what}\n  verdict: {said!r}; truth: {choices[run.truth]!r} ({run.question.text!r})"
        f"\n  guarantee: {held}\n  {told}\n  seats: {seats}\n  protocol: {run.protocol!r}\n  digest: {transcript.digest}{kept}"
        f"\n  again: moot.testing.soundness.drawing.played({drawn!r}, task)",
        drawn, re.sub(r"[0-9]+", "#", what)[:40],
    )  # fmt: skip
