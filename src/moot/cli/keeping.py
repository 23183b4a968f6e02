"""`moot seal`, `moot sign` and `moot import`: transcripts packed, signed, and made of what others saved.

Rule of this file: nobody is called, and no original goes before its copy was checked.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from moot.cli.frame import OK, UNDECIDED, Json, Key, TranscriptPaths, each_of, tell, tell_json
from moot.protocols.engine.errors import UsageError


def seal(paths: TranscriptPaths, json: Json = False) -> None:
    """Compress ended transcripts to .zst.

    A summary stands in front; the original goes once the copy has been verified.
    """
    from moot.transcripts.seal import seal as seal_now

    def check(path: Path) -> tuple[str, dict[str, Any]]:
        before = path.stat().st_size if path.is_file() else 0
        sealed = seal_now(path)
        after = sealed.stat().st_size
        line = f"{sealed}: {before / 1000:.1f} kB to {after / 1000:.1f} kB"
        return line, {"path": str(sealed), "bytes": after, "before": before}

    each_of(paths, json, check)


def sign(paths: TranscriptPaths, key: Key = None, json: Json = False) -> None:
    """Sign transcripts with a key, each in a file beside it; moot verify --key checks them.

    The signature stays right when a transcript is sealed, and shows any other change to whoever has the key.
    """
    from moot.transcripts.signing import read_key
    from moot.transcripts.signing import sign as sign_now
    from moot.transcripts.transcript import Transcript

    if key is None:
        raise UsageError(
            "moot sign needs a key: --key FILE (to make one: head -c 32 /dev/urandom > FILE; chmod 600 FILE)"
        )
    secret = read_key(key)

    def check(path: Path) -> tuple[str, dict[str, Any]]:
        signature = sign_now(Transcript(path=path), secret)
        return f"{path}: signed in {signature}", {"path": str(path), "signature": str(signature)}

    each_of(paths, json, check)


def import_(
    form: Annotated[str, typer.Argument(metavar="FORMAT", help="What the records are: `moot import list` names them.")],
    paths: Annotated[list[Path] | None, typer.Argument(
        metavar="PATH...", help="Files of records, or folders of them.", show_default=False)] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="The folder for the transcripts.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Make transcripts of debates from elsewhere.

    `moot import list` shows the formats. A record that is wrong is reported with file and place, and the rest goes on.
    """
    from moot.transcripts.formats.importing import format_named, known_formats

    if form == "list" and not paths:
        from moot.transcripts.display.show import table

        rows = [["format", "files", "what it is"]]
        for name, known in sorted(known_formats().items()):
            rows.append([name, " ".join(known.suffixes), known.about])
            if json:
                tell_json({"format": name, "about": known.about, "suffixes": list(known.suffixes)})
        if not json:
            tell("\n".join(table(rows, left=3)))
        return
    source = format_named(form)
    if not paths or out is None:
        missing = "PATH, a file or folder of records" if not paths else "-o DIR, the folder for the transcripts"
        raise UsageError(f"moot import {form} needs {missing}")
    taken = troubled = refused = 0
    for found in source.imports(paths, out):
        refused += found.path is None
        taken += found.path is not None
        troubled += bool(found.problems)
        if json:
            tell_json({"name": found.name, "path": found.path, "problems": found.problems})
        elif found.problems:
            state = "imported, but" if found.path is not None else "not imported:"
            tell(f"{found.name}: {state} {'; '.join(found.problems)}", line=True)
    if not json:
        tell(f"{taken} imported to {out}, {refused} refused, {troubled} with remarks")
    raise typer.Exit(UNDECIDED if refused else OK)
