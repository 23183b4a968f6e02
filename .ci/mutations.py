"""Small faults made in a source on purpose, one at a time.

Rule: from text to text; nothing here runs a test, and which modules are examined stands in `mutants.py`.

A mutation is an edit of the text and so shows as a diff. Left alone is what no test could notice or should have to: type
annotations, docstrings, messages (f-strings, and what is raised), assertions, which are there for the type checker.
"""

from __future__ import annotations

import ast
import random
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile

_ORDER = {ast.Lt: ("<", ("<=", ">=")), ast.LtE: ("<=", ("<", ">")), ast.Gt: (">", (">=", "<=")), ast.GtE: (">=", (">", "<"))}  # fmt: skip
_COMPARE: dict[type[ast.cmpop], tuple[str, tuple[str, ...]]] = {
    **_ORDER, ast.Eq: ("==", ("!=",)), ast.NotEq: ("!=", ("==",)), ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)), ast.In: ("in", ("not in",)), ast.NotIn: ("not in", ("in",)),
}  # fmt: skip
_ARITHMETIC: dict[type[ast.operator], tuple[str, str]] = {
    ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"), ast.FloorDiv: ("//", "*"),
    ast.Mod: ("%", "+"), ast.Pow: ("**", "*"), ast.BitOr: ("|", "&"), ast.BitAnd: ("&", "|"),
    ast.LShift: ("<<", ">>"), ast.RShift: (">>", "<<"),
}  # fmt: skip
_OTHER = {"min": "max", "max": "min", "any": "all", "all": "any"}

Edit = tuple[int, int, str]
"""Bytes [start, end) of the source and what stands there instead."""


@dataclass(frozen=True)
class Mutant:
    """One fault: the line where it begins, the lines as they were and as they are with it, and the whole source with it."""

    line: int
    old: str
    new: str
    source: str

    @property
    def diff(self) -> str:
        return "\n".join(
            [*(f"- {line}" for line in self.old.splitlines()), *(f"+ {line}" for line in self.new.splitlines())]
        )


def mutants(source: str, count: int = 0, seed: str = "") -> list[Mutant]:
    """`count` mutants of a source, the same in every run with this seed, or (0) all, in the order of their places."""
    whole, plain = source.encode(), ast.dump(ast.parse(source))
    edits = sorted(set(_Edits(source).found))
    if count:
        random.Random(seed).shuffle(edits)
    made: dict[str, Mutant] = {}
    for start, end, text in edits:
        changed = (whole[:start] + text.encode() + whole[end:]).decode()
        with suppress(SyntaxError):  # an edit of the text may end in the midst of brackets
            compile(changed, "<mutant>", "exec", dont_inherit=True)
            if changed not in made and ast.dump(ast.parse(changed)) != plain:
                made[changed] = _mutant(source, changed)
        if count and len(made) == count:
            break
    return sorted(made.values(), key=lambda each: (each.line, each.new))


def _mutant(source: str, changed: str) -> Mutant:
    """What differs, by whole lines."""
    old, new = source.splitlines(), changed.splitlines()
    alike = zip(old, new, strict=False), zip(reversed(old), reversed(new), strict=False)
    top, bottom = (sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs)) for pairs in alike)
    bottom = min(bottom, len(old) - top, len(new) - top)
    before, after = ("\n".join(line.strip() for line in each[top : len(each) - bottom]) for each in (old, new))
    return Mutant(top + 1, before, after, changed)


