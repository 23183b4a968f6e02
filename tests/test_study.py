"""Studies: which cells there are, what is played again and what is not, and what a folder survives."""

from __future__ import annotations

import json
import multiprocessing
import os
import sqlite3
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.protocols.engine.errors import UsageError
from moot.studies.design import ArmDesign, Cell, Design, QuestionDesign
from moot.studies.folder import owned, read_design, rows_in
from moot.studies.index import Index
from moot.studies.study import Study
from moot.transcripts.seal import seal

DEBATE, QA = moot.Debate(rounds=1), moot.DirectQA()
SOURCELESS: Any = eval("lambda request: None")


class Judge:
    """Believes `share` of the first answer, and counts how often it is asked."""

    def __init__(self, share: float = 0.7, version: int = 1) -> None:
        self.share, self.version, self.asked = share, version, list[moot.Request]()

    def act(self, request: moot.Request) -> moot.Move:
        self.asked.append(request)
        return moot.Verdict(probabilities=(self.share, 1 - self.share))

    def identity(self) -> Any:
        return {"judge": self.share, "version": self.version}


class Drawing(Judge):
    """Believes what its seed says."""

    def act(self, request: moot.Request) -> moot.Move:
        self.asked.append(request)
        share = Random(request.seed).random()
        return moot.Verdict(probabilities=(share, 1 - share))


class Speaker:
    """Says what it is called and what it defends."""

    def __init__(self, name: str) -> None:
        self.name, self.asked = name, 0

    def act(self, request: moot.Request) -> moot.Move:
        self.asked += 1
        return moot.Speech(text=f"{self.name} for {request.view.question.choices[request.brief['answer']]}")

    def describe(self) -> dict[str, Any]:
        return {"agent": "speaker", "name": self.name}

    def identity(self) -> Any:
        return self.name


def samples(count: int = 3) -> list[moot.Sample]:
    return [moot.Sample(moot.Question(f"Who is {i}?", ("yes", "no"), id=f"q{i}"), i % 2) for i in range(count)]


def study(count: int = 3, judges: tuple[Judge, ...] = (), **more: Any) -> Study:
    weak, strong = judges or (Judge(0.3), Judge(0.8))
    given: dict[str, Any] = {
        "protocols": {"debate": DEBATE, "qa": QA}, "seats": {"a": "ann", "b": "bob", "judge": ["weak", "strong"]},
        "agents": {"ann": Speaker("ann"), "bob": Speaker("bob"), "weak": weak, "strong": strong},
    }  # fmt: skip
    return Study("trial", samples(count), **{**given, **more})


def calls(of: Study) -> int:
    return sum(len(each.asked) if isinstance(each, Judge) else each.asked for each in of.agents.values())


def test_a_study_has_every_cell_once_and_never_again(tmp_path: Path) -> None:
    trial = study(epochs=2, seatings="both", flips="both")
    assert [arm.name for arm in trial.seated] == [
        "debate, judge=weak", "debate, judge=strong", "qa, judge=weak", "qa, judge=strong",
    ]  # fmt: skip
    assert trial.design.size == 3 * 2 * 2 * (2 * 2 + 2) == len({cell.key for cell in trial.design.cells()})
    done = trial.run(tmp_path / "s")
    assert done.complete and done.how == {"played": 72}
    assert calls(trial) == 48 * 3 + 24
    again = study(epochs=2, seatings="both", flips="both")
    assert again.run(tmp_path / "s").how == {"kept": 72} and calls(again) == 0


def test_a_flip_swaps_answers_and_models_stay_in_their_seats(tmp_path: Path) -> None:
    trial = study(1, flips="both", seatings="both", where=lambda cell: cell["arm"] == "debate, judge=strong")
    trial.run(tmp_path)
    said = {}
    for row in (each for each in trial.rows(tmp_path) if each["outcome"] == "decided"):
        speeches = [step for step in moot.load(tmp_path / row["path"]).steps() if step.move["kind"] == "speech"]
        said[row["seating"], row["flip"]] = {step.seat: step.move["text"] for step in speeches}
        assert row["truth"] == 0  # in the question's own order
        assert row["belief"] == pytest.approx([0.2, 0.8] if row["flip"] else [0.8, 0.2])
        assert row["correct"] is (not row["flip"])
        assert row["seats"] == (
            {"a": "bob", "b": "ann"} if row["seating"] == "swapped" else {"a": "ann", "b": "bob"}
        ) | {"judge": "strong"}
    assert said == {
        ("given", False): {"a": "ann for yes", "b": "bob for no"}, ("given", True): {"a": "ann for no", "b": "bob for yes"},
        ("swapped", False): {"a": "bob for yes", "b": "ann for no"}, ("swapped", True): {"a": "bob for no", "b": "ann for yes"},
    }  # fmt: skip


