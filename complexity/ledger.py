"""The ledger of a play, counted: one pass over its events.

Rule of this file: it counts, builds no graph, and matches on events alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from moot.complexity.play import ROOT, Scopes, reads_in
from moot.complexity.questions import QuestionGraph
from moot.complexity.spending import Ledger, Questions, Size, Spending
from moot.protocols.engine.moves import Move, move_class
from moot.protocols.recorded import import_moves_of, recorded_move

_USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost")


def ledger_of(events: Iterable[Mapping[str, Any]]) -> Ledger:
    """Fold events into a ledger, in one pass and without building a graph."""
    started: Mapping[str, Any] | None = None
    seats: dict[str, Any] = {}
    bounds: dict[str, Any] = {}
    tree, flips = SimpleNamespace(**dict(Size())), 0
    flying: dict[str, str] = {}
    reported: set[str] = set()
    seen: set[tuple[str, str]] = set()
    place: dict[str, tuple[int, int]] = {ROOT: (0, 0)}
    children: dict[str, int] = {}
    scopes = Scopes()
    graph, root = QuestionGraph(), ""
    charged: Mapping[str, Any] | None = None
    for event in events:
        name = event["event"]
        if name == "started":
            started, root = event, event["question"]["text"]
            import_moves_of(event["protocol"]["name"])
            bounds = event.get("bounds") or {}
            seats = {seat: SimpleNamespace(**dict(Spending())) for seat in event["roles"]}  # quickly set
        elif name == "asked":
            if event["step"] in flying:
                _lose(seats[event["seat"]])
            flying[event["step"]] = event["seat"]
        elif name == "capped":  # it was not made
            flying.pop(event["step"], None)
        elif name == "attempted":
            reported.add(event["step"])
            _attempt(seats[event["seat"]], event)
        elif name in ("moved", "rejected"):
            spending, meta = seats[event["seat"]], event["meta"]
            if flying.pop(event["step"], None) is not None and event["step"] not in reported:
                _unknown(spending)  # it was awaited and did not say what it took
            reported.discard(event["step"])
            spending.calls += 1
            spending.recorded += bool(meta.get("recorded"))
            spending.rejected += name == "rejected"
            _read(spending, event, bounds)
            if (computed := (meta.get("spent") or {}).get("computes")) is not None:
                spending.computes = (spending.computes or 0) + computed
            seconds = meta.get("seconds", 0.0)
            spending.seconds += seconds
            spending.longest = max(spending.longest, seconds)
            if name == "moved":
                _ask(graph, event["move"], root)
            if name == "moved" and "under" in event:
                _grow(tree, event, place, children, scopes, seen)
        elif name == "charged":
            if event["measure"] == "queries" and event["seat"] in seats:
                seats[event["seat"]].queries += event["amount"]
                charged = event
        elif name == "ended":  # what crossed the limit was refused, and not spent
            outcome = event["outcome"]
            if charged is not None and outcome["kind"] == "exhausted" and outcome["step"] == charged["step"]:
                seats[charged["seat"]].queries -= charged["amount"]
        elif name == "flipped":
            flips += 1
        elif name == "failed":
            if flying.pop(event["step"], None) is not None and event["step"] not in reported:
                _unknown(seats[event["seat"]])
            _read(seats[event["seat"]], event, bounds)
        elif name == "entered":
            parent = scopes.of(event["step"])
            scopes.add(event["step"])
            fake = {"step": event["step"], "under": parent, "size": 0, "move": event["question"], "seat": ""}
            _grow(tree, fake, place, children, scopes, seen)
    assert started is not None
    for seat in flying.values():
        _lose(seats[seat])
    question = started["question"]
    return Ledger(
        n=question["size"], unit=question.get("unit", "characters"), bounds=bounds, flips=flips,
        seats={seat: Spending(**vars(spending)) for seat, spending in seats.items()},
        tree=Size(**{**vars(tree), "full_tree_size": started.get("full_tree_size")}),
        questions=Questions.model_validate(graph, from_attributes=True) if graph.unique else None,
    )  # fmt: skip


def _ask(graph: QuestionGraph, move: Mapping[str, Any], root: str) -> None:
    """What a move asks or cites, and answers."""
    kind = move_class(move.get("kind"))
    if kind is None or (kind.questions_asked, kind.question_answered) == (Move.questions_asked, Move.question_answered):
        return  # no move of this kind does, and none need be read
    if (known := recorded_move(move)) is not None:
        question, parts = known.questions_asked()
        if parts:
            graph.asked(root if question is None else question, parts)
        if (answered := known.question_answered()) is not None:
            graph.answered(*answered)


def _lose(spending: Any) -> None:
    spending.lost += 1
    _unknown(spending)


def _read(spending: Any, event: Mapping[str, Any], bounds: Mapping[str, Any]) -> None:
    reads = reads_in(event)
    if reads is None and event["seat"] not in bounds:
        spending.reads = spending.reads_per_call = None
    elif spending.reads is not None and reads:
        spending.reads += reads
        spending.reads_per_call = max(spending.reads_per_call, reads)


def _unknown(spending: Any) -> None:
    for field in _USAGE:
        setattr(spending, field, None)


def _attempt(spending: Any, event: Mapping[str, Any]) -> None:
    spending.attempts += 1
    spending.failed_attempts += not event.get("ok")
    if event.get("cached"):
        return
    for field in _USAGE:
        known, more = getattr(spending, field), event.get(field)
        setattr(spending, field, None if known is None or more is None else known + more)


def _grow(
    tree: Any, event: Mapping[str, Any], place: dict[str, tuple[int, int]], children: dict[str, int], scopes: Scopes,
    seen: set[tuple[str, str]],
) -> None:  # fmt: skip
    step, size, under = event["step"], event["size"], event["under"]
    parent = scopes.of(step) if under == ROOT else under
    depth, path = place.get(parent, (0, 0))  # what answers a step outside the tree counts as an answer to the question
    place[step] = (depth + 1, path + size)
    children[parent] = children.get(parent, 0) + 1
    tree.nodes += 1
    key = (str(event["move"]), parent if event["seat"] == "" else "")
    if key not in seen:
        seen.add(key)
        tree.unique += 1
    tree.depth = max(tree.depth, depth + 1)
    tree.branching = max(tree.branching, children[parent])
    tree.largest = max(tree.largest, size)
    tree.longest_path = max(tree.longest_path, path + size)
    tree.total += size
