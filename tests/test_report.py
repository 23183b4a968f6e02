"""How a reproduction is reported: every figure, in columns that fit, and what holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from moot.experiments.statistics.report import Report, Row

words = st.text("abc ", min_size=1, max_size=90).map(str.strip).filter(bool)
figures = st.none() | st.integers(-(10**6), 10**6) | st.floats(-1, 1) | st.text("0123456789", min_size=1, max_size=9)
rows = st.lists(
    st.builds(Row, name=words, measured=figures, published=figures, note=st.text("xyz ", max_size=60).map(str.strip),
              holds=st.sampled_from([None, True, False]), count=st.none() | st.integers(0, 99)),
    max_size=6,
)  # fmt: skip


@given(rows, st.integers(70, 140))
def test_a_report_fits_and_leaves_nothing_out(made: list[Row], width: int) -> None:
    report = Report(title="T", source="S", rows=tuple(made))
    lines = report.text(width).splitlines()
    assert lines[0] == "T (S)"
    assert all(len(line) <= width for line in lines[1:])
    said = "".join("".join(lines).split())
    assert all(part in said for row in made for part in [*row.name.split(), *row.note.split()])
    assert report.holds == all(row.holds is not False for row in made)


def test_a_report_to_the_letter() -> None:
    found = Row(name="accuracy", measured=0.75, low=0.5, high=0.9, published=0.76, count=40, undecided=2, holds=True)
    unknown = Row(name="reward", measured=None, note="nobody was paid")
    report = Report(title="T", source="S", rows=(found, unknown), settings={"seed": 0}, notes=("One.",))
    assert report.text(100).splitlines() == [
        "T (S)",
        "seed 0",
        "",
        "figure    measured    interval  published                 of  holds",
        "───────────────────────────────────────────────────────────────────",
        "accuracy      0.75  0.5 to 0.9       0.76  40 (+2 undecided)    yes",
        "reward     unknown                                                   nobody was paid",
        "- One.",
    ]
