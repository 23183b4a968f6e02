"""How long an endpoint asks to be left alone, in the words of each provider.
Rule: headers and bodies are read, and nothing waits here; what no header or field says is taken from the words, last."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d{1,15}(?:\.\d{1,15})?)\s?(ms|us|µs|ns|d|h|m|s)(?![a-z])?")
_DURATION = re.compile(rf"(?:{_PART.pattern}\s?){{1,5}}")
_SAID = re.compile(
    r"\b(?:try again|retry(?:ing)?|wait)\b\D{0,20}?((?:\d{1,9}(?:\.\d{1,9})?\s?(?:ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b\s?){1,3}"
    r"|(?:\d{1,9}[hms]){1,2}\d{1,9}(?:\.\d{1,9})?m?s)", re.IGNORECASE,
)  # fmt: skip
_FIELDS = {"retrydelay": 1.0, "retry_delay": 1.0, "retry_after": 1.0, "retryafter": 1.0, "retry_after_seconds": 1.0,
           "retry_after_ms": 1e-3, "retryafterms": 1e-3}  # fmt: skip


def wait_asked(headers: Mapping[str, str], body: Any = None, words: str = "", now: float | None = None) -> float | None:
    """Seconds that a refusal asks to wait; None where it does not say.

    In this order: `retry-after-ms`, `Retry-After` (seconds, a duration, a date), a field of the body (`retryDelay`,
    `retry_after`, headers that a router passes on), the reset of an exhausted limit (`x-ratelimit-reset-tokens` and the
    like), and the words. now: the clock in seconds since 1970; dates are set against the answer's own Date, if it has one.
    """
    headers = {str(name).lower(): str(value) for name, value in headers.items()}
    sent = _date(headers.get("date", ""))
    now = sent if sent is not None else time.time() if now is None else now
    if (seconds := _seconds(headers.get("retry-after-ms", ""), now, 1e-3)) is not None:
        return seconds
    if (seconds := _seconds(headers.get("retry-after", ""), now)) is not None:
        return seconds
    for name, value in _fields(body):
        if name == "headers" and isinstance(value, Mapping) and (seconds := wait_asked(value, now=now)) is not None:
            return seconds
        if name in _FIELDS and (seconds := _seconds(str(value), now, _FIELDS[name])) is not None:
            return seconds
    if (seconds := _reset(headers, now)) is not None:
        return seconds
    if (found := _SAID.search(words[:2000])) is not None:
        plain = re.sub(r"(ms|milli|[smh])[a-z]*", lambda unit: {"milli": "ms"}.get(unit[1], unit[1]), found[1].lower())
        return _duration(plain.strip())
    return None


def _reset(headers: Mapping[str, str], now: float) -> float | None:
    """Until the limits that are used up are reset: those with nothing remaining, else those that do not say what remains.
    Where something remains of each, the first to be reset may be enough."""
    found: list[tuple[bool | None, float]] = []
    for name, value in headers.items():
        if "ratelimit" in name.replace("-", "") and "reset" in name and (seconds := _seconds(value, now)) is not None:
            left = headers.get(name.replace("-after", "").replace("reset", "remaining"))
            found.append((None if left is None else left.strip() in ("0", "0.0"), seconds))
    for kind in (True, None):
        if listed := [seconds for empty, seconds in found if empty is kind]:
            return max(listed)
    return min((seconds for _, seconds in found), default=None)


def _seconds(text: str, now: float, unit: float = 1.0) -> float | None:
    """From a number of `unit` seconds, a moment since 1970 (in seconds or milliseconds), a duration, or a date."""
    text = text.strip()
    if text[:1].isdigit() and "," in text:  # the same header twice
        text = text.partition(",")[0].strip()
    with suppress(ValueError):
        number = float(text)
        if math.isnan(number):
            return None
        if 1e9 <= number < 1e11:
            number -= now
        elif 1e12 <= number < 1e14 and unit == 1.0:
            number = number / 1000 - now
        else:
            number *= unit
        return max(0.0, number)
    if (seconds := _duration(text)) is not None:
        return seconds
    moment = _date(text)
    return None if moment is None else max(0.0, moment - now)


def _duration(text: str) -> float | None:
    """ "6m0s", "120ms", "1.5s", "1h2m" in seconds."""
    if len(text) > 80 or _DURATION.fullmatch(text) is None:
        return None
    return math.fsum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def _date(text: str) -> float | None:
    """An HTTP date or an RFC 3339 one, in seconds since 1970. Without a zone, or with -0000, it is UTC."""
    for parse in (parsedate_to_datetime, datetime.fromisoformat):
        with suppress(ValueError, TypeError, IndexError, OverflowError):
            moment = parse(text[:80])
            return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()
    return None


def _fields(body: Any, depth: int = 6) -> Iterator[tuple[str, Any]]:
    if depth and isinstance(body, Mapping):
        for name, value in list(body.items())[:100]:
            yield str(name).lower(), value
            yield from _fields(value, depth - 1)
    elif depth and isinstance(body, list):
        for value in body[:20]:
            yield from _fields(value, depth - 1)
