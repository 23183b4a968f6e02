"""Where a recorded step's microseconds go, piece by piece: python -m benchmarks.profile.where

Rule: each piece is called by itself, as the engine calls it, in a debate between programs that is under way; the step is
measured whole. What no piece accounts for is the rest.
"""

from __future__ import annotations

import gc
import tempfile
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from rich.console import Console
from rich.table import Table

import moot
from benchmarks.offline import QUESTION, bare, debate, speak
from moot.play.note import showing
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.replies import typed, written
from moot.transcripts.events import EventLog
from moot.transcripts.store import Writer

STEPS = 2000


def micros(call: Callable[[], object], number: int = 3000, repeat: int = 15) -> float:
    """The least time of a call, in µs."""
    return min(timeit.repeat(call, number=number, repeat=repeat)) / number * 1e6


def whole(play: Callable[[Path], object], steps: int) -> float:
    """The least CPU time of a step, in µs, of plays that are recorded."""
    least = float("inf")
    with tempfile.TemporaryDirectory() as folder:
        for number in range(12):
            gc.collect()
            begun = time.process_time()
            play(Path(folder) / f"{number}.jsonl")
            least = min(least, time.process_time() - begun)
    return least / steps * 1e6


def pieces() -> list[tuple[str, float, str]]:
    """Each piece: what it is, its µs, and what it is for."""
    game = moot.Game(moot.Debate(rounds=STEPS, order="sequential"), QUESTION).start()
    said = speak(SimpleNamespace(step="1"))
    for _ in range(20):
        game.answer(next(iter(game.open)), said, reads=0)
    (step,) = game.open
    waiting, floor = game.open[step], Floor(game, game.protocol, game.question, game.roles, {})
    ask, view, kinds = waiting.ask, waiting.ask.view, waiting.ask.kinds
    check: Any = ask.check
    given = typed(said, kinds)
    payload, digest = written(given), game._shown.of(ask)
    brief: Any = dict(ask.brief)
    game.current = waiting.branch
    with tempfile.TemporaryDirectory() as folder:
        lines: list[bytes] = []
        log, kept = EventLog(lambda line: None), EventLog(lines.append)
        moved = (step, ask.seat, digest, payload, None, "q", "supports", given.reading(), 0, {"reads": 0})
        kept.moved(*moved)
        writer = Writer(Path(folder) / "t.jsonl")
        game.recorder = log
        timed = [
            ("the agent: it makes a speech", micros(lambda: speak(SimpleNamespace(step=step))), "also in the bare loop"),
            ("ask: view, brief, checks of seat and keywords", micros(lambda: floor.said("a", source="all")) + micros(
                lambda: floor.ask(ask.seat, moot.Speech, view=view, check=check, last=ask.last, under="1", **brief)
            ), "what a script may ask for is checked when it asks"),
            ("the request's hash", micros(lambda: game._shown.of(ask)), "replay finds the same hash, or says where it differs"),
            ("the request, with a meter of its own", micros(lambda: game.request(step)), "what is read is charged, and cannot be changed"),
            ("whether all that is shown stands on the record", micros(lambda: showing(game, step, log)), "a view can be made again"),
            ("the move validated, made anew", micros(lambda: typed(said, kinds)), "no class of the agent's own is trusted"),
            ("the protocol's check: limits and quotes", micros(lambda: check(given)), "rules are the protocol's"),
            ("the move as JSON", micros(lambda: written(given)), "once, for the line, the chain and the view"),
            ("the line, and its hash in the chain", micros(lambda: log.moved(*moved)), "an edit is found"),
            ("one write", micros(lambda: writer(lines[0])), "a kill loses nothing that was recorded"),
        ]  # fmt: skip
        writer.close()
    game.close()
    return timed


def main() -> None:
    timed = pieces()
    step = whole(lambda path: debate(STEPS // 2, path), STEPS)
    loop = whole(lambda path: bare(STEPS, path), STEPS)
    timed.append(("the rest: coroutines, driver, statement chain, garbage", step - sum(each[1] for each in timed), ""))
    table = Table("a recorded step", "µs", "what for")
    for name, cost, why in timed:
        table.add_row(name, f"{cost:.2f}", why)
    table.add_row("in all", f"{step:.2f}", f"a bare loop with json.dumps takes {loop:.2f}: {step / loop:.2f} ×")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
