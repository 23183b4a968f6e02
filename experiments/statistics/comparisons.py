"""Metrics that hold plays against each other: of one question argued both ways, of swapped seats, of two protocols.
Rule: metrics that need several plays at once; those of each play by itself are in `metrics.py`."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from moot.complexity.estimates import mean
from moot.experiments.statistics.intervals import BOOTSTRAP, Bootstrap, Estimate, ratio
from moot.experiments.statistics.metrics import Score, Ties, brier, log_score, right
from moot.experiments.statistics.records import Judged, by_question, decided, grouped
from moot.protocols.engine.errors import UsageError

# -- the same question argued for each answer (Pallavi Sudhir, Kaunismaa and Panickssery 2025, arXiv 2504.03731) --------


Records = Iterable[Judged]


class _Case(NamedTuple):
    """The plays of a question in which the agent argued for one of its choices: means of three scores over them."""

    agent_log: float
    agent: float
    judge: float
    true: bool


def agent_score(record: Judged, score: Score) -> float:
    """A score of the judge's belief as if what the agent argued for were true. UsageError when it argued for nothing."""
    if record.argued is None:
        missing = "does not say which choice the agent argued for; records.of(transcript, agent=SEAT) does"
        raise UsageError(f"the record of question {record.question!r} {missing}")
    return score(replace(record, truth=record.argued))


def agent_score_difference(records: Records, score: Score = brier, by: Bootstrap = BOOTSTRAP) -> Estimate:
    """ASD: the agent's score when it argues for the true choice, less its mean score when it argues for a false one.
    The mean over questions of which every choice was argued for in a play that was decided; `count` is how many those
    are, and records of others are "incomplete". Repeated plays of one case are averaged first."""

    def difference(cases: list[_Case]) -> float:
        false = [case.agent for case in cases if not case.true]
        return next(case.agent for case in cases if case.true) - math.fsum(false) / len(false)

    return _over_questions(records, score, difference, by)


def open_probabilities(agent_scores: Sequence[float], beta: float) -> list[float]:
    """softmax(score / beta): how probably an agent that is free to choose argues for each choice, by how well it does with
    it. beta = 0 is one that takes the best (equally good ones evenly), and beta = inf one that does not care. UsageError
    when beta is negative or none, or a score is not finite."""
    if not beta >= 0:
        raise UsageError(f"beta is {beta}; it must be at least 0 (inf for an agent that does not care)")
    if not agent_scores or not all(map(math.isfinite, agent_scores)):
        raise UsageError(f"the scores to choose by must be finite, one for each choice, not {list(agent_scores)}")
    best = max(agent_scores)
    weights = [math.exp((score - best) / beta) if beta else float(score == best) for score in agent_scores]
    total = math.fsum(weights)
    return [weight / total for weight in weights]


def judge_score_expectation(records: Records, beta: float, score: Score = brier, by: Bootstrap = BOOTSTRAP) -> Estimate:
    """JSE_beta = Σ_a q_a · (the judge's score when the agent argues for a), q = `open_probabilities` of the agent's log
    scores; the mean over complete questions, as in `agent_score_difference`."""
    return _over_questions(records, score, lambda cases: _expected(cases, beta, [case.judge for case in cases]), by)


def agent_score_expectation(records: Records, beta: float, score: Score = brier, by: Bootstrap = BOOTSTRAP) -> Estimate:
    """ASE_beta: the same with the agent's own score."""
    return _over_questions(records, score, lambda cases: _expected(cases, beta, [case.agent for case in cases]), by)


def _expected(cases: list[_Case], beta: float, scores: list[float]) -> float:
    chances = open_probabilities([case.agent_log for case in cases], beta)
    # A choice that is never taken counts nothing, not even when its score is infinite.
    return math.fsum(chance * score for chance, score in zip(chances, scores, strict=True) if chance > 0)


def _over_questions(records: Records, score: Score, figure: Callable[[list[_Case]], float], by: Bootstrap) -> Estimate:
    found, others = decided(records)
    values: list[float] = []
    ties = 0
    for group in by_question(found).values():
        argued = grouped(group, lambda record: record.argued)
        for record in argued.get(None, []):
            agent_score(record, score)  # raises
        if len(argued) < len(group[0].believed):
            others["incomplete"] += len(group)
            continue
        cases = [_case(plays, score) for _, plays in sorted(argued.items(), key=lambda item: item[0] or 0)]
        values.append(figure(cases))
        ties += sum(record.choice is None for record in group)
    return by.estimate(values, mean, len(values), others, ties)


