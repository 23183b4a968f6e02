"""A panel of judges that decides as one: several judges, or several samples of one.

Rule of this file: it combines verdicts, and gives none of its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import ValidationError

from moot.agents.base import Wrapper, act_of, describe, reply_of, together
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import copy_of
from moot.protocols.engine.errors import AgentError, UsageError, first_problem
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.market.moves import Stands
from moot.protocols.scoring import pooled

Rule = Literal["mean", "median", "vote"]
MOST = 1000  # samples of each member


class Panel(Wrapper):
    """Several judges in one seat, each asked `samples` times; their verdicts are combined by `rule`. `Panel(lm, samples=5)`
    is five samples of one model, and so is a panel that names it five times.

    mean: of the probabilities. median: per choice, then renormalised. vote: each verdict gives its most probable choice
    one vote, shared equally among ties. Any call that fails fails the panel: a missing verdict is not a vote.
    Members may only be asked for verdicts, and whether a price stands: it does when more than half of the answers say so,
    and otherwise those decide whom something moved.

    Each call has a seed of its own, which follows from the step's and its number: member by member for the first sample,
    then for the second. The first has the step's own seed, so that k samples of one judge are the first k of k + 1. Each
    call reads what it is shown for itself, and is charged for it. What each said is kept as an event "combined", and the
    attempts of models are noted with their `sample`. Samples of `Copies(agent)` are all the same.
    Raises UsageError without members, and for another rule or number.
    """

    def __init__(self, *members: Any, samples: int = 1, rule: Rule = "mean") -> None:
        if not members:
            raise UsageError("a panel needs members")
        if isinstance(samples, bool) or not isinstance(samples, int) or not 1 <= samples <= MOST:
            raise UsageError(f"a panel: samples is {samples!r}; it must be a whole number from 1 to {MOST:,}")
        if rule not in ("mean", "median", "vote"):
            raise UsageError(f"a panel decides by mean, median or vote, not by {rule!r}")
        self.rule: Rule = rule
        self.samples = samples
        self.held = self.members = tuple(map(seatable, members))

    async def act(self, request: Request) -> Move:
        """What the members say, combined. Raises AgentError where it is asked for anything but a verdict or a member gave none,
        and whatever a member raises."""
        if Verdict not in request.kinds:
            raise AgentError(f"step {request.step}: a panel gives verdicts; it was asked for {request.kinds}")
        members = self.members * self.samples
        asked = [
            copy_of(request, "sample", index, view=request.view.then() if index else request.view)
            for index in range(len(members))
        ]
        given = await verdicts_of(members, asked)
        request.note({"event": "combined", "rule": self.rule, "verdicts": [on_record(each) for each in given]})
        return joined(given, self.rule, request.step)

    def identity(self) -> dict[str, Any] | None:
        return composed(*self.members, agent="panel", rule=self.rule, **self._samples())

    def describe(self) -> dict[str, Any]:
        members = [describe(member) for member in self.members]
        return {"agent": "panel", "rule": self.rule, **self._samples(), "members": members}

    def _samples(self) -> dict[str, int]:
        return {} if self.samples == 1 else {"samples": self.samples}


async def verdicts_of(judges: Sequence[Any], asked: Sequence[Request]) -> list[Verdict | Stands]:
    """What each judge says to its request, all asked at the same time. Raises AgentError where one gives no verdict, or those
    are over different numbers of choices, and whatever a judge raises."""
    said: list[Verdict | Stands | None] = [None] * len(judges)

    async def one(index: int) -> None:
        request = asked[index]
        reply = await reply_of(act_of(judges[index]), request)
        try:
            said[index] = _said(reply, Stands in request.kinds)
        except ValidationError as error:
            problem = first_problem(error, "it")
            raise AgentError(f"step {request.step}: member {index + 1} gave no verdict: {problem}") from None

    await together([partial(one, index) for index in range(len(judges))])
    given = [each for each in said if each is not None]
    if len({len(each.probabilities) for each in given if isinstance(each, Verdict)}) > 1:
        raise AgentError(f"step {asked[0].step}: the panel's verdicts are over different numbers of choices")
    return given


def joined(given: Sequence[Verdict | Stands], rule: Rule, step: str, names: Sequence[str] = ()) -> Verdict | Stands:
    """Several answers as one. names: what each is called in the joint text, by default its number from 1."""
    unmoved = [said for said in given if isinstance(said, Stands)]
    if len(unmoved) * 2 > len(given):
        return Stands(text="\n\n".join(said.text for said in unmoved if said.text))
    called = names or [str(place) for place in range(1, len(given) + 1)]
    verdicts = [(name, each) for name, each in zip(called, given, strict=True) if isinstance(each, Verdict)]
    words = "\n\n".join(f"[{name}] {verdict.text}" for name, verdict in verdicts if verdict.text)
    found = [verdict for _, verdict in verdicts]
    return Verdict(
        probabilities=combined(found, rule), text=words, end=sum(each.end for each in found) * 2 > len(found)
    )


def on_record(said: Verdict | Stands) -> dict[str, Any]:
    """One answer of several, as an event keeps it."""
    return said.model_dump(mode="json", exclude_defaults=True) | {"kind": said.kind}


def _said(reply: Any, may_stand: bool) -> Verdict | Stands:
    """What a member said, as a move. Raises ValidationError when it is none of these."""
    kind = reply.get("kind") if isinstance(reply, Mapping) else None
    if may_stand and (isinstance(reply, Stands) or kind == "stands"):
        return Stands.model_validate(reply)
    return reply if isinstance(reply, Verdict) else Verdict.model_validate(reply)


def combined(verdicts: list[Verdict], rule: str) -> tuple[float, ...]:
    """The probabilities of several verdicts over the same choices, as one distribution."""
    if rule != "vote":
        return pooled([verdict.probabilities for verdict in verdicts], "median" if rule == "median" else "mean")
    weights = [0.0] * len(verdicts[0].probabilities)
    for verdict in verdicts:
        best = max(verdict.probabilities)
        for index, p in enumerate(verdict.probabilities):
            weights[index] += (p == best) / verdict.probabilities.count(best)
    total = sum(weights)
    return tuple(weight / total for weight in weights)


class PanelKind(JudgeKind):
    """Several agents that judge as one."""

    name: ClassVar[str] = "panel"
    form: ClassVar[str | None] = "panel:AGENT,AGENT"
    members: list[Held]
    samples: int = 1
    rule: Rule = "mean"

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        return {"members": text.split(",")} if text else {}

    def make(self) -> Panel:
        return Panel(*self.members, samples=self.samples, rule=self.rule)

    def profile(self) -> Profile:
        return Profile.asking(*((each, self.samples) for each in self.members), joined=True)


class SamplesKind(JudgeKind):
    """Several samples of one agent, which judge as one."""

    name: ClassVar[str] = "samples"
    form: ClassVar[str | None] = "samples:NUMBER:AGENT"
    k: int
    of: Held
    rule: Rule = "mean"

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        number, _, agent = text.partition(":")
        if not (number.isdecimal() and number.isascii() and agent):
            raise UsageError(f"samples:{text} is none; write {cls.form}, as in samples:5:local")
        return {"k": int(number), "of": agent}

    def make(self) -> Panel:
        return Panel(self.of, samples=self.k, rule=self.rule)

    def profile(self) -> Profile:
        return Profile.asking((self.of, self.k), joined=True)
