"""Who may sit in a drawn play beside a task's own programs: players that err, lie, search, forge, peek, remember and break.
Rule: one class for each way to cheat, with a line that says which; none of them knows what is checked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from random import Random
from types import new_class
from typing import Any, NamedTuple

from moot.agents.base import act_of, describe
from moot.complexity.rules import looker
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.amplification.approval import Approve, Claim
from moot.protocols.engine.budget import Meter
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.moves import UNKNOWN, Answer, Move, Verdict
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.protocols.market.moves import Price, Stands, Statement
from moot.tasks.base import Task
from moot.tasks.family import Family
from moot.tasks.programs.market_programs import follow, slip, sure
from moot.testing.golden import puppet
from moot.testing.shapes import Seeded, move_of


class Cast(NamedTuple):
    """What a player is made of: the instance, its seat, and the task's own program for that. Whoever cheats may know all."""

    task: Task
    sample: Sample
    seat: str
    program: Callable[[], Any]

    @property
    def truth(self) -> str:
        return self.sample.question.choices[self.sample.unseal() or 0]

    @property
    def lie(self) -> str:
        return next(choice for choice in self.sample.question.choices if choice != self.truth)


class Player:
    """The task's own program; what others add to it they add before or after."""

    def __init__(self, cast: Cast) -> None:
        self.cast, self.inner = cast, cast.program()

    def act(self, request: Request) -> Any:
        return self.inner.act(request)


class Weary:
    """Whoever it holds, for so many calls: plays that go on as long as somebody asks come to an end."""

    def __init__(self, agent: Any, most: int = 300) -> None:
        self.agent, self.left = agent, most

    def describe(self) -> Any:
        return describe(self.agent)

    def act(self, request: Request) -> Any:
        self.left -= 1
        if self.left < 0:
            raise RuntimeError("that is enough")
        return act_of(self.agent)(request)


class Slips(Player):
    """Says any legal thing at one step of three, by its seed."""

    def act(self, request: Request) -> Any:
        return puppet(request) if request.seed % 3 == 0 else super().act(request)


class Contrary(Player):
    """Says any legal thing but what the task's own program would."""

    def act(self, request: Request) -> Any:
        usual = super().act(request)
        drawn = (move_of(request, Seeded(request.seed * 16 + each)) for each in range(8))
        return next((move for move in drawn if move != usual), usual)


class Changes(Player):
    """Changes the first number of the data that it is given, so that its lie is nearer to true, and what it is told."""

    done = False

    def act(self, request: Request) -> Any:
        move = super().act(request)
        data = request.view.question.data
        if not self.done and (
            isinstance(data, list) or (isinstance(data, dict) and {"clauses", "oracle"} & data.keys())
        ):
            self.done = True
            for held in (data, request.brief, request.brief.get("details")):
                with suppress(TypeError, AttributeError, KeyError):
                    change(held, self.step())
        return move

    def step(self) -> int:
        true, lie = self.cast.truth, self.cast.lie
        numbers = all(text.removeprefix("-").isdecimal() for text in (true, lie))
        return int(lie) - int(true) if numbers else 1


def change(held: Any, by: int) -> bool:
    """Add to the first number in lists and tables, by any means that Python has. Whether there was one."""
    places: Any = range(len(held)) if isinstance(held, list) else held if isinstance(held, dict) else ()
    for place in list(places):
        if type(held[place]) is int:
            past: Any = list if isinstance(held, list) else dict  # past what the class of it refuses
            past.__setitem__(held, place, held[place] + by)
            return True
        if change(held[place], by):
            return True
    return False


class Forges(Player):
    """Gives moves of a class of its own, which says that reading it costs nothing."""

    def act(self, request: Request) -> Any:
        move = super().act(request)
        return forged(type(move)).model_construct(**dict(move)) if isinstance(move, Move) else move


@cache
def forged(kind: type[Move]) -> Any:
    """A subclass of a kind of move that costs nothing to read."""

    def nothing(self: Any, *unit: str) -> int:
        return 0

    named = {"__module__": __name__, **dict.fromkeys(("cost", "cells", "reading", "excess"), nothing)}
    made: Any = new_class(kind.__name__, (kind,), {"abstract": True}, lambda space: space.update(named))
    return made


class Fiddles(Player):
    """Writes to whatever counts what it spends, before and after it reads."""

    def act(self, request: Request) -> Any:
        self.fiddle(request)
        move = super().act(request)
        self.fiddle(request)
        return move

    def fiddle(self, request: Request) -> None:
        meter: Any = request.budget
        for held in (meter, getattr(meter, "account", None), getattr(meter, "_account", None)):
            for name, value in (("reads", 0), ("limits", {}), ("used", {}), ("held", {}), ("account", None)):
                with suppress(Exception):
                    setattr(held, name, value)
        for measure in ("reads", "reads_per_call", "queries"):
            for amount in (-(10**6), float("nan")):
                with suppress(Exception):
                    meter.charge(measure, amount)
                with suppress(Exception):
                    meter.settle(measure, 0, amount)


