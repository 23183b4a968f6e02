"""What is promised of the file of a play, whatever the disk, the system or another process does."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from contextlib import closing, suppress
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.cli.batch import set_aside, state
from moot.transcripts import store
from moot.transcripts.events import LONGEST, EventLog
from moot.transcripts.seal import seal
from moot.transcripts.store import Writer, repair, room_for

DEBATE = moot.Debate(rounds=1)
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX files")


class Disk:
    """A system with faults: `faults` says of each write how many bytes get through, and the error after them (0: none, the
    rest is asked for again). Truncating fails as often as `stuck` says; syncing after `syncs` times."""

    def __init__(self, faults: list[tuple[int, int]], stuck: int = 0, syncs: int = 10**9, closing: int = 0) -> None:
        self.faults, self.stuck, self.syncs, self.closing = list(faults), stuck, syncs, closing
        self.synced: list[int] = []  # how long the file was each time that it was made durable
        self.folders = 0

    def write(self, file: int, data: bytes) -> int:
        if not self.faults:
            return os.write(file, data)
        most, error = self.faults.pop(0)
        done = os.write(file, data[:most]) if data[:most] else 0
        if error:
            raise OSError(error, os.strerror(error))
        return done

    def ftruncate(self, file: int, length: int) -> None:
        if self.stuck > 0:
            self.stuck -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        os.ftruncate(file, length)

    def fsync(self, file: int) -> None:
        self.syncs -= 1
        if self.syncs < 0:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if stat.S_ISREG((found := os.fstat(file)).st_mode):
            self.synced.append(found.st_size)
        else:
            self.folders += 1

    def close(self, file: int) -> None:
        os.close(file)
        if self.closing:
            raise OSError(self.closing, os.strerror(self.closing))

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)


LINES = [b'{"a":%d,"text":"%s"}\n' % (n, b"x" * n) for n in range(12)]
errors = st.sampled_from([0, 0, errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EINTR, errno.EAGAIN, errno.EFBIG])


@settings(max_examples=60, deadline=None)
@given(
    faults=st.lists(st.tuples(st.integers(0, 40), errors), max_size=10),
    stuck=st.integers(0, 3),
    syncs=st.integers(0, 12) | st.just(10**9),
    fsync=st.sampled_from(["ended", "event"]),
    closes=errors,
)
def test_whatever_fails_only_whole_lines_follow_whole_lines(
    faults: list[tuple[int, int]], stuck: int, syncs: int, fsync: Any, closes: int,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("disk") / "t"
    with pytest.MonkeyPatch.context() as patch:
        writer = Writer(path, fsync=fsync)
        patch.setattr(store, "os", Disk(faults, stuck, syncs, closes))
        taken = []
        for number, line in enumerate(LINES):
            try:
                writer(line)
                taken.append(line)
            except moot.TranscriptError as error:
                assert str(path) in str(error) and "is safe" in str(error) and "moot resume" in str(error), number
        with suppress(moot.TranscriptError):
            writer.close()
    whole, _, rest = path.read_bytes().rpartition(b"\n")
    assert (whole + b"\n" if whole else b"") == b"".join(taken)
    assert not rest or LINES[-1].startswith(rest) or stuck  # what could not be taken back is the last thing there
    repair(path)
    assert path.read_bytes() == b"".join(taken)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EIO])
def test_a_line_torn_at_any_byte_is_taken_back_and_the_play_goes_on(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = LINES[5]
    for most in range(len(line)):
        path = tmp_path / f"{error}-{most}"
        monkeypatch.setattr(store, "os", Disk([(10**9, 0), (most, error)]))
        with closing(Writer(path)) as writer:
            writer(LINES[0])
            with pytest.raises(moot.TranscriptError, match=f"cannot write event 2: {os.strerror(error)}"):
                writer(line)
            assert path.read_bytes() == LINES[0]
            writer(LINES[1])
        assert path.read_bytes() == LINES[0] + LINES[1]


@pytest.mark.parametrize("fsync", ["ended", "event"])
def test_what_was_there_before_is_never_taken_back(fsync: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whoever goes on with a file, and fails at the first line."""
    path = tmp_path / "new" / "folders" / "t"
    with closing(Writer(path)) as writer:
        writer(LINES[0] + LINES[1])
    disk = Disk([(7, errno.ENOSPC)])
    monkeypatch.setattr(store, "os", disk)
    with closing(Writer(path, append=True, fsync=fsync)) as writer:
        with pytest.raises(moot.TranscriptError, match="cannot write event 1"):
            writer(LINES[2])
        assert path.read_bytes() == LINES[0] + LINES[1] and writer.lines == 0
        writer(LINES[3])
    assert path.read_bytes() == LINES[0] + LINES[1] + LINES[3]
    assert (disk.synced, disk.folders) == ([path.stat().st_size], fsync == "ended")


