"""`moot study run|status|results|report`: a study from a file to a table and a page.

Rule of this file: options and printing; what a study is stands in `moot.studies`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from moot.cli import frame
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.studies.study import Study

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The folder of a study.")]


def study_at(spec: str) -> Study:
    """The study in a .toml file, or one that Python makes: module:NAME, file.py:NAME."""
    from moot.studies.study import Study
    from moot.studies.toml import study_from

    if spec.endswith(".toml"):
        return study_from(Path(spec))
    from moot.agents.program import object_at

    made = object_at(spec)
    found = made() if callable(made) and not isinstance(made, Study) else made
    if not isinstance(found, Study):
        raise UsageError(f"{spec} is no study: it must be a moot.Study, or a function that returns one")
    return found


def run(
    spec: Annotated[str, typer.Argument(metavar="STUDY", help="study.toml, or module:NAME of a moot.Study.")],
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where it is kept; the same one goes on.")],
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, metavar="N", help="Plays at the same time; 16, or with --batch all.")] = None,
    prices: frame.Prices = None,
    max_cost: frame.MaxCost = None,
    max_tokens: Annotated[int | None, typer.Option(
        "--max-tokens", min=1, metavar="N", help="The most tokens for all model calls, earlier runs included.")] = None,
    max_seconds: Annotated[float | None, typer.Option(
        "--max-seconds", min=0, metavar="S", help="After so long nothing more is begun.")] = None,
    batch: Annotated[bool, typer.Option("--batch", help="Send the model calls of all plays in waves, as batch files.")] = False,
    frozen: Annotated[bool, typer.Option("--freeze", help="Hold the design fast: the folder takes no other from now on.")] = False,
    executor: Annotated[Literal["processes", "ray"] | None, typer.Option(
        "--executor", metavar="NAME", help="Play in `processes` of this machine, or on a `ray` cluster.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", min=1, metavar="N", help="How many, with --executor.")] = None,
    address: Annotated[str | None, typer.Option("--address", metavar="TEXT", help="Of a Ray cluster, with --executor ray.")] = None,
    fsync: frame.Fsync = "ended",
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Have every cell of a study that is not in its folder yet."""
    from moot.agents.money.price_file import using

    with using(prices):
        study = study_at(spec)
        study = study.freeze() if frozen else study
        try:
            done = study.run(out, limit=jobs, max_cost=max_cost, max_tokens=max_tokens, max_seconds=max_seconds,
                             batch=batch, fsync=fsync, executor=executor, workers=workers, address=address)  # fmt: skip
        except KeyboardInterrupt:
            raise frame.Interrupted(f"interrupted; what was said is kept in {out}; the same command goes on") from None
    if json:
        frame.tell_json(
            {
                "cells": done.cells,
                "outcomes": done.outcomes,
                "how": done.how,
                "stopped": done.stopped,
                "problems": done.problems,
            }
        )
    else:
        frame.tell("\n".join((str(done), *(f"  {each}" for each in done.problems), f"moot study results {out}")))
    if done.stopped:
        frame.complain(f"stopped: {done.stopped}; the same command goes on")
    raise typer.Exit(frame.OK if done.outcomes == {"decided": done.cells} else frame.UNDECIDED)


def status(folder: Folder, json: frame.Json = False) -> None:
    """What of a study is there, arm by arm. Opens no transcript that its index knows."""
    from moot.studies.folder import read_design, rows_in

    design = read_design(folder)
    counts: dict[str, Counter[str]] = {arm.name: Counter() for arm in design.arms}
    for row in rows_in(folder, design):
        counts[row["arm"]][row["outcome"]] += 1
    if json:
        frame.tell_json(
            {
                "study": design.name,
                "cells": sum(map(Counter.total, counts.values())),
                "arms": counts,
                "frozen": design.frozen,
            }
        )
        return
    frame.tell(
        f"{design.name}: {sum(map(Counter.total, counts.values()))} cells"
        + (f", frozen {design.frozen['at']}" if design.frozen else "")
    )
    for name, count in counts.items():
        frame.tell(f"  {name}: " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))


def results(
    folder: Folder,
    by: Annotated[list[str] | None, typer.Option("--by", metavar="COLUMN", help="Group by: arm, axes.judge, tags.topic, …")] = None,
    to: Annotated[Literal["csv", "json", "jsonl", "parquet"] | None, typer.Option("--to", help="Write the rows instead, one a verdict.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Where to; unless given, on the terminal.")] = None,
) -> None:  # fmt: skip
    """The figures of a study with their intervals, or its rows as a file."""
    from moot.studies.folder import read_design, rows_in
    from moot.studies.results import export
    from moot.studies.results.gates import gates_of
    from moot.studies.results.results import Results
    from moot.studies.results.summary import summary

    design = read_design(folder)
    rows = rows_in(folder, design)
    if out is not None:
        frame.tell(f"{export.write(rows, out, to)}")
    elif to == "parquet":
        raise UsageError("Parquet is no text; give a file: -o FILE.parquet")
    elif to is not None:
        frame.tell(export.text(rows, to), end="")
    else:
        frame.tell(summary(Results(rows), by=tuple(by) if by else "arm", gates=gates_of([*design.gates])))


def report(
    folder: Folder,
    by: Annotated[str, typer.Option("--by", metavar="COLUMN", help="Group by: arm, axes.judge, tags.topic, …")] = "arm",
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="FILE", help="The page; unless given, report.html in the folder."),
    ] = None,
    pdf: Annotated[
        bool, typer.Option("--pdf", help="The figures as PDF files too (pip install 'moot[plot]').")
    ] = False,
) -> None:
    """One page with everything that a study found, which needs nothing else; its figures beside it, as files."""
    from moot.studies.folder import read_design, rows_in
    from moot.studies.report.page import report as written
    from moot.studies.results.gates import gates_of

    design = read_design(folder)
    frame.tell(
        str(
            written(
                rows_in(folder, design),
                out or folder / "report.html",
                title=design.name,
                by=by,
                gates=gates_of([*design.gates]),
                pdf=pdf,
                design=design,
            )
        )
    )


COMMANDS: dict[str, Callable[..., None]] = {"run": run, "status": status, "results": results, "report": report}
