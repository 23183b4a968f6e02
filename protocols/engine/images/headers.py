"""The format of an image, and its width and height, read from its header. Nothing is decoded.

Rule of this file: bytes in, a format and two numbers out, in time that grows at most with the bytes.

PNG: W3C PNG 3rd edition, 5 and 11.2.1. GIF: GIF89a, 18. JPEG: ITU-T T.81, B.1 and B.2.2. WebP: RFC 9649, 2.4 to 2.7.
"""

from __future__ import annotations

from collections.abc import Callable

Size = tuple[int, int]


def measured(data: bytes) -> tuple[str, int, int]:
    """Media type, width and height in pixels, each 1 or more. Raises ValueError that says what is wrong with the bytes."""
    for media_type, begins, measure in _FORMATS:
        if begins(data):
            name = media_type.removeprefix("image/").upper()
            try:
                width, height = measure(data)
            except (IndexError, ValueError) as error:
                raise ValueError(f"it begins as a {name} and is damaged or cut off{_why(error)}") from None
            if width < 1 or height < 1:
                raise ValueError(f"it is a {name} of {width} × {height} pixels; there must be 1 or more each way")
            return media_type, width, height
    begin = data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if begin.startswith((b"<svg", b"<?xml", b"<!doctype")):
        raise ValueError("it is SVG or other markup, which is no picture of pixels: save it as PNG")
    raise ValueError("its first bytes are of no PNG, JPEG, WebP or GIF, whatever its name")


def _why(error: Exception) -> str:
    return f": {error}" if type(error) is ValueError else ""


def _whole(data: bytes, at: int, count: int, order: str = "big") -> int:
    """A number of `count` bytes. Raises IndexError where they are not there."""
    if len(part := data[at : at + count]) < count:
        raise IndexError
    return int.from_bytes(part, "big" if order == "big" else "little")


def _png(data: bytes) -> Size:
    if data[12:16] != b"IHDR":
        raise ValueError("its first chunk is no IHDR")
    at = 8
    while data[at + 4 : at + 8] != b"IEND":
        at += 12 + _whole(data, at, 4)
    return _whole(data, 16, 4), _whole(data, 20, 4)


def _gif(data: bytes) -> Size:
    _whole(data, 10, 3)  # the rest of the logical screen
    return _whole(data, 6, 2, "little"), _whole(data, 8, 2, "little")


_BARE = {0x01, *range(0xD0, 0xD9)}  # markers with no segment
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg(data: bytes) -> Size:
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("there is no marker where a segment ends")
        while (marker := data[at]) == 0xFF:
            at += 1
        at += 1
        if marker in _BARE:
            continue
        if marker in (0xD9, 0xDA):
            raise ValueError("its picture begins before its size is told")
        if marker in _FRAMES:
            height, width = _whole(data, at + 3, 2), _whole(data, at + 5, 2)
            if data.rfind(b"\xff\xd9") < at:
                raise ValueError("it has no end")
            return width, height
        if (length := _whole(data, at, 2)) < 2:
            raise ValueError("a segment is shorter than its own length")
        at += length


def _webp(data: bytes) -> Size:
    if 8 + _whole(data, 4, 4, "little") > len(data):
        raise IndexError
    chunk = data[12:16]
    if chunk == b"VP8X":
        return _whole(data, 24, 3, "little") + 1, _whole(data, 27, 3, "little") + 1
    if chunk == b"VP8L" and data[20] == 0x2F:
        packed = _whole(data, 21, 4, "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    if chunk == b"VP8 " and data[23:26] == b"\x9d\x01\x2a":
        return _whole(data, 26, 2, "little") & 0x3FFF, _whole(data, 28, 2, "little") & 0x3FFF
    raise ValueError("its first chunk is no picture")


_FORMATS: tuple[tuple[str, Callable[[bytes], bool], Callable[[bytes], Size]], ...] = (
    ("image/png", lambda data: data.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    ("image/jpeg", lambda data: data.startswith(b"\xff\xd8\xff"), _jpeg),
    ("image/gif", lambda data: data.startswith((b"GIF87a", b"GIF89a")), _gif),
    ("image/webp", lambda data: data.startswith(b"RIFF") and data[8:12] == b"WEBP", _webp),
)
