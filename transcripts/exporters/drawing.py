"""What the exporters that draw have in common: the label of a node, wrapped and cut.

Rule of this file: lines of plain text; how a form escapes them is that form's own.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from moot.protocols.engine.errors import UsageError
from moot.protocols.text import one_line, visible
from moot.transcripts.exporters.document import Node, TreeExporter


@dataclass(frozen=True)
class Drawing(TreeExporter):
    """An exporter whose labels hold a node's step, seat, role and kind, then its text, wrapped at `width` characters and cut,
    with "…", after `lines` lines, and its remark. Raises UsageError when either is below 1."""

    width: int = 40
    lines: int = 8

    def __post_init__(self) -> None:
        if self.width < 1 or self.lines < 1:
            raise UsageError(f"labels need a width and lines of at least 1, not {self.width} and {self.lines}")

    def label(self, node: Node) -> list[str]:
        """The lines of a node's label."""
        width, lines = self.width, self.lines
        head = " · ".join(part for part in (node.id, node.seat, node.role, node.kind) if part and part.strip())
        # A text of megabytes is cut before it is wrapped.
        shown = visible(node.text[: 4 * width * lines]) + (" …" if len(node.text) > 4 * width * lines else "")
        shown = " ".join(shown.split())
        body = textwrap.wrap(shown, width, max_lines=lines, placeholder="…", break_on_hyphens=False)
        return [self.cut(head), *body, *([] if node.remark is None else [self.cut(f"remark: {node.remark}")])]

    def cut(self, text: str) -> str:
        """A text on one line of at most `width` characters."""
        return one_line(text, self.width)
