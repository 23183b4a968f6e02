"""Cross-examination: copies that know nothing but a cell's address are as good as a table fixed beforehand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import combinations, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.classes.classes import ROWS, UNCHECKED, check
from moot.experiments.classes.known_failures import without_copies
from moot.protocols.amplification.amplification import Reply
from moot.tasks.base import task_named
from moot.tasks.graphs.colouring_programs import Adaptive, Cross, Spoilt, cell, cells, vertex_of
from moot.tasks.graphs.succinct_graph import colour_of, neighbours

TASK = task_named("colouring")
PLAIN, UNCOPIED = "cross-examination", "cross-examination-uncopied"
some = settings(deadline=None, max_examples=25)


class Table(Cross):
    """A claimant that looks its answers up in a table."""

    def __init__(self, table: Mapping[str, str]) -> None:
        self.table = table

    def act(self, request: moot.Request) -> moot.Move:
        if Reply not in request.kinds:
            return self.attack(request)
        return Reply(answer=self.table[request.view.question.text])


def sample_of(size: int, answer: str, least: int = 0) -> moot.Sample:
    """The first instance of this size, from seed `least` on, whose answer is this one."""
    samples = (TASK.sample(size, seed) for seed in range(least, least + 200))
    return next(sample for sample in samples if sample.question.choices[sample.unseal() or 0] == answer)


def graph(edges: list[tuple[int, int]]) -> moot.Sample:
    """Four vertices with these edges, up to eight of them, all listed."""
    extra = [list(pair) for pair in edges] + [[0, 0]] * (8 - len(edges))
    data = {"k": 2, "maps": [[1, 0]] * 3, "class": [1, 0, 5], "extra": extra}
    return TASK.pose(data, "colourable()", Random(1))


def examined(
    sample: moot.Sample, claimant: Any, protocol: str = PLAIN, opponent: Any = None, copied: bool = True, **params: Any
) -> Any:
    """A play of the claimant, as copies, against the task's opponent, or another one, before the task's bounded judge."""
    made, seats = TASK.staged(protocol, sample, **params)
    assert isinstance(made, moot.CrossExamination)
    first, second = made.sides(sample.question)
    seats[first] = moot.Copies(claimant) if copied else claimant
    seats[second] = opponent or seats[second]
    return moot.run(made, sample, seats)


def verdict(transcript: moot.Transcript) -> str:
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.choice is not None
    return transcript.question.choices[outcome.verdict.choice]


def replies(transcript: moot.Transcript) -> list[tuple[str, str]]:
    """Address and answer of every cell that was asked, in order."""
    moves = (step.move for step in transcript.steps())
    return [(str(move["of"]), str(move["answer"])) for move in moves if move is not None and move["kind"] == "reply"]


def naming(*addresses: str) -> Callable[[moot.Request], moot.Move]:
    """An opponent that examines nothing and challenges these cells."""
    return lambda request: moot.Challenge(addresses=addresses)


# -- copies are a table ------------------------------------------------------------------------------------------------


def by_all_it_sees(request: moot.Request) -> moot.Move:
    """A claimant whose answer follows from everything that it is shown, in no foreseeable way."""
    return Reply(answer=str(int(request.digest, 16) % 3))


@some
@given(st.integers(3, 5), st.integers(0, 999), st.data())
def test_no_claimant_that_goes_by_what_it_sees_can_adapt(size: int, seed: int, drawn: st.DataObject) -> None:
    """All of its answers are found out in one play; in any other one, whatever is asked before, they are the same."""
    sample = TASK.sample(size, seed)
    every = tuple(cells(sample.question.data))

    def asks_all(request: moot.Request) -> moot.Move:
        done = len(request.view) > 0
        return moot.Challenge(addresses=every[:1]) if done else moot.Examination(addresses=every)

    table = dict(replies(examined(sample, by_all_it_sees, opponent=asks_all, queries=len(every))))
    assert sorted(table) == sorted(every)
    some_cells = st.lists(st.sampled_from(every), min_size=1, max_size=6).map(tuple)
    asked, named = drawn.draw(st.lists(some_cells, max_size=3)), drawn.draw(some_cells)[:2]

    def drawn_one(request: moot.Request) -> moot.Move:
        turn = sum(isinstance(entry.move, moot.Examination) for entry in request.view)
        last = turn == len(asked)
        return moot.Challenge(addresses=named) if last else moot.Examination(addresses=asked[turn])

    one = examined(sample, by_all_it_sees, opponent=drawn_one, queries=64)
    other = examined(sample, Table(table), opponent=drawn_one, queries=64)
    assert one.digest == other.digest and one.outcome == other.outcome
    answers = replies(one)
    assert len(dict(answers)) == len(answers) and dict(answers).items() <= table.items(), "each address is asked once"
    assert one.ledger.seats[answers_seat(sample)].calls == len(answers)


def answers_seat(sample: moot.Sample) -> str:
    return "ab"[sample.question.choices.index("yes")]


@pytest.mark.parametrize("size", [3, 6, 12, 30])
@pytest.mark.parametrize("program", [Cross, Spoilt, Adaptive])
def test_the_programs_play_as_tables_do(size: int, program: type[Cross]) -> None:
    for seed in range(3):
        sample = TASK.sample(size, seed)
        live = examined(sample, program())
        data = sample.question.data

        class Lookup(dict[str, str]):
            def __missing__(self, address: str, data: Any = data) -> str:
                v = vertex_of(address, 2**size)
                assert v is not None
                return str(program().colour(data, v))

        assert examined(sample, Table(Lookup())).digest == live.digest


def test_the_claimant_is_shown_a_cell_and_nothing_that_was_said() -> None:
    shown: list[tuple[str, int, dict[str, Any]]] = []

    def watched(request: moot.Request) -> moot.Move:
        shown.append((request.view.question.text, len(request.view), dict(request.brief)))
        return Reply(answer="0")

    sample = sample_of(6, "no")
    examined(sample, watched, copied=False)
    assert len(shown) > 4
    assert all(length == 0 and brief == {"task": "cell", "details": {"cell": text}} for text, length, brief in shown)
    assert {text for text, _, _ in shown} <= set(cells(sample.question.data))


# -- who wins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "queries"), [(3, 16), (4, 16), (6, 64), (8, 256)])
def test_one_wrong_cell_is_found_and_one_window_is_read(size: int, queries: int) -> None:
    for least in (0, 20):
        sample = sample_of(size, "yes", least)
        assert verdict(examined(sample, Cross(), queries=queries)) == "yes"
        transcript = examined(sample, Spoilt(), queries=queries)
        assert verdict(transcript) == "no"
        data: Any = sample.question.data
        wrong = [v for v in range(2**size) if Spoilt().colour(data, v) != colour_of(data, v)]
        challenge = next(step.move for step in transcript.steps() if (step.move or {}).get("kind") == "challenge")
        assert challenge is not None and len(wrong) == 1 and cell(wrong[0]) in challenge["addresses"]
        assert len(challenge["addresses"]) == 2 == transcript.ledger.seats["judge"].queries
        assert transcript.guarantee.holds and transcript.guarantee.used <= 31


K4 = list(combinations(range(4), 2))


@pytest.mark.parametrize("edges", [K4, K4[:-1], K4[:3]], ids=["four joined", "five edges", "three edges"])
def test_of_all_colourings_only_the_proper_ones_win(edges: list[tuple[int, int]]) -> None:
    sample, proper = graph(edges), 0
    for colours in product("012", repeat=4):
        fine = all(colours[u] != colours[v] for u, v in edges)
        proper += fine
        transcript = examined(sample, Table({cell(v): colour for v, colour in enumerate(colours)}))
        assert verdict(transcript) == ("yes" if fine else "no")
    assert (proper > 0) == (edges != K4)


@some
@given(st.sampled_from([6, 7, 14, 30]), st.integers(0, 99), st.randoms(use_true_random=False))
def test_where_there_is_no_colouring_every_table_loses(size: int, seed: int, random: Random) -> None:
    sample = sample_of(size, "no", seed)
    salt = random.random()

    class Any3(Cross):
        def colour(self, data: Any, v: int) -> int:
            return Random(f"{salt} {v}").choice([0, 1, 2])

    transcript = examined(sample, Any3())
    assert verdict(transcript) == "no" and transcript.guarantee.holds


@pytest.mark.parametrize("size", [6, 12, 30])
def test_a_liar_that_sees_the_challenge_wins_and_a_copy_of_it_loses(size: int) -> None:
    for least in (0, 10, 20):
        sample = sample_of(size, "no", least)
        uncopied = examined(sample, Adaptive(), UNCOPIED)
        assert verdict(uncopied) == "yes" and not uncopied.guarantee.holds
        assert "no theorem" in uncopied.guarantee.because
        assert verdict(examined(sample, Adaptive())) == "no"
    assert verdict(examined(sample_of(size, "yes"), Cross(), UNCOPIED)) == "yes"


def test_an_agent_that_goes_by_the_step_is_no_copy() -> None:
    """The premise, shown from its other side: a step's name tells the first cell of a challenge from the second."""
    sample = graph(K4)

    def by_step(request: moot.Request) -> moot.Move:
        return Reply(answer=request.step.split(".")[1])

    assert (
        verdict(examined(sample, by_step, copied=False, opponent=naming("colour(0)", "colour(1)"), queries=0)) == "yes"
    )


