"""Tools that moot brings: a search in the passage, and a calculator.

Rule of this file: functions of their arguments, each bounded in time and size whatever it is given.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable
from typing import Any

from moot.agents.tools.tool import tool
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.request import Request
from moot.protocols.engine.values.looking import places

AROUND = 80
"""Characters shown on either side of what a search finds."""
LONGEST = 1000  # characters of an expression
BITS = 4000  # of a whole number, which has some 1200 digits then

_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod, ast.Pow: operator.pow,
}  # fmt: skip
_UNARY: dict[type[ast.unaryop], Callable[[Any], Any]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}
_NAMED: dict[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max, "sqrt": math.sqrt}


@tool(again=True)
def search(request: Request, text: str) -> list[dict[str, int | str]]:
    """Finds a text in the passage, by letters of either case: the place of each, counted in characters, and what stands around it."""
    view = request.view
    if not view.has_excerpts:
        raise Illegal("there is no passage here to search")
    whole = view.question.passage if view.source == "all" else None
    found = view.find(text, AROUND) if whole is None else places(whole, text, AROUND)
    return [{"at": at, "text": shown} for at, shown in found]


@tool
def calculator(expression: str) -> int | float:
    """Works out arithmetic: numbers, + - * / // % **, brackets, abs, min, max and sqrt."""
    if len(expression) > LONGEST:
        raise ValueError(f"the expression has {len(expression):,} characters; {LONGEST} are the most")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise ValueError("that is no arithmetic expression") from None
    return _value(tree.body)


def _value(node: ast.expr) -> int | float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return _bounded(number)
        case ast.BinOp(left, op, right) if type(op) in _BINARY:
            one, two = _value(left), _value(right)
            if isinstance(op, ast.Pow) and isinstance(one, int) and isinstance(two, int):
                if abs(two) * max(1, one.bit_length()) > BITS:
                    raise ValueError(f"{_short(one)} ** {_short(two)} is too large, or too small")
            return _bounded(_BINARY[type(op)](one, two))
        case ast.UnaryOp(op, operand) if type(op) in _UNARY:
            return _bounded(_UNARY[type(op)](_value(operand)))
        case ast.Call(ast.Name(name), args, []) if name in _NAMED and args:
            return _bounded(_NAMED[name](*map(_value, args)))
    raise ValueError(f"{ast.unparse(node)[:80]!r} is none of numbers, + - * / // % **, brackets, {', '.join(_NAMED)}")


def _bounded(number: Any) -> int | float:
    if isinstance(number, int) and number.bit_length() > BITS:
        raise ValueError("a number there is too large")
    if not isinstance(number, (int, float)):
        raise ValueError("that is no real number")
    return number


def _short(number: int) -> str:
    return str(number) if number.bit_length() < 64 else "a number of many digits"
