"""What accounts and meters count, how branches share, and how plays inside others, coins and asides stand on the record."""

from __future__ import annotations

import math
from contextlib import nullcontext, suppress
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR, QUESTION, Scripted, scripted

import moot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import MEASURES, PER_CALL, REPORTED, Account, Budget, Meter, short
from moot.protocols.engine.floor import Floor
from moot.transcripts.events import EventLog

SAY = moot.Speech(text="so it is")
AMOUNTS = st.integers(0, 6)
LIMITS = st.dictionaries(st.sampled_from(MEASURES), st.integers(0, 20))
SPENDING = st.lists(st.tuples(st.sampled_from([each for each in MEASURES if each not in PER_CALL.values()]), AMOUNTS), max_size=12)  # fmt: skip


def game_of(script: Any, **options: Any) -> moot.Game:
    return moot.Game(scripted(script), QUESTION, **options).start()


def recorded(script: Any, answers: Any = (), **options: Any) -> list[dict[str, Any]]:
    """The events of a play of a script, answered step by step."""
    found: list[dict[str, Any]] = []

    class Keeps(EventLog):
        def event(self, name: str, fields: Any, meta: Any = None) -> None:
            found.append({"event": name, **fields, "meta": meta})

    game = game_of(script, recorder=Keeps(lambda line: None), **options)
    for step, answer in answers:
        game.answer(step, answer)
    return found


# -- accounts and meters -------------------------------------------------------------------------------------------------


@given(LIMITS, SPENDING)
def test_an_account_counts_what_was_charged_and_refuses_what_would_cross_a_limit(limits: Any, spending: Any) -> None:
    account, used = Account(limits), dict.fromkeys(MEASURES, 0)
    for measure, amount in spending:
        each = limits.get(PER_CALL.get(measure, ""), inf)
        fits = used[measure] + amount <= limits.get(measure, inf) and amount <= each
        if fits:
            account.charge(measure, amount)
            used[measure] += amount
        else:
            with pytest.raises(moot.BudgetExceeded) as refused:
                account.charge(measure, amount)
            whole = (measure, used[measure] + amount, limits.get(measure))
            expected = (PER_CALL[measure], amount, each) if amount > each else whole
            assert (refused.value.measure, refused.value.used, refused.value.limit) == expected
        for name in MEASURES:
            assert account.left(name) == (limits[name] - used[name] if name in limits else None)
    assert {name: account.used.get(name, 0) for name in MEASURES} == used


@given(LIMITS, SPENDING, SPENDING)
def test_a_meter_counts_within_what_its_account_has_left(limits: Any, before: Any, during: Any) -> None:
    account = Account(limits)
    for measure, amount in before:
        with suppress(moot.BudgetExceeded):
            account.charge(measure, amount)
    meter, own = Meter(account), dict.fromkeys(MEASURES, 0)
    for measure, amount in during:
        if measure not in (*REPORTED, "reads"):
            with pytest.raises(moot.UsageError, match=f"the engine counts {measure}"):
                meter.charge(measure, amount)
            continue
        each = limits.get(PER_CALL.get(measure, ""), inf)
        whole = own[measure] + amount
        fits = account.used.get(measure, 0) + whole <= limits.get(measure, inf) and whole <= each
        for spend in (lambda _, amount: meter.read(amount),) if measure == "reads" else (meter.reserve, meter.charge):
            with nullcontext() if fits else pytest.raises(moot.BudgetExceeded):
                spend(measure, amount)
        own[measure] += amount if fits else 0
        left = limits[measure] - account.used.get(measure, 0) - own[measure] if measure in limits else None
        assert meter.left(measure) == left and meter.limit(measure) == limits.get(measure)
    assert meter.reads == own["reads"] and meter.left("reads_per_call") == (
        limits["reads_per_call"] - own["reads"] if "reads_per_call" in limits else None
    )
    assert meter.spent == {name: own[name] for name in meter.spent} and "reads" not in meter.spent


HOLDS = st.lists(st.tuples(st.sampled_from(["tokens", "queries"]), AMOUNTS, AMOUNTS), max_size=6)