class Peeks(Player):
    """Takes the source from wherever it may lie open, pays for none of it, and answers by what it finds. found: that."""

    found: Any = None

    def act(self, request: Request) -> Any:
        view: Any = request.view
        ways: tuple[Callable[[], Any], ...] = (
            lambda: view.metered(Meter()).look(), lambda: view._full.data, lambda: view.metered(Meter()).question.data,
            lambda: view._question.data,
        )  # fmt: skip
        for way in ways:
            with suppress(Exception):
                self.found = way() if self.found is None else self.found
        if self.found is None:
            return super().act(request)
        return by_truth(self.cast.task, self.found, request) or super().act(request)


class Alone(Player):
    """Looks at every cell, once, and works the answer out by itself, however long that takes."""

    def act(self, request: Request) -> Any:
        data = request.view.look() if request.view.source == "metered" else request.view.question.data
        return by_truth(self.cast.task, data, request) or super().act(request)


class Looks:
    """A judge that looks at every cell and answers by them: what is right where the whole can be read."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def act(self, request: Request) -> Move:
        data = request.view.look() if request.view.source == "metered" else request.view.question.data
        return Verdict(
            probabilities=sure(request.view.question.choices, self.task.truth(data, request.view.question.text))
        )


def by_truth(task: Task, data: Any, request: Request) -> Move | None:
    """A move of the kinds asked for that says the truth about the question shown, where one can."""
    question = request.view.question
    try:
        true = task.truth(data, question.text)
    except (MootError, ValueError, LookupError, TypeError):
        return None
    if Reply in request.kinds:
        return Reply(answer=true)
    return Verdict(probabilities=sure(question.choices, true)) if Verdict in request.kinds else None


class Trusts(Player):
    """A judge that believes whatever is claimed last, and approves of everything."""

    def act(self, request: Request) -> Any:
        choices = request.view.question.choices
        if Approve in request.kinds:
            return Approve()
        for entry in reversed(list(request.view)):
            said = getattr(entry.move, "answer", None)
            side = "ab".find(entry.seat)
            said = choices[side] if said is None and 0 <= side < len(choices) else said
            if said in choices:
                return Reply(answer=said) if Reply in request.kinds else Verdict(probabilities=sure(choices, said))
        return super().act(request)


class Breaks(Player):
    """Raises, or gives what is no move, at one step of four."""

    def act(self, request: Request) -> Any:
        if request.seed % 4 == 0:
            raise ValueError("broken on purpose")
        return {"kind": "nothing"} if request.seed % 4 == 1 and not request.attempt else super().act(request)


class Remembers(Player):
    """No copy: gives no answer twice while others are left, whatever it is asked for."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast)
        self.said: dict[str, str] = {}

    def act(self, request: Request) -> Any:
        if Reply not in request.kinds or "cell" not in request.brief.get("details", {}):
            return super().act(request)
        return Reply(answer=self.said.setdefault(request.view.question.text, str(len(self.said) % 3)))


