"""Step machines: counting what an oracle approves of, and choosing approved weights that add up to a target.

Rule of this file: machines alone; the questions about them, and the programs that debate them, stand in `steps.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from moot.protocols.games.step_machines import Look, StepMachine


class Tally(StepMachine):
    """Does the oracle approve of at least `least` of `items` items? Step t counts those up to item t; the last
    compares. Input: {"items": n, "least": m}. n + 1 steps, each with one query but the last."""

    name: ClassVar[str] = "tally"

    def steps(self, look: Look) -> int:
        return int(look("items")) + 1

    def width(self, look: Look) -> int:
        return len(str(look("items")))

    def inputs(self, look: Look, t: int) -> tuple[int, ...]:
        return (t - 1,) if t else ()

    def query(self, look: Look, t: int, values: Sequence[str]) -> str | None:
        return f"item({t})" if t < look("items") else None

    def value(self, look: Look, t: int, values: Sequence[str], bit: bool | None) -> str:
        before = whole(values[0]) if values else 0
        return str(int(before >= look("least"))) if bit is None else str(before + bit)


class Subset(StepMachine):
    """Do some items of which the oracle approves have weights that add up to the target? The witness chooses items.

    Input: {"weights": [w_0, …, w_{n-1}], "target": W, "items": n}, weights of at least 1. Steps 0 to n - 1 are the
    witness, "1" for an item that is chosen; step n + i adds up to item i, asking the oracle if it is chosen, and
    passing over it where it is not approved of; the last step compares."""

    name: ClassVar[str] = "subset"

    def steps(self, look: Look) -> int:
        return 2 * int(look("items")) + 1

    def free(self, look: Look) -> int:
        return int(look("items"))

    def width(self, look: Look) -> int:
        return 2 + len(str(look("target")))

    def inputs(self, look: Look, t: int) -> tuple[int, ...]:
        n = look("items")
        if t == 2 * n:
            return (t - 1,)
        return (t - n,) if t == n else (t - n, t - 1)

    def query(self, look: Look, t: int, values: Sequence[str]) -> str | None:
        n = look("items")
        return f"item({t - n})" if t < 2 * n and values[0] == "1" else None

    def value(self, look: Look, t: int, values: Sequence[str], bit: bool | None) -> str:
        n, target = look("items"), look("target")
        if t == 2 * n:
            return str(int(whole(values[0]) == target))
        before = whole(values[1]) if t > n else 0
        # What is over the target stays over it, and its values short.
        return str(min(before + look("weights", t - n), target + 1)) if bit else str(before)


def whole(text: str) -> int:
    """The number that a value writes, as `str` would. ValueError when it writes none."""
    if not text.isdecimal() or not text.isascii() or str(int(text)) != text:
        raise ValueError(f"{text!r} is no number")
    return int(text)
