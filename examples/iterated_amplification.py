"""Iterated amplification: trains a learner that never sees a true answer, and draws how it goes. No model, no network.

    python examples/iterated_amplification.py perm-power                     a picture, updated as it trains
    python examples/iterated_amplification.py --task all --learner tabular   the table of all five tasks

`--size 64` is the paper's. Without arguments it trains on perm-power at size 16.
"""

import argparse
import tempfile
from pathlib import Path

from moot.protocols.engine.errors import UsageError
from moot.training.curves import PAPER, Point, Report, measure, picture, table

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("name", nargs="?", help=f"one of {', '.join(PAPER)}, or all")
parser.add_argument("--task", default="perm-power", help="the same, as an option")
parser.add_argument("--learner", default="tabular", choices=["tabular", "network"])
parser.add_argument("--size", type=int, help="of the instance; 64 is the paper's, and the default for all")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--every", type=int, default=40, help="batches between two points of the picture")
parser.add_argument("--out", type=Path, help="where the picture goes (a folder)")
given = parser.parse_args()


def one(name: str, size: int) -> Report:
    """Train on one task, with a line and a new picture for every few points."""
    folder = given.out or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{given.learner}.png"
    title = f"{name}, size {size}: a {given.learner} learner, no true answers"

    def show(points: list[Point]) -> None:
        now, scores = points[-1].progress, points[-1].scores.values()
        right = sum(score.right for score in scores) / sum(score.total for score in scores)
        print(
            f"batch {now.step:5}  level {now.level:2}  right {right:7.2%}  agrees {now.quality or 0:7.2%}"
            f"  loss {now.loss:.3f}  labels {now.labels:6}  rate {now.rate}",
            flush=True,
        )
        picture(points, path, title)

    report = measure(name, given.learner, size=size, seed=given.seed, every=given.every, then=show)
    print("picture:", path)
    return report


task = given.name or given.task
try:
    if task == "all":
        reports = [measure(name, given.learner, size=given.size or 64, seed=given.seed) for name in PAPER]
    else:
        reports = [one(task, given.size or (64 if given.name else 16))]
except UsageError as error:
    parser.error(str(error))
print(table(reports))
