"""The options of a model that say what it may do within a turn.

Rule of this file: values, checked; what they mean is the turn's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from moot.agents.models.attempts import TEXT_KEPT
from moot.agents.tools.tool import Tool, tools_of
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.values.looking import MOST

LOOKS = 8
WHOLE = (64, 2000)
ToolsAPI = Literal["text", "native", "auto"]


@dataclass(frozen=True)
class Aids:
    """What a model may do within a turn. looks: how often it may look, or call a tool. whole: the cells and characters up to which
    data and passage are shown in the prompt; None: never. tools: those that it may call. timeout: seconds of one call. most:
    characters of what a tool returns that the model is shown. api: whether it asks for them as text, by the endpoint's own calls, or
    so where the endpoint is known to have them."""

    looks: int = LOOKS
    whole: tuple[int, int] | None = WHOLE
    tools: tuple[Tool, ...] = ()
    timeout: float = 30.0
    most: int = 4000
    api: ToolsAPI = "text"

    @classmethod
    def of(cls, looks: Any, whole: Any, tools: Any, timeout: Any, most: Any, api: Any = "text") -> Self:
        """The options of a model, checked. Raises UsageError, naming the option."""
        for name, count, high in (("looks", looks, 1000), ("tool_limit", most, TEXT_KEPT)):
            if type(count) is not int or not 0 <= count <= high:
                raise UsageError(f"{name} is {count!r}; it must be a whole number from 0 to {high:,}")
        if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout < 1e6:
            raise UsageError(f"tool_timeout is {timeout!r}; it must be a number of seconds over 0")
        if whole is not None and whole is not False:
            pair = list(whole) if isinstance(whole, (list, tuple)) else []
            if len(pair) != 2 or not all(type(n) is int and 0 <= n <= m for n, m in zip(pair, MOST, strict=True)):
                cells, characters = MOST
                raise UsageError(
                    f"show_whole is {whole!r}; it must be false, or two numbers: cells up to {cells:,} and characters up to "
                    f"{characters:,}"
                )
        if api not in get_args(ToolsAPI):
            raise UsageError(f"tools_api is {api!r}; it can be 'text', 'native' or 'auto'")
        made = tools_of(tools)
        if made and not looks:
            raise UsageError("tools are given and looks is 0, which is how often they may be called in a turn")
        return cls(looks, tuple(whole) if whole else None, made, float(timeout), most, api)

    def told(self) -> dict[str, Any]:
        """Those that differ from what they are by default."""
        whole = list(self.whole) if self.whole else False
        found = {
            "looks": self.looks,
            "show_whole": whole,
            "tool_timeout": self.timeout,
            "tool_limit": self.most,
            "tools_api": self.api,
        }
        default = {
            "looks": LOOKS,
            "show_whole": list(WHOLE),
            "tool_timeout": 30.0,
            "tool_limit": 4000,
            "tools_api": "text",
        }
        return {name: value for name, value in found.items() if value != default[name]}
