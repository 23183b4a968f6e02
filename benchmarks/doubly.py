"""Doubly-efficient debate: many stochastic debates through the engine, against the same game as one bare loop."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import moot
from benchmarks.timing import Row, best
from moot.protocols.engine.outcomes import Decided
from moot.protocols.games.doubly_efficient import Constants
from moot.tasks.arithmetic.binomial import binomial
from moot.tasks.oracle.computations import number_of
from moot.tasks.oracle.noisy_oracle import Honest, OracleChain, Vera

PLAYS, STEPS = 4000, 10


def rows() -> Iterator[Row]:
    """Both sides draw the same numbers from the same streams, one stream a play, and come to the same outcomes; neither
    writes a transcript."""
    question = OracleChain().sample(STEPS, 0, true_first=True).question
    protocol = moot.DoublyEfficientDebate()
    rules = protocol.constants(question)

    def through_the_engine() -> list[bool]:
        stream = Random()

        def chance(step: str, weights: tuple[float, ...] | None) -> int:
            assert weights is not None
            return stream.random() < weights[1]

        honest, judge = Honest(lambda request: stream), Vera(lambda request: stream)
        agents = {"a": honest, "b": honest, "judge": judge}
        won = []
        for play in range(PLAYS):
            stream.seed(play)
            game = moot.Game(protocol, question, chance=chance)
            game.start()
            while game.outcome is None:
                step = next(iter(game.open))
                request = game.request(step)
                game.answer(step, agents[request.seat].act(request))
            assert isinstance(game.outcome, Decided)
            won.append(game.outcome.verdict.choice == protocol.sides(question).index("a"))
        return won

    data: Any = question.data
    oracle = {query: number_of(p) for query, p in data["oracle"].items()}

    def bare() -> list[bool]:
        stream = Random()
        won = []
        for play in range(PLAYS):
            stream.seed(play)
            won.append(_bare(rules, oracle, stream)[0])
        return won

    assert through_the_engine() == bare()
    ours, theirs = best(through_the_engine, bare)
    detail = f"{PLAYS:,} plays, t = {STEPS - 1}: {ours / PLAYS * 1e6:.0f} µs each against {theirs / PLAYS * 1e6:.0f}"
    yield Row("doubly-efficient debate, against a bare loop over the same draws", ours / theirs, 8.0, "×", detail)


def _bare(rules: Constants, oracle: dict[str, float], stream: Random) -> tuple[bool, int, int, int]:
    """One debate: whether Alice wins, and how often Alice, Bob and the judge asked the oracle."""
    alice, bob, judge = rules.alice, rules.bob, rules.judge
    bob_within, judge_within = rules.bob_within, rules.judge_within
    by_alice = by_bob = 0
    bit = False
    for step in range(rules.queries):
        p = oracle[f"bit({step})"]
        said = binomial(stream, alice, p) / alice
        by_alice += alice
        near = abs(said - binomial(stream, bob, p) / bob) < bob_within
        by_bob += bob
        if not near:
            return abs(said - binomial(stream, judge, p) / judge) < judge_within, by_alice, by_bob, judge
        bit = stream.random() < said
    return bit, by_alice, by_bob, 0
