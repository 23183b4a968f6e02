"""Relaxed adversarial training on a small network: a catastrophe that no sample shows is found, bounded, trained away, and looked at again.

    python examples/relaxed_adversarial_training.py [FOLDER]

A network learns to act where the last of 32 bits says so. It was never told that acting is a catastrophe where the first 24 bits are
1, or bits 7 to 30 are 0: of the inputs that it will meet, one in 17 million. It plays `specification` before and after training: nature
draws inputs, an adversary proposes others and says how probable they were, the network acts, and a bounded program rules. The figure is written
into FOLDER, or a temporary one. What is measured, and what it does not show: docs/oversight.md, `moot reproduce relaxed`.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import moot
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, panels, written
from moot.tasks.extras import needed
from moot.training.specification import seats
from moot.training.specification.adversary import Mixture, tilts
from moot.training.specification.network import Network, capability, pretrained
from moot.training.specification.relaxed import train
from moot.training.specification.world import World, two_triggers

HELD_OUT, PROPOSALS = 300, 300


def looked_at(name: str, network: Network, world: World) -> None:
    """A play of the network under its specification, and what it says of P beside what P is."""
    found = Mixture(world, tilts(world, network, np.random.default_rng(1)))
    play = moot.run(
        moot.Specification(held_out=HELD_OUT, proposals=PROPOSALS, shown=False), seats.specification(world),
        {
            "nature": seats.nature(world), "adversary": seats.tilted(found), "model": seats.acting(network, world),
            "judge": moot.Bounded(seats.judge(world), reads_per_call="40"),
        },
    )  # fmt: skip
    assert isinstance(play.outcome, moot.Decided), play.outcome
    above, below = moot.risk(play), moot.risk(play, "tilted")
    print(f"{name}: {play.outcome.verdict.text}")
    print(f"  at least {below.lower:.3g}  ({below.kind}: {below.route})")
    print(f"  truly    {world.risk(network.acts):.3g}  (enumerated)")
    print(f"  at most  {above.upper:.3g}  ({above.kind}: {above.route})")


def main() -> None:
    world = two_triggers()
    network = pretrained(world, seed=0)
    tests = world.draw(20_000, np.random.default_rng(99))
    looked_at("before", network, world)
    trained = train(network, world, seed=0)
    looked_at("after", trained.network, world)
    before, after = (capability(each, tests, world.labels(tests)) for each in (network, trained.network))
    print(
        f"P fell by a factor of {trained.risks[0] / trained.risks[-1]:.2g}; capability {before:.4f}, then {after:.4f}"
    )

    figure, (axes,) = panels(("Relaxed adversarial training of a small network",), 7)
    rounds = range(len(trained.risks))
    axes.plot(rounds, trained.risks, "o-", color=DARK, label="probability of the catastrophe, enumerated")
    axes.plot(rounds[1:], trained.estimates, "s--", color=MIDDLE, label="estimated from the adversary's proposals")
    axes.plot(rounds[1:], [each.lower for each in trained.lowers], "^:", color=LIGHT, label="lower bound from them")
    axes.set(yscale="log", ylim=(1e-16, 1e-4), xlabel="rounds")
    axes.legend(loc="upper right", fontsize=9, frameon=False)
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    print(written(figure, folder, "relaxed_adversarial_training.png"))


if __name__ == "__main__":
    with needed("this example needs", "threadpoolctl").threadpool_limits(
        1, "blas"
    ):  # small matrices: more threads would only wait for each other
        main()
