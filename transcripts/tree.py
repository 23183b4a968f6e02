"""The argument tree: a fold over events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from moot.complexity.play import ROOT, scope_of
from moot.transcripts.display.saying import text_of

if TYPE_CHECKING:
    from moot.transcripts.graph import ArgumentTree


def argument_tree(events: Iterable[Mapping[str, Any]]) -> ArgumentTree:
    """The frozen tree of a play. Nodes are step paths ("q" is the question), edges run from a node to what answers it.

    Node attributes: seat and role (str, or None for a question), kind, text, size (in the question's unit).
    Edge attribute: relation. Graph attributes: question, root.
    """
    import networkx

    from moot.transcripts.graph import ArgumentTree

    graph = ArgumentTree()
    scopes: list[str] = []
    roles: Mapping[str, str] = {}
    for event in events:
        name = event["event"]
        if name == "started":
            text, roles = event["question"]["text"], event["roles"]
            graph.graph.update(question=text, root=ROOT)
            graph.add_node(ROOT, seat=None, role=None, kind="question", text=text, size=len(text))
        elif name == "entered":
            step, text = event["step"], event["question"]["text"]
            graph.add_node(step, seat=None, role=None, kind="question", text=text, size=len(text))
            graph.add_edge(scope_of(step, scopes), step, relation="asks")
            scopes.append(step)
        elif name == "moved" and "under" in event:
            step, move = event["step"], event["move"]
            under = event["under"]
            parent = scope_of(step, scopes) if under == ROOT else under
            seat = event["seat"]
            graph.add_node(
                step, seat=seat, role=roles.get(seat), kind=move.get("kind", ""), text=text_of(move), size=event["size"]
            )
            graph.add_edge(parent, step, relation=event["relation"])
    networkx.freeze(graph)
    return graph
