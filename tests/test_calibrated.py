"""Calibrations: fitted by a library on held-out plays, applied by hand, and never judged on what they were fitted on."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.identity import fingerprints
from moot.agents.spec import agent_from
from moot.experiments.statistics import metrics
from moot.experiments.statistics.recalibration import evaluated, fit
from moot.experiments.statistics.records import of
from moot.judges.calibrated import Calibrated, Calibration, digest_of
from moot.protocols.engine.moves import Ask, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.scoring import CLIP

sklearn = pytest.importorskip("sklearn")


def asked(number: int, count: int = 2) -> Question:
    return Question(f"Is {number} even?", tuple(f"{number}-{index}" for index in range(count)))


def judged(number: int, truth: int | None, *shares: float) -> moot.Transcript:
    sample = moot.Sample(asked(number, len(shares)), truth=truth)
    return moot.run(moot.DirectQA(), sample, {"judge": lambda request: Verdict(probabilities=shares)})


@pytest.fixture(scope="module")
def overconfident() -> list[moot.Transcript]:
    """Says 0.9 and is right in 7 of 10; says 0.6 and is right in 5 of 10. The truth stands first and second in turn."""
    plays = []
    for number in range(40):
        p, right = (0.9, number % 10 < 7) if number < 20 else (0.6, number % 10 < 5)
        truth = number % 2
        believed = truth if right else 1 - truth
        plays.append(judged(number, truth, *(p if index == believed else 1 - p for index in range(2))))
    return plays


def test_isotonic_is_the_share_that_was_right(overconfident: list[moot.Transcript]) -> None:
    found = fit(overconfident, "isotonic")
    assert [tuple(round(each, 9) for each in point) for point in found.points] == [
        (0.1, 0.3), (0.4, 0.5), (0.6, 0.5), (0.9, 0.7),
    ]  # fmt: skip
    assert found.apply((0.9, 0.1)) == pytest.approx((0.7, 0.3)) and found.apply((0.4, 0.6)) == pytest.approx((0.5, 0.5))
    assert found.apply((0.75, 0.25)) == pytest.approx((0.6, 0.4))  # half-way
    assert found.apply((1, 0)) == pytest.approx((0.7, 0.3)) and found.plays == 40 and len(found.fitted_on) == 40


def test_platt_is_what_the_library_gives(overconfident: list[moot.Transcript]) -> None:
    """Against scikit-learn's own sigmoid on the same pairs, and the equations of the maximum by hand."""
    from sklearn.calibration import _SigmoidCalibration

    found = fit(overconfident, "platt")
    records = [of(play) for play in overconfident]
    odds = [math.log(p / (1 - p)) for record in records for p in record.believed]
    true = [index == record.truth for record in records for index in range(2)]
    other = _SigmoidCalibration().fit(odds, true)
    assert (found.slope, found.intercept) == pytest.approx((-other.a_, -other.b_), abs=1e-4)
    target = [41 / 42 if each else 1 / 42 for each in true]
    gaps = [t - 1 / (1 + math.exp(-(found.slope * z + found.intercept))) for t, z in zip(target, odds, strict=True)]
    assert math.fsum(gaps) == pytest.approx(0, abs=1e-4)
    assert math.fsum(gap * z for gap, z in zip(gaps, odds, strict=True)) == pytest.approx(0, abs=1e-3)
    assert found.intercept == pytest.approx(0, abs=1e-6)  # no order is preferred
    assert 0 < found.slope < 1  # it was too sure
    p = found.apply((0.9, 0.1))[0]
    assert p == pytest.approx(1 / (1 + (1 / 9) ** found.slope))


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_what_is_calibrated_is_better_calibrated(method: Any, overconfident: list[moot.Transcript]) -> None:
    calibration = fit(overconfident, method)
    others = []
    for number in range(100, 120):
        right = number % 10 < 7
        others.append(judged(number, 0, *((0.9, 0.1) if right else (0.1, 0.9))))
    before, after = [of(play) for play in others], evaluated(others, calibration)
    assert metrics.calibration(before).error.value == pytest.approx(0.2)
    assert metrics.calibration(after).error.value < 0.05  # type: ignore[operator]
    for score in (metrics.brier, metrics.log_score):
        assert metrics.mean(after, score).value > metrics.mean(before, score).value  # type: ignore[operator]


