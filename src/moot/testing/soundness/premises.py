"""Whether each premise that a guarantee may list is true of a play: True, False, or None where that is not known.
Rule: one function for each name in `PREMISES`; what optimal play is takes a file of its own, `optimal.py`.

A premise is taken as weakly as the theorem needs it, so that more plays count than the words would have.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from fractions import Fraction
from functools import partial
from itertools import product
from random import Random
from typing import Any

from moot.agents.base import act_of
from moot.complexity.rules import evaluate, looker
from moot.play.run import run
from moot.protocols.amplification.amplification import Reply
from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.request import Request
from moot.protocols.games.doubly_efficient import DoublyEfficientDebate
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Query, Statement
from moot.protocols.trees.decomposition_debate import DecompositionDebate, Pick
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.tasks.family import Family
from moot.tasks.logic.formulas import SATISFIABLE
from moot.tasks.programs.market_programs import follow, told
from moot.tasks.programs.objecting import lies
from moot.testing.checks.memory import check_memoryless
from moot.testing.soundness.agents import parts_of
from moot.testing.soundness.optimal import optimal_play
from moot.testing.soundness.plays import PERSUADED, Run, same

Known = bool | None
_BY_RULE = ("overseer", "checks-rule", "checks-witness", "checks-line", "checks-step", "alone")
"""Judges that follow the rule of their task."""
_WHOLE = ("checks-witness", "checks-line", "alone")
"""Those of them that follow it all the way down."""
_MOST = 2000
"""Claims that are tried when it is searched how deep a line of them may go."""


def right_judge(run: Run) -> Known:
    """Every answer of the judge is what a judge who is right would have said there. Silence proves nothing to one: in a
    consultancy the answer that is argued for must be the one that has certificates. A judge that follows a rule is right
    where the rule is."""
    asked = [each for each in run.again if each.seat == run.judge]
    if isinstance(run.protocol, Consultancy) and run.task.name == "sat":
        argued = {each.answer for each in run.again if each.seat == "consultant" and each.answer is not None}
        if argued != {run.question.choices.index(SATISFIABLE)}:
            return False
    exact = run.task.name not in PERSUADED
    if not all(same(each.move, each.right, exact) for each in asked):
        return False
    judge = run.task.cast(run.protocol.name).get(run.protocol.judge)
    if judge in _BY_RULE and run.task.messages != "pointers":
        return (judge not in _WHOLE or computed(run)) and all(
            ruled(run.task, run.question.data, text) for text in {run.question.text, *(each.text for each in asked)}
        )
    return True


def computed(run: Run) -> bool:
    """Whether the rule, followed all the way down, gives the truth."""
    with suppress(MootError, ValueError, LookupError):
        return evaluate(run.task, run.question.data, run.question.text) == run.question.choices[run.truth]
    return False


def ruled(task: Family, data: Any, text: str) -> bool:
    """Whether the rule gives the truth about a question from the truth about what it asks; so it does of what is no question."""
    known = dict[str, str]()
    try:
        true = task.truth(data, text)
        while missing := (found := follow(task, text, looker(data), known)).missing:
            known |= {part: task.truth(data, part) for part in missing}
    except (MootError, ValueError, LookupError):
        return text != "" and not _played(task, data, text)
    return found.answer == true


def _played(task: Family, data: Any, text: str) -> bool:
    with suppress(MootError, ValueError, LookupError):
        return task.truth(data, text) is not None
    return False


def polynomial_judge(run: Run) -> Known:
    """Known of whoever was drawn."""
    return run.seated[run.judge].polynomial


def declared_n(run: Run) -> Known:
    n = run.task.n(run.question.data)
    return None if n is None else n == run.question.size


def copies(run: Run) -> Known:
    """Of whoever is asked many things that are to know nothing of each other: asked again, afresh, it answers the same."""
    found = [memoryless(run, seat) for seat in run.protocol.copied(run.question)]
    return False if False in found else None if None in found or not found else True


def memoryless(run: Run, seat: str) -> Known:
    others = {name: agent for name, agent in run.fresh().items() if name != seat}
    bounds = run.transcript.bounds or None
    try:
        return check_memoryless(
            run.seated[seat].make, run.protocol, run.sample, seat, seats=others, seed=run.seed, bounds=bounds
        ).holds
    except MootError:
        return None


def answers_right(run: Run, role: str) -> Known:
    """Every answer of the seats of a role to another question than the play's is what the task's own program for it, which knows
    the truth, says there."""
    asked = [each for each in run.again if run.roles[each.seat] == role and isinstance(each.move, Reply)]
    asked = [each for each in asked if each.text != run.question.text]
    if not all(isinstance(each.told, Reply) for each in asked):
        return None
    if run.task.messages == "pointers" and any(getattr(each.told, "answer", "") == UNKNOWN for each in asked):
        return None  # what is behind pointers of which too few may be opened, the program itself cannot say
    return all(isinstance(each.told, Reply) and each.move.model_dump()["answer"] == each.told.answer for each in asked)


class Interrogates:
    """An adversary that puts given questions to the market, and then says nothing."""

    def __init__(self, texts: tuple[str, ...]) -> None:
        self.texts = texts

    def act(self, request: Request) -> Any:
        heard = sum(isinstance(entry.move, Query) for entry in request.view)
        if Query in request.kinds and heard < len(self.texts):
            return Query(question=self.texts[heard])
        return Statement(text="I have nothing to say.")


def market_right_below(run: Run) -> Known:
    """What the market answered is true; and so is what it answers when it is asked all that the rule asks."""
    if not (found := answers_right(run, "market")):
        return found
    wanted = tuple(parts_of(run.task, run.question.data, run.question.text))
    if not wanted or run.task.messages == "pointers" or not isinstance(run.protocol, MarketMaking):
        return (
            True
            if run.task.messages != "pointers"
            else run.seated["market"].name in ("honest", "lies", "learns", "listens") or None
        )
    made = run.protocol.model_copy(update={"queries": len(wanted), "horizon": 1})
    again = _played_out(run, made, {"market": run.seated["market"].make(), "adversary": Interrogates(wanted)})
    return None if again is None else again == {part: told(run.task, run.question, part) for part in wanted}


def _played_out(run_: Run, made: MarketMaking, seats: Mapping[str, Any]) -> dict[str, str] | None:
    try:
        transcript = run(made, run_.sample, {**run_.fresh(), **seats, "judge": run_.right_judge()}, seed=run_.seed)
    except MootError:
        return None
    return {
        step.move["of"]: step.move["answer"] for step in transcript.steps()
        if step.seat == "market" and step.move["kind"] == "reply"
    }  # fmt: skip


def right_below(run: Run) -> Known:
    """What the seat below answered is true; and so is what it answers where it is asked all that the rule asks."""
    if not (found := answers_right(run, "below")):
        return found
    if not isinstance(run.protocol, DecompositionDebate) or run.protocol.rounds > 1:
        return None
    if run.task.messages == "pointers":
        most, field = getattr(run.protocol, "opens", None), type(run.protocol).model_fields.get("opens")
        usual = run.task.options(run.protocol.name, run.question).get("opens", field.default if field else 0)
        if most is not None and most < usual:
            return None  # it may open too few to know
        return run.seated["below"].name == "honest" or None
    for number, part in enumerate(parts_of(run.task, run.question.data, run.question.text), 1):
        below = Hears(run.seated["below"].make())
        others = {"a": run.program("a"), run.judge: run.right_judge(), "below": below}
        run.played(run.fresh(**others, b=lambda request, number=number: Pick(claim=str(number))))
        if part not in below.said or below.said[part] != told(run.task, run.question, part):
            return False if part in below.said else None
    return True


class Hears:
    """An agent whose answers are kept, by question."""

    def __init__(self, agent: Any) -> None:
        self.agent, self.said = agent, dict[str, str]()

    def act(self, request: Request) -> Any:
        move = act_of(self.agent)(request)
        self.said[request.view.question.text] = getattr(move, "answer", "")
        return move


def deep_enough(run: Run) -> Known:
    """No chain of questions, each of which the rule may ask for the one before, is longer than the debate is deep, whatever is
    claimed of them. Of what is as deep as the task has it, the guarantee must bear it out."""
    if not isinstance(run.protocol, RecursiveDebate):
        return None
    usual: int = run.task.options(run.protocol.name, run.question)["depth"]
    if run.protocol.depth >= usual:
        return True
    found = deeper(run, run.protocol.depth)
    return None if found is None else not found


def deeper(run: Run, depth: int) -> bool | None:
    """Whether some chain of questions is longer. None where there are too many to try."""
    task, look, left = run.task, looker(run.question.data), _MOST
    level = {run.question.text}
    for _ in range(depth + 1):
        below = set[str]()
        for text in level:
            todo = [dict[str, str]()]
            while todo:
                known = todo.pop()
                missing = follow(task, text, look, known).missing
                below.update(missing)
                for given in product(*(claimed(run, part) for part in missing)) if missing else ():
                    if (left := left - 1) < 0:
                        return None
                    todo.append({**known, **dict(zip(missing, given, strict=True))})
        level = below
    return bool(level)


def claimed(run: Run, text: str) -> tuple[str, ...]:
    """What may be claimed of a question: the truth, where there is one, and what could pass for it."""
    choices = run.question.choices
    with suppress(MootError, ValueError, LookupError):
        true = run.task.truth(run.question.data, text)
        return tuple(dict.fromkeys((true, *lies(true, Random(0), choices))))
    return choices


def lipschitz(run: Run) -> Known:
    """The constant is not below the one that the computation declares, or its number of queries, which will always do."""
    if not isinstance(run.protocol, DoublyEfficientDebate):
        return None
    made, x = run.protocol.computed(run.question)
    return run.protocol.K is None or run.protocol.K >= made.constant(x)


def promise(run: Run) -> Known:
    """The computation gives one answer with probability w or more."""
    if not isinstance(run.protocol, DoublyEfficientDebate):
        return None
    likely: Fraction = run.task.probability(run.question.data)  # type: ignore[attr-defined]
    return max(likely, 1 - likely) >= Fraction(run.protocol.w).limit_denominator(10**6)


def reported_computing(run: Run) -> Known:
    """No program that is drawn says what it computes."""
    return None


CHECKS: dict[str, Callable[[Run], Known]] = {
    "optimal-play": optimal_play, "right-judge": right_judge, "polynomial-judge": polynomial_judge,
    "reported-computing": reported_computing, "declared-n": declared_n, "copies": copies,
    "market-right-below": market_right_below, "model-right-below": partial(answers_right, role="model"),
    "right-below": right_below, "deep-enough": deep_enough, "lipschitz": lipschitz, "promise": promise,
}  # fmt: skip
"""By premise: whether it is true of a play."""

_CHEAP = ("polynomial-judge", "declared-n", "lipschitz", "promise", "right-judge", "deep-enough")


def premises(run: Run, listed: tuple[str, ...]) -> tuple[str, Known]:
    """Whether all that is listed is true of a play: "" and True; otherwise the first that is not, false before unknown,
    those first that are found at once."""
    unknown = ""
    for name in sorted(listed, key=lambda each: (each not in _CHEAP, each == "copies")):
        if (holds := CHECKS[name](run)) is False:
            return name, False
        if holds is None:
            unknown = unknown or name
    return (unknown, None) if unknown else ("", True)
