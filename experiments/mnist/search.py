"""Monte Carlo tree search for many pixel debates at once, one rollout of each at a time.
Rule: it chooses pixels for debates that stand in `debates.py`, and neither claims nor decides.

Pure search, without a learned prior or value: Irving, Christiano and Amodei 2018 choose what to expand by the PUCT rule
of Silver et al. 2017 (AlphaGo Zero), argmax of Q + c P sqrt(sum of N) / (1 + N), under a uniform prior P. A rollout
descends to a pixel that was not tried before in its position, reveals random pixels to the end, and asks the judge."""

import math
from dataclasses import dataclass

from moot.experiments.mnist.debates import Standing, margins
from moot.experiments.mnist.judge import distinct
from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import Floats, Integers, needed, np

BANK = 16
"""How many rows of noise a game draws, to break the ties between pixels that were not tried; its positions share them."""


@dataclass(frozen=True)
class Search:
    """A debater that searches: the pixel most often tried, ties broken at random.
    rollouts: per move. exploration: the constant c of PUCT. UsageError when either is not positive, or c not finite."""

    rollouts: int = 10_000
    exploration: float = 1.0

    def __post_init__(self) -> None:
        if self.rollouts < 1 or not 0 < self.exploration < math.inf:
            given = f"{self.rollouts}, {self.exploration}"
            raise UsageError(f"a search makes 1 rollout or more, with exploration above 0; not {given}")

    def __call__(self, standing: Standing) -> Integers:
        visits, ties = self.visits(standing)
        most: Integers = (visits + ties).argmax(axis=1)
        return most

    def visits(self, standing: Standing) -> tuple[Integers, Floats]:
        """How often each pixel in `order` was tried, shape (games, most), and numbers in [0, 1) to break ties; −1 where none is left."""
        # By one thread: matrices are so small that several, which wait for each other by spinning, take up to ten times as
        # long wherever a core is busy.
        with needed("this search needs", "threadpoolctl").threadpool_limits(1, "blas"):
            return self._visits(standing)

    def _visits(self, standing: Standing) -> tuple[Integers, Floats]:
        games, most = len(standing.games), int(standing.free.max())
        uniforms = np.empty((self.rollouts, games, standing.left - 1), np.float32)
        noise = np.zeros((games, BANK, most), np.float32)
        for game, (seed, free) in enumerate(zip(standing.seeds, standing.free, strict=True)):
            rng = np.random.default_rng([*seed, 2, standing.left])
            noise[game, :, :free] = rng.random((BANK, int(free)), np.float32)
            uniforms[:, game] = rng.random((self.rollouts, standing.left - 1), np.float32)
        tree = _Tree(standing, noise, self.exploration)
        finals = tree.finals() if standing.left == 1 else None
        for rollout in range(self.rollouts):
            slots, cells, depths = tree.descend()
            if finals is not None:
                values = finals[standing.games, slots[:, 0]]
            else:
                values = tree.values(_completed(slots, depths, uniforms[rollout], standing.free))
            tree.back_up(cells, depths, values)
        visits, ties = tree.tried.astype(np.int32), noise[:, 0]
        beyond = np.arange(most) >= standing.free[:, None]
        visits[beyond], ties[beyond] = -1, -1
        return visits, ties


