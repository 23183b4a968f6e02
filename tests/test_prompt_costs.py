"""What a prompt costs to make is what was added since the last one; what is kept for that dies with the play, and changes no byte."""

from __future__ import annotations

import dataclasses
import gc
import json
import re
from pathlib import Path
from string import Template
from typing import Any, ClassVar, Literal

import pytest
from agent_kit import request_for
from hypothesis import example, given
from hypothesis import strategies as st

import moot
from moot.agents.prompts import elements, forms, render, templates, thinking, variables
from moot.agents.prompts.elements import statement
from moot.agents.prompts.kept import Kept
from moot.agents.prompts.templates import Templates, _named_in, _pieces
from moot.protocols.engine.log import NOTHING, Entry
from moot.protocols.engine.moves import Move, Speech
from moot.protocols.text import _escaped, escape
from moot.testing.golden import puppet

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="It sank in a storm. " * 9)


class Counting(Speech):
    """A speech that counts how often it is put into words."""

    bodies: ClassVar[list[str]] = []
    kind: Literal["counting"] = "counting"  # type: ignore[assignment]

    def prompt_body(self) -> Any:
        self.bodies.append(self.text)
        return super().prompt_body()


@pytest.mark.parametrize("said", [10, 300])
@pytest.mark.parametrize("source", ["all", "none"])
def test_a_prompt_puts_into_words_what_was_added_and_no_more(said: int, source: str) -> None:
    log = NOTHING
    for number in range(said):
        log = log.then(Entry(str(number), "ab"[number % 2], Counting(text=f"{number}")))
    moot.prompt_for(request_for(log=log, question=QUESTION, source=source))
    for number in range(3):
        Counting.bodies.clear()
        log = log.then(Entry(f"{said}.{number}", "a", Counting(text="new")))
        prompt = moot.prompt_for(request_for(log=log, question=QUESTION, source=source))
        assert Counting.bodies == ["new"] and prompt.record.count("<statement") == said + number + 1


def test_a_system_message_is_made_once_a_seat(monkeypatch: pytest.MonkeyPatch) -> None:
    made = list[Any]()

    def counted(request: Any) -> Any:
        made.append((request.seat, request.facts))
        return found(request)

    found = variables.of_system
    monkeypatch.setattr(render, "of_system", counted)
    own, systems = Templates(), dict[str, set[str]]()

    def seat(request: Any) -> Any:
        systems.setdefault(request.seat, set()).add(moot.prompt_for(request, templates=own).system)
        return puppet(request)

    for _ in range(2):  # in another play they are other facts
        moot.run(moot.Debate(rounds=4), QUESTION, dict.fromkeys(("a", "b", "judge"), seat), seed=1)
    assert sorted(name for name, _ in made) == ["a", "a", "b", "b", "judge", "judge"]
    assert all(len(each) == 1 for each in systems.values())


def test_nothing_is_kept_of_a_play_that_is_over() -> None:
    def seat(request: Any) -> Any:
        moot.prompt_for(request)
        return puppet(request)

    def play() -> None:
        moot.run(moot.Debate(rounds=3), QUESTION, dict.fromkeys(("a", "b", "judge"), seat), seed=1)
        gc.collect()

    play()
    before = [len(each._kept) for each in (elements, render, templates)]
    play()
    assert [len(each._kept) for each in (elements, render, templates)] == before


def test_what_is_equal_is_not_the_same() -> None:
    class Sum(Move):
        kind: Literal["sum_of_a_test"] = "sum_of_a_test"
        what: Any

    texts = [statement(Entry("0", "a", Sum(what=what))) for what in (1, 1.0, True)]
    assert Sum(what=1) == Sum(what=1.0) == Sum(what=True) and len(set(texts)) == 3
    one = Sum(what=1)
    assert statement(Entry("0", "a", one)) != statement(Entry("1", "a", one)) != statement(Entry("1", "b", one))


def test_what_is_kept_dies_with_what_it_was_made_of() -> None:
    kept = Kept()
    for number in range(100):
        move = Speech(text=str(number))
        assert not kept.of(move)  # also where the place in memory is another's that is gone
        kept.of(move)["text"] = number
        assert kept.of(move) == {"text": number}
    del move
    assert len(kept) == 0 and not kept.of(1) and len(kept) == 0


# -- no byte changes ---------------------------------------------------------------------------------------------------

_BLANK = re.compile(r"(?<!\$)\$(?:\{(\w+)\}|(\w+)) ?")
PIECE = st.sampled_from(["$a", "$b ", "${a} ", "${ab}", "$$", "$$a", "$ab", " ", "\n", "x", "$a ", "$A", "_", "1"])


@given(st.lists(PIECE).map("".join), st.sampled_from(["", "1", "$a"]), st.sampled_from(["", " "]))
def test_a_template_in_pieces_says_what_the_template_says(text: str, a: str, b: str) -> None:
    values = dict.fromkeys(_named_in(text)[0], "w") | {"a": a, "b": b, "A": "", "ab": ""}

    def spared(
        found: re.Match[str],
    ) -> str:  # with braces, so that what is left out joins no name to the words behind it
        name = found[1] or found[2]
        return "" if values[name] == "" else f"${{{name}}}{' ' * found[0].endswith(' ')}"

    said = []
    for words, name, blank in _pieces(text):
        value = values[name] if name else ""
        said.append(f"{words}{value}{blank if value else ''}")
    assert "".join(said) == Template(_BLANK.sub(spared, text)).substitute(values)


