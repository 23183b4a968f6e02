"""The engine: runs a protocol one step at a time, synchronously.

    game = Game(protocol, question, seed=7)
    while game.outcome is None:
        step, request = next(iter(game.requests().items()))
        game.answer(step, some_move)

Rule of this file: it does no I/O, knows no event loop, and no protocol by name. A step's identity is its path ("2.0.1": the
second step of the first branch of the third step), so the order of answers changes nothing.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json

from moot.protocols.engine import errors, steps
from moot.protocols.engine.base import Protocol, fitting, record_of
from moot.protocols.engine.budget import MEASURES, Account, Budget, Meter, dealt
from moot.protocols.engine.errors import BudgetExceeded, Illegal, ProtocolError, UsageError, line_at, line_of, near
from moot.protocols.engine.floor import Floor, as_coroutine
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited, Outcome, Unreadable
from moot.protocols.engine.question import Held, Question, owned
from moot.protocols.engine.replies import accepted, printable, recorded, tolerated, written
from moot.protocols.engine.request import Request, postponed
from moot.protocols.engine.steps import PROTOCOL, AskEffect, Branch, Effect, Recorder, Waiting, drawn, seed_of
from moot.protocols.engine.values.digests import Digests
from moot.protocols.engine.values.frozen import fixed, frozen
from moot.protocols.engine.view import NOTHING, Shown

_SEAT = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Game:
    """One play of a protocol, driven from outside.

    bounds: per seat, the numbers that it may spend of each measure. recorder: told of every event. chance: gives the
    value of a coin (an index into the weights, or a number in [0, 1) when they are None); by default it follows from
    the seed and the step alone. lean: keep statements as JSON until somebody reads them, as in a replay nobody may.

    Raises UsageError when the question does not fit or an argument is of the wrong type, ProtocolError when the protocol
    awaits something that is not its floor, decides what cannot be, or fails itself.
    """

    def __init__(
        self, protocol: Protocol, question: Question, *, seed: int = 0,
        bounds: Mapping[str, Mapping[str, int | float]] | None = None, recorder: Recorder | None = None,
        chance: Callable[[str, tuple[float, ...] | None], int | float] | None = None, lean: bool = False,
    ) -> None:  # fmt: skip
        for given, kind in ((protocol, Protocol), (question, Question), (seed, int)):
            if not isinstance(given, kind) or isinstance(given, bool):
                name = "seed" if kind is int else kind.__name__.lower()
                raise UsageError(f"a game's {name} is {given!r}; it must be of type {kind.__name__}")
        question = owned(question)  # so that nothing done to the caller's reaches the play
        self.protocol, self.question, self.seed = protocol, question, seed
        self._own = frozenset((question.text, *question.choices))
        self._held = Held()
        self.taken: dict[str, Move | None] = {"q": None}  # by step, what was said there
        self._shown = Digests(self._held)
        self.roles = protocol.roles(question)
        for seat, limits in (bounds or {}).items():
            if seat not in self.roles:
                raise UsageError(f"{protocol.name} has no seat {seat!r} to bound{near(seat, self.roles)}")
            if wrong := [measure for measure in limits if measure not in MEASURES]:
                raise UsageError(f"seat {seat}: no measure is called {wrong[0]!r}; there are {', '.join(MEASURES)}")
        if odd := [seat for seat in self.roles if not _SEAT.fullmatch(seat)]:
            raise ProtocolError(f"protocol {protocol.name}: seat {odd[0]!r}: letters, digits, _ . - only, at most 64")
        self.recorder, self.lean = recorder, lean
        self._cells = question.unit == "cells"
        self.chance = chance or (lambda step, weights: drawn(seed, step, weights))
        self.current: Branch | None = None
        self.outcome: Outcome | None = None
        self.open: dict[str, Waiting] = {}
        self._ready: deque[tuple[Branch, Any]] = deque()
        self._branches: set[Branch] = set()
        self._bounds = bounds or {}
        self._begin()

    # -- what the driver calls ---------------------------------------------------------------------------------------

    def start(self) -> Game:
        """Run the protocol up to its first asks."""
        self._run()
        return self

    def request(
        self, step: str, note: Callable[[dict[str, Any]], None] | None = None, account: Account | None = None
    ) -> Request:
        """The request that is open at `step`, with a fresh meter, of `account` or the seat's own; earlier ones are closed."""
        waiting = self.open[step]
        ask, seat = waiting.ask, waiting.ask.seat
        meter = Meter(account or waiting.branch.account(seat))
        waiting.used(meter)

        def later(name: str) -> Any:
            if name == "seed":
                return seed_of(self.seed, step)
            if name == "facts":
                return ask.floor and ask.floor.facts(ask.view)
            return Budget(meter) if name == "budget" else waiting.digest or self._shown.of(ask)

        view, role = Shown(ask.view, meter, self._own, self._held, seat), self.roles.get(seat, seat)
        tried = (waiting.attempt, waiting.problem)
        made = postponed(step, seat, role, ask.kinds, view, *tried, later, note, waiting.rejected)
        made.brief = frozen(ask.brief)  # now: the script may change its lists later
        return made

    def requests(self) -> dict[str, Request]:
        """Every open request by step, in the order of their paths' opening."""
        return {step: self.request(step) for step in self.open}

    def meter(self, step: str) -> Meter:
        """What was read and spent for the request that was made at `step` last."""
        return self.open[step].meter or Meter(self.account(step))

    def account(self, step: str) -> Account | None:
        """The account of the seat that is asked at `step`, as far as this branch may spend it."""
        return self.open[step].branch.account(self.open[step].ask.seat)

    def answer(
        self, step: str, reply: Any, *, reads: int | None = None, spent: Mapping[str, int | float] | None = None,
        meta: Mapping[str, Any] | None = None, history: bool = False,
    ) -> bool:  # fmt: skip
        """Give the move for an open step. True when it was accepted; False when it was illegal, which is recorded and
        leaves the play as it was (the step stays open, unless its seat has now forfeited).

        reads, spent: what the seat read (None: nobody counted) and spent for it. The reads of a seat without a bound, on
        which nothing rests, are recorded as meta. history: what is told was accepted by another system: where the play can
        go on with a move that breaks a rule, it is accepted, with the rule as a remark. Raises ProtocolError when no such
        step is open, and for history Illegal when the play cannot go on with the move.
        """
        waiting = self.open.get(step)
        if waiting is None:
            raise ProtocolError(f"step {step} is not open; open: {', '.join(self.open) or 'none'}")
        ask, branch = waiting.ask, waiting.branch
        if waiting.meter is not None:
            waiting.used(None)
        account = branch.accounts.get(ask.seat) if branch.accounts else None
        if account is None:
            if reads is not None and self.recorder is not None:
                meta, reads = {**(meta or {}), "reads": reads}, None
        else:
            try:
                account.answered(reads or 0)
                for measure, amount in (spent or {}).items():
                    account.charge(measure, amount)
            except BudgetExceeded as error:
                self.exhaust(step, error)
                return False
        remark = None
        try:
            given, move, payload, raw = accepted(reply, ask)
        except Illegal as error:
            if not history:
                self._reject(step, waiting, reply, str(error), reads or 0, meta)
                return False
            given, move, payload, remark = tolerated(reply, ask)
            raw, waiting.problem = None if move == given else to_json(given), remark
        if ask.keep is not None:
            ask.keep(given if isinstance(given, Move) else move)
        del self.open[step]
        seat, shown = ask.seat, move.as_public() if move.private_fields else move
        if self.recorder is not None:
            if not self.lean:  # a record that is led along again says so itself
                self.taken[step] = shown
            under = "q" if ask.under is None and move.argues else ask.under
            size = 0 if under is None else shown.cells() if self._cells else shown.reading()
            self.recorder.moved(
                step, seat, waiting.digest, payload, raw, under, ask.relation, size, reads or 0, meta, remark
            )
        branch.last = step
        if ask.say:
            payload = payload if shown is move else written(shown)
            branch.say((step, seat, type(shown), payload) if self.lean else (step, seat, shown), payload, ask.to)
        self._ready.append((branch, move))
        self._run()
        return True

    def exhaust(self, step: str, error: BudgetExceeded, reads: int = 0) -> None:
        """End the play: the seat that is asked at `step` would cross its budget, after reading `reads` for it."""
        self.end(steps.exhausted(self.open[step].ask.seat, error, step), failed=step, reads=reads)

    def fail(self, step: str, cause: str, reads: int = 0) -> None:
        """End the play: what should have answered `step` failed."""
        self.end(Errored(step=step, cause=printable(cause)), failed=step, reads=reads)

    def unreadable(self, step: str, reason: str, reads: int = 0) -> None:
        """End the play: what came back for `step` could not be read as a move, not even when its seat was told why."""
        seat = self.open[step].ask.seat
        self.end(Unreadable(step=step, seat=seat, reason=printable(reason)), failed=step, reads=reads)

    def end(self, outcome: Outcome, failed: str | None = None, reads: int = 0) -> None:
        """End the play with `outcome`; nothing is asked after it. `failed`: the step at which the world gave out, after
        its seat had read `reads`."""
        if self.outcome is not None:
            return
        if self.recorder is not None:
            fields = {"outcome": outcome.model_dump(mode="json")}
            if failed is not None:
                said: dict[str, Any] = {"step": failed, "seat": self.open[failed].ask.seat, **fields}
                bounded = self.account(failed) is not None
                if reads and bounded:
                    said["reads"] = reads
                self.recorder.event("failed", said, None if bounded else {"reads": reads})
            self.recorder.event("ended", fields)
        self.outcome = outcome
        self.close()

    def close(self) -> None:
        """Drop the protocol's coroutines; the outcome, if there is one, stays."""
        self.current = None
        self.open.clear()
        self._ready.clear()
        branches, self._branches = self._branches, set()
        asking: list[str] = []
        for branch in branches:
            try:
                branch.coro.close()
            except RuntimeError:  # it awaited something on its way out
                asking.append(branch.last or "none")
            steps.drop(branch.parted)
        if asking:
            raise ProtocolError(
                f"protocol {self.protocol.name} awaits its floor after the play has ended (in a finally or except block, "
                f"after step {asking[-1]}); nothing can be asked then"
            )

    # -- inside -------------------------------------------------------------------------------------------------------

    def _begin(self, floor: Floor | None = None) -> None:
        """Put the play before its first step. The floor is kept by the script alone: a circle would outlive the play."""
        floor = floor or Floor(self, self.protocol, self.question, self.roles, {})
        self.accounts = {seat: Account(limits) for seat, limits in self._bounds.items()}
        root = Branch(self.protocol.play(floor, self.question), "", {None: NOTHING})
        root.accounts = self.accounts or None
        self._begun(root)

    def _begun(self, branch: Branch) -> None:
        self._branches.add(branch)
        self._ready.append((branch, None))

    def _run(self) -> None:
        ready = self._ready
        while ready and self.outcome is None:
            branch, value = ready.popleft()
            self.current = branch
            try:
                effect = branch.coro.send(value)
            except StopIteration as stop:
                self._finished(branch, stop.value)
                continue
            except (ProtocolError, UsageError):
                self.close()
                raise
            except Exception as error:
                self.close()
                where = f"protocol {self.protocol.name} failed at {line_of(error, self.protocol)}"
                what = f"after step {branch.last or 'none'}: {type(error).__name__}: {errors.said(error)}"
                raise ProtocolError(f"{where}, {what}") from error
            if type(effect) is AskEffect:
                seats, under = branch.seats, effect.under
                if (seats is not None and effect.seat not in seats) or (
                    under is not None and self.recorder is not None and not self.lean and under not in self.taken
                ):
                    self._vetted(branch, effect)
                self.open[branch.step()] = Waiting(
                    branch, effect, "" if self.recorder is None else self._shown.of(effect)
                )
            elif isinstance(effect, Effect):
                self._carry_out(branch, effect)
            else:
                where = self._where(branch)
                self.close()
                raise ProtocolError(
                    f"{where} awaits something that is not its floor ({effect!r}); moves, coins and sub-plays all come "
                    "from floor.ask, floor.flip, floor.parallel and floor.play"
                )
        self.current = None
        if not self.open and not ready and self.outcome is None and self._branches:
            raise ProtocolError(f"protocol {self.protocol.name} waits for nothing and has not ended")

    def _carry_out(self, branch: Branch, effect: Effect) -> None:
        step = branch.step()
        if isinstance(effect, steps.FlipEffect):
            value = self.chance(step, effect.weights)
            if self.recorder is not None:
                self.recorder.event("flipped", {"step": step, "weights": effect.weights, "value": value})
            self._ready.append((branch, value))
        elif isinstance(effect, steps.ChargeEffect):
            if self.recorder is not None:
                fields = {"step": step, "seat": effect.seat, "measure": effect.measure, "amount": effect.amount}
                self.recorder.event("charged", fields)
            self._vetted(branch, effect)
            try:
                if (account := branch.account(effect.seat)) is not None:
                    account.charge(effect.measure, effect.amount)
            except BudgetExceeded as error:
                return self.end(steps.exhausted(effect.seat, error, step))
            self._ready.append((branch, None))
        elif isinstance(effect, steps.TellEffect):
            self._tell(branch, step, effect)
        elif isinstance(effect, steps.ParallelEffect):
            self._split(branch, step, effect)
        elif isinstance(effect, steps.PlayEffect):
            self._enter(branch, step, effect)

    def _tell(self, branch: Branch, step: str, effect: steps.TellEffect) -> None:
        move = fixed(effect.move).as_public()
        if self.recorder is not None:
            self.recorder.event("told", {"step": step, "move": move.model_dump(mode="json"), "to": effect.to})
        branch.say((step, PROTOCOL, move), written(move), effect.to)
        self.taken[step] = move
        self._ready.append((branch, None))

    def _split(self, branch: Branch, step: str, effect: steps.ParallelEffect) -> None:
        count = len(effect.branches)
        if not count:
            return self._ready.append((branch, ()))
        children: list[Branch] = []
        branch.results, branch.left, branch.children, branch.parted = [None] * count, count, children, effect.branches
        asking = effect.seats or [None] * count
        if branch.seats is not None:
            asking = [branch.seats if seats is None else seats & branch.seats for seats in asking]
        accounts = dealt(branch.accounts, asking) if branch.accounts else [{}] * count
        for index, awaitable in enumerate(effect.branches):
            child = Branch(as_coroutine(awaitable), f"{step}.{index}.", dict(branch.heads), last=branch.last)
            child.parent, child.index = branch, index
            child.accounts, child.seats, child.added = accounts[index] or None, asking[index], []
            children.append(child)
            self._begun(child)

    def _enter(self, branch: Branch, step: str, effect: steps.PlayEffect) -> None:
        protocol, question = effect.protocol, effect.question
        if not isinstance(protocol, Protocol):
            raise ProtocolError(f"{self._where(branch)} plays {protocol!r}; floor.play takes a Protocol")
        effect.step = step
        if self.recorder is not None:
            self.recorder.event("entered", {
                "step": step, "protocol": record_of(protocol),
                "question": question.model_dump(mode="json", exclude_defaults=True), "seats": effect.seats,
            })  # fmt: skip
        floor = Floor(self, protocol, question, protocol.roles(question), effect.seats)
        child = Branch(protocol.play(floor, question), f"{step}.", {None: NOTHING}, parent=branch, play=effect)
        child.accounts, child.seats = branch.accounts, branch.seats
        self._begun(child)

    def _finished(self, branch: Branch, value: Any) -> None:
        self._branches.discard(branch)
        parent, inner = branch.parent, branch.play
        if parent is None:
            return self.end(fitting(value, self.protocol, self.question, self.roles))
        if inner is not None:
            outcome = fitting(value, inner.protocol, inner.question, inner.seats)
            if isinstance(outcome, Forfeited | Exhausted | Unreadable):  # by the name that the script has for its seat
                outcome = outcome.model_copy(update={"seat": inner.seats[outcome.seat]})
            if self.recorder is not None:
                self.recorder.event("left", {"step": inner.step, "outcome": outcome.model_dump(mode="json")})
            parent.last = inner.step
            self.taken[inner.step] = None
            return self._ready.append((parent, outcome)) if isinstance(outcome, Decided) else self.end(outcome)
        parent.results[branch.index] = value
        parent.left -= 1
        if parent.left == 0:
            for child in parent.children:
                for entry, payload, to in child.added or ():
                    parent.say(entry, payload, to)
            for seat, account in (parent.accounts or {}).items():
                account.join([share for child in parent.children if (share := child.account(seat)) is not None])
            parent.last = parent.children[-1].last or parent.last
            self._ready.append((parent, tuple(parent.results)))
            parent.children, parent.results, parent.parted = (), None, ()

    def _reject(
        self, step: str, waiting: Waiting, reply: Any, rule: str, reads: int, meta: Mapping[str, Any] | None
    ) -> None:
        ask = waiting.ask
        data, rule = recorded(reply, ask, rule)
        ended = waiting.refused(rule, data)
        if self.recorder is not None:
            fields = {"step": step, "seat": ask.seat, "request": waiting.digest, "move": data, "rule": rule}
            self.recorder.event("rejected", {**fields, "reads": reads} if reads else fields, meta)
        if ended:
            self.end(Forfeited(seat=ask.seat, rule=rule, step=step))

    def _vetted(self, branch: Branch, effect: AskEffect | steps.ChargeEffect) -> None:
        """Raise ProtocolError on a seat that its branch was not to ask, and on a place under a step that nobody took."""
        taken = None if self.lean or self.recorder is None else self.taken
        if (wrong := steps.misplaced(branch, effect, taken)) is not None:
            where = self._where(branch)
            self.close()
            raise ProtocolError(f"{where} {wrong}")

    def _where(self, branch: Branch) -> str:
        return f"protocol {self.protocol.name} at {line_at(branch.coro, self.protocol)}"
