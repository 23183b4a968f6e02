"""What an endpoint says when it does not answer: whatever the provider, and whether by a status or inside a 200.
Rule: read here, acted on in `endpoint.py`; a code counts before words, and words only where providers send nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from moot.agents.models.waits import wait_asked

WORDS = 500  # characters of a refusal that are shown
# the status that a name stands for where there is no other: Anthropic's types, Google's and OpenAI's codes
_STATUS = {
    "overloaded_error": 529, "overloaded": 529, "rate_limit_error": 429, "api_error": 500, "invalid_request_error": 400,
    "authentication_error": 401, "permission_error": 403, "not_found_error": 404, "request_too_large": 413,
    "timeout_error": 504, "billing_error": 402, "resource_exhausted": 429, "unavailable": 503, "internal": 500,
    "deadline_exceeded": 504, "invalid_argument": 400, "failed_precondition": 400, "permission_denied": 403,
    "unauthenticated": 401, "not_found": 404, "server_error": 500, "rate_limit_exceeded": 429, "invalid_api_key": 401,
    "model_not_found": 404, "context_length_exceeded": 400, "content_filter": 400, "throttlingexception": 429,
    "insufficient_balance": 402, "insufficient_credits": 402,
}  # fmt: skip
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "insufficient_balance",
              "insufficient_credits", "exceeded_current_quota_error", "billing_error"}  # fmt: skip
_CROWDED = {"resource_exhausted", "ratelimitexceeded", "userratelimitexceeded", "rate_limit_exceeded", "rate_limit_error",
            "throttlingexception", "toomanyrequestsexception", "too_many_requests", "slowdown"}  # fmt: skip
_CROWDED_WORDS = re.compile(
    r"\bThrottl(?:ed|ing)(?:Exception)?\b|\bRESOURCE_EXHAUSTED\b|\buser_?RateLimitExceeded\b|\brateLimitExceeded\b"
    r"|\brate limit (?:was |is |has been )?(?:exceeded|reached)\b|\btoo many requests\b", re.IGNORECASE,
)  # fmt: skip
_TOO_LARGE = re.compile(r"\brequest too large\b", re.IGNORECASE)  # for the whole window: no wait makes room for it
PASSING = frozenset({408, 409, 425, 429, 498})
UNWORKED = frozenset({429, 498, 503, 529})  # turned away at the door; all of 400 to 499 are


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal. status: as HTTP has it, or what its code stands for inside a 200; 0 where nothing says it. names: its codes
    and types, in lower case. param: the field of the request that it is about. words: the provider's. wait: seconds that
    it asks for. inside: whether it came in a 200."""

    status: int
    names: frozenset[str] = frozenset()
    param: str = ""
    words: str = field(default="", repr=False)  # they may hold what must not be shown
    wait: float | None = None
    inside: bool = False

    @property
    def no_credit(self) -> bool:
        """Whether the account has run out of money, which no wait mends."""
        return (
            self.status == 402
            or bool(self.names & _NO_CREDIT)
            or re.search(r"\binsufficient_quota\b", self.words) is not None
        )

    @property
    def crowded(self) -> bool:
        """Whether the endpoint has too much to do, or this account asks too often."""
        if self.no_credit or _TOO_LARGE.search(self.words):
            return False
        if self.status in (429, 498, 503, 529):
            return True
        return self.status in (400, 403) and bool(self.names & _CROWDED or _CROWDED_WORDS.search(self.words))

    @property
    def passing(self) -> bool:
        """Whether the same request may be answered later."""
        if self.no_credit or (self.status == 429 and not self.crowded):
            return False
        return self.crowded or self.status == 0 or self.status in PASSING or (self.status >= 500 and self.status != 501)

    @property
    def worked(self) -> bool:
        """Whether the request may have been worked on, and billed, all the same."""
        return not (400 <= self.status < 500 or self.status in UNWORKED)


