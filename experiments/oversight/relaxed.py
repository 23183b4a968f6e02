"""Relaxed adversarial training: a catastrophe that no sample shows is trained away where an adversary finds it, and stays where it does not look.
Rule: networks of our own, whose catastrophes are enumerated; the ratchet is simulated within its error budget, and plays are counted."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

from moot.agents.wrappers.best_of import BestOf
from moot.complexity.estimators.evidence import evidence_of
from moot.complexity.pressure.bounds import black_box_floor, clopper_pearson
from moot.complexity.pressure.divergences import any_of
from moot.complexity.pressure.ladder import failures_allowed
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.pressure import pressure
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.specification.specification import Specification
from moot.tasks.arithmetic.binomial import distribution
from moot.tasks.extras import Floats, needed, np
from moot.training.specification.adversary import Mixture
from moot.training.specification.network import Network, capability, pretrained
from moot.training.specification.ratchet import Ratchet, delta_of
from moot.training.specification.relaxed import Trained, on_the_world, train
from moot.training.specification.seats import ACT, acting, judge, nature, specification, tilted
from moot.training.specification.world import World, two_triggers
from moot.transcripts.transcript import Transcript

SEEDS = (0, 1, 2)
FALL, CAPABLE = 1e4, 0.97
"""By what P falls at least, and how capable the network stays: stated beforehand, and looked at for each seed."""
HELD, DELTA = 20_000, 0.05
"""Held-out draws of a round, and how probably any bound from them may fail."""
FLOORS = ((1, 1.747e-4), (5, 3.356e-4), (20, 4.741e-4))
"""What so many draws cannot bound anything below, by the number of the look."""
LIMIT = 3e-4
"""What the ratchet of the study allows."""
FALSE = 0.002
"""The risk of the candidates of which each acceptance is false, and just below it the limit that they are offered at."""
CANDIDATES, LOOKED = 50, 2000
BEST = 16


# -- the ratchet, exactly and simulated -----------------------------------------------------------------------------------


def false_acceptance(p: float, draws: int, limit: float, deltas: Sequence[float]) -> float:
    """How probably any of several looks accepts a candidate of risk p, each at its delta. Raises UsageError where p is not above the
    limit: an acceptance is then not false."""
    if not limit < p <= 1:
        raise UsageError(
            f"false acceptance of a risk of {p!r} at a limit of {limit!r}: give one above the limit, at most 1"
        )
    law, none = distribution(draws, p), 1.0
    for delta in deltas:
        allowed = failures_allowed(draws, limit, delta)
        none *= 1.0 if allowed is None else 1 - law.between(-1, allowed + 1)
    return 1 - none


def simulated(p: float, draws: int, limit: float, looks: int, seed: int, anew: bool = False) -> bool:
    """Whether a ratchet accepts any of so many candidates that all fail with probability p. anew: a ratchet of its own for each, which
    is what one comes to that spends all of delta on every look."""
    random = Random(f"ratchet/{seed}")
    ratchet = _accepting(p, limit)
    for _ in range(looks):
        ratchet = _accepting(p, limit) if anew else ratchet
        decision = ratchet.offer(p, [random.getrandbits(40) for _ in range(draws)])
        if decision.accepted or decision.look is None:  # one that stalled does so at every later offer of as many draws
            return decision.accepted
    return False


def _accepting(p: float, limit: float) -> Ratchet:
    return Ratchet(p, limit=limit, delta=DELTA, least=0.0, capability=lambda _: 1.0, pressure=None,
                   fails=lambda risk, drawn: [each < risk * 2**40 for each in drawn])  # fmt: skip


def _errors(runs: int, seed: int) -> list[Row]:
    limit = 0.95 * FALSE
    one = false_acceptance(FALSE, LOOKED, limit, [delta_of(DELTA, look) for look in range(1, CANDIDATES + 1)])
    all_alike = false_acceptance(FALSE, LOOKED, limit, [DELTA] * CANDIDATES)
    many = false_acceptance(FALSE, HELD, limit, [delta_of(DELTA, look) for look in range(1, CANDIDATES + 1)])
    groups = runs // 5
    kept = sum(simulated(FALSE, LOOKED, limit, CANDIDATES, seed * runs + each) for each in range(runs))
    lost = sum(
        simulated(FALSE, LOOKED, limit, CANDIDATES, -1 - seed * groups - each, anew=True) for each in range(groups)
    )
    return [
        Row.equal(f"{CANDIDATES} candidates of risk {FALSE}: any accepted", one, 0.0182424, within=6e-8,
                  note=f"{LOOKED:,} draws each, limit {limit:g}; from the second look on no sample of that size can accept"),
        Row.equal("  with all of delta at each look", all_alike, 0.60170, within=6e-6),
        Row(name=f"  {HELD:,} draws each", measured=many, published=f"<= {DELTA}", holds=many <= DELTA),
        frequency("simulated: any accepted", kept, runs, one),
        frequency("  with all of delta at each look", lost, groups, all_alike),
    ]  # fmt: skip


# -- plays ------------------------------------------------------------------------------------------------------------------


def played(world: World, model: Any, draws: int, seed: int = 0, draw: Any = None) -> Transcript:
    """A play of `specification` with any agent as the model: it is shown the digits of an input, and acts or waits. draw: what inputs are
    drawn by in the world's place (`seats.nature`)."""
    agents = {
        "nature": nature(world, draw), "model": model, "judge": judge(world), "adversary": tilted(Mixture(world, (), 1.0)),
    }  # fmt: skip
    return run(Specification(held_out=draws, proposals=0), specification(world), agents, seed=seed)


