"""Gathered calls: sent as batches once no play can move without them, waited for, and handed back.

    with moot.Batch("batches"):
        …  # plays of one event loop, all at the same time: each wave of their calls is a batch, at half the price

Rule: when something is sent, and to whom an answer belongs, is decided here; formats stand in `forms.py`, files in `folder.py`.
One of those who wait does the work for all; where it stops, another takes over.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.lowlevel

from moot.agents.models.apis.api import API
from moot.agents.models.apis.choosing import APIS
from moot.agents.models.batches.folder import Folder, Job, Known, key_of
from moot.agents.models.batches.forms import Place, Refusal, Result, State, form_of
from moot.agents.models.batches.line import Line
from moot.agents.models.batches.turns import Gathering, Unanswered, gathering, in_force, play_name
from moot.agents.models.http.clients import connection_errors
from moot.agents.models.http.transport import Answer
from moot.protocols.engine.errors import MootError, UsageError

TRIES = 12  # times that nothing comes of asking about one batch, one after the other; with `poll`, some 20 minutes
_PATHS = {api.path: api for api in APIS.values()}


class Batch(Gathering):
    """Model calls of plays that run inside it (`with`) are gathered, and sent as a batch once no play can move without them.

    folder: what was submitted is kept there, so that the same calls of a play that is taken up again find their batch, and are not
    submitted twice. wait: the most seconds that a call waits for plays which can still move, a person's turn among them. quiet: seconds
    in which nothing new may come before a batch is sent. most: calls at which it is sent at once. poll: seconds between two looks at a
    batch, at first and at the most. An endpoint is called directly where its profile says `batches = false`, and so are models of
    this process; one that has no batches is an error. Raises UsageError for bad options, inside another batch, and where another
    process uses the folder.
    """

    def __init__(
        self, folder: str | Path, *, wait: float = 600.0, quiet: float = 1.0, most: int | None = None,
        poll: tuple[float, float] = (5.0, 120.0),
    ) -> None:  # fmt: skip
        super().__init__()
        if not (wait >= quiet > 0 and 0 < poll[0] <= poll[1]) or (most is not None and most < 1):
            raise UsageError(
                f"a batch needs wait ≥ quiet > 0, most ≥ 1 and 0 < poll[0] ≤ poll[1], not {wait}, {quiet}, {most}, {poll}"
            )
        self.wait, self.quiet, self.most, self.poll = wait, quiet, most, poll
        self._folder, self._known = Folder(folder), Known()
        self._open: dict[str, list[str]] = {}  # requests that nobody waits for, by key
        self._loose: dict[str, tuple[Result, str]] = {}  # answers that nobody has asked for yet
        self._jobs: dict[str, Job] = {}  # those that have not ended, by the id of each request
        self._waiting: dict[str, Line] = {}
        self._fresh: dict[str, Line] = {}
        self._sizes: dict[tuple[str, str, str], int] = {}
        self._leading, self._first, self._seen, self._since = False, 0.0, -1, 0.0
        self._poked, self._loop = anyio.Event(), object()
        self._stack = ExitStack()
        self.batches: list[dict[str, Any]] = []

    def __enter__(self) -> Batch:
        if in_force() is not None:
            raise UsageError("there is a batch around this already; give one of them alone")
        with ExitStack() as stack:
            self._folder.open()
            stack.callback(self._folder.close)
            self._known = self._folder.known()
            self._open, self._jobs, self._loose = {}, {}, {}
            for job in self._known.jobs:
                self._jobs.update(dict.fromkeys(job.lines, job))
            for id in sorted({*self._jobs, *self._known.answers}, key=lambda id: int(id.partition("-")[2])):
                self._open.setdefault(id.partition("-")[0], []).append(id)
            stack.enter_context(gathering(self))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    async def answer(
        self, place: Place, api: API, body: Mapping[str, Any], step: str, seed: int,
        waiting: Callable[[], AbstractContextManager[Any]],
    ) -> tuple[str, Answer]:  # fmt: skip
        """As in `Gathering`. Raises Unanswered where there will be none, or another batch has to be tried."""
        self._in_one_loop()
        key = key_of(place.identity, api.path, body, play_name(), step, seed)
        if open := self._open.get(key):
            id = open.pop(0)
            if (stored := self._known.answers.pop(id, None)) is not None:
                return stored[2], _answer(Result(200, self._folder.answer(*stored[:2])))
            if (loose := self._loose.pop(id, None)) is not None:
                return loose[1], _answer(loose[0])
        else:
            count = self._known.counts[key] = self._known.counts.get(key, 0) + 1
            id = f"{key}-{count - 1}"
        raw = form_of(api).line(id, api, body)
        if place.secrets.hide(raw.decode()) != raw.decode():
            raise Unanswered("the request holds a secret, and a batch's requests are kept on disk: put it into headers, or say "
                             "batches = false in the profile of the endpoint")  # fmt: skip
        line = self._waiting[id] = Line(id, place, (place.base_url, api.path, str(body.get("model"))), raw)
        if (job := self._jobs.get(id)) is not None:
            line.job, job.failures = job, 0
        else:
            self._first = self._first if self._fresh else anyio.current_time()
            self._fresh[id] = line
        self.changes += 1
        self._poked.set()
        try:
            with waiting():
                while not line.done:
                    await self._until(line)
        finally:
            line.stands.end()
            self._waiting.pop(id, None)
            self._fresh.pop(id, None)
            if not line.done and line.job is not None:  # whoever asks again finds it
                self._open.setdefault(key, []).append(id)
            if not self._leading and (heir := next((each for each in self._waiting.values() if not each.done), None)):
                heir.event.set()  # also where the one who was to take over is cancelled before it could
        if line.error is not None:
            raise line.error
        assert line.result is not None and line.job is not None
        if line.result.lapsed:
            said = f"{place.base_url}, batch {line.job.id}: {line.result.lapsed}"
            raise Unanswered(said, again=True, worked=line.result.worked, batch=line.job.id)
        return line.job.id, _answer(line.result)

    def _in_one_loop(self) -> None:
        loop = anyio.lowlevel.current_token()
        if loop != self._loop:
            if self._waiting:
                raise UsageError(
                    "plays in several event loops, or threads, are in one batch at the same time: run them in one loop"
                )
            self._loop, self._leading, self._poked, self._seen = loop, False, anyio.Event(), -1
            for job in self._jobs.values():
                job.due = job.every = 0.0

    # -- one of those who wait does the work -------------------------------------------------------------------------------

    async def _until(self, line: Line) -> None:
        """Wait for a line, and do the work meanwhile if nobody else does."""
        if self._leading:
            await line.event.wait()
            if not line.done:
                line.event = anyio.Event()
            return
        self._leading = True
        try:
            while not line.done:
                await self._work()
        finally:
            self._leading = False

    async def _work(self) -> None:
        """Send what is ready, look at what is due, or wait until there is something to do."""
        now = anyio.current_time()
        self._poked = anyio.Event()
        left = self._left(now) if self._fresh else self.poll[1]
        if left <= 0:
            self._pack()
        jobs = {id(line.job): line.job for line in self._waiting.values() if line.job is not None and not line.done}
        for job in list(jobs.values()):
            if job.due <= now:
                await self._look(job)
                return
        until = min([now + left, *(job.due for job in jobs.values())])
        with anyio.move_on_after(max(0.0, until - now)):
            await self._poked.wait()

    def _left(self, now: float) -> float:
        """Seconds until the gathered calls may be sent; 0 once they may."""
        if len(self._fresh) >= (self.most or len(self._fresh) + 1) or now - self._first >= self.wait:
            return 0.0
        if self.changes != self._seen:
            self._seen, self._since = self.changes, now
        if any(play.moving for play in self.plays):
            return self.quiet
        return max(0.0, self.quiet - (now - self._since))

    def _pack(self) -> None:
        """Make batches of all that is gathered, each for one endpoint, API and model, as large as may be."""
        groups: dict[tuple[str, str, str], list[Line]] = {}
        for line in self._fresh.values():
            groups.setdefault(line.where, []).append(line)
        self._fresh.clear()
        for where, lines in groups.items():
            form = form_of(_PATHS[where[1]])
            most, size = min(form.requests, self._sizes.get(where, form.requests)), 0
            batch: list[Line] = []
            for line in lines:
                if len(batch) >= most or (batch and size + len(line.raw) > form.size):
                    self._write(batch)
                    batch, size = [], 0
                batch.append(line)
                size += len(line.raw)
            self._write(batch)

    def _write(self, lines: list[Line]) -> None:
        self._known.last += 1
        url, path, model = lines[0].where
        tag, at = secrets.token_hex(16), datetime.now(UTC).isoformat(timespec="seconds")
        job = Job(self._known.last, url, path, model, tag, at, [line.id for line in lines])
        try:
            self._folder.write(job, b"".join(line.raw for line in lines))
        except OSError as error:
            said = f"batches: {self._folder.path} cannot be written ({error.strerror}); nothing was submitted, and the same run goes on once it can be"  # fmt: skip
            for line in lines:
                line.end(error=Unanswered(said))
            return
        for line in lines:
            line.job = self._jobs[line.id] = job

    # -- one batch ---------------------------------------------------------------------------------------------------------

    def _place(self, job: Job) -> Place:
        return next(line.place for line in self._waiting.values() if line.job is job)

    async def _look(self, job: Job) -> None:
        """Submit a batch, or see how it stands. What may pass is tried again later."""
        place, api = self._place(job), _PATHS[job.api]
        try:
            await (self._poll(job, place, api) if job.id else self._submit(job, place, api))
            job.failures = 0
        except Refusal as error:
            if error.passing:
                self._later(job, str(error), error.wait)
            elif error.status in (404, 405, 501) and not job.id:
                self._fail(
                    job,
                    f"{job.url} has no batches ({error}); say batches = false in its profile, and it is called directly",
                )
            else:
                self._fail(job, str(error))
        except connection_errors() as error:
            self._later(job, f"{type(error).__name__}: {place.secrets.hide(str(error))[:300]}".removesuffix(": "))
        except MootError as error:
            self._fail(job, str(error))
        except Exception as error:
            self._fail(job, f"{type(error).__name__}: {place.secrets.hide(str(error))[:300]}")

    async def _submit(self, job: Job, place: Place, api: API) -> None:
        form, lines = form_of(api), self._folder.requests(job)
        if job.tried:
            try:
                found = await form.find(place, job.tag, len(job.lines), job.at, self._known.ids, api)
            except Refusal as error:  # it has no list
                if error.passing:
                    raise
                found = None
            if found is not None:
                return self._accepted(job, found)
        if not job.file:
            job.file = await form.upload(place, lines, api)
            self._note(job)
        with anyio.CancelScope(shield=True):  # its id must not be lost
            try:
                id = await form.create(place, lines, job.file, job.tag, api)
            except Refusal as error:
                job.tried = error.passing and error.status >= 500
                raise
            except Exception:
                job.tried = True
                raise
            job.tried = False
            self._accepted(job, id)

    def _accepted(self, job: Job, id: str) -> None:
        job.id = id
        self._known.ids.add(id)
        self._note(job)
        self.batches.append({"id": id, "url": job.url, "model": job.model, "calls": len(job.lines)})
        self._next(job)

    def _note(self, job: Job) -> None:
        try:
            self._folder.note(job)
        except OSError:
            pass  # the note before it leads to the batch by its tag

    def _next(self, job: Job) -> None:
        job.every = min(self.poll[1], job.every * 1.5) if job.every else self.poll[0]
        job.due = anyio.current_time() + job.every

    async def _poll(self, job: Job, place: Place, api: API) -> None:
        form = form_of(api)
        state = await form.state(place, job.id, api)
        if not state.ended:
            return self._next(job)
        if state.refused:
            return self._refused(job, state)
        ours, found = {*job.lines}, dict[str, Result]()
        for id, result in await form.results(place, state, api):
            if id in ours and (id not in found or (result.status == 200 and found[id].status != 200)):
                found[id] = result
        if job.tried and not found:  # one that was taken for ours
            job.id, job.tried, job.every = "", False, 0.0
            return self._note(job)
        gone = f"{state.stopped} it ran this call" if state.stopped else "it ended without a line for this call"
        results = {id: found.get(id) or Result(lapsed=gone, worked=not state.stopped) for id in job.lines}
        try:
            self._folder.keep(job, results.items(), place.secrets.hide)
        except OSError:
            pass  # the provider keeps them: they are fetched again
        self._ended(job, results)

    def _refused(self, job: Job, state: State) -> None:
        """A batch that was not begun: what is wrong with a line is its answer, and the other lines are gathered again."""
        where, words = (job.url, job.api, job.model), state.refused
        self._folder.forget(job)
        if state.full and any(
            each.id
            for each in self._jobs.values()
            if each is not job and (each.url, each.model) == (job.url, job.model)
        ):
            return self._once_more(job)
        if state.full and len(job.lines) > 1:  # alone it does not fit: halves may
            self._sizes[where] = len(job.lines) // 2
            return self._again(job, job.lines)
        named = {job.lines[place]: said for place, said in state.lines.items() if 0 <= place < len(job.lines)}
        bad = named or dict.fromkeys(job.lines, words)
        self._again(job, [id for id in job.lines if id not in bad])
        self._ended(job, {id: Result(400, {"error": {"message": said}}) for id, said in bad.items()})

    def _once_more(self, job: Job) -> None:
        """Submit the same once others have ended."""
        try:
            job.id, job.tag = "", secrets.token_hex(16)
            self._folder.write(job, b"".join(line.raw for line in self._lines(job)))
        except OSError as error:
            return self._fail(job, f"batches: {self._folder.path} cannot be written ({error.strerror})")
        job.lines = [line.id for line in self._lines(job)]
        job.due = anyio.current_time() + self.poll[1]

    def _lines(self, job: Job) -> list[Line]:
        return [line for line in self._waiting.values() if line.job is job and not line.done]

    def _again(self, job: Job, ids: Iterable[str]) -> None:
        """Gather these calls of a batch again, those that somebody waits for."""
        for id in ids:
            self._forgotten(id)
            if (line := self._waiting.get(id)) is not None and not line.done:
                line.job = None
                self._first = self._first if self._fresh else anyio.current_time()
                self._fresh[id] = line

    def _forgotten(self, id: str) -> None:
        self._jobs.pop(id, None)
        if id in (open := self._open.get(id.partition("-")[0], [])):
            open.remove(id)

    def _ended(self, job: Job, results: Mapping[str, Result]) -> None:
        for id, result in results.items():
            self._jobs.pop(id, None)
            if (line := self._waiting.get(id)) is not None:
                line.end(result)
            elif result.status == 200:
                self._loose[id] = result, job.id
            else:
                self._forgotten(id)
        self.changes += 1

    def _later(self, job: Job, why: str, wait: float | None = None) -> None:
        job.failures += 1
        if job.failures > TRIES:
            return self._fail(job, f"{why} ({job.failures} times)", passing=True)
        job.due = anyio.current_time() + max(wait or 0.0, min(self.poll[1], self.poll[0] * 2**job.failures))

    def _fail(self, job: Job, why: str, passing: bool = False) -> None:
        """Nothing came of a batch for now. One that may have been accepted is kept, and found again when its calls are asked again."""
        kept = bool(job.id or job.tried or passing)
        if not kept:
            self._folder.forget(job)
            self.changes += 1
        what = f"batch {job.id}" if job.id else "a batch"
        goes = "; it is kept, and the same run goes on with it" if kept else ""
        for line in self._lines(job):
            line.end(
                error=Unanswered(
                    f"{job.url}: {what} of {len(job.lines)} calls: {why}{goes}",
                    worked=kept and bool(job.id or job.tried),
                    batch=job.id,
                )
            )
            if kept:
                self._open.setdefault(line.id.partition("-")[0], []).append(line.id)
        for id in () if kept else job.lines:
            self._forgotten(id)


def _answer(result: Result) -> Answer:
    return Answer(result.status, {}, json.dumps(result.body).encode(), True)
