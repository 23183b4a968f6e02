"""Given tokens, scored: the log-probability of each as a model's answer, and the alternatives at its first place.
Rule: one answer's worth of calls, of no play and charged to no seat; a cap on money and MOOT_FORBID_REMOTE hold as for any call.

llama.cpp does not echo a prompt with its log-probabilities, but a grammar of token ids (grammars/README.md, "Tokens") leaves it
no other answer than the given one, and what it reports is untouched by grammars. vLLM has `prompt_logprobs`
(docs.vllm.ai, "OpenAI-Compatible Server", extra parameters of the Completions API), and `return_token_ids` for the prompt's own ids.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from moot.agents.models import wire
from moot.agents.models.apis.chat import Chat
from moot.agents.models.attempts import Call, Refused
from moot.agents.models.client import Client, Messages
from moot.agents.models.profiles.profile import LOGPROBS, Scores
from moot.agents.models.tokens.reading import Tokens, tokens_in
from moot.agents.models.wire import Completion
from moot.agents.money.prices import FREE
from moot.agents.money.usage import Usage, usage_of
from moot.agents.prompts.values import UnreadableAnswer
from moot.complexity.pressure.sampled import FORMS, PLAIN, Listed
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.request import Request

WAYS: Mapping[str, Scores] = {"llamacpp": "grammar", "vllm": "prompt_logprobs"}
"""How servers score, by what they call the owner of their models in `GET models`."""
_DROPPED = FORMS | {
    "stop",
    "stop_token_ids",
    "n",
    "ignore_eos",
    "post_sampling_probs",
    "min_tokens",
    "max_tokens",
    "max_completion_tokens",
    "n_predict",
}
"""Fields of a caller's own that shape answers, and would get in the way of a given one."""
# "Failed to initialize samplers: failed to parse grammar" (400), "got exception: Unexpected empty grammar stack after accepting
# piece" (500): llama.cpp's server
_GRAMMAR = re.compile(r"\bgrammar\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Scored:
    """Tokens as a model scores them. ids: as they were given; texts: of each; logprobs: of each after the prompt and those before
    it, in nats, at temperature 1. whole_reply: whether the last one ends the turn, so that the total is that of
    the whole answer and not of one that begins so; None where the endpoint does not say. usage: of the calls."""

    ids: tuple[int, ...]
    texts: tuple[str, ...]
    logprobs: tuple[float, ...]
    whole_reply: bool | None
    usage: Usage

    @property
    def total(self) -> float:
        """The log-probability of all of them, in nats."""
        return math.fsum(self.logprobs)


async def score(
    client: Client, request: Request, messages: Messages, ids: Sequence[int], texts: Sequence[str] | None
) -> Scored:
    """Score token ids as the answer to messages. Raises as `LM.score` says."""
    ids = tuple(ids)
    if not ids or not all(type(each) is int and each >= 0 for each in ids):
        raise UsageError(
            f"the tokens to score are {ids!r:.80}; give the ids of one or more, as `sampled` events have them"
        )
    if texts is not None and len(texts) != len(ids):
        raise UsageError(f"there are {len(ids)} ids and {len(texts)} texts of tokens to score; each id has one text")
    way = await _way(client)
    scored = await (_by_grammar if way == "grammar" else _by_prompt)(client, request, messages, ids)
    if texts is not None and (wrong := [i for i in range(len(ids)) if texts[i] != scored.texts[i]]):
        at = wrong[0]
        raise UsageError(
            f"token {at} with the id {ids[at]} is {texts[at]!r} to whoever sampled it, and {scored.texts[at]!r} to {client.model}: "
            "they have different vocabularies, and ids of one mean nothing to the other; or these are not all the tokens that were "
            "sampled (see `whole`)"
        )
    return scored


async def first_tokens(client: Client, request: Request, messages: Messages, top: int) -> tuple[Listed, ...]:
    """The alternatives at the first place of an answer to messages. Raises as `LM.first_tokens` says."""
    if isinstance(top, bool) or not isinstance(top, int) or top < 1:
        raise UsageError(f"top is {top!r}; it must be a whole number of at least 1, and most endpoints list 20")
    await client.ready()
    if (none := client.takes.known.get(LOGPROBS)) is not None or not client.spoken()[0].logprobs:
        why = f" ({none.because})" if none is not None else f" over {client.spoken()[0].path}"
        raise AgentError(f"{client.model} gives no log-probabilities{why}")
    own = {**_body(client, request, messages, 1), "top_logprobs": top}
    for name in (
        PLAIN.keys() - client.extra_body.keys()
    ):  # what is reported is the same at any; hosted endpoints refuse them
        del own[name]
    found = await _tokens(client, request, client.takes.fitted(own), client.spoken()[0])
    assert found.tokens is not None
    return found.tokens.first


async def _way(client: Client) -> Scores:
    """How the endpoint of a model scores given tokens. Raises UsageError where it cannot."""
    endpoint = await client.ready()
    if client.embedded:
        return "grammar"
    if client.profile.scores is not None:
        return client.profile.scores
    status, listed = await endpoint.models()
    models = listed.get("data") if isinstance(listed, dict) else None
    owners = (
        {str(each.get("owned_by")) for each in models if isinstance(each, dict)} if isinstance(models, list) else set()
    )
    found: set[Scores] = {WAYS[each] for each in owners if each in WAYS}
    if len(found) == 1:
        return found.pop()
    said = f"is run by {', '.join(map(repr, sorted(owners)))}" if owners else f"does not list its models ({status})"
    raise UsageError(
        f"{client.model} at {endpoint.base_url} cannot score given tokens: the server {said}, and only llama.cpp and vLLM can. "
        "Compare its own draws instead, or serve the model by one of these; where one stands behind a proxy, "
        f"profile={{'scores': 'grammar'}} (llama.cpp) or 'prompt_logprobs' (vLLM) says so"
    )


def _body(client: Client, request: Request, messages: Messages, most: int) -> dict[str, Any]:
    """A request for an answer of so many tokens, sampled plainly, with their log-probabilities."""
    own = client.takes.fitted({"model": client.model, "messages": messages, "max_tokens": most})
    placed = {name: value for name, value in client.placement(request).items() if name not in _DROPPED}
    extra = {name: value for name, value in client.extra_body.items() if name not in _DROPPED}
    if "cache_prompt" in placed:
        placed["cache_prompt"] = _cached(client)
    return {**own, **extra, **placed, **PLAIN, "temperature": 1.0, "logprobs": True, "top_logprobs": 1}


def _cached(client: Client) -> bool:
    """Whether what was computed of a prompt before is used again. With how much of it is computed at once a quantized model's numbers
    change by up to 0.2 nats a token (SmolLM2-135M in 4 bits), so that a score is the same again only without it; extra_body may
    say otherwise where that is too slow."""
    return bool(client.extra_body.get("cache_prompt", False))


async def _tokens(client: Client, request: Request, body: Mapping[str, Any], api: Any) -> Completion:
    """An answer whose tokens are listed. Raises AgentError for one without."""

    def read(completion: Completion, extra: dict[str, Any]) -> Completion:
        if completion.tokens is None:
            raise UnreadableAnswer("it answered without log-probabilities of its tokens")
        return completion

    call = Call(lambda event: None, request.step, request.seed)
    call.adapts = lambda refusal, sent: "grammar" in sent and _GRAMMAR.search(refusal.words) is not None
    prices = client.prices if not client.embedded else client.prices or FREE
    try:
        return await client.endpoint.complete(body, read, call, api=api, prices=prices)
    except UnreadableAnswer as error:
        raise AgentError(f"{client.model} at {client.endpoint.base_url} gives no log-probabilities: {error}") from None


async def _by_grammar(client: Client, request: Request, messages: Messages, ids: tuple[int, ...]) -> Scored:
    # A token that ends the turn is taken where the grammar is at its end, and nowhere else: hence the last one may be left out,
    # and is drawn all the same, as it is given a weight that no other has.
    grammar = "root ::= " + " ".join(f"<[{each}]>" for each in ids) + "?"
    body = {
        **_body(client, request, messages, len(ids)),
        "grammar": grammar,
        "logit_bias": [[ids[-1], 100]],
        "cache_prompt": _cached(client),
    }
    try:
        found = await _tokens(client, request, body, Chat())
    except Refused as refused:
        if not _GRAMMAR.search(refused.said):
            raise
        raise UsageError(
            f"{client.model} cannot have these tokens as an answer: one is not in its vocabulary, ends the turn before the last place, or "
            f"is part of a character, which llama.cpp does not list ({refused.said[:200]})"
        ) from None
    tokens = found.tokens
    assert tokens is not None
    if tokens.ids is None:
        raise UsageError(
            f"{client.model} at {client.endpoint.base_url} gives no ids with its tokens: it is not llama.cpp's server"
        )
    if tokens.ids != ids:
        raise UsageError(_other(client.model, ids, tokens.ids))
    return Scored(ids, tokens.texts, tokens.logprobs, found.finish == "stop", found.usage)


def _other(model: str, ids: tuple[int, ...], came: tuple[int, ...]) -> str:
    at = next((i for i, (a, b) in enumerate(zip(ids, came, strict=False)) if a != b), min(len(ids), len(came)))
    here = f"{came[at]} stands" if at < len(came) else "nothing stands"
    there = f"token {at} is {ids[at]}" if at < len(ids) else "they end"
    return (
        f"{model} scored {len(came)} tokens for {len(ids)} that were given, and {here} where {there}: the answer was "
        "retokenised, or ends before; a text has many tokenisations, and only the one that was drawn has its probability"
    )


class _PromptIds(Chat):
    """A chat completion, asked for the ids of its prompt alone."""

    def completion(self, data: Any, cached: bool = False) -> Completion:
        made = super().completion(data, cached)
        return replace(made, given=data.get("prompt_token_ids"), tokens=made.tokens or _ALONE)


class _Completions(Chat):
    """Completions of token ids, with the log-probabilities of the prompt."""

    path: ClassVar[str] = "completions"

    def body(self, request: Mapping[str, Any]) -> dict[str, Any]:
        return dict(request)

    def completion(self, data: Any, cached: bool = False) -> Completion:
        choices = data.get("choices") if isinstance(data, dict) else None
        if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
            raise wire.NotACompletion("the body is not a completion")
        usage = usage_of(data, True)
        return Completion("", None, usage, given=choices[0].get("prompt_logprobs"), tokens=_ALONE)


_ALONE = Tokens(None, (), ())  # where none are asked for


async def _by_prompt(client: Client, request: Request, messages: Messages, ids: tuple[int, ...]) -> Scored:
    body = {**_body(client, request, messages, 1), "return_token_ids": True}
    asked = await _tokens(client, request, body, _PromptIds())
    prompt = asked.given
    if not isinstance(prompt, list) or not all(type(each) is int for each in prompt):
        raise UsageError(
            f"{client.model} at {client.endpoint.base_url} gives no prompt_token_ids where return_token_ids asks for them: vLLM does "
            "from 0.10.2 on; another server cannot score given tokens"
        )
    own = {"model": client.model, "prompt": [*prompt, *ids], "max_tokens": 1, "prompt_logprobs": 0, "temperature": 1.0}
    found = await _tokens(client, request, own, _Completions())
    listed = found.given
    if not isinstance(listed, list) or len(listed) != len(prompt) + len(ids):
        came = len(listed) if isinstance(listed, list) else "no"
        raise UsageError(
            f"{client.model}: {came} prompt_logprobs came for {len(prompt) + len(ids)} tokens; is it vLLM?"
        )
    entries = []
    for place, (number, each) in enumerate(zip(ids, listed[len(prompt) :], strict=True)):
        entry = each.get(str(number)) if isinstance(each, dict) else None
        if not isinstance(entry, dict):
            raise UsageError(
                f"{client.model}: token {place}, {number}, is not among the prompt's: the answer was retokenised"
            )
        entries.append({"token": entry.get("decoded_token") or "", "logprob": entry.get("logprob"), "id": number})
    tokens = tokens_in({"logprobs": {"content": entries}})
    if tokens is None:
        raise AgentError(f"{client.model}: a token's log-probability is none: {entries!r:.200}")
    return Scored(ids, tokens.texts, tokens.logprobs, None, _sum(asked.usage, found.usage))


def _sum(one: Usage, two: Usage) -> Usage:
    """What two calls took; unknown where one of them does not say."""

    def both(a: float | None, b: float | None) -> Any:
        return None if a is None or b is None else a + b

    return Usage(both(one.prompt_tokens, two.prompt_tokens), both(one.completion_tokens, two.completion_tokens),
                 both(one.cached_tokens, two.cached_tokens), both(one.cost, two.cost))  # fmt: skip
