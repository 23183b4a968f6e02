"""What a recorded move says, in words: one place for the transcript as text, the notebook, the argument tree and exports.

Rule of this file: the words are those of the move's class. Where that is not known here, the fields speak for themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moot.protocols.engine.moves import in_words, recorded_move


def text_of(move: Mapping[str, Any]) -> str:
    """What a recorded move says, as text, for display."""
    known = recorded_move(move)
    return in_words(move) if known is None else known.in_words()