@given(LIMITS, HOLDS, st.data())
def test_what_is_held_for_calls_in_flight_counts_as_spent_until_they_are_settled(
    limits: Any, calls: Any, data: Any
) -> None:
    meter, flying, spent = Meter(Account(limits)), list[tuple[str, int, int]](), dict.fromkeys(MEASURES, 0)

    def left(measure: str) -> Any:
        return limits.get(measure, inf) - spent[measure] - sum(held for name, held, _ in flying if name == measure)

    for measure, held, took in calls:
        if held <= left(measure):
            meter.hold(measure, held)
            flying.append((measure, held, took))
        else:
            with pytest.raises(moot.BudgetExceeded):
                meter.hold(measure, held)
        if flying and data.draw(st.booleans()):
            name, back, cost = flying.pop(data.draw(st.integers(0, len(flying) - 1)))
            if cost <= left(name):
                meter.settle(name, back, cost)
                spent[name] += cost
            else:
                with pytest.raises(moot.BudgetExceeded):
                    meter.settle(name, back, cost)
        for name in ("tokens", "queries"):
            assert meter.left(name) == (left(name) if name in limits else None)
            assert meter.spent.get(name, 0) == spent[name]


@given(st.lists(st.sampled_from(["calling", "waiting", "end", "end"]), max_size=14), st.booleans())
def test_time_stands_while_all_calls_of_a_request_wait(what: list[str], told: bool) -> None:
    meter, heard, inside = Meter(), list[bool](), list[tuple[str, Any]]()
    meter.clock = heard.append if told else None
    stood = [False]
    for each in what:
        if each != "end":
            inside.append((each, entered := getattr(meter, each)()))
            entered.__enter__()
        elif inside:
            inside.pop(len(inside) // 2)[1].__exit__(None, None, None)
        count = {name: sum(kind == name for kind, _ in inside) for name in ("calling", "waiting")}
        stands = 0 < count["waiting"] >= count["calling"]
        if stands != stood[-1]:
            stood.append(stands)
    assert heard == (stood[1:] if told else [])


@given(LIMITS, st.dictionaries(st.sampled_from(["reads", "calls", "seconds"]), st.floats(0, 5) | st.integers(0, 5)), st.integers(1, 4), st.data())  # fmt: skip
def test_shares_are_equal_and_together_no_more_than_what_was_left(
    limits: Any, used: Any, parts: int, data: Any
) -> None:
    account = Account({**limits, "seconds": 7.5})
    for measure, amount in used.items():
        with suppress(moot.BudgetExceeded):
            account.charge(measure, amount)
    before = {measure: account.left(measure) for measure in account.limits}
    shares = account.split(parts)
    assert len(shares) == parts
    for share in shares:
        assert share.limits == shares[0].limits and share.used == {}
        for measure, left in before.items():
            if measure in PER_CALL.values():
                assert share.limits[measure] == left  # of a single call, whoever makes it
            elif isinstance(left, int):
                assert share.limits[measure] == left // parts
            else:
                assert share.limits[measure] * parts == pytest.approx(left)
    spent = dict.fromkeys(before, 0.0)
    for share in shares:
        for measure, limit in share.limits.items():
            if measure not in PER_CALL.values():
                share.charge(measure, amount := min(limit, data.draw(AMOUNTS)) if "reads_per_call" not in limits else 0)
                spent[measure] += amount
    was = dict(account.used)
    account.join(shares)
    for measure in before:
        assert account.used.get(measure, 0) == pytest.approx(was.get(measure, 0) + spent[measure])


# -- plays inside others -------------------------------------------------------------------------------------------------


class Ends(Protocol):
    """Ends as it is told, after one answer of its seat."""

    how: str

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"solver": "solver"}

    async def play(self, floor: Floor, question: moot.Question) -> Any:
        await floor.ask("solver", moot.Speech)
        made: dict[str, moot.Outcome] = {
            "forfeited": moot.Forfeited(seat="solver", rule="no way on"),
            "exhausted": moot.Exhausted(seat="solver", measure="reads", used=3, limit=2),
            "unreadable": moot.Unreadable(step="0.0", seat="solver", reason="what is this"),
            "errored": moot.Errored(step="0.0", cause="it broke"),
            "decided": moot.Decided(FAIR),
        }
        return made[self.how]


@pytest.mark.parametrize("how", ["forfeited", "exhausted", "unreadable", "errored", "decided"])
def test_however_a_play_inside_ends_the_outer_one_goes_on_after_a_decision_only(how: str) -> None:
    async def outer(floor: Floor) -> None:
        async def inside() -> None:
            await floor.play(Ends(how=how), QUESTION, {"solver": "b"})

        await floor.parallel(inside(), floor.ask("a", moot.Speech))
        await floor.ask("a", moot.Speech)

    game = game_of(outer)
    game.answer("0.0.0.0", SAY)
    if how == "decided":
        assert game.outcome is None and list(game.open) == ["0.1.0"]
        return
    assert not game.open and game.outcome is not None and game.outcome.kind == how
    assert getattr(game.outcome, "seat", "b") == "b", "by the name of the seat in the outer play"
    with pytest.raises(moot.ProtocolError, match=r"step 0\.1\.0 is not open; open: none"):
        game.answer("0.1.0", SAY)


