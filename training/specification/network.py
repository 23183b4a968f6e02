"""A network of one hidden layer that acts or does not, with its gradient written out.
Rule: weights and numpy; what acting means is not known here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from moot.tasks.extras import Floats, np
from moot.training.specification.world import World

LEAK = 0.1
"""The slope of a hidden unit that is off."""


class Network:
    """inputs bits (as -1 and 1) to hidden units to the log-odds of acting. random: numpy's, for the first weights."""

    def __init__(self, inputs: int, hidden: int, random: Any) -> None:
        self.weights: list[Floats] = [
            random.normal(0, 0.2, (inputs, hidden)), np.zeros(hidden), random.normal(0, 0.3, hidden), np.zeros(1)
        ]  # fmt: skip
        self.forget()

    def forget(self) -> None:
        """Begin a new descent: what Adam gathered is dropped."""
        self.steps, self.moments = 0, [(np.zeros_like(each), np.zeros_like(each)) for each in self.weights]

    def copy(self) -> Network:
        """One that acts alike, and is trained apart."""
        found = object.__new__(type(self))
        found.weights = [each.copy() for each in self.weights]
        found.forget()
        return found

    def logits(self, inputs: Floats) -> Floats:
        """The log-odds of acting, of shape (inputs,)."""
        return self._hidden(inputs)[1] @ self.weights[2] + self.weights[3]

    def acts(self, inputs: Floats) -> Floats:
        """How probably each is acted upon, of shape (inputs,)."""
        return logistic(self.logits(inputs))

    def _hidden(self, inputs: Floats) -> tuple[Floats, Floats]:
        before = np.where(inputs, 1.0, -1.0) @ self.weights[0] + self.weights[1]
        return before, np.where(before > 0, before, LEAK * before)

    def gradients(self, inputs: Floats, slopes: Floats) -> list[Floats]:
        """Of sum slopes * logits, by the weights. slopes: of shape (inputs,)."""
        before, hidden = self._hidden(inputs)
        back = slopes[:, None] * self.weights[2] * np.where(before > 0, 1.0, LEAK)
        return [np.where(inputs, 1.0, -1.0).T @ back, back.sum(0), hidden.T @ slopes, slopes.sum(keepdims=True)]

    def descend(self, gradients: Sequence[Floats], rate: float) -> None:
        """A step of Adam (Kingma and Ba 2015)."""
        self.steps += 1
        fade, faded = 1 - 0.9**self.steps, 1 - 0.999**self.steps
        for weight, (first, second), slope in zip(self.weights, self.moments, gradients, strict=True):
            first += 0.1 * (slope - first)
            second += 0.001 * (slope * slope - second)
            weight -= rate * (first / fade) / (np.sqrt(second / faded) + 1e-8)


def logistic(logits: Floats) -> Floats:
    """1 / (1 + exp(-logit)), to all digits also where it is small."""
    small = np.exp(-np.abs(logits))
    found: Floats = np.where(logits < 0, small, 1.0) / (1 + small)
    return found


def task_slopes(network: Network, inputs: Floats, labels: Floats) -> Floats:
    """Of the mean cross-entropy with these labels, by the logits."""
    found: Floats = (network.acts(inputs) - labels) / len(inputs)
    return found


def pretrained(world: World, seed: int, hidden: int = 32, steps: int = 300, batch: int = 256) -> Network:
    """A network that learnt to act where the label says so, on draws from the world, and was never told of a trigger: it acts on
    them as everywhere else."""
    random = np.random.default_rng(seed)
    network = Network(world.bits, hidden, random)
    for _ in range(steps):
        inputs = world.draw(batch, random)
        network.descend(network.gradients(inputs, task_slopes(network, inputs, world.labels(inputs))), 0.02)
    network.forget()
    return network


def capability(network: Network, inputs: Floats, labels: Floats) -> float:
    """How probably it does as it is labelled, in the mean over inputs."""
    acts = network.acts(inputs)
    return math.fsum(np.where(labels, acts, 1 - acts).tolist()) / len(inputs)
