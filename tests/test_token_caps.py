"""A cap on tokens: never exceeded, whatever is in flight, untold or killed; of a study over all its runs."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_caps import QUESTION, VERDICT, Billing, lm
from test_study import samples

import moot
from moot.agents.models.limiter import Limiter
from moot.agents.money.bill import bill_of, taken
from moot.agents.money.cap import Cap, CapReached, tokens_of
from moot.protocols.engine.errors import UsageError
from moot.studies.study import Study
from moot.testing.server.faults import Fault


class Counting(Billing):
    """Counts every token of every answer, whether or not it says so."""

    taken = 0

    def _usage(self, body: dict[str, Any], completion: int) -> dict[str, Any]:
        before = self.random.getstate()
        self.random.random()
        made = super(Billing, self)._usage(body, completion)
        self.taken += made["prompt_tokens"] + made["completion_tokens"]
        self.random.setstate(before)
        return super()._usage(body, completion)


@settings(deadline=None, max_examples=30)
@given(
    st.integers(5, 200), st.none() | st.floats(0.5, 20),
    st.lists(st.tuples(st.integers(1, 40), st.floats(0.01, 4), st.none() | st.floats(0, 1), st.integers(0, 3)), min_size=1, max_size=20),
)  # fmt: skip
def test_an_account_of_tokens_and_money_is_never_overdrawn(
    most: int, money: float | None, calls: list[tuple[int, float, float | None, int]]
) -> None:
    cap, took, refused = Cap(money, tokens=most), 0, []

    async def one(tokens: int, bound: float, share: float | None, turns: int) -> None:
        nonlocal took
        bound = 0.0 if money is None else bound
        try:
            hold = await cap.hold(bound, anyio.CancelScope, tokens)
        except CapReached:
            refused.append(tokens)
            return
        aside = sum(each.tokens for each in cap.holds.values() if each.cost is None)
        assert cap.used + aside <= most and (money is None or cap.spent + cap.held <= money * (1 + 1e-12))
        for _ in range(turns):
            await anyio.lowlevel.checkpoint()
        used = tokens if share is None else int(share * tokens)
        took += used
        hold.charge(None if share is None else share * bound, None if share is None else used)

    async def all_of_them() -> None:
        with anyio.fail_after(5):
            async with anyio.create_task_group() as group:
                for each in calls:
                    group.start_soon(one, *each)

    anyio.run(all_of_them)
    assert took == cap.used <= most
    if sum(tokens for tokens, *_ in calls) <= most and money is None:
        assert not refused


@pytest.mark.parametrize(
    ("most", "untold", "fails"), [(30_000, 0.0, 0), (30_000, 0.3, 0), (30_000, 0.1, 5), (10**7, 0.2, 0)]
)
def test_a_cap_on_tokens_holds_with_64_calls_in_flight(
    most: int, untold: float, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.agents.models.limiter.Limiter", lambda: Limiter(64))

    async def reply(body: dict[str, Any]) -> Any:
        await anyio.sleep(0.002)
        if fails and body["seed"] % fails == 0:
            return Fault.http(500)
        return json.dumps(VERDICT | {"text": "so it is " * (1 + body["seed"] % 10)})

    mock, done = Counting(reply, untold=untold), list[moot.Transcript]()
    judge = lm(mock, retries=1, prices=None)

    async def plays() -> None:
        async def one(seed: int) -> None:
            done.append(await moot.arun(moot.DirectQA(), QUESTION, {"judge": judge}, seed=seed))

        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for seed in range(60):
                    group.start_soon(one, seed)

    with Cap(tokens=most) as cap:
        anyio.run(plays)
    assert 0 < mock.taken <= cap.used <= most and cap.spent == 0
    # what is counted from the records is what was counted while they were made
    assert sum(taken(bill_of(each.events()), "here") for each in done) == cap.used
    kinds = [each.outcome.kind if each.outcome is not None else None for each in done]
    if most == 10**7:
        assert kinds == ["decided"] * 60 and cap.refused is None
    else:
        assert None in kinds and "decided" in kinds and cap.refused is not None and "tokens" in cap.refused
        capped = next(event for each in done for event in each.events() if event["event"] == "capped")
        assert capped["most_tokens"] > capped["tokens_left"] and "at_most" not in capped


def study(count: int, **models: Any) -> Study:
    return Study(
        "tokens", samples(count), {name: moot.Arm(moot.DirectQA(), {"judge": who}) for name, who in models.items()}
    )


def mock_of(**more: Any) -> Counting:
    return Counting(lambda body: json.dumps(VERDICT), **more)


def test_a_study_stops_before_its_tokens_are_used_up_and_goes_on_under_more(tmp_path: Path) -> None:
    mock = mock_of(untold=0.3)
    trial = study(12, one=lm(mock, prices=None))
    first = trial.run(tmp_path, max_tokens=12_000, limit=4)
    assert first.stopped is not None and "tokens" in first.stopped and 0 < mock.count < 12
    assert mock.taken <= 12_000
    count = mock.count
    (tmp_path / "index.sqlite").unlink()  # the records alone tell what was taken
    with suppress(UsageError):  # where not even one answer fits into what is left
        assert trial.run(tmp_path, max_tokens=12_000).stopped is not None
    assert mock.taken <= 12_000 and mock.count - count <= 3
    done = trial.run(tmp_path, max_tokens=10**6)
    assert done.complete and mock.count == 12 and done.stopped is None


def test_both_caps_hold(tmp_path: Path) -> None:
    mock = mock_of()
    trial = study(30, one=lm(mock))
    by_money = trial.run(tmp_path, max_cost=0.01, max_tokens=10**6)
    assert by_money.stopped is not None and "can cost" in by_money.stopped and mock.billed <= 0.01
    by_tokens = trial.run(tmp_path, max_cost=10.0, max_tokens=mock.taken + 9_000)
    assert by_tokens.stopped is not None and "tokens" in by_tokens.stopped


def test_tokens_that_nobody_knows_are_refused_and_never_none(tmp_path: Path) -> None:
    mock = mock_of(untold=1.0)
    trial = study(3, one=lm(mock, prices=None))
    trial.run(tmp_path)  # without a cap nothing says what a call can have taken
    with pytest.raises(
        UsageError, match=r"cells.*how many tokens judge took with model mock is unknown \(1 of 1 calls"
    ):
        study(4, one=lm(mock, prices=None)).run(tmp_path, max_tokens=10**6)
    assert mock.count == 3 and study(4, one=lm(mock, prices=None)).run(tmp_path).complete
    told = mock_of()
    study(3, one=lm(told, prices=None)).run(tmp_path / "b")
    assert study(4, one=lm(told, prices=None)).run(tmp_path / "b", max_tokens=told.taken + 5_000).complete


def test_what_was_set_aside_for_a_call_that_never_came_back_counts(tmp_path: Path) -> None:
    mock, out = mock_of(), tmp_path / "s"
    trial = study(1, one=lm(mock, prices=None))
    trial.run(out, max_tokens=10**6)
    [path] = out.glob("cells/*/*.jsonl")
    lines = path.read_bytes().splitlines(keepends=True)
    upto = next(place for place, line in enumerate(lines) if b'"event":"reserved"' in line)
    path.write_bytes(b"".join(lines[: upto + 1]))  # killed while the call was in flight
    bound = json.loads(lines[upto])["most_tokens"]
    assert taken(bill_of(moot.load(path).events()), "here") == bound > mock.taken
    with pytest.raises(UsageError, match="are left of the cap"):
        trial.run(out, max_tokens=bound + 500)
    assert trial.run(out, max_tokens=2 * bound).complete and mock.count == 2


@pytest.mark.parametrize("wrong", [0, -1, 1.5, True, "many", float("inf")])
def test_what_is_no_number_of_tokens_is_no_cap(wrong: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cap on tokens is"):
        Cap(tokens=wrong)
    with pytest.raises(UsageError, match="cap on tokens is"):
        study(1, one=lm(mock_of())).run(tmp_path, max_tokens=wrong)


def test_one_answer_must_fit_and_every_answer_has_a_limit(tmp_path: Path) -> None:
    mock = mock_of()
    with pytest.raises(UsageError, match=r"one answer of mock can take 712 tokens.*700 are left of the cap of 700"):
        study(1, one=lm(mock, prices=None)).run(tmp_path, max_tokens=700)
    with pytest.raises(UsageError, match="nothing limits the answers of m"):
        tokens_of({"model": "m", "messages": []})
    assert mock.count == 0


def test_no_program_notes_tokens_that_no_cap_has_set_aside() -> None:
    def forging(request: moot.Request) -> Any:
        request.note({"event": "reserved", "hold": 1, "most_tokens": 0})
        return moot.Verdict(probabilities=(1, 0))

    for cap in (Cap(tokens=10_000), Cap(1.0, tokens=10_000)):
        with cap:
            outcome = moot.run(moot.DirectQA(), QUESTION, {"judge": forging}).outcome
        assert isinstance(outcome, moot.Errored) and "no cap has set aside" in outcome.cause
