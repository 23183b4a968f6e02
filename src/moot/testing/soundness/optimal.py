"""Whether a play was optimal, as far as a search can tell: for two rivals, on the side that is right; else for whoever is paid.
Rule: searches and replies alone, by the kind of protocol; what they are played with is in `plays.py`.

Where two rivals play for opposite stakes it is enough that whoever is right never loses value: the verdict is then what the
game is worth, or better for the right side. That is less than that all play well, so more plays count.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import replace
from typing import Any

from moot.agents.base import act_of
from moot.complexity.search.options import every_move
from moot.complexity.search.solve import solve
from moot.experiments.classes.market_witnesses import Says, statements
from moot.protocols.amplification.approval import Approval, Claim
from moot.protocols.checks import TwoSided
from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.critique import Critique
from moot.protocols.debate.propaganda import Propaganda
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.moves import UNKNOWN, Answer, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.request import Request
from moot.protocols.games.cross_examination import CrossExamination
from moot.protocols.games.doubly_efficient import DoublyEfficientDebate
from moot.protocols.games.doubly_efficient_steps import Accept, DeterministicDoublyEfficientDebate, Fault, address
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.payoffs import distance
from moot.protocols.trees.bisection import Bisection, Dispute, Split
from moot.protocols.trees.decomposition_debate import DecompositionDebate, Pick
from moot.protocols.trees.moves import Assertion, Response
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.tasks.graphs.colouring_programs import challenges
from moot.tasks.programs.decomposing import decomposed
from moot.tasks.programs.objecting import Objecting, same_claims
from moot.tasks.programs.play import Program
from moot.testing.soundness.agents import HOSTILE, INSTEAD, Cast, consistent, parts_of
from moot.testing.soundness.plays import Run, same

MOST = 4000
"""Positions that one search may visit."""
GAIN = 1e-9

Known = bool | None


def optimal_play(run: Run) -> Known:
    """Whether those who are paid played as well as the search could have; who is paid nothing, as convincingly. None where the
    search is too large, or fails."""
    try:
        return next(how for kind, how in KINDS if isinstance(run.protocol, kind))(run)
    except (MootError, ValueError, LookupError, TypeError):
        return None


def right_side(run: Run) -> str | None:
    """The seat whose answer is the truth, of two rivals; None where nobody knows."""
    protocol, question = run.protocol, run.question
    stances = dict(protocol.stances(question)) or ({"a": 0, "b": 1} if isinstance(protocol, TwoSided) else {})
    stances |= {each.seat: each.answer for each in run.again if each.answer is not None}
    if isinstance(protocol, Critique) and len(question.choices) == 2 and "consultant" in stances:
        stances["critic"] = 1 - stances["consultant"]
    return next((seat for seat, choice in stances.items() if choice == run.truth and seat != run.judge), None)


# -- two rivals, who speak in turn ------------------------------------------------------------------------------------


def searched(run: Run) -> Known:
    """The right side never lost value: that of the game after each of its moves is that before. It is searched over what was
    said, every move where these can be listed, and what the task's programs would say."""
    side = right_side(run)
    if side is None:
        return None
    if run.verdict != run.truth and value(run, side, {}) > GAIN:
        return False  # it was to be won, and is lost
    return kept(run, side)


def kept(run: Run, *sides: str) -> bool:
    """Whether no move of these seats lost them value."""
    forced = dict[str, Move]()
    for each in run.again:
        if each.seat in sides:
            before = value(run, each.seat, forced)
            if value(run, each.seat, {**forced, each.step: run.moves[each.step]}) < before - GAIN:
                return False
        if each.seat in free(run):
            forced[each.step] = run.moves[each.step]
    return True


def free(run: Run) -> list[str]:
    """The seats that play against each other."""
    return [seat for seat, role in run.roles.items() if seat != run.judge and role != "below"]


def value(run: Run, side: str, forced: dict[str, Move]) -> float:
    """What the game is worth to a side after these moves. UsageError where it is too large to search."""
    listed = options(run)

    def moves(request: Request) -> Iterable[Move]:
        if request.step in forced:
            return [forced[request.step]]
        recorded = run.moves.get(request.step)
        offered = list(listed(request))
        return offered if recorded is None or recorded in offered else [*offered, recorded]

    players = free(run)
    fixed = {seat: Afresh(run, each.make) for seat, each in run.seated.items() if seat not in players}
    key: Any = same_claims if isinstance(run.protocol, RecursiveDebate) and not forced else None
    found = solve(
        run.protocol, run.question, moves=dict.fromkeys(players, moves), seats={**fixed, run.judge: run.right_judge()}, seed=run.seed,
        key=key, limit=MOST,
    )  # fmt: skip
    return found.value[side]


