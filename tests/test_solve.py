"""Exact solving, held against a plain recursion over explicit game trees, and what it refuses."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import FAIR
from pydantic import Field

import moot
from moot.complexity.search.options import every_move
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.question import Question
from moot.protocols.trees.bisection import Dispute, Split
from moot.tasks.arithmetic.sums import AddsTwo

FEW = settings(deadline=None, max_examples=60)


class Pick(moot.Move):
    """A child of the node where the play stands."""

    kind: Literal["child"] = "child"
    child: Annotated[int, Field(ge=0, le=3)]


class Tree(Protocol):
    """Plays an explicit game tree: {"seat", "kids"}, {"coin", "kids"}, {"inside": tree} or {"pay": [a's, b's]}."""

    def roles(self, question: Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater"}

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        node: Any = question.data
        while "pay" not in node:
            if "inside" in node:
                inner = await floor.play(type(self)(), Question("inside", data=node["inside"]))
                return moot.Decided(FAIR, payoffs=inner.payoffs)
            if "coin" in node:
                node = node["kids"][await floor.draw(*node["coin"])]
                continue
            kids = node["kids"]

            def legal(pick: Pick, kids: Any = kids) -> Pick:
                if pick.child >= len(kids):
                    raise moot.Illegal(f"there are {len(kids)} children")
                return pick

            pick = await floor.ask(node["seat"], Pick, check=legal, details={"kids": kids})
            node = kids[pick.child]
        return moot.Decided(FAIR, payoffs=dict(zip("ab", map(float, node["pay"]), strict=True)))


class ZeroSumTree(Tree):
    zero_sum: ClassVar[bool] = True


class StakedTree(ZeroSumTree):
    def utility_bound(self, question: Question) -> float:
        return 2.0


def trees(zero_sum: bool, coins: bool = True, inside: bool = False) -> st.SearchStrategy[Any]:
    pay = st.integers(-2, 2)
    leaves = st.builds(lambda x, y: {"pay": [x, -x if zero_sum else y]}, pay, pay)

    def grown(below: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        kids = st.lists(below, min_size=1, max_size=3)
        asks = st.builds(lambda seat, kids: {"seat": seat, "kids": kids}, st.sampled_from("ab"), kids)
        falls = kids.flatmap(
            lambda kids: st.lists(st.integers(1, 3), min_size=len(kids), max_size=len(kids)).map(
                lambda weights: {"coin": weights, "kids": kids}
            )
        )
        return asks | (asks | falls if coins else asks)

    return st.recursive(leaves, grown, max_leaves=14)


def plain(node: Any, fixed: Any = None) -> list[float]:
    """The payoffs of a tree by backward induction. fixed: a seat and its choice at each node."""
    if "pay" in node:
        return [float(x) for x in node["pay"]]
    if "coin" in node:
        total = sum(node["coin"])
        below = [(weight / total, plain(kid, fixed)) for weight, kid in zip(node["coin"], node["kids"], strict=True)]
        return [sum(weight * pay[i] for weight, pay in below) for i in (0, 1)]
    if fixed is not None and node["seat"] == fixed[0]:
        return plain(node["kids"][fixed[1](node["kids"])], fixed)
    return max((plain(kid, fixed) for kid in node["kids"]), key=lambda pay: pay["ab".index(node["seat"])])


BOTH = {"a": None, "b": None}


def has_coin(node: Any) -> bool:
    return "coin" in node or any(has_coin(kid) for kid in node.get("kids", ()))


@FEW
@given(trees(zero_sum=False))
def test_backward_induction(tree: Any) -> None:
    found = moot.solve(Tree(), Question("which?", data=tree), moves=BOTH)
    assert [found.value["a"], found.value["b"]] == pytest.approx(plain(tree))
    if not has_coin(tree):
        assert dict(found.outcome.payoffs) == found.value  # type: ignore[union-attr]


@FEW
@given(trees(zero_sum=True), st.sampled_from([ZeroSumTree(), StakedTree()]))
def test_alpha_beta(tree: Any, protocol: Tree) -> None:
    question = Question("which?", data=tree)
    found, whole = moot.solve(protocol, question, moves=BOTH), moot.solve(Tree(), question, moves=BOTH)
    assert found.value["a"] == pytest.approx(plain(tree)[0])
    assert found.value["b"] == pytest.approx(-found.value["a"])
    assert found.leaves <= whole.leaves
    if not has_coin(tree):
        assert dict(found.outcome.payoffs) == found.value  # type: ignore[union-attr]


@FEW
@given(trees(zero_sum=True), st.booleans(), st.randoms(use_true_random=False))
def test_merged_positions_have_the_same_value(tree: Any, staked: bool, random: Random) -> None:
    """A tree of two copies of one below, in which positions are known by what is below them."""
    twice = {"seat": random.choice("ab"), "kids": [{"seat": random.choice("ab"), "kids": [tree, tree]}, tree]}
    question = Question("which?", data=twice)
    protocol = StakedTree() if staked else ZeroSumTree()
    merged = moot.solve(protocol, question, moves=BOTH, key=lambda request: str(request.brief["details"]["kids"]))
    assert merged.value["a"] == pytest.approx(plain(twice)[0])
    assert merged.positions <= moot.solve(protocol, question, moves=BOTH).positions


def test_a_key_saves_positions() -> None:
    tree: Any = {"pay": [1, -1]}
    for level in range(10):
        tree = {"seat": "ab"[level % 2], "kids": [tree, tree]}
    question = Question("which?", data=tree)
    merged = moot.solve(Tree(), question, moves=BOTH, key=lambda request: len(request.step) and int(request.step))
    assert (merged.leaves, moot.solve(Tree(), question, moves=BOTH).leaves) == (2, 1024)


@FEW
@given(trees(zero_sum=True), st.integers(0, 9), st.sampled_from("ab"))
def test_exploit(tree: Any, salt: int, seat: str) -> None:
    """Against any fixed strategy: the best reply by plain recursion, never below the value of the game."""

    def choice(kids: Any) -> int:
        return Random(f"{salt}{kids}").randrange(len(kids))

    def agent(request: moot.Request) -> moot.Move:
        return Pick(child=choice(request.brief["details"]["kids"]))

    question = Question("which?", data=tree)
    found = moot.exploit(StakedTree(), question, seat, agent, moves=BOTH)
    rival = "ba".index(seat)
    assert found.gain >= 0
    assert found.gain == pytest.approx(plain(tree, (seat, choice))[rival] - plain(tree)[rival])


@FEW
@given(trees(zero_sum=True), st.sampled_from("ab"))
def test_optimal_play_cannot_be_exploited(tree: Any, seat: str) -> None:
    def best(kids: Any) -> int:
        return max(range(len(kids)), key=lambda i: plain(kids[i])["ab".index(seat)])

    question = Question("which?", data=tree)
    agent = lambda request: Pick(child=best(request.brief["details"]["kids"]))  # noqa: E731
    assert moot.exploit(ZeroSumTree(), question, seat, agent, moves=BOTH).gain == pytest.approx(0)


@FEW
@given(trees(zero_sum=False, coins=False))
def test_sub_plays(tree: Any) -> None:
    question = Question("which?", data={"inside": {"inside": tree}})
    found = moot.solve(Tree(), question, moves=BOTH)
    assert [found.value["a"], found.value["b"]] == plain(tree)
    assert all(entry.step.startswith("0.0.") for entry in found.line)


def test_coins_of_the_line() -> None:
    tree = {"coin": [1, 3], "kids": [{"pay": [8, 0]}, {"seat": "a", "kids": [{"pay": [0, 1]}, {"pay": [4, 2]}]}]}
    found = moot.solve(Tree(), Question("which?", data=tree), moves=BOTH)
    assert found.value == {"a": 5.0, "b": 1.5} and found.coins == {"0": 1}
    assert [(e.step, e.seat, e.move) for e in found.line] == [("1", "a", Pick(child=1))]


# -- moot's own protocols -------------------------------------------------------------------------------------------


def splits(request: moot.Request) -> Iterator[moot.Move]:
    if Dispute in request.kinds:
        yield from every_move(request.kinds)
    else:
        yield from (Split(left=left, right=request.brief["details"]["claim"] - left) for left in range(-6, 7))


@pytest.mark.parametrize("claims", [("3", "4"), ("4", "3"), ("3", "-9")])
@pytest.mark.parametrize("bound", [None, "3*n"])
def test_bisection_is_won_by_the_truth(claims: tuple[str, str], bound: str | None) -> None:
    question = Question("sum[0:4]", claims, data=[2, -1, 3, -1], size=4, unit="cells")
    judge = moot.Bounded(AddsTwo(), reads=bound) if bound else AddsTwo()
    found = moot.solve(moot.Bisection(), question, moves={"a": splits, "b": None}, seats={"judge": judge})
    assert found.value == ({"a": 1, "b": -1} if claims[0] == "3" else {"a": -1, "b": 1})
    assert len(found.line) == 5


def test_the_line_is_a_play_like_any_other() -> None:
    """The same moves through the driver: the same outcome, and the judge is handed the same request."""
    seen: list[str] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append(request.digest)
        return AddsTwo().act(request)

    question = Question("sum[0:4]", ("3", "4"), data=[2, -1, 3, -1], size=4, unit="cells")
    found = moot.solve(moot.Bisection(), question, moves={"a": splits, "b": None}, seats={"judge": judge})
    said = {entry.step: entry.move for entry in found.line}
    played = moot.run(
        moot.Bisection(), question, {"a": lambda r: said[r.step], "b": lambda r: said[r.step], "judge": judge}
    )
    assert played.outcome == found.outcome and seen[-1] == seen[-2]


def test_payoffs_beyond_the_stakes_are_the_protocols_fault() -> None:
    with pytest.raises(moot.ProtocolError, match=r"paid 3\.0 to seat 'a'; it had said that its stakes are 2\.0"):
        moot.solve(StakedTree(), Question("which?", data={"pay": [3, -3]}), moves=BOTH)


def test_payoffs_that_do_not_sum_to_zero_are_searched_in_full() -> None:
    tree = {"seat": "a", "kids": [{"seat": "b", "kids": [{"pay": [1, 1]}, {"pay": [0, 2]}]}, {"pay": [1, 0]}]}
    found = moot.solve(ZeroSumTree(), Question("which?", data=tree), moves=BOTH)
    assert found.value == {"a": 1.0, "b": 0.0}


def test_exploit_needs_two_rivals_and_all_of_the_agents_moves() -> None:
    question = Question("which?", data={"seat": "a", "kids": [{"pay": [0, 0]}, {"pay": [1, -1]}]})
    second = lambda request: Pick(child=1)  # noqa: E731
    with pytest.raises(moot.UsageError, match="does better by 1"):
        moot.exploit(ZeroSumTree(), question, "a", second, moves={"a": lambda request: [Pick(child=0)], "b": None})
    with pytest.raises(moot.UsageError, match="two seats of a zero-sum protocol"):
        moot.exploit(Tree(), question, "a", second, moves=BOTH)
    with pytest.raises(moot.UsageError, match="two seats of a zero-sum protocol"):
        moot.exploit(ZeroSumTree(), question, "a", second, moves={"b": None})


# -- every move of a kind -------------------------------------------------------------------------------------------


def test_every_move() -> None:
    class Finite(moot.Move):
        kind: Literal["finite"] = "finite"
        which: Literal["x", "y"]
        how: Annotated[int, Field(gt=0, lt=3)] | None
        sure: bool
        note: str = "kept"

    listed = every_move((Finite, Pick))
    assert len(listed) == 2 * 3 * 2 + 4 == len(set(listed))
    assert all(move.note == "kept" for move in listed if isinstance(move, Finite))
    with pytest.raises(moot.UsageError, match="Speech cannot be listed: its field 'text'"):
        every_move((moot.Speech,))

    class Huge(moot.Move):
        kind: Literal["huge"] = "huge"
        number: Annotated[int, Field(ge=0, le=10**9)]

    with pytest.raises(moot.UsageError, match="more than 10000 moves"):
        every_move((Huge,))
