"""The truth is sealed: no seat and no log holds it, its file is found or missed or refused, and what names a question tells nothing."""

from __future__ import annotations

import gc
import json
import os
from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b, sha256
from pathlib import Path
from types import FrameType, FunctionType, ModuleType
from typing import Any
from unittest import mock

import pytest
from cli_calls import folder as folder
from cli_calls import said
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

import moot
from moot.complexity.reward import correct, judge_reward
from moot.experiments.statistics.records import decided, of
from moot.play.recorded import header
from moot.protocols.engine.question import Question, Sample
from moot.tasks.base import known_tasks, task_named
from moot.testing import puppet
from moot.transcripts import store
from moot.transcripts.display.show import as_text
from moot.transcripts.events import EventLog
from moot.transcripts.seal import seal

QUESTION = Question("Who sank the fleet?", ("a storm", "the admiral"), id="fleet-7")
DEBATE = moot.Debate(rounds=1)
SEATS = {"debater": puppet, "judge": puppet}


def play(folder: Path, name: str = "d.jsonl", truth: int | None = 1, question: Question = QUESTION) -> moot.Transcript:
    return moot.run(DEBATE, Sample(question, truth), SEATS, seed=3, out=folder / name)


# -- from inside a play --------------------------------------------------------------------------------------------------


def reached(start: Any) -> Iterator[Any]:
    """Everything that an object leads to, through attributes, slots, closures and the garbage collector: all but the modules, the
    classes and the frames of callers, which lead everywhere."""
    seen, todo = {id(start)}, [start]
    while todo:
        thing = todo.pop()
        yield thing
        if isinstance(thing, FunctionType):
            more: list[Any] = [
                *(cell.cell_contents for cell in thing.__closure__ or ()),
                thing.__defaults__,
                thing.__dict__,
            ]
        else:
            more = gc.get_referents(thing)
        for each in more:
            if id(each) not in seen and not isinstance(each, ModuleType | type | FrameType):
                seen.add(id(each))
                todo.append(each)


@pytest.mark.parametrize("out", [None, "d.jsonl"])
def test_a_program_finds_no_truth_in_what_its_request_leads_to(out: str | None, tmp_path: Path) -> None:
    found: list[Any] = []
    counted = Counter[str]()

    def snoop(request: moot.Request) -> moot.Move:
        for thing in reached(request):
            counted[type(thing).__name__] += 1
            if isinstance(thing, Sample) or (isinstance(thing, bytes | str) and '"truth"' in str(thing)):
                found.append(thing)
        return puppet(request)

    transcript = moot.run(DEBATE, Sample(QUESTION, 1), {"debater": snoop, "judge": snoop}, out=out and tmp_path / out)
    assert not found and counted["EventLog"] and counted["Question"] and transcript.sample.unseal() == 1


def test_the_note_of_a_request_holds_nothing_of_the_play() -> None:
    held: list[str] = []

    def look(request: moot.Request) -> moot.Move:
        for cell in request.note.__closure__ or ():
            held.append(type(cell.cell_contents).__name__)
        return puppet(request)

    moot.run(DEBATE, Sample(QUESTION, 1), {"debater": look, "judge": look})
    assert held and set(held) <= {"str", "dict", "function", "method"}


@settings(max_examples=20, deadline=None)
@given(task=st.sampled_from(sorted(known_tasks())), seed=st.integers(0, 1 << 40))
def test_an_id_is_of_what_is_asked_and_of_no_seed(task: str, seed: int) -> None:
    size = max(4, task_named(task).smallest)
    one, again = (task_named(task).sample(size, seed) for _ in range(2))
    assert one.question.id == again.question.id is not None
    asked = one.question.unnamed()
    assert asked.id is None and asked.model_copy(update={"id": one.question.id}) == one.question
    assert one.question.id == f"{task}-{size}-{blake2b(to_json(asked), digest_size=8).hexdigest()}"


def test_no_seat_is_shown_an_id_and_the_transcript_knows_it(tmp_path: Path) -> None:
    seen: list[Any] = []

    def look(request: moot.Request) -> moot.Move:
        seen.extend(each for each in reached(request) if isinstance(each, str) and "fleet-7" in each)
        return puppet(request)

    seats = {"debater": look, "judge": look}
    first = moot.run(DEBATE, Sample(QUESTION, 1), seats)
    other = moot.run(DEBATE, Sample(QUESTION.model_copy(update={"id": "another"}), 1), seats)
    assert not seen and first.question.id == "fleet-7" and first.digest == other.digest
    assert of(first).question == "fleet-7" and of(other).question == "another"
    assert "id" not in first.started["question"] and moot.fork(first, "1", SEATS).question == QUESTION


