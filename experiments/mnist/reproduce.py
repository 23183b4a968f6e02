"""Reproducing the MNIST experiment: how often the honest debater wins before a judge that sees a few pixels.
Rule: settings, rates and notes; the judge, the debates and the search are in the files beside it.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899), section 3.1. For every test image all nine lies are played, each
with several seeds; the liar wins an image as often as the best of its nine lies does, in the mean over the seeds."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from math import comb
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from moot.experiments.mnist.debates import MOST, Choose, Claims, Standing, at_random, final_logits, optimal, play
from moot.experiments.mnist.judge import SparseJudge, boards_of, random_accuracy, train_judge
from moot.experiments.mnist.pictures import drawing, picture
from moot.experiments.mnist.search import Search
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, np
from moot.tasks.reading.images import Digits, Images, bundled_digits, load_digits_from

PUBLISHED = {6: (0.594, 0.889), 4: (0.482, 0.852)}
"""Pixels: the accuracy of the judge alone on random ones, and that of debate with precommit."""
ORDERS = {"honest first": 0, "honest second": 1}
SOURCE = "Irving, Christiano and Amodei 2018, AI safety via debate"
AT_ONCE = 180
"""How many games are searched together: enough to keep numpy busy, and few enough for some hundred megabytes."""


@dataclass(frozen=True)
class Settings:
    """How much is done. images: test images debated; seeds: games per lie; rollouts: of the search, per move; steps, batch: of the
    judge's training; exploration: the constant of PUCT."""

    images: int = 40
    seeds: int = 1
    rollouts: int = 1000
    steps: int = 6_000
    batch: int = 512
    hidden: tuple[int, int] = (128, 64)
    exploration: float = 1.0


FULL = Settings(images=40, seeds=3, rollouts=10_000, steps=40_000)
"""The paper's rollouts and seeds, on a few of the test images."""


def reproduce(
    data: Path | str | None = None, quick: bool = True, seed: int = 0, pictures: Path | str | None = None,
    pixels: tuple[int, ...] = (6, 4), settings: Settings | None = None, say: Callable[[str], None] = lambda line: None,
) -> Report:  # fmt: skip
    """Train a judge for each number of pixels, debate before it, and report both beside the published figures, where the test
    set is that of MNIST. data: as `load_digits_from` takes it; None: scikit-learn's digits of 8 by 8 pixels. quick: fewer
    rollouts, images, seeds and steps. settings: your own instead. pictures: a folder for a picture of some debates. say: is
    told how it goes. UsageError on bad data, settings or folder, and without the extra `learn`, or `plot` for pictures."""
    digits = bundled_digits() if data is None else load_digits_from(data)
    settings = settings or (Settings() if quick else FULL)
    if min(settings.images, settings.seeds) < 1 or not pixels or min(pixels) < 1:
        raise UsageError("the experiment needs 1 image, 1 seed and 1 pixel or more")
    Search(settings.rollouts, settings.exploration)  # refuses bad ones before the judge is trained
    if pictures is not None:
        drawing()  # what is missing is said before the work, not after it
        _writable(Path(pictures))
    mnist, rows = digits.is_mnist, list[Row]()
    for count in pixels:
        say(f"{digits.name}: training a judge of {count} pixels")
        judge = train_judge(digits.train, count, settings.steps, settings.batch, 2e-3, settings.hidden, seed, say)
        rows += _rows(judge, digits, settings, seed, mnist, say)
        if pictures is not None:
            path = picture(judge, digits.test, Path(pictures) / f"debates-{count}.png", settings.rollouts, seed)
            say(f"some debates of {count} pixels: {path}")
    return Report(
        title="Debate about digits before a judge that sees a few pixels", source=SOURCE, rows=tuple(rows),
        settings={"data": digits.name, "seed": seed, **asdict(settings)}, notes=_notes(digits, mnist),
    )  # fmt: skip


