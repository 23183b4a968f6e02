"""Run the core's tests under every Python that is newer than this one and can be found; say which, or that there is none.

    python .ci/newer_pythons.py        looks on the PATH and among pyenv's versions

The core is what needs light packages only: engine, laws, transcripts, rerun, ledger, polynomials. Each Python gets an
environment of its own, at the versions of constraints.txt, in a folder that is removed.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CORE = ("driver", "engine", "laws", "ledger", "polynomial", "rerun", "seal", "transcripts")
NEEDS = ("-e", ".[testing,seal]", "pytest-timeout", "pytest-xdist")
Version = tuple[int, int]


def candidates() -> Iterator[Path]:
    """Whatever is called python3.N: on the PATH in its order, then pyenv's, newest first."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = sorted(pyenv.glob("*/bin"), key=lambda path: [int(n) for n in re.findall(r"\d+", path.parent.name)])
    for folder in (*map(Path, os.get_exec_path()), *reversed(installed)):
        yield from sorted(path for path in folder.glob("python3.*") if re.fullmatch(r"python3\.\d+", path.name))


def version_of(python: Path) -> Version | None:
    """Its version; None when it does not start, as a shim of pyenv for a version that is not switched on."""
    code = "import sys, venv, ensurepip; print(*sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return None if done.returncode else (int(done.stdout.split()[0]), int(done.stdout.split()[1]))


def newer(than: Version, among: Iterable[Path]) -> dict[Version, Path]:
    """The first of each newer version, lowest first."""
    found: dict[Version, Path] = {}
    for python in among:
        version = version_of(python)
        if version is not None and version > than:
            found.setdefault(version, python)
    return dict(sorted(found.items()))


def check(python: Path, work: Path) -> str | None:
    """Install the package beside this Python and run the core's tests; print how they closed. What failed, or None."""
    own = work / "bin" / "python"
    pip = (own, "-m", "pip", "--disable-pip-version-check", "install", "-qq", "-c", "constraints.txt")
    tests = [f"tests/test_{name}.py" for name in CORE]
    steps: dict[str, tuple[str | Path, ...]] = {
        "environment": (python, "-m", "venv", work),
        "setuptools": (*pip, "setuptools"),
        "install": (*pip, "--no-build-isolation", *NEEDS),
        "tests": (own, "-m", "pytest", "-q", "-n", "2", "-o", f"cache_dir={work / 'cache'}", *tests),
    }
    for name, command in steps.items():
        done = subprocess.run(
            list(map(str, command)), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        if done.returncode:
            print(done.stdout[-6000:])
            return name
    print(done.stdout.strip().splitlines()[-1], flush=True)
    return None


def main() -> int:
    this = (sys.version_info[0], sys.version_info[1])
    found = newer(this, candidates())
    if not found:
        print(f"no Python newer than {this[0]}.{this[1]} here: nothing to try")
    failed = []
    for version, python in found.items():
        name = ".".join(map(str, version))
        print(f"Python {name} ({python}): ", end="", flush=True)
        with tempfile.TemporaryDirectory(prefix="moot-python-") as folder:
            if step := check(python, Path(folder) / "venv"):
                failed.append(f"Python {name}: {step} failed")
    print(*failed, sep="\n")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
