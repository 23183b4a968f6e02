"""Each thing that a law looks for is caught: by a protocol made for it, or, where no protocol can do it, by a fault that is
put into the engine. One row for each place where a law speaks: without that place its row fails."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from itertools import count
from types import SimpleNamespace
from typing import Any

import broken
import broken_elsewhere
import broken_sight
import networkx
import pytest
from hypothesis import strategies as st

import moot
from moot.complexity.ledger import ledger_of
from moot.complexity.spending import Ledger
from moot.play import rerun
from moot.play.run import run
from moot.protocols.engine import game, question, replies, steps, view
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.budget import Account
from moot.protocols.engine.errors import Illegal, MootError, ReplayDivergence
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Speech, Verdict
from moot.protocols.engine.outcomes import Decided, Exhausted
from moot.protocols.engine.question import Question
from moot.testing.checks import check, laws
from moot.testing.checks.check import Case, examine
from moot.testing.checks.laws import LAWS, LawBroken
from moot.transcripts.transcript import Transcript

Fault = tuple[Any, str, Any]
"""An object, the name of an attribute, and what stands there instead."""


def nothing(*given: Any, **named: Any) -> None:
    pass


def answers_late(self: Game, step: str, reply: Any, *, old: Any = Game.answer, **named: Any) -> bool:
    return True if self.outcome is not None else bool(old(self, step, reply, **named))


def takes_anything(reply: Any, ask: Any, old: Any = replies.accepted) -> Any:
    with contextlib.suppress(Illegal):
        return old(reply, ask)
    return old(Speech(text="so it is"), ask)


def rejects_with(more: Callable[[Game, Any], object]) -> Callable[..., None]:
    def reject(self: Game, step: str, waiting: Any, *rest: Any, old: Any = Game._reject) -> None:
        old(self, step, waiting, *rest)
        more(self, waiting)

    return reject


def plays_anew(path: Any, seats: Any, protocol: Protocol) -> Transcript:
    opened = moot.load(path)
    return run(protocol, opened.question, seats, seed=opened.seed)


def cannot_resume(last: str) -> Callable[..., Any]:
    """Fails after the opening event, or after the move that decides the play."""

    def resume(path: Any, seats: Any, protocol: Protocol) -> Any:
        *_, event = moot.load(path).events()
        if event["event"] == last and event.get("seat", "judge") == "judge":
            raise MootError(f"cut after {last}")
        return rerun.resume(path, seats, protocol=protocol)

    return resume


def diverges(*given: Any) -> Any:
    raise ReplayDivergence("0", "request", "one", "another")


def hostile(*given: Any, **named: Any) -> Any:
    raise LawBroken("rejects", "a hostile reply was asked for")


def check_all_but_queries(account: Account, measure: str, amount: float, check: Any = Account.check) -> None:
    if measure != "queries":
        check(account, measure, amount)


def exhausted(used: float, limit: float) -> Fault:
    """Where the engine ends a play for its budget, it says these numbers."""
    return (
        steps,
        "exhausted",
        lambda seat, error, step: Exhausted(seat=seat, measure=error.measure, used=used, limit=limit),
    )


def guaranteed(holds: bool, always: bool = True) -> Fault:
    """Every play has a guarantee or none has; or those that are decided have it, whatever they fall short of."""

    def guarantee(transcript: Transcript) -> Any:
        return SimpleNamespace(holds=holds and (always or isinstance(transcript.outcome, Decided)), because="so it is")

    return Transcript, "guarantee", property(guarantee)


def drawn(root: str, *edges: tuple[str, str], alone: str = "") -> Fault:
    graph = networkx.DiGraph(edges, root=root)
    graph.add_nodes_from(alone)
    return Transcript, "tree", property(lambda transcript: graph)


def miscounted(name: str) -> Fault:
    def ledger(transcript: Transcript) -> Ledger:
        true = ledger_of(transcript.events())
        return true.model_copy(update={"tree": true.tree.model_copy(update={name: getattr(true.tree, name) + 1})})

    return Transcript, "ledger", property(ledger)


class Odd(Question):
    """A question that is another one once it was written and read."""


TWO, SIGHT = broken.Two(), broken_sight
GIF = b"GIF89a\1\0\1\0\0\0\0;"

ENGINE: list[tuple[str, Fault, Protocol, str]] = [
    ("ends", (Game, "close", nothing), SIGHT.Abandons(), r"steps 0\.1\.0, 0\.2\.0 are still open after the outcome"),
    ("ends", (Game, "answer", answers_late), TWO, "a step could be answered after the outcome"),
    ("ends", (Game, "close", nothing), TWO, r"after a failure steps \S+.* still open"),
    ("replays", (laws, "replay", lambda *given: SimpleNamespace(digest="another")), TWO, "that of the replay another"),
    ("replays", (laws, "verify", lambda whole: SimpleNamespace(ended=False, digest=whole.digest)), TWO, "verification found"),
    ("replays", (laws, "verify", lambda whole: SimpleNamespace(ended=True, digest="another")), TWO, "verification found"),
    ("encodes", (laws, "outcome_adapter", SimpleNamespace(validate_json=nothing)), TWO, "the outcome did not come back"),
    ("order_free", (Case, "same", nothing), SIGHT.OnLoop(), "answering in another order, the digest came out differently"),
    ("order_free", (Case, "same", nothing), broken.Arrival(), "answering in another order, the digest came out differently"),
    ("order_free", (Case, "order", lambda case: []), broken.Arrival(), "with its calls answered in another order, step 1"),
    *(("resumes", (laws, "resume", cannot_resume(last)), TWO, f"cut after {last}") for last in ("started", "moved")),
    ("resumes", (laws, "resume", plays_anew), TWO, r"step \S+ was asked again although its answer was recorded"),
    ("rejects", (game, "accepted", takes_anything), TWO, r"step 0\.\d\.0 accepted .*, which is no Speech"),
    ("rejects", (Game, "_reject", nothing), TWO, r"recorded was \[\]"),
    ("rejects", (Game, "_reject", rejects_with(lambda play, asked: setattr(asked, "digest", "x"))), TWO, "other steps were open than before"),
    ("rejects", (Game, "_reject", rejects_with(lambda play, asked: play.recorder.event("lost", {"step": "0"}))), TWO, "other steps were open than before"),  # type: ignore[union-attr]
    ("rejects", (laws, "hostile_replies", hostile), TWO, "a hostile reply was asked for"),
    ("rejects", (laws, "replay", diverges), TWO, "replay diverged at step 0"),
    ("tree", drawn("q", ("q", "0"), alone="x"), TWO, "no tree with one root"),
    ("tree", drawn("q", ("0", "q")), TWO, r"the root q answers something: \['0'\]"),
    *(("tree", miscounted(name), TWO, f"the ledger counts {name} ")
      for name in ("nodes", "depth", "branching", "largest", "longest_path", "total")),
    ("within_budget", (Account, "check", nothing), TWO, r"at step \S+ seat \w+ has spent \d+ \w+ of \d"),
    ("within_budget", (Account, "check", check_all_but_queries), SIGHT.ChargesFirst(), "the charge of step 0 takes seat judge to 50"),
    ("within_budget", exhausted(0, 0), TWO, "the play ended in Exhausted.*; the limits were"),
    ("within_budget", exhausted(10**6, 10**5), TWO, "the play ended in Exhausted.*; the limits were"),
    ("bounded_judge", (Account, "check", nothing), TWO, r"the judge judge read \d+ in a bound of \d"),
    ("bounded_judge", (Ledger, "spent", nothing), TWO, "the judge judge read None in a bound"),
    ("bounded_judge", exhausted(10**6, 10**5), TWO, "the play ended in Exhausted"),
    ("bounded_judge", (Game, "exhaust", lambda play, step, *rest: play.fail(step, "gave out")), TWO, "under a bound the play ended in Errored"),
    ("bounded_judge", guaranteed(True), TWO, "a guarantee is claimed for a play that ended in"),
    ("bounded_judge", guaranteed(True, always=False), SIGHT.FallsShort(), "the protocol falls short: too few rounds"),
    ("bounded_judge", guaranteed(False), SIGHT.Claims(), "no guarantee is given: so it is"),
    ("fits", (replies, "misfit", nothing), SIGHT.Preliminary(), r"step 0 took \d probabilities for \d choices"),
]  # fmt: skip

PROTOCOLS: list[tuple[Protocol, str, str]] = [
    (SIGHT.ThirdTime(), "deterministic", "played a third time on the same moves"),
    (SIGHT.Swells(), "encodes", "the move of step 0 was recorded as .*, and reads back as"),
    (SIGHT.OnLoop(), "order_free", "with async agents answering in another order, step 1 came out differently"),
    (SIGHT.MiddleFirst(), "order_free", "with its calls answered in another order, step 1 came out differently"),
    (SIGHT.AsksOfSource(), "blind", "shows seat judge the source"),
    (SIGHT.TellsWhy(), "blind", "shows seat a the source"),
    (SIGHT.Invents(), "blind", r"the move of step 0\.0\.7, which nobody was asked for"),
    (SIGHT.ShowsAside(), "blind", "the move of step 1, which was asked for with say=False"),
    (SIGHT.ShowsRival(), "blind", "which is made at the same time"),
    (SIGHT.FakesExhaustion(), "within_budget", "the play ended in Exhausted"),
    (SIGHT.TakesTooMuch(), "paid", "seat a is paid -0.75"),
    (SIGHT.TakesTooMuch(), "utility", "seat a is paid -0.75"),
    (SIGHT.PaysNothingKnown(), "paid", "seat a is paid nan"),
    (SIGHT.PaysNobody(), "zero_sum", "declares zero_sum and pays nobody"),
    (SIGHT.AsksOneMore(), "symmetric", "swapped, a is asked more often than b was before"),
    (SIGHT.EndsForOne(), "symmetric", "swapped the outcome is"),
    (SIGHT.DecidedByOne(), "symmetric", "swapped the verdict is"),
    (SIGHT.PaysOneOnly(), "symmetric", "swapped the payoffs are"),
    (SIGHT.PaysOneOfTwo(), "symmetric", "swapped the payoffs are"),
]  # fmt: skip

SOUND: list[tuple[Protocol, tuple[str, ...]]] = [
    *((sound, tuple(LAWS)) for sound in (broken.Two(), broken.Simultaneous(), broken.Settles(), broken.Charges())),
    (SIGHT.Rewrites(), ("encodes",)), (SIGHT.Preliminary(), ("fits",)), (SIGHT.Pays(), ("paid", "utility", "estimates")),
    *((sound, ("bounded_judge",)) for sound in (SIGHT.Claims(), SIGHT.ClaimsByQueries(), SIGHT.FallsShort())),
    *((sound, ("symmetric",)) for sound in (SIGHT.Even(), SIGHT.EvenAsked(), SIGHT.EvenOfThree(), SIGHT.PaysByName(), SIGHT.Three())),
    (broken_elsewhere.SortsASet(), ("portable",)), (broken_elsewhere.TellsWhomItMay(), ("blind",)),
    (broken_elsewhere.TellsOwnThoughts(), ("blind",)), (SIGHT.Strict(), ("rejects",)), (SIGHT.ChargesFirst(), ("within_budget",)),
    *((sound, ("bounded_judge",)) for sound in (SIGHT.Tosses(), SIGHT.ClaimsByCopies(), broken.HasNoJudge())), (SIGHT.PaysRounded(), ("paid", "utility")),
    (broken.AwaitsWorld(), ("dynamics",)), (SIGHT.PaysNothingKnown(), ("utility",)),  # they declare nothing of it: other laws speak
]  # fmt: skip


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first play that breaks a law is enough: seconds of search for the smallest one are given elsewhere."""
    monkeypatch.setattr("moot.testing.checks.check.PATIENCE", 0.0)


