"""What an endpoint takes for one model: options that it refused, and what is sent in their place from then on.
Rule: a refusal is read here and a body is fitted; nothing is sent. A change is tried first, and kept only if it helped."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

from moot.agents.models.refusals import Refusal

FORMAT, SYSTEM, TOP = "response_format", "system", "top_logprobs"
DROPPED = ("seed", "temperature")  # what a request is as good without
UNHEEDED = 2
FEWER = 5  # alternatives that every endpoint with log-probabilities is known to give
_STATUSES = frozenset({0, 400, 403, 404, 405, 415, 422, 424, 500, 501})
_UNSUPPORTED = {
    "unsupported_parameter",
    "unsupported_value",
    "unknown_parameter",
    "unrecognized_parameter",
    "extra_forbidden",
}
_NOT = r"not|n't|un(?:supported|known|recogni[sz]ed|expected|available)|invalid|fail(?:ed|ure|s)?|cannot|conversion|extra (?:in|field)"
_SCHEMA = r"response_?format|json[_ -]?schema|json[_ -]?object|json mode|structured[_ ]outputs?|guided[_ ]\w{1,20}|grammar|\bschema\b"
_FORMAT_REFUSED = re.compile(
    rf"(?:{_SCHEMA}).{{0,80}}?(?:\b|(?<=n))(?:{_NOT})|\b(?:{_NOT})\b.{{0,60}}?(?:{_SCHEMA})|no endpoints found that can handle",
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


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is done otherwise. option: what was refused; to: what takes its place, where something does; because:
    what it was learnt from."""

    option: str
    to: Any = None
    because: str = field(default="", compare=False)

    @property
    def about_format(self) -> bool:
        return self.option.startswith(FORMAT)


class Capabilities:
    """What one endpoint is known not to take for one model. All agents of a process that ask it share one (`of`). learnt:
    what is done otherwise, by option. unheeded: how often an option was not refused, and without it the answer was better."""

    def __init__(self) -> None:
        self.learnt: dict[str, Change] = {}
        self.unheeded: dict[str, int] = {}

    @staticmethod
    def of(*place: Any) -> Capabilities:
        """Those of an endpoint and model, for as long as an agent uses them."""
        return _known.setdefault(place, Capabilities())

    def learn(self, changes: Iterable[Change]) -> None:
        """Keep changes that helped."""
        for change in changes:
            self.learnt.setdefault(change.option, change)
            if change.option == TOP and change.to < self.learnt[TOP].to:
                self.learnt[TOP] = change

    def ignored(self, option: str) -> None:
        """Note that an option went unheeded, and leave it out from the second time on."""
        self.unheeded[option] = self.unheeded.get(option, 0) + 1
        if self.unheeded[option] >= UNHEEDED:
            self.learn([Change(option, because=f"ignored {UNHEEDED} times")])

    def takes(self, response_format: Any) -> bool:
        """Whether it may be asked for an answer in this form."""
        return FORMAT not in self.learnt and _key(response_format) not in self.learnt

    def fitted(self, body: Mapping[str, Any], trials: Iterable[Change] = ()) -> dict[str, Any]:
        """A body as the endpoint takes it, with the changes that are on trial."""
        fit = dict(body)
        for change in (*self.learnt.values(), *trials):
            if change.option == SYSTEM:
                fit["messages"] = _folded(fit["messages"])
            elif change.option == TOP and TOP in fit:
                fit[TOP] = min(fit[TOP], change.to)
            elif change.option == "max_tokens" and "max_tokens" in fit:
                fit["max_completion_tokens"] = fit.pop("max_tokens")
            elif change.option in DROPPED:
                fit.pop(change.option, None)
        return fit

    def change_for(self, refusal: Refusal, body: Mapping[str, Any], schema: bool) -> Change | None:
        """The change to try after a refusal of a body; None when it is about nothing that can be done otherwise.
        schema: whether an answer without one will do."""
        if refusal.status not in _STATUSES or refusal.crowded or refusal.no_credit:
            return None
        words, about = refusal.words[:4000], re.split(r"[.\[]", refusal.param.removeprefix("body."))[0]
        because = f"{refusal.status}: {words[:200]}"
        if "max_tokens" in body and about in ("max_tokens", *_NOTHING):
            if _named("max_tokens", refusal, words) or _RENAMED.search(words):
                return Change("max_tokens", because=because)
        if (
            TOP in body
            and body[TOP] > 1
            and about in (TOP, "logprobs", *_NOTHING)
            and _LOGPROBS.search(words + refusal.param)
        ):
            fewer = [number for each in _NUMBER.findall(words) if 1 <= (number := int(each)) < body[TOP]]
            if fewer or (about == TOP and body[TOP] > FEWER and not _named(TOP, refusal, words)):
                return Change(TOP, max(fewer, default=FEWER), because)
        for option in DROPPED:
            if option in body and (about == option or (about in _NOTHING and _named(option, refusal, words))):
                return Change(option, because=because)
        if (
            body["messages"][0]["role"] == "system"
            and about in ("messages", *_NOTHING)
            and _SYSTEM_REFUSED.search(words)
        ):
            return Change(SYSTEM, because=because)
        if FORMAT in body and schema and about in (FORMAT, *_NOTHING):
            if about == FORMAT or refusal.names & _THIS_SCHEMA_NAMES or _FORMAT_REFUSED.search(words):
                this_one = bool(refusal.names & _THIS_SCHEMA_NAMES) or _THIS_SCHEMA.search(words) is not None
                return Change(_key(body[FORMAT]) if this_one else FORMAT, because=because)
        return None


_known: WeakValueDictionary[Any, Capabilities] = WeakValueDictionary()
_NOTHING = ("", "None", "null", "body")  # a param that names no field


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
    about = re.split(r"[.\[]", refusal.param.removeprefix("body."))[0]
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


def _folded(messages: list[dict[str, str]]) -> list[dict[str, str]]:
    """The messages with the system's words at the head of the user's first."""
    if len(messages) < 2 or messages[0]["role"] != "system":
        return messages
    first = {**messages[1], "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
    return [first, *messages[2:]]


def _key(response_format: Any) -> str:
    return f"{FORMAT} {json.dumps(response_format, sort_keys=True)}"
