"""`moot run --task` and `moot tasks`: questions whose true answer is computed, and the programs that play them.

Rule of this file: it knows no task by name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from moot.cli.frame import Json, columns, tell, tell_item, tell_json
from moot.cli.plan import Plan
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.protocols.engine.question import Sample

DEFAULT_SIZE = 16


def cast(planned: Plan, name: str, samples: Sequence[Sample]) -> Plan:
    """The plan with the task's programs in the seats that nobody was typed for, and with the protocol's parameters and
    the judge's bound that they need, where nobody typed them. A language model that oversees is shown the data.

    UsageError when the task's programs do not play the protocol and somebody is missing.
    """
    from moot.protocols.amplification.amplification import Amplification
    from moot.tasks.base import task_named

    task, protocol = task_named(name), planned.protocol
    made = type(protocol)
    programs = task.cast(protocol.name)
    seats, bounds = dict(planned.seats), dict(planned.bounds)
    if isinstance(protocol, Amplification) and "source" not in protocol.model_fields_set:
        if _is_model(seats.get(protocol.judge, ""), planned.config):  # it cannot look at single cells
            protocol = made(**protocol.model_dump(include=protocol.model_fields_set), source="all")
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


def _is_model(spec: str, agents: Mapping[str, Any]) -> bool:
    """Whether a seat's agent, as it was typed or configured, is a language model."""
    table = agents.get(spec)
    kind = table.get("kind") if isinstance(table, Mapping) else spec.partition(":")[0]
    return kind in ("local", "openai", "anthropic", "logprobs", "stated")


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
