"""Limits: what is clipped fits and is a beginning of the text, what is rejected says by how much."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.limits import Limit
from moot.protocols.words import first_words, words

texts = st.text(alphabet=st.one_of(st.sampled_from("ab  \n\t"), st.characters()), max_size=60)
units = st.sampled_from(["chars", "words", "tokens"])


def pairs(text: str) -> int:
    """A tokenizer: two characters to a token, and a token for every capital."""
    return (len(text) + 1) // 2 + sum(char.isupper() for char in text)


def bent(text: str) -> int:
    """A tokenizer under which a longer text can have fewer tokens: every 'ab' merges with all that follows it."""
    return len(text.split("ab")[0]) + text.count("ab")


tokenizers = st.sampled_from([None, pairs, bent])


@given(texts, units, st.integers(1, 30), tokenizers)
def test_clipping(text: str, unit: str, most: int, tokenizer: Callable[[str], int] | None) -> None:
    limit = Limit(**{unit: most}, over="clip")
    clipped = limit.apply(text, tokenizer)
    assert limit.measure(clipped, tokenizer) <= most
    assert text.startswith(clipped)
    assert limit.apply(clipped, tokenizer) == clipped
    if limit.measure(text, tokenizer) <= most:
        assert clipped == text
    elif unit == "words":
        assert limit.measure(text[: len(clipped) + 1]) >= most, "no further word would fit"
    elif clipped.split():
        assert clipped == clipped.rstrip()
        words, kept = text.split(), clipped.split()
        assert kept == words[: len(kept)] or (len(kept) == 1 and words[0].startswith(kept[0])), (
            "whole words, or part of one"
        )


@given(texts, units, st.integers(1, 30), tokenizers)
def test_rejecting(text: str, unit: str, most: int, tokenizer: Callable[[str], int] | None) -> None:
    limit = Limit(**{unit: most})
    length = limit.measure(text, tokenizer)
    if length <= most:
        assert limit.apply(text, tokenizer) == text
    else:
        with pytest.raises(Illegal, match=rf"limit is {most} {limit.unit}; this text has {length}\b"):
            limit.apply(text, tokenizer)


@given(st.lists(st.text(alphabet="abc", min_size=1, max_size=5), min_size=2, max_size=20), st.data())
def test_as_many_words_as_fit(words: list[str], data: st.DataObject) -> None:
    text = " ".join(words)
    most = data.draw(st.integers(len(words[0]), len(text)))
    kept = Limit(chars=most, over="clip").apply(text)
    assert kept == " ".join(words[: len(kept.split())])
    assert len(kept) == len(text) or len(kept) + 1 + len(words[len(kept.split())]) > most


def test_examples() -> None:
    text = "The fleet sank in a storm."
    assert Limit(chars=9, over="clip").apply(text) == "The fleet"
    assert Limit(chars=12, over="clip").apply(text) == "The fleet"
    assert Limit(chars=2, over="clip").apply(text) == "Th"
    assert Limit(words=3, over="clip").apply("  The\nfleet  sank in") == "  The\nfleet  sank"
    assert Limit(tokens=7, over="clip").apply("déjà vu encore") == "déjà"
    assert Limit(tokens=2, over="clip").apply("😀 laughs") == ""
    assert Limit(tokens=5, over="clip").apply(text, pairs) == "The"
    assert Limit(tokens=6).measure("déjà") == 6 and Limit(tokens=6).measure("\ud800") == 3
    assert str(Limit(words=250)) == "at most 250 words"
    assert Limit.model_validate_json(Limit(words=250, over="clip").model_dump_json()) == Limit(words=250, over="clip")
    with pytest.raises(Illegal, match="250 characters; this text has 251: shorten it"):
        Limit(chars=250).apply("x" * 251)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"chars": 1, "words": 1},
        {"chars": 0},
        {"chars": True},
        {"words": 1.5},
        {"tokens": 9, "over": "cut"},
        {"lines": 3},
    ],
)
def test_bad_limits_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="limit"):
        Limit(**fields)


SCRIPTS = st.text(
    st.sampled_from("ab1 \n'.,-/_+\u00ad\u200b\u2060\u034f\u3164\u2800\u0301\u0e01\u98a8\u304b\U0001f4a7<>"),
    max_size=80,
)


TAGGED = st.lists(st.sampled_from(["<quote>", "</quote>", "<v_quote>", "a", "-", " "]), max_size=20).map("".join)
SIGNS = st.integers(33, 99).map(
    lambda count: f"<v_quote></quote>{'.' * count}"
)  # a first word that is too long, of signs alone


@given(st.one_of(SCRIPTS, TAGGED, SIGNS, st.text(max_size=80)), st.integers(1, 9))
def test_nothing_hides_words(text: str, most: int) -> None:
    count = words(text)
    assert count >= len(text.split()) and count * 66 >= len("".join(text.split()))
    first = first_words(text, most)
    assert text.startswith(first) and words(first) <= most and (first == text or words(first) >= most)


@given(st.lists(st.text("abc\u00e9", min_size=1, max_size=9), min_size=1, max_size=30), st.data())
def test_whatever_parts_words_they_are_as_many(parts: list[str], data: st.DataObject) -> None:
    marks = st.sampled_from(
        [" ", "\t", "-", "_", "/", ".", "+", "\u2060", "\u200b", "\u00ad", "\u3164", "\u2800", "\U000e0020"]
    )
    assert words(data.draw(marks).join(parts)) == len(parts)
    assert words("".join(parts)) == 1 + (len("".join(parts)) - 1) // 32


def test_words_of_many_kinds() -> None:
    for text, count in {
        "": 0, "don't stop": 2, "l\u2019amiral": 1, "1,000.5 ships": 2, "well-known": 2, "a - b": 3, "Sunk, he said.": 3,
        "<quote>the ships</quote>, he said": 4, "\u98ce\u66b4\u6467\u6bc1": 4, "\u0e1e\u0e32\u0e22\u0e38": 3, "cafe\u0301s": 1,
        "\u0939\u093f\u0928\u094d\u0926\u0940": 1, "\U0001f30a\U0001f525": 2, "." * 33: 2, "storm'" * 700: 132,
    }.items():  # fmt: skip
        assert words(text) == count, text
    assert first_words("One two. Three", 2) == "One two." and first_words("well-known", 1) == "well"


LONG = ["x", "x ", "-", "a-", "a'", "'.", " -", "-" * 32 + "a", "<quote>", "\u98ce", "1.", "\u00e9\U0001f600 "]


@pytest.mark.parametrize("unit", ["chars", "words", "tokens"])
@pytest.mark.parametrize("text", LONG)
def test_long_texts_take_time_in_proportion(unit: str, text: str) -> None:
    limit = Limit(**{unit: 1000}, over="clip")

    def spent(size: int) -> float:
        whole = text * (size // len(text))
        begun = time.process_time()
        assert limit.measure(limit.apply(whole)) <= 1000
        return time.process_time() - begun

    small = min(spent(4_000) for _ in range(3))
    assert min(spent(64_000) for _ in range(2)) < 100 * max(small, 0.0005), "16 times the text, not 256 times the time"
