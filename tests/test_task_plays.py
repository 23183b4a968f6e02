"""What a task says as data: its sizes, its notation, and how programs play protocols about it."""

from __future__ import annotations

import re
from random import Random
from typing import Any

import pytest

from moot.protocols.engine.errors import UsageError
from moot.tasks.base import Task, known_tasks, task_named
from moot.tasks.extras import needed
from moot.tasks.programs.play import Play, Program, TaskProgram
from moot.tasks.programs.programs import PLAYS, programs_of


class Parity(Task):
    """Whether a number is even."""

    complexity_class = "P"
    about = ""
    reads = "n + 1"
    source = "ours"
    example = "parity(4)"
    notation = re.compile(r"parity\((\d+)\)")
    either = ("even", "odd")
    smallest, largest, counted = 2, 9, "digits"
    plays = {"market": Play(bound="3*{reads}"), "direct-qa": Play({"judge": "alone"}, options={"source": True})}

    def data(self, size: int, random: Random) -> Any:
        return random.randrange(10**size)

    def truth(self, data: Any, text: str) -> str:
        return self.either[int(self.match(text)[1]) % 2]


Parity.name = "parity"  # given afterwards, so that it is in no list of tasks


@pytest.mark.parametrize(("size", "problem"), [(1, r"at least 2 \(digits\)"), (10, r"sizes go up to 9 \(digits\)")])
def test_a_size_that_a_task_does_not_have_is_refused(size: int, problem: str) -> None:
    with pytest.raises(UsageError, match=f"task parity: size is {size}; .*{problem}"):
        Parity().sample(size)


def test_what_a_task_leaves_out_follows_from_its_notation_and_its_two_answers() -> None:
    sample = Parity().sample(3, true_first=True)
    assert sample.question.text == "parity(4)" and sample.question.choices == ("even", "odd") and sample.unseal() == 0
    assert Parity().wrong(None, "parity(7)", Random(0)) == "even"
    with pytest.raises(UsageError, match=r"'parity\(x\)' is no question of task parity; write parity\(4\)"):
        Parity().truth(None, "parity(x)")


def test_a_play_of_the_task_is_laid_over_the_general_one() -> None:
    task, question = task_named("sum"), task_named("sum").sample(4).question
    general = PLAYS["market-uncited"]
    assert task.play("market-uncited") == general._replace(bound="3*n")
    assert task.cast("market-uncited") == general.cast and task.bound("market") == "4*(3 + 1)"
    assert task.options("recursive-debate", question) == {"depth": 10, "objections": 1}
    # Without a rule nobody is cast by the general programs, whatever the bound.
    assert Parity().cast("market") == {} and Parity().bound("market") == "3*n + 1"
    assert Parity().cast("direct-qa") == {"judge": "alone"} and Parity().options("direct-qa", question) == {
        "source": True
    }
    assert Parity().cast("no-such-protocol") == {} and Parity().bound("no-such-protocol") == "n + 1"


def test_the_programs_that_are_cast_are_there() -> None:
    for task in known_tasks().values():
        programs = set(task.programs())
        assert programs_of(task).keys() <= programs
        for protocol in {*PLAYS, *task.plays}:
            assert set(task.cast(protocol).values()) <= programs, (task.name, protocol)


def test_programs_are_recorded_by_name_with_what_they_say_of_themselves() -> None:
    class Weighing(TaskProgram, name="weighing", records=("task", "weight")):
        weight = 3

    class Plain(Program):
        pass

    assert Weighing(task_named("sum")).describe() == {
        "agent": "program", "name": "weighing", "task": "sum", "weight": 3,
    }  # fmt: skip
    assert Plain().describe() == {"agent": "program", "name": "plain"}


def test_a_library_that_is_missing_is_named_with_its_extra() -> None:
    with pytest.raises(UsageError, match=r"^this needs no_such_library: pip install 'moot\[plot\]'$"):
        needed("this needs", "no_such_library.part", "plot")
