"""Exports: JSON comes back exactly, the other formats are read by their own readers with everything in place."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any, ClassVar
from xml.etree import ElementTree

import networkx as nx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import moot
from moot.cli import reading
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.registry import everything, find
from moot.transcripts.exporters.base import Exporter
from moot.transcripts.exporters.document import Tree
from moot.transcripts.exporters.dot import Dot
from moot.transcripts.exporters.graphml import GraphML
from moot.transcripts.exporters.json_tree import Json, from_json
from moot.transcripts.exporters.mermaid import Mermaid

to_json, to_graphml = Json().tree, GraphML().tree


def to_dot(graph: Tree, width: int = 40, lines: int = 8) -> str:
    return Dot(width, lines).tree(graph)


def to_mermaid(graph: Tree, width: int = 40, lines: int = 8) -> str:
    return Mermaid(width, lines).tree(graph)


HOSTILE = [
    'say "hi" \\" \\',
    "]]> --> </script><!-- <b>&amp;</b> &quot; %% %%{init}%%",
    'a"] --> b["x',
    "line\nline\r\nline\rend\ttab",
    "nul\x00 bell\x07 esc\x1b del\x7f c1\x85 \ufffe\uffff",
    "😀 👩‍🚀 नि \u202e right to left \u2028",
    "style: x#y; classDef a:b#c; end; click n0 callback; subgraph",
    '`md` **b** "`x`" #35; #quot; fa:fa-x',
    "{|}<>\\l\\n\\N \\G",
    "",
    "   ",
    "q" * 5000,
    "\\",
    "graph TD; A-->B",
]
texts = st.sampled_from(HOSTILE) | st.text(max_size=80) | st.text(alphabet='"\\]<>&;#|%\n\r\x00{}', max_size=20)


@st.composite
def trees(draw: st.DrawFn) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph(question=draw(texts), root="q")
    names = ["q"]
    seats = st.fixed_dictionaries({}, optional={"seat": texts, "role": st.sampled_from(["a", "b"]) | texts})

    def add(name: str) -> None:
        graph.add_node(name, **draw(seats), kind=draw(texts), text=draw(texts), size=draw(st.integers(0, 2**70)))

    add("q")
    for number in range(draw(st.integers(0, 7))):
        parent = draw(st.sampled_from(names))
        name = str(number) if parent == "q" else f"{parent}.{number}"
        add(name)
        graph.add_edge(parent, name, relation=draw(texts))
        cited = draw(st.sampled_from(names))
        if cited not in (parent, "q") and draw(st.booleans()) and not nx.has_path(graph, cited, name):
            graph.add_edge(name, cited, relation="cites")
        names.append(name)
    nx.freeze(graph)
    return graph


def contents(graph: nx.DiGraph[str]) -> tuple[Any, ...]:
    return (
        dict(graph.graph),
        {n: dict(d) for n, d in graph.nodes(data=True)},
        {(u, v): d for u, v, d in graph.edges(data=True)},
    )


def visible(value: Any) -> Any:
    """What an XML 1.0 document can hold of a text, written independently: the Char production of the standard."""
    if not isinstance(value, str):
        return value
    result = ""
    for char in value:
        code = ord(char)
        fine = code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code >= 0x10000
        result += char if fine else chr(0x2400 + code) if code < 0x20 else "\ufffd"
    return result


@given(trees())
def test_json_comes_back_exactly(graph: nx.DiGraph[str]) -> None:
    text = to_json(graph)
    again = from_json(text)
    assert contents(again) == contents(graph) and nx.is_frozen(again)
    assert to_json(again) == text
    assert text.isascii() and not set(text) & set("<>&\n") and json.loads(text)["version"] == 1


@given(trees(), st.randoms(use_true_random=False))
def test_the_order_of_insertion_does_not_show(graph: nx.DiGraph[str], random: Any) -> None:
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(data=True))
    random.shuffle(nodes)
    random.shuffle(edges)
    other: nx.DiGraph[str] = nx.DiGraph(**graph.graph)
    other.add_nodes_from(nodes)
    other.add_edges_from(edges)
    for export in (to_json, to_graphml, to_dot, to_mermaid):
        assert export(other) == export(graph)


@given(trees())
def test_graphml_is_read_by_networkx(graph: nx.DiGraph[str]) -> None:
    again = nx.read_graphml(io.BytesIO(to_graphml(graph).encode()))

    def expected(attributes: dict[str, Any]) -> dict[str, Any]:
        return {key: visible(value) for key, value in attributes.items()}

    assert again.is_directed() and not again.is_multigraph()
    assert {n: dict(d) for n, d in again.nodes(data=True)} == {n: expected(d) for n, d in graph.nodes(data=True)}
    assert {(u, v): d for u, v, d in again.edges(data=True)} == {
        (u, v): expected(d) for u, v, d in graph.edges(data=True)
    }
    assert {k: again.graph[k] for k in ("question", "root")} == expected(graph.graph)


@given(trees(), st.integers(1, 60), st.integers(1, 10))
def test_mermaid_lines_are_nodes_and_edges_and_nothing_else(graph: nx.DiGraph[str], width: int, lines: int) -> None:
    first, *rest, last = to_mermaid(graph, width, lines).split("\n")
    assert first == "flowchart TD" and last == ""
    label = r"(?:[A-Za-z0-9 \x80-\U0010ffff]|#\d+;|<br/>)*"
    nodes = [m for line in rest if (m := re.fullmatch(rf'  (n\d+)\["({label})"\]', line))]
    edges = [m for line in rest if (m := re.fullmatch(rf'  (n\d+) -->(?:\|"({label})"\|)? (n\d+)', line))]
    assert len(nodes) == len(graph) and len(edges) == graph.number_of_edges() and len(nodes) + len(edges) == len(rest)
    for match in nodes:
        shown = [re.sub(r"#(\d+);", lambda m: chr(int(m.group(1))), part) for part in match.group(2).split("<br/>")]
        assert len(shown) <= lines + 1 and all(len(line) <= width for line in shown)


@given(trees(), st.integers(1, 60), st.integers(1, 10))
def test_dot_labels_are_closed_and_within_their_width(graph: nx.DiGraph[str], width: int, lines: int) -> None:
    text = to_dot(graph, width, lines)
    string = r'"((?:[^"\\\x00-\x1f]|\\.)*)"'
    nodes = re.findall(rf"^  {string} \[label={string}\];$", text, re.MULTILINE)
    edges = re.findall(rf"^  {string} -> {string} \[label={string}\];$", text, re.MULTILINE)
    assert [n for n, _ in nodes] and {n for n, _ in nodes} == set(graph)
    assert {(u, v) for u, v, _ in edges} == set(graph.edges)
    assert text.count("\n") == 4 + len(nodes) + len(edges)
    for _, label in nodes:
        shown = label.split(r"\l")
        for line in shown:
            assert len(re.sub(r"\\(.)", r"\1", line).replace("&amp;", "&")) <= width or "\\\\l" in label


def all_hostile() -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph(question=HOSTILE[1], root="q")
    graph.add_node("q", kind="question", text=HOSTILE[1], size=3)
    for number, text in enumerate(HOSTILE):
        graph.add_node(str(number), seat=text, kind="speech", text=text, size=len(text))
        graph.add_edge("q", str(number), relation=text)
    return graph


@pytest.mark.filterwarnings("ignore")  # pydot calls old names of its parser library
def test_dot_is_parsed_by_pydot() -> None:
    pydot = pytest.importorskip("pydot")
    graph = all_hostile()
    (parsed,) = pydot.graph_from_dot_data(to_dot(graph))
    names = {node.get_name().strip('"') for node in parsed.get_nodes()} - {"node", "graph", "edge"}
    assert names == set(graph)
    assert {(e.get_source().strip('"'), e.get_destination().strip('"')) for e in parsed.get_edges()} == set(graph.edges)


@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees())
def test_dot_is_drawn_by_graphviz_with_the_text_intact(graph: nx.DiGraph[str]) -> None:
    program = shutil.which("dot")
    if program is None:
        pytest.skip("Graphviz is not installed")
    done = subprocess.run(
        [program, "-Tsvg"], input=to_dot(graph, 2000, 1).encode(), capture_output=True, timeout=60, check=False
    )
    assert done.returncode == 0 and b"rror" not in done.stderr, done.stderr
    svg = "{http://www.w3.org/2000/svg}"
    groups = [g for g in ElementTree.fromstring(done.stdout).iter(f"{svg}g") if g.get("class") == "node"]
    drawn = {g.findtext(f"{svg}title"): ["".join(t.itertext()) for t in g.iter(f"{svg}text")] for g in groups}
    assert set(drawn) == set(graph)
    for name, attributes in graph.nodes(data=True):
        if len(attributes["text"]) < 2000:
            assert squeezed("".join(drawn[name][1:])) == squeezed(visible(attributes["text"]))


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "golden").glob("*.jsonl")), ids=lambda path: path.stem)
def test_the_tree_of_a_play_goes_through_every_writer_of_networkx(path: Path, tmp_path: Path) -> None:
    tree = moot.load(path).tree
    given = [dict(tree.graph), *(d for _, d in tree.nodes(data=True)), *(d for *_, d in tree.edges(data=True))]
    assert {type(value) for attributes in given for value in attributes.values()} <= {str, int, float, bool}
    out = tmp_path / "tree"
    for write, read in (
        (nx.write_graphml, nx.read_graphml), (nx.write_gml, nx.read_gml), (nx.write_gexf, nx.read_gexf),
        (nx.write_edgelist, None), (nx.write_multiline_adjlist, None), (nx.write_latex, None),
    ):  # fmt: skip
        write(tree, out)
        if read is not None:
            again = read(out)
            assert set(again) == set(tree) and set(again.edges) == set(tree.edges)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pajek has no numbers, and networkx does not escape for it
        nx.write_pajek(tree, out)
    for data in (nx.node_link_data(tree), nx.cytoscape_data(tree)):
        json.dumps(data)
    assert nx.node_link_graph(nx.node_link_data(tree)).nodes == tree.nodes


def test_an_exporter_of_ones_own_is_found_by_its_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(Exporter):
        name: ClassVar[str] = "loud"

        def text(self, transcript: moot.Transcript) -> str:
            return transcript.question.text.upper()

    class Packed(Exporter):
        name: ClassVar[str] = "packed"

        def text(self, transcript: moot.Transcript) -> bytes:
            return b"\x00\xff"

    path, out = str(Path(__file__).parent / "golden" / "debate.jsonl"), tmp_path / "out"
    reading.export(Path(path), "loud", out)
    assert out.read_text() == "WHAT SANK THE SHIPS?\n"
    reading.export(Path(path), "packed", tmp_path / "bytes")
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"
    with pytest.raises(UsageError, match="loud is no form of a tree"):
        reading.tree(Path(path), "loud")
    assert find("exporter", "loud") is Loud and {"dot", "graphml", "json", "jsonl", "mermaid"} <= set(
        everything("exporter")
    )


def test_examples() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph(question="Who?", root="q")
    graph.add_node("q", kind="question", text="Who?", size=4)
    graph.add_node("10", seat="b", role="debater", kind="speech", text='No: "a storm" & rain.', size=21)
    graph.add_node("2", seat="a", role="debater", kind="speech", text="The admiral did it, and then he left.", size=37)
    graph.add_edge("q", "2", relation="answers")
    graph.add_edge("2", "10", relation="attacks")
    assert to_mermaid(graph, width=20, lines=2) == (
        "flowchart TD\n"
        '  n0["q · question<br/>Who#63;"]\n'
        '  n1["2 · a · debater · s…<br/>The admiral did it#44;<br/>and then he left#46;"]\n'
        '  n2["10 · b · debater · …<br/>No#58; #34;a storm#34; #38;<br/>rain#46;"]\n'
        '  n0 -->|"answers"| n1\n'
        '  n1 -->|"attacks"| n2\n'
    )
    dot = to_dot(graph, width=20, lines=1)
    assert r'"2" [label="2 · a · debater · s…\lThe admiral did it,…\l"];' in dot
    assert r'"10" [label="10 · b · debater · …\lNo: \"a storm\" &amp;…\l"];' in dot
    assert json.loads(to_json(graph))["nodes"][1] == {
        "id": "2",
        "seat": "a",
        "role": "debater",
        "kind": "speech",
        "text": "The admiral did it, and then he left.",
        "size": 37,
    }


def test_graphs_of_another_form_are_refused() -> None:
    def tree(**node: Any) -> nx.DiGraph[Any]:
        graph: nx.DiGraph[Any] = nx.DiGraph(question="Who?", root="q")
        graph.add_node("q", **{"kind": "question", "text": "Who?", "size": 4, **node})
        return graph

    to_json(tree())
    loop, lost, bare, named, edge = tree(), tree(), tree(), tree(), tree()
    loop.add_edge("q", "q", relation="cites")
    lost.add_node("0", **lost.nodes["q"])
    del bare.graph["root"]
    named.add_node('a"b', **named.nodes["q"])
    edge.add_node("0", **edge.nodes["q"])
    edge.add_edge("q", "0")
    number = tree()
    number.add_node(7, **number.nodes["q"])
    bad = [loop, lost, bare, named, edge, number, tree(size=-1), tree(text=None), tree(extra=1), tree(size=True)]
    for graph in bad:
        for export in (to_json, to_graphml, to_dot, to_mermaid):
            with pytest.raises(UsageError, match="not an argument tree"):
                export(graph)
    with pytest.raises(UsageError, match="at least 1"):
        to_dot(tree(), width=0)


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.update(version=3),
        lambda d: d.update(version=0),
        lambda d: d.update(format="other"),
        lambda d: d.update(root="z"),
        lambda d: d.pop("version"),
        lambda d: d["nodes"].append(d["nodes"][0]),
        lambda d: d["edges"].append({"parent": "q", "child": "z", "relation": "x"}),
        lambda d: d["edges"].append(d["edges"][0]),
        lambda d: d["nodes"][0].update(size="3"),
        lambda d: d["nodes"][0].update(id="a b\n"),
    ],
)
def test_other_json_is_refused(change: Any) -> None:
    document = json.loads(to_json(all_hostile()))
    change(document)
    with pytest.raises(UsageError, match="tree"):
        from_json(json.dumps(document))


@given(st.text() | st.sampled_from(["[]", "{}", "null", '{"version": 1}', "[" * 100_000]))
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(UsageError):
        from_json(text)


def test_lone_surrogates_are_replaced() -> None:
    graph: nx.DiGraph[str] = nx.DiGraph(question="\ud800", root="q")
    graph.add_node("q", kind="question", text="a\udfffb", size=3)
    assert from_json(to_json(graph)).nodes["q"]["text"] == "a\ufffdb"
    for export in (to_json, to_graphml, to_dot, to_mermaid):
        export(graph).encode()
