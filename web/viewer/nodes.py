"""The argument tree of a play as columns: a node a place, parents before children, one parent each.

Rule of this file: one pass over events that are in memory and one over nodes, without recursion; a file may name any step as a
parent, also one that is not there, that comes later, or that leads back to itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from moot.complexity.play import ROOT, Scopes, path_of
from moot.protocols.engine.moves import Move, move_class
from moot.protocols.recorded import recorded_move, words_of
from moot.transcripts.display.scenes import Put

MOST = 160
"""Characters of a node's text."""


@dataclass(slots=True)
class _Node:
    parent: str
    seat: str
    kind: str
    relation: str
    text: str
    size: int
    cites: list[str] = field(default_factory=list)


def tree_of(
    events: Iterable[Mapping[str, Any]], put: Put, judged: frozenset[str] | None, scenes: Mapping[str, int]
) -> dict[str, Any]:
    """The columns `id`, `parent` (a place, -1 for the root), `seat`, `kind`, `relation`, `text`, `size`, `budget` (of the ask, or
    None), `judged` (1 on the way to what the judge had before it), `scene` (by its number, -1 for none), and `cites`: by a place as text, the
    steps that its node names besides. scenes: by step, the number of the scene that shows it."""
    nodes = _nodes(events)
    places: dict[str, int] = {}
    for step in (ROOT, *sorted((step for step in nodes if step != ROOT), key=path_of)):
        _place(step, nodes, places)
    on_path = _above(judged, nodes)
    found: dict[str, Any] = {name: [] for name in ("id", "parent", "seat", "kind", "relation", "text", "size", "budget", "judged", "scene")}  # fmt: skip
    cites: dict[str, list[str]] = {}
    for step, place in places.items():
        node = nodes[step]
        brief = put[step][0] if step in put else {}
        budget = brief.get("budget")
        found["id"].append(step)
        found["parent"].append(-1 if step == ROOT else places[node.parent])
        for name in ("seat", "kind", "relation", "text", "size"):
            found[name].append(getattr(node, name))
        found["budget"].append(budget if type(budget) is int else None)
        found["judged"].append(int(step in on_path))
        found["scene"].append(scenes.get(step, -1))
        if more := [each for each in dict.fromkeys(node.cites) if each in nodes and each not in (node.parent, step)]:
            cites[str(place)] = more
    return {**found, "cites": cites}


def _nodes(events: Iterable[Mapping[str, Any]]) -> dict[str, _Node]:
    """By step, in the order of the record; every parent is one of them."""
    nodes: dict[str, _Node] = {}
    scopes = Scopes()
    for event in events:
        name = event["event"]
        if name == "started":
            text = event["question"]["text"]
            nodes[ROOT] = _Node(ROOT, "", "question", "", text[:MOST], len(text))
        elif name == "entered":
            step, text = event["step"], event["question"]["text"]
            nodes.setdefault(step, _Node(scopes.of(step), "", "question", "asks", text[:MOST], len(text)))
            scopes.add(step)
        elif name == "moved" and "under" in event:
            step, move, under = event["step"], event["move"], event["under"]
            parent = scopes.of(step) if under in (ROOT, None) else under
            if (known := nodes.get(step)) is not None:  # said in two places: the first is where it stands
                known.cites.append(parent)
                continue
            text, relation = words_of(move)[:MOST], str(event.get("relation") or "")
            kind, size = str(move.get("kind", "")), event.get("size", 0)
            nodes[step] = _Node(parent, event["seat"], kind, relation, text, size, _cited(move))
    for step, node in nodes.items():
        if node.parent not in nodes or (node.parent == step and step != ROOT):
            node.parent = ROOT
    return nodes


def _cited(move: Mapping[str, Any]) -> list[str]:
    cls = move_class(move.get("kind"))
    if cls is None or cls.steps_cited is Move.steps_cited or (known := recorded_move(move)) is None:
        return []
    return list(known.steps_cited())


def _place(step: str, nodes: Mapping[str, _Node], places: dict[str, int]) -> None:
    """Give a node its place, after those that it stands under. A way that leads back to itself is cut there, and hung under the root."""
    way: dict[str, None] = {}
    while step not in places and step not in way:
        way[step] = None
        step = nodes[step].parent
    if step in way and step != ROOT:
        nodes[step].parent = ROOT
        at = list(way).index(step)
        turn = list(way)[: at + 1]  # what hangs below the cut comes after it
        for each in reversed(turn):
            places.setdefault(each, len(places))
        for each in reversed(list(way)[at + 1 :]):
            places.setdefault(each, len(places))
        return
    for each in reversed(way):
        places.setdefault(each, len(places))


def _above(judged: frozenset[str] | None, nodes: Mapping[str, _Node]) -> set[str]:
    """These steps with all that they stand under."""
    found: set[str] = set()
    for step in judged or ():
        while step in nodes and step not in found:
            found.add(step)
            step = nodes[step].parent
    return found
