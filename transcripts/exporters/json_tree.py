"""Argument trees in moot's own JSON, and back.

Rule of this file: what `from_json` reads is what the exporter writes, the same to the last attribute.
"""

from __future__ import annotations

import json
from typing import ClassVar

import networkx as nx
from pydantic import ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.transcripts.exporters.document import VERSION, Document, Tree, TreeExporter, check_shape, document


class Json(TreeExporter):
    """The tree in moot's own schema, one line of ASCII that is also safe inside an HTML <script> element:

        {"format": "moot-tree", "version": 1 or, with remarks, 2, "question": str, "root": id,
         "nodes": [{"id": str, "seat": str | null, "role": str | null, "kind": str, "text": str, "size": int,
                    "remark": str, where there is one}, …],
         "edges": [{"parent": id, "child": id, "relation": str}, …]}

    `from_json` gives the same tree again. A later version adds fields only together with a higher version number.
    """

    name: ClassVar[str] = "json"

    def tree(self, graph: Tree) -> str:
        found = document(graph).model_dump()
        for node in found["nodes"]:
            if node["remark"] is None:
                del node["remark"]
        text = json.dumps(found, separators=(",", ":"))
        # In JSON these stand in strings only, where the escape means the same; in HTML they could end the script.
        return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def from_json(text: str) -> Tree:
    """The tree that `Json` wrote, frozen. Raises UsageError on anything else, and on a newer version."""
    try:
        version = json.loads(text)["version"]
        if isinstance(version, int) and version > VERSION:
            raise UsageError(f"this tree is of version {version}; this moot reads up to {VERSION}: update moot")
        read = Document.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"not a moot tree in JSON: {first_problem(error, 'the document')}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"not a moot tree in JSON: {type(error).__name__}: {error}") from None
    graph: Tree = nx.DiGraph(question=read.question, root=read.root)
    for node in read.nodes:
        if node.id in graph:
            raise UsageError(f"not a moot tree in JSON: there are two nodes {node.id}")
        graph.add_node(node.id, **node.attributes())
    for edge in read.edges:
        if edge.parent not in graph or edge.child not in graph or graph.has_edge(edge.parent, edge.child):
            raise UsageError(f"not a moot tree in JSON: edge {edge.parent} to {edge.child} repeats, or lacks a node")
        graph.add_edge(edge.parent, edge.child, relation=edge.relation)
    check_shape(graph)
    nx.freeze(graph)
    return graph
