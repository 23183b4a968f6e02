"""Debates of Multi-Agents-Debate (Liang et al. 2023, arXiv 2305.19118) as plays: two sides, and a moderator who may end them.

The players' chat histories hold each other's speeches as prompts; what a player said itself are its "assistant" messages.
Moderator and judge are the seat `judge`. Its belief is even while it states no preference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Feedback, Speeches
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.transcripts.formats.importing import Format, Play, Record
from moot.transcripts.formats.records import field, json_records, objects

AFFIRMATIVE, NEGATIVE, MODERATOR, JUDGE = "Affirmative side", "Negative side", "Moderator", "Judge"
CHOICES = ("the affirmative side", "the negative side")
_TOPIC = re.compile(r"debate topic is stated as follows:\s*(.+)", re.DOTALL)


class MultiAgentDebate(Format):
    """Files of one debate each, or several in an array or on lines."""

    name: ClassVar[str] = "multi-agent-debate"
    about: ClassVar[str] = "debates of Multi-Agents-Debate, with moderator and judge (Liang et al. 2023)"
    suffixes: ClassVar[tuple[str, ...]] = (".json", ".jsonl")

    def files(self, path: Path) -> list[Path]:
        # beside each debate its settings are saved as ID-config.json
        return [file for file in super().files(path) if file == path or not file.stem.endswith("-config")]

    def records(self, file: Path) -> Iterator[Record | str]:
        return json_records(file)

    def plays(self, record: Record) -> Iterator[Play]:
        yield _play(record.name, record.value)


def _play(name: str, value: Any) -> Play:
    players = field(value, "players", dict)
    problems: list[str] = []
    base = _first(value, "base translation", "base_translation", "base_answer")
    final = _first(value, "debate translation", "debate_translation", "debate_answer")
    sides = {seat: _said(players, player) for seat, player in (("a", AFFIRMATIVE), ("b", NEGATIVE))}
    if base and sides["a"] and sides["a"][0].strip() == base.strip() and len(sides["a"]) > len(sides["b"]):
        del sides["a"][0]  # the translation made before the debate, which the first speech then states and defends
    moderator = _said(players, MODERATOR, required=False)
    judge = _said(players, JUDGE, required=False)
    rounds = max(len(sides["a"]), len(sides["b"]))
    if not rounds:
        raise UsageError(f"players: neither {AFFIRMATIVE!r} nor {NEGATIVE!r} said anything")
    feedback = _feedback(moderator, bool(judge), rounds, problems)
    verdict = _verdict(value, judge, sides, base, final, problems)
    ended = any(move.end for move in feedback)
    question = Question(_topic(value, players), CHOICES, about=_about(value, base), id=name)
    if not moderator:
        problems.append(f"players.{MODERATOR} is missing: the rounds are read as having no moderator")
    parts: Any = (Speeches(order="sequential"), Feedback()) if moderator else (Speeches(order="sequential"),)
    said: dict[str, list[Move]] = {seat: [Speech(text=text) for text in texts] for seat, texts in sides.items()}
    whole = len(feedback) == len(moderator)
    said["judge"] = [*feedback, *([verdict] if verdict is not None and not ended and whole else [])]
    model = {"model": value.get("model_name"), "temperature": value.get("temperature")}
    told = {key: each for key, each in model.items() if each is not None}
    who: dict[str, Any] = {"agent": "lm", **told} if told else {}
    seats: dict[str, dict[str, Any]] = {seat: who for seat in ("a", "b", "judge") if who}
    return Play(Debate(rounds=rounds, repeat=parts), question, said, seats=seats, problems=tuple(problems))


def _said(players: Mapping[str, Any], player: str, required: bool = True) -> list[str]:
    """A player's own messages, in order."""
    if not required and players.get(player) is None:
        return []
    messages = objects(players, player, "players")
    at = f"players.{player}"
    roles = [field(message, "role", str, at=f"{at}.{i}") for i, message in enumerate(messages)]
    return [
        field(message, "content", str, at=f"{at}.{i}")
        for i, (message, role) in enumerate(zip(messages, roles, strict=True))
        if role == "assistant"
    ]


def _first(value: Any, *keys: str) -> str | None:
    """The first of several fields that is a text and not empty: versions of the program name them differently."""
    for key in keys:
        if (found := field(value, key, str, None)) is not None and found.strip():
            return str(found)
    return None


def _topic(value: Any, players: Mapping[str, Any]) -> str:
    """What is debated, from the record or, where it does not say, from what the players were told."""
    if topic := _first(value, "debate_topic"):
        return topic
    source = _first(value, "source")
    for message in objects(players, AFFIRMATIVE, "players"):
        if message.get("role") == "system" and isinstance(message.get("content"), str):
            if stated := _TOPIC.search(message["content"]):
                return stated[1].strip() or (source or "")
    if source is None:
        raise UsageError("there is no debate_topic, no source, and no topic in what the affirmative side was told")
    return f"What is the correct translation of the following text: {source}"


def _about(value: Any, base: str | None) -> str:
    told = "Which side has the better answer?"
    return told if base is None else f"{told} The affirmative side starts from: {base}"


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
            problems.append(
                f"players.{MODERATOR}: message {number} states no preference that can be read"
                f"{', and the debate went on: it is read as even' if after else ''}: {text[:80]!r}"
            )
            if not after:
                return found
        even = side in ("none", None)
        probabilities = (0.5, 0.5) if even else (1.0, 0.0) if side == "affirmative" else (0.0, 1.0)
        found.append(Verdict(probabilities=probabilities, text=text, end=last and not even and not judged))
    return found


def _side(text: str) -> str | None:
    """ "affirmative", "negative", or "none" for no preference; None when the message does not say. These messages are JSON
    or the text of a Python dict, with other texts in any quotation marks, so only the two short fields are looked for."""
    preference = _value(text, "Whether there is a preference")
    supported = (_value(text, "Supported Side") or "").lower()
    named = [side for side in ("affirmative", "negative") if supported.startswith(side)]
    if preference is not None and preference.lower().startswith("no"):
        return "none"
    if named:
        return named[0]
    return None


def _value(text: str, name: str) -> str | None:
    found = re.search(rf"""["']{re.escape(name)}["']\s*:\s*["']([^"'\n]*)["']""", text, re.IGNORECASE)
    return found[1].strip() if found else None


def _verdict(
    value: Any,
    judge: list[str],
    sides: Mapping[str, list[str]],
    base: str | None,
    final: str | None,
    problems: list[str],
) -> Verdict | None:
    """The judge's verdict. It names an answer and no side: that side's whose opening holds the answer, if only one's does."""
    if not judge:
        return None
    text = judge[-1]
    side = _side(text)
    if side is None:
        supported = (_first(value, "Supported Side") or "").lower()
        side = next((each for each in ("affirmative", "negative") if supported.startswith(each)), None)
    if side is None and final is not None:
        holds = {
            "affirmative": _holds(f"{base or ''}\n{''.join(sides['a'][:1])}", final),
            "negative": _holds("".join(sides["b"][:1]), final),
        }
        held = [each for each, found in holds.items() if found]
        side = held[0] if len(held) == 1 else None
    if side not in ("affirmative", "negative"):
        problems.append("the judge's answer is not that of one side alone: there is no verdict")
        return None
    return Verdict(probabilities=(1.0, 0.0) if side == "affirmative" else (0.0, 1.0), text=text)


def _holds(text: str, answer: str) -> bool:
    plain = " ".join(answer.split()).strip(" .。\"'").lower()
    return bool(plain) and plain in " ".join(text.split()).lower()
