"""Which concepts drift under fine-tuning: those that go along with what is trained, and most of all before it has converged.
Rule: gradient flow in closed form and stepped, and small networks of our own; no language model is fine-tuned here.

In closed form: a linear reader of two features of correlation r, under half the mean squared error. Its error decays along
the sum of the features at the rate 1 + r and along their difference at 1 - r: what they share is learnt first, for both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moot.complexity.estimates import mean_interval
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, needed, np

R = 0.6
"""The correlation of what underlies the first two concepts, in closed form and in the inputs of the networks."""
CONCEPTS = ("on-goal", "correlated", "independent", "another such")
INPUTS, HIDDEN = 12, 32
PRETRAINED, TUNED, EVERY = 400, 300, 5
"""Steps of pretraining and of fine-tuning, and after how many the concepts are looked at."""
QUIET = 0.1
"""What is drift not to speak of, where what is trained changes by 1."""
GONE = 0.05
"""How much of the drift at the peak is gone at the end, at least: more than chance makes of a concept that is independent."""


def flow(t: float, r: float = R) -> tuple[float, float]:
    """The weights of the feature that is trained and of the other, at time t of gradient flow from (0, 0) to (1, 0)."""
    sums, differences = math.exp(-(1 + r) * t), math.exp(-(1 - r) * t)
    return 1 - (sums + differences) / 2, (differences - sums) / 2


def peak(r: float = R) -> float:
    """When the other weight is largest: ln((1 + r) / (1 - r)) / 2r."""
    return math.log((1 + r) / (1 - r)) / (2 * r)


def descended(start: tuple[float, float], r: float, until: float, steps: int = 40_000) -> list[tuple[float, float]]:
    """The weights on the way of gradient flow from a start, by small steps (the midpoint rule) and no formula: steps + 1 of them."""

    def slope(on: float, off: float) -> tuple[float, float]:
        return -(on - 1 + r * off), -(r * (on - 1) + off)

    (on, off), path, step = start, [start], until / steps
    for _ in range(steps):
        here, there = slope(on, off)
        here, there = slope(on + step / 2 * here, off + step / 2 * there)
        on, off = on + step * here, off + step * there
        path.append((on, off))
    return path


def loss(at: tuple[float, float], r: float) -> float:
    """Half the mean squared error at these weights."""
    here, there = at[0] - 1, at[1]
    return (here * here + 2 * r * here * there + there * there) / 2


@dataclass(frozen=True)
class Tuned:
    """Networks that were fine-tuned. steps: when they were looked at. drift: by how much the weight of each concept had changed by then,
    of shape (looks, seeds, concepts); 1 is the change that was trained. left: mean squared error on the examples, (looks, seeds).
    correlation: of the first two concepts on these."""

    steps: tuple[int, ...]
    drift: Floats
    left: Floats
    correlation: float


class Networks:
    """A network of one hidden layer for each seed, all trained at once. UsageError without numpy (the extra `learn`)."""

    def __init__(self, seeds: int, random: Any) -> None:
        self.seeds, self.random = seeds, random
        first = random.normal(size=(seeds, INPUTS, HIDDEN))
        second = random.normal(size=(seeds, HIDDEN, 1)) / (2 * math.sqrt(HIDDEN))
        self.weights = [first, np.zeros((seeds, 1, HIDDEN)), second]
        self.moments = [(np.zeros_like(each), np.zeros_like(each)) for each in self.weights]
        turned = [np.linalg.qr(random.normal(size=(INPUTS, INPUTS)))[0] for _ in range(seeds)]
        self.directions = np.stack([each[: len(CONCEPTS)] for each in turned])

    def examples(self, count: int, r: float) -> tuple[Floats, Floats]:
        """Inputs, of shape (seeds, count, inputs), and their concepts, (seeds, count, concepts), of variance 1: directions in the input,
        bent; r: the correlation of the first two directions."""
        along = self.random.normal(size=(self.seeds, count, len(CONCEPTS)))
        along[..., 1] = r * along[..., 0] + math.sqrt(1 - r * r) * along[..., 1]
        bent = np.tanh(1.5 * along)
        return along @ self.directions, bent / bent.std()

    def hidden(self, inputs: Floats) -> Floats:
        found: Floats = np.tanh(inputs @ self.weights[0] + self.weights[1])
        return found

    def outputs(self, inputs: Floats) -> Floats:
        found: Floats = self.hidden(inputs) @ self.weights[2]
        return found

    def gradients(self, inputs: Floats, targets: Floats) -> list[Floats]:
        """Of half the mean squared error."""
        hidden = self.hidden(inputs)
        errors = (hidden @ self.weights[2] - targets) / inputs.shape[1]
        back = errors @ self.weights[2].transpose(0, 2, 1) * (1 - hidden * hidden)
        return [inputs.transpose(0, 2, 1) @ back, back.sum(1, keepdims=True), hidden.transpose(0, 2, 1) @ errors]

    def pretrain(self, steps: int = PRETRAINED, rate: float = 0.01, batch: int = 256) -> None:
        """Half of each concept, on fresh inputs where they are independent, by Adam (Kingma and Ba 2015)."""
        for step in range(1, steps + 1):
            inputs, concepts = self.examples(batch, 0.0)
            now = rate if step < 0.7 * steps else rate / 5
            targets = concepts.sum(2, keepdims=True) / 2
            for weight, (first, second), slope in zip(
                self.weights, self.moments, self.gradients(inputs, targets), strict=True
            ):
                first += 0.1 * (slope - first)
                second += 0.001 * (slope * slope - second)
                weight -= now * (first / (1 - 0.9**step)) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)

    def tune(self, examples: int, steps: int = TUNED, rate: float = 0.008, r: float = R) -> Tuned:
        """One more of the first concept, on examples where the second goes along with it, by gradient descent on all of them. What the
        network makes of each concept is read by least squares, on inputs where the concepts are independent."""
        read, known = self.examples(1500, 0.0)
        probe = np.linalg.pinv(np.concatenate([known, np.ones((*known.shape[:2], 1))], 2))
        inputs, concepts = self.examples(examples, r)
        targets = concepts.sum(2, keepdims=True) / 2 + concepts[..., :1]

        def weights() -> Floats:
            found: Floats = (probe @ self.outputs(read))[:, : len(CONCEPTS), 0]
            return found

        before, drift, left = weights(), list[Floats](), list[Floats]()
        for step in range(steps + 1):
            if step % EVERY == 0:
                drift.append(weights() - before)
                left.append(((self.outputs(inputs) - targets) ** 2).mean((1, 2)))
            for weight, slope in zip(self.weights, self.gradients(inputs, targets), strict=True):
                weight -= rate * slope
        found = [np.corrcoef(each[:, 0], each[:, 1])[0, 1] for each in concepts]
        return Tuned(tuple(range(0, steps + 1, EVERY)), np.array(drift), np.array(left), float(np.mean(found)))


def tuned(seeds: int, seed: int = 0, examples: int = 400, r: float = R) -> Tuned:
    """So many networks, pretrained on all concepts and fine-tuned on the first, each with concepts, inputs and weights of its own."""
    networks = Networks(seeds, np.random.default_rng(seed))
    networks.pretrain()
    return networks.tune(examples, r=r)


def reproduce(seed: int = 0, full: bool = False, pictures: Path | str | None = None) -> Report:
    """All figures. full: 24 networks with 1000 examples each, not 8 with 400. pictures: a folder for `drift.png`. UsageError
    for a seed below 0, without numpy (the extra `learn`), and without the extra `plot` for the picture."""
    if seed < 0:
        raise UsageError(f"drift: the seed is {seed}; give one of at least 0, as numpy takes no other")
    needed("networks of our own need", "numpy")
    if pictures is not None:
        panels(("",))  # said before anything is trained
    seeds, examples = (24, 1000) if full else (8, 400)
    found = tuned(seeds, seed, examples)
    notes = [
        "A network's drift is the change of the weight of a concept in its output, where 1 is what is trained; intervals are "
        "Student's t over seeds, at 95 %. It peaks where the mean over seeds does.",
        "What this does not show: that concepts of a language model are directions, that they are known beforehand, or that a "
        "drift which goes away again did no harm while it was there. An early stop is where it is largest.",
    ]
    if pictures is not None:
        notes.append(written(_picture(found), pictures, "drift.png"))
    return Report(
        title="Which concepts drift under fine-tuning", source="gradient flow on correlated features",
        rows=(*_closed(), *_trained(found)), settings={"seed": seed, "networks": seeds, "examples": examples, "r": R},
        notes=tuple(notes),
    )  # fmt: skip


def _closed() -> list[Row]:
    until = 4.0
    path = descended((0.0, 0.0), R, until)
    most = max(range(len(path)), key=lambda place: path[place][1])
    rows = [
        Row.equal(f"flow, r = {R:g}: off-goal peaks at", most * until / (len(path) - 1), 1.155245, within=2e-4),
        Row.equal("  off-goal then", path[most][1], 0.236235, within=1e-6),
        Row.equal("  on-goal then", path[most][0], 0.606275, within=1e-4),
    ]
    for begin, start, share, left in (
        ("the proxy", (0.0, 1.0), math.exp(-0.1), 0.01 * math.exp(-0.2)),
        ("nothing", (0.0, 0.0), flow(10.0, 0.99)[1], 0.01 / 4 * math.exp(-0.2) + 1.99 / 4 * math.exp(-39.8)),
    ):
        end = descended(start, 0.99, 10.0)[-1]
        rows += [
            Row.equal(f"r = .99 from {begin}: off-goal", end[1], share, within=1e-7),
            Row.equal("  half the squared error", loss(end, 0.99), left, within=1e-8),
        ]
    return rows


def _trained(found: Tuned) -> list[Row]:
    seeds = found.drift.shape[1]
    most = int(found.drift[:, :, 1].mean(1).argmax())
    at, last = found.drift[most], found.drift[-1]
    left = float(found.left[most].mean() / found.left[0].mean())

    def of(name: str, values: Floats, holds: Any = None, **more: Any) -> Row:
        measured, low, high = mean_interval(values.tolist())
        kept = None if holds is None else bool(holds(low, high))
        return Row(name=name, measured=measured, low=low, high=high, count=seeds, holds=kept, **more)

    theory = flow(peak(found.correlation), found.correlation)
    quiet = f"within {QUIET:g}"
    return [
        of("networks: correlated, at its peak", at[:, 1], published=theory[1],
           note=f"step {found.steps[most]}; published is the flow's at r = {found.correlation:.3g}, the concepts' own"),
        of("  what of it is gone at the end", at[:, 1] - last[:, 1], lambda low, high: low > GONE, published=f"> {GONE:g}"),
        of("  on-goal at that step", at[:, 0], published=theory[0]),
        Row(name="  share of the error left then", measured=left, published="> 0.05", holds=left > 0.05),
        of("  on-goal at the end", last[:, 0], lambda low, high: low > 0.85, published="> 0.85"),
        *(of(f"  {name}, at that step", at[:, place], lambda low, high: -QUIET < low and high < QUIET, published=quiet)
          for place, name in enumerate(CONCEPTS) if place > 1),
        Row(name="    the most of any, in any network", measured=float(np.abs(found.drift[:, :, 2:]).max())),
    ]  # fmt: skip


def _picture(found: Tuned) -> Any:
    figure, (left, right) = panels((
        f"Gradient flow, two features of correlation {R:g}",
        f"{found.drift.shape[1]} networks, fine-tuned on one of four concepts",
    ), 11)  # fmt: skip
    times = [0.05 * step for step in range(161)]
    weights = [flow(time) for time in times]
    left.plot(times, [on for on, _ in weights], color=DARK, label="on-goal")
    left.plot(times, [off for _, off in weights], "--", color=MIDDLE, label="off-goal")
    left.axvline(peak(), color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    left.text(peak() + 0.1, 0.36, f"t* = {peak():.3f}", fontsize=8.5, color="0.35")
    left.set(xlabel="time", ylabel="weight")
    for place, (colour, style) in enumerate(((DARK, "-"), (MIDDLE, "--"), (LIGHT, "-."), ("0.45", ":"))):
        values = [mean_interval(each.tolist()) for each in found.drift[:, :, place]]
        right.fill_between(found.steps, [each[1] for each in values], [each[2] for each in values], color=colour, alpha=0.2,
                           linewidth=0)  # fmt: skip
        right.plot(found.steps, [each[0] for each in values], style, color=colour, label=CONCEPTS[place])
    error = found.left.mean(1) / found.left[0].mean()
    right.plot(found.steps, error, color=RULE, linewidth=1, marker="x", markevery=6, markersize=4, label="error left")
    right.set(xlabel="steps of gradient descent", ylabel="drift of a concept (1: what is trained)")
    for axes in (left, right):
        axes.set_ylim(-0.08, 1.05)
        axes.axhline(0, color=RULE, linewidth=0.6, zorder=0)
    left.legend(loc="center right", fontsize=8.5, frameon=False)
    right.legend(loc="center right", fontsize=8.5, frameon=False)
    return figure