def _case(plays: list[Judged], score: Score) -> _Case:
    scores = [(agent_score(play, log_score), agent_score(play, score), score(play)) for play in plays]
    agent_log, agent, judge = (math.fsum(column) / len(plays) for column in zip(*scores, strict=True))
    return _Case(agent_log, agent, judge, plays[0].argued == plays[0].truth)


def win_rate(records: Records, player: str, opponent: str | None = None, by: Bootstrap = BOOTSTRAP) -> Estimate:
    """How often the judge finds `player`'s choice the more probable, over questions debated in both seatings.

    A pair is a question and an opponent with `player` on either side of it: its win rate is the mean of both sides', so a
    judge who likes one side gives nobody anything. A tie is half a win to each. `count` is the number of pairs; plays
    without their swap are "incomplete". UsageError on more than two defenders, or when the player debates itself."""
    mine = [r for r in records if player in r.defenders and (opponent is None or opponent in r.defenders)]
    for record in mine:
        if len(record.defenders) != 2 or record.defenders[0] == record.defenders[1]:
            raise UsageError(f"question {record.question!r}: a win rate is of two debaters, not of {record.defenders}")
    found, others = decided(mine, truth=False)
    values: dict[str, list[float]] = {}
    for (question, _), group in grouped(found, lambda r: (r.question, frozenset(r.defenders))).items():
        sides = grouped(group, lambda r: r.defenders.index(player))
        if len(sides) < 2:
            others["incomplete"] += len(group)
            continue
        won = [math.fsum(_won(play, side) for play in plays) / len(plays) for side, plays in sides.items()]
        values.setdefault(question, []).append(math.fsum(won) / 2)
    units = [(math.fsum(pairs), len(pairs)) for pairs in values.values()]
    return by.estimate(units, ratio, sum(n for _, n in units), others, sum(record.choice is None for record in found))


def _won(play: Judged, side: int) -> float:
    return 0.5 if play.choice is None else float(play.choice == side)


def amplification(
    protocol: Records, alone: Records, by: Bootstrap = BOOTSTRAP, ties: Ties = "half"
) -> Estimate:  # fmt: skip
    """Accuracy under a protocol less the accuracy of the judge alone, over the questions that both decided.
    `count` is how many questions those are; records of others are "incomplete". ties: as for `accuracy`, so that a judge
    who cannot tell is one that guesses."""
    rows, others, tied = _paired(ties, protocol, alone)
    return by.estimate([with_it - without for with_it, without in rows], mean, len(rows), others, tied)


def performance_gap_recovered(
    weak: Records, protocol: Records, strong: Records, by: Bootstrap = BOOTSTRAP, ties: Ties = "half"
) -> Estimate:  # fmt: skip
    """PGR = (protocol − weak) / (strong − weak), of accuracies over the questions that all three decided (Burns et al.
    2023, arXiv 2312.09390). Unknown when strong ≤ weak; without an interval when some resample has no gap."""
    rows, others, tied = _paired(ties, weak, protocol, strong)

    def recovered(sample: Sequence[tuple[float, ...]]) -> float | None:
        if not sample:
            return None
        low, middle, high = (math.fsum(column) for column in zip(*sample, strict=True))
        return None if high <= low else (middle - low) / (high - low)

    return by.estimate(rows, recovered, len(rows), others, tied)


def _paired(ties: Ties, *sets: Records) -> tuple[list[tuple[float, ...]], Counter[str], int]:
    """The accuracy on each question that all sets of records decided, in each; what is left out; the ties."""
    scored = [decided(records) for records in sets]
    others = sum((left for _, left in scored), Counter[str]())
    found = [by_question(records) for records, _ in scored]
    common = [question for question in found[0] if all(question in each for each in found[1:])]
    whole = set(common)
    others["incomplete"] += sum(len(g) for each in found for q, g in each.items() if q not in whole)
    rows = [
        tuple(math.fsum(right(record, ties) for record in each[q]) / len(each[q]) for each in found) for q in common
    ]
    tied = sum(record.choice is None for each in found for q in common for record in each[q])
    return rows, +others, tied
