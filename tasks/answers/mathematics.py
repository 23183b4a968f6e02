"""The checker "math": whether two written answers are the same number, tuple or expression, exactly.
Rule: texts are parsed by the grammar below and never evaluated as Python; numbers are fractions, so that 0.1 + 0.2 is 0.3.

What is stripped follows the normalisation that the MATH data set is graded with (Hendrycks et al. 2021, arXiv 2103.03874, their
`math_equivalence.py`): the last \\boxed{…}, dollar signs, \\left and \\right, spacing, units in \\text{…}, degrees and percent
signs, and a letter with "=" in front. What is read goes further: arithmetic, \\frac, mixed numbers, powers, roots, tuples.
"""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from math import comb, isfinite, isqrt
from typing import Any

from moot.protocols.engine.errors import UsageError

LONGEST = 2000
"""Characters of an answer that is read; a longer one is no answer."""
_BITS = 4096  # of the numbers on the way
_DEEPEST = 60
_TOKENS = 200
_TERMS, _DEGREE, _WIDEST = (
    100,
    100,
    300,
)  # of what sympy is given: terms and degree, were it expanded, and bits of a number
Tree = tuple[Any, ...]


class _Unread(Exception):
    """A text that the grammar does not have."""


def equal(answer: str, right: Any) -> bool:
    """Whether an answer equals the right one, a text or a number.

    Numbers are compared as fractions, tuples, lists and sets in order, entry by entry; what has letters or roots as expressions, by
    sympy. A percent sign and a degree are units: 50% is 50. Where the answer cannot be read, it is equal if it is the same text. Raises UsageError
    where sympy is needed and missing, and on a right answer that is neither text nor number, shows nothing, or is longer than is read.
    """
    if (
        isinstance(right, bool)
        or not isinstance(right, int | float | str)
        or not isfinite(right if isinstance(right, float) else 0)
    ):
        raise UsageError(f'the checker "math" takes a text or a number as the right answer, not {right!r:.80}')
    one, other = stripped(answer), stripped(right if isinstance(right, str) else _plain(right))
    if not other:
        raise UsageError(
            f'the checker "math" cannot read the right answer {right!r:.80}: it says nothing, or is over {LONGEST} characters'
        )
    if one == other:
        return True
    try:
        return _same(parsed(one), parsed(other))
    except _Unread:
        return False


def _plain(number: int | float) -> str:
    return f"{Decimal(repr(number)):f}" if isinstance(number, float) else str(number)  # 1e-07 is no text of the grammar


_TEXT = re.compile(r"\\(?:text|mathrm|mbox|textbf)\s*\{([^{}]*)\}")
_GONE = re.compile(
    r"\\left|\\right|\\[,;: ]|\\displaystyle|\^\s*(?:\{\s*)?\\circ\s*\}?|\\circ|°|\\?%|\\?\$|~|\\\(|\\\)|\\\[|\\\]"
)
_THOUSANDS = re.compile(r"(?<![\d.,])[1-9]\d{0,2}(?:(?:,|\{,\})\d{3})+(?!\d)|(\\[{}]|[()\[\]])")


def stripped(text: str) -> str:
    """What stands in the last \\boxed{…}, or else all of it, without what says nothing of the value. Words in \\text{…} are a unit,
    unless nothing stands beside them."""
    text = text[: LONGEST + 1] if "boxed" not in text else _boxed(text)
    if len(text) > LONGEST:
        return ""
    text = re.sub(
        r"\\[dt]frac", r"\\frac", text.replace("−", "-").replace("\u00d7", "*").replace("·", "*").replace("π", r"\pi")
    ).replace(r"\!", "")
    return _tidy(_TEXT.sub(" ", text)) or _tidy(_TEXT.sub(r"\1", text))


def _tidy(text: str) -> str:
    text = _joined(_GONE.sub(" ", text))
    text = re.sub(r"^\s*[A-Za-z]\s*=(?!=)", "", text).strip()
    return " ".join(text.rstrip(".").split())


def _joined(text: str) -> str:
    """Numbers without the commas of their thousands; in brackets a plain comma stands between entries: (3,100) are two."""
    depth = 0

    def part(found: re.Match[str]) -> str:
        nonlocal depth
        if sign := found[1]:
            depth += 1 if sign[-1] in "([{" else -1
            return sign
        return found[0] if depth > 0 and "{" not in found[0] else re.sub(r"[,{}]", "", found[0])

    return _THOUSANDS.sub(part, text)


def _boxed(text: str) -> str:
    """What the last box holds; the whole text where it is not closed."""
    start = text.rfind("\\boxed")
    if start < 0 or (opening := text.find("{", start)) < 0:
        return text
    depth = 0
    for place in range(opening, len(text)):
        depth += (text[place] == "{") - (text[place] == "}")
        if not depth:
            return text[opening + 1 : place]
    return text


_TOKEN = re.compile(
    r"\s*(?:(\d+\.\d*|\.\d+|\d+)|\\(frac|sqrt|cdot|times|div|pi|infty)(?![a-z])|([A-Za-z])|(\*\*|[-+*/^()\[\]{},]|\\[{}]))"
)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{4,}")  # no product of letters
_CLOSING = {"(": ")", "[": "]", "{": "}", "\\{": "\\}"}


