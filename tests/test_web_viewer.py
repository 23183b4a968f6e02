"""The fold of a play for its page: every golden play, drawn plays, plays that run, are cut, damaged or hostile, and trees of 10,000 nodes."""

from __future__ import annotations

import json
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
from catalogue_kit import OURS, question_for
from hostile_kit import ESCAPES, GOLDEN, chained, mutant, originals
from hypothesis import given, settings

import moot
from moot.complexity.play import path_of
from moot.protocols.engine.errors import MootError, TranscriptError
from moot.testing.golden import puppet
from moot.testing.strategies import transcripts
from moot.transcripts.display.scenes import scenes
from moot.transcripts.events import EventLog
from moot.transcripts.transcript import Transcript
from moot.web.server.pages import safe
from moot.web.viewer.fold import PlayView, view_of
from moot.web.viewer.nodes import tree_of

PASSAGE = "The storm sank three ships. The admiral said that the storm was never seen before."
QUESTION = moot.Question("What sank the ships?", ("the storm", "the admiral"), passage=PASSAGE)


def checked(view: PlayView) -> PlayView:
    """What holds of every play: columns of one length, parents before children, scenes that are those of their steps, JSON."""
    head, tree, shown = view.head(), view.tree(), view.scenes(0, len(view))
    assert [scene["i"] for scene in shown] == list(range(len(view)))
    assert {len(column) for column in head["steps"].values()} == {len(view)}
    assert [scene["step"] for scene in shown] == head["steps"]["step"]
    columns = {name: column for name, column in tree.items() if name != "cites"}
    assert {len(column) for column in columns.values()} == {len(tree["id"])} and len(set(tree["id"])) == len(tree["id"])
    assert tree["id"][0] == "q" and tree["parent"][0] == -1
    assert all(0 <= parent < place for place, parent in enumerate(tree["parent"]) if place)
    for place, at in enumerate(tree["scene"]):
        assert at == -1 or (shown[at]["step"] == tree["id"][place] and shown[at]["private"] is None), place
        assert not tree["judged"][place] or place == 0 or tree["judged"][tree["parent"][place]]
    assert all(step in tree["id"] for steps in tree["cites"].values() for step in steps)
    for scene in shown:
        for piece in scene["pieces"]:
            assert piece["at"] is None or (piece["quote"] and piece["verified"])
    json.dumps(safe([head, tree, shown]), allow_nan=False, ensure_ascii=False).encode()
    return view


def check_scenes(view: PlayView, transcript: Transcript) -> None:
    """Every scene that `moot show --private` prints is there, in its order: as a scene, or in that of the move it led to."""
    told = []
    for each in view.scenes(0, len(view)):
        told += [(each["step"], each["seat"], aside["kind"], aside["about"], aside["text"]) for aside in each["asides"]]
        told.append((each["step"], each["seat"], each["kind"], each["extra"], each["private"]))
    assert sorted(told, key=str) == sorted(
        ((each.step, each.seat, each.kind, each.extra, each.private) for each in scenes(transcript, private=True)),
        key=str,
    )


@pytest.mark.parametrize("path", sorted(GOLDEN.rglob("*.jsonl")), ids=lambda path: str(path.relative_to(GOLDEN)))
def test_every_golden_play_of_both_versions_folds(path: Path) -> None:
    view = checked(view_of(path))
    transcript = Transcript(path=path)
    check_scenes(view, transcript)
    assert set(view.tree()["id"]) == set(transcript.tree), "the nodes are those of the argument tree"
    assert view.head()["digest"] == transcript.digest and view.head()["ended"]


@given(transcripts())
@settings(max_examples=20)
def test_drawn_plays_fold(transcript: Transcript) -> None:
    view = checked(view_of(transcript))
    steps = [path_of(step) for step in view.head()["steps"]["step"]]
    assert steps == sorted(steps)


def test_hostile_files_fold_or_say_why_not() -> None:
    chance, made = Random(7), originals()
    good = 0
    for _ in range(150):
        try:
            checked(view_of(Transcript(mutant(chance, chance.choice(made)[1]).splitlines(keepends=True))))
            good += 1
        except MootError as error:
            assert str(error)
    assert good > 15


