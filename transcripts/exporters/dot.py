"""Argument trees in Graphviz' DOT language.
Rule: one form and its escapes; what a tree holds is in `document.py`, how lines are cut in `drawing.py`."""

from __future__ import annotations

from typing import ClassVar

from moot.transcripts.exporters.document import Tree, document
from moot.transcripts.exporters.drawing import Drawing


class Dot(Drawing):
    """The tree in DOT: one box per node, labelled edges."""

    name: ClassVar[str] = "dot"

    def tree(self, graph: Tree) -> str:
        found = document(graph)
        out = ["digraph moot {", '  graph [charset="UTF-8"];']
        out.append('  node [shape=box, style=rounded, fontname="sans-serif"];')
        for node in found.nodes:
            label = "".join(_escaped(line) + r"\l" for line in self.label(node))
            out.append(f'  "{node.id}" [label="{label}"];')
        for edge in found.edges:
            out.append(f'  "{edge.parent}" -> "{edge.child}" [label="{_escaped(self.cut(edge.relation))}"];')
        return "\n".join([*out, "}", ""])


def _escaped(line: str) -> str:
    """Inside a double-quoted label: Graphviz reads backslash escapes and, in labels, HTML entities."""
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")
