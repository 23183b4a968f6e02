"""Program agents that any task with a rule or a truth can seat, and which of them play which protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moot.tasks.base import Task


def programs_of(task: Task) -> dict[str, Callable[[], Any]]:
    """The programs that follow from a task's truth and rule, by name."""
    return {}


def cast_of(task: Task, protocol: str) -> dict[str, str]:
    """Role to program for a protocol; {} when there is no such cast."""
    return {}
