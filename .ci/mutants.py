"""Mutation testing: does a test fail when the code is wrong? Faults are put into a module one by one, and its tests are run.

    python .ci/mutants.py                                the modules of the table, 40 mutants each
    python .ci/mutants.py protocols/engine/budget.py     one of them; -n 0 tries every mutant that there is
    python .ci/mutants.py MODULE.py --tests FILE...      any module, by other tests

Rule: it runs tests and counts; what faults there are stands in `mutations.py`, and which of them change nothing that anybody
could see in `equivalents.txt`. No file is changed: one process has imported pytest and the libraries, and forks for every
mutant; in the child an import hook gives the module's source with the fault in it.
"""

from __future__ import annotations

import argparse
import importlib
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from mutations import Mutant, mutants

_ENGINE = "test_engine_rules test_engine_budgets test_engine "
_PRESSURE = "test_pressure_ledger test_pressure_adversaries test_pressure_tokens "
_LAWS = "test_law_checks test_laws -k not(ours_keep|golden|hypothesis)"
TABLE = {
    "protocols/engine/game.py": _ENGINE + "test_driver test_transcripts test_accounting_forged",
    "protocols/engine/replies.py": _ENGINE + "test_replies test_moves test_accounting_forged",
    "protocols/engine/view.py": "test_view test_engine_rules test_accounting_forged test_transcripts",
    "protocols/engine/budget.py": "test_engine_budgets test_engine_rules test_accounting_forged test_accounting",
    "complexity/ledger.py": "test_accounting test_ledger test_show",
    "complexity/spending.py": "test_accounting test_ledger test_show",
    "complexity/guarantee.py": "test_guarantee test_ledger",
    "complexity/citations.py": "test_guarantee test_market",
    "complexity/pressure/configured.py": _PRESSURE,
    "complexity/pressure/ledger.py": _PRESSURE,
    "complexity/pressure/certificate.py": _PRESSURE,
    "complexity/pressure/divergences.py": "test_pressure_policies",
    "complexity/pressure/sampled.py": "test_sampled test_pressure_tokens",
    "complexity/estimators/base.py": "test_estimators",
    "complexity/estimators/evidence.py": "test_estimators test_specification",
    "complexity/estimators/sampled.py": "test_estimators test_specification",
    "complexity/estimators/inside.py": "test_estimators",
    "complexity/estimators/splitting.py": "test_splitting test_estimators",
    "protocols/specification/specification.py": "test_specification test_estimators",
    "play/risk.py": "test_estimators test_specification",
    "agents/wrappers/frozen.py": "test_frozen",
    "training/specification/ratchet.py": "test_ratchet",
    "src/moot/testing/checks/check.py": "tests/test_elsewhere.py::test_what_is_defined_in_a_function_is_not_passed_over_in_silence "
    + _LAWS,
    "src/moot/testing/checks/laws.py": _LAWS,
    "src/moot/testing/checks/laws_of_sight.py": _LAWS,
    "src/moot/testing/checks/laws_of_search.py": _LAWS,
    "agents/prompts/forms.py": "test_forms test_render",
    "agents/prompts/reading.py": "test_answers test_forms -k not(proportion)",
    "agents/models/wire.py": "test_wire",
    "transcripts/store.py": "test_store test_truth test_transcripts -k not(two_processes|more_plays|every_byte|any_play)",
    "transcripts/replay.py": "test_replay test_truth test_version1 test_history",
    "transcripts/seal.py": "test_seal -k not(damage)",
    "transcripts/sealed.py": "test_seal",
    "transcripts/truth.py": "test_truth test_format",
}
"""A module and the tests that are to protect it, fast ones first."""

