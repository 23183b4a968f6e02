"""The argument tree: a fold over events, as a graph that shows itself.

Rule of this file: it needs networkx, so it is imported when somebody asks for a tree; counting has no need of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import networkx

from moot.complexity.play import ROOT, Scopes
from moot.protocols.engine.values.frozen import FrozenDict
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


class _Shared(FrozenDict):
    """What many nodes or edges have in common, such as the attributes of all edges of one relation. `copy` gives a dict of its own;
    what shares it in a `deepcopy`, or after `pickle`, shares one that refuses to change as well."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _Shared, (dict(self),)


_NONE = _Shared()


def argument_tree(events: Iterable[Mapping[str, Any]]) -> ArgumentTree:
    """The frozen tree of a play, with the attributes that `exporters/document.py` says. Nothing is None, so that every writer
    of networkx takes the tree.

    Written into the dicts of networkx themselves, as `add_node` and `add_edge` would (networkx 3.6.1, classes/digraph.py): they make
    a dict of attributes for each edge and empty ones for each leaf, a third of a tree's memory, and most of these are equal."""
    graph = ArgumentTree()
    inside: Any = graph  # whose types do not tell of these dicts
    nodes, below, above = inside._node, inside._succ, inside._pred
    related: dict[str, _Shared] = {}
    scopes = Scopes()
    roles: Mapping[str, str] = {}

    def put(step: str, parent: str, relation: str, said: dict[str, Any]) -> None:
        if (known := nodes.get(step)) is not None:  # a file may say a step twice, or place one under what comes later
            known.update(said)
        else:
            nodes[step], below[step], above[step] = said, _NONE, _NONE
        if parent not in nodes:
            nodes[parent], below[parent], above[parent] = {}, _NONE, _NONE
        if (shared := related.get(relation)) is None:
            shared = related[relation] = _Shared(relation=relation)
        if above[step]:
            above[step] = {**above[step], parent: shared}
        elif (
            (others := below[parent])
            and above[near := next(iter(others))].get(parent) is shared
            and len(above[near]) == 1
        ):
            above[step] = above[near]  # what is under the same step in the same way says so once
        else:
            above[step] = _Shared({parent: shared})
        if others := below[parent]:
            others[step] = shared
        else:
            below[parent] = {step: shared}

    for event in events:
        name = event["event"]
        if name == "moved":
            if "under" in event:
                step, seat, move, under = event["step"], event["seat"], event["move"], event["under"]
                said = {"seat": seat, "role": roles.get(seat, seat), "kind": move.get("kind", ""), "text": words_of(move),
                        "size": event["size"]}  # fmt: skip
                if "remark" in event:
                    said["remark"] = event["remark"]
                put(step, scopes.of(step) if under == ROOT else under, event["relation"], said)
        elif name == "entered":
            step, text = event["step"], event["question"]["text"]
            put(step, scopes.of(step), "asks", {"kind": "question", "text": text, "size": len(text)})
            scopes.add(step)
        elif name == "started":
            import_moves_of(event["protocol"]["name"])
            text, roles = event["question"]["text"], event["roles"]
            graph.graph.update(question=text, root=ROOT)
            graph.add_node(ROOT, kind="question", text=text, size=len(text))
    networkx.freeze(graph)
    return graph
