"""Program agents: recorded, against a bare loop that calls the same functions and writes one line a step; and, on bare games
about data, against a bare loop that does the same sums."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import moot
from benchmarks import timing
from benchmarks.timing import Row, best
from moot.protocols.engine.outcomes import Decided
from moot.tasks.arithmetic.sums import Sum

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="The fleet sank in a storm. " * 40)
WORDS = "The log of the harbour master has the wind at nine knots that night, and no ship in it reports a storm at all."


def speak(request: Any) -> moot.Speech:
    return moot.Speech(text=f"At step {request.step} I say this. {WORDS}")


def decide(request: Any) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.4, 0.6), text="I am not sure.")


SEATS = {"a": speak, "b": speak, "judge": decide}


def debate(rounds: int, out: Path) -> moot.Transcript:
    return moot.run(moot.Debate(rounds=rounds, order="sequential"), QUESTION, SEATS, out=out)


def bare(steps: int, out: Path) -> None:
    with open(out, "w") as file:
        for step in range(steps):
            move = speak(SimpleNamespace(step=str(step)))
            file.write(json.dumps({"event": "moved", "step": str(step), "seat": "a", "move": move.model_dump()}) + "\n")


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        names = (Path(folder) / f"{number}.jsonl" for number in range(10**9))
        rounds = 1000
        debate(rounds, next(names))  # cold: imports, and classes that are made ready once
        ours, theirs = best(lambda: debate(rounds, next(names)), lambda: bare(2 * rounds, next(names)))
        detail = f"{ours / rounds / 2 * 1e6:.1f} µs a step against {theirs / rounds / 2 * 1e6:.1f}"
        yield Row("a recorded step against a bare loop with json.dumps", ours / theirs, 2.7, "×", detail)

        early, late = min((growth(next(names)) for _ in range(min(3, timing.most))), key=lambda pair: pair[1] / pair[0])
        detail = f"{late * 1e6:.1f} µs a step after 9,000 steps, {early * 1e6:.1f} after 10"
        yield Row("a step late in a play of 10,000 against one at its start", late / early, 1.2, "×", detail)

    yield bisected()


CELLS, PLAYS = 256, 1000


def bisected() -> Row:
    """A step of a play about data, which every agent gets to see and none may change: bisections of a sum, with a liar who
    defends it, nothing recorded."""
    task = Sum()
    sample = task.sample(CELLS, 0, true_first=False)
    protocol, agents = task.staged("bisection", sample)
    question = sample.question
    data: Any = question.data
    cells = [int(cell) for cell in data]  # a list as Python has it, whatever the question holds
    steps = 0

    def through_the_engine() -> list[bool]:
        nonlocal steps
        steps, lost = 0, []
        for play in range(PLAYS):
            game = moot.Game(protocol, question, seed=play).start()
            while game.outcome is None:
                step = next(iter(game.open))
                request = game.request(step)
                game.answer(step, agents[request.seat].act(request))
                steps += 1
            assert isinstance(game.outcome, Decided)
            lost.append(game.outcome.verdict.choice == 1)
        return lost

    def bare() -> list[bool]:
        return [descended(cells, int(question.choices[0]), Random(play)) for play in range(PLAYS)]

    assert all(through_the_engine()) and all(bare())
    ours, theirs = best(through_the_engine, bare)
    detail = f"{PLAYS} plays: {ours / steps * 1e6:.1f} µs a step against {theirs / steps * 1e6:.1f}"
    return Row(
        f"a step of bisection over {CELLS} cells against a bare loop over the same sums",
        ours / theirs,
        40.0,
        "×",
        detail,
    )


def descended(cells: list[int], claim: int, random: Random) -> bool:
    """Whether a claim about the sum is found to be wrong at the one cell that halving comes to."""
    start, end = 0, len(cells)
    while end - start > 1:
        middle = (start + end) // 2
        left = sum(cells[start:middle])
        if random.random() >= 0.5:
            left = claim - sum(cells[middle:end])
        # Both sums, as the program that disputes them takes both.
        true, _ = sum(cells[start:middle]), sum(cells[middle:end])
        start, end, claim = (start, middle, left) if left != true else (middle, end, claim - left)
    return cells[start] != claim


def growth(out: Path) -> tuple[float, float]:
    """CPU seconds a step over 1,000 steps, from the 10th on and from the 9,000th on."""
    marks: list[float] = []

    def timed(request: Any) -> moot.Speech:
        marks.append(time.process_time())
        return speak(request)

    seats = {"a": timed, "b": timed, "judge": decide}
    moot.run(moot.Debate(rounds=5001, order="sequential"), QUESTION, seats, out=out)
    return (marks[1010] - marks[10]) / 1000, (marks[10000] - marks[9000]) / 1000