@pytest.mark.parametrize("how", ["reject", "exhaust", "fail", "unreadable"])
def test_what_befalls_a_seat_inside_ends_the_outer_play(how: str) -> None:
    async def outer(floor: Floor) -> None:
        await floor.play(Ends(how="decided"), QUESTION, {"solver": "b"})
        await floor.ask("a", moot.Speech)

    game = game_of(outer, bounds={"b": {"calls": 1 if how != "exhaust" else 0}})
    if how == "reject":
        game = game_of(outer)
        assert not game.answer("0.0", {}) and not game.answer("0.0", {})
        assert isinstance(game.outcome, moot.Forfeited) and game.outcome.seat == "b"
    elif how == "exhaust":
        assert not game.answer("0.0", SAY)
        assert game.outcome == moot.Exhausted(seat="b", measure="calls", used=1, limit=0, step="0.0")
    elif how == "fail":
        game.fail("0.0", "the line is dead")
        assert game.outcome == moot.Errored(step="0.0", cause="the line is dead")
    else:
        game.unreadable("0.0", "no move in it")
        assert game.outcome == moot.Unreadable(step="0.0", seat="b", reason="no move in it")
    assert not game.open
    first = game.outcome
    game.end(moot.Decided(FAIR))
    assert game.outcome is first, "the first end is the outcome"


# -- seats, coins, asides ------------------------------------------------------------------------------------------------

NAMED = st.text("abcXYZ019_.-", min_size=1, max_size=64)
ODD = st.text(min_size=1, max_size=3).filter(lambda name: not name.isascii() or not name.replace("_", "").replace(".", "").replace("-", "").isalnum()).filter(lambda name: name.strip("_.-") != "")  # fmt: skip


@given(NAMED | ODD | st.integers(65, 70).map("s".__mul__) | st.just("") | NAMED.map("{}\n".format))
def test_seats_are_named_by_letters_digits_and_three_signs(name: str) -> None:
    class Named(Scripted):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"a": "debater", name: "judge"}

    good = 1 <= len(name) <= 64 and all(char.isascii() and (char.isalnum() or char in "_.-") for char in name)
    with nullcontext() if good else pytest.raises(moot.ProtocolError, match="letters, digits, _ . - only, at most 64"):
        moot.Game(Named(), QUESTION).close()


def test_coins_are_on_the_record_with_what_they_were_weighed_by() -> None:
    async def tosses(floor: Floor) -> None:
        await floor.flip(0.25)
        await floor.draw(1, 2, 5)
        await floor.uniform()

    values = {(0.75, 0.25): 1, (1, 2, 5): 2, None: 0.5}
    events = recorded(tosses, chance=lambda step, weights: values[weights])
    assert [{**event, "meta": None} for event in events] == [
        {"event": "flipped", "step": str(step), "weights": weights, "value": value, "meta": None}
        for step, (weights, value) in enumerate(values.items())
    ]


def test_after_branches_the_latest_step_is_that_of_the_last_branch() -> None:
    steps: list[str] = []

    async def outer(floor: Floor) -> None:
        async def speaks(times: int) -> None:
            for _ in range(times):
                await floor.ask("a", moot.Speech)

        await floor.parallel(speaks(2), speaks(1), speaks(3))
        steps.append(floor.step)
        await floor.parallel(speaks(1), speaks(0))
        steps.append(floor.step)
        await floor.parallel()
        steps.append(floor.step)

    game = game_of(outer)
    while game.outcome is None and len(steps) < 3:
        game.answer(next(iter(game.open)), SAY)
    assert steps == ["0.2.2", "0.2.2", "0.2.2"]


@pytest.mark.parametrize(("answers", "after"), [(0, "none"), (1, "0"), (2, "1")])
def test_what_is_awaited_after_the_end_is_said_with_the_step_before_it(answers: int, after: str) -> None:
    async def outer(floor: Floor) -> None:
        try:
            for _ in range(3):
                await floor.ask("a", moot.Speech)
        finally:
            await floor.flip()

    game = game_of(outer)
    for step in range(answers):
        game.answer(str(step), SAY)
    with pytest.raises(moot.ProtocolError, match=f"after the play has ended .*after step {after}"):
        game.fail(str(answers), "gone")


