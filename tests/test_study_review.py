"""Faults that would change what a study says without a word: a row of the wrong seat, play, truth or procedure; and what breaks a run."""

from __future__ import annotations

import csv
import importlib
import io
import linecache
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import moot
from moot.agents.identity import protocol_fingerprint
from moot.protocols.engine.errors import UsageError
from moot.studies.design import ArmDesign, Design
from moot.studies.folder import read_design, rows_in
from moot.studies.results import export
from moot.studies.results.gates import Gate
from moot.studies.results.results import Results
from moot.studies.results.rows import row as whole_row
from moot.studies.running import set_aside
from moot.studies.study import Study
from moot.studies.toml import study_from
from moot.testing import MockOpenAI

QA, DEBATE, LONG = moot.DirectQA(), moot.Debate(rounds=1), moot.Debate(rounds=2)


class Sitting:
    """Judges, speaks or asks, whatever it is asked for; it is known by its name."""

    def __init__(self, name: str, share: float = 0.7) -> None:
        self.name, self.share = name, share

    def act(self, request: moot.Request) -> Any:
        if "answer" in request.brief:
            return moot.Speech(text=f"{self.name} speaks")
        return moot.Verdict(probabilities=(self.share, 1 - self.share))

    def describe(self) -> dict[str, Any]:
        return {"agent": "sitting", "name": self.name}

    def identity(self) -> Any:
        return [self.name, self.share]


def samples(count: int = 1) -> list[moot.Sample]:
    return [moot.Sample(moot.Question(f"Who is {i}?", ("yes", "no"), id=f"q{i}"), i % 2) for i in range(count)]


def debates(protocol: moot.Protocol = DEBATE, count: int = 1, **more: Any) -> Study:
    seats = {"a": Sitting("ann"), "b": Sitting("bob"), "judge": Sitting("weak", 0.3)}
    return Study("faults", samples(count), {"held": moot.Arm(protocol, seats)}, **more)


def rows_of(study: Study, folder: Path, arm: str) -> list[dict[str, Any]]:
    assert study.run(folder).problems == []
    return [each for each in study.rows(folder) if each["arm"] == arm]


def kinds(folder: Path, row: Any) -> list[str]:
    return [step.move["kind"] for step in moot.load(folder / row["path"]).steps()]


PANEL = moot.Deliberation(judges=2, rounds=1)


@pytest.mark.parametrize("given", [{}, {"protocol": LONG}, {"upto": 1}])
def test_another_procedure_is_held_whatever_else_an_arm_says(tmp_path: Path, given: dict[str, Any]) -> None:
    again = debates(LONG).rejudge(
        Sitting("one", 0.9), name="again", procedure=(PANEL,), seats={"judge2": Sitting("two", 0.5)}, **given
    )
    [row] = rows_of(again, tmp_path, "again")
    spoken = 2 if "upto" in given else 4
    assert kinds(tmp_path, row)[:spoken] == ["speech"] * spoken and "verdict" not in kinds(tmp_path, row)[:spoken]
    assert len(kinds(tmp_path, row)) > spoken + 1  # a panel, not one verdict
    assert row["belief"] == pytest.approx([0.7, 0.3]) and row["seats"]["judge2"] == "two"


def test_a_shortened_debate_can_be_judged_again_as_it_is(tmp_path: Path) -> None:
    again = debates(LONG).rejudge(Sitting("s"), name="one", upto=1).rejudge(Sitting("t"), of="one", name="two")
    [row] = rows_of(again, tmp_path, "two")
    assert row["outcome"] == "decided" and kinds(tmp_path, row) == ["speech", "speech", "verdict"]
    assert [arm.protocol and arm.protocol["params"].get("rounds") for arm in again.design.arms] == [None, 1, 1]


def test_who_answers_anew_is_named_in_the_seat_where_it_sits(tmp_path: Path) -> None:
    live = debates(seatings="both").rejudge(Sitting("s"), name="live", seats={"a": Sitting("zed")}, live=("a",))
    for row in rows_of(live, tmp_path, "live"):
        said = {step.seat: step.move.get("text") for step in moot.load(tmp_path / row["path"]).steps()}
        assert {seat: f"{row['seats'][seat]} speaks" for seat in "ab"} == {seat: said[seat] for seat in "ab"}
        assert row["seats"] == {"a": "zed", "b": "bob" if row["seating"] == "given" else "ann", "judge": "s"}


