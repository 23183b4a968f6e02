"""Budgets as polynomials in the declared size n of a question: read safely from text, exact integers throughout.
Rule: text and integers; whose budget it is, and what is counted against it, is said elsewhere.

    expression := ["-"] product (("+" | "-") product)*
    product    := power ("*" power)*
    power      := atom [("^" | "**") integer]
    atom       := integer | "n" | "log(n)" | "(" expression ")"

`log(n)` is ceil(log2(n)), the number of bits of an address into n cells; log(1) is 0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

from moot.protocols.engine.errors import UsageError

# Bounds that keep every polynomial cheap to build and its canonical text readable again. A budget needs far less.
LONGEST_TEXT = 4000
DEEPEST_NESTING = 40
LARGEST_EXPONENT = 16  # of one power, and of a whole term (powers of n and of log(n) together)
LARGEST_NUMBER = 10**24
MOST_TERMS = 40

_ALLOWED = "allowed are integers, n, log(n), + - *, a constant power (n^2 or n**2), and parentheses"
_TOKEN = re.compile(r"[ \t\r\n]*(\*\*|[0-9]+|[A-Za-z_][A-Za-z_0-9]*|[^ \t\r\n])")
_Term = tuple[int, int, int]  # coefficient, power of n, power of log(n)


@dataclass(frozen=True, slots=True)
class Polynomial:
    """A polynomial in n and log(n) with integer coefficients; build one with `Polynomial.parse`.

    terms: (coefficient, power of n, power of log(n)), coefficients not 0, highest powers first, no power twice.
    Equal polynomials are equal objects with equal hashes, however they were written.
    Raises UsageError on terms that are not in this form.
    """

    terms: tuple[_Term, ...] = ()

    def __post_init__(self) -> None:
        if self.terms != _canonical(self.terms):
            raise UsageError(f"{self.terms!r} are not a polynomial's ordered terms; build it with Polynomial.parse")

    @classmethod
    def parse(cls, source: str | int | Polynomial) -> Polynomial:
        """The polynomial that `source` writes ("40*n + 2000"), or the constant that it is.

        Raises UsageError, with the position, on anything else than the grammar above, and on text, exponents, numbers,
        nesting or a number of terms beyond this module's bounds. Nothing is ever evaluated as a program.
        """
        if isinstance(source, Polynomial):
            return source
        if isinstance(source, bool) or not isinstance(source, (str, int)):
            raise UsageError(f"a budget is a text such as '40*n + 2000' or an integer, not {source!r}")
        if isinstance(source, int):
            if not 0 <= source <= LARGEST_NUMBER:
                raise UsageError(f"a constant budget must be 0 to 10^24, not {_brief(source)}")
            return cls(_canonical([(source, 0, 0)]))
        return cls(_Parser(source).parse())

    def __call__(self, n: int) -> int:
        """The exact value at n, which must be an integer of at least 1. Raises UsageError if that value is negative."""
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise UsageError(f"budget {self}: the size n must be an integer of at least 1, not {n!r}")
        log = (n - 1).bit_length()
        value: int = sum(c * n**i * log**j for c, i, j in self.terms)
        if value < 0:
            raise UsageError(f"budget {self} is {_brief(value)} at n = {_brief(n)}; a budget cannot be negative")
        return value

    @property
    def degree(self) -> int:
        """The highest power of n. A factor log(n) adds nothing to it: it grows slower than any power of n."""
        return max((i for _, i, _ in self.terms), default=0)

    def __add__(self, other: Polynomial | int) -> Polynomial:
        """The sum. Raises UsageError when it would cross this module's bounds."""
        if not isinstance(other, (Polynomial, int)):
            return NotImplemented
        return Polynomial(_canonical((*self.terms, *Polynomial.parse(other).terms)))

    __radd__ = __add__

    def __str__(self) -> str:
        """The canonical text, highest powers first; `Polynomial.parse` reads it back as the same polynomial."""
        text = ""
        for c, i, j in self.terms:
            powers = (("n", i), ("log(n)", j))
            factors = [base if power == 1 else f"{base}^{power}" for base, power in powers if power]
            if abs(c) != 1 or not factors:
                factors.insert(0, str(abs(c)))
            sign = (" - " if c < 0 else " + ") if text else ("-" if c < 0 else "")
            text += sign + "*".join(factors)
        return text or "0"

    def __repr__(self) -> str:
        return f"Polynomial.parse({str(self)!r})"


def _brief(number: int) -> str:
    return str(number) if abs(number) < 10**30 else f"a number of {number.bit_length()} bits"


