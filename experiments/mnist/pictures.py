"""Pictures of pixel debates: the image, who revealed what in which order, what was claimed, and the verdict.
Rule: it plays a few debates and draws them; no rate is computed, and matplotlib is imported when it draws."""

from itertools import zip_longest
from pathlib import Path
from typing import Any

from moot.experiments.mnist.judge import SparseJudge
from moot.experiments.mnist.seats import PixelDebater, SparseVerdict
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.games.pixel_debate import PixelDebate
from moot.tasks.extras import needed, np
from moot.tasks.reading.images import Images, sample_of
from moot.transcripts.transcript import Transcript

COLOURS = {"a": "tab:blue", "b": "tab:orange"}


Debated = list[tuple[Transcript, int]]


def debated(judge: SparseJudge, images: Images, games: int = 8, rollouts: int = 1000, seed: int = 0) -> Debated:
    """Some debates about random images through the protocol, each with the image's label. Seats and order take turns.
    The honest debater sits in a in every second game; the liar claims a random other label."""
    rng = np.random.default_rng([seed, 4])
    played = []
    for game, image in enumerate(rng.choice(len(images), min(games, len(images)), replace=False)):
        truth = int(images.labels[image])
        lie = int(rng.choice([label for label in range(judge.labels) if label != truth]))
        labels = (truth, lie) if game % 2 == 0 else (lie, truth)
        sample = sample_of(images.pixels[image], truth, judge.labels, judge.revealed, name=f"image-{image}")
        a, b = (PixelDebater(judge, label, rollouts=rollouts) for label in labels)
        seats = {"a": a, "b": b, "judge": Bounded(SparseVerdict(judge), reads="n")}
        protocol = PixelDebate(pixels=judge.revealed, first="a" if game % 4 < 2 else "b")
        played.append((run(protocol, sample, seats, seed=seed + game), truth))
    return played


def picture(
    judge: SparseJudge, images: Images, path: Path, rollouts: int = 1000, seed: int = 0, games: int = 8
) -> Path:
    """Write a PNG of some debates and return its path. UsageError without matplotlib, or where it cannot be written."""
    played = debated(judge, images, games, rollouts, seed)
    across = min(4, len(played))
    down = -(-len(played) // across)
    figure: Any = drawing(3.1 * across, 3.5 * down + 0.5)
    for axes, game in zip_longest(figure.subplots(down, across, squeeze=False).flat, played):
        axes.set(xticks=[], yticks=[])
        for spine in axes.spines.values():
            spine.set_color("0.8")
        if game is None:
            axes.axis("off")
        else:
            transcript, truth = game
            _draw(axes, transcript, truth)
    told = "each debater's pixels in its colour, numbered as they were revealed"
    figure.suptitle(f"Debates of {judge.revealed} pixels: {told}", fontsize=11)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=110)
    except OSError as error:
        raise UsageError(f"{path}: the picture cannot be written: {error.strerror or error}") from None
    return path


def _draw(axes: Any, transcript: Transcript, truth: int) -> None:
    """One debate: the image in grey, the pixels, and above it who claims what and what the judge says."""
    patch = needed("a picture needs", "matplotlib.patches", "plot").Rectangle
    data: Any = transcript.question.data
    image = np.array(data["image"])
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=2.2 * image.max(), interpolation="nearest")
    claims, turn = dict[str, int](), 0
    # Half a pixel of the image in points, nearly: a panel is about 220 points wide.
    number = {"color": "white", "fontsize": max(6.5, min(12, 110 / max(image.shape))), "weight": "bold"}
    for step in transcript.steps():
        move: Any = step.move
        if step.seat in COLOURS and move["kind"] == "answer":
            claims[step.seat] = int(move["choice"])
        elif step.seat in COLOURS and move["kind"] == "pixel":
            turn += 1
            x, y, colour = move["column"], move["row"], COLOURS[step.seat]
            axes.add_patch(patch((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=0.6))
            axes.text(x, y, str(turn), ha="center", va="center_baseline", **number)
    outcome = transcript.outcome
    best = outcome.verdict.choice if isinstance(outcome, Decided) else None
    beside = {"transform": axes.transAxes, "fontsize": 10}
    for seat, place, side in (("a", 0.02, "left"), ("b", 0.98, "right")):
        told = f"{seat}: {claims[seat]} ({'honest' if claims[seat] == truth else 'lies'})"
        axes.text(place, 1.03, told, color=COLOURS[seat], ha=side, weight="bold", **beside)
    said, colour = "undecided", "0.4"
    if best is not None and isinstance(outcome, Decided):
        right, colour = ("right", "tab:green") if best == truth else ("wrong", "tab:red")
        said = f"judge: {best} ({outcome.verdict.probabilities[best]:.0%}), {right}"
    axes.text(0.5, -0.06, said, color=colour, ha="center", va="top", **beside)


def drawing(wide: float = 1.0, high: float = 1.0) -> Any:
    """A figure to save, in inches. UsageError without matplotlib (the extra `plot`)."""
    figure = needed("a picture needs", "matplotlib.figure", "plot").Figure(figsize=(wide, high), layout="constrained")
    needed("a picture needs", "matplotlib.backends.backend_agg", "plot").FigureCanvasAgg(figure)
    return figure
