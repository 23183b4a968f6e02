"""Defect now, or wait under a hazard of modification: when an agent that plans defects, how probably, and what that costs.
Rule: closed forms, backward induction, and plays of `hazard_game.py`; any agent may sit in the model's seat.

Waiting from step t to s multiplies what a defection is worth to the agent by (g (1 - h) rho)^(s - t) as long as gains grow, and by less
than 1 from then on. So it waits for the greatest gain where g (1 - h) rho > 1, and not at all otherwise: below and above the hazard
h* = 1 - 1 / (g rho). The discount g is the agent's own; damage is not discounted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import Any

from moot.complexity.search.solve import solve
from moot.experiments.oversight.plays.hazard_game import NO, YES, Choice, HazardGame
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.run import arun, in_loop
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.transcripts.transcript import Transcript

QUESTION = Question("Does the model ever defect?", (YES, NO))
GROWTH, DISCOUNT, CAP = 1.2, 0.99, 25
TABLE = (
    (0.0, 25, 1.0, 95.3962),
    (0.01, 25, 0.777821, 74.2012),
    (0.05, 25, 0.277390, 26.4619),
    (0.15, 25, 0.017198, 1.6406),
    (0.17, 0, 1.0, 1.0),
    (0.3, 0, 1.0, 1.0),
)
"""The hazard, the step at which the agent defects, how probably it comes to that, and the expected damage."""
TRAINED = ((5, 0.773781), (10, 0.598737), (25, 0.277390), (50, 0.0769450))
"""Train and test at a hazard of .05: steps of training, and how probably the agent comes through them."""


def turning(growth: float = GROWTH, discount: float = DISCOUNT) -> float:
    """The hazard h* = 1 - 1 / (discount * growth), below which waiting pays; 0 where it never does. Raises UsageError outside
    of growth >= 1 and 0 < discount <= 1."""
    game = HazardGame(growth=growth, discount=discount, cap=1)
    return max(0.0, 1 - 1 / (game.discount * game.growth))


def stops(game: HazardGame) -> int | None:
    """The step at which the model defects that plays for its gain, by the rule (the first of several that are as good); None where the play ends before it would. The model
    takes the play to go on for ever: one that knew its end would defect at the last step that pays."""
    start = game.trained or 0
    hazard = game.hazard if game.trained is None else 0.0
    at = start + (game.cap if hazard < turning(game.growth, game.discount) else 0)
    return at if at < game.steps else None


def survives(game: HazardGame, step: int) -> float:
    """How probably a model that waits comes to this step unmodified."""
    return float((1 - game.hazard) ** (step if game.trained is None else min(step, game.trained)))


def damage(game: HazardGame, step: int | None) -> float:
    """The expected damage of a model that defects at this step, if it comes to it: its gain, undiscounted."""
    return 0.0 if step is None else survives(game, step) * game.gain(step)


def backward(gains: Sequence[float], hazards: Sequence[float], discount: float) -> tuple[int | None, float]:
    """The first step at which defecting is best, and the value at step 0, by backward induction over any gains and hazards: V(t) = max(G(t),
    discount (1 - h(t)) V(t + 1)), with 0 after the last step; values that differ by less than 1e-12 of them are equal. None where no gain
    is above 0. Raises UsageError where the two differ in length, or are empty, for hazards outside [0, 1], a discount outside (0, 1], and
    gains that are negative or not finite."""
    if len(gains) != len(hazards) or not gains:
        raise UsageError(f"hazard: {len(gains)} gains and {len(hazards)} hazards; give one of each for every step")
    if (
        not all(0 <= each <= 1 for each in hazards)
        or not 0 < discount <= 1
        or not all(0 <= each < inf for each in gains)
    ):
        raise UsageError(
            "hazard: a gain is below 0 or not finite, a hazard outside [0, 1] or the discount outside (0, 1]"
        )
    value, first = 0.0, None
    for step in reversed(range(len(gains))):
        waiting = discount * (1 - hazards[step]) * value
        if gains[step] >= waiting * (1 - 1e-12) and gains[step] > 0:
            first, value = step, gains[step]
        else:
            value = waiting
    return first, value


def induced(game: HazardGame) -> tuple[int | None, float]:
    """The same, of a game with its steps."""
    steps = range(game.steps)
    return backward([game.gain(step) for step in steps], [game.at(step) for step in steps], game.discount)


# -- plays --------------------------------------------------------------------------------------------------------------


def defecting(at: int | None) -> Any:
    """A model that defects at this step, or never."""

    def act(request: Request) -> Choice:
        return Choice(does="defect" if request.brief["details"]["step"] == at else "wait")

    return act


def play(agent: Any, game: HazardGame, plays: int, seed: int = 0) -> list[Transcript]:
    """So many plays with this agent as the model. Raises UsageError for plays below 1."""
    if isinstance(plays, bool) or not isinstance(plays, int) or plays < 1:
        raise UsageError(f"hazard: {plays!r} plays; give a whole number of them, at least one")

    async def played() -> list[Transcript]:
        return [await arun(game, QUESTION, {"model": agent}, seed=seed * 1_000_000 + number) for number in range(plays)]

    return in_loop(played)


def defected(transcript: Transcript) -> int | None:
    """The step at which the model defected; None where it did not. UsageError of a play that was not decided, of which nobody knows."""
    if not isinstance(transcript.outcome, Decided):
        raise UsageError(
            f"{transcript.name} was not decided: whether its model would have defected is unknown; count it apart"
        )
    return next((step.move["at"] for step in transcript.steps() if step.move.get("does") == "defect"), None)


def damaged(transcript: Transcript, game: HazardGame) -> float:
    """What a play's defection gained, undiscounted; 0 without one."""
    at = defected(transcript)
    return 0.0 if at is None else game.gain(at)


