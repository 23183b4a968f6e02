"""What was made of an object and is wanted again: kept for as long as that object lives, and no longer.

Rule of this file: by identity, never by value (1 and 1.0 are equal, and read differently); nothing kept is ever changed.
"""

from __future__ import annotations

from typing import Any
from weakref import ref


class Kept:
    """A dict for each object. What it is made from must not change: moves, questions, facts and templates do not."""

    def __init__(self) -> None:
        self._by_id: dict[int, tuple[ref[Any], dict[Any, Any]]] = {}

    def of(self, thing: Any) -> dict[Any, Any]:
        """What is kept of an object. An object that cannot be watched for its end gets a new dict each time."""
        place = id(thing)
        if (found := self._by_id.get(place)) is not None and found[0]() is thing:
            return found[1]
        made: dict[Any, Any] = {}
        by_id = self._by_id

        def gone(_: ref[Any]) -> None:
            by_id.pop(place, None)

        try:
            by_id[place] = ref(thing, gone), made
        except TypeError:  # a class with __slots__ and no __weakref__
            pass
        return made

    def __len__(self) -> int:
        return len(self._by_id)
