"""Judging a saved play again: with the choices in the other order, by another procedure, of a debate that nobody has judged."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from cli_calls import call, refused, said
from hypothesis import given, settings
from hypothesis import strategies as st
from players import everywhere, speak

import moot
from moot.agents.prompts.render import render
from moot.agents.prompts.templates import Templates
from moot.judges.looks import Flipped
from moot.testing import check_protocol
from moot.transcripts.replay import replay

QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"), passage="The storm sank it.")
THREE = moot.Question("Which?", choices=("one", "two", "three"))
SAMPLE = moot.Sample(QUESTION, truth=0)
DEBATE = moot.Debate(rounds=2)
PROCEDURES: list[tuple[Any, ...]] = [
    (), (moot.Deliberation(),), (moot.Deliberation(judges=2, rounds=0, rule="median"),), (moot.MarketPrices(),),
    (moot.MarketPrices(), moot.Questions(), moot.Deliberation(judges=2)),
]  # fmt: skip


def nobody(request: moot.Request) -> moot.Move:
    raise RuntimeError("whoever was recorded was asked")


def judging(request: moot.Request) -> moot.Move:
    """Believes by what it is shown, and draws by its seed."""
    if moot.Ask in request.kinds:
        return moot.Ask(text=f"What of {request.step}?")
    p = (len(request.view) + request.seed % 97) / 200
    others = len(request.view.question.choices) - 1
    probabilities = (p, *([(1 - p) / others] * others))
    return (moot.Price if moot.Price in request.kinds else moot.Verdict)(probabilities=probabilities, text=request.seat)


def by_place(request: moot.Request) -> moot.Move:
    count = len(request.view.question.choices)
    return moot.Verdict.sure(0, count)


def by_words(request: moot.Request) -> moot.Move:
    choices = request.view.question.choices
    return moot.Verdict.sure(choices.index("the admiral"), len(choices))


def believed(play: moot.Transcript) -> tuple[float, ...]:
    assert isinstance(play.outcome, moot.Decided), play.outcome
    return play.outcome.verdict.probabilities


@pytest.fixture(scope="module")
def saved(tmp_path_factory: Any) -> moot.Transcript:
    path = tmp_path_factory.mktemp("saved") / "d.jsonl"
    return moot.run(DEBATE, SAMPLE, everywhere(DEBATE, speak), seed=5, out=path)


@pytest.mark.parametrize(
    "repeat",
    [(moot.Feedback(), moot.Speeches()), (moot.Speeches(), moot.Feedback(), moot.Feedback()), (moot.Feedback(),) * 2],
)
def test_a_belief_after_some_rounds_is_never_what_the_first_judge_said(repeat: Any) -> None:
    """Where the verdict comes earlier, it stands at a step at which the longer debate may have had the judge's feedback."""
    protocol = moot.Debate(rounds=3, repeat=repeat)
    whole = moot.run(protocol, SAMPLE, {"debater": speak, "judge": lambda request: moot.Verdict.sure(1)}, seed=2)
    found = moot.beliefs(whole, lambda request: moot.Verdict(probabilities=(0.5, 0.5)))
    assert [belief.probabilities for belief in found] == [(0.5, 0.5)] * 4


def test_feedback_is_as_recorded_where_no_judge_ended_the_play() -> None:
    def fails(request: moot.Request) -> moot.Move:
        assert request.brief["task"] == "feedback"
        return moot.Verdict(probabilities=(0.25, 0.75))

    protocol = moot.Debate(rounds=2, repeat=(moot.Feedback(), moot.Speeches()))
    whole = moot.run(protocol, SAMPLE, {"debater": speak, "judge": fails})
    assert isinstance(whole.outcome, moot.Errored)
    asked: list[str] = []

    def anew(request: moot.Request) -> moot.Move:
        asked.append(request.brief["task"])
        return moot.Verdict.sure(1)

    again = moot.rejudge(whole, anew, upto=2)
    assert asked == ["verdict"] and believed(again) == (0, 1)


# -- the choices in the other order --------------------------------------------------------------------------------------


