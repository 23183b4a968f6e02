"""The response cache: what is put is got, keys tell requests apart, and processes may share the file."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.models.cache import Cache, key_of
from moot.protocols.engine.errors import UsageError

values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)
requests = st.tuples(st.text(), st.dictionaries(st.text(), values, max_size=3), st.text(), st.integers())


@given(requests, requests)
def test_keys_are_equal_exactly_for_equal_requests(one: tuple, two: tuple) -> None:  # type: ignore[type-arg]
    assert (key_of(*one) == key_of(*two)) == (repr_of(one) == repr_of(two))


def repr_of(request: tuple) -> str:  # type: ignore[type-arg]
    import json

    return json.dumps(request, sort_keys=True)


@given(st.dictionaries(st.text(min_size=1), values, max_size=4))
def test_what_is_put_is_got(stored: dict[str, object]) -> None:
    async def main() -> None:
        cache = Cache(":memory:")
        for key, value in stored.items():
            assert await cache.get(key_of(key, {}, "", 0)) is None
            await cache.put(key_of(key, {}, "", 0), value)
            await cache.put(key_of(key, {}, "", 0), "a later one")
            await cache.drop(key_of(key, {}, "", 0), "a later one")
        for key, value in stored.items():
            assert await cache.get(key_of(key, {}, "", 0)) == value
            await cache.drop(key_of(key, {}, "", 0), value)
            assert await cache.get(key_of(key, {}, "", 0)) is None
        cache.close()

    anyio.run(main)


WRITER = """
import anyio, sys
from moot.agents.models.cache import Cache
async def main():
    cache = Cache(sys.argv[1])
    for i in range(200):
        await cache.put(f"{sys.argv[2]}-{i}", {"text": "x" * 500})
        await cache.put(f"both-{i}", int(sys.argv[2]))
anyio.run(main)
"""


def test_processes_share_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(i)]) for i in range(3)]
    assert [writer.wait(60) for writer in writers] == [0, 0, 0]

    async def main() -> None:
        cache = Cache(path)
        for i in range(200):
            assert await cache.get(f"both-{i}") in (0, 1, 2)
            for writer in range(3):
                assert await cache.get(f"{writer}-{i}") == {"text": "x" * 500}

    anyio.run(main)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="folder that exists"):
        Cache(tmp_path / "none" / "cache.sqlite")
