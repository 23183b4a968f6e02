"""Which questions are drawn: easy ones first, then harder ones as the learner agrees with its own amplification.
Rule: it chooses questions, and trains nothing; what a task says of them is in `tasks/curriculum.py`."""

from collections import defaultdict, deque
from functools import cache, partial
from random import Random
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.tasks.curriculum import CurriculumTask, apply_rule

Strata = dict[str, int]
"""Question to stratum."""


class Pool:
    """Questions, drawn in shuffled passes: each once before any comes again."""

    def __init__(self, texts: list[str], random: Random) -> None:
        self.texts, self.random = texts, random
        self.left: list[str] = []

    def draw(self) -> str:
        if not self.left:
            self.left = self.texts.copy()
            self.random.shuffle(self.left)
        return self.left.pop()


class Curriculum:
    """Draws questions of stratum at most the level: half of them of that stratum, half of all up to it; all at the end. The
    level goes up by one (stratum that there is) when the mean agreement over more than `patience` batches is above
    `threshold`. graded: False begins at the highest level. UsageError when there are no questions."""

    def __init__(
        self, strata: Strata, random: Random, threshold: float = 0.85, patience: int = 50, graded: bool = True
    ) -> None:
        if not strata:
            raise UsageError("there is no question to train on")
        self.random, self.threshold, self.patience = random, threshold, patience
        groups: dict[int, list[str]] = defaultdict(list)
        for text, stratum in strata.items():
            groups[stratum].append(text)
        self.levels = sorted(groups)
        self.tops = [Pool(groups[level], random) for level in self.levels]
        below = [[text for level in self.levels[: i + 1] for text in groups[level]] for i in range(len(self.levels))]
        self.pools = [Pool(texts, random) for texts in below]
        self.at = 0 if graded else len(self.levels) - 1
        self.recent: deque[float] = deque(maxlen=patience + 1)
        self.changed = self.drawn = 0  # of the present pass over all questions
        self.stable: float | None = None

    @property
    def level(self) -> int:
        """The highest stratum that is drawn."""
        return self.levels[self.at]

    @property
    def last(self) -> bool:
        return self.at == len(self.levels) - 1

    @property
    def quality(self) -> float | None:
        """The mean agreement over the latest batches of this level; None before the first."""
        return sum(self.recent) / len(self.recent) if self.recent else None

    def draw(self, count: int) -> list[str]:
        if self.last:
            return [self.pools[-1].draw() for _ in range(count)]
        return [(self.tops if i % 2 else self.pools)[self.at].draw() for i in range(count)]

    def draw_freely(self, count: int) -> list[str]:
        """Questions of the same level, apart from the passes over all of them."""
        sources = (self.pools[self.at], self.pools[self.at] if self.last else self.tops[self.at])
        return [self.random.choice(self.random.choice(sources).texts) for _ in range(count)]

    def agreed(self, same: list[bool]) -> None:
        """Note for a batch whether the learner's answers were those of amplification."""
        self.recent.append(sum(same) / len(same))
        if self.last:
            # A pass is over when all have been drawn once; batches may run across its end by less than one batch.
            self.changed += same.count(False)
            self.drawn += len(same)
            if self.drawn >= len(self.pools[-1].texts) + len(same):
                self.stable = 1 - self.changed / self.drawn
                self.changed = self.drawn = 0
        elif len(self.recent) > self.patience and (self.quality or 0.0) > self.threshold:
            self.at += 1
            self.recent.clear()


def strata_of(task: CurriculumTask, data: Any) -> dict[str, int]:
    """Every learnable question of an instance with its stratum."""
    return {text: task.stratum(data, text) for text in task.learnable(data)}


def unasked(task: CurriculumTask, data: Any) -> list[str]:
    """Learnable questions that the rule asks for no other one, given true answers. For evaluation: it uses the truth."""
    texts, asked = list(task.learnable(data)), set()
    true = cache(partial(task.truth, data))
    for text in texts:
        parts: set[str] = set()

        def answer(part: str, parts: set[str] = parts) -> str:
            parts.add(part)
            return true(part)

        apply_rule(task, data, text, answer)
        asked |= parts - {text}
    return [text for text in texts if text not in asked]


def split(strata: Strata, share: float, among: list[str], random: Random) -> tuple[Strata, Strata]:
    """Questions to train on, and a share of all that is held out, drawn from `among` and at most half of these.
    Held-out questions that others ask would leave these without an answer: an error of the split, not of the learner.
    UsageError when the share is not in [0, 1)."""
    if not 0 <= share < 1:
        raise UsageError(f"the share of questions held out is {share}; it lies in [0, 1)")
    held = set(random.sample(among, min(int(share * len(strata)), len(among) // 2)))
    return {t: s for t, s in strata.items() if t not in held}, {t: s for t, s in strata.items() if t in held}
