"""Overseen clues of Crazytieguy 2025 (codenames-oversight) as plays of `ClueOversight`, one for each oversight of a game.

A record says how many comparisons its overseer made, and not which. They are made again by the overseer that it names; where
that gives the recorded number and score they are in the play, and where it does not, only the verdict is.

Rule: one format, whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from moot.judges.clue_overseers import OVERSEERS, Case, ClueOverseer, Ruling, overseer_named, verdict_of
from moot.protocols.debate.clue_oversight import Clue, ClueCritique, ClueOversight, WordComparison
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.formats.importing import Format, Play, record_of_import
from moot.transcripts.formats.records import Given, Record, read
from moot.transcripts.transcript import Transcript


class _Game(Given):
    good_words: list[str]
    bad_words: list[str]


class _Set(Given):
    game: _Game
    oversights: list[Any]


class _Critique(Given):
    bad_word: str
    target_good_word: str

    @property
    def move(self) -> ClueCritique:
        return ClueCritique(bad_word=self.bad_word, target=self.target_good_word)


class _Clue(Given):
    clue: str
    targets: list[str]


class _Clued(Given):
    clue: _Clue
    critiques: list[_Critique] = []


class _Oversight(Given):
    clue_critiques: _Clued
    ground_truth_similarities: dict[str, float] = {}
    expected_score: int
    ground_truth_score: int
    comparisons_performed: int | None = None
    valid_targets: list[str] | None = None
    deciding_critique: _Critique | None = None


class Codenames(Format):
    """Files of preference sets: a game, its overseer, and what became of each clue."""

    name: ClassVar[str] = "codenames"
    about: ClassVar[str] = "overseen clues of a word game, codenames-oversight (Crazytieguy 2025)"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl", ".json")

    def plays(self, record: Record) -> Iterator[Play | str]:
        given = read(_Set, record.value)
        if not given.oversights:
            yield "oversights is empty: the record holds no play"
        for number, oversight in enumerate(given.oversights):
            try:
                named = oversight if isinstance(oversight, dict) and "overseer" in oversight else record.value
                seen = read(_Oversight, oversight, at := f"oversights.{number}")
                yield _play(seen, given.game, named.get("overseer"), at, f"{record.name}-{number}")
            except UsageError as error:
                yield str(error)


def _play(seen: _Oversight, game: _Game, overseer: Any, at: str, name: str) -> Play:
    good, bad, near, truth = game.good_words, game.bad_words, seen.ground_truth_similarities, seen.ground_truth_score
    said = seen.clue_critiques.clue
    critiques = tuple(each.move for each in seen.clue_critiques.critiques)
    case = Case(tuple(good), tuple(bad), Clue(clue=said.clue, targets=tuple(said.targets)), critiques)
    found: list[str] = []
    refused = seen.expected_score == truth == -1 and said.clue.upper() in (*good, *bad)
    if refused:
        found.append(f"{at}: the clue {said.clue!r} is a word of the game, and refused with -1: there is no verdict")
    elif not 0 <= truth <= len(good):
        found.append(f"{at}.ground_truth_score is {truth}, which no play of {len(good)} good words can score")
    elif set(good) | set(bad) <= set(near) and bad:
        counted = sum(near[word] > max(near[each] for each in bad) for word in good)
        if counted != truth:
            found.append(f"{at}.ground_truth_score is {truth}; by the similarities it is {counted}")
    if (valid := seen.valid_targets) is not None and set(valid) != set(case.targets):
        found.append(f"{at}.valid_targets is {valid}; the targets that are good words are {list(case.targets)}")
    scores = tuple(str(score) for score in range(len(good) + 1))
    data: Any = {"good_words": good, "bad_words": bad, "similarities": {said.clue: near}}
    question = Question(
        "How many good words are closer to the clue than every bad word?", scores, data=data, size=len(good) + len(bad),
        unit="cells", id=name,
    )  # fmt: skip
    judged = [] if refused else _judged(seen, case, overseer, found)
    who = overseer if isinstance(overseer, dict) else {"name": overseer} if isinstance(overseer, str) else {}
    return Play(
        ClueOversight(critiques=len(critiques)), Sample(question, truth if 0 <= truth <= len(good) else None),
        {"cluer": [case.clue], "judge": judged, **({"critic": critiques} if critiques else {})},
        seats={"judge": {**who, "agent": "program"}} if who else {}, problems=tuple(found), name=name,
    )  # fmt: skip


def _judged(seen: _Oversight, case: Case, overseer: Any, found: list[str]) -> list[Move]:
    """What the judge said, as far as it is known: its comparisons and its verdict. What does not agree is added to `found`."""
    expected, most, near = seen.expected_score, len(case.good_words), seen.ground_truth_similarities
    if not 0 <= expected <= most:
        found.append(f"expected_score is {expected}, which is no score of {most} good words: there is no verdict")
        return []
    deciding = None if seen.deciding_critique is None else seen.deciding_critique.move
    verdict = verdict_of(Ruling(expected, deciding), most)

    def closer(asked: WordComparison) -> bool:
        if unknown := [word for word in (asked.first, asked.second) if word not in near]:
            raise UsageError(f"ground_truth_similarities has no {unknown[0]!r}")
        return asked.first_weight * near[asked.first] > asked.second_weight * near[asked.second]

    try:
        if not near:
            raise UsageError("ground_truth_similarities is missing")
        made, ruling = overseer_of(overseer).decide(case, closer)
        assert ruling is not None
        if seen.comparisons_performed is None:
            raise UsageError("comparisons_performed is missing")
        if (len(made), ruling.score) != (seen.comparisons_performed, expected):
            raise UsageError(f"the record has {seen.comparisons_performed} comparisons and the score {expected}, its "
                             f"overseer makes {len(made)} and decides {ruling.score}")  # fmt: skip
    except UsageError as error:
        found.append(f"{error}: what was compared is not known, and is not in the play")
        return [verdict]
    if ruling.deciding != deciding:
        mine, theirs = ("none" if each is None else each.content() for each in (ruling.deciding, deciding))
        found.append(f"deciding_critique is {theirs}; the overseer decides by {mine}")
    return [*made, verdict]


class _Named(Given):
    name: str


def overseer_of(given: Any) -> ClueOverseer:
    """The overseer that a record names: {"name": …, parameters…}, or its name alone. Parameters that are not known and are 0
    change nothing. Raises UsageError on any other."""
    if isinstance(given, str):
        return overseer_named(given)
    name = read(_Named, given, "overseer").name
    known = OVERSEERS[name].options() if name in OVERSEERS else ()
    options = {key: each for key, each in given.items() if key != "name" and (key in known or each not in (0, None))}
    return overseer_named(name, options)


def recorded_overseer(transcript: Transcript) -> ClueOverseer:
    """The overseer of an imported play, to judge it again. Raises UsageError when it was not imported or names none that is
    known."""
    record = record_of_import(transcript)
    found = record.get("overseer") if isinstance(record, dict) else None
    if found is None:
        raise UsageError(f"{transcript.name}: its record names no overseer for all of its oversights")
    return overseer_of(found)
