"""When a guarantee holds: every condition alone takes it away; and what market making's rests on, step by step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
from broken import Two
from broken_sight import Claims, ClaimsByQueries, FallsShort
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR
from pydantic_core import to_json

import moot
from moot.complexity.citations import circle_of, citations, groundless
from moot.complexity.guarantee import declared_n, guarantee_of
from moot.complexity.play import Step
from moot.complexity.spending import Ledger, Size, Spending
from moot.protocols.amplification.approval import Approval
from moot.protocols.amplification.moves import Reply
from moot.protocols.debate.parts import Negotiate, Speeches
from moot.protocols.engine.base import known_protocols
from moot.protocols.engine.metadata import PREMISES
from moot.protocols.market.moves import Citation, Query, Statement
from moot.tasks.arithmetic.citing import CitingPair, GroundedPair
from moot.tasks.arithmetic.sums import Sum

QUESTION = moot.Question("Who?", ("x", "y"), size=6)
DECIDED = moot.Decided(FAIR)
EXHAUSTED = moot.Exhausted(seat="judge", measure="reads_per_call", used=9, limit=8)


class NamesNothing(Claims):
    """What its question names cannot be found on this machine."""

    def unmet_assumption(self, question: Any, moves: Any) -> str | None:
        raise moot.UsageError("no machine is called so")


class Looks(Claims):
    """What is missing shows in the question and in the moves."""

    def unmet_assumption(self, question: Any, moves: Any) -> str | None:
        return f"{question.text} {[move['text'] for move in moves]}"


class OneCall(Claims):
    measure: ClassVar[str] = "reads_per_call"


class Cites(Claims):
    citing: ClassVar[bool] = True


class CitesAndFallsShort(FallsShort):
    citing: ClassVar[bool] = True


class JudgedByNobody(Claims):
    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater"}


def played(protocol: moot.Protocol, outcome: Any, bounds: Any, **spent: Any) -> Any:
    seats = {"a": Spending(reads=1000), "b": Spending(reads=1000), "judge": Spending(**spent)}
    ledger = Ledger(n=6, unit="cells", seats=seats, bounds=bounds, tree=Size())
    roles = protocol.roles(QUESTION)
    started = {"roles": {"b": "debater", **roles}, "meta": {}}
    return SimpleNamespace(protocol=protocol, question=QUESTION, started=started, ledger=ledger, outcome=outcome, steps=lambda: iter([]))  # fmt: skip


BOUND = {"judge": {"reads": 9, "queries": 2}, "a": {"reads": 1}}


@pytest.mark.parametrize(
    ("protocol", "outcome", "bounds", "reads", "holds", "because"),
    [
        (Claims(), DECIDED, BOUND, 9, True, "the judge spent 9 reads of at most 9 at n = 6"),
        (Claims(), DECIDED, BOUND, 0, True, "the judge spent 0 reads of at most 9 at n = 6"),
        (Claims(), DECIDED, BOUND, 10, False, "the judge spent 10 reads of 9"),
        (Claims(), DECIDED, BOUND, None, False, "the judge's reads are unknown"),
        (Claims(), DECIDED, {"a": {"reads": 9}}, 5, False, "the judge's reads were not bounded"),
        (Claims(), DECIDED, {"judge": {"queries": 9}}, 5, False, "the judge's reads were not bounded"),
        (Claims(), DECIDED, {"judge": {"reads": 0}}, 0, True, "the judge spent 0 reads of at most 0 at n = 6"),
        (Claims(), EXHAUSTED, BOUND, 5, False, "the judge would have spent 9 reads per call of 8"),
        (Claims(), moot.Forfeited(seat="a", rule="x"), BOUND, 5, False, "the play was not decided"),
        (Claims(), moot.Decided(moot.Verdict(probabilities=(0.5, 0.5))), BOUND, 5, False, "the verdict puts no answer ahead of the others"),
        (Claims(), None, BOUND, 5, False, "the play was not decided"),
        (Two(), DECIDED, BOUND, 5, False, "no theorem is claimed for this protocol"),
        (FallsShort(), DECIDED, BOUND, 5, False, "too few rounds"),
        (NamesNothing(), DECIDED, BOUND, 5, False, "no machine is called so"),
        (FallsShort(), DECIDED, BOUND, 10, False, "the judge spent 10 reads of 9"),
        (JudgedByNobody(), DECIDED, BOUND, 5, False, "the judge's reads were not bounded"),
    ],
)  # fmt: skip
def test_each_condition_alone_takes_the_guarantee_away(
    protocol: Any, outcome: Any, bounds: Any, reads: Any, holds: bool, because: str
) -> None:
    found = guarantee_of(played(protocol, outcome, bounds, reads=reads, queries=2))
    assert (found.holds, found.because) == (holds, because)
    seated = "judge" in protocol.roles(QUESTION)
    assert found.used == (reads if seated else None) and found.n == 6 and found.protocol == protocol.name
    assert found.budget == (bounds.get("judge", {}).get("reads") if seated else None)
    assert found.complexity_class == type(protocol).complexity_class
    with pytest.raises(ValueError, match="frozen"):
        found.holds = True


def test_what_must_stay_polynomial_is_the_protocols_to_say() -> None:
    found = guarantee_of(played(ClaimsByQueries(), DECIDED, BOUND, reads=100, queries=2))
    assert (found.holds, found.measure, found.used, found.budget) == (True, "judge queries", 2, 2)
    assert not guarantee_of(played(ClaimsByQueries(), DECIDED, BOUND, reads=0, queries=3)).holds


def test_the_protocol_is_shown_the_question_and_the_moves() -> None:
    play = played(Looks(), DECIDED, BOUND, reads=5)
    play.steps = told([("a", moot.Speech(text="so"), None)]).steps
    assert guarantee_of(play).because == "Who? ['so']"


@pytest.mark.parametrize(("reads", "holds", "because"), [(4, True, "the judge spent 4 reads per call of at most 4 at n = 6"), (5, False, "the judge spent 5 reads per call of 4"), (None, False, "the judge's reads per call are unknown")])  # fmt: skip
def test_a_measure_is_told_in_words(reads: int | None, holds: bool, because: str) -> None:
    found = guarantee_of(played(OneCall(), DECIDED, {"judge": {"reads_per_call": 4}}, reads_per_call=reads))
    assert (found.holds, found.because, found.measure) == (holds, because, "judge reads_per_call")


@pytest.mark.parametrize(
    ("protocol", "reads", "circular", "holds", "because"),
    [
        (Cites(), 9, False, True, "the judge spent 9 reads of at most 9 at n = 6"),
        (Cites(), 9, True, False, "citations wait for each other: "),
        (Cites(), 10, True, False, "the judge spent 10 reads of 9"),
        (CitesAndFallsShort(), 9, True, False, "too few rounds"),
        (Claims(), 9, True, True, "the judge spent 9 reads of at most 9 at n = 6"),
    ],
)
def test_where_statements_rest_on_citations_these_must_rest_on_something(
    protocol: Any, reads: int, circular: bool, holds: bool, because: str
) -> None:
    task = CitingPair()
    cited = next(iter(task.questions(task.sample(1, 0).question.data)))
    play = played(protocol, DECIDED, BOUND, reads=reads)
    ground = paired(task, [(cited, True)] if circular else [], {"task": task.name})
    play.steps, play.question, play.started["meta"] = ground.steps, ground.question, ground.started["meta"]
    found = guarantee_of(play)
    assert found.holds is holds and found.because.startswith(because)
    assert guarantee_of(play, GroundedPair()).holds is (holds or because.startswith("citations")), (
        "the caller's rule counts"
    )


# -- what market making's guarantee rests on ---------------------------------------------------------------------------

NAMES, ANSWERS = st.sampled_from(["q", "r"]), st.sampled_from(["1", "2"])
QUERIES = st.builds(lambda question, suppose: ("adversary", Query(question=question, suppose=suppose), None), NAMES, st.sampled_from(["", "so it is"]))  # fmt: skip
REPLIES = st.builds(lambda seat, of, answer, relation: (seat, Reply(of=of, answer=answer), relation), st.sampled_from(["market", "adversary"]), NAMES, ANSWERS, st.sampled_from([None, "checks"]))  # fmt: skip
CITES = st.lists(st.builds(Citation, question=NAMES, answer=ANSWERS, verified=st.sampled_from([None, True, False])), max_size=2)  # fmt: skip
STATEMENTS = st.builds(lambda cites: ("adversary", Statement(text="so", cites=tuple(cites)), None), CITES)


def told(moves: list[Any], meta: Any = None, **more: Any) -> Any:
    steps = [
        Step(str(place), seat, move.model_dump(mode="json"), None, None, relation, 0, "", 0)
        for place, (seat, move, relation) in enumerate(moves)
    ]
    return SimpleNamespace(steps=lambda: iter(steps), started={"meta": meta or {}}, **more)


@given(st.lists(QUERIES | REPLIES | STATEMENTS, max_size=8))
def test_a_citation_is_verified_by_the_markets_first_own_answer_and_by_nothing_else(moves: list[Any]) -> None:
    says: dict[str, str] = {}
    supposed = False
    for seat, move, relation in moves:
        if isinstance(move, Query):
            supposed = move.suppose != ""
        elif isinstance(move, Reply) and seat == "market" and not (supposed and relation != "checks"):
            says[move.of] = says.get(move.of, move.answer)
    expected = [
        (str(place), cite.question, cite.answer, cite.verified if cite.verified is not None or cite.question not in says
         else says[cite.question] == cite.answer)
        for place, (_, move, _) in enumerate(moves) if isinstance(move, Statement) for cite in move.cites
    ]  # fmt: skip
    play = told(moves)
    found = [(step, cite.question, cite.answer, cite.verified) for step, cite in citations(play)]
    assert found == expected
    grounds = any(verified for *_, verified in expected)
    assert (groundless(play) is None) is not grounds, "only what was verified must rest on something"


def paired(task: Any, cited: Any, meta: Any = None, text: str | None = None) -> Any:
    """A play on a pair's first question (or `text`), in which these questions were cited."""
    sample = task.sample(1, 0)
    question = sample.question if text is None else sample.question.model_copy(update={"text": text})
    cites = tuple(Citation(question=question, answer="1", verified=verified) for question, verified in cited)
    statement = ("adversary", Statement(text="so", cites=cites), None)
    return told([statement], meta, question=question, protocol=moot.MarketMaking())


