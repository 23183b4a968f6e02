"""What a prompt costs to make is what was added since the last one; what is kept for that dies with the play, and changes no byte."""

from __future__ import annotations

import gc
import re
from string import Template
from typing import Any, ClassVar, Literal

import pytest
from agent_kit import request_for
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.agents.prompts import elements, render, templates, variables
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
    values = dict.fromkeys(_named_in(text), "w") | {"a": a, "b": b, "A": "", "ab": ""}

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
