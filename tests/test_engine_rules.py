"""What the engine holds scripts and callers to: briefs, verdicts, payoffs, budgets, and arguments of the right type."""

from __future__ import annotations

import math
from typing import Any, ClassVar, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR, QUESTION, everywhere, scripted, speak
from pydantic_core import from_json

import moot
from moot.complexity.guarantee import guarantee_of
from moot.play.recorded import header
from moot.protocols.engine.base import Protocol, known_protocols
from moot.protocols.engine.budget import MEASURES, Account, Meter
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.market.payoffs import losses, most_lost
from moot.protocols.scoring import ScoringRule, most_paid, zero_sum
from moot.transcripts.display.words import ending
from moot.transcripts.events import EventLog

SAY = moot.Speech(text="so it is")
SURE = moot.Verdict(probabilities=(1.0, 0.0, 0.0))
RULES = st.builds(
    ScoringRule, rule=st.sampled_from(["log", "brier", "spherical"]), base=st.sampled_from([2.0, math.e, 10.0]),
    coefficient=st.sampled_from([0.5, 1.0, 3.0]), constant=st.sampled_from([0.0, 2.0, -7.0]),
)  # fmt: skip


def game_of(script: Any, **options: Any) -> moot.Game:
    return moot.Game(scripted(script), QUESTION, **options).start()


def beliefs(count: int) -> st.SearchStrategy[tuple[float, ...]]:
    """Beliefs over so many choices, certain ones among them."""
    some = st.lists(st.sampled_from([0.0, 0.0, 1e-6, 0.1, 1.0]), min_size=count, max_size=count).filter(any)
    return some.map(lambda parts: tuple(part / sum(parts) for part in parts))


# -- briefs ----------------------------------------------------------------------------------------------------------


def test_an_unknown_keyword_names_protocol_line_and_the_key_that_was_meant() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, answr=0)  # type: ignore[call-arg]

    says = r"protocol scripted failed at .*players\.py:\d+, .*no keyword 'answr'; did you mean 'answer'\?.*details="
    with pytest.raises(moot.ProtocolError, match=says):
        game_of(asks)


def test_a_brief_holds_what_was_given_and_nothing_else() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, task="speech", rounds=None, details={"mine": [1]})
        await floor.ask("a", moot.Speech)

    game = game_of(asks)
    assert game.request("0").brief == {"task": "speech", "rounds": None, "details": {"mine": [1]}}
    game.answer("0", SAY)
    assert game.request("1").brief == {}


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_a_verdict_over_other_choices_than_those_shown_is_refused_and_can_be_mended() -> None:
    async def asks(floor: Floor) -> None:
        await floor.ask("judge", moot.Price, view=floor.only("Which?", choices=("x", "y", "z")))
        await floor.ask("judge", moot.Verdict, view=floor.only("What?"))

    def act(request: moot.Request) -> Any:
        if moot.Price in request.kinds:
            return moot.Price(probabilities=SURE.probabilities if request.attempt else (0.5, 0.5))
        return SURE if not request.view.question.choices else speak(request)

    protocol = scripted(asks)
    transcript = moot.run(protocol, QUESTION, everywhere(protocol, act))
    (rejected,) = (event for event in transcript.events() if event["event"] == "rejected")
    assert rejected["rule"] == "the verdict has 2 probabilities for 3 choices"
    assert isinstance(transcript.outcome, moot.Decided)
    assert moot.replay(transcript, protocol).digest == transcript.digest


