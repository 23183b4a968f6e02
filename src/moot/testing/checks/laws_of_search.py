"""The laws of what a search rests on: a play can be led back along its moves, and what `moot.solve` finds is a play.

Rule: laws and what they alone need; `laws` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from moot.complexity.search.retrace import Retraced, Taken
from moot.complexity.search.solve import Solution, solve
from moot.play.run import run
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.outcomes import Decided, Errored
from moot.protocols.engine.request import Request
from moot.testing.checks.check import MOST, Case, law
from moot.transcripts.transcript import Transcript

BOTH = 2  # positions of a play at which a free seat has a second move to choose from
POSITIONS = 40


@law("a check changes nothing: a play led along moves that were accepted, without their checks, is the same play")
def led_back(case: Case) -> None:
    """What a script wants to keep of a move, it takes from the move that it is sent, or in the `keep` of its ask."""
    script, protocol = case.play().script, case.protocol
    game = Retraced(protocol, case.question, seed=case.seed)
    seen: list[Mapping[str, str]] = []
    trail: list[Taken] = []

    def open_now() -> Mapping[str, str]:
        return {step: game.request(step).digest for step in game.open}

    def play() -> None:
        game.start()
        while game.outcome is None and len(trail) < MOST:
            step = next(iter(game.open))
            rejected: list[tuple[Any, int]] = []
            while step in game.open:
                if not rejected:
                    seen.append(open_now())
                reply = script.reply(game.request(step))
                try:
                    taken = game.vet(step, reply)
                except Illegal:
                    game.answer(step, reply)
                    rejected.append((reply, 0))
                    continue
                trail.append(taken)
                game.repeat(taken)
                taken.rejected = rejected
                break

    try:
        case.attempt(play)
        outcome = game.outcome
        if not trail or len(trail) == MOST:
            return
        at = case.draw(st.integers(0, len(trail) - 1))
        case.attempt(game.restart, trail[:at])
        if open_now() != seen[at]:
            steps = f"steps {', '.join(seen[at])} were open and now {', '.join(game.open) or 'none'}"
            other = (
                steps
                if seen[at].keys() != game.open.keys()
                else f"the requests of {', '.join(game.open)} show something else"
            )
            case.broken(f"led along {at} moves again, {other}")
        case.attempt(game.restart, trail)
        if isinstance(outcome, Decided) and game.outcome != outcome:
            case.broken(f"led along its moves again, the play ends in {game.outcome!r}, and not in {outcome!r}")
    finally:
        game.close()


@law("the line that solving finds is a run of its strategies, and pays the value")
def solved(case: Case) -> None:
    """A seat that is paid chooses between two moves at its first turns; everything else is as drawn. What `solve` refuses
    (seats that do not see what they would answer, plays that are not decided) is passed over."""
    played = case.play()
    outcome = played.game.outcome
    if not isinstance(outcome, Decided) or not outcome.payoffs or len(played.order) > POSITIONS:
        return
    free = sorted(outcome.payoffs)[case.draw(st.integers(0, len(outcome.payoffs) - 1))]
    said: dict[tuple[str, str, int], list[Any]] = {}
    chosen = [0]

    def replies(request: Request, count: int) -> list[Any]:
        """What may be said here: as in the first play, where that came to this step, and what is drawn for it."""
        known = said.setdefault((request.step, request.digest, request.attempt), [])
        first = played.script.replies.get(request.step, [])
        if not known and request.attempt < len(first):
            known += first[-1:] if count > 1 else first[request.attempt :][:1]
        while len(known) < count:
            known.append(case.fresh().reply(request))
        return known

    def options(request: Request) -> list[Any]:
        if (request.step, request.digest, 0) not in said:
            chosen[0] += 1
        return replies(request, 2 if chosen[0] <= BOTH else 1)

    def fixed(request: Request) -> Any:
        return replies(request, 1)[0]

    others = {seat: fixed for seat in case.protocol.roles(case.question) if seat != free}

    def searched() -> Solution | None:
        try:
            options_of: dict[str, Any] = {
                "moves": {free: options},
                "seats": others,
                "limit": POSITIONS,
                "strategy": True,
            }
            return solve(case.protocol, case.question, **options_of)
        except (UsageError, AgentError):
            return None

    found: Solution | None = case.attempt(searched)
    if found is None:
        return
    transcript: Transcript = case.attempt(
        run, case.protocol, case.question, {**found.strategy, **others}, seed=case.seed
    )
    if isinstance(transcript.outcome, Errored):
        case.broken(f"seat {free} solved: a run of the strategy ends in {transcript.outcome!r}")
    coins = {event["step"]: event["value"] for event in transcript.events() if event["event"] == "flipped"}
    if coins != found.coins:
        return
    line = [(entry.step, entry.seat, entry.move.model_dump(mode="json")) for entry in found.line]
    ran = [(step.step, step.seat, step.move) for step in transcript.steps()]
    if sorted(line, key=str) != sorted(ran, key=str):
        case.broken(f"seat {free} solved: the line is {line}; the run of the strategy {ran}")
    if transcript.outcome != found.outcome:
        case.broken(
            f"seat {free} solved: the line ends in {found.outcome!r}; the run of the strategy in {transcript.outcome!r}"
        )
    paid = found.outcome.payoffs[free] if isinstance(found.outcome, Decided) else None
    if not coins and paid is not None and abs(paid - found.value[free]) > 1e-9:
        case.broken(f"the value for seat {free} is {found.value[free]}, and the run of the strategy pays it {paid}")
