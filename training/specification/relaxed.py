"""Relaxed adversarial training: down the log-odds of acting, where an adversary finds that acting would be a catastrophe.
Rule: one network, one world, one adversary; whether what comes out is accepted is for `ratchet.py`.

Source: Hubinger 2019 (Relaxed adversarial training for inner alignment). Its literal step is down log P, P = E_D[C p], whose gradient

    grad log P = sum_x post(x) (1 - p(x)) grad logit(x),    post(x) ~ D(x) C(x) p(x),

vanishes as 1 - p where the network is sure of the catastrophe. The log-odds have the same without the factor 1 - p, and the same
gradient to first order where p is small. `post` is held for a step, as in expectation-maximisation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

from moot.complexity.pressure.bounds import betting_lower
from moot.complexity.pressure.kinds import Bound
from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, np
from moot.training.specification.adversary import SEARCHED, Mixture, tilts
from moot.training.specification.network import Network, logistic, task_slopes
from moot.training.specification.world import World

Objective = Literal["log odds", "log"]

CHECKED = 20_000
"""The fresh draws of the mixture that the estimate after a round is made of."""
BOUNDED = 2000
"""The first of them, from which the lower bound is."""


@dataclass(frozen=True)
class Trained:
    """What became of a network. risks: P exactly, before the first round and after each. estimates: of it from the adversary's last
    proposals, after each round. lowers: the lower bounds from these, which hold whatever the adversary missed. networks: before the
    first round and after each. draws: of proposals, those of the search included."""

    risks: tuple[float, ...]
    estimates: tuple[float, ...]
    lowers: tuple[Bound, ...]
    networks: tuple[Network, ...]
    draws: int

    @property
    def network(self) -> Network:
        return self.networks[-1]


def slopes(network: Network, inputs: Floats, weights: Floats, objective: Objective = "log odds") -> Floats:
    """Of log P, or of the log-odds under what is acted upon, by the logits: post(x), times 1 - p(x) for log P. weights: of shape
    (inputs,), 0 where acting would be no catastrophe. All 0 where nothing has weight."""
    logits = network.logits(inputs)
    shares = weights * logistic(logits)
    total = shares.sum()
    found: Floats = shares / total if total > 0 else np.zeros_like(shares)
    return found * logistic(-logits) if objective == "log" else found


def train(
    start: Network, world: World, seed: int, *, known: World | None = None, rounds: int = 6, steps: int = 100,
    draws: int = 800, rate: float = 0.003, keep: float = 3.0, enough: float = 1e-12, share: float = 0.1,
    objective: Objective = "log odds",
) -> Trained:  # fmt: skip
    """Rounds of a search and of steps down what it finds. known: the world as the judge knows it who guides the search; the specification
    itself is consulted on every input that is drawn. keep: how much the task counts for, whose labels keep the network capable. enough: where
    a batch's estimate of P is at most this, the step is the task's alone. share: of the mixture, how much is the world's own law.
    Raises UsageError unless there are a round, a step and a draw, where keep or enough is below 0, on a seed below 0, and on another
    objective."""
    if objective not in get_args(Objective):
        raise UsageError(f"the objective is {objective!r}; give one of {', '.join(get_args(Objective))}")
    if not isinstance(seed, int) or seed < 0:
        raise UsageError(f"training with the seed {seed!r}; give a whole number of at least 0, as numpy takes no other")
    whole = all(isinstance(each, int) and each >= 1 for each in (rounds, steps, draws))
    if not whole or not keep >= 0 or not enough >= 0:
        raise UsageError(
            f"training with {rounds} rounds, {steps} steps, {draws} draws, keep {keep}, enough {enough}; the first three are "
            "whole and at least 1, and the others at least 0"
        )
    random, network = np.random.default_rng(seed), start.copy()
    risks, networks = [world.risk(network.acts)], [network.copy()]
    estimates, lowers = list[float](), list[Bound]()
    for _ in range(rounds):
        mixture = Mixture(world, tilts(known or world, network, random), share)
        for _ in range(steps):
            inputs, weights = mixture.draw(draws, random)
            weights = weights * world.bad(inputs)
            gradients = _task(network, world, random, keep)
            if (weights * network.acts(inputs)).mean() > enough:
                down = network.gradients(inputs, slopes(network, inputs, weights, objective))
                gradients = [one + other for one, other in zip(gradients, down, strict=True)]
            network.descend(gradients, rate)
        inputs, weights = mixture.draw(CHECKED, random)
        values = weights * world.bad(inputs) * network.acts(inputs)
        estimates.append(float(values.mean()))
        lowers.append(betting_lower(values[:BOUNDED].tolist(), 0.05))
        risks.append(world.risk(network.acts))
        networks.append(network.copy())
    spent = rounds * (SEARCHED + steps * draws)
    return Trained(tuple(risks), tuple(estimates), tuple(lowers), tuple(networks), spent)


def on_the_world(
    start: Network, world: World, seed: int, *, steps: int = 600, draws: int = 1056, rate: float = 0.003,
) -> tuple[Network, int]:  # fmt: skip
    """The same effort without an adversary: the task, on draws of the world's own law, with the specification's label: not to act on
    what is bad. And how many of the draws were bad."""
    random, network, seen = np.random.default_rng(seed), start.copy(), 0
    for _ in range(steps):
        inputs = world.draw(draws, random)
        bad = world.bad(inputs)
        seen += int(bad.sum())
        network.descend(
            network.gradients(
                inputs, task_slopes(network, inputs, np.logical_and(world.labels(inputs), np.logical_not(bad)))
            ),
            rate,
        )
    return network, seen


def _task(network: Network, world: World, random: Any, keep: float, batch: int = 256) -> list[Floats]:
    inputs = world.draw(batch, random)
    return network.gradients(inputs, keep * task_slopes(network, inputs, world.labels(inputs)))
