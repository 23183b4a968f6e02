"""Pages from templates. Whatever a page says is escaped, and characters that steer, hide or reorder text are written out.

Rule of this file: the only one that makes HTML out of templates; no template marks a text as safe but what `markdown` and `svg` made.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import jinja2
from markupsafe import Markup
from starlette.requests import Request as Asked
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles

from moot.protocols.text import visible
from moot.web.server.guard import Refused

HERE = Path(__file__).resolve().parent.parent
STATIC, TEMPLATES = HERE / "static", HERE / "templates"
FIELDS = 500
"""The most fields of a form."""


@cache
def environment() -> jinja2.Environment:
    """The templates. A name that nobody gave is an error, and no empty text."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, finalize=_shown,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["seen"] = visible
    return made


def _shown(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def page(template: str, /, status: int = 200, **given: Any) -> HTMLResponse:
    """A page from its template."""
    return HTMLResponse(environment().get_template(template).render(given), status)


def data(found: Any, status: int = 200) -> Response:
    """Plain data as JSON, with every text in it as it may be shown."""
    return JSONResponse(safe(found), status)


def safe(value: Any) -> Any:
    """Plain data with every text in it written out (`visible`), the names of fields too."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, Mapping):
        return {visible(str(key)): safe(each) for key, each in value.items()}
    return [safe(each) for each in value] if isinstance(value, (list, tuple)) else value


def markdown(text: str) -> Markup:
    """A text of the study's own, in CommonMark with tables; HTML in it is text. No image is loaded."""
    from markdown_it import MarkdownIt

    made = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    tokens = made.parse(visible(text))
    for each in tokens:
        if style := each.attrs.pop("style", None):  # of a column; the policy lets no style stand in a page
            each.attrs["class"] = str(style).removeprefix("text-align:")
    return Markup(made.renderer.render(tokens, made.options, {}))


def static() -> StaticFiles:
    """The style sheets and scripts, which are moot's own."""
    return StaticFiles(directory=STATIC)


async def form(asked: Asked) -> dict[str, list[str]]:
    """The fields of a form as it is sent by a page: application/x-www-form-urlencoded, each name with its values. Raises Refused."""
    kind = asked.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Refused(415, "a form is sent as application/x-www-form-urlencoded")
    try:
        text = (await asked.body()).decode("utf-8")
        return parse_qs(text, keep_blank_values=True, max_num_fields=FIELDS, errors="strict")
    except (ValueError, UnicodeDecodeError):
        raise Refused(400, f"that is no form of at most {FIELDS} fields in UTF-8") from None


async def sent(asked: Asked) -> dict[str, Any]:
    """The JSON object that a script of ours sends. Raises Refused."""
    if asked.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Refused(415, "send application/json")
    try:
        found = json.loads(await asked.body())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "send a JSON object")
    return found
