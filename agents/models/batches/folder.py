"""What was submitted in batches, on disk: each call is found again by what it asks, for which play and at which step.

    000001.jsonl          the requests, as they are sent
    000001.json           where they went, and the batch's id once that is known
    000001.results.jsonl  what became of them, once the batch has ended

Rule: files alone, each written whole or not at all; nothing is sent. No secret stands in them.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from io import BufferedRandom
from pathlib import Path
from typing import Any

from moot.agents.models.batches.forms import Result
from moot.protocols.engine.errors import UsageError

_ID = re.compile(rb'\{"custom_id": ?"([0-9a-f]{40})-(\d{1,9})"')
_NOTE = re.compile(r"(\d{6,})\.json")
_FIELDS = {"url": str, "api": str, "model": str, "tag": str, "at": str, "id": str, "file": str}


@dataclass(eq=False, slots=True)
class Job:
    """A batch. url, api, model: what it asks; tag: our own name for it; at: when it was made; id: the provider's, "" while that
    is not known; file: the provider's name for the file of its requests; lines: the ids of its requests, in their order.
    tried: whether it may have been submitted though no id is known; failures: since something last went well."""

    number: int
    url: str
    api: str
    model: str
    tag: str
    at: str
    lines: list[str]
    id: str = ""
    file: str = ""
    tried: bool = False
    failures: int = 0
    due: float = 0.0
    every: float = 0.0

    def note(self) -> dict[str, str]:
        return {name: str(getattr(self, name)) for name in _FIELDS}


def key_of(identity: str, path: str, body: Mapping[str, Any], play: str, step: str, seed: int) -> str:
    """What a call is known by: sha256 of where it goes, its whole body, and the play, step and seed that ask."""
    whole = json.dumps([identity, path, body, play, step, seed], sort_keys=True, separators=(",", ":"))
    return sha256(whole.encode()).hexdigest()[:40]


@dataclass(slots=True)
class Known:
    """What a folder holds. jobs: those whose results are not here; answers: where an answer stands; counts: the requests that were
    ever made for a key."""

    jobs: list[Job] = field(default_factory=list)
    answers: dict[str, tuple[Path, int, str]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    ids: set[str] = field(default_factory=set)
    last: int = 0


class Folder:
    """The folder of a `Batch`. Raises UsageError where it cannot be used, or another process uses it."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock: BufferedRandom | None = None

    def open(self) -> None:
        """Make the folder and hold it, so that no second process submits what this one does."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = open(self.path / "lock", "a+b")
        except OSError as error:
            raise UsageError(f"batches: {self.path} cannot be written: {error.strerror}") from None
        try:
            _hold(lock)
        except OSError:
            lock.close()
            raise UsageError(f"batches: {self.path} is in use by another process; wait for it, or stop it") from None
        self._lock = lock

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def known(self) -> Known:
        """What is here. Requests of which no note was written were never sent, and are removed. Raises UsageError for what is damaged."""
        found = Known()
        for path in sorted(self.path.glob("*.jsonl")):
            if re.fullmatch(r"\d{6,}", path.stem) and not path.with_suffix(".json").exists():
                path.unlink()
        for path in sorted(self.path.glob("*.json")):
            if (match := _NOTE.fullmatch(path.name)) is None:
                continue
            job = self._job(path, int(match[1]))
            found.last = max(found.last, job.number)
            for id in job.lines:
                key = id.partition("-")[0]
                found.counts[key] = max(found.counts.get(key, 0), int(id.partition("-")[2]) + 1)
            if job.id:
                found.ids.add(job.id)
            results = self._path(job, "results.jsonl")
            if results.exists():
                self._index(results, job, found)
            else:
                found.jobs.append(job)
        return found

    def _job(self, path: Path, number: int) -> Job:
        try:
            note = json.loads(path.read_bytes())
            fields = {name: note[name] for name, kind in _FIELDS.items() if isinstance(note[name], kind)}
            lines = [match[1].decode() + "-" + match[2].decode() for line in path.with_suffix(".jsonl").open("rb")
                     if (match := _ID.match(line))]  # fmt: skip
            if len(fields) < len(_FIELDS) or not lines:
                raise ValueError
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            raise UsageError(
                f"batches: {path} and {path.stem}.jsonl are damaged; move both away, and their calls are made again"
            ) from None
        return Job(number, lines=lines, tried=not fields["id"], **fields)

    def _index(self, path: Path, job: Job, found: Known) -> None:
        place = 0
        for line in path.open("rb"):
            with suppress(ValueError, RecursionError):
                if (match := _ID.match(line)) and json.loads(line).get("status") == 200:
                    found.answers[f"{match[1].decode()}-{match[2].decode()}"] = (path, place, job.id)
            place += len(line)

    def answer(self, path: Path, place: int) -> Any:
        """The body of an answer. Raises UsageError where it cannot be read any more."""
        try:
            with path.open("rb") as file:
                file.seek(place)
                return json.loads(file.readline())["body"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UsageError(f"batches: {path} was changed while it was in use: {error}") from None

    def write(self, job: Job, lines: bytes) -> None:
        """Keep the requests of a batch, and that they are about to be sent. Raises OSError, and then nothing is kept."""
        try:
            self._put(self._path(job, "jsonl"), lines)
            self.note(job)
        except OSError:
            self.forget(job)
            raise

    def note(self, job: Job) -> None:
        """Keep how far a batch has come. Raises OSError."""
        self._put(self._path(job, "json"), json.dumps(job.note(), indent=1).encode() + b"\n")

    def requests(self, job: Job) -> bytes:
        """The requests of a batch. Raises OSError."""
        return self._path(job, "jsonl").read_bytes()

    def forget(self, job: Job) -> None:
        """Remove a batch that was never accepted."""
        for kind in ("json", "jsonl"):  # without a note, requests count as never sent
            with suppress(OSError):
                self._path(job, kind).unlink()

    def keep(self, job: Job, results: Iterable[tuple[str, Result]], hide: Callable[[str], str]) -> None:
        """Keep what became of the requests. Raises OSError."""
        lines = [
            hide(json.dumps({"custom_id": id, **asdict(each)}, separators=(",", ":"))) + "\n" for id, each in results
        ]
        self._put(self._path(job, "results.jsonl"), "".join(lines).encode())

    def _path(self, job: Job, kind: str) -> Path:
        return self.path / f"{job.number:06}.{kind}"

    def _put(self, path: Path, content: bytes) -> None:
        part = path.with_name(path.name + ".part")
        try:
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError:
            with suppress(OSError):
                part.unlink()
            raise


def _hold(lock: BufferedRandom) -> None:
    """Hold a file until it is closed, however this process ends. Raises OSError where another process does."""
    try:
        import fcntl
    except ImportError:  # Windows
        import msvcrt

        lock.seek(0)
        getattr(msvcrt, "locking")(lock.fileno(), getattr(msvcrt, "LK_NBLCK"), 1)  # noqa: B009
        return
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
