"""Doubly-efficient debate about a computation with an oracle that gives no noise: one step is done again.
Rule: the oracle without noise alone; the noisy one is in `doubly_efficient.py`, machines in `step_machines.py`.

Brown-Cohen, Irving and Piliouras 2023, Scalable AI safety via doubly-efficient debate (arXiv 2311.14125): deterministic
debate with cross-examination, and the same with a witness.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from moot.protocols.amplification.amplification import Text
from moot.protocols.checks import checked, fill
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import NOTHING, Entry, Log, looker
from moot.protocols.games.claims import ClaimGame, named
from moot.protocols.games.cross_examination import Examination
from moot.protocols.games.doubly_efficient import Count, Counted, of_oracle
from moot.protocols.games.step_machines import Look, StepMachine, machine_named, query_of

_STEP = re.compile(r"step\((0|[1-9][0-9]{0,17})\)", re.ASCII)


class Value(Counted, argues=True, filled=("of",), read_as="{of} = {answer}"):
    """The value of one step. of: its address (the protocol fills it in). queries: how often its author asked the oracle for
    this step."""

    kind: Literal["value"] = "value"
    of: str = ""
    answer: Text
    queries: Count = 0


class Fault(Counted, argues=True, read_as="{address}", worded="{address} does not follow"):
    """The address of a step whose value, the opponent says, does not follow. queries: how often it asked the oracle."""

    kind: Literal["fault"] = "fault"
    address: Annotated[str, Field(min_length=1, max_length=40)]
    queries: Count = 0


class Accept(Counted, read_as="accepted"):
    """The opponent finds no fault. queries: how often it asked the oracle."""

    kind: Literal["accept"] = "accept"
    queries: Count = 0


class Witness(Move, argues=True):
    """The values of the witness, in order."""

    kind: Literal["witness"] = "witness"
    values: tuple[Text, ...]

    def content(self) -> str:
        return " ".join(self.values)

    def cells(self) -> int:
        return len(self.values)


def address(t: int) -> str:
    """The address of a step's value."""
    return f"step({t})"


def step_of(text: str, steps: int) -> int | None:
    """The step at an address; None when it is none of 0 to steps - 1."""
    found = _STEP.fullmatch(text)
    return t if found is not None and (t := int(found[1])) < steps else None


class DeterministicDoublyEfficientDebate(ClaimGame):
    """Does this step machine answer "1"? Alice, who claims "yes", is bound to a value for every step; Bob names one.

    Alice is the seat that defends "yes" (a, where "yes" is listed first). Her copies answer for one step each, seeing the
    data and no more, once in a play, as in cross-examination. Bob may examine steps, then challenges one or accepts. On a
    challenge the judge is shown the value of that step and those of its inputs, and does it again; Alice wins if it comes
    out as she says. It reads O(l log T) bits, l being a value's length and T the number of steps, and its "queries" are
    charged the one query of that step, if it has one. Debaters say how often they asked the oracle, and are charged that.
    When Bob accepts, or names what is no step to do again, the value of the last step decides.

    Of a wrong last value some step is wrong whose inputs are right, and Bob wins by naming it; a right one has none. Both
    sides do the computation once: that is doubly efficient. access is relative to the oracle, with one query.

    machine, input: a StepMachine; where `machine` is None the question's data names both. examined: how many steps Bob
    may examine (None: all of them). What is longer than the machine's width is put down as "?".
    """

    name: ClassVar[str] = "doubly-efficient-deterministic"
    complexity_class: ClassVar[str | None] = "P^O"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "copies")
    measure: ClassVar[str] = "queries"
    witnessed: ClassVar[bool] = False

    machine: str | None = None
    input: JsonValue = None
    examined: Annotated[int, Field(ge=0)] | None = None

    def fit(self, question: Question) -> str | None:
        machine, look = self.computed(question)
        try:
            steps, free, _ = machine.steps(look), machine.free(look), machine.width(look)
        except (ValueError, LookupError, TypeError) as error:
            return f"its input is none of its machine's ({type(error).__name__}: {error})"
        if steps <= free:
            return f"machine {machine.name} has {steps} steps, {free} of them witness; the last must be computed"
        if bool(free) != self.witnessed:
            wanted = "some" if self.witnessed else "none"
            return f"machine {machine.name} has a witness of {free} values; {self.name} takes {wanted}"
        return None

    def computed(self, question: Question) -> tuple[StepMachine, Look]:
        """The machine, and how it looks at its input. UsageError when neither the protocol nor the data names them."""
        name, x = named(self.machine, self.input, question.data, "machine")
        return machine_named(name), looker(x)

    async def play(self, floor: Floor, question: Question) -> Decided:
        alice, bob = self.sides(question)
        machine, look = self.computed(question)
        steps = machine.steps(look)
        table = _Table(floor, alice, machine, look)
        if self.witnessed:
            await table.write()
        left = steps if self.examined is None else self.examined
        while True:
            move: Examination | Fault | Accept = await floor.ask(
                bob, Examination | Fault | Accept if left else Fault | Accept, view=floor.said(source="all"),
                check=_within(left), relation="attacks", task="examine" if left else "challenge",
                details={"left": left, "steps": steps}, most={"addresses": left},
            )  # fmt: skip
            said = Entry(floor.step, bob, move)
            if not isinstance(move, Examination):
                break
            left -= len(move.addresses)
            wanted = dict.fromkeys(step_of(each, steps) for each in move.addresses)
            await table.ask([t for t in wanted if t is not None], said.step)
        if move.queries:
            await floor.charge(bob, "queries", move.queries)
        t = step_of(move.address, steps) if isinstance(move, Fault) else None
        if t is None or t < machine.free(look):
            last = await table.value(steps - 1, None)
            return self.decided(floor, self.sure(question, last == "1", f"the last step was said to be {last}"))
        inputs = machine.inputs(look, t)
        await table.ask([*inputs, t], said.step)
        query = query_of(machine, look, t, [await table.value(each, None) for each in inputs])
        if query is not None:
            await floor.charge("judge", "queries", 1)
        view = floor.only(
            question.text, said, *(table.held[each] for each in dict.fromkeys((*inputs, t))), choices=question.choices,
            source="metered", data=of_oracle(question.data, query),
        )  # fmt: skip
        return await self.judged(floor, view, "redo", details={"step": t, "inputs": list(inputs)})

    def copied(self, question: Question) -> tuple[str, ...]:
        return self.sides(question)[:1]

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        machine, look = self.computed(question)
        computed = machine.steps(look) - machine.free(look)
        if self.examined is None or self.examined >= computed:
            return None
        return f"the opponent may examine {self.examined} of {computed} steps, and so may miss the wrong one"

    def most_moves(self, question: Question) -> dict[str, int] | None:
        alice, bob = self.sides(question)
        machine, look = self.computed(question)
        steps = machine.steps(look)
        examined = steps if self.examined is None else self.examined
        return {alice: steps + self.witnessed, bob: examined + 1, "judge": 1}


