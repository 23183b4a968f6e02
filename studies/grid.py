"""From what a researcher names to a design: arms, their product, and what each of them is addressed by.

Rule of this file: whatever would make a study mean something else than it says is refused here, before anything is played.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from moot.agents.base import describe
from moot.agents.identity import identity, protocol_fingerprint
from moot.agents.spec import agent_from, seatable
from moot.play.rejudging import with_procedure
from moot.play.run import checked
from moot.play.seats import seats_for
from moot.protocols.debate.parts import Part
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.question import Question, Sample, reworded
from moot.studies.design import ArmDesign, Both, QuestionDesign, axes_of, hashed, plain

Where = Callable[[Mapping[str, Any]], bool]


@dataclass(frozen=True)
class Arm:
    """One arm of a study: a protocol with its parameters, and who sits where.

    protocol: what is played; of an arm that judges again, what is played instead of the recorded protocol, if anything.
    seats: seat or role to an agent, to the text that the command line would take, or to a name among the study's agents. axes:
    what its rows are grouped by (`{"protocol": "debate", "budget": 2}`).

    of: the name of the arm whose plays it judges again; nobody else of them is asked. Then `seats` says who judges, and who
    else is asked live (an oracle). repetitions: how often, each with a seed of its own. flip: the judge is shown the answers
    exchanged. procedure: the parts of judging, in place of those recorded. upto: after so many rounds. live: seats that are
    asked anew. All as for `moot.rejudge`.
    """

    protocol: Protocol | None = None
    seats: Mapping[str, Any] = field(default_factory=dict)
    axes: Mapping[str, Any] = field(default_factory=dict)
    of: str | None = None
    repetitions: int = 1
    flip: bool = False
    procedure: tuple[Part, ...] | None = None
    upto: int | None = None
    stale: bool = False
    live: tuple[str, ...] = ()

    def again(self) -> dict[str, Any]:
        """What `moot.rejudge` is told besides judge, seats and protocol; only what is not as usual."""
        given = {"flip": self.flip, "stale": self.stale, "live": self.live}
        found = {name: value for name, value in given.items() if value is not False and value != ()}
        either = {"upto": self.upto, "procedure": self.procedure}  # 0 and () are something
        return found | {name: value for name, value in either.items() if value is not None}


@dataclass(frozen=True)
class Seated:
    """An arm with its agents in their seats. protocol: as its plays are recorded; before: of an arm that judges again, without what
    the arm changes of the judging. agents, swapped: seat to agent, as given and with the rivals exchanged."""

    name: str
    arm: Arm
    protocol: Protocol
    before: Protocol
    agents: dict[str, Any]
    swapped: dict[str, Any]
    design: ArmDesign


def product(
    protocols: Mapping[str, Protocol], seats: Mapping[str, Any], params: Mapping[str, Sequence[Any]], question: Question
) -> dict[str, Arm]:
    """Every protocol with every value of its parameters and everybody who may sit in its seats, by name. A seat, role or
    parameter that a protocol does not have is passed over for that protocol, and refused where none has it."""
    if not protocols:
        raise UsageError("the axis 'protocols' is empty; give it at least one protocol")
    used: set[str] = set()
    found: dict[str, Arm] = {}
    for name, protocol in protocols.items():
        protocol = checked(protocol)
        roles = protocol.roles(question)
        own = {key: values for key, values in params.items() if key in type(protocol).model_fields}
        sat = {key: who for key, who in seats.items() if key in roles or key in roles.values()}
        used |= {*own, *sat}
        axes = [("protocol", (name,)), *own.items(), *((key, _several(who)) for key, who in sat.items())]
        for key, values in axes:
            if not isinstance(values, (list, tuple, range)):
                raise UsageError(f"the axis {key!r} is {values!r:.80}; it must be a list of values, such as [1, 3]")
            if not values:
                raise UsageError(f"the axis {key!r} is empty; give it at least one value")
        several = {key for key, values in axes if len(values) > 1 or key == "protocol"}
        for values in itertools.product(*(range(len(each)) for _, each in axes)):
            chosen = {key: each[place] for (key, each), place in zip(axes, values, strict=True)}
            made = protocol.model_copy(update={key: chosen[key] for key in own}) if own else protocol
            if own:
                made = type(protocol).model_validate(dict(made))
            told = {key: _label(chosen[key]) for key in chosen if key in several}
            arm = Arm(made, {key: chosen[key] for key in sat}, told)
            if (title := axes_of(told)) in found:
                raise UsageError(
                    f"two arms are called {title!r}: two values of an axis have one name; give agents names"
                )
            found[title] = arm
    if unused := [key for key in (*params, *seats) if key not in used]:
        known = sorted(
            {
                k
                for p in protocols.values()
                for k in (*p.roles(question), *p.roles(question).values(), *type(p).model_fields)
            }
        )
        raise UsageError(
            f"no protocol of the study has a seat, role or parameter {unused[0]!r}{near(unused[0], known)}"
        )
    return found


def _several(who: Any) -> Sequence[Any]:
    return who if isinstance(who, (list, tuple)) else (who,)


def _label(value: Any) -> Any:
    """A value of an axis as it stands in a row."""
    return value if isinstance(value, (str, int, float, bool)) or value is None else name_of(value)


def name_of(agent: Any) -> str:
    """What an agent is called in a table."""
    found = describe(agent)
    return str(found.get("name") or found.get("model") or found.get("agent") or type(agent).__name__)


def seated(
    arms: Mapping[str, Arm], agents: Mapping[str, Any], questions: Sequence[Question], seatings: Both
) -> list[Seated]:
    """The arms with everybody in their seats. questions: one of each kind that may have other seats. Raises UsageError on what is missing,
    on arms that differ in nothing, and where questions have different seats."""
    made: dict[str, Seated] = {}
    people: dict[str, tuple[Any, str]] = {}
    for name, arm in arms.items():
        if not isinstance(arm, Arm):
            raise UsageError(f"arm {name!r} is {arm!r}; it must be a moot.Arm")
        for what, value in (("name", name), *(("axis", axis) for axis in arm.axes)):
            if not isinstance(value, str):
                raise UsageError(f"arm {name!r}: the {what} {value!r} must be a text")
        plain([name, dict(arm.axes)], f"arm {name!r}: its name, with its axes,")
        if arm.of is not None and arm.of not in made:
            known = f"; {arm.of!r} must come before it" if arm.of in arms else near(arm.of, list(arms))
            raise UsageError(f"arm {name!r} judges the plays of {arm.of!r} again, which is no arm before it{known}")
        if type(arm.repetitions) is not int or arm.repetitions < 1:
            raise UsageError(f"arm {name!r}: repetitions is {arm.repetitions!r}; it must be 1 or more")
        if not isinstance(arm.seats, Mapping):
            raise UsageError(f"arm {name!r}: seats is {arm.seats!r:.80}; it must be a mapping, seat or role to agent")
        if not (isinstance(arm.flip, bool) and isinstance(arm.stale, bool)):
            raise UsageError(f"arm {name!r}: flip is {arm.flip!r} and stale {arm.stale!r}; they are true or false")
        if not isinstance(arm.live, (list, tuple)) or not all(isinstance(seat, str) for seat in arm.live):
            raise UsageError(f"arm {name!r}: live is {arm.live!r}; it must be a list of seats or roles")
        if arm.of is None and arm.again():
            raise UsageError(f"arm {name!r}: {min(arm.again())} is for an arm that judges again (of=)")
        one = _one(name, arm, made.get(arm.of or ""), agents, people, questions, seatings)
        marks = {one.design.fingerprint, one.design.mirrored} - {None}
        if same := next((e for e in made.values() if marks & {e.design.fingerprint, e.design.mirrored}), None):
            if same.design.fingerprint != one.design.fingerprint:
                raise UsageError(
                    f'arm {name!r} is arm {same.name!r} with its rivals exchanged, which seatings="both" plays anyway: leave one of '
                    'them out, or say seatings="one"'
                )
            raise UsageError(
                f"arms {same.name!r} and {name!r} differ in nothing: the same protocol, parameters and agents (a model's host and "
                "price do not count; LM(identity=) tells two apart)"
            )
        made[name] = one
    if not made:
        raise UsageError("the study has no arms: give arms=, or protocols= and seats=")
    return list(made.values())


def _one(
    name: str, arm: Arm, parent: Seated | None, agents: Mapping[str, Any], people: dict[str, tuple[Any, str]],
    questions: Sequence[Question], seatings: Both,
) -> Seated:  # fmt: skip
    protocol = arm.protocol if arm.protocol is not None else parent.protocol if parent is not None else None
    if protocol is None:
        raise UsageError(f"arm {name!r} has no protocol")
    before = protocol
    if parent is not None:
        protocol = with_procedure(f"arm {name!r}", protocol, arm.procedure, arm.upto)
    where = f"arm {name!r}"
    for named in (each for each in arm.seats.values() if isinstance(each, str) and each not in agents):
        try:
            people.setdefault(named, (agent_from(named), named))
        except UsageError as error:
            raise UsageError(f"{where}: there is no agent {named!r}{near(named, list(agents))} ({error})") from None
    roles = checked(protocol).roles(questions[0])
    for asked in questions[1:]:
        if (seats := protocol.roles(asked)) != roles:
            raise UsageError(
                f"{where}: {protocol.name} has other seats on question {asked.id or asked.text!r:.100} ({', '.join(seats)}) than on "
                f"{questions[0].id or questions[0].text!r:.100} ({', '.join(roles)}): make a study of each kind"
            )
    who = seats_for(roles, {seat: _agent(each, agents, people) for seat, each in arm.seats.items()}, f"{where}, {protocol.name}",
                    some=parent is not None)  # fmt: skip
    judges = [seat for seat, role in roles.items() if role == protocol.judge]
    if parent is not None and not all(seat in who for seat in judges):
        raise UsageError(f"{where} judges again, and nobody sits at {judges[0] if judges else 'judge'!r}")
    marks = {}
    for seat, (agent, called) in who.items():
        if (found := identity(agent)) is None:
            raise UsageError(
                f"{where}: {called} at {seat!r} states no identity, so that its finished plays could not be told from those "
                "of another; give it an attribute `identity`, such as a version"
            )
        marks[seat] = found.fingerprint
    if (own := protocol_fingerprint(protocol)) is None:
        raise UsageError(
            f"{where}: {protocol.name} or a part of it states no identity; give its class a class variable `identity`"
        )
    again = {key: value for key, value in arm.again().items() if key != "procedure"}
    kept = [parent.design.fingerprint, again, arm.protocol is not None] if parent is not None else []
    mark = partial(hashed, "arm", own, *kept)
    two = None if parent is not None or seatings == "one" else _rivals(roles, protocol.judge)
    swapped = {seat: each[0] for seat, each in who.items()}
    mirrored = None
    if two is not None and marks.get(two[0]) != marks.get(two[1]):
        one, other = two
        swapped[one], swapped[other] = swapped[other], swapped[one]
        mirrored = mark({**marks, one: marks[other], other: marks[one]})
    names = {seat: called for seat, (_, called) in who.items()}
    axes = {**(parent.arm.axes if parent is not None else {}), **arm.axes}
    design = ArmDesign(
        name=name, protocol=record_of(protocol), seats=names, axes=axes, fingerprint=mark(marks), mirrored=mirrored,
        rivals=None if mirrored is None else two,
        of=arm.of, repetitions=arm.repetitions, flip=arm.flip,
    )  # fmt: skip
    return Seated(name, arm, protocol, before, {seat: each[0] for seat, each in who.items()}, swapped, design)


def _agent(who: Any, agents: Mapping[str, Any], people: dict[str, tuple[Any, str]]) -> tuple[Any, str]:
    """An agent and what it is called; whoever is named by a text is made once."""
    if not isinstance(who, str):
        known = next((name for name, each in agents.items() if each is who), None)
        return seatable(who), known or name_of(who)
    if who not in people:
        given = agents.get(who, who)
        people[who] = (agent_from(given) if isinstance(given, str) else given), who
    return people[who]


def _rivals(roles: Mapping[str, str], judge: str | None) -> tuple[str, str] | None:
    """The two seats of one role other than the judge's, where there is one such pair."""
    held: dict[str, list[str]] = {}
    for seat, role in roles.items():
        if role != judge:
            held.setdefault(role, []).append(seat)
    pairs = [seats for seats in held.values() if len(seats) == 2]
    return (pairs[0][0], pairs[0][1]) if len(pairs) == 1 else None


