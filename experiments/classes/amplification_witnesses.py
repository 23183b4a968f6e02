"""Witnesses of amplification: nobody in it gains by lying, so that every table of answers is looked at instead; and of
approval, where the model that is paid tries every answer while an earlier one, which is frozen, answers what is smaller.
Rule: amplification and approval alone; what witnesses share is in `evidence.py`. small: on the smallest instances alone."""

from collections.abc import Iterator, Mapping
from itertools import islice, product
from random import Random
from typing import Any

from moot.complexity.questions import QuestionGraph
from moot.complexity.search.fixed_points import fixed_points
from moot.experiments.classes.evidence import Evidence, grown, played, random_ones, searched_to_truth
from moot.play.run import run
from moot.protocols.amplification.amplification import Reply
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.protocols.pointers import Store
from moot.tasks.base import Task, task_named
from moot.tasks.machines.busy_beavers import CHAMPIONS, champion_samples, halting_samples, sample_of

GATES = (4, 5, 6, 7, 8, 9, 10)
TIMES = (3, 7, 15, 31, 63, 127)


def only_the_truth(task: Task, sample: Sample) -> bool:
    """Whether a model that no local rule finds fault with must be right: of all answers to all questions about an
    instance there is one fixed point of the rules, and it is the truth. Every wrong answer is then one that an adversary
    who cites, or an overseer who asks, can show to be wrong in one step."""
    data = sample.question.data
    questions = list(task.questions(data))
    true = {question: task.truth(data, question) for question in questions}
    return fixed_points(task, data, questions, sorted({*true.values(), *sample.question.choices, UNKNOWN})) == [true]


def small_tableaus(small: bool = False) -> Iterator[Sample]:
    """Every machine with one state besides accept over the symbols 0 and 1, at each time up to 4, on the words 0 and 1; the
    blank reads as 0. small: a few of them."""
    task, random = task_named("tableau"), Random("every tableau")
    entries = [[state, symbol, move] for state in ("q0", "accept") for symbol in "01" for move in (-1, 0, 1)]
    for zero, one in islice(product(entries, repeat=2), 0, None, 37 if small else 1):
        ends = {f"{end},{symbol}": [end, symbol, 0] for end in ("accept", "reject") for symbol in "01_"}
        delta = {"q0,0": zero, "q0,1": one, "q0,_": zero, **ends}
        for time in (1, 4):
            for word in "01":
                data = {"start": "q0", "time": time, "length": 1, "input": [word], "delta": delta}
                yield task.pose(data, "p", random)


NOBODY = "no seat is paid, nobody gains by lying"
TABLES = f"{NOBODY}; of all tables of answers the true one alone keeps the rule everywhere"


def tableau(protocol: str, small: bool = False) -> Evidence:
    """EXP: cells of a Turing machine's tableau, the time bound exponential in n."""
    task = task_named("tableau")
    samples = [*small_tableaus(small), *random_ones(task, (7,) if small else (7, 15, 31), 2 if small else 8)]
    found = played(
        task, protocol, samples, "" if small else "1 state, 2 symbols, t ≤ 4",
        searched=TABLES,
    )  # fmt: skip
    found = found.and_right(only_the_truth(task, task.sample(3, seed)) for seed in range(2 if small else 20))
    return found.grown("questions", "exponential", *grown(task, TIMES, 2 if small else 12))


def circuit(protocol: str, small: bool = False) -> Evidence:
    """EXP: a gate of a circuit of 2^k gates, described in O(k) bits."""
    task = task_named("circuit")
    samples = random_ones(task, (2, 3) if small else (2, 3, 4, 6, 8), 2 if small else 8)
    found = played(task, protocol, samples, "", searched=TABLES)
    tables = random_ones(task, (2, 3) if small else (2, 3, 4), 2 if small else 8)
    found = found.and_right(only_the_truth(task, sample) for sample in tables)
    return found.grown("questions", "exponential", *grown(task, GATES, 6))


