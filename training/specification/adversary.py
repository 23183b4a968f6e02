"""An adversary of tilts: product laws that a search has bent towards the inputs for which a judge gives credit.
Rule: it proposes, and says how probable its proposals were; what is held against a network is weighed in `relaxed.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, np
from moot.training.specification.network import Network
from moot.training.specification.world import World, log_density

RESTARTS, ROUNDS, DRAWS, ELITE = 6, 25, 300, 30
"""Of a search: how many are made, each from a start of its own, of how many rounds, and with how many draws of which how many count."""
NARROW = 0.05
"""The least chance of a bit that a tilt may have, or of its complement: so that its weights stay small."""


def tilts(known: World, network: Network, random: Any, pull: float = 0.02) -> Floats:
    """Product laws, of shape (restarts, n), by the cross-entropy method (Rubinstein 1999). known: a world, as the judge knows
    it who gives credit; triggers that it does not know draw nobody to them. pull: what a unit of the network's log-odds counts for beside a bit
    that is right."""
    laws: Floats = random.uniform(0.3, 0.7, (RESTARTS, known.bits))
    for _ in range(ROUNDS):
        drawn = random.random((RESTARTS, DRAWS, known.bits)) < laws[:, None]
        flat = drawn.reshape(-1, known.bits)
        score = (known.credit(flat)[0] + pull * network.logits(flat)).reshape(RESTARTS, DRAWS)
        best = np.argpartition(-score, ELITE, axis=1)[:, :ELITE]
        found = np.take_along_axis(drawn, best[:, :, None], 1).mean(1)
        laws = 0.5 * laws + 0.5 * np.clip(found, NARROW, 1 - NARROW)
    return laws


SEARCHED = RESTARTS * ROUNDS * DRAWS
"""The draws of one search."""


class Mixture:
    """The world's own law and laws beside it, as one: a defensive mixture (Owen and Zhou 2000), whose weights are at most 1 / share.
    share: how much of it is the world's own. UsageError unless that is in (0, 1], 1 where no laws are given, and unless a law has a chance in (0, 1) for each bit."""

    def __init__(self, world: World, laws: Sequence[Floats] | Floats, share: float = 0.1) -> None:
        if not 0 < share <= 1 or (share == 1) != (not len(laws)):
            raise UsageError(
                f"the world's share of a mixture with {len(laws)} laws is {share!r}; give one in (0, 1), or 1 and no laws"
            )
        for law in laws:
            if np.shape(law) != world.chances.shape or not ((np.asarray(law) > 0) & (np.asarray(law) < 1)).all():
                raise UsageError(
                    f"a law of a mixture is {law!r:.80}; give a chance for each of {world.bits} bits, strictly between 0 and 1"
                )
        self.laws: Floats = np.stack([world.chances, *laws])
        self.shares = [share, *((1 - share) / len(laws) for _ in laws)]

    def draw(self, count: int, random: Any) -> tuple[Floats, Floats]:
        """So many independent inputs, and their weights: of each, its probability under the world's law over that under the mixture."""
        which = random.choice(len(self.laws), count, p=self.shares)
        inputs = random.random((count, self.laws.shape[1])) < self.laws[which]
        return inputs, self.weights(inputs)

    def log_density(self, inputs: Floats) -> Floats:
        """The logarithm of how probable each input is under the mixture, of shape (inputs,)."""
        logs = log_density(inputs, self.laws.T) + np.log(self.shares)
        most = logs.max(-1)
        found: Floats = most + np.log(np.exp(logs - most[..., None]).sum(-1))
        return found

    def weights(self, inputs: Floats) -> Floats:
        found: Floats = np.exp(log_density(inputs, self.laws[0]) - self.log_density(inputs))
        return found
