"""The class table: each witness is checked for what it says, and each can fail: a mutant of its judge, of its bound, of what
grows."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import pytest

import moot
import moot.tasks.oracle.steps
from moot.complexity.polynomial import Polynomial
from moot.experiments.classes import oracle_witnesses
from moot.experiments.classes.classes import ROWS, UNCHECKED, Checked, Row
from moot.experiments.classes.debate_witnesses import pointer, walk
from moot.experiments.classes.evidence import Evidence, Failure, Grown, played
from moot.experiments.classes.known_failures import FAILURES
from moot.judges.bounded import Bounded
from moot.protocols.amplification.approval import Approve
from moot.protocols.engine.base import known_protocols
from moot.protocols.games.cross_examination import CrossExamination
from moot.protocols.trees.moves import Assertion
from moot.tasks.base import Task, known_tasks, task_named
from moot.tasks.programs.decomposing import ChecksStep
from moot.tasks.programs.objecting import stated
from moot.tasks.programs.programs import Overseer

each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.protocol}-{row.task}")
SLOW = {"doubly-efficient-witness", "doubly-efficient-deterministic", "market-uncited", "recursive-debate", "market-pointers", "market", "amplify",
        "decomposition-debate", "decomposition-debate-pointers", "approval", "doubly-efficient", "consultancy", "circuit-pointer",
        "circuit-walk", "cross-examination", "bisection", "qbf-debate", "reachability"}  # fmt: skip
"""Whose witnesses are run on the smallest instances alone, but with --long, where `moot classes` runs them all."""


@cache
def small(row: Row) -> Evidence:
    return row.witness(row.protocol, small=True)


@each_row
def test_every_row_holds(row: Row) -> None:
    for found in [small(row)] if row.protocol in SLOW else [small(row), row.witness(row.protocol)]:
        assert Checked(row, found, 0.0).holds, found
        assert found.searched and found.assumes
    protocol = known_protocols()[row.protocol]
    assert (protocol.complexity_class, protocol.measure.replace("_", " ")) == (row.complexity_class, found.measure)


# -- the mutants --------------------------------------------------------------------------------------------------------


def _power(power: int, n: int) -> int:
    return int(n**power)


def trusting(agent: Any, request: moot.Request) -> moot.Move:
    """Believes the first of the two who speak, whatever was said."""
    return moot.Verdict.sure(0)


def believing_bits(agent: Any, request: moot.Request) -> moot.Move:
    """Believes in an assignment without checking it."""
    texts = [text for entry in request.view for text in [getattr(entry.move, "text", "").replace(" ", "")]]
    variables = request.view.look("variables")
    if any(len(text) == variables and not set(text) - {"0", "1"} for text in texts):
        return moot.Verdict.sure(request.view.question.choices.index("satisfiable"))
    return agent.act(request)  # type: ignore[no-any-return]


def adding_nothing(agent: Any, request: moot.Request) -> moot.Move:
    """Looks at the last cell alone, and not whether the halves add up to the whole."""
    claim, start, end = int(request.view.question.choices[0]), 0, request.view.question.size
    for split, dispute in zip(request.view[::2], request.view[1::2], strict=True):
        middle = (start + end) // 2
        left = getattr(dispute.move, "half", "") == "left"
        start, end = (start, middle) if left else (middle, end)
        claim = getattr(split.move, "left" if left else "right")
    return moot.Verdict.sure(int(request.view.look(start) != claim))


def missing_the_point(agent: Any, request: moot.Request) -> moot.Move:
    """Does not mind when an objection speaks of nothing in the claim before it."""
    last = [entry for entry in request.view if isinstance(entry.move, Assertion)][-1]
    assert isinstance(last.move, Assertion)
    claim = stated(last.move.text)
    rule = agent.task.rule(claim.question, request.view.look)
    try:
        asked = next(rule)
        rule.send(tuple(claim.parts.get(part, "?") for part in asked))
        follows = False
    except StopIteration as stop:
        follows = stop.value == claim.answer
    return moot.Verdict.sure(int((last.seat == "a") != follows))


def approving(agent: Any, request: moot.Request) -> moot.Move:
    """Approves of whatever the model claims."""
    return Approve()


def credulous(agent: Any, request: moot.Request) -> moot.Move:
    """Believes what a statement claims, whatever it cites."""
    for entry in request.view:
        if (answer := getattr(entry.move, "answer", None)) in request.view.question.choices:
            return moot.Verdict.sure(request.view.question.choices.index(answer))
    return agent.act(request)  # type: ignore[no-any-return]


def slipping(agent: Any, request: moot.Request) -> moot.Move:
    """A copy that errs, three times in ten."""
    return Overseer(agent.task, 0.3).act(request)


class Broken:
    """A judge with something changed."""

    def __init__(self, agent: Any, act: Callable[[Any, moot.Request], moot.Move]) -> None:
        self.agent, self.changed = agent, act

    def act(self, request: moot.Request) -> moot.Move:
        return self.changed(self.agent, request)


def judged(act: Callable[[Any, moot.Request], moot.Move]) -> Callable[[pytest.MonkeyPatch], None]:
    """Whatever the task's programs play, its judge is broken so, within the same bound."""

    def breaks(patch: pytest.MonkeyPatch) -> None:
        staged = Task.staged

        def changed(self: Task, protocol: str, sample: Any, **params: Any) -> Any:
            made, seats = staged(self, protocol, sample, **params)
            for seat, role in made.roles(sample.question).items():
                if role == made.judge:
                    inner = seats[seat]
                    while hasattr(inner, "agent"):
                        inner = inner.agent
                    limit: Any = {made.measure: self.bound(protocol)}
                    broken: Any = Broken(inner, act)
                    seats[seat] = Bounded(
                        moot.Copies(broken) if seat in made.copied(sample.question) else broken, **limit
                    )
            return made, seats

        patch.setattr(Task, "staged", changed)

    return breaks


