"""Witnesses of market making: a market against every adversary of a finite family, saying nothing among what it may do.
Rule: these families and what comes of them; what witnesses share is in `evidence.py`.

The theorem is an induction (docs/market_making.md): where a market is right on what a question rests on, a market that is
right about the question cannot be exploited, and one that is wrong about it can. `searched` is its step for one question,
and `witnessed` takes it for every question of an instance."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from random import Random
from typing import Any, NamedTuple

from moot.complexity.rules import looker
from moot.experiments.classes.amplification_witnesses import TIMES, machines, ran
from moot.experiments.classes.evidence import Evidence, grown, played, random_ones
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.market.market_making import MarketMaking
from moot.protocols.market.moves import Citation, Price, Statement
from moot.tasks.base import Task, task_named
from moot.tasks.programs.market_programs import ChecksRule, Predictor, follow, slip, sure
from moot.tasks.programs.play import Program
from moot.training.below import reached
from moot.training.market import play_market

SILENCE = Statement(text="I have nothing to say.")
PAID = 1e-9
"""What a gain must be more than, to be one."""


class Says:
    """An adversary that makes these statements in turn."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)

    def act(self, request: Request) -> Move:
        return self.statements[request.brief["round"] - 1]


class Always:
    """The options of an adversary who may say any of these statements at each turn, for `moot.solve`."""

    def __init__(self, statements: Iterable[Statement]) -> None:
        self.statements = tuple(statements)

    def __call__(self, request: Request) -> Iterable[Move]:
        return self.statements


def statements(task: Task, question: Question, says: Mapping[str, str]) -> list[Statement]:
    """What an adversary may say: nothing; each choice, with no citation, with what the rule asks as the market answers it
    (`says`, or else the truth), and with one of these answers changed; and what the rule makes of the changed ones."""
    data, random = question.data, Random(question.text)
    look, known = looker(data), dict[str, str]()

    def ruled(answers: dict[str, str]) -> tuple[dict[str, str], str | None]:
        while missing := (found := follow(task, question.text, look, answers)).missing:
            answers.update({part: says.get(part) or task.truth(data, part) for part in missing})
        return found.used, found.answer

    cited, _ = ruled(known)
    changed = [{**cited, part: slip(answer, random)} for part, answer in cited.items()]
    false = [answer for each in changed if (answer := ruled({**known, **each})[1]) is not None]
    found = [SILENCE]
    for claim in dict.fromkeys([*question.choices, *false]):
        for cites in ({}, cited, *changed):
            pairs = tuple(Citation(question=part, answer=answer) for part, answer in cites.items())
            found.append(Statement(answer=claim, cites=pairs))
    return list(dict.fromkeys(found))


class Searched(NamedTuple):
    """What a search of the adversary's moves found. plays: that it tried. pay: the most that the adversary was paid. said: what
    it said then. right: whether the judge's verdict was then the truth; always: whether it was in every play."""

    plays: int
    pay: float
    said: tuple[Statement, ...]
    right: bool
    always: bool

    @property
    def silent(self) -> bool:
        """Whether the best adversary said nothing."""
        return all(each == SILENCE for each in self.said) and len(self.said) > 0


def searched(
    task: Task, question: Question, truth: int, *, wrong: Mapping[str, str] | None = None,
    protocol: Any = None, judge: Any = None, market: Any = None, said: Iterable[Statement] | None = None,
) -> Searched:  # fmt: skip
    """Play a question against every adversary of `statements` (all sequences of them where prices do not settle). wrong:
    what the market answers to some questions instead of the truth. judge: `ChecksRule` by default, and the seat is bounded
    where it is; market: another one than `Predictor`; said: other statements. A play that is not decided is paid nothing,
    and its verdict is not right."""
    made = protocol or MarketMaking(horizon=1)
    seats = {"market": market or Predictor(task, wrong), "judge": judge or ChecksRule(task)}
    tried = list(statements(task, question, wrong or {}) if said is None else said)
    play: Any = run if isinstance(judge, Bounded) else play_market
    turns = made.horizon if made.tolerance is None else min(1, made.horizon)  # this market's price settles at once
    best, always, plays = None, True, 0
    for made_so in product(tried, repeat=turns):
        every = {**seats, "adversary": Says(made_so)}
        outcome = play(made, question, every).outcome
        if isinstance(outcome, Decided):
            right, pay = outcome.verdict.choice == truth, outcome.payoffs["adversary"]
        else:
            right, pay = False, 0.0
        plays += 1
        always &= right
        if best is None or pay > best[0] + PAID:
            best = (pay, made_so, right)
    assert best is not None
    return Searched(plays, *best, always)


def step_holds(
    task: Task, data: Any, text: str, lie: str, wrong: Mapping[str, str] | None = None, **given: Any
) -> bool:  # fmt: skip
    """The step of the induction at one question of an instance: a market that is right about it pays no adversary, and the
    verdict is the truth whatever is said; one that answers `lie` to it pays the best one, who makes the judge
    believe the truth. given: as in `searched`; with `wrong` answers to smaller questions it need not hold."""
    true = task.truth(data, text)
    question = Question(text, (lie, true), data=data, about=task.about, unit="cells")
    sound = searched(task, question, 1, wrong=wrong, **given)
    broken = searched(task, question, 1, wrong={**(wrong or {}), text: lie}, **given)
    return step_of(sound, broken)


