"""Many pixel debates at once, as arrays: where each stands, who is ahead at the end, and playing them by search.

Irving, Christiano and Amodei 2018, section 3.1. One debate is an image, the label that debater a claims, and the one
that debater b does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from moot.experiments.arrays import np
from moot.experiments.mnist.boards import Boards
from moot.experiments.mnist.judge import SparseJudge
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from moot.experiments.arrays import Floats, Integers


@dataclass(frozen=True)
class Claims:
    """What is claimed in each of some games. mine: the labels that debaters a claim, shape (games,); theirs: those that
    debaters b claim, or None without precommit, where debater b says only that it is another."""

    mine: Integers
    theirs: Integers | None = None

    def rows(self, chosen: Integers | slice) -> Claims:
        """The claims of some of the games."""
        return Claims(self.mine[chosen], None if self.theirs is None else self.theirs[chosen])


def margins(judge: SparseJudge, sums: Floats, claims: Claims) -> Floats:
    """By how much the judge's logit of a's label is above that of b's, or without precommit above every other.
    sums: of what the revealed pixels add to the first layer, shape (games, hidden); they are overwritten. Returns shape
    (games,)."""
    if claims.theirs is not None:
        between = (judge.third[:, claims.mine] - judge.third[:, claims.theirs]).T
        return judge.finished(sums, between) + (judge.third_bias[claims.mine] - judge.third_bias[claims.theirs])
    logits = judge.finished(sums)
    games = np.arange(len(logits))
    own = logits[games, claims.mine]
    logits[games, claims.mine] = -np.inf
    ahead: Floats = own - logits.max(axis=1)
    return ahead


class Standing:
    """Where `games` debates stand: what is revealed, what is left, and what the judge's first layer has so far.

    boards: a row for each game. order: shape (games, most), for each game the slots of its board, those that can still
    be revealed first, `free` of them. sums: shape (games, hidden). left: how many pixels are still to be revealed.
    turn: 0 where debater a is to move, else 1. A game's seeds make its order. revealed: how many pixels are revealed in
    all, as many as the judge was trained on by default. UsageError on an image with fewer that are not 0."""

    def __init__(
        self, judge: SparseJudge, boards: Boards, claims: Claims, seeds: Sequence[Sequence[int]], first: int = 0,
        revealed: int | None = None,
    ) -> None:  # fmt: skip
        left = judge.revealed if revealed is None else revealed
        if boards.counts.min() < left:
            raise UsageError(
                f"{left} pixels are to be revealed, and one image has {boards.counts.min()} that are not 0"
            )
        self.judge, self.boards, self.claims, self.seeds = judge, boards, claims, seeds
        self.turn, self.left = first, left
        games, most = boards.places.shape
        self.games = np.arange(games)
        self.added = judge.added(boards.places, boards.values)  # (games, most, hidden)
        self.sums = np.zeros((games, self.added.shape[2]), self.added.dtype)
        self.free = boards.counts.copy()
        self.order = np.tile(np.arange(most), (games, 1))
        for game, seed in enumerate(seeds):
            np.random.default_rng([*seed, 0]).shuffle(self.order[game, : self.free[game]])
        self.revealed: list[Integers] = []

    def reveal(self, chosen: Integers) -> None:
        """One pixel of each game, by its place in `order`: shape (games,)."""
        slots = self.order[self.games, chosen]
        self.sums += self.added[self.games, slots]
        self.free -= 1
        self.order[self.games, chosen] = self.order[self.games, self.free]
        self.order[self.games, self.free] = slots
        self.revealed.append(slots)
        self.left -= 1
        self.turn = 1 - self.turn

    def margins(self) -> Floats:
        """What the judge makes of the pixels revealed so far, as `margins` says."""
        return margins(self.judge, self.sums.copy(), self.claims)

    @property
    def slots(self) -> Integers:
        """The slots revealed so far, in order: shape (games, revealed)."""
        return np.stack(self.revealed, axis=1)


Choose = Callable[[Standing], "NDArray[np.int64]"]
"""How the debaters whose turn it is move: a place in `order` for each game."""


def play(standing: Standing, a: Choose, b: Choose) -> Floats:
    """Play to the end. Returns who won each game, shape (games,): 1 debater a, −1 debater b, 0 neither."""
    while standing.left:
        standing.reveal((a, b)[standing.turn](standing))
    return np.sign(standing.margins())


def at_random(standing: Standing) -> NDArray[np.int64]:
    """Any pixel that is left, each with equal probability."""
    uniforms = np.array([np.random.default_rng([*seed, 1, standing.left]).random() for seed in standing.seeds])
    return (uniforms * standing.free).astype(np.int64)


def greedily(standing: Standing) -> NDArray[np.int64]:
    """The pixel after which the judge, asked at once, would be most for the one who reveals it; of equals the first
    left. The judge was trained on more pixels than it then sees, so that this is a guess before the last move."""
    sign = 1 - 2 * standing.turn
    chosen = np.empty(len(standing.games), np.int64)
    for game in standing.games:
        slots = standing.order[game, : standing.free[game]]
        sums = standing.added[game, slots] + standing.sums[game]
        same = standing.claims.rows(np.full(len(slots), game))
        chosen[game] = (sign * margins(standing.judge, sums, same)).argmax()
    return chosen
