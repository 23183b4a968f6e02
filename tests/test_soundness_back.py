"""Faults that guarantees once had, put back one by one: the fuzzer of soundness finds each of them, and none without."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import strategies as st

from moot.complexity import citations, guarantee
from moot.protocols.amplification.approval import Approval
from moot.protocols.debate.debate import Debate
from moot.protocols.engine import question, replies, view
from moot.protocols.engine.floor import Floor
from moot.protocols.games.cross_examination import CrossExamination
from moot.protocols.market.market_making import MarketMaking, UncitedMarketMaking
from moot.protocols.trees.decomposition_debate import DecompositionDebate
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.tasks.base import task_named
from moot.testing import check_guarantee
from moot.testing.soundness import check, drawing, integrity
from moot.testing.soundness.check import Counts, GuaranteeBroken, TooFew, examine
from moot.testing.soundness.drawing import Drawn

Patch = pytest.MonkeyPatch


@pytest.fixture(autouse=True)
def impatient(monkeypatch: Patch) -> None:
    monkeypatch.setattr(check, "PATIENCE", 0.0)


def unmended(monkeypatch: Patch, cls: type[Any], **changes: Any) -> None:
    for name, value in changes.items():
        monkeypatch.setattr(cls, name, value)


def nothing(*args: Any, **kwargs: Any) -> None:
    return None


def without(premise: str, *premises: str) -> tuple[str, ...]:
    return tuple(name for name in premises if name != premise)


# -- what the record says of parameters -------------------------------------------------------------------------------


def test_silence_in_the_published_market(monkeypatch: Patch) -> None:
    """Truth is no equilibrium there: a market that prices it is moved by silence, so that no play is optimal and ends in one
    answer."""
    unmended(monkeypatch, MarketMaking, unmet_assumption=nothing)
    with pytest.raises(TooFew, match="optimal-play false"):
        check_guarantee(MarketMaking(unmoved="judge"), "sum", examples=40)
    monkeypatch.undo()
    assert check_guarantee(MarketMaking(unmoved="judge"), "sum", examples=20).held == 0


def test_parameters_that_cut_a_play_short(monkeypatch: Patch) -> None:
    unmended(monkeypatch, MarketMaking, unmet_assumption=nothing, decides=lambda self, question: "EXP")
    with pytest.raises(GuaranteeBroken, match="the verdict is wrong"):
        check_guarantee(MarketMaking(horizon=0), "sum", examples=80)


SILENT = ["lies", "task:silent"]
LIARS = ["lies", "lies alike", "gives up", "task:silent"]


def test_a_market_whose_last_price_pays(monkeypatch: Patch) -> None:
    """A market that heeds nothing pays no adversary there, and is never found out."""
    silent = MarketMaking(last="market", queries=8)
    assert check_guarantee(silent, "sum", examples=20, players=LIARS).held == 0
    unmended(monkeypatch, MarketMaking, unmet_assumption=nothing)
    with pytest.raises(GuaranteeBroken, match="the verdict is wrong"):
        check_guarantee(silent, "sum", examples=80, players=LIARS)


def test_a_rule_that_asks_more_than_may_be_cited(monkeypatch: Patch) -> None:
    assert check_guarantee(MarketMaking(citations=1), "sum", examples=80, players=SILENT, least=0).wrong == 0
    monkeypatch.setattr(citations, "uncitable", nothing)
    with pytest.raises(GuaranteeBroken, match="the verdict is wrong"):
        check_guarantee(MarketMaking(citations=1), "sum", examples=80, players=SILENT)


def test_a_market_about_answers_that_no_argument_shows(monkeypatch: Patch) -> None:
    """No assignment shows that a formula has none: whatever the market says of it stands."""
    unmended(monkeypatch, MarketMaking, unmet_assumption=nothing)
    with pytest.raises(GuaranteeBroken, match="(?s)the verdict is wrong.*truth: 'unsatisfiable'"):
        check_guarantee(UncitedMarketMaking(), "sat", examples=80, players=LIARS)
    monkeypatch.undo()
    assert check_guarantee(UncitedMarketMaking(), "sat", examples=40, players=LIARS).counted


def test_a_class_of_games_that_are_longer(monkeypatch: Patch) -> None:
    """Plays of two moves at every n are no PSPACE: where as many moves are made as there may be, and a larger instance may
    have no more, the class is held to the level of the hierarchy that so many moves come to."""
    unmended(monkeypatch, Debate, decides=lambda self, question: "PSPACE")
    with pytest.raises(GuaranteeBroken, match="PSPACE is claimed of plays that have 2 moves at every n"):
        check_guarantee(Debate(rounds=1, judge_source="metered"), "evidence", examples=60)


def test_a_judge_that_may_look_at_nothing(monkeypatch: Patch) -> None:
    unmended(monkeypatch, DecompositionDebate, unmet_assumption=nothing)
    with pytest.raises(GuaranteeBroken, match="the verdict is wrong"):
        check_guarantee(DecompositionDebate(below=True, judge_source="none"), "sum", examples=60)


# -- what it assumes --------------------------------------------------------------------------------------------------


def test_a_model_that_fits_its_answers_to_its_claim(monkeypatch: Patch) -> None:
    unmended(monkeypatch, Approval, assumes=without("model-right-below", *Approval.assumes), unmet_assumption=nothing)
    with pytest.raises(GuaranteeBroken, match=r"(?s)the verdict is wrong.*model: lies alike"):
        check_guarantee(Approval(frozen=False), "sum", examples=60, players=["lies alike"])


def test_a_market_that_lies_consistently(monkeypatch: Patch) -> None:
    unmended(monkeypatch, MarketMaking, assumes=without("market-right-below", *MarketMaking.assumes))
    with pytest.raises(GuaranteeBroken, match=r"(?s)the verdict is wrong.*market: lies alike"):
        check_guarantee(MarketMaking(), "sum", examples=80, players=["lies alike"])


@pytest.mark.parametrize("drawn", [
    Drawn("recursive-debate", "tqbf", 2, 1, {"depth": 1}, {"a": "contrary", "b": "contrary"}, seed=1874),
    Drawn("recursive-debate", "wildcard", 16, 0, {"depth": 2}, {"b": "contrary"}, seed=8),
], ids=["a careless claim", "a lie that is agreed to"])  # fmt: skip
def test_a_line_that_is_too_short(monkeypatch: Patch, drawn: Drawn) -> None:
    """With few levels the side that is right is lost to objections that nobody can answer. So it loses nothing by a careless
    claim, nor by a yes, with which a line ends before it is cut."""

    def again() -> Counts:
        counts = Counts("", "")
        examine(drawn, task_named(drawn.task), counts)
        return counts

    assert again().false == {"deep-enough": 1}
    unmended(monkeypatch, RecursiveDebate, assumes=without("deep-enough", *RecursiveDebate.assumes))
    with pytest.raises(GuaranteeBroken, match="the verdict is wrong"):
        again()


def test_n_on_faith(monkeypatch: Patch) -> None:
    monkeypatch.setattr(guarantee, "declared_n", lambda transcript, task: (True, None))
    with pytest.raises(GuaranteeBroken, match="n is .* on the record and . by the task"):
        check_guarantee("market-uncited", "sum", examples=60)


def test_a_claimant_with_memory(monkeypatch: Patch) -> None:
    monkeypatch.setattr(guarantee, "uncopied", nothing)
    monkeypatch.setattr(drawing, "_COPIED", st.just(False))
    monkeypatch.setattr(integrity, "fits", nothing)  # which would see that a class with no copies needs longer plays
    monkeypatch.setattr(drawing, "sizes_of", lambda task, protocol: (3,))
    found = check_guarantee(CrossExamination(), "colouring", examples=40, players=["remembers"], least=0)
    assert found.false["copies"], "who remembers is found out"
    unmended(monkeypatch, CrossExamination, assumes=without("copies", *CrossExamination.assumes))
    with pytest.raises(GuaranteeBroken, match="(?s)the verdict is wrong.*: remembers"):
        check_guarantee(CrossExamination(), "colouring", examples=100, players=["remembers"])


# -- what is counted --------------------------------------------------------------------------------------------------


def test_moves_that_say_what_they_cost(monkeypatch: Patch) -> None:
    made = replies.typed

    def as_given(reply: Any, kinds: Any) -> Any:
        return reply if isinstance(reply, kinds) else made(reply, kinds)

    monkeypatch.setattr(replies, "typed", as_given)
    with pytest.raises(GuaranteeBroken, match=r"judge read \d+, and \d+ are on the record"):
        check_guarantee("bisection", "sum", examples=40, players=["forges"])


def test_data_that_everybody_shares(monkeypatch: Patch) -> None:
    monkeypatch.setattr(question.Held, "by", lambda self, seat, asked: (asked, question.source_size(asked)))
    with pytest.raises(GuaranteeBroken, match="was shown other data"):
        check_guarantee("bisection", "sum", examples=60, players=["changes"])


def test_a_source_that_lies_open(monkeypatch: Patch) -> None:
    made = view.Shown.__init__

    def opened(self: Any, shown: Any, *args: Any, **kwargs: Any) -> None:
        made(self, shown, *args, **kwargs)
        object.__setattr__(self, "_full", shown._full)

    monkeypatch.setattr(view.Shown, "__init__", opened)
    with pytest.raises(GuaranteeBroken, match=r"the judge had all \d+ cells of the data"):
        check_guarantee("circuit-walk", "circuit-value", examples=60, players=["peeks"])


def test_a_budget_that_is_halved(monkeypatch: Patch) -> None:
    made = Floor.parallel
    monkeypatch.setattr(Floor, "parallel", lambda self, *branches, seats=None: made(self, *branches))
    with pytest.raises(GuaranteeBroken, match="was stopped after 0 calls, and its budget is 1"):
        check_guarantee("debate", "evidence", examples=60)
