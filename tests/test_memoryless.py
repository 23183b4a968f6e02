"""Whether an agent answers as copies of it would: those that keep something, or go by step or seed, are found."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import pytest
from test_copies import COPIED, GLOBAL, SAMPLE, SEEN, SUM, Counts, InItself

import moot
from moot.protocols.amplification.amplification import Reply
from moot.protocols.engine.base import known_protocols
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech
from moot.protocols.engine.request import Request
from moot.tasks.base import known_tasks, task_named
from moot.testing import check_memoryless, memoryless
from moot.testing.checks.check import LawBroken

QUESTION = moot.Question("Who?", ("x", "y"), passage="so it is")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first play that breaks a law is enough: seconds of search for the smallest one are given elsewhere."""
    monkeypatch.setattr("moot.testing.checks.check.PATIENCE", 0.0)


def overseen(make: Callable[[], Any], **options: Any) -> Any:
    made, seats = SUM.staged("amplify", SAMPLE)
    return check_memoryless(make, made.model_copy(update={"width": 16}), SAMPLE, "overseer", seats=seats, **options)


@pytest.mark.parametrize("make", [*COPIED, *(make for make, _ in SEEN)])
def test_smugglers_are_found(make: Callable[[], Any]) -> None:
    GLOBAL.clear()
    found = overseen(lambda: moot.Bounded(make(), reads_per_call=1))
    assert found.holds is False, found
    copied = overseen(lambda: moot.Copies(make()))
    assert copied.holds is (make in COPIED), copied  # the others' plays come to no end


class Remembers:
    """Answers a claimant's cells in the order in which it is asked for them."""

    def __init__(self) -> None:
        self.said: dict[Any, str] = {}

    def act(self, request: Request) -> Reply:
        cell = request.brief["details"]["cell"]
        return Reply(of=request.view.question.text, answer=self.said.setdefault(cell, str(len(self.said) % 3)))


def test_a_claimant_with_memory_is_found() -> None:
    colouring, won, found = task_named("colouring"), list[bool](), list[Any]()
    for seed in range(12):
        sample = colouring.sample(6, seed)
        if sample.question.choices[sample.unseal() or 0] == "no":
            made, seats = colouring.staged("cross-examination", sample)
            claimant = made.sides(sample.question)[0]  # type: ignore[attr-defined]
            for agent in (Remembers, lambda: moot.Copies(Remembers)):
                found.append(check_memoryless(agent, made, sample, claimant, seats=seats))
            copied = moot.run(made, sample, {**seats, claimant: moot.Copies(Remembers)})
            won.append(copied.outcome.verdict.choice != sample.unseal())  # type: ignore[union-attr]
    assert len(won) > 3 and not any(won), "a table that gives every cell one colour is no colouring"
    assert {each.holds for each in found[::2]} == {False} and {each.holds for each in found[1::2]} == {True}


def by_step(request: Request) -> Speech:
    return Speech(text=f"at {request.step}")


def by_seed(request: Request) -> Speech:
    return Speech(text=str(Random(request.seed).random()))


def by_chance(request: Request, random: Random = Random(1)) -> Speech:  # noqa: B008
    return Speech(text=str(random.random()))


def by_budget(request: Request) -> Speech:
    return Speech(text=str(request.budget.left("calls")))


class Reads(Counts):
    """Goes by nothing but its request, though it counts its calls."""

    def act(self, request: Request) -> Speech:
        super().act(request)
        return Speech(
            text=f"{request.view.question.text} {[entry.move.content() for entry in request.view]} {request.problem}"
        )


class Async(Counts):
    async def act(self, request: Request) -> Speech:  # type: ignore[override]
        return super().act(request)


KEEPERS: list[tuple[Callable[[], Any], str]] = [
    (Counts, "asked afresh, the request of step 1.0.0"), (Async, "asked afresh, the request of step 1.0.0"),
    (lambda: by_step, "at another step, the request of step 0.0.0"), (lambda: by_seed, "with another seed, the request of step 0.0.0"),
    (lambda: by_chance, "asked afresh"),
    (lambda: moot.Bounded(by_budget, calls=5), "asked afresh, the request of step 1.0.0"),
]  # fmt: skip


def debated(make: Callable[[], Any], **options: Any) -> Any:
    return check_memoryless(
        make, moot.Debate(rounds=2), QUESTION, "a", seats=dict.fromkeys(("b", "judge"), moot.testing.puppet), **options
    )


