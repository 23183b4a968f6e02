"""The report of a study: one page of HTML, in the order of the claims of a safety case, with the figures as files beside it.
Rule: what is said of a claim is this study's evidence, or that there is none; a figure without data is not drawn.

The claims are those of Buhl, Pfau, Hilton and Irving 2025, "An alignment safety case sketch based on debate" (arXiv
2505.03989): (1) the agent has become good at the debate game, (2) good performance in it implies that the system is mostly
honest, (3) the system will not become significantly less honest in deployment, (4) the context tolerates some errors."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Any

from moot.experiments.statistics.intervals import Estimate
from moot.protocols.engine import __version__
from moot.protocols.engine.errors import UsageError
from moot.protocols.text import one_line
from moot.studies.design import Design
from moot.studies.report.figures import TIMES, Figure, column_name, named
from moot.studies.report.figures import figures as drawn_of
from moot.studies.report.pdf import pdf as as_pdf
from moot.studies.report.svg import svg
from moot.studies.results.gates import Gate
from moot.studies.results.results import Results
from moot.studies.results.rows import OPEN, Row
from moot.studies.results.summary import interval, total, undecided

STYLE = (
    ":root{color-scheme:light dark}body{font:16px/1.5 sans-serif;max-width:800px;margin:2em auto;padding:0 1em;color:#222;background:#fff}"
    "table{border-collapse:collapse;font-size:14px}.wide{overflow-x:auto}td,th{padding:.2em .8em .2em 0;border-bottom:1px solid #8884;"
    "text-align:right;vertical-align:top}td:first-child,th:first-child,.front td{text-align:left}th{font-weight:600}"
    "svg{max-width:100%;height:auto}.none{color:#8a4b00}figure{margin:1.5em 0;break-inside:avoid}figcaption{font-size:14px}"
    "code{font-size:14px;overflow-wrap:anywhere}.about{font-size:14px;opacity:.8}h2{margin-top:2em;break-after:avoid}"
    "@media(prefers-color-scheme:dark){body{color:#ddd;background:#181818}.none{color:#ffb060}}"
    "@media print{body{max-width:none;margin:0;color:#000;background:#fff}}"
)
CLAIMS = (
    ("The agents have become good at the game", "What their play was paid, and how often it came to an end."),
    ("Good play is honest", "How often the judge was right, by what it spent; how far its beliefs can be trusted."),
    ("They stay honest", "Whether accuracy holds over time."),
    ("The setting tolerates some errors", "How often a wrong answer won, at best and at worst."),
)


def report(
    rows: Results | Iterable[Row], out: str | Path, *, title: str = "", by: str = "arm", gates: Sequence[Gate] = (),
    figures: bool = True, pdf: bool = False, design: Design | None = None,
) -> Path:  # fmt: skip
    """Writes the page, and beside it, in a folder with the page's name and "_figures", each figure as an SVG file. Takes
    the rows of a study, or its `Results`. pdf: as PDF files too, which needs the extra `moot[plot]`. design: what the page
    says of the design. UsageError where it cannot be written."""
    results = rows if isinstance(rows, Results) else Results(rows)
    out, drawn = Path(out), drawn_of(results, by)
    papers = {name: as_pdf(figure.drawing) for name, figure in drawn.items()} if pdf else {}
    page = _page(results, title or _title(results), by, gates, drawn, design)
    try:
        _put(out, page.encode("utf-8", "backslashreplace"))
        if drawn and (figures or pdf):
            folder = out.with_name(f"{out.stem}_figures")
            folder.mkdir(exist_ok=True)
            for name, figure in drawn.items():
                _put(folder / f"{name}.svg", (svg(figure.drawing) + "\n").encode("utf-8", "backslashreplace"))
            for name, paper in papers.items():
                _put(folder / f"{name}.pdf", paper)
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror or error}") from None
    return out


def _put(path: Path, content: bytes) -> None:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        made = Path(folder) / "whole"
        made.write_bytes(content)
        os.replace(made, path)


def _title(results: Results) -> str:
    return ", ".join(dict.fromkeys(str(row["study"]) for row in results.rows if row["study"])) or "A study"


def _page(
    results: Results, title: str, by: str, gates: Sequence[Gate], drawn: dict[str, Figure], design: Design | None
) -> str:  # fmt: skip
    parts = [f"<h1>{_text(title)}</h1>", _front(results, design)]
    if gates:
        parts.append("<h2>What was said beforehand</h2><ul>")
        parts += [f"<li>{_text(str(gate.rule(results)))}</li>" for gate in gates]
        parts.append("</ul>")
    evidence = (_good(results, by), _honest(results, by, drawn), _stays(results), _tolerates(results, by))
    for number, ((claim, about), shown) in enumerate(zip(CLAIMS, evidence, strict=True), 1):
        parts += [
            f'<h2>{number}. {claim}</h2><p class="about">{about}</p>',
            shown or '<p class="none">This study has no evidence of it.</p>',
        ]
    if "cost" in drawn:
        parts += ["<h2>What it took</h2>", _figure(drawn["cost"])]
    parts.append(
        '<p class="about">The claims are those of Buhl, Pfau, Hilton and Irving 2025, An alignment safety case sketch based on '
        "debate (arXiv 2505.03989). Figures of one study are evidence for a part of a claim, never for all of it.</p>"
    )
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    head = (
        f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
        f'content="{policy}"><title>{_text(title)}</title>'
    )
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}<style>{STYLE}</style></head><body>\n'
        + "\n".join(parts)
        + "\n</body></html>\n"
    )


def _front(results: Results, design: Design | None) -> str:
    """What was studied, whether its design was held fast, what came of its cells and what they took."""
    arms, questions = (len({row[name] for row in results.rows}) for name in ("arm", "question"))
    counts = results.outcomes()
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    lines = [["arms, questions", f"{arms} arms, {questions} questions"]]
    if design is not None:
        frozen = design.frozen or {}
        held = f"{frozen.get('at', 'at an unknown time')}, with moot {frozen.get('moot', 'of an unknown version')}"
        lines = [
            ["study", design.name],
            ["design", f"{design.digest}: {len(design.arms)} arms, {len(design.questions)} questions"],
            ["frozen", held if frozen else "not frozen: the design may have been changed when results were known"],
        ]
    still = sum(counts.get(each, 0) for each in OPEN)
    lines += [
        ["cells", f"{len(results)}: {outcomes or 'none'}" + (f"; {still} still to come to an end" if still else "")],
        ["tokens", total(results.cost(what="tokens"))],
        ["cost", total(results.cost())],
        ["this page", f"by moot {__version__}; moot replays and verifies every cell: moot verify cells/*/*.jsonl"],
        ["the rows", "moot results FOLDER --to csv -o rows.csv"],
    ]
    rows = "".join(f"<tr><th>{_text(name)}</th><td>{_text(what)}</td></tr>\n" for name, what in lines)
    return f'<table class="front">{rows}</table>'


def _good(results: Results, by: str) -> str:
    """A line for each group, with what each seat was paid."""
    seats = sorted({seat for row in results.rows for seat, paid in (row["payoffs"] or {}).items() if paid is not None})
    paid = {seat: results.measure(f"payoffs.{seat}", by=by) for seat in seats}
    lines = []
    for held in results.by(by) if seats else ():
        found = [paid[seat][held] for seat in seats]
        if any(each.value is not None for each in found):
            most = max(found, key=lambda each: each.count)
            lines.append([named(held), *(_paid(each) for each in found), str(most.count), undecided(most)])
    return _table([column_name(by), *(f"paid to {seat}" for seat in seats), "verdicts", "undecided"], lines)


def _paid(found: Estimate) -> str:
    within = interval(found)
    return "" if found.value is None else _number(found) + (f" ({within})" if within else "")


def _honest(results: Results, by: str, drawn: dict[str, Figure]) -> str:
    found = results.accuracy(by=by) if results.rows else {}
    if all(each.value is None for each in found.values()):
        return ""
    lines = [[named(held), *_cells(each)] for held, each in found.items()]
    pictures = [_figure(figure) for name, figure in drawn.items() if name != "cost"]
    kept = results.measure("guarantee")
    said = (
        ""
        if kept.value is None
        else f"<p>The guarantee that was declared held in {_number(kept)} of the plays that say so.</p>"
    )
    return _table([column_name(by), "accuracy", "interval", "verdicts", "undecided"], lines) + said + "".join(pictures)


def _stays(results: Results) -> str:
    for axis in TIMES:
        if len({row["axes"][axis] for row in results.rows if axis in (row["axes"] or {})}) > 1:
            lines = [[named(held), *_cells(found)] for held, found in results.accuracy(by=f"axes.{axis}").items()]
            return _table([axis, "accuracy", "interval", "verdicts", "undecided"], lines)
    return ""


def _tolerates(results: Results, by: str) -> str:
    lines = []
    for held, found in (results.bounds("wrong", by=by) if results.rows else {}).items():
        if found.decided.value is not None:
            lines.append(
                [
                    named(held),
                    _number(found.decided),
                    interval(found.decided),
                    _number(found.right),
                    _number(found.wrong),
                ]
            )
    return _table(
        [column_name(by), "judged for a wrong answer", "interval", "undecided as right", "undecided as wrong"], lines
    )


def _number(found: Estimate) -> str:
    return "unknown" if found.value is None else f"{found.value:.3f}"


def _cells(found: Estimate) -> list[str]:
    return [_number(found), interval(found), str(found.count), undecided(found)]


def _table(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    if not lines:
        return ""
    rows = "".join("<tr>" + "".join(f"<td>{_text(str(cell))}</td>" for cell in line) + "</tr>\n" for line in lines)
    return (
        f'<div class="wide"><table><tr>{"".join(f"<th>{_text(each)}</th>" for each in head)}</tr>\n{rows}</table></div>'
    )


def _figure(figure: Figure) -> str:
    return f"<figure>{svg(figure.drawing)}<figcaption>{_text(figure.caption)}</figcaption></figure>"


def _text(text: str) -> str:
    return escape(one_line(text, 2000))
