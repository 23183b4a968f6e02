"""Where a model is asked, and with whose key.
Rule: addresses, variables and keys; nothing is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from moot.agents.models import wire
from moot.agents.models.apis import choosing
from moot.agents.models.endpoint import Endpoint
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    import httpx2


def endpoint_at(
    model: str, base_url: str | None, api_key: str | None = None, api_key_env: str | None = None, *, api: str = "auto",
    query: Mapping[str, str] | None = None, http_client: httpx2.AsyncClient | None = None, **options: Any,
) -> Endpoint:  # fmt: skip
    """The endpoint of a model: at an address, or at that of the API's own variable, or its maker's. A key from the environment
    belongs to the address from the environment: no other host is sent it. Raises UsageError when a hosted one gets no key."""
    plain, own = choosing.place(api, base_url)
    variable = api_key_env or (own.key_variable if own else None)
    key = api_key or (os.environ.get(variable) if variable else None)
    if api_key_env and not key:
        raise UsageError(f"the environment variable {api_key_env} holds no key")
    source = variable if variable and key == os.environ.get(variable) else "api_key"
    if not key and own and plain == own.host and http_client is None:
        raise UsageError(
            f"{model}: no key for {plain}; set {own.key_variable}, give api_key=, or name an endpoint of "
            f"your own, as in openai:{model}@http://127.0.0.1:8080/v1"
        )
    return Endpoint(wire.with_query(plain, query), key, source=source, http_client=http_client, **options)
