"""A play as its page shows it: everything is folded from one read of the file, which is then let go.

Rule of this file: it gathers what the parts below say and puts it into plain data for scripts; texts are as they were recorded, and
whoever sends them writes out what steers or hides.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from moot.complexity.play import path_of, reads_in
from moot.protocols.engine.errors import MootError, TranscriptError, said
from moot.protocols.recorded import import_moves_of
from moot.protocols.text import visible
from moot.studies.report.svg import svg
from moot.transcripts.display.prices import price_path
from moot.transcripts.display.scenes import Scene, staged
from moot.transcripts.transcript import Transcript
from moot.web.viewer import charts, facts
from moot.web.viewer.nodes import tree_of
from moot.web.viewer.walked import walked

Staged = tuple[Scene, Mapping[str, Any]]


class PlayView:
    """One play, folded. `state` tells it from itself as it was before its file grew. private: with what was kept of seats for readers
    alone, and the truth. Raises TranscriptError on a damaged transcript, UsageError where there is none."""

    def __init__(self, transcript: Transcript, state: str, private: bool = True) -> None:
        self.state, self.private = state, private
        self.path, self.name = transcript.path, transcript.path.name if transcript.path else "transcript"
        import_moves_of(transcript.started["protocol"]["name"])
        passage = transcript.question.passage or ""
        self._passage = None if visible(passage) == passage else passage
        judge = facts.judge_of(transcript)
        led = walked(transcript, judge)
        self._staged, self._asides = _gathered(staged(transcript, led.put, private))
        self._times = _times(transcript)
        own = {scene.step: at for at, (scene, event) in enumerate(self._staged) if event["event"] in ("moved", "entered") and scene.private is None}  # fmt: skip
        self._tree = tree_of(transcript.events(), led.put, led.judged, own)
        self._head = self._folded(transcript, judge, facts.seated(transcript, led.put, private))

    def head(self) -> dict[str, Any]:
        """All but scenes and tree."""
        return self._head

    def tree(self) -> dict[str, Any]:
        """The argument tree as columns (`moot.web.viewer.nodes.tree_of`)."""
        return self._tree

    def __len__(self) -> int:
        return len(self._staged)

    def scenes(self, start: int, end: int) -> list[dict[str, Any]]:
        """The scenes from start to before end, as far as there are any: one for each move. `asides`: what was kept privately on the way to
        it ({"kind", "about", "text"} each); `private`: the same, where it led to no move and is a scene of its own."""
        start, end = max(0, start), min(len(self._staged), end)
        return [self._scene(at) for at in range(start, end)]

    def _scene(self, at: int) -> dict[str, Any]:
        scene, event = self._staged[at]
        made = event["event"] in ("moved", "rejected") and scene.private is None
        found: dict[str, Any] = {
            name: getattr(scene, name)
            for name in ("step", "seat", "kind", "head", "heading", "defends", "rule", "remark", "note", "private", "extra")
        }  # fmt: skip
        spans = {text: self._seen(span) for text, span in _spans(event).items()} if made else {}
        return {
            "i": at, **found, "at": self._times.get(scene.step), "reads": reads_in(event) if made else None,
            "under": event.get("under") if made else None, "relation": event.get("relation") if made else None,
            "beliefs": list(scene.beliefs), "choices": list(scene.choices),
            "asides": [{"kind": each.kind, "about": each.extra, "text": each.private} for each in self._asides.get(at, ())],
            "pieces": [
                {"text": piece.text, "quote": piece.quote, "verified": piece.verified,
                 "at": spans.get(piece.text) if piece.quote and piece.verified else None}
                for piece in scene.pieces
            ],
        }  # fmt: skip

    def _seen(self, span: list[int]) -> list[int]:
        """Where characters of the passage stand in it as it is shown, with what hides or steers written out."""
        if self._passage is None:
            return span
        return [len(visible(self._passage[: max(0, at)])) for at in span]

    def _folded(self, transcript: Transcript, judge: str | None, seats: list[dict[str, Any]]) -> dict[str, Any]:
        worth, parent = facts.worth(transcript), transcript.parent
        measured = (worth["measure"] or "").rpartition(" ")
        seat, measure = (measured[0], measured[2]) if measured[0] in transcript.started["roles"] else (judge, "reads")
        charges = sorted(
            (path_of(event["step"]), event["amount"]) for event in transcript.events()
            if event["event"] == "charged" and event["seat"] == seat and event["measure"] == measure
        )  # fmt: skip
        spent = facts.running_total(measure, seat, self._staged, charges)
        shown = [scene for scene, _ in self._staged]
        return {
            "name": self.name, **facts.asked(transcript), "seats": seats, **facts.ended(transcript, self.private), "judge": judge,
            "guarantee": worth, "ledger": facts.spent(transcript),
            "charts": self._charts(transcript, judge, spent, f"{measure} of the {seat}", worth["budget"]),
            "parent": None if parent is None else _parent(parent), "digest": transcript.digest,
            "events": sum(1 for _ in transcript.events()), "state": self.state,
            "steps": {
                "step": [scene.step for scene in shown], "seat": [scene.seat for scene in shown],
                "kind": ["private" if scene.private is not None else scene.kind for scene in shown],
                "heading": [scene.heading for scene in shown], "together": _together(self._staged), "spent": spent,
            },
        }  # fmt: skip

    def _charts(
        self, transcript: Transcript, judge: str | None, spent: list[int | None], of: str, limit: Any
    ) -> list[dict[str, str]]:
        choices = transcript.question.choices
        stated = [
            (scene.step, scene.beliefs) for scene, event in self._staged
            if scene.seat == judge and event["event"] == "moved" and len(scene.beliefs) == len(choices) and scene.choices == choices
        ]  # fmt: skip
        drawn = [charts.beliefs("Belief of the judge", "its statements, in order", stated, choices)]
        with suppress(MootError, TypeError, ValueError):  # no market, or prices that are none
            prices = [(str(at), price) for at, price in enumerate(price_path(transcript).prices)]
            drawn.append(charts.beliefs("Price path", "statements so far", prices, choices))
        drawn.append(charts.spending(f"Spent: {of}", of, spent, limit))
        return [{"title": each.title, "svg": svg(each)} for each in drawn if each is not None]


def view_of(source: Transcript | Path | str, private: bool = True) -> PlayView:
    """A play folded from one read of its file. private: with thoughts, notes and raw answers. Raises as PlayView does, and TranscriptError
    also where what the file says cannot be shown."""
    if isinstance(source, Transcript):
        file, truth = source, source._truth
    else:
        file, truth = Transcript(path=Path(source)), None
    state = (
        "memory" if file.path is None else state_of(file.file)
    )  # before it is read: what comes meanwhile is seen next time
    if not (lines := list(file.lines())):
        raise TranscriptError(f"{file.name} holds no whole event")
    try:
        return PlayView(Transcript(lines, file.path, truth=truth), state, private)
    except MootError:
        raise
    except Exception as error:  # of a protocol of somebody's own, or of parameters that are none
        raise TranscriptError(f"{file.name}: cannot be shown: {type(error).__name__}: {said(error)}") from error


def state_of(path: Path) -> str:
    """What changes whenever a file does; "" where there is none."""
    try:
        stat = os.stat(path)
    except OSError:
        return ""
    told = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_ino}"
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def _gathered(found: list[Staged]) -> tuple[list[Staged], dict[int, list[Scene]]]:
    """The scenes without what was kept privately before a move, accepted or rejected, of the same seat at the same step; and that, by the
    number of the move's scene."""
    left: list[tuple[Staged, list[Scene]]] = []
    leads: dict[tuple[str, str], list[Scene]] = {}
    for scene, event in reversed(found):
        whose, own = (scene.step, scene.seat), list[Scene]()
        if scene.private is not None and whose in leads:
            leads[whose].append(scene)
            continue
        if event["event"] in ("moved", "rejected"):
            leads[whose] = own
        left.append(((scene, event), own))
    left.reverse()
    return [each for each, _ in left], {at: own[::-1] for at, (_, own) in enumerate(left) if own}


