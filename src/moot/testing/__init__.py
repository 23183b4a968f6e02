"""The laws that every protocol keeps, as a public kit, with strategies, a state machine, golden transcripts and doubles.

    def test_mine():
        moot.testing.check_protocol(MyProtocol())

Needs Hypothesis: pip install 'moot[testing]'.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from moot.testing import strategies as strategies
    from moot.testing.golden import check_golden as check_golden
    from moot.testing.golden import play_golden as play_golden
    from moot.testing.golden import puppet as puppet
    from moot.testing.laws import laws as laws
    from moot.testing.laws.check import LawBroken as LawBroken
    from moot.testing.laws.check import check_protocol as check_protocol
    from moot.testing.machine import ProtocolMachine as ProtocolMachine
    from moot.testing.server.server import MockOpenAI as MockOpenAI

_MODULES = ("laws", "strategies")
_WHERE = {
    "LawBroken": "check",
    "check_protocol": "check",
    "check_golden": "golden",
    "play_golden": "golden",
    "puppet": "golden",
    "ProtocolMachine": "machine",
    "MockOpenAI": "server",
}

__all__ = [
    "LawBroken", "MockOpenAI", "ProtocolMachine", "check_golden", "check_protocol", "laws", "play_golden", "puppet", "strategies",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _WHERE and name not in _MODULES:
        raise AttributeError(f"moot.testing has no {name!r}; it offers {', '.join(__all__)}")
    try:
        module = import_module(f"moot.testing.{_WHERE.get(name, name)}")
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != "hypothesis":
            raise
        from moot.protocols.engine.errors import UsageError

        raise UsageError(f"moot.testing.{name} needs Hypothesis: pip install 'moot[testing]'") from None
    value = getattr(module, name) if name in _WHERE else module
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
