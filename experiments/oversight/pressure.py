"""What optimisation pressure makes of a rare event, in closed form and played: budgets, attackers, caps, floors, and a coin.
Rule: figures of finite policies, and plays of them; the forms themselves are in `complexity/pressure`.

Quantilizers: Taylor 2016. Best of n: Beirami et al. 2024 (arXiv 2401.01879). Every figure is worst case over the event: it lies where
the pressure pushes to.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from operator import eq
from pathlib import Path
from random import Random
from typing import Any

from moot.agents.policy import Policy
from moot.agents.wrappers.best_of import BestOf
from moot.agents.wrappers.quantilized import Quantilized
from moot.complexity.pressure.bounds import clopper_pearson
from moot.complexity.pressure.divergences import any_of, greatest_ratio, kl, kl_inverse, selection_kl
from moot.complexity.pressure.policies import best_of, policy, quantilize, quantilized, tilt
from moot.experiments.oversight import pressure_bounds
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.pressure import pressure
from moot.play.run import arun, in_loop, run
from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request

Finite = Mapping[int, float]
STEPS = (0.011916, 0.086613, 0.2359, 0.439727, 0.661985, 0.858549, 0.984288)
"""An event of 1e-6 after each of seven steps, each of .1 nats from the policy before."""
DRAWS, DELTA = 20_000, 0.05
"""Draws from the anchor, none of them in the event, and how probably a bound that is made of them may fail."""
ACTIONS = 100
MISSES = 1e-4
"""How probably the interval of a frequency misses what it is held against."""


def frequency(name: str, hits: int, plays: int, exact: float) -> Row:
    """How often something came about in plays, with its Clopper-Pearson interval, which misses with probability at most `MISSES`, against
    how probable it is."""
    found = clopper_pearson(hits, plays, MISSES / 2)
    low, high = found.lower or 0.0, 1.0 if found.upper is None else found.upper
    return Row(
        name=name, measured=hits / plays, low=low, high=high, published=exact, count=plays, holds=low <= exact <= high
    )


def whole(study: str, **numbers: tuple[int, int]) -> None:
    """UsageError for numbers that are not whole, or below what they must be; each is given as (number, least)."""
    for name, (number, least) in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= 1e300:
            raise UsageError(f"{study}: {name} is {number!r:.60}; give a whole number of at least {least}")


def steps(p: float = 1e-6, budget: float = 0.1, count: int = len(STEPS)) -> list[dict[int, float]]:
    """An anchor over outcomes 0 and 1, the event, and the policies after so many steps, each the worst within a budget of the last."""
    found = [policy({0: 1 - p, 1: p})]
    for _ in range(count):
        found.append(tilt(found[-1], _bad, kl_inverse(found[-1][1], budget)))
    return found


def attacks(budget: float = 0.1) -> tuple[dict[int, float], list[dict[int, float]]]:
    """Of as many actions as there are, equally probable, the worst tilt within a budget to one: that of an attacker who knows
    which, action 1, and all those among which one draws who does not."""
    base = dict.fromkeys(range(ACTIONS), 1 / ACTIONS)
    to = kl_inverse(1 / ACTIONS, budget)
    every = [tilt(base, partial(eq, aim), to) for aim in base]
    return every[1], every


def coin(p: float = 0.001, n: int = 16) -> tuple[float, float]:
    """An event's probability where a coin has a play drawn from its base, or as the best of n: in all, and on the second path."""
    through = any_of(p, n) / 2
    return p / 2 + through, through


