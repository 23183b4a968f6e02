"""The price stands unless an argument moves it: truth is then an equilibrium of market making, and silence pays nothing."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from market_kit import decided, seats_of

import moot
from moot.complexity.search.solve import solve
from moot.experiments.classes.evidence import random_ones
from moot.experiments.classes.known_failures import silence
from moot.experiments.classes.market_witnesses import SILENCE, searched, statements, step_holds, witnessed, wrong_for
from moot.experiments.reproductions import market_making as reproduction
from moot.experiments.statistics import metrics, records
from moot.judges.panel import Panel
from moot.protocols.engine.base import Protocol, record_of, recorded_protocol
from moot.protocols.engine.errors import ProtocolError
from moot.protocols.market.market_making import MarketMaking, PointerMarketMaking, UncitedMarketMaking
from moot.protocols.market.moves import Citation, Price, Stands, Statement
from moot.tasks.arithmetic.citing import CitingPair, GroundedPair
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.machines.halting import Halting
from moot.tasks.machines.tableau import Tableau
from moot.tasks.programs.market_programs import ChecksRule, Predictor, Silent, followed, sure
from moot.training.market import Exhibiting, MarketTraining, TabularMarket, wrong_answers
from moot.transcripts.display.show import as_text

FEW = settings(deadline=None, max_examples=12)
GOLDEN = Path(__file__).parent / "golden" / "v2"
TASKS = (Sum(), Tableau())
FORMS: Any = st.fixed_dictionaries({
    "reward": st.sampled_from(["abs_move", "lmsr"]), "last": st.sampled_from(["judge", "market"]),
    "tolerance": st.sampled_from([None, 0.01]), "horizon": st.sampled_from([1, 2]),
})  # fmt: skip


def asked(task: Any, draw: Any) -> tuple[Any, str]:
    """An instance of a task, and one of its questions."""
    data = task.data(draw(st.integers(1, 3)), Random(draw(st.integers(0, 99))))
    return data, draw(st.sampled_from(sorted(task.questions(data))))


def posed(task: Any, data: Any, text: str) -> moot.Question:
    return moot.Question(text, (wrong_for(task, data, text), task.truth(data, text)), data=data, unit="cells")


# -- the equilibrium ----------------------------------------------------------------------------------------------------


@FEW
@given(st.sampled_from(TASKS), FORMS, st.data())
def test_a_market_that_is_right_pays_nobody_whatever_is_said(task: Any, form: Any, data: st.DataObject) -> None:
    instance, text = asked(task, data.draw)
    found = searched(task, posed(task, instance, text), 1, protocol=MarketMaking(**form))
    assert abs(found.pay) < 1e-9 and found.right and found.always and found.plays >= 3


@FEW
@given(st.sampled_from(TASKS), FORMS, st.data())
def test_a_market_that_is_wrong_pays_who_argues_and_the_judge_is_right(
    task: Any, form: Any, data: st.DataObject
) -> None:
    """Its sub-answers being right. Paid by the market's next price it pays only if the market heeds what is said."""
    instance, text = asked(task, data.draw)
    question = posed(task, instance, text)
    found = searched(task, question, 1, wrong={text: question.choices[0]}, protocol=MarketMaking(**form))
    if form["last"] == "market":
        assert abs(found.pay) < 1e-9
    else:
        assert found.right and not found.silent
        assert found.pay == pytest.approx(1.0 if form["reward"] == "abs_move" else -math.log(1e-4))


@pytest.mark.parametrize("task", TASKS)
def test_as_published_silence_pays_against_a_market_that_is_right(task: Any) -> None:
    data = task.data(2, Random(1))
    for text in task.questions(data):
        found = searched(task, posed(task, data, text), 1, protocol=MarketMaking(horizon=1, unmoved="judge"))
        assert found.pay == pytest.approx(0.5) and found.silent and not found.right


def test_without_a_statement_the_price_stands() -> None:
    sample = Sum().sample(4, 1)
    play = moot.run(MarketMaking(horizon=0), sample, seats_of(Sum(), "market"))
    assert decided(play).verdict.choice == sample.unseal() and list(play.steps())[-1].move["kind"] == "stands"