def test_a_judge_that_goes_by_place_is_caught(saved: moot.Transcript) -> None:
    assert believed(moot.rejudge(saved, by_place)) == (1, 0)
    flipped = moot.rejudge(saved, by_place, flip=True)
    assert believed(flipped) == (0, 1)
    assert believed(moot.rejudge(saved, by_words)) == believed(moot.rejudge(saved, by_words, flip=True)) == (0, 1)
    assert flipped.parent and flipped.parent["flip"] is True and flipped.seats["judge"]["agent"] == "flipped"
    assert "flip" not in (moot.rejudge(saved, by_place).parent or {})
    assert flipped.question == saved.question and replay(flipped).requests_compared


def test_more_than_two_are_reversed() -> None:
    play = moot.run(moot.DirectQA(), THREE, {"judge": by_place})
    assert believed(moot.rejudge(play, by_place, flip=True)) == (0, 0, 1)


def seen_by(judge: Any, whole: moot.Transcript, **options: Any) -> tuple[list[Any], moot.Transcript]:
    seen: list[Any] = []

    def looking(request: moot.Request) -> moot.Move:
        facts = request.facts
        assert facts is not None
        seen.append((
            request.view.question, list(request.view), request.brief, request.seed, facts.answers(list(request.view)),
            request.view.has_passage, request.rejected,
        ))  # fmt: skip
        return judging(request)

    return seen, moot.rejudge(whole, judge(looking), **options)


