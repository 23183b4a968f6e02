"""Strategies that solving finds: seated in plays they are paid the value, and nobody does better against them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR, QUESTION, scripted
from test_solve import BOTH, FEW, StakedTree, Tree, ZeroSumTree, has_coin, splits, trees

import moot
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.game import Game
from moot.protocols.engine.question import Question
from moot.tasks.arithmetic.sums import AddsTwo
from moot.tasks.base import task_named


def every_play(
    protocol: Protocol, question: Question, seats: Mapping[str, Any]
) -> Iterator[tuple[float, Mapping[str, float]]]:
    """Every play of these agents by the engine, over all ways that its coins can fall: how probable it is, what it pays."""
    todo: list[dict[str, int]] = [{}]
    while todo:
        coins, share = todo.pop(), [1.0]

        def falls(step: str, weights: tuple[float, ...] | None, coins: Any = coins, share: Any = share) -> int:
            assert weights is not None
            if step not in coins:
                todo.extend({**coins, step: side} for side in range(1, len(weights)))
                coins[step] = 0
            share[0] *= weights[coins[step]] / sum(weights)
            return int(coins[step])

        game = Game(protocol, question, chance=falls).start()
        while game.outcome is None:
            step, request = next(iter(game.requests().items()))
            assert game.answer(step, seats[request.seat].act(request))
        assert isinstance(game.outcome, moot.Decided)
        yield share[0], game.outcome.payoffs


@FEW
@given(
    trees(zero_sum=False), st.sampled_from([None, lambda request: str(request.brief["details"]["kids"]) + request.seat])
)
def test_a_run_of_the_strategies_pays_the_value(tree: Any, key: Any) -> None:
    question = Question("which?", data=tree)
    found = moot.solve(Tree(), question, moves=BOTH, strategy=True, key=key)
    paid = dict.fromkeys("ab", 0.0)
    for share, payoffs in every_play(Tree(), question, found.strategy):
        paid = {seat: paid[seat] + share * payoffs[seat] for seat in "ab"}
    assert paid == pytest.approx(found.value)
    if not has_coin(tree):
        played = moot.run(Tree(), question, found.strategy)
        assert played.outcome == found.outcome
        assert [step.move for step in played.steps()] == [entry.move.model_dump() for entry in found.line]


@FEW
@given(trees(zero_sum=True), st.sampled_from([ZeroSumTree(), StakedTree()]), st.sampled_from("ab"))
def test_nobody_does_better_against_a_strategy(tree: Any, protocol: Tree, seat: str) -> None:
    """Complete against every option of the rival, at the value that alpha-beta finds too; so it cannot be exploited."""
    question, rival = Question("which?", data=tree), "ba"["ab".index(seat)]
    found = moot.solve(protocol, question, moves=BOTH, strategy=True)
    assert found.value == pytest.approx(moot.solve(protocol, question, moves=BOTH).value)
    reply = moot.solve(protocol, question, moves={rival: None}, seats={seat: found.strategy[seat]})
    assert reply.value == pytest.approx(found.value)
    best = moot.solve(protocol, question, moves={seat: None}, seats={rival: found.strategy[rival]}, strategy=True)
    assert best.value == pytest.approx(found.value)


@pytest.mark.parametrize("claims", [("3", "4"), ("4", "3")])
def test_bisection_by_strategies(claims: tuple[str, str]) -> None:
    """The honest side's strategy beats every split and dispute of the other, and the line is the run of both."""
    question = Question("sum[0:4]", claims, data=[2, -1, 3, -1], size=4, unit="cells")
    seats = {"judge": AddsTwo()}
    found = moot.solve(moot.Bisection(), question, moves={"a": splits, "b": None}, seats=seats, strategy=True)
    played = moot.run(moot.Bisection(), question, {**found.strategy, **seats})
    assert played.outcome == found.outcome
    assert [step.move for step in played.steps()] == [entry.move.model_dump(mode="json") for entry in found.line]
    winner = "a" if claims[0] == "3" else "b"
    loser = {"a": "b", "b": "a"}[winner]
    reply = moot.solve(
        moot.Bisection(), question, moves={loser: {"a": splits, "b": None}[loser]},
        seats={winner: found.strategy[winner], **seats},
    )  # fmt: skip
    assert reply.value[winner] == 1


