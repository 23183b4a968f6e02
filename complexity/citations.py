"""Whether what a statement cites rests on anything: citations that wait for each other prove nothing.
Rule: it finds circles in what was cited; whether a verdict is worth less for that is said in `guarantee.py`.

Market making with citations reaches EXP for questions whose local rules ask only for smaller ones. Where two questions
cite each other, every pair of answers that agree is a fixed point, and a judge who checks the citations cannot tell the
true one (Shah 2020, comment on AI safety via market making).
"""

from __future__ import annotations

from collections.abc import Iterator

from moot.complexity.play import Play
from moot.complexity.rules import Circle, Ruled, evaluate, looker
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.registry import find
from moot.protocols.market.moves import Citation, Statement
from moot.protocols.pointers import Store


def citations(transcript: Play) -> Iterator[tuple[str, Citation]]:
    """Every citation of a play of market making with the step of its statement, in order, marked as the protocol found
    it: verified, not verified, or None where the play ended before it was checked."""
    says: dict[str, str] = {}
    supposed = False
    for step in transcript.steps():
        move = step.move
        if move.get("kind") == "query":
            supposed = bool(move.get("suppose"))
        elif move.get("kind") == "reply" and step.seat == "market" and (step.relation == "checks" or not supposed):
            says.setdefault(move["of"], move["answer"])
    for step in transcript.steps():
        if step.move.get("kind") == "statement":
            for cite in Statement.model_validate(step.move).cites:
                if cite.verified is None and cite.question in says:
                    cite = cite.model_copy(update={"verified": says[cite.question] == cite.answer})
                yield step.step, cite


def circle_of(transcript: Play, task: Ruled) -> tuple[str, ...]:
    """Questions that wait for each other among all that the verified citations of a play rest on, by the task's rule;
    () when there are none: the support is well founded.

    It is looked for from the question that was played as well: a question that rests on itself is in the circle.
    Citations that are no questions of the task support nothing, and are passed over. Raises UsageError when the play's
    question is none of the task's.
    """
    question = transcript.question
    memo: dict[str, str] = {}
    store = Store() if transcript.protocol.metadata().pointers else None
    cited = [cite.question for _, cite in citations(transcript) if cite.verified]
    for first, text in enumerate([question.text, *cited]):
        try:
            evaluate(task, question.data, text, memo, store)
        except Circle as circle:
            return tuple(circle.questions)
        except (UsageError, Illegal, ValueError, LookupError):
            if first == 0:
                raise
    return ()


def groundless(transcript: Play, task: Ruled | None = None) -> str | None:
    """Why what the statements of a play cite, or the market's price where that stands, is no ground for a guarantee; None
    when it is, or the judge relied on neither.

    task: whose rule says what rests on what; without it, the task that made the question, as the transcript names it.
    """
    stands = any(step.move.get("kind") == "stands" for step in transcript.steps())
    if not stands and not any(cite.verified for _, cite in citations(transcript)):
        return None
    name = transcript.started["meta"].get("task")
    if task is None and isinstance(name, str):
        task = find("task", name)()
    if task is None:
        what, them = (
            ("price that stands rests on itself", "it") if stands else ("cited answers rest on themselves", "them")
        )
        return f"nobody knows whether the {what}: no task with a rule is known for {them}"
    circle = () if task.well_founded else circle_of(transcript, task)
    if circle:
        return f"{'questions' if stands else 'citations'} wait for each other: " + " -> ".join([*circle, circle[0]])
    return uncitable(transcript, task) if stands else None


def uncitable(transcript: Play, task: Ruled) -> str | None:
    """Why no statement could have moved the judge by the rule of `task`, where the price stands: the rule asks more than may be
    cited. None where it does not, or nobody knows, as where a rule opens pointers."""
    question, truth = transcript.question, getattr(task, "truth", None)
    most = getattr(transcript.protocol, "citations", None)
    if truth is None or most is None:
        return None
    cited: set[str] = set()
    try:
        rule = task.rule(question.text, looker(question.data))
        step = next(rule)
        while not isinstance(step, str):
            cited |= set(step)
            if len(cited) > most:
                asks = f"the rule of task {task.name} asks {len(cited)} questions or more for this one"
                return f"the price stands, and {asks}, of which a statement may cite {most}"
            step = rule.send(tuple(truth(question.data, part) for part in step))
    except (StopIteration, UsageError, Illegal, ValueError, LookupError, TypeError):
        pass
    return None
