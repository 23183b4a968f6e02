"""What a search keeps of moves that it listed itself: who can reach it, when it holds, how much it is."""

from __future__ import annotations

from enum import Enum
from itertools import product
from typing import Annotated, Any, ClassVar, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field

import moot
from moot.complexity.search import options, retrace
from moot.complexity.search.options import every_move, offered, offered_at
from moot.complexity.search.retrace import Retraced
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Asked
from moot.protocols.engine.values.frozen import remade
from moot.protocols.games.qbf import Assign
from moot.tasks.logic.tqbf import TQBF, MatrixJudge

TWO = moot.Question("Which?", ("x", "y"))
FEW = settings(deadline=None, max_examples=12)


class Bit(moot.Move, filled=("mark",)):
    kind: Literal["vetted-bit"] = "vetted-bit"
    bit: bool
    mark: int | float | bool | str | tuple[int, ...] = 0


class Thought(moot.Move, private_fields=("thought",)):
    kind: Literal["vetted-thought"] = "vetted-thought"
    bit: bool
    thought: str = ""


class Listed(moot.Move):
    kind: Literal["vetted-listed"] = "vetted-listed"
    bit: bool
    more: list[int] = []


class Bits(Protocol):
    """a sets a few bits; `marks` tells what the protocol fills in, by what was said before. The judge pays a."""

    zero_sum: ClassVar[bool] = True
    count: int = 2
    kind: Any = Bit
    to: tuple[str, ...] | None = None
    marks: Any = None
    also: Any = None

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater", "judge": "judge"}

    def utility_bound(self, question: moot.Question) -> float:
        return 1.0

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        said: list[bool] = []
        for _ in range(self.count):
            before = tuple(said)

            def check(move: Any, before: Any = before) -> Any:
                if self.marks is None and getattr(move, "mark", None):
                    raise moot.Illegal("the protocol marks moves itself")
                return move if self.marks is None else remade(move, {"mark": self.marks(before, move.bit)})

            said.append((await floor.ask("a", self.kind, check=check, to=self.to)).bit)
        verdict = await floor.ask("judge", moot.Verdict, view=floor.said("judge"))
        paid = verdict.probabilities[0]
        return moot.Decided(verdict, payoffs={"a": paid, "b": -paid}, step=floor.step)


MARKS = st.sampled_from([0, False, 0.0, -0.0, 1, True, 1.0, 10**30, "1", "", (1,), (True,), ()])


@FEW
@given(st.lists(MARKS, min_size=14, max_size=14))
def test_what_a_search_says_is_what_a_play_says_of_equal_values_that_are_not_the_same(marks: list[Any]) -> None:
    """1, 1.0 and True are equal, and not the same on the record: the hash of what the judge is shown is that of a play."""
    protocol = Bits(count=3, marks=lambda before, bit: marks[len(before) * 4 + 2 * sum(before) % 4 + bit])
    seen: list[tuple[tuple[bool, ...], str]] = []

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append((tuple(entry.move.bit for entry in request.view), request.digest))  # type: ignore[attr-defined]
        return moot.Verdict.sure(1)

    moot.solve(protocol, TWO, moves={"a": None}, seats={"judge": judge, "b": judge})
    assert len({bits for bits, _ in seen}) == 8
    for bits, digest in seen:
        game = moot.Game(protocol, TWO).start()
        for bit in bits:
            game.answer(next(iter(game.open)), Bit(bit=bit))
        assert game.request("3").digest == digest


@pytest.mark.parametrize("kind", [Bit, Listed])
def test_a_judge_who_writes_over_what_it_was_shown_changes_no_other_end(kind: Any) -> None:
    """Python cannot keep it from that; what it writes over is a move of this one end."""
    shown: list[Any] = []

    def judge(request: moot.Request) -> moot.Verdict:
        move: Any = request.view[-1].move
        shown.append((move.bit, *getattr(move, "more", ())))
        if all(entry.move.bit for entry in request.view):  # type: ignore[attr-defined]
            return moot.Verdict(probabilities=(0.5, 0.5))
        move.__dict__.update(bit=True, mark=5)
        if kind is Listed:
            list.append(move.more, 9)
        return moot.Verdict.sure(1)

    found = moot.solve(Bits(count=2, kind=kind), TWO, moves={"a": None}, seats={"judge": judge, "b": judge})
    assert shown[:4] == [(False,), (True,)] * 2 and found.leaves == 4


@pytest.mark.parametrize("best", [(False, False, False), (False, True, False)])
def test_a_judge_who_writes_over_what_it_was_shown_changes_no_line_that_was_found(best: tuple[bool, ...]) -> None:
    def judge(request: moot.Request) -> moot.Verdict:
        bits = tuple(entry.move.bit for entry in request.view)  # type: ignore[attr-defined]
        if bits[0]:
            request.view[-1].move.__dict__["bit"] = not bits[-1]
        return moot.Verdict(probabilities=(0.5, 0.5) if bits == best else (0.0, 1.0))

    found = moot.solve(Bits(count=3), TWO, moves={"a": None}, seats={"judge": judge, "b": judge})
    assert found.leaves == 8 and tuple(entry.move.bit for entry in found.line[:3]) == best  # type: ignore[attr-defined]


