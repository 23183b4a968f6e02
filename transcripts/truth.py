"""The sealed truth of a play: the log holds a salted hash of it, and a small file beside the transcript the truth itself.

Rule of this file: nothing is opened before somebody asks for the truth; sealing and copying it show it to nobody.

Beside `d.jsonl` lies `d.truth.json`, `{"truth": 1, "salt": "…"}` (of a question without choices `{"truth": null, "answer": …,
"grade": "math", "salt": "…"}`), and the meta of `started` says `"sealed": {"file":
"d.truth.json", "sha256": "…"}`. The salt is 256 random bits, so that the hash of one truth of few is not found by trying.
There is one file for each transcript, as it is copied, withheld, published and deleted with it, and is written once. A
play in memory has no "file", and holds the truth itself beside its events. In transcripts of earlier versions, and in imports,
whose record says it anyway, the truth stands in the meta: `"sealed": {"truth": 1}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from itertools import count
from pathlib import Path, PureWindowsPath
from secrets import token_hex
from typing import Any

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from moot.protocols.engine.errors import SealedElsewhere, TranscriptError, UsageError
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.store import write_new

_MOST = 1 << 16  # bytes of a file that can hold a truth


class Sealed(Sample):
    """A sample whose truth stands apart from its play. seal: what the log says of it. path: the transcript, which the truth
    should lie beside; None when the play is in memory alone. held: what the hash is of, where that is in memory.
    `unseal()` raises SealedElsewhere when the truth is not here, TranscriptError when it was altered or is none."""

    __slots__ = ("seal", "path", "_held")

    def __init__(
        self, question: Question, task: str | None, seal: Mapping[str, Any], path: Path | None = None,
        held: bytes | None = None,
    ) -> None:  # fmt: skip
        super().__init__(question, None, task)
        self.seal, self.path, self._held = dict(seal), path, held

    @property
    def _where(self) -> str:
        file = self.seal.get("file")
        place = "by a hash alone" if file is None else f"in {file!r}"
        return f"{self.path if self.path is not None else 'transcript'}: the truth is sealed {place}"

    def content(self) -> bytes:
        """What the log has the hash of. It is looked for under the recorded name, and under that of the transcript, with which
        it may have been renamed. Raises as `unseal` does."""
        if self._held is not None:
            return self._held
        found = False
        for file in self._places():
            try:
                if not file.is_file():
                    continue
                with open(file, "rb") as opened:
                    content = opened.read(_MOST + 1)
            except OSError as error:
                raise SealedElsewhere(f"{self._where}, which cannot be read: {error.strerror}") from None
            if sha256(content).hexdigest() == self.seal.get("sha256"):
                return content
            found = True
        if found:
            raise TranscriptError(
                f"{self._where}, which was altered, or is another play's: its SHA-256 is not the recorded one"
            )
        raise SealedElsewhere(
            f"{self._where}, which is not in {self._folder}: the truth is unknown here; put the file beside the transcript"
            if self.path is not None
            else f"{self._where}, and this play is in memory alone: the truth is unknown here; load it from its file"
        )

    @property
    def _folder(self) -> Path:
        return self.path.parent if self.path is not None else Path()

    def _places(self) -> Iterator[Path]:
        file = self.seal.get("file")
        if file is not None and (
            not isinstance(file, str) or file in ("", "..") or "\0" in file or PureWindowsPath(file).name != file
        ):
            raise TranscriptError(f"{self._where}, which is no name of a file beside it")
        if self.path is not None:
            if file is not None:
                yield self.path.with_name(file)
            yield from (each for each in truth_files(self.path) if each.name != file)

    def unseal(self) -> int | None:
        return self._opened().unseal()

    def unseal_answer(self) -> tuple[JsonValue, str] | None:
        return self._opened().unseal_answer()

    def _opened(self) -> Sample:
        content = self.content()
        try:
            held = from_json(content)
            return Sample(self.question, held["truth"], answer=held.get("answer"), grade=held.get("grade"))
        except (ValueError, KeyError, TypeError, AttributeError, UsageError) as error:
            raise TranscriptError(f"{self._where}, which holds no truth: {error}") from None

    def beside(self, path: Path) -> Sealed:
        """The same for the transcript at `path`, with its truth in a new file beside it, which has reached the disk. Where it
        cannot be had, `self`: whoever has the file can put it there. Raises TranscriptError when it cannot be written."""
        try:
            content = self.content()
        except TranscriptError:
            return self
        for number in count(1):
            file = path.with_name(f"{stem_of(path)}.truth{'' if number == 1 else f'-{number}'}.json")
            if write_new(file, content):
                return Sealed(self.question, self.task, {**self.seal, "file": file.name}, path)
        raise AssertionError  # `count` has no end

    def withdraw(self) -> None:
        """Remove the file again: no event names it."""
        if self.path is not None and self.seal.get("file"):
            self.path.with_name(self.seal["file"]).unlink(missing_ok=True)


def stem_of(path: Path) -> str:
    """The name of a transcript without its endings, compressed or not."""
    return path.name.removesuffix(".zst").removesuffix(".jsonl")


def truth_files(path: Path) -> list[Path]:
    """The files beside a transcript that are called as its truth would be. One of an earlier transcript of that name, or one that a kill
    left behind, is never written over: the next has a number."""
    stem, found = stem_of(path), [path.with_name(f"{stem_of(path)}.truth.json")]
    for number in count(2):
        if not found[-1].exists():
            return found[:-1]
        found.append(path.with_name(f"{stem}.truth-{number}.json"))
    return found


def sealed(sample: Sample) -> Sample:
    """A sample as a play in memory holds it: its truth sealed, with a salt of its own. The same one when nobody knows the
    truth, or it is sealed already."""
    if isinstance(sample, Sealed):
        return sample
    truth, known = sample.unseal(), sample.unseal_answer()
    if truth is None and known is None:
        return sample
    held = {} if known is None else {"answer": known[0], "grade": known[1]}
    content = to_json({"truth": truth, **held, "salt": token_hex(32)}) + b"\n"
    return Sealed(sample.question, sample.task, {"sha256": sha256(content).hexdigest()}, held=content)


def recorded(sample: Sample) -> dict[str, Any]:
    """What the meta of `started` says of a sample: the tags of its question, its task, and the seal of its truth; nothing of those
    that are not known."""
    seal = {"sealed": sample.seal} if isinstance(sample, Sealed) else {}
    tags = {"tags": sample.question.tags} if sample.question.tags else {}
    return {**seal, **tags} if sample.task is None else {**seal, **tags, "task": sample.task}
