"""What models sampled, token by token: what is recorded, and whether it is what was drawn from."""

from __future__ import annotations

import json
import math
from typing import Any

import anyio
import pytest
from agent_kit import Mock, completion, log_of, request_for
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.agents.models.apis.chat import ChatFolding
from moot.agents.models.lm import LM
from moot.agents.models.tokens.reading import tokens_in
from moot.complexity.pressure.sampled import PLAIN, Sampled, not_plain
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import AgentError, TranscriptError, UsageError
from moot.protocols.engine.moves import Speech, Verdict
from moot.testing.server.server import MockOpenAI, Reply

BASE = "http://mock/v1"
WORDS = "<speech>Nine ships sank that night.</speech>"
QUESTION = moot.Question("How many ships sank?", ("nine", "seven"), passage="Nine ships sank that night.")
BODY = {"temperature": 1.0, **PLAIN}
PLAINLY: dict[str, Any] = {"temperature": 1.0, "extra_body": dict(PLAIN), "structured": "tags"}


def model(mock: MockOpenAI, **options: Any) -> LM:
    return LM("mock", base_url=BASE, http_client=mock.http_client(), **{"record": "tokens", **PLAINLY, **options})


def judge(request: moot.Request) -> moot.Move:
    return moot.Verdict(probabilities=(0.8, 0.2))


def debate(debater: Any, **more: Any) -> moot.Transcript:
    return moot.run(moot.Debate(rounds=1), QUESTION, {"debater": debater, "judge": judge}, **more)


def events(play: moot.Transcript, name: str = "sampled") -> list[dict[str, Any]]:
    return [event for event in play.events() if event["event"] == name]


def record_of(**fields: Any) -> dict[str, Any]:
    return {
        "event": "sampled", "step": "0", "seat": "a", "attempt": 1, "tokens": {"ids": [5, 2], "texts": ["Yes", ""], "logprobs": [-1.0, -0.5]},
        "sampler": dict(BODY), "host": "127.0.0.1", "constrained": False, "finish": "stop", "whole": True, "ended": True, **fields,
    }  # fmt: skip


# -- what is recorded ----------------------------------------------------------------------------------------------------


def test_the_tokens_of_answers_are_on_record_and_no_part_of_the_play() -> None:
    mock = MockOpenAI(lambda body: WORDS, profile="llamacpp")
    play = debate(model(mock), seed=3)
    first, second = map(Sampled.of, events(play))
    assert "".join(first.texts) == WORDS and first.texts[-1] == "" and first.ids and first.ids[-1] == 2
    assert first.whole and first.ended and not first.lacks and first.finish == "stop" and not first.constrained
    assert first.total == pytest.approx((len(first.texts) - 1) * math.log(0.9) + math.log(0.5))
    assert first.sampler == BODY and not_plain(first) is None and (first.step, second.step) != (second.step, first.step)
    assert moot.replay(play).digest == play.digest and moot.verify(play).unknown == 0
    assert play.digest == debate(model(MockOpenAI(lambda body: WORDS), record="answers"), seed=3).digest
    assert all(call.body["logprobs"] is True and call.body["top_logprobs"] == 1 for call in mock.calls)
    names = [event["event"] for event in play.events()]
    assert names.index("answered") < names.index("sampled") < names.index("moved")


@pytest.mark.parametrize("record", ["answers", "prompts"])
def test_nothing_changes_where_tokens_are_not_asked_for(record: Any) -> None:
    mock = MockOpenAI(lambda body: WORDS, profile="llamacpp")
    play = debate(model(mock, record=record), seed=3)
    assert not events(play) and not any("logprobs" in call.body or "top_logprobs" in call.body for call in mock.calls)
    assert bool(events(play, "prompted")) == (record == "prompts")
    assert [list(call.body) for call in mock.calls] == [
        ["model", "messages", "temperature", "seed", "max_tokens", *PLAIN]
    ] * 2


def test_each_of_several_answers_to_one_call_has_its_tokens() -> None:
    said = [WORDS, "<speech>Seven.</speech>", "<speech>Not so.</speech>"]
    each_said = iter(said * 2)
    mock = MockOpenAI(lambda body: next(each_said), profile="vllm")
    lm = model(mock, extra_body={**PLAIN, "return_token_ids": True})
    play = debate(moot.BestOf(lm, n=3, score=lambda request, move: -len(move.content())), seed=1)
    found = [Sampled.of(event) for event in events(play)]
    assert [each.candidate for each in found] == [0, 1, 2] * 2
    assert all(each.whole and not_plain(each) is None for each in found)
    assert [len(each.texts) for each in found] == [len(each.ids or ()) for each in found]
    assert ["".join(each.texts) for each in found] == said * 2 and not any(each.ended for each in found)
    assert mock.count == 2 and all(call.body["n"] == 3 for call in mock.calls)


