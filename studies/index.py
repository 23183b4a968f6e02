"""The index of a study: one row for each transcript, so that nobody opens a hundred thousand files to count them.

Rule of this file: everything in it is derived from the transcripts, and only the owner of the study's folder writes it; whoever
deletes it loses time.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from moot.agents.money.bill import Pricing, bill_of, charged, taken
from moot.agents.people.terminal import warn
from moot.protocols.engine.errors import MootError, UsageError, said
from moot.studies.rows import EMPTY, Row, facts_of
from moot.transcripts.transcript import Transcript

VERSION = 2
_BATCH = 200  # rows that are kept back at most before they reach the disk
PATIENCE = 2.0
"""Seconds to wait for somebody else who holds the index; then this run goes on without it."""
_COLUMNS = (
    "size",
    "outcome",
    "digest",
    "judged_again",
    "asked",
    "mirror",
    "played",
    "mark",
    "counted",
    "taken",
)


class Known(NamedTuple):
    """What the index holds of one transcript: the size of its file, and facts of it (`moot.studies.rows`)."""

    size: int
    outcome: str
    digest: str | None
    judged_again: str | None
    asked: str | None
    mirror: str | None
    played: str | None
    mark: str | None
    counted: float | None
    taken: int | None

    @property
    def whose(self) -> tuple[str | None, str | None, str | None]:
        """What tells which cell it is of: question, the same with its answers exchanged, seed and protocol."""
        return self.asked, self.mirror, self.played


class Index:
    """The index in a folder. owner: whether it may be written; others read what is there, and transcripts beyond that."""

    def __init__(self, folder: Path, owner: bool, allow: Collection[str] = ()) -> None:
        """allow: checkers of answers that may run code (`moot.graded`)."""
        self.folder, self.path, self.owner, self.allow = folder, folder / "index.sqlite", owner, allow
        self.opened = 0  # transcripts that were opened to read their facts
        self.sealed: set[str] = set()  # keys of those that are sealed
        self._waiting = 0
        self._base: sqlite3.Connection | None = None
        try:
            self._base = self._connected()
            if self._base is None and owner:  # of another version
                self._base = self._anew()
        except sqlite3.Error as error:
            if not owner:
                return
            try:
                if busy(error):
                    raise
                self._base = self._anew()
            except (sqlite3.Error, OSError) as problem:
                self._without(problem)

    def _anew(self) -> sqlite3.Connection | None:
        """An empty index in place of one that is damaged, none, or of another version."""
        for ending in ("", "-journal", "-wal", "-shm"):
            self.path.with_name(self.path.name + ending).unlink(missing_ok=True)
        return self._connected()

    def _without(self, error: Exception) -> None:
        """Go on without an index: what would stand in it is in the transcripts."""
        base, self._base, self._waiting = self._base, None, 0
        if base is not None:
            with suppress(sqlite3.Error):
                base.close()
        if self.owner:
            warn(f"{self.path} cannot be used ({error}); the plays are kept, and a later run reads them anew", level=4)

    def _connected(self) -> sqlite3.Connection | None:
        if not self.owner and not self.path.exists():
            return None
        address = str(self.path) if self.owner else f"{self.path.absolute().as_uri()}?mode=ro"
        base: sqlite3.Connection = sqlite3.connect(address, timeout=PATIENCE, uri=not self.owner)
        try:
            found = base.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, VERSION) or (found == 0 and not self.owner):
                base.close()
                return None
            if found == 0:
                base.execute(
                    f"CREATE TABLE cells (cell TEXT PRIMARY KEY, {', '.join(_COLUMNS)}, facts TEXT) WITHOUT ROWID"
                )
                base.execute(f"PRAGMA user_version={VERSION}")
                base.commit()
            base.execute(f"SELECT cell, {', '.join(_COLUMNS)}, facts FROM cells LIMIT 1").fetchone()
            base.execute("PRAGMA synchronous=OFF")  # what a loss of power takes is made again
        except sqlite3.Error:
            base.close()
            raise
        return base

    def files(self) -> dict[str, int]:
        """The transcripts of the folder and their sizes, by key."""
        found: dict[str, int] = {}
        cells = self.folder / "cells"
        for shelf in sorted(cells.iterdir()) if cells.is_dir() else ():
            if shelf.is_dir():
                for entry in os.scandir(shelf):
                    key, dot, ending = entry.name.partition(".")
                    if key[:2] != shelf.name:
                        continue  # no cell lies there
                    if ending == "jsonl" or (ending == "jsonl.zst" and key not in found):
                        with suppress(OSError):  # it was moved away meanwhile, or leads nowhere
                            found[key] = entry.stat().st_size
                            (self.sealed.add if ending == "jsonl.zst" else self.sealed.discard)(key)
        return found

    def refreshed(self) -> dict[str, Known]:
        """What is known of each transcript that there is; those that are new, or have another size, are read."""
        files, known = self.files(), self.known()
        for key in known.keys() - files.keys():
            self.drop(key)
            del known[key]
        for key, size in files.items():
            if key not in known or known[key].size != size:
                known[key] = self.put(key)
        self.flush()
        return known

    def known(self) -> dict[str, Known]:
        """What stands in the index, by key."""
        if self._base is None:
            return {}
        try:
            rows = self._base.execute(f"SELECT cell, {', '.join(_COLUMNS)} FROM cells")
            return {row[0]: Known(*row[1:]) for row in rows}
        except sqlite3.Error as error:
            self._without(error)
            return {}

    def spent(self, price: Pricing, money: bool, tokens: bool) -> tuple[float, int]:
        """What counts against caps of all that was played, also of what was set aside. Only those are read of which the index does not
        know it, or not at the prices of their time. Raises UsageError where that is unknown of one."""
        paid, took = 0.0, 0
        known = self.refreshed()
        paths: list[tuple[Path, Known | None]] = [(self.place(key), each) for key, each in known.items()]
        for path, each in (*paths, *((path, None) for path in sorted(self.folder.glob("replaced/*.jsonl*")))):
            if each is None or (money and each.counted is None) or (tokens and each.taken is None):
                try:
                    bill = bill_of(Transcript(path=path).events(), price)
                except (MootError, OSError) as error:
                    raise UsageError(
                        f"{path}: what it has cost cannot be read, so that a cap cannot hold: {said(error)}"
                    ) from None
                paid += charged(bill, str(path)) if money else 0.0
                took += taken(bill, str(path)) if tokens else 0
            else:
                paid, took = paid + (each.counted or 0.0), took + (each.taken or 0)
        return paid, took

    def put(self, key: str, transcript: Transcript | None = None) -> Known:
        """Read a transcript, or take the one that was just played, and keep what it says."""
        path = self.place(key)
        facts = self.read(key, transcript)
        size = _size(path) if facts["mark"] is not None else -1  # its truth may come, or a checker be allowed
        known = Known(size, *(facts[name] for name in _COLUMNS[1:]))
        told = json.dumps(facts, ensure_ascii=True)
        self._write(f"INSERT OR REPLACE INTO cells VALUES ({'?,' * len(_COLUMNS)}?,?)", (key, *known, told))
        return known

    def _write(self, statement: str, values: tuple[object, ...]) -> None:
        if self._base is None or not self.owner:
            return
        try:
            self._base.execute(statement, values)
        except sqlite3.Error as error:
            self._without(error)
            return
        self._waiting += 1
        if self._waiting >= _BATCH:
            self.flush()

    def read(self, key: str, transcript: Transcript | None = None) -> Row:
        """The facts of a transcript, read from its file."""
        if transcript is None:
            self.opened += 1
            transcript = Transcript(path=self.place(key))
        try:
            return facts_of(transcript, self.allow)
        except (MootError, OSError) as error:
            return EMPTY | {"outcome": "errored", "cause": said(error)}
        except Exception as error:  # of a protocol of somebody's own: the play is there, and only its row is not
            return EMPTY | {
                "outcome": "errored",
                "cause": f"it cannot be put in a row: {type(error).__name__}: {said(error)}",
            }

    def place(self, key: str) -> Path:
        """Where the transcript of a key lies, sealed or not."""
        path = self.folder / "cells" / key[:2] / f"{key}.jsonl"
        sealed = path.with_name(f"{path.name}.zst")
        return sealed if not path.exists() and sealed.exists() else path

    def drop(self, key: str) -> None:
        """Forget what is there no more."""
        self._write("DELETE FROM cells WHERE cell = ?", (key,))

    def flush(self) -> None:
        """Hand to the disk what is kept back."""
        if self._base is not None and self._waiting:
            try:
                self._base.commit()
                self._waiting = 0
            except sqlite3.Error as error:
                self._without(error)

    def lookup(self) -> Callable[[str], Row | None]:
        """From a key to the facts of its transcript, read from its file where the index does not hold them as they are now;
        None where there is no transcript."""
        files, held = self.files(), dict[str, tuple[int, str]]()
        if self._base is not None:
            try:
                rows = self._base.execute("SELECT cell, size, facts FROM cells")
                held = {key: (size, told) for key, size, told in rows}
            except sqlite3.Error as error:
                self._without(error)

        def found(key: str) -> Row | None:
            if (size := files.get(key)) is None:
                return None
            kept, told = held.get(key, (-1, ""))
            facts = _facts(told) if kept == size else None
            return {**(facts or self.read(key)), "sealed": key in self.sealed}

        return found

    def close(self) -> None:
        """Hand all to the disk and let go of it."""
        if self._base is not None:
            self.flush()
            self._base.close()
            self._base = None


def _facts(told: str) -> Row | None:
    """Facts as they stand in the index; None where they are none."""
    try:
        found = json.loads(told)
    except (TypeError, ValueError):
        return None
    return found if isinstance(found, dict) and found.keys() == EMPTY.keys() | {"outcome"} else None


def _size(path: Path) -> int:
    """Bytes of a file; -1 where it is there no more."""
    try:
        return path.stat().st_size
    except OSError:
        return -1


def busy(error: Exception) -> bool:
    """Whether somebody else holds a database."""
    return "locked" in str(error)
