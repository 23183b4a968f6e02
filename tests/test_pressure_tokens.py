"""The ledger of pressure on models that are not the anchor: what their tokens say, and when they say nothing."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hostile_kit import chained

import moot
from moot.agents.base import describe
from moot.complexity.pressure.configured import Anchor, allowed
from moot.complexity.pressure.ledger import Pressure
from moot.complexity.pressure.ledger import pressure as ledger
from moot.complexity.pressure.sampled import PLAIN
from moot.testing.server.server import MockOpenAI

QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"))
PROTOCOL = moot.Consultancy(rounds=1)


def says(body: dict[str, Any]) -> str:
    return "<speech>Nine ships sank.</speech>"


def judge(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def model(profile: str = "llamacpp", model: str = "mock", **options: Any) -> moot.LM:
    client = MockOpenAI(says, profile=profile).http_client()
    given = {"temperature": 1.0, "structured": "tags", "extra_body": dict(PLAIN), **options}
    return moot.LM(model, base_url="http://mock/v1", http_client=client, **given)


def scored(agent: Any, anchor: Any = None, **options: Any) -> Pressure:
    play = moot.run(PROTOCOL, QUESTION, {"consultant": agent, "judge": judge})
    assert isinstance(play.outcome, moot.Decided)
    return moot.pressure(play, anchor or model(prompts="v1"), score=True, event=1e-6, **options)


def test_a_model_that_is_not_the_anchor_is_estimated_and_certifies_nothing() -> None:
    found = scored(model(record="tokens"))
    (row,) = found.rows
    assert (row.kl, row.kind, row.why) == (
        0.0,
        "none",
        "estimated from one draw",
    )  # the mock says all with one probability
    assert found.estimate == 0.0 and found.certificate is not None and found.certificate.upper is None
    (why,) = found.certificate.refused
    assert "mock is not" in why or "nothing bounds" in why


def test_an_estimate_is_the_logarithm_of_how_much_more_probable_the_tokens_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    score = moot.LM.score

    async def rarer(self: Any, *given: Any) -> Any:
        """The anchor finds each of the tokens half as probable as the mock does."""
        found = await score(self, *given)
        return type(found)(
            found.ids, found.texts, tuple(each - math.log(2) for each in found.logprobs), found.whole_reply, found.usage
        )

    monkeypatch.setattr(moot.LM, "score", rarer)
    agent = model(record="tokens")
    play = moot.run(PROTOCOL, QUESTION, {"consultant": agent, "judge": judge})
    (sampled,) = (event for event in play.events() if event["event"] == "sampled")
    (row,) = moot.pressure(play, model(prompts="v1"), score=True).rows
    assert row.kl == pytest.approx(len(sampled["tokens"]["ids"]) * math.log(2))


def test_nobody_is_asked_for_scores_that_would_say_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(moot.LM, "score", None)
    for agent in (model(record="tokens", temperature=0.2), model("vllm", record="tokens")):
        assert scored(agent).rows[0].kl is None


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        (lambda: model(record="tokens", temperature=0.2), "temperature is 0.2"),
        (lambda: model(record="tokens", temperature=None), "temperature is not said"),
        (lambda: model(record="tokens", extra_body={**PLAIN, "top_k": 40}), "top_k is 40"),
        (lambda: model(record="tokens", extra_body={}), "is not said"),
        (lambda: moot.BestOf(model(record="tokens"), 2, score=lambda request, move: 1.0), "one candidate among others"),
    ],
)
def test_recorded_numbers_that_are_not_those_of_the_draw_are_refused(agent: Any, why: str) -> None:
    found = scored(agent())
    (row,) = found.rows
    assert row.kl is None and row.kind == "none" and why in row.why and found.estimate is None


def test_tokens_without_ids_and_of_another_vocabulary_are_usage_errors() -> None:
    (row,) = scored(model("vllm", record="tokens")).rows
    assert row.kl is None and "ids" in row.why
    with pytest.raises(moot.UsageError, match="cannot score given tokens"):
        scored(model(record="tokens"), model("deepseek"))


def test_notes_are_an_anchors_own_system_prompt() -> None:
    pushed = moot.Briefed(model(record="tokens"), "Say what persuades.")
    (row,) = scored(pushed, moot.Briefed(model(), "Say what is true.")).rows
    assert (row.kl, row.why) == (0.0, "estimated from one draw")


def test_the_anchor_itself_is_exact_whatever_is_recorded() -> None:
    agent = model(record="tokens")
    found = scored(agent, agent)
    (row,) = found.rows
    assert (row.draws, row.ratio, row.kl, row.kind) == (1, 1.0, 0.0, "exact")
    assert found.certificate is not None and found.certificate.upper == pytest.approx(2e-6, rel=1e-3)
    assert "described-anchor" in found.certificate.assumes


def test_of_an_answer_with_missing_tokens_nothing_is_said(tmp_path: Path) -> None:
    """A file of which one event says so; the rest of it is as it was."""
    agent = model(record="tokens")
    moot.run(PROTOCOL, QUESTION, {"consultant": agent, "judge": judge}, out=tmp_path / "whole.jsonl")
    events = [json.loads(line) for line in (tmp_path / "whole.jsonl").read_bytes().splitlines()]
    for event in events:
        if event["event"] == "sampled":
            event |= {"whole": False, "lacks": "a character came in pieces"}
    said = [({k: v for k, v in event.items() if k not in ("meta", "chain")}, event["meta"]) for event in events]
    (tmp_path / "cut.jsonl").write_bytes(chained(said))
    (row,) = moot.pressure(moot.load(tmp_path / "cut.jsonl"), model(prompts="v1"), score=True).rows
    assert row.kl is None and row.why == "not all tokens of the answer are recorded: a character came in pieces"


def test_the_description_of_a_model_is_enough_where_no_identity_is_known() -> None:
    """Of the record, as in those that were kept in memory, or of the anchor."""
    agent = moot.BestOf(model(), 2, score=lambda request, move: 1.0)
    play = moot.run(PROTOCOL, QUESTION, {"consultant": agent, "judge": judge})
    known = Anchor(about=describe(model()), name="mock")
    for anchor, found in ((known, "description"), (replace(known, about=describe(model(temperature=0.5))), "")):
        seat = ledger(play, anchor, seats=["consultant"]).seats[0]
        assert (seat.known, seat.draws) == (found, 2 if found else None)
    assert "temperature" in seat.why


def test_who_is_not_the_anchor_is_named_and_so_is_what_differs() -> None:
    own = describe(model())
    for about, stated, said in (
        ({"agent": "program", "name": "mine:agent"}, False, "mine:agent is not mock"),
        ({**own, "model": "another"}, False, "another is not mock"),
        ({**own, "thinking": 9}, True, "thinking"),  # which the anchor's description does not have
    ):
        found = allowed(about, None, Anchor(about=own, name="mock"), stated)
        assert found.draws is None and said in found.why


def test_as_many_draws_are_believed_as_a_wrapper_takes() -> None:
    own = describe(model())
    for n, draws in ((1, 1), (10_000, 10_000), (10_001, None), (0, None)):
        about = {"agent": "best-of", "n": n, "members": [own]}
        assert allowed(about, None, Anchor(about=own), stated=False).draws == draws


def test_a_wrapper_that_draws_once_notes_nothing_and_is_no_layer() -> None:
    inner = moot.BestOf(model(), 4, score=lambda request, move: 1.0)
    agent = moot.BestOf(inner, 1, score=lambda request, move: 1.0)
    play = moot.run(PROTOCOL, QUESTION, {"consultant": agent, "judge": judge})
    (row,) = moot.pressure(play, model()).rows
    assert (row.draws, row.ratio, row.why) == (4, 4.0, "")
