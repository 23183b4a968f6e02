"""What a mock model is told to say.

Rule: values; what is made of them is the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from moot.testing.server.calling import Calls
from moot.testing.server.faults import Body

Distribution = Mapping[str, float]
Logprobs = Distribution | Callable[[Body, str], Distribution] | Literal[False] | None


@dataclass(frozen=True, slots=True)
class Reply:
    """The assistant's answer. Only `text`, or `calls`, is needed.

    finish_reason: "stop" unless given ("length" also when `max_tokens` cut the text). usage: the `usage` object of the
    response, None for a response without one, "counted" for the mock's own count. delay: seconds to wait first.
    logprobs: as for MockOpenAI, for this reply alone. refusal: the message's `refusal`. thinking: what was thought before,
    which the API gives apart. calls: the tools that it calls, each a name with its arguments (an object, or a text that is sent as it is),
    or the whole of it as a chat completion lists it; finish_reason is then "tool_calls" unless given.
    """

    text: str = ""
    finish_reason: str = "stop"
    usage: Mapping[str, Any] | Literal["counted"] | None = "counted"
    delay: float = 0.0
    logprobs: Logprobs = None
    refusal: str | None = None
    thinking: str = ""
    calls: Calls = ()