def test_what_was_cited_must_not_wait_for_itself() -> None:
    task = CitingPair()
    first, second = task.questions(task.sample(1, 0).question.data)
    for cited in ([(first, True)], [(second, True)], [(second, False), (first, True)]):
        because = groundless(paired(task, cited), task)
        assert because is not None and because.startswith("citations wait for each other: ")
        circle = because.removeprefix("citations wait for each other: ").split(" -> ")
        assert circle[0] == circle[-1] and set(circle) == {first, second} and len(circle) == 3
    for idle in ([], [(first, False)], [(first, None)]):
        assert groundless(paired(task, idle), task) is None
    assert groundless(paired(GroundedPair(), [(first, True)]), GroundedPair()) is None


def test_whose_rule_it_is_comes_from_the_caller_or_from_the_transcript() -> None:
    task = CitingPair()
    first = next(iter(task.questions(task.sample(1, 0).question.data)))
    named, unnamed = ({"task": task.name}, None)
    assert "wait for each other" in (groundless(paired(task, [(first, True)], named)) or "")
    assert "no task with a rule is known" in (groundless(paired(task, [(first, True)], unnamed)) or "")
    assert groundless(paired(task, [(first, True)], named), GroundedPair()) is None, "the caller's word counts"
    assert "no task with a rule is known" in (groundless(paired(task, [(first, True)], {"task": 7})) or "")


