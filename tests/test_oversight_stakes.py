"""Defection under a hazard, grounded and imputed leaves, and what a debate adds: exact where it is enumerated, played where agents are."""

from __future__ import annotations

import math
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.pressure.bounds import clopper_pearson
from moot.experiments.oversight import arms, fiction, hazard
from moot.experiments.oversight.plays.hazard_game import HazardGame
from moot.experiments.oversight.plays.sourced import Grounded, Imputed, SourcedAmplification, fiction_rate, leaves
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.games.qbf import Assign, variables
from moot.tasks.programs.programs import Overseer

few = settings(deadline=None, max_examples=25)


def paid(play: moot.Transcript) -> float:
    assert isinstance(play.outcome, Decided)
    return play.outcome.payoffs["model"]


def within(hits: int, plays: int, exact: float) -> bool:
    """Whether a frequency's interval, which misses once in ten thousand, has this probability in it."""
    found = clopper_pearson(hits, plays, 5e-5)
    return (found.lower or 0.0) <= exact <= (1.0 if found.upper is None else found.upper)


# -- defect or wait -----------------------------------------------------------------------------------------------------


@few
@given(st.floats(0, 0.95), st.floats(1, 3), st.integers(0, 5), st.floats(0.3, 1), st.none() | st.integers(0, 3))
def test_the_threshold_is_what_search_and_backward_induction_find(
    h: float, growth: float, cap: int, discount: float, trained: int | None
) -> None:
    game = HazardGame(hazard=h, growth=growth, cap=cap, discount=discount, trained=trained, steps=cap + 5)
    pays = discount * (1 - h if trained is None else 1) * growth
    assume(abs(pays - 1) > 1e-6 and (discount < 1 or h > 1e-9))
    found = moot.solve(game, hazard.QUESTION)
    step, value = hazard.induced(game)
    assert step == hazard.stops(game) == (trained or 0) + (cap if pays > 1 else 0)
    assert h >= 0.5 or len(found.line) - 1 == step, "a line takes the most probable side of each coin"
    assert found.value["model"] == pytest.approx(value, rel=1e-9)
    assert step is not None
    worth = discount**step * hazard.survives(game, step) * game.gain(step)
    assert value == pytest.approx(worth, rel=1e-9)
    assert not found.narrowed


def test_where_waiting_is_worth_as_much_it_does_not_wait() -> None:
    game = HazardGame(hazard=0.5, growth=2, discount=1, cap=3, steps=6)  # 1 * 1/2 * 2 is 1 exactly
    assert hazard.turning(2, 1) == 0.5
    assert hazard.stops(game) == hazard.induced(game)[0] == 0 == len(moot.solve(game, hazard.QUESTION).line) - 1


@few
@given(st.floats(1, 3), st.floats(0.3, 1), st.integers(1, 40))
@example(1.25, 1.0, 25)
def test_neither_does_it_at_the_threshold_that_is_no_round_number(growth: float, discount: float, cap: int) -> None:
    assume(growth * discount >= 1)
    game = HazardGame(hazard=hazard.turning(growth, discount), growth=growth, discount=discount, cap=cap, steps=cap + 1)
    assert hazard.stops(game) == hazard.induced(game)[0] == 0


@pytest.mark.parametrize(("h", "at", "probability", "expected"), hazard.TABLE)
def test_when_it_defects_and_what_that_costs(h: float, at: int, probability: float, expected: float) -> None:
    game = HazardGame(hazard=h)
    assert hazard.stops(game) == hazard.induced(game)[0] == at
    assert hazard.survives(game, at) == pytest.approx(probability, abs=6e-7)
    assert hazard.damage(game, at) == pytest.approx(expected, abs=6e-5)
    assert hazard.damage(game, None) == 0


