"""Listing transcripts without reading them: the first and the last line of a file, or the summary that a sealed one
carries at its start.

Rule of this file: nothing here reads a transcript whole or checks hash chains; `verify` does.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from moot.protocols.engine.errors import MootError, TranscriptError, UsageError
from moot.protocols.engine.moves import Share
from moot.transcripts.events import LONGEST, PLAYED, parse
from moot.transcripts.sealed import sealed_summary
from moot.transcripts.wellformed import Form

_CHUNK = 65536
_FORM = "its events do not have the form that this version of moot writes"


class Summary(BaseModel):
    """What a listing says of one transcript. outcome: its kind, or None while the play has not ended. verdict: the
    probabilities of a decided play. digest, events: of sealed files only, as others would have to be read whole. problem:
    why the file cannot be read as a transcript; then nothing else is known of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    path: Path
    size: int = 0
    sealed: bool = False
    protocol: str | None = None
    question: str | None = None
    choices: tuple[str, ...] = ()
    seed: int | None = None
    at: str | None = None
    outcome: str | None = None
    verdict: tuple[Share, ...] | None = None
    digest: str | None = None
    events: int | None = None
    problem: str | None = None


def summaries(folder: Path | str) -> Iterator[Summary]:
    """A summary of every .jsonl and .zst file in `folder` (not in folders below it), by name, a broken or foreign one by its
    `problem`. Raises UsageError when there is no such folder. Takes no longer for longer transcripts."""
    folder = Path(folder)
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except FileNotFoundError:
        raise UsageError(f"there is no folder {folder}") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file; moot list takes a folder (moot show prints one transcript)") from None
    except OSError as error:
        raise UsageError(f"cannot read {folder}: {error.strerror}") from None
    for name in names:
        if name.endswith((".jsonl", ".zst")) and not name.startswith("."):
            yield summary_of(folder / name)


def summary_of(path: Path | str) -> Summary:
    """The summary of one file, its `problem` set when it is no readable transcript."""
    path, size = Path(path), 0
    try:
        size = path.stat().st_size
        if path.suffix == ".zst":
            return Summary.model_validate({**sealed_summary(path), "path": path, "size": size, "sealed": True})
        return _of_lines(path, size)
    except (MootError, OSError, ValidationError) as error:
        known = error.strerror if isinstance(error, OSError) else str(error).removeprefix(f"{path}: ")
        known = _FORM if isinstance(error, ValidationError) else known
        return Summary(path=path, size=size, sealed=path.suffix == ".zst", problem=known or "cannot be read")


def described(started: Mapping[str, Any], outcome: Mapping[str, Any] | None) -> dict[str, Any]:
    """The part of a summary that the first and the last event hold."""
    verdict = (outcome or {}).get("verdict")
    return {
        "protocol": started["protocol"]["name"], "question": started["question"]["text"],
        "choices": started["question"].get("choices", ()), "seed": started["seed"],
        "at": started.get("meta", {}).get("at"), "outcome": outcome["kind"] if outcome else None,
        "verdict": verdict["probabilities"] if verdict else None,
    }  # fmt: skip


def _of_lines(path: Path, size: int) -> Summary:
    with open(path, "rb") as file:
        first = file.readline(LONGEST)
        if not first.endswith(b"\n"):
            raise TranscriptError("holds no whole event" if size else "is empty")
        form, outcome = Form(str(path)), None
        started = form.check(parse(first, 1, str(path)), 1)
        for line in lines_from_end(file, size):
            event = parse(line, 0, str(path))
            if event["event"] == "ended":
                outcome = form.check(event, 0)["outcome"]
            if event["event"] in PLAYED or event["event"] == "resumed":
                break
        return Summary.model_validate({**described(started, outcome), "path": path, "size": size})


def lines_from_end(file: IO[bytes], size: int) -> Iterator[bytes]:
    """The whole lines of a file, last one first, read from its end. A torn last line is left out."""
    end, rest, whole = size, b"", False
    while end:
        start = max(0, end - _CHUNK)
        file.seek(start)
        block = file.read(end - start) + rest
        if len(block) > LONGEST + _CHUNK and b"\n" not in block:
            raise TranscriptError(f"its end is a line longer than {LONGEST:,} bytes, which no event is")
        pieces = block.split(b"\n")
        rest, end = pieces[0], start
        for piece in reversed(pieces[1:]):
            if whole:
                yield piece + b"\n"
            whole = True
    if whole:
        yield rest + b"\n"


def ended_at(path: Path) -> str | None:
    """The kind of outcome that a transcript on disk ends in; None while it has not ended. Raises TranscriptError when it is
    no transcript, or a newer one."""
    found = summary_of(path)
    if found.problem is not None:
        raise TranscriptError(f"{path}: {found.problem}")
    return found.outcome
