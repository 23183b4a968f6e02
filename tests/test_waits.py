"""How long an endpoint asks to wait: every provider's way to say so, whatever its clock shows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.models.waits import wait_asked

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2.5", 2.5), ("-3", 0), ("0", 0), ("120, 120", 120), ("1e400", float("inf")), ("6m0s", 360), ("120ms", 0.12),
        ("1h2m3.5s", 3723.5), ("30 s", 30), ("soon", None), ("nan", None), ("", None), ("s", None), ("9" * 99 + "s", None),
        ("Tue, 01 Jan 2030 00:01:30 -0000", 90), ("2030-01-01T00:01:30Z", 90), ("2029-12-31T23:59:59Z", 0),
    ],
)  # fmt: skip
def test_retry_after_in_any_form(value: str, seconds: float | None) -> None:
    assert wait_asked({"Retry-After": value}, now=NOW.timestamp()) == seconds


def test_milliseconds_come_first() -> None:
    assert wait_asked({"retry-after-ms": "1500", "retry-after": "9"}) == 1.5


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**5), st.sampled_from(["http", "rfc", "s", "ms"]))
def test_a_clock_that_is_wrong_changes_nothing(skew: int, seconds: int, form: str) -> None:
    there = NOW + timedelta(seconds=skew)
    moment = there + timedelta(seconds=seconds)
    said = {"http": format_datetime(moment, usegmt=True), "rfc": moment.isoformat(), "s": str(int(moment.timestamp())),
            "ms": str(int(moment.timestamp()) * 1000)}[form]  # fmt: skip
    headers = {"x-ratelimit-reset": said, "date": format_datetime(there, usegmt=True)}
    assert wait_asked(headers, now=NOW.timestamp()) == seconds


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"reset-tokens": "59s", "reset-requests": "1m0s"}, 60),
        ({"reset-tokens": "59s", "remaining-tokens": "0", "reset-requests": "24h", "remaining-requests": "9"}, 59),
        ({"reset-tokens": "2s", "remaining-tokens": "300", "reset-requests": "24h", "remaining-requests": "9"}, 2),
        ({"reset-tokens": "0ms", "remaining-tokens": "9", "reset-requests": "8s", "remaining-requests": "0"}, 8),
        ({"reset-tokens": "soon"}, None),
    ],
)  # fmt: skip
def test_the_limit_that_is_used_up_says_when(headers: dict[str, str], seconds: float | None) -> None:
    assert wait_asked({f"x-ratelimit-{name}": value for name, value in headers.items()}) == seconds
    swapped = {f"anthropic-ratelimit-{'-'.join(name.split('-')[::-1])}": value for name, value in headers.items()}
    assert wait_asked(swapped) == seconds


@pytest.mark.parametrize(
    ("body", "seconds"),
    [
        ([{"error": {"details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "30.5s"}]}}], 30.5),
        ({"error": {"retry_after": 7}}, 7), ({"error": {"metadata": {"headers": {"Retry-After": "8"}}}}, 8),
        ({"error": {"retry_after_ms": 250}}, 0.25), ({"error": {"retry_after": None, "message": "x"}}, None),
    ],
)  # fmt: skip
def test_bodies_say_it_too(body: Any, seconds: float | None) -> None:
    assert wait_asked({}, body) == seconds
    assert wait_asked({"retry-after": "1"}, body) == 1


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        ("Please try again in 1.2s.", 1.2), ("Please try again in 6m0s. Visit", 360), ("retry after 30 seconds", 30),
        ("Please wait 1m30.5s", 90.5), ("try again in 20ms", 0.02), ("Try again in 2 minutes", 120),
        ("try again in 120 milliseconds", 0.12), ("try again later", None), ("we waited 20 s for 3 judges", None),
    ],
)  # fmt: skip
def test_words_say_it_where_nothing_else_does(words: str, seconds: float | None) -> None:
    assert wait_asked({}, None, words) == seconds
    assert wait_asked({"x-ratelimit-reset": "4s"}, None, words) == 4


@given(
    st.dictionaries(st.sampled_from(["retry-after", "retry-after-ms", "date", "x-ratelimit-reset-tokens"]), st.text()),
    st.text(),
)
def test_whatever_is_sent_is_a_wait_or_none(headers: dict[str, str], words: str) -> None:
    seconds = wait_asked(headers, {"error": words}, words)
    assert seconds is None or seconds >= 0
