"""The ledger against plain counting: the tree of plays inside plays, coins, and what is known of calls and their cost."""

from __future__ import annotations

from typing import Any

import networkx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR

import moot
from moot.complexity.ledger import ledger_of
from moot.complexity.play import ROOT, Scopes
from moot.complexity.spending import Ledger, Questions, Size, Spending, budgets, number, percent
from moot.play.recorded import header
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import Question
from moot.tasks.arithmetic.sums import Sum

QUESTIONS = [Question(f"Is it {word}?", ("x", "y"), size=1) for word in ("so", "not so")]
TEXTS = ("yes", "no, not at all", "perhaps")
SAID = st.tuples(st.just("say"), st.integers(0, 2), st.integers(0, 3))
FLIP = st.tuples(st.just("flip"))
PLANS = st.recursive(
    st.lists(SAID | FLIP, max_size=4),
    lambda inner: st.lists(SAID | FLIP | st.tuples(st.just("play"), inner, st.integers(0, 1)), max_size=4), max_leaves=6,
)  # fmt: skip


class Planned(Protocol):
    """Plays a plan: says texts under what was said before in the same play, tosses coins, plays plans inside."""

    plan: tuple[Any, ...]

    def roles(self, question: Question) -> dict[str, str]:
        return {"a": "debater"}

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        said: list[str | None] = [None]
        for what, *how in self.plan:
            if what == "say":
                await floor.ask("a", moot.Speech, under=said[how[1] % len(said)], details={"text": TEXTS[how[0]]})
                said.append(floor.step)
            elif what == "flip":
                await floor.flip()
            else:
                await floor.play(Planned(plan=tuple(how[0])), QUESTIONS[how[1]], {"a": "a"})
        return moot.Decided(FAIR)


def expected(plan: Any, nodes: dict[str, tuple[str, int, Any]], root: str = ROOT, prefix: str = "") -> int:
    """The nodes of a plan's tree: step to parent, size, and what tells it from equal ones. Returns how many coins there are."""
    said, coins = [root], 0
    for count, (what, *how) in enumerate(plan):
        step = f"{prefix}{count}"
        if what == "say":
            nodes[step] = said[how[1] % len(said)], len(TEXTS[how[0]]), TEXTS[how[0]]
            said.append(step)
        elif what == "flip":
            coins += 1
        else:
            nodes[step] = root, 0, (how[1], root)
            coins += expected(how[0], nodes, step, f"{step}.")
    return coins


@given(PLANS)
def test_tree_and_ledger_of_plays_inside_plays_are_what_was_planned(plan: Any) -> None:
    protocol = Planned(plan=tuple(plan))
    transcript = moot.run(
        protocol, QUESTIONS[0], {"a": lambda request: moot.Speech(text=request.brief["details"]["text"])}
    )
    nodes: dict[str, tuple[str, int, Any]] = {}
    coins = expected(plan, nodes)
    tree, size = transcript.tree, transcript.ledger.tree
    graph = networkx.DiGraph([(parent, step) for step, (parent, _, _) in nodes.items()])
    graph.add_node(ROOT)
    assert set(tree.edges) == set(graph.edges) and set(tree) == set(graph)
    way = {step: sum(nodes[each][1] for each in networkx.ancestors(graph, step) | {step} if each in nodes) for step in graph}  # fmt: skip
    sizes = [each for _, each, _ in nodes.values()]
    assert size == Size(
        nodes=len(nodes) + 1, unique=1 + len({key for _, _, key in nodes.values()}),
        depth=max(networkx.single_source_shortest_path_length(graph, ROOT).values()),
        branching=max(dict(graph.out_degree).values()), largest=max(sizes, default=0),
        longest_path=max(way.values()), total=sum(sizes),
    )  # fmt: skip
    assert transcript.ledger.flips == coins
    assert (f"coins: {coins}" in budgets(transcript.ledger)) is (coins > 0)


@given(st.lists(st.lists(st.integers(0, 11), min_size=1, max_size=4).map(lambda path: ".".join(map(str, path))), max_size=6), st.data())  # fmt: skip
def test_the_innermost_play_that_a_step_belongs_to(scopes: list[str], data: Any) -> None:
    step = data.draw(st.sampled_from([*scopes, "5"])) + "." + data.draw(st.sampled_from(["0", "10", "3.1"]))
    parts = step.split(".")
    inside = [".".join(parts[:length]) for length in range(len(parts) - 1, 0, -1)]
    known = Scopes()
    for each in scopes:
        known.add(each)
    assert known.of(step) == next((each for each in inside if each in scopes), ROOT)


