"""Witnesses of doubly-efficient debate: the honest side against every opponent, and a judge whose queries do not grow.
Rule: doubly-efficient debate alone; witnesses of the other debates are in `debate_witnesses.py`.

What is checked is relative to an oracle: the judge asks it a number of times that the length of the computation has no
part in. The classes are therefore P and NP with the oracle, and say nothing about those without."""

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from itertools import islice, product
from random import Random
from typing import Any

from moot.agents.wrappers.copies import Copies
from moot.experiments.classes.evidence import Change, Evidence, best_sides, largest, played, random_ones
from moot.experiments.reproductions.doubly_efficient import SHIFTS, ExactDebate, exact_chain
from moot.play.run import run
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.computations import computation_named
from moot.protocols.games.doubly_efficient import constants
from moot.protocols.games.doubly_efficient_steps import Accept, Fault, Value, Witness, address
from moot.tasks.base import Task, task_named
from moot.tasks.oracle.noisy_oracle import Aborting
from moot.tasks.oracle.steps import Lying

LENGTHS = (2, 6, 20, 60, 180)
"""Queries or items of the computations whose judge's queries are compared."""
WON = 3 / 5


def chain(protocol: str, small: bool = False) -> Evidence:
    """P, with a stochastic oracle: whoever is honest wins with probability 3/5 and more against any opponent, computed.

    The computations are chains of bits, and walks. Against every Bob that is exact, as he accepts or does not; of Alices,
    who may state any number, the best is found of 283 statements at each step. The judge's queries are those about chains,
    for which K is 1 whatever their length."""
    chances = list(_chances((1, 2) if small else (1, 2, 5, 10, 20), 1 if small else 3))
    task = task_named("oracle-chain")

    def challenged(made: Any, sample: Sample, seats: dict[str, Any]) -> None:
        seats[made.sides(sample.question)[1]] = Aborting(-1)

    counts = _queries(task, protocol, challenged, LENGTHS, 2 if small else 20)
    found = played(
        task, protocol, [task.sample(LENGTHS[-1], seed) for seed in range(2)], "", challenged,
        searched="every Bob, who accepts or challenges at each step; of Alices those who state one of 283 estimates",
    )  # fmt: skip
    found = found.model_copy(update={
        "instances": len(chances), "right": sum(chance >= WON for chance in chances),
        "what": "honest sides win with probability ≥ 3/5", "note": f"the least probability is {min(chances):.3f}, computed on chains and walks",
    })  # fmt: skip
    return found.grown("judge queries", "constant", LENGTHS, counts)


def tally(protocol: str, small: bool = False) -> Evidence:
    """P, with an oracle without noise: with one query, one step is done again. On every oracle of up to two items each side
    tries everything against the honest other one: a table of values, or a step to challenge."""
    return _steps(protocol, "oracle-tally", small_tallies(), "", small)


def subset(protocol: str, small: bool = False) -> Evidence:
    """NP, with such an oracle: a witness first. On one item and on two, every witness and every table is tried against
    honest Bob, and every challenge against honest Alice."""
    note = "weights are drawn up to 30: with these the task is in P^O; it is NP^O-hard with weights of n bits, which the judge reads alike"
    return _steps(protocol, "oracle-subset", small_subsets(), note, small)


def small_tallies() -> Iterator[Sample]:
    """Every oracle of one or two items, and every number that is to be approved of, up to one more than there are."""
    task, random = task_named("oracle-tally"), Random("every tally")
    for items in (1, 2):
        for bits in product((0, 1), repeat=items):
            for least in range(items + 2):
                data = {"machine": "tally", "input": {"items": items, "least": least}, "oracle": _approves(bits)}
                yield task.pose(data, "answer()", random)


def small_subsets() -> Iterator[Sample]:
    """Every oracle of one item of weight 1, or of two of weights 1 and 2, and every target up to one above their sum."""
    task, random = task_named("oracle-subset"), Random("every subset")
    for weights in ([1], [1, 2]):
        for bits in product((0, 1), repeat=len(weights)):
            for target in range(1, sum(weights) + 2):
                given = {"items": len(weights), "weights": weights, "target": target}
                data = {"machine": "subset", "input": given, "oracle": _approves(bits)}
                yield task.pose(data, "answer()", random)


