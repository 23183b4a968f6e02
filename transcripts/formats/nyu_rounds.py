"""The rounds of a human debate of Michael et al. 2023 played through the engine.

Rule: who says what, and where it stands in the record; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.errors import first_problem
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question
from moot.transcripts.formats.nyu_passage import Passage, speech_of, text_of
from moot.transcripts.formats.nyu_rules import Offline, Round, debater, round_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class OfflineJudgment:
    """What one judge believed who read the debate after its end: all at once ("timed") or step by step ("stepped")."""

    judge: str
    mode: str
    verdicts: tuple[Verdict, ...]


def seats_of(protocol: Debate, question: Question) -> dict[str, str]:
    """Seat to role as a record names it, the debaters by the answers that they defend."""
    if isinstance(protocol, Consultancy):
        return {"consultant": debater(protocol.answer), "judge": "Judge"}
    seats = [seat for seat, role in protocol.roles(question).items() if role == "debater"]
    return {**{seat: debater(index) for index, seat in enumerate(seats)}, "judge": "Judge"}


def _speakers(protocol: Debate, question: Question) -> dict[str, str]:
    """The answers that have a speaker, by index as a record writes it, and their seats."""
    roles = {debater(index): str(index) for index in range(len(question.choices))}
    return {roles[role]: seat for seat, role in seats_of(protocol, question).items() if seat != "judge"}


def _over(game: Game) -> bool:
    """Whether the debate itself has ended: by the judge, or with only the final verdict left to ask for."""
    return game.outcome is not None or any(waiting.ask.brief["task"] == "verdict" for waiting in game.open.values())


def play_rounds(game: Game, protocol: Debate, rounds: list[Round], passage: Passage) -> list[str]:
    """Play the rounds as far as the rules accept them. What was wrong, each with its place."""
    speakers = _speakers(protocol, game.question)
    found: list[str] = []
    parts = protocol.parts()
    for index, (name, held) in enumerate(each.case for each in rounds):
        place = f"rounds.{index}.{name}"
        if name == "OfflineJudgments":
            found += _bad_judgments(place, held.judgments)
            if not _over(game):
                found.append(f"{place}: the debate has not ended yet")
            continue
        part = None if _over(game) else next(parts)[0]
        if part is None or round_of(part) != name:
            rules = "the debate has ended before it" if part is None else f"the rules call for {round_of(part)} here"
            return [*found, f"{place}: {rules}"]
        for where, seat, move, at in _moves(place, name, held, speakers, passage, found):
            step = next((step for step, waiting in game.open.items() if waiting.ask.seat == seat), None)
            if step is None:
                return [*found, f"{where}: it is not for {seat} to speak here"]
            waiting = game.open[step]
            if not game.answer(step, move, meta=clock(at)):
                return [*found, f"{where}: {waiting.problem}"]
    return found


def _moves(
    place: str, name: str, held: Any, speakers: Mapping[str, str], passage: Passage, found: list[str]
) -> Iterator[tuple[str, str, dict[str, Any], int | None]]:
    """The moves of a round: where each stands, whose it is, the move, its time. Bad quotes are added to `found`."""
    if name == "JudgeFeedback":
        text = text_of(held.feedback.content, passage)
        verdict = {"kind": "verdict", "probabilities": held.distribution, "text": text, "end": held.endDebate}
        yield place, "judge", verdict, held.feedback.timestamp
    elif name == "NegotiateEnd":
        for key, vote in held.votes.items():
            yield f"{place}.votes.{key}", _speaker(speakers, key), {"kind": "stop", "stop": vote}, None
    else:
        said = held.speeches if name == "SimultaneousSpeeches" else dict(sorted(held.speeches.items()))
        for key, spoken in said.items():
            where = f"{place}.speeches.{key}"
            spans = ((i, segment.Quote.span) for i, segment in enumerate(spoken.content) if segment.Quote is not None)
            found += [
                f"{where}.content.{number}: the quote spans tokens {first} to {last} of a source that has "
                f"{len(passage.tokens)}; only what is there is quoted"
                for number, (first, last) in spans
                if not 0 <= first < last <= len(passage.tokens)
            ]
            yield where, _speaker(speakers, key), speech_of(spoken.content, passage), spoken.timestamp


def _speaker(speakers: Mapping[str, str], key: str) -> str:
    return speakers.get(key, f"whoever defends answer {key}")


def offline_judgment(judge: str, given: Offline) -> OfflineJudgment:
    texts = ("".join(part.Text.text for part in each.feedback.content if part.Text) for each in given.judgments)
    return OfflineJudgment(judge, given.mode, tuple(
        Verdict(probabilities=tuple(each.distribution), text=text, end=each.endDebate)
        for each, text in zip(given.judgments, texts, strict=True)
    ))  # fmt: skip


def _bad_judgments(place: str, judgments: Mapping[str, Offline]) -> list[str]:
    found = []
    for judge, given in judgments.items():
        try:
            offline_judgment(judge, given)
        except ValidationError as error:
            found.append(f"{place}.judgments.{judge}: {first_problem(error, 'it')}")
    return found


def clock(milliseconds: int | None) -> dict[str, str]:
    """A time of a record as event meta; nothing where there is none, or none that a calendar holds."""
    if milliseconds is None:
        return {}
    try:
        return {"at": (_EPOCH + timedelta(milliseconds=milliseconds)).isoformat(timespec="milliseconds")}
    except OverflowError:
        return {}
