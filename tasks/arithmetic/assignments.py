"""The value of a variable after a sequence of assignments z := f(x, y).
Rule: the two tasks alone; what every task of a curriculum shares is in `tasks/curriculum.py`.

`EvalTask` and `EvalSumTask` of Christiano, Shlegeris and Amodei 2018, whose size is 64."""

import re
from collections.abc import Iterator
from math import isqrt
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.curriculum import NUMBER, CurriculumTask, number
from moot.tasks.family import entries

_VARIABLE = re.compile(rf"x({NUMBER})")


class Assignments(CurriculumTask):
    """`size` variables, isqrt(size) of them constants, the others f of two earlier ones; f is a random table.
    There are isqrt(size) values. Variables are defined in a random order of their numbers. The rule: x and y behind z
    are looked up (A and B), then their values asked, then f of these; A of a constant is its value."""

    name: ClassVar[str] = "assignments"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = (
        "The data is a list of variables x0, x1, …; each is a constant or f of two others, its first and second argument. "
        "V(z) asks for the value of variable z, a number. A(z) asks for the first argument of z, B(z) for the second; for "
        "a constant both are its value. f(u,v) asks for f of two values."
    )
    notation = re.compile(rf"([VAB])\(x({NUMBER})\)|f\(({NUMBER}),({NUMBER})\)")
    example = "V(x5)"
    reads: ClassVar[str] = "7"
    smallest, largest = 4, 20_000  # from two values on

    tabled: ClassVar[bool] = True
    """Whether f is a table to look values up in."""

    def data(self, size: int, random: Random) -> dict[str, Any]:
        values = isqrt(size)
        order = random.sample(range(size), size)
        first, second = [""] * size, [""] * size
        for z in order[:values]:
            first[z] = second[z] = str(self.constant(values, random))
        for place, z in enumerate(order[values:], values):
            first[z], second[z] = (f"x{random.choice(order[:place])}" for _ in "AB")
        data: dict[str, Any] = {"size": size, "values": values, "A": first, "B": second}
        if self.tabled:
            data["f"] = [[random.randrange(values) for _ in range(values)] for _ in range(values)]
        return data

    def count(self, data: Any) -> int:
        return entries(data["A"])

    def constant(self, values: int, random: Random) -> int:
        """A constant's value."""
        return random.randrange(values)

    def ask(self, data: Any, random: Random) -> str:
        return f"V(x{random.choice([z for z in range(data['size']) if data['A'][z].startswith('x')])})"

    def truth(self, data: Any, text: str) -> str:
        letter, names = self.asked(text, data["size"], data["values"])
        if letter == "f":
            return str(self.result(data, *names))
        return str(self._values(data)[names[0]][0] if letter == "V" else data[letter][names[0]])

    def result(self, data: Any, u: int, v: int) -> int:
        """f of two values."""
        return int(data["f"][u][v])

    def _values(self, data: Any) -> dict[int, tuple[int, int]]:
        """Value and depth of every variable, by running the assignments as their arguments become known."""
        known: dict[int, tuple[int, int]] = {}
        while len(known) < data["size"]:
            for z, (x, y) in enumerate(zip(data["A"], data["B"], strict=True)):
                if not x.startswith("x"):
                    known[z] = int(x), 0
                elif z not in known and (a := known.get(int(x[1:]))) and (b := known.get(int(y[1:]))):
                    known[z] = self.result(data, a[0], b[0]), 1 + max(a[1], b[1])
        return known

    def wrong(self, data: Any, text: str, random: Random) -> str:
        true = self.truth(data, text)
        like = [f"x{z}" for z in range(data["size"])] if true.startswith("x") else self.answers(data)
        return random.choice([answer for answer in like if answer != true])

    def rule(self, text: str, look: Look) -> Rule:
        size, values = look("size"), look("values")
        letter, names = self.asked(text, size, values)
        if letter != "V":
            return str(look(letter, *names))
        behind = yield f"A(x{names[0]})", f"B(x{names[0]})"
        if (constant := number(behind[0])) is not None and constant < values:
            return str(constant)
        found = [_VARIABLE.fullmatch(answer) for answer in behind]
        if not all(match and int(match[1]) < size for match in found):
            return UNKNOWN
        said = yield f"V({behind[0]})", f"V({behind[1]})"
        u, v = map(number, said)
        if u is None or v is None or u >= values or v >= values:
            return UNKNOWN
        answer = str((u + v) % values) if not self.tabled else (yield (f"f({u},{v})",))[0]
        result = number(answer)
        return UNKNOWN if result is None or result >= values else answer

    def questions(self, data: Any) -> Iterator[str]:
        yield from self.learnable(data)
        yield from (f"{letter}(x{z})" for letter in "AB" for z in range(data["size"]))
        if self.tabled:
            yield from (f"f({u},{v})" for u in range(data["values"]) for v in range(data["values"]))

    def learnable(self, data: Any) -> Iterator[str]:
        return (f"V(x{z})" for z in range(data["size"]))

    def primitive(self, text: str) -> bool:
        return self.asked(text)[0] != "V"

    def stratum(self, data: Any, text: str) -> int:
        """The depth of the variable, 0 for a constant; 0 for a primitive question."""
        letter, names = self.asked(text, data["size"], data["values"])
        return self._values(data)[names[0]][1] if letter == "V" else 0

    def features(self, data: Any, text: str) -> tuple[int, ...]:
        """The variable and its two arguments; a constant's value v is the symbol size + v."""
        letter, names = self.asked(text, data["size"], data["values"])
        if letter != "V":
            raise UsageError(f"{text!r} is answered by a look-up and has no features")
        cells = data["A"][names[0]], data["B"][names[0]]
        return names[0], *(int(cell[1:]) if cell.startswith("x") else data["size"] + int(cell) for cell in cells)

    def answers(self, data: Any) -> list[str]:
        return [str(value) for value in range(data["values"])]

    def asked(self, text: str, size: int | None = None, values: int | None = None) -> tuple[str, tuple[int, ...]]:
        """Letter and numbers of a question. UsageError when it is none, or none about an instance of that size."""
        found = self.match(text)
        if found[1] is None and not self.tabled:
            raise UsageError(f"{text!r} is no question about assignments; write {self.example}")
        letter = found[1] or "f"
        numbers = tuple(int(part) for part in found.groups()[1:] if part is not None)
        limit = values if letter == "f" else size
        if limit is not None and max(numbers) >= limit:
            raise UsageError(f"{text!r} is no question about this instance: its numbers must be below {limit}")
        return letter, numbers


class AssignmentsSum(Assignments):
    """The same with f(u,v) = u + v modulo isqrt(size), which the judge adds up alone; constants are 1 and -1."""

    name: ClassVar[str] = "assignments-sum"
    about: ClassVar[str] = (
        "The data is a list of variables x0, x1, …; each is a constant or the sum of two others modulo the number of "
        "values. V(z) asks for the value of variable z, a number. A(z) asks for the first variable of the sum, B(z) for "
        "the second; for a constant both are its value."
    )
    reads: ClassVar[str] = "6"
    tabled: ClassVar[bool] = False

    def constant(self, values: int, random: Random) -> int:
        return random.choice([1, values - 1])

    def result(self, data: Any, u: int, v: int) -> int:
        return int((u + v) % data["values"])
