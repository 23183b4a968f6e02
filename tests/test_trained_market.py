"""A market trained by the losses of its own plays: where the training leads, how far it is on the way, and where it fails."""

from __future__ import annotations

import math
import runpy
import sys
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.estimates import wilson
from moot.complexity.rules import Circle, evaluate, looker
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.market.moves import Price
from moot.protocols.market.payoffs import expected, losses
from moot.protocols.scoring import ScoringRule
from moot.tasks.arithmetic.citing import DIGITS, CitingPair, GroundedPair
from moot.tasks.arithmetic.coins import Coins, price
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import Task
from moot.tasks.machines.tableau import Tableau, TableauPublished
from moot.tasks.programs.market_programs import ChecksRule, Citing, CitingLiar, follow
from moot.tasks.reading.evidence import Evidence
from moot.training.calibration import ExactMarket, LinearMarket, Shows, Updates, balances, calibrate, positions
from moot.training.errors import inject, slipping
from moot.training.market import OTHER, MarketTraining, Program, TabularMarket, play_market, wrong_answers
from moot.transcripts.display.prices import price_path

FEW = settings(deadline=None, max_examples=15)


def beliefs(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    weights = st.lists(st.floats(0.01, 1), min_size=count, max_size=count)
    return weights.map(lambda found: tuple(weight / math.fsum(found) for weight in found))


def trained(task: Task, size: int, seed: int = 0, **guesses: Any) -> tuple[MarketTraining, Any]:
    data = task.data(size, Random(seed))
    training = MarketTraining(task, data, TabularMarket(**guesses), seed=seed)
    training.run()
    return training, data


# -- what one step does -------------------------------------------------------------------------------------------------


@FEW
@given(beliefs(3), beliefs(3))
def test_a_step_goes_down_the_gradient_of_the_protocols_loss(
    start: tuple[float, ...], final: tuple[float, ...]
) -> None:
    choices = ("x", "y", "z")

    def loss(logits: dict[str, float]) -> float:
        market = TabularMarket()
        market.logits["q"] = logits
        return losses([market.prices("q", choices)], final).market[0]

    market = TabularMarket(rate=0.25)
    market.logits["q"] = {choice: math.log(p) for choice, p in zip(choices, start, strict=True)}
    before, small = dict(market.logits["q"]), 1e-6
    market.descend("q", choices, final)
    for choice in choices:
        up, down = ({**before, choice: before[choice] + d} for d in (small, -small))
        slope = (loss(up) - loss(down)) / (2 * small)
        assert before[choice] - market.logits["q"][choice] == pytest.approx(0.25 * slope, abs=1e-6)
    assert loss(market.logits["q"]) <= loss(before) + 1e-12


@FEW
@given(st.lists(st.sampled_from("xyz"), min_size=1, max_size=12), st.integers(2, 30))
def test_a_market_comes_to_report_how_often_the_judge_believes_what(said: list[str], times: int) -> None:
    """The loss is proper: with steps that shrink, prices go to the mean of the judge's beliefs."""
    market = TabularMarket(rate=1.0)
    market.take_up("q", "xyz")
    choices, count = market.choices("q"), 0
    assert choices == (UNKNOWN, "x", "y", "z")
    for _ in range(100 * times):
        market.rate = 10 / (10 + count)
        market.descend("q", choices, tuple(said.count(choice) / len(said) for choice in choices))
        count += 1
    prices = market.prices("q", choices)
    for choice, found in zip(choices, prices, strict=True):
        assert found == pytest.approx(said.count(choice) / len(said), abs=0.12)


def test_the_table_as_a_learner() -> None:
    market = TabularMarket()
    assert market.predict(["q", "r"]) == [UNKNOWN, UNKNOWN]
    assert market.choices("q") == (UNKNOWN, OTHER)
    first = market.train(["q", "q"], ["7", "7"])
    other = market.copy()
    assert first > market.train(["q", "q"], ["7", "7"]) > 0 == market.train([], [])
    assert market.predict(["q", "r"]) == ["7", UNKNOWN]
    other.train(["q"] * 9, ["8"] * 9)
    assert other.predict(["q"]) == ["8"] and market.predict(["q"]) == ["7"]
    for rate, trust in ((0.0, 1.0), (math.nan, 1.0), (1.0, -1.0)):
        with pytest.raises(moot.UsageError, match="rate above 0"):
            TabularMarket(rate=rate, trust=trust)


# -- where the training leads -------------------------------------------------------------------------------------------


@FEW
@given(st.integers(1, 9), st.integers(0, 10**6), st.booleans())
def test_the_unexploitable_market_of_a_sum_is_the_truth_whatever_it_began_with(
    size: int, seed: int, guesses: bool
) -> None:
    task, random = Sum(), Random(seed)
    data = task.data(size, random)
    guessed = {text: str(random.randint(-500, 500)) for text in task.questions(data)} if guesses else None
    market = TabularMarket(guesses=guessed)
    history = MarketTraining(task, data, market, seed=seed).run()
    assert (history[-1].violations, history[-1].undecided) == (0, 0)
    last = history[-1].gain
    assert last is not None and last <= 0.05
    assert wrong_answers(task, data, market, task.questions(data)) == 0


@pytest.mark.parametrize("seed", range(4))
def test_the_unexploitable_market_of_a_tableau_is_the_truth(seed: int) -> None:
    task = Tableau()
    training, data = trained(task, 6, seed)
    history = training.history
    assert history[0].violations > 0 == history[-1].violations and training.violated() == []
    assert wrong_answers(task, data, training.market, training.questions) == 0


@pytest.mark.long
@pytest.mark.parametrize(("task", "size"), [(Sum(), 64), *((Tableau(), time) for time in range(8, 13))])
def test_training_ends_at_the_truth_at_full_size(task: Task, size: int) -> None:
    for seed in range(3):
        training, data = trained(task, size, seed)
        assert training.history[-1].settled(0.05)
        assert wrong_answers(task, data, training.market, training.questions) == 0


def test_a_wrong_rule_makes_a_wrong_market_unexploitable() -> None:
    """The published rule of the tableau: what cannot be exploited is what the rule says, and here that is not true."""
    task = TableauPublished()
    found = [trained(task, 3, seed) for seed in range(4)]
    assert all(training.history[-1].violations == 0 for training, _ in found)
    assert any(wrong_answers(task, data, training.market, training.questions) for training, data in found)
    for training, data in found:
        assert training.market.modal("p") == evaluate(task, data, "p")


def test_violations_are_exactly_the_questions_that_can_be_exploited() -> None:
    """A sure market is moved, by one whole choice, where a rule is violated, and nowhere else."""
    task = Sum()
    data = task.data(8, Random(3))
    answers = {text: task.truth(data, text) for text in task.questions(data)}
    answers["sum[4:6]"] = str(int(answers["sum[4:6]"]) + 5)
    training = MarketTraining(task, data, TabularMarket(guesses=answers, trust=60.0))
    moved = [text for text in training.questions if math.fsum(training.play(text).gains) > 0.5]
    assert sorted(moved) == sorted(training.violated()) == ["sum[4:6]", "sum[4:8]"]
    exploited = training.sweep()
    assert exploited.violations == 2 and exploited.gain == pytest.approx(1.0) and exploited.questions == 15
    assert exploited.mean_gain == pytest.approx(2 / 15)


def test_training_is_repeatable_and_a_sweep_teaches_nothing() -> None:
    one, _ = trained(Sum(), 6, 4)
    other, _ = trained(Sum(), 6, 4)
    assert one.history == other.history and one.market.logits == other.market.logits
    before = {text: dict(row) for text, row in one.market.logits.items()}
    again = one.sweep()
    assert one.market.logits == before and again.gain == one.history[-1].gain


def test_a_liar_teaches_nothing() -> None:
    """Its claims never follow, so that the judge believes none, and the market stays as wrong as it was."""
    task = Sum()
    data = task.data(4, Random(0))
    guesses = dict.fromkeys(task.questions(data), "1000")
    training = MarketTraining(task, data, TabularMarket(guesses=guesses), adversary=CitingLiar(task))
    for _ in range(6):
        training.round()
    assert training.history[-1].violations == wrong_answers(task, data, training.market, training.questions) == 7


def test_what_the_market_says_to_a_query_is_no_price_of_the_play() -> None:
    class Tries(Citing):
        def act(self, request: moot.Request) -> moot.Move:
            if moot.Query in request.kinds and not any(isinstance(entry.move, moot.Query) for entry in request.view):
                return moot.Query(question=request.view.question.text, suppose="It is 7.")
            return super().act(request)

    task = Sum()
    data = task.data(2, Random(0))
    training = MarketTraining(task, data, TabularMarket(), adversary=Tries(task))
    plain = MarketTraining(task, data, TabularMarket())
    assert [len(training.play(text).prices) for text in training.questions] == [2, 2, 2]
    assert training.run() == plain.run() and training.market.logits == plain.market.logits


def test_a_play_that_is_not_decided_teaches_nothing() -> None:
    class Broken(Citing):
        def act(self, request: moot.Request) -> moot.Move:
            return moot.Verdict(probabilities=(0.5, 0.5))

    task = Sum()
    data = task.data(2, Random(0))
    training = MarketTraining(task, data, TabularMarket(), options=[Broken(task)])
    last = training.round()
    assert (last.undecided, last.gain, last.mean_gain, last.loss) == (3, None, None, None) and not last.settled(1.0)
    assert all(set(row.values()) == {0.0} for row in training.market.logits.values())
    with pytest.raises(moot.UsageError, match="nothing to train"):
        MarketTraining(task, data, TabularMarket(), questions=[])


def test_a_trained_market_takes_its_seat_in_a_recorded_play(tmp_path: Path) -> None:
    task = Sum()
    sample = task.sample(16, seed=5)
    market = TabularMarket()
    MarketTraining(task, sample.question.data, market).run()
    judge = moot.Bounded(ChecksRule(task), reads_per_call=task.reads)
    seats = {"market": market, "adversary": Citing(task), "judge": judge}
    transcript = moot.run(moot.MarketMaking(), sample, seats, out=tmp_path / "play.jsonl")
    assert isinstance(transcript.outcome, moot.Decided) and transcript.guarantee.holds
    assert transcript.outcome.verdict.choice == sample.unseal()
    assert moot.replay(moot.load(tmp_path / "play.jsonl")).digest == transcript.digest
    # The choices of the sample hold an answer that nobody had claimed, at the logit 0 of a new one.
    (first, *_), true = price_path(transcript).prices, sample.unseal()
    assert true is not None and first[true] > 0.9


# -- citations in a circle ----------------------------------------------------------------------------------------------


def _pair(task: Task, seed: int) -> tuple[str, str, tuple[str, ...]]:
    """The true digit, the one that training reached, and the two that the market began with."""
    random = Random(seed)
    data = task.data(1, Random(7))
    questions = list(task.questions(data))
    guesses = {text: random.choice(DIGITS) for text in questions}
    training = MarketTraining(task, data, TabularMarket(guesses=guesses), seed=seed)
    assert training.run()[-1].settled(0.05)
    first, second = training.market.predict(questions)
    assert first == second
    return task.truth(data, questions[0]), first, tuple(guesses.values())


def test_in_a_circle_training_ends_at_whichever_fixed_point_it_began_near() -> None:
    found = [_pair(CitingPair(), seed) for seed in range(40)]
    assert all(reached in began for _, reached, began in found)
    reached = {digit for _, digit, _ in found}
    assert len(reached) >= 8 and sum(true == digit for true, digit, _ in found) < 20


def test_in_a_circle_the_order_of_plays_chooses_the_fixed_point() -> None:
    task = CitingPair()
    data = task.data(1, Random(7))
    one, other = task.questions(data)
    reached = set()
    for seed in range(12):
        market = TabularMarket(guesses={one: "3", other: "5"})
        MarketTraining(task, data, market, seed=seed).run()
        reached.add(market.modal(one))
    assert reached == {"3", "5"} and task.truth(data, one) not in reached


def test_with_a_base_case_training_ends_at_the_truth() -> None:
    assert all(true == reached for true, reached, _ in (_pair(GroundedPair(), seed) for seed in range(20)))


# -- a market that predicts ---------------------------------------------------------------------------------------------


def test_the_exact_market_names_the_published_price() -> None:
    coins = [1] * 8 + [0] * 3
    question = moot.Question("majority(11)", ("yes", "no"), data=[*coins], size=11, unit="cells")
    seats: dict[str, Program] = {"market": ExactMarket(Coins()), "adversary": Shows(), "judge": Updates(Coins())}
    for seed in range(3):
        played = play_market(moot.MarketMaking(horizon=5, tolerance=None), question, seats, seed=seed)
        shown: list[int] = []
        assert played.prices[0][0] == pytest.approx(0.7836, abs=5e-5)
        for request, found in zip(played.asked, played.prices, strict=True):
            shown = [coins[at] for at in positions(request.view)]
            assert found[0] == pytest.approx(float(price(11, 8, 5, shown)), abs=1e-12)
        assert len(shown) == 5 and played.final == pytest.approx(played.prices[-1])


@pytest.mark.parametrize(("task", "size", "horizon"), [(Coins(), 9, 4), (Evidence(), 7, 3)])
def test_a_linear_market_learns_to_predict_the_judge(task: Task, size: int, horizon: int) -> None:
    before, early, late = calibrate(task, size, horizon, rounds=(0, 2, 30), held_out=60)
    assert before.loss == pytest.approx(math.log(2)) and before.plays == 0 and late.plays == 300
    assert before.excess > 2 * early.excess > 2 * late.excess > 0
    assert late.excess < 0.02 and late.loss - late.exact == pytest.approx(late.excess, abs=0.02)
    assert len(late.by_step) == horizon + 1


@FEW
@given(beliefs(2), st.floats(-2, 2), st.floats(-2, 2))
def test_the_linear_market_goes_down_its_loss(final: tuple[float, ...], shown: float, whole: float) -> None:
    question = moot.Question("majority(3)", ("yes", "no"), data=[1, 0, 1], size=3)
    market = LinearMarket(lambda _: {"1": 1.0, "shown": shown, "all": whole}, rate=0.01)
    played = play_market(
        moot.MarketMaking(horizon=0), question,
        {"market": market, "adversary": Shows(), "judge": Updates(Coins())},
    )  # fmt: skip
    (request,) = played.asked

    def loss() -> float:
        found: Any = market.act(request)
        assert isinstance(found, Price)
        return -expected(ScoringRule(), found.probabilities, final)

    before = loss()
    for _ in range(3):
        market.learn(request, final)
    assert loss() <= before + 1e-4


def test_bad_calls_are_refused() -> None:
    with pytest.raises(moot.UsageError, match="rate above 0"):
        LinearMarket(balances(Coins()), rate=-1)
    with pytest.raises(moot.UsageError, match="5 items 6 cannot"):
        calibrate(Coins(), 5, 6)
    with pytest.raises(moot.UsageError, match="task sum does not say"):
        Updates(Sum())


# -- garbage in ---------------------------------------------------------------------------------------------------------


@FEW
@given(st.integers(2, 8), st.floats(0, 0.6), st.integers(0, 10**6))
def test_a_trained_market_passes_its_own_slips_on(size: int, error: float, seed: int) -> None:
    """Training around questions on which the market stays wrong ends at the answers that error injection assumes."""
    task = Sum()
    data = task.data(size, Random(seed))
    root = f"sum[0:{size}]"
    slipped = slipping(task, data, root, error, Random(seed))
    wrong = {text for text in slipped if slipped[text] != follow(task, text, looker(data), slipped).answer}
    guesses = {text: slipped[text] for text in wrong}
    training = MarketTraining(
        task, data, TabularMarket(guesses=guesses, trust=40.0), questions=[root, *(slipped.keys() - wrong)]
    )
    assert training.run()[-1].violations == 0
    assert training.market.predict(list(slipped)) == list(slipped.values())


def test_without_slips_every_answer_is_right_and_with_nothing_but_slips_none() -> None:
    for task in (Sum(), Tableau()):
        found = inject(task, 4, 0.0, runs=20)
        assert found.right == found.decided == found.runs == 20 and found.predicted == 1.0 == found.high
    assert inject(Sum(), 1, 1.0, runs=10).accuracy == 1.0  # nothing is below a single cell
    assert inject(Sum(), 2, 1.0, runs=20).accuracy < 0.3


def test_accuracy_falls_as_one_less_the_error_to_the_number_of_questions_below() -> None:
    for error, size in ((0.02, 4), (0.02, 16), (0.1, 4), (0.1, 8)):
        found = inject(Sum(), size, error, runs=150, seed=1)
        assert found.below == 2 * size - 2 and found.predicted == pytest.approx((1 - error) ** (2 * size - 2))
        assert found.low - 0.02 <= found.predicted <= found.high


def test_a_slip_off_the_path_does_no_harm() -> None:
    """The rule of the tableau asks for both neighbours and uses one: the prediction is too low."""
    found = inject(Tableau(), 6, 0.05, runs=120)
    assert found.low > found.predicted


def test_slips_need_a_support_that_ends() -> None:
    task = CitingPair()
    data = task.data(1, Random(0))
    with pytest.raises(Circle):
        slipping(task, data, next(task.questions(data)), 0.1, Random(0))
    with pytest.raises(moot.UsageError, match="error rate is 1.5"):
        inject(Sum(), 4, 1.5)


@FEW
@given(st.integers(1, 400), st.data())
def test_the_wilson_interval_solves_its_equation(runs: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, runs))
    low, high = wilson(right, runs)
    share, z = right / runs, 1.959963984540054
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        if 0 < end < 1:
            assert abs(share - end) == pytest.approx(z * math.sqrt(end * (1 - end) / runs), rel=1e-6)
    assert wilson(runs, runs)[1] == 1 and wilson(0, runs)[0] == 0
    with pytest.raises(moot.UsageError, match="Wilson"):
        wilson(runs + 1, runs)


def test_a_published_wilson_interval() -> None:
    """Newcombe 1998, table I, method 3: 81 of 263, and 0 of 20."""
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


# -- the pictures -------------------------------------------------------------------------------------------------------

EXAMPLE = Path(__file__).parent.parent / "examples" / "market_making.py"


@pytest.mark.skipif(not EXAMPLE.exists(), reason="the examples are not part of an installation")
def test_without_matplotlib_the_example_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert ended.value.code == 2 and "pip install 'moot[plot]'" in capsys.readouterr().err
