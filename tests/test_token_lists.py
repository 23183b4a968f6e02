"""What lists of the most probable tokens bound."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moot.complexity.pressure.divergences import kl
from moot.complexity.pressure.sampled import kl_of_lists
from moot.protocols.engine.errors import UsageError


@st.composite
def pairs(draw: st.DrawFn) -> tuple[dict[int, float], dict[int, float], int, int]:
    size = draw(st.integers(2, 12))

    def one() -> dict[int, float]:
        weights = draw(
            st.lists(st.floats(0, 1) | st.just(0.0) | st.floats(1e-9, 1e-6), min_size=size, max_size=size).filter(sum)
        )
        return {token: weight / math.fsum(weights) for token, weight in enumerate(weights)}

    return one(), one(), draw(st.integers(1, size)), draw(st.integers(1, size))


def top(of: dict[int, float], k: int, ids: bool = True) -> list[tuple[str, int | None, float]]:
    listed = sorted((token for token in of if of[token] > 0), key=lambda token: -of[token])[:k]
    return [(f"t{token}", token if ids else None, math.log(of[token])) for token in listed]


@given(pairs(), st.sampled_from([0.0, 1e-3]), st.booleans())
def test_a_bound_by_lists_is_never_above_the_divergence(
    made: tuple[dict[int, float], dict[int, float], int, int], rounding: float, ids: bool
) -> None:
    p, q, one, other = made
    found = kl_of_lists(top(p, one, ids), top(q, other, ids), rounding=rounding)
    assert found.kind == "lower only" and found.upper is None and found.lower is not None
    assert 0 <= found.lower <= kl(p, q) + 1e-9 or (rounding == 0 and kl(p, q) > 20)


@given(pairs())
def test_whole_lists_give_the_divergence_itself(made: tuple[dict[int, float], dict[int, float], int, int]) -> None:
    p, q = ({token: (of[token] + 1e-3) / (1 + 1e-3 * len(of)) for token in of} for of in made[:2])
    exact = kl_of_lists(top(p, len(p)), top(q, len(q)), rounding=0).lower
    assert exact == pytest.approx(kl(p, q), abs=1e-9)
    assert kl_of_lists(top(p, len(p)), top(q, len(q))).lower == pytest.approx(exact, abs=1e-9)


def test_rounding_in_a_rest_makes_no_divergence() -> None:
    """Sums of quantized models miss 1 by 1e-4; a rest that is nothing but that says nothing."""
    own = [("a", 1, math.log(0.9)), ("b", 2, math.log(0.0999))]
    other = [("a", 1, math.log(0.9)), ("b", 2, math.log(0.1 - 1e-9))]
    assert kl_of_lists(own, other).lower == 0
    exact = kl_of_lists(own, other, rounding=0).lower
    assert exact is not None and exact > 5e-4
    # the second gives b 0.0995, and the rest of 0.0005 is lost where that is listed as 0.1
    first, second = {"a": 0.9, "b": 0.09, "c": 0.01}, {"a": 0.9, "b": 0.0995, "c": 0.0005}
    lost = kl_of_lists([("a", 1, math.log(0.9)), ("b", 2, math.log(0.09))], other).lower
    assert lost is not None and 0 < lost <= kl(first, second)


def test_lists_that_share_no_token_say_nothing_and_texts_are_told_apart_by_id() -> None:
    assert kl_of_lists([("a", 1, -0.1)], [("b", 2, -0.1)]).lower == 0
    by_text = kl_of_lists([("a", 1, -0.1)], [("a", None, -3.0)]).lower
    assert by_text is not None and by_text > 1 and kl_of_lists([("a", 1, -0.1)], [("a", 2, -3.0)]).lower == 0


@given(pairs(), st.data())
def test_several_tokens_of_one_text_make_no_divergence(
    made: tuple[dict[int, float], dict[int, float], int, int], data: st.DataObject
) -> None:
    """Pieces of characters, and bytes beside the letters that they stand for, share their texts."""
    p, q, one, other = made
    names = data.draw(st.lists(st.sampled_from(["a", "b", "\ufffd", "c"]), min_size=len(p), max_size=len(p)))
    own, theirs = (
        [(names[int(text[1:])], None, logprob) for text, _, logprob in top(of, k)] for of, k in ((p, one), (q, other))
    )
    found = kl_of_lists(own, theirs)
    told = {name for listed in (own, theirs) for name in names if [text for text, *_ in listed].count(name) > 1}
    untold = {name for name in names if names.count(name) > 1} - told - {"\ufffd"}
    assert found.lower is not None
    assert found.lower <= kl(p, q) + 1e-9 or (untold and found.assumes == ("one-token-a-text",))


def test_a_text_that_a_list_shows_to_be_of_two_tokens_says_nothing() -> None:
    """The same model twice, whose second list is longer by one token."""
    first, second = [("a", None, math.log(0.5))], [("a", None, math.log(0.5)), ("a", None, math.log(0.3))]
    assert kl_of_lists(first, second).lower == 0 == kl_of_lists(second, first).lower
    assert kl_of_lists([("\ufffd", None, -0.1)], [("\ufffd", None, -3.0)]).lower == 0
    assert kl_of_lists([("a", None, -0.1)], [("a", None, -3.0)]).assumes == ("one-token-a-text",)
    assert kl_of_lists([("a", 1, -0.1)], [("a", 1, -3.0)]).assumes == ()


@pytest.mark.parametrize(
    ("listed", "told"), [([], "are none"), ([("a", 1, 0.5)], "at most 0"), ([("a", 1, math.nan)], "at most 0"),
                         ([("a", 1, -0.1), ("b", 2, -0.1)], "sum to 1.8"), ([("a", 1, -0.9), ("a", 1, -0.9)], "listed twice")],
)  # fmt: skip
def test_what_is_no_part_of_a_distribution_is_refused(listed: Any, told: str) -> None:
    fine = [("a", 1, -0.5)]
    for lists in ((listed, fine), (fine, listed)):
        with pytest.raises(UsageError, match=told):
            kl_of_lists(*lists)
