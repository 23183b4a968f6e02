"""Running a server until it is told to stop.

Rule of this file: an address, and nothing of what is served there. Requests are not logged: addresses hold secrets.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import anyio

from moot.protocols.engine.errors import UsageError, said
from moot.web.server.guard import LOOPBACK

if TYPE_CHECKING:
    from starlette.types import ASGIApp

INSTALL = "pages in a browser need more packages: pip install 'moot[web]'"
AT_ONCE = 512
"""Connections at the same time."""
PATIENCE = 20.0
"""Seconds for which a connection is kept on which no request has come whole."""
LEAVE = 3.0
"""Seconds that open requests have to end once the server is told to stop."""


def needed() -> None:
    """Raise UsageError where the extra is not installed."""
    try:
        import jinja2  # noqa: F401
        import markdown_it  # noqa: F401
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ImportError:
        raise UsageError(INSTALL) from None


def listening(host: str, port: int) -> socket.socket:
    """A socket that listens there; port 0: any that is free. Raises UsageError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        raise UsageError(f"cannot listen on {host} port {port}: {error.strerror or said(error)}") from None
    return made


def address_of(listener: socket.socket) -> str:
    """What a browser on this machine asks for: "http://127.0.0.1:8700"."""
    host, port = listener.getsockname()[:2]
    host = "127.0.0.1" if host == "0.0.0.0" else "::1" if host == "::" else host
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def hosts_of(host: str, public: str | None) -> tuple[str, ...]:
    """The names under which a server may be asked: this machine's own, that which it listens on, that of its public address."""
    from urllib.parse import urlsplit

    more = [f"[{host}]" if ":" in host else host]
    if public is not None and (name := urlsplit(public).hostname):
        more.append(name)
    return (*LOOPBACK, *more)


def proxies(told: str | None) -> str | None:
    """The addresses of proxies, as they were typed: in numbers, one or a network each. Raises UsageError on what is none: somebody whose word is
    taken may come from as many addresses as they like."""
    from ipaddress import ip_network

    for each in () if told is None else told.split(","):
        try:
            ip_network(each.strip())
        except ValueError as error:
            raise UsageError(f"--behind: {error}; name proxies as 127.0.0.1,10.0.0.0/8") from None
    return told


async def serve(
    app: ASGIApp, listener: socket.socket, *, behind: str | None = None, beside: Callable[[], Awaitable[Any]] | None = None
) -> None:  # fmt: skip
    """Serve until Ctrl-C or a SIGTERM. behind: addresses of proxies whose word on who asks is taken (uvicorn's `forwarded_allow_ips`).
    beside: what runs as long as the server does; where that fails, the server stops and its failure is raised."""
    import uvicorn

    config = uvicorn.Config(
        app, log_config=None, access_log=False, server_header=False, date_header=False, lifespan="off", limit_concurrency=AT_ONCE,
        timeout_graceful_shutdown=int(LEAVE), http="h11", proxy_headers=behind is not None, forwarded_allow_ips=behind, h11_max_incomplete_event_size=1 << 16,
        ws="none",
    )  # fmt: skip
    server = uvicorn.Server(config)
    failure: list[BaseException] = []

    async def running() -> None:
        assert beside is not None
        try:
            await beside()
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as error:
            failure.append(error)
            server.should_exit = True

    async with anyio.create_task_group() as group:
        group.start_soon(_sweeping, server)
        if beside is not None:
            group.start_soon(running)
        await server.serve(sockets=[listener])
        group.cancel_scope.cancel()
    if failure:
        raise failure[0]


async def _sweeping(server: Any) -> None:
    """Close connections that have kept a request waiting for too long, or have sent none: they count among `AT_ONCE`."""
    waiting: dict[Any, float] = {}
    while True:
        await anyio.sleep(PATIENCE / 10)
        now = time.monotonic()
        waiting = {each: waiting.get(each, now) for each in server.server_state.connections if _unfinished(each)}
        for each, since in waiting.items():
            if now - since >= PATIENCE:
                each.transport.close()


def _unfinished(connection: Any) -> bool:
    """Whether a request has not come whole, or none has: one that is kept for the next has a timer of uvicorn's."""
    cycle = connection.cycle
    if cycle is None or cycle.response_complete:
        return connection.timeout_keep_alive_task is None
    return bool(cycle.more_body)
