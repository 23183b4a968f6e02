"""What models sampled, token by token, as transcripts keep it: whether the log-probabilities on record are those of the draws, and
what two lists of a token's alternatives say of a divergence.
Rule: events and numbers; no model is asked. `LM(record="tokens")` notes the events.

Endpoints report the model's own distribution over its vocabulary at temperature 1, whatever was drawn from: temperature, cuts
of the tail, penalties and grammars change the draws and leave what is reported as it is. So a sum of recorded log-probabilities is
that of what was drawn under plain sampling alone, and `not_plain` lets nothing else through.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_json

from moot.complexity.pressure.kinds import Bound
from moot.protocols.engine.errors import TranscriptError, UsageError, first_problem

PLAIN: Mapping[str, float] = {
    "top_k": 0, "top_p": 1.0, "min_p": 0.0, "repeat_penalty": 1.0, "repetition_penalty": 1.0,
}  # fmt: skip
"""What `extra_body` has to say beside temperature=1 for sampling to be plain: llama.cpp and vLLM call the penalty on repetition by
different names, and each passes over the other's without a word, so that both are said."""
ROUNDING = 1e-3
"""How far log-probabilities, which servers compute in few digits, may miss: the vocabulary of a quantized model sums to 1 within 1e-4."""
NO_SUCH_FIELD = frozenset({"api.openai.com"})
"""Hosts whose API has no field but temperature and top_p for cutting or penalizing by default."""
TOKENS = "ids", "texts", "logprobs"
_LEAST = 1e-300  # of what a rest may be, for a logarithm of it
Listed = tuple[str, int | None, float]
"""An alternative at one place: text, id (None where the endpoint gives none) and log-probability in nats."""


class Sampled(BaseModel):
    """One answer as it was sampled, of an event "sampled".

    step, seat, attempt: of which call; candidate: which of several answers to it. ids: of the tokens, None where the endpoint gives
    none; texts; logprobs: of each token after those before it, in nats. sampler: the fields of the request that may touch the draw.
    host: who was asked. constrained: whether a grammar, a form of the answer or tools were sent. finish: why it ended. whole:
    whether these are all the tokens of the answer, and lacks: why not. ended: whether the last one is the end of the turn,
    which most endpoints leave out; without it the sum is of an answer that begins so.
    """

    model_config = ConfigDict(frozen=True)
    step: str
    seat: str
    attempt: int
    candidate: int | None = None
    ids: tuple[int, ...] | None
    texts: tuple[str, ...]
    logprobs: tuple[float, ...]
    sampler: dict[str, Any]
    host: str = ""
    constrained: bool
    finish: str | None
    whole: bool
    ended: bool = False
    lacks: str = ""

    @property
    def total(self) -> float:
        """The log-probability of all the tokens, in nats."""
        return math.fsum(self.logprobs)

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Sampled:
        """Read an event. Raises TranscriptError, naming the step, for one that is none."""
        where = f"step {event.get('step')}: event sampled"
        tokens = event.get("tokens")
        if not isinstance(tokens, Mapping) or tokens.keys() != {*TOKENS}:
            raise TranscriptError(f"{where}: its tokens are {tokens!r:.80}, not ids, texts and logprobs")
        fields = {name: event[name] for name in cls.model_fields if name in event and name not in TOKENS}
        try:
            found = cls.model_validate_json(to_json({**fields, **tokens}), strict=True)
        except ValidationError as error:
            raise TranscriptError(f"{where}: {first_problem(error)}") from None
        if len({len(found.texts), len(found.logprobs), len(found.texts if found.ids is None else found.ids)}) != 1:
            raise TranscriptError(f"{where}: ids, texts and logprobs are not equally many")
        if not all(each <= ROUNDING for each in found.logprobs):
            raise TranscriptError(f"{where}: a log-probability is {max(found.logprobs):g}, over 0")
        return found


def not_plain(sampled: Sampled | Mapping[str, Any]) -> str | None:
    """Why log-probabilities on record are not those that tokens were drawn with; None where they are. sampled: an answer, its
    event, or the `sampler` of one, which says nothing of its host.

    Plain is what the request itself says to be: temperature 1, top_p 1, top_k 0 or -1, min_p 0, both penalties on repetition
    1, no grammar, form or tools, and nothing else that is not known to leave draws as they are. A field that is absent is the
    server's own default, and unknown, but at a host whose API has no such field. Servers other than llama.cpp, vLLM and SGLang, which
    alone give ids, may pass over fields (Ollama's chat completions have no top_k: ollama/ollama#11325), so that of an answer
    without ids it is unknown too. Samplers that are off by default (mirostat, XTC,
    DRY) are taken to be off where nothing is said of them.
    """
    if isinstance(sampled, Mapping) and "sampler" in sampled:
        sampled = Sampled.of(sampled)
    if isinstance(sampled, Sampled):
        sampler, host, formed = sampled.sampler, sampled.host, sampled.constrained
        heeded = sampled.ids is not None or host in NO_SUCH_FIELD
    else:
        sampler, host, formed, heeded = dict(sampled), "", False, True
    for name, value in sampler.items():
        if name in FORMS:
            if not _nothing(value):
                return f"{name} constrained the answer: tokens outside of it were never drawn"
        elif name not in _NEUTRAL:
            return f"{name} is {value!r:.60}, and nothing is known of what it does to draws"
        elif isinstance(value, bool) or not isinstance(value, (int, float)) or value not in _NEUTRAL[name]:
            # Of what is a number, False is one to servers: typical_p = false cuts all but one token.
            if name in _DEMANDED or not (value is None or (not _NEUTRAL[name] and _nothing(value))):
                wanted = " or ".join(f"{each:g}" for each in _NEUTRAL[name]) or "empty"
                return f"{name} is {value!r:.60}, and draws are the model's own where it is {wanted}"
    for name in _DEMANDED:
        if name not in sampler and not (host in NO_SUCH_FIELD and name not in _EVERYWHERE):
            return f"{name} is not said: it is the server's own default, which is not known; see PLAIN"
    if formed:
        return "the answer was constrained by a grammar, a form or tools"
    return None if heeded else _UNHEEDED


