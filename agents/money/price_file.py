"""Prices from a file that the user keeps, `prices.toml`; moot ships none, as they change too often to be true in a release.

    [[prices]]
    model = "gpt-4o-mini*"                    # a name, or a pattern with * and ?
    endpoint = "https://api.openai.com/v1"    # optional: this endpoint alone; or a host, "api.openai.com"
    prompt = 0.15                             # per million tokens, as are the others
    completion = 0.60
    cache_read = 0.075                        # optional: what prompt costs, unless given
    cache_write = 0.1875                      # optional: unknown unless given
    batch = 0.5                               # optional: what a call in a batch costs of that; unknown unless given
    source = "https://openai.com/api/pricing" # optional
    date = 2026-11-01                         # optional

Rule: files are found, read and searched here; an entry that cannot be used is an error with its file and line.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from moot.agents.money.prices import Prices
from moot.protocols.engine.errors import UsageError, near

VARIABLE = "MOOT_PRICES"
_NUMBERS = ("prompt", "completion", "cache_read", "cache_write")
_FIELDS = ("model", "endpoint", *_NUMBERS, "batch", "source", "date")


@dataclass(frozen=True, slots=True)
class Entry:
    """One price of a file. line: where it begins, None where that cannot be told."""

    model: str
    endpoint: str | None
    prices: Prices
    line: int | None

    def fits(self, model: str, url: str) -> bool:
        """Whether it is the price of this model at this base URL."""
        if not fnmatchcase(model, self.model) and model != self.model:
            return False
        if self.endpoint is None:
            return True
        if "://" not in self.endpoint:
            return self.endpoint.lower() in (urlsplit(url).hostname, urlsplit(url).netloc.lower())
        wanted, (place, _, _) = self.endpoint.rstrip("/").partition("?")[0], url.rstrip("/").partition("?")
        return place.rstrip("/") == wanted or place.startswith(f"{wanted}/")

    def exact(self, model: str) -> tuple[bool, bool, int]:
        """How narrowly it is of this model: of two that fit, the larger one counts."""
        return self.model == model, self.endpoint is not None, len(self.model.translate(str.maketrans("", "", "*?")))


@dataclass(frozen=True)
class PriceFile:
    """The prices of one file."""

    path: Path
    entries: tuple[Entry, ...]

    @classmethod
    def read(cls, path: str | Path, named: str = "prices") -> PriceFile:
        """Read a file. named: what asked for it, for messages. Raises UsageError with file and line on what is wrong with it."""
        path = Path(path)
        try:
            text = path.read_bytes().decode("utf-8-sig")
            data = tomllib.loads(text)
        except FileNotFoundError:
            raise UsageError(f"{named}: there is no file {path}") from None
        except OSError as error:
            raise UsageError(f"{named}: cannot read {path}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not UTF-8 text (offset {error.start})") from None
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise UsageError(f"{path} is no TOML: {error}") from None
        tables = data.get("prices")
        if unknown := next((key for key in data if key != "prices"), None):
            raise UsageError(
                f"{path}{_at(text, unknown)}: {unknown!r} is nothing that a price file has; write each as a table [[prices]]"
            )
        if not isinstance(tables, list) or not tables or not all(isinstance(table, Mapping) for table in tables):
            raise UsageError(
                f"{path} holds no prices; write each as a table [[prices]] with model, prompt and completion"
            )
        heads = [
            number for number, line in enumerate(text.splitlines(), 1) if re.match(r"\s*\[\[\s*prices\s*\]\]", line)
        ]
        lines = heads if len(heads) == len(tables) else [None] * len(tables)
        seen: dict[tuple[str, str | None], Entry] = {}
        for table, line in zip(tables, lines, strict=True):
            entry = _entry(table, line, f"{path}:{line}" if line else str(path), text)
            other = seen.setdefault((entry.model, entry.endpoint), entry)
            if other is not entry:
                where = f"{path}:{line}" if line else str(path)
                first = f"first in line {other.line}" if other.line else "each with prices of its own"
                raise UsageError(f"{where}: {entry.model!r} is given twice, {first}; keep one")
        return cls(path, tuple(seen.values()))

    def find(self, model: str, url: str) -> Prices | None:
        """The price of a model at a base URL; of several that fit, the narrowest. None where there is none."""
        fitting = [entry for entry in self.entries if entry.fits(model, url)]
        return max(fitting, key=lambda entry: entry.exact(model)).prices if fitting else None

    def missing(self, model: str) -> str:
        """That it has no price for a model, and whose name is most like it."""
        return f"{self.path} has no price for {model!r}" + near(model, [entry.model for entry in self.entries])

    def notes(self, models: Iterable[tuple[str, str]]) -> list[str]:
        """What to say of prices that none of these models, each with its base URL, uses: for one that looks like the
        misspelt name of a model without a price, that; of all others, who they are, in one line."""
        models = list(models)
        idle = [entry for entry in self.entries if not any(entry.fits(*each) for each in models)]
        bare = sorted({model for model, url in models if self.find(model, url) is None})
        told = [f"{self.missing(model)}; its cost is unknown" for model in bare]
        others = ", ".join(f"{entry.model!r}" + (f" (line {entry.line})" if entry.line else "") for entry in idle[:6])
        more = f" and {len(idle) - 6} more" if len(idle) > 6 else ""
        return told + ([f"{self.path}: no seat uses the price of {others}{more}"] if idle else [])


def _at(text: str, key: str, after: int = 1) -> str:
    """The line from `after` on in which a key is set, as ":7"; "" where none is found."""
    for number, line in enumerate(text.splitlines()[after - 1 :], after):
        if re.match(rf"\s*(?:\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=\].]", line):
            return f":{number}"
    return ""


def _entry(table: Mapping[str, Any], line: int | None, where: str, text: str) -> Entry:
    def wrong(field: str, problem: str) -> UsageError:
        place = where.rpartition(":")[0] + _at(text, field, line) if line and field in table else where
        return UsageError(f"{place}: {problem}")

    if unknown := next((key for key in table if key not in _FIELDS), None):
        raise wrong(unknown, f"a price has no {unknown!r}{near(unknown, _FIELDS)}; it has {', '.join(_FIELDS)}")
    for field in ("model", "prompt", "completion"):
        if field not in table:
            raise UsageError(f"{where}: this price has no {field}; it needs model, prompt and completion")
    for field in ("model", "endpoint", "source"):
        if field in table and not (isinstance(table[field], str) and table[field].strip()):
            raise wrong(field, f"{field} is {table[field]!r}; it must be a text")
    for field in _NUMBERS:
        value = table.get(field, 0)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf"):
            raise wrong(field, f"{field} is {value!r}; it must be a number of at least 0, per million tokens")
    batch = table.get("batch", 1)
    if isinstance(batch, bool) or not isinstance(batch, (int, float)) or not 0 <= batch <= 1:
        raise wrong("batch", f"batch is {batch!r}; it must be from 0 to 1: 0.5 where a call in a batch costs half")
    day = table.get("date")
    if day is not None and not isinstance(day, (date, str)):
        raise wrong("date", f"date is {day!r}; write it as 2026-11-01")
    prices = Prices(
        float(table["prompt"]), float(table["completion"]), float(table.get("cache_read", table["prompt"])),
        float(table["cache_write"]) if "cache_write" in table else None, table.get("source"), None if day is None else str(day),
        float(batch) if "batch" in table else None,
    )  # fmt: skip
    return Entry(table["model"], table.get("endpoint"), prices, line)


_named: ContextVar[PriceFile | None] = ContextVar("moot_prices", default=None)


@contextmanager
def using(path: str | Path | None) -> Iterator[PriceFile | None]:
    """The file in which models that are made meanwhile look for their prices; None: the one that there is anyhow."""
    file = known() if path is None else PriceFile.read(path, "--prices")
    token = _named.set(file)
    try:
        yield file
    finally:
        _named.reset(token)


def known() -> PriceFile | None:
    """The price file in force: that of `using`, the one that MOOT_PRICES names, or `moot/prices.toml` in the user's folder
    for configuration; None where there is none. Raises UsageError where it cannot be read."""
    if (file := _named.get()) is not None:
        return file
    if path := os.environ.get(VARIABLE):
        return PriceFile.read(path, VARIABLE)
    return PriceFile.read(own) if (own := config_folder() / "prices.toml").is_file() else None


def config_folder() -> Path:
    """The user's own folder for moot: under XDG_CONFIG_HOME or ~/.config; on Windows under APPDATA."""
    base = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if os.name == "nt" else None)
    return (Path(base) if base else Path(os.path.expanduser("~")) / ".config") / "moot"


def prices_for(given: Any, model: str, url: str) -> Prices | None:
    """The prices of a model: those given (`Prices.of`), those of the file that is given as a path, or, for None, those of
    the file in force. None where they are unknown. Raises UsageError on bad ones, and where a file that was given for
    this model has no price for it."""
    if given is None:
        return file.find(model, url) if (file := known()) is not None else None
    if not isinstance(given, (str, Path)):
        return Prices.of(given)
    file = PriceFile.read(given)
    if (found := file.find(model, url)) is None:
        raise UsageError(file.missing(model))
    return found