def play(name: str, **more: Any) -> Transcript:
    protocol, question = OURS[name], question_for(name)
    return moot.run(protocol, question, dict.fromkeys(protocol.roles(question), puppet), seed=3, **more)


def test_a_debate_says_who_spoke_at_once_for_what_and_where_its_quotes_stand() -> None:
    said = {"a": "So: <quote>storm sank three</quote> and <quote>no such thing</quote>", "b": "No."}

    def speaker(request: moot.Request) -> moot.Move:
        return moot.Speech(text=said[request.seat])

    def judge(request: moot.Request) -> moot.Move:
        assert len([entry.move for entry in request.view]) >= 2, "it reads what was said"
        return moot.Verdict(probabilities=(0.75, 0.25), text="", end=False)

    seats: dict[str, Any] = {"a": speaker, "b": speaker, "judge": moot.Bounded(judge, reads="40*n")}
    view = checked(view_of(moot.run(moot.Debate(rounds=2), moot.Sample(QUESTION, 0), seats)))
    head, shown = view.head(), view.scenes(0, 50)
    assert [(seat["seat"], seat["defends"]) for seat in head["seats"]] == [("a", 0), ("b", 1), ("judge", None)]
    together = [(step, group) for step, group, kind in zip(*(head["steps"][k] for k in ("step", "together", "kind")), strict=True) if kind == "speech"]  # fmt: skip
    assert [group for _, group in together] == [0, 0, 1, 1]
    quotes = [piece for piece in shown[0]["pieces"] if piece["quote"]]
    assert [piece["verified"] for piece in quotes] == [True, False] and quotes[1]["at"] is None
    start, end = quotes[0]["at"]
    assert PASSAGE[start:end] == "storm sank three"
    assert head["verdict"] == [0.75, 0.25] and head["right"] is True and head["truth"] == 0
    spent = [each for each in head["steps"]["spent"] if each is not None]
    assert spent == sorted(spent) and spent[-1] == head["guarantee"]["used"] > 0
    assert head["ledger"]["budgets"] == [{"seat": "judge", "measure": "reads", "used": spent[-1], "limit": head["guarantee"]["budget"]}]  # fmt: skip
    assert head["guarantee"]["because"] and all(each["says"] for each in head["guarantee"]["assumes"])
    assert {"Spent: reads of the judge"} <= {chart["title"] for chart in head["charts"]}
    tree = view.tree()
    assert sum(tree["judged"]) == len(tree["id"]), "a judge of a debate that reads all had all before it"


def test_a_place_in_a_passage_is_that_of_the_passage_as_it_is_shown() -> None:
    passage = "a\x1b\u202e😀 The storm sank three ships."
    question = moot.Question("Who?", ("x", "y"), passage=passage)

    def agent(request: moot.Request) -> moot.Move:
        if request.seat == "judge":
            return moot.Verdict(probabilities=(0.5, 0.5), text="", end=False)
        return moot.Speech(text="<quote>storm sank</quote>")

    view = view_of(moot.run(moot.Debate(rounds=1), question, dict.fromkeys(("a", "b", "judge"), agent)))
    start, end = view.scenes(0, 1)[0]["pieces"][0]["at"]
    assert safe(view.head()["passage"])[start:end] == "storm sank"


def test_a_market_has_a_price_path_and_an_amplification_tree_budgets_and_sub_questions() -> None:
    titles = {chart["title"] for chart in view_of(play("market")).head()["charts"]}
    assert "Price path" in titles
    tree = view_of(play("amplify with budget")).tree()
    assert any(budget is not None for budget in tree["budget"])
    tree = view_of(GOLDEN / "v2" / "tree-debate.jsonl").tree()
    assert tree["cites"], "what is cited besides stands beside the tree"


