"""The command line: what it does, and its exit codes."""

from __future__ import annotations

import importlib
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_calls import DEBATE, DECIDE, JUDGE, QUESTION, SPEAKERS, a_set, call, recorded, refused, said
from cli_calls import folder as folder
from hypothesis import example, given, settings
from hypothesis import strategies as st

import moot
from moot.cli.batch import jobs_of
from moot.cli.plan import assignments

pytestmark = pytest.mark.usefixtures("folder")


# -- properties ----------------------------------------------------------------------------------------------------


_key = st.from_regex(r"[a-z]{1,4}", fullmatch=True)


_ids = st.text(min_size=1, max_size=12) | st.lists(st.sampled_from(["a", "A", ".swapped", "-", "."]), min_size=1).map(
    "".join
)


@given(st.dictionaries(_key, st.one_of(st.integers(), st.booleans(), st.none(), st.lists(st.integers(), max_size=3))))
def test_assignments_are_json(values: dict[str, Any]) -> None:
    assert assignments([f"{key}={json.dumps(value)}" for key, value in values.items()], "-p") == values


@given(st.lists(_ids, min_size=1, max_size=8, unique=True), st.integers())
@example(["a", "a.swapped", "A.Swapped.swapped", "a.swapped-0"], 0)
def test_every_question_of_a_set_has_a_file_and_a_seed_of_its_own(ids: list[str], seed: int) -> None:
    samples = [moot.Sample(moot.Question("x", ("1", "2"), id=each)) for each in ids]
    jobs = list(jobs_of([moot.Debate(), moot.Debate(swap=True)], samples, Path("out"), seed))
    names = [job.path.name.lower() for job in jobs]
    assert len(set(names)) == 2 * len(ids)
    assert not any(job.pair.lower().endswith(".swapped") for job in jobs), "so that no seating takes another's place"
    assert all(job.path.parent == Path("out") and re.fullmatch(r"[a-z0-9_.-]+", job.path.name.lower()) for job in jobs)
    alone = list(jobs_of([moot.Debate()], samples[:1], Path("out"), seed))[0]
    assert alone.seed == jobs[0].seed, "it does not depend on what else is in the set"


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=8).filter(lambda t: "\0" not in t), max_size=5)
)
def test_no_words_at_all_end_in_a_traceback(words: list[str]) -> None:
    done = call("run", *words)
    assert done.exit_code in (0, 2), done.exception
    done = call("show", *words)
    assert done.exit_code in (0, 1, 2), done.exception


# -- run -----------------------------------------------------------------------------------------------------------


def test_a_debate_on_a_passage_is_run_recorded_and_read(folder: Path) -> None:
    (folder / "p.txt").write_text("\ufeffThe storm came at night.", encoding="utf-8")
    text = said(*DEBATE, "--passage", "p.txt", "--truth", "1", "-p", "rounds=1", "--seed", "7", "-o", "d.jsonl",
                "--bound", "judge.reads=40*n + 2000")  # fmt: skip
    assert "Decided: the admiral (75 %)" in text and "the judge is right" in text
    transcript = moot.load("d.jsonl")
    assert transcript.question.passage == "The storm came at night."
    assert transcript.seed == 7 and transcript.bounds["judge"]["reads"] == 40 * transcript.question.size + 2000
    assert transcript.digest in text
    assert "“the storm came at night”✓" in said("show", "d.jsonl")
    assert json.loads(said("show", "d.jsonl", "--json"))["outcome"]["kind"] == "decided"
    assert "└─ 0.1.0 b speech" in said("tree", "d.jsonl")
    assert "guarantee: holds" in said("cost", "d.jsonl")
    assert json.loads(said("cost", "d.jsonl", "--json"))["guarantee"]["holds"] is True
    assert transcript.digest in said("verify", "d.jsonl") and transcript.digest in said("replay", "d.jsonl")
    assert json.loads(said("replay", "d.jsonl", "--json"))["digest"] == transcript.digest
    assert "d.jsonl" in said("list", ".") and "75 %" in said("list", ".")
    assert json.loads(said("list", ".", "--json"))["outcome"] == "decided"


def test_without_a_name_the_play_is_recorded_all_the_same(folder: Path) -> None:
    text = said(*DEBATE)
    (path,) = (folder / "runs").iterdir()
    assert path.name.startswith("debate-") and path.name in text


