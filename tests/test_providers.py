"""What endpoints of well-known providers refuse and ignore, each met with what can be done instead: against mocks that have
their words from the sources that `moot.testing.server.providers` names, and llama.cpp's own server."""

from __future__ import annotations

import dataclasses
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from agent_kit import completion, request_for
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

import moot
from moot.agents.models.capabilities import Capabilities
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.lm import LM
from moot.agents.models.profiles import store
from moot.agents.models.profiles.probe import Probe
from moot.agents.models.profiles.profile import Change, EndpointProfile
from moot.agents.models.refusals import refusal_of
from moot.agents.spec import agent_from
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import AgentError, BudgetExceeded, UsageError
from moot.protocols.engine.moves import Verdict
from moot.testing.server.faults import Fault
from moot.testing.server.providers import PROVIDERS
from moot.testing.server.server import MockOpenAI, Reply

BASE = "http://mock.invalid"
SPREAD = {"1": 0.7, "2": 0.3}


def lm_at(mock: MockOpenAI, **options: Any) -> LM:
    path = "/v1" if mock.provider is None else mock.provider.path
    options = {"api_key": "k" * 12, "backoff": 1e-4, **options}
    return LM("mock", base_url=BASE + path, http_client=mock.http_client(), **options)


def ask(agent: Any, **options: Any) -> Any:
    async def main() -> Any:
        try:
            return await agent.act(request_for(Verdict, role="judge", **options))
        except (AgentError, moot.UnreadableAnswer, BudgetExceeded) as error:
            return error
        finally:
            await getattr(agent, "lm", agent).close()

    return anyio.run(main)


# -- every mock provider: what is asked first, and what from then on -----------------------------------------------------

