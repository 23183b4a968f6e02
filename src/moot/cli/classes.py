"""`moot classes`: which protocol accesses which complexity class, with what was verified of it just now."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import typer

from moot.cli.frame import UNDECIDED, Json, columns, say, tell, tell_json

if TYPE_CHECKING:
    from moot.experiments.classes.classes import Checked


def classes(json: Json = False) -> None:
    """Run the witness of each claim that a protocol accesses a complexity class, and each known failure; print the table.

    A witness is evidence on the instances that it plays, and no proof.
    """
    from moot.experiments.classes.classes import ROWS, UNCHECKED, check, failures
    from moot.transcripts.display.show import table

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
        rows = [["class", "protocol", "task", "holds", "what its witness found"], *map(_row, done)]
        tell("\n".join(table(rows, left=5, width=columns())))
        tell("\nP^O, NP^O: relative to an oracle, which the judge asks itself as often as its queries say.")
        tell("\nWhere theory says that there is no guarantee, the instance that shows it:")
        for failure in failed:
            _tell_item(f"{'shown' if failure.shown else 'NOT SHOWN'}: {failure.claim}: {failure.found}")
        tell("\nWithout a witness here:")
        for access, proposal, source in UNCHECKED:
            _tell_item(f"{access}: {proposal} ({source})")
    if missed:
        raise typer.Exit(UNDECIDED)


def _tell_item(text: str) -> None:
    tell("\n".join(wrap(text, columns(), initial_indent="  ", subsequent_indent="      ", break_on_hyphens=False)))


def _row(checked: Checked) -> list[str]:
    """A line of the table; what grew is counted over increasing n."""
    row, found = checked.row, checked.evidence
    instances = f"{found.right} of {found.instances} {found.what}"
    instances += f" (all with {found.exhaustive} among them)" if found.exhaustive else ""
    within = "≤" if found.used <= found.budget else "and not ≤"
    spent = f"judge: {found.used:g} {within} {found.budget:g} {found.measure} at n = {found.n}"
    growth = f"; {found.counted} grow as {found.growth}" if found.growth is not None else ""
    about = f"{row.proposal}: {instances}; {spent}{growth}{f'; {found.note}' if found.note else ''}"
    return [row.complexity_class, row.protocol, row.task, "yes" if found.holds else "NO", about]
