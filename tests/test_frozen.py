"""Frozen: the earlier agent stays as it was, is known by its hash, and whatever moves inside it is named."""

from __future__ import annotations

import subprocess
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from agent_kit import request_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.base import describe
from moot.agents.identity import identity
from moot.agents.models.lm import LM
from moot.agents.spec import agent_from, profile_of
from moot.agents.wrappers.frozen import Frozen
from moot.play.run import in_loop
from moot.protocols.amplification.amplification import Reply
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.errors import AgentError, UsageError
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.programs.programs import Overseer
from moot.training.errors import Slipping
from moot.training.learners import Network, Tabular, as_agent
from moot.training.oversight import Claims

TASK = PermutationPower()
DATA = TASK.data(8, Random(0))
TEXTS = list(TASK.learnable(DATA))
QUESTION = moot.Question(TEXTS[0], tuple(TASK.answers(DATA)), data=DATA, size=8, unit="cells")
ASKED = request_for(Reply, question=QUESTION)
TABLE: dict[str, str] = {}
THE_ONE: dict[str, Any] = {}


def the_one() -> Any:
    return THE_ONE["it"]


def table(said: dict[str, str]) -> Tabular:
    made = Tabular()
    made.train([*said], [*said.values()])
    return made


def answer(agent: Any) -> str:
    return str(agent.act(ASKED).answer)


class Trains:
    """A learner that learns from being asked."""

    def __init__(self) -> None:
        self.learner = table({TEXTS[0]: "1"})

    def act(self, request: moot.Request) -> moot.Move:
        move = as_agent(self.learner).act(request)
        self.learner.train([TEXTS[0]], [str((int(self.learner.said[TEXTS[0]]) + 1) % 8)])
        return move


class TrainsLater(Trains):
    async def act(self, request: moot.Request) -> moot.Move:  # type: ignore[override]
        return super().act(request)


class InItsClass:
    said: dict[str, str] = {TEXTS[0]: "1"}  # noqa: RUF012 - that is what it is about

    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=self.said.get(TEXTS[0], "?"))


class InAGlobal:
    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=TABLE.get(TEXTS[0], "?"))


class Closes:
    """One that states which version it is, and trains all the same."""

    identity = "version 1"

    def __init__(self) -> None:
        self.calls = 0

    def act(self, request: moot.Request) -> moot.Move:
        self.calls += 1
        return Reply(answer=str(self.calls))


@given(st.dictionaries(st.sampled_from(TEXTS[:6]), st.sampled_from("0123"), max_size=6),
       st.lists(st.tuples(st.sampled_from(TEXTS[:6]), st.sampled_from("0123")), max_size=5))  # fmt: skip
@settings(deadline=None, max_examples=30)
def test_whatever_is_trained_after_the_frozen_one_answers_as_it_did(
    said: dict[str, str], after: list[tuple[str, str]]
) -> None:
    learner = table(said)
    agent, same = as_agent(learner, TASK), table(dict(reversed(said.items())))
    frozen, before = Frozen(agent), learner.copy().said
    assert frozen.state == Frozen(as_agent(table(before), TASK)).state, (
        "by what it knows, and not by which object it is"
    )
    assert (identity(same) == identity(learner)) and Frozen(as_agent(same, TASK), frozen.state).state == frozen.state
    for text, each in after:
        learner.train([text], [each])
    for text in TEXTS[:6]:
        asked = request_for(Reply, question=QUESTION.model_copy(update={"text": text}))
        assert frozen.act(asked).answer == before.get(text, "?")
    moved = learner.said != before
    assert (Frozen(agent).state != frozen.state) == moved
    if moved:
        with pytest.raises(UsageError, match="a learner that moved after freezing"):
            Frozen(agent, state=frozen.state)


def test_a_table_that_two_learners_share_is_copied() -> None:
    one, other = table({TEXTS[0]: "1"}), Tabular()
    other.said = one.said
    frozen = Frozen(as_agent(other))
    one.train([TEXTS[0]], ["2"])
    assert answer(as_agent(other)) == "2" and answer(frozen) == "1"