@pytest.mark.parametrize(
    "form, part", [("json", '"moot-tree"'), ("dot", "digraph"), ("mermaid", "flowchart"), ("graphml", "<graphml")]
)
def test_exports(form: str, part: str, folder: Path) -> None:
    recorded()
    assert part in said("tree", "d.jsonl", "--format", form)
    assert part in said("export", "d.jsonl", "--format", form)
    said("export", "d.jsonl", "--format", form, "-o", "tree.out")
    assert part in (folder / "tree.out").read_text()
    assert "exists already" in refused("export", "d.jsonl", "--format", form, "-o", "tree.out")


def test_an_export_of_the_events_unseals(folder: Path) -> None:
    before = Path(recorded()).read_bytes()
    said("seal", "d.jsonl")
    assert not Path("d.jsonl").exists()
    said("export", "d.jsonl.zst", "--format", "jsonl", "-o", "again.jsonl")
    assert Path("again.jsonl").read_bytes() == before
    for verb in ("show", "tree", "cost", "verify", "replay"):
        said(verb, "d.jsonl.zst")
    assert "d.jsonl.zst" in said("list", ".")


def test_both_seatings_show_what_the_seat_is_worth() -> None:
    text = said(*DEBATE, "--both-seatings", "-o", "e.jsonl")
    assert "seat a gains +0.000" in text
    found = json.loads(said(*DECIDE, "judge=python:cli_agents:first_speaker",
                            "--both-seatings", "-o", "f.jsonl", "--json"))  # fmt: skip
    assert found["first_seat"] == pytest.approx(0.3) and found["mean"] == pytest.approx([0.5, 0.5])
    assert moot.load("f.swapped.jsonl").started["protocol"]["params"] == {"swap": True}
    assert "no seats to swap" in refused("run", "-P", "direct-qa", *QUESTION, *JUDGE, "--both-seatings")


def test_a_configuration_file_and_what_is_typed_over_it() -> None:
    Path("c.toml").write_text(
        'protocol = "debate"\nseed = 3\n[params]\nrounds = 1\n[seats]\ndebater = "python:cli_agents:speaker"\n'
        'judge = "python:cli_agents:judge"\n[bounds.judge]\nreads = "n^2"\n'
    )
    said(
        "run",
        "--config",
        "c.toml",
        *QUESTION,
        "-o",
        "d.jsonl",
        "-p",
        "order=sequential",
        "--seat",
        "judge=python:cli_agents:FirstChoice",
    )
    transcript = moot.load("d.jsonl")
    assert transcript.started["protocol"]["params"] == {"rounds": 1, "order": "sequential"}
    assert transcript.seed == 3 and transcript.bounds == {"judge": {"reads": transcript.question.size**2}}
    assert transcript.seats["judge"]["name"].endswith("FirstChoice")
    Path("c.toml").write_text("protocl = 1")
    assert "'protocl' is no setting" in refused("run", "--config", "c.toml", *QUESTION)
    for line, says in (
        ('seed = "3"', "seed is '3'; it must be a whole number"),
        ('[bounds]\n"judge.reads" = 9', "bounds.judge.reads must be a table: [bounds.SEAT]"),
    ):
        Path("c.toml").write_text(line)
        assert says in refused("run", "-P", "debate", "--config", "c.toml", *QUESTION)
    Path("c.toml").write_text("protocol =")
    assert "c.toml is no TOML" in refused("run", "--config", "c.toml", *QUESTION)


def test_an_undecided_play_is_exit_code_1() -> None:
    text = said(
        "run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:broken", *JUDGE, "-o", "d.jsonl", code=1
    )
    assert "Errored at step 0.0.0: seat a failed: RuntimeError: the agent broke" in text
    text = said("run", "-P", "debate", *QUESTION, *SPEAKERS, "--seat", "judge=python:cli_agents:reader", "--bound",
                "judge.reads=1", "-o", "e.jsonl", code=1)  # fmt: skip
    assert "Exhausted at step" in text


def test_hostile_agents_do_not_reach_the_terminal() -> None:
    words = ("run", "-P", "debate", *QUESTION, "--seat", "debater=python:cli_agents:hostile", *JUDGE, "-o", "d.jsonl")
    shown = said(*words) + "".join(
        said(*verb, "d.jsonl") for verb in (("show",), ("tree",), ("cost",), ("show", "--json"))
    )
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert r"\x1b[2J" in shown


def test_a_dry_run_calls_nobody_and_needs_no_key() -> None:
    text = said("run", "-P", "debate", *QUESTION, "--seat", "debater=openai:gpt-x", *JUDGE, "--dry-run")
    assert re.search(r"^a +2 +28 ", text, re.M) and re.search(r"^judge +1 +2 +0 +0 +0$", text, re.M)
    assert not list(Path().iterdir())
    found = json.loads(said("run", "-P", "debate", *QUESTION, "--dry-run", "--json"))
    assert found["total"]["prompt_tokens"] is None and found["total"]["moves"] == 5
    found = json.loads(said("run", "-P", "debate", *QUESTION, "--dry-run", "--json", "-p", "limit.chars=100"))
    assert found["seats"]["judge"]["prompt_tokens"] > 4 * 500 and found["seats"]["a"]["completion_tokens"] is None
    endless = '[{"part":"speeches"},{"part":"feedback"}]'
    text = said("run", "-P", "debate", *QUESTION, "--dry-run", "-p", "rounds=null", "-p", f"repeat={endless}")
    assert "unbounded: debate with these parameters has no last round" in text


def test_the_bound_of_a_dry_run_holds_for_a_real_one() -> None:
    words = (
        "run",
        "-P",
        "debate",
        *QUESTION,
        *SPEAKERS,
        "--seat",
        "judge=python:cli_agents:reader",
        "-p",
        "questions=false",
    )
    bill = json.loads(said(*words, "--dry-run", "--json"))
    said(*words, "-o", "d.jsonl")
    for seat, spending in moot.load("d.jsonl").ledger.seats.items():
        assert spending.calls <= bill["seats"][seat]["calls"]


# -- many questions -----------------------------------------------------------------------------------------------


SET = ("run", "-P", "debate", "--seat", "debater=python:cli_agents:speaker", *JUDGE)


def test_a_set_is_played_once() -> None:
    text = said(*SET, "--set", a_set(5), "-o", "out", "-j", "3")
    assert "5 decided" in text and "2 right, 3 wrong" in text
    files = {path.name: path.read_bytes() for path in Path("out").glob("*.jsonl")}
    assert sorted(files) == [f"q-{i}.jsonl" for i in range(5)]
    assert len({moot.load(path).seed for path in Path("out").glob("*.jsonl")}) == 5
    said("seal", "out/q-1.jsonl")
    text = said(*SET, "--set", "set.jsonl", "-o", "out")
    assert "\n5 kept\n" in text
    assert {path.name: path.read_bytes() for path in Path("out").glob("*.jsonl")} == {
        name: data for name, data in files.items() if name != "q-1.jsonl"
    }


AGENT = """
import moot
class Speaker:
    def __init__(self): self.text = "so it is"
    def act(self, request): return moot.Speech(text=self.text)
class Judge:
    def act(self, request): return moot.Verdict(probabilities=(0.25, 0.75))
class Own(moot.Debate):
    rounds: int = 1
"""