def step_of(sound: Searched, broken: Searched) -> bool:
    """Whether a market that is right pays nobody, whatever is said, and one that lies pays its best adversary, who makes the
    judge believe the truth."""
    return abs(sound.pay) <= PAID and sound.always and broken.pay > PAID and broken.right


def wrong_for(task: Task, data: Any, text: str) -> str:
    """A wrong answer in the form of the true one."""
    return slip(task.truth(data, text), Random(text))


EVERY = "saying nothing, claims without a citation, with the market's answers cited, with one of them changed"


def witnessed(
    task: Task, name: str, samples: Iterable[Sample], full: str, *, judge: Any = None, **params: Any
) -> Evidence:
    """Evidence for market making with citation on these instances: the induction's step at every question of each of them,
    and what the judge spends of its polynomial where the market is right and says nothing is said, or the rule is cited.
    name: of the protocol. params: to change it; judge: to break it, as mutants do."""
    chosen, steps = list(samples), list[bool]()
    for sample in chosen:
        made, seats = task.staged(name, sample, horizon=1, **params)
        data = sample.question.data
        for text in task.questions(data):
            lie = wrong_for(task, data, text)
            steps.append(step_holds(task, data, text, lie, protocol=made, judge=judge or seats["judge"]))
    return spent(task, name, chosen, full, **params).model_copy(update={"instances": len(steps), "right": sum(steps)})


def spent(task: Task, name: str, samples: Iterable[Sample], full: str, **params: Any) -> Evidence:
    """What the judge spends where the market is right, and where nothing is said or the rule is cited; nothing is right."""
    silent = played(task, name, (samples := list(samples)), full, _silent, **params)
    cited = played(task, name, samples, full, **params)
    most = max(silent, cited, key=lambda each: each.used / each.budget)
    return most.model_copy(update={
        "instances": 0, "right": 0, "searched": EVERY,
        "what": "questions where the market is unexploitable if and only if it is right",
    })  # fmt: skip


def _silent(made: Protocol, sample: Sample, seats: dict[str, Any]) -> None:
    seats["adversary"] = Says([SILENCE])


def tableau(protocol: str, small: bool = False) -> Evidence:
    """EXP: the induction at every cell of tableaus that are small, a lie at the cell in question; and what the judge spends on
    larger ones."""
    task = task_named("tableau")
    drawn = [*random_ones(task, (1, 2) if small else (1, 2, 3), 1 if small else 3)]
    found = witnessed(task, protocol, drawn, "")
    larger = spent(task, protocol, random_ones(task, (7,) if small else (7, 15, 31), 1 if small else 4), "")
    if larger.used / larger.budget > found.used / found.budget:
        found = found.model_copy(update={name: getattr(larger, name) for name in ("used", "budget", "n")})
    return found.grown("questions", "exponential", *grown(task, TIMES, 2 if small else 12))


class Answers(Program):
    """A market with an answer to some questions, and "?" to all others: a model as it stands, frozen."""

    def __init__(self, answers: Mapping[str, str]) -> None:
        self.answers = answers

    def act(self, request: Request) -> Move:
        answer = self.answers.get(request.view.question.text, UNKNOWN)
        if Reply in request.kinds:
            return Reply(answer=answer)
        return Price(probabilities=sure(request.view.question.choices, answer))


def halting(protocol: str, small: bool = False) -> Evidence:
    """R: the induction at every configuration of machines that halt, of which nothing says beforehand when. The market knows
    the answer to the configuration that follows, and nothing else; about the one in question it is right, or it lies."""
    task = task_named("halting")
    chosen = machines(small)
    steps = [holds for sample in chosen for holds in _configurations(task, protocol, sample)]
    found = spent(task, protocol, chosen, "" if small else "2 states, and champions up to 4")
    found = found.model_copy(update={"instances": len(steps), "right": sum(steps)})
    return ran(found, protocol, 2 if small else 4)


def _configurations(task: Task, protocol: str, sample: Sample) -> Iterator[bool]:
    """The step of the induction at each configuration of a run."""
    asked, truth = sample.question, sample.unseal()
    assert truth is not None
    right, lie = asked.choices[truth], asked.choices[1 - truth]
    made, seats = task.staged(protocol, sample, horizon=1)
    graph, written = reached(task, asked.data, asked.text)
    for text in graph:
        question = Question(written[text], (lie, right), data=asked.data, about=asked.about, unit=asked.unit)
        parts = graph.subquestions(text)
        known = dict.fromkeys(parts, right)
        cites: list[dict[str, str]] = [{}, known, *({**known, part: lie} for part in parts)]
        said = [SILENCE, *(
            Statement(answer=claim, cites=tuple(Citation(question=written[part], answer=each) for part, each in pairs.items()))
            for claim in (lie, right) for pairs in cites
        )]  # fmt: skip
        sound, broken = (
            searched(
                task, question, 1, protocol=made, judge=seats["judge"], market=Answers({**known, text: says}), said=said
            )
            for says in (right, lie)
        )
        yield step_of(sound, broken)
