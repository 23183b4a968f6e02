"""Market making: what it settles in one step, what the local rule catches, and circles of citations."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import strategies as st
from market_kit import YES_NO, decided, seats_of

import moot
from moot.complexity.citations import circle_of, citations, groundless
from moot.complexity.guarantee import guarantee_of
from moot.complexity.play import Step
from moot.complexity.rules import evaluate
from moot.protocols.amplification.amplification import Open
from moot.protocols.amplification.moves import Reply
from moot.protocols.market.market_making import MarketMaking, PointerMarketMaking, UncitedMarketMaking
from moot.protocols.market.moves import Citation, Examine, Query, Statement
from moot.protocols.market.payoffs import distance
from moot.protocols.pointers import Store, pointer_to
from moot.tasks.arithmetic.citing import CitingPair, GroundedPair
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.machines.halting import Halting
from moot.tasks.programs.market_programs import ChecksRule, Citing, CitingLiar, Predictor, Prior, unfolded
from moot.testing.strategies import moves, questions, sums
from moot.transcripts.display.prices import price_path

# -- the sum, in one step -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [2, 64, 1000])
def test_the_sum_is_settled_in_one_step_whatever_its_size(size: int) -> None:
    task = Sum()
    for seed in range(4):
        sample = task.sample(size, seed)
        seats = seats_of(task, "market")
        seats["judge"] = moot.Bounded(seats["judge"], reads_per_call=task.bound("market"), queries=2)
        transcript = moot.run(MarketMaking(), sample, seats, seed=seed)
        assert decided(transcript).verdict.choice == sample.unseal()
        path = price_path(transcript)
        assert (len(path.statements), path.converged, path.queries) == (1, 1, 2)
        assert transcript.ledger.spent("judge", "reads") == 3 and transcript.ledger.spent("judge", "queries") == 2
        assert transcript.guarantee.holds and transcript.guarantee.complexity_class == "EXP"
        assert moot.replay(transcript).digest == transcript.digest


def test_without_citation_the_judge_reads_it_all() -> None:
    task, reads = Sum(), []
    for size in (4, 16, 64):
        sample = task.sample(size, 1)
        transcript = moot.run(UncitedMarketMaking(), sample, {
            **seats_of(task, "market-uncited"),
            "judge": moot.Bounded(task.programs()["checks-witness"](), reads=task.bound("market-uncited")),
        })  # fmt: skip
        assert decided(transcript).verdict.choice == sample.unseal()
        assert transcript.guarantee.holds and transcript.guarantee.complexity_class == "NP"
        reads.append(transcript.ledger.spent("judge", "reads"))
    assert reads == [3 * 4, 3 * 16, 3 * 64]  # 2N - 1 lines and the claim, and N cells


def test_a_computation_with_a_wrong_line_or_in_a_circle_convinces_nobody() -> None:
    task = Sum()
    sample = task.sample(4, 0)
    witness = task.programs()["witness"]()

    def run(adversary: Any, of: moot.Sample = sample, by: Any = task) -> float:
        seats = {"market": Prior(), "adversary": adversary, "judge": by.programs()["checks-witness"]()}
        return max(decided(moot.run(UncitedMarketMaking(horizon=1), of, seats)).verdict.probabilities)

    lines = witness.act(_request(sample.question)).text.split("\n")
    assert run(witness) == 1 and len(lines) == 7
    for at in range(7):
        question, _, answer = lines[at].rpartition("=")
        wrong = [*lines[:at], f"{question}={int(answer) + 1}", *lines[at + 1 :]]
        assert run(lambda request, wrong=wrong: Statement(text="\n".join(wrong))) == 0.5
        assert run(lambda request, at=at: Statement(text="\n".join(lines[:at] + lines[at + 1 :]))) == 0.5
    pair = CitingPair().sample(1, 0)
    two = list(CitingPair().questions(pair.question.data))
    circle = "\n".join(f"{text}={pair.question.choices[0]}" for text in two)
    assert run(lambda request: Statement(text=circle), pair, CitingPair()) == 0.5


def _request(question: moot.Question) -> moot.Request:
    from moot.protocols.engine.view import Log

    return moot.Request(
        "0", "adversary", "adversary", (Statement,), moot.View(question, Log(None, None), "all"), {}, ""
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_citing_liar_convinces_nobody(seed: int) -> None:
    task = Sum()
    sample = task.sample(16, seed)
    for market in (Predictor(task), Prior()):
        seats = {"market": market, "adversary": CitingLiar(task), "judge": ChecksRule(task)}
        transcript = moot.run(MarketMaking(tolerance=None, horizon=2), sample, seats, seed=seed)
        assert decided(transcript).verdict.probabilities == price_path(transcript).prices[0]
        published = moot.run(MarketMaking(tolerance=None, horizon=2, unmoved="judge"), sample, seats, seed=seed)
        assert decided(published).verdict.probabilities == (0.5, 0.5)


def test_both_kinds_of_lie_were_told_and_marked() -> None:
    task, marks = Sum(), set()
    for seed in range(12):
        seats = {"market": Predictor(task), "adversary": CitingLiar(task), "judge": ChecksRule(task)}
        transcript = moot.run(MarketMaking(), task.sample(16, seed), seats, seed=seed)
        marks.add(tuple(sorted(str(cite.verified) for _, cite in citations(transcript))))
    assert marks == {("True", "True"), ("False", "True")}


@pytest.mark.parametrize("wrong", ["sum[0:1]", "sum[2:4]", "sum[4:8]", "sum[0:8]"])
def test_a_market_that_is_wrong_once_is_exploitable_exactly_there(wrong: str) -> None:
    """Where the local rule asks for the wrong answer, or gives another one; nowhere else."""
    task = Sum()
    data = task.sample(8, 3).question.data
    mistake = str(int(task.truth(data, wrong)) + 7)
    market = Predictor(task, {wrong: mistake})
    moved = set()
    for text in task.questions(data):
        true = task.truth(data, text)
        question = moot.Question(text, (true, str(int(true) + 7)), data=data, size=8, unit="cells")
        seats = {"market": market, "adversary": Citing(task), "judge": ChecksRule(task)}
        transcript = moot.run(MarketMaking(), question, seats)
        paid, path = decided(transcript).payoffs["adversary"], price_path(transcript)
        assert path.final is not None and paid == distance(path.prices[0], path.final)
        if paid:
            moved.add(text)
    asked: set[str] = set()
    evaluate(task, data, "sum[0:8]", asked=lambda text, parts: asked.add(text) if wrong in parts else None)
    assert moved == {wrong} | asked


# -- two questions that cite each other ---------------------------------------------------------------------------------


def _exploited(task: Any, sample: moot.Sample, digit: str) -> list[str]:
    """The questions of a pair at which a market that answers `digit` to both can be moved."""
    data = sample.question.data
    found = []
    for text in task.questions(data):
        question = moot.Question(text, tuple("0123456789"), data=data, size=1)
        market = Predictor(task, dict.fromkeys(task.questions(data), digit))
        seats = {"market": market, "adversary": Citing(task), "judge": ChecksRule(task)}
        if decided(moot.run(MarketMaking(), question, seats)).payoffs["adversary"]:
            found.append(text)
    return found


def test_a_circle_has_ten_fixed_points_and_a_base_case_leaves_the_true_one() -> None:
    pair, grounded = CitingPair(), GroundedPair()
    sample = pair.sample(1, 0)
    assert [digit for digit in "0123456789" if not _exploited(pair, sample, digit)] == list("0123456789")
    sample = grounded.sample(1, 0)
    true = grounded.truth(sample.question.data, sample.question.text)
    assert [digit for digit in "0123456789" if not _exploited(grounded, sample, digit)] == [true]


def test_a_guarantee_that_rests_on_a_circle_is_refused() -> None:
    for task, rests in ((CitingPair(), False), (GroundedPair(), True)):
        sample = task.sample(2, 5)
        question = sample.question
        lie = task.wrong(question.data, question.text, Random(0))
        both = list(task.questions(question.data))
        market = Predictor(task, dict.fromkeys(both, lie))
        judge = moot.Bounded(ChecksRule(task), reads_per_call=task.bound("market"))
        question = question.model_copy(update={"choices": (lie, task.truth(question.data, question.text))})
        seats = {"market": market, "adversary": Citing(task), "judge": judge}
        transcript = moot.run(MarketMaking(), moot.Sample(question, task=task.name), seats)
        assert decided(transcript).verdict.probabilities == (1, 0), "the judge believes the lie"
        said = transcript.guarantee
        assert said.holds == rests
        bare = moot.run(MarketMaking(), question, seats)
        assert not bare.guarantee.holds and "no task with a rule is known" in bare.guarantee.because
        assert guarantee_of(bare, task) == said
        if rests:
            assert circle_of(transcript, task) == ()
        else:
            assert set(circle_of(transcript, task)) == set(both)
            assert "citations wait for each other" in said.because and both[0] in said.because
    transcript = moot.run(MarketMaking(), Sum().sample(16), seats_of(Sum(), "market"))
    assert circle_of(transcript, Sum()) == ()


def _told(*moves: tuple[str, Any, str | None]) -> Any:
    """A recorded play of these moves: seat, move, and how it relates to what it stands under."""
    steps = [
        Step(str(n), seat, move.model_dump(mode="json"), None, None, relation, 0, "", 0)
        for n, (seat, move, relation) in enumerate(moves)
    ]
    return SimpleNamespace(steps=lambda: iter(steps), started={"meta": {}})


def _asked(answer: str, suppose: str, relation: str | None) -> Any:
    """A play in which the market was asked one thing, by the adversary or to check, and a statement that cites its answer."""
    query = Query(question="q", suppose=suppose)
    cites = tuple(Citation(question="q", answer=each) for each in ("1", "2"))
    reply = Reply(of="q", answer=answer)
    return _told(
        ("adversary", query, None), ("market", reply, relation), ("adversary", Statement(text="so", cites=cites), None)
    )


def test_what_a_market_says_of_a_supposition_verifies_nothing() -> None:
    for play, verified in (
        (_asked("1", "", None), [True, False]),
        (_asked("2", "so it is", None), [None, None]),
        (_asked("2", "so it is", "checks"), [False, True]),
    ):
        assert [cite.verified for _, cite in citations(play)] == verified


def test_citations_that_nothing_verified_ask_for_no_ground() -> None:
    """Without a task nobody knows whether cited answers rest on themselves; it matters only where one was verified."""
    assert groundless(_asked("1", "so it is", None)) is None
    assert "no task with a rule" in (groundless(_asked("1", "", None)) or "")


# -- pointers -----------------------------------------------------------------------------------------------------------


def _settle(task: Any, question: moot.Sample | moot.Question, market: Any = None) -> moot.Transcript:
    seats = seats_of(task, "market-pointers")
    judge = moot.Bounded(seats["judge"], reads_per_call=task.bound("market-pointers"))
    return moot.run(PointerMarketMaking(), question, {**seats, "market": market or seats["market"], "judge": judge})


@pytest.mark.parametrize("size", [1, 3, 5])
def test_a_run_that_nothing_bounds_is_settled_in_one_step(size: int) -> None:
    task = Halting()
    sample = task.sample(size, size)
    transcript = _settle(task, sample)
    assert decided(transcript).verdict.choice == sample.unseal()
    assert transcript.guarantee.holds and transcript.guarantee.complexity_class == "R"
    assert transcript.ledger.spent("judge", "reads_per_call") == size + 5  # the input, length, state; citation, claim
    assert circle_of(transcript, task) == ()


def test_a_judge_with_pointers_checks_any_moment_of_a_run_and_only_that() -> None:
    """Every configuration of a run is asked about; the market is wrong about one, and is caught there and one before."""
    task = Halting()
    sample = task.sample(1, 0)
    data, store = sample.question.data, Store()
    memo: dict[str, str] = {}
    evaluate(task, data, "run", memo, store)
    order = [text for text in reversed(memo) if text != "run"]  # in time: answers are found from the last one back
    true = memo["run"]
    lie = next(colour for colour in "abc" if colour != true)
    wrong, moved = order[len(order) // 2], []
    for at, folded in enumerate(order):
        text = unfolded(folded, _Behind(store))
        question = moot.Question(text, (true, lie), data=data, size=task.n(data), unit="cells")
        transcript = _settle(task, moot.Sample(question, task=task.name))
        assert decided(transcript).verdict.choice == 0 and transcript.guarantee.holds
        assert decided(transcript).payoffs["adversary"] == 0
        kinds = [step.move["kind"] for step in transcript.steps() if step.seat == "judge"]
        assert kinds == (["open", "open", "verdict"] if at < len(order) - 1 else ["open", "verdict"])
        transcript = _settle(task, question, Predictor(task, {wrong: lie}))
        if decided(transcript).payoffs["adversary"]:
            moved.append(at)
    middle = len(order) // 2
    assert len(order) > 8 and moved == [middle - 1, middle]


class _Behind(dict[str, str]):
    """The messages of a store, as a mapping."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store

    def __contains__(self, pointer: object) -> bool:
        return pointer in self.store  # type: ignore[operator]

    def __missing__(self, pointer: str) -> str:
        return self.store.open(pointer)


