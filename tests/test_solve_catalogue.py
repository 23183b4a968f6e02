"""Exact solving without a list of moves: every protocol of the catalogue, and what is found of fields, brief and question."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, product
from typing import Annotated, Any, ClassVar, Literal

import pytest
from catalogue_kit import OURS, question_for
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

import moot
from moot.complexity.search import options, retrace
from moot.complexity.search.options import every_move
from moot.protocols.amplification.moves import Reply
from moot.protocols.debate.clue_oversight import Clue
from moot.protocols.engine.base import Protocol, known_protocols
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Asked
from moot.protocols.games.circuit_debate import pointer_moves
from moot.protocols.games.geography import Go, Stuck, steps
from moot.protocols.games.reachability import middles
from moot.tasks.base import task_named
from moot.testing.checks.laws import LAWS, LawBroken

SOLVED = {
    "no rounds", "qbf debate", "reachability", "geography", "circuit walk", "circuit pointer", "pixel debate without precommit",
    "clue oversight", "approval", "blind approval", "approval with an earlier model",
}  # fmt: skip
"""All that anybody but the judge may do is finite."""
REFUSED = {"pixel debate": "seat 'b' does not see what 'a' said", "clue critiques": "pays seat 'critic' nothing"}
"""Finite, and no game of one move after another, or none for payoffs."""
ENDLESS = {
    "Speech.text": "debate, sequential, swapped, questions, judge with source, metered source, limits, clipped, brier, spherical, "
    "parts, negotiate, until agreed, until the judge ends, queries, queries of a consultancy, open debate, "
    "open debate with questions, consultancy, second answer, open consultancy, propaganda, double consultancy, "
    "double consultancy apart, critique, critique with reply, interactive debate, interactive debate with examiner, concession, "
    "concession in turn, consultant concedes, both seatings, both seatings of two consultancies",
    "Verdict.probabilities": "judge alone, judge with passage",  # there is only the judge
    "Split.left": "bisection",  # any two whole numbers
    "Subquestions.questions": "amplify, amplify with budget, amplify without memory, amplify with pointers, amplify with a model",
    "Price.probabilities": "market, market examined, market with pointers, market uncited, market that stands, "
    "market that stands with pointers",
    "Challenge.addresses": "cross-examination, cross-examination uncopied",  # only the task knows the table
    "Strength.elo": "nested oversight",  # any real number
    "Decomposition.claims": "decomposition debate, decomposition debate with pointers",
    "Estimate.probability": "prover-estimator",
    "Assertion.text": "recursive debate, recursive debate clipped, tree debate",
    "Probability.p": "doubly-efficient",
    "Examination.addresses": "doubly-efficient deterministic",  # as texts, and any number of them
    "Witness.values": "doubly-efficient witness",
    "Draw.text": "specification, specification without a source",
    "Proposal.answer": "proposer and critic, proposer and critic swapped, fresh debate, fresh debate swapped",
}
"""The first field of which there are infinitely many values."""
FIELDS = {name: field for field, names in ENDLESS.items() for name in names.split(", ")}
FEW = settings(deadline=None, max_examples=30)


def neutral(request: moot.Request) -> moot.Move:
    """A judge, or an overseer, that holds the first answer for more probable."""
    choices = request.view.question.choices
    if moot.Verdict in request.kinds:
        count = len(choices)
        return moot.Verdict(probabilities=(0.75, *(0.25 / (count - 1) for _ in choices[1:])))
    return Reply(answer=choices[0])


def parts_of(name: str) -> tuple[moot.Question, dict[str, Any]]:
    """The question of a play, and who sits at the seats that are no debater's. A protocol of one role alone has it free."""
    protocol, question = OURS[name], question_for(name)
    roles = protocol.roles(question)
    others = (
        {"overseer", "earlier"} if "approval" in name else {seat for seat, role in roles.items() if role == "judge"}
    )
    return question, dict.fromkeys(others & set(roles) if others != set(roles) else (), neutral)


