"""What a study says of the people who judge in it: data, from a table `[judging]` or a file of its own.

Rule of this file: what may be said, and what it means; who does it stands elsewhere.

    people = ["ann", "bob"]              # or a number: p1, p2, …
    consent = "consent.md"               # Markdown; nobody goes on without agreeing
    instructions = "instructions.md"
    practice = "practice"                # a folder of recorded plays, judged again; feedback is given, nothing counts
    feedback = "each"                    # none (the default), each: the right answer after each play; end: after the last one
    judgements = 2                       # of a folder of plays: how many people judge each
    most = 20                            # plays for one person
    opening = "each"                     # statements are opened one by one and paid for; "all": as soon as they are there
    away = "stops"                       # what a bounded seat's clock does while no page is open; or "runs"

    [pay]                                # what a judge earns: base + per_point * the reward of the scoring rule, for each judged play
    base = 0.50
    per_point = 1.0
    least = 0.0                          # of one play, whatever the rule says
    currency = "GBP"
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from moot.agents.people.browser import Away
from moot.protocols.engine.errors import UsageError, first_problem, near

LONGEST = 1 << 18
"""The most characters of a Markdown page."""
CROWD = 10_000
"""The most people."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")


class Pay(BaseModel):
    """What a judge earns for one judged play: base + per_point * reward, at least `least`, at most `most`. An unknown reward (no truth, an
    undecided play) is no payment of this rule: it is reported as unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    base: float = Field(default=0.0, allow_inf_nan=False)
    per_point: float = Field(default=1.0, allow_inf_nan=False, ge=0)
    least: float = Field(default=0.0, allow_inf_nan=False)
    most: float | None = Field(default=None, allow_inf_nan=False)
    currency: str = Field(default="", max_length=8)

    def of(self, reward: float) -> float:
        """The payment for a reward, which may be -inf."""
        paid = self.base + (self.per_point * reward if self.per_point else 0.0)
        paid = self.least if math.isnan(paid) else max(self.least, paid)
        return paid if self.most is None else min(self.most, paid)


class Rules(BaseModel):
    """What is said in the table. consent, instructions: the Markdown itself, once read; practice: a folder."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    people: tuple[str, ...] = ()
    consent: str | None = None
    instructions: str | None = None
    practice: Path | None = None
    feedback: Literal["none", "each", "end"] = "none"
    judgements: int = Field(default=1, ge=1, le=1000)
    most: int | None = Field(default=None, ge=1)
    opening: Literal["each", "all"] | None = None
    away: Away = "stops"
    pay: Pay | None = None

    @field_validator("people", mode="before")
    @classmethod
    def _people(cls, given: Any) -> Any:
        if type(given) is int:
            if not 1 <= given <= CROWD:
                raise ValueError(f"{given} is no number of people: from 1 to {CROWD:,}")
            return tuple(f"p{number}" for number in range(1, given + 1))
        return tuple(given) if isinstance(given, list) else given

    @field_validator("people")
    @classmethod
    def _named(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for name in given:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name: up to 40 letters, digits and _ . -, as it stands in links and files"
                )
        if len(set(map(str.lower, given))) < len(given):
            raise ValueError("two people have the same name")
        return given


def rules_from(told: Mapping[str, Any], folder: Path, where: str) -> Rules:
    """The rules of a table. folder: what its files are relative to. Raises UsageError, naming `where` and the key."""
    told = dict(told)
    if unknown := next((key for key in told if key not in Rules.model_fields), None):
        raise UsageError(f"{where}: {unknown} is no key{near(unknown, [*Rules.model_fields])}")
    for key in ("consent", "instructions"):
        if isinstance(told.get(key), str):
            told[key] = _text(folder / told[key], f"{where}: {key}")
    if isinstance(told.get("practice"), str):
        told["practice"] = folder / told["practice"]
        if not told["practice"].is_dir():
            raise UsageError(f"{where}: practice: there is no folder {told['practice']}")
    try:
        return Rules.model_validate(told)
    except ValidationError as error:
        raise UsageError(f"{where}: {first_problem(error)}") from None


def rules_in(path: Path) -> Rules:
    """The rules of a TOML file of their own. Raises UsageError."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    return rules_from(told, path.parent, str(path))


def _text(path: Path, where: str) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{where}: cannot read {path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > LONGEST:
        raise UsageError(f"{where}: {path} has {len(text):,} characters; a page has at most {LONGEST:,}")
    return text