@pytest.mark.parametrize(
    ("end", "says"),
    [
        (moot.Decided(SURE), "protocol scripted decided 'Who sank the fleet.': the verdict has 3 probabilities for 2"),
        (moot.Decided(FAIR, {"jugde": 1.0}), "paid seat 'jugde'; did you mean 'judge'?; its seats are a, b, judge"),
        (moot.Forfeited(seat="c", rule="x"), "ended the play by seat 'c'; its seats are a, b, judge"),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_what_cannot_be_decided_is_the_protocols_fault(end: moot.Outcome, says: str, inside: bool) -> None:
    class Ends(Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"a": "debater", "b": "debater", "judge": "judge"}

        async def play(self, floor: Floor, question: moot.Question) -> Any:
            return end

    with pytest.raises(moot.ProtocolError) as caught:
        if inside:
            game_of(lambda floor: floor.play(Ends(), QUESTION))
        else:
            moot.Game(Ends(), QUESTION).start()
    for part in says.replace("scripted", "ends").replace("fleet.", "fleet?").split("?;"):
        assert part in str(caught.value)


# -- plays inside others -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seats", "paid"),
    [(None, {"a": 1.0, "b": -1.0}), ({"a": "b", "b": "a"}, {"b": 1.0, "a": -1.0}), ({"b": "a"}, {"a": 0.0})],
)
def test_payoffs_of_a_play_inside_are_those_of_our_seats(seats: dict[str, str] | None, paid: dict[str, float]) -> None:
    class Pays(Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"a": "debater", "b": "debater"}

        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            return moot.Decided(FAIR, {"a": 1.0, "b": -1.0})

    class Nests(Pays):
        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            return await floor.play(Pays(), question, seats)

    assert moot.Game(Nests(), QUESTION).start().outcome == moot.Decided(FAIR, paid)

    class Twice(Pays):
        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            return await floor.play(Nests(), question, {"a": "b", "b": "a"})

    swapped = {{"a": "b", "b": "a"}[seat]: amount for seat, amount in paid.items()}
    assert moot.Game(Twice(), QUESTION).start().outcome == moot.Decided(FAIR, swapped)


def test_who_forfeits_inside_is_named_as_outside() -> None:
    class GivesUp(Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"solver": "solver"}

        async def play(self, floor: Floor, question: moot.Question) -> Any:
            return moot.Forfeited(seat="solver", rule="no way on")

    outcome = game_of(lambda floor: floor.play(GivesUp(), QUESTION, {"solver": "b"})).outcome
    assert outcome == moot.Forfeited(seat="b", rule="no way on")


def test_what_is_no_protocol_is_not_played() -> None:
    class Fake:
        name = "fake"

        def roles(self, question: moot.Question) -> dict[str, str]:
            return {}

        def play(self, floor: Floor, question: moot.Question) -> Any: ...

    with pytest.raises(moot.ProtocolError, match=r"players\.py:\d+ plays .*floor\.play takes a Protocol"):
        game_of(lambda floor: floor.play(Fake(), QUESTION))


# -- outcomes and payoffs ------------------------------------------------------------------------------------------------


def test_what_a_play_pays_by_how_it_ended() -> None:
    debate = moot.Debate(scoring=ScoringRule(rule="brier"))
    nobody = {"a": None, "b": None, "judge": None}
    lost = moot.Exhausted(seat="a", measure="reads", used=2, limit=1)
    for outcome in (None, lost, moot.Errored(step="0", cause="x"), moot.Unreadable(step="0", seat="a", reason="x")):
        assert moot.payoffs_of(outcome, debate, QUESTION) == nobody
    assert moot.payoffs_of(moot.Decided(FAIR, {"a": 0.5, "b": -0.5}), debate, QUESTION) == {
        "a": 0.5,
        "b": -0.5,
        "judge": None,
    }
    forfeit = moot.Forfeited(seat="b", rule="x")
    assert moot.payoffs_of(forfeit, debate, QUESTION) == {**nobody, "b": -1.0}
    mute = moot.Forfeited(seat="consultant", rule="x")
    assert moot.payoffs_of(mute, moot.Consultancy(), QUESTION) == {"consultant": None, "judge": None}


@given(RULES, st.integers(2, 4).flatmap(beliefs))
def test_no_verdict_pays_more_than_a_certain_one(rule: ScoringRule, belief: tuple[float, ...]) -> None:
    seats = [str(place) for place in range(len(belief))]
    most = most_paid(rule, len(belief))
    assert max(map(abs, zero_sum(rule, belief, seats).values())) <= most * (1 + 1e-12)
    assert most == zero_sum(rule, (*[0.0] * (len(belief) - 1), 1.0), seats)[seats[-1]] > 0


@given(
    RULES, st.lists(beliefs(3), min_size=1, max_size=5), beliefs(3), st.sampled_from(["abs_move", "lmsr"]), st.data()
)
def test_no_market_loses_more_than_its_bound(
    rule: ScoringRule, prices: Any, final: Any, reward: Any, data: Any
) -> None:
    b = data.draw(st.sampled_from([0.5, 2.0]))
    last = data.draw(st.sampled_from(["judge", "market"]))
    lost = losses(prices, final, scoring=rule, reward=reward, last=last, b=b)
    most = most_lost(len(prices) - 1, scoring=rule, reward=reward, b=b)
    assert max(abs(sum(lost.market)), abs(sum(lost.adversary))) <= most * (1 + 1e-12)


def test_an_unreadable_answer_ends_the_play_and_is_told_everywhere() -> None:
    log = EventLog((lines := list[bytes]()).append)
    game = moot.Game(moot.DirectQA(), QUESTION, recorder=log, bounds={"judge": {"reads": 9}})
    log.event("started", header(moot.DirectQA(), QUESTION, limits={"judge": {"reads": 9}}))
    game.start().unreadable("0", "no \ud800 move in it", reads=3)
    transcript = moot.Transcript(lines)
    assert transcript.outcome == moot.Unreadable(step="0", seat="judge", reason="no \\ud800 move in it")
    assert moot.replay(transcript).digest == transcript.digest
    assert ending(transcript) == "Unreadable at step 0: what judge said: no \\ud800 move in it"
    assert transcript.ledger.seats["judge"].reads == 3 and not guarantee_of(transcript).holds


# -- budgets --------------------------------------------------------------------------------------------------------------


def test_whoever_spends_sees_what_is_left() -> None:
    account = Account({"reads": 10, "reads_per_call": 6, "tokens": 100})
    account.charge("reads", 3)
    meter = Meter(account)
    meter.read(2)
    meter.charge("tokens", 30)
    meter.reserve("tokens", 70)
    left = {measure: meter.left(measure) for measure in MEASURES}
    assert left == {
        "reads": 5,
        "reads_per_call": 4,
        "tokens": 70,
        "queries": None,
        "calls": None,
        "seconds": None,
        "computes": None,
    }
    assert (meter.limit("reads"), meter.limit("calls"), meter.reads, meter.spent) == (10, None, 2, {"tokens": 30})
    for measure, amount in (("reads", 5), ("reads", 6), ("tokens", 71)):
        with pytest.raises(moot.BudgetExceeded):
            meter.read(amount) if measure == "reads" else meter.charge(measure, amount)
    assert (meter.left("reads"), meter.left("tokens"), Meter().left("reads")) == (5, 70, None)
    with pytest.raises(moot.UsageError, match="no measure is called 'read'; there are reads"):
        meter.left("read")


def test_a_judge_reads_as_long_as_its_budget_lasts() -> None:
    def careful(request: moot.Request) -> moot.Verdict:
        for entry in request.view:
            left = request.budget.left("reads")
            if left is not None and left < len(entry.move.content()):
                break
        return FAIR

    def judged(judge: Any) -> moot.Transcript:
        return moot.run(moot.Debate(rounds=3), QUESTION, everywhere(moot.Debate(), lambda request: SAY, judge=judge))

    transcript = judged(moot.Bounded(careful, reads=len(SAY.text) * 3 + 1))
    assert isinstance(transcript.outcome, moot.Decided)
    assert transcript.ledger.seats["judge"].reads == len(SAY.text) * 3
    assert judged(careful).ledger.seats["judge"].reads == len(SAY.text) * 6


# -- arguments ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seed": "x"}, "seed is 'x'; it must be of type int"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": None}, "seed is None"),
        ({"seed": True}, "seed is True"),
        ({"question": "Who?"}, "question is 'Who?'; it must be of type Question"),
        ({"protocol": moot.Debate}, "must be of type Protocol"),
        ({"bounds": {"jugde": {"reads": 1}}}, "no seat 'jugde' to bound; did you mean 'judge'"),
        ({"bounds": {"judge": {"read": 1}}}, "seat judge: no measure is called 'read'; there are reads"),
    ],
)
def test_a_game_refuses_what_is_of_the_wrong_type(arguments: dict[str, Any], says: str) -> None:
    given = {"protocol": moot.Debate(), "question": QUESTION, **arguments}
    with pytest.raises(moot.UsageError) as caught:
        moot.Game(given.pop("protocol"), given.pop("question"), **given)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((3,), "text"),
        (("Who?", 5), "choices is 5; give a tuple of answers"),
        (("Who?", {"x": 1, "y": 2}), "give a tuple of answers"),
        (("Who?", "yes"), "choices is 'yes'"),
        (("Who?", ("x", 2)), "choices.1"),
    ],
)
def test_a_question_refuses_what_is_of_the_wrong_type(arguments: Any, says: str) -> None:
    with pytest.raises(moot.UsageError, match=says):
        moot.Question(*arguments)


