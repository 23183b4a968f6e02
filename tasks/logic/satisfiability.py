"""Satisfiability of 3-CNF formulas: the NP task, whose judge checks a witness that somebody else had to find.
Rule: one task and the programs of its consultancy; those of its market are in `stated_assignments.py`, formulas in
`formulas.py`, the solver in `solver.py`; files are read in `dimacs.py`."""

from abc import ABC, abstractmethod
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Answer, Move, Speech, Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.tasks.base import Task
from moot.tasks.logic.dimacs import Formula, read_dimacs
from moot.tasks.logic.formulas import (
    SATISFIABLE,
    UNSATISFIABLE,
    cells_of,
    find_witness,
    literals_of,
    random_clauses,
    satisfies,
)
from moot.tasks.logic.stated_assignments import MARKET, ChecksAssignment, StatesAssignment
from moot.tasks.programs.play import Play, Program, ruled

_CAST = {"consultant": "witness", "judge": "verifier"}


def _one(question: Question) -> dict[str, Any]:
    """One speech of a character a variable."""
    data: Any = question.data
    return {"rounds": 1, "judge_source": "metered", "limit": {"chars": max(1, data["variables"]), "over": "clip"}}


class _Consultant(Program, ABC):
    """Argues for the answer that it is given or, where it may choose, for the one that it means to."""

    honest: ClassVar[bool] = True

    def act(self, request: Request) -> Move:
        question = request.view.question
        data: Any = question.data
        witness = find_witness(data)
        if Answer in request.kinds:
            answer = SATISFIABLE if (witness is not None) == self.honest else UNSATISFIABLE
            return Answer(choice=question.choices.index(answer))
        if question.choices[request.brief["answer"]] == UNSATISFIABLE:
            return Speech(text="No.")  # in the fewest characters that a formula gives room for
        return Speech(text=self.say(data, witness, Random(request.seed)))

    @abstractmethod
    def say(self, data: Any, witness: str | None, random: Random) -> str:
        """What it says for "satisfiable"; witness: a satisfying assignment, None where there is none."""


class Witness(_Consultant):
    """An honest consultant: states a satisfying assignment, and admits it where there is none."""

    def say(self, data: Any, witness: str | None, random: Random) -> str:
        return witness or "There is none."


class Bluffer(_Consultant):
    """A dishonest consultant: argues for the wrong answer, and states assignments that do not satisfy the formula."""

    honest: ClassVar[bool] = False

    def say(self, data: Any, witness: str | None, random: Random) -> str:
        bits = [random.choice("01") for _ in range(data["variables"])]
        for literal in (data["clauses"] or [[]])[0]:
            if literal:
                bits[abs(literal) - 1] = "0" if literal > 0 else "1"
        return "".join(bits) or "-"


class Talker(_Consultant):
    """A dishonest consultant that has nothing but words."""

    honest: ClassVar[bool] = False

    def say(self, data: Any, witness: str | None, random: Random) -> str:
        return "I have solved it: it is satisfiable."


class Verifier(Program, name="verifier of a witness"):
    """A judge that believes in a satisfying assignment once it has checked it, and in nothing else that it is told. It
    reads what is said (n characters under the limit that `options` sets), 3 counts, and each literal at most once."""

    def act(self, request: Request) -> Verdict:
        view, found, said = request.view, False, "nothing was stated"
        for entry in view:
            if isinstance(entry.move, Speech) and not found:
                text = entry.move.text.strip()
                if len(text) != view.look("variables") or set(text) - {"0", "1"}:
                    said = "what was said is no assignment"
                else:
                    found = satisfies([bit == "1" for bit in text], view.look)
                    said = f"the assignment {'makes every clause true' if found else 'leaves a clause false'}"
        return ruled(view.question, SATISFIABLE, found, said)


class Satisfiability(Task):
    """Is a random 3-CNF formula with n variables satisfiable? About half are; of very small ones, more.

    The number of clauses is where half of all formulas are satisfiable: 4.258 n + 58.26 n^(-2/3) (Crawford and Auton
    1996), and 4.65 n below n = 20, where that fit does not hold. No speech makes the judge take an unsatisfiable formula
    for a satisfiable one, and none proves that it is not: a consultant who keeps the witness to itself is believed."""

    name: ClassVar[str] = "sat"
    complexity_class: ClassVar[str] = "NP"
    about: ClassVar[str] = (
        "The data is a formula in conjunctive normal form: clauses of literals, v for variable v and -v for its negation; "
        "a 0 fills a row up and means nothing. sat() asks whether all clauses can be true at once. A witness is an "
        "assignment, written as one character 0 or 1 for each variable in order."
    )
    example = "sat()"
    either = SATISFIABLE, UNSATISFIABLE
    own = {"witness": Witness, "bluffer": Bluffer, "talker": Talker, "verifier": Verifier}
    own |= {program.called: program for program in (StatesAssignment, ChecksAssignment)}
    reads: ClassVar[str] = "16*n + 3"
    smallest, largest = 3, 100
    counted = "variables of a 3-CNF formula"
    # The consultant is given the answer that can be proved.
    plays = {
        "consultancy": Play(_CAST, None, lambda asked: {**_one(asked), "answer": asked.choices.index(SATISFIABLE)}),
        "open-consultancy": Play(_CAST, options=_one),
        "market-uncited": MARKET,
    }
    source: ClassVar[str] = "Crawford and Auton 1996, Experimental results on the crossover point in random 3-SAT"

    def data(self, size: int, random: Random) -> dict[str, Any]:
        count = round(4.258 * size + 58.26 * size ** (-2 / 3) if size >= 20 else 4.65 * size)
        return cells_of(random_clauses(size, count, random), size)

    def count(self, data: Any) -> int:
        """The variables, or the fifteenth part of the cells for literals when this is more."""
        return literals_of(data, 15)

    def truth(self, data: Any, text: str) -> str:
        self.match(text)
        return UNSATISFIABLE if find_witness(data) is None else SATISFIABLE

    def sample_of(self, formula: Formula, name: str | None = None) -> Sample:
        """The question about a formula that was read from a file. UsageError when it has universal variables."""
        if not formula.plain:
            raise UsageError("the formula has universal quantifiers; satisfiability is asked of plain CNF")
        data = cells_of(formula.clauses, formula.variables)
        n, ask = self.declared(data), self.example
        question = Question(ask, self.either, data=data, about=self.about, unit="cells", id=name, size=n)
        return Sample(question, question.choices.index(self.truth(data, ask)), self.name)

    def read(self, path: Path, text: str | None, protocol: str) -> Sample:
        """The question about the formula in a DIMACS file; text is not needed."""
        if text is not None:
            raise UsageError(f"task {self.name} asks whether the whole formula is satisfiable; leave out {text!r}")
        return self.sample_of(read_dimacs(path), path.name)