class Afresh:
    """Whoever takes no part in a search: asked each time as in a play of its own, whatever it did to its data in others."""

    def __init__(self, run: Run, make: Callable[[], Any]) -> None:
        self.run, self.make = run, make
        self.bound = getattr(make(), "bound", None)

    def act(self, request: Request) -> Any:
        question = request.view.question
        if question.data is not None:
            asking = question.model_copy(update={"data": deepcopy(self.run.question.data)})
            request = replace(request, view=request.view.then(asking=asking))
        return act_of(self.make())(request)


def options(run: Run) -> Callable[[Request], Iterable[Move]]:
    """What a search tries in this protocol."""
    known: tuple[tuple[type[Protocol], Any], ...] = (
        (Bisection, splits), (RecursiveDebate, Claims(run)), (DecompositionDebate, Parts(run)),
    )  # fmt: skip
    return next((how for kind, how in known if isinstance(run.protocol, kind)), _all)


def _all(request: Request) -> Iterable[Move]:
    """What the protocol finds worth trying, or every move by the types of its fields. What only a brief makes finite is not searched:
    it forbids nothing, so that something better may be left out, and whether the play was optimal stays unknown."""
    protocol: Any = None if request.facts is None else request.facts.protocol
    own = protocol.worth_trying(request) if protocol is not None and protocol.tells("worth_trying") else None
    return every_move(request.kinds) if own is None else own


def splits(request: Request) -> Iterator[Move]:
    """The honest split, those that put the whole error in one half, and either half."""
    if Split not in request.kinds:
        yield from (Dispute(half="left"), Dispute(half="right"))
        return
    told: Any = request.brief["details"]
    cells: Any = request.view.question.data
    left, right = sum(cells[told["start"] : told["middle"]]), sum(cells[told["middle"] : told["end"]])
    pairs = (left, right), (left, told["claim"] - left), (told["claim"] - right, right)
    yield from (Split(left=one, right=other) for one, other in dict.fromkeys(pairs))


class Claims:
    """The objections of the task's own debater, and yes."""

    def __init__(self, run: Run) -> None:
        self.debater = Objecting(run.task)

    def __call__(self, request: Request) -> Iterator[Move]:
        if Response in request.kinds:
            yield from (Response(label="main objection"), Response(label="yes"))
            return
        with suppress(MootError, ValueError, LookupError):
            move = self.debater.act(request)
            if isinstance(move, Assertion) and move.text != "None":
                yield move
                return
        yield Assertion(text="nothing")


class Parts:
    """Every answer, what the task's own prover rests a claim on, lies that a claim follows from, and every part."""

    def __init__(self, run: Run) -> None:
        self.run, self.prover = run, run.program("a")

    def __call__(self, request: Request) -> Iterator[Move]:
        if Answer in request.kinds:
            yield from (Answer(choice=each) for each in range(len(request.view.question.choices)))
        elif Pick in request.kinds:
            yield from (Pick(claim=each) for each in request.brief["one_of"]["claim"])
        else:
            yield self.prover.act(request)
            text, claimed = request.brief["claim"], request.brief["claimed"]
            lies = consistent(self.run.task, self.run.question.data, text, claimed)
            if lies:
                parts = {
                    **{
                        part: self.run.task.truth(self.run.question.data, part)
                        for part in parts_of(self.run.task, self.run.question.data, text)
                    },
                    **lies,
                }
                yield decomposed(parts)


def apart(run: Run) -> Known:
    """Neither the prover, who may choose its answer, nor the opponent lost value."""
    return kept(run, *free(run))


# -- rivals who are answered by other plays ----------------------------------------------------------------------------


def replied(run: Run) -> Known:
    """No other player in its seat, against the same others and a judge who is right, is paid more on the right side."""
    side = right_side(run)
    if side is None:
        return None
    judge = {run.judge: run.right_judge()}
    had = run.paid(side, run.fresh(**judge))
    if had is None:
        return None
    return nothing_better(run, side, had, (run.fresh(**judge, **{side: other}) for other in others(run, side)))


def nothing_better(run: Run, seat: str, had: float, plays: Iterable[Mapping[str, Any]]) -> Known:
    """Whether none of these plays pays a seat more than it had. None where one that might is not known: an agent in it
    failed, as a judge does who is to look at what the protocol hides."""
    known: Known = True
    for seats in plays:
        end = run.played(seats)
        if end is None:
            known = None
        elif isinstance(end, Decided) and end.payoffs.get(seat, had) > had + GAIN:
            return False
    return known


def others(run: Run, seat: str) -> Iterator[Any]:
    """The task's own programs for a seat, and some that are none of its."""
    programs, usual = run.task.programs(), run.program(seat)
    cast = run.task.cast(run.protocol.name)
    yield usual
    yield from (
        programs[name]() for name in INSTEAD.get(cast.get(seat) or cast[run.roles[seat]], ()) if name in programs
    )
    yield HOSTILE["gives up"](Cast(run.task, run.sample, seat, lambda: run.program(seat)))


