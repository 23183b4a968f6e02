"""How much must a judge read to be right? Accuracy against the judge's budget, for three protocols on two exact families.

    python frontier.py [--out FOLDER] [--sizes 8 16 32 64] [--instances 8] [--figure frontier.svg]

Everybody is a program that follows the family's rule, so that what is measured is what the protocols come to. A judge that
would have to read more than its budget ends its play: that is no verdict, and counts as not right. In a recursive debate one of
the two debaters always lies; in a decomposition debate the prover claims the right answer in one arm and the wrong one in the other,
and the seat "below", which settles one part of a claim, is assumed to be right. Dashed: the closed form of what is enough at the largest size.
"""

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import moot
from moot.complexity.polynomial import Polynomial
from moot.protocols.engine.moves import Answer
from moot.studies.report.drawing import Drawing, beside
from moot.studies.report.page import report
from moot.studies.report.plot import Axis, Mark, plot
from moot.studies.report.svg import svg
from moot.studies.results.results import Results
from moot.tasks.base import task_named

FAMILIES = {
    "expression": "The value of an expression of n numbers (P)",
    "path": "A walk of n steps through a graph (P)",
}
PROTOCOLS = ("direct-qa", "recursive-debate", "decomposition-debate")
BUDGETS = tuple(2**k for k in range(1, 12))


class Misled:
    """A prover that claims the wrong answer, and otherwise is what it was."""

    def __init__(self, family: str) -> None:
        self.family, self.prover = task_named(family), task_named(family).programs()["decomposes"]()

    def act(self, request: moot.Request) -> moot.Move:
        if Answer in request.kinds:
            true = self.family.truth(request.view.question.data, request.view.question.text)
            return Answer(choice=1 - request.view.question.choices.index(true))
        move: moot.Move = self.prover.act(request)
        return move

    def identity(self) -> list[str]:
        return [self.family.name, "misled, version 1"]


def staged(family: str, protocol: str, largest: moot.Sample) -> tuple[moot.Protocol, dict[str, Any]]:
    """The protocol with the family's programs in its seats, and their judge without a bound; deep enough for the largest."""
    task = task_named(family)
    if protocol == "direct-qa":
        return moot.DirectQA(source=True), {"judge": task.programs()["alone"]()}
    made, seats = task.staged(protocol, largest)
    return made, {**seats, "judge": seats["judge"].agent}


def enough(family: str, protocol: str, size: int) -> int | None:
    """Reads that are enough at size n, in closed form. By itself the judge reads all the data. In a decomposition debate it reads a
    claim, what was given for its part, and what one step of the rule looks at. Of a debate about a walk it reads a line of
    ⌈log2 n⌉ + 1 claims, each of three lines, and looks at both ends and one step. Of one about an expression it reads as many
    claims as that is deep, of which n alone does not tell: None."""
    if protocol == "direct-qa":
        return 5 * size - 3 if family == "expression" else 2 * size + 4
    if protocol == "decomposition-debate":
        return Polynomial.parse(task_named(family).bound(protocol))(size)
    return 3 * math.ceil(math.log2(size)) + 10 if family == "path" else None


def study(sizes: list[int], instances: int) -> moot.Study:
    samples = [
        task_named(family).sample(size, seed) for family in FAMILIES for size in sizes for seed in range(instances)
    ]
    arms = {}
    for family in FAMILIES:
        largest = task_named(family).sample(max(sizes), 0)
        for protocol in PROTOCOLS:
            made, seats = staged(family, protocol, largest)
            for prover in ("honest", "misled") if protocol == "decomposition-debate" else ("honest",):
                held = seats if prover == "honest" else {**seats, "a": Misled(family)}
                for budget in BUDGETS:
                    judge = moot.Bounded(held["judge"], reads=str(budget))
                    axes = {"family": family, "protocol": protocol, "prover": prover, "budget": budget}
                    arms[f"{family}, {protocol}, {prover}, {budget}"] = moot.Arm(made, {**held, "judge": judge}, axes)
    return moot.Study(
        "frontier", samples, arms, where=lambda cell: cell["question"].startswith(cell["axes"]["family"] + "-")
    )


def figure(results: Results, largest: int) -> Drawing:
    """A panel for each family: the share of right verdicts of all plays, by what the judge may read."""
    panels = []
    for family, asked in FAMILIES.items():
        marks = []
        for series, protocol in enumerate(PROTOCOLS):
            held = results.where({"axes.family": family, "axes.protocol": protocol})
            for budget, found in held.accuracy(by="axes.budget", undecided="wrong").items():
                if found.value is not None:
                    marks.append(Mark(budget, found.value, found.low, found.high, series=series))
        bounds = [(enough(family, protocol, largest), series) for series, protocol in enumerate(PROTOCOLS)]
        limits = [(bound, series) for bound, series in bounds if bound is not None]
        across = Axis("cells that the judge may read", BUDGETS[0] / 1.3, BUDGETS[-1] * 1.3, log=True)
        share = Axis("right, of all plays", 0, 1)
        panels.append(
            plot(asked, across, share, marks, series=PROTOCOLS, joined=True, limits=limits, apart=True, width=500)
        )
    return beside("Accuracy against the judge's budget, for three protocols on two families of questions", panels)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 32, 64])
    parser.add_argument("--instances", type=int, default=8)
    parser.add_argument("--figure", type=Path, help="where the figure is written, as SVG")
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp()) / "frontier"
    made = study(given.sizes, given.instances)
    print(made.run(folder))
    results = Results(made.rows(folder))
    for (family, protocol), found in results.by("axes.family", "axes.protocol").items():
        right = found.accuracy(by="axes.budget", undecided="wrong")
        line = " ".join(f"{budget}:{right[budget].value:.2f}" for budget in BUDGETS)
        print(
            f"{family:11}{protocol:21} enough at n = {max(given.sizes)}: {enough(family, protocol, max(given.sizes))!s:6}{line}"
        )
    drawn = figure(results, max(given.sizes))
    (given.figure or folder / "frontier.svg").write_text(svg(drawn) + "\n", encoding="utf-8")
    print(report(results, folder / "report.html", by="axes.protocol", design=made.design))


if __name__ == "__main__":
    main()
