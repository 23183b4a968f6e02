"""The sum of a function over all strings that match a pattern.
Rule: one task; what every task of a curriculum shares is in `tasks/curriculum.py`.

`SumTask` of Christiano, Shlegeris and Amodei 2018, whose size is 64: strings of six letters. The paper caps sums at
half the size; here they are exact."""

import re
from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import CurriculumTask
from moot.tasks.family import entries

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,8}")


class Wildcard(CurriculumTask):
    """A random function from strings over {a, b} to {-1, 1}; size is the number of strings, a power of two.
    The rule: the first * is replaced by each letter and the two sums are added. Patterns without * are primitive."""

    name: ClassVar[str] = "wildcard"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a function from all strings of one length over a and b to -1 and 1, listed in alphabetical order. "
        "sum(ab*) asks for the sum of the function over the strings that match the pattern, where * stands for a or b. "
        "The answer is an integer."
    )
    notation = re.compile(r"sum\(([ab*]+)\)")
    example = "sum(ab*a**)"
    reads: ClassVar[str] = "3"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        if size < 2 or size & (size - 1):
            raise UsageError(f"task {self.name}: size is {size}; it must be a power of two, 2 or more: 16, 32, 64, …")
        return {"size": size, "f": [random.choice([-1, 1]) for _ in range(size)]}

    def count(self, data: Any) -> int:
        return entries(data["f"])

    def ask(self, data: Any, random: Random) -> str:
        # As in the paper: the number of wildcards is uniform, then where they stand.
        length = self.length(data["size"])
        pattern = [random.choice("ab") for _ in range(length)]
        for place in random.sample(range(length), random.randint(1, length)):
            pattern[place] = "*"
        return f"sum({''.join(pattern)})"

    def truth(self, data: Any, text: str) -> str:
        pattern = re.compile(self.pattern(text, data["size"]).replace("*", "."))
        strings = map("".join, product("ab", repeat=self.length(data["size"])))
        return str(sum(value for string, value in zip(strings, data["f"], strict=True) if pattern.fullmatch(string)))

    def wrong(self, data: Any, text: str, random: Random) -> str:
        true, most = int(self.truth(data, text)), 1 << text.count("*")
        # One value of the function mistaken: of the same parity, and within what the pattern allows.
        return str(random.choice([near for near in (true - 2, true + 2) if abs(near) <= most]))

    def rule(self, text: str, look: Look) -> Rule:
        pattern = self.pattern(text, look("size"))
        if "*" not in pattern:
            return str(look("f", int(pattern.translate({ord("a"): "0", ord("b"): "1"}), 2)))
        parts = yield f"sum({pattern.replace('*', 'a', 1)})", f"sum({pattern.replace('*', 'b', 1)})"
        return str(int(parts[0]) + int(parts[1])) if all(map(_INTEGER.fullmatch, parts)) else UNKNOWN

    def questions(self, data: Any) -> Iterator[str]:
        return (f"sum({''.join(pattern)})" for pattern in product("ab*", repeat=self.length(data["size"])))

    def primitive(self, text: str) -> bool:
        return "*" not in self.pattern(text)

    def stratum(self, data: Any, text: str) -> int:
        """The number of wildcards."""
        return self.pattern(text, data["size"]).count("*")

    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """The pattern: 0 for a, 1 for b, 2 for a wildcard."""
        return tuple("ab*".index(letter) for letter in self.pattern(text, data["size"]))

    def answers(self, data: Any) -> list[str]:
        return [str(total) for total in range(-data["size"], data["size"] + 1, 2)]

    @staticmethod
    def length(size: int) -> int:
        """The length of the strings: log2 of the size."""
        return size.bit_length() - 1

    def pattern(self, text: str, size: int | None = None) -> str:
        """The pattern of a question. UsageError when it is none, or none about an instance of that size."""
        pattern = self.match(text)[1]
        if size is not None and len(pattern) != (length := self.length(size)):
            raise UsageError(f"{text!r} is no question about this instance: its strings have {length} letters")
        return pattern
