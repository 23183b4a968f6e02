"""Market making in three pictures: prices of plays, a market that is trained until nobody can move it, and its failures.

    python examples/market_making.py [--quick] [--out DIR]

(a) prices.png: the price of the true answer, in plays about a sum with citation and about coins without.
(b) exploitability.png: a market is trained by the losses of its own plays on a sum and on cells of Turing machines' runs.
(c) failures.png: evidence that goes to and fro, questions that cite each other, and errors that are passed on.

The pictures go to DIR. Needs matplotlib: pip install 'moot[plot]'. Takes under a minute; --quick takes smaller instances.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from random import Random
from typing import Any

from rich.console import Console
from rich.table import Table

import moot
from moot.tasks.arithmetic.citing import DIGITS, CitingPair, GroundedPair
from moot.tasks.arithmetic.coins import Coins
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import Task
from moot.tasks.machines.tableau import Tableau
from moot.tasks.reading.evidence import Evidence
from moot.training.calibration import (
    BELIEFS,
    ROUNDS,
    ExactMarket,
    LinearMarket,
    Shows,
    Updates,
    balances,
    calibrate,
    positions,
)
from moot.training.errors import Injection, inject
from moot.training.market import MarketTraining, Round, TabularMarket, wrong_answers
from moot.transcripts.display.prices import PricePath, price_path


@dataclass(frozen=True)
class Scale:
    """How large everything is."""

    items: int = 64  # of the sum
    steps: int = 12  # of the Turing machines
    machines: tuple[int, ...] = (1, 2, 3)
    trainings: int = 100  # of two questions that cite each other
    sizes: tuple[int, ...] = (2, 4, 8, 16, 32, 64)
    predictions: tuple[int, ...] = ROUNDS  # of training to predict the judge
    slips: int = 200  # plays of a market that slips, of each size


QUICK = Scale(items=4, steps=4, machines=(1,), trainings=6, sizes=(2, 4, 8), predictions=ROUNDS[:2], slips=20)
console = Console(width=None if sys.stdout.isatty() else 110)
BLUE, ORANGE, GREEN, GREY = "#2166ac", "#d95f02", "#1b7837", "#777777"


def plots() -> Any:
    """pyplot, drawing to files. UsageError without matplotlib."""
    try:
        import matplotlib
    except ModuleNotFoundError:
        raise moot.UsageError("pictures need matplotlib: pip install 'moot[plot]'") from None
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update({"axes.spines.top": False, "axes.spines.right": False, "font.size": 10, "figure.dpi": 110})
    return pyplot


def train(task: Task, size: int, seed: int) -> tuple[list[Round], list[int], float, MarketTraining]:
    """A training to its end: its history, how many answers were wrong in each round, and its seconds."""
    data = task.data(size, Random(seed))
    training = MarketTraining(task, data, TabularMarket(), seed=seed)
    wrong: list[int] = []
    begun = time.perf_counter()
    training.run(watch=lambda _: wrong.append(wrong_answers(task, data, training.market, training.questions)))
    return training.history, wrong, time.perf_counter() - begun, training


# -- (a) ----------------------------------------------------------------------------------------------------------------


def sums(size: int) -> dict[int, tuple[tuple[float, ...], float]]:
    """By round of training: in a play on the whole sum, the prices of the true one and the judge's belief in it, and what
    the adversary gained."""
    task = Sum()
    data = task.data(size, Random(1))
    training = MarketTraining(task, data, TabularMarket(rate=0.5))
    root = f"sum[0:{size}]"
    found: dict[int, tuple[tuple[float, ...], float]] = {}

    def watch(now: Round) -> None:
        played = training.play(root)
        assert played.final is not None, played.outcome
        choices, true = played.asked[0].view.question.choices, task.truth(data, root)
        path = (belief[choices.index(true)] if true in choices else 0.0 for belief in (*played.prices, played.final))
        found[now.round] = tuple(path), sum(played.gains)

    training.run(watch=watch)
    return found


def coins(plays: int = 30) -> list[PricePath]:
    """Plays on 11 coins of which 8 show heads and the judge is shown 5."""
    question = moot.Question("majority(11)", ("yes", "no"), data=[1] * 8 + [0] * 3, size=11, unit="cells")
    seats = {"market": ExactMarket(Coins()), "adversary": Shows(), "judge": Updates(Coins())}
    protocol = moot.MarketMaking(horizon=5, tolerance=None)
    return [price_path(moot.run(protocol, question, seats, seed=n)) for n in range(plays)]


def prices(out: Path, plt: Any, scale: Scale) -> None:
    console.rule("(a) prices of the true answer")
    summed, tossed = sums(scale.items), coins()
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
    believed = [round for round, (path, _) in summed.items() if path[-1] > 0]  # before that the judge is told "?"
    shown = [0, *believed[:3], believed[-1]]
    for number, round in enumerate(shown):
        color = plt.get_cmap("viridis")(0.85 * number / (len(shown) - 1))
        path, _ = summed[round]
        left.plot(range(3), path, "o-", color=color)
        left.text(0.5, path[0] + 0.015, f"after {round} rounds of training", color=color, ha="center", va="bottom")
    left.set(
        title=f"Sum of {scale.items} integers, with citation",
        ylabel="price of the true answer (probability)",
        ylim=(-0.03, 1.05),
    )
    left.set_xticks([0, 1, 2], ["$p_0$\nbefore any\nstatement", "$p_1$\nafter a citing\nstatement", "$p^*$\nthe judge"])
    left.set_xlim(-0.2, 2.2)
    for each in tossed:
        right.plot(range(6), [p[0] for p in each.prices], "-", color=BLUE, alpha=0.25, linewidth=1)
    mean = [sum(each.prices[t][0] for each in tossed) / len(tossed) for t in range(6)]
    right.plot(range(6), mean, "o-", color=BLUE, label=f"mean of {len(tossed)} plays")
    right.axhline(1, color=GREEN, linestyle="--", linewidth=1, label="the truth: 8 of 11 are heads")
    first = tossed[0].prices[0][0]
    right.annotate(
        f"$p_0$ = {first:.4f}", (0, first), (0.1, 0.93), color=BLUE, arrowprops={"arrowstyle": "-", "color": BLUE}
    )
    right.set(
        title="11 coins, 5 shown at random, no citation", xlabel="coins shown", ylabel='price of "yes" (probability)',
        ylim=(0, 1.05),
    )  # fmt: skip
    right.legend(frameon=False, loc="lower left")
    figure.savefig(out / "prices.png")
    table = Table("play", "first price of the truth", "last price", "judge", "adversary's gain")
    for round in shown:
        path, gained = summed[round]
        table.add_row(f"sum of {scale.items}, after {round} rounds", *(f"{p:.3f}" for p in (*path, gained)))
    judged = sum(each.final[0] for each in tossed if each.final) / len(tossed)
    gain = sum(0.0 - sum(each.losses.adversary) for each in tossed if each.losses) / len(tossed)
    table.add_row(f"11 coins, mean of {len(tossed)}", f"{first:.4f}", f"{mean[-1]:.3f}", f"{judged:.3f}", f"{gain:.3f}")
    console.print(table)


# -- (b) ----------------------------------------------------------------------------------------------------------------


def exploitability(out: Path, plt: Any, scale: Scale) -> None:
    console.rule("(b) a market trained by the losses of its own plays")
    runs = {f"sum of {scale.items}": train(Sum(), scale.items, 1)}
    runs |= {f"tableau {scale.steps}, machine {n}": train(Tableau(), scale.steps, n) for n in scale.machines}
    figure, axes = plt.subplots(2, 2, figsize=(10, 6.4), layout="constrained", sharex="col")
    table = Table("task", "questions", "rounds", "plays", "seconds", "rules violated", "largest gain", "answers wrong")
    for number, (name, (history, wrong, seconds, _)) in enumerate(runs.items()):
        column = min(number, 1)
        shade = BLUE if not column else (ORANGE, GREEN, "#7570b3")[number - 1]
        rounds = [each.round for each in history]
        axes[0][column].plot(rounds, [each.violations for each in history], "o-", color=shade, markersize=4, label=name)
        axes[1][column].plot(rounds, [each.gain for each in history], "o-", color=shade, markersize=4)
        axes[1][column].plot(rounds, [each.mean_gain for each in history], ":", color=shade)
        last = history[-1]
        table.add_row(
            name, str(last.questions), str(last.round), f"{last.plays:,}", f"{seconds:.1f}",
            f"{history[0].violations} → {last.violations}", f"{history[0].gain:.2f} → {last.gain:.2f}",
            f"{wrong[0]} → {wrong[-1]}",
        )  # fmt: skip
    titles = f"Sum of {scale.items} integers", f"Cells of Turing machines' runs of {scale.steps} steps"
    for column, title in enumerate(titles):
        axes[0][column].set(title=title, ylabel="questions whose rule is violated", ylim=(0, None))
        if column:
            axes[0][column].legend(frameon=False)
        axes[1][column].set(
            xlabel="rounds of training", ylabel="adversary's gain in a play\n(probability moved)", ylim=(0, 1)
        )  # fmt: skip
        handles = [
            plt.Line2D([], [], color=GREY, marker="o", markersize=4),
            plt.Line2D([], [], color=GREY, linestyle=":"),
        ]
        axes[1][column].legend(handles, ["most over questions", "mean over questions"], frameon=False, loc=(0.14, 0.42))
    figure.savefig(out / "exploitability.png")
    console.print(table)
    calibrated = Table("predicting the judge", "plays", "loss (nats)", "exact price's loss", "excess")
    for task, size, horizon in ((Coins(), 11, 5), (Evidence(), 8, 4)):
        for row in calibrate(task, size, horizon, LinearMarket(balances(task)), rounds=scale.predictions):
            name = f"{task.name}: {horizon} of {size} shown" if not row.round else ""
            calibrated.add_row(name, f"{row.plays:,}", f"{row.loss:.4f}", f"{row.exact:.4f}", f"{row.excess:.4f}")
    console.print(calibrated)


# -- (c) ----------------------------------------------------------------------------------------------------------------


class Follows:
    """A market that believes what a judge would who had to decide now."""

    def act(self, request: moot.Request) -> moot.Move:
        items: Any = request.view.question.data
        yes = BELIEFS["evidence"]([items[at] for at in positions(request.view)], len(items))
        return moot.Price(probabilities=(yes, 1 - yes))


class InTurn:
    """An adversary that shows the items in their order."""

    def act(self, request: moot.Request) -> moot.Move:
        return moot.Statement(text=str(request.brief["round"] - 1))


def zigzag() -> dict[str, PricePath]:
    """Five items for the claim and five against it, by turns, with the adversary paid in either way."""
    question = moot.Question("supported(10)", ("yes", "no"), data=[1, -1] * 5, size=10, unit="cells")
    seats = {"market": Follows(), "adversary": InTurn(), "judge": Updates(Evidence())}
    rewards: tuple[Any, ...] = ("abs_move", "lmsr")
    return {
        reward: price_path(
            moot.run(moot.MarketMaking(horizon=10, tolerance=None, reward=reward), question, seats)
        )
        for reward in rewards
    }  # fmt: skip


def reached(task: Task, seeds: Iterable[int]) -> tuple[str, Counter[str]]:
    """The true digit of a pair of questions, and how often training ended at which."""
    data = task.data(1, Random(7))
    questions = list(task.questions(data))
    found: Counter[str] = Counter()
    for seed in seeds:
        random = Random(seed)
        guesses = {text: random.choice(DIGITS) for text in questions}
        training = MarketTraining(task, data, TabularMarket(guesses=guesses), seed=seed)
        assert training.run()[-1].violations == 0
        found[training.market.modal(questions[0])] += 1
    return task.truth(data, questions[0]), found


def failures(out: Path, plt: Any, scale: Scale) -> None:
    console.rule("(c) where it fails")
    paths = zigzag()
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(14, 4.4), layout="constrained")
    path = next(iter(paths.values()))
    left.plot([p[0] for p in path.prices], "o-", color=GREY, markersize=4, label="price of the claim (probability)")
    for (reward, each), unit, color in zip(paths.items(), ("probability", "nats"), (ORANGE, BLUE), strict=True):
        assert each.losses is not None
        earned = list(accumulate((0.0 - loss for loss in each.losses.adversary), initial=0.0))
        left.plot(earned, "-", color=color, linewidth=2, label=f"paid so far, {reward} ({unit})")
    left.axhline(0, color=GREY, linewidth=0.5)
    left.set(
        title="Evidence for and against, by turns", xlabel="statements", ylim=(-0.5, 2.8),
        ylabel="price; what the adversary is paid",
    )  # fmt: skip
    left.legend(frameon=False, loc="upper left")

    table = Table("zig-zag, adversary paid by", "path length", "net displacement", "adversary's pay")
    for reward, each in paths.items():
        assert each.losses is not None
        table.add_row(reward, f"{each.length:.4f}", f"{each.net:.4f}", f"{0.0 - sum(each.losses.adversary):.4f}")
    console.print(table)

    seeds = range(scale.trainings)
    pairs = {
        name: reached(task, seeds) for name, task in (("circle", CitingPair()), ("with a base case", GroundedPair()))
    }
    width = 0.4
    for shift, ((name, (_, found)), color) in enumerate(zip(pairs.items(), (ORANGE, BLUE), strict=True)):
        places = [int(digit) + (shift - 0.5) * width for digit in DIGITS]
        middle.bar(places, [found[digit] for digit in DIGITS], width, color=color, label=name)
    true = int(pairs["circle"][0])
    middle.set(
        title="Two questions that cite each other", xlabel="digit that the trained market answers",
        ylabel=f"trainings of {len(seeds)}", xticks=range(10), ylim=(0, 1.12 * len(seeds)),
    )  # fmt: skip
    middle.annotate("the truth", (true + width / 2, 1.01 * len(seeds)), ha="center", va="bottom", color=GREEN)
    middle.legend(frameon=False)
    table = Table("questions that cite each other", "fixed points reached", "at the truth", "trainings")
    for name, (truth, found) in pairs.items():
        table.add_row(name, str(len(found)), str(found[truth]), str(found.total()))
    console.print(table)

    table = Table("garbage in: slips of the market", "size", "questions below", "right", "95% interval", "predicted")
    for error, color in ((0.01, BLUE), (0.05, ORANGE)):
        rows = [inject(Sum(), size, error, scale.slips) for size in scale.sizes]
        _errors(right, rows, color)
        for row in rows:
            table.add_row(
                f"sum, {error:.0%} each", str(row.size), f"{row.below:.0f}", f"{row.accuracy:.3f}",
                f"{row.low:.3f} to {row.high:.3f}", f"{row.predicted:.3f}",
            )  # fmt: skip
    right.set(
        title="Slips of the market are passed on (sum)", xlabel="questions below the one that is played", xscale="log",
        ylabel="right verdicts (share)", ylim=(0, 1.05),
    )  # fmt: skip
    below = [2 * size - 2 for size in scale.sizes]
    right.set_xticks(below, [str(each) for each in below], minor=False)
    right.minorticks_off()
    right.legend(frameon=False)
    console.print(table)
    figure.savefig(out / "failures.png")


def _errors(axes: Any, rows: list[Injection], color: str) -> None:
    below = [row.below for row in rows]
    measured = [row.accuracy for row in rows]
    spread = [[m - row.low for m, row in zip(measured, rows, strict=True)],
              [row.high - m for m, row in zip(measured, rows, strict=True)]]  # fmt: skip
    error = rows[0].error
    axes.errorbar(
        below, measured, yerr=spread, fmt="o", color=color, capsize=3, label=f"{error:.0%} slips, measured (95%)"
    )
    axes.plot(below, [row.predicted for row in rows], "--", color=color, label=f"$(1 - {error})^{{below}}$")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the pictures go (a new temporary folder)")
    parser.add_argument("--quick", action="store_true", help="smaller instances and fewer trainings: a few seconds")
    options = parser.parse_args()
    scale = QUICK if options.quick else Scale()
    begun = time.monotonic()
    try:
        plt = plots()
        out = options.out or Path(tempfile.mkdtemp(prefix="moot-market-"))
        out.mkdir(parents=True, exist_ok=True)
        prices(out, plt, scale)
        exploitability(out, plt, scale)
        failures(out, plt, scale)
    except moot.MootError as error:
        print(f"market_making: {error}", file=sys.stderr)
        sys.exit(2)
    console.print(f"\n{time.monotonic() - begun:.0f} s; prices.png, exploitability.png and failures.png are in {out}")


if __name__ == "__main__":
    main()
