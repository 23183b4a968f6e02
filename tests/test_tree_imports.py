"""Argument trees and cited claims from elsewhere: dc-debates and lechmazur."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.engine.errors import UsageError
from moot.testing.strategies import hostile_text
from moot.transcripts.display.claims import citation_graph, responses, support_circle
from moot.transcripts.display.notebook import as_html
from moot.transcripts.display.show import as_text
from moot.transcripts.exporters.graphml import GraphML
from moot.transcripts.exporters.json_tree import Json, from_json
from moot.transcripts.formats.importing import Imported, format_named, problems, record_of_import, transcript_of
from moot.transcripts.formats.records import Record

FIXTURES = Path(__file__).parent / "fixtures"
DC, LECHMAZUR = FIXTURES / "dc_debates", FIXTURES / "lechmazur"
LABELS = {
    "Yes": "yes", "No": "no", "No (main objection)": "main objection", "No (secondary objection)": "secondary objection",
    "Yes but omits key info": "yes but", "": "",
}  # fmt: skip
FEW = settings(deadline=None, max_examples=50)
SOME = settings(
    deadline=None, max_examples=2 * settings().max_examples // 5
)  # of what the profile says: each takes long


def imported(form: str, path: Path, out: Path) -> dict[str, Imported]:
    return {each.name: each for each in format_named(form).imports(path, out)}


def played(form: str, value: Any) -> moot.Transcript:
    """The one play of a record, imported in memory, and found to replay."""
    (play,) = format_named(form).plays(Record("r", value))
    assert not isinstance(play, str)
    transcript = transcript_of(play, form, value)
    moot.replay(transcript)
    return transcript


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    todo = [node]
    while todo:
        yield (each := todo.pop())
        todo += reversed(each.get("children") or [])


def seated(root: dict[str, Any]) -> list[str]:
    """The debaters of a tree in the order of their seats: by their answers, which stand under the question."""
    answers: dict[str, str] = {}
    for child in root["children"]:
        answers.setdefault(child["debater"], child["text"])
    names = dict.fromkeys(node["debater"] for node in list(nodes(root))[1:])
    return sorted(names, key=lambda who: (who not in answers, answers.get(who, "")))


def shape(root: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """The text of every node with those of its children, in order; those of the question in the order of the seats."""
    first = sorted(root["children"], key=lambda child: seated(root).index(child["debater"]))
    return sorted(
        (node["text"], [child["text"] for child in (first if node is root else node.get("children") or [])])
        for node in nodes(root)
    )


def shape_of(transcript: moot.Transcript) -> list[tuple[str, list[str]]]:
    tree = transcript.tree
    by_step = sorted(tree, key=lambda step: -1 if step == "q" else int(step))
    text: dict[str, str] = {step: tree.nodes[step]["text"] for step in tree}
    return sorted((text[step], [text[each] for each in by_step if tree.has_edge(step, each)]) for step in tree)


# -- dc-debates ----------------------------------------------------------------------------------------------------------


def test_a_tree_comes_in_whole_and_replays(tmp_path: Path) -> None:
    found = imported("dc-debates", DC / "candle.json", tmp_path)["candle"]
    assert found.path is not None and found.problems == []
    transcript = moot.load(found.path)
    moot.replay(transcript)
    moot.verify(transcript)
    value = json.loads((DC / "candle.json").read_bytes())
    assert record_of_import(transcript) == value
    assert shape_of(transcript) == shape(value["root"])
    assert transcript.question.choices == ("It is smothered by its own heat.", "It uses up the oxygen that it needs.")
    assert transcript.question.about == value["defs_and_sources"]
    assert transcript.sample.unseal() == 1, (
        "the honest debater answers first in the file, and is b: only the seal says so"
    )
    assert next(iter(transcript.steps())).seat == "a"
    assert "honest" not in b"".join(transcript.lines()).split(b'"event":"imported"')[0].decode()
    relations = {tree[1] for tree in edges(transcript)}
    assert relations == {"supports", "main objection"}
    heard = responses(transcript)
    texts = {step: place["text"] for step, place in citation_graph(transcript).nodes(data=True)}
    by_text = {texts[step]: said for step, said in heard.items() if step != "q"}
    assert by_text["A third of the oxygen is still there when it goes out."] == {"b": "yes but", "a": "yes"}
    assert by_text["A flame that is heated burns faster."] == {"b": "yes", "a": "secondary objection"}
    assert "<b>more</b>" in as_text(transcript) and "<b>more" not in as_html(transcript)


def edges(transcript: moot.Transcript) -> list[tuple[str, str]]:
    return [(child, place["relation"]) for _, child, place in transcript.tree.edges(data=True)]


def test_missing_fields_are_fine_and_unknown_ones_stay(tmp_path: Path) -> None:
    found = imported("dc-debates", DC / "plain.json", tmp_path)["plain"]
    assert found.path is not None and found.problems == []
    transcript = moot.load(found.path)
    assert record_of_import(transcript) == json.loads((DC / "plain.json").read_bytes())
    assert dict(edges(transcript)) == {"1": "supports", "3": "supports", "6": "attacks"}


def test_where_the_recursion_leaves_the_main_objection_is_reported(tmp_path: Path) -> None:
    found = imported("dc-debates", DC / "odd.json", tmp_path)["odd"]
    assert found.path is not None
    assert [problem.removeprefix(f"{DC / 'odd.json'}: ") for problem in found.problems] == [
        "node 4: its level is 9; it stands at 3",
        "node 5: its honest_response is 'Perhaps', which is none of the known responses",
        "node 9: it rejects 10, and stands under 1",
        "node 2: honest argues below it (1 claims), and says 'yes but' to it: the recursion does not go into a main objection",
        "node 1: the recursion goes into 2 of its claims (2, 3)",
        "what b said as number 4 (step 6): the claim is empty",
    ]
    moot.replay(transcript := moot.load(found.path))
    (empty,) = [step for step in transcript.steps() if step.remark]
    assert (empty.step, empty.move["text"], empty.move["to"]) == ("6", " ", "1")


REFUSED = {
    "circle": "node 3: its parent 5 is itself or stands below it: a circle",
    "orphan": "node 3: its parent 99 is not in the file",
    "twice": "two nodes have the id 3",
    "list-for-text": "a child of node 0.text is a list, not a text",
    "three-debaters": "its claims are by referee, dishonest, honest; an argument tree has two debaters",
    "no-root": "the root is None, not an object",
    "nan": "NaN is not JSON",
    "cut": "Unterminated string",
}


def test_what_is_broken_is_reported_with_its_file_and_the_rest_goes_on(tmp_path: Path) -> None:
    found = imported("dc-debates", DC, tmp_path)
    assert {name for name, each in found.items() if each.path is None} == set(REFUSED)
    for name, why in REFUSED.items():
        (problem,) = found[name].problems
        assert problem.startswith(f"{DC / name}.json: ") and why in problem
    assert sorted(path.stem for path in tmp_path.iterdir()) == ["candle", "odd", "plain"]


@pytest.mark.parametrize(
    ("levels", "why"), [(90, ""), (101, "node 101 stands 101 claims deep; at most 100"), (10_000, "deep")]
)
def test_deep_trees(levels: int, why: str, tmp_path: Path) -> None:
    opened = "".join(
        f'{{"id": {i}, "text": "t{i}", "debater": "{"xy"[i % 2]}", "children": [' for i in range(levels + 1)
    )
    (tmp_path / "deep.json").write_text(f'{{"root": {opened}{"]}" * (levels + 1)}}}')
    found = imported("dc-debates", tmp_path, tmp_path / "out")["deep"]
    assert (found.path is None) == bool(why)
    if why:
        assert why in found.problems[0]
    else:
        assert found.path is not None
        tree = moot.load(found.path).tree
        assert len(tree) == levels + 1 and from_json(Json().tree(tree)).nodes == tree.nodes and GraphML().tree(tree)


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    """Trees with any texts and responses, some of whose claims are where no main objection leads."""
    count = draw(st.integers(1, 25))
    made: list[dict[str, Any]] = []
    for i in range(count):
        parent = made[draw(st.integers(0, i - 1))] if i else None
        text = draw(st.text(max_size=8) | hostile_text())
        node: dict[str, Any] = {
            "id": i, "text": f"{i} {text}".encode("utf-8", "replace").decode(),
            "debater": draw(st.sampled_from(["honest", "dishonest"])),
            "honest_response": draw(st.sampled_from([*LABELS])), "dishonest_response": draw(st.sampled_from([*LABELS])),
            "children": [],
        }  # fmt: skip
        if parent is not None:
            parent["children"].append(node)
        made.append(node)
    return {"root": made[0]}


@SOME
@given(trees())
def test_any_tree_is_the_tree_of_its_transcript(value: dict[str, Any]) -> None:
    transcript = played("dc-debates", value)
    assert shape_of(transcript) == shape(value["root"])
    assert record_of_import(transcript) == value
    kinds = [step.move["kind"] for step in transcript.steps()]
    assert kinds.count("assertion") == sum(1 for _ in nodes(value["root"])) - 1
    names = seated(value["root"])
    step_of = {place["text"]: step for step, place in transcript.tree.nodes(data=True)}
    wanted = {
        step_of[node["text"]]: {
            seat: LABELS[label]
            for seat, name in zip("ab", names, strict=False)
            if LABELS[label := node[f"{name}_response"]]
        }
        for node in nodes(value["root"])
    }
    assert responses(transcript) == {step: said for step, said in wanted.items() if said}


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["root", "id", "text", "debater", "children", "parentId", "honest_response", "level"]), inner, max_size=5
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=150)
@given(JUNK)
def test_junk_is_refused_in_words(value: Any) -> None:
    for form, each in (("dc-debates", value), ("dc-debates", {"root": value}), ("lechmazur", value)):
        try:
            played(form, each)
        except UsageError as error:
            assert str(error)


def test_a_judge_can_be_asked_about_an_imported_tree(tmp_path: Path) -> None:
    found = imported("dc-debates", DC / "candle.json", tmp_path)["candle"]
    assert found.path is not None

    def judge(request: moot.Request) -> moot.Verdict:
        assert sum(entry.move.kind == "assertion" for entry in request.view) == 12
        return moot.Verdict(probabilities=(0.9, 0.1))

    transcript = moot.resume(found.path, dict.fromkeys(("a", "b", "judge"), judge))
    assert isinstance(transcript.outcome, moot.Decided)
    assert transcript.outcome.payoffs["a"] > 0


# -- lechmazur -----------------------------------------------------------------------------------------------------------


def test_claims_and_their_citations_come_in(tmp_path: Path) -> None:
    found = imported("lechmazur", LECHMAZUR / "bells.md", tmp_path)["bells"]
    assert found.path is not None and found.problems == []
    transcript = moot.load(found.path)
    moot.replay(transcript)
    assert record_of_import(transcript) == (LECHMAZUR / "bells.md").read_text()
    assert transcript.question.text == "Village churches should ring their bells at night."
    assert transcript.question.choices == ("PRO", "CON") and transcript.question.id == "prop_0900"
    assert transcript.seats == {"a": {"agent": "lm", "model": "model-x"}, "b": {"agent": "lm", "model": "model-y"}}
    graph = citation_graph(transcript)
    number = {step: place["text"].split("]")[0][1:] for step, place in graph.nodes(data=True)}
    cited = {(number[step], number[other]) for step, other in graph.edges}
    assert cited == {("C1.1", "P1.1"), ("C1.2", "P1.2"), ("P2.1", "C1.1"), ("P2.2", "C1.2"), ("P2.2", "P1.2")}
    assert graph.nodes["4"]["text"].endswith("helps nobody.\nIt even keeps them awake.")
    assert {place["seat"] + place["relation"] for place in graph.nodes.values()} == {"asupports", "battacks"}
    assert support_circle(transcript) == ()


def test_what_a_file_says_wrongly_of_itself_is_reported(tmp_path: Path) -> None:
    found = imported("lechmazur", LECHMAZUR, tmp_path)
    assert {name for name, each in found.items() if each.path is None} == {
        "no-proposition",
        "no-turns",
        "empty",
        "bytes",
    }
    assert all(
        each.problems and each.problems[0].startswith(str(LECHMAZUR)) for name, each in found.items() if name != "bells"
    )
    assert [problem.split("odd.md: ")[1] for problem in found["odd"].problems] == [
        "turn 2: it is turn 1 of the file",
        "turn 2: its model is 'm9'; PRO is argued by 'm1'",
        "turn 2: some of it stands under no number",
        "turn 2: claim_ids lists P1.3, which the turn does not have",
        "turn 2: cited_claim_ids does not list C9.9, P1.1, C1.1, which the turn has",
        "turn 2: missing_claim_id_refs lists C7.1, which the turn does not have",
        "turn 2: missing_claim_id_refs does not list C9.9, P1.1, C1.1, which the turn has",
        "turn 2: it says nothing",
        "turn 3: it cites C1.1, which was not claimed before",
    ]
    path = found["odd"].path
    assert path is not None
    graph = citation_graph(moot.load(path))
    assert graph.nodes["2"]["missing"] == ["C9.9", "P1.1", "C1.1"]
    assert graph.nodes["5"]["text"].endswith("- a list\n## Not a turn\n[C1.1] Again, no.")


def test_numbers_that_share_brackets_are_citations_which_a_head_need_not_list() -> None:
    head = "- proposition: Bees count.\n## Turn 1: PRO Opening\n[P1.1] They dance.\n[P1.2] They learn.\n## Turn 2: CON Opening\n"
    fields = "- cited_claim_ids: [P1.2]\n- missing_claim_id_refs: (none)\n"
    transcript = played(
        "lechmazur", f"{head}{fields}[C1.1] Dancing is not counting [P1.1, P1.2], nor is this [P1.2] [P7.1; P7.2]."
    )
    assert problems(transcript) == []
    assert sorted(citation_graph(transcript).edges) == [("4", "1"), ("4", "2")]
    alone = played("lechmazur", f"{head}{fields}[C1.1] Dancing [P1.1] is not counting [P1.2].")
    assert problems(alone) == ["turn 2: cited_claim_ids does not list P1.1, which the turn has"]


@FEW
@given(st.lists(st.lists(st.lists(st.integers(0, 30), max_size=3), max_size=20), min_size=1, max_size=6), st.booleans())
def test_any_citations_are_the_graph_of_the_transcript(turns: list[list[list[int]]], head: bool) -> None:
    """Turns of claims that cite others by their place among all claims, there or not, said before or not."""
    names = [f"{'PC'[t % 2]}{t // 2 + 1}.{c + 1}" for t, turn in enumerate(turns) for c in range(len(turn))]
    lines, wanted, at = ["- proposition: So be it."], set[tuple[str, str]](), 0
    for t, turn in enumerate(turns):
        lines.append(f"## Turn {t + 1}: {['PRO', 'CON'][t % 2]} Speech")
        if head:
            lines.append(f"- claim_ids: {', '.join(f'[{name}]' for name in names[at : at + len(turn)]) or '(none)'}")
        for cites in turn:
            cited = [names[i] for i in cites if i < len(names)]
            wanted |= {(names[at], names[i]) for i in cites if i < at}
            lines.append(f"[{names[at]}] So {' and '.join(f'[{name}]' for name in cited)}.")
            at += 1
    transcript = played("lechmazur", "\n".join(lines))
    graph = citation_graph(transcript)
    number = {step: place["text"].split("]")[0][1:] for step, place in graph.nodes(data=True)}
    assert {(number[step], number[other]) for step, other in graph.edges} == wanted
    assert list(number.values()) == names
    assert any("which was not claimed before" in each for each in problems(transcript)) == any(
        place["missing"] for place in graph.nodes.values()
    )


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(
    ["- proposition: P", "## Turn 1: PRO Opening", "## Turn 9: con", "[P1.1] x", "[P1.1]", "", "- claim_ids: [P1.1], [C1", "[C1.1] [P1.1",
     "- a", "\x00", "\u2028[P1.2] y", "- model: \x1b[2J"]), max_size=14))  # fmt: skip
def test_any_lines_are_read_or_refused_in_words(lines: list[str]) -> None:
    try:
        transcript = played("lechmazur", "\n".join(lines))
    except UsageError as error:
        assert "proposition" in str(error) or "turn" in str(error)
        return
    assert record_of_import(transcript) == "\n".join(lines)