@pytest.mark.parametrize("method", ["platt", "isotonic"])
def test_it_is_not_evaluated_on_what_it_was_fitted_on(method: Any, overconfident: list[moot.Transcript]) -> None:
    calibration = fit(overconfident[:20], method)
    assert len(evaluated(overconfident[20:], calibration)) == 20
    with pytest.raises(moot.UsageError, match="'Is 19 even\\?' is one that the calibration was fitted on"):
        evaluated(overconfident[19:], calibration)
    asks: list[Any] = []

    def judge(request: moot.Request) -> Verdict:
        asks.append(request)
        return Verdict(probabilities=(0.9, 0.1))

    told = moot.rejudge(overconfident[3], Calibrated(judge, calibration)).outcome
    assert isinstance(told, moot.Errored) and "was fitted on" in told.cause and asks == []
    swapped = Question(asked(3).text, asked(3).choices[::-1])
    assert digest_of(swapped) == digest_of(asked(3)) != digest_of(asked(3, 3))
    outcome = moot.run(moot.DirectQA(), swapped, {"judge": Calibrated(judge, calibration)}).outcome
    assert isinstance(outcome, moot.Errored)


def test_a_calibrated_judge_keeps_what_it_said(overconfident: list[moot.Transcript], tmp_path: Path) -> None:
    calibration = fit(overconfident, "isotonic")
    path = calibration.save(tmp_path / "c.json")
    assert Calibration.load(path) == calibration
    with pytest.raises(moot.UsageError, match="exists already"):
        calibration.save(path)
    judge = lambda request: Verdict(probabilities=(0.9, 0.1), text="sure")  # noqa: E731
    play = moot.run(moot.DirectQA(), asked(999), {"judge": Calibrated(judge, path)})
    assert isinstance(play.outcome, moot.Decided) and play.outcome.verdict.text == "sure"
    assert play.outcome.verdict.probabilities == pytest.approx((0.7, 0.3))
    (event,) = (each for each in play.events() if each["event"] == "calibrated")
    assert event["stated"] == [0.9, 0.1] and moot.replay(play).digest == play.digest
    tables = {"agents": {"j": {"kind": "calibrated", "of": "openai:m@http://127.0.0.1:1/v1", "file": str(path)}}}
    assert isinstance(agent_from("j", tables), Calibrated)
    prints = fingerprints({"1": Calibrated(judge, path), "2": Calibrated(judge, fit(overconfident)), "3": judge})
    assert len(set(prints.values())) == 3 and None not in prints.values()
    curious = Calibrated(lambda r: Ask(text="?") if Ask in r.kinds else Verdict.sure(0), path)
    protocol = moot.Debate(rounds=2, questions=True)
    held = moot.run(protocol, asked(7_000), {"debater": lambda r: moot.Speech(text="x"), "judge": curious})
    assert isinstance(held.outcome, moot.Decided)


def test_a_judge_without_a_verdict_is_not_calibrated(overconfident: list[moot.Transcript]) -> None:
    calibration = fit(overconfident)
    for bad in (None, {"kind": "speech", "text": "x"}, {"kind": "verdict", "probabilities": [2, -1]}):
        outcome = moot.run(moot.DirectQA(), asked(999), {"judge": Calibrated(lambda r: bad, calibration)}).outcome  # noqa: B023
        assert outcome is not None and outcome.kind == "errored"


shares = st.integers(2, 5).flatmap(
    lambda n: (
        st.lists(st.integers(0, 20), min_size=n, max_size=n).filter(any).map(lambda w: tuple(x / sum(w) for x in w))
    )
)
rising = st.lists(st.tuples(st.integers(0, 1000), st.integers(0, 1000)), min_size=1, max_size=8).map(
    lambda given: tuple(
        zip((x / 1000 for x in sorted({x for x, _ in given})), sorted(y / 1000 for _, y in given), strict=False)
    )
)
calibrations = st.one_of(
    st.builds(lambda a, b: Calibration(method="platt", slope=a, intercept=b, fitted_on=(), plays=1), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)),
    st.builds(lambda points: Calibration(method="isotonic", points=points, fitted_on=(), plays=1), rising),
)  # fmt: skip