def refusal_of(status: int, headers: Mapping[str, str], content: bytes) -> Refusal:
    """The refusal in an answer with another status than 200."""
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        data = content.decode("utf-8", "replace")
    found = _read(data, status)
    header = str(headers.get("x-amzn-errortype", "")).partition(":")[0].lower()
    names = found.names | {header} if header else found.names
    return Refusal(status, names, found.param, found.words, wait_asked(headers, data, found.words))


def refusal_in(data: Any, headers: Mapping[str, str] | None = None) -> Refusal | None:
    """The refusal inside a body that came with a 200; None where there is none. A choice that ended in an error is one:
    what stands beside it is no answer."""
    if isinstance(data, list) and len(data) == 1:  # Google's
        data = data[0]
    if not isinstance(data, dict):
        return None
    choices = data.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
    base = data.get("base_resp")  # MiniMax's
    error = data.get("error")
    if (
        (any(error.values()) if isinstance(error, dict) else error)
        or data.get("object") == "error"
        or data.get("type") == "error"
    ):
        found = _read(data, None)
    elif choice.get("error") or choice.get("finish_reason") == "error":
        found = _read({"error": choice.get("error") or "the answer ended in an error"}, None)
    elif not choices and isinstance(base, dict) and base.get("status_code"):
        found = _read({"error": {"code": None, "message": base.get("status_msg")}}, None)
    elif not choices and data.get("detail"):
        found = _read(data, None)
    else:
        return None
    wait = wait_asked(headers or {}, data, found.words)
    return Refusal(found.status, found.names, found.param, found.words, wait, inside=True)


def _read(data: Any, status: int | None) -> Refusal:
    if isinstance(data, list) and data:
        data = data[0]
    error = data.get("error") or data if isinstance(data, dict) else data
    if isinstance(error, str) and error.lstrip().startswith("{") and len(error) < 100_000:  # a body inside a body
        try:
            error = json.loads(error)
            error = error.get("error") or error
        except (ValueError, RecursionError, AttributeError):
            pass
    if not isinstance(error, dict):
        return Refusal(status or 0, words=_line(error))
    error = _opened(error)
    levels = [level for level in (error, data) if isinstance(level, dict)]
    names: list[str] = []
    codes: list[int] = []
    for level in levels:
        for key in ("code", "type", "status", "error_type", "__type", "reason"):
            value = level.get(key)
            if isinstance(value, str) and value.isdigit():
                value = int(value[:9])
            if isinstance(value, int) and not isinstance(value, bool):
                codes.append(value)
            elif isinstance(value, str):
                names.append(value.rpartition("#")[2][:200].lower())
    names += [str(each["reason"])[:200].lower() for each in _dicts(error.get("details")) if "reason" in each]
    if status is None:
        known = [code for code in codes if 400 <= code < 600] + [_STATUS[name] for name in names if name in _STATUS]
        status = known[0] if known else 0
    param = error.get("param")
    detail = error.get("detail") or (error["message"] if isinstance(error.get("message"), list) else None)
    if not isinstance(param, str):
        param = next(
            (str(each["loc"][-1]) for each in _dicts(detail) if isinstance(each.get("loc"), list) and each["loc"]), ""
        )
    said = error.get("message") or detail or error.get("msg") or error
    metadata = error.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None
    words = _line(said) + (f" ({_line(raw)})" if isinstance(raw, str) and raw else "")
    return Refusal(status, frozenset(names), param, words)


def _opened(error: dict[str, Any]) -> dict[str, Any]:
    """An error whose message is an object, as it is or written out (Mistral's), with what that holds."""
    inner = error.get("message")
    if isinstance(inner, str) and inner.lstrip().startswith("{") and len(inner) < 100_000:
        try:
            inner = json.loads(inner)
        except (ValueError, RecursionError):
            return error
    if not (isinstance(inner, dict) and (inner.get("detail") or inner.get("message"))):
        return error
    return {**error, "message": inner.get("message"), "detail": inner.get("detail") or error.get("detail")}


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    return (each for each in value[:20] if isinstance(each, dict)) if isinstance(value, list) else iter(())


def _line(said: Any) -> str:
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return " ".join(text.split())
