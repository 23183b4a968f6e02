"""Program agents of market making for any task: markets, adversaries and judges.
Rule: nothing of one task; the general programs of other protocols build on what is here."""

import re
from collections.abc import Iterable, Mapping
from random import Random
from typing import NamedTuple

from moot.complexity.rules import Look, evaluate, looker
from moot.protocols.amplification.amplification import Open, Reply
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Entry
from moot.protocols.market.moves import Citation, Price, Query, Stands, Statement
from moot.protocols.pointers import Store, pointer_to, pointers_in
from moot.tasks.family import Family
from moot.tasks.programs.play import Program, TaskProgram

_BRACKETED = re.compile(r"\[([^\[\]]*)\]")


class Predictor(Program, records=("task", "wrong")):
    """A market that is right: it answers with the truth, which it computes, and prices that choice at 1.
    What a question points to it opens, all of it, and works out by the task's rule. wrong: other answers to some questions."""

    def __init__(self, task: Family, wrong: Mapping[str, str] | None = None) -> None:
        self.task, self.wrong = task, dict(wrong or {})

    def act(self, request: Request) -> Move:
        question = request.view.question
        if question.text in self.wrong:
            answer = self.wrong[question.text]
        elif pointers_in(question.text):
            text = unfolded(question.text, opened(request.view))
            if (closed := pointers_in(text)) and Open in request.kinds:
                return Open(pointer=closed[0])
            answer = UNKNOWN if closed else evaluate(self.task, question.data, text, store=Store())
        else:
            answer = told(self.task, question)
        return Reply(answer=answer) if Reply in request.kinds else Price(probabilities=sure(question.choices, answer))


class Prior(Program):
    """A market that knows nothing: even prices, and "?" to every question."""

    def act(self, request: Request) -> Move:
        if Reply in request.kinds:
            return Reply(answer=UNKNOWN)
        return Price(probabilities=sure(request.view.question.choices, UNKNOWN))


class Citing(TaskProgram):
    """An adversary that asks the market what the task's rule asks, and states the rule's answer with its citations."""

    def act(self, request: Request) -> Move:
        view = request.view
        if Reply in request.kinds:  # a copy of it is examined
            return examined(self.task, request)
        found = followed(self.task, request, heard(view))
        if found.pointer and Open in request.kinds:
            return Open(pointer=found.pointer)
        if found.answer is not None:
            cites = tuple(Citation(question=question, answer=answer) for question, answer in found.used.items())
            return Statement(answer=found.answer, cites=cites)
        if found.missing and Query in request.kinds:
            return Query(question=found.missing[0])
        return Statement(text="The rule asks more than I could.")


class CitingLiar(Citing, name="citing-liar"):
    """The same, claiming a wrong choice. By the step's seed it cites what the market says, or one answer that it does not."""

    def act(self, request: Request) -> Move:
        move = super().act(request)
        if not isinstance(move, Statement):
            return move
        random = Random(request.seed)
        lies = [choice for choice in request.view.question.choices if choice != move.answer]
        cites = list(move.cites)
        if cites and random.random() < 0.5:
            at = random.randrange(len(cites))
            cites[at] = cites[at].model_copy(update={"answer": slip(cites[at].answer, random)})
        return Statement(answer=random.choice(lies), cites=tuple(cites))


class Witness(TaskProgram):
    """An adversary that needs no market: it writes down every question that the answer rests on with its true answer,
    one "question=answer" to a line."""

    def act(self, request: Request) -> Move:
        question = request.view.question
        if Reply in request.kinds:
            return examined(self.task, request)
        known, todo, look = {question.text: told(self.task, question)}, [question.text], looker(question.data)
        while todo:
            text = todo.pop()
            while missing := follow(self.task, text, look, known).missing:
                known |= {part: told(self.task, question, part) for part in missing}
                todo += missing
        return Statement(text="\n".join(map("=".join, known.items())), answer=known[question.text])


class Silent(TaskProgram):
    """An adversary that says nothing to the point, and asks nothing."""

    def act(self, request: Request) -> Move:
        return examined(self.task, request) if Reply in request.kinds else Statement(text="I have nothing to say.")


class ChecksRule(TaskProgram, name="checks-rule"):
    """A judge that believes a claimed answer if the task's rule gives it from cited answers that were verified and the
    cells that it looks at itself; for sure then, and otherwise nothing moves it: the price stands, or where it may not say
    so, even shares."""

    def act(self, request: Request) -> Move:
        view, choices = request.view, request.view.question.choices
        for entry in view:
            statement = entry.move
            if not isinstance(statement, Statement) or statement.answer not in choices:
                continue
            verified = {cite.question: cite.answer for cite in statement.cites if cite.verified}
            found = followed(self.task, request, verified)
            if found.pointer and Open in request.kinds:
                return Open(pointer=found.pointer)
            if found.answer == statement.answer:
                return Verdict(probabilities=sure(choices, statement.answer), text=f"step {entry.step} follows")
        return unmoved(request, "no statement follows from what was verified")


class ChecksWitness(ChecksRule, name="checks-witness"):
    """A judge that reads a whole computation and checks each line of it by the rule."""

    def act(self, request: Request) -> Move:
        view, choices = request.view, request.view.question.choices
        for entry in view:
            if isinstance(entry.move, Statement) and (answer := self.checked(entry.move.text, request)) in choices:
                return Verdict(probabilities=sure(choices, answer), text=f"every line of step {entry.step} follows")
        return unmoved(request, "no computation that was shown is right")

    def checked(self, text: str, request: Request) -> str:
        """The answer that a computation reaches, "?" if a line does not follow from the others."""
        view, known = request.view, dict(lines(text))
        todo, path = [view.question.text], dict[str, tuple[str, ...]]()
        seen = set(todo)
        while todo:
            question = todo.pop()
            found = follow(self.task, question, view.look, known)
            if question not in known or found.answer != known[question]:
                return UNKNOWN
            path[question] = tuple(found.used)
            todo += [used for used in found.used if used not in seen]
            seen |= found.used.keys()
        return known[view.question.text] if grounded(path) else UNKNOWN


