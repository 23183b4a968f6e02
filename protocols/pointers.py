"""Messages that point to messages: what lets a short question speak of an object of any size.
Rule: texts and where they are kept; what may be opened, by whom and at what price is the protocol's.

Strong HCH (Christiano 2016) and market making with pointers (Hubinger 2020) reach all of R with them: a judge opens O(1)
messages of a configuration and writes O(1) new ones, however large the whole has grown.

A message is a text. Whatever stands in square brackets in it is a message of its own, stored, and replaced by a pointer:
"&" and 12 hexadecimal digits, the hash of the stored text. So equal messages have equal pointers, whoever wrote them and
in whatever order, and a question with pointers is the same question each time that it is asked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache
from hashlib import blake2b
from typing import Any, TypeVar

from pydantic import BaseModel

from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Move

M = TypeVar("M", bound=Move)

_POINTER = re.compile(r"&[0-9a-f]{12}")
_TOKEN = re.compile(r"[\[\]]|[^\[\]]+")


def pointer_to(text: str) -> str:
    """The pointer to a stored text: "&" and the first 48 bits of its blake2b hash in hexadecimal digits."""
    return "&" + blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def pointers_in(text: str) -> list[str]:
    """Every pointer in a text, in order, as often as it stands there."""
    return _POINTER.findall(text)


class Store:
    """The messages of one play by their pointers. Nothing is ever changed or forgotten."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self._texts)

    def __contains__(self, pointer: str) -> bool:
        return pointer in self._texts

    def intern(self, text: str) -> str:
        """The text with each bracketed part stored, innermost first, and a pointer in its place.

        Raises Illegal on a bracket without its partner, on a pointer to nothing that is stored, and on a text whose
        pointer belongs to another text already; the store is then as it was before.
        """
        new: dict[str, str] = {}
        whole = self.read(text, new)
        self._texts.update(new)
        return whole

    def read(self, text: str, new: dict[str, str]) -> str:
        """As `intern`, and changes nothing here: what would be stored goes into `new`, where it may be pointed to."""
        levels: list[list[str]] = [[]]
        for token in _TOKEN.findall(text):
            if token == "[":
                levels.append([])
            elif token == "]":
                if len(levels) == 1:
                    raise Illegal(f"a ']' closes nothing in {_short(text)}")
                inner = self._known("".join(levels.pop()), new)
                pointer = pointer_to(inner)
                if new.setdefault(pointer, self._texts.get(pointer, inner)) != inner:
                    raise Illegal(f"the pointer {pointer} of {_short(inner)} belongs to another message; write another")
                levels[-1].append(pointer)
            else:
                levels[-1].append(token)
        if len(levels) > 1:
            raise Illegal(f"{len(levels) - 1} '[' without their ']' in {_short(text)}")
        return self._known("".join(levels[0]), new)

    def open(self, pointer: str) -> str:
        """The message behind a pointer; what it points to in turn stays closed. Raises Illegal when nothing is stored there."""
        if pointer not in self._texts:
            raise Illegal(f"{_short(pointer)} points to nothing that was written in this play")
        return self._texts[pointer]

    def _known(self, text: str, new: dict[str, str]) -> str:
        for pointer in pointers_in(text):
            if pointer not in new and pointer not in self._texts:
                raise Illegal(f"{pointer} points to nothing that was written in this play")
        return text


def received(move: M, store: Store, visible: Collection[str], who: str) -> M:
    """The move with its brackets as pointers, in the fields that its class names in `pointing`, or with what is behind the
    pointer that it opens. Raises Illegal on a pointer that `who`, whoever made the move, was not shown. Changes nothing:
    once the move is accepted, `kept` stores what is in its brackets."""
    new: dict[str, str] = {}

    def pointed(text: str) -> str:
        if unseen := next((each for each in pointers_in(text) if each not in visible), None):
            raise Illegal(f"{unseen} was not shown to {who}")
        return store.read(text, new)

    made: M = _each_text(move, move.pointing, pointed)
    pointer = getattr(move, "pointer", None)
    return made if pointer is None else made.model_copy(update={"text": store.open(pointer)})


def kept(move: Move, store: Store) -> None:
    """Store what stands in brackets in a move that was accepted, as it was given."""
    _each_text(move, move.pointing, store.intern)


def _each_text(value: Any, fields: Iterable[str], change: Callable[[str], str]) -> Any:
    """The value with its texts changed: in these fields, and in a tuple in the question and answer of each entry."""
    if isinstance(value, tuple):
        return tuple(_each_text(each, ("question", "answer"), change) for each in value)
    if isinstance(value, BaseModel):
        return value.model_copy(update={name: _each_text(getattr(value, name), (), change) for name in fields})
    return value and change(value)


def check_message(name: str, text: str) -> None:
    """Raise UsageError when the text of a question is no message."""
    try:
        Store().intern(text)
    except Illegal as error:
        raise UsageError(f"{name}: {text!r} is no message: {error}; brackets and pointers must be whole") from None


@lru_cache(maxsize=16)
def as_messages(text: str | None) -> str | None:
    """The text as it stands in messages: pointers in place of what is in brackets. Itself where it is no message."""
    try:
        return None if text is None else Store().intern(text)
    except Illegal:
        return text


def shown(*texts: str) -> list[str]:
    """The pointers in these texts, each once, in order."""
    return list(dict.fromkeys(pointer for each in texts for pointer in pointers_in(each)))


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")
