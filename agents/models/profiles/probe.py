"""What an endpoint takes, found out by asking it: a handful of small calls, one for each thing that may be sent.
Rule: it asks and reports; nothing is kept here. A call that fails is said to have failed, and taken for no answer."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import anyio

from moot.agents.models.apis import calling, choosing
from moot.agents.models.apis.api import API
from moot.agents.models.apis.choosing import Choice
from moot.agents.models.apis.placing import endpoint_at
from moot.agents.models.attempts import Call, Refused
from moot.agents.models.capabilities import JSON_OBJECT, Capabilities, no_logprobs, unformed
from moot.agents.models.endpoint import Auth, Endpoint
from moot.agents.models.profiles import store
from moot.agents.models.profiles.profile import (
    CONTEXT,
    DROP,
    FORMAT,
    LOGPROBS,
    MOST,
    NAME,
    OBJECT,
    SCHEMA,
    SPOKEN,
    STREAM,
    STREAM_USAGE,
    STRICT,
    SYSTEM,
    TOOLS,
    TOOLS_FORMED,
    TOP,
    Change,
    learnt_profile,
)
from moot.agents.models.refusals import Refusal
from moot.agents.models.wire import Completion
from moot.agents.prompts.schemas import object_of
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import AgentError

State = Literal["ok", "absent", "broken"]
CAPS = (256, 2048, 8192)  # tokens of a probe's answer; the next one where thinking took all of the last
ALTERNATIVES = 20
ASKED = "Reply with the one word yes."
OBJECT_ASKED = 'Reply with one JSON object: "kind" is "answer", "text" is "yes".'
_PROPERTIES: dict[str, Any] = {
    "answer": {"type": "string", "enum": ["yes", "no"]}, "count": {"type": "integer", "minimum": 0, "maximum": 3},
    "words": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2},
    "more": {"anyOf": [{"type": "string"}, {"type": "null"}]},
}  # fmt: skip
PROBED = {"type": "json_schema", "json_schema": {"name": "probe", "strict": True, "schema": {
    "type": "object", "properties": _PROPERTIES, "required": list(_PROPERTIES), "additionalProperties": False,
}}}  # fmt: skip
"""A schema with the keywords that moot's own have."""
CALLED = "Call the tool add with one = 2 and two = 3. When you know what it says, reply with one JSON object."
ADDS = calling.definition(
    "add", "Adds two numbers.", object_of({"one": {"type": "integer"}, "two": {"type": "integer"}})
)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found out of one thing: it works, it is done otherwise or not there, or it is broken."""

    name: str
    state: State
    detail: str


@dataclass(slots=True)
class Probe:
    """The probes of a model at an endpoint, which is started and closed by whoever made it. takes: what was learnt; calls:
    how many were made; caps: the most tokens of an answer, the next one where thinking took all of the last; api: what it is asked over."""

    endpoint: Endpoint
    model: str
    takes: Capabilities = field(default_factory=Capabilities)
    calls: int = 0
    caps: tuple[int, ...] = CAPS
    cap: int = 0
    api: Choice = "auto"

    async def run(self) -> list[Finding]:
        """Ask, and say what was found. Without an answer to the first call nothing else is asked."""
        found = [await self._models()]
        try:
            completion = await self._first()
        except (AgentError, UnreadableAnswer) as error:
            return [*found, Finding("an answer", "broken", str(error))]
        found += self._answer(completion)
        messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": ASKED}]
        for name, probe, fields in (
            ("temperature", self._dropped, {"temperature": 0.5}), ("seed", self._dropped, {"seed": 1}),
            (SYSTEM, self._dropped, {"messages": messages}), (LOGPROBS, self._logprobs, {LOGPROBS: True, TOP: ALTERNATIVES}),
            ("json_schema", self._form, {FORMAT: PROBED, "messages": _user(f"{OBJECT_ASKED[:-1]}, in the form that you are given.")}),
            ("json_object", self._form, {FORMAT: JSON_OBJECT, "messages": _user(OBJECT_ASKED)}),
            (TOOLS, self._tools, {"tools": [ADDS], "tool_choice": "auto", "parallel_tool_calls": False, "messages": _user(CALLED)}),
        ):  # fmt: skip
            try:
                found.append(await probe(name, fields))
            except (AgentError, UnreadableAnswer) as error:
                found.append(Finding(name, "broken", f"not known: {error}"))
        rung = {"schema": "by its schema", "object": "as a JSON object", "tags": "as tagged text"}[
            self.takes.rung(lambda: PROBED)
        ]
        api, _ = self._spoken()
        tokens = api.logprobs and LOGPROBS not in self.takes.learnt
        how = {True: "by 'stated' and by 'logprobs'", False: "by 'stated' alone"}[tokens]
        told = "" if self.api == "auto" else f', where api = "{self.api}" is given'
        return [*found, Finding("in short", "ok", f"moot will ask for answers {rung}, and judge {how}{told}")]

    def _spoken(self, trials: Iterable[Change] = ()) -> tuple[API, bool]:
        """The API that it is asked over, and whether it streams."""
        known = {**self.takes.known, **{change.option: change for change in trials}}
        return choosing.chosen(self.api, "auto", self.endpoint.base_url, known)

    def _lacks(self, fields: Mapping[str, Any]) -> str:
        """Why there is no asking for these fields: the API has none of them; "" where it has."""
        api, _ = self._spoken()
        asked = {"model": self.model, "max_tokens": self.cap, "messages": _user(ASKED), **fields}
        bare = {name: value for name, value in asked.items() if name not in fields or name == "messages"}
        lacks = bare != asked and api.body(asked) == api.body(bare)
        return f"there is none over /{api.path}" if lacks else ""

    async def _models(self) -> Finding:
        """The list of models, and the context of this one where it says so."""
        status, data = await self.endpoint.models(self._spoken()[0])
        listed = data.get("data") if isinstance(data, dict) else None
        entries = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
        if status != 200 or not entries:
            return Finding("models", "absent", f"no list of models (HTTP {status})" if status else "no list of models")
        entry = next((each for each in entries if str(each.get("id")).removeprefix("models/") == self.model), None)
        if entry is None:
            first = (
                "first " if data.get("has_more") is True else ""
            )  # Anthropic's comes in pages of 20 (api/models-list)
            some = ", ".join(str(each.get("id"))[:60] for each in entries[:5])
            return Finding(
                "models",
                "absent",
                f"{self.model} is not among the {first}{len(entries)} listed ({some}{', …' * (len(entries) > 5)})",
            )
        for name in ("max_model_len", "context_length", "context_window", "max_context_length"):
            value = entry.get(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                self.takes.learn([Change(CONTEXT, value, f"the list of models: {name}")])
                return Finding("models", "ok", f"{self.model} is listed, with a context of {value:,} tokens")
        return Finding("models", "ok", f"{self.model} is listed")

    async def _first(self) -> Completion:
        """An answer to as little as can be asked, with room for thinking where that is needed."""
        for cap in self.caps:
            self.cap = cap
            completion, _ = await self._ask({})
            if completion.finish != "length" or parted(completion.text).answer.strip():
                return completion
        raise AgentError(
            f"no answer within {self.cap:,} tokens: all of them went into thinking; give a larger max_tokens_limit"
        )

    def _answer(self, completion: Completion) -> list[Finding]:
        usage = completion.usage
        known = usage.prompt_tokens is not None and usage.completion_tokens is not None
        counted = f"{usage.completion_tokens} tokens" if known else "it does not say what it took"
        thinks = bool(completion.thinking) or self.cap > self.caps[0]
        found = [
            Finding("an answer", "ok" if known else "absent", counted + (", thinking among them" if thinks else ""))
        ]
        api, streams = self._spoken()
        spoken, stream = self.takes.learnt.get(SPOKEN), self.takes.learnt.get(STREAM)
        why = "" if spoken is None else f" ({spoken.because})"
        found.append(Finding("api", "ok" if spoken is None else "absent", f"asked over /{api.path}{why}"))
        if stream is not None:
            found.append(Finding("stream", "absent", f"answers come event by event ({stream.because})"))
        renamed = self.takes.learnt.get(NAME)
        found.append(Finding("max tokens", "ok" if renamed is None else "absent", (
            api.field(NAME) if renamed is None else f"sent as {renamed.to} ({renamed.because})")))  # fmt: skip
        if self.cap > self.caps[0]:
            found.append(
                Finding(
                    "thinking",
                    "absent",
                    f"took over {self.caps[0]} tokens: max_tokens is doubled where an answer is empty",
                )
            )
        most = self.takes.learnt.get(MOST)
        return found if most is None else [*found, Finding("most", "absent", f"{most.to:,} tokens ({most.because})")]

    async def _dropped(self, name: str, fields: Mapping[str, Any]) -> Finding:
        if lacks := self._lacks(fields):
            return Finding(name, "absent", f"{lacks}, and it is left out")
        _, changes = await self._ask(fields)
        change = next((change for change in changes if change.option == name), None)
        if change is None:
            return Finding(name, "ok", "taken" + ("; whether it is heeded, no call shows" if name == "seed" else ""))
        instead = "its words go to the user's message" if name == SYSTEM else "left out"
        return Finding(name, "absent", f"refused, and {instead} ({change.because})")

    async def _logprobs(self, name: str, fields: Mapping[str, Any]) -> Finding:
        none = "judge by 'stated'"
        if lacks := self._lacks(fields):
            return Finding(name, "absent", f"{lacks}: {none}")
        try:
            completion, changes = await self._ask(fields)
        except _Without as error:
            self.takes.learn([Change(LOGPROBS, because=str(error))])
            return Finding(name, "absent", f"refused: {none} ({error})")
        if not completion.first_token:
            self.takes.learn([Change(LOGPROBS, because="it answered without them")])
            return Finding(name, "absent", f"not given, without a word: {none}")
        fewer = next((change for change in changes if change.option == TOP), None)
        if fewer is not None:
            return Finding(name, "absent", f"{fewer.to} alternatives of a token at most ({fewer.because})")
        return Finding(name, "ok", f"{len(completion.first_token)} alternatives of a token")

    async def _form(self, name: str, fields: Mapping[str, Any]) -> Finding:
        if lacks := self._lacks(fields):
            return Finding(name, "absent", f"{lacks}, and the prompt alone asks for it")
        option = SCHEMA if name == "json_schema" else OBJECT
        try:
            completion, changes = await self._ask(fields)
        except _Without as error:
            self.takes.learn([Change(option, because=str(error))])
            return Finding(name, "absent", f"refused ({error})")
        without = [change for change in changes if change.option in (DROP, STRICT)]
        less = "".join(f", without {', '.join(change.to or (STRICT,))} ({change.because})" for change in without)
        text = parted(completion.text).answer.strip()
        if not text:
            return Finding(name, "absent", f"taken{less}, and the answer is empty")
        if completion.finish == "length" and text.startswith("{"):
            return Finding(
                name, "absent" if less else "ok", f"taken{less} (the answer was longer than {self.cap} tokens)"
            )
        if unformed(text):
            self.takes.learn([Change(option, because="the answer was prose")])
            return Finding(name, "absent", f"taken{less}, and not heeded: the answer is prose")
        try:
            json.loads(text)
        except ValueError:
            return Finding(
                name, "absent", f"taken{less}, and not held to: there is JSON in the answer, among other words"
            )
        return Finding(name, "absent" if less else "ok", f"taken{less}")

    async def _tools(self, name: str, fields: Mapping[str, Any]) -> Finding:
        """Whether it calls a tool, beside the form in which an answer is asked for, as moot asks for both; or without one."""
        forms: dict[str, dict[str, Any]] = {"schema": {FORMAT: PROBED}, "object": {FORMAT: JSON_OBJECT}, "tags": {}}
        wanted = forms[self.takes.rung(lambda: PROBED)]
        found: list[tuple[str, str]] = []
        for form in (wanted, {}) if wanted else ({},):
            try:
                completion, _ = await self._ask({**fields, **form})
                if any(each.name == "add" for each in completion.calls):
                    found.append(("", "called"))
                    break
                found.append(("taken, and no call was made", "it made no call"))
            except _Without as error:
                found.append((f"refused ({error})", str(error)))
        if not found[-1][0]:
            self.takes.learn(
                [
                    Change(TOOLS, True, "it called one"),
                    *([Change(TOOLS_FORMED, because=found[0][1])] if found[1:] else []),
                ]
            )
        if len(found) == 1 and not found[0][0]:
            return Finding(name, "ok", 'called: tools_api = "auto" has them natively')
        if not found[-1][0]:
            return Finding(
                name,
                "absent",
                f"called, but not beside the form of an answer: {found[0][0]}; they are asked for as text",
            )
        self.takes.learn([Change(TOOLS, False, found[-1][1])])
        return Finding(name, "absent", f"{found[-1][0]}: they are asked for as text")

    async def _ask(self, fields: Mapping[str, Any]) -> tuple[Completion, list[Change]]:
        """An answer, and what had to be done otherwise for it, which is learnt. Raises _Without where there is none with what
        the fields ask for, AgentError where there is none."""
        asked = {"model": self.model, "messages": _user(ASKED), "max_tokens": self.cap, **fields}
        trials: list[Change] = []
        refused: Refusal | None = None

        def otherwise(refusal: Refusal, body: Mapping[str, Any]) -> Change | None:
            change = choosing.change_for(refusal, api, streams, self.api, "auto", trials)
            return change or self.takes.change_for(refusal, body, True)

        def adapts(refusal: Refusal, body: Mapping[str, Any]) -> bool:
            nonlocal refused
            refused = refusal
            return otherwise(refusal, body) is not None or (LOGPROBS in body and no_logprobs(refusal))

        while True:
            body, refused = self.takes.fitted(asked, trials), None
            api, streams = self._spoken(trials)
            usage = STREAM_USAGE not in {*self.takes.known, *(change.option for change in trials)}
            call = Call(_unnoted, adapts=adapts)
            try:
                self.calls += 1
                completion = await self.endpoint.complete(body, _whole, call, api=api, streams=streams, usage=usage)
            except Refused as error:
                if refused is None:
                    raise
                change = otherwise(refused, body)
                because = f"{refused.status}: {refused.words[:200]}"
                if (change is None and LOGPROBS in body and no_logprobs(refused)) or (change and change.about_format):
                    raise _Without(because) from None
                if change is None or change in trials or len(trials) > 8:
                    what = "refused, in words that are not understood: say it in a profile"
                    if self.api == "auto" and error.status in (404, 405):
                        what = "no answer; it may speak another API: try --api messages or --api responses"
                    raise AgentError(f"{what}. {error}") from None
                trials.append(change)
            else:
                self.takes.learn(trials)
                return completion, trials


class _Without(Exception):
    """The endpoint does not give what was asked for."""


def _unnoted(event: dict[str, Any]) -> None:
    """Probes are no part of a play."""


def _whole(completion: Completion, extra: dict[str, Any]) -> Completion:
    return completion


def _user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def probed(
    url: str, model: str, key_env: str | None = None, auth: Auth | None = None, api: Choice = "auto",
    headers: Mapping[str, str] | None = None,
) -> Iterator[Finding]:  # fmt: skip
    """Ask a model at an address for each thing that may be sent, say what was found, and keep it. Raises UsageError for an
    address that is none, and a variable that holds no key."""
    endpoint = endpoint_at(
        model, url, None, key_env, api=api, auth=auth, headers=headers, retries=1, timeout=60.0
    )  # fmt: skip
    probe = Probe(endpoint, model, api=api)

    async def main() -> list[Finding]:
        await endpoint.start()
        try:
            return await probe.run()
        finally:
            await endpoint.close()

    yield from (found := anyio.run(main))
    if any(each.name == "an answer" and each.state == "broken" for each in found):
        return
    said = learnt_profile(probe.takes.learnt).table()
    yield Finding(
        "profile", "ok", ", ".join(f"{name} = {json.dumps(value)}" for name, value in said.items()) or "nothing special"
    )
    where = store.save(endpoint.base_url, model, probe.takes.learnt, replace=True)
    if where is not None:
        yield Finding("kept", "ok", f"in {where}, for every run; {probe.calls} calls were made")
    else:
        off = os.environ.get(store.VARIABLE) is not None and store.path() is None
        yield Finding(
            "kept",
            "absent",
            f"{store.VARIABLE} is empty" if off else store.untold() or "nowhere: the file cannot be written",
        )
