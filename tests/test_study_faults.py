"""Studies against what befalls a folder: full and read-only disks, foreign files, a locked or broken index, changed questions."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from benchmarks.studies.cells import filled
from test_study import DEBATE, QA, Judge, Speaker, samples, study

import moot
from moot.protocols.engine.errors import UsageError
from moot.studies.design import Cell
from moot.studies.folder import rows_in
from moot.studies.index import Index
from moot.studies.study import Study


def plain(count: int = 3, judge: Any = None, **more: Any) -> Study:
    return Study("plain", samples(count), {"qa": moot.Arm(QA, {"judge": judge or Judge()})}, **more)


def cells_of(of: Study) -> list[Cell]:
    return list(of.design.cells())


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of the cells, by its place."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("cells/**/*") if path.is_file()}


# -- the index -----------------------------------------------------------------------------------------------------


@contextmanager
def held(path: Path, how: str) -> Iterator[None]:
    """The index while another user of sqlite reads it, or writes to it."""
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE" if how == "written" else "BEGIN")
        other.execute("SELECT count(*) FROM cells").fetchone()
        yield
    finally:
        other.close()


@pytest.mark.parametrize("how", ["read", "written"])
def test_an_index_that_somebody_else_holds_costs_no_play(
    tmp_path: Path, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.studies.index.PATIENCE", 0.02)
    plain(2).run(tmp_path)
    judge = Judge()
    with held(tmp_path / "index.sqlite", how), pytest.warns(RuntimeWarning, match=r"index\.sqlite.*locked.*are kept"):
        done = plain(4, judge).run(tmp_path)
        assert done.complete and len(judge.asked) == 2
        assert Counter(row["outcome"] for row in rows_in(tmp_path)) == {"decided": 4}
    again = Judge()
    assert plain(4, again).run(tmp_path).how == {"kept": 4} and again.asked == []
    assert len(Index(tmp_path, owner=False).known()) == 4


def test_an_index_that_cannot_grow_costs_no_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    connected = Index._connected

    def small(index: Index) -> Any:
        base = connected(index)
        if base is not None and index.owner:
            base.execute("PRAGMA max_page_count=3")  # "database or disk is full"
        return base

    with monkeypatch.context() as patched:
        patched.setattr(Index, "_connected", small)
        with pytest.warns(RuntimeWarning, match="full.*are kept"):
            assert plain(30).run(tmp_path).complete
    rows = list(rows_in(tmp_path))
    assert [row["outcome"] for row in rows] == ["decided"] * 30
    assert plain(30).run(tmp_path).how == {"kept": 30} and list(rows_in(tmp_path)) == rows


def test_rows_of_an_index_that_are_no_facts_are_read_anew(tmp_path: Path) -> None:
    plain(3).run(tmp_path)
    rows = list(rows_in(tmp_path))
    base = sqlite3.connect(tmp_path / "index.sqlite")
    base.execute("UPDATE cells SET facts = 'no JSON' WHERE cell = (SELECT min(cell) FROM cells)")
    base.execute("UPDATE cells SET facts = '[1]' WHERE cell = (SELECT max(cell) FROM cells)")
    base.commit()
    base.close()
    assert list(rows_in(tmp_path)) == rows


def test_tables_of_an_index_that_are_gone_are_made_again(tmp_path: Path) -> None:
    plain(3).run(tmp_path)
    rows = list(rows_in(tmp_path))
    for wrong in ("DROP TABLE cells", "ALTER TABLE cells RENAME COLUMN outcome TO result"):
        base = sqlite3.connect(tmp_path / "index.sqlite")
        base.execute(wrong)
        base.commit()
        base.close()
        assert list(rows_in(tmp_path)) == rows
        assert plain(3).run(tmp_path).how == {"kept": 3} and list(rows_in(tmp_path)) == rows


# -- files of the cells --------------------------------------------------------------------------------------------

GARBAGE = {
    "binary": b"\x00\xff" * 400,
    "a text": b"Dear diary,\nnothing happened.\n",
    "a text without an end": b"Dear diary",
    "JSON": b'{"event":"noted"}\n{"event":"moved"}\n',
    "a list": b"[1, 2]\n",
    "another format": b'{"event":"started","format":999}\n',
}


@pytest.mark.parametrize("what", [*GARBAGE, "a folder", "a broken link"])
def test_what_is_no_transcript_is_told_and_left_alone(tmp_path: Path, what: str) -> None:
    trial = plain(3)
    first = tmp_path / cells_of(trial)[0].path
    first.parent.mkdir(parents=True)
    if what == "a folder":
        first.mkdir()
        (first / "inside").write_text("mine")
    elif what == "a broken link":
        first.symlink_to(tmp_path / "nowhere")
    else:
        first.write_bytes(GARBAGE[what])
    # the study's own file, as after a first run
    (tmp_path / "study.json").write_text(trial.design.text(), encoding="utf-8")
    before = contents(tmp_path)
    for _ in range(2):
        done = trial.run(tmp_path)
        assert done.outcomes["decided"] == 2 and done.outcomes.total() == 3 and not done.complete
        assert first.name in done.problems[0]
        rows = [row["outcome"] for row in rows_in(tmp_path)]
        assert rows[1:] == ["decided"] * 2 and rows[0] in ("errored", "not played")
    assert before.items() <= contents(tmp_path).items()
    first.rename(tmp_path / "elsewhere") if what != "a broken link" else first.unlink()
    assert trial.run(tmp_path).complete


def test_a_first_event_that_was_cut_is_played_anew(tmp_path: Path) -> None:
    trial = plain(1)
    trial.run(tmp_path)
    path = tmp_path / cells_of(trial)[0].path
    whole = path.read_bytes()
    for cut in (0, 1, 12, 60):
        path.write_bytes(whole[:cut])
        assert plain(1).run(tmp_path).how == {"played": 1}
        assert moot.load(path).digest == moot.load(path).digest and path.stat().st_size > 60


@pytest.mark.parametrize("kind", ["question", "seed", "protocol"])
def test_the_transcript_of_another_play_is_not_taken_for_a_cell(tmp_path: Path, kind: str) -> None:
    trial = plain(2, epochs=2)
    cells = cells_of(trial)
    wrong, path = cells[2 if kind == "question" else 1], tmp_path / cells[0].path
    other = study(2, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"})
    trial.run(tmp_path)
    if kind == "protocol":
        moot.run(DEBATE, samples(2)[0], next(iter(other.seated)).agents, seed=cells[0].seed, out=tmp_path / "x.jsonl")
        source = tmp_path / "x.jsonl"
    else:
        source = tmp_path / wrong.path
    for name in (".jsonl", ".truth.json"):
        if source.with_suffix(name).exists():
            shutil.copy(source.with_suffix(name), path.with_suffix(name))
    (tmp_path / "index.sqlite").unlink()
    before = contents(tmp_path)
    judge = Judge()
    done = plain(2, judge, epochs=2).run(tmp_path)
    assert judge.asked == [] and not done.complete and done.outcomes["decided"] == 3
    assert path.name in done.problems[0] and "another play" in done.problems[0]
    assert contents(tmp_path) == before
    row = next(iter(rows_in(tmp_path)))
    assert row["outcome"] == "errored" and row["belief"] is None and "another play" in row["cause"]


def test_sealed_cells_are_kept_and_judged_again(tmp_path: Path) -> None:
    zstd = pytest.importorskip("zstandard")
    trial = plain(3).rejudge(Judge(0.2), name="again")
    plain(3).run(tmp_path)
    rows = list(rows_in(tmp_path))
    for row in rows[:2]:
        path = tmp_path / row["path"]
        path.with_name(f"{path.name}.zst").write_bytes(zstd.ZstdCompressor().compress(path.read_bytes()))
        path.unlink()
    judge = Judge()
    assert plain(3, judge).run(tmp_path).how == {"kept": 3} and judge.asked == []
    assert trial.run(tmp_path).how == {"kept": 3, "played": 3}
    again = list(rows_in(tmp_path, plain(3).design))
    assert all((tmp_path / row["path"]).exists() for row in again)
    assert [row | {"path": None} for row in again] == [row | {"path": None} for row in rows]


def test_a_sealed_play_that_is_not_over_is_left_alone(tmp_path: Path) -> None:
    zstd = pytest.importorskip("zstandard")
    plain(1).run(tmp_path)
    path = tmp_path / cells_of(plain(1))[0].path
    sealed = path.with_name(f"{path.name}.zst")
    lines = path.read_bytes().splitlines(keepends=True)
    sealed.write_bytes(zstd.ZstdCompressor().compress(lines[0]))
    path.unlink()
    before = sealed.read_bytes()
    done = plain(1).run(tmp_path)
    assert not done.complete and done.problems and sealed.read_bytes() == before and not path.exists()


# -- disks ---------------------------------------------------------------------------------------------------------


def test_a_disk_that_is_full_stops_the_run_and_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trial, write, full = plain(60), os.write, [False]

    def writes(file: int, data: Any) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(file, data)

    judge: Judge = trial.seated[0].agents["judge"]
    act = judge.act

    def filling(request: moot.Request) -> moot.Move:
        full[0] = len(judge.asked) >= 20
        return act(request)

    monkeypatch.setattr("os.write", writes)
    monkeypatch.setattr(judge, "act", filling)
    done = trial.run(tmp_path, limit=4)
    full[0] = False
    assert done.stopped is not None and "No space left" in done.stopped
    kept = {path: path.read_bytes() for path in tmp_path.glob("cells/*/*.jsonl")}
    after = Judge()
    assert plain(60, after).run(tmp_path).complete
    assert all(path.read_bytes().startswith(data.rpartition(b"\n")[0]) for path, data in kept.items())
    assert len(after.asked) <= 40 + 4  # those in flight when it was full


def test_a_full_disk_takes_no_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain(1).run(tmp_path)
    before = (tmp_path / "study.json").read_bytes()

    def fails(file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("moot.studies.folder.os.fsync", fails)
    with pytest.raises(UsageError, match=r"cannot write .*study.*json: No space left"):
        plain(2).run(tmp_path)
    assert (tmp_path / "study.json").read_bytes() == before and not list(tmp_path.glob(".*.new"))


def test_a_read_only_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = os.open

    def refuses(path: Any, flags: int, *more: Any, **options: Any) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and str(path).startswith(str(tmp_path)):
            raise OSError(errno.EROFS, "Read-only file system")
        return opened(path, flags, *more, **options)

    plain(2).run(tmp_path)
    rows = list(rows_in(tmp_path))
    monkeypatch.setattr("os.open", refuses)
    with pytest.raises(UsageError, match="cannot write to .*Read-only"):
        plain(2).run(tmp_path)
    assert list(rows_in(tmp_path)) == rows


def test_what_cannot_be_set_aside_stops_no_other_cell(tmp_path: Path) -> None:
    trial = study(2, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}).rejudge("strong")
    trial.run(tmp_path)
    first = tmp_path / cells_of(trial)[0].path
    first.write_bytes(first.read_bytes().splitlines(keepends=True)[0])
    (tmp_path / "replaced").write_text("a file, where a folder is wanted")
    loud = study(2, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}).rejudge("strong")
    loud.agents["ann"].name = "Ann"
    done = loud.run(tmp_path)
    assert done.how == {"resumed": 1, "kept": 2, "not played": 1} and "replaced" in done.problems[0]


# -- questions, agents, names --------------------------------------------------------------------------------------


@pytest.mark.parametrize("flips", ["one", "both"])
def test_a_truth_that_changed_under_a_study_is_refused_before_anybody_is_asked(tmp_path: Path, flips: Any) -> None:
    judge = Judge()
    plain(3, flips=flips).rejudge(Judge(0.4), flip=True).run(tmp_path)
    before = contents(tmp_path)
    given = [*samples(2), moot.Sample(samples(3)[2].question, 1), samples(4)[3]]
    changed = Study("plain", given, {"qa": moot.Arm(QA, {"judge": judge})}, flips=flips)
    with pytest.raises(UsageError, match=r"question 'q2'.*another (true )?answer"):
        changed.run(tmp_path)
    assert judge.asked == [] and contents(tmp_path) == before
    assert plain(4, judge, flips=flips).run(tmp_path).complete


def test_a_right_answer_that_changed_under_a_study_is_refused(tmp_path: Path) -> None:
    asked: list[str] = []

    class Fresh:
        identity = "fresh"

        def act(self, request: moot.Request) -> moot.Move:
            asked.append(request.step)
            if moot.Verdict in request.kinds:
                return moot.Verdict(probabilities=(0.9, 0.1))
            return moot.Proposal(answer="42") if moot.Proposal in request.kinds else moot.Speech(text="so it is")

    def sums(right: str) -> Study:
        given = [moot.Sample(moot.Question("6 times 7?", id="sum"), answer=right, grade="exact")]
        seats = dict.fromkeys(("proposer", "critic", "judge"), Fresh())
        return Study("sums", given, {"d": moot.Arm(moot.ProposerCritic(), seats)}, flips="both")

    assert sums("42").run(tmp_path).complete
    assert [(row["correct"], row["answer"]) for row in rows_in(tmp_path)] == [(True, 0), (False, 1)]
    calls = len(asked)
    assert sums("42").run(tmp_path).how == {"kept": 2}
    with pytest.raises(UsageError, match="question 'sum' has another true answer"):
        sums("41").run(tmp_path)
    assert len(asked) == calls


class Learning:
    """An agent whose answers change what it is: it keeps what it was asked among its attributes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def act(self, request: moot.Request) -> moot.Move:
        self.texts.append(request.view.question.text)
        if len(self.texts) in (3, 4):
            raise OSError("gone half-way")
        return moot.Verdict(probabilities=(1, 0))