class WitnessedDoublyEfficientDebate(DeterministicDoublyEfficientDebate):
    """Is there a witness with which this step machine answers "1"? Alice writes one first; then the debate is the same.

    The witness is the values of the machine's free steps. Everybody is shown it but the judge, who gets the values among
    the inputs of the step that is challenged. Where there is no witness every one leads to a last value of "0", whatever
    Alice writes, so that Bob wins as before: NP relative to the oracle.
    """

    name: ClassVar[str] = "doubly-efficient-witness"
    complexity_class: ClassVar[str | None] = "NP^O"
    witnessed: ClassVar[bool] = True


class _Table:
    """The values that Alice is bound to: of the witness that she wrote, and of the steps that her copies were asked for."""

    def __init__(self, floor: Floor, alice: str, machine: StepMachine, look: Look) -> None:
        self.floor, self.alice, self.width, self.free = floor, alice, machine.width(look), machine.free(look)
        self.held: dict[int, Entry] = {}
        self.shown: Log = NOTHING

    async def write(self) -> None:
        view = self.floor.said(source="all")
        said: Witness = await self.floor.ask(
            self.alice, Witness, view=view, check=self._witness, task="witness", most={"values": self.free}
        )  # fmt: skip
        step = self.floor.step
        self.shown = NOTHING.then(Entry(step, self.alice, said))
        for t, value in enumerate(said.values):
            self.held[t] = Entry(step, self.alice, Value(of=address(t), answer=value))

    async def ask(self, wanted: list[int], under: str | None) -> None:
        """Ask the copies for the values of these steps that are not known yet, all at the same time."""
        missing = [t for t in dict.fromkeys(wanted) if t not in self.held]
        if missing:
            await self.floor.parallel(*(self._copy(t, under) for t in missing), seats=[self.alice] * len(missing))

    async def value(self, t: int, under: str | None) -> str:
        await self.ask([t], under)
        move = self.held[t].move
        assert isinstance(move, Value)
        return move.answer

    async def _copy(self, t: int, under: str | None) -> None:
        said = await self.floor.ask(
            self.alice, Value, view=self.floor.only(address(t), source="all", log=self.shown),
            check=lambda said: fill(said, of=address(t), answer=self._cut(said.answer)), under=under, task="step",
            details={"step": t},
        )  # fmt: skip
        step = self.floor.step
        if said.queries:
            await self.floor.charge(self.alice, "queries", said.queries)
        self.held[t] = Entry(step, self.alice, said)

    def _witness(self, said: Witness) -> Witness:
        if len(said.values) > self.free:
            raise Illegal(f"the witness has {self.free} values, not {len(said.values)}")
        missing = (UNKNOWN,) * (self.free - len(said.values))
        return Witness(values=(*map(self._cut, said.values), *missing))

    def _cut(self, value: str) -> str:
        return value if len(value) <= self.width else UNKNOWN


def _within(left: int) -> Callable[[Move], Move]:
    within: Callable[[Move], Move] = checked(most={"addresses": left})
    return lambda move: within(move) if isinstance(move, Examination) else move
