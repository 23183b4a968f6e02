"""Where in a protocol's own file something happened, for the messages of a ProtocolError.

Rule of this file: it looks at frames and tracebacks, and at nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.steps import Branch


def line_of(error: BaseException, protocol: Protocol) -> str:
    """Where in the protocol's own file an error came from; if it never was there, the innermost line outside the engine."""
    own, place, other = type(protocol).play.__code__.co_filename, "", ""
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file == own:
            place = f"{file}:{trace.tb_lineno}"
        elif Path(file).parent != Path(__file__).parent or not other:
            other = f"{file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place or other


def where_of(branch: Branch, protocol: Protocol) -> str:
    """The protocol and the line of its own file at which `branch` stands."""
    own, place = type(protocol).play.__code__.co_filename, ""
    inner: Any = branch.coro
    while (frame := getattr(inner, "cr_frame", None)) is not None:
        if frame.f_code.co_filename == own or not place:
            place = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        inner = getattr(inner, "cr_await", None)
    return f"protocol {protocol.name} at {place or own}"
