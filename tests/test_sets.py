"""What a run of many questions may cost: work is counted here, never time, and a second run is held to what the plays say."""

from __future__ import annotations

import gc
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import anyio.lowlevel
import pytest
from cli_calls import call
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.cli import batch
from moot.cli.plan import seed_of_play
from moot.protocols.engine.errors import UsageError
from moot.studies import kept
from moot.studies.tally import Row, Tally
from moot.tasks.extras import gathered
from moot.tasks.reading.reading import json_object, load_set
from moot.transcripts.seal import seal

AGENTS = """
import moot
def judge(request):
    return moot.Verdict(probabilities=(0.7, 0.3))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "set_agents.py").write_text(AGENTS)
    yield tmp_path
    sys.modules.pop("set_agents", None)


def written(count: int, truth: int = 0) -> None:
    asked = [{"id": f"q{n}", "question": f"Who {n}?", "choices": ["x", "y"], "truth": truth} for n in range(count)]
    Path("set.jsonl").write_text("".join(json.dumps(each) + "\n" for each in asked))


def ran(out: str = "out", *more: str) -> list[dict[str, Any]]:
    """The rows of a run, without what another run need not share."""
    done = call("run", "-P", "direct-qa", "--set", "set.jsonl", "-o", out, "--seat", "judge=python:set_agents:judge", "--json", *more)  # fmt: skip
    assert done.exit_code in (0, 1), (done.output, done.exception)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def work(doing: Callable[[], object]) -> int:
    """Calls of functions, and generators gone on with, that it takes."""
    counted = 0

    def told(frame: Any, event: str, of: Any) -> None:
        nonlocal counted
        counted += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(told)
    try:
        doing()
    finally:
        sys.setprofile(before)
    return counted


def samples(count: int, ids: bool) -> list[moot.Sample]:
    return [moot.Sample(moot.Question("Who?", ("x", "y"), id=f"q{n}" if ids else None)) for n in range(count)]


def named(given: list[moot.Sample]) -> list[batch.Job]:
    return list(batch.jobs_of([moot.DirectQA()], given, Path("out"), 0))


# -- before the first call -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ids", [True, False])
def test_the_names_of_a_set_take_work_in_proportion_to_it(ids: bool) -> None:
    named(samples(1, ids))  # what is done once is done
    few, many = (work(partial(named, samples(n, ids))) for n in (50, 400))
    assert many <= 8.5 * few


def test_a_play_is_made_when_it_is_its_turn(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(20)
    made, first = list[int](), list[int]()
    judge = __import__("set_agents").judge

    def seeded(seed: int, question: moot.Question) -> int:
        made.append(seed)
        return seed_of_play(seed, question)

    def judging(request: moot.Request) -> moot.Move:
        first.append(len(made))
        verdict: moot.Move = judge(request)
        return verdict

    monkeypatch.setattr(batch, "seed_of_play", seeded)
    monkeypatch.setattr("set_agents.judge", judging)
    ran("out", "-j", "2")
    assert first[0] <= 2 and len(made) == 20


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.sampled_from(["a", "A", "a-0cc175b9", ".swapped", "-", "ab/", "a b", "a-b"]), max_size=12), st.randoms()
)
def test_names_are_those_that_the_first_rule_gave(ids: list[str], random: Random) -> None:
    """Folders of earlier runs go on: no name has changed."""
    given = [moot.Sample(moot.Question("x", id=each)) for each in ids]
    assert [job.pair for job in batch.jobs_of([moot.DirectQA()], given, Path("o"), 0)] == _names(given)


def _names(given: list[moot.Sample]) -> list[str]:
    import re
    from hashlib import blake2b

    slugs = [re.sub(r"[^A-Za-z0-9_.-]+", "-", str(each.question.id or "")).strip("-.")[:80] for each in given]
    taken: list[str] = []
    for each, slug in zip(given, slugs, strict=True):
        key = str(each.question.id or each.question.text)
        name = slug
        if not slug or [s.lower() for s in slugs].count(slug.lower()) > 1 or slug.lower().endswith(".swapped"):
            name = f"{slug or 'question'}-{blake2b(key.encode(), digest_size=4).hexdigest()}"
        names = (name, *(f"{name}-{number}" for number in range(2, len(slugs) + 2)))
        taken.append(next(each for each in names if each.lower() not in {t.lower() for t in taken}))
    return taken


def collections(doing: Callable[[], object]) -> int:
    """Full garbage collections while it is done."""
    found: list[int] = []

    def told(phase: str, info: dict[str, int]) -> None:
        if phase == "start" and info["generation"] == 2:
            found.append(1)

    before = gc.get_threshold()
    gc.freeze()  # or what is there already puts off the first one
    gc.collect()
    gc.set_threshold(50, 2, 2)  # a hundredth of the usual, so that a small set shows what a large one does
    gc.callbacks.append(told)
    try:
        doing()
    finally:
        gc.callbacks.remove(told)
        gc.set_threshold(*before)
        gc.unfreeze()
    return len(found)


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="there the collector has no oldest generation of its own")
def test_what_is_read_is_not_looked_through_time_and_again(folder: Path) -> None:
    """The number of full collections does not grow with the set; the work of each would."""

    def study(count: int) -> None:
        asked = (moot.Sample(moot.Question(f"Who {n}?", ("x", "y"))) for n in range(count))
        moot.Study("s", asked, {"qa": moot.Arm(moot.DirectQA(), {"judge": moot.Question.unnamed})})

    def load(count: int) -> None:
        written(count)
        load_set("set.jsonl")

    for doing in (study, load):
        doing(1)  # what is done once is done
        assert collections(partial(doing, 500)) <= collections(partial(doing, 5)) + 1


def test_the_collector_is_left_as_it_was() -> None:
    before = gc.get_threshold()
    with gathered():
        with pytest.raises(KeyError), gathered():
            raise KeyError
        assert gc.isenabled() and gc.get_threshold()[2] > before[2], "the outer one still holds it back"
        assert gc.get_threshold()[:2] == before[:2]
    assert gc.get_threshold() == before
    one, other = gathered(), gathered()  # of two threads, whichever ends first
    one.__enter__(), other.__enter__(), one.__exit__(None, None, None)
    assert gc.get_threshold() != before
    other.__exit__(None, None, None)
    assert gc.get_threshold() == before


@settings(max_examples=60, deadline=None)
@given(
    st.text(st.sampled_from('{}[]":,\\ud8\ue000c01x ')) | st.recursive(
        st.none() | st.integers() | st.floats() | st.text(st.characters()), lambda each: st.lists(each) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), each)
    ).map(lambda value: json.dumps({"a": value}))
)  # fmt: skip
def test_a_line_is_json_or_is_not(line: str) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    try:
        value = json.loads(line, object_pairs_hook=once)
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
        assert isinstance(value, dict)
    except (ValueError, AssertionError):
        with pytest.raises(UsageError):
            json_object(line)
    else:
        assert json_object(line) == value


@pytest.mark.parametrize("levels", [101, 600, 900, 100_000])
def test_data_that_is_too_deep_is_told_in_a_line(folder: Path, levels: int) -> None:
    Path("set.jsonl").write_text('{"question": "x", "data": ' + "[" * levels + "]" * levels + "}\n")
    with pytest.raises(UsageError, match="set.jsonl, line 1"):
        load_set("set.jsonl")


# -- what is kept ----------------------------------------------------------------------------------------------------


def test_of_plays_that_have_ended_nothing_stays_in_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(24)
    seen: list[int] = []
    asked = count(1)

    def judge(request: moot.Request) -> moot.Verdict:
        if next(asked) in (3, 24):
            gc.collect()
            seen.append(sum(type(each).__name__ in ("Job", "Row", "Transcript", "Game") for each in gc.get_objects()))
        return moot.Verdict(probabilities=(0.7, 0.3))

    monkeypatch.setattr("set_agents.judge", judge)
    ran("out", "-j", "1")
    assert len(seen) == 2 and seen[0] == seen[1]


_rows = st.lists(
    st.builds(
        Row, pair=st.sampled_from("abcd"), path=st.text("xyz/", max_size=3), outcome=st.sampled_from(["decided", "errored"]),
        how=st.sampled_from(["", "kept", "played again"]), probabilities=st.none(), correct=st.none() | st.booleans(),
        scored=st.booleans(), reward=st.none() | st.floats(allow_nan=False), problem=st.none() | st.text(max_size=2),
        why=st.none() | st.sampled_from("xy"),
    ),
    max_size=12,
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(_rows, st.randoms())
def test_the_order_in_which_plays_end_changes_nothing(rows: list[Row], random: Random) -> None:
    found = []
    for _ in range(2):
        tally = Tally(both=True)
        for row in rows:
            tally.add(row)
        for name in "ab":  # both seatings of two questions
            for place, p in random.sample([("", 0.3), (".swapped", 0.1 if name == "a" else 0.9)], 2):
                tally.add(Row(name, f"o/{name}{place}.jsonl", "decided", "kept", (p, 1 - p)))
        found.append((json.dumps(tally.totals()), tally.text(Path("o"))))
        random.shuffle(rows)
    told = tally.totals()
    assert told["first_seat"] == pytest.approx(-0.1), "seat a is the first in one seating, the last in the other"
    assert found[0] == found[1] and told["pairs"] == 2 and told["plays"] == len(rows) + 4
    assert len(tally.problems) <= 20 and tally.problems == sorted(tally.problems)


# -- a second run ----------------------------------------------------------------------------------------------------


def test_a_second_run_opens_no_transcript(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(12)
    monkeypatch.setattr("moot.transcripts.transcript.read_lines", lambda path, _: pytest.fail(f"{path} was read"))
    first = ran()  # nor does the first, of what it has just written
    monkeypatch.setattr(batch, "ended_at", lambda path: pytest.fail(f"{path} was read"))
    again = ran()
    assert again[-1].pop("how") == {"kept": 12} and first[-1].pop("how") == {"played": 12}
    assert again == [{**row, "how": "kept"} if "how" in row else row for row in first]


Q = Path("out/q1.jsonl")


def _edit_in_place() -> None:
    """The same length, the same times as far as anybody can set them, the same inode."""
    at = os.stat(Q)
    content = Q.read_bytes()
    with open(Q, "r+b") as file:
        file.write(content.replace(b"0.7", b"0.9"))
    os.utime(Q, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert os.stat(Q).st_size == at.st_size and os.stat(Q).st_mtime_ns == at.st_mtime_ns


def _exchange() -> None:
    Q.rename("other")
    Path("out/q2.jsonl").rename(Q)
    Path("other").rename("out/q2.jsonl")


def _alter_truth() -> None:
    truth = Path("out/q1.truth.json")
    truth.write_bytes(truth.read_bytes().replace(b'"truth":0', b'"truth":1'))


def _folder_for(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _forge(**facts: Any) -> None:
    with closing(sqlite3.connect(Path("out") / kept.NAME)) as base:
        told = json.dumps({"outcome": "decided", **facts}).encode()
        base.execute("UPDATE plays SET facts = ? WHERE name = 'q1.jsonl'", (told,))
        base.commit()


HOSTILE: dict[str, Callable[[], object]] = {
    "a file is edited, and its time set back": _edit_in_place,
    "two files are exchanged": _exchange,
    "a truth is altered": _alter_truth,
    "a truth is withheld": lambda: Path("out/q1.truth.json").unlink(),
    "a truth is a folder": lambda: _folder_for(Path("out/q1.truth.json")),
    "a file is cut": lambda: os.truncate(Q, os.stat(Q).st_size - 30),
    "a file is gone": Q.unlink,
    "a file is sealed": lambda: seal(Q),
    "the set says another truth": lambda: written(3, truth=1),
    "the set says no truth": lambda: Path("set.jsonl").write_text(Path("set.jsonl").read_text().replace(', "truth": 0', "")),
    "a question is another": lambda: Path("set.jsonl").write_text(Path("set.jsonl").read_text().replace("Who 1", "Whom 1")),
    "an agent is another": lambda: Path("set_agents.py").write_text(AGENTS.replace("return moot", "return  moot.Verdict(probabilities=(0.7, 0.3)) or moot")),
    "the index is noise": lambda: (Path("out") / kept.NAME).write_bytes(Random(1).randbytes(9000)),
    "the index is cut": lambda: os.truncate(Path("out") / kept.NAME, 5000),
    "the index is a folder": lambda: _folder_for(Path("out") / kept.NAME),
    "facts are none": lambda: _forge(outcome=None),
    "facts are of another form": lambda: _forge(probabilities="many", secret=1),
    "facts have a belief that is none": lambda: _forge(probabilities=[0.5], continues=-1),
}  # fmt: skip


@pytest.mark.parametrize("what", HOSTILE)
def test_a_second_run_says_what_the_plays_say(folder: Path, what: str) -> None:
    """Whatever was done to the folder: with its index it says the same as a copy of it that has none."""
    written(3)
    ran()
    HOSTILE[what]()
    sys.modules.pop("set_agents", None)
    shutil.copytree("out", "copy", ignore=lambda at, names: {name for name in names if name.startswith(kept.NAME)})
    mine = ran()
    expected = json.loads(json.dumps(ran("copy")).replace("copy/", "out/"))
    assert [_plain(row) for row in mine] == [_plain(row) for row in expected]
    assert not list(Path("out").glob("*.lock"))


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "problem": str(row.get("problem")).replace("copy", "out")}


def test_a_play_that_others_put_there_meanwhile_is_not_taken_for_the_one_that_was_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(2)
    Path("set.jsonl").write_text(
        Path("set.jsonl").read_text().replace(', "truth": 0', "")
    )  # a truth would tell them apart
    ran()
    (Path("out") / kept.NAME).unlink()
    real = batch.state

    def state(path: Path, *args: Any) -> Any:
        found = real(path, *args)
        if path.name == "q0.jsonl":
            shutil.copyfile("out/q1.jsonl", "another")
            os.replace("another", path)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(batch, "state", state)
        ran()
    assert ran()[-1]["why"] == {"another question": 1}


PAID = """
class Paid(moot.DirectQA):
    name = "paid"
    scoring: moot.ScoringRule = moot.ScoringRule(penalty=0.5)
    async def play(self, floor, question):
        for _ in range(3):
            found = await floor.ask("judge", moot.Verdict)
        return moot.Decided(verdict=found)
