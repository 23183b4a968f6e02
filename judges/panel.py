"""A panel of judges that decides as one.

Rule of this file: it combines verdicts, and gives none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from statistics import median
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from moot.agents.base import Wrapper, act_of, describe, reply_of, together
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind
from moot.agents.spec import seatable
from moot.protocols.engine.errors import AgentError, UsageError, first_problem
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.market.moves import Stands

Rule = Literal["mean", "median", "vote"]


class Panel(Wrapper):
    """Several judges in one seat. Each sees the request; their verdicts are combined by `rule`.

    mean: of the probabilities. median: per choice, then renormalised. vote: each judge gives its most probable choice
    one vote, shared equally among ties. Any member that fails fails the panel: a missing verdict is not a vote.
    Members may only be asked for verdicts, and whether a price stands: it does when more than half of them say so, and
    otherwise those decide whom something moved. Raises UsageError without members.
    """

    def __init__(self, *members: Any, rule: Rule = "mean") -> None:
        if not members:
            raise UsageError("a panel needs members")
        if rule not in ("mean", "median", "vote"):
            raise UsageError(f"a panel decides by mean, median or vote, not by {rule!r}")
        self.rule = rule
        self.held = self.members = tuple(map(seatable, members))

    async def act(self, request: Request) -> Move:
        if Verdict not in request.kinds:
            raise AgentError(f"step {request.step}: a panel gives verdicts; it was asked for {request.kinds}")
        verdicts: list[Verdict | Stands | None] = [None] * len(self.members)

        async def one(index: int) -> None:
            reply = await reply_of(act_of(self.members[index]), request)
            try:
                verdicts[index] = _said(reply, Stands in request.kinds)
            except ValidationError as error:
                problem = first_problem(error, "it")
                raise AgentError(f"step {request.step}: member {index + 1} gave no verdict: {problem}") from None

        await together([partial(one, index) for index in range(len(self.members))])
        unmoved = [said for said in verdicts if isinstance(said, Stands)]
        if len(unmoved) * 2 > len(verdicts):
            return Stands(text="\n\n".join(said.text for said in unmoved if said.text))
        given = [verdict for verdict in verdicts if isinstance(verdict, Verdict)]
        if len({len(verdict.probabilities) for verdict in given}) != 1:
            raise AgentError(f"step {request.step}: the panel's verdicts are over different numbers of choices")
        words = "\n\n".join(f"[{index + 1}] {verdict.text}" for index, verdict in enumerate(given) if verdict.text)
        ends = sum(verdict.end for verdict in given) * 2 > len(given)
        return Verdict(probabilities=combined(given, self.rule), text=words, end=ends)

    def identity(self) -> dict[str, Any] | None:
        return composed(*self.members, agent="panel", rule=self.rule)

    def describe(self) -> dict[str, Any]:
        return {"agent": "panel", "rule": self.rule, "members": [describe(member) for member in self.members]}


def _said(reply: Any, may_stand: bool) -> Verdict | Stands:
    """What a member said, as a move. Raises ValidationError when it is none of these."""
    kind = reply.get("kind") if isinstance(reply, Mapping) else None
    if may_stand and (isinstance(reply, Stands) or kind == "stands"):
        return Stands.model_validate(reply)
    return reply if isinstance(reply, Verdict) else Verdict.model_validate(reply)


def combined(verdicts: list[Verdict], rule: str) -> tuple[float, ...]:
    """The probabilities of several verdicts over the same choices, as one distribution."""
    columns = list(zip(*(verdict.probabilities for verdict in verdicts), strict=True))
    weights: list[float] = list(map(median if rule == "median" else sum, columns))
    if rule == "vote":
        weights = [0.0] * len(columns)
        for verdict in verdicts:
            best = max(verdict.probabilities)
            for index, p in enumerate(verdict.probabilities):
                weights[index] += (p == best) / verdict.probabilities.count(best)
    if not sum(weights):
        weights = list(map(sum, columns))
    total = sum(weights)
    return tuple(weight / total for weight in weights)


class PanelKind(JudgeKind):
    """Several agents that judge as one."""

    name: ClassVar[str] = "panel"
    form: ClassVar[str | None] = "panel:AGENT,AGENT"
    members: list[Held]
    rule: Rule = "mean"

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        return {"members": text.split(",")} if text else {}

    def make(self) -> Panel:
        return Panel(*self.members, rule=self.rule)
