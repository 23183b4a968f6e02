"""A play with its record: opened with the first line, driven to the end, and closed whatever happens.

Rule of this file: what the first line says, and where it is written; who is asked what is the driver's.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing, suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moot.agents.base import describe
from moot.agents.identity import fingerprints, protocol_fingerprint
from moot.agents.models.batches.turns import playing
from moot.agents.money.cap import begun
from moot.play.driver import Driver, now
from moot.protocols.engine import __version__
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.events import FORMAT, VERSION, EventLog
from moot.transcripts.store import Fsync, Writer
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import Sealed, recorded, sealed

if TYPE_CHECKING:
    from moot.transcripts.replay import Recording


async def play(
    protocol: Protocol, sample: Sample, seats: Mapping[str, Any], *, seed: int, out: Path | str | None,
    bounds: Mapping[str, Mapping[str, int | float]], recording: Recording | None = None, stale: bool = False,
    parent: Mapping[str, Any] | None = None, fsync: Fsync = "ended", draws: int | None = None,
) -> Transcript:  # fmt: skip
    """Play a game to its end, with what `recording` holds and live agents for the rest, and return the transcript. draws: the
    seed of live requests, where it is not the play's own, of which the coins are."""
    capped = begun(seats)
    question, kept = sample.question.unnamed() if recording is None else recording.question, sealed(sample)
    with closing(Game(protocol, question, seed=seed, bounds=bounds)) as game, playing(out):
        described = {seat: describe(agent) for seat, agent in seats.items()}
        meta: dict[str, Any] = {"moot": __version__, "at": now(), "seats": described, **capped}
        if out is not None:  # what no file holds is not looked for later; as the agents are before the first call
            meta |= {"identities": fingerprints(seats), "protocol_identity": protocol_fingerprint(protocol)}
        meta |= {"parent": dict(parent)} if parent else {}
        meta |= {"id": sample.question.id} if question.id is None and sample.question.id is not None else {}
        meta |= {"images": {each.sha256: each.encoded for each in question.images}} if question.images else {}
        lines: list[bytes] = []
        writer = Writer(recordable(out), fsync=fsync) if out is not None else None
        log = game.recorder = EventLog(writer or lines.append)
        try:
            _open(log, header(protocol, game.question, seed, bounds), meta, kept)
            await Driver(game, seats, log, recording, stale, draws).run()
        finally:
            if writer is not None:
                writer.close()
    return Transcript(lines, truth=kept) if writer is None else Transcript(path=out, recent=writer.recent)


def _open(log: EventLog, started: Mapping[str, Any], meta: Mapping[str, Any], kept: Sample) -> None:
    """Record the first event. The truth is on the disk before that names its file; without the event there is no such file."""
    path, placed = getattr(log.write, "path", None), kept
    if path is not None and isinstance(kept, Sealed):
        try:
            placed = kept.beside(path)
        except TranscriptError:
            with suppress(OSError):
                path.unlink()  # nothing was recorded, and the name is free for another attempt
            raise
    try:
        log.event("started", started, {**meta, **recorded(placed)})
    except BaseException:
        if isinstance(placed, Sealed) and placed is not kept:
            placed.withdraw()
        raise


def header(
    protocol: Protocol, question: Question, seed: int = 0, limits: Mapping[str, Mapping[str, int | float]] | None = None
) -> dict[str, Any]:
    """What the `started` event of a play says, apart from its meta."""
    fields: dict[str, Any] = {
        "format": FORMAT, "version": VERSION, "protocol": record_of(protocol),
        "question": question.model_dump(mode="json", exclude_defaults=True), "seed": seed,
        "roles": protocol.roles(question),
    }  # fmt: skip
    if limits:
        fields["bounds"] = dict(limits)
    if (nodes := protocol.full_tree_size(question)) is not None:
        fields["full_tree_size"] = nodes
    return fields


def recordable(out: Path | str) -> Path:
    """Where a play is to be recorded, as a path. Raises UsageError on what can be no transcript."""
    if not isinstance(out, (str, PathLike)):
        raise UsageError(f"out is {out!r}; it must be the path of a transcript to write")
    path = Path(out)
    if path.is_dir():
        raise UsageError(f"{path} is a folder; name the transcript in it: {path / 'd.jsonl'}")
    if path.suffix == ".zst":
        raise UsageError(f"{path}: a play is recorded as .jsonl; seal it once it has ended: moot seal")
    return path
