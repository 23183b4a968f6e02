"""The viewer as a server: a list of plays, a page for each, two of them side by side, and the data that their scripts ask for.

Rule of this file: addresses and answers. What takes time runs in a thread, a few folded plays are kept, and nothing is written anywhere.
"""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import anyio.to_thread
from starlette.applications import Starlette
from starlette.requests import Request as Asked
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp

from moot.protocols.engine.errors import MootError, TranscriptError
from moot.protocols.text import one_line
from moot.web.server.guard import LOOPBACK, Guarded
from moot.web.server.pages import data, page, static
from moot.web.viewer.fold import PlayView, state_of, view_of
from moot.web.viewer.listing import Item, Listing, read
from moot.web.viewer.search import PAGE, Found, Wanted, search, values

T = TypeVar("T")
MOST = 100
"""Scenes of one answer."""
FEW = 200
"""Plays of which all are read for the list, so that its filters offer all there is; of more, those that are shown."""
KEPT = 8
"""Folded plays that are kept."""


class Absent(Exception):
    """There is no such page."""


class Folded:
    """A few plays, folded, by id and state; the one that was not asked for longest goes first."""

    def __init__(self, listing: Listing) -> None:
        self.listing, self._lock = listing, Lock()
        self._held: OrderedDict[str, PlayView] = OrderedDict()

    def get(self, id: str) -> PlayView:
        """The play as its file is now. Raises Absent, and TranscriptError where it cannot be shown."""
        item = self.item(id)
        with self._lock:  # folding is the interpreter's own work: two at once would be no faster
            held = self._held.get(id)
            if held is None or held.state != state_of(Path(item.path)):
                try:
                    held = self._held[id] = view_of(Path(item.path))
                except MootError as error:  # nobody is told where files lie
                    raise TranscriptError(str(error).replace(item.path, item.name)) from error
            self._held.move_to_end(id)
            while len(self._held) > KEPT:
                self._held.popitem(last=False)
            return held

    def item(self, id: str) -> Item:
        """Raises Absent where there is no such play."""
        found = self.listing.item(id)
        if found is None:
            raise Absent
        return found


def viewer(
    paths: Iterable[Path | str] | Listing, *, token: str | None = None, base: str = "/", hosts: Iterable[str] = LOOPBACK,
    origins: Iterable[str] = (),
) -> ASGIApp:  # fmt: skip
    """The application. token: a secret, under which every address then lies. base: the path under which browsers find this server, where a proxy
    stands before it. hosts, origins: as of `Guarded`. Raises UsageError as `Listing` does."""
    listing = paths if isinstance(paths, Listing) else Listing(paths)
    if token is not None:
        base = f"{base.rstrip('/')}/{token}/"
    pages = _Pages(listing, base)
    routes: list[BaseRoute] = [
        Route("/", pages.listed), Route("/play/{id}", pages.play), Route("/play/{id}/head", pages.head),
        Route("/play/{id}/tree", pages.tree), Route("/play/{id}/scenes", pages.scenes), Route("/play/{id}/state", pages.state),
        Route("/compare", pages.compare), Mount("/static", static()),
    ]  # fmt: skip
    inner = Starlette(routes=routes, exception_handlers={Absent: _absent, MootError: _failed})
    inner.router.redirect_slashes = False  # which would leave out the secret, and what a proxy is known by
    app: ASGIApp = inner
    if token is not None:
        app = _behind(token, app)
    return Guarded(app, hosts, tuple(origins), most=50)


def _behind(token: str, app: ASGIApp) -> ASGIApp:
    """An application whose every address begins with a secret; any other address is none."""
    secret = token.encode()

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        given, _, rest = scope["path"].removeprefix("/").partition("/")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), secret):
            return await PlainTextResponse("there is no such page\n", 404)(scope, receive, send)
        inner = {**scope, "path": f"/{rest}", "raw_path": f"/{rest}".encode("utf-8", "replace")}
        await app(inner, receive, send)

    return behind


async def _absent(asked: Asked, error: Exception) -> Response:
    return PlainTextResponse("there is no such page\n", 404)