def test_every_protocol_is_said_to_be_solved_or_why_not() -> None:
    assert set(OURS) == SOLVED | set(REFUSED) | set(FIELDS) and len(OURS) == len(SOLVED) + len(REFUSED) + len(FIELDS)
    own = {name for name, each in known_protocols().items() if each.__module__.startswith("moot.protocols.")}
    assert {each.name for each in OURS.values()} == own


@pytest.mark.parametrize("name", OURS)
def test_every_protocol_without_a_list_of_moves(name: str) -> None:
    question, seats = parts_of(name)
    if name in SOLVED:
        found = moot.solve(OURS[name], question, seats=seats, limit=3000)
        assert found.value and (found.positions > 0) == (name != "no rounds")
        return
    says = REFUSED.get(name)
    if says is None:
        kind, field = FIELDS[name].split(".")
        says = rf"step [\d.]+: seat '\w+' has no finite options: the moves of kind {kind} cannot be listed: its field '{field}'"
        says += r" is neither finite nor has a default; give a function from the request to the moves"
    with pytest.raises(moot.UsageError, match=says):
        moot.solve(OURS[name], question, seats=seats, limit=3000)


@pytest.mark.parametrize(
    ("protocol", "task", "size", "explicit"),
    [("geography", "geography", 5, steps), ("reachability", "reach", 4, middles), ("circuit-pointer", "circuit-value", 3, pointer_moves)],
)  # fmt: skip
def test_the_value_is_that_of_the_explicit_list(protocol: str, task: str, size: int, explicit: Any) -> None:
    for seed in range(2):
        sample = task_named(task).sample(size, seed)
        made, seats = task_named(task).staged(protocol, sample)
        judge = {"judge": seats["judge"]}
        found = moot.solve(made, sample, seats=judge)
        listed = moot.solve(made, sample, moves={"a": explicit, "b": explicit}, seats=judge)
        half = moot.solve(made, sample, moves={"a": None, "b": explicit}, seats=judge)
        assert found.value == listed.value == half.value and found.line == listed.line
        assert (found.positions, found.leaves) == (listed.positions, listed.leaves)
        assert found.value["ab"[sample.unseal() or 0]] == 1


def test_what_geography_says_is_worth_trying_loses_nothing() -> None:
    """Against every vertex and giving up, before the judge who keeps to the rules, on every graph of 3 vertices."""

    def everything(request: moot.Request) -> Iterator[moot.Move]:
        yield from (Go(vertex=vertex) for vertex in range(3))
        yield Stuck()

    judge = task_named("geography").staged("geography", task_named("geography").sample(3, 0))[1]["judge"]
    for a, b, c, d, e, f in product((0, 1), repeat=6):
        data: Any = {"start": 0, "edges": [[0, a, b], [c, 0, d], [e, f, 0]]}
        question = moot.Question("wins(0)", ("yes", "no"), data=data, size=9, unit="cells")
        found = moot.solve(moot.Geography(), question, seats={"judge": judge})
        whole = moot.solve(moot.Geography(), question, moves={"a": everything, "b": everything}, seats={"judge": judge})
        assert found.value == whole.value


NARROWED = {
    "qbf debate": (), "circuit walk": (), "no rounds": (),
    "geography": ("Go, Stuck: what geography finds worth trying",),
    "approval": ("Claim.answer: what the brief tells", "Claim.text: its default", "Claim.quotes: its default"),
    "clue oversight": ("Clue.clue: what the brief tells", "Clue.targets: what the brief tells, each once and in that order",
                       "Clue.quotes: its default"),
}  # fmt: skip


@pytest.mark.parametrize("name", NARROWED)
def test_a_solution_says_which_moves_were_not_tried(name: str) -> None:
    question, seats = parts_of(name)
    assert moot.solve(OURS[name], question, seats=seats, limit=3000).narrowed == NARROWED[name]


