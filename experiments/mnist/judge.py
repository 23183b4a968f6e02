"""The judge of the pixel debate, a small network that sees a few non-zero pixels and nothing else; and images as these.
Rule: pixels in, logits out; no debater and no turn is known here.

Irving, Christiano and Amodei 2018 train a convolutional network on two planes, which pixels were revealed and their
values. Here it is a perceptron with two hidden layers on the same planes: a pixel adds its two rows of the first layer,
so that positions which differ in a few pixels share all the rest of that work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, Integers, needed, np
from moot.tasks.reading.images import Images


@dataclass(frozen=True)
class Boards:
    """The non-zero pixels of images, listed from the top left. places: shape (images, most), the numbers row * width + column;
    values: the same shape, in (0, 1]; both 0 beyond an image's count. counts: shape (images,), how many each image has."""

    places: Integers
    values: Floats
    counts: Integers

    def __len__(self) -> int:
        return len(self.counts)

    def rows(self, chosen: Integers) -> Boards:
        """Some of the images, or one several times, in the given order."""
        return Boards(self.places[chosen], self.values[chosen], self.counts[chosen])


def boards_of(images: Integers, least: int = 1) -> Boards:
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


_ARRAYS = ("first", "first_bias", "second", "second_bias", "third", "third_bias")


@dataclass(frozen=True)
class SparseJudge:
    """A trained judge of images of `shape` (height, width), for `revealed` pixels. first: weights, shape (2 * height * width,
    hidden): a row for each pixel's being revealed, then one for its value. second: (hidden, hidden'), third: (hidden',
    labels), and the biases of the three."""

    shape: tuple[int, int]
    revealed: int
    first: Floats
    first_bias: Floats
    second: Floats
    second_bias: Floats
    third: Floats
    third_bias: Floats

    @property
    def labels(self) -> int:
        return int(self.third.shape[1])

    def added(self, places: Integers, values: Floats) -> Floats:
        """What revealing pixels adds to the first layer: shape (*places.shape, hidden), to be summed over the pixels."""
        area = self.shape[0] * self.shape[1]
        scaled = values[..., None].astype(self.first.dtype, copy=False) * self.first[area + places]
        scaled += self.first[places]
        return scaled

    def finished(self, sums: Floats, between: Floats | None = None) -> Floats:
        """Logits from sums of `added`: shape (positions, labels). The sums are overwritten.
        between: vectors over the second hidden layer, shape (positions, hidden'), in place of all labels: then the
        product with them alone, shape (positions,)."""
        sums += self.first_bias
        np.maximum(sums, 0, out=sums)
        hidden = sums @ self.second
        hidden += self.second_bias
        np.maximum(hidden, 0, out=hidden)
        if between is not None:
            products: Floats = np.einsum("ij,ij->i", hidden, between)
            return products
        return hidden @ self.third + self.third_bias

    def logits(self, places: Integers, values: Floats) -> Floats:
        """The logits of the labels: shape (positions, labels), of pixels of shape (positions, pixels) each, values in [0, 1]."""
        return self.finished(self.added(places, values).sum(axis=1))

    def in_type(self, dtype: Any) -> SparseJudge:
        """The same judge with weights of another floating type."""
        return replace(self, **{name: getattr(self, name).astype(dtype) for name in _ARRAYS})

    def save(self, path: Path | str) -> None:
        """Write it as an `.npz` file. UsageError when that cannot be written."""
        arrays = {name: getattr(self, name) for name in _ARRAYS}
        try:
            with open(path, "wb") as file:  # given a name alone, numpy would add an ending of its own
                np.savez(file, shape=np.array(self.shape), revealed=np.array(self.revealed), **arrays)
        except OSError as error:
            raise UsageError(f"{path}: the judge cannot be written: {error.strerror or error}") from None


def load_judge(path: Path | str) -> SparseJudge:
    """A judge as `save` wrote it. UsageError when the file is missing, or no such judge."""
    try:
        with np.load(path, allow_pickle=False) as file:
            shape = tuple(int(side) for side in file["shape"])
            judge = SparseJudge((shape[0], shape[1]), int(file["revealed"]), **{name: file[name] for name in _ARRAYS})
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file; a judge is written by SparseJudge.save") from None
    except (OSError, KeyError, ValueError, IndexError, TypeError, EOFError, AttributeError, BadZipFile) as error:
        raise UsageError(f"{path}: this is no judge as SparseJudge.save writes them ({error})") from None
    sizes = [getattr(judge, name).shape for name in _ARRAYS]
    hidden, outer, labels = judge.first_bias.size, judge.second_bias.size, judge.third_bias.size
    fitting = [(2 * shape[0] * shape[1], hidden), (hidden,), (hidden, outer), (outer,), (outer, labels), (labels,)]
    if sizes != fitting or judge.revealed < 1:
        raise UsageError(f"{path}: this is no judge: its arrays have the shapes {sizes}, which do not fit together")
    return judge


