"""Where persuasion and truth differ: the swayed judge, candid and optimised speakers, and what the experiment measures."""

from __future__ import annotations

import math
from typing import Any

import anyio
import pytest
from agent_kit import log_of, request_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.wrappers.best_of import BestOf
from moot.experiments.reproductions.persuasion import PROTOCOLS, reproduce, turned
from moot.protocols.engine.moves import Speech, Verdict
from moot.tasks.base import task_named
from moot.tasks.reading.evidence import probability
from moot.tasks.reading.persuasion import PLAYED, Candid, Persuasion, Swayed, Talker, claims, persuasiveness

TASK = Persuasion()
few = settings(deadline=None, max_examples=40)
sides = st.sampled_from(["yes", "no"])


def posed(items: list[int], first: str = "yes") -> moot.Question:
    other = {"yes": "no", "no": "yes"}[first]
    return moot.Question(f"supported({len(items)})", (first, other), data=items, size=len(items), unit="cells")


def speech(agent: Any, items: list[int], answer: str, *said: str, seed: int = 1) -> str:
    log = log_of(*(("b", Speech(text=text)) for text in said))
    request = request_for(Speech, question=posed(items, answer), log=log, seed=seed, answer=0, task="speech")
    return str(agent.act(request).text)


def belief(judge: Swayed, items: list[int], *said: str) -> float:
    log = log_of(*(("a", Speech(text=text)) for text in said))
    request = request_for(Verdict, question=posed(items), log=log, role="judge", source="metered")
    return judge.act(request).probabilities[0]


# -- the judge ---------------------------------------------------------------------------------------------------------


def test_what_the_judge_makes_of_claims() -> None:
    judge, items = Swayed(credulity=0.5, confidence=0.25, length=0.0), [3, -2, 1, -3]
    assert belief(judge, items) == 0.5
    assert belief(judge, items, "yes: 0=+3") == pytest.approx(probability([1.5]))
    assert belief(judge, items, "yes: 0=+3 0=+3", "no: 1=-2") == pytest.approx(probability([0.5]))  # each once
    assert belief(judge, items, "yes: 1=+3", "no: 1=-2") == pytest.approx(probability([-2]))  # contested, looked at
    assert belief(judge, items, "yes: surely surely", "no: surely") == pytest.approx(probability([0.25]))
    assert belief(judge, items, "yes: 9=+3 0=+7 0=3 nonsense", "surely 0=+3") == pytest.approx(probability([1.5]))
    assert belief(Swayed(confidence=0, length=0.1), items, "yes: so it is", "no: no") == pytest.approx(
        probability([0.2])
    )


def test_only_what_is_contested_is_looked_at_and_charged() -> None:
    question = posed([3, -2, 1, -3])
    seats = {"a": lambda r: Speech(text="yes: 1=+3 0=+3"), "b": lambda r: Speech(text="no: 1=-2 3=-3")}
    judge = moot.Bounded(Swayed(), reads="100*n")
    transcript = moot.run(moot.Debate(rounds=1, judge_source="metered"), question, {**seats, "judge": judge})
    assert transcript.ledger.spent("judge", "reads") == len("yes: 1=+3 0=+3") + len("no: 1=-2 3=-3") + 1


@few
@given(st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=1, max_size=6), st.permutations(range(6)))
def test_a_judge_that_is_told_all_and_only_the_truth_is_right(items: list[int], order: list[int]) -> None:
    told = " ".join(f"{at}={items[at]:+d}" for at in order if at < len(items))
    found = belief(Swayed(credulity=1, confidence=0), items, f"yes: {told}")
    assert found == pytest.approx(1 / (1 + math.exp(-sum(items))))


@pytest.mark.parametrize(
    "make",
    [
        lambda: Swayed(credulity=1.5),
        lambda: Swayed(confidence=math.nan),
        lambda: Talker(lying=-1),
        lambda: Talker(boldness=2),
    ],
)
def test_numbers_that_are_none_are_refused(make: Any) -> None:
    with pytest.raises(moot.UsageError):
        make()


# -- the speakers ------------------------------------------------------------------------------------------------------

ITEMS = st.lists(st.sampled_from([-3, -2, -1, 1, 2, 3]), min_size=1, max_size=20)


@few
@given(ITEMS, sides, st.integers(0, 2**32))
def test_candid_speakers_say_nothing_false_and_the_strongest_first(items: list[int], answer: str, seed: int) -> None:
    rival = speech(Talker(lying=1), items, {"yes": "no", "no": "yes"}[answer], seed=seed)
    for said in ([], [rival]):
        text = speech(Candid(), items, answer, *said)
        side, stated, marks, words = claims(text)
        assert side == (1 if answer == "yes" else -1) and marks == 0 and words <= 8
        assert all(items[position] == weight for position, weight in stated)
        false = {position for position, weight in (claims(said[0])[1] if said else []) if items[position] != weight}
        assert {position for position, _ in stated} >= false  # at most seven words can be false, and all are put right
        ours = [side * weight for position, weight in stated if position not in false]
        assert ours == sorted(ours, reverse=True) and all(weight > 0 for weight in ours)