"""


def test_a_second_run_pays_the_price_of_going_on(folder: Path) -> None:
    written(2)
    Path("set_agents.py").write_text(AGENTS + PAID)
    first, again = (ran("out", "-P", "set_agents:Paid") for _ in range(2))
    assert again[-1]["how"] == {"kept": 2} and first[-1]["mean_reward"] == again[-1]["mean_reward"] < -1


def test_a_second_run_with_another_seed_is_another_set(folder: Path) -> None:
    written(3)
    ran()
    assert ran("out", "--seed", "3")[-1]["how"] == {"played again": 3}
    assert ran("out", "--seed", "3")[-1]["how"] == {"kept": 3}


def test_what_is_not_known_is_never_taken_for_known(folder: Path) -> None:
    """Plays of agents without an identity, and those that did not end for good, are in no index; nor is any truth."""
    written(3)
    sys.modules.pop("set_agents", None)
    Path("set_agents.py").write_text(
        AGENTS + "class Nobody:\n    def identity(self): return None\n    def act(self, r): return judge(r)\n"
        "def failing(r): raise OSError\nnobody = Nobody()\n"
    )
    call("run", "-P", "direct-qa", "--set", "set.jsonl", "-o", "nobody", "--seat", "judge=python:set_agents:nobody")
    call("run", "-P", "direct-qa", "--set", "set.jsonl", "-o", "failing", "--seat", "judge=python:set_agents:failing")
    assert not (Path("nobody") / kept.NAME).exists() and not (Path("failing") / kept.NAME).exists()
    ran()
    with closing(sqlite3.connect(Path("out") / kept.NAME)) as base:
        told = [json.loads(row[0]) for row in base.execute("SELECT facts FROM plays")]
    assert len(told) == 3 and all(each.keys() == {"outcome", "probabilities", "sha256"} for each in told)


def test_somebody_who_holds_the_index_holds_up_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_PATIENCE", 0.01)
    written(3)
    ran()
    with closing(sqlite3.connect(Path("out") / kept.NAME)) as base:
        base.execute("BEGIN EXCLUSIVE")
        assert ran()[-1]["how"] == {"kept": 3}
        assert ran("out", "--seed", "3")[-1]["how"] == {"played again": 3}
    assert ran("out", "--seed", "3")[-1]["how"] == {"kept": 3}


def test_an_index_that_somebody_holds_is_waited_for_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "_PATIENCE", 0.01)
    known = kept.Kept(folder)
    Path("play").write_bytes(b"x")
    with closing(sqlite3.connect(folder / kept.NAME)) as base:
        base.execute("BEGIN EXCLUSIVE")
        assert known.find("play", b"m") is None and known._base is None
    known.put("play", kept.file_mark("play"), b"m", kept.Facts(outcome="forfeited"))
    known.flush()
    assert known.find("play", b"m") == kept.Facts(outcome="forfeited")
    assert known.find("another", b"m") is None  # which is played now
    _change_index(folder)
    monkeypatch.setattr(kept, "_BATCH", 2)
    for name in "abc":
        known.put(name, b"", b"m", kept.Facts(outcome="forfeited"))
    assert len(known._waiting) == 1, "few are held back"
    known.close()


def _change_index(folder: Path) -> None:
    with closing(sqlite3.connect(folder / kept.NAME, timeout=0)) as base:
        base.execute("DELETE FROM plays")
        base.commit()


def test_nobody_is_kept_from_the_index_by_plays_that_are_still_under_way(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(3)
    Path("slow.py").write_text("async def thinks(): pass\n")  # what is in another module is no part of who the judge is
    Path("set_agents.py").write_text(
        "import slow\n" + AGENTS.replace("def judge(request):", "async def judge(request):\n    await slow.thinks()")
    )
    ran()
    Path("out/q0.jsonl").unlink()
    done = list[int]()

    async def thinks() -> None:
        for _ in range(50):  # while the other worker finds all that has ended
            await anyio.lowlevel.checkpoint()
        _change_index(Path("out"))
        done.append(1)

    monkeypatch.setattr("slow.thinks", thinks)
    assert ran("out", "-j", "2")[-1]["how"] == {"kept": 2, "played": 1} and done


@pytest.mark.parametrize("table", ["other (x)", "plays (name, x)", "plays (name, file, mark, facts, more)"])
def test_an_index_of_another_form_is_made_anew(folder: Path, table: str) -> None:
    with closing(sqlite3.connect(folder / kept.NAME)) as base:
        base.execute(f"CREATE TABLE {table}")
        base.execute(f"PRAGMA user_version={kept.VERSION}")
    Path("play").write_bytes(b"x")
    with closing(kept.Kept(folder)) as known:
        known.put("play", kept.file_mark("play"), b"m", kept.Facts(outcome="forfeited"))
        known.flush()
        assert known.find("play", b"m") == kept.Facts(outcome="forfeited")


# -- open files ------------------------------------------------------------------------------------------------------

CHILD = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (110, 110))
sys.path.insert(0, ".")
from moot.cli import main
main(["run", "-P", "lm_agents:Wide", "--set", "set.jsonl", "-o", "out", "-j", "30", "--seat", "judge=python:lm_agents:lm"])
"""
WIDE = """
import moot
class Wide(moot.Protocol):
    name = "wide"
    def roles(self, question):
        return {"judge": "judge"}
    async def play(self, floor, question):
        found = await floor.parallel(*(floor.ask("judge", moot.Verdict) for _ in range(8)))
        return moot.Decided(verdict=found[0])
"""