def test_what_is_no_question_of_the_task_supports_nothing_unless_it_was_played() -> None:
    task = GroundedPair()
    assert circle_of(paired(task, [("what is this", True)]), task) == ()
    with pytest.raises(moot.UsageError):
        circle_of(paired(task, [], text="what is this"), task)
    circular = CitingPair()
    first, _ = circular.questions(circular.sample(1, 0).question.data)
    assert circle_of(paired(circular, [("what is this", True), (first, True)]), circular)


class Loop:
    """A task of one question that rests on itself, and of others that rest on nothing."""

    name: ClassVar[str] = "loop"
    well_founded: ClassVar[bool] = False

    def rule(self, text: str, look: Any) -> Any:
        if text == "loop":
            yield ("loop",)
        return "1"


@pytest.mark.parametrize(("verified", "circle"), [(True, ("loop",)), (False, ()), (None, ())])
def test_what_was_not_verified_supports_nothing_and_so_makes_no_circle(verified: bool | None, circle: Any) -> None:
    assert circle_of(paired(GroundedPair(), [("leaf", True), ("loop", verified)], text="leaf"), Loop()) == circle


# -- what the class comes to with the parameters that there are ---------------------------------------------------------

TWO = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="The admiral ordered the sluices open.")
SURE = moot.Verdict(probabilities=(0.9, 0.1))


