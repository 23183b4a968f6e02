"""What goes over the wire: chat completions as they come back, what they cost, and how long to wait after a refusal.
Rule: bytes, headers and addresses are read here; nothing is sent, and no move is known."""

from __future__ import annotations

import ipaddress
import json
import math
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

from moot.protocols.engine.errors import UsageError


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call as the endpoint counts them; None where it does not say."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Prices:
    """What a million tokens cost: of prompt, of answer, and of prompt that the provider had cached."""

    prompt: float
    completion: float
    cached: float

    @classmethod
    def of(cls, given: tuple[float, ...] | list[float] | None) -> Prices | None:
        """From (in, out) or (in, out, cached). Raises UsageError on anything else, negative or not finite."""
        if given is None:
            return None
        try:
            numbers = [] if isinstance(given, str) else [float(price) for price in given]
        except (TypeError, ValueError):
            numbers = []
        if len(numbers) not in (2, 3) or not all(0 <= price < float("inf") for price in numbers):
            raise UsageError(f"prices are (in, out) or (in, out, cached) per million tokens, not {given!r}")
        return cls(numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else numbers[0])

    def cost(self, usage: Usage) -> float | None:
        """The cost of a call; None when a count is unknown. Prompt not reported as cached is billed in full."""
        if usage.prompt_tokens is None or usage.completion_tokens is None:
            return None
        cached = min(usage.cached_tokens or 0, usage.prompt_tokens)
        total = (usage.prompt_tokens - cached) * self.prompt + cached * self.cached
        return (total + usage.completion_tokens * self.completion) / 1_000_000


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer: its text, why it ended ("stop", "length", …), its usage, and the first token's alternatives with
    their log-probabilities (natural logarithm), where they were asked for and given."""

    text: str
    finish: str | None
    usage: Usage
    first_token: tuple[tuple[str, float], ...] | None = None
    refusal: str | None = None
    cached: bool = False


class NotACompletion(ValueError):
    """A body that is no chat completion."""


def body_of(body: bytes) -> Any:
    """The JSON value of a response body. Raises NotACompletion, saying what is wrong with it."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        shown = body[:80].decode("utf-8", "replace")
        raise NotACompletion(f"the body is not JSON: {shown!r}") from None


def completion_from(data: Any, cached: bool = False) -> Completion:
    """Read a response body's JSON value. Raises NotACompletion."""
    try:
        choice = data["choices"][0]
        message = choice["message"]
        text = message.get("content")
        refusal = message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotACompletion(f"the body is not a chat completion: {json.dumps(data)[:80]}") from None
    if isinstance(text, list):
        text = "".join(str(part.get("text", "")) for part in text if isinstance(part, dict))
    if text is not None and not isinstance(text, str):
        raise NotACompletion(f"the content of the message is {type(text).__name__}, not text")
    finish = choice.get("finish_reason")
    return Completion(
        text or "", finish if isinstance(finish, str) else None, _usage(data.get("usage")),
        _first_token(choice.get("logprobs")), refusal if isinstance(refusal, str) and refusal else None, cached,
    )  # fmt: skip


def error_message(content: bytes) -> str:
    """The words of an error body, on one line of at most 500 characters."""
    text = content[:20_000].decode("utf-8", "replace").strip()
    try:
        data = json.loads(content)
        error = data.get("error", data)
        words = error.get("message") or error.get("detail") or text if isinstance(error, dict) else error
    except (ValueError, AttributeError, RecursionError):
        words = text
    return " ".join(str(words).split())[:500]


def _usage(given: Any) -> Usage:
    def count(*names: str) -> int | None:
        value = given
        for name in names:
            value = value.get(name) if isinstance(value, Mapping) else None
        return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None

    return Usage(count("prompt_tokens"), count("completion_tokens"), count("prompt_tokens_details", "cached_tokens"))


def _first_token(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    try:
        first = logprobs["content"][0]
        listed = first.get("top_logprobs") or [first]
        return tuple((str(each["token"]), float(each["logprob"])) for each in listed)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        return None


def retry_after(headers: Mapping[str, str], now: float | None = None) -> float | None:
    """Seconds that a Retry-After header (seconds or an HTTP date) or `retry-after-ms` asks for; None without one. now: the
    clock, in seconds since 1970."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) / unit
            return None if math.isnan(seconds) else max(0.0, seconds)
    with suppress(ValueError, TypeError, IndexError, OverflowError):
        date = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, date.timestamp() - (time.time() if now is None else now))
    return None


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
        raise UsageError(f"base URL {base_url!r}: {error}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"base URL {base_url!r} is not one; give for instance http://127.0.0.1:8080/v1")
    if parts.username or parts.password:
        raise UsageError(f"the base URL of {parts.hostname} carries a password; give it as api_key")
    return base_url.rstrip("/")