def test_a_judge_who_writes_over_an_assignment_changes_no_other_play() -> None:
    def forges(request: moot.Request) -> moot.Verdict:
        for entry in request.view:
            object.__setattr__(entry.move, "value", True)
            entry.move.__dict__["value"] = True
        return moot.Verdict.sure(0)

    sample = TQBF().sample(3, 1)
    seats: dict[str, Any] = dict.fromkeys("ab", lambda request: Assign(value=False))
    for judge in (forges, lambda request: moot.Verdict.sure(0)):
        ended = moot.run(moot.QBFDebate(), sample, {**seats, "judge": judge})
    assert [step.move["value"] for step in ended.steps() if step.seat != "judge"] == [False] * 3


@pytest.mark.parametrize("to", [None, ("judge",)])
def test_what_a_move_keeps_private_is_shown_to_nobody_in_a_search_either(to: Any) -> None:
    """Nor does the hash of a request tell it: it is that of a play."""
    seen: list[tuple[str, str]] = []
    protocol, mine = Bits(count=1, kind=Thought, to=to), Thought(bit=True, thought="mine")

    def judge(request: moot.Request) -> moot.Verdict:
        seen.append((request.view[0].move.thought, request.digest))  # type: ignore[attr-defined]
        return moot.Verdict.sure(0 if seen[-1][0] else 1)

    found = moot.solve(protocol, TWO, moves={"a": lambda request: [mine]}, seats={"judge": judge, "b": judge})
    game = moot.Game(protocol, TWO).start()
    game.answer("0", mine)
    assert set(seen) == {("", game.request("1").digest)}
    assert found.value["a"] == 0 and found.line[0].move == mine


class Words(Protocol):
    """a picks one of many lists of words, b the one word of it, which says how many it is."""

    zero_sum: ClassVar[bool] = True

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "debater", "b": "debater"}

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        picked = await floor.ask("a", Word, one_of={"text": [f"{i:03}" for i in range(100)]})
        word = await floor.ask("b", Word, one_of={"text": [f"{(int(picked.text) * 37) % 100:03}"]})
        paid = int(word.text) / 1000
        return moot.Decided(moot.Verdict.sure(0), payoffs={"a": paid, "b": -paid}, step=floor.step)


class Word(moot.Move):
    kind: Literal["vetted-word"] = "vetted-word"
    text: str


@pytest.mark.parametrize("kept", [retrace.KEPT, 3])
def test_what_is_kept_holds_its_moves_and_is_bounded(monkeypatch: pytest.MonkeyPatch, kept: int) -> None:
    """Lists that are let go give their ids to others."""
    monkeypatch.setattr(retrace, "KEPT", kept)
    most, vet = [0], Retraced.vet

    def counted(game: Retraced, *args: Any, **more: Any) -> Any:
        taken = vet(game, *args, **more)
        most[0] = max(most[0], len(game._known))
        if len(most) < 150:
            options._listed.cache_clear()
        return taken

    monkeypatch.setattr(Retraced, "vet", counted)
    found = moot.solve(Words(), TWO, seats={})
    assert found.value["a"] == 0.099 and found.leaves == 100 and 3 <= most[0] <= kept
    assert found.line[1].move.text == "099"  # type: ignore[attr-defined]


class First(Bits):
    """What the first free seat says decides at once; `read` are the moves that were looked at."""

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        def check(move: Word) -> Word:
            self.also.append(move.text)
            return move

        word = await floor.ask("a", Word, check=check)
        paid = 1.0 if word.text == "0" else 0.0
        return moot.Decided(moot.Verdict.sure(0), payoffs={"a": paid, "b": -paid}, step=floor.step)


def test_what_is_pruned_away_is_not_read_but_for_the_next_few() -> None:
    """A move that wins all there is to win settles its seat; of the ten thousand beside it no more are read than at a time."""
    read: list[str] = []
    many: Any = lambda request: [Word(text=str(i)) for i in range(10_000)]  # noqa: E731
    found = moot.solve(First.model_construct(also=read), TWO, moves={"a": many}, seats={"b": many, "judge": many})  # fmt: skip
    assert found.value["a"] == 1 and found.leaves == 1 and len(read) <= 4 + 2  # and the line, once or twice


def test_the_judge_of_a_formula_reads_each_literal_once() -> None:
    """Its bound holds of any formula of the task's form, those included that are true by their last literals alone."""
    data: Any = {"prefix": [["e", [v]] for v in range(1, 15)], "clauses": [[1, 2, -3]] * 22}
    reads: list[int] = []

    def judge(request: moot.Request) -> Any:
        verdict = MatrixJudge().act(request)
        reads.append(request.budget.reads)
        return verdict

    question = moot.Question("tqbf", ("true", "false"), data=data, size=14, unit="cells")
    seats: dict[str, Any] = dict.fromkeys("ab", lambda request: Assign(value=False))
    ended = moot.run(moot.QBFDebate(), question, {**seats, "judge": moot.Bounded(judge, reads=TQBF.reads)})
    assert isinstance(ended.outcome, moot.Decided) and ended.outcome.verdict.choice == 0
    assert reads == [14 + 3 * 22]


