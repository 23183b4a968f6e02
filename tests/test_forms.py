"""The forms of answers: whatever comes back is a legal move or unreadable."""

from __future__ import annotations

import json
import math
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from moot.agents.prompts.forms import Form
from moot.agents.prompts.values import UnreadableAnswer, normalised
from moot.protocols.engine.moves import Answer, Ask, Move, Speech, Stop, Verdict

KINDS = (Speech, Verdict, Answer, Ask, Stop)
garbage = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=9)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("123"), inner, max_size=3)),
    max_leaves=6,
)
answers = st.one_of(
    st.text(),
    garbage.map(json.dumps),
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["speech", "verdict", "answer", "ask", "stop", "x"])},
        optional=dict.fromkeys(["text", "probabilities", "choice", "to", "stop", "end"], garbage),
    ).map(json.dumps),
    st.lists(
        st.sampled_from(
            "<speech> </speech> <verdict> </verdict> <text> </text> <probabilities> </probabilities> 0.5,0.5 "
            "nan <stop> "
            "</stop> yes <think> </think> ```json\n \n``` <answer> <choice> 1 </choice> </answer>".split(" ")
        )
    ).map("".join),
)


@given(answers, st.sets(st.sampled_from(KINDS), min_size=1), st.booleans(), st.sampled_from(["stop", "length", None]))
def test_any_answer_is_a_legal_move_or_unreadable(text: str, kinds: Any, tagged: bool, finish: str | None) -> None:
    form = Form(tuple(kinds), 2, {"task": "feedback"})
    try:
        move = form.read(text, tagged, finish, {})
    except UnreadableAnswer:
        return
    assert type(move) in kinds
    assert type(move).model_validate(move.model_dump()) == move
    assert not isinstance(move, Verdict) or len(move.probabilities) == 2


@given(st.lists(st.floats(), min_size=2, max_size=6))
def test_stated_probabilities_are_scaled_or_refused(stated: list[float]) -> None:
    good = all(math.isfinite(p) and p >= 0 for p in stated) and max(stated) > 0
    if not good:
        with pytest.raises(ValueError, match="probabilities"):
            normalised(stated)
        return
    scaled, changed = normalised(stated)
    assert Verdict(probabilities=scaled).probabilities == scaled
    assert changed or scaled == tuple(stated)


@given(st.text().filter(str.strip))
def test_a_speech_comes_through_json_and_tags_as_it_was(text: str) -> None:
    form = Form((Speech,), 2)
    assert form.read(json.dumps({"kind": "speech", "text": text}), False, "stop", {}) == Speech(text=text)
    assert form.read(f"<speech>{text}</speech>", True, "stop", {}) == Speech(text=text.strip())


class Bid(Move):
    kind: Literal["bid"] = "bid"
    amount: int
    open: bool = False


def test_schemas_are_strict_and_reasons_come_first() -> None:
    form = Form((Verdict,), 3, {"task": "feedback"})
    schema = form.response_format()["json_schema"]["schema"]
    assert list(schema["properties"]) == ["kind", "text", "probabilities", "end"] == schema["required"]
    assert list(schema["properties"]["probabilities"]["properties"]) == ["1", "2", "3"]
    union = Form((Ask, Bid), 2, {"to_seats": ["a", "b"]}).response_format()["json_schema"]["schema"]
    assert union["type"] == "object" and len(union["properties"]["move"]["anyOf"]) == 2
    own = Form((Bid,), 2).response_format()["json_schema"]["schema"]
    assert own["required"] == ["kind", "amount", "open"] and own["additionalProperties"] is False


@pytest.mark.parametrize(
    ("kinds", "text", "move"),
    [
        ((Bid,), '{"kind": "bid", "amount": 3, "open": true}', Bid(amount=3, open=True)),
        ((Answer,), '{"kind": "answer", "choice": 2, "text": "x"}', Answer(choice=1, text="x")),
        ((Stop, Ask), '{"move": {"kind": "stop", "stop": true}}', Stop(stop=True)),
        ((Ask,), '```json\n{"kind": "ask", "text": "Why?", "to": null}\n```', Ask(text="Why?")),
        ((Speech,), '<think>hm</think>{"text": "Yes"}', Speech(text="Yes")),
    ],
)
def test_json_forms(kinds: tuple[type[Move], ...], text: str, move: Move) -> None:
    assert Form(kinds, 2).read(text, False, "stop", {}) == move


@pytest.mark.parametrize(
    ("kinds", "text", "move"),
    [
        ((Bid,), "<bid><amount>3</amount><open>yes</open></bid>", Bid(amount=3, open=True)),
        ((Answer,), "<answer><text>x</text><choice>2</choice></answer>", Answer(choice=1, text="x")),
        ((Stop,), "I say <stop><stop>no</stop></stop>", Stop(stop=False)),
        ((Ask,), "<ask><text>Why?</text><to>b</to></ask>", Ask(text="Why?", to="b")),
        ((Verdict,), "<verdict><probabilities>20%, 80%</probabilities></verdict>", Verdict(probabilities=(0.2, 0.8))),
    ],
)
def test_tagged_forms(kinds: tuple[type[Move], ...], text: str, move: Move) -> None:
    assert Form(kinds, 2).read(text, True, "stop", {}) == move


class Choosing(Move):
    kind: Literal["choosing"] = "choosing"
    words: tuple[str, ...]
    gate: int
    level: Annotated[int, Field(ge=-1, le=2)]
    share: Annotated[float, Field(ge=0, le=1)]
    bits: tuple[int, ...] = ()


def test_what_a_brief_allows_is_in_the_form() -> None:
    told: dict[str, Any] = {
        "one_of": {"words": ["x", "y"]}, "most": {"words": 2, "bits": 6}, "least": {"bits": 6}, "below": {"gate": 3},
    }  # fmt: skip
    fields = Form((Choosing,), 2, told, length=200).schema(Choosing)["properties"]
    assert fields["words"] == {"type": "array", "items": {"type": "string", "enum": ["x", "y"]}, "maxItems": 2}
    assert fields["gate"] == {"enum": [0, 1, 2]} and fields["level"] == {"enum": [-1, 0, 1, 2]}
    assert fields["share"]["enum"][:2] == [0, 0.05] and fields["share"]["enum"][-1] == 1
    assert (fields["bits"]["minItems"], fields["bits"]["maxItems"]) == (6, 6), "more than a small model may write else"
    hosted = Form((Choosing,), 2, told).schema(Choosing)["properties"]
    assert (hosted["gate"]["minimum"], hosted["gate"]["maximum"], hosted["share"]["type"]) == (0, 2, "number")
    words = Form((Choosing,), 2, told).told(True)
    assert '<words>a JSON list of some of "x", "y"</words><gate>a whole number from 0 to 2</gate>' in words
    assert "<bits>a JSON list of numbers</bits>" in words


def test_a_bound_too_far_away_stays_a_number() -> None:
    fields = Form((Choosing,), 2, {"below": {"gate": 10_000}}, length=200).schema(Choosing)["properties"]
    assert fields["gate"] == {"type": "integer", "minimum": 0, "maximum": 9999}