def test_a_running_play_grows_and_its_torn_line_is_left_out(tmp_path: Path) -> None:
    whole = (GOLDEN / "v2" / "debate.jsonl").read_bytes().splitlines(keepends=True)
    path, before = tmp_path / "run.jsonl", ""
    for count in range(1, len(whole) + 1):
        path.write_bytes(b"".join(whole[:count]) + (whole[count][:9] if count < len(whole) else b""))
        view = checked(view_of(path))
        head = view.head()
        assert head["events"] == count and head["state"] != before
        assert count != 2 or head["steps"]["together"] == [None], "nobody has answered at once with it yet"
        assert head["ended"] == (count == len(whole)) == (head["outcome"] is not None)
        assert head["ended"] or sum(view.tree()["judged"]) == 0, "nobody has judged yet"
        before = head["state"]
    assert view_of(path).state == before


def test_a_fork_and_a_play_that_was_judged_again_name_what_they_were_made_from(tmp_path: Path) -> None:
    whole = play("debate", out=tmp_path / "whole.jsonl")
    seats = dict.fromkeys(whole.started["roles"], puppet)
    forked, again = moot.fork(whole, "1.0.0", seats), moot.rejudge(whole, puppet)
    assert view_of(whole).head()["parent"] is None
    for made, at in ((forked, "1.0.0"), (again, "judge")):
        assert view_of(made).head()["parent"] == {"digest": whole.digest, "at": at, "name": "whole.jsonl"}, (
            "and no path"
        )


def test_a_damaged_file_is_an_error_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    path.write_bytes((GOLDEN / "v2" / "debate.jsonl").read_bytes().replace(b"storm", b"strom", 1))
    with pytest.raises(TranscriptError, match=r"d\.jsonl"):
        view_of(path)


def test_a_play_of_a_protocol_that_is_not_installed_shows_what_it_can() -> None:
    events = next(found for name, found in originals() if name == "v2/debate.jsonl")
    events[0][0]["protocol"]["name"] = "nobody-has-this"
    view = checked(view_of(Transcript(chained(events).splitlines(keepends=True))))
    head = view.head()
    assert len(view) == 7 and head["verdict"] is not None and sum(view.tree()["judged"]) == 0
    assert head["guarantee"]["holds"] is None and "nobody-has-this" in head["guarantee"]["because"]
    assert head["guarantee"]["class"] is None and all(seat["defends"] is None for seat in head["seats"])


def test_private_words_are_there_only_where_they_were_asked_for() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for event, meta in next(found for name, found in originals() if name == "v2/debate.jsonl"):
        if event["event"] == "moved":
            log.event("thought", {"step": event["step"], "seat": event["seat"], "attempt": 0, "text": "SECRET"}, {})
        log.event(event["event"], {name: value for name, value in event.items() if name != "event"}, meta)
    view = checked(view_of(Transcript(lines)))
    assert len(view) == 7, "a thought is no step of its own"
    assert [[each["text"] for each in scene["asides"]] for scene in view.scenes(0, 99)] == [["SECRET"]] * 7
    bare = checked(view_of(Transcript(lines), private=False))
    assert "SECRET" not in json.dumps([bare.head(), bare.tree(), bare.scenes(0, 99)])


def test_what_was_kept_of_a_step_stands_with_the_move_that_it_led_to() -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for event, meta in next(found for name, found in originals() if name == "v2/debate.jsonl"):
        fields = {name: value for name, value in event.items() if name != "event"}
        kept = {"step": event.get("step"), "seat": event.get("seat")}
        if event["event"] == "moved" and event["step"] == "0.0.0":
            log.event("thought", {**kept, "attempt": 0, "text": "first"}, {})
            log.event("rejected", {**kept, "move": event["move"], "rule": "no", "request": event["request"]}, {})
            log.event("thought", {**kept, "attempt": 1, "text": "second"}, {})
            log.event("attempted", {**kept, "attempt": 1, "ok": False, "error": "down"}, {})
            log.event("thought", {**kept, "seat": "somebody", "text": "of another seat"}, {})
        log.event(event["event"], fields, meta)
        if event["event"] == "moved" and event["step"] == "0.0.0":
            log.event("thought", {**kept, "attempt": 2, "text": "afterwards"}, {})
    transcript = Transcript(lines)
    view = checked(view_of(transcript))
    check_scenes(view, transcript)
    found = [
        (scene["rule"], scene["private"], [each["text"] for each in scene["asides"]]) for scene in view.scenes(0, 5)
    ]
    assert found == [
        ("no", None, ["first"]),
        (None, None, []),
        (None, "of another seat", []),
        (None, None, ["second"]),
        (None, "afterwards", []),
    ]
    assert view.scenes(0, 1)[0]["asides"][0] == {"kind": "thought", "about": "attempt 0", "text": "first"}


