"""What goes over the wire: chat completions as they come back, and addresses.
Rule: bytes and addresses are read here; nothing is sent, and no move is known."""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from moot.agents.models.usage import Usage, usage_of
from moot.agents.prompts.values import ending
from moot.protocols.engine.errors import UsageError


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer: its text, why it ended (one of `Ending`, whatever the endpoint calls it; None where it does not say), its
    usage, the first token's alternatives with their log-probabilities (natural logarithm), where they were asked for and
    given, and what was thought, where the endpoint gives that apart."""

    text: str
    finish: str | None
    usage: Usage
    first_token: tuple[tuple[str, float], ...] | None = None
    refusal: str | None = None
    cached: bool = False
    thinking: str = ""


class NotACompletion(ValueError):
    """A body that is no chat completion."""


def body_of(body: bytes, hide: Callable[[str], str] = str) -> Any:
    """The JSON value of a response body. Raises NotACompletion, saying what is wrong with it; hide: takes secrets out of
    what is shown of it."""
    try:
        return json.loads(body, parse_int=_integer)
    except (ValueError, RecursionError):
        shown = hide(body[:20_000].decode("utf-8", "replace"))[:80]
        raise NotACompletion(f"the body is not JSON: {shown!r}") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 1000 else float(digits)  # Python refuses to read longer ones


def completion_from(data: Any, cached: bool = False) -> Completion:
    """Read a response body's JSON value. Raises NotACompletion."""
    try:
        choice = data["choices"][0]
        message = choice["message"]
        text = message.get("content")
        refusal = message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotACompletion(f"the body is not a chat completion: {json.dumps(data)[:80]}") from None
    thoughts = [_words(message.get(name)) for name in _THOUGHT]
    if isinstance(text, list):
        thoughts += [_words(part) for part in text if _is_thought(part)]
        text = "".join(
            _words(part.get("text") if isinstance(part, dict) else part) for part in text if not _is_thought(part)
        )
    if text is not None and not isinstance(text, str):
        raise NotACompletion(f"the content of the message is {type(text).__name__}, not text")
    finish = choice.get("finish_reason")
    return Completion(
        text or "", ending(finish) if isinstance(finish, str) else None, usage_of(data, bool(text)),
        _first_token(choice.get("logprobs")), refusal if isinstance(refusal, str) and refusal else None, cached,
        "\n\n".join(dict.fromkeys(filter(str.strip, thoughts))),
    )  # fmt: skip


_THOUGHT = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Fields of a message in which endpoints give what a model thought; some give it in two of them."""


def _is_thought(part: Any) -> bool:
    return isinstance(part, dict) and str(part.get("type", "")).partition(".")[0] in ("reasoning", "thinking")


def _words(part: Any) -> str:
    """The text of a part of a message, of whatever kind; "" where it has none."""
    if isinstance(part, dict):
        part = next((part[name] for name in ("text", "thinking", "reasoning", "summary") if part.get(name)), None)
        return _words(part) if isinstance(part, (str, list)) else ""
    if isinstance(part, list):
        return "".join(each if isinstance(each, str) else str(each.get("text") or "") for each in part
                       if isinstance(each, (str, dict)))  # fmt: skip
    return part if isinstance(part, str) else ""


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    try:
        first = logprobs["content"][0]
        listed = first.get("top_logprobs") or [first]
    except (KeyError, IndexError, TypeError, AttributeError):
        return None
    found = []
    for each in listed if isinstance(listed, list) else []:
        with suppress(KeyError, TypeError, ValueError, OverflowError):  # null is what -inf and NaN become in JSON
            if math.isfinite(logprob := float(each["logprob"])):
                found.append((str(each["token"]), logprob))
    return tuple(found) or None


def is_loopback(base_url: str) -> bool:
    """Whether an address is this machine's own."""
    host = (urlsplit(base_url).hostname or "").lower()
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def checked_url(base_url: str) -> str:
    """A base URL without a trailing slash. Raises UsageError when it is none, or carries a user or password."""
    try:
        parts = urlsplit(base_url)
        parts.port  # noqa: B018 - reading it validates it
    except ValueError as error:
        raise UsageError(f"base URL {base_url.rpartition('@')[2].partition('?')[0]!r}: {error}") from None
    if parts.username is not None:  # as it is, too, where only a password is given
        raise UsageError(f"the base URL of {parts.hostname} carries a user or a password; give it as api_key")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        named = base_url.rpartition("@")[2].partition("?")[0]
        raise UsageError(f"base URL {named!r} is not one; give for instance http://127.0.0.1:8080/v1")
    return base_url.rstrip("/")


def endpoint_of(base_url: str) -> str:
    """The address of chat completions; a query stays behind it."""
    parts = urlsplit(base_url)
    return parts._replace(path=f"{parts.path.rstrip('/')}/chat/completions", fragment="").geturl()