def test_rivals_are_exchanged_beside_a_panel_and_judges_never_are() -> None:
    held = moot.Debate(rounds=1, closing=(PANEL,))
    seats = {"a": Sitting("ann"), "b": Sitting("bob"), "judge": Sitting("one"), "judge2": Sitting("two")}
    made = Study("s", samples(), {"x": moot.Arm(held, seats)}, seatings="both")
    assert made.design.size == 2 and made.design.arms[0].rivals == ("a", "b")
    one = moot.Consultancy(rounds=1, closing=(PANEL,))
    alone = {"consultant": Sitting("ann"), "judge": Sitting("one"), "judge2": Sitting("two")}
    assert Study("s", samples(), {"x": moot.Arm(one, alone)}, seatings="both").design.size == 1


def test_arms_that_are_each_other_mirrored_are_refused() -> None:
    ann, bob, judge = Sitting("ann"), Sitting("bob"), Sitting("s")
    arms = {name: moot.Arm(DEBATE, {"a": one, "b": other, "judge": judge}) for name, one, other in (("x", ann, bob), ("y", bob, ann))}  # fmt: skip
    assert Study("s", samples(), arms).design.size == 2
    with pytest.raises(UsageError, match="'y' is arm 'x' with its rivals exchanged"):
        Study("s", samples(), arms, seatings="both")


def test_a_frozen_study_with_a_filter_is_the_same_in_every_process(tmp_path: Path) -> None:
    code = (
        "import test_study_review as t; s = t.debates(count=3, epochs=3, where=lambda cell: cell['epoch'] != 1).freeze(); "
        f"print(s.run({str(tmp_path)!r}).how['played'], s.design.digest)"
    )
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    told = [
        subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": path},
                       capture_output=True, text=True, check=True).stdout.split() for seed in "12"
    ]  # fmt: skip
    assert [number for number, _ in told] == ["6", "0"] and told[0][1] == told[1][1]


def test_a_frozen_design_that_was_edited_is_no_design(tmp_path: Path) -> None:
    debates().gate("half", arm="held", at_least=0.9).freeze().run(tmp_path)
    file = tmp_path / "study.json"
    file.write_text(file.read_text().replace('"at_least": 0.9', '"at_least": 0.1'))
    with pytest.raises(UsageError, match="was frozen.*changed since"):
        read_design(tmp_path)


@pytest.mark.parametrize("arms", [
    [ArmDesign(name="x", fingerprint="f", of="y", repetitions=1)], [ArmDesign(name="x", fingerprint="f", of="x", repetitions=1)],
    [ArmDesign(name="x", fingerprint="f", repetitions=1), ArmDesign(name="x", fingerprint="g", repetitions=1)],
])  # fmt: skip
def test_a_design_file_of_arms_without_parents_is_refused(tmp_path: Path, arms: list[ArmDesign]) -> None:
    whole = Design.model_construct(name="s", arms=tuple(arms), questions=())
    with pytest.raises(UsageError, match="arm 'x' is there twice, or judges the plays of no arm"):
        Design.read(whole.text(), "here")


def test_a_truth_that_was_corrected_is_not_graded_by_the_old_one(tmp_path: Path) -> None:
    debates(count=2, flips="both").run(tmp_path)
    assert debates(count=2, flips="both").run(tmp_path).how == {"kept": 4}
    other = debates(count=2, flips="both")
    other.samples[1] = moot.Sample(other.samples[1].question, truth=0)
    with pytest.raises(UsageError, match="question .q1. has another true answer"):
        other.run(tmp_path)


def test_a_truth_that_comes_later_is_in_the_rows(tmp_path: Path) -> None:
    debates().run(tmp_path)
    [truth] = tmp_path.rglob("*.truth.json")
    kept = truth.read_bytes()
    truth.unlink()
    (tmp_path / "index.sqlite").unlink()
    assert debates().run(tmp_path).how == {"kept": 1} and [row["truth"] for row in rows_in(tmp_path)] == [None]
    truth.write_bytes(kept)
    assert [row["truth"] for row in rows_in(tmp_path)] == [0]
    debates().run(tmp_path)
    assert [row["truth"] for row in rows_in(tmp_path)] == [0]