def test_a_file_is_closed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed: list[int] = []

    class Counting(Disk):
        def close(self, file: int) -> None:
            closed.append(file)
            super().close(file)

    monkeypatch.setattr(store, "os", Counting([]))
    writer = Writer(tmp_path / "t")
    kept = len(closed)
    writer(LINES[0])
    for _ in range(2):
        writer.close()
    assert len(closed) == kept + 2 and 1 not in closed, "the file, and the folder to make its name last"


def test_a_disk_that_takes_nothing_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "os", Disk([(0, 0), (0, errno.EIO)]))
    with closing(Writer(tmp_path / "t")) as writer, pytest.raises(moot.TranscriptError, match="nothing can be written"):
        writer(LINES[0])
    with pytest.raises(moot.UsageError, match="cannot read a\0b"):
        list(store.read_lines("a\0b"))


def test_an_interrupt_between_two_parts_of_a_line_tears_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Interrupted(Disk):
        def write(self, file: int, data: bytes) -> int:
            if self.faults and not self.faults[0][0]:
                self.faults.pop(0)
                raise KeyboardInterrupt
            return super().write(file, data)

    monkeypatch.setattr(store, "os", Interrupted([(10**9, 0), (7, 0), (0, 0)]))
    with closing(Writer(tmp_path / "t")) as writer:
        writer(LINES[0])
        with pytest.raises(KeyboardInterrupt):
            writer(LINES[4])
        writer(LINES[1])
    assert (tmp_path / "t").read_bytes() == LINES[0] + LINES[1]


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("held", [False, True])
def test_an_interrupt_at_a_line_leaves_a_log_that_can_be_read(
    held: bool, late: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C before anything of a line is written, or after all of it: whatever is logged then, no line is chained to one that
    is not there, or left out of the chain."""
    whole = list(moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=tmp_path / "whole.jsonl").events())
    started, moved = whole[0], next(event for event in whole if event["event"] == "moved")
    at = {"step": moved["step"], "seat": moved["seat"]}
    write = Writer.__call__

    def stopped(*given: Any) -> int:
        if late:
            write(*given)
        raise KeyboardInterrupt

    with closing(Writer(tmp_path / "t.jsonl")) as writer:
        log = EventLog(writer)
        told = {key: each for key, each in started.items() if key not in ("event", "meta", "chain")}
        log.event("started", told, started["meta"])
        if held:
            log.ahead("shown", {**at, "first": 0, "statements": []})
        with monkeypatch.context() as patch:
            where, name = (Writer, "__call__") if late else (os, "write")
            patch.setattr(where, name, stopped)
            with pytest.raises(KeyboardInterrupt):
                log.event("asked", at, {})
        with suppress(KeyboardInterrupt):
            log.event("cancelled", {"steps": []}, {})
    assert next(iter(moot.load(tmp_path / "t.jsonl").events()))["event"] == "started"
    assert moot.resume(tmp_path / "t.jsonl", everywhere(DEBATE, speak)).outcome is not None


def test_a_torn_line_of_a_play_that_is_taken_up_again_is_no_part_of_what_is_taken_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t"
    path.write_bytes(LINES[0] + LINES[11][:-1])
    with closing(Writer(path, append=True)) as writer:
        assert repair(path) == len(LINES[11]) - 1
        monkeypatch.setattr(store, "os", Disk([(5, errno.ENOSPC)]))
        with pytest.raises(moot.TranscriptError, match="No space left"):
            writer(LINES[3])
        assert path.read_bytes() == LINES[0]
        writer(LINES[4])
    assert path.read_bytes() == LINES[0] + LINES[4]


@pytest.mark.parametrize("fails", [0, 7, 50])
def test_a_line_that_waits_is_written_before_the_next_or_with_it_lost(
    fails: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, given = tmp_path / "t", list[bytes]()
    token = store.copied.set(lambda at, line: given.append(line))
    try:
        with closing(Writer(path)) as writer:
            writer.later(LINES[0])
            writer.later(LINES[1])
            assert path.read_bytes() == b"" and given == []
            writer(LINES[2])
            assert path.read_bytes() == b"".join(LINES[:3]) and given == LINES[:3] == writer.recent
            with monkeypatch.context() as patch:
                patch.setattr(store, "os", Disk([(fails, errno.ENOSPC)]))
                writer.later(LINES[8])
                with pytest.raises(moot.TranscriptError, match="cannot write event 4"):
                    writer(LINES[9])
            assert path.read_bytes() == b"".join(LINES[:3])
            writer.later(LINES[4])
        assert path.read_bytes() == b"".join([*LINES[:3], LINES[4]]) and given == [*LINES[:3], LINES[4]]
        with closing(Writer(tmp_path / "u", fsync="event")) as writer:
            writer.later(LINES[0])
            assert (tmp_path / "u").read_bytes() == LINES[0]
    finally:
        store.copied.reset(token)


def test_a_play_on_a_failing_disk_ends_in_words_and_can_be_taken_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=3, out=tmp_path / "whole.jsonl")
    for number in range(1, sum(1 for _ in whole.lines())):
        path = tmp_path / f"{number}.jsonl"
        with monkeypatch.context() as patch:
            patch.setattr(store, "os", Disk([*[(10**9, 0)] * number, (30, errno.ENOSPC), (40, errno.EIO)]))
            with pytest.raises(moot.TranscriptError, match=f"event {number + 1}: No space left .*moot resume"):
                moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), seed=3, out=path)
        assert moot.verify(moot.load(path)).dropped == 0
        assert moot.resume(path, everywhere(DEBATE, speak)).digest == whole.digest


def cut_power(path: Path, disk: Disk) -> None:
    """Drop everything that was not made durable."""
    os.truncate(path, max(disk.synced, default=0))


def test_what_is_durable_when_the_power_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fsync="event" every event that the play went on from; with "ended" nothing before the end, and all after it."""
    seen: list[int] = []
    for fsync in ("event", "ended"):
        path, disk = tmp_path / f"{fsync}.jsonl", Disk([])
        counts: list[int] = []

        def agent(request: moot.Request, disk: Disk = disk, path: Path = path, counts: list[int] = counts) -> moot.Move:
            counts.append(path.stat().st_size - max(disk.synced, default=0))
            return speak(request)

        with monkeypatch.context() as patch:
            patch.setattr(store, "os", disk)
            play = moot.run(DEBATE, QUESTION, everywhere(DEBATE, agent), out=path, fsync=fsync)
        events = sum(1 for _ in play.lines())
        assert (len(disk.synced), disk.folders) == (events if fsync == "event" else 1, 1)
        seen.append(max(counts))
        cut_power(path, disk)
        assert moot.load(path).outcome == play.outcome
    assert seen[0] == 0 < seen[1]


def test_fsync_is_one_of_two(tmp_path: Path) -> None:
    with pytest.raises(moot.UsageError, match='fsync is "always"; it can be "ended" or "event"|\'always\''):
        moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=tmp_path / "x", fsync="always")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


