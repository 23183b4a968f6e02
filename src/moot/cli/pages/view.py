"""`moot view`: look into recorded plays in a browser.

Rule of this file: it finds an address and serves until Ctrl-C; what is shown is made in `moot.web.viewer`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from moot.cli.frame import OK, Json, say, tell, tell_json
from moot.protocols.engine.errors import UsageError, said

if TYPE_CHECKING:
    import socket
    from urllib.parse import SplitResult

PORT = 8700


def view(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Transcripts, folders of them, folders of studies.")],
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen. Other than this machine alone: every address then holds a secret.")] = "127.0.0.1",
    port: Annotated[int | None, typer.Option("--port", min=0, max=65535, help=f"Unless given, {PORT}, or any that is free.")] = None,
    public_url: Annotated[str | None, typer.Option("--public-url", metavar="URL", help="What browsers ask for, where a proxy stands before it.")] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Open the page in this machine's browser.")] = False,
    json: Json = False,
) -> None:  # fmt: skip
    """Look into plays in a browser: conversation, argument tree, ledger, charts. Serves until Ctrl-C; writes nothing."""
    from moot.web.server.serving import address_of, hosts_of, needed, serve

    needed()
    import secrets

    import anyio

    from moot.web.viewer.app import viewer
    from moot.web.viewer.listing import Listing

    public = None if public_url is None else _public(public_url)
    listing = Listing(paths)
    listener, taken = _listening(host, port)
    try:
        token = None if host in ("127.0.0.1", "::1", "localhost") and public is None else secrets.token_urlsafe(24)
        base = "/" if public is None else f"{public.path.rstrip('/')}/"
        origins = () if public is None else (f"{public.scheme}://{public.netloc}",)
        app = viewer(listing, token=token, base=base, hosts=hosts_of(host, public_url), origins=origins)
        begins = address_of(listener) if public is None else f"{public.scheme}://{public.netloc}"
        address = f"{begins}{base}{f'{token}/' if token else ''}"
        if taken:
            say(f"port {PORT} is taken; this is another one")
        tell_json({"address": address}) if json else tell(f"{address}  (Ctrl-C ends it)", line=True)
        if open_it:
            import webbrowser

            webbrowser.open(address)
        anyio.run(serve, app, listener)
    finally:
        listener.close()
    raise typer.Exit(OK)


def _public(url: str) -> SplitResult:
    """The address that browsers ask for. Raises UsageError where it is none."""
    from urllib.parse import urlsplit

    try:
        found = urlsplit(url)
        if found.scheme in ("http", "https") and found.hostname:
            return found
    except ValueError:
        pass
    raise UsageError(f"--public-url is {url!r:.200}; it begins with http:// or https:// and a name")


def _listening(host: str, port: int | None) -> tuple[socket.socket, bool]:
    """A socket that listens, and whether the usual port was taken."""
    from moot.web.server.serving import listening

    try:
        return listening(host, PORT if port is None else port), False
    except (UnicodeError, ValueError, TypeError) as error:
        raise UsageError(f"cannot listen on {host!r:.200}: {said(error)}") from None
    except UsageError:
        if port is not None:
            raise
        return listening(host, 0), True