def test_only_what_was_shown_can_be_opened_or_passed_on() -> None:
    secret = pointer_to("inner")

    def adversary(request: moot.Request) -> moot.Move:
        heard = [entry for entry in request.view if isinstance(entry.move, Query)]
        return Query(question="who [inner]?") if not heard else Statement(text=f"look: {secret}")

    def judge(request: moot.Request) -> moot.Move:
        texts = [entry.move.text for entry in request.view if isinstance(entry.move, Open)]
        return moot.Verdict(probabilities=(1, 0)) if texts == ["inner"] else Open(pointer=secret)

    seats = {"market": Prior(), "adversary": adversary, "judge": judge}
    transcript = moot.run(PointerMarketMaking(), YES_NO, seats)
    assert decided(transcript).verdict.choice == 0
    assert [step.move["question"] for step in transcript.steps() if step.move["kind"] == "query"] == [f"who {secret}?"]
    for bad, rule in ((f"{secret}", "was not shown"), ("a ] b", "closes nothing")):
        seats["adversary"] = lambda request, bad=bad: Statement(text=bad)
        outcome = moot.run(PointerMarketMaking(), YES_NO, seats).outcome
        assert isinstance(outcome, moot.Forfeited) and rule in outcome.rule
    with pytest.raises(moot.UsageError, match="must be whole"):
        moot.run(PointerMarketMaking(), moot.Question("why [?", ("a", "b")), seats)