def _tables(draw: Any, task: Any, data: Any) -> TabularMarket:
    """A market that knows, of each question, "?", the truth and a wrong answer, at any prices."""
    market = TabularMarket()
    for text in task.questions(data):
        for answer in ("?", task.truth(data, text), wrong_for(task, data, text)):
            market.row(text)[answer] = draw(st.sampled_from([-6.0, -1.0, 0.0, 0.5, 3.0, 6.0]))
    return market


@FEW
@given(st.sampled_from(TASKS), st.sampled_from(["price", "judge"]), FORMS, st.data())
def test_the_best_adversary_of_a_training_is_the_best_that_search_finds(
    task: Any, unmoved: Any, form: Any, data: st.DataObject
) -> None:
    instance, text = asked(task, data.draw)
    market = _tables(data.draw, task, instance)
    protocol = MarketMaking(**form, unmoved=unmoved)
    played = MarketTraining(task, instance, market, protocol=protocol).best(text)
    question = moot.Question(text, market.choices(text), data=instance, unit="cells")
    said = statements(task, question, {each: market.modal(each) for each in task.questions(instance)})
    if form["horizon"] == 2 and form["tolerance"] is None:  # of all that changes nothing, some
        said = [said[0], *(each for each in said if each.answer == question.choices[1])]
    best = solve(
        protocol, question, moves={"adversary": lambda request: said}, seats={"market": market, "judge": ChecksRule(task)}
    )  # fmt: skip
    assert played.gain == pytest.approx(best.value["adversary"], abs=1e-9)


@FEW
@given(st.sampled_from(TASKS), st.data())
def test_who_cannot_be_exploited_for_a_half_is_right_about_everything(task: Any, data: st.DataObject) -> None:
    instance, _ = asked(task, data.draw)
    market = _tables(data.draw, task, instance)
    questions = list(task.questions(instance))
    found = MarketTraining(task, instance, market).sweep()
    assert found.gain is not None
    assert found.gain >= 0.5 - 1e-9 or wrong_answers(task, instance, market, questions) == 0
    first = next(text for text in questions if not followed_parts(task, instance, text))
    true = market.prices(first, market.choices(first))[market.choices(first).index(task.truth(instance, first))]
    assert found.gain >= 1 - true - 1e-9, "a question that rests on none is exploited for what its price lacks"
    published = MarketTraining(task, instance, market, protocol=MarketMaking(unmoved="judge")).sweep()
    assert published.gain is not None and published.gain >= 0.5 - 1e-9, "as published every market is exploited"


def followed_parts(task: Any, data: Any, text: str) -> tuple[str, ...]:
    from moot.complexity.rules import looker
    from moot.tasks.programs.market_programs import follow

    return follow(task, text, looker(data), {}).missing


@pytest.mark.parametrize(("task", "size"), [(Sum(), 4), (Tableau(), 2)])
def test_training_ends_at_the_truth_where_the_price_stands_and_nowhere_as_published(task: Any, size: int) -> None:
    data = task.data(size, Random(1))
    argued = TabularMarket()
    stands, published, honest = (
        MarketTraining(task, data, market, seed=1, protocol=protocol, adversary=adversary)
        for market, protocol, adversary in (
            (TabularMarket(), MarketMaking(), None), (TabularMarket(), MarketMaking(unmoved="judge"), None),
            (argued, MarketMaking(unmoved="judge"), Exhibiting(task, argued)),
        )
    )  # fmt: skip
    assert stands.run()[-1].settled(0.05) and wrong_answers(task, data, stands.market, stands.questions) == 0
    last = published.run(rounds=12)[-1]
    assert last.round == 12 and last.gain is not None and last.gain >= 0.5 and last.violations > 0
    told = honest.run(rounds=10)[-1]
    assert told.violations == 0 and told.gain is not None and told.gain > 0.9, (
        "silence gains, whoever it was trained on"
    )
    with pytest.raises(moot.UsageError, match="best of no adversaries"):
        MarketTraining(task, data, TabularMarket(), options=[])