def test_an_agent_is_known_by_what_it_was_before_its_first_answer(tmp_path: Path) -> None:
    agent = Learning()
    trial = Study("states", samples(6), {"qa": moot.Arm(QA, {"judge": agent}), "two": moot.Arm(DEBATE, {"judge": agent, "debater": Speaker("s")})})  # fmt: skip
    done = trial.run(tmp_path, limit=1)
    assert done.outcomes == {"decided": 10, "errored": 2}
    assert trial.run(tmp_path).how == {"kept": 10, "resumed": 2}
    assert all(row["outcome"] == "decided" for row in trial.rows(tmp_path))
    fresh = Study("states", samples(6), trial.arms | {"qa": moot.Arm(QA, {"judge": Learning()}), "two": moot.Arm(DEBATE, {"judge": Learning(), "debater": Speaker("s")})})  # fmt: skip
    assert fresh.run(tmp_path).how == {"kept": 12}
    starts = [moot.load(tmp_path / row["path"]).started for row in trial.rows(tmp_path)]
    assert len({str(each["meta"].get("identities", each["meta"].get("identity"))) for each in starts}) == 2


def test_names_of_every_script(tmp_path: Path) -> None:
    names = ("débat · 討論", "../../etc/passwd", "a\nb", "CON", "‮evil", "🧑🏽‍⚖️")
    folder = tmp_path / "étude 研究"
    trial = Study(names[0], [moot.Question(f"{name}?", ("да", "нет"), id=name) for name in names],
                  {name: moot.Arm(QA, {"judge": Judge(number / 10)}) for number, name in enumerate(names, 1)})  # fmt: skip
    assert trial.run(folder).complete
    assert [row["question"] for row in rows_in(folder)][::6] == [*names] and len(list(rows_in(folder))) == 36
    assert {path.name for path in tmp_path.iterdir()} == {folder.name}


