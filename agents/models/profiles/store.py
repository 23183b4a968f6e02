"""What was learnt of endpoints, kept between runs in one small JSON file.
Rule: it reads and writes; what a fact means is not known here. A run never fails for this file: what is wrong with it is told."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from moot.agents.models.profiles.profile import COUNTS, DROP, KEPT, NAME, SPOKEN, STREAM, TOOLS, Change
from moot.agents.models.wire import is_loopback

VARIABLE = "MOOT_PROFILES"
"""The file; set to nothing, nothing is kept."""
VERSION = 1
DAYS, LOCAL_DAYS = 30, 1
"""How long a fact is believed. Behind an address of this machine another server may stand tomorrow."""
LIMIT = 2_000_000  # bytes; a larger file is not ours
WAIT, STALE = 2.0, 10.0  # seconds to wait for another process that writes, and after which its lock is a dead one's


def path() -> Path | None:
    """The file of profiles: in the folder that the system has for caches, unless MOOT_PROFILES names another; None where it
    is switched off."""
    named = os.environ.get(VARIABLE)
    if named is not None:
        return Path(named) if named.strip() else None
    try:
        if sys.platform == "win32":
            base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
        elif sys.platform == "darwin":
            base = Path.home() / "Library" / "Caches"
        else:
            found = os.environ.get("XDG_CACHE_HOME", "")
            base = Path(found) if os.path.isabs(found) else Path.home() / ".cache"
    except RuntimeError:  # nobody's home
        return None
    return base / "moot" / "profiles.json"


def today() -> str:
    return datetime.now(UTC).date().isoformat()


def load(endpoint: str, model: str) -> dict[str, Change]:
    """What is known of a model at an endpoint and not out of date, by option. What cannot be read is told and left out."""
    where = path()
    if where is None:
        return {}
    data, problem = _read(where)
    if problem:
        _tell(where, f"{problem}; it is not used")
        return {}
    days = LOCAL_DAYS if is_loopback(endpoint) else DAYS
    found = {}
    for option, fact in _table(_table(_table(data.get("profiles")).get(endpoint)).get(model)).items():
        change = _change(option, fact)
        if change is not None and _age(change.on) <= days:
            found[option] = change
    return found


def save(endpoint: str, model: str, changes: Mapping[str, Change], replace: bool = False) -> Path | None:
    """Keep changes, beside or (replace) in the place of what was known; the file, or None where none was written. It is
    written whole and put in its place at once; processes take turns. A damaged file is kept under another name."""
    where = path()
    facts = {option: change for option, change in changes.items() if option in KEPT}
    if where is None or not (facts or replace):
        return None
    try:
        where.parent.mkdir(parents=True, exist_ok=True)
        with _turn(where):
            data, problem = _read(where)
            if problem and data:  # a later moot's: not ours to rewrite
                _tell(where, f"{problem}; nothing is kept")
                return None
            if problem:
                aside = where.with_name(f"{where.name}.damaged-{time.time_ns()}")
                os.replace(where, aside)
                _tell(where, f"{problem}; it was moved to {aside.name}, and begun anew")
            profiles = _table(data.get("profiles"))
            models = profiles[endpoint] = _table(profiles.get(endpoint))
            known = {} if replace else _table(models.get(model))
            made = {option: {"to": change.to, "because": change.because, "on": change.on or today()}
                    for option, change in facts.items()}  # fmt: skip
            models[model] = {**known, **made}
            _write(where, {"version": VERSION, "profiles": profiles})
    except (OSError, TimeoutError) as error:
        _tell(
            where,
            f"{getattr(error, 'strerror', None) or error}; nothing is kept. {VARIABLE} names another file, or none",
        )
        return None
    return where


def _read(where: Path) -> tuple[dict[str, Any], str]:
    """What a file holds, and what is wrong with it; of another version both."""
    try:
        with open(where, "rb") as file:
            raw = file.read(LIMIT + 1)
    except FileNotFoundError:
        return {}, ""
    except OSError as error:
        return {}, f"it cannot be read: {error.strerror}"
    if len(raw) > LIMIT:
        return {}, f"it is over {LIMIT:,} bytes"
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        return {}, "it is no JSON"
    if not isinstance(data, dict) or not isinstance(data.get("profiles"), dict):
        return {}, "it holds no profiles"
    if data.get("version") != VERSION:
        return data, f"it is of version {str(data.get('version'))[:20]}, and this moot reads {VERSION}"
    return data, ""


def _write(where: Path, data: Mapping[str, Any]) -> None:
    made = where.with_name(f".{where.name}.{os.getpid()}.{time.time_ns()}")
    try:
        with open(made, "x", encoding="utf-8") as file:
            json.dump(data, file, indent=1, sort_keys=True)
            file.flush()
            os.fsync(file.fileno())
        os.replace(made, where)
    except BaseException:
        with suppress(OSError):
            made.unlink()
        raise


@contextmanager
def _turn(where: Path) -> Iterator[None]:
    """This process's turn to write. Raises TimeoutError when another one keeps it."""
    lock, until = where.with_name(f".{where.name}.lock"), time.monotonic() + WAIT
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            with suppress(OSError):
                if time.time() - lock.stat().st_mtime > STALE:
                    lock.unlink()
                    continue
            if time.monotonic() > until:
                raise TimeoutError(f"another process keeps writing it (or remove {lock})") from None
            time.sleep(0.01)
    try:
        yield
    finally:
        with suppress(OSError):
            lock.unlink()


def _change(option: str, fact: Any) -> Change | None:
    """A fact of the file; None where it is none of ours."""
    if option not in KEPT or not isinstance(fact, dict):
        return None
    to, because, on = fact.get("to"), fact.get("because"), fact.get("on")
    if option in COUNTS:
        good = isinstance(to, int) and not isinstance(to, bool) and to >= 1
    elif option == NAME:
        good = to in ("max_tokens", "max_completion_tokens")
    elif option == DROP:
        good = isinstance(to, list) and bool(to) and all(isinstance(each, str) for each in to)
        to = tuple(to) if good and isinstance(to, list) else to
    elif option in (SPOKEN, STREAM, TOOLS):
        good = to in ("responses", "chat") if option == SPOKEN else isinstance(to, bool)
    else:
        good = to is None
    return Change(option, to, because, on) if good and isinstance(because, str) and isinstance(on, str) else None


def _age(on: str) -> float:
    """Days since a day; endless for what is no day, or is to come."""
    try:
        days = (date.fromisoformat(today()) - date.fromisoformat(on)).days
    except ValueError:
        return float("inf")
    return days if days >= -1 else float("inf")


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


_told: dict[str, bool] = {}
"""What is wrong with the file, and whether somebody was told."""


def _tell(where: Path, problem: str) -> None:
    _told.setdefault(f"{where}: {problem}", False)


def untold() -> str:
    """What went wrong with the file that nobody was told yet; each is told once in a process. The run goes on without it."""
    found = [problem for problem, known in _told.items() if not known]
    _told.update(dict.fromkeys(found, True))
    return "; ".join(found)
