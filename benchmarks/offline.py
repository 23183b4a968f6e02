"""Program agents, recording on: against a bare loop that calls the same functions and writes one line a step."""

from __future__ import annotations

import json
import tempfile
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

        def short() -> None:
            for _ in range(200):
                debate(5, next(names))

        def long() -> None:
            debate(5000, next(names))

        ten, many = (
            seconds / steps for seconds, steps in zip(best(short, long, repeats=3), (2000, 10000), strict=True)
        )
        detail = f"{many * 1e6:.1f} µs a step in a play of 10,000 against {ten * 1e6:.1f} in plays of 10"
        yield Row("cost of a step in a long play against a short one", many / ten, 1.5, "×", detail)
