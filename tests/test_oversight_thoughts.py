"""A probe that pays for thoughts: the closed forms, networks that are trained on it, and plays whose thoughts are read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.oversight import thoughts
from moot.experiments.oversight.drift import peak
from moot.experiments.oversight.seen import played
from moot.experiments.statistics.process_pay import paid, probing

COSINES = st.floats(-0.8, 1.0)


# -- closed forms -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("cosine", "salience"), [(0.6, 2.0), (-0.5, 1.5), (0.4, 1.0), (1.0, 3.0)])
def test_what_is_used_is_where_the_flow_ends(cosine: float, salience: float) -> None:
    answer, read = thoughts.descended("ambiguous", cosine, 40.0, salience, rate=0.04)
    assert answer == pytest.approx(thoughts.used(cosine, salience), abs=1e-4)
    assert read == pytest.approx([1, 0], abs=1e-4)


@given(COSINES, st.floats(0.2, 5.0))
def test_what_is_used_is_the_shortest_that_has_no_error(cosine: float, salience: float) -> None:
    """By the pseudo-inverse, over the weights of two hidden units."""
    ends = np.array([[1.0, 0.0], [cosine, np.sqrt(1 - cosine * cosine)]])
    alike, both = np.array([[1.0, salience]]), np.eye(2)
    wanted = np.concatenate([np.kron(ends[:1], alike), np.kron(ends[1:], both)])
    shortest = np.linalg.lstsq(wanted, np.array([1.0, 1.0, 0.0]), rcond=1e-9)[0].reshape(2, 2)
    assert ends[0] @ shortest * (1.0, salience) == pytest.approx(thoughts.used(cosine, salience), abs=1e-5)
    by_property, other = thoughts.used(cosine, salience)
    assert by_property + other == pytest.approx(1)
    if abs(cosine - thoughts.enough(salience)) > 1e-9:
        assert (by_property > other) == (cosine > thoughts.enough(salience))


def test_constants() -> None:
    assert thoughts.used(0.0) == pytest.approx((0.2, 0.8)) and thoughts.used(0.6) == pytest.approx((0.68, 0.32))
    assert thoughts.enough() == 0.375 and thoughts.enough(1.0) == 0
    assert thoughts.used(0.5, 1e200) == (0.5, 0.5) and thoughts.enough(1e-200) < -1 < thoughts.enough(1e200) == 0.5
    assert thoughts.gamed(peak(0.6), 0.6) == pytest.approx((0.606275, 0.236235), abs=1e-6)
    assert thoughts.gamed(0.0, 0.6) == (0, 0) and thoughts.gamed(1e3, 1.0) == pytest.approx((0.5, 0.5))


@given(COSINES.filter(lambda cosine: cosine < 0.95), st.floats(0.0, 10.0), st.floats(0.0, 10.0))
def test_the_probe_reads_ever_more_while_use_comes_and_goes(cosine: float, one: float, other: float) -> None:
    early, late = sorted((one, other))
    assert thoughts.gamed(late, cosine)[0] >= thoughts.gamed(early, cosine)[0] - 1e-12
    assert thoughts.gamed(2000.0, cosine) == pytest.approx((1, 0), abs=1e-6)
    if cosine > 0.01:
        assert abs(thoughts.gamed(one, cosine)[1]) <= thoughts.gamed(peak(cosine), cosine)[1] + 1e-12


@pytest.mark.parametrize("cosine", [-0.4, 0.0, 0.6, 1.0])
@pytest.mark.parametrize("time", [0.4, 1.155245, 4.0])
def test_the_flow_is_the_closed_form(cosine: float, time: float) -> None:
    found = thoughts.descended("biased", cosine, time)
    assert (found[1, 0], found[0, 0]) == pytest.approx(thoughts.gamed(time, cosine), abs=1e-5)


def test_taking_a_direction_out_is_no_proof_of_use() -> None:
    """At the end nothing of the property is used, and without the probe's direction the answer changes by the cosine."""
    for cosine in (0.3, 0.6):
        answer, read = thoughts.descended("biased", cosine, 40.0, rate=0.04)
        assert answer[0] == pytest.approx(0, abs=1e-5) and answer[0] - cosine * read[0] == pytest.approx(
            -cosine, abs=1e-6
        )