async def _failed(asked: Asked, error: Exception) -> Response:
    """A play that cannot be shown, with the reason."""
    return data({"problem": one_line(str(error), 1000)}, 422)


class _Pages:
    def __init__(self, listing: Listing, base: str) -> None:
        self.listing, self.base, self.folded = listing, base, Folded(listing)

    async def listed(self, asked: Asked) -> Response:
        if self.listing.single and not asked.query_params:
            items = await _threaded(self.listing.items)
            if items:
                return RedirectResponse(f"{self.base}play/{items[0].id}", 307)
        wanted = Wanted.of(asked.query_params)
        return await _threaded(partial(self._list, wanted))

    def _list(self, wanted: Wanted) -> Response:
        items = self.listing.items()
        if len(items) <= FEW:
            for item in items:
                read(item)
        found = search(items, wanted)
        unread = sum(not item.read for item in items)
        return page(
            "list.html", base=self.base, wanted=wanted, found=found, rows=[_row(each) for each in found.items], values=values(items),
            unread=unread, notes=self.listing.notes, said=_said(found, wanted), size=PAGE,
        )  # fmt: skip

    async def play(self, asked: Asked) -> Response:
        item = await _threaded(partial(self.folded.item, asked.path_params["id"]))
        return page("play.html", base=self.base, id=item.id, name=item.name)

    async def head(self, asked: Asked) -> Response:
        return await self._told(asked, PlayView.head)

    async def tree(self, asked: Asked) -> Response:
        return await self._told(asked, PlayView.tree)

    async def scenes(self, asked: Asked) -> Response:
        start, end = _number(asked, "from", 0), _number(asked, "to", MOST)
        if end - start > MOST:
            return data({"problem": f"at most {MOST} scenes at a time"}, 400)
        return await self._told(asked, lambda view: view.scenes(start, end))

    async def state(self, asked: Asked) -> Response:
        item = await _threaded(partial(self.folded.item, asked.path_params["id"]))
        return data({"state": state_of(Path(item.path))})

    async def compare(self, asked: Asked) -> Response:
        ids = list(dict.fromkeys(asked.query_params.getlist("play")))[:2]
        items = [await _threaded(partial(self.folded.item, id)) for id in ids]
        return page("compare.html", base=self.base, plays=[{"id": item.id, "name": item.name} for item in items])

    async def _told(self, asked: Asked, tell: Callable[[PlayView], Any]) -> Response:
        id = asked.path_params["id"]
        return await _threaded(lambda: data(tell(self.folded.get(id))))


async def _threaded(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)


def _number(asked: Asked, name: str, otherwise: int) -> int:
    text = asked.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else otherwise


def _row(item: Item) -> dict[str, Any]:
    """An item as the list shows it."""
    right = {True: "right", False: "wrong", None: "unknown"}[item.right]
    guarantee = {True: "holds", False: "does not hold", None: "unknown"}[item.guarantee]
    return {
        "id": item.id, "name": one_line(item.name, 120), "question": one_line(item.question or "", 240), "protocol": item.protocol or "",
        "arm": item.arm or "", "judge": one_line(item.judge or "", 60), "outcome": item.outcome, "right": right, "guarantee": guarantee,
        "at": (item.at or _clock(item.changed))[:16].replace("T", " "), "size": _bytes(item.size), "problem": one_line(item.problem or "", 300),
    }  # fmt: skip


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat()


def _bytes(size: int) -> str:
    return f"{size} B" if size < 1000 else f"{size / 1000:.0f} kB" if size < 1_000_000 else f"{size / 1_000_000:.1f} MB"


def _said(found: Found, wanted: Wanted) -> str:
    """What the list says of itself."""
    if found.matches is not None:
        return (
            f"{found.matches:,} of {found.total:,} plays" if found.matches != found.total else f"{found.total:,} plays"
        )
    looked = f"searched {wanted.start:,} to {found.upto:,} of {found.total:,} plays: {len(found.items):,} found there"
    return f"{looked}; the rest is not searched yet" if found.after is not None else looked
