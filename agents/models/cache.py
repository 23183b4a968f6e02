"""A cache of responses: stdlib sqlite3 in WAL mode, JSON values, safe for processes that run at the same time.
Rule: JSON under a key; what a response means is not known here, and none expires. One that no reader could read is dropped.

The key is a hash of the whole request (endpoint, model, messages, parameters) with the step and the repetition, so
that n repetitions of one play are n samples and not one answer n times.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio.to_thread

from moot.protocols.engine.errors import UsageError

BUSY = 30.0  # seconds to wait while another process writes


def key_of(endpoint: str, body: Mapping[str, Any], step: str, repetition: int) -> str:
    """The key of a request: sha256, in hex, of its canonical JSON with the endpoint, the step and the repetition."""
    whole = {"endpoint": endpoint, "body": body, "step": step, "repetition": repetition}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(text.encode()).hexdigest()


class Cache:
    """Responses by key in the file at `path`, which is made when it is not there. Raises UsageError when it cannot be
    written or holds something else."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self._db = sqlite3.connect(self.path, timeout=BUSY, isolation_level=None, check_same_thread=False)
            self._write_ahead()
            self._db.execute("PRAGMA synchronous=NORMAL")
            self._db.execute(
                "CREATE TABLE IF NOT EXISTS responses (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID"
            )
            self._db.execute("SELECT key, value FROM responses LIMIT 1").fetchone()
        except sqlite3.Error as error:
            raise UsageError(f"response cache {self.path}: {error}; name a new file in a folder that exists") from None

    def _write_ahead(self) -> None:
        """sqlite does not wait for its turn here when several processes make a file at the same time."""
        until = time.monotonic() + BUSY
        while True:
            try:
                self._db.execute("PRAGMA journal_mode=WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
                time.sleep(0.01)

    async def get(self, key: str) -> Any | None:
        """The JSON value stored under `key`, or None. A damaged value counts as none."""
        row = await anyio.to_thread.run_sync(self._run, "SELECT value FROM responses WHERE key = ?", key)
        with suppress(ValueError):
            return None if row is None else json.loads(row[0])
        return None

    async def put(self, key: str, value: Any) -> None:
        """Store a JSON value. The first value of a key stays: processes that race all read the same one later."""
        text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
        await anyio.to_thread.run_sync(self._run, "INSERT OR IGNORE INTO responses VALUES (?, ?)", key, text)

    async def drop(self, key: str, value: Any) -> None:
        """Forget a value, unless another has taken its place."""
        row = await anyio.to_thread.run_sync(self._run, "SELECT value FROM responses WHERE key = ?", key)
        if row is not None and json.loads(row[0]) == value:
            await anyio.to_thread.run_sync(self._run, "DELETE FROM responses WHERE key = ? AND value = ?", key, row[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return Cache, (self.path,)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    def _run(self, statement: str, *values: str) -> Any:
        with self._lock:
            try:
                return self._db.execute(statement, values).fetchone()
            except sqlite3.Error as error:
                raise UsageError(f"response cache {self.path}: {error}") from None
