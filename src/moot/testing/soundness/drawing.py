"""How a play is drawn: an instance, parameters, who sits where, a budget, the n that is declared.
Rule: strategies, and what is drawn as plain values, so that a play can be made again from them; nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, lru_cache, partial
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from moot.agents.wrappers.copies import Copies
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.base import Protocol, known_protocols, protocol_named
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Sample
from moot.tasks.base import Task, known_tasks
from moot.testing.golden import puppet
from moot.testing.soundness.agents import ANSWERERS, ANYBODY, HOSTILE, INSTEAD, JUDGES, Cast, Weary
from moot.testing.soundness.plays import Run, Seated

SIZES: Mapping[str, tuple[int, ...]] = {
    "tqbf": (1, 2, 3, 4), "circuit-value": (1, 2), "geography": (2, 3, 4), "reach": (2, 3, 4), "colouring": (3, 4), "halting": (1, 2),
    "wildcard": (16,), "evidence": (1, 2, 3, 5), "persuasion": (1, 2, 3, 5), "sum": (1, 2, 3, 4, 6), "sat": (3, 4, 5),
}  # fmt: skip
"""Sizes of instances that are cheap to search; of other tasks, the smallest four."""
_FEW = {"recursive-debate": 2, "approval": 3}


@dataclass(frozen=True)
class Drawn:
    """A play that was drawn. params: those that are not as the task has them. agents: seat to name. bound: what the judge may
    spend of the protocol's measure ("task": the task's own polynomial; None: no bound). players: bounds of the others, on
    calls. declared: what is added to n. copied: whether those of whom copies are assumed are seated as `moot.Copies`."""

    protocol: str
    task: str
    size: int
    instance: int
    params: Mapping[str, Any] = field(default_factory=dict)
    agents: Mapping[str, str] = field(default_factory=dict)
    bound: str | None = "task"
    players: int | None = None
    declared: int = 0
    copied: bool = True
    seed: int = 0


def played(drawn: Drawn, task: Task, given: Protocol | None = None) -> Run:
    """Play it. given: the protocol, where that is not to be made of the parameters. UsageError where there is no such play."""
    sample = task.sample(drawn.size, drawn.instance)
    question = sample.question
    made = given or protocol_named(drawn.protocol, {**task.options(drawn.protocol, question), **drawn.params})
    if drawn.declared:
        question = question.model_copy(update={"size": question.size + drawn.declared})
        sample = Sample(question, sample.unseal(), sample.task)
    roles = made.roles(question)
    seated = {
        seat: seated_as(drawn.agents.get(seat, "honest"), Cast(task, sample, seat, program_of(task, made, seat, role)),
                        bound_of(drawn, task, role == made.judge, made.measure), drawn.copied and seat in made.copied(question))
        for seat, role in roles.items()
    }  # fmt: skip
    agents = {seat: each.make() for seat, each in seated.items()}
    transcript = run(made, sample, agents, seed=drawn.seed)
    again = Sample(
        question.model_copy(update={"data": task.sample(drawn.size, drawn.instance).question.data}),
        sample.unseal(),
        sample.task,
    )
    return Run(
        made, task, again, drawn.seed, seated, transcript, agents
    )  # what players did to their data, they did to theirs


def bound_of(drawn: Drawn, task: Task, judge: bool, measure: str) -> dict[str, Any]:
    if not judge:
        return {} if drawn.players is None else {"calls": drawn.players}
    if drawn.bound is None:
        return {}
    return {measure: task.bound(drawn.protocol) if drawn.bound == "task" else drawn.bound}


def program_of(task: Task, protocol: Protocol, seat: str, role: str) -> Any:
    cast = task.cast(protocol.name)
    name = cast.get(seat) or cast.get(role)
    if name is None:
        raise UsageError(f"the programs of task {task.name} do not play {protocol.name}: nobody is {role}")
    return task.programs()[name]


def seated_as(name: str, cast: Cast, bound: Mapping[str, Any], copied: bool) -> Seated:
    """Whoever is called so, within this bound, and as copies."""
    programs, polynomial = cast.task.programs(), True
    if name == "honest":
        make = cast.program
    elif name == "puppet":
        make = lambda: puppet  # noqa: E731
    elif name in HOSTILE:
        make = partial(HOSTILE[name], cast)
        polynomial = name not in ("alone", "peeks") or cast.task.complexity_class in ("P", "NL")
    else:
        make = programs[name.removeprefix("task:")]
    return Seated(name, partial(_within, make, dict(bound), name == "honest", copied), polynomial)


def _within(make: Any, bound: dict[str, Any], tireless: bool, copied: bool) -> Any:
    agent = Copies(make=make) if copied else make()
    agent = Weary(agent, 2000 if tireless else 300)
    return Bounded(agent, **bound) if bound else agent


def pairs() -> Iterator[tuple[str, str]]:
    """Every protocol and task of which the task's programs play the protocol, and a class is claimed of that."""
    for name, cls in sorted(known_protocols().items()):
        for task in known_tasks().values():
            if cls.complexity_class is None or not task.cast(name):
                continue
            sample = task.sample(sizes_of(task, name)[0])
            if protocol_named(name, task.options(name, sample.question)).decides(sample.question) is not None:
                yield name, task.name