class _Edits(ast.NodeVisitor):
    """Finds the places. `found`: edits, perhaps the same one twice, perhaps some that do not compile."""

    def __init__(self, source: str) -> None:
        self.whole = source.encode()
        self.starts = [0]
        for line in self.whole.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        self.found: list[Edit] = []
        self.visit(ast.parse(source))

    def place(self, node: ast.expr | ast.stmt) -> tuple[int, int]:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.starts[node.lineno - 1] + node.col_offset, self.starts[node.end_lineno - 1] + node.end_col_offset

    def text(self, node: ast.expr) -> str:
        start, end = self.place(node)
        return self.whole[start:end].decode()

    def put(self, node: ast.expr | ast.stmt, text: str) -> None:
        self.found.append((*self.place(node), text))

    def between(self, left: ast.expr, right: ast.expr, old: str, *new: str) -> None:
        """Exchange the operator that stands between two operands."""
        start, end = self.place(left)[1], self.place(right)[0]
        gap = self.whole[start:end].decode()
        self.found.extend((start, end, gap.replace(old, each, 1)) for each in new if old in gap)

    def test(self, node: ast.expr) -> None:
        """What a branch hangs on: always, never, the other way round."""
        if not isinstance(node, ast.Constant):
            self.put(node, "True")
            self.put(node, "False")
            if not isinstance(node, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
                self.put(node, f"(not {self.text(node)})")

    # -- what is left alone ---------------------------------------------------------------------------------------

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass

    def visit_Assert(self, node: ast.Assert) -> None:
        pass

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_arguments(self, node: ast.arguments) -> None:
        for default in (*node.defaults, *node.kw_defaults):
            if default is not None:
                self.visit(default)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if not any(isinstance(each, ast.Name) and each.id == "overload" for each in node.decorator_list):
            self.visit(node.args)
            self.block(node.body)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def block(self, body: list[ast.stmt]) -> None:
        for statement in body:
            self.visit(statement)

    # -- statements -----------------------------------------------------------------------------------------------

    def visit_If(self, node: ast.If) -> None:
        if "TYPE_CHECKING" not in ast.dump(node.test):
            self.test(node.test)
            self.visit(node.test)
            self.block(node.body)
        self.block(node.orelse)

    def visit_While(self, node: ast.While) -> None:
        if not isinstance(node.test, ast.Constant):
            self.put(node.test, "False")
        self.generic_visit(node)

    def visit_Return(self, node: ast.Return) -> None:
        if node.value is not None and not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.put(node, "return None")
            self.visit(node.value)

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):
            self.put(node, "pass")
            self.visit(node.value)

    def visit_Raise(self, node: ast.Raise) -> None:
        self.put(node, "pass")  # what is raised is a message

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.put(node, "pass")
        old, new = _ARITHMETIC[type(node.op)]
        self.between(node.target, node.value, f"{old}=", f"{new}=")
        self.visit(node.value)

    def visit_Delete(self, node: ast.Delete) -> None:
        self.put(node, "pass")

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, (ast.Attribute, ast.Subscript)) for target in node.targets):
            self.put(node, "pass")
        self.visit(node.value)

    def visit_Break(self, node: ast.Break) -> None:
        self.put(node, "continue")

    def visit_Continue(self, node: ast.Continue) -> None:
        self.put(node, "break")

    # -- expressions ----------------------------------------------------------------------------------------------

    def visit_Compare(self, node: ast.Compare) -> None:
        sides = [node.left, *node.comparators]
        for index, operator in enumerate(node.ops):
            old, new = _COMPARE[type(operator)]
            self.between(sides[index], sides[index + 1], old, *new)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new, idle = ("and", "or", "True") if isinstance(node.op, ast.And) else ("or", "and", "False")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.between(left, right, old, new)
        for value in node.values:
            self.put(value, idle)
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        self.between(node.left, node.right, *_ARITHMETIC[type(node.op)])
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, (ast.Not, ast.USub)):
            self.put(node, f"({self.text(node.operand)})")
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self.test(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for each in node.ifs:
            self.put(each, "True")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, bool):
            self.put(node, str(not node.value))
        elif isinstance(node.value, (int, float)):
            self.put(node, repr(node.value + 1))
            self.put(node, f"({node.value - 1!r})")

    def visit_Slice(self, node: ast.Slice) -> None:
        for bound in (node.lower, node.upper):
            if bound is not None:
                self.put(bound, "None")
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name, given = getattr(node.func, "id", ""), node.args
        if name in _OTHER:
            self.put(node.func, _OTHER[name])
        elif len(given) > 1 and name != "isinstance" and not any(isinstance(each, ast.Starred) for each in given[:2]):
            start, end = self.place(given[0])[0], self.place(given[1])[1]
            gap = self.whole[self.place(given[0])[1] : self.place(given[1])[0]].decode()
            self.found.append((start, end, self.text(given[1]) + gap + self.text(given[0])))
        for each in node.keywords:
            if each.arg is not None:
                left = [other for other in node.keywords if other is not each]
                self.put(node, ast.unparse(ast.Call(node.func, node.args, left)))
        self.generic_visit(node)