def test_a_stream_is_folded_with_its_tokens() -> None:
    mock = MockOpenAI(lambda body: WORDS)
    whole, streamed = (events(debate(model(mock, stream=stream), seed=2)) for stream in (False, True))
    assert streamed and [each["tokens"] for each in streamed] == [each["tokens"] for each in whole]
    assert all(
        each["whole"] and each["tokens"]["ids"] is None and "return_token_ids" in each["no_ids"] for each in streamed
    )


def test_ids_that_come_beside_a_stream_are_folded_too() -> None:
    fold = ChatFolding()
    for text, number in (("Yes", 4), (".", 5)):
        listed = {"content": [{"token": text, "logprob": -1.0}]}
        choice = {"index": 0, "delta": {"content": text}, "logprobs": listed, "token_ids": [number]}
        fold.feed(json.dumps({"choices": [choice]}))
    fold.feed(json.dumps({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "token_ids": []}]}))
    found = tokens_in(fold.whole()["choices"][0])
    assert found is not None and found.ids == (4, 5) and found.texts == ("Yes", ".")


def test_answers_that_cannot_be_read_have_tokens_too() -> None:
    said = iter(["<speech>", WORDS, WORDS])
    play = debate(model(MockOpenAI(lambda body: next(said))), seed=2)
    assert [(each["attempt"], each["ok"]) for each in events(play, "attempted")][:2] == [(1, False), (2, True)]
    assert [each["attempt"] for each in events(play)] == [1, 2, 1]


def test_over_the_responses_api_there_are_tokens_without_ids() -> None:
    mock = MockOpenAI(lambda body: WORDS)
    (first, _) = events(debate(model(mock, api="responses", extra_body={"top_p": 1.0}), seed=2))
    assert first["tokens"]["ids"] is None and first["whole"] and first["sampler"] == {"temperature": 1.0, "top_p": 1.0}


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        ({"usage": 7}, "7 tokens were counted, and 2 listed"),  # llama.cpp lists a character of several tokens once
        ({"usage": None}, "does not say how many"),
        ({"text": "Yes!"}, "do not make up"),
        ({"text": "Yes"}, ""),
    ],
)
def test_what_is_not_all_of_an_answer_is_not_called_whole(change: dict[str, Any], lacks: str) -> None:
    content = [{"token": "Y", "id": 4, "logprob": -1.0}, {"token": "es", "id": 5, "logprob": -0.5}]
    made = completion(change.get("text", "Yes"))
    made["choices"][0]["logprobs"] = {"content": content}
    made["usage"] = {"prompt_tokens": 3, "completion_tokens": change.get("usage", 2)}
    mock = Mock(lambda body, i: made)
    lm = LM("m", base_url=BASE, http_client=mock.client(), record="tokens", structured="tags")
    notes: list[dict[str, Any]] = []
    _act(lm, request_for(Speech, notes=notes))
    noted = next(each for each in notes if each["event"] == "sampled")
    assert noted["whole"] == (lacks == "") and lacks in noted.get("lacks", "") and not noted["ended"]


def _act(lm: Any, request: Any) -> None:
    async def main() -> None:
        try:
            await lm.act(request)
        except AgentError:
            pass  # noted all the same

    anyio.run(main)


def test_the_bytes_of_tokens_stand_for_characters_in_parts() -> None:
    half = {"token": "\ufffd", "logprob": -1.0}
    found = tokens_in({"logprobs": {"content": [{**half, "bytes": [0xC3]}, {**half, "bytes": [0xA9]}]}})
    assert found is not None and found.make("é") and not found.make("e")
    bare = tokens_in({"logprobs": {"content": [half, half]}})
    assert bare is not None and not bare.make("é")


@pytest.mark.parametrize("logprob", [None, "x", True, 0.5, float("nan"), 10**400, -9999.0, float("-inf")])
def test_a_number_that_is_no_log_probability_is_none(logprob: Any) -> None:
    good = {"token": "a", "logprob": -1.0}
    assert tokens_in({"logprobs": {"content": [good]}}) is not None
    assert tokens_in({"logprobs": {"content": [good, {"token": "b", "logprob": logprob}]}}) is None


