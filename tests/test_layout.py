"""The shape of the repository and of the installed package, and the guard that the tests themselves run under."""

from __future__ import annotations

import ast
import importlib
import os
import pkgutil
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest

import moot

ROOT = Path(__file__).resolve().parents[1]
PARTS = {
    "agents",
    "complexity",
    "experiments",
    "judges",
    "play",
    "protocols",
    "studies",
    "tasks",
    "training",
    "transcripts",
    "web",
}
SKIPPED = {"build", "dist", "runs", "node_modules"}

needs_checkout = pytest.mark.skipif(not (ROOT / "src" / "moot").is_dir(), reason="these tests run outside a checkout")
needs_links = pytest.mark.skipif(not (ROOT / "protocols").is_dir(), reason="an sdist has no links")


def _files() -> list[Path]:
    """Every file of the project: what git keeps or would keep; without git, all but hidden and built folders."""
    git = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(git, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        found = []
        for folder, folders, names in os.walk(ROOT):
            folders[:] = [name for name in folders if _ours(name)]
            found += [Path(folder) / name for name in names]
            found += [Path(folder) / name for name in folders if (Path(folder) / name).is_symlink()]
    else:
        found = [ROOT / name for name in listed.split("\0") if name]
    return sorted(path for path in found if path.is_symlink() or path.exists())


def _ours(folder: str) -> bool:
    hidden = folder.startswith(".") and folder != ".ci"
    return not hidden and folder not in SKIPPED and not folder.endswith((".egg-info", "__pycache__"))


def _sources() -> list[Path]:
    return [path for path in _files() if path.suffix == ".py" and not path.is_symlink()]


def _texts() -> list[tuple[str, str]]:
    """Name and content of every file that is text."""
    texts = []
    for path in _files():
        if not path.is_symlink():
            content = path.read_bytes()
            if b"\0" not in content:
                texts.append((path.relative_to(ROOT).as_posix(), content.decode("utf-8", "replace")))
    return texts


MAY_IMPORT = re.compile(rf"(?:\b(?:import|from)\b|,)[\s\\]*(?:{'|'.join(sorted(PARTS))})\b|\bfrom\b[\s\\]*\.")
"""In every source that imports a part by its bare name or relatively, and in few others: to parse them all takes seconds."""


def _bare_imports(source: str) -> list[str]:
    """The parts that a source imports by their bare names, and its relative imports."""
    if not MAY_IMPORT.search(source):
        return []
    found, todo = [], list[ast.AST]([ast.parse(source)])
    while todo:
        node = todo.pop()
        todo += [
            each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr)
        ]  # which hold no statements
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.partition(".")[0] in PARTS]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level or module.partition(".")[0] in PARTS:
                found.append("." * node.level + module)
    return found


def test_bare_imports_are_seen() -> None:
    source = "import protocols.floor as f\nfrom agents import base\ndef g():\n    from .judges import x\n"
    assert sorted(_bare_imports(source)) == [".judges", "agents", "protocols.floor"]
    for source, wrong in (
        ("import os, \\\n  tasks", "tasks"),
        ("if x: from.y import z", ".y"),
        ("from \\\n judges import z", "judges"),
    ):
        assert _bare_imports(source) == [wrong]
    assert _bare_imports("import moot.protocols\nfrom moot.agents import base\nimport protocolsx") == []


@needs_checkout
def test_nothing_imports_a_part_by_its_bare_name() -> None:
    sources = _sources()
    assert len(sources) > 10
    wrong = {path.relative_to(ROOT).as_posix(): _bare_imports(path.read_text("utf-8")) for path in sources}
    assert not {name: found for name, found in wrong.items() if found}


@needs_checkout
def test_links_are_relative_and_resolve_inside_the_repository() -> None:
    links = {path.relative_to(ROOT).as_posix(): path for path in _files() if path.is_symlink()}
    for name, path in links.items():
        assert not path.readlink().is_absolute(), f"{name} points to an absolute path"
        assert path.resolve(strict=True).is_relative_to(ROOT), f"{name} leaves the repository"
    if (ROOT / "protocols").is_dir():  # an unpacked sdist has the parts in src/moot, without links
        assert {f"src/moot/{part}" for part in PARTS} <= set(links)
    assert all((ROOT / "src" / "moot" / part / "__init__.py").is_file() for part in PARTS)


