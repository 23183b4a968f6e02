"""Agents that draw: policies over which the search takes expectations, and agents whose draws it may not know."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR, QUESTION, scripted
from test_solve import BOTH, FEW, Pick, StakedTree, Tree, plain, trees

import moot
from moot.complexity.search.tree import GameTree
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import Question
from moot.protocols.games.qbf import Assign
from moot.tasks.logic.tqbf import TQBF


def _always(shares: Any, request: moot.Request) -> Any:
    return shares


def values(request: moot.Request) -> list[Assign]:
    return [Assign(variable=request.brief["details"]["variable"], value=value) for value in (False, True)]


def fair(request: moot.Request) -> dict[Assign, float]:
    return dict.fromkeys(values(request), 0.5)


def coin(request: moot.Request) -> Assign:
    return values(request)[Random(request.seed).random() < 0.5]


def won(data: Any, coin_of: str) -> Fraction:
    """How often a formula comes out false when `coin_of`'s variables fall by coins, and the other side knows those before."""

    def below(prefix: list[tuple[str, int]], true: set[int]) -> Fraction:
        if not prefix:
            return Fraction(not all(true & set(clause) for clause in data["clauses"]))
        (quantifier, variable), *rest = prefix
        each = [below(rest, true | {literal}) for literal in (variable, -variable)]
        return sum(each, Fraction(0)) / 2 if quantifier == coin_of else max(each) if quantifier == "a" else min(each)

    return below([(quantifier, variable) for quantifier, block in data["prefix"] for variable in block], set())


@pytest.mark.parametrize(("seed", "exact", "known"), [(2, 1.0, 0.8), (3, 1.5, 2.0), (7, 1.0, 0.8)])
def test_a_fair_coin_is_exploited_by_what_an_opponent_can_know(seed: int, exact: float, known: float) -> None:
    """True formulas of four variables: who defends them by coins loses what a recursion says, and not the mean of what an
    opponent wins who knows how ten of its coins will fall."""
    task = TQBF()
    sample = task.sample(4, seed=seed)
    protocol, seats = task.staged("qbf-debate", sample)
    judge: dict[str, Any] = {"moves": BOTH, "seats": {"judge": seats["judge"]}}
    assert won(sample.question.data, "") == 0
    assert 2 * won(sample.question.data, "e") == exact  # from winning 1 to losing 1
    for agent in (moot.Policy(fair), moot.Bounded(moot.Policy(fair), calls=4)):
        assert moot.exploit(protocol, sample, "a", agent, **judge).gain == exact
    draws = [moot.exploit(protocol, sample, "a", coin, seed=each, **judge).gain for each in range(10)]
    assert sum(draws) / 10 == pytest.approx(known)
    with pytest.raises(moot.UsageError, match=r"seat 'a' looks at request.seed.*moot\.Policy"):
        moot.exploit(protocol, sample, "a", coin, **judge)


def mixed(kids: Any, salt: int) -> list[float]:
    random = Random(f"{salt}{kids}")
    weights = [random.choice((0, 1, 2)) for _ in kids]
    total = sum(weights) or len(kids)
    return [weight / total for weight in weights] if sum(weights) else [1 / total] * len(kids)


@FEW
@given(trees(zero_sum=False), st.integers(0, 9), st.sampled_from("ab"))
def test_best_replies_to_policies(tree: Any, salt: int, seat: str) -> None:
    """Against backward induction in which the seat's nodes are coins of the policy's weights."""

    def chance(node: Any) -> Any:
        if "kids" not in node:
            return node
        kids = [chance(kid) for kid in node["kids"]]
        return {**node, "kids": kids} if node.get("seat") != seat else {"coin": mixed(node["kids"], salt), "kids": kids}

    def policy(request: moot.Request) -> list[tuple[Pick, float]]:
        shares = mixed(request.brief["details"]["kids"], salt)
        return [(Pick(child=child), share) for child, share in enumerate(shares)]

    rival = "ba"["ab".index(seat)]
    found = moot.solve(Tree(), Question("?", data=tree), moves={rival: None}, seats={seat: moot.Policy(policy)})
    assert [found.value["a"], found.value["b"]] == pytest.approx(plain(chance(tree)))
    alone = moot.solve(StakedTree(), Question("?", data={"pay": [1, -1]}), moves={"a": None}, seats={"b": fair})
    assert alone.value["a"] == 1


X, Y = moot.Speech(text="x"), moot.Speech(text="y")
HALF: Any = moot.Policy(lambda request: {X: 0.5, Y: 0.5})
EITHER: dict[str, Any] = {"a": lambda request: [X, Y]}


def against(script: Any, agent: Any, **options: Any) -> moot.Solution:
    """The best that seat a can do against `agent` in seat b, where it is paid for saying the same."""
    return moot.solve(
        scripted(script), QUESTION, moves=EITHER, seats={"b": agent, "judge": lambda request: FAIR}, **options
    )


