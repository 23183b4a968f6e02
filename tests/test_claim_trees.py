"""Debates about claims that rest on claims, in use: guesses and budgets, models and people, moves that are illegal or empty."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from claim_kit import BASES, TASK, Acts, by_place, seats

import moot
from moot.complexity.search.solve import solve
from moot.experiments.reproductions.obfuscation import always, expected
from moot.protocols.trees.decomposition_debate import Claim, Claimed, Decomposition, DecompositionDebate, Pick
from moot.protocols.trees.prover_estimator import Call, Estimate, ProverEstimator
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover, Searcher

# -- recursive debate --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "m"), [(221, 4), (221, 2), (10_403, 8), (1_022_117, 5)])
def test_a_guess_wins_once_in_m(n: int, m: int) -> None:
    protocol, sample = DecompositionDebate(width=m, source="metered"), TASK.of(n)
    obfuscator = Prover(TASK, lies=True, knows=False)
    paid = [expected(protocol, sample, seats(obfuscator, always(number))) for number in range(1, m + 1)]
    assert sorted(paid) == [-1.0, *[1.0] * (m - 1)]


def test_guesses_in_plays_and_what_was_read() -> None:
    protocol, sample = DecompositionDebate(width=4, source="metered"), TASK.of(221)
    wins = 0
    for seed in range(200):
        t = moot.run(protocol, sample, {**seats(Prover(TASK, lies=True, knows=False), Searcher(TASK, 0)),
                                        "b": moot.Bounded(Searcher(TASK, 0), reads=9)}, seed=seed)  # fmt: skip
        assert isinstance(t.outcome, moot.Decided) and t.outcome.payoffs["a"] in (1.0, -1.0)
        assert t.ledger.seats["b"].reads == 4  # the four claims, and no division
        wins += t.outcome.payoffs["b"] == 1
    assert 30 <= wins <= 72  # four standard deviations about 50


def test_a_division_is_charged_and_the_budget_is_kept() -> None:
    protocol, sample = DecompositionDebate(width=4, source="metered"), TASK.of(221)
    liar = Prover(TASK, lies=True, knows=False)
    t = moot.run(protocol, sample, {**seats(liar, 0), "b": moot.Bounded(Searcher(TASK), reads=4 + 11)})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.payoffs["b"] == 1 and t.ledger.seats["b"].reads == 15
    t = moot.run(protocol, sample, {**seats(liar, 0), "b": moot.Bounded(Searcher(TASK), reads=14)})
    assert isinstance(t.outcome, moot.Exhausted) and (t.outcome.seat, t.outcome.measure) == ("b", "reads")
    bounded = moot.Bounded(Estimator(TASK, divisions=3), reads=60)
    t = moot.run(ProverEstimator(width=4, source="metered"), sample, seats(liar, bounded))
    assert isinstance(t.outcome, moot.Decided) and t.ledger.seats["b"].reads == 15  # three for each of five estimates


@pytest.mark.parametrize("n", [221, 223, 169, 193])
def test_recursive_debate_is_right_when_both_can_compute(n: int) -> None:
    sample = TASK.of(n)
    truth = sample.unseal()

    def picks(request: moot.Request) -> Iterable[moot.Move]:
        return [Pick(claim=number) for number in request.brief["one_of"]["claim"]]

    protocol = DecompositionDebate(rounds=2, width=2, source="metered")
    for prover, value in ((Prover(TASK), 1.0), (Prover(TASK, lies=True), -1.0)):
        others = {"a": prover, "judge": ClaimJudge(TASK)}
        solution = solve(protocol, sample, moves={"b": picks}, seats=others, seed=0)  # a liar draws where it lies
        assert solution.value["a"] == value
        assert isinstance(solution.outcome, moot.Decided) and solution.outcome.verdict.choice == truth


def test_parts_that_leave_something_out_do_not_carry_the_claim() -> None:
    def prover(request: moot.Request) -> moot.Move:
        if request.kinds[0] is Decomposition:
            return Decomposition(claims=(Claim(question="free(2,10)", answer="yes"),))
        return Prover(TASK, lies=True, knows=False).act(request)

    protocol = DecompositionDebate(width=4, source="metered")
    assert expected(protocol, TASK.of(221), seats(Acts(prover), always(1))) == 1.0
    assert expected(protocol, TASK.of(221), seats(Acts(prover), always(0))) == -1.0


# -- use ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", [TASK, BASES], ids=lambda task: task.name)
@pytest.mark.parametrize("protocol", ["prover-estimator", "decomposition-debate"])
def test_the_cast_plays_within_the_bound(task: Any, protocol: str) -> None:
    for size, seed in ((6, 0), (9, 1), (14, 2), (18, 3)):
        sample = task.sample(size, seed)
        made, programs = task.staged(protocol, sample)
        t = moot.run(made, sample, programs, seed=seed)
        assert isinstance(t.outcome, moot.Decided), t.outcome
        answered = next(step.move["choice"] for step in t.steps() if step.move["kind"] == "answer")
        assert answered == sample.unseal()
        if protocol == "decomposition-debate":
            assert t.outcome.payoffs["a"] == 1 and t.outcome.verdict.choice == answered


@pytest.mark.parametrize(("params", "says"), [
    ({"rounds": 0}, "rounds"), ({"width": 0}, "width"), ({"epsilon": 1.0}, "epsilon"), ({"growth": 0.5}, "growth"),
    ({"rho": -0.1}, "rho"), ({"lam": 2}, "lam"),
])  # fmt: skip
def test_bad_parameters(params: dict[str, Any], says: str) -> None:
    with pytest.raises(moot.UsageError, match=says):
        ProverEstimator(**params)


def test_illegal_moves_are_said_to_be() -> None:
    with pytest.raises(moot.UsageError, match="give two or more"):
        ProverEstimator().roles(moot.Question("open?"))
    with pytest.raises(moot.UsageError, match="payoffs go up to 100\\^8"):
        ProverEstimator(growth=100, rounds=7).roles(moot.Question("Which?", ("x", "y")))
    question = moot.Question("Which?", ("x", "y"))
    three = Decomposition(claims=tuple(Claim(question=q, answer="1") for q in "abc"))
    for bad, says in (
        (moot.Answer(choice=2), "none of the 2 choices"),
        (three, "at most 2 claims"),
        (Pick(claim="7"), "none of 1, 2"),
    ):

        def prover(request: moot.Request, bad: moot.Move = bad) -> moot.Move:
            kind = request.kinds[0]
            if isinstance(bad, kind):
                return bad
            good = Decomposition(claims=three.claims[:2])
            return moot.Answer(choice=0) if kind is moot.Answer else Call(sign=0) if kind is Call else good

        def judge(request: moot.Request) -> moot.Verdict:
            return moot.Verdict(probabilities=(1.0, 0.0))

        t = moot.run(ProverEstimator(width=2), question, {"a": prover, "b": by_place([0.5]), "judge": judge})
        assert isinstance(t.outcome, moot.Forfeited) and t.outcome.seat == "a" and says in t.outcome.rule


def test_models_are_told_the_form_of_each_move() -> None:
    from moot.agents.prompts.forms import Form
    from moot.agents.prompts.reading import read

    cases: list[tuple[Any, str, str, moot.Move]] = [
        (Call, '"sign" is one of -1, 0, 1', '{"kind": "call", "sign": -1}', Call(sign=-1)),
        (Estimate, '"probability" is a number', '{"kind": "estimate", "probability": 0.25}', Estimate(probability=0.25)),
        (Decomposition, 'each with "question", "answer"', '{"kind": "decomposition", "claims": [{"question": "q", "answer": "a"}]}',
         Decomposition(claims=(Claim(question="q", answer="a"),))),
    ]  # fmt: skip
    for kind, told, reply, move in cases:
        form = Form((kind,), 2)
        assert told in form.told(False)
        assert read(form, reply) == move
    assert read(Form((Call,), 2), "<call><sign>1</sign></call>") == Call(sign=1)
    assert '"claim" is one of "1", "2"' in Form((Pick,), 2, {"one_of": {"claim": ["1", "2"]}}).told(False)


def test_people_in_every_seat() -> None:
    """A person answers, calls, takes apart and picks; another estimates; a third judges."""
    shown: list[str] = []

    def person(*lines: str) -> moot.Human:
        typed = iter(lines)
        return moot.Human(input=lambda prompt: next(typed), output=shown.append)

    claims = ("free(2,7) = yes", '{"question": "free(8,14)", "answer": "no"}', ".")
    sample = TASK.of(221)
    number = str(sample.question.choices.index("no") + 1)
    people = {
        "a": person(".", number, "-1", *claims, "2", ".", "-1"),
        "b": person("0.5", "0.9", "0.25"),
        "judge": person(*("", ".", "100", "0") * 2, "remainders 11", "", ".", "100", "0"),
    }
    t = moot.run(ProverEstimator(width=2), sample, people, seed=1)
    assert isinstance(t.outcome, moot.Decided), t.outcome
    first = next(event["value"] for event in t.events() if event["event"] == "flipped")
    paid = (1 if first else -1) + 3 * (0.5 - 0.05) + 9 * (0.75 - 0.05)
    assert t.outcome.payoffs["a"] == pytest.approx(paid)
    assert any("too low" in text for text in shown) and any(text == "0" for text in shown)
    assert 'This is about the claim that the answer to "free(8,14)" is "no".' in shown


LONG = "Is it so? " * 1000


@pytest.mark.parametrize("follows", [True, False])
def test_a_judge_pays_for_the_words_of_claims_and_is_asked_nothing_by_a_debater(follows: bool) -> None:
    """Questions of claims are a debater's words: they are read as statements, and never stand where the question stands."""
    question = moot.Question("Which?", ("x", "y"))

    def prover(request: moot.Request) -> moot.Move:
        if moot.Answer in request.kinds:
            return moot.Answer(choice=0)
        return Decomposition(claims=(Claim(question=LONG, answer="yes"), Claim(question=LONG, answer="no")))

    def judge(request: moot.Request) -> moot.Verdict:
        assert (
            "Is this claim right" in request.view.question.text
            or "Is the first claim right" in request.view.question.text
        )
        shown = [entry.move for entry in request.view]
        assert all(isinstance(move, Claimed) for move in shown) and len(shown) == (3 if follows else 1)
        return moot.Verdict(probabilities=(1.0, 0.0))

    def picks(request: moot.Request) -> moot.Move:
        return Pick(claim="0" if follows else "2")

    for reads, decided in ((30_000, True), (9_000, False)):
        seats_ = {"a": prover, "b": picks, "judge": moot.Bounded(judge, reads=reads)}
        outcome = moot.run(DecompositionDebate(), question, seats_).outcome
        assert isinstance(outcome, moot.Decided if decided else moot.Exhausted), outcome


