"""Quotes: what stands in the passage is verified there, what does not is not, whatever the text."""

from __future__ import annotations

import sys
import time

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.moves import Quote, Speech
from moot.protocols.engine.values.quoting import Segment, segments
from moot.protocols.quotes import GAP, MOST_PIECES, normalise, on_record, verify

# Ordinary text and every trap: case mappings that change length, marks, symbols, invisible and typographic characters.
traps = st.sampled_from(
    "ßİıŉǰΐﬁﬀſKéé́ΣσςªNn.,;:!?'\"“”‘’«»–—−-…*_`´<>+=$%&@#\u00a0\u200b\u00ad\t\r\n\x00\x1c\u2028😀👩‍🚀नि"
)
texts = st.text(alphabet=st.one_of(st.sampled_from("abcdeABCDE012 "), st.sampled_from("   \n"), traps, st.characters()))
words = st.text(alphabet="abcdefgßé01", min_size=1, max_size=6)
tags = st.sampled_from(
    ["<quote>", "</quote>", "<v_quote>", "</v_quote>", "<u_quote>", "</u_quote>", "<QUOTE>", "<quote", ">"]
)


def one(quote: str, passage: str) -> Quote:
    (found,) = verify(f"He wrote <quote>{quote}</quote>, no less.", passage)
    return found


def reversible(char: str, changed: str) -> bool:
    """Whether Unicode's own folding sees the two as the same (it does not for the dotless i)."""
    return char.casefold() == changed.casefold()


@given(texts, st.data())
@example("Er sagte: Große İstanbul!", None)
def test_any_part_of_the_passage_verifies_re_cased_and_re_spaced(passage: str, data: st.DataObject | None) -> None:
    if data is None:
        start, end, changes, blank = 0, len(passage), [1] * len(passage), "\n\t "
    else:
        start = data.draw(st.integers(0, len(passage)))
        end = data.draw(st.integers(start, len(passage)))
        changes = data.draw(st.lists(st.integers(0, 3), min_size=end - start, max_size=end - start))
        blank = data.draw(st.sampled_from([" ", "\n", "\t \u00a0", "\r\n"]))
    part = passage[start:end]
    assume(any(char.isalnum() for char in normalise(part)))
    quote = ""
    for char, change in zip(part, changes, strict=True):
        changed = {1: char.upper(), 2: char.lower(), 3: char.casefold()}.get(change, char)
        quote += blank if char.isspace() else changed if reversible(char, changed) else char
    found = one(quote, passage)
    assert found.verified and found.span is not None, (quote, passage)
    assert normalise(passage[slice(*found.span)]) == normalise(quote) == normalise(part)
    assert normalise(passage[start : found.span[0]]) == "", "the span is this place, or one before it"


@given(texts, texts)
def test_what_verifies_stands_in_the_passage(quote: str, passage: str) -> None:
    assume("<" not in quote)
    found = one(quote, passage)
    if found.verified:
        assert found.span is not None
        start, end = found.span
        assert 0 <= start < end <= len(passage)
        if "…" not in quote and "..." not in quote:
            assert normalise(passage[start:end]) == normalise(quote)
    else:
        assert found.span is None
        clean = normalise(quote)
        if any(char.isalnum() for char in clean):
            assert f" {clean} " not in f" {normalise(passage)} "


@given(st.lists(words, min_size=3, max_size=30), words)
def test_a_changed_word_never_verifies(passage_words: list[str], other: str) -> None:
    passage = " ".join(passage_words)
    assume(normalise(other) not in normalise(passage))
    changed = " ".join([*passage_words[:1], other, *passage_words[2:]])
    assert one(changed, passage) == Quote(text=changed, verified=False)


@given(st.lists(words, min_size=4, max_size=40), st.data())
def test_an_ellipsis_stands_for_a_gap(passage_words: list[str], data: st.DataObject) -> None:
    n = len(passage_words)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), min_size=4, max_size=4)))
    assume(cuts[0] < cuts[1] and cuts[2] < cuts[3])
    passage = ", ".join(passage_words)
    dots = data.draw(st.sampled_from(["…", "...", " ... ", " [...] ", " . . . ", "....", " (…) "]))
    quote = " ".join(passage_words[cuts[0] : cuts[1]]) + dots + " ".join(passage_words[cuts[2] : cuts[3]])
    found = one(quote, passage)
    assert found.verified and found.span is not None
    inside = normalise(passage[slice(*found.span)])
    assert inside.startswith(normalise(passage_words[cuts[0]])) and inside.endswith(
        normalise(passage_words[cuts[3] - 1])
    )


@given(st.lists(tags | texts, max_size=12).map("".join))
def test_segments_lose_nothing_but_the_tags_of_quotes(text: str) -> None:
    found = segments(text)
    at = 0
    for number, segment in enumerate(found):
        if segment.quote:
            opening, closing = text.index(">", at) + 1, len(segment.text)
            assert text[at:opening].lower() in ("<quote>", "<v_quote>", "<u_quote>")
            assert text[opening : opening + closing] == segment.text
            at = text.index(">", opening + closing) + 1
            assert "</quote>" not in segment.text.lower()
        else:
            assert text.startswith(segment.text, at) and segment.text
            assert number == 0 or found[number - 1].quote, "plain text is in one piece"
            at += len(segment.text)
    assert at == len(text)


@given(st.text(alphabet=st.characters(categories=None)), st.text(alphabet=st.characters(categories=None)))
def test_no_text_crashes(quote: str, passage: str) -> None:
    for found in verify(quote + f"<quote>{quote}</quote><quote>{passage}</quote>", passage):
        assert found.verified in (True, False)
    assert normalise(normalise(quote)) == normalise(quote) or "ͅ" in quote