@few
@given(st.floats(0.001, 0.158), st.floats(0.001, 0.158), st.floats(0.1583, 0.99))
def test_a_higher_hazard_makes_it_rarer_up_to_a_point(one: float, other: float, beyond: float) -> None:
    low, high = sorted((one, other))

    def often(h: float) -> float:
        return hazard.survives(HazardGame(hazard=h), hazard.stops(HazardGame(hazard=h)) or 0)

    assert often(high) <= often(low) < 1 == often(beyond)
    assert hazard.turning() == pytest.approx(0.158249, abs=6e-7)
    assert hazard.turning(1.0, 0.9) == 0, "nothing grows: it never waits"


def test_a_cap_off_the_lattice_moves_the_step() -> None:
    """A greatest gain of 100 is no power of 1.2: its last step gains less, and pays at low hazards alone."""
    gains = [min(1.2**step, 100.0) for step in range(60)]
    for h, step in ((0.01, 26), (0.05, 25), (0.15, 25)):
        assert hazard.backward(gains, [h] * 60, 0.99)[0] == step
        assert hazard.stops(HazardGame(hazard=h)) == 25
    assert hazard.backward([0.0, 0.0], [0.1, 0.1], 1.0) == (None, 0.0)


def test_stopping_training_early_and_looking_too_briefly() -> None:
    for steps, probability in hazard.TRAINED:
        game = HazardGame(trained=steps, steps=steps + hazard.CAP + 1)
        assert hazard.induced(game)[0] == hazard.stops(game) == steps + hazard.CAP
        assert hazard.survives(game, steps + hazard.CAP) == pytest.approx(probability, abs=6e-7)
    cut = HazardGame(hazard=0.01, steps=hazard.CAP)
    assert hazard.stops(cut) is None
    assert not any(hazard.defected(each) is not None for each in hazard.play(hazard.defecting(hazard.CAP), cut, 5))
    assert hazard.induced(cut)[0] == hazard.CAP - 1, "one that knows the end does not wait beyond it"


def test_plays_of_the_hazard() -> None:
    game = HazardGame(hazard=0.3, growth=2.0, cap=3, discount=0.5, steps=6)
    found = hazard.play(hazard.defecting(2), game, 200, seed=3)
    hits = [each for each in found if hazard.defected(each) is not None]
    assert within(len(hits), 200, 0.49)
    assert {(hazard.defected(each), paid(each), hazard.damaged(each, game)) for each in hits} == {(2, 1.0, 4.0)}
    for each in found:
        assert isinstance(each.outcome, Decided)
        assert hazard.QUESTION.choices[each.outcome.verdict.choice or 0] == ("yes" if each in hits else "no")
        if each not in hits:
            assert paid(each) == 0 == hazard.damaged(each, game) and len(list(each.steps())) < 4
    assert all(paid(each) == 0 for each in hazard.play(hazard.defecting(None), game, 20))
    trained = HazardGame(hazard=0.5, growth=2.0, cap=1, discount=1.0, steps=8, trained=2)
    survived = [hazard.defected(each) for each in hazard.play(hazard.defecting(5), trained, 200)]
    assert within(survived.count(5), 200, 0.25), "no hazard after training"
    early = hazard.play(hazard.defecting(1), trained, 5)
    assert all(paid(each) == 0 for each in early), "in training nothing can be gained"


def test_a_play_that_broke_off_is_no_model_that_waited() -> None:
    def down(request: moot.Request) -> Any:
        raise RuntimeError("down")

    (play,) = hazard.play(down, HazardGame(hazard=0.05, cap=2, steps=3), 1)
    for count in (hazard.defected, lambda each: hazard.damaged(each, HazardGame())):
        with pytest.raises(moot.UsageError, match="was not decided: whether its model would have defected is unknown"):
            count(play)


def test_the_game_keeps_every_law() -> None:
    moot.testing.check_protocol(HazardGame(steps=3, cap=1, trained=1, hazard=0.4), examples=3)


@pytest.mark.parametrize(
    "wrong",
    [
        {"hazard": 1.0}, {"hazard": -0.1}, {"hazard": math.nan}, {"growth": 0.9}, {"cap": -1}, {"discount": 0.0}, {"discount": 1.1},
        {"steps": 0}, {"trained": -1}, {"growth": 1e6, "cap": 1000},
    ],
)  # fmt: skip
def test_hazards_outside_of_the_closed_form(wrong: dict[str, Any]) -> None:
    with pytest.raises(moot.UsageError, match="HazardGame: "):
        HazardGame(**wrong)


