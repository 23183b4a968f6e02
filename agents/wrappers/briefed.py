"""Private notes for a seat: its strategy, whether it is the honest one. They are recorded, and shown to nobody else.

Rule: one wrapper and its kind; where notes stand in a prompt is `agents/prompts`' part.
"""

from __future__ import annotations

from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import members, with_brief
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request

LONGEST = 20_000  # characters


class Briefed(Wrapper):
    """An agent with notes of its own, which stand in the brief of each of its requests (`request.brief["notes"]`), in a
    model's system message, and on a person's screen.

        honest = moot.Briefed(moot.LM("gpt-x"), "You are the honest one: say what the passage says.")

    They are kept in the transcript, in what it records of the seat, and no other seat is shown them: critics and judges that
    the agent asks within a move are not either. Raises UsageError for notes that are empty or longer than 20,000 characters.
    """

    def __init__(self, agent: Any, notes: str) -> None:
        if not isinstance(notes, str) or not notes.strip() or len(notes) > LONGEST:
            raise UsageError(f"briefed: notes are a text of 1 to {LONGEST:,} characters, not {notes!r:.60}")
        self.agent, self.notes = seatable(agent), notes
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The agent's move."""
        return await reply_of(act_of(self.agent), with_brief(request, {**request.brief, "notes": self.notes}))

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent="briefed", notes=self.notes)

    def describe(self) -> dict[str, Any]:
        return {"agent": "briefed", **members(self.agent), "notes": self.notes}


class BriefedKind(AgentKind):
    """An agent with private notes."""

    name: ClassVar[str] = "briefed"
    of: Held
    notes: str

    def make(self) -> Briefed:
        return Briefed(self.of, self.notes)