def ended(protocol: moot.Protocol, question: moot.Question = TWO, **bounds: Any) -> moot.Guarantee:
    """The guarantee of a play in which everybody says something short, the judge bounded generously."""

    def anybody(request: moot.Request) -> Any:
        for kind in request.kinds:
            if issubclass(kind, moot.Verdict):
                return kind(probabilities=(0.9, 0.1))
        return moot.testing.puppet(request)

    about = protocol.metadata(question)
    bound = bounds or {about.measure: "100*n + 20000"}
    roles = about.seats or {}
    seats = {role: moot.Bounded(anybody, **bound) if role == about.judge else anybody for role in roles.values()}
    return moot.run(protocol, question, seats).guarantee


SPEECH, IN_TURN = Speeches(), Speeches(order="sequential")


@pytest.mark.parametrize(
    ("protocol", "reached"),
    [
        (moot.Debate(rounds=0), "P"),
        (moot.Debate(rounds=1), "S2P"),
        (moot.Debate(), "Sigma2P"),
        (moot.Debate(rounds=5), "Sigma5P"),
        (moot.Debate(rounds=1, order="sequential"), "Sigma2P"),
        (moot.Debate(rounds=3, order="sequential"), "Sigma6P"),
        (moot.Debate(rounds=1, repeat=(), closing=(SPEECH,)), "S2P"),
        (moot.Debate(rounds=1, opening=(IN_TURN,), closing=(SPEECH,)), "Sigma4P"),
        (moot.Debate(rounds=None, repeat=(SPEECH, Negotiate())), "PSPACE"),
        (moot.OpenDebate(rounds=1), "S2P"),
        (moot.Consultancy(rounds=0), "P"),
        (moot.Consultancy(rounds=0, closing=(SPEECH,)), "NP"),
        (moot.Consultancy(rounds=7), "NP"),
        (moot.Critique(), "Sigma2P"),
        (moot.Critique(reply=True), "Sigma3P"),
        (moot.DoubleConsultancy(rounds=0), "P"),
        (moot.DoubleConsultancy(), "S2P"),
        (moot.DoubleConsultancy(judged="apart"), "NP"),
        (moot.Propaganda(), "NP"),
        (moot.DirectQA(), "P"),
        (moot.MarketMaking(citations=0, horizon=2), "NP"),
        (moot.Amplification(depth=0), "P"),
        (moot.StrongAmplification(turns=1), "P"),
        (moot.Amplification(questions=1), "P"),
        (moot.Amplification(budget=0), "P"),
        (Approval(turns=1), "P"),
    ],
)  # fmt: skip
def test_a_class_is_that_of_the_language_that_these_parameters_decide(protocol: moot.Protocol, reached: str) -> None:
    found = protocol.decides(TWO)
    assert found == reached
    assert ended(protocol).complexity_class == reached


@pytest.mark.parametrize(
    ("protocol", "because"),
    [
        (moot.MarketMaking(horizon=0), "the horizon is 0: nobody could argue"),
        (moot.PointerMarketMaking(opens=0, horizon=0), "the horizon is 0: nobody could argue"),
        (moot.MarketMaking(queries=0, horizon=2), "the adversary may ask the market nothing"),
    ],
)
def test_a_play_in_which_nobody_could_argue_has_no_guarantee(protocol: moot.Protocol, because: str) -> None:
    found = ended(protocol)
    assert not found.holds and found.because.startswith(because)


def price(first: float) -> dict[str, Any]:
    return {"kind": "price", "probabilities": [first, 1 - first]}


SAID = {"kind": "statement"}
ASKED: dict[str, Any] = {"kind": "query", "question": "q", "suppose": "so"}


@pytest.mark.parametrize(
    ("moves", "short"),
    [
        ([price(0.5), SAID, price(0.9), SAID, price(0.6)], True),
        ([price(0.5), SAID, price(0.9), SAID, price(0.9)], False),
        ([price(0.5), SAID, price(0.5)], False),
        ([price(0.5), ASKED, price(0.1), SAID, price(0.5), ASKED, price(0.9), SAID, price(0.5)], False),
        ([price(0.5), ASKED, price(0.5), SAID, price(0.5), ASKED, price(0.5), SAID, price(0.9)], True),
    ],
)
def test_a_market_that_still_moved_at_its_horizon_falls_short(moves: Any, short: bool) -> None:
    found = moot.MarketMaking(horizon=2).unmet_assumption(TWO, moves)
    assert (found is not None and "horizon of 2 was reached" in found) is short, found