@settings(max_examples=20, deadline=None)
@given(
    protocol=st.sampled_from([
        moot.Debate(rounds=2, repeat=(moot.Speeches(), moot.Feedback())), moot.OpenDebate(rounds=1, judge_source="all"),
        moot.OpenConsultancy(rounds=1), moot.Debate(rounds=1, judge_source="metered"),
    ]),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_flipped_twice_is_not_flipped(protocol: moot.Debate, seed: int) -> None:
    whole = moot.run(protocol, SAMPLE, everywhere(protocol, speak), seed=seed)
    options: dict[str, Any] = {"stale": True, "seed": seed}
    plain, once = seen_by(lambda judge: judge, whole, **options)
    twice, again = seen_by(lambda judge: Flipped(judge), whole, flip=True, **options)
    assert plain == twice and again.digest == once.digest
    other, _ = seen_by(lambda judge: judge, whole, flip=True, **options)
    for (question, entries, brief, drawn, answers, has, _), was in zip(other, plain, strict=True):
        assert question.choices == was[0].choices[::-1] and question.passage == was[0].passage and has == was[5]
        assert answers == {seat: 1 - choice for seat, choice in was[4].items()} and drawn == was[3] and brief == was[2]
        for entry, old in zip(entries, was[1], strict=True):
            if (
                isinstance(old.move, moot.Verdict) and len(entries) <= 2
            ):  # (later ones follow from what was said before)
                assert entry.move.content() == old.move.content()
            if isinstance(old.move, moot.Answer):
                assert entry.move.choice == 1 - old.move.choice


@pytest.mark.parametrize("judge", [Flipped, moot.BothOrders])
@pytest.mark.parametrize(
    "protocol", [moot.Debate(rounds=1), moot.Consultancy(rounds=1), moot.OpenDebate(rounds=1), moot.OpenConsultancy()]
)
def test_no_prompt_tells_of_the_other_order(protocol: moot.Debate, judge: Any) -> None:
    """Wherever a number of an answer stands with its text, in system message, record or task, it is the one shown."""
    found: list[bool] = []

    def reading(request: moot.Request) -> moot.Move:
        prompt, choices = render(request, Templates(), ""), request.view.question.choices
        told = re.findall(r"answer (\d+): (a storm|the admiral)", f"{prompt.system} {prompt.task}")
        found.extend(choices[int(number) - 1] == text for number, text in told)
        return moot.Verdict.sure(0)

    whole = moot.run(protocol, SAMPLE, everywhere(protocol, speak), seed=3)
    assert isinstance(moot.rejudge(whole, judge(reading)).outcome, moot.Decided)
    assert found and all(found)


def test_an_answer_that_was_proposed_is_judged_in_either_order() -> None:
    """Its judge is asked about other choices than the question of the play has: none."""
    proposed = moot.Proposal(answer="42", text="It is.")
    act = {"proposer": lambda r: proposed if moot.Proposal in r.kinds else speak(r), "critic": speak, "judge": speak}
    play = moot.run(moot.ProposerCritic(rounds=0), moot.Question("What is 6 times 7?"), act)
    assert believed(moot.rejudge(play, by_place, flip=True)) == (0, 1)
    assert believed(moot.rejudge(play, moot.BothOrders(by_place))) == (0.5, 0.5)


@pytest.mark.parametrize("source", ["none", "metered", "all"])
def test_flipping_costs_nothing(source: Any) -> None:
    protocol = moot.Debate(rounds=1, judge_source=source)
    whole = moot.run(protocol, QUESTION, everywhere(protocol, speak), seed=1)

    def reads(request: moot.Request) -> moot.Move:
        assert request.view.question.choices and list(request.view)
        return moot.Verdict(probabilities=(0.5, 0.5))

    plays = [moot.rejudge(whole, moot.Bounded(reads, reads=10_000), flip=flip) for flip in (False, True)]
    spent = [play.ledger.spent("judge", "reads") for play in plays]
    assert spent[0] == spent[1] and spent[0]
    short = moot.rejudge(whole, moot.Bounded(reads, reads=int(spent[0]) - 1), flip=True)
    assert isinstance(short.outcome, moot.Exhausted)


def test_a_verdict_that_was_rejected_is_shown_as_it_was_given() -> None:
    class Strict(moot.Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"judge": "judge"}

        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            def sure(verdict: moot.Verdict) -> moot.Verdict:
                if max(verdict.probabilities) < 0.9:
                    raise moot.Illegal("be sure")
                return verdict

            return moot.Decided(await floor.ask("judge", moot.Verdict, check=sure, task="verdict"))

    told: list[Any] = []

    def unsure(request: moot.Request) -> Any:
        told.append(request.rejected)
        if request.attempt == 0:
            return {"kind": "verdict", "probabilities": [0.7, 0.3]}
        return {"kind": "verdict", "probabilities": [0.95, 0.05]}

    whole = moot.run(Strict(), QUESTION, {"judge": by_place}, seed=1)
    play = moot.rejudge(whole, unsure, flip=True, protocol=Strict())
    assert told[0] is None and told[1]["probabilities"] == [0.7, 0.3] and believed(play) == (0.05, 0.95)
    (rejected,) = (event for event in play.events() if event["event"] == "rejected")
    assert rejected["move"]["probabilities"] == [0.3, 0.7]
    for odd in (None, {"kind": "verdict", "probabilities": [1, 0, 0]}, "no", moot.Speech(text="no")):
        play = moot.rejudge(whole, lambda request: odd, flip=True, protocol=Strict())  # noqa: B023
        assert isinstance(play.outcome, moot.Forfeited)


# -- another procedure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("procedure", PROCEDURES, ids=str)
@pytest.mark.parametrize("source", [
    DEBATE, moot.Debate(rounds=1, closing=(moot.Speeches(order="sequential"), moot.Feedback())), moot.Consultancy(rounds=1),
    moot.OpenDebate(rounds=1), moot.InteractiveDebate(rounds=1, examiner=True),
], ids=lambda protocol: protocol.name)  # fmt: skip
def test_a_procedure_takes_what_was_said_from_the_recording(source: moot.Debate, procedure: Any) -> None:
    whole = moot.run(source, SAMPLE, everywhere(source, speak), seed=3)
    if source.name == "interactive-debate" and moot.Questions() in procedure:
        pytest.skip("the examiner asks")
    helpers = {"market": judging} if any(part.part == "market-prices" for part in procedure) else {}
    play = moot.rejudge(whole, judging, procedure=procedure, seats=helpers)
    said = [(s.step, s.seat, s.move) for s in whole.steps() if s.seat != "judge"]
    again = [(s.step, s.seat, s.move) for s in play.steps() if not s.seat.startswith(("judge", "market"))]
    assert said == again and believed(play) and replay(play).requests_compared
    assert play.protocol.closing == (*[p for p in source.closing if p.part == "speeches"], *procedure)  # type: ignore[attr-defined]
    assert moot.rejudge(whole, judging, procedure=procedure, seats=helpers, seed=4).digest != play.digest
    same = moot.rejudge(whole, judging, protocol=play.protocol, seats=helpers)
    assert same.digest == play.digest


def test_the_laws_hold_of_each_procedure() -> None:
    check_protocol(moot.Debate(rounds=1, closing=(moot.MarketPrices(), moot.Deliberation(judges=2))), examples=5)
    check_protocol(moot.Debate(rounds=1, judged=False), examples=5)


def test_judges_deliberate(saved: moot.Transcript) -> None:
    shown: dict[tuple[str, str], list[str]] = {}

    def juror(p: float) -> Any:
        def judge(request: moot.Request) -> moot.Move:
            heard = [entry.seat for entry in request.view if entry.seat.startswith("judge")]
            shown[request.seat, str(request.brief["task"]) + str(request.brief.get("round", ""))] = heard
            return moot.Verdict(probabilities=(p, 1 - p), text=f"{request.seat}, {request.step}")

        return judge

    panel = (moot.Deliberation(judges=3, rounds=2),)
    play = moot.rejudge(saved, juror(0.2), procedure=panel, seats={"judge2": juror(0.5), "judge3": juror(0.8)})
    assert believed(play) == pytest.approx((0.5, 0.5))
    three = ["judge", "judge2", "judge3"]
    for seat in three:
        assert shown[seat, "deliberate1"] == [] and shown[seat, "deliberate2"] == three
        assert shown[seat, "verdict"] == three * 2
    assert not play.guarantee.holds and play.guarantee.complexity_class is None
    skewed = {"judge2": juror(0.2), "judge3": juror(0.8)}
    median = moot.rejudge(saved, juror(0.2), procedure=(moot.Deliberation(rounds=0, rule="median"),), seats=skewed)
    assert believed(median) == pytest.approx((0.2, 0.8))


def test_a_market_prices_each_statement(saved: moot.Transcript) -> None:
    seen: list[int] = []

    def market(request: moot.Request) -> moot.Move:
        seen.append(len(request.view))
        p = len(request.view) / 10
        return moot.Price(probabilities=(p, 1 - p))

    def judge(request: moot.Request) -> moot.Move:
        assert not any(isinstance(entry.move, moot.Price) for entry in request.view)
        return by_place(request)

    play = moot.rejudge(saved, judge, procedure=(moot.MarketPrices(),), seats={"market": market})
    assert seen == [0, 1, 2, 3, 4] and believed(play) == (1, 0)
    assert play.answers["market"] == (0.4, 0.6) and replay(play).requests_compared


def test_who_helps_is_live_and_never_answered_from_the_recording(saved: moot.Transcript, tmp_path: Path) -> None:
    """A play that was judged with a market is judged again with another: at equal requests the new one is asked."""

    def market(p: float) -> Any:
        return lambda request: moot.Price(probabilities=(p, 1 - p))

    first = moot.rejudge(
        saved, by_place, procedure=(moot.MarketPrices(),), seats={"market": market(0.25)}, out=tmp_path / "f.jsonl"
    )
    other = moot.Deliberation(judges=2, rounds=0)
    second = moot.rejudge(first, by_place, procedure=(moot.MarketPrices(), other), seats={"market": market(0.75)})
    assert second.parent and second.parent["live"] == ["market"]
    assert {tuple(s.move["probabilities"]) for s in second.steps() if s.seat == "market"} == {(0.75, 0.25)}
    with pytest.raises(moot.UsageError, match="the procedure asks 'market'"):
        moot.rejudge(first, by_place, procedure=(moot.MarketPrices(), other))
    kept = moot.rejudge(first, by_words)  # the same procedure: the market's prices are kept
    assert {tuple(s.move["probabilities"]) for s in kept.steps() if s.seat == "market"} == {(0.25, 0.75)}
    alone = moot.rejudge(first, by_words, procedure=())
    assert alone.protocol == DEBATE and alone.digest == moot.rejudge(saved, by_words).digest


@pytest.mark.parametrize("rounds", [0, 1, 2])
def test_a_procedure_after_some_of_the_rounds(rounds: int) -> None:
    asking = moot.Debate(rounds=2, questions=True, closing=(moot.Speeches(),))
    whole = moot.run(asking, SAMPLE, everywhere(asking, speak), seed=9)
    procedure = (moot.Questions(), moot.MarketPrices(), moot.Deliberation(judges=2))
    play = moot.rejudge(whole, judging, procedure=procedure, upto=rounds, seats={"market": judging})
    steps = [s for s in play.steps() if s.seat in "ab"]
    assert len(steps) == 2 * rounds and replay(play).requests_compared
    asked = [s.move["text"] for s in play.steps() if s.move["kind"] == "ask"]
    live = [
        text.startswith("What of ") for text in asked
    ]  # those of the procedure, and of the round that is now followed
    assert live == [[True], [True, True], [False, True, True]][rounds]


@pytest.mark.parametrize(("options", "problem"), [
    ({"procedure": (moot.Speeches(),)}, "Speeches debaters speak"),
    ({"procedure": moot.Deliberation()}, "tuple of parts"),
    ({"procedure": ("market",)}, "tuple of parts"),
    ({"procedure": (moot.MarketPrices(),)}, "nobody was given who answers there"),
    ({"procedure": (moot.MarketPrices(to="a"),)}, "seat 'a' is the debater's"),
    ({"procedure": (moot.Deliberation(), moot.Questions())}, "let it be the last part"),
    ({"protocol": moot.Debate(rounds=3)}, r"recorded with rounds=2, and is to be judged with rounds=3"),
    ({"protocol": moot.Debate(rounds=2, closing=(moot.Speeches(),))}, "is to be judged with closing="),
    ({"protocol": moot.DirectQA(), "procedure": (moot.Deliberation(),)}, "has no parts to judge by"),
])  # fmt: skip
def test_what_cannot_be_judged_so(saved: moot.Transcript, options: Any, problem: str, tmp_path: Path) -> None:
    with pytest.raises(moot.UsageError, match=problem):
        moot.rejudge(saved, judging, out=tmp_path / "r.jsonl", **options)
    assert not (tmp_path / "r.jsonl").exists()


# -- broken off, and taken up again --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [
    {"flip": True}, {"procedure": (moot.MarketPrices(), moot.Deliberation(judges=2)), "flip": True},
    {"procedure": (moot.Questions(), moot.MarketPrices()), "upto": 1},
], ids=str)  # fmt: skip
def test_resumed_from_every_event(tmp_path: Path, options: Any) -> None:
    asking = moot.Debate(rounds=2, questions=True)
    source = moot.run(asking, SAMPLE, everywhere(asking, speak), seed=9, out=tmp_path / "source.jsonl")
    helpers = {"market": judging} if "procedure" in options else {}
    more: dict[str, Any] = {} if "upto" in options else {"stale": True}
    whole = moot.rejudge(source, judging, seats=helpers, seed=3, out=tmp_path / "w.jsonl", **options, **more)
    lines = list(whole.lines())
    path = tmp_path / "cut.jsonl"
    for count in range(1, len(lines)):
        path.write_bytes(b"".join(lines[:count]))
        again = moot.resume(path, {"a": nobody, "b": nobody, "judge": judging, "judge2": judging, **helpers}
                            if "judge2" in whole.seats else {"a": nobody, "b": nobody, "judge": judging, **helpers})  # fmt: skip
        assert again.digest == whole.digest, count
        assert again.seats == whole.seats and again.parent == whole.parent