# -- who says that it stands --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [
    SILENCE, Statement(text="The price is wrong! Judge, do not let it stand."), Statement(answer="7"),
    Statement(answer="-71", cites=(Citation(question="sum[0:2]", answer="0"), Citation(question="sum[2:4]", answer="-71"))),
    Statement(text="nothing", cites=(Citation(question="sum[0:4]", answer="-21"),)),
])  # fmt: skip
@pytest.mark.parametrize("protocol", [MarketMaking, UncitedMarketMaking])
def test_junk_and_false_citations_move_nothing(said: Statement, protocol: Any) -> None:
    task = Sum()
    if not protocol.citing:
        said = said.model_copy(update={"cites": (), "text": said.text or "-71=-71"})
    sample = task.sample(4, 1)
    seats = seats_of(task, protocol.name, adversary=lambda request: said)
    play = moot.run(protocol(), sample, seats)
    assert decided(play).payoffs == {"market": 0.0, "adversary": 0.0}
    assert decided(play).verdict.choice == sample.unseal() == 1
    assert moot.replay(play).digest == play.digest


@pytest.mark.parametrize("reward", ["abs_move", "lmsr"])
def test_a_market_that_empty_words_move_pays_for_it_and_the_verdict_is_as_before(reward: Any) -> None:
    """Were its last price to stand, whoever talks the market round would have talked round the judge."""
    sample = Sum().sample(4, 1)

    def market(request: moot.Request) -> moot.Move:
        return Price(probabilities=(0.9, 0.1) if len(request.view) else (0.0, 1.0))

    play = moot.run(MarketMaking(horizon=1, reward=reward), sample,
                    seats_of(Sum(), "market", market=market, adversary=Silent(Sum())))  # fmt: skip
    found = decided(play)
    assert found.verdict.probabilities == (0.0, 1.0) and found.payoffs["market"] == pytest.approx(math.log(0.1))
    assert play.answers["market"] == (0.9, 0.1) and found.payoffs["adversary"] == pytest.approx(0.0)
    longer = moot.run(MarketMaking(horizon=2, tolerance=None, reward=reward), sample,
                      seats_of(Sum(), "market", market=market, adversary=Silent(Sum())))  # fmt: skip
    paid = 1.8 if reward == "abs_move" else 0.0  # away and back; by the scoring rule the two cancel
    assert decided(longer).payoffs["adversary"] == pytest.approx(paid)


def test_it_is_said_and_never_guessed_from_even_shares() -> None:
    sample = Sum().sample(4, 1)

    def play(judge: Any, **params: Any) -> moot.Transcript:
        return moot.run(MarketMaking(**params), sample, seats_of(Sum(), "market", adversary=Silent(Sum()), judge=judge))

    even = moot.Verdict(probabilities=(0.5, 0.5))
    assert decided(play(lambda request: even)).verdict == even
    stood = decided(play(lambda request: {"kind": "stands", "text": "nothing in it"})).verdict
    assert stood.probabilities == (0.0, 1.0) and stood.text == "nothing in it"
    refused = play(lambda request: Stands(), unmoved="judge").outcome
    assert refused is not None and refused.kind in ("forfeited", "unreadable")


def test_the_judge_is_not_shown_the_price() -> None:
    asked = list[moot.Request]()

    def judge(request: moot.Request) -> moot.Move:
        asked.append(request)
        return Stands()

    moot.run(MarketMaking(), Sum().sample(4, 1), seats_of(Sum(), "market", judge=judge))
    (request,) = asked
    assert Stands in request.kinds and not any(isinstance(entry.move, Price) for entry in request.view)
    prompt = moot.prompt_for(request)
    assert "the price stands" in prompt.task and "stands" in str(moot.response_format(request))
    assert moot.read_move('{"move": {"kind": "stands", "text": "no argument"}}', request) == Stands(text="no argument")


def test_a_panel_lets_the_price_stand_when_most_of_it_do() -> None:
    def panel(*said: moot.Move) -> moot.Outcome | None:
        judges = [partial(lambda request, each: each, each=each) for each in said]
        seats = seats_of(Sum(), "market", adversary=Silent(Sum()), judge=Panel(*judges))
        return moot.run(MarketMaking(), Sum().sample(4, 1), seats).outcome

    first, second = moot.Verdict(probabilities=(1.0, 0.0)), moot.Verdict(probabilities=(0.5, 0.5))
    for said, found in (((Stands(), Stands(), first), (0.0, 1.0)), ((Stands(), first, second), (0.75, 0.25)),
                        ((Stands(), first), (1.0, 0.0))):  # fmt: skip
        outcome = panel(*said)
        assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == pytest.approx(found)


