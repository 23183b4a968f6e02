"""What an endpoint refuses is done otherwise: tried first, kept only if it helped, shared by all who ask that endpoint, and
never for a mere mention."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import anyio
import httpx2
import pytest
from agent_kit import completion, request_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.capabilities import Capabilities
from moot.agents.models.lm import LM
from moot.agents.models.refusals import Refusal
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Verdict

VERDICT = json.dumps({"kind": "verdict", "text": "So.", "probabilities": {"1": 0.75, "2": 0.25}})
TAGS = "<verdict><text>So.</text><probabilities>0.75, 0.25</probabilities></verdict>"
OPTIONS = ("max_tokens", "seed", "temperature")
FORMS = (
    "Unsupported parameter: '{0}' is not supported with this model.", "Unrecognized request argument supplied: {0}",
    "Unsupported value: '{0}' does not support 0.2 with this model. Only the default (1) value is supported.",
    "Unknown parameter: '{0}'.", "property '{0}' is unsupported", "{0}: Extra inputs are not permitted", "Extra inputs: {0}",
    "[{{'type': 'extra_forbidden', 'loc': ('body', '{0}'), 'msg': 'Extra inputs are not permitted', 'input': 7}}]",
    "Additional properties are not allowed ('{0}' was unexpected)", "This model does not support the {0} parameter",
    "unexpected keyword argument '{0}'", "`{0}` is currently not supported", "{0} isn't supported here",
)  # fmt: skip
MENTIONS = (
    "Prompt blocked: about '{0} phrase theft'", "your text names {0}, which offends", "{0} in messages[1] is too long",
    "'{0}' or 'max_completion_tokens' is too large: 1024. This model's maximum context length is 512 tokens",
    "not a schema for gardeners, says the {0}", "the system of roles in this {0} is not for us",
)  # fmt: skip


def structured(option: str, status: int) -> list[Any]:
    error = {"message": "no", "param": option}
    return [
        {"error": {**error, "code": "unsupported_parameter"}}, {"error": {**error, "code": "unsupported_value"}},
        {"detail": [{"type": "extra_forbidden", "loc": ["body", option], "msg": "Extra inputs are not permitted"}]},
        {"detail": [{"loc": ["body", option], "msg": "extra fields not permitted", "type": "value_error.extra"}]},
        {"object": "error", **error, "code": status, "message": f"{option}: extra fields not permitted"},
    ]  # fmt: skip


class Server:
    """An endpoint that says `refuses(body)` (a status and a body) or, where that is None, answers with `says(body)`."""

    def __init__(self, refuses: Callable[[dict[str, Any]], Any], says: Any = VERDICT) -> None:
        self.sent: list[dict[str, Any]] = []
        self.used: list[LM] = []  # what is known of an endpoint lives as long as somebody uses it

        def handle(request: httpx2.Request) -> httpx2.Response:
            body = json.loads(request.content)
            self.sent.append(body)
            if (refused := refuses(body)) is not None:
                return httpx2.Response(refused[0], json=refused[1])
            said = says(body) if callable(says) else says
            return httpx2.Response(200, json=completion(said) if isinstance(said, str) else said)

        self.client = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))

    def lm(self, **options: Any) -> LM:
        options = {"backoff": 1e-4, "temperature": 0.2, **options}
        self.used.append(LM("m", base_url="http://mock.invalid/v1", http_client=self.client, **options))
        return self.used[-1]


def ask(agent: Any) -> Any:
    async def main() -> Any:
        try:
            return await agent.act(request_for(Verdict, role="judge"))
        except (AgentError, moot.UnreadableAnswer) as error:
            return error

    return anyio.run(main)


@given(st.sampled_from(OPTIONS), st.sampled_from([400, 422]), st.integers(0, len(FORMS) + 4))
def test_an_option_that_is_refused_is_left_out_from_then_on(option: str, status: int, form: int) -> None:
    body = (
        {"error": {"message": FORMS[form].format(option)}}
        if form < len(FORMS)
        else structured(option, status)[form - len(FORMS)]
    )
    server = Server(lambda sent: (status, body) if option in sent else None)
    first = server.lm()
    assert ask(first).probabilities == (0.75, 0.25), body
    other = server.lm()  # another agent at the same endpoint does not run into it again
    assert ask(other).probabilities == (0.75, 0.25)
    assert [option in sent for sent in server.sent] == [True, False, False]
    assert server.sent[-1].get("max_completion_tokens", 1024) == 1024
    assert {*server.sent[0]} - {*server.sent[-1]} == {option}


@given(
    st.sampled_from((*OPTIONS, "response_format", "system role", "schema")),
    st.integers(0, len(MENTIONS) - 1),
    st.booleans(),
)
def test_a_mention_changes_nothing(option: str, form: int, param: bool) -> None:
    error: dict[str, Any] = {"message": MENTIONS[form].format(option), **({"param": "messages"} if param else {})}
    sick = [True]
    server = Server(lambda sent: (400, {"error": error}) if sick[0] else None)
    lm = server.lm()
    assert isinstance(ask(lm), AgentError) and not lm.takes.learnt
    assert len(server.sent) == 1 or option not in OPTIONS or form > 3  # nor is anything tried
    sick[0] = False
    ask(lm)
    assert server.sent[-1] == server.sent[0]


def test_a_change_that_does_not_help_is_taken_back() -> None:
    sick = [True]
    server = Server(lambda sent: (400, {"error": {"message": "Unsupported parameter: 'seed'"}}) if sick[0] else None)
    lm = server.lm()
    assert "refused the request (400): Unsupported parameter: 'seed'" in str(ask(lm))
    assert ["seed" in sent for sent in server.sent] == [True, False]
    sick[0] = False
    assert ask(lm).probabilities and "seed" in server.sent[-1]


def test_several_options_are_found_out_one_after_the_other() -> None:
    def refuses(body: dict[str, Any]) -> Any:
        wrong = next((option for option in ("temperature", "seed", "max_tokens") if option in body), None)
        return (400, {"error": {"message": f"Unknown parameter: '{wrong}'."}}) if wrong else None

    server = Server(refuses)
    assert ask(server.lm()).probabilities and len(server.sent) == 4
    assert ask(server.lm()).probabilities and len(server.sent) == 5


FORMAT_REFUSED = [
    (400, {"error": {"message": "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model"}}),
    (400, {"error": {"message": "no", "param": "response_format.json_schema"}}), (422, {"detail": [{"loc": ["body", "response_format"],
     "msg": "extra fields not permitted"}]}), (404, {"error": {"message": "No endpoints found that can handle the requested parameters",
     "code": 404}}), (500, {"error": {"message": "JSON schema conversion failed: Unrecognized schema: {}"}}),
    (500, {"error": "Failed to parse grammar"}), (501, {"message": "structured outputs are not implemented"}),
    (400, {"error": {"message": "Failed to generate JSON", "code": "json_validate_failed"}}),
    (400, {"error": {"message": "Invalid schema for response_format 'verdict': in context=()", "code": "invalid_json_schema"}}),
    (200, {"error": {"code": 400, "message": "response_format json_schema is unavailable"}}),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), FORMAT_REFUSED, ids=lambda each: str(each)[:40])
def test_tags_where_the_schema_is_refused_however_it_is_said(status: int, body: Any) -> None:
    server = Server(lambda sent: (status, body) if "response_format" in sent else None, TAGS)
    assert ask(server.lm()).probabilities == (0.75, 0.25)
    assert ask(server.lm()).probabilities == (0.75, 0.25)
    *refused, first, second = ["response_format" in sent for sent in server.sent]
    assert refused in ([True], [True, True]) and not (first or second)  # a schema, and where that is all, a JSON object
    strict = Server(lambda sent: (status, body), TAGS)
    assert isinstance(ask(strict.lm(structured="schema", retries=1)), AgentError)
    assert all("response_format" in sent for sent in strict.sent)


def test_a_failing_server_is_not_taken_for_one_without_schemas() -> None:
    failures = [2]

    def refuses(body: dict[str, Any]) -> Any:
        failures[0] -= 1
        return (500, {"error": "database schema migration in progress"}) if failures[0] >= 0 else None

    server = Server(refuses)
    assert ask(server.lm()).probabilities and all("response_format" in sent for sent in server.sent)


def test_tags_where_the_schema_is_ignored_twice() -> None:
    server = Server(lambda sent: None, lambda body: TAGS if "could not be read" in body["messages"][-1]["content"] else
                    "I think that the storm did it." if "response_format" in body else TAGS)  # fmt: skip
    for learnt in (False, True, True):
        lm = server.lm()
        assert ask(lm).probabilities == (0.75, 0.25)
        assert bool(lm.takes.learnt) is learnt
    forms = [sent.get("response_format", {}).get("type") for sent in server.sent]
    assert forms == ["json_schema", "json_object", "json_schema", "json_object", None]


SYSTEM_REFUSED = [
    (400, {"object": "error", "message": "System role not supported", "code": 400}), (500, {"error": {"code": 500, "message":
     "Only user, assistant and tool roles are supported, got system."}}), (400, {"error": {"message":
     "Conversation roles must alternate user/assistant/user/assistant/..."}}), (424, {"error": "the 'system' role is not allowed"}),
    (400, [{"error": {"code": 400, "message": "Developer instruction is not enabled for models/gemma", "status": "INVALID_ARGUMENT"}}]),
]  # fmt: skip


@pytest.mark.parametrize(("status", "body"), SYSTEM_REFUSED, ids=lambda each: str(each)[:40])
def test_the_systems_words_go_to_the_user_where_there_is_no_such_role(status: int, body: Any) -> None:
    server = Server(lambda sent: (status, body) if sent["messages"][0]["role"] == "system" else None)
    assert ask(server.lm()).probabilities and ask(server.lm()).probabilities
    refused, *rest = server.sent
    for sent in rest:
        assert [message["role"] for message in sent["messages"]] == ["user"]
        both = "\n\n".join(message["content"] for message in refused["messages"])
        assert sent["messages"][0]["content"] == both
    assert len(rest) == 2


# -- log-probabilities -------------------------------------------------------------------------------------------------


def logprobs(body: dict[str, Any]) -> Any:
    top = [{"token": token, "logprob": math.log(p)} for token, p in (("2", 0.9), ("1", 0.1))]
    value = completion("2")
    value["choices"][0]["logprobs"] = {"content": [{**top[0], "top_logprobs": top[: body["top_logprobs"]]}]}
    return value


@settings(max_examples=20)
@given(st.integers(2, 19), st.sampled_from([
    "Invalid value for 'top_logprobs': must be less than or equal to {0}.", "top_logprobs must be between 0 and {0}",
    "Requested sample logprobs of 20, which is greater than max allowed: {0}", "Expected top_logprobs <= {0}, but got 20 instead",
]))  # fmt: skip
def test_as_many_alternatives_as_the_endpoint_gives(most: int, words: str) -> None:
    server = Server(
        lambda b: (400, {"error": {"message": words.format(most)}}) if b["top_logprobs"] > most else None, logprobs
    )
    for _ in range(2):
        assert ask(ModelJudge(server.lm(), "logprobs")).probabilities == pytest.approx((0.1, 0.9))
    assert [sent["top_logprobs"] for sent in server.sent] == [20, most, most]


@pytest.mark.parametrize(("status", "words"), [(403, "You are not allowed to request logprobs from this model"), (400,
    "logprobs is not supported"), (400, "Unsupported parameter: 'top_logprobs'")])  # fmt: skip
def test_a_model_without_log_probabilities_is_said_to_have_none(status: int, words: str) -> None:
    error = str(ask(ModelJudge(Server(lambda body: (status, {"error": {"message": words}})).lm(), "logprobs")))
    assert "gives no log-probabilities; judge by 'stated'" in error and words in error and "api_key" not in error


# -- the table ---------------------------------------------------------------------------------------------------------


def test_what_is_known_lives_with_its_users_and_says_where_it_is_from() -> None:
    server = Server(
        lambda body: (400, {"error": {"message": "Unknown parameter: 'seed'."}}) if "seed" in body else None
    )
    lm = server.lm()
    ask(lm)
    (change,) = lm.takes.learnt.values()
    assert (change.option, change.because) == ("seed", "400: Unknown parameter: 'seed'.")
    assert lm.takes is server.lm().takes is not Server(lambda body: None).lm().takes
    del lm
    server.used.clear()
    assert not server.lm().takes.learnt


@given(st.text(max_size=300), st.sampled_from(["", "seed", "messages", "top_logprobs", "body"]), st.integers(0, 599))
def test_any_words_are_read(words: str, param: str, status: int) -> None:
    body = {"model": "m", "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "u"}], "seed": 1, "max_tokens": 9,
            "temperature": 0.1, "top_logprobs": 20, "response_format": {}}  # fmt: skip
    change = Capabilities().change_for(Refusal(status, param=param, words=words), body, schema=True)
    assert change is None or Capabilities().fitted(body, [change]) != body or change.about_format


def test_what_the_user_adds_is_sent_as_it_is() -> None:
    server = Server(
        lambda body: (400, {"error": {"message": "Unknown parameter: 'seed'."}}) if "seed" in body else None
    )
    assert isinstance(ask(server.lm(seed=False, extra_body={"seed": 3})), AgentError) and len(server.sent) <= 2
