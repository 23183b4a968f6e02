"""The rounds of a record of Michael et al. 2023 played through the engine, as they were held on the platform of that study.

A round or a speech that breaks the record's own rules was accepted there, and is played: the former by the rounds that were
held instead of those that the rules call for, the latter with the rule as a remark on its step.

Rule: play; what a file must hold and its rules stand in `nyu_rules`, texts in `nyu_passage`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Feedback, Negotiate, Part, Speeches
from moot.protocols.engine.errors import Illegal, first_problem
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question
from moot.transcripts.formats.importing import accept, be_silent
from moot.transcripts.formats.nyu_passage import Passage, speech_of
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


def speakers(protocol: Debate, question: Question) -> dict[str, str]:
    """The answers that have a speaker, by index as a record writes it, and their seats."""
    roles = {debater(index): str(index) for index in range(len(question.choices))}
    return {roles[role]: seat for seat, role in seats_of(protocol, question).items() if seat != "judge"}


def as_held(protocol: Debate, rounds: list[Round]) -> tuple[Debate, list[str]]:
    """The protocol of the rounds that were held: the record's own, or, where they are not those that its rules call for, one
    with just these; and what there is to say of that."""
    opening = tuple(_part(protocol, name) for _, (name, _) in _debated(rounds))
    held = protocol.model_copy(update={"rounds": 0, "opening": opening, "repeat": (), "closing": ()})
    instead = "the debate is played by the rounds that were held"
    if protocol.rounds is None and not any(isinstance(part, Feedback | Negotiate) for part in protocol.repeated()):
        return held, [f"setup.rules: a debate by them never ends; {instead}"]
    parts = protocol.parts()
    for index, (name, inside) in _debated(rounds):
        part = next(parts, (None,))[0]
        if part is None or round_of(part) != name:
            called = "no more rounds" if part is None else f"{round_of(part)} here"
            return held, [f"rounds.{index}.{name}: the rules call for {called}; {instead}"]
        if _ends(name, inside):
            break
    return protocol, []


def _debated(rounds: list[Round]) -> Iterator[tuple[int, tuple[str, Any]]]:
    """The rounds of the debate itself, with their places."""
    return ((index, each.case) for index, each in enumerate(rounds) if each.OfflineJudgments is None)


def _ends(name: str, held: Any) -> bool:
    """Whether a debate ends with this round."""
    return bool(held.endDebate if name == "JudgeFeedback" else name == "NegotiateEnd" and all(held.votes.values()))


def _part(protocol: Debate, name: str) -> Part:
    """How a round of this name is held by the protocol's rules, or where they have none, without limits."""
    parts = (*protocol.opening, *protocol.repeated(), *protocol.closing)
    order: Any = "simultaneous" if name == "SimultaneousSpeeches" else "sequential"
    others: dict[str, Part] = {"JudgeFeedback": Feedback(), "NegotiateEnd": Negotiate()}
    return next((part for part in parts if round_of(part) == name), others.get(name, Speeches(order=order)))


def play_rounds(game: Game, protocol: Debate, rounds: list[Round], passage: Passage) -> list[str]:
    """Play the rounds. What breaks a rule, each with its place."""
    seats = speakers(protocol, game.question)
    found: list[str] = []
    going = [index for index, _ in _debated(rounds)][-1:]
    for index, (name, held) in enumerate(each.case for each in rounds):
        place = f"rounds.{index}.{name}"
        if name == "OfflineJudgments":
            found += _bad_judgments(place, held.judgments)
            if not _over(game):
                found.append(f"{place}: the debate has not ended yet")
        elif _over(game):
            found.append(f"{place}: the debate has ended before it")
        elif not _hold(game, place, name, held, seats, passage, found, last=[index] == going):
            break
    return found


def _over(game: Game) -> bool:
    """Whether the debate itself has ended: by the judge, or with only the final verdict left to ask for."""
    return game.outcome is not None or any(waiting.ask.brief["task"] == "verdict" for waiting in game.open.values())


def _hold(
    game: Game,
    place: str,
    name: str,
    held: Any,
    seats: Mapping[str, str],
    passage: Passage,
    found: list[str],
    last: bool,
) -> bool:
    """Play one round; whether the play can go on. Who has nothing in it, although others went on, was silent."""
    waiting = ["judge"] if name == "JudgeFeedback" else list(seats.values())

    def silent(until: str | None) -> bool:
        while waiting and (until is None or _open(game, until) is None):
            step, seat = next(((step, seat) for seat in waiting if (step := _open(game, seat))), (None, ""))
            if step is None or (problem := be_silent(game, step)) is None:
                return False
            waiting.remove(seat)
            found.append(f"{place}: {problem}")
        return True

    for where, seat, move, at in _moves(place, name, held, seats, passage, found):
        if seat not in waiting or not silent(until=seat):
            found.append(f"{where}: it is not for {seat} to speak here")
            continue
        step = _open(game, seat)
        assert step is not None
        waiting.remove(seat)
        try:
            if (remark := accept(game, step, move, clock(at))) is not None:
                found.append(f"{where}: {remark}")
        except Illegal as error:
            found.append(f"{where} cannot be played: {error}")
            return False
    return last or silent(until=None)


def _open(game: Game, seat: str) -> str | None:
    """The step at which a seat is asked."""
    return next((step for step, waiting in game.open.items() if waiting.ask.seat == seat), None)


def _moves(
    place: str, name: str, held: Any, seats: Mapping[str, str], passage: Passage, found: list[str]
) -> Iterator[tuple[str, str, dict[str, Any], int | None]]:
    """The moves of a round: where each stands, whose it is, the move, its time. Bad quotes are added to `found`."""
    if name == "JudgeFeedback":
        text = speech_of(held.feedback.content, passage)["text"]
        verdict = {"kind": "verdict", "probabilities": held.distribution, "text": text, "end": held.endDebate}
        yield place, "judge", verdict, held.feedback.timestamp
    elif name == "NegotiateEnd":
        for key, vote in held.votes.items():
            yield f"{place}.votes.{key}", _speaker(seats, key), {"kind": "stop", "stop": vote}, None
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
            yield where, _speaker(seats, key), speech_of(spoken.content, passage), spoken.timestamp


def _speaker(seats: Mapping[str, str], key: str) -> str:
    return seats.get(key, f"whoever defends answer {key}")


def offline_judgment(judge: str, given: Offline) -> OfflineJudgment:
    verdicts = []
    for each in given.judgments:
        text = "".join(part.Text.text for part in each.feedback.content if part.Text)
        verdicts.append(Verdict(probabilities=tuple(each.distribution), text=text, end=each.endDebate))
    return OfflineJudgment(judge, given.mode, tuple(verdicts))


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
