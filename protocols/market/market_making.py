"""AI safety via market making (Hubinger 2020): a market predicts the judge, an adversary says what moves it most.
Rule: the script and its two variants; moves are in `moves.py`, payments in `payoffs.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from moot.protocols.amplification.amplification import Open, Reply
from moot.protocols.checks import checked, need_choices, need_passage, shortened, unseen
from moot.protocols.checks import told as rules
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal, standing
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry, Source
from moot.protocols.limits import Limit
from moot.protocols.market.moves import Examine, Price, Query, Stands, Statement, stamped
from moot.protocols.market.payoffs import Belief, Last, Losses, Reward, distance, losses, most_lost
from moot.protocols.pointers import Store, as_messages, check_message, kept, pointers_in, received, shown
from moot.protocols.quotes import Quoting, must_quote, quoted_after
from moot.protocols.recorded import recorded_move
from moot.protocols.scoring import ScoringRule

Check = Callable[[Any], Move] | None
Said = Statement | Query | Examine


@dataclass(slots=True)
class Record:
    """What was said in one play. public: what market and judge see. seen: what the adversary sees, which adds prices and
    the answers to its queries. turns: by the step of each statement, what its author saw, and the statement. memo: what
    the market and the frozen copies have answered. price: the latest one, by which a citation of the question itself is
    checked. text: the question's; store: the messages behind pointers, where there may be any."""

    text: str
    store: Store | None
    public: list[Entry] = field(default_factory=list)
    seen: list[Entry] = field(default_factory=list)
    turns: dict[str, tuple[tuple[Entry, ...], Entry]] = field(default_factory=dict)
    memo: dict[tuple[Any, ...], Entry] = field(default_factory=dict)
    price: Entry | None = None


