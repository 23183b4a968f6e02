"""What a hostile seat tries against the accounting: each attempt fails, or changes nothing for anybody."""

from __future__ import annotations

import copy
import json
import math
import pickle
import time
from typing import Any, ClassVar, Literal

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

import moot
from moot.agents.base import act_of
from moot.protocols.amplification.moves import Reply, Subquestions
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import Account, Budget, Meter, dealt
from moot.protocols.engine.errors import ProtocolError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.replies import typed
from moot.protocols.engine.values.frozen import FrozenDict, FrozenList, frozen
from moot.protocols.engine.view import NOTHING, Shown, View
from moot.protocols.trees.bisection import Split
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import task_named

QUESTION = moot.Question("Who?", ("x", "y"), passage="p " * 50, size=5)
EVEN = moot.Verdict(probabilities=(0.5, 0.5))
LONG = "z" * 5000


def say(request: moot.Request) -> Move:
    return moot.Speech(text="so")


def reads_all(request: moot.Request) -> Move:
    for entry in request.view:
        assert entry.move
    return EVEN


def debate(a: Any, judge: Any, question: Any = QUESTION, b: Any = say, **params: Any) -> moot.Transcript:
    return moot.run(moot.Debate(rounds=1, **params), question, {"a": a, "b": b, "judge": judge})


# -- moves ----------------------------------------------------------------------------------------------------------------


class Free(moot.Speech):
    kind: Literal["free-speech"] = "free-speech"  # type: ignore[assignment]

    def cost(self, unit: str) -> int:
        return 0

    def reading(self) -> int:
        return -(10**6)

    def content(self) -> str:
        return ""

    def cells(self) -> int:
        return 0


class Tagged(moot.Speech):
    kind: Literal["tagged"] = "tagged"  # type: ignore[assignment]
    tag: str = "t"


def patched() -> Any:
    speech = moot.Speech(text=LONG)
    object.__setattr__(speech, "__class__", Free)
    return speech


def overridden() -> Any:
    speech = moot.Speech(text=LONG)
    object.__setattr__(speech, "cost", lambda unit: 0)
    return speech


class Feigned:
    """An object that says of itself that it is a Speech."""

    __class__ = moot.Speech  # type: ignore[assignment]
    text = LONG

    def cost(self, unit: str) -> int:
        return 0


class Short(str):
    def __len__(self) -> int:
        return 0


FORGED = [
    lambda: Free(text=LONG),
    patched,
    lambda: moot.Speech(text=Short(LONG)),
    lambda: Free.model_construct(text=Short(LONG)),
]


@pytest.mark.parametrize("made", FORGED)
def test_no_reply_says_itself_what_reading_it_costs(made: Any) -> None:
    t = debate(lambda request: made(), moot.Bounded(reads_all, reads=100))
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.used >= len(LONG) and not t.guarantee.holds
    assert next(t.steps()).move == {"kind": "speech", "text": LONG, "quotes": []}
    assert moot.replay(t).digest == t.digest


@pytest.mark.parametrize("made", [overridden, Feigned, lambda: Tagged(text="so")])
def test_what_is_more_or_other_than_the_kind_asked_for_is_refused_in_words(made: Any) -> None:
    t = debate(lambda request: made(), reads_all)
    assert isinstance(t.outcome, moot.Forfeited) and t.outcome.seat == "a"
    assert moot.replay(t).digest == t.digest
    if isinstance(made(), Tagged):
        assert t.outcome.rule == "not a Speech: tag: Extra inputs are not permitted"
        with pytest.raises(moot.Illegal, match="has no field 'tag': give a Speech, and what the transcript is to keep"):
            typed(made(), (moot.Speech,))


class Priced(Move, argues=True):
    price: ClassVar[Any] = 0
    kind: Literal["priced"] = "priced"
    text: str = "so"

    def cost(self, unit: str) -> Any:
        return self.price


class Pricing(Protocol):
    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        await floor.ask("a", Priced)
        return Decided(await floor.ask("judge", moot.Verdict))


@pytest.mark.parametrize("price", [-1, 1.5, math.nan, True, None, "3"])
def test_a_cost_that_cannot_be_charged_is_the_protocols_fault(price: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Priced, "price", price)
    with pytest.raises(ProtocolError, match="reading a Priced costs"):
        moot.run(Pricing(), QUESTION, {"a": lambda request: Priced(), "judge": reads_all})


