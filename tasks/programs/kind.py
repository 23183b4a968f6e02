"""The programs of tasks as agents that are named: `task:TASK:PROGRAM`.

Rule of this file: it finds programs, and knows none.
"""

from __future__ import annotations

from typing import Any, ClassVar

from moot.agents.kinds import AgentKind
from moot.protocols.engine.errors import UsageError, nearest
from moot.tasks.base import task_named


class TaskKind(AgentKind):
    """A program of a task."""

    name: ClassVar[str] = "task"
    form: ClassVar[str | None] = "task:TASK:PROGRAM"
    task: str
    program: str

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        return dict(zip(("task", "program"), text.split(":", 1) if text else (), strict=False))

    def make(self) -> Any:
        programs = task_named(self.task).programs()
        if self.program not in programs:
            known = nearest(self.program, sorted(programs))
            raise UsageError(f"task {self.task} has no program {self.program!r}{known}")
        return programs[self.program]()
