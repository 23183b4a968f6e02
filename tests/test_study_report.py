"""The page of a study: what it says of each claim, and that nothing which a row says can act in it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_kit import arm_of, undecided

from moot.protocols.engine.errors import UsageError
from moot.studies.design import ArmDesign, Design, QuestionDesign
from moot.studies.report.drawing import Drawing, Text, extent
from moot.studies.report.figures import figures
from moot.studies.report.page import CLAIMS, report
from moot.studies.report.plot import HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Mark, around, bars, plot
from moot.studies.report.svg import svg
from moot.studies.results.gates import Gate
from moot.studies.results.results import Results

NONE = "This study has no evidence of it."
ROWS: list[dict[str, Any]] = [
    row for n in (2, 4, 8) for arm, rights in (("alone", [True, False]), ("debate", [True, None]))
    for row in arm_of(arm, rights, study="one", n=n, reads=n, tree_size=n * n, cost=0.5, payoffs={"alice": 1.0}, epoch=n)
]  # fmt: skip


def _sections(page: str) -> list[str]:
    return re.split("<h2>", page)[1:]


def test_the_page_says_of_each_claim_what_there_is(tmp_path: Path) -> None:
    out = report(ROWS, tmp_path / "page.html", gates=[Gate("helps", contrast={"debate": 1, "alone": -1}, at_least=0.1)])
    page = out.read_text("utf-8")
    said, good, honest, stays, tolerates, took = _sections(page)
    assert "helps: " in said and "no evidence" not in said
    assert [section.partition("</h2>")[0] for section in (good, honest, stays, tolerates)] == [f"{i}. {claim}" for i, (claim, _) in enumerate(CLAIMS, 1)]  # fmt: skip
    assert [NONE in section for section in (good, honest, stays, tolerates)] == [False, False, True, False]
    assert "3 unreadable" in honest and honest.count("<svg") == 4 and "<svg" in took
    files = sorted(path.name for path in (tmp_path / "page_figures").iterdir())
    assert files == ["accuracy.svg", "calibration.svg", "cost.svg", "frontier_reads.svg", "tree_size.svg"]
    for path in (tmp_path / "page_figures").iterdir():
        ElementTree.parse(path)
    assert page == report(ROWS, tmp_path / "again.html", gates=[Gate("helps", contrast={"debate": 1, "alone": -1}, at_least=0.1)], figures=False).read_text("utf-8")  # fmt: skip


@pytest.mark.parametrize("rows", [[], [undecided("q", "not played")], [undecided("q", "errored")]])
def test_a_study_without_verdicts_has_no_evidence(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    page = report(rows, tmp_path / "page.html").read_text("utf-8")
    assert page.count(NONE) == 4 and "<svg" not in page


def test_time_is_an_axis_that_is_called_so(tmp_path: Path) -> None:
    rows = [{**row, "axes": {"checkpoint": row["n"]}} for row in ROWS]
    assert NONE not in report(rows, tmp_path / "page.html").read_text("utf-8")


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=1>', "a&b\x00\ud800\u202e", "]]>"])
def test_what_rows_say_does_nothing_in_the_page(text: str, tmp_path: Path) -> None:
    rows = [
        {**row, "arm": text if row["arm"] == "alone" else "b", "study": text, "payoffs": {text: 0.5}} for row in ROWS
    ]
    page = report(rows, tmp_path / "page.html").read_text("utf-8")
    assert not re.search(r"<script|<img|\son\w+=x|https?://(?!www\.w3\.org/2000/svg)", page.replace("&lt;", ""))
    assert "<script" not in page and "<img" not in page and "\x00" not in page and "\u202e" not in page
    for path in (tmp_path / "page_figures").iterdir():
        ElementTree.parse(path)


def test_a_page_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot write .*: No such file"):
        report(ROWS, tmp_path / "none" / "page.html")


finite = st.floats(-1e6, 1e6)
names = st.one_of(st.sampled_from(["m", "an arm with a long name", "審判", "<&>"]), st.text(max_size=60))


def _meeting(drawing: Drawing) -> list[tuple[str, str]]:
    """The texts of a drawing that stand on one another, which are not turned."""
    boxes = []
    for piece in drawing.pieces:
        if isinstance(piece, Text) and piece.text and not piece.turned:
            wide = extent(piece.text, piece.size)
            left = piece.at[0] - {"start": 0, "middle": wide / 2, "end": wide}[piece.anchor]
            boxes.append((piece.text, left, left + wide, piece.at[1] - 9, piece.at[1]))
    return [
        (one[0], other[0]) for i, one in enumerate(boxes) for other in boxes[:i]
        if one[1] < other[2] and other[1] < one[2] and one[3] < other[4] and other[3] < one[4]
    ]  # fmt: skip


@given(st.lists(st.tuples(finite, finite, names), min_size=1, max_size=24), st.booleans(), st.integers(0, 12))
@settings(max_examples=25, deadline=None)
def test_every_mark_stands_within_its_figure_and_no_text_on_another(points: list[tuple[float, float, str]], log: bool, series: int) -> None:  # fmt: skip
    x, y = (
        around("a", [*values], log=log, zero=not log)
        for values in ([a for a, _, _ in points], [b for _, b, _ in points])
    )
    marks = [Mark(a, b, name=name, series=i % (series or 1)) for i, (a, b, name) in enumerate(points)]
    drawing = plot("t", x, y, marks, series=[f"series {i}" for i in range(series)])
    tree = ElementTree.fromstring(svg(drawing))
    for circle in tree.iter("{http://www.w3.org/2000/svg}circle"):
        if float(circle.attrib["cy"]) <= HEIGHT:  # else it is in the key
            assert LEFT <= float(circle.attrib["cx"]) <= WIDTH - RIGHT
            assert TOP <= float(circle.attrib["cy"])
    assert not _meeting(drawing)


@given(st.lists(st.tuples(names, finite), min_size=1, max_size=40), st.booleans())
@settings(max_examples=25, deadline=None)
def test_bars_of_many_names_stand_clear(held: list[tuple[str, float]], points: bool) -> None:
    axis = around("an amount", [value for _, value in held])
    drawing = bars("t", axis, [(name, value, None, None) for name, value in held], points)
    assert not _meeting(drawing)
    ElementTree.fromstring(svg(drawing))


def test_ticks_are_round_numbers() -> None:
    assert [name for _, name in Axis("", 0, 1).ticks()] == ["0", "0.2", "0.4", "0.6", "0.8", "1"]
    assert [name for _, name in Axis("", 1, 1000, log=True).ticks()] == ["1", "10", "100", "1000"]
    assert [name for _, name in Axis("", 3, 60, log=True).ticks()] == ["5", "10", "20", "50"]


ARM = ArmDesign(name="alone", fingerprint="f", repetitions=1)
DESIGN = Design(name="one", arms=(ARM,), questions=(QuestionDesign(name="q", fingerprint="g"),), epochs=1)


def test_the_page_begins_with_what_was_studied(tmp_path: Path) -> None:
    front = report(ROWS, tmp_path / "p.html", design=DESIGN).read_text("utf-8").partition("<h2>")[0]
    assert DESIGN.digest in front and "not frozen" in front and "3 unreadable" in front
    assert "<th>tokens</th><td>unknown</td>" in front and "<th>cost</th><td>6</td>" in front
    frozen = DESIGN.model_copy(update={"frozen": {"at": "<2026>", "moot": "0.0.1"}})
    front = report(ROWS, tmp_path / "p.html", design=frozen).read_text("utf-8").partition("<h2>")[0]
    assert "&lt;2026&gt;, with moot 0.0.1" in front and "not frozen" not in front
    partly = [*ROWS[1:], {**ROWS[0], "cost": None}]
    assert "<td>5.5 (+1 unknown)</td>" in report(partly, tmp_path / "p.html").read_text("utf-8")


def test_payoffs_are_a_line_an_arm(tmp_path: Path) -> None:
    rows = [{**row, "payoffs": {"alice": 1.0, "bob": None if row["arm"] == "alone" else -1.0}} for row in ROWS]
    good = _sections(report(rows, tmp_path / "p.html").read_text("utf-8"))[0]
    assert good.count("<tr>") == 3 and "paid to alice" in good and "<td>-1.000" in good and "<td></td>" in good


def test_an_axis_of_numbers_is_a_line_in_which_the_undecided_count(tmp_path: Path) -> None:
    rows = [{**row, "axes": {"budget": row["n"], "protocol": row["arm"]}} for row in ROWS]
    found = figures(Results(rows), "arm")["budget_budget"]
    assert "counts as not right" in found.caption
    assert {piece.text for piece in found.drawing.pieces if isinstance(piece, Text)} >= {"alone", "debate", "right, of all plays"}  # fmt: skip
    true = [{**row, "axes": {"on": row["n"] > 2}} for row in ROWS]
    assert "budget_on" not in figures(Results(true), "arm")


def test_prices_are_drawn_of_the_right_answer() -> None:
    paths = {"alone": [[0.5, 0.5], [0.9, 0.1]], "debate": [[0.5, 0.5], [0.6, 0.4], [0.7, 0.3]]}
    rows = [{**row, "prices": paths[row["arm"]]} for row in ROWS]
    found = figures(Results(rows), "arm")["prices"]
    assert f"of {len(rows)} markets" in found.caption
    odd = [{**row, "prices": [[1.0], [1.0]]} for row in ROWS]  # of another question, with other choices
    assert "prices" not in figures(Results(odd), "arm")
    for bad in ("0.5", [0.5], [[float("nan"), 1.0]], [["a", 0.5]]):
        with pytest.raises(UsageError, match="prices is"):
            Results([{**ROWS[0], "prices": bad}])


def test_trees_that_no_float_holds_are_said_and_not_drawn(tmp_path: Path) -> None:
    rows = [{**row, "full_tree_size": 10 ** (100 * row["n"])} for row in ROWS]
    found = figures(Results(rows), "arm")["tree_size"]
    assert "4 points of more than 1e+250 nodes are not drawn" in found.caption
    assert Results(rows).measure("full_tree_size").undecided == {"too large": 8}
    assert report(rows, tmp_path / "p.html").exists()


def test_figures_as_pdf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    rows = [{**row, "arm": "$\\frac{</svg>$ 審", "cost": None} for row in ROWS[:2]]
    out = report(rows, tmp_path / "p.html", pdf=True)
    papers = sorted((tmp_path / "p_figures").glob("*.pdf"))
    assert [each.stem for each in papers] == sorted(each.stem for each in (tmp_path / "p_figures").glob("*.svg"))
    first = [each.read_bytes() for each in papers]
    assert all(each.startswith(b"%PDF-") and b"/CreationDate" not in each for each in first)
    report(rows[:2], out, pdf=True)
    assert first == [each.read_bytes() for each in papers]
    monkeypatch.setitem(__import__("sys").modules, "matplotlib.figure", None)
    with pytest.raises(UsageError, match=r"figures as PDF need .*pip install 'moot\[plot\]'"):
        report(ROWS, tmp_path / "q.html", pdf=True)
    assert not (tmp_path / "q.html").exists()