def _writable(folder: Path) -> None:
    """Make the folder for pictures; UsageError where nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"{folder}: pictures cannot be written here: {error.strerror or error}") from None


def _rows(
    judge: SparseJudge, digits: Digits, settings: Settings, seed: int, mnist: bool, say: Callable[[str], None]
) -> list[Row]:
    count, test = judge.revealed, chosen(digits.test, settings.images, seed)
    right, shown = random_accuracy(judge, digits.test, seed=seed)
    alone, debate = PUBLISHED.get(count, (None, None)) if mnist else (None, None)
    rows = [Row.share(f"judge alone, {count} random pixels", right, shown, published=alone)]
    high = rows[0].high or 0.0
    search = Search(settings.rollouts, settings.exploration)

    def both(by: Choose, **options: Any) -> list[Floats]:
        return [honest(judge, test, by, by, first, settings.seeds, seed, **options) for first in ORDERS.values()]

    def mean(won: list[Floats]) -> Floats:
        return (per_image(won[0]) + per_image(won[1])) / 2

    debates = both(search, say=say)
    for order, won in zip(ORDERS, debates, strict=True):
        rows.append(_row(f"debate, {count} pixels, {order}", per_image(won), note=f"{won.mean():.1%} of single games"))
    # The lowest that the mean over orders may be is held against the highest that the judge alone may be.
    row = _row(f"debate, {count} pixels, both orders", mean(debates), published=debate)
    rows.append(row.model_copy(update={"holds": row.low is not None and row.low > high}))
    rows.append(_row(f"random debaters, {count} pixels", mean(both(at_random))))
    free = both(search, precommit=False, say=say)
    rows.append(_row(f"debate without precommit, {count} pixels", mean(free)))
    if comb(int(boards_of(test.pixels).counts.max()), count) <= MOST:
        best = [per_image(solved(judge, test, first)) for first in ORDERS.values()]
        rows += [_row(f"optimal play, {count} pixels, {order}", each) for order, each in zip(ORDERS, best, strict=True)]
    return rows


def _row(name: str, scores: Floats, **more: Any) -> Row:
    """A figure that is a mean over images, each between 0 and 1."""
    return Row.share(name, float(scores.sum()), len(scores), **more)


def chosen(images: Images, count: int, seed: int) -> Images:
    """So many images, drawn without repetition; all of them where there are no more."""
    numbers = np.random.default_rng([seed, 3]).permutation(len(images))[:count]
    return images.rows(np.sort(numbers))


def honest(
    judge: SparseJudge, images: Images, truth: Choose, lie: Choose, first: int = 0, seeds: int = 1, seed: int = 0,
    precommit: bool = True, at_once: int = AT_ONCE, say: Callable[[str], None] | None = None,
) -> Floats:  # fmt: skip
    """How often the honest debater, in seat a, wins each image against each lie: shape (images, lies), means over `seeds`
    games. truth, lie: how the two choose pixels. first: 0 where the honest debater begins, else 1. Without precommit there
    is one lie, that the label is another. A game that nobody wins counts as half. at_once: games played side by side; it
    changes results only where a sum is rounded otherwise in its last bit."""
    boards = boards_of(images.pixels, judge.revealed)
    lies = _lies(images, judge.labels) if precommit else np.full((len(images), 1), -1)
    every = np.array(list(np.ndindex(len(images), lies.shape[1], seeds)))
    # Images with about as many pixels are played together, so that few rows are wider than they need to be.
    every = every[boards.counts[every[:, 0]].argsort(kind="stable")]
    won = np.zeros(lies.shape)
    for start in range(0, len(every), at_once):
        here = every[start : start + at_once]
        image, which, _ = here.T
        claims = Claims(images.labels[image], lies[image, which] if precommit else None)
        key = [(seed, first, int(precommit), *game) for game in here.tolist()]
        part = boards.rows(image)
        most = int(part.counts.max())
        part = replace(part, places=part.places[:, :most], values=part.values[:, :most])
        results = play(Standing(judge, part, claims, key, first), truth, lie)
        np.add.at(won, (image, which), (results + 1) / (2 * seeds))
        if say is not None:
            kind = f"{list(ORDERS)[first]}{'' if precommit else ' without precommit'}"
            say(f"{judge.revealed} pixels, {kind}: {start + len(here):,} of {len(every):,} debates")
    return won


def solved(judge: SparseJudge, images: Images, first: int = 0) -> Floats:
    """The same under optimal play of both: shape (images, lies), 1 or 0 (or a half, where nobody wins). UsageError on large images."""
    boards, lies = boards_of(images.pixels, judge.revealed), _lies(images, judge.labels)
    won = np.zeros(lies.shape)
    for image, label in enumerate(images.labels):
        logits = final_logits(judge, boards.rows(np.array([image])))
        ahead = np.sign(logits[:, [label]] - logits[:, lies[image]])
        won[image] = (optimal(ahead, int(boards.counts[image]), judge.revealed, first)[0] + 1) / 2
    return won


def per_image(won: Floats) -> Floats:
    """The honest debater's score for each image, shape (images,): that against the lie which does best."""
    least: Floats = won.min(axis=1)
    return least


def _lies(images: Images, labels: int) -> Any:
    return np.array([[lie for lie in range(labels) if lie != label] for label in images.labels])


def _notes(digits: Digits, mnist: bool) -> tuple[str, ...]:
    judge = (
        "The judge here is a small perceptron, that of the paper a convolutional network; both see which pixels were "
        "revealed and their values."
    )
    return (
        judge if mnist else f"This is not MNIST ({digits.name}), so that no figure is held against one of the paper's.",
        "An image counts for the honest debater as its games against the lie that does best do, in the mean over seeds. "
        "Intervals are Wilson's, over images; they leave out how another training of the judge would come out.",
        "It can matter who reveals last, so both orders are played, and the published figure stands beside their mean. "
        "holds: whether debate, in that mean, is above the judge alone, interval against interval.",
    )
