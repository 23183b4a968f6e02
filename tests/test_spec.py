"""Agents by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.models.lm import LM
from moot.agents.people.human import Human
from moot.agents.spec import agent_from, load_config
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import UsageError


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@given(
    st.text(alphabet="abcxyz:/@.", max_size=12).filter(lambda text: not text.startswith(("local", "openai", "python")))
)
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
    assert agent_from("openai:m@https://example.invalid/v1").endpoint._key is None
    assert agent_from("openai:m@https://api.openai.com/v1").endpoint._key == "sk-x"


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
    config = load_config(tmp_path / "moot.toml")
    with pytest.raises(UsageError, match="BIG_KEY holds no key"):
        agent_from("big", config)
    monkeypatch.setenv("BIG_KEY", "k")
    agent = agent_from("big", config)
    assert agent.temperature == 0.5 and agent.describe()["prices"] == [2.0, 8.0, 0.5]
    for spec in ("careful", "logprobs:big"):
        judge = agent_from(spec, config)
        assert isinstance(judge, ModelJudge) and judge.method == "logprobs"
    assert isinstance(agent_from("ann", config), Human) and agent_from("ann", config).describe()["name"] == "Ann"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "x"}, "kind is 'x'"), ({"kind": "openai"}, "needs model"),
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
    with pytest.raises(UsageError, match="configuration"):
        load_config(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("[agents")
    with pytest.raises(UsageError, match=r"bad\.toml"):
        load_config(tmp_path / "bad.toml")


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
