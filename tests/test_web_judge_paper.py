"""A turn as its person is shown it: names, what is opened and looked at and what that costs, again after a break, and what a belief pays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from judging_kit import rules_of

import moot
from moot.agents.people.browser import Turn
from moot.protocols.engine.errors import Illegal, UsageError
from moot.web.judging import forms, scores, screens
from moot.web.judging.paper import Paper
from moot.web.judging.rules import Pay
from moot.web.judging.scores import pays, points
from moot.web.judging.seating import Seating

PASSAGE = "The storm sank three ships. Nobody saw the admiral that day."
QUESTION = moot.Question("What sank the ships?", ("the storm", "the admiral"), passage=PASSAGE)
NAMES = {"a": "B", "b": "A", "judge": "You"}


def says(request: moot.Request) -> moot.Move:
    if moot.Speech in request.kinds:
        return moot.Speech(text=f"{'first' if request.seat == 'a' else 'second'} <quote>sank three ships</quote>")
    return moot.testing.puppet(request)


def judged(protocol: Any, judge: Callable[[moot.Request], Any], **bound: Any) -> moot.Transcript:
    """The play before a judge who is this function."""
    seat: Any = moot.Bounded(judge, **bound) if bound else judge
    transcript = moot.run(protocol, QUESTION, {"debater": says, "judge": seat})
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
    return transcript


def paper_of(request: moot.Request, opening: Any = None) -> Paper:
    return Paper(Turn(request, "runs", lambda: None), NAMES, opening)


def given(paper: Paper, **fields: str) -> moot.Move:
    """The move that a form with these fields is, of the one kind that is asked for."""
    (sheet,) = forms.sheets(paper.request, paper.texts)
    posted = {name: [value] for name, value in fields.items()}
    read = forms.read(sheet, posted, paper.request, paper.texts)
    assert isinstance(read, moot.Move), read
    return read


def verdict(paper: Paper) -> Any:
    paper.answer(moot.Verdict(probabilities=(0.75, 0.25)))
    return paper.turn.reply


def test_seats_are_called_as_the_person_knows_them_and_answered_to_as_they_are() -> None:
    seen = list[Any]()

    def judge(request: moot.Request) -> Any:
        paper = paper_of(request)
        if moot.Ask not in request.kinds:
            seen.append([(card.who, card.entry.move.content()) for card in paper.cards if card.entry is not None])
            return verdict(paper)
        (sheet,) = forms.sheets(paper.request, paper.texts)
        to = next(field for field in sheet.fields if field.name == "to")
        seen.append(([value for value, _ in to.options], list(paper.told())))
        assert paper.answer(given(paper, **{"f0-text": "Why?", "f0-to": "A"}))
        return paper.turn.reply

    transcript = judged(moot.Debate(rounds=2, questions=True), judge)
    options, told = seen[0]
    assert sorted(options) == ["", "A", "B"]
    assert told[:2] == ["", "A defends answer 2: the admiral."] and "B defends answer 1: the storm." in told
    asked = next(
        event["move"] for event in transcript.events() if event["event"] == "moved" and event["move"]["kind"] == "ask"
    )
    assert asked["to"] == "b"
    assert [who for who, text in seen[-1] if "first" in text] == ["B", "B"] and ("You", "Why?") in seen[-1]


def test_each_statement_is_paid_for_once_and_a_dry_budget_charges_nothing() -> None:
    def judge(request: moot.Request) -> Any:
        paper = paper_of(request)
        assert paper.opening == "each" and not paper.entries and [card.who for card in paper.cards] == ["A", "B"]
        assert paper.open(2) and paper.open(2)
        cost = request.budget.reads
        assert cost == len("first <quote>sank three ships</quote>")
        assert not paper.open_all() and paper.dry and request.budget.reads == cost
        assert [card.refused for card in paper.cards] == [True, False]
        for wrong in (0, -1, 3):
            with pytest.raises(Illegal):
                paper.open(wrong)
        assert paper.look(["0:9"], None) and not paper.dry and request.budget.reads == cost + 9
        return verdict(paper)

    transcript = judged(moot.Debate(rounds=1, judge_source="metered"), judge, reads=50)
    events = list(transcript.events())
    assert [event["reads"] for event in events if event["event"] == "read"] == [9]
    assert [event["action"] for event in events if event["event"] == "acted"] == [
        "opened",
        "refused",
        "looked",
        "answered",
    ]


@pytest.mark.parametrize(("order", "listed"), [("simultaneous", "ABAB"), ("sequential", "BABA")])
def test_what_was_said_at_once_is_listed_by_drawn_names_and_all_else_as_it_came(order: Any, listed: str) -> None:
    def judge(request: moot.Request) -> Any:
        paper = paper_of(request)
        assert "".join(card.who for card in paper.cards) == listed
        assert paper.open_all() and all(card.entry and card.entry.seat == card.who for card in paper.cards)
        return verdict(paper)

    judged(moot.Debate(rounds=2, order=order), judge)


def test_whether_something_stands_in_the_passage_costs_the_same_where_showing_it_is_refused() -> None:
    def judge(request: moot.Request) -> Any:
        paper = paper_of(request)
        for text, shown in (("The storm sank", False), ("the pirates", True), ("three ships", False)):
            before = request.budget.reads
            assert paper.look([], text) == shown
            assert request.budget.reads == before + 1, "being refused tells as much as being told that it is not there"
        assert not paper.look(["0:100"], None) and request.budget.reads == 4
        for text in ("The storm sank", "the pirates"):
            assert not paper.look([], text) and request.budget.reads == 4, "then nothing is told any more"
        return verdict(paper)

    transcript = judged(moot.Debate(rounds=1, judge_source="metered"), judge, reads=4)
    assert [event["reads"] for event in transcript.events() if event["event"] == "read"] == [1, 1, 1, 1]


def test_what_was_open_before_a_break_is_open_again_at_the_same_price() -> None:
    def judge(request: moot.Request) -> Any:
        noted, note = list[dict[str, Any]](), request.note

        def keeping(event: dict[str, Any]) -> None:
            noted.append(event)
            note(event)

        request.note = keeping
        paper = paper_of(request)
        paper.open(2)
        paper.look(["0:9"], "ships")
        paper.save({"f0-text": ["half"], "f0-probabilities-1": [""]})
        spent = request.budget.reads
        request.noted, request.view = noted, request.view.then()  # as a new request shows it
        again = paper_of(request)
        assert request.budget.reads == 2 * spent, "what is shown again is charged again"
        assert [card.entry is not None for card in again.cards] == [False, True]
        assert [(each.place, each.shown) for each in again.looks] == [(each.place, each.shown) for each in paper.looks]
        assert again.draft == {"f0-text": ["half"]}
        request.noted = [{**event, "turn": 1} for event in noted]
        assert not paper_of(request).entries, "another attempt is another turn"
        return verdict(again)

    judged(moot.Debate(rounds=1, judge_source="metered"), judge, reads=4000)


def test_nobody_looks_where_the_view_has_no_source() -> None:
    def judge(request: moot.Request) -> Any:
        paper = paper_of(request)
        assert paper.opening == "all" and len(paper.entries) == 2 and not paper.may_look
        with pytest.raises(Illegal):
            paper.look(["0:9"], None)
        assert paper.question is not None and paper.question.passage is None and screens.source(paper) is None
        pieces = paper.pieces(paper.entries[0].move)
        assert [piece.text for piece in pieces if piece.quote and piece.verified] == ["sank three ships"]
        return verdict(paper)

    judged(moot.Debate(rounds=1), judge)


def test_a_rejected_move_is_shown_as_it_was_given() -> None:
    problems = list[Any]()

    def debater(request: moot.Request) -> Any:
        if request.seat == "b" or moot.Speech not in request.kinds:
            return says(request)
        paper = paper_of(request)
        (sheet,) = forms.sheets(paper.request, paper.texts)
        read = forms.read(sheet, {"f0-text": ["five words are too many"]}, paper.request, paper.texts)
        assert isinstance(read, dict) and "5 of 4 words" in read["f0-text"]
        if request.attempt:
            problems.append(request.problem)
            assert forms.filled(paper.request, paper.texts, paper.request.rejected) == {
                "f0-text": ["five words are too many"]
            }
            return moot.Speech(text="four words are fine")
        return moot.Speech(text="five words are too many")

    moot.run(moot.Debate(rounds=1, limit=moot.Limit(words=4)), QUESTION, {"debater": debater, "judge": says})
    assert len(problems) == 1


def test_what_a_belief_pays() -> None:
    protocol = moot.Debate(scoring=moot.ScoringRule(base=2, penalty=0.05))
    pay = Pay.model_validate({"base": 1, "per_point": 0.5, "least": 0.25, "currency": "GBP"})
    first, second = pays(protocol, (0.5, 0.5), 2, pay)
    assert first.reward == second.reward == pytest.approx(-1.1) and first.money == pytest.approx(0.45)
    sure = pays(protocol, (1.0, 0.0), 0, pay)
    assert (
        sure[1].reward == -math.inf and sure[1].money == 0.25 and points(-math.inf) == "−∞" and points(-0.001) == "0.00"
    )
    assert pays(protocol, (0.5, 0.5), 0, None)[0].money is None
    with pytest.raises(UsageError):
        pays(protocol, (0.5, 0.6), 0, None)
    told = " ".join(scores.explained(protocol, pay))
    assert (
        "to base 2" in told and "costs 0.05 points" in told and "0.50 GBP for each point" in told and "0.25 GBP" in told
    )


@pytest.mark.parametrize(("penalty", "unknown", "points_told"), [(0.1, True, "–"), (0.0, False, "−0.69")])
def test_what_is_not_known_of_going_on_is_not_taken_for_none(penalty: float, unknown: bool, points_told: str) -> None:
    seen = list[Any]()

    def judge(request: moot.Request) -> Any:
        paper = paper_of(request, "each")
        seating = Seating("ann", request.seat, "Item 1", moot.Browser("ann"), names=NAMES)
        seen.append(screens.payment(paper, seating, rules_of(), None, {"f0-probabilities-1": ["50"]}))
        return verdict(paper)

    judged(moot.Debate(rounds=1, scoring=moot.ScoringRule(penalty=penalty)), judge)
    assert (seen[-1]["unknown"], seen[-1]["rows"][0]["points"]) == (unknown, points_told)