class MarketMaking(Protocol):
    """The market M prices the judge's final belief over the choices; the adversary speaks; and so on until prices settle
    or the horizon is reached. Only then is the judge asked, once, with the question and the statements in order.

    The price stands unless an argument moves it: a judge whom nothing moves that was said answers `Stands`, and M(Q), its
    price from before anything was said, is then the final belief. So M, where it is right, loses nothing to an adversary
    who says nothing, and truth is the equilibrium; a later price would be one that empty words may have moved
    (docs/market_making.md). A play has two answers: the judge's belief, and M's last price (`other_answers`).

    Both are paid step by step (`losses`): M by a proper score against the judge's belief, the adversary for moving M.
    Payoffs are what those losses sum to, negated. Before it speaks the adversary may ask M anything: any question, whose
    modal answer it is told, and the price after a statement that it might make. M and adversary see the data; the judge
    looks at single cells of it.

    The judge may hold M to one local rule: a statement may cite "M(q) = a", and the protocol asks M whether it says so.
    A judge that checks nothing but how the answer follows from cited ones then reaches EXP, provided that the questions
    cited do not wait for each other in a circle (`moot.complexity.citations`).

    horizon: most statements. tolerance: prices have settled once one lies within this variation of the last; None: never. queries: questions of the adversary at a turn, to M or to frozen copies. citations: most in a statement.
    examine: whether the adversary may cross-examine the author of an earlier statement: a copy that sees what it saw
    then, and that statement. Equal questions get equal answers; judge and market see the exchange.
    reward, last, b: how the adversary is paid; scoring: how the market is (`losses`). limit: on a statement's text.
    quotes: what a statement must quote; check_quotes: whether quotes are verified. judge_source: how the judge sees the data.
    unmoved: what counts where nothing moves the judge, the market's first "price", or, as in the published protocol, what the
    "judge" then believes, who is not offered `Stands`: silence is rewarded there.
    """

    name: ClassVar[str] = "market"
    players: ClassVar[tuple[str, ...]] = ("market", "adversary", "judge")
    measure: ClassVar[str] = "reads_per_call"
    complexity_class: ClassVar[str | None] = "EXP"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "market-right-below")
    citing: ClassVar[bool] = True
    unnamed: ClassVar[Mapping[str, Any]] = {"unmoved": "judge", "check_quotes": False}

    horizon: Annotated[int, Field(ge=0)] = 4
    tolerance: Annotated[float, Field(ge=0, le=1)] | None = 0.01
    queries: Annotated[int, Field(ge=0)] = 16
    citations: Annotated[int, Field(ge=0)] = 16
    examine: bool = False
    reward: Reward = "abs_move"
    last: Last = "judge"
    b: Annotated[float, Field(gt=0, le=1e9)] = 1.0
    scoring: ScoringRule = ScoringRule()
    limit: Limit | None = None
    judge_source: Source = "metered"
    unmoved: Literal["price", "judge"] = "price"
    check_quotes: bool = True
    quotes: Quoting = "free"

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        need_passage(self, question, self.quotes)
        return {"market": "market", "adversary": "adversary", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> Decided:
        store = Store() if self.pointers else None
        record = Record(question.text if store is None else store.intern(question.text), store)
        prices = [await self.price(floor, record)]
        while len(record.turns) < self.horizon and not self.settled(prices):
            await self.argue(floor, record)
            prices.append(await self.price(floor, record))
        stands = self.unmoved == "price"
        kind, task = (Verdict | Stands, "verdict-or-stands") if stands else (Verdict, "verdict")
        said = await self.ask(floor, record, "judge", kind, record.public, to=(), task=task)
        final: Any = said.move
        if isinstance(final, Stands):
            final = Verdict(probabilities=prices[0].probabilities, text=final.text)
        paid = self.losses([price.probabilities for price in prices], final.probabilities)
        payoffs = {"market": 0.0 - sum(paid.market), "adversary": 0.0 - sum(paid.adversary)}
        return Decided(final, payoffs=payoffs, step=said.step)

    def other_answers(self, steps: Iterable[Any]) -> Mapping[str, tuple[float, ...]]:
        said = [step.move for step in steps if step.move.get("kind") == "price" and step.under is None]
        last = recorded_move(said[-1]) if said else None
        return {"market": last.probabilities} if isinstance(last, Price) else {}

    def settled(self, prices: list[Price]) -> bool:
        """Whether the last statement no longer moved the price."""
        if len(prices) < 2 or self.tolerance is None:
            return False
        return distance(prices[-2].probabilities, prices[-1].probabilities) <= self.tolerance

    def losses(self, prices: Sequence[Belief], final: Belief) -> Losses:
        """`losses` with this protocol's parameters."""
        return losses(prices, final, scoring=self.scoring, reward=self.reward, last=self.last, b=self.b)

    async def ask(
        self, floor: Floor, record: Record, seat: str, kind: Any, entries: Sequence[Entry], **about: Any
    ) -> Entry:
        """Ask a seat, with these statements before it; where messages hold pointers it may open some of them first."""
        opened: list[Entry] = []
        while True:
            may = len(opened) < self.opening()
            entry = await self.put(floor, record, seat, kind, [*entries, *opened], may, **about)
            if not isinstance(entry.move, Open):
                return entry
            opened.append(entry)

    async def put(
        self, floor: Floor, record: Record, seat: str, kind: Any, entries: Sequence[Entry], opens: bool, *,
        check: Check = None, last: Check = None, text: str | None = None, one_of: dict[str, list[str]] | None = None,
        details: dict[str, Any] | None = None, **more: Any,
    ) -> Entry:  # fmt: skip
        """One ask, about the question that is played or another text. opens: whether a pointer may be opened instead."""
        store, named, told, keep = record.store, dict(one_of or {}), dict(details or {}), None
        checks = [check, last or check]
        if store is not None:
            visible = shown(text or record.text, *(entry.move.content() for entry in entries))
            told["pointers"] = True
            if opens and visible:
                kind, named["pointer"] = kind | Open, visible
            keep = partial(kept, store=store)
            checks = [partial(pointed, store=store, visible=visible, check=each) for each in checks]
        if named:
            more["one_of"] = named
        if told:
            more["details"] = told
        if self.check_quotes:
            checks = [each and partial(self.verified, floor, each) for each in checks]
        view = floor.only(
            text or record.text, *entries, choices=() if text else floor.question.choices,
            source=self.judge_source if seat == "judge" else "all",
        )  # fmt: skip
        move = await floor.ask(seat, kind, view=view, check=checks[0], last=checks[1], keep=keep, say=False, **more)
        return Entry(floor.step, seat, move)

    def verified(self, floor: Floor, check: Callable[[Any], Any], move: Any) -> Any:
        """The move as it goes on the record, with its quotes verified."""
        passage = floor.question.passage
        return quoted_after(partial(check, move), passage, as_messages(passage) if self.pointers else None)

    def opening(self) -> int:
        """How many pointers a seat may open before it answers."""
        return 0

    # -- the market ----------------------------------------------------------------------------------------------------

    async def price(self, floor: Floor, record: Record) -> Price:
        """M(Q_t): the market's price, which the adversary is told."""
        turn = self.turn(record)
        record.price = await self.ask(floor, record, "market", Price, record.public, to=("adversary",), **turn)
        record.seen.append(record.price)
        return record.price.move  # type: ignore[return-value]

    def turn(self, record: Record, more: int = 0) -> dict[str, Any]:
        return {"task": "price", "round": len(record.turns) + more, "rounds": self.horizon}

    async def answer(self, floor: Floor, record: Record, query: Query, relation: str) -> Entry:
        """M at any question: a price for the one that is played, the modal answer for another. Equal ones are asked once."""
        main = query.question == record.text
        if main and not query.suppose and record.price is not None:
            return record.price
        key = (query.question, query.suppose, len(record.public) if main else 0)
        if key not in record.memo:
            entries = [*record.public] if main else []
            if query.suppose:
                said = Statement(text=query.suppose)
                said = self.verified(floor, lambda statement: statement, said) if self.check_quotes else said
                entries.append(Entry(floor.step, "adversary", said))
            asked: dict[str, Any] = {"to": ("adversary",), "under": floor.step, "relation": relation}
            if main:
                kind: Any = Price
                asked |= self.turn(record, more=1)
            else:
                kind = Reply
                asked |= {"check": checked(of=query.question), "text": query.question, "task": "query"}
            record.memo[key] = await self.ask(floor, record, "market", kind, entries, **asked)
        return record.memo[key]

    # -- the adversary -------------------------------------------------------------------------------------------------

    async def argue(self, floor: Floor, record: Record) -> None:
        """x_t: what the adversary says, after as many questions as it likes to put and may."""
        legal: Any = partial(self.legal, floor, record)
        for left in range(self.queries, -1, -1):
            kinds: Any = Statement | Query if left else Statement
            brief: dict[str, Any] = {"task": "statement", "round": len(record.turns) + 1, "rounds": self.horizon}
            if left:
                brief["details"] = {"queries": left}
                if self.examine and record.turns:
                    kinds, brief["one_of"] = kinds | Examine, {"turn": list(record.turns)}
            brief["most"] = {"cites": self.citations if self.citing else 0}
            brief |= rules(self.limit, quotes=self.quotes)
            entry = await self.put(
                floor, record, "adversary", kinds, record.seen, left > 0,
                check=legal, last=partial(legal, last=True), to=("market", "judge"), **brief,
            )  # fmt: skip
            move = entry.move
            if isinstance(move, Statement):
                return await self.state(floor, record, entry)
            if isinstance(move, Open):
                record.seen.append(entry)
                continue
            await floor.charge("adversary", "queries", 1)
            if isinstance(move, Query):
                record.seen += [entry, await self.answer(floor, record, move, "answers")]
            else:
                assert isinstance(move, Examine)
                exchange = [entry, await self.examined(floor, record, move)]
                record.public += exchange
                record.seen += exchange

    def legal(self, floor: Floor, record: Record, move: Said, last: bool = False) -> Said:
        """The move as it goes on the record. Raises Illegal with the rule that it breaks."""
        if isinstance(move, Examine):
            if move.turn not in record.turns:
                raise Illegal(f"no statement was made at step {move.turn}, only at {', '.join(record.turns)}")
            return move
        if isinstance(move, Query):
            return move
        if move.answer is None and not move.text.strip():
            raise Illegal("the statement is empty: give a text, or the answer that you claim")
        if move.cites and not self.citing:
            raise Illegal("this market does not take citations; argue without them")
        if len(move.cites) > self.citations:
            raise Illegal(f"{len(move.cites)} citations in a statement; there may be {self.citations}")
        with standing(partial(shortened, move, self.limit, last)):
            must_quote(move.text, floor.question.passage, self.quotes)
        return stamped(shortened(move, self.limit, last), partial(self.modal, floor, record))

    async def state(self, floor: Floor, record: Record, entry: Entry) -> None:
        """Put a statement before the judge and the market, its citations checked: for each the judge spends a query."""
        statement: Any = entry.move
        unknown = dict.fromkeys(cite.question for cite in statement.cites if cite.verified is None)
        if unknown:
            answers = (self.answer(floor, record, Query(question=each), "checks") for each in unknown)
            await floor.parallel(*answers, seats=["market"] * len(unknown))
            statement = stamped(statement, partial(self.modal, floor, record))
        if statement.cites:
            await floor.charge("judge", "queries", len(statement.cites))
        entry = entry._replace(move=statement)
        record.turns[entry.step] = tuple(record.seen), entry
        record.public.append(entry)
        record.seen.append(entry)

    def modal(self, floor: Floor, record: Record, question: str) -> str | None:
        """The modal M(question), where M has said it."""
        if question == record.text and record.price is not None:
            price: Any = record.price.move
            return UNKNOWN if price.choice is None else floor.question.choices[price.choice]
        known: Any = record.memo.get((question, "", 0))
        return None if known is None else known.move.answer

    async def examined(self, floor: Floor, record: Record, asked: Examine) -> Entry:
        """The answer of the adversary as it was at an earlier turn: it sees what it saw then, and nothing since."""
        key = (asked.turn, asked.question)
        if key not in record.memo:
            saw, said = record.turns[asked.turn]
            record.memo[key] = await self.ask(
                floor, record, "adversary", Reply, saw, check=checked(of=asked.question),
                to=("market", "judge"), under=floor.step, relation="answers", task="examine", asks=asked.question,
                details={"said": said.move.content()},
            )  # fmt: skip
        return record.memo[key]

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {"market": "all", "adversary": "all", "judge": self.judge_source}

    def decides(self, question: Question) -> str | None:
        """Without a statement the market alone decides, of which nothing is known; without citations it is NP."""
        if self.horizon == 0:
            return "P"
        if self.citing and not self.citations:
            return "NP"
        return self.complexity_class

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        if self.horizon == 0:
            return "the horizon is 0: nobody could argue against the market's price"
        if (hidden := unseen(self.judge, self.judge_source, question)) is not None:
            return hidden
        if self.unmoved == "judge":
            return "what an unmoved judge believes counts, so that silence may be the adversary's best play"
        if self.citing and self.citations and not self.queries:
            return "the adversary may ask the market nothing, and so cannot know what to cite"
        if self.last == "market":
            return 'a wrong market that heeds no statement pays nobody for last="market", and so is not found out'
        prices, said, due = list[Belief](), 0, True
        for move in moves:
            if move["kind"] == "stands" and self.decides(question) == "NP":
                return (
                    "no argument was right, and of an answer that none can show to be right the market may say anything"
                )
            if move["kind"] == "price" and due:  # others are answers to what the adversary supposed
                prices.append(move["probabilities"])
                due = False
            elif move["kind"] == "statement":
                said, due = said + 1, True
        moved = distance(prices[-2], prices[-1]) if len(prices) > 1 else 0.0
        if said >= self.horizon and moved > max(self.tolerance or 0.0, 1e-9):
            return f"the horizon of {self.horizon} was reached: the last statement still moved the price by {moved:.2g}"
        return None

    def utility_bound(self, question: Question) -> float:
        return most_lost(self.horizon, scoring=self.scoring, reward=self.reward, b=self.b)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        each, opens = self.horizon * self.queries, self.opening() + 1
        checks = self.horizon * self.citations if self.citing else 0
        return {
            "market": (1 + self.horizon + each + checks) * opens,
            "adversary": self.horizon + each * (1 + opens if self.examine else 1),
            "judge": opens,
        }


class UncitedMarketMaking(MarketMaking):
    """Market making whose statements may not cite the market: the judge must read the whole argument, and gets to NP
    (Shah 2020, in the comments on Hubinger 2020)."""

    name: ClassVar[str] = "market-uncited"
    measure: ClassVar[str] = "reads"
    complexity_class: ClassVar[str | None] = "NP"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge")
    citing: ClassVar[bool] = False


class PointerMarketMaking(MarketMaking):
    """Market making whose messages may hold pointers to messages of any size, which gets to R (Hubinger 2020, Alignment
    proposals and complexity classes).

    What stands in square brackets becomes a message of its own, with a pointer ("&" and 12 hex digits) in its place.
    Whoever is shown a pointer may open it, which is a read, or pass it on. opens: most in one answer.
    """

    name: ClassVar[str] = "market-pointers"
    complexity_class: ClassVar[str | None] = "R"
    pointers: ClassVar[bool] = True

    opens: Annotated[int, Field(ge=0)] = 16

    def roles(self, question: Question) -> dict[str, str]:
        check_message(self.name, question.text)
        return super().roles(question)

    def opening(self) -> int:
        return self.opens

    def decides(self, question: Question) -> str | None:
        reached = super().decides(question)
        return "EXP" if reached == self.complexity_class and not self.opens else reached


def pointed(move: Any, store: Store, visible: list[str], check: Callable[[Any], Move] | None) -> Move:
    """The check of any move where messages hold pointers: its brackets stored, then its own check."""
    if isinstance(move, Open) and pointers_in(move.pointer) != [move.pointer]:
        raise Illegal(f"{move.pointer!r} is no pointer; one is & and 12 hexadecimal digits")
    move = received(move, store, visible, "you; what may be opened and passed on is what was")
    return move if isinstance(move, Open) or check is None else check(move)
