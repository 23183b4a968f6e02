"""Secrets stay with the request: no artefact of any run holds one, however the endpoint sends it back, and words that only
look like one are left alone."""

from __future__ import annotations

import copy
import gzip
import json
import logging
import pickle
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import quote, quote_plus

import anyio
import httpx2
import pytest
from agent_kit import completion, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION
from starlette.requests import Request
from starlette.responses import Response

import moot
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.lm import LM
from moot.agents.models.secrets import SHORT, Secrets, secret_name, shown
from moot.cli import reading
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Speech
from moot.testing.server.serving import thread

KEY, QUERY, NESTED = 'sk-Canary/0+9="7', "Query-Canary-1", "Nested-Canary-2"
EXTRA = {
    "data_sources": [{"parameters": {"authentication": {"type": "api_key", "key": NESTED}}}],
    "userConfig": {"apiKey": [NESTED]},
}
ESCAPES: dict[str, Callable[[str], str]] = {
    "plain": str, "JSON": lambda text: json.dumps(text)[1:-1], "slashes": lambda text: text.replace("/", "\\/"),
    "every character": lambda text: "".join(f"\\u{ord(char):04X}" for char in text),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)[1:-1])[1:-1], "URL": lambda text: quote(text, safe=""),
    "form": quote_plus, "URL twice": lambda text: quote(quote(text, safe="")), "HTML": lambda text: "".join(f"&#{ord(c)};" for c in text),
    "base64": lambda text: b64encode(text.encode()).decode(), "basic": lambda text: b64encode(f"u:{text}".encode()).decode(),
    "base64 in the middle": lambda text: urlsafe_b64encode(f"key={text}; more".encode()).decode(),
}  # fmt: skip


def grep(text: str) -> list[str]:
    """Which secrets a text holds, in any of these ways; of base64, the part that does not depend on what is around."""
    found = []
    for secret in (KEY, QUERY, NESTED):
        found += [
            name
            for name, escape in ESCAPES.items()
            if "base" not in name and name != "basic" and escape(secret) in text
        ]
        cores = [b64encode(b"\0" * n + secret.encode()).decode()[4:-4] for n in range(3)]
        found += ["base64"] * any(core in text or core.replace("+", "-").replace("/", "_") in text for core in cores)
    return found


class Echo:
    """A server that answers with all that it was sent, in one way to escape it. how: what kind of answer."""

    def __init__(self, how: str, escape: str = "plain") -> None:
        self.how, self.escape, self.asked = how, ESCAPES[escape], 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.asked += 1
        sent = request.headers["authorization"].removeprefix("Bearer ")
        assert sent == KEY and request.query_params["key"] == QUERY and body.count(NESTED.encode()) == 2
        all_of_it = (
            " ".join(f"<{self.escape(secret)}>" for secret in (KEY, QUERY, NESTED)) + f" Bearer {self.escape(KEY)}"
        )
        headers = {
            "x-echo": all_of_it,
            "set-cookie": f"k={quote(KEY)}",
            "location": f"http://127.0.0.1:9/?key={all_of_it}",
        }
        speech, status = json.dumps({"kind": "speech", "text": f"I was sent {all_of_it}"}), 200
        content = {
            "said": json.dumps(completion(speech, reasoning_content=all_of_it)), "unread": json.dumps(completion(f"no JSON: {all_of_it}")),
            "refused": json.dumps({"error": {"message": all_of_it, "param": all_of_it, "code": all_of_it}}),
            "inside": json.dumps({"error": {"message": all_of_it, "code": 400}}), "words": f'{{"error": "{all_of_it}',
            "huge": json.dumps(completion("x" * 19_990 + f" {all_of_it}" * 30_000)), "odd": json.dumps({"choices": all_of_it}),
        }.get(self.how, json.dumps({"error": all_of_it}))  # fmt: skip
        status = {"refused": 400, "failed": 500, "moved": 307, "who": 401, "zip": 403}.get(self.how, 200)
        raw = content.encode()
        if self.how == "zip":
            raw, headers = gzip.compress(raw), {**headers, "content-encoding": "gzip"}
        await Response(raw, status_code=status, headers=headers, media_type="application/json")(scope, receive, send)


