"""Pointers, and the machine that runs through them to its end."""

from __future__ import annotations

import re
from itertools import islice
from random import Random
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from moot.complexity.questions import QuestionGraph
from moot.complexity.rules import evaluate, looker
from moot.complexity.search.fixed_points import consistent
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.pointers import Store, pointer_to, pointers_in
from moot.tasks.machines.halting import Halting
from moot.tasks.machines.turing_machines import BLANK, runs

TASK = Halting()
PLAIN = st.text(st.characters(exclude_characters="[]&"), max_size=8)
NESTED = st.recursive(
    PLAIN, lambda inner: st.lists(PLAIN | inner.map(lambda text: f"[{text}]"), max_size=4).map("".join), max_leaves=8
)


def unfolded(store: Store, text: str) -> str:
    """The text with every pointer replaced by what is stored there, in brackets."""
    return re.sub("&[0-9a-f]{12}", lambda found: f"[{unfolded(store, store.open(found[0]))}]", text)


@given(NESTED)
def test_opening_gives_back_what_was_interned(text: str) -> None:
    store = Store()
    interned = store.intern(text)
    assert "[" not in interned and unfolded(store, interned) == text
    assert store.intern(interned) == interned
    assert len(store) <= text.count("[")
    assert all(store.open(pointer_to(store.open(p))) == store.open(p) for p in pointers_in(interned))


@given(st.text(st.characters(exclude_characters="[]&")))
def test_a_text_without_brackets_stays_as_it_is(text: str) -> None:
    store = Store()
    assert store.intern(text) == text and len(store) == 0


@given(st.lists(NESTED, max_size=5), st.randoms(use_true_random=False))
def test_pointers_depend_on_contents_and_not_on_the_order_of_writing(texts: list[str], random: Random) -> None:
    first, second = Store(), Store()
    interned = {text: first.intern(text) for text in texts}
    random.shuffle(texts)
    assert {text: second.intern(text) for text in texts} == interned
    assert len(first) == len(second)


@given(NESTED, st.integers(0, 16**12 - 1))
def test_a_forged_pointer_is_refused_and_leaves_no_trace(text: str, number: int) -> None:
    store, forged = Store(), f"&{number:012x}"
    store.intern(text)
    assume(forged not in store)
    before = len(store)
    for message in (forged, f"[{forged}]", f"[fresh {number}] [[{forged}]]"):
        with pytest.raises(Illegal, match="points to nothing"):
            store.intern(message)
    with pytest.raises(Illegal, match="points to nothing"):
        store.open(forged)
    assert len(store) == before


@pytest.mark.parametrize("text", ["[", "]", "a[b", "[a]]", "][", "[[a]"])
def test_unbalanced_brackets_are_refused(text: str) -> None:
    store = Store()
    with pytest.raises(Illegal, match="']'"):
        store.intern(f"[kept out] {text}")
    assert len(store) == 0


def test_a_message_that_shares_its_pointer_with_another_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two texts with one 48-bit hash take 2^24 tries to find; here the hash is cut to the text's length.
    monkeypatch.setattr("moot.protocols.pointers.pointer_to", lambda text: f"&{len(text):012x}")
    for texts in (["[ab]", "[cd]"], ["[ab][cd]"]):
        store = Store()
        with pytest.raises(Illegal, match="belongs to another message"):
            for text in texts:
                store.intern(text)


def test_messages_are_nested_innermost_first() -> None:
    store = Store()
    empty = pointer_to("")
    configuration = f"q0 {pointer_to(f'1 {empty}')} 0 {empty}"
    assert store.intern("run [q0 [1 []] 0 []]") == f"run {pointer_to(configuration)}"
    assert len(store) == 3 and store.open(empty) == ""
    deep = "[" * 20_000 + "]" * 20_000
    assert len(pointers_in(store.intern(deep))) == 1 and len(store) == 20_002


