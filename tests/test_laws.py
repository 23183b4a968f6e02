"""Every law holds for every protocol of moot's own, and each catches a protocol that was made to break it."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import broken
import broken_elsewhere as elsewhere
import pytest
from hypothesis import settings

import moot
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.base import Protocol, known_protocols
from moot.protocols.games.claims import ClaimGame
from moot.testing.checks import laws, laws_of_sight, secrecy
from moot.testing.checks.check import Law
from moot.testing.checks.laws import LAWS, LawBroken
from moot.testing.strategies import questions, sums

FAST = (
    10 if settings.default is None or settings.default.max_examples < 500 else 50
)  # plays per law; the long set draws more

OURS: dict[str, Protocol] = {
    "debate": moot.Debate(),
    "sequential": moot.Debate(rounds=2, order="sequential"),
    "no rounds": moot.Debate(rounds=0),
    "swapped": moot.Debate(rounds=1, swap=True),
    "questions": moot.Debate(rounds=2, questions=True),
    "judge with source": moot.Debate(rounds=1, judge_source="all"),
    "metered source": moot.Debate(rounds=1, judge_source="metered"),
    "limits": moot.Debate(rounds=1, limit=moot.Limit(words=9), quote_limit=moot.Limit(chars=30)),
    "clipped": moot.Debate(rounds=1, limit=moot.Limit(chars=20, over="clip")),
    "brier": moot.Debate(rounds=1, scoring=moot.ScoringRule(rule="brier", penalty=0.1)),
    "spherical": moot.Debate(rounds=1, scoring=moot.ScoringRule(rule="spherical")),
    "parts": moot.Debate(
        rounds=2,
        opening=(moot.Speeches(), moot.Feedback()),
        repeat=(moot.Speeches(order="sequential"), moot.Questions(limit=moot.Limit(words=5, over="clip")), moot.Feedback()),
        closing=(moot.Speeches(), moot.Feedback(limit=moot.Limit(chars=10, over="clip"))),
    ),
    "negotiate": moot.Debate(rounds=3, repeat=(moot.Speeches(), moot.Negotiate())),
    "until agreed": moot.Debate(rounds=None, repeat=(moot.Speeches(order="sequential"), moot.Negotiate())),
    "until the judge ends": moot.Debate(rounds=None, repeat=(moot.Speeches(), moot.Feedback())),
    "open debate": moot.OpenDebate(rounds=1),
    "open debate with questions": moot.OpenDebate(rounds=2, questions=True, order="sequential"),
    "consultancy": moot.Consultancy(),
    "second answer": moot.Consultancy(answer=1, rounds=1, questions=True),
    "open consultancy": moot.OpenConsultancy(rounds=1),
    "judge alone": moot.DirectQA(),
    "judge with passage": moot.DirectQA(source=True),
    "bisection": moot.Bisection(),
    "amplify": moot.Amplification(depth=2, width=2, turns=2),
    "amplify with budget": moot.Amplification(depth=None, budget=5, turns=2),
    "amplify without memory": moot.Amplification(depth=1, memo=False, source="all"),
    "amplify with pointers": moot.StrongAmplification(depth=2, width=2, turns=2),
    "amplify with a model": moot.Amplification(depth=1, model=True),
    "qbf debate": moot.QBFDebate(),
    "reachability": moot.Reachability(),
    "geography": moot.Geography(),
    "circuit walk": moot.CircuitWalk(),
    "circuit pointer": moot.CircuitPointer(),
    "pixel debate": moot.PixelDebate(pixels=4),
    "pixel debate without precommit": moot.PixelDebate(pixels=3, precommit=False, first="b"),
    "market": moot.MarketMaking(horizon=2, queries=1, unmoved="judge"),
    "market examined": moot.MarketMaking(
        horizon=2, queries=1, tolerance=None, examine=True, reward="lmsr", last="market", unmoved="judge"
    ),
    "market with pointers": moot.PointerMarketMaking(horizon=2, queries=1, opens=2, unmoved="judge"),
    "market uncited": moot.UncitedMarketMaking(
        horizon=1, queries=1, scoring=moot.ScoringRule(rule="brier"), unmoved="judge"
    ),
    "market that stands": moot.MarketMaking(horizon=2, queries=1),
    "market that stands with pointers": moot.PointerMarketMaking(horizon=1, queries=1, opens=2, last="market"),
    "cross-examination": moot.CrossExamination(queries=5),
    "cross-examination uncopied": moot.UncopiedExamination(queries=3, window=2),
    "nested oversight": moot.NestedOversight(steps=3, gap=300.0),
    "decomposition debate": moot.DecompositionDebate(rounds=2, width=2),
    "decomposition debate with pointers": moot.PointerDecompositionDebate(width=2, opens=2),
    "prover-estimator": moot.ProverEstimator(rounds=2, width=2),
    "clue oversight": moot.ClueOversight(comparisons=3),
    "clue critiques": moot.ClueOversight(critiques=2, comparisons=2),
    "recursive debate": moot.RecursiveDebate(depth=3),
    "recursive debate clipped": moot.RecursiveDebate(depth=2, objections=3, limit=moot.Limit(words=6, over="clip"), cites=1),
    "tree debate": moot.TreeDebate(turns="abb"),
    "propaganda": moot.Propaganda(answer=1),
    "double consultancy": moot.DoubleConsultancy(),
    "double consultancy apart": moot.DoubleConsultancy(rounds=1, judged="apart", judge_source="metered"),
    "critique": moot.Critique(answer=1),
    "critique with reply": moot.Critique(answer=None, reply=True, limit=moot.Limit(words=9)),
    "interactive debate": moot.InteractiveDebate(),
    "interactive debate with examiner": moot.InteractiveDebate(examiner=True, order="sequential"),
    "concession": moot.Debate(concede=True, limit=moot.Limit(chars=60, over="clip")),
    "concession in turn": moot.Debate(concede=True, order="sequential"),
    "consultant concedes": moot.Consultancy(concede=True, answer=1),
    "both seatings": moot.SideSwapped(params={"rounds": 1}),
    "both seatings of two consultancies": moot.SideSwapped.of(moot.DoubleConsultancy(rounds=1), exchange="places"),
    "doubly-efficient": moot.DoublyEfficientDebate(computation="walk", input={"n": 3}),
    "doubly-efficient deterministic": moot.DeterministicDoublyEfficientDebate(
        machine="tally", input={"items": 3, "least": 2}
    ),
    "doubly-efficient witness": moot.WitnessedDoublyEfficientDebate(
        machine="subset", input={"items": 2, "weights": [3, 4], "target": 7}, examined=2
    ),
    "approval": Approval(turns=3, frozen=False),
    "blind approval": Approval(seen=False, turns=3, source="none", frozen=False),
    "approval with an earlier model": Approval(turns=3),
}  # fmt: skip


@pytest.mark.parametrize("name", OURS)
def test_ours_keep_every_law(name: str) -> None:
    moot.testing.check_protocol(OURS[name], examples=FAST)


@pytest.mark.parametrize("law", LAWS)
def test_three_choices(law: str) -> None:
    LAWS[law](moot.Debate(rounds=2, questions=True), questions=questions(choices=3, passage=True), examples=FAST)


@pytest.mark.parametrize(
    ("one", "other", "plays", "at_once"),
    [
        ("0.0.0", "0.1.0", (), True), ("0.0.0", "0.0.1", (), False), ("0", "1", (), False), ("1.0.0", "1.1", (), True),
        ("2.0", "2.1", ("2",), False), ("2.0.0.0", "2.0.1.0", ("2",), True), ("0.1.0.0", "0.1.0.1", ("0.1.0",), False),
    ],
)  # fmt: skip
def test_which_steps_run_at_the_same_time(one: str, other: str, plays: tuple[str, ...], at_once: bool) -> None:
    assert secrecy.apart(one, other, frozenset(plays)) is secrecy.apart(other, one, frozenset(plays)) is at_once


BROKEN: list[tuple[Protocol, str, str]] = [
    (broken.ChecksCount(), "led_back", "led along . moves again|led along the same moves"),
    (broken.PaysWhatChecksSaw(), "led_back", "led along its moves again"),
    (broken.PaysWhatChecksSaw(), "solved", "a check changes what the script goes by"),
    (broken.UsesRandom(), "pure", r"broken\.py:\d+ draws randomness"),
    (broken.UsesRandom(), "deterministic", "lucky|came out differently"),
    (broken.UsesTime(), "pure", r"broken\.py:\d+ reads the clock"),
    (broken.UsesTime(), "deterministic", "came out differently"),
    (broken.UsesTime(), "replays", "replay diverged"),
    (broken.ReadsClockQuietly(), "pure", r"broken\.py:\d+ reads the clock"),
    (broken.OpensFile(), "pure", r"broken\.py:\d+ opens a file"),
    (broken.CountsPlays(), "deterministic", "came out differently"),
    (broken.CountsPlays(), "replays", "replay diverged"),
    (broken.CountsPlays(), "resumes", "differently|diverged"),
    (broken.AwaitsWorld(), "ends", "awaits something that is not its floor|no running event loop"),
    (broken.NeverEnds(), "ends", "has not ended after 500 moves"),
    (broken.AsksWhenClosed(), "ends", "outside the play|GeneratorExit"),
    (broken.PaysStrangers(), "paid", "paid seat 'audience'; its seats are a, b, judge"),
    (broken.PaysTooMuch(), "paid", r"is paid .* utility_bound\(\) is 0.5"),
    (broken.DecidesElsewhere(), "fits", "the verdict has 4 probabilities for"),
    (broken.Arrival(), "order_free", "step 1 came out differently"),
    (broken.TellsRival(), "order_free", "came out differently"),
    (broken.TellsRival(), "blind", "said at the same time"),
    (broken.LeaksSource(), "blind", "shows seat judge the source"),
    (broken.LeaksSourceInView(), "blind", "shows seat a the source"),
    (broken.ReadsForFree(), "bounded_judge", r"was shown \d+ in a bound of \d+, and 0 of it was counted"),
    (broken.ShowsSecrets(), "blind", "which is only for a, judge"),
    (broken.LeaksTruth(), "sealed", "sealed truth"),
    (broken.NotZeroSum(), "zero_sum", "sum to 1"),
    (broken.NotSymmetric(), "symmetric", "payoffs"),
    (broken.GivesBack(), "within_budget", "-5"),
    (broken.CountsMistakes(), "rejects", "mended at once"),
    (broken.PaysForMistakes(), "rejects", "mended at once, the opening or outcome came out differently"),
    (broken.Orphans(), "tree", "7.7|no tree"),
    (broken.Loses(), "encodes", "came back from its record"),
    (broken.Underestimates(), "estimates", "seat b made 1 moves"),
    (broken.SaysSequential(), "dynamics", "steps 0.0.0, 0.1.0 are asked at the same time"),
    (broken.SaysSimultaneous(), "dynamics", "a moves, and b does not"),
    (broken.MissesPlayers(), "players", "seat a is a debater; the declared players are consultant, judge"),
    (broken.HasNoJudge(), "players", "NP is claimed, and nobody is the overseer"),
    (broken.PaysMore(), "utility", r"is paid .* utility_bound\(\) is 0.25"),
    (
        elsewhere.GoesThroughASet(),
        "portable",
        r"another process, with PYTHONHASHSEED=(2|141), replay diverged at step 0: .*must be sorted",
    ),
    (
        elsewhere.HashesText(),
        "portable",
        r"another process, with PYTHONHASHSEED=(2|141), replay diverged at step 1: request .*hash\(\)",
    ),
    (elsewhere.ReadsTheEnvironment(), "pure", r"broken_elsewhere\.py:\d+ reads the environment \(os\.environ\)"),
    (elsewhere.ReadsTheEnvironmentQuietly(), "pure", r"broken_elsewhere\.py:\d+ reads the environment"),
    (elsewhere.DrawsFromItsOwn(), "pure", r"broken_elsewhere\.py:\d+ draws randomness \(Random\(\)\)"),
    (
        elsewhere.TellsAside(),
        "blind",
        "the brief of step 1 tells seat judge what seat a said at step 0 to none but b, a",
    ),
    (
        elsewhere.TellsThoughts(),
        "blind",
        "the brief of step 1 tells seat b what seat a keeps to itself at step 0: the private field 'thought'",
    ),
    (elsewhere.DecidesAnOpenQuestion(), "fits", "decided .*: the verdict has 3 probabilities for 2 choices"),
    (elsewhere.RecordsAnotherVerdict(), "fits", r"on record at step 1 has 3 probabilities for 2 choices"),
    (elsewhere.DecidesTooMuch(), "fits", "decided .*: the verdict has 3 probabilities for 2 choices"),
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first play that breaks a law is enough: seconds of search for the smallest one are given elsewhere."""
    monkeypatch.setattr("moot.testing.checks.check.PATIENCE", 0.0)