def questions_of(samples: Iterable[Sample | Question]) -> tuple[list[Sample], list[QuestionDesign]]:
    """The samples and their design. Raises UsageError on an empty set, on two of one name, and on two of one content."""
    found, designs = list[Sample](), list[QuestionDesign]()
    names, marks = dict[str, int](), dict[str, str]()
    for number, each in enumerate(samples, 1):
        sample = Sample(each) if isinstance(each, Question) else each
        if not isinstance(sample, Sample):
            raise UsageError(
                f"question {number} of the study is {each!r:.100}; it must be a moot.Question or a moot.Sample"
            )
        question = sample.question
        name = question.id or question.text
        if name in names:
            raise UsageError(
                f"questions {names[name]} and {number} of the study are both called {name!r:.100}; give them ids of their own"
            )
        plain([name, dict(question.tags)], f"question {number} of the study: its name, with its tags,")
        mark = question_fingerprint(question)
        if mark in marks:
            raise UsageError(f"questions {marks[mark]!r:.100} and {name!r:.100} of the study ask the same")
        names[name], marks[mark] = number, name
        found.append(sample)
        designs.append(QuestionDesign(name=name, fingerprint=mark, tags=dict(question.tags)))
    if not found:
        raise UsageError("the study has no questions")
    return found, designs


