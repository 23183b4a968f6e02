"""The events themselves, one a line, as they were recorded: also what a sealed transcript holds.
Rule: bytes as they are, of a whole transcript; nothing is parsed or written anew."""

from __future__ import annotations

from typing import ClassVar

from moot.transcripts.exporters.base import Exporter
from moot.transcripts.transcript import Transcript


class Lines(Exporter):
    """The recorded lines, byte for byte."""

    name: ClassVar[str] = "jsonl"

    def text(self, transcript: Transcript) -> bytes:
        return b"".join(transcript.lines())