def test_changing_one_axis_plays_only_what_is_new(tmp_path: Path) -> None:
    study().run(tmp_path)
    more = study(4, protocols={"debate": DEBATE, "qa": QA, "long": moot.Debate(rounds=2)})
    assert more.run(tmp_path).how == {"kept": 12, "played": 4 * 6 - 12}
    changed = study(4, (Judge(0.3), Judge(0.8, version=2)), protocols={"debate": DEBATE, "qa": QA})
    assert changed.run(tmp_path).how == {"kept": 8, "played": 8}  # exactly the cells of the judge that changed
    assert read_design(tmp_path).digest == changed.design.digest and (tmp_path / "study-2.json").exists()
    assert study().run(tmp_path).how == {"kept": 12}


def test_host_and_price_change_nothing_and_a_model_does(tmp_path: Path) -> None:
    def cells(**options: Any) -> list[str]:
        given: dict[str, Any] = {"base_url": "http://127.0.0.1:9/v1", "max_tokens": 20, **options}
        made = Study("models", samples(2), {"one": moot.Arm(QA, {"judge": moot.LM(given.pop("model", "m"), **given)})})
        return [cell.key for cell in made.design.cells()]

    assert cells() == cells(base_url="http://127.0.0.1:10/v1") == cells(prices=(1.0, 2.0)) == cells(api_key="other")
    assert len({*cells(), *cells(model="n"), *cells(temperature=0.5)}) == 6


