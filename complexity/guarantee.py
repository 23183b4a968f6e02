"""What a verdict is worth: the protocol's measure against the judge's polynomial budget.
Rule: it compares and says why; what was spent is counted in `ledger.py`, circles are found in `citations.py`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from moot.complexity.play import Play
from moot.complexity.rules import Ruled
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided, Exhausted


class Guarantee(BaseModel):
    """Whether the theory's condition was met in this play. It says that the judge could check what it judged; that the
    verdict is right follows only with the theorem's other premises (optimal play, a judge that is right within its bound).

    measure: what must stay polynomial in n, as "seat measure". used: what was spent of it (None: unknown). budget: its
    limit at this n (None: nobody set one, so nothing is guaranteed). access: the complexity class that the protocol
    then reaches under optimal play. holds: a decided play, a known spending, a budget, used ≤ budget, and parameters that
    the class can rest on (see `Protocol.unmet_assumption`).
    """

    model_config = ConfigDict(frozen=True)
    protocol: str
    measure: str
    n: int
    used: int | float | None
    budget: int | float | None
    holds: bool
    complexity_class: str | None
    because: str


def guarantee_of(transcript: Play, task: Ruled | None = None) -> Guarantee:
    """The guarantee record of a finished or unfinished play.

    Where the judge relied on cited answers, these must rest on something: by the rule of `task`, or of the task that the
    transcript names, none of them may lead back to itself. Without a rule nobody knows, and nothing is guaranteed.
    """
    protocol, ledger = transcript.protocol.metadata(), transcript.ledger
    seat = next((s for s, role in transcript.started["roles"].items() if role == protocol.judge), None)
    used = ledger.spent(seat, protocol.measure) if seat else None
    budget = ledger.bounds.get(seat, {}).get(protocol.measure) if seat else None
    what, end, holds = protocol.measure.replace("_", " "), transcript.outcome, False
    if isinstance(end, Exhausted):
        because = f"the {end.seat} would have spent {end.used} {end.measure.replace('_', ' ')} of {end.limit}"
    elif not isinstance(end, Decided):
        because = "the play was not decided"
    elif protocol.complexity_class is None:
        because = "no theorem is claimed for this protocol"
    elif budget is None:
        because = f"the {protocol.judge}'s {what} were not bounded"
    elif used is None:
        because = f"the {protocol.judge}'s {what} are unknown"
    elif used > budget:
        because = f"the {protocol.judge} spent {used} {what} of {budget}"
    else:
        because, holds = f"the {protocol.judge} spent {used} {what} of at most {budget} at n = {ledger.n}", True
    fault: str | None = None
    if holds:
        try:
            fault = transcript.protocol.unmet_assumption(
                transcript.question, (step.move for step in transcript.steps())
            )
        except UsageError as error:  # what the question names is not known here
            fault = str(error)
    if holds and fault is None and protocol.citing:
        from moot.complexity.citations import groundless

        fault = groundless(transcript, task)
    if fault is not None:
        holds, because = False, fault
    return Guarantee(
        protocol=protocol.name, measure=f"{seat} {protocol.measure}", n=ledger.n, used=used, budget=budget, holds=holds,
        complexity_class=protocol.complexity_class, because=because,
    )  # fmt: skip
