"""The import format `audit-log`: audits that were held elsewhere, one JSON object a line.

{"bookings": [3, 5, 9], "answers": [17, 18], "balances": [3, 8], "doubt": 2, "believed": 0.99, "truth": 0}
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

import moot
from moot.transcripts.formats.importing import Format, Play
from moot.transcripts.formats.records import Given, Record, json_records, read
from moot_example.protocol import Audit, Balances, Doubt


class Logged(Given):
    bookings: list[int]
    answers: Annotated[list[int], Field(min_length=2, max_length=2)]
    balances: list[int]
    doubt: int
    believed: Annotated[float, Field(ge=0, le=1)] | None = None  # of the first answer; none: there was no verdict
    truth: int | None = None


class AuditLog(Format):
    name: ClassVar[str] = "audit-log"
    about: ClassVar[str] = "audits of sums, with the balances and what was doubted (the example of a plug-in)"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)

    def records(self, file: Path) -> Iterator[Record | str]:
        return json_records(file)

    def plays(self, record: Record) -> Iterator[Play]:
        log = read(Logged, record.value)
        choices = tuple(map(str, log.answers))
        question = moot.Question("What do the bookings add up to?", choices, data=list(log.bookings), unit="cells")
        wrote, doubt = Balances(values=tuple(log.balances)), Doubt(booking=log.doubt)
        verdict = [] if (p := log.believed) is None else [moot.Verdict(probabilities=(p, 1 - p))]
        moves: dict[str, list[moot.Move]] = {"clerk": [wrote], "auditor": [doubt], "judge": [*verdict]}
        yield Play(Audit(), moot.Sample(question, log.truth), moves)