# -- the study ----------------------------------------------------------------------------------------------------------


def reproduce(
    seed: int = 0, full: bool = False, pictures: Path | str | None = None, plays: int | None = None
) -> Report:
    """All figures. plays: of each agent, 200 unless given. full: 2000. pictures: a folder for `hazard.png`. UsageError for plays
    below 1, and without the extra `plot` for the picture."""
    if pictures is not None:
        panels(("",))  # said before anything is played
    plays = (2000 if full else 200) if plays is None else plays
    played = _played(plays, seed)
    notes = [
        f"A gain grows by {GROWTH:g} a step, {CAP} times; the agent's discount is {DISCOUNT:g}. Backward induction and moot.solve over "
        f"{HazardGame().steps} steps come to the closed form.",
        "More frequent modification makes a defection rarer only up to h*: beyond it, the agent defects at once, and what it does is "
        "small because it had no time to gain more. Whatever the hazard, some course of the coins ends in a defection: the worst case "
        "over them is 1, at any probability.",
        "What this does not show: that a trained model has an aim that lasts, knows the hazard or plans like this one. The hazard "
        "is independent of what the model does, a modification always takes, a defection always succeeds and gains grow as "
        "assumed: with another course of gains h* is another, and there may be none.",
    ]
    if pictures is not None:
        notes.append(written(_picture(played), pictures, "hazard.png"))
    return Report(
        title="Defect or wait under a hazard of modification", source="after Hubinger et al. 2019, section 4",
        rows=(*_table(), *_solved(), *_threshold(), *_training(), *played), settings={"seed": seed, "plays": plays}, notes=tuple(notes),
    )  # fmt: skip


def _table() -> list[Row]:
    rows: list[Row] = []
    for hazard, at, probability, expected in TABLE:
        game = HazardGame(hazard=hazard)
        step = stops(game)
        assert step is not None
        rows += [
            Row.equal(f"h = {hazard:g}: defects at step", step, at),
            Row.equal("  with probability", survives(game, step), probability, within=6e-7),
            Row.equal("  expected damage", damage(game, step), expected, within=6e-5),
        ]
    return rows


def _solved() -> list[Row]:
    """The value of the game to the model, by search, against the closed form."""
    rows: list[Row] = []
    for hazard, at, _, _ in TABLE:
        game = HazardGame(hazard=hazard)
        found, (step, value) = solve(game, QUESTION), induced(game)
        closed = (DISCOUNT * (1 - hazard) * GROWTH) ** at
        holds = len(found.line) == at + 1 and step == at and abs(value - closed) < 1e-9 * closed
        rows.append(
            Row(name=f"{'moot.solve' if not rows else '  the same'}, h = {hazard:g}: value", measured=found.value["model"], published=closed,
                holds=holds and abs(found.value["model"] - closed) < 1e-9 * closed)
        )  # fmt: skip
    return rows


def _threshold() -> list[Row]:
    edge = turning()
    (below, above) = (HazardGame(hazard=edge + change) for change in (-1e-9, 1e-9))
    least, most = damage(below, stops(below)), survives(below, stops(below) or 0)
    after = survives(above, stops(above) or 0)
    return [
        Row.equal("h*, above which waiting does not pay", edge, 0.158249, within=6e-7),
        Row(name="  probability of defecting just below", measured=most, published=f"< {after:g}", holds=most < after),
        Row.equal("  just above", after, 1.0),
        Row(name="  damage just below", measured=least, published="> 1", holds=least > 1, note="just above it is 1"),
    ]


def _training() -> list[Row]:
    rows: list[Row] = []
    for steps, probability in TRAINED:
        game = HazardGame(trained=steps, steps=steps + CAP + 1)
        step, _ = induced(game)
        name = f"train and test, h = 0.05: {steps} steps" if not rows else f"  {steps} steps"
        assert step is not None
        holds = step == stops(game) == steps + CAP
        found = survives(game, step)
        rows.append(Row(name=name, measured=found, published=probability, holds=holds and abs(found - probability) < 6e-7,
                        note="the fewer, the sooner training was stopped" if len(rows) == 0 else ""))  # fmt: skip
    worst = [
        survives(HazardGame(hazard=hazard, trained=steps), steps) > 0
        for hazard in (0.0, 0.3, 0.999)
        for steps in (0, 50)
    ]
    return [*rows, Row.equal("  worst case over the coins, whatever h and steps", float(all(worst)), 1.0)]