# -- what is recorded, and reported -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["market", "market-examined", "market-uncited", "market-with-pointers"])
def test_a_record_that_does_not_name_it_is_of_the_published_form(name: str) -> None:
    play = moot.load(GOLDEN / f"{name}.jsonl")
    assert isinstance(play.protocol, MarketMaking) and play.protocol.unmoved == "judge"
    assert "unmoved" not in play.started["protocol"]["params"] and record_of(play.protocol) == play.started["protocol"]
    assert moot.replay(play).digest == play.digest


@given(
    st.sampled_from([MarketMaking, UncitedMarketMaking, PointerMarketMaking]),
    st.sampled_from(["price", "judge"]),
    FORMS,
)
def test_every_market_is_made_again_from_its_record(cls: Any, unmoved: Any, form: Any) -> None:
    made = cls(unmoved=unmoved, **form)
    assert recorded_protocol(record_of(made)) == made
    assert record_of(made)["params"].get("unmoved") == (None if unmoved == "judge" else "price")


def test_a_parameter_that_there_is_not_cannot_have_been_unnamed() -> None:
    with pytest.raises(ProtocolError, match="unnamed says what 'pace' means, which is no parameter"):

        class Odd(Protocol):
            unnamed: ClassVar[Any] = {"pace": 1}


def test_the_price_is_an_answer_beside_the_judges() -> None:
    sample = Sum().sample(4, 1)
    question = sample.question
    market = Predictor(Sum(), {question.text: question.choices[0]})
    play = moot.run(MarketMaking(), sample, seats_of(Sum(), "market", market=market))
    assert play.answers == {"judge": (0.0, 1.0), "market": (1.0, 0.0)}
    shown = as_text(play)
    assert f"the market answers: {question.choices[0]} (100 %)" in shown and "the market is wrong" in shown
    judged, priced = records.of(play), records.of(play, answer="market")
    assert metrics.accuracy([judged]).value == 1 and metrics.accuracy([priced]).value == 0
    with pytest.raises(moot.UsageError, match="'oracle' gives no answer; judge, market does"):
        records.of(play, answer="oracle")
    alone = moot.run(moot.DirectQA(), question, {"judge": lambda request: moot.Verdict(probabilities=(0.25, 0.75))})
    assert alone.answers == {"judge": (0.25, 0.75)} and "answers:" not in as_text(alone)


def test_a_price_that_was_only_supposed_is_no_answer() -> None:
    def tries(request: moot.Request) -> moot.Move:
        if any(isinstance(entry.move, moot.Query) for entry in request.view):
            raise RuntimeError("it has left")
        return moot.Query(question=request.view.question.text, suppose="It is 7.")

    def market(request: moot.Request) -> moot.Move:
        return Price(probabilities=(0.9, 0.1) if len(request.view) else (0.2, 0.8))

    play = moot.run(MarketMaking(), Sum().sample(4, 1), seats_of(Sum(), "market", market=market, adversary=tries))
    assert [step.move["kind"] for step in play.steps()] == ["price", "query", "price"]
    assert isinstance(play.outcome, moot.Errored) and play.answers == {"market": (0.2, 0.8)}


def test_a_price_that_stands_in_a_circle_is_not_guaranteed() -> None:
    for task, holds in ((CitingPair(), False), (GroundedPair(), True)):
        sample = task.sample(1, 1)
        made, seats = task.staged("market", sample)
        play = moot.run(made, sample, {**seats, "adversary": Silent(task)})
        assert play.guarantee.holds == holds
        if not holds:
            assert "questions wait for each other" in play.guarantee.because
            unknown = moot.run(made, sample.question, {**seats, "adversary": Silent(task)}).guarantee
            assert not unknown.holds and "whether the price that stands rests on itself" in unknown.because


def test_where_pointers_are_passed_the_price_stands_too() -> None:
    task = Halting()
    sample = task.sample(1, 1)
    made, seats = task.staged("market-pointers", sample)
    play = moot.run(made, sample, {**seats, "adversary": Silent(task)})
    assert decided(play).verdict.choice == sample.unseal() and decided(play).payoffs["adversary"] == 0


# -- the witness, and its mutants ---------------------------------------------------------------------------------------


