"""Prime numbers: the strong probable prime test (Miller 1976; Rabin 1980), and what it decides.

Rule of this file: numbers alone; the tasks about them are in `primality.py`."""

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


def first_prime(start: int) -> int:
    """The first prime from `start` on."""
    return next(n for n in range(start, 2**63) if is_prime(n))
