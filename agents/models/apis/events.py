"""Server-sent events, from bytes as they arrive (WHATWG HTML, section 9.2.6 "Interpreting an event stream").
Rule: events are told apart here, and none is understood; what is kept of one that has not ended is bounded."""

from __future__ import annotations

from collections.abc import Iterator

BOM = b"\xef\xbb\xbf"


class TooLong(Exception):
    """An event over the limit."""


class Events:
    """The events of a stream. limit: bytes of one event. Whatever the pieces in which the bytes come, the events are the same:
    a line ends with CR, LF or both, and an event with an empty line. The names of events are left aside: each API has them
    in the data as well."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._line = bytearray()
        self._data: list[bytes] = []
        self._held = 0
        self._first = True
        self._return = False  # whether the last byte was a CR, to which an LF belongs

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of the events that a piece completes. Raises TooLong."""
        start = 1 if self._return and chunk[:1] == b"\n" else 0
        if chunk:
            self._return = chunk[-1:] == b"\r"
        lines = chunk[start:].replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        for line in lines[:-1]:
            self._line += line
            whole, self._line = bytes(self._line), bytearray()
            yield from self._take(whole)
        self._line += lines[-1]
        if len(self._line) + self._held > self._limit:
            raise TooLong

    def rest(self) -> Iterator[str]:
        """The event that the end of the stream leaves without an empty line after it: some servers end in `data: [DONE]`."""
        line, self._line = bytes(self._line), bytearray()
        yield from self._take(line)
        yield from self._take(b"")

    def _take(self, line: bytes) -> Iterator[str]:
        if self._first:
            line, self._first = line.removeprefix(BOM), False
        if not line:
            if self._data:
                yield b"\n".join(self._data).decode("utf-8", "replace")
            self._data, self._held = [], 0
            return
        name, _, value = line.partition(b":")
        if name == b"data":
            value = value.removeprefix(b" ")
            self._data.append(value)
            self._held += len(value)
            if self._held > self._limit:
                raise TooLong