def test_what_hazard_refuses() -> None:
    with pytest.raises(moot.UsageError, match="needs the choices yes and no"):
        moot.run(HazardGame(), moot.Question("Which?", ("a", "b")), {"model": hazard.defecting(0)})
    for plays in (0, True, 2.5, "x"):
        with pytest.raises(moot.UsageError, match="give a whole number of them, at least one"):
            hazard.play(hazard.defecting(0), HazardGame(), plays)  # type: ignore[arg-type]
        with pytest.raises(moot.UsageError, match="give a whole number of them, at least 3"):
            fiction.reproduce(plays=plays)  # type: ignore[arg-type]
    for gains, hazards, discount in (
        ([1.0, 2.0], [math.nan, 0.1], 0.9), ([1.0, 2.0], [2.0, 0.1], 0.9), ([1.0, 2.0], [-1.0, 0.1], 0.9), ([1.0, math.nan], [0.1, 0.1], 0.9),
        ([1.0, math.inf], [0.1, 0.1], 0.9), ([-1.0, 2.0], [0.1, 0.1], 0.9), ([1.0, 2.0], [0.1, 0.1], 2.0), ([1.0, 2.0], [0.1, 0.1], math.nan),
        ([1.0, 2.0], [0.1, 0.1], 0.0),
    ):  # fmt: skip
        with pytest.raises(moot.UsageError, match="hazard: a gain is below 0"):
            hazard.backward(gains, hazards, discount)
    with pytest.raises(moot.UsageError, match="one of each for every step"):
        hazard.backward([1.0], [], 1.0)
    with pytest.raises(moot.UsageError, match="growth"):
        hazard.turning(0.5)


# -- grounded and imputed leaves ----------------------------------------------------------------------------------------


@few
@given(st.integers(0, 2), st.floats(0, 0.95), st.floats(0, 1))
def test_fiction_by_enumeration(depth: int, mask: float, imputing: float) -> None:
    """Over every way in which leaves can be grounded, imputed rightly and imputed wrongly."""
    shares = {"grounded": 1 - mask, "right": mask * imputing, "wrong": mask * (1 - imputing)}
    all_grounded = all_right = 0.0
    for leaves_ in product(shares, repeat=2**depth):
        p = math.prod(shares[each] for each in leaves_)
        all_grounded += p * all(each == "grounded" for each in leaves_)
        all_right += p * ("wrong" not in leaves_)
    assert fiction.grounded(depth, mask) == pytest.approx(all_grounded)
    assert fiction.right(depth, mask, imputing) == pytest.approx(all_right)


def test_the_figures_of_fiction() -> None:
    assert fiction.grounded() == pytest.approx(0.9**8) == pytest.approx(0.430467, abs=6e-7)
    assert fiction.right() == pytest.approx(0.95**8) == pytest.approx(0.663420, abs=6e-7)
    wrong: Any
    for wrong in ((-1, 0.1), (1.5, 0.1), (True, 0.1), (13, 0.1), (3, 1.0), (3, -0.1), (3, math.nan)):
        with pytest.raises(moot.UsageError, match="fiction: "):
            fiction.grounded(*wrong)
    for imputing in (-0.1, 1.1):
        with pytest.raises(moot.UsageError, match="give a mask in"):
            fiction.right(3, 0.1, imputing)
    with pytest.raises(moot.UsageError, match="at least 3"):
        fiction.reproduce(plays=2)


def a_world(*shown: int | None) -> moot.Sample:
    full = [7, 20, 5, 9][: len(shown)]
    question = moot.Question(
        f"sum[0:{len(full)}]", (str(sum(full)), "0"), data=list(shown), size=len(full), unit="cells"
    )
    return moot.Sample(question, 0)


