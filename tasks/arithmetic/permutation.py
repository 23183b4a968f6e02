"""Powers of a permutation by repeated squaring: the tree is exponential in the bits of the exponent.
Rule: one task; what every task of a curriculum shares is in `tasks/curriculum.py`.

`IterTask` of Christiano, Shlegeris and Amodei 2018, whose size is 64."""

import re
from collections.abc import Iterator
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import NUMBER, CurriculumTask, number
from moot.tasks.family import entries


class PermutationPower(CurriculumTask):
    """sigma^n(x) for a random permutation of `size` elements and exponents below the next power of two.
    The rule: y = sigma^(n/2)(x), y = sigma^(n/2)(y), and y = sigma(y) when n is odd, each asked after the one before.
    Exponents 0 and 1 are primitive."""

    name: ClassVar[str] = "perm-power"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a permutation sigma of the numbers from 0 to size - 1. sigma^n(x) asks for the number that x becomes "
        "when sigma is applied n times."
    )
    notation = re.compile(rf"sigma\^({NUMBER})\(({NUMBER})\)")
    example = "sigma^37(5)"
    reads: ClassVar[str] = "4"
    smallest = 3  # for an exponent above 1

    def data(self, size: int, random: Random) -> dict[str, Any]:
        return {"size": size, "sigma": random.sample(range(size), size)}

    def count(self, data: Any) -> int:
        return entries(data["sigma"])

    def ask(self, data: Any, random: Random) -> str:
        # As in the paper: the length of the exponent is uniform, then its other bits are.
        bits = random.randint(2, self.bits(data["size"]))
        return f"sigma^{random.randrange(1 << (bits - 1), 1 << bits)}({random.randrange(data['size'])})"

    def truth(self, data: Any, text: str) -> str:
        n, x = self.asked(text, data["size"])
        for _ in range(n):
            x = data["sigma"][x]
        return str(x)

    def wrong(self, data: Any, text: str, random: Random) -> str:
        true = int(self.truth(data, text))
        after, before = data["sigma"][true], data["sigma"].index(true)
        # One application too many or too few; on a fixed point any other element.
        near = sorted({after, before} - {true}) or [x for x in range(data["size"]) if x != true]
        return str(random.choice(near))

    def rule(self, text: str, look: Look) -> Rule:
        size = look("size")
        n, x = self.asked(text, size)
        if n == 0:
            return str(x)
        if n == 1:
            return str(look("sigma", x))
        for part in (n >> 1, n >> 1, 1)[: 2 + n % 2]:
            (answer,) = yield (f"sigma^{part}({x})",)
            y = number(answer)
            if y is None or y >= size:
                return UNKNOWN
            x = y
        return str(x)

    def questions(self, data: Any) -> Iterator[str]:
        for n in range(1 << self.bits(data["size"])):
            yield from (f"sigma^{n}({x})" for x in range(data["size"]))

    def primitive(self, text: str) -> bool:
        return self.asked(text)[0] < 2

    def stratum(self, data: Any, text: str) -> int:
        """The bits of the exponent; 0 for a primitive question."""
        n, _ = self.asked(text, data["size"])
        return 0 if n < 2 else n.bit_length()

    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """x, sigma(x), and the bits of the exponent, the lowest first."""
        n, x = self.asked(text, data["size"])
        return x, data["sigma"][x], *(n >> bit & 1 for bit in range(self.bits(data["size"])))

    def answers(self, data: Any) -> list[str]:
        return [str(x) for x in range(data["size"])]

    @staticmethod
    def bits(size: int) -> int:
        """The bits of an exponent: log2 of the size, rounded up."""
        return (size - 1).bit_length()

    def asked(self, text: str, size: int | None = None) -> tuple[int, int]:
        """Exponent and element of a question. UsageError when it is none, or none about an instance of that size."""
        n, x = map(int, self.match(text).groups())
        if size is not None and (x >= size or n >> self.bits(size)):
            most = f"elements are below {size}, exponents below {1 << self.bits(size)}"
            raise UsageError(f"{text!r} is no question about this instance: {most}")
        return n, x
