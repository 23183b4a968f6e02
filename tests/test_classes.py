"""The class table: each witness is checked for what it says, and can fail."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import moot
import moot.tasks.oracle.steps
import moot.tasks.programs.objecting
from moot.experiments.classes.classes import ROWS, WITNESSES, Row
from moot.experiments.classes.evidence import Evidence, played
from moot.experiments.classes.known_failures import FAILURES, Failure
from moot.protocols.engine.base import known_protocols
from moot.tasks.base import Task, known_tasks, task_named


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.protocol}-{row.task}")
def test_every_row_holds(row: Row) -> None:
    found = WITNESSES[row.protocol, row.task](row.protocol)
    assert found.holds, found
    assert found.instances >= 16 and 0 < found.used <= found.budget
    assert known_protocols()[row.protocol].complexity_class == row.complexity_class
    assert known_protocols()[row.protocol].measure.replace("_", " ") == found.measure


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: failure.__name__)
def test_every_failure_is_shown(failure: object) -> None:
    shown = failure()  # type: ignore[operator]
    assert isinstance(shown, Failure) and shown.shown, shown


def test_a_witness_with_a_wrong_rule_does_not_hold() -> None:
    """The published tableau rule, played on machines where its root is wrong."""
    task = task_named("tableau-published")
    samples = [task.sample(8, seed) for seed in range(120)]
    found = played(task, "amplify", samples, "")
    assert found.right < found.instances and not found.holds


def test_a_witness_beyond_its_budget_does_not_hold() -> None:
    class Stingy(type(task_named("sum"))):  # type: ignore[misc]
        name = "stingy-sum"

        def bound(self, protocol: str) -> str:
            return "1"

    task: Task = Stingy()
    found = played(task, "amplify", [task.sample(8, seed) for seed in range(3)], "")
    assert not found.holds and found.right == 0


def test_a_judge_with_a_bit_less_than_the_theorem_says_is_too_poor(monkeypatch: pytest.MonkeyPatch) -> None:
    from moot.experiments.classes.debate_witnesses import pointer, walk

    for game, witness in ((moot.CircuitWalk, walk), (moot.CircuitPointer, pointer)):
        needed = game.most_bits
        monkeypatch.setattr(game, "most_bits", lambda self, circuit, needed=needed: needed(self, circuit) - 1)
        found = witness(game.name)
        assert found.right < found.instances and not found.holds


def test_recursive_debate_with_a_judge_who_checks_nothing_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        moot.tasks.programs.objecting.ChecksLine, "act", lambda self, request: moot.Verdict(probabilities=(1.0, 0.0))
    )
    found = WITNESSES["recursive-debate", "tqbf"]("recursive-debate")
    assert found.right < found.instances and not found.holds


def test_an_opponent_who_accepts_everything_lets_lies_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moot.tasks.oracle.steps.Stepper, "attack", lambda self, request: moot.Accept())
    for protocol, task in (
        ("doubly-efficient-deterministic", "oracle-tally"),
        ("doubly-efficient-witness", "oracle-subset"),
    ):
        found = WITNESSES[protocol, task](protocol)
        assert found.right < found.instances and not found.holds


def test_honest_sides_are_not_said_to_win_more_often_than_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moot.experiments.classes.oracle_witnesses.WON", 0.65)
    found = WITNESSES["doubly-efficient", "oracle-chain"]("doubly-efficient")
    assert 0 < found.right < found.instances and not found.holds


def test_classes_with_an_oracle_are_written_so() -> None:
    written = {row.complexity_class for row in ROWS if row.protocol.startswith("doubly-efficient")}
    assert written == {"P^O", "NP^O"}
    assert not any("^" in row.complexity_class for row in ROWS if not row.protocol.startswith("doubly-efficient"))


def test_evidence_needs_every_part() -> None:
    whole = Evidence(instances=3, right=3, exhaustive="", used=2, budget=2, n=4, measure="reads")
    assert whole.holds
    for change in ({"right": 2}, {"used": 3}, {"claim": False}, {"instances": 0, "right": 0}):
        assert not whole.model_copy(update=change).holds


def test_every_witness_stands_in_the_table() -> None:
    assert {(row.protocol, row.task) for row in ROWS} == set(WITNESSES)


def test_every_task_says_what_it_is() -> None:
    for name, task in known_tasks().items():
        if type(task).__module__.startswith("moot."):
            assert task.complexity_class in ("P", "NP", "#P", "PSPACE", "EXP", "NEXP", "R"), name
            assert task.about and task.source and moot.Polynomial.parse(task.reads)(8) >= 1


@pytest.mark.long
def test_the_command_prints_the_table() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "moot", "classes", "--json"], capture_output=True, text=True, timeout=240, check=True
    )
    told = json.loads(done.stdout)
    assert all(row["holds"] for row in told["classes"]) and all(each["shown"] for each in told["failures"])
