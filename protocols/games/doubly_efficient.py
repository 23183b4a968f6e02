"""Doubly-efficient debate about a computation with a stochastic oracle: the judge's queries do not grow with its length.
Rule: the noisy oracle alone; without noise a step is done again, in `doubly_efficient_steps.py`.

Brown-Cohen, Irving and Piliouras 2023, Scalable AI safety via doubly-efficient debate (arXiv 2311.14125), with the steps
and the constants of its machine-checked proof. Alice states the probability of each bit, Bob accepts it or asks for the
judge, who samples that one probability; a bit that is accepted is a public coin.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, JsonValue

from moot.protocols.checks import checked
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.view import Entry
from moot.protocols.games.claims import ClaimGame, named
from moot.protocols.games.computations import Computation, computation_named

Share = Annotated[float, Field(gt=0, le=1)]
MOST = 10**18
"""The most queries that anybody can say to have made."""
Count = Annotated[int, Field(ge=0, le=MOST)]


def after(queries: int) -> str:
    """How often the author of a move says that it asked the oracle, in words; "" where it did not."""
    many = f"{queries:,}".replace(",", "\u202f")
    return f", after {many} {'query' if queries == 1 else 'queries'}" if queries else ""


class Counted(Move, abstract=True, fixed_cells=1):
    """A move that says how often its author asked the oracle, in a field `queries`."""

    def in_words(self) -> str:
        return super().in_words() + after(self.queries)  # type: ignore[attr-defined]


class Probability(Counted, argues=True, filled=("of",), fixed_cells=2, read_as="Pr({of} = 1) = {p:.6g}"):
    """The probability p that the oracle answers 1. of: the query (the protocol fills it in). queries: how often its author
    asked the oracle for it."""

    kind: Literal["probability"] = "probability"
    of: str = ""
    p: Annotated[float, Field(ge=0, le=1)]
    queries: Count = 0


class Check(Counted):
    """Whether an estimate is accepted; if not, the judge tests it. queries: how often its author asked the oracle."""

    kind: Literal["check"] = "check"
    accept: bool
    queries: Count = 0

    def content(self) -> str:
        return "accepted" if self.accept else "challenged"


def samples(error: float, failure: float) -> int:
    """How many samples give the mean within `error` but for a probability of `failure` (Hoeffding 1963). UsageError when
    they are more than MOST."""
    squared = 2 * error * error
    wanted = math.log(2 / failure) / squared if squared > 0 else math.inf
    if wanted > MOST:
        raise UsageError(f"an error of {error:g} but for {failure:g} takes more than {MOST:g} samples; allow more")
    return math.ceil(wanted)


@dataclass(frozen=True)
class Constants:
    """What one debate rests on. K: Lipschitz constant. queries: T, the most queries of the computation. w: the computation
    gives its answer with at least this probability; d: the honest side then wins with at least that.

    Alice states p within c, but for probability q. Bob accepts what is within s and challenges what is off by b, but for
    q. The judge accepts what is within c and rejects what is off by s, but for v. alice, bob, judge: samples of each for
    one query. bob_within, judge_within: they accept an estimate that lies nearer than this to their own.
    """

    K: float
    queries: int
    w: float
    d: float
    c: float
    s: float
    b: float
    q: float
    v: float

    @cached_property
    def alice(self) -> int:
        return samples(self.c, self.q)

    @cached_property
    def bob(self) -> int:
        return samples((self.b - self.s) / 2, self.q)

    @cached_property
    def judge(self) -> int:
        return samples((self.s - self.c) / 2, self.v)

    @cached_property
    def bob_within(self) -> float:
        return (self.s + self.b) / 2

    @cached_property
    def judge_within(self) -> float:
        return (self.c + self.s) / 2

    def fault(self) -> str | None:
        """Which condition of the theorem fails, with its numbers; None when the guarantee holds."""
        missed = self.q * self.queries
        complete = (1 - self.v) * (self.w - self.K * self.c - missed)
        sound = (1 - self.v) * (1 - missed) * (self.w - self.K * self.b)
        conditions = (
            (0 < self.c < self.s < self.b, f"0 < c < s < b: c = {self.c}, s = {self.s}, b = {self.b}"),
            (self.q <= self.v <= 1, f"q <= v <= 1: q = {self.q}, v = {self.v}"),
            (self.K * self.b <= self.w, f"K b <= w: K b = {self.K * self.b}, w = {self.w}"),
            (self.d <= complete, f"completeness, d <= (1-v)(w - K c - q T) = {complete}: d = {self.d}, T = {self.queries}"),
            (self.d <= sound, f"soundness, d <= (1-v)(1 - q T)(w - K b) = {sound}: d = {self.d}, T = {self.queries}"),
        )  # fmt: skip
        return next((said for holds, said in conditions if not holds), None)


@lru_cache(maxsize=256)
def constants(
    K: float, queries: int, *, w: float = 2 / 3, d: float = 3 / 5, c: float | None = None, s: float | None = None,
    b: float | None = None, q: float | None = None, v: float = 1 / 100,
) -> Constants:  # fmt: skip
    """The constants of a debate about a K-Lipschitz computation of at most `queries` queries.

    Those that are None are c = 1/(100 K), s = 2/(100 K), b = 5/(100 K), q = 1/(100 queries), with which w = 2/3 and d = 3/5
    hold. Raises UsageError naming the condition that fails, where K or `queries` is not above 0, and where somebody would
    have to take more than MOST samples for one query.
    """
    if not 0 < K < math.inf or queries < 1:
        raise UsageError(f"doubly-efficient debate: K = {K} and {queries} queries; both must be above 0")
    made = Constants(
        K, queries, w, d, 1 / (100 * K) if c is None else c, 2 / (100 * K) if s is None else s,
        5 / (100 * K) if b is None else b, 1 / (100 * queries) if q is None else q, v,
    )  # fmt: skip
    if (fault := made.fault()) is not None:
        raise UsageError(f"doubly-efficient debate: these constants break {fault}")
    _ = made.alice, made.bob, made.judge  # raises where they are too many
    return made


class DoublyEfficientDebate(ClaimGame):
    """Does this computation answer True with probability at least w, or at most 1 - w? Alice claims "yes", Bob "no".

    Alice is the seat that defends "yes" (a, where "yes" is listed first). The computation runs in the debate: for each of
    its queries Alice states the probability of a 1, and Bob accepts or challenges. What is accepted becomes a bit by a
    public coin, and the computation goes on. What is challenged the judge tests, by `Constants.judge` samples that are
    charged to its "queries" beforehand; its verdict ends the debate. With no challenge the computation's answer does.

    Where the promise holds, honest play wins with probability d against any other, and the judge's samples, once in a
    play, depend on K and not on the number of queries. access is relative to the oracle: what a machine decides with it in
    polynomial time, the judge checks with O(K^2) queries. A T-query computation is T-Lipschitz, so that K = T
    will always do.

    computation, input: what is computed; where `computation` is None the question's data names both. K: the Lipschitz
    constant (None: the computation's own). w, d, c, s, b, q, v: see `constants`. Debaters say in their moves how often they
    asked the oracle; nothing rests on it, and it is charged to their "queries" in one sum each, before the debate ends or
    goes to the judge.
    """

    name: ClassVar[str] = "doubly-efficient"
    complexity_class: ClassVar[str | None] = "P^O"
    assumes: ClassVar[tuple[str, ...]] = ("optimal-play", "right-judge", "polynomial-judge", "lipschitz", "promise")
    measure: ClassVar[str] = "queries"
    dynamics: ClassVar[str] = "sequential"

    computation: str | None = None
    input: JsonValue = None
    K: Annotated[float, Field(gt=0)] | None = None
    w: Share = 2 / 3
    d: Share = 3 / 5
    c: Share | None = None
    s: Share | None = None
    b: Share | None = None
    q: Share | None = None
    v: Share = 1 / 100

    def __init__(self, **fields: Any) -> None:
        super().__init__(**fields)
        if self.K is not None:  # what no computation can mend is said at once; a default q only gets smaller
            q = min(self.v, 1 / 100) if self.q is None else self.q
            constants(self.K, 1, w=self.w, d=self.d, c=self.c, s=self.s, b=self.b, q=q, v=self.v)

    def fit(self, question: Question) -> str | None:
        self.constants(question)
        return None

    def computed(self, question: Question) -> tuple[Computation, Any]:
        """The computation and its input. UsageError when neither the protocol nor the question's data names them."""
        name, x = named(self.computation, self.input, question.data, "computation")
        return computation_named(name), x

    def constants(self, question: Question) -> Constants:
        """The constants of a debate about this question. UsageError when the theorem's conditions do not hold."""
        made, x = self.computed(question)
        K = made.constant(x) if self.K is None else self.K
        return constants(K, made.queries(x), w=self.w, d=self.d, c=self.c, s=self.s, b=self.b, q=self.q, v=self.v)

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        made, x = self.computed(question)
        if made.lipschitz is not None and self.K is not None and self.K < (declared := made.constant(x)):
            return f"K = {self.K:g} is below the {declared:g} that computation {made.name} declares"
        if self.d <= 1 / 2 or self.w <= 1 / 2:
            return f"with w = {self.w:g} and d = {self.d:g} the wrong side may win as often as not"
        return None

    async def play(self, floor: Floor, question: Question) -> Decided:
        alice, bob = self.sides(question)
        made, x = self.computed(question)
        rules = self.constants(question)
        running, bit, answer = made.run(x), None, False
        said, before = Probability(p=0), None
        accepted = True
        asked = {alice: 0, bob: 0}
        for number in range(rules.queries + 1):
            try:
                query = running.send(bit)  # type: ignore[arg-type]
            except StopIteration as stop:
                answer = stop.value
                break
            if number == rules.queries:
                raise UsageError(f"computation {made.name} asks more than its worst({x!r}) = {rules.queries} queries")
            said = await floor.ask(
                alice, Probability, view=floor.said(source="all"), check=checked(of=query), under=before, task="estimate",
                details={"query": query, "step": number, "samples": rules.alice},
            )  # fmt: skip
            before = floor.step
            check: Check = await floor.ask(
                bob, Check, view=floor.said(source="all"), under=before, relation="checks", task="check",
                details={"query": query, "step": number, "samples": rules.bob, "within": rules.bob_within},
            )  # fmt: skip
            asked[alice] += said.queries
            asked[bob] += check.queries
            accepted = check.accept
            if not accepted:
                break
            bit = await floor.flip(said.p)
        running.close()
        for seat, count in asked.items():
            if count:
                await floor.charge(seat, "queries", count)
        if before is None or accepted:
            return self.decided(floor, self.sure(question, answer, "the computation answered so"))
        await floor.charge("judge", "queries", rules.judge)
        view = floor.only(
            question.text, Entry(before, alice, said), choices=question.choices, source="metered",
            data=of_oracle(question.data, said.of),
        )  # fmt: skip
        told = {"query": said.of, "samples": rules.judge, "within": rules.judge_within}
        return await self.judged(floor, view, "test", details=told)

    def most_moves(self, question: Question) -> dict[str, int] | None:
        alice, bob = self.sides(question)
        most = self.constants(question).queries
        return {alice: most, bob: most, "judge": 1}


def of_oracle(data: JsonValue, query: str | None) -> JsonValue:
    """The data as a judge who is charged for this query may look at it: of an "oracle" in it there is this answer alone."""
    if not isinstance(data, dict) or not isinstance(oracle := data.get("oracle"), dict):
        return data
    return {**data, "oracle": {query: oracle[query]} if query in oracle else {}}
