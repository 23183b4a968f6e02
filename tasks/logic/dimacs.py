"""Formulas in conjunctive normal form, and the two text formats that they are exchanged in.
Rule: text becomes formulas, with errors that name the line, and back again; nothing is solved here.

DIMACS CNF is the format of the SAT competitions and of SATLIB (Hoos and Stuetzle 2000); QDIMACS 1.1 (2005) adds lines
of quantifiers before the clauses. One reader reads both."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, NoReturn

from moot.protocols.engine.errors import UsageError
from moot.tasks.extras import content_of, decoded

Clause = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Formula:
    """A quantified formula whose matrix is a conjunction of clauses. prefix: blocks of ("a" or "e", variables), outermost
    first; a variable that no block binds is existential and stands outermost, so plain CNF has one block "e". variables:
    the numbers 1 to `variables`. clauses: literals, v for variable v and -v for its negation; an empty one is false."""

    prefix: tuple[tuple[str, tuple[int, ...]], ...]
    variables: int
    clauses: tuple[Clause, ...]

    @property
    def plain(self) -> bool:
        """Whether no variable is universal, so that the formula asks for satisfiability and no more."""
        return all(quantifier == "e" for quantifier, _ in self.prefix)

    def data(self) -> dict[str, Any]:
        """Prefix and clauses as JSON values: {"prefix": [["e", [1, 2]]], "clauses": [[1, -2]]}."""
        prefix = [[quantifier, list(block)] for quantifier, block in self.prefix]
        return {"prefix": prefix, "clauses": [list(clause) for clause in self.clauses]}


def read_dimacs(path: str | Path) -> Formula:
    """The formula in a DIMACS CNF or QDIMACS file.
    Raises UsageError, which names the file and the line, on a file that cannot be read or is in neither format."""
    return parse_dimacs(decoded(content_of(path), path, "not UTF-8 text {}; a DIMACS file is plain ASCII"), str(path))


def parse_dimacs(text: str, name: str = "DIMACS text") -> Formula:
    """The formula that `text` writes; `name` is what errors call it. Raises UsageError as `read_dimacs` does.
    Comment lines begin with c and may stand anywhere. A line "%" ends the formula, as it does in the files of SATLIB.
    Clauses may go over several lines, and several may share one."""
    return _Reader(name).read(text)


def write_dimacs(formula: Formula) -> str:
    """The formula as text: plain DIMACS when it is existential, QDIMACS otherwise. Reading it gives an equal formula."""
    lines = [f"p cnf {formula.variables} {len(formula.clauses)}"]
    if not formula.plain:
        lines += [" ".join([quantifier, *map(str, block), "0"]) for quantifier, block in formula.prefix]
    lines += [" ".join([*map(str, clause), "0"]) for clause in formula.clauses]
    return "\n".join(lines) + "\n"


class _Reader:
    def __init__(self, name: str) -> None:
        self.name, self.line = name, 0
        self.blocks, self.bound = list[tuple[str, Clause]](), set[int]()
        self.clauses, self.open = list[Clause](), list[int]()

    def fail(self, problem: str) -> NoReturn:
        raise UsageError(f"{self.name}, line {self.line}: {problem}")

    def read(self, text: str) -> Formula:
        header: tuple[int, int] | None = None
        for words in self.lines(text):
            if words[0] == "p":
                if header is not None:
                    self.fail("a second header; a file holds one formula")
                header = self.header(words)
                self.variables = header[0]
            elif header is None:
                self.fail(f"expected the header 'p cnf VARIABLES CLAUSES', found {' '.join(words)[:40]!r}")
            elif words[0] in ("a", "e"):
                self.quantify(words)
            else:
                self.literals(words)
        if header is None:
            self.fail("there is no header 'p cnf VARIABLES CLAUSES'")
        if self.open:
            self.fail(f"the last clause, {' '.join(map(str, self.open))[:40]}, is not closed by a 0")
        if len(self.clauses) != header[1]:
            self.fail(f"the header announces {header[1]} clauses, and there are {len(self.clauses)}")
        return Formula(self.prefix(), header[0], tuple(self.clauses))

    def lines(self, text: str) -> Iterator[list[str]]:
        """The words of every line that says something, up to a line "%"."""
        for self.line, line in enumerate(text.splitlines(), start=1):
            words = line.split()
            if words == ["%"]:
                return
            if words and words[0][0] != "c":
                yield words

    def header(self, words: list[str]) -> tuple[int, int]:
        if len(words) != 4 or words[1] != "cnf":
            self.fail(f"the header is 'p cnf VARIABLES CLAUSES', not {' '.join(words)[:40]!r}")
        variables, clauses = map(self.number, words[2:])
        if variables < 0 or clauses < 0:
            self.fail(f"the header has a negative number: {' '.join(words)!r}")
        return variables, clauses

    def quantify(self, words: list[str]) -> None:
        if self.clauses or self.open:
            self.fail("quantifiers stand before all clauses")
        numbers = [self.number(word) for word in words[1:]]
        if len(numbers) < 2 or numbers[-1] != 0:
            self.fail("a line of quantifiers has one variable or more and ends with 0")
        for variable in numbers[:-1]:
            if not 1 <= variable <= self.variables:
                self.fail(f"{variable} is no variable; they are 1 to {self.variables}")
            if variable in self.bound:
                self.fail(f"variable {variable} is bound twice")
            self.bound.add(variable)
        self.blocks.append((words[0], tuple(numbers[:-1])))

    def literals(self, words: list[str]) -> None:
        for literal in map(self.number, words):
            if literal == 0:
                self.clauses.append(tuple(self.open))
                self.open = []
            elif abs(literal) > self.variables:
                self.fail(f"the literal {literal} is beyond the {self.variables} variables of the header")
            else:
                self.open.append(literal)

    def number(self, word: str) -> int:
        if not (word.isascii() and word.removeprefix("-").isdigit() and len(word) <= 10):
            self.fail(f"expected an integer, found {word[:20]!r}")
        return int(word)

    def prefix(self) -> tuple[tuple[str, tuple[int, ...]], ...]:
        """The blocks with free variables put first, and neighbours with the same quantifier made one."""
        free = tuple(v for v in range(1, self.variables + 1) if v not in self.bound)
        alike = groupby([("e", free), *self.blocks] if free else self.blocks, key=itemgetter(0))
        return tuple((quantifier, tuple(v for _, block in blocks for v in block)) for quantifier, blocks in alike)
