"""Limits: what is clipped fits and is a beginning of the text, what is rejected says by how much."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.limits import Limit

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


@pytest.mark.parametrize("unit", ["chars", "words", "tokens"])
@pytest.mark.parametrize("text", ["x" * 10_000_000, "x " * 5_000_000, " " * 10_000_000, "é😀 " * 1_000_000])
def test_ten_megabytes(unit: str, text: str) -> None:
    started = time.process_time()
    limit = Limit(**{unit: 500_000}, over="clip")
    assert limit.measure(limit.apply(text)) <= 500_000
    assert time.process_time() - started < 10, "well under 1 s here"
