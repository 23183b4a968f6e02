"""A view is the list of what was said, and each statement, cell and character is paid for once, when it is opened."""

from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import QUESTION, scripted

import moot
from moot.protocols.engine.budget import Account, Meter
from moot.protocols.engine.errors import BudgetExceeded, Illegal, UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import cells_of, source_size
from moot.protocols.engine.view import NOTHING, Entry, Log, Shown, View, looker
from moot.transcripts.events import EventLog

TEXTS = st.lists(st.text(min_size=1, max_size=9).filter(str.strip), max_size=5)
PLACES = st.integers(-7, 7)
SLICES = st.builds(slice, st.none() | PLACES, st.none() | PLACES, st.sampled_from([None, 1, 2, -1]))
DATA = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=9,
)  # fmt: skip


def said(texts: list[str]) -> tuple[list[Entry], Log]:
    entries = [Entry(str(place), "ab"[place % 2], moot.Speech(text=text)) for place, text in enumerate(texts)]
    log = NOTHING
    for entry in entries:
        log = log.then(entry)
    return entries, log


@given(TEXTS, st.lists(PLACES | SLICES | st.sampled_from(["all", "first"]), max_size=6), st.sampled_from(["characters", "cells"]))  # fmt: skip
def test_a_view_is_the_list_of_what_was_said_and_each_is_paid_for_once(
    texts: list[str], opened: Any, unit: Any
) -> None:
    entries, log = said(texts)
    question, meter = moot.Question("Who?", ("x", "y"), unit=unit), Meter()
    view, paid = Shown(View(question, log), meter), set[int]()
    for what in opened:
        places = list(range(len(entries)))
        if isinstance(what, str):
            shown = list(view) if what == "all" else [next(iter(view), None)][: len(entries)]
            places = places if what == "all" else places[:1]
            assert shown == [entries[place] for place in places]
        elif isinstance(what, slice):
            places = places[what]
            assert view[what] == entries[what]
        elif -len(entries) <= what < len(entries):
            places = [places[what]]
            assert view[what] == entries[what]
        else:
            places = []
            with pytest.raises(IndexError, match=f"the view has {len(entries)} statements, there is none at"):
                view[what]
        paid.update(places)
        assert meter.reads == sum(entries[place].move.cost(unit) for place in paid)
    assert len(view) == len(entries) and log.entries() == entries
    for place, entry in enumerate(entries):
        assert view.at(str(place)) == entry
    assert meter.reads == sum(entry.move.cost(unit) for entry in entries)
    with pytest.raises(KeyError, match="no statement of step 9 in this view"):
        view.at("9")


@given(TEXTS, TEXTS)
def test_two_logs_have_one_digest_only_where_the_same_was_said_by_the_same(one: list[str], other: list[str]) -> None:
    assert (said(one)[1].digest == said(other)[1].digest) is (one == other)
    first = Entry("0", "a", moot.Speech(text="so"))
    assert NOTHING.then(first).digest != NOTHING.then(first._replace(seat="b")).digest


@given(TEXTS, st.sets(st.integers(0, 5)))
def test_a_digest_is_the_same_whenever_it_is_asked_for(texts: list[str], asked: set[int]) -> None:
    late, now = NOTHING, NOTHING
    for place, text in enumerate(texts):
        entry = Entry(str(place), "ab"[place % 2], moot.Speech(text=text))
        late, now = late.then(entry), now.then(entry)
        if place in asked:
            assert len(now.digest) == 16
    assert late.digest == now.digest
    assert [link.digest for link in late.each()] == [link.digest for link in now.each()]


@given(TEXTS.filter(bool))
def test_a_statement_that_costs_too_much_is_not_shown_and_stays_to_be_paid(texts: list[str]) -> None:
    entries, log = said(texts)
    cost = entries[-1].move.cost("characters")
    meter = Meter(Account({"reads": cost - 1}))
    view = Shown(View(QUESTION, log), meter)
    for _ in range(2):
        with pytest.raises(BudgetExceeded):
            view[-1]
    assert meter.reads == 0
    assert Shown(View(QUESTION, log), Meter(Account({"reads": cost})))[-1] == entries[-1]


