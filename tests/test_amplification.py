"""Amplification: the question DAG, its budgets and bounds, circles, and the programs that follow a task's rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.rules import Look, Rule, evaluate
from moot.protocols.amplification.amplification import Amplification, Open, Reply, Subquestions
from moot.protocols.engine.moves import UNKNOWN
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import Task
from moot.tasks.programs.market_programs import slip
from moot.tasks.programs.programs import Overseer, rounds

DEEP = {"depth": None, "width": 64, "turns": 64, "questions": 100_000}
Act = Callable[[moot.Request], Any]


class Counting(Task):
    """Questions "n": the number of partitions of n steps into ones and twos (Fibonacci), or a circle where data says so."""

    name: ClassVar[str] = "counting-steps"
    complexity_class: ClassVar[str] = "P"
    about: ClassVar[str] = "how many ways"
    reads: ClassVar[str] = "2"
    source: ClassVar[str] = "a test"

    def data(self, size: int, random: Random) -> Any:
        return {"circle": False}

    def ask(self, data: Any, random: Random) -> str:
        return "9"

    def truth(self, data: Any, text: str) -> str:
        a, b = 1, 1
        for _ in range(int(text)):
            a, b = b, a + b
        return str(a)

    def wrong(self, data: Any, text: str, random: Random) -> str:
        return slip(self.truth(data, text), random)

    def rule(self, text: str, look: Look) -> Rule:
        n = int(text)
        if n < 2:
            return "1" if not look("circle") else (yield (str(n + 1),))[0]
        (one,) = yield (str(n - 1),)
        (two,) = yield (str(n - 2),)
        return UNKNOWN if UNKNOWN in (one, two) else str(int(one) + int(two))


def deep(**changed: Any) -> Amplification:
    return Amplification(**{**DEEP, **changed})


def moves(transcript: moot.Transcript) -> list[dict[str, Any]]:
    return [dict(step.move) for step in transcript.steps() if step.move is not None]


def asked(transcript: moot.Transcript) -> Iterator[str]:
    """The questions that were answered, in order."""
    return (move["of"] for move in moves(transcript) if move["kind"] == "reply")


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 40), st.integers(0, 10**6))
def test_the_rule_gives_the_truth_in_play_and_each_question_is_answered_once(size: int, seed: int) -> None:
    sample = Sum().sample(size, seed)
    t = moot.run(deep(), sample, {"overseer": moot.Bounded(moot.Copies(Overseer(Sum())), reads_per_call=Sum.reads)})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == sample.unseal()
    answered = list(asked(t))
    assert len(answered) == len(set(answered)) == 2 * size - 1
    assert (
        t.guarantee.holds and t.guarantee.measure == "overseer reads_per_call" and t.guarantee.complexity_class == "EXP"
    )
    assert t.ledger.seats["overseer"].reads_per_call == (1 if size == 1 else 2)
    assert moot.replay(t).digest == t.digest


def test_equal_questions_make_a_dag_and_without_memory_a_tree() -> None:
    sample = Counting().sample(9)
    memoised = moot.run(deep(), sample, {"overseer": Overseer(Counting())})
    tree = moot.run(deep(memo=False), sample, {"overseer": Overseer(Counting())})
    assert len(list(asked(memoised))) == 10
    assert len(list(asked(tree))) == 109  # 2·F(10) − 1, F(10) = 55
    for t in (memoised, tree):
        assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.text == "55"
    assert evaluate(Counting(), sample.question.data, "9") == "55"


def test_a_circle_is_refused_and_named() -> None:
    question = moot.Question("2", ("1", "3"), data={"circle": True}, size=3, unit="cells")
    t = moot.run(deep(), question, {"overseer": Overseer(Counting())})
    assert isinstance(t.outcome, moot.Forfeited)
    assert t.outcome.rule == "questions wait for each other: 2 -> 1 -> 2"
    assert not t.guarantee.holds
    with pytest.raises(moot.UsageError, match="'2' needs its own answer: 2 -> 1 -> 2"):
        evaluate(Counting(), {"circle": True}, "2")


def test_a_question_that_asks_itself_is_told_so_and_may_think_again() -> None:
    def act(request: moot.Request) -> Any:
        return Reply(answer="x") if request.problem else Subquestions(questions=("Which?",))

    t = moot.run(deep(), moot.Question("Which?", ("x", "y")), {"overseer": act})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 0
    assert t.ledger.seats["overseer"].rejected == 1


def test_by_depth_the_same_question_may_come_again_and_ends() -> None:
    def act(request: moot.Request) -> Any:
        return (
            Subquestions(questions=("Which?",))
            if Subquestions in request.kinds and not len(request.view)
            else Reply(answer="x" if not len(request.view) else request.view[-1].move.content())
        )

    t = moot.run(Amplification(depth=5), moot.Question("Which?", ("x", "y")), {"overseer": act})
    assert isinstance(t.outcome, moot.Decided) and len(list(asked(t))) == 6


def test_an_unknown_part_decides_nothing() -> None:
    sample = Sum().sample(8, 1)
    t = moot.run(Amplification(depth=2), sample, {"overseer": Overseer(Sum())})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice is None
    assert t.outcome.verdict.text == "the overseer does not know"


def test_questions_over_the_limit_are_answered_at_once() -> None:
    t = moot.run(deep(questions=4), Sum().sample(8, 1), {"overseer": Overseer(Sum())})
    replies = [m for m in moves(t) if m["kind"] == "reply"]
    assert len(replies) == 9 and sum(m["answer"] == UNKNOWN for m in replies) == 6


def alba(most: int) -> Act:
    """Asks one sub-question for all it may spend, as long as it may, and answers with its budget at that moment."""

    def act(request: moot.Request) -> Any:
        left = request.brief["budget"]
        if Subquestions in request.kinds and not len(request.view) and left > most:
            return Subquestions(questions=("part",), budgets=(left,))
        return Reply(answer=request.view.question.choices[0] if request.view.question.choices else str(left))

    return act


def test_the_budget_rule() -> None:
    t = moot.run(Amplification(depth=None, budget=10), moot.Question("Which?", ("x", "y")), {"overseer": alba(0)})
    replies = [m["answer"] for m in moves(t) if m["kind"] == "reply"]
    # 10 gives 9 and keeps 0 beside the 1 that asking costs, and so on down to 0, where nothing can be asked.
    assert replies[0] == "0" and len(replies) == 11
    record = []

    def default(request: moot.Request) -> Any:
        record.append((request.view.question.text, request.brief["budget"]))
        if request.view.question.text == "Which?" and not len(request.view):
            return Subquestions(questions=("p", "q"))
        return Reply(answer="x")

    moot.run(Amplification(depth=None, budget=100), moot.Question("Which?", ("x", "y")), {"overseer": default})
    # shares of 100 // 10 and 89 // 10; each part spends 1 on its answer, and the rest comes back: 100 - 11 - 9 + 9 + 7
    assert record == [("Which?", 100), ("p", 10), ("q", 8), ("Which?", 96)]


def test_a_budget_does_not_pay_for_more_questions_than_it_has() -> None:
    def act(request: moot.Request) -> Any:
        return Reply(answer="x") if request.problem else Subquestions(questions=("p", "q", "r"))

    t = moot.run(Amplification(depth=None, budget=2), moot.Question("Which?", ("x", "y")), {"overseer": act})
    assert "a budget of 2 does not pay for 3 questions" in str(list(t.events()))


def test_a_call_that_reads_too_much_ends_the_play() -> None:
    t = moot.run(deep(), Sum().sample(8, 1), {"overseer": moot.Bounded(Overseer(Sum()), reads_per_call=1)})
    assert isinstance(t.outcome, moot.Exhausted) and t.outcome.measure == "reads_per_call"
    assert (t.outcome.used, t.outcome.limit) == (2, 1) and not t.guarantee.holds


def test_the_model_answers_the_parts_and_sees_none_of_the_rest() -> None:
    seen = []

    def model(request: moot.Request) -> Any:
        seen.append((request.view.question.text, len(request.view)))
        return Reply(answer=Sum().truth(request.view.question.data, request.view.question.text))

    sample = Sum().sample(8, 1)
    t = moot.run(Amplification(model=True, source="all"), sample, {"overseer": Overseer(Sum()), "model": model})
    assert seen == [("sum[0:4]", 0), ("sum[4:8]", 0)]
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == sample.unseal()


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 60), st.integers(0, 999))
def test_a_slip_anywhere_shows_at_the_root(size: int, seed: int) -> None:
    """Without a slip the root is right; with slips in a sum it is wrong unless they cancel."""
    sample = Sum().sample(size, seed)
    t = moot.run(deep(), sample, {"overseer": Overseer(Sum(), error=0.05)}, seed=seed)
    wrong = [m for m in moves(t) if m["kind"] == "reply" and m["answer"] != Sum().truth(sample.question.data, m["of"])]
    if not wrong:
        assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == sample.unseal()
    else:
        assert isinstance(t.outcome, moot.Decided)  # a sum that is no choice makes it say that it does not know


def test_an_answer_that_is_no_choice_forfeits() -> None:
    t = moot.run(Amplification(), moot.Question("Which?", ("x", "y")), {"overseer": lambda request: Reply(answer="z")})
    assert isinstance(t.outcome, moot.Forfeited) and "must be one of x, y, or ?" in t.outcome.rule
    with pytest.raises(moot.UsageError, match="amplify decides between choices"):
        moot.run(Amplification(), moot.Question("Which?"), {"overseer": Overseer(Sum())})


def test_rounds_read_back_what_was_answered() -> None:
    t = moot.run(deep(), Counting().sample(9), {"overseer": Overseer(Counting())})
    views: dict[str, list[tuple[str, ...]]] = {}

    class Spy(Overseer):
        def act(self, request: moot.Request) -> Any:
            views[request.view.question.text] = rounds(request.view)
            return super().act(request)

    moot.run(deep(), Counting().sample(9), {"overseer": Spy(Counting())})
    assert views["9"] == [("34",), ("21",)] and len(views["1"]) == 0
    assert t.ledger.seats["overseer"].calls == 26


def test_a_chain_of_thousands_of_questions_needs_no_deep_stack(tmp_path: Path) -> None:
    question = moot.Question("3000", ("x", "y"), data={"circle": False}, size=9, unit="cells")

    def act(request: moot.Request) -> Any:
        n = int(request.view.question.text)
        if n and not len(request.view):
            return Subquestions(questions=(str(n - 1),))
        return Reply(answer="x")

    t = moot.run(deep(), question, {"overseer": act}, out=tmp_path / "deep.jsonl")
    assert isinstance(t.outcome, moot.Decided) and len(list(asked(t))) == 3001
    assert moot.replay(moot.load(tmp_path / "deep.jsonl")).digest == t.digest


def strong(act: Act) -> moot.Transcript:
    return moot.run(
        moot.StrongAmplification(depth=None, turns=9), moot.Question("Which?", ("x", "y")), {"overseer": act}
    )


def test_a_pointer_is_opened_by_whoever_was_shown_it() -> None:
    texts: list[str] = []

    def act(request: moot.Request) -> Any:
        question, seen = request.view.question.text, [entry.move for entry in request.view]
        texts.append(question)
        if question == "Which?":
            return Reply(answer=seen[-1].content()) if seen else Subquestions(questions=("read [a [x] of many [y]]",))
        if not seen:
            return Open(pointer=question.split()[1])
        if len(seen) == 1:
            return Open(pointer=seen[0].content().split()[1])
        return Reply(answer=seen[1].content())

    t = strong(act)
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 0
    assert texts[1].startswith("read &") and "many" not in texts[1]
    opened = [move["text"] for move in moves(t) if move["kind"] == "open"]
    assert opened[1] == "x" and opened[0].startswith("a &") and moot.replay(t).digest == t.digest


def test_a_pointer_that_was_never_shown_is_refused() -> None:
    from moot.protocols.pointers import pointer_to

    def act(request: moot.Request) -> Any:
        question = request.view.question.text
        if question == "Which?":
            return Reply(answer="x") if len(request.view) else Subquestions(questions=("hide [secret]", "guess"))
        if question == "guess" and not request.problem:
            return Open(pointer=pointer_to("secret"))
        return Reply(answer="z")

    t = strong(act)
    refused = [event for event in t.events() if event["event"] == "rejected"]
    assert len(refused) == 1 and "was not shown to whoever answers 'guess'" in refused[0]["rule"]


@pytest.mark.parametrize("given", [
    Reply.model_construct(of="\ud800", answer="x"), {"kind": "reply", "of": "\ud800", "answer": "x"},
])  # fmt: skip
def test_what_cannot_be_written_is_written_out_where_the_protocol_fills_in_too(given: Any) -> None:
    t = moot.run(Amplification(), moot.Question("Which?", ("x", "y")), {"overseer": lambda request: given})
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 0
    (step,) = t.steps()
    assert step.raw == {"kind": "reply", "of": "\\ud800", "answer": "x"} and step.move["of"] != step.raw["of"]
    assert t.ledger.seats["overseer"].rejected == 0 and moot.replay(t).digest == t.digest