# -- a debate that nobody has judged -------------------------------------------------------------------------------------


def test_a_debate_is_held_to_be_judged_later(tmp_path: Path) -> None:
    held = moot.Debate(rounds=2, judged=False)
    talk = {"debater": lambda request: speak(request)}
    play = moot.run(held, SAMPLE, talk, seed=5, out=tmp_path / "d.jsonl")
    assert play.outcome == moot.Unjudged() and list(play.started["roles"]) == ["a", "b"] and not play.guarantee.holds
    assert replay(play).requests_compared and moot.load(tmp_path / "d.jsonl").outcome == moot.Unjudged()
    again = moot.rejudge(play, judging)
    assert believed(again) and again.protocol == DEBATE and replay(again).requests_compared
    panel = moot.rejudge(play, judging, procedure=(moot.Deliberation(judges=2),), flip=True)
    assert believed(panel) and [s.move for s in panel.steps() if s.seat in "ab"] == [s.move for s in play.steps()]
    with pytest.raises(moot.UsageError, match="has ended"):
        moot.resume(tmp_path / "d.jsonl", talk)
    assert [each.rounds for each in moot.beliefs(play, judging)] == [0, 1, 2]
    assert "Unjudged" in said("show", str(tmp_path / "d.jsonl"))


@pytest.mark.parametrize(("options", "problem"), [
    ({"questions": True}, "judged=False leaves nobody to hold a part Questions"),
    ({"closing": (moot.Deliberation(),)}, "nobody to hold a part Deliberation"),
])  # fmt: skip
def test_what_needs_a_judge(options: Any, problem: str) -> None:
    with pytest.raises(moot.UsageError, match=problem):
        moot.run(moot.Debate(judged=False, **options), QUESTION, {"debater": speak})