def _times(transcript: Transcript) -> dict[str, str]:
    """By step, when its seat was asked."""
    found: dict[str, str] = {}
    for event in transcript.events():
        if event["event"] == "asked" and isinstance(at := event["meta"].get("at"), str):
            found.setdefault(event["step"], at)
    return found


def _spans(event: Mapping[str, Any]) -> dict[str, list[int]]:
    """By the text of a quote, the characters of the passage where it was found."""
    move = event["move"]
    quotes = move.get("quotes") if isinstance(move, Mapping) else None
    found: dict[str, list[int]] = {}
    for quote in quotes if isinstance(quotes, (list, tuple)) else ():
        if not isinstance(quote, Mapping):
            continue
        text, span = quote.get("text"), quote.get("span")
        if isinstance(text, str) and isinstance(span, (list, tuple)) and [type(each) for each in span] == [int, int]:
            found.setdefault(text, list(span))
    return found


def _together(scenes: list[Staged]) -> list[int | None]:
    """A number for scenes that stand beside each other in the order of steps and were said in branches of one parallel."""
    entered = {event["step"] for _, event in scenes if event["event"] == "entered"}
    found: list[int | None] = [None] * len(scenes)
    start, group, branches = 0, 0, set[str]()
    before: str | None = None
    for at in range(len(scenes) + 1):
        split, branch = _parted(scenes[at][0].step, entered) if at < len(scenes) else (None, "")
        if split != before or at == len(scenes):
            if before is not None and len(branches) > 1:
                found[start:at] = [group] * (at - start)
                group += 1
            start, branches, before = at, set(), split
        branches.add(branch)
    return found


def _parted(step: str, entered: set[str]) -> tuple[str | None, str]:
    """The step at which the innermost branch that a step stands in parted from others, and which branch it is; None where it stands in none."""
    inside, dot, _ = step.rpartition(".")
    if not dot or inside in entered:
        return None, ""
    split, dot, branch = inside.rpartition(".")
    return (split, branch) if dot else (None, "")


def _parent(parent: Mapping[str, Any]) -> dict[str, Any]:
    path = parent.get("path")
    return {"digest": parent.get("digest"), "at": parent.get("at"), "name": os.path.basename(path) if isinstance(path, str) else None}  # fmt: skip
