"""An ASGI app on a socket, in this event loop or in a thread of its own.

Rule: no mock is known here, and nothing of what is said; only 127.0.0.1 is listened on.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from anyio.from_thread import start_blocking_portal

from moot.protocols.engine.errors import UsageError


class OnUvicorn:
    """An ASGI app behind uvicorn's HTTP, which is stopped at once however many requests hang.

    Raises UsageError when uvicorn is not installed.
    """

    def __init__(self, app: Any) -> None:
        try:
            import uvicorn
            from uvicorn.server import ServerState
        except ImportError as error:
            needs = f"the mock server on a socket needs uvicorn ({error}); pip install 'moot[testing]'"
            raise UsageError(needs) from error
        # uvicorn reports the answers that are cut off on purpose as errors, hence its level.
        quiet: dict[str, Any] = {"access_log": False, "log_config": None, "log_level": "critical"}
        self._config = uvicorn.Config(app, timeout_keep_alive=60, ws="none", **quiet)
        self._config.load()
        self._state = ServerState()

    def connection(self) -> asyncio.Protocol:
        made: Any = self._config.http_protocol_class
        return made(config=self._config, server_state=self._state, app_state={})  # type: ignore[no-any-return]

    async def abort(self) -> None:
        for connection in list(self._state.connections):
            connection.transport.abort()
        await asyncio.sleep(0)  # lets each connection learn that it is lost, so that nothing more is sent on it
        running = list(self._state.tasks)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def bound(port: int = 0) -> socket.socket:
    """A socket on 127.0.0.1; port 0 takes a free one. Raises UsageError when it cannot be had."""
    try:
        made = socket.create_server(("127.0.0.1", port), backlog=2048)
    except (OSError, OverflowError) as error:
        place = f"127.0.0.1:{port}"
        raise UsageError(f"the mock server cannot listen on {place}: {error}; --port 0 takes a free one") from None
    # asyncio sets this itself only where a socket's `proto` is TCP's number (python/cpython#148783), and here it is 0.
    # Connections inherit it; without it a body waits some 40 ms, until the client acknowledges its head.
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


@asynccontextmanager
async def listening(listener: OnUvicorn, on: socket.socket) -> AsyncIterator[str]:
    """Listen on a socket, which is closed at the end; gives the base URL."""
    async with await asyncio.get_running_loop().create_server(listener.connection, sock=on, backlog=2048):
        try:
            yield f"http://127.0.0.1:{on.getsockname()[1]}/v1"
        finally:
            await listener.abort()


@contextmanager
def thread(app: Any, base: str = "/v1") -> Iterator[str]:
    """Serve an ASGI app in a thread of its own; gives the base URL, which ends in `base`."""
    listener, on = OnUvicorn(app), bound()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(listening(listener, on)) as url:
        yield url.removesuffix("/v1") + base