@given(st.text() | st.text("aA &<>[]:#/|\r\n\x0b\"'?!_-~thinkUSER\uff1a", max_size=40))
def test_plain_text_is_escaped_to_itself_where_it_would_be_anyway(text: str) -> None:
    assert escape(text) == _escaped(text)


# -- work, counted -----------------------------------------------------------------------------------------------------


def _debated(rounds: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many statements are written for the prompts of a debate, each of which is what it is without all that is kept."""
    written = list[Entry]()

    def counted(entry: Entry, marks: bool = True) -> str:
        written.append(entry)
        return statement(entry, marks)

    own = Templates()

    def seat(request: Any) -> Any:
        prompt = moot.prompt_for(request, templates=own)
        read = request.budget.reads
        opened = [entry.move.cost("characters") for entry in request.view]
        assert read == sum(opened) + len(QUESTION.passage or "") * (request.view.source == "all")
        apart = [statement(entry, request.view.has_passage) for entry in request.view]
        assert prompt.record == "".join([elements._head(request.view.question), *apart])
        return puppet(request)

    with monkeypatch.context() as patched:
        patched.setattr(elements, "statement", counted)
        play = moot.run(moot.Debate(rounds=rounds), QUESTION, dict.fromkeys(("a", "b", "judge"), seat), seed=1)
    assert isinstance(play.outcome, moot.Decided), play.outcome
    return len(written)


def test_what_is_written_in_a_debate_grows_as_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = (_debated(rounds, monkeypatch) for rounds in (25, 100))
    assert few <= 3 * 2 * 25 and many <= 3 * 2 * 100  # for three readers, each of two speeches a round once


def test_a_record_goes_on_from_the_very_same_statements_and_question_alone() -> None:
    said = [Entry(str(number), "a", Speech(text=f"{number}")) for number in range(3)]
    last = elements.record(QUESTION, said[:2])
    assert last.begins(QUESTION, said, True)
    equal = [Entry(*each) for each in said]
    assert equal == said and not last.begins(QUESTION, equal, True)  # 1 and 1.0 are equal, and read differently
    other = Entry("0", "b", Speech(text="0"))
    for question, entries, marks in (
        (QUESTION, [other, *said[1:]], True), (QUESTION, said[:1], True), (QUESTION, said[::-1], True), (QUESTION, said, False),
        (QUESTION.model_copy(update={"text": "Who?"}), said, True),
    ):  # fmt: skip
        assert not last.begins(question, entries, marks)
        assert elements.record(question, entries, marks, last).text == elements.record(question, entries, marks).text


def test_no_variable_is_put_into_words_that_no_template_uses(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    used = list[str]()

    def counted(name: str, make: Any) -> Any:
        def made(turn: Any) -> str:
            used.append(name)
            return make(turn)  # type: ignore[no-any-return]

        return made

    monkeypatch.setattr(variables, "_OF_TURN", {name: counted(name, make) for name, make in variables._OF_TURN.items()})
    (tmp_path / "turn.txt").write_text("$kinds $kinds $round")
    request = request_for(question=QUESTION)
    moot.prompt_for(request, templates=Templates(tmp_path))
    assert sorted(used) == ["kinds", "limits", "problem", "round"]  # two are the tail's
    told = variables.of_turn(request, [], "form", variables.of_system(request), {"kinds": "mine"})
    assert set(told) == variables.KNOWN and len(told) == len(variables.KNOWN) and told["kinds"] == "mine"
    with pytest.raises(KeyError, match="detail_x"):
        told["detail_x"]


def test_a_form_is_made_once_for_all_turns_that_ask_alike() -> None:
    three = QUESTION.model_copy(update={"choices": ("x", "y", "z")})
    of = [forms.Form.of(request_for(moot.Verdict, question=question)) for question in (QUESTION, QUESTION, three)]
    made = list(map(forms.format_of, of))
    assert made[0] is made[1] and made[0] != made[2] == of[2].response_format()
    assert list(map(forms.characters_of, made)) == [len(json.dumps(each.response_format())) for each in of]
    assert of[0].response_format() is not of[0].response_format()  # what is given to others is theirs to change
    for brief in ({"least": {"probabilities": 1}}, {"one_of": {"probabilities": ["1"]}}):
        bounded = dataclasses.replace(of[0], brief=brief)
        assert forms.format_of(bounded) == bounded.response_format() and forms.format_of(bounded) is not made[0]
        assert forms.told_of(bounded, True) == bounded.told(True)
    for most in range(1, 3 * forms._MANY):
        forms.told_of(dataclasses.replace(of[0], thinking=most), False)
        assert len(forms._once_made) <= forms._MANY


MARKED = st.lists(
    st.sampled_from(["analysis", "Analysis", "HERE is my thought process:", "here's my response:", "ASSISTANTfinal", "assi\u017ftantfinal",
                     "<think>", "</think>", "[THINK]", "x", "A", " ", "\n", "\u0130", "\u25c1think\u25b7"])
).map("".join)  # fmt: skip


@given(MARKED | st.text())
@example("analysisTo be brief.")
@example("It sank. assistantfinalYes.")
@example("Here is my thought process: it sank. Here is my response: Yes.")
def test_a_text_without_marks_is_parted_as_any(text: str) -> None:
    assert thinking.parted(text) == thinking._parted(text.lstrip(), ())