@pytest.mark.parametrize(("sound", "kept"), SOUND, ids=lambda given: type(given).__name__)
def test_the_sound_ones_are_sound(sound: Protocol, kept: tuple[str, ...]) -> None:
    examine([LAWS[name] for name in kept], sound, questions=None, moves=None, examples=10, seats=None)


@pytest.mark.parametrize(("law", "fault", "protocol", "says"), ENGINE)
def test_a_fault_of_the_engine_breaks_a_law(
    law: str, fault: Fault, protocol: Protocol, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(*fault)
    with pytest.raises(LawBroken, match=says) as caught:
        LAWS[law](protocol, examples=50)
    assert caught.value.law == law


@pytest.mark.parametrize(("protocol", "law", "says"), PROTOCOLS, ids=lambda given: type(given).__name__)
def test_each_look_of_a_law_catches_what_it_is_for(protocol: Protocol, law: str, says: str) -> None:
    with pytest.raises(LawBroken, match=says) as caught:
        LAWS[law](protocol, examples=50)
    assert caught.value.law == law


def test_a_question_that_is_not_the_one_that_was_written_breaks_a_law() -> None:
    with pytest.raises(LawBroken, match="the question did not come back from its record"):
        laws.encodes(TWO, questions=Odd(text="Which?", choices=("x", "y")), examples=1)


@pytest.mark.parametrize(
    "source",
    [{"passage": "x" * 60}, {"data": [0] * 60}, {"images": (moot.Image(GIF, cells=60),)}],
    ids=lambda source: [*source][0],
)
def test_a_source_that_a_judge_is_shown_uncounted_breaks_its_bound(
    source: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Question("Which way?", ("left", "right"), **source)
    laws.bounded_judge(SIGHT.SeesTheSource(), questions=asked, examples=10)
    for module in (question, view):
        monkeypatch.setattr(module, "source_size", lambda asked: 0)
    with pytest.raises(LawBroken, match=r"was shown \d\d in a bound of \d+, and 0 of it was counted"):
        laws.bounded_judge(SIGHT.SeesTheSource(), questions=asked, examples=50)


def test_one_probability_too_few_is_tried_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_many(verdict: Verdict, choices: int, old: Any = replies.misfit) -> str | None:
        return old(verdict, choices) if len(verdict.probabilities) > choices else None

    monkeypatch.setattr(replies, "misfit", too_many)
    with pytest.raises(LawBroken, match="took 2 probabilities for 3 choices"):
        laws.fits(SIGHT.Preliminary(), questions=Question("Which?", ("x", "y", "z")), examples=1)


def test_what_is_said_is_drawn_by_the_moves_given() -> None:
    given = {Speech: Speech(text="as given"), Verdict: Verdict(probabilities=(0.25, 0.75))}
    said: list[Any] = []

    def body(case: Case) -> None:
        case.play()
        said.extend(reply for replies in case.script.replies.values() for reply in replies)

    check.Law(body, "nothing is wrong")(
        TWO,
        questions=Question("Which?", ("x", "y")),
        moves=lambda request: st.just(given[request.kinds[0]]),
        examples=3,
    )
    assert set(said) == set(given.values())


def test_of_several_questions_that_do_not_fit_the_first_is_told() -> None:
    unfit = [Question(text, ("x", "y", "z")) for text in ("One?", "Other?")]
    with pytest.raises(moot.UsageError, match=r"does not take the question 'One\?'$"):
        laws.ends(SIGHT.Even(), questions=[Question("Fit?", ("x", "y")), *unfit])


def test_a_play_that_is_broken_off_warns_of_no_branch_that_was_never_begun() -> None:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        laws.ends(SIGHT.BranchesAhead(), examples=5)
    assert [str(each.message) for each in told] == []


@pytest.mark.parametrize("patience", [0.0, 6.0])
def test_the_search_for_a_smaller_play_ends_and_the_smallest_one_is_told(
    patience: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that goes a second on whenever somebody looks at it."""
    clock, seen = count(100.0), list[str]()
    monkeypatch.setattr(check, "PATIENCE", patience)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))

    def body(case: Case) -> None:
        case.play()
        try:
            case.broken("x" * case.draw(st.integers(0, 10**6).map(lambda number: number % 97)))
        except LawBroken as error:
            seen.append(str(error))
            raise

    with pytest.raises(LawBroken) as caught:
        check.Law(body, "nothing is right")(TWO, examples=50)
    assert str(caught.value) == min(seen, key=len)
    assert len(seen) == 1 if patience == 0 else 1 < len(seen) <= 5  # a look before each play, and one when it is broken


def test_what_came_out_differently_is_shown_up_to_a_length() -> None:
    assert check._text(None) == "nothing" and check._text([b"one", b"two"]) == "one; two" and check._text([]) == ""
    assert check._text([b"x" * 600]) == "x" * 600 and check._text([b"x" * 601]) == "x" * 600 + "\u2026"
