"""Overseen clues of Crazytieguy 2025 (codenames-oversight) as plays of `ClueOversight`, one for each oversight of a game.

A record says how many comparisons its overseer made, and not which. They are made again by the overseer that it names; where
that gives the recorded number and score they are in the play, and where it does not, only the verdict is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from moot.judges.clue_overseers import OVERSEERS, Case, ClueOverseer, Ruling, overseer_named, verdict_of
from moot.protocols.debate.clue_oversight import Clue, ClueCritique, ClueOversight, WordComparison
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.formats.importing import Format, Play, Record, record_of_import
from moot.transcripts.formats.records import field, json_records, objects, of_kind, texts
from moot.transcripts.transcript import Transcript


class Codenames(Format):
    """Files of preference sets: a game, its overseer, and what became of each clue."""

    name: ClassVar[str] = "codenames"
    about: ClassVar[str] = "overseen clues of a word game, codenames-oversight (Crazytieguy 2025)"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".json")

    def records(self, file: Path) -> Iterator[Record | str]:
        return json_records(file)

    def plays(self, record: Record) -> Iterator[Play | str]:
        value = record.value
        game = field(value, "game", dict)
        good, bad = texts(game, "good_words", "game"), texts(game, "bad_words", "game")
        oversights = field(value, "oversights", list)
        if not oversights:
            yield "oversights is empty: the record holds no play"
        for number, oversight in enumerate(oversights):
            try:
                named = oversight if isinstance(oversight, dict) and "overseer" in oversight else value
                seen = _read(oversight, good, bad, f"oversights.{number}")
                yield _play(seen, good, bad, named.get("overseer"), f"{record.name}-{number}")
            except UsageError as error:
                yield str(error)


@dataclass(frozen=True, slots=True)
class _Oversight:
    """One oversight, read: its case, what is known of the similarities, and what was decided."""

    case: Case
    similarities: dict[str, float]
    expected: int
    truth: int | None
    comparisons: int | None
    deciding: ClueCritique | None
    problems: tuple[str, ...]
    refused: bool


def _read(oversight: Any, good: list[str], bad: list[str], at: str) -> _Oversight:
    given = field(oversight, "clue_critiques", dict, at=at)
    inner = f"{at}.clue_critiques"
    clue = field(given, "clue", dict, at=inner)
    said = Clue(
        clue=field(clue, "clue", str, at=f"{inner}.clue"), targets=tuple(texts(clue, "targets", f"{inner}.clue"))
    )
    critiques = objects(given, "critiques", inner, [])
    case = Case(
        tuple(good), tuple(bad), said,
        tuple(_critique(each, f"{inner}.critiques.{i}") for i, each in enumerate(critiques)),
    )  # fmt: skip
    row = field(oversight, "ground_truth_similarities", dict, {}, at)
    similarities = {
        word: of_kind(value, float, f"{at}.ground_truth_similarities.{word}") for word, value in row.items()
    }
    expected, truth = (field(oversight, key, int, at=at) for key in ("expected_score", "ground_truth_score"))
    found: list[str] = []
    refused = expected == truth == -1 and said.clue.upper() in (*good, *bad)
    if refused:
        found.append(
            f"{at}: the clue {said.clue!r} is a word of the game, and was refused with -1: there is no verdict"
        )
    elif not 0 <= truth <= len(good):
        found.append(f"{at}.ground_truth_score is {truth}, which no play of {len(good)} good words can score")
    elif set(good) | set(bad) <= set(similarities) and bad:
        nearest = max(similarities[word] for word in bad)
        counted = sum(similarities[word] > nearest for word in good)
        if counted != truth:
            found.append(f"{at}.ground_truth_score is {truth}; by the similarities it is {counted}")
    valid = texts(oversight, "valid_targets", at, list(case.targets))
    if set(valid) != set(case.targets):
        found.append(f"{at}.valid_targets is {valid}; the targets that are good words are {list(case.targets)}")
    deciding = field(oversight, "deciding_critique", dict, None, at)
    return _Oversight(
        case, similarities, expected, truth if 0 <= truth <= len(good) else None,
        field(oversight, "comparisons_performed", int, None, at),
        None if deciding is None else _critique(deciding, f"{at}.deciding_critique"), tuple(found), refused,
    )  # fmt: skip


def _critique(given: Any, at: str) -> ClueCritique:
    return ClueCritique(
        bad_word=field(given, "bad_word", str, at=at), target=field(given, "target_good_word", str, at=at)
    )


def _play(seen: _Oversight, good: list[str], bad: list[str], overseer: Any, name: str) -> Play:
    scores = tuple(str(score) for score in range(len(good) + 1))
    data: Any = {"good_words": good, "bad_words": bad, "similarities": {seen.case.clue.clue: seen.similarities}}
    question = Question(
        "How many good words are closer to the clue than every bad word?", scores, data=data, size=len(good) + len(bad),
        unit="cells", id=name,
    )  # fmt: skip
    judged, problems = _judged(seen, overseer, len(good))
    who = overseer if isinstance(overseer, dict) else {"name": overseer} if isinstance(overseer, str) else {}
    return Play(
        ClueOversight(critiques=len(seen.case.critiques)),
        Sample(question, seen.truth),
        {
            "cluer": [seen.case.clue],
            "judge": judged,
            **({"critic": seen.case.critiques} if seen.case.critiques else {}),
        },
        seats={"judge": {**who, "agent": "program"}} if who else {},
        problems=(*seen.problems, *problems),
        name=name,
    )


def _judged(seen: _Oversight, overseer: Any, most: int) -> tuple[list[Move], list[str]]:
    """What the judge said, as far as it is known: its comparisons and its verdict; and what does not agree."""
    if seen.refused:
        return [], []
    if not 0 <= seen.expected <= most:
        return [], [f"expected_score is {seen.expected}, which is no score of {most} good words: there is no verdict"]
    recorded = Ruling(seen.expected, seen.deciding)
    verdict = verdict_of(recorded, most)
    if not seen.similarities:
        return [verdict], [
            "ground_truth_similarities is missing: what was compared is not known, and is not in the play"
        ]
    try:
        made, ruling = made_again(overseer_of(overseer), seen.case, seen.similarities)
    except UsageError as error:
        return [verdict], [f"{error}: what was compared is not known, and is not in the play"]
    if seen.comparisons is None:
        return [verdict], ["comparisons_performed is missing: the comparisons are not in the play"]
    if (len(made), ruling.score) != (seen.comparisons, seen.expected):
        return [verdict], [
            f"the record has {seen.comparisons} comparisons and the score {seen.expected}, its overseer makes {len(made)} and "
            f"decides {ruling.score}: the comparisons are not in the play"
        ]
    if ruling.deciding == seen.deciding:
        return [*made, verdict], []
    mine = "none" if ruling.deciding is None else ruling.deciding.content()
    theirs = "none" if seen.deciding is None else seen.deciding.content()
    return [*made, verdict], [f"deciding_critique is {theirs}; the overseer decides by {mine}"]


def made_again(
    overseer: ClueOverseer, case: Case, similarities: Mapping[str, float]
) -> tuple[list[WordComparison], Ruling]:
    """The comparisons that an overseer makes where the similarities are these, and its ruling. Raises UsageError where one is
    not known."""
    made: list[WordComparison] = []
    procedure = overseer.rules(case)
    try:
        asked = next(procedure)
        while True:
            made.append(asked)
            unknown = [word for word in (asked.first, asked.second) if word not in similarities]
            if unknown:
                raise UsageError(f"ground_truth_similarities has no {unknown[0]!r}")
            first, second = (similarities[asked.first], similarities[asked.second])
            asked = procedure.send(asked.first_weight * first > asked.second_weight * second)
    except StopIteration as end:
        return made, end.value


def overseer_of(given: Any) -> ClueOverseer:
    """The overseer that a record names: {"name": …, parameters…}, or its name alone. Parameters that are not known and are 0
    change nothing. Raises UsageError on any other."""
    if isinstance(given, str):
        return overseer_named(given)
    name = field(given, "name", str, at="overseer")
    known = OVERSEERS[name].options() if name in OVERSEERS else ()
    return overseer_named(
        name, {key: value for key, value in given.items() if key != "name" and (key in known or value not in (0, None))}
    )


def recorded_overseer(transcript: Transcript) -> ClueOverseer:
    """The overseer of an imported play, to judge it again. Raises UsageError when it was not imported or names none that is
    known."""
    record = record_of_import(transcript)
    found = field(record, "overseer", object, None)
    if found is None:
        raise UsageError(f"{transcript.name}: its record names no overseer for all of its oversights")
    return overseer_of(found)
