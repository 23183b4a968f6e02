"""Pixel debates solved exactly, where the image is small: what comes of optimal play, against which search is held.

A judge that sees a set of pixels cannot tell in which order they came, so the positions of a debate are the subsets of
its non-zero pixels: of the 8 by 8 digits some 50,000 with four."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb
from typing import TYPE_CHECKING

from moot.experiments.arrays import np
from moot.experiments.mnist.boards import Boards
from moot.experiments.mnist.judge import SparseJudge
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.experiments.arrays import Floats, Integers

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
    """What comes of optimal play for debater a, and of each first pixel with optimal play after it.
    finals: what comes of each set of `revealed` of `count` pixels, shape (sets, games): 1, −1 or 0. first: 0 where
    debater a begins, else 1. Returns shapes (games,) and (count, games)."""
    values = finals
    for size in range(revealed, 1, -1):
        mover = (first + size - 1) % 2  # who adds the last pixel of a set of this size
        after = values[_after(count, size)]
        values = after.max(axis=1) if mover == 0 else after.min(axis=1)
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
