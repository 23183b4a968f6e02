"""Transcripts, ledgers and trees as people like to read them, in plain text or in colour.

Rule of this file: what is shown comes from `scenes.py` and `words.py`; here it is only drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from io import StringIO
from itertools import cycle
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from moot.complexity.play import Play
from moot.complexity.spending import COLUMNS, Ledger, budgets, number, percent
from moot.protocols.engine.metadata import PREMISES
from moot.protocols.text import one_line, visible
from moot.transcripts.display.private import notes_in
from moot.transcripts.display.scenes import Piece, Scene, cast, scenes, walk
from moot.transcripts.display.words import ending, scored, setting

if TYPE_CHECKING:
    import networkx
    from rich.text import Text

    from moot.complexity.guarantee import Guarantee

_SEATS = ("cyan", "magenta", "green", "blue", "yellow")


class _Page:
    """Lines of styled text, wrapped to a width. Markup is never interpreted: what agents say is only ever text."""

    def __init__(self, width: int, colour: bool) -> None:
        from rich.console import Console

        self.width = max(20, width)
        self.out = StringIO()
        self._console = Console(
            file=self.out, width=self.width, force_terminal=colour, color_system="standard" if colour else None,
            markup=False, highlight=False, emoji=False, legacy_windows=False, no_color=not colour, _environ={},
        )  # fmt: skip

    def add(self, text: Text | str = "", style: str = "", indent: int = 0, mark: str = "") -> None:
        """A text, wrapped. mark: stands before each of its lines."""
        from rich.text import Text

        text = Text(visible(text), style=style) if isinstance(text, str) else text
        text.expand_tabs(4)
        for line in text.wrap(self._console, max(8, self.width - indent - len(mark)), tab_size=4) or [Text()]:
            line.rstrip()
            whole = Text(" " * indent + mark) + line
            self._console.print(whole if line or mark else Text(), soft_wrap=True)

    def marked(self, text: str) -> None:
        """What is private, with a mark before each of its lines."""
        for line in visible(text).splitlines():
            self.add(line, style="dim", indent=4, mark="┆ ")

    def rule(self, title: str) -> None:
        self.add()
        self.add(f"── {title} " + "─" * max(0, min(self.width, 100) - len(title) - 4), style="bold")


def as_text(transcript: Play, width: int = 100, colour: bool = False, private: bool = False) -> str:
    """The transcript as text of at most `width` columns (20 at least), quotes marked ✓ (verified) or ✗ (not), verdicts as
    bars. colour: with ANSI colours. private: with what no seat was shown, marked as that. Raises TranscriptError when the file is damaged."""
    page, shown = _Page(width, colour), scenes(transcript, private)
    question = transcript.question
    page.add(one_line(question.text, 2000), style="bold")
    for index, choice in enumerate(question.choices):
        page.add(f"{index}  {one_line(choice, 500)}", indent=2)
    page.add()
    page.add(setting(transcript))
    people = cast(transcript, shown)
    styles = dict(zip(people, cycle(_SEATS)))
    for seat, who in people.items():
        page.add(f"{seat}  {who}", style=styles[seat], indent=2)
        for notes in notes_in(transcript.seats.get(seat)) if private else ():
            page.add("┆ private, its notes:", style="dim italic", indent=2)
            page.marked(notes)
    heading = ""
    for scene in shown:
        if scene.heading and scene.heading != heading:
            heading = scene.heading
            page.rule(heading)
        _add_scene(page, scene, styles)
    page.rule("Outcome")
    kind = transcript.outcome.kind if transcript.outcome is not None else ""
    page.add(ending(transcript), style={"decided": "bold green", "errored": "red"}.get(kind, "yellow"))
    for line in scored(transcript):
        page.add(line)
    page.add(f"digest {transcript.digest}", style="dim")
    return page.out.getvalue()


def _add_scene(page: _Page, scene: Scene, styles: Mapping[str, str]) -> None:
    page.add()
    if scene.note is not None:
        page.add(f"({one_line(scene.note, 500)})", style="dim", indent=2)
        return
    if scene.private is not None:
        page.add(f"┆ private, of {scene.seat}: {one_line(scene.head, 200)}", style="dim italic", indent=2)
        page.marked(scene.private)
        return
    page.add(f"{scene.seat} {scene.head}", style=f"bold {styles.get(scene.seat, '')}".strip())
    if scene.rule is not None:
        page.add(f"rejected: {one_line(scene.rule, 500)}", style="red", indent=2)
    if scene.remark is not None:
        page.add(f"remark: {one_line(scene.remark, 500)}", style="yellow", indent=2)
    if any(piece.text.strip() for piece in scene.pieces):
        page.add(_worded(scene.pieces), indent=2)
    _add_bars(page, scene.choices, scene.beliefs)


def _worded(pieces: Sequence[Piece]) -> Text:
    from rich.text import Text

    text = Text()
    for piece in pieces:
        if not piece.quote:
            text.append(visible(piece.text))
            continue
        mark, style = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}[piece.verified]
        text.append(f"“{visible(piece.text)}”{mark}", style=style)
    text.rstrip()
    return text


def _add_bars(page: _Page, choices: Sequence[str], beliefs: Sequence[float]) -> None:
    names = [one_line(choice, 30) for choice in choices] + [str(i) for i in range(len(choices), len(beliefs))]
    wide = max(map(len, names), default=0)
    full = max(5, min(40, page.width - wide - 14))
    for name, belief in zip(names, beliefs, strict=False):
        page.add(f"{name:<{wide}}  {bar(belief, full)} {percent(belief):>6}", indent=2)


def bar(value: float, full: int) -> str:
    """A bar of `full` cells, filled in proportion to a value in [0, 1], to an eighth of a cell."""
    eighths = round(max(0.0, min(1.0, value)) * full * 8) if math.isfinite(value) else 0
    whole, rest = divmod(eighths, 8)
    filled = "█" * whole + ("▏▎▍▌▋▊▉"[rest - 1] if rest else "")
    return filled + "·" * (full - len(filled))


def ledger_text(ledger: Ledger, guarantee: Guarantee | None = None) -> str:
    """The ledger as a table, by seat; then budgets, tree and guarantee. What is unknown says so, and is never 0."""
    rows: list[list[str]] = [["seat", *(title for title, _ in COLUMNS)]]
    for seat, spending in ledger.seats.items():
        rows.append([seat, *(number(getattr(spending, name)) for _, name in COLUMNS)])
    if len(ledger.seats) > 1:
        longest = max(spending.longest for spending in ledger.seats.values())
        rows.append(["all", *(number(longest if n == "longest" else ledger.total(n)) for _, n in COLUMNS)])
    shown = [i for i, (_, name) in enumerate(COLUMNS, 1) if i < 3 or any(row[i] != "0" for row in rows[1:])]
    lines = table([[row[0], *(row[i] for i in shown)] for row in rows])
    lines += ["", *budgets(ledger)]
    if guarantee is not None:
        lines += ["", f"guarantee: {'holds' if guarantee.holds else 'none'}: {one_line(guarantee.because, 300)}"]
        if guarantee.complexity_class is not None:
            lines.append(f"  {guarantee.protocol} with these parameters decides {guarantee.complexity_class}, by what is read: "
                         f"if {guarantee.measure} stay polynomial in n")  # fmt: skip
            lines += [f"  assumed: {name}: {PREMISES[name]}" for name in guarantee.assumes]
    return visible("\n".join(lines)) + "\n"


def table(rows: Sequence[Sequence[str]], left: int = 1, width: int | None = None) -> list[str]:
    """Rows of cells as aligned lines: the first `left` columns flush left, the others right, a line under the head. width:
    columns that the last cell of a row is wrapped to fit into, on lines of its own below the first."""
    from rich.cells import cell_len

    if width is not None:
        before = sum(max(map(cell_len, column)) + 2 for column in list(zip(*rows, strict=True))[:-1])
        lines = [wrap(row[-1], max(20, width - before), break_on_hyphens=False) or [""] for row in rows]
        rows = [cells for row, (first, *more) in zip(rows, lines, strict=True)
                for cells in ([*row[:-1], first], *([*[""] * (len(row) - 1), line] for line in more))]  # fmt: skip
    wide = [max(cell_len(cell) for cell in column) for column in zip(*rows, strict=True)]

    def line(row: Sequence[str]) -> str:
        gaps = [" " * (most - cell_len(cell)) for most, cell in zip(wide, row, strict=True)]
        cells = [cell + gap if i < left else gap + cell for i, (cell, gap) in enumerate(zip(row, gaps, strict=True))]
        return "  ".join(cells).rstrip()

    return [line(rows[0]), "─" * (sum(wide) + 2 * (len(wide) - 1)), *map(line, rows[1:])]


def tree_text(graph: networkx.DiGraph[str], width: int = 100) -> str:
    """An argument tree as indented text, one node a line; a node that stands in two places is written out once."""
    lines = []
    for node, stem, relation, again in walk(graph):
        attributes: dict[str, Any] = graph.nodes[node]
        who = f"{attributes.get('seat') or ''} {one_line(str(attributes.get('kind', '')), 30)}".strip()
        head = f"{stem}{node} {who}{f' ({one_line(relation, 30)})' if relation else ''}: "
        text = "see above" if again else one_line(str(attributes.get("text", "")), max(20, width - len(head)))
        lines.append(visible(head + text))
        if (remark := attributes.get("remark")) and not again:
            lines.append(visible(f"{' ' * len(stem)}   remark: {one_line(str(remark), 200)}"))
    return "\n".join(lines) + "\n"
