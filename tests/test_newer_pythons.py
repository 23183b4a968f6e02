"""Which Pythons the checks look for: newer ones that start, each version once."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / ".ci" / "newer_pythons.py"

pytestmark = [
    pytest.mark.skipif(not SCRIPT.exists(), reason="the checks are part of a checkout"),
    pytest.mark.skipif(sys.platform == "win32", reason="the Pythons here are shell scripts"),
]


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv("PATH", f"{tmp_path / 'shims'}:{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    spec = importlib.util.spec_from_file_location("newer_pythons", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _python(path: Path, says: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{says}\n", "utf-8")
    path.chmod(0o755)
    return path


def test_each_newer_version_is_found_once_and_only_where_it_starts(script: ModuleType, tmp_path: Path) -> None:
    for minor in (91, 92, 93):  # as pyenv's shims for versions that are not switched on
        _python(tmp_path / "shims" / f"python3.{minor}", "echo 'command not found' >&2; exit 127")
    first = _python(tmp_path / "bin" / "python3.91", "echo 3 91")
    _python(tmp_path / "bin" / "python3.9", "echo 3 9")
    _python(tmp_path / "bin" / "python3.92-config", "echo 3 92")
    _python(tmp_path / "pyenv" / "versions" / "3.91.4" / "bin" / "python3.91", "echo 3 91")
    _python(tmp_path / "pyenv" / "versions" / "3.92.9" / "bin" / "python3.92", "echo 3 92")
    newest = _python(tmp_path / "pyenv" / "versions" / "3.92.10" / "bin" / "python3.92", "echo 3 92")
    assert script.newer((3, 90), script.candidates()) == {(3, 91): first, (3, 92): newest}
    assert script.newer((3, 92), script.candidates()) == {}


def test_no_newer_python_is_said_and_is_no_failure(
    script: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(script, "candidates", lambda: iter(()))
    assert script.main() == 0
    this = f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert capsys.readouterr().out.strip() == f"no Python newer than {this} here: nothing to try"


def test_a_python_that_cannot_make_an_environment_fails_the_check(
    script: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = _python(
        tmp_path / "bin" / "python3.99", 'case "$*" in *ensurepip*) echo 3 99;; *) echo no venv; exit 3;; esac'
    )
    monkeypatch.setattr(script, "candidates", lambda: iter((broken,)))
    assert script.main() == 1
    out = capsys.readouterr().out
    assert "Python 3.99" in out and "no venv" in out and out.strip().endswith("Python 3.99: environment failed")


def test_the_core_is_there(script: ModuleType) -> None:
    assert all((SCRIPT.parents[1] / "tests" / f"test_{name}.py").is_file() for name in script.CORE)
