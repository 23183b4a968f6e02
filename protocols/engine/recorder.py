"""Who is told what happens in a play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from typing import Protocol as Structural


class Recorder(Structural):
    """Who is told what happens. `moved` is apart because it is the hot path."""

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None,
    ) -> None: ...  # fmt: skip

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None: ...
