"""What a protocol declares about itself, as data.

Rule of this file: what is here is read by guarantee, search, documents, command line and laws; the engine runs a play
without looking at any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import ProtocolError

DYNAMICS = ("sequential", "simultaneous", "mixed")
CLASSES = ("P", "BPP", "NP", "PH", "PSPACE", "EXP", "NEXP", "EXPSPACE", "R", "RE")
"""The complexity classes that a protocol may claim; each also relative to an oracle, as "P^O"."""

FLAGS = ("symmetric", "zero_sum", "citing", "pointers")


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a protocol declares (see `Protocol`), and, where a question is given, what it says about a play on it: `seats`
    (seat to role), `utility_bound`, `most_moves` and `full_tree_size`, None where it says nothing."""

    name: str
    about: str
    players: tuple[str, ...]
    judge: str
    measure: str
    complexity_class: str | None
    dynamics: str
    symmetric: bool
    zero_sum: bool
    citing: bool
    pointers: bool
    seats: Mapping[str, str] | None = None
    utility_bound: float | None = None
    most_moves: Mapping[str, int] | None = None
    full_tree_size: int | None = None


DECLARED = ("players", "name", "judge", "measure", "complexity_class", "dynamics", *FLAGS)


def declared(cls: Any) -> Metadata:
    """What a subclass of `Protocol` declares."""
    about = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
    return Metadata(about=about, **{field: getattr(cls, field) for field in DECLARED})


def check(cls: Any) -> None:
    """Raise ProtocolError, naming class and field, when what a class declares makes no sense."""
    for field in DECLARED:
        if field in cls.model_fields:
            raise ProtocolError(f"{cls.__qualname__}: {field} is a parameter; declare it as a ClassVar instead")
        if (wanted := _problem(field, getattr(cls, field), cls)) is not None:
            raise ProtocolError(f"{cls.__qualname__}: {field} is {getattr(cls, field)!r}; it must be {wanted}")


def _problem(field: str, value: Any, cls: Any) -> str | None:
    """What the value must be instead; None when it may stay."""
    match field:
        case "name" | "judge" if not isinstance(value, str) or not value.strip():
            return "a text that is not empty"
        case "judge" if cls.players and value not in cls.players:
            return f"one of the players {', '.join(cls.players)}"
        case "measure" | "dynamics" if value not in (known := MEASURES if field == "measure" else DYNAMICS):
            return f"one of {', '.join(known)}"
        case "complexity_class" if value is not None and str(value).removesuffix("^O") not in CLASSES:
            return f"None or one of {', '.join(CLASSES)}, relative to an oracle with ^O after it"
        case "players" if not isinstance(value, tuple) or not all(isinstance(role, str) and role for role in value):
            return "a tuple of roles"
        case _ if field in FLAGS and not isinstance(value, bool):
            return "True or False"
    return None