def question_fingerprint(question: Question) -> str:
    """A hash of what is asked: not of what the question is called, nor of its truth."""
    return hashed(question.model_dump(mode="json", exclude_defaults=True, exclude={"id", "tags"}))


def mirrored(question: Question) -> str | None:
    """A hash of what is asked, with the answers listed in the other order, if there are any; None where they cannot be."""
    if question.data is not None and question.choices:
        return None
    return question_fingerprint(reworded(question, question.text, tuple(reversed(question.choices))))


def flipped(protocol: Protocol, sample: Sample) -> tuple[Protocol, Sample]:
    """The same play with its answers listed in the other order: of the question, or, where seats write them, of the protocol (`swap`).
    Raises UsageError where there are none to exchange, and where the question's data may name them by place."""
    question = sample.question
    named = f"question {question.id or question.text!r:.100}"
    if not question.choices and "swap" in type(protocol).model_fields:
        return protocol.model_copy(update={"swap": not getattr(protocol, "swap")}), sample  # noqa: B009 - a field of some
    if len(question.choices) < 2:
        raise UsageError(f"{named} has no answers to exchange under {protocol.name}: it cannot be flipped")
    if question.data is not None:
        raise UsageError(f"{named} has data, which may name its answers by their place: it cannot be flipped")
    other = reworded(question, question.text, tuple(reversed(question.choices)))
    if question.id is not None:
        other = other.model_copy(update={"id": question.id})
    truth = sample.unseal()
    return protocol, Sample(other, None if truth is None else len(question.choices) - 1 - truth, sample.task)
