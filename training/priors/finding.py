"""Where a claim goes wrong: an overseer who is shown the steps of an answer, and asks a frozen earlier model about each.
Rule: a claim with its steps, the overseer, and what is read off the transcripts; nothing is learned here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from moot.complexity.rules import Look, looker
from moot.play.run import arun, in_loop
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.amplification.approval import Approval, Approve, Claim
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.request import Request
from moot.tasks.curriculum import CurriculumTask, apply_rule, look_up
from moot.tasks.programs.play import Program
from moot.tasks.programs.programs import rounds
from moot.training.amplify import Amplifier
from moot.training.learners import Learner, Tabular
from moot.transcripts.transcript import Transcript

CONCLUSION = "the conclusion"
"""What is named where the parts do not make the answer."""
_IS = " = "


class Shows(Program, records=("task",)):
    """A model that claims what its own answers to the parts come to, and shows them in the claim's text, a line each."""

    def __init__(self, task: CurriculumTask, learner: Learner) -> None:
        self.task, self.learner = task, learner

    def act(self, request: Request) -> Move:
        text, look, parts = request.view.question.text, request.view.look, dict[str, str]()

        def answer(part: str) -> str:
            if part not in parts:
                primitive = self.task.primitive(part)
                parts[part] = look_up(self.task, part, look) if primitive else self.learner.predict([part])[0]
            return parts[part]

        claimed = apply_rule(self.task, None, text, answer, look)
        known = claimed in request.view.question.choices
        return Claim(answer=claimed if known else UNKNOWN, text="\n".join(_IS.join(each) for each in parts.items()))


class Finds(Program, records=("task",)):
    """An overseer that goes through the steps of a claim. It asks the seat that answers parts about every step that the task's rule
    takes, approves where all answers are those of the claim, and says "?" otherwise, or where the steps do not make the
    claimed answer, of which it asks nothing."""

    def __init__(self, task: CurriculumTask) -> None:
        self.task = task

    def act(self, request: Request) -> Move:
        claim = next((entry.move for entry in request.view if isinstance(entry.move, Claim)), None)
        if claim is None:
            raise UsageError("finding: the overseer is shown no claim; play Approval(seen=True)")
        stated, followed = stated_in(claim.text), list[str]()

        def answer(part: str) -> str:
            followed.append(part)
            return stated.get(part, UNKNOWN)

        comes_to = apply_rule(self.task, None, request.view.question.text, answer, request.view.look)
        parts = tuple(dict.fromkeys(followed))
        if comes_to != claim.answer or claim.answer == UNKNOWN:
            return Reply(answer=UNKNOWN)
        answered = rounds(request.view)
        if not answered and parts:
            return Subquestions(questions=parts)
        said = answered[0] if answered else ()
        return Approve() if said == tuple(map(stated.get, parts)) else Reply(answer=UNKNOWN)


def stated_in(text: str) -> dict[str, str]:
    """The parts that a claim's text states, and their answers: the lines QUESTION = ANSWER; of a part stated twice, none."""
    found, twice = dict[str, str](), set[str]()
    for line in text.splitlines():
        part, is_, answer = line.partition(_IS)
        if is_:
            twice |= {part} & found.keys()
            found[part] = answer
    return {part: answer for part, answer in found.items() if part not in twice}


def fault(play: Transcript) -> str | None:
    """What was found wrong in the claim of a decided play of `Finds`: the first part of which the earlier model said something
    else, or `CONCLUSION`; "?" where it could not say of the first that it did not confirm. None where the claim was approved, or the play not decided."""
    if not isinstance(play.outcome, Decided) or play.outcome.payoffs["model"] == 1:
        return None
    stated, asked, answers = dict[str, str](), list[str](), dict[str, str]()
    for step in play.steps():
        if step.move["kind"] == "claim":
            stated = stated_in(step.move["text"])
        elif step.move["kind"] == "subquestions":
            asked = [*step.move["questions"]]
        elif step.move["kind"] == "reply":
            answers[step.move["of"]] = step.move["answer"]
    part = next((part for part in asked if answers.get(part) != stated.get(part)), CONCLUSION)
    return UNKNOWN if answers.get(part) == UNKNOWN else part


