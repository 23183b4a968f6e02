"""Critique and refine: an agent drafts, others criticise the draft, and it says it again in the light of one critique.
Rule: one wrapper and its kind, with its drafts and critiques; what wrappers share is in `nested.py`.

Saunders et al. 2022 (arXiv 2206.05802); as the debaters of Khan et al. 2024 (arXiv 2402.06782) are optimised.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import AgentKind, Held, Profile
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.spec import seatable
from moot.agents.wrappers.nested import answer_of, believed, best, copy_of, gathered, members, standing, why
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import Move, Speech
from moot.protocols.engine.question import reworded
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import Entry

ASKED = "Which of these critiques of the last statement would help its author most to improve it?"


class CritiqueAndRefine(Wrapper):
    """The agent's draft, criticised `critiques` times by `critic`; the critique that `chooser` finds most helpful goes back
    to the agent, which gives its move again; all of it `rounds` times.

    critic: any agent that gives speeches; it sees what the seat sees, the draft as the last statement, in the role
    "critic" with the task "critique". chooser: any agent that gives verdicts; it is asked, without the source, which
    critique helps most; equal critiques are one choice, and of equal beliefs the first wins. Of one critique it is not
    asked. The agent is asked again with the task "refine", draft and critique being the last statements that it sees.

    No critiques, or no rounds: the agent itself. A critique that fails is never chosen; when all fail, or the chooser or
    the refinement does, so does the move. Attempts of models are noted with their `critique`, `choosing` or
    `refining` number, and an event "refined" says what was drafted and criticised. As in BestOf, only moves that argue.
    """

    def __init__(self, agent: Any, critic: Any, chooser: Any = None, *, critiques: int = 1, rounds: int = 1) -> None:
        for name, number in (("critiques", critiques), ("rounds", rounds)):
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= 1000:
                raise UsageError(f"critique and refine: {name} is {number!r}; it must be a whole number, 0 to 1,000")
        if critiques > 1 and chooser is None:
            raise UsageError(f"critique and refine: {critiques} critiques need a chooser to choose among them")
        self.agent, self.critic = seatable(agent), seatable(critic)
        self.chooser = None if chooser is None else seatable(chooser)
        self.held = [each for each in (self.agent, self.critic, self.chooser) if each is not None]
        self.critiques, self.rounds = critiques, rounds
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The refined move. Raises AgentError when no critique came, and whatever draft, choice or refinement raise. What is
        no legal move is not criticised: it is returned, to be rejected."""
        reply = await reply_of(act_of(self.agent), request)
        if not self.critiques or not any(kind.argues for kind in request.kinds):
            return reply
        for turn in range(self.rounds):
            try:
                draft = typed(reply, request.kinds)
                recorded = standing(draft, request)
            except Illegal:
                return reply
            reply = await self._refined(request, draft, recorded, turn)
        return reply

    async def _refined(self, request: Request, draft: Move, recorded: Move, turn: int) -> Any:
        drafted = Entry(request.step, request.seat, recorded)
        brief: Brief = {**request.brief, "task": "drafting/critique"}
        brief.pop("notes", None)  # of this seat, and not of its critic
        if "answer" in brief:
            brief["against"] = brief.pop("answer")

        async def critique(index: int) -> Speech:
            asked = copy_of(
                request, "critique", turn * self.critiques + index, role="critic", kinds=(Speech,),
                view=request.view.then(drafted), brief=brief, attempt=0, problem=None,
            )  # fmt: skip
            move = await answer_of(self.critic, asked)
            standing(move, asked)
            assert isinstance(move, Speech)
            return move

        came = await gathered([partial(critique, index) for index in range(self.critiques)], request)
        texts = list(dict.fromkeys(each.text for each in came if isinstance(each, Speech)))
        failed = {str(index): why(each) for index, each in enumerate(came) if isinstance(each, Exception)}
        chosen = await self._chosen(request, drafted, texts, turn) if texts else None
        request.note({
            "event": "refined", "round": turn + 1, "draft": draft.model_dump(mode="json"), "critiques": texts,
            "chosen": chosen, "failed": failed,
        })  # fmt: skip
        if chosen is None:
            unread = all(isinstance(each, UnreadableAnswer) for each in came)
            raise (UnreadableAnswer if unread else AgentError)(
                f"step {request.step}: seat {request.seat}: none of {self.critiques} critiques came; the first: {failed['0']}"
            )
        view = request.view.then(drafted, Entry(request.step, "critic", Speech(text=texts[chosen])))
        again = copy_of(request, "refining", turn, view=view, brief={**request.brief, "task": "drafting/refine"})
        return await reply_of(act_of(self.agent), again)

    async def _chosen(self, request: Request, drafted: Entry, texts: list[str], turn: int) -> int:
        if len(texts) == 1:
            return 0
        question = reworded(request.view.question.without_source(), ASKED, tuple(texts))
        view = request.view.then(drafted, hide=True, asking=question)
        return best(await believed(self.chooser, request, "choosing", turn, view))

    def identity(self) -> dict[str, Any] | None:
        return composed(*self.held, agent="critique-and-refine", critiques=self.critiques, rounds=self.rounds)

    def describe(self) -> dict[str, Any]:
        chooser = None if self.chooser is None else describe(self.chooser)
        return {
            "agent": "critique-and-refine", "critiques": self.critiques, "rounds": self.rounds,
            **members(self.agent), "critic": describe(self.critic), "chooser": chooser,
        }  # fmt: skip


class CritiqueAndRefineKind(AgentKind):
    """Critique and refine."""

    name: ClassVar[str] = "critique-and-refine"
    of: Held
    critic: Held
    chooser: Held = None
    critiques: int = 1
    rounds: int = 1

    def make(self) -> CritiqueAndRefine:
        options = {"critiques": self.critiques, "rounds": self.rounds}
        return CritiqueAndRefine(self.of, self.critic, self.chooser, **options)

    def profile(self) -> Profile:
        chosen = [] if self.chooser is None else [(self.chooser, self.rounds)]
        return Profile.asking((self.of, self.rounds + 1), (self.critic, self.critiques * self.rounds), *chosen)
