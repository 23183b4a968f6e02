"""Files that were made to do harm: every command that takes a transcript ends in words, whatever is in it."""

from __future__ import annotations

import subprocess
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli_calls import MAIN, call, environment
from hostile_kit import CHANGES, VALUES, calls, chained, mutant, originals, takers
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.transcripts import sealed
from moot.transcripts.display.notebook import as_html
from moot.transcripts.sealed import library, unsealed
from moot.transcripts.wellformed import noted

PLAYS = originals()


def test_every_command_that_takes_a_transcript_is_tried() -> None:
    assert {
        "show",
        "tree",
        "cost",
        "verify",
        "replay",
        "export",
        "list",
        "seal",
        "sign",
        "resume",
        "fork",
        "rejudge",
        "import",
    } <= set(takers())


def tried(data: bytes, seats: list[str], folder: Path, commands: list[str]) -> Counter[int | None]:
    """The exit codes of commands on a file, after checking that each is one of those for bad files."""
    codes: Counter[int | None] = Counter()
    for name in commands:
        home = folder / name
        home.mkdir(parents=True)
        path = home / "t.jsonl"
        path.write_bytes(data)
        for words in calls(name, path, seats):
            if name in CHANGES:
                path.write_bytes(data)
            done = call(*words)
            assert done.exit_code in (0, 1, 2) and (done.exception is None or isinstance(done.exception, SystemExit)), (
                words, done.exit_code, done.stderr, done.exception,
            )  # fmt: skip
            codes[done.exit_code] += 1
    return codes


def _hostile(count: int, seed: int, folder: Path) -> None:
    """Every command on so many files: where there are few files, each meets three of them."""
    (folder / "key").write_bytes(b"k" * 32)
    (folder / "key").chmod(0o600)
    chance, codes, commands = Random(seed), Counter[int | None](), sorted(takers())
    for number in range(count):
        _, events = PLAYS[chance.randrange(len(PLAYS))]
        share = commands if count > 60 else chance.sample(commands, 3)
        codes += tried(mutant(chance, events), list(events[0][0]["roles"]), folder / str(number) / "x", share)
        (folder / str(number) / "key").write_bytes(b"k" * 32)
    assert codes[0] > count / 20 and codes[1] > count / 2  # some of it harmless, most of it refused


