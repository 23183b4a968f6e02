"""Cells that are played elsewhere: the same plays, no call made twice, one cap, one limiter, and no key sent anywhere."""

from __future__ import annotations

import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from cluster_kit import Deadly, Judge, Speaker, capped, killed_in_the_middle, rows, stormed, study
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.limiter import Limiter
from moot.agents.money.cap import Cap
from moot.protocols.engine.errors import MootError, UsageError
from moot.studies.cells import Task
from moot.studies.cluster import owner, packing, pool
from moot.studies.cluster.launching import Processes, reached
from moot.studies.cluster.owner import Job, Remote
from moot.studies.cluster.pool import Pool
from moot.studies.cluster.wire import Lost, Reader, framed
from moot.studies.watch import Board

KEY: str = "sk-not-a-key-of-anybody-0123456789"
URL = "http://127.0.0.1:9/v1"


def test_workers_play_what_one_process_plays(tmp_path: Path) -> None:
    made = study(6).rejudge(Judge(0.9))
    made.run(tmp_path / "here")
    progress = made.run(tmp_path / "there", executor="processes", workers=2, limit=4)
    assert progress.complete and progress.how == {"played": 12}
    assert rows(made, tmp_path / "there") == rows(made, tmp_path / "here")
    again = next(row for row in made.rows(tmp_path / "there") if row["parent"])
    transcript = moot.load(tmp_path / "there" / again["path"])
    assert transcript.parent is not None and Path(transcript.parent["path"]).parents[2] == tmp_path / "there"
    assert transcript.sample.unseal() is not None and moot.replay(transcript).digest == transcript.digest
    assert made.run(tmp_path / "there", executor="processes", workers=1).how == {"kept": 12}


def test_a_killed_worker_costs_the_calls_in_flight(tmp_path: Path) -> None:
    progress, watched = killed_in_the_middle(tmp_path, "processes")
    assert progress.complete, progress
    assert progress.how["resumed"] >= 1  # another worker went on with what was recorded
    assert watched.repeated == []
    assert len(watched.answered) == 30  # three calls of ten debates


def test_a_cap_holds_for_all_workers_together(tmp_path: Path) -> None:
    progress, spent, after = capped(tmp_path, "processes", 2.5)
    assert progress.stopped is not None and "cap of 2.5" in progress.stopped and not progress.complete
    assert 0 < spent <= 2.5
    assert after.complete  # in one process, from where the workers were


@pytest.mark.long
def test_a_storm_of_refusals(tmp_path: Path) -> None:
    progress, watched = stormed(tmp_path, "processes")
    assert progress.complete, progress
    assert set(map(len, watched.answered.values())) == {1}


@pytest.mark.long
def test_what_kills_every_worker_is_left_and_told(tmp_path: Path) -> None:
    progress = study(6, Deadly("d")).run(tmp_path, executor="processes", workers=1, limit=1)
    assert progress.outcomes["decided"] == 5 and "workers were lost" in progress.problems[0]


def test_workers_that_never_come_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "begin", lambda *_: _Dead())
    with pytest.raises(
        MootError, match="3 workers in a row ended before they had played anything, the last so: no disk"
    ):
        study(2).run(tmp_path, executor="processes", workers=1)


class _Dead:
    def wait(self) -> str:
        return "no disk"

    def kill(self) -> None:
        pass


# -- keys ----------------------------------------------------------------------------------------------------------------


class Holder(Speaker):
    identity = "holder"

    def __init__(self, held: object) -> None:
        super().__init__("h")
        self.held = held


def test_no_key_is_sent_to_a_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    monkeypatch.setenv("ANOTHER_TOKEN", KEY[::-1])
    named = moot.LM("m", base_url=URL, api_key_env="A_KEY")
    assert KEY.encode() not in packing.packed(named)
    for agent, told in (
        (moot.LM("m", base_url=URL, api_key="sk-another-key-0123456789"), "give api_key_env="),
        (moot.LM("m", base_url=URL, headers={"X-Token": "a-secret-of-headers"}), "headers"),
        (moot.LM("m", base_url=f"{URL}?key=a-secret-of-the-query"), "query"),
        (moot.Copies(moot.LM("m", base_url=URL, api_key="sk-another-key-0123456789")), "give api_key_env="),
        (Holder(f"Bearer {KEY}"), "key of an endpoint|A_KEY"),
        (Holder(KEY[::-1]), "ANOTHER_TOKEN"),
        (moot.LM("m", base_url=URL, http_client=moot.testing.MockOpenAI().http_client()), "http_client"),
        (Holder(threading.Lock()), "cannot be sent to a worker"),
    ):
        with pytest.raises(UsageError, match=told) as found:
            study(1, agent).run(tmp_path / "s", executor="processes", workers=1)
        assert KEY not in str(found.value) and "debate, a: " in str(found.value)


