"""Metrics of judgments: hand-computed values, and what must hold of any records."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.estimates import wilson
from moot.experiments.statistics import metrics
from moot.experiments.statistics.comparisons import win_rate
from moot.experiments.statistics.intervals import Bootstrap, Estimate
from moot.experiments.statistics.metrics import Score
from moot.experiments.statistics.records import Judged, of
from moot.protocols.engine.errors import UsageError

BY = Bootstrap(resamples=80)
SCORES: list[Score] = [
    metrics.p_correct, metrics.squared_error, metrics.brier, metrics.log_score, metrics.plain_log_score,
    metrics.log_odds, metrics.reward, metrics.continues,
]  # fmt: skip
shares = st.integers(0, 40).map(lambda n: n / 40)


@st.composite
def records(draw: st.DrawFn, least: int = 0, undecided: bool = True) -> list[Judged]:
    made = []
    for _ in range(draw(st.integers(least, 12))):
        number = draw(st.integers(0, 5))
        if undecided and draw(st.integers(0, 4)) == 0:
            made.append(draw(left_out(number)))
            continue
        p = draw(shares)
        made.append(Judged(f"q{number}", (p, 1 - p), number % 2, continues=draw(st.integers(0, 3))))
    return made


def left_out(number: int) -> st.SearchStrategy[Judged]:
    kinds: Any = st.sampled_from(["forfeited", "exhausted", "errored", "unfinished"])
    return st.builds(lambda kind: Judged(f"q{number}", outcome=kind), kinds)


def figures(given: list[Judged]) -> dict[str, Estimate]:
    return metrics.summary(given, BY)


# -- by hand -----------------------------------------------------------------------------------------------------------

HAND = [
    Judged("one", (0.8, 0.2), 0, continues=2),
    Judged("two", (0.4, 0.6), 0),
    Judged("three", (0.5, 0.5), 1, continues=1),
    Judged("four", (0.0, 1.0), 1),
    Judged("five", outcome="errored"),
]  # the true choices got 0.8, 0.4, 0.5 and 1


@pytest.mark.parametrize(
    ("score", "value"),
    [
        (metrics.p_correct, 2.7 / 4),
        (metrics.squared_error, (0.04 + 0.36 + 0.25 + 0) / 4),
        (metrics.brier, -(0.08 + 0.72 + 0.5 + 0) / 4),
        (metrics.log_score, (math.log(0.8) + math.log(0.4) + math.log(0.5) + math.log(0.9999)) / 4),
        (metrics.plain_log_score, math.log(0.16) / 4),
        (metrics.log_odds, (math.log(4) + math.log(2 / 3) + 0 + math.log(9999)) / 4),
        (metrics.reward, (math.log2(0.16) - 0.05 * 3) / 4),
        (metrics.continues, 3 / 4),
    ],
)
def test_means_by_hand(score: Score, value: float) -> None:
    found = metrics.mean(HAND, score, BY)
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.count, found.undecided, found.ties) == (4, {"errored": 1}, 1)


def test_accuracy_by_hand() -> None:
    found = metrics.accuracy(HAND)
    assert (found.value, found.count, found.ties, found.undecided) == (0.625, 4, 1, {"errored": 1}), "a tie counts half"
    assert (found.low, found.high) == pytest.approx((wilson(2, 4)[0], wilson(3, 4)[1])) and found.method == "Wilson"
    strict = metrics.accuracy(HAND, ties="wrong")
    assert strict.value == 0.5 and (strict.low, strict.high) == pytest.approx(wilson(2, 4))
    with pytest.raises(moot.UsageError, match="ties is 'right'"):
        metrics.accuracy(HAND, ties="right")  # type: ignore[arg-type]
    again = metrics.accuracy([*HAND, HAND[0]], BY)
    assert again.value == 0.7 and again.method == "bootstrap over questions", "a question asked twice is one unit"


def test_calibration_by_hand() -> None:
    found = metrics.calibration(HAND, by=BY)
    assert found.error.value == pytest.approx((0.2 + 0.6 + 0.0 + 0.0) / 4)
    assert metrics.calibration(HAND, by=BY, ties="wrong").error.value == pytest.approx((0.2 + 0.6 + 0.5 + 0.0) / 4)
    filled = {round(b.low, 1): (b.count, b.confidence, b.accuracy) for b in found.bins if b.count}
    assert filled == {0.8: (1, 0.8, 1), 0.6: (1, 0.6, 0), 0.5: (1, 0.5, 0.5), 0.9: (1, 1, 1)}
    assert [b.count for b in found.bins[:5]] == [0] * 5 and found.bins[0].accuracy is None
    assert len(metrics.calibration(HAND, bins=4, by=BY).bins) == 4


def test_bins_keep_what_is_one_number_together() -> None:
    pair = [Judged("x", (0.7, 0.3), 0), Judged("y", (1 - 0.3, 0.3), 1)]
    bins = metrics.calibration(pair, by=BY).bins
    assert bins[7].count == 2 and bins[7].accuracy == 0.5


def test_three_choices() -> None:
    plural = Judged("x", (0.4, 0.35, 0.25), 0)
    assert plural.correct and not replace(plural, truth=1).correct
    assert metrics.brier(plural) == pytest.approx(-(0.36 + 0.1225 + 0.0625))
    tie = Judged("x", (0.4, 0.4, 0.2), 0)
    assert tie.choice is None and not tie.correct
    assert [metrics.right(replace(tie, truth=truth)) for truth in range(3)] == [0.5, 0.5, 0]


def test_the_excluded_truth() -> None:
    never = [Judged("x", (0.0, 1.0), 0), Judged("y", (1.0, 0.0), 0)]
    assert metrics.mean(never, metrics.plain_log_score, BY).value == -math.inf
    assert metrics.mean(never, metrics.reward, BY).low == -math.inf
    assert metrics.mean(never, metrics.log_score, BY).value == pytest.approx((math.log(1e-4) + math.log(0.9999)) / 2)


def test_nothing_gives_nothing() -> None:
    for name, found in figures([]).items():
        assert (found.value, found.low, found.high, found.count) == (None, None, None, 0), name
    for found in figures([Judged("x", outcome="forfeited"), Judged("y", (0.5, 0.5))]).values():
        assert found.value is None and found.undecided == {"forfeited": 1, "no truth": 1}
    assert all(found.low is None for name, found in figures(HAND[:1]).items() if name != "accuracy")


# -- properties --------------------------------------------------------------------------------------------------------


def nearly(one: Estimate, other: Estimate) -> bool:
    def same(x: float | None, y: float | None) -> bool:
        return x == y or (x is not None and y is not None and math.isclose(x, y, rel_tol=1e-9, abs_tol=1e-9))

    pairs = ((one.value, other.value), (one.low, other.low), (one.high, other.high))
    return all(same(x, y) for x, y in pairs) and (one.count, one.ties) == (other.count, other.ties)


@settings(max_examples=15)
@given(records())
def test_exchanging_the_choices_changes_nothing(given: list[Judged]) -> None:
    turned = [
        replace(r, probabilities=r.probabilities[::-1], truth=None if r.truth is None else 1 - r.truth)
        if r.probabilities is not None
        else r
        for r in given
    ]
    before, after = figures(given), figures(turned)
    assert all(nearly(before[name], after[name]) for name in before)


@settings(max_examples=15)
@given(records(), st.randoms(use_true_random=False), st.permutations(range(6)))
def test_names_and_order_of_questions_do_not_matter(given: list[Judged], random: Any, names: list[int]) -> None:
    renamed = [replace(r, question=f"other {names[int(r.question[1:])]}") for r in given]
    assert figures(renamed) == figures(given)
    random.shuffle(renamed)
    before, after = figures(given), figures(renamed)
    assert all(nearly(before[name], after[name]) for name in before)


@settings(max_examples=15)
@given(records(), st.lists(st.integers(0, 9).flatmap(left_out), min_size=1, max_size=5))
def test_what_is_undecided_changes_no_value(given: list[Judged], more: list[Judged]) -> None:
    before, after = figures(given), figures([*more, *given])
    for name, found in after.items():
        assert nearly(before[name], found)
        assert Counter(found.undecided) == Counter(before[name].undecided) + Counter(r.outcome for r in more)


@settings(max_examples=25)
@given(records(least=1), st.integers(0, 5))
def test_intervals_hold_the_value(given: list[Judged], seed: int) -> None:
    for found in metrics.summary(given, Bootstrap(resamples=50, seed=seed)).values():
        if found.low is not None and found.high is not None:
            assert found.value is not None and found.low <= found.value <= found.high


@given(st.integers(1, 39), st.integers(1, 39), st.sampled_from([metrics.squared_error, metrics.brier, metrics.log_score,
                                                              metrics.plain_log_score, metrics.reward]))  # fmt: skip
def test_proper_scores_are_best_for_the_true_belief(belief: int, report: int, score: Score) -> None:
    sign = -1 if score is metrics.squared_error else 1

    def expected(said: float) -> float:
        return math.fsum(
            p * sign * score(Judged("x", (said, 1 - said), truth))
            for truth, p in ((0, belief / 40), (1, 1 - belief / 40))
        )

    honest, other = expected(belief / 40), expected(report / 40)
    assert other < honest if belief != report else other == honest


def test_log_odds_are_not_proper() -> None:
    def expected(said: float) -> float:
        return 0.6 * metrics.log_odds(Judged("x", (said, 1 - said), 0)) + 0.4 * metrics.log_odds(
            Judged("x", (said, 1 - said), 1)
        )

    assert expected(0.9) > expected(0.6)


@given(records(least=1, undecided=False))
def test_against_scikit_learn(given: list[Judged]) -> None:
    library = pytest.importorskip("sklearn.metrics")
    truths = [r.true for r in given]
    ones = [r.believed[1] for r in given]
    loss = library.brier_score_loss(truths, ones, labels=[0, 1], pos_label=1)
    assert metrics.mean(given, metrics.squared_error, BY).value == pytest.approx(loss)
    clear = [(t, p) for t, p in zip(truths, ones, strict=True) if 0 < p < 1]
    if clear:
        kept = [r for r in given if 0 < r.believed[1] < 1]
        log_loss = library.log_loss([t for t, _ in clear], [p for _, p in clear], labels=[0, 1])
        assert metrics.mean(kept, metrics.plain_log_score, BY).value == pytest.approx(-log_loss)


def test_the_interval_covers_as_often_as_it_says() -> None:
    """Plays in 40 questions, two of each that always agree, of a judge whose p is drawn evenly: the mean is 0.5.

    Of 200 intervals of 95 %, fewer than 176 hold it with a probability below 1e-4 if each does with 0.95.
    """
    from random import Random

    random, held = Random(1), 0
    for _ in range(200):
        drawn = [random.random() for _ in range(40)]
        given = [Judged(f"q{i}", (p, 1 - p), 0) for i, p in enumerate(drawn) for _ in range(2)]
        found = metrics.mean(given, metrics.p_correct, Bootstrap(resamples=200))
        assert found.low is not None and found.high is not None
        held += found.low <= 0.5 <= found.high
    assert 176 <= held < 200


# -- records -----------------------------------------------------------------------------------------------------------


def sure(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.9, 0.1), end=True)


class Talker:
    def __init__(self, name: str) -> None:
        self.name = name

    def act(self, request: moot.Request) -> Any:
        if "Answer" in str(request.kinds):
            return moot.Answer(choice=1)
        return moot.Speech(text="So it is.")

    def describe(self) -> dict[str, str]:
        return {"agent": "program", "name": self.name}


def play(protocol: moot.Protocol, truth: int | None = 0) -> moot.Transcript:
    question = moot.Question("Who?", ("x", "y"), passage="x did")
    seats = {seat: Talker(f"Speaker {seat}") for seat in protocol.roles(question) if seat != "judge"}
    return moot.run(protocol, moot.Sample(question, truth), {**seats, "judge": sure})


def test_records_of_transcripts() -> None:
    found = of(play(moot.Debate(rounds=1)), agent="b")
    assert found == Judged(
        "Who? | x | y", (0.9, 0.1), 0, argued=1, defenders=("Speaker a", "Speaker b")
    )  # fmt: skip
    swapped = of(play(moot.Debate(rounds=1, swap=True)), agent="b", names={"a": "A"}, question="7")
    assert (swapped.argued, swapped.defenders, swapped.question) == (0, ("Speaker b", "A"), "7")
    assert of(play(moot.Consultancy(answer=1, rounds=1))).argued == 1
    assert of(play(moot.OpenConsultancy(rounds=1))).argued == 1
    opened = of(play(moot.OpenDebate(rounds=1), truth=None), agent="a")
    assert (opened.argued, opened.defenders, opened.truth) == (1, ("Speaker b", "Speaker a"), None)
    alone = of(play(moot.DirectQA()))
    assert (alone.argued, alone.defenders) == (None, ())
    with pytest.raises(UsageError, match="has no seat 'c'"):
        of(play(moot.Debate(rounds=1)), agent="c")
    with pytest.raises(UsageError, match="seat 'judge' argues for no choice; a, b does"):
        of(play(moot.Debate(rounds=1)), agent="judge")


def test_the_reward_is_that_of_the_transcript() -> None:
    scoring = moot.ScoringRule(rule="log", base=2, penalty=0.05)
    protocol = moot.Debate(
        rounds=2, opening=(moot.Feedback(),), repeat=(moot.Speeches(), moot.Feedback()), scoring=scoring
    )
    question = moot.Question("Who?", ("x", "y"))

    def judge(request: moot.Request) -> moot.Verdict:
        return moot.Verdict(probabilities=(0.3, 0.7), end=request.brief.get("round") == 2)

    transcript = moot.run(protocol, moot.Sample(question, 1), {"a": Talker("A"), "b": Talker("B"), "judge": judge})
    record = of(transcript)
    assert record.continues == 2 and metrics.reward(record) == moot.judge_reward(transcript)


def test_a_play_that_failed_is_no_judgment() -> None:
    question = moot.Question("Who?", ("x", "y"))
    transcript = moot.run(moot.DirectQA(), moot.Sample(question, 0), {"judge": lambda request: {"kind": "nonsense"}})
    found = of(transcript)
    assert found.probabilities is None and found.outcome == "forfeited"
    assert metrics.accuracy([found]).undecided == {"forfeited": 1}
    silent = dict.fromkeys(("a", "b"), lambda request: moot.Speech(text=" "))
    debate = of(
        moot.run(moot.Debate(rounds=1), question, {**silent, "judge": sure}), agent="a", names={"a": "A", "b": "B"}
    )
    assert (debate.outcome, debate.defenders, debate.argued) == ("forfeited", ("A", "B"), 0)
    assert win_rate([debate], "A").undecided == {"forfeited": 1}
    opened = of(moot.run(moot.OpenDebate(rounds=1), question, {**silent, "judge": sure}), agent="a")
    assert (opened.outcome, opened.defenders, opened.argued) == ("forfeited", (), None), "it never chose an answer"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"outcome": "won"}, "the outcome is 'won'"),
        ({}, "it was decided, so its probabilities cannot be None"),
        ({"outcome": "errored", "probabilities": (0.5, 0.5)}, "it was errored"),
        ({"probabilities": (0.5, 0.6)}, "sum to 1"),
        ({"probabilities": (0.5, 0.5), "truth": 2}, "truth is 2; with 2 choices"),
        ({"probabilities": (0.5, 0.5), "argued": -1}, "argued is -1"),
        ({"probabilities": (0.5, 0.5), "continues": -1}, "continues is -1"),
        ({"probabilities": (0.5, 0.5), "defenders": ("x",)}, "1 defenders for 2 choices"),
    ],
)
def test_records_that_contradict_themselves(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        Judged("x", **fields)


def test_bad_input_is_refused() -> None:
    with pytest.raises(UsageError, match="different truths"):
        metrics.accuracy([Judged("x", (0.5, 0.5), 0), Judged("x", (0.5, 0.5), 1)])
    with pytest.raises(UsageError, match="at least 1 bin"):
        metrics.calibration(HAND, bins=0)
    with pytest.raises(UsageError, match="confidence"):
        Bootstrap(confidence=1.0)
    with pytest.raises(UsageError, match="too few"):
        Bootstrap(resamples=10)
    with pytest.raises(UsageError, match="nothing was believed"):
        metrics.p_correct(Judged("x", outcome="errored"))
    with pytest.raises(UsageError, match="no truth"):
        metrics.p_correct(Judged("x", (0.5, 0.5)))


def test_an_estimate_is_a_row() -> None:
    row = metrics.accuracy(HAND).row("accuracy", published=0.5, holds=True)
    assert (row.measured, row.count, row.undecided, row.holds) == (0.625, 4, 1, True)


@pytest.mark.parametrize("page", ["metrics.md", "debate/nested_oversight.md"])
def test_the_examples_of_the_pages_run(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = (Path(__file__).parents[1] / "docs" / page).read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, page, "exec"), {})
    printed = capsys.readouterr().out
    assert "inf" in printed if page == "metrics.md" else "(2, 0.27569" in printed
