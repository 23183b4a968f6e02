"""`moot study` in processes of its own: killed, interrupted, taken up; and what it says of bad input."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from cli_calls import call, folder, refused, said
from test_kill import Nursery, lines_of, moved

import moot
from moot.protocols.engine.steps import seed_of
from moot.studies.folder import read_design, rows_in
from moot.testing.server.faults import Fault
from moot.testing.server.replies import default_reply
from moot.testing.server.server import MockOpenAI

__all__ = ["folder"]
COUNT = 4
MODELS = ("one", "two", "three")


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("nursery") / "errors")
    yield made
    assert made.process.stdin is not None and made.process.stdout is not None
    made.process.stdin.close()
    made.process.wait(60)
    made.process.stdout.close()


def toml(url: str, more: str = "", **keys: str) -> str:
    """A study of three arms, each with a model of its own, one of which judges another again."""
    texts = "".join(
        json.dumps({"id": f"q{n}", "text": f"Who {n}? é", "choices": ["x é", "y"], "truth": n % 2}, ensure_ascii=False)
        + "\n"
        for n in range(COUNT)
    )
    Path("set.jsonl").write_text(texts, encoding="utf-8")
    agents = "".join(
        f'[agents.{name}]\nkind = "openai"\nmodel = "{name}"\nbase_url = "{url}"\nmax_tokens = 200\n' for name in MODELS
    )
    head = {"name": '"kills"', "questions": '"set.jsonl"', **keys}
    Path("study.toml").write_text(
        "".join(f"{key} = {value}\n" for key, value in head.items()) + agents + f'''
[arms.debate]
protocol = "debate"
params = {{rounds = 1, order = "simultaneous"}}
seats = {{debater = "one", judge = "one"}}

[arms.alone]
protocol = "direct-qa"
seats = {{judge = "two"}}

[arms.again]
of = "debate"
repetitions = 2
seats = {{judge = "three"}}
{more}''', encoding="utf-8")  # fmt: skip
    return "study.toml"


def asked(server: MockOpenAI) -> list[tuple[str, int]]:
    return [(each.body["model"], each.body["seed"]) for each in server.calls]


def settled(server: MockOpenAI) -> None:
    """Wait for what a process that is gone had sent."""
    quiet, end = 0, time.monotonic() + 10
    while quiet < 3 and time.monotonic() < end:
        time.sleep(0.004)
        quiet = 0 if server.in_flight else quiet + 1


def done(path: Path) -> set[tuple[str, int]]:
    """The calls that a transcript holds the answers of, as the server sees them."""
    lines = lines_of(path)
    if not lines:
        return set()
    start = json.loads(lines[0])
    own = [line for line in lines if b'"recorded":true' not in line]
    draws = (start["meta"].get("parent") or start.get("parent") or {}).get("seed", start["seed"])
    models = {json.loads(line)["step"]: json.loads(line)["model"] for line in lines if b'"event":"attempted"' in line}
    return {(models[step], seed_of(draws, step) % 2**31) for step in moved(own)}


def transcripts(out: Path) -> list[Path]:
    return sorted(out.glob("cells/*/*.jsonl"))


def check(out: Path, server: MockOpenAI) -> None:
    """The whole study is there, and as it would have been in one go."""
    rows = list(rows_in(out))
    assert len(rows) == 4 * COUNT and {row["outcome"] for row in rows} == {"decided"}
    assert all(moot.verify(moot.load(path)).ended for path in transcripts(out))
    for path in transcripts(out):
        moot.replay(moot.load(path))


def killed_again_and_again(nursery: Nursery, out: Path, server: MockOpenAI, url: str, kills: int, seed: int) -> int:
    """Kill a study so often, and have it end; how many answers of killed runs were kept, all of them together."""
    words = ["moot", "study", "run", str(out.parent / toml(url)), "-o", str(out), "-j", "4"]
    chance, whole = random.Random(seed), 3 * COUNT + COUNT + 2 * COUNT
    kept, killed = 0, 0
    for number in range(kills + 1):
        before = {path: lines_of(path) for path in transcripts(out)}
        had = set().union(*map(done, before))
        settled(server)
        server.reset()
        code = nursery.run(words, lambda: server.count, chance.randrange(2, 12) if number < kills else None)
        now = asked(server)
        assert had.isdisjoint(now), "a call was made again whose answer was recorded"
        assert len(now) == len(set(now)), "a call was made twice in one run"
        for path, lines in before.items():
            assert lines_of(path)[: len(lines)] == lines, "a line was lost"
        fresh = set().union(*map(done, transcripts(out))) - had
        assert fresh <= set(now)
        kept, killed = kept + len(had), killed + (code == -signal.SIGKILL)
        assert len(now) - len(fresh) <= 3 * 4  # of each of four plays the calls in flight: three seats at most
    assert code == 0 and killed, nursery.errors.read_text()
    assert len(set().union(*map(done, transcripts(out)))) == whole and len(now) == whole - len(had)
    check(out, server)
    return kept


needs_kill = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL and fork")


@needs_kill
def test_a_study_that_is_killed_again_and_again(folder: Path, nursery: Nursery) -> None:
    server = MockOpenAI(latency=0.01, model_names=MODELS)
    with server.serve() as url:
        assert killed_again_and_again(nursery, folder / "out", server, url, 2, 5) > 0


@needs_kill
@pytest.mark.long
@pytest.mark.parametrize("seed", range(40))
def test_a_study_that_is_killed_two_hundred_times(folder: Path, seed: int, nursery: Nursery) -> None:
    server = MockOpenAI(latency=0.01, model_names=MODELS)
    with server.serve() as url:
        killed_again_and_again(nursery, folder / "out", server, url, 5, seed)


def interrupted(nursery: Nursery, words: list[str], count: Callable[[], int], most: int) -> int:
    """What a process ends with that gets one SIGINT once so many calls were made."""
    assert nursery.process.stdin is not None and nursery.process.stdout is not None
    nursery.process.stdin.write(json.dumps(words) + "\n")
    nursery.process.stdin.flush()
    child = int(nursery.process.stdout.readline())
    end = time.monotonic() + 30
    while count() < most and time.monotonic() < end:
        time.sleep(0.002)
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGINT)
    return int(nursery.process.stdout.readline())


@needs_kill
def test_an_interrupted_study_says_so_and_goes_on(folder: Path, nursery: Nursery) -> None:
    server, out = MockOpenAI(latency=0.02, model_names=MODELS), folder / "out"
    with server.serve() as url:
        words = ["moot", "study", "run", str(folder / toml(url)), "-o", str(out), "-j", "2"]
        codes, had = [], set[tuple[str, int]]()
        for most in (2, 7):
            settled(server)
            server.reset()
            codes.append(interrupted(nursery, words, lambda: server.count, most))
            assert had.isdisjoint(asked(server)) and len(set(asked(server))) == server.count
            had = set().union(*map(done, transcripts(out)))
        assert codes == [130] * 2, nursery.errors.read_text()
        assert (
            "the same command goes on" in nursery.errors.read_text() and "Traceback" not in nursery.errors.read_text()
        )
        assert "not ended" in said("study", "status", str(out)) or "not played" in said("study", "status", str(out))
        settled(server)
        server.reset()
        assert nursery.run(words) == 0 and had.isdisjoint(asked(server)) and server.count == 6 * COUNT - len(had)
        check(out, server)
        server.reset()
        assert nursery.run(words) == 0 and server.count == 0  # all is there


@needs_kill
def test_two_processes_and_a_process_that_only_looks(folder: Path) -> None:
    server, out = MockOpenAI(latency=0.05, model_names=MODELS), folder / "out"
    with server.serve() as url:
        words = [sys.executable, "-m", "moot", "study", "run", toml(url), "-o", str(out)]
        first = subprocess.Popen(words, stdout=-1, stderr=-1, env=dict(os.environ, OPENAI_API_KEY="k"))
        try:
            end = time.monotonic() + 30
            while server.count < 2 and first.poll() is None and time.monotonic() < end:
                time.sleep(0.005)
            assert "another process runs the study" in refused("study", "run", "study.toml", "-o", str(out))
            assert json.loads(said("study", "status", str(out), "--json"))["cells"] == 4 * COUNT
        finally:
            told = first.communicate(timeout=60)
        assert first.returncode == 0, told
    assert server.count == len(set(asked(server))) == 6 * COUNT


# -- what is said --------------------------------------------------------------------------------------------------


def test_programs_from_a_file_run_with_status_and_results(folder: Path) -> None:
    Path("judges.py").write_text(
        "import moot\n\ndef sure(request):\n    return moot.Verdict(probabilities=(0.9, 0.1))\n\n"
        "study = moot.Study('in Python', [moot.Question(f'Who {n}?', ('x', 'y'), id=f'q{n}') for n in range(3)],\n"
        "                   {'qa': moot.Arm(moot.DirectQA(), {'judge': sure})})\n\n"
        "def made():\n    return study\n\nnone = 7\n"
    )
    for name in ("study", "made"):
        told = json.loads(said("study", "run", f"judges.py:{name}", "-o", "out", "--json"))
        assert told["outcomes"] == {"decided": 3}
    assert told["how"] == {"kept": 3}
    assert "qa: 3 decided" in said("study", "status", "out")
    assert json.loads(said("study", "results", "out", "--to", "json"))[0]["arm"] == "qa"
    assert "is no study" in refused("study", "run", "judges.py:none", "-o", "x")
    assert "nothing" in refused("study", "run", "judges.py:nothing", "-o", "x")
    assert "nowhere" in refused("study", "run", "nowhere:study", "-o", "x")
    assert not Path("x").exists()
    Path("other.py").write_text(Path("judges.py").read_text().replace("in Python", "another"))
    assert "folder of study 'in Python', not of 'another'" in refused("study", "run", "other.py:study", "-o", "out")
    assert "holds no study" in refused("study", "status", "x") and "holds no study" in refused("study", "results", ".")


def test_a_run_that_stops_at_a_limit_says_so_and_goes_on(folder: Path) -> None:
    server = MockOpenAI(model_names=MODELS)
    with server.serve() as url:
        words = ("study", "run", toml(url), "-o", "out", "-j", "1")
        assert "unknown, so that a cap cannot hold" in refused(*words, "--max-cost", "1") and server.count == 0
        assert "can take" in refused(*words, "--max-tokens", "500") and server.count == 0
        stopped = call(*words, "--max-tokens", "9000")
        assert stopped.exit_code == 1 and "tokens" in stopped.stderr and "the same command goes on" in stopped.stderr
        assert 0 < server.count < 6 * COUNT
        assert call(*words, "--max-tokens", "1000000").exit_code == 0 and server.count == 6 * COUNT


@pytest.mark.parametrize(
    ("more", "keys", "told"),
    [
        ("", {"qeustions": '"set.jsonl"'}, "qeustions is no key; did you mean 'questions'"),
        ("[arms.bad]\nprotocl = 'debate'\n", {}, "arms.bad.protocl is no key"),
        ("[protocols]\n'direct-qa' = {}\n[seats]\njudge = []\n", {}, "the axis 'judge' is empty"),
        ("[protocols]\n", {"seatings": '"twice"'}, "seatings is 'twice'"),
        ("[arms.copy]\nprotocol = 'direct-qa'\nseats = {judge = 'two'}\n", {}, "'alone' and 'copy' differ in nothing"),
        ("[arms.copy]\nof = 'nobody'\nseats = {judge = 'two'}\n", {}, "'nobody'"),
        ("[arms.alone]\nprotocol = 'direct-qa'\n", {}, "is no TOML"),
        ("[arms.x]\nprotocol = 'direct-qa'\nseats = {judge = 'tow'}\n", {}, "no agent 'tow'; did you mean 'two'"),
        ("", {"questions": '"elsewhere.jsonl"'}, "elsewhere.jsonl"),
        ("", {"questions": "3"}, "questions is a file"),
        ("", {"epochs": "0"}, "epochs is 0"),
        ("", {"name": '""'}, "needs a name"),
        ("", {"name": "7"}, "needs a name"),
        ("[[without]]\njugde = 'x'\n", {}, "without.jugde is no key"),
        ("[[without]]\narm = 'debate'\n[[without]]\narm = 'alone'\n", {}, "no cells"),
        ("[[without]]\narm = 'debat'\n", {}, "leaves nothing out"),
        ("[[without]]\narm = ['debate', 'alone']\n", {}, "leaves nothing out"),
        ("gates = 3\n", {}, "gates"),
    ],
)  # fmt: skip
def test_bad_input_is_told_and_nothing_is_made(folder: Path, more: str, keys: dict[str, str], told: str) -> None:
    spec = toml("http://127.0.0.1:9/v1", more, **keys)
    error = refused("study", "run", spec, "-o", "out")
    assert told in error and "study.toml" in error and "Traceback" not in error
    assert not Path("out").exists()


def test_questions_of_one_name_are_told_with_their_file(folder: Path) -> None:
    spec = toml("http://127.0.0.1:9/v1")
    Path("set.jsonl").write_text(Path("set.jsonl").read_text(encoding="utf-8") * 2, encoding="utf-8")
    error = refused("study", "run", spec, "-o", "out")
    assert "q0" in error and not Path("out").exists()


def test_a_storm_of_429_costs_no_completed_call(folder: Path) -> None:
    seen: dict[tuple[str, int], int] = {}

    def reply(body: dict[str, Any]) -> Any:
        key = body["model"], body["seed"]
        seen[key] = seen.get(key, 0) + 1
        return Fault.http(429, retry_after=0.01) if seen[key] <= 2 else default_reply(body)

    server = MockOpenAI(reply, model_names=MODELS)
    with server.serve() as url:
        Path("slow.toml").write_text(Path(toml(url)).read_text(encoding="utf-8").replace("max_tokens = 200", "max_tokens = 200\nbackoff = 0.001"), encoding="utf-8")  # fmt: skip
        result = call("study", "run", "slow.toml", "-o", "out", "-j", "8")
        assert result.exit_code == 0, result.stdout + result.stderr
    assert set(seen.values()) == {3} and len(seen) == 6 * COUNT
    assert read_design("out").size == 4 * COUNT


def test_a_model_that_is_gone_half_way_stops_no_other_arm(folder: Path) -> None:
    gone, counts = True, dict.fromkeys(MODELS, 0)

    def reply(body: dict[str, Any]) -> Any:
        if gone and body["model"] == "two" and counts["two"] == 2:
            return Fault.http(404, "The model `two` was retired")
        counts[body["model"]] += 1
        return default_reply(body)

    server = MockOpenAI(reply, model_names=MODELS)
    with server.serve() as url:
        words = ("study", "run", toml(url), "-o", "out", "-j", "1")
        done = call(*words)
        assert done.exit_code == 1 and "2 errored" in done.stdout and "was retired" in done.stdout
        assert "14 decided" in done.stdout and "alone: 2 decided, 2 errored" in said("study", "status", "out")
        gone, before = False, dict(counts)
        assert call(*words).exit_code == 0
    assert counts == {**before, "two": COUNT} and before["one"] == 3 * COUNT and before["three"] == 2 * COUNT
