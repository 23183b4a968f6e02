"""What is known of an endpoint: said by a user, kept between runs in a file that may be damaged or contested, out of date,
or wrong; and what is sent with each call besides, without its secrets in anything that is kept."""

from __future__ import annotations

import json
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from agent_kit import request_for
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models import capabilities
from moot.agents.models.apis.choosing import CHAT
from moot.agents.models.capabilities import Capabilities
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.lm import LM
from moot.agents.models.profiles import store
from moot.agents.models.profiles.profile import KEPT, Change, EndpointProfile, learnt_profile
from moot.agents.prompts.schemas import without
from moot.agents.spec import agent_from
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Verdict
from moot.testing.server.faults import Fault, when
from moot.testing.server.server import MockOpenAI

URL = "https://api.example.invalid/v1"
NO_SEED = when(lambda body: "seed" in body, Fault("status", 400, "Unknown parameter: 'seed'.", param="seed"))


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "folder" / "profiles.json"))
    monkeypatch.setattr(store, "_told", {})
    return tmp_path / "folder" / "profiles.json"


def ask(lm: Any) -> Any:
    async def main() -> Any:
        try:
            return await lm.act(request_for(Verdict, role="judge"))
        except (AgentError, moot.UnreadableAnswer) as error:
            return error
        finally:
            await lm.close()

    return anyio.run(main)


# -- the file ----------------------------------------------------------------------------------------------------------

counts = st.integers(1, 10**6)
facts = st.dictionaries(st.sampled_from(sorted(KEPT)), st.text(max_size=30), max_size=6).flatmap(
    lambda because: st.tuples(st.just(because), counts, st.sampled_from(["max_tokens", "max_completion_tokens"]))
)


def changes_of(drawn: Any) -> dict[str, Change]:
    because, count, name = drawn
    to = dict.fromkeys(("top_logprobs", "most", "context"), count) | {"max_tokens": name, "drop": ("minItems",),
                                                                          "api": "responses", "stream": True, "tools": False}  # fmt: skip
    return {option: Change(option, to.get(option), why) for option, why in because.items()}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(facts, st.text(max_size=20))
def test_what_is_kept_is_read_again(kept: Path, drawn: Any, model: str) -> None:
    kept.unlink(missing_ok=True)
    changes = changes_of(drawn)
    store.save(URL, model, changes)
    found = store.load(URL, model)
    assert found == changes and all(found[name].because == changes[name].because for name in found)
    assert not store.load(URL, model + "x") and not store.load(URL + "/", model)
    learnt_profile(found)  # whatever was kept can be said


bad_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9), lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["version", "profiles", URL, "m", "seed", "most", "drop", "to", "because", "on"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(bad_json.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_a_damaged_file_is_told_and_put_aside_and_nothing_is_lost(kept: Path, raw: bytes) -> None:
    kept.parent.mkdir(exist_ok=True)
    for old in kept.parent.iterdir():
        old.unlink()
    kept.write_bytes(raw)
    for change in store.load(URL, "m").values():
        assert change.option in KEPT
    store.save(URL, "m", {"seed": Change("seed", None, "400: no")})
    there = {path.name: path.read_bytes() for path in kept.parent.iterdir()}
    aside = [content for name, content in there.items() if "damaged" in name]
    newer = b'"version"' in raw and not aside and b"profiles" in raw and "seed" not in store.load(URL, "m")
    assert newer or aside == [raw] or json.loads(raw).get("version") == store.VERSION
    assert newer or store.load(URL, "m")["seed"].because == "400: no"
    assert not [name for name in there if name.endswith(".lock")]


def test_a_later_version_is_told_and_left_alone(kept: Path) -> None:
    kept.parent.mkdir()
    kept.write_text(content := json.dumps({"version": 2, "profiles": {URL: {"m": {"seed": {"to": None}}}}}))
    assert not store.load(URL, "m")
    assert "is of version 2, and this moot reads 1; it is not used" in store.untold() and not store.untold()
    assert store.save(URL, "m", {"seed": Change("seed")}) is None and "nothing is kept" in store.untold()
    assert kept.read_text() == content


def test_a_file_that_cannot_be_written_stops_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("x")
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "file" / "profiles.json"))
    monkeypatch.setattr(store, "_told", {})
    for _ in range(3):
        assert not store.load(URL, "m") and store.save(URL, "m", {"seed": Change("seed")}) is None
    assert store.untold().count("MOOT_PROFILES names another file, or none") == 1 and not store.untold()