def reproduce(seed: int = 0, plays: int = 400, pictures: Path | str | None = None) -> Report:
    """All figures. plays: of each policy that is played. pictures: a folder for `pressure.png`. UsageError for plays below 1, and
    without the extra `plot` for the picture."""
    if plays < 1:
        raise UsageError(f"pressure: {plays} plays of each policy; give at least one")
    if pictures is not None:
        panels(("",))  # said before anything is played
    rows = [*_budgets(), *_attackers(), *_caps(), *_floors(), *_recursive(), *_coins(), *pressure_bounds.rows()]
    played = [frequency(f"played: {case.name}", case.hits(seed, plays), plays, case.exact) for case in cases()]
    notes = [
        "Closed forms are held against figures worked out apart from this code, to the digits that those were written with. "
        f"A frequency holds where its interval, which misses with probability {MISSES:g}, has the closed form in it.",
        "What this does not show: that a model's outputs are independent draws of one anchor, that the anchor is safe beyond "
        "its draws, or what pressure really did. The figures are worst cases over events; best of n usually does far less.",
    ]
    if pictures is not None:
        notes.append(written(_picture(played), pictures, "pressure.png"))
    return Report(
        title="Optimisation pressure against an anchor", source="after Taylor 2016 and Beirami et al. 2024",
        rows=(*rows, *played, *ledgers(seed)), settings={"seed": seed, "plays": plays}, notes=tuple(notes),
    )  # fmt: skip


# -- closed forms -------------------------------------------------------------------------------------------------------


def _budgets() -> list[Row]:
    policies = steps()
    found = [
        Row.equal(
            f"{'.1 nats a step, from 1e-6: after ' if number == 1 else '  after '}{number}",
            each[1],
            wanted,
            within=6e-7,
        )
        for number, (each, wanted) in enumerate(zip(policies[1:], STEPS, strict=True), 1)
    ]
    last = policies[-1]
    return [
        *found,
        Row.equal("  against the anchor that is, in nats", kl(last, policies[0]), 13.5176, within=6e-5),
        Row.equal("  .7 nats against the anchor allow", kl_inverse(1e-6, 0.7), 0.0688014, within=6e-8),
    ]


def _attackers() -> list[Row]:
    best, every = attacks()
    mean = math.fsum(each[1] for each in every) / len(every)
    return [
        Row.equal("within .1 nats of .01, optimising", best[1], 0.0805145, within=6e-8),
        Row.equal("  stochastic: the action is drawn", mean, 0.01, within=1e-12),
    ]


def _caps(n: int = 16, k: int = 4) -> list[Row]:
    p = anchored()
    top = policy({0: 1 - p, 1: p})
    drawn, some = best_of(top, n, float)[1], quantilized(top, n, k, float)[1]
    ratio = n / k * p
    return [
        Row.equal(f"an anchor, 0 of {DRAWS:,}: at most", p, 1.498e-4, within=6e-8),
        Row.equal(f"  best of {n}, by its draws", any_of(p, n), 0.0023937, within=6e-8),
        Row.equal("    where the event scores best", drawn, any_of(p, n), within=1e-12),
        Row.equal(f"  best of {n}, by its KL", kl_inverse(p, selection_kl(n)), 0.27518, within=6e-6),
        Row(name=f"  one of the best {k} of {n}", measured=some, holds=some <= ratio,
            published=f"<= {ratio:.6g}", note=f"where the event scores best; the bound is by the greatest ratio, {n // k}"),
    ]  # fmt: skip


def _floors() -> list[Row]:
    floor = anchored(2000)
    missed = (1 - 0.99 * floor) ** 2000
    found = [
        Row.equal("0 of 2,000 draws: at most", floor, 0.0014967, within=6e-8),
        Row(name="  1 % below that, 0 of 2,000 has", measured=missed, published=f"> {DELTA}",
            holds=missed > DELTA),
        Row.equal("  a tenth of them from the anchor", floor / 0.1, 0.0149674, within=6e-8),
    ]  # fmt: skip
    for number, wanted in ((1, 1.747e-4), (5, 3.356e-4), (20, 4.741e-4)):
        share = 6 * DELTA / (math.pi * number) ** 2
        name = f"{DRAWS:,} draws a round: in round {number}" if number == 1 else f"  in round {number}"
        found.append(Row.equal(name, anchored(DRAWS, share), wanted, within=6e-8))
    return found


def _recursive(outcomes: int = 64, q: float = 0.25) -> list[Row]:
    base = dict.fromkeys(range(outcomes), 1 / outcomes)
    found, rows = base, list[Row]()
    for number, wanted in enumerate((4, 16, 64, 64), 1):
        found = quantilize(found, q, float)
        name = f"1/4-quantilized again and again: {number}" if number == 1 else f"  {number} times"
        rows.append(Row.equal(name, greatest_ratio(found, base), wanted, within=1e-9,
                              note="greatest ratio to the uniform anchor of 64 outcomes" if number == 1 else ""))  # fmt: skip
    return rows


