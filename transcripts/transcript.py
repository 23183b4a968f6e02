"""A transcript: an append-only log of events, and what is folded from it.

Rule of this file: everything that a transcript offers is computed from its events; nothing is kept beside them.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from moot.complexity.play import Step as Step
from moot.complexity.play import reads_in
from moot.protocols.engine.base import Protocol, recorded_protocol
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.protocols.engine.outcomes import Outcome
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.events import digest_of
from moot.transcripts.recent import MOST, Collected, Held, hold
from moot.transcripts.store import read_lines, write_new
from moot.transcripts.truth import Sealed
from moot.transcripts.wellformed import Pair, Reader, outcome_of

if TYPE_CHECKING:  # a structural type's property may be cached, which pyright does not see
    from builtins import property as cached_property

    from moot.complexity.guarantee import Guarantee
    from moot.complexity.spending import Ledger
    from moot.transcripts.tree import ArgumentTree
else:
    from functools import cached_property


class Transcript:
    """What was recorded of one play, from a file or from memory. Reading checks the hash chain: an edited line raises
    TranscriptError with the file, line and event, and so does one that does not have the form of an event. written: by an
    `EventLog`, so that nothing need be checked. truth: the sample of a play in memory, whose events hold a hash of it."""

    def __init__(
        self, lines: list[bytes] | None = None, path: Path | str | None = None, written: bool = False,
        truth: Sample | None = None, recent: list[bytes] | None = None,
    ) -> None:  # fmt: skip
        """recent: what was just written to the file at `path`, all of it; it is not read for that again."""
        self._truth = truth
        self.path = Path(path) if path is not None else None
        self._lines = lines
        self._good: tuple[int, ...] | None = None
        self._pairs: list[Pair] = []
        self._written, self._reader = written, Reader(self.name, not written)
        self._held: Held | None = None
        if recent and (state := self._state()) and state[0] == sum(map(len, recent)):
            self._held = hold(state, recent)

    @property
    def name(self) -> str:
        """What messages call it: its file name, or "transcript"."""
        return str(self.path) if self.path is not None else "transcript"

    @property
    def file(self) -> Path:
        """The file to read: its own or, once that was sealed, the one that took its place. Raises UsageError without one."""
        if self.path is None:
            raise UsageError("this transcript is in memory alone; it has no file")
        sealed = Path(f"{self.path}.zst")
        return sealed if not os.path.exists(self.path) and os.path.exists(sealed) else self.path

    def lines(self, torn: list[bytes] | None = None) -> Iterator[bytes]:
        """The recorded lines, as bytes. torn: is given the bytes that follow the last whole line, once all were read."""
        return iter(self._lines) if self._lines is not None else read_lines(self.file, torn)

    @property
    def dropped(self) -> int:
        """How many bytes follow the last whole line of its file. They are no event: a write that was cut off, or damage."""
        torn: list[bytes] = []
        deque(self.lines(torn), maxlen=0)
        return sum(map(len, torn))

    def pairs(self, kept: bool = True) -> Iterator[Pair]:
        """Lines with their events, checked on the way; not again once all of it was found good and the file has not changed
        since. kept: also what an import keeps of its source."""
        if self._lines is not None:
            return self._remembered(kept)
        state = self._state()
        if self._held is not None and self._held.state == state and (lines := self._held.lines) is not None:
            return self._read(state, False, iter(lines), kept)  # they were written here, or found good
        return self._read(state, self._good != state, None, kept)

    def _remembered(self, kept: bool) -> Iterator[Pair]:
        """`pairs` of lines in memory: each is read and checked once for all folds. More may be added."""
        assert self._lines is not None
        if (known := self._reader.number) < len(self._lines):
            try:
                self._pairs += list(self._reader.read(iter(self._lines[known:]), kept=False))
            except TranscriptError:
                self._pairs, self._reader = [], Reader(self.name, not self._written)  # the next one is told as well
                raise
        if not kept or len(self._pairs) == len(self._lines):
            return iter(self._pairs)
        return Reader(self.name, False).read(iter(self._lines))

    def check(self, kept: bool = True, torn: list[bytes] | None = None) -> Iterator[Pair]:
        """`pairs`, all of it checked; once it has run to its end, later passes need not check again. torn: as of `lines`."""
        return self._read(self._state(), True, None, kept, torn)

    def _read(
        self, state: tuple[int, ...], check: bool, held: Iterator[bytes] | None, kept: bool, torn: list[bytes] | None = None
    ) -> Iterator[Pair]:  # fmt: skip
        """Lines with their events: those that are held, or else of the file, which are then held where they are few. state: of the
        file, to which what is found applies."""
        lines, passed = held or self.lines(torn), None
        if held is None and state and state[0] <= MOST:
            lines = (passed := Collected()).passing(lines)
        yield from Reader(self.name, check).read(lines, kept)
        if check:
            self._good = state
        if passed is not None and passed.lines:
            self._held = hold(state, passed.lines)

    def _state(self) -> tuple[int, ...]:
        if self._lines is not None:
            return ()
        try:
            stat = self.file.stat()
        except OSError:  # reading it will say what is wrong
            return ()
        return (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino)

    def events(self, kept: bool = True) -> Iterator[dict[str, Any]]:
        """The events as dicts, checked as in `pairs`."""
        return (event for _, event in self.pairs(kept=kept))

    @cached_property
    def started(self) -> dict[str, Any]:
        """The opening event: protocol, question, seed, bounds, and in its meta the seats."""
        return next(self.events(kept=False))

    @property
    def version(self) -> int:
        """The version of the file format that it was written in. Events of an older one are given as today's say it."""
        return int(self.started["version"])

    def save(self, path: Path | str) -> Path:
        """Write a play in memory to a new file, with its truth in one beside it, and return the path. Raises UsageError when there is
        a file, TranscriptError when it cannot be written."""
        path = Path(path)
        if path.exists():
            raise UsageError(f"{path} exists already; take another name")
        if isinstance(self.sample, Sealed):
            self.sample.beside(path)  # before the events that it is the truth of
        if not write_new(path, b"".join(self.lines())):
            raise UsageError(f"{path} exists already; take another name")
        return path

    @property
    def parent(self) -> dict[str, Any] | None:
        """What a fork or a rejudgement was derived from: `digest`, `at` (a step, or "judge"), `seats`, and the `path`, `seed`
        and `upto` where there was one. None for a play that began by itself."""
        return cast("dict[str, Any] | None", self.started["meta"].get("parent"))

    @cached_property
    def question(self) -> Question:
        """What was asked, with its id and tags, which no seat was shown (in transcripts of earlier versions seats were its id)."""
        asked, meta = self.started["question"], self.started["meta"]
        known = {name: meta[name] for name in ("id", "tags") if meta.get(name) is not None}
        return Question.recorded({**asked, **known}, meta.get("images"))

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol, made again from its name and parameters. Raises UsageError when it is not installed."""
        return recorded_protocol(self.started["protocol"])

    @property
    def seed(self) -> int:
        return int(self.started["seed"])

    @property
    def bounds(self) -> dict[str, dict[str, int | float]]:
        """What each bounded seat may spend, as numbers: {"judge": {"reads": 4000}}."""
        return dict(self.started.get("bounds") or {})

    @property
    def seats(self) -> dict[str, Any]:
        """Who sat where, as they described themselves."""
        return dict(self.started["meta"].get("seats") or {})

    @cached_property
    def sample(self) -> Sample:
        """The question with its sealed truth, when it was recorded. For scoring."""
        if self._truth is not None:
            return self._truth
        meta = self.started["meta"]
        seal, task = meta.get("sealed") or {}, meta.get("task")
        if "file" in seal or "sha256" in seal:
            return Sealed(self.question, task, seal, self.path)
        return Sample(self.question, seal.get("truth"), task)

    @cached_property
    def outcome(self) -> Outcome | None:
        """How the play ended; None while it has not."""
        last = None
        for event in self.events(kept=False):
            if event["event"] == "ended":
                last = event["outcome"]
            elif event["event"] == "resumed":
                last = None
        return None if last is None else outcome_of(last, self.name)

    @property
    def answers(self) -> dict[str, tuple[float, ...]]:
        """What was answered, by seat, as probabilities of the choices: the judge's belief of a decided play, and what the
        protocol takes for an answer besides, such as a market's last price."""
        from moot.complexity.reward import answers_of

        return answers_of(self)

    @cached_property
    def digest(self) -> str:
        """The digest of the play: equal for equal plays, whatever order their calls came back in and whoever sat there."""
        return digest_of(self.pairs(kept=False))

    def steps(self) -> Iterator[Step]:
        """The accepted moves, in the order in which they were recorded."""
        for event in self.events(kept=False):
            if event["event"] == "moved":
                yield Step(
                    event["step"], event["seat"], event["move"], event.get("raw"), event.get("under"),
                    event.get("relation"), event.get("size", 0), event["request"], reads_in(event) or 0,
                    event.get("remark"),
                )  # fmt: skip

    @cached_property
    def tree(self) -> ArgumentTree:
        """The argument tree, frozen: statements under what they answer, the question as root "q"."""
        from moot.transcripts.tree import argument_tree

        return argument_tree(self.events(kept=False))

    @cached_property
    def ledger(self) -> Ledger:
        """What the play spent, by seat, and how large its tree grew."""
        from moot.complexity.ledger import ledger_of

        return ledger_of(self.events(kept=False))

    @property
    def guarantee(self) -> Guarantee:
        """What the verdict is worth: the protocol's measure against the judge's budget."""
        from moot.complexity.guarantee import guarantee_of

        return guarantee_of(self)

    def __repr__(self) -> str:
        """Its file, or how many events it holds in memory; nothing is read for it."""
        return f"<Transcript of {len(self._lines)} events>" if self._lines is not None else f"<Transcript {self.name}>"

    def _repr_html_(self) -> str:
        from moot.transcripts.display.notebook import as_html

        return as_html(self)


def load(path: Path | str) -> Transcript:
    """A saved transcript (.jsonl, or .jsonl.zst once sealed). Raises UsageError when there is no such file, TranscriptError
    when it is no transcript, is newer than this moot or was edited (its whole chain is checked here)."""
    deque((transcript := Transcript(path=path)).check(), maxlen=0)
    return transcript