def test_the_end_of_the_turn_is_told_from_a_last_word() -> None:
    def ended(texts: list[str], text: str, finish: str) -> bool:
        found = tokens_in({"logprobs": {"content": [{"token": each, "logprob": -1.0} for each in texts]}})
        assert found is not None
        return found.ended(text, finish)

    assert ended(["Yes", ""], "Yes", "stop") and ended(["Yes", "<|im_end|>"], "Yes", "stop")  # llama.cpp, vLLM
    assert not ended(["Yes", "."], "Yes.", "stop")  # OpenAI
    assert not ended(["Yes", ""], "Yes", "length") and not ended(["No", ""], "Yes", "stop")


def test_pieces_of_a_secret_are_not_kept() -> None:
    key = "sk-abcdefghijklmnop"
    mock = MockOpenAI(lambda body: f"<speech>It is {key}.</speech>", api_key=key)
    play = debate(model(mock, api_key=key), seed=1)
    (first, _) = events(play)
    assert first["tokens"] == {"ids": None, "texts": [], "logprobs": []} and "secret" in first["lacks"]
    assert not first["whole"] and "abcde" not in json.dumps(list(play.events()))


def test_long_fields_of_a_request_are_kept_by_their_hash() -> None:
    mock = MockOpenAI(profile="llamacpp")
    (first, *_) = events(debate(model(mock, structured="schema"), seed=1))
    assert first["constrained"] and len(first["sampler"]["response_format"]["sha256"]) == 64
    assert "response_format" in str(not_plain(first))


# -- no silent absence ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "profile", ["openai-reasoning", "gemini", "openrouter", "mistral", "ollama", "lmstudio", "anthropic"]
)
def test_an_endpoint_without_log_probabilities_is_an_error_that_says_so(profile: str) -> None:
    mock = MockOpenAI(lambda body: WORDS, profile=profile)
    mock_url = "http://mock" + (mock.provider.path if mock.provider else "")
    lm = LM("mock", base_url=mock_url, http_client=mock.http_client(), record="tokens", structured="tags", retries=0)
    play = debate(lm, seed=1)
    assert isinstance(play.outcome, moot.Errored) and "gives no log-probabilities" in play.outcome.cause
    assert "record 'answers' or 'prompts'" in play.outcome.cause and not events(play)
    assert events(play, "attempted")[0]["ok"] is False  # what it took is on the record


def test_an_api_without_log_probabilities_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="no log-probabilities over messages"):
        LM("m", base_url=BASE, api="messages", record="tokens")
    with pytest.raises(UsageError, match="'answers' or 'prompts', or 'tokens'"):
        LM("m", base_url=BASE, record="everything")  # type: ignore[arg-type]


def test_a_judge_by_tokens_keeps_its_twenty_alternatives() -> None:
    mock = MockOpenAI(logprobs={"1": 0.7, "2": 0.3})
    notes: list[dict[str, Any]] = []
    request = request_for(
        Verdict, log=log_of(("a", Speech(text="So."))), notes=notes, role="judge", seat="judge", task="verdict"
    )
    _act(ModelJudge(model(mock), "logprobs"), request)
    assert mock.calls[0].body["top_logprobs"] == 20
    assert [each["tokens"]["texts"] for each in notes if each["event"] == "sampled"] == [["1"]]
    notes.clear()
    _act(ModelJudge(model(mock, record="answers"), "logprobs"), request)
    assert [each["event"] for each in notes] == ["attempted"]  # "answered" is heard elsewhere


def test_a_configuration_can_say_so() -> None:
    from moot.agents.models.kinds import OpenAIKind

    kind = OpenAIKind(model="m", base_url="http://127.0.0.1:1/v1", record="tokens", profile={"scores": "grammar"})
    assert kind.make().record == "tokens" and kind.make().profile.scores == "grammar"
    with pytest.raises(UsageError, match="grammar or prompt_logprobs"):
        LM("m", base_url=BASE, profile={"scores": "echo"})


# -- plain sampling ------------------------------------------------------------------------------------------------------


def test_plain_sampling_is_plain() -> None:
    assert not_plain(BODY) is None and not_plain(record_of()) is None and not_plain(Sampled.of(record_of())) is None
    for name, value in {
        "top_k": -1,
        "presence_penalty": 0.0,
        "logit_bias": {},
        "typical_p": 1,
        "mirostat": 0,
        "stop": [],
    }.items():
        assert not_plain({**BODY, name: value}) is None


