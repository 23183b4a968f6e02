"""A turn as its person is shown it: what they may open and look at, each at its price, and what they have left.

Rule of this file: nothing is shown but what the view of the request gives, which charges for it; seats are called as the person knows
them. How it looks on a page stands elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Literal, NamedTuple

from moot.agents.models.attempts import kept
from moot.agents.people.browser import Turn
from moot.agents.prompts.variables import claim_told, kind_name, limits_told, seen, sides, stance
from moot.agents.tools.looks import Look, LookAndFind, Seen
from moot.agents.tools.looks import seen as looked
from moot.agents.wrappers.nested import copy_of
from moot.judges.looks import Relabelled, Relabelling
from moot.protocols.engine.budget import MEASURES
from moot.protocols.engine.errors import BudgetExceeded, Illegal
from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import Entry, View

Opening = Literal["each", "all"]
DRAFTS = 200
"""The most drafts of one turn that are recorded; the latest is kept in memory all the same."""


class Left(NamedTuple):
    """What may still be spent of a measure, and how much it was."""

    measure: str
    unit: str
    left: float
    limit: float


class Piece(NamedTuple):
    """A stretch of what was said. quote: whether it is said to stand in the passage; verified: whether it does, None where nobody looked."""

    text: str
    quote: bool = False
    verified: bool | None = None


@dataclass(slots=True)
class Card:
    """A statement, closed until it is paid for. number: where it stands on the page, from 1; place: in the view, from 0. refused: it costs
    more than is left."""

    number: int
    who: str
    place: int
    entry: Entry | None = None
    refused: bool = False


@dataclass(slots=True)
class Paper:
    """One turn of a person. Making it opens what was open before the play broke off, and all statements where that is the rule.

    names: seat to what the person is told it is called. opening: "each" statement by itself, or "all" as soon as they are there; None: each
    where the seat's reading is bounded.
    """

    turn: Turn
    names: Mapping[str, str]
    opening: Opening | None = None
    request: Request = field(init=False)
    cards: list[Card] = field(init=False)
    looks: list[Seen] = field(default_factory=list)
    dry: str = ""
    draft: dict[str, list[str]] = field(default_factory=dict)
    _by: Relabelling = field(init=False)
    _drafts: int = 0
    _asked: Question | None = None

    def __post_init__(self) -> None:
        self._by = Relabelling((), self.names)
        self.request = renamed(self.turn.request, self._by)
        view, budget = self.request.view, self.request.budget
        self.cards = [Card(number, who, place) for number, (place, who) in enumerate(in_order(view), 1)]
        if self.opening is None:
            bounded = any(budget.left(each) is not None for each in ("reads", "reads_per_call"))
            self.opening = "each" if bounded else "all"
        try:
            self._asked = view.question
        except BudgetExceeded as problem:
            self.dry = str(problem)
            self.turn.exhaust(problem)
        self._restore()
        if self.opening == "all":
            self.open_all()

    # -- what is shown -------------------------------------------------------------------------------------------------

    @property
    def question(self) -> Question | None:
        """What is asked; None where reading it would cost more than is left."""
        return self._asked

    @property
    def entries(self) -> list[Entry]:
        """The statements that are open."""
        return [card.entry for card in self.cards if card.entry is not None]

    @property
    def texts(self) -> list[str]:
        """What the person was shown in words, in which a field may have to be found."""
        return [*([] if self._asked is None else [self._asked.text]), *(entry.move.content() for entry in self.entries)]

    @property
    def may_look(self) -> bool:
        """Whether there is a source, closed, of which single places may be looked at for a price."""
        view = self.request.view
        return view.source == "metered" and (view.has_cells or view.has_excerpts)

    def left(self) -> list[Left]:
        """What is left of every measure that is bounded. Seconds are those of this turn, with a clock that may stand."""
        budget, found = self.request.budget, list[Left]()
        unit = "characters" if self._asked is None else self._asked.unit
        for measure in MEASURES:
            left, limit = budget.left(measure), budget.limit(measure)
            if left is None or limit is None:
                continue
            if measure == "seconds":
                left = max(0.0, left - self.turn.seconds)
            found.append(Left(measure, unit if measure.startswith("reads") else measure, left, limit))
        return found

    def told(self) -> Iterator[str]:
        """What there is to know of this turn besides the question and what was said, in sentences."""
        request, brief = self.request, self.request.brief
        question, facts = self._asked, request.facts
        if question is None:
            return
        yield f"{side}." if (side := stance(self.turn.request)) else ""
        if facts is not None:
            if sorted(facts.question.choices) == sorted(question.choices):
                own = f"the {request.role}"
                for seat, answer in facts.answers(self.entries).items():
                    yield sides({seat: answer}, question.choices) if seat != own else ""
            yield seen(facts)
        if (number := brief.get("round")) is not None and number > 0:
            of = f" of {brief['rounds']}" if brief.get("rounds") is not None else ""
            yield f"This is round {number}{of}."
        if (task := brief.get("task")) not in (None, *map(kind_name, request.kinds)):
            yield f"Your task: {str(task).replace('-', ' ')}."
        yield claim_told(brief)
        details = brief.get("details") or {}
        explained = facts.protocol.explained(question, details) if facts is not None and details else {}
        for key, value in {**details, **explained}.items():
            told = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            yield f"{key.replace('_', ' ').capitalize()}: {told}"
        yield from limits_told(brief)
        if "budget" in brief:
            yield f"What you may hand on to sub-questions: {brief['budget']}."

    def pieces(self, move: Move) -> list[Piece]:
        """What a move says, with its quotes marked."""
        move = move.as_public() if self.request.view.has_passage else move.as_public().without_marks()
        words, body = move.in_words(), move.prompt_body()
        parts: Sequence[str | Part] = [body] if isinstance(body, str) else body
        if move.quoting and words == move.quotable():
            return [
                Piece(each) if isinstance(each, str) else Piece(each.text, each.tag == "quote", each.verified)
                for each in parts
            ]
        quotes = [
            Piece(each.text, True, each.verified) for each in parts if isinstance(each, Part) and each.tag == "quote"
        ]
        return [Piece(words), *(quotes if any(each.verified is not None for each in quotes) else ())]

    # -- what a person does --------------------------------------------------------------------------------------------

    def open(self, number: int) -> bool:
        """Open a statement by its number, from 1, and pay for it; False where that would cost more than is left: nothing is charged then.
        Raises Illegal where there is none."""
        if not 1 <= number <= len(self.cards):
            raise Illegal(f"there is no statement {number}")
        card = self.cards[number - 1]
        if card.entry is not None:
            return True
        before = self.request.budget.reads
        try:
            card.entry = self.request.view[card.place]
        except BudgetExceeded as problem:
            card.refused = True
            self._refused(problem, statement=number)
            return False
        card.refused, self.dry = False, ""
        self._note("opened", statement=number, reads=self.request.budget.reads - before)
        return True

    def open_all(self) -> bool:
        """Open every statement, up to the first that costs more than is left; whether all are open."""
        return all(self.open(card.number) for card in self.cards)

    def look(self, at: Sequence[str], find: str | None) -> bool:
        """Look at places of the source, or search it, and pay for it; False where that would cost more than is left, which is charged one unit
        as for what is not there: a refusal tells that something is. Raises Illegal where the view lets nobody look, and where no place is named."""
        if not self.may_look:
            raise Illegal("there is nothing here that could be looked at")
        if not at and not find:
            raise Illegal("name a place or a text to search for")
        look = LookAndFind(at=tuple(at), find=find) if self.request.view.has_excerpts else Look(at=tuple(at))
        before, found = self.request.budget.reads, list[Seen]()
        try:
            for place in looked(self.request.view, look):
                found.append(place)
        except BudgetExceeded as problem:
            with suppress(BudgetExceeded):  # nothing is left, which every look then tells
                self.request.view.repay(1)
            self._refused(problem, places=[kept(each) for each in (*at, *([find] if find else ()))])
            return False
        finally:
            self.looks += found
            reads = self.request.budget.reads - before
            places = [
                {
                    each.by: kept(each.place),
                    **({"problem": each.problem} if each.shown is None else {"shown": kept(each.shown)}),
                }
                for each in found
            ]
            if found or reads:
                self.request.note({"event": "read", "places": places, "reads": reads, "turn": self.request.attempt})
                self._note("looked", places=len(found), reads=reads)
        self.dry = ""
        return True

    def save(self, given: Mapping[str, Sequence[str]]) -> None:
        """Keep what is filled in so far."""
        made = {name: [str(value) for value in values] for name, values in given.items() if any(values)}
        if made == self.draft:
            return
        self.draft, self._drafts = made, self._drafts + 1
        if self._drafts <= DRAFTS:
            self._note("draft", fields=made)

    def answer(self, move: Move) -> bool:
        """Give the move; False where the turn is over."""
        return self.turn.answer(self._by.back().move(move))

    def shown(self) -> None:
        """Note that a page with this turn was made."""
        self._note("shown", statements=sum(card.entry is not None for card in self.cards))

    def _refused(self, problem: BudgetExceeded, **what: Any) -> None:
        self.dry = str(problem)
        self._note("refused", measure=problem.measure, **what)

    def _note(self, action: str, **more: Any) -> None:
        self.turn.note(action, **more)

    def _restore(self) -> None:
        """Open, pay and fill in again what was so before the play broke off."""
        for event in self.turn.noted:
            action, number = event.get("action"), event.get("statement")
            try:
                if event.get("event") == "read":
                    self.request.view.repay(int(event.get("reads") or 0))
                    self.looks += _recorded(event.get("places"))
                elif action == "opened" and type(number) is int and 1 <= number <= len(self.cards):
                    card = self.cards[number - 1]
                    card.entry = self.request.view[card.place]
                elif action == "draft" and isinstance(fields := event.get("fields"), Mapping):
                    self.draft = {str(name): list(map(str, values)) for name, values in fields.items()}
            except BudgetExceeded as problem:
                self.dry = str(problem)


def in_order(view: View) -> list[tuple[int, str]]:
    """Place and speaker of every statement, as they are listed: those that were made at once by different speakers in the order of
    their names, which are drawn, so that none is always the first."""
    found = [(place, *view.made(place)) for place in range(len(view))]
    listed: list[tuple[int, str]] = []
    for _, group in groupby(found, lambda each: _at_once(each[1]) or each[1]):
        together = [(place, who) for place, _, who in group]
        one_each = len({who for _, who in together}) == len(together)
        listed += sorted(together, key=lambda each: each[1]) if one_each else together
    return listed


def _at_once(step: str) -> tuple[str, str] | None:
    """What the steps of statements that were made at once have in common: where their branches parted, and which in its branch each
    is; None of one that stands in no branch."""
    before, _, last = step.rpartition(".")
    parted, _, _ = before.rpartition(".")
    return (parted, last) if parted else None


def renamed(request: Request, by: Relabelling) -> Request:
    """The request as a person sees it who knows seats by other names; of the play they are told of their own by its role."""
    brief: Brief = {**request.brief}
    if "to_seats" in brief:
        brief["to_seats"] = [by.names.get(seat, seat) for seat in brief["to_seats"]]
    told = Relabelling((), {**by.names, request.seat: f"the {request.role}"})
    rejected = request.rejected
    if rejected is not None:
        try:
            rejected = by.move(typed(rejected, request.kinds)).model_dump(mode="json")
        except Illegal:
            pass
    try:
        facts = told.facts(request.facts, request.view.question) if request.facts is not None else None
    except BudgetExceeded:  # the question, which costs more than is left
        facts = None
    if facts is not None and by.names:  # nor in the order in which the play knows them
        facts = replace(facts, seats=dict(sorted(facts.seats.items())), names=dict(sorted(facts.names.items())))
    view, shown = Relabelled(request.view, by), str(by)
    made = copy_of(request, "look", 0, shown=shown, view=view, brief=brief, rejected=rejected, facts=facts)
    made.note, made.noted = request.note, request.noted
    return made


def _recorded(places: Any) -> Iterator[Seen]:
    """What was shown of the source, as it was recorded."""
    for each in places if isinstance(places, list) else ():
        by = "find" if "find" in each else "at"
        yield Seen(by, str(each.get(by, "")), each.get("shown"), each.get("problem"))
