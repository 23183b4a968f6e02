"""No verdict is wrong whose guarantee holds and whose premises are true of the play, of any protocol that claims a class."""

from __future__ import annotations

from typing import Any

import pytest

import moot
from moot.complexity.search.options import offered
from moot.protocols.amplification.amplification import Amplification
from moot.protocols.engine.base import known_protocols
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.metadata import PREMISES
from moot.protocols.games.doubly_efficient import DoublyEfficientDebate
from moot.tasks.base import known_tasks, task_named
from moot.testing import check_guarantee
from moot.testing.soundness import agents, optimal
from moot.testing.soundness import premises as checking
from moot.testing.soundness.check import Counts, GuaranteeBroken, TooFew, by_chance, examine, plainer_than
from moot.testing.soundness.drawing import Drawn, pairs, played, values_of
from moot.testing.soundness.premises import CHECKS, premises

SOME = {
    "amplify": ("sum", "geography"), "amplify-strong": ("expression",), "approval": ("sum", "tableau"), "bisection": ("sum",),
    "circuit-pointer": ("circuit-value",), "circuit-walk": ("circuit-value",), "consultancy": ("sat", "evidence"),
    "critique": ("persuasion",), "cross-examination": ("colouring",), "debate": ("evidence", "persuasion"),
    "decomposition-debate": ("sum", "tqbf"), "decomposition-debate-pointers": ("reach",), "direct-qa": ("expression",),
    "double-consultancy": ("persuasion",), "doubly-efficient": ("oracle-chain", "oracle-walk"),
    "doubly-efficient-deterministic": ("oracle-tally",), "doubly-efficient-witness": ("oracle-subset",), "geography": ("geography",),
    "market": ("sum", "tableau", "circuit"), "market-pointers": ("expression",), "market-uncited": ("sum", "sat"),
    "open-consultancy": ("sat",), "propaganda": ("persuasion",), "qbf-debate": ("tqbf",), "reachability": ("reach",),
    "recursive-debate": ("tqbf", "sum"),
}  # fmt: skip
"""Of each protocol that claims a class, the tasks on which the normal suite draws plays; the long one takes all there are."""