def test_the_seed_of_a_play_is_not_that_of_the_instance(folder: Path) -> None:
    said("run", "-P", "market", "--task", "sum", "--size", "8", "--seed", "12345", "-o", "d.jsonl")
    found = moot.load("d.jsonl")
    assert found.seed != 12345 and b"12345" not in Path("d.jsonl").read_bytes()
    assert found.question == task_named("sum").sample(8, 12345).question
    said("run", "-P", "market", "--task", "sum", "--size", "8", "--seed", "12345", "--limit", "1", "-o", "set")
    (again,) = Path("set").glob("*.jsonl")
    assert moot.load(again).seed == found.seed and moot.load(again).question == found.question


@pytest.mark.parametrize("name", sorted(known_tasks()))
def test_the_place_of_an_answer_tells_nothing(name: str) -> None:
    """Over seeds the truth is in both places, and parity of the seed does not say in which."""
    task = task_named(name)
    truths = [task.sample(max(4, task.smallest), seed).unseal() for seed in range(24)]
    assert {*truths[::2]} == {*truths[1::2]} == {0, 1}


def test_a_number_of_ones_own_has_its_answers_in_one_order() -> None:
    for name in ("primality", "primality-by-bases"):
        task: Any = task_named(name)
        assert {task.of(n).question.choices for n in (35, 37, 77, 79, 97, 221)} == {("yes", "no")}


# -- the file beside -----------------------------------------------------------------------------------------------------


def test_the_log_holds_a_salted_hash_and_the_file_beside_it_the_truth(tmp_path: Path) -> None:
    one, two = play(tmp_path), play(tmp_path, "e.jsonl")
    for found in (one, two):
        name = f"{found.path.stem}.truth.json"  # type: ignore[union-attr]
        seal, content = found.started["meta"]["sealed"], (tmp_path / name).read_bytes()
        assert seal == {"file": name, "sha256": sha256(content).hexdigest()}
        assert json.loads(content)["truth"] == 1 and len(bytes.fromhex(json.loads(content)["salt"])) >= 16
        assert b'truth":1' not in found.path.read_bytes() and b"salt" not in found.path.read_bytes()  # type: ignore[union-attr]
        assert found.sample.unseal() == 1 and correct(found) in (True, False, None) and judge_reward(found) is not None
    assert one.started["meta"]["sealed"]["sha256"] != two.started["meta"]["sealed"]["sha256"]
    assert one.digest == two.digest == play(tmp_path, "f.jsonl", 0).digest  # a digest is of what was played
    assert moot.replay(one).digest == one.digest and moot.verify(one).truth == "sealed"
    nobody = play(tmp_path, "n.jsonl", None)
    assert "sealed" not in nobody.started["meta"] and not (tmp_path / "n.truth.json").exists()
    assert (nobody.sample.unseal(), moot.verify(nobody).truth) == (None, "unknown")


def test_in_memory_the_events_hold_the_hash_and_saving_writes_both(tmp_path: Path) -> None:
    found = moot.run(DEBATE, Sample(QUESTION, 1), SEATS, seed=3)
    assert found.started["meta"]["sealed"].keys() == {"sha256"} and found.sample.unseal() == 1
    bare = moot.Transcript(list(found.lines()))
    with pytest.raises(moot.SealedElsewhere, match="by a hash alone, .* the truth is unknown here"):
        correct(bare)
    kept = moot.load(found.save(tmp_path / "kept.jsonl"))
    assert kept.sample.unseal() == 1 and kept.digest == found.digest and list(kept.lines()) == list(found.lines())
    with pytest.raises(moot.UsageError, match="exists already"):
        found.save(tmp_path / "kept.jsonl")
    assert moot.fork(found, "1", SEATS).sample.unseal() == 1
    assert moot.fork(found, "1", SEATS, out=tmp_path / "fork.jsonl").sample.unseal() == 1