def test_hostile_files_end_in_words(tmp_path: Path) -> None:
    _hostile(40, 7, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_seven_hundred_hostile_files_end_in_words(seed: int, tmp_path: Path) -> None:
    _hostile(70, seed, tmp_path)


@pytest.mark.parametrize(
    "command", ["show", *(pytest.param(name, marks=pytest.mark.long) for name in sorted(takers()))]
)
def test_hostile_files_end_in_words_in_a_process_of_its_own(
    command: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    chance = Random(5)
    (tmp_path / "key").write_bytes(b"k" * 32)
    (tmp_path / "key").chmod(0o600)
    for number in range(10 if request.config.getoption("--long") else 2):
        _, events = PLAYS[chance.randrange(len(PLAYS))]
        home = tmp_path / str(number)
        home.mkdir()
        (home / "t.jsonl").write_bytes(mutant(chance, events))
        words = next(calls(command, home / "t.jsonl", list(events[0][0]["roles"])))
        done = subprocess.run([*MAIN, *words], capture_output=True, text=True, env=environment(), timeout=120)
        assert done.returncode in (0, 1, 2) and "Traceback" not in done.stderr, (words, done.stderr)


READS: list[Any] = [
    lambda play: play.outcome, lambda play: list(play.steps()), lambda play: play.tree, lambda play: play.ledger, as_html,
    lambda play: play.guarantee, moot.replay, moot.verify, lambda play: play.sample.unseal(), lambda play: play.digest,
]  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(chance=st.integers(0, 2**32).map(Random), play=st.sampled_from(PLAYS))
def test_every_reader_gives_an_answer_or_a_reason(chance: Random, play: Any) -> None:
    data = mutant(chance, play[1], 5)
    for read in READS:
        try:
            read(moot.Transcript(data.splitlines(keepends=True)))
        except moot.MootError:
            pass


def _debate() -> list[tuple[dict[str, Any], Any]]:
    return next(events for name, events in originals() if name == "v2/debate.jsonl")


@pytest.mark.parametrize(
    ("place", "field", "value", "says"),
    [
        (1, "step", "0.x", r"line 2 \(event moved, step '0.x'\): step is '0.x'; it must be a path of numbers"),
        (1, "step", 7, r"line 2 .*step is 7; it must be a path"),
        (1, "seat", "zed", r"line 2 .*seat is 'zed'; it must be one of a, b"),
        (1, "size", -1, r"line 2 .*size is -1; it must be a whole number from 0"),
        (1, "size", True, "size is True"),
        (1, "move", [], r"move is \[\]; it must be an object"),
        (1, "reads", 10**400, "reads is 1000.*…; it must be"),
        (1, "meta.spent", {"reads": -5}, "meta.spent is .*with a number, 0 or more, for any of reads"),
        (1, "meta.seconds", float("nan"), "meta.seconds is nan"),
        (0, "roles", {"a b": "judge"}, "roles is 'a b'"),
        (0, "bounds", {"nobody": {"reads": 1}}, "bounds.nobody"),
        (0, "protocol", {"name": "debate"}, "protocol is .*a name and an object of params"),
        (0, "question", {"text": "", "size": 1}, "question is .*a question that can be asked"),
        (0, "question", {"text": "x", "size": 1, "passages": ""}, "question is"),
        (0, "meta.sealed", {"truth": 9}, "meta.sealed is"),
        (-1, "outcome", {"kind": "decided"}, "holds an outcome that this moot cannot read: .*verdict"),
        (-1, "outcome", {"kind": "decided", "verdict": {"kind": "verdict", "probabilities": [0.5, 0.5]}}, "over the 3 choices"),
        (-1, "meta", 3, "meta is 3; it must be an object"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(place: int, field: str, value: Any, says: str, tmp_path: Path) -> None:
    events = _debate()
    event, meta = events[place]
    if field == "meta":
        events[place] = (event, value)
    else:
        (meta if field.startswith("meta.") else event)[field.removeprefix("meta.")] = value
    (tmp_path / "t.jsonl").write_bytes(chained(events))
    with pytest.raises(moot.TranscriptError, match=r"t\.jsonl: .*" + says):
        moot.load(tmp_path / "t.jsonl")


def test_a_second_beginning_is_refused(tmp_path: Path) -> None:
    events = _debate()
    (tmp_path / "t.jsonl").write_bytes(chained([*events[:3], events[0]]))
    with pytest.raises(moot.TranscriptError, match="line 4: a second play begins here"):
        moot.load(tmp_path / "t.jsonl")


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(VALUES), st.sampled_from(["cost", "ok", "prompt_tokens", "error"]))
def test_what_an_agent_notes_can_be_read_again(value: Any, field: str) -> None:
    """What could not be read again is refused when it is noted, so that no file is lost for it."""

    def agent(request: moot.Request) -> moot.Move:
        request.note({"event": "attempted", field: value})
        return moot.testing.puppet(request)

    seats = {"a": agent, "b": moot.testing.puppet, "judge": lambda request: moot.Verdict(probabilities=(0.5, 0.5))}
    play = moot.run(moot.Debate(rounds=1), moot.Question("Who?", ("x", "y")), seats)
    assert moot.verify(play).ended and play.ledger is not None
    try:
        noted("attempted", {"step": "0.0.0", "seat": "a", field: value}, play.started["roles"])
    except moot.UsageError:
        assert isinstance(play.outcome, moot.Errored) and f"what an agent notes: {field} is" in play.outcome.cause


# -- sealed files --------------------------------------------------------------------------------------------------------


def packed(content: bytes) -> bytes:
    packer = library().packer(19)
    return bytes(packer.compress(content) + packer.flush())


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b"\0" * (1 << 26), "a line longer than"),
        (b"\n" * (1 << 26), "opens to more than"),
        (b"x" * 4095 + b"\n", "opens to more than"),
    ],
)
def test_a_small_file_that_opens_to_a_huge_one_is_refused_early(
    line: bytes, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealed, "_FREE", 1 << (26 if line[:1] == b"\0" else 24))
    path = tmp_path / "t.jsonl.zst"
    path.write_bytes(packed(line * ((1 << 26) // len(line))))
    assert path.stat().st_size < 20_000
    held = 0
    with pytest.raises(moot.TranscriptError, match=says):
        for piece in unsealed(path):
            held += len(piece)
    assert held <= 1 << 26
    with pytest.raises(moot.TranscriptError):
        moot.load(path)


def test_a_transcript_that_packs_very_well_is_no_bomb(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    speech = moot.Speech(text="so " * 30_000)
    seats = {"a": lambda r: speech, "b": lambda r: speech, "judge": lambda r: moot.Verdict(probabilities=(0.5, 0.5))}
    moot.run(moot.Debate(rounds=12), moot.Question("Who?", ("x", "y")), seats, out=path)
    from moot.transcripts.seal import seal

    before = path.stat().st_size
    assert before > 500 * seal(path).stat().st_size and moot.load(f"{path}.zst").outcome is not None


def test_kit_makes_whole_chains() -> None:
    for name, events in PLAYS[:3]:
        lines = chained(events).splitlines(keepends=True)
        assert len(lines) == len(events), name
        assert moot.verify(moot.Transcript(lines)).events == len(events)
