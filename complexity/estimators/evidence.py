"""What a play of `specification` shows: the rulings on inputs that were drawn, and on those that an adversary proposed.

Rule of this file: a fold over recorded steps. An input that was to be drawn and on which nobody ruled is unknown, whatever ended
the play, so that no failure, limit or crash takes an input out of the count.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from moot.complexity.play import Play
from moot.protocols.engine.errors import UsageError
from moot.protocols.specification.moves import Finding
from moot.protocols.specification.specification import Specification


@dataclass(frozen=True, slots=True)
class Ruled:
    """An input that was drawn, and what was found. text, stratum: None where the play ended before it was drawn. weight: how much more
    probable the answer to it is by the model that is meant than by the proxy which gave it; None where the model gave it itself."""

    step: str
    finding: Finding
    text: str | None = None
    stratum: str | None = None
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Proposed:
    """An input that an adversary proposed. weight: how much more probable it is by nature's draw than by the adversary's, 0 for what is no
    input of nature's and for what was not its author's first answer; None where a density is missing."""

    step: str
    finding: Finding
    text: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a model and its specification. held_out: as many as were to be drawn, fixed beforehand. proposed: in their order.
    proxy: whether another model answered, whose answers to what was drawn are weighed; unended: whether the ends of answers are not in it."""

    held_out: tuple[Ruled, ...] = ()
    proposed: tuple[Proposed, ...] = ()
    proxy: bool = False
    unended: bool = False

    def count(self, finding: Finding) -> int:
        """How many of the inputs that were drawn were found to be so."""
        return sum(each.finding == finding for each in self.held_out)

    def rulings(self) -> Iterable[Ruled | Proposed]:
        """All inputs on which there is a ruling."""
        return (*self.held_out, *self.proposed)


def weight_of(base: float | None, proposal: float | None, where: str) -> float:
    """How much more probable an input is by a base than by a proposal, from the logarithms of both densities; base None: it is no input there.
    Raises UsageError on a density that is missing, none (above 1, infinite, no number), or so small that the weight is no float."""
    if proposal is None:
        raise UsageError(f"{where}: the density of the proposal is missing; state log_density, or use held-out draws")
    for name, log in (("base", base), ("proposal", proposal)):
        if log is not None and (isinstance(log, bool) or not isinstance(log, (int, float)) or not -math.inf < log <= 0):
            raise UsageError(f"{where}: the log-density of the {name} is {log!r:.60}; it must be finite and at most 0")
    if base is None:
        return 0.0
    if base - proposal > 700:
        raise UsageError(
            f"{where}: the input is exp({base - proposal:.6g}) times as probable as it was proposed: no float"
        )
    return math.exp(base - proposal)


def evidence_of(play: Play) -> Evidence:
    """The evidence of one play. Raises UsageError where it is a play of another protocol, and on densities that fit no proposal.

    A proposal after a rejected answer, or the first after the play was taken up again, weighs 0: its density is that of one draw, and
    whoever is asked until an answer will do draws the others away. So the mean of hits times weights is at most the truth.
    """
    protocol, name = play.started["protocol"], play.name
    if protocol["name"] != Specification.name:
        raise UsageError(
            f"{name} is a play of {protocol['name']}; rulings under a specification are in those of specification"
        )
    params = Specification.from_record(protocol["params"])
    drawn, attacks, again = dict[str, dict[str, Any]](), list[dict[str, Any]](), False
    for event in play.events():
        again |= event["event"] == "resumed" or (event["event"] == "rejected" and event["seat"] == "adversary")
        if event["event"] != "moved":
            continue
        step, move, kind = event["step"], event["move"], event["move"]["kind"]
        branch = step.rpartition(".")[0]
        if branch:
            drawn.setdefault(branch, {"step": step})[kind] = move
        elif kind == "attack":
            attacks.append({"step": step, "again": again, kind: move})
            again = False
        else:
            attacks[-1][kind] = move
    held = [_ruled(each) for each in drawn.values()]
    missing = params.held_out - len(held)
    held += [Ruled("", "unknown")] * missing
    return Evidence(tuple(held), tuple(_proposed(said, f"{name}, step {said['step']}") for said in attacks))


def _ruled(said: Mapping[str, Any]) -> Ruled:
    draw = said.get("draw", {})
    finding: Finding = said["ruling"]["finding"] if "ruling" in said else "unknown"
    return Ruled(said["step"], finding, draw.get("text"), draw.get("stratum"))


def _proposed(said: Mapping[str, Any], where: str) -> Proposed:
    attack, step = said["attack"], said["step"]
    finding: Finding = said["ruling"]["finding"] if "ruling" in said else "unknown"
    if attack.get("log_density") is None:
        return Proposed(step, finding, attack["text"])
    if "density" not in said:  # the play ended here: less than what it was worth, whatever that is
        return Proposed(step, "unknown", attack["text"], 0.0)
    weight = weight_of(said["density"].get("log_density"), attack["log_density"], where)
    return Proposed(step, finding, attack["text"], 0.0 if said["again"] else weight)
