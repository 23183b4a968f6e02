"""What every command shares: printing, exit codes, and errors in one line.

Rule of this file: it is imported by every command, so it imports nothing that takes time.
"""

from __future__ import annotations

import functools
import json
import os
import sys
from collections.abc import Callable, Iterator
from math import isfinite
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Annotated, Any, Literal, NoReturn, TypeVar

import typer

from moot.agents.people.terminal import columns as columns
from moot.agents.people.terminal import show
from moot.protocols.engine.errors import MootError, SealedElsewhere, UsageError

if TYPE_CHECKING:
    from moot.transcripts.transcript import Transcript

OK, UNDECIDED, USAGE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130


F = TypeVar("F", bound=Callable[..., Any])

Json = Annotated[
    bool, typer.Option("--json", help='Print JSON, one object a line; an infinite number is the text "-Infinity".')
]
TranscriptPath = Annotated[Path, typer.Argument(metavar="PATH", help="A transcript (.jsonl, or .jsonl.zst once sealed).")]  # fmt: skip
TranscriptPaths = Annotated[list[Path], typer.Argument(metavar="PATH…", help="Transcripts (.jsonl or .jsonl.zst).")]
Seats = Annotated[list[str] | None, typer.Option(
    "--seat", "-s", metavar="SEAT=AGENT",
    help="Who sits where, by seat or role: a=local, judge=openai:MODEL, debater=python:module:name.",
)]  # fmt: skip
Bounds = Annotated[list[str] | None, typer.Option(
    "--bound", metavar="SEAT.MEASURE=P", help='A budget, polynomial in n: judge.reads="40*n + 2000".')]  # fmt: skip
Config = Annotated[Path | None, typer.Option(
    "--config", metavar="FILE", help="TOML with protocol, params, seats, bounds, seed, agents.")]  # fmt: skip
Key = Annotated[Path | None, typer.Option(
    "--key", metavar="FILE", help="A file of 16 to 4096 secret bytes that nobody else may read.")]  # fmt: skip
Fsync = Annotated[Literal["ended", "event"], typer.Option(
    "--fsync", help="What is safe from a loss of power: a play once it has ended, or every event of it.")]  # fmt: skip
Prices = Annotated[Path | None, typer.Option(
    "--prices", metavar="FILE", help="What tokens cost, in TOML; unless given, that of MOOT_PRICES.")]  # fmt: skip
MaxCost = Annotated[float | None, typer.Option(
    "--max-cost", metavar="MONEY", help="The most that model calls may cost, what is recorded already with them.")]  # fmt: skip
Out = Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="The new transcript.")]


class Interrupted(Exception):
    """Ctrl-C, with what was kept and how to go on."""


def guarded(command: F) -> F:
    """A command whose errors end in one clear line on stderr and an exit code, never in a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (typer.Exit, SystemExit):
            raise
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise SystemExit(UNDECIDED) from None
        except BaseException as error:
            _explain(innermost(error))

    return wrapped  # type: ignore[return-value]


def innermost(error: BaseException) -> BaseException:
    """The first exception inside groups of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _explain(error: BaseException) -> NoReturn:
    if isinstance(error, (Interrupted, KeyboardInterrupt)) or type(error).__name__ == "Abort":
        stop(str(error) or "interrupted", INTERRUPTED)
    if os.environ.get("MOOT_TRACEBACK"):
        raise error
    if isinstance(error, MootError):
        stop(str(error), USAGE if isinstance(error, UsageError) else UNDECIDED)
    if hasattr(error, "exit_code") and hasattr(error, "format_message"):  # typer's own usage errors
        raise error
    stop(f"unexpected {type(error).__name__}: {error}; MOOT_TRACEBACK=1 shows where it comes from", FAILED)


def stop(message: str, code: int) -> NoReturn:
    """Say one line on stderr and exit. SystemExit, because it passes through typer in every version of it."""
    complain(message)
    raise SystemExit(code)


def complain(problem: object) -> None:
    """A problem on stderr, in one line."""
    say(f"moot: {' '.join(str(problem).split())}")


def say(text: str = "") -> None:
    """A line on stderr: progress and problems."""
    show(text, error=True, line=True)