def test_a_judge_that_goes_by_what_was_not_tried_is_told_of() -> None:
    """One that does not check steps, or counts targets that are named twice: another value, of every move."""

    def trusting(request: moot.Request) -> moot.Verdict:
        won = (
            request.view[-1].seat == "a"
            if not isinstance(request.view[-1].move, Stuck)
            else request.view[-1].seat == "b"
        )
        return moot.Verdict(probabilities=(float(won), float(not won)))

    def counting(request: moot.Request) -> moot.Verdict:
        clue: Any = request.view[0].move
        count, most = clue.targets.count(clue.targets[0]) if clue.targets else 0, len(request.view.question.choices)
        return moot.Verdict(probabilities=tuple(float(i == min(count, most - 1)) for i in range(most)))

    data: Any = {"start": 0, "edges": [[0, 0, 0], [0, 0, 1], [1, 0, 0]]}
    question = moot.Question("wins(0)", ("yes", "no"), data=data, size=9, unit="cells")
    every: Any = lambda request: [*(Go(vertex=vertex) for vertex in range(3)), Stuck()]  # noqa: E731
    found = moot.solve(moot.Geography(), question, seats={"judge": trusting})
    whole = moot.solve(moot.Geography(), question, moves={"a": every, "b": every}, seats={"judge": trusting})
    assert found.value != whole.value and found.narrowed and whole.narrowed == ()
    question, clue = question_for("clue oversight"), OURS["clue oversight"]
    data = question.data
    word, good = next(iter(data["similarities"])), data["good_words"][0]
    twice: Any = lambda request: [Clue(clue=word, targets=(good,) * n) for n in range(3)]  # noqa: E731
    seats: Any = {"judge": counting}
    found, whole = (
        moot.solve(clue, question, seats=seats),
        moot.solve(clue, question, moves={"cluer": twice}, seats=seats),
    )
    assert (found.value, whole.value) == ({"cluer": 1.0}, {"cluer": 2.0}) and found.narrowed


def test_what_a_leader_did_not_try_is_said_as_well() -> None:
    question, judge = question_for("geography"), {"judge": neutral}
    found = moot.stackelberg(moot.Geography(), question, "a", moves={"a": None, "b": None}, seats=judge)
    assert found.narrowed == NARROWED["geography"]
    only: Any = lambda request: [Stuck()]  # noqa: E731
    assert moot.stackelberg(moot.Geography(), question, "a", moves={"a": None, "b": only}, seats=judge).narrowed
    assert not moot.stackelberg(moot.Geography(), question, "a", moves={"a": only, "b": only}, seats=judge).narrowed