@pytest.mark.parametrize("fields", [{"size": True}, {"size": 2.5}, {"size": "9"}, {"data": object()}, {"passage": 7}])
def test_a_question_refuses_fields_of_the_wrong_type(fields: dict[str, Any]) -> None:
    with pytest.raises(moot.UsageError, match=next(iter(fields))):
        moot.Question("Who?", ("x", "y"), **fields)


def test_a_sample_is_made_of_a_question() -> None:
    with pytest.raises(moot.UsageError, match="made of a Question, not of 'Who"):
        moot.Sample("Who?")  # type: ignore[arg-type]


def _kinds(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation} if not inner else set().union(*map(_kinds, inner))


NUMBERS = [
    (kind, name)
    for kind in known_protocols().values()
    if kind.__module__.startswith("moot.protocols.")
    for name, field in kind.model_fields.items()
    if _kinds(field.annotation) & {int, float}
]


@pytest.mark.parametrize(("kind", "name"), NUMBERS, ids=[f"{kind.name}-{name}" for kind, name in NUMBERS])
def test_a_number_out_of_range_is_refused_when_the_protocol_is_made(kind: type[Protocol], name: str) -> None:
    for number in (-(10**10), math.nan, "many"):
        with pytest.raises(moot.UsageError, match=rf"{kind.__name__}: {name}\b"):
            kind(**{name: number})


