"""One of the best k of n: its law, how far it can go from its agent, what is recorded, and over a model."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_kit import request_for
from candidates_kit import (
    QUESTION,
    Request,
    Says,
    act,
    chose,
    debate,
    draws,
    draws_later,
    even,
    law_of,
    likes_numbers,
    number,
    picks,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.identity import identity
from moot.agents.models.lm import LM
from moot.agents.spec import agent_from, profile_of
from moot.complexity.pressure import policies
from moot.complexity.pressure.divergences import greatest_ratio
from moot.protocols.engine.errors import AgentError, BudgetExceeded, UsageError
from moot.protocols.engine.moves import Speech
from moot.protocols.engine.steps import drawn
from moot.testing.server.server import MockOpenAI

few = settings(deadline=None, max_examples=50)
SIZES = st.integers(1, 3).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))


@st.composite
def bases(draw: st.DrawFn, failing: bool = True) -> dict[str | None, float]:
    """A policy of up to three texts, and of calls that fail."""
    weights = draw(st.lists(st.integers(1, 20), min_size=1, max_size=3))
    failed = [draw(st.integers(0, 20))] if failing else []
    names: tuple[str | None, ...] = ("x", "y", "z")[: len(weights)]
    total = sum(weights) + sum(failed)
    shares = dict(zip((*names, None), (each / total for each in (*weights, *failed)), strict=False))
    return {text: share for text, share in shares.items() if share}


@st.composite
def scorings(draw: st.DrawFn) -> Callable[[str | None], float]:
    scores = draw(st.fixed_dictionaries(dict.fromkeys("xyz", st.integers(0, 2))))
    return lambda text: float(scores[text])  # type: ignore[index]


def rating(of: Callable[[str | None], float]) -> Any:
    return lambda request, move: of(move.text)


# -- its law -----------------------------------------------------------------------------------------------------------


def mixed(base: dict[str | None, float], n: int, least: int, law: Any) -> dict[str | None, float]:
    """The law where calls fail: that of the m which did not, by how probable each m is; None where too few are left."""
    good = 1 - base.get(None, 0.0)
    rest = {text: share / good for text, share in base.items() if text is not None}
    found = dict.fromkeys([*rest, None], 0.0)
    for m in range(n + 1):
        weight = math.comb(n, m) * good**m * (1 - good) ** (n - m)
        for text, share in (law(rest, m) if m >= least else {None: 1.0}).items():
            found[text] += weight * share
    return found


def close(found: dict[Any, float], expected: dict[Any, float]) -> bool:
    return all(abs(found.get(text, 0.0) - expected.get(text, 0.0)) < 1e-9 for text in {*found, *expected})


@few
@given(bases(), SIZES, scorings())
def test_its_law_is_that_of_the_finite_policy_and_within_its_ratio(
    base: dict[str | None, float], sizes: tuple[int, int], score: Any
) -> None:
    n, k = sizes
    found = law_of(lambda agent: moot.Quantilized(agent, n, k, score=rating(score)), base, n, picks(n, k))
    assert close(found, mixed(base, n, k, lambda rest, m: policies.quantilized(rest, m, k, score)))
    assert all(share <= base[text] * n / k + 1e-9 for text, share in found.items() if text is not None)


@few
@given(bases(), st.integers(1, 3), scorings())
def test_the_law_of_the_best_of_n_is_that_of_the_finite_policy(
    base: dict[str | None, float], n: int, score: Any
) -> None:
    found = law_of(lambda agent: moot.BestOf(agent, n, score=rating(score)), base, n)
    assert close(found, mixed(base, n, 1, lambda rest, m: policies.best_of(rest, m, score)))


def test_the_ratio_is_attained_and_does_not_grow_where_candidates_fail() -> None:
    """The best text is rare, so that it is hardly ever drawn twice; and where nearly all else fails, too few are left to choose
    among more often than the text is made more probable."""

    def score(text: str | None) -> float:
        return float(text == "x")

    for n, k in ((3, 1), (3, 2), (4, 2)):
        quantilized = partial(moot.Quantilized, n=n, k=k, score=rating(score))
        rare = law_of(quantilized, {"x": 1e-6, "y": 1 - 1e-6}, n, picks(n, k))
        assert rare["x"] / 1e-6 == pytest.approx(n / k, rel=1e-4)
        failing = law_of(quantilized, {"x": 0.01, "y": 0.01, None: 0.98}, n, picks(n, k))
        assert failing["x"] / 0.01 <= n / k and failing[None] > 0.9


def test_the_ratios_of_two_moves_multiply() -> None:
    """Real plays, over all that candidates can be and all picks: what is said second depends on what was said first."""
    first, second = {"x": 0.3, "y": 0.7}, {"x": {"x": 0.9, "y": 0.1}, "y": {"x": 0.2, "y": 0.8}}
    n, k = 3, 2
    protocol = moot.Debate(rounds=2, questions=False)

    def played(texts: tuple[str, ...], seed: int, score: Any = None) -> list[str]:
        score = score or (lambda request, move: float(move.text == "x"))
        seats = {"a": moot.Quantilized(Says(*texts), n, k, score=score), "b": draws, "judge": even}
        play = moot.run(protocol, QUESTION, seats, seed=seed)
        return [step.move["text"] for step in play.steps() if step.seat == "a"]

    seeds: dict[str, int] = {}
    for seed in range(40):
        seeds["".join(played(("0", "1", "2") * 2, seed, lambda request, move: -float(move.text)))] = seed
    assert set(seeds) == {"00", "01", "10", "11"}
    found: Counter[str] = Counter()
    base: Counter[str] = Counter()
    for texts in product("xy", repeat=2 * n):
        for seed in seeds.values():
            one, two = played(texts, seed)
            share = math.prod(first[each] for each in texts[:n]) * math.prod(second[one][each] for each in texts[n:])
            found[one + two] += share / len(seeds)  # type: ignore[assignment]
    score = lambda text: float(text == "x")  # noqa: E731
    for one, two in product("xy", repeat=2):
        base[one + two] = first[one] * second[one][two]  # type: ignore[assignment]
        law = policies.quantilized(first, n, k, score)[one] * policies.quantilized(second[one], n, k, score)[two]
        assert found[one + two] == pytest.approx(law)
    assert greatest_ratio(found, base) <= (n / k) ** 2


# -- what could make the bound false -----------------------------------------------------------------------------------


def test_which_place_is_picked_does_not_depend_on_the_candidates() -> None:
    def ranks(k: int, texts: str) -> list[int]:
        """By seed, how many candidates were better than the one picked."""
        return [
            4 - int(act(moot.Quantilized(Says(*texts), 5, k, score=number), seed=seed)[0].text) for seed in range(40)
        ]

    for k in (1, 2, 5):
        assert ranks(k, "43210") == ranks(k, "01234") == ranks(k, "24013")
        assert set(ranks(k, "43210")) == set(range(k))


def test_a_quantilizer_of_a_quantilizer_picks_twice() -> None:
    """Were the first candidate of the outer one drawn by the seed that the outer pick is drawn by, "b" would never be made."""
    score = lambda request, move: -float(ord(move.text))  # noqa: E731
    found = Counter(
        act(moot.Quantilized(moot.Quantilized(Says(*"abcd"), 2, 2, score=score), 2, 2, score=score), seed=seed)[0].text
        for seed in range(400)
    )
    assert all(70 <= found[text] <= 130 for text in "abcd"), found


def test_a_score_that_computes_the_pick_gains_nothing() -> None:
    def scheming(request: Request, move: Any) -> float:
        place = drawn(request.seed, f"quantilized/{request.attempt}", (1.0, 1.0))
        return float((move.text == "x") == (place == 0))

    found = Counter(
        act(moot.Quantilized(Says("x", "y"), 2, 2, score=scheming), seed=seed)[0].text for seed in range(300)
    )
    assert 110 <= found["x"] <= 190, found


def test_what_is_asked_for_again_is_picked_anew() -> None:
    """A repair has the seed of the request that it repairs, and shows what was rejected: the place that was picked."""
    places: Counter[tuple[int, ...]] = Counter()
    candidates: set[tuple[int, ...]] = set()

    async def both(seed: int) -> None:
        picked, seen = [], list[int]()

        def agent(request: Request) -> Speech:
            seen.append(request.seed)
            return Speech(text=str(len(seen)))

        for attempt in (0, 1):
            request = replace(request_for(Speech, seed=seed), attempt=attempt, problem="no" if attempt else None)
            move = await moot.Quantilized(agent, 2, 2, score=lambda request, move: -float(move.content())).act(request)
            picked.append(int(move.text) - 1 - 2 * attempt)
        places[tuple(picked)] += 1
        candidates.add(tuple(seen))
        assert len({*seen, seed}) == 5, "no candidate has the seed of another, or of the step"

    async def all_of_them() -> None:
        for seed in range(200):
            await both(seed)

    anyio.run(all_of_them)
    assert len(places) == 4 and all(30 <= often <= 70 for often in places.values()), places


@pytest.mark.parametrize("failed", [0, 1, 2, 3, 4])
def test_fewer_than_k_with_a_score_are_an_error(failed: int) -> None:
    texts = [None] * failed + [str(each) for each in range(4 - failed)]
    notes: list[dict[str, Any]] = []
    agent, request = moot.Quantilized(Says(*texts), 4, 2, score=number), request_for(Speech, notes=notes)
    if failed <= 2:
        assert int(anyio.run(agent.act, request).text) in {3 - failed, 2 - failed}
    else:
        with pytest.raises(
            AgentError, match=f"{4 - failed} of 4 candidates came to a score, 2 are needed; .*out of order"
        ):
            anyio.run(agent.act, request)
        assert chose(notes)["chosen"] is None
    assert chose(notes)["top"] == 2 and len(chose(notes)["failed"]) == failed


def test_of_equal_scores_those_drawn_first_are_the_better() -> None:
    agent = partial(moot.Quantilized, n=5, k=2, score=lambda request, move: 1.0)
    assert {act(agent(Says(*"01234")), seed=seed)[0].text for seed in range(40)} == {"0", "1"}


# -- in plays ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", [draws, draws_later])
def test_one_of_one_is_the_agent(agent: Any) -> None:
    alone = debate(agent, seed=5)
    assert debate(moot.Quantilized(agent, 1, 1, score=number), seed=5).digest == alone.digest
    assert not [event for event in alone.events() if event["event"] == "chose"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_what_is_recorded_is_that_of_best_of_and_top(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "d.jsonl"
    play = debate(moot.Quantilized(draws_later, 4, 2, likes_numbers), out=path, backend=backend)
    best = debate(moot.BestOf(draws_later, 4, likes_numbers))
    assert isinstance(play.outcome, moot.Decided) and moot.replay(moot.load(path)).digest == play.digest
    made = {step.step: step.move["text"] for step in play.steps() if step.seat == "a"}
    events = [event for event in play.events() if event["event"] == "chose"]
    other = next(event for event in best.events() if event["event"] == "chose")
    assert [event["step"] for event in events] == list(made) and len(made) == 2
    for event in events:
        assert set(event) == {*other, "top"} and (event["of"], event["top"]) == (4, 2)
        texts = [int(move["text"]) for move in event["candidates"]]
        assert event["scores"] == [each / 100 for each in texts] and event["failed"] == {}
        assert int(made[event["step"]]) == texts[event["chosen"]] >= sorted(texts)[-2]
    about = play.seats["a"]
    assert (about["agent"], about["n"], about["k"], about["members"]) == (
        "quantilized", 4, 2, [{"agent": "program", "name": "candidates_kit:draws_later"}],
    )  # fmt: skip


def test_only_moves_that_argue_are_drawn_more_than_once() -> None:
    calls: list[str] = []

    def anything(request: Request) -> Any:
        calls.append(request.kinds[0].__name__)
        return moot.Answer(choice=1) if moot.Answer in request.kinds else draws(request)

    seats = {"a": moot.Quantilized(anything, 3, 2, likes_numbers), "b": draws, "judge": even}
    assert isinstance(moot.run(moot.OpenDebate(rounds=1), QUESTION, seats).outcome, moot.Decided)
    assert calls == ["Answer"] + ["Speech"] * 3


def test_a_score_may_be_feedback_on_the_steps_of_an_earlier_play() -> None:
    """Reviewers mark steps, whatever came of the play; what was praised at a step is preferred at that step alone."""
    protocol = moot.Debate(rounds=2, questions=False)

    def three(request: Request) -> Speech:
        return Speech(text=("by storm", "by order", "by accident")[int(3 * drawn(request.seed, "", None))])

    def played(a: Any, seed: int) -> moot.Transcript:
        return moot.run(protocol, QUESTION, {"a": a, "b": three, "judge": even}, seed=seed)

    earlier = played(three, 1)
    first, second = (step.step for step in earlier.steps() if step.seat == "a")
    said = {step.step: step.move["text"] for step in earlier.steps()}
    assert said[first] != said[second], "else it would not show that feedback is about a step"
    marks = {first: 1.0, second: -1.0}

    def score(request: Request, move: Any) -> float:
        return marks.get(request.step, 0.0) if move.content() == said.get(request.step) else 0.0

    plays = [played(moot.Quantilized(three, 12, 2, score=score), seed) for seed in range(12)]
    made = {
        step: [next(each.move["text"] for each in play.steps() if each.step == step) for play in plays]
        for step in marks
    }
    assert set(made[first]) == {said[first]}
    assert said[second] not in made[second] and len(set(made[second])) == 2


# -- over a language model ---------------------------------------------------------------------------------------------


def model_says(body: dict[str, Any]) -> str:
    return json.dumps({"kind": "speech", "text": str(body["seed"])})


def test_all_candidates_come_from_one_call() -> None:
    mock = MockOpenAI(reply=model_says)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, prices=(1.0, 1.0))
        play = debate(moot.Quantilized(lm, 16, 4, score=number))
        assert isinstance(play.outcome, moot.Decided) and [call.body.get("n") for call in mock.calls] == [16, 16]
        for event in (event for event in play.events() if event["event"] == "chose"):
            texts = [int(move["text"]) for move in event["candidates"]]
            assert len(set(texts)) == 16 and texts[event["chosen"]] in sorted(texts)[-4:]
        assert play.ledger.seats["a"].attempts == 2 and moot.replay(play).digest == play.digest
        mock.reset()
        apart = debate(moot.Quantilized(lm, 5, 2, score=number, one_call=False))
    drawn_by = [event["candidate"] for event in apart.events() if event["event"] == "attempted"]
    assert mock.count == 10 and sorted(drawn_by) == sorted([*range(5)] * 2)


def test_a_bounded_seat_draws_one_after_another_until_its_budget_ends() -> None:
    mock = MockOpenAI(reply=model_says)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, max_tokens=16)
        play = debate(moot.Bounded(moot.Quantilized(lm, 50, 5, score=number), tokens=20_000))
    assert isinstance(play.outcome, moot.Exhausted) and (play.outcome.seat, play.outcome.measure) == ("a", "tokens")
    assert 0 < mock.count < 50 and {call.body.get("n") for call in mock.calls} == {None}
    assert not [event for event in play.events() if event["event"] == "chose"]


def test_a_cap_ends_the_play_before_the_candidate_that_does_not_fit() -> None:
    mock = MockOpenAI(reply=model_says)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, prices=(1.0, 1.0), max_tokens=64)
        agent = moot.Quantilized(lm, 8, 1, score=number, one_call=False)
        play = debate(agent, max_cost=0.01)
    assert play.outcome is None and not [event for event in play.events() if event["event"] == "chose"]
    assert 0 < mock.count < 8


def test_a_budget_crossed_by_the_score_is_no_failure_of_a_candidate() -> None:
    def crosses(request: Request, move: Any) -> float:
        raise BudgetExceeded("reads", 2, 1)

    with pytest.raises(BudgetExceeded):
        act(moot.Quantilized(draws, 3, 1, score=crosses))


# -- by name -----------------------------------------------------------------------------------------------------------

CONFIG: dict[str, Any] = {"agents": {
    "speaker": {"kind": "python", "target": "candidates_kit:draws"},
    "q": {"kind": "quantilized", "of": "speaker", "by": "python:candidates_kit:likes_numbers", "n": 4, "k": 2},
    "qq": {"kind": "quantilized", "of": "q", "by": "python:candidates_kit:likes_numbers", "n": 3, "k": 3, "one_call": False},
    "best": {"kind": "best-of", "of": "openai:m", "by": "logprobs:openai:m", "n": 3},
    "far": {"kind": "quantilized", "of": "openai:m", "by": "logprobs:openai:m", "n": 3, "k": 2},
}}  # fmt: skip


def test_by_name() -> None:
    agent = agent_from("qq", CONFIG)
    assert isinstance(agent, moot.Quantilized) and (agent.n, agent.k, agent.one_call) == (3, 3, False)
    assert isinstance(agent.agent, moot.Quantilized) and (agent.agent.n, agent.agent.k, agent.agent.one_call) == (
        4,
        2,
        True,
    )
    assert isinstance(debate(agent).outcome, moot.Decided)
    assert profile_of("far", CONFIG) == profile_of("best", CONFIG) and profile_of("qq", CONFIG).program


def test_identity_tells_what_differs() -> None:
    def made(n: int = 4, k: int = 2, by: Any = likes_numbers, **options: Any) -> Any:
        return identity(moot.Quantilized(draws, n, k, by, **options))

    others = [made(5), made(4, 1), made(by=even), made(one_call=False), made(by=None, score=number),
              identity(moot.BestOf(draws, 4, likes_numbers, least=2)), identity(moot.Quantilized(even, 4, 2, likes_numbers))]  # fmt: skip
    assert made() is not None and made() == made() and made() not in others
    assert len({each.fingerprint for each in others if each is not None}) == len(others)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: moot.Quantilized(draws, 0, 1, likes_numbers), "quantilized: n is 0; it must be a whole number from 1 to"),
        (lambda: moot.Quantilized(draws, True, 1, likes_numbers), "n is True"),
        (lambda: moot.Quantilized(draws, 10_001, 1, likes_numbers), "n is 10001; .* to 10000"),
        (lambda: moot.Quantilized(draws, 3, 0, likes_numbers), "k is 0; it must be a whole number from 1 to 3"),
        (lambda: moot.Quantilized(draws, 3, 4, likes_numbers), "k is 4; it must be a whole number from 1 to 3"),
        (lambda: moot.Quantilized(draws, 3, 1.5, likes_numbers), "k is 1.5"),  # type: ignore[arg-type]
        (lambda: moot.Quantilized(draws, 3, 2), "quantilized: give either by=.*, or score="),
        (lambda: moot.Quantilized(draws, 3, 2, likes_numbers, score=number), "give either by="),
        (lambda: moot.Quantilized(draws, 3, 2, score=3), "score is 3; it must be a function"),  # type: ignore[arg-type]
        (lambda: moot.Quantilized(3, 3, 2, likes_numbers), "3 cannot take a seat"),
        (lambda: act(moot.Quantilized(draws, 2, 1, likes_numbers), answer=None), "quantilized: seat a defends no answer"),
        (lambda: agent_from("quantilized:human"), "kind 'quantilized' needs by"),
        (lambda: agent_from("q", {"agents": {**CONFIG["agents"], "q": {**CONFIG["agents"]["q"], "k": 5}}}), "k is 5"),
        (lambda: agent_from("q", {"agents": {**CONFIG["agents"], "q": {**CONFIG["agents"]["q"], "top": 5}}}),
         "no option 'top' .known: of, by, n, k, one_call"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(make: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        make()
