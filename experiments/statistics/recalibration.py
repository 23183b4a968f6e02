"""Calibrations of judges: fitted on held-out plays, and evaluated on others.

    held_out, others = plays[:200], plays[200:]
    calibration = fit(held_out, "platt")
    print(metrics.calibration(evaluated(others, calibration)).error)

Rule of this file: scikit-learn fits; what a calibration does to a verdict is in `moot.judges.calibrated`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from moot.experiments.statistics.records import Judged, of
from moot.judges.calibrated import Calibration, clipped, digest_of
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided
from moot.transcripts.transcript import Transcript

Method = Literal["platt", "isotonic"]


def fit(transcripts: Iterable[Transcript], method: Method = "platt") -> Calibration:
    """The calibration that fits what a judge believed in these plays to what was true.

    Each choice of each play that was decided and whose truth is known is a pair: the probability p that it was given, and
    whether it is the true one. "platt": logistic regression of the latter on ln(p / (1 − p)), with Platt's targets
    (N₊ + 1) / (N₊ + 2) and 1 / (N₋ + 2) in place of 1 and 0, so that a judge who was always right is not taken for
    infallible (Platt 1999, as `CalibratedClassifierCV(method="sigmoid")` does it). "isotonic": the least-squares fit that
    never falls; scikit-learn's user guide advises against it for fewer than about 1,000 plays. A verdict of a calibrated
    judge counts as it stands, so fit on the judge alone. Opens the sealed truth. Raises UsageError for another method, without
    scikit-learn, and where no play can be used.
    """
    if method not in ("platt", "isotonic"):
        raise UsageError(f"a calibration is fitted by 'platt' or 'isotonic', not by {method!r}")
    shares: list[float] = []
    true: list[bool] = []
    questions: set[str] = set()
    plays = 0
    for transcript in transcripts:
        record = of(transcript)
        if record.probabilities is None or record.truth is None:
            continue
        plays += 1
        questions.add(digest_of(transcript.question))
        shares += map(clipped, record.probabilities)
        true += (choice == record.truth for choice in range(len(record.probabilities)))
    if not plays:
        raise UsageError("a calibration is fitted on decided plays whose truth is known; there is none here")
    on = tuple(sorted(questions))
    if method == "platt":
        slope, intercept = _platt(shares, true)
        return Calibration(method="platt", slope=slope, intercept=intercept, fitted_on=on, plays=plays)
    return Calibration(method="isotonic", points=_isotonic(shares, true), fitted_on=on, plays=plays)


def evaluated(transcripts: Iterable[Transcript], calibration: Calibration) -> list[Judged]:
    """The records of plays, with what the judge believed calibrated: for `metrics.calibration`, `metrics.mean(…, brier)`
    and all others. Nobody is asked anything. Raises UsageError on a play about a question that it was fitted on."""
    found = []
    for transcript in transcripts:
        calibration.check(transcript.question)
        record = of(transcript)
        if isinstance(transcript.outcome, Decided):
            record = replace(record, probabilities=calibration.apply(record.believed))
        found.append(record)
    return found


def _platt(shares: list[float], true: list[bool]) -> tuple[float, float]:
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        raise _missing(error) from None
    right = sum(true)
    wrong = len(true) - right
    target = {True: (right + 1) / (right + 2), False: 1 / (wrong + 2)}
    odds = [[math.log(p / (1 - p))] for p in shares]
    weights = [target[each] for each in true]
    # a soft target is both labels, each with its weight
    model = LogisticRegression(C=math.inf, tol=1e-8, max_iter=1000)
    model.fit(odds * 2, [1] * len(odds) + [0] * len(odds), sample_weight=weights + [1 - each for each in weights])
    slope: Any = model.coef_
    level: Any = model.intercept_
    return float(slope[0][0]), float(level[0])


def _isotonic(shares: list[float], true: list[bool]) -> tuple[tuple[float, float], ...]:
    try:
        from sklearn.isotonic import IsotonicRegression
    except ImportError as error:
        raise _missing(error) from None
    model = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(shares, [float(each) for each in true])
    return tuple(zip(map(float, model.X_thresholds_), map(float, model.y_thresholds_), strict=True))


def _missing(error: ImportError) -> UsageError:
    return UsageError(f"fitting a calibration needs scikit-learn ({error}): pip install 'moot[learn]'")