# -- calls and their cost --------------------------------------------------------------------------------------------------

USAGE = ("prompt_tokens", "completion_tokens", "cached_tokens", "cost")
KNOWN = st.none() | st.integers(0, 9)
ATTEMPTS = st.fixed_dictionaries(
    {"ok": st.booleans()}, optional={"cached": st.booleans(), **dict.fromkeys(USAGE, KNOWN)}
)
CALLS = st.fixed_dictionaries({
    "attempts": st.lists(ATTEMPTS, max_size=3), "asked": st.integers(0, 2), "end": st.sampled_from(["moved", "rejected", "failed", "lost"]),
    "seat": st.sampled_from("ab"), "reads": KNOWN, "meta_reads": KNOWN, "seconds": KNOWN, "recorded": st.booleans(),
    "computes": KNOWN,
})  # fmt: skip
START = header(moot.Debate(rounds=1), QUESTIONS[0], 0, {"a": {"reads": 50}})


@given(st.lists(CALLS, max_size=5))
def test_what_is_known_of_calls_and_nothing_else_is_counted(calls: list[dict[str, Any]]) -> None:
    events: list[dict[str, Any]] = [{"event": "started", **START, "meta": {}}]
    true: dict[str, dict[str, Any]] = {seat: dict.fromkeys(Spending.model_fields, 0) for seat in ("a", "b", "judge")}
    true = {seat: {**counted, "computes": None} for seat, counted in true.items()}  # what nobody reported is unknown
    unknown = {seat: set[str]() for seat in true}
    for place, call in enumerate(calls):
        seat, step = call["seat"], str(place)
        mine, lost = true[seat], unknown[seat]
        whole = {"step": step, "seat": seat, "meta": {}}
        for again in range(call["asked"]):
            events.append({"event": "asked", **whole})
            mine["lost"] += again  # it was out, and is asked once more
        events.extend({"event": "attempted", **whole, **attempt} for attempt in call["attempts"])
        mine["attempts"] += len(call["attempts"])
        mine["failed_attempts"] += sum(not attempt["ok"] for attempt in call["attempts"])
        for name in USAGE:
            told = [attempt.get(name) for attempt in call["attempts"] if not attempt.get("cached")]
            mine[name] += sum(filter(None, told))
            silent = call["asked"] and not call["attempts"]
            if None in told or silent or call["asked"] > 1 or (call["asked"] and call["end"] == "lost"):
                lost.add(name)
        if call["end"] == "lost":
            mine["lost"] += bool(call["asked"])
            continue
        meta = {name: call[name] for name in ("seconds", "recorded") if call[name] is not None}
        event = {"event": call["end"], **whole, "move": {"kind": "speech", "text": "so"}, "meta": meta}
        if call["reads"] is not None:
            event["reads"] = call["reads"]
        if call["meta_reads"] is not None:
            meta["reads"] = call["meta_reads"]
        if call["computes"] is not None:
            meta["spent"] = {"computes": call["computes"]}
        events.append(event)
        reads = call["reads"] if call["reads"] is not None else call["meta_reads"]
        if reads is None and seat == "b":
            lost |= {"reads", "reads_per_call"}
        mine["reads"] += reads or 0
        mine["reads_per_call"] = max(mine["reads_per_call"], reads or 0)
        if call["end"] != "failed":
            mine["calls"] += 1
            mine["rejected"] += call["end"] == "rejected"
            mine["recorded"] += call["recorded"]
            mine["seconds"] += call["seconds"] or 0
            mine["longest"] = max(mine["longest"], call["seconds"] or 0)
            if call["computes"] is not None:
                mine["computes"] = (mine["computes"] or 0) + call["computes"]
    ledger = ledger_of(events)
    for seat, counted in true.items():
        known: dict[str, Any] = {name: None if name in unknown[seat] else value for name, value in counted.items()}
        assert ledger.seats[seat] == Spending(**known), seat
    for name in Spending.model_fields:
        values = [getattr(ledger.seats[seat], name) for seat in true]
        assert ledger.total(name) == (None if None in values else sum(values))
    for seat, spent in ledger.seats.items():
        both = (spent.prompt_tokens, spent.completion_tokens)
        assert ledger.spent(seat, "tokens") == (None if None in both else sum(filter(None, both)))
        assert ledger.spent(seat, "reads") == spent.reads


