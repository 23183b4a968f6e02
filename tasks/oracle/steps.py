"""Step machines with an oracle that gives no noise: two of them, the tasks about them, and the programs that debate them.

Rule of this file: the oracle answers the same every time; what is drawn is in `noisy_oracle.py`."""

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import looker
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.cross_examination import Examination
from moot.protocols.games.doubly_efficient_steps import Accept, Fault, Value, Witness, address, step_of
from moot.protocols.games.step_machines import StepMachine, machine_named, query_of, redone, run_of
from moot.tasks.base import Task
from moot.tasks.family import whole
from moot.tasks.oracle.machines import Subset, Tally
from moot.tasks.programs.play import Play, Program, TaskProgram, ruled

STEPPED = Play({"debater": "honest", "judge": "redoer"}, "1")


class Stepper(TaskProgram, name="honest"):
    """Both debaters, honest. As Alice it runs the machine, on a witness where there is one; as Bob it examines every step,
    then names the first value that does not follow from Alice's own values before it."""

    task: "StepTask"
    _known: tuple[Any, tuple[str, ...], list[str]] | None = None

    def act(self, request: Request) -> Move:
        if Witness in request.kinds:
            return Witness(values=self.task.witness(request.view.question.data))
        return self.copy(request) if Value in request.kinds else self.attack(request)

    def copy(self, request: Request) -> Value:
        """A copy's answer for one step. It counts the query of that step; those before it are counted where they are made."""
        machine, t, values = self.task.machine(), request.brief["details"]["step"], self.values(request)
        look = looker(request.view.question.data)
        cells = partial(look, "input")
        asked = query_of(machine, cells, t, [values[each] for each in machine.inputs(cells, t)])
        return Value(answer=self.value(values, t), queries=int(asked is not None))

    def value(self, values: list[str], t: int) -> str:
        return values[t]

    def values(self, request: Request) -> list[str]:
        """The value of every step, after the witness that this request shows."""
        data: Any = request.view.question.data
        witness = _witness(request)
        # The run of one instance is kept: a copy for each step would otherwise run the machine anew.
        if self._known is None or self._known[0] is not data or self._known[1] != witness:
            machine = self.task.machine()
            self._known = (data, witness, run_of(machine, looker(data["input"]), _oracle(data), witness))
        return self._known[2]

    def attack(self, request: Request) -> Move:
        data: Any = request.view.question.data
        machine, look = self.task.machine(), looker(data["input"])
        steps, witness = request.brief["details"]["steps"], _witness(request)
        said = dict(enumerate(witness))
        for entry in request.view:
            if isinstance(entry.move, Value) and (t := step_of(entry.move.of, steps)) is not None:
                said[t] = entry.move.answer
        unknown = [t for t in range(len(witness), steps) if t not in said]
        if unknown and request.brief["details"]["left"]:
            return Examination(addresses=tuple(map(address, unknown[: request.brief["details"]["left"]])))
        count = 0
        for t in range(len(witness), steps):
            inputs = machine.inputs(look, t)
            if t in said and all(each in said for each in inputs):
                values = [said[each] for each in inputs]
                count += query_of(machine, look, t, values) is not None
                if redone(machine, look, t, values, _oracle(data)) != said[t]:
                    return Fault(address=address(t), queries=count)
        return Accept(queries=count)


class Lying(Stepper, name="liar"):
    """An Alice whose values are right but for the last, which she says is 1."""

    def value(self, values: list[str], t: int) -> str:
        return "1" if t == len(values) - 1 else values[t]


class Redoer(Program):
    """The judge: does the one step that is challenged again, from the values of its inputs and the oracle's one bit."""

    def act(self, request: Request) -> Verdict:
        view, t = request.view, request.brief["details"]["step"]
        machine = machine_named(view.look("machine"))
        said = {entry.move.of: entry.move.answer for entry in view[1:] if isinstance(entry.move, Value)}
        values = [said[address(each)] for each in request.brief["details"]["inputs"]]
        value = redone(machine, partial(view.look, "input"), t, values, lambda query: bool(view.look("oracle", query)))
        why = f"step({t}) comes out as {value}; it was said to be {said[address(t)]}"
        return ruled(view.question, "yes", value == said[address(t)], why)