def artefacts(echo: Echo, folder: Path, logs: Any, printed: Any, backend: Any, socket: bool) -> str:
    """All that a run leaves behind, as one text. socket: over a real one, with the client that moot makes itself."""
    path, cache, texts = folder / "t.jsonl", folder / "c.sqlite", []
    with ExitStack() as stack:
        stack.enter_context(logs.at_level(logging.DEBUG))
        url = stack.enter_context(thread(echo)) if socket else "http://mock.invalid/v1"
        client = None if socket else httpx2.AsyncClient(transport=httpx2.ASGITransport(echo))
        lm = LM("m", base_url=f"{url}?key={QUERY}&v=1", api_key=KEY, extra_body=EXTRA, cache=cache, retries=1, backoff=1e-4,
                http_client=client)  # fmt: skip
        transcript = moot.run(
            moot.Debate(rounds=1), QUESTION, {"a": lm, "b": lm, "judge": lm}, out=path, backend=backend
        )

        async def alone() -> None:
            try:
                await lm.act(request_for(Speech, seed=8))
            except (AgentError, moot.UnreadableAnswer) as error:
                texts.append(repr(error) + "".join(traceback.format_exception(error)) + repr(vars(error)))
            await lm.close()

        anyio.run(alone, backend=backend)
    assert echo.asked >= 2 and any(event["event"] == "attempted" for event in transcript.events())
    for name in ("json", "dot", "mermaid", "graphml"):
        reading.export(path, name, folder / f"export.{name}")
    texts += [each.read_bytes().decode("utf-8", "replace") for each in folder.iterdir()]
    if socket:
        texts += [pickle.dumps(lm).decode("latin-1"), pickle.dumps(lm.endpoint).decode("latin-1")]
    out = printed.readouterr()
    shown = (lm, lm.endpoint, lm.describe(), lm.identity(), lm.endpoint.secrets, transcript, transcript.outcome)
    return "\n".join([*texts, *map(repr, shown), logs.text, out.out, out.err])


HOWS = ("said", "refused", "moved", "failed", "unread", "who", "zip", "inside", "words", "odd", "huge")


@pytest.mark.parametrize("how", HOWS)
def test_no_artefact_holds_a_secret(how: str, tmp_path: Path, caplog: Any, capfd: Any) -> None:
    place = HOWS.index(how)
    backend = ("asyncio", "trio")[place % 2]
    text = artefacts(Echo(how, list(ESCAPES)[place % len(ESCAPES)]), tmp_path, caplog, capfd, backend, place < 4)
    assert not grep(text)
    assert "[key]" in text


@settings(max_examples=30)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=SHORT, max_size=60), st.sampled_from(list(ESCAPES)),
       st.text("ab \\", max_size=5), st.text("ab \\", max_size=5))  # fmt: skip
def test_a_secret_is_found_however_it_is_escaped(secret: str, escape: str, before: str, after: str) -> None:
    secrets = Secrets(secret)
    hidden = secrets.hide(before + ESCAPES[escape](secret) + after)
    assert "[key]" in hidden and secret not in hidden and not secrets.found(hidden.replace("[key]", ""))


@given(st.sampled_from(list(ESCAPES)), st.integers(0, 400), st.text("ab ", max_size=9))
def test_a_text_that_was_cut_shows_no_beginning_of_a_secret(escape: str, cut: int, before: str) -> None:
    whole = (before + ESCAPES[escape](KEY)) * 4
    assert "sk-Can" not in Secrets(KEY).hide_cut(whole[:cut]) and not grep(Secrets(KEY).hide_cut(whole[:cut]))


@given(st.sampled_from(["x", "s", "max", "token", "none"]), st.text("maxtokensx _'", max_size=80))
def test_a_short_key_leaves_words_alone(key: str, text: str) -> None:
    assert Secrets(key).hide(text) == text
    for around in ("Authorization: Bearer {}", '{{"api_key": "{}"}}', "authorization='Bearer {}'"):
        assert Secrets(key).hide(around.format(key)) == around.format("[key]")


@pytest.mark.parametrize(("name", "secret"), [("key", 1), ("x-api-key", 1), ("apiKey", 1), ("HF_TOKEN", 1), ("clientSecret", 1),
    ("Authorization", 1), ("subscription-key", 1), ("max_tokens", 0), ("prompt_cache_key", 0), ("keyword", 0), ("monkey", 0), ("", 0)])  # fmt: skip
