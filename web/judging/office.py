"""Where people and plays meet: whose turn is what, which play is next, what is written down of it.

Rule of this file: it knows people, seats and names, and nothing of pages. What it says was done stands in the journal or in a transcript
before it says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

import anyio
from anyio.abc import TaskGroup

from moot.agents.people.browser import Browser
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.studies.cells import LEFT, Ended
from moot.studies.folder import PEOPLE, owned
from moot.studies.rows import FINAL
from moot.studies.running import Progress
from moot.transcripts.store import Fsync
from moot.web.judging.rules import Rules
from moot.web.judging.seating import Seating
from moot.web.judging.work.journal import JOURNAL, Journal, Line, lines_in
from moot.web.judging.work.people import People, secret_in
from moot.web.judging.work.people import Person as Person
from moot.web.judging.work.practice import Practice
from moot.web.judging.work.queue import Place, Queue
from moot.web.judging.work.sitting import Sitting, Waiting
from moot.web.judging.work.source import FolderSource, Play, Recorded, Source, StudySource
from moot.web.judging.work.stated import mark_of, state
from moot.web.judging.work.worth import Worth, feedback_of

Stage = Literal["consent", "instructions", "practice", "work", "done", "wait"]
TICK = 0.5
"""Seconds between two looks at who is there."""


class Office:
    """The people of a study at their plays. folder: where the plays are recorded; what people did goes to `judging/` in it. One process
    at a time holds it: `async with`, or `close()`. Raises UsageError where there are no people, where a seat is for somebody who is not among
    them, and while another process has the folder."""

    def __init__(self, source: Source, rules: Rules, folder: Path | str, fsync: Fsync = "ended") -> None:
        self.rules, self.source, self.name, self.folder = rules, source, source.name, Path(folder) / PEOPLE
        self.fsync: Fsync = fsync
        if not rules.people:
            raise UsageError('nobody judges: say who, by --people ann,bob, or people = ["ann", "bob"] in [judging]')
        for where, who in source.people().items() if isinstance(source, StudySource) else ():
            if who.name is not None and who.name not in rules.people:
                raise UsageError(
                    f"{where} is the seat of {who.name!r}, who is not among the people: {', '.join(rules.people)}"
                )
            if who.away == "runs" != rules.away:
                raise UsageError(f'{where} says away = "runs", which is said once for everybody: in [judging]')
        self._jobs = {job.key: job for job in source.jobs()}
        if not self._jobs:
            raise UsageError(f'{self.name}: no seat is a person\'s; seat one at a browser: judge = "browser"')
        self.practice = Practice(rules.practice, self.folder / "practice", fsync)
        self._lock = owned(self.folder)
        self._lock.__enter__()
        try:
            self.people = People(rules.people, secret_in(self.folder))
            self.journal = Journal(self.folder / JOURNAL, fsync)
            self._begin()
            state(self.folder, self.name, rules, Counter(job.kind for job in self._jobs.values()))
        except BaseException:
            self._lock.__exit__(None, None, None)
            raise

    @classmethod
    def of_folder(
        cls, plays: Path | str, out: Path | str, rules: Rules, *, fsync: Fsync = "ended", bound: Any = None
    ) -> Office:
        """Recorded plays, judged again. bound: puts a judge in a bound (`lambda judge: moot.Bounded(judge, …)`)."""
        out = Path(out)
        return cls(FolderSource(Path(plays), out, rules.judgements, fsync, bound), rules, out, fsync)

    @classmethod
    def of_study(
        cls, study: Any, folder: Path | str, rules: Rules, *, fsync: Fsync = "ended", max_cost: float | None = None
    ) -> Office:
        """The cells of a study."""
        return cls(StudySource(study, Path(folder), fsync, max_cost), rules, folder, fsync)

    def _begin(self) -> None:
        """Take up what is written."""
        names = self.rules.people
        self.queue = Queue(names, self.rules.most)
        self.said: dict[str, set[tuple[str, str]]] = {name: set() for name in names}
        self.worth = Worth(self.rules.pay)
        self._sat: dict[str, Sitting] = {}
        self._waiting: dict[str, Waiting] = {}
        self._group: TaskGroup | None = None
        self._over = self._settled = False
        self._dirty = True
        for job in self._jobs.values():
            self.queue.know(job)
        for each in self.practice.plays:
            for name in names:
                self.queue.saw(name, each.items)
        for name, items in self.source.seen():
            self.queue.saw(name, items)
        self._from_journal()
        for key, path in self.source.files().items():
            self._from_file(key, path)

    def _from_journal(self) -> None:
        given: dict[str, Line] = {}
        for line in lines_in(self.folder / JOURNAL):
            action, person = line["action"], line["person"]
            if person in self.said:
                self.said[person].add((action, str(line.get("text"))))
            if action == "given":
                given[f"{line['key']} {line['seat']}"] = line
            elif action == "returned":
                given.pop(f"{line['key']} {line['seat']}", None)
        for line in given.values():
            self._restored(line["person"], line["key"], line["seat"], line.get("items", ()))

    def _from_file(self, key: str, path: Path) -> None:
        """What a transcript says: who sits there, and how it ended."""
        found = self.worth.read(key, path)
        for seat, person in found.people.items():
            self._restored(person, key, seat, found.items)
        if found.outcome in FINAL:
            self.queue.drop(key)

    def _restored(self, person: str, key: str, seat: str, items: Iterable[str]) -> None:
        job = self._jobs.get(key)
        self.queue.saw(person, {*items, *(job.items if job is not None else ())})
        if job is not None and self.queue.taken.get(key, {}).get(seat) is None:
            self.queue.restore(person, Place(key, seat), job.kind, job.items)

    # -- who is who -------------------------------------------------------------------------------------------------------

    def person(self, token: str) -> Person | None:
        """Whose token it is, found in constant time; None where it is nobody's."""
        return self.people.of(token)

    def link(self, person_id: str) -> str:
        """The path of a person's own page. Raises UsageError on somebody else."""
        if person_id not in self.people.everybody:
            raise UsageError(f"{person_id!r} is not among the people: {', '.join(self.people.everybody)}")
        return f"/j/{self.people.everybody[person_id].token}"

    def act(self, person: Person, action: str, **more: Any) -> None:
        """Write down what a person did outside of a turn. more: JSON values."""
        self.journal.write(person.id, action, **more)

    def stage(self, person: Person) -> Stage:
        """Where a person is: what they are to read, whether there is something to do now, or may be later."""
        if self.rules.consent is not None and not self._has(person, "consented", self.rules.consent):
            return "consent"
        if self.rules.instructions is not None and not self._has(person, "instructed", self.rules.instructions):
            return "instructions"
        sat = self._sat.get(person.id)
        if sat is not None:
            return "practice" if sat.seating.sort == "practice" else "work"
        if self._over:
            return "done"
        if self.practice.left(person.id):
            return "practice"
        if self.queue.can(person.id):
            return "work"
        return "wait" if self.queue.possible(person.id) else "done"

    def consent(self, person: Person) -> None:
        """They agree to what the page of the study's own says, as it is now."""
        self._once(person, "consented", self.rules.consent or "")

    def read_instructions(self, person: Person) -> None:
        """They have read the instructions, as they are now."""
        self._once(person, "instructed", self.rules.instructions or "")

    def _has(self, person: Person, action: str, text: str) -> bool:
        return (action, mark_of(text)) in self.said[person.id]

    def _once(self, person: Person, action: str, text: str) -> None:
        if not self._has(person, action, text):
            self.act(person, action, text=mark_of(text))
            self.said[person.id].add((action, mark_of(text)))

    # -- plays ------------------------------------------------------------------------------------------------------------

    def seating(self, person: Person) -> Seating | None:
        """The play that a person sits in, until they leave it."""
        sat = self._sat.get(person.id)
        return None if sat is None else sat.seating

    async def next(self, person: Person) -> Seating | None:
        """The next play for a person, practice first: the one that they sit in, where there is one; None where there is nothing now."""
        if (sat := self._sat.get(person.id)) is not None:
            return sat.seating
        if self.stage(person) not in ("practice", "work") or self._group is None or self._over:
            return None
        if left := self.practice.left(person.id):
            return self._practise(person, left[0], self._group)
        had = self.queue.number(person.id)
        if (place := self.queue.take(person.id)) is None:
            return None
        play, number = self._waiting[place.key].play, self.queue.number(person.id)
        sitting = Sitting(person.id, place.key, place.seat, play.roles, play.seed, f"Item {number}", self.rules.away)
        try:
            self.act(person, "given", key=place.key, seat=place.seat, kind=list(play.job.kind), items=sorted(play.job.items),
                     names=dict(sitting.seating.names))  # fmt: skip
        except OSError:
            if number > had:
                self.queue.give_back(person.id, place, play.job.items)
            else:
                self.queue.put_back(person.id, place)
            raise
        self._sat[person.id], self._dirty = sitting, True
        self._waiting[place.key].come(place.seat, sitting)
        return sitting.seating

    def _practise(self, person: Person, each: Recorded, group: TaskGroup) -> Seating:
        title = self.practice.title(each)
        sitting = Sitting(person.id, each.key, each.seat, each.roles, each.seed, title, self.rules.away, "practice")
        self.act(person, "practising", key=each.key, seat=each.seat, names=dict(sitting.seating.names))
        self._sat[person.id] = sitting

        async def had() -> None:
            self._ended([sitting], await self.practice.have(sitting.seating.browser, each, sitting.heard))

        group.start_soon(had)
        return sitting.seating

    async def _seated(self, play: Play) -> Ended:
        """Have a play once its people are there. Where they cannot all come any more, it is left."""
        key = play.job.key
        if any(who not in self.said for who in self.queue.taken.get(key, {}).values()):
            return Ended(LEFT, problem="it was begun by somebody who is not among the people")
        waiting = self._waiting[key] = Waiting(play)
        self.queue.offer(play.job)
        self._dirty = True
        try:
            await waiting.ready.wait()
            if waiting.lost:
                self._returned(waiting)
                return Ended(LEFT, problem="there is nobody left who may take it")
            sittings = list(waiting.came.values())

            def told(what: str, seat: str) -> None:
                for each in sittings:
                    each.heard(what, seat)

            people: dict[str, Browser] = {seat: each.seating.browser for seat, each in waiting.came.items()}
            ended = await play.had(people, told)
            self._ended(sittings, ended)
            return ended
        finally:
            del self._waiting[key]
            self.queue.drop(key)
            self._dirty = True

    def _returned(self, waiting: Waiting) -> None:
        """Nobody else can come to a play: those who have are free again, and have seen nothing of it."""
        for seat, sitting in waiting.came.items():
            person, key = sitting.seating.person, waiting.play.job.key
            with suppress(OSError):
                self.journal.write(person, "returned", key=key, seat=seat)
            self.queue.give_back(person, Place(key, seat), waiting.play.job.items)
            sitting.cannot("nobody else is there who could take another seat of it")

    def _ended(self, sittings: Sequence[Sitting], ended: Ended) -> None:
        """Say and write down how a play came out. The transcript holds it too, so that a full disk loses nothing here."""
        for sitting in sittings:
            seating, practice = sitting.seating, sitting.seating.sort == "practice"
            sitting.end(ended)
            if ended.transcript is not None and ended.transcript.path is not None and not practice:
                self.worth.read(sitting.key, ended.transcript.path)
            told = {"outcome": seating.ended, **({} if seating.problem is None else {"problem": seating.problem[:300]})}
            with suppress(OSError):
                self.journal.write(
                    seating.person, "ended", key=sitting.key, seat=seating.seat, sort=seating.sort, **told
                )

    def leave(self, person: Person, seating: Seating) -> None:
        """A person goes on, once the play has ended or could not be had; before, nothing is done."""
        sat = self._sat.get(person.id)
        if sat is not None and sat.seating is seating and sat.over:
            self.act(person, "left", key=sat.key)
            del self._sat[person.id]
            self._dirty = True

    def present(self, person: Person, seating: Seating, here: bool) -> None:
        """A page of theirs is open, or no longer. Without a sign for `GONE` seconds, none is."""
        sat = self._sat.get(person.id)
        if sat is not None and sat.seating is seating:
            sat.attend(here)

    # -- what came of it --------------------------------------------------------------------------------------------------

    def _finished(self, person: str) -> bool:
        sat = self._sat.get(person)
        return (sat is None or sat.over) and not self.practice.left(person) and not self.queue.possible(person)

    def progress(self, person: Person) -> dict[str, Any]:
        """How far a person is: {"done", "most", "practice_done", "practice", "paid", "unknown"}. paid: as far as the rules let them know
        what they were right about, None otherwise; unknown: of how many plays it is not known."""
        mine = self.worth.of(person.id)
        told = self.rules.feedback == "each" or (self.rules.feedback == "end" and self._finished(person.id))
        paid, unknown = self.worth.paid(person.id) if told and self.rules.pay is not None else (None, 0)
        left = len(self.practice.left(person.id))
        return {"done": len(mine), "most": self.rules.most, "practice_done": len(self.practice.plays) - left,
                "practice": len(self.practice.plays), "paid": paid, "unknown": unknown}  # fmt: skip

    def feedback(self, person: Person, seating: Seating) -> dict[str, Any] | None:
        """{"truth", "choices", "belief", "reward", "paid"} of a play that has ended, as far as the rules let a person know; None otherwise."""
        if seating.person != person.id or seating.ended not in FINAL or seating.transcript is None:
            return None  # what was not ended for good comes back to them
        practice = seating.sort == "practice"
        if not practice and (
            self.rules.feedback == "none" or (self.rules.feedback == "end" and not self._finished(person.id))
        ):
            return None
        return feedback_of(seating.transcript, seating.seat, None if practice else self.rules.pay)

    def overview(self) -> dict[str, Any]:
        """Who is where, by person."""
        people = {}
        for person in self.people.everybody.values():
            sat = self._sat.get(person.id)
            people[person.id] = {**self.progress(person), "stage": self.stage(person), "paid": self.worth.paid(person.id)[0],
                                 "under_way": None if sat is None else sat.key, "here": sat is not None and sat.here}  # fmt: skip
        return {"study": self.name, "people": people, "waiting": len(self._waiting)}

    # -- the work ---------------------------------------------------------------------------------------------------------

    async def run(self) -> Progress:
        """Have all that is to be had, as people come; returns once it is. Practice under way then goes on to its end while somebody is at it."""
        self._bell = anyio.Event()
        failure: Exception | None = None
        progress = Progress(0)
        async with anyio.create_task_group() as group:
            self._group = group
            group.start_soon(self._minding)
            try:
                progress = await self.source.run(self._seated)
                self._settled = True
                while any(sat.here and not sat.over for sat in self._sat.values()):
                    await self._bell.wait()
            except Exception as error:
                failure = error
            finally:
                self._over, self._group = True, None
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return progress

    async def _minding(self) -> None:
        """See who is no longer there, and which plays nobody can take."""
        while True:
            for sitting in self._sat.values():
                with suppress(TranscriptError):  # which ends the play
                    sitting.look()
            if self._dirty:
                self._dirty = False
                for key in self.queue.lost():
                    self._waiting[key].lose()
            if self._settled:
                self._bell.set()
                self._bell = anyio.Event()
            await anyio.sleep(TICK)

    def close(self) -> None:
        """Let go of the folder."""
        with suppress(OSError):
            self.journal.close()
        self._lock.__exit__(None, None, None)

    async def __aenter__(self) -> Office:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()