@pytest.mark.parametrize(("make", "why"), KEEPERS)
def test_whoever_goes_by_more_than_content_is_found(make: Callable[[], Any], why: str) -> None:
    found = debated(make)
    assert found.holds is False and found.because.startswith(why), found
    assert debated(lambda: moot.Copies(make())).holds is True


def test_what_changes_nothing_is_no_memory() -> None:
    assert debated(Reads).holds is True and debated(Reads).calls == 2


def test_an_order_in_which_it_was_not_asked_tells_too() -> None:
    class Mute(Counts):
        def act(self, request: Request) -> Speech:
            super().act(request)
            return Speech(text="late" if self.calls == 2 and not len(request.view) else "so")

    found = debated(Mute)
    assert found.holds is False and found.because.startswith(
        "after other requests than before, the request of step 0.0.0"
    )


def test_nobody_can_tell_of_models_people_failures_and_seats_that_are_not_asked() -> None:
    def fails(request: Request) -> Speech:
        raise ValueError("no")

    async def fails_later(request: Request) -> Speech:
        raise ValueError("no")

    lm = moot.LM("m", base_url="http://127.0.0.1:9/v1")
    for make, why in ((lambda: lm, "a model is not"), (lambda: moot.Panel(lm), "a model"), (moot.Human, "a person"),
                      (lambda: fails, "step 0.0.0: ValueError: no"), (lambda: fails_later, "step 0.0.0: ValueError")):  # fmt: skip
        found = debated(make)
        assert found.holds is None and found.because.startswith(why), found
    unasked = check_memoryless(
        Counts, moot.Debate(rounds=0), QUESTION, "a", seats=dict.fromkeys(("b", "judge"), moot.testing.puppet)
    )
    assert unasked == (None, "seat a was not asked", 0)
    with pytest.raises(UsageError, match="make is 3"):
        debated(3)  # type: ignore[arg-type]


# -- the law -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("agent", "why"), [(Counts(), "asked afresh"), (by_step, "at another step"), (by_seed, "with another seed"),
                                            (InItself(), "asked afresh")])  # fmt: skip
def test_the_law(agent: Any, why: str) -> None:
    protocol: Any = moot.Debate(rounds=2)
    seats = {"a": agent}
    if isinstance(agent, InItself):
        protocol, seats = SUM.staged("amplify", SAMPLE)[0].model_copy(update={"width": 16}), {"overseer": agent}
    law = partial(memoryless, protocol, questions=SAMPLE.question if "overseer" in seats else QUESTION, examples=5)
    with pytest.raises(LawBroken, match=f'(?s)law "memoryless".*seat {next(iter(seats))}: {why}, the request of step'):
        law(seats=seats)
    law(seats={seat: moot.Copies(agent) for seat in seats})


def test_the_law_needs_somebody_to_look_at() -> None:
    with pytest.raises(UsageError, match="give it seats="):
        memoryless(moot.Debate())


DRAWING = {("circuit-value", "b"), ("oracle-chain", "b"), ("oracle-sort", "b"), ("oracle-walk", "b"), ("tqbf", "a")}
"""Program players that draw where they have lost anyway, and debaters that draw samples of an oracle."""


def player(task: Any, protocol: str, sample: moot.Sample, seat: str) -> Any:
    return task.staged(protocol, sample)[1][seat]


SOME = {
    "sum": ("amplify", "approval", "market"), "colouring": ("cross-examination",), "circuit-value": ("circuit-pointer",),
    "oracle-walk": ("doubly-efficient",), "tqbf": ("amplify", "qbf-debate"),
}  # fmt: skip


@pytest.mark.parametrize("every", [False, pytest.param(True, marks=pytest.mark.long)], ids=["some", "all"])
def test_the_tasks_own_programs_keep_nothing_but_those_that_draw(every: bool) -> None:
    """Each kind of program once for each seat of each task, in the first protocol that it plays."""
    drawing = set[tuple[str, str]]()
    played = dict.fromkeys(known_tasks(), tuple(known_protocols())) if every else SOME
    for name, protocols in played.items():
        task = task_named(name)
        met, sample = set[Any](), task.sample(max(task.smallest, 2), seed=3)
        for protocol in filter(task.cast, protocols):
            made, seats = task.staged(protocol, sample)
            for seat, agent in seats.items():
                kind = type(getattr(agent, "agent", agent)), seat
                if kind in met:
                    continue
                found = check_memoryless(partial(player, task, protocol, sample, seat), made, sample, seat, seats=seats)
                if found.holds is not None:
                    met.add(kind)
                if found.holds is False:
                    assert found.because.startswith("with another seed"), found
                    drawing.add((name, seat))
    assert drawing == {each for each in DRAWING if each[0] in played}