def test_records_without_a_word_of_it_are_as_they_were() -> None:
    from moot.protocols.engine.base import record_of

    assert record_of(moot.Debate()) == {"name": "debate", "params": {}}
    made = moot.Debate(closing=(moot.Deliberation(judges=2),))
    assert type(made).from_record(record_of(made)["params"]) == made


# -- people, sealed and older transcripts --------------------------------------------------------------------------------


def test_a_person_judges_a_saved_play(saved: moot.Transcript, tmp_path: Path) -> None:
    shown: list[str] = []
    typed = iter(["b convinced me", ".", "80", "20"])
    person = moot.Human(lambda prompt: next(typed), shown.append, name="Ann")
    play = moot.rejudge(saved, person, flip=True, out=tmp_path / "ann.jsonl")
    assert believed(play) == pytest.approx((0.2, 0.8))  # 80 was for what stood first, which was the admiral
    assert play.seats["judge"]["members"] == [{"agent": "human", "name": "Ann"}] and replay(play).requests_compared
    assert play.parent and play.parent["digest"] == saved.digest and play.parent["flip"] is True
    text = "\n".join(shown)
    assert text.index("the admiral") < text.index("a storm")


def test_of_a_sealed_transcript(saved: moot.Transcript, tmp_path: Path) -> None:
    path = saved.save(tmp_path / "s.jsonl")
    said("seal", str(path))
    sealed = moot.load(tmp_path / "s.jsonl.zst")
    panel = (moot.Deliberation(judges=2),)
    assert (
        moot.rejudge(sealed, judging, procedure=panel, flip=True).digest
        == moot.rejudge(saved, judging, procedure=panel, flip=True).digest
    )


