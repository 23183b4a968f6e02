"""What a figure is worth: exact, a bound that holds, a bound from below alone, or nothing that is promised.
Rule: the record that all bounds of this room return; how one is found is in the files beside it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

Kind = Literal["exact", "valid bound", "lower only", "none"]
"""exact: the value itself. valid bound: each side that is there holds, taken alone, with probability at least 1 - delta (1 where
delta is None); both at once with 1 - 2 delta. lower only: the value is at least `lower`, and nothing holds it from above.
none: an estimate, of which nothing is promised."""


class Bound(BaseModel):
    """What is known of a probability, or of another figure of at least 0.

    kind: see `Kind`. estimate: the figure itself where it is exact, or a guess. lower, upper: between which it lies; None where
    nothing holds it from that side; both are the figure itself where it is exact. delta: how probably a side may fail, over the draws that it was made from; None where it
    cannot. route: how it was found. assumes: what it rests on besides, as named premises.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    kind: Kind
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    delta: float | None = None
    route: str = ""
    assumes: tuple[str, ...] = ()