def matched(a: moot.Speech, b: moot.Speech) -> moot.Decided:
    return moot.Decided(FAIR, payoffs={"a": float(a == b)})


def test_a_draw_is_not_known_before_it_falls_nor_where_it_is_not_shown() -> None:
    async def at_once(floor: Floor) -> moot.Decided:
        return matched(*await floor.parallel(floor.ask("a", moot.Speech), floor.ask("b", moot.Speech)))

    async def policy_first(floor: Floor) -> moot.Decided:
        b, a = await floor.parallel(floor.ask("b", moot.Speech), floor.ask("a", moot.Speech))
        return matched(a, b)

    async def in_turn(floor: Floor) -> moot.Decided:
        b = await floor.ask("b", moot.Speech)
        return matched(await floor.ask("a", moot.Speech), b)

    async def hidden(floor: Floor) -> moot.Decided:
        b = await floor.ask("b", moot.Speech, to=("judge",))
        return matched(await floor.ask("a", moot.Speech), b)

    async def hearsay(floor: Floor) -> moot.Decided:
        b = await floor.ask("b", moot.Speech, say=False)
        await floor.ask("judge", moot.Verdict)
        return matched(await floor.ask("a", moot.Speech), b)

    assert against(at_once, HALF).value["a"] == against(policy_first, HALF).value["a"] == 0.5
    assert against(at_once, lambda request: X).value["a"] == 1, "what is no draw follows from what is known"
    assert against(in_turn, HALF).value["a"] == 1
    assert [entry.move for entry in against(in_turn, HALF).line] == [X, X]
    for script in (hidden, hearsay):
        with pytest.raises(
            moot.UsageError, match="seat 'a' does not see what 'b' said at step 0.*a policy must be seen"
        ):
            against(script, HALF)
        sure = moot.Policy(lambda request: [(X, 1.0), (Y, 0.0)])
        if script is hidden:
            assert against(script, sure).value["a"] == 1


def test_policies_that_are_none() -> None:
    async def speaks(floor: Floor) -> moot.Decided:
        return matched(await floor.ask("b", moot.Speech), X)

    for given_, says in (
        ({X: 0.5}, "sum to 1"), ({X: 1.5, Y: -0.5}, "lie in"), ([X], "give pairs"), ({X: float("nan")}, "lie in"),
        ({moot.Answer(choice=0): 1.0}, "holds an illegal move"),
    ):  # fmt: skip
        with pytest.raises(moot.MootError, match=says):
            against(speaks, moot.Policy(partial(_always, given_)))
    with pytest.raises(moot.UsageError, match="made of a function"):
        moot.Policy({X: 1.0})  # type: ignore[arg-type]
    with pytest.raises(moot.MootError, match="looks at request.seed"):
        against(speaks, moot.Policy(lambda request: {(X, Y)[request.seed % 2]: 1.0}))


def test_a_policy_takes_a_seat() -> None:
    async def speaks(floor: Floor) -> moot.Decided:
        return matched(await floor.ask("b", moot.Speech), X)

    seats = {"a": HALF, "b": HALF, "judge": HALF}
    said = {moot.run(scripted(speaks), QUESTION, seats, seed=seed).outcome.payoffs["a"] for seed in range(20)}  # type: ignore[union-attr]
    assert said == {0.0, 1.0}


def test_an_agent_that_hides_that_it_draws() -> None:
    async def speaks(floor: Floor) -> moot.Decided:
        return matched(await floor.ask("b", moot.Speech), X)

    def hides(request: moot.Request) -> moot.Speech:
        try:
            return (X, Y)[request.seed % 2]
        except Exception:
            return X

    def fails(request: moot.Request) -> moot.Speech:
        raise ValueError(request.seed)

    for agent in (hides, fails):
        with pytest.raises(moot.UsageError, match="looks at request.seed"):
            against(speaks, agent)
    assert against(speaks, hides, seed=3).value["a"] in (0.0, 1.0)
    with pytest.raises(moot.AgentError, match="ValueError"):
        against(speaks, fails, seed=3)


def test_what_is_read_for_a_draw_is_charged_on_each_side() -> None:
    async def speaks(floor: Floor) -> moot.Decided:
        await floor.ask("a", moot.Speech)
        b = await floor.ask("b", moot.Speech)
        return matched(await floor.ask("b", moot.Speech), b)

    def reads(request: moot.Request) -> dict[moot.Speech, float]:
        return {X: 0.5, Y: 0.5} if [*request.view] else {X: 1.0}

    assert against(speaks, moot.Bounded(moot.Policy(reads), reads=3)).value["a"] == 0.5
    with pytest.raises(moot.AgentError, match=r"Exhausted\(.*measure='reads'"):
        against(speaks, moot.Bounded(moot.Policy(reads), reads=2))
    with pytest.raises(moot.AgentError, match=r"Exhausted\(.*measure='calls'"):
        against(speaks, moot.Bounded(moot.Policy(reads), calls=1))
    assert GameTree.__doc__
