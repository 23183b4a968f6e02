"""What a protocol declares about itself, as data.

Rule of this file: what is here is read by guarantee, search, documents, command line and laws; the engine runs a play
without looking at any of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import ProtocolError

DYNAMICS = ("sequential", "simultaneous", "mixed")
CLASSES = ("P", "NL", "BPP", "NP", "S2P", "PH", "PSPACE", "EXP", "NEXP", "EXPSPACE", "R", "RE")
"""The complexity classes that a protocol may claim, beside the levels of the polynomial hierarchy, "Sigma2P" and so on; each
also relative to an oracle, as "P^O"."""
_LEVEL = re.compile(r"Sigma[1-9][0-9]*P")

PREMISES: Mapping[str, str] = MappingProxyType(
    {
        "optimal-play": "every seat but the judge's plays as well as it can for what it is paid; where nobody is paid, it "
        "argues as convincingly as can be for the answer that is its own",
        "right-judge": "whatever it is asked, the judge gets right what can be checked within its bound",
        "polynomial-judge": "the judge computes in time polynomial in n; what is metered is what it reads",
        "reported-computing": "the judge computes what it reports to compute, which was held to a polynomial, and no more",
        "declared-n": "the declared n is the size of the instance; no task vouches for it",
        "copies": "each call is answered by a fresh copy, which knows nothing of other calls: no step, no seed, no memory",
        "market-right-below": "the market has converged on smaller questions: what it answers to those that are cited is true",
        "model-right-below": "what answers sub-questions was trained before, is frozen, and is right on them",
        "deep-enough": "no claim that can be objected to stands at the last level: where a line of claims must end, the judge "
        "can check the claim alone",
        "right-below": "the seat below is right on every smaller question",
        "lipschitz": "the probability of the computation's answer changes by at most K times what the oracle's answers change by",
        "promise": "the computation gives one answer with probability w or more, as the theorem promises; the verdict is "
        "then right with probability d or more, and not for sure",
    }
)
"""What a guarantee may assume besides the budget: name to what it says. Whether one is true of a play is found out elsewhere."""

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
    assumes: tuple[str, ...]
    dynamics: str
    most_repairs: int
    symmetric: bool
    zero_sum: bool
    citing: bool
    pointers: bool
    seats: Mapping[str, str] | None = None
    utility_bound: float | None = None
    most_moves: Mapping[str, int] | None = None
    full_tree_size: int | None = None


DECLARED = ("players", "name", "judge", "measure", "complexity_class", "assumes", "dynamics", "most_repairs", *FLAGS)


def declared(cls: Any) -> Metadata:
    """What a subclass of `Protocol` declares."""
    about = " ".join((cls.__doc__ or "").split("\n\n")[0].split())
    return Metadata(about=about, **{field: getattr(cls, field) for field in DECLARED})


def check(cls: Any) -> None:
    """Raise ProtocolError, naming class and field, when what a class declares makes no sense."""
    if strange := cls.unnamed.keys() - cls.model_fields.keys():
        raise ProtocolError(f"{cls.__qualname__}: unnamed says what {min(strange)!r} means, which is no parameter")
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
        case "complexity_class" if value is not None and not known_class(value):
            return f"None or one of {', '.join(CLASSES)}, or Sigma2P and so on, relative to an oracle with ^O after it"
        case "assumes" if not isinstance(value, tuple) or not all(name in PREMISES for name in value):
            return f"a tuple of premises, {', '.join(PREMISES)}"
        case "players" if not isinstance(value, tuple) or not all(isinstance(role, str) and role for role in value):
            return "a tuple of roles"
        case "most_repairs" if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            return "a whole number of at least 0"
        case _ if field in FLAGS and not isinstance(value, bool):
            return "True or False"
    return None


def known_class(name: Any) -> bool:
    """Whether a protocol may claim this class."""
    bare = str(name).removesuffix("^O")
    return bare in CLASSES or _LEVEL.fullmatch(bare) is not None


def level(moves: int) -> str:
    """The class of games of so many moves, one side's after the other's, and a polynomial judge: P, NP, Sigma2P, Sigma3P and
    so on, the levels of the polynomial hierarchy (Stockmeyer 1976)."""
    return ("P", "NP")[moves] if moves < 2 else f"Sigma{moves}P"
