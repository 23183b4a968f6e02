"""The forms of answers, as schemas and in words; `test_answers.py` has how they are read."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import pytest
from agent_kit import request_for
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field

from moot.agents.prompts.forms import Form
from moot.agents.prompts.reading import read
from moot.agents.prompts.schemas import distributions
from moot.protocols.amplification.moves import Subquestions
from moot.protocols.engine.moves import Answer, Ask, Asked, Move, Speech, Stop, Verdict
from moot.protocols.engine.values.quoting import unquoted
from moot.protocols.text import escape, unescape


@given(st.text().filter(str.strip))
def test_a_speech_comes_through_json_and_tags_as_it_was(text: str) -> None:
    form = Form((Speech,), 2)
    meant = unquoted(text, unescape)  # no other than the text, unless it holds what a prompt writes for a sign
    assert read(form, json.dumps({"kind": "speech", "text": text})) == Speech(text=meant)
    assert read(form, f"<speech>{text}</speech>") == Speech(text=meant.strip())


@given(st.text("ab&<>;lt#91[ ", max_size=30), st.booleans())
def test_words_copied_as_a_prompt_shows_them_are_what_they_stand_for(text: str, tagged: bool) -> None:
    """However often a text is shown and copied, it stays what it was; so does what a model writes itself, and a quote."""
    said, form = f"so: {text} & <b> &amp; [x]", Form((Speech,), 2)
    for _ in range(3):
        shown = escape(said)
        answer = f"<speech>{shown}</speech>" if tagged else json.dumps({"kind": "speech", "text": shown})
        assert read(form, answer, tagged=tagged) == Speech(text=said)
    answer = json.dumps({"kind": "speech", "text": "AT&T; 3 < 4 & <quote>a &amp; b</quote>"})
    assert read(form, answer) == Speech(text="AT&T; 3 < 4 & <quote>a &amp; b</quote>")


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
    assert read(Form(kinds, 2), text) == move


@pytest.mark.parametrize(
    ("kinds", "text", "move"),
    [
        ((Bid,), "<bid><amount>3</amount><open>yes</open></bid>", Bid(amount=3, open=True)),
        ((Bid,), "<bid><amount>1</amount><open>FALSE</open></bid>", Bid(amount=1)),
        ((Answer,), "<answer><text>x</text><choice>2</choice></answer>", Answer(choice=1, text="x")),
        ((Stop,), "I say <stop><stop>no</stop></stop>", Stop(stop=False)),
        ((Ask,), "<ask><text>Why?</text><to>b</to></ask>", Ask(text="Why?", to="b")),
        *(
            ((Ask,), f"<ask><text>Why?</text><to>{none}</to></ask>", Ask(text="Why?"))
            for none in ("", "null", "None", "all")
        ),
        ((Verdict,), "<verdict><probabilities>20%, 80%</probabilities></verdict>", Verdict(probabilities=(0.2, 0.8))),
    ],
)
def test_tagged_forms(kinds: tuple[type[Move], ...], text: str, move: Move) -> None:
    assert read(Form(kinds, 2), text, tagged=True) == move


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


@pytest.mark.parametrize("count", range(2, 12))
def test_a_grammar_can_only_give_probabilities_that_sum_to_1(count: int) -> None:
    form = Form((Verdict,), count, length=200)
    allowed = form.schema(Verdict)["properties"]["probabilities"]["enum"]
    assert allowed == distributions(count)["enum"] and 10 < len(allowed) < 200
    made = [read(form, json.dumps({"text": "", "probabilities": each})) for each in allowed]
    assert len({move.probabilities for move in made if isinstance(move, Verdict)}) == len(allowed)
    assert {max(each, key=each.get) for each in allowed} == {str(i) for i in range(1, count + 1)}, "any answer can win"


# -- every sort of field -----------------------------------------------------------------------------------------------


class Note(BaseModel):
    """An entry of a list."""

    model_config = ConfigDict(frozen=True)
    id: str
    sum: int


class AllSorts(Move):
    kind: Literal["all.sorts in-a-test"] = "all.sorts in-a-test"
    said: str
    sure: bool
    share: float
    why: Annotated[str, Asked("your reasons")]
    way: Literal["left", "right"]
    numbers: tuple[float, ...]
    words: tuple[str, ...]
    notes: tuple[Note, ...]
    maybe: str | None
    other: int | None
    pairs: dict[str, int]
    to: Annotated[str | None, Asked("a seat", among="seats", none="all")]
    best: Annotated[int, Asked(choices="number")]
    odds: Annotated[tuple[float, ...], Asked(choices="shares")]
    claim: Annotated[str, Asked("an answer", choices="text")]
    door: str
    few: tuple[str, ...]
    gate: int
    late: Annotated[int, Asked("never asked", when=lambda brief: "late" in brief)] = 0


TOLD: dict[str, Any] = {
    "seats": ["a", "b<c>"], "one_of": {"door": ["x", "é<z>"], "few": ["p", "q"]}, "most": {"few": 3}, "least": {"few": 1},
    "below": {"gate": 7},
}  # fmt: skip
SORTS = {
    "said": "your words", "sure": "true or false", "share": "a number", "why": "your reasons", "way": 'one of "left", "right"',
    "numbers": "a JSON list of numbers", "words": "a list of texts", "notes": 'a JSON list of objects, each with "id", "sum"',
    "maybe": "your words, or null", "other": "JSON", "pairs": "JSON", "to": "a or b&lt;c>, or null for all", "best": "1 to 3",
    "odds": 'an object with one number for each of "1", "2", "3"', "claim": "an answer", "door": 'one of "x", "é&lt;z>"',
    "few": 'a JSON list of some of "p", "q"', "gate": "a whole number from 0 to 6",
}  # fmt: skip
TAGGED = {**SORTS, "odds": "number for answer 1, number for answer 2, number for answer 3"}


def test_the_form_in_words_says_of_every_field_what_belongs_there() -> None:
    form = Form((AllSorts,), 3, TOLD)
    fields = ", ".join(f'"{name}" is {words}' for name, words in SORTS.items())
    as_object = f'"kind" is "all.sorts in-a-test", {fields}'
    assert form.told(False) == f"Reply with one JSON object: {as_object}."
    inner = "".join(f"<{name}>{words}</{name}>" for name, words in TAGGED.items())
    example = f"<all_sorts_in_a_test>{inner}</all_sorts_in_a_test>"
    assert form.told(True) == f"Reply in this form, with nothing before or after it:\n{example}"
    both = Form((AllSorts, Speech), 3, TOLD, plain=True)
    assert both.told(False) == (
        'Reply with one JSON object that holds one field, "move", with one of these objects:\n'
        f'- {as_object}\n- "kind" is "speech", "text" is what you say'
    )
    either = f"Reply in one of these forms, with nothing before or after it:\n{example}\n<speech>your words</speech>"
    assert both.told(True) == either
    assert both.tags() == ["all_sorts_in_a_test", "speech", *SORTS, "text", "quote"]
    bare = Form((Speech,), 3, plain=True)
    assert bare.told(True) == bare.told(False) == "Reply with your speech and nothing else."
    open_question = Form((AllSorts,), 0).told(False)
    for words in (
        '"best" is a number',
        '"odds" is a JSON list of numbers',
        '"to" is a seat, or null for all',
        '"gate" is a whole number.',
    ):
        assert words in open_question


TEXT, LIST = {"type": "string"}, {"type": "array", "items": {"type": "string"}}
NOTE = {"type": "object", "properties": {"id": TEXT, "sum": {"type": "integer"}}, "required": ["id", "sum"], "additionalProperties": False}  # fmt: skip
NULL, NUMBER = {"type": "null"}, {"type": "number"}
SCHEMAS: dict[str, Any] = {
    "kind": {"type": "string", "enum": ["all.sorts in-a-test"]}, "said": TEXT, "sure": {"type": "boolean"}, "share": NUMBER, "why": TEXT,
    "way": {"type": "string", "enum": ["left", "right"]}, "numbers": {"type": "array", "items": NUMBER}, "words": LIST,
    "notes": {"type": "array", "items": {"$ref": "#/$defs/Note"}}, "maybe": {"anyOf": [TEXT, NULL]},
    "other": {"anyOf": [{"type": "integer"}, NULL]}, "pairs": {"type": "object", "additionalProperties": {"type": "integer"}},
    "to": {"anyOf": [{"type": "string", "enum": ["a", "b&lt;c>"]}, NULL]}, "best": {"type": "integer", "enum": [1, 2, 3]},
    "odds": {"type": "object", "properties": {"1": NUMBER, "2": NUMBER, "3": NUMBER}, "required": ["1", "2", "3"], "additionalProperties": False},
    "claim": TEXT, "door": {"type": "string", "enum": ["x", "é&lt;z>"]},
    "few": {"type": "array", "items": {"type": "string", "enum": ["p", "q"]}, "maxItems": 3, "minItems": 1},
    "gate": {"type": "integer", "minimum": 0, "maximum": 6},
}  # fmt: skip


def test_the_schema_says_of_every_field_what_belongs_there() -> None:
    form = Form((AllSorts,), 3, TOLD)
    whole = {
        "type": "object", "properties": SCHEMAS, "required": list(SCHEMAS), "additionalProperties": False,
        "$defs": {"Note": NOTE},
    }  # fmt: skip
    for _ in range(2):  # what is kept of a kind is not changed by a form
        assert form.schema(AllSorts) == whole
        made = form.response_format()
        assert made == {
            "type": "json_schema", "json_schema": {"name": "all_sorts_in-a-test", "strict": True, "schema": whole},
        }  # fmt: skip
    both = Form((AllSorts, Speech), 3, TOLD).response_format()["json_schema"]
    assert (both["name"], both["strict"], both["schema"]["$defs"]) == ("move", True, {"Note": NOTE})
    speech = both["schema"]["properties"]["move"]["anyOf"][1]
    assert list(speech["properties"]) == ["kind", "text"] and "$defs" not in speech
    assert "$defs" not in Form((Speech,), 3).schema(Speech)
    assert "$defs" not in Form((Speech, Stop), 3).response_format()["json_schema"]["schema"]
    open_question = Form((AllSorts,), 0).schema(AllSorts)["properties"]
    assert (open_question["best"], open_question["odds"]["type"]) == ({"type": "integer"}, "array")
    assert (open_question["to"], open_question["gate"]) == ({"anyOf": [TEXT, NULL]}, {"type": "integer"})


def test_a_name_that_endpoints_would_refuse_is_made_one_that_they_take() -> None:
    class Long(Move):
        kind: Literal["long-long-long-long-long-long-long-long-long-long-long-long-long-long"] = (
            "long-long-long-long-long-long-long-long-long-long-long-long-long-long"
        )

    assert Form((Long,)).response_format()["json_schema"]["name"] == ("long-" * 13)[:64]


class Two(Move):
    kind: Literal["two-texts"] = "two-texts"
    a: Annotated[str, Field(max_length=300)]
    b: str
    notes: tuple[Note, ...] = ()
    sure: bool = False
    way: Literal["left", "right"] = "left"
    door: Annotated[str | None, Asked(among="doors", none="any")] = None
    claim: Annotated[str, Asked(choices="text")] = ""
    best: Annotated[int, Asked(choices="number")] = 0


class Pair(Move):
    kind: Literal["pair-of-texts"] = "pair-of-texts"
    a: str
    b: str


def test_the_texts_of_a_move_fit_together_into_what_a_small_model_may_write() -> None:
    """There are four of unknown length here, the list among them."""
    for length, share, inside in ((800, 200, 50), (84, 21, 20), (40, 20, 20)):
        schema = Form((Two,), 2, {"doors": ["x", "y"]}, length=length).schema(Two)
        fields = schema["properties"]
        assert [fields[name]["maxLength"] for name in ("a", "b", "claim")] == [share] * 3
        assert fields["door"] == {"anyOf": [{"type": "string", "enum": ["x", "y"]}, NULL]}
        assert Form((Two,), 0, {}, length).schema(Two)["properties"]["b"]["maxLength"] == share
        assert schema["$defs"]["Note"]["properties"]["id"]["maxLength"] == inside
    assert Form((Speech,), 2, length=10).schema(Speech)["properties"]["text"]["maxLength"] == 10
    both = Form((Pair,), length=800).schema(Pair)["properties"]
    assert both["a"]["maxLength"] == both["b"]["maxLength"] == 400
    assert [Form((Two,), length=length).schema(Two)["properties"]["a"].get("maxLength") for length in (None, 4000)] == [
        None,
        300,
    ]


@pytest.mark.parametrize(
    ("kinds", "plain", "room", "brief", "length"),
    [
        ((Speech,), False, None, {"limit": {"chars": 50}}, None), ((Speech,), False, 200, {}, 200),
        ((Speech,), False, 200, {"limit": {"chars": 50}}, 50), ((Speech,), False, 200, {"limit": {"chars": 500}}, 200),
        ((Speech,), False, 200, {"limit": {"words": 5}}, 200), ((Speech,), True, 200, {"limit": {"chars": 500}}, 500),
        ((Speech,), True, 200, {}, None), ((Verdict,), True, 200, {}, 200), ((Speech, Stop), True, 200, {}, 200),
    ],
)  # fmt: skip
def test_how_long_an_answer_may_be(kinds: Any, plain: bool, room: int | None, brief: Any, length: int | None) -> None:
    form = Form.of(request_for(*kinds, **brief), room, plain)
    assert (form.length, form.plain, form.kinds, form.brief) == (length, plain, kinds, brief)
    assert form.choices == len(form.named) == 2
    assert Form.of(request_for(Speech)) == Form((Speech,), 2, {}, None, False, form.named) != Form((Speech,))
    assert Form((Speech,)) == Form((Speech,), 0, {}, None, False, ())


@pytest.mark.parametrize("shown", ["b<c>", "b&lt;c>", "b&lt;c&gt;"])
def test_a_text_is_read_as_the_prompt_shows_it_or_as_it_is(shown: str) -> None:
    def read_(name: str, value: Any, **told: Any) -> Any:
        form = Form((Two,), 2, told, named=("b<c>", "d"))
        given_ = {"kind": "two-texts", "a": "a", "b": "b", "best": 1, name: value}
        return getattr(read(form, json.dumps(given_)), name)

    assert read_("door", shown, doors=["a", "b<c>"]) == "b<c>"
    assert read_("claim", shown) == "b<c>" and read_("claim", "&lt;x>") == "&lt;x>"
    assert read_("a", shown) == "b<c>" and read_("a", shown, one_of={"a": ["b<c>"]}) == "b<c>"
    few = Form((AllSorts,), 2, {"one_of": {"few": ["b<c>"]}})
    assert few.meant("few", Asked(), [shown, "x"]) == ["b<c>", "x"] and few.meant("words", Asked(), [shown]) == ["b<c>"]


def test_how_long_a_list_must_be_is_said_in_words_too() -> None:
    """Some models are asked without a schema, and can know it from nowhere else."""
    words = {name: Form((kind,), 2).told(False) for name, kind in (("one", Subquestions), ("any", Speech))}
    assert '"questions" is a list of 1 or more texts' in words["one"] and "or more" not in words["any"]
    asked = Form((Subquestions,), 2, {"least": {"questions": 3}}).told(False)
    assert "a list of 3 or more texts" in asked
    assert "or more" not in Form((Subquestions,), 2, {"least": {"questions": 2}, "most": {"questions": 2}}).told(False)
