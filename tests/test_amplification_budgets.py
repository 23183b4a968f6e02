"""What amplification costs at most, the budget rule of ALBA against a reference of it, and overseers of ill will."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.amplification.amplification import Amplification, Open, Reply, StrongAmplification, Subquestions
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.programs.programs import Overseer

QUESTION = moot.Question("Which?", ("x", "y"))


def answer(request: moot.Request, text: str = "z") -> Reply:
    return Reply(answer="x" if request.view.question.choices else text)


def calls(transcript: moot.Transcript) -> int:
    return transcript.ledger.seats["overseer"].calls


class Greedy:
    """Asks as many new questions as it may, whenever it may."""

    def __init__(self) -> None:
        self.numbers = count()

    def act(self, request: moot.Request) -> Any:
        if Subquestions not in request.kinds:
            return answer(request)
        most = min(request.brief["most"]["questions"], request.brief.get("budget", 99))
        return Subquestions(questions=tuple(f"q{next(self.numbers)}" for _ in range(most)))


def test_the_defaults_keep_a_model_to_what_they_say() -> None:
    t = moot.run(Amplification(), QUESTION, {"overseer": Greedy()})
    assert t.ledger.questions is not None and t.ledger.questions.unique == 43
    assert calls(t) == 57 and Amplification().most_moves(QUESTION) == {"overseer": 57}
    assert "43 questions and 57 calls" in str(Amplification.__doc__)


@settings(deadline=None, max_examples=40)
@given(
    st.none() | st.integers(0, 3), st.integers(1, 3), st.integers(1, 3), st.integers(1, 12), st.none() | st.integers(0, 30),
    st.booleans(), st.booleans(), st.integers(0, 10**6),
)  # fmt: skip
def test_no_overseer_calls_for_more_than_the_bound(
    depth: int | None, width: int, turns: int, questions: int, budget: int | None, memo: bool, model: bool, seed: int
) -> None:
    protocol = Amplification(
        depth=depth, width=width, turns=turns, questions=questions, budget=budget, memo=memo, model=model
    )
    bound = protocol.most_moves(QUESTION)
    assert bound is not None
    random = Random(seed)

    def any_move(request: moot.Request) -> Any:
        """Asks, repeats and answers at random, its own question among what it asks."""
        if Subquestions not in request.kinds or random.random() < 0.2:
            return answer(request)
        asked = tuple(random.choice("abc?") for _ in range(random.randint(1, request.brief["most"]["questions"])))
        return Subquestions(questions=asked, budgets=tuple(random.choice([None, 0, 3, 10**9]) for _ in asked))

    for overseer in (Greedy(), any_move):
        t = moot.run(protocol, QUESTION, {"overseer": overseer, **({"model": answer} if model else {})})
        assert t.outcome is not None and t.outcome.kind in ("decided", "forfeited")
        for seat, most in bound.items():
            assert t.ledger.seats[seat].calls - t.ledger.seats[seat].rejected <= most


def alba(script: dict[str, list[tuple[str, int | None] | None]], question: str, budget: int, seen: list[Any]) -> int:
    """Christiano's loop (2017), one command at a time; what is left. script: what is asked, or None to open a pointer."""
    for command in script.get(question, []):
        seen.append((question, budget))
        if budget <= 0:
            return 0
        if command is None:
            budget -= 1
            continue
        asked, wanted = command
        given = min(budget - 1, budget // 10 if wanted is None else wanted)
        budget -= given - alba(script, asked, given, seen) + 1
    seen.append((question, budget))
    return max(0, budget - 1)


commands = st.lists(st.none() | st.tuples(st.none(), st.none() | st.integers(0, 40)), max_size=4)


@settings(deadline=None, max_examples=60)
@given(st.lists(commands, min_size=1, max_size=5), st.integers(0, 120))
def test_one_question_at_a_time_the_budget_is_alba_s_to_the_unit(tree: list[list[Any]], budget: int) -> None:
    """Question k asks question k + 1, as often as the script says, with the budget that the script requests."""
    names = ["Which?", *(f"{i} [s]" for i in range(1, len(tree)))]
    script: dict[str, list[Any]] = {}
    for i, listed in enumerate(tree):
        may = [each for each in listed if each is None and i or each is not None and i + 1 < len(tree)]
        script[str(i)] = [None if each is None else (str(i + 1), each[1]) for each in may]
    expected: list[Any] = []
    alba(script, "0", budget, expected)
    seen: list[Any] = []

    def act(request: moot.Request) -> Any:
        text = request.view.question.text
        number = "0" if text == "Which?" else text.split()[0]
        seen.append((number, request.brief["budget"]))
        done = sum(not isinstance(entry.move, Reply) for entry in request.view)
        if len(request.kinds) == 1 or done == len(script[number]):
            return answer(request)
        command = script[number][done]
        if command is None:
            return Open(pointer=text.split()[1])
        return Subquestions(questions=(names[int(command[0])],), budgets=(command[1],))

    protocol = StrongAmplification(depth=None, turns=9, budget=budget, memo=False)
    t = moot.run(protocol, QUESTION, {"overseer": act})
    assert isinstance(t.outcome, moot.Decided) and seen == expected


def test_opening_a_pointer_costs_one() -> None:
    left = []

    def act(request: moot.Request) -> Any:
        left.append(request.brief["budget"])
        if request.view.question.choices:
            return answer(request) if len(request.view) else Subquestions(questions=("open [it]",), budgets=(4,))
        if Open in request.kinds:
            return Open(pointer=request.view.question.text.split()[1])
        return answer(request)

    t = moot.run(StrongAmplification(depth=None, turns=99, budget=9), QUESTION, {"overseer": act})
    assert left == [9, 4, 3, 2, 1, 0, 4] and isinstance(t.outcome, moot.Decided)


def test_a_question_without_words_is_refused() -> None:
    def act(request: moot.Request) -> Any:
        return answer(request) if request.problem else Subquestions(questions=("why", " \n"))

    t = moot.run(Amplification(), QUESTION, {"overseer": act})
    assert isinstance(t.outcome, moot.Decided) and "a sub-question is empty" in str(list(t.events()))


def test_who_wrote_a_message_may_point_to_it_again() -> None:
    from moot.protocols.pointers import pointer_to

    def act(request: moot.Request) -> Any:
        if not request.view.question.choices:
            return answer(request)
        if len(request.view) < 3:
            return Subquestions(
                questions=("what is [a secret]" if not len(request.view) else f"again {pointer_to('a secret')}",)
            )
        return answer(request)

    t = moot.run(StrongAmplification(), QUESTION, {"overseer": act})
    assert isinstance(t.outcome, moot.Decided) and t.ledger.seats["overseer"].rejected == 0


def test_choices_are_no_messages_and_a_question_has_to_be_one() -> None:
    pair = moot.Question("Which list of [1, 2] is sorted?", ("[1, 2]", "[2, 1]"))
    t = moot.run(StrongAmplification(), pair, {"overseer": lambda request: Reply(answer="[1, 2]")})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 0
    for text in ("Which of ]?", "What is &0123456789ab?"):
        with pytest.raises(moot.UsageError, match="is no message"):
            moot.run(StrongAmplification(), moot.Question(text, ("x", "y")), {"overseer": answer})


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@settings(deadline=None, max_examples=10)
@given(st.integers(0, 10**6))
def test_the_order_of_answers_changes_nothing_not_even_which_circle(backend: str, seed: int) -> None:
    """Two branches of a wave that ask each other's question."""
    asks = {"Which?": ("a", "b", "c"), "a": ("b",), "b": ("a",), "c": ("d", "a")}

    def overseer(random: Random) -> Any:
        async def act(request: moot.Request) -> Any:
            for _ in range(random.randint(0, 5)):
                await anyio.lowlevel.checkpoint()
            text = request.view.question.text
            return Subquestions(questions=asks[text]) if text in asks and not len(request.view) else answer(request)

        return act

    def play(random: Random) -> moot.Transcript:
        async def main() -> moot.Transcript:
            return await moot.arun(Amplification(depth=None), QUESTION, {"overseer": overseer(random)})

        return anyio.run(main, backend=backend)

    one, two = play(Random(seed)), play(Random(-seed - 1))
    assert isinstance(one.outcome, moot.Forfeited)
    assert one.outcome.rule == "questions wait for each other: a -> b -> a"
    assert one.digest == two.digest


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 24), st.integers(0, 99))
def test_a_bound_on_the_whole_play_is_dealt_out_in_each_wave(size: int, seed: int) -> None:
    """What a play spends in all, and a share for each call of its widest wave, is enough; what it spends may not be."""
    sample = Sum().sample(size, seed)

    def play(**bound: int) -> moot.Transcript:
        protocol = Amplification(depth=None, width=2, turns=9)
        return moot.run(protocol, sample, {"overseer": moot.Bounded(Overseer(Sum()), reads_per_call=3, **bound)})

    free = play()
    spent = free.ledger.seats["overseer"].reads
    assert spent is not None
    wide = play(reads=spent + 2 * size)
    assert isinstance(wide.outcome, moot.Decided) and wide.outcome == free.outcome
    tight = play(reads=spent)
    assert tight.outcome == free.outcome or isinstance(tight.outcome, moot.Exhausted)
    if isinstance(tight.outcome, moot.Exhausted):
        assert tight.outcome.measure == "reads" and tight.outcome.limit < spent