@st.composite
def plays(
    draw: st.DrawFn, name: str, task: Task, given: Protocol | None = None, players: frozenset[str] | None = None
) -> Drawn:
    """Plays of a protocol about a task: as the task's programs play it, with one thing or several changed. players: who is
    drawn beside these (None: anybody)."""
    cls = type(given) if given is not None else type(protocol_named(name))
    size, instance = draw(st.sampled_from(sizes_of(task, name))), draw(st.integers(0, 400))
    params = {} if given is not None or draw(_one_in(3)) is False else draw(changed(cls))
    sample = task.sample(size, instance)
    try:
        made = given or protocol_named(name, {**task.options(name, sample.question), **params})
        roles = made.roles(sample.question)
        for seat, role in roles.items():
            program_of(task, made, seat, role)
    except UsageError:
        params, made = {}, protocol_named(name, task.options(name, sample.question))
        roles = made.roles(sample.question)
    cast = task.cast(name)
    agents = {}
    for seat, role in roles.items():
        program = cast.get(seat) or cast[role]
        if (chosen := draw(anybody(program, role == made.judge, frozenset(task.programs()), players))) != "honest":
            agents[seat] = chosen
    bound = draw(_BOUNDS)
    calls = draw(_PLAYERS)
    declared = draw(_DECLARED)
    copied = not made.copied(sample.question) or draw(_COPIED)
    return Drawn(
        name, task.name, size, instance, params, agents, bound, calls, declared, copied, draw(st.integers(0, 2**16))
    )


_BOUNDS = st.sampled_from(["task"] * 8 + ["1", "n", "1000000000", None])
_PLAYERS = st.sampled_from([None] * 9 + [1])
_COPIED = st.sampled_from([True] * 5 + [False])
_DECLARED = st.sampled_from([0] * 9 + [1, 10**9])


@lru_cache
def _one_in(count: int) -> st.SearchStrategy[bool]:
    return st.sampled_from([False] * (count - 1) + [True])


@cache
def sizes_of(task: Task, protocol: str) -> tuple[int, ...]:
    """Sizes of instances that there are, and that are searched soon."""
    found = list[int]()
    for size in SIZES.get(task.name) or range(task.smallest, min(task.smallest + 16, task.largest + 1)):
        with suppress(UsageError):
            task.sample(size)
            found.append(size)
        if len(found) == _FEW.get(protocol, 4):
            break
    return tuple(found)


@cache
def anybody(
    program: str, judge: bool, programs: frozenset[str], players: frozenset[str] | None
) -> st.SearchStrategy[str]:
    """Who may sit where the task has this program: mostly that; a judge, more often. None: anybody."""
    named = [f"task:{each}" for each in INSTEAD.get(program, ()) if each in programs]
    hostile = ["puppet", *ANYBODY, *(JUDGES if judge else ANSWERERS)]
    if players is not None:
        named, hostile = ([each for each in names if each in players] for names in (named, hostile))
    elif program == "split-liar":
        named *= 4
    return st.sampled_from(["honest"] * max(1, len(hostile) * (3 if judge else 1)) + named * 2 + hostile)


@cache
def changed(cls: type[Protocol]) -> st.SearchStrategy[dict[str, Any]]:
    """Parameters of a protocol, one or two of them drawn from all that they may be; those without a finite list stay."""
    known = {name: values for name, field in cls.model_fields.items() if (values := values_of(field.annotation))}
    one = st.sampled_from(sorted(known)) if known else st.nothing()
    several = st.lists(one, min_size=1, max_size=2, unique=True) if known else st.just([])
    return several.flatmap(lambda names: st.fixed_dictionaries({name: st.sampled_from(known[name]) for name in names}))


def values_of(annotation: Any) -> tuple[Any, ...]:
    """Values of a parameter that are worth trying; () where nobody can say."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return values_of(inner[0])
    if origin in (Union, UnionType):
        return tuple(value for part in inner for value in values_of(part))
    if origin is Literal:
        return inner
    known: dict[Any, tuple[Any, ...]] = {
        bool: (False, True), int: (0, 1, 2, 3, 8), type(None): (None,), float: (0.0, 0.25, 0.5, 0.6, 1.0, 2.0)
    }  # fmt: skip
    return known.get(annotation, ()) if isinstance(annotation, type) or annotation is None else ()