@pytest.mark.usefixtures("impatient")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(("protocol", "law", "says"), BROKEN, ids=[f"{type(p).__name__}-{law}" for p, law, _ in BROKEN])
def test_each_law_catches_what_breaks_it(protocol: Protocol, law: str, says: str) -> None:
    with pytest.raises(LawBroken, match=says) as caught:
        LAWS[law](protocol, examples=100)
    message = str(caught.value)
    assert caught.value.law == law
    assert f'law "{law}"' in message and type(protocol).__name__ in message
    assert "question: Question(" in message and "moves, by step:" in message


def test_a_protocol_that_asks_otherwise_each_time_breaks_the_law_that_cannot_be_examined() -> None:
    with pytest.raises(
        LawBroken, match=r"cannot be examined: Fickle\(\) asks for other moves when it is given the same"
    ) as caught:
        laws.pure(broken.Fickle(), examples=100)
    assert caught.value.law == "pure"


@pytest.mark.usefixtures("impatient")
def test_check_protocol_examines_every_law_and_raises_for_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    examined = Counter[str]()
    for name in list(LAWS)[:-1]:
        monkeypatch.setattr(LAWS[name], "body", lambda case: examined.update([case.law.__name__]))
    with pytest.raises(LawBroken, match='law "symmetric"'):
        moot.testing.check_protocol(broken.NotSymmetric(), examples=20)
    assert set(examined) == set(LAWS) - {"symmetric"} and len(set(examined.values())) == 1


