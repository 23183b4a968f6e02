"""Loss-optimal on the inputs ever given, and what that says of any other: a model that searches, and a table of heuristics.
Rule: a world that is enumerated, two models of it, and plays; how transcripts are read is elsewhere.

What was given is read off transcripts by `experiments/statistics/given.py`, by the hash of what the seat was shown.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from moot.complexity.search.solve import solve
from moot.experiments.oversight.pressure import MISSES, frequency, whole
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.given import Loss, Seen, given, loss
from moot.experiments.statistics.report import Report, Row
from moot.play.run import arun, in_loop
from moot.protocols.debate.consultancy import DirectQA
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.geography import Geography, steps
from moot.tasks.graphs.geography import WalkJudge
from moot.tasks.programs.play import Program
from moot.transcripts.transcript import Transcript

VERTICES = 4
EDGES = tuple((u, v) for u in range(VERTICES) for v in range(1, VERTICES) if u != v)
"""The edges there may be: none leads back to the start, vertex 0."""
N = 48
"""Inputs of the world; the rest of the family is given to nobody before the models are held against it."""
BEYOND = 128
"""Of that rest, and of the family under the other goal, so many are played, drawn once; with `full`, all."""
GOALS = ("loses", "wins")
"""What becomes of the player who is stuck: as it was in all that was given, and changed."""

# -- how much is given: in closed form, exactly, and enumerated -----------------------------------------------------------


def unseen(inputs: int, draws: int) -> float:
    """The share of equally probable inputs that so many draws leave out, in expectation: (1 - 1/N)^n; also how probable it is that the
    next draw is new. UsageError for fewer than one input, or draws below 0."""
    whole("seen", inputs=(inputs, 1), draws=(draws, 0))
    return math.exp(draws * math.log1p(-1 / inputs)) if inputs > 1 else float(not draws)


def left_out(inputs: int, draws: int) -> list[float]:
    """How probably so many inputs are left out: for 0, 1, ..., all of them. UsageError as `unseen`."""
    unseen(inputs, draws)
    found = [0.0] * inputs + [1.0]
    for _ in range(draws):
        found = [
            found[rest] * (1 - rest / inputs) + (found[rest + 1] * (rest + 1) / inputs if rest < inputs else 0.0)
            for rest in range(inputs + 1)
        ]
    return found


def enumerated(inputs: int, draws: int) -> float:
    """`unseen` by every sequence of draws. UsageError as `unseen`."""
    unseen(inputs, draws)
    total = sum(inputs - len(set(each)) for each in product(range(inputs), repeat=draws))
    return total / inputs / float(inputs**draws)


# -- the family and its models ------------------------------------------------------------------------------------------


def asked(edges: Sequence[int], stuck: str = GOALS[0]) -> Question:
    """A question of the family: a walk from vertex 0 along these of `EDGES`. UsageError where they are not as many, or the goal is none."""
    if len(edges) != len(EDGES) or not set(edges) <= {0, 1} or stuck not in GOALS:
        raise UsageError(
            f"seen: edges {list(edges)}, stuck {stuck!r}; give {len(EDGES)} of 0 or 1, and one of {', '.join(GOALS)}"
        )
    matrix = [[0] * VERTICES for _ in range(VERTICES)]
    for there, (u, v) in zip(edges, EDGES, strict=True):
        matrix[u][v] = there
    text = f"Two walk in turn along edges, never back to a vertex; who is stuck {stuck}. Does the first player win?"
    return Question(text, ("yes", "no"), data={"start": 0, "edges": matrix, "stuck": stuck})


def sample(question: Question) -> Sample:
    """The question with its truth, by a search of its own."""
    data: Any = question.data
    return Sample(question, int(not _wins(data["edges"], (0,), data["stuck"] == "wins")))


def _wins(edges: Sequence[Sequence[int]], walk: tuple[int, ...], stuck: bool) -> bool:
    there = [v for v, edge in enumerate(edges[walk[-1]]) if edge and v not in walk]
    return any(not _wins(edges, (*walk, v), stuck) for v in there) if there else stuck


def family(stuck: str = GOALS[0]) -> list[Sample]:
    """All 512 questions."""
    return [sample(asked(edges, stuck)) for edges in product((0, 1), repeat=len(EDGES))]


class _Misere(WalkJudge, name="misère walk judge"):
    """Finds for who is stuck. The search tries legal steps alone."""

    def act(self, request: Request) -> Verdict:
        return Verdict(probabilities=super().act(request).probabilities[::-1])


class Searcher(Program, name="searcher"):
    """Answers by `moot.solve`, for whatever goal the question tells, and notes how many positions it looked at."""

    def act(self, request: Request) -> Verdict:
        question = request.view.question
        data: Any = question.data
        judge = _Misere() if data["stuck"] == "wins" else WalkJudge()
        found = solve(Geography(), question, moves={"a": steps, "b": steps}, seats={"judge": judge})
        request.note({"event": "looked", "positions": found.positions})
        return Verdict.sure(int(found.value["a"] < 0))


class Heuristics(Program, name="table of heuristics"):
    """Answers what was answered before, and on what it does not know as most inputs that begin with as many edges were answered. It
    goes by the edges alone: the goal was the same in all that it learned from, and so told it nothing. UsageError without inputs."""

    def __init__(self, learned: Seen) -> None:
        if not learned.inputs:
            raise UsageError("seen: a table is learned from inputs, and there are none; give plays that were answered")
        self.table: dict[Any, int] = {}
        votes: dict[int, Counter[int]] = defaultdict(Counter)
        for each in learned.inputs:
            data: Any = each.question.data
            probabilities = each.answers[-1][0]["probabilities"]
            answer = self.table[_edges(data)] = probabilities.index(max(probabilities))
            votes[sum(data["edges"][0])][answer] += 1
        self.rules = {begin: count.most_common(1)[0][0] for begin, count in votes.items()}
        self.default = sum(votes.values(), Counter[int]()).most_common(1)[0][0]

    def act(self, request: Request) -> Verdict:
        data: Any = request.view.question.data
        known = self.table.get(_edges(data))
        request.note({"event": "looked", "positions": 0})
        return Verdict.sure(self.rules.get(sum(data["edges"][0]), self.default) if known is None else known)


def _edges(data: Any) -> tuple[int, ...]:
    return tuple(data["edges"][u][v] for u, v in EDGES)


def played(agent: Any, samples: Iterable[Sample], seed: int = 0, out: Path | None = None) -> list[Transcript]:
    """Plays of any agent, one on each question, of which it sees the data. out: a folder to record to."""

    async def play() -> list[Transcript]:
        return [
            await arun(DirectQA(source=True), each, {"judge": agent}, seed=seed + number,
                       out=None if out is None else out / f"{number}.jsonl")
            for number, each in enumerate(samples)
        ]  # fmt: skip

    return in_loop(play)


def looked(plays: Iterable[Transcript]) -> float | None:
    """The positions that a seat says it looked at, in the mean over its notes; None where nothing was noted."""
    found = [event["positions"] for play in plays for event in play.events() if event["event"] == "looked"]
    return math.fsum(found) / len(found) if found else None


@dataclass(frozen=True)
class Apart:
    """A model against what it was ever given. seen, unseen: its loss there, and on the other inputs of the world. beyond: on the rest of the
    family. changed: on the family under the other goal. positions: what it looked at for an answer, by its own word. undecided:
    plays that ended without an answer, which are in no loss."""

    seen: Loss
    unseen: Loss
    beyond: Loss
    changed: Loss
    positions: float | None
    undecided: int = 0


def apart(agent: Any, ever: Seen, world: Sequence[Sample], rest: Sequence[Sample], changed: Sequence[Sample]) -> Apart:
    """Plays of an agent on all that it was given and on counterfactual inputs, held apart by what `ever` holds."""
    plays = played(agent, world)
    here, there, other = given(plays), given(played(agent, rest)), given(played(agent, changed))
    return Apart(
        seen=loss(here.within(ever)),
        unseen=loss(here.beyond(ever)),
        beyond=loss(there.beyond(ever)),
        changed=loss(other.beyond(ever)),
        positions=looked(plays),
        undecided=here.undecided + there.undecided + other.undecided,
    )


# -- the report ---------------------------------------------------------------------------------------------------------


def reproduce(
    seed: int = 0, full: bool = False, sequences: int | None = None, pictures: Path | str | None = None
) -> Report:
    """All figures. sequences: of draws after which one more is played, 60 unless given. full: 500 of them, and the whole family. pictures: a
    folder for `seen.png`. UsageError for fewer than one, and without the extra `plot` for the picture."""
    sequences = (500 if full else 60) if sequences is None else sequences
    whole("seen", sequences=(sequences, 1))
    if pictures is not None:
        panels(("",))  # said before anything is played
    every, random = family(), Random(seed)
    inside = set(random.sample(range(len(every)), N))
    world = [each for number, each in enumerate(every) if number in inside]
    rest = [each for number, each in enumerate(every) if number not in inside]
    changed = family(GOALS[1])
    if not full:
        rest, changed = random.sample(rest, BEYOND), random.sample(changed, BEYOND)
    ever = given(played(Searcher(), [random.choice(world) for _ in range(N)], seed))
    table = Heuristics(ever)
    models = {
        "search": apart(Searcher(), ever, world, rest, changed),
        "table": apart(table, ever, world, rest, changed),
    }
    news = _news(table, world, sequences, seed)
    rows = [*_shares(ever), *news, *(row for name, found in models.items() for row in _model(name, found))]
    notes = [
        f"A world of {N} equally probable graphs, of {len(every)} on {VERTICES} vertices. What was given is read off the transcripts, by "
        "the hash of what the seat was shown; the table learned from the plays of the model that searches.",
        "The positions are what a model says of itself; one that notes some and uses none is not told apart by them.",
        "What this does not show: that a model which does well on inputs that it was never given searches, as a larger table does as "
        "well; that what tells these two apart tells models apart which know that they are compared; or what a counterfactual set has to "
        "hold where inputs cannot be enumerated.",
    ]  # fmt: skip
    if pictures is not None:
        notes.append(written(_picture(models, len(ever.inputs)), pictures, "seen.png"))
    return Report(
        title="Loss-optimal on the inputs ever given", source="terms of Hubinger and others 2019", rows=tuple(rows),
        settings={"seed": seed, "inputs": N, "draws": N}, notes=tuple(notes),
    )  # fmt: skip


def _shares(ever: Seen) -> list[Row]:
    exact = left_out(N, N)
    mean = math.fsum(rest * p for rest, p in enumerate(exact)) / N
    low, high = _middle(exact)
    rest = N - len(ever.inputs)
    return [
        Row.equal(f"unseen of {N} after {N} draws, expected", unseen(N, N), 0.364014, within=5e-7),
        Row.equal("  by the exact distribution", mean, unseen(N, N), within=1e-12),
        Row.equal("  of 4 after 5, every sequence", enumerated(4, 5), unseen(4, 5), within=1e-12),
        Row(name="  left out in the plays", measured=rest, low=low, high=high, count=N, published=N * unseen(N, N), holds=low <= rest <= high,
            note=f"the interval misses with probability {MISSES:g} at most"),
    ]  # fmt: skip


def _middle(exact: Sequence[float]) -> tuple[int, int]:
    """What a count lies between, but for half of `MISSES` to either side."""
    ends = [0, len(exact) - 1]
    for end, way in enumerate((1, -1)):
        beyond = exact[ends[end]]
        while beyond <= MISSES / 2:
            ends[end] += way
            beyond += exact[ends[end]]
    return ends[0], ends[1]


def _news(agent: Any, world: Sequence[Sample], worlds: int, seed: int) -> list[Row]:
    """Whether a further input is new after n draws, in so many plays of n + 1: each counts once."""
    rows = list[Row]()
    for draws in (12, N):
        new = 0
        for number in range(worlds):
            random = Random(f"{seed}/{draws}/{number}")
            *before, last = played(agent, [random.choice(world) for _ in range(draws + 1)], seed)
            new += bool(given([last]).beyond(given(before)).inputs)
        rows.append(frequency(f"played: a further input is new after {draws}", new, worlds, unseen(len(world), draws)))
    return rows


def _model(name: str, found: Apart) -> list[Row]:
    def row(what: str, value: Loss, holds: bool | None, published: Any = None) -> Row:
        return Row(name=what, measured=value.value, count=value.inputs, published=published, holds=holds)

    if name == "search":
        cases: tuple[tuple[str, Loss], ...] = (
            ("of the world, not given", found.unseen), ("beyond the world", found.beyond), ("the other goal", found.changed),
        )  # fmt: skip
        return [
            row("the model that searches: loss on what was given", found.seen, found.seen.value == 0, 0.0),
            *(row(f"  {what}", value, value.value == 0, 0.0) for what, value in cases),
            Row(name="  positions for an answer", measured=found.positions, published="> 0", holds=(found.positions or 0) > 0),
        ]  # fmt: skip
    return [
        row("the table: loss on what was given", found.seen, found.seen.value == 0, 0.0),
        row("  of the world, not given", found.unseen, None),  # so few that it may have them all right
        *(row(f"  {what}", value, bool(value.value), "> 0") for what, value in (("beyond the world", found.beyond), ("the other goal", found.changed))),
        Row(name="  positions for an answer", measured=found.positions, published=0, holds=found.positions == 0),
    ]  # fmt: skip


def _picture(models: Mapping[str, Apart], seen: int) -> Any:
    figure, (left, right) = panels(
        ("How much of a world was ever given", "Loss, on what was given and on the rest"), 10.5
    )
    draws = range(0, 4 * N + 1, 6)
    left.plot(draws, [unseen(N, n) for n in draws], color=DARK, label=f"expected: (1 − 1/{N})ⁿ")
    spread = [_middle(left_out(N, n)) for n in draws]
    left.fill_between(draws, [low / N for low, _ in spread], [high / N for _, high in spread], color=LIGHT, alpha=0.4, linewidth=0,
                      label="exact interval")  # fmt: skip
    left.plot([N], [1 - seen / N], "o", color=MIDDLE, label=f"played, n = {N}")
    left.set(xlabel="inputs drawn", ylabel=f"share of {N} inputs never given", ylim=(0, 1.03))
    left.legend(fontsize=8.5, frameon=False)
    names = ("given", "not given", "beyond\nthe world", "the other\ngoal")
    for shift, colour, (name, found) in zip((-0.18, 0.18), (DARK, MIDDLE), models.items(), strict=True):
        for place, value in enumerate((found.seen, found.unseen, found.beyond, found.changed)):
            height = value.value or 0.0
            right.bar(place + shift, height, 0.34, color=colour, label=name if place == 0 else None)
            label = "none" if value.value is None else f"{height:.2g}"
            right.text(place + shift, height + 0.01, label, ha="center", va="bottom", fontsize=8.5, color="0.25")
    right.axhline(0, color=RULE, linewidth=0.6)
    right.set(xticks=range(len(names)), xticklabels=names, ylabel="share of inputs answered wrongly", ylim=(0, 1))
    right.legend(loc="upper left", fontsize=8.5, frameon=False)
    return figure
