"""The rows of a study: what one verdict came to, as plain data, and what may be asked of a row.
Rule: the columns and their checks; no figure is made of more than one row here.

A row says None where something is unknown, never 0. `belief`, `truth` and `answer` are in the question's own order."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Any, Literal, get_args

from moot.experiments.statistics import metrics
from moot.experiments.statistics.records import Judged, Kind
from moot.protocols.engine.errors import UsageError, near, nearest

Row = Mapping[str, Any]

TEXTS = (
    "study",
    "arm",
    "cell",
    "question",
    "seating",
    "protocol",
    "judge",
    "outcome",
    "cause",
    "guarantee_class",
    "parent",
    "path",
)
WHOLE = ("epoch", "seed", "choices", "truth", "answer", "n", "reads", "queries", "calls", "judge_tokens", "tokens", "tree_size",
         "full_tree_size")  # fmt: skip
NUMBERS = ("grade", "reward", "cost", "seconds")
FLAGS = ("flip", "correct", "guarantee")
TABLES = ("axes", "tags", "seats", "payoffs")
COLUMNS = (
    "study", "arm", "cell", "question", "epoch", "seed", "seating", "flip", "axes", "tags", "protocol", "judge", "seats",
    "outcome", "cause", "choices", "truth", "belief", "answer", "correct", "grade", "reward", "payoffs", "n", "reads", "queries",
    "calls", "judge_tokens", "tokens", "cost", "seconds", "tree_size", "full_tree_size", "guarantee", "guarantee_class", "parent",
    "path",
)  # fmt: skip
"""Every row has them all, in this order where they are written. A row may have more."""

OUTCOMES = ("decided", "unjudged", "forfeited", "exhausted", "unreadable", "errored", "not ended", "not played")
OPEN = ("not ended", "not played")
"""Of cells that are still to come to an end."""

Undecided = Literal["right", "wrong"]
"""What a verdict that was not given is to count as."""


def row(**known: Any) -> dict[str, Any]:
    """A whole row of what is known; the rest is None, or an empty table. UsageError on a name that no column has."""
    for name in known:
        if name not in COLUMNS:
            raise UsageError(f"a row has no column {name!r}{near(name, COLUMNS)}")
    return {name: known.get(name, {} if name in TABLES else None) for name in COLUMNS}


def checked(rows: Iterable[Row]) -> tuple[Row, ...]:
    """The rows, each of them whole and true to itself, and all of them about questions of different names. UsageError
    with the number of the first row that is not."""
    found: list[Row] = []
    cells: dict[tuple[Any, ...], int] = {}
    asked: dict[tuple[Any, str], dict[str, Any]] = {}
    for number, each in enumerate(rows, 1):
        if not isinstance(each, Mapping):
            raise UsageError(f"row {number} is {each!r:.80}; a row is a table of its columns")
        where = f"row {number} (arm {each.get('arm')!r}, question {each.get('question')!r})"
        _check(each, where)
        if each["cell"] is not None:
            cell = (each["study"], each["arm"], each["cell"])
            if cell in cells:
                raise UsageError(
                    f"{where}: row {cells[cell]} is of the same cell {each['cell']!r}; give each verdict once"
                )
            cells[cell] = number
        same = asked.setdefault((each["study"], each["question"]), {"choices": None, "truth": None})
        for name, before in same.items():
            if before is None:
                same[name] = each[name]
            elif each[name] is not None and each[name] != before and not each.get("proposed"):
                do = "give different questions different ids, and keep their choices in one order"
                raise UsageError(f"{where}: {name} is {each[name]}, and {before} in another row of that question; {do}")
        found.append(each)
    return tuple(found)


def _check(each: Row, where: str) -> None:
    missing = [name for name in COLUMNS if name not in each]
    if missing:
        raise UsageError(f"{where} has no {', '.join(missing)}; what is unknown is None (results.row fills it in)")
    for name in ("arm", "question", "outcome"):
        if not isinstance(each[name], str):
            raise UsageError(f"{where}: {name} is {each[name]!r}; it must be a text")
    if each["outcome"] not in OUTCOMES:
        raise UsageError(f"{where}: the outcome is {each['outcome']!r}{nearest(each['outcome'], list(OUTCOMES))}")
    for names, right, what in _TYPES:
        for name in names:
            value = each[name]
            if value is not None and not right(value):
                raise UsageError(f"{where}: {name} is {value!r:.80}; it must be {what}, or None where it is unknown")
    for seat, paid in (each["payoffs"] or {}).items():
        if paid is not None and not _number(paid):
            raise UsageError(f"{where}: payoffs.{seat} is {paid!r:.80}; it must be a finite number, or None")
    count, belief, truth = each["choices"], each["belief"], each["truth"]
    prices = each.get("prices")
    if prices is not None and not (isinstance(prices, list) and all(map(_vector, prices))):
        raise UsageError(f"{where}: prices is {prices!r:.80}; it must be a list of lists of numbers, or None")
    for name in ("truth", "answer"):
        if each[name] is not None and count and not 0 <= each[name] < count:
            raise UsageError(f"{where}: {name} is {each[name]}; with {count} choices it is 0 to {count - 1}, or None")
    if belief is None:
        return
    if each["outcome"] != "decided":
        raise UsageError(f"{where}: it was {each['outcome']}, so nothing was believed; belief must be None")
    if count is not None and len(belief) != count:
        raise UsageError(f"{where}: belief has {len(belief)} probabilities for {count} choices")
    if abs(math.fsum(belief) - 1) > 1e-6 or min(belief) < 0:
        raise UsageError(f"{where}: belief is {belief!r:.80}; probabilities are at least 0 and sum to 1")
    best = max(belief)
    leads = None if belief.count(best) > 1 else belief.index(best)
    if each["answer"] != leads:
        raise UsageError(
            f"{where}: answer is {each['answer']}, and the single most probable choice of its belief is {leads}"
        )
    correct = None if truth is None or leads is None else leads == truth
    if each["correct"] is not correct:
        raise UsageError(f"{where}: correct is {each['correct']}, and by belief and truth it is {correct}")


def _number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _vector(value: object) -> bool:
    return isinstance(value, list) and all(map(_number, value))


_TYPES: tuple[tuple[Sequence[str], Callable[[Any], bool], str], ...] = (
    (TEXTS, lambda value: isinstance(value, str), "a text"),
    (WHOLE, lambda value: type(value) is int and value >= 0, "an integer of at least 0"),
    (NUMBERS, _number, "a finite number"),
    (("grade",), lambda value: 0 <= value <= 1, "0 to 1"),
    (("cost", "seconds"), lambda value: value >= 0, "at least 0"),
    (TABLES, lambda value: isinstance(value, Mapping) and all(isinstance(name, str) for name in value), "a table"),
    (FLAGS, lambda value: isinstance(value, bool), "true or false"),
    (
        ("belief",),
        lambda value: isinstance(value, list) and len(value) > 0 and all(map(_number, value)),
        "a list of numbers",
    ),
)


def value(each: Row, column: str) -> Any:
    """What a row has in a column; "axes.judge" is the entry "judge" of its axes, None where there is none."""
    table, dot, entry = column.partition(".")
    if dot and table in TABLES:
        return (each[table] or {}).get(entry)
    return each.get(column)


def key(found: Any) -> Hashable:
    """A value as rows are grouped by it: lists and tables as their JSON."""
    return json.dumps(found, sort_keys=True) if isinstance(found, (list, dict)) else found


def require(rows: Sequence[Row], column: str) -> None:
    """UsageError when no row has such a column, with the names that it may be meant as."""
    table, dot, entry = column.partition(".")
    if dot and table in TABLES:
        known = sorted({name for each in rows for name in each[table] or ()})
        if rows and entry not in known:
            raise UsageError(f"no row has {column!r}{nearest(entry, known)}")
        return
    if column in COLUMNS and column not in TABLES:
        return
    if not any(column in each for each in rows) or column in TABLES:
        inner = sorted({f"{name}.{entry}" for each in rows for name in TABLES for entry in each[name] or ()})
        meant = [name for name in inner if name.partition(".")[2] == column or name.partition(".")[0] == column]
        hint = f"; did you mean {' or '.join(meant)}?" if meant else near(column, [*COLUMNS, *inner])
        raise UsageError(f"no row has a column {column!r}{hint}")


# -- figures of one row ------------------------------------------------------------------------------------------------

Measured = float | str
"""A number, or why there is none."""


def right(each: Row, ties: metrics.Ties, undecided: Undecided | None = None) -> Measured:
    """1 for a right verdict, 0 for a wrong one; a tie counts as in `metrics.right`. undecided: what others count as."""
    if each["outcome"] != "decided":
        return each["outcome"] if undecided is None or each["outcome"] in OPEN else float(undecided == "right")
    if each["correct"] is not None:
        return float(each["correct"])
    if each["truth"] is None or each["belief"] is None:
        return "no truth"
    return metrics.right(judged(each), ties)


def judged(each: Row, rivals: Sequence[str] = ()) -> Judged:
    """A row as the record that `moot.experiments.statistics` takes. Who defended what is known where the row says so
    (`defends`: seat to choice, a column that a row may have), or by `rivals`: the seats that argue for the choices in the
    order in which those are listed, which is the other one where `flip` is true. Where seats wrote the answers (`proposed`), the
    right one comes first. UsageError on a rival that has no seat."""
    decided = each["outcome"] == "decided" and each["belief"] is not None
    kind: Kind = each["outcome"] if each["outcome"] in get_args(Kind) else "unfinished"
    if kind == "decided" and not decided:
        kind = "unfinished"
    seated, count = each["seats"] or {}, each["choices"] or 0
    for seat in rivals:
        if seat not in seated:
            raise UsageError(f"question {each['question']!r}: nobody sits in {seat!r}{nearest(seat, list(seated))}")
    defends = dict(zip(rivals, range(count)[:: -1 if each["flip"] else 1], strict=False)) or each.get("defends") or {}
    sides = {choice: seated.get(seat, seat) for seat, choice in defends.items() if choice is not None}
    whole = count > 0 and sorted(sides) == list(range(count))
    belief, truth = tuple(each["belief"] or ()) if decided else None, each["truth"]
    if (
        each.get("proposed") and truth
    ):  # answers that were written in the play: the right one first, to be the same in each
        sides = {(choice - truth) % count: name for choice, name in sides.items()}
        belief, truth = belief and belief[truth:] + belief[:truth], 0
    return Judged(
        each["question"], belief, truth, kind, 0, None, tuple(sides[i] for i in sorted(sides)) if whole else ()
    )


_BELIEFS: dict[str, metrics.Score] = {
    "p_correct": metrics.p_correct, "brier": metrics.brier, "log_score": metrics.log_score, "log_odds": metrics.log_odds,
}  # fmt: skip
_OF_VERDICTS = ("grade", "reward")
_OF_PLAYS = (
    "reads",
    "queries",
    "calls",
    "judge_tokens",
    "tokens",
    "cost",
    "seconds",
    "tree_size",
    "full_tree_size",
    "guarantee",
)
METRICS = ("accuracy", "wrong", *_BELIEFS, *_OF_VERDICTS, *_OF_PLAYS, "payoffs.SEAT")
"""Of decided verdicts: accuracy, wrong (the share judged for a wrong answer, 1 - accuracy), proper scores, grade, reward and
payoffs. Of every play that says it: what it took."""


def metric(
    name: str, ties: metrics.Ties = "half", undecided: Undecided | None = None
) -> Callable[[Row], Measured]:  # fmt: skip
    """The function of a row that a name stands for. UsageError on another name."""
    if undecided is not None and (undecided not in get_args(Undecided) or name not in ("accuracy", "wrong")):
        raise UsageError(
            f"undecided={undecided!r} with {name!r}: only accuracy and wrong can count it as 'right' or 'wrong'"
        )
    if name == "accuracy":
        return lambda each: right(each, ties, undecided)
    if name == "wrong":
        return lambda each: _less(right(each, ties, undecided))
    if name in _BELIEFS:
        score = _BELIEFS[name]
        return lambda each: _believed(each, score)
    if name in _OF_PLAYS:
        return lambda each: _known(each[name])
    if name in _OF_VERDICTS or (name.startswith("payoffs.") and len(name) > 8):
        return lambda each: _known(value(each, name)) if each["outcome"] == "decided" else str(each["outcome"])
    raise UsageError(f"there is no metric {name!r}{nearest(name, list(METRICS))}")


def _less(found: Measured) -> Measured:
    return found if isinstance(found, str) else 1 - found


def _believed(each: Row, score: metrics.Score) -> Measured:
    if each["outcome"] != "decided":
        return str(each["outcome"])
    if each["belief"] is None:
        return "unknown"
    return "no truth" if each["truth"] is None else score(judged(each))


def _known(found: Any) -> Measured:
    try:
        return "unknown" if found is None else float(found)
    except OverflowError:
        return "too large"