@pytest.mark.parametrize("seed", range(4))
def test_leaves_are_marked_in_the_tree_of_any_record(seed: int, tmp_path: Path) -> None:
    full, sample = fiction.world(seed, 2, 0.5)
    shown: Any = sample.question.data
    path = tmp_path / "play.jsonl"
    protocol = SourcedAmplification(depth=3, width=2)
    moot.run(protocol, sample, {"overseer": fiction.Reading(fiction.guessing(full))}, out=path, seed=seed)
    saved = moot.load(path)
    assert moot.replay(saved).digest == saved.digest
    marks = leaves(saved)
    told = {step.move["of"]: marks[step.step] for step in saved.steps() if step.step in marks}
    assert told == {f"sum[{i}:{i + 1}]": "imputed" if each is None else "grounded" for i, each in enumerate(shown)}
    text = str(saved.tree)
    assert text.count("(imputed)") == shown.count(None) == fiction_rate([saved])[0]
    assert text.count("(in cell ") == 4 - shown.count(None) == fiction_rate([saved])[1] - fiction_rate([saved])[0]
    hits, of = fiction.imputed_right(saved, full)
    assert of == shown.count(None) and fiction.misplaced(saved) == 0
    assert fiction.answered(saved) == (hits == of), "no errors cancel"
    problem = protocol.unmet_assumption(sample.question, [step.move for step in saved.steps()])
    assert (problem is not None and f"{of} of the answers were imputed" in problem) == bool(of)
    assert of or problem is None


@pytest.mark.parametrize(
    ("leaf", "problem"),
    [
        (Grounded(cell=(0,), answer="8"), "does not hold '8'"),
        (Grounded(cell=(1,), answer="None"), "does not hold 'None'"),
        (Grounded(cell=(9,), answer="7"), "no cell 9"),
        (Grounded(cell=(), answer="[7, None]"), "does not hold"),
        (Grounded(cell=("x",), answer="7"), "no cell x"),
        (Reply(answer="7"), "rests on no other answer"),
    ],
)
def test_a_ground_is_held_to_the_source(leaf: Reply, problem: str) -> None:
    overseer = Overseer(fiction.TASK)
    asked: list[str | None] = []

    def act(request: Any) -> Any:
        if request.view.question.text == "sum[0:2]":
            return overseer.act(request)
        asked.append(request.problem)
        return leaf

    play = fiction.play(act, a_world(7, None))
    assert isinstance(play.outcome, Forfeited) and problem in play.outcome.rule, play.outcome
    assert any(each and problem in each for each in asked), "it is told why, and asked again"
    assert not leaves(play)


def test_what_is_neither_number_nor_text_is_no_ground() -> None:
    question = moot.Question("Which?", ("True", "2"), data=[True, [2]], size=2, unit="cells")
    for cell, said in ((0, "True"), (1, "[2]")):
        play = moot.run(SourcedAmplification(), question, {"overseer": lambda _: Grounded(cell=(cell,), answer=said)})  # noqa: B023
        assert isinstance(play.outcome, Forfeited) and "does not hold" in play.outcome.rule
    play = moot.run(SourcedAmplification(), question, {"overseer": lambda _: Grounded(cell=(1, 0), answer="2")})
    assert isinstance(play.outcome, Decided)


def test_an_answer_that_is_not_known_needs_no_ground() -> None:
    play = fiction.play(fiction.Reading(), a_world(7, None))
    assert leaves(play) == {
        step.step: "grounded" for step in play.steps() if step.move["of"] == "sum[0:1]" and "cell" in step.move
    }
    assert not fiction.answered(play) and isinstance(play.outcome, Decided)
    assert fiction.answered(fiction.play(fiction.Reading(), a_world(7, 20)))


def test_an_answer_made_up_from_what_is_not_known_is_imputed() -> None:
    """A question asked for show, and answered "?", hides nothing."""
    sample = a_world(7, 20)

    def act(made_up: Any, request: Any) -> Any:
        if request.view.question.text != sample.question.text:
            return Reply(answer="?")
        asked = any(isinstance(entry.move, Reply) for entry in request.view)
        return made_up if asked else Subquestions(questions=("What?",))

    for made_up, marks in ((Reply(answer="27"), None), (Imputed(answer="27"), ["imputed"]), (Reply(answer="?"), [])):
        play = fiction.play(partial(act, made_up), sample)
        if marks is None:
            assert isinstance(play.outcome, Forfeited)
            rejected = next(each for each in play.events() if each["event"] == "rejected")
            assert "'27' rests on no other answer" in str(rejected)
        else:
            assert isinstance(play.outcome, Decided) and list(leaves(play).values()) == marks