def asks(of: str, *parts: str) -> dict[str, Any]:
    return {"kind": "subquestions", "of": of, "questions": list(parts)}


@pytest.mark.parametrize(
    ("params", "moves", "short"),
    [
        ({"depth": 1}, [asks(TWO.text, "q")], "cut at depth 1"),
        ({"depth": 2}, [asks(TWO.text, "q")], None),
        ({"depth": 2}, [asks(TWO.text, "q"), asks("q", "r")], "cut at depth 2"),
        ({"depth": 2}, [], None),
        ({"depth": None}, [asks(TWO.text, "q"), asks("q", "r"), asks("r", "s")], None),
        ({"depth": None, "questions": 3}, [asks(TWO.text, "q", "r")], None),
        ({"depth": None, "questions": 3}, [asks(TWO.text, "q", "r", "s")], "first 3 had to be answered"),
        ({"depth": None, "questions": 3}, [asks(TWO.text, "q", "r"), asks("q", "r")], None),
        ({"depth": None, "budget": 9}, [asks(TWO.text, "q")], "a budget of 9 does not grow"),
    ],
)
def test_an_overseer_that_had_to_answer_at_once_falls_short(params: Any, moves: Any, short: str | None) -> None:
    found = moot.Amplification(**params).unmet_assumption(TWO, moves)
    assert (found is None) if short is None else (found is not None and short in found), found


def test_premises_are_listed_and_known() -> None:
    assert moot.Amplification(model=True).premises(TWO)[-1] == "model-right-below"
    for made in known_protocols().values():
        assert set(made.assumes) <= set(PREMISES), made.name
    with pytest.raises(moot.ProtocolError, match="assumes is"):
        type("Hopes", (Claims,), {"assumes": ("hope",), "__annotations__": {"assumes": ClassVar[Any]}})


# -- n, and what one bound says ------------------------------------------------------------------------------------------


@given(st.integers(1, 10**9))
def test_a_declared_n_is_no_more_than_the_question_is_long(size: int) -> None:
    question = moot.Question(TWO.text, TWO.choices, passage=TWO.passage, data=[1, 22], size=size)
    written = len(TWO.text) + sum(map(len, TWO.choices)) + len(TWO.passage or "") + len("[1,22]")
    play = SimpleNamespace(question=question, started={"meta": {}})
    vouched, fault = declared_n(play)
    assert not vouched and (fault is None) is (size <= written)


def test_an_n_that_is_not_the_instances_takes_the_guarantee_away() -> None:
    task = Sum()
    sample = task.sample(16, 1)
    made, seats = task.staged("market-uncited", sample)
    right = moot.run(made, sample, seats).guarantee
    assert right.holds and right.n == 16 and "declared-n" not in right.assumes and right.polynomial is not None
    for size in (15, 17, 40, 10**9):
        forged = moot.Sample(sample.question.model_copy(update={"size": size}), sample.unseal(), sample.task)
        found = moot.run(made, forged, seats).guarantee
        assert not found.holds, (size, found)
    other = moot.Sample(sample.question, sample.unseal(), "no-such-task")
    assert "declared-n" in moot.run(made, other, seats).guarantee.assumes


def test_a_bound_without_n_in_it_is_told_as_what_it_is() -> None:
    constant, growing = ended(moot.Debate(), reads=10**24), ended(moot.Debate(), reads="n + 20000")
    assert constant.holds and constant.polynomial == str(10**24) and constant.because.endswith("the same at every n")
    assert growing.holds and growing.polynomial == "n + 20000" and "same at every n" not in growing.because


# -- a guarantee over several n --------------------------------------------------------------------------------------


