"""Small machines on a blank tape: none is missing, and what halts is decided however long it runs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

import moot
from moot.complexity.rules import looker
from moot.protocols.pointers import Store
from moot.tasks.machines import busy_beavers as bb
from moot.tasks.machines.halting import Halting
from moot.tasks.machines.turing_machines import runs

TASK = Halting()
HALTING = [machine for machine in bb.machines(2) if machine.steps is not None]
ENDLESS = [machine for machine in bb.machines(2) if machine.steps is None]


def normal(rows: dict[Any, Any], limit: int) -> str:
    """The normal form of a machine whose every row is given, by running it: names in order, first to the right, and only
    the rows that it comes to within `limit` steps and one."""
    names, used, tape, at, state = {0: 0}, dict[Any, Any](), dict[int, int](), 0, 0
    mirror = 1 if rows[0, 0][1] > 0 else -1
    for _ in range(limit + 1):
        symbol = tape.get(at, 0)
        written, move, after = rows[state, symbol]
        if after is None:
            used[names[state], symbol] = 1, 1, None
            break
        used[names[state], symbol] = written, move * mirror, names.setdefault(after, len(names))
        tape[at] = written
        at, state = at + move * mirror, after
    return bb._written(used, 2)


def test_every_machine_of_two_states_runs_as_one_in_normal_form_does() -> None:
    each = list(product((0, 1), (-1, 1), (0, 1, None)))
    unders = list(product((0, 1), repeat=2))
    found = {normal(dict(zip(unders, chosen, strict=True)), 6) for chosen in product(each, repeat=4)}
    assert found == {machine.text for machine in bb.machines(2)} and len(each) ** 4 == 20_736
    assert (len(HALTING), len(ENDLESS)) == (19, 130)


@pytest.mark.parametrize("states", [1, 2, 3])
def test_no_machine_of_so_many_states_runs_longer_or_writes_more_than_the_champions(states: int) -> None:
    halted = [machine for machine in bb.machines(states) if machine.steps is not None]
    steps, ones = {machine.steps for machine in halted}, {machine.ones for machine in halted}
    assert (max(steps), max(ones)) == (bb.LONGEST[states], bb.MOST_ONES[states])  # type: ignore[type-var]


def test_the_champions_halt_after_the_steps_of_the_literature_with_its_ones() -> None:
    for states, texts in bb.CHAMPIONS.items():
        measured = [bb.run_of(bb.rows_of(text), 1000) for text in texts]
        assert measured[0][0] == bb.LONGEST[states] and measured[-1][1] == bb.MOST_ONES[states]
        assert [len(text.split("_")) for text in texts] == [states] * len(texts)
    assert list(bb.LONGEST.values()) == [1, 6, 21, 107] and list(bb.MOST_ONES.values()) == [1, 4, 6, 13]


def test_no_run_was_cut_off_too_early() -> None:
    for machine in ENDLESS:
        assert bb.run_of(bb.rows_of(machine.text), 200)[::2] == (200, None)  # and no row that was left out is wanted


def test_the_colour_in_which_a_machine_halts_says_whether_its_steps_are_even() -> None:
    for text in [machine.text for machine in HALTING] + [text for texts in bb.CHAMPIONS.values() for text in texts]:
        steps, ones, _ = bb.run_of(bb.rows_of(text), 200)
        data = bb.data_of(text)
        for moment, (state, tape, _) in enumerate(runs(data)):
            if state in data["halted"]:
                assert (moment, list(tape.values()).count("1")) == (steps, ones)
                break
        assert TASK.truth(data, "run") == "ab"[steps % 2]


@pytest.mark.parametrize("protocol", ["amplify-strong", "market-pointers"])
def test_whatever_halts_is_decided_within_a_bound_that_does_not_grow_with_its_run(protocol: str) -> None:
    used = set()
    for sample in [*bb.halting_samples(), *bb.champion_samples()]:
        made, seats = TASK.staged(protocol, sample)
        play = moot.run(made, sample, seats)
        assert isinstance(play.outcome, moot.Decided) and play.outcome.verdict.choice == sample.unseal()
        assert play.guarantee.holds and play.guarantee.n == TASK.n(sample.question.data)
        used.add(play.guarantee.used)
    assert len(used) == 1  # one step of a machine, whichever it is
    assert play.guarantee.n == 2 * 8 + 1  # BB(4), the last one: 8 rows in two colours, and a cell
    if protocol == "amplify-strong":
        assert play.ledger.questions is not None and play.ledger.questions.unique == 107 + 2


def test_the_rule_leaves_open_in_which_colour_an_endless_run_halts() -> None:
    for sample in bb.open_samples():
        assert sample.unseal() is None and sample.task == "halting"
        for said in "ab":
            store, text, look = Store(), "run", looker(sample.question.data)
            for _ in range(8):
                rule = TASK.rule(text, look)
                asked = next(rule)
                while isinstance(asked, str):
                    asked = rule.send((store.open(asked),))
                text = store.intern(asked[0])
                with pytest.raises(StopIteration) as stopped:
                    rule.send((said,))
                assert stopped.value.value == said


def test_no_overseer_finds_an_answer_for_an_endless_run() -> None:
    kinds = set()
    for sample in list(bb.open_samples())[::12]:
        made, seats = TASK.staged("amplify-strong", sample, questions=12)
        play = moot.run(made, sample, seats)
        kinds.add(play.outcome.kind)  # type: ignore[union-attr]
        assert not isinstance(play.outcome, moot.Decided) or play.outcome.verdict.choice is None
    assert kinds == {"decided", "forfeited"}  # the questions give out, or wait for each other in a circle


@pytest.mark.parametrize(
    "text", ["", "1RB", "1RB1LB_1LA1R", "1RC1LB_1LA1RH", "2RB1LB_1LA1RH", "1NB1LB_1LA1RH", "1RB1LB1_1LA1RH"]
)
def test_a_text_that_is_no_machine_is_refused(text: str) -> None:
    with pytest.raises(moot.UsageError, match="is no machine"):
        bb.rows_of(text)
