"""Pages in a browser: a play folded for its page against the check of its file, and a study of 10⁵ plays listed, first and again, against the
bare listing of its files."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import moot
from benchmarks.studies.cells import CELLS, filled, study
from benchmarks.timing import Row, best
from moot.studies.index import Index
from moot.web.viewer.fold import view_of
from moot.web.viewer.listing import Listing
from moot.web.viewer.search import Wanted, search

ROUNDS = 5000


def say(request: moot.Request) -> moot.Speech:
    return moot.Speech(text=f"{request.seat} says what is so, in round {request.brief['round']}.")


def judge(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def rows() -> Iterator[Row]:
    """CPU seconds, the best of three turns of each."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "long.jsonl"
        question = moot.Question("Who?", ("x", "y"))
        moot.run(moot.Debate(rounds=ROUNDS), question, {"debater": say, "judge": judge}, out=path)

        def folded() -> None:
            assert len(view_of(path)) > 2 * ROUNDS

        ours, checked = best(folded, lambda: moot.load(path), repeats=3)
        yield Row("a play folded for its page against the check of its file", ours / checked, 25, "×",
                  f"{2 * ROUNDS:,} statements; the check {checked:.2f} s")  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        filled(folder, study(CELLS))
        held = Listing([folder])
        assert len(held.items()) == CELLS

        def listed() -> None:
            assert len(Index(folder, owner=False).files()) == CELLS

        def first() -> None:
            listing = Listing([folder])
            assert len(search(listing.items(), Wanted()).items) == 50

        def again() -> None:
            assert len(search(held.items(), Wanted()).items) == 50

        one, more, bare = best(first, again, listed, repeats=3)
        yield Row("the first page of a study against the bare listing of its files", one / bare, 12, "×",
                  f"{CELLS:,} plays, none opened; the listing {bare:.2f} s")  # fmt: skip
        yield Row("its next page against the same", more / bare, 1, "×", "what was known of the study is kept")
