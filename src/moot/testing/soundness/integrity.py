"""Whether the record of a play says what is so: what was read, which n, which class, and that nobody changed what others saw.
Rule: laws of one play that hold whatever anybody assumes; premises are elsewhere.
"""

from __future__ import annotations

import re

from moot.complexity.guarantee import Guarantee
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Exhausted
from moot.protocols.engine.question import cells_of
from moot.testing.soundness.plays import Run, same


def passed_by(run: Run, guarantee: Guarantee) -> str | None:
    """What the record of a play says that is not so; None where nothing was found."""
    if (fault := stopped_early(run)) is not None or not guarantee.holds:
        return fault
    laws = (declared, fits, unpaid, changed)
    return next((found for law in laws if (found := law(run, guarantee)) is not None), None)


def declared(run: Run, guarantee: Guarantee) -> str | None:
    """n is the instance's, or it is listed that nobody vouches for it."""
    n = run.task.n(run.question.data)
    if "declared-n" in guarantee.assumes or n in (None, guarantee.n):
        return None
    return f"n is {guarantee.n} on the record and {n} by the task, and no premise says that nobody vouches for it"


def fits(run: Run, guarantee: Guarantee) -> str | None:
    """The class is no larger than that of games of so many moves, where these do not grow with n: k moves that are read
    whole are level k of the polynomial hierarchy at most (Stockmeyer 1976)."""
    if not {*guarantee.assumes} <= {"optimal-play", "right-judge", "polynomial-judge", "declared-n"}:
        return None
    most = run.protocol.most_moves(run.question)
    if most is None or not constant(run, most):
        return None
    made = sum(1 for each in run.again if each.seat != run.judge)
    if made < sum(count for seat, count in most.items() if seat != run.judge):
        return None  # it ended before its length told
    level = re.fullmatch(r"Sigma(\d+)P", str(guarantee.complexity_class))
    known = {"P": 0, "NL": 0, "BPP": 0, "NP": 1, "S2P": 2}
    wanted = int(level[1]) if level else known.get(str(guarantee.complexity_class), made + 1)
    if wanted <= made:
        return None
    return f"{guarantee.complexity_class} is claimed of plays that have {made} moves at every n"


def constant(run: Run, most: dict[str, int]) -> bool:
    """Whether a larger instance has no more moves with these parameters."""
    size = min(max(2, 2 * run.question.size), run.task.largest)
    try:
        return size > run.question.size and run.protocol.most_moves(run.task.sample(size).question) == most
    except (UsageError, ValueError, LookupError):
        return False


def unpaid(run: Run, guarantee: Guarantee) -> str | None:
    """Nobody has the whole source who paid for less."""
    for seat, agent in run.agents.items():
        while hasattr(agent, "agent"):
            agent = agent.agent
        found = getattr(agent, "found", None)
        if found is None or found != run.question.data or seat != run.judge:
            continue
        if guarantee.used is not None and guarantee.used < (whole := cells_of(run.question.data)):
            return f"the {seat} had all {whole} cells of the data, and {guarantee.used} are on the record"
    return None


def changed(run: Run, guarantee: Guarantee) -> str | None:
    """Whoever is the task's own program says the same again on the data as it was, and reads as much for it."""
    events = (event for event in run.transcript.events() if event["event"] == "moved")
    reads = {event["step"]: event.get("reads", 0) for event in events}
    if any(event["event"] == "rejected" for event in run.transcript.events()):
        return None
    for each in run.again:
        if run.seated[each.seat].name != "honest":
            continue
        if not same(each.move, each.told):
            return f"step {each.step}: {each.seat} was shown other data: asked again it says {each.told!r}, and not {each.move!r}"
        if each.seat in run.transcript.bounds and reads.get(each.step, 0) != each.reads:
            return f"step {each.step}: {each.seat} read {each.reads}, and {reads.get(each.step, 0)} are on the record"
    return None


def stopped_early(run: Run) -> str | None:
    """Nobody is stopped within its budget, unless it is asked in branches that run together, among which that is dealt out."""
    end = run.transcript.outcome
    if not isinstance(end, Exhausted):
        return None
    limit = run.transcript.bounds.get(end.seat, {}).get(end.measure)
    spent = run.transcript.ledger.spent(end.seat, end.measure) or 0
    if limit is None or end.measure != "calls" or spent + 1 > limit or beside(run, end.seat, end.step):
        return None
    return f"the {end.seat} was stopped after {spent} {end.measure}, and its budget is {limit}"


def beside(run: Run, seat: str, step: str) -> bool:
    """Whether a seat is asked in a branch that runs beside that of a step, or beside one around it."""
    around, _, _ = step.rpartition(".")
    asked = [each.step for each in run.transcript.steps() if each.seat == seat] + [
        step for step, at in run.stopped if at == seat
    ]
    while around:
        branches, _, _ = around.rpartition(".")
        if len({each[len(branches) + 1 :].split(".")[0] for each in asked if each.startswith(branches + ".")}) > 1:
            return True
        around, _, _ = branches.rpartition(".")
    return False