def test_every_law_examines_as_many_plays_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them the same plays: what is said is drawn once."""
    said: dict[int, set[str]] = {}

    def looked(body: Any) -> Any:
        def look(case: Any) -> None:
            body(case)
            assert case.play().script is case.script
            said.setdefault(examined["ends"] + (case.law.__name__ == "ends"), set()).add(str(case.script))
            examined.update([case.law.__name__])

        return look

    examined = Counter[str]()
    for law in LAWS.values():
        monkeypatch.setattr(
            law, "body", looked(law.body) if law.__name__ not in ("blind", "symmetric") else lambda case: None
        )
    moot.testing.check_protocol(broken.Two(), examples=7)
    assert set(examined.values()) == {7} and all(len(each) == 1 for each in said.values()) and len(said) == 7


def test_every_law_is_listed_and_caught_breaking() -> None:
    for module in (laws, laws_of_sight, secrecy):
        assert {name for name, each in vars(module).items() if isinstance(each, Law)} <= set(LAWS)
    assert set(LAWS) < set(laws.__all__)
    assert set(LAWS) == {law for _, law, _ in BROKEN}, "every law has a protocol that breaks it"


@pytest.mark.parametrize("law", ["pure", "tree"])
def test_a_protocol_that_cannot_be_examined_twice_breaks_the_law(law: str) -> None:
    """It breaks nothing that one play shows; Hypothesis sees that equal choices lead to other draws."""
    with pytest.raises(LawBroken, match=f'law "{law}" .* cannot be examined: Alternates.* asks for other moves'):
        LAWS[law](broken.Alternates(), examples=100)


def test_the_message_holds_a_small_example() -> None:
    with pytest.raises(LawBroken) as caught:
        moot.testing.checks.laws.zero_sum(broken.NotZeroSum())
    assert len(str(caught.value).splitlines()) <= 9


def test_a_question_that_does_not_fit_is_the_callers_fault() -> None:
    with pytest.raises(moot.UsageError, match="does not take the question 'open'"):
        moot.testing.check_protocol(moot.Debate(), questions=moot.Question("open"))
    with pytest.raises(moot.UsageError, match="takes a protocol, made"):
        moot.testing.check_protocol(moot.Debate)  # type: ignore[arg-type]


def test_programs_in_seats() -> None:
    asked = Counter[str]()

    def half(request: moot.Request) -> moot.Verdict:
        asked.update([request.seat])
        return moot.Verdict(probabilities=(0.5, 0.5))

    moot.testing.check_protocol(moot.Bisection(), questions=sums(most=9), seats={"judge": half}, examples=FAST)
    assert set(asked) == {"judge"}


GRAPH = {"start": 0, "goal": 3, "edges": [[0, 1, 0, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]]}
CIRCUIT = {"inputs": 3, "gates": [["XOR", 0, 1], ["NAND", 1, 2], ["NOT", 3], ["OR", 5, 4], ["AND", 6, 3]], "output": 7}
GAME = {
    "good_words": ["HARBOUR", "GULL"],
    "bad_words": ["ANVIL", "SAIL"],
    "similarities": {"sea": {"HARBOUR": 0.5, "GULL": 0.25, "ANVIL": 0.125, "SAIL": 0.375}},
}
IMAGE = {"image": [[0, 90, 255, 0], [0, 0, 255, 0], [0, 60, 40, 0], [0, 255, 0, 0]]}
FORMULA = {"prefix": [["a", [1]], ["e", [2]], ["a", [3]], ["e", [4]]], "clauses": [[1, -2, 4], [-1, 2], [2, 3, -4]]}


@pytest.mark.parametrize("name", OURS)
def test_golden(name: str, update_golden: bool) -> None:
    text = "The storm sank three ships. The admiral said that the storm was never seen before."
    question: Any = moot.Question("What sank the ships?", ("the storm", "the admiral", "pirates"), passage=text)
    if isinstance(OURS[name], moot.Bisection):
        question = moot.Question("What is the sum?", ("36", "37"), data=[1, 2, 3, 4, 5, 6, 7, 8], size=8, unit="cells")
    elif isinstance(OURS[name], moot.QBFDebate):
        question = moot.Question("tqbf(****)", ("false", "true"), data=FORMULA, size=4, unit="cells")
    elif isinstance(OURS[name], (moot.CircuitWalk, moot.CircuitPointer)):
        data: Any = {"circuit": CIRCUIT, "input": [1, 0, 1]}
        question = moot.Question("Does it give 1?", ("0", "1"), data=data, size=5, unit="bits")
    elif isinstance(OURS[name], (ClaimGame, moot.NestedOversight)):
        question = moot.Question("Is it so?", ("yes", "no"), data=GRAPH, size=4, unit="cells")
    elif isinstance(OURS[name], moot.ClueOversight):
        question = moot.Question("What does the clue score?", ("0", "1", "2"), data=GAME, size=4, unit="cells")
    elif isinstance(OURS[name], (moot.RecursiveDebate, moot.TreeDebate)):
        question = question.model_copy(update={"choices": ("the storm", "the admiral")})
    elif "conce" in name or "seatings" in name:
        question = question.model_copy(update={"choices": question.choices[:2]})
    elif isinstance(OURS[name], moot.PixelDebate):
        question = moot.Question("Which digit is this?", ("0", "1", "7"), data=IMAGE, size=4, unit="cells")
    path = Path(__file__).parent / "golden" / "v2" / f"{name.replace(' ', '-')}.jsonl"
    moot.testing.check_golden(path, OURS[name], question, seed=7, update=update_golden)


def test_a_golden_transcript_that_changed_says_where(tmp_path: Path) -> None:
    question, path = moot.Question("Who?", ("x", "y"), passage="the page says so"), tmp_path / "g.jsonl"
    with pytest.raises(moot.UsageError, match="no golden transcript .*--update-golden"):
        moot.testing.check_golden(path, moot.Debate(), question)
    moot.testing.check_golden(path, moot.Debate(), question, update=True)
    moot.testing.check_golden(path, moot.Debate(), question)
    with pytest.raises(AssertionError, match=r"g\.jsonl, line 1 \(event started\): the play has changed"):
        moot.testing.check_golden(path, moot.Debate(rounds=3), question)
    with pytest.raises(AssertionError, match="line 1"):
        moot.testing.check_golden(path, moot.Debate(), question, seed=1)


def test_without_hypothesis_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "import moot\n"
        "moot.testing.puppet, moot.testing.check_golden\n"
        "try:\n    moot.testing.check_protocol\n"
        "except moot.UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "moot.testing.check_protocol needs Hypothesis: pip install 'moot[testing]'\n"


def test_the_driver_and_the_hand_open_alike() -> None:
    from moot.testing.hand import Hand, Script
    from moot.transcripts.events import played_part

    question = moot.Question("What is the sum?", ("3", "4"), data=[1, 2], size=2, unit="cells")
    bounds = {"judge": {"reads": 9}}
    transcript = moot.run(
        moot.Bisection(), question, dict.fromkeys(("a", "b", "judge"), moot.testing.puppet), bounds=bounds
    )
    hand = Hand(moot.Bisection(), question, Script(), bounds=bounds)
    assert played_part(hand.lines[0]) == played_part(next(transcript.lines()))


def test_every_protocol_of_our_own_is_held_to_the_laws() -> None:
    ours = {cls for cls in known_protocols().values() if cls.__module__.startswith("moot.protocols.")}
    assert {type(protocol) for protocol in OURS.values()} == ours
