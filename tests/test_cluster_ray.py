"""Studies on a Ray cluster of this machine, each in a process of its own, which writes nothing into the user's home."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.long, pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed (moot[ray])")]
HERE = Path(__file__).parent


def on_ray(scenario: str, folder: Path) -> dict[str, Any]:
    home = folder / "home"
    home.mkdir()
    with tempfile.TemporaryDirectory(
        prefix="ray-", dir="/tmp", ignore_cleanup_errors=True
    ) as short:  # paths of sockets are short
        path = os.pathsep.join(filter(None, [str(HERE), *sys.path]))
        own = {
            "HOME": str(home),
            "RAY_TMPDIR": short,
            "RAY_AUTH_MODE": "disabled",
            "RAY_USAGE_STATS_ENABLED": "0",
            "PYTHONPATH": path,
        }
        command = [sys.executable, str(HERE / "ray_child.py"), scenario, str(folder)]
        done = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found.pop("home") == []
    return found


def test_ray_plays_what_one_process_plays(tmp_path: Path) -> None:
    assert on_ray("same", tmp_path) == {"complete": True, "same": True}


def test_a_killed_actor_costs_the_calls_in_flight(tmp_path: Path) -> None:
    found = on_ray("killed", tmp_path)
    assert found.pop("resumed") >= 1
    assert found == {"complete": True, "repeated": 0, "answered": 30}


def test_a_storm_of_refusals(tmp_path: Path) -> None:
    assert on_ray("stormed", tmp_path) == {"complete": True, "times": [1]}


def test_a_cap_holds_for_all_actors_together(tmp_path: Path) -> None:
    found = on_ray("capped", tmp_path)
    assert "cap of 2.5" in found["stopped"] and 0 < found["spent"] <= 2.5 and found["complete"]
