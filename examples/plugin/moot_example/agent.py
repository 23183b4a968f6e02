"""The agent `bookkeeper`: it keeps books and checks them, and can be told to cheat and to be careless."""

from itertools import accumulate
from random import Random
from typing import Any

import moot
from moot.agents.kinds import AgentKind
from moot_example.protocol import Balances, Doubt


class Bookkeeper(AgentKind):
    name = "bookkeeper"
    slip: int = -1  # where it hides the difference when it defends a wrong sum: bookkeeper:2, or slip = 2 in a table
    care: float = 1.0  # how probable it is that it sees a mistake

    def make(self) -> "Bookkeeper":
        return self  # its options are all that this agent has

    def act(self, request: moot.Request) -> moot.Move:
        bookings: Any = request.view.question.data
        claim, sums = int(request.view.question.choices[0]), list(accumulate(bookings))
        if Balances in request.kinds:
            missing, start = claim - sums[-1], self.slip % len(sums)
            return Balances(values=tuple(s + missing * (i >= start) for i, s in enumerate(sums[:-1])))
        (wrote,) = [entry.move.values for entry in request.view if isinstance(entry.move, Balances)]
        steps = zip((0, *wrote), bookings, (*wrote, claim), strict=True)
        wrong = [i for i, (before, amount, after) in enumerate(steps) if before + amount != after]
        chance = Random(request.seed)  # and no other: a play can be played again
        return Doubt(booking=wrong[0] if wrong and chance.random() < self.care else chance.randrange(len(bookings)))
