"""What an endpoint takes for one model: options that it refused, and what is sent in their place from then on.
Rule: a refusal is read here and a body is fitted; nothing is sent. A change is tried first, and kept only if it helped."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal
from weakref import WeakValueDictionary

from moot.agents.models.apis import calling
from moot.agents.models.profiles import store
from moot.agents.models.profiles.profile import (
    CONTEXT,
    COUNTS,
    DROP,
    DROPPED,
    FORMAT,
    GIVEN,
    KEPT,
    LOGPROBS,
    MOST,
    NAME,
    OBJECT,
    PARALLEL,
    SCHEMA,
    STRICT,
    SYSTEM,
    TOP,
    Change,
    EndpointProfile,
)  # fmt: skip
from moot.agents.models.refusals import Refusal
from moot.agents.prompts.forms import Form, format_of
from moot.agents.prompts.schemas import keywords_of, without

FITS = "fits"  # the most that one answer may have beside its own prompt; true of one call alone
JSON_OBJECT = {"type": "json_object"}
Rung = Literal["schema", "object", "tags"]
UNHEEDED = 2
FEWER = 5  # alternatives that every endpoint with log-probabilities is known to give
LEAST = 16  # tokens; an answer with less room than that is none
_STATUSES = frozenset({0, 400, 403, 404, 405, 415, 422, 424, 500, 501})
_UNSUPPORTED = {
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "unrecognized_parameter",
    "extra_forbidden",
}
_NOT = r"not|n't|un(?:supported|known|recogni[sz]ed|expected|available)|invalid|fail(?:ed|ure|s)?|cannot|conversion|extra (?:in|field)"
_SCHEMA = r"response_?(?:format|schema)|json[_ -]?schema|json[_ -]?object|json mode|structured[_ ]outputs?|guided[_ ]\w{1,20}|grammar|\bschema\b"
_FORMAT_REFUSED = re.compile(
    rf"(?:{_SCHEMA}).{{0,80}}?(?:\b|(?<=n))(?:{_NOT})|\b(?:{_NOT})\b.{{0,60}}?(?:{_SCHEMA})|no endpoints found that can handle"
    r"|\bresponse_?format(?:\.type)?\b['\"`]? ?:? ?(?:must be\b|one of the following must\b|value is not one of\b)",
    re.IGNORECASE,
)
_THIS_SCHEMA = re.compile(r"invalid (?:json )?schema|schema conversion|conversion failed|grammar", re.IGNORECASE)
_THIS_SCHEMA_NAMES = {"invalid_json_schema", "json_validate_failed"}
_SYSTEM_REFUSED = re.compile(
    r"\bsystem\b\W{0,3}(?:\w+\W{1,3}){0,2}?(?:role|message|prompt|instruction)s?\b.{0,60}?(?:\bnot\b|n't\b|\bunsupported|\bunknown|\binvalid)"
    r"|\b(?:role|message|instruction)s?\b.{0,40}?\bsystem\b.{0,40}?(?:\bnot\b|n't\b|\bunsupported|\bunknown|\binvalid)"
    r"|\b(?:unsupported|unknown|invalid|unexpected)\b.{0,40}?\brole\b.{0,20}?\bsystem\b|\bgot system\b"
    r"|\broles must alternate\b|\bonly user\b.{0,20}?\b(?:assistant|model)\b.{0,20}?\broles?\b|\bdeveloper instructions? (?:is|are) not\b",
    re.IGNORECASE,
)
_LOGPROBS = re.compile(r"\b(?:top_)?log_?prob(?:s\b|abilit)", re.IGNORECASE)
_RENAMED = re.compile(
    r"\buse\b.{0,20}?\bmax_completion_tokens\b|\bmax_completion_tokens\b.{0,20}?\binstead\b", re.IGNORECASE
)
_NUMBER = re.compile(r"(?<![\w.-])\d{1,4}(?![\w-]|\.\d)")
_ANY_NUMBER = re.compile(r"(?<![\w.-])\d{1,9}(?![\w-]|\.\d)")
_CAP = re.compile(r"\bmax(?:imum)?[ _](?:completion_|output_|new_)?tokens\b", re.IGNORECASE)
_OVER = re.compile(
    r"\btoo (?:large|high|big|long)\b|\bat most\b|\b(?:less|lower|greater|larger) than\b|<=|\s[<>≤]\s|\bvalid range\b|\bmaximum (?:value|allowed)\b"
    r"|\bexceed|\bup to\b|\bor equal to\b|\bmust be between\b", re.IGNORECASE,
)  # fmt: skip
_BELOW = re.compile(r"\b(?:lower|less|smaller) than `?\d", re.IGNORECASE)
_CONTEXT = re.compile(
    r"\bcontext (?:length|window|size)\b(?: \w{1,12}){0,2} `?(\d{1,9})\b|\bcontext (?:length|window|size) \((\d{1,9}) tokens\)",
    re.IGNORECASE,
)
_INPUT = re.compile(
    r"\b(\d{1,9}) (?:tokens )?(?:are )?(?:in|from|of) (?:the |your )?(?:input messages|messages|prompt|input)\b|\b(\d{1,9}) (?:input|prompt) tokens\b"
    r"|\bresulted in (\d{1,9}) tokens\b|\brequest \((\d{1,9}) tokens\)", re.IGNORECASE,
)  # fmt: skip
_SUM = re.compile(r"\bexceeds? context limit: (\d{1,9}) \+ \d{1,9} > (\d{1,9})", re.IGNORECASE)  # Anthropic's
_KEYWORDS = frozenset((
    "additionalProperties", "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    "multipleOf", "minItems", "maxItems", "uniqueItems", "const", "enum", "anyOf", "oneOf", "allOf", "$defs", "$ref", "title", "default",
    "description", "prefixItems", "minProperties", "maxProperties", "propertyNames",
))  # fmt: skip
_ESSENTIAL = frozenset(
    ("enum", "anyOf", "oneOf", "$ref", "$defs", "const", "properties")
)  # a schema without these says another thing
_KEYWORD_REFUSED = re.compile(
    r"[`'\"]?(?<![\w$])(\$?[A-Za-z]{2,24})[`'\"]? (?:is|are) (?:not (?:permitted|supported|allowed|recogni[sz]ed)|unsupported|unrecogni[sz]ed|unknown)\b"
    r"|\bUnknown name \\?[\"'](\$?[A-Za-z]{2,24})\\?[\"'](?= at)|\b[Uu]n(?:supported|recogni[sz]ed|known|expected) (?:schema )?(?:keyword|key|property)s?:? [`'\"]?(\$?[A-Za-z]{2,24})\b"
    r"|\bdoes not support (?:the )?(?:keyword )?[`'\"](\$?[A-Za-z]{2,24})[`'\"]"
)  # fmt: skip


class Capabilities:
    """What one endpoint takes for one model. All agents of a process that ask it with the same profile share one (`of`).

    given: what a user says, which stands. learnt: what is done otherwise, by option, each with what it was learnt from; kept
    between runs where `place` is an address and a model. unheeded: how often an option was not refused, and without it the
    answer was better. room: the most tokens that an answer needed for thinking and all.
    """

    def __init__(self, given: EndpointProfile | None = None, place: tuple[str, str] | None = None) -> None:
        self.given, self.place = given or EndpointProfile(), place
        self.learnt: dict[str, Change] = {} if place is None else store.load(*place)
        self.unheeded: dict[str, int] = {}
        self.room = 0
        self._said = self.given.changes()

    @staticmethod
    def of(endpoint: str, model: str, client: Any = None, given: EndpointProfile | None = None) -> Capabilities:
        """Those of an endpoint and model, for as long as an agent uses them. client: speaks for the address, which then
        stands for nothing outside this process."""
        key = (endpoint, model, client, given)
        found = _known.get(key)
        if found is None:
            kept = (endpoint, model) if client is None and endpoint.startswith("http") else None
            _known[key] = found = Capabilities(given, kept)
        return found

    @property
    def known(self) -> dict[str, Change]:
        """What is done otherwise, by option, whoever says it."""
        return {**self.learnt, **self._said}

    def learn(self, changes: Iterable[Change]) -> None:
        """Keep changes that helped."""
        new: dict[str, Change] = {}
        for change in changes:
            if change.option == FITS:
                change = Change(CONTEXT, change.to[1], change.because)
            if change.option == DROP:
                change = Change(DROP, tuple(dict.fromkeys((*self._drops(), *change.to))), change.because)
            old = self.learnt.get(change.option)
            if old is None or (change.to < old.to if change.option in COUNTS else change.to != old.to):
                self.learnt[change.option] = new[change.option] = Change(
                    change.option, change.to, change.because, store.today()
                )
        if self.place is not None and new.keys() & KEPT:
            store.save(*self.place, new)

    def ignored(self, options: Iterable[str]) -> None:
        """Note that options went unheeded, and leave them out from the second time on."""
        for option in options:
            self.unheeded[option] = self.unheeded.get(option, 0) + 1
            if self.unheeded[option] >= UNHEEDED:
                self.learn([Change(option, because=f"ignored {UNHEEDED} times")])

    def rung(self, response_format: Callable[[], Any], trials: Iterable[Change] = ()) -> Rung:
        """How an answer may be asked for: by its schema, as a JSON object whose form the prompt says, or as tagged text.
        response_format: makes the schema, which is not made where nothing was ever refused."""
        refused = {*self.known, *(change.option for change in trials)}
        if not refused or not refused & {FORMAT, SCHEMA, _key(response_format())}:
            return "schema"
        return "tags" if refused & {FORMAT, OBJECT, _key(JSON_OBJECT)} else "object"

    def fitted(self, body: Mapping[str, Any], trials: Iterable[Change] = ()) -> dict[str, Any]:
        """A body as the endpoint takes it, with the changes that are on trial."""
        fit = dict(body)
        for change in (*self.known.values(), *trials):
            option, to = change.option, change.to
            if option == SYSTEM:
                fit["messages"] = _folded(fit["messages"])
            elif option == TOP and TOP in fit:
                fit[TOP] = min(fit[TOP], to)
            elif option == NAME and (name := _cap(fit)) is not None:
                fit[to] = fit.pop(name)
            elif option in (MOST, FITS, CONTEXT) and (name := _cap(fit)) is not None:
                most = to if option == MOST else to[0] if option == FITS else to - _size(fit["messages"]) // 6
                fit[name] = min(fit[name], max(most, LEAST))
            elif option in (DROP, STRICT) and FORMAT in fit:
                fit[FORMAT] = without(fit[FORMAT], to if option == DROP else (), strict=option != STRICT)
            elif option in (PARALLEL, GIVEN):
                fit = calling.fitted(fit, option)
            elif option in DROPPED:
                fit.pop(option, None)
            if option in (DROP, STRICT):
                fit = calling.without(fit, to if option == DROP else (), strict=option != STRICT)
        return fit

    def too_long(self, messages: list[dict[str, str]]) -> str:
        """Why messages cannot fit into the model's context; "" where they may. A token stands for 8 bytes at most, by and
        large, so that nothing which fits is held back."""
        change = self.known.get(CONTEXT)
        if change is None or (size := _size(messages)) <= 8 * change.to:
            return ""
        return (f"the prompt has {size:,} bytes, and the model's context {change.to:,} tokens ({change.because}): it was not sent; "
                "ask about less, or say profile context=")  # fmt: skip

    def _drops(self) -> tuple[str, ...]:
        found = self.learnt.get(DROP)
        return found.to if found is not None else ()

    def change_for(self, refusal: Refusal, body: Mapping[str, Any], schema: bool) -> Change | None:
        """The change to try after a refusal of a body; None when it is about nothing that can be done otherwise.
        schema: whether an answer without one will do."""
        if refusal.status not in _STATUSES or refusal.crowded or refusal.no_credit:
            return None
        words, about = refusal.words[:4000], _about(refusal)
        made = next((found for reader in _READERS if (found := reader(refusal, body, words, about)) is not None), None)
        if made is None and FORMAT in body and about in (FORMAT, *_NOTHING):
            made = _format(refusal, body, words, about, schema)
        if made is None:
            return None
        return Change(made.option, made.to, f"{refusal.status}: {words[:200]}")


def _tools(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """It takes no tools, not beside the form of an answer, or not as they were given."""
    return calling.refused(words, about, body)


def _context(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """The prompt fits into the context, and the answer that was asked for does not fit beside it."""
    name, words = _cap(body), _plain(words)
    whole, used, sum_of = _CONTEXT.search(words), _INPUT.search(words), _SUM.search(words)
    if name is None or not (sum_of or (whole and used)):
        return None
    if sum_of is not None:
        context, prompt = int(sum_of[2]), int(sum_of[1])
    else:
        context, prompt = (int(next(filter(None, found.groups()))) for found in (whole, used) if found)
    room = context - prompt - 1  # SGLang wants less than all of it
    return Change(FITS, (room, context)) if LEAST <= room < body[name] else None


def _most(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """The model gives no answers as long as may be asked for; the words say how long."""
    name = _cap(body)
    said = _plain(f"{words} {refusal.param}")
    if (
        name is None
        or re.search(r"\bcontext (?:length|limit)\b", said, re.IGNORECASE)
        or not (_CAP.search(said) and _OVER.search(said))
    ):
        return None
    fewer = [number for each in _ANY_NUMBER.findall(said) if 1 < (number := int(each)) < body[name]]
    return Change(MOST, max(fewer) - (_BELOW.search(said) is not None)) if fewer else None


def _name(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """The most tokens of an answer have another name there, or their old one again."""
    name = _cap(body)
    if name is None or about not in (name, *_NOTHING):
        return None
    if _named(name, refusal, words) or (name == NAME and _RENAMED.search(words)):
        return Change(NAME, "max_completion_tokens" if name == NAME else NAME)
    return None


def _top(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """There are fewer alternatives of a token than were asked for."""
    if not (TOP in body and body[TOP] > 1 and about in (TOP, LOGPROBS, *_NOTHING)):
        return None
    if not _LOGPROBS.search(words + refusal.param):
        return None
    fewer = [number for each in _NUMBER.findall(words) if 1 <= (number := int(each)) < body[TOP]]
    if fewer or (about == TOP and body[TOP] > FEWER and not _named(TOP, refusal, words)):
        return Change(TOP, max(fewer, default=FEWER))
    return None


def _dropped(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """An option that a request is as good without."""
    for option in DROPPED:
        if option in body and (about == option or (about in _NOTHING and _named(option, refusal, words))):
            return Change(option)
    return None


def _system(refusal: Refusal, body: Mapping[str, Any], words: str, about: str) -> Change | None:
    """There is no role "system"."""
    there = body["messages"][0]["role"] == "system" and about in ("messages", *_NOTHING)
    return Change(SYSTEM) if there and _SYSTEM_REFUSED.search(words) else None


_READERS: tuple[Callable[[Refusal, Mapping[str, Any], str, str], Change | None], ...] = (
    _tools, _context, _most, _name, _top, _dropped, _system,
)  # fmt: skip


def _format(refusal: Refusal, body: Mapping[str, Any], words: str, about: str, schema: bool) -> Change | None:
    """The form of the answer: a keyword of its schema, this schema, schemas, or any form but text."""
    wanted = body[FORMAT]
    if wanted.get("type") == "json_schema":
        found = {word for match in _KEYWORD_REFUSED.findall(f"{words} {refusal.param}") for word in match if word}
        there = set(keywords_of(wanted["json_schema"].get("schema")))
        if drop := tuple(sorted(found & _KEYWORDS - _ESSENTIAL & there)):
            return Change(DROP, drop)
        if "strict" in wanted["json_schema"] and _named("strict", refusal, words):
            return Change(STRICT)
    failed, by_words = bool(refusal.names & _THIS_SCHEMA_NAMES), _FORMAT_REFUSED.search(words)
    if not schema or not (about == FORMAT or failed or by_words):
        return None
    if failed or _THIS_SCHEMA.search(words):
        return Change(_key(wanted))
    unknown = _named(FORMAT, refusal, words) and not re.search(r"json_(?:schema|object)", words + refusal.param)
    return Change(FORMAT if unknown else f"{FORMAT} {wanted.get('type')}")


def _plain(words: str) -> str:
    """The words with numbers as 16384, not 16,384."""
    return re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", words)


def _cap(body: Mapping[str, Any]) -> str | None:
    """What the most tokens of an answer are called in a body."""
    return next((name for name in (NAME, "max_completion_tokens") if name in body), None)


def _size(messages: Any) -> int:
    """Bytes of text in messages."""
    texts: list[str] = []
    for message in messages:
        content = message.get("content")
        parts = content if isinstance(content, list) else [{"text": content}]
        texts += [part["text"] for part in parts if isinstance(part, Mapping) and isinstance(part.get("text"), str)]
    return sum(len(text.encode("utf-8", "replace")) for text in texts)


def _about(refusal: Refusal) -> str:
    """The field of the body that a refusal names as the one that it is about."""
    found = re.split(r"[.\[]", refusal.param.removeprefix("body."))[0]
    return found if re.fullmatch(r"\w{0,40}", found) else ""


_known: WeakValueDictionary[Any, Capabilities] = WeakValueDictionary()
_NOTHING = ("", "None", "null", "body")  # a param that names no field


def asked_for(form: Form, rung: Rung) -> dict[str, Any] | None:
    """The `response_format` that asks for an answer of a form; None where the prompt alone does."""
    if rung == "tags" or form.bare:
        return None
    return JSON_OBJECT if rung == "object" else format_of(form)


def unformed(text: str) -> bool:
    """Whether an answer to a request for JSON is prose, with no JSON in it anywhere."""
    return bool(text.strip()) and "{" not in text and not text.lstrip().startswith("[")


def no_logprobs(refusal: Refusal) -> bool:
    """Whether a refusal says that there are no log-probabilities to be had."""
    return refusal.status in _STATUSES and bool(
        _LOGPROBS.search(refusal.words[:4000]) or _LOGPROBS.search(refusal.param)
    )


def _named(option: str, refusal: Refusal, words: str) -> bool:
    """Whether a refusal says that it does not know an option: by its code and field, or in one of the forms in which
    endpoints say so. That a word stands in it somewhere is not enough."""
    about = _about(refusal)
    if about == option and refusal.names & _UNSUPPORTED:
        return True
    quoted = rf"[`'\"]{{0,2}}(?<!\w){option}(?!\w)[`'\"]{{0,2}}"
    ends = r"support|recogni|allow|permit|implement|available|accept|expected|enabled|known"
    forms = (
        rf"\b(?:un(?:supported|recogni[sz]ed|known|expected|permitted)|invalid|extra|additional)\b[\w ]{{0,30}}[:(=]?\s?{quoted}",
        rf"{quoted}(?:\s(?:parameter|argument|option|field|value|property|of type \S{{1,40}}))?[\s:]{{1,3}}(?:is|are|was|has|can|does)?"
        rf"(?:\s?not|n't)?\s?(?:currently |yet |been )?(?:be )?(?:not |un)?(?:{ends})",
        rf"{quoted}\W{{1,3}}extra (?:inputs|fields)", rf"'loc'.{{0,60}}?{quoted}.{{0,10}}?'msg': '[Ee]xtra",
        rf"\bnot (?:currently |yet )?support\b(?: the)?[\w ]{{0,20}}:?\s?{quoted}",
        rf"\bnot (?:supported|permitted|allowed|recognized)\b[\w ]{{0,20}}[:(]\s?{quoted}",
        rf"\bextra (?:inputs|fields) (?:are )?not permitted\W{{1,5}}(?:body\W{{1,5}})?{quoted}",
    )  # fmt: skip
    if any(re.search(form, words, re.IGNORECASE) for form in forms):
        return True
    return about == option and bool(re.search(r"\bextra (?:inputs|fields)\b", words, re.IGNORECASE))


def _folded(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The messages with the system's words at the head of the user's first."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    system, said = messages[0]["content"], messages[1]["content"]
    told = f"{system}\n\n{said}" if isinstance(said, str) else [{"type": "text", "text": system}, *said]
    return [{**messages[1], "content": told}, *messages[2:]]


def _key(response_format: Any) -> str:
    return f"{FORMAT} {json.dumps(response_format, sort_keys=True)}"