def test_an_index_that_is_deleted_damaged_or_foreign_changes_no_byte(tmp_path: Path) -> None:
    study(epochs=2).run(tmp_path)
    rows = list(rows_in(tmp_path))
    index = tmp_path / "index.sqlite"
    whole = index.read_bytes()
    for content in (None, b"", b"no database", whole[: len(whole) // 2], whole[:100] + b"\0" * 4000):
        index.unlink(missing_ok=True)
        if content is not None:
            index.write_bytes(content)
        assert list(rows_in(tmp_path)) == rows
        assert study(epochs=2).run(tmp_path).how == {"kept": 24}
        assert list(rows_in(tmp_path)) == rows
    base = sqlite3.connect(index)
    base.execute("PRAGMA user_version=99")
    base.commit()
    base.close()
    assert list(rows_in(tmp_path)) == rows and study(epochs=2).run(tmp_path).how == {"kept": 24}


def test_a_restart_opens_no_transcript_and_asks_the_index_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study(20).run(tmp_path)
    opened = Counter[str]()
    plain = open

    def counted(file: Any, *args: Any, **more: Any) -> Any:
        opened[Path(str(file)).suffix] += 1
        return plain(file, *args, **more)

    monkeypatch.setattr("builtins.open", counted)
    made, statements = list[Index](), list[str]()
    init = Index.__init__

    def traced(index: Index, *args: Any, **more: Any) -> None:
        init(index, *args, **more)
        made.append(index)
        assert index._base is not None
        index._base.set_trace_callback(statements.append)

    monkeypatch.setattr(Index, "__init__", traced)
    assert study(20).run(tmp_path).how == {"kept": 80}
    assert len(study(20).rows(tmp_path)) == 80
    assert opened[".jsonl"] == 0 and sum(index.opened for index in made) == 0
    assert len([each for each in statements if each.startswith("SELECT")]) == 2


def test_a_cell_is_resumed_or_played_anew_as_its_file_says(tmp_path: Path) -> None:
    trial = study(1, where=lambda cell: cell["arm"] == "debate, judge=weak")
    trial.run(tmp_path)
    [cell] = [each for each in trial.design.cells() if each.key not in trial.design.left_out]
    path = tmp_path / cell.path
    whole = path.read_bytes()
    digest = moot.load(path).digest
    lines = whole.splitlines(keepends=True)
    for cut in (
        0,
        10,
        len(lines[0]),
        *(len(b"".join(lines[:n])) + extra for n in range(1, len(lines)) for extra in (0, 5)),
    ):
        path.write_bytes(whole[:cut])
        fresh = study(1, where=lambda cell: cell["arm"] == "debate, judge=weak")
        done = fresh.run(tmp_path)
        assert done.complete and moot.load(path).digest == digest
        said = (
            whole[:cut].count(b'"event":"moved"')
            if whole[:cut].endswith(b"\n")
            else whole[: whole[:cut].rfind(b"\n") + 1].count(b'"event":"moved"')
        )
        assert calls(fresh) == 3 - said


def test_errors_are_taken_up_and_what_has_ended_otherwise_is_not(tmp_path: Path) -> None:
    class Failing(Judge):
        def act(self, request: moot.Request) -> moot.Move:
            self.asked.append(request)
            if len(self.asked) <= 2:
                raise OSError("the endpoint is gone")
            return moot.Verdict(probabilities=(1, 0))

    judge = Failing()
    done = study(3, (judge, Judge()), protocols={"qa": QA}, seats={"judge": "weak"}).run(tmp_path, limit=1)
    assert done.outcomes == {"errored": 2, "decided": 1} and "the endpoint is gone" in done.problems[0]
    done = study(3, (judge, Judge()), protocols={"qa": QA}, seats={"judge": "weak"}).run(tmp_path)
    assert done.how == {"kept": 1, "resumed": 2} and done.complete

    def mute(request: moot.Request) -> Any:
        return {"kind": "nothing"}

    silent = Study("trial", samples(), {"qa": moot.Arm(QA, {"judge": mute})})
    assert silent.run(tmp_path / "b").outcomes == {"forfeited": 3}
    assert silent.run(tmp_path / "b").how == {"kept": 3}


def test_a_lost_endpoint_stops_the_run_and_loses_nothing(tmp_path: Path) -> None:
    def gone(request: moot.Request) -> Any:
        raise ConnectionError("no route")

    trial = Study("lost", samples(200), {"qa": moot.Arm(QA, {"judge": gone})})
    done = trial.run(tmp_path, limit=2)
    assert done.stopped is not None and "no route" in done.stopped and 25 <= done.outcomes["errored"] <= 27
    back = Study("lost", samples(200), {"qa": moot.Arm(QA, {"judge": Judge()})})
    assert back.run(tmp_path).complete


def test_judging_again_asks_nobody_else_and_each_repetition_has_its_seed(tmp_path: Path) -> None:
    trial = study(2, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}, flips="both")
    trial.run(tmp_path)
    before = calls(trial)
    drawing = Drawing()
    more = trial.rejudge(drawing, of="debate", repetitions=5, name="again").rejudge("strong", of="again", name="twice")
    done = more.run(tmp_path)
    assert done.how == {"kept": 4, "played": 4 * 5 * 2} and calls(more) - before == len(drawing.asked) == 4 * 5
    rows = [row for row in more.rows(tmp_path) if row["arm"] == "again"]
    assert len({row["seed"] for row in rows}) == 10  # both orders of the answers share their coins
    assert len({moot.load(tmp_path / row["path"]).digest for row in rows}) == 20
    assert {row["parent"] for row in rows} == {row["cell"] for row in more.rows(tmp_path) if row["arm"] == "debate"}
    assert all(moot.load(tmp_path / row["path"]).parent for row in rows)
    assert {row["judge"] for row in more.rows(tmp_path) if row["arm"] == "twice"} == {"strong"}


def test_what_judged_a_play_that_was_had_anew_is_judged_anew(tmp_path: Path) -> None:
    trial = study(1, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}).rejudge("strong")
    trial.run(tmp_path)
    first = next(iter(trial.design.cells()))
    transcript = tmp_path / first.path
    kept = transcript.read_bytes()
    transcript.unlink()
    assert trial.run(tmp_path).how == {"played": 1, "kept": 1}  # the same play: what judged it judges it still
    lines = kept.splitlines(keepends=True)
    transcript.write_bytes(b"".join(lines[:1]))
    loud = study(1, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}).rejudge("strong")
    loud.agents["ann"].name = "Ann"  # who sits there says something else now
    assert loud.run(tmp_path).how == {"resumed": 1, "played": 1}
    assert len(list((tmp_path / "replaced").glob("*.jsonl"))) == 1


