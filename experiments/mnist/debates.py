"""Many pixel debates at once, as arrays: where each stands, who is ahead at the end, playing them by search, and solving
them exactly where the image is small.
Rule: arrays of many debates, none of them recorded; a recorded one is played by the agents of `seats.py`.

Irving, Christiano and Amodei 2018, section 3.1. One debate is an image, the label that debater a claims, and the one
that debater b does. A judge that sees a set of pixels cannot tell in which order they came, so the positions of a debate
are the subsets of its non-zero pixels: of the 8 by 8 digits some 50,000 with four."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from math import comb

from moot.experiments.mnist.judge import Boards, SparseJudge
from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, Integers, np


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
    sums: of what the revealed pixels add to the first layer, shape (games, hidden); overwritten. Returns (games,)."""
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

    boards: a row for each game. order: shape (games, most), the slots of each board, those that can still be revealed
    first, `free` of them, as the seeds have it. sums: shape (games, hidden). left: how many pixels are still to be
    revealed. turn: 0 where debater a is to move, else 1. revealed: how many pixels are revealed in all, as many as the
    judge was trained on by default. UsageError on an image with fewer that are not 0."""

    def __init__(
        self, judge: SparseJudge, boards: Boards, claims: Claims, seeds: Sequence[Sequence[int]], first: int = 0,
        revealed: int | None = None,
    ) -> None:  # fmt: skip
        left = judge.revealed if revealed is None else revealed
        if boards.counts.min() < left:
            raise UsageError(f"{left} pixels are to be revealed, and an image has {boards.counts.min()} that are not 0")
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


Choose = Callable[[Standing], Integers]
"""How the debaters whose turn it is move: a place in `order` for each game."""


def play(standing: Standing, a: Choose, b: Choose) -> Floats:
    """Play to the end. Returns who won each game, shape (games,): 1 debater a, −1 debater b, 0 neither."""
    while standing.left:
        standing.reveal((a, b)[standing.turn](standing))
    return np.sign(standing.margins())


def at_random(standing: Standing) -> Integers:
    """Any pixel that is left, each with equal probability."""
    uniforms = np.array([np.random.default_rng([*seed, 1, standing.left]).random() for seed in standing.seeds])
    return (uniforms * standing.free).astype(np.int64)


def greedily(standing: Standing) -> Integers:
    """The pixel after which the judge, asked at once, would be most for the one who reveals it; of equals the first left. A
    guess before the last move, as the judge was trained on more pixels than it then sees."""
    sign = 1 - 2 * standing.turn
    chosen = np.empty(len(standing.games), np.int64)
    for game in standing.games:
        slots = standing.order[game, : standing.free[game]]
        sums = standing.added[game, slots] + standing.sums[game]
        same = standing.claims.rows(np.full(len(slots), game))
        chosen[game] = (sign * margins(standing.judge, sums, same)).argmax()
    return chosen


MOST = 1_000_000
"""The most sets of pixels that are tried."""


def final_logits(judge: SparseJudge, board: Boards, revealed: int | None = None) -> Floats:
    """The judge's logits for every set of `revealed` pixels of one image: shape (sets, labels), in the order of
    `_sets`. UsageError where there are more than 1,000,000 sets."""
    revealed = judge.revealed if revealed is None else revealed
    count = int(board.counts[0])
    if len(board) != 1 or count < revealed or comb(count, revealed) > MOST:
        most = f"one image with at most {MOST:,} sets of {revealed} of its non-zero pixels"
        has = f"{len(board)} with {count} pixels, {comb(count, revealed):,} sets"
        raise UsageError(f"optimal play is found for {most}; here are {has}")
    added = judge.added(board.places[0, :count], board.values[0, :count])
    sets = _sets(count, revealed)
    parts = [judge.finished(added[sets[i : i + 4096]].sum(axis=1)) for i in range(0, len(sets), 4096)]
    return np.concatenate(parts)


def optimal(finals: Floats, count: int, revealed: int, first: int) -> tuple[Floats, Floats]:
    """What comes of optimal play for debater a, and of each first pixel with optimal play after it: shapes (games,) and
    (count, games). finals: what comes of each set of `revealed` of `count` pixels, shape (sets, games): 1, −1 or 0."""
    values = finals
    for size in range(revealed, 1, -1):
        after = values[_after(count, size)]
        # By who adds the last pixel of a set of this size.
        values = after.max(axis=1) if (first + size) % 2 else after.min(axis=1)
    return (values.max(axis=0) if first == 0 else values.min(axis=0)), values


@lru_cache(maxsize=128)
def _sets(count: int, size: int) -> Integers:
    """Every set of `size` numbers below `count`, in increasing order of its rank: shape (sets, size)."""
    every = np.array(list(combinations(range(count), size)), np.int64)
    return every[_ranks(every).argsort()]


def _ranks(sets: Integers) -> Integers:
    """The place of each set among all of its size, by the combinatorial number system: the sum of C(i-th member, i)."""
    most = int(sets.max()) + 1 if sets.size else 1
    ways = np.array([[comb(n, k + 1) for k in range(sets.shape[1])] for n in range(most)], np.int64)
    ranks: Integers = ways[sets, np.arange(sets.shape[1])].sum(axis=1)
    return ranks


@lru_cache(maxsize=128)
def _after(count: int, size: int) -> Integers:
    """For every set of size − 1, the places of the sets that one more number makes of it: shape (sets, count − size + 1)."""
    larger = _sets(count, size)
    before = [_ranks(np.delete(larger, member, axis=1)) for member in range(size)]
    order = np.concatenate(before).argsort(kind="stable") % len(larger)
    return order.reshape(-1, count - size + 1)