def test_who_trains_itself_when_it_is_asked_is_named() -> None:
    with pytest.raises(AgentError, match=r"seat \w+: Trains.learner.said has changed since it was frozen"):
        Frozen(Trains()).act(ASKED)
    later = Frozen(TrainsLater())
    with pytest.raises(AgentError, match=r"TrainsLater.learner.said has changed since it was frozen"):
        in_loop(lambda: later.act(ASKED))
    with pytest.raises(AgentError, match=r"Slipping.answers has changed"):
        Frozen(Slipping(as_agent(table({})), 0.5)).act(ASKED)
    for wrapped in (moot.Copies(Trains()), Frozen(moot.Copies(Trains()))):
        assert [answer(Frozen(wrapped)) for _ in range(3)] == ["1"] * 3
    with pytest.raises(AgentError, match="Trains.learner.said has changed"):
        Frozen(Frozen(Trains())).act(ASKED)


class Forgets(Trains):
    def act(self, request: moot.Request) -> moot.Move:
        self.__dict__.pop("noted")
        return Reply(answer="1")


class Remembers(Trains):
    def act(self, request: moot.Request) -> moot.Move:
        self.met = table({})
        return Reply(answer="1")


def test_an_attribute_that_comes_or_goes_is_named() -> None:
    forgets = Forgets()
    forgets.noted = table({})  # type: ignore[attr-defined]
    for agent, where in ((forgets, "Forgets.noted"), (Remembers(), "Remembers.met")):
        with pytest.raises(AgentError, match=rf"{where} has changed since it was frozen"):
            Frozen(agent).act(ASKED)


def captured() -> tuple[Callable[[moot.Request], moot.Move], dict[str, str]]:
    said = {TEXTS[0]: "1"}
    return lambda request: Reply(answer=said[TEXTS[0]]), said


def test_what_a_copy_shares_with_the_original_is_named_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InItsClass, "said", {TEXTS[0]: "1"})
    monkeypatch.setitem(TABLE, TEXTS[0], "1")
    for agent, shared, where in (
        (InItsClass(), InItsClass.said, "class attribute InItsClass.said"),
        (InAGlobal(), TABLE, "global TABLE of test_frozen"),
    ):
        frozen = Frozen(agent)
        assert answer(frozen) == "1"
        shared[TEXTS[0]] = "2"
        with pytest.raises(AgentError, match=f"{where} has changed since it was frozen"):
            frozen.act(ASKED)
        assert Frozen(agent).state != frozen.state
    function, said = captured()
    frozen = Frozen(function)
    said[TEXTS[0]] = "2"
    assert (answer(Frozen(function)), answer(frozen)) == ("2", "1"), "a function has captured values of its own"


def says_1(request: moot.Request) -> str:
    return "1"


def says_2(request: moot.Request) -> str:
    return "2"


rule = says_1


class ByARule:
    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=rule(request))


class InItsMethod:
    def rule(self) -> str:
        return "1"

    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=self.rule())


class Helps:
    def answer(self) -> str:
        return TABLE.get(TEXTS[0], "?")


HELPER = Helps()


class Helped:
    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=HELPER.answer())


def counter() -> Callable[[int], int]:
    kept = [0]

    def count(by: int) -> int:
        kept[0] += by
        return kept[0]

    return count


one_count, other_count = counter(), counter()


class Level(float):
    identity = property(lambda self: 1 / 0)


LEVEL = Level(0.5)


class HasALevel:
    identity = "version 1"

    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=str(LEVEL))


class OfTwo:
    def act(self, request: moot.Request) -> moot.Move:
        return Reply(answer=str(one_count(0) + other_count(0)))


def test_a_function_that_is_replaced_and_one_of_two_of_a_name_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    here = sys.modules[__name__]
    monkeypatch.setattr(says_1, "__code__", says_1.__code__)  # put back, as is what follows
    monkeypatch.setitem(TABLE, TEXTS[0], "1")
    monkeypatch.setattr(here, "rule", says_1)
    code: Any = says_1
    for agent, change, where in (
        (ByARule(), lambda: monkeypatch.setattr(here, "rule", says_2), "global rule of test_frozen"),
        (InItsMethod(), lambda: monkeypatch.setattr(InItsMethod, "rule", says_2), "class attribute InItsMethod.rule"),
        (code, lambda: monkeypatch.setattr(code, "__code__", says_2.__code__), "function says_1"),
        (Helped(), lambda: monkeypatch.setitem(TABLE, TEXTS[0], "2"), "global TABLE of test_frozen"),
        (OfTwo(), lambda: one_count(1), "captured value 0 of counter"),
        (OfTwo(), lambda: other_count(1), "captured value 0 of counter"),
    ):
        frozen = Frozen(agent)
        frozen.act(ASKED)
        change()
        with pytest.raises(AgentError, match=f"{where}.* has changed since it was frozen"):
            frozen.act(ASKED)
        assert Frozen(agent).state != frozen.state


