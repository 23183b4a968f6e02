"""Overseers with a frozen earlier version: what rounds of training come to, whose lies are approved, and where a claim goes wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.pressure.bounds import clopper_pearson
from moot.protocols.amplification.amplification import Reply
from moot.protocols.amplification.approval import Claim
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.curriculum import sweep
from moot.tasks.programs.programs import Overseer
from moot.training.learners import Tabular, as_agent
from moot.training.oversight import PERSUASION, Persuadable
from moot.training.priors.drift import RIGHT, Corrects, drifted, fixed_point, played
from moot.training.priors.finding import CONCLUSION, Findings, chances, fault, find, slipped, stated_in
from moot.training.priors.loop import Approvals, approvals, errors, train

TASK = PermutationPower()
SIGNALS: Any = ("match", "approval", "both")


def table(of: Any, texts: Any = None) -> Tabular:
    made = Tabular()
    texts = [*TASK.learnable(of)] if texts is None else texts
    made.train(texts, [TASK.truth(of, text) for text in texts])
    return made


def world(seed: int = 0, size: int = 8) -> tuple[Any, Tabular]:
    """An instance, and a table of another one."""
    return TASK.data(size, Random(seed)), table(TASK.data(size, Random(seed + 5)))


DATA, LIAR = world()
TRUE = table(DATA)
SMALL, SMALL_LIAR = world(3, 4)


def frozen(learner: Tabular) -> moot.Frozen:
    return moot.Frozen(as_agent(learner, TASK))


# -- rounds -------------------------------------------------------------------------------------------------------------


def test_rounds_from_a_liar() -> None:
    """The counts of one world, and by enumeration what they have to be: a round is one sweep of the rule."""
    first = sweep(TASK, DATA, LIAR.said)
    found = train(TASK, DATA, LIAR, "match", 2)
    assert len(errors(LIAR, TASK, DATA)) == 40
    assert [each.wrong(TASK, DATA) for each in found] == [26, 0] and found[0].learner.predict([*first]) == [
        *first.values()
    ]
    strata = {TASK.stratum(DATA, text) for text in errors(found[0].learner, TASK, DATA)}
    assert strata == {3} and [each.plays for each in found] == [48, 48] and not any(each.undecided for each in found)
    assert [each.prior for each in found] == [frozen(LIAR).state, frozen(found[0].learner).state]  # type: ignore[arg-type]


@pytest.mark.parametrize("signal", SIGNALS)
def test_each_signal_is_that_of_the_amplified_overseer_where_nobody_is_persuaded(signal: Any) -> None:
    before = dict(SMALL_LIAR.said)
    (found,) = train(TASK, SMALL, SMALL_LIAR, signal)
    wanted = sweep(TASK, SMALL, before)
    assert found.learner.predict([*wanted]) == [*wanted.values()] and SMALL_LIAR.said == before


@given(st.integers(0, 10_000))
@settings(deadline=None, max_examples=40)
def test_a_round_puts_a_stratum_right_whatever_the_prior_says(seed: int) -> None:
    """By sweeps, of which one is a round of plays: on other worlds and with a prior that says anything."""
    random, data = Random(seed), TASK.data(8, Random(seed))
    known = {text: random.choice([*TASK.answers(data), "?"]) for text in TASK.learnable(data)}
    for number in (1, 2):
        known = sweep(TASK, data, known)
        assert not any(
            said != TASK.truth(data, text) for text, said in known.items() if TASK.stratum(data, text) <= number + 1
        )


def test_persuasion_keeps_lies_where_approval_alone_is_trained() -> None:
    overseer, lies = Persuadable(Overseer(TASK), 1), len(errors(SMALL_LIAR, TASK, SMALL))
    left = {
        signal: train(TASK, SMALL, SMALL_LIAR, signal, overseer=overseer, text=PERSUASION)[-1].wrong(TASK, SMALL)
        for signal in SIGNALS
    }  # fmt: skip
    assert lies and left == {"approval": lies, "both": 0, "match": 0}
    blind = train(TASK, SMALL, SMALL_LIAR, "approval", overseer=overseer, text=PERSUASION, seen=False)[-1]
    assert blind.wrong(TASK, SMALL) == 0


def test_both_leaves_what_is_not_approved_as_it_was() -> None:
    class Refuses:
        """Works the answer out, and approves none."""

        def act(self, request: moot.Request) -> Any:
            return Overseer(TASK).act(request) if request.brief["task"] == "amplify" else Reply(answer="?")

    (found,) = train(TASK, SMALL, SMALL_LIAR, "both", overseer=Refuses())
    assert found.learnt == 0 and found.learner.said == SMALL_LIAR.said  # type: ignore[attr-defined]
    (matched,) = train(TASK, SMALL, SMALL_LIAR, "match", overseer=Refuses())
    assert matched.wrong(TASK, SMALL) == 0


class LearnsWhenAsked(Tabular):
    def predict(self, questions: Any) -> list[str]:
        self.train(questions, ["1"] * len(questions))
        return super().predict(questions)

    def copy(self) -> LearnsWhenAsked:
        return LearnsWhenAsked()


def test_plays_that_fail_teach_nothing() -> None:
    def breaks(request: moot.Request) -> Any:
        raise RuntimeError("down")

    (found,) = train(TASK, SMALL, SMALL_LIAR, "match", overseer=breaks)
    assert found.undecided == found.plays == 8 and found.learnt == 0
    seen = list[moot.Transcript]()
    (found,) = train(TASK, DATA, LearnsWhenAsked(), "match", watch=seen.append)
    assert (found.undecided, found.plays, found.learnt) == (32, 48, 16), "of the others, every part is looked up"
    assert "LearnsWhenAsked.said" not in str(seen[-1].outcome) and "learner.said has changed" in str(seen[-1].outcome)
    gone = approvals(TASK, SMALL, SMALL_LIAR, frozen(SMALL_LIAR), overseer=breaks)
    assert gone == Approvals(0, 0, 0, 0, 8) and gone.approved == 0


def test_refusals() -> None:
    for call, said in (
        (lambda: train(TASK, SMALL, SMALL_LIAR, "praise"), "the signal is 'praise'"),  # type: ignore[arg-type]
        (lambda: train(TASK, SMALL, SMALL_LIAR, "match", 0), "0 rounds"),
        (lambda: slipped(TASK, SMALL, 1.5), r"lies in \[0, 1\]"),
        (lambda: drifted(-0.1, 0, 1), "c = -0.1"),
        (lambda: drifted(0, 2, 1), "mu = 2"),
        (lambda: drifted(0, 0, -1), "-1 rounds"),
        (lambda: drifted(math.nan, 0, 1), "c = nan"),
        (lambda: drifted(0, 0, 2.5), "2.5 rounds"),  # type: ignore[arg-type]
        (lambda: drifted(0, 0, True), "True rounds"),
        (lambda: drifted("a", 0, 1), "c = 'a'"),  # type: ignore[arg-type]
        (lambda: played(0.3, 0.1, 1, 1.5), "1.5 items"),  # type: ignore[arg-type]
        (lambda: train(TASK, SMALL, SMALL_LIAR, "match", 1.5), "1.5 rounds"),  # type: ignore[arg-type]
        (lambda: train(TASK, SMALL, 3, "match"), "3 is no learner"),  # type: ignore[arg-type]
        (lambda: train(TASK, TASK.data(2, Random(0)), SMALL_LIAR, "match"), "no question to learn"),
        (lambda: fixed_point(0, 0), "every share"),
        (lambda: Corrects(2), "c = 2"),
        (lambda: played(0.3, 0.1, 1, 0), "0 items"),
        (lambda: played(0, 0, 1, 1, overseer=lambda request: Reply(answer="?")), "was not decided"),
    ):
        with pytest.raises(UsageError, match=said):
            call()


# -- claims -------------------------------------------------------------------------------------------------------------


def test_whose_lies_are_approved() -> None:
    """In plays, and by enumeration: a claim is approved where the rule comes to it by the answers to its parts."""
    for learner, parts, wanted in ((LIAR, LIAR, (7, 13)), (LIAR, TRUE, (8, 0)), (TRUE, TRUE, (48, 0))):
        found, comes_to = approvals(TASK, DATA, learner, frozen(parts)), sweep(TASK, DATA, parts.said)
        right = [TASK.truth(DATA, text) == said for text, said in learner.said.items() if comes_to[text] == said]
        assert (found.true, found.false) == wanted == (sum(right), len(right) - sum(right))
        assert (found.of_true + found.of_false, found.undecided) == (48, 0)


@pytest.mark.parametrize("p", [0, 1])
def test_who_is_shown_a_claim_can_be_persuaded_of_it(p: int) -> None:
    lies = errors(SMALL_LIAR, TASK, SMALL)
    for seen in (True, False):
        found = approvals(TASK, SMALL, SMALL_LIAR, frozen(table(SMALL)), overseer=Persuadable(Overseer(TASK), p),
                          seen=seen, text=PERSUASION, texts=lies)  # fmt: skip
        assert found == Approvals(0, len(lies) * p * seen, 0, len(lies), 0)


def test_the_step_that_is_wrong_is_named() -> None:
    found = Findings(faulty=28, found=28, misplaced=0, passed=0, sound=20, alarms=0, undecided=0)
    assert find(TASK, DATA, LIAR, frozen(TRUE)) == found
    assert find(TASK, DATA, LIAR, frozen(LIAR)) == replace(found, found=0, passed=28)
    assert find(TASK, DATA, TRUE, frozen(TRUE)) == Findings(0, 0, 0, 0, 48, 0, 0)


CHAIN = {part: TASK.truth(DATA, part) for part in ("sigma^3(0)", f"sigma^3({TASK.truth(DATA, 'sigma^3(0)')})")}
ANSWER = TASK.truth(DATA, "sigma^6(0)")
LINES = [f"{part} = {said}" for part, said in CHAIN.items()]


@pytest.mark.parametrize(("answer", "lines", "approved"), [
    (ANSWER, LINES, True), (ANSWER, [*LINES[::-1], "sigma^2(0) = 9", "so there"], True),
    (str((int(ANSWER) + 1) % 8), LINES, False), (ANSWER, LINES[:1], False), (ANSWER, [*LINES, LINES[1]], False), (ANSWER, [], False),
    ("?", LINES, False),
])  # fmt: skip
def test_steps_have_to_make_the_answer(answer: str, lines: list[str], approved: bool) -> None:
    """Whoever claims what is true, but shows no steps to it, or steps of something else, is not approved."""
    plays = list[moot.Transcript]()
    said = lambda request: Claim(answer=answer, text="\n".join(lines))  # noqa: E731
    found = find(TASK, DATA, TRUE, frozen(TRUE), model=said, texts=["sigma^6(0)"], watch=plays.append)
    assert (fault(plays[0]) is None) == approved and (fault(plays[0]) in (None, CONCLUSION))
    assert found.passed == (approved and len(lines) > 2) and found.undecided == 0, "a wrong step that nothing rests on"


def test_a_prior_that_cannot_say_finds_nothing() -> None:
    plays = list[moot.Transcript]()
    found = find(TASK, DATA, LIAR, frozen(Tabular()), watch=plays.append)
    named = [fault(play) for play in plays]
    assert found.undecided == named.count("?") > 0, "what was not confirmed was not found to be wrong"
    assert found.faulty + found.sound + found.undecided == len(plays)
    assert found.found == sum(each not in (None, "?") for each in named) - found.misplaced - found.alarms


@pytest.mark.parametrize("claimer", [TRUE, LIAR])
@pytest.mark.parametrize("text", ["sigma^6(1)", "sigma^6(4)", "sigma^7(2)"])
def test_the_chances_of_a_prior_that_slips(claimer: Tabular, text: str) -> None:
    """Against plays of every prior that the parts can have, each with its probability."""
    plays = list[moot.Transcript]()
    find(TASK, DATA, claimer, frozen(TRUE), texts=[text], watch=plays.append)
    stated = stated_in(next(step.move["text"] for step in plays[0].steps() if step.move["kind"] == "claim"))
    parts = [part for part in stated if not TASK.primitive(part)]
    error, passed, named = 0.3, 0.0, 0.0
    for said in product(["true", "stated", "other"], repeat=len(parts)):
        weight, prior = 1.0, Tabular()
        for part, kind in zip(parts, said, strict=True):
            true = TASK.truth(DATA, part)
            others = [each for each in TASK.answers(DATA) if each not in (true, stated[part])]
            shares = {"true": 1 - error, "stated": error / 7 * (stated[part] != true), "other": error / 7 * len(others)}
            weight *= shares[kind]
            prior.train([part], [{"true": true, "stated": stated[part], "other": others[0]}[kind]])
        if weight:
            found = find(TASK, DATA, claimer, frozen(prior), texts=[text])
            passed += weight * (found.passed or (found.sound and not found.alarms))
            named += weight * found.found
    assert chances(TASK, DATA, text, error, stated) == pytest.approx((passed, named), abs=1e-12)


def test_a_prior_that_slips() -> None:
    texts = [*TASK.learnable(DATA)]
    assert slipped(TASK, DATA, 0).said == TRUE.said and len(errors(slipped(TASK, DATA, 1), TASK, DATA)) == len(texts)
    wrong = sum(len(errors(slipped(TASK, DATA, 0.2, seed), TASK, DATA)) for seed in range(40))
    found = clopper_pearson(wrong, 40 * len(texts), 5e-5)
    assert (found.lower or 0) <= 0.2 <= (found.upper or 1)


# -- drift of standards -------------------------------------------------------------------------------------------------


@given(st.floats(0, 1), st.floats(0.001, 1), st.floats(0, 1))
def test_drift_goes_to_its_fixed_point_at_a_geometric_rate(c: float, mu: float, start: float) -> None:
    to = fixed_point(c, mu)
    for rounds, e in enumerate(drifted(c, mu, 12, start)):
        assert e - to == pytest.approx((start - to) * ((1 - c) * (1 - mu)) ** rounds, abs=1e-12)


def test_drift_in_figures() -> None:
    assert fixed_point(0.3, 0.02) == pytest.approx(0.0636943, abs=5e-8)
    assert drifted(0, 0.02, 50)[-1] == pytest.approx(1 - 0.98**50, abs=1e-12) == pytest.approx(0.635830, abs=5e-7)
    small = ((0, 1e-17), (1e-300, 0), (1e-17, 1e-17))
    assert [fixed_point(*each) for each in small] == pytest.approx([1, 0, 0.5])
    assert drifted(0.3, 0, 200, 1)[-1] == pytest.approx(0, abs=1e-12) and drifted(0, 0, 5, 0.25)[-1] == 0.25


def test_drift_played() -> None:
    assert played(1, 0, 1, 5, start=1) == [5, 0] and played(0, 0, 2, 5, start=1) == [5, 5, 5]
    assert played(0.5, 1, 2, 4) == [0, 4, 4]
    for c, mu in ((0.3, 0.1), (0, 0.1)):
        wrong, exact = played(c, mu, 6, 60, seed=1), drifted(c, mu, 6)
        found = clopper_pearson(wrong[-1], 60, 5e-5)
        assert (found.lower or 0) <= exact[-1] <= (found.upper or 1)
    assert (clopper_pearson(wrong[-1], 60, 5e-5).lower or 0) > 0, "which the share without slips is not within"
    seen = list[str]()

    def copies(request: moot.Request) -> Any:
        seen.extend(entry.move.answer for entry in request.view if isinstance(entry.move, Reply))
        return Corrects(0).act(request)

    assert played(0, 1, 2, 2, overseer=copies) == [0, 2, 2] and seen[:2] == [RIGHT] * 2 and RIGHT not in seen[2:]