MARKET: tuple[type[TaskProgram], ...] = (Citing, CitingLiar, Witness, Silent, ChecksRule, ChecksWitness)


class Followed(NamedTuple):
    """How far a rule got: the answers it used, in order; its own answer, or what it still asks or opens (nothing if it
    failed). Questions are written as they are on the record: where there are pointers, with these."""

    used: dict[str, str]
    answer: str | None = None
    missing: tuple[str, ...] = ()
    pointer: str = ""


def follow(
    task: Family, text: str, look: Look, known: Mapping[str, str], behind: Mapping[str, str] | None = None
) -> Followed:
    """Run the rule on a question with known answers to its sub-questions. behind: what stands behind pointers; None where
    messages hold none. A rule that cannot do anything with what it is given gives no answer."""
    used: dict[str, str] = {}
    try:
        rule = task.rule(text, look)
        step = next(rule)
        while True:
            if isinstance(step, str):
                if behind is None or step not in behind:
                    return Followed(used, pointer=step if behind is not None else "")
                step = rule.send((behind[step],))
                continue
            wanted = step if behind is None else tuple(map(folded, step))
            if missing := tuple(asked for asked, kept in zip(step, wanted, strict=True) if kept not in known):
                return Followed(used, missing=missing)
            used.update({question: known[question] for question in wanted})
            step = rule.send(tuple(known[question] for question in wanted))
    except StopIteration as stop:
        return Followed(used, stop.value)
    except (UsageError, Illegal, ValueError, LookupError, ArithmeticError):
        return Followed(used)


def followed(task: Family, request: Request, known: Mapping[str, str]) -> Followed:
    """The rule of the question of a request, as far as `known` answers and what was opened take it."""
    view = request.view
    behind = opened(view) if request.brief.get("details", {}).get("pointers") else None
    return follow(task, view.question.text, view.look, known, behind)


def opened(view: Iterable[Entry]) -> dict[str, str]:
    """What stands behind the pointers that a view shows opened."""
    return {entry.move.pointer: entry.move.text for entry in view if isinstance(entry.move, Open)}


def folded(text: str) -> str:
    """A text as it goes on the record: every bracketed part, innermost first, replaced by its pointer."""
    while (flat := _BRACKETED.sub(lambda part: pointer_to(part[1]), text)) != text:
        text = flat
    return text


def unfolded(text: str, behind: Mapping[str, str]) -> str:
    """The other way: every pointer whose message is known replaced by that message in brackets."""
    while known := next((pointer for pointer in pointers_in(text) if pointer in behind), None):
        text = text.replace(known, f"[{behind[known]}]")
    return text


def grounded(asks: Mapping[str, Iterable[str]]) -> bool:
    """Whether no question waits for itself, where `asks` says which questions each one needs."""
    left = {question: set(needed) for question, needed in asks.items()}
    while ready := {question for question, needed in left.items() if not needed & left.keys()}:
        left = {question: needed for question, needed in left.items() if question not in ready}
    return not left


def unmoved(request: Request, why: str) -> Move:
    """What a judge says whom nothing moves: that the price stands or, where it may not, even shares."""
    if Stands in request.kinds:
        return Stands(text=why)
    return Verdict(probabilities=sure(request.view.question.choices, UNKNOWN), text=why)


def heard(view: Iterable[Entry]) -> dict[str, str]:
    """What the market answered to the adversary's questions."""
    return {each.move.of: each.move.answer for each in view if each.seat == "market" and isinstance(each.move, Reply)}


def examined(task: Family, request: Request) -> Reply:
    """The answer of a copy to what it is examined about: the truth."""
    return Reply(answer=told(task, request.view.question, str(request.brief.get("asks"))))


def told(task: Family, question: Question, text: str | None = None) -> str:
    """The truth about a question, or about another text, "?" where the task knows none. AgentError without the data."""
    text = question.text if text is None else text
    if question.data is None:
        raise AgentError(f"{text!r}: the truth cannot be computed without the data, which this seat is not shown")
    try:
        return task.truth(question.data, text)
    except (UsageError, ValueError, LookupError):
        return UNKNOWN


def lines(text: str) -> list[tuple[str, str]]:
    """Lines "question=answer", taken apart; lines without "=" say nothing."""
    split = (line.rpartition("=") for line in text.split("\n"))
    return [(question, answer) for question, mark, answer in split if mark]


def slip(answer: str, random: Random) -> str:
    """A wrong answer in the form of the right one: another number, the other of yes and no, or a mark on the end."""
    opposite = {"yes": "no", "no": "yes", "0": "1", "1": "0", UNKNOWN: "0"}
    if answer in opposite:
        return opposite[answer]
    if answer.removeprefix("-").isdecimal():
        return str(int(answer) + random.choice([-1, 1]) * random.randint(1, 9))
    return answer + "'"


def sure(choices: tuple[str, ...], answer: str | None) -> tuple[float, ...]:
    """All belief on one answer; even shares when it is none of the choices."""
    if answer not in choices:
        return (1 / len(choices),) * len(choices)
    return tuple(float(choice == answer) for choice in choices)