def test_queries_are_what_was_charged_of_that_measure() -> None:
    charges = [
        ("judge", "queries", 2),
        ("judge", "reads", 5),
        ("a", "queries", 1),
        ("nobody", "queries", 9),
        ("judge", "queries", 3),
    ]
    charged = [{"event": "charged", "step": "0", "seat": seat, "measure": measure, "amount": amount, "meta": {}}
               for seat, measure, amount in charges]  # fmt: skip
    ledger = ledger_of([{"event": "started", **START, "meta": {}}, *charged])
    assert {seat: ledger.spent(seat, "queries") for seat in ledger.seats} == {"a": 1, "b": 0, "judge": 5}
    assert (ledger.n, ledger.unit, ledger.bounds, ledger.flips) == (1, "characters", {"a": {"reads": 50}}, 0)
    assert ledger.questions is None and ledger.tree == Size(full_tree_size=START.get("full_tree_size"))


@pytest.mark.parametrize(
    ("kind", "step", "queries"), [("exhausted", "3", 2), ("exhausted", "2", 7), ("forfeited", "3", 7)]
)
def test_a_query_that_was_refused_was_not_spent(kind: str, step: str, queries: int) -> None:
    charges = [{"event": "charged", "step": at, "seat": "judge", "measure": "queries", "amount": amount, "meta": {}}
               for at, amount in (("1", 2), ("3", 5))]  # fmt: skip
    ended = {"event": "ended", "outcome": {"kind": kind, "seat": "judge", "step": step}, "meta": {}}
    assert ledger_of([{"event": "started", **START, "meta": {}}, *charges, ended]).spent("judge", "queries") == queries


def test_what_answers_a_step_outside_the_tree_counts_as_an_answer_to_the_question() -> None:
    moved = {
        "event": "moved",
        "step": "0",
        "seat": "a",
        "under": "7.7",
        "move": {"kind": "speech", "text": "so"},
        "size": 5,
        "meta": {},
    }
    assert ledger_of([{"event": "started", **START, "meta": {}}, moved]).tree == Size(
        nodes=2, unique=2, depth=1, branching=1, largest=5, longest_path=5, total=5, full_tree_size=START.get("full_tree_size"),
    )  # fmt: skip


@pytest.mark.parametrize("model", [Spending, Size, Questions, Ledger])
def test_what_is_no_count_of_ours_is_refused(model: Any) -> None:
    with pytest.raises(ValueError, match="mistake\n  Extra inputs are not permitted"):
        model(mistake=1)


def test_the_questions_of_a_play_are_counted_from_what_its_moves_ask() -> None:
    """A sub-question that is asked twice is one; the play's question is the root."""
    task = Sum()
    protocol, seats = task.staged("amplify", sample := task.sample(4, seed=2))
    asked = moot.run(protocol, sample, seats).ledger.questions
    assert asked is not None
    assert (asked.unique, asked.edges, asked.depth, asked.branching, asked.tree) == (7, 6, 2, 2, 7)


# -- numbers in words ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "unknown"), (0, "0"), (9999, "9999"), (10000, "10\u202f000"), (-10000, "-10\u202f000"), (-9999, "-9999"), (1234567, "1\u202f234\u202f567"),
        (2.0, "2"), (20000.0, "20\u202f000"), (-2.0, "-2"), (0.12345, "0.1235"), (9999.4, "9999"), (10000.6, "10001"), (-12345.6, "-12346"), (12345678.5, "12345678"),
    ],
)  # fmt: skip
def test_a_number_in_a_table(value: float | None, text: str) -> None:
    assert number(value) == text


@given(st.floats(0, 1))
def test_no_probability_is_rounded_to_certainty(value: float) -> None:
    text = percent(value)
    assert (text == "100 %") is (value == 1) and (text == "0 %") is (value == 0)
    assert text == {0: "<1 %", 100: ">99 %"}.get(round(100 * value), f"{round(100 * value)} %") or value in (0, 1)


def ledger(**fields: Any) -> Ledger:
    seats = {"judge": Spending(reads=30, queries=2, prompt_tokens=None), "a": Spending()}
    whole: dict[str, Any] = {"n": 4, "unit": "cells", "seats": seats, "bounds": {}, "tree": Size(), **fields}
    return Ledger(**whole)