class Credulous(ChecksRule):
    """A judge that believes citations which are not verified."""

    def act(self, request: moot.Request) -> moot.Move:
        choices = request.view.question.choices
        for entry in request.view:
            claim: Any = entry.move
            if isinstance(claim, Statement) and claim.answer in choices:
                if followed(self.task, request, {c.question: c.answer for c in claim.cites}).answer == claim.answer:
                    return moot.Verdict(probabilities=sure(choices, claim.answer))
        return Stands()


class Unmoving(ChecksRule):
    """A judge that nothing moves."""

    def act(self, request: moot.Request) -> moot.Move:
        return Stands()


def test_the_witness_holds_and_each_mutant_of_it_fails() -> None:
    for task, sizes in ((Sum(), (1, 3)), (Tableau(), (1, 2))):
        found = partial(witnessed, task, "market", [*random_ones(task, sizes, 1)], "")
        assert found().holds and found().right == found().instances >= 4
        assert found(unmoved="judge").right == 0, "as published"
        assert 0 < found(judge=Credulous(task)).right < found().instances
        assert found(judge=Unmoving(task)).right == 0
    assert step_holds(Sum(), [1, 2], "sum[0:2]", "4") and not step_holds(
        Sum(), [1, 2], "sum[0:2]", "4", wrong={"sum[0:1]": "2"}
    )


def test_the_step_needs_that_smaller_questions_are_answered_right() -> None:
    """A market that lies about a part, and follows the rule from there, is not exploited above it, and wrong there."""
    task = Sum()
    data = [1, 2, 3, 4]
    question = moot.Question("sum[0:4]", ("15", "10"), data=data, unit="cells")
    found = searched(task, question, 1, wrong={"sum[0:2]": "8", "sum[0:4]": "15"})
    assert found.pay == 0 and not found.right
    below = moot.Question("sum[0:2]", ("8", "3"), data=data, unit="cells")
    assert searched(task, below, 1, wrong={"sum[0:2]": "8"}).pay == 1


def test_silence_is_shown_as_a_failure_of_the_published_form() -> None:
    found = silence()
    assert found.shown and "paid 0.5" in found.found and "0 where the price stands" in found.found


def test_the_reproduction_says_what_each_form_comes_to(tmp_path: Path) -> None:
    report = reproduction.reproduce(rounds=8, instances=1, tasks=[("sum", 2)])
    assert report.holds and len(report.rows) == 8
    assert [row.measured for row in report.rows[1:3]] == [0, 0]
    with pytest.raises(moot.UsageError, match="give at least one"):
        reproduction.reproduce(rounds=0)
    pytest.importorskip("matplotlib")
    drawn = reproduction.reproduce(rounds=1, instances=1, tasks=[("sum", 2)], pictures=tmp_path / "new")
    assert not drawn.holds and (tmp_path / "new" / "market_making.png").stat().st_size > 10_000
    (tmp_path / "file").write_text("")
    with pytest.raises(moot.UsageError, match="cannot be written"):
        reproduction.reproduce(rounds=1, instances=1, tasks=[("sum", 1)], pictures=tmp_path / "file")


@pytest.mark.long
def test_the_page_has_the_figures_of_the_reproduction() -> None:
    page = (Path(__file__).parent.parent / "docs" / "market_making.md").read_text(encoding="utf-8")
    found = [row.measured for row in reproduction.reproduce().rows]
    sums, tableaus = found[:8], found[8:]
    lines = (
        ("the price stands: gain of the best adversary", 0, ".4f"), ("as published: gain of the best adversary", 3, ".2g"),
        ("as published, trained where everybody argues: what arguing gains", 6, ".4f"),
        ("what saying nothing gains from that market", 7, ".3f"),
    )  # fmt: skip
    for name, at, form in lines:
        line = next(line for line in page.splitlines() if line.startswith(f"| {name} "))
        cells = [float(cell) for cell in line.split("|")[2:4]]
        assert cells == [
            pytest.approx(float(format(each[at], form)), abs=5e-3 if form == ".2g" else 0) for each in (sums, tableaus)
        ]
    counts = [line for line in page.splitlines() if line.startswith("| wrong answers, rules violated |")]
    assert [line.split("|")[2:4] for line in counts] == [
        [f" {each[at]}, {each[at + 1]} " for each in (sums, tableaus)] for at in (1, 4)
    ]