_UNHEEDED = (
    "no ids came with the tokens, so that this may be a server that passes over what it is told of sampling; vLLM and SGLang give "
    "them where extra_body says return_token_ids = true"
)
FORMS = frozenset({
    "response_format", "grammar", "json_schema", "tools", "functions", "function_call", "structured_outputs", "guided_json",
    "guided_regex", "guided_choice", "guided_grammar", "regex", "ebnf",
})  # fmt: skip
"""Fields of a request that rule out what an answer may be."""
_NEUTRAL: dict[str, tuple[float, ...]] = {
    "temperature": (1,), "top_p": (1,), "top_k": (0, -1), "min_p": (0,), "repeat_penalty": (1,), "repetition_penalty": (1,),
    "presence_penalty": (0,), "frequency_penalty": (0,), "typical_p": (1,), "typ_p": (1,), "tfs_z": (1,), "top_a": (0,),
    "top_n_sigma": (-1,), "xtc_probability": (0,), "dynatemp_range": (0,), "dry_multiplier": (0,), "mirostat": (0,),
    "min_tokens": (0,), "length_penalty": (1,), "logit_bias": (), "bad_words": (), "allowed_token_ids": (), "stop": (),
    "stop_token_ids": (),
}  # fmt: skip
"""Values at which a sampler leaves the model's distribution as it is (tools/server/README.md of llama.cpp; `SamplingParams` of vLLM)."""
_EVERYWHERE = "temperature", "top_p"
_DEMANDED = (*_EVERYWHERE, *(name for name in PLAIN if name != "top_p"))
IDLE = frozenset({
    "model", "messages", "max_tokens", "max_completion_tokens", "seed", "logprobs", "top_logprobs", "stream", "stream_options", "n",
    "id_slot", "cache_prompt", "return_token_ids", "user", "metadata", "store", "timings_per_token", "prompt_cache_key",
    "chat_template_kwargs", "parallel_tool_calls", "tool_choice",
})  # fmt: skip
"""Fields of a request that leave draws alone: they say who is asked what, how much of it, and what else comes back. A seed says
which draw it is, and not from what."""


def _nothing(value: Any) -> bool:
    """Whether a field says nothing: of 0, this is not said."""
    return value is None or value is False or (isinstance(value, (str, list, tuple, dict)) and not value)


def kl_of_lists(own: Iterable[Listed], other: Iterable[Listed], *, rounding: float = ROUNDING) -> Bound:
    """What the most probable tokens of two models at one place, each with its log-probability, say of the KL divergence of the first
    from the second, in nats: a bound from below, which is attained where the lists are whole.

    Both are seen through the same map, a token that both lists name to itself and any other to "the rest"; no map of two
    distributions takes them further apart (data processing), so that what is left after it is at most the whole. Tokens are
    told apart by id where all have one. Otherwise it is by text, and the bound rests on "one-token-a-text": that of a text which
    both lists name no further token is left unlisted. Texts that a list shows to be of several tokens, or to be part of a
    character, are of the rest. rounding: how much of the second's rest may have been lost in sums, which is added to it, as a rest of
    nothing would be infinitely far from one of something. Raises UsageError for lists that are empty, that give a token twice, or
    are no part of a distribution.
    """
    own, other = list(own), list(other)
    by_id = all(each[1] is not None for each in (*own, *other))
    p, q = _shares(own, by_id, rounding), _shares(other, by_id, rounding)
    shared = set[Any]() if by_id else {*_several(own), *_several(other)}
    common = [token for token in p if token not in shared and p[token] > 0 and q.get(token, 0) > 0]
    rest_p, rest_q = (max(0.0, 1 - math.fsum(of[token] for token in common)) for of in (p, q))
    rest_q += max(rounding, _LEAST)
    terms = [p[token] * math.log(p[token] / q[token]) for token in common]
    terms.append(rest_p * math.log(rest_p / rest_q) if rest_p else 0.0)
    route = f"data processing on the {len(common)} tokens that both lists name"
    assumes = () if by_id or not common else ("one-token-a-text",)
    return Bound(kind="lower only", lower=max(0.0, math.fsum(terms)), route=route, assumes=assumes)


def _several(listed: list[Listed]) -> set[str]:
    """The texts that stand for more tokens than one: those listed twice, and those that are part of a character."""
    counted = Counter(text for text, _, _ in listed)
    return {text for text, many in counted.items() if many > 1 or "\ufffd" in text}


def _shares(listed: list[Listed], by_id: bool, rounding: float) -> dict[Any, float]:
    """The probabilities of a list, those of equal texts added."""
    made: dict[Any, float] = {}
    numbers = [number for _, number, _ in listed if number is not None]
    if len({*numbers}) < len(numbers):
        raise UsageError(
            f"a token is listed twice among {numbers!r:.80}: they must be some of one distribution, each once"
        )
    for text, number, logprob in listed:
        if not logprob <= rounding:  # nan too
            raise UsageError(f"the token {text!r} has the log-probability {logprob!r}; it must be at most 0")
        token = number if by_id else text
        made[token] = made.get(token, 0.0) + math.exp(min(0.0, logprob))
    total = math.fsum(made.values())
    if not made or total > 1 + rounding + 1e-9:
        said = f"sum to {total:.4f}" if made else "are none"
        raise UsageError(f"the tokens listed {said}: they must be some of one distribution, each once")
    return made