def accepting(patch: pytest.MonkeyPatch) -> None:
    """An opponent who accepts every value."""
    patch.setattr(moot.tasks.oracle.steps.Stepper, "attack", lambda self, request: moot.Accept())


def not_copied(patch: pytest.MonkeyPatch) -> None:
    """A claimant that is shown the challenge when it answers for a cell."""
    patch.setattr(CrossExamination, "copies", False)


def stepping(patch: pytest.MonkeyPatch) -> None:
    """A judge who takes it that a claim follows from its parts."""
    act, follows = ChecksStep.act, moot.Verdict.sure(0)
    patch.setattr(
        ChecksStep, "act", lambda self, request: follows if request.brief["task"] == "follows" else act(self, request)
    )


def too_sure(patch: pytest.MonkeyPatch) -> None:
    """A bound that the honest sides do not reach."""
    patch.setattr(oracle_witnesses, "WON", 0.65)


UNSEEN: dict[tuple[str, str], Callable[[pytest.MonkeyPatch], None]] = {
    ("bisection", "sum"): judged(adding_nothing),
    ("consultancy", "sat"): judged(believing_bits), ("market-uncited", "sat"): judged(believing_bits),
    ("recursive-debate", "tqbf"): judged(missing_the_point), ("approval", "tableau"): judged(approving),
    ("market", "tableau"): judged(credulous), ("market-pointers", "halting"): judged(credulous),
    ("cross-examination", "colouring"): not_copied,
    ("decomposition-debate", "circuit"): stepping, ("decomposition-debate-pointers", "halting"): stepping,
}  # fmt: skip
"""Mutants that plays of the task's programs do not show: somebody has to try what no program of the task does."""
SEEN: dict[tuple[str, str], Callable[[pytest.MonkeyPatch], None]] = {
    ("direct-qa", "expression"): judged(trusting),
    ("circuit-walk", "circuit-value"): judged(trusting), ("circuit-pointer", "circuit-value"): judged(trusting),
    ("reachability", "reach"): judged(trusting), ("doubly-efficient", "oracle-chain"): too_sure,
    ("doubly-efficient-deterministic", "oracle-tally"): accepting, ("doubly-efficient-witness", "oracle-subset"): accepting,
    ("qbf-debate", "tqbf"): judged(trusting), ("geography", "geography"): judged(trusting),
    ("amplify", "tableau"): judged(slipping), ("amplify", "circuit"): judged(slipping),
    ("amplify-strong", "halting"): judged(slipping),
}  # fmt: skip