def test_hostile_texts_are_written_out_before_they_are_sent() -> None:
    events = next(found for name, found in originals() if name == "v2/debate.jsonl")
    events[0][0]["question"].update(text=ESCAPES, choices=[ESCAPES, "b", "c"], about=ESCAPES, passage=ESCAPES)
    for event, _ in events:
        if event["event"] == "moved" and event["move"]["kind"] == "speech":
            event["move"]["text"] = ESCAPES
    view = view_of(Transcript(chained(events).splitlines(keepends=True)))
    told = json.dumps(safe([view.head(), view.tree(), view.scenes(0, 99)]), ensure_ascii=False)
    told.encode()
    assert not any(char in told for char in "\x1b\x07\u202e\x00\u2066") and told.count("\\\\u202e") > 8


def synthetic(under: Any, count: int) -> list[dict[str, Any]]:
    started = {"event": "started", "question": {"text": "Who?"}}
    moves = [
        {"event": "moved", "step": str(i), "seat": "a", "move": {"kind": "speech", "text": f"words {i}"}, "relation": "supports",
         "under": "q" if (parent := under(i)) is None else str(parent), "size": 1, "meta": {}}
        for i in range(count)
    ]  # fmt: skip
    return [started, *moves]


@pytest.mark.parametrize(
    "under",
    [lambda i: None, lambda i: i - 1 if i else None, lambda i: Random(i).randrange(i) if i else None,
     lambda i: 9_999 - i, lambda i: (i + 1) % 10_000, lambda i: i, lambda i: 10**6],
    ids=["star", "chain", "random", "later", "circle", "itself", "nowhere"],
)  # fmt: skip
def test_trees_of_10_000_nodes_whatever_they_say_of_their_parents(under: Any) -> None:
    began = time.process_time()
    tree = tree_of(synthetic(under, 10_000), {}, frozenset({"9999"}), {})
    assert time.process_time() - began < 5
    assert len(tree["id"]) == 10_001 and set(tree["id"]) == {"q", *map(str, range(10_000))}
    assert tree["parent"][0] == -1 and all(0 <= parent < place for place, parent in enumerate(tree["parent"]) if place)
    place = tree["id"].index("9999")
    while place >= 0:
        assert tree["judged"][place]
        place = tree["parent"][place]


def test_a_play_of_10_000_events_is_folded_from_one_read_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[bytes] = []
    log = EventLog(lines.append)
    started = {"format": "moot-transcript", "version": 2, "protocol": {"name": "nobody-has-this", "params": {}},
               "question": {"text": "Who?", "choices": ["x", "y"], "size": 4}, "seed": 1, "roles": {"a": "debater"}}  # fmt: skip
    log.event("started", started, {})
    for event in synthetic(lambda i: i - 1 if i else None, 10_000)[1:]:
        fields = {name: event[name] for name in ("step", "seat", "move", "under", "relation", "size")}
        log.event("moved", {**fields, "request": "0" * 32}, {})
    path = tmp_path / "large.jsonl"
    path.write_bytes(b"".join(lines))
    read, held = list[str](), Transcript.lines

    def counted(self: Transcript, *given: Any) -> Any:
        if self._lines is None:
            read.append(self.name)
        return held(self, *given)

    monkeypatch.setattr(Transcript, "lines", counted)
    view = view_of(path)
    assert len(read) == 1 and len(view) == 10_000 and len(view.tree()["id"]) == 10_001
    assert len(view.scenes(9_950, 20_000)) == 50 and view.scenes(10**9, 10**9 + 5) == []
