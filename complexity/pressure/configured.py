"""What a recorded configuration allows in one ask: how often it may draw from the anchor, and what it may make of an outcome.
Rule: descriptions of agents in, bounds out, by the rules of composition; what was played is in `ledger.py`.

Every wrapper that picks one of several draws is bounded by one rule (docs/pressure.md): an outcome becomes at most so many times
as probable as there are draws. Wrappers inside each other multiply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from moot.protocols.engine.request import Request

DEEPEST = 64
"""Descriptions nested deeper than this are not followed."""
MODELS = ("lm", "local")
"""Agents whose description says which model they are. A program's says its name alone."""


@dataclass(frozen=True, slots=True)
class Anchor:
    """What is known to be safe, as the accounting knows it.

    policy: from a request to its moves with probabilities (a mapping, or pairs); None where it states none. about: how it is recorded
    when it sits in a seat (`describe`); fingerprint: the hash of its identity. name: for messages. scores: from a request to an object
    with `logprobs`, one for each token of what was recorded there, or None; None where it scores none.
    """

    policy: Callable[[Request], Any] | None = None
    about: Mapping[str, Any] | None = None
    fingerprint: str | None = None
    name: str = "the anchor"
    scores: Callable[[Request], Any] | None = None


class Layer(NamedTuple):
    """A wrapper that picks among draws, and notes each choice. least: how many of the best it picks from. checked: whether it draws
    for moves of every kind, one after another, and not for those alone that argue."""

    draws: int
    least: int
    checked: bool

    @property
    def ratio(self) -> float:
        return self.draws / self.least


@dataclass(frozen=True, slots=True)
class Allowed:
    """What one ask may come to. draws: the most draws from the anchor; ratio: the most by which an outcome becomes more probable than
    under it; both None where nothing bounds them, and then why says what stands in the way. known: how the agent that is drawn
    from was found to be the anchor, "identity", "description" or "stated". layers: the wrappers that note a choice, the outermost
    first."""

    draws: int | None
    ratio: float | None
    known: str = ""
    why: str = ""
    layers: tuple[Layer, ...] = ()


def allowed(about: Any, fingerprint: str | None, anchor: Anchor, stated: bool) -> Allowed:
    """What the agent that a record describes may make of the anchor in one ask. fingerprint: of that agent, where it is recorded.
    stated: whether somebody says that its innermost agent is the anchor; the record is believed where it says otherwise."""
    draws, ratio, layers = 1, 1.0, list[Layer]()
    for _ in range(DEEPEST):
        if not isinstance(about, Mapping):
            return Allowed(None, None, why="nothing is recorded of who sat there")
        if known := _same(about, fingerprint, anchor):
            return Allowed(draws, ratio, known, layers=tuple(layers))
        kind, refuted = str(about.get("agent")), _refuted(about, fingerprint, anchor)
        if stated and refuted is None and (kind not in _PICKED or anchor.about is not None):
            return Allowed(draws, ratio, "stated", layers=tuple(layers))
        if kind not in _PICKED:
            return Allowed(None, None, why=(stated and refuted) or _unbounded(about, anchor))
        layer, members, prints = _layer(about, *_PICKED[kind]), about.get("members"), about.get("fingerprints")
        if layer is None or not isinstance(members, Sequence) or len(members) != 1:
            return Allowed(None, None, why=f"what is recorded of {kind} does not say how often it draws")
        if layer.checked or layer.draws > 1:
            layers.append(layer)
        draws, ratio = draws * layer.draws, ratio * layer.ratio
        about, fingerprint = members[0], prints[0] if isinstance(prints, Sequence) and len(prints) == 1 else None
    return Allowed(None, None, why=f"its description is nested deeper than {DEEPEST}")


def _layer(about: Mapping[str, Any], draws: str, least: str) -> Layer | None:
    """What a wrapper may come to, by the fields that say so; None where they do not. Wrappers take no number above `MOST`."""
    found = [about.get(draws), about.get(least) if least else 1]
    n, k = (each if isinstance(each, int) and not isinstance(each, bool) else 0 for each in found)
    return Layer(n, k, draws == "tries") if 1 <= k <= n <= MOST else None


MOST = 10_000
"""As many candidates as a wrapper may draw at the most."""
_PICKED = {"best-of": ("n", ""), "quantilized": ("n", "k"), "conditioned": ("tries", "")}
"""Wrappers that pick among draws: the fields that say among how many, and of how many of the best each is as probable."""

BOUNDED = "the seat was bounded: what a draw may still spend depends on the draws before it, so that they are not the anchor's"
_WHY = {
    "critique-and-refine": "no bound is known of critique and refine: its last draw is from another prompt than the anchor's, "
    "with a draft and a critique in it",
    "briefed": "its notes are no part of the anchor's prompt; take the briefed agent itself as the anchor",
    "copies": "copies give the same answer to equal requests; take them, as they are, as the anchor",
}


def _unbounded(about: Mapping[str, Any], anchor: Anchor) -> str:
    if problem := about.get("problem"):
        return str(problem)
    kind = about.get("agent")
    name = about.get("name") if kind == "program" else about.get("model", kind)
    return _WHY.get(str(kind), f"{name} is not {anchor.name}, and nothing bounds how far it is from it")


def _same(about: Mapping[str, Any], fingerprint: str | None, anchor: Anchor) -> str:
    """How a described agent is known to be the anchor; "" where it is not."""
    if about.get("problem"):
        return ""
    if fingerprint is not None and anchor.fingerprint is not None:
        return "identity" if fingerprint == anchor.fingerprint else ""
    known = anchor.about is not None and about.get("agent") in MODELS and _told(about) == _told(anchor.about)
    return "description" if known else ""


def _refuted(about: Mapping[str, Any], fingerprint: str | None, anchor: Anchor) -> str | None:
    """What in the record says that an agent is not the anchor; None where nothing does."""
    if about.get("problem"):
        return str(about["problem"])
    printed = fingerprint is not None and anchor.fingerprint is not None  # and they differ, or it would be known
    if not printed and anchor.about is not None and _told(about) == _told(anchor.about):
        return None
    if str(about.get("agent")) in _WHY:
        return _WHY[str(about["agent"])]
    if printed:
        return f"its recorded identity is another than that of {anchor.name}"
    if anchor.about is not None and about.get("agent") == anchor.about.get("agent") != "program":
        own, other = _told(about), _told(anchor.about)
        differs = ", ".join(sorted(each for each in own.keys() | other.keys() if own.get(each) != other.get(each)))
        return f"it is recorded with another {differs} than that of {anchor.name}"
    if anchor.about is not None:
        return f"it is recorded as {about.get('name') or about.get('model') or about.get('agent')}, which is not {anchor.name}"
    return None


def _told(about: Mapping[str, Any]) -> dict[str, Any]:
    """What a description says of an agent's answers: neither what they cost, nor what is kept of them, nor a budget."""
    return {
        name: value for name, value in about.items() if name not in ("prices", "bound", "headers", "profile", "stream")
    }
