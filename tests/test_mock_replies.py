"""What the mock OpenAI server says when nobody tells it what to say."""

from __future__ import annotations

import json
import math
from datetime import datetime
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter, create_model

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Answer, Ask, Move, Quote, Speech, Stop, Verdict
from moot.testing.server.replies import default_reply, fill, tokens_of

MESSAGES: Any = [{"role": "system", "content": "You debate."}, {"role": "user", "content": "Who sank the fleet?"}]
KINDS: list[type[Move]] = [Speech, Verdict, Answer, Ask, Stop]


def request_for(kind: Any, said: str = "Go on.") -> dict[str, Any]:
    schema = TypeAdapter(kind).json_schema()
    return {
        "model": "mock",
        "messages": [{"role": "user", "content": said}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "move", "schema": schema}},
    }


# Properties of the default reply.

_unions = st.lists(st.sampled_from(KINDS), min_size=2, max_size=5, unique=True)


def _union(kinds: list[type[Move]]) -> Any:
    joined: Any = kinds[0]
    for kind in kinds[1:]:
        joined = joined | kind
    return Annotated[joined, Field(discriminator="kind")]


@settings(deadline=None)
@given(kinds=st.one_of(st.sampled_from(KINDS), _unions.map(_union)), said=st.text(max_size=20))
def test_the_default_reply_is_a_legal_move(kinds: Any, said: str) -> None:
    body = request_for(kinds, said)
    move = TypeAdapter(kinds).validate_json(default_reply(body))
    assert isinstance(move, Move)
    assert default_reply(body) == default_reply(json.loads(json.dumps(body)))


_bounds = st.tuples(st.integers(-50, 50), st.integers(0, 20)).map(lambda pair: (pair[0], pair[0] + pair[1]))
_fields = st.one_of(
    _bounds.map(lambda b: Annotated[int, Field(ge=b[0], le=b[1])]),
    _bounds.map(lambda b: Annotated[float, Field(ge=b[0], le=b[1])]),
    _bounds.map(lambda b: Annotated[float, Field(gt=b[0], lt=b[1] + 0.5)]),
    st.integers(-9, 9).map(lambda low: Annotated[int, Field(gt=low)]),
    st.integers(-9, 9).map(lambda high: Annotated[float, Field(lt=high)]),
    st.integers(2, 9).map(lambda step: Annotated[int, Field(multiple_of=step, ge=1)]),
    _bounds.map(lambda b: Annotated[str, Field(min_length=abs(b[0]), max_length=abs(b[0]) + 30)]),
    st.lists(st.text(max_size=5), min_size=1, unique=True).map(lambda names: Literal[tuple(names)]),
    st.sampled_from([bool, str, None, int | None, dict[str, int], tuple[int, str], datetime, Quote, Speech | Stop]),
    st.integers(0, 4).map(lambda n: Annotated[list[Quote], Field(min_length=n, max_length=n + 1)]),
    st.integers(0, 4).map(lambda n: Annotated[set[int], Field(min_length=n)]),
    st.just(_union(KINDS)),
)
_models = st.dictionaries(st.sampled_from("abcdef"), st.tuples(_fields, st.booleans()), max_size=6).map(
    lambda fields: create_model("Made", **{name: (kind, ...) for name, (kind, _) in fields.items()})  # type: ignore[call-overload]
)


@settings(max_examples=200, deadline=None)  # building a model takes longer than a deadline on a busy machine
@given(model=_models, said=st.text(max_size=5))
def test_the_default_reply_satisfies_random_schemas(model: type[BaseModel], said: str) -> None:
    model.model_validate_json(default_reply(request_for(model, said)))


@settings(deadline=None)
@given(count=st.integers(2, 80), said=st.text(max_size=10))
def test_probabilities_are_as_many_as_the_schema_says_and_sum_to_one(count: int, said: str) -> None:
    chance = Annotated[float, Field(ge=0, le=1)]
    found = json.loads(
        default_reply(request_for(Annotated[list[chance], Field(min_length=count, max_length=count)], said))
    )
    assert len(found) == count and math.isclose(sum(found), 1, abs_tol=1e-6) and all(0 <= part <= 1 for part in found)


@settings(deadline=None)
@given(text=st.text(max_size=200))
def test_tokens_join_to_the_text(text: str) -> None:
    assert "".join(tokens_of(text)) == text


# Schemas, by example.


class Node(BaseModel):
    text: str
    left: Node | None
    children: list[Node]


class Chain(BaseModel):
    kind: Literal["chain"] = "chain"
    rest: Chain | Leaf


class Leaf(BaseModel):
    kind: Literal["leaf"] = "leaf"
    value: Annotated[int, Field(ge=3, le=3)]


def test_recursive_schemas_end() -> None:
    Node.model_validate_json(default_reply(request_for(Node)))
    Chain.model_validate_json(default_reply(request_for(Chain)))


@pytest.mark.parametrize(
    "schema",
    [
        {"not": {}},
        {"type": "integer", "minimum": 3, "maximum": 2},
        {"type": "string", "pattern": "^q{7}z$"},
        {"$ref": "#/$defs/absent"},
        {"type": "array", "items": {"enum": [1]}, "minItems": 2, "uniqueItems": True},
    ],
)
def test_a_schema_beyond_the_default_reply_says_so(schema: dict[str, Any]) -> None:
    body = {"messages": MESSAGES, "response_format": {"type": "json_schema", "json_schema": {"schema": schema}}}
    with pytest.raises(UsageError, match=r"schema|cannot satisfy"):
        default_reply(body)


def test_a_schema_without_a_finite_value_says_so() -> None:
    endless = {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}
    body = {"messages": MESSAGES, "response_format": {"type": "json_schema", "json_schema": {"schema": endless}}}
    with pytest.raises(UsageError, match="finite"):
        default_reply(body)


def test_without_a_schema_it_fills_the_tags_that_it_is_shown() -> None:
    assert default_reply({"messages": MESSAGES}).startswith("<speech>")
    shown = "Answer as <verdict><probabilities>0.2, 0.3, 0.5</probabilities><text>why</text></verdict>."
    said = default_reply({"messages": [{"role": "system", "content": shown}, *MESSAGES]})
    inner = said.removeprefix("<verdict><probabilities>").partition("</probabilities>")[0]
    parts = [float(part) for part in inner.split(",")]
    assert len(parts) == 3 and math.isclose(sum(parts), 1) and said.endswith("</verdict>") and "<text>" in said


def test_filling_knows_formats_and_bare_schemas() -> None:
    from moot.testing.server.replies import Draw

    draw = Draw({"messages": MESSAGES})
    assert isinstance(fill({}, draw), str) and fill({"type": ["null", "string"]}, draw) is None
    assert fill({"type": "string", "format": "date"}, draw) == "2024-01-01"
    assert fill({"allOf": [{"type": "object", "properties": {"a": {"const": 1}}, "required": ["a"]}]}, draw) == {"a": 1}
