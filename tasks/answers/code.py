"""The checker "code": an answer that is a Python program, run with its tests in a process of its own, within limits.
Rule: nothing of the answer runs in this process.

What holds: a limit of time, after which the process and its children are killed; of memory, file sizes and open files (where
the system has `resource`); an empty environment and folder; no input; and audit hooks, which Python code cannot take off, refuse sockets, other
programs, signals to others and ctypes. That an answer ends the process is no pass: the tests must come to their end.

What it does not protect against: it is no sandbox. The program runs as you: it can read your files, and write where you may
write. Whoever knows CPython well can get past audit hooks (PEP 578 says so of itself), or find in this very process what says that
tests passed; and tests hold what they compare to be as it says: an object that is equal to everything passes `==`. For answers of somebody who means harm use a container or another machine, by a checker of your own.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from secrets import token_hex
from typing import Any

from moot.protocols.engine.errors import UsageError

_FENCE = re.compile(r"\A\s*```[a-zA-Z]*\n(.*?)\n?```\s*\Z", re.DOTALL)
_RUNNER = """
import json, os, sys
given = json.load(sys.stdin)
try:
    import resource
    for name, most in given["limits"].items():
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(limit, (most, most))
except ImportError:
    pass
out = os.dup(1)
null = os.open(os.devnull, os.O_RDWR)
for fd in (0, 1, 2):
    os.dup2(null, fd)
def hook(event, args):
    if event.startswith(("socket.", "subprocess.", "ctypes.", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "pty.")) or event in (
        "os.system", "os.kill", "os.killpg", "os.startfile", "signal.pthread_kill"):
        raise PermissionError(event + " is not allowed here")
sys.addaudithook(hook)
def run(given, out, compile, exec, write):  # what the answer does to builtins and to this module is nothing to these
    tests, names, passed = compile(given["tests"], "tests.py", "exec"), {"__name__": "answer"}, given.pop("passed").encode()
    exec(compile(given["answer"], "answer.py", "exec"), names)
    exec(tests, names)
    write(out, passed)
last = [given, out]
del given, out
run(last.pop(0), last.pop(), compile, exec, os.write)
"""


def passes(answer: str, right: Any) -> bool:
    """Whether a program passes its tests: both are run, one after the other with the same names, and nothing was raised.

    answer: the program, perhaps in a fence. right: the tests as a text, or {"tests": text, "seconds": 10, "megabytes": 512}. Raises
    UsageError on tests that are none."""
    known: dict[str, Any] = (
        {"tests": right} if isinstance(right, str) else dict(right) if isinstance(right, dict) else {}
    )
    tests, seconds, megabytes = known.pop("tests", None), known.pop("seconds", 10), known.pop("megabytes", 512)
    numbers = all(type(each) in (int, float) and 0 < each <= most for each, most in ((seconds, 3600), (megabytes, 1e6)))
    if known or not isinstance(tests, str) or not tests.strip() or not numbers:
        raise UsageError(
            f'the checker "code" takes tests as a text, or as {{"tests": text, "seconds": number, "megabytes": number}}, not {right!r:.80}'
        )
    try:
        compile(tests, "tests.py", "exec")
    except (SyntaxError, ValueError) as error:
        raise UsageError(f'the checker "code" was given tests that are no Python: {error}') from None
    fenced = _FENCE.match(answer)
    passed, size = token_hex(16), int(megabytes * 2**20)
    limits = {
        "RLIMIT_CPU": int(seconds) + 1,
        "RLIMIT_AS": size,
        "RLIMIT_FSIZE": 2**20,
        "RLIMIT_NOFILE": 64,
        "RLIMIT_CORE": 0,
    }
    given = {"answer": fenced[1] if fenced else answer, "tests": tests, "passed": passed, "limits": limits}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _RUNNER], stdin=subprocess.PIPE, stdout=out, stderr=subprocess.DEVNULL, cwd=folder,
            env={}, start_new_session=True,
        )  # fmt: skip
        try:
            child.communicate(json.dumps(given).encode(), timeout=seconds)
        except subprocess.TimeoutExpired:
            return False
        finally:
            _kill(child)
        out.seek(0)
        return child.returncode == 0 and out.read(64) == passed.encode()


def _kill(child: subprocess.Popen[bytes]) -> None:
    """The process, with all that it began."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):
        child.kill()
    child.wait()
