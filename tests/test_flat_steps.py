"""A step costs the same late in a play as early: the work is counted, not timed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.protocols.engine.log import Entry, Log

walked: Counter[str] = Counter()


class Counted(Log):
    """A link that counts how often somebody goes on from it to another one."""

    __slots__ = ("_held",)

    def __getattribute__(self, name: str) -> Any:
        if name in ("before", "_back"):
            walked["links"] += 1
        return super().__getattribute__(name)


def chain(length: int, kind: type[Log] = Log) -> Log:
    """A chain of so many speeches, made at steps that end before 0."""
    made = kind(None, None)
    for step in range(-length, 0):
        made = kind(made, Entry(str(step), "ab"[step % 2], moot.Speech(text=f"speech {step}")), b"{}")
    assert len(made.digest) == 16 * (length > 0)  # made once, and known from then on
    return made


@given(st.integers(0, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(0, n))))
def test_links_are_those_of_a_list(given: tuple[int, int, int]) -> None:
    length, start, end = given
    whole = chain(length)
    steps = [str(step) for step in range(-length, 0)]
    assert [link.read().step for link in whole.links(start, end)] == steps[start:end]
    assert [link.read().step for link in whole.each()] == steps
    assert all(whole.link(index).length == index + 1 for index in range(length))
    assert [whole.place(step) for step in steps] == list(range(length))
    assert whole.place("0") is None and whole.place("0.0") is None and whole.place("copy") is None


@given(st.permutations([str(step) for step in range(12)] + ["copy", "3.0.1", "3.1.0", "10.0.2"]))
def test_a_statement_is_found_in_whatever_order_they_stand(steps: list[str]) -> None:
    whole = Log(None, None)
    for step in steps:
        whole = whole.then(Entry(step, "a", moot.Speech(text=step)))
    assert [whole.place(step) for step in steps] == list(range(len(steps)))


READS: dict[str, Callable[[Any], Any]] = {
    "the last": lambda view: view[-1],
    "the last but one": lambda view: view[-2],
    "the last three": lambda view: view[-3:],
    "the first": lambda view: view[0],
    "the first, by iteration": lambda view: next(iter(view)),
    "one in the middle": lambda view: view[len(view) // 2],
    "the last of b": lambda view: next(entry for entry in reversed(view) if entry.seat == "b"),
    "by its step": lambda view: view.at(str(-len(view) // 2)),
    "nothing": len,
}


@pytest.mark.parametrize("what", READS)
def test_a_step_walks_as_few_links_after_10_000_statements_as_after_100(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    for length in (100, 10_000):
        monkeypatch.setattr("moot.protocols.engine.game.NOTHING", chain(length, Counted))
        monkeypatch.setattr("moot.protocols.engine.steps.Log", Counted)
        walked.clear()
        calls: list[int] = []

        def agent(request: moot.Request, calls: list[int] = calls) -> moot.Speech:
            before = walked["links"]
            READS[what](request.view)
            calls.append(walked["links"] - before)
            return moot.Speech(text="more")

        def judge(request: moot.Request) -> moot.Verdict:
            return moot.Verdict(probabilities=(0.5, 0.5))

        moot.run(
            moot.Debate(rounds=2, order="sequential"),
            moot.Question("q", ("x", "y")),
            {"a": agent, "b": agent, "judge": judge},
        )
        counts.append((max(calls), walked["links"]))
    (early, early_all), (late, late_all) = counts
    assert late <= early + 64, (
        f"{early} links after 100 statements, {late} after 10,000"
    )  # a few times log n, or a block
    assert late_all - early_all <= 4 * (late - early) + 100, "the engine's own"
