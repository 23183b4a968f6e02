"""Program agents, recording on: against a bare loop that calls the same functions and writes one line a step."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import moot
from benchmarks.timing import Row, best

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
        ours, theirs = best(lambda: debate(rounds, next(names)), lambda: bare(2 * rounds, next(names)))
        detail = f"{ours / rounds / 2 * 1e6:.1f} µs a step against {theirs / rounds / 2 * 1e6:.1f}"
        yield Row("a recorded step against a bare loop with json.dumps", ours / theirs, 5.0, "×", detail)

        early, late = min((growth(next(names)) for _ in range(3)), key=lambda pair: pair[1] / pair[0])
        detail = f"{late * 1e6:.1f} µs a step after 9,000 steps, {early * 1e6:.1f} after 10"
        yield Row("a step late in a play of 10,000 against one at its start", late / early, 1.5, "×", detail)


def growth(out: Path) -> tuple[float, float]:
    """CPU seconds a step over 1,000 steps, from the 10th on and from the 9,000th on."""
    marks: list[float] = []

    def timed(request: Any) -> moot.Speech:
        marks.append(time.process_time())
        return speak(request)

    seats = {"a": timed, "b": timed, "judge": decide}
    moot.run(moot.Debate(rounds=5001, order="sequential"), QUESTION, seats, out=out)
    return (marks[1010] - marks[10]) / 1000, (marks[10000] - marks[9000]) / 1000
