"""What goes over the wire: chat completions as they come back, and addresses.
Rule: bytes and addresses are read here; nothing is sent, and no move is known."""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from moot.agents.models.tokens.reading import Tokens, tokens_in
from moot.agents.money.usage import Usage, usage_of
from moot.agents.prompts.values import ending
from moot.protocols.engine.errors import UsageError


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call of a tool, as a model asked for it. id: the endpoint's own, or ""; arguments: JSON, as far as the model can write it."""

    id: str
    name: str
    arguments: str

    @classmethod
    def of(cls, id: Any, name: Any, arguments: Any) -> ToolCall:
        """From whatever stands in those places. No arguments are none; some endpoints send an object where others send JSON."""
        text = arguments if isinstance(arguments, str) else "" if arguments is None else json.dumps(arguments)
        return cls(id if isinstance(id, str) else "", name if isinstance(name, str) else "", text)


@dataclass(frozen=True, slots=True)
class Completion:
    """One answer: its text, why it ended (one of `Ending`, whatever the endpoint calls it; None where it does not say), its
    usage (of all answers), the first token's alternatives with their log-probabilities (natural logarithm), where they were asked for and
    given, and what was thought, where the endpoint gives that apart. others: further answers to the same call (`n`). calls: the tools
    that it asks for; given: then all that it said, as an API has it, to be given back with the answers. tokens: all of them, where they are listed."""

    text: str
    finish: str | None
    usage: Usage
    first_token: tuple[tuple[str, float], ...] | None = None
    refusal: str | None = None
    cached: bool = False
    thinking: str = ""
    others: tuple[Completion, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    given: Any = None
    tokens: Tokens | None = None


class NotACompletion(ValueError):
    """A body that is no chat completion."""


def body_of(body: bytes, hide: Callable[[str], str] = str) -> Any:
    """The JSON value of a response body. Raises NotACompletion, saying what is wrong with it; hide: takes secrets out of
    what is shown of it."""
    try:
        return _JSON.decode(body.decode(json.detect_encoding(body), "surrogatepass"))
    except (ValueError, RecursionError):
        shown = hide(body[:20_000].decode("utf-8", "replace"))[:80]
        raise NotACompletion(f"the body is not JSON: {shown!r}") from None


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) < 1000 else float(digits)  # Python refuses to read longer ones


_JSON = json.JSONDecoder(parse_int=_integer)


def completion_from(data: Any, cached: bool = False) -> Completion:
    """Read a response body's JSON value. Raises NotACompletion."""
    first = _answer(data, 0)
    others = [_answer(data, place) for place in range(1, len(data["choices"]))]
    answered = any(each["text"] or each["calls"] for each in (first, *others))
    rest = tuple(Completion(**each, usage=Usage(), cached=cached) for each in others)
    return Completion(**first, usage=usage_of(data, answered), cached=cached, others=rest)


def _answer(data: Any, place: int) -> dict[str, Any]:
    """What a choice says, as the fields of a Completion."""
    try:
        choice = data["choices"][place]
        message = choice["message"]
        text = message.get("content")
        refusal = message.get("refusal")
    except (KeyError, IndexError, TypeError, AttributeError):
        raise NotACompletion(f"the body is not a chat completion: {json.dumps(data)[:80]}") from None
    thoughts = [words_in(message[name]) for name in THOUGHT if name in message]
    if isinstance(text, list):
        thoughts += [words_in(part) for part in text if is_thought(part)]
        text = "".join(
            words_in(part.get("text") if isinstance(part, dict) else part) for part in text if not is_thought(part)
        )
    if text is not None and not isinstance(text, str):
        raise NotACompletion(f"the content of the message is {type(text).__name__}, not text")
    finish, listed = choice.get("finish_reason"), message.get("tool_calls")
    asked = [each if isinstance(each, dict) else {} for each in listed] if isinstance(listed, list) else []
    called = [(each, each["function"] if isinstance(each.get("function"), dict) else {}) for each in asked]
    return {
        "text": text or "", "finish": ending(finish) if isinstance(finish, str) else None,
        "first_token": first_token(choice.get("logprobs")), "tokens": tokens_in(choice),
        "refusal": refusal if isinstance(refusal, str) and refusal else None,
        "thinking": "\n\n".join(dict.fromkeys(filter(str.strip, thoughts))),
        "calls": tuple(ToolCall.of(each.get("id"), of.get("name"), of.get("arguments")) for each, of in called),
        "given": message if asked else None,
    }  # fmt: skip


THOUGHT = ("reasoning_content", "reasoning", "thinking", "reasoning_details")
"""Fields of a message in which endpoints give what a model thought; some give it in two of them."""


def is_thought(part: Any) -> bool:
    """Whether a part of a message's content is what was thought."""
    return isinstance(part, dict) and str(part.get("type", "")).partition(".")[0] in ("reasoning", "thinking")


def words_in(part: Any) -> str:
    """The text of a part of a message, of whatever kind; "" where it has none."""
    if isinstance(part, dict):
        part = next((part[name] for name in ("text", "thinking", "reasoning", "summary") if part.get(name)), None)
        return words_in(part) if isinstance(part, (str, list)) else ""
    if isinstance(part, list):
        return "".join(each if isinstance(each, str) else str(each.get("text") or "") for each in part
                       if isinstance(each, (str, dict)))  # fmt: skip
    return part if isinstance(part, str) else ""


def first_token(logprobs: Any) -> tuple[tuple[str, float], ...] | None:
    """The alternatives at the first place of a chat completion's `logprobs`; None where there are none to read."""
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


@lru_cache(256)
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


@lru_cache(256)
def endpoint_of(base_url: str, path: str = "chat/completions") -> str:
    """The address of an API below a base URL; a query stays behind it, with that of the path."""
    parts, (path, _, query) = urlsplit(base_url), path.partition("?")
    query = "&".join(filter(None, (parts.query, query)))
    return parts._replace(path=f"{parts.path.rstrip('/')}/{path}", query=query, fragment="").geturl()


def with_query(base_url: str, query: Mapping[str, str] | None) -> str:
    """A base URL with more parameters. Raises UsageError for one that is no text, or there already."""
    if not query:
        return base_url
    parts = urlsplit(base_url)
    there = parse_qsl(parts.query, keep_blank_values=True)
    for name, value in query.items():
        if not (isinstance(name, str) and name and isinstance(value, str)):
            raise UsageError(f"query: {name!r} must be a name with a text as value")
        if name in dict(there):
            raise UsageError(f"query: {name} stands in the base URL already; give it once")
    return parts._replace(query=urlencode([*there, *query.items()])).geturl()


def is_azure(base_url: str) -> bool:
    """Whether an address is Azure's, where a key goes into the header `api-key`
    (learn.microsoft.com/azure/foundry/openai/reference: "Api-key authentication")."""
    host = (urlsplit(base_url).hostname or "").lower()
    return host.endswith((".openai.azure.com", ".cognitiveservices.azure.com", ".services.ai.azure.com"))
