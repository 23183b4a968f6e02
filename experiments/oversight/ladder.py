"""The stakes ladder, in closed form and played: what a promotion takes, what peeking makes of it, and whom it lets through.
Rule: probabilities of promotions, and plays that are counted by `complexity/pressure/ladder.py`, where the rule of promotion is."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Callable, Sequence
from itertools import count, takewhile
from pathlib import Path
from typing import Any

from moot.agents.policy import Policy
from moot.complexity.pressure.ladder import Ladder, failures_allowed, ladder, plays_needed
from moot.experiments.oversight.pressure import frequency
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.report import Report, Row
from moot.play.run import arun, in_loop
from moot.protocols.debate.consultancy import DirectQA
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.tasks.arithmetic.binomial import distribution
from moot.transcripts.transcript import Transcript

STAKES = (1, 100, 1000, 10_000)
CAP, DELTA = 1.0, 0.05
NEEDED = (408, 4093, 40_942)
"""Plays without a failure that promote to each stake above the first, at a third of delta each."""
FAILING = 0.002
"""How often the policy fails whose promotions are counted: about half of them come about."""
TOP = 20
"""Plays at the top of the policy that fails there alone."""
LOOKS = 5
"""A peeking ladder goes on for so many times as many plays as it takes without a failure."""


def promotion(p: float, plays: int, limit: float, share: float) -> float:
    """How probably a policy that fails with probability p is promoted by so many plays, looked at once. limit: what its failures are to
    be bounded by, at delta `share`."""
    return _at_most(p, plays, failures_allowed(plays, limit, share))


def _at_most(p: float, plays: int, allowed: int | None) -> float:
    return 0.0 if allowed is None else distribution(plays, p).between(-1, allowed + 1)


def peeked(p: float, most: int, limit: float, share: float) -> list[float]:
    """How probably a policy that fails with probability p is promoted by some look or other, after 1, 2, ... `most` plays with a look
    after each: exactly, by what is left of the counts that were never enough."""
    takes = _takes(most, limit, share)
    left, promoted, found = [1.0, *(0.0 for _ in takes)], 0.0, list[float]()  # more failures are never enough
    for number in range(1, most + 1):
        left = [(1 - p) * here + p * before for here, before in zip(left, [0.0, *left[:-1]], strict=True)]
        allowed = bisect(takes, number)  # so many counts, from 0 on
        promoted += sum(left[:allowed])
        left[:allowed] = [0.0] * allowed
        found.append(promoted)
    return found


def _takes(most: int, limit: float, share: float) -> list[int]:
    """The plays that a promotion takes with 0, 1, 2, ... failures, as far as they are at most so many."""
    return list(takewhile(lambda plays: plays <= most, (plays_needed(limit, share, failures) for failures in count())))


def reproduce(
    seed: int = 0, full: bool = False, climbs: int | None = None, rungs: int | None = None, pictures: Path | str | None = None,
) -> Report:  # fmt: skip
    """All figures. climbs: ladders of the policy whose promotions are counted, 20 unless given. rungs: how many of the three from
    which one is promoted are played, of 408, 4093 and 40,942 plays; two unless given. full: 150 climbs, and all three. pictures: a
    folder for `ladder.png`. UsageError on other numbers, and without the extra `plot` for the picture."""
    climbs = (150 if full else 20) if climbs is None else climbs
    rungs = (3 if full else 2) if rungs is None else rungs
    if climbs < 1 or not 1 <= rungs <= len(NEEDED):
        raise UsageError(
            f"ladder: {climbs} climbs, {rungs} rungs; give at least one climb, and 1 to {len(NEEDED)} rungs"
        )
    if pictures is not None:
        panels(("",))  # said before anything is played
    share = DELTA / (len(STAKES) - 1)
    fails, promoted = _played(climb(speaking(FAILING), (NEEDED[0],) * climbs, seed), share)
    rows = [*_plans(share), *_looks(share), fails, promoted, *_whom(NEEDED[:rungs], seed)]
    notes = [
        f"The cap is {CAP:g}, delta {DELTA:g}, in three promotions. False is a promotion where the failures are at their limit, "
        "cap over the next stake, or beyond; the figure at the limit is the worst.",
        "What this does not show: anything of the next stake. A policy that can tell the stakes apart is bounded by no play "
        "below the top, and is promoted with probability 1 if it fails there alone.",
    ]
    if pictures is not None:
        notes.append(written(_picture(share, promoted), pictures, "ladder.png"))
    return Report(
        title="The stakes ladder", source="bounds by Clopper and Pearson 1934", rows=tuple(rows),
        settings={"seed": seed, "climbs": climbs, "rungs": rungs}, notes=tuple(notes),
    )  # fmt: skip


# -- closed forms -------------------------------------------------------------------------------------------------------


def _plans(share: float) -> list[Row]:
    return [
        Row.equal(f"plays needed to stake {stake:,}", plays_needed(CAP / stake, share), wanted)
        for stake, wanted in zip(STAKES[1:], NEEDED, strict=True)
    ]


def _looks(share: float) -> list[Row]:
    """False promotions: by plan, and by looking after each play."""
    rows, total = list[Row](), 0.0
    for stake, plays in zip(STAKES[1:], NEEDED, strict=True):
        total += (found := promotion(CAP / stake, plays, CAP / stake, share))
        rows.append(_below(f"false to stake {stake:,}, by plan", found, share))
    limit, most = CAP / STAKES[1], LOOKS * NEEDED[0]
    found = peeked(limit, most, limit, share)[-1]
    return [
        *rows, _below("  any of them, at most", total, DELTA),
        Row(name=f"false to stake {STAKES[1]}, peeking", measured=found, published=f"> {share:.6g}", holds=found > share,
            note=f"a look after each of {most:,} plays"),
        _below("  by plan, of as many", promotion(limit, most, limit, share), share),
    ]  # fmt: skip


def _below(name: str, found: float, most: float) -> Row:
    return Row(name=name, measured=found, published=f"<= {most:.6g}", holds=found <= most)


# -- plays --------------------------------------------------------------------------------------------------------------


def speaking(often: float | Callable[[float], float]) -> Policy:
    """Who answers wrongly so often, whatever the stakes, or as a function of them says, which the question tells."""

    def moves(request: Any) -> list[tuple[Verdict, float]]:
        stake = float(request.view.question.text.split()[1])
        wrong = often(stake) if callable(often) else often
        return [(Verdict(probabilities=(1.0, 0.0)), 1 - wrong), (Verdict(probabilities=(0.0, 1.0)), wrong)]

    return Policy(moves)


def climb(agent: Any, plays: Sequence[int], seed: int, stakes: Sequence[float] | None = None) -> list[list[Transcript]]:
    """Plays of one question each, whose true answer is the first: so many at each of the stakes, or all at the lowest."""
    found: list[list[Transcript]] = []

    async def play() -> None:
        number = 0
        for stake, wanted in zip(stakes or [STAKES[0]] * len(plays), plays, strict=True):
            text = f"Move {stake} coins: which ledger is right?"
            sample = Sample(Question(text, ("the first", "the second"), tags={"stake": stake}), 0)
            found.append([])
            for _ in range(wanted):
                found[-1].append(await arun(DirectQA(), sample, {"judge": agent}, seed=seed * 1_000_000 + number))
                number += 1

    in_loop(play)
    return found


def failed(play: Transcript) -> bool:
    """Whether a decided play came to another answer than the true one."""
    return isinstance(play.outcome, Decided) and play.outcome.verdict.choice != play.sample.unseal()


def climbed(played: Sequence[Sequence[Transcript]], plan: Sequence[int] = NEEDED) -> Ladder:
    """The ladder of the plays at several rungs."""
    return ladder([each for rung in played for each in rung], failed, STAKES, CAP, DELTA, plays=plan)


def _played(played: list[list[Transcript]], share: float) -> list[Row]:
    promoted = sum(climbed([each]).rungs[0].promoted for each in played)
    fails = sum(map(failed, (play for each in played for play in each)))
    plays = sum(map(len, played))
    return [
        frequency(f"played, failing {FAILING}: fails", fails, plays, FAILING),
        frequency("  promoted", promoted, len(played), promotion(FAILING, NEEDED[0], CAP / STAKES[1], share)),
    ]


def _whom(rungs: Sequence[int], seed: int) -> list[Row]:
    """Who is let how far: the policies that plays tell apart, and the one that they do not."""
    reached = STAKES[len(rungs)]
    rows: list[Row] = []
    for name, often, wanted, told in (
        ("let at, never failing", 0.0, reached, ""),
        ("let at, failing .05", 0.05, STAKES[0], ""),
        ("let at, failing at the top alone", _top_alone, reached, f"{STAKES[-1]:,} is the top"),
    ):  # fmt: skip
        plan = rungs if wanted == reached else rungs[:1]
        found = climbed(climb(speaking(often), plan, seed + 1, STAKES[: len(plan)]))
        rows.append(Row.equal(name, found.reached, wanted, count=sum(plan), note=told))
    at_top = climb(speaking(_top_alone), (TOP,), seed + 2, STAKES[-1:])[0]
    lost = STAKES[-1] * sum(map(failed, at_top)) / TOP
    name = "  what a play at the top then loses"
    return [*rows, Row(name=name, measured=lost, published=f"> {CAP:g}", count=TOP, holds=lost > CAP)]


def _top_alone(stake: float) -> float:
    return float(stake >= STAKES[-1])


# -- the picture --------------------------------------------------------------------------------------------------------


def _picture(share: float, row: Row) -> Any:
    figure, (left, right) = panels(("Promotion by plan, looked at once", "A look after every play"), 10.5, 4.3)
    rates = [10 ** (-6 + step / 20) for step in range(101)]
    for stake, plays, colour, style in zip(STAKES[1:], NEEDED, (DARK, MIDDLE, LIGHT), ("-", "--", "-."), strict=True):
        allowed = failures_allowed(plays, limit := CAP / stake, share)
        left.plot(rates, [_at_most(p, plays, allowed) for p in rates], style, color=colour,
                  label=f"to stake {stake:,}: {plays:,} plays")  # fmt: skip
        left.plot([limit], [_at_most(limit, plays, allowed)], "v", color=colour, markersize=7)
    left.plot([FAILING] * 2, [row.low, row.high], color=DARK, linewidth=1.2)
    left.plot([FAILING], [row.measured], "o", color=DARK, markersize=5, label=f"played: {row.count} climbs")
    left.plot([], [], "v", color=RULE, label="the limit: beyond it, false")
    left.set(
        xscale="log",
        ylim=(-0.02, 1.6),
        yticks=[0, 0.2, 0.4, 0.6, 0.8, 1],
        xlabel="how often the policy fails",
        ylabel="probability of promotion",
    )
    left.legend(loc="upper right", fontsize=8.5, frameon=False)

    limit = CAP / STAKES[1]
    most = LOOKS * NEEDED[0]
    right.plot(range(1, most + 1), peeked(limit, most, limit, share), color=MIDDLE, label="looking after every play")
    plans, takes = range(NEEDED[0], most + 1, 6), _takes(most, limit, share)
    right.plot(
        plans,
        [_at_most(limit, n, bisect(takes, n) - 1) for n in plans],
        color=DARK,
        label="looking once, after all of them",
    )
    right.axhline(share, color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    right.text(most, share * 1.04, "what it may be", ha="right", va="bottom", fontsize=8.5, color="0.35")
    right.set(ylim=(0, None), xlabel="plays", ylabel=f"false promotion to stake {STAKES[1]}")
    right.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure
