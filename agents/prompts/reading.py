"""Reading an answer back as a move: what was thought set apart, wrapping taken off, and one move found, or a reason why not.

Whatever the text, `read` returns one move or raises UnreadableAnswer, in time proportional to its length. The move stands in a
JSON object or between tags, whichever of the two opens first, and may have words, a fence or control tokens around it. What
could be read in two ways is refused: two moves that differ, a field given twice, a move in the middle of other words, one
that repeats what somebody else said.

Rule of this file: no kind is known here, and no regular expression meets an answer that could take more than linear time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import from_json

from moot.agents.prompts.forms import Form, tag_of
from moot.agents.prompts.schemas import Json
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import Overthought, UnreadableAnswer, cleaned, ending, index, shares, unframed
from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.errors import first_problem
from moot.protocols.engine.moves import Move
from moot.protocols.text import unescape

TEXT_LIMIT = 400_000  # characters of an answer that are parsed
_TOKEN = r"<[|｜][^<>|｜]{1,40}[|｜]>|</?s>|<[be]os>|<(?:start|end)_of_turn>|<\|?turn\|?>|\[EOS\]"
"""What begins or ends a turn, by the chat templates of models."""
_LEAD = re.compile(rf"(?:[\s\ufeff]|{_TOKEN}|(?<=>)(?:assistant|model)\b)*")
_TAIL = re.compile(rf"(?:{_TOKEN})\Z")
_FENCE_BEFORE = re.compile(r"(?:```|~~~)[ \t]{0,9}\w{0,20}\s{0,9}\Z")
_OBJECT = re.compile(r'\{(?=\s*["}])')
_IN_JSON = re.compile(r'\\.|"|,(?=\s*[}\]])|[\x00-\x1f]', re.DOTALL)
_LOOSE = re.compile(r"[\s\\]+")
_BADLY = {
    "filtered": "the endpoint's filter of contents stopped the answer",
    "failed": "the endpoint says that it failed while answering",
}
Said = Callable[[], Iterable[str]]


def read(
    form: Form, text: str, *, tagged: bool = False, finish: str | None = None, note: Json | None = None,
    said: Said = lambda: (),
) -> Move:  # fmt: skip
    """The move that an answer is. tagged: what was asked for, to say so. finish: why the answer ended, in the endpoint's
    word. note: takes what was done on the way. said: what others said, none of which is this seat's own answer. Raises
    UnreadableAnswer."""
    if len(text) > TEXT_LIMIT:
        why = f"the answer has {len(text):,} characters, over {TEXT_LIMIT:,}; lower max_tokens"
        raise UnreadableAnswer(why, text, final=True)
    try:
        return _Reader(form, tagged, ending(finish), {} if note is None else note).move(text, said)
    except ValidationError as error:
        reason = first_problem(error, " or ".join(map(kind_name, form.kinds)))
    except Overthought as error:
        raise UnreadableAnswer(str(error), text, overthought=True) from None
    except RecursionError:
        reason = "the answer is nested too deeply"
    except ValueError as error:
        reason = str(error)
    raise UnreadableAnswer(reason, text)


class _Found(NamedTuple):
    """A move as data, and where it begins and ends in the text."""

    start: int
    end: int
    data: Json


class _Tags(NamedTuple):
    """The patterns that find a form's moves: how one opens, its elements, its fields, and any part of one."""

    opening: re.Pattern[str]
    element: re.Pattern[str]
    part: re.Pattern[str]


@lru_cache(256)
def _patterns(tags: tuple[str, ...], names: tuple[str, ...]) -> _Tags:
    tag, name = "|".join(map(re.escape, tags)), "|".join(map(re.escape, names))
    element = rf"<({tag})(?:\s[^<>]{{0,200}})?>"
    part = rf'</?(?:{name})\s{{0,9}}/?>|"(?:{name}|kind|move)"\s{{0,99}}:'
    return _Tags(re.compile(rf"{_OBJECT.pattern}|{element}"), re.compile(element), re.compile(part))


@lru_cache(256)
def _marks(names: tuple[str, ...]) -> re.Pattern[str]:
    """Where one of these elements begins or ends."""
    return re.compile(rf"<(/?)({'|'.join(map(re.escape, names))})(?:\s[^<>]{{0,200}})?/?>")


class _Reader:
    """One answer to one form. Its methods raise ValueError with the reason why there is no move."""

    def __init__(self, form: Form, tagged: bool, ended: str, note: Json) -> None:
        self.form, self.tagged, self.ended, self.note = form, tagged, ended, note
        self.cut = ended == "length"
        self.kinds = {tag_of(kind_name(kind)): kind for kind in form.kinds}
        self.names, self.scratch = form.names, form.scratch
        self.tags = _patterns(tuple(self.kinds), self.names)

    def move(self, text: str, said: Said) -> Move:
        answer, thoughts, unclosed = parted(text, self.names)
        self._thought(thoughts)
        if self.ended in _BADLY:
            raise ValueError(_BADLY[self.ended])
        if self.cut and self.form.thinking is not None and (unclosed or not _trimmed(answer)):
            raise Overthought
        if unclosed:
            why = ": it used up max_tokens" if self.cut else ""
            raise ValueError(f"the thinking was begun and never closed, and holds no answer{why}")
        body = _trimmed(answer)
        if not body:
            alone = " but for what was thought" if thoughts else ""
            why = " (it used up max_tokens before the answer)" if self.cut else ""
            raise ValueError(f"the answer is empty{alone}{why}")
        data = self._bare(body) if self.form.bare else self._data(body, said, bool(thoughts))
        if isinstance(thought := data.get(self.scratch), str):
            self._thought(thought)
            data = {name: value for name, value in data.items() if name != self.scratch}
        kind = self._kind(data)
        if self.cut:
            if not self.form.alone(kind):
                raise ValueError(f"the {kind_name(kind)} was cut off at max_tokens")
            self.note["cut"] = True
        return self._made(kind, self._without_thoughts(cleaned(data)))

    # -- where the move is ---------------------------------------------------------------------------------------------

    def _bare(self, body: str) -> Json:
        """The text of a move that is asked for without a form around it; where there is one all the same, it is taken off."""
        if self.tags.opening.match(body):
            try:
                text, found = self._found(body)
                if (found[0].start, found[0].end) == (0, len(text)):
                    return found[0].data
            except ValueError:
                pass
        return {str(self.form.kinds[0].bare_field): body}

    def _data(self, body: str, said: Said, thought: bool) -> Json:
        """The fields of the one move in the answer. thought: whether there was more than the answer."""
        text, found = self._found(body)
        first, last = found[0], found[-1]
        if first is not last and any(each.data != first.data for each in found):
            raise ValueError("the answer holds more than one move, and they differ; give one alone")
        ends, starts = [0, *[each.end for each in found]], [*[each.start for each in found], len(text)]
        rest = "\n".join([text[end:start] for end, start in zip(ends, starts, strict=True)])
        if self.tags.part.search(rest):
            raise ValueError("the answer holds a move and parts of another; give one alone")
        if self.form.length is not None and text[:1] == "{" and not rest.strip():
            self.cut = False  # a grammar held the model to this form, in which nothing may follow
        opens = not _FENCE_BEFORE.sub(
            "", text[: first.start]
        ).strip()  # nothing but a fence before the move, and after it
        closes = not text[last.end :].strip().strip("`~")
        if opens and closes and first is last and not thought:
            return first.data
        if not (opens or closes or _fenced(text, first, last)):
            raise ValueError("the move stands amid other words, as a quotation does; give it alone")
        own = _LOOSE.sub("", unescape(text[first.start : first.end]))
        if any(own in _LOOSE.sub("", unescape(words)) for words in said()):
            raise ValueError("the move repeats word for word what somebody else wrote; give your own alone")
        return first.data

    def _found(self, body: str) -> tuple[str, list[_Found]]:
        """The moves in a text, at least one, and that text as it was read."""
        opening = self.tags.opening.search(body)
        if opening is None:
            sought = " or ".join(f"<{tag}>" for tag in self.kinds) if self.tagged else "JSON object"
            raise ValueError(f"the answer has no {sought}{self._why()}")
        return self._objects(body) if opening[1] is None else (body, self._elements(body))

    def _why(self) -> str:
        return ": it was cut off at max_tokens" if self.cut else ""

    # -- as JSON -------------------------------------------------------------------------------------------------------

    def _objects(self, body: str) -> tuple[str, list[_Found]]:
        """The JSON objects in a text: as it is, or else mended."""
        wrong, text = "", body
        for made in (str, _mended):
            try:
                return (text := made(body)), self._decoded(text)
            except ValueError as error:
                wrong = wrong or str(error)
        if self.cut and (half := self._half(text)) is not None:
            return text, [half]
        raise ValueError(f"the answer is not JSON ({wrong}){self._why()}")

    def _decoded(self, text: str) -> list[_Found]:
        """The JSON objects in a text, up to the second that differs from the first."""
        found: list[_Found] = []
        at = 0
        while (opening := _OBJECT.search(text, at)) is not None:
            value, at = _DECODER.raw_decode(text, opening.start())
            inner = value.get("move")
            wrapped = (
                isinstance(inner, dict) and "kind" not in value and (len(self.kinds) > 1 or "move" not in self.names)
            )
            apart = {self.scratch: value[self.scratch]} if wrapped and self.scratch in value else {}
            found.append(_Found(opening.start(), at, {**apart, **inner} if wrapped else value))
            if found[-1].data != found[0].data:
                break
        if not found:
            raise ValueError("it opens inside a text")
        return found

    def _half(self, text: str) -> _Found | None:
        """What there is of a move that is one field alone and was cut off."""
        alone = {kind_name(kind): kind.bare_field for kind in self.form.kinds if self.form.alone(kind)}
        if (opening := _OBJECT.search(text)) is None:
            return None
        start = opening.start()
        try:
            data = from_json(text[start:], allow_partial="trailing-strings")
        except ValueError:
            return None
        inner: Any = data.get("move", data)
        apart = {self.scratch: data[self.scratch]} if isinstance(data.get(self.scratch), str) else {}
        if apart and self.form.thinking is not None and not (data.keys() - apart.keys()):
            self._thought(data[self.scratch])
            raise Overthought
        name = str(inner.get("kind", next(iter(alone), ""))) if isinstance(inner, dict) else ""
        if name not in alone or not str(inner.get(alone[name], "")).strip():
            return None
        return _Found(start, len(text), {**apart, "kind": name, alone[name]: inner[alone[name]]})

    # -- between tags --------------------------------------------------------------------------------------------------

    def _elements(self, body: str) -> list[_Found]:
        """The elements of the form's kinds in a text; one that holds itself in it counts once."""
        found: list[_Found] = []
        at = 0
        while (opening := self.tags.element.search(body, at)) is not None:
            tag, depth, at = opening[1], 1, opening.end()
            kind, inner = self.kinds[tag], None
            for mark in _marks((tag,)).finditer(body, at):
                depth += -1 if mark[1] else 1
                if not depth:
                    inner, at = body[at : mark.start()], mark.end()
                    break
            if inner is None:
                if found or not (self.cut and self.form.alone(kind)):
                    raise ValueError(f"the answer has no </{tag}>{self._why()}")
                inner, at = body[at:], len(body)
            fields = {kind.bare_field: inner.strip()} if self.form.alone(kind) else self._fields(kind, tag, inner)
            found.append(_Found(opening.start(), at, {"kind": kind_name(kind), **fields}))
        return found

    def _fields(self, kind: type[Move], tag: str, inner: str) -> Json:
        """The fields in an element: each whole, each once, and nothing beside them. Or they are one JSON object."""
        data: Json = {}
        names = tuple(name for name in kind.model_fields if name != "kind")
        name, depth, at = "", 0, 0
        for mark in _marks(names).finditer(inner):
            closes, empty = bool(mark[1]), mark[0].endswith("/>")
            if not name:
                if closes or inner[at : mark.start()].strip():
                    break
                name, depth, at = mark[2], 0 if empty else 1, mark.end()
            elif name == mark[2] and not empty:
                depth += -1 if closes else 1
            if not depth:
                given = _plain(inner[at : mark.start()].strip(), kind.model_fields[name].annotation)
                if data.setdefault(name, given) != given:
                    raise ValueError(f"the answer gives <{name}> twice, and they differ; give it once")
                name, at = "", mark.end()
        if name:
            raise ValueError(f"the answer has no </{name}>{self._why()}")
        if not data and _OBJECT.match(body := inner.strip()):
            text, found = self._objects(body)
            if found[0].end == len(text):
                return found[0].data
        if inner[at:].strip():
            raise ValueError(f"the answer has more in <{tag}> than its fields: {inner[at:].strip()[:60]!r}")
        return data

    # -- making it -----------------------------------------------------------------------------------------------------

    def _kind(self, data: Json) -> type[Move]:
        kinds = self.form.kinds
        name = data.get("kind", kind_name(kinds[0]) if len(kinds) == 1 else None)
        for kind in kinds:
            if kind_name(kind) == name:
                return kind
        raise ValueError(f"the answer's kind is {str(name)[:80]!r}; it may be {', '.join(map(kind_name, kinds))}")

    def _made(self, kind: type[Move], data: Json) -> Move:
        """The move with the fields that were asked for; others are dropped, which is noted."""
        asked, given = kind.fields_asked(self.form.brief), Json(kind=kind_name(kind))
        if dropped := sorted(data.keys() - asked.keys() - {"kind"}):
            self.note["dropped"] = dropped
        for name, hint in asked.items():
            value = self.form.meant(name, hint, data.get(name))
            if name == kind.bare_field and isinstance(value, str):
                value = unframed(value)
            if hint.choices == "shares":
                given[name], changed = shares(value, self.form.choices)
                if changed:
                    self.note["renormalised"] = True
            elif name not in data:
                continue
            elif hint.choices == "number":
                given[name] = index(name, value, self.form.choices)
            elif hint.none and value in ("", "null", "None", hint.none):
                given[name] = None
            elif isinstance(value, str) and not (value.strip() or hint.empty) and kind.model_fields[name].is_required():
                raise ValueError(f"{name} is empty")
            else:
                given[name] = value
        return kind.model_validate(given)

    def _without_thoughts(self, value: Any) -> Any:
        """A value of the move without what was thought in its texts."""
        if isinstance(value, list):
            return [self._without_thoughts(each) for each in value]
        if isinstance(value, dict):
            return {key: self._without_thoughts(each) for key, each in value.items()}
        if not isinstance(value, str):
            return value
        answer, thoughts, unclosed = parted(value, self.names)
        self._thought(thoughts)
        if unclosed:
            raise ValueError("the move holds thinking that was begun and never closed")
        return answer if thoughts else value

    def _thought(self, text: str) -> None:
        if text:
            self.note["thoughts"] = f"{self.note['thoughts']}\n\n{text}" if "thoughts" in self.note else text


