"""The folder of a study: its design in `study.json`, its transcripts in `cells/`, an index that is derived from them, one owner.

Rule of this file: what is written here is whole or not there; nothing that was recorded is ever changed or removed.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from moot.protocols.engine.errors import UsageError
from moot.studies.design import Design
from moot.studies.index import Index
from moot.studies.rows import FINAL, JUDGED, Row, row_of
from moot.transcripts.store import lock

DESIGN, LOCK = "study.json", "lock"
PEOPLE = "judging"
"""The folder of what people did, which may be there before the study is."""


def read_design(folder: Path | str) -> Design:
    """The design of the study in a folder. Raises UsageError where there is none."""
    path = Path(folder) / DESIGN
    try:
        return Design.read(path.read_text(encoding="utf-8"), str(path))
    except FileNotFoundError:
        raise UsageError(f"{folder} holds no study: there is no {DESIGN} in it") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The folder of a study, which this process alone writes for as long as it runs. Raises UsageError while another does."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UsageError(f"cannot write to {folder}: {error.strerror}") from None
    beside: Path | None = None
    try:
        try:
            beside = lock(folder / LOCK, file)
        except UsageError:
            raise UsageError(f"another process runs the study in {folder}; wait for it or stop it") from None
        yield
    finally:
        os.close(file)
        if beside is not None:
            beside.unlink(missing_ok=True)


def adopt(folder: Path, design: Design) -> Design:
    """Write the design into a folder that this process owns, and return it as it is now, with what is frozen of it. An
    earlier design of the study stays beside it. Raises UsageError where the folder is another study's, or its design is frozen and
    is not this one."""
    path = folder / DESIGN
    if not path.exists():
        if any(
            each.name not in (LOCK, f"{LOCK}.lock", PEOPLE) and not each.name.startswith(".")
            for each in folder.iterdir()
        ):
            raise UsageError(f"{folder} holds other things than a study; give an empty folder, or a new one")
        write_whole(path, design.text())
        return design
    before = read_design(folder)
    if before.name != design.name:
        raise UsageError(
            f"{folder} is the folder of study {before.name!r}, not of {design.name!r}; give another folder"
        )
    if before.digest == design.digest:
        if design.frozen is not None and before.frozen is None:
            write_whole(path, design.text())
            return design
        return before
    if before.frozen is not None:
        raise UsageError(
            f"study {before.name!r} in {folder} was frozen {before.frozen.get('at', '')}, and its design is another now: "
            f"{difference(before, design)}; run it in a new folder"
        )
    number = next(n for n in itertools.count(1) if not (folder / f"study-{n}.json").exists())
    write_whole(folder / f"study-{number}.json", before.text())
    write_whole(path, design.text())
    return design


def difference(one: Design, other: Design) -> str:
    """What differs between two designs, in a few words."""
    for what in ("seed", "epochs", "flips", "gates"):
        if getattr(one, what) != getattr(other, what):
            return f"{what} {getattr(one, what)!r} and {getattr(other, what)!r}"
    was, now = ({arm.name: arm for arm in each.arms} for each in (one, other))
    for name in (*was, *now):
        if was.get(name) != now.get(name):
            return f"arm {name!r} " + ("is new" if name not in was else "is gone" if name not in now else "has changed")
    asked, asks = ({question.name: question for question in each.questions} for each in (one, other))
    for name in (*asked, *asks):
        if asked.get(name) != asks.get(name):
            how = "is new" if name not in asked else "is gone" if name not in asks else "has changed"
            return f"question {name!r:.100} {how}"
    return "the filter leaves out other cells"


def write_whole(path: Path, text: str) -> None:
    """Write a text file that is there whole, or as it was. Raises UsageError when it cannot be written."""
    beside = path.with_name(f".{path.name}.new")
    try:
        with open(beside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except (OSError, UnicodeEncodeError) as error:
        with suppress(OSError):
            beside.unlink()
        why = error.strerror if isinstance(error, OSError) else None
        raise UsageError(f"cannot write {path}: {why or error}") from None


def rows_in(folder: Path | str, design: Design | None = None, allow: Collection[str] = ()) -> Iterator[Row]:
    """A row for every cell of the study in a folder, in the order of its design. Writes nothing. allow: checkers of answers that
    may run code (`moot.graded`), for plays that the index does not hold."""
    folder = Path(folder)
    design = design or read_design(folder)
    index = Index(folder, owner=False, allow=allow)
    try:
        found = index.lookup()
        before: dict[str, Row] = {}  # plays that are judged again
        for cell in design.cells():
            facts, parent = found(cell.key), before.get(cell.parent or "")
            if facts is not None and parent is not None and facts["judged_again"] not in (None, parent["digest"]):
                facts = None  # the play was had anew, and this judged the one before
            if facts is None and parent is not None and parent["outcome"] in FINAL and parent["outcome"] not in JUDGED:
                facts = {"outcome": "not played", "cause": f"the play that it would judge was {parent['outcome']}"}
            if facts is not None and cell.arm in design.derived:
                before[cell.key] = {"digest": None, **facts}
            yield row_of(design, cell, facts)
    finally:
        index.close()