def train_judge(
    images: Images, revealed: int, steps: int = 12_000, batch: int = 512, rate: float = 2e-3,
    hidden: tuple[int, int] = (256, 64), seed: int = 0, say: Callable[[str], None] | None = None,
) -> SparseJudge:  # fmt: skip
    """A judge trained on `revealed` random non-zero pixels of random images, drawn anew in each of `steps` batches, by Adam
    (Kingma and Ba 2015) on cross-entropy; its rate falls linearly to 0. say: is told how it goes, ten times. The same seed
    gives the same judge on the same machine. UsageError on an image with fewer, or without the extra `learn`."""
    csr_array = needed("training a judge needs", "scipy.sparse").csr_array
    if min(revealed, steps, batch, *hidden) < 1:
        raise UsageError("a judge is trained on 1 pixel or more, in 1 step or more, with 1 unit or more in each layer")
    boards, labels = boards_of(images.pixels, revealed), images.labels
    rng = np.random.default_rng(seed)
    area, count = images.pixels[0].size, int(labels.max()) + 1
    judge = _fresh(rng, (images.pixels.shape[1], images.pixels.shape[2]), revealed, hidden, count)
    adam = _Adam([getattr(judge, name) for name in _ARRAYS])
    ends = np.arange(batch + 1) * (2 * revealed)
    ones = np.ones((batch, revealed), np.float32)
    rows = np.arange(batch)
    losses: list[float] = []
    for step in range(steps):
        chosen = rng.integers(len(boards), size=batch)
        slots = drawn(rng.random((batch, revealed)), boards.counts[chosen])
        places, values = boards.places[chosen[:, None], slots], boards.values[chosen[:, None], slots]
        cells, columns = np.concatenate((ones, values), 1), np.concatenate((places, places + area), 1)
        inputs = csr_array((cells.ravel(), columns.ravel(), ends), shape=(batch, 2 * area))
        one = np.maximum(inputs @ judge.first + judge.first_bias, 0)
        two = np.maximum(one @ judge.second + judge.second_bias, 0)
        scores = two @ judge.third + judge.third_bias
        scores -= scores.max(axis=1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(axis=1, keepdims=True)
        losses.append(float(-np.log(shares[rows, labels[chosen]] + 1e-12).mean()))
        shares[rows, labels[chosen]] -= 1
        shares /= batch
        back_two = (shares @ judge.third.T) * (two > 0)
        back_one = (back_two @ judge.second.T) * (one > 0)
        layers = ((inputs, back_one), (one, back_two), (two, shares))
        gradients = [each for below, back in layers for each in (below.T @ back, back.sum(0))]
        adam.step(gradients, rate * (1 - step / steps))
        if say is not None and (step + 1) % max(1, steps // 10) == 0:
            recent = losses[-max(1, steps // 10) :]
            say(f"judge of {revealed} pixels: step {step + 1:,} of {steps:,}, loss {sum(recent) / len(recent):.3f}")
    return judge


def random_accuracy(judge: SparseJudge, images: Images, draws: int = 1, seed: int = 0) -> tuple[int, int]:
    """How often the judge is right about images when it sees random non-zero pixels: right, and of how many.
    draws: how many times each image is shown, with other pixels each time."""
    boards, rng, right = boards_of(images.pixels, judge.revealed), np.random.default_rng(seed), 0
    for _ in range(draws):
        slots = drawn(rng.random((len(boards), judge.revealed)), boards.counts)
        for start in range(0, len(boards), 2000):
            part = slice(start, start + 2000)
            places = np.take_along_axis(boards.places[part], slots[part], 1)
            values = np.take_along_axis(boards.values[part], slots[part], 1)
            right += int((judge.logits(places, values).argmax(1) == images.labels[part]).sum())
    return right, draws * len(boards)


def _fresh(rng: Any, shape: tuple[int, int], revealed: int, hidden: tuple[int, int], labels: int) -> SparseJudge:
    """Weights as He et al. 2015 draw them; the first layer's as for the 2 * revealed inputs that are not 0."""
    arrays = list[Any]()
    sizes = [(2 * shape[0] * shape[1], hidden[0]), hidden, (hidden[1], labels)]
    for size, active in zip(sizes, (2 * revealed, *hidden), strict=True):
        weights = (rng.standard_normal(size) * (2 / active) ** 0.5).astype(np.float32)
        arrays += [weights, np.zeros(size[1], np.float32)]
    return SparseJudge(shape, revealed, *arrays)


class _Adam:
    """Adam on arrays, which it changes where they are."""

    def __init__(self, arrays: list[Any]) -> None:
        self.arrays = arrays
        self.means = [np.zeros_like(array) for array in arrays]
        self.squares = [np.zeros_like(array) for array in arrays]
        self.steps = 0

    def step(self, gradients: list[Any], rate: float) -> None:
        self.steps += 1
        scale = rate * (1 - 0.999**self.steps) ** 0.5 / (1 - 0.9**self.steps)
        for array, mean, square, gradient in zip(self.arrays, self.means, self.squares, gradients, strict=True):
            mean += 0.1 * (gradient - mean)
            square += 0.001 * (gradient * gradient - square)
            array -= scale * mean / (np.sqrt(square) + 1e-8)