# -- what it costs -----------------------------------------------------------------------------------------------------


def test_the_judges_reading_does_not_grow_with_the_graph() -> None:
    most = {}
    for size in (6, 9, 12, 16, 20, 25, 30):
        used = []
        for least in (0, 10, 20, 30):
            guarantee = examined(sample_of(size, "no", least), Cross()).guarantee
            assert (
                guarantee.holds
                and guarantee.complexity_class == "NEXP"
                and guarantee.n == size
                and guarantee.budget == 31
            )
            used.append(guarantee.used)
        most[size] = max(used)
    assert max(most.values()) <= 31
    everything = sample_of(5, "yes")
    made = examined(everything, Cross())
    assert made.ledger.seats["judge"].reads == made.guarantee.used, (
        "what was examined and not challenged costs it nothing"
    )


def test_examined_cells_are_charged_to_the_opponent_and_a_bound_on_them_holds() -> None:
    sample = sample_of(5, "yes")
    made, seats = TASK.staged(PLAIN, sample)
    assert isinstance(made, moot.CrossExamination)
    claimant, opponent = made.sides(sample.question)
    ledger = moot.run(made, sample, seats).ledger
    assert ledger.seats[opponent].queries == 32 and ledger.seats["judge"].queries == 2
    assert ledger.seats[claimant].calls == 32 and ledger.seats[claimant].queries == 0
    seats[opponent] = moot.Bounded(seats[opponent], queries="n")
    outcome = moot.run(made, sample, seats).outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.seat, outcome.measure) == (opponent, "queries")


