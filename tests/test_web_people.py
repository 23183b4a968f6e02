"""The office: plays of studies and folders with people in them, what they are told, and what a restart finds."""

from __future__ import annotations

import json
import os
import stat
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import people_kit as kit
import pytest

import moot
from moot.agents.base import describe
from moot.protocols.engine.errors import TranscriptError, UsageError
from moot.studies.folder import rows_in
from moot.studies.toml import study_from
from moot.transcripts.store import Writer
from moot.web.judging import office as desk_office
from moot.web.judging import seating as seatings
from moot.web.judging.office import Office
from moot.web.judging.rules import rules_from
from moot.web.judging.status import links, seconds_of, status
from moot.web.judging.work import sitting
from moot.web.judging.work.desk import items_of, names_of, person_in, with_person
from moot.web.judging.work.journal import Journal, lines_in
from moot.web.judging.work.people import People, secret_in
from moot.web.judging.work.worth import found_in


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The office looks around more often, so that no test waits for it."""
    monkeypatch.setattr(desk_office, "TICK", 0.01)


ROLES = {"a": "debater", "b": "debater", "judge": "judge"}


def test_a_folder_of_plays_is_judged_again_by_so_many_people_each(tmp_path: Path) -> None:
    source, out = kit.plays(tmp_path / "plays"), tmp_path / "out"
    told = kit.rules("ann", "bob", "cy", judgements=2, feedback="each", pay={"base": 1.0, "currency": "GBP"})

    office = Office.of_folder(source, out, told)

    async def main() -> None:
        async with kit.at_work(office) as ended:
            had = await kit.everybody(office)
            assert sum(map(len, had.values())) == 6
            for name, sat in had.items():
                person, other = kit.of(office, name), kit.of(office, "cy" if name != "cy" else "ann")
                for each in sat:
                    assert each.ended == "decided" and each.names["judge"] == "You"
                    assert {*each.names.values()} == {"A", "B", "You"}
                    found = office.feedback(person, each)
                    assert found is not None and found["truth"] == 0 and found["belief"] == [0.75, 0.25]
                    assert found["paid"] == pytest.approx(1 + found["reward"])
                    assert office.feedback(other, each) is None, "it is another's"
                assert office.progress(person)["done"] == len(sat)
            await kit.until(lambda: ended)
            assert ended[0].outcomes == {"decided": 6}

    anyio.run(main)
    names = sorted(path.name for path in out.glob("*.jsonl"))
    assert names == [f"p{n}.{k}.jsonl" for n in range(3) for k in (1, 2)], "nobody's name"
    for path in out.glob("*.jsonl"):
        play = moot.load(path)
        assert play.seats["judge"]["agent"] == "browser" and play.parent is not None
    found = status(out, truth=True)
    assert found["done"] == 6 and found["left"] == 0
    assert sum(each["done"] for each in found["people"]) == 6 == sum(each["right"] for each in found["people"])


def test_a_study_with_people_is_a_study_like_any_other(tmp_path: Path) -> None:
    """Cells that need nobody are played as ever, arms that judge again too; who took a cell changes nothing of its address."""
    person = moot.Bounded(moot.Browser(), reads="400*n")
    arms = {"plain": moot.Arm(moot.Debate(), {"a": kit.says, "b": kit.sure, "judge": person}),
            "alone": moot.Arm(moot.DirectQA(), {"judge": kit.says})}  # fmt: skip
    made = moot.Study("judged", [kit.sample(f"q{n}") for n in range(3)], arms, seatings="both").rejudge(
        kit.says, of="plain"
    )
    keys = {cell.key for cell in made.design.cells()}
    office = Office.of_study(made, tmp_path, kit.rules("ann", "bob"))

    async def main() -> None:
        async with kit.at_work(office) as ended:
            had = await kit.everybody(office)
            await kit.until(lambda: ended)
            assert ended[0].complete and ended[0].outcomes == {"decided": 15}
            for sat in had.values():
                assert len(sat) == 3 and len({each.transcript.question.id for each in sat if each.transcript}) == 3

    anyio.run(main)
    rows = list(rows_in(tmp_path))
    assert Counter(row["outcome"] for row in rows) == {"decided": 15} and {row["cell"] for row in rows} == keys
    for path in (tmp_path / "cells").glob("*/*.jsonl"):
        play = moot.load(path)
        if play.seats["judge"].get("agent") == "browser":
            assert play.seats["judge"]["name"] in ("ann", "bob") and play.bounds["judge"]["reads"] > 0
    taken = Counter((line["person"], line["kind"][1]) for line in kit.journal(tmp_path) if line["action"] == "given")
    assert all(abs(taken[name, False] - taken[name, True]) == 1 for name in ("ann", "bob")) and taken.total() == 6
    again = made.run(tmp_path)  # nobody is needed any more
    assert again.how == {"kept": 15}
    found = status(tmp_path)
    assert found["plays"] == 6 == found["done"] and {tuple(each["kind"]) for each in found["kinds"]} == {
        ("plain", False, False), ("plain", True, False)}  # fmt: skip


def test_a_play_begins_once_all_its_people_are_there(tmp_path: Path) -> None:
    arms = {"people": moot.Arm(moot.Debate(), {"a": moot.Browser(), "b": kit.sure, "judge": moot.Browser()})}
    office = Office.of_study(kit.study(1, arms=arms), tmp_path, kit.rules("ann", "bob", "cy"))

    async def main() -> None:
        async with kit.at_work(office) as ended:
            ann, bob = kit.of(office, "ann"), kit.of(office, "bob")
            one = await office.next(ann)
            await anyio.wait_all_tasks_blocked()
            assert one is not None and one.turn is None and not office.worth.plays
            two = await office.next(bob)
            assert two is not None and {one.seat, two.seat} == {"a", "judge"}
            assert await office.next(kit.of(office, "cy")) is None
            async with anyio.create_task_group() as group:
                group.start_soon(kit.answer, one)
                group.start_soon(kit.answer, two)
            await kit.until(lambda: ended)
            assert ended[0].complete

    anyio.run(main)
    play = moot.load(next(tmp_path.glob("cells/*/*.jsonl")))
    assert {seat["name"] for seat in play.seats.values() if seat["agent"] == "browser"} == {"ann", "bob"}


def test_what_nobody_can_take_any_more_is_left_and_not_waited_for(tmp_path: Path) -> None:
    office = Office.of_study(kit.study(2, epochs=2), tmp_path, kit.rules("ann", most=1))

    async def main() -> None:
        async with kit.at_work(office) as ended:
            assert len(await kit.sit(office, "ann")) == 1
            await kit.until(lambda: ended)
            assert ended[0].outcomes == {"decided": 1, "not played": 3} and ended[0].how["left"] == 3

    anyio.run(main)
    more = Office.of_study(kit.study(2, epochs=2), tmp_path, kit.rules("ann", "bob", "cy"))

    async def later() -> None:
        async with kit.at_work(more) as ended:
            had = await kit.everybody(more)
            await kit.until(lambda: ended)
            assert len(had["ann"]) == 1, "she has seen one of the two questions"

    anyio.run(later)


def test_an_unfinished_play_goes_back_to_its_person_and_to_nobody_else(tmp_path: Path) -> None:
    source, out = kit.plays(tmp_path / "plays", 2), tmp_path / "out"

    async def begun() -> None:
        office = Office.of_folder(source, out, kit.rules())
        async with kit.at_work(office):
            ann = kit.of(office, "ann")
            found = await office.next(ann)
            assert found is not None
            office.present(ann, found, True)
            await kit.until(lambda: found.turn)
            assert found.turn is not None
            found.turn.note("draft", text="almost")

    async def taken_up() -> None:
        office = Office.of_folder(source, out, kit.rules())
        async with kit.at_work(office) as ended:
            had = await kit.sit(office, "bob")
            assert [each.transcript.question.id for each in had if each.transcript] == ["q1"], "the other is ann's"
            assert office.stage(kit.of(office, "ann")) == "work"
            seating = await office.next(kit.of(office, "ann"))
            assert seating is not None
            await kit.until(lambda: seating.turn)
            assert seating.turn is not None
            assert [event["text"] for event in seating.turn.request.noted if event.get("action") == "draft"] == [
                "almost"
            ]
            await kit.answer(seating)
            office.leave(kit.of(office, "ann"), seating)
            await kit.until(lambda: ended)
            assert ended[0].outcomes == {"decided": 2}

    anyio.run(begun)
    for change in (False, True):  # the journal alone says it, or the transcript alone
        if change:
            path = out / "judging" / "journal.jsonl"
            path.unlink()
        office = Office.of_folder(source, out, kit.rules())
        try:
            assert office.queue.taken == {"p0.1": {"judge": "ann"}} and not office.queue.can("bob")
        finally:
            office.close()
    anyio.run(taken_up)


def test_practice_comes_first_counts_for_nothing_and_is_seen(tmp_path: Path) -> None:
    practice, source = kit.plays(tmp_path / "practice", 1), kit.plays(tmp_path / "plays", 2)
    told = kit.rules("ann", practice=str(practice), pay={"base": 1.0}, consent=None)

    async def main() -> None:
        office = Office.of_folder(source, tmp_path / "out", told)
        async with kit.at_work(office) as ended:
            ann = kit.of(office, "ann")
            assert office.stage(ann) == "practice"
            had = await kit.sit(office, "ann")
            assert [each.sort for each in had] == ["practice", "item"], "q0 was practised, so it is no item for her"
            found = office.feedback(ann, had[0])
            assert found is not None and found["truth"] == 0 and found["paid"] is None
            assert office.feedback(ann, had[1]) is None, "the rules say none"
            assert office.progress(ann) == {"done": 1, "most": None, "practice_done": 1, "practice": 1, "paid": None, "unknown": 0}  # fmt: skip
            await kit.until(lambda: ended)

    anyio.run(main)
    assert (tmp_path / "out" / "judging" / "practice" / "ann" / "p0.jsonl").exists()
    office = Office.of_folder(source, tmp_path / "out", told)
    office.close()
    assert not office.practice.left("ann"), "it is not asked for again"
    found = status(tmp_path / "out")["people"][0]
    assert found["practice"] == 1 and found["done"] == 1 and found["paid"] is not None


def test_feedback_at_the_end_comes_at_the_end(tmp_path: Path) -> None:
    told = kit.rules("ann", feedback="end", pay={"base": 1.0})

    async def main() -> None:
        office = Office.of_folder(kit.plays(tmp_path / "plays", 2), tmp_path / "out", told)
        async with kit.at_work(office):
            ann, had = kit.of(office, "ann"), list[Any]()
            for number in range(2):
                seating = await office.next(ann)
                assert seating is not None
                assert office.feedback(ann, seating) is None, "it has not ended"
                await kit.answer(seating)
                had.append(office.feedback(ann, seating))
                assert (office.progress(ann)["paid"] is None) == (number == 0)
                office.leave(ann, seating)
            assert had[0] is None and had[1] is not None

    anyio.run(main)


def test_nobody_begins_before_they_agree_and_agreeing_is_to_the_text_as_it_is(tmp_path: Path) -> None:
    source, page = kit.plays(tmp_path / "plays", 1), tmp_path / "consent.md"
    page.write_text("# One")

    async def main(asked: bool) -> None:
        office = Office.of_folder(source, tmp_path / "out", kit.rules("ann", consent=str(page), instructions=str(page)))
        async with kit.at_work(office):
            ann = kit.of(office, "ann")
            assert (office.stage(ann) == "consent") == asked
            if asked:
                assert await office.next(ann) is None
                office.consent(ann)
                assert office.stage(ann) == "instructions" and await office.next(ann) is None
                office.read_instructions(ann)
            assert office.stage(ann) == "work"

    anyio.run(main, True)
    anyio.run(main, False)
    page.write_text("# Another")
    anyio.run(main, True)
    assert [line["action"] for line in kit.journal(tmp_path / "out")] == ["consented", "instructed"] * 2


def test_a_clock_stops_where_no_page_gives_a_sign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sitting, "GONE", 0.05)

    async def main() -> None:
        office = Office.of_folder(kit.plays(tmp_path / "plays", 1), tmp_path / "out", kit.rules("ann"))
        async with kit.at_work(office):
            ann = kit.of(office, "ann")
            seating = await office.next(ann)
            assert seating is not None
            await kit.until(lambda: seating.turn)
            turn = seating.turn
            assert turn is not None and not turn.present, "no page was opened yet"
            office.present(ann, seating, True)
            assert turn.present
            await kit.until(lambda: not turn.present)
            seconds = turn.seconds
            await anyio.sleep(0.02)
            assert turn.seconds == seconds
            office.present(ann, seating, True)
            assert turn.present
            office.present(kit.of(office, "ann"), seatings.Seating("ann", "judge", "", seating.browser), False)
            assert turn.present, "that is another play"

    anyio.run(main)
    events = [event for event in moot.load(tmp_path / "out" / "p0.1.jsonl").events() if event["event"] == "acted"]
    assert [event["action"] for event in events][:3] == ["back", "away", "back"]


def test_who_speaks_is_heard_and_never_what(tmp_path: Path) -> None:
    async def main() -> None:
        office = Office.of_study(kit.study(1), tmp_path, kit.rules("ann"))
        async with kit.at_work(office):
            seating = (await kit.sit(office, "ann"))[0]
            assert [each.who for each in seating.heard][-1] == "You" and {each.who for each in seating.heard} == {
                "A",
                "B",
                "You",
            }
            assert [each[1] for each in seating.heard] == [*range(1, len(seating.heard) + 1)]
            assert "says so" not in repr(seating.heard) and seating.asking is None

    anyio.run(main)


def test_fifty_people_at_once_lose_nothing(tmp_path: Path) -> None:
    people = [f"p{number}" for number in range(50)]
    office = Office.of_study(kit.study(10, epochs=5), tmp_path, kit.rules(*people))

    async def main() -> None:
        async with kit.at_work(office) as ended:
            had = await kit.everybody(office)
            await kit.until(lambda: ended)
            assert ended[0].complete and sum(map(len, had.values())) == 50

    anyio.run(main)
    counts = Counter[str]()
    for path in tmp_path.glob("cells/*/*.jsonl"):
        counts.update(event["action"] for event in moot.load(path).events() if event["event"] == "acted")
    assert counts == {"back": 50, "draft": 50, "answered": 50}
    actions = Counter(line["action"] for line in kit.journal(tmp_path))
    assert actions == {"consented": 50, "instructed": 50, "given": 50, "ended": 50, "left": 50}


def test_a_person_in_a_wrapper_is_found_and_another_put_in_their_place() -> None:
    seat, ann = moot.Browser(), moot.Browser("ann")
    other = kit.says
    wrapped = moot.Bounded(moot.Briefed(seat, "look closely"), calls=3)
    made = with_person(wrapped, ann)
    assert person_in(wrapped) is seat and person_in(made) is ann and made is not wrapped
    assert made._act.__self__.agent is ann and wrapped.agent.agent is seat
    assert describe(made)["bound"] == {"calls": "3"}
    assert person_in(other) is None and with_person(other, ann) is other


def test_an_item_is_the_question_however_its_answers_stand() -> None:
    one = moot.Question("Is it so?", ("yes", "no"), id="x")
    assert items_of(one) & items_of(moot.Question("Is it so?", ("no", "yes"), id="y"))
    assert items_of(one) & items_of(moot.Question("Is it so, then?", ("yes", "no"), id="x")), "it was worded anew"
    assert not items_of(one, named=False) & items_of(moot.Question("Is it so, then?", ("yes", "no"), id="x"))
    play = moot.run(moot.Debate(), one, {"debater": kit.says, "judge": kit.says})
    assert items_of(play.question) == items_of(one)


def test_names_tell_neither_seat_nor_order() -> None:
    orders = {tuple(names_of(ROLES, "judge", seed, "ann", "k").items()) for seed in range(40)}
    assert len(orders) == 2 and names_of(ROLES, "judge", 3, "ann", "k") == names_of(ROLES, "judge", 3, "ann", "k")
    assert len({names_of(ROLES, "judge", 3, f"p{n}", "k")["a"] for n in range(40)}) == 2
    roles = {"x": "trader", "y": "trader", "o": "oracle", "judge": "judge", "second": "judge"}
    found = names_of(roles, "judge", 0, "ann", "k")
    assert found == {"x": "trader", "y": "trader 2", "o": "oracle", "judge": "You", "second": "judge"}
    assert names_of(ROLES, "a", 0, "ann", "k") == {"a": "You", "b": "debater", "judge": "judge"}


def test_links_are_unguessable_and_stay_the_same(tmp_path: Path) -> None:
    secret = secret_in(tmp_path)
    assert stat.S_IMODE(os.stat(tmp_path / "secret").st_mode) == 0o600 and secret_in(tmp_path) == secret
    people = People(("ann", "bob"), secret)
    tokens = {each.token for each in people.everybody.values()}
    assert len(tokens) == 2 and all(len(each) == 43 for each in tokens)
    known = "DR8SuBlsUrDbRKVCnIMjAjDAS1re9vpW-c9wxfBEMkI"  # links that were sent stay right in later versions
    assert People(("ann",), bytes(range(32))).everybody["ann"].token == known
    for person in people.everybody.values():
        assert people.of(person.token) == person
        for wrong in (
            "",
            person.token[:-1],
            person.token + "A",
            person.token.swapcase(),
            "é" * 43,
            "\0",
            "x" * 100_000,
            "\ud800",
        ):
            assert people.of(wrong) is None
    (tmp_path / "secret").write_bytes(b"short")
    with pytest.raises(UsageError, match="put it back"):
        secret_in(tmp_path)


def test_every_token_is_compared_with_every_person_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import hmac

    compared: list[bytes] = []
    people = People([f"p{n}" for n in range(5)], b"s" * 32)
    whole = hmac.compare_digest

    def compares(one: bytes, other: bytes) -> bool:
        compared.append(other)
        return whole(one, other)

    monkeypatch.setattr("hmac.compare_digest", compares)
    people.of(people.everybody["p0"].token)
    assert len(compared) == 5
    people.of("wrong")
    assert len(compared) == 10


def test_a_torn_line_of_the_journal_is_cut_and_a_damaged_one_told(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.write("ann", "consented")
    journal.write("ann", "given", key="k" * 70_000, seat="judge", kind=["arm", True], items=["q"])
    journal.close()
    whole = path.read_bytes()
    for torn in (b'{"at": "2026', b"x" * 200_000):
        path.write_bytes(whole + torn)
        assert len(list(lines_in(path))) == 2, "as a reader sees it while it is written"
        Journal(path, "event").close()
        assert path.read_bytes() == whole
    told = {"at": "now", "person": "ann", "action": "given", "key": "k", "seat": "judge"}
    damages: tuple[dict[str, Any], ...] = (
        {"at": 5},
        {"key": None},
        {"seat": ["judge"]},
        {"kind": 5},
        {"kind": [[]]},
        {"items": [1]},
        {"action": "returned", "key": []},
    )
    for damage in damages:
        path.write_bytes(json.dumps({**told, **damage}).encode() + b"\n" + whole)
        with pytest.raises(UsageError, match="line 1 is no line of a journal"):
            list(lines_in(path))
    path.write_bytes(b"torn")
    Journal(path).close()
    assert path.read_bytes() == b""


def test_one_process_has_the_folder(tmp_path: Path) -> None:
    source = kit.plays(tmp_path / "plays", 1)
    office = Office.of_folder(source, tmp_path / "out", kit.rules())
    with pytest.raises(UsageError, match="another process"):
        Office.of_folder(source, tmp_path / "out", kit.rules())
    office.close()
    Office.of_folder(source, tmp_path / "out", kit.rules()).close()


@pytest.mark.parametrize(
    ("judge", "people", "why"),
    [
        (moot.Browser("zoe"), ("ann",), "'zoe', who is not among the people: ann"),
        (kit.says, ("ann",), "no seat is a person's"),
        (moot.Browser(), (), "nobody judges"),
        (moot.Bounded(moot.Browser(away="runs"), reads=9), ("ann",), "judge says away"),
        (moot.Panel(moot.Browser(), moot.Browser()), ("ann", "bob"), "a seat holds 2 people"),
    ],
)
def test_a_study_that_cannot_be_served_says_so(tmp_path: Path, judge: Any, people: tuple[str, ...], why: str) -> None:
    told = kit.rules("ann").model_copy(update={"people": people})
    with pytest.raises(UsageError, match=why):
        Office.of_study(kit.study(1, judge), tmp_path, told)
    assert not (tmp_path / "judging").exists(), "nothing is written"


def test_a_folder_with_nothing_to_judge_says_so(tmp_path: Path) -> None:
    (tmp_path / "plays").mkdir()
    (tmp_path / "plays" / "x.jsonl").write_text("{}\n")
    with pytest.raises(UsageError, match="holds no play that could be judged again"):
        Office.of_folder(tmp_path / "plays", tmp_path / "out", kit.rules())
    with pytest.raises(UsageError, match="give another folder"):
        Office.of_folder(tmp_path / "plays", tmp_path / "plays", kit.rules())
    with pytest.raises(UsageError, match="there is no folder"):
        Office.of_folder(tmp_path / "none", tmp_path / "out", kit.rules())


def test_what_cannot_be_judged_stops_no_other_play(tmp_path: Path) -> None:
    """A play that is damaged after the office has opened: it is told to its person, who goes on."""
    source = kit.plays(tmp_path / "plays", 2)
    office = Office.of_folder(source, tmp_path / "out", kit.rules("ann"))
    (source / "p0.jsonl").write_bytes(b"{}\n")

    async def main() -> None:
        async with kit.at_work(office) as ended:
            had = await kit.sit(office, "ann")
            assert [each.ended for each in had] == [None, "decided"] and had[0].problem
            await kit.until(lambda: ended)
            assert ended[0].outcomes == {"not played": 1, "decided": 1} and ended[0].problems

    anyio.run(main)


def test_links_and_status_need_the_folder_alone(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no people in it"):
        status(tmp_path)
    office = Office.of_folder(kit.plays(tmp_path / "plays", 1), tmp_path / "out", kit.rules())
    found = links(tmp_path / "out", "https://judge.example.org/")
    office.close()
    assert found == {name: f"https://judge.example.org{office.link(name)}" for name in ("ann", "bob")}
    assert status(tmp_path / "out")["left"] == 1
    with pytest.raises(UsageError, match="'zoe' is not among the people"):
        office.link("zoe")


def test_an_answer_that_was_taken_is_not_asked_for_again_and_a_rejected_one_is(tmp_path: Path) -> None:
    """The process is gone between the answer and the move that it makes: the record ends in "answered"."""
    source, out = kit.plays(tmp_path / "plays", 1), tmp_path / "out"

    async def main(wrong: bool) -> None:
        office = Office.of_folder(source, out, kit.rules("ann"))
        async with kit.at_work(office):
            ann = kit.of(office, "ann")
            seating = await office.next(ann)
            assert seating is not None
            if wrong:
                await kit.until(lambda: seating.turn)
                assert seating.turn is not None
                assert seating.turn.answer({"kind": "verdict", "probabilities": [0.1, 0.2, 0.7]})
                await kit.until(lambda: seating.turn)
                assert seating.turn is not None and seating.turn.problem
                assert seating.turn.answer({"kind": "verdict", "probabilities": [0.25, 0.75]})
            await kit.until(lambda: seating.ended)
            assert seating.ended == "decided"

    anyio.run(main, True)
    path = out / "p0.1.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = max(place for place, line in enumerate(lines) if b'"answered"' in line)
    first = min(place for place, line in enumerate(lines) if b'"answered"' in line)
    assert first < last
    path.write_bytes(b"".join(lines[: last + 1]))
    anyio.run(main, False)
    play = moot.load(path)
    assert play.outcome is not None and play.answers["judge"] == (0.25, 0.75)
    assert sum(event.get("action") == "answered" for event in play.events()) == 2


def test_a_person_may_judge_the_plays_of_an_arm_again(tmp_path: Path) -> None:
    made = kit.study(2, kit.says).rejudge(moot.Bounded(moot.Browser(), reads=5000), of="plain", name="by people")
    office = Office.of_study(made, tmp_path, kit.rules("ann"))

    async def main() -> None:
        async with kit.at_work(office) as ended:
            had = await kit.sit(office, "ann")
            await kit.until(lambda: ended)
            assert ended[0].outcomes == {"decided": 4} and len(had) == 2
            assert all(each.transcript is not None and each.transcript.parent is not None for each in had)

    anyio.run(main)
    judged = [row for row in rows_in(tmp_path) if row["arm"] == "by people"]
    assert {tuple(row["belief"]) for row in judged} == {(0.75, 0.25)}


def test_the_table_of_a_study_is_kept_as_it_is_and_read_by_the_judging(tmp_path: Path) -> None:
    (tmp_path / "q.jsonl").write_text('{"id": "q", "question": "Is it?", "choices": ["yes", "no"]}\n')
    (tmp_path / "yes.md").write_text("# Agree?")
    (tmp_path / "s.toml").write_text(
        'name = "s"\nquestions = "q.jsonl"\n[protocols]\ndebate = {}\n[seats]\ndebater = "local"\njudge = "browser"\n'
        '[judging]\npeople = 2\nconsent = "yes.md"\n'
    )
    made = study_from(tmp_path / "s.toml")
    assert made.judging == {"people": 2, "consent": "yes.md"} and made.beside == tmp_path
    told = rules_from(made.judging, made.beside, "judging")
    assert told.people == ("p1", "p2") and told.consent == "# Agree?"
    with pytest.raises(UsageError, match="judging is 3"):
        kit.study(1, judging=3)
    with pytest.raises(UsageError, match="leave out executor and batch"):
        anyio.run(lambda: made.arun(tmp_path / "out", by=kit.says, batch=True))  # type: ignore[arg-type]
    plain = kit.study(1, judging={"people": ["ann"]})
    assert plain.design.digest == kit.study(1).design.digest, "who judges is no part of what is compared"


def test_who_sat_in_a_recorded_play_does_not_judge_it_again(tmp_path: Path) -> None:
    source, desk = kit.plays(tmp_path / "plays", 1), moot.Browser("ann")

    async def main() -> None:
        async with anyio.create_task_group() as group:
            seats = {"debater": kit.says, "judge": desk}
            group.start_soon(partial(moot.arun, moot.Debate(), kit.sample("mine"), seats, out=source / "mine.jsonl"))
            (await desk.next()).answer(kit.VERDICT)

    anyio.run(main)
    office = Office.of_folder(source, tmp_path / "out", kit.rules("ann", "bob", judgements=2))
    office.close()
    others = [job.key for job in office.source.jobs() if "mine" not in job.key]
    for job in office.source.jobs():
        office.queue.offer(job)
    taken = office.queue.take("ann")
    assert taken is not None and taken.key in others and office.queue.take("ann") is None
    assert {place.key.partition(".")[0] for place in iter(lambda: office.queue.take("bob"), None)} == {"p0", "mine"}


def broken_off(source: Path, out: Path, *people: str) -> Office:
    """An office of a folder in which ann has opened a statement, and was gone."""

    async def main() -> None:
        office = Office.of_folder(source, out, kit.rules(*people))
        async with kit.at_work(office):
            seating = await office.next(kit.of(office, "ann"))
            await kit.until(lambda: seating is not None and seating.turn)
            office.present(kit.of(office, "ann"), seating, True)  # type: ignore[arg-type]

    anyio.run(main)
    return Office.of_folder(source, out, kit.rules(*people))


def test_what_somebody_cannot_go_on_with_for_a_full_disk_stays_theirs(tmp_path: Path) -> None:
    office = broken_off(kit.plays(tmp_path / "plays", 1), tmp_path / "out", "ann", "bob")

    def full(*_: Any, **__: Any) -> Any:
        raise OSError(28, "No space left on device")

    async def main() -> None:
        async with kit.at_work(office):
            ann, write = kit.of(office, "ann"), office.journal.write
            office.journal.write = full  # type: ignore[method-assign]
            with pytest.raises(OSError, match="No space"):
                await office.next(ann)
            office.journal.write = write  # type: ignore[method-assign]
            assert not office.queue.can("bob") and office.queue.can("ann")
            assert (seating := await office.next(ann)) is not None
            await kit.answer(seating)
            assert seating.ended == "decided"

    anyio.run(main)


def test_a_play_that_cannot_be_written_breaks_off_and_the_office_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.web.judging.work.sitting.GONE", 0.0)
    source, out = kit.plays(tmp_path / "plays", 2), tmp_path / "out"
    office = Office.of_folder(source, out, kit.rules("ann"))
    write = Writer.__call__

    def full(writer: Writer, line: bytes) -> None:
        raise TranscriptError("no room")

    async def main() -> None:
        async with kit.at_work(office) as ended:
            ann = kit.of(office, "ann")
            assert (seating := await office.next(ann)) is not None
            await kit.until(lambda: seating.turn)
            office.present(ann, seating, True)
            monkeypatch.setattr(Writer, "__call__", full)  # and nobody gives a sign any more
            await kit.until(lambda: seating.problem)
            monkeypatch.setattr(Writer, "__call__", write)
            office.leave(ann, seating)
            assert [each.ended for each in await kit.sit(office, "ann")] == ["decided"]
            await kit.until(lambda: ended)

    anyio.run(main)
    again = Office.of_folder(source, out, kit.rules("ann"))

    async def taken_up() -> None:
        async with kit.at_work(again) as ended:
            assert [each.ended for each in await kit.sit(again, "ann")] == ["decided"]
            await kit.until(lambda: ended)

    anyio.run(taken_up)
    assert status(out)["done"] == 2


@pytest.mark.parametrize(
    "line",
    [
        {"action": "given"}, {"action": "returned", "key": "p0.1"}, {"action": "given", "key": 3, "seat": "judge"},
        {"action": "given", "key": "p0.1", "seat": "judge", "items": [[1]]}, {"action": "given", "key": "p0.1", "seat": "judge", "kind": 7},
    ],
)  # fmt: skip
def test_a_line_that_was_edited_is_told(tmp_path: Path, line: dict[str, Any]) -> None:
    source, out = kit.plays(tmp_path / "plays", 1), tmp_path / "out"
    Office.of_folder(source, out, kit.rules("ann")).close()
    (out / "judging" / "journal.jsonl").write_text(json.dumps({"at": "now", "person": "ann", **line}) + "\n")
    for look in (lambda: Office.of_folder(source, out, kit.rules("ann")), lambda: status(out)):
        with pytest.raises(moot.UsageError, match="line 1 is no line of a journal"):
            look()


def test_who_was_never_asked_in_a_play_spent_no_time_on_it(tmp_path: Path) -> None:
    arms = {
        "dry": moot.Arm(moot.Debate(), {"a": moot.Bounded(kit.says, calls=0), "b": kit.says, "judge": moot.Browser()})
    }
    office = Office.of_study(kit.study(1, arms=arms), tmp_path, kit.rules("ann"))

    async def main() -> None:
        async with kit.at_work(office):
            assert [each.ended for each in await kit.sit(office, "ann")] == ["exhausted"]

    anyio.run(main)
    (ann,) = status(tmp_path)["people"]
    assert ann["done"] == 1 and ann["seconds"] == 0


def test_time_that_is_over_is_told_to_its_end(tmp_path: Path) -> None:
    office = Office.of_study(kit.study(1, moot.Bounded(moot.Browser(), seconds=0.05)), tmp_path, kit.rules("ann"))

    async def idle(seating: seatings.Seating) -> None:
        await kit.until(lambda: seating.ended)

    async def main() -> None:
        async with kit.at_work(office):
            assert [each.ended for each in await kit.sit(office, "ann", idle)] == ["exhausted"]

    anyio.run(main)
    assert seconds_of(found_in(next(tmp_path.glob("cells/*/*.jsonl"))), "ann") >= 0.05  # type: ignore[operator]
