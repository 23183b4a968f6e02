"""The ledger of a play, counted: one pass over its events.

Rule of this file: it counts, builds no graph, and matches on events alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import SimpleNamespace
from typing import Any

from moot.complexity.play import ROOT, scope_of
from moot.complexity.questions import QuestionGraph
from moot.complexity.spending import Ledger, Questions, Size, Spending

_USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost")


def ledger_of(events: Iterable[Mapping[str, Any]]) -> Ledger:
    """Fold events into a ledger, in one pass and without building a graph."""
    started: Mapping[str, Any] | None = None
    seats: dict[str, Any] = {}
    tree, flips = SimpleNamespace(**dict(Size())), 0
    flying: dict[str, str] = {}
    reported: set[str] = set()
    seen: set[tuple[str, str]] = set()
    place: dict[str, tuple[int, int]] = {ROOT: (0, 0)}
    children: dict[str, int] = {}
    scopes: list[str] = []
    graph, root = QuestionGraph(), ""
    for event in events:
        name = event["event"]
        if name == "started":
            started, root = event, event["question"]["text"]
            seats = {seat: _opened(event, seat) for seat in event["roles"]}
            continue
        if name == "asked":
            if event["step"] in flying:
                _lose(seats[event["seat"]])
            flying[event["step"]] = event["seat"]
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
            _read(spending, event)
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
        elif name == "flipped":
            flips += 1
        elif name == "failed":
            if flying.pop(event["step"], None) is not None and event["step"] not in reported:
                _unknown(seats[event["seat"]])
            _read(seats[event["seat"]], event)
        elif name == "entered":
            parent = scope_of(event["step"], scopes)
            scopes.append(event["step"])
            fake = {"step": event["step"], "under": parent, "size": 0, "move": event["question"], "seat": ""}
            _grow(tree, fake, place, children, scopes[:-1], seen)
    assert started is not None
    for seat in flying.values():
        _lose(seats[seat])
    question = started["question"]
    return Ledger(
        n=question["size"], unit=question.get("unit", "characters"), bounds=started.get("bounds") or {}, flips=flips,
        seats={seat: Spending(**vars(spending)) for seat, spending in seats.items()},
        tree=Size(**{**vars(tree), "implied": started.get("implied")}),
        questions=Questions.model_validate(graph, from_attributes=True) if graph.unique else None,
    )  # fmt: skip


def _ask(graph: QuestionGraph, move: Mapping[str, Any], root: str) -> None:
    """What a move asks, answers or cites."""
    match move:
        case {"kind": "subquestions", "of": str(question), "questions": list(parts)}:
            graph.asked(question, parts)
        case {"kind": "reply", "of": str(question), "answer": str(answer)}:
            graph.answered(question, answer)
        case {"kind": "statement", "cites": [_, *_] as cites}:
            graph.asked(root, [cite["question"] for cite in cites])


def _opened(started: Mapping[str, Any], seat: str) -> Any:
    """A seat's `Spending` while it is counted, as an object whose fields can be set quickly."""
    metered = 0 if seat in (started.get("bounds") or {}) else None
    return SimpleNamespace(**dict(Spending(reads=metered, reads_per_call=metered)))


def _lose(spending: Any) -> None:
    spending.lost += 1
    _unknown(spending)


def _read(spending: Any, event: Mapping[str, Any]) -> None:
    if spending.reads is not None:
        reads = event.get("reads", 0)
        spending.reads += reads
        spending.reads_per_call = max(spending.reads_per_call or 0, reads)


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
    tree: Any,
    event: Mapping[str, Any],
    place: dict[str, tuple[int, int]],
    children: dict[str, int],
    scopes: list[str],
    seen: set[tuple[str, str]],
) -> None:
    step, size, under = event["step"], event["size"], event["under"]
    parent = scope_of(step, scopes) if under == ROOT else under
    depth, path = place[parent]
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
