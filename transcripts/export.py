"""Exports of an argument tree: JSON (and back), DOT, Mermaid and GraphML.

The tree is a `networkx.DiGraph`. Its attributes: question (str), root (a node). Its nodes are step paths ("q" for the
question, then "0", "2.0.1", …) with attributes seat (str or None), role (str or None), kind (str), text (str) and size
(int, 0 or more, in the question's unit of reading). Its edges lead from what was said to what was said about it, with the
attribute relation ("supports", "attacks", "answers", "cites", …). Every node is reached from the root, and no path leads
back. Statements that one node cites can make it a DAG and not a tree.

All four write nodes and edges in the order of their steps, so that equal trees give equal text. Whatever a statement
holds (quotation marks, markup, control characters) stays inside its own string. Lone surrogates, which no encoding can
write, become U+FFFD. Every function raises UsageError on a graph that is not of this form.
"""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Annotated, Any, Literal
from xml.sax.saxutils import escape

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem

if TYPE_CHECKING:
    import networkx as nx

    Tree = nx.DiGraph[Any]

VERSION = 1

_STEP = re.compile(r"[A-Za-z0-9_.\-]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Node(_Model):
    id: Annotated[str, Field(pattern=rf"^(?:{_STEP.pattern})$")]
    seat: str | None
    role: str | None
    kind: str
    text: str
    size: Annotated[int, Field(ge=0)]


class _Edge(_Model):
    parent: str
    child: str
    relation: str


class _Document(_Model):
    format: Literal["moot-tree"]
    version: Annotated[int, Field(ge=1)]
    question: str
    root: str
    nodes: tuple[_Node, ...]
    edges: tuple[_Edge, ...]


def to_json(graph: Tree) -> str:
    """The tree in moot's own schema, one line of ASCII that is also safe inside an HTML <script> element:

        {"format": "moot-tree", "version": 1, "question": str, "root": id,
         "nodes": [{"id": str, "seat": str | null, "role": str | null, "kind": str, "text": str, "size": int}, …],
         "edges": [{"parent": id, "child": id, "relation": str}, …]}

    `from_json` gives the same tree again. A later version adds fields only together with a higher version number.
    """
    text = json.dumps(_document(graph).model_dump(), separators=(",", ":"))
    # In JSON these stand in strings only, where the escape means the same; in HTML they could end the script.
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def from_json(text: str) -> Tree:
    """The tree that `to_json` wrote, frozen. Raises UsageError on anything else, and on a newer version."""
    import networkx as nx

    try:
        version = json.loads(text)["version"]
        if isinstance(version, int) and version > VERSION:
            raise UsageError(f"this tree is of version {version}; this moot reads up to {VERSION}: update moot")
        document = _Document.model_validate_json(text)
    except ValidationError as error:
        raise UsageError(f"not a moot tree in JSON: {first_problem(error, 'the document')}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UsageError(f"not a moot tree in JSON: {type(error).__name__}: {error}") from None
    graph: Tree = nx.DiGraph(question=document.question, root=document.root)
    for node in document.nodes:
        if node.id in graph:
            raise UsageError(f"not a moot tree in JSON: there are two nodes {node.id}")
        graph.add_node(node.id, **node.model_dump(exclude={"id"}))
    for edge in document.edges:
        if edge.parent not in graph or edge.child not in graph or graph.has_edge(edge.parent, edge.child):
            raise UsageError(f"not a moot tree in JSON: edge {edge.parent} to {edge.child} repeats, or lacks a node")
        graph.add_edge(edge.parent, edge.child, relation=edge.relation)
    _check_shape(graph)
    nx.freeze(graph)
    return graph


def to_graphml(graph: Tree) -> str:
    """The tree as GraphML, for yEd, Gephi, `networkx.read_graphml`, ….

    Characters that XML 1.0 cannot hold are replaced: control characters by their pictures (U+0000 by ␀, U+2400), the
    non-characters U+FFFE and U+FFFF by U+FFFD. A seat or role of None is left out.
    """
    document = _document(graph)
    keys = [("graph", "question", "string"), ("graph", "root", "string"), ("edge", "relation", "string")]
    keys += [("node", name, "string") for name in ("seat", "role", "kind", "text")] + [("node", "size", "long")]
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">']
    lines += [f'<key id="{name}" for="{what}" attr.name="{name}" attr.type="{kind}"/>' for what, name, kind in keys]
    lines.append('<graph edgedefault="directed">')
    lines += [_data("question", document.question), _data("root", document.root)]
    for node in document.nodes:
        lines.append(f'<node id="{node.id}">')
        lines += [_data(key, value) for key, value in node if key != "id" and value is not None]
        lines.append("</node>")
    for edge in document.edges:
        lines.append(f'<edge source="{edge.parent}" target="{edge.child}">{_data("relation", edge.relation)}</edge>')
    return "\n".join([*lines, "</graph>", "</graphml>", ""])


def to_dot(graph: Tree, width: int = 40, lines: int = 8) -> str:
    """The tree in Graphviz' DOT language: one box per node (step, seat and kind, then the text), labelled edges.

    Labels hold the text wrapped at `width` characters and cut, with "…", after `lines` lines. Raises UsageError when
    either is below 1.
    """
    document = _document(graph)
    out = ["digraph moot {", '  graph [charset="UTF-8"];', '  node [shape=box, style=rounded, fontname="sans-serif"];']
    for node in document.nodes:
        label = "".join(_dot(line) + r"\l" for line in _label(node, width, lines))
        out.append(f'  "{node.id}" [label="{label}"];')
    for edge in document.edges:
        out.append(f'  "{edge.parent}" -> "{edge.child}" [label="{_dot(_cut(edge.relation, width))}"];')
    return "\n".join([*out, "}", ""])


def to_mermaid(graph: Tree, width: int = 40, lines: int = 8) -> str:
    """The tree as a Mermaid flowchart, nodes named n0, n1, … in the order of their steps; labels as in `to_dot`."""
    document = _document(graph)
    names = {node.id: f"n{number}" for number, node in enumerate(document.nodes)}
    out = ["flowchart TD"]
    for node in document.nodes:
        label = "<br/>".join(_mermaid(line) for line in _label(node, width, lines))
        out.append(f'  {names[node.id]}["{label}"]')
    for edge in document.edges:
        arrow = f'-->|"{_mermaid(_cut(edge.relation, width))}"|' if edge.relation.strip() else "-->"
        out.append(f"  {names[edge.parent]} {arrow} {names[edge.child]}")
    return "\n".join([*out, ""])


def _document(graph: Tree) -> _Document:
    """The graph as checked data, nodes and edges in the order of their steps."""
    nodes = [_node(name, attributes) for name, attributes in graph.nodes(data=True)]
    nodes.sort(key=lambda node: _order(node.id))
    edges = [_edge(parent, child, attributes) for parent, child, attributes in graph.edges(data=True)]
    edges.sort(key=lambda edge: (_order(edge.parent), _order(edge.child)))
    _check_shape(graph)
    return _Document(
        format="moot-tree",
        version=VERSION,
        question=_text(graph.graph["question"]),
        root=graph.graph["root"],
        nodes=tuple(nodes),
        edges=tuple(edges),
    )


def _node(name: Any, attributes: dict[str, Any]) -> _Node:
    try:
        return _Node(id=name, **{str(key): _text(value) for key, value in attributes.items()})
    except (ValidationError, TypeError) as error:
        problem = first_problem(error) if isinstance(error, ValidationError) else str(error)
        raise UsageError(f"this graph is not an argument tree: node {name!r}: {problem}") from None


def _edge(parent: str, child: str, attributes: dict[str, Any]) -> _Edge:
    if set(attributes) != {"relation"} or not isinstance(attributes["relation"], str):
        raise UsageError(
            f"this graph is not an argument tree: edge {parent!r} to {child!r} needs one attribute, relation (a text); "
            f"it has {sorted(map(str, attributes))}"
        )
    return _Edge(parent=parent, child=child, relation=_text(attributes["relation"]))


def _check_shape(graph: Tree) -> None:
    import networkx as nx

    root, question = graph.graph.get("root"), graph.graph.get("question")
    if not isinstance(question, str) or not isinstance(root, str) or root not in graph:
        raise UsageError(
            "this graph is not an argument tree: it needs the attributes question (a text) and root (a node)"
        )
    if not graph.is_directed() or graph.is_multigraph() or not nx.is_directed_acyclic_graph(graph):
        raise UsageError("this graph is not an argument tree: it must be a DiGraph without cycles")
    lost = set(graph) - {root} - nx.descendants(graph, root)
    if lost:
        raise UsageError(f"this graph is not an argument tree: {min(lost)} cannot be reached from the root {root}")


def _text(value: Any) -> Any:
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _order(step: str) -> list[tuple[int, int, str, str]]:
    """The question first, then numbered steps by number (2 before 10), then names."""
    return [] if step == "q" else [_part(part) for part in step.split(".")]


def _part(part: str) -> tuple[int, int, str, str]:
    digits = part.lstrip("0")
    return (0, len(digits), digits, part) if part.isdigit() else (1, 0, "", part)


def _label(node: _Node, width: int, lines: int) -> list[str]:
    """The lines of a node's label: who said what kind of thing at which step, then the text, wrapped and cut."""
    if width < 1 or lines < 1:
        raise UsageError(f"labels need a width and a number of lines of at least 1, not {width} and {lines}")
    head = " · ".join(part for part in (node.id, node.seat, node.role, node.kind) if part and part.strip())
    # A text of megabytes is cut before it is wrapped; white space that wrapping drops can at most halve what is left.
    shown = " ".join(_visible(node.text[: 4 * width * lines]).split())
    body = textwrap.wrap(shown, width, break_on_hyphens=False)
    if len(body) > lines or len(node.text) > 4 * width * lines:
        last = body[lines - 1] if len(body) >= lines else body[-1] if body else ""
        body = [*body[: min(lines, len(body)) - 1], last[: width - 1] + "…"] if body else ["…"]
    return [_cut(head, width), *body]


def _cut(text: str, width: int) -> str:
    line = " ".join(_visible(text).split())
    return line if len(line) <= width else line[: width - 1] + "…"


def _visible(text: str) -> str:
    """Control characters other than white space, and non-characters, as pictures."""
    return _NOT_IN_XML.sub(_picture, text)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    return chr(0x2400 + code) if code < 0x20 else "\ufffd"


def _data(key: str, value: object) -> str:
    # A bare carriage return would be read back as a line feed.
    return f'<data key="{key}">{escape(_visible(str(value)), {chr(13): "&#13;"})}</data>'


def _dot(line: str) -> str:
    """Inside a double-quoted label: Graphviz reads backslash escapes and, in labels, HTML entities."""
    return line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;")


def _mermaid(line: str) -> str:
    """Inside a double-quoted label: every ASCII character with a meaning, anywhere in Mermaid, as its entity #35;."""
    return re.sub(r"[^A-Za-z0-9 \x80-\U0010ffff]", lambda match: f"#{ord(match.group())};", line)