@pytest.mark.parametrize(("protocol", "free"), [("market-pointers", "adversary"), ("amplify-strong", "overseer")])
def test_messages_with_pointers_are_searched_as_they_are_played(protocol: str, free: str) -> None:
    """With the programs' own move as the one option the line is the run; with silence, a stop or a wrong answer beside
    it, the strategy that is best for the truth is paid no less, and it is a run too."""
    task = task_named("halting")
    sample = task.sample(1, seed=1)
    made, seats = task.staged(protocol, sample)
    others = {seat: agent for seat, agent in seats.items() if seat != free}
    truth = sample.unseal()
    assert truth is not None

    def right(outcome: moot.Decided) -> dict[str, float]:
        return {free: outcome.verdict.probabilities[truth]}

    def own(request: moot.Request) -> list[Any]:
        return [seats[free].act(request)]

    def more(request: moot.Request) -> list[Any]:
        """What is asked of the root, or said to the judge, may be silence, an abstention, or a lie as well."""
        choices = request.view.question.choices
        if not choices:
            return own(request)
        if free == "adversary":
            return [{"kind": "statement", "text": "so it is"}, *own(request)]
        return [*({"kind": "reply", "answer": answer} for answer in ("?", choices[1 - truth])), *own(request)]

    run = moot.run(made, sample, seats)
    found = moot.solve(made, sample, moves={free: own}, seats=others, pays=right)
    assert found.outcome == run.outcome
    assert [entry.move.model_dump(mode="json") for entry in found.line] == [step.move for step in run.steps()]
    found = moot.solve(made, sample, moves={free: more}, seats=others, pays=right, strategy=True)
    assert found.value == {free: 1.0} and found.leaves > 1
    again = moot.run(made, sample, {**others, free: found.strategy[free]})
    assert again.outcome == found.outcome
    assert [entry.move.model_dump(mode="json") for entry in found.line] == [step.move for step in again.steps()]


WORDS: Any = {"a": lambda request: [moot.Speech(text="x"), moot.Speech(text="yy")]}
REST: dict[str, Any] = {"b": lambda request: moot.Speech(text="x"), "judge": lambda request: FAIR}


def test_joint_choices_in_branches_and_what_a_request_does_not_show() -> None:
    async def asks(floor: Floor) -> int:
        return len((await floor.ask("a", moot.Speech)).text)

    async def joint(floor: Floor) -> moot.Decided:
        x, y = await floor.parallel(asks(floor), asks(floor))
        return moot.Decided(FAIR, payoffs={"a": float((x, y) == (2, 1))})

    async def coin(floor: Floor) -> moot.Decided:
        heads = await floor.flip()
        return moot.Decided(FAIR, payoffs={"a": float((await asks(floor) == 2) == heads)})

    async def shown(floor: Floor) -> moot.Decided:
        heads = await floor.flip()
        said = await floor.ask("a", moot.Speech, details={"heads": heads})
        return moot.Decided(FAIR, payoffs={"a": float((said.text == "yy") == heads)})

    def solved(script: Any, **options: Any) -> moot.Solution:
        return moot.solve(scripted(script), QUESTION, moves=WORDS, seats=REST, **options)

    found = solved(joint, strategy=True)
    assert moot.run(scripted(joint), QUESTION, {**REST, **found.strategy}).outcome == found.outcome
    assert solved(coin).value["a"] == 1
    with pytest.raises(moot.UsageError, match="at step 1 seat 'a' would move differently .* hangs on a coin"):
        solved(coin, strategy=True)
    found = solved(shown, strategy=True)
    for seed in range(6):
        run = moot.run(scripted(shown), QUESTION, {**REST, **found.strategy}, seed=seed)
        assert run.outcome.payoffs == {"a": 1.0}  # type: ignore[union-attr]
    with pytest.raises(moot.UsageError, match="strategy=True"):
        _ = solved(shown).strategy
    with pytest.raises(moot.UsageError, match="has no move for what it is shown"):
        found.strategy["a"].act(Game(scripted(joint), QUESTION).start().request("0.0.0"))


def test_a_check_that_changes_the_script_is_found_out() -> None:
    async def counts(floor: Floor) -> moot.Decided:
        seen: list[str] = []

        def check(speech: moot.Speech) -> moot.Speech:
            seen.append(speech.text)
            return speech

        await floor.ask("a", moot.Speech, check=check)
        await floor.ask("a", moot.Speech, check=check)
        return moot.Decided(FAIR, payoffs={"a": float(len(seen))})

    with pytest.raises(moot.ProtocolError, match="a check changes what the script goes by"):
        moot.solve(scripted(counts), QUESTION, moves=WORDS, seats=REST)


def test_every_seat_is_free_or_fixed() -> None:
    with pytest.raises(moot.UsageError, match="nobody sits at 'b'"):
        moot.solve(Tree(), Question("which?", data={"pay": [0, 0]}), moves={"a": None})
    with pytest.raises(moot.UsageError, match="no seat 'debater' to be free"):
        moot.solve(Tree(), Question("which?", data={"pay": [0, 0]}), moves={"debater": None})