class Listing(Move, argues=True):
    kind: Literal["listing"] = "listing"
    items: list[str] = []
    table: dict[str, Any] = {}
    nested: tuple[list[int], ...] = ()
    anything: Any = None


class Listings(Pricing):
    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        await floor.ask("a", Listing)
        return Decided(await floor.ask("judge", moot.Verdict))


def test_nobody_changes_a_move_that_stands() -> None:
    given = Listing(items=["x"], table={"k": [1]}, nested=([1],), anything={"deep": [[1]]})

    def judge(request: moot.Request) -> Move:
        given.items.append("later")  # who gave it
        move: Any = request.view[0].move
        for change in (
            lambda: move.items.append("y"), lambda: move.table.update(k=2), lambda: move.table["k"].append(2),
            lambda: move.nested[0].append(2), lambda: move.anything["deep"][0].clear(), lambda: setattr(move, "items", []),
        ):  # fmt: skip
            with pytest.raises((TypeError, ValueError)):
                change()
        assert move == Listing(items=["x"], table={"k": [1]}, nested=([1],), anything={"deep": [[1]]})
        return EVEN

    t = moot.run(Listings(), QUESTION, {"a": lambda request: given, "judge": judge})
    assert isinstance(t.outcome, moot.Decided), t.outcome
    assert moot.replay(t, protocol=Listings()).digest == t.digest


def test_a_move_that_could_be_changed_is_refused_where_it_is_defined() -> None:
    class Loose(BaseModel):
        x: int = 0

    class Fast(BaseModel):
        model_config = ConfigDict(frozen=True)
        x: int = 0

    with pytest.raises(ProtocolError, match="holds a Loose, which can be changed"):
        type("Bad", (Move,), {"kind": "bad-1", "__annotations__": {"kind": Literal["bad-1"], "x": list[Loose]}})
    with pytest.raises(ProtocolError, match="is a set"):
        type("Bad", (Move,), {"kind": "bad-2", "__annotations__": {"kind": Literal["bad-2"], "x": set[int]}})
    good: Any = type(
        "Good", (Move,), {"kind": "good-1", "__annotations__": {"kind": Literal["good-1"], "x": tuple[Fast, ...]}}
    )
    assert good.frozen_fields == ()


# -- data and brief -------------------------------------------------------------------------------------------------------

JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=50, deadline=None)
@given(JSON)
def test_frozen_values_read_as_ever_and_cannot_be_written(value: Any) -> None:
    made = frozen(value)
    assert made == value and json.dumps(made) == json.dumps(value) and repr(made) == repr(value)
    for same in (copy.deepcopy(made), pickle.loads(pickle.dumps(made)), moot.Question("q", data=value).data):
        assert same == value
    assert type(copy.deepcopy(made)) is type(value), "a copy is for whoever made it to change"
    if isinstance(made, list):
        assert isinstance(made, FrozenList)
        for change in (
            lambda: made.append(1), lambda: made.extend([1]), lambda: made.insert(0, 1), lambda: made.sort(), made.clear,
            lambda: made.__setitem__(slice(0, 0), [1]), lambda: made.__iadd__([1]), lambda: made.__imul__(2), made.pop,
            made.reverse, lambda: made.remove(1), lambda: made.__delitem__(slice(None)),
        ):  # fmt: skip
            with pytest.raises(TypeError, match="change a copy"):
                change()  # type: ignore[no-untyped-call]
    elif isinstance(made, dict):
        assert isinstance(made, FrozenDict)
        for change in (
            lambda: made.update(x=1), lambda: made.setdefault("x", 1), lambda: made.pop("x", 1), made.popitem, made.clear,
            lambda: made.__setitem__("x", 1), lambda: made.__delitem__("x"), lambda: made.__ior__({"x": 1}),
        ):  # fmt: skip
            with pytest.raises(TypeError, match="change a copy"):
                change()
    assert made == value


def spoils(data: list[int], how: str, by: int) -> None:
    """Change the first cell, in the open or past the class of the list."""
    try:
        if how == "open":
            data[0] += by
        else:
            list.__setitem__(data, 0, data[0] + by)
    except TypeError:
        pass


