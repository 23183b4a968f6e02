"""What a protocol adds to a judge and what rests on a planted fact; and a frozen liar answered, against training from scratch.
Rule: debates about small quantified formulas, solved by trying every move; any agent may be the judge.

Three arms: the judge alone, the protocol, and the protocol where who defends the truth has lost one fact. Then two ways to a debater: the
best reply to one frozen opponent, and minimax, each held against every opponent. Irving, Christiano and Amodei 2018 (arXiv 1805.00899)
give the game.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from moot.agents.policy import Policy
from moot.complexity.search.exploit import exploit
from moot.complexity.search.solve import solve
from moot.complexity.search.strategy import Strategy, position
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.run import arun, in_loop
from moot.protocols.debate.consultancy import DirectQA
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.qbf import Assign, QBFDebate, variables
from moot.tasks.logic.tqbf import FALSE, TQBF, TRUE, MatrixJudge
from moot.transcripts.transcript import Transcript

TASK, DEBATE, JUDGE = TQBF(), QBFDebate(), MatrixJudge()
VARIABLES = 8
FORMULAS, MANY = 40, 300
"""Formulas of the quick report and of the full one."""
COUNTED = {FORMULAS: (24, 24, 3, 24), MANY: (164, 164, 18, 164)}
"""From the formulas of seed 0, by how many there are: true ones; those in which the best reply to the frozen liar beats it, and holds
against every opponent; and in which minimax does."""


@dataclass(frozen=True)
class Formula:
    """A formula as a question. truth: whether it is true. honest, liar: the seats that defend the right answer, and the other."""

    sample: Sample
    truth: bool
    honest: str
    liar: str

    @property
    def data(self) -> Any:
        return self.sample.question.data


def formulas(count: int, size: int = VARIABLES, seed: int = 0) -> list[Formula]:
    """Random formulas of so many variables. Raises UsageError for a count below 1, and sizes outside 2 to 10, more than a search of
    every move takes a moment for."""
    if (
        any(isinstance(each, bool) or not isinstance(each, int) for each in (count, size))
        or count < 1
        or not 2 <= size <= 10
    ):
        raise UsageError(f"arms: {count!r} formulas of {size!r} variables; give at least one, of 2 to 10 variables")
    found = []
    for number in range(count):
        sample = TASK.sample_of(TASK.data(size, Random(f"arms/{seed}/{number}")))
        truth = sample.unseal() == sample.question.choices.index(TRUE)
        seats = DEBATE.sides(sample.question)
        found.append(Formula(sample, truth, *(seats if truth else seats[::-1])))
    return found


# -- a frozen liar ------------------------------------------------------------------------------------------------------


def frozen(seed: str) -> Any:
    """A debater that was drawn once: at every position a value, always the same there, with no regard to the formula."""

    def act(request: Request) -> Assign:
        said = "".join("01"[entry.move.value] for entry in request.view if isinstance(entry.move, Assign))
        return Assign(value=Random(f"frozen/{seed}/{said}").random() < 0.5)

    return act


class Elsewhere:
    """A strategy where it has a move, and another agent where it has none: a best reply says nothing of positions to which the
    opponent it was found against never leads. other: by default sets every variable false."""

    def __init__(self, strategy: Strategy, other: Any = None) -> None:
        self.strategy, self.other = strategy, other

    def act(self, request: Request) -> Any:
        known = position(request, self.strategy.key) in self.strategy.moves
        if known:
            return self.strategy.act(request)
        return Assign(value=False) if self.other is None else self.other(request)


def aligned(formula: Formula, liar: Any) -> Elsewhere:
    """The best reply to a frozen liar: what optimising against it alone comes to."""
    seats = {formula.liar: liar, "judge": JUDGE}
    return Elsewhere(
        solve(DEBATE, formula.sample, moves={formula.honest: None}, seats=seats, strategy=True).strategy[formula.honest]
    )


def scratch(formula: Formula) -> Strategy:
    """The minimax strategy of whoever defends the truth: what training both sides from scratch comes to in the limit."""
    return solve(DEBATE, formula.sample, seats={"judge": JUDGE}, strategy=True).strategy[formula.honest]


def beats(formula: Formula, debater: Any, liar: Any) -> bool:
    """Whether a debater for the truth wins against this opponent."""
    return chance(formula, debater, liar) == 1.0


def chance(formula: Formula, debater: Any, liar: Any) -> float:
    """How probably it does, exactly, over the draws of policies."""
    seats, only = {formula.honest: debater, formula.liar: liar}, {"judge": lambda request: [JUDGE.act(request)]}
    found = solve(
        DEBATE, formula.sample, moves=only, seats=seats, pays=lambda end: {"judge": end.payoffs[formula.honest]}
    )
    return (1 + found.value["judge"]) / 2


def holds_against_all(formula: Formula, debater: Any) -> bool:
    """Whether it wins against every opponent: a best-responding one gains nothing beyond the value of the game."""
    moves = {formula.honest: None, formula.liar: None}
    return exploit(DEBATE, formula.sample, formula.honest, debater, moves=moves, seats={"judge": JUDGE}).gain == 0


# -- three arms ---------------------------------------------------------------------------------------------------------


def alone(request: Request) -> list[tuple[Verdict, float]]:
    """A judge without debaters, and with as much to read: it draws one assignment, and believes what the matrix says of it."""
    question, data = request.view.question, request.view.question.data
    share, yes = satisfied(data), question.choices.index(TRUE)
    return [(Verdict.sure(yes), share), (Verdict.sure(1 - yes), 1 - share)]


def satisfied(data: Any) -> float:
    """The share of all assignments that satisfy every clause."""
    numbers = [variable for _, variable in variables(data)]
    clauses = data["clauses"]
    hits = sum(
        all(any((literal > 0) == values[abs(literal)] for literal in clause) for clause in clauses)
        for values in (dict(zip(numbers, each, strict=True)) for each in product((False, True), repeat=len(numbers)))
    )
    return float(hits / 2 ** len(numbers))


def knowing(request: Request) -> Assign:
    """A debater that knows what is true of every position: the first value that wins for it, or the first where none does."""
    wanted = TRUE if request.seat == DEBATE.sides(request.view.question)[0] else FALSE
    options = [(move, truth) for move, truth in TASK.after(request) if isinstance(move, Assign)]
    return next((move for move, truth in options if truth == wanted), options[0][0])


def without(fact: bool = True) -> Policy:
    """The same, as a policy, less, with fact, one thing: which value its first variable must have, which it draws. From there on it
    knows again."""

    def moves(request: Request) -> list[tuple[Assign, float]]:
        said = any(isinstance(entry.move, Assign) and entry.seat == request.seat for entry in request.view)
        if fact and not said:
            return [(Assign(value=value), 0.5) for value in (False, True)]
        return [(knowing(request), 1.0)]

    return Policy(moves)


@dataclass(frozen=True)
class Arms:
    """How probably the judge is right on a formula: alone, with the protocol, and where the planted fact is gone; against a liar
    that replies best. reply: that liar, to who has lost the fact."""

    alone: float
    protocol: float
    removed: float
    reply: Strategy


def arms(formula: Formula) -> Arms:
    """The three arms, exactly."""
    share = satisfied(formula.data)
    found = []
    for fact in (False, True):
        seats = {formula.honest: without(fact), "judge": JUDGE}
        reply = solve(DEBATE, formula.sample, moves={formula.liar: None}, seats=seats, strategy=True)
        found.append(((1 - reply.value[formula.liar]) / 2, reply.strategy[formula.liar]))
    (whole, _), (removed, liar) = found
    return Arms(share if formula.truth else 1 - share, whole, removed, liar)


# -- plays --------------------------------------------------------------------------------------------------------------


def plays_of(seated: Sequence[tuple[Protocol, Formula, dict[str, Any], int]]) -> list[Transcript]:
    """Plays of formulas with these agents and seeds, one after another."""

    async def played() -> list[Transcript]:
        return [await arun(protocol, formula.sample, seats, seed=seed) for protocol, formula, seats, seed in seated]

    return in_loop(played)


def right(play: Transcript) -> bool:
    """Whether a play was decided for the truth."""
    return isinstance(play.outcome, Decided) and play.outcome.verdict.choice == play.sample.unseal()


def judged(judge: Any, of: Sequence[Formula], seed: int = 0) -> tuple[list[Transcript], list[Transcript]]:
    """Plays with any agent as the judge: alone, with the formula before it, and behind a debate of an honest debater that knows what is
    true with a frozen liar."""
    by_itself = [(DirectQA(source=True), formula, {"judge": judge}, seed) for formula in of]
    debated = [
        (
            DEBATE,
            formula,
            {formula.honest: without(False), formula.liar: frozen(f"{seed}/{number}"), "judge": judge},
            seed,
        )
        for number, formula in enumerate(of)
    ]
    return plays_of(by_itself), plays_of(debated)


# -- the study ----------------------------------------------------------------------------------------------------------

FAIR = Policy(lambda request: {Assign(value=value): 0.5 for value in (False, True)})
"""An opponent that draws each value."""


def reproduce(
    seed: int = 0, full: bool = False, pictures: Path | str | None = None, count: int | None = None
) -> Report:
    """All figures. count: of formulas, 40 unless given. full: 300. pictures: a folder for `arms.png`. UsageError for a count below 1, and
    without the extra `plot` for the picture."""
    if pictures is not None:
        panels(("",))  # said before anything is searched
    count = (MANY if full else FORMULAS) if count is None else count
    found = formulas(count, seed=seed)
    shares, played = _arms(found, seed)
    ways, fresh = _ways(found, seed, count)
    notes = [
        f"Random formulas of {VARIABLES} variables. The judge reads one assignment and the clauses in each arm; alone, it draws that assignment. "
        "The planted fact is the value of the first variable of whoever defends the truth, and the liar replies best to who has lost it. "
        "A best reply says nothing of positions where its opponent never leads; there it sets every variable false.",
        "What this does not show: that training against one opponent finds a best reply, or self-play minimax; both are taken from an exact "
        "search. How rarely a best reply holds is how rarely "
        "its values off that line do, which no training against the liar settles: one that knows what is true there holds in most. Nor does it show that what "
        "a model knows can be taken away as cleanly as a fact from a program, or that other judges alone would do no better.",
    ]
    if pictures is not None:
        notes.append(written(_picture(shares, ways, fresh), pictures, "arms.png"))
    return Report(
        title="What a protocol adds, and a frozen liar against training from scratch", source="after Irving, Christiano and Amodei 2018",
        rows=(*_shares(shares), *played, *ways, *fresh), settings={"seed": seed, "formulas": count, "variables": VARIABLES}, notes=tuple(notes),
    )  # fmt: skip


Shares = dict[bool, tuple[float, float, float, int]]
"""For true and for false formulas: how often the judge is right alone, with the protocol and without the fact, and how many they are."""


def _arms(found: Sequence[Formula], seed: int) -> tuple[Shares, list[Row]]:
    solved = [arms(formula) for formula in found]
    shares: Shares = {}
    for truth in (True, False):
        of = [each for each, formula in zip(solved, found, strict=True) if formula.truth == truth]
        by_itself, whole, less = (
            _mean([getattr(each, name) for each in of]) for name in ("alone", "protocol", "removed")
        )
        shares[truth] = (by_itself, whole, less, len(of))
    numbers = range(3 * len(found))
    base = seed * 1_000_000
    drawn = plays_of(
        [(DirectQA(source=True), found[n % len(found)], {"judge": Policy(alone)}, base + n) for n in numbers]
    )
    removed = []
    for number in numbers:
        formula, each = found[number % len(found)], solved[number % len(found)]
        seats = {formula.honest: without(), formula.liar: each.reply, "judge": JUDGE}
        removed.append((DEBATE, formula, seats, base + number))
    lost = plays_of(removed)
    return shares, [
        frequency("played: the judge alone is right", sum(map(right, drawn)), len(numbers), _mean([each.alone for each in solved])),
        frequency("  with the fact removed", sum(map(right, lost)), len(numbers), _mean([each.removed for each in solved])),
    ]  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def _shares(shares: Shares) -> list[Row]:
    rows = []
    for truth, (by_itself, whole, removed, count) in shares.items():
        if not count:
            continue
        rows += [
            Row(name=f"{'true' if truth else 'false'} formulas: right alone", measured=by_itself, count=count),
            Row.equal("  with the protocol", whole, 1.0, count=count),
            Row(
                name="  with the planted fact removed",
                measured=removed,
                published="<= 1",
                count=count,
                holds=removed <= whole,
            ),
            Row(name="  gain of the protocol", measured=whole - by_itself),
            Row(name="  what is left of it without the fact", measured=removed - by_itself),
        ]
    return rows


def _ways(found: Sequence[Formula], seed: int, count: int) -> tuple[list[Row], list[Row]]:
    """To a debater for the truth, on true formulas: by the best reply to a frozen liar, and by minimax."""
    true = [(formula, frozen(f"{seed}/{number}")) for number, formula in enumerate(found) if formula.truth]
    if not true:
        raise UsageError(
            f"arms: of {count} formulas by seed {seed} none is true, and it is on these that a liar is answered; give more"
        )
    replies = [aligned(formula, liar) for formula, liar in true]
    optimal = [scratch(formula) for formula, _ in true]
    beaten = sum(beats(formula, reply, liar) for (formula, liar), reply in zip(true, replies, strict=True))
    holding = sum(holds_against_all(formula, reply) for (formula, _), reply in zip(true, replies, strict=True))
    least = sum(holds_against_all(formula, each) for (formula, _), each in zip(true, optimal, strict=True))
    mended = [Elsewhere(reply.strategy, knowing) for reply in replies]
    others = sum(holds_against_all(formula, each) for (formula, _), each in zip(true, mended, strict=True))
    false = sum(holds_against_all(formula, lambda request: Assign(value=False)) for formula, _ in true)
    n = len(true)
    counted = COUNTED.get(count) if seed == 0 else None
    told = "" if counted is None else f"counted once: {counted[2]} of {counted[0]}"
    same = counted is None or counted == (n, beaten, holding, least)
    ways = [
        Row.equal("the best reply beats its frozen liar", beaten, n, count=n),
        Row(name="  and holds against every opponent", measured=holding, published=f"< {n}", count=n, holds=holding < n and same, note=told),
        Row(name="    where it knows what is true off that line", measured=others, count=n),
        Row(name="  who sets every variable false holds in", measured=false, count=n),
        Row.equal("minimax holds against every opponent", least, n, count=n),
    ]  # fmt: skip
    chances = [chance(formula, reply, FAIR) for (formula, _), reply in zip(true, replies, strict=True)]
    numbers = range(3 * n)
    rows = []
    for name, debaters, exact in (("the best reply", replies, _mean(chances)), ("minimax", optimal, 1.0)):
        seated = [
            (DEBATE, true[k % n][0], {true[k % n][0].honest: debaters[k % n], true[k % n][0].liar: FAIR, "judge": JUDGE}, seed * 1_000_000 + k)
            for k in numbers
        ]  # fmt: skip
        wins = sum(map(right, plays_of(seated)))
        rows.append(frequency(f"played: {name} against one that draws", wins, len(numbers), exact))
    return ways, rows


def _picture(shares: Shares, ways: list[Row], fresh: list[Row]) -> Any:
    figure, (left, right_) = panels(("How often the judge is right", "A debater for the truth, on true formulas"), 11)
    names = ("judge alone", "protocol", "protocol, fact removed")
    for place, (truth, colour) in enumerate(((True, DARK), (False, LIGHT))):
        values = shares[truth][:3]
        at = [number + 0.38 * place for number in range(3)]
        left.bar(
            at, values, width=0.36, color=colour, label=f"{'true' if truth else 'false'} formulas ({shares[truth][3]})"
        )
        for x, value in zip(at, values, strict=True):
            left.text(x, value + 0.01, f"{value:.2f}", ha="center", va="bottom", fontsize=8.5)
    left.set_xticks([number + 0.19 for number in range(3)], names)
    left.set(ylim=(0, 1.25), ylabel="share of formulas")
    left.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    left.legend(loc="upper left", fontsize=8.5, frameon=False, ncols=2)
    n = ways[0].count or 1
    beaten, holding, least = (float(ways[place].measured or 0) / n for place in (0, 1, -1))
    reply, drawn = (float(row.published or 0) for row in fresh)
    columns = ((beaten, reply, holding), (1.0, drawn, least))
    for place, (label, colour) in enumerate((("best reply to the frozen liar", MIDDLE), ("minimax", DARK))):
        at = [number + 0.38 * place for number in range(3)]
        right_.bar(at, columns[place], width=0.36, color=colour, label=label)
        for x, value in zip(at, columns[place], strict=True):
            right_.text(x, value + 0.01, f"{value:.2f}", ha="center", va="bottom", fontsize=8.5)
    right_.set_xticks([number + 0.19 for number in range(3)], ("that liar", "one that draws", "every opponent"))
    right_.set(ylim=(0, 1.25), ylabel="won (every opponent: share of formulas)")
    right_.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    right_.legend(loc="upper left", fontsize=8.5, frameon=False, ncols=2)
    for axes in (left, right_):
        axes.axhline(1, color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    return figure