def test_a_folder_that_was_moved_is_judged_on_from_where_it_is(tmp_path: Path) -> None:
    trial = study(1, protocols={"debate": DEBATE}, seats={"a": "ann", "b": "bob", "judge": "weak"}).rejudge("strong")
    trial.run(tmp_path / "s")
    last = list(trial.design.cells())[-1]
    path = tmp_path / "s" / last.path
    digest = moot.load(path).digest
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    (tmp_path / "s").rename(tmp_path / "elsewhere")
    before = calls(trial)
    assert trial.run(tmp_path / "elsewhere").how == {"kept": 1, "resumed": 1} and calls(trial) == before + 1
    assert moot.load(tmp_path / "elsewhere" / last.path).digest == digest


def test_an_undecided_play_is_not_judged_again_and_its_cells_are_counted(tmp_path: Path) -> None:
    def mute(request: moot.Request) -> Any:
        return {"kind": "nothing"}

    trial = Study("few", samples(2), {"one": moot.Arm(QA, {"judge": mute})}).rejudge(Judge(), repetitions=3)
    assert trial.run(tmp_path).outcomes == {"forfeited": 2, "not played": 6}
    assert Counter(row["outcome"] for row in trial.rows(tmp_path)) == {"forfeited": 2, "not played": 6}


def test_two_processes(tmp_path: Path) -> None:
    with owned(tmp_path), pytest.raises(UsageError, match="another process runs the study"):
        context = multiprocessing.get_context("fork")
        queue = context.SimpleQueue()
        process = context.Process(target=_second, args=(tmp_path, queue))
        process.start()
        process.join()
        raise UsageError(queue.get())
    study(1).run(tmp_path)


def _second(folder: Path, queue: Any) -> None:
    try:
        study(1).run(folder)
        queue.put("it ran")
    except UsageError as error:
        queue.put(str(error))


def test_a_frozen_design_is_held_fast(tmp_path: Path) -> None:
    frozen = study(2).gate("half", arm="qa, judge=weak", at_least=0.5).freeze()
    frozen.run(tmp_path)
    assert frozen.run(tmp_path).how == {"kept": 8}
    assert study(2).gate("half", arm="qa, judge=weak", at_least=0.5).run(tmp_path).how == {"kept": 8}
    for other, what in ((study(3), "gates"), (study(2, epochs=2), "epochs")):
        with pytest.raises(UsageError, match=f"was frozen.*{what}"):
            other.run(tmp_path)
    assert read_design(tmp_path).frozen == frozen.design.frozen
    with pytest.raises(UsageError, match="is frozen, and takes no more arms"):
        frozen.rejudge("strong")
    with pytest.raises(UsageError, match="is frozen, and takes no more gates"):
        frozen.gate("more", at_least=0)


def test_limits_stop_before_and_the_same_call_goes_on(tmp_path: Path) -> None:
    trial = study(5)
    assert trial.run(tmp_path, max_seconds=0).stopped and calls(trial) == 0
    assert trial.run(tmp_path).complete


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"protocols": {}}, "'protocols' is empty"),
        ({"seats": {"a": "ann", "b": "bob", "judge": []}}, "the axis 'judge' is empty"),
        ({"params": {"rounds": []}}, "the axis 'rounds' is empty"),
        ({"params": {"ruonds": [1]}}, "'ruonds'.*did you mean"),
        ({"seats": {"a": "ann", "b": "bob", "judge": ["weak", "weka"]}}, "no agent 'weka'.*did you mean"),
        ({"seats": {"a": "ann", "b": "bob", "juge": "weak"}}, "'juge'"),
        ({"seats": {"a": "ann", "judge": "weak"}}, "nobody sits at 'b'"),
        ({"epochs": 0}, "epochs is 0"),
        ({"flips": "twice"}, "flips is 'twice'"),
        ({"where": lambda cell: False}, "no cells"),
        ({"arms": {"x": moot.Arm(QA, {"judge": "weak"})}}, "'qa, judge=weak' and 'x' differ in nothing"),
        ({"arms": {"x": moot.Arm(None, {"judge": "weak"}, of="qa")}}, "no arm before it"),
        ({"arms": {"x": moot.Arm(QA, {"judge": SOURCELESS})}}, "states no identity"),
        ({"arms": {"x": moot.Arm(QA, {"judge": "strong"}, flip=True)}}, "flip is for an arm that judges again"),
    ],
)  # fmt: skip
def test_a_design_that_means_something_else_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        study(**given)