@pytest.mark.parametrize("place", ["name", "arm", "question"])
def test_a_name_that_no_file_can_hold_is_refused(place: str) -> None:
    half = "half \ud800"
    with pytest.raises((UsageError, moot.MootError) if place == "question" else UsageError, match="half|surrogate"):
        Study(half if place == "name" else "s", [moot.Question(half if place == "question" else "Who?", ("a", "b"))],
              {half if place == "arm" else "x": moot.Arm(QA, {"judge": Judge()})})  # fmt: skip


# -- so many -------------------------------------------------------------------------------------------------------


def counted(work: Callable[[], Any]) -> Counter[str]:
    """Statements, opened files and looked-at files of something."""
    found: Counter[str] = Counter()
    calls: dict[str, Any] = {"builtins.open": open, "os.open": os.open, "os.stat": os.stat}

    def counting(name: str) -> Any:
        def call(what: Any, *args: Any, **more: Any) -> Any:
            found[f"{name} {'of a cell' if str(what).endswith('.jsonl') else 'of another'}"] += 1
            return calls[name](what, *args, **more)

        return call

    connect = sqlite3.connect

    def connects(*args: Any, **more: Any) -> Any:
        base = connect(*args, **more)
        base.set_trace_callback(lambda statement: found.update([f"sql {statement.split()[0]}"]))
        return base

    with pytest.MonkeyPatch.context() as patched:
        for name in calls:
            patched.setattr(name, counting(name))
        patched.setattr("sqlite3.connect", connects)
        work()
    return found


def test_statements_and_opened_files_do_not_grow_with_the_cells(tmp_path: Path) -> None:
    found: dict[int, list[Counter[str]]] = {}
    for count in (200, 2000):
        folder, trial, judge = tmp_path / str(count), plain(count), Judge()
        folder.mkdir()
        filled(folder, trial)
        restart = counted(partial(plain(count, judge).run, folder))
        assert judge.asked == []
        found[count] = [restart, counted(partial(list, rows_in(folder)))]
        assert Counter(row["outcome"] for row in rows_in(folder)) == {"decided": count}
        for each in found[count]:
            assert not any(number for name, number in each.items() if "of a cell" in name), each
            assert each.pop("sql SELECT") <= 2
            assert each.pop("os.stat of another") < 256 + 20  # the shelves, by the first two letters of a key
    assert found[200] == found[2000]
