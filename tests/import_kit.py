"""What the tests of import formats share: the fixtures, importing a value, and records with something wrong in them."""

from __future__ import annotations

import copy
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from moot.transcripts.formats.importing import Imported, format_named, record_of_import
from moot.transcripts.replay import replay
from moot.transcripts.transcript import Transcript, load

FIXTURES = Path(__file__).parent / "fixtures" / "importing"
WRONG: list[Any] = [
    None,
    [],
    {},
    "",
    "x",
    " \n",
    0,
    -1,
    10**400,
    1e308,
    1.5,
    True,
    [None],
    [[]],
    {"a": 1},
    "\ud800",
    "a" * 9,
]


def imported(name: str, path: Path, out: Path) -> list[Imported]:
    return list(format_named(name).imports(path, out))


def by_name(name: str, path: Path, out: Path) -> dict[str, Transcript]:
    """Every transcript of an import, by its name; each replays to the digest that it has."""
    found = {each.name: load(each.path) for each in imported(name, path, out) if each.path is not None}
    for transcript in found.values():
        assert replay(transcript).digest == transcript.digest
    return found


def of_value(name: str, value: Any, suffix: str = ".json") -> tuple[list[Transcript], list[str]]:
    """The transcripts, in memory, and the problems that the import of one record gives."""
    with tempfile.TemporaryDirectory() as folder:
        return of_bytes(name, json.dumps(value).encode(), suffix, Path(folder))


def of_bytes(name: str, content: bytes, suffix: str, folder: Path) -> tuple[list[Transcript], list[str]]:
    file = folder / f"record{suffix}"
    file.write_bytes(content)
    results = imported(name, file, folder / "out")
    for each in results:
        assert each.path is not None or each.problems
        assert not any("unexpected" in problem for problem in each.problems), "no format trips over what it reads"
        assert all(problem.startswith(str(file)) or "already" in problem for problem in each.problems)
    paths = [each.path for each in results if each.path is not None]
    assert len(set(paths)) == len(paths)
    whole = [Transcript(list(load(path).lines())) for path in paths]
    for transcript in whole:
        assert replay(transcript).digest == transcript.digest
    return whole, [problem for each in results for problem in each.problems]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


@st.composite
def spoilt(draw: st.DrawFn, value: Any) -> Any:
    """The record with one to three of its places missing, repeated, or holding something else."""
    value = copy.deepcopy(value)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(value))
        if not found:
            break
        *above, key = draw(st.sampled_from(found))
        holder = value
        for part in above:
            holder = holder[part]
        how = draw(st.sampled_from(["drop", "wrong", "wrong", "wrong", "add"]))
        if how == "drop":
            del holder[key]
        elif how == "wrong":
            holder[key] = copy.deepcopy(draw(st.sampled_from(WRONG)))
        elif isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        else:
            holder[f"{key} more"] = draw(st.sampled_from(WRONG[:-2]))
    return value


def kept(transcript: Transcript, value: Any) -> bool:
    """Whether the record is in the transcript as it was, to the last field."""
    return json.dumps(record_of_import(transcript)) == json.dumps(value)
