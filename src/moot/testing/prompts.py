"""What every seat of a protocol would be asked: the prompts of plays by programs and puppets, each kind of turn once.

Rule: it plays and renders, and calls nobody; golden prompts and `moot prompts` are made here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from moot.agents.base import act_of
from moot.agents.models.lm import LM
from moot.agents.prompts import Templates
from moot.agents.prompts.render import Prompt
from moot.agents.prompts.variables import kind_name, phases
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.errors import BudgetExceeded, UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.tasks.base import known_tasks
from moot.testing.golden import puppet

NOWHERE = "http://127.0.0.1:9/v1"  # of a model that is never called
PLAYS = 12  # of puppets, in which as many kinds of turn are met as there may be
MOST = 400  # moves of one play
PASSAGE = (
    "The fleet left the harbour of Arsen on the third day of May. On the ninth night a storm rose from the north. "
    "“Cut the cables!” the admiral cried, and fled in the first boat; Smith & Sons, who had insured the ships, paid nothing."
)
TEXTS = Question("Who sank the fleet?", choices=("a storm", "the admiral"), passage=PASSAGE)
"""The question that protocols about a text are shown with."""
DATA: dict[str, Question] = {
    "clue-oversight": Question("What does the clue score?", ("0", "1", "2"), size=4, unit="cells", data={
        "good_words": ["HARBOUR", "GULL"], "bad_words": ["ANVIL", "SAIL"],
        "similarities": {"sea": {"HARBOUR": 0.5, "GULL": 0.25, "ANVIL": 0.125, "SAIL": 0.375}},
    }),
    "fresh-debate": Question("Who sank the fleet?", passage=PASSAGE),
    "proposer-critic": Question("Who sank the fleet?", passage=PASSAGE),
    "nested-oversight": Question("Does the guard hold?", ("yes", "no")),
    "pixel-debate": Question("Which digit is this?", ("0", "1", "7"), size=4, unit="cells", data={
        "image": [[0, 90, 255, 0], [0, 0, 255, 0], [0, 60, 40, 0], [0, 255, 0, 0]],
    }),
}  # fmt: skip
"""Questions of protocols that are about something else, and that no task's programs play."""
Key = tuple[str, str, tuple[str, ...], str]  # seat, task, kinds of moves, phase


@dataclass(frozen=True, slots=True)
class Turn:
    """One kind of turn of a seat, and the prompt of the first one that was met."""

    seat: str
    role: str
    task: str
    kinds: tuple[str, ...]
    phase: str
    prompt: Prompt

    @property
    def name(self) -> str:
        """The seat, what it is asked for, and what it may answer."""
        what = " or ".join(self.kinds)
        task = what if self.task in ("", what) else f"{self.task}: {what}"
        return f"{self.seat} ({self.role}), {task}{f', {self.phase}' if self.phase else ''}"


def turns_of(
    protocol: Protocol, question: Question | None = None, *, templates: Templates | None = None, tagged: bool = False,
    model: LM | None = None,
) -> list[Turn]:  # fmt: skip
    """Each kind of turn that is met in plays of a protocol, seat by seat, with its prompt.

    question: what they are about; without one that of a task which fits, or one about a short text. model: whose prompts they
    are, for its tools, looks and thinking; without one a model with the options that `LM` has by default. Raises UsageError where no question fits, or nobody can play on it.
    """
    asked_of = model or LM("model", base_url=NOWHERE, api_key="none")
    found: dict[Key, Turn] = {}
    for made, asked, seats, seed in _stagings(protocol, question):
        for request in _requests(made, asked, seats, seed):
            kinds = tuple(map(kind_name, request.kinds))
            task, phase = request.brief.get("task") or "", next(iter(phases(request.brief)), "")
            key = (request.seat, task, kinds, phase)
            if key not in found:
                found[key] = Turn(
                    request.seat,
                    request.role,
                    task,
                    kinds,
                    phase,
                    asked_of.prompt_of(request, templates=templates, tagged=tagged),
                )
    if not found:
        raise UsageError(f"{protocol.name}: nobody is asked for anything on this question")
    order = list(dict.fromkeys(turn.seat for turn in found.values()))
    return sorted(found.values(), key=lambda turn: order.index(turn.seat))


def _stagings(
    protocol: Protocol, question: Question | None
) -> Iterator[tuple[Protocol, Question, Mapping[str, Any], int]]:
    """Who plays, on which question: the programs of a task that fits, then puppets."""
    given = {name: getattr(protocol, name) for name in protocol.model_fields_set}
    example = question or DATA.get(protocol.name, TEXTS)
    about = [(protocol, example)]
    if question is None:
        for task in known_tasks().values():
            sample = task.sample(4) if task.cast(protocol.name) else None
            if sample is None or sample.question.passage is not None:
                continue  # about a text, as the example is
            needed = {**task.options(protocol.name, sample.question), **given}
            made = protocol_named(protocol.name, needed)
            if needed != given and _fits(protocol, example):
                continue  # its programs play by other limits than those that are to be shown
            yield made, sample.question, task.staged(protocol.name, sample, **given)[1], 0
            about.insert(0, (made, sample.question))
            break
    fit = [(made, asked) for made, asked in about if _fits(made, asked)]
    if not fit:
        protocol.roles(example)  # says why
    for made, asked in fit:
        for seed in range(PLAYS):
            yield made, asked, dict.fromkeys(made.roles(asked), puppet), seed


def _fits(protocol: Protocol, question: Question) -> bool:
    try:
        protocol.roles(question)
    except UsageError:
        return False
    return True


def _requests(protocol: Protocol, question: Question, seats: Mapping[str, Any], seed: int) -> Iterator[Request]:
    """Every request of one play, before it is answered. One that its programs cannot go on with, as they play the protocol
    with other parameters, ends there; puppets can play all of it."""
    acts = {seat: act_of(agent) for seat, agent in seats.items()}
    programs = any(agent is not puppet for agent in seats.values())
    with closing(Game(protocol, question, seed=seed)) as game:
        game.start()
        for _ in range(MOST):
            if game.outcome is not None:
                return
            step = next(iter(game.open))
            yield game.request(step)
            try:
                reply = acts[game.open[step].ask.seat](game.request(step))
            except BudgetExceeded:
                return
            except Exception:
                if programs:
                    return
                raise
            game.answer(step, reply)


def as_text(protocol: Protocol, turns: list[Turn]) -> str:
    """The prompts of a protocol as a page: of every seat its system message once, and each of its turns."""
    lines = [f"# {protocol.name}"]
    for seat in dict.fromkeys(turn.seat for turn in turns):
        own = [turn for turn in turns if turn.seat == seat]
        for system in dict.fromkeys(turn.prompt.system for turn in own):
            these = [turn for turn in own if turn.prompt.system == system]
            lines += ["", f"## {seat} ({these[0].role}): system message", "", system]
            for turn in these:
                lines += ["", f"### {turn.name}", "", _conversation(turn.prompt)]
    return "\n".join(lines) + "\n"


def _conversation(prompt: Prompt) -> str:
    said = []
    for message in prompt.messages()[1:]:
        content = message["content"]
        text = content if isinstance(content, str) else "\n".join(each.get("text", "[an image]") for each in content)
        said.append(text if message["role"] == "user" else f"[the seat's own turn]\n{text}")
    return "\n\n".join(said)