def test_the_protocol_inside_another_says_what_is_worth_trying() -> None:
    class Outer(Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return moot.Geography().roles(question)

        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            return await floor.play(moot.Geography(), question)

    question = question_for("geography")
    within = moot.solve(Outer(), question, seats={"judge": neutral})
    assert within.value == moot.solve(moot.Geography(), question, seats={"judge": neutral}).value and within.positions


# -- what is found of fields, brief and question --------------------------------------------------------------------


class Told(moot.Move, filled=("seen",)):
    kind: Literal["told"] = "told"
    word: str
    number: int
    bits: tuple[Annotated[int, Field(ge=0, le=1)], ...] = ()
    seen: bool = False


@FEW
@given(
    st.lists(st.text("ab", min_size=1, max_size=2), max_size=3), st.integers(0, 3), st.integers(0, 2), st.integers(0, 2)
)
def test_the_brief_says_what_there_is(words: list[str], below: int, least: int, most: int) -> None:
    brief = {"one_of": {"word": words}, "below": {"number": below}, "least": {"bits": least}, "most": {"bits": most}}
    listed = every_move((Told,), brief)
    lists = [each for size in range(least, most + 1) for each in product((0, 1), repeat=size)]
    wanted = [Told(word=w, number=i, bits=b) for w in dict.fromkeys(words) for i in range(below) for b in lists]
    assert list(listed) == wanted
    words.append("later")  # what the script does to its list afterwards
    assert len(every_move((Told,), brief)) == len({*words}) * below * len(lists)


@FEW
@given(st.sets(st.text("abc", min_size=1, max_size=2), max_size=4), st.integers(0, 4), st.integers(0, 4))
def test_lists_of_texts_are_parts_of_what_there_is(words: set[str], least: int, most: int) -> None:
    brief = {
        "one_of": {"clue": ["x"], "targets": sorted(words)},
        "least": {"targets": least},
        "most": {"targets": most},
    }
    sizes = range(least, min(most, len(words)) + 1)
    assert [each.targets for each in every_move((Clue,), brief)] == [  # type: ignore[attr-defined]
        part for size in sizes for part in combinations(sorted(words), size)
    ]


def test_choices_of_the_question() -> None:
    class Text(moot.Move):
        kind: Literal["texted"] = "texted"
        answer: Annotated[str, Asked(choices="text", besides=("?",))]

    assert [each.choice for each in every_move((moot.Answer,), {}, ("x", "y", "z"))] == [0, 1, 2]  # type: ignore[attr-defined]
    assert [each.answer for each in every_move((Text,), {}, ("x", "y"))] == ["x", "y", "?"]  # type: ignore[attr-defined]
    for kind in (moot.Answer, Text):
        with pytest.raises(moot.UsageError, match="cannot be listed"):
            every_move((kind,))


def test_equal_keys_that_are_not_the_same_do_not_share_moves() -> None:
    class One(moot.Move):
        kind: Literal["one"] = "one"
        word: str

    assert every_move((One,), {"one_of": {"word": ["1"]}})[0].word == "1"  # type: ignore[attr-defined]
    given = every_move((One,), {"one_of": {"word": [1, True]}})  # no texts, and 1 == True
    assert [each.word for each in given] == ["1", "True"]  # type: ignore[attr-defined]
    assert [each.number for each in every_move((Told,), {"one_of": {"word": ["w"]}, "below": {"number": True}})] == [0]  # type: ignore[attr-defined]


def test_what_a_class_refuses_is_passed_over_and_too_many_are_refused() -> None:
    class Few(moot.Move):
        kind: Literal["few"] = "few"
        addresses: Annotated[tuple[str, ...], Field(min_length=1, max_length=1)]

    assert len(every_move((Few,), {"one_of": {"addresses": ["p", "q", "r"]}})) == 3
    for brief in (
        {"one_of": {"addresses": [str(i) for i in range(40)]}},
        {"one_of": {"addresses": map(str, range(15))}},
    ):
        with pytest.raises(moot.UsageError, match="kind Few has more than 10000 moves"):
            every_move((Few,), brief)
    with pytest.raises(moot.UsageError, match="more than 10000 moves"):
        every_move((Told,), {"one_of": {"word": ["w"]}, "below": {"number": 1}, "most": {"bits": 10**9}})


def test_what_is_kept_of_lists_is_bounded() -> None:
    for number in range(200):
        every_move((Told,), {"one_of": {"word": [f"w{number}"]}, "below": {"number": 1}})
    kept = options._listed.cache_info()
    assert kept.maxsize is not None and kept.currsize <= kept.maxsize <= 64


# -- a play that is led along ---------------------------------------------------------------------------------------


class Anew(moot.QBFDebate):
    """Cannot tell from the moves where they have led, so that every search makes them again."""

    name: ClassVar[str] = "anew"

    def onward(self, floor: Floor, question: moot.Question, moves: Any) -> Any:
        return None if moves else super().onward(floor, question, moves)


def never_true(variables: int) -> moot.Question:
    """A formula without a true assignment, each of which is an end of a play."""
    data: Any = {"prefix": [["e", [v]] for v in range(1, variables + 1)], "clauses": [[1], [-1]]}
    return moot.Question("tqbf", ("true", "false"), data=data, size=99, unit="cells")


@pytest.mark.parametrize("onward", [True, False])
def test_the_work_of_an_end_does_not_grow_with_the_depth(monkeypatch: pytest.MonkeyPatch, onward: bool) -> None:
    """An ask is made once for what is open, never again for each of two moves there, nor for moves that are made again; and where
    the protocol says how to go on, none is made again: the script says nothing of those, and nothing is handed over."""
    made: dict[str, int] = {}

    def counting(kind: Any, name: str) -> None:
        call = getattr(kind, name)

        def counted(*args: Any, **more: Any) -> Any:
            made[name] = made.get(name, 0) + 1
            return call(*args, **more)

        monkeypatch.setattr(kind, name, counted)

    counting(Floor, "ask")
    counting(Floor, "said")
    counting(retrace, "_say")
    judge = task_named("tqbf").programs()["matrix-judge"]()
    for variables in (4, 8):
        made.clear()
        found = moot.solve(moot.QBFDebate() if onward else Anew(), never_true(variables), seats={"judge": judge})
        assert found.leaves == 2**variables
        most = found.positions + found.leaves + 2 * (variables + 1) + 1  # and the line that was found, twice
        assert made["ask"] <= most
        if onward:
            assert made["said"] <= most and made["_say"] <= most


@settings(FEW, max_examples=15)
@given(st.data())
def test_where_moves_lead_is_where_the_script_goes_on(data: Any) -> None:
    """Each protocol that says how to go on after moves, against its play led along them: the same is asked, of the same."""
    name = data.draw(st.sampled_from(["qbf debate", "geography"]))
    made, question = OURS[name], question_for(name)
    onward, along = retrace.Retraced(made, question), retrace.Retraced(made, question)
    onward.start()
    trail: list[retrace.Taken] = []
    while onward.outcome is None:
        (step,) = onward.open
        ask = onward.open[step].ask
        if ask.seat == "judge":
            options: Any = [neutral(onward.request(step))]
        else:  # every vertex, too, and those that there are not
            options = every_move(ask.kinds, {"below": {"vertex": 6}})
        trail.append(onward.vet(step, data.draw(st.sampled_from(options))))
        onward.repeat(trail[-1])
        onward.restart(trail)
        along._onward = lambda taken: None  # type: ignore[method-assign]
        along.restart(trail)
        seen = [
            [(s, w.branch.last, w.ask.seat, w.ask.kinds, w.ask.under, w.ask.relation, game.request(s).digest, game.request(s).brief)
             for s, w in game.open.items()] for game in (onward, along)
        ]  # fmt: skip
        assert seen[0] == seen[1] and onward.outcome == along.outcome


class Turned(moot.QBFDebate):
    """Another script: one seat alone sets every variable."""

    name: ClassVar[str] = "turned"

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        data: Any = question.data
        for _ in data["prefix"]:
            await floor.ask("a", moot.Stop, view=floor.said())
        said: Any = [entry.move for entry in floor.said()]
        paid = float(sum(move.stop for move in said) == 1)
        return moot.Decided(moot.Verdict(probabilities=(1.0, 0.0)), payoffs={"a": paid, "b": -paid}, step=floor.step)


def test_what_is_said_of_one_script_is_not_taken_for_another() -> None:
    """Neither how to go on nor what is worth trying is that of a class whose script is another one."""

    class Wanders(moot.Geography):
        name: ClassVar[str] = "wanders"

        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            return await super().play(floor, question)

    class Mixed(Turned, Anew):
        name: ClassVar[str] = "mixed"

    found = moot.solve(Turned(), never_true(3), seats={"judge": neutral, "b": neutral})
    assert found.value["a"] == 1 and len(found.line) == 3
    assert Anew.tells("onward") and moot.Geography.tells("onward")
    assert not any(kind.tells("onward") for kind in (Turned, Mixed, Wanders))
    with pytest.raises(moot.UsageError, match="its field 'vertex' is neither finite"):
        moot.solve(Wanders(), question_for("geography"), seats={"judge": neutral})
    assert moot.solve(
        Wanders(), question_for("geography"), moves={"a": steps, "b": steps}, seats={"judge": neutral}
    ).value


@pytest.mark.long
def test_a_script_that_goes_on_elsewhere_breaks_the_law() -> None:
    class Astray(moot.QBFDebate):
        name: ClassVar[str] = "astray"

        def onward(self, floor: Floor, question: moot.Question, moves: Any) -> Any:
            return super().onward(floor, question, moves[:-1] if len(moves) > 1 else moves)

    with pytest.raises(LawBroken, match="led along"):
        LAWS["led_back"](Astray(), questions=st.just(never_true(2)), examples=20)


class Apart(Protocol):
    """Asks at the same time, keeps asks before it awaits them, in the other order, and goes by what was said."""

    zero_sum: ClassVar[bool] = True

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater"}

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        first = await floor.ask("a", moot.Stop)
        both = await floor.parallel(floor.ask("a", moot.Stop), floor.ask("a", moot.Stop))
        later, sooner = floor.ask("b", moot.Stop, task="later"), floor.ask("b", moot.Stop, task="sooner")
        told = [(await sooner).stop, (await later).stop]
        await floor.ask("a", moot.Stop, to=("b",))
        last = await floor.ask("b", moot.Stop, say=False)
        count = len(floor.said())
        paid = float(first.stop) + 2 * both[1].stop - 4 * told[0] + 8 * told[1] - 16 * last.stop + count
        return moot.Decided(moot.Verdict(probabilities=(1.0, 0.0)), payoffs={"a": paid, "b": -paid}, step=floor.step)


def test_asks_that_are_kept_and_branches_are_led_along() -> None:
    question = moot.Question("Which?", ("x", "y"))
    found = moot.solve(Apart(), question, seats={})
    assert found.value == {"a": 1 + 2 - 4 + 0 - 16 + 5, "b": -(1 + 2 - 4 + 0 - 16 + 5)}
    said = {entry.step: entry.move for entry in found.line}
    assert list(said) == ["0", "1.0.0", "1.1.0", "2", "3", "4", "5"]
    seats = dict.fromkeys("ab", lambda request: said[request.step])
    assert moot.run(Apart(), question, seats).outcome == found.outcome


class Late(Protocol):
    """Makes an ask before another and awaits it after that: what its seat is shown is what had been said when it was made."""

    together: bool = False

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater"}

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        async def late() -> list[bool]:
            later, sooner = floor.ask("b", moot.Stop), floor.ask("b", moot.Stop)
            return [(await sooner).stop, (await later).stop]

        paid = [(await floor.ask("a", moot.Stop)).stop, (await floor.ask("a", moot.Stop)).stop]
        paid += (await floor.parallel(late()))[0] if self.together else await late()
        paid.append((await floor.ask("a", moot.Stop)).stop)
        total = sum(each << place for place, each in enumerate(paid))
        verdict = moot.Verdict(probabilities=(1.0, 0.0))
        return moot.Decided(verdict, payoffs={"a": float(total), "b": 0.0}, step=floor.step)


@pytest.mark.parametrize("together", [False, True])
def test_an_ask_that_is_kept_shows_what_had_been_said_when_it_was_made(together: bool) -> None:
    shown: dict[str, set[int]] = {}

    def b(request: moot.Request) -> moot.Move:
        shown.setdefault(request.step, set()).add(len(request.view))
        return moot.Stop(stop=len(request.view) == 2)

    question = moot.Question("Which?", ("x", "y"))
    found = moot.solve(Late(together=together), question, moves={"a": None}, seats={"b": b})
    assert list(shown.values()) == [{2}, {2}] and found.value["a"] == 31
    game = retrace.Retraced(Late(together=together), question)
    game.start()
    trail: list[retrace.Taken] = []
    while game.outcome is None:  # led along all but the last one or two, and asked the rest
        (step,) = game.open
        count = len(game.request(step).view)
        for back in range(min(4, len(trail) + 1)):
            game.restart(trail[: len(trail) - back])
            for taken in trail[len(trail) - back :]:
                game.repeat(taken)
            assert len(game.request(step).view) == count
        trail.append(game.vet(step, moot.Stop(stop=True)))
        game.repeat(trail[-1])


def test_a_script_that_goes_another_way_is_told_where() -> None:
    seen: list[int] = []

    class Fickle(Apart):
        async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
            seen.append(0)
            await floor.ask("a" if len(seen) < 3 else "b", moot.Stop)
            await floor.ask("b", moot.Stop)
            return moot.Decided(moot.Verdict(probabilities=(1.0, 0.0)), payoffs={"a": 0.0, "b": 0.0})

    with pytest.raises(moot.ProtocolError, match=re.escape("did not come to step 0: it is no pure script")):
        moot.solve(Fickle(), moot.Question("Which?", ("x", "y")), seats={})
