"""Whole plays under drawn sequences of faults: of the endpoint, the agents, the disk, and of being stopped and resumed."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Callable
from functools import partialmethod
from pathlib import Path
from typing import Any, Literal, get_args
from unittest import mock

import pytest
from fault_kit import SLIPS, Broken, Cast, Disk, Full, Session, Slip, Stop
from fault_rules import Sequence
from fault_world import FAULTS, OVERLOAD, Fault
from hypothesis import given, settings
from hypothesis import strategies as st
from players import speak

import moot
from moot.agents.models.attempts import Attempt
from moot.agents.models.endpoint import Endpoint
from moot.agents.models.lm import LM
from moot.agents.money.usage import Usage
from moot.agents.wrappers.best_of import BestOf
from moot.complexity import ledger
from moot.judges.model import ModelJudge
from moot.judges.panel import Panel
from moot.play.driver import Driver
from moot.protocols.debate.side_swapped import SideSwapped
from moot.transcripts import replay, store
from moot.transcripts.events import EventLog
from moot.transcripts.events import played as played_events
from moot.transcripts.replay import Replay


def _debate(model: Any, shaky: Any) -> dict[str, Any]:
    return {"a": shaky(model()), "b": model(), "judge": shaky(model())}


def _taking_turns(model: Any, shaky: Any) -> dict[str, Any]:
    one = model()
    return {"a": shaky(speak), "b": one, "judge": one}


def _bounded(**limits: Any) -> Any:
    def seats(model: Any, shaky: Any) -> dict[str, Any]:
        return {"a": model(), "b": shaky(speak), "judge": moot.Bounded(shaky(model()), **limits)}

    return seats


def _everywhere(*names: str) -> Any:
    return lambda model, shaky: dict.fromkeys(names, shaky(model()))


def _panel(model: Any, shaky: Any) -> dict[str, Any]:
    return {"consultant": model(), "judge": Panel(shaky(model()), ModelJudge(model(), method="logprobs"), speak)}


def _best(model: Any, shaky: Any) -> dict[str, Any]:
    return {
        "a": BestOf(shaky(model()), 2, by=model(structured="tags")),
        "b": speak,
        "judge": shaky(model(structured="tags")),
    }


DISKS: tuple[Disk, ...] = get_args(Disk)
MOMENTS: tuple[Literal["write", "arrived", "answered", "asked"], ...] = (
    "write",
    "write",
    "arrived",
    "answered",
    "asked",
)
SHARES = (0.0, 0.01, 0.3, 0.5, 0.9, 0.999)
ONE, SEATS = moot.Debate(rounds=1), frozenset({"a", "b", "judge"})
CASTS = [
    Cast("debate", moot.Debate(rounds=2), _debate, models=SEATS),
    Cast("turns", moot.Debate(rounds=2, order="sequential"), _taking_turns, models=SEATS - {"a"}),
    Cast("tokens", ONE, _bounded(tokens=16_000), "tokens", frozenset({"a", "judge"})),
    Cast("calls", ONE, _bounded(calls=1), "calls", frozenset({"a", "judge"})),
    Cast("seconds", ONE, _bounded(seconds=25), "seconds", frozenset({"a", "judge"})),
    Cast("reads", ONE, _bounded(reads=60), "reads", frozenset({"a", "judge"})),
    Cast("market", moot.MarketMaking(horizon=2, tolerance=None), _everywhere("market", "adversary", "judge"), models=frozenset({"market", "adversary", "judge"})),
    Cast("amplify", moot.Amplification(depth=1, width=2, turns=2), _everywhere("overseer"), models=frozenset({"overseer"})),
    Cast("swapped", SideSwapped.of(ONE), _debate, models=SEATS),
    Cast("panel", moot.Consultancy(rounds=1), _panel, models=frozenset({"consultant"})),
    Cast("best", ONE, _best, models=frozenset({"a", "judge"})),
]  # fmt: skip


def drawn(chance: random.Random) -> tuple[Cast, int, list[Session]]:
    """A play, its seed, and one to three sessions of faults."""
    return chance.choice(CASTS), chance.randrange(2), [_session(chance) for _ in range(chance.choice((1, 1, 2, 3)))]


def _session(chance: random.Random) -> Session:
    share, slipping = chance.choice((0, 0.1, 0.2, 0.4, 0.8)), chance.choice((0, 0.15, 0.5))
    network = [
        Fault(chance.choice(FAULTS), chance.choice(SHARES)) if chance.random() < share else None for _ in range(12)
    ]
    slips = [
        Slip(chance.choice(SLIPS), chance.random() < 0.4, chance.random() < 0.3) if chance.random() < slipping else None
        for _ in range(8)
    ]
    disk, stop = None, None
    if chance.random() < 0.25:
        disk = Full(chance.choice(DISKS), chance.randint(1, 14), chance.choice(SHARES), chance.choice((1, 2, 999)))
    if chance.random() < 0.5:
        at = chance.choice(MOMENTS)
        stop = Stop(
            chance.choice(("kill", "kill", "cancel", "task cancel")),
            at,
            chance.randint(1, 16 if at == "write" else 6),
            chance.choice(SHARES),
        )
    return Session(tuple(network), tuple(slips), disk, stop, chance.choice(("asyncio", "asyncio", "asyncio", "trio")))


def played(cast: Cast, seed: int, sessions: list[Session]) -> Sequence:
    with tempfile.TemporaryDirectory() as folder:
        sequence = Sequence(cast, Path(folder) / "play.jsonl", seed)
        try:
            sequence.play(*sessions)
        except Broken as broken:
            broken.add_note(f"{cast.name}, seed {seed}: {sessions}")
            raise
    return sequence


def numbered(count: int, first: int = 0) -> tuple[Counter[str], Counter[str]]:
    """Sequences by number; gives how often each fault happened, and how often a session ended how."""
    met: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for number in range(first, first + count):
        try:
            sequence = played(*drawn(random.Random(number)))
        except Broken as broken:
            broken.add_note(f"sequence {number}")
            raise
        met += sequence.met
        ends += Counter(sequence.outcomes)
    return met, ends


@settings(max_examples=12)
@given(st.randoms(use_true_random=False))
def test_whatever_happens_a_play_ends_its_record_is_whole_and_its_ledger_right(chance: random.Random) -> None:
    played(*drawn(chance))


def test_fifty_sequences_of_faults() -> None:
    met, ends = numbered(50)
    assert len(met) > 60 and {"decided", "errored", "killed", "cancelled", "TranscriptError"} <= set(ends)


@pytest.mark.parametrize("measure", ["tokens", "seconds"])
def test_overload_spends_nothing_of_a_bound(measure: str) -> None:
    cast = next(cast for cast in CASTS if cast.bounded == measure)
    for name in sorted(OVERLOAD):  # the first request is the debater's
        assert "exhausted" not in played(cast, 0, [Session(network=(None, *[Fault(name)] * 5))]).outcomes, name


def each_write_fails_once() -> None:
    """In a play whose agent passes over the failures of its members, that of the disk is not passed over."""
    best = next(cast for cast in CASTS if cast.name == "best")
    for number in range(1, 16):
        played(best, 1, [Session(disk=Full("i/o error", number, 0.5, 1))])


def test_a_write_that_failed_once_ends_the_session() -> None:
    each_write_fails_once()


def test_that_finds_a_log_that_goes_on_after_a_failed_write(monkeypatch: pytest.MonkeyPatch) -> None:
    _failed_write_passed_over(monkeypatch)
    with pytest.raises(Broken, match="may have been billed"):
        each_write_fails_once()


@pytest.mark.long
def test_two_thousand_sequences_of_faults(capsys: pytest.CaptureFixture[str]) -> None:
    met, ends = numbered(2000, first=1000)
    with capsys.disabled():
        print(
            "\n2,000 sequences; what happened:", *(f"  {count:5} {name}" for name, count in met.most_common()), sep="\n"
        )
        print("how sessions ended:", *(f"  {count:5} {name}" for name, count in ends.most_common()), sep="\n")
    assert {*FAULTS, *(f"agent: {name}" for name in SLIPS)} <= set(met), "some fault never happened"


# -- the harness sees what is wrong --------------------------------------------------------------------------------


def _called_twice(patch: pytest.MonkeyPatch) -> None:
    once = Endpoint.complete

    async def twice(self: Any, *given: Any, **options: Any) -> Any:
        await once(self, *given, **options)
        return await once(self, *given, **options)

    patch.setattr(Endpoint, "complete", twice)


def _failures_not_noted(patch: pytest.MonkeyPatch) -> None:
    note = Attempt.note

    def quiet(self: Any, error: str | None = None, *given: Any, **options: Any) -> None:
        if error is None:
            note(self, error, *given, **options)

    patch.setattr(Attempt, "note", quiet)


def _noted_twice(patch: pytest.MonkeyPatch) -> None:
    note = Attempt.note

    def twice(self: Any, *given: Any, **options: Any) -> None:
        note(self, *given, **options)
        note(self, *given, **options)

    patch.setattr(Attempt, "note", twice)


def _charged_twice(patch: pytest.MonkeyPatch) -> None:
    attempt = ledger._attempt

    def twice(spending: Any, event: Any) -> None:
        attempt(spending, event)
        attempt(spending, {**event, "ok": True})
        spending.attempts -= 1

    patch.setattr(ledger, "_attempt", twice)


def _lost_calls_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(ledger, "_lose", lambda spending: None)


def _unknown_is_nothing(patch: pytest.MonkeyPatch) -> None:
    note = Attempt.note

    def sure(self: Any, *given: Any, **options: Any) -> None:
        self.usage = Usage(self.usage.prompt_tokens or 0, self.usage.completion_tokens or 0, 0)
        note(self, *given, **options)

    patch.setattr(Attempt, "note", sure)


def _failed_write_passed_over(patch: pytest.MonkeyPatch) -> None:
    line = EventLog.line

    def forgetful(self: Any, *given: Any) -> None:
        self.failure = None
        line(self, *given)

    patch.setattr(EventLog, "line", forgetful)


def _half_line_left(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store.Writer, "_cut", lambda self: None)


def _torn_line_kept(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("moot.play.rerun.repair", lambda path: 0)


def _whole_line_cut(patch: pytest.MonkeyPatch) -> None:
    repair = store.repair

    def more(path: Path) -> int:
        cut = repair(path)
        lines = path.read_bytes().splitlines(keepends=True)
        if len(lines) > 1:
            path.write_bytes(b"".join(lines[:-1]))
        return cut

    patch.setattr("moot.play.rerun.repair", more)


def _asked_again(patch: pytest.MonkeyPatch) -> None:
    def but_the_last(lines: Any) -> Any:
        kept = list(played_events(lines))
        last = max((place for place, (_, event) in enumerate(kept) if event["event"] == "moved"), default=len(kept))
        return iter(kept[:last])

    class Forgetful(Replay):
        def run(self) -> None:
            with mock.patch.object(replay, "played", but_the_last):
                super().run()

    patch.setattr("moot.play.rerun.Replay", Forgetful)


def _failure_ignored(patch: pytest.MonkeyPatch) -> None:
    failed = Driver._failed

    def lenient(self: Any, step: str, error: Any, *given: Any) -> None:
        if isinstance(error, moot.BudgetExceeded):
            failed(self, step, error, *given)

    patch.setattr(Driver, "_failed", lenient)


def _cancelling_not_said(patch: pytest.MonkeyPatch) -> None:
    event = EventLog.event
    patch.setattr(
        EventLog, "event", lambda self, name, *given: None if name == "cancelled" else event(self, name, *given)
    )


def _outcome_not_recorded(patch: pytest.MonkeyPatch) -> None:
    event = EventLog.event
    patch.setattr(EventLog, "event", lambda self, name, *given: None if name == "ended" else event(self, name, *given))


def _never_tried_again(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(LM, "__init__", partialmethod(LM.__init__, retries=0))


MUTANTS: dict[Callable[[pytest.MonkeyPatch], None], str] = {
    _called_twice: "a call that was completed was made again",
    _failures_not_noted: r"\d+ calls were made and \d+ noted",
    _noted_twice: r"charged twice|\d+ calls were made and \d+ noted",
    _charged_twice: r"the ledger says \d+ tokens, the endpoint \d+",
    _lost_calls_forgotten: "may have been billed",
    _unknown_is_nothing: "may have been billed",
    _half_line_left: "a torn line was left by no kill|not whole",
    _torn_line_kept: "not whole",
    _whole_line_cut: "what was recorded before has changed",
    _asked_again: "had been answered, and were asked again",
    _failure_ignored: "asked for ever|made again",
    _cancelling_not_said: "a cancelled play does not say so",
    _outcome_not_recorded: "no outcome|the outcome is not recorded",
    _never_tried_again: "one passing fault",
}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__.strip("_"))
def test_the_same_fifty_find_what_is_wrong(
    mutant: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(Broken, match=MUTANTS[mutant]):
        numbered(50)
