"""A study of 10⁵ cells that have all ended: what a restart, its status and its results take, against the bare listing of its
files; and whether a question costs as much among 10⁵ as among 10³. The cells are files without content that the index knows."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import moot
from benchmarks.timing import Row, best
from moot.studies.folder import read_design, rows_in
from moot.studies.index import Index
from moot.studies.results.results import Results
from moot.studies.results.summary import summary
from moot.studies.rows import truth_mark
from moot.studies.study import Study

CELLS = 100_000


def judge(request: moot.Request) -> moot.Move:
    return moot.Verdict(probabilities=(0.7, 0.3))


def study(count: int) -> Study:
    questions = (
        moot.Sample(moot.Question(f"Who is {number}?", ("yes", "no"), id=f"q{number}"), number % 2)
        for number in range(count)
    )
    return Study("many", questions, {"qa": moot.Arm(moot.DirectQA(), {"judge": judge})})


def filled(folder: Path, trial: Study) -> None:
    """A folder in which every cell of a study with one arm of `direct-qa` has ended: files of one size, and the index that tells
    of them what a play of the first one was."""
    first = next(iter(trial.design.cells()))
    moot.run(moot.DirectQA(), trial.samples[0], trial.seated[0].agents, seed=first.seed, out=folder / "first.jsonl")
    place = folder / first.path
    place.parent.mkdir(parents=True)
    (folder / "first.jsonl").rename(place)
    (folder / "first.truth.json").rename(place.with_name(f"{first.key}.truth.json"))
    (folder / "study.json").write_text(trial.design.text(), encoding="utf-8")
    index = Index(folder, owner=True)
    [(key, known)] = index.refreshed().items()
    facts = index.read(key)
    assert index._base is not None
    for cell in trial.design.cells():
        path = folder / cell.path
        path.parent.mkdir(exist_ok=True)
        if cell != first:
            file = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.truncate(file, known.size)
            os.close(file)
        truth = trial.samples[cell.question].unseal()
        own: dict[str, Any] = {
            "mark": truth_mark(trial.samples[cell.question]), "asked": trial.design.questions[cell.question].fingerprint,
            "played": f"{cell.seed} direct-qa",
        }  # fmt: skip
        told = (
            cell.key,
            *known._replace(**own),
            json.dumps({**facts, **own, "truth": truth, "correct": truth == facts["answer"]}),
        )
        index._base.execute(f"INSERT OR REPLACE INTO cells VALUES ({','.join('?' * len(told))})", told)
    index._base.commit()
    index.close()


def rows() -> Iterator[Row]:
    """CPU seconds, the best of three turns of each."""
    few, many = best(lambda: study(CELLS // 100), lambda: study(CELLS), repeats=3)
    with tempfile.TemporaryDirectory() as name:
        folder, trial = Path(name), study(CELLS)
        filled(folder, trial)

        def listed() -> None:
            assert len(Index(folder, owner=False).files()) == CELLS

        def restarted() -> None:
            assert trial.run(folder).how == {"kept": CELLS}

        def status() -> None:
            assert sum(row["outcome"] == "decided" for row in rows_in(folder, read_design(folder))) == CELLS

        def results() -> None:
            assert summary(Results(rows_in(folder)), by="arm")

        listing, again, told = best(listed, restarted, status, repeats=3)
        [found] = best(results, repeats=1)
    micro = f"µs a cell; listing takes {listing / CELLS * 1e6:.1f}"
    yield Row(
        "restart of 10⁵ finished cells, against listing the files",
        again / listing,
        15,
        "x",
        f"{again / CELLS * 1e6:.0f} {micro}",
    )
    yield Row(
        "status of 10⁵ cells, against listing the files", told / listing, 12, "x", f"{told / CELLS * 1e6:.0f} {micro}"
    )
    yield Row("results of 10⁵ cells, against their status", found / told, 5, "x", f"{found:.1f} s with intervals")
    yield Row(
        "set-up of a study per question, 10⁵ against 10³",
        many / few / 100,
        1.2,
        "x",
        f"{many / CELLS * 1e6:.0f} µs a question",
    )
    yield Row(
        "a second run over a finished study, per play",
        (again + many) / CELLS * 1000,
        0.1,
        "ms",
        f"of these {many / CELLS * 1e6:.0f} µs to set it up",
    )
