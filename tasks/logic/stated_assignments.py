"""Market making about satisfiability: an adversary that states an assignment, and a judge that checks it.

Rule of this file: two programs and how they are seated; what they play about is in `satisfiability.py`.

There is no local rule here and nothing to cite: the judge must read the whole argument, which is short for NP (Shah 2020,
in the comments on Hubinger 2020, AI safety via market making). It is short for "satisfiable" alone. A market that says
"unsatisfiable" of a satisfiable formula can so be shown to be wrong; one that says "satisfiable" of an unsatisfiable one
cannot, before any judge that works in polynomial time, unless NP = coNP."""

from typing import Any

from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.market.moves import Statement
from moot.tasks.logic.formulas import SATISFIABLE, UNSATISFIABLE, find_witness, satisfies
from moot.tasks.programs.market_programs import ChecksWitness, examined
from moot.tasks.programs.play import Play, TaskProgram, ruled


class StatesAssignment(TaskProgram, name="states-assignment"):
    """An adversary that states an assignment under which every clause is true, 0 or 1 for each variable in order, a word each,
    and admits it where there is none."""

    def act(self, request: Request) -> Move:
        if Reply in request.kinds:  # a copy of it is examined
            return examined(self.task, request)
        witness = find_witness(request.view.question.data)
        if witness is None:
            return Statement(text="none", answer=UNSATISFIABLE)
        return Statement(text=" ".join(witness), answer=SATISFIABLE)


class ChecksAssignment(ChecksWitness, name="checks-assignment"):
    """A judge that believes "satisfiable" for sure once a statement holds an assignment that it has checked, and is moved by
    nothing else: the price stands, or where it may not say so, it believes "unsatisfiable". For each statement it reads a
    cell for each word of it, 3 counts, and each literal at most once."""

    def act(self, request: Request) -> Any:
        move: Move = super().act(request)
        if not isinstance(move, Verdict):
            return move
        proved = move.choice is not None
        why = f"{'an assignment that was stated' if proved else 'nothing that was said'} makes every clause true"
        return ruled(request.view.question, SATISFIABLE, proved, why)

    def checked(self, text: str, request: Request) -> str:
        words, look = text.split(), request.view.look
        if len(words) != look("variables") or set(words) - {"0", "1"}:
            return UNKNOWN
        return SATISFIABLE if satisfies([word == "1" for word in words], look) else UNKNOWN


def _worded(question: Question) -> dict[str, Any]:
    """Statements of a word a variable."""
    data: Any = question.data
    return {"limit": {"words": max(1, data["variables"]), "over": "clip"}}


# An assignment and the claim that goes with it, and a check of it, four times: the horizon is four statements by default.
MARKET = Play(
    {"market": "predictor", "adversary": "states-assignment", "judge": "checks-assignment"}, "4*({reads} + 1)", _worded
)