@pytest.mark.parametrize("how", ["open", "past"])
def test_a_debater_that_changes_its_cell_first_wins_no_bisection_that_it_would_not_win(how: str) -> None:
    for seed in range(6):
        sample = Sum().sample(8, seed=seed)
        protocol, seats = task_named("sum").staged("bisection", sample)
        true = sample.unseal()
        assert true is not None
        liar, lie = "ab"[1 - true], 1 - true
        by = int(sample.question.choices[lie]) - int(sample.question.choices[true])
        inner, done = seats[liar], list[int]()

        def act(request: moot.Request, inner: Any = inner, done: Any = done, by: int = by) -> Any:
            data: Any = request.view.question.data
            if data is not None and not done:
                done.append(1)
                spoils(data, how, by)
            return inner.act(request)

        before = list(sample.question.data)  # type: ignore[arg-type]
        t = moot.run(protocol, sample, {**seats, liar: act})
        assert isinstance(t.outcome, moot.Decided) and done
        assert t.outcome.verdict.probabilities[true] == 1.0 and t.guarantee.holds
        assert sample.question.data == before == t.question.data and moot.replay(t).digest == t.digest


def test_in_a_search_too_a_seat_that_changes_its_cell_changes_nothing() -> None:
    sample = Sum().sample(2, seed=1)
    protocol, seats = task_named("sum").staged("bisection", sample)

    def spoilt(request: moot.Request) -> Any:
        data: Any = request.view.question.data
        spoils(data, "past", 5)
        return act_of(seats["b"])(request)

    total = int(sample.question.choices[0])
    moves = {"a": lambda request: [Split(left=x, right=total - x) for x in range(-20, 40)]}
    found = [
        moot.solve(protocol, sample.question, moves=moves, seats={"judge": seats["judge"], "b": each})
        for each in (seats["b"], spoilt)
    ]  # fmt: skip
    assert found[0].value == found[1].value and sample.question.data == Sum().sample(2, seed=1).question.data


def test_a_caller_and_a_play_share_nothing() -> None:
    data = {"cells": [1, 2, 3]}
    question = moot.Question("q", ("x", "y"), data=data)
    data["cells"].append(4)
    assert question.data == {"cells": [1, 2, 3]}
    with pytest.raises(TypeError, match="cannot be changed"):
        question.data["cells"].append(5)  # type: ignore[union-attr]
    seen = []

    def a(request: moot.Request) -> Move:
        list.append(question.data["cells"], 6)  # type: ignore[index,arg-type,call-overload]
        list.append(request.view.question.data["cells"], 7)  # type: ignore[index,arg-type,call-overload]
        return moot.Speech(text="so")

    def b(request: moot.Request) -> Move:
        seen.append(request.view.question.data)
        return moot.Speech(text="so")

    t = debate(a, reads_all, question, b, order="sequential")
    assert seen == [{"cells": [1, 2, 3]}] and t.question.data == {"cells": [1, 2, 3]}


class Briefing(Pricing):
    most_repairs = 2

    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        kept: dict[str, Any] = {"names": ["a"], "deep": {"x": [1]}}
        for _ in range(2):
            await floor.ask("a", moot.Speech, task="speech", one_of={"text": ["so"]}, details=kept, repairs=2)
        return Decided(await floor.ask("judge", moot.Verdict))


def test_a_brief_is_one_seats_own() -> None:
    briefs = []

    def a(request: moot.Request) -> Any:
        brief: Any = request.brief
        briefs.append(json.dumps(brief))
        for change in (
            lambda: brief.update(task="x"), lambda: brief["details"].update(x=1), lambda: brief["one_of"]["text"].append("y"),
            lambda: brief["details"]["deep"]["x"].clear(),
        ):  # fmt: skip
            with pytest.raises(TypeError, match="cannot be changed"):
                change()  # type: ignore[no-untyped-call]
        list.append(brief["details"]["names"], "forged")
        dict.__setitem__(brief, "task", "forged")
        request.step, request.seat, request.digest = "9", "judge", "forged"
        return moot.Speech(text="so") if request.attempt else "nothing"

    t = moot.run(Briefing(), QUESTION, {"a": a, "judge": reads_all})
    assert isinstance(t.outcome, moot.Decided) and len(set(briefs)) == 1 and len(briefs) == 4
    assert moot.replay(t, protocol=Briefing()).digest == t.digest


