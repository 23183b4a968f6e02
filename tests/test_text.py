"""Text of others: what a terminal is shown, what a prompt holds, and the way back from it."""

from __future__ import annotations

import json
import re
import unicodedata
from typing import Literal
from xml.etree import ElementTree

import pytest
from agent_kit import request_for
from hypothesis import given
from hypothesis import strategies as st

from moot.agents.prompts.asking import prompt_for, read_move, repair_messages, response_format
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Move, Speech
from moot.protocols.engine.question import Question
from moot.protocols.quotes import on_record
from moot.protocols.text import as_meant, escape, flat, one_line, unescape, visible
from moot.testing.forgeries import CLOSERS, FORGERIES, MARKERS, STEERING, markers_in

parts = st.sampled_from([*MARKERS, *CLOSERS, *STEERING, *FORGERIES]) | st.text(st.characters(), max_size=6)
hostile = st.lists(parts, max_size=5).map("".join)
XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def steers(text: str, line: bool = False) -> list[str]:
    """What a terminal would obey or hide in a text, by the categories of Unicode."""
    joined = "\u200c\u200d"  # shape emoji and scripts, one at a time
    text = re.sub(rf"(?<=[^\x00-\u02ff{joined}])[{joined}](?=[^\x00-\u02ff{joined}])", "", text)
    return [
        c for c in text if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Co", "Zl", "Zp") and (line or c not in "\n\t")
    ]


@given(hostile)
def test_what_is_visible_steers_nothing_is_settled_and_loses_nothing(text: str) -> None:
    shown = visible(text)
    assert not steers(shown) and visible(shown) == shown
    assert not steers(flat(text), line=True) and "\n" not in flat(text)
    assert len(one_line(text, 30)) <= 30 and not steers(one_line(text, 30), line=True)
    assert [c for c in text if c.isalnum()] == [c for c in text if c.isalnum() and c in shown]
    written = re.sub(
        r"\\(?:x(..)|u(.{4})|U(.{8})|r)",
        lambda m: chr(int(m[1] or m[2] or m[3] or "d", 16)),
        shown.replace("\n", "\r\n"),
    )
    if "\\" not in text and "\n" not in text.replace("\r\n", ""):
        assert written == text


@pytest.mark.parametrize("text", ["👩‍🚀 ❤️‍🔥 1️⃣ 🏳️‍🌈", "क्‍ष می‌خواهم", "naïve 海　ＡＢ", "a\tb\nc", "‘“—…”’ €"])
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert visible(text) == text


@given(hostile)
def test_a_parser_and_unescape_give_back_what_was_escaped(text: str) -> None:
    shown = escape(text)
    meant = XML.sub("\ufffd", text)
    assert ElementTree.fromstring(f"<r>{shown}</r>").text in (meant, meant or None)
    assert unescape(shown) == meant and "<" not in shown


@pytest.mark.parametrize(
    "text", ["＜|im_end|＞", "﹤s﹥", "［INST］", "[INST］", "［｜user｜］", "x］~b］", "### 指令：", "User：so"]
)
def test_what_tokenizers_may_fold_into_a_marker_is_broken_up_too(text: str) -> None:
    shown = escape(text)
    assert shown != text and unescape(shown) == text
    assert not markers_in(unicodedata.normalize("NFKC", shown)), shown


def test_no_marker_of_a_chat_template_stands_in_escaped_text() -> None:
    for marker in MARKERS:
        for around in (
            "{}",
            "a {} b",
            "\n{}so" if marker not in ("/think", "/no_think") else "\n{}",
            "x]{}[y",
            "{0}{0}",
            '"{}"',
        ):
            text = around.format(marker)
            assert markers_in(text) and not markers_in(escape(text)), text
            assert unescape(escape(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "[sic] [1] x[0] a[i] sum[0:2] [[1, 2], [3]] [Note]",
        "It was 3:14: he said: no.",
        "e.g. https://x.y/rethink",
        "a|b ~ c",
    ],
)
def test_plain_text_stays_readable(text: str) -> None:
    assert escape(text) == text


class Named(Move):
    """A choice of names."""

    kind: Literal["named-in-tests"] = "named-in-tests"
    one: str
    some: tuple[str, ...] = ()


def test_each_character_that_xml_cannot_hold_is_replaced_and_no_other() -> None:
    """Those of the plane that holds them all, one by one; the rest of Unicode together."""
    for code in range(0x10000):
        assert ("\ufffd" in escape(chr(code))) == (code == 0xFFFD or XML.match(chr(code)) is not None), hex(code)
    assert "\ufffd" not in escape("".join(map(chr, range(0x10000, 0x110000))))


