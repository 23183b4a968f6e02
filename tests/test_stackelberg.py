"""Commitments: the best that a leader can do whose strategy is known, against a recursion over all of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_solve import BOTH, FEW, Pick, StakedTree, Tree, plain, trees

import moot
from moot.complexity.search.stackelberg import stackelberg
from moot.protocols.engine.question import Question
from moot.protocols.trees.decomposition_debate import Claim, Decomposition
from moot.protocols.trees.decomposition_debate import Pick as Part
from moot.protocols.trees.prover_estimator import Call, Estimate, ProverEstimator, Sampled


def nodes(tree: Any, seat: str) -> list[Any]:
    own = [tree] if tree.get("seat") == seat else []
    return own + [node for kid in tree.get("kids", ()) for node in nodes(kid, seat)]


def numbered(tree: Any, at: str = "") -> Any:
    """The tree with a text at each leaf that tells its place, so that no two positions look the same."""
    if "kids" not in tree:
        return {**tree, "at": at}
    return {**tree, "kids": [numbered(kid, f"{at}/{i}") for i, kid in enumerate(tree["kids"])]}


@FEW
@given(trees(zero_sum=True, coins=False), st.sampled_from("ab"))
def test_where_nothing_is_hidden_commitment_costs_a_rival_nothing(tree: Any, leader: str) -> None:
    tree = numbered(tree)
    if len(nodes(tree, leader)) > 4:
        return
    found = stackelberg(StakedTree(), Question("?", data=tree), leader, moves=BOTH)
    assert found.value["a"] == pytest.approx(plain(tree)[0])
    seats: Any = {leader: found.strategy, **found.reply.strategy}
    assert moot.run(StakedTree(), Question("?", data=tree), seats).outcome == found.reply.outcome


@FEW
@given(trees(zero_sum=False), st.sampled_from("ab"))
def test_every_commitment_is_tried(tree: Any, leader: str) -> None:
    tree = numbered(tree)
    own = nodes(tree, leader)
    choices = [range(len(node["kids"])) for node in own]
    if len(own) > 4:
        return
    found = stackelberg(Tree(), Question("?", data=tree), leader, moves=BOTH)
    best = -9.0
    for committed in product(*choices):
        picks = {str(node["kids"]): pick for node, pick in zip(own, committed, strict=True)}
        best = max(best, plain(tree, (leader, lambda kids, picks=picks: picks[str(kids)]))["ab".index(leader)])
    assert found.value[leader] == pytest.approx(best)


def test_commitment_can_pay_more_than_play_in_turn() -> None:
    """A threat: b would not carry it out if it came to it, and so a does not believe it unless b is committed."""
    tree = {"seat": "a", "kids": [{"seat": "b", "kids": [{"pay": [2, 1]}, {"pay": [-1, 0]}]}, {"pay": [0, 2]}]}
    question = Question("?", data=tree)
    assert moot.solve(Tree(), question, moves=BOTH).value == {"a": 2.0, "b": 1.0}
    found = stackelberg(Tree(), question, "b", moves=BOTH)
    assert found.value == {"a": 0.0, "b": 2.0} and found.tried == 4 and len(found.strategy) == 1
    assert found.reply.line[0].move == Pick(child=1)
    with pytest.raises(moot.UsageError, match="more than 1 strategies"):
        stackelberg(Tree(), question, "b", moves=BOTH, most=1)
    with pytest.raises(moot.UsageError, match="a leader and one follower"):
        stackelberg(Tree(), question, "b", moves={"b": None})


@pytest.mark.parametrize(("growth", "committed", "paid"), [(1.0, 0.0, 0.0), (2.0, 1.0, -1.0), (3.0, 1.0, -1.0)])
def test_a_small_prover_estimator_debate(growth: float, committed: float, paid: float) -> None:
    """A true claim that rests on itself, by a prover that may call as it likes. What the estimator does best to commit to
    is the truth where later rounds are worth twice as much, and where they are not, the opposite."""
    question = Question("Is it so?", ("yes", "no"), size=1)
    protocol = ProverEstimator(rounds=1, width=1, epsilon=0.0, growth=growth)

    def prover(request: moot.Request) -> list[moot.Move]:
        if moot.Answer in request.kinds:
            return [moot.Answer(choice=0)]
        if Decomposition in request.kinds:
            return [Decomposition(claims=(Claim(question="Is it so?", answer="yes"),))]
        return [Call(sign=sign) for sign in (-1, 0, 1)] if Call in request.kinds else [Part(claim="1")]

    def estimator(request: moot.Request) -> list[moot.Move]:
        first = [entry.move for entry in request.view if isinstance(entry.move, Estimate)]
        free: list[moot.Move] = [Estimate(probability=p) for p in (0.0, 0.5, 1.0)]
        return [*first[:1]] or free

    def judge(request: moot.Request) -> moot.Verdict:
        """The claim holds where the coin says that its part does; in truth it is right."""
        told = [entry.move for entry in request.view if isinstance(entry.move, Sampled)]
        return moot.Verdict.sure(0 if not told or told[-1].holds else 1, 2)

    options: dict[str, Any] = {"moves": {"a": prover, "b": estimator}, "seats": {"judge": judge}}
    found = stackelberg(protocol, question, "b", **options)
    assert found.value == pytest.approx({"a": -paid, "b": paid})
    assert moot.solve(protocol, question, **options).value == pytest.approx({"a": -paid, "b": paid})
    assert isinstance(found.reply.outcome, moot.Decided) and found.reply.outcome.verdict.probabilities[0] == committed
    assert {move.probability for move in found.strategy.moves.values()} == {committed}  # type: ignore[attr-defined]