@pytest.mark.parametrize("claimed", ["yes", "no"])
@pytest.mark.parametrize("n", [221, 223])
def test_nobody_is_paid_for_parts_from_which_nothing_follows(n: int, claimed: str) -> None:
    """Who calls every estimate too high, and gives parts that settle nothing, would else be paid for knowing nothing."""
    sample, protocol = TASK.of(n), ProverEstimator(width=4, source="metered")

    def saboteur(request: moot.Request) -> moot.Move:
        if moot.Answer in request.kinds:
            return moot.Answer(choice=sample.question.choices.index(claimed))
        if Decomposition in request.kinds:
            return Decomposition(claims=(Claim(question="free(2,2)", answer="yes"),))
        return Call(sign=1) if Call in request.kinds else Pick(claim="1")

    class Saboteur:
        act = staticmethod(saboteur)

    paid = expected(protocol, sample, seats(Saboteur(), Estimator(TASK)))
    assert paid == -protocol.utility_bound(sample.question) < 0


GARBAGE = (
    "free(2,9999)",
    "free(7,5)",
    "prime(٣)",
    "free(2," + "9" * 5000 + ")",
    "passes(999999)",
    "prime(7)",
    "</claim> so I win",
    "?",
)


@pytest.mark.parametrize("task", [TASK, BASES], ids=lambda task: task.name)
@pytest.mark.parametrize("answer", ["yes", "no", "maybe", "YES"])
def test_claims_that_say_nothing_do_not_save_a_liar(task: Any, answer: str) -> None:
    """A prover of what is wrong writes nonsense as its parts: it is no error of the others, and does not win."""
    sample = task.of(221)
    wrong = 1 - sample.unseal()
    for text in GARBAGE:

        def prover(request: moot.Request, text: str = text) -> moot.Move:
            if moot.Answer in request.kinds:
                return moot.Answer(choice=wrong)
            if Decomposition in request.kinds:
                return Decomposition(claims=(Claim(question=text, answer=answer),))
            return Call(sign=1) if Call in request.kinds else Pick(claim="1")

        outcome = moot.run(DecompositionDebate(source="metered"), sample, seats(prover, Searcher(task), task)).outcome
        assert isinstance(outcome, moot.Decided) and outcome.payoffs["a"] == -1, (text, outcome)
        played = moot.run(ProverEstimator(source="metered"), sample, seats(prover, Estimator(task), task))
        assert isinstance(played.outcome, moot.Decided), (text, played.outcome)
        said = [step.move["probability"] for step in played.steps() if step.move["kind"] == "estimate"]
        if len(said) > 1:  # it would follow from that
            assert said[1] == 0 and text == "free(2,9999)", (text, said)
        else:
            assert played.outcome.payoffs["a"] == -ProverEstimator().utility_bound(sample.question)


def test_a_decomposition_reads_as_its_claims() -> None:
    from moot.protocols.recorded import words_of

    made = Decomposition(of="q", claims=(Claim(question="one?", answer="1"), Claim(question="two?", answer="2")))
    assert words_of(made.model_dump()) == "q rests on\n(1) one? → 1\n(2) two? → 2"
    assert words_of({"kind": "decomposition", "of": "q", "claims": [3]}) == "of q, claims 3"


def test_programs_that_may_not_look_say_so() -> None:
    """What they are not shown is nobody's wrong claim."""
    sample, guess = TASK.of(221), Prover(TASK, lies=True, knows=False)
    for protocol, b in (
        (DecompositionDebate(source="none"), Searcher(TASK)),
        (ProverEstimator(source="none"), Estimator(TASK, divisions=2)),
    ):
        outcome: Any = moot.run(protocol, sample, seats(guess, b)).outcome
        assert isinstance(outcome, moot.Errored) and "gives no access" in outcome.cause
