"""What a verdict is worth: the protocol's measure against the judge's polynomial budget, and what that rests on.
Rule: it compares and says why; what was spent is counted in `ledger.py`, circles are found in `citations.py`, and what
several plays say of growth in `families.py`."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict
from pydantic_core import to_json

from moot.complexity.play import Play
from moot.complexity.polynomial import Polynomial
from moot.complexity.rules import Ruled
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided, Exhausted
from moot.protocols.engine.question import Question
from moot.protocols.engine.registry import find


class Guarantee(BaseModel):
    """Whether the theorem's condition was met in this play, and what else the theorem assumes.

    complexity_class: the class of the languages that the protocol decides with these parameters, were n to grow, if what it
    `assumes` is true (names of `moot.protocols.engine.metadata.PREMISES`); the classes are about what the judge reads, and
    None claims none. measure: what must stay polynomial in n, as "seat measure". used: what was spent of it (None: unknown).
    budget: its limit at this n (None: nobody set one, so nothing is guaranteed). polynomial: the limit as it was declared
    (None: as a number, or by nobody); one without n in it is the same at every n.

    holds: a decided play with one answer ahead, a known spending, used <= budget, an n that is the instance's own, and
    neither parameters nor play short of what the class rests on (`Protocol.unmet_assumption`), and `moot.Copies` in the seats
    whose calls are assumed to be those of copies. It says that the judge could check what it judged. That the verdict is then
    right is the theorem's, and takes all that is assumed.
    """

    model_config = ConfigDict(frozen=True)
    protocol: str
    complexity_class: str | None
    measure: str
    n: int
    used: int | float | None
    budget: int | float | None
    polynomial: str | None = None
    assumes: tuple[str, ...] = ()
    holds: bool
    because: str


def guarantee_of(transcript: Play, task: Ruled | None = None) -> Guarantee:
    """The guarantee record of a finished or unfinished play.

    Where the judge relied on cited answers, these must rest on something: by the rule of `task`, or of the task that the
    transcript names, none of them may lead back to itself. Without a rule nobody knows, and nothing is guaranteed.
    """
    protocol, ledger, question = transcript.protocol, transcript.ledger, transcript.question
    about, end = protocol.metadata(), transcript.outcome
    seat = next((s for s, role in transcript.started["roles"].items() if role == about.judge), None)
    used = ledger.spent(seat, about.measure) if seat else None
    budget = ledger.bounds.get(seat, {}).get(about.measure) if seat else None
    what, holds = about.measure.replace("_", " "), False
    reached: str | None = None
    assumes: tuple[str, ...] = ()
    try:
        reached, assumes = protocol.decides(question), protocol.premises(question)
        unknown = None
    except UsageError as error:  # what the question names is not known here
        unknown = str(error)
    if isinstance(end, Exhausted):
        because = f"the {end.seat} would have spent {end.used} {end.measure.replace('_', ' ')} of {end.limit}"
    elif not isinstance(end, Decided):
        because = "the play was not decided"
    elif unknown is not None:
        because = unknown
    elif reached is None:
        because = "no theorem is claimed for this protocol"
    elif end.verdict.choice is None:
        because = "the verdict puts no answer ahead of the others"
    elif budget is None:
        because = f"the {about.judge}'s {what} were not bounded"
    elif used is None:
        because = f"the {about.judge}'s {what} are unknown"
    elif used > budget:
        because = f"the {about.judge} spent {used} {what} of {budget}"
    else:
        because, holds = f"the {about.judge} spent {used} {what} of at most {budget} at n = {ledger.n}", True
    vouched, fault = False, None
    if holds:
        try:
            vouched, fault = declared_n(transcript, task)
            fault = fault or uncopied(transcript)
            if fault is None:
                fault = protocol.unmet_assumption(question, (step.move for step in transcript.steps()))
        except UsageError as error:  # what the question names is not known here
            fault = str(error)
    if (
        holds
        and fault is None
        and (about.citing or any(step.move.get("kind") == "stands" for step in transcript.steps()))
    ):
        from moot.complexity.citations import groundless

        fault = groundless(transcript, task)
    if fault is not None:
        holds, because = False, fault
    if (
        reached is not None
        and seat
        and ledger.spent(seat, "computes") is not None
        and "computes" in ledger.bounds.get(seat, {})
    ):
        assumes = tuple("reported-computing" if name == "polynomial-judge" else name for name in assumes)
    if reached is not None and not vouched:
        assumes = (*assumes, "declared-n")
    polynomial = _polynomial(transcript, seat, about.measure, budget)
    if holds and polynomial is not None and not any(any(powers) for _, *powers in Polynomial.parse(polynomial).terms):
        because += ", which is the same at every n"
    return Guarantee(
        protocol=about.name, complexity_class=reached, measure=f"{seat} {about.measure}", n=ledger.n, used=used,
        budget=budget, polynomial=polynomial, assumes=assumes, holds=holds, because=because,
    )  # fmt: skip


def declared_n(transcript: Play, task: Ruled | None = None) -> tuple[bool, str | None]:
    """Whether a task vouches for the declared n, and what is wrong with that n: it is not the instance's by `task`, or by the
    task that made it, or, where no task says, the question is not as long as it."""
    question, name = transcript.question, transcript.started["meta"].get("task")
    known: Any = task
    try:
        known = known or (find("task", name)() if isinstance(name, str) else None)
        measured = known.n(question.data) if hasattr(known, "n") else None
    except UsageError:  # no such task here, or data that is none of its
        measured = None
    if measured is not None:
        wrong = f"n was declared as {question.size}, and the instance's is {measured} by task {known.name}"
        return True, None if measured == question.size else wrong
    if question.size > (most := written_size(question)):
        return False, f"n was declared as {question.size}, and the whole question is {most} characters long"
    return False, None


def uncopied(transcript: Play) -> str | None:
    """Which seat is to be copies without memory, and is not seated as `moot.Copies`; None when there is no such seat."""
    protocol, question = transcript.protocol, transcript.question
    described: Any = transcript.started["meta"].get("seats") or {}
    if "copies" in protocol.premises(question):
        for seat in protocol.copied(question):
            if not isinstance(about := described.get(seat), dict) or about.get("agent") != "copies":
                return (
                    f"the calls of seat {seat} are to be those of copies without memory: seat moot.Copies(agent) there"
                )
    return None


def written_size(question: Question) -> int:
    """The characters of all that is asked and given: text, choices, what is told about it, passage, data as JSON; and the bytes of
    the images."""
    texts = (question.text, *question.choices, question.about or "", question.passage or "")
    data = 0 if question.data is None else len(to_json(question.data))
    return sum(map(len, texts)) + data + sum(image.size for image in question.images)


def _polynomial(transcript: Play, seat: str | None, measure: str, budget: int | float | None) -> str | None:
    """The bound of a seat as its agent declared it, where that is on the record, a polynomial, and what was enforced."""
    described: Any = (transcript.started["meta"].get("seats") or {}).get(seat)
    bound = described.get("bound") if isinstance(described, dict) else None
    text = bound.get(measure) if isinstance(bound, dict) else None
    try:
        made = Polynomial.parse(text) if isinstance(text, str) else None
        return str(made) if made is not None and made(transcript.question.size) == budget else None
    except UsageError:
        return None
