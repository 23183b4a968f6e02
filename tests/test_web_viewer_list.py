"""The list of plays: counted opens, filters, search, growth, studies by their index, links that lead out, broken files."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hostile_kit import GOLDEN, chained, originals

import moot
from moot.protocols.engine.errors import UsageError
from moot.studies.design import ArmDesign, Design, QuestionDesign, hashed
from moot.studies.index import Index
from moot.studies.rows import EMPTY
from moot.web.viewer import listing as module
from moot.web.viewer.listing import Item, Listing
from moot.web.viewer.search import GLANCED, PAGE, WHOLE, Found, Wanted, search, values

DEBATE = (GOLDEN / "v2" / "debate.jsonl").read_bytes()
MARKET = (GOLDEN / "v2" / "market.jsonl").read_bytes()
_opened: list[str] | None = None


def _hook(event: str, given: tuple[Any, ...]) -> None:
    if _opened is not None and event == "open" and str(given[0]).endswith((".jsonl", ".zst")):
        _opened.append(str(given[0]))


sys.addaudithook(_hook)


@contextmanager
def opens() -> Iterator[list[str]]:
    """The transcripts that are opened meanwhile, each time that they are, whoever does so."""
    global _opened
    found: list[str] = []
    _opened = found
    try:
        yield found
    finally:
        _opened = None


@pytest.fixture(autouse=True)
def always_fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH", 0.0)


def folder_of(path: Path, **files: bytes) -> Path:
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        (path / f"{name}.jsonl").write_bytes(content)
    return path


def found_in(listing: Listing, **wanted: Any) -> Found:
    return search(listing.items(), Wanted(**wanted))


def names(found: Found) -> list[str]:
    return [item.name.removesuffix(".jsonl") for item in found.items]


def linked(folder: Path, count: int, content: bytes = DEBATE) -> Path:
    """A folder of many names of one file, which is made faster than as many files."""
    folder.mkdir(exist_ok=True)
    (folder / "00000.jsonl").write_bytes(content)
    for number in range(1, count):
        os.link(folder / "00000.jsonl", folder / f"{number:05}.jsonl")
    return folder


def counted_listing(folder: Path, count: int, filters: bool = True) -> None:
    listing = Listing([linked(folder, count)])
    with opens() as opened:
        items = listing.items()
        assert len(items) == count and not opened, "names alone list a folder"
        found = search(items, Wanted(start=count - 60))
        assert (found.matches, found.total, len(found.items)) == (count, count, PAGE)
        assert len(set(opened)) == PAGE and len(opened) <= 3 * PAGE, "only what is shown is opened"
        again = len(opened)
        search(listing.items(), Wanted(start=count - 60))
        assert len(opened) == again, "and once"
    with opens() as opened:
        found = search(items, Wanted(words="no play has these words"))
        assert len(set(opened)) <= WHOLE and found.items == [] and found.after == found.upto < count
    if not filters:
        return
    with opens() as opened:
        seen = start = 0
        while True:
            before = len(set(opened))
            found = search(items, Wanted(protocol="market", start=start))
            assert len(set(opened)) - before <= GLANCED, "a request opens so many and no more"
            seen += len(found.items)
            if found.after is None:
                break
            assert found.after > start, "it goes on"
            start = found.after
        assert (found.upto, seen) == (count, 0) and len(set(opened)) <= count
    with opens() as opened:
        found = search(listing.items(), Wanted(protocol="debate"))
        assert found.matches == count and not opened, "what was read once is known"


def test_10_000_plays_of_a_folder_are_listed_by_opening_what_is_shown(tmp_path: Path) -> None:
    counted_listing(tmp_path / "many", 10_000, filters=False)
    counted_listing(tmp_path / "some", 1_500)


@pytest.mark.long
@pytest.mark.parametrize("count", [10_000, 100_000])
def test_a_large_folder_is_listed_by_opening_what_is_shown(tmp_path: Path, count: int) -> None:
    for part in range(max(1, count // 50_000)):  # a file has not more names than so many
        counted_listing(tmp_path / f"many{part}", min(count, 50_000))


def studied(folder: Path, questions: int, indexed: int | None = None) -> Design:
    """The folder of a study whose plays are names of one file. indexed: how many of them its index has."""
    arms = tuple(
        ArmDesign(
            name=name,
            protocol={"name": "debate", "params": {}},
            seats={"judge": f"judge-{name}"},
            fingerprint=name,
            repetitions=1,
        )
        for name in ("plain", "long")
    )
    asked = tuple(QuestionDesign(name=f"question {i}", fingerprint=hashed(i)) for i in range(questions))
    design = Design(name="s", arms=arms, questions=asked, epochs=1)
    folder.mkdir()
    (folder / "study.json").write_text(design.text())
    origin, index = folder / "origin", Index(folder, owner=True)
    origin.write_bytes(DEBATE)
    for number, cell in enumerate(design.cells()):
        path = folder / cell.path
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(origin, path)
        if indexed is None or number < indexed:
            right = number % 4 < 2
            facts = EMPTY | {"outcome": "decided", "belief": [0.7, 0.3], "choices": 2, "correct": right, "guarantee": not right,
                             "judge": "judge", "mark": "m"}  # fmt: skip
            known = [len(DEBATE), *(facts.get(name) for name in ("outcome", "digest", "judged_again", "asked", "mirror", "played", "mark", "counted", "taken"))]  # fmt: skip
            index._write(f"INSERT OR REPLACE INTO cells VALUES ({'?,' * 11}?)", (cell.key, *known, json.dumps(facts)))
    index.close()
    return design


def counted_study(folder: Path, questions: int) -> None:
    studied(folder, questions)
    with opens() as opened:
        listing = Listing([folder])
        items = listing.items()
        assert len(items) == 2 * questions
        found = search(items, Wanted(arm="long", right="yes", guarantee="no", judge="judge-long", start=PAGE))
        assert found.matches is not None and 0 < found.matches <= questions and len(found.items) == PAGE
        assert all(item.arm == "long" and item.right and item.judge == "judge-long" for item in found.items)
        assert "question 77" in {item.question for item in search(items, Wanted(q="QUESTION 77")).items}
        assert values(items)["arm"] == ["long", "plain"] and listing.item(items[-1].id) is items[-1]
    assert not opened, "the index of the study says it all"


def test_10_000_plays_of_a_study_are_listed_from_its_index_alone(tmp_path: Path) -> None:
    counted_study(tmp_path / "study", 5_000)


@pytest.mark.long
def test_100_000_plays_of_a_study_are_listed_from_its_index_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "link", lambda origin, path: Path(path).write_bytes(DEBATE))
    counted_study(tmp_path / "study", 50_000)


@pytest.mark.parametrize("indexed", [0, 5])
def test_what_the_index_of_a_study_does_not_have_is_read_when_it_is_shown(tmp_path: Path, indexed: int) -> None:
    studied(tmp_path / "study", 10, indexed)
    listing = Listing([tmp_path / "study"])
    with opens() as opened:
        assert len(listing.items()) == 20 and not opened
        found = search(listing.items(), Wanted())
        assert len(set(opened)) == 20 - indexed and {item.outcome for item in found.items} == {"decided"}
    assert sorted(item.arm or "" for item in found.items) == ["long"] * 10 + ["plain"] * 10, "the design says the arm"
    (tmp_path / "study" / "index.sqlite").write_bytes(b"no index")
    again = Listing([tmp_path / "study"])
    assert {item.outcome for item in search(again.items(), Wanted()).items} == {"decided"}


def test_filters_and_search_say_how_far_they_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = Listing([folder_of(tmp_path / "f", a=DEBATE, b=MARKET, c=DEBATE, d=MARKET)])
    assert names(found_in(listing, protocol="market")) == ["b", "d"]
    assert names(found_in(listing, q="SANK the")) == list("abcd") and names(found_in(listing, q="zebra")) == []
    assert names(found_in(listing, q="c.json")) == ["c"]
    assert names(found_in(listing, outcome="decided", right="unknown")) == list("abcd")
    assert names(found_in(listing, right="yes")) == []
    assert found_in(listing, guarantee="no").matches is None, "who looks whole says how far"
    assert names(found_in(listing, guarantee="no")) == list("abcd") and names(found_in(listing, guarantee="yes")) == []
    words = next(e["move"]["text"] for e in moot.load(GOLDEN / "v2" / "debate.jsonl").events() if e["event"] == "moved")
    assert names(found_in(listing, words=words.upper())) == ["a", "c"]
    monkeypatch.setattr("moot.web.viewer.search.WHOLE", 3)
    first = found_in(listing, words=words)
    assert names(first) == ["a", "c"] and (first.upto, first.after, first.total) == (3, 3, 4)
    assert (
        names(found_in(listing, words=words, start=3)) == [] and found_in(listing, words=words, start=3).after is None
    )


def test_a_search_goes_on_past_files_that_are_larger_than_a_request_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listing = Listing([folder_of(tmp_path / "f", a=DEBATE, b=MARKET, c=DEBATE)])
    monkeypatch.setattr("moot.web.viewer.search.BYTES", len(DEBATE) - 1)
    assert [found_in(listing, words="no such words", start=at).after for at in range(3)] == [1, 2, None]


def test_what_was_rejected_or_thought_is_no_word_that_was_said(tmp_path: Path) -> None:
    events = next(found for name, found in originals() if name == "v2/debate.jsonl")
    listing = Listing([folder_of(tmp_path / "f", a=chained(events))])
    events[1][0]["move"]["text"] = "the quick  brown\nfox"
    folder_of(tmp_path / "f", b=chained(events))
    assert names(found_in(listing, words="Quick brown fox")) == ["b"]
    assert names(found_in(listing, words="kind")) == [], "names of fields are no words"


def test_a_folder_that_grows_is_seen_and_a_running_play_is_called_that(tmp_path: Path) -> None:
    lines = DEBATE.splitlines(keepends=True)
    folder = folder_of(tmp_path / "f", a=b"".join(lines[:3]) + b'{"ev')
    listing = Listing([folder])
    item = found_in(listing).items[0]
    assert item.outcome == "running" and found_in(listing, outcome="running").matches == 1
    folder_of(folder, a=DEBATE, b=MARKET)
    assert [each.outcome for each in found_in(listing).items] == ["decided", "decided"]
    assert found_in(listing).items[0].id == item.id, "its address stays"
    (folder / "a.jsonl").unlink()
    assert names(found_in(listing)) == ["b"] and listing.item(item.id) is None


def test_a_file_in_place_of_another_of_the_same_size_and_time_is_read_anew(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "f", a=DEBATE)
    listing, path = Listing([folder]), folder / "a.jsonl"
    held, item = path.stat(), found_in(listing).items[0]
    other = tmp_path / "other"
    other.write_bytes(b"no json".ljust(len(DEBATE)))
    os.utime(other, ns=(held.st_atime_ns, held.st_mtime_ns))
    other.replace(path)
    again = found_in(listing).items[0]
    assert (item.outcome, again.outcome, again.id) == ("decided", "damaged", item.id)


def test_a_play_of_a_study_that_ends_is_seen_before_its_index_has_it(tmp_path: Path) -> None:
    studied(tmp_path / "study", 1, 0)
    cell = sorted((tmp_path / "study" / "cells").rglob("*.jsonl"))[0]
    whole = cell.read_bytes().splitlines(keepends=True)
    cell.unlink()  # the cells are names of one file
    cell.write_bytes(b"".join(whole[:2]))
    listing = Listing([tmp_path / "study"])
    assert sorted(item.outcome for item in found_in(listing).items) == ["decided", "running"]
    with open(cell, "ab") as file:
        file.write(b"".join(whole[2:]))
    found = found_in(listing).items
    assert [item.outcome for item in found] == ["decided"] * 2 and {item.arm for item in found} == {"long", "plain"}


def test_a_page_begins_at_the_same_place_whatever_has_been_read_meanwhile(tmp_path: Path) -> None:
    folder_of(tmp_path / "f", **{f"{at:03}": DEBATE if at % 3 else MARKET for at in range(4 * PAGE)})
    listing = Listing([tmp_path / "f"])
    first = found_in(listing, protocol="debate")
    assert first.matches is None and first.after is not None
    second = names(found_in(listing, protocol="debate", start=first.after))
    assert second and not found_in(listing, protocol="none").items, "now all are read"
    found = found_in(listing, protocol="debate", start=first.after)
    assert found.matches is not None and names(found) == second
    assert found.before == 1, "the first debate"
    last = found_in(listing, protocol="debate", start=10**6)
    assert last.items and last.after is None


def test_broken_files_are_listed_with_their_problem(tmp_path: Path) -> None:
    listing = Listing([folder_of(tmp_path / "f", empty=b"", no=b"no json\n", torn=DEBATE[:50], good=DEBATE)])
    (tmp_path / "f" / "x.zst").write_bytes(b"nothing")
    found = {item.name: item for item in found_in(listing).items}
    assert {name for name, item in found.items() if item.problem} == {"empty.jsonl", "no.jsonl", "torn.jsonl", "x.zst"}
    assert found["good.jsonl"].problem is None and found["no.jsonl"].outcome == "damaged"
    assert names(found_in(listing, words="sank")) == [] or found["good.jsonl"].problem is None


def test_links_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    outside = folder_of(tmp_path / "outside", secret=DEBATE)
    folder = folder_of(tmp_path / "f", a=DEBATE, b=DEBATE)
    (folder / "out.jsonl").symlink_to(outside / "secret.jsonl")
    (folder / "gone.jsonl").symlink_to(folder / "nothing.jsonl")
    (folder / "in.jsonl").symlink_to(folder / "a.jsonl")
    listing = Listing([folder])
    assert names(found_in(listing)) == ["a", "b", "in"]
    item = next(item for item in listing.items() if item.name == "b.jsonl")
    (folder / "b.jsonl").unlink()
    (folder / "b.jsonl").symlink_to(outside / "secret.jsonl")
    assert listing.item(item.id) is None, "also where it was put there after it was listed"
    assert found_in(listing, words="sank").total == 2


def test_links_in_a_study_that_lead_out_are_not_followed(tmp_path: Path) -> None:
    design = studied(tmp_path / "study", 2, 0)
    outside = folder_of(tmp_path / "outside", secret=DEBATE)
    first, second, *_ = design.cells()
    place = tmp_path / "study" / first.path
    place.unlink()
    place.symlink_to(outside / "secret.jsonl")
    shelf = (tmp_path / "study" / second.path).parent
    shelf.rename(tmp_path / "elsewhere")
    shelf.symlink_to(tmp_path / "elsewhere")
    left = {item.name for item in Listing([tmp_path / "study"]).items()}
    assert place.name not in left and Path(second.path).name not in left and left


def test_paths_that_are_none_are_refused_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    for path in (tmp_path / "none", tmp_path / "notes.txt", tmp_path / "a\0b"):
        with pytest.raises(UsageError):
            Listing([path])
    with pytest.raises(UsageError, match="say what to view"):
        Listing([])


def test_the_order_and_several_paths(tmp_path: Path) -> None:
    one, two = folder_of(tmp_path / "1", a=DEBATE, c=DEBATE), folder_of(tmp_path / "2", b=MARKET)
    for number, path in enumerate((one / "c.jsonl", two / "b.jsonl", one / "a.jsonl")):
        os.utime(path, (1000 + number, 1000 + number))
    listing = Listing([one, two, two / "b.jsonl", one])
    assert names(found_in(listing)) == ["a", "b", "c"], "a file that is given twice is listed once"
    assert names(found_in(listing, sort="newest")) == ["a", "b", "c"]
    assert names(found_in(listing, sort="oldest")) == ["c", "b", "a"]
    assert Listing([two / "b.jsonl"]).single and not listing.single
    assert Wanted.of({"sort": "newest"}).sort == "newest"
    assert Wanted.of({"q": " x ", "start": "-1", "sort": "?", "nothing": "y"}) == Wanted(q="x")
    assert Wanted(q="a&b", start=50).address(start=100) == "q=a%26b&start=100"


def test_who_judged_and_whether_rightly_is_read_from_a_plain_folder(tmp_path: Path) -> None:
    question = moot.Question("Who?", ("a storm", "the admiral"))

    def agent(request: moot.Request) -> moot.Move:
        if request.seat == "judge":
            return moot.Verdict(probabilities=(0.9, 0.1), text="", end=False)
        return moot.Speech(text="So.")

    for name, truth in (("right", 0), ("wrong", 1), ("open", None)):
        sample = question if truth is None else moot.Sample(question, truth)
        seats: dict[str, Any] = dict.fromkeys(("a", "b", "judge"), agent)
        moot.run(moot.Debate(rounds=1), sample, seats, out=tmp_path / f"{name}.jsonl")
    listing = Listing([tmp_path])
    assert names(found_in(listing, right="yes")) == ["right"] and names(found_in(listing, right="no")) == ["wrong"]
    item: Item = found_in(listing).items[0]
    assert item.judge is not None and "program" in item.judge and names(found_in(listing, judge=item.judge)) == ["open", "right", "wrong"]  # fmt: skip
