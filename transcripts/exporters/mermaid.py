"""Argument trees as Mermaid flowcharts.
Rule: one form and its escapes; what a tree holds is in `document.py`, how lines are cut in `drawing.py`."""

from __future__ import annotations

import re
from typing import ClassVar

from moot.transcripts.exporters.document import Tree, document
from moot.transcripts.exporters.drawing import Drawing


class Mermaid(Drawing):
    """The tree as a Mermaid flowchart, nodes named n0, n1, … in the order of their steps."""

    name: ClassVar[str] = "mermaid"

    def tree(self, graph: Tree) -> str:
        found = document(graph)
        names = {node.id: f"n{number}" for number, node in enumerate(found.nodes)}
        out = ["flowchart TD"]
        for node in found.nodes:
            label = "<br/>".join(_escaped(line) for line in self.label(node))
            out.append(f'  {names[node.id]}["{label}"]')
        for edge in found.edges:
            arrow = f'-->|"{_escaped(self.cut(edge.relation))}"|' if edge.relation.strip() else "-->"
            out.append(f"  {names[edge.parent]} {arrow} {names[edge.child]}")
        return "\n".join([*out, ""])


def _escaped(line: str) -> str:
    """Inside a double-quoted label: every ASCII character with a meaning, anywhere in Mermaid, as its entity #35;."""
    return re.sub(r"[^A-Za-z0-9 \x80-\U0010ffff]", lambda match: f"#{ord(match.group())};", line)
