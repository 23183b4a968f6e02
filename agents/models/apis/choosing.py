"""Which API an endpoint is asked over for a model, and whether its answers are streamed: as told, or as it says.
Rule: refusals that are about this are read here, and nothing is sent. What is learnt is kept with all else that is learnt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal, get_args
from urllib.parse import urlsplit

from moot.agents.models import wire
from moot.agents.models.apis.api import API
from moot.agents.models.apis.chat import Chat
from moot.agents.models.apis.messages import Messages
from moot.agents.models.apis.responses import Responses
from moot.agents.models.profiles.profile import SPOKEN, STREAM, STREAM_USAGE, Change
from moot.agents.models.refusals import Refusal
from moot.protocols.engine.errors import UsageError

Choice = Literal["auto", "chat", "messages", "responses"]
CHAT, MESSAGES, RESPONSES = Chat(), Messages(), Responses()
APIS: Mapping[str, API] = {api.spoken: api for api in (CHAT, MESSAGES, RESPONSES)}
_STATUSES = frozenset({0, 400, 404, 405, 415, 422, 501})

# "This model is only supported in v1/responses and not in v1/chat/completions." (404; aaif-goose/goose#2564), "This is not a chat
# model and thus not supported in the v1/chat/completions endpoint." (404, of gpt-5 pro models too; micz/ThunderAI#570),
# "/v1/chat/completions is not supported. Please use /v1/responses." (400; Wei-Shaw/sub2api#885)
_RESPONSES = re.compile(
    r"\bonly (?:supported|available) (?:in|on|with|through|via) (?:the )?\W?/?(?:v1/)?responses\b|\bnot a chat model\b"
    r"|\buse (?:the )?\W?/?v1/responses\b|\bchat/completions\b.{0,60}?\bnot supported\b.{0,60}?\bresponses\b",
    re.IGNORECASE,
)
# "This model only support stream mode, please enable the stream parameter" (FoundationAgents/OpenManus#330), "Stream must be set
# to true" (leookun/cursor-byok#14), "parameter.enable_thinking must be set to false for non-streaming calls"
# (langchain4j/langchain4j#3974), "enable thinking can not be support when `stream=False`" (musistudio/claude-code-router#948),
# "Requests with max_tokens > 4096 must have stream=true" (nullclaw/nullclaw#231)
_STREAMS_ONLY = re.compile(
    r"\bonly supports? stream(?:ing)?\b|\bstream\W{0,3} must be (?:set to )?\W?true\b|\bmust have \W?stream\W?\s?=\s?\W?true\b"
    r"|\bfor non-streaming calls\b|\bwhen \W?stream\s?=\s?false\b|\bstream(?:ing)? (?:mode )?is required\b"
    r"|\bnon-streaming (?:calls|requests|mode|responses?) (?:is|are) not (?:supported|allowed)\b",
    re.IGNORECASE,
)
# "Your organization must be verified to stream this model." (chatboxai/chatbox#2263), "Unsupported value: 'stream' does not
# support true with this model." (animalnots/BetterChatGPT-PLUS#62)
_NO_STREAMS = re.compile(r"\bmust be verified to stream\b|\bstream\W{1,3}does not support true\b", re.IGNORECASE)
_EXTRA = re.compile(
    r"\bextra (?:inputs|fields)\b|\bun(?:known|recogni[sz]ed|supported|expected)\b|\bnot (?:supported|permitted|allowed)\b",
    re.IGNORECASE,
)


def checked(api: str, stream: bool | str) -> None:
    """Raises UsageError for what is no API, or no way to stream."""
    if api not in get_args(Choice):
        raise UsageError(f"api is {api!r}; it can be 'auto', 'chat', 'messages' or 'responses'")
    if not isinstance(stream, bool) and stream != "auto":
        raise UsageError(f"stream is {stream!r}; it can be true, false or 'auto'")


def place(api: str, base_url: str | None) -> tuple[str, API | None]:
    """The address to ask, and the API whose own address it is, with a key of that maker's; None where it is somebody else's.
    Raises UsageError for what is no address."""
    home = MESSAGES if api == MESSAGES.spoken else CHAT
    url = home.own() if base_url is None else wire.checked_url(base_url)
    return url, next((each for each in (home, CHAT, MESSAGES) if each.own() == url), None)


@lru_cache(256)
def by_address(api: str, url: str) -> API:
    """The API that is told, or that an address is known to have: Anthropic's own is asked over its messages."""
    if api != "auto":
        return APIS[api]
    return MESSAGES if urlsplit(url).hostname == urlsplit(MESSAGES.host).hostname else CHAT


def chosen(api: str, stream: bool | str, url: str, changes: Mapping[str, Change]) -> tuple[API, bool]:
    """The API to ask over, and whether to stream, given what was learnt."""
    spoken = changes.get(SPOKEN) if api == "auto" else None
    learnt = changes.get(STREAM)
    streams = (learnt is not None and learnt.to is True) if stream == "auto" else bool(stream)
    return by_address(api, url) if spoken is None else APIS[spoken.to], streams


def change_for(
    refusal: Refusal, api: API, streams: bool, told: str, stream: bool | str, trials: Iterable[Change] = ()
) -> Change | None:
    """What to do otherwise after a refusal that is about the API or the stream; None after any other. told, stream: what the
    model's options say: a choice of the caller's own is not changed. trials: what was changed for this very answer; what was
    learnt before is given up where the endpoint no longer says so."""
    words = refusal.words[:4000]
    if refusal.status not in _STATUSES or refusal.crowded or refusal.no_credit:
        return None
    because = f"{refusal.status}: {words[:200]}"
    if told == "auto" and api is CHAT and _RESPONSES.search(words):
        return Change(SPOKEN, RESPONSES.spoken, because)
    if stream == "auto" and not streams and _STREAMS_ONLY.search(words):
        return Change(STREAM, True, because)
    lately = {change.option for change in trials}
    if told == "auto" and api is RESPONSES and refusal.status in (404, 405) and SPOKEN not in lately:
        return Change(SPOKEN, CHAT.spoken, because)
    if stream == "auto" and streams and STREAM not in lately and _NO_STREAMS.search(words):
        return Change(STREAM, False, because)
    about = re.split(r"[.\[]", refusal.param.removeprefix("body."))[0]
    named = about in ("stream_options", "include_usage") or (not about and "stream_options" in words)
    if streams and api is CHAT and named and (refusal.names & {"unknown_parameter"} or _EXTRA.search(words)):
        return Change(STREAM_USAGE, because=because)  # Mistral's (avante-corp/avante.nvim#2347); usage comes unasked
    return None
