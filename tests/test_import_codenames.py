"""Overseen clues: the simulated overseers against their rules done by hand, records, budgets, and judging again."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name, of_value

import moot
from moot.judges.clue_overseers import (
    OVERSEERS,
    ClueOverseer,
    NegligentBiased,
    Robust,
    RobustJudge,
    overseer_named,
)
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided, Exhausted, Forfeited
from moot.transcripts.formats.codenames import overseer_of, recorded_overseer
from moot.transcripts.formats.importing import problems, record_of_import
from moot.transcripts.formats.records import json_value
from moot.transcripts.transcript import Transcript

LINES = (FIXTURES / "codenames" / "sets.jsonl").read_bytes().splitlines()
EIGHTHS = st.integers(-8, 8).map(lambda eighth: eighth / 8)


def judged(transcript: Transcript) -> tuple[int | None, int]:
    """The score that the judge decided on, and its comparisons by the ledger."""
    assert isinstance(transcript.outcome, Decided)
    return transcript.outcome.verdict.choice, transcript.ledger.seats["judge"].queries


def oversights(transcript: Transcript) -> Any:
    return record_of_import(transcript)["oversights"][int(str(transcript.question.id).rpartition("-")[2])]


def test_judging_again_gives_the_recorded_verdict_and_number_of_comparisons(tmp_path: Path) -> None:
    found = by_name("codenames", FIXTURES / "codenames", tmp_path)
    assert len(found) == 10
    for transcript in found.values():
        recorded = oversights(transcript)
        told = (recorded["expected_score"], recorded["comparisons_performed"])
        assert problems(transcript) == [] and judged(transcript) == told
        again = moot.rejudge(transcript, recorded_overseer(transcript))
        assert judged(again) == told and again.digest == transcript.digest
        assert isinstance(again.outcome, Decided)
        deciding = recorded["deciding_critique"]
        text = "" if deciding is None else f"{deciding['bad_word']} > {deciding['target_good_word']}"
        assert again.outcome.verdict.text == text and transcript.sample.unseal() == recorded["ground_truth_score"]


def test_a_budget_of_comparisons_is_enforced(tmp_path: Path) -> None:
    found = by_name("codenames", FIXTURES / "codenames", tmp_path)
    for transcript in found.values():
        made = oversights(transcript)["comparisons_performed"]
        overseer = recorded_overseer(transcript)
        assert isinstance(moot.rejudge(transcript, moot.Bounded(overseer, queries=made)).outcome, Decided)
        if made:
            outcome = moot.rejudge(transcript, moot.Bounded(overseer, queries=made - 1)).outcome
            assert isinstance(outcome, Exhausted)
            assert (outcome.measure, outcome.used, outcome.limit) == ("queries", made, made - 1)


def test_overseers_differ_in_what_they_pay(tmp_path: Path) -> None:
    transcript = by_name("codenames", FIXTURES / "codenames", tmp_path)["sets-1-1"]
    paid = {name: judged(moot.rejudge(transcript, overseer_named(name))) for name in sorted(OVERSEERS)}
    assert paid == {
        "neglect_last_n": (0, 3), "negligent_biased": (0, 3), "negligent_biased_base": (2, 5),
        "negligent_biased_judge": (0, 2), "robust": (0, 3), "robust_judge": (0, 2),
    }  # fmt: skip


# -- the rules, written down a second time -----------------------------------------------------------------------------


def by_hand(name: str, flaws: dict[str, Any], game: Any, oversight: Any) -> tuple[int, int]:
    """Expected score and comparisons, by counting rather than by asking: an oracle for the overseers."""
    near = oversight["ground_truth_similarities"]
    targets = [
        word for word in dict.fromkeys(oversight["clue_critiques"]["clue"]["targets"]) if word in game["good_words"]
    ]
    bad, neglect = game["bad_words"], flaws.get("neglect_words", 0)
    last, factor = flaws.get("bias_non_neglected_words", 0), flaws.get("bias_factor", 1.0)
    weighed = {word: near[word] * (factor if i >= len(bad) - last else 1.0) for i, word in enumerate(bad)}
    if name == "negligent_biased_base":
        seen = bad[neglect:]
        worst = max(weighed[word] for word in seen)
        return sum(near[word] > worst for word in game["good_words"]), len(seen) - 1 + len(game["good_words"])
    if not targets:
        return 0, 0
    if name in ("robust_judge", "negligent_biased_judge"):
        weighed |= {word: near[word] * factor for word in bad[: flaws.get("bias_neglected_words", 0)]}
        valid = [(c["bad_word"], c["target_good_word"]) for c in oversight["clue_critiques"]["critiques"]]
        valid = [(word, target) for word, target in valid if word in bad and target in targets]
        hits = [near[target] <= weighed[word] for word, target in valid]
    else:
        seen = bad[: len(bad) - neglect] if name == "neglect_last_n" else bad[neglect:]
        worst = min(near[target] for target in targets)
        hits = [worst <= weighed[word] for word in seen]
    search = 0 if name.endswith("judge") else len(targets) - 1
    return (0, search + hits.index(True) + 1) if True in hits else (len(targets), search + len(hits))


@st.composite
def records(draw: st.DrawFn) -> Any:
    good = [f"G{i}" for i in range(draw(st.integers(1, 4)))]
    bad = [f"B{i}" for i in range(draw(st.integers(1, 4)))]
    near = {word: draw(EIGHTHS) for word in good + bad}
    name = draw(st.sampled_from(sorted(OVERSEERS)))
    flaws: dict[str, Any] = {}
    if name == "neglect_last_n":
        flaws = {"neglect_words": draw(st.integers(0, 5))}
    elif name.startswith("negligent"):
        neglect = draw(st.integers(0, len(bad) - 1))
        flaws = {"neglect_words": neglect, "bias_neglected_words": draw(st.integers(0, neglect)),
                 "bias_non_neglected_words": draw(st.integers(0, len(bad) - neglect)),
                 "bias_factor": draw(st.sampled_from([0.0, 0.5, 1.0, 3.0]))}  # fmt: skip
    words = st.sampled_from([*good, *bad, "NEITHER"])
    critique = st.fixed_dictionaries({"bad_word": words, "target_good_word": words})
    oversight = {
        "clue_critiques": {"clue": {"clue": "Sea", "targets": draw(st.lists(words, max_size=4))},
                           "critiques": draw(st.lists(critique, max_size=4))},
        "ground_truth_score": sum(near[word] > max(near[each] for each in bad) for word in good),
        "ground_truth_similarities": near,
    }  # fmt: skip
    game = {"good_words": good, "bad_words": bad}
    oversight["expected_score"], oversight["comparisons_performed"] = by_hand(name, flaws, game, oversight)
    return {"game": game, "overseer": {"name": name, **flaws}, "oversights": [oversight]}


@settings(max_examples=120, deadline=None)
@given(record=records())
def test_every_overseer_keeps_its_rule(record: Any) -> None:
    (transcript,), told = of_value("codenames", record)
    recorded = record["oversights"][0]
    assert judged(transcript) == (recorded["expected_score"], recorded["comparisons_performed"])
    assert all("deciding_critique is none" in problem for problem in told), "the record does not say what decided"


@settings(max_examples=60, deadline=None)
@given(record=records())
def test_critiques_are_judged_at_no_more_than_one_comparison_each(record: Any) -> None:
    (transcript,), _ = of_value("codenames", record)
    said = record["oversights"][0]["clue_critiques"]["critiques"]
    score, made = judged(moot.rejudge(transcript, RobustJudge()))
    assert made <= len(said)
    full, _ = judged(moot.rejudge(transcript, Robust()))
    assert full is not None and score is not None and full <= score, (
        "what all comparisons let through, critics cannot disprove"
    )


# -- records that are not whole ----------------------------------------------------------------------------------------


def test_what_does_not_agree_is_reported_and_leaves_only_the_verdict() -> None:
    for key, value, says in (
        (
            "comparisons_performed",
            7,
            "the record has 7 comparisons and the score 2, its overseer makes 2 and decides 2",
        ),
        ("comparisons_performed", None, "comparisons_performed is missing"),
        ("ground_truth_similarities", None, "ground_truth_similarities is missing"),
        ("ground_truth_similarities", {"TIDE": 1.0}, "ground_truth_similarities has no 'HARBOUR'"),
    ):
        record = json_value(LINES[0])
        record["oversights"] = record["oversights"][:1]
        record["oversights"][0][key] = value
        (transcript,), told = of_value("codenames", record)
        assert judged(transcript) == (2, 0) and any(says in problem for problem in told), key
    record = json_value(LINES[0])
    record["overseer"] = {"name": "robust_judge", "patience": 3}
    found, told = of_value("codenames", record)
    assert len(found) == 3 and all("kind 'robust_judge' has no option 'patience'" in problem for problem in told)


def test_scores_that_cannot_be() -> None:
    record = json_value(LINES[0])
    record["oversights"][0] |= {"expected_score": -1, "ground_truth_score": -1}
    record["oversights"][1]["ground_truth_score"] = 3
    (first, second, _), told = of_value("codenames", record)
    assert first.outcome is None and first.sample.unseal() is None and second.sample.unseal() == 3
    assert any("oversights.1.ground_truth_score is 3; by the similarities it is 2" in problem for problem in told)
    assert any("expected_score is -1" in problem for problem in told)


def test_one_broken_oversight_does_not_stop_the_others() -> None:
    record = json_value(LINES[0])
    del record["oversights"][1]["clue_critiques"]["clue"]
    found, told = of_value("codenames", record)
    assert len(found) == 2 and told[0].endswith("oversights.1.clue_critiques.clue is missing")
    assert of_value("codenames", {**record, "oversights": []})[1][0].endswith("the record holds no play")


def test_the_older_form_has_no_similarities_and_an_overseer_for_each_oversight() -> None:
    record: Any = json_value(LINES[0])
    del record["overseer"]
    for oversight in record["oversights"]:
        oversight |= {"overseer": "judge", "ground_truth_guesses": ["TIDE"]}
        del oversight["ground_truth_similarities"], oversight["valid_targets"]
    found, told = of_value("codenames", record)
    assert len(found) == 3 and len(told) == 3 and all("what was compared is not known" in problem for problem in told)
    assert found[0].seats["judge"] == {"name": "judge", "agent": "program"}


# -- the protocol and the overseers by themselves ----------------------------------------------------------------------

GAME = {"good_words": ["SEAL"], "bad_words": ["SAND"], "similarities": {"fur": {"SEAL": 0.5, "SAND": 0.25}}}


def question(data: Any = GAME, choices: tuple[str, ...] = ("0", "1")) -> moot.Question:
    return moot.Question("What does the clue score?", choices, data=data, unit="cells")


def test_a_live_play() -> None:
    def cluer(request: moot.Request) -> moot.Move:
        assert request.view.question.data == GAME
        return moot.Clue(clue="fur", targets=("SEAL",))

    def critic(request: moot.Request) -> moot.Move:
        assert [entry.move.kind for entry in request.view] == ["clue"], "critics are blind to each other"
        return moot.ClueCritique(bad_word="SAND", target="SEAL")

    seats = {"cluer": cluer, "critic": critic, "judge": moot.Bounded(RobustJudge(), queries="n")}
    transcript = moot.run(moot.ClueOversight(critiques=2), question(), seats)
    assert judged(transcript) == (1, 2) and isinstance(transcript.outcome, Decided)
    assert transcript.outcome.payoffs == {"cluer": 1.0} and set(transcript.tree) == {"q", "0", "1.0.0", "1.1.0"}
    assert transcript.seats["judge"]["name"] == "robust_judge"


def test_more_comparisons_than_the_protocol_allows_forfeit() -> None:
    seats = {"cluer": lambda request: moot.Clue(clue="fur", targets=("SEAL",)), "judge": Robust()}
    outcome = moot.run(moot.ClueOversight(comparisons=0), question(), seats).outcome
    assert isinstance(outcome, Forfeited) and outcome.seat == "judge"


@pytest.mark.parametrize(
    ("data", "choices", "says"),
    [
        (None, ("0", "1"), "data is no game"),
        ({**GAME, "bad_words": []}, ("0", "1"), "bad_words must be a list of words"),
        ({**GAME, "similarities": {}}, ("0", "1"), "similarities must give"),
        ({**GAME, "similarities": {"fur": {"SEAL": True}}}, ("0", "1"), "'SEAL' has True, which is no number"),
        ({**GAME, "similarities": {"fur": {"SEAL": float("nan")}}}, ("0", "1"), "data cannot be written down"),
        (GAME, ("1", "0"), "the choices must be the scores 0, 1, in order"),
    ],
)
def test_unfit_questions(data: Any, choices: tuple[str, ...], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        moot.ClueOversight().roles(question(data, choices))


def test_overseers_by_name() -> None:
    assert overseer_of("robust") == Robust()
    assert overseer_of({"name": "robust", "neglect_words": 0}) == Robust(), "what is 0 changes nothing"
    flawed = {"name": "negligent_biased", "bias_factor": 0, "neglect_good_words": 0}
    assert overseer_of(flawed) == NegligentBiased(bias_factor=0)
    assert overseer_of({"name": "neglect_last_n", "neglect_words": 2}).describe() == {
        "agent": "program", "name": "neglect_last_n", "neglect_words": 2,
    }  # fmt: skip
    for given_as, says in (
        ({"name": "wise"}, "no overseer is called 'wise'"), ({}, "overseer.name is missing"), (3, "overseer is 3"),
        ({"name": "neglect_last_n", "neglect_words": -1}, "neglect_words is -1"),
        ({"name": "negligent_biased", "bias_neglected_words": 1}, "1, of 0 neglected words"),
        ({"name": "negligent_biased", "neglect_good_words": 2}, "has no option 'neglect_good_words'"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=says):
            overseer_of(given_as)
    assert all(isinstance(cls(), ClueOverseer) for cls in OVERSEERS.values())


def test_an_overseer_of_a_game_that_is_too_small() -> None:
    record = copy.deepcopy(json_value(LINES[3]))
    record["overseer"] |= {"neglect_words": 3}
    _, told = of_value("codenames", record)
    assert all("3 bad words are too few to neglect 3 and bias 1 others" in problem for problem in told)
