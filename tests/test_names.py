"""Protocols are found by name, those that inherit their script too."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys

import pytest

import moot
import moot.protocols
from moot.protocols.engine.base import Protocol, known_protocols, protocol_named

PUBLIC = sorted(
    found.name
    for found in (getattr(moot, name) for name in moot.__all__)
    if isinstance(found, type) and issubclass(found, Protocol) and found is not Protocol
)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_own_protocol_has_a_name(name: str) -> None:
    assert protocol_named(name).name == name
    assert name in known_protocols()


def test_names_are_known_before_anything_else_is_imported() -> None:
    script = "from moot.protocols.engine.base import known_protocols\nprint(*known_protocols(), sep='\\n')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert "side-swapped" in PUBLIC and set(PUBLIC) <= set(done.stdout.split())


def test_every_protocol_can_be_named_without_being_imported_first() -> None:
    script = "from moot.protocols.engine.base import known_protocols\nprint(*known_protocols())"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    for module in pkgutil.walk_packages(moot.protocols.__path__, "moot.protocols."):
        importlib.import_module(module.name)
    found = [cls for cls in known_protocols().values() if cls.__module__.startswith("moot.protocols.")]
    assert {cls.name for cls in found} == set(done.stdout.split())
    ours = {cls.__name__ for cls in found}
    assert ours - {"Approval"} <= set(moot.__all__)