def test_a_request_hands_notes_on_and_says_who_is_asked_and_why() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("b", moot.Speech)

    notes: list[Any] = []
    game = game_of(asks, seed=5)
    game.answer("0", {"kind": "speech"})
    request = game.request("0", notes.append)
    request.note({"event": "attempted"})
    game.request("0").note({"event": "lost"})
    assert notes == [{"event": "attempted"}]
    assert (request.seat, request.role, request.step, request.attempt) == ("b", "debater", "0", 1)
    assert "text" in str(request.problem) and request.seed == game_of(asks, seed=5).request("0").seed
    assert request.seed != game_of(asks, seed=6).request("0").seed
    with pytest.raises(AttributeError, match="'Request' object has no attribute 'sead'"):
        request.sead  # type: ignore[attr-defined]  # noqa: B018


@pytest.mark.parametrize("bounded", [True, False])
@pytest.mark.parametrize("reads", [None, 0, 3])
def test_what_was_read_before_a_failure_is_told_of_a_bounded_seat_and_noted_of_others(
    bounded: bool, reads: int | None
) -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("a", moot.Speech)

    found: list[dict[str, Any]] = []

    class Keeps(EventLog):
        def event(self, name: str, fields: Any, meta: Any = None) -> None:
            found.append({"event": name, **fields, "meta": meta})

    game = game_of(asks, recorder=Keeps(lambda line: None), bounds={"a": {"reads": 9}} if bounded else None)
    outcome = moot.Errored(step="0", cause="gone")
    game.end(outcome, failed="0", **({} if reads is None else {"reads": reads}))
    failed, ended = found
    told = {"event": "failed", "step": "0", "seat": "a", "outcome": outcome.model_dump(mode="json")}
    if bounded:
        assert failed == {**told, "meta": None} | ({"reads": reads} if reads else {})
    else:
        assert failed == {**told, "meta": {"reads": reads or 0}}
    assert ended == {"event": "ended", "outcome": told["outcome"], "meta": None}


# -- what little there is in a move, and what a seat holds of its meter ------------------------------------------------


@pytest.mark.parametrize(
    ("values", "fits"),
    [
        ((), True), (("x" * 63,), True), (("x" * 64,), False), (("x" * 60, None), False), (("x" * 55, True), True),
        (("x" * 56, 7), False), (("x" * 55, -7), True), ((10**8 - 1, 1 - 10**8), True), ((10**8,), False),
        ((-(10**8),), False), ((0.5, 1.5), True), ((0.5, 1.5, 2.5), False), (((1, 2),), False), (([],), False),
        ((*[None] * 7,), True), ((*[None] * 8,), False),
    ],
)  # fmt: skip
def test_what_little_fits_a_cell(values: tuple[Any, ...], fits: bool) -> None:
    assert short(values) is fits


@pytest.mark.parametrize("amount", [-1, -0.1, math.inf, math.nan, -math.inf])
def test_what_is_no_amount_is_not_charged(amount: float) -> None:
    account = Account({"tokens": 10**9})
    for charge in (account.check, account.charge):
        with pytest.raises(moot.UsageError, match="cannot be charged: give a number of at least 0"):
            charge("tokens", amount)
    assert account.used == {}


def test_the_first_limit_that_was_refused_is_kept() -> None:
    meter = Meter(Account({"reads": 3, "tokens": 5}))
    budget = Budget(meter)
    assert budget.refused is None and budget.bounded and not Budget().bounded
    for _ in range(2):
        with pytest.raises(moot.BudgetExceeded):
            meter.read(4)
    with pytest.raises(moot.BudgetExceeded):
        budget.charge("tokens", 6)
    assert budget.refused is not None and budget.refused.measure == "reads" and meter.reads == 0
    unbounded = Meter()
    unbounded.read(7)
    assert unbounded.reads == 7 and unbounded.refused is None