def test_every_character_is_found_where_it_stands() -> None:
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.isalnum():
            assert normalise(char), hex(code)
            assert normalise(char) == normalise(char.casefold()), hex(code)


@pytest.mark.parametrize(
    ("quote", "passage", "span"),
    [
        ("the fleet", "It was The\n  Fleet.", (7, 18)),
        ('"Don\'t go," she said', "“Don’t go” — she said.", (1, 21)),
        ("well-known", "a well–known man", (2, 12)),
        ("co\u00adoperate", "we cooperate", (3, 12)),
        ("cafe\u0301", "a café.", (2, 6)),
        ("cafe", "a café.", None),
        ("STRASSE", "die Straße", (4, 10)),
        ("stras", "die Straße", None),
        ("istanbul", "ISTANBUL", (0, 8)),
        ("x < y", "if x<y then", (3, 6)),
        ("x > y", "if x<y then", None),
        ("10²", "102", None),
        ("5%", "5 percent", None),
        ("the rapist", "the therapist", None),
        ("", "anything", None),
        ("—!?", "what—!?", None),
        ("fleet … storm", "the fleet sank in a storm", (4, 25)),
        ("storm ... fleet", "the fleet sank in a storm", None),
        ("... sank in ...", "the fleet sank in a storm", (10, 17)),
        ("f…e…t", "the fleet sank", None),
        ("one ... two", "one " + "x " * (GAP // 2 + 1) + "two", None),
        ("one ... two", "one " + "x " * (GAP // 2 + 1) + "one two", (4 + 2 * (GAP // 2 + 1), 11 + 2 * (GAP // 2 + 1))),
        ("one ... two ... three", "one two x one y two " + "z " * 249 + "three", (10, 523)),
        ("anything", "", None),
    ],
)
def test_examples(quote: str, passage: str, span: tuple[int, int] | None) -> None:
    assert one(quote, passage) == Quote(text=quote, verified=span is not None, span=span)


def test_markup() -> None:
    assert segments("a <quote>b</quote> c") == [Segment(False, "a "), Segment(True, "b"), Segment(False, " c")]
    assert segments("<V_quote>b</v_quote>") == [Segment(True, "b")]
    assert segments("<quote>a <quote>b</quote> c</quote>") == [
        Segment(False, "<quote>a "),
        Segment(True, "b"),
        Segment(False, " c</quote>"),
    ]
    assert segments("<quote>b</v_quote>") == [Segment(False, "<quote>b</v_quote>")]
    assert segments("<quote></quote>") == [Segment(True, "")] and segments("") == []


def test_a_debater_cannot_verify_its_own_quote() -> None:
    text = "<v_quote>made up</v_quote> and <u_quote>in there</u_quote>"
    assert [q.verified for q in verify(text, "It is in there.")] == [False, True]
    assert [q.verified for q in verify(text, None)] == [None, None]


def test_too_many_quotes_are_illegal() -> None:
    verify("<quote>a</quote>" * MOST_PIECES, "a")
    for text in ("<quote>a</quote>" * (MOST_PIECES + 1), "<quote>" + "a…" * MOST_PIECES + "</quote>"):
        with pytest.raises(Illegal, match=f"at most {MOST_PIECES} quotes; this one holds {MOST_PIECES + 1}"):
            verify(text, "a")


@pytest.mark.parametrize("megabytes", [2, pytest.param(10, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("head", "piece", "tail"),
    [
        ("", "<quote>", ""), ("", "</quote>", ""), ("", "<", ""), ("<quote>", "a ", "</quote>"), ("<quote>", ".", "</quote>"),
        ("<quote>", ". ", "x</quote>"), ("<quote>", "ß", "</quote>"), ("<quote>", " ", "</quote>"),
    ],
    ids=["opening", "closing", "angles", "long", "dots", "spaced dots", "sharp s", "spaces"],
)  # fmt: skip
def test_megabytes_of_hostile_text(head: str, piece: str, tail: str, megabytes: int) -> None:
    text = head + piece * (megabytes * 1_000_000 // len(piece)) + tail
    started = time.process_time()
    verify(text, "The fleet sank in a storm. " * 2000)
    assert time.process_time() - started < 2 * megabytes, (
        "about 0.1 s a megabyte; a quadratic algorithm would take minutes"
    )


@pytest.mark.parametrize("megabytes", [2, pytest.param(10, marks=pytest.mark.long)])
def test_megabytes_of_passage(megabytes: int) -> None:
    passage = "The fleet sank, Große Straße, in a storm. " * (megabytes * 25_000) + "It was the admiral."
    started = time.process_time()
    assert one("it was the ADMIRAL", passage).span == (len(passage) - 19, len(passage) - 1)
    assert one("it was the general", passage).verified is False
    assert time.process_time() - started < 6 * megabytes, "about 0.3 s a megabyte"


@given(
    st.integers(-9, 30), st.integers(-9, 30), st.sampled_from(["a storm", "storm sank", "the sea", "x"]), st.booleans()
)
def test_a_span_is_believed_only_where_the_passage_holds_those_characters(
    start: int, end: int, text: str, says: bool
) -> None:
    passage = "a storm sank it in the sea"
    quote = Quote(text=text, verified=says, span=(start, end))
    found = on_record(Speech(text=f"<quote>{text}</quote>", quotes=(quote,)), passage, None, None).quotes[0]
    own = passage.find(text)
    assert found.verified is (own >= 0) and found.text == text
    assert found.span == (None if own < 0 else (own, own + len(text)))
