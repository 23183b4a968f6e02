"""Recorded moves, read again: as moves where their class is known here, in words wherever they come from.

Rule of this file: what is private in a move does not leave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, fields_in_words, move_class
from moot.protocols.engine.registry import find


@cache
def import_moves_of(protocol: str) -> None:
    """Make the moves of a protocol known, where it is installed: what was recorded of it can then be shown in its words."""
    try:
        find("protocol", protocol)
    except UsageError:
        pass


def recorded_move(data: object) -> Move | None:
    """A recorded move, without what is private. None where its class is not known here or it is not valid (it was
    rejected, or its class has changed)."""
    cls = move_class(data.get("kind")) if isinstance(data, Mapping) else None
    try:
        return None if cls is None else cls.model_validate(data).as_public()
    except ValueError:
        return None


def words_of(data: Mapping[str, Any]) -> str:
    """What a recorded move says, for people: in the words of its class or, where that is not known, by its fields."""
    if (known := recorded_move(data)) is not None:
        return known.in_words()
    cls = move_class(data.get("kind"))  # known, where what it says today does not fit what was recorded
    return fields_in_words({name: each for name, each in data.items() if cls is None or name not in cls.private_fields})
