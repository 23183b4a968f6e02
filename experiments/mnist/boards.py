"""Images as their non-zero pixels, which are what a debater may reveal, and drawing some of them at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from moot.experiments.arrays import np
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moot.experiments.arrays import Floats, Integers


@dataclass(frozen=True)
class Boards:
    """The non-zero pixels of `images` images, listed from the top left.
    places: shape (images, most), the numbers row * width + column; values: the same shape, in (0, 1]; counts: shape
    (images,), how many of them each image has. What stands beyond an image's count is 0."""

    places: Integers
    values: Floats
    counts: Integers

    def __len__(self) -> int:
        return len(self.counts)

    def rows(self, chosen: Integers) -> Boards:
        """Some of the images, or one several times, in the given order."""
        return Boards(self.places[chosen], self.values[chosen], self.counts[chosen])


def boards_of(images: NDArray[np.uint8], least: int = 1) -> Boards:
    """The boards of images of shape (images, height, width). UsageError when one has fewer than `least` non-zero pixels."""
    if len(images) == 0:
        raise UsageError("there are no images to reveal pixels of")
    flat = images.reshape(len(images), -1)
    counts = np.count_nonzero(flat, axis=1)
    if counts.min() < least:
        fewest = f"image {int(counts.argmin())} has {int(counts.min())}"
        raise UsageError(f"{least} non-zero pixels are to be revealed of every image; {fewest}")
    places = np.zeros((len(flat), int(counts.max())), np.int32)
    values = np.zeros(places.shape, np.float32)
    image, place = np.nonzero(flat)
    slot = np.arange(len(image)) - np.repeat(np.cumsum(counts) - counts, counts)
    places[image, slot] = place
    values[image, slot] = flat[image, place] / np.float32(255)
    return Boards(places, values, counts)


def drawn(uniforms: Floats, counts: Integers) -> Integers:
    """Distinct numbers below each row's count, in random order: shape (rows, wanted), as the uniforms in [0, 1) have.
    Every ordered selection is equally probable: the j-th number is drawn among those that the row does not have yet."""
    rows, wanted = uniforms.shape
    chosen = np.empty((rows, wanted), np.int64)
    taken = np.empty((rows, wanted), np.int64)  # the same, in increasing order
    for turn in range(wanted):
        chosen[:, turn] = taken[:, turn] = distinct(uniforms[:, turn], counts - turn, taken[:, :turn])
        taken[:, : turn + 1].sort(axis=1)
    return chosen


def distinct(uniforms: Floats, left: Integers, taken: Integers) -> Integers:
    """A number of each row that is not among those taken, which increase, each of the `left` others equally probable."""
    number = (uniforms * left).astype(np.int64)
    for earlier in taken.T:
        number += number >= earlier
    return number
