"""What every API has in common: an address, headers, a body, a completion, and a stream of events that is put together.
Rule: no API is known here, and nothing is sent. A stream is folded into the body that would have come without streaming, so
that there is one reader of answers for each API."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

from moot.agents.models import wire
from moot.agents.models.refusals import Refusal
from moot.agents.models.wire import Completion
from moot.protocols.engine.errors import UsageError

_FIELD = re.compile(r"\W{0,2}(\w{1,40})((?:\.\w{1,40}){0,6})\W{0,2}:? ")


class CutShort(OSError):
    """A stream that ended before the answer did."""


class Folding(ABC):
    """A stream of events as it is put together. done: its last event has come. size: characters held so far."""

    def __init__(self) -> None:
        self.done, self.size = False, 0
        self._error: Any = None

    def feed(self, data: str) -> bool:
        """Take in the data of one event. Whether it brought the answer on, or only says that the endpoint is still there.
        Raises NotACompletion when it is no JSON."""
        if self.done or not data.strip():
            return False
        if data.strip() == "[DONE]":
            self.done = True
            return True
        try:
            event = wire.body_of(data.encode("utf-8", "replace"), lambda text: "")
        except wire.NotACompletion:
            raise wire.NotACompletion("an event of its stream is not JSON") from None
        if not isinstance(event, dict):
            raise wire.NotACompletion(f"an event of its stream is {type(event).__name__}, not an object")
        error = event.get("error")
        if event.get("type") == "error" or (any(error.values()) if isinstance(error, dict) else error):
            self._error, self.done = event, True
            return True
        return self.take(event, data)

    @abstractmethod
    def take(self, event: dict[str, Any], data: str) -> bool:
        """Take in an event, as JSON; data: the same as text. Events that are not known are passed over."""

    @abstractmethod
    def complete(self) -> bool:
        """Whether it was said why the answer ended: then all of it is here."""

    @abstractmethod
    def made(self) -> dict[str, Any]:
        """The body that would have come without streaming."""

    def ended(self) -> bool:
        """Whether nothing that matters can follow: the answer, or an error in its place, is here."""
        return self._error is not None or self.complete()

    def whole(self) -> Any:
        """The body, or the error that came in its place. Raises CutShort when the stream stopped before its end."""
        if self._error is not None:
            return self._error
        if not self.complete():
            held = f"after {self.size:,} characters" if self.size else "before anything was said"
            raise CutShort(f"the stream stopped {held}, without the event that ends an answer")
        return self.made()


class API(ABC):
    """One API. path: where it is, below the base URL. called: for messages. host, base_variable, key_variable: the address and key of whoever made
    it, and the variables that say otherwise. logprobs: whether log-probabilities can be had.
    several: whether one request may ask for several answers. least: the fewest tokens that an answer is allowed. fields: what fields of its bodies are called in moot's requests."""

    spoken: ClassVar[str]
    path: ClassVar[str]
    called: ClassVar[str] = "an OpenAI-compatible API"
    host: ClassVar[str] = "https://api.openai.com/v1"
    base_variable: ClassVar[str] = "OPENAI_BASE_URL"
    key_variable: ClassVar[str] = "OPENAI_API_KEY"
    logprobs: ClassVar[bool] = True
    several: ClassVar[bool] = False
    least: ClassVar[int] = 1
    fields: ClassVar[Mapping[str, str]] = {}

    def own(self) -> str:
        """The address that is asked where none is given."""
        return wire.checked_url(os.environ.get(self.base_variable) or self.host)

    def headers(self, key: str | None) -> dict[str, str]:
        """The headers of a request, with a key or without."""
        return {} if key is None else {"authorization": f"Bearer {key}"}

    @abstractmethod
    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The body of a request. Raises UsageError for fields that do not go together."""

    def streamed(self, body: Mapping[str, Any], usage: bool = True) -> dict[str, Any]:
        """The same body, for an answer event by event. usage: whether to ask for the usage too, where it must be asked for."""
        return {**body, "stream": True}

    @abstractmethod
    def completion(self, data: Any, cached: bool = False) -> Completion:
        """Read the JSON value of an answer. Raises NotACompletion."""

    @abstractmethod
    def folding(self) -> Folding:
        """An empty fold of a stream of events."""

    def field(self, name: str) -> str:
        """What a field of moot's request is called here."""
        return next((own for own, meant in self.fields.items() if meant == name), name)

    def neutral(self, refusal: Refusal) -> Refusal:
        """A refusal about a field of this API, as one about the field of moot's request. Anthropic names the field at the
        head of the words ("output_config.format: Extra inputs are not permitted")."""
        about = re.split(r"[.\[]", refusal.param.removeprefix("body."))[0]
        if not about and (found := _FIELD.match(refusal.words)):
            about = found[1]
        return replace(refusal, param=self.fields[about]) if about in self.fields else refusal


def checked(request: Mapping[str, Any]) -> None:
    """Raises UsageError when the fields of a caller's own ask for what an option of the model decides."""
    if "stream" in request:
        raise UsageError("extra_body holds 'stream'; give the option stream=True or stream=False of the model")


def texts(content: Any) -> Any:
    """The parts of a message's content, text as {"type": "text", "text": …}."""
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