class Telling(Pricing):
    """Two seats that are asked at the same time, of whom the script keeps one list."""

    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        said: list[str] = []

        async def speak(seat: str) -> None:
            move = await floor.ask(seat, moot.Speech, details={"said": said})
            said.append(move.text)

        await floor.parallel(speak("a"), speak("judge"), seats=("a", "judge"))
        await speak("judge")
        return Decided(await floor.ask("judge", moot.Verdict))


@pytest.mark.parametrize("waits", [False, True])
def test_a_brief_is_that_of_the_ask_whenever_it_is_read(waits: bool) -> None:
    """Not what the script has learned since: of who was asked at the same time, or after the answer."""
    kept: list[moot.Request] = []

    async def late(request: moot.Request) -> Move:
        await anyio.sleep(0.01)
        return judge(request)

    def judge(request: moot.Request) -> Move:
        if moot.Verdict in request.kinds:
            return EVEN
        kept.append(request)
        assert len(kept) == 3 or request.brief["details"]["said"] == []
        return moot.Speech(text="I see")

    def a(request: moot.Request) -> Move:
        kept.append(request)
        return moot.Speech(text="secret")

    t = moot.run(Telling(), QUESTION, {"a": a, "judge": late if waits else judge})
    assert isinstance(t.outcome, moot.Decided) and len(kept) == 3
    assert [each.brief["details"]["said"] for each in kept] == [[], [], ["secret", "I see"]]


def test_what_a_request_can_be_asked_leads_nowhere_by_name() -> None:
    """Who could name another step, or seat, would note in its name."""

    def a(request: moot.Request) -> Move:
        asked = (request.note, request.later, request.view.look, request.budget.calling)
        assert [name for each in asked for name in dir(each) if not name.startswith("_")] == []
        request.note({"event": "thought"})
        return moot.Speech(text="so")

    t = moot.run(Briefing(), QUESTION, {"a": a, "judge": reads_all})
    assert isinstance(t.outcome, moot.Decided)


# -- meters ---------------------------------------------------------------------------------------------------------------


def forges(request: moot.Request) -> list[str]:
    """Everything that reads for nothing or writes to a meter without a name that begins with an underscore. Returns what
    came of it that should not."""
    view, budget, got = request.view, request.budget, list[str]()
    attempts: dict[str, Any] = {
        "metered": lambda: view.metered(Meter())[0],  # type: ignore[attr-defined]
        "shown again": lambda: Shown(view, Meter())[0],
        "the source": lambda: view.excerpt(0, 9),
        "then": lambda: view.then()[0],
        "then with a question": lambda: view.then(asking=moot.Question("mine"))[0],
        "hidden": lambda: view.then(hide=True)[0],
        "iterated": lambda: next(iter(view)),
        "by step": lambda: view.at("0.0.0"),
        "sliced": lambda: view[0:1],
        "reversed": lambda: next(reversed(view)),
        "contained": lambda: moot.Speech(text=LONG) in [entry.move for entry in view],
        "reads": lambda: setattr(budget, "reads", 0),
        "spent": lambda: setattr(budget, "spent", {}),
        "spent within": lambda: budget.spent.update(tokens=-1),  # type: ignore[attr-defined]
        "account": lambda: budget.account.limits.clear(),  # type: ignore[attr-defined]
        "charged": lambda: budget.charge("reads", -5),
        "settled": lambda: budget.settle("tokens", -(10**6), 0),
        "never held": lambda: budget.settle("tokens", 40, 40),
        "below 0": lambda: budget.charge("tokens", -5),
        "no number": lambda: budget.charge("tokens", math.nan),  # type: ignore[arg-type]
        "a half": lambda: budget.hold("tokens", 0.5),  # type: ignore[arg-type]
        "calls": lambda: budget.charge("calls", -1),
        "seconds": lambda: budget.charge("seconds", -1),
        "other": lambda: budget.charge("reeds", 1),
    }
    for name, attempt in attempts.items():
        try:
            attempt()
            got.append(name)
        except Exception:
            pass
    return got


def test_nothing_is_read_without_being_charged_and_no_meter_is_written() -> None:
    got: list[str] = []

    def judge(request: moot.Request) -> Move:
        got.extend(forges(request))
        request.budget = Budget()  # a budget of one's own changes nothing
        return EVEN

    t = debate(lambda request: moot.Speech(text=LONG), moot.Bounded(judge, reads=0, tokens=50))
    assert got == [] and isinstance(t.outcome, moot.Decided) and t.ledger.seats["judge"].reads == 0