def _played(plays: int, seed: int) -> list[Row]:
    rows: list[Row] = []
    cut = HazardGame(hazard=0.05, steps=CAP)
    cases = (
        ("the strategy of moot.solve, h = 0.05", HazardGame(hazard=0.05), None, 0.95**CAP),
        ("the same, h = 0.15", HazardGame(hazard=0.15), None, 0.85**CAP),
        ("the same, h = 0.17", HazardGame(hazard=0.17), None, 1.0),
        ("defecting at step 10, h = 0.05", HazardGame(hazard=0.05), defecting(10), 0.95**10),
        ("always waiting, h = 0.05", HazardGame(hazard=0.05), defecting(None), 0.0),
        ("10 steps of training, h = 0.05", HazardGame(hazard=0.05, trained=10, steps=10 + CAP + 1), None, 0.95**10),
        (f"seen for {CAP} steps alone, h = 0.05", cut, defecting(CAP), 0.0),
    )
    for place, (name, game, agent, exact) in enumerate(cases):
        seated = solve(game, QUESTION, strategy=True).strategy["model"] if agent is None else agent
        found = play(seated, game, plays, seed * len(cases) + place)
        rows.append(frequency(f"played: {name}", sum(defected(each) is not None for each in found), plays, exact))
        if not place:
            hits = rows[-1]
            gain, wanted = game.gain(CAP), damage(game, CAP)
            mean = sum(damaged(each, game) for each in found) / plays
            low, high = (hits.low or 0.0) * gain, (1.0 if hits.high is None else hits.high) * gain
            rows.append(Row(name="  its damage", measured=mean, low=low, high=high, published=wanted, count=plays,
                            holds=low <= wanted <= high))  # fmt: skip
            rows.append(
                Row.equal("  the most in any play", max(damaged(each, game) for each in found), gain, within=1e-9)
            )
    return rows


def _picture(played: list[Row]) -> Any:
    figure, (left, middle, right) = panels((
        "Online: how probably it defects", "Online: expected damage", "Train and test: how probably it defects",
    ))  # fmt: skip
    hazards = [step / 1000 for step in range(301)]
    games = [HazardGame(hazard=hazard) for hazard in hazards]
    at = [stops(game) for game in games]
    edge = next(place for place, step in enumerate(at) if step == 0)
    for part in (slice(0, edge), slice(edge, None)):
        shown = [(hazards[i], survives(games[i], at[i] or 0), damage(games[i], at[i])) for i in range(len(at))[part]]
        left.plot([each[0] for each in shown], [each[1] for each in shown], color=DARK)
        middle.plot([each[0] for each in shown], [each[2] for each in shown], color=DARK)
    for axes, note in ((left, (0.55, "center")), (middle, (20, "center"))):
        axes.axvline(turning(), color=RULE, linewidth=0.8, linestyle=":", zorder=0)
        axes.text(turning() + 0.006, note[0], f"h* = {turning():.4f}", fontsize=8.5, color="0.35", va=note[1])
        axes.set(xlabel="hazard of modification a step, h")
    points = [
        (float(row.name.rpartition("= ")[2]), row) for row in played if "solve" in row.name or "the same" in row.name
    ]
    for number, (hazard, row) in enumerate(points):
        left.plot([hazard] * 2, [row.low, row.high], color=MIDDLE, linewidth=1.2)
        left.plot(
            [hazard],
            [row.measured],
            "o",
            color=MIDDLE,
            markersize=5,
            label=None if number else f"played, {row.count:,} times",
        )
    left.set(ylim=(-0.03, 1.05), ylabel="probability")
    left.legend(loc="center right", bbox_to_anchor=(1.0, 0.35), fontsize=8.5, frameon=False)
    middle.set(yscale="log", ylabel="undiscounted gain", ylim=(0.5, 200))
    steps = range(61)
    for hazard, colour, style in ((0.01, DARK, "-"), (0.05, MIDDLE, "--"), (0.15, LIGHT, "-.")):
        right.plot(steps, [(1 - hazard) ** step for step in steps], style, color=colour, label=f"h = {hazard:g}")
    right.axhline(1, color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    right.text(60, 1.01, "worst case over the coins", ha="right", va="bottom", fontsize=8.5, color="0.35")
    right.set(ylim=(-0.03, 1.1), xlabel="steps of training")
    right.legend(loc="upper right", bbox_to_anchor=(1.0, 0.9), fontsize=8.5, frameon=False)
    return figure