def test_bad_parameters_are_refused() -> None:
    for cosine, salience in ((-1.0, 2.0), (1.01, 2.0), (0.0, 0.0), (0.0, float("inf")), (float("nan"), 2.0)):
        with pytest.raises(moot.UsageError, match=r"give one in \(-1, 1\], and one above 0"):
            thoughts.used(cosine, salience)
    for time in (-0.1, float("nan"), float("inf")):
        for law in (lambda time: thoughts.gamed(time, 0.5), lambda time: thoughts.descended("biased", 0.5, time)):
            with pytest.raises(moot.UsageError, match="give a number of at least 0"):
                law(time)
    for rate in (0.0, float("nan")):
        with pytest.raises(moot.UsageError, match="rate .*; give a number above 0"):
            thoughts.descended("biased", 0.5, 1.0, rate=rate)
    with pytest.raises(moot.UsageError, match="one of ambiguous, biased"):
        thoughts.descended("other", 0.5, 1.0)
    with pytest.raises(moot.UsageError, match="one of none, fixed"):
        thoughts.Networks("biased", "other", 1)
    for wrong in ({"seed": -1}, {"plays": 0}, {"networks": 0}):
        with pytest.raises(moot.UsageError, match="give a whole number of at least"):
            thoughts.reproduce(**wrong)  # type: ignore[arg-type]
    for networks, seed in ((0, 0), (-1, 0), (1, -1)):
        with pytest.raises(moot.UsageError, match="give a whole number of at least"):
            thoughts.Networks("biased", "none", networks, seed)
    with pytest.raises(moot.UsageError, match="steps is -1"):
        thoughts.Networks("biased", "none", 1).train(-1)


# -- networks -----------------------------------------------------------------------------------------------------------


@settings(max_examples=8)
@given(st.sampled_from(thoughts.OUTCOMES), st.sampled_from(thoughts.PROBES), st.integers(0, 99))
def test_networks_go_down_the_gradient(outcomes: str, probe: str, seed: int) -> None:
    networks = thoughts.Networks(outcomes, probe, 2, seed)
    random = np.random.default_rng(seed)
    slopes = networks.gradients()
    for weights, slope in zip((networks.first, networks.last), slopes, strict=True):
        at = (1, *(int(random.integers(size)) for size in weights.shape[1:]))
        kept = weights[at]
        found = []
        for step in (1e-5, -1e-5):
            weights[at] = kept + step
            found.append(networks.loss())
        weights[at] = kept
        assert (found[0] - found[1])[1] / 2e-5 == pytest.approx(slope[at], rel=1e-4, abs=1e-7)
        assert found[0][0] == found[1][0], "networks do not touch each other"


def test_what_is_looked_at_is_what_it_says() -> None:
    networks = thoughts.Networks("biased", "readout", 2, 5)
    networks.train(60)
    score, use, without, wrong, astray, cosine = networks.look()
    hidden, at = networks.hidden()[1], networks.inputs[:, 0]
    answer, read = hidden @ networks.last[1], hidden @ networks.probe[1]
    assert score[1] == pytest.approx(1 - np.mean((read - at) ** 2))
    assert use[1] == pytest.approx(np.mean(answer * at)) and wrong[1] == np.mean(answer * at <= 0)
    assert astray[1] == np.mean(read * at <= 0)
    along = networks.probe[1] / np.linalg.norm(networks.probe[1])
    left = hidden - np.outer(hidden @ along, along)
    assert left @ along == pytest.approx(np.zeros(64), abs=1e-12)
    assert without[1] == pytest.approx(np.mean(left @ networks.last[1] * at))
    assert cosine[1] == pytest.approx(along @ networks.last[1] / np.linalg.norm(networks.last[1]))