def committed(run: Run) -> Known:
    """The claimant is bound to what its copies say: where it is right, no challenge that there is refutes it; where it is
    wrong, its opponent refuted it, or nothing does."""
    assert isinstance(run.protocol, CrossExamination | DeterministicDoublyEfficientDebate)
    claimant, opponent = run.protocol.sides(run.question)
    side = right_side(run)
    if run.verdict == run.truth and side == opponent:
        return True
    if run.verdict != run.truth and side == claimant:
        return False
    judge = {run.judge: run.right_judge()}
    for move in attacks(run):
        end = run.played(run.fresh(**judge, **{opponent: lambda request, move=move: move}))
        if not isinstance(end, Decided):
            return None
        if (end.verdict.choice == run.truth) != (side == claimant):
            return False
    return True


def attacks(run: Run) -> Iterator[Move]:
    """Every move with which an opponent of copies ends a play."""
    if isinstance(run.protocol, CrossExamination):
        data: Any = run.question.data
        if 2 ** data["k"] > 8:
            raise MootError("too many challenges")
        request: Any = type("Asked", (), {"view": type("Seen", (), {"question": run.question})})
        yield from (move for move in challenges(request) if len(move.addresses) <= run.protocol.window)  # type: ignore[attr-defined]
        return
    assert isinstance(run.protocol, DeterministicDoublyEfficientDebate)
    machine, look = run.protocol.computed(run.question)
    yield Accept()
    yield from (Fault(address=address(t)) for t in range(machine.free(look), machine.steps(look)))


def honest(run: Run) -> Known:
    """The right side says at each step what the honest debater says there: that wins with probability d against any other."""
    side = right_side(run)
    return all(same(each.move, each.told) for each in run.again if each.seat == side) or None


# -- markets, models that are approved of, consultants -----------------------------------------------------------------


def traded(run: Run) -> Known:
    """The adversary is paid no less than for any other statement, silence among them, and each price of the market is what the
    judge believes at the end, which is what costs a market least: one that follows whatever is claimed can be led to and fro."""
    end = run.transcript.outcome
    assert isinstance(end, Decided) and isinstance(run.protocol, MarketMaking)
    prices = [
        step.move["probabilities"] for step in run.transcript.steps() if step.move["kind"] == "price" and not step.under
    ]
    if not prices or any(distance(price, end.verdict.probabilities) > GAIN for price in prices):
        return False
    judge, had = {run.judge: run.right_judge()}, end.payoffs["adversary"]
    return nothing_better(run, "adversary", had, (run.fresh(**judge, adversary=other) for other in adversaries(run)))


def adversaries(run: Run) -> Iterator[Any]:
    """The task's programs; and where nothing is behind pointers, whoever says one thing of a finite family again and again."""
    yield from others(run, "adversary")
    assert isinstance(run.protocol, MarketMaking)
    if run.task.messages == "pointers" or not hasattr(type(run.task), "rule"):
        return
    with suppress(MootError, ValueError, LookupError):
        says = dict[str, str]()
        for statement in statements(run.task, run.question, says)[:24]:
            yield Says([statement] * run.protocol.horizon)


class Answering(Program):
    """A model that claims one thing, and answers all else as it is recorded, or as another does."""

    def __init__(self, claim: str, recorded: dict[str, Move], other: Any) -> None:
        self.claim, self.recorded, self.other = claim, recorded, other

    def act(self, request: Request) -> Move:
        if Claim in request.kinds:
            return Claim(answer=self.claim)
        move: Move = self.recorded.get(request.view.question.text) or self.other.act(request)
        return move


def approved(run: Run) -> Known:
    """The claim is paid no less than any other, the answers to sub-questions being as they were."""
    end = run.transcript.outcome
    assert isinstance(end, Decided)
    said = {
        each.text: run.moves[each.step]
        for each in run.again
        if run.roles[each.seat] == "model" and not isinstance(each.move, Claim)
    }
    judge = {run.judge: run.right_judge()}
    models = (Answering(claim, said, run.seated["model"].make()) for claim in (*run.question.choices, UNKNOWN))
    return nothing_better(run, "model", end.payoffs["model"], (run.fresh(model=model, **judge) for model in models))


def convincing(run: Run) -> Known:
    """Where there is a certificate for the answer that it argues for, which is where that is the truth, it convinced the judge."""
    argued = {each.answer for each in run.again if each.seat != run.judge and each.answer is not None}
    return run.truth not in argued or run.verdict == run.truth


KINDS: tuple[tuple[Any, Callable[[Run], Known]], ...] = (
    (MarketMaking, traded), (Approval, approved), (Consultancy | Propaganda, convincing),
    (CrossExamination | DeterministicDoublyEfficientDebate, committed), (DoublyEfficientDebate, honest),
    (TwoSided, searched), (DecompositionDebate, apart), (Protocol, replied),
)  # fmt: skip
"""How it is found out, by the kind of protocol; the first that fits."""