def test_no_attribute_without_an_underscore_leads_to_the_source_the_statements_or_the_account() -> None:
    seen: set[int] = set()
    found: list[str] = []

    def walk(value: Any, path: str, depth: int) -> None:
        if id(value) in seen or depth > 4 or isinstance(value, (int, float, type(None), type)):
            return
        seen.add(id(value))
        if isinstance(value, (Account, Meter)) or (isinstance(value, str) and (LONG in value or "p p" in value)):
            found.append(path)
        if isinstance(value, (str, bytes)):
            return
        for name in dir(value):
            if not name.startswith(("_", "model_")):
                try:
                    inner = getattr(value, name)
                except Exception:
                    continue
                walk(inner, f"{path}.{name}", depth + 1)

    def judge(request: moot.Request) -> Move:
        walk(request, "request", 0)
        return EVEN

    debate(lambda request: moot.Speech(text=LONG), moot.Bounded(judge, reads=0))
    assert found == []


class Twice(Pricing):
    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        await floor.ask("a", moot.Speech)
        await floor.ask("judge", moot.Verdict)
        return Decided(await floor.ask("judge", moot.Verdict))


def test_what_an_earlier_request_showed_cannot_be_read_on_a_later_one() -> None:
    kept: list[Any] = []

    def judge(request: moot.Request) -> Move:
        for view in kept:
            with pytest.raises(moot.UsageError, match="has been answered"):
                view[0]
        kept.append(request.view)
        return EVEN

    t = moot.run(Twice(), QUESTION, {"a": say, "judge": moot.Bounded(judge, reads=100)})
    assert len(kept) == 2 and isinstance(t.outcome, moot.Decided), t.outcome


def test_an_agent_that_answers_at_once_pays_what_it_reports() -> None:
    def judge(request: moot.Request) -> Move:
        request.budget.charge("tokens", 7)
        return EVEN

    t = debate(say, moot.Bounded(judge, tokens=10))
    assert [event["meta"] for event in t.events() if event["event"] == "moved"][-1]["spent"] == {"tokens": 7}
    assert isinstance(debate(say, moot.Bounded(judge, tokens=6)).outcome, moot.Exhausted)


# -- questions ------------------------------------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2000), st.sampled_from(["characters", "cells", "bits"]))
def test_a_question_that_is_not_the_plays_own_is_paid_for_when_it_is_opened(length: int, unit: str) -> None:
    question, meter = moot.Question("own?", ("x", "y"), unit=unit), Meter()
    other = question.model_copy(update={"text": "q" * length + "?"})
    view = Shown(View(other, NOTHING), meter, frozenset((question.text, *question.choices)))
    assert meter.reads == 0 and view.question == other and view.question == other
    over = max(0, length + 1 - 128)
    assert meter.reads == (over if unit == "characters" else math.ceil(over / 64))
    Shown(View(question, NOTHING), own := Meter(), frozenset((question.text, *question.choices))).question  # noqa: B018
    assert own.reads == 0


@pytest.mark.parametrize("smuggled", ["question", "answer"])
def test_nothing_long_is_smuggled_to_an_overseer_for_nothing(smuggled: str) -> None:
    def overseer(request: moot.Request) -> Move:
        view = request.view
        if view.question.choices and not len(view):
            return Subquestions(questions=("0 1 " + "x" * 19_000 if smuggled == "question" else "0 1",))
        if not view.question.choices:
            return Reply(answer="3" if smuggled == "question" else "x" * 20_000)
        assert [entry.move for entry in view]
        return Reply(answer="?")

    sample = Sum().sample(4)
    bounded = moot.Bounded(overseer, reads_per_call=Sum.reads)
    t = moot.run(moot.Amplification(depth=None), sample, {"overseer": bounded})
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.measure == "reads_per_call" and t.outcome.used > 290


# -- seconds --------------------------------------------------------------------------------------------------------------


async def blocks(request: moot.Request) -> Move:
    time.sleep(0.06)  # noqa: ASYNC251 (that is what is wrong with it)
    return EVEN


async def shields(request: moot.Request) -> Move:
    with anyio.CancelScope(shield=True):
        await anyio.sleep(0.06)
    return EVEN


