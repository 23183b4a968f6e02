"""Transcripts, ledgers and trees show themselves, whatever agents said."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import cli_agents
import networkx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.spending import ledger_html, number, percent
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import as_shown
from moot.protocols.text import one_line, visible
from moot.transcripts.display.notebook import as_html, tree_html
from moot.transcripts.display.show import as_text, bar, ledger_text, tree_text

PASSAGE = "The storm came at night. It sank the fleet."
SEATS: dict[str, Any] = {"a": cli_agents.speaker, "b": cli_agents.speaker, "judge": cli_agents.judge}
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")
TAGS = {"div", "p", "b", "i", "ol", "ul", "li", "span", "table", "tr", "td", "th", "code"}

anything = st.text(st.characters(exclude_categories=()), max_size=60)
hostile = st.one_of(
    anything,
    st.sampled_from(
        ["<script>x</script>", "\x1b[31m", "</div><img src=x onerror=y>", "\u202e", "[red]", "&lt;", "\r", "'\"><b>"]
    ),
)


def played(
    text: str = "Who sank it?", choices: tuple[str, ...] = ("a storm", "the admiral"), **options: Any
) -> moot.Transcript:
    seats = {**SEATS, **options.pop("seats", {})}
    truth = options.pop("truth", 1)
    return moot.run(moot.Debate(**options), moot.Sample(moot.Question(text, choices, passage=PASSAGE), truth), seats)


class Checked(HTMLParser):
    """Fails on any element or attribute that moot itself does not write."""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= {"style", "start"}


def check_html(html: str) -> None:
    Checked(convert_charrefs=False).feed(html)
    assert not FORBIDDEN.search(html)


@given(anything)
def test_visible_text_obeys_nothing(text: str) -> None:
    assert not FORBIDDEN.search(visible(text))
    assert "\n" not in one_line(text) and len(one_line(text, 20)) <= 20
    visible(text).encode()


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=60))
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert visible(text) == text


@settings(max_examples=40, deadline=None)
@given(text=hostile, said=hostile, reason=hostile, choice=hostile, width=st.integers(20, 200))
def test_hostile_text_stays_text(text: str, said: str, reason: str, choice: str, width: int) -> None:
    def clean(value: str) -> str:
        return value.encode("utf-8", "ignore").decode()

    said, reason = clean(said), clean(reason)
    transcript = played(
        clean(text).strip() or "x", (clean(choice) if as_shown(clean(choice)) else "x", "other choice"), rounds=1,
        seats={"a": lambda r: moot.Speech(text=said + "."),
               "judge": lambda r: moot.Verdict(probabilities=(0.5, 0.5), text=reason)},
    )  # fmt: skip
    shown = as_text(transcript, width)
    assert not FORBIDDEN.search(shown)
    assert not FORBIDDEN.search(re.sub("\x1b\\[[0-9;]*m", "", as_text(transcript, width, colour=True)))
    assert not FORBIDDEN.search(tree_text(transcript.tree, width))
    check_html(as_html(transcript))
    check_html(tree_html(transcript.tree))
    check_html(ledger_html(transcript.ledger))


@settings(max_examples=30, deadline=None)
@given(said=st.text(st.sampled_from("ab漢字 \t"), min_size=1, max_size=300), width=st.integers(20, 80))
def test_no_line_is_wider_than_asked_for(said: str, width: int) -> None:
    from rich.cells import cell_len

    transcript = played(rounds=1, seats={"a": lambda r: moot.Speech(text=said + "x")})
    assert max(cell_len(line) for line in as_text(transcript, width).splitlines()) <= width


@given(st.floats(0, 1), st.integers(1, 60))
def test_a_bar_has_its_length_and_its_share(value: float, full: int) -> None:
    drawn = bar(value, full)
    assert len(drawn) == full
    assert abs(drawn.count("█") - value * full) <= 1


@given(st.floats(0, 1))
def test_percent_never_rounds_to_certainty(value: float) -> None:
    assert (percent(value) == "100 %") == (value == 1)
    assert (percent(value) == "0 %") == (value == 0)


def test_an_unknown_number_is_never_zero() -> None:
    assert number(None) == "unknown" and number(0) == "0" and number(0.25) == "0.25"


def test_a_transcript_reads_as_people_like_to_read_one(tmp_path: Path) -> None:
    question = moot.Question("Who sank it?", ("a storm", "the admiral"), passage=PASSAGE)
    seats = {**SEATS, "judge": moot.Bounded(cli_agents.judge, reads="40*n + 2000")}
    transcript = moot.run(moot.Debate(rounds=2), moot.Sample(question, 1), seats, out=tmp_path / "d.jsonl", seed=7)
    text = as_text(transcript, 80)
    lines = text.splitlines()
    assert lines[0] == "Who sank it?"
    assert "  0  a storm" in lines and "  1  the admiral" in lines
    assert "debate; n = 16; passage of 9 words; seed 7" in lines
    assert "  a  debater: program cli_agents:speaker; defends “a storm”" in lines
    assert any("at most 2640 reads" in line for line in lines)
    order = ["── Round 1 of 2", "a · speech for “a storm” · step 0.0.0", "b · speech for “the admiral” · step 0.1.0",
             "── Round 2 of 2", "· step 1.1.0", "── Verdict", "judge · verdict · step 2", "as I see it",
             "── Outcome"]  # fmt: skip
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert "“the storm came at night”✓" in text and "“nobody saw”✗" in text and "<quote>" not in text
    assert "Decided: the admiral (75 %)" in lines
    assert "true answer: the admiral; the judge is right; its reward: -0.2877" in lines
    assert transcript.digest in text
    html = transcript._repr_html_()
    for part in ("Who sank it?", "Round 1 of 2", "“nobody saw”✗", "Decided: the admiral (75 %)", transcript.digest):
        assert part in html


def test_truth_is_shown_only_where_it_is_known() -> None:
    assert "true answer" not in as_text(played(truth=None))


def test_endings_that_are_no_verdict() -> None:
    assert "Errored at step 0.0.0: seat a failed: RuntimeError" in as_text(played(seats={"a": cli_agents.broken}))
    forfeited = as_text(played(seats={"a": cli_agents.silent}))
    assert "Forfeited by a at step 0.0.0" in forfeited and "rejected: the speech is empty" in forfeited
    bounded = moot.Bounded(cli_agents.reader, reads=10)
    exhausted = as_text(played(seats={"judge": bounded}))
    assert "Exhausted at step 2: judge would have spent" in exhausted and "reads of 10" in exhausted


def test_an_unfinished_play_and_a_protocol_that_is_not_installed(tmp_path: Path) -> None:
    lines = list(played().lines())
    text = as_text(moot.Transcript(lines[:3]))
    assert "Not ended" in text and "speech for “a storm”" in text
    from moot.transcripts.events import EventLog
    from moot.transcripts.events import played_part as part

    again: list[bytes] = []
    log = EventLog(again.append)
    for line in lines:
        log.line(part(line).replace(b'"name":"debate"', b'"name":"lost"'))
    text = as_text(moot.Transcript(again))
    assert "lost; n = " in text and "a · speech · step 0.0.0" in text and "Decided: the admiral" in text


def test_the_ledger_against_its_budgets() -> None:
    seats = {"judge": moot.Bounded(cli_agents.reader, reads="100*n")}
    transcript = played(rounds=1, seats=seats)
    text = ledger_text(transcript.ledger, transcript.guarantee)
    reads = transcript.ledger.seats["judge"].reads
    assert reads is not None and reads > 0
    assert re.search(rf"^budget: judge reads: {reads} of 1600 \(\d+ %\) at n = 16$", text, re.M)
    assert "guarantee: none: the verdict puts no answer ahead of the others" in text
    assert "with these parameters decides S2P, by what is read" in text and "assumed: optimal-play: " in text
    plain = played(rounds=1)
    text = ledger_text(plain.ledger, plain.guarantee)
    assert "guarantee: none: the judge's reads were not bounded" in text and "nothing was bounded" in text


def test_unknown_cost_is_said_to_be_unknown() -> None:
    ledger = played(rounds=1).ledger
    ledger.seats["a"].prompt_tokens = None
    text = ledger_text(ledger)
    assert re.search(r"^a .*unknown", text, re.M) and re.search(r"^all .*unknown", text, re.M)
    assert "unknown" in ledger._repr_html_()


def test_a_tree_is_a_frozen_graph_that_shows_itself() -> None:
    tree = played(rounds=2).tree
    assert isinstance(tree, networkx.DiGraph) and networkx.is_arborescence(tree) and networkx.is_frozen(tree)
    with pytest.raises(networkx.NetworkXError):
        tree.add_node("x")
    assert str(tree) == tree_text(tree)
    assert str(tree).splitlines()[0] == "q question: Who sank it?"
    assert str(tree).count("\n") == len(tree) == 5
    assert "│  └─ 1.0.0 a speech (supports): a says" in str(tree)
    assert "1.1.0" in tree._repr_html_()
    assert tree.nodes["0.0.0"]["role"] == "debater"
    assert networkx.DiGraph(tree).number_of_edges() == 4
    tree.subgraph(["q", "0.0.0"]).copy().add_node("free")


def test_every_export_takes_the_tree_of_a_play() -> None:
    from moot.transcripts.exporters.dot import Dot
    from moot.transcripts.exporters.graphml import GraphML
    from moot.transcripts.exporters.json_tree import Json, from_json
    from moot.transcripts.exporters.mermaid import Mermaid

    tree = played(rounds=2).tree
    again = from_json(Json().tree(tree))
    assert {node: again.nodes[node] for node in again} == {node: tree.nodes[node] for node in tree}
    for write in (Dot().tree, GraphML().tree, Mermaid().tree):
        assert "nobody" in write(tree)


def test_a_deep_tree_is_drawn_in_bounded_space() -> None:
    text = str(played(rounds=600, order="sequential").tree)
    assert text.count("\n") == 1201 and max(map(len, text.splitlines())) < 250


def test_bad_widths_do_no_harm() -> None:
    assert as_text(played(), width=0)
    with pytest.raises(UsageError):
        moot.load("nowhere.jsonl")
