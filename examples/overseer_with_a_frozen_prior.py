"""An overseer that asks an earlier, frozen version of the model it trains: whose lies it approves, and what rounds of it come to.

    python examples/overseer_with_a_frozen_prior.py [--out FOLDER]

The model begins as a consistent liar: it answers for another instance. Nothing here uses a model or a network (docs/oversight.md).
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from random import Random

import moot
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, panels, written
from moot.protocols.amplification.approval import Approval
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.programs.programs import Overseer
from moot.training.learners import Tabular, as_agent
from moot.training.oversight import PERSUASION, Claims, Persuadable
from moot.training.priors.loop import approvals, errors, train

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--out", type=Path, help="where the picture goes (a folder)")
parser.add_argument("--rounds", type=int, default=2)
given = parser.parse_args()

task = PermutationPower()
data, other = (task.data(8, Random(seed)) for seed in (0, 5))
texts = list(task.learnable(data))
liar, true = Tabular(), Tabular()
liar.train(texts, [task.truth(other, text) for text in texts])
true.train(texts, [task.truth(data, text) for text in texts])

# A learner that goes on training leaves its frozen copy as it was, and does not fit the hash on record any more.
learner = liar.copy()
earlier = moot.Frozen(as_agent(learner, task))
seats = {"model": Claims("3", ""), "overseer": Overseer(task), "earlier": earlier}
question = moot.Question(texts[-1], tuple(task.answers(data)), data=data, size=8, unit="cells", about=task.about)
play = moot.run(Approval(), question, seats)
state = play.started["meta"]["seats"]["earlier"]["state"]
print(f"on record: earlier is {state}")
learner.train(texts[:1], ["0"])
moot.Frozen(earlier.agent, state=state)
try:
    moot.Frozen(as_agent(learner, task), state=state)
except moot.UsageError as error:
    print(f"refused: {error}")

for whose, parts in (("the liar itself", liar), ("a true model, frozen", true)):
    found = approvals(task, data, liar, moot.Frozen(as_agent(parts, task)))
    print(
        f"parts are answered by {whose}: {found.false} of {found.of_false} lies approved, {found.true} of {found.of_true} true claims"
    )

persuadable, series = Persuadable(Overseer(task), 0.5), dict[str, list[int]]()
for signal in ("match", "both", "approval"):
    rounds = train(task, data, liar, signal, given.rounds, overseer=persuadable, text=PERSUASION)
    series[signal] = [len(errors(liar, task, data)), *(each.wrong(task, data) for each in rounds)]
    print(
        f"trained on {signal:8}  wrong, round by round: {series[signal]}  priors {[each.prior[:8] for each in rounds]}"
    )

figure, (axes,) = panels((f"A persuadable overseer (p = {persuadable.p:g}) with the model before as its prior",), 6.5)
for signal, colour, style in (("approval", MIDDLE, "s--"), ("match", DARK, "o-"), ("both", LIGHT, "x:")):
    axes.plot(range(given.rounds + 1), series[signal], style, color=colour, label=f"trained on {signal}")
axes.set(
    xlabel="rounds", xticks=range(given.rounds + 1), ylabel=f"wrong answers, of {len(texts)}", ylim=(-1.5, len(texts))
)
axes.legend(frameon=False)
print(written(figure, given.out or tempfile.mkdtemp(), "frozen_prior.png"))