async def swallows(request: moot.Request) -> Move:
    try:
        await anyio.sleep(0.06)
    except BaseException:
        time.sleep(0.06)  # noqa: ASYNC251
    return EVEN


def at_once(request: moot.Request) -> Move:
    time.sleep(0.06)
    return EVEN


def before_it_awaits(request: moot.Request) -> Any:
    time.sleep(0.06)

    async def reply() -> Move:
        return EVEN

    return reply()


@pytest.mark.parametrize("judge", [blocks, shields, swallows, at_once, before_it_awaits])
def test_whoever_takes_longer_than_its_bound_is_exhausted_with_what_it_took(judge: Any) -> None:
    t = debate(say, moot.Bounded(judge, seconds=0.02))
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.measure == "seconds", t.outcome
    assert t.outcome.limit == 0.02 and t.outcome.used >= 0.055 and moot.replay(t).digest == t.digest


# -- branches -------------------------------------------------------------------------------------------------------------


def spends(amount: int) -> Any:
    async def act(request: moot.Request) -> Move:
        request.budget.charge("tokens", amount)
        return moot.Speech(text="so")

    return act


@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_a_budget_is_not_halved_where_only_one_branch_asks_the_seat(order: str) -> None:
    t = debate(moot.Bounded(spends(30), tokens=50), reads_all, b=moot.Bounded(spends(50), tokens=50), order=order)
    assert isinstance(t.outcome, moot.Decided), t.outcome
    t = debate(moot.Bounded(spends(51), tokens=50), reads_all, order=order)
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.limit == 50


@given(st.dictionaries(st.sampled_from("abc"), st.integers(0, 99)), st.lists(st.none() | st.frozensets(st.sampled_from("abc")), min_size=1, max_size=4))  # fmt: skip
def test_an_account_is_dealt_out_among_the_branches_that_may_ask_its_seat(limits: Any, asking: Any) -> None:
    shares = dealt({seat: Account({"tokens": limit}) for seat, limit in limits.items()}, asking)
    for seat, limit in limits.items():
        among = [seats is None or seat in seats for seats in asking]
        assert [seat in share for share in shares] == among, "no branch has an account of a seat that it may not ask"
        if any(among):
            given = {share[seat].limits["tokens"] for share in shares if seat in share}
            assert given == {limit // sum(among)}


class Branching(Pricing):
    mode: str

    async def play(self, floor: Floor, question: moot.Question) -> Decided:
        async def speak(seat: str) -> None:
            await floor.ask(seat, moot.Speech)

        async def nest(seat: str) -> None:
            await floor.parallel(speak(seat), speak("judge"), seats=(seat, "judge"))

        match self.mode:
            case "other":
                await floor.parallel(speak("a"), speak("a"), seats=("a", "judge"))
            case "nested":
                await floor.parallel(nest("a"), seats=("a",))
            case "count":
                await floor.parallel(speak("a"), speak("a"), seats=("a",))
            case "unknown":
                await floor.parallel(speak("a"), seats=("nobody",))
            case "charge":
                await floor.parallel(floor.charge("judge", "queries"), speak("a"), seats=("a", "a"))
            case "under":
                await floor.ask("a", moot.Speech, under="7.3")
            case "fine":
                await floor.ask("a", moot.Speech, under="q")
                await floor.ask("a", moot.Speech, under=floor.step)
        return Decided(await floor.ask("judge", moot.Verdict))


@pytest.mark.parametrize(
    ("mode", "says"),
    [
        ("other", "asks or charges seat 'a' in a branch that does not name it"),
        ("nested", "asks or charges seat 'judge' in a branch that does not name it"),
        ("charge", "asks or charges seat 'judge' in a branch that does not name it"),
        ("count", "give seats for each branch"), ("unknown", "names seat 'nobody'"),
        ("under", "puts a move under step '7.3', at which nothing was said"), ("fine", ""),
    ],
)  # fmt: skip
def test_a_branch_asks_the_seats_that_it_names_and_a_move_stands_under_a_step_that_is(mode: str, says: str) -> None:
    def play() -> moot.Transcript:
        return moot.run(
            Branching(mode=mode), QUESTION, {"a": say, "judge": lambda r: EVEN if moot.Verdict in r.kinds else say(r)}
        )

    if says:
        with pytest.raises(ProtocolError, match=says):
            play()
    else:
        assert isinstance(play().outcome, moot.Decided)
