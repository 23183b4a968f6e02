"""Transcripts, ledgers and trees as HTML for notebooks. Every text is escaped, no script runs, nothing is loaded.

Rule of this file: what is shown comes from `scenes.py` and `words.py`; here it is only drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import cycle
from typing import TYPE_CHECKING

from moot.complexity.play import Play
from moot.complexity.spending import percent
from moot.protocols.text import one_line, visible
from moot.transcripts.display.scenes import Piece, Scene, cast, scenes, walk
from moot.transcripts.display.words import ending, scored, setting

if TYPE_CHECKING:
    import networkx


_RULE = '<p style="border-bottom:1px solid #8888;margin-top:1em"><b>{}</b></p>'
_HUES = (200, 320, 140, 30, 260)
_MOST = 500  # statements shown in a notebook; the rest is counted


def _text(text: str) -> str:
    return escape(visible(text))


def as_html(transcript: Play) -> str:
    """The transcript as a self-contained piece of HTML, with the same content as `as_text`."""
    shown = scenes(transcript)
    people = cast(transcript, shown)
    hues = dict(zip(people, cycle(_HUES)))
    question = transcript.question
    out = ['<div style="max-width:60em;line-height:1.4">', f"<p><b>{_text(question.text)}</b></p>"]
    if question.choices:
        choices = "".join(f"<li>{_text(choice)}</li>" for choice in question.choices)
        out.append(f'<ol start="0" style="margin:0">{choices}</ol>')
    out.append(f"<p>{_text(setting(transcript))}</p><ul>")
    out.extend(f"<li>{_name(seat, hues)} {_text(who)}</li>" for seat, who in people.items())
    out.append("</ul>")
    heading = ""
    for scene in shown[:_MOST]:
        if scene.heading and scene.heading != heading:
            heading = scene.heading
            out.append(_RULE.format(_text(heading)))
        out.append(_scene(scene, hues))
    if len(shown) > _MOST:
        out.append(f"<p>… and {len(shown) - _MOST} more statements, in steps()</p>")
    out.append(_RULE.format("Outcome"))
    out.append(f"<p><b>{_text(ending(transcript))}</b></p>")
    out.extend(f"<p>{_text(line)}</p>" for line in scored(transcript))
    out.append(f'<p style="opacity:.6">digest <code>{_text(transcript.digest)}</code></p></div>')
    return "".join(out)


def _name(seat: str, hues: dict[str, int]) -> str:
    return f'<b style="color:hsl({hues.get(seat, 0)},70%,40%)">{_text(seat)}</b>'


def _scene(scene: Scene, hues: dict[str, int]) -> str:
    if scene.note is not None:
        return f'<p style="opacity:.6">({_text(one_line(scene.note, 500))})</p>'
    body = _bars(scene.choices, scene.beliefs)
    if scene.rule is not None:
        body = f'<div style="color:#c33">rejected: {_text(one_line(scene.rule, 500))}</div>'
    elif any(piece.text.strip() for piece in scene.pieces):
        body = f'<div style="white-space:pre-wrap">{"".join(map(_piece, scene.pieces))}</div>' + body
    if scene.remark is not None:
        body = f'<div style="color:#a80">remark: {_text(one_line(scene.remark, 500))}</div>' + body
    hue = hues.get(scene.seat, 0)
    frame = f"border-left:3px solid hsl({hue},70%,60%);padding-left:.7em;margin:.6em 0"
    return f'<div style="{frame}"><div>{_name(scene.seat, hues)} {_text(scene.head)}</div>{body}</div>'


def _piece(piece: Piece) -> str:
    if not piece.quote:
        return _text(piece.text)
    mark, colour = {True: ("✓", "#2a7d2a"), False: ("✗", "#c33"), None: ("?", "#a80")}[piece.verified]
    return f'<span style="color:{colour}">“{_text(piece.text)}”{mark}</span>'


def _bars(choices: Sequence[str], beliefs: Sequence[float]) -> str:
    rows = []
    for name, belief in zip([*choices, *map(str, range(len(choices), len(beliefs)))], beliefs, strict=False):
        wide = max(0.0, min(100.0, 100 * belief))
        inner = f'<div style="width:{wide:.1f}%;background:#58a;height:.8em"></div>'
        bar = f'<td style="width:20em"><div style="background:#8883">{inner}</div></td>'
        rows.append(f"<tr><td>{_text(one_line(name, 60))}</td>{bar}<td>{percent(belief)}</td></tr>")
    return f"<table>{''.join(rows)}</table>" if rows else ""


def tree_html(graph: networkx.DiGraph[str], most: int = 500) -> str:
    """An argument tree as indented HTML, `most` nodes of it."""
    lines, count = [], 0
    depths: dict[str, int] = {}
    for node, _, relation, again in walk(graph):
        above = min((depths[parent] for parent in graph.predecessors(node) if parent in depths), default=-1)
        depth = depths.setdefault(node, above + 1)
        attributes, count = graph.nodes[node], count + 1
        if count > most:
            continue
        who = f"{attributes.get('seat') or ''} {attributes.get('kind', '')}".strip()
        text = "see above" if again else one_line(str(attributes.get("text", "")), 300)
        how = f" <i>{_text(relation)}</i>" if relation else ""
        if (remark := attributes.get("remark")) and not again:
            text += f" (remark: {one_line(str(remark), 200)})"
        lines.append(f'<div style="margin-left:{min(depth, 24) * 1.5}em"><code>{_text(str(node))}</code> '
                     f"<b>{_text(who)}</b>{how}: {_text(text)}</div>")  # fmt: skip
    more = f"<div>… and {count - most} more nodes</div>" if count > most else ""
    return f"<div>{''.join(lines)}{more}</div>"
