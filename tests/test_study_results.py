"""Figures of a study: by hand, against other packages, and against rows that lie."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_kit import arm_of, told, undecided, verdict

from moot.complexity.estimates import wilson
from moot.experiments.statistics.intervals import Bootstrap, clustered, ratio, robust, sign_flips
from moot.protocols.engine.errors import UsageError
from moot.studies.results import rows as of_rows
from moot.studies.results.agreement import agreement
from moot.studies.results.curves import elo, frontier, growths
from moot.studies.results.results import Results

BY = Bootstrap(resamples=80)
rights = st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=8)


# -- rows --------------------------------------------------------------------------------------------------------------


def test_a_row_has_every_column_and_no_other() -> None:
    assert tuple(of_rows.row(arm="a")) == of_rows.COLUMNS
    assert of_rows.row(arm="a")["cost"] is None and of_rows.row()["axes"] == {}
    with pytest.raises(UsageError, match="no column 'tokns'; did you mean 'tokens'"):
        of_rows.row(tokns=3)


LIES: list[tuple[dict[str, Any], str]] = [
    ({"outcome": "decidd"}, "the outcome is 'decidd'; did you mean 'decided'"),
    ({"arm": None}, "arm is None; it must be a text"),
    ({"cost": math.nan}, "cost is nan; it must be a finite number"),
    ({"cost": -1}, "cost is -1; it must be at least 0"),
    ({"tokens": True}, "tokens is True; it must be an integer of at least 0"),
    ({"reads": -1}, "reads is -1"),
    ({"grade": 1.5}, "grade is 1.5; it must be 0 to 1"),
    ({"payoffs": {"alice": math.inf}}, "payoffs.alice is inf"),
    ({"payoffs": [1]}, "payoffs is .* it must be a table"),
    ({"belief": [0.9, 0.2]}, "probabilities are at least 0 and sum to 1"),
    ({"belief": [1.5, -0.5]}, "probabilities are at least 0 and sum to 1"),
    ({"belief": [1.0]}, "belief has 1 probabilities for 2 choices"),
    ({"belief": ["x", 1]}, "a list of numbers"),
    ({"belief": []}, "a list of numbers"),
    ({"outcome": "errored"}, "it was errored, so nothing was believed"),
    ({"answer": 1}, "answer is 1, and the single most probable choice of its belief is 0"),
    ({"correct": False}, "correct is False, and by belief and truth it is True"),
    ({"truth": 2}, "truth is 2; with 2 choices it is 0 to 1"),
    ({"flip": "yes"}, "flip is 'yes'; it must be true or false"),
]


@pytest.mark.parametrize(("lie", "said"), LIES, ids=lambda each: str(each)[:40])
def test_a_row_that_lies_is_refused_with_its_number(lie: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=rf"^row 2 \(.*{said}"):
        Results([told("other", True), {**told("one", True), **lie}])


def test_rows_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(UsageError, match="truth is 1, and 0 in another row of that question; give different questions"):
        Results([told("one", True), verdict("one", 0.9, truth=1)])
    with pytest.raises(UsageError, match="choices is 3, and 2 in another"):
        Results([told("one", True), undecided("one", choices=3)])
    with pytest.raises(UsageError, match="row 2 .*row 1 is of the same cell 'k'"):
        Results([told("one", True, cell="k"), told("one", True, cell="k")])
    with pytest.raises(UsageError, match="row 1 .* has no cost; what is unknown is None"):
        Results([{name: held for name, held in told("one", True).items() if name != "cost"}])
    with pytest.raises(UsageError, match="row 1 is 3; a row is a table"):
        Results([3])  # type: ignore[list-item]
    Results([told("one", True), verdict("one", 0.9, truth=None), told("one", True, study="t", truth=0)])


# -- figures by hand ---------------------------------------------------------------------------------------------------


def test_accuracy_counts_apart_what_was_not_decided() -> None:
    rows = [told("q0", True), told("q1", False), verdict("q2", 0.5), undecided("q3"), undecided("q4", "exhausted"),
            verdict("q5", 0.7, truth=None), undecided("q6", "not played")]  # fmt: skip
    found = Results(rows).accuracy()
    assert (found.value, found.count, found.ties) == (0.5, 3, 1)
    assert found.undecided == {"unreadable": 1, "exhausted": 1, "no truth": 1, "not played": 1}
    assert Results(rows, ties="wrong").accuracy().value == pytest.approx(1 / 3)
    assert Results(rows).measure("wrong").value == 0.5
    bounds = Results(rows).bounds()
    assert [each.value for each in (bounds.wrong, bounds.decided, bounds.right)] == [0.3, 0.5, 0.7]
    assert bounds.right.undecided == {"no truth": 1, "not played": 1}


def test_an_open_answer_is_right_or_wrong_without_a_belief() -> None:
    rows = [verdict(f"q{i}", None, truth=None, correct=i < 3, grade=i / 4) for i in range(4)]
    assert Results(rows).accuracy().value == 0.75 and Results(rows).measure("grade").value == 0.375
    assert Results(rows).measure("brier").value is None and Results(rows).measure("brier").undecided == {"unknown": 4}


def test_nothing_and_one_question_have_no_interval() -> None:
    nothing = Results([]).accuracy()
    assert (nothing.value, nothing.low, nothing.count) == (None, None, 0)
    one = Results([told("q", True, epoch=i) for i in range(9)]).accuracy()
    assert (one.value, one.low, one.high, one.count) == (1.0, None, None, 9)


def test_a_share_that_does_not_vary_is_not_certain() -> None:
    """Resamples of questions that are all right are all right: their interval would be a point."""
    found = Results([told(f"q{i}", True, epoch=e) for i in range(10) for e in range(3)]).accuracy()
    assert (found.low, found.high) == pytest.approx(wilson(10, 10)) and found.method == "Wilson over questions"


def test_an_unknown_cost_is_not_nothing() -> None:
    rows = [
        told("q0", True, cost=0.5),
        told("q1", True),
        undecided("q2", "errored", cost=1.0),
        undecided("q3", "not played"),
    ]
    found = Results(rows).cost()
    assert (found.total, found.unknown, found.mean.value, found.mean.count) == (1.5, 1, 0.75, 2)
    assert found.mean.undecided == {"unknown": 2}


def test_rows_are_narrowed_and_split_by_any_column() -> None:
    rows = [told(f"q{i}", i % 2 == 0, arm=arm, axes={"budget": i % 3}) for i in range(6) for arm in ("few", "many")]
    results = Results(rows)
    assert len(results.where(arm="few")) == 6 == len(results.where({"arm": "few"}))
    assert len(results.where(axes={"budget": 2})) == 4 == len(results.where({"axes.budget": [2]}))
    assert len(results.where(arm=["few", "many"], outcome="errored")) == 0
    assert {held: len(each) for held, each in results.by("arm", "axes.budget").items()} == {
        (arm, budget): 2 for budget in range(3) for arm in ("few", "many")
    }
    assert {held: each.value for held, each in results.accuracy(by="axes.budget").items()} == {0: 0.5, 1: 0.5, 2: 0.5}


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (lambda r: r.where(arm="fewe"), "no row has arm 'fewe'; did you mean 'few'"),
        (lambda r: r.where(amr="few"), "no row has a column 'amr'; did you mean 'arm'"),
        (lambda r: r.by("budget"), "no row has a column 'budget'; did you mean axes.budget"),
        (lambda r: r.by("axes"), "no row has a column 'axes'; did you mean axes.budget"),
        (lambda r: r.by("axes.budgt"), "did you mean 'budget'"),
        (lambda r: r.by(), "none is named"),
        (lambda r: r.measure("acuracy"), "there is no metric 'acuracy'; did you mean 'accuracy'"),
        (lambda r: r.measure("tokens", undecided="right"), "only accuracy and wrong can count it"),
        (lambda r: r.accuracy(undecided="maybe"), "only accuracy and wrong can count it as 'right' or 'wrong'"),
        (lambda r: r.contrast({"few": 1, "mny": -1}), "no row has arm 'mny'; did you mean 'many'"),
        (lambda r: r.contrast({}), "a contrast needs arms with weights"),
        (lambda r: r.contrast({"few": 1, "many": -0.5}), "sum to 0.5, not to 0; say zero_sum=False"),
        (lambda r: r.contrast({"few": 0}), "must be a finite number other than 0"),
        (lambda r: r.contrast({"few": math.nan}), "must be a finite number other than 0"),
        (lambda r: r.contrast({"few": 1, "many": -1}, strata="tags.kind"), "no row has 'tags.kind'"),
        (lambda r: frontier(r, "axes.kind"), "no row has 'axes.kind'"),
        (lambda r: frontier(r, "judge"), "a frontier needs a number"),
        (lambda r: elo(r), "no row says who defended which answer"),
        (lambda r: elo(r, ("alice", "bbo")), "nobody sits in 'bbo'; did you mean 'bob'"),
        (lambda r: agreement(r.where(arm="few")), "two raters or more; judge names few"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(ask: Any, said: str) -> None:
    rows = [told(f"q{i}", True, arm=arm, axes={"budget": 1}) for i in range(3) for arm in ("few", "many")]
    with pytest.raises(UsageError, match=said):
        ask(Results(rows))


@given(rights)
@settings(max_examples=60)
def test_bounds_hold_the_figure_and_every_row_is_counted_once(given: list[bool | None]) -> None:
    results = Results(arm_of("a", given), BY)
    bounds = results.bounds()
    for found in (bounds.wrong, bounds.decided, bounds.right):
        assert found.count + sum(found.undecided.values()) == len(given)
    assert bounds.wrong.value is not None and bounds.right.value is not None
    assert (
        bounds.wrong.value
        <= (bounds.wrong.value if bounds.decided.value is None else bounds.decided.value)
        <= bounds.right.value
    )
    assert results.measure("wrong", undecided="wrong").value == pytest.approx(1 - bounds.wrong.value)


# -- intervals ---------------------------------------------------------------------------------------------------------

Y = [0, 1, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1, 1]
SIZES = [1, 2, 3, 4] * 3


def test_the_robust_interval_is_that_of_statsmodels() -> None:
    """statsmodels 0.15.0: OLS(Y, ones).fit(cov_type="cluster", cov_kwds={"groups": …}).conf_int(), clusters of SIZES."""
    values = iter(Y)
    units = [(float(sum(itertools.islice(values, size))), size) for size in SIZES]
    assert ratio(units) == pytest.approx(0.73333333)
    assert robust(units) == pytest.approx((0.60148656, 0.86518011))
    assert robust(units[:1]) == (None, None)


def test_flipped_signs_give_the_p_of_scipy() -> None:
    """scipy 1.17.1: permutation_test((d, zeros), mean of differences, permutation_type="samples", n_resamples=inf)."""
    differences = [0.5, -1, 1, 1, 0, 0.25, 1, -0.5, 1]
    assert sign_flips(differences) == (0.21875, 512)
    drawn = sign_flips(differences, flips=500)
    assert drawn is not None and drawn[1] == 500 and abs(drawn[0] - 0.21875) < 0.06
    assert sign_flips([1.0]) is None


@given(st.lists(st.integers(-4, 4), min_size=2, max_size=9))
@settings(max_examples=60)
def test_exact_flips_are_all_flips(differences: list[int]) -> None:
    sums = [
        sum(s * d for s, d in zip(signs, differences, strict=True))
        for signs in itertools.product((1, -1), repeat=len(differences))
    ]
    far = sum(abs(each) >= abs(sum(differences)) for each in sums)
    assert sign_flips([each / 10 for each in differences]) == (far / len(sums), len(sums))


@given(st.lists(st.tuples(st.integers(0, 5).map(float), st.integers(1, 5)), min_size=2, max_size=8), st.integers(0, 3))
@settings(max_examples=40)
def test_resampled_ratios_are_those_of_any_statistic(units: list[tuple[float, int]], seed: int) -> None:
    by = Bootstrap(resamples=50, seed=seed, confidence=0.9)
    assert by.interval(units, ratio, ratio(units)) == by.interval(units, lambda each: ratio(each), ratio(units))


@pytest.mark.parametrize("way", [clustered, robust])
def test_intervals_by_question_cover_where_those_by_row_do_not(way: Any) -> None:
    """300 studies of 40 questions, each asked 8 times, whose difficulty differs: the true mean is 0.5."""
    draw, by, covered, naive = random.Random(5), Bootstrap(resamples=80), 0, 0
    for _ in range(300):
        units = [
            (float(sum(draw.random() < p for _ in range(8))), 8) for p in (draw.choice((0.1, 0.9)) for _ in range(40))
        ]
        low, high, *_ = way(units, by)
        covered += low <= 0.5 <= high
        low, high = wilson(int(sum(total for total, _ in units)), 320)
        naive += low <= 0.5 <= high
    assert 0.9 <= covered / 300 <= 0.98
    assert naive / 300 < 0.8


# -- contrasts ---------------------------------------------------------------------------------------------------------


def test_a_contrast_is_paired_by_question() -> None:
    """Half of each budget less none, of the share judged for a wrong answer: q3 is in none, as one arm lacks it."""
    rows = [
        *arm_of("none", [True, True, True, True]),
        *arm_of("one", [False, True, False, None]),
        *arm_of("two", [False, False, True, True]),
    ]
    found = Results(rows).contrast({"one": 0.5, "two": 0.5, "none": -1}, "wrong")
    assert found.estimate.value == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert (found.estimate.count, found.questions, found.flips, found.p) == (3, 3, 8, 0.25)
    assert found.estimate.undecided == {"unreadable": 1, "incomplete": 2}
    assert found.levels == {"one": pytest.approx(2 / 3), "two": pytest.approx(2 / 3), "none": 0.0}
    level = Results(rows).contrast({"one": 1.0}, zero_sum=False)
    assert level.estimate.value == pytest.approx(1 / 3) and level.p is None


def test_a_contrast_by_strata_and_of_one_question() -> None:
    rows = [*arm_of("a", [True] * 6), *arm_of("b", [False, True] * 3)]
    rows = [{**row, "tags": {"kind": "hard" if row["question"] in ("q0", "q2", "q4") else "easy"}} for row in rows]
    found = Results(rows, BY).contrast({"a": 1, "b": -1}, strata="tags.kind")
    assert {held: each.estimate.value for held, each in found.strata.items()} == {"hard": 1.0, "easy": 0.0}
    one = Results(rows[::6], BY).contrast({"a": 1, "b": -1})
    assert one.estimate.value == 1.0 and one.estimate.low is None and one.p is None


def test_repetitions_are_averaged_before_they_are_paired() -> None:
    rows = [told("q0", i < 3, epoch=i) for i in range(4)] + [
        told("q0", False, arm="b"),
        *arm_of("b", [None, True]),
        told("q1", True),
    ]
    found = Results(rows).contrast({"a": 1, "b": -1})
    assert found.estimate.value == pytest.approx((0.75 + 0) / 2)
    by_epoch = Results(rows).contrast({"a": 1, "b": -1}, by=("question", "epoch"))
    assert by_epoch.estimate.value == pytest.approx((1 + 0) / 2) and by_epoch.estimate.undecided["incomplete"] == 3


# -- agreement, ratings, curves ----------------------------------------------------------------------------------------

ANSWERS = [(0, 1, 0), (1, 0, 1), (0, 2, 2), (1, 0, 0), (1, 2, 0), (2, 0, 1), (0, 0, 0), (1, 1, 1), (2, 2, 1), (1, 0, 0),
           (1, 0, 1), (0, 0, 1), (0, 2, 0), (1, 1, 1), (2, 0, 2), (0, 0, 0), (1, 0, 0), (2, 2, 2), (0, 0, 0), (2, 1, 1)]  # fmt: skip


def _three(answers: Any) -> list[dict[str, Any]]:
    belief = ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0])
    return [
        verdict(f"q{i}", None, arm=judge, truth=None, choices=3, belief=belief[answer], answer=answer)
        for i, given in enumerate(answers) for judge, answer in zip("abc", given, strict=True)
    ]  # fmt: skip


def test_kappas_are_those_of_other_packages() -> None:
    """sklearn.metrics.cohen_kappa_score of scikit-learn 1.9.1; statsmodels 0.15.0, fleiss_kappa(aggregate_raters(…)[0])."""
    found = agreement(Results(_three(ANSWERS), BY))
    assert found.raters == ("a", "b", "c")
    assert found.fleiss.value == pytest.approx(0.21807124239791464)
    cohen = {pair: each.kappa.value for pair, each in found.pairs.items()}
    assert cohen == {("a", "b"): pytest.approx(0.09774436090225569), ("a", "c"): pytest.approx(0.3023255813953488),
                     ("b", "c"): pytest.approx(0.2913385826771654)}  # fmt: skip
    assert found.fleiss.low is not None and found.fleiss.low < 0.218 < (found.fleiss.high or 0)
    assert found.by_question["q0"] == pytest.approx(1 / 3) and found.by_question["q6"] == 1


def test_agreement_leaves_out_what_was_not_answered_and_refuses_two_answers() -> None:
    rows = [
        *arm_of("a", [True, True, None]),
        *arm_of("b", [True, False, True]),
        verdict("q9", 0.5),
        told("q9", True, arm="b"),
    ]
    found = agreement(Results(rows, BY))
    assert (found.raw.value, found.raw.count) == (0.5, 2)
    assert found.raw.undecided == {"unreadable": 1, "tie": 1}
    same = agreement(Results([*arm_of("a", [True] * 3), *arm_of("b", [True] * 3)], BY))
    assert (same.raw.value, same.fleiss.value) == (1.0, None)
    with pytest.raises(UsageError, match="judge 'a' has two rows for question q0.*take one of them"):
        agreement(Results([*rows, told("q0", True)]))


def test_ratings_are_those_of_choix() -> None:
    """choix 0.4.1, ilsr_pairwise with alpha=0, in Elo points around 1500."""
    won = {("x", "y"): (7, 3), ("y", "z"): (6, 4), ("x", "z"): (8, 2)}
    rows = [
        told(f"{pair}{i}", i < wins, flip=flip, truth=0, seats={"alice": pair[flip], "bob": pair[1 - flip], "judge": "j"})
        for pair, (wins, losses) in won.items() for i in range(wins + losses) for flip in [i % 2 == 1]
    ]  # fmt: skip
    found = elo(Results(rows), ("alice", "bob")).ratings
    assert {name: each.value for name, each in found.items()} == {
        "x": pytest.approx(1628.6501745168484), "y": pytest.approx(1474.0982853249457), "z": pytest.approx(1397.251540158206),
    }  # fmt: skip
    said = [{**row, "flip": False, "defends": {"alice": int(row["flip"]), "bob": int(not row["flip"])}} for row in rows]
    assert elo(Results(said)).ratings == found


def test_the_frontier_has_what_nothing_cheaper_beats() -> None:
    rows = [row for name, given, reads in (("few", [True, False, False], 2), ("many", [True, True, True], 8), ("lost", [True, False, False], 5))
            for row in arm_of(name, given, reads=reads, axes={"budget": reads})]  # fmt: skip
    found = frontier(Results([*rows, *arm_of("unknown", [True])]))
    assert [(point.group, point.best) for point in found] == [
        ("few", True),
        ("lost", False),
        ("many", True),
        ("unknown", False),
    ]
    declared = frontier(Results(rows), "axes.budget")
    assert [(point.group, point.spent.value) for point in declared] == [
        (("few", 2), 2),
        (("lost", 5), 5),
        (("many", 8), 8),
    ]


def test_growth_is_fitted_over_sizes() -> None:
    rows = [told(f"q{n}", True, n=n, reads=3 * n, tree_size=n, full_tree_size=2**n) for n in (2, 4, 6, 8)]
    found = growths(Results(rows))
    assert str(found.fits["full_tree_size"]).startswith("2.000^n") and found.fits["reads"].rate == pytest.approx(1)
    assert [size.full_tree_size for size in found.sizes] == [4, 16, 64, 256]
    short = growths(Results(rows[:2]))
    assert short.fits["reads"] is None and "three sizes or more" in short.lacks["reads"]