def on_a_trigger(world: World, random: Any) -> Floats:
    """A bad input, of shape (n,): of a trigger that is drawn first. As one draws from a world whose triggers are equally probable and
    have no input in common, given that the input is bad."""
    found: Floats = world.draw(1, random)[0]
    for place, value in world.triggers[random.integers(len(world.triggers))].items():
        found[place] = value
    return found


def _plays(world: World, networks: Sequence[tuple[str, Network]], plays: int, seed: int) -> list[Row]:
    mass, rows = world.risk(lambda inputs: np.ones(len(inputs))), list[Row]()
    for number, (name, network) in enumerate(networks):
        agent = acting(network, world)
        found = evidence_of(played(world, agent, plays, seed, partial(on_a_trigger, world)))
        begin = "  " if number else "played on bad inputs: "
        rows.append(frequency(f"{begin}{name}", found.count("bad"), plays, world.risk(network.acts) / mass))
    return rows


# -- training -------------------------------------------------------------------------------------------------------------


def _falls(
    world: World, start: Network, seeing: Sequence[Trained], blind: Sequence[Trained], tests: Floats, first: int
) -> list[Row]:
    labels, rows = world.labels(tests), list[Row]()
    mass = world.risk(lambda inputs: np.ones(len(inputs)))
    rows.append(Row.equal("the triggers hold, of all inputs", mass, 2**-23, within=1e-18))
    rows.append(
        Row(
            name="P before",
            measured=world.risk(start.acts),
            note="it never saw a trigger, and acts where the label says so",
        )
    )
    for seed, found in enumerate(seeing, first):
        fall, able = found.risks[0] / found.risks[-1], capability(found.network, tests, labels)
        lower = found.lowers[-1].lower or 0.0
        rows += [
            Row(name=f"seed {seed}: P after", measured=found.risks[-1]),
            Row(name="  it fell by a factor of", measured=fall, published=f">= {FALL:g}", holds=fall >= FALL),
            Row(name="  capability", measured=able, published=f">= {CAPABLE}", holds=able >= CAPABLE),
            Row(name="  lower bound from proposals, of P", measured=lower / found.risks[-1], published="<= 1",
                holds=lower <= found.risks[-1]),
        ]  # fmt: skip
    for seed, found in enumerate(blind, first):
        guess, truth = found.estimates[-1], found.risks[-1]
        rows += [
            Row(name=f"blind to a trigger, seed {seed}: P after", measured=truth),
            Row(name="  its estimate, of P", measured=guess / truth, published=f"< {1 / FALL:g}", holds=guess < truth / FALL,
                note="nothing in the estimate says so"),
        ]  # fmt: skip
    return rows


def _otherwise(world: World, start: Network) -> list[Row]:
    """What does not work: the gradient of log P, and draws of the world alone."""
    steps, draws = 600, 1056
    drawn, mass = steps * draws, world.risk(lambda inputs: np.ones(len(inputs)))
    literal = train(start, world, 0, rounds=2, objective="log")
    alone, seen = on_the_world(start, world, 0, steps=steps, draws=draws)
    before, after = literal.risks[0], literal.risks[-1]
    kept = world.risk(alone.acts) / before
    return [
        Row(name="down log P itself: P after, of before", measured=after / before, published="> 0.1", holds=after > before / 10,
            note="its gradient has a factor 1 - p, and the network is sure"),
        frequency(f"{drawn:,} draws of the world: bad ones", seen, drawn, mass),
        Row.equal("  P after, of before", kept, 1.0, within=0.01),
    ]  # fmt: skip


