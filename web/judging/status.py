"""Who has done what, from a folder alone: also while a server runs, and where the study itself is not to be had.

Rule of this file: it reads. None is unknown; whether somebody was right is read only where that is asked for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.outcomes import Exhausted
from moot.studies.folder import PEOPLE
from moot.studies.rows import FINAL
from moot.transcripts.transcript import Transcript
from moot.web.judging.work.journal import JOURNAL, Line, lines_in
from moot.web.judging.work.people import SECRET, secret_in, token_of
from moot.web.judging.work.source import files_in
from moot.web.judging.work.stated import mark_of, stated
from moot.web.judging.work.worth import Found, Worth, found_in, scored


def status(folder: Path, truth: bool = False) -> dict[str, Any]:
    """{"study", "plays", "done", "left", "people": […], "kinds": […]} of a folder.

    A person: {"person", "consented", "instructed": time or None, "practice": how many are done, "done", "under_way", "outcomes", "seconds":
    at open pages, None where that is unknown of one, "paid", "unpaid": plays whose payment is unknown, "last": when they last did anything}; with `truth`
    "right" and "scored", of how many. A kind: {"kind", "plays", "taken", "done"}. Raises UsageError where nobody has judged there.
    """
    told = stated(folder)
    lines = list(lines_in(folder / PEOPLE / JOURNAL))
    worth = Worth(told.rules.pay)
    for key, path in files_in(folder).items():
        worth.read(key, path)
    given = _given(lines)
    people = [_person(name, folder, lines, worth, given, truth) for name in _names(told.rules.people, lines, worth)]
    over = {key for key, found in worth.plays.items() if found.outcome in FINAL and found.people}
    taken = Counter(tuple(line.get("kind", ())) for line in _by_key(given).values())
    done = Counter(tuple(line.get("kind", ())) for key, line in _by_key(given).items() if key in over)
    kinds = [{"kind": list(kind), "plays": count, "taken": taken[kind], "done": done[kind]} for kind, count in told.jobs.items()]  # fmt: skip
    plays = sum(told.jobs.values())
    return {"study": told.name, "plays": plays, "done": done.total(), "left": plays - done.total(), "currency": _currency(told.rules.pay),
            "people": people, "kinds": kinds}  # fmt: skip


def links(folder: Path, public: str = "") -> dict[str, str]:
    """Person to link. public: what it begins with. Raises UsageError where the secret is gone, and with it every link."""
    told = stated(folder)
    if not (folder / PEOPLE / SECRET).exists():
        raise UsageError(
            f"{folder / PEOPLE / SECRET} is not there: put it back, or begin `moot judge serve` again, which makes new links"
        )
    secret = secret_in(folder / PEOPLE)
    return {name: f"{public.rstrip('/')}/j/{token_of(secret, name)}" for name in told.rules.people}


def _currency(pay: Any) -> str | None:
    return None if pay is None else str(pay.currency) or None


def _names(people: Iterable[str], lines: Iterable[Line], worth: Worth) -> list[str]:
    """Everybody who is or was among the people."""
    more = [line["person"] for line in lines if line["person"]]
    sat = [name for found in worth.plays.values() for name in found.people.values()]
    return list(dict.fromkeys((*people, *more, *sat)))


def _given(lines: Iterable[Line]) -> dict[tuple[str, str], Line]:
    """The seats that are taken, by play and seat."""
    found: dict[tuple[str, str], Line] = {}
    for line in lines:
        if line["action"] == "given":
            found[line["key"], line["seat"]] = line
        elif line["action"] == "returned":
            found.pop((line["key"], line["seat"]), None)
    return found


def _by_key(given: Mapping[tuple[str, str], Line]) -> dict[str, Line]:
    return {key: line for (key, _), line in given.items()}


def _person(
    name: str, folder: Path, lines: list[Line], worth: Worth, given: Mapping[tuple[str, str], Line], truth: bool
) -> dict[str, Any]:
    told = stated(folder).rules
    own = [line for line in lines if line["person"] == name]
    plays = worth.of(name)
    ended = {key for key, found in worth.plays.items() if found.outcome in FINAL}
    paid, unpaid = worth.paid(name)
    seconds = [seconds_of(each, name) for each in plays]
    practised = [found_in(path).outcome in FINAL for path in (folder / PEOPLE / "practice" / name).glob("*.jsonl")]
    found = {
        "person": name,
        "consented": _when(own, "consented", told.consent),
        "instructed": _when(own, "instructed", told.instructions),
        "practice": sum(practised),
        "done": len(plays),
        "under_way": sorted(key for (key, _), line in given.items() if line["person"] == name and key not in ended),
        "outcomes": dict(Counter(str(each.outcome) for each in plays)),
        "seconds": None if None in seconds else round(sum(each or 0.0 for each in seconds), 1),
        "paid": paid,
        "unpaid": unpaid,
        "last": own[-1]["at"] if own else None,
    }
    if truth:
        judged = [
            scored(each).right for each in plays if each.judge is not None and each.people.get(each.judge) == name
        ]
        found |= {"right": judged.count(True), "scored": len(judged) - judged.count(None)}
    return found


def _when(lines: Iterable[Line], action: str, text: str | None) -> str | None:
    """When somebody first said so of the text as it is now."""
    mark = None if text is None else mark_of(text)
    return next((line["at"] for line in lines if line["action"] == action and line.get("text") == mark), None)


def seconds_of(found: Found, person: str) -> float | None:
    """How long a person had a page open on the turns of a play, as they are noted, to the end where their time was over; 0 where they were never asked, None where nothing is noted."""
    seats = {seat for seat, name in found.people.items() if name == person}
    turns: dict[tuple[str, str], float] = {}
    asked = False
    try:
        play = Transcript(path=found.path)
        for event in play.events(kept=False):
            asked = asked or event.get("seat") in seats
            if event["event"] == "acted" and event.get("seat") in seats:
                seconds = event.get("seconds")
                if isinstance(seconds, (int, float)):
                    turn = event["step"], str(event.get("turn"))
                    turns[turn] = max(seconds, turns.get(turn, 0.0))
        outcome = play.outcome
        if isinstance(outcome, Exhausted) and outcome.measure == "seconds" and outcome.seat in seats:
            last = next((each for each in reversed(turns) if each[0] == outcome.step), (outcome.step, ""))
            turns[last] = max(outcome.used, turns.get(last, 0.0))
    except (MootError, OSError):
        return None
    return sum(turns.values()) if turns or not asked else None
