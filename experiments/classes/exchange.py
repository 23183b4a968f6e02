"""Witnesses of debate below a model: that a debate settled by M computes rule(M(parts)), and the induction that rests on it.
Rule: decomposition debate with the seat "below" alone; who trains that seat is in `training/below.py`.

Debate decides what its judge's rule decides if whoever settles a part is right on it (`right-below`). The induction over sizes
is one step for each question: let "below" be right on the questions that the rule asks for it, and wrong on all others, this
one too; the debate is then searched, and the true answer must win it and every other answer lose."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from itertools import product
from typing import Any

from moot.complexity.polynomial import Polynomial
from moot.complexity.search.fixed_points import follow
from moot.complexity.search.solve import solve
from moot.experiments.classes.amplification_witnesses import GATES, machines, ran
from moot.experiments.classes.evidence import Evidence, grown, played, random_ones
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import UNKNOWN, Answer, Move
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.pointers import Store
from moot.protocols.trees.decomposition_debate import Pick
from moot.tasks.base import Task, task_named
from moot.tasks.machines.tableau import SYMBOLS
from moot.tasks.programs.decomposing import ChecksStep, Decomposes, Known, every_split
from moot.training.below import debate_of, posed, reached

Choices = Callable[[str], tuple[str, ...]]
"""The answers that a question, as it is written, may have."""


def choices_of(task: Task, data: Any) -> Choices:
    """The answers that questions about an instance of tableau, circuit or halting may have, true or not."""

    def of_cell(text: str) -> tuple[str, ...]:
        step, offset = task.cell(text)  # type: ignore[attr-defined]
        return task.either if step is None else tuple(data["delta"]) if offset is None else SYMBOLS

    if task.name == "tableau":
        return of_cell
    fixed = tuple(dict.fromkeys(data["halted"].values())) if task.name == "halting" else task.either
    return lambda text: fixed


def winners(
    task: Task, question: Question, below: Mapping[str, str], domain: Choices, judge: Any = None,
    others: Callable[[str], Iterable[str]] = lambda text: (),
) -> list[str]:  # fmt: skip
    """The answers with which the prover wins the debate on a question against every opponent, by exhaustive search: it may
    state every set of parts that `every_split` knows. domain, others: for `every_split`, "?" added."""
    made, every = debate_of(task), every_split(task, lambda text: (*domain(text), UNKNOWN), others)

    def claiming(choice: int, request: Request) -> Iterator[Move]:
        return iter([Answer(choice=choice)]) if Answer in request.kinds else every(request)

    seats = {"judge": judge or ChecksStep(task), "below": Known(below)}

    def wins(choice: int) -> bool:
        with suppress(AgentError):  # a debate in which the judge would have to read more than it may has no value
            return solve(made, question, moves={"a": partial(claiming, choice), "b": every}, seats=seats).value["a"] > 0
        return False

    return [answer for choice, answer in enumerate(question.choices) if wins(choice)]


class Instance:
    """The questions that one question leads to, each as a debate's, with their true answers by the rule."""

    def __init__(self, task: Task, data: Any, root: str) -> None:
        self.task, self.data, self.domain = task, data, choices_of(task, data)
        self.graph, self.written = reached(task, data, root)
        self.true = self.graph.answers
        self.questions = {
            text: posed(task, data, written, self.domain(written)) for text, written in self.written.items()
        }
        self.size = self.questions[next(iter(self.graph))].size

    def parts(self, text: str) -> list[str]:
        return self.graph.subquestions(text)

    def wrong(self, text: str) -> str:
        """An answer that is not the true one."""
        return next(each for each in self.domain(self.written[text]) if each != self.true[text])

    def models(self, text: str) -> Iterator[dict[str, str]]:
        """Every model on the parts of a question that the truth leads to, "?" among its answers, wrong on all other questions."""
        parts = self.parts(text)
        elsewhere = {each: self.wrong(each) for each in self.graph if each not in parts}
        for answers in product(*((*self.domain(self.written[part]), UNKNOWN) for part in parts)):
            yield elsewhere | dict(zip(parts, answers, strict=True))

    def computed(self, text: str, model: Mapping[str, str]) -> str:
        """rule(M(parts)): one application of the rule to a question with a model's answers, "?" where it gives none."""
        store = Store() if self.task.messages == "pointers" else None
        if store is not None:
            store.intern(self.written[text])
        try:
            return follow(self.task, self.data, text, lambda part: model.get(part, UNKNOWN), store)
        except (UsageError, ValueError, LookupError):
            return UNKNOWN

    def right_below(self, text: str) -> dict[str, str]:
        """A model that is right on the parts of a question, and wrong on all others."""
        parts = self.parts(text)
        return {each: self.true[each] if each in parts else self.wrong(each) for each in self.graph}

    def spoiled(self, text: str) -> dict[str, str]:
        """The same, and wrong on one part too: the first with which the rule errs."""
        right = self.right_below(text)
        for part in self.parts(text):
            model = {**right, part: self.wrong(part)}
            if self.computed(text, model) != self.true[text]:
                return model
        return right


Model = Callable[[Instance, str], dict[str, str]]
"""Who sits below a debate about a question of an instance."""