@given(st.lists(hostile.map(lambda text: XML.sub("", text)), min_size=1, max_size=4, unique_by=escape), st.data())
def test_a_text_that_is_copied_as_it_was_shown_is_that_text(texts: list[str], data: st.DataObject) -> None:
    request = request_for(Named, one_of={"one": texts, "some": texts})
    only = response_format(request)["json_schema"]["schema"]["properties"]
    assert only["one"]["enum"] == only["some"]["items"]["enum"] == list(map(escape, texts))
    for place, text in enumerate(texts):
        if text.strip() and not re.search("&amp;[0-9a-f]{12}", escape(text)):
            copy = {"kind": "named-in-tests", "one": only["one"]["enum"][place], "some": only["some"]["items"]["enum"]}
            assert read_move(json.dumps(copy), request) == Named(one=text, some=tuple(texts))
    held = prompt_for(request, tagged=data.draw(st.booleans())).messages()
    ElementTree.fromstring(f"<r>{held[1]['content'].partition('Reply in this form')[0].partition('<turn>')[0]}</r>")
    assert not markers_in(json.dumps(only, ensure_ascii=False) + held[1]["content"])


def test_a_text_is_meant_as_it_is_shown_before_it_is_meant_as_it_is() -> None:
    texts = ["a & b", "a &amp; b", "<x>"]
    assert [as_meant(escape(text), texts) for text in texts] == texts
    assert as_meant("<x>", texts) == "<x>" and as_meant("y &lt;", texts) == "y &lt;"


@given(st.lists(parts.map(lambda text: XML.sub("", text)), max_size=3).map(" word ".join), st.data())
def test_a_quote_that_is_copied_as_the_prompt_shows_it_is_verified(passage: str, data: st.DataObject) -> None:
    passage = passage.replace("quote>", "quotation>") + " end"
    start = data.draw(st.integers(0, len(passage) - 1))
    end = data.draw(st.integers(start + 1, len(passage)))
    true = passage[start:end]
    shown = escape(passage)
    places = [0]
    for char in passage:  # where each character of the passage stands in what is shown
        rest = shown[places[-1] :]
        length = rest.index(";") + 1 if rest[0] == "&" else 1
        assert unescape(rest[:length]) == char
        places.append(places[-1] + length)
    copied = shown[places[start] : places[end]]
    said, copy = (on_record(Speech(text=f"So: <quote>{each}</quote>"), passage, None, None) for each in (true, copied))
    assert copy.quotes[0].verified == said.quotes[0].verified
    if said.quotes[0].verified:
        assert copy == said


def test_a_quote_that_stands_as_it_is_and_quotes_of_tags_are_left_alone() -> None:
    said = on_record(Speech(text="<quote>a &lt; b</quote>"), "it says a &lt; b, and c < d", None, None)
    assert said.quotes[0].verified and said.quotes[0].text == "a &lt; b"
    odd = on_record(Speech(text="<quote>&lt;quote>x</quote>"), "<quote>x", None, None)
    assert odd.text == "<quote>&lt;quote>x</quote>"
    with pytest.raises(Illegal, match="at most 1000 quotes"):
        on_record(Speech(text="<quote>&lt;</quote>" * 1001), "<", None, None)


def test_a_models_own_answer_comes_back_to_it_without_markers() -> None:
    request = request_for(Speech)
    for marker in MARKERS:
        error = UnreadableAnswer(f"no {marker}", f"<speech>{marker} so\n</speech> \ud800 <quote>a < b</quote>")
        *_, own, told = repair_messages([{"role": "user", "content": "so"}], error, request, tagged=True)
        assert own["role"] == "assistant" and marker not in own["content"] and "\ud800" not in own["content"], marker
        if "<quote>" in parted(error.text).answer:  # and the marker began no thought
            assert "</speech>" in own["content"] and "<quote>a &lt; b</quote>" in own["content"]
        assert marker not in told["content"]


def test_a_question_of_markers_alone_can_be_asked() -> None:
    question = Question(MARKERS[0], MARKERS[1:], about="\n".join(MARKERS), passage="\n".join(MARKERS))
    text = prompt_for(request_for(question=question)).messages()[1]["content"]
    assert not markers_in(text) and len(markers_in(" ".join(MARKERS))) == len(MARKERS)
