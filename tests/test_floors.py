"""The order of the parts: nothing imports upwards or in a circle, no room is crowded, every file says what it is for."""

from __future__ import annotations

import ast
import importlib.util
import sys
import tokenize
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType, ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / ".ci" / "parts.py"

pytestmark = pytest.mark.skipif(not SCRIPT.exists(), reason="the order of parts is written down in a checkout")

MOST_LINES, MOST_MODULES = 400, 15
Graph = Mapping[str, list[tuple[str, int]]]


@pytest.fixture(scope="module")
def parts() -> Iterator[ModuleType]:
    spec = importlib.util.spec_from_file_location("parts_of_moot", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.fixture(scope="module")
def files(parts: ModuleType) -> dict[str, Path]:
    """Every module of the package and its file."""
    found: dict[str, Path] = parts.modules(parts.package())
    assert len(found) > 100
    return found


@pytest.fixture(scope="module")
def graph(parts: ModuleType) -> Graph:
    """What every module of the package imports."""
    return MappingProxyType(parts.edges(parts.package()))


def test_nothing_imports_upwards(parts: ModuleType, graph: Graph) -> None:
    wrong = parts.upward(graph)
    assert not wrong, "\n".join(wrong)


def test_the_very_next_floor_is_above(parts: ModuleType) -> None:
    for low, high in pairwise(parts.FLOORS):
        assert parts.upward({low: [(high, 1)]}) and not parts.upward({high: [(low, 1)]})


def test_no_files_import_each_other_in_a_circle(parts: ModuleType, graph: Graph) -> None:
    wrong = parts.circles(graph)
    assert not wrong, "\n".join(", ".join(circle) for circle in wrong)


def test_the_page_shows_the_graph(parts: ModuleType, graph: Graph) -> None:
    assert f"```\n{parts.drawn(graph)}\n```" in (ROOT / "docs" / "architecture.md").read_text("utf-8")


def test_every_part_has_a_floor(parts: ModuleType, files: dict[str, Path]) -> None:
    """A new folder at the top is no part of the face by oversight."""
    folders = {name.partition(".")[0] for name, path in files.items() if "." in name or path.name == "__init__.py"}
    assert folders <= {floor.partition(".")[0] for floor in parts.FLOORS}
    assert len(set(parts.FLOORS)) == len(parts.FLOORS)
    assert {parts.part_of(name) for name in files} == set(parts.FLOORS), "and no floor is empty"


UPWARD = {
    "at the top": "from moot.agents.spec import seat_of\n",
    "by its whole name": "import moot.agents.spec as spec\n",
    "from the package": "from moot.agents import spec\n",
    "inside a function": "def f():\n    if f:\n        from moot.agents.spec import seat_of\n    return seat_of\n",
    "inside a method": "class C:\n    async def f(self):\n        import moot.agents.spec\n",
    "for type checkers": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from moot.agents.spec import seat_of\n",
    "of the face": "def f():\n    import moot\n",
    "from the face": "from moot import Debate\n",
}


def _package(folder: Path, sources: dict[str, str]) -> Path:
    """A package with these modules, each part behind a link as in the checkout."""
    for name, source in sources.items():
        path = folder / "real" / f"{name.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, "utf-8")
    face = folder / "moot"
    face.mkdir()
    for part in (folder / "real").iterdir():
        if part.is_dir():
            (face / part.name).symlink_to(part)
        else:
            (face / part.name).write_bytes(part.read_bytes())
    return face


@pytest.mark.parametrize("source", UPWARD.values(), ids=list(UPWARD))
def test_an_import_upwards_is_seen_wherever_it_stands(parts: ModuleType, tmp_path: Path, source: str) -> None:
    sound = {
        "agents.spec": "from moot.protocols.engine.floor import Floor\n",
        "protocols.engine.floor": "",
        "__init__": "",
    }
    assert parts.upward(parts.edges(_package(tmp_path / "sound", sound))) == []
    graph = parts.edges(_package(tmp_path / "wrong", {**sound, "protocols.engine.floor": source}))
    (wrong,) = parts.upward(graph)
    line = source.count("\n", 0, source.index("moot")) + 1
    assert wrong.startswith(f"protocols.engine.floor, line {line}, imports ") and "above protocols.engine" in wrong


def test_a_circle_is_seen_though_half_of_it_is_for_type_checkers(parts: ModuleType, tmp_path: Path) -> None:
    circle = {
        "protocols.engine.floor": "if TYPE_CHECKING:\n    from moot.protocols.engine.game import Game\n",
        "protocols.engine.game": "def f():\n    import moot.protocols.engine.replies\n",
        "protocols.engine.replies": "from moot.protocols.engine import floor\n",
        "protocols.engine.view": "from moot.protocols.engine import floor, game\n",
    }
    graph = parts.edges(_package(tmp_path, circle))
    names = [f"protocols.engine.{name}" for name in ("floor", "game", "replies")]
    assert parts.circles(graph) == [names]
    assert parts.upward(graph) == []


def test_the_graph_is_drawn_with_the_highest_part_first(parts: ModuleType, graph: Graph) -> None:
    lines = parts.drawn(graph).splitlines()
    assert [line.split()[0] for line in lines] == [floor or "moot" for floor in reversed(parts.FLOORS)]


def test_no_room_is_crowded(files: dict[str, Path]) -> None:
    checkout = [path for folder in ("examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    counted = Counter(path.parent for path in (*files.values(), *checkout) if path.name != "__init__.py")
    assert not {str(room): count for room, count in counted.items() if count > MOST_MODULES}


def test_every_file_says_what_it_is_for(files: dict[str, Path]) -> None:
    assert not [name for name, path in files.items() if not begins_with_words(path)]


def begins_with_words(path: Path) -> bool:
    """Whether a file has a docstring: a text is the first that stands in it, but for comments. The rest is not parsed."""
    passed = {tokenize.ENCODING, tokenize.COMMENT, tokenize.NL}
    with path.open("rb") as file:
        first = next(each for each in tokenize.tokenize(file.readline) if each.type not in passed)
    return (
        first.type == tokenize.STRING and isinstance(text := ast.literal_eval(first.string), str) and bool(text.strip())
    )


def test_no_file_is_long(files: dict[str, Path]) -> None:
    lengths = {name: len(path.read_text("utf-8").splitlines()) for name, path in files.items()}
    assert not {name: count for name, count in lengths.items() if count > MOST_LINES}