@needs_links
@pytest.mark.parametrize(
    "command", [["wheel", "--no-deps"], ["install", "--no-deps", "--dry-run", "--editable"]], ids=" ".join
)
def test_a_build_without_links_stops_and_says_what_to_do(command: list[str], tmp_path: Path) -> None:
    """As a checkout is on a machine without links: each of them is a small file with the text of its target."""
    pytest.importorskip("setuptools")
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "src/moot/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    for part in PARTS:
        (tmp_path / part).mkdir()
        (tmp_path / part / "__init__.py").write_bytes((ROOT / part / "__init__.py").read_bytes())
        (tmp_path / "src" / "moot" / part).write_text(f"../../{part}", "utf-8")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", command[0], "--no-build-isolation", *command[1:]]
    done = subprocess.run([*pip, "."], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert "this checkout has no symbolic links" in said and "git clone -c core.symlinks=true" in said
    assert ", ".join(sorted(PARTS)) in said
    assert not list(tmp_path.glob("*.whl"))


@needs_links
@pytest.mark.parametrize("name", [*sorted(PARTS), "protocols.engine.game"])
def test_a_part_has_one_name_only(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From the root of the repository `import protocols` would make every class of it a second time."""
    monkeypatch.syspath_prepend(ROOT)
    part = name.partition(".")[0]
    with pytest.raises(ImportError, match=f"^{part} is a part of moot, and is imported as moot.{part}$"):
        importlib.import_module(name)
    assert part not in sys.modules


@needs_checkout
def test_tools_check_every_part() -> None:
    tools = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]
    assert {f"src/moot/{part}" for part in PARTS} <= set(tools["pyright"]["include"])
    assert set(tools["coverage"]["run"]["source_dirs"]) == {*PARTS, "src/moot"}


def test_shuffled_tests_are_all_there_in_an_order_of_their_seed() -> None:
    import conftest

    def order(seed: int | None, names: list[str]) -> list[str]:
        items: list[Any] = [SimpleNamespace(nodeid=name, keywords={}) for name in names]
        given = {"--shuffle": seed, "--long": True}
        conftest.pytest_collection_modifyitems(SimpleNamespace(getoption=given.get), items)  # type: ignore[arg-type]
        return [item.nodeid for item in items]

    names = [f"test_{file}.py::test_{letter}" for file in "mxaf" for letter in "qwert"]
    assert order(None, names) == names
    assert sorted(order(1, names)) == sorted(names) != order(1, names) != order(2, names)
    assert order(1, names) == order(1, names[::-1])
    files = [name.partition("::")[0] for name in order(1, names)]
    assert files == sorted(files, key=files.index) and files[::5] != sorted(set(files)), "a file's tests stay together"


# Put together here, so that this file does not contain what it looks for.
MACHINE = re.compile(r"(?<![\w.~/}-])/(?:" + "|".join(["root", "home", "Users", "work", "tmp", "opt", "mnt"]) + r")/\w")
WINDOWS = re.compile(r"\b[A-Z]:\\" + r"(?:Users|Windows|Program)", re.IGNORECASE)
HOSTS = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "registry." + "npmjs",
    "registry." + "yarnpkg",
    "conda." + "anaconda",
]
INDEX = re.compile("--(?:extra-)?" + r"index-url[ =]\S|--find-" + r"links[ =]\S|--trusted-" + "host")


def _machine_bound(text: str) -> list[str]:
    found = [match.group() for pattern in (MACHINE, WINDOWS, INDEX) for match in pattern.finditer(text)]
    return found + [host for host in HOSTS if host in text.lower()]


def test_machine_paths_and_registries_are_seen() -> None:
    for text in (
        "see /" + "home/ann/x",
        '"/' + 'tmp/a"',
        "C:\\" + "Users\\ann",
        "https://" + HOSTS[0],
        "--index-" + "url x",
    ):
        assert _machine_bound(text), text
    for text in ("src/home/x", "https://example.com/home/x", "/usr/bin/env bash", "a/tmp/b"):
        assert not _machine_bound(text), text


@needs_checkout
def test_no_file_names_a_machine_path_or_a_package_registry() -> None:
    wrong = {name: _machine_bound(text) for name, text in _texts()}
    assert not {name: found for name, found in wrong.items() if found}


@needs_checkout
def test_constraints_are_plain_pins() -> None:
    path = ROOT / "constraints.txt"
    if not path.exists():
        pytest.skip("no constraints.txt here")
    lines = path.read_text("utf-8").splitlines()
    assert lines == sorted(lines, key=str.lower)
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line)] == []


def _imported_by(statement: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after a statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_import_moot_stays_light() -> None:
    loaded = _imported_by("import moot")
    assert "moot" in loaded
    assert not loaded & {"openai", "networkx", "rich", "typer", "hypothesis", "aiohttp", "httpx2", "trio", "pytest"}


def test_every_module_can_be_imported_under_its_own_name() -> None:
    names = [module.name for module in pkgutil.walk_packages(moot.__path__, "moot.") if module.name != "moot.__main__"]
    assert {f"moot.{part}" for part in PARTS} <= set(names)
    for name in names:
        importlib.import_module(name)


def test_the_package_says_that_it_is_typed() -> None:
    assert moot.__file__ is not None
    assert Path(moot.__file__).with_name("py.typed").is_file()


def _lookup(host: str) -> None:
    socket.getaddrinfo(host, 80)


def _connect(host: str) -> None:
    with socket.socket() as s:
        s.connect((host, 80))


def _bind(host: str) -> None:
    with socket.socket() as s:
        s.bind((host, 0))


@pytest.mark.parametrize(
    ("reach", "host"),
    [(_lookup, "example.com"), (_connect, "192.0.2.1"), (_bind, "0.0.0.0"), (_bind, "")],
)
def test_the_guard_refuses_other_machines(
    reach: Callable[[str], None], host: str, refused_addresses: list[str]
) -> None:
    with pytest.raises(RuntimeError, match="loopback"):
        reach(host)
    assert len(refused_addresses) == 1
    refused_addresses.clear()


def test_the_guard_lets_this_machine_be_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert client.getpeername() == server.getsockname()
    with pytest.raises(socket.gaierror):
        _lookup("no-such-host.invalid")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_guard_holds_on_both_event_loops(backend: str, refused_addresses: list[str]) -> None:
    async def reach() -> None:
        await anyio.connect_tcp("192.0.2.1", 80)

    with pytest.raises(BaseException) as caught:
        anyio.run(reach, backend=backend)
    assert "loopback" in "".join(_messages(caught.value))
    assert refused_addresses
    refused_addresses.clear()


def _messages(error: BaseException) -> list[str]:
    inner = error.exceptions if isinstance(error, BaseExceptionGroup) else []
    return [str(error), *(message for e in inner for message in _messages(e))]


def test_every_test_that_a_page_names_is_there() -> None:
    root = Path(__file__).resolve().parent.parent
    for page in sorted((root / "docs").rglob("*.md")):
        file = ""
        for name in re.findall(r"`(?:tests/)?(test_\w+(?:\.py)?)`", page.read_text("utf-8")):
            if name.endswith(".py"):
                file = (root / "tests" / name).read_text("utf-8")
            else:
                assert f"def {name}(" in file, (
                    f"{page.name} names {name}, which is not in the test file named before it"
                )


@pytest.mark.parametrize("kept", [True, False])
def test_bytecode_goes_to_pytests_cache_or_nowhere(kept: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where Python is told to write none: never into the checkout, and without that cache not at all."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", "")  # so that it is as it was afterwards
    monkeypatch.delenv("PYTHONPYCACHEPREFIX")
    cache = {"cache": SimpleNamespace(mkdir=tmp_path.joinpath)} if kept else {}
    sys.modules["conftest"]._keep_compiled(SimpleNamespace(**cache))
    found = (sys.dont_write_bytecode, sys.pycache_prefix, os.environ.get("PYTHONPYCACHEPREFIX"))
    assert found == ((False, str(tmp_path / "bytecode"), str(tmp_path / "bytecode")) if kept else (True, None, None))
    assert ("PYTHONDONTWRITEBYTECODE" in os.environ) is not kept