def parsed(text: str) -> Tree:
    """A text as a tree. Raises _Unread."""
    tokens, place = list[tuple[str, str]](), 0
    if _WORD.search(text):
        raise _Unread
    while place < len(text):
        if len(tokens) == _TOKENS or (found := _TOKEN.match(text, place)) is None:
            raise _Unread
        number, word, letter, sign = found.groups()
        kind, value = (
            ("number", number)
            if number
            else ("word", word)
            if word
            else ("letter", letter)
            if letter
            else ("sign", sign)
        )
        tokens.append((kind, {"cdot": "*", "times": "*", "div": "/", "**": "^"}.get(value, value)))
        place = found.end()
    reader = _Parser([("sign", value) if value in "*/^" else (kind, value) for kind, value in tokens])
    tree = reader.entries("")
    if reader.place < len(tokens):
        raise _Unread
    return tree


class _Parser:
    """Recursive descent: entries, sums, products (a sign may be left out before a letter, a word or a bracket), powers."""

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0

    def next(self) -> tuple[str, str]:
        return self.tokens[self.place] if self.place < len(self.tokens) else ("end", "")

    def take(self, sign: str) -> bool:
        found = self.next() == ("sign", sign)
        self.place += found
        return found

    def entries(self, bracket: str) -> Tree:
        """One value, or several with commas between them: a tuple, in which kind of bracket."""
        found = [self.sum()]
        while self.take(","):
            found.append(self.sum())
        return found[0] if len(found) == 1 and bracket in ("", "(", "{") else ("tuple", bracket, *found)

    def sum(self) -> Tree:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise _Unread
        tree = self.product()
        while (sign := self.next()[1]) in ("+", "-") and self.next()[0] == "sign":
            self.place += 1
            tree = (sign, tree, self.product())
        self.depth -= 1
        return tree

    def product(self) -> Tree:
        minus = False
        while self.next() in (("sign", "-"), ("sign", "+")):
            minus ^= self.next()[1] == "-"
            self.place += 1
        tree = self.power()
        while True:
            kind, value = self.next()
            if kind == "sign" and value in "*/":
                self.place += 1
                tree = (value, tree, self.power(signed=True))
            elif tree[0] == "whole" and (kind, value) == ("number", value) and self._fraction_follows():
                tree = ("+", tree, self._written_fraction())  # 1 1/2
            elif tree[0] == "whole" and (kind, value) == ("word", "frac"):
                part = self.power()
                mixed = part[0] == "/" and all(each[0] in ("whole", "number") for each in part[1:])
                tree = ("+" if mixed else "*", tree, part)  # 1\frac12, and a product in 2\frac{\pi}{3}
            elif kind in ("letter", "word") or (kind == "sign" and value == "("):
                tree = ("*", tree, self.power())
            else:
                return ("-", ("whole", Fraction(0)), tree) if minus else tree

    def _fraction_follows(self) -> bool:
        kinds = [kind for kind, _ in self.tokens[self.place : self.place + 3]]
        return kinds == ["number", "sign", "number"] and self.tokens[self.place + 1][1] == "/"

    def _written_fraction(self) -> Tree:
        above, _, below = (value for _, value in self.tokens[self.place : self.place + 3])
        self.place += 3
        return ("/", ("number", Fraction(above)), ("number", Fraction(below)))

    def power(self, signed: bool = False) -> Tree:
        if signed and self.take("-"):
            return ("-", ("whole", Fraction(0)), self.power())
        base = self.atom()
        if self.take("^"):
            exponent = ("-", ("whole", Fraction(0)), self.atom()) if self.take("-") else self.atom()
            return ("^", base, exponent)
        return base

    def atom(self) -> Tree:
        kind, value = self.next()
        self.place += 1
        if kind == "number":
            return ("whole" if value.isdigit() else "number", Fraction(value))
        if kind == "letter" or value in ("pi", "infty"):
            return ("letter", value)
        if value == "frac":
            return ("/", self._argument(), self._argument())
        if value == "sqrt":
            if self.take("["):
                raise _Unread
            return ("sqrt", self._argument())
        if kind == "sign" and value in _CLOSING:
            inside = self.entries(value)
            if not self.take(_CLOSING[value]):
                raise _Unread
            return ("number", inside[1]) if inside[0] == "whole" else inside
        raise _Unread

    def _argument(self) -> Tree:
        """What \\frac and \\sqrt take: a group, or one digit of a number."""
        kind, value = self.next()
        if kind == "number" and len(value) > 1 and value.isdigit():
            self.tokens[self.place] = (kind, value[1:])
            return ("number", Fraction(value[0]))
        return self.atom()


def _same(one: Tree, other: Tree) -> bool:
    if "tuple" in (one[0], other[0]):
        kinds = one[:2] == other[:2] and len(one) == len(other)
        return kinds and all(_same(a, b) for a, b in zip(one[2:], other[2:], strict=True))
    first, second = value_of(one), value_of(other)
    if first is not None and second is not None:
        return first == second
    if one == other:
        return True
    return letters_of(one) == letters_of(other) and _symbolic(one, other)