def test_a_verdict_on_a_play_that_is_had_anew_is_no_row_meanwhile(tmp_path: Path) -> None:
    again = debates().rejudge(Sitting("s"), name="again")
    [row] = rows_of(again, tmp_path, "again")
    first = next(again.design.cells())
    whole = (tmp_path / first.path).read_bytes()
    (tmp_path / first.path).write_bytes(b"".join(whole.splitlines(keepends=True)[:2]))
    assert [row["outcome"] for row in again.rows(tmp_path)] == ["not ended", "not played"]
    (tmp_path / first.path).write_bytes(whole)
    assert again.rows(tmp_path)[1] == row


def test_gates_wait_for_errored_cells_and_not_for_those_that_never_come(tmp_path: Path) -> None:
    def mute(request: moot.Request) -> Any:
        return {"kind": "nothing"} if request.view.question.text == "Who is 1?" else moot.Verdict(probabilities=(1, 0))

    made = Study("s", samples(3), {"x": moot.Arm(QA, {"judge": mute})}).rejudge(Sitting("s"), of="x", name="y")
    made.run(tmp_path)
    ruled = Gate("g", arm="y", at_least=0.9).rule(Results(made.rows(tmp_path)))
    assert ruled.state == "passed" and ruled.estimate.undecided == {"not played": 1}
    rows = [whole_row(arm="x", question=f"q{i}", outcome="errored", study="s") for i in range(2)]
    rows += [{**each, "arm": "x"} for each in made.rows(tmp_path) if each["outcome"] == "decided"]
    assert Gate("g", arm="x", at_least=0).rule(Results(rows)).state == "no evidence"
    assert Gate("g", arm="x", at_most=0.9, undecided="wrong").rule(Results(rows)).state == "passed"


def test_a_gate_that_can_never_be_ruled_is_refused_before_anything_is_played(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="metrik.*did you mean 'metric'"):
        debates().gate("g", metrik="accuracy", at_least=0)
    ends: list[Callable[[Study], Any]] = [Study.freeze, lambda made: made.run(tmp_path / "s")]
    for ended in ends:
        with pytest.raises(UsageError, match="gate 'g': there is no arm 'hled'; did you mean 'held'"):
            ended(debates().gate("g", arm="hled", at_least=0))
    for gates in ({"g": {"at_least": 0}}, "g", [3]):
        with pytest.raises(UsageError, match="must be a list of gates"):
            debates(gates=gates)


def verdicts(arm: str, right: list[bool], copies: int = 1) -> list[dict[str, Any]]:
    return [
        whole_row(study="s", arm=arm, question=f"q{i}", outcome="decided", choices=2, truth=0, belief=[1.0, 0.0] if good else [0.0, 1.0],
            answer=int(not good), correct=good) for i, good in enumerate(right) for _ in range(copies)
    ]  # fmt: skip


def test_differences_that_are_all_alike_are_not_certain() -> None:
    for count in (2, 5, 200):
        rows = Results([*verdicts("x", [True] * count), *verdicts("y", [False] * count)])
        found = rows.contrast({"x": 1, "y": -1}).estimate
        one = rows.where(arm="x").measure("accuracy")
        assert found.value == 1 and found.low is not None and one.low is not None
        assert found.low == pytest.approx(2 * one.low - 1)  # from -1 to 1 is twice as far as from 0 to 1
        assert (found.low > 0) == (count > 3)
    halves = Results([*verdicts("x", [True] * 5), *verdicts("x", [False] * 5)]).measure("accuracy", undecided="wrong")
    assert halves.value == 0.5 and halves.low is not None and halves.high is not None and halves.low < 0.5 < halves.high


