"""True quantified Boolean formulas: the task that is complete for PSPACE, and that debate decides.
Rule: the task and its judge; the game is `protocols/games/qbf.py`, files are read in `dimacs.py`.

Irving, Christiano and Amodei 2018 (arXiv 1805.00899) give the game; Gent and Walsh 1999 (Beyond NP: the QSAT phase
transition) the instances, in which a clause has at most one universal literal."""

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from moot.complexity.rules import Look, Rule
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.qbf import Assign, QBFDebate, variables
from moot.tasks.family import entries
from moot.tasks.logic.dimacs import read_dimacs
from moot.tasks.programs.games import Game, debated
from moot.tasks.programs.play import Program, listed, ruled

TRUE, FALSE = "true", "false"
CLAUSES = 1.6


class MatrixJudge(Program, name="matrix judge"):
    """Reads the n values, then clauses up to the first that is false, each whole: a cell for each literal of it.
    With clauses of 3 literals, m of them, that is at most n + 3 m."""

    def act(self, request: Request) -> Verdict:
        view = request.view
        true = {move.variable if move.value else -move.variable for _, _, move in view if isinstance(move, Assign)}
        broken = false_clause(view.look, true)
        why = "every clause has a true literal" if broken is None else f"clause {broken} has no true literal"
        return ruled(view.question, TRUE, broken is None, why)


class TQBF(Game):
    """Is a random quantified 3-CNF formula true? n variables in alternating blocks of one, the innermost existential.
    There are 2 n clauses of two existential literals and one of any variable. The rule: a formula with a variable left
    is true when it is so for one value, or for both, of the outermost one; without, when no clause is false."""

    name: ClassVar[str] = "tqbf"
    complexity_class: ClassVar[str] = "PSPACE"
    about: ClassVar[str] = (
        "The data is a quantified Boolean formula: its prefix in blocks, [quantifier, variables] with a for all and e for "
        "exists, and its clauses, with literals v and -v. tqbf(10**) asks whether it is true once the first two variables "
        "of the prefix are true and false; * stands for a variable that is still quantified. The answer is true or false."
    )
    notation = re.compile(r"tqbf\(([01]*)(\**)\)")
    example = "tqbf(10**)"
    either = TRUE, FALSE
    reads: ClassVar[str] = "10*n + 2"
    largest = 22
    counted = "quantified variables"
    source: ClassVar[str] = "Gent and Walsh 1999, Beyond NP: the QSAT phase transition"
    plays = {"qbf-debate": debated("matrix-judge")}
    own = {**Game.own, "matrix-judge": MatrixJudge}

    def data(self, size: int, random: Random) -> dict[str, Any]:
        exists = list(range(size, 0, -2))
        clauses = []
        for _ in range(round(CLAUSES * size)):
            chosen = random.sample(exists, min(2, len(exists)))
            rest = [v for v in range(1, size + 1) if v not in chosen]
            chosen += random.sample(rest, min(1, len(rest)))
            clauses.append([v * random.choice([-1, 1]) for v in chosen])
        prefix = [["e" if v in exists else "a", [v]] for v in range(1, size + 1)]
        return {"prefix": prefix, "clauses": clauses}

    def count(self, data: Any) -> int:
        """The variables of the prefix, or the eighth part of the clauses and their literals when this is more."""
        cells = sum(entries(clause) + 1 for clause in data["clauses"])
        return max(1, len(variables(data)), -(-cells // 8))

    def ask(self, data: Any, random: Random) -> str:
        return f"tqbf({'*' * len(variables(data))})"

    def truth(self, data: Any, text: str) -> str:
        prefix, (done, left) = variables(data), self.parts(text)
        if len(done) + left != len(prefix):
            raise UsageError(f"{text!r} is about {len(done) + left} variables; this formula has {len(prefix)}")
        if left > self.largest:
            raise UsageError(f"{text!r}: truths are found of up to {self.largest} variables, not of {left}")
        true = {v if value == "1" else -v for value, (_, v) in zip(done, prefix, strict=False)}
        return TRUE if holds(prefix, data["clauses"], true, len(done)) else FALSE

    def rule(self, text: str, look: Look) -> Rule:
        done, left = self.parts(text)

        def head(*block: int | str) -> Any:
            return look(*block, 0)

        prefix = ((q, v) for i, q in enumerate(listed(head, "prefix")) for v in listed(look, "prefix", i, 1))
        if not left:
            true = {v if value == "1" else -v for value, (_, v) in zip(done, prefix, strict=False)}
            return TRUE if false_clause(look, true) is None else FALSE
        wins = next(TRUE if q == "e" else FALSE for index, (q, _) in enumerate(prefix) if index == len(done))
        stars = "*" * (left - 1)
        answers = yield f"tqbf({done}0{stars})", f"tqbf({done}1{stars})"
        return wins if wins in answers else UNKNOWN if UNKNOWN in answers else answers[0]

    def questions(self, data: Any) -> Iterator[str]:
        n = len(variables(data))
        if n > 16:
            raise UsageError(f"task tqbf: the 2^{n + 1} - 1 questions about {n} variables are too many to list")
        for done in range(n + 1):
            yield from (f"tqbf({''.join(bits)}{'*' * (n - done)})" for bits in product("01", repeat=done))

    def parts(self, text: str) -> tuple[str, int]:
        """The values in a question, and how many variables are still quantified. UsageError when it is no question."""
        found = self.match(text)
        return found[1], len(found[2])

    def sample_of(self, data: Any, name: str | None = None) -> Sample:
        """The question about a formula of your own, in the form of `data`. UsageError when it is none, or too large."""
        QBFDebate().roles(Question("tqbf()", (TRUE, FALSE), data=data, size=1))
        size, text = self.declared(data), self.ask(data, Random(0))
        question = Question(text, (TRUE, FALSE), data=data, about=self.about, size=size, unit="cells", id=name)
        return Sample(question, question.choices.index(self.truth(data, text)), self.name)

    def read(self, path: Path, text: str | None, protocol: str) -> Sample:
        """The question about the formula in a DIMACS or QDIMACS file; text is not needed."""
        if text is not None:
            raise UsageError(f"task {self.name} asks whether the whole formula is true; leave out {text!r}")
        return self.sample_of(read_dimacs(path).data(), path.name)

    def after(self, request: Request) -> Iterator[tuple[Move, str]]:
        """Both values of the variable whose turn it is, each with the truth of what is left."""
        question = request.view.question
        said = [entry.move.value for entry in request.view if isinstance(entry.move, Assign)]
        done, stars = "".join("01"[value] for value in said), "*" * (len(variables(question.data)) - len(said) - 1)
        for value in (False, True):
            yield Assign(value=value), self.truth(question.data, f"tqbf({done}{'01'[value]}{stars})")


def holds(prefix: list[tuple[str, int]], clauses: list[list[int]], true: set[int], depth: int) -> bool:
    """Whether the formula is true from its variable `depth` on, with the literals in `true`: by trying both values."""
    if depth == len(prefix):
        return all(any(literal in true for literal in clause) for clause in clauses)
    quantifier, variable = prefix[depth]
    for literal in (-variable, variable):
        true.add(literal)
        found = holds(prefix, clauses, true, depth + 1)
        true.discard(literal)
        if found == (quantifier == "e"):
            return found
    return quantifier == "a"


def false_clause(look: Look, true: set[int]) -> int | None:
    """The first clause without a literal in `true`; None when there is none."""
    for index, clause in enumerate(listed(look, "clauses")):
        if true.isdisjoint(clause):
            return index
    return None
