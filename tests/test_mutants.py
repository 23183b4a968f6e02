"""The faults that are put into code to try its tests: each is one edit that runs, and a good test kills what a bad one lets live."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from types import ModuleType
from typing import Any

import pytest

CI = Path(__file__).resolve().parents[1] / ".ci"

pytestmark = [
    pytest.mark.skipif(
        not ((CI / "mutants.py").exists() and (CI.parent / "protocols").is_dir()),
        reason="the script and the code that it changes stand in a checkout",
    ),
    pytest.mark.skipif(sys.platform == "win32", reason="it forks"),
]

TINY = '''
"""Not this 1."""
from __future__ import annotations

def grade(points: int, most: int = 10) -> str:
    """Nor this 2."""
    assert most > 2
    if points >= most and not points == 7:
        return "full"
    return f"part {points + 4}" if points else "none"
'''
GOOD = """
from tiny import grade

def test_grade():
    assert [grade(n, 3) for n in range(4)] == ["none", "part 5", "part 6", "full"]
    assert [grade(n, 3) for n in range(6, 9)] == ["full", "part 11", "full"]
    assert grade(10) == "full" != grade(9)
"""
BAD = """
from tiny import grade

def test_grade():
    grade(3)
    grade(20)
"""


@pytest.fixture(scope="module")
def script(request: pytest.FixtureRequest) -> Iterator[ModuleType]:
    sys.path.insert(0, str(CI))
    spec = importlib.util.spec_from_file_location("mutants_of_moot", CI / "mutants.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    sys.path.remove(str(CI))
    del sys.modules[spec.name], sys.modules["mutations"]


def test_the_faults_of_a_small_module(script: ModuleType) -> None:
    found = {(each.line, each.old, each.new) for each in script.mutants(TINY)}
    test = "if points >= most and not points == 7:"
    shown = 'return f"part {points + 4}" if points else "none"'
    assert found == {
        (5, "def grade(points: int, most: int = 10) -> str:", "def grade(points: int, most: int = 11) -> str:"),
        (5, "def grade(points: int, most: int = 10) -> str:", "def grade(points: int, most: int = (9)) -> str:"),
        (8, test, "if True:"), (8, test, "if False:"),
        *((8, test, test.replace(">=", other)) for other in (">", "<")),
        (8, test, test.replace(" and ", " or ")),
        (8, test, "if True and not points == 7:"), (8, test, "if points >= most and True:"),
        (8, test, "if points >= most and (points == 7):"),
        *((8, test, test.replace("== 7", other)) for other in ("!= 7", "== 8", "== (6)")),
        (9, 'return "full"', "return None"), (10, shown, "return None"),
        *((10, shown, shown.replace("if points", f"if {other}")) for other in ("True", "False", "(not points)")),
    }  # fmt: skip


def test_statements_calls_and_slices_have_faults_of_their_own(script: ModuleType) -> None:
    source = dedent("""
        def f(a, b, *, fast=False):
            a.x = b[1:-2]
            a.n += 3 * len(b)
            for each in b:
                if each in a or a is None:
                    continue
                break
            a.call(each, b, fast=True)
            raise ValueError(3)
    """)
    news = {new for each in script.mutants(source) for new in each.new.splitlines()}
    assert news == {
        "def f(a, b, *, fast=True):",
        "pass", "a.x = b[None:-2]", "a.x = b[1:None]", "a.x = b[2:-2]", "a.x = b[(0):-2]", "a.x = b[1:(2)]", "a.x = b[1:-3]", "a.x = b[1:-(1)]",
        "a.n -= 3 * len(b)", "a.n += 3 + len(b)", "a.n += 4 * len(b)", "a.n += (2) * len(b)",
        "if True:", "if False:", "if each not in a or a is None:", "if each in a and a is None:", "if False or a is None:",
        "if each in a or False:", "if each in a or a is not None:", "break", "continue",
        "a.call(b, each, fast=True)", "a.call(each, b)", "a.call(each, b, fast=False)",
    }  # fmt: skip


@pytest.mark.parametrize("path", ["protocols/engine/budget.py", "complexity/citations.py"])  # fmt: skip
def test_a_draw_of_faults_is_the_same_each_time_and_each_is_one_edit(script: ModuleType, path: str) -> None:
    source = (CI.parent / path).read_text("utf-8")
    drawn = script.mutants(source, 12, "seed")
    assert drawn == script.mutants(source, 12, "seed") != script.mutants(source, 12, "another")
    assert len({each.source for each in drawn}) == len(drawn) == 12
    for each in drawn:
        ast.parse(each.source)
        lines = source.splitlines()
        old, new = each.old.splitlines(), each.new.splitlines()
        changed = [line.strip() for line in each.source.splitlines()]
        assert [line.strip() for line in lines[each.line - 1 : each.line - 1 + len(old)]] == old
        assert changed[each.line - 1 : each.line - 1 + len(new)] == new
        assert len(changed) - len(lines) == len(new) - len(old)


def test_a_good_test_kills_them_and_a_bad_one_lets_them_live(tmp_path: Path) -> None:
    (tmp_path / "tiny.py").write_text(TINY, "utf-8")
    for name, test in (("good", GOOD), ("bad", BAD), ("wrong", "def test_it():\n    assert False\n")):
        (tmp_path / f"test_{name}.py").write_text(test, "utf-8")

    def tried(name: str, count: int) -> tuple[int, str]:
        options: list[Any] = ["tiny.py", "--root", tmp_path, "--tests", f"test_{name}.py", "-n", str(count)]
        done = subprocess.run(
            [sys.executable, CI / "mutants.py", *options], capture_output=True, text=True, timeout=240, cwd=tmp_path
        )
        assert not done.stderr
        return done.returncode, done.stdout

    code, said = tried("good", 6)
    table = said.splitlines()[-1].split()
    assert code == 0 and table[:5] == ["tiny.py", "6", "6", "0", "100%"] and "survives" not in said
    code, said = tried("bad", 3)
    assert code == 1 and said.splitlines()[-1].split()[:2] == ["tiny.py", "3"]
    assert re.search(r"\ntiny\.py, line \d+, survives:\n- .*\n\+ ", said)
    code, said = tried("wrong", 1)
    assert code == 2 and "the tests of tiny.py do not pass as it is (pytest's exit code: 1)" in said
    assert (tmp_path / "tiny.py").read_text("utf-8") == TINY


def test_what_is_listed_as_equivalent_is_known_by_its_lines_and_has_a_reason(script: ModuleType) -> None:
    text = "# about\n\na.py\n- x = 1\n+ x = 2\n# nobody reads x\n\nb.py\n- if a:\n- pass\n+ if b:\n+ pass\n# the same\n"
    assert script.equivalents(text) == {("a.py", "x = 1", "x = 2"), ("b.py", "if a:\npass", "if b:\npass")}
    blocks = (CI / "equivalents.txt").read_text("utf-8").strip().split("\n\n")[1:]
    for block in blocks:
        path, *lines = block.splitlines()
        assert (CI.parent / path).is_file() and {line[:2] for line in lines} == {"- ", "+ ", "# "}, block
    assert len(script.equivalents("\n\n".join(blocks))) == len(blocks)