LEARNT: dict[str, dict[str, Any]] = {
    "openai-reasoning": {"max_tokens": "max_completion_tokens", "temperature": None}, "azure": {}, "gemini": {"seed": None},
    "anthropic": {"most": 8192}, "openrouter": {}, "vllm": {}, "sglang": {}, "ollama": {}, "llamacpp": {}, "lmstudio": {},
    "groq": {"most": 16384}, "deepseek": {"temperature": None, "most": 65536, "response_format json_schema": None}, "mistral": {"seed": None},
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_provider_answers_and_is_refused_nothing_twice(name: str) -> None:
    mock = MockOpenAI(profile=name)
    most = 100_000 if name in ("anthropic", "groq", "deepseek") else 1500
    lm = lm_at(mock, temperature=0.5, max_tokens=most)
    assert ask(lm).probabilities, mock.calls
    assert {option: change.to for option, change in lm.takes.learnt.items()} == LEARNT[name]
    refused = [call.status for call in mock.calls if call.status != 200]
    assert len(refused) == len(LEARNT[name])
    before = mock.count
    assert ask(lm).probabilities and mock.count == before + 1


GIVEN = {"azure": 2, "vllm": 2, "sglang": 2, "llamacpp": 2}


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_judges_by_log_probabilities_where_there_are_some_and_clear_words_elsewhere(name: str) -> None:
    mock = MockOpenAI(profile=name, logprobs=SPREAD)
    lm = lm_at(mock)
    found = ask(ModelJudge(lm, "logprobs"))
    if name in GIVEN:
        assert found.probabilities == pytest.approx((0.7, 0.3))
        return
    assert "judge by 'stated'" in str(found) and "api_key" not in str(found)
    refused, before = any(call.status != 200 for call in mock.calls), mock.count
    assert "judge by 'stated'" in str(ask(ModelJudge(lm, "logprobs")))
    assert mock.count == before + (not refused)  # a refusal is remembered: nobody is asked for nothing


def test_thinking_under_a_judge_by_log_probabilities_is_said() -> None:
    mock = MockOpenAI(profile="vllm", logprobs=SPREAD)
    mock.provider = PROVIDERS["deepseek"]  # thinks first; here it takes logprobs
    client = httpx2.AsyncClient(transport=httpx2.MockTransport(lambda request: httpx2.Response(
        200, json=completion("", "length", reasoning_content="Hm, a storm"))))  # fmt: skip
    error = ask(ModelJudge(LM("m", base_url=BASE, http_client=client), "logprobs"))
    assert "it thinks before it answers, so that its first token is no verdict; judge by 'stated'" in str(error)


# -- forms of the answer -------------------------------------------------------------------------------------------------


def test_a_json_object_where_schemas_are_refused_and_tags_where_that_is_too() -> None:
    mock = MockOpenAI(profile="deepseek")
    lm = lm_at(mock)
    assert ask(lm).probabilities
    forms = [(call.body.get("response_format") or {}).get("type") for call in mock.calls]
    assert (
        forms == ["json_schema", "json_object"]
        and '"kind" is "verdict"' in mock.calls[-1].body["messages"][-1]["content"]
    )
    failed = Fault("status", 400, "Failed to generate JSON. Please adjust your prompt. See 'failed_generation' for more details.",
                   code="json_validate_failed")  # fmt: skip
    mock = MockOpenAI(script=[failed, failed])
    lm = lm_at(mock)
    assert ask(lm).probabilities and [call.body.get("response_format", {}).get("type") for call in mock.calls] == [
        "json_schema", "json_object", None]  # fmt: skip
    assert "<verdict>" in mock.calls[-1].body["messages"][-1]["content"]


def test_a_form_that_is_asked_for_by_name_is_kept_to() -> None:
    mock = MockOpenAI(profile="lmstudio")
    assert "'response_format.type' must be" in str(ask(lm_at(mock, structured="object"))) and mock.count == 1
    assert ask(lm_at(mock, profile={"formats": ["json_object"]})).args[0].startswith("mock: the profile says formats")
    assert ask(lm_at(MockOpenAI(), structured="object")).probabilities
    with pytest.raises(UsageError, match="'auto', 'schema', 'object' or 'tags'"):
        lm_at(mock, structured="json")


@pytest.mark.parametrize("words", [
    "invalid schema for response format: response_format/json_schema/next_step: {0} is not supported",
    "Invalid schema for response_format 'verdict': In context=(), '{0}' is not permitted.",
    "Invalid JSON payload received. Unknown name \"{0}\" at 'generation_config.response_schema': Cannot find field.",
    "Unsupported keyword: '{0}' in json schema", "json_schema: the model does not support `{0}`",
])  # fmt: skip
@pytest.mark.parametrize("keyword", ["additionalProperties", "required"])
def test_a_keyword_that_is_refused_is_left_out_of_every_schema(words: str, keyword: str) -> None:
    fault = Fault("status", 400, words.format(keyword))
    mock = MockOpenAI(script=[fault])
    lm = lm_at(mock)
    assert ask(lm).probabilities
    first, second = (json.dumps(call.body.get("response_format")) for call in mock.calls)
    if keyword == "required":  # no keyword that can be done without: another form
        assert "json_schema" not in second
    else:
        assert f'"{keyword}"' in first and f'"{keyword}"' not in second and '"strict"' in second
        assert lm.takes.learnt["drop"].to == (keyword,)


# -- how long an answer may be -------------------------------------------------------------------------------------------

TOO_MANY = [
    ("max_tokens is too large: 100000. This model supports at most 16384 completion tokens, whereas you provided 100000.", 16384),
    ("max_tokens: 100000 > 8192, which is the maximum allowed number of output tokens for claude-3-5-haiku-20241022", 8192),
    ("Invalid max_tokens value, the valid range of max_tokens is [1, 8192]", 8192), ("max_tokens must be at most 16,384 for this model", 16384),
    ("`max_tokens` must be less than or equal to `8192`, the maximum value for `max_tokens` is less than the `context_window`", 8192),
    ("max_tokens for `llama-3.1-8b-instant` must be less than or equal to 8000", 8000),
    ("The maximum tokens you requested exceeds the model limit of 2048. Try again with a maximum tokens value that is lower than 2048.", 2047),
    ("max_tokens: integer above maximum value, expected a value <= 12288, but got 100000 instead. Request id: 0217752964393142", 12288),
    ("'max_tokens' or 'max_completion_tokens' is too large: 100000. This model's maximum context length is 32768 tokens and your request "
     "has 2789 input tokens (100000 > 32768 - 2789). (parameter=max_tokens, value=100000)", 32768 - 2789 - 1),
    ("Requested token count exceeds the model's maximum context length of 64000 tokens. You requested a total of 107897 tokens: 7897 "
     "tokens from the input messages and 100000 tokens for the completion.", 64000 - 7897 - 1),
    ("This model's maximum context length is 8192 tokens. However, you requested 100064 tokens (64 in the messages, 100000 in the "
     "completion). Please reduce the length of the messages or completion.", 8192 - 64 - 1),
    ("input length and `max_tokens` exceed context limit: 190000 + 100000 > 200000, decrease input length or `max_tokens`", 9999),
]  # fmt: skip
BODY = {"model": "m", "messages": [{"role": "user", "content": "u"}], "max_tokens": 100_000}


@pytest.mark.parametrize(("words", "most"), TOO_MANY)
@pytest.mark.parametrize("status", [400, 422])
def test_as_many_tokens_as_the_words_say(words: str, most: int, status: int) -> None:
    mock = MockOpenAI(script=[Fault("status", status, words)])
    lm = lm_at(mock, max_tokens=100_000)
    assert ask(lm).probabilities
    assert [{name: value for name, value in call.body.items() if "max" in name} for call in mock.calls] == [
        {"max_tokens": 100_000}, {"max_tokens": most}]  # fmt: skip
    assert set(lm.takes.learnt) <= {"most", "context"}


def test_fields_of_a_validator_name_the_option_and_the_limit() -> None:
    content = {"detail": [{"type": "less_than_equal", "loc": ["body", "max_tokens"], "msg": "Input should be less than or equal to 4096",
                           "input": 100_000}]}  # fmt: skip
    refusal = refusal_of(422, {}, json.dumps(content).encode())
    assert Capabilities().change_for(refusal, BODY, True) == Change("most", 4096)
    renamed = {"object": "error", "message": {"detail": [{"type": "extra_forbidden", "loc": ["body", "max_completion_tokens"],
               "msg": "Extra inputs are not permitted", "input": 9}]}, "type": "invalid_request_error"}  # fmt: skip
    body = {**BODY, "max_completion_tokens": 9}
    del body["max_tokens"]
    for message in (renamed["message"], json.dumps(renamed["message"])):
        refusal = refusal_of(422, {}, json.dumps({**renamed, "message": message}).encode())
        assert Capabilities().change_for(refusal, body, True) == Change("max_tokens", "max_tokens")


@given(st.integers(2, 10**6), st.integers(1, 10**6))
def test_a_limit_is_only_ever_lowered(sent: int, said: int) -> None:
    body = {**BODY, "max_tokens": sent}
    content = json.dumps({"error": {"message": f"max_tokens is too large: at most {said} completion tokens"}}).encode()
    change = Capabilities().change_for(refusal_of(400, {}, content), body, True)
    assert change == (Change("most", said) if 1 < said < sent else None)


def test_a_prompt_that_is_too_long_is_said_and_where_it_is_known_not_sent() -> None:
    overflow = "This model's maximum context length is 4096 tokens. However, your messages resulted in 8202 tokens."
    mock = MockOpenAI(script=[Fault("status", 400, overflow)])
    lm = lm_at(mock)
    assert overflow in str(ask(lm)) and mock.count == 1 and not lm.takes.learnt
    lm = lm_at(mock, profile={"context": 20})
    assert "the model's context 20 tokens (the profile): it was not sent" in str(ask(lm)) and mock.count == 1
    lm = lm_at(mock, max_tokens=4000, profile={"context": 4096})  # what is left beside the prompt
    assert ask(lm).probabilities and 3000 < mock.calls[-1].body["max_tokens"] < 4000
    vllm = MockOpenAI(profile="vllm")
    lm = lm_at(vllm, max_tokens=8100)
    assert ask(lm).probabilities and [call.status for call in vllm.calls] == [400, 200]
    assert lm.takes.learnt["context"].to == 8192 and "max_tokens" not in lm.takes.learnt


def test_what_is_asked_for_again_and_again_ends() -> None:
    least = [100_000]

    def reply(body: dict[str, Any]) -> Any:
        least[0] -= 1
        return Fault("status", 400, f"max_tokens is too large: at most {least[0]} completion tokens")

    mock = MockOpenAI(reply)
    assert isinstance(ask(lm_at(mock, max_tokens=100_000)), AgentError) and mock.count < 20


# -- models that think -----------------------------------------------------------------------------------------------------


def thinker(tokens: int) -> MockOpenAI:
    def reply(body: dict[str, Any]) -> Reply:
        most = body["max_tokens"]
        usage = {"prompt_tokens": 100, "completion_tokens": min(most, tokens + 20)}
        if most <= tokens:
            return Reply("" if body["seed"] % 2 else "<think>on and on", "length", usage)
        return Reply(
            json.dumps({"kind": "verdict", "text": "So.", "probabilities": {"1": 0.75, "2": 0.25}}), usage=usage
        )

    return MockOpenAI(reply)


@pytest.mark.parametrize("seed", [7, 8])
def test_room_for_thinking_is_made_once_and_every_call_is_charged(seed: int) -> None:
    mock, spent, notes = thinker(3000), [], list[dict[str, Any]]()
    lm = lm_at(mock)
    assert ask(lm, seed=seed, notes=notes, left=lambda measure, amount: spent.append(amount)).probabilities == (
        0.75,
        0.25,
    )
    assert [call.body["max_tokens"] for call in mock.calls] == [1024, 2048, 4096]
    attempts = [note for note in notes if note["event"] == "attempted"]
    assert [note["completion_tokens"] for note in attempts] == [1024, 2048, 3020] and [
        note["ok"] for note in attempts
    ] == [False, False, True]
    assert "thinking took all of the 1024 tokens" in attempts[0]["error"]
    assert spent[-1] == 1024 + 2048 + 3020 + 3 * 100  # what the seat's budget was charged in the end
    assert ask(lm).probabilities and [call.body["max_tokens"] for call in mock.calls[3:]] == [4096]


def test_room_for_thinking_has_an_end_that_is_said() -> None:
    mock = thinker(10**6)
    error = ask(lm_at(mock, max_tokens=100, max_tokens_limit=300))
    assert [call.body["max_tokens"] for call in mock.calls] == [
        100,
        200,
        300,
    ]  # and no repair that could not be answered either
    assert "thinking took all of the 300 tokens that max_tokens_limit allows, and there is no answer; raise it" in str(
        error
    )
    mock = thinker(10**6)
    ask(lm_at(mock, max_tokens=100, max_tokens_limit=100))
    assert [call.body["max_tokens"] for call in mock.calls] == [100, 100]  # switched off: as any answer that is empty
    assert "the 1500 tokens" in str(ask(lm_at(thinker(10**6), profile={"max_tokens": 1500})))
    for limit in (99, 0, True, 2.0):
        with pytest.raises(UsageError, match="max_tokens_limit is"):
            lm_at(mock, max_tokens=100, max_tokens_limit=limit)


def test_room_for_thinking_stays_within_the_budget() -> None:
    used, limit = [0], 12_000

    def left(measure: str, amount: int) -> None:
        used[0] = max(used[0], amount)
        if amount > limit:
            raise BudgetExceeded(measure, amount, limit)

    mock = thinker(10**6)
    assert isinstance(ask(lm_at(mock), left=left), BudgetExceeded)
    assert used[0] > limit and sum(call.body["max_tokens"] for call in mock.calls) <= limit


# -- what is said in a 200, too much at once, and filters ------------------------------------------------------------------

TPM = ("Request too large for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Requested 30601. The input or output "
       "tokens must be reduced in order to run successfully.")  # fmt: skip


@pytest.mark.parametrize(("script", "calls", "says"), [
    ([Fault.inside(429, "Provider returned error")] * 2, 3, None), ([Fault.choice(502, "Upstream idle timeout exceeded")], 2, None),
    ([Fault("status", 429, TPM, "tokens", "rate_limit_exceeded")] * 9, 1, "Request too large for gpt-4o"),
    ([Fault("status", 400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.", code="content_filter",
            param="prompt")], 1, "content management policy"),
    ([Fault("status", 404, "This model is only supported in v1/responses and not in v1/chat/completions.")], 2, None),
])  # fmt: skip
def test_errors_of_routers_and_filters(script: list[Fault], calls: int, says: str | None) -> None:
    mock = MockOpenAI(script=script)
    found = ask(lm_at(mock))
    assert mock.count == calls and (found.probabilities if says is None else says in str(found))


def test_crowding_inside_a_200_lowers_the_limit() -> None:
    mock = MockOpenAI(script=[Fault.inside(429)])

    async def main() -> tuple[float, float]:
        lm = lm_at(mock)
        before = lm.endpoint.limiter.limit
        await lm.act(request_for(Verdict, role="judge"))
        return before, lm.endpoint.limiter.limit

    before, after = anyio.run(main)
    assert after < before


def test_a_filter_is_said() -> None:
    assert "filter" in str(ask(lm_at(MockOpenAI(lambda body: Reply("", finish_reason="content_filter")))))


# -- the doctor -----------------------------------------------------------------------------------------------------------

DOCTOR: dict[str, tuple[dict[str, Any], list[str]]] = {
    "openai-reasoning": ({"temperature": False, "logprobs": False, "tools": True, "max_field": "max_completion_tokens"}, ["max tokens", "thinking", "temperature", "logprobs"]),
    "azure": ({"tools": True}, []), "gemini": ({"seed": False, "logprobs": False, "tools": False}, ["seed", "logprobs", "tools"]),
    "anthropic": ({"logprobs": False, "tools": True}, ["logprobs", "json_schema", "json_object"]),
    "openrouter": ({"logprobs": False, "tools": True, "context": 131_072}, ["logprobs"]), "vllm": ({"tools": False, "top_logprobs": 5, "context": 8192}, ["logprobs", "tools"]),
    "sglang": ({"tools": True, "context": 8192}, []), "ollama": ({"logprobs": False, "tools": True}, ["logprobs"]), "llamacpp": ({"tools": True}, []),
    "lmstudio": ({"logprobs": False, "tools": True, "context": 8192, "formats": ["json_schema"]}, ["logprobs", "json_object"]),
    "groq": ({"logprobs": False, "tools": False, "context": 131_072, "drop": ["minItems", "maxItems"]}, ["logprobs", "json_schema", "tools"]),
    "deepseek": ({"temperature": False, "logprobs": False, "tools": True, "formats": ["json_object"]}, ["temperature", "logprobs", "json_schema"]),
    "mistral": ({"seed": False, "logprobs": False, "tools": True, "context": 32_768}, ["seed", "logprobs"]),
}  # fmt: skip


def doctor(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[int, dict[str, tuple[str, str]]]:
    """`moot doctor` without what it says of this installation: its exit code, and state and detail by name."""
    from moot.cli import checkup
    from moot.cli.app import app

    for each in ("_python", "_packages", "_parts", "_plugins", "_extras", "_model", "_writing"):
        monkeypatch.setattr(checkup, each, lambda: iter(()))
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    found = map(json.loads, result.stdout.splitlines())
    return result.exit_code, {
        each["name"].removeprefix("endpoint: "): (each["state"], each["detail"]) for each in found
    }


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_the_doctor_is_right_about_every_provider(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "profiles.json"))
    monkeypatch.setenv("KEY_OF_MOCK", key := "sk-of-mock-12345678")
    mock = MockOpenAI(profile=name, api_key=key)
    auth = ("--auth", "api-key") if name == "azure" else ()
    with mock.serve() as url:
        code, found = doctor(monkeypatch, "--endpoint", url, "--model", "mock", "--key-env", "KEY_OF_MOCK", *auth)
        assert mock.count <= 13
        profile, otherwise = DOCTOR[name]
        assert code == 0 and sorted(each for each, (state, _) in found.items() if state != "ok") == sorted(otherwise)
        assert found["profile"][1] == (
            ", ".join(f"{field} = {json.dumps(value)}" for field, value in profile.items()) or "nothing special"
        )
        assert EndpointProfile.of(profile).table() == profile  # what is printed can be written into a configuration
        assert "profiles.json" in found["kept"][1] and key not in (tmp_path / "profiles.json").read_text()
        before = mock.count  # a run after it is refused nothing
        lm = LM("mock", base_url=url, api_key=key, auth="api-key" if auth else None, temperature=0.5)
        assert ask(lm).probabilities and all(call.status == 200 for call in mock.calls[before:])


def test_the_doctor_asks_again_and_forgets_what_is_no_longer_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "profiles.json"))
    with MockOpenAI().serve() as url:
        store.save(url, "mock", {"seed": Change("seed", None, "400: no seed")})
        code, found = doctor(monkeypatch, "--endpoint", url, "--model", "mock")
        assert code == 0 and found["seed"][0] == "ok" and store.load(url, "mock").keys() == {"tools"}


