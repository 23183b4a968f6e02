"""A transcript: an append-only log of events, and what is folded from it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moot.complexity.play import Step as Step
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited, outcome_adapter
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.events import Digest, played, played_part
from moot.transcripts.store import checked, parsed, read_lines

if TYPE_CHECKING:
    from moot.complexity.guarantee import Guarantee
    from moot.complexity.spending import Ledger
    from moot.transcripts.graph import ArgumentTree

Ending = Decided | Forfeited | Exhausted | Errored


class Transcript:
    """What was recorded of one play, from a file or from memory. Everything it offers is computed from the events.

    Reading checks the hash chain: an edited line raises TranscriptError with the file, line and event. written: the lines
    come straight from an `EventLog`, so that their chain need not be checked.
    """

    def __init__(self, lines: list[bytes] | None = None, path: Path | str | None = None, written: bool = False) -> None:
        self.path = Path(path) if path is not None else None
        self._lines = lines
        self._good: tuple[int, ...] | None = None
        self._pairs: list[tuple[bytes, dict[str, Any]]] = []
        self._known, self._written = 0, written

    @property
    def name(self) -> str:
        """What messages call it: its file name, or "transcript"."""
        return str(self.path) if self.path is not None else "transcript"

    def lines(self) -> Iterator[bytes]:
        """The recorded lines, as bytes."""
        if self._lines is not None:
            return iter(self._lines)
        assert self.path is not None
        return read_lines(self.path)

    def pairs(self, check: bool = False, kept: bool = True) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """Lines with their events, the chain checked on the way; not again (unless `check`) once the whole of it was
        found good and the file has not changed since. kept: also what an import keeps of its source."""
        if self._lines is not None and not check:
            return self._remembered(kept)
        if not check and self._good is not None and self._good == self._state():
            return parsed(self.lines(), self.name, kept)
        return checked(self.lines(), self.name, kept)

    def _remembered(self, kept: bool) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """`pairs` of lines in memory: each is read, and its chain checked, once for all folds. More may be added."""
        assert self._lines is not None
        if (known := self._known) < len(self._lines):
            new, chain = iter(self._lines[known:]), self._lines[known - 1][-35:-3] if known else b""
            self._pairs += (
                parsed(new, self.name, False) if self._written else checked(new, self.name, False, chain, known)
            )
            self._known = len(self._lines)
        if not kept or len(self._pairs) == len(self._lines):
            return iter(self._pairs)
        return parsed(iter(self._lines), self.name)

    def check(self) -> Iterator[tuple[bytes, dict[str, Any]]]:
        """`pairs`, the chain checked; once it has run to its end, later passes need not check again."""
        state = self._state()
        yield from self.pairs(check=True)
        self._good = state

    def _state(self) -> tuple[int, ...]:
        if self._lines is not None:
            return ()
        assert self.path is not None
        try:
            stat = self.path.stat()
        except OSError:  # reading it will say what is wrong
            return ()
        return (stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def events(self, kept: bool = True) -> Iterator[dict[str, Any]]:
        """The events as dicts, the chain checked as in `pairs`."""
        return (event for _, event in self.pairs(kept=kept))

    @cached_property
    def started(self) -> dict[str, Any]:
        """The opening event: protocol, question, seed, bounds, and in its meta the seats."""
        return next(self.events(kept=False))

    @cached_property
    def question(self) -> Question:
        return Question(**self.started["question"])

    @cached_property
    def protocol(self) -> Protocol:
        """The protocol, made again from its name and parameters. Raises UsageError when it is not installed."""
        record = self.started["protocol"]
        return protocol_named(record["name"], record["params"])

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
        meta = self.started["meta"]
        return Sample(self.question, meta.get("sealed", {}).get("truth"), meta.get("task"))

    @cached_property
    def _ending(self) -> Ending | None:
        last = None
        for event in self.events(kept=False):
            if event["event"] == "ended":
                last = event["outcome"]
            elif event["event"] == "resumed":
                last = None
        return None if last is None else outcome_adapter.validate_python(last)

    @property
    def outcome(self) -> Ending | None:
        """How the play ended; None while it has not."""
        return self._ending

    @cached_property
    def digest(self) -> str:
        """The digest of the play: equal for equal plays, whatever order their calls came back in and whoever sat there."""
        digest = Digest()
        for line, event in played(self.pairs(kept=False)):
            digest.add(played_part(line), event)
        return digest.hex()

    def steps(self) -> Iterator[Step]:
        """The accepted moves, in the order in which they were recorded."""
        for event in self.events(kept=False):
            if event["event"] == "moved":
                yield Step(
                    event["step"], event["seat"], event["move"], event.get("raw"), event.get("under"),
                    event.get("relation"), event.get("size", 0), event["request"], event.get("reads", 0),
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
        question = self.started["question"]["text"]
        return f"Transcript({self.started['protocol']['name']}, {question!r}, {_brief(self.outcome)})"

    def _repr_html_(self) -> str:
        from moot.transcripts.display.notebook import as_html

        return as_html(self)


def _brief(outcome: Ending | None) -> str:
    if outcome is None:
        return "not ended"
    if isinstance(outcome, Decided):
        return f"decided {outcome.verdict.probabilities}"
    return outcome.kind


def load(path: Path | str) -> Transcript:
    """A saved transcript (.jsonl, or .jsonl.zst once sealed).

    Raises UsageError when there is no such file, TranscriptError when it is no transcript, is newer than this moot or
    was edited (its whole chain is checked here).
    """
    transcript = Transcript(path=path)
    for _ in transcript.check():
        pass
    return transcript