def _approves(bits: Iterable[int]) -> dict[str, int]:
    return {f"item({item})": bit for item, bit in enumerate(bits)}


def tables(request: Request) -> Iterator[Move]:
    """Every witness, or every value of a step: what a search may try for Alice."""
    if Witness in request.kinds:
        return (Witness(values=values) for values in product("01", repeat=request.brief["most"]["values"]))
    return (Value(answer=value) for value in "01234")


def challenges(request: Request) -> Iterator[Move]:
    """Every step to challenge, and none: what a search may try for Bob. Against an Alice who is honest, and whose values are
    those of one run, examining them first tells him nothing that he could use."""
    yield Accept()
    yield from (Fault(address=address(t)) for t in range(request.brief["details"]["steps"]))


def _steps(protocol: str, name: str, every: Iterator[Sample], note: str, small: bool) -> Evidence:
    task: Any = task_named(name)

    def opposed(made: Any, sample: Sample, seats: dict[str, Any]) -> None:
        """A lying Alice where the truth is no, and where it is yes a Bob who challenges the last query."""
        alice, bob = made.sides(sample.question)
        if task.truth(sample.question.data, sample.question.text) == "no":
            seats[alice] = Copies(Lying(task))
        else:
            seats[bob] = _last_query

    drawn = random_ones(task, (6,) if small else (1, 2, 5, 12, 40), 3 if small else 6)
    lengths = LENGTHS[1:4] if small else LENGTHS
    searched = "every table of values and every witness against honest Bob, every challenge against honest Alice"
    found = played(task, protocol, drawn, "" if small else "2 items", opposed, searched)
    tried = islice(every, 0, None, 5 if small else 1)
    found = found.and_right((best_sides(task, protocol, sample, (tables, challenges)) for sample in tried), note=note)
    return found.grown(
        "judge queries", "constant", lengths, _queries(task, protocol, opposed, lengths, 8 if small else 20)
    )


def _last_query(request: Request) -> Fault:
    """A challenge of the last step that asks the oracle: the one before the end, or that of the last item chosen."""
    t = request.brief["details"]["steps"] - 2
    for values in (entry.move.values for entry in request.view if isinstance(entry.move, Witness)):
        t = max((len(values) + item for item, chosen in enumerate(values) if chosen == "1"), default=t)
    return Fault(address=address(t))


def _queries(task: Task, protocol: str, change: Change, lengths: Sequence[int], seeds: int) -> list[int]:
    """The most queries of the judge in a play with computations of each length, where somebody makes it ask."""

    def spent(sample: Sample) -> int:
        made, seats = task.staged(protocol, sample)
        change(made, sample, seats)
        return run(made, sample, seats).ledger.seats["judge"].queries

    return largest(task, lengths, seeds, spent)[1]


def _chances(chains: Iterable[int], walks: int) -> Iterator[float]:
    """How probably honest Alice wins against the best Bob where the truth is yes, and honest Bob against the best Alice
    where it is no, on chains so long and on so many walks."""
    for steps in chains:
        yield exact_chain("2/3", steps).against_best_bob()
        yield 1 - exact_chain("1/3", steps).best_alice(SHIFTS)
    walk = computation_named("walk")
    for steps, far in ((1, Fraction(1, 6)), (3, Fraction(1, 8)), (5, Fraction(3, 32)))[:walks]:
        x = {"n": steps}
        rules = constants(walk.constant(x), steps)
        for up in (Fraction(1, 2) + far, Fraction(1, 2) - far):
            game = ExactDebate(walk, x, lambda query, up=up: up, rules, lambda bits: (len(bits), sum(bits)))  # type: ignore[misc]
            yield game.against_best_bob() if up > Fraction(1, 2) else 1 - game.best_alice(SHIFTS)
