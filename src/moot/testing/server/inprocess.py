"""The way to a mock server without a socket, with the time-outs and broken connections of one.

Rule: the only file here that needs httpx2.
"""

from __future__ import annotations

import anyio
import httpx2

from moot.testing.server.wire import CutOff


class InProcess(httpx2.ASGITransport):
    """httpx2's transport to an ASGI app, which alone knows no time-outs and fails on a half answer."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        patience = request.extensions.get("timeout", {}).get("read")
        with anyio.move_on_after(patience):
            try:
                return await super().handle_async_request(request)
            except CutOff as error:
                raise httpx2.RemoteProtocolError(
                    "peer closed connection without sending complete message body", request=request
                ) from error
        raise httpx2.ReadTimeout(f"no answer within {patience} s", request=request)
