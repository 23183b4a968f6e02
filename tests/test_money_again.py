"""Money against adversaries: kills, forged events, caches that are written to, forks and rejudgements under a cap."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import anyio
import pytest
from cli_calls import a_set, call, folder, refused, said, spawned

import moot
from moot.agents.models.limiter import Limiter
from moot.agents.models.lm import LM
from moot.agents.money.bill import bill_of, charged
from moot.agents.money.cap import Cap, pricing
from moot.agents.money.usage import usage_of
from moot.protocols.engine.errors import UsageError
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI

__all__ = ["folder"]
QUESTION = moot.Question("Who sank the fleet?", choices=("a storm", "the admiral"))
PRICES = (1.0, 4.0, 0.1)
PRICE = '[[prices]]\nmodel = "mock"\nprompt = 1.0\ncompletion = 4.0\n'
VERDICT = {"kind": "verdict", "text": "so it is", "probabilities": {"1": 0.7, "2": 0.3}}


def lm(mock: MockOpenAI, **options: Any) -> LM:
    given = {"prices": PRICES, "max_tokens": 200, "backoff": 0.001, "prompts": "v1", **options}
    return LM("mock", base_url="http://127.0.0.1:1/v1", http_client=mock.http_client(), **given)


def talk(request: moot.Request) -> moot.Move:
    return moot.Speech(text=f"Round {request.brief['round']}: I am right.")


def even(request: moot.Request) -> moot.Move:
    return moot.Verdict(probabilities=(0.5, 0.5))


@pytest.fixture(scope="module")
def debate() -> moot.Transcript:
    return moot.run(moot.Debate(rounds=2), QUESTION, {"debater": talk, "judge": even})


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


@pytest.mark.usefixtures("folder")
def test_what_was_in_flight_at_a_kill_counts_and_what_waited_does_not() -> None:
    """Of nine plays three fit under the cap, and the others wait for them when the process is killed."""

    async def reply(body: dict[str, Any]) -> Any:
        await anyio.sleep(0 if mock.count > 3 else 600)
        return VERDICT

    mock = MockOpenAI(reply)
    Path("prices.toml").write_text(PRICE)
    with mock.serve() as url:
        agent = f'[agents.m]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nmax_tokens = 500\nprompts = "v1"\n'
        Path("moot.toml").write_text(agent)
        seats = ("--seat", "judge=m", "--config", "moot.toml")
        words = ("run", "-P", "direct-qa", "--set", a_set(9), "-o", "out", *seats, "-j", "9", "--prices", "prices.toml")
        child = spawned(*words, "--max-cost", "0.018")
        folders = Path("out")
        until(lambda: mock.in_flight == 3 and len([*folders.rglob("*.jsonl")]) == 9)
        time.sleep(0.1)
        child.send_signal(signal.SIGKILL)
        child.communicate()
        plays = [moot.load(path) for path in sorted(folders.rglob("*.jsonl"))]
        spent = [charged(bill_of(play.events()), "x") for play in plays]
        assert [0 < each for each in spent].count(True) == 3 and 0.012 < sum(spent) <= 0.018
        again = call(*words, "--max-cost", "0.018")  # what was in flight is taken to have cost what it could
        assert again.exit_code == 1 and "is left of the cap of 0.018" in again.stderr and mock.count == 3
        assert "9 decided" in said(*words, "--max-cost", "1")
        assert mock.count == 12


def test_calls_of_a_panel_under_way_are_not_forgotten_because_one_came_back() -> None:
    described = {"judge": {"agent": "lm", "model": "mock", "endpoint": "http://x/v1"}}
    at = {"step": "0", "seat": "judge"}
    events: list[dict[str, Any]] = [
        {"event": "started", "meta": {"seats": described}},
        {"event": "asked", **at},
        {"event": "attempted", **at, "model": "mock", "prompt_tokens": 1, "completion_tokens": 1, "cost": 0.5},
    ]
    killed = bill_of(events)
    with pytest.raises(UsageError, match=r"unknown \(1 of 2 calls\)"):
        charged(killed, "d.jsonl")
    for over in ({"event": "moved", **at}, {"event": "cancelled"}, {"event": "failed", **at}):
        assert charged(bill_of([*events, over]), "d.jsonl") == 0.5


FORGED = [
    {"event": "reserved", "hold": 1, "at_most": 0.0},
    {"event": "reserved", "hold": 99, "at_most": 1e9},
    {"event": "capped", "at_most": 1e9, "left": 0.0, "cap": 1.0},
    {"event": "attempted", "hold": 1, "cost": 0.0, "model": "mock", "prompt_tokens": 0, "completion_tokens": 0},
    {"event": "attempted", "hold": "1", "cost": 0.0, "model": "mock"},
]


@pytest.mark.parametrize("forged", FORGED)
@pytest.mark.parametrize("under", [True, False])
def test_no_program_notes_what_a_cap_does(forged: dict[str, Any], under: bool) -> None:
    mock = MockOpenAI()
    model = lm(mock)

    async def forger(request: moot.Request) -> Any:
        request.note(forged)
        return await model.act(request)

    async def both(request: moot.Request) -> Any:
        found = await model.act(request)
        request.note(forged)
        return found

    for agent in (forger, both):
        seats = {"a": agent, "b": model, "judge": even}
        play = moot.run(moot.Debate(), QUESTION, seats, max_cost=1.0 if under else None)
        assert isinstance(play.outcome, moot.Errored) and "of money that no cap" in play.outcome.cause
        assert not [event for event in play.events() if event.get("hold") == 99]


def test_what_a_program_pays_beside_a_cap_counts_against_none(tmp_path: Path) -> None:
    mock, path = MockOpenAI(), tmp_path / "d.jsonl"

    def own(request: moot.Request) -> moot.Move:  # a client of its own, which tells no cost
        request.note({"event": "attempted", "ok": True})
        request.note({"event": "attempted", "ok": True, "cost": 7.0})
        return talk(request)

    seats = {"debater": own, "judge": lm(mock)}
    with Cap(0.0014) as cap:
        cap.spent = 0.0005
        assert moot.run(moot.Debate(), QUESTION, seats, out=path).outcome is None
    events = list(moot.load(path).events())
    assert events[0]["meta"]["cap"] == 0.0014 and charged(bill_of(events, pricing(seats)), "d") == 0
    shown = {line.seat: line for line in bill_of(events)}
    assert shown["a"].cost == 14.0 and shown["a"].unknown == 2 and shown["a"].at_most is None
    assert moot.resume(path, seats, max_cost=0.01).outcome is not None
    assert [e["meta"]["cap"] for e in moot.load(path).events() if e["event"] == "resumed"] == [0.01]


def test_an_account_of_which_all_was_given_back_is_whole() -> None:
    async def one(cap: Cap) -> None:
        with anyio.fail_after(1):
            first, second = [await cap.hold(bound, anyio.CancelScope) for bound in (0.1, 0.2)]
            assert cap.held == pytest.approx(0.3)
            first.release()
            second.release()
            assert cap.held == 0  # by taking away, 2.8e-17 would be left
            await cap.hold(0.35, anyio.CancelScope)

    anyio.run(one, Cap(0.35))


def test_what_is_written_to_a_cache_has_a_price_before_anybody_is_called() -> None:
    mock = MockOpenAI()
    with pytest.raises(UsageError, match=r"mock of seat judge is asked to write to its provider's cache.*cache_write"):
        moot.run(moot.DirectQA(), QUESTION, {"judge": lm(mock, api="messages")}, max_cost=1)
    assert mock.count == 0
    for more in ({"prices": (1.0, 4.0, 0.1, 1.25)}, {"extra_body": {"cache_control": None}}):
        play = moot.run(moot.DirectQA(), QUESTION, {"judge": lm(mock, api="messages", **more)}, max_cost=1)
        assert isinstance(play.outcome, moot.Decided)
        assert not [event for event in play.events() if event["event"] == "attempted" and event["cost"] is None]


@pytest.mark.usefixtures("folder")
def test_forks_and_rejudgements_are_priced_and_capped(debate: moot.Transcript) -> None:
    mock = MockOpenAI()
    Path("prices.toml").write_text(PRICE)
    seats = ("--seat", "a=python:cli_agents:speaker", "--seat", "b=python:cli_agents:speaker")
    said("run", "-P", "debate", "-q", "Who?", "-c", "x", "-c", "y", *seats, "--seat", "judge=python:cli_agents:judge",
         "-o", "d.jsonl")  # fmt: skip
    with mock.serve() as url:
        agent = f'[agents.m]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nmax_tokens = 200\nprompts = "v1"\n'
        Path("moot.toml").write_text(agent)
        model = ("--config", "moot.toml")
        again = ("rejudge", "d.jsonl", "--judge", "m", *model)
        fork = ("fork", "d.jsonl", "--at", "2", "--seat", "judge=m", *model)
        for words in (again, fork):
            assert "the price of mock" in refused(*words, "-o", "r.jsonl", "--max-cost", "1") and mock.count == 0
            assert "can cost" in refused(*words, "-o", "r.jsonl", "--prices", "prices.toml", "--max-cost", "1e-4")
        priced = ("--prices", "prices.toml", "--max-cost")
        text = call(*again, "-o", "r.jsonl", "--repetitions", "20", "--seed", "5", *priced, "0.008")
        assert text.exit_code == 1 and "stopped at the cap" in text.stderr and "more were not begun" in text.stderr
        made = sorted(Path().glob("r-*.jsonl"))
        bills = [charged(bill_of(moot.load(path).events()), "x") for path in made]
        assert 1 < len(made) < 20 and 0 < sum(bills) <= 0.008 and mock.count == len(made) - 1
        stopped = next(path for path in made if moot.load(path).outcome is None)
        assert "Decided" in said("resume", str(stopped), "--seat", "judge=m", *model, *priced, "1")
        count = mock.count
        assert "Decided" in said(*fork, "-o", "f.jsonl", *priced, "1") and mock.count == count + 1
        assert moot.load("f.jsonl").ledger.total("cost") == pytest.approx(max(bills), rel=0.5)


class Billing(MockOpenAI):
    """Bills all that it answers, cache reads and writes as Anthropic does, and does not always say what it was."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.billed, self.random = 0.0, Random(3)

    def _completion(self, sent: dict[str, Any], api: str, *more: Any) -> dict[str, Any]:
        made = super()._completion(sent, api, *more)
        usage = usage_of(made)
        prompt, read, written = usage.prompt_tokens or 0, usage.cached_tokens or 0, usage.cache_write_tokens or 0
        cost = prompt - read - written + 0.1 * read + 1.25 * written + 4 * (usage.completion_tokens or 0)
        self.billed += cost / 1e6
        if self.random.random() < 0.3:
            made["usage"] = {} if api == "messages" else None
        return made