def tell(text: str = "", end: str = "\n", line: bool = False, styled: bool = False) -> None:
    """Text on stdout: what was asked for. line: on one line. styled: with its colours."""
    show(text, end, line=line, styled=styled)


def tell_item(text: str) -> None:
    """An item of a list on stdout, wrapped and indented."""
    tell("\n".join(wrap(text, columns(), initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)))


def tell_json(value: Any) -> None:
    """One JSON object on one line of stdout (`json_line`)."""
    show(json_line(value), whole=True)


def json_line(value: Any) -> str:
    """A JSON object in a line, in ASCII. Numbers that are not finite, which JSON has not, are the texts
    "Infinity", "-Infinity" and "NaN"; what has no JSON form is its repr."""
    from pydantic_core import to_jsonable_python

    return json.dumps(_finite(to_jsonable_python(value, fallback=repr)), allow_nan=False)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    if isinstance(value, float) and not isfinite(value):
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return value


def opened(path: Path) -> Transcript:
    """A transcript whose chain has been checked. Raises as `moot.load` does."""
    from moot.transcripts.transcript import load

    return load(path)


def runnable(transcript: Transcript, verb: str) -> Transcript:
    """A transcript whose protocol can be run here. Raises UsageError that says how one's own is imported first."""
    try:
        transcript.protocol  # noqa: B018
    except UsageError as error:
        again = f"moot --import MODULE {verb} {transcript.path}"
        raise UsageError(f"{transcript.path}: {error}; where it is your own: {again}") from None
    return transcript


def each_of(paths: list[Path], json: bool, check: Callable[[Path], tuple[str, dict[str, Any]]]) -> None:
    """Do to every path what `check` does, and print what it returns: a line, or a JSON object. A failure is told, the rest
    goes on, and the exit code is then 1."""
    bad = 0
    for path in paths:
        try:
            line, found = check(path)
        except MootError as error:
            bad += 1
            if len(paths) == 1 and isinstance(error, UsageError):
                raise
            complain(error)
            if json:
                tell_json({"path": str(path), "ok": False, "problem": str(error)})
            continue
        tell_json({"path": str(path), "ok": True, **found}) if json else tell(line, line=True)
    raise typer.Exit(UNDECIDED if bad else OK)


def brief_of(transcript: Transcript) -> dict[str, Any]:
    """The JSON that commands print of a play."""
    from moot.complexity.reward import correct, judge_reward

    outcome = transcript.outcome
    try:
        scores: dict[str, Any] = {
            "truth": transcript.sample.unseal(),
            "correct": correct(transcript),
            "reward": judge_reward(transcript),
        }
    except SealedElsewhere as error:
        scores = {"truth": None, "correct": None, "reward": None, "sealed": str(error)}
    return {
        "path": str(transcript.path) if transcript.path else None, "protocol": transcript.started["protocol"],
        "question": transcript.question.text, "choices": list(transcript.question.choices), "seed": transcript.seed,
        "outcome": outcome.model_dump(mode="json") if outcome is not None else None, "digest": transcript.digest,
        **scores,
    }  # fmt: skip


def report(transcript: Transcript, json_too: bool) -> None:
    """Print how a play ended, and exit with 1 when it was not decided."""
    from moot.complexity.spending import percent
    from moot.protocols.engine.outcomes import Decided
    from moot.protocols.text import one_line
    from moot.transcripts.display.show import bar
    from moot.transcripts.display.words import ending, scored

    if json_too:
        tell_json(brief_of(transcript))
    else:
        tell(ending(transcript))
        for choice, belief in beliefs(transcript):
            tell(f"  {bar(belief, 30)} {percent(belief):>6}  {one_line(choice, 80)}")
        for line in scored(transcript):
            tell(line)
        tell(f"digest {transcript.digest}; to read it: moot show {transcript.path}")
    if not isinstance(transcript.outcome, Decided):
        raise typer.Exit(UNDECIDED)


def beliefs(transcript: Transcript) -> Iterator[tuple[str, float]]:
    """The choices with their probabilities, of a decided play."""
    from moot.protocols.engine.outcomes import Decided

    if isinstance(transcript.outcome, Decided):
        yield from zip(transcript.question.choices, transcript.outcome.verdict.probabilities, strict=False)