def test_names_that_say_that_they_are_secret(name: str, secret: int) -> None:
    assert secret_name(name) is bool(secret)
    assert (shown({"a": [{name: {"b": "value"}}]}) == {"a": [{name: {"b": "[hidden]"}}]}) is bool(secret)


# -- pickles and copies ------------------------------------------------------------------------------------------------


def test_a_pickle_takes_the_key_from_its_variable_or_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_KEY", KEY)
    lm = LM("m", base_url="http://127.0.0.1:9/v1", api_key_env="MY_KEY", max_tokens=77)
    there = pickle.loads(pickle.dumps(lm))
    assert there.endpoint.secrets.key == KEY and there.max_tokens == 77 and there.identity() == lm.identity()
    raw = pickle.dumps(lm)
    monkeypatch.delenv("MY_KEY")
    for lost, words in ((raw, "set MY_KEY"), (pickle.dumps(LM("m", base_url="http://127.0.0.1:9/v1", api_key=KEY)), "api_key_env="),
                        (pickle.dumps(LM("m", base_url="http://127.0.0.1:9/v1", extra_body=EXTRA)), "extra_body")):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            moot.run(moot.Debate(rounds=1), QUESTION, {seat: pickle.loads(lost) for seat in ("a", "b", "judge")})


@pytest.mark.parametrize(
    "place",
    [{"headers": {"X-Gate-Token": KEY}}, {"query": {"api_key": KEY}}, {"headers": {"Authorization": f"Bearer {KEY}"}}],
)
def test_a_pickle_holds_no_secret_of_headers_or_parameters(place: dict[str, Any]) -> None:
    lm = LM("m", base_url="http://127.0.0.1:9/v1", **place)
    raw = pickle.dumps(lm)
    assert KEY.encode() not in raw and pickle.loads(raw).describe() == lm.describe()
    with pytest.raises(UsageError, match="left out of the pickle"):
        anyio.run(pickle.loads(raw).start)


def test_a_copy_in_this_process_can_still_call() -> None:
    lm = LM("m", base_url="http://127.0.0.1:9/v1", api_key=KEY, extra_body=EXTRA)
    for made in (copy.copy(lm), copy.deepcopy(lm), copy.deepcopy({"judge": lm})["judge"]):
        assert made.endpoint.secrets.key == KEY and made.extra_body == EXTRA
    assert copy.deepcopy(lm.endpoint).secrets.key == KEY


# -- before the play ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "words"),
    [("sk-abc\n", "line feed"), ("sk–abc", r"U\+2013"), (" sk-abc", "white space"), ("a\0b", "U.0000")],
)
def test_a_key_that_no_header_carries_is_refused_by_the_name_of_its_place(
    key: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UsageError, match=f"api_key holds .*{words}") as error:
        LM("m", base_url="http://127.0.0.1:9/v1", api_key=key)
    if "\0" not in key:
        monkeypatch.setenv("OPENAI_API_KEY", key)
        with pytest.raises(UsageError, match=f"OPENAI_API_KEY holds .*{words}"):
            LM("m")
    assert "abc" not in str(error.value)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(("name", "value"), [("ALL_PROXY", "socks://u:Proxy-Canary@127.0.0.1:9"), ("SSL_CERT_FILE", "/none/at/all.pem"),
                                             ("HTTPS_PROXY", "socks5://127.0.0.1:9"), ("http_proxy", "gopher://x")])  # fmt: skip
def test_an_environment_that_breaks_the_client_is_named_before_the_play(
    name: str, value: str, backend: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(name, value)
    lm = LM("m", base_url="http://example.invalid/v1", api_key=KEY)
    with pytest.raises(UsageError, match=name) as error:
        moot.run(
            moot.Debate(rounds=1), QUESTION, {"a": lm, "b": lm, "judge": lm}, backend=backend, out=tmp_path / "t.jsonl"
        )
    assert "Canary" not in str(error.value) and "attempted" not in (tmp_path / "t.jsonl").read_text()
    anyio.run(Endpoint("http://127.0.0.1:9/v1").start, backend=backend)  # nothing of it concerns this machine


@pytest.mark.parametrize(
    "url",
    ["http://Canary@h/v1", "http://u:Canary@h/v1", "u:Canary@h", "http://u:Canary@h:99999/v1", "ftp://h?key=Canary"],
)
def test_an_address_that_is_refused_is_not_shown_with_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as error:
        LM("m", base_url=url, api_key=KEY)
    assert "Canary" not in str(error.value)
