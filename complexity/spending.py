"""The ledger: what each seat spent and how large the tree grew, and how that is put into words.

Rule of this file: numbers and their words; they are counted in `ledger.py`.
"""

from __future__ import annotations

from html import escape

from pydantic import BaseModel, ConfigDict

from moot.protocols.text import visible


class Spending(BaseModel):
    """What one seat spent. Tokens and cost are None when any call did not report them: an unknown is never 0.

    calls: accepted and rejected answers. recorded: how many of them came from an earlier recording, at no cost.
    attempts: requests sent to an endpoint, failures included. lost: calls in flight when the process was killed, of
    unknown cost. reads: in the question's unit; None where nobody counted; reads_per_call: the most for one call. queries:
    charged by the protocol. computes: steps of computing, as a program reports them; None where none does. seconds: waiting for answers, summed; longest: the longest single wait. cost: in the currency
    of the prices that were given.
    """

    model_config = ConfigDict(extra="forbid")
    calls: int = 0
    recorded: int = 0
    attempts: int = 0
    failed_attempts: int = 0
    lost: int = 0
    rejected: int = 0
    prompt_tokens: int | None = 0
    completion_tokens: int | None = 0
    cached_tokens: int | None = 0
    cost: float | None = 0.0
    seconds: float = 0.0
    longest: float = 0.0
    reads: int | None = 0
    reads_per_call: int | None = 0
    queries: int = 0
    computes: int | None = None


class Size(BaseModel):
    """How large the argument tree grew: nodes with the root, unique nodes (equal statements merged), depth in edges,
    the widest branching, the largest node, the largest sum of sizes from root to leaf, and the sum over all nodes;
    sizes in the question's unit, the root's own text not counted. full_tree_size: nodes of the whole tree of which the play
    wrote a part, where the protocol can say (a debate of depth d and branching b writes one path of b^d)."""

    model_config = ConfigDict(extra="forbid")
    nodes: int = 1
    unique: int = 1
    depth: int = 0
    branching: int = 0
    largest: int = 0
    longest_path: int = 0
    total: int = 0
    full_tree_size: int | None = None


class Questions(BaseModel):
    """The questions of a play that asks sub-questions or cites answers, each once: how many, pairs of a question and its
    sub-question, the longest way down in edges, the widest branching, the longest text in characters, and the nodes of
    the tree in which nothing is remembered. depth and tree are None where questions wait for each other; tree also from
    2^1024 nodes on."""

    model_config = ConfigDict(extra="forbid")
    unique: int
    edges: int
    depth: int | None
    branching: int
    longest: int
    tree: int | None


class Ledger(BaseModel):
    """All that was counted in one play. n: the declared size. bounds: what the bounded seats were allowed. questions:
    None for a play that asks none."""

    model_config = ConfigDict(extra="forbid")
    n: int
    unit: str
    seats: dict[str, Spending]
    bounds: dict[str, dict[str, int | float]]
    tree: Size
    questions: Questions | None = None
    flips: int = 0

    def spent(self, seat: str, measure: str) -> int | float | None:
        """What `seat` spent of a budget measure (see `moot.protocols.engine.budget.MEASURES`); None when it is unknown."""
        spending = self.seats[seat]
        if measure == "tokens":
            if spending.prompt_tokens is None or spending.completion_tokens is None:
                return None
            return spending.prompt_tokens + spending.completion_tokens
        value: int | float | None = getattr(spending, measure)
        return value

    def total(self, field: str) -> int | float | None:
        """One field summed over all seats; None when any seat does not know it."""
        values = [getattr(spending, field) for spending in self.seats.values()]
        return None if any(value is None for value in values) else sum(values)

    def _repr_html_(self) -> str:
        return ledger_html(self)


COLUMNS = (
    ("calls", "calls"), ("attempts", "attempts"), ("failed", "failed_attempts"), ("lost", "lost"),
    ("rejected", "rejected"), ("recorded", "recorded"), ("prompt", "prompt_tokens"), ("completion", "completion_tokens"),
    ("cached", "cached_tokens"), ("cost", "cost"), ("seconds", "seconds"), ("longest", "longest"), ("reads", "reads"),
    ("queries", "queries"),
)  # fmt: skip
"""The columns of a ledger: title and field of `Spending`."""


def number(value: int | float | None) -> str:
    """A number as it stands in a table: whole ones with thin groups, others with four digits; None is "unknown"."""
    if value is None:
        return "unknown"
    if value == int(value):
        return f"{int(value):,}".replace(",", "\u202f") if abs(value) >= 10000 else str(int(value))
    return f"{value:.4g}" if abs(value) < 10000 else f"{value:.0f}"


def percent(value: float) -> str:
    """A probability, never rounded to certainty: 0.9999 is ">99 %"."""
    rounded = round(100 * value)
    if rounded == 100 and value < 1:
        return ">99 %"
    if rounded == 0 and value > 0:
        return "<1 %"
    return f"{rounded} %"


def budgets(ledger: Ledger) -> list[str]:
    """What bounded seats spent of their budgets, and how large the argument tree grew."""
    lines = []
    for seat, limits in ledger.bounds.items():
        for measure, limit in limits.items():
            used = ledger.spent(seat, measure) if seat in ledger.seats else None
            share = f" ({percent(used / limit)})" if used is not None and limit else ""
            what = f"{seat} {measure.replace('_', ' ')}"
            lines.append(f"budget: {what}: {number(used)} of {number(limit)}{share} at n = {ledger.n}")
    if not lines:
        lines.append("budget: none was set, so nothing was bounded")
    size = ledger.tree
    lines.append(
        f"tree: {number(size.nodes)} nodes ({number(size.unique)} unique), depth {number(size.depth)}, branching "
        f"{number(size.branching)}; largest node {number(size.largest)}, longest path {number(size.longest_path)}, "
        f"all {number(size.total)} {ledger.unit}"
    )
    if size.full_tree_size is not None:
        lines.append(f"      it is part of a tree of {number(size.full_tree_size)} nodes, which nobody had to write")
    if (asked := ledger.questions) is not None:
        down = f"depth {number(asked.depth)}" if asked.depth is not None else "some of them leading back to themselves"
        line = f"questions: {number(asked.unique)}, {number(asked.edges)} times one asks another, {down}, branching "
        tree = "2^1024 nodes or more" if asked.tree is None else number(asked.tree)
        lines.append(line + number(asked.branching) + (f"; as a tree: {tree}" if asked.depth is not None else ""))
    if ledger.flips:
        lines.append(f"coins: {ledger.flips}")
    return lines


def ledger_html(ledger: Ledger) -> str:
    """A ledger as an HTML table by seat, with budgets and the size of the tree under it."""
    head = "".join(f"<th>{title}</th>" for title, _ in COLUMNS)
    rows = ""
    for seat, spent in ledger.seats.items():
        cells = "".join(f"<td>{number(getattr(spent, name))}</td>" for _, name in COLUMNS)
        rows += f"<tr><th>{escape(visible(seat))}</th>{cells}</tr>"
    below = "".join(f"<div>{escape(visible(line))}</div>" for line in budgets(ledger))
    return f"<div><table><tr><th>seat</th>{head}</tr>{rows}</table>{below}</div>"
