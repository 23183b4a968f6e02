"""What is recorded of the tokens of an answer.
Rule: events are made here, of an answer and the request for it; `attempts.py` notes them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

from moot.agents.models.secrets import shown
from moot.agents.models.tokens.reading import Tokens
from moot.agents.models.wire import Completion
from moot.agents.prompts.values import encodable
from moot.complexity.pressure.sampled import FORMS, IDLE

LONG = 200  # characters of JSON up to which a field of the request is recorded as it is
NO_IDS = "the endpoint gives no ids of tokens; vLLM and SGLang do where extra_body says return_token_ids = true"


def sampled(
    completion: Completion, body: Mapping[str, Any], base_url: str, hide: Callable[[str], str]
) -> Iterator[dict[str, Any]]:
    """An event "sampled" for each of the answers of a call whose tokens are listed. body: the request, as a chat completion's; hide: takes
    secrets out of a text."""
    answers = (completion, *completion.others)
    counted = completion.usage.completion_tokens
    listed = sum(len(each.tokens.texts) for each in answers if each.tokens is not None)
    sampler = shown({name: value for name, value in body.items() if name not in IDLE})
    told = {
        "sampler": {name: _short(value) for name, value in sampler.items()}, "host": urlsplit(base_url).hostname or "",
        "constrained": any(body.get(name) not in (None, [], {}) for name in FORMS),
    }  # fmt: skip
    for index, each in enumerate(answers):
        if (tokens := each.tokens) is None:
            continue
        ended = tokens.ended(each.text, each.finish)
        lacks = ""
        if not (ended or tokens.make(each.text)):
            lacks = "its tokens do not make up the answer's text"
        elif counted is None:
            lacks = "the endpoint does not say how many tokens there were"
        elif counted != listed:
            lacks = f"{counted} tokens were counted, and {listed} listed"
        if hide(joined := "".join(tokens.texts)) != joined:
            tokens, lacks = Tokens(None, (), ()), "it holds a secret, of which no pieces are kept"
        yield {
            "event": "sampled", **({"candidate": index} if completion.others else {}),
            "tokens": {"ids": None if tokens.ids is None else list(tokens.ids), "texts": list(map(encodable, tokens.texts)),
                       "logprobs": list(tokens.logprobs)},
            **told, "finish": each.finish, "whole": not lacks, "ended": ended,
            **({"lacks": lacks} if lacks else {}), **({"no_ids": NO_IDS} if tokens.ids is None else {}),
        }  # fmt: skip


def _short(value: Any) -> Any:
    """A value, or the hash of what is long, as schemas are."""
    text = json.dumps(value, sort_keys=True, default=str)
    return value if len(text) <= LONG else {"sha256": sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}