# -- at the edges ----------------------------------------------------------------------------------------------------------


class Keeps(Protocol):
    """Keeps what was given, once it stands."""

    kept: ClassVar[list[Any]] = []

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "judge": "judge"}

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", moot.Speech, check=shortened_to_two, keep=self.kept.append)
        return moot.Decided(await floor.ask("judge", moot.Verdict), step=floor.step)


def shortened_to_two(move: Any) -> Any:
    if "!" in move.text:
        raise Illegal("no shouting", stands=lambda: moot.Speech(text=move.text.strip("!")))
    return move if len(move.text) < 3 else moot.Speech(text=move.text[:2])


def test_what_stands_is_kept_once_as_it_was_given() -> None:
    Keeps.kept.clear()
    game = moot.Game(Keeps(), QUESTION).start()
    assert not game.answer("0", {"text": 3}) and Keeps.kept == []
    assert game.answer("0", moot.Speech(text="long")) and Keeps.kept == [moot.Speech(text="long")]


def test_history_is_recorded_as_it_was_given_and_as_it_stands() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    game = moot.Game(Keeps(), QUESTION, recorder=log)
    log.event("started", header(Keeps(), QUESTION))
    game.start().answer("0", {"kind": "speech", "text": "a!"}, history=True)
    said = next(from_json(line) for line in lines if b'"event":"moved"' in line)
    assert (said["move"]["text"], said["raw"]["text"], said["remark"]) == ("a", "a!", "no shouting")
    assert said["size"] == 1
    game.answer("1", FAIR)
    decided = [from_json(line) for line in lines if b'"event":"moved"' in line][-1]
    assert "under" not in decided or decided["under"] is None
    assert decided.get("size", 0) == 0, "a verdict is no statement of the tree"


def test_a_step_that_nobody_was_asked_at_yet_has_spent_nothing() -> None:
    game = moot.Game(Keeps(), QUESTION).start()
    assert (game.meter("0").reads, game.meter("0").spent) == (0, {})


class Breaks(Keeps):
    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", moot.Speech)
        raise moot.UsageError("there is no such table")


def test_a_play_that_breaks_is_closed() -> None:
    game = moot.Game(Breaks(), QUESTION).start()
    with pytest.raises(moot.UsageError, match="no such table"):
        game.answer("0", moot.Speech(text="so"))
    assert game.open == {} and game.current is None


def test_the_hash_of_a_request_is_the_same_whether_it_is_recorded_or_not() -> None:
    async def talk(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, task="speech")
        await floor.ask("b", moot.Speech, task="speech")

    found = []
    for recorder in (None, EventLog(list[bytes]().append)):
        game = moot.Game(scripted(talk), QUESTION, recorder=recorder).start()
        game.answer("0", moot.Speech(text="so"))
        found.append(game.request("1").digest)
    assert found[0] == found[1] and len(found[0]) == 32


def test_who_is_exhausted_by_what_it_spent_had_read_nothing_more() -> None:
    log = EventLog((lines := list[bytes]()).append)

    async def talk(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, task="speech")

    game = moot.Game(scripted(talk), QUESTION, recorder=log, bounds={"a": {"tokens": 3}}).start()
    assert not game.answer("0", moot.Speech(text="so"), spent={"tokens": 4})
    failed = next(line for line in lines if b'"failed"' in line)
    assert b'"reads"' not in failed and isinstance(game.outcome, moot.Exhausted)


def test_branches_within_a_branch_ask_whom_it_may_ask() -> None:
    async def inner(floor: Floor) -> None:
        await floor.ask("a", moot.Speech, task="speech")

    async def outer(floor: Floor) -> None:
        await floor.parallel(inner(floor), inner(floor), seats=None)

    async def talk(floor: Floor) -> None:
        await floor.parallel(outer(floor), seats=["a"])

    game = moot.Game(scripted(talk), QUESTION).start()
    assert [each.ask.seat for each in game.open.values()] == ["a", "a"]

    async def strays(floor: Floor) -> None:
        await floor.parallel(outer(floor), seats=["b"])

    with pytest.raises(moot.ProtocolError, match="in a branch that does not name it"):
        moot.Game(scripted(strays), QUESTION).start()