def test_a_budget_shows_what_was_spent_and_what_is_held() -> None:
    budget = Budget(Meter(Account({"tokens": 50})))
    budget.charge("tokens", 3)
    budget.hold("tokens", 40)
    assert (dict(budget.spent), dict(budget.held), budget.left("tokens")) == ({"tokens": 3}, {"tokens": 40}, 7)
    for held in (-1, 1.5, True, "4"):
        with pytest.raises(moot.UsageError, match="whole number"):
            budget.settle("tokens", held, 1)  # type: ignore[arg-type]
    with pytest.raises(moot.UsageError, match="41 tokens are to be settled, and 40 are held"):
        budget.settle("tokens", 41, 1)
    budget.settle("tokens", 40, 2)
    assert (dict(budget.spent), dict(budget.held)) == ({"tokens": 5}, {"tokens": 0})


def test_a_budgets_clock_stands_while_all_its_calls_wait() -> None:
    meter, stood = Meter(), list[bool]()
    meter.clock = stood.append
    budget = Budget(meter)
    with budget.calling(), budget.calling():
        with budget.waiting():
            assert stood == []
            with budget.waiting():
                assert stood == [True]
        assert stood == [True, False]


def test_what_is_reported_of_a_request() -> None:
    meter = Meter(Account({"tokens": 100}))
    with pytest.raises(moot.UsageError, match=r"no 'tokes'; .*tokens"):
        meter.reserve("tokes", 1)
    with pytest.raises(moot.UsageError, match="the engine counts reads"):
        meter.reserve("reads", 1)
    meter.settle("tokens", 0, 5)
    assert meter.spent == {"tokens": 5} and meter.held == {}
    meter.closed = True
    with pytest.raises(moot.UsageError, match="no tokens are spent on it any more"):
        meter.charge("tokens", 1)
    assert meter.spent == {"tokens": 5}


@given(LIMITS, st.lists(st.integers(-1, 6), max_size=8))
def test_an_answered_call_is_a_call_and_what_was_read(limits: dict[str, int], reads: list[int]) -> None:
    """`answered` against the two charges that it stands for, refusals and all that is counted included."""
    one, two = Account(limits), Account(limits)

    def both(amount: int) -> None:
        two.charge("calls", 1)
        two.charge("reads", amount)

    for amount in reads:
        said = []
        for charge in (one.answered, both):
            try:
                charge(amount)
                said.append("")
            except (moot.BudgetExceeded, moot.UsageError) as error:
                said.append(str(error))
        assert said[0] == said[1]
        assert (one.used.get("calls", 0), one.used.get("reads", 0), one.most) == (
            two.used.get("calls", 0), two.used.get("reads", 0), two.most,
        )  # fmt: skip


@given(LIMITS, st.lists(st.integers(0, 6), max_size=6), st.lists(st.integers(0, 6), max_size=6))
def test_a_meter_reads_what_its_account_allows_until_it_is_closed(
    limits: dict[str, int], before: list[int], amounts: list[int]
) -> None:
    account = Account(limits)
    for amount in before:
        with suppress(moot.BudgetExceeded):
            account.charge("reads", amount)
    meter, read = Meter(account), 0
    for amount in amounts:
        left = [
            limits[each] - (account.used.get("reads", 0) if each == "reads" else 0)
            for each in ("reads", "reads_per_call")
            if each in limits
        ]
        refused = any(read + amount > each for each in left)
        with pytest.raises(moot.BudgetExceeded) if refused else nullcontext():
            meter.read(amount)
        read += 0 if refused else amount
        assert meter.reads == read and (meter.refused is not None) >= refused
    meter.close()
    for amount in (0, 1):
        with pytest.raises(moot.UsageError, match="can be read no more"):
            meter.read(amount)
    assert meter.reads == read


def test_a_look_that_was_kept_shows_nothing_more_once_the_request_is_answered() -> None:
    async def script(floor: Floor) -> moot.Decided:
        await floor.ask("a", moot.Speech, view=floor.said(source="metered"))
        await floor.ask("a", moot.Speech, view=floor.said(source="metered"))
        return moot.Decided(FAIR)

    question = QUESTION.model_copy(update={"data": {"cells": [7, 8]}})
    game = moot.Game(scripted(script), question, bounds={"a": {"reads": 3}}).start()
    request = game.request("0")
    look = request.view.look
    assert look("cells", 1) == 8 and request.view.look("cells", 0) == 7 and request.budget.reads == 2
    with pytest.raises(moot.BudgetExceeded):
        look("cells")
    assert request.budget.reads == 2 and request.budget.refused is not None
    assert game.answer("0", SAY, reads=2)
    for again in (look, request.view.look):
        with pytest.raises(moot.UsageError, match="can be read no more"):
            again("cells", 0)
    assert game.request("1").view.look("cells", 0) == 7