def test_more_plays_at_a_time_than_files_and_connections_may_be_open(folder: Path) -> None:
    """Each play holds its file, and would have eight connections; the server is another process, which has a limit of its own."""
    pytest.importorskip("resource")
    from moot.testing.server.process import mock_process

    written(30)
    with mock_process(latency_ms=30) as url:
        lm = f"lm = moot.LM('mock', base_url={url!r}, api_key='none')\n"
        Path("lm_agents.py").write_text(WIDE + lm)
        done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "30 decided" in done.stdout, (done.stdout, done.stderr)
    assert "plays at a time and not 30: no more files can be open here" in done.stderr


def test_connections_leave_room_for_transcripts(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    from moot.agents.models.http.clients import CONNECTIONS, connections
    from moot.transcripts.store import room_for

    now = [128, 1002]
    monkeypatch.setattr(resource, "getrlimit", lambda which: tuple(now))
    monkeypatch.setattr(resource, "setrlimit", lambda which, both: now.__setitem__(slice(2), both))
    assert connections() == 625 and now == [1002, 1002], "raised as far as it goes"
    assert connections() + room_for(400) + 64 <= 1002
    now[:] = [60, 60]
    assert connections() == 2
    now[:] = [resource.RLIM_INFINITY] * 2
    assert connections() == CONNECTIONS and now == [resource.RLIM_INFINITY] * 2
    now[:] = [128, resource.RLIM_INFINITY]
    assert connections() == CONNECTIONS and now[0] >= CONNECTIONS * 3 // 2
