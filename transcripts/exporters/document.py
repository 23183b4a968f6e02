"""An argument tree as checked data, which all exporters of trees write.

The tree is a `networkx.DiGraph`, or a DAG where statements cite others. Its attributes: question (str), root (a node). Its
nodes are step paths ("q" for the question, then "0", "2.0.1", …) with attributes kind (str), text (str), size (int, 0 or
more, in the question's unit of reading); those that a seat said with seat and role (str), and with the rule that it breaks as
remark (str) where another system let that pass. Its edges lead from what was said to what was said about it, with the attribute
relation ("supports", "cites", …). Every node is reached from the root.

Rule of this file: what a tree must be, and nothing of the forms that it is written in. Nodes and edges are in the order of
their steps, so that equal trees give equal text. Lone surrogates, which no encoding can write, become U+FFFD.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias, TypeVar

import networkx as nx
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.transcripts.exporters.base import Exporter
from moot.transcripts.transcript import Transcript

Tree: TypeAlias = "nx.DiGraph[Any]"
VERSION = 2
"""Of the data: with remarks. Without any they are of version 1."""

_STEP = re.compile(r"[A-Za-z0-9_.\-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class TreeExporter(Exporter):
    """An exporter of argument trees. `tree` takes any graph of the form above, and raises UsageError on another."""

    def text(self, transcript: Transcript) -> str:
        return self.tree(transcript.tree)

    @abstractmethod
    def tree(self, graph: Tree) -> str:
        """The tree in this form."""


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


M = TypeVar("M", bound=Model)


class Node(Model):
    """One node; seat and role are None where nobody said it, remark where there is none."""

    id: Annotated[str, Field(pattern=rf"^(?:{_STEP.pattern})$")]
    seat: str | None = None
    role: str | None = None
    kind: str
    text: str
    size: Annotated[int, Field(ge=0)]
    remark: str | None = None

    def attributes(self) -> dict[str, Any]:
        """What the node of the graph carries."""
        return self.model_dump(exclude={"id"}, exclude_none=True)


class Edge(Model):
    parent: str
    child: str
    relation: str


class Document(Model):
    format: Literal["moot-tree"]
    version: Annotated[int, Field(ge=1)]
    question: str
    root: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def document(graph: Tree) -> Document:
    """The graph as checked data, nodes and edges in the order of their steps."""
    nodes = [_checked(Node, f"node {name!r}", said, id=name) for name, said in graph.nodes(data=True)]
    nodes.sort(key=lambda node: _order(node.id))
    edges = [_checked(Edge, f"edge {a!r} to {b!r}", how, parent=a, child=b) for a, b, how in graph.edges(data=True)]
    edges.sort(key=lambda edge: (_order(edge.parent), _order(edge.child)))
    check_shape(graph)
    question, root = _text(graph.graph["question"]), graph.graph["root"]
    version = VERSION if any(node.remark is not None for node in nodes) else 1
    return Document(
        format="moot-tree", version=version, question=question, root=root, nodes=tuple(nodes), edges=tuple(edges)
    )


def _checked(kind: type[M], what: str, attributes: Mapping[Any, Any], **place: Any) -> M:
    try:
        return kind(**place, **{str(key): _text(value) for key, value in attributes.items()})
    except (ValidationError, TypeError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else error
        raise UsageError(f"this graph is not an argument tree: {what}: {problem}") from None


def check_shape(graph: Tree) -> None:
    """Raise UsageError unless the graph is rooted and without cycles."""
    root, question = graph.graph.get("root"), graph.graph.get("question")
    if not isinstance(question, str) or not isinstance(root, str) or root not in graph:
        raise UsageError("this graph is not an argument tree: it needs attributes question (a text) and root (a node)")
    if not graph.is_directed() or graph.is_multigraph() or not nx.is_directed_acyclic_graph(graph):
        raise UsageError("this graph is not an argument tree: it must be a DiGraph without cycles")
    if lost := set(graph) - {root} - nx.descendants(graph, root):
        raise UsageError(f"this graph is not an argument tree: {min(lost)} cannot be reached from the root {root}")


def _text(value: Any) -> Any:
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _order(step: str) -> list[tuple[int, int, str, str]]:
    """The question first, then numbered steps by number (2 before 10), then names."""
    parts = [] if step == "q" else step.split(".")
    return [(0, len(d := part.lstrip("0")), d, part) if part.isdigit() else (1, 0, "", part) for part in parts]


def visible(text: str) -> str:
    """Control characters other than white space, and non-characters, as pictures."""
    return _NOT_IN_XML.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"
