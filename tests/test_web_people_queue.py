"""The queue of people: nobody gets two sides of a question, nothing is given twice, seatings are in balance, whatever comes when."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moot.web.judging.work.queue import Job, Place, Queue

PEOPLE = ("ann", "bob", "cy", "di")
KINDS = [(arm, swapped) for arm in ("one", "two") for swapped in (False, True)]


def grid(items: int, kinds: int, seats: int = 1, start: int = 0) -> list[Job]:
    """Every question under every kind, with so many seats for people."""
    return [
        Job(f"{item}/{place}", frozenset({f"q{item}", f"name:q{item}"}), kind, {f"s{n}": None for n in range(seats)})
        for item in range(start, start + items) for place, kind in enumerate(KINDS[:kinds])
    ]  # fmt: skip


class World:
    """An office in small: it checks after every step what may never be. Restarts keep what a journal would."""

    def __init__(self, made: type[Queue], jobs: list[Job], most: int | None = None) -> None:
        self.made, self.jobs, self.most = made, {job.key: job for job in jobs}, most
        self.log: list[tuple[str, Place]] = []
        self.over: set[str] = set()
        self.live: dict[str, Place] = {}
        self.begin()

    def begin(self) -> None:
        """Start, or start again: who sat somewhere sits nowhere until they ask."""
        self.live = {}
        self.queue = self.made(PEOPLE, self.most)
        for job in self.jobs.values():
            self.queue.know(job)
        for person, place in self.log:
            self.queue.restore(person, place, self.jobs[place.key].kind, self.jobs[place.key].items)
        for key in self.over:
            self.queue.drop(key)
        for key, job in self.jobs.items():
            if key not in self.over:
                self.queue.offer(job)

    def ask(self, person: str) -> Place | None:
        if person in self.live:
            return None
        place = self.queue.take(person)
        if place is None:
            return None
        before = [each for who, each in self.log if who == person]
        if place not in before:
            self.log.append((person, place))
            items = self.jobs[place.key].items
            assert all(items.isdisjoint(self.jobs[each.key].items) for each in before), "two sides of a question"
        assert place.key not in self.over, "it was over"
        assert Counter(each for _, each in self.log)[place] == 1, "two people in one seat"
        self.live[person] = place
        return place

    def end(self, person: str, final: bool) -> None:
        """A play ends for good where all its seats are taken, or fails, and is tried again after a restart."""
        if person not in self.live:
            return
        key = self.live[person].key
        sitting = [who for who, place in self.live.items() if place.key == key]
        if len(sitting) < len(self.jobs[key].seats):
            return
        for each in sitting:
            del self.live[each]
        self.queue.drop(key)
        if final:
            self.over.add(key)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("ask"), st.sampled_from(PEOPLE)),
        st.tuples(st.sampled_from(["end", "fail"]), st.sampled_from(PEOPLE)),
        st.tuples(st.just("restart"), st.just("")),
    ),
    max_size=60,
)


def walk(made: type[Queue], steps: list[tuple[str, str]], seats: int, most: int | None) -> World:
    world = World(made, grid(6, 4, seats), most)
    for what, person in steps:
        if what == "restart":
            world.begin()
        elif what == "ask":
            world.ask(person)
        else:
            world.end(person, final=what == "end")
    return world


@settings(max_examples=120, deadline=None)
@given(STEPS, st.sampled_from([1, 2]), st.sampled_from([None, 3]))
def test_whatever_comes_when_nobody_sees_two_sides_and_nothing_is_given_twice(
    steps: list[tuple[str, str]], seats: int, most: int | None
) -> None:
    world = walk(Queue, steps, seats, most)
    for person in PEOPLE:
        number = len({place.key for who, place in world.log if who == person})
        assert number == world.queue.number(person) and (most is None or number <= most)
        left = [place for who, place in world.log if who == person and place.key not in world.over]
        world.live.pop(person, None)
        if left:  # after a restart they get what they left, and nothing else
            world.begin()
            assert world.ask(person) in left


class Forgetful(Queue):
    """Which forgets what people have seen."""

    def saw(self, person: str, items: Any) -> None:
        pass


class Generous(Queue):
    """Which offers what is taken again after a restart."""

    def offer(self, job: Job) -> None:
        held = self.taken.pop(job.key, None)
        super().offer(job)
        if held is not None:
            self.taken[job.key] = held


@pytest.mark.parametrize(("mutant", "why"), [(Forgetful, "two sides"), (Generous, "two sides|two people")])
def test_a_queue_that_is_wrong_is_found_out(mutant: type[Queue], why: str) -> None:
    steps = [(what, person) for _ in range(6) for person in PEOPLE for what in ("ask", "end")]
    steps = [*steps[:5], ("restart", ""), *steps]
    with pytest.raises((AssertionError, ValueError), match=why):
        walk(mutant, steps, 1, None)
    walk(Queue, steps, 1, None)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(PEOPLE), st.booleans()), max_size=70))
def test_what_each_person_has_had_of_every_kind_differs_by_one_at_most(order: list[tuple[str, bool]]) -> None:
    world = World(Queue, grid(80, 4))
    for person, restarted in order:
        world.ask(person)
        world.end(person, final=True)
        if restarted:
            world.begin()
        for each in PEOPLE:
            counts = [world.queue.counts[each][kind] for kind in KINDS]
            assert max(counts) - min(counts) <= 1


def test_people_in_turn_keep_the_totals_within_one() -> None:
    world = World(Queue, grid(12, 4))
    for number in range(24):
        assert world.ask(PEOPLE[number % 4])
        world.end(PEOPLE[number % 4], final=True)
        totals = [world.queue.totals[kind] for kind in KINDS]
        assert max(totals) - min(totals) <= 1, totals


def test_every_cell_is_had_where_there_are_people_enough() -> None:
    world = World(Queue, grid(5, 4))
    for _ in range(30):
        for person in PEOPLE:
            world.ask(person)
            world.end(person, final=True)
    assert len(world.over) == 20 and not world.queue.lost() and not any(map(world.queue.possible, PEOPLE))


def test_who_can_have_nothing_more_is_known() -> None:
    world = World(Queue, grid(1, 4))
    world.ask("ann")
    assert world.queue.possible("bob") and not world.queue.can("ann")
    world.end("ann", final=True)
    assert not world.queue.possible("ann") and world.queue.possible("bob")


def test_a_play_that_nobody_can_take_is_lost_and_who_waited_in_it_is_free() -> None:
    queue = Queue(("ann", "bob"))
    both, other = grid(1, 2, seats=2)[0], grid(1, 1, start=3)[0]
    queue.offer(both)
    place = queue.take("ann")
    assert place is not None and not queue.lost(), "bob may come"
    queue.saw("bob", ["q0"])
    assert queue.lost() == [both.key]
    queue.give_back("ann", place, both.items)
    queue.drop(both.key)
    queue.offer(other)
    assert queue.number("ann") == 0 and queue.take("ann") == Place(other.key, "s0")


def test_a_seat_of_somebody_s_own_is_theirs_alone() -> None:
    queue = Queue(("ann", "bob", "cy"))
    queue.offer(Job("k", frozenset({"q"}), (), {"judge": "bob", "a": None}))
    assert queue.take("ann") == Place("k", "a")
    assert queue.take("cy") is None and queue.take("bob") == Place("k", "judge")
    queue.offer(Job("l", frozenset({"r"}), (), {"judge": "bob", "a": None}))
    assert queue.take("bob") == Place("l", "judge"), "and not another's"


def test_ten_thousand_plays_are_no_wait() -> None:
    world = World(Queue, grid(2500, 4))
    begun = time.perf_counter()
    for _ in range(50):
        for person in PEOPLE:
            world.queue.take(person)
            world.queue.can(person)
            world.queue.possible(person)
    world.queue.lost()
    assert time.perf_counter() - begun < 2


def test_a_look_at_ten_thousand_plays_for_a_hundred_people_is_no_wait() -> None:
    queue = Queue([f"p{number}" for number in range(100)], most=1)
    for job in grid(2500, 4):
        queue.offer(job)
    for person in queue.people[:-1]:
        queue.take(person)
    begun = time.perf_counter()
    assert queue.lost() == []
    assert time.perf_counter() - begun < 0.25
    begun = time.perf_counter()
    for _ in range(20):
        assert not any(map(queue.possible, queue.people[:-1]))
    assert time.perf_counter() - begun < 1, "who is done is not asked about again"


def test_seats_that_the_people_left_cannot_all_take_are_lost() -> None:
    queue = Queue(("ann", "bob", "cy", "di"))
    for key, own in (("k", ("ann", "ann", None, None)), ("l", ("ann", None, None, "bob"))):
        queue.offer(Job(key, frozenset({key}), (), {f"s{place}": whom for place, whom in enumerate(own)}))
    assert queue.lost() == ["k"], "two of its seats are ann's, who sits in one"


def test_who_is_done_may_be_needed_once_more() -> None:
    queue = Queue(("ann", "bob"))
    job, other = grid(1, 1)[0], grid(1, 1, start=1)[0]
    queue.offer(job)
    place = queue.take("ann")
    assert place is not None and not queue.possible("ann") and not queue.possible("bob")
    queue.give_back("ann", place, job.items)
    assert queue.possible("ann") and queue.can("bob")
    assert queue.take("bob") == place and not queue.possible("ann")
    queue.know(other)
    assert queue.possible("ann") and not queue.can("ann")


def test_what_was_left_is_there_for_its_person_once_however_many_plays_they_may_have() -> None:
    queue = Queue(("ann", "bob"), most=1)
    job = grid(1, 1)[0]
    queue.know(job)
    queue.restore("ann", Place(job.key, "s0"), job.kind, job.items)
    assert queue.possible("ann") and not queue.can("ann"), "it comes back"
    queue.offer(job)
    assert queue.take("ann") == Place(job.key, "s0") and not queue.can("ann") and not queue.possible("ann")
    queue.put_back("ann", Place(job.key, "s0"))
    assert queue.can("ann") and not queue.can("bob")


def test_a_play_whose_seat_was_given_back_waits_for_nobody() -> None:
    queue = Queue(("ann", "bob"))
    first, second = grid(2, 1, seats=2)
    queue.offer(first)
    queue.offer(second)
    place = queue.take("ann")
    assert place is not None and place.key == first.key
    queue.give_back("ann", place, first.items)
    assert queue.take("bob") == Place(first.key, "s1"), "whose other seat is free, as before"
    assert queue.take("ann") == Place(first.key, "s0"), "as bob is there"