@pytest.mark.parametrize("name", [*BODY])
def test_a_field_that_is_absent_is_unknown(name: str) -> None:
    less = {key: value for key, value in BODY.items() if key != name}
    assert name in str(not_plain(less)) and name in str(not_plain({**BODY, name: None}))
    assert name in str(not_plain(record_of(sampler=less)))
    hosted = not_plain(record_of(sampler=less, host="api.openai.com"))
    assert (hosted is None) == (name not in ("temperature", "top_p"))
    assert not_plain(record_of(sampler=less, host="api.openai.com.example.org")) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.2), ("temperature", 0), ("temperature", True), ("top_p", 0.95), ("top_k", 40), ("top_k", 1), ("min_p", 0.05),
        ("repeat_penalty", 1.1), ("repetition_penalty", 1.05), ("presence_penalty", 0.5), ("frequency_penalty", -0.1),
        ("logit_bias", {"5": -100}), ("logit_bias", [[5, 100]]), ("typical_p", 0), ("typical_p", 0.9), ("xtc_probability", 0.5),
        ("dry_multiplier", 0.8), ("mirostat", 2), ("dynatemp_range", 0.5), ("top_n_sigma", 1), ("stop", ["\n"]), ("min_tokens", 3),
        ("grammar", 'root ::= "a"'), ("response_format", {"type": "json_object"}), ("json_schema", {"type": "object"}),
        ("typical_p", False), ("repeat_penalty", False), ("mirostat", True),
        ("tools", [{"type": "function"}]), ("guided_json", {}), ("structured_outputs", {"regex": "a"}), ("reasoning_effort", "low"),
        ("post_sampling_probs", True), ("ignore_eos", True), ("brand_new_sampler", 0), ("allowed_token_ids", [3]),
    ],
)  # fmt: skip
def test_whatever_touches_a_draw_is_not_plain_and_named(name: str, value: Any) -> None:
    why = not_plain({**BODY, name: value})
    if name == "guided_json":
        assert why is None  # {} is said of nothing
        return
    assert why is not None and name in why
    assert name in str(not_plain(record_of(sampler={**BODY, name: value}, host="api.openai.com")))


def test_a_server_that_may_pass_over_fields_is_not_believed() -> None:
    """Ollama's chat completions have no top_k, and draw from the best 40 all the same."""
    bare = {"tokens": {"ids": None, "texts": ["Yes"], "logprobs": [-1.0]}}
    assert "no ids" in str(not_plain(record_of(**bare))) and not_plain(record_of(**bare, host="api.openai.com")) is None
    said = events(debate(model(MockOpenAI(lambda body: WORDS)), seed=2))
    assert said and all("return_token_ids" in str(not_plain(each)) for each in said)


def test_a_constraint_is_not_plain_wherever_it_is_said() -> None:
    assert "top_k" in str(not_plain({**BODY, "top_k": 10**400})) and "stop" in str(not_plain({**BODY, "stop": 10**400}))
    assert "constrained" in str(not_plain(record_of(constrained=True)))


@given(
    st.dictionaries(st.sampled_from([*BODY]), st.floats(allow_nan=False) | st.none() | st.text(max_size=3), min_size=1)
)
def test_no_other_value_of_a_demanded_field_is_plain(changed: dict[str, Any]) -> None:
    fine = all(value == BODY[name] or (name == "top_k" and value == -1) for name, value in changed.items())
    assert (not_plain({**BODY, **changed}) is None) == fine


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tokens": None}, "not ids, texts and logprobs"),
        ({"tokens": {"ids": None, "texts": ["a"], "logprobs": []}}, "not equally many"),
        ({"tokens": {"ids": [1, 2], "texts": ["a"], "logprobs": [-1.0]}}, "not equally many"),
        ({"tokens": {"ids": None, "texts": ["a"], "logprobs": [None]}}, "logprobs.0"),
        ({"tokens": {"ids": None, "texts": ["a"], "logprobs": [0.5]}}, "over 0"),
        ({"tokens": {"ids": ["1"], "texts": ["a"], "logprobs": [-1.0]}}, "ids.0"),
        ({"whole": 1}, "whole"),
        ({"sampler": []}, "sampler"),
    ],
)
def test_a_forged_event_is_refused_with_its_step(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(TranscriptError, match=f"step 0: event sampled: .*{told}"):
        Sampled.of(record_of(**fields))


def test_a_reply_of_the_mock_keeps_its_numbers() -> None:
    mock = MockOpenAI(lambda body: Reply(WORDS, logprobs={"never": 1.0}))  # what was said has probability 0 there
    assert isinstance(debate(model(mock, retries=0), seed=1).outcome, moot.Errored)
