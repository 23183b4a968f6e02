"""A response cache in sqlite: the same request at the same step of the same seed is answered without a call.

The key holds everything that shaped the answer (endpoint, model, messages, parameters) and the step and its seed, so
that repetitions of a play are not all given one answer.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from pathlib import Path
from typing import Any

from moot.protocols.errors import UsageError


class Cache:
    """A file of JSON answers by request. Safe for several processes at once (write-ahead log). Raises UsageError when
    the file is no such cache."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(self.path, timeout=30, check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT NOT NULL) WITHOUT ROWID")
        except (sqlite3.Error, OSError) as error:
            raise UsageError(f"{path} cannot be used as a response cache: {error}") from None

    @staticmethod
    def key(endpoint: str, body: dict[str, Any], step: str, seed: int) -> str:
        whole = json.dumps([endpoint, body, step, seed], sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(whole.encode("utf-8", "surrogatepass")).hexdigest()

    def get(self, key: str) -> dict[str, Any] | None:
        """The answer for a key, or None."""
        with self._lock:
            row = self._db.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
        return None if row is None else json.loads(row[0])

    def put(self, key: str, answer: dict[str, Any]) -> None:
        """Keep an answer; the first one for a key stays."""
        with self._lock:
            self._db.execute("INSERT OR IGNORE INTO answers VALUES (?, ?)", (key, json.dumps(answer, ensure_ascii=False)))

    def close(self) -> None:
        self._db.close()
