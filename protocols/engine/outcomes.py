"""How a play can end. The kinds are disjoint, and only `Decided` carries a verdict: a failure is never one.

Rule of this file: data alone. What an outcome pays is said by `payoffs_of` in `base.py`, as it depends on the protocol.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from moot.protocols.engine.moves import Verdict


class _Outcome(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Decided(_Outcome):
    """The judge decided. `payoffs` maps seats to what the protocol pays them for it."""

    kind: Literal["decided"] = "decided"
    verdict: Verdict
    payoffs: dict[str, float] = {}
    step: str = ""

    def __init__(self, verdict: Verdict, payoffs: dict[str, float] | None = None, **fields: object) -> None:
        BaseModel.__init__(self, verdict=verdict, payoffs=payoffs or {}, **fields)


class Forfeited(_Outcome):
    """`seat` broke `rule` and did not mend it when asked again."""

    kind: Literal["forfeited"] = "forfeited"
    seat: str
    rule: str
    step: str = ""


class Exhausted(_Outcome):
    """`seat` would have spent `used` of `measure`, over its `limit`."""

    kind: Literal["exhausted"] = "exhausted"
    seat: str
    measure: str
    used: int | float
    limit: int | float
    step: str = ""


class Unreadable(_Outcome):
    """What came back from `seat` at `step` could not be read as a move, not even when it was told why; `reason` says what
    was wrong with it."""

    kind: Literal["unreadable"] = "unreadable"
    step: str
    seat: str
    reason: str


class Unjudged(_Outcome):
    """All was said, and nobody was asked for a verdict: the play was held to be judged later, by whoever is to."""

    kind: Literal["unjudged"] = "unjudged"


class Errored(_Outcome):
    """Something failed at `step`: an endpoint, an agent, a protocol. `cause` says what."""

    kind: Literal["errored"] = "errored"
    step: str
    cause: str


Outcome = Decided | Forfeited | Exhausted | Unreadable | Unjudged | Errored
outcome_adapter: TypeAdapter[Outcome] = TypeAdapter(Annotated[Outcome, Field(discriminator="kind")])
