"""Tokens of the mock model by number, as llama.cpp's server and vLLM give them.

llama.cpp: tools/server/README.md (`id` beside each token), grammars/README.md ("Tokens": `<[1000]>`); the token that ends the turn is
listed, without a text, and counted. vLLM: vllm-project/vllm#22587 (`return_token_ids`).

Rule: functions of a request and of what is said; no server, no state.
"""

from __future__ import annotations

import re
from typing import Any

from moot.testing.server.faults import Body
from moot.testing.server.replies import logprob_entry, tokens_of

END = 2
"""The token that ends the turn."""
_FORCED = re.compile(r"root ::= (?:<\[\d+\]>\s?)+\??")


def id_of(token: str) -> int:
    """The number of a token in the mock model's vocabulary, from which `text_of` has it back."""
    return int.from_bytes(token.encode("utf-8", "surrogatepass"), "big") + END + 1 if token else END


def text_of(number: int) -> str:
    """The text of a token."""
    made = number - END - 1
    return "" if made < 0 else made.to_bytes((made.bit_length() + 7) // 8 or 1, "big").decode("utf-8", "replace")


def forced(body: Body) -> tuple[str, bool] | None:
    """What a grammar of token ids leaves to say, and whether the turn ends there; None without one."""
    grammar = body.get("grammar")
    if not isinstance(grammar, str) or _FORCED.fullmatch(grammar) is None:
        return None
    ids = [int(each) for each in re.findall(r"<\[(\d+)\]>", grammar)]
    return "".join(map(text_of, ids)), ids[-1] == END


def listed_by_id(choice: Body, body: Body) -> int:
    """Give each listed token of a choice its number, and list the end of the turn; returns how many more tokens there are."""
    content: list[dict[str, Any]] = (choice.get("logprobs") or {}).get("content") or []
    ended = bool(content) and choice["finish_reason"] == "stop"
    if ended:
        content.append({**logprob_entry("", {"": 0.5, " and": 0.25}, body.get("top_logprobs") or 0), "bytes": []})
    for each in (*content, *(top for place in content for top in place["top_logprobs"])):
        each["id"] = id_of(each["token"])
    return int(ended)


def beside(choice: Body, body: Body) -> None:
    """Give the ids of an answer's tokens beside it, where they are asked for."""
    if body.get("return_token_ids"):
        choice["token_ids"] = [id_of(each) for each in tokens_of(choice["message"]["content"] or "")]