def _coins() -> list[Row]:
    (whole, through), p = coin(), 0.001
    quiet = speaking({0: 1 - p, 1: p})
    play = run(Consultancy(rounds=1), QUESTION, {"consultant": quiet, "judge": believes})
    ratio = pressure(play, quiet, seats=["consultant"]).rows[0].ratio or math.inf
    return [
        Row.equal("a coin: .001, or best of 16 of it", whole, 0.00844, within=6e-6),
        Row.equal("  of that by the best of 16", through, 0.00794, within=6e-6),
        Row(name="  by a record of the other path", measured=p * ratio, published="no bound",
            holds=whole > p * ratio, note=f"which shows a ratio of {ratio:g}"),
    ]  # fmt: skip


def anchored(draws: int = DRAWS, delta: float = DELTA) -> float:
    """What draws from the anchor bound an event by that none of them was in."""
    return clopper_pearson(0, draws, delta).upper or 0.0


def _bad(outcome: int) -> bool:
    return outcome == 1


# -- plays --------------------------------------------------------------------------------------------------------------

QUESTION = Question("Is the plan safe?", ("yes", "no"))


@dataclass(frozen=True)
class Case:
    """A speaker of a one-speech consultancy, and how probable it is that its speech is the event."""

    name: str
    speaker: Any
    event: int
    exact: float

    def hits(self, seed: int, plays: int) -> int:
        """In how many plays it was."""
        protocol, found = Consultancy(rounds=1), 0

        async def played() -> int:
            nonlocal found
            for number in range(plays):
                seats = {"consultant": self.speaker, "judge": believes}
                play = await arun(protocol, QUESTION, seats, seed=seed * plays + number)
                found += any(
                    step.seat == "consultant" and step.move["text"] == str(self.event) for step in play.steps()
                )
            return found

        return in_loop(played)


def cases(outcomes: int = 20) -> list[Case]:
    """The speakers that are played: of the coin, and of quantilizing twice, with an event that plays can count."""
    base = dict.fromkeys(range(outcomes), 1 / outcomes)
    top, p = outcomes - 1, 1 / outcomes
    best, every = attacks()
    last, twice = steps()[-1], quantilize(quantilize(base, 0.5, float), 0.5, float)
    anchor, sixteen = speaking(base), BestOf(speaking(base), 16, score=said)
    some = Quantilized(speaking(base), 16, 4, score=said)

    async def tossed(request: Request) -> Any:
        heads = Random(f"{request.seed}/coin").random() < 0.5
        return await sixteen.act(request) if heads else anchor.act(request)

    def drawn(request: Request) -> Any:
        return speaking(every[Random(f"{request.seed}/aim").randrange(ACTIONS)]).act(request)

    return [
        Case("after seven steps of .1 nats", speaking(last), 1, STEPS[-1]),
        Case("an optimising attacker", speaking(best), 1, 0.0805145),
        Case("a stochastic attacker", drawn, 1, 0.01),
        Case(f"the anchor, of {outcomes} speeches", anchor, top, p),
        Case("  best of 4", BestOf(speaking(base), 4, score=said), top, any_of(p, 4)),
        Case("  best of 16", sixteen, top, any_of(p, 16)),
        Case("  one of the best 4 of 16", some, top, quantilized(base, 16, 4, float)[top]),
        Case("  a coin: base or best of 16", tossed, top, coin(p)[0]),
        Case("  1/2-quantilized twice", speaking(twice), top, 4 * p),
    ]


