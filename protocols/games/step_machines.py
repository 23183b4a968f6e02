"""Machines that compute in steps, each from a few earlier values and at most one query to an oracle that gives no noise.
Rule: what a machine is, and how its steps are done again; no particular machine, and no debate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.registry import Named, find
from moot.protocols.engine.view import Look as Look


class StepMachine(Named, ABC, kind="machine"):
    """A computation of steps 0, 1, …, the last of which says "1" when the answer is yes. Subclasses are stateless.

    Each step has a value, a text of at most `width` characters, that follows from the values of the earlier steps in
    `inputs`, a few cells of the input, and the bit of at most one oracle query. The first `free` steps are the witness:
    their values are for the prover to choose. A subclass with a `name` is known by it once it is imported.
    """

    @abstractmethod
    def steps(self, look: Look) -> int:
        """How many steps there are, those of the witness included."""

    def free(self, look: Look) -> int:
        """How many values the witness has."""
        return 0

    @abstractmethod
    def width(self, look: Look) -> int:
        """The most characters of a value."""

    @abstractmethod
    def inputs(self, look: Look, t: int) -> tuple[int, ...]:
        """The steps, all before t, from whose values step t follows."""

    def query(self, look: Look, t: int, values: Sequence[str]) -> str | None:
        """What step t asks the oracle, given the values of its inputs; None for nothing."""
        return None

    @abstractmethod
    def value(self, look: Look, t: int, values: Sequence[str], bit: bool | None) -> str:
        """The value of step t, given those of its inputs and the oracle's bit. One of NO_VALUE when they are none."""


Oracle = Callable[[str], bool]
"""The oracle's answer to a query."""

NO_VALUE = (ValueError, LookupError, ArithmeticError, TypeError)
"""What a machine may raise when it is given texts that are no values of its steps, as a liar may write them."""


def query_of(machine: StepMachine, look: Look, t: int, values: Sequence[str]) -> str | None:
    """What step t asks the oracle; None also where the values of its inputs are no values."""
    try:
        return machine.query(look, t, values)
    except NO_VALUE:
        return None


def redone(machine: StepMachine, look: Look, t: int, values: Sequence[str], oracle: Oracle) -> str | None:
    """The value of step t, worked out again with at most one query; None where the values of its inputs are no values."""
    asked = query_of(machine, look, t, values)
    try:
        return machine.value(look, t, values, None if asked is None else oracle(asked))
    except NO_VALUE:
        return None


def run_of(machine: StepMachine, look: Look, oracle: Oracle, witness: Sequence[str] = ()) -> list[str]:
    """The value of every step, in order, from a witness of `free` values. UsageError when it has another length, or a step
    has no value."""
    if len(witness) != machine.free(look):
        raise UsageError(f"machine {machine.name} takes a witness of {machine.free(look)} values, not {len(witness)}")
    values = list(witness)
    for t in range(len(values), machine.steps(look)):
        value = redone(machine, look, t, [values[each] for each in machine.inputs(look, t)], oracle)
        if value is None:
            raise UsageError(f"machine {machine.name}: step {t} has no value after these witness values: {witness}")
        values.append(value)
    return values


def machine_named(name: str) -> StepMachine:
    """The machine called `name`. Raises UsageError when there is none."""
    made: StepMachine = find("machine", name)()
    return made