def test_at_the_command_line(saved: moot.Transcript, tmp_path: Path) -> None:
    judged = ("rejudge", str(saved.path), "--judge", "python:test_judging_again:by_place", "--json", "-o")
    said(*judged, str(tmp_path / "f.jsonl"), "--flip")
    assert believed(moot.load(tmp_path / "f.jsonl")) == (0, 1)
    parts = '[{"part": "market-prices"}, {"part": "deliberation", "judges": 2}]'
    market = ("--procedure", parts, "--seat", "market=python:test_judging_again:judging")
    told = json.loads(said(*judged, str(tmp_path / "p.jsonl"), *market))
    play = moot.load(tmp_path / "p.jsonl")
    assert told["digest"] == play.digest and {*play.seats} == {"market", "judge", "judge2"}
    assert play.protocol == moot.Debate(rounds=2, closing=(moot.MarketPrices(), moot.Deliberation(judges=2)))
    assert "nobody was given who answers" in refused(*judged, str(tmp_path / "w.jsonl"), *market[:2])
    for wrong, problem in (("[{", "JSON"), ('{"part": "deliberation"}', "list"), ('[{"part": "market-price"}]', "market-price"),
                           ('[{"part": "deliberation", "judges": 1}]', "judges")):  # fmt: skip
        assert problem in refused(*judged, str(tmp_path / "w.jsonl"), "--procedure", wrong)
    assert not (tmp_path / "w.jsonl").exists() and call("resume", str(tmp_path / "p.jsonl")).exit_code == 2
