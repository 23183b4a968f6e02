"""The figures of the human debates, from records made for the tests."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import cli_calls
import nyu_records
import pytest

from moot.experiments.reproductions import human_debates
from moot.experiments.reproductions.human_debates import PLAYS, PUBLISHED, SETTINGS, reproduce
from moot.experiments.statistics.intervals import Bootstrap
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.transcripts.formats.nyu import NyuDebates

BY = Bootstrap(resamples=50)
Json = dict[str, Any]


def ended(p: float, name: str) -> Json:
    """A debate whose judge went on twice and ended at p for the true answer, about a question of its own."""
    made = nyu_records.finished_debate()
    made["setup"]["question"] = f"What of {name}?"
    made["rounds"][-2]["JudgeFeedback"]["distribution"] = [p, 1 - p]
    return made


def corpus(folder: Path) -> Path:
    """Two human debates at 0.9 and 0.3, an AI consultancy at 0.2, one that is not in the paper, one still going on."""
    (folder / "debates").mkdir(parents=True)
    records = {
        "one": (ended(0.9, "one"), True, True, True),
        "two": (ended(0.3, "two"), True, True, True),
        "three": (nyu_records.consultancy("A"), False, False, True),
        "four": (ended(0.6, "four"), True, True, False),
        "five": (nyu_records.GOOD["in progress"], True, True, True),
    }
    lines = []
    for name, (record, human, is_debate, inside) in records.items():
        (folder / "debates" / f"{name}.json").write_text(json.dumps(record))
        setting = {"isHuman": human, "isDebate": is_debate}
        lines.append(json.dumps({"setting": setting, "name": name, "includedInPaper": inside}))
    (folder / "debates-metadata.jsonl").write_text("\n".join(lines))
    return folder


def rows(report: Report) -> dict[str, Row]:
    return {row.name: row for row in report.rows}


def test_figures_of_a_part_of_the_corpus(tmp_path: Path) -> None:
    before = corpus(tmp_path / "part")
    kept = sorted(path.name for path in before.rglob("*"))
    report = reproduce(before, BY)
    found = rows(report)
    assert sorted(path.name for path in before.rglob("*")) == kept, "nothing is written"
    expected = {
        "accuracy": 0.5,
        "mean (1 - p)^2": (0.01 + 0.49) / 2,
        "mean p of the truth": 0.6,
        "mean reward": (math.log2(0.9) + math.log2(0.3)) / 2 - 0.1,
        "mean continues": 2,
        "calibration error": (0.1 + 0.7) / 2,
    }
    for figure, value in expected.items():
        row = found[f"human debate: {figure}"]
        assert row.measured == pytest.approx(value), figure
        assert (row.count, row.undecided, row.holds) == (2, 1, None)
        assert row.published == PUBLISHED[figure][True, True]
    assert found["AI consultancy: accuracy"].measured == 0 and found["AI consultancy: accuracy"].count == 1
    assert found["human consultancy: accuracy"].measured is None and found["human consultancy: accuracy"].count == 0
    # Each of three finished debates was judged again, at 0.25 for the truth, by somebody who read it afterwards.
    offline = found["offline judgments: accuracy"]
    assert (offline.measured, offline.count, offline.holds) == (0, 3, None)
    assert report.holds and any("3 of 154 human debate, 0 of 96" in note for note in report.notes)
    assert "human debate: mean reward" in report.text()


def test_what_is_imported_can_be_reproduced_and_so_can_the_transcripts(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "far" / "below")
    (folder / "debates" / "more").mkdir()
    (folder / "debates" / "four.json").rename(folder / "debates" / "more" / "four.json")
    files = sorted((folder / "debates").rglob("*.json"))
    given: list[Any] = [
        folder,
        str(folder),
        folder / "debates",
        tmp_path / "far",
        files,
        [*files, folder],
        [folder, *files],
    ]
    wanted = reproduce(folder, BY)
    assert wanted.settings["records"] == 5 and wanted.settings["skipped"] == 0
    for number, paths in enumerate(given):
        out = tmp_path / "out" / str(number) / "below"
        found = list(NyuDebates().imports(paths, out))
        assert len(found) == 5 and all(each.path for each in found)
        for again in (paths, out, out.parent, sorted(out.iterdir())):
            assert reproduce(again, BY) == wanted
    one = reproduce(files[0], BY)
    assert one.settings["records"] == 1 and [
        each.name for each in NyuDebates().imports(files[0], tmp_path / "one")
    ] == ["five"]
    mixed = reproduce([files[0], *(out / f"{name}.jsonl" for name in ("one", "two", "three", "more-four"))], BY)
    assert [(row.name, row.measured) for row in mixed.rows] == [(row.name, row.measured) for row in wanted.rows]


def test_a_whole_corpus_is_held_against_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = corpus(tmp_path / "part")
    monkeypatch.setitem(PLAYS, (True, True), 3)
    monkeypatch.setattr(human_debates, "OFFLINE", 3)
    found = rows(reproduce(folder, BY))
    assert found["human debate: accuracy"].holds is False, "it is not the corpus of the paper, and that is said"
    assert found["offline judgments: accuracy"].holds is False
    for figure, published in PUBLISHED.items():
        measured = found[f"human debate: {figure}"].measured
        assert isinstance(measured, float)
        monkeypatch.setitem(published, (True, True), round(measured, human_debates.DIGITS[figure]))
    again = rows(reproduce(folder, BY))
    assert all(again[f"human debate: {figure}"].holds for figure in PUBLISHED)


def test_published_figures_are_of_the_four_settings() -> None:
    assert sum(PLAYS.values()) == 413
    for figure, values in PUBLISHED.items():
        assert values.keys() == SETTINGS.keys(), figure
    assert round(PUBLISHED["accuracy"][True, True], 2) == 0.84
    assert round(PUBLISHED["accuracy"][True, False], 2) == 0.74


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "part")
    (folder / "debates" / "one.json").write_text("{")
    (folder / "debates" / "six.json").write_text("[]")
    bad = ended(0.8, "two")
    bad["rounds"][-1]["OfflineJudgments"]["judgments"]["Olive Offline"]["judgments"][0]["distribution"] = [0.5, 0.7]
    (folder / "debates" / "two.json").write_text(json.dumps(bad))
    report = reproduce(folder, BY)
    assert rows(report)["human debate: mean p of the truth"].measured == 0.8, "the play itself is sound"
    said = next(note for note in report.notes if note.startswith("3 problems"))
    assert "one.json" in said and "six.json" in said and "two: offline judgments" in said
    assert report.settings["skipped"] == 2
    assert "skipped 2" in cli_calls.said("reproduce", "nyu", str(folder), code=1)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no debate that can be read"):
        reproduce(tmp_path / "empty", BY)
    with pytest.raises(UsageError, match="holds no debate that can be read"):
        reproduce(tmp_path / "nowhere", BY)
    (folder / "debates-metadata.jsonl").unlink()
    with pytest.raises(UsageError, match=r"no debates-metadata\.jsonl"):
        reproduce(folder, BY)


def test_a_corpus_against_its_own_metadata() -> None:
    """The figures from the plays are those that the recorded results give, by another way."""
    if not (given := os.environ.get("MOOT_NYU_DATA")):
        pytest.skip("no corpus: set MOOT_NYU_DATA to a folder with debates/ and debates-metadata.jsonl")
    folder = Path(given)
    found = rows(reproduce(folder, BY))
    lines = map(json.loads, (folder / "debates-metadata.jsonl").read_text("utf-8").splitlines())
    kept = [
        line for line in lines if (folder / "debates" / f"{line['name']}.json").exists() and line["includedInPaper"]
    ]
    for (human, is_debate), name in SETTINGS.items():
        ends = [
            line["status"]["Complete"]["result"]["judgingInfo"]
            for line in kept
            if line["setting"] == {"isHuman": human, "isDebate": is_debate}
        ]
        ps = [end["finalJudgement"][end["correctAnswerIndex"]] for end in ends]
        means = {
            "accuracy": [float(p > 0.5) for p in ps],
            "mean (1 - p)^2": [(1 - p) ** 2 for p in ps],
            "mean p of the truth": ps,
            "mean reward": [end["judgeReward"] for end in ends],
            "mean continues": [end["numContinues"] for end in ends],
        }
        for figure, each in means.items():
            row = found[f"{name}: {figure}"]
            assert row.count == len(each) and row.undecided == 0
            assert row.measured == (pytest.approx(sum(each) / len(each), abs=1e-12) if each else None)
