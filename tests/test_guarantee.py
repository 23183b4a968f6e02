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

import moot
from moot.complexity.citations import circle_of, citations, groundless
from moot.complexity.guarantee import guarantee_of
from moot.complexity.play import Step
from moot.complexity.spending import Ledger, Size, Spending
from moot.protocols.amplification.moves import Reply
from moot.protocols.market.moves import Citation, Query, Statement
from moot.tasks.arithmetic.citing import CitingPair, GroundedPair

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
