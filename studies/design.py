"""The design of a study: which cells there are, as plain data that needs no agent and no question set.

Rule of this file: names, hashes and numbers; it plays nothing, and whoever has the file `study.json` can list every cell.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from moot.protocols.engine.errors import UsageError

FORMAT = 1
Both = Literal["one", "both"]


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ArmDesign(_Data):
    """One arm. fingerprint: of its protocol, parameters and agents, which its cells are addressed by; `mirrored`: the same with the
    agents of the two rival seats exchanged, None where that changes nothing or was not asked for; `rivals`: those seats. seats: who sits there, of
    whoever is asked in this arm. of: the arm whose plays it judges again; repetitions: how often, each with a seed of its own."""

    name: str
    protocol: dict[str, Any] | None = None
    seats: dict[str, str] = {}
    axes: dict[str, Any] = {}
    fingerprint: str
    mirrored: str | None = None
    rivals: tuple[str, str] | None = None
    of: str | None = None
    repetitions: int = Field(1, ge=1)
    flip: bool = False


class QuestionDesign(_Data):
    """One question: the name by which results are grouped (its id, or its text), the hash of its content, and its strata."""

    name: str
    fingerprint: str
    tags: dict[str, Any] = {}


@dataclass(frozen=True, slots=True)
class Cell:
    """One play to be had. arm, question: their places in the design. epoch, repetition: from 0. swapped: the agents of the
    rival seats are exchanged. flip: the answers are listed in the other order. parent: the key of the play that it judges again. key:
    what it is addressed by; seed: of its play, or of what is drawn in judging it again."""

    key: str
    arm: int
    question: int
    epoch: int
    seed: int
    swapped: bool = False
    flip: bool = False
    repetition: int = 0
    parent: str | None = None

    @property
    def path(self) -> str:
        """Where its transcript lies in the folder of the study."""
        return f"cells/{self.key[:2]}/{self.key}.jsonl"


class Design(_Data):
    """What a study is made of. left_out: keys of cells that its filter leaves out. frozen: what is held fast (`Study.freeze`)."""

    format: int = FORMAT
    name: str
    seed: int = 0
    arms: tuple[ArmDesign, ...]
    questions: tuple[QuestionDesign, ...]
    epochs: int = Field(1, ge=1)
    flips: Both = "one"
    left_out: frozenset[str] = frozenset()
    gates: tuple[dict[str, Any], ...] = ()
    frozen: dict[str, Any] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Design:
        known = set[str]()
        for arm in self.arms:
            if arm.name in known or (arm.of is not None and arm.of not in known):
                raise ValueError(f"arm {arm.name!r} is there twice, or judges the plays of no arm before it")
            known.add(arm.name)
        return self

    @cached_property
    def places(self) -> dict[str, int]:
        """Arm to its place, by name."""
        return {arm.name: place for place, arm in enumerate(self.arms)}

    @cached_property
    def derived(self) -> dict[int, list[int]]:
        """Arm to the arms that judge its plays again, by place."""
        found: dict[int, list[int]] = {}
        for place, arm in enumerate(self.arms):
            if arm.of is not None:
                found.setdefault(self.places[arm.of], []).append(place)
        return found

    def first(self) -> Iterator[Cell]:
        """The cells that are played from their beginning, question by question, so that all arms grow together."""
        plain = [(place, arm) for place, arm in enumerate(self.arms) if arm.of is None]
        flips = (False, True) if self.flips == "both" else (False,)
        for number, question in enumerate(self.questions):
            for epoch in range(self.epochs):
                seed = derived_seed(self.seed, question.name, epoch)
                for place, arm in plain:
                    for flip in flips:
                        for swapped in (False, True) if arm.mirrored is not None else (False,):
                            whose = arm.mirrored if swapped else arm.fingerprint
                            key = hashed("cell", whose, question.fingerprint, seed, flip)
                            if key not in self.left_out:
                                yield Cell(key, place, number, epoch, seed, swapped, flip)

    def after(self, cell: Cell) -> Iterator[Cell]:
        """The cells that judge this one again."""
        for place in self.derived.get(cell.arm, ()):
            arm = self.arms[place]
            for repetition in range(arm.repetitions):
                seed = derived_seed(cell.seed, "again", repetition)
                key = hashed("again", arm.fingerprint, cell.key, seed)
                if key not in self.left_out:
                    yield Cell(
                        key, place, cell.question, cell.epoch, seed, cell.swapped, cell.flip, repetition, cell.key
                    )

    def cells(self) -> Iterator[Cell]:
        """Every cell: each of the first, then those that judge it again."""
        waiting = [iter(self.first())]
        while waiting:
            if (cell := next(waiting[-1], None)) is None:
                waiting.pop()
                continue
            yield cell
            waiting.append(iter(self.after(cell)))

    def seats(self, place: int, swapped: bool) -> dict[str, str]:
        """Who sits where in the cells of an arm: seat to name, those among them who are taken from the plays that it judges again."""
        arm, own = self.arms[place], dict(self.arms[place].seats)
        if swapped and arm.rivals is not None:
            one, other = arm.rivals
            own[one], own[other] = own[other], own[one]
        return own if arm.of is None else self.seats(self.places[arm.of], swapped) | own

    @property
    def size(self) -> int:
        """How many cells there are, counted without making one where nothing is left out."""
        if self.left_out:
            return sum(1 for _ in self.cells())
        per = [0] * len(self.arms)
        for place, arm in enumerate(self.arms):
            if arm.of is None:
                per[place] = (2 if self.flips == "both" else 1) * (1 if arm.mirrored is None else 2)
        order = [place for place, arm in enumerate(self.arms) if arm.of is None]
        for place in order:  # grows while it is walked
            for again in self.derived.get(place, ()):
                per[again] = per[place] * self.arms[again].repetitions
                order.append(again)
        return sum(per) * len(self.questions) * self.epochs

    @cached_property
    def digest(self) -> str:
        """A hash of the whole design, apart from what is frozen of it: the same in every process, and where a later version adds a
        field that this design does not use."""
        told = self.model_dump(mode="json", exclude={"frozen", "left_out", "format"}, exclude_defaults=True)
        return hashed("design", told, sorted(self.left_out))  # a set has another order in every process

    def text(self) -> str:
        """As it stands in `study.json`."""
        told: dict[str, Any] = self.model_dump(mode="json", exclude_defaults=True) | {"format": FORMAT}
        lists: dict[str, list[Any]] = {name: told.pop(name) for name in ("arms", "questions")}
        told.pop("left_out", None)
        lists["left_out"] = sorted(self.left_out)
        head = json.dumps(told, ensure_ascii=False, indent=1).removesuffix("\n}")
        rows = ((name, ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in of)) for name, of in lists.items())
        return head + "".join(f',\n "{name}": [\n  {body}\n ]' for name, body in rows) + "\n}\n"

    @classmethod
    def read(cls, text: str, where: str) -> Design:
        """The design in a file. Raises UsageError where it is none, or of a later version."""
        try:
            found = json.loads(text)
            if isinstance(found, dict) and isinstance(found.get("format"), int) and found["format"] > FORMAT:
                raise UsageError(f"{where} was written by a later version of moot (format {found['format']})")
            design = cls.model_validate(found)
            if design.frozen is not None and design.frozen.get("design") != hashed(design.digest):
                raise UsageError(
                    f"{where} was frozen {design.frozen.get('at', '')}, and has been changed since: put it back"
                )
            return design
        except (ValueError, ValidationError) as error:
            what = (
                error.errors()[0]["msg"].removeprefix("Value error, ")
                if isinstance(error, ValidationError)
                else str(error)
            )
            raise UsageError(f"{where} is no design of a study: {what}") from None


def derived_seed(seed: int, *of: Any) -> int:
    """The seed of a play, of which that of the study and the numbers that it gives its seats tell nothing."""
    text = "/".join(map(str, (seed, *of)))
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=4).digest(), "big")


def plain(value: Any, what: str) -> None:
    """Raise UsageError on what no file holds: no JSON value, half a surrogate pair, a number that is not finite."""
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"{what} is {value!r:.80}, which no file holds: {error}") from None


def hashed(*values: Any) -> str:
    """A hash of JSON values, 16 bytes in hex."""
    text = json.dumps(values, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def axes_of(axes: Mapping[str, Any]) -> str:
    """Axes as the name of an arm: "debate, judge=small"."""
    first = [str(axes["protocol"])] if "protocol" in axes else []
    return ", ".join((*first, *(f"{name}={value}" for name, value in axes.items() if name != "protocol")))
