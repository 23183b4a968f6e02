"""The judge `recount`: it adds up what was doubted, and needs nothing else."""

import moot
from moot.agents.kinds import JudgeKind
from moot_example.protocol import Doubt


class Recount(JudgeKind):
    name = "recount"
    sure: float = 0.99  # recount:0.9, or sure = 0.9 in a table [agents.NAME] with kind = "recount"

    def make(self) -> "Recount":
        return self  # its options are all that this judge has

    def act(self, request: moot.Request) -> moot.Verdict:
        (doubt,) = [entry.move for entry in request.view if isinstance(entry.move, Doubt)]
        first = self.sure if doubt.before + doubt.amount == doubt.after else 1 - self.sure
        return moot.Verdict(probabilities=(first, 1 - first))
