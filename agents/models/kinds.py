"""Models by name: what a specification and a table of a configuration can say of them.
Rule: options and profiles; what they mean is `LM`'s."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from moot.agents.kinds import AgentKind, Asked, Profile
from moot.agents.models.apis import choosing
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.apis.responses import LEAST
from moot.agents.models.client import GROWS, Record, Structured
from moot.agents.models.endpoint import RETRIES, Auth
from moot.agents.models.lm import LM, READS
from moot.agents.money.price_file import prices_for
from moot.agents.money.prices import FREE
from moot.agents.prompts.asking import SHOWN
from moot.agents.tools.aids import LOOKS, WHOLE, ToolsAPI
from moot.agents.tools.looks import TOLD as TOLD_AT_ONCE

ESCAPED = 6  # bytes that a character may take in a prompt
TOLD = 2048  # bytes allowed for what is wrong with an answer, and what its form is


class ModelKind(AgentKind):
    """The options that models have in common: those of `LM`."""

    structured: Structured = "auto"
    temperature: float | None = None
    max_tokens: int = 1024
    max_tokens_limit: int | None = None
    seed: bool = True
    prompts: str | None = None
    prices: list[float] | str | None = None
    cache: str | None = None
    timeout: float = 120.0
    retries: int = RETRIES
    backoff: float = 0.5
    extra_body: dict[str, Any] | None = None
    identity: str | None = None
    grows: ClassVar[int] = GROWS
    image_tokens: int | None = None
    api: Choice = "auto"
    stream: bool | Literal["auto"] = "auto"
    thinking: int | None = None
    record: Record = "answers"
    looks: int | None = None
    show_whole: list[int] | Literal[False] = list(WHOLE)
    tools: list[str] = []
    tool_timeout: float = 30.0
    tool_limit: int = 4000
    tools_api: ToolsAPI = "text"
    usual_looks: ClassVar[int] = LOOKS

    def profile(self) -> Profile:
        """Each doubling of max_tokens once, since what was enough is kept, and then an answer told why, and one in each form.
        What could not be read is shown again."""
        first = max(LEAST, self.max_tokens + (self.thinking or 0))
        limit = max(first, self.max_tokens_limit or (first if self.thinking else self.grows * self.max_tokens))
        spent, size = list[int](), first
        while size < limit:
            spent, size = [*spent, size], 2 * size
        reads = READS if self.structured == "auto" else 2
        shown = sum(map(_shown, spent)) + (reads - 1) * _shown(limit)
        model, url = self.place()
        looks = self.usual_looks if self.looks is None else self.looks
        prices = FREE if url == "local" else prices_for(self.prices, model, url)
        return Profile(
            limit, len(spent) + reads, image_tokens=self.image_tokens, models=(Asked(model, url, prices),),
            most=sum(spent) + reads * limit, retold=shown, further=looks and looks + READS - reads, shows=ESCAPED * TOLD_AT_ONCE + TOLD,
            tools=bool(self.tools),
        )  # fmt: skip

    def place(self) -> tuple[str, str]:
        """The model's name and its base URL."""
        return str(getattr(self, "model", "local")), "local"


def _shown(most: int) -> int:
    """The most tokens that an answer of so many takes when it is shown again, with what is wrong with it."""
    return min(most, 5 * SHOWN) + TOLD


class OpenAIKind(ModelKind):
    """A model at an OpenAI-compatible endpoint. api_key_env: the environment variable that holds the key."""

    name: ClassVar[str] = "openai"
    form: ClassVar[str | None] = "openai:MODEL or openai:MODEL@http://HOST/v1"
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    headers: dict[str, str] | None = None
    query: dict[str, str] | None = None
    auth: Auth | None = None
    takes: dict[str, Any] | None = Field(None, alias="profile")

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        for scheme in ("@http://", "@https://"):  # a model's own name may hold an @
            model, found, host = text.partition(scheme)
            if found:
                return {"model": model, "base_url": scheme[1:] + host}
        return {"model": text} if text else {}

    def make(self) -> LM:
        return LM(**self.given("takes"), profile=self.takes)

    def place(self) -> tuple[str, str]:
        return self.model, choosing.place(self.api, self.base_url)[0]


class AnthropicKind(OpenAIKind):
    """A model asked over Anthropic's Messages API."""

    name: ClassVar[str] = "anthropic"
    form: ClassVar[str | None] = "anthropic:MODEL or anthropic:MODEL@http://HOST/v1"
    api: Literal["messages"] = "messages"

    def make(self) -> LM:
        return LM(**{**self.given("takes"), "api": "messages"}, profile=self.takes)
