"""What is not known stays unknown in the ledger, and what was read before a bound was crossed is counted."""

from __future__ import annotations

import moot
from moot.tasks.arithmetic.sums import AddsTwo, Honest, Liar, Sum
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI

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


def test_reading_that_nobody_meters_is_unknown() -> None:
    t = moot.run(moot.Debate(rounds=1), QUESTION, {"a": speak, "b": speak, "judge": decide})
    assert t.ledger.seats["judge"].reads is None and not t.guarantee.holds
    bounded = {"a": speak, "b": speak, "judge": moot.Bounded(decide, reads=100)}
    assert moot.run(moot.Debate(rounds=1), QUESTION, bounded).ledger.seats["judge"].reads == 0


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
