"""Pointers in the moves of market making: bracketed parts become messages of their own, which single reads open."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

from moot.protocols.amplification.amplification import Open, Reply
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Move
from moot.protocols.engine.view import Entry
from moot.protocols.market.moves import Examine, Query, Statement
from moot.protocols.pointers import Store, pointers_in

M = TypeVar("M", bound=Move)


def shown(text: str, entries: Iterable[Entry]) -> list[str]:
    """The pointers in a question and in statements, each once, in order."""
    texts = [text, *(entry.move.content() for entry in entries)]
    return list(dict.fromkeys(pointer for each in texts for pointer in pointers_in(each)))


def received(move: M, store: Store, visible: Collection[str]) -> M:
    """The move with its brackets as pointers, or with what is behind the pointer that it opens.

    Raises Illegal on a pointer that whoever made the move was not shown.
    """

    def stored(text: str) -> str:
        if unseen := next((pointer for pointer in pointers_in(text) if pointer not in visible), None):
            raise Illegal(f"{unseen} was not shown to you; what may be opened and passed on is what was")
        return store.intern(text)

    if isinstance(move, Open):
        if pointers_in(move.pointer) != [move.pointer]:
            raise Illegal(f"{move.pointer!r} is no pointer; one is & and 12 hexadecimal digits")
        return move.model_copy(update={"pointer": stored(move.pointer), "text": store.open(move.pointer)})
    if isinstance(move, Statement):
        cites = tuple(
            cite.model_copy(update={"question": stored(cite.question), "answer": stored(cite.answer)})
            for cite in move.cites
        )
        answer = None if move.answer is None else stored(move.answer)
        return move.model_copy(update={"text": stored(move.text), "answer": answer, "cites": cites})
    if isinstance(move, Query):
        return move.model_copy(update={"question": stored(move.question), "suppose": stored(move.suppose)})
    if isinstance(move, Examine):
        return move.model_copy(update={"question": stored(move.question)})
    if isinstance(move, Reply):
        return move.model_copy(update={"answer": stored(move.answer)})
    return move
