"""`moot seal` and `moot import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from moot.cli.frame import OK, UNDECIDED, Json, TranscriptPaths, safe, say, tell, tell_json
from moot.protocols.errors import MootError, UsageError


def seal(paths: TranscriptPaths, json: Json = False) -> None:
    """Compress ended transcripts to .zst.

    A summary stands in front; the original goes once the copy has been verified.
    """
    from moot.transcripts.seal import seal as seal_now

    bad = 0
    for path in paths:
        try:
            before = path.stat().st_size if path.is_file() else 0
            sealed = seal_now(path)
        except MootError as error:
            bad += 1
            if len(paths) == 1:
                raise
            say(f"moot: {' '.join(safe(str(error)).split())}")
            continue
        after = sealed.stat().st_size
        if json:
            tell_json({"path": str(sealed), "bytes": after, "before": before})
        else:
            tell(f"{sealed}: {before / 1000:.1f} kB to {after / 1000:.1f} kB")
    raise typer.Exit(UNDECIDED if bad else OK)


def import_nyu(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The published debates, or one of their JSON files.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="The folder for the transcripts.")],
    json: Json = False,
) -> None:
    """Import human debates of Michael et al. 2023.

    Each becomes a transcript, its rules a protocol, the judge's beliefs verdicts.
    """
    from moot.transcripts.nyu import import_folder

    if not folder.exists():
        raise UsageError(f"there is no folder {folder}")
    taken = troubled = refused = 0
    for found in import_folder(folder, out):
        if found.path is None:
            refused += 1
        else:
            taken += 1
        troubled += bool(found.problems)
        if json:
            tell_json(
                {"name": found.name, "path": str(found.path) if found.path else None, "problems": list(found.problems)}
            )
        elif found.problems:
            state = "imported, but" if found.path is not None else "not imported:"
            tell(f"{safe(found.name)}: {state} {safe('; '.join(found.problems))}")
    if not json:
        tell(f"{taken} imported to {out}, {refused} refused, {troubled} with remarks")
    raise typer.Exit(UNDECIDED if refused else OK)
