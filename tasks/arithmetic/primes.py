"""Prime numbers: the strong probable prime test (Miller 1976; Rabin 1980), and what it decides.

Rule of this file: numbers alone; the tasks that use them are elsewhere."""

from typing import Any

_BASES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)
"""The bases that decide every number below 2^64."""


def passes_to(n: int, base: int) -> bool:
    """Whether an odd n passes the strong probable prime test to a base: a prime passes to every one from 2 to n - 2."""
    twos = ((n - 1) & -(n - 1)).bit_length() - 1
    value = pow(base, (n - 1) >> twos, n)
    return value in (1, n - 1) or any((value := value * value % n) == n - 1 for _ in range(twos - 1))


def is_prime(n: int) -> bool:
    """Whether n, below 2^64, is prime."""
    if n < 2 or any(n % base == 0 for base in _BASES):
        return n in _BASES
    return all(passes_to(n, base) for base in _BASES)


def bits_of(k: Any, p: Any) -> int:
    """k, where a description holds a prime of more than k bits beside it, as it has to for as many as 2^k numbers to differ
    by it. TypeError, ValueError when it does not: k is then no length of anything that is written down."""
    if type(k) is not int or type(p) is not int:
        raise TypeError(f"k is {k!r:.40} and the prime {p!r:.40}; both must be whole numbers")
    if p.bit_length() <= k:
        raise ValueError(f"a prime of {p.bit_length()} bits is too small for 2^{k} numbers")
    return k


def first_prime(start: int) -> int:
    """The first prime from `start` on."""
    return next(n for n in range(start, 2**63) if is_prime(n))
