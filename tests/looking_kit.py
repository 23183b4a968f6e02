"""Plays of which every seat with a metered view is a model behind HTTP, that looks before it says what a program said there.

Rule of this file: how such a play is made; what is asked of it is in the tests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import moot
from moot.agents.base import Wrapper, act_of
from moot.agents.models.lm import LM
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.tasks.base import task_named
from moot.testing import MockOpenAI

PLAYED = {
    "amplify": "sum", "amplify-strong": "assignments", "approval": "sum", "bisection": "sum",
    "circuit-pointer": "circuit-value", "circuit-walk": "circuit-value", "consultancy": "evidence",
    "critique": "persuasion", "cross-examination": "colouring", "cross-examination-uncopied": "colouring",
    "debate": "evidence", "decomposition-debate": "assignments", "decomposition-debate-pointers": "assignments",
    "double-consultancy": "persuasion", "geography": "geography", "market": "assignments",
    "market-pointers": "assignments", "market-uncited": "assignments", "open-consultancy": "sat",
    "propaganda": "persuasion", "prover-estimator": "primality", "qbf-debate": "tqbf", "reachability": "reach",
    "recursive-debate": "assignments",
    "doubly-efficient": "oracle-walk", "doubly-efficient-deterministic": "oracle-tally", "doubly-efficient-witness": "oracle-subset",
}  # fmt: skip
"""Protocols in which a seat looks at the source, each with a task whose programs play it."""
LIES = {
    "doubly-efficient": ("shifting", "a", "b"), "doubly-efficient-deterministic": ("liar", "a", "b"),
    "doubly-efficient-witness": ("liar", "a", "b"),
}  # fmt: skip
"""Where the judge only looks once somebody lies: the program that does, and where it may have to sit."""


def metered(request: Request) -> bool:
    return request.view.source == "metered" and (request.view.has_cells or request.view.has_excerpts)


def staged(protocol: str) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """A protocol, a small sample of its task, and an unbounded program for each seat; where somebody has to lie, each way in
    which somebody may."""
    task = task_named(PLAYED[protocol])
    liar, *places = LIES.get(protocol, ("", ""))
    for seed in range(4 if liar else 1):
        for place in places:
            sample = task.sample(max(task.smallest, 2), seed)
            made, seats = task.staged(protocol, sample)
            seats |= {place: task.programs()[liar]()} if liar else {}
            yield made, sample, {seat: getattr(agent, "agent", agent) for seat, agent in seats.items()}


def said_by_model(move: Move, request: Request) -> dict[str, Any]:
    """A move as a model writes it."""
    fields = move.model_dump(mode="json")
    made: dict[str, Any] = {"kind": fields["kind"]}
    for name, hint in type(move).fields_asked(request.brief).items():
        value = fields[name]
        if hint.choices == "number" and value is not None:
            value += 1
        if hint.choices == "shares":
            value = {str(i): share for i, share in enumerate(value, 1)}
        made[name] = value
    return made


class Looker(Wrapper):
    """A model behind an endpoint that looks at the address which its prompt names, and then makes the move that a program made
    at this step. Which of several requests at the same time an endpoint is asked is told by the seed."""

    def __init__(self, lm: LM, moves: Mapping[str, Move], own: dict[int, dict[str, Any]]) -> None:
        self.lm, self.moves, self.own, self.held = lm, moves, own, (lm,)

    async def act(self, request: Request) -> Move:
        self.own[request.seed % 2**31] = said_by_model(self.moves[request.step], request)
        return await self.lm.act(request)


def looking(own: Mapping[int, dict[str, Any]]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """What the endpoint of `Looker` answers."""

    def reply(body: dict[str, Any]) -> dict[str, Any]:
        prompt, said = str(body["messages"][1]["content"]), len(body["messages"])
        example = re.findall(r"an address in the (?:data|passage, by characters): (.*)", prompt)
        return {"move": {"kind": "look", "at": example, "find": None} if said == 2 else own[body["seed"]]}

    return reply


def recorded(protocol: Any, sample: Any, seats: Mapping[str, Any]) -> tuple[dict[str, Move], set[str], set[str]]:
    """The programs' moves by step, the steps at which a seat could look, and those seats."""
    moves: dict[str, Move] = {}
    looked, looking = set[str](), set[str]()

    def noting(agent: Any) -> Callable[[Request], Any]:
        def act(request: Request) -> Any:
            if metered(request):
                looked.add(request.step)
                looking.add(request.seat)
            said: Any = act_of(agent)(request)
            moves[request.step] = said
            return said

        return act

    moot.run(protocol, sample, {seat: noting(agent) for seat, agent in seats.items()})
    return moves, looked, looking


# -- one judge, who says what it is told to ------------------------------------------------------------------------------

DATA = {"clauses": [[1, -2], [2, 3], [-1, 3]] * 40, "variables": 3}
PASSAGE = "The cat sat on the mat. The canary sang <b>loudly</b>. " * 60
OVER = moot.Question("Which?", choices=("x", "y"), data=DATA, passage=PASSAGE, unit="cells", size=100)
VERDICT = {"move": {"kind": "verdict", "text": "so", "probabilities": {"1": 0.75, "2": 0.25}}}
Said = dict[str, Any]
SPOKEN = 2 * len("It is so.")  # what the judge reads of the debaters


def look(*at: Any, find: str | None = None) -> Said:
    return {"move": {"kind": "look", "at": list(at), "find": find}}


def speech(request: moot.Request) -> moot.Speech:
    return moot.Speech(text="It is so.")


def judged(
    replies: list[Any] | Callable[[Said], Any], question: moot.Question = OVER, judge: Any = None, bound: Any = None, **options: Any
) -> tuple[moot.Transcript, MockOpenAI]:  # fmt: skip
    """A short debate whose judge is a model that says these things one after the other."""
    left = list(replies) if isinstance(replies, list) else None
    mock = MockOpenAI(replies if left is None else lambda body: left.pop(0))  # type: ignore[arg-type]
    lm = LM("mock", base_url="http://mock/v1", api_key="k", http_client=mock.http_client(), **options)
    seat: Any = lm if judge is None else judge(lm)
    protocol = moot.Debate(rounds=1, judge_source="metered")
    if bound is not None:
        seat = moot.Bounded(seat, reads=bound)
    return moot.run(protocol, question, {"a": speech, "b": speech, "judge": seat}), mock


def noted(play: moot.Transcript, name: str) -> list[Said]:
    return [event for event in play.events() if event["event"] == name]


def users(mock: MockOpenAI) -> list[str]:
    """What the model was told last in each call."""
    return [str(call.body["messages"][-1]["content"]) for call in mock.calls]