def test_budgets_are_told_with_their_shares_and_the_tree_with_its_size() -> None:
    bounds = {"judge": {"reads": 40, "queries": 0, "tokens": 10, "reads_per_call": 7}, "gone": {"reads": 5}}
    size = Size(nodes=12000, unique=7, depth=3, branching=2, largest=5, longest_path=9, total=20, full_tree_size=2**20)
    asked = {"unique": 7, "edges": 6, "depth": 2, "branching": 2, "longest": 9, "tree": 7}
    assert budgets(ledger(bounds=bounds, tree=size, questions=asked, flips=3)) == [
        "budget: judge reads: 30 of 40 (75 %) at n = 4",
        "budget: judge queries: 2 of 0 at n = 4",
        "budget: judge tokens: unknown of 10 at n = 4",
        "budget: judge reads per call: 0 of 7 (0 %) at n = 4",
        "budget: gone reads: unknown of 5 at n = 4",
        "tree: 12\u202f000 nodes (7 unique), depth 3, branching 2; largest node 5, longest path 9, all 20 cells",
        "      it is part of a tree of 1\u202f048\u202f576 nodes, which nobody had to write",
        "questions: 7, 6 times one asks another, depth 2, branching 2; as a tree: 7",
        "coins: 3",
    ]
    circle = {**asked, "depth": None, "tree": None}
    assert budgets(ledger(questions=circle))[2:] == [
        "questions: 7, 6 times one asks another, some of them leading back to themselves, branching 2"
    ]
    assert budgets(ledger(questions={**asked, "tree": None}))[2].endswith("; as a tree: 2^1024 nodes or more")
    assert budgets(ledger())[0] == "budget: none was set, so nothing was bounded" and len(budgets(ledger())) == 2
    assert budgets(ledger(bounds={"judge": {"reads": 30}}))[0].endswith("(100 %) at n = 4")


def test_a_ledger_as_html_says_nothing_that_its_names_could_smuggle_in() -> None:
    html = ledger(seats={"<b>": Spending(calls=3, cost=None)})._repr_html_()
    assert "<b>" not in html and "<th>&lt;b&gt;</th><td>3</td>" in html and "<td>unknown</td>" in html
    assert html.count("<th>") == 16 and html.count("<div>") == 3 and "budget: none was set" in html


def test_a_failure_of_a_step_that_nobody_awaited_leaves_nothing_unknown() -> None:
    """The next event of the step says what it took; an unknown is never 0, and what did not happen is not unknown."""
    failed = {"event": "failed", "step": "0", "seat": "a", "reads": 1, "meta": {}, "outcome": {"kind": "errored"}}
    asked = {"event": "asked", "step": "0", "seat": "a", "meta": {}}
    attempted = {"event": "attempted", "step": "0", "seat": "a", "ok": True, "prompt_tokens": 3, "meta": {}}
    start = {"event": "started", **START, "meta": {}}
    for before, known in (([], 0), ([asked], None), ([asked, attempted], 3)):
        assert ledger_of([start, *before, failed]).seats["a"].prompt_tokens == known


def test_a_kind_that_is_not_known_here_asks_nothing_and_one_that_answers_is_a_question(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[str] = []
    monkeypatch.setattr("moot.complexity.ledger.import_moves_of", looked.append)
    header_ = header(moot.Amplification(), QUESTIONS[0], 0, {})
    start = {"event": "started", **header_, "meta": {}}
    move = {"event": "moved", "step": "0", "seat": "overseer", "meta": {}, "size": 1}
    unknown = ledger_of([start, {**move, "move": {"kind": "of a plug-in that is not here"}}])
    assert unknown.questions is None and unknown.seats["overseer"].calls == 1
    reply = {"kind": "reply", "of": QUESTIONS[0].text, "answer": "x"}
    answered = ledger_of([start, {**move, "move": reply}]).questions
    assert looked == ["amplify", "amplify"] and (answered is None or answered.unique == 1)


def test_a_sub_play_is_found_without_going_through_all() -> None:
    """The scope of a step is looked up along its own path, which is read once however deep it is and whatever the file names."""

    class Path(str):
        cut = 0

        def __getitem__(self, part: Any) -> Any:
            made = Path(super().__getitem__(part))
            Path.cut += len(made)
            return made

    class Known(set[str]):
        asked = 0

        def __contains__(self, each: object) -> bool:
            self.asked += 1
            return super().__contains__(each)

        def __iter__(self) -> Any:
            pytest.fail("gone through whole")

    scopes = Scopes()
    scopes._steps = Known()
    deep = ".".join(["0"] * 4000)
    for step in (*map(str, range(1, 10_000)), deep + ".1.7", deep[:101], "1" + deep[1:]):
        scopes.add(step)
    assert (scopes.of("7.0.3"), scopes.of("7"), scopes._steps.asked) == ("7", ROOT, 1)
    assert (scopes.of(Path(deep)), scopes._steps.asked) == (deep[:101], 2) and Path.cut == 101
    assert scopes.of(Path(deep + ".1.7.0")) == deep + ".1.7" and Path.cut == 101 + len(deep) + 4
