"""What a figure is worth: exact, a bound that holds, a bound from below alone, or nothing that is promised.
Rule: the record that all bounds of this room return; how one is found is in the files beside it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from moot.protocols.engine.errors import UsageError

Kind = Literal["exact", "valid bound", "lower only", "none"]
"""exact: the value itself. valid bound: each side that is there holds, taken alone, with probability at least 1 - delta (1 where
delta is None); both at once with 1 - 2 delta. lower only: the value is at least `lower`, and nothing holds it from above.
none: an estimate, of which nothing is promised."""


class Bound(BaseModel):
    """What is known of a probability, or of another figure of at least 0.

    kind: see `Kind`. estimate: the figure itself where it is exact, or a guess. lower, upper: between which it lies; None where
    nothing holds it from that side; both are the figure itself where it is exact. delta: how probably a side may fail, over the draws that it was made from; None where it
    cannot. route: how it was found. assumes: what it rests on besides, as named premises. Raises UsageError on sides that its kind
    does not have, so that no figure says more than its kind promises.
    """

    model_config = ConfigDict(frozen=True, ser_json_inf_nan="strings")
    kind: Kind
    estimate: float | None = None
    lower: float | None = None
    upper: float | None = None
    delta: float | None = None
    route: str = ""
    assumes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _sides(self) -> Self:
        lower, upper, kind = self.lower, self.upper, self.kind
        given = [name for name, side in (("lower", lower), ("upper", upper)) if side is not None]
        allowed = {"lower only": {"lower"}, "none": set[str]()}.get(kind, {"lower", "upper"})
        if extra := [name for name in given if name not in allowed]:
            raise UsageError(
                f"a bound of kind {kind!r} has an {extra[0]} side, which it does not promise; leave it out"
            )
        if kind == "exact" and (lower is None or lower != upper):
            raise UsageError(f"an exact figure lies between {lower} and {upper}: give it as both sides")
        if any(not side >= 0 for side in (lower, upper) if side is not None):
            raise UsageError(f"a bound lies between {lower} and {upper}; give numbers of at least 0")
        return self


def upper_of(bound: Bound) -> float:
    """What a figure is at most, for whoever certifies by it. Raises UsageError for what holds nothing from above: a kind that does
    not promise it, or a side that is not there."""
    if not isinstance(bound, Bound):
        raise UsageError(f"an upper bound is {bound!r:.80}; give a Bound, which says how it was found")
    if bound.kind not in ("exact", "valid bound") or bound.upper is None:
        raise UsageError(
            f"{bound.route or bound.kind} holds nothing from above (its kind is {bound.kind!r}); give a valid upper bound, "
            "such as clopper_pearson of fresh draws"
        )
    return bound.upper
