"""The sealed truth of a play, as it is recorded: in the meta of `started`, or in a file beside the transcript.

Rule of this file: nothing is opened here before somebody asks for the truth, and it is copied nowhere.

Beside the transcript the truth is a JSON file, `{"truth": 1, "salt": "…"}`, of which the transcript holds name and hash:
`"sealed": {"file": "d.truth.json", "sha256": "…"}`. The salt is any text that nobody can guess, as without it the hash
would give the truth away.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path, PureWindowsPath
from typing import Any

from pydantic_core import from_json

from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.protocols.engine.question import Question, Sample


class SealedBeside(Sample):
    """A sample whose truth is in a file of its own. folder: where it should be; None when the play is in memory alone.
    `unseal()` raises TranscriptError when the file is missing, was altered, or holds no truth."""

    __slots__ = ("seal", "folder", "name")

    def __init__(
        self, question: Question, task: str | None, seal: Mapping[str, Any], folder: Path | None, name: str
    ) -> None:
        super().__init__(question, None, task)
        self.seal, self.folder, self.name = dict(seal), folder, name

    def unseal(self) -> int | None:
        file, where = self.seal["file"], f"{self.name}: the truth is sealed in {self.seal['file']!r}"
        if not isinstance(file, str) or file in ("", "..") or PureWindowsPath(file).name != file:
            raise TranscriptError(f"{where}, which is no name of a file beside it")
        if self.folder is None:
            raise TranscriptError(f"{where}, beside a file, and this play is in memory alone; load it from its file")
        try:
            content = (self.folder / file).read_bytes()
        except OSError as error:
            raise TranscriptError(f"{where}, which cannot be read in {self.folder}: {error.strerror}") from None
        if sha256(content).hexdigest() != self.seal.get("sha256"):
            raise TranscriptError(f"{where}, which was altered: its SHA-256 is not the recorded one")
        try:
            return Sample(self.question, from_json(content)["truth"]).unseal()
        except (ValueError, KeyError, TypeError, UsageError) as error:
            raise TranscriptError(f"{where}, which holds no truth: {error}") from None


def sealed(sample: Sample | Question) -> dict[str, Any]:
    """What the meta of `started` says of a sample's truth: nothing when nobody knows it, never what is sealed elsewhere."""
    if isinstance(sample, Question):
        return {}
    if isinstance(sample, SealedBeside):
        return {"sealed": sample.seal}
    truth = sample.unseal()
    return {} if truth is None else {"sealed": {"truth": truth}}
