"""A set played by real processes over real sockets, killed again and again: the ledgers against the server's own books."""

from __future__ import annotations

import random
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from cli_calls import a_set
from cli_calls import folder as folder
from fault_rules import against_the_books, events, require, whole
from fault_world import Served
from test_kill import Nursery
from test_kill import nursery as nursery

import moot
from moot.testing.server.faults import Fault, rate
from moot.testing.server.replies import default_reply
from moot.testing.server.server import MockOpenAI, Reply

pytestmark = [pytest.mark.usefixtures("folder"), pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")]
FAULTS = (
    Fault.cut_off(),
    Fault.rate_limit(),
    Fault.server_error(),
    Fault.unavailable(0.01),
    Fault.no_usage(),
    Fault.empty(),
)
SEATS = ("a", "b", "judge")


class Books:
    """A server, and what it has billed."""

    def __init__(self, chance: random.Random) -> None:
        self.served: list[Served] = []
        self.bodies: list[Any] = []
        self.questions: list[str] = []
        share = chance.choice((0, 0.04))
        faults = [rate(share, fault, chance.randrange(99)) for fault in FAULTS]
        self.mock = MockOpenAI(self.reply, faults, latency=0.01)

    def reply(self, body: dict[str, Any]) -> Reply:
        text = default_reply(body)
        text = re.sub(r'"probabilities": \{[^}]*\}', '"probabilities": {"1": 0.25, "2": 0.75}', text)
        bill = 100 + len(self.served) % 7, 1 + len(self.served)
        self.served.append(Served(len(self.served), "", "", b"", "", bill, "exact", whole=True))
        self.bodies.append(body["messages"])
        self.questions.append(re.findall(r"Question \d+\?", str(body["messages"]))[0])
        return Reply(text, usage={"prompt_tokens": bill[0], "completion_tokens": bill[1]})


def play(nursery: Nursery, folder: Path, seed: int, kills: int, plays: int) -> Counter[str]:
    """A set, with the process killed so many times, and then played to its end."""
    chance = random.Random(seed)
    books, out, config = Books(chance), folder / f"out-{seed}", folder / f"config-{seed}.toml"
    with books.mock.serve() as url:
        config.write_text(
            f'[agents.m]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nbackoff = 0.001\ntimeout = 20\nprices = [1.0, 1.0]\n'
        )
        words = ["moot", "run", "-P", "debate", "-p", "rounds=1", "--seat", "debater=m", "--seat", "judge=m", "--config", str(config),
                 "--set", str(folder / a_set(plays, f"set-{seed}.jsonl")), "-o", str(out), "-j", str(chance.choice((1, 3)))]  # fmt: skip
        for left in range(kills, -1, -1):
            before = {path: whole(path) for path in out.glob("*.jsonl")} if out.exists() else {}
            closed = [books.bodies[number] for content in before.values() for number in _recorded(content)]
            asked = len(books.bodies)
            most = asked + chance.randint(1, 5) if left else None
            code = nursery.run(words, lambda: len(books.bodies), most)
            require(code in ((-signal.SIGKILL, 0) if left else (0,)), f"exit code {code}: {nursery.errors.read_text()}")
            for path, content in before.items():
                require(path.read_bytes().startswith(content), f"{path}: what was recorded before has changed")
            require(not any(body in closed for body in books.bodies[asked:]), "a recorded call was made again")
    return _counted(books, out, plays)


def _recorded(content: bytes) -> list[int]:
    """The numbers of the calls whose answers are moves in a transcript."""
    said = events(content)
    moved = {event["step"] for event in said if event["event"] == "moved"}
    return [event["completion_tokens"] - 1 for event in said
            if event["event"] == "attempted" and event["ok"] and event["completion_tokens"] and event["step"] in moved]  # fmt: skip


def _counted(books: Books, out: Path, plays: int) -> Counter[str]:
    noted: dict[int, str] = {}
    totals: Counter[str] = Counter()
    for made in books.mock.calls:
        totals[str(made.fault)] += made.fault is not None
    for number in range(plays):
        transcript = moot.load(out / f"q-{number}.jsonl")
        assert isinstance(transcript.outcome, moot.Decided)
        assert moot.replay(transcript).digest == moot.verify(transcript).digest
        for event in transcript.events():
            if event["event"] == "attempted" and event["completion_tokens"]:
                noted[event["completion_tokens"] - 1] = event["seat"]
        mine = [
            call
            for call, question in zip(books.served, books.questions, strict=True)
            if question == f"Question {number}?"
        ]
        for call in mine:
            call.seat = noted.get(call.number, "")
        against_the_books(transcript, mine, SEATS)
        lost = [call for call in mine if call.number not in noted]  # billed, and known from no file
        unknown = [seat for seat in SEATS if transcript.ledger.spent(seat, "tokens") is None]
        require(
            len(unknown) > 0 if lost else True,
            f"{len(lost)} calls of {transcript.name} were billed, and every sum is known",
        )
        totals += Counter(calls=len(mine), lost=len(lost), unknown=len(unknown))
    return totals


def test_ledgers_are_the_servers_books_whatever_was_killed(nursery: Nursery, folder: Path) -> None:
    assert play(nursery, folder, seed=5, kills=4, plays=3)["calls"] >= 9


@pytest.mark.long
def test_many_killed_sets(nursery: Nursery, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    totals: Counter[str] = Counter()
    for seed in range(20):
        totals += play(nursery, folder, seed, kills=8, plays=6)
    with capsys.disabled():
        print(f"\n20 sets of 6 plays, 160 kills over sockets: {dict(totals)}")
