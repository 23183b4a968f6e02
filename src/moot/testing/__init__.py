"""The laws that every protocol keeps, as a public kit, with strategies, a state machine, golden transcripts and doubles.

    def test_mine():
        moot.testing.check_protocol(MyProtocol())

Needs Hypothesis: pip install 'moot[testing]'.

Rule of this room: it stands above all that it tests, and nothing but tests, and the command that prints prompts, imports it.
"""

from __future__ import annotations

import re
from importlib import import_module
from typing import TYPE_CHECKING, Any

from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.testing import strategies as strategies
    from moot.testing.checks import laws as laws
    from moot.testing.checks.check import LawBroken as LawBroken
    from moot.testing.checks.check import NotExamined as NotExamined
    from moot.testing.checks.laws import check_protocol as check_protocol
    from moot.testing.checks.memory import Memoryless as Memoryless
    from moot.testing.checks.memory import check_memoryless as check_memoryless
    from moot.testing.checks.memory import memoryless as memoryless
    from moot.testing.golden import check_golden as check_golden
    from moot.testing.golden import play_golden as play_golden
    from moot.testing.golden import puppet as puppet
    from moot.testing.machine import ProtocolMachine as ProtocolMachine
    from moot.testing.server.server import MockOpenAI as MockOpenAI
    from moot.testing.soundness.check import Counts as Counts
    from moot.testing.soundness.check import GuaranteeBroken as GuaranteeBroken
    from moot.testing.soundness.check import check_guarantee as check_guarantee

with open(__file__, encoding="utf-8") as _source:
    _WHERE = {
        name: module
        for module, name in re.findall(r"^    from (moot\.\S+) import (?:\(\s*)?(\w+) as", _source.read(), re.MULTILINE)
    }

__all__ = sorted(_WHERE)


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"moot.testing has no {name!r}; it offers {', '.join(__all__)}")
    home = _WHERE[name]
    try:
        value = getattr(import_module(home), name, None) or import_module(f"{home}.{name}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "hypothesis":
            raise
        raise UsageError(f"moot.testing.{name} needs Hypothesis: pip install 'moot[testing]'") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