ROOT = Path(__file__).resolve().parents[1]
LIBRARIES = "hypothesis.strategies _hypothesis_pytestplugin anyio.pytest_plugin pydantic networkx numpy trio".split()
OPTIONS = "-x -q --no-header --tb=line --assert=plain -W ignore -p no:cacheprovider -p anyio.pytest_plugin -p _hypothesis_pytestplugin"
KILLED, SURVIVED, EQUIVALENT = "killed", "survived", "equivalent"
MEMORY = 2 << 30
LONGEST = 900.0
"""Seconds for tests of which nobody knows yet how long they take."""
ENOUGH = 0.9


@dataclass
class Module:
    """A module under examination. shown: its path in the repository. name: as it is imported. tests: for pytest."""

    path: Path
    shown: str
    name: str
    tests: list[str]
    seconds: float = LONGEST
    mutants: list[Mutant] = field(default_factory=list)
    ends: Counter[str] = field(default_factory=Counter)


@dataclass
class Job:
    """The tests of a module, run with a fault in it or (None) with nothing changed."""

    module: Module
    mutant: Mutant | None
    begun: float = 0.0
    said: str = ""


class Fault(MetaPathFinder):
    """Finds one module with another source."""

    def __init__(self, name: str, source: str) -> None:
        self.name, self.source = name, source

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name == self.name else None
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Loader(spec.loader.name, spec.loader.path)
            spec.loader.source = self.source
        return spec


class _Loader(SourceFileLoader):
    source = ""

    def get_code(self, fullname: str) -> CodeType:
        code: CodeType = compile(self.source, self.path, "exec", dont_inherit=True)
        return code


def run(modules: Sequence[Module], jobs: int) -> Iterator[tuple[Job, int | None]]:
    """Jobs as they end, with pytest's exit code (None: it took too long). A module's mutants are tried when its tests have
    passed as it is, within four times as long."""
    todo = deque(Job(module, None) for module in modules)
    running: dict[int, tuple[Job, tempfile.TemporaryDirectory[str]]] = {}
    try:
        while todo or running:
            while todo and len(running) < jobs:
                job, folder = todo.popleft(), tempfile.TemporaryDirectory(prefix="mutant-", ignore_cleanup_errors=True)
                job.begun = time.monotonic()
                running[os.fork() or _child(job, Path(folder.name))] = job, folder
            time.sleep(0.02)
            for pid, (job, folder) in list(running.items()):
                done, status = os.waitpid(pid, os.WNOHANG)
                took, late = time.monotonic() - job.begun, False
                if not done:
                    most = LONGEST if job.mutant is None else 4 * job.module.seconds + 20
                    if not (late := took > most):
                        continue
                _stop(pid)
                if late:
                    os.waitpid(pid, 0)
                del running[pid]
                job.said = (Path(folder.name) / "out").read_text("utf-8", "replace")
                folder.cleanup()
                if job.mutant is None:
                    job.module.seconds = took
                    todo.extend(Job(job.module, mutant) for mutant in job.module.mutants)
                yield job, None if late else os.waitstatus_to_exitcode(status)
    finally:
        for pid in running:
            _stop(pid)


def _child(job: Job, folder: Path) -> int:
    """Run the tests in this process, which was forked for it, and end it."""
    code = 70
    try:
        os.setsid()  # so that what a test starts can be stopped with it
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        out = os.open(folder / "out", os.O_WRONLY | os.O_CREAT)
        for stream in (1, 2):
            os.dup2(out, stream)
        if job.mutant is not None:
            sys.meta_path.insert(0, Fault(job.module.name, job.mutant.source))
        import pytest

        code = int(pytest.main([*OPTIONS.split(), f"--basetemp={folder / 'tests'}", *job.module.tests]))
    finally:
        os._exit(code)


