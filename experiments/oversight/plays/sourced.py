"""Amplification whose leaves say what they rest on: a cell of the source that holds the answer, or nothing but whoever gave it.
Rule: one protocol, its two replies, and what is read of them in a tree; the study of it is `fiction.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.amplification.amplification import Amplification, Node
from moot.protocols.amplification.moves import Reply, Subquestions
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import UNKNOWN, Asked, Move
from moot.protocols.engine.question import Question, cell_at
from moot.transcripts.transcript import Transcript


class Grounded(Reply, filled=("of",), fixed_cells=1, read_as="{answer}", pointing=("answer",), quoting=("answer",)):
    """An answer that stands in the source. cell: where, as the positions and keys that lead to it from the data down."""

    kind: Literal["grounded"] = "grounded"  # type: ignore[assignment]
    cell: Annotated[
        tuple[Annotated[int, Field(ge=0)] | str, ...],
        Asked("where it stands: the positions from the data down", "At which cell"),
    ]

    def in_words(self) -> str:
        return f"{super().in_words()} (in cell {', '.join(map(str, self.cell))})"


class Imputed(Reply, filled=("of",), fixed_cells=1, read_as="{answer}", pointing=("answer",), quoting=("answer",)):
    """An answer that no source backs: remembered, inferred or made up."""

    kind: Literal["imputed"] = "imputed"  # type: ignore[assignment]

    def in_words(self) -> str:
        return f"{super().in_words()} (imputed)"


class SourcedAmplification(Amplification):
    """Amplification (see there) in which a question that is answered from no other answer but "?" is answered by a `Grounded`, an
    `Imputed`, or "?". So the node of a leaf in the argument tree has the kind "grounded" or "imputed".

    A grounded answer is held to the data: its cell is there, and holds the answer, a number or a text. That it is the cell
    which the question is about is not checked, as a protocol knows no question's meaning: `fiction.misplaced` holds it to a
    task's rule. Whoever imputes what stands in the source is imputing.
    """

    name: ClassVar[str] = "amplify-sourced"

    def kinds(self, node: Node, final: bool) -> Any:
        if _rests(node):
            return super().kinds(node, final)
        return Grounded | Imputed | Reply if final else Subquestions | Grounded | Imputed | Reply

    def checked(self, floor: Floor, node: Node, choices: tuple[str, ...]) -> Any:
        return partial(self._sourced, data=floor.question.data, node=node, choices=choices)

    def _sourced(self, move: Any, data: Any, node: Node, choices: tuple[str, ...]) -> Move:
        if isinstance(move, Grounded):
            held = cell_at(data, move.cell)
            if isinstance(held, bool) or not isinstance(held, (int, float, str)) or str(held) != move.answer:
                raise Illegal(
                    f"cell {list(move.cell)} does not hold {move.answer!r}; cite the one that does, or impute"
                )
        elif type(move) is Reply and not _rests(node) and move.answer != UNKNOWN:
            raise Illegal(f"{move.answer!r} rests on no other answer: cite a cell, impute it, or say {UNKNOWN}")
        return self.legal(move, node, choices)

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        given = tuple(moves)
        imputed = sum(move["kind"] == "imputed" for move in given)
        if imputed:
            return f"{imputed} of the answers were imputed: no source backs them"
        return super().unmet_assumption(question, given)


def _rests(node: Node) -> bool:
    """Whether an answer to this question can rest on that to another, which "?" is none."""
    return any(isinstance(entry.move, Reply) and entry.move.answer != UNKNOWN for entry in node.log.entries())


def leaves(transcript: Transcript) -> dict[str, Literal["grounded", "imputed"]]:
    """The leaves of a play's argument tree that answer something, by step, as they are marked there."""
    kinds = ((step, node.get("kind")) for step, node in transcript.tree.nodes(data=True))
    return {step: kind for step, kind in kinds if kind in ("grounded", "imputed")}


def fiction_rate(plays: Sequence[Transcript]) -> tuple[int, int]:
    """How many leaves of these plays were imputed, and how many there were in all."""
    marks = [mark for play in plays for mark in leaves(play).values()]
    return marks.count("imputed"), len(marks)