def family(
    protocol: Any, spends: Any, declared: str | None = None, sizes: Any = (4, 8, 16, 32)
) -> moot.FamilyGuarantee:
    def play(n: int) -> Any:
        made = protocol(n) if callable(protocol) else protocol
        bound = declared or str(10**9)
        described = {"judge": {"bound": {"reads": bound if declared else str(10**6 + n)}}}
        ledger = Ledger(n=n, unit="cells", seats={"judge": Spending(reads=spends(n))}, tree=Size(),
                        bounds={"judge": {"reads": moot.Polynomial.parse(bound)(n)}})  # fmt: skip
        question = moot.Question("x" * 5000, ("x", "y"), size=n)
        started = {"roles": made.roles(question), "meta": {"seats": described}}
        return SimpleNamespace(protocol=made, question=question, started=started, ledger=ledger, outcome=moot.Decided(SURE), steps=lambda: iter([]))  # fmt: skip

    return moot.guarantee_over(play(n) for n in sizes)


def test_spending_at_several_n_names_a_polynomial_that_it_stays_under() -> None:
    found = family(Claims(), lambda n: 3 * n * n)
    assert (
        found.holds
        and found.fit.kind == "polynomial"
        and found.stays_under == "3*n^2"
        and found.plays == found.holding == 4
    )
    declared = family(Claims(), lambda n: 3 * n * n, "4*n^2")
    assert declared.holds and declared.stays_under == "4*n^2" and "declared" in declared.because
    over = family(Claims(), lambda n: 3 * n * n, "12*n")
    assert not over.holds and over.holding == 1 and over.because.startswith("at n = 8:")
    grows = family(Claims(), lambda n: 2**n, sizes=(4, 8, 12, 16))
    assert not grows.holds and grows.stays_under is None and grows.fit.kind == "exponential"


def test_a_class_over_several_n_is_the_protocols_own_where_parameters_grow_with_n() -> None:
    deeper = lambda n: moot.Debate(rounds=n, order="sequential")  # noqa: E731
    assert family(deeper, lambda n: n).complexity_class == "PSPACE"
    assert family(moot.Debate(rounds=2), lambda n: n).complexity_class == "Sigma2P"
    assert family(lambda n: moot.Debate(rounds=100 - n), lambda n: n).complexity_class is None


def test_a_family_needs_one_protocol_and_three_sizes() -> None:
    with pytest.raises(moot.UsageError, match="different n"):
        family(Claims(), lambda n: n, sizes=(4, 8))
    with pytest.raises(moot.UsageError, match="plays of one protocol"):
        moot.guarantee_over([])
    with pytest.raises(moot.UsageError, match="unknown"):
        family(Claims(), lambda n: None)


def test_a_program_that_counts_its_steps_is_held_to_them_and_is_taken_at_its_word() -> None:
    def judge(request: moot.Request) -> moot.Verdict:
        for _ in range(30):
            request.budget.charge("computes", 1)
        return SURE

    def asked(**bounds: Any) -> moot.Transcript:
        return moot.run(moot.DirectQA(), TWO, {"judge": moot.Bounded(judge, reads="n", **bounds)})

    told = asked(computes="3*n")
    assert told.ledger.spent("judge", "computes") == 30 and told.guarantee.holds
    assert told.guarantee.assumes == ("right-judge", "reported-computing", "declared-n")
    assert moot.replay(told).digest == told.digest
    over = asked(computes="n")
    assert isinstance(over.outcome, moot.Exhausted) and (over.outcome.measure, over.outcome.limit) == (
        "computes",
        TWO.size,
    )
    assert "polynomial-judge" in asked().guarantee.assumes


# -- at the edges ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [None, [1, 22], {"cells": "x" * 40}])
def test_a_question_is_as_long_as_all_that_is_written_in_it(data: Any) -> None:
    def at(size: int) -> Any:
        question = moot.Question(TWO.text, TWO.choices, passage=TWO.passage, about="so", data=data, size=size)
        return SimpleNamespace(question=question, started={"meta": {}})

    written = len(TWO.text) + sum(map(len, TWO.choices)) + len(TWO.passage or "") + 2
    written += 0 if data is None else len(to_json(data))
    assert declared_n(at(written))[1] is None and declared_n(at(written + 1))[1] is not None


def test_what_holds_not_lists_what_it_would_have_assumed_and_says_nothing_of_other_n() -> None:
    over = guarantee_of(played(Claims(), DECIDED, BOUND, reads=10, queries=0))
    assert "declared-n" in over.assumes and over.because == "the judge spent 10 reads of 9"
    constant = played(Claims(), DECIDED, BOUND, reads=10, queries=0)
    constant.started["meta"] = {"seats": {"judge": {"bound": {"reads": "9"}}}}
    assert (
        guarantee_of(constant).because == "the judge spent 10 reads of 9" and guarantee_of(constant).polynomial == "9"
    )


