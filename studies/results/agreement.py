"""How far judges agree about the same plays: raw agreement, Cohen's kappa of two, Fleiss' kappa of all.
Rule: raters against each other, never against the truth.

Cohen 1960, "A coefficient of agreement for nominal scales"; Fleiss 1971, "Measuring nominal scale agreement among many
raters". A category is an answer's place in the question's own order, so that flips do not matter."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

from moot.experiments.statistics.intervals import Bootstrap, Estimate, clustered, ratio
from moot.protocols.engine.errors import UsageError
from moot.studies.results import rows as of_rows
from moot.studies.results.results import Results
from moot.studies.results.rows import Row

ITEMS = ("question", "epoch", "seating", "flip")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two raters: the share of items on which they gave the same answer, and kappa, None where both always say one thing."""

    raw: Estimate
    kappa: Estimate


@dataclass(frozen=True, slots=True)
class Agreement:
    """raters; pairs, each over the items that both rated; fleiss and raw (the share of agreeing pairs of raters) over those
    that all rated; by_question: raw agreement there. undecided of an estimate: items that lack an answer (a tie is none),
    by why."""

    raters: tuple[str, ...]
    pairs: Mapping[tuple[str, str], Pair]
    raw: Estimate
    fleiss: Estimate
    by_question: Mapping[str, float]


def agreement(results: Results, raters: str = "judge", items: Sequence[str] = ITEMS) -> Agreement:
    """The agreement of those whom a column names ("judge", or "arm" where the arms are the raters) about items, which other
    columns tell apart. Intervals: bootstrap over questions. UsageError with fewer than two raters, or two answers of one
    rater about one item."""
    of_rows.require(results.rows, raters)
    held: dict[tuple[Any, ...], dict[str, Row]] = {}
    for row in results.rows:
        rater = of_rows.value(row, raters)
        if rater is None or row["outcome"] in of_rows.OPEN:
            continue
        item = (row["question"], row["study"], *(of_rows.key(of_rows.value(row, column)) for column in items))
        if str(rater) in held.setdefault(item, {}):
            what = ", ".join(f"{column} {of_rows.value(row, column)}" for column in items)
            do = "take one of them with where(...), or name in `items` what tells them apart"
            raise UsageError(f"{raters} {rater!r} has two rows for {what}; {do}")
        held[item][str(rater)] = row
    names = sorted({rater for rows in held.values() for rater in rows})
    if len(names) < 2:
        raise UsageError(f"agreement is of two raters or more; {raters} names {', '.join(names) or 'nobody'}")
    by = results.bootstrap
    found = {(one, other): _pair(held, one, other, by) for one, other in combinations(names, 2)}
    answers, others = _answers(held, names)
    units, shares = list[tuple[float, int]](), dict[str, float]()
    for question, rated in answers.items():
        agreed = [_agreeing(each) for each in rated]
        units.append((math.fsum(agreed), len(agreed)))
        shares[question] = math.fsum(agreed) / len(agreed)
    raw = Estimate(ratio(units), *_two(units, by), sum(n for _, n in units), others)
    tallies = [tuple(sorted(each)) for each in answers.values()]
    return Agreement(tuple(names), found, raw, _estimate(tallies, _fleiss, by, others), shares)


def _answers(held: Mapping[tuple[Any, ...], Mapping[str, Row]], names: Sequence[str]) -> Any:
    """What all of the raters answered, by question; and how many items lack an answer of one of them, by why."""
    answers: dict[str, list[tuple[int, ...]]] = {}
    others = Counter[str]()
    for item, rows in held.items():
        given = [rows.get(name) for name in names]
        why = [_why(row) for row in given]
        if any(why):
            others[next(filter(None, why))] += 1
        else:
            answers.setdefault(item[0], []).append(tuple(row["answer"] for row in given if row))
    return answers, others


def _why(row: Row | None) -> str:
    if row is None:
        return "incomplete"
    return "" if row["answer"] is not None else "tie" if row["outcome"] == "decided" else str(row["outcome"])


def _pair(held: Mapping[tuple[Any, ...], Mapping[str, Row]], one: str, other: str, by: Bootstrap) -> Pair:
    answers, others = _answers(held, (one, other))
    units = [(math.fsum(a == b for a, b in rated), len(rated)) for rated in answers.values()]
    raw = Estimate(ratio(units), *_two(units, by), sum(n for _, n in units), others)
    return Pair(raw, _estimate([tuple(sorted(each)) for each in answers.values()], _cohen, by, others))


def _two(units: Sequence[tuple[float, int]], by: Bootstrap) -> tuple[float | None, float | None]:
    low, high, _ = clustered(units, by)
    return low, high


def _estimate(
    tallies: Sequence[tuple[tuple[int, ...], ...]], kappa: Callable[[Counter[tuple[int, ...]]], float | None], by: Bootstrap,
    others: Counter[str],
) -> Estimate:  # fmt: skip
    def statistic(sample: Sequence[tuple[tuple[int, ...], ...]]) -> float | None:
        return kappa(Counter(chain.from_iterable(sample)))

    return by.estimate(tallies, statistic, sum(map(len, tallies)), others, 0)


def _agreeing(given: Sequence[int]) -> float:
    """The share of pairs of raters that gave the same answer."""
    count = len(given)
    return math.fsum(n * (n - 1) for n in Counter(given).values()) / (count * (count - 1))


def _cohen(items: Counter[tuple[int, ...]]) -> float | None:
    total = sum(items.values())
    if not total:
        return None
    ones, others = Counter[int](), Counter[int]()
    for (one, other), count in items.items():
        ones[one] += count
        others[other] += count
    seen = sum(count for (one, other), count in items.items() if one == other) / total
    chance = math.fsum(count * others[answer] for answer, count in ones.items()) / total**2
    return None if chance >= 1 else (seen - chance) / (1 - chance)


def _fleiss(items: Counter[tuple[int, ...]]) -> float | None:
    total = sum(items.values())
    if not total:
        return None
    answers = Counter[int]()
    for given, count in items.items():
        for answer in given:
            answers[answer] += count
    seen = math.fsum(_agreeing(given) * count for given, count in items.items()) / total
    chance = math.fsum((count / answers.total()) ** 2 for count in answers.values())
    return None if chance >= 1 else (seen - chance) / (1 - chance)