def test_a_folder_that_is_played_again_plays_what_changed() -> None:
    module = Path(f"mine{os.getpid()}.py")

    def play(*more: str, protocol: str = "debate") -> dict[str, Any]:
        seats = ("--seat", f"debater=python:{module}:Speaker", "--seat", f"judge=python:{module}:Judge")
        words = ("run", "-P", protocol, *seats, "--set", "set.jsonl", "-o", "out", "--json", *more)
        for name in [name for name in sys.modules if name.startswith(("_moot_mine", "mine"))]:
            del sys.modules[name]
        rows = [json.loads(line) for line in said(*words).splitlines()]
        return {row["path"].removeprefix("out/"): (row["how"], row["why"]) for row in rows[:-1]} | {
            "how": rows[-1]["how"]
        }

    a_set(3)
    module.write_text(AGENT)
    assert play()["how"] == {"played": 3}
    assert play()["how"] == {"kept": 3}
    digests = {path.name: moot.load(path).digest for path in Path("out").glob("*.jsonl")}
    said("seal", "out/q-1.jsonl")
    module.write_text(AGENT.replace("so it is", "it is not so"))
    changed = ("played again", "a has changed")
    assert play() == {f"q-{n}.jsonl": changed for n in range(3)} | {"how": {"played again": 3}}
    aside = {path.name: moot.load(path).digest for path in Path("out/replaced").glob("*.jsonl*")}
    assert aside == {
        "q-0.replaced-1.jsonl": digests["q-0.jsonl"], "q-1.replaced-1.jsonl.zst": digests["q-1.jsonl"],
        "q-2.replaced-1.jsonl": digests["q-2.jsonl"],
    }  # fmt: skip
    lines = Path("set.jsonl").read_text().replace("Question 2?", "Question two?").replace('"truth": 1', '"truth": 0')
    Path("set.jsonl").write_text(lines)
    whole = Path("out/q-0.jsonl").read_bytes()
    Path("out/q-0.jsonl").write_bytes(whole[: len(whole) // 2])
    assert play() == {
        "q-0.jsonl": ("resumed", None), "q-1.jsonl": ("played again", "another truth"),
        "q-2.jsonl": ("played again", "another question"), "how": {"resumed": 1, "played again": 2},
    }  # fmt: skip
    assert play("--bound", "judge.reads=n+9000")["q-0.jsonl"] == ("played again", "judge has changed")
    assert play("--bound", "judge.reads=n+9000", "--seed", "4")["q-0.jsonl"] == ("played again", "another seed")
    assert play(protocol=f"{module.stem}:Own")["q-0.jsonl"] == ("played again", "another seed")
    assert play(protocol=f"{module.stem}:Own")["how"] == {"kept": 3}
    module.write_text(module.read_text().replace("rounds: int", "least: int = 1; rounds: int"))
    importlib.invalidate_caches()
    assert play(protocol=f"{module.stem}:Own")["q-0.jsonl"] == ("played again", "the protocol has changed")
    assert len(list(Path("out/replaced").glob("q-0.*.jsonl"))) == 5
    kept = [moot.load(path) for path in Path("out/replaced").glob("*.jsonl")]
    assert all(each.sample.unseal() in (0, 1) for each in kept)  # the truth went with each


def test_whoever_took_up_a_play_counts_too() -> None:
    said(*SET, "--set", a_set(1), "-o", "out")
    lines = Path("out/q-0.jsonl").read_bytes().splitlines(keepends=True)
    Path("out/q-0.jsonl").write_bytes(b"".join(lines[:4]))
    said("resume", "out/q-0.jsonl", *SPEAKERS, "--seat", "judge=python:cli_agents:FirstChoice")
    assert "1 played again: judge has changed; what was there is in out/replaced" in said(
        *SET, "--set", "set.jsonl", "-o", "out"
    )


def test_models_that_differ_by_host_alone_are_refused() -> None:
    a_set(1)
    seats = ("--seat", "a=openai:m@http://127.0.0.1:1/v1", "--seat", "b=openai:m@http://127.0.0.1:2/v1", *JUDGE)
    text = refused("run", "-P", "debate", *seats, "--set", "set.jsonl", "-o", "out")
    assert "the model m of 'a' is at http://127.0.0.1:1/v1, that of 'b' at http://127.0.0.1:2/v1" in text
    assert "identity" in text and not Path("out").exists()
    told = [f'[agents.m{n}]\nkind = "openai"\nmodel = "m"\nidentity = "m"\nbase_url = "http://127.0.0.1:{n}/v1"\nretries = 0\n'
            for n in (1, 2)]  # fmt: skip
    Path("c.toml").write_text("\n".join(told))
    words = ("run", "-P", "debate", "--config", "c.toml", "--seat", "a=m1", "--seat", "b=m2", *JUDGE)
    assert "1 errored" in said(*words, "--set", "set.jsonl", "-o", "out", code=1)


def test_a_set_takes_up_what_was_torn_and_what_failed() -> None:
    said(*SET, "--set", a_set(4), "-o", "out")
    whole = {path.name: moot.load(path).digest for path in Path("out").glob("*.jsonl")}
    lines = Path("out/q-0.jsonl").read_bytes().splitlines(keepends=True)
    Path("out/q-0.jsonl").write_bytes(b"".join(lines[:3]) + lines[3][:30])
    Path("out/q-1.jsonl").write_bytes(lines[0][:30])
    Path("out/q-2.jsonl").write_bytes(b"")
    Path("out/q-3.jsonl").unlink()
    found = [json.loads(line) for line in said(*SET, "--set", "set.jsonl", "-o", "out", "--json").splitlines()]
    assert [row["how"] for row in found[:4]] == ["resumed", "played", "played", "played"]
    assert {path.name: moot.load(path).digest for path in Path("out").glob("*.jsonl")} == whole
    said("replay", *sorted(map(str, Path("out").glob("*.jsonl"))))


def test_a_broken_file_in_the_folder_is_reported_and_the_rest_goes_on() -> None:
    said(*SET, "--set", a_set(3), "-o", "out")
    Path("out/q-0.jsonl").write_bytes(b"not a transcript\n")
    Path("out/q-1.jsonl").unlink()
    text = said(*SET, "--set", "set.jsonl", "-o", "out", code=1)
    assert "2 decided, 1 not played" in text and "q-0.jsonl" in text and "JSON" in text
    assert Path("out/q-0.jsonl").read_bytes() == b"not a transcript\n"


def test_the_built_in_passages_with_both_seatings() -> None:
    text = said(*SET, "--set", "passages", "--limit", "4", "--both-seatings", "-o", "out")
    assert "8 decided" in text and "(4 pairs)" in text and len(list(Path("out").glob("*.jsonl"))) == 8


def test_sets_that_cannot_be_played() -> None:
    assert "give a folder" in refused(*SET, "--set", a_set(1))
    Path("file").write_text("x")
    assert "is a file" in refused(*SET, "--set", "set.jsonl", "-o", "file")
    assert "exclude each other" in refused(*SET, *QUESTION, "--set", "set.jsonl", "-o", "out")
    assert "none.jsonl" in refused(*SET, "--set", "none.jsonl", "-o", "out")
    Path("bad.jsonl").write_text('{"question": "x", "choices": ["only"]}')
    assert "bad.jsonl, line 1" in refused(*SET, "--set", "bad.jsonl", "-o", "out")
    Path("three.jsonl").write_text('{"question": "x", "choices": ["1", "2", "3"]}')
    words = ("run", "-P", "debate", *SPEAKERS, *JUDGE, "--set", "three.jsonl", "-o", "out")
    assert "nobody sits at 'c'" in refused(*words)


# -- again ---------------------------------------------------------------------------------------------------------


def test_resume_fork_and_rejudge() -> None:
    recorded()
    whole = moot.load("d.jsonl")
    text = said("rejudge", "d.jsonl", "--judge", "python:cli_agents:FirstChoice", "-o", "r.jsonl")
    assert "a storm (90 %)" in text
    assert [s.move for s in moot.load("r.jsonl").steps() if s.seat != "judge"] == [
        s.move for s in whole.steps() if s.seat != "judge"
    ]
    seats = (*SPEAKERS, "--seat", "judge=python:cli_agents:FirstChoice")
    said("fork", "d.jsonl", "--at", "1.0.0", *seats, "-o", "f.jsonl")
    assert moot.load("f.jsonl").ledger.seats["a"].recorded == 1
    lines = Path("d.jsonl").read_bytes().splitlines(keepends=True)
    Path("cut.jsonl").write_bytes(b"".join(lines[:4]) + lines[4][:9])
    said("resume", "cut.jsonl", *SPEAKERS, *JUDGE)
    assert moot.load("cut.jsonl").digest == whole.digest
    assert "has ended" in refused("resume", "d.jsonl", *SPEAKERS, *JUDGE)
    assert "no move was recorded at step '9'" in refused("fork", "d.jsonl", "--at", "9", *seats, "-o", "x.jsonl")
    said("fork", "d.jsonl", "--at", "2", *seats[4:], "-o", "g.jsonl")
    said("fork", "d.jsonl", "--at", "1.0.0", "-s", "debater=python:cli_agents:speaker", *seats[4:], "-o", "h.jsonl")
    assert moot.load("g.jsonl").digest == moot.load("r.jsonl").digest == moot.load("h.jsonl").digest
    assert "nobody sits at 'b'" in refused("fork", "d.jsonl", "--at", "1.0.0", *seats[:2], "-o", "y.jsonl")
    said("resume", "y.jsonl", "-s", "debater=python:cli_agents:speaker", *JUDGE)
    assert moot.load("y.jsonl").digest == whole.digest
    assert "r.jsonl exists already" in refused(
        "rejudge", "d.jsonl", "--judge", "python:cli_agents:judge", "-o", "r.jsonl"
    )
    assert not Path("x.jsonl").exists()
