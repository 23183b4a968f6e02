"""A model looks at what its seat may look at: in every metered seat, charged as anybody, recorded, and within a limit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from looking_kit import (
    DATA,
    OVER,
    PASSAGE,
    PLAYED,
    SPOKEN,
    VERDICT,
    Looker,
    Said,
    judged,
    look,
    looking,
    noted,
    recorded,
    speech,
    staged,
    users,
)  # fmt: skip

import moot
from moot.agents.models.lm import LM
from moot.agents.tools.aids import Aids
from moot.agents.tools.looks import SHOWN, parsed
from moot.protocols.engine.budget import Account, Meter
from moot.protocols.engine.errors import BudgetExceeded, Illegal
from moot.protocols.engine.outcomes import Decided, Exhausted, Unreadable
from moot.protocols.engine.values.looking import LISTED, MOST, PLACES, outlined
from moot.protocols.engine.view import NOTHING, Shown, View
from moot.testing import MockOpenAI
from moot.testing.server.server import Reply

# -- in every seat -----------------------------------------------------------------------------------------------------


@contextmanager
def endpoint() -> Iterator[tuple[str, dict[int, Said]]]:
    own: dict[int, Said] = {}
    with MockOpenAI(looking(own)).serve() as url:
        yield url, own


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[str, dict[int, Said]]]:
    with endpoint() as found:
        yield found


@pytest.mark.parametrize("protocol", PLAYED)
def test_a_model_looks_in_every_metered_seat_and_the_ledger_charges_it(protocol: str, served: Any) -> None:
    url, own = served
    for made, sample, seats in staged(protocol):
        moves, steps, who = recorded(made, sample, seats)
        if steps:
            break
    model = Looker(LM("mock", base_url=url, api_key="k", show_whole=False), moves, own)
    play = moot.run(made, sample, {seat: model if seat in who else agent for seat, agent in seats.items()})
    assert isinstance(play.outcome, Decided), play.outcome
    looks = noted(play, "read")
    assert {event["step"] for event in looks} == steps != set()
    for event in looks:
        assert event["reads"] >= 1 and all("shown" in place for place in event["places"]), event
    paid = Counter(
        {event["step"]: event.get("reads") or event["meta"].get("reads", 0) for event in noted(play, "moved")}
    )
    told = Counter[str]()
    for event in looks:
        told[event["step"]] += event["reads"]
    assert all(paid[step] >= told[step] for step in steps)
    assert {step.step: step.move["kind"] for step in play.steps()} == {step: move.kind for step, move in moves.items()}
    assert moot.replay(play).digest == play.digest


# -- what a look shows and costs ---------------------------------------------------------------------------------------


def test_looks_are_answered_recorded_and_charged_and_the_prefix_stays() -> None:
    play, mock = judged([look("clauses 0", "variables"), look("clauses 1:3", find="canary"), VERDICT], bound="9999")
    assert isinstance(play.outcome, Decided)
    first, second = noted(play, "read")
    assert first["places"] == [{"at": "clauses 0", "shown": "[1, -2]"}, {"at": "variables", "shown": "3"}]
    assert first["reads"] == 3 and first["left"] == 7 and first["seat"] == "judge"
    found = [place["shown"] for place in second["places"] if "find" in place]
    assert second["places"][0] == {"at": "clauses 1:3", "shown": "1: [2, 3]\n2: [-1, 3]"} and len(found) == PLACES
    assert second["reads"] == 4 + 1 + sum(1 + len(text) for text in found)
    outline = outlined(DATA, PASSAGE)
    assert outline[0].splitlines()[:3] == [
        "the data: an object",
        "  clauses: a list of 120 lists of 2 each",
        "  variables: a number",
    ]
    reads = next(event["reads"] for event in noted(play, "moved") if event["seat"] == "judge")
    assert reads == SPOKEN + outline[1] + first["reads"] + second["reads"]
    bodies = [call.body["messages"] for call in mock.calls]
    assert [len(each) for each in bodies] == [2, 4, 6]
    assert bodies[1][:2] == bodies[0] and bodies[2][:4] == bodies[1]
    assert "an address in the data: clauses 0" in bodies[0][1]["content"]
    assert (
        '<seen at="clauses 0">&#91;1, -2]</seen>' in users(mock)[1]
        or '<seen at="clauses 0">[1, -2]</seen>' in users(mock)[1]
    )
    assert "<b>" not in users(mock)[2] and "&lt;b>loudly&lt;/b>" in users(mock)[2]


def test_what_was_seen_reaches_no_other_seat() -> None:
    told: list[str] = []

    def debater(request: moot.Request) -> moot.Speech:
        told.append(json.dumps(moot.prompt_for(request).messages()) + repr(request.view.opened()))
        return speech(request)

    class Between(moot.Protocol):
        """A judge is asked before and after a debater speaks."""

        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"a": "debater", "judge": "judge"}

        async def play(self, floor: moot.Floor, question: moot.Question) -> Decided:
            await floor.ask("judge", moot.Speech, view=floor.said(source="metered"))
            await floor.ask("a", moot.Speech, view=floor.said())
            verdict = await floor.ask("judge", moot.Verdict, view=floor.said(source="metered"))
            return Decided(verdict=verdict, payoffs={"a": 0.0})

    replies = [look("clauses 0", "xyzzy"), {"move": {"kind": "speech", "text": "well"}}, look(find="plugh"), VERDICT]
    mock = MockOpenAI(lambda body: replies.pop(0))
    lm = LM("mock", base_url="http://mock/v1", api_key="k", http_client=mock.http_client(), retries=0)
    play = moot.run(Between(), OVER, {"a": debater, "judge": lm})
    assert len(noted(play, "read")) == 2 and len(told) == 1 and "well" in told[0], play.outcome
    assert not any(text in told[0] for text in ("xyzzy", "plugh", "<seen", "clauses"))
    assert (
        "clauses" not in str(mock.calls[2].body["messages"][1]["content"]).partition("<source>")[0]
    )  # nor its own next turn


@pytest.mark.parametrize(("at", "problem"), [
    ("999", "there is no cell 999 in the data"), ("clauses 120", "there is no cell clauses.120 in the data"),
    ("clauses 130:140", "there is no cell clauses.130 in the data"), ("nowhere", "there is no cell nowhere"),
    ("passage 99999:99999999", "the passage has no characters passage 99999:99999999"), ("", "'' is no address"),
    ("clauses 5:2", "holds nothing"), ("x" * 2000, "an address has at most 1000 characters"), ("[[[", "is no address"),
    ("clauses 0 0 0", "there is no cell clauses.0.0.0"), ({"a": 1}, 'there is no cell {.a.:.1} in the data'),
])  # fmt: skip
def test_a_look_at_nothing_is_told_what_is_wrong_and_counts(at: Any, problem: str) -> None:
    play, mock = judged([look(at), VERDICT])
    (event,) = noted(play, "read")
    assert isinstance(play.outcome, Decided) and problem in event["places"][0]["problem"] and event["left"] == 7
    assert "<nothing at=" in users(mock)[1] and "7 times more" in users(mock)[1]
    is_read = "no cell" in problem or "no characters" in problem
    assert event["reads"] == is_read  # that nothing stands there is an answer


@pytest.mark.parametrize(("at", "shown"), [
    ("clauses[1][0]", "2"), ("clauses.1.0", "2"), ('["clauses", 1, 0]', "2"), ("clauses 1 0", "2"), ("'clauses' 1", "[2, 3]"),
    ("clauses 118:999", "118: [2, 3]\n119: [-1, 3]\n(the list ends here, before 120)"), ("passage 4:7", "cat"),
    (["clauses", 1, 0], "2"),
])  # fmt: skip
def test_addresses_may_be_written_as_models_write_them(at: Any, shown: str) -> None:
    play, _ = judged([look(at), VERDICT])
    assert noted(play, "read")[0]["places"] == [{"at": at if isinstance(at, str) else json.dumps(at), "shown": shown}]


@given(st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_any_text_is_an_address_or_is_refused(place: str) -> None:
    try:
        names, span = parsed(place)
    except Illegal:
        return
    assert (names or span) and all(type(name) in (int, str) for name in names)


def test_a_model_that_looks_for_ever_is_stopped() -> None:
    play, mock = judged(lambda body: look("clauses 0"), looks=3)
    assert isinstance(play.outcome, Unreadable) and "'look'; it may be verdict" in str(play.outcome)
    assert (
        len(noted(play, "read")) == 3 and len(mock.calls) == 5
    )  # three looks, one instead of the answer, one told why
    assert users(mock)[3].count("answer now") == 1
    assert [("look" in json.dumps(call.body["response_format"])) for call in mock.calls] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_no_looks_none_offered() -> None:
    play, mock = judged([VERDICT], looks=0)
    assert isinstance(play.outcome, Decided) and "look" not in json.dumps(mock.calls[0].body["response_format"])
    assert "look" not in mock.calls[0].body["messages"][-1]["content"].partition("<turn>")[2].replace("looks", "")


def test_a_look_that_crosses_the_budget_ends_the_play() -> None:
    play, mock = judged([look("clauses 0:3"), look("clauses"), VERDICT], bound="30")
    assert isinstance(play.outcome, Exhausted) and play.outcome.measure == "reads" and play.outcome.seat == "judge"
    assert len(mock.calls) == 2 and [event["reads"] for event in noted(play, "read")] == [6, 0]
    assert "the data: an object" in users(mock)[0] and "120" not in users(mock)[0]  # its numbers would cost too much
    assert ", and read 12 units more" in users(mock)[0]


def test_small_data_are_shown_whole_and_charged_whole_once() -> None:
    small = moot.Question("Which?", choices=("x", "y"), data=[7, [8, 9]], passage="<short>", unit="cells", size=3)
    play, mock = judged([{"move": VERDICT["move"]}], small, bound="999")
    assert "<data>&#91;7, &#91;8, 9]]</data>" in users(mock)[0].replace("[", "&#91;") and "&lt;short>" in users(mock)[0]
    assert noted(play, "moved")[-1]["reads"] == SPOKEN + 3 + len("<short>") and not noted(play, "read")
    assert "look" not in json.dumps(mock.calls[0].body["response_format"])
    play, mock = judged([VERDICT], small, show_whole=False)
    assert "<source>" in users(mock)[0] and "short" not in users(mock)[0]
    play, mock = judged([VERDICT], small, bound="30")  # of which it is more than half, once what was said is read
    assert "<source>" in users(mock)[0] and noted(play, "moved")[-1]["reads"] == SPOKEN


@pytest.mark.parametrize("data", [["x" * 30_000], {"x" * 30_000: 1}])
def test_a_cell_that_is_long_does_not_pass_for_small(data: Any) -> None:
    play, mock = judged([VERDICT], moot.Question("Which?", choices=("x", "y"), data=data, unit="cells", size=1))
    assert "<source>" in users(mock)[0] and len(users(mock)[0]) < 4000 and isinstance(play.outcome, Decided)


def test_what_one_look_shows_has_an_end() -> None:
    wide = moot.Question("Which?", choices=("x", "y"), data=[["z" * 1000] * 50] * 50, unit="cells", size=2500)
    play, mock = judged([look("0", "0:999999999999"), look(*map(str, range(50))), VERDICT], wide)
    assert isinstance(play.outcome, Decided) and all(len(told) < 3 * SHOWN for told in users(mock))
    assert "(cut: " in users(mock)[1] and "look there again" in users(mock)[1]


@given(st.recursive(st.integers() | st.text(max_size=3) | st.none(), lambda inner: st.lists(inner, max_size=60)
                    | st.dictionaries(st.text(max_size=4), inner, max_size=60), max_leaves=80), st.text(max_size=50))  # fmt: skip
@settings(max_examples=25, deadline=None)
def test_an_outline_is_charged_and_short_whatever_it_is_of(data: Any, passage: str) -> None:
    question = moot.Question("?", data=data, passage=passage, unit="cells", size=1)
    meter = Meter()
    view = Shown(View(question, NOTHING, "metered"), meter)
    assert view.outline(False) and meter.reads == 0
    told, cost = outlined(data, passage)
    assert view.outline() == told and meter.reads == cost <= 2 * LISTED + 4 and len(told.splitlines()) <= LISTED + 4
    assert view.outline() == told and meter.reads == cost  # once a request


def test_a_source_is_small_or_it_is_not_and_no_more_is_told_for_nothing() -> None:
    """The limits end where what may be shown whole does, so that asking again and again finds the size of no large source."""
    question = moot.Question("?", data=list(range(MOST[0] + 1)), unit="cells", size=1)
    meter = Meter(Account({"reads": 10}))
    view = Shown(View(question, NOTHING, "metered"), meter)
    assert view.whole(10**9, 10**9) is None and meter.reads == 0
    small = Shown(View(moot.Question("?", data=list(range(11)), unit="cells", size=1), NOTHING, "metered"), meter)
    with pytest.raises(BudgetExceeded):
        small.whole(64, 64)
    hidden = Shown(View(question, NOTHING), meter)
    for attempt in (lambda: hidden.whole(1, 1), hidden.outline, lambda: hidden.find("a")):
        with pytest.raises(moot.UsageError, match="gives no access to the source"):
            attempt()


@given(
    st.text(alphabet="ab ", max_size=60), st.lists(st.text(alphabet="ab ", max_size=6), max_size=8), st.integers(0, 9)
)
@settings(max_examples=100, deadline=None)
def test_no_search_tells_more_than_it_charges(passage: str, searches: list[str], around: int) -> None:
    meter = Meter()
    view = Shown(View(moot.Question("?", passage=passage, size=60), NOTHING, "metered"), meter)
    for text in searches:
        before = meter.reads
        try:
            found = view.find(text, around)
        except Illegal:
            assert meter.reads == before + 1
            continue
        assert meter.reads - before == 1 + len(found) + sum(len(shown) for _, shown in found)
        assert all(passage[at : at + len(text)] == text for at, _ in found)


# -- behind wrappers ---------------------------------------------------------------------------------------------------


def by_turns(body: Said) -> Any:
    """A judge that looks once, has seen enough, and then says what it is asked for."""
    last, wanted = str(body["messages"][-1]["content"]), json.dumps(body.get("response_format", ""))
    if "look" in wanted and len(body["messages"]) == 2:
        return look("clauses 0")
    if "enough" in wanted:
        return {"move": {"kind": "enough"}}
    if body.get("logprobs"):
        return Reply("1", logprobs={"1": 0.8, "2": 0.2})
    return VERDICT if "verdict" in wanted else "Because of what stands there." if last else ""


@pytest.mark.parametrize("method", ["stated", "logprobs", "reasoned", "both"])
def test_a_judge_by_any_method_looks_first(method: Any) -> None:
    play, mock = judged(by_turns, judge=lambda lm: moot.ModelJudge(lm, method))
    assert isinstance(play.outcome, Decided), play.outcome
    assert [event["places"][0]["shown"] for event in noted(play, "read")] == ["[1, -2]"]
    last = mock.calls[-1].body["messages"]
    assert any("<seen" in str(message["content"]) for message in last) and last[-1]["role"] == "user"
    assert [message["role"] for message in last[1:]] == ["user", "assistant"] * (len(last) // 2 - 1) + ["user"]
    assert play.outcome.verdict.probabilities == pytest.approx(
        (0.75, 0.25) if method in ("stated", "both") else (0.8, 0.2)
    )


def test_a_judge_by_its_token_is_shown_small_data_whole() -> None:
    small = moot.Question("Which?", choices=("x", "y"), data=[7], unit="cells", size=1)
    for method in ("logprobs", "reasoned", "both"):
        play, mock = judged(by_turns, small, lambda lm, m=method: moot.ModelJudge(lm, m))
        assert isinstance(play.outcome, Decided)
        for call in mock.calls:
            assert sum("<data>" in str(message["content"]) for message in call.body["messages"]) >= 1, method


@pytest.mark.parametrize("wrapped", [moot.BothOrders, moot.BothSeatings, lambda lm: moot.Panel(lm, lm), moot.Copies])
def test_a_judge_behind_a_wrapper_looks(wrapped: Any) -> None:
    play, _ = judged(by_turns, judge=wrapped)
    assert isinstance(play.outcome, Decided), play.outcome
    assert len(noted(play, "read")) == (1 if wrapped is moot.Copies else 2)


def test_candidates_look_each_for_itself() -> None:
    call, said = {"kind": "calculator", "expression": "1+1"}, {"kind": "speech", "text": "so"}
    mock = MockOpenAI(lambda body: {"move": call if len(body["messages"]) == 2 else said})
    lm = LM("mock", base_url="http://mock/v1", api_key="k", http_client=mock.http_client(), tools=["calculator"])
    best = moot.BestOf(lm, 2, score=lambda request, move: 1.0)
    seats = {"a": best, "b": speech, "judge": lambda request: moot.Verdict.sure(0)}
    play = moot.run(moot.Debate(rounds=1), OVER.without_source(), seats)
    assert isinstance(play.outcome, Decided), play.outcome
    assert len(noted(play, "called")) == 2 and {event["candidate"] for event in noted(play, "called")} == {0, 1}


# -- as text, and options ----------------------------------------------------------------------------------------------


def test_tags_carry_looks_as_well() -> None:
    replies = ['<look><at>["clauses 0"]</at><find>none</find></look>', "<look><at>variables</at></look>",
               "<verdict><text>so</text><probabilities>0.75, 0.25</probabilities></verdict>"]  # fmt: skip
    play, mock = judged([*replies], structured="tags")
    assert isinstance(play.outcome, Decided), play.outcome
    assert [event["places"] for event in noted(play, "read")] == [
        [{"at": "clauses 0", "shown": "[1, -2]"}], [{"at": "variables", "shown": "3"}],
    ]  # fmt: skip
    assert mock.calls[1].body["messages"][2]["content"].startswith("<look><at>")


def test_a_look_that_cannot_be_read_is_told_why_and_can_be_made_again() -> None:
    play, mock = judged(['{"move": {"kind": "look", "at": 5, "find": [1]}}', look("clauses 0"), VERDICT])
    assert isinstance(play.outcome, Decided) and len(noted(play, "read")) == 1 and "could not be read" in users(mock)[1]


@pytest.mark.parametrize(("options", "problem"), [
    ({"looks": -1}, "looks is -1; it must be a whole number from 0"), ({"looks": True}, "looks is True"),
    ({"show_whole": (64,)}, r"show_whole is \(64,\)"), ({"show_whole": True}, "show_whole is True"),
    ({"show_whole": (10**9, 1)}, "cells up to 4,096 and characters up to 20,000"), ({"tool_timeout": 0}, "tool_timeout is 0"),
    ({"tool_limit": 10**6}, "tool_limit is 1000000"), ({"tools": ["calculator"], "looks": 0}, "looks is 0"),
])  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: Said, problem: str) -> None:
    with pytest.raises(moot.UsageError, match=problem):
        LM("mock", base_url="http://mock/v1", api_key="k", **options)


def test_what_is_by_default_changes_no_identity() -> None:
    lm = LM("mock", base_url="http://mock/v1", api_key="k")
    assert Aids().told() == {} and not {"looks", "tools", "show_whole"} & {*lm.identity(), *lm.describe()}
    other = LM("mock", base_url="http://mock/v1", api_key="k", looks=2, tools=["calculator"], show_whole=False)
    assert other.describe()["tools"] == ["calculator"] and other.identity()["looks"] == 2