# -- the laws, on plays that go into the corners ------------------------------------------------------------------------


def cornered(request: moot.Request) -> st.SearchStrategy[Any]:
    """Moves that also query and cite the question itself, and the same few questions again."""
    main = request.view.question.text
    if Statement not in request.kinds:
        return moves(request)
    few = st.sampled_from([main, "q", "r"])
    cites = st.lists(st.builds(Citation, question=few, answer=st.sampled_from(["a", "b"])), max_size=2).map(tuple)
    cites = cites if request.brief["most"]["cites"] else st.just(())
    made: list[st.SearchStrategy[Any]] = [st.builds(Statement, text=st.sampled_from(["x", "y"]), cites=cites)]
    if Query in request.kinds:
        made.append(st.builds(Query, question=few, suppose=st.sampled_from(["", "x"])))
    if Examine in request.kinds:
        made.append(st.builds(Examine, turn=st.sampled_from(request.brief["one_of"]["turn"]), question=few))
    return st.one_of(made)


@pytest.mark.parametrize("protocol", [MarketMaking(horizon=2, queries=2, examine=True), UncitedMarketMaking(horizon=1)])
def test_every_law_holds_where_questions_meet(protocol: MarketMaking) -> None:
    both = st.one_of(questions(choices=3), sums(most=4))
    moot.testing.check_protocol(protocol, questions=both, moves=cornered, examples=10)


def test_names() -> None:
    given: Mapping[str, Any] = {"horizon": 1, "reward": "lmsr", "examine": True}
    assert moot.protocols.engine.base.protocol_named("market", dict(given)) == MarketMaking(**given)
    assert MarketMaking().complexity_class == "EXP" and UncitedMarketMaking().complexity_class == "NP"
    with pytest.raises(moot.UsageError, match="horizon"):
        MarketMaking(horizon=-1)


def test_the_document_says_what_its_code_prints(capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / "market_making.md").read_text()
    blocks = re.findall(r"```python\n(.*?)```\n\n```\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {}
    for code, printed in blocks:
        exec(code, scope)
        assert capsys.readouterr().out == printed
    assert len(blocks) == text.count("```python") == 9
