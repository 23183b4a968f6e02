"""Checkers of free answers: each against what must be right, what must be wrong, and what tries to get by."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.tasks.answers import mathematics
from moot.tasks.answers.checkers import grade_of
from moot.tasks.answers.code import passes

FRACTION = st.builds(Fraction, st.integers(-9999, 9999), st.integers(1, 999))


@given(FRACTION)
def test_a_number_is_the_same_however_it_is_written(value: Fraction) -> None:
    a, b = value.numerator, value.denominator
    sign, rest = ("-" if a < 0 else ""), abs(a)
    forms = [
        f"{a}/{b}", rf"\frac{{{a}}}{{{b}}}", rf"$\boxed{{\dfrac{{{a}}}{{{b}}}}}$", rf"x = {a} / {b}.", rf"\left({a} \div {b}\right)",
        rf"{sign}{rest // b}\frac{{{rest % b}}}{{{b}}}", rf"{a}/{b} \text{{ km}}", f"2*{a}/(2*{b})", f"{a}/{b} + 1 - 1", f"{sign}{rest // b} {rest % b}/{b}",
    ]  # fmt: skip
    for form in forms:
        assert mathematics.equal(form, forms[0]) and mathematics.equal(forms[0], form), form
        assert not mathematics.equal(form, f"{a + 1}/{b}"), form


@given(st.integers(0, 10**12), st.integers(0, 6))
def test_decimals_and_thousands(number: int, places: int) -> None:
    plain = f"{number // 10**places}.{number % 10**places:0{places}d}" if places else str(number)
    assert mathematics.equal(plain, f"{number}/{10**places}")
    assert mathematics.equal(f"{number:,}", str(number)) and mathematics.equal(
        f"{number:,}".replace(",", "{,}"), number
    )


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.1 + 0.2", "0.3", True), (r"\frac12", "0.5", True), (r"2^{10}", "1024", True), (r"\sqrt{49}", "7", True), (r"50\%", "50", True),
        ("(1, 2)", "(1,2)", True), ("(1, 2)", "(2, 1)", False), ("(1, 2)", "[1, 2]", False), ("[1,2]", "[1, 2.0]", True), (r"45^\circ", "45", True), ("42", "42.0001", False),
        ("forty-two", "42", False), ("", "42", False), (r"\text{42 km}", "42", False),
        ("100", "(0,100)", False), ("3100", "(3,100)", False), ("-3100", "(-3, 100)", False), ("1200", r"\{1,200\}", False), ("100", "0,100", False),
        ("(1{,}200, 7)", "(1200, 7)", True), ("5000", r"5,\!000", True), ("-1,000,000", -1e6, True),
        (r"\text{east}", r"\text{east}", True), ("east", r"\text{east}", True), (r"\text{west}", r"\text{east}", False), ("C", r"\text{(C)}", True),
        ("0.0000001", 1e-7, True), ("0", 1e-7, False), ("25/1000000", 2.5e-5, True), (str(10**30), 1e30, True), ("I think 42", "42", False), ("1/0", "42", False), ("--2", "2", True), ("2 3", "6", False),
        (r"so \boxed{1} or \boxed{2}", "2", True), (r"so \boxed{1} or \boxed{2}", "1", False), (r"\boxed{42", "42", False), ("1e3", "1000", False),
        ("__import__('os').system('true')", "0", False), ("x", "x", True), ("-7", "7", False), ("3 - 10", "-7", True), ("2(3+4)", "14", True), ("2^-1", "1/2", True),
        ("1 1/2", "3/2", True), ("−5", "-5", True), ("0^{-1}", "0", False), (r"\pi", "π", True), (12.0, 12, True), ("(((7)))", "7", True),
    ],
)  # fmt: skip
def test_equal_and_not(one: Any, other: Any, same: bool) -> None:
    assert mathematics.equal(str(one), other) is same


@pytest.mark.parametrize(
    "hostile",
    ["9^9^9^9", "9^(9^9)", "2^99999999", "(" * 5000, "-" * 1999 + "1", "1" * 10**6, "\\boxed{" * 200, "9*" * 900 + "9", "((9^999)^999)^999", "\ud800", "1," * 900,
     r"(((1+\sqrt{2})^{50})^{50})^{50}", "*".join(rf"(1+\sqrt{{{n}}})" for n in (2, 3, 5, 7, 11, 13, 17, 19)), r"\sqrt{" + "9" * 1900 + "}", r"7^{\frac{1}{" + "9" * 1900 + "}}",
     r"(\sqrt{2}+\pi+1)^{50}", r"9^{9^{9^{9^{\pi}}}}"],
)  # fmt: skip
def test_nothing_that_is_written_takes_long(hostile: str) -> None:
    assert mathematics.equal(hostile, "41") is False


@given(st.text(r"0123456789.,+-*/^(){}[]\fracsqtxboed $%=", max_size=40), st.sampled_from(["42", "1/2", "(1, 2)"]))
def test_any_text_gets_an_answer(text: str, right: str) -> None:
    try:
        assert mathematics.equal(text, right) in (True, False)
    except moot.UsageError as error:
        assert "sympy" in str(error)
    assert mathematics.equal(right, right)


def test_expressions_need_sympy_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mathematics, "find_spec", lambda name: None)
    with pytest.raises(moot.UsageError, match=r"needs sympy: pip install 'moot\[math\]'"):
        mathematics.equal("x + 1", "1 + x")
    assert mathematics.equal("x+1", "x + 1") and not mathematics.equal("7", "8")


def test_expressions_by_sympy() -> None:
    pytest.importorskip("sympy")
    for one, other, same in (
        ("x + 1", "1 + x", True), (r"\frac{\sqrt{3}}{3}", r"\frac{1}{\sqrt{3}}", True), ("(x+1)^2", "x^2 + 2x + 1", True), ("2x", "x", False),
        (r"2\pi r", r"\pi r * 2", True), (r"3\frac{\sqrt{2}}{2}", r"\frac{3}{\sqrt{2}}", True), (r"2 + \frac{\pi}{3}", r"2\frac{\pi}{3}", False), (r"e^{-x^2}", r"\frac{1}{e^{x^2}}", True),
        ("(((x+1)^{50})^{50})^{50}", "x", False), ("((x+y+z)^{50})^{50}", "x+y+z", False), (r"\sqrt{2}", "1.41421356", False), ("x^999", "x", False), ("x", "7", False),
    ):  # fmt: skip
        assert mathematics.equal(one, other) is same, (one, other)


@pytest.mark.parametrize(
    ("answer", "right", "grade"),
    [
        (" a  storm\n", "a storm", 1), ("A storm", "a storm", 0), ("e\u0301", "\u00e9", 1), ("b", ["a", "b"], 1), ("c", ["a", "b"], 0), ("42.0", 42, 1), ("x", 42, 0),
        ("NaN", 42, 0), ("1/2", 0.5, 0), ("0.1", 0.1, 1),
    ],
)  # fmt: skip
def test_exact(answer: str, right: Any, grade: float) -> None:
    assert grade_of(answer, right) == grade


@pytest.mark.parametrize(
    ("right", "checker", "allow", "message"),
    [
        ("", "math", (), "cannot read the right answer"), (" $ ", "math", (), "says nothing"), ("1" * 2001, "math", (), "over 2000"), (float("inf"), "math", (), "takes a text or a number"),
        ({}, "exact", (), "takes a text, a number or a list"), ([], "exact", (), "the list is empty"), (True, "math", (), "takes a text or a number"),
        ("1", "maths", (), "no checker 'maths'; did you mean|there is no checker"), ("1", "code", (), r"runs the answer as a program.*allow=\['code'\]"),
        ("1", "os:system", (), "would be imported and called"), ("1", "os:system", ("code",), "would be imported"), ("1", "os:path", ("os:path",), "cannot be called"),
        ("1", "nowhere:f", ("nowhere:f",), "no module"), ("1", "json:loads", ("json:loads",), "failed|returned"), ("1", "code", "code", "give a list of names"),
        ("(", "code", ("code",), "tests that are no Python"), ({"tests": "1", "second": 1}, "code", ("code",), "takes tests as a text"), ({"tests": "1", "seconds": float("inf")}, "code", ("code",), "takes tests"),
    ],
)  # fmt: skip
def test_what_cannot_be_graded_is_said_and_is_no_zero(right: Any, checker: str, allow: Any, message: str) -> None:
    with pytest.raises(moot.UsageError, match=message):
        grade_of("answer", right, checker, allow=allow)


def half(answer: str, right: Any) -> float:
    return 0.5 if answer == right else 7


def test_a_checker_of_ones_own() -> None:
    place = f"{__name__}:half"
    assert grade_of("a", "a", place, allow=[place]) == 0.5
    with pytest.raises(moot.UsageError, match="returned 7; a grade is a number from 0 to 1"):
        grade_of("a", "b", place, allow=[place])


TESTS = "assert double(4) == 8\nassert double(-1) == -2"


@pytest.mark.parametrize(
    ("answer", "right", "passed"),
    [
        ("def double(x):\n    return 2 * x", TESTS, True), ("```python\ndef double(x):\n    return x + x\n```", TESTS, True),
        ("def double(x):\n    return x * x", TESTS, False), ("def double(x:", TESTS, False), ("import os\nos._exit(0)", TESTS, False), ("raise SystemExit(0)", TESTS, False),
        ("while True: pass", {"tests": TESTS, "seconds": 0.3}, False), ("x = [0] * 10**9", {"tests": "1", "megabytes": 200}, False),
        ("print('0' * 10**5)", "1", True), ("import socket\nsocket.create_connection(('127.0.0.1', 9))", "1", False), ("import socket\ntry:\n    socket.socket()\nexcept PermissionError:\n    ok = 1", "assert ok", True),
        *((f"import builtins, os, __main__\n{cheat}", TESTS, False) for cheat in (
            "builtins.exec = lambda *a: None", "one = builtins.compile\nbuiltins.compile = lambda *a: one('1', *a[1:])", "os.write(__main__.out, __main__.given['passed'].encode())\nos._exit(0)",
        )),
        ("import os\nos.system('true')", "1", False), ("import os\nassert 'HOME' not in os.environ", "1", True),
    ],
)  # fmt: skip
def test_code(answer: str, right: Any, passed: bool) -> None:
    assert passes(answer, right) is passed


def test_code_runs_in_another_process() -> None:
    sys.modules.pop("marked_by_an_answer", None)
    assert grade_of("import sys\nsys.modules['marked_by_an_answer'] = sys", "1", "code", allow=["code"]) == 1
    assert "marked_by_an_answer" not in sys.modules