def test_a_transcript_is_found_again_with_its_truth_wherever_both_went(tmp_path: Path) -> None:
    play(tmp_path)
    (there := tmp_path / "there").mkdir()
    for source in tmp_path.glob("d.*"):
        source.rename(there / source.name.replace("d.", "new name."))  # both moved, and renamed
    assert moot.load(there / "new name.jsonl").sample.unseal() == 1
    (there / "new name.truth.json").rename(there / "d.truth.json")  # the transcript alone renamed
    assert moot.load(there / "new name.jsonl").sample.unseal() == 1
    packed = seal(there / "new name.jsonl")
    assert moot.load(packed).sample.unseal() == 1
    (there / "d.truth.json").rename(there / "new name.truth.json")
    assert moot.load(packed).sample.unseal() == 1 and packed.suffix == ".zst"


def test_a_missing_truth_is_unknown_and_no_score(tmp_path: Path) -> None:
    found = play(tmp_path)
    (tmp_path / "d.truth.json").rename(tmp_path / "kept by somebody else")
    assert moot.replay(moot.load(tmp_path / "d.jsonl")).digest == found.digest
    for ask in (correct, judge_reward, lambda t: t.sample.unseal()):
        with pytest.raises(moot.SealedElsewhere, match=r"sealed in 'd\.truth\.json', which is not in .* unknown here"):
            ask(found)
    assert "is not in" in " ".join(as_text(found).split()) and moot.verify(found).truth == "elsewhere"
    assert decided([of(found)]) == ([], Counter({"no truth": 1}))
    shown = json.loads(said("show", str(found.path), "--json"))
    assert (shown["truth"], shown["correct"], shown["reward"]) == (None, None, None) and "is not in" in shown["sealed"]
    assert "the truth is not here" in said("verify", str(found.path))
    moot.sign(found, b"k" * 32)
    assert moot.verify(found, key=b"k" * 32).signed


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_altered_truth_is_never_a_score(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "altered"
    folder.mkdir(exist_ok=True)
    found = moot.load(folder / "d.jsonl") if (folder / "d.jsonl").exists() else play(folder)
    file = folder / "d.truth.json"
    whole = file.read_bytes()
    salt = json.loads(whole)["salt"]
    other = data.draw(st.sampled_from([
        json.dumps({"truth": 0, "salt": salt}).encode(), whole.replace(b":1", b":0"), whole + b" ", whole[:-1], b"", b"\0" * 70_000,
    ]) | st.binary(max_size=120))  # fmt: skip
    file.write_bytes(other)
    try:
        with pytest.raises(moot.TranscriptError, match="altered, or is another play's"):
            correct(found)
        with pytest.raises(moot.TranscriptError, match="altered"):
            moot.verify(found)
    finally:
        file.write_bytes(whole)
    assert found.sample.unseal() == 1


def test_the_truth_of_another_play_is_refused_and_never_written_over(tmp_path: Path) -> None:
    play(tmp_path).path.rename(tmp_path / "e.jsonl")  # type: ignore[union-attr]
    second = play(tmp_path, truth=0)  # called as the first one was: the first one's truth is still there
    assert second.started["meta"]["sealed"]["file"] == "d.truth-2.json"
    assert (moot.load(tmp_path / "e.jsonl").sample.unseal(), second.sample.unseal()) == (1, 0)
    (tmp_path / "d.truth.json").replace(tmp_path / "d.truth-2.json")
    with pytest.raises(moot.TranscriptError, match="another play's"):
        correct(second)


def test_a_set_keeps_what_it_has_and_says_which_truth_is_wrong(folder: Path) -> None:
    lines = ({"id": f"q{n}", "question": f"Is it {n}?", "choices": ["yes", "no"], "truth": n % 2} for n in range(3))
    Path("set.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    words = ("run", "-P", "debate", "--seat", "debater=python:cli_agents:speaker", "--seat", "judge=python:cli_agents:judge",
             "--set", "set.jsonl", "-o", "out", "--json")  # fmt: skip
    said(*words)
    Path("out/q0.truth.json").unlink()
    Path("out/q1.truth.json").write_bytes(Path("out/q2.truth.json").read_bytes())
    rows = [json.loads(line) for line in said(*words, code=1).splitlines()]
    assert [(row["how"], row["scored"]) for row in rows[:3]] == [("kept", False), ("", False), ("kept", True)]
    assert "which is not in out" in rows[0]["problem"] and "altered" in rows[1]["problem"]


# -- what breaks between the two -----------------------------------------------------------------------------------------


class Disk:
    """The system's calls of the store, written down; the call of a number fails, or the process ends there."""

    def __init__(self, number: int = 0, error: BaseException | None = None) -> None:
        self.number, self.error, self.done = number, error, list[tuple[str, Any]]()
        self.names: dict[int, str] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _call(self, name: str, file: int) -> None:
        self.done.append((name, self.names.get(file, "folder")))
        if len(self.done) == self.number:
            assert self.error is not None
            raise self.error

    def open(self, path: Any, flags: int, *mode: int) -> int:
        file = os.open(path, flags, *mode)
        self.names[file] = Path(path).name
        return file

    def write(self, file: int, data: bytes) -> int:
        self._call("write", file)
        return os.write(file, data)

    def fsync(self, file: int) -> None:
        self._call("fsync", file)


def test_the_truth_is_on_the_disk_before_the_first_event(tmp_path: Path) -> None:
    disk = Disk()
    with mock.patch.object(store, "os", disk):
        play(tmp_path)
    assert disk.done[:4] == [
        ("write", "d.truth.json"), ("fsync", "d.truth.json"), ("fsync", tmp_path.name), ("write", "d.jsonl"),
    ]  # fmt: skip


class Killed(BaseException):
    pass


@pytest.mark.parametrize("number", [1, 2, 4])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), Killed()])
def test_what_breaks_before_the_first_event_leaves_nothing_wrong(
    number: int, error: BaseException, tmp_path: Path
) -> None:
    with mock.patch.object(store, "os", Disk(number, error)), pytest.raises((moot.TranscriptError, Killed)):
        play(tmp_path)
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_size] == []
    if number < 4 and isinstance(error, OSError):
        assert not (tmp_path / "d.jsonl").exists()  # another attempt may have the name
    assert play(tmp_path, "e.jsonl").sample.unseal() == 1