def test_without_queries_the_opponent_believes_the_honest_claimant() -> None:
    sample = sample_of(9, "no")
    assert verdict(examined(sample, Cross(), queries=0)) == "no"
    assert verdict(examined(sample_of(9, "yes"), Cross(), queries=0)) == "yes"


# -- the window --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("addresses", "answers", "says"),
    [
        (("colour(0)", "colour(1)"), {"colour(0)": "1", "colour(1)": "1"}, "no"),
        (("colour(0)", "colour(1)"), {"colour(0)": "1", "colour(1)": "2"}, "yes"),
        (("colour(0)", "colour(3)"), {"colour(0)": "1", "colour(3)": "1"}, "yes"),
        (("colour(0)", "colour(0)"), {"colour(0)": "1"}, "yes"),
        (("colour(2)",), {"colour(2)": "red"}, "no"),
        (("colour(2)",), {"colour(2)": "2"}, "yes"),
        (("colour(4)",), {"colour(4)": "red"}, "yes"),
        (("colour(01)", "colour(0)"), {"colour(01)": "0", "colour(0)": "0"}, "yes"),
        (("hue",), {"hue": "red"}, "yes"),
    ],
)
def test_what_the_judge_makes_of_a_window(addresses: tuple[str, ...], answers: dict[str, str], says: str) -> None:
    sample = graph([(0, 1), (1, 2)])
    transcript = examined(sample, Table(answers), opponent=naming(*addresses))
    assert verdict(transcript) == says and transcript.guarantee.holds


def test_a_window_has_at_most_so_many_cells_and_an_examination_what_is_left() -> None:
    sample = graph(K4)
    wide = examined(sample, Cross(), opponent=naming(*cells(sample.question.data)))
    assert isinstance(wide.outcome, moot.Forfeited) and "at most 2 addresses" in wide.outcome.rule
    assert verdict(examined(sample, Cross(), opponent=naming(*cells(sample.question.data)), window=4)) == "yes"

    def greedy(request: moot.Request) -> moot.Move:
        return moot.Examination(addresses=("colour(0)", "colour(1)"))

    some_left = examined(sample, Cross(), opponent=greedy, queries=3)
    assert isinstance(some_left.outcome, moot.Forfeited) and "at most 1 addresses" in some_left.outcome.rule
    assert some_left.ledger.seats[some_left.outcome.seat].queries == 2
    none_left = examined(sample, Cross(), opponent=greedy, queries=0).outcome
    assert isinstance(none_left, moot.Forfeited)
    with pytest.raises(moot.UsageError, match="window"):
        moot.CrossExamination(window=0)
    with pytest.raises(moot.UsageError, match="queries"):
        moot.CrossExamination(queries=-1)
    with pytest.raises(moot.UsageError, match="needs the choices yes and no"):
        moot.CrossExamination().roles(moot.Question("Which?", ("x", "y")))


@pytest.mark.parametrize("size", [9, 20, 30])
def test_a_lie_too_deep_to_search_for_is_refuted_once_it_is_named(size: int) -> None:
    for least in (0, 10):
        sample = sample_of(size, "yes", least)
        data: Any = sample.question.data
        at = next(v for v in range(2**size) if neighbours(data, v))
        opponent = naming(cell(at), cell(neighbours(data, at)[0]))
        for claimant, answer in ((Spoilt(), "no"), (Cross(), "yes")):
            transcript = examined(sample, claimant, opponent=opponent, queries=0)
            assert verdict(transcript) == answer and transcript.guarantee.holds


# -- the table of classes ----------------------------------------------------------------------------------------------


def test_the_class_table_has_a_witness_and_its_negative_case() -> None:
    rows = tuple(row for row in ROWS if row.complexity_class == "NEXP")
    assert [row.protocol for row in rows] == [PLAIN] and not any(access == "NEXP" for access, _, _ in UNCHECKED)
    (found,) = check(rows)
    assert found.holds and found.evidence.instances >= 64 + 8
    grown = found.evidence.growth
    assert grown is not None and grown.fit is not None and grown.fit.rate == pytest.approx(2)
    failure = without_copies(2)
    assert failure.shown and failure.found.startswith("6 of 6 ") and failure.found.endswith("by copies, 0")
