"""The debate about an image whose judge sees a few pixels: the first experiment with debate.
Rule: one game and its moves, on an image of any origin; images, networks and searches are elsewhere.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899, section 3.1): both debaters see a handwritten digit and claim what it
is; in turn each reveals one non-zero pixel; the judge sees those pixels and decides between the claims.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.checks import choose, fill
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import Source


class Pixel(Move, argues=True, filled=("value",), fixed_reading=1, read_as="row {row}, column {column}: {value}"):
    """A non-zero pixel that nobody has revealed before. The protocol writes what it holds into `value`."""

    kind: Literal["pixel"] = "pixel"
    row: Annotated[int, Field(ge=0)]
    column: Annotated[int, Field(ge=0)]
    value: int = 0


class PixelDebate(Protocol):
    """What does the image show? Two debaters claim labels and reveal `pixels` non-zero pixels in turn, `first` beginning.

    question.data is {"image": [[0, 17, …], …]}, rows of whole numbers from 0 up, with at least `pixels` that are not 0;
    the choices are the labels. Nobody can lie about what a pixel holds. The judge is shown the claims and the revealed
    pixels, never the image: `pixels` cells, and claims without words.

    precommit: both debaters claim a label before the first pixel, blind to each other, and of the two that the judge
    finds more probable wins; the rest of its verdict is struck out. Without it only debater a claims a label, and wins if
    the judge finds that more probable than every other: debater b may let its lie depend on what was revealed. The winner gets 1
    and the other −1; where the judge sets nobody above the other, and where both claim the same, each gets 0.
    """

    name: ClassVar[str] = "pixel-debate"
    players: ClassVar[tuple[str, ...]] = ("debater", "judge")
    zero_sum: ClassVar[bool] = True
    choosing: ClassVar[tuple[str, ...]] = ("claims",)

    pixels: Annotated[int, Field(ge=1)] = 6
    precommit: bool = True
    first: Literal["a", "b"] = "a"

    def roles(self, question: Question) -> dict[str, str]:
        if (problem := self.fit(question)) is not None:
            raise UsageError(f"{self.name}: question {question.text!r}: {problem}")
        return {"a": "debater", "b": "debater", "judge": "judge"}

    def fit(self, question: Question) -> str | None:
        """What is wrong with the question; None when nothing is."""
        if len(question.choices) < 2:
            return "it has no choices; give two labels or more"
        image: Any = question.data.get("image") if isinstance(question.data, dict) else None
        if not _is_image(image):
            return 'data is no image; give {"image": [[0, 17], [255, 0]]}, rows of whole numbers from 0 up'
        lit = sum(value > 0 for row in image for value in row)
        return None if lit >= self.pixels else f"{self.pixels} non-zero pixels are to be revealed, and it has {lit}"

    async def play(self, floor: Floor, question: Question) -> Decided:
        if self.precommit:
            claims = await floor.parallel(*(choose(floor, seat, silent=True) for seat in "ab"), seats=("a", "b"))
        else:
            claims = (await choose(floor, "a", silent=True),)
        image: Any = question.data["image"]  # type: ignore[index, call-overload]
        shown, under = dict[tuple[int, int], int](), dict[str, str]()
        for turn in range(self.pixels):
            seat = "ab"[(turn + (self.first == "b")) % 2]
            pixel = await floor.ask(
                seat, Pixel, view=floor.said(source="all"), check=lambda move: _unseen(move, image, shown),
                under=under.get(seat), relation="supports" if seat == "a" else "attacks", task="pixel",
                details={"claims": list(claims), "left": self.pixels - turn},
            )  # fmt: skip
            shown[pixel.row, pixel.column], under[seat] = pixel.value, floor.step
        verdict = await floor.ask(
            "judge", Verdict, check=lambda verdict: _between(verdict, claims), task="verdict",
            details={"claims": list(claims)},
        )  # fmt: skip
        paid = self._won(verdict.probabilities, claims)
        return Decided(verdict, payoffs={"a": paid, "b": -paid}, step=floor.step)

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"a": "all", "b": "all", "judge": "none"}

    def _won(self, probabilities: tuple[float, ...], claims: tuple[int, ...]) -> float:
        first, *second = claims
        mine, rest = probabilities[first], probabilities[:first] + probabilities[first + 1 :]
        other = probabilities[second[0]] if second else max(rest)
        return float((mine > other) - (mine < other))

    def worth_trying(self, request: Request) -> Iterator[Move] | None:
        return unseen(request) if Pixel in request.kinds else None

    def utility_bound(self, question: Question) -> float:
        return 1.0

    def most_moves(self, question: Question) -> dict[str, int] | None:
        later, sooner = self.pixels // 2, (self.pixels + 1) // 2
        a, b = (sooner, later) if self.first == "a" else (later, sooner)
        return {"a": a + 1, "b": b + self.precommit, "judge": 1}


def _unseen(move: Pixel, image: Any, shown: dict[tuple[int, int], int]) -> Pixel:
    """A pixel that lies in the image, is not 0 and was not revealed, with the value that the image has there."""
    place = f"pixel in row {move.row}, column {move.column}"
    if move.row >= len(image) or move.column >= len(image[0]):
        raise Illegal(f"there is no {place} of {len(image)} by {len(image[0])}")
    if (move.row, move.column) in shown:
        raise Illegal(f"the {place} was revealed before")
    value = image[move.row][move.column]
    if value == 0:
        raise Illegal(f"the {place} is 0; reveal one that is not")
    return fill(move, value=value)


def _between(verdict: Verdict, claims: tuple[int, ...]) -> Verdict:
    """With two claims, what the verdict gives to them alone, out of 1; evenly where it gives them nothing."""
    if len(claims) < 2:
        return verdict
    named = sorted(set(claims))
    among = [verdict.probabilities[label] for label in named]
    total = sum(among)
    kept = {label: each / total if total > 0 else 1 / len(named) for label, each in zip(named, among, strict=True)}
    shares = tuple(kept.get(label, 0.0) for label in range(len(verdict.probabilities)))
    return verdict.model_copy(update={"probabilities": shares})


def _is_image(image: object) -> bool:
    rows = image if isinstance(image, list) else []
    square = all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows)
    return bool(rows) and square and all(type(value) is int and value >= 0 for row in rows for value in row)


def unseen(request: Request) -> Iterator[Pixel]:
    """Every pixel that may be revealed at this request: what a search may try."""
    data: Any = request.view.question.data
    seen = {(entry.move.row, entry.move.column) for entry in request.view if isinstance(entry.move, Pixel)}
    for row, values in enumerate(data["image"]):
        yield from (
            Pixel(row=row, column=column) for column, value in enumerate(values) if value and (row, column) not in seen
        )