# -- one writer ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "broken", [errno.ENOLCK, errno.EOPNOTSUPP, None], ids=["no-locks", "unsupported", "without-effect"]
)
def test_where_the_system_has_no_locks_a_lock_file_keeps_others_out(
    broken: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    def flock(file: int, how: int) -> None:
        if broken is not None:
            raise OSError(broken, os.strerror(broken))

    monkeypatch.setattr(fcntl, "flock", flock)
    path = tmp_path / "t.jsonl"
    with closing(Writer(path)) as writer:
        assert (tmp_path / ".t.jsonl.lock").exists()
        with pytest.raises(
            moot.UsageError, match=rf"another process \(process {os.getpid()} on .*remove .*\.t\.jsonl\.lock"
        ):
            Writer(path, append=True)
        writer(LINES[0])
    assert [entry.name for entry in tmp_path.iterdir()] == ["t.jsonl"]
    again = Writer(path, append=True)
    (tmp_path / ".t.jsonl.lock").unlink()  # as somebody may who was told to
    again.close()


def test_a_file_that_is_moved_away_while_it_is_opened_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"
    locked = store._locked
    acts = (lambda: path.unlink(), lambda: path.rename(tmp_path / "other"))
    for act, first in product(acts, (True, False)):
        path.write_bytes(b"")

        def late(path: Path, file: int, act: Any = act, first: bool = first) -> bool:
            if first:
                act()
            found = locked(path, file)
            if not first:
                act()
            return found

        monkeypatch.setattr(store, "_locked", late)
        with pytest.raises(moot.UsageError, match="was moved away by another process"):
            Writer(path, append=True)
        assert not path.exists() and not list(tmp_path.glob(".*"))


def test_what_another_process_has_begun_is_neither_removed_nor_moved(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    job: Any = None
    with closing(Writer(path)) as writer:
        assert [entry.name for entry in tmp_path.iterdir()] == [
            "t.jsonl"
        ]  # the system's lock, which a kill leaves none of
        for wanted in (b"", b'{"event":"started",'):
            path.write_bytes(wanted)
            with pytest.raises(moot.UsageError, match="being written by another process"):
                state(path, job, {})
            with pytest.raises(moot.UsageError, match="being written by another process"):
                set_aside(path)
            assert path.read_bytes() == wanted
        writer(b"")
    assert state(path, job, {}) == ("played", None) and not path.exists()


SET = """
import sys
sys.path.insert(0, {here!r})
from moot.cli import main
main(["run", "-P", "debate", "-p", "rounds=2", "--set", "set.jsonl", "-o", "out", "-j", {jobs!r},
      "--seat", "debater=python:slow_agents:speaker", "--seat", "judge=python:slow_agents:judge"])
"""
SLOW = """
import anyio, os, moot
from pathlib import Path
CALLS = os.open("calls", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
async def speaker(request):
    os.write(CALLS, f"{request.view.question.text} {request.step}\\n".encode())
    await anyio.sleep(0.005)
    return moot.Speech(text="so")
async def judge(request):
    return moot.Verdict(probabilities=(0.25, 0.75))
"""


def _set(folder: Path, count: int) -> None:
    (folder / "set.jsonl").write_text("".join(
        f'{{"id": "q{n}", "question": "Who {n}?", "choices": ["x", "y"], "truth": 1}}\n' for n in range(count)))  # fmt: skip
    (folder / "slow_agents.py").write_text(SLOW)


def _started(folder: Path, jobs: int, **options: Any) -> subprocess.Popen[str]:
    script = SET.format(here=str(folder), jobs=str(jobs))
    return subprocess.Popen([sys.executable, "-c", script], cwd=folder, stdout=-1, stderr=-1, text=True, **options)


def test_two_processes_on_one_folder_of_plays(tmp_path: Path) -> None:
    """Every play is had once: whoever comes second leaves it alone, and no call is made twice."""
    _set(tmp_path, 12)
    both = [_started(tmp_path, 3) for _ in range(2)]
    for process in both:
        _, err = process.communicate(timeout=120)
        assert process.returncode in (0, 1) and "Traceback" not in err, err
    files = sorted((tmp_path / "out").glob("*.jsonl"))
    assert len(files) == 12 and not (tmp_path / "out" / "replaced").exists()
    assert all(moot.replay(moot.load(path)).transcript.outcome is not None for path in files)
    asked = (tmp_path / "calls").read_text().splitlines()
    assert len(asked) == len(set(asked)) == 12 * 4


def test_more_plays_at_a_time_than_files_may_be_open(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    _set(tmp_path, 120)
    process = _started(tmp_path, 120, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)))
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0 and "120 decided" in out, (out, err)
    assert "plays at a time and not 120: no more files can be open here" in err


def test_the_limit_on_open_files_is_raised_as_far_as_it_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    now = [128, 1002]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda which, both: now.__setitem__(slice(2), both))
    assert room_for(4) == 4 and now == [128, 1002]
    assert room_for(100) == 100 and now == [364, 1002]
    assert room_for(400) == 312 and now == [1002, 1002]
    now[:] = [60, 60]
    assert room_for(4) == 1 and now == [60, 60]
    now[:] = [resource.RLIM_INFINITY] * 2
    assert room_for(5000) == 5000 and now == [resource.RLIM_INFINITY] * 2
    now[:] = [128, resource.RLIM_INFINITY]
    assert room_for(5000) == 5000 and now[0] == 15064


# -- sizes -----------------------------------------------------------------------------------------------------------------


def test_a_line_may_be_so_long_and_no_longer(tmp_path: Path) -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    room = LONGEST - len(b'{"event":"told","text":"","meta":{},"chain":""}\n') - 32
    with pytest.raises(moot.TranscriptError, match="a line may hold 16,777,216"):
        log.event("told", {"text": "x" * LONGEST})
    assert not lines and not log.chain
    log.event("told", {"text": "x" * (room - 40)})
    (tmp_path / "t").write_bytes(b"y" * (LONGEST + 1))
    with pytest.raises(moot.TranscriptError, match="line 1 is longer than"):
        list(store.read_lines(tmp_path / "t"))


def test_a_sealed_file_has_the_lines_that_it_was_made_of(tmp_path: Path) -> None:
    lines = list(moot.run(DEBATE, QUESTION, everywhere(DEBATE, speak), out=tmp_path / "t.jsonl").lines())
    sealed = seal(tmp_path / "t.jsonl")
    assert list(store.read_lines(sealed)) == lines and moot.load(sealed).dropped == 0