@dataclass(frozen=True, slots=True)
class Findings:
    """Claims with a wrong step, or a wrong conclusion (`faulty`), and without (`sound`). found: faulty ones of which a step that is
    wrong was named; misplaced: of which another was; passed: that were approved. alarms: sound ones that were not. undecided: plays
    without a decision, or in which the earlier model could not say, which are in no other count."""

    faulty: int
    found: int
    misplaced: int
    passed: int
    sound: int
    alarms: int
    undecided: int


def find(
    task: CurriculumTask, data: Any, claimer: Learner, earlier: Any, *, model: Any = None, overseer: Any = None, seed: int = 0,
    texts: list[str] | None = None, watch: Callable[[Transcript], None] | None = None,
) -> Findings:  # fmt: skip
    """Play Approval, in which the claim shows its steps, on each question. claimer: of the model (`Shows`), unless `model` is given, an
    agent. earlier: the agent at the seat "earlier"; overseer: `Finds(task)` unless given. texts: all learnable questions unless given."""
    made = Amplifier(task, data, seed)
    protocol, seats = Approval(width=made.protocol.width), {
        "model": model or Shows(task, claimer), "overseer": overseer or Finds(task), "earlier": earlier
    }  # fmt: skip

    async def main() -> Findings:
        counts = dict.fromkeys(("faulty", "found", "misplaced", "passed", "sound", "alarms", "undecided"), 0)
        for index, text in enumerate([*task.learnable(data)] if texts is None else texts):
            question = made.question.model_copy(update={"text": text})
            play = await arun(protocol, question, seats, seed=seed * 1_000_003 + index)
            if watch is not None:
                watch(play)
            named = fault(play)
            if not isinstance(play.outcome, Decided) or named == UNKNOWN:
                counts["undecided"] += 1
                continue
            wrong = wrong_steps(task, data, play)
            kind = "faulty" if wrong else "sound"
            counts[kind] += 1
            if wrong:
                counts["passed" if named is None else "found" if named in wrong else "misplaced"] += 1
            else:
                counts["alarms"] += named is not None
        return Findings(**counts)

    found: Findings = in_loop(main)
    return found


def wrong_steps(task: CurriculumTask, data: Any, play: Transcript) -> set[str]:
    """Of a play's claim, the stated parts that are wrong, and `CONCLUSION` where the answer is wrong though no part is."""
    claim = next(step.move for step in play.steps() if step.move["kind"] == "claim")
    wrong = {part for part, said in stated_in(claim["text"]).items() if _truth(task, data, part) != said}
    untrue = claim["answer"] != task.truth(data, play.sample.question.text)
    return wrong or ({CONCLUSION} if untrue else set())


def _truth(task: CurriculumTask, data: Any, part: str) -> str | None:
    try:
        return str(task.truth(data, part))
    except UsageError:
        return None


def slipped(task: CurriculumTask, data: Any, error: float, seed: int = 0) -> Tabular:
    """A table that is right but for entries that are wrong independently, with probability `error` each, by another of the answers,
    each as probably. UsageError outside [0, 1]."""
    if not 0 <= error <= 1:
        raise UsageError(f"finding: the probability that an entry is wrong lies in [0, 1]; it is {error}")
    random, made, choices = Random(f"slipped/{seed}"), Tabular(), [*task.answers(data)]
    for text in task.learnable(data):
        true = str(task.truth(data, text))
        others = [each for each in choices if each != true]
        made.train([text], [random.choice(others) if random.random() < error else true])
    return made


def chances(task: CurriculumTask, data: Any, text: str, error: float, stated: Mapping[str, str]) -> tuple[float, float]:
    """Exactly, for the steps `stated` of one claim about `text` whose steps make its answer, against a prior of `slipped(error)`: how
    probably it is approved, and how probably the part that is named is one that is wrong."""
    parts = list[str]()

    def answer(part: str) -> str:
        if part not in parts:
            parts.append(part)
        return stated[part]

    apply_rule(task, None, text, answer, _look(data))
    left, named = 1.0, 0.0
    others = len(task.answers(data)) - 1
    for part in parts:
        wrong, exact = stated[part] != task.truth(data, part), task.primitive(part)
        agrees = float(not wrong) if exact else error / others if wrong else 1 - error
        named += left * (1 - agrees) * wrong
        left *= agrees
    return left, named


def _look(data: Any) -> Look:
    return looker(data)
