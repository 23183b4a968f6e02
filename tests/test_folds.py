"""What folding a transcript costs: each file is read once, and an event takes the same work in a long play as in a short one.

Work is counted, in files opened and functions called, and never in seconds.
"""

from __future__ import annotations

import builtins
import copy
import os
import pickle
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.complexity.ledger import ledger_of
from moot.complexity.play import ROOT, Scopes
from moot.transcripts import recent, store, wellformed
from moot.transcripts.display.show import tree_text
from moot.transcripts.events import digest_of, parse
from moot.transcripts.exporters.dot import Dot
from moot.transcripts.exporters.graphml import GraphML
from moot.transcripts.exporters.json_tree import Json
from moot.transcripts.exporters.mermaid import Mermaid
from moot.transcripts.tree import argument_tree

DEBATE = moot.Debate(rounds=3)
SEATS = everywhere(DEBATE, speak)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the transcripts that were opened to be read."""
    found: list[str] = []
    really, low = builtins.open, os.open

    def watched(path: Any, *args: Any, **kwargs: Any) -> Any:
        found.extend([str(path)] * str(path).endswith((".jsonl", ".zst")))
        return really(path, *args, **kwargs)

    def watched_low(path: Any, flags: int, *args: Any, **kwargs: Any) -> int:
        found.extend([str(path)] * (str(path).endswith(".jsonl") and not flags & (os.O_WRONLY | os.O_RDWR)))
        return low(path, flags, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", watched)
    monkeypatch.setattr(os, "open", watched_low)
    return found


def folded(transcript: moot.Transcript) -> tuple[Any, ...]:
    tree = transcript.tree
    return transcript.outcome, transcript.digest, transcript.ledger, sorted(tree.nodes(data="text")), sorted(tree.edges)


def test_a_play_that_was_just_recorded_is_not_read_for_what_is_folded_of_it(tmp_path: Path, opened: list[str]) -> None:
    transcript = moot.run(DEBATE, QUESTION, SEATS, out=tmp_path / "t.jsonl")
    opened.clear()  # the system's lock is tried by a second opening
    found = folded(transcript)
    assert opened == [] and list(transcript.steps())
    assert found == folded(moot.Transcript((tmp_path / "t.jsonl").read_bytes().splitlines(keepends=True)))


@pytest.mark.parametrize("read", [lambda path: moot.Transcript(path=path), moot.load])
def test_a_file_is_read_once_for_all_that_is_folded_of_it(
    read: Callable[[Path], moot.Transcript], tmp_path: Path, opened: list[str]
) -> None:
    moot.run(DEBATE, QUESTION, SEATS, out=tmp_path / "t.jsonl")
    opened.clear()
    transcript = read(tmp_path / "t.jsonl")
    folded(transcript)
    assert moot.replay(transcript).digest == transcript.digest
    assert opened == [str(tmp_path / "t.jsonl")]
    moot.verify(transcript)  # which is to look at the file itself
    assert len(opened) == 2


def test_a_file_that_has_changed_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for transcript in (moot.run(DEBATE, QUESTION, SEATS, out=path), moot.load(path)):
        whole = path.read_bytes()
        lines = whole.splitlines(keepends=True)
        assert transcript.outcome is not None
        path.write_bytes(b"".join(lines[:-1]))
        assert len(list(transcript.events())) == len(lines) - 1
        with open(path, "ab") as file:
            file.write(lines[-1].replace(b"decided", b"unjudged"))
        with pytest.raises(moot.TranscriptError, match="chain breaks"):
            list(transcript.events())
        path.write_bytes(whole)
    path.write_bytes(whole.replace(b'"judge"', b'"jugde"', 1))
    os.utime(path, ns=(0, 0))  # of the same size
    with pytest.raises(moot.TranscriptError, match="chain breaks"):
        list(transcript.events())
    path.unlink()
    with pytest.raises(moot.UsageError, match="no transcript"):
        list(transcript.events())


def test_a_time_that_was_set_back_hides_no_change(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    for transcript in (moot.run(DEBATE, QUESTION, SEATS, out=path), moot.load(path)):
        whole, at = path.read_bytes(), path.stat()
        assert transcript.outcome is not None
        time.sleep(0.02)  # or the system's clock has not gone on
        with open(path, "r+b") as file:
            file.write(whole.replace(b'"judge"', b'"jugde"', 1))
        os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
        assert path.stat().st_mtime_ns == at.st_mtime_ns
        with pytest.raises(moot.TranscriptError, match="chain breaks"):
            list(transcript.events())
        path.write_bytes(whole)


def test_a_file_that_was_edited_while_its_play_went_on_is_checked_once_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "t.jsonl"

    def judge(request: moot.Request) -> moot.Move:
        with open(path, "r+b") as file:
            content = file.read()
            file.seek(0)
            file.write(content.replace(b'"judge"', b'"jugde"', 1))
        return speak(request)

    transcript = moot.run(DEBATE, QUESTION, {**SEATS, "judge": judge}, out=path)
    assert transcript.outcome is not None, "what was written is what it is folded from"
    monkeypatch.setattr(recent, "MOST_IN_ALL", 0)
    recent.hold((1,), [b"x"])  # there is no room for anything
    with pytest.raises(moot.TranscriptError, match="chain breaks"):
        list(transcript.events())


def test_a_file_that_others_wrote_to_while_its_play_went_on_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    def judge(request: moot.Request) -> moot.Move:
        with open(path, "ab") as file:
            file.write(b"mine\n")
        return speak(request)

    transcript = moot.run(DEBATE, QUESTION, {**SEATS, "judge": judge}, out=path)
    with pytest.raises(moot.TranscriptError, match="no moot event"):
        list(transcript.events())


def test_what_is_held_of_transcripts_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[str]
) -> None:
    paths = [tmp_path / f"{number}.jsonl" for number in range(6)]
    plays = [moot.run(DEBATE, QUESTION, SEATS, out=path) for path in paths]
    size = paths[0].stat().st_size
    monkeypatch.setattr(recent, "MOST_IN_ALL", 2 * size + size // 2)
    opened.clear()
    found = [play.digest for play in plays] + [play.outcome for play in plays]
    recent.hold((1,), [b"x" * size])  # whoever is next has the others let go
    assert recent._size <= 2 * size + size // 2 and len(recent._queue) <= 3
    assert (
        len(set(found[:6])) == 1 and sum(play._held is not None and play._held.lines is not None for play in plays) <= 2
    )
    monkeypatch.setattr(recent, "MOST", size - 1)
    monkeypatch.setattr(store, "_BLOCK", 1 << 12)
    long = moot.run(DEBATE, QUESTION, SEATS, out=tmp_path / "long.jsonl")
    opened.clear()
    assert (long._held, long.digest, len(opened)) == (None, found[0], 1), "of a long one nothing is held"


def test_an_event_that_somebody_wrote_to_is_as_it_was_the_next_time(tmp_path: Path) -> None:
    transcript = moot.run(DEBATE, QUESTION, SEATS, out=tmp_path / "t.jsonl")
    before = list(transcript.events())
    for event in transcript.events():
        event.clear()
    assert list(transcript.events()) == before


# -- growth ------------------------------------------------------------------------------------------------------------


class Inner(moot.Protocol):
    name = "folds-inner"

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater"}

    async def play(self, floor: Any, question: moot.Question) -> moot.Decided:
        await floor.ask("a", moot.Speech)
        return moot.Decided(moot.Verdict(probabilities=(0.5, 0.5)))


class Outer(Inner):
    name = "folds-outer"
    subs: int = 10

    async def play(self, floor: Any, question: moot.Question) -> moot.Decided:
        for number in range(self.subs):
            found = await floor.play(Inner(), moot.Question(f"sub {number}", ("x", "y")))
        return found  # type: ignore[no-any-return]


def calls(work: Callable[[], object]) -> int:
    """How many functions are called, of C among them, and generators gone on with."""
    count = 0

    def called(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(called)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def of_subs(many: int) -> moot.Transcript:
    made = moot.run(Outer(subs=many), QUESTION, {"a": lambda request: moot.Speech(text="x")})
    return moot.Transcript(list(made.lines()))


FOLDS: dict[str, Callable[[moot.Transcript], object]] = {
    "tree": lambda play: argument_tree(play.events()), "ledger": lambda play: ledger_of(play.events()),
    "digest": lambda play: digest_of(play.pairs()), "reading": lambda play: list(wellformed.Reader("x").read(play.lines())),
    "steps": lambda play: list(play.steps()), "replay": moot.replay, "text": lambda play: tree_text(play.tree),
    "json": lambda play: Json().tree(play.tree), "dot": lambda play: Dot().tree(play.tree),
    "mermaid": lambda play: Mermaid().tree(play.tree), "graphml": lambda play: GraphML().tree(play.tree),
}  # fmt: skip


def dearer(fold: Callable[[moot.Transcript], object], few: int = 20, many: int = 300) -> float:
    """By how much an event costs more in a play of many sub-plays than in one of few."""
    found = []
    for play in (of_subs(few), of_subs(many)):
        fold(play)
        found.append(calls(lambda play=play: fold(play)) / len(list(play.lines())))  # type: ignore[misc]
    return found[1] / found[0]


@pytest.mark.parametrize("name", FOLDS)
def test_an_event_costs_no_more_among_many_sub_plays(name: str) -> None:
    assert dearer(FOLDS[name]) <= 1.3


@pytest.mark.long
@pytest.mark.parametrize("name", ["tree", "ledger"])
def test_an_event_costs_no_more_among_40_000_sub_plays(name: str) -> None:
    assert dearer(FOLDS[name], 400, 40_000) <= 1.05


@pytest.mark.parametrize("name", ["tree", "ledger"])
def test_going_through_all_sub_plays_for_each_is_seen(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def searched(self: Scopes, step: str) -> str:
        return max((each for each in self._steps if step.startswith(each + ".")), key=len, default=ROOT)

    monkeypatch.setattr(Scopes, "of", searched)
    assert dearer(FOLDS[name], 20, 200) > 1.3


# -- what is quick says what is slow ----------------------------------------------------------------------------------

ODD: tuple[Any, ...] = (None, True, -1, 1 << 63, 1 << 64, 0.5, float("nan"), "", "b", "0", "12", "2.0.1", "q", "0.", "٣", "²", "1" * 19, " 1", "+1", "1_0",
       [], ["0"], {}, {"reads": 1}, {"reads": -1}, {"reads": True}, {"x": 1}, {"reads": "1"})  # fmt: skip
USUAL: dict[str, Any] = {
    "event": "moved",
    "step": "1",
    "seat": "a",
    "request": "",
    "move": {},
    "under": "q",
    "relation": "r",
    "size": 1,
}
GONE = object()


@pytest.mark.parametrize(
    "field", [*USUAL, "raw", "reads", "remark", "meta", "meta.reads", "meta.seconds", "meta.waited", "meta.spent"]
)
def test_an_event_that_is_taken_for_usual_is_well_formed(field: str) -> None:
    place, _, inside = field.partition(".")
    for odd in (*ODD, GONE):
        event = {**USUAL, "meta": {"reads": 0}, place: {inside: odd} if inside else odd}
        event = {name: value for name, value in event.items() if value is not GONE}
        if odd is GONE and inside:
            event["meta"] = {}
        if wellformed._usual(event, {"a": "debater"}):
            assert event["event"] == "moved" and wellformed.Form("x", {"a": "debater"}).check(event, 2) is event


def test_what_plays_record_is_usual() -> None:
    lines = list(moot.run(DEBATE, QUESTION, SEATS).lines())
    found = [wellformed._usual(parse(line, 0, ""), {"a": "", "b": "", "judge": ""}) for line in lines]
    assert sum(found) == 6


def slow_tree(events: list[dict[str, Any]]) -> nx.DiGraph[str]:
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node(ROOT, kind="question", text=QUESTION.text, size=len(QUESTION.text))
    for event in events:
        graph.add_node(event["step"], seat=event["seat"], role="debater", kind="speech", text=event["move"]["text"], size=event["size"])  # fmt: skip
        graph.add_edge(event["under"], event["step"], relation=event["relation"])
    return graph


def said(step: str, under: str, relation: str = "supports", text: str = "x") -> dict[str, Any]:
    move = {"kind": "speech", "text": text, "quotes": []}
    return {"event": "moved", "step": step, "seat": "a", "move": move, "under": under, "relation": relation, "size": 1}


BEGUN = {"event": "started", "protocol": {"name": "debate"}, "roles": {"a": "debater"},
         "question": {"text": QUESTION.text, "size": 1}}  # fmt: skip
PLACES = st.sampled_from(["q", "0", "1", "2", "3"])


@settings(deadline=None)
@given(
    st.lists(
        st.builds(said, PLACES.filter(ROOT.__ne__), PLACES, st.sampled_from("st"), st.sampled_from("xy")), max_size=12
    )
)
def test_a_tree_is_the_graph_that_networkx_makes(events: list[dict[str, Any]]) -> None:
    """Steps said twice, under what comes later, in circles and under themselves too, which a file may hold."""
    tree, slow = argument_tree([BEGUN, *events]), slow_tree(events)
    assert list(tree.nodes(data=True)) == list(slow.nodes(data=True))
    assert {u: dict(of) for u, of in tree.succ.items()} == {u: dict(of) for u, of in slow.succ.items()}
    assert {u: dict(of) for u, of in tree.pred.items()} == {u: dict(of) for u, of in slow.pred.items()}
    assert tree.number_of_edges() == slow.number_of_edges() and nx.is_frozen(tree)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tree: pickle.loads(pickle.dumps(tree)), lambda tree: tree])
def test_nobody_changes_what_the_edges_of_a_tree_have_in_common(copied: Callable[[Any], Any]) -> None:
    tree = copied(argument_tree([BEGUN, said("0", "q"), said("1", "q"), said("2", "1")]))
    with pytest.raises(TypeError, match="cannot be changed"):
        tree.edges["q", "0"]["relation"] = "attacks"
    copies: list[nx.DiGraph[str]] = [nx.DiGraph(tree.copy()), nx.DiGraph(tree)]
    for other in copies:
        other.edges["q", "0"]["relation"] = "attacks"
        other.add_edge("0", "9", relation="new")
        assert other.edges["q", "1"]["relation"] == "supports" == tree.edges["q", "0"]["relation"]
        assert not other.succ["2"] and not tree.succ["0"]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b"bcd" * 3, b"\x0b", b"\xff"]), max_size=40),
    st.integers(1, 9),
)
def test_lines_end_where_a_line_feed_stands_however_a_file_is_cut(pieces: list[bytes], block: int) -> None:
    content, torn = b"".join(pieces), list[bytes]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_BLOCK", block)
        patch.setattr(builtins, "open", lambda path, mode: BytesIO(content))
        found = list(store.read_lines("t.jsonl", torn))
    *whole, rest = content.split(b"\n")
    assert (found, b"".join(torn)) == ([line + b"\n" for line in whole], rest)


@pytest.mark.parametrize("lines, wrong", [([99, 100], None), ([5, 101, 5], 2), ([101], 1), ([40, 40, 350], 3)])
def test_a_line_that_is_too_long_is_told_by_its_number(
    lines: list[int], wrong: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LONGEST", 100)
    monkeypatch.setattr(store, "_BLOCK", 16)
    for end in (b"\n", b""):
        (tmp_path / "t").write_bytes(
            b"".join(b"x" * (size - 1) + b"\n" for size in lines)[: -1 if not end else None] + b"x" * (not end)
        )
        read: Iterator[bytes] = store.read_lines(tmp_path / "t")
        if wrong is None:
            assert len(list(read)) == len(lines) - (not end)
        else:
            with pytest.raises(moot.TranscriptError, match=f"line {wrong} is longer than 100"):
                list(read)


def test_of_transcripts_that_nobody_has_any_more_nothing_is_held() -> None:
    recent.hold((1,), [b"x"])
    before = len(recent._queue)
    for _ in range(100):
        recent.hold((1,), [b"x" * 100])
    assert len(recent._queue) <= before + 1
