"""Debates of Multi-Agents-Debate (Liang et al. 2023, arXiv 2305.19118) as plays: two sides, and a moderator who may end them.

What a player said are the "assistant" messages of its history. Moderator and judge are the seat `judge`, whose belief is
even while it states no preference.

Rule: one format, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from pydantic import AliasChoices, Field

from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Feedback, Speeches
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech, Verdict
from moot.protocols.engine.question import Question
from moot.transcripts.formats.importing import Format, Play, Said
from moot.transcripts.formats.records import Given, Record, read

CHOICES = ("the affirmative side", "the negative side")
_BELIEFS = {"affirmative": (1.0, 0.0), "negative": (0.0, 1.0)}
_TOPIC = re.compile(r"debate topic is stated as follows:\s*(.+)", re.DOTALL)


class _Message(Given):
    role: str
    content: str


class _Players(Given):
    affirmative: list[_Message] = Field(alias="Affirmative side")
    negative: list[_Message] = Field(alias="Negative side")
    moderator: list[_Message] = Field([], alias="Moderator")
    judge: list[_Message] = Field([], alias="Judge")


def _named(*keys: str) -> Any:
    """A text that versions of the program name differently: the first that is there and not empty."""
    return Field(None, validation_alias=AliasChoices(*keys))


class _Debate(Given):
    players: _Players
    base: str | None = _named("base translation", "base_translation", "base_answer")
    final: str | None = _named("debate translation", "debate_translation", "debate_answer")
    supported: str | None = _named("Supported Side")
    debate_topic: str | None = None
    source: str | None = None
    model_name: Any = None
    temperature: Any = None


class MultiAgentDebate(Format):
    """Files of one debate each, or several in an array or on lines."""

    name: ClassVar[str] = "multi-agent-debate"
    about: ClassVar[str] = "debates of Multi-Agents-Debate, with moderator and judge (Liang et al. 2023)"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl")

    def files(self, path: Path) -> list[Path]:
        # beside each debate its settings are saved as ID-config.json
        return [file for file in super().files(path) if file == path or not file.stem.endswith("-config")]

    def plays(self, record: Record) -> Iterator[Play]:
        value = record.value
        if isinstance(value, dict):
            value = {key: each for key, each in value.items() if not isinstance(each, str) or each.strip()}
        yield _play(record.name, read(_Debate, value))


def _play(name: str, given: _Debate) -> Play:
    players, problems = given.players, list[str]()
    sides = {"a": _said(players.affirmative), "b": _said(players.negative)}
    base = given.base
    if base and sides["a"] and sides["a"][0].strip() == base.strip() and len(sides["a"]) > len(sides["b"]):
        del sides["a"][0]  # the translation made before the debate, which the first speech then states and defends
    moderator, judge = _said(players.moderator), _said(players.judge)
    rounds = max(map(len, sides.values()))
    if not rounds:
        raise UsageError("players: neither 'Affirmative side' nor 'Negative side' said anything")
    feedback = _feedback(moderator, bool(judge), rounds, problems)
    verdict = _verdict(given, judge, sides, problems)
    about = "Which side has the better answer?" + (f" The affirmative side starts from: {base}" if base else "")
    if not moderator:
        problems.append("players.Moderator is missing: the rounds are read as having no moderator")
    parts: Any = (Speeches(order="sequential"), Feedback()) if moderator else (Speeches(order="sequential"),)
    said: dict[str, list[Said | None]] = {seat: [Speech(text=text) for text in texts] for seat, texts in sides.items()}
    whole = len(feedback) == len(moderator) and not any(move.end for move in feedback)
    said["judge"] = [*feedback, *([verdict] if verdict is not None and whole else [])]
    model = {"model": given.model_name, "temperature": given.temperature}
    model = {key: each for key, each in model.items() if each is not None}
    seats: dict[str, Any] = dict.fromkeys(("a", "b", "judge"), {"agent": "lm", **model}) if model else {}
    question = Question(_topic(given), CHOICES, about=about, id=name)
    return Play(Debate(rounds=rounds, repeat=parts), question, said, seats=seats, problems=tuple(problems))


def _said(messages: list[_Message]) -> list[str]:
    """A player's own messages, in order."""
    return [message.content for message in messages if message.role == "assistant"]


def _topic(given: _Debate) -> str:
    """What is debated, from the record or, where it does not say, from what the players were told."""
    if given.debate_topic:
        return given.debate_topic
    for message in given.players.affirmative:
        if message.role == "system" and (stated := _TOPIC.search(message.content)):
            return stated[1].strip() or given.source or ""
    if given.source is None:
        raise UsageError("there is no debate_topic, no source, and no topic in what the affirmative side was told")
    return f"What is the correct translation of the following text: {given.source}"


def _feedback(moderator: list[str], judged: bool, rounds: int, problems: list[str]) -> list[Verdict]:
    """The moderator's messages as beliefs. One that cannot be read is even where the debate went on after it, as it does
    only without a preference; if nothing came after it, it is left out. The last one ends the debate, when it states a
    preference and no judge was asked after it."""
    found: list[Verdict] = []
    for number, text in enumerate(moderator):
        last = number == len(moderator) - 1
        side = _side(text)
        if side is None:
            after = judged or number + 1 < rounds
            how = ", and the debate went on: it is read as even" if after else ""
            problems.append(f"players.Moderator: message {number} states no readable preference{how}: {text[:80]!r}")
            if not after:
                return found
        belief = _BELIEFS.get(side or "none", (0.5, 0.5))
        found.append(Verdict(probabilities=belief, text=text, end=last and belief != (0.5, 0.5) and not judged))
    return found


def _side(text: str) -> str | None:
    """ "affirmative", "negative", or "none" for no preference; None when the message does not say. These messages are JSON
    or the text of a Python dict, with other texts in any quotation marks, so only the two short fields are looked for."""
    preference = _value(text, "Whether there is a preference")
    if preference is not None and preference.lower().startswith("no"):
        return "none"
    return _supported(_value(text, "Supported Side"))


def _supported(named: str | None) -> str | None:
    return next((side for side in _BELIEFS if (named or "").lower().startswith(side)), None)


def _value(text: str, name: str) -> str | None:
    found = re.search(rf"""["']{re.escape(name)}["']\s*:\s*["']([^"'\n]*)["']""", text, re.IGNORECASE)
    return found[1].strip() if found else None


def _verdict(given: _Debate, judge: list[str], sides: Mapping[str, list[str]], problems: list[str]) -> Verdict | None:
    """The judge's verdict. It names an answer and no side: that side's whose opening holds the answer, if only one's does."""
    if not judge:
        return None
    side = _side(judge[-1]) or _supported(given.supported)
    if side is None and given.final is not None:
        openings = (f"{given.base or ''}\n{''.join(sides['a'][:1])}", "".join(sides["b"][:1]))
        held = [each for each, text in zip(_BELIEFS, openings, strict=True) if _holds(text, given.final)]
        side = held[0] if len(held) == 1 else None
    if side not in _BELIEFS:
        problems.append("the judge's answer is not that of one side alone: there is no verdict")
        return None
    return Verdict(probabilities=_BELIEFS[side], text=judge[-1])


def _holds(text: str, answer: str) -> bool:
    plain = " ".join(answer.split()).strip(" .。\"'").lower()
    return bool(plain) and plain in " ".join(text.split()).lower()