@given(size=st.integers(1, 5), seed=st.integers(0, 2**32))
@settings(max_examples=30)
def test_the_rule_follows_the_run_to_its_end(size: int, seed: int) -> None:
    data, store = TASK.data(size, Random(seed)), Store()
    graph = QuestionGraph.of_rule(TASK, data, "run", store)
    assert graph.answers["run"] == TASK.truth(data, "run")
    steps, marks = _measured(data)
    number = int("".join(data["input"][:-1]), 2)
    # A configuration that the run enters is a question; each count adds a mark, and walks over the marks twice.
    assert graph.unique == steps + 2 and graph.depth == steps + 1 and graph.branching == 1
    assert marks == number and steps > number * number
    assert graph.longest == len("run &0123456789ab")


def _measured(data: Any) -> tuple[int, int]:
    """Steps until the machine halts, and the marks that are then on its tape."""
    for steps, (state, tape, _) in enumerate(runs(data)):
        if state in data["halted"]:
            return steps, list(tape.values()).count("|")
    raise AssertionError


@given(seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_the_rule_runs_any_machine_that_halts(seed: int) -> None:
    random = Random(seed)
    states, symbols = ["u", "v", "w"], ["0", "1", BLANK]
    delta = {
        f"{state},{symbol}": [random.choice([*states, "x", "y"]), random.choice(symbols), random.choice([-1, 1])]
        for state in states
        for symbol in symbols
    }
    word = [random.choice(symbols) for _ in range(random.randint(1, 4))]
    data = {"start": "u", "length": len(word), "input": word, "halted": {"x": "left", "y": "right"}, "delta": delta}
    assume(any(state in "xy" for state, _, _ in islice(_until_halted(data), 300)))
    answers: dict[str, str] = {}
    store = Store()
    assert evaluate(TASK, data, "run", answers, store) == TASK.truth(data, "run")
    assert consistent(TASK, data, answers, store) == []


def _until_halted(data: Any) -> Any:
    for moment in runs(data):
        yield moment
        if moment[0] in data["halted"]:
            return


@given(size=st.integers(1, 6), seed=st.integers(0, 2**32))
@settings(max_examples=15)
def test_each_call_opens_and_reads_no_more_than_it_says(size: int, seed: int) -> None:
    data, store = TASK.data(size, Random(seed)), Store()
    text, limit = "run", size + 6
    for _ in range(200):
        reads = opened = 0

        def counted(*address: int | str) -> Any:
            nonlocal reads
            cell = looker(data)(*address)
            reads += len(cell) if isinstance(cell, list) else 1
            return cell

        before = len(store)
        rule = TASK.rule(text, counted)
        try:
            step = next(rule)
            while isinstance(step, str):
                opened += 1
                step = rule.send((store.open(step),))
        except StopIteration:
            break
        (text,) = map(store.intern, step)
        assert opened <= 2 and reads + opened + len(step) <= limit
        assert len(store) - before <= (size + 2 if before == 0 else 3)


def test_pointers_need_a_store() -> None:
    data = TASK.data(2, Random(0))
    with pytest.raises(UsageError, match="no store to open it from"):
        evaluate(TASK, data, "run &0123456789ab")
    with pytest.raises(Illegal, match="points to nothing"):
        evaluate(TASK, data, "run &0123456789ab", store=Store())
    with pytest.raises(UsageError, match="known in a play only"):
        TASK.truth(data, "run &0123456789ab")


@pytest.mark.parametrize(
    "message", ["", "seek-a", "seek-a [] 1", "seek-z [] 1 []", "seek-a [] 1 [odd]", "seek-a [] x []"]
)
def test_a_message_that_is_no_configuration_has_no_answer(message: str) -> None:
    data = TASK.data(2, Random(0))
    assert evaluate(TASK, data, f"run [{message}]", store=Store()) == "?"


def test_samples_say_how_large_they_may_be() -> None:
    sample = TASK.sample(4, seed=1)
    truth = sample.unseal()
    assert sample.question.size == 3 * 13 + 5 and truth is not None
    assert sample.question.choices[truth] == evaluate(TASK, sample.question.data, "run", store=Store())
    with pytest.raises(UsageError, match="sizes go up to 10"):
        TASK.sample(11)
    with pytest.raises(UsageError, match="write run"):
        evaluate(TASK, sample.question.data, "walk", store=Store())
