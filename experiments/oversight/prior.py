"""Overseers with a frozen prior, what training by them comes to, and learning the prior: exact, enumerated and played.
Rule: what `training/priors` plays, held against closed forms and enumeration; nothing is trained here but through it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from moot.agents.wrappers.frozen import Frozen
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.curriculum import apply_rule
from moot.tasks.programs.programs import Overseer
from moot.training.learners import Learner, Tabular, as_agent
from moot.training.oversight import PERSUASION, Persuadable
from moot.training.priors import learned
from moot.training.priors.drift import drifted, fixed_point, played
from moot.training.priors.finding import chances, find, slipped
from moot.training.priors.learned import Evaluation, Hypothesis, Picture, evaluate
from moot.training.priors.loop import Round, approvals, errors, train
from moot.transcripts.transcript import Transcript

TASK = PermutationPower()
SIZE, LIE = 8, 5
"""Elements of the permutations, and the seed of the other permutation that the liar answers for."""
P = 0.5
"""How probably the persuadable overseer approves at first sight."""
C, MU = 0.3, 0.02
ERROR = 0.2
"""How probably each entry of a prior that slips is wrong."""
REVEALING = 2
BY = {"fit": "fit alone", "length": "and description length", "prior": "and what people find plausible"}


@dataclass(frozen=True)
class World:
    """An instance; a table that answers for another one, consistently; and the true table."""

    data: Any
    liar: Tabular
    true: Tabular

    @classmethod
    def drawn(cls, seed: int) -> World:
        data, other = (TASK.data(SIZE, Random(each)) for each in (seed, seed + LIE))
        texts = [*TASK.learnable(data)]

        def table(of: Any) -> Tabular:
            made = Tabular()
            made.train(texts, [TASK.truth(of, text) for text in texts])
            return made

        return cls(data, table(other), table(data))

    def frozen(self, learner: Learner) -> Frozen:
        return Frozen(as_agent(learner, TASK))


def judged(
    agent: Any, *, seat: str = "overseer", seen: bool = True, text: str = PERSUASION, seed: int = 0,
    pictures: Sequence[Picture] = learned.CONFOUNDED, hypotheses: Sequence[Hypothesis] = learned.HYPOTHESES,
    prior: Mapping[str, float | None] | None = None, watch: Callable[[Transcript], None] | None = None,
) -> Evaluation:  # fmt: skip
    """Hypotheses evaluated with any agent in a seat: "overseer", who judges what each says, or "earlier", who is asked about parts. A
    language model can sit in either, as questions are of text alone. prior: their log-priors, where these are not to be asked for.
    UsageError for another seat."""
    if seat not in ("overseer", "earlier"):
        raise UsageError(f"prior: an agent sits at overseer or earlier, not at {seat!r}")
    given: dict[str, Any] = {seat: agent}
    return evaluate(pictures, hypotheses=hypotheses, seen=seen, text=text, prior=prior, seed=seed, watch=watch, **given)


def reproduce(seed: int = 0, full: bool = False, pictures: Path | str | None = None) -> Report:
    """All figures. full: more worlds, plays and rounds. seed: of the plays; of the worlds, the first is always that of seed 0, whose
    counts are known. pictures: a folder for `prior.png`. UsageError without the extra `plot` for the picture."""
    if pictures is not None:
        panels(("",))  # said before anything is played
    world, standards = World.drawn(0), _standards(seed, full)
    trained, persuaded = _trained(world, seed), _trained(world, seed, P)
    blind = evaluate(seed=seed)
    rows = [
        *_rounds(world, trained, persuaded, seed, full), *_approvals(world), *_persuaded(world, seed, full),
        *_finding(world, seed, full), *standards, *_learned(blind), *_seen(blind, seed, full),
    ]  # fmt: skip
    notes = [
        "The liar answers for another permutation throughout, so that its answers fit each other. A frequency holds where its "
        "interval, which misses with probability 1e-4, has the closed form in it.",
        "Empirical risk does not decide here: the rule of both cues fits as well as that of snow, and is the longer one.",
        "What this does not show: that an earlier language model is right on parts, or that its questions have parts which are; that "
        "people's priors of rules are known, add up over parts, or favour what is true, as the one given here does; or that an overseer who "
        "sees nothing could do the work. Being frozen keeps the prior what it was, and it was a liar at first: what corrects it is the "
        "rule, from primitive questions that are looked up. A name stands for a model, whose endpoint may have changed it.",
    ]
    if pictures is not None:
        notes.append(written(_picture(trained, persuaded, standards, blind), pictures, "prior.png"))
    return Report(
        title="Overseers with a frozen prior, and learning the prior",
        source="after Christiano, Shlegeris and Amodei 2018, Hubinger 2020, Christiano 2020 and Barnes 2021", rows=tuple(rows),
        settings={"seed": seed, "full": full}, notes=tuple(notes),
    )  # fmt: skip


# -- the loop -----------------------------------------------------------------------------------------------------------

Trained = dict[str, list[Round]]


def _trained(world: World, seed: int, p: float = 0.0) -> Trained:
    """Two rounds by each signal, from the liar on. p: how probably the overseer is persuaded."""
    overseer, text = (Persuadable(Overseer(TASK), p), PERSUASION) if p else (None, "")
    signals: tuple[Any, ...] = ("match", "approval", "both")
    return {
        signal: train(TASK, world.data, world.liar, signal, 2, overseer=overseer, text=text, seed=seed)
        for signal in signals
    }


def _wrong(world: World, trained: list[Round]) -> list[int]:
    return [each.wrong(TASK, world.data) for each in trained]


def _rounds(world: World, trained: Trained, persuaded: Trained, seed: int, full: bool) -> list[Row]:
    texts = [*TASK.learnable(world.data)]
    rows = [Row.equal("the liar: wrong at first", len(errors(world.liar, TASK, world.data)), 40, count=len(texts))]
    for signal, rounds in trained.items():
        for each, wanted in zip(rounds, (26, 0), strict=True):
            name = f"trained on {signal}: wrong after 1" if each.number == 1 else "  after 2"
            rows.append(Row.equal(name, each.wrong(TASK, world.data), wanted, count=each.plays))
    chain = all(
        after.prior == world.frozen(before).state
        for rounds in trained.values()
        for before, after in zip((world.liar, *(each.learner for each in rounds)), rounds, strict=False)
    )
    rows.append(Row(name="each prior on record is the model before", measured="yes" if chain else "no", holds=chain))
    worlds, above = (12 if full else 2), 0
    for number in range(1, worlds + 1):
        other = World.drawn(100 * (seed + 1) + number)
        for each in train(TASK, other.data, other.liar, "match", 2, seed=seed):
            strata = [TASK.stratum(other.data, text) for text in errors(each.learner, TASK, other.data)]
            above += sum(stratum <= each.number + 1 for stratum in strata)
    rows.append(
        Row.equal(
            "other worlds: wrong below what a round corrects",
            above,
            0,
            note=f"round k puts stratum k + 1 right; {worlds} worlds",
        )
    )
    for signal in ("match", "both"):
        rows.append(Row.equal(f"persuaded with {P:g}: {signal}, after 2", _wrong(world, persuaded[signal])[-1], 0))
    left = _wrong(world, persuaded["approval"])[-1]
    return [*rows, Row(name="  approval alone, after 2", measured=left, published="> 0", holds=left > 0)]


# -- claims -------------------------------------------------------------------------------------------------------------


def _approvals(world: World) -> list[Row]:
    liar, true, data = world.liar, world.frozen(world.true), world.data
    same = approvals(TASK, data, liar, world.frozen(liar))
    lies, truths = approvals(TASK, data, liar, true), approvals(TASK, data, world.true, true)
    return [
        Row.equal("the liar claims and answers parts: approved", same.approved, 20, count=same.of_true + same.of_false),
        Row.equal("  false ones among them", same.false, 13, count=same.of_false),
        Row.equal("a true prior answers parts: approved", lies.approved, 8, count=lies.of_true + lies.of_false),
        Row.equal("  false ones among them", lies.false, 0, count=lies.of_false),
        Row.equal("  of true claims", truths.true, 48, count=truths.of_true),
    ]


def _persuaded(world: World, seed: int, full: bool) -> list[Row]:
    """Of false claims with a persuasive text, how many are approved: seen, and blind."""
    rows, false, prior = list[Row](), errors(world.liar, TASK, world.data), world.frozen(world.true)
    for p in (0.0, 0.2, P):
        overseer, counts = Persuadable(Overseer(TASK), p), dict.fromkeys((True, False), 0)
        repeats = (10 if full else 2) if p else 1
        for seen in counts:
            for number in range(repeats if seen else 1):
                found = approvals(TASK, world.data, world.liar, prior, overseer=overseer, seen=seen, text=PERSUASION,
                                  texts=false, seed=seed * repeats + number)  # fmt: skip
                counts[seen] += found.false
        rows.append(frequency(f"persuaded with {p:g}: lies approved, seen", counts[True], repeats * len(false), p))
        rows.append(Row.equal("  blind", counts[False], 0, count=len(false)))
    return rows


def _finding(world: World, seed: int, full: bool) -> list[Row]:
    data, liar, true = world.data, world.liar, world.true
    found = find(TASK, data, liar, world.frozen(true))
    lied, alarms = find(TASK, data, liar, world.frozen(liar)), find(TASK, data, true, world.frozen(true)).alarms
    rows = [
        Row.equal("a true prior: the wrong step is named", found.found, found.faulty, count=found.faulty),
        Row.equal("  alarms about sound claims", found.alarms + alarms, 0, count=found.sound + len(true.said)),
        Row.equal("the liar itself as prior: named", lied.found, 0, count=lied.faulty),
    ]
    plays = 600 if full else 80
    text = "sigma^6(0)"
    for name, claimer in (("the wrong step is named", liar), ("alarms about a sound claim", true)):
        stated, hits = _stated(claimer, data, text), 0
        passes, named = chances(TASK, data, text, ERROR, stated)
        for number in range(plays):
            prior = world.frozen(slipped(TASK, data, ERROR, seed * plays + number))
            each = find(TASK, data, claimer, prior, texts=[text])
            hits += each.found if claimer is liar else each.alarms
        exact = named if claimer is liar else 1 - passes
        rows.append(frequency(f"a prior wrong with {ERROR:g}: {name}", hits, plays, exact))
    return rows


def _stated(learner: Tabular, data: Any, text: str) -> dict[str, str]:
    """What a claim states of the parts of a question."""
    stated = dict[str, str]()

    def answer(part: str) -> str:
        stated[part] = TASK.truth(data, part) if TASK.primitive(part) else learner.predict([part])[0]
        return stated[part]

    apply_rule(TASK, data, text, answer)
    return stated


# -- drift of standards -------------------------------------------------------------------------------------------------


def _standards(seed: int, full: bool) -> list[Row]:
    items = 150 if full else 16
    kept, lost = played(C, MU, 12, 4 * items, seed=seed)[-1], played(0.0, MU, 50, items, seed=seed)[-1]
    return [
        Row.equal(f"standards, c = {C:g}, mu = {MU:g}: drift to", fixed_point(C, MU), 0.0636943, within=6e-8),
        Row.equal("  after 200 rounds from .2", drifted(C, MU, 200, 0.2)[-1], fixed_point(C, MU), within=1e-12),
        frequency("  played: wrong after 12", kept, 4 * items, drifted(C, MU, 12)[-1]),
        Row.equal("nobody corrects: wrong after 50", drifted(0.0, MU, 50)[-1], 0.635830, within=6e-7),
        frequency("  played", lost, items, drifted(0.0, MU, 50)[-1]),
    ]


# -- learning the prior -------------------------------------------------------------------------------------------------


def _learned(found: Evaluation) -> list[Row]:
    rows = list[Row]()
    wanted: dict[Any, tuple[str, float]] = {
        "fit": ("snow or both", 0.5),
        "length": ("snow", 0.5),
        "prior": ("shape", 1.0),
    }
    for by, (names, right) in wanted.items():
        best = found.best(by)
        chosen = " or ".join(z.name for z in best)
        rows.append(
            Row(name=f"confounded labels, {BY[by]}: chosen", measured=chosen, published=names, holds=chosen == names)
        )
        worst = min((learned.accuracy(z, learned.SHIFTED) for z in best), default=0.0)
        rows.append(
            Row.equal("  right where the cues come apart", worst, right, note="at worst" if len(best) > 1 else "")
        )
    margin = learned.HUMAN["shape"] - learned.HUMAN["snow"]
    needed = learned.odd_labels(margin)
    return [
        *rows,
        Row.equal(f"odd labels that undo a prior of {margin:g} nats", needed, 2, note="each costs log 9 = 2.19722"),
        *(_odd(count, "shape" if count < needed else "snow", found.prior) for count in (1, 2)),
    ]  # fmt: skip


def _odd(count: int, wanted: str, prior: Any) -> Row:
    pictures = (*learned.CONFOUNDED[:-1], *learned.CONFOUNDED[-1:] * count)
    shape, snow = learned.HYPOTHESES[:2]
    chosen = " or ".join(z.name for z in evaluate(pictures, hypotheses=(shape, snow), prior=prior).best("prior"))
    return Row(name=f"  with {count}: chosen", measured=chosen, published=wanted, holds=chosen == wanted)


def _seen(blind: Evaluation, seed: int, full: bool) -> list[Row]:
    """What it costs that the overseer sees the labels: agreement that is none, and a hypothesis that evidence does not move."""
    agreed = _agreed(blind)
    contradicted = sum(blind.of - each for each in agreed.values())
    repeats = 8 if full else 2
    flips = 0
    for number in range(repeats):
        found = judged(Persuadable(learned.Reads(), P), seed=seed * repeats + number, prior=blind.prior)
        flips += sum(_agreed(found).values()) - sum(agreed.values())
    rows = [frequency(f"labels seen, persuaded with {P:g}: false agreement", flips, repeats * contradicted, P)]
    same = judged(learned.Reads(), seed=seed, prior=blind.prior)
    rows.append(Row.equal("  by who is not persuaded", sum(_agreed(same).values()) - sum(agreed.values()), 0))
    shape, snow = learned.HYPOTHESES[:2]
    even = {"shape": 0.0, "snow": 0.0}
    labels = (Picture(True, False, True), Picture(False, True, False))[:REVEALING]
    plays = 400 if full else 60
    for seen, p in ((True, P), (False, 0.0)):
        stays = 0
        for number in range(plays if seen else 5):
            each = evaluate(labels, hypotheses=(shape, snow), seen=seen, overseer=Persuadable(learned.Reads(), P), text=PERSUASION,
                            prior=even, seed=seed * plays + number)  # fmt: skip
            stays += each.best("prior") != (shape,)
        exact = learned.unmoved(REVEALING, p)
        name = f"  {REVEALING} revealing labels leave snow in place" if seen else "    blind"
        rows.append(frequency(name, stays, plays if seen else 5, exact))
    return rows


def _agreed(found: Evaluation) -> dict[str, int]:
    known = {name: each for name, each in found.agreed.items() if each is not None}
    if len(known) < len(found.agreed):
        raise UsageError("prior: a play about a hypothesis was not decided, which is neither agreement nor none")
    return known


# -- the picture --------------------------------------------------------------------------------------------------------


def _picture(trained: Trained, persuaded: Trained, standards: list[Row], blind: Evaluation) -> Any:
    world = World.drawn(0)
    first = len(errors(world.liar, TASK, world.data))
    figure, (left, middle, right) = panels((
        "From a liar, round by round", "Standards, matched to the model before", "Labels of confounded cues: which rule is chosen",
    ))  # fmt: skip
    for runs, signal, colour, style, label in (
        (trained, "match", DARK, "o-", "any signal, or match and both, persuaded"),
        (persuaded, "approval", MIDDLE, "s--", f"approval alone, persuaded with {P:g}"),
    ):
        left.plot(range(3), [first, *_wrong(world, runs[signal])], style, color=colour, label=label)
    left.set(xlabel="rounds", xticks=range(3), ylabel="wrong answers, of 48", ylim=(-1.5, 62), yticks=range(0, 49, 12))
    left.legend(loc="upper right", fontsize=8.5, frameon=False)

    numbers = range(51)
    for c, colour, style in ((0.0, MIDDLE, "-"), (0.05, LIGHT, "-."), (C, DARK, "-")):
        middle.plot(numbers, drifted(c, MU, 50), style, color=colour, label=f"corrected with {c:g}")
    by_name = {row.name.strip(): row for row in standards}
    for name, at, colour in (("played: wrong after 12", 12, DARK), ("played", 50, MIDDLE)):
        row = by_name[name]
        middle.plot([at, at], [row.low, row.high], color=colour, linewidth=1.2, clip_on=False)
        middle.plot([at], [row.measured], "o", color=colour, markersize=5, clip_on=False)
    middle.plot([], [], "o", color=RULE, markersize=5, label="played, with its interval")
    middle.set(xlabel="rounds", ylabel="share of wrong judgements", ylim=(-0.02, 1.0))
    middle.legend(loc="upper left", fontsize=8.5, frameon=False)

    names = [z.name for z in blind.hypotheses[:4]]
    for place, (by, colour) in enumerate(zip(BY, (LIGHT, MIDDLE, DARK), strict=True)):
        top = [_score(blind, z, by) for z in blind.hypotheses[:4]]
        bars = [value - max(top) for value in top]
        right.barh([row + 0.27 * (place - 1) for row in range(4)], bars, 0.24, color=colour, label=BY[by])
        for at, value in enumerate(bars):
            if value > -1e-9:
                right.text(0.1, at + 0.27 * (place - 1), "chosen", fontsize=8, va="center", color=colour)
    right.set_yticks(range(4), names)
    right.set(xlabel="score less the best, in nats", ylim=(4.9, -0.6), xlim=(-6.6, 1.3))
    right.legend(loc="lower left", fontsize=8.5, frameon=False)
    return figure


def _score(found: Evaluation, z: Hypothesis, by: Any) -> float:
    score = found.score(z, by)
    return math.nan if score is None else score