# -- what is listed -----------------------------------------------------------------------------------------------------


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Painted(moot.Move, filled=("needed", "given")):
    kind: Literal["vetted-painted"] = "vetted-painted"
    colour: Colour
    needed: bool
    given: bool = False


class Picked(moot.Move):
    kind: Literal["vetted-picked"] = "vetted-picked"
    text: Annotated[str, Asked(choices="text")]
    name: Literal["m", "n", "o"]
    number: Annotated[int, Field(ge=2, lt=9)] = 2


def test_enumerations_and_what_the_protocol_fills_in_though_it_is_required() -> None:
    listed: Any = every_move((Painted,))
    wanted = [(colour, needed, False) for colour in Colour for needed in (False, True)]
    assert [(move.colour, move.needed, move.given) for move in listed] == wanted


@FEW
@given(st.lists(st.sampled_from("mnop"), max_size=3), st.integers(0, 12), st.lists(st.sampled_from("xyz"), max_size=3))
def test_what_the_brief_says_narrows_what_the_type_says(names: list[str], below: int, texts: list[str]) -> None:
    """The texts of the brief, and not the choices of the question; numbers from the type's least one to the lower of two ends."""
    brief = {"one_of": {"text": texts, "name": names}, "below": {"number": below}}
    listed: Any = every_move((Picked,), brief, ("yes", "no"))
    wanted = product(dict.fromkeys(texts), [n for n in "mno" if n in names], range(2, min(9, below)))
    assert [(move.text, move.name, move.number) for move in listed] == list(wanted)


@pytest.mark.parametrize(("fields", "fits"), [((100, 100), True), ((101, 100), False), ((100, 101), False)])
def test_so_many_moves_are_listed_and_no_more(fields: tuple[int, int], fits: bool) -> None:
    class Pair(moot.Move):
        kind: Literal["vetted-pair"] = "vetted-pair"
        one: int
        two: int

    brief = {"below": {"one": fields[0], "two": fields[1]}}
    if fits:
        assert len(every_move((Pair,), brief)) == options.MOST
    else:
        with pytest.raises(moot.UsageError, match="kind Pair has more than 10000 moves; give a function"):
            every_move((Pair,), brief)


def test_lists_of_no_length_that_is_told_stay_at_their_default() -> None:
    listed: Any = every_move((Listed,), {"below": {"more": 2}})
    assert [move.more for move in listed] == [[], []]
    listed = every_move((Listed,), {"one_of": {"more": ["1", "1", "2"]}, "least": {"more": 1}})
    assert [move.more for move in listed] == [[1], [2], [1, 2]] * 2


# -- what is offered ----------------------------------------------------------------------------------------------------


class Own(Bits):
    def worth_trying(self, request: moot.Request) -> Any:
        return None if request.brief.get("task") == "free" else [Bit(bit=True)]

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", Bit, task=self.also)
        return moot.Decided(await floor.ask("judge", moot.Verdict))


@pytest.mark.parametrize(("protocol", "bits", "kept"), [
    (Bits(), [False, True], True), (Own(also="free"), [False, True], False), (Own(also="bound"), [True], False),
])  # fmt: skip
def test_what_a_protocol_says_comes_first(protocol: Protocol, bits: list[bool], kept: bool) -> None:
    game = Retraced(protocol, TWO).start()
    moves, listed = offered_at(game, "0", {})
    assert [move.bit for move in moves] == [move.bit for move in offered(game.request("0")).moves] == bits  # type: ignore[attr-defined]
    assert listed is kept and (not kept or moves is every_move((Bit,), {}, TWO.choices))


def test_a_request_of_nobodys_play_is_offered_what_its_fields_say() -> None:
    request = Retraced(Own(also="bound"), TWO).start().request("0")
    request.facts = None
    assert [move.bit for move in offered(request).moves] == [False, True]  # type: ignore[attr-defined]


class Beside(Own):
    """Asks in a branch of its own."""

    def worth_trying(self, request: moot.Request) -> Any:
        return super().worth_trying(request)

    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        await floor.parallel(floor.ask("a", Bit, task="bound"), floor.ask("b", Bit, task="bound"))
        return moot.Decided(await floor.ask("judge", moot.Verdict))


class Around(Bits):
    async def play(self, floor: Floor, question: moot.Question) -> moot.Decided:
        return await floor.play(Beside(), question)


def test_in_a_branch_of_a_play_inside_another_the_inner_protocol_says_it() -> None:
    game = Retraced(Around(), TWO).start()
    for step in game.open:
        moves, listed = offered_at(game, step, {})
        assert [move.bit for move in moves] == [True] and not listed  # type: ignore[attr-defined]
