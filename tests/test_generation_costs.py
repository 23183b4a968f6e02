"""What moot itself does for one answer of a model, counted: calls of its own functions, hashes of the prompt, objects kept
while the answer is awaited; and that what is kept or looked for first changes no result."""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models import lm as lm_module
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.limiter import Limiter
from moot.agents.models.secrets import Secrets
from moot.agents.prompts import render
from moot.protocols import text as texts
from moot.testing import MockOpenAI

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="The fleet sank in a storm. " * 40)
AGENTS = str(Path(lm_module.__file__).parents[1])


def played(rounds: int) -> None:
    mock = MockOpenAI()
    lm = moot.LM("mock", api_key="none", base_url="http://mock/v1", http_client=mock.http_client())
    seats: dict[str, Any] = {"a": lm, "b": lm, "judge": lambda _: moot.Verdict(probabilities=(0.5, 0.5))}
    done = moot.run(moot.Debate(rounds=rounds), QUESTION, seats)
    assert isinstance(done.outcome, moot.Decided) and len(mock.calls) == 2 * rounds


def own_calls(rounds: int) -> int:
    """Calls of functions in the folder of agents, of a whole play."""
    count = 0

    def seen(frame: Any, event: str, _: Any) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_filename.startswith(AGENTS)

    sys.setprofile(seen)
    try:
        played(rounds)
    finally:
        sys.setprofile(None)
    return count


def test_an_answer_takes_a_few_calls_of_moots_own_functions_however_long_the_play() -> None:
    played(1)
    few, many = own_calls(4), own_calls(12)
    each = (many - few) / 16
    assert each < 330, each


def test_a_prompt_is_hashed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed = 0
    own = render.Prompt.hash

    def counted(prompt: render.Prompt) -> str:
        nonlocal hashed
        hashed += 1
        return own.fget(prompt)  # type: ignore[attr-defined, no-any-return]

    monkeypatch.setattr(render.Prompt, "hash", property(counted))
    played(2)
    assert hashed == 4


def test_whoever_waits_for_a_place_keeps_little() -> None:
    """A call that waits is an event and who awaits it: no exception that was caught, and no frames that it holds."""

    async def main() -> None:
        limiter = Limiter(1)
        await limiter.acquire()
        async with anyio.create_task_group() as group:
            for _ in range(50):
                group.start_soon(limiter.acquire)
            await anyio.wait_all_tasks_blocked()
            assert limiter.waiting == 50
            assert not [each for each in gc.get_objects() if isinstance(each, anyio.WouldBlock)]
            group.cancel_scope.cancel()
        assert (limiter.running, limiter.waiting) == (1, 0)
        limiter.release()
        assert limiter.free

    anyio.run(main)


PIECES = st.sampled_from([
    "none", "NONE", "n\\one", "n%6fne", "n\\u006fne", "&#110;one", "Bearer ", "bearer", "BASIC", "ba\u017fic ", "bas\u0131c ",
    "api key", "api-\u212aey", "API_KEY", "authorization", "\\\"", ": ", "=", " ", "'", "x", "sk-0123456789", "\u0130",
])  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_a_short_secret_is_found_wherever_it_stands_as_a_credential(text: str) -> None:
    secrets = Secrets("none")
    found = secrets._matcher().search(text)
    assert secrets.found(text) == (found is not None)
    assert secrets.hide(text) == secrets._matcher().sub(secrets._mark, text)


@given(st.text(max_size=220))
def test_what_was_escaped_before_is_escaped_alike(text: str) -> None:
    assert texts.escape(text) == texts.escape(text) == texts._escaped(text)


def test_escaped_texts_are_kept_within_a_bound() -> None:
    for number in range(3000):
        texts.escape(f"<{number}>")
    kept = texts._kept_short.cache_info()
    assert kept.maxsize is not None and kept.currsize <= kept.maxsize <= 2000


@given(st.text(alphabet="\n a\t", max_size=20))
def test_lines_without_anything_are_left_out_as_before(text: str) -> None:
    assert "\n".join(filter(None, text.split("\n"))).strip() == re.sub(r"\n{2,}", "\n", text).strip()


def test_a_call_that_runs_out_of_time_is_a_time_out() -> None:
    async def main() -> None:
        async def silent(stream: Any) -> None:
            await anyio.sleep_forever()

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, silent)
            endpoint = Endpoint(f"http://127.0.0.1:{port}/v1", timeout=0.1)
            await endpoint.start()
            with pytest.raises(TimeoutError):
                await endpoint.fetch("GET", "models")
            await endpoint.close()
            group.cancel_scope.cancel()

    anyio.run(main)
