"""The plays under some paths, listed without opening them: folders of transcripts, folders of studies, single files.

Rule of this file: it knows names, sizes and what a study's index holds; a transcript is opened when somebody `read`s an item. No
file is reached but those that lie in the paths that were given.
"""

from __future__ import annotations

import hashlib
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from moot.complexity.reward import leader
from moot.protocols.engine.errors import MootError, UsageError
from moot.studies.folder import DESIGN, read_design
from moot.studies.index import Index
from moot.studies.rows import EMPTY, Row, row_of
from moot.transcripts.display.scenes import described
from moot.transcripts.index import summary_of
from moot.transcripts.transcript import Transcript
from moot.web.viewer.facts import judge_of

FRESH = 1.0
"""Seconds for which a folder that was looked through is taken for what it was."""
UNREAD = "not read"
RUNNING = "running"
"""What the list says for the outcome of a play that has not ended."""


@dataclass(slots=True)
class Item:
    """One play. id: a hash of where it lies, which names no path. state: what changes whenever its file does. read: whether what follows it is known, as far as it can be; None there is
    unknown. right: whether the judge was. at: when it began, or else when its file was changed. deep: whether the transcript was read
    whole, so that its guarantee is known where it can be."""

    id: str
    name: str
    path: str
    root: str
    size: int
    changed: float
    state: tuple[int, ...]
    read: bool = False
    deep: bool = False
    question: str | None = None
    protocol: str | None = None
    arm: str | None = None
    judge: str | None = None
    outcome: str = UNREAD
    right: bool | None = None
    guarantee: bool | None = None
    at: str | None = None
    problem: str | None = None

    @property
    def here(self) -> bool:
        """Whether the file lies, links followed, where it was found; and is a file."""
        real = os.path.realpath(self.path)
        return os.path.isfile(real) and os.path.commonpath((real, self.root)) == self.root


class Listing:
    """Raises UsageError where a path is not there, or is no transcript, folder or study."""

    def __init__(self, paths: Iterable[Path | str]) -> None:
        self.sources: list[_Source] = []
        for path in dict.fromkeys(map(Path, paths)):
            try:
                root = path.resolve(strict=True)
            except (OSError, RuntimeError, ValueError) as error:
                raise UsageError(f"there is nothing at {path}: {getattr(error, 'strerror', None) or error}") from None
            if root.is_dir():
                self.sources.append(_Study(root) if (root / DESIGN).is_file() else _Folder(root))
            elif root.is_file() and path.name.endswith((".jsonl", ".zst")):
                self.sources.append(_File(root))
            else:
                raise UsageError(f"{path} is no transcript (.jsonl, .jsonl.zst), no folder of them and no study")
        if not self.sources:
            raise UsageError("say what to view: a transcript, a folder of them, or the folder of a study")
        self._by_id: dict[str, Item] = {}

    @property
    def single(self) -> bool:
        """Whether one file alone was given."""
        return len(self.sources) == 1 and isinstance(self.sources[0], _File)

    @property
    def notes(self) -> list[str]:
        """What is to be said of the paths besides what is listed."""
        return [source.note for source in self.sources if source.note]

    def items(self) -> list[Item]:
        """Every play that there is now, in the order of the paths, and of names in them. Opens no transcript."""
        found: dict[str, Item] = {}
        for source in self.sources:
            for item in source.items():
                found.setdefault(item.id, item)
        self._by_id = found
        return list(found.values())

    def item(self, id: str) -> Item | None:
        """The play of an id; None where there is none, or its file lies elsewhere by now."""
        found = self._by_id.get(id)
        if found is None:
            self.items()
            found = self._by_id.get(id)
        return found if found is not None and found.here else None


class _Source(ABC):
    """root: the folder, or the one file. note: what is to be said of it."""

    def __init__(self, root: Path) -> None:
        self.root, self.note = root, ""
        self._held: dict[str, Item] = {}
        self._looked = -FRESH

    def items(self) -> list[Item]:
        if time.monotonic() - self._looked >= FRESH:
            self._held = {item.path: item for item in self.found()}
            self._looked = time.monotonic()
        return list(self._held.values())

    @abstractmethod
    def found(self) -> Iterator[Item]:
        """What lies there now."""

    def made(self, path: str, stat: os.stat_result) -> Item:
        """The item of a file: what it was where the file has not changed."""
        known, state = self._held.get(path), (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)
        if known is not None and known.state == state:
            return known
        inside = self.root if self.root.is_dir() else self.root.parent
        id = hashlib.blake2b(path.encode("utf-8", "surrogateescape"), digest_size=12).hexdigest()
        name = os.path.basename(path).encode("utf-8", "replace").decode()
        return Item(id, name, path, str(inside), stat.st_size, stat.st_mtime, state)


class _File(_Source):
    def found(self) -> Iterator[Item]:
        for path in (str(self.root), f"{self.root}.zst"):  # it may be sealed meanwhile
            with suppress(OSError):
                yield self.made(path, os.stat(path))
                return