def test_a_kill_between_the_two_files_leaves_a_truth_that_nobody_names(tmp_path: Path) -> None:
    (tmp_path / "d.truth.json").write_bytes(b'{"truth": 0, "salt": "of the play that was killed"}')
    assert play(tmp_path).sample.unseal() == 1
    assert json.loads((tmp_path / "d.truth.json").read_bytes())["truth"] == 0


# -- transcripts of before -----------------------------------------------------------------------------------------------


def test_a_transcript_with_truth_and_id_in_clear_is_read_and_goes_on(tmp_path: Path) -> None:
    """As version 2 was written before: seats were shown the id, so that it is in the hashes of their requests."""
    lines: list[bytes] = []
    log = EventLog(lines.append)
    game = moot.Game(DEBATE, QUESTION, seed=3, recorder=log)
    log.event("started", header(DEBATE, QUESTION, 3), {"sealed": {"truth": 1}})
    game.start()
    while game.outcome is None:
        step, request = next(iter(game.requests().items()))
        game.answer(step, puppet(request))
    (path := tmp_path / "old.jsonl").write_bytes(b"".join(lines))
    old = moot.load(path)
    assert (old.sample.unseal(), old.question.id, moot.verify(old).truth) == (1, "fleet-7", "recorded")
    assert moot.replay(old).requests_compared
    for derived in (moot.fork(old, "1", SEATS), moot.rejudge(old, puppet, out=tmp_path / "judged.jsonl")):
        assert derived.question == QUESTION and derived.sample.unseal() == 1
        assert "truth" not in derived.started["meta"]["sealed"] and moot.replay(derived).digest == derived.digest
    assert moot.fork(old, "1", SEATS).digest == old.digest
    path.write_bytes(b"".join(lines[:3]))
    assert moot.resume(path, SEATS).sample.unseal() == 1 and moot.load(path).digest == old.digest


def test_a_new_file_is_whole_or_says_why_not(tmp_path: Path) -> None:
    assert store.write_new(tmp_path / "new.json", b"{}") and not store.write_new(tmp_path / "new.json", b"[]")
    assert (tmp_path / "new.json").read_bytes() == b"{}"
    assert not (tmp_path / "new.json").stat().st_mode & 0o111, "nothing that anybody could run"
    with pytest.raises(moot.TranscriptError, match="cannot write"):
        store.write_new(tmp_path / "nowhere" / "new.json", b"{}")