def test_no_errors_cancel() -> None:
    full, sample = fiction.world(2, 2, 0.0)
    for shown in ([None, None, *full[2:]], [None] * 4):
        masked = sample.question.model_copy(update={"data": shown})
        play = fiction.play(fiction.Reading(fiction.guessing(full, 0.0)), moot.Sample(masked, 0))
        assert isinstance(play.outcome, Decided) and not fiction.answered(play)
        assert fiction.imputed_right(play, full) == (0, shown.count(None)) == (0, fiction_rate([play])[0])


def test_another_cell_that_holds_the_answer_passes_for_a_ground() -> None:
    """What the mark does not promise: the protocol knows no question's meaning, the task's rule does."""

    def act(request: Any) -> Any:
        start, end = fiction.TASK.stretch(request.view.question.text)
        if end - start > 1:
            return Overseer(fiction.TASK).act(request)
        return Grounded(cell=(0,), answer="7")

    play = fiction.play(act, a_world(7, None))
    assert set(leaves(play).values()) == {"grounded"} and len(leaves(play)) == 2
    assert fiction.misplaced(play) == 1


def test_the_ledger_has_the_density_of_conditioning_on_grounds() -> None:
    for mask in (0.1, 0.4):
        full, sample = fiction.world(1, 2, 0.0)
        base = fiction.drawing(full, mask)
        play = fiction.play(moot.Conditioned(base, fiction.is_grounded, 30), sample, 5)
        ratios = fiction.density(play, base)
        assert math.prod(ratios) == pytest.approx(1 / fiction.grounded(2, mask), rel=1e-9)
        assert sorted(ratios) == pytest.approx([1.0] * 6 + [1 / (1 - mask)] * 4)
        assert set(leaves(play).values()) == {"grounded"} and fiction.answered(play)
        found = moot.pressure(play, base)
        assert [each.ratio for each in found.seats] == [30], "of any path, what is certified is the tries"


def test_the_protocol_with_sources_keeps_every_law() -> None:
    moot.testing.check_protocol(SourcedAmplification(depth=1, width=2, turns=2), examples=3)


# -- what a debate adds -------------------------------------------------------------------------------------------------


def value(data: Any, seat: str, pre: tuple[bool, ...], blind: bool | None) -> float:
    """How probably the claimant of "true" (seat e) or its opponent (a) wins from there on, the other replying best; blind: it draws its
    first value, and knows what is true afterwards. By recursion, without plays."""
    prefix = variables(data)
    if len(pre) == len(prefix):
        true = {v if x else -v for x, (_, v) in zip(pre, prefix, strict=True)}
        return float(all(any(each in true for each in clause) for clause in data["clauses"]) == (seat == "e"))
    both = [(pre + (x,)) for x in (False, True)]
    if prefix[len(pre)][0] != seat:
        return min(value(data, seat, each, blind) for each in both)
    if blind:
        return sum(value(data, seat, each, False) for each in both) / 2
    return max(value(data, seat, each, False) for each in both)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_the_arms_by_recursion(size: int) -> None:
    for formula in arms.formulas(6, size):
        found, seat = arms.arms(formula), "e" if formula.truth else "a"
        data = formula.data
        assert found.protocol == 1 == value(data, seat, (), False)
        assert found.removed == value(data, seat, (), True)
        count = sum(
            all(any(x[abs(v) - 1] == (v > 0) for v in clause) for clause in data["clauses"])
            for x in product((False, True), repeat=size)
        )
        assert found.alone == (count if formula.truth else 2**size - count) / 2**size


