"""`moot classes`: which protocol accesses which complexity class, with what was verified of it just now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import typer

from moot.cli.frame import UNDECIDED, Json, say, tell, tell_json

if TYPE_CHECKING:
    from moot.complexity.classes import Checked


def classes(json: Json = False) -> None:
    """Run the witness of each claim that a protocol accesses a complexity class, and each known failure; print the table.

    A witness is evidence on the instances that it plays, and no proof.
    """
    from moot.complexity.classes import ROWS, UNCHECKED, check, failures
    from moot.transcripts.show import table

    done: list[Checked] = []
    for checked in check():
        done.append(checked)
        say(f"[{len(done)}/{len(ROWS)}] {checked.row.protocol} on {checked.row.task}: {checked.seconds:.1f} s")
    failed = list(failures())
    missed = [each for each in done if not each.evidence.holds] + [each for each in failed if not each.shown]
    if json:
        tell_json({
            "classes": [{**vars(each.row), **each.evidence.model_dump(), "holds": each.evidence.holds,
                         "seconds": round(each.seconds, 2)} for each in done],
            "failures": [vars(each) for each in failed],
            "unchecked": [dict(zip(("access", "proposal", "source"), row, strict=True)) for row in UNCHECKED],
        })  # fmt: skip
    else:
        rows = [["class", "proposal", "protocol", "task", "holds", "true outcomes", "judge's spending", "growth in n"]]
        rows += [_row(each) for each in done]
        tell("\n".join(table(rows, left=8)))
        tell("\nWhere theory says that there is no guarantee, the instance that shows it:")
        for failure in failed:
            tell(f"  {'shown' if failure.shown else 'NOT SHOWN'}: {failure.claim}\n      {failure.found}")
        tell("\nWithout a witness here:")
        for access, proposal, source in UNCHECKED:
            tell(f"  {access}: {proposal} ({source})")
    if missed:
        raise typer.Exit(UNDECIDED)


def _row(checked: Checked) -> list[str]:
    row, found = checked.row, checked.evidence
    instances = f"{found.right} of {found.instances}" + (f", all with {found.exhaustive}" if found.exhaustive else "")
    growth: Any = f"{found.counted} {found.growth}" if found.growth is not None else "-"
    spent = f"{found.used:g} ≤ {found.budget:g} {found.measure} at n = {found.n}"
    return [row.access, row.proposal, row.protocol, row.task, "yes" if found.holds else "NO", instances, spent, growth]