class StepTask(Task):
    """Does a step machine answer 1? The data names the machine and its input, and holds the oracle: query to bit."""

    source: ClassVar[str] = "Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125"
    example = "answer()"
    own = {"honest": Stepper, "liar": Lying, "redoer": Redoer}
    reads: ClassVar[str] = "9"
    largest = 10_000
    machine: ClassVar[type[StepMachine]]

    def count(self, data: Any) -> int:
        items = whole(data["input"]["items"])
        if len(data["oracle"].keys()) < items:
            raise ValueError(f"an oracle that answers about each of {items} items is wanted")
        return items

    @abstractmethod
    def holds(self, data: Any) -> bool:
        """Whether the answer is yes, by a direct algorithm."""

    def witness(self, data: Any) -> tuple[str, ...]:
        """A witness with which the machine answers 1, or any where there is none."""
        return ()

    def truth(self, data: Any, text: str) -> str:
        self.match(text)
        return "yes" if self.holds(data) else "no"


class OracleTally(StepTask):
    """Does the oracle approve of at least m of n items? Half of the instances are one item short."""

    name: ClassVar[str] = "oracle-tally"
    complexity_class: ClassVar[str] = "P"
    machine: ClassVar[type[StepMachine]] = Tally
    plays = {"doubly-efficient-deterministic": STEPPED}
    about: ClassVar[str] = (
        "The data holds an oracle, 1 for each item that it approves of and 0 for the others, and input, with items, their "
        "number, and least. The value of step(t) is how many of item(0) to item(t) are approved of; that of the last step is "
        "1 if all in all they are at least `least`, else 0. answer() asks whether it is 1: yes or no."
    )

    def data(self, size: int, random: Random) -> dict[str, Any]:
        oracle = {f"item({item})": random.randint(0, 1) for item in range(size)}
        least = sum(oracle.values()) + random.randint(0, 1)
        return {"machine": "tally", "input": {"items": size, "least": least}, "oracle": oracle}

    def holds(self, data: Any) -> bool:
        return bool(sum(data["oracle"].values()) >= data["input"]["least"])


class OracleSubset(StepTask):
    """Do some items that the oracle approves of have weights that add up to a target? The choice is the witness. Truths are
    found by dynamic programming, in time n times the target. Weights are 1 to 30, and even but for items that are not
    approved of, so that half of the instances have an odd, unreachable target."""

    name: ClassVar[str] = "oracle-subset"
    complexity_class: ClassVar[str] = "NP"
    largest = 200
    machine: ClassVar[type[StepMachine]] = Subset
    plays = {"doubly-efficient-witness": STEPPED}
    about: ClassVar[str] = (
        "The data holds an oracle, 1 for each item that it approves of and 0 for the others, and input, with items, their "
        "number n, their weights and a target. The values of step(0) to step(n-1) choose items, 1 for those that are chosen; "
        "step(n+i) adds up the weights of the chosen and approved items up to item(i), with target+1 for all above the "
        "target; step(2n) is 1 if the sum is the target, else 0. answer() asks whether some choice makes it 1: yes or no."
    )

    def data(self, size: int, random: Random) -> dict[str, Any]:
        bits = [random.randint(0, 1) for _ in range(size)]
        weights = [2 * random.randint(1, 15) - (bit == 0 and random.random() < 0.5) for bit in bits]
        some = sum(w for w, bit in zip(weights, bits, strict=True) if bit and random.random() < 0.5)
        target = some + random.randint(0, 1)
        oracle = {f"item({item})": bit for item, bit in enumerate(bits)}
        return {"machine": "subset", "input": {"items": size, "weights": weights, "target": target}, "oracle": oracle}

    def holds(self, data: Any) -> bool:
        return self._chosen(data) is not None

    def witness(self, data: Any) -> tuple[str, ...]:
        chosen = self._chosen(data) or frozenset()
        return tuple(str(int(item in chosen)) for item in range(data["input"]["items"]))

    def _chosen(self, data: Any) -> frozenset[int] | None:
        """Approved items that add up to the target; None when there are none."""
        target = data["input"]["target"]
        added: dict[int, int | None] = {0: None}  # from a sum to the last item added to reach it
        for item, weight in enumerate(data["input"]["weights"]):
            if data["oracle"][f"item({item})"]:
                for reached in [each + weight for each in added if each + weight <= target]:
                    added.setdefault(reached, item)
        if target not in added:
            return None
        chosen: set[int] = set()
        while (last := added[target]) is not None:
            chosen.add(last)
            target -= data["input"]["weights"][last]
        return frozenset(chosen)


def _witness(request: Request) -> tuple[str, ...]:
    first = request.view[0].move if len(request.view) else None
    return first.values if isinstance(first, Witness) else ()


def _oracle(data: Any) -> Callable[[str], bool]:
    def oracle(query: str) -> bool:
        try:
            return bool(data["oracle"][query])
        except (KeyError, TypeError):
            raise UsageError(f"the data has no oracle that answers {query!r}") from None

    return oracle
