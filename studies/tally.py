"""How the plays of a set ended, folded as they end: of a hundred thousand of them numbers are held, and no transcripts.

Rule of this file: the order in which plays end changes nothing of what comes out.
"""

from __future__ import annotations

from array import array
from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from math import fsum, isinf
from pathlib import Path
from typing import Any

SHOWN = 20
"""Problems that are told at most."""


@dataclass(frozen=True, slots=True)
class Row:
    """How one play ended. outcome: its kind, "not ended" or "not played". how: "played", "resumed", "kept" or "played again",
    and why."""

    pair: str
    path: str
    outcome: str
    how: str
    probabilities: tuple[float, ...] | None = None
    correct: bool | None = None
    scored: bool = False
    reward: float | None = None
    problem: str | None = None
    seconds: float = 0.0
    why: str | None = None

    def told(self) -> dict[str, Any]:
        """As a record of JSON."""
        return {name: getattr(self, name) for name in _FIELDS} | {"record": "play"}


_FIELDS = tuple(each.name for each in fields(Row))


class Tally:
    """What came of so many plays. Of each a number is kept where its reward is known; of a pair of seatings, the first until the
    second has ended."""

    def __init__(self, both: bool) -> None:
        """both: whether each question is played in both seatings."""
        self.count, self.both = 0, both
        self.outcomes, self.how, self.why = Counter[str](), Counter[str](), Counter[str]()
        self.scored = self.right = self.wrong = 0
        self.problems: list[tuple[str, str, str]] = []  # the first by path
        self._rewards, self._gains = array("d"), array("d")
        self._waiting: dict[str, tuple[bool, tuple[float, ...]]] = {}

    def add(self, row: Row) -> None:
        """Count a play that has ended, or will not be played."""
        self.count += 1
        self.outcomes[row.outcome] += 1
        if row.how:
            self.how[row.how] += 1
        if row.why:
            self.why[row.why] += 1
        if row.scored:
            self.scored += 1
            self.right += row.correct is True
            self.wrong += row.correct is False
            if row.reward is not None:
                self._rewards.append(row.reward)
        if row.problem:
            insort(self.problems, (row.path, row.outcome, row.problem))
            del self.problems[SHOWN:]
        if self.both and row.probabilities is not None:
            swapped = Path(row.path).name.startswith(f"{row.pair}.swapped.")
            if (other := self._waiting.pop(row.pair, None)) is None:
                self._waiting[row.pair] = swapped, row.probabilities
            else:
                pair = (other[1], row.probabilities) if swapped else (row.probabilities, other[1])
                self._gains.append(seat_gain(*pair))

    def totals(self) -> dict[str, Any]:
        """How many of each outcome; of the scored ones how many right, wrong and tied; the mean reward."""
        finite = bool(self._rewards) and not any(map(isinf, self._rewards))
        found: dict[str, Any] = {
            "plays": self.count, "outcomes": _counts(self.outcomes), "scored": self.scored, "right": self.right, "wrong": self.wrong,
            "tied": self.scored - self.right - self.wrong,
            "mean_reward": fsum(self._rewards) / len(self._rewards) if finite else None,
            "how": _counts(self.how), "why": _counts(self.why),
        }  # fmt: skip
        if self._gains:
            found.update(pairs=len(self._gains), first_seat=fsum(self._gains) / len(self._gains))
        return found

    def text(self, folder: Path) -> list[str]:
        """The totals as lines. folder: where the plays are."""
        found = self.totals()
        lines = [", ".join(f"{count} {kind}" for kind, count in sorted(self.outcomes.items())) or "no plays"]
        lines += [f"  {path}: {outcome}: {' '.join(why.split())[:300]}" for path, outcome, why in self.problems]
        if self.scored:
            reward = "" if found["mean_reward"] is None else f"; mean reward of the judge {found['mean_reward']:.4g}"
            lines.append("of {scored} decided with a known truth: {right} right, {wrong} wrong, {tied} without an answer "
                         "ahead".format_map(found) + reward)  # fmt: skip
        if "pairs" in found:
            lines.append("seat a gains {first_seat:+.3f} over an even share, whatever it defends ({pairs} pairs)".format_map(found))  # fmt: skip
        if self.how.keys() - {"played"}:
            lines.append(", ".join(f"{number} {how}" for how, number in sorted(self.how.items())))
        for why, number in found["why"].items():
            lines.append(f"  {number} played again: {why}; what was there is in {folder / 'replaced'}")
        return lines


def _counts(of: Counter[str]) -> dict[str, int]:
    """Most first, and of equal ones by name."""
    return dict(sorted(of.items(), key=lambda each: (-each[1], each[0])))


def seat_gain(plain: Sequence[float], swapped: Sequence[float]) -> float:
    """What the answer of seat a gets on average over both seatings, less an even share."""
    return (plain[0] + swapped[-1]) / 2 - 1 / len(plain)
