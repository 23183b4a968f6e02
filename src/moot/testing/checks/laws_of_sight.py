"""The laws of what seats may spend and win, and of what a protocol declares about itself, which plays may refute.

Rule: laws and what they alone need; `laws` lists them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from moot.complexity.guarantee import declared_n, uncopied
from moot.complexity.play import path_of
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.moves import Answer, Ask, Move, Verdict, move_class
from moot.protocols.engine.outcomes import Decided, Exhausted
from moot.protocols.engine.question import Sample, cells_of
from moot.protocols.engine.request import Request
from moot.testing.checks.check import MOST, Case, Limits, law
from moot.testing.hand import Hand, accounts
from moot.testing.strategies import takes
from moot.transcripts.transcript import Transcript


@law("the truth reaches no request")
def sealed(case: Case) -> None:
    """The play is the same whichever answer is true, and when nobody knows: nothing in it can depend on the truth."""
    hand = case.play()
    seats = dict.fromkeys(case.protocol.roles(case.question), case.script.agent)
    for truth in (None, *range(len(case.question.choices))):
        transcript = case.attempt(run, case.protocol, Sample(case.question, truth), seats, seed=case.seed)
        case.alike(hand, transcript, f"with choice {truth} as the sealed truth")


@law("what a seat has spent is within its limits at every moment")
def within_budget(case: Case) -> None:
    """Drawn limits for every seat and measure. A play that would cross one ends in Exhausted, before it does."""
    free = case.play()
    seats = list(free.game.roles)
    limits = st.fixed_dictionaries({}, optional={measure: st.integers(0, 40) for measure in MEASURES})
    bounds = {seat: case.draw(limits) for seat in seats}
    for key in free.asked:
        case.script.reads[key] = case.draw(st.integers(0, 4))
    hand = case.hand(bounds=bounds)
    spent = st.fixed_dictionaries({"tokens": st.integers(0, 9), "seconds": st.integers(0, 3)})
    case.attempt(hand.run, case.order(), MOST, lambda step: {"spent": case.draw(spent)})
    for event, measure, used in accounts(hand.transcript):
        seat, step, limit = event["seat"], event["step"], bounds[event["seat"]].get(measure, math.inf)
        charged = event["event"] == "charged"
        if charged and event["amount"] < 0:
            case.broken(f"step {step} charges {event['amount']} {measure}: a charge cannot give back")
        if used > limit and not charged:
            case.broken(f"at step {step} seat {seat} has spent {used} {measure} of {limit}")
        if used > limit and not isinstance(hand.game.outcome, Exhausted):
            case.broken(f"the charge of step {step} takes seat {seat} to {used} {measure} of {limit}")
    _exhausted(case, hand.game.outcome, bounds)


def _exhausted(case: Case, outcome: Any, bounds: Limits) -> None:
    if isinstance(outcome, Exhausted):
        limit = bounds.get(outcome.seat, {}).get(outcome.measure)
        if limit is None or outcome.used <= outcome.limit or outcome.limit > limit:
            case.broken(f"the play ended in {outcome!r}; the limits were {bounds}")


@law("a bounded judge reads no more than its bound")
def bounded_judge(case: Case) -> None:
    """The judge reads all that it is shown, in a drawn bound; the ledger and the guarantee say what came of it."""
    free = case.play()
    judges = [seat for seat, role in free.game.roles.items() if role == case.protocol.judge]
    if not judges:
        return
    most = case.draw(st.integers(0, 200))
    opened = dict.fromkeys(judges, 0)

    def judge(request: Request) -> Any:
        question = request.view.question
        opened[request.seat] += len(question.passage or "") + (0 if question.data is None else cells_of(question.data))
        opened[request.seat] += sum(image.cost for image in question.images)
        for entry in request.view:
            opened[request.seat] += entry.move.cost(request.view.question.unit)
        return case.script.agent(request)

    seats: dict[str, Any] = dict.fromkeys(free.game.roles, case.script.agent)
    seats.update({seat: Bounded(judge, reads=most) for seat in judges})
    transcript: Transcript = case.attempt(run, case.protocol, case.question, seats, seed=case.seed)
    outcome, guarantee = transcript.outcome, transcript.guarantee
    for seat in judges:
        reads = transcript.ledger.spent(seat, "reads")
        if reads is None or reads > most:
            case.broken(f"the judge {seat} read {reads} in a bound of {most}")
        if opened[seat] > most:
            case.broken(
                f"the judge {seat} was shown {opened[seat]} in a bound of {most}, and {reads} of it was counted"
            )
    _exhausted(case, outcome, {seat: {"reads": most} for seat in judges})
    if not isinstance(outcome, (Decided, Exhausted)) and type(outcome) is not type(free.game.outcome):
        case.broken(f"under a bound the play ended in {outcome!r}")
    claims = case.protocol.decides(case.question) is not None and isinstance(outcome, Decided)
    short = case.protocol.unmet_assumption(case.question, (step.move for step in transcript.steps()))
    if guarantee.holds and not claims:
        case.broken(f"a guarantee is claimed for a play that ended in {outcome!r}: {guarantee!r}")
    if guarantee.holds and short is not None:
        case.broken(f"a guarantee is claimed, and the protocol falls short: {short}")
    ahead = isinstance(outcome, Decided) and outcome.verdict.choice is not None and declared_n(transcript)[1] is None
    stands = any(step.move.get("kind") == "stands" for step in transcript.steps())  # on what, a task must say
    if (
        claims
        and ahead
        and not stands
        and uncopied(transcript) is None
        and case.protocol.measure == "reads"
        and short is None
        and not guarantee.holds
    ):
        case.broken(f"the judge kept its bound of {most}, and no guarantee is given: {guarantee.because}")


@law("a verdict that does not fit the choices is refused")
def fits(case: Case) -> None:
    """One probability too many and one too few are tried where a verdict is asked for. A verdict on record fits the question
    that its seat was shown, and what is decided the question played, also where the judge was shown an open one."""
    first = case.play()
    asked = {step: request for (step, _), (request, _) in first.asked.items()}
    for step in first.transcript.steps():
        shown, stated = len(asked[step.step].view.question.choices), step.move.get("probabilities")
        if issubclass(move_class(step.move["kind"]) or Move, Verdict) and stated and shown not in (0, len(stated)):
            case.broken(
                f"the verdict on record at step {step.step} has {len(stated)} probabilities for {shown} choices"
            )
    for at, request in asked.items():
        kinds = [kind for kind in request.kinds if issubclass(kind, Verdict)]
        if not kinds:
            continue
        shown = len(request.view.question.choices)
        count = shown or len(case.question.choices)
        for tried in (each for each in (count + 1, count - 1) if each > 1):
            hand = case.hand()
            while at not in hand.game.open:
                case.attempt(hand.step, next(iter(hand.game.open)))
            verdict = kinds[0](probabilities=(1.0, *[0.0] * (tried - 1)))
            if case.attempt(hand.game.answer, at, verdict) and shown:
                case.broken(f"step {at} took {tried} probabilities for {shown} choices")
            hand.script = case.fresh()
            if not shown:
                case.attempt(hand.run, (), MOST)
        return


@law("only the declared players sit in a play, and where a class is claimed the judge is one of them")
def players(case: Case) -> None:
    about = case.attempt(case.protocol.metadata, case.question)
    for seat, role in about.seats.items():
        if about.players and role not in about.players:
            case.broken(f"seat {seat} is a {role}; the declared players are {', '.join(about.players)}")
    if about.complexity_class is not None and about.judge not in about.seats.values():
        case.broken(f"{about.complexity_class} is claimed, and nobody is the {about.judge} whom a bound would be for")


@law("seats are asked at the same time where the declared dynamics say so, and nowhere else")
def dynamics(case: Case) -> None:
    """For protocols that declare "sequential" or "simultaneous"."""
    about = case.attempt(case.protocol.metadata, case.question)
    if about.dynamics == "mixed":
        return
    hand, asked = case.hand(), set[str]()
    rivals = {seat for seat, role in about.seats.items() if role != about.judge}
    while hand.game.outcome is None and len(hand.order) < MOST:
        now = {step: hand.game.open[step].ask.seat for step in hand.game.open}
        new = [seat for step, seat in now.items() if step not in asked]
        if about.dynamics == "sequential" and len(now) > 1:
            case.broken(f"steps {', '.join(now)} are asked at the same time; the protocol declares itself sequential")
        if about.dynamics == "simultaneous" and (moving := rivals.intersection(new)) and moving != rivals:
            case.broken(f"{', '.join(sorted(moving))} moves, and {', '.join(sorted(rivals - moving))} does not; the protocol "
                        "declares that they move at the same time")  # fmt: skip
        asked = set(now)
        case.attempt(hand.step, next(iter(now)))


@law("no seat wins or loses more than utility_bound()")
def utility(case: Case) -> None:
    """For protocols that give one."""
    if case.attempt(case.protocol.utility_bound, case.question) is not None:
        _paid(case)


@law("none but the seats that there are is paid, nor more than the utility bound")
def paid(case: Case) -> None:
    """Payoffs are finite numbers, and `utility_bound` holds where one is given."""
    _paid(case)


def _paid(case: Case) -> None:
    outcome = case.play(case.order()).game.outcome
    if isinstance(outcome, Decided):
        bound = case.attempt(case.protocol.utility_bound, case.question)
        most = math.inf if bound is None else bound + 1e-9 * max(1.0, bound)
        for seat, payoff in outcome.payoffs.items():
            if not (math.isfinite(payoff) and abs(payoff) <= most):
                case.broken(f"seat {seat} is paid {payoff}; utility_bound() is {bound}")


@law("payoffs sum to zero")
def zero_sum(case: Case) -> None:
    """For protocols that declare `zero_sum`."""
    if not case.protocol.metadata().zero_sum:
        return
    outcome = case.play(case.order()).game.outcome
    if isinstance(outcome, Decided):
        payoffs = outcome.payoffs
        if not payoffs:
            case.broken("the protocol declares zero_sum and pays nobody")
        largest = max(1.0, *map(abs, payoffs.values()))
        if abs(math.fsum(payoffs.values())) > 1e-9 * largest * len(payoffs):
            case.broken(f"the payoffs {payoffs} sum to {math.fsum(payoffs.values())}")


@law("swapping the seats swaps the outcome")
def symmetric(case: Case) -> None:
    """For protocols that declare `symmetric`: the choices are listed in another order, each seat says what the seat that
    defended its choice said before, and the judge says of each choice what it said before."""
    if not case.protocol.metadata().symmetric:
        return
    first = case.play()
    seats = _swapped_seats(first.game.roles, len(case.question.choices))
    turn: list[int] = case.draw(st.permutations(range(len(seats))))
    choices = case.question.choices
    to = {seat: seats[turn[index]] for index, seat in enumerate(seats)}
    held = _defended(first, seats) if len(seats) == len(choices) else []  # else no seat has a choice to itself
    now_at = {held[index]: held[turn[index]] for index in range(len(held))}
    came_from = {new: old for old, new in now_at.items()}
    listed = tuple(choices[came_from.get(place, place)] for place in range(len(choices)))
    question = case.question.model_copy(update={"choices": listed})
    if not takes(case.protocol, question):
        return
    sayings, asked = defaultdict[str, list[list[Any]]](list), defaultdict[str, list[str]](list)
    for step in sorted(set(first.order), key=path_of):
        seat = case.script.seats[step]
        sayings[to.get(seat, seat)].append([_swap(reply, to, now_at) for reply in case.script.replies[step]])

    def agent(request: Request) -> Any:
        steps, told = asked[request.seat], sayings[request.seat]
        if request.step not in steps:
            steps.append(request.step)
        place = steps.index(request.step)
        if place >= len(told) or request.attempt >= len(told[place]):
            before = next((old for old, new in to.items() if new == request.seat), request.seat)
            case.broken(f"with seats {to} swapped, {request.seat} is asked more often than {before} was before")
        return told[place][request.attempt]

    script, case.script = case.script, case.fresh()
    case.script.acts = dict.fromkeys(first.game.roles, agent)
    second = case.play(question=question)
    case.script = script
    _swapped(case, first.game.outcome, second.game.outcome, to, now_at)


def _swapped_seats(roles: Mapping[str, str], choices: int) -> list[str]:
    """The seats that can be swapped: those of the role held by as many seats as there are choices, or by most."""
    held = [[seat for seat in roles if roles[seat] == role] for role in dict.fromkeys(roles.values())]
    return next((seats for seats in held if len(seats) == choices), max(held, key=len))


def _defended(hand: Hand, seats: list[str]) -> list[int]:
    """Which choice each seat defends: what its briefs say under `answer`; where they do not, the choice in its place."""
    told: dict[str, int] = {}
    for request, _ in hand.asked.values():
        if isinstance(answer := request.brief.get("answer"), int):
            told.setdefault(request.seat, answer)
    order = list(range(len(seats)))
    held = [told.get(seat, -1) for seat in seats]
    return held if sorted(held) == order else order


def _swap(reply: Any, to: Mapping[str, str], now_at: Mapping[int, int]) -> Any:
    if isinstance(reply, Verdict) and now_at and len(reply.probabilities) == len(now_at):
        moved = {now_at[index]: p for index, p in enumerate(reply.probabilities)}
        return reply.model_copy(update={"probabilities": tuple(moved[index] for index in range(len(moved)))})
    if isinstance(reply, Ask) and reply.to is not None and reply.to in to:
        return reply.model_copy(update={"to": to[reply.to]})
    if isinstance(reply, Answer) and reply.choice in now_at:
        return reply.model_copy(update={"choice": now_at[reply.choice]})
    return reply


def _swapped(case: Case, first: Any, second: Any, to: Mapping[str, str], now_at: Mapping[int, int]) -> None:
    how = f"with seats {dict(to)} swapped"
    if type(first) is not type(second):
        case.broken(f"{how} the outcome is {second!r}; before it was {first!r}")
    if not isinstance(first, Decided):
        return
    if _swap(first.verdict, to, now_at).probabilities != second.verdict.probabilities:
        case.broken(f"{how} the verdict is {second.verdict.probabilities}; before it was {first.verdict.probabilities}")
    for seat, payoff in first.payoffs.items():
        now = second.payoffs.get(to.get(seat, seat))
        if now is None or not math.isclose(now, payoff, rel_tol=1e-9, abs_tol=1e-9):
            case.broken(f"{how} the payoffs are {second.payoffs}; before they were {first.payoffs}")
