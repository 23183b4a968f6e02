"""Agents by name."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.kinds import AgentKind, Asked, Profile
from moot.agents.models.lm import LM
from moot.agents.money.prices import FREE, Prices
from moot.agents.people.human import Human
from moot.agents.spec import agent_from, profile_of
from moot.cli.plan import read_config
from moot.judges.bounded import Bounded
from moot.judges.clue_overseers import NegligentBiased, RobustJudge
from moot.judges.model import ModelJudge
from moot.judges.panel import Panel
from moot.protocols.engine.errors import UsageError


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@given(st.text(alphabet="abcxyz:/@.", max_size=12))
def test_an_unknown_name_is_a_usage_error_that_lists_what_there_is(spec: str) -> None:
    with pytest.raises(UsageError, match="openai:MODEL"):
        agent_from(spec)


def test_openai_at_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = agent_from("openai:org/model@v2@http://127.0.0.1:8080/v1")
    assert isinstance(agent, LM) and agent.model == "org/model@v2"
    assert agent.endpoint.base_url == "http://127.0.0.1:8080/v1"
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9/v1/")
    assert agent_from("openai:m").endpoint.base_url == "http://127.0.0.1:9/v1"


def test_the_hosted_endpoint_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="set OPENAI_API_KEY"):
        agent_from("openai:m")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert agent_from("openai:m").endpoint.base_url == "https://api.openai.com/v1"


def test_a_key_is_not_sent_to_an_address_it_is_not_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    assert agent_from("openai:m@https://example.invalid/v1").endpoint.secrets.key is None
    assert agent_from("openai:m@https://api.openai.com/v1").endpoint.secrets.key == "sk-x"


def test_names_of_a_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "moot.toml").write_text(
        """
        [agents.big]
        kind = "openai"
        model = "m"
        base_url = "http://127.0.0.1:1/v1"
        api_key_env = "BIG_KEY"
        temperature = 0.5
        prices = [2.0, 8.0, 0.5]

        [agents.careful]
        kind = "logprobs"
        of = "big"

        [agents.ann]
        kind = "human"
        name = "Ann"
        """
    )
    config = read_config(tmp_path / "moot.toml")
    with pytest.raises(UsageError, match="BIG_KEY holds no key"):
        agent_from("big", config)
    monkeypatch.setenv("BIG_KEY", "k")
    agent = agent_from("big", config)
    assert agent.temperature == 0.5 and agent.describe()["prices"] == {
        "prompt": 2.0,
        "completion": 8.0,
        "cache_read": 0.5,
    }
    for spec in ("careful", "logprobs:big"):
        judge = agent_from(spec, config)
        assert isinstance(judge, ModelJudge) and judge.method == "logprobs"
    assert isinstance(agent_from("ann", config), Human) and agent_from("ann", config).describe()["name"] == "Ann"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "x"}, "kind is 'x'"), ({"kind": ["human"]}, r"kind is \['human'\]"), ({}, "kind is None"), ({"kind": "openai"}, "needs model"),
        ({"kind": "openai", "model": "m", "base_url": "http://127.0.0.1/v1", "tempature": 1}, "no option 'tempature'"),
        ({"kind": "logprobs", "of": "it"}, "defined by itself"), ({"kind": "logprobs", "of": "human"},
        "only a language model"),
        ({"kind": "openai", "model": "m", "base_url": "http://127.0.0.1/v1", "prices": "much"}, "prices"),
        ({"kind": "openai", "model": "m", "base_url": "http://127.0.0.1/v1", "temperature": "hot"}, "temperature"),
    ],
)  # fmt: skip
def test_bad_tables(table: dict[str, Any], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        agent_from("it", {"agents": {"it": table}})


def test_bad_configurations(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="must hold tables"):
        agent_from("it", {"agents": {"it": 1}})
    with pytest.raises(UsageError, match=r"no file .*none\.toml"):
        read_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[agents")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        read_config(tmp_path / "bad.toml")


def test_python_objects(tmp_path: Path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "def speak(request): return {'kind': 'speech', 'text': 'x'}\n"
        "class Speaker:\n    def act(self, request): return speak(request)\n"
        "number = 3\n"
    )
    assert agent_from(f"python:{file}:speak")(None)["text"] == "x"
    assert agent_from(f"python:{file}:Speaker").act(None)["text"] == "x"
    assert agent_from("python:moot.agents.people.human:Human").describe()["agent"] == "human"
    for spec, words in (
        (f"python:{file}:none", "no 'none'"), (f"python:{file}:number", "cannot take a seat"), ("python:x",
        "MODULE:NAME"),
        ("python:no_such_module:x", "cannot import no_such_module: there is no module"), (f"python:{tmp_path}/none.py:x", "no such file"),
        ("python:moot.agents.models.lm:LM", "LM.. failed"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            agent_from(spec)


def test_local_files(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model file"):
        agent_from(f"local:{tmp_path}/none.gguf")
    (tmp_path / "x.gguf").write_text("hello")
    with pytest.raises(UsageError, match="not a GGUF file"):
        agent_from(f"local:{tmp_path}/x.gguf")


def test_a_module_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a_module_of_mine.py").write_text("def speak(request): return {'kind': 'speech', 'text': 'here'}\n")
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    monkeypatch.chdir(tmp_path)
    assert agent_from("python:a_module_of_mine:speak")(None)["text"] == "here"


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("opena:m", "there is no agent 'opena:m'; did you mean 'openai'"),
        ("bigg", "there is no agent 'bigg'; did you mean 'big'"),
        ("openai", "kind 'openai' needs model, as in openai:MODEL"),
        ("task:sum", "kind 'task' needs program, as in task:TASK:PROGRAM"),
        ("task:sum:overseers", "task sum has no program 'overseers'; did you mean 'overseer'"),
        ("task:summ:overseer", "no task is called 'summ'; did you mean 'sum'"),
        ("panel:task:sum:prior,nobody", "there is no agent 'nobody'"),
        ("panel", "kind 'panel' needs members, as in panel:AGENT,AGENT"),
        ("robust:3", "robust takes nothing after it, not '3'"),
    ],
)
def test_bad_specifications_say_what_to_write(spec: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        agent_from(spec, {"agents": {"big": {"kind": "human"}}})


def test_the_text_after_the_colon_may_be_a_number() -> None:
    class Patient(AgentKind):
        name = "patient"
        rounds: int | None = None

        def make(self) -> int | None:
            return self.rounds

    assert agent_from("patient") is None and agent_from("patient:3") == 3
    for spec in ("patient:3.5", "patient:many"):
        with pytest.raises(UsageError, match=f"{spec}: rounds is '.*': .* valid integer"):
            agent_from(spec)


def test_judges_are_named_and_configured_as_agents_are() -> None:
    address = "openai:m@http://127.0.0.1:1/v1"
    config: dict[str, Any] = {
        "agents": {
            "three": {"kind": "panel", "members": [f"stated:{address}", "robust_judge", "human:Ann"], "rule": "vote"},
            "held": {"kind": "bounded", "of": "three", "reads": "40*n", "calls": 2, "seconds": 1.5},
            "flawed": {"kind": "negligent_biased", "neglect_words": 2, "bias_factor": 1.5},
        }
    }
    held = agent_from("held", config)
    assert isinstance(held, Bounded) and held.bound.limits(2) == {"reads": 80, "calls": 2, "seconds": 1.5}
    assert isinstance(held.agent, Panel) and held.agent.rule == "vote"
    stated, overseer, ann = held.agent.members
    assert (
        isinstance(stated, ModelJudge) and stated.method == "stated" and overseer == RobustJudge() and ann.name == "Ann"
    )
    assert agent_from("flawed", config) == NegligentBiased(neglect_words=2, bias_factor=1.5)
    assert [type(each) for each in agent_from("panel:human,robust_judge").members] == [Human, RobustJudge]
    for name, change, says in (
        ("three", {"rule": "most"}, r"\[agents.three\]: rule is 'most': .*'mean', 'median' or 'vote'"),
        (
            "three",
            {"members": ["human", 3]},
            r"\[agents.three\]: members.1 is 3: it must be the specification of an agent",
        ),
        ("three", {"members": []}, r"\[agents.three\]: a panel needs members"),
        ("held", {"reads": "40*"}, r"\[agents.held\]: .*40\*"),
        ("held", {"of": "held"}, "defined by itself: held -> held"),
        ("flawed", {"neglect_words": -1}, r"\[agents.flawed\]: neglect_words is -1: .* greater than or equal to 0"),
        ("flawed", {"neglect_words": 1, "bias_neglected_words": 2}, r"\[agents.flawed\]: .* of 1 neglected words"),
    ):
        with pytest.raises(UsageError, match=says):
            agent_from(name, {"agents": {**config["agents"], name: {**config["agents"][name], **change}}})


def test_profiles_need_no_key_and_compose() -> None:
    """A judge of a model is asked as the model is; a panel asks each of its members; best of 3 asks 3 times, and rates each."""

    def asking(spec: str, config: Any = None) -> Profile:
        """Without its looks, which are counted apart."""
        return replace(profile_of(spec, config), further=0, shows=0)

    m, k = (Asked(name, "https://api.openai.com/v1", None) for name in "mk")
    k_ = 1024  # doubled three times, and then an answer, a repair, and one in each form that is left
    most, shown = (1 + 2 + 4 + 4 * 8) * k_, (1 + 2 + 4 + 3 * 8) * k_ + 6 * 2048
    one = Profile(8 * k_, calls=7, models=(m,), most=most, retold=shown)
    assert asking("openai:m") == asking("stated:openai:m") == one
    plain = {"plain": {"kind": "openai", "model": "m", "max_tokens_limit": k_}}
    few = Profile(k_, calls=4, models=(m,), most=4 * k_, retold=3 * (k_ + 2048))
    assert asking("plain", {"agents": plain}) == few
    tagged = {"plain": {**plain["plain"], "structured": "tags"}}
    assert asking("plain", {"agents": tagged}) == Profile(k_, calls=2, models=(m,), most=2 * k_, retold=k_ + 2048)
    assert asking("human") == Profile(0, program=True) == asking("panel:human,robust")
    assert asking("panel:openai:m,openai:k,human") == Profile(
        8 * k_, calls=14, models=(m, k), usual=2, answers=2, said=2 * 8 * k_, most=2 * most, retold=2 * shown
    )
    tables = {
        "best": {"kind": "best-of", "of": "openai:m", "by": "logprobs:openai:m", "n": 3},
        "refined": {"kind": "critique-and-refine", "of": "openai:m", "critic": "openai:m", "critiques": 4, "rounds": 2,
                    "chooser": "human"},
        "held": {"kind": "bounded", "of": "openai:m", "calls": 7},
    }  # fmt: skip
    of = {
        spec: profile_of(spec, {"agents": {**tables, **tagged}}).further
        for spec in ("openai:m", "plain", "local", "human", "best", "refined")
    }
    # a judge by its token looks in a turn of its own: it ends it, and may be told why four times
    assert of == {
        "openai:m": 8,
        "plain": 8 + 2,
        "local": 2,
        "human": 0,
        "best": 3 * 8 + 3 * (8 + 1 + 4),
        "refined": 11 * 8,
    }
    assert asking("best", {"agents": tables}) == Profile(
        8 * k_, calls=6 * 7, models=(m,), usual=1 + 3, answers=3, asides=3, most=6 * most, retold=6 * shown
    )
    assert asking("refined", {"agents": tables}) == Profile(
        8 * k_, calls=11 * 7, models=(m,), usual=11, answers=11, most=11 * most, retold=11 * shown
    )
    held = profile_of("held", {"agents": tables})
    assert (held.answer, held.calls, held.bound.limits(1)) == (8 * k_, 7, {"calls": 7})
    tables["dear"] = {"kind": "openai", "model": "m", "prices": [1.0, 2.0, 0.5, 3.0]}
    tables["cheap"] = {"kind": "openai", "model": "k", "prices": [2.0, 1.0]}
    tables["both"] = {"kind": "best-of", "of": "dear", "by": "cheap", "n": 2}
    assert profile_of("both", {"agents": tables}).prices == Prices(2, 2, 2, 3)  # of each kind the dearest
    assert profile_of("panel:dear,openai:k", {"agents": tables}).prices is None and profile_of("local").prices == FREE
