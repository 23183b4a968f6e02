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
from catalogue_kit import OURS, question_for
from hypothesis import settings

import moot
from moot.protocols.engine.base import Protocol, known_protocols
from moot.testing.checks import laws, laws_of_sight, secrecy
from moot.testing.checks.check import Law
from moot.testing.checks.laws import LAWS, LawBroken
from moot.testing.strategies import questions, sums

LONG = settings.default is not None and settings.default.max_examples >= 500
FAST = 50 if LONG else 3  # plays per law


@pytest.mark.parametrize("name", OURS)
def test_ours_keep_every_law(name: str) -> None:
    deep = any(word in name for word in ("pointers", "recursive", "decomposition", "fresh"))
    moot.testing.check_protocol(OURS[name], examples=max(6, FAST) if deep else FAST)  # some of their moves are rare


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


@pytest.mark.parametrize("name", OURS)
def test_golden(name: str, update_golden: bool) -> None:
    path = Path(__file__).parent / "golden" / "v2" / f"{name.replace(' ', '-')}.jsonl"
    protocol = OURS[name]
    if path.exists() and not update_golden:  # by its own record: a file that is older than a parameter says so there
        recorded = moot.load(path).protocol
        older = {"check_quotes"} & type(protocol).model_fields.keys()
        assert recorded.model_dump(exclude=older) == protocol.model_dump(exclude=older)
        protocol = recorded
    moot.testing.check_golden(path, protocol, question_for(name), seed=7, update=update_golden)


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