class _Tree:
    """The trees of all games in one pool of rows: a row is a position that was come to twice, a cell of it a pixel. share:
    1 / (1 + N), where N is how often the pixel was tried there. mean: W / N, where W is what came of it for whoever moves
    there; a tiny random number before the first try. N and W, whole, follow from these two by rounding, up to some
    millions. below: the row after it, −1 while there is none. factor: c · prior · the square root of the row's tries."""

    def __init__(self, standing: Standing, noise: Floats, exploration: float) -> None:
        self.standing, self.exploration = standing, exploration
        games, self.most = noise.shape[0], noise.shape[2]
        self.noise = noise * np.float32(1e-6)
        beyond = np.arange(self.most) >= standing.free[:, None]
        self.noise.transpose(0, 2, 1)[beyond] = -np.inf
        self.used, self.rows_of = 0, np.zeros(games, np.int64)
        self.mean, self.share = (np.empty((0, self.most), np.float32) for _ in range(2))
        self.below = np.empty((0, self.most), np.int32)
        self.total, self.scale, self.factor = (np.empty(0, np.float32) for _ in range(3))
        self._grow(standing.games, np.empty((games, 0), np.int64))

    @property
    def tried(self) -> Floats:
        """How often each pixel was tried in the positions that the games stand in: shape (games, most)."""
        return np.rint(1 / self.share[: len(self.standing.games)]) - 1

    def _grow(self, games: Integers, path: Integers) -> Integers:
        """A new row for each of the games, whose pixels `path`, shape (games, depth), are already taken there."""
        start, stop = self.used, self.used + len(games)
        if stop > len(self.mean):
            more = max(stop, len(self.mean) * 3 // 2)
            for name in ("mean", "share", "below", "total", "scale", "factor"):
                old = getattr(self, name)
                new = np.empty((more, *old.shape[1:]), old.dtype)
                new[: self.used] = old[: self.used]
                setattr(self, name, new)
        self.used = stop
        rows = np.arange(start, stop)
        self.mean[start:stop] = self.noise[games, self.rows_of[games] % BANK]
        for taken in path.T:
            self.mean[rows, taken] = -np.inf
        self.rows_of[games] += 1
        self.share[start:stop], self.below[start:stop] = 1, -1
        self.total[start:stop] = self.factor[start:stop] = 0
        self.scale[start:stop] = self.exploration / (self.standing.free[games] - path.shape[1])
        return rows

    def descend(self) -> tuple[Integers, Integers, Integers]:
        """One way down in every game: pixels and cells, shape (games, left), and how many of them were chosen by the rule."""
        left, games = self.standing.left, self.standing.games
        slots, cells = (np.zeros((len(games), left), np.int64) for _ in range(2))
        depths = np.full(len(games), left)
        rows = games
        for depth in range(left):
            score = self.share[rows]
            score *= self.factor[rows, None]
            score += self.mean[rows]
            chosen = score.argmax(axis=1)
            at = rows * self.most + chosen
            slots[games, depth], cells[games, depth] = chosen, at
            if depth == left - 1:
                break
            fresh = self.share.ravel()[at] == 1
            depths[games[fresh]] = depth + 1
            games, at = games[~fresh], at[~fresh]
            if not len(games):
                break
            rows = self.below.ravel()[at].astype(np.int64)
            new = (rows < 0).nonzero()[0]
            if len(new):
                rows[new] = self._grow(games[new], slots[games[new], : depth + 1])
                self.below.ravel()[at[new]] = rows[new]
        return slots, cells, depths

    def values(self, slots: Integers) -> Floats:
        """Who wins with these last pixels, shape (games, left): 1 for debater a, −1 for debater b, 0 for neither."""
        standing = self.standing
        taken = standing.order[standing.games[:, None], slots]
        sums = standing.added[standing.games[:, None], taken].sum(axis=1)
        sums += standing.sums
        return np.sign(margins(standing.judge, sums, standing.claims))

    def finals(self) -> Floats:
        """The same for each pixel that may come last: shape (games, most)."""
        each = [self.values(np.full((len(self.standing.games), 1), slot)) for slot in range(self.most)]
        return np.stack(each, axis=1)

    def back_up(self, cells: Integers, depths: Integers, values: Floats) -> None:
        """Count a rollout, for whoever moves at each depth."""
        mean, share = self.mean.ravel(), self.share.ravel()
        signed = values * (1 - 2 * self.standing.turn)
        for depth in range(int(depths.max())):
            passed = (depths > depth).nonzero()[0]
            at = cells[passed, depth]
            count = np.rint(1 / share[at])  # with this rollout
            sums = np.rint(mean[at] * (count - 1)) + signed[passed]
            mean[at], share[at] = sums / count, 1 / (1 + count)
            rows = at // self.most
            self.total[rows] += 1
            self.factor[rows] = self.scale[rows] * np.sqrt(self.total[rows])
            signed = -signed


def _completed(slots: Integers, depths: Integers, uniforms: Floats, free: Integers) -> Integers:
    """The pixels chosen by the rule, and after them random ones that are distinct, as the uniforms have it."""
    left = slots.shape[1]
    taken = slots.copy()
    for turn in range(1, left):
        number = distinct(uniforms[:, turn - 1], free - turn, taken[:, :turn])
        ruled = depths > turn
        number[ruled] = slots[ruled, turn]
        slots[:, turn] = taken[:, turn] = number
        taken[:, : turn + 1].sort(axis=1)
    return slots