def halting(protocol: str, small: bool = False) -> Evidence:
    """R: machines that halt, and nothing says beforehand when. n is what it takes to write a machine down."""
    task = task_named("halting")
    found = played(task, protocol, machines(small), "" if small else "2 states, and champions up to 4", searched=NOBODY)
    return ran(found, protocol, 2 if small else max(CHAMPIONS))


def machines(small: bool = False) -> list[Sample]:
    """The questions about every machine of two states that halts on a blank tape, in normal form, and about the busy beavers
    of up to four states. small: a few of them."""
    return [*islice(halting_samples(), 0, None, 7 if small else 1), *champion_samples(2 if small else max(CHAMPIONS))]


def ran(found: Evidence, protocol: str, most: int = max(CHAMPIONS)) -> Evidence:
    """The evidence, with how the longest run of a machine that halts grows with its states: exponentially or more on what is
    known, and more than any function that can be computed beyond that (Radó 1962). most: states of the champion that is
    played, to say what is read of so long a run."""
    task, states = task_named("halting"), sorted(CHAMPIONS)
    datas = [sample_of(CHAMPIONS[count][0]).question.data for count in states]
    runs = [QuestionGraph.of_rule(task, data, "run", Store()).unique for data in datas]
    champion = sample_of(CHAMPIONS[most][0])
    made, seats = task.staged(protocol, champion)
    spent = run(made, champion, seats).guarantee
    note = (
        f"of the champion of {most} states, n = {spent.n}, {runs[most - 1]} questions, the judge spends {spent.used} of {spent.budget}; "
        "the longest run is no computable function of the states (Radó 1962)"
    )
    return found.grown("questions", "exponential", states, runs, over="states", note=note)


class Earlier:
    """A model that was trained before: right on some questions, wrong in the right form on all others."""

    def __init__(self, task: Task, data: Any, right: Mapping[str, str]) -> None:
        self.task, self.data, self.right = task, data, dict(right)

    def act(self, request: Request) -> Move:
        text = request.view.question.text
        known = self.right.get(text)
        return Reply(answer=self.task.wrong(self.data, text, Random(text)) if known is None else known)


def approval(protocol: str, small: bool = False) -> Evidence:
    """EXP: the step of the induction at every question of an instance: an earlier model is right on what the rule asks there,
    and wrong on all else; of all answers the true one alone is approved."""
    task = task_named("tableau")
    samples = [*small_tableaus(small), *random_ones(task, (7,) if small else (7, 15, 31), 1 if small else 8)]
    found = played(
        task, protocol, samples, "" if small else "1 state, 2 symbols, t ≤ 4",
        searched="every answer of the model to every question; sub-answers are those of an earlier model, frozen",
    )  # fmt: skip
    sizes, seeds = (1, 2) if small else (1, 2, 3), 1 if small else 3
    steps = (
        approved_right(task, protocol, sample.question.data, text)
        for sample in random_ones(task, sizes, seeds)
        for text in QuestionGraph.of_rule(task, sample.question.data, sample.question.text)
    )
    return found.and_right(steps).grown("questions", "exponential", *grown(task, TIMES, 2 if small else 12))


def approved_right(task: Task, protocol: str, data: Any, text: str) -> bool:
    """Whether a model that is paid for approval, and tries every answer, does best with the truth about a question, and with
    nothing else: whatever is paid as much and comes before it would be taken."""
    sample = task.pose(data, text, Random(text))
    graph = QuestionGraph.of_rule(task, data, text)
    right = {part: task.truth(data, part) for part in graph.subquestions(text)}
    made, seats = task.staged(protocol, sample)
    seats["earlier"] = Earlier(task, data, right)
    tried = sorted({*sample.question.choices, UNKNOWN}, key=lambda answer: answer == task.truth(data, text))
    return searched_to_truth(made, sample, {"model": lambda request: map(_claim, tried)}, seats)


def _claim(answer: str) -> Claim:
    return Claim(answer=answer)
