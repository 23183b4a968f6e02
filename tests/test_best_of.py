"""Agents that draw several candidates: best of n, and critique and refine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from agent_kit import request_for
from candidates_kit import QUESTION, Request, act, chose, debate, draws, draws_later, likes_numbers, number
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.lm import LM
from moot.agents.wrappers.best_of import BestOf
from moot.agents.wrappers.critique_and_refine import CritiqueAndRefine
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Speech, Verdict
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI

few = settings(deadline=None, max_examples=40)


# -- best of n ---------------------------------------------------------------------------------------------------------


@few
@given(st.integers(0, 2**40), st.lists(st.integers(1, 12), min_size=2, max_size=2, unique=True), st.booleans())
def test_more_candidates_never_lower_the_score_of_the_chosen(seed: int, sizes: list[int], later: bool) -> None:
    agent = draws_later if later else draws

    def best_of(n: int, **by: Any) -> int:
        move = act(BestOf(agent, n, **by), seed=seed)[0]
        return int(move["text"] if isinstance(move, dict) else move.text)  # what one candidate says is left as it is

    less, more = (best_of(n, score=number) for n in sorted(sizes))
    assert less <= more
    assert [best_of(n, by=likes_numbers) for n in sorted(sizes)] == [less, more]


@pytest.mark.parametrize("agent", [draws, draws_later])
def test_the_best_of_one_is_the_agent(agent: Any) -> None:
    alone, one = debate(agent, seed=5), debate(BestOf(agent, 1, score=number), seed=5)
    assert one.digest == alone.digest
    assert act(BestOf(agent, 1, likes_numbers))[0] == act(BestOf(agent, 1, score=number))[0]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_play_with_the_best_of_four_is_recorded_and_replayed(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "d.jsonl"
    transcript = debate(BestOf(draws_later, 4, likes_numbers), out=path, backend=backend)
    assert isinstance(transcript.outcome, moot.Decided)
    assert moot.replay(moot.load(path)).digest == transcript.digest
    made = {step.step: step.move["text"] for step in transcript.steps() if step.seat == "a"}
    found = [event for event in transcript.events() if event["event"] == "chose"]
    assert [event["step"] for event in found] == list(made) and all(event["seat"] == "a" for event in found)
    for event in found:
        drawn = [int(move["text"]) for move in event["candidates"]]
        assert event["scores"] == [each / 100 for each in drawn] and event["failed"] == {}
        assert made[event["step"]] == str(max(drawn)) and event["chosen"] == drawn.index(max(drawn))
        assert len(set(drawn)) > 1  # each has a seed of its own
    assert transcript.seats["a"]["agent"] == "best-of" and transcript.seats["a"]["n"] == 4


def test_of_equal_scores_the_first_wins() -> None:
    move, notes = act(BestOf(draws, 6, score=lambda request, move: 1))
    assert move == act(BestOf(draws, 1, score=number))[0] and chose(notes)["chosen"] == 0


def test_the_preference_judge_sees_what_the_judge_would() -> None:
    seen: list[Request] = []

    def judge(request: Request) -> Verdict:
        seen.append(request)
        return Verdict(probabilities=(0.5, 0.5))

    quoting = lambda request: Speech(text="<quote>Nine ships</quote> <quote>Ten ships</quote>")  # noqa: E731
    act(BestOf(quoting, 3, judge))
    assert len(seen) == 3
    for request in seen:
        assert request.view.question.passage is None and request.kinds == (Verdict,) and request.role == "judge"
        assert dict(request.brief) == {"task": "judging/verdict"}
        quotes: Any = request.view[-1].move
        assert [quote.verified for quote in quotes.quotes] == [True, False] and request.view[-1].seat == "a"


@given(st.integers(2, 9), st.sets(st.integers(0, 8)), st.integers(1, 3))
@few
def test_a_candidate_that_fails_is_never_chosen(n: int, bad: set[int], least: int) -> None:
    seeds: list[int] = []

    def fails(request: Request) -> Speech:
        seeds.append(request.seed)
        if len(seeds) - 1 in bad:
            raise RuntimeError("out of order")
        return Speech(text=str(len(seeds) - 1))

    agent = BestOf(fails, n, score=number, least=min(n, least))
    good = [index for index in range(n) if index not in bad]
    notes: list[dict[str, Any]] = []
    request = request_for(Speech, notes=notes, answer=0)
    if len(good) < min(n, least):
        with pytest.raises(AgentError, match=f"{len(good)} of {n} candidates .*out of order"):
            anyio.run(agent.act, request)
        assert chose(notes)["chosen"] is None
    else:
        assert anyio.run(agent.act, request) == Speech(text=str(good[-1]))
    found = chose(notes)
    assert set(map(int, found["failed"])) == set(range(n)) - set(good) and len(set(seeds)) == n
    assert [found["scores"][index] is None for index in range(n)] == [index in bad for index in range(n)]


def test_what_gets_no_score_or_breaks_a_limit_is_not_chosen() -> None:
    def judge(request: Request) -> Verdict:
        if len(request.view[-1].move.content()) == 1:
            return Verdict(probabilities=(0.2, 0.3, 0.5))
        return likes_numbers(request)

    words = iter(["7", "21", "44 4", "  ", "30"])
    move, notes = act(BestOf(lambda request: Speech(text=next(words)), 5, judge), limit={"words": 1, "over": "reject"})
    assert move.text == "30"
    assert {int(key): text.split(":")[0] for key, text in chose(notes)["failed"].items()} == {
        0: "no score", 2: "Illegal", 3: "Illegal"
    }  # fmt: skip
    with pytest.raises(AgentError, match="0 of 2 .*no finite number"):
        act(BestOf(draws, 2, score=lambda request, move: float("nan")))


def test_a_failure_is_an_error_of_the_play_and_no_verdict() -> None:
    def broken(request: Request) -> Speech:
        raise RuntimeError("out of order")

    outcome = debate(BestOf(broken, 3, score=number)).outcome
    assert isinstance(outcome, moot.Errored) and "0 of 3 candidates" in outcome.cause


def test_only_moves_that_argue_are_drawn_more_than_once() -> None:
    calls: list[str] = []

    def anything(request: Request) -> Any:
        calls.append(request.kinds[0].__name__)
        return moot.Answer(choice=1) if moot.Answer in request.kinds else draws(request)

    seats = {"a": BestOf(anything, 3, likes_numbers), "b": draws, "judge": lambda r: Verdict(probabilities=(0.5, 0.5))}
    assert isinstance(moot.run(moot.OpenDebate(rounds=1), QUESTION, seats).outcome, moot.Decided)
    assert calls == ["Answer"] + ["Speech"] * 3


def test_a_critic_prefers_what_lowers_the_belief_in_what_it_criticises() -> None:
    judge = likes_numbers  # the number speaks for answer 0
    found = [int(act(BestOf(draws, 8, judge), answer=None, against=against)[0].text) for against in (0, 1)]
    drawn = [int(move["text"]) for move in chose(act(BestOf(draws, 8, judge))[1])["candidates"]]
    assert found == [min(drawn), max(drawn)]
    with pytest.raises(UsageError, match="defends no answer"):
        act(BestOf(draws, 2, judge), answer=None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BestOf(draws, 0, likes_numbers),
        lambda: BestOf(draws, True, likes_numbers),
        lambda: BestOf(draws, 2.5, likes_numbers),  # type: ignore[arg-type]
        lambda: BestOf(draws, 3, likes_numbers, least=4),
        lambda: BestOf(draws, 3),
        lambda: BestOf(draws, 3, likes_numbers, score=number),
        lambda: BestOf(draws, 3, score=3),  # type: ignore[arg-type]
        lambda: BestOf(3, 3, likes_numbers),
        lambda: BestOf(draws, 3, 3),
        lambda: CritiqueAndRefine(draws, draws, critiques=2),
        lambda: CritiqueAndRefine(draws, draws, rounds=-1),
        lambda: CritiqueAndRefine(draws, 7),
    ],
)
def test_what_makes_no_sense_is_refused(make: Any) -> None:
    with pytest.raises(UsageError):
        make()


# -- over a language model ---------------------------------------------------------------------------------------------


def model_says(body: dict[str, Any]) -> str:
    said = {"kind": "speech", "text": str(body["seed"])}
    if "verdict" in json.dumps(body.get("response_format")):
        said = {"kind": "verdict", "text": "", "probabilities": {"1": 0.5, "2": 0.5}}  # type: ignore[dict-item]
    return json.dumps(said)


@pytest.mark.parametrize("judged", [False, True])
def test_n_calls_to_a_model_are_n_attempts_with_their_cost(judged: bool, tmp_path: Path) -> None:
    mock = MockOpenAI(reply=model_says)
    cache = tmp_path / "cache.sqlite"
    with mock.serve() as url:
        for again in (False, True):
            lm = LM("mock", base_url=url, prices=(1.0, 1.0, 1.0), cache=cache)
            judge = LM("mock", base_url=url, prices=(1.0, 1.0, 1.0)) if judged else None
            by: Any = {"by": judge} if judge else {"score": number}
            agent = BestOf(lm, 5, **by, one_call=False)
            transcript = debate(agent)
            assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
            spent, each = transcript.ledger.seats["a"], 10 if judged else 5
            assert spent.calls == 2 and spent.attempts == 2 * each and spent.cost is not None
            attempts = [event for event in transcript.events() if event["event"] == "attempted"]
            drawn = [event["candidate"] for event in attempts if "candidate" in event]
            assert sorted(drawn) == sorted([0, 1, 2, 3, 4] * 2)
            assert sorted(event["judging"] for event in attempts if "judging" in event) == sorted(
                [0, 1, 2, 3, 4] * (2 if judged else 0)
            )
            assert mock.count == 10 + (10 * (1 + again) if judged else 0)  # the second time candidates are in the cache
            found = [event for event in transcript.events() if event["event"] == "chose"]
            assert all(len({move["text"] for move in event["candidates"]}) == 5 for event in found)
            if not again:
                assert spent.cost > 0 and moot.replay(transcript).digest == transcript.digest


def test_a_bounded_seat_stops_before_the_candidate_that_is_too_much() -> None:
    mock = MockOpenAI(reply=model_says)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, max_tokens=16)
        one = debate(moot.Bounded(lm, tokens=100_000)).ledger.spent("a", "tokens")
        assert one is not None
        mock.count = 0
        transcript = debate(moot.Bounded(BestOf(lm, 50, score=number), tokens=20_000))
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.seat, outcome.measure) == ("a", "tokens")
    assert 0 < mock.count < 50
    used = sum((event["prompt_tokens"] or 0) + (event["completion_tokens"] or 0)
               for event in transcript.events() if event["event"] == "attempted")  # fmt: skip
    assert used <= 20_000


# -- all candidates from one call ---------------------------------------------------------------------------------------


def drawn_in_play(mock: MockOpenAI, n: int = 16, rounds: int = 2, **options: Any) -> moot.Transcript:
    with mock.serve() as url:
        lm = LM("mock", base_url=url, prices=(1.0, 1.0), **options)
        seats = {
            "a": BestOf(lm, n, score=number),
            "b": LM("mock", base_url=url, prices=(1, 1)),
            "judge": LM("mock", base_url=url),
        }
        return moot.run(moot.Debate(rounds=rounds, questions=False), QUESTION, seats)


def test_sixteen_candidates_are_one_call_paid_once() -> None:
    mock = MockOpenAI(reply=model_says)
    transcript = drawn_in_play(mock)
    assert mock.count == 5 and [call.body.get("n") for call in mock.calls].count(16) == 2
    spent = transcript.ledger.seats["a"]
    attempts = [event for event in transcript.events() if event["event"] == "attempted" and event["seat"] == "a"]
    assert [event["n"] for event in attempts] == [16, 16] and spent.attempts == 2 and spent.calls == 2
    chosen = [event for event in transcript.events() if event["event"] == "chose"]
    for event, attempt in zip(chosen, attempts, strict=True):
        texts = [move["text"] for move in event["candidates"]]
        assert (
            len(set(texts)) == 16 and event["failed"] == {} and event["scores"][event["chosen"]] == max(map(int, texts))
        )
        assert attempt["completion_tokens"] > 16 * 10 and attempt["prompt_tokens"] < 2000
    answered = [event for event in transcript.events() if event["event"] == "answered" and event["seat"] == "a"]
    assert [event["candidate"] for event in answered] == [*range(16), *range(16)]
    assert moot.replay(transcript).digest == transcript.digest


def test_each_candidate_is_read_by_itself() -> None:
    def says(body: dict[str, Any]) -> str:
        return model_says(body) if body["seed"] % 3 or body.get("n") is None else "I would rather not."

    transcript = drawn_in_play(MockOpenAI(reply=says), n=9, structured="schema")
    for event in transcript.events():
        if event["event"] == "chose":
            assert len(event["failed"]) == 3 and event["candidates"].count(None) == 3
            assert all("UnreadableAnswer" in why or "kind" in why or "JSON" in why for why in event["failed"].values())
        elif event["event"] == "attempted" and "n" in event:
            assert event["unreadable"] == 3 and event["ok"]


@pytest.mark.parametrize("how", [False, "ignored"])
def test_an_endpoint_that_gives_one_answer_is_asked_n_times(how: Any) -> None:
    """A refusal costs one call for each that was under way when it came; an endpoint that ignores it, none: the answer counts."""
    mock = MockOpenAI(reply=model_says, n_supported=how)
    transcript = drawn_in_play(mock, n=4, rounds=3)
    assert isinstance(transcript.outcome, moot.Decided)
    assert mock.count == 3 * 4 + 3 + 1 + (how is False) and [call.body.get("n") for call in mock.calls].count(4) == 1
    found = [event for event in transcript.events() if event["event"] == "chose"]
    assert all(len({move["text"] for move in event["candidates"]}) == 4 for event in found)


def test_what_is_refused_anyway_teaches_nothing_about_n() -> None:
    mock = MockOpenAI(reply=lambda body: Fault.http(400, "the context is too long"))
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client())
    with pytest.raises(AgentError, match="too long"):
        act(BestOf(lm, 4, score=number))
    assert lm.takes.learnt == {}
    unauthorised = MockOpenAI(api_key="k")
    lm = LM("mock", base_url="http://mock/v1", http_client=unauthorised.http_client())
    with pytest.raises(AgentError, match="no key"):
        act(BestOf(lm, 4, score=number))
    assert unauthorised.count == 1


def test_a_candidate_over_the_limit_is_no_candidate_in_one_call_either() -> None:
    mock = MockOpenAI(reply=lambda body: json.dumps({"kind": "speech", "text": "so " * (1 + body["seed"] % 4)}))
    lm = LM("mock", base_url="http://mock/v1", http_client=mock.http_client())
    move, notes = act(BestOf(lm, 8, score=lambda request, move: len(move.content())), limit={"words": 2})
    assert len(move.text.split()) == 2 and len(chose(notes)["failed"]) == 4 and mock.count == 1
