"""The argument tree as a graph that shows itself; in a module of its own, so that counting needs no networkx."""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx

if TYPE_CHECKING:
    _Graph = networkx.DiGraph[str]
else:
    _Graph = networkx.DiGraph


class ArgumentTree(_Graph):
    """A `networkx.DiGraph` whose nodes are steps; see `moot.transcripts.tree.argument_tree` for its attributes.

    `print(tree)` gives it as indented text, a notebook shows it. Whatever networkx offers works on it.
    """

    def __str__(self) -> str:
        from moot.transcripts.display.show import tree_text

        return tree_text(self)

    def __repr__(self) -> str:
        return f"<ArgumentTree of {len(self)} nodes on {self.graph.get('question')!r}>"

    def _repr_html_(self) -> str:
        from moot.transcripts.display.notebook import tree_html

        return tree_html(self)
