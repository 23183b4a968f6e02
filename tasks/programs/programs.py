"""Program agents that any task with a rule or a truth can seat, and which of them play which protocol."""

from collections.abc import Callable
from functools import partial
from math import inf
from random import Random
from typing import Any

from moot.complexity.rules import evaluate
from moot.protocols.amplification.amplification import Open, Reply, Subquestions
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.view import Entry, Request
from moot.tasks.family import Family
from moot.tasks.programs.market_programs import (
    ChecksRule,
    ChecksWitness,
    Citing,
    CitingLiar,
    Predictor,
    Prior,
    Witness,
    slip,
    sure,
)  # fmt: skip
from moot.tasks.programs.objecting import ChecksLine, Objecting
from moot.tasks.programs.play import Play, Program, TaskProgram

_SHALLOW = ("P", "NP", "#P", "PSPACE")
"""Classes of the tasks in which a chain of sub-questions is polynomially long, so that a judge can read one."""


class Overseer(Program, records=("task", "error")):
    """Follows the task's rule: asks what the rule asks, and answers what it gives. H of iterated amplification.

    It answers "?" to a sub-question that is none of its task, where the rule cannot use an answer that it got, where
    the rule asks more than the protocol takes, and where what the rule gives is none of the choices.

    error: the probability of a slip in an answer, drawn from the step's seed (error injection)."""

    def __init__(self, task: Family, error: float = 0.0) -> None:
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


class Truthful(TaskProgram):
    """Answers every question about an instance with the truth, which it computes: it needs to see the data. The answer to
    what is no question about it is "?"."""

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


class Alone(TaskProgram):
    """A judge that works a question out by itself, by the rule, looking at one cell after another: what P is."""

    def act(self, request: Request) -> Verdict:
        question = request.view.question
        answer = evaluate(self.task, None, question.text, look=request.view.look)
        why = answer if answer in question.choices else f"it is {answer}, which is none of the choices"
        return Verdict(probabilities=sure(question.choices, answer), text=why)


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


GENERAL: tuple[type[TaskProgram], ...] = (
    Alone, Citing, CitingLiar, Witness, ChecksRule, ChecksWitness, Objecting, ChecksLine
)  # fmt: skip
"""The programs of every task with a rule, beside the overseers."""


def programs_of(task: Family) -> dict[str, Callable[[], Any]]:
    """The programs that follow from a task's truth and rule, by name."""
    made: dict[str, Callable[[], Any]] = {
        "truthful": lambda: Truthful(task), "predictor": lambda: Predictor(task), "prior": Prior
    }  # fmt: skip
    if type(task).rule is not Family.rule:
        made["overseer"] = lambda: Overseer(task)
        made["slipping-overseer"] = lambda: Overseer(task, 0.05)
        made |= {program.called: partial(program, task) for program in GENERAL}
    return made


_AMPLIFIED = Play(
    {"overseer": "overseer", "model": "truthful"},
    options={"depth": None, "width": 64, "turns": 64, "questions": 1_000_000},
)
_CITED = Play({"market": "predictor", "adversary": "citing", "judge": "checks-rule"}, "4*({reads} + 1)")
PLAYS = {
    "amplify": _AMPLIFIED,
    "amplify-strong": _AMPLIFIED,
    "approval": Play({"model": "truthful", "overseer": "overseer"}, "{reads} + 1"),  # and the claim
    "market": _CITED,  # the claimed answer, four times, as the horizon is four statements by default
    "market-pointers": _CITED,
    # The whole computation, which is polynomial for tasks in P and for no others.
    "market-uncited": Play(
        {"market": "predictor", "adversary": "witness", "judge": "checks-witness"}, "4*({reads} + 1)*n^2"
    ),
    # A claim and one application of the rule for each question on a path.
    "recursive-debate": Play(
        {"debater": "objecting", "judge": "checks-line"}, "(2*({reads}) + 2)*(2*n + 3)",
        lambda question: {"depth": 2 * question.size + 2, "objections": 1},
    ),
}  # fmt: skip
"""How these programs play, by protocol."""


def play_of(task: Family, protocol: str) -> Play:
    """How the programs of a task with a rule play a protocol. Nobody is cast where the task's questions are not of the
    form that the protocol takes, nor in a line of claims that is longer than a judge can read."""
    play = PLAYS.get(protocol, Play())
    unread = "brackets" if protocol in ("amplify-strong", "market-pointers") else "pointers"
    long = protocol == "recursive-debate" and not (task.well_founded and task.complexity_class in _SHALLOW)
    return play._replace(cast={}) if type(task).rule is Family.rule or task.messages == unread or long else play
