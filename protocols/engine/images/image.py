"""An image of a question: known by the hash of its bytes, which it holds, and which no line of a play repeats.

Rule of this file: what is recorded of an image is its hash and its measures; its bytes stand in one place only.
"""

from __future__ import annotations

import os
import stat
from base64 import b64decode, b64encode
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.protocols.engine.images.headers import measured

MOST = 12_000_000
"""Bytes of all images of one question: in base64 they fit into a line of a transcript, which holds 16 MiB."""
LARGEST = 1 << 63


class Image(BaseModel):
    """A picture in PNG, JPEG, WebP or GIF: `Image("photo.png")`, `Image(data)`, `Image(data, alt="the map")`.

    data: a path, or the bytes. media_type: found from the bytes; given, it must be that. alt: what the picture is, in words,
    for whoever is shown it. cells: what being shown it costs a reader, in the question's unit; its size in bytes unless
    given. It then has `sha256` (of the bytes, in hex), `size` (bytes), `width` and `height` (pixels).

    The bytes are not decoded: the format is found from the first of them, and width and height are those of the header.
    Raises UsageError on what is no such picture, damaged or over 12 MB, and on a file that is missing, a folder or a pipe.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    media_type: Annotated[str, Field(pattern=r"^image/(png|jpeg|webp|gif)$")]
    size: Annotated[int, Field(strict=True, ge=1)]
    width: Annotated[int, Field(strict=True, ge=1)]
    height: Annotated[int, Field(strict=True, ge=1)]
    alt: str | None = None
    cells: Annotated[int, Field(strict=True, ge=1, le=LARGEST)] | None = None
    _data: bytes | None = PrivateAttr(None)

    def __init__(
        self, data: str | Path | bytes | bytearray | memoryview, media_type: str | None = None, alt: str | None = None,
        cells: int | None = None,
    ) -> None:  # fmt: skip
        where, content = _content(data)
        try:
            found, width, height = measured(content)
        except ValueError as error:
            raise UsageError(f"{where} is no image that can be shown: {error}") from None
        if media_type is not None and media_type != found:
            raise UsageError(f"{where} is {found}, and not {media_type!r:.80}")
        fields = {"sha256": sha256(content).hexdigest(), "media_type": found, "size": len(content), "width": width,
                  "height": height, "alt": alt, "cells": cells}  # fmt: skip
        self._fill(where, fields, content)

    def _fill(self, where: str, fields: Mapping[str, Any], data: bytes | None) -> None:
        try:
            super().__init__(**fields)
            (self.alt or "").encode()
        except (ValidationError, UnicodeEncodeError) as error:
            problem = first_problem(error) if isinstance(error, ValidationError) else f"alt: {error}"
            raise UsageError(f"{where}: {problem:.300}") from None
        self._data = data

    @classmethod
    def recorded(cls, fields: Any, encoded: Any = None) -> Image:
        """An image as a transcript holds it, and its bytes in base64 where they are there. Raises UsageError where these are
        not the image's."""
        if not isinstance(fields, Mapping) or not all(isinstance(name, str) for name in fields):
            raise UsageError(f"an image is recorded as an object, not as {fields!r:.80}")
        found = cls.__new__(cls)
        found._fill("a recorded image", fields, None)
        if encoded is None:
            return found
        try:
            data = b64decode(encoded, validate=True)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the bytes of image {found.sha256[:12]}… are not in base64: {error}") from None
        if (same := cls(data, alt=found.alt, cells=found.cells)) != found:
            raise UsageError(f"image {found.sha256[:12]}… is {same}, and is recorded as {found}")
        return same

    @property
    def data(self) -> bytes:
        """The bytes. Raises UsageError where only the hash is known, as of a transcript without them."""
        if self._data is None:
            raise UsageError(f"the bytes of image {self.sha256[:12]}… are not here; only what was recorded of it is")
        return self._data

    @property
    def encoded(self) -> str:
        """The bytes in base64. Raises like `data`."""
        return b64encode(self.data).decode()

    @property
    def data_url(self) -> str:
        """The image as a data: URL, as it goes into messages. Raises like `data`."""
        return f"data:{self.media_type};base64,{self.encoded}"

    @property
    def cost(self) -> int:
        """What being shown it costs a reader, in the question's unit: `cells`, or one for each byte."""
        return self.size if self.cells is None else self.cells

    @property
    def file_name(self) -> str:
        """A name for a file with it, made from its hash."""
        return f"{self.sha256}.{self.media_type.removeprefix('image/').replace('jpeg', 'jpg')}"

    def __str__(self) -> str:
        """What it is, in words: never its bytes."""
        return f"{self.media_type}, {self.width} × {self.height}, {self.size:,} bytes, sha256 {self.sha256[:12]}…"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Image) and self.__dict__ == other.__dict__

    def __hash__(self) -> int:
        return hash((self.sha256, self.alt, self.cells))


def _content(data: Any) -> tuple[str, bytes]:
    """What messages call an image, and its bytes."""
    if isinstance(data, (bytes, bytearray, memoryview)):
        size = data.nbytes if isinstance(data, memoryview) else len(data)
        if size > MOST:
            raise UsageError(_too_large("an image", size))
        if not size:
            raise UsageError("an image has no bytes")
        return "the image given as bytes", bytes(data)
    if not isinstance(data, (str, Path)):
        raise UsageError(f"an image is given as a path, as bytes or as moot.Image, not as {data!r:.80}")
    if str(data).startswith(("http://", "https://", "https:/", "http:/", "data:")):
        raise UsageError(f"image {str(data)[:80]!r}: nothing is fetched; give a file or the bytes")
    path = Path(data)
    try:
        found = path.stat()  # what it is, and how large, before anything is read: a pipe would wait, a disk never end
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(
                f"image {path} is {'a folder' if stat.S_ISDIR(found.st_mode) else 'no file'}; give a picture"
            )
        if found.st_size > MOST:
            raise UsageError(_too_large(f"image {path}", found.st_size))
        with open(path, "rb") as file:
            content = file.read(MOST + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no image {path}") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"image {os.fsdecode(path)[:200]!r} cannot be read: {error}") from None
    if not content:
        raise UsageError(f"image {path} is empty")
    if len(content) > MOST:
        raise UsageError(_too_large(f"image {path}", len(content)))
    return f"image {path}", content


def _too_large(what: str, size: int) -> str:
    return f"{what} has {size:,} bytes, and {MOST:,} are the most that one question's images may have: make it smaller"


def images_of(given: Any, encoded: Mapping[str, Any] | None = None) -> tuple[Image, ...]:
    """The images of a question, from paths, bytes, images, or what is recorded of them. encoded: hash to bytes in base64.
    Raises UsageError."""
    if not isinstance(given, (list, tuple)):
        raise UsageError(f"images is {type(given).__name__}; give a list of paths, bytes or images")
    found = tuple(
        each if isinstance(each, Image)
        else Image.recorded(each, (encoded or {}).get(str(each.get("sha256")))) if isinstance(each, Mapping)
        else Image(each)
        for each in given
    )  # fmt: skip
    if (size := sum({image.sha256: image.size for image in found}.values())) > MOST:
        raise UsageError(_too_large(f"{len(found)} images together", size).replace("has", "have", 1))
    return found