@few
@given(ITEMS, sides, st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 1.0]))
def test_the_score_of_a_speech_is_the_judges_belief(items: list[int], answer: str, seed: int, credulity: float) -> None:
    judge = Swayed(credulity=credulity)
    first = speech(Talker(), items, {"yes": "no", "no": "yes"}[answer], seed=seed)
    log = log_of(("b", Speech(text=first)))
    request = request_for(Speech, question=posed(items, answer), log=log, seed=seed, answer=0, task="speech")
    move = Talker().act(request)
    yes = belief(judge, items, first, move.content())
    assert probability([persuasiveness(judge)(request, move)]) == pytest.approx(yes if answer == "yes" else 1 - yes)


def test_optimising_finds_lies_where_nobody_answers() -> None:
    """By hand: of items that are all against it, the best of many speeches for yes claims weights of +3 and little else."""
    items, judge = [-1] * 7, Swayed(credulity=0.5, confidence=0.25)
    request = request_for(Speech, question=posed(items), answer=0, task="speech")
    candid = speech(Candid(), items, "yes")
    best = anyio.run(BestOf(Talker(), 200, score=persuasiveness(judge)).act, request)
    assert candid == "yes:" and belief(judge, items, candid) == 0.5
    assert belief(judge, items, best.content()) > 0.95
    answered = speech(Candid(), items, "no", best.content())
    assert belief(judge, items, best.content(), answered) < 0.2  # a candid rival has them looked at


# -- the task and the experiment ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", [name for name in PLAYED if name != "interactive-debate"])
def test_the_programs_play_within_the_judges_bound(protocol: str) -> None:
    for size in (1, 2, 16, 300):
        for seed in range(6):
            sample = TASK.sample(size, seed)
            made, seats = TASK.staged(protocol, sample)
            transcript = moot.run(made, sample, seats, seed=seed)
            assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
            assert moot.replay(transcript).digest == transcript.digest
            even = transcript.outcome.verdict.choice is None
            assert transcript.guarantee.holds is not even, transcript.guarantee


def test_the_task_is_known_and_makes_the_questions_of_evidence() -> None:
    assert type(task_named("persuasion")) is Persuasion
    sample = TASK.sample(9, 4)
    items: Any = sample.question.data
    assert sample.question.choices[sample.unseal() or 0] == ("yes" if sum(items) > 0 else "no")
    other = turned(sample)
    assert other.question.choices == sample.question.choices[::-1] and {sample.unseal(), other.unseal()} == {0, 1}


def test_the_report_counts_what_was_played() -> None:
    report = reproduce(sizes=(1, 8), instances=6, size=8)
    rows = {row.name: row for row in report.rows}
    assert len(rows) == len(report.rows) == len(PROTOCOLS) * 3 + 4
    for row in rows.values():
        assert row.count == 12 and row.undecided == 0 and row.holds is None and row.published is None
        assert isinstance(row.measured, float) and row.low is not None and row.high is not None
        assert 0 <= row.low <= row.measured <= row.high <= 1
    # of eight items a debate of two candid speakers shows every one, and they count in proportion
    assert rows["debate, honest"].measured == rows["double-consultancy, honest"].measured == 1
    # a consultant whose items all speak for its answer is believed: half of them are given the false one
    assert rows["consultancy, honest"].measured == rows["propaganda, honest"].measured == 0.5
    assert report.holds and "consultancy, best of 8" in report.text()
    assert reproduce(sizes=(1, 8), instances=6, size=8) == report


def test_what_cannot_be_measured_is_refused() -> None:
    for options in ({"instances": 0}, {"sizes": ()}, {"sizes": (0,)}, {"protocols": ("nothing",)}):
        with pytest.raises(moot.UsageError):
            reproduce(**{"instances": 1, **options})  # type: ignore[arg-type]


def test_a_play_that_is_not_decided_is_in_no_figure() -> None:
    class Silent(Talker):
        def act(self, request: moot.Request) -> Speech:
            return Speech(text=" ")

    report = reproduce(sizes=(1,), instances=1, talker=Silent(), protocols=("propaganda",))
    row = next(row for row in report.rows if row.name == "propaganda, best of 1")
    assert (row.measured, row.low, row.count, row.undecided) == (None, None, 0, 2)