def test_questions_of_one_name_or_one_content_are_refused() -> None:
    one = moot.Question("Who?", ("a", "b"), id="q")
    for others, told in (
        ([one, one], "both called 'q'"), ([one, moot.Question("Who?", ("a", "b"), id="r")], "ask the same"), ([], "no questions"),
        ([one, "Who?"], "must be a moot.Question"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=told):
            Study("s", others, {"qa": moot.Arm(QA, {"judge": Judge()})})  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="cannot be flipped"):
        Study(
            "s", [moot.Question("Who?", ("a", "b"), data=[1])], {"qa": moot.Arm(QA, {"judge": Judge()})}, flips="both"
        )


def test_a_folder_of_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="holds other things than a study"):
        study(1).run(tmp_path)
    study(1).run(tmp_path / "a")
    with pytest.raises(UsageError, match="is the folder of study 'trial', not of 'other'"):
        Study("other", samples(1), {"qa": moot.Arm(QA, {"judge": Judge()})}).run(tmp_path / "a")
    (tmp_path / "a" / "study.json").write_text('{"format": 9}')
    with pytest.raises(UsageError, match="later version"):
        read_design(tmp_path / "a")
    (tmp_path / "a" / "study.json").write_text("{")
    with pytest.raises(UsageError, match="no design of a study"):
        study(1).run(tmp_path / "a")
    with pytest.raises(UsageError, match="holds no study"):
        read_design(tmp_path)


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=8)


@given(
    st.lists(texts, min_size=1, max_size=4, unique=True), st.integers(1, 3), st.sampled_from(["one", "both"]),
    st.lists(st.tuples(st.integers(-1, 2), st.integers(1, 3), st.booleans()), min_size=1, max_size=5),
)  # fmt: skip
def test_a_design_is_read_as_it_was_written_and_counts_its_cells(
    names: list[str], epochs: int, flips: Any, arms: list[tuple[int, int, bool]]
) -> None:
    made: list[ArmDesign] = []
    for number, (of, repetitions, mirrored) in enumerate(arms):
        above = None if of < 0 or of >= len(made) else made[of].name
        made.append(ArmDesign(name=f"arm {number}", fingerprint=f"f{number}", of=above, repetitions=repetitions if above else 1,
                              mirrored=f"m{number}" if mirrored and above is None else None))  # fmt: skip
    questions = [
        QuestionDesign(name=name, fingerprint=f"q{number}", tags={"t": name}) for number, name in enumerate(names)
    ]
    design = Design(name="s", arms=tuple(made), questions=tuple(questions), epochs=epochs, flips=flips)
    assert Design.read(design.text(), "here") == design and json.loads(design.text())["format"] == 1
    cells = list(design.cells())
    assert design.size == len(cells) == len({cell.key for cell in cells}) == len({cell.path for cell in cells})
    some = frozenset(cell.key for cell in cells[::3])
    fewer = design.model_copy(update={"left_out": some})
    assert fewer.size == sum(1 for _ in fewer.cells()) and not some & {cell.key for cell in fewer.cells()}


def test_run_many(tmp_path: Path) -> None:
    judge = Judge()
    plays = moot.run_many(QA, samples(5), {"judge": judge})
    assert [play.question.text for play in plays] == [f"Who is {i}?" for i in range(5)] and len(judge.asked) == 5
    kept = moot.run_many(QA, samples(5), {"judge": judge}, out=tmp_path / "m")
    assert [play.digest for play in kept] == [play.digest for play in plays] and len(judge.asked) == 10
    moot.run_many(QA, samples(6), {"judge": judge}, out=tmp_path / "m")
    assert len(judge.asked) == 11
    os.rename(tmp_path / "m", tmp_path / "n")
    assert len(moot.run_many(QA, samples(6), {"judge": judge}, out=tmp_path / "n")) == 6 and len(judge.asked) == 11
    first = next((tmp_path / "n" / "cells").rglob("*.jsonl"))
    pytest.importorskip("zstandard")
    seal(first)
    first.unlink(missing_ok=True)
    again = moot.run_many(QA, samples(6), {"judge": judge}, out=tmp_path / "n")
    assert [play.digest for play in again][:5] == [play.digest for play in plays] and len(judge.asked) == 11


def test_cells_lie_where_their_keys_say() -> None:
    cell = Cell("abcd", 0, 0, 0, 1)
    assert cell.path == "cells/ab/abcd.jsonl"