def _canonical(terms: Iterable[_Term]) -> tuple[_Term, ...]:
    """Like powers added up, zeros dropped, highest first. Raises UsageError beyond the bounds."""
    total: dict[tuple[int, int], int] = {}
    for c, *powers in terms:
        total[powers[0], powers[1]] = total.get((powers[0], powers[1]), 0) + c
    kept = tuple((c, i, j) for (i, j), c in sorted(total.items(), reverse=True) if c)
    for c, i, j in kept:
        if min(i, j) < 0 or i + j > LARGEST_EXPONENT:
            raise UsageError(f"a term has powers that add up to {i + j}; allowed are 0 to {LARGEST_EXPONENT}")
        if abs(c) > LARGEST_NUMBER:
            raise UsageError("a coefficient is larger than 10^24")
    if len(kept) > MOST_TERMS:
        raise UsageError(f"it has {len(kept)} terms when multiplied out; allowed are {MOST_TERMS}")
    return kept


class _Parser:
    """Recursive descent over the tokens of one text; `at` is where the current token starts (0 is the first character)."""

    def __init__(self, text: str) -> None:
        self.text = text
        if len(text) > LONGEST_TEXT:
            self.at = LONGEST_TEXT
            self.fail(f"the text is {len(text)} characters long; allowed are {LONGEST_TEXT}")
        self.depth = 0
        self.end = 0
        self.advance()

    def advance(self) -> None:
        match = _TOKEN.match(self.text, self.end)
        self.token = match.group(1) if match else ""
        self.at = match.start(1) if match else len(self.text)
        self.end = match.end() if match else len(self.text)

    def fail(self, problem: str) -> NoReturn:
        shown = self.text if len(self.text) <= 60 else self.text[:57] + "..."
        raise UsageError(f"budget {shown!r}, position {self.at}: {problem}; {_ALLOWED}")

    def unexpected(self, wanted: str) -> NoReturn:
        token = self.token if len(self.token) <= 20 else self.token[:17] + "..."
        self.fail(f"expected {wanted}, found {repr(token) if token else 'the end'}")

    def parse(self) -> tuple[_Term, ...]:
        terms = self.expression()
        if self.token:
            self.unexpected("an operator or the end")
        return terms

    def expression(self) -> tuple[_Term, ...]:
        negative = self.token == "-"
        if negative:
            self.advance()
        terms = self.times(self.at, ((-1 if negative else 1, 0, 0),), self.product())
        while self.token in ("+", "-"):
            at, sign = self.at, -1 if self.token == "-" else 1
            self.advance()
            right = self.product()
            terms = self.bounded(at, (*terms, *((sign * c, i, j) for c, i, j in right)))
        return terms

    def bounded(self, at: int, terms: Iterable[_Term]) -> tuple[_Term, ...]:
        try:
            return _canonical(terms)
        except UsageError as error:
            self.at = at
            self.fail(str(error))

    def times(self, at: int, left: Iterable[_Term], right: tuple[_Term, ...]) -> tuple[_Term, ...]:
        return self.bounded(at, ((a * b, i + k, j + m) for a, i, j in left for b, k, m in right))

    def product(self) -> tuple[_Term, ...]:
        terms = self.power()
        while self.token == "*":
            at = self.at
            self.advance()
            terms = self.times(at, terms, self.power())
        return terms

    def power(self) -> tuple[_Term, ...]:
        base = self.atom()
        if self.token not in ("^", "**"):
            return base
        at = self.at
        self.advance()
        exponent = self.integer("an exponent", LARGEST_EXPONENT)
        if self.token in ("^", "**"):
            self.fail("a power of a power is ambiguous: write parentheses")
        terms = self.bounded(at, [(1, 0, 0)])
        for _ in range(exponent):
            terms = self.times(at, terms, base)
        return terms

    def integer(self, what: str, largest: int) -> int:
        bound = "10^24" if largest == LARGEST_NUMBER else str(largest)
        digits = self.token.lstrip("0") or "0"
        small = self.token.isascii() and self.token.isdigit() and len(digits) <= len(str(largest))
        if not small or int(digits) > largest:
            self.unexpected(f"{what} (an integer from 0 to {bound})")
        self.advance()
        return int(digits)

    def atom(self) -> tuple[_Term, ...]:
        if self.token[:1].isdigit():
            value = self.integer("a number", LARGEST_NUMBER)
            return ((value, 0, 0),) if value else ()
        if self.token == "n":
            self.advance()
            return ((1, 1, 0),)
        if self.token == "log":
            self.advance()
            for part in "(n)":
                if self.token != part:
                    self.unexpected(f"{part!r}, as in log(n)")
                self.advance()
            return ((1, 0, 1),)
        if self.token == "(":
            if self.depth == DEEPEST_NESTING:
                self.fail(f"parentheses are nested more than {DEEPEST_NESTING} deep")
            self.depth += 1
            self.advance()
            inner = self.expression()
            if self.token != ")":
                self.unexpected("')'")
            self.depth -= 1
            self.advance()
            return inner
        self.unexpected("an integer, n, log(n) or '('")