class _Folder(_Source):
    def found(self) -> Iterator[Item]:
        self.note = ""
        try:
            entries = sorted(os.scandir(self.root), key=lambda entry: entry.name)
        except OSError as error:
            self.note = f"{self.root.name} cannot be read: {error.strerror}"
            return
        for entry in entries:
            if not entry.name.endswith((".jsonl", ".zst")) or entry.name.startswith("."):
                continue
            with suppress(OSError):
                if entry.is_symlink() and not _inside(entry.path, self.root):
                    continue
                if entry.is_file():
                    yield self.made(entry.path, entry.stat())


class _Study(_Source):
    """The plays of a study that there are, as its index has them; those that it does not have yet are read when they are shown."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._state: tuple[Any, ...] = ()

    def found(self) -> Iterator[Item]:
        state = self._now()
        if state == self._state:
            yield from self._held.values()
            return
        self._state, self.note = state, ""
        try:
            design = read_design(self.root)
        except UsageError as error:
            self.note = str(error)
            return
        index = _Index(self.root)
        try:
            lookup = index.lookup()
            for cell in design.cells():
                facts = lookup(cell.key)
                if facts is None or (stat := index.stats.get(cell.key)) is None:
                    continue
                item = self.made(stat[0], stat[1])
                row = row_of(design, cell, facts)
                item.arm, item.question = row["arm"], row["question"]
                item.protocol = item.protocol or row["protocol"]
                if facts["outcome"] != UNREAD:
                    item.read = item.deep = True
                    item.judge, item.right, item.guarantee = row["judge"], row["correct"], row["guarantee"]
                    item.outcome = RUNNING if row["outcome"] == "not ended" else row["outcome"]
                    item.problem = row["cause"] if row["outcome"] == "errored" else None
                yield item
        finally:
            index.close()

    def _now(self) -> tuple[Any, ...]:
        cells = self.root / "cells"
        found: list[Any] = []
        with suppress(OSError):
            shelves = sorted(entry.path for entry in os.scandir(cells) if entry.is_dir())
            running = (item.path for item in self._held.values() if item.outcome == RUNNING)
            for path in map(str, (self.root / DESIGN, self.root / "index.sqlite", cells, *shelves, *running)):
                with suppress(OSError):
                    stat = os.stat(path)
                    found += (path, stat.st_mtime_ns, stat.st_size)
        return tuple(found)


class _Index(Index):
    """A study's index that opens no transcript for what it does not hold. stats: by key, the path of a file and what the system says of it."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, owner=False)
        self.stats: dict[str, tuple[str, os.stat_result]] = {}

    def files(self) -> dict[str, int]:
        cells = self.folder / "cells"
        for shelf in sorted(cells.iterdir()) if cells.is_dir() else ():
            if not shelf.is_dir() or not _inside(str(shelf), self.folder):
                continue
            for entry in os.scandir(shelf):
                key, _, ending = entry.name.partition(".")
                if key[:2] != shelf.name or ending not in ("jsonl", "jsonl.zst"):
                    continue
                if ending == "jsonl" or key not in self.stats:
                    with suppress(OSError):
                        if not entry.is_symlink() or _inside(entry.path, self.folder):
                            self.stats[key] = (entry.path, entry.stat())
                            (self.sealed.add if ending == "jsonl.zst" else self.sealed.discard)(key)
        return {key: stat.st_size for key, (_, stat) in self.stats.items()}

    def read(self, key: str, transcript: Transcript | None = None) -> Row:
        return EMPTY | {"outcome": UNREAD}


def _inside(path: str, root: Path) -> bool:
    return os.path.commonpath((os.path.realpath(path), root)) == str(root)


def read(item: Item) -> Item:
    """Read what the first and the last line of a play say, and the truth beside it; not again while its file stays as it is."""
    if item.read:
        return item
    if not item.here:
        item.problem, item.outcome = "its file is not there any more", "unknown"
        return item
    path = Path(item.path)
    found = summary_of(path)
    item.read = True
    if found.problem is not None:
        item.problem, item.outcome = found.problem, "damaged"
        return item
    item.question = item.question or found.question
    item.protocol, item.at, item.outcome = found.protocol, found.at, found.outcome or RUNNING
    try:
        transcript = Transcript(path=path)
        judge = judge_of(transcript)
        item.judge = None if judge is None else described(transcript.seats.get(judge))
        if found.verdict is not None and (best := leader(found.verdict)) is not None:
            truth = transcript.sample.unseal()
            item.right = None if type(truth) is not int else best == truth
    except Exception:  # of a file that is damaged, or a protocol of somebody's own: its page says what is wrong
        pass
    return item


def read_whole(item: Item) -> Transcript | None:
    """The transcript of a play, in memory, with which the item's guarantee becomes known; None where it cannot be read."""
    if not read(item).here:
        return None
    path = Path(item.path)
    try:
        transcript = Transcript(list(Transcript(path=path).lines()), path)
        if next(transcript.events(), None) is None:  # all of it is checked for that
            return None
    except (MootError, OSError) as error:
        item.problem = item.problem or str(error).replace(item.path, item.name)
        return None
    if not item.deep:
        item.deep = True
        with suppress(Exception):  # of a protocol of somebody's own
            item.guarantee = transcript.guarantee.holds
    return transcript