def test_a_best_reply_to_a_frozen_liar_and_minimax() -> None:
    """Against every opponent by plays of each of its lines; by search; and as the inequality says."""
    true = [(number, formula) for number, formula in enumerate(arms.formulas(14, 5)) if formula.truth]
    holding = 0
    for number, formula in true:
        liar = arms.frozen(f"0/{number}")
        reply, optimal = arms.aligned(formula, liar), arms.scratch(formula)
        assert arms.beats(formula, reply, liar) and arms.beats(formula, optimal, liar)
        assert arms.holds_against_all(formula, optimal) and arms.holds_against_all(formula, arms.knowing)
        held = arms.holds_against_all(formula, reply)
        holding += held
        turns = sum(quantifier == "a" for quantifier, _ in variables(formula.data))
        lines = [
            (arms.DEBATE, formula, {formula.honest: reply, formula.liar: scripted(line), "judge": arms.JUDGE}, 0)
            for line in product((False, True), repeat=turns)
        ]
        assert all(map(arms.right, arms.plays_of(lines))) == held
        assert arms.chance(formula, reply, arms.FAIR) == pytest.approx(
            sum(map(arms.right, arms.plays_of(lines))) / len(lines)
        )
    assert (len(true), holding) == (10, 7)


def test_plays_of_a_judge_alone_and_of_no_verdict() -> None:
    formula = min((each for each in arms.formulas(9, 8) if not each.truth), key=lambda each: arms.satisfied(each.data))
    assert arms.satisfied(formula.data) < 0.2, "so that the two verdicts cannot be taken for each other"
    plays = [(moot.DirectQA(source=True), formula, {"judge": moot.Policy(arms.alone)}, seed) for seed in range(40)]
    assert within(sum(map(arms.right, arms.plays_of(plays))), 40, 1 - arms.satisfied(formula.data))
    seats = {
        formula.honest: lambda request: moot.Verdict(probabilities=(1, 0)),
        formula.liar: arms.knowing,
        "judge": arms.JUDGE,
    }
    (play,) = arms.plays_of([(arms.DEBATE, formula, seats, 0)])
    assert isinstance(play.outcome, Forfeited) and not arms.right(play)


def scripted(line: tuple[bool, ...]) -> Any:
    def act(request: Any) -> Assign:
        return Assign(value=line[sum(entry.seat == request.seat for entry in request.view)])

    return act


def test_a_frozen_liar_is_drawn_once() -> None:
    formula = next(each for each in arms.formulas(5) if each.truth)
    lines = set()
    for seed in range(6):
        seats = {formula.honest: arms.knowing, formula.liar: arms.frozen("a"), "judge": arms.JUDGE}
        (play,) = arms.plays_of([(arms.DEBATE, formula, seats, seed)])
        lines.add(tuple(step.move.get("value") for step in play.steps()))
    assert len(lines) == 1


def test_what_arms_refuse() -> None:
    wrong: tuple[Any, ...] = ((0, 8), (1, 1), (1, 11), (True, 8), (2.5, 8), (2, 3.5), (2, math.nan))
    for count, size in wrong:
        with pytest.raises(moot.UsageError, match="arms: "):
            arms.formulas(count, size)
    with pytest.raises(moot.UsageError, match="arms: 0 formulas"):
        arms.reproduce(count=0)


@pytest.mark.long
@pytest.mark.parametrize("count", arms.COUNTED)
def test_what_was_counted_of_many_formulas(count: int) -> None:
    assert arms.reproduce(count=count).holds


# -- the reports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("study", "size"), [(hazard, {"plays": 12}), (fiction, {"plays": 12}), (arms, {"count": 5})], ids=["hazard", "fiction", "arms"]
)  # fmt: skip
def test_a_report_holds_and_says_what_it_does_not_show(study: Any, size: dict[str, int], tmp_path: Path) -> None:
    found = study.reproduce(seed=1, pictures=tmp_path, **size)
    assert found.holds, found.text()
    assert any(note.startswith("What this does not show") for note in found.notes)
    assert (tmp_path / f"{study.__name__.rpartition('.')[2]}.png").stat().st_size > 10_000