@pytest.mark.parametrize(("mock", "says"), [
    (MockOpenAI(api_key="right"), "no key, or not a good one"), (MockOpenAI(model_names=["other"]), "there is no model 'mock' there"),
    (MockOpenAI(lambda body: Fault.http(500)), "failed (500)"), (MockOpenAI(lambda body: Reply("", "length")), "all of them went into thinking"),
    (MockOpenAI(script=[Fault.garbage("html")] * 9), "is it the address of an OpenAI-compatible API"),
])  # fmt: skip
def test_the_doctor_says_what_is_broken_and_keeps_nothing(
    mock: MockOpenAI, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "profiles.json"))
    monkeypatch.setattr("moot.agents.models.endpoint.anyio.sleep", lambda seconds: anyio.lowlevel.checkpoint())
    with mock.serve() as url:
        code, found = doctor(monkeypatch, "--endpoint", url, "--model", "mock")
    assert code == 1 and found["an answer"][0] == "broken" and says in found["an answer"][1]
    assert not (tmp_path / "profiles.json").exists() and "kept" not in found


def test_the_doctor_is_asked_in_a_way_that_makes_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    from moot.cli.app import app

    for arguments, says in (
        (["--model", "m"], "name it with --endpoint"), (["--endpoint", "ftp://x", "--model", "m"], "is not one"),
        (["--endpoint", "http://127.0.0.1:9/v1", "--model", "m", "--key-env", "NO_SUCH_KEY"], "NO_SUCH_KEY holds no key"),
    ):  # fmt: skip
        result = CliRunner().invoke(app, ["doctor", *arguments])
        assert result.exit_code == 2 and says in result.output and "Traceback" not in result.output
    code, found = doctor(monkeypatch, "--endpoint", "https://api.example.invalid/v1", "--model", "m")
    assert code == 2 and not found  # MOOT_FORBID_REMOTE