@pytest.mark.parametrize("api", ["chat", "messages", "responses"])
def test_a_cap_holds_over_every_api_and_streams_and_so_does_its_record(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moot.agents.models.limiter.Limiter", lambda: Limiter(64))
    random = Random(7)

    async def reply(body: dict[str, Any]) -> Any:
        await anyio.sleep(0.01)
        return Fault.http(500) if random.random() < 0.2 else VERDICT | {"text": "so it is " * random.randrange(20)}

    mock, done = Billing(reply), list[moot.Transcript]()
    model = lm(mock, api=api, stream=True, prices=(1, 4, 0.1, 1.25), retries=1)

    async def one(seed: int) -> None:
        done.append(await moot.arun(moot.DirectQA(), QUESTION, {"judge": moot.Panel(model, samples=2)}, seed=seed))

    async def plays() -> None:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as group:
                for seed in range(40):
                    group.start_soon(one, seed)

    with Cap(0.06) as cap:
        anyio.run(plays)
    assert mock.max_in_flight > 8 and len(done) == 40
    assert 0 < mock.billed <= cap.spent * (1 + 1e-9) and cap.spent <= cap.most and cap.held == 0 and not cap.holds
    assert sum(charged(bill_of(play.events()), "x") for play in done) == pytest.approx(cap.spent)


def test_threads_under_one_cap_are_told_and_do_not_wait_for_ever() -> None:
    async def reply(body: dict[str, Any]) -> Any:
        await anyio.sleep(0.05)
        return VERDICT

    with MockOpenAI(reply).serve() as url, Cap(0.004) as cap:
        model = LM("mock", base_url=url, prices=PRICES, max_tokens=200, prompts="v1")

        async def plays() -> list[moot.Transcript]:
            each = (asyncio.to_thread(moot.run, moot.DirectQA(), QUESTION, {"judge": model}, seed=s) for s in range(6))
            return await asyncio.wait_for(asyncio.gather(*each), 20)

        done = asyncio.run(plays())
    causes = [play.outcome.cause for play in done if isinstance(play.outcome, moot.Errored)]
    assert causes and all("several event loops, or threads" in cause for cause in causes)
    assert cap.spent <= cap.most and not cap.holds