FAULTY = ("citing-pair", "shortest-path-published", "union-find-published", "tableau-published")
"""Tasks with the faults of what was published: questions that wait for each other, and a rule that is wrong. Few plays count."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "pair" in metafunc.fixturenames:
        every = list(pairs()) if metafunc.config.getoption("--long") else [("every", "pair")]  # skipped then
        metafunc.parametrize("pair", every, ids="/".join)


@pytest.mark.parametrize("protocol", SOME)
def test_no_guaranteed_verdict_is_wrong(protocol: str) -> None:
    for task in SOME[protocol]:
        found = check_guarantee(protocol, task, examples=14, seed=5)
        print(found)
        assert found.drawn and found.counted, found


def test_every_protocol_that_claims_a_class_is_drawn() -> None:
    claiming = {
        name
        for name, cls in known_protocols().items()
        if cls.complexity_class is not None and cls.__module__.startswith("moot.")
    }
    tasks = [task_named(name) for name in known_tasks()]
    assert {name for name in claiming if any(task.cast(name) for task in tasks)} == set(SOME)
    assert set(CHECKS) == set(PREMISES)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_a_thousand_plays_that_count(pair: tuple[str, str], tmp_path: Any) -> None:
    faulty = pair[1] in FAULTY
    found = check_guarantee(*pair, examples=1000, counted=1000, seed=11, least=0.0 if faulty else 0.1, out=tmp_path)
    print(found)
    assert faulty or found.counted >= 1000
    assert found.chances or not found.wrong, found


# -- the fuzzer itself ------------------------------------------------------------------------------------------------


def run_of(protocol: str, task: str, size: int, **given: Any) -> Any:
    return played(Drawn(protocol, task, size, given.pop("instance", 1), **given), task_named(task))


FALSE: dict[str, tuple[str, str, int, dict[str, Any]]] = {
    "right-judge": ("consultancy", "sat", 3, {"agents": {"judge": "stubborn"}}),
    "polynomial-judge": ("qbf-debate", "tqbf", 3, {"agents": {"judge": "alone"}}),
    "market-right-below": ("market", "sum", 3, {"agents": {"market": "lies alike"}}),
    "model-right-below": ("approval", "sum", 3, {"agents": {"earlier": "lies alike"}}),
    "right-below": ("decomposition-debate", "sum", 3, {"agents": {"below": "lies alike"}}),
    "copies": ("cross-examination", "colouring", 3,
               {"params": {"queries": 0}, "copied": False, "agents": {"a": "remembers", "b": "remembers"}}),
    "deep-enough": ("recursive-debate", "wildcard", 16, {"params": {"depth": 2}, "instance": 0}),
    "declared-n": ("qbf-debate", "tqbf", 3, {"declared": 5}),
    "lipschitz": ("doubly-efficient", "oracle-walk", 3, {"params": {"K": 0.25}}),
    "promise": ("doubly-efficient", "oracle-chain", 3, {"params": {"w": 0.99, "d": 0.6}}),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_a_premise_that_is_false_is_found(name: str) -> None:
    protocol, task, size, changes = FALSE[name]
    run = run_of(protocol, task, size, **changes)
    assert CHECKS[name](run) is False and premises(run, (name,)) == (name, False)
    assert CHECKS[name](run_of(protocol, task, size)) is True


@pytest.mark.parametrize(("protocol", "task", "size", "agents"), [
    ("qbf-debate", "tqbf", 4, {"a": "contrary", "b": "contrary"}), ("bisection", "sum", 4, {"a": "contrary", "b": "contrary"}),
    ("consultancy", "sat", 3, {"consultant": "gives up"}), ("market", "sum", 2, {"market": "lies", "adversary": "gives up"}),
    ("approval", "sum", 2, {"model": "lies"}), ("geography", "geography", 4, {"a": "contrary", "b": "contrary"}),
])  # fmt: skip
def test_play_that_is_not_optimal_is_found(protocol: str, task: str, size: int, agents: dict[str, str]) -> None:
    found = {CHECKS["optimal-play"](run_of(protocol, task, size, agents=agents, instance=each)) for each in range(8)}
    honest = [CHECKS["optimal-play"](run_of(protocol, task, size, instance=each)) for each in range(8)]
    assert False in found and all(honest)


@pytest.mark.parametrize(
    ("task", "size", "levels"), [("wildcard", 16, 4), ("tqbf", 2, 2), ("sum", 1, 0), ("sum", 2, 1)]
)
def test_a_line_is_deep_enough_from_its_last_level_on(task: str, size: int, levels: int) -> None:
    found = [
        CHECKS["deep-enough"](run_of("recursive-debate", task, size, params={"depth": depth}, instance=0))
        for depth in range(levels + 2)
    ]
    assert found == [False] * levels + [True, True]


def test_how_deep_a_line_may_go_is_not_known_of_too_many_claims(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "_MOST", 20)
    run = run_of("recursive-debate", "wildcard", 16, params={"depth": 2}, instance=0)
    assert CHECKS["deep-enough"](run) is None and premises(run, ("deep-enough",)) == ("deep-enough", None)


@pytest.mark.parametrize("protocol", ["amplify-strong", "market-pointers"])
def test_a_play_with_messages_is_put_again_to_its_end(protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message is given in its brackets, and recorded as a pointer, which nobody may make up."""
    run = run_of(protocol, "halting", 1)
    recorded = {step.step: (step.seat, step.move) for step in run.transcript.steps()}
    assert {each.step: (each.seat, each.move.model_dump(mode="json")) for each in run.again} == recorded
    assert any("&" in str(move) for _, move in recorded.values())
    pointers = {each.step: each.move for each in run.again}
    other = run_of(protocol, "halting", 1)
    monkeypatch.setattr(other, "moves", pointers)
    with pytest.raises(AssertionError, match="was put again"):
        other.again  # noqa: B018


