"""The argument tree: a fold over events, as a graph that shows itself.

Rule of this file: it needs networkx, so it is imported when somebody asks for a tree; counting has no need of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import networkx

from moot.complexity.play import ROOT, Scopes
from moot.protocols.recorded import import_moves_of, words_of
from moot.transcripts.display.notebook import tree_html
from moot.transcripts.display.show import tree_text

if TYPE_CHECKING:
    _Graph = networkx.DiGraph[str]
else:
    _Graph = networkx.DiGraph


class ArgumentTree(_Graph):
    """A `networkx.DiGraph` whose nodes are steps; see `argument_tree` for its attributes. `print(tree)` gives it as text."""

    def __str__(self) -> str:
        return tree_text(self)

    def __repr__(self) -> str:
        return f"<ArgumentTree of {len(self)} nodes on {self.graph.get('question')!r}>"

    def _repr_html_(self) -> str:
        return tree_html(self)


def argument_tree(events: Iterable[Mapping[str, Any]]) -> ArgumentTree:
    """The frozen tree of a play, with the attributes that `exporters/document.py` says. Nothing is None, so that every writer
    of networkx takes the tree."""
    graph = ArgumentTree()
    scopes = Scopes()
    roles: Mapping[str, str] = {}
    for event in events:
        name = event["event"]
        if name == "started":
            import_moves_of(event["protocol"]["name"])
            text, roles = event["question"]["text"], event["roles"]
            graph.graph.update(question=text, root=ROOT)
            graph.add_node(ROOT, kind="question", text=text, size=len(text))
        elif name == "entered":
            step, text = event["step"], event["question"]["text"]
            graph.add_node(step, kind="question", text=text, size=len(text))
            graph.add_edge(scopes.of(step), step, relation="asks")
            scopes.add(step)
        elif name == "moved" and "under" in event:
            step, seat, move, under = event["step"], event["seat"], event["move"], event["under"]
            said = {"kind": move.get("kind", ""), "text": words_of(move), "size": event["size"]}
            if "remark" in event:
                said["remark"] = event["remark"]
            graph.add_node(step, seat=seat, role=roles.get(seat, seat), **said)
            graph.add_edge(scopes.of(step) if under == ROOT else under, step, relation=event["relation"])
    networkx.freeze(graph)
    return graph