def _stop(pid: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def equivalents(text: str) -> set[tuple[str, str, str]]:
    """What `equivalents.txt` lists: module, lines as they are, lines with the fault."""
    found = set()
    for block in text.split("\n\n"):
        module, *lines = block.splitlines() or [""]
        if module and not module.startswith("#"):
            old, new = ("\n".join(line[2:] for line in lines if line.startswith(sign)) for sign in ("- ", "+ "))
            found.add((module, old, new))
    return found


def module_of(root: Path, path: str, tests: Sequence[str]) -> Module:
    """A module by its path. A test is named by its file in `tests`, or as pytest takes it; `-k` is not(a|b) without spaces."""
    parts = Path(path).with_suffix("").parts
    name = ".".join(parts[1:] if parts[0] == "src" else ("moot", *parts) if (root / "src" / "moot").is_dir() else parts)
    known = {test: root / "tests" / f"{test}.py" for test in tests}
    asked = [
        str(known[test]) if known[test].exists() else test.replace("|", " or ").replace("not(", "not (")
        for test in tests
    ]
    return Module(root / path, path, name, asked)


def prepare(root: Path) -> None:
    """What is the same for every child, done once."""
    os.environ |= {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTHONDONTWRITEBYTECODE": "1", "MOOT_FORBID_REMOTE": "1"}
    sys.dont_write_bytecode = True
    source = str(root / "src") if (root / "src").is_dir() else str(root)
    sys.path.insert(0, source)
    os.environ["PYTHONPATH"] = source
    os.chdir(root)
    for name in LIBRARIES:
        with suppress(ImportError):
            importlib.import_module(name)
    if any(name.partition(".")[0] == "moot" for name in sys.modules):
        raise SystemExit("moot is imported already, and a fault in it would never be seen")


def table(modules: Sequence[Module]) -> Iterator[str]:
    yield f"{'module':42}{'mutants':>9}{'killed':>9}{'equivalent':>12}{'score':>8}{'tests take':>12}"
    for each in modules:
        counts = (each.ends.total(), each.ends[KILLED], each.ends[EQUIVALENT])
        yield f"{each.shown:42}{counts[0]:9}{counts[1]:9}{counts[2]:12}{score(each):8.0%}{each.seconds:10.1f} s"


def score(module: Module) -> float:
    """The share of mutants killed among those that could be."""
    return module.ends[KILLED] / max(1, module.ends[KILLED] + module.ends[SURVIVED])


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("modules", nargs="*", help="paths from the root of the repository; none: all of the table")
    parser.add_argument("-n", "--count", type=int, default=40, help="mutants a module; 0: every one that there is")
    parser.add_argument("-j", "--jobs", type=int, default=2, help="tests run at the same time")
    parser.add_argument("--seed", default="1", help="which mutants are drawn")
    parser.add_argument("--tests", nargs="+", default=None, help="what pytest is to run, in place of the table's")
    parser.add_argument("--root", type=Path, default=ROOT, help="the repository")
    asked = parser.parse_args(given)
    root: Path = asked.root.resolve()
    known = equivalents((Path(__file__).parent / "equivalents.txt").read_text("utf-8"))
    prepare(root)
    modules = [module_of(root, path, asked.tests or TABLE[path].split()) for path in asked.modules or TABLE]
    for module in modules:
        made = mutants(module.path.read_text("utf-8"), asked.count, f"{asked.seed} {module.name}")
        module.mutants = [each for each in made if (module.shown, each.old, each.new) not in known]
        module.ends[EQUIVALENT] = len(made) - len(module.mutants)
    for job, code in run(modules, asked.jobs):
        if job.mutant is None and code != 0:
            print(
                job.said, f"the tests of {job.module.shown} do not pass as it is (pytest's exit code: {code})", sep="\n"
            )
            return 2
        if job.mutant is not None:
            job.module.ends[SURVIVED if code == 0 else KILLED] += 1
            if code == 0:
                print(f"\n{job.module.shown}, line {job.mutant.line}, survives:", job.mutant.diff, sep="\n", flush=True)
    print("", *table(modules), sep="\n")
    return int(min(map(score, modules)) < ENOUGH)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *given: sys.exit(143))  # what runs is stopped on the way out
    sys.exit(main())