def step_holds(instance: Instance, text: str, judge: Any = None, model: Model = Instance.right_below) -> bool:
    """The step of the induction: with "below" right on the parts, the true answer wins the debate and no other does."""
    return won(instance, text, model(instance, text), judge) == [instance.true[text]]


def operator_holds(instance: Instance, text: str, model: Mapping[str, str], judge: Any = None) -> bool:
    """Whether T(M)(q) = rule(M(parts)): the prover wins with that answer alone, and with none where the rule gives none."""
    wanted = instance.computed(text, model)
    return won(instance, text, model, judge) == [wanted] * (wanted in instance.questions[text].choices)


def won(instance: Instance, text: str, model: Mapping[str, str], judge: Any = None) -> list[str]:
    """`winners` of a question of an instance. One part may be another question of it, whether the rule asks it or not."""
    others = [written for each, written in instance.written.items() if each != text][:1]
    return winners(
        instance.task,
        instance.questions[text],
        model,
        instance.domain,
        judge or bounded(instance.task),
        lambda _: others,
    )


def bounded(task: Task) -> Bounded:
    """The judge of the rule within its polynomial. A debate in which it would read more is won by nobody."""
    return Bounded(ChecksStep(task), reads=task.bound(debate_of(task).name))


def reads(instance: Instance) -> int:
    """The most that the judge reads in a debate about any question of an instance, disputed in every way."""
    task, made, most = instance.task, debate_of(instance.task), 0
    for text, question in instance.questions.items():
        model = instance.right_below(text)
        for number in range(1 + max(1, len(instance.parts(text)))):
            seats = {"a": Decomposes(task, model), "b": always(number), "below": Known(model), "judge": bounded(task)}
            spent = run(made, question, seats).ledger.spent("judge", made.measure)
            most = max(most, int(spent or 0))
    return most


def always(number: int) -> Callable[[Request], Move]:
    """An opponent that picks the part of this number, or the last there is."""
    return lambda request: Pick(claim=request.brief["one_of"]["claim"][: number + 1][-1])


def _evidence(task: Task, protocol: str, checked: list[bool], tried: list[Instance], samples: list[Sample]) -> Evidence:
    """What the induction found, with plays of the task's programs, and the debate in which the judge reads most of its bound."""
    bound = Polynomial.parse(task.bound(protocol))
    spent = [(reads(each), bound(each.size), each.size) for each in tried]
    used, budget, n = max(spent, key=lambda each: each[0] / each[1])
    found = played(task, protocol, samples, "").and_right(
        checked, what="debates won by the right answer alone", searched="both debaters, every answer and every set of parts",
        note="who sits below is right on the parts that the rule asks, and wrong on all else",
    )  # fmt: skip
    return (
        found.model_copy(update={"used": used, "budget": budget, "n": n})
        if used / budget > found.used / found.budget
        else found
    )


def exchange(protocol: str = "decomposition-debate", small: bool = False) -> Evidence:
    """EXP, if "below" is right on smaller questions: a gate of a circuit of 2^k gates. On circuits of up to 8 gates every debate
    is searched with every model below it, on circuits of 16 with one that is right on the inputs of the gate alone."""
    task = task_named("circuit")
    samples = {size: list(random_ones(task, (size,), 1 if small else 3)) for size in ((2,) if small else (2, 3, 4))}
    drawn = {
        size: [Instance(task, each.question.data, each.question.text) for each in found]
        for size, found in samples.items()
    }
    checked = [
        operator_holds(each, text, model)
        for size in (2, 3) for each in drawn.get(size, ()) for text in each.graph for model in each.models(text)
    ] + [step_holds(each, text) for each in drawn.get(4, ()) for text in each.graph]  # fmt: skip
    found = _evidence(task, protocol, checked, drawn[max(drawn)], [*samples[max(drawn)]])
    return found.grown("questions", "exponential", *grown(task, GATES, 6))


def exchange_pointers(protocol: str = "decomposition-debate-pointers", small: bool = False) -> Evidence:
    """R, if "below" is right on smaller questions: the end of a run whose length nothing bounds beforehand. Every
    configuration of a run is a debate of its own; of the first machine, with every model below it."""
    task, chosen = task_named("halting"), machines(small)
    drawn = [Instance(task, each.question.data, each.question.text) for each in chosen]
    checked = [operator_holds(drawn[0], text, model) for text in drawn[0].graph for model in drawn[0].models(text)]
    checked += [step_holds(each, text) for each in drawn for text in each.graph]
    found = _evidence(task, protocol, checked, drawn, chosen)
    found = found.model_copy(update={"exhaustive": "" if small else "2 states, and champions up to 4"})
    return ran(found, protocol, 2 if small else 4)


BEAVER = {
    "start": "A", "length": 1, "input": ["_"], "halted": {"H": "a", "never": "b"},
    "delta": {
        "A,_": ["B", "1", 1], "A,1": ["B", "1", -1], "B,_": ["A", "1", -1], "B,1": ["C", "_", -1],
        "C,_": ["H", "1", 1], "C,1": ["D", "1", -1], "D,_": ["D", "1", 1], "D,1": ["A", "_", 1],
    },
}  # fmt: skip
"""The busy beaver of four states and two symbols, which halts after 107 steps (Brady 1983)."""