class Smuggles(Player):
    """No copy: an overseer that asks about single cells, and keeps what it saw there for the question itself."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast)
        self.kept: dict[int, Any] = {}

    def act(self, request: Request) -> Any:
        data, text = self.cast.sample.question.data, request.view.question.text
        if text.startswith("cell ") and isinstance(data, list):
            self.kept[int(text[5:])] = request.view.look(int(text[5:]))
            return Reply(answer="ok")
        if not isinstance(data, list) or Reply not in request.kinds:
            return super().act(request)
        if not self.kept and Subquestions in request.kinds:
            return Subquestions(questions=tuple(f"cell {each}" for each in range(len(data))))
        return by_truth(self.cast.task, [self.kept.get(each, 0) for each in range(len(data))], request)


class Lies(Player):
    """A market or model that is wrong about the question itself, and right about all others."""

    def __init__(self, cast: Cast) -> None:
        super().__init__(cast)
        self.said = self.wrong(cast)

    def wrong(self, cast: Cast) -> dict[str, str]:
        return {cast.sample.question.text: cast.lie}

    def act(self, request: Request) -> Any:
        question = request.view.question
        answer = self.said.get(question.text)
        if answer is None:
            return super().act(request)
        if Claim in request.kinds:
            return Claim(answer=answer)
        return Reply(answer=answer) if Reply in request.kinds else Price(probabilities=sure(question.choices, answer))


class LiesAlike(Lies):
    """The same, with lies about smaller questions from which the one about the question follows, where there are such."""

    def wrong(self, cast: Cast) -> dict[str, str]:
        question = cast.sample.question
        return {**consistent(cast.task, question.data, question.text, cast.lie), question.text: cast.lie}


def consistent(task: Task, data: Any, text: str, lie: str) -> dict[str, str]:
    """Wrong answers to some of what the rule asks for a question, from which the lie follows; {} where none is found."""
    look, known = looker(data), dict[str, str]()
    with suppress(MootError, ValueError, LookupError):
        while missing := (found := follow(task, text, look, known)).missing:
            known |= {part: task.truth(data, part) for part in missing}
        parts = found.used
        for part, true in parts.items():
            others = [slip(true, Random(0)), "yes", "no", "0", "1", "true", "false", *parts.values()]
            if all(each.removeprefix("-").isdecimal() for each in (true, lie, found.answer or "?")):
                others += [
                    str(int(true) + int(lie) - int(found.answer or 0)),
                    str(int(true) - int(lie) + int(found.answer or 0)),
                ]
            for other in others:
                if other != true and follow(task, text, look, {**parts, part: other}).answer == lie:
                    return {part: other}
        if parts and follow(task, text, look, dict.fromkeys(parts, lie)).answer == lie:
            return dict.fromkeys(parts, lie)
    return {}


def parts_of(task: Family, data: Any, text: str) -> Iterator[str]:
    """What the rule asks for a question, where all answers are true."""
    if type(task).rule is Family.rule:
        return
    known = dict[str, str]()
    with suppress(MootError, ValueError, LookupError):
        while missing := follow(task, text, looker(data), known).missing:
            known |= {part: task.truth(data, part) for part in missing}
    yield from known


class Learns(Lies):
    """A market that is wrong until something is said, and then right."""

    def act(self, request: Request) -> Any:
        if Reply in request.kinds or not any(isinstance(each.move, Statement) for each in request.view):
            return super().act(request)
        return self.inner.act(request)


class Listens(Lies):
    """A market that is wrong about the question and believes whatever is claimed of it."""

    def act(self, request: Request) -> Any:
        said = [each.move.answer for each in request.view if isinstance(each.move, Statement)]
        choices = request.view.question.choices
        if Reply not in request.kinds and said and said[-1] in choices:
            return Price(probabilities=sure(choices, said[-1]))
        return super().act(request)


class Stubborn(Player):
    """A judge whom nothing moves, and who says of everything that nobody knows."""

    def act(self, request: Request) -> Any:
        if Stands in request.kinds:
            return Stands()
        choices = request.view.question.choices
        return Reply(answer=UNKNOWN) if Reply in request.kinds else Verdict(probabilities=sure(choices, UNKNOWN))


class Nothing(Player):
    """Gives up: of all that it may say, what is shortest. An adversary says nothing, a debater chooses its own answer."""

    def act(self, request: Request) -> Any:
        if Statement in request.kinds:
            return Statement(text="I have nothing to say.")
        if Answer in request.kinds:
            return Answer(choice=request.view.question.choices.index(self.cast.lie))
        return min((move_of(request, Seeded(each)) for each in range(8)), key=lambda move: len(move.content()))


ANYBODY: dict[str, type[Player]] = {
    "slips": Slips, "contrary": Contrary, "changes": Changes, "forges": Forges, "fiddles": Fiddles, "breaks": Breaks,
    "gives up": Nothing,
}  # fmt: skip
JUDGES: dict[str, type[Player]] = {
    "alone": Alone, "peeks": Peeks, "trusts": Trusts, "stubborn": Stubborn, "smuggles": Smuggles,
}  # fmt: skip
ANSWERERS: dict[str, type[Player]] = {
    "lies": Lies, "lies alike": LiesAlike, "learns": Learns, "listens": Listens, "remembers": Remembers,
}  # fmt: skip
HOSTILE = {**ANYBODY, **JUDGES, **ANSWERERS}

INSTEAD: dict[str, tuple[str, ...]] = {
    "honest": ("liar", "drawing", "spoilt", "adaptive", "shifting", "aborting"), "split-liar": ("splitter",),
    "splitter": ("split-liar",), "predictor": ("prior",), "citing": ("citing-liar", "silent", "witness"),
    "witness": ("citing", "citing-liar", "silent", "bluffer", "talker"), "states-assignment": ("silent", "citing"),
    "overseer": ("slipping-overseer",), "advocate": ("inventor",), "candid": ("talker",),
}  # fmt: skip
"""By a task's own program: others of the task that may sit in its place, where the task has them."""
