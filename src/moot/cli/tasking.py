"""`moot run --task`, `moot tasks` and `moot prompts`: questions whose true answer is computed, the programs that play them, and
what every seat of a play is asked.

Rule of this file: it knows no task and no protocol by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli.frame import Json, columns, tell, tell_item, tell_json
from moot.cli.plan import Plan, assignments, protocol_from, read_text
from moot.protocols.engine.errors import UsageError, near

if TYPE_CHECKING:
    from moot.protocols.engine.question import Sample

DEFAULT_SIZE = 16


def cast(planned: Plan, name: str, samples: Sequence[Sample]) -> Plan:
    """The plan with the task's programs in the seats that nobody was typed for, and with the protocol's parameters and
    the judge's bound that they need, where nobody typed them.

    UsageError when the task's programs do not play the protocol and somebody is missing.
    """
    from moot.tasks.base import task_named

    task, protocol = task_named(name), planned.protocol
    made = type(protocol)
    programs = task.cast(protocol.name)
    seats, bounds = dict(planned.seats), dict(planned.bounds)
    if seats.get(protocol.judge, "task:").removeprefix("copies:").startswith("task:"):
        needed: dict[str, Any] = {}
        for sample in samples:
            needed |= task.options(protocol.name, sample.question)
        protocol = made(**{**needed, **protocol.model_dump(include=protocol.model_fields_set)})
    for sample in samples:
        for seat, role in protocol.roles(sample.question).items():
            program = programs.get(seat, programs.get(role))
            if seat in seats or role in seats or program is None:
                continue
            copies = "copies:" if seat in protocol.copied(sample.question) else ""
            seats[seat] = f"{copies}task:{name}:{program}"
            if role == protocol.judge and seat not in bounds and role not in bounds:
                bounds[seat] = {protocol.measure: task.bound(protocol.name)}
    if not programs and not seats:
        raise UsageError(f"the programs of task {name} do not play {protocol.name}; give every seat: --seat SEAT=AGENT "
                         "(moot tasks says what they play)")  # fmt: skip
    return replace(planned, protocol=protocol, seats=seats, bounds=bounds)


def tasks(json: Json = False) -> None:
    """List the tasks: families of questions whose true answer is computed, with the protocols that their programs play."""
    from moot.protocols.engine.base import known_protocols
    from moot.tasks.base import known_tasks
    from moot.transcripts.display.show import table

    cells = [["task", "class", "judge reads", "protocols"]]
    sources: dict[str, list[str]] = {}
    for name, task in known_tasks().items():
        plays = [protocol for protocol in known_protocols() if task.cast(protocol)]
        cells.append([name, str(task.complexity_class), task.reads, ", ".join(plays) or "-"])
        sources.setdefault(task.source, []).append(name)
        if json:
            tell_json({"task": name, "class": task.complexity_class, "reads": task.reads, "protocols": plays,
                       "programs": sorted(task.programs()), "source": task.source})  # fmt: skip
    if json:
        return
    tell("\n".join(table(cells, left=4, width=columns())))
    tell("\nsources")
    for source, names in sorted(sources.items()):
        tell_item(f"{source}: {', '.join(names)}")


def prompts(
    protocol: Annotated[str, typer.Argument(metavar="PROTOCOL", help="The protocol's name: moot protocols lists them.")],
    seat: Annotated[str | None, typer.Option("--seat", metavar="SEAT", help="Of this seat (or role) alone.")] = None,
    question: Annotated[
        str | None, typer.Option("--question", "-q", metavar="TEXT", help="About this question instead of a small example.")
    ] = None,
    choices: Annotated[list[str] | None, typer.Option("--choice", "-c", metavar="TEXT", help="Its answers, one each.")] = None,
    passage: Annotated[Path | None, typer.Option("--passage", metavar="FILE", help="The text that it is about.")] = None,
    params: Annotated[
        list[str] | None, typer.Option("--param", "-p", metavar="NAME=VALUE", help="A parameter of the protocol.")
    ] = None,
    own: Annotated[
        str | None, typer.Option("--prompts", metavar="FOLDER", help="Templates of your own, or a version: v1, v2-small.")
    ] = None,
    tags: Annotated[bool, typer.Option("--tags", help="As an endpoint without JSON is asked.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Print what every seat of a protocol would be asked, word for word: each kind of turn once. Nobody is called."""
    from moot.agents.prompts import Templates
    from moot.protocols.engine.question import Question
    from moot.testing.prompts import as_text, turns_of

    made = protocol_from(protocol, assignments(params or [], "-p"))
    asked = None
    if question is not None:
        text = None if passage is None else read_text(passage)
        asked = Question(question, choices=tuple(choices or ()), passage=text)
    elif choices or passage:
        raise UsageError("--choice and --passage are of a question: give --question as well")
    turns = turns_of(made, asked, templates=Templates(own), tagged=tags)
    if seat is not None:
        seats = list(dict.fromkeys(each for turn in turns for each in (turn.seat, turn.role)))
        if seat not in seats:
            raise UsageError(f"{made.name} has no seat {seat!r}{near(seat, seats)}; there are {', '.join(seats)}")
        turns = [turn for turn in turns if seat in (turn.seat, turn.role)]
    if not json:
        tell(as_text(made, turns).rstrip())
    for turn in turns if json else ():
        messages = turn.prompt.messages()
        tell_json({"seat": turn.seat, "role": turn.role, "task": turn.task, "kinds": turn.kinds, "phase": turn.phase,
                   "template": turn.prompt.template, "files": turn.prompt.files, "messages": messages})  # fmt: skip