def test_a_part_of_ones_own_counts_by_its_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = (
        "from typing import Literal\nimport moot\nclass {name}(moot.Queries):\n"
        "    part: Literal['{name}'] = '{name}'\n    def words(self):\n        return {words}\n"
    )
    found = []
    for words in (1, 2, 1):
        (tmp_path / "own_part.py").write_text(source.format(name="own_part", words=words))
        linecache.clearcache()
        monkeypatch.syspath_prepend(str(tmp_path))
        sys.modules.pop("own_part", None)
        importlib.invalidate_caches()
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        made = importlib.import_module("own_part").own_part(budget=1)
        sys.dont_write_bytecode = before
        found.append(protocol_fingerprint(moot.Debate(rounds=1, closing=(made,))))
    assert found[0] == found[2] != found[1] and None not in found


def test_files_that_are_no_cells_are_left_alone(tmp_path: Path) -> None:
    debates().run(tmp_path)
    shelf = next((tmp_path / "cells").iterdir())
    (shelf / "notes.jsonl").write_text("mine")
    (shelf / f"{shelf.name}0.jsonl").symlink_to(tmp_path / "gone")
    assert debates().run(tmp_path).how == {"kept": 1} and len(list(rows_in(tmp_path))) == 1
    assert (shelf / "notes.jsonl").read_text() == "mine"


def test_an_index_that_is_damaged_within_is_made_again(tmp_path: Path) -> None:
    debates(count=30).run(tmp_path)
    rows = list(rows_in(tmp_path))
    index = tmp_path / "index.sqlite"
    held = bytearray(index.read_bytes())
    held[4096:] = bytes(each ^ 0x55 for each in held[4096:])
    index.write_bytes(held)
    assert list(rows_in(tmp_path)) == rows
    assert debates(count=30).run(tmp_path).how == {"kept": 30} and list(rows_in(tmp_path)) == rows


def test_a_sealed_transcript_is_set_aside_whole(tmp_path: Path) -> None:
    shelf = tmp_path / "cells" / "ab"
    shelf.mkdir(parents=True)
    for number in (1, 2, 3):
        for name in ("abc.jsonl.zst" if number < 3 else "abc.jsonl", "abc.truth.json"):
            (shelf / name).write_text(str(number))
        set_aside(shelf / ("abc.jsonl.zst" if number < 3 else "abc.jsonl"))
    assert {file.name: file.read_text() for file in (tmp_path / "replaced").iterdir()} == {
        "abc-1.jsonl.zst": "1", "abc-1.truth.json": "1", "abc-2.jsonl.zst": "2", "abc-2.truth.json": "2", "abc-3.jsonl": "3",
        "abc-3.truth.json": "3",
    }  # fmt: skip


def test_an_earlier_design_is_never_written_over(tmp_path: Path) -> None:
    for epochs in (1, 2, 3):
        debates(epochs=epochs).run(tmp_path)
    (tmp_path / "study-1.json").unlink()
    kept = (tmp_path / "study-2.json").read_bytes()
    debates(epochs=4).run(tmp_path)
    assert (tmp_path / "study-2.json").read_bytes() == kept and (tmp_path / "study-1.json").exists()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"protocols": {"d": DEBATE}, "seats": {"debater": Sitting("x"), "judge": Sitting("y")}, "params": {"rounds": 3}}, "'rounds' is 3; it must be a list"),
        ({"protocols": {"d": DEBATE}, "seats": {"debater": Sitting("x"), "judge": Sitting("y")}, "params": {"rounds": "13"}}, "'rounds' is '13'"),
        ({"arms": {"q": moot.Arm(QA, {"judge": Sitting("y")}, {"x": object()})}}, "which no file holds"),
        ({"arms": {"q": moot.Arm(QA, {"judge": Sitting("y")}, {"x": float("nan")})}}, "which no file holds"),
        ({"arms": {"\ud800": moot.Arm(QA, {"judge": Sitting("y")})}}, "which no file holds"),
        ({"arms": {3: moot.Arm(QA, {"judge": Sitting("y")})}}, "the name 3 must be a text"),
        ({"arms": {"q": moot.Arm(QA, {"judge": Sitting("y")}, {1: 2})}}, "the axis 1 must be a text"),  # type: ignore[dict-item]
    ],
)  # fmt: skip
def test_what_no_file_holds_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        Study("s", samples(), **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"live": "a"}, "live is 'a'; it must be a list"), ({"flip": "no"}, "flip is 'no'"), ({"stale": 1}, "stale 1"), ({"upto": 9}, "upto is 9; there were 1"),
        ({"seats": {"a": None}}, "None cannot take a seat"),
    ],
)  # fmt: skip
def test_an_arm_that_judges_otherwise_than_it_says_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        debates().rejudge(Sitting("s"), **given)