def letters_of(tree: Tree) -> frozenset[str]:
    """The letters in a tree: answers in other letters are not the same."""
    if tree[0] == "letter":
        return frozenset(tree[1:]) - {"pi", "infty"}
    return frozenset().union(*(letters_of(part) for part in tree[1:] if isinstance(part, tuple)))


def value_of(tree: Tree) -> Fraction | None:
    """The number that a tree comes to; None where it is no fraction. Raises _Unread where it is none at all."""
    kind, *parts = tree
    if kind in ("whole", "number"):
        return parts[0]  # type: ignore[no-any-return]
    if kind in ("letter", "tuple"):
        return None
    values = [value_of(part) for part in parts]
    if any(value is None for value in values):
        return None
    found = _computed(kind, *values)
    if found is not None and max(found.numerator.bit_length(), found.denominator.bit_length()) > _BITS:
        raise _Unread
    return found


def _computed(kind: str, one: Any, other: Any = None) -> Fraction | None:
    if kind == "sqrt":
        if one < 0:
            raise _Unread
        roots = isqrt(one.numerator), isqrt(one.denominator)
        return Fraction(*roots) if roots[0] ** 2 == one.numerator and roots[1] ** 2 == one.denominator else None
    if kind == "/" and other == 0:
        raise _Unread
    if kind == "^":
        if other.denominator != 1:
            return None
        if (one == 0 and other < 0) or abs(other) * max(
            one.numerator.bit_length(), one.denominator.bit_length()
        ) > _BITS:
            raise _Unread
        return Fraction(one ** int(other))
    found: dict[str, Fraction] = {"+": one + other, "-": one - other, "*": one * other}
    return one / other if kind == "/" else found[kind]


def _symbolic(one: Tree, other: Tree) -> bool:
    """By sympy, where letters or roots are left. Raises _Unread on what would be long to expand, or to factor."""
    _sized(one), _sized(other)
    if find_spec("sympy") is None:
        raise UsageError("to compare answers with letters or roots needs sympy: pip install 'moot[math]'")
    import sympy

    difference = _expression(one, sympy) - _expression(other, sympy)
    return bool(difference == 0 or sympy.expand(difference) == 0 or sympy.simplify(difference) == 0)


def _sized(tree: Tree) -> tuple[int, int]:
    """The most terms that a tree has once it is expanded, and their degree. Raises _Unread where that is too much."""
    kind, *parts = tree
    if kind in ("whole", "number"):
        if max(parts[0].numerator.bit_length(), parts[0].denominator.bit_length()) > _WIDEST:
            raise _Unread
        return 1, 1
    if kind == "letter" and parts[0] != "infty":
        return 1, 1
    if kind in ("letter", "tuple"):  # there is no reckoning with infinity
        raise _Unread
    sizes = [_sized(part) for part in parts]
    (terms, degree), (others, more) = sizes[0], sizes[-1]
    if kind in "+-":
        terms, degree = terms + others, max(degree, more)
    elif kind in "*/":
        terms, degree = terms * others, degree + more
    elif kind == "^":
        most = max(1, -(-(height := _height(parts[1])).numerator // height.denominator))
        terms, degree = comb(most + terms - 1, most), degree * more * most
    if terms > _TERMS or degree > _DEGREE:
        raise _Unread
    return terms, degree


def _height(tree: Tree) -> Fraction:
    """The most that the numbers of an exponent come to, whatever their signs; a letter counts as 1. Raises _Unread on what is too much."""
    kind, *parts = tree
    if (value := value_of(tree)) is not None:
        found = abs(value)
    elif kind == "letter":
        found = Fraction(4 if parts[0] == "pi" else 1)
    else:
        one, other = _height(parts[0]), _height(parts[-1])
        if kind == "^" and (value_of(parts[1]) is None or other > _DEGREE):  # powers in powers of powers
            raise _Unread
        if kind == "^":
            found = Fraction(one ** -(-other.numerator // other.denominator))
        else:
            found = one if kind == "sqrt" else one + other if kind in "+-" else one * max(other, Fraction(1))
    if found > _DEGREE or found.denominator > _DEGREE**2:
        raise _Unread
    return found


def _expression(tree: Tree, sympy: Any) -> Any:
    kind, *parts = tree
    if kind in ("whole", "number"):
        return sympy.Rational(parts[0].numerator, parts[0].denominator)
    if kind == "letter":
        return {"pi": sympy.pi, "infty": sympy.oo}.get(parts[0]) or sympy.Symbol(parts[0], positive=True)
    if kind == "tuple":
        raise _Unread
    values = [_expression(part, sympy) for part in parts]
    if kind == "sqrt":
        return sympy.sqrt(values[0])
    if kind == "^":
        if values[1].is_number and abs(values[1]) > 50:
            raise _Unread
        return values[0] ** values[1]
    if kind == "/" and values[1] == 0:
        raise _Unread
    return {"+": lambda a, b: a + b, "-": lambda a, b: a - b, "*": lambda a, b: a * b, "/": lambda a, b: a / b}[kind](
        *values
    )