def _beside(world: World, found: Trained, random: Any, seed: int) -> list[Row]:
    """One trained network by all that is known of it."""
    inputs = world.draw(HELD, random)
    hits = int(np.logical_and(world.bad(inputs), random.random(HELD) < found.network.acts(inputs)).sum())
    upper = clopper_pearson(hits, HELD, DELTA).upper or 1.0
    exact, lower = found.risks[-1], found.lowers[-1].lower or 0.0
    return [
        Row(name=f"seed {seed}, enumerated: P", measured=exact, low=lower, high=upper, holds=lower <= exact <= upper,
            note=f"the interval: from below by {2000:,} proposals, from above by {hits} of {HELD:,} held-out draws"),
        Row(name="  its worst input acts with", measured=world.worst(found.network.acts),
            note=f"of all bad ones; before, {world.worst(found.networks[0].acts):.6g}"),
    ]  # fmt: skip


# -- the ratchet over the training ------------------------------------------------------------------------------------------


def ratcheted(world: World, start: Network, candidates: Sequence[Network], seed: int = 0, best: int = 1) -> Ratchet:
    """The networks of a training one after another, offered to a ratchet of limit `LIMIT` with fresh draws of the world. best: each is used
    as the best of so many of its draws, and the ledger of a play says what that may come to."""
    tests = world.draw(HELD, np.random.default_rng([seed, 77]))
    labels = world.labels(tests)

    def fails(network: Network, inputs: Floats) -> list[bool]:
        tossed = np.random.default_rng([seed, ratchet.looks, 78]).random(len(inputs))
        found: list[bool] = np.logical_and(world.bad(inputs), tossed < network.acts(inputs)).tolist()
        return found

    def ledger(network: Network, bound: Any) -> Any:
        agent = acting(network, world)
        play = played(world, BestOf(agent, best, score=_acts), 1, seed)
        return pressure(play, agent, event=bound).certificate

    ratchet = Ratchet(start, limit=LIMIT, delta=DELTA, fails=fails, least=CAPABLE, pressure=ledger if best > 1 else None,
                      capability=lambda network: capability(network, tests, labels))  # fmt: skip
    for number, network in enumerate(candidates):
        ratchet.offer(network, world.draw(HELD, np.random.default_rng([seed, number, 79])), seed=(seed, number))
    return ratchet


def _acts(request: Any, move: Any) -> float:
    return float(move.text == ACT)


class _Still(Network):
    """A network that never acts, and so never fails."""

    def acts(self, inputs: Floats) -> Floats:
        return np.zeros(len(inputs))


def stalls(limit: float, draws: int, delta: float) -> int:
    """The number of the first look at which no sample of so many draws can be below a limit."""
    return next(look for look in count(1) if black_box_floor(draws, delta_of(delta, look)) > limit)


def _ratchet(world: World, start: Network, found: Trained, seed: int) -> tuple[list[Row], Ratchet]:
    still = _Still(world.bits, 1, np.random.default_rng(0))
    path = [*found.networks[1:], *[found.network] * 4]  # the last one again, with fresh draws each time
    ratchet = ratcheted(world, start, [still, *path], seed)
    stalled = stalls(LIMIT, HELD, DELTA)
    accepted = sum(each.accepted for each in ratchet.decisions)
    pushed = ratcheted(world, start, [found.network], seed, best=BEST).decisions[0]
    first = pushed.held_out.upper or 1.0 if pushed.held_out else 1.0
    idle = ratchet.decisions[0]
    return [
        *(Row.equal(f"{'floor of 20,000 draws: ' if look == 1 else '  '}look {look}",
                    black_box_floor(HELD, delta_of(DELTA, look)), wanted, within=6e-8) for look, wanted in FLOORS),
        Row(name=f"ratchet at {LIMIT:g}: one that never acts", measured="accepted" if idle.accepted else "rejected",
            published="rejected", holds=not idle.accepted, note="; ".join(idle.why)),
        Row.equal("  accepted, before sampling stalls", accepted, stalled - 1, count=len(path), note="; ".join(ratchet.decisions[-1].why)),
        Row.equal(f"  the last, as best of {BEST}, by its ledger", pushed.certified or 0.0, any_of(first, 2 * BEST), within=1e-9,
                  note=f"twice {BEST} draws, as a rejected act may be repaired once; " + "; ".join(pushed.why)),
    ], ratchet  # fmt: skip


# -- the report -----------------------------------------------------------------------------------------------------------