@given(DATA, st.none() | st.text(max_size=20), st.none() | st.text(max_size=20))
def test_a_source_that_is_shown_whole_is_paid_for_when_the_question_is(data: Any, passage: Any, other: Any) -> None:
    def count(value: Any) -> int:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        return 1 if inside is None else max(1, sum(map(count, inside)))

    for text in (passage, other, passage):  # the same data with another passage is another source
        question, meter = moot.Question("Who?", passage=text, data=data), Meter()
        whole = (0 if data is None else count(data)) + len(text or "")
        assert source_size(question) == whole and cells_of(data) == count(data)
        view = Shown(View(question, NOTHING, "all"), meter)
        assert meter.reads == 0
        for _ in range(2):
            assert view.question == question and meter.reads == whole
        assert view.excerpt(0, 3) == (text or "")[:3] and meter.reads == whole  # it was paid for
        for source in ("none", "metered"):
            bare = Shown(View(question, NOTHING, source), meter)
            assert bare.question == question.without_source() and meter.reads == whole
            assert bare.has_cells is (source == "metered" and data is not None)
            assert bare.source == source


TABLE = moot.Question("Which?", passage="abcdefgh", data={"row": [4, 5, [6, 7]], "none": []}, unit="cells")


@pytest.mark.parametrize("source", ["metered", "all"])
def test_each_look_is_paid_for_by_its_cells_and_a_wrong_one_by_nothing(source: Any) -> None:
    """Also where the source will be shown whole and has not been paid for yet."""
    meter = Meter()
    view = Shown(View(TABLE, NOTHING, source), meter)
    looks: list[tuple[Any, int]] = [(("row", 1), 1), (("row", 2), 2), (("row",), 4), (("none",), 1), ((), 5)]
    for address, cells in looks:
        before = meter.reads
        assert view.look(*address) == looker(TABLE.data)(*address) and meter.reads - before == cells
    before = meter.reads
    for address in (("row", 9), ("column",), ("row", 1, 0), ("row", "x")):
        with pytest.raises(Illegal, match=rf"there is no cell {'.'.join(map(str, address))} in the data"):
            view.look(*address)
    assert meter.reads == before
    with pytest.raises(Illegal, match="there is no cell row.9 in the data"):
        view.probe("row", 9)  # of a reader who does not know the form of the data
    assert meter.reads == before + 1 and view.probe("row", 1) == 5 and meter.reads == before + 2
    before += 2
    assert view.excerpt(2, 5) == "cde" and meter.reads == before + 3
    assert view.excerpt(7, 99) == "h" and meter.reads == before + 4
    assert View(TABLE, NOTHING, source).look("row", 0) == 4  # outside a request nobody pays


def test_no_look_without_access_to_the_source() -> None:
    view = Shown(View(TABLE, NOTHING), meter := Meter())
    for look in (lambda: view.look("row", 0), lambda: view.excerpt(0, 1)):
        with pytest.raises(UsageError, match="this view gives no access to the source"):
            look()
    assert meter.reads == 0


@pytest.mark.parametrize("source", ["none", "metered", "all"])
@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("asking", [None, moot.Question("And then?", passage="another", data=[1])])
def test_a_view_with_more_for_another_reader(source: Any, hide: bool, asking: Any) -> None:
    entries, log = said(["so it is", "it is not"])
    more = Entry("7", "b", moot.Speech(text="I said so"))
    meter = Meter()
    view = Shown(View(TABLE, log, source), meter)
    list(view)
    before = meter.reads
    other = view.then(more, hide=hide, asking=asking)
    assert list(other) == [*entries, more]
    assert meter.reads == 2 * before + more.move.cost("cells")  # to the same budget, and anew
    assert other.source == ("none" if hide else source)
    shown = asking or (TABLE if source == "all" else TABLE.without_source())
    assert other.question == (shown.without_source() if hide else shown)
    unmetered = View(TABLE, log, source).then(more, hide=hide)
    assert list(unmetered) == [*entries, more]
    if not hide and source != "none":
        assert other.look() == (asking.data if asking and source == "all" else TABLE.data)


