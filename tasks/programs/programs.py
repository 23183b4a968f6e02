"""Program agents that any task with a rule or a truth can seat, and which of them play which protocol.
Rule: the overseers, and the table of who plays what; markets and objectors are in the files beside it."""

from collections.abc import Callable, Iterable
from functools import partial
from math import inf
from random import Random
from typing import Any

from moot.complexity.rules import evaluate
from moot.protocols.amplification.amplification import Open, Reply, Subquestions
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry
from moot.tasks.family import Family
from moot.tasks.programs.decomposing import ChecksStep, Decomposes, Disputes
from moot.tasks.programs.market_programs import MARKET, Predictor, Prior, slip, sure
from moot.tasks.programs.objecting import ChecksLine, Objecting
from moot.tasks.programs.play import Play, Program, TaskProgram

_SHALLOW = ("P", "NP", "#P", "PSPACE")
"""Classes of the tasks in which a chain of sub-questions is polynomially long, so that a judge can read one."""


class Overseer(Program, records=("task", "error")):
    """Follows the task's rule: asks what the rule asks, and answers what it gives. H of iterated amplification.

    It answers "?" to what is no question of its task, where the rule cannot use an answer or asks more than the protocol
    takes, and where the rule gives none of the choices. error: the probability of a slip, drawn from the step's seed."""

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
        # What the protocol takes now, and the budget pays for.
        limits = (request.brief.get("most") or {}).get("questions"), request.brief.get("budget")
        most = min((limit for limit in limits if isinstance(limit, int)), default=inf)
        if Subquestions not in request.kinds or isinstance(wanted, str) or len(wanted) > most:
            return Reply(of=view.question.text, answer=UNKNOWN)
        return Subquestions(of=view.question.text, questions=wanted)

    def _slip(self, answer: str, request: Request) -> str:
        if self.error <= 0 or (random := Random(request.seed)).random() >= self.error:
            return answer
        choices = request.view.question.choices
        return random.choice([each for each in choices if each != answer]) if choices else slip(answer, random)


class Truthful(TaskProgram):
    """Answers every question about an instance with the truth, computed from the data, and "?" to what is none."""

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


def rounds(entries: Iterable[Entry]) -> list[tuple[str, ...]]:
    """What was answered so far, in order: a tuple for each time that sub-questions were asked or a pointer was opened."""
    found, left = list[tuple[str, ...]](), 0
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
    Alone, *MARKET, Objecting, ChecksLine, Decomposes, Disputes, ChecksStep,
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


_OVERSEEN = {"overseer": "overseer", "model": "truthful"}
_AMPLIFIED = Play(_OVERSEEN, options={"depth": None, "width": 64, "turns": 64, "questions": 1_000_000})
# The claimed answer, four times, as the horizon is four statements by default.
_CITED = Play({"market": "predictor", "adversary": "citing", "judge": "checks-rule"}, "4*({reads} + 1)")
# One step of the rule, and the claim that is taken apart.
_TAKEN_APART = Play(
    {"prover": "decomposes", "opponent": "disputes", "judge": "checks-step", "below": "predictor"},
    "{reads} + 2",
    {"below": True, "width": 64},
)
_UNCITED = {"market": "predictor", "adversary": "witness", "judge": "checks-witness"}
PLAYS = {
    "amplify": _AMPLIFIED, "amplify-strong": _AMPLIFIED, "market": _CITED, "market-pointers": _CITED,
    "decomposition-debate": _TAKEN_APART,
    # A judge that opens two messages is asked three times, and reads at each what it was shown before.
    "decomposition-debate-pointers": _TAKEN_APART._replace(bound="{reads} + 10"),
    "approval": Play(_OVERSEEN, "{reads} + 1"),  # and the claim
    # The whole computation, which is polynomial for tasks in P and for no others.
    "market-uncited": Play(_UNCITED, "4*({reads} + 1)*n^2"),
    # A claim and one application of the rule for each question on a path.
    "recursive-debate": Play({"debater": "objecting", "judge": "checks-line"}, "(2*({reads}) + 2)*(2*n + 3)",
                             lambda question: {"depth": 2 * question.size + 2, "objections": 1}),
}  # fmt: skip
"""How these programs play, by protocol."""
_POINTING = ("amplify-strong", "market-pointers", "decomposition-debate-pointers")


def play_of(task: Family, protocol: str) -> Play:
    """How the programs of a task with a rule play a protocol. Nobody is cast where the task's questions are not of the
    form that the protocol takes, nor in a line of claims that is longer than a judge can read."""
    play = PLAYS.get(protocol, Play())
    unread = "brackets" if protocol in _POINTING else "pointers"
    long = protocol == "recursive-debate" and not (task.well_founded and task.complexity_class in _SHALLOW)
    return play._replace(cast={}) if type(task).rule is Family.rule or task.messages == unread or long else play