def ledgers(seed: int, outcomes: int = 20) -> list[Row]:
    """What the ledger certifies from the record of one play, of an event that the anchor has in one of so many replies."""
    base = dict.fromkeys(range(outcomes), 1 / outcomes)
    anchor, p = speaking(base), 0.001
    coined = lambda request: anchor.act(request)  # noqa: E731 - of whom nobody knows what else he might do
    found: list[Row] = []
    for name, agent, exact in (
        ("best of 16", BestOf(anchor, 16, score=said), any_of(p, 16)),
        ("one of the best 4 of 16", Quantilized(anchor, 16, 4, score=said), 4 * p),
        ("an agent that may do anything", coined, None),
    ):
        play = run(Consultancy(rounds=1), QUESTION, {"consultant": agent, "judge": believes}, seed=seed)
        certificate = pressure(play, anchor, seats=None if exact else ["consultant"], event=p).certificate
        upper = None if certificate is None else certificate.upper
        found.append(Row(
            name=f"the ledger of {'.001, ' if not found else ''}{name}", measured="none" if upper is None else upper,
            published="none" if exact is None else f">= {exact:.6g}", holds=upper is None if exact is None else upper is not None and upper >= exact,
            note="with a second attempt at what is rejected" if not found else "",
        ))  # fmt: skip
    return found


def speaking(of: Finite) -> Policy:
    """A finite policy as an agent, whose speeches are its outcomes."""
    moves = {Speech(text=str(outcome)): share for outcome, share in of.items()}
    return Policy(lambda request: moves)


def said(request: Request, move: Move) -> float:
    """A speech's score: the outcome that it is."""
    return float(move.text) if isinstance(move, Speech) else -math.inf


def believes(request: Request) -> Verdict:
    """A judge who believes whatever was said."""
    return Verdict(probabilities=(1.0, 0.0))


# -- the picture --------------------------------------------------------------------------------------------------------


def _picture(played: list[Row]) -> Any:
    figure, (left, middle, right) = panels((
        "Seven steps of .1 nats", f"What {DRAWS:,} draws without the event certify", "Played, against the closed form",
    ))  # fmt: skip
    numbers = range(len(STEPS) + 1)
    path = [each[1] for each in steps()]
    left.plot(numbers, path, "o-", color=DARK, label="each from the last policy")
    left.plot(numbers, [kl_inverse(1e-6, 0.1 * n) for n in numbers], "s--", color=MIDDLE, label="all from the anchor")
    left.set(yscale="log", ylim=(5e-7, 2), xlabel="steps taken", ylabel="most that an event of 1e-6 can have")
    _legend(left, "lower right")

    p, sizes = anchored(), [2**power for power in range(11)]
    curves: tuple[tuple[str, str, str, Callable[[int], float]], ...] = (
        ("best of n, by its KL", "s--", MIDDLE, lambda n: kl_inverse(p, selection_kl(n))),
        ("best of n, by its draws", "o-", DARK, lambda n: any_of(p, n)),
        ("one of the best quarter of n", "^-", LIGHT, lambda n: min(n, 4) * p),
    )  # fmt: skip
    for label, style, colour, at in curves:
        drawn = [n for n in sizes if n >= 4 or "quarter" not in label]
        middle.plot(drawn, [at(n) for n in drawn], style, color=colour, markersize=5, label=label)
    middle.axhline(p, color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    middle.text(sizes[-1], p * 0.93, "the anchor itself", ha="right", va="top", fontsize=8.5, color="0.35")
    middle.set(
        xscale="log", yscale="log", ylim=(p / 2, 60), xlabel="draws n", ylabel="bound of the event's probability"
    )
    middle.set_xticks([1, 4, 16, 64, 256, 1024], ["1", "4", "16", "64", "256", "1024"])
    middle.set_yticks([10.0**power for power in range(-4, 1)])
    middle.minorticks_off()
    _legend(middle, "upper left")

    places = range(len(played))
    for place, row in zip(places, played, strict=True):
        right.plot([row.low, row.high], [place, place], color=LIGHT, linewidth=4, solid_capstyle="butt")
        right.plot([row.measured], [place], "o", color=DARK, markersize=5, label=None if place else "played")
        right.plot([row.published], [place], "|", color=MIDDLE, markersize=16, markeredgewidth=2,
                   label=None if place else "closed form")  # fmt: skip
    names = [row.name.removeprefix("played: ").strip() for row in played]
    right.set_yticks(places, names, fontsize=8.5)
    right.set(ylim=(len(played) - 0.4, -0.6), xlim=(-0.02, 1.02), xlabel="share of plays with the event")
    _legend(right, "upper right", bbox_to_anchor=(0.93, 1.0))
    return figure


def _legend(axes: Any, where: str, **more: Any) -> None:
    axes.legend(loc=where, fontsize=8.5, frameon=False, **more)
