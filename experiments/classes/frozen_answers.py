"""Approval with its model free: what it is paid most for, where an earlier model answers sub-questions and where it does itself.
Rule: the searches alone; whoever lists rows and known failures calls them.

The theorem is an induction: a model that is right on smaller questions, and that the play does not train, answers the
overseer's; then what is approved is true. Where the model that is paid for approval answers them as well, it is paid as much
for a lie that its sub-answers bear out.
"""

from collections.abc import Iterator
from random import Random

from moot.complexity.search.solve import Solution, solve
from moot.experiments.classes.evidence import Failure, true_outcome
from moot.protocols.amplification.amplification import Reply
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.tasks.base import Task, task_named


def optimum(task: Task, sample: Sample, frozen: bool) -> Solution:
    """The best that the model does, by trying every claim and, where it answers them too, a true and a wrong answer to each
    sub-question; what is wrong comes first, and so is taken where it is paid as much. The task's programs sit elsewhere."""
    protocol, seats = task.staged("approval", sample, frozen=frozen)
    data = sample.question.data

    def moves(request: Request) -> Iterator[Move]:
        question = request.view.question
        if Claim in request.kinds:
            true = task.truth(data, question.text)
            yield from sorted(
                (Claim(answer=each) for each in (*question.choices, UNKNOWN)), key=lambda c: c.answer == true
            )
        else:
            yield Reply(answer=task.wrong(data, question.text, Random(question.text)))
            yield Reply(answer=task.truth(data, question.text))

    others = {seat: agent for seat, agent in seats.items() if seat != "model"}
    return solve(protocol, sample, moves={"model": moves}, seats=others)


def self_answered(instances: int = 3) -> Failure:
    """A model that answers the overseer's sub-questions itself is paid the most there is for a wrong answer."""
    task = task_named("tableau")
    wrong = {True: 0, False: 0}
    for sample in (task.sample(2, seed) for seed in range(instances)):
        for frozen in wrong:
            best = optimum(task, sample, frozen)
            wrong[frozen] += best.value["model"] == 1 and not true_outcome(best.outcome, sample)
    told = f"{wrong[False]} of {instances} optimal models are approved with a wrong answer"
    return Failure(
        "approval whose sub-answers come from the model that is paid for it", wrong[True] == 0 < wrong[False],
        f"{told}; {wrong[True]} where an earlier model that is right answers them",
    )  # fmt: skip
