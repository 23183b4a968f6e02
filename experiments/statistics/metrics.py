"""How good judgments are: accuracy, proper scores, calibration, and what the judge is paid.
Rule: what each play says by itself, averaged; what holds plays against each other is in `comparisons.py`.

Each metric takes records (`moot.experiments.statistics.records`) and gives an `Estimate`. What was not decided is in no
figure: it is counted apart, never as wrong and never as 0. No records, no value."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

from moot.complexity.estimates import mean as average
from moot.experiments.statistics.intervals import BOOTSTRAP, Bootstrap, Estimate, ratio, share
from moot.experiments.statistics.records import Judged, by_question, decided
from moot.protocols import scoring
from moot.protocols.engine.errors import UsageError
from moot.protocols.scoring import CLIP, ScoringRule

Score = Callable[[Judged], float]
"""A figure of one record that was decided and whose truth is known."""

Ties = Literal["half", "wrong"]
"""What a verdict without a single most probable choice counts as, in accuracy and all that is made of it: see `right`."""

NYU = ScoringRule(rule="log", base=2, penalty=0.05)
"""What the judges of Michael et al. 2023 (arXiv 2311.08702) were paid: log2 p − 0.05 · continues."""


def p_correct(record: Judged) -> float:
    """The probability of the true choice, p."""
    return record.believed[record.true]


def squared_error(record: Judged) -> float:
    """(1 − p)^2, in [0, 1], lower is better: the Brier score of Michael et al. 2023, which looks at the true choice
    alone. With two choices it is half of the usual Brier score; with more it is not proper."""
    return (1 - p_correct(record)) ** 2


def brier(record: Judged) -> float:
    """− Σ_x (1[x = truth] − p_x)^2, in [−2, 0], higher is better: Pallavi Sudhir et al. 2025 (arXiv 2504.03731)."""
    return scoring.score("brier", record.believed, record.true)


def log_score(record: Judged) -> float:
    """ln p, with p first clipped to [1e-4, 1 − 1e-4]: Pallavi Sudhir et al. 2025."""
    return math.log(_clipped(p_correct(record)))


def plain_log_score(record: Judged) -> float:
    """ln p, −inf when the judge excluded the truth."""
    return scoring.score("log", record.believed, record.true)


def log_odds(record: Judged) -> float:
    """ln(p / (1 − p)), with p first clipped to [1e-4, 1 − 1e-4]. Not proper: it pays a judge to exaggerate."""
    p = _clipped(p_correct(record))
    return math.log(p / (1 - p))


def reward(record: Judged, rule: ScoringRule = NYU) -> float:
    """What the judge is paid by `rule`: log2 p − 0.05 · continues unless another is given."""
    return rule.reward(record.believed, record.true, record.continues)


def continues(record: Judged) -> float:
    """How often the judge went on."""
    return record.continues


def right(record: Judged, ties: Ties = "half") -> float:
    """1 when the true choice is the single most probable one, 0 when it is none of the most probable. In a tie, those that
    lead share the 1, so that of two choices each has half; with ties="wrong" a tie is 0. UsageError on other `ties`."""
    if ties not in get_args(Ties):
        raise UsageError(f"ties is {ties!r}; a tie can count 'half' or be 'wrong'")
    best = max(record.believed)
    leading = record.believed.count(best)
    return 0.0 if leading > 1 and ties == "wrong" else (p_correct(record) == best) / leading


def _clipped(p: float) -> float:
    return min(max(p, CLIP), 1 - CLIP)


def mean(records: Iterable[Judged], score: Score, by: Bootstrap = BOOTSTRAP) -> Estimate:
    """The mean of a score over records. Interval: bootstrap over questions."""
    found, others = decided(records)
    return by.estimate(_units(found, score), ratio, len(found), others, _ties(found))


def accuracy(records: Iterable[Judged], by: Bootstrap = BOOTSTRAP, ties: Ties = "half") -> Estimate:
    """The share of records in which the true choice is the single most probable one: with two choices, p > 0.5.
    A tie (p = 0.5) counts half, or as wrong; the estimate says how many there are. Interval: Wilson where every question
    has one record, otherwise bootstrap over questions."""
    found, others = decided(records)
    units = _units(found, partial(right, ties=ties))
    low, high, method = share(units, by)
    return Estimate(ratio(units), low, high, len(found), others, _ties(found), method)


@dataclass(frozen=True, slots=True)
class Bin:
    """Records whose chosen answer was given a probability in [low, high), the last bin with its upper end.
    confidence: the mean of that probability; accuracy: the share of right choices. Both None in an empty bin."""

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


@dataclass(frozen=True, slots=True)
class Calibration:
    """error: the expected calibration error; bins: what it was made of."""

    error: Estimate
    bins: tuple[Bin, ...]


def calibration(
    records: Iterable[Judged], bins: int = 10, by: Bootstrap = BOOTSTRAP, ties: Ties = "half"
) -> Calibration:  # fmt: skip
    """The expected calibration error of the chosen answer, over `bins` bins of equal width on [0, 1]: Σ_b (n_b / n) ·
    |accuracy_b − confidence_b| (Naeini, Cooper and Hauskrecht 2015), the confidence being the largest probability. One on
    an edge belongs to the bin above. Interval: bootstrap over questions, widened to hold the value."""
    if type(bins) is not int or bins < 1:
        raise UsageError(f"calibration needs at least 1 bin, not {bins!r}")
    found, others = decided(records)

    def place(record: Judged) -> tuple[int, float, float]:
        most = max(record.believed)
        return (
            min(int(most * bins + 1e-9), bins - 1),
            most,
            right(record, ties),
        )  # 1 − 0.3, a little below 0.7, is put with it

    def gaps(rows: tuple[tuple[int, float, float], ...]) -> tuple[float, ...]:
        """What the records of a question add to the gap of each bin, and their number."""
        held = [0.0] * bins
        for index, confidence, was_right in rows:
            held[index] += was_right - confidence
        return (*held, len(rows))

    placed_by_question = (tuple(sorted(map(place, group))) for group in by_question(found).values())
    units = [(rows, gaps(rows)) for rows in placed_by_question]

    def error(sample: Sequence[tuple[object, tuple[float, ...]]]) -> float | None:
        *sums, count = map(math.fsum, zip(*(held for _, held in sample), strict=True)) if sample else (0.0,)
        return math.fsum(map(abs, sums)) / count if count else None

    estimate = by.estimate(sorted(units), error, len(found), others, _ties(found))
    held, placed = list[Bin](), [*map(place, found)]
    for index in range(bins):
        inside = [row for row in placed if row[0] == index]
        confidence, accurate = (average([row[column] for row in inside]) for column in (1, 2))
        held.append(Bin(index / bins, (index + 1) / bins, len(inside), confidence, accurate))
    return Calibration(estimate, tuple(held))


def expected_calibration_error(
    records: Iterable[Judged], bins: int = 10, by: Bootstrap = BOOTSTRAP, ties: Ties = "half"
) -> Estimate:  # fmt: skip
    """The error of `calibration`, without its bins."""
    return calibration(records, bins, by, ties).error


def summary(records: Iterable[Judged], by: Bootstrap = BOOTSTRAP, ties: Ties = "half") -> dict[str, Estimate]:
    """Every metric of one set of records, by name."""
    records = list(records)
    scores: dict[str, Score] = {
        "p_correct": p_correct, "squared_error": squared_error, "brier": brier, "log_score": log_score,
        "plain_log_score": plain_log_score, "log_odds": log_odds, "reward": reward, "continues": continues,
    }  # fmt: skip
    return {
        "accuracy": accuracy(records, by, ties),
        **{name: mean(records, score, by) for name, score in scores.items()},
        "calibration_error": expected_calibration_error(records, by=by, ties=ties),
    }


def _units(found: list[Judged], score: Score) -> list[tuple[float, int]]:
    """The sum of a score and the number of records, for each question."""
    return [(math.fsum(map(score, group)), len(group)) for group in by_question(found).values()]


def _ties(found: list[Judged]) -> int:
    return sum(record.choice is None for record in found)