def test_a_model_whose_settings_are_changed_is_named() -> None:
    """It is not copied, so that what is set on the original is set on the frozen one."""
    model = LM("m", base_url="http://a.invalid/v1", api_key="k")
    program: Any = lambda request, model=model: Reply(answer="1")  # noqa: E731 - holds the model
    for agent in (model, program):
        frozen = Frozen(agent)
        frozen._unmoved(Reply(answer="1"), ASKED)
        model.temperature = 0.25 if agent is model else 0.5
        with pytest.raises(AgentError, match="has changed since it was frozen"):
            frozen._unmoved(Reply(answer="1"), ASKED)


def test_what_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits that the class states: a version that is claimed, and what other modules keep."""
    frozen = Frozen(Closes())
    assert [answer(frozen) for _ in range(2)] == ["1", "2"]
    kept: Any = sys.modules["agent_kit"]
    kept.told = "1"
    elsewhere = Frozen(lambda request: Reply(answer=sys.modules["agent_kit"].told))
    kept.told = "2"
    assert answer(elsewhere) == "2"
    del kept.told
    monkeypatch.setattr(sys.modules[__name__], "HELPER", InAGlobal())
    HELPER.lock, HELPER.answer = threading.Lock(), lambda: "1"  # type: ignore[attr-defined, method-assign]
    unseen = Frozen(Helped())
    HELPER.answer = lambda: "2"  # type: ignore[method-assign]
    assert answer(unseen) == "2" and answer(Frozen(HasALevel())) == "0.5", "globals that cannot be seen whole"


def test_the_record_has_the_state() -> None:
    learner = table({text: TASK.truth(DATA, text) for text in TEXTS})
    earlier = Frozen(as_agent(learner, TASK))
    text = TEXTS[-1]
    seats = {"model": Claims(TASK.truth(DATA, text), ""), "overseer": Overseer(TASK), "earlier": earlier}
    question = QUESTION.model_copy(update={"text": text})
    play = moot.run(Approval(), question, seats)
    about = play.started["meta"]["seats"]["earlier"]
    assert (
        about["agent"] == "frozen" and about["state"] == earlier.state and about["members"][0]["learner"] == "tabular"
    )
    assert isinstance(play.outcome, moot.Decided) and play.outcome.payoffs == {"model": 1.0}
    failing = moot.run(Approval(), question, {**seats, "earlier": Frozen(Trains())})
    assert isinstance(failing.outcome, moot.Outcome) and "Trains.learner.said has changed" in str(failing.outcome)
    forged = type("Forged", (), {"describe": lambda self: {"agent": "frozen", "state": earlier.state}})()
    assert "which only moot.Frozen makes" in describe(forged)["problem"]


class Starts(Trains):
    async def start(self) -> None:
        sys.modules["agent_kit"].started = self  # type: ignore[attr-defined]

    def act(self, request: moot.Request) -> moot.Move:
        return as_agent(self.learner).act(request)


def test_a_bound_holds_and_the_copy_is_started() -> None:
    agent = Starts()
    agent.learner = table(dict.fromkeys(TEXTS, "1"))
    bounded = moot.Bounded(agent, calls="1")
    for earlier in (bounded, Frozen(bounded), moot.BestOf(Frozen(bounded), 2, score=lambda request, move: 1.0)):
        seats = {"model": Claims("1", ""), "overseer": Overseer(TASK), "earlier": earlier}
        found = moot.run(Approval(), QUESTION.model_copy(update={"text": TEXTS[-1]}), seats).outcome
        assert isinstance(found, moot.Exhausted) and (found.seat, found.measure) == ("earlier", "calls")
    frozen, kept = Frozen(agent), sys.modules["agent_kit"]
    in_loop(frozen.start)
    assert kept.__dict__.pop("started") is frozen.agent is not agent


def test_a_play_that_is_resumed_with_another_state_says_so(tmp_path: Path) -> None:
    def seats(said: str) -> dict[str, Any]:
        earlier = Frozen(as_agent(table(dict.fromkeys(TEXTS, said)), TASK))
        return {"model": Claims("1", ""), "overseer": Overseer(TASK), "earlier": earlier}

    whole, cut = tmp_path / "whole.jsonl", tmp_path / "cut.jsonl"
    moot.run(Approval(), QUESTION.model_copy(update={"text": TEXTS[-1]}), seats("1")).save(whole)
    cut.write_bytes(b"".join(whole.read_bytes().splitlines(keepends=True)[:9]))
    other = seats("2")
    play = moot.resume(cut, other)
    (resumed,) = (event for event in play.events() if event["event"] == "resumed")
    states = [each["meta"]["seats"]["earlier"]["state"] for each in (play.started, resumed)]
    assert states == [seats("1")["earlier"].state, other["earlier"].state] and states[0] != states[1]


def test_a_network_and_a_model() -> None:
    network = Network(TASK, DATA, (4,))
    network.train(TEXTS, ["1"] * len(TEXTS))
    frozen = Frozen(as_agent(network, TASK))
    said = [answer(frozen) for _ in range(2)]
    network.train(TEXTS * 20, ["2"] * len(TEXTS) * 20)
    assert [answer(frozen) for _ in range(2)] == said and Frozen(as_agent(network, TASK)).state != frozen.state
    models = [LM(name, base_url=f"http://{host}.invalid/v1", api_key="k") for name, host in (("m", "a"), ("m", "b"), ("n", "a"))]  # fmt: skip
    one, same, other = (Frozen(model) for model in models)
    assert one.agent is models[0] and one.state == same.state != other.state, "its endpoint is no part of what it is"


def test_refusals() -> None:
    class Unseen:
        identity = property(lambda self: 1 / 0)

        def act(self, request: moot.Request) -> None: ...

    class Locked(Trains):
        def __init__(self) -> None:
            super().__init__()
            self.learner.lock = threading.Lock()  # type: ignore[attr-defined]

    class OfOneName(Trains):
        def __reduce__(self) -> Any:
            return the_one, ()

    class Unpickled(Trains):
        def __reduce__(self) -> Any:
            return the_one, ("of several",)

    THE_ONE["it"] = OfOneName()
    module: Any = types.ModuleType("module")
    module.act = Trains().act
    for agent, state, said in (
        (THE_ONE["it"], None, "a copy of .* is that object itself"),
        (module, None, "a copy of .* is that object itself"),
        (Unpickled(), None, "cannot be copied: TypeError: the_one"),
        (Tabular(), None, "cannot take a seat"),
        (Unseen(), None, "can be seen whole"),
        (moot.Human(), None, "a person"),
        (Trains(), 3, "state is 3"),
        (Trains(), "ab", "and not ab"),
        (Locked(), None, "cannot be copied"),
    ):
        with pytest.raises(UsageError, match=said):
            Frozen(agent, state)  # type: ignore[arg-type]
    frozen = Frozen(Trains())
    with pytest.raises(AttributeError, match="make another Frozen"):
        frozen.state = "0"


def test_by_name() -> None:
    config: dict[str, Any] = {"agents": {"mine": {"kind": "frozen", "of": "task:sum:overseer"}}}
    found = agent_from("mine", config)
    assert isinstance(found, Frozen) and profile_of("mine", config).program
    config["agents"]["mine"]["state"] = found.state
    assert agent_from("mine", config).state == agent_from("frozen:task:sum:overseer").state == found.state
    config["agents"]["mine"]["state"] = "00"
    with pytest.raises(UsageError, match=r"\[agents.mine\].*moved after freezing"):
        agent_from("mine", config)


@pytest.mark.long
def test_another_process_finds_the_same_state(tmp_path: Path) -> None:
    """So that a record can be held against an agent that was made anew, whatever the hash seed."""
    code = "from moot.agents.spec import agent_from; print(agent_from('frozen:task:perm-power:overseer').state)"
    found = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path).stdout for _ in range(2)}  # fmt: skip
    assert found == {agent_from("frozen:task:perm-power:overseer").state + "\n"}