def test_arguments_of_another_kind_are_refused(tmp_path: Path) -> None:
    bad: Any
    for bad in (float("nan"), "x", -1, True):
        with pytest.raises(UsageError, match="max_seconds is"):
            debates().run(tmp_path, max_seconds=bad)
    for bad in ({"arms": [1]}, {"protocols": [QA]}, {"arms": {"x": moot.Arm(QA, None)}}):  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="it must be a mapping"):
            Study("s", samples(), **bad)
    for out in (None, tmp_path / "m"):
        with pytest.raises(UsageError, match="seed is 'x'"):
            moot.run_many(QA, samples(), {"judge": Sitting("s")}, seed="x", out=out)  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("first", "last", "told"),
    [
        ("", '[[without]]\narm = "direct"', "arm = 'direct' fits no cell"), ("", '[arms.x]\nof = "direct-qa"\nlive = "judge"', "live is 'judge'"),
        ("gates = 3", "", "gates is 3; it must be a list"), ("", "[questions]\nfile = 'q.jsonl'\nfields = 3", "questions.fields must be a table"),
        ("", "[questions]\ntask = 'sum'\nseed = 'x'", "questions.seed is 'x'"),
    ],
)  # fmt: skip
def test_a_study_file_that_says_something_else_is_refused(tmp_path: Path, first: str, last: str, told: str) -> None:
    (tmp_path / "q.jsonl").write_text('{"text": "A?", "choices": ["x", "y"], "truth": 0, "id": "1"}\n')
    asked = "" if "[questions]" in last else 'questions = "q.jsonl"'
    agent = '[agents.s]\nkind = "openai"\nmodel = "m"\nbase_url = "http://127.0.0.1:9/v1"'
    lines = ('name = "n"', first, asked, agent, "[protocols]\ndirect-qa = {}", '[seats]\njudge = "s"', last)
    (tmp_path / "s.toml").write_text("\n".join(lines))
    with pytest.raises(UsageError, match=told):
        study_from(tmp_path / "s.toml")


def test_a_cap_counts_what_every_arm_has_spent_before_it_had_prices(tmp_path: Path) -> None:
    with MockOpenAI(model_names=("cheap", "dear")).serve() as url:

        def made(**more: Any) -> Study:
            judges = {
                name: moot.LM(name, base_url=url, api_key="k", max_tokens=20, **more) for name in ("cheap", "dear")
            }
            return Study("c", samples(), {name: moot.Arm(QA, {"judge": judge}) for name, judge in judges.items()})

        assert made().run(tmp_path).how == {"played": 2}
        assert made(prices=(1.0, 1.0)).run(tmp_path, max_cost=5.0).how == {"kept": 2}


def test_questions_of_different_seats_are_refused() -> None:
    three = moot.Question("Who?", ("x", "y", "z"), id="three")
    seats = {"debater": Sitting("x"), "judge": Sitting("y")}
    with pytest.raises(UsageError, match=r"other seats on question 'three' \(a, b, c, judge\) than on 'q0'"):
        Study("s", [*samples(), three], {"d": moot.Arm(DEBATE, seats)})
    assert Study("s", [*samples(), three], {"q": moot.Arm(QA, {"judge": Sitting("y")})}).design.size == 2


def test_no_text_of_a_row_is_a_formula(tmp_path: Path) -> None:
    asked = [
        moot.Question("Who?", ("x", "y"), id="=cmd|' /C calc'!A0"),
        moot.Question("Why?", ("x", "y"), id="\t@SUM(1)"),
    ]
    made = Study("-1+1", asked, {"+1": moot.Arm(QA, {"judge": Sitting("@s")})})
    made.run(tmp_path)
    rows = list(csv.reader(io.StringIO(export.text(made.rows(tmp_path), "csv"))))
    assert len(rows) == 3 and not any(cell.startswith(("=", "+", "@", "\t", "-1+")) for line in rows for cell in line)
    assert rows[1][rows[0].index("question")] == "'=cmd|' /C calc'!A0"
