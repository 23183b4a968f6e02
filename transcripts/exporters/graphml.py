"""Argument trees as GraphML, for yEd, Gephi, `networkx.read_graphml`, …, by networkx' own writer.
Rule: one form, with every attribute; what a tree holds is in `document.py`."""

from __future__ import annotations

from io import BytesIO
from typing import ClassVar

import networkx as nx

from moot.transcripts.exporters.document import Tree, TreeExporter, document, visible


class GraphML(TreeExporter):
    """The tree as GraphML. Characters that XML 1.0 cannot hold are replaced: control characters by their pictures (U+0000 by
    ␀, U+2400), the non-characters U+FFFE and U+FFFF by U+FFFD."""

    name: ClassVar[str] = "graphml"

    def tree(self, graph: Tree) -> str:
        found = document(graph)
        shown: Tree = nx.DiGraph(question=visible(found.question), root=found.root)
        for node in found.nodes:
            said = node.attributes()
            shown.add_node(node.id, **{key: visible(it) if isinstance(it, str) else it for key, it in said.items()})
        for edge in found.edges:
            shown.add_edge(edge.parent, edge.child, relation=visible(edge.relation))
        out = BytesIO()
        nx.write_graphml_xml(shown, out)
        # A bare carriage return would be read back as a line feed.
        return out.getvalue().decode().replace("\r", "&#13;") + "\n"