@settings(deadline=None, max_examples=15)
@given(st.integers(0, 10**6), st.floats(0, 1))
def test_cut_off_anywhere_and_resumed_in_another_order_it_is_the_same_play(seed: int, where: float) -> None:
    """Half of a line may stand at the end, and asks of a wave that were never answered before it."""
    sample = Sum().sample(12, 1)

    def overseer(random: Random) -> Any:
        async def act(request: moot.Request) -> Any:
            for _ in range(random.randint(0, 4)):
                await anyio.lowlevel.checkpoint()
            return Overseer(Sum()).act(request)

        return moot.Bounded(act, reads_per_call=3)

    with TemporaryDirectory() as folder:
        path = Path(folder) / "play.jsonl"
        protocol = Amplification(depth=None, width=2, turns=9)
        whole = moot.run(protocol, sample, {"overseer": overseer(Random(seed))}, out=path)
        data = path.read_bytes()
        first = data.index(b"\n") + 1
        path.write_bytes(data[: first + int(where * (len(data) - first - 1))])
        if moot.load(path).outcome is None:
            again = moot.resume(path, {"overseer": overseer(Random(-seed - 1))})
            assert again.digest == whole.digest and again.outcome == whole.outcome
        assert moot.replay(moot.load(path)).digest == whole.digest
