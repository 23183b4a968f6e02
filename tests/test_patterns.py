"""Every regular expression of the product takes time in proportion to the text, whatever the text.

Texts that attack a pattern are made from the pattern itself: what leads to a repetition, once or many times, what it repeats,
and an end that fits nothing.
"""

from __future__ import annotations

import ast
import re
import time
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import moot

_parser: Any = import_module("re._parser")  # private, and the only parser of patterns that there is
_compiler: Any = import_module("re._compiler")
_names: Any = import_module("re._constants")
REPEATS = (_names.MAX_REPEAT, _names.MIN_REPEAT, _names.POSSESSIVE_REPEAT)
TRIED = 'a1 A\n\t.,"<>[](){}/\\-_=:;&*?|$^#%\x00é0xZ\u4e00'
SHORT, TIMES = 200, (4, 16)  # what is cubic shows at 4 times the length, and would take for ever at 16


def product_files() -> list[Path]:
    root = Path(moot.__file__).parent
    tops = [path.resolve() for path in sorted(root.iterdir()) if path.is_dir()]
    return [path for top in [root, *tops] for path in sorted(top.glob("*.py") if top == root else top.rglob("*.py"))]


class Found(NamedTuple):
    where: str
    text: str
    flags: int
    searched: bool
    """Whether it may begin anywhere in a text."""


def patterns() -> Iterator[Found]:
    """All patterns that are written out, with what f-strings have in them as a word."""
    for path in product_files():
        source = path.read_text("utf-8")
        tree = ast.parse(source)
        names = {
            id(node.value): ast.unparse(node.targets[0]) for node in ast.walk(tree) if isinstance(node, ast.Assign)
        }
        for node in ast.walk(tree):
            called = node.func if isinstance(node, ast.Call) else None
            named = isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name) and called.value.id == "re"
            if not (named and isinstance(node, ast.Call) and node.args) or called.attr in ("escape", "error"):  # type: ignore[union-attr]
                continue
            flags = 0
            for each in ast.walk(node):
                if isinstance(each, ast.Attribute) and each.attr.isupper():
                    flags |= int(getattr(re, each.attr, 0))
            if (text := written(node.args[0])) is not None:
                how = {called.attr}  # type: ignore[union-attr]
                if "compile" in how:
                    how = set(re.findall(rf"\b{re.escape(names.get(id(node), '?'))}\.(\w+)\(", source)) or {"search"}
                where = f"{path.parent.name}/{path.name}:{node.lineno}"
                yield Found(where, text, flags, not how <= {"match", "fullmatch"})


def written(node: ast.expr) -> str | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        parts = [str(each.value) if isinstance(each, ast.Constant) else "a" for each in node.values]
        return "".join(parts)
    return None


def sample(items: Any, state: Any) -> str:
    """A short text that these parts of a pattern fit."""
    found = ""
    for op, arg in items:
        if op in REPEATS:
            found += sample(arg[2], state) * min(arg[0], 4)
        elif op is _names.SUBPATTERN:
            found += sample(arg[3], state)
        elif op is _names.ATOMIC_GROUP:
            found += sample(arg, state)
        elif op is _names.BRANCH:
            found += sample(arg[1][0], state)
        elif op is _names.LITERAL:
            found += chr(arg)
        elif op in (_names.IN, _names.ANY, _names.NOT_LITERAL):
            one = _compiler.compile(_parser.SubPattern(state, [(op, arg)]), state.flags)
            given = [chr(first[1][0] if first[0] is _names.RANGE else first[1]) for first in (arg if op is _names.IN else ())
                     if first[0] in (_names.LITERAL, _names.RANGE)]  # fmt: skip
            found += next((each for each in [*given, *TRIED] if one.fullmatch(each)), "a")
    return found


def repeats(items: Any, state: Any, before: str = "") -> Iterator[tuple[str, str]]:
    """What leads to each repetition without an end, and what it repeats."""
    for op, arg in items:
        if op in REPEATS:
            body = sample(arg[2], state)
            if arg[1] > 5_000:
                yield before, body
            yield from repeats(arg[2], state, before)
        elif op is _names.SUBPATTERN:
            yield from repeats(arg[3], state, before)
        elif op is _names.BRANCH:
            for branch in arg[1]:
                yield from repeats(branch, state, before)
        elif op in (_names.ASSERT, _names.ASSERT_NOT):
            yield from repeats(arg[1], state, before)
            continue
        before += sample([(op, arg)], state)


def took(pattern: re.Pattern[str], text: str, searched: bool) -> float:
    begun = time.thread_time()
    for _ in pattern.finditer(text) if searched else ():
        pass
    pattern.match(text)
    pattern.fullmatch(text)
    return time.thread_time() - begun


def superlinear(text: str, flags: int = 0, searched: bool = True) -> str:
    """A text on which the pattern takes much more than in proportion; "" without one."""
    pattern = re.compile(text, flags)
    parsed = _parser.parse(text, flags)
    for lead, body in set(repeats(parsed, parsed.state)):
        for once, often in ((lead, body), ("", lead + body), ("", lead), (lead, body + lead)):
            if not often:
                continue
            for end, times in product(("\x00", "x", ""), TIMES):
                short, long = (once + often * (size // len(often) + 1) + end for size in (SHORT, times * SHORT))
                for _ in range(4):
                    allowed = 4 * times * max(min(took(pattern, short, searched) for _ in range(3)), 2e-5)
                    if took(pattern, long, searched) < allowed:
                        break
                else:
                    return f"{once[:40]!r} + {often[:40]!r} * n + {end!r}"
    return ""


def test_the_search_for_slow_patterns_finds_them() -> None:
    slow = ["<a>(.*?)</a>", r"\s+$", r"final.*: *x$", r"\d+:", r"(\S+) (x)"]
    quick = [r"[^<>]{0,200}>", r"\s+", r"<a>[^<]*<", r"(?:a|b)*", r"\{(?=\s*[\"}])"]
    assert all(superlinear(each, re.DOTALL) for each in slow) and not any(map(superlinear, quick))


def test_no_pattern_takes_more_than_linear_time() -> None:
    found = list(patterns())
    assert len(found) > 60
    assert [(each, attack) for each in found if (attack := superlinear(*each[1:]))] == []