def test_the_doctor_is_right_about_llama_cpps_own_server() -> None:
    local = pytest.importorskip("moot.agents.models.local")
    pytest.importorskip("xllamacpp")
    try:
        path = local.packaged_model()
    except UsageError:
        pytest.skip("the embedded model is not installed")

    async def main() -> tuple[Any, Probe]:
        server = await anyio.to_thread.run_sync(local.server_for, path, 1024)
        endpoint = Endpoint(server.base_url)
        probe = Probe(endpoint, path.name, caps=(8,))
        await endpoint.start()
        try:
            return await probe.run(), probe
        finally:
            await endpoint.close()

    found, probe = anyio.run(main)
    states = {each.name: each.state for each in found}
    assert "broken" not in states.values() and {
        states[name] for name in ("seed", "temperature", "system", "json_schema")
    } == {"ok"}
    assert (
        "alternatives" in next(each.detail for each in found if each.name == "logprobs")
        and "response_format" not in probe.takes.learnt
    )


def test_an_unknown_provider_is_no_mock() -> None:
    with pytest.raises(UsageError, match=r"no provider 'vlm'.*vllm"):
        MockOpenAI(profile="vlm")
    assert all(each.source and (each.base.startswith("/")) for each in PROVIDERS.values())


PAGES = Path(__file__).resolve().parent.parent / "docs" / "endpoints"