@given(calibrations, shares)
def test_any_calibration_gives_a_distribution_without_certainty(
    calibration: Calibration, given_: tuple[float, ...]
) -> None:
    found = calibration.apply(given_)
    assert Verdict(probabilities=found) and all(0 < p < 1 for p in found)
    if calibration.method == "isotonic" or calibration.slope >= 0:  # it never falls
        for one, two in zip(
            sorted(zip(given_, found, strict=True)), sorted(zip(given_, found, strict=True))[1:], strict=False
        ):
            assert one[1] <= two[1] + 1e-12
    assert Calibration.model_validate_json(calibration.model_dump_json()) == calibration


@given(shares)
def test_a_slope_of_one_changes_nothing(given_: tuple[float, ...]) -> None:
    found = Calibration(method="platt", fitted_on=(), plays=1).apply(given_)
    held = [min(max(p, CLIP), 1 - CLIP) for p in given_]
    assert found == pytest.approx([p / sum(held) for p in held])


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 10), st.booleans()), min_size=1, max_size=12))
def test_any_plays_can_be_fitted(rows: list[tuple[int, bool]]) -> None:
    """Always right, always wrong, always undecided: a finite map, the same for both orders of the choices."""
    plays = [judged(number, int(truth), p / 10, 1 - p / 10) for number, (p, truth) in enumerate(rows)]
    method: Any
    for method in ("platt", "isotonic"):
        found = fit(plays, method)
        for p in (0.0, 0.3, 0.5, 1.0):
            one, two = found.apply((p, 1 - p)), found.apply((1 - p, p))
            assert one == pytest.approx(two[::-1], abs=1e-5) and all(0 < each < 1 for each in one)


def test_what_cannot_be_used_is_not() -> None:
    undecided = moot.run(moot.DirectQA(), moot.Sample(asked(1), truth=0), {"judge": lambda r: None})
    for plays in ([], [undecided], [judged(1, None, 0.5, 0.5)]):
        with pytest.raises(moot.UsageError, match="there is none here"):
            fit(plays)
    assert fit([undecided, judged(1, None, 0.5, 0.5), judged(2, 0, 0.8, 0.2)]).plays == 1
    with pytest.raises(moot.UsageError, match="not by 'temperature'"):
        fit([], "temperature")  # type: ignore[arg-type]
    assert evaluated([undecided], fit([judged(2, 0, 0.8, 0.2)]))[0].outcome == "forfeited"
    with pytest.raises(moot.UsageError, match="is no Calibration"):
        Calibrated(lambda r: None, {"method": "platt"})  # type: ignore[arg-type]


@pytest.mark.parametrize("change, problem", [
    ({"method": "magic"}, "method"), ({"slope": "NaN"}, "slope"), ({"slope": 1e999}, "slope"), ({"more": 1}, "more"),
    ({"method": "isotonic"}, "has points"), ({"plays": 0}, "plays"), ({"fitted_on": None}, "fitted_on"),
    ({"method": "isotonic", "points": [[0.1, 0.5], [0.2, 0.4]]}, "rise"),
    ({"method": "isotonic", "points": [[0.2, 0.4], [0.2, 0.5]]}, "rise"),
    ({"method": "isotonic", "points": [[0.2, 1.4]]}, "points"),
    ({"method": "isotonic", "points": [[float("nan"), 0.4]]}, "points"),
])  # fmt: skip
def test_a_file_that_is_no_calibration(change: dict[str, Any], problem: str, tmp_path: Path) -> None:
    path = tmp_path / "c.json"
    path.write_text(json.dumps({"method": "platt", "fitted_on": [], "plays": 3, **change}))
    with pytest.raises(moot.UsageError, match=rf"calibration: .*c\.json.*{problem}"):
        Calibration.load(path)


def test_a_file_that_is_no_json(tmp_path: Path) -> None:
    for content in (b"", b"{", b"\xff", b"[" * 100_000, b"[]", b"null"):
        (tmp_path / "c.json").write_bytes(content)
        with pytest.raises(moot.UsageError, match="calibration: "):
            Calibration.load(tmp_path / "c.json")
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(moot.UsageError, match="calibration: .*(Is a directory|No such file)"):
            Calibration.load(path)
    with pytest.raises(moot.UsageError, match="cannot write"):
        Calibration(method="platt", fitted_on=(), plays=1).save(tmp_path / "no" / "c.json")
