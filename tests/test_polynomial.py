"""Polynomials: the text is the polynomial, values are exact, and nothing outside the grammar gets in."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.complexity.polynomial import LONGEST_TEXT, MOST_TERMS, Polynomial
from moot.protocols.engine.errors import UsageError

Value = Callable[[int], int]
sizes = st.integers(1, 10**9)


@st.composite
def expressions(draw: st.DrawFn, depth: int = 3) -> tuple[str, Value]:
    """A text of the grammar and, beside it, a Python function that computes the same thing on its own."""
    kind = draw(st.sampled_from(["number", "n", "log"] if depth == 0 else ["number", "n", "log", "+", "-", "*", "^"]))
    if kind == "number":
        value = draw(st.integers(0, 99))
        return str(value), lambda n: value
    if kind == "n":
        return "n", lambda n: n
    if kind == "log":
        return "log( n )", lambda n: _ceil_log2(n)
    left, f = draw(expressions(depth=depth - 1))
    if kind == "^":
        power = draw(st.integers(0, 2))
        return f"({left}){draw(st.sampled_from(['^', '**']))}{power}", lambda n: int(f(n) ** power)
    right, g = draw(expressions(depth=depth - 1))
    space = draw(st.sampled_from(["", " ", "\t"]))
    operations: dict[str, Value] = {"+": lambda n: f(n) + g(n), "-": lambda n: f(n) - g(n), "*": lambda n: f(n) * g(n)}
    return f"({left}){space}{kind}{space}({right})", operations[kind]


def _ceil_log2(n: int) -> int:
    bits = 0
    while 2**bits < n:
        bits += 1
    return bits


def value(p: Polynomial, n: int) -> int:
    """The value even where it is negative."""
    return sum(int(c * n**i * _ceil_log2(n) ** j) for c, i, j in p.terms)


@given(expressions(), sizes)
def test_value_is_that_of_the_expression(expression: tuple[str, Value], n: int) -> None:
    text, function = expression
    expected = function(n)
    p = Polynomial.parse(text)
    if expected < 0:
        with pytest.raises(UsageError, match="cannot be negative"):
            p(n)
    else:
        assert p(n) == expected


@given(expressions())
def test_text_and_polynomial_are_the_same_thing(expression: tuple[str, Value]) -> None:
    p = Polynomial.parse(expression[0])
    again = Polynomial.parse(str(p))
    assert again == p and hash(again) == hash(p) and str(again) == str(p)
    assert pickle.loads(pickle.dumps(p)) == p == eval(repr(p), {"Polynomial": Polynomial})


@given(expressions(), expressions(), sizes)
def test_sum(left: tuple[str, Value], right: tuple[str, Value], n: int) -> None:
    p, q = Polynomial.parse(left[0]), Polynomial.parse(right[0])
    assert value(p + q, n) == value(p, n) + value(q, n)
    assert p + q == q + p
    assert p + 3 == 3 + p == p + Polynomial.parse(3)


@given(st.text(alphabet="n0123456789+-*^() log._", max_size=30) | st.text(max_size=30))
def test_any_text_is_a_polynomial_or_a_usage_error(text: str) -> None:
    try:
        p = Polynomial.parse(text)
    except UsageError as error:
        assert "position" in str(error) and "allowed are" in str(error)
    else:
        assert Polynomial.parse(str(p)) == p


@pytest.mark.parametrize(
    ("text", "canonical", "degree", "at_10"),
    [
        ("40*n + 2000", "40*n + 2000", 1, 2400),
        ("n^2", "n^2", 2, 100),
        ("(n + 1)**2", "n^2 + 2*n + 1", 2, 121),
        ("4*log(n)+4", "4*log(n) + 4", 0, 20),
        ("n*log(n)^2 - n", "n*log(n)^2 - n", 1, 150),
        ("2 - n + n^2", "n^2 - n + 2", 2, 92),
        ("-n^2 + 200", "-n^2 + 200", 2, 100),
        ("0", "0", 0, 0),
        ("n - n", "0", 0, 0),
        ("0^0", "1", 0, 1),
        ("007", "7", 0, 7),
        (2000, "2000", 0, 2000),
    ],
)
def test_examples(text: str | int, canonical: str, degree: int, at_10: int) -> None:
    p = Polynomial.parse(text)
    assert (str(p), p.degree, p(10)) == (canonical, degree, at_10)


@pytest.mark.parametrize(
    ("n", "log"), [(1, 0), (2, 1), (3, 2), (4, 2), (5, 3), (1024, 10), (1025, 11), (2**200 + 1, 201)]
)
def test_log_is_exact(n: int, log: int) -> None:
    assert Polynomial.parse("log(n)")(n) == log


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("n**n", 3),
        ("2^n", 2),
        ("__import__('os').system('true')", 0),
        ("1.5*n", 1),
        ("1e3", 1),
        ("2n", 1),
        ("n^-1", 2),
        ("n^2^3", 3),
        ("n^17", 2),
        ("n^99999999999999999999", 2),
        ("(n^9)^2", 5),
        ("n^9*n^9", 3),
        ("9" * 5000, LONGEST_TEXT),
        ("9" * 26, 0),
        ("(10^16)^2", 7),
        ("10^16*10^16", 5),
        ("n" + "+n" * 4000, LONGEST_TEXT),
        ("(" * 41 + "n" + ")" * 41, 40),
        ("(n + log(n) + 1)^9", 16),
        ("", 0),
        ("n +", 3),
        ("(n", 2),
        ("n)", 1),
        ("log(2)", 4),
        ("log n", 4),
        ("N", 0),
        ("n²", 1),
        ("٣*n", 0),
        ("n / 2", 2),
        ("lambda: 0", 0),
        ("n\x00", 1),
    ],
)
def test_refused_with_position(text: str, position: int) -> None:
    with pytest.raises(UsageError, match=rf"position {position}: .*allowed are integers, n, log\(n\)") as caught:
        Polynomial.parse(text)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("source", [-1, 10**25, True, 1.5, None])
def test_other_sources_are_refused(source: object) -> None:
    with pytest.raises(UsageError):
        Polynomial.parse(source)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, -3, True, 2.0])
def test_sizes_below_one_are_refused(n: int) -> None:
    with pytest.raises(UsageError, match="at least 1"):
        Polynomial.parse("n")(n)


def test_terms_out_of_form_are_refused() -> None:
    for terms in [((1, 0, 0), (1, 1, 0)), ((0, 1, 0),), ((1, 1, 0), (1, 1, 0)), ((1, -1, 0),)]:
        with pytest.raises(UsageError):
            Polynomial(terms)
    assert MOST_TERMS * 45 < LONGEST_TEXT, "the canonical text of any polynomial can be read again"
