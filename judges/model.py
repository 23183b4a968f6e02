"""A model as a judge: by the probabilities that it states, or by its token log-probabilities."""

from __future__ import annotations

import math
from typing import Any, Literal

from moot.agents.lm import LM
from moot.protocols.errors import AgentError, UsageError
from moot.protocols.moves import Move, Verdict
from moot.protocols.view import Request

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class ModelJudge:
    """Judge with a model. method "stated": it writes probabilities. method "logprobs": it is asked for one letter, and
    the probabilities of the allowed letters as next token, renormalised over them, are the verdict.

    Moves other than a final verdict (feedback, questions) are always stated. Raises UsageError on an unknown method,
    AgentError when the endpoint returns no log-probabilities or none of an allowed letter.
    """

    def __init__(self, lm: LM | str, method: Literal["stated", "logprobs"] = "stated") -> None:
        if isinstance(lm, str):
            from moot.agents.spec import agent_from

            lm = agent_from(lm)
        if not isinstance(lm, LM):
            raise UsageError(f"a model judge needs a language model, not {lm!r}")
        if method not in ("stated", "logprobs"):
            raise UsageError(f"a model judges by stated or logprobs, not by {method!r}")
        self.lm, self.method = lm, method

    async def act(self, request: Request) -> Move:
        if self.method == "stated" or request.kinds != (Verdict,) or request.brief.get("task") == "feedback":
            return await self.lm.act(request)
        letters = _LETTERS[: len(request.view.question.choices)]
        if len(letters) < len(request.view.question.choices):
            raise AgentError(f"step {request.step}: more than {len(_LETTERS)} choices cannot be judged by letters")
        body = self.lm.body(request)
        body.pop("response_format", None)
        options = "\n".join(f"{letter}: {i}" for i, letter in enumerate(letters, 1))
        system, user = body["messages"]
        form = f"Which answer is right? Each letter stands for the number of an answer:\n{options}\nReply with one letter only."
        head = user["content"].rsplit("\n\n", 1)[0]
        body["messages"] = [system, {"role": "user", "content": f"{head}\n\n{form}"}]
        body.update(max_tokens=1, logprobs=True, top_logprobs=20, temperature=1.0)
        answer, record = await self.lm._complete(request, body, 0)
        try:
            probabilities, mass = over_letters(answer["choices"][0].get("logprobs"), letters)
        except AgentError as error:
            record.update(ok=False, error=str(error))
            request.note(record)
            raise AgentError(f"step {request.step}: {self.lm.model}: {error}") from None
        record["mass"] = round(mass, 6)
        request.note(record)
        return Verdict(probabilities=probabilities)

    async def close(self) -> None:
        await self.lm.close()

    def describe(self) -> dict[str, Any]:
        return {**self.lm.describe(), "judges_by": self.method}


def over_letters(logprobs: Any, letters: str) -> tuple[tuple[float, ...], float]:
    """Next-token probabilities of the letters, renormalised over them, and the mass that they had together.

    Tokens that differ only in white space or case count for their letter. A letter outside the reported top tokens
    gets 0, which is a lower bound. Raises AgentError when no allowed letter was reported.
    """
    try:
        top = logprobs["content"][0]["top_logprobs"]
    except (KeyError, IndexError, TypeError):
        raise AgentError("the endpoint returned no log-probabilities; judge by stated probabilities instead") from None
    mass = dict.fromkeys(letters, 0.0)
    for each in top:
        token = str(each.get("token", "")).strip().upper()
        if token in mass:
            mass[token] += math.exp(each["logprob"])
    total = math.fsum(mass.values())
    if not total > 0:
        raise AgentError(f"none of {', '.join(letters)} is among the {len(top)} most probable tokens")
    return tuple(mass[letter] / total for letter in letters), total