@pytest.mark.skipif(not PAGES.exists(), reason="the pages are in a checkout")
def test_the_pages_of_endpoints_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their tables make agents, their commands have the options that they use, and they name every mock provider."""
    text = "\n".join(page.read_text("utf-8") for page in sorted(PAGES.glob("*.md")))
    for variable in re.findall(r"\b[A-Z]+(?:_[A-Z]+)*_API_KEY\b", text):
        monkeypatch.setenv(variable, "k" * 12)
    tables = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    made = {(name, agent_from(name, table).endpoint.auth) for table in tables for name in table["agents"]}
    assert made == {
        ("debater", "bearer"),
        ("judge", "bearer"),
        ("debater", "api-key"),
        ("judge", "api-key"),
        ("tiny", "bearer"),
    }
    commands = [line.partition("  #")[0] for line in text.splitlines() if line.startswith("moot doctor")]
    options = {"--endpoint", "--model", "--key-env", "--auth", "--header"}
    assert len(commands) > 10 and all({*re.findall(r"--[\w-]+", line)} <= options for line in commands)
    assert all(re.search(rf"\b{name}\b", text) for name in PROVIDERS)
    assert set(re.findall(r"`(\w+)`", text[text.index("Its fields are"):text.index("`moot doctor` prints")])) >= {
        field.name for field in dataclasses.fields(EndpointProfile)
    }  # fmt: skip


class Only(MockOpenAI):
    """A server that speaks one API alone, or only in streams, and says so in its providers' words."""

    def __init__(self, api: str, says: Fault, streams: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.api, self.says, self.streams = api, says, streams

    def _refusal(self, call: Any, api: str, body: Any, fault: Any) -> Fault | None:
        if api != self.api or (self.streams and not call.body.get("stream")):
            return self.says
        return super()._refusal(call, api, body, fault)


ALONE: dict[str, tuple[Any, tuple[str, ...], set[str], bool]] = {
    "responses": (lambda key: Only("responses", Fault("status", 404, "This model is only supported in v1/responses and not in "
                  "v1/chat/completions."), api_key=key), (), {"api", "seed"}, False),
    "messages": (lambda key: Only("messages", Fault.http(404, "Not found"), api_key=key), ("--api", "messages"),
                 {"seed", "logprobs", "json_object"}, True),
    "streams": (lambda key: Only("chat", Fault.http(400, "This model only support stream mode, please enable the stream parameter"),
                True, api_key=key), (), {"stream"}, False),
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(ALONE))
def test_the_doctor_is_right_about_other_apis_and_streams(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "profiles.json"))
    monkeypatch.setenv("KEY_OF_MOCK", key := "sk-of-mock-12345678")
    make, told, otherwise, chosen = ALONE[kind]
    with (mock := make(key)).serve() as url:
        asked = ("--endpoint", url, "--model", "mock", "--key-env", "KEY_OF_MOCK")
        if told:
            code, found = doctor(monkeypatch, *asked)
            assert code == 1 and "try --api messages" in found["an answer"][1]
        code, found = doctor(monkeypatch, *asked, *told)
        assert code == 0 and {name for name, (state, _) in found.items() if state != "ok"} == otherwise
        assert ('api = "messages"' in found["in short"][1]) == chosen and "by its schema" in found["in short"][1]
        assert ("by 'logprobs'" in found["in short"][1]) == ("logprobs" not in otherwise)
        before = mock.count  # a run after it is refused nothing
        over: Any = told[1] if told else "auto"
        lm = LM("mock", base_url=url, api_key=key, api=over)
        assert ask(lm).probabilities and all(call.status == 200 for call in mock.calls[before:])