# -- what an executor is given -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"executor": "cluster"}, "it can be 'processes'"),
        ({"workers": 2}, "are for an executor"),
        ({"executor": "processes", "workers": 0}, "must be 1 or more"),
        ({"executor": "processes", "batch": True}, "batches are gathered in one process"),
        ({"executor": "processes", "max_tokens": 9}, "a cap of tokens holds in one process"),
        ({"executor": "processes", "address": "auto"}, "address is that of a Ray cluster"),
    ],
)
def test_options_that_mean_nothing_are_refused(tmp_path: Path, given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        study(1).run(tmp_path, **given)


def test_a_play_that_ended_as_its_worker_was_lost_is_kept(tmp_path: Path) -> None:
    trial = study(1)
    cell = next(iter(trial.design.cells()))
    arm, sample = trial.seated[cell.arm], trial.samples[cell.question]
    whole = moot.run(arm.protocol, sample, arm.agents, seed=cell.seed)

    class Gone:
        async def play(self, job: Job) -> None:
            for line in whole.lines():
                job.line(line)
            job.close()

    async def free() -> Any:
        return Gone()

    workers = Pool(trial.seated, "processes", 1, None, None, "ended")
    workers._free = free  # type: ignore[method-assign]
    ended = anyio.run(workers.have, Task(cell, arm, sample, tmp_path / "c.jsonl"), Board(1, live=True))
    assert ended.how == "played" and ended.transcript is not None and ended.transcript.digest == whole.digest


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:x", "[::1]:99999"])
def test_a_cluster_that_is_not_there_is_told_at_once(address: str) -> None:
    with pytest.raises(UsageError, match="there is no Ray cluster at"):
        reached(address)


def test_ray_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("moot.studies.cluster.launching.find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'moot\[ray\]'"):
        study(1).run(tmp_path, executor="ray")


# -- leases --------------------------------------------------------------------------------------------------------------


class Quiet:
    """A stream on which nothing ever comes."""

    async def send(self, data: bytes) -> None:
        pass

    async def receive(self, most: int = 0) -> bytes:
        await anyio.sleep_forever()
        return b""


STEPS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.sampled_from(["hold", "charge", "unknown", "acquire", "release", "lose"]),
        st.floats(0.0, 1.0),
    ),
    max_size=40,
)


@settings(max_examples=25)
@given(STEPS)
def test_neither_cap_nor_limiter_is_ever_exceeded(steps: Sequence[tuple[int, str, float]]) -> None:
    async def run() -> None:
        cap, limiter = Cap(3.0), Limiter(2, most=2)
        remotes: dict[int, Remote] = {}
        asked = 0

        async with anyio.create_task_group() as group:
            for which in (0, 1):
                stream: Any = Quiet()
                remotes[which] = Remote(which, stream, Reader(stream), cap, {"p": limiter}, lambda _: None)
                remotes[which]._group = group
            for which, what, share in steps:
                remote = remotes[which]
                if remote.lost:
                    continue
                asked += 1
                known = list(remote._holds)
                if what == "hold":
                    remote._heard({"say": "hold", "id": asked, "bound": share}, b"")
                elif what in ("charge", "unknown") and known:
                    hold = remote._holds[known[0]]
                    cost = hold.bound * share if what == "charge" else None
                    remote._heard({"say": "charge", "hold": known[0], "cost": cost}, b"")
                elif what == "acquire":
                    remote._heard({"say": "acquire", "id": asked, "place": "p"}, b"")
                elif what == "release":
                    remote._heard({"say": "release", "place": "p"}, b"")
                elif what == "lose":
                    bounds, before = sum(hold.bound for hold in remote._holds.values()), cap.spent
                    remote._left()
                    assert cap.spent == pytest.approx(before + bounds)  # what may have been spent is spent
                await anyio.lowlevel.checkpoint()
                await anyio.lowlevel.checkpoint()
                assert cap.spent + cap.held <= 3.0 + 1e-9
                assert limiter.running <= 2
            for remote in remotes.values():
                if not remote.lost:
                    remote._left()
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()
        assert cap.held == 0 and limiter.running == 0

    anyio.run(run)


# -- who may connect -----------------------------------------------------------------------------------------------------


def test_whoever_has_no_token_is_told_nothing(tmp_path: Path) -> None:
    made = pool.Pool(study(1).seated, "processes", 1, None, None, "ended")
    heard = []

    async def run() -> None:
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        made._handles[1] = _Dead()

        def intrude(sent: bytes) -> bytes:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
                sock.sendall(sent)
                found = b""
                while part := sock.recv(4096):
                    found += part
            return found

        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, made._serve)
            for sent in (b"\0\0\0\1" + bytes(32) + bytes(32), b"GET / HTTP/1.1\r\nHost: there\r\n\r\n" + bytes(80)):
                heard.append(await anyio.to_thread.run_sync(intrude, sent))
            group.cancel_scope.cancel()

    anyio.run(run)
    assert [len(each) for each in heard] == [
        64,
        64,
    ] and not made._remotes  # a nonce and a proof, and nothing of the study


@given(st.binary(max_size=64))
def test_garbage_is_no_message(data: bytes) -> None:
    class Stream:
        rest = data

        async def receive(self, most: int = 0) -> bytes:
            found, self.rest = self.rest, b""
            if not found:
                raise anyio.EndOfStream
            return found

    async def run() -> None:
        stream: Any = Stream()
        with pytest.raises((Lost, anyio.EndOfStream)):
            while True:
                head, _ = await Reader(stream).message()
                assert isinstance(head, dict)

    anyio.run(run)


def test_a_message_is_read_as_it_was_sent() -> None:
    async def run() -> None:
        class Stream:
            parts = [bytes([each]) for each in framed({"say": "line", "cell": 3}, b"a line\n")]

            async def receive(self, most: int = 0) -> bytes:
                return self.parts.pop(0)

        stream: Any = Stream()
        assert await Reader(stream).message() == ({"say": "line", "cell": 3}, b"a line\n")

    anyio.run(run)


@pytest.mark.parametrize("name", ["../x.truth.json", "other.truth.json", "/etc/x", ".."])
def test_a_worker_writes_no_file_but_its_cells(tmp_path: Path, name: str) -> None:
    made = study(1)
    cell = next(made.design.cells())
    task = Task(cell, made.seated[0], made.samples[0], tmp_path / "cells" / "ab" / f"{cell.key}.jsonl")
    with pytest.raises(MootError, match="none of its cell's"):
        owner.Job(task, None, "ended").file(name, b"{}")
    assert not list(tmp_path.rglob("*truth*"))