@each_row
def test_a_broken_judge_or_premise_is_found(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    {**UNSEEN, **SEEN}[row.protocol, row.task](monkeypatch)
    found = row.witness(row.protocol, small=True)
    assert found.right < found.instances and not Checked(row, found, 0.0).holds, found


@pytest.mark.parametrize("name", UNSEEN, ids="-".join)
def test_plays_alone_would_not_find_it(name: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    UNSEEN[name](monkeypatch)
    protocol, task = name[0], task_named(name[1])
    drawn = [task.sample(max(2, task.smallest), seed) for seed in range(8)]
    if protocol == "market-uncited":  # of what no argument shows it guarantees nothing
        drawn = [each for each in drawn if each.question.choices[each.unseal() or 0] == "satisfiable"]
    found = played(task, protocol, drawn[:3], "")
    assert found.right == found.instances, found


@each_row
def test_a_judge_that_may_spend_one_less_is_found(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    most = small(row).used - 1
    monkeypatch.setattr(Task, "bound", lambda self, protocol: str(most))
    found = row.witness(row.protocol, small=True)
    assert not Checked(row, found, 0.0).holds, found


@each_row
def test_what_grows_otherwise_than_the_class_says_is_found(row: Row) -> None:
    found = small(row)
    assert found.growth is not None
    others: dict[str, Callable[[int], int]] = {"constant": lambda n: 7}
    if found.growth.kind != "polynomial":
        others |= {f"n^{power}": partial(_power, power) for power in (1, 2, 3, 4)}
    if found.growth.kind != "exponential":
        others |= {"2^n": lambda n: 2**n}
    if found.growth.kind != "constant":
        for name, count in others.items():
            wrong = found.growth.model_copy(update={"counts": tuple(map(count, found.growth.sizes))})
            assert not wrong.holds and not found.model_copy(update={"growth": wrong}).holds, name
    else:
        wrong = found.growth.model_copy(update={"counts": found.growth.sizes})
        assert not found.model_copy(update={"growth": wrong}).holds
    assert not Checked(row, found.model_copy(update={"growth": None}), 0.0).holds


@each_row
def test_a_protocol_that_decides_another_class_is_found(row: Row) -> None:
    assert not Checked(row, small(row).model_copy(update={"decides": "PH"}), 0.0).holds


def test_what_is_counted_is_counted() -> None:
    """Growth is computed from what the instances are: fed with n^2, a witness does not hold."""
    row = next(row for row in ROWS if row.protocol == "qbf-debate")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(moot.QBFDebate, "full_tree_size", lambda self, question: question.size**2)
        found = row.witness(row.protocol, small=True)
    assert found.growth is not None and found.growth.found == "polynomial" and not found.holds
    assert found.right == found.instances


# -- what a witness is made of ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_every_failure_is_shown(failure: object) -> None:
    shown = failure()  # type: ignore[operator]
    assert isinstance(shown, Failure) and shown.shown, shown


def test_a_witness_with_a_wrong_rule_does_not_hold() -> None:
    """The published tableau rule, played on machines where its root is wrong."""
    task = task_named("tableau-published")
    samples = [task.sample(8, seed) for seed in range(40)]
    found = played(task, "amplify", samples, "")
    assert found.right < found.instances and not found.holds


def test_a_judge_with_a_bit_less_than_the_theorem_says_is_too_poor(monkeypatch: pytest.MonkeyPatch) -> None:
    for game, witness in ((moot.CircuitWalk, walk), (moot.CircuitPointer, pointer)):
        needed = game.most_bits
        monkeypatch.setattr(game, "most_bits", lambda self, circuit, needed=needed: needed(self, circuit) - 1)
        found = witness(game.name, small=True)
        assert found.right < found.instances and not found.holds


def test_classes_with_an_oracle_are_written_so() -> None:
    written = {row.complexity_class for row in ROWS if row.protocol.startswith("doubly-efficient")}
    assert written == {"P^O", "NP^O"}
    assert not any("^" in row.complexity_class for row in ROWS if not row.protocol.startswith("doubly-efficient"))


def test_evidence_needs_every_part() -> None:
    grew = Grown(counted="steps", kind="exponential", sizes=(1, 2, 3), counts=(2, 4, 8))
    whole = Evidence(instances=3, right=3, exhaustive="", used=2, budget=2, n=4, measure="reads", growth=grew)
    assert whole.holds
    slower = grew.model_copy(update={"counts": (1, 4, 9)})
    for change in ({"right": 2}, {"used": 3}, {"used": 0}, {"growth": slower}, {"instances": 0, "right": 0}):
        assert not whole.model_copy(update=change).holds


def test_every_protocol_that_claims_a_class_has_a_row_or_is_said_to_have_none() -> None:
    claiming = {name for name, cls in known_protocols().items()
                if cls.complexity_class is not None and cls.__module__.startswith("moot.protocols.")}  # fmt: skip
    without = {
        "critique",
        "debate",
        "double-consultancy",
        "interactive-debate",
        "open-consultancy",
        "open-debate",
        "propaganda",
    }
    assert claiming - {row.protocol for row in ROWS} == without
    assert {access for access, *_ in UNCHECKED} >= {known_protocols()[name].complexity_class for name in without}


def test_every_task_says_what_it_is() -> None:
    for name, task in known_tasks().items():
        if type(task).__module__.startswith("moot."):
            assert task.complexity_class in ("P", "NP", "#P", "PSPACE", "EXP", "NEXP", "R"), name
            assert task.about and task.source and Polynomial.parse(task.reads)(8) >= 1


@pytest.mark.long
def test_the_command_prints_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "moot", "classes", "--json"], capture_output=True, text=True, timeout=240, check=True
    )
    told = json.loads(done.stdout)
    assert all(row["holds"] for row in told["classes"]) and all(each["shown"] for each in told["failures"])
    for row in told["classes"]:
        assert (
            row["assumes"] and row["searched"] and row["instances"] and row["growth"]["found"] == row["growth"]["kind"]
        )
