"""Text of others as it may be shown: on a terminal nothing in it steers, hides or reorders; in a prompt it closes no element
and holds no marker of a chat template.

Rule of this file: strings in, strings out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

# Default-ignorable characters that are no format characters: fillers, joiners, variation selectors beyond the first 16.
_IGNORED = "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\uffa0\ufff0-\ufff8\U000e0000-\U000e0fff"
_FORMAT = (
    "\u00ad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
)
_PRIVATE = "\ue000-\uf8ff\U000f0000-\U0010ffff"
_NO_CHARACTER = "\ufdd0-\ufdef\ufffe\uffff" + "".join(
    f"{chr(p << 16 | 0xFFFE)}{chr(p << 16 | 0xFFFF)}" for p in range(1, 15)
)
_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
_ALL = f"{_STEERING}{_IGNORED}{_FORMAT}{_PRIVATE}{_NO_CHARACTER}\ufe00-\ufe0f"
# Joiners and selectors shape emoji and many scripts: beside characters that are seen they stay, one at a time.
_HIDDEN = re.compile(
    f"(?:(?<=[^{_ALL}\x00-\u02ff])|(?<=[^{_ALL}\x00-\u02ff]\ufe0f))[\u200c\u200d](?=[^{_ALL}\x00-\u02ff])"
    f"|(?<=[^{_ALL}\\s])[\ufe0e\ufe0f]|([{_ALL}])"
)


def visible(text: str) -> str:
    """`text` with all that a terminal would obey, hide or reorder by, written out: ESC as \\x1b, an override as \\u202e. Line
    feeds and tabs stay. Nothing in the result can move a cursor, colour, or reorder what stands around it; done again, it
    changes nothing."""
    if text.isascii() and text.isprintable():
        return text
    return _HIDDEN.sub(_written_out, text.replace("\r\n", "\n"))


def flat(text: str) -> str:
    """The same on one line."""
    return visible(text).replace("\n", " ").replace("\t", " ")


def one_line(text: str, most: int = 200) -> str:
    """The same on one line of at most `most` characters, without blanks beside blanks, cut with "…"."""
    line = " ".join(visible(text[: 8 * most]).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _written_out(match: re.Match[str]) -> str:
    return match.group() if match[1] is None else match[1].encode("unicode_escape").decode()


# -- in prompts ------------------------------------------------------------------------------------------------------------

# Those few are named: the class of all others takes 5 ms to compile, in every process.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_PLAIN = re.compile(r"[A-Za-z0-9 .,;'()?!\"_\n-]*").fullmatch  # nothing of what is sought in a text
_OPENS = "[\\[\uff3b]"
_BRACKET = re.compile(
    # [INST], [/TOOL_RESULTS], [gMASK], [start_header_id], [unused9]: no word of plain text; [|user|]; ]~b], [e~[, ]!p~[
    rf"{_OPENS}(?=/?\w{{0,48}}(?:[A-Z]{{2}}|[A-Za-z]\d|_)\w{{0,48}}[]\uff3d])|{_OPENS}(?=[|\uff5c])"
    "|[]\uff3d](?=~)|(?<=~)[][\uff3b\uff3d]"
)
_BAR = re.compile("\uff5c(?=\\w{1,48}\uff5c)")
_SWITCH = re.compile(r"/(?=(?:no_?)?think)")
_HEADING = re.compile(r"(?<=##)#(?= ?\w[\w ]{0,40}[:\uff1a])")
_COLON = re.compile("[:\uff1a]")
_SPEAKERS = frozenset(
    "system user human assistant chatbot bot ai model tool observation instruction input response 用户 助手 系统 问 答 "
    "пользователь ассистент".split()
)
_WORD = re.compile(r"\w{2,20}[ \t]*\Z")
_LINE = re.compile(r"(?:\A|\n)[ \t]*(?:\w{1,12} correct[ \t]+)?\w+[ \t]*\Z", re.IGNORECASE)
_REFERENCE = re.compile(r"&(?:(amp|lt|gt|quot)|#(\d{1,6}));")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"'}
_REACH = 40  # characters before a colon that may name a speaker


def escape(text: str) -> str:
    """Text that an XML parser gives back exactly, and in which no model's chat template finds one of its markers, by their
    shapes: <|…|>, <…>, [|…|], [WORD], ]~b], ＜…＞, ｜…｜, "### Instruction:", "USER:", "/no_think".

    Characters that XML cannot hold (most control characters, lone surrogates) become U+FFFD. `unescape` is the way back.
    """
    if len(text) > 200:
        return _kept(text)
    return text if _PLAIN(text) else _kept_short(text)


def _escaped(text: str) -> str:
    text = _NOT_XML.sub("\ufffd", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace("]]>", "]]&gt;").replace("\r", "&#13;")
    return _broken(text)


_kept = lru_cache(maxsize=128)(_escaped)  # a passage stands in every prompt of a play
_kept_short = lru_cache(maxsize=1024)(_escaped)  # and who defends what


def _broken(text: str) -> str:
    if "[" in text or "~" in text or "\uff3b" in text:
        text = _BRACKET.sub(_reference, text)
    if "think" in text:
        text = _SWITCH.sub(_reference, text)
    if "##" in text:
        text = _HEADING.sub(_reference, text)
    if ":" in text or "\uff1a" in text:
        text = _COLON.sub(lambda colon: _reference(colon) if _named(text, colon.start()) else colon.group(), text)
    if text.isascii():
        return text
    return _BAR.sub(_reference, text).replace("\uff1c", "&#65308;").replace("\ufe64", "&#65124;")


def _named(text: str, end: int) -> bool:
    """Whether what stands before `end` names a speaker, as chat templates without markers of their own do: first on its line,
    or in capitals."""
    start = max(0, end - _REACH)
    before = text[start:end]
    word = text[start:end].rstrip(" \t")[-1:].isalpha() and (_WORD.search(before) or [""])[0].rstrip(" \t")
    if not word or word.lower() not in _SPEAKERS:
        return False
    return (word.isupper() and len(word) > 3) or _LINE.search("." + before if start else before) is not None


def _reference(match: re.Match[str]) -> str:
    return f"&#{ord(match.group())};"


def unescape(text: str) -> str:
    """The text that `escape`, or an attribute in a prompt, shows as this."""
    return _REFERENCE.sub(_meant, text) if "&" in text else text


def _meant(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED[match[1]]
    code = int(match[2])
    return match.group() if code > 0x10FFFF or 0xD800 <= code < 0xE000 else chr(code)


def as_meant(copy: str, among: Iterable[str]) -> str:
    """The one of these texts that `copy` is, as a prompt shows it or as it is; else `copy`."""
    texts = list(among)
    shown = next((text for text in texts if copy == escape(text)), None)
    if shown is None and copy not in texts:
        shown = next((text for text in texts if unescape(copy) == text), None)
    return copy if shown is None else shown


def own_words(text: str, tags: Iterable[str]) -> str:
    """What a model said, to be put before it again: with its own tags, and with every marker broken up."""
    kept = "|".join(re.escape(tag) for tag in tags) or "(?!)"
    text = _NOT_XML.sub("\ufffd", text)
    return _broken(re.sub(rf"<(?!/?(?:{kept})>)", "&lt;", text))