def test_a_probe_that_is_trained_against_is_paid_for_what_is_not_used() -> None:
    found = {probe: thoughts.Networks("biased", probe, 4, 7).train() for probe in ("fixed", "readout", "followed")}
    for probe in ("fixed", "readout"):
        looks = found[probe]
        assert looks.score[-1].min() > 0.99 and not looks.astray[-1].any(), "no input is against the specification"
        assert abs(looks.use[-1]).max() < 0.02 and (looks.wrong[-1] == 0.5).all(), "and half the answers are"
    assert (found["readout"].use.max(0) > 0.15).all() and found["readout"].score[0].max() < 0.8
    followed = found["followed"]
    assert (followed.use[-1] > 0.15).all() and followed.score[-1].max() < 0.5, (
        "what follows the readout is not fooled, or paid"
    )
    law = np.sqrt(followed.score[-1] * (1 - followed.score[-1]))
    assert followed.use[-1] == pytest.approx(law, abs=0.05)


def test_what_pay_adds_where_outcomes_do_not_tell() -> None:
    alone, aimed = (thoughts.Networks("ambiguous", probe, 6, 11).train(300) for probe in ("none", "readout"))
    assert (aimed.use[-1] > alone.use[-1] + 0.3).all() and not aimed.wrong[-1].any() and (alone.wrong[-1] == 0.5).any()


# -- plays --------------------------------------------------------------------------------------------------------------


def test_pay_is_a_fold_over_recorded_thoughts(tmp_path: Path) -> None:
    networks = thoughts.Networks("biased", "readout", 3, 2)
    networks.train(100)
    for place in (0, 2):
        plays = played(thoughts.Thinker(networks, place), map(thoughts.posed, networks.inputs))
        score = paid(plays, probing(networks.probe[place].tolist()), thoughts.labelled)
        assert score == pytest.approx(float(networks.look()[0][place]), abs=1e-7)
        wrong = sum(play.answers["judge"][play.sample.unseal() or 0] < 0.5 for play in plays)
        assert wrong == round(64 * float(networks.look()[3][place]))
    saved = moot.load(plays[5].save(tmp_path / "x.jsonl"))
    reads = probing(networks.probe[2].tolist())
    assert paid([saved], reads, thoughts.labelled) == paid(plays[5:6], reads, thoughts.labelled)
    assert paid(plays, lambda text: 0.0, thoughts.labelled) == 0, "a probe that reads nothing pays nothing"
    assert moot.replay(plays[0]).digest == plays[0].digest


def test_what_nobody_thought_is_not_worth_nothing() -> None:
    silent = played(lambda request: moot.Verdict.sure(0), [thoughts.posed([1, -1])])
    with pytest.raises(moot.UsageError, match="seat judge recorded no thought"):
        paid(silent, lambda text: 0.0, thoughts.labelled)
    with pytest.raises(moot.UsageError, match="no plays"):
        paid([], lambda text: 0.0, thoughts.labelled)

    def aloud(request: moot.Request) -> moot.Verdict:
        for text in ("0.5 x", "1 1"):
            request.note({"event": "thought", "attempt": 0, "text": text})
        return moot.Verdict.sure(0)

    plays = played(aloud, [thoughts.posed([1, -1])])
    assert paid(plays, probing([0.25, 0.5]), thoughts.labelled) == 1 - 0.25**2, "the last thought counts"

    def beside(request: moot.Request) -> moot.Speech:
        request.note({"event": "thought", "attempt": 0, "text": "9 9"})
        return moot.Speech(text="So it is.")

    debated = moot.run(moot.Debate(rounds=1), thoughts.posed([1, -1]), {"debater": beside, "judge": aloud})
    assert paid([debated], probing([0.25, 0.5]), thoughts.labelled) == 1 - 0.25**2, "of the seat that is paid"
    assert paid([debated], probing([0.0, 0.0]), thoughts.labelled, seat="a") == 0
    for text in ("1", "1 x", "", "nan 1", "1 inf", "inf -inf"):
        with pytest.raises(moot.UsageError, match="is not 2 numbers"):
            probing([1.0, 1.0])(text)


def test_the_report_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(thoughts, "STEPS", 250)
    report = thoughts.reproduce(networks=3, plays=40, pictures=tmp_path)
    assert report.holds and (tmp_path / "thoughts.png").stat().st_size > 20_000
    assert "does not show" in report.notes[2] and "no adversary over inputs" in report.notes[1]


@pytest.mark.long
def test_the_report_holds_for_other_seeds() -> None:
    assert all(thoughts.reproduce(seed).holds for seed in (1, 2, 3))
