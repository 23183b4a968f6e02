"""Golden transcripts: plays by deterministic programs, kept in files, made again and compared byte for byte.

They show in a diff what a change of protocol, engine or format does to a play. A golden file is a transcript like any
other (`moot.load` reads it), without clock readings or anything else that is no part of the play. Those of one version of
the format say nothing of the next: a new version has a folder of its own, and `pytest --update-golden` writes it.

Rule: no Hypothesis here, as golden plays must be the same for ever.
"""

from __future__ import annotations

from itertools import zip_longest
from pathlib import Path

from moot.play.run import run
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.shapes import Seeded, move_of
from moot.transcripts.events import PLAYED, EventLog, label, played_part
from moot.transcripts.replay import replay
from moot.transcripts.transcript import Transcript, load


def puppet(request: Request) -> Move:
    """An agent for any seat of any protocol: a move that follows from the seed of its step alone."""
    return move_of(request, Seeded(request.seed * 16 + request.attempt))


def play_golden(protocol: Protocol, question: Question, seed: int = 0) -> Transcript:
    """The play of `protocol` by puppets, equal in every process, as a transcript without clock readings."""
    transcript = run(protocol, question, dict.fromkeys(protocol.roles(question), puppet), seed=seed)
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in transcript.pairs():
        if event["event"] in PLAYED or event["event"] == "told":  # which replay holds a play to as well
            log.line(played_part(line))
    return Transcript(lines)


def check_golden(path: Path | str, protocol: Protocol, question: Question, seed: int = 0, update: bool = False) -> None:
    """Play again and compare with the golden file at `path`; `update` writes it instead.

    Raises AssertionError with the first line that differs; UsageError when there is no such file.
    """
    path, transcript = Path(path), play_golden(protocol, question, seed)
    if update:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(transcript.lines()))
    if not path.exists():
        raise UsageError(f"there is no golden transcript {path}; make it: pytest --update-golden (or update=True)")
    kept = path.read_bytes().splitlines(keepends=True)
    for number, (old, new) in enumerate(zip_longest(kept, transcript.lines()), 1):
        if old != new:
            raise AssertionError(
                f"{path}, line {number} ({label(old or new or b'')}): the play has changed.\n"
                f"  golden: {_text(old)}\n  now:    {_text(new)}\n"
                "If that is meant, look at the difference and keep it: pytest --update-golden"
            )
    golden = load(path)
    replay(golden, protocol)
    assert golden.digest == transcript.digest, f"{path}: equal lines and another digest"


def _text(line: bytes | None) -> str:
    return "nothing (the play ends here)" if line is None else line.decode().rstrip()
