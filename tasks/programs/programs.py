"""Program agents that any task with a rule or a truth can seat, and which of them play which protocol."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Any

from moot.complexity.rules import evaluate
from moot.protocols.amplification.amplification import Open, Reply, Subquestions
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.view import Entry, Request
from moot.tasks.base import UNKNOWN, Task
from moot.tasks.programs.market_programs import ChecksRule, ChecksWitness, Citing, CitingLiar, Predictor, Prior, Witness
from moot.tasks.programs.objecting import ChecksLine, Objecting

_SHALLOW = ("P", "NP", "#P", "PSPACE")
"""Classes of the tasks in which a chain of sub-questions is polynomially long, so that a judge can read one."""


class Overseer:
    """Follows the task's rule: asks what the rule asks, and answers what it gives. H of iterated amplification.

    It answers "?" to a sub-question that is none of its task, where the rule cannot use an answer that it got, where
    the rule asks more than the protocol takes, and where what the rule gives is none of the choices.

    error: the probability of a slip in an answer, drawn from the step's seed (error injection)."""

    def __init__(self, task: Task, error: float = 0.0) -> None:
        self.task, self.error = task, error

    def act(self, request: Request) -> Move:
        view = request.view
        rule = self.task.rule(view.question.text, view.look)
        try:
            wanted = next(rule)
            for answers in rounds(view):
                wanted = rule.send(answers)
        except StopIteration as stop:
            answer, choices = self._slip(stop.value, request), view.question.choices
            return Reply(of=view.question.text, answer=answer if not choices or answer in choices else UNKNOWN)
        except (UsageError, Illegal, ValueError, LookupError):
            if not len(view) and view.question.choices:
                raise  # the question of the play itself
            return Reply(of=view.question.text, answer=UNKNOWN)
        if isinstance(wanted, str) and Open in request.kinds:
            return Open(of=view.question.text, pointer=wanted)
        if Subquestions not in request.kinds or isinstance(wanted, str) or len(wanted) > self._most(request):
            return Reply(of=view.question.text, answer=UNKNOWN)
        return Subquestions(of=view.question.text, questions=wanted)

    def _most(self, request: Request) -> float:
        """How many sub-questions the protocol takes now, and the budget pays for."""
        most, left = request.brief.get("most"), request.brief.get("budget")
        asked = most.get("questions") if isinstance(most, dict) else None
        return min(limit if isinstance(limit, int) else inf for limit in (asked, left))

    def _slip(self, answer: str, request: Request) -> str:
        if self.error <= 0 or (random := Random(request.seed)).random() >= self.error:
            return answer
        choices = request.view.question.choices
        if choices:
            return random.choice([choice for choice in choices if choice != answer])
        return slip(answer, random)

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "overseer", "task": self.task.name, "error": self.error}


class Truthful:
    """Answers every question about an instance with the truth, which it computes: it needs to see the data. The answer to
    what is no question about it is "?"."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def act(self, request: Request) -> Move:
        question = request.view.question
        if question.data is None:
            raise AgentError(f"step {request.step}: the truth cannot be computed without the data; show it: source=all")
        try:
            answer = self.task.truth(question.data, question.text)
        except UsageError:
            if question.choices:
                raise
            answer = UNKNOWN
        return Claim(answer=answer) if Claim in request.kinds else Reply(of=question.text, answer=answer)

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "truthful", "task": self.task.name}


class Alone:
    """A judge that works a question out by itself, by the rule, looking at one cell after another: what P is."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def act(self, request: Request) -> Verdict:
        question = request.view.question
        answer = evaluate(self.task, None, question.text, look=request.view.look)
        count = len(question.choices)
        if answer not in question.choices:
            return Verdict(probabilities=(1 / count,) * count, text=f"it is {answer}, which is none of the choices")
        return Verdict(probabilities=tuple(float(choice == answer) for choice in question.choices), text=answer)

    def describe(self) -> dict[str, Any]:
        return {"agent": "program", "name": "alone", "task": self.task.name}


def rounds(entries: Any) -> list[tuple[str, ...]]:
    """What was answered so far, in order: a tuple for each time that sub-questions were asked or a pointer was opened."""
    found: list[tuple[str, ...]] = []
    left = 0
    entry: Entry
    for entry in entries:
        move = entry.move
        if isinstance(move, Subquestions):
            found.append(())
            left = len(move.questions)
        elif isinstance(move, Reply) and left:
            found[-1] += (move.answer,)
            left -= 1
        elif isinstance(move, Open):
            found.append((move.text,))
    return found


def slip(answer: str, random: Random) -> str:
    """A wrong answer in the form of the right one: another number, the other of yes and no, or a mark on the end."""
    opposite = {"yes": "no", "no": "yes", "0": "1", "1": "0", UNKNOWN: "0"}
    if answer in opposite:
        return opposite[answer]
    if answer.removeprefix("-").isdecimal():
        return str(int(answer) + random.choice([-1, 1]) * random.randint(1, 9))
    return answer + "'"


def programs_of(task: Task) -> dict[str, Callable[[], Any]]:
    """The programs that follow from a task's truth and rule, by name."""
    made: dict[str, Callable[[], Any]] = {
        "truthful": lambda: Truthful(task), "predictor": lambda: Predictor(task), "prior": Prior
    }  # fmt: skip
    if type(task).rule is not Task.rule:
        made["overseer"] = lambda: Overseer(task)
        made["alone"] = lambda: Alone(task)
        made["slipping-overseer"] = lambda: Overseer(task, 0.05)
        for name, program in (("citing", Citing), ("citing-liar", CitingLiar), ("witness", Witness),
                              ("checks-rule", ChecksRule), ("checks-witness", ChecksWitness), ("objecting", Objecting),
                              ("checks-line", ChecksLine)):  # fmt: skip
            made[name] = partial(program, task)
    return made


def cast_of(task: Task, protocol: str) -> dict[str, str]:
    """Role to program for a protocol; {} when there is no such cast."""
    pointers = protocol in ("amplify-strong", "market-pointers")
    if type(task).rule is Task.rule or task.messages == ("brackets" if pointers else "pointers"):
        return {}
    if protocol in ("amplify", "amplify-strong"):
        return {"overseer": "overseer", "model": "truthful"}
    if protocol in ("market", "market-pointers"):
        return {"market": "predictor", "adversary": "citing", "judge": "checks-rule"}
    if protocol == "approval":
        return {"model": "truthful", "overseer": "overseer"}
    if protocol == "market-uncited":
        return {"market": "predictor", "adversary": "witness", "judge": "checks-witness"}
    if protocol == "recursive-debate" and task.well_founded and task.complexity_class in _SHALLOW:
        return {"debater": "objecting", "judge": "checks-line"}
    return {}