def test_a_bound_on_computing_that_nobody_reports_leaves_the_premise() -> None:
    silent = moot.Bounded(lambda request: SURE, reads="n", computes="n")
    found = moot.run(moot.DirectQA(), TWO, {"judge": silent}).guarantee
    assert found.holds and "polynomial-judge" in found.assumes and "reported-computing" not in found.assumes


def test_a_price_that_stands_must_rest_on_something_among_whatever_else_was_said() -> None:
    play = played(Claims(), DECIDED, BOUND, reads=5)
    play.steps = told([("a", moot.Speech(text="so"), None), ("judge", moot.Stands(), None)]).steps
    found = guarantee_of(play)
    assert not found.holds and "no task with a rule is known" in found.because


@pytest.mark.parametrize(
    ("seats", "holds"),
    [(None, False), ({}, False), ({"overseer": "copies"}, False), ({"overseer": {"agent": "program"}}, False), ({"overseer": {"agent": "copies"}}, True)],
)  # fmt: skip
def test_copies_are_asked_for_by_what_is_recorded_of_the_seat(seats: Any, holds: bool) -> None:
    ledger = Ledger(
        n=6, unit="cells", seats={"overseer": Spending(reads_per_call=1)}, bounds={"overseer": {"reads_per_call": 2}},
        tree=Size(),
    )  # fmt: skip
    meta = {} if seats is None else {"seats": seats}
    play: Any = SimpleNamespace(
        protocol=moot.Amplification(), question=QUESTION, started={"roles": {"overseer": "overseer"}, "meta": meta}, ledger=ledger,
        outcome=DECIDED, steps=lambda: iter([]),
    )  # fmt: skip
    found = guarantee_of(play)
    assert found.holds is holds and (holds or "copies without memory" in found.because)


STANDS = ("judge", moot.Stands(), None)


def standing(size: int, most: int, task: Any = None) -> Any:
    """A play about a sum of so many cells in which the price stood; a statement may cite so many answers."""
    sample = Sum().sample(size, 1)
    return told(
        [STANDS],
        {"task": "sum"} if task is None else {},
        question=sample.question,
        protocol=moot.MarketMaking(citations=most),
    )


@pytest.mark.parametrize(
    ("size", "most", "fine"), [(8, 2, True), (8, 1, False), (8, 0, False), (1, 0, True), (8, 16, True)]
)
def test_a_price_stands_only_where_a_statement_could_have_moved_the_judge(size: int, most: int, fine: bool) -> None:
    because = groundless(standing(size, most))
    assert (because is None) is fine
    if because is not None:
        assert (
            because
            == f"the price stands, and the rule of task sum asks 2 questions or more for this one, of which a statement may cite {most}"
        )
    assert (groundless(standing(size, most, Sum()), Sum()) is None) is fine, "by the caller's rule as well"


def test_without_a_rule_nobody_knows_what_stands_or_was_cited() -> None:
    bare = standing(8, 2, "none")
    assert (
        groundless(bare)
        == "nobody knows whether the price that stands rests on itself: no task with a rule is known for it"
    )
    cited = paired(CitingPair(), [("What is it?", True)], None)
    assert (
        groundless(cited)
        == "nobody knows whether the cited answers rest on themselves: no task with a rule is known for them"
    )


def test_what_was_cited_and_believed_needs_no_room_for_more_citations() -> None:
    play = standing(8, 1)
    cites = (Citation(question="sum[0:4]", answer="1", verified=True),)
    play.steps = told([("adversary", Statement(text="so", cites=cites), None)]).steps
    assert groundless(play) is None


def test_a_polynomial_is_told_only_where_it_is_what_was_enforced() -> None:
    class Boasts:
        bound: ClassVar[Any] = {"reads": 10**9}

        def act(self, request: moot.Request) -> moot.Verdict:
            return SURE

        def describe(self) -> dict[str, Any]:
            return {"agent": "program", "bound": {"reads": "2*n"}}

    found = moot.run(moot.DirectQA(), TWO, {"judge": Boasts()}).guarantee
    assert (found.budget, found.polynomial) == (10**9, None)
    kept = moot.run(moot.DirectQA(), TWO, {"judge": moot.Bounded(lambda request: SURE, reads="2*n")}).guarantee
    assert (kept.budget, kept.polynomial) == (2 * TWO.size, "2*n")
