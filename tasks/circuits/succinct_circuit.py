"""Succinct circuit value: an EXP task. A description of O(k) bits stands for a circuit of 2^k gates and as great a depth.
Rule: one task; circuits that are written out gate by gate are in `circuit_value.py`."""

import re
from collections.abc import Iterator
from functools import lru_cache
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.arithmetic.primes import bits_of, first_prime
from moot.tasks.base import Task

REACH = 4
"""The near input of gate g is one of the REACH gates before it."""
_TABLES = ("0110", "0001", "0111", "1110")
"""The gates' types XOR, AND, OR, NAND: the value for the inputs 00, 01, 10, 11."""


class Circuit(Task):
    """The value of the last of 2^k gates. The description is a prime p and three pairs (a, b); each gives every gate g a
    number (a g + b) mod p, which decides its type, its near input (one of the four gates before it) and its far one.

    As a near input is at most 4 gates away, at least 2^k / 4 different questions stand under the last gate, one below
    another: their number and the depth are exponential in the size of the description. Succinct circuit value is
    EXP-complete (Papadimitriou 1994, section 20.1) for circuits described by circuits; here by affine maps."""

    name: ClassVar[str] = "circuit"
    complexity_class: ClassVar[str] = "EXP"
    about: ClassVar[str] = (
        "A circuit has the gates 0 to 2^k - 1; gate(5) asks for the value of gate 5, 0 or 1. gate(0) is 0 and gate(1) is 1. "
        "Any other gate g has two inputs. The data holds k, a prime p and pairs (a, b) called type, near and far; each "
        "gives g the number x = (a*g + b) mod p. The near input is gate g - 1 - (x mod 4), or gate 0 if that is negative. "
        "The far input is gate x mod g. The type is x mod 4: 0 XOR, 1 AND, 2 OR, 3 NAND of the two."
    )
    notation = re.compile(r"gate\((\d{1,12})\)")
    example = "gate(5)"
    either = "0", "1"
    reads: ClassVar[str] = "10"
    smallest, largest = 2, 20
    counted = "bits of a gate's number"
    source: ClassVar[str] = "Papadimitriou 1994, Computational Complexity, section 20.1"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        p = first_prime(random.randrange(4**size, 2 * 4**size))
        pairs = {key: [random.randrange(1, p), random.randrange(p)] for key in ("type", "near", "far")}
        return {"k": size, "p": p, **pairs}

    def count(self, data: Any) -> int:
        return bits_of(data["k"], data["p"])

    def ask(self, data: Any, random: Random) -> str:
        return f"gate({2 ** data['k'] - 1})"

    def truth(self, data: Any, text: str) -> str:
        """By all gates from the first on."""
        gate = self.gate(text, self.few(data))
        return str(_values(data["k"], data["p"], *data["type"], *data["near"], *data["far"])[gate])

    def rule(self, text: str, look: Look) -> Rule:
        gate = self.gate(text, look("k"))
        if gate < 2:
            return str(gate)
        p = look("p")
        kind, near, far = ((look(key, 0) * gate + look(key, 1)) % p for key in ("type", "near", "far"))
        first, second = yield f"gate({max(0, gate - 1 - near % REACH)})", f"gate({far % gate})"
        return UNKNOWN if UNKNOWN in (first, second) else _TABLES[kind % 4][2 * int(first) + int(second)]

    def questions(self, data: Any) -> Iterator[str]:
        return (f"gate({gate})" for gate in range(2 ** self.few(data)))

    def few(self, data: Any) -> int:
        """The bits of a gate's number. UsageError when there are too many gates to look at each."""
        k: int = data["k"]
        if k > self.largest:
            raise UsageError(f"2^{k} gates are too many to evaluate or list; task circuit goes up to 2^{self.largest}")
        return k

    def gate(self, text: str, k: int) -> int:
        """The gate that a question is about. UsageError when it is none of 2^k gates."""
        gate = int(self.match(text)[1])
        if gate >= 2**k:
            raise UsageError(f"{text!r} is beyond the 2^{k} gates of this circuit")
        return gate


@lru_cache(maxsize=4)
def _values(k: int, p: int, a: int, b: int, c: int, d: int, e: int, f: int) -> bytearray:
    """The values of all gates. The three numbers of a gate follow from those of the gate before it by addition."""
    values = bytearray(2**k)
    values[1] = 1
    kind, near, far = (a + b) % p, (c + d) % p, (e + f) % p
    for gate in range(2, 2**k):
        kind, near, far = (kind + a) % p, (near + c) % p, (far + e) % p
        x, y, type_ = values[max(0, gate - 1 - (near & 3))], values[far % gate], kind & 3
        values[gate] = x ^ y if type_ == 0 else x & y if type_ == 1 else x | y if type_ == 2 else 1 - (x & y)
    return values