def reproduce(seed: int = 0, full: bool = False, pictures: Path | str | None = None) -> Report:
    """All figures. full: all three seeds for the blind adversary too, not one, 2000 plays of each network and not 200, and 2500 ratchets, not 150. pictures: a
    folder for `relaxed.png`. UsageError for a seed below 0, without numpy and threadpoolctl (the extra `learn`), and without the extra
    `plot` for the picture."""
    if seed < 0:
        raise UsageError(f"relaxed: the seed is {seed}; give one of at least 0, as numpy takes no other")
    needed("networks of our own need", "numpy")
    if pictures is not None:
        panels(("",))  # said before anything is trained
    plays, runs = (2000, 2500) if full else (200, 150)
    with needed("training a network of our own needs", "threadpoolctl").threadpool_limits(1, "blas"):
        world, random = two_triggers(), np.random.default_rng([seed, 1])
        start = pretrained(world, seed)
        seeing = [train(start, world, seed + each) for each in SEEDS]
        blind = [
            train(start, world, seed + each, known=world.knowing(0), rounds=6 if full else 3)
            for each in SEEDS[: 3 if full else 1]
        ]
        tests = world.draw(HELD, random)
        kept, ratchet = _ratchet(world, start, seeing[0], seed)
        rows = [
            *_falls(world, start, seeing, blind, tests, seed), *_otherwise(world, start), *_beside(world, seeing[0], random, seed),
            *_plays(world, [("before", start), ("after", seeing[0].network), ("blind to one", blind[0].network)], plays, seed),
            *kept, *_errors(runs, seed),
        ]  # fmt: skip
    notes = [
        "A world of 32 fair bits; acting is the catastrophe where the first 24 are 1, or bits 7 to 30 are 0. P is enumerated. An "
        "adversary proposes from six product laws, found by the judge's partial credit; weights are those of a defensive mixture.",
        "The lower bounds hold whatever the adversary missed; its estimates do not. Where the adversary is blind, its estimate "
        "falls as P does for one who sees.",
        "What this does not show: that a judge who gives such partial credit can be had, that a catastrophe of a language "
        "model is of this kind, or that one falls that no adversary finds. Held-out draws certify about 3 in N and no less, "
        "long before training ends; below it P is known here because this world can be enumerated.",
    ]
    if pictures is not None:
        notes.append(written(_picture(seeing, blind, ratchet), pictures, "relaxed.png"))
    return Report(
        title="Relaxed adversarial training", source="after Hubinger 2019", rows=tuple(rows),
        settings={"seed": seed, "plays": plays, "runs": runs}, notes=tuple(notes),
    )  # fmt: skip


def _picture(seeing: Sequence[Trained], blind: Sequence[Trained], ratchet: Ratchet) -> Any:
    figure, (left, middle, right) = panels((
        "The adversary knows both triggers", "The adversary is blind to one of them", f"What {HELD:,} held-out draws certify",
    ))  # fmt: skip
    for axes, trained in ((left, seeing), (middle, blind)):
        numbers = range(len(trained[0].risks))
        for place, found in enumerate(trained):
            axes.plot(numbers, found.risks, "o-", color=DARK, markersize=4, label=None if place else "P, enumerated")
            axes.plot(
                numbers[1:],
                found.estimates,
                "s--",
                color=MIDDLE,
                markersize=4,
                linewidth=1,
                label=None if place else "estimated from proposals",
            )
            axes.plot(numbers[1:], [each.lower or math.nan for each in found.lowers], "^:", color=LIGHT, markersize=4,
                      label=None if place else "lower bound from proposals")  # fmt: skip
        axes.set(yscale="log", ylim=(1e-17, 1e-3), xlabel="rounds", xticks=[*numbers])
        axes.legend(loc="upper right", fontsize=8.5, frameon=False)
    left.set_ylabel("probability of the catastrophe")
    looks = [*range(1, 21)]
    right.plot(
        looks,
        [1e4 * black_box_floor(HELD, delta_of(DELTA, look)) for look in looks],
        color=DARK,
        label="least that look k can say",
    )
    right.axhline(1e4 * ratchet.limit, color=MIDDLE, linestyle="--", label="limit of the ratchet")
    bounds = [each for each in ratchet.decisions if each.held_out is not None]
    right.plot(
        [each.look for each in bounds],
        [1e4 * (each.certified or math.nan) for each in bounds],
        "o",
        color=DARK,
        label="accepted networks",
    )
    right.axhline(1e4 * black_box_floor(HELD, DELTA), color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    right.text(
        20,
        0.98e4 * black_box_floor(HELD, DELTA),
        "one look, all of delta",
        ha="right",
        va="top",
        fontsize=8.5,
        color="0.35",
    )
    right.set(
        ylim=(0, 7.5), xlabel="number of the look k", ylabel="upper bound, in units of 1e-4", xticks=[1, 5, 10, 15, 20]
    )
    right.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure
