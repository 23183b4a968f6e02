"""A tool: a named, typed function that a model may call within its turn.

Rule of this file: one call, its time and what came of it; what is charged, recorded and said to the model is the turn's.
"""

from __future__ import annotations

import contextvars
import inspect
import json
import re
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Any, Literal, get_type_hints, overload

import anyio
import anyio.from_thread
from pydantic import create_model
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from moot.agents.base import reply_of
from moot.agents.failing import contained
from moot.agents.prompts.values import encodable
from moot.protocols.engine.errors import ProtocolError, UsageError, said
from moot.protocols.engine.moves import Asked, Move
from moot.protocols.engine.registry import find, register
from moot.protocols.engine.request import Request

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")
_KEPT = frozenset({"look", "enough"})  # kinds of answers of a turn


class Hung(Exception):
    """A tool that was given up."""


class Tool:
    """A function that a model may call within its turn, by name and with typed arguments.

    function: sync or async. Its parameters are asked for by their types (what pydantic knows), each annotated; one that is
    annotated as `Request` is given the request of the turn, and not asked for. A sync function runs in a thread of its own and an async
    one in the loop, which it must not block. description: told to the model; otherwise the first paragraph of its docstring.
    again: what it returns follows from its arguments and the request, and whatever it costs is charged by the request, so that a
    play that is taken up again calls it again; the answers of all others are then taken from the record.

    Raises UsageError for a name that is none (letters, digits and _, a letter first), a function whose parameters cannot be
    asked for, or one without a description.
    """

    def __init__(
        self, name: str, function: Callable[..., Any], description: str | None = None, *, again: bool = False
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _KEPT:
            raise UsageError(f"a tool is called {name!r}; a name is 1 to 64 letters, digits and _, and a letter first")
        if not callable(function):
            raise UsageError(f"tool {name}: {function!r} is no function")
        self.name, self.function, self.again = name, function, again
        told = description or (inspect.getdoc(function) or "").split("\n\n")[0]
        self.description = " ".join(told.split())
        if not self.description:
            raise UsageError(f"tool {name}: say what it does: description=, or a docstring of the function")
        self.given: list[str] = []  # parameters that take the request
        self.kind: type[Move] = self._kind()
        self.__wrapped__ = function  # where the registry finds out where it is defined

    def _kind(self) -> type[Move]:
        """The class of moves that call it."""
        try:
            hints = get_type_hints(self.function, include_extras=True)
            parameters = inspect.signature(self.function).parameters.values()
        except (NameError, TypeError, ValueError) as error:
            raise UsageError(f"tool {self.name}: its parameters cannot be read: {error}") from None
        fields: dict[str, Any] = {}
        for each in parameters:
            if each.kind not in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY):
                raise UsageError(f"tool {self.name}: {each} has no name to be given by; give each parameter one")
            if (hint := hints.get(each.name)) is None:
                raise UsageError(f"tool {self.name}: the parameter {each.name} has no type; annotate it")
            if hasattr(Move, each.name) or each.name == "kind":
                raise UsageError(f"tool {self.name}: a parameter may not be called {each.name!r}, which every move has")
            if hint is Request:
                self.given.append(each.name)
            elif each.default is each.empty:
                fields[each.name] = hint, ...
            else:
                asked = Asked(f"{_words(hint)}, usually {_json(each.default)}")
                fields[each.name] = Annotated[hint, asked], each.default
        try:
            fields["kind"] = Literal[self.name], self.name
            own: Any = {"__base__": Move, "__doc__": self.description, "__cls_kwargs__": {"abstract": True}}
            made: Any = create_model(self.name, **own, **fields)
            made.model_json_schema()
        except (ProtocolError, PydanticSchemaGenerationError, PydanticUserError, TypeError, NameError) as error:
            raise UsageError(
                f"tool {self.name}: its parameters cannot be asked for: {str(error).splitlines()[0]}"
            ) from None
        return made  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"Tool({self.name!r}, {self.function!r})"

    def identity(self) -> dict[str, Any]:
        """What makes its answers what they are."""
        return {"tool": self.name, "description": self.description, "function": self.function}

    async def call(self, arguments: Mapping[str, Any], request: Request, seconds: float) -> Any:
        """What it returns. Raises Hung after so many seconds, and whatever the function raises."""
        given = {**arguments, **dict.fromkeys(self.given, request)}

        def made() -> Any:
            return self.function(**given)

        plain = not inspect.iscoroutinefunction(inspect.unwrap(self.function))
        with anyio.move_on_after(seconds):
            return await (_in_thread(made) if plain else reply_of(made))
        raise Hung(f"it did not answer within {seconds:g} seconds")


async def _in_thread(call: Callable[[], Any]) -> Any:
    """What a call in a thread of its own returns, which is left to itself where nobody waits any more: it keeps no process
    from ending, as a thread of anyio's would."""
    done, came = anyio.Event(), list[tuple[bool, Any]]()
    context = contextvars.copy_context()
    if (
        sniffio := sys.modules.get("sniffio")
    ) is not None:  # by which anyio tells whether a loop runs here: in that thread none does
        context.run(sniffio.current_async_library_cvar.set, None)

    def work() -> None:
        try:
            came.append((True, context.run(call)))
        except BaseException as error:
            came.append((False, error))
        with suppress(RuntimeError):  # nobody waits
            portal.start_task_soon(done.set)

    async with anyio.from_thread.BlockingPortal() as portal:
        threading.Thread(target=work, daemon=True, name="moot tool").start()
        await done.wait()
    good, value = came[0]
    if not good:
        raise (
            value
            if isinstance(value, Exception)
            else RuntimeError(f"it let out {type(value).__name__}: {said(value)}".removesuffix(": "))
        )
    return await value if inspect.isawaitable(value) else value


def written(value: Any) -> str:
    """What a tool returned, as text: as it is, as JSON, or else as Python writes it."""
    if isinstance(value, str):
        return encodable(value)
    try:
        return encodable(json.dumps(value, ensure_ascii=False))
    except (TypeError, ValueError, RecursionError):
        pass
    try:
        return encodable(repr(value))
    except BaseException as error:
        raise contained(error) from None


def _json(value: Any) -> str:
    text = written(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _words(hint: Any) -> str:
    return {str: "your words", bool: "true or false", int: "a whole number", float: "a number"}.get(hint, "JSON")


@overload
def tool(function: Callable[..., Any]) -> Tool: ...
@overload
def tool(*, name: str | None = None, again: bool = False) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(function: Callable[..., Any] | None = None, *, name: str | None = None, again: bool = False) -> Any:
    """Make a function a tool that is known by its name: `@tool`, or `@tool(name="word_count")`. Raises UsageError like `Tool`."""

    def made(given: Callable[..., Any]) -> Tool:
        found = Tool(name or given.__name__, given, again=again)
        register("tool", found.name, found)
        return found

    return made if function is None else made(function)


def tools_of(given: Iterable[Tool | Callable[..., Any] | str]) -> tuple[Tool, ...]:
    """Tools, functions and names of registered tools, as tools. Raises UsageError on what is none, and where two have one name."""
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise UsageError(f"tools is {given!r}; it must be a list of tools, functions, or names of tools")
    found: dict[str, Tool] = {}
    for each in given:
        made: Any = find("tool", each) if isinstance(each, str) else each
        if not isinstance(made, Tool):
            made = Tool(getattr(made, "__name__", ""), made)
        if made.name in found:
            raise UsageError(f"two tools are called {made.name!r}; give one of them another name")
        found[made.name] = made
    return tuple(found.values())
