"""What comes back over the wire, read: bodies, completions and addresses.
Rule: no call is made here; `test_answers.py` has what is thought and what is said, `test_sockets.py` the sockets."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.models.wire import (
    Completion,
    NotACompletion,
    body_of,
    checked_url,
    completion_from,
    endpoint_of,
    is_loopback,
)
from moot.agents.money.usage import Usage
from moot.protocols.engine.errors import UsageError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def body(message: Any, **choice: Any) -> dict[str, Any]:
    return {"choices": [{"message": message, **choice}]}


# -- bodies ------------------------------------------------------------------------------------------------------------


@given(JSON)
def test_a_body_is_its_json(value: Any) -> None:
    assert body_of(json.dumps(value).encode()) == value


@pytest.mark.parametrize(("digits", "value"), [(999, 10**999 - 1), (1000, math.inf), (5000, math.inf)])
def test_a_number_of_any_length_is_read(digits: int, value: float) -> None:
    assert body_of(b'{"x": %s}' % (b"9" * digits)) == {"x": value}


def test_what_is_shown_of_a_body_that_is_none_is_short_and_without_secrets() -> None:
    seen: list[int] = []

    def hide(text: str) -> str:
        seen.append(len(text))
        return text.replace("SECRET", "***")

    with pytest.raises(NotACompletion) as caught:
        body_of(b"<" + b"x" * 76 + b"SECRET" + b"y" * 30_000, hide)
    assert str(caught.value) == f"the body is not JSON: {'<' + 'x' * 76 + '***'!r}"
    assert seen == [20_000], "a whole body may be long"
    with pytest.raises(NotACompletion, match="not JSON: 'caf\ufffd'"):
        body_of(b"caf\xe9")


# -- completions -------------------------------------------------------------------------------------------------------


def test_a_completion_has_all_that_the_body_says_and_nothing_else() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    full = {**body({"content": "So.", "refusal": "No."}, finish_reason="max_tokens"), "usage": usage}
    assert completion_from(full, cached=True) == Completion("So.", "length", Usage(7, 2), None, "No.", True)
    first, second = body({"content": "one"}), body({"content": "two"})
    assert completion_from({"choices": first["choices"] + second["choices"]}).text == "one"
    for finish in ({}, {"finish_reason": None}, {"finish_reason": 3}):
        bare = completion_from({**body({"content": "So.", "refusal": ""}, **finish), "usage": usage})
        assert bare == Completion("So.", None, Usage(7, 2))
    for message in ({}, {"content": None}, {"content": [], "refusal": ["No."]}):
        assert completion_from(body(message)).text == "" and completion_from(body(message)).refusal is None


def test_tokens_of_an_answer_that_is_there_are_never_0() -> None:
    counted = {"usage": {"prompt_tokens": 7, "completion_tokens": 0}}
    assert completion_from({**body({"content": "So."}), **counted}).usage.completion_tokens is None
    assert completion_from({**body({"content": ""}), **counted}).usage.completion_tokens == 0


@pytest.mark.parametrize(
    "data", [None, 3, "x", [], {}, {"choices": None}, {"choices": []}, {"choices": [3]}, {"choices": [{}]}, body("x"), body(None)]
)  # fmt: skip
def test_what_is_no_completion_is_shown(data: Any) -> None:
    with pytest.raises(NotACompletion) as caught:
        completion_from(data)
    assert str(caught.value) == f"the body is not a chat completion: {json.dumps(data)}"
    with pytest.raises(NotACompletion) as caught:
        completion_from({"error": "x" * 99})
    assert len(str(caught.value)) == len("the body is not a chat completion: ") + 80


@pytest.mark.parametrize("content", [3, True, {"text": "So."}])
def test_content_that_is_no_text_is_refused(content: Any) -> None:
    with pytest.raises(NotACompletion, match=f"message is {type(content).__name__}, not text"):
        completion_from(body({"content": content}))


@pytest.mark.parametrize("kind", ["reasoning", "reasoning.text", "thinking"])
def test_a_thought_beside_an_answer_is_no_part_of_it(kind: str) -> None:
    answer: Any = ["So", {"type": "output.text", "text": "."}, {"summary": "SECRET"}]
    made = completion_from(body({"content": [{"type": kind, "text": "SECRET"}, *answer]}))
    assert (made.text, made.thinking) == ("So.", "SECRET")


@pytest.mark.parametrize(
    ("message", "thinking"),
    [
        ({"reasoning": "a", "thinking": "b"}, "a\n\nb"), ({"reasoning": " ", "thinking": "b"}, "b"),
        ({"reasoning": {"text": "", "summary": "a"}}, "a"), ({"thinking": {"thinking": {"text": "a"}}}, ""),
        ({"reasoning_details": ["a", {"text": "b"}, {"text": None}, 3]}, "ab"),
        ({"content": [{"type": "thinking", "thinking": "a"}, {"type": "thinking", "thinking": "b"}]}, "a\n\nb"),
    ],
)  # fmt: skip
def test_whatever_names_a_thought_goes_by(message: dict[str, Any], thinking: str) -> None:
    assert completion_from(body(message)).thinking == thinking


@pytest.mark.parametrize(
    ("logprobs", "first"),
    [
        (None, None), ([], None), ({"content": []}, None), ({"content": [3]}, None), ({"content": [{"top_logprobs": 3}]}, None),
        ({"content": [{"token": "a", "logprob": -1}]}, (("a", -1.0),)),
        ({"content": [{"token": "a", "logprob": -1, "top_logprobs": []}]}, (("a", -1.0),)),
        ({"content": [{"top_logprobs": [{"token": "a", "logprob": -1}, {"token": "b", "logprob": "-2"}]}, 3]}, (("a", -1.0), ("b", -2.0))),
        ({"content": [{"top_logprobs": [{"logprob": -1}, {"token": "a"}, {"token": "b", "logprob": float("-inf")}, 3]}]}, None),
    ],
)  # fmt: skip
def test_the_first_token_is_read_as_far_as_it_is_given(logprobs: Any, first: Any) -> None:
    assert completion_from(body({"content": "a"}, logprobs=logprobs)).first_token == first


# -- addresses ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "own"),
    [
        ("http://127.0.0.1:8080/v1", True), ("http://127.9.9.9", True), ("http://[::1]:80/v1", True), ("http://LOCALHOST/v1", True),
        ("http://a.localhost", True), ("http://10.0.0.1/v1", False), ("http://[::2]/", False), ("https://localhost.example.com", False),
        ("https://notlocalhost", False), ("https://127.0.0.1.example.com", False), ("localhost:80", False), ("", False),
    ],
)  # fmt: skip
def test_which_addresses_are_this_machine(url: str, own: bool) -> None:
    assert is_loopback(url) is own


@pytest.mark.parametrize(
    "url", ["localhost:80", "ftp://h/v1", "http:///v1", "", "/v1", "http://h:99999", "http://h:x", "http://[::1"]
)
def test_what_is_no_base_url_is_named(url: str) -> None:
    for query in ("", "?key=SECRET"):
        with pytest.raises(UsageError, match=re.escape(f"base URL {url!r}")):
            checked_url(url + query)
    for named in ("SECRET", "SECRET:p", "u:SECRET", ":SECRET"):
        with pytest.raises(UsageError) as caught:
            checked_url(url.replace("//", f"//{named}@") + "?key=SECRET")
        assert "SECRET" not in str(caught.value)


@pytest.mark.parametrize("named", ["u", "u:p", ":p", "u:", ":", ""])
def test_a_user_in_an_address_is_refused(named: str) -> None:
    with pytest.raises(UsageError, match="of h carries a user or a password; give it as api_key"):
        checked_url(f"http://{named}@h/v1")


@pytest.mark.parametrize(
    ("base", "url", "endpoint"),
    [
        ("http://h", "http://h", "http://h/chat/completions"), ("https://h/v1/", "https://h/v1", "https://h/v1/chat/completions"),
        ("http://h:8/v1//", "http://h:8/v1", "http://h:8/v1/chat/completions"),
        ("http://h/v1/?v=1&w#part", "http://h/v1/?v=1&w#part", "http://h/v1/chat/completions?v=1&w"),
    ],
)  # fmt: skip
def test_where_the_chat_is(base: str, url: str, endpoint: str) -> None:
    assert checked_url(base) == url and endpoint_of(url) == endpoint_of(base) == endpoint