def test_a_slip_behind_pointers_is_found() -> None:
    run = run_of("amplify-strong", "halting", 2, instance=22, agents={"overseer": "task:slipping-overseer"}, seed=16137)
    assert run.transcript.guarantee.holds and run.verdict != run.truth
    assert premises(run, run.transcript.guarantee.assumes) == ("right-judge", False)


def test_a_search_meets_a_seat_below_that_changes_its_data_as_a_play_does() -> None:
    """It is asked once in a play, and right; in a search what it did to its data in one branch is not found in the next."""
    seats = {"a": "puppet", "below": "changes"}
    run = run_of("decomposition-debate", "tqbf", 3, instance=355, agents=seats, seed=355)
    assert run.transcript.guarantee.holds and run.verdict != run.truth
    assert optimal.value(run, "a", {}) == 1
    assert CHECKS["right-below"](run) is True and CHECKS["optimal-play"](run) is False


def test_what_a_judge_without_the_source_cannot_rule_on_is_unknown() -> None:
    """Who concedes a debate that is to be won played badly; where the judge who would say so can look at nothing, nobody knows."""
    params = {"concede": True, "judge_source": "none"}
    run = run_of("debate", "persuasion", 1, instance=2, params=params, agents={"b": "puppet"}, seed=20)
    assert run.verdict != run.truth and CHECKS["optimal-play"](run) is None


def test_who_may_open_too_little_to_know_is_not_called_right() -> None:
    params = {"opens": 2}
    run = run_of(
        "decomposition-debate-pointers", "halting", 1, instance=0, params=params, agents={"b": "puppet"}, seed=1446
    )
    assert run.verdict != run.truth and CHECKS["right-below"](run) is None


def test_a_promise_that_is_not_kept_is_found() -> None:
    run, drawn = run_of("doubly-efficient", "oracle-chain", 3), Drawn("doubly-efficient", "oracle-chain", 3, 1)
    assert isinstance(run.protocol, DoublyEfficientDebate)
    counts = Counts("doubly-efficient", "oracle-chain", chances={run.protocol.d: (500, 1000)})
    with pytest.raises(GuaranteeBroken, match="verdicts were right, and 0.6 was promised"):
        by_chance(counts, False, drawn, run, None)


def test_what_was_found_can_be_played_again(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Drawn("amplify", "sum", 2, 1, {"width": 8}, {"overseer": "breaks"}, "n", 1, 3)
    assert len(list(plainer_than(drawn))) == 7 and eval(repr(drawn)) == drawn
    monkeypatch.setattr("moot.testing.soundness.check.passed_by", lambda run, guarantee: "on purpose")
    with pytest.raises(GuaranteeBroken, match="(?s)on purpose.*transcript: .*again: moot.testing") as found:
        examine(Drawn("bisection", "sum", 2, 1), task_named("sum"), Counts("bisection", "sum"), None, tmp_path)
    assert found.value.drawn.size == 2 and len(list(tmp_path.glob("*.jsonl"))) == 1


def test_what_cannot_be_checked_is_said() -> None:
    with pytest.raises(UsageError, match="do not play bisection"):
        check_guarantee("bisection", "sat")
    with pytest.raises(TooFew, match="next to nothing was checked"):
        check_guarantee("consultancy", "sat", examples=40, least=0.99)
    assert values_of(Amplification.model_fields["depth"].annotation) == (0, 1, 2, 3, 8, None)
    assert all(cls.__doc__ for cls in agents.HOSTILE.values())


class OneOfTwo(moot.Protocol):
    """Says which words it would like to hear, and takes any."""

    name = "soundness-one-of-two"

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "judge": "judge"}

    async def play(self, floor: Any, question: moot.Question) -> moot.Decided:
        await floor.ask("a", moot.Speech, one_of={"text": ["yes", "no"]})
        return moot.Decided(await floor.ask("judge", moot.Verdict))


def test_what_only_a_brief_makes_finite_is_no_search_of_every_move() -> None:
    request = moot.Game(OneOfTwo(), moot.Question("Which?", ("x", "y"))).start().request("0")
    assert len(offered(request).moves) == 2
    with pytest.raises(moot.UsageError, match="cannot be listed"):
        list(optimal._all(request))
