"""Practice: recorded plays that everybody judges first, and that count for nothing.

Rule of this file: which of them a person has still to do, and having one; who is told what of it stands elsewhere.
"""

from __future__ import annotations

from pathlib import Path

from moot.agents.people.browser import Browser
from moot.protocols.engine.errors import UsageError
from moot.studies.cells import Ended
from moot.studies.rows import FINAL
from moot.transcripts.store import Fsync
from moot.web.judging.work.source import Recorded, Told, again, recorded
from moot.web.judging.work.worth import found_in


class Practice:
    """The practice plays. plays: a folder of them, None for none; folder: where what people made of them goes, a folder each. Raises
    UsageError where there is none that could be judged."""

    def __init__(self, plays: Path | None, folder: Path, fsync: Fsync = "ended") -> None:
        self.folder = folder
        self.fsync: Fsync = fsync
        skipped: list[str] = []
        self.plays = [] if plays is None else sorted(recorded(plays, skipped), key=lambda each: each.key)
        if plays is not None and not self.plays:
            why = f" ({skipped[0]})" if skipped else ""
            raise UsageError(f"practice: {plays} holds no play that could be judged again{why}")
        self._left: dict[str, list[Recorded]] = {}

    def place(self, person: str, each: Recorded) -> Path:
        """Where a person's own judgement of it lies."""
        return self.folder / person / f"{each.key}.jsonl"

    def left(self, person: str) -> list[Recorded]:
        """What a person has still to do, in order."""
        if person not in self._left:
            self._left[person] = [each for each in self.plays if not self._done(self.place(person, each))]
        return self._left[person]

    def _done(self, path: Path) -> bool:
        return path.exists() and found_in(path).outcome in FINAL

    def title(self, each: Recorded) -> str:
        """What it is called."""
        return f"Practice {self.plays.index(each) + 1} of {len(self.plays)}"

    async def have(self, person: Browser, each: Recorded, told: Told) -> Ended:
        """Have it judged by this person. One that cannot be had is no hurdle: they go on to the next."""
        assert person.name is not None
        left = self.left(person.name)
        ended = await again(each, self.place(person.name, each), each.seed, self.fsync, None, {each.seat: person}, told)
        if each in left:
            left.remove(each)
        return ended