def _trimmed(text: str) -> str:
    """The text without white space, byte order marks and control tokens at its ends."""
    found = _LEAD.match(text)
    start, end = found.end() if found else 0, len(text)
    while True:
        while end > start and (text[end - 1].isspace() or text[end - 1] == "\ufeff"):
            end -= 1
        if (token := _TAIL.search(text[max(start, end - 48) : end])) is None:
            return text[start:end]
        end -= len(token[0])


def _fenced(text: str, first: _Found, last: _Found) -> bool:
    """Whether the move is all that a fence holds."""
    fence = _FENCE_BEFORE.search(text[max(0, first.start - 40) : first.start])
    return first is last and fence is not None and text[last.end :].lstrip().startswith(fence[0][:3])


def _mended(text: str) -> str:
    """JSON without commas before a closing bracket, and with control characters in its strings escaped."""
    inside = False

    def mend(part: re.Match[str]) -> str:
        nonlocal inside
        found = part[0]
        if found == '"':
            inside = not inside
        if found == ",":
            return found if inside else ""
        return f"\\u{ord(found):04x}" if inside and found < " " else found

    return _IN_JSON.sub(mend, text)


def _plain(text: str, annotation: Any) -> Any:
    """A tag's text as a value of its field: text as it is, the rest as JSON where it is that. (Yes and no the class reads.)"""
    if annotation is str:
        return text
    try:
        return _DECODER.decode(text)
    except ValueError:
        return text


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _once(pairs: list[tuple[str, Any]]) -> Json:
    """An object, each of whose fields is given once, or always alike."""
    made: Json = {}
    for name, value in pairs:
        if made.setdefault(name, value) != value:
            raise ValueError(f"{name[:80]!r} is given twice, and differs")
    return made


_DECODER = json.JSONDecoder(strict=False, parse_constant=_no_constant, object_pairs_hook=_once)
