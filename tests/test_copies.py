"""Copies: what a call answers depends on the content of its request alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

import moot
from moot.agents.identity import identity
from moot.agents.models.lm import LM
from moot.agents.spec import agent_from, profile_of
from moot.agents.wrappers.copies import Copies
from moot.agents.wrappers.snapshot import Snapshot
from moot.cli.app import app
from moot.play.run import in_loop
from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.engine.budget import Account, Budget, Meter
from moot.protocols.engine.errors import BudgetExceeded, UsageError
from moot.protocols.engine.moves import Speech
from moot.protocols.engine.request import Request
from moot.protocols.engine.view import NOTHING, Shown, View
from moot.tasks.base import task_named

SUM = task_named("sum")
SAMPLE = SUM.sample(16, seed=1)
TRUE = SAMPLE.question.choices[SAMPLE.unseal() or 0]


def smuggles(request: Request, remember: Callable[[int], object], recall: Callable[[], int]) -> Any:
    """Asks junk, reads one cell for each question, and answers from a total that it keeps."""
    text = request.view.question.text
    if text.startswith("cell "):
        remember(request.view.look(int(text.split()[1])))
        return Reply(answer="ok")
    if not len(request.view):
        return Subquestions(questions=tuple(f"cell {i}" for i in range(16)))
    return Reply(answer=str(recall()))


class InItself:
    def __init__(self) -> None:
        self.total = 0

    def add(self, cell: int) -> None:
        self.total += cell

    def act(self, request: Request) -> Any:
        return smuggles(request, self.add, lambda: self.total)


class Deeper:
    """Keeps it in a closure in a list in a partial."""

    def __init__(self) -> None:
        self.told = [partial(smuggles, remember=(kept := list[int]()).append, recall=lambda: sum(kept))]

    def act(self, request: Request) -> Any:
        return self.told[0](request)


def in_a_closure() -> Any:
    total = 0

    def add(cell: int) -> None:
        nonlocal total
        total += cell

    return lambda request: smuggles(request, add, lambda: total)


def in_a_default() -> Any:
    def act(request: Request, kept: list[int] = []) -> Any:  # noqa: B006 (that is what it is about)
        return smuggles(request, kept.append, lambda: sum(kept))

    return act


def on_a_function() -> Any:
    def act(request: Request) -> Any:
        return smuggles(request, kept.append, lambda: sum(kept))

    kept: list[int] = []
    act.kept = kept  # type: ignore[attr-defined]
    return act


class InItsClass:
    total = 0

    def act(self, request: Request) -> Any:
        return smuggles(request, self.add, lambda: self.total)

    @classmethod
    def add(cls, cell: int) -> None:
        cls.total += cell


class InADefaultOfAMethod:
    def act(self, request: Request, kept: list[int] = []) -> Any:  # noqa: B006
        return smuggles(request, kept.append, lambda: sum(kept))


GLOBAL: list[int] = []


class InAGlobal:
    def act(self, request: Request) -> Any:
        return smuggles(request, GLOBAL.append, lambda: sum(GLOBAL))


def helper(cell: int) -> None:
    GLOBAL.append(cell)


class InAGlobalOfAHelper:
    def act(self, request: Request) -> Any:
        return smuggles(request, lambda cell: helper(cell), lambda: 0)


COPIED = [InItself, Deeper, in_a_closure, in_a_default, on_a_function]
SEEN = [(InItsClass, "class attribute InItsClass.total"), (InAGlobal, "global GLOBAL"), (InAGlobalOfAHelper, "global GLOBAL"),
        (InADefaultOfAMethod, "default or captured value 0 of InADefaultOfAMethod.act")]  # fmt: skip


def amplified(agent: Any) -> moot.Transcript:
    made, _ = SUM.staged("amplify", SAMPLE)
    return moot.run(made.model_copy(update={"width": 16}), SAMPLE, {"overseer": agent})


@pytest.mark.parametrize("make", COPIED)
def test_a_smuggler_of_a_running_total_fails_as_copies(make: Callable[[], Any]) -> None:
    one_read = partial(moot.Bounded, reads_per_call=1)
    alone = amplified(one_read(make()))
    assert isinstance(alone.outcome, moot.Decided) and alone.outcome.verdict.choice == SAMPLE.unseal()
    for wrapped in (one_read(Copies(make())), Copies(one_read(make())), one_read(Copies(make=make))):
        copied = amplified(wrapped)
        assert isinstance(copied.outcome, moot.Forfeited) and "it is '0'" in copied.outcome.rule
        assert not copied.guarantee.holds and moot.replay(copied).digest == copied.digest


@pytest.mark.parametrize(("make", "where"), SEEN)
def test_what_no_copy_is_made_of_is_seen_to_change(make: Callable[[], Any], where: str) -> None:
    outcome = amplified(Copies(make())).outcome
    assert isinstance(outcome, moot.Errored)
    assert f"the agent keeps something for later calls: {where}" in outcome.cause


def test_the_tasks_own_overseer_is_as_good_when_copied() -> None:
    made, seats = SUM.staged("amplify", SAMPLE)
    wrapped = moot.Bounded(Copies(seats["overseer"].agent), reads_per_call=SUM.reads)
    plain, copied = moot.run(made, SAMPLE, seats), moot.run(made, SAMPLE, {"overseer": wrapped})
    assert copied.digest == plain.digest and copied.guarantee.holds


# -- what a copy is told -----------------------------------------------------------------------------------------------


def asked(step: str = "0", seed: int = 3, meter: Meter | None = None, **changes: Any) -> Request:
    meter, bare = meter or Meter(), View(SAMPLE.question, NOTHING, "metered")
    brief: Any = {"task": "speech"}
    given: dict[str, Any] = {"step": step, "seat": "a", "role": "debater", "kinds": (Speech,), "view": Shown(bare, meter),
                             "brief": brief, "digest": "d", "seed": seed, "budget": Budget(meter)}  # fmt: skip
    return Request(**{**given, **changes})


def tells(request: Request) -> Speech:
    return Speech(text=f"{request.step} {request.seed} {request.attempt} {request.problem} {request.brief}")


@settings(max_examples=20)
@given(st.integers(), st.integers(), st.text("0123456789."), st.text("0123456789."))
def test_equal_requests_at_different_steps_are_answered_alike(one: int, other: int, here: str, there: str) -> None:
    copies = Copies(tells)
    assert copies.act(asked(here, one)) == copies.act(asked(there, other))


def test_what_is_content_makes_another_request() -> None:
    copies = Copies(tells)
    requests = [asked(), asked(attempt=1, problem="too long"), asked(digest="e"), asked(role="critic")]  # fmt: skip
    seeds = {copies.act(each).text.split()[1] for each in requests}
    assert len(seeds) == len(requests), "each has draws of its own"
    assert Copies(tells, seed=1).act(asked()) != copies.act(asked()), "and another seed makes another agent"


def test_what_other_calls_have_spent_is_held_and_not_told() -> None:
    def act(request: Request) -> Any:
        before = [request.budget.left(each) for each in ("reads", "reads_per_call", "tokens")]
        request.view.look(0)
        return Speech(text=f"{before} {request.budget.left('reads_per_call')} {request.budget.reads}")

    account = Account({"reads": 5, "reads_per_call": 2, "tokens": 9})
    for _ in range(4):
        account.charge("reads", 1)
    meter = Meter(account)
    assert act(asked(meter=Meter(account))).text == "[1, 2, 9] 1 1"
    assert Copies(act).act(asked(meter=meter)).text == "[None, 2, None] 1 1"
    assert meter.reads == 1, "the meter is that of the request"
    with pytest.raises(BudgetExceeded):
        Copies(act).act(asked(meter=meter))


def test_whoever_crosses_a_limit_has_crossed_it_whatever_it_answers() -> None:
    """Otherwise it could find out what is left, and so what the others have told it by spending."""

    def probes(request: Request) -> Any:
        for cell in range(9):
            try:
                request.view.look(cell)
            except BudgetExceeded:
                return Speech(text=f"{cell} were left")
        return Speech(text="enough")

    assert probes(asked(meter=Meter(Account({"reads": 3})))).text == "3 were left"
    with pytest.raises(BudgetExceeded):
        Copies(probes).act(asked(meter=Meter(Account({"reads": 3}))))


def test_a_model_charges_the_meter_of_the_request() -> None:
    async def act(request: Request) -> Any:
        request.budget.hold("tokens", 40)
        with request.budget.calling(), request.budget.waiting():
            request.budget.settle("tokens", 40, 7)
        return Speech(text="so")

    meter, stands = Meter(Account({"tokens": 50})), list[bool]()
    meter.clock = stands.append
    assert in_loop(lambda: Copies(act).act(asked(meter=meter))) == Speech(text="so")
    assert meter.spent == {"tokens": 7} and meter.held == {"tokens": 0} and stands == [True, False]


# -- what can be copied ------------------------------------------------------------------------------------------------


class Counts:
    def __init__(self) -> None:
        self.calls = 0

    def act(self, request: Request) -> Speech:
        self.calls += 1
        return Speech(text=str(self.calls))


class Waits(Counts):
    async def act(self, request: Request) -> Speech:  # type: ignore[override]
        return super().act(request)


class Starts(Counts):
    """Answers only between start and close, both called by whoever holds it."""

    def __init__(self, log: Any) -> None:
        super().__init__()
        self.note, self.ready = log, False

    async def start(self) -> None:
        self.ready = True

    async def close(self) -> None:
        self.ready = False

    def act(self, request: Request) -> Speech:
        assert self.ready
        return super().act(request)


@pytest.mark.parametrize(
    "given", [Counts(), Counts, Waits(), Waits, partial(lambda n, request: Speech(text=str(next(iter(n)))), [1])]
)
def test_each_call_is_the_first(given: Any) -> None:
    seats = dict.fromkeys(("a", "b"), Copies(given))
    judge = Copies(lambda request: moot.Verdict(probabilities=(0.5, 0.5)))
    question = moot.Question("Who?", ("x", "y"), passage="so it is")
    transcript = moot.run(moot.Debate(rounds=2), question, {**seats, "judge": judge})
    assert [step.move["text"] for step in transcript.steps()][:4] == ["1"] * 4


@pytest.mark.parametrize("given", [Starts(None), partial(Starts, None)])
def test_copies_are_those_of_the_started_agent_and_what_is_made_starts_itself(given: Any) -> None:
    copies = Copies(given) if isinstance(given, Starts) else Copies(make=given)
    everywhere = dict.fromkeys(("a", "b"), copies)
    question = moot.Question("Who?", ("x", "y"), passage="so it is")
    for _ in range(2):
        transcript = moot.run(moot.Debate(rounds=1), question, {**everywhere, "judge": moot.testing.puppet})
        assert [step.move["text"] for step in transcript.steps()][:2] == ["1", "1"]
    assert not (isinstance(given, Starts) and given.ready)


def test_an_agent_is_copied_as_it_was_when_it_was_wrapped() -> None:
    agent = Counts()
    copies = Copies(agent)
    agent.calls = 7
    assert copies.act(asked()).text == "1" and Copies(agent).act(asked()).text == "8"


def test_recursive_and_shared_closures_are_copied_whole() -> None:
    kept: list[int] = []

    def down(n: int) -> int:
        kept.append(n)
        return n if n == 0 else down(n - 1)

    def both() -> tuple[Any, Any]:
        return down, lambda: list(kept)

    one, other = Snapshot(both()), Snapshot(both())
    first, second = one.fresh(), one.fresh()
    first[0](2)
    assert (first[1](), second[1](), kept, other.fresh()[1]()) == ([2, 1, 0], [], [], [])


class Locked(Counts):
    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()


class MyModel(LM):
    pass


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        (Locked, "Locked cannot be copied: TypeError"), (moot.Human, "a person remembers"),
        (lambda: moot.BestOf(moot.Human(), 2, Counts()), "a person remembers"),
        (lambda: lambda request, numbers=(n for n in "12"): Speech(text=next(numbers)), "cannot be copied: .*generator"),
        (lambda: MyModel("m", base_url="http://127.0.0.1:9/v1"), "MyModel is a model of a class of your own"),
    ],
)  # fmt: skip
def test_what_cannot_be_copied_is_refused_when_it_is_wrapped(agent: Any, why: str) -> None:
    with pytest.raises(UsageError, match=f"^copies: .*{why}.*; give make="):
        Copies(agent())


def test_what_cannot_be_copied_can_be_made() -> None:
    assert [Copies(make=Locked).act(asked()).text for _ in "12"] == ["1", "1"]
    with pytest.raises(UsageError, match="cannot be copied"):  # it would give the same one each time
        Copies(make=lambda kept=Locked(): kept)  # type: ignore[misc]  # noqa: B008


@pytest.mark.parametrize(("given", "why"), [({}, "either an agent, or make="), ({"agent": Counts(), "make": Counts}, "either an agent"),
                                            ({"agent": 3}, "cannot take a seat"), ({"make": 3}, "make is 3"),
                                            ({"agent": Counts(), "seed": "x"}, "seed is 'x'"), ({"make": lambda: 3}, "cannot take a seat")])  # fmt: skip
def test_bad_arguments(given: dict[str, Any], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Copies(**given)


def test_a_model_is_its_own_copy_and_is_sent_no_seed_of_the_step() -> None:
    lm = LM("m", base_url="http://127.0.0.1:9/v1")
    for snapshot in (Snapshot(lm), Snapshot(moot.BestOf(lm, 2, lm))):
        fresh = snapshot.fresh()
        assert fresh is lm or fresh.agent is lm is fresh.judge
    seen = []
    lm.act = lambda *given: seen.append((given[0].step, given[0].seed)) or Speech(text="x")  # type: ignore[method-assign,assignment,func-returns-value]
    copies = Copies(lm)
    copies.act(asked("1", 5)), copies.act(asked("2", 6))
    assert len(set(seen)) == 1 and seen[0][0] == "copy"


def test_copies_draw_all_candidates_and_candidates_that_are_copies_are_all_the_same() -> None:
    def draws(request: Request) -> Speech:
        return Speech(text=str(Random(request.seed).random()))

    def noted(agent: Any) -> set[str]:
        notes: list[dict[str, Any]] = []
        in_loop(lambda: agent.act(asked(note=notes.append)))
        return {each["text"] for note in notes for each in note.get("candidates", ())}

    best = partial(moot.BestOf, n=4, score=lambda request, move: len(move.content()))
    assert len(noted(Copies(best(draws)))) == 4 and len(noted(best(Copies(draws)))) == 1


# -- by name, and on record --------------------------------------------------------------------------------------------


def test_by_name() -> None:
    config = {"agents": {"mine": {"kind": "copies", "of": "task:sum:overseer", "seed": 4}}}
    for spec, seed in (("copies:task:sum:overseer", 0), ("mine", 4), ("copies:mine", 0)):
        agent = agent_from(spec, config)
        assert isinstance(agent, Copies) and agent.seed == seed
        assert profile_of(spec, config).program
    with pytest.raises(UsageError, match="needs of"):
        agent_from("copies")
    bound = agent_from(
        "b",
        {
            "agents": {
                "b": {"kind": "copies", "of": "c"},
                "c": {"kind": "bounded", "of": "mine", "reads": 3},
                **config["agents"],
            }
        },
    )
    assert bound.bound.describe() == {"reads": "3"}


def test_the_command_line_plays_a_copied_program_of_a_task_as_the_program_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told: list[Any] = []
    for spec in ("task:sum:overseer", "copies:task:sum:overseer"):
        command = [
            "run",
            "-P",
            "amplify",
            "--task",
            "sum",
            "--size",
            "8",
            "--seat",
            f"overseer={spec}",
            "--out",
            f"{len(told)}.jsonl",
        ]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0 and "the judge is right" in done.output, done.output
        told.append(moot.load(f"{len(told)}.jsonl").digest)
    assert told[0] == told[1]


def test_description_and_identity() -> None:
    copies = Copies(Counts(), seed=2)
    about = copies.describe()
    assert about["agent"] == "copies" and about["seed"] == 2 and about["members"][0]["name"].endswith("Counts")
    assert moot.Bounded(copies, reads=1).describe()["agent"] == "copies"
    assert identity(copies) not in (None, identity(Copies(Counts())), identity(Counts()))
    assert identity(copies) == identity(Copies(Counts(), seed=2)) and identity(Copies(Counts)) is not None


def test_what_an_agent_noted_is_noted() -> None:
    notes: list[Any] = []

    def act(request: Request) -> Any:
        request.note({"event": "thought", "of": "it"})
        return Speech(text="x")

    Copies(act).act(asked(note=notes.append))
    assert notes == [{"event": "thought", "of": "it"}]


def test_a_failure_is_that_of_the_agent() -> None:
    def act(request: Request) -> Any:
        raise ZeroDivisionError("no")

    with pytest.raises(ZeroDivisionError):
        Copies(act).act(asked())


def test_a_policy_states_its_distribution_as_a_copy_too() -> None:
    policy = moot.Policy(lambda request: {Speech(text=request.step): 0.25, Speech(text="b"): 0.75})
    assert Copies(policy).distribution(asked("7")) == policy.distribution(asked("copy"))
    with pytest.raises(AttributeError, match="no distribution"):
        Copies(tells).distribution  # noqa: B018


def test_an_agent_that_calls_itself_copies_is_none() -> None:
    class Says(InItself):
        def describe(self) -> dict[str, Any]:
            return {"agent": "copies"}

    class Keeps(Copies):
        """Of the class, and with a memory of its own."""

    for seated in (Says(), Keeps(InItself())):
        play = amplified(moot.Bounded(seated, reads_per_call=3))
        assert play.started["meta"]["seats"]["overseer"]["agent"] == "program", seated
        assert "which only moot.Copies makes" in play.started["meta"]["seats"]["overseer"]["problem"]
        assert not play.guarantee.holds
    assert "copies without memory" in amplified(moot.Bounded(Says(), reads_per_call=3)).guarantee.because
    honest = amplified(moot.Bounded(Copies(SUM.programs()["overseer"]()), reads_per_call=3))
    assert honest.started["meta"]["seats"]["overseer"]["agent"] == "copies" and honest.guarantee.holds
