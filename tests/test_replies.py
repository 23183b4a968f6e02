"""What an agent returned: what is taken for a move, what is refused and why, and how that is written down."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import FAIR, QUESTION

import moot
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.replies import (
    accepted,
    as_data,
    misfit,
    printable,
    recorded,
    shown,
    tolerated,
    typed,
    written,
)
from moot.protocols.engine.steps import AskEffect
from moot.protocols.engine.view import NOTHING

SPEECH = moot.Speech(text="so it is")


def ask(*kinds: type[moot.Move], check: Callable[[Any], moot.Move] | None = None, choices: int = 2) -> AskEffect:
    question = QUESTION.model_copy(update={"choices": QUESTION.choices[:choices]})
    view = moot.View(question, NOTHING)
    return AskEffect("a", kinds, view, {}, check, True, None, None, "supports", 1)


def longer(move: Any) -> Any:
    """A check that alters a short speech and refuses a long one, with which history goes on all the same."""
    if len(move.text) > 9:
        raise Illegal("too long", lambda: longer(moot.Speech(text=move.text[:-4])))
    return moot.Speech(text=f"{move.text}!")


# -- what is a move ------------------------------------------------------------------------------------------------------


def test_the_move_that_was_given_and_the_one_on_the_record() -> None:
    for reply in (SPEECH, {"text": "so it is"}, {"kind": "speech", "text": "so it is"}):
        assert accepted(reply, ask(moot.Speech)) == (SPEECH, SPEECH, written(SPEECH), None)
        given_, move, payload, raw = accepted(reply, ask(moot.Speech, check=longer))
        assert (given_, move.text, json.loads(payload)["text"]) == (SPEECH, "so it is!", "so it is!")  # type: ignore[attr-defined]
        assert raw == written(SPEECH)
        alike = ask(moot.Speech, check=lambda move: moot.Speech(text=move.text))
        assert accepted(reply, alike) == (SPEECH, SPEECH, written(SPEECH), None)
    with pytest.raises(Illegal, match="^too long$"):
        accepted(moot.Speech(text="so it is then"), ask(moot.Speech, check=longer))


@pytest.mark.parametrize(("count", "choices", "fits"), [(2, 2, True), (3, 2, False), (2, 3, False), (3, 0, True)])
def test_a_verdict_is_over_the_choices_that_were_shown(count: int, choices: int, fits: bool) -> None:
    verdict = moot.Verdict(probabilities=(1.0, *[0.0] * (count - 1)))
    why = None if fits else f"the verdict has {count} probabilities for {choices} choices"
    assert misfit(verdict, choices) == why


def test_a_verdict_over_others_is_refused_before_any_check_sees_it() -> None:
    seen: list[moot.Move] = []
    asked = ask(moot.Verdict, check=lambda move: seen.append(move) or move)  # type: ignore[func-returns-value]
    for take in (accepted, tolerated):
        with pytest.raises(Illegal, match="the verdict has 3 probabilities for 2 choices"):
            take({"probabilities": [1, 0, 0]}, asked)
    assert seen == []
    assert accepted(FAIR, asked)[1] == FAIR == seen[0]


@pytest.mark.parametrize(
    ("reply", "kinds", "says"),
    [
        ({"kind": "verdict", "text": "x"}, (moot.Speech,), "kind 'verdict' was given where a Speech was asked for"),
        ({"text": 3}, (moot.Speech,), "not a Speech: text: "),
        ({"kind": "speech", "text": 3}, (moot.Speech, moot.Answer), "not a Speech or Answer: text: "),
        ({"text": "x"}, (moot.Speech, moot.Answer), "kind None was given where a Speech or Answer was asked for"),
        ("so it is", (moot.Speech,), "a str was given where a Speech was asked for"),
        (FAIR, (moot.Speech, moot.Answer), "a Verdict was given where a Speech or Answer was asked for"),
        (moot.Speech.model_construct(text=3), (moot.Speech,), "not a Speech: text: "),
        (SPEECH.model_copy(update={"text": 3}), (moot.Answer, moot.Speech), "not a Speech: text: "),
    ],
)
def test_what_is_no_move_that_was_asked_for_is_refused_with_the_reason(reply: Any, kinds: Any, says: str) -> None:
    with pytest.raises(Illegal) as refused:
        typed(reply, kinds)
    assert str(refused.value).startswith(says)


@pytest.mark.parametrize(
    ("reply", "kinds", "move"),
    [
        ({"text": "so it is"}, (moot.Speech,), SPEECH),
        ({"kind": "speech", "text": "so it is"}, (moot.Answer, moot.Speech), SPEECH),
        ({"kind": "answer", "choice": 1}, (moot.Answer, moot.Speech), moot.Answer(choice=1)),
        (SPEECH, (moot.Answer, moot.Speech), SPEECH),
    ],
)
def test_what_is_one_of_the_moves_asked_for_is_taken(reply: Any, kinds: Any, move: moot.Move) -> None:
    assert typed(reply, kinds) == move and type(typed(reply, kinds)) is type(move)
    if isinstance(reply, dict):

        class Named(dict[str, Any]):
            """As some clients give one."""

        assert typed(Named(reply), kinds) == move


# -- history: what another system accepted -------------------------------------------------------------------------------


def test_history_goes_on_with_what_breaks_rules_and_says_which() -> None:
    assert tolerated(SPEECH, ask(moot.Speech)) == (SPEECH, SPEECH, written(SPEECH), "")
    long = moot.Speech(text="so it is, they said")
    given_, move, payload, rules = tolerated(long, ask(moot.Speech, check=longer))
    assert (given_, move.text, json.loads(payload)["text"]) == (long, "so it i!", "so it i!")  # type: ignore[attr-defined]
    assert rules == "too long; too long; too long"


def test_history_ends_where_the_play_cannot_go_on() -> None:
    def never(move: Any) -> Any:
        raise Illegal("there is no such choice")

    def always(move: Any) -> Any:
        raise Illegal("again", lambda: always(move))

    with pytest.raises(Illegal, match="there is no such choice"):
        tolerated(SPEECH, ask(moot.Speech, check=never))
    with pytest.raises(Illegal, match="again"):
        tolerated(SPEECH, ask(moot.Speech, check=always))
    count: list[int] = []

    def at_last(move: Any) -> Any:
        count.append(1)
        if len(count) > 9:
            return move
        raise Illegal("again", lambda: at_last(move))

    assert tolerated(SPEECH, ask(moot.Speech, check=at_last))[3] == "; ".join(["again"] * 9)


def test_history_takes_the_one_nearest_move_of_data_that_are_none() -> None:
    data = {"probabilities": [3, 1]}
    given_, move, _, rules = tolerated(data, ask(moot.Verdict))
    assert (given_, move) == (data, moot.Verdict(probabilities=(0.75, 0.25))) and "not a Verdict" in rules
    given_, move, _, rules = tolerated(data, ask(moot.Speech, moot.Verdict))
    assert move == moot.Verdict(probabilities=(0.75, 0.25)) and rules.startswith("kind None")
    for reply, kinds in (({"text": 3}, (moot.Speech,)), (7, (moot.Verdict,)), (data, (moot.Verdict, moot.Price))):
        with pytest.raises(Illegal):
            tolerated(reply, ask(*kinds))


# -- what is written down ------------------------------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats() | st.text(st.characters(), max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3), max_leaves=8,
)  # fmt: skip


class Mute:
    def __repr__(self) -> str:
        raise KeyboardInterrupt


@given(JSON | st.builds(object) | st.binary(max_size=4) | st.dictionaries(st.integers(), st.builds(Mute), max_size=2))
def test_anything_is_written_down_as_json_and_the_same_again(value: Any) -> None:
    data = as_data(value)
    text = json.dumps(data, allow_nan=False)
    text.encode("utf-8")
    assert as_data(json.loads(text)) == data

    def plain(value: Any) -> bool:
        inside = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else None
        if inside is not None:
            return all(map(plain, inside))
        return not isinstance(value, float) and (not isinstance(value, str) or value.isprintable())

    if plain(value) and not isinstance(value, (bytes, object().__class__)) or value is None:
        assert data == value


def test_what_has_no_json_form_is_written_down_part_by_part() -> None:
    circle: list[Any] = [1]
    circle.append(circle)
    assert as_data({"a": ["\\ud800", math.inf, 2.5, Mute()], 3: "x"})["a"] == [
        "\\ud800",
        "inf",
        2.5,
        "<Mute, which has no repr>",
    ]
    assert as_data({"a": Mute(), 3: "x"}) == {"a": "<Mute, which has no repr>", "3": "x"}
    assert as_data((Mute(), (1, "\ud800"))) == ["<Mute, which has no repr>", [1, "\\ud800"]]
    assert as_data(circle)[0] == 1 and isinstance(as_data(circle)[1], str)
    assert as_data(Mute()) == {"repr": "<Mute, which has no repr>"}
    assert as_data("\ud800x") == "\\ud800x" == printable("\ud800x") and printable("é x") == "é x"
    deep: Any = Mute()
    for _ in range(60):
        deep = [deep]
    json.dumps(as_data(deep))


def test_a_repr_is_shortened_and_can_be_written() -> None:
    class Long:
        def __repr__(self) -> str:
            return "\ud800" + "x" * 5000

    assert shown(Long()) == "\\ud800" + "x" * 1999 and shown(Mute()) == "<Mute, which has no repr>"


def test_what_is_recorded_of_an_illegal_reply_breaks_a_rule_again() -> None:
    """Replay is given what was recorded, and must find it illegal too."""
    asked = ask(moot.Speech, check=longer)
    for reply in ("so", Mute(), {"text": 3}, {"text": "so it is then"}, FAIR, moot.Speech(text="so it is then")):
        with pytest.raises(Illegal) as first:
            accepted(reply, asked)
        form, rule = recorded(reply, asked, str(first.value))
        assert form == as_data(reply)
        with pytest.raises(Illegal) as again:
            accepted(form, asked)
        assert rule == printable(str(again.value))
    lonely = moot.Speech.model_construct(text="\ud800")
    form, rule = recorded(lonely, ask(moot.Speech), "lone")
    with pytest.raises(Illegal):
        accepted(form, ask(moot.Speech))
    assert form == {"repr": shown(lonely)} and "not a Speech" in rule


class Wordy(moot.Move):
    """A move that a text alone makes, be it a repr."""

    kind: Literal["wordy"] = "wordy"
    text: str = ""
    repr: str = ""


def test_a_rule_that_no_form_breaks_is_told_as_it_was() -> None:
    asked, data = ask(Wordy), {"text": "x"}
    assert accepted({"repr": "y"}, asked)[1] == Wordy(repr="y")
    assert recorded(data, asked, "not the first time \ud800") == (data, "not the first time \\ud800")


# -- at the edges --------------------------------------------------------------------------------------------------------


class Anything(moot.Move):
    kind: Literal["anything in-a-test"] = "anything in-a-test"
    what: Any = None


class Odd(moot.Speech):
    """A speech, and something that has no JSON form."""

    kind: Literal["odd in-a-test"] = "odd in-a-test"  # type: ignore[assignment]
    what: Any = None


def test_what_has_no_json_form_is_recorded_as_it_looks_and_as_no_kind() -> None:
    form, rule = recorded(Odd(text="so", what=object()), ask(moot.Speech), "?")
    assert set(form) == {"repr"} and "Odd" in form["repr"] and rule.startswith("kind None was given") is False
    kept, _ = recorded(Odd(text="so", what=1), ask(moot.Speech), "?")
    assert kept["kind"] == "speech" and kept["what"] == 1, "what is wrong with it as the kind that it was taken for"


def test_a_subclass_is_taken_for_the_kind_asked_for_and_a_further_field_is_named() -> None:
    class Loud(moot.Speech):
        kind: Literal["loud in-a-test"] = "loud in-a-test"  # type: ignore[assignment]

    assert type(typed(Loud(text="so it is"), (moot.Speech,))) is moot.Speech
    assert typed(Loud(text="so it is"), (moot.Speech,)) == SPEECH
    with pytest.raises(Illegal, match="which has no field 'what': give a Speech"):
        typed(Odd(text="so it is", what=1), (moot.Speech,))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_finite_number_is_written_as_it_looks(number: float) -> None:
    assert as_data(number) == {"repr": repr(number)}
    assert as_data({"x": [number, 1]}) == {"x": [repr(number), 1]}


def test_fifty_levels_of_what_is_no_json_are_kept() -> None:
    nested: Any = object()
    for _ in range(60):
        nested = [nested]
    found, levels = as_data(nested), 0
    while isinstance(found, list):
        (found,), levels = found, levels + 1
    assert levels == 50 and isinstance(found, str) and found.startswith("[[[")


def test_a_move_that_cannot_be_written_is_illegal() -> None:
    with pytest.raises(Illegal, match="not a Anything: it cannot be written as JSON"):
        written(Anything.model_construct(what=object()))
