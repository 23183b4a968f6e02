"""A play as one HTML file that opens from a disk: style, scripts and the play stand in it, and nothing is fetched.

Rule of this file: the only script that may run there is moot's own, by its hash; no template engine and no server is needed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from moot.protocols.text import one_line, visible
from moot.transcripts.exporters.base import Exporter
from moot.transcripts.transcript import Transcript
from moot.web.viewer.fold import view_of

STATIC = Path(__file__).resolve().parent.parent / "static"
MODULES = ("dom", "tree", "conversation", "panels", "play")
"""The scripts of the page, each after those that it imports."""
_IMPORT = re.compile(r'^import \{.*\} from "\./(\w+)\.js";\n', re.MULTILINE)
_ENDS = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


@dataclass(frozen=True)
class Html(Exporter):
    """The page of a play that `moot view` shows, whole, in one file. private: with thoughts, notes, raw answers and the truth."""

    name: ClassVar[str] = "html"
    private: bool = False

    def text(self, transcript: Transcript) -> str:
        """The file. Raises TranscriptError on a damaged transcript."""
        view = view_of(transcript, self.private)
        return page({"head": view.head(), "tree": view.tree(), "scenes": view.scenes(0, len(view))})


def page(play: Mapping[str, Any]) -> str:
    """The file of a play, given as the plain data that its page is drawn from."""
    style, code = style_and_code()
    policy = (
        f"default-src 'none'; script-src '{hashed(code)}'; style-src '{hashed(style)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    title = escape(one_line(str(play["head"].get("question") or "A play")))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n<meta name="color-scheme" content="light dark">\n'
        f'<title>{title}</title>\n<link rel="icon" href="data:,">\n<style>{style}</style>\n</head>\n<body>\n'
        '<main id="main">\n<div class="play" data-level="1"></div>\n'
        '<noscript><p class="problem">This page is drawn by a script of its own.</p></noscript>\n</main>\n'
        f'<script type="application/json" id="moot-play">{within(play)}</script>\n<script type="module">{code}</script>\n</body>\n</html>\n'
    )


@cache
def style_and_code() -> tuple[str, str]:
    """The style sheet, and all scripts as one: their imports are of each other, so they are left out."""
    parts = []
    for at, name in enumerate(MODULES):
        text = (STATIC / f"{name}.js").read_text("utf-8")
        assert set(_IMPORT.findall(text)) <= set(MODULES[:at]), f"{name}.js imports what stands after it"
        parts.append(re.sub(r"^export ", "", _IMPORT.sub("", text), flags=re.MULTILINE))
    style, code = (STATIC / "style.css").read_text("utf-8"), "\n".join(parts)
    assert "</" not in style and "<script" not in code and "</" not in code and "<!--" not in code
    return style, code


def hashed(text: str) -> str:
    """What a policy calls an inline script or style by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def within(play: Any) -> str:
    """Plain data as JSON that can stand in a script element, every text in it written out (`visible`)."""
    text = json.dumps(_shown(play), ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: _ENDS[match[0]], text)


def _shown(value: Any) -> Any:
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): _shown(each) for key, each in value.items()}
    return [_shown(each) for each in value] if isinstance(value, (list, tuple)) else value
