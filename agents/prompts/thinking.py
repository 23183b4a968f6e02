"""What a model thinks, told apart from what it answers, by the marks that models put around it.

Rule of this file: marks are known here and nowhere else. It knows texts, and no form that an answer must have.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

_WORDS = ("think", "thinking", "thought", "thoughts", "reasoning", "reflection", "scratchpad", "private_thinking",
          "seed:think", "mm:think", "longcat_think")  # fmt: skip
"""Tags in whose element a model thinks: DeepSeek, Qwen, GLM, Exaone, Seed-OSS, MiniMax, LongCat, and models told to."""

_MARKS: tuple[tuple[str, str, bool], ...] = (
    (r"\[THINK\]", r"\[/THINK\]", True),  # Magistral
    (r"◁think▷", r"◁/think▷", True),  # Kimi
    (r"<\|channel>", r"<channel\|>", True),  # Gemma
    (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>", True),  # Command A
    (r"<\|inner_prefix\|>", r"<\|inner_suffix\|>", True),  # Apertus
    (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>", True),  # OpenThinker
    (r"\[unused16\]", r"\[unused17\]", True),  # Pangu
    (r"<\|content_thinking\|>", r"<\|end_message\|>", False),
    (r"\AHere(?: is|'s) my thought process:", r"Here(?: is|'s) my response:", False),  # Granite
    (r"<\|channel\|>(?!\s{0,9}final\b)[^<>]{0,99}<\|message\|>", r"<\|(?:end|call)\|>", False),  # gpt-oss
    (r"\A(?-i:analysis(?=[A-Z]))", r"(?!)", False),  # the same, by a server that drops its control tokens
)
"""How thinking opens and closes elsewhere, and whether a closing counts by itself: then its opening stood in the prompt."""

_FINAL = r"<\|channel\|>\s{0,9}final\b[^<>]{0,99}<\|message\|>|assistantfinal"
"""What opens the answer, whatever came before it (gpt-oss)."""

_MARK = re.compile(
    rf"(?=[<\[◁HA])(?:<\s?(?P<slash>/?)\s?(?P<word>{'|'.join(_WORDS)})(?:\s[^<>]{{0,200}})?(?<!/)>|(?P<final>{_FINAL})|"
    + "|".join(f"(?P<o{row}>{opens})|(?P<c{row}>{closes})" for row, (opens, closes, _) in enumerate(_MARKS))
    + ")",
    re.IGNORECASE,
)


_BARE = ("here", "analysis")
"""How thinking begins that is marked in ASCII and without brackets; `assistantfinal` ends it."""


class Parted(NamedTuple):
    """A text in two. unclosed: its thinking was opened and never closed, so that there may be no answer in it at all."""

    answer: str
    thoughts: str
    unclosed: bool


def parted(text: str, but: Collection[str] = ()) -> Parted:
    """The answer in a text and what was thought. but: tags that are part of the answer here.

    A closing without an opening ends the thinking that the text began with, so all before it is thought. Thinking may hold
    thinking. Takes time in proportion to the text.
    """
    text = text.lstrip()
    if text.isascii() and "<" not in text and "[" not in text:  # as nearly all are, and looking for marks takes long
        small = text.lower()
        if "assistantfinal" not in small and not small.startswith(_BARE):
            return Parted(text, "", False)
    return _parted(text, but)


def _parted(text: str, but: Collection[str]) -> Parted:
    answer, thoughts = list[str](), list[str]()
    inside, depth, at, opened = "", 0, 0, 0
    for mark in _MARK.finditer(text):
        group = str(mark.lastgroup)
        if word := (mark["word"] or "").lower():
            name, opens, alone = word, not mark["slash"], True
        elif mark["final"]:
            name, opens, alone, depth = inside, False, True, min(depth, 1)
        else:
            name, opens, alone = group[1:], group[0] == "o", _MARKS[int(group[1:])][2]
        if word in but or (inside and name != inside) or not (inside or opens or alone):
            continue
        if inside and opens:
            depth += bool(text[opened : mark.start()].strip())  # some repeat the opening that stood in their prompt
            opened = mark.end()
            continue
        if depth > 1:
            depth -= 1
            continue
        (thoughts if inside else answer).append(text[at : mark.start()])
        if mark["final"] or not (inside or opens):
            thoughts += answer
            answer.clear()
        at = opened = mark.end()
        inside, depth = (name, 1) if opens else ("", 0)
    (thoughts if inside else answer).append(text[at:])
    kept = (piece.strip() for piece in thoughts)
    return Parted("".join(answer), "\n\n".join(filter(None, kept)), bool(inside))
