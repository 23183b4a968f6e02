"""What is not known stays unknown in the ledger, and what was read before a bound was crossed is counted."""

from __future__ import annotations

from typing import Any

import moot
from moot.play.recorded import header
from moot.tasks.arithmetic.sums import AddsTwo, Honest, Liar, Sum
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI
from moot.transcripts.events import EventLog

QUESTION = moot.Question("Who?", ("a", "b"))


def speak(request: moot.Request) -> moot.Speech:
    return moot.Speech(text="So it is.")


def decide(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def test_an_awaited_agent_that_reports_nothing_cost_nobody_knows_what() -> None:
    async def silent(request: moot.Request) -> moot.Speech:
        return speak(request)

    t = moot.run(moot.Debate(rounds=1), QUESTION, {"a": silent, "b": speak, "judge": decide})
    awaited, program = t.ledger.seats["a"], t.ledger.seats["b"]
    assert awaited.prompt_tokens is awaited.cost is None and t.ledger.total("cost") is None
    assert program.prompt_tokens == 0 and program.cost == 0.0


def test_a_query_that_was_refused_is_not_spent() -> None:
    class Asks(moot.Protocol):
        def roles(self, question: moot.Question) -> dict[str, str]:
            return {"judge": "judge"}

        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            for _ in range(4):
                await floor.charge("judge", "queries", 3)
            return moot.Decided(await floor.ask("judge", moot.Verdict))

    for limit, spent in ((12, 12), (11, 9), (2, 0)):
        t = moot.run(Asks(), QUESTION, {"judge": moot.Bounded(decide, queries=limit)})
        assert t.ledger.seats["judge"].queries == spent <= limit
        assert isinstance(t.outcome, moot.Decided if limit == 12 else moot.Exhausted)


def test_what_a_seat_reads_is_counted_with_a_bound_and_without_one() -> None:
    """The same number in the ledger; in a seat without a bound it takes no part in the play, and changes no digest."""

    def reads_all(request: moot.Request) -> moot.Move:
        assert sum(len(entry.move.content()) for entry in request.view) == request.budget.reads
        return decide(request)

    def played(judge: Any) -> moot.Transcript:
        return moot.run(moot.Debate(rounds=1), QUESTION, {"a": speak, "b": speak, "judge": judge})

    bare, idle, bounded = played(reads_all), played(decide), played(moot.Bounded(reads_all, reads=1000))
    said = sum(len(step.move["text"]) for step in bare.steps() if step.seat in "ab")
    for t, reads in ((bare, said), (idle, 0), (bounded, said)):
        assert (t.ledger.seats["judge"].reads, t.ledger.seats["judge"].reads_per_call) == (reads, reads)
        assert [step.reads for step in t.steps() if step.seat == "judge"] == [reads]
        assert moot.replay(t).digest == t.digest
    assert bare.digest == idle.digest and bounded.guarantee.used == said
    assert (bare.guarantee.budget, bounded.guarantee.budget) == (None, 1000)
    forked = moot.fork(bare, at="1", seats={"judge": decide})
    assert forked.ledger.seats["judge"].reads == 0
    assert moot.rejudge(forked, reads_all).ledger.seats["judge"].reads == said


def test_reading_that_nobody_counted_is_unknown() -> None:
    log = EventLog((lines := list[bytes]()).append)
    game = moot.Game(moot.DirectQA(), QUESTION, recorder=log)
    log.event("started", header(moot.DirectQA(), QUESTION))
    game.start().answer("0", moot.Verdict(probabilities=(0.5, 0.5)))
    assert moot.Transcript(lines).ledger.seats["judge"].reads is None


def test_what_a_bare_seat_read_before_it_failed_is_counted() -> None:
    def fails(request: moot.Request) -> moot.Move:
        raise RuntimeError(request.view[0].move.content())

    t = moot.run(moot.Debate(rounds=1), QUESTION, {"a": speak, "b": speak, "judge": fails})
    assert t.ledger.seats["judge"].reads == len(next(t.steps()).move["text"])
    assert moot.replay(t).digest == t.digest


def test_what_was_read_before_the_bound_was_crossed_is_counted_and_replays() -> None:
    seats = {"a": Honest(), "b": Liar(), "judge": moot.Bounded(AddsTwo(), reads=10)}
    t = moot.run(moot.Bisection(), Sum().sample(64, 3, true_first=True), seats)
    assert isinstance(t.outcome, moot.Exhausted)
    assert t.ledger.seats["judge"].reads == 9  # three levels of 3 cells; the next statement is 2 more
    assert moot.replay(t).digest == t.digest and not t.guarantee.holds


def test_an_attempt_that_broke_off_is_taken_from_the_budget_at_its_bound() -> None:
    def judged(limit: int) -> moot.Transcript:
        mock = MockOpenAI(script=[Fault.server_error()])
        lm = moot.LM("mock", base_url="http://mock/v1", http_client=mock.http_client(), max_tokens=400, backoff=0.01)
        return moot.run(moot.DirectQA(), QUESTION, {"judge": moot.Bounded(lm, tokens=limit)})

    enough = judged(100_000)
    assert isinstance(enough.outcome, moot.Decided) and enough.ledger.seats["judge"].prompt_tokens is None
    bound = next(e for e in enough.events() if e["event"] == "moved")["meta"]["spent"]["tokens"]
    short = judged(bound - 200)  # room for one attempt and not for two
    assert isinstance(short.outcome, moot.Exhausted) and short.outcome.measure == "tokens"