def test_the_doctor_sends_headers_and_parameters_and_shows_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(store.VARIABLE, str(tmp_path / "profiles.json"))
    monkeypatch.setenv("TOKEN_OF_GATE", token := "token-of-the-gate-1234")
    mock = MockOpenAI(lambda body: Fault.http(403, f"no entry with {token}"))
    with mock.serve() as url:
        gate = ("--endpoint", f"{url}?sig={token}", "--model", "mock", "--header", "X-Gate-Token=TOKEN_OF_GATE")
        code, found = doctor(monkeypatch, *gate)
        assert code == 1 and token not in json.dumps(found) and "403" in found["an answer"][1]
        assert mock.calls[0].headers["x-gate-token"] == token == mock.calls[0].headers[":query"].removeprefix("sig=")
        code, found = doctor(monkeypatch, "--endpoint", f"{url}?sig={token}")
        assert (
            code == 0 and token not in json.dumps(found) and "/v1/models?sig=[hidden]: HTTP 200" in found["endpoint"][1]
        )
        for header, says in (("X-Gate-Token", "write NAME=VARIABLE"), ("X=NO_SUCH", "NO_SUCH holds nothing")):
            result = CliRunner().invoke(_app(), ["doctor", "--endpoint", url, "--model", "m", "--header", header])
            assert result.exit_code == 2 and says in result.stderr
        result = CliRunner().invoke(_app(), ["doctor", "--endpoint", url, "--api", "messages"])
        assert result.exit_code == 2 and "name it with --model" in result.stderr
    code, found = doctor(monkeypatch, "--endpoint", "https://api.example.invalid/v1")
    assert code == 1 and "MOOT_FORBID_REMOTE" in found["endpoint"][1]


def _app() -> Any:
    from moot.cli.app import app

    return app