class Aside(moot.Move, private_fields=("thought",)):
    """A remark with a thought that is recorded and shown to nobody."""

    kind: Literal["aside"] = "aside"
    text: str
    thought: str = ""


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=8)), min_size=1, max_size=5), st.sampled_from("ab-"))
def test_what_is_kept_as_json_until_it_is_read_is_the_same(said: list[tuple[str, str]], to: str) -> None:
    async def talk(floor: Floor) -> None:
        for seat, _ in said:
            await floor.ask(seat, Aside, to=None if to == "-" else (to,))
        await floor.ask("a", moot.Answer)

    plain, lean = (moot.Game(scripted(talk), QUESTION, recorder=EventLog(nowhere), lean=lean).start() for lean in (False, True))  # fmt: skip
    for step, (_, text) in enumerate(said):
        for game in (plain, lean):
            game.answer(str(step), Aside(text=text, thought="hm"))
    one, other = (game.request(str(len(said))) for game in (plain, lean))
    assert one.view.digest == other.view.digest and one.digest == other.digest
    heard = [
        Entry(str(step), seat, Aside(text=text)) for step, (seat, text) in enumerate(said) if to != "b" or seat == "a"
    ]
    assert [*one.view] == [*other.view] == heard
    if heard:
        assert other.view[-1] == lean.request(str(len(said))).view[-1] == heard[-1]
        assert other.view[-1].move is other.view[-1].move, "it is read once and then kept"


def nowhere(line: bytes) -> None:
    pass


def test_a_list_that_was_looked_at_is_the_readers_own() -> None:
    question = moot.Question("Which?", ("x", "y"), data={"cells": [1, 2]}, unit="cells")
    game = moot.Game(moot.DirectQA(), question).start()
    view = Shown(moot.View(game.question, NOTHING, "metered"), Meter())
    cells = view.look("cells")
    list.append(cells, 9)
    assert view.look("cells") == [1, 2] == game.question.data["cells"]  # type: ignore[index,call-overload]


def test_a_question_that_a_reader_puts_to_itself_costs_nothing() -> None:
    game = moot.Game(moot.DirectQA(), moot.Question("Which?", ("x", "y"))).start()
    (step,) = game.open
    other = moot.Question("w" * 300, ("x", "y"))
    assert game.request(step).view.then(asking=other).question == other
    assert game.meter(step).reads == 0, "it is the reader's own text, however long"


def test_a_view_outside_a_request_is_read_from_its_end_as_well() -> None:
    entries, log = said(["one", "two"])
    assert View(QUESTION, log)[-1] == entries[1] and View(QUESTION, log)[-2] == entries[0]


def test_the_text_of_a_question_is_free_where_it_is_the_play_s_own() -> None:
    long = moot.Question("Who? " * 200, ("x", "y"))
    for own, cost in ((None, 0), (frozenset((long.text,)), 0), (frozenset(("Who else?",)), len(long.text) - 128)):
        view = Shown(View(long, NOTHING), meter := Meter(), own)
        assert view.question.text == long.text and meter.reads == cost


@pytest.mark.parametrize(
    "read", [lambda view: view[-2], lambda view: view[-5:], lambda view: [*zip(reversed(view), range(3), strict=False)]]
)
def test_the_last_statements_are_read_without_going_through_all(read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """However much was said before: a chain is gone through whole by `links` alone."""
    log = NOTHING
    for number in range(1000):
        log = log.then(Entry(str(number), "a", moot.Speech(text=f"{number}")))
    expected = read(log.entries())
    monkeypatch.setattr(Log, "links", lambda self: pytest.fail("gone through whole"))
    for view in (View(QUESTION, log), Shown(View(QUESTION, log), Meter())):
        assert read(view) == expected