def test_facts_grow_old_sooner_on_this_machine(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for url, days in ((URL, 30), ("http://127.0.0.1:8080/v1", 1)):
        store.save(url, "m", {"seed": Change("seed", on="2026-01-01")})
        for day, believed in ((days, True), (days + 1, False), (-2, False)):
            monkeypatch.setattr(
                store,
                "today",
                lambda day=day: f"{__import__('datetime').date(2026, 1, 1) + __import__('datetime').timedelta(day)}",
            )
            assert bool(store.load(url, "m")) is believed
    store.save(URL, "m", {"seed": Change("seed", on="some day")})
    assert not store.load(URL, "m")


def test_processes_that_write_at_once_lose_nothing(kept: Path) -> None:
    """Threads stand for processes: they share nothing but the file and its lock."""
    threads = [threading.Thread(target=store.save, args=(URL, f"m{i}", {"seed": Change("seed")})) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(store.load(URL, f"m{i}") for i in range(12))
    assert [path.name for path in kept.parent.iterdir()] == ["profiles.json"]


def test_a_lock_of_a_dead_process_is_broken_and_one_of_a_living_waited_for(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.parent.mkdir()
    lock = kept.with_name(".profiles.json.lock")
    lock.touch()
    monkeypatch.setattr(store, "WAIT", 0.05)
    assert store.save(URL, "m", {"seed": Change("seed")}) is None
    assert "another process keeps writing it" in store.untold()
    __import__("os").utime(lock, (1, 1))
    assert store.save(URL, "m", {"seed": Change("seed")}) == kept and not lock.exists()


def test_where_the_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, "")
    assert (
        store.path() is None and store.save(URL, "m", {"seed": Change("seed")}) is None and store.load(URL, "m") == {}
    )
    monkeypatch.delenv(store.VARIABLE)
    for platform, variable, value, place in (
        ("linux", "XDG_CACHE_HOME", "/caches", "/caches/moot/profiles.json"), ("linux", "XDG_CACHE_HOME", "relative", None),
        ("win32", "LOCALAPPDATA", "/local", "/local/moot/profiles.json"), ("darwin", "HOME", "/people/x", "/people/x/Library/Caches/moot/profiles.json"),
    ):  # fmt: skip
        monkeypatch.setattr("sys.platform", platform)
        monkeypatch.setenv(variable, value)
        found = store.path()
        assert found is not None and (found.as_posix() == place if place else found.parts[-3:-1] == (".cache", "moot"))


# -- learnt in one run, known in the next --------------------------------------------------------------------------------


def forget() -> None:
    """What another process would know: the file alone."""
    capabilities._known.clear()


def test_the_next_run_does_not_run_into_it_again(kept: Path) -> None:
    mock = MockOpenAI(script=[NO_SEED])
    with mock.serve() as url:
        for calls in (2, 3):
            assert ask(LM("mock", base_url=url, backoff=1e-3)).probabilities
            assert mock.count == calls
            forget()
        assert (
            ask(LM("mock", base_url=url, backoff=1e-3, profile={"temperature": True})).probabilities and mock.count == 4
        )
    (fact,) = json.loads(kept.read_text())["profiles"][url]["mock"].items()
    assert (
        fact[0] == "seed" and fact[1]["because"] == "400: Unknown parameter: 'seed'." and fact[1]["on"] == store.today()
    )


def test_a_client_inside_the_process_stands_for_no_address(kept: Path) -> None:
    mock = MockOpenAI(script=[NO_SEED])
    assert ask(LM("mock", base_url=URL, http_client=mock.http_client())).probabilities
    assert not kept.exists()


def test_no_secret_is_kept_though_the_endpoint_repeats_it(kept: Path) -> None:
    key = "sk-very-secret-0123456789"
    fault = Fault("status", 400, f"Unknown parameter: 'seed'. (key {key}, Bearer {key})", param="seed")
    mock = MockOpenAI(script=[when(lambda body: "seed" in body, fault)], api_key=key)
    with mock.serve() as url:
        assert ask(
            LM("mock", base_url=f"{url}?token={key}x", api_key=key, headers={"X-Auth": "another-secret-1"})
        ).probabilities
    assert "seed" in (text := kept.read_text()) and key not in text and "another-secret" not in text


def test_an_endpoint_that_changes_its_mind() -> None:
    """It wants max_completion_tokens, then max_tokens again, then the other: each time one refused call, and an answer."""
    mind = ["max_tokens"]
    refuses = when(lambda body: mind[0] in body, Fault("status", 400, "Unsupported parameter: 'max_tokens' is not supported with this "
                   "model. Use 'max_completion_tokens' instead."))  # fmt: skip
    back = when(
        lambda body: mind[0] in body, Fault("status", 422, "max_completion_tokens: Extra inputs are not permitted")
    )
    mock = MockOpenAI()
    lm = LM("mock", base_url=URL, http_client=mock.http_client())
    for no, rule, calls in (
        ("max_tokens", refuses, 2),
        ("max_completion_tokens", back, 2),
        ("max_tokens", refuses, 2),
        ("", back, 1),
    ):
        mind[0], before = no, mock.count
        mock.faults.rules = [rule]
        assert ask(lm).probabilities and mock.count - before == calls
    refuses_all = when(
        lambda body: True, Fault("status", 400, "Unsupported parameter: 'max_tokens'; unknown: 'max_completion_tokens'")
    )
    mock.faults.rules = [refuses_all]
    before = mock.count
    assert isinstance(ask(lm), AgentError) and mock.count - before <= 3


# -- said by a user ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "says"), [
    ({"sed": False}, r"no field 'sed'.*seed"), ({"seed": "no"}, "seed is 'no'; say true"), ({"max_tokens": 0}, "at least 1"),
    ({"max_tokens": True}, "at least 1"), ({"top_logprobs": 2.5}, "at least 1"), ({"max_field": "max"}, "max_completion_tokens"),
    ({"formats": "json_schema"}, "a list of"), ({"formats": ["xml"]}, "a list of"), ({"drop": [1]}, "a list of texts"), (["seed"], "it is a table"),
    ({"logprobs": False, "top_logprobs": 5}, "leave one out"),
])  # fmt: skip
def test_a_profile_that_cannot_be(table: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        LM("m", base_url=URL, profile=table)
    config = {"agents": {"a": {"kind": "openai", "model": "m", "base_url": URL, "profile": table}}}
    with pytest.raises(UsageError, match=rf"\[agents\.a\].*({says}|profile is)"):
        agent_from("a", config)


def test_a_profile_in_a_configuration_is_heeded_and_recorded() -> None:
    table = {"seed": False, "max_field": "max_completion_tokens", "max_tokens": 100, "formats": [], "system": False}
    lm = agent_from("a", {"agents": {"a": {"kind": "openai", "model": "mock", "base_url": URL, "profile": table}}})
    mock = MockOpenAI()
    made = LM("mock", base_url=URL, http_client=mock.http_client(), profile=table)
    assert (
        lm.describe()["profile"] == made.describe()["profile"] == table
        and lm.identity() == LM("mock", base_url=URL).identity()
    )
    assert "profile" not in LM("mock", base_url=URL).describe()
    assert ask(made).probabilities
    body = mock.calls[0].body
    assert {*body} == {"model", "messages", "max_completion_tokens"} and body["max_completion_tokens"] == 100
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert EndpointProfile.of(made.profile) is made.profile and learnt_profile(made.profile.changes()).table() == table


@pytest.mark.parametrize(("profile", "fault", "field"), [
    ({"seed": True}, Fault("status", 400, "Unknown parameter: 'seed'.", param="seed"), "seed = true"),
    ({"formats": ["json_schema"]}, Fault.no_schema(), 'formats = \\["json_schema"\\]'),
    ({"max_tokens": 900}, Fault("status", 400, "max_tokens is too large: 900. This model supports at most 500 completion tokens"), "max_tokens = 900"),
    ({"max_field": "max_tokens"}, Fault("status", 400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."), "max_field"),
    ({"system": True}, Fault("status", 400, "System role not supported"), "system = true"),
])  # fmt: skip
def test_a_profile_that_the_endpoint_contradicts(profile: Any, fault: Fault, field: str) -> None:
    mock = MockOpenAI(script=[fault])
    lm = LM("mock", base_url=URL, http_client=mock.http_client(), profile=profile)
    notes: list[dict[str, Any]] = []
    with pytest.raises(AgentError, match=f"the profile says {field}.*endpoint says otherwise: mend the profile"):
        anyio.run(lm.act, request_for(Verdict, role="judge", notes=notes))
    assert mock.count == 1 and not lm.takes.learnt
    assert [(note["prompt_tokens"], note["cost"]) for note in notes] == [
        (0, 0.0)
    ]  # nothing was worked on, nothing charged


def test_without_keywords_a_schema_keeps_its_names() -> None:
    schema = {
        "type": "object",
        "properties": {"minItems": {"type": "array", "minItems": 1, "items": {"enum": ["minItems"]}}},
        "minItems": 2,
    }
    made = without(
        {"type": "json_schema", "json_schema": {"name": "x", "strict": True, "schema": schema}},
        ["minItems"],
        strict=False,
    )
    assert made["json_schema"] == {"name": "x", "schema": {
        "type": "object", "properties": {"minItems": {"type": "array", "items": {"enum": ["minItems"]}}}}}  # fmt: skip
    assert without({"type": "json_object"}, ["minItems"]) == {"type": "json_object"}


def test_agents_with_other_profiles_learn_apart() -> None:
    client = MockOpenAI().http_client()
    one, other = (Capabilities.of(URL, "m", client, EndpointProfile(seed=said)) for said in (True, False))
    assert one is not other and one is Capabilities.of(URL, "m", client, EndpointProfile(seed=True))


# -- headers, query, and the header of the key --------------------------------------------------------------------------


def sent(lm: LM, mock: MockOpenAI) -> dict[str, str]:
    assert ask(lm).probabilities
    return mock.calls[-1].headers


def test_the_key_stands_in_the_header_that_the_address_wants() -> None:
    def headers(**options: Any) -> dict[str, str]:
        mock = MockOpenAI()
        url = options.pop("base_url", URL)
        return sent(LM("mock", base_url=url, http_client=mock.http_client(), **options), mock)

    assert headers(api_key="k1")["authorization"] == "Bearer k1" and "api-key" not in headers(api_key="k1")
    azure = headers(base_url="https://x.openai.azure.com/v1?api-version=2024-10-21", api_key="k1")
    assert azure["api-key"] == "k1" and "authorization" not in azure and azure[":query"] == "api-version=2024-10-21"
    assert headers(api_key="k1", auth="api-key")["api-key"] == "k1"
    token = headers(base_url="https://x.services.ai.azure.com/v1", api_key="t1", auth="bearer")
    assert token["authorization"] == "Bearer t1" and "api-key" not in token
    assert "api-key" not in headers(base_url="https://openai.azure.com.evil.invalid/v1", api_key="k1")
    own = headers(
        api_key="k1", headers={"Authorization": "Basic abc", "X-Title": "study"}, query={"api-version": "v 1"}
    )
    assert own["authorization"] == "Basic abc" and own["x-title"] == "study" and own[":query"] == "api-version=v+1"


@pytest.mark.parametrize(("options", "says"), [
    ({"headers": {"X Title": "a"}}, "no name of a header"), ({"headers": {"X": "a\nb"}}, "the value of X"), ({"headers": {"X": 1}}, "the value of X"),
    ({"headers": {"X": "ü"}}, "the value of X"), ({"headers": {"Content-Length": "5"}}, "set by moot"), ({"headers": {"a": "1", "A": "2"}}, "twice"),
    ({"headers": "X: a"}, "a table of names"), ({"auth": "basic"}, "'bearer' or 'api-key'"), ({"query": {"": "a"}}, "must be a name"),
    ({"query": {"v": 1}}, "must be a name"), ({"query": {"v": "1"}, "base_url": URL + "?v=2"}, "stands in the base URL already"),
])  # fmt: skip
def test_headers_and_queries_that_cannot_be_sent(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        LM("m", **{"base_url": URL, **options})
    assert "\n" not in str(caught.value)


def test_secrets_in_headers_are_in_nothing_that_is_kept() -> None:
    secret = "hdr-secret-0123456789"
    reply: Callable[[Any], Any] = lambda body: Fault("status", 418, f"you sent {secret}")  # noqa: E731
    mock = MockOpenAI(reply)
    options: dict[str, Any] = {
        "headers": {"X-Api-Key": secret, "Proxy-Authorization": f"Bearer {secret}2", "X-Title": "study"}
    }
    lm = LM("mock", base_url=URL, http_client=mock.http_client(), **options)
    error = ask(lm)
    assert isinstance(error, AgentError) and secret not in str(error) and "you sent [hidden]" in str(error)
    assert secret not in json.dumps(lm.describe()) and lm.describe()["headers"] == [
        "Proxy-Authorization",
        "X-Api-Key",
        "X-Title",
    ]
    assert secret not in repr(lm.identity())
    endpoint = Endpoint(URL, **options)
    again = pickle.loads(raw := pickle.dumps(endpoint))
    assert secret.encode() not in raw and "left out of the pickle" in again.secrets.lost
    plain = pickle.loads(pickle.dumps(Endpoint(URL, headers={"X-Title": "study"})))
    assert not plain.secrets.lost and plain._headers(CHAT) == {"x-title": "study"}


def test_connections_are_not_shared_between_headers() -> None:
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: httpx2.Response(500)))

    async def main() -> None:
        one, other = (Endpoint(URL, http_client=client, headers={"X-Title": title}) for title in "ab")
        assert (
            one.limiter is not other.limiter
            and one.limiter is Endpoint(URL, http_client=client, headers={"X-Title": "a"}).limiter
        )

    anyio.run(main)
