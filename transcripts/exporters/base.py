"""What every exporter is: a class with a name, from a transcript to text.

Rule of this file: it knows no form of export. One more needs a file of its own and no change elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from moot.protocols.engine.registry import Named
from moot.transcripts.transcript import Transcript


class Exporter(Named, ABC, kind="exporter"):
    """A form that a transcript can be written in. name: what the command line calls it. Made without arguments there."""

    @abstractmethod
    def text(self, transcript: Transcript) -> str | bytes:
        """The transcript in this form; bytes where it is no text. Raises UsageError when it cannot be said in it."""
