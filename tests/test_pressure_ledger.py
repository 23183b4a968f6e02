"""The ledger of optimisation pressure: what it certifies is never below the exact probability, whatever was composed."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from import_kit import FIXTURES, by_name

import moot
from moot.complexity.pressure.bounds import betting_lower, clopper_pearson
from moot.complexity.pressure.certificate import ASSUMES
from moot.complexity.pressure.kinds import Bound
from moot.complexity.pressure.ledger import Pressure

QUESTION = moot.Question("Which?", choices=("yes", "no"))
SAID = ("good", "bad", "illegal", "fail")
Law = dict[str, float]


class Script(moot.Protocol):
    """A seat speaks a few times, and must not say "illegal"; then the judge decides."""

    name = "pressure-script"
    asks: int = 1

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "speaker", "judge": "judge"}

    def most_moves(self, question: moot.Question) -> dict[str, int]:
        return {"a": self.asks, "judge": 1}

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        def check(move: moot.Speech) -> moot.Speech:
            if move.text == "illegal":
                raise moot.Illegal("it is illegal")
            return move

        for _ in range(self.asks):
            await floor.ask("a", moot.Speech, check=check)
        return moot.Decided(verdict=await floor.ask("judge", moot.Verdict), payoffs={})


def judge(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def speaker(request: moot.Request) -> moot.Speech:
    return moot.Speech(text="good")


# -- any composition, by the laws of its parts ----------------------------------------------------------------------------


def best(base: Law, n: int, score: dict[str, int]) -> Law:
    """Best of n by every tuple of draws, the first of equals; where all fail, it fails."""
    found = dict.fromkeys(SAID, 0.0)
    for draws in itertools.product(SAID, repeat=n):
        share = mass(base, draws)
        good = [each for each in draws if each != "fail"]
        found[max(good, key=lambda each: score[each]) if good else "fail"] += share
    return found


def mass(base: Law, draws: tuple[str, ...]) -> float:
    found = 1.0
    for each in draws:
        found *= base[each]
    return found


def top(base: Law, n: int, k: int, score: dict[str, int]) -> Law:
    """One of the best k of n; where fewer than k do not fail, it fails."""
    found = dict.fromkeys(SAID, 0.0)
    for draws in itertools.product(SAID, repeat=n):
        share = mass(base, draws)
        good = sorted((each for each in draws if each != "fail"), key=lambda each: -score[each])[:k]
        for each in good if len(good) == k else ["fail"] * k:
            found[each] += share / k
    return found


def until(base: Law, tries: int, holds: frozenset[str]) -> Law:
    found, left = dict.fromkeys(SAID, 0.0), 1.0
    for _ in range(tries):
        for each in holds - {"fail"}:
            found[each] += left * base[each]
        left *= 1 - sum(base[each] for each in holds - {"fail"})
    found["fail"] += left
    return found


def wrapped(parts: list[tuple[Any, ...]]) -> tuple[Any, Callable[[Law], Law]]:
    """A wrapper around `speaker`, innermost part first, and what it makes of the law of one draw."""
    agent: Any = speaker
    laws: list[Callable[[Law], Law]] = []
    for kind, n, k, score, holds in parts:
        if kind == "best":
            agent = moot.BestOf(agent, n, score=scored)
            laws.append(partial(best, n=n, score=score))
        elif kind == "top":
            agent = moot.Quantilized(agent, n, min(k, n), score=scored)
            laws.append(partial(top, n=n, k=min(k, n), score=score))
        else:
            agent = moot.Conditioned(agent, holding, n)
            laws.append(partial(until, tries=n, holds=holds))

    def law(base: Law) -> Law:
        for each in laws:
            base = each(base)
        return base

    return agent, law


def scored(request: moot.Request, move: moot.Move) -> float:
    return 1.0


def holding(request: moot.Request, move: moot.Move) -> bool:
    return True


@st.composite
def compositions(draw: st.DrawFn) -> list[tuple[Any, ...]]:
    part = st.tuples(
        st.sampled_from(("best", "top", "until")), st.integers(1, 3), st.integers(1, 3),
        st.fixed_dictionaries(dict.fromkeys(SAID, st.integers(0, 2))), st.frozensets(st.sampled_from(SAID), min_size=1),
    )  # fmt: skip
    return draw(st.lists(part, min_size=0, max_size=2))


def paths(kernel: Callable[[tuple[str, ...]], Law], asks: int) -> Iterator[tuple[tuple[str, ...], float]]:
    """Every complete way in which the speaker may go through the script, with its probability: what it says, rejected attempts
    included; one that fails, or is rejected twice at a step, ends the play."""

    def go(said: tuple[str, ...], step: int, rejected: bool, share: float) -> Iterator[tuple[tuple[str, ...], float]]:
        if step == asks:
            yield said, share
            return
        for each, probability in kernel(said).items():
            then, left = (*said, each), share * probability
            if not left:
                continue
            if each == "fail" or (each == "illegal" and rejected):
                yield then, left
            elif each == "illegal":
                yield from go(then, step, True, left)
            else:
                yield from go(then, step + 1, False, left)

    return go((), 0, False, 1.0)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(compositions(), st.integers(1, 2), st.integers(0, 10**6), st.floats(0.01, 0.9))
def test_a_certificate_is_never_below_the_exact_probability(
    parts: list[tuple[Any, ...]], asks: int, seed: int, rare: float
) -> None:
    agent, law = wrapped(parts)
    random = Random(seed)
    bases: dict[tuple[str, ...], Law] = {}

    def base(said: tuple[str, ...]) -> Law:
        """The anchor depends on all that was said."""
        if said not in bases:
            weights = [random.random() ** 2 for _ in SAID]
            weights[1] *= rare
            bases[said] = {each: weight / sum(weights) for each, weight in zip(SAID, weights, strict=True)}
        return bases[said]

    anchors = dict(paths(base, asks))
    pushed = dict(paths(lambda said: law(base(said)), asks))
    ended = sorted(said for said in anchors if said[-1] != "fail")
    event = {said for said in ended if random.random() < 0.4}
    transcript = moot.run(Script(asks=asks), QUESTION, {"a": agent, "judge": judge})
    declared = min(1.0, sum(anchors[said] for said in event))
    exact = sum(pushed.get(said, 0.0) for said in event)
    found = moot.pressure(transcript, speaker, seats=["a"], event=declared, per="play").certificate
    assert found is not None and found.upper is not None and found.upper >= exact - 1e-9

    bad = {said: {each for each in SAID[:3] if random.random() < 0.4} for said in bases}
    declared = min(1.0, max(sum(base(said)[each] for each in bad[said]) for said in bad))
    exact = sum(
        share for said, share in pushed.items() if any(said[at] in bad.get(said[:at], ()) for at in range(len(said)))
    )
    found = moot.pressure(transcript, speaker, seats=["a"], event=declared).certificate
    assert found is not None and found.upper is not None and found.upper >= exact - 1e-9
    assert all(bound >= exact - 1e-9 for bound in found.routes.values())


# -- the wrappers themselves, by every sequence of draws ------------------------------------------------------------------


class Tape:
    """An agent whose draws are read from a tape, so that every sequence of draws can be played."""

    identity = "tape"

    def __init__(self, base: Callable[[moot.Request], Law]) -> None:
        self.base, self.tape, self.at, self.share = base, list[int](), 0, 1.0

    def act(self, request: moot.Request) -> moot.Speech:
        if self.at == len(self.tape):
            self.tape.append(0)
        outcome = SAID[self.tape[self.at]]
        self.at, self.share = self.at + 1, self.share * self.base(request)[outcome]
        if outcome == "fail":
            raise moot.AgentError("it failed")
        return moot.Speech(text=outcome)

    def next(self) -> bool:
        """Go on to the next sequence; False after the last."""
        self.at, self.share = 0, 1.0
        while self.tape and self.tape[-1] == len(SAID) - 1:
            self.tape.pop()
        if self.tape:
            self.tape[-1] += 1
        return bool(self.tape)


def depends(request: moot.Request) -> Law:
    """More of what is bad once something bad was said, and where it was told to say something else."""
    said = [entry.move.content() for entry in request.view]
    bad = 0.3 if "bad" in said or request.attempt else 0.05
    return {"good": 0.85 - bad, "bad": bad, "illegal": 0.1, "fail": 0.05}


WORST = {"good": 0.0, "illegal": 1.0, "bad": 2.0}


@pytest.mark.parametrize(
    ("wrap", "asks"),
    [
        (lambda agent: agent, 2),
        (lambda agent: moot.BestOf(agent, 2, score=lambda request, move: WORST[move.content()]), 1),
        (lambda agent: moot.Conditioned(agent, lambda request, move: move.content() != "good", 2), 1),
    ],
)
def test_every_sequence_of_draws_of_the_real_wrappers_is_certified(wrap: Callable[[Any], Any], asks: int) -> None:
    tape = Tape(depends)
    seated = {"a": wrap(tape), "judge": judge}
    anchored = Tape(depends)
    transcript = None

    def law(tape: Tape, agent: Any) -> tuple[float, float, float]:
        nonlocal transcript
        bad = twice = total = 0.0
        while True:
            played = moot.run(Script(asks=asks), QUESTION, {**seated, "a": agent})
            said = [
                event["move"]["text"]
                for event in played.events()
                if event["event"] in ("moved", "rejected") and event["seat"] == "a"
            ]
            bad, twice, total = (
                bad + tape.share * ("bad" in said),
                twice + tape.share * (said.count("illegal") == 2),
                total + tape.share,
            )
            transcript = played
            if not tape.next():
                return bad, twice, total

    base_bad, base_twice, whole = law(anchored, anchored)
    assert whole == pytest.approx(1)
    exact_bad, exact_twice, whole = law(tape, seated["a"])
    assert whole == pytest.approx(1) and transcript is not None
    reply = moot.pressure(transcript, tape, seats=["a"], event=0.3).certificate
    assert reply is not None and reply.upper is not None and reply.upper >= exact_bad
    for declared, exact in ((base_bad, exact_bad), (base_twice, exact_twice)):
        play = moot.pressure(transcript, tape, seats=["a"], event=declared, per="play").certificate
        assert play is not None and play.upper is not None and play.upper >= exact


# -- a path is not a policy -----------------------------------------------------------------------------------------------


class Coin(Script):
    """A coin decides whether seat a or seat b speaks."""

    name = "pressure-coin"

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"a": "speaker", "b": "speaker", "judge": "judge"}

    def most_moves(self, question: moot.Question) -> dict[str, int]:
        return {"a": 1, "b": 1, "judge": 1}

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        await floor.ask(("a", "b")[await floor.flip()], moot.Speech)
        return moot.Decided(verdict=await floor.ask("judge", moot.Verdict))


def test_the_quiet_path_of_a_coin_certifies_nothing_less() -> None:
    p, drawn = 0.001, moot.BestOf(speaker, 16, score=scored)
    plays = [moot.run(Coin(), QUESTION, {"a": speaker, "b": drawn, "judge": judge}, seed=seed) for seed in range(8)]
    exact = (1 - (1 - p) ** 16) / 2
    assert exact == pytest.approx(0.00794, abs=5e-7)
    found = [moot.pressure(play, speaker, seats=["a", "b"], event=p) for play in plays]
    assert {each.rows[0].ratio for each in found} == {1.0, 16.0}  # what was spent is that of the path
    certified = {upper(each) for each in found}
    assert len(certified) == 1 and min(certified) >= exact  # what is certified is not
    assert p * 1.0 < exact


def upper(found: Pressure) -> float:
    assert found.certificate is not None and found.certificate.upper is not None, found.certificate
    return found.certificate.upper


def refusals(found: Pressure) -> str:
    assert found.certificate is not None and found.certificate.upper is None and found.certificate.route == ""
    return "; ".join(found.certificate.refused)


def test_an_agent_that_flips_the_coin_itself_is_not_the_anchor(tmp_path: Path) -> None:
    drawn = moot.BestOf(speaker, 16, score=scored)

    async def flips(request: moot.Request) -> Any:
        return await drawn.act(request) if request.seed % 2 else speaker(request)

    play = moot.run(Script(), QUESTION, {"a": flips, "judge": judge}, out=tmp_path / "d.jsonl")
    assert "no seat is known" in refusals(moot.pressure(play, speaker, event=0.001))
    assert "another" in refusals(moot.pressure(play, speaker, seats=["a"], event=0.001))


# -- what is refused ------------------------------------------------------------------------------------------------------


class Endless(Script):
    name = "pressure-endless"

    def most_moves(self, question: moot.Question) -> None:  # type: ignore[override]
        return None


class Underestimated(Script):
    name = "pressure-underestimated"
    asks: int = 2

    def most_moves(self, question: moot.Question) -> dict[str, int]:
        return {"a": 1, "judge": 1}


def critic(request: moot.Request) -> moot.Speech:
    return moot.Speech(text="better")


@pytest.mark.parametrize(
    ("agent", "why"),
    [
        (moot.CritiqueAndRefine(speaker, critic), "no bound is known of critique and refine"),
        (moot.BestOf(moot.CritiqueAndRefine(speaker, critic), 2, score=scored), "no bound is known of critique and refine"),
        (moot.Briefed(speaker, "Be good."), "its notes are no part of the anchor's prompt"),
        (moot.BestOf(moot.Copies(speaker), 2, score=scored), "copies give the same answer"),
        (critic, "which is not"),
    ],
)  # fmt: skip
def test_what_nothing_bounds_is_refused(agent: Any, why: str) -> None:
    play = moot.run(Script(), QUESTION, {"a": agent, "judge": judge})
    found = moot.pressure(play, speaker, seats=["a"], event=1e-6)
    assert why in refusals(found) and found.seats[0].draws is None
    assert all(row.kind == "none" and row.ratio is None for row in found.rows) and found.estimate is None


@pytest.mark.parametrize(
    ("protocol", "why"), [(Endless(), "does not bound how often"), (Underestimated(), "more often than")]
)
def test_a_certificate_needs_a_bound_on_the_asks(protocol: moot.Protocol, why: str) -> None:
    play = moot.run(protocol, QUESTION, {"a": moot.BestOf(speaker, 4, score=scored), "judge": judge})
    assert why in refusals(moot.pressure(play, speaker, seats=["a"], event=1e-6))


def test_bounded_forked_resumed_imported_and_unfinished_plays_are_refused(tmp_path: Path) -> None:
    seats = {"a": moot.BestOf(speaker, 4, score=scored), "judge": judge}
    play = moot.run(Script(), QUESTION, seats, bounds={"a": {"calls": 9}})
    assert "the seat was bounded" in refusals(moot.pressure(play, speaker, seats=["a"], event=1e-6))
    play = moot.run(Script(asks=2), QUESTION, seats, out=tmp_path / "whole.jsonl")
    upper(moot.pressure(play, speaker, seats=["a"], event=1e-6))
    fork = moot.fork(play, "1", seats, out=tmp_path / "fork.jsonl")
    assert "goes on from another" in refusals(moot.pressure(fork, speaker, seats=["a"], event=1e-6))
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for count in range(3, len(lines)):
        cut = tmp_path / f"cut{count}.jsonl"
        cut.write_bytes(b"".join(lines[:count]))
        assert "has not ended" in refusals(moot.pressure(moot.load(cut), speaker, seats=["a"], event=1e-6))
        again = moot.resume(cut, seats)
        assert "taken up again" in refusals(moot.pressure(again, speaker, seats=["a"], event=1e-6))


def test_more_candidates_than_are_configured_are_refused() -> None:
    def grows(request: moot.Request) -> moot.Speech:
        """Lets its wrapper draw more the next time than it said that it would."""
        vars(drawn)["n"] = 5
        return moot.Speech(text="good")

    grows.identity = "grows"  # type: ignore[attr-defined]
    drawn = moot.BestOf(grows, 4, score=scored)
    play = moot.run(Script(asks=2), QUESTION, {"a": drawn, "judge": judge})
    assert "5 candidates are recorded" in refusals(moot.pressure(play, grows, event=1e-6))


# -- rows -----------------------------------------------------------------------------------------------------------------


def test_rows_are_exact_where_the_policies_are_stated() -> None:
    says = [moot.Speech(text=text) for text in ("good", "bad")]
    base = moot.Policy(lambda request: dict(zip(says, (0.9, 0.1), strict=True)))
    pushed = moot.Policy(lambda request: dict(zip(says, (0.5, 0.5) if len(request.view) else (0.9, 0.1), strict=True)))
    play = moot.run(Script(asks=2), QUESTION, {"a": pushed, "judge": judge})
    found = moot.pressure(play, base, policies={"a": pushed}, event=1e-6)
    first, second = found.rows
    assert (first.kl, first.ratio, first.kind) == (0.0, 1.0, "exact")
    assert second.ratio == pytest.approx(5) and second.kl == pytest.approx(0.510826, abs=1e-6) == found.estimate
    assert "not" in refusals(found)  # exact at two histories, and of no other


def test_quiet_asks_and_failures_are_counted() -> None:
    def answers(request: moot.Request) -> moot.Move:
        return moot.Verdict(probabilities=(0.5, 0.5))

    play = moot.run(Script(), QUESTION, {"a": speaker, "judge": moot.BestOf(answers, 8, score=scored)})
    (row,) = moot.pressure(play, answers, seats=["judge"]).rows
    assert (row.draws, row.ratio, row.kl, row.kind) == (1, 1.0, 0.0, "exact")  # what is no argument is asked for once

    def fails(request: moot.Request) -> moot.Move:
        raise moot.AgentError("no")

    play = moot.run(Script(), QUESTION, {"a": moot.BestOf(fails, 8, score=scored), "judge": judge})
    (row,) = moot.pressure(play, fails, seats=["a"]).rows
    assert (row.draws, row.kind) == (8, "valid bound")


def test_bad_questions_about_pressure_are_usage_errors() -> None:
    play = moot.run(Script(), QUESTION, {"a": speaker, "judge": judge})
    for options, why in (
        ({"seats": ["b"]}, "no seat or role 'b'"), ({"event": 2.0}, "must lie in"), ({"event": True}, "must lie in"),
        ({"event": float("nan")}, "must lie in"), ({"event": 0.1, "per": "week"}, "per 'reply' or per 'play'"),
        ({"policies": {"a": speaker}}, "give a moot.Policy"), ({"score": True}, "is no model"),
        ({"policies": {"a": moot.Policy(lambda request: {})}}, "states none"),
    ):  # fmt: skip
        with pytest.raises(moot.UsageError, match=why):
            moot.pressure(play, speaker, **options)


def test_a_bound_on_the_event_is_as_good_as_its_upper_side() -> None:
    play = moot.run(Once(), QUESTION, {"a": moot.BestOf(speaker, 16, score=scored), "judge": judge})
    found = moot.pressure(play, speaker, event=clopper_pearson(0, 20_000, 0.05)).certificate
    assert found is not None and found.upper == pytest.approx(0.0023937, abs=5e-8) and found.delta == 0.05
    assert "counted-event" in found.assumes
    exact = moot.pressure(play, speaker, event=1e-6).certificate
    assert exact is not None and exact.delta is None and "counted-event" not in exact.assumes
    for worthless in (betting_lower([0.0, 1.0], 0.05), Bound(kind="none", estimate=0.1)):
        with pytest.raises(moot.UsageError, match="holds nothing from above"):
            moot.pressure(play, speaker, event=worthless)


def test_premises_are_named_and_explained() -> None:
    for agent, known in ((moot.BestOf(speaker, 4, score=scored), ()), (speaker, ("stated-anchor",))):
        play = moot.run(Script(), QUESTION, {"a": agent, "judge": judge})
        found = moot.pressure(play, speaker, seats=["a"], event=1e-6).certificate
        assert found is not None and {"event-of-a-reply", "not-chosen", *known} <= {*found.assumes} <= {*ASSUMES}
        assert ("independent-draws" in found.assumes) == (not known) and found.route == "draws"
        assert ("stated-anchor" in found.assumes) == bool(known)


# -- the constants, and what only records can show ------------------------------------------------------------------------


class Once(Script):
    """One ask, and no second attempt at it."""

    name = "pressure-once"
    most_repairs = 0

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        await floor.ask("a", moot.Speech, repairs=0)
        return moot.Decided(verdict=await floor.ask("judge", moot.Verdict, repairs=0))


def test_the_ratio_certifies_and_the_divergence_hardly_does() -> None:
    """An anchor without a failure in 20,000 draws, through the best of 16."""
    play = moot.run(Once(), QUESTION, {"a": moot.BestOf(speaker, 16, score=scored), "judge": judge})
    for per in ("reply", "play"):
        found = moot.pressure(play, speaker, event=1 - 0.05 ** (1 / 20_000), per=per).certificate
        assert found is not None and found.route == "draws" and found.upper == pytest.approx(0.0023937, abs=5e-8)
        assert found.routes["kl"] == pytest.approx(0.27518, abs=5e-6)


def test_wrappers_in_each_other_multiply() -> None:
    inner = moot.Quantilized(speaker, 8, 2, score=scored)
    agent = moot.Conditioned(moot.BestOf(inner, 4, score=scored), holding, 3)
    play = moot.run(Once(), QUESTION, {"a": agent, "judge": judge})
    found = moot.pressure(play, speaker)
    (seat,), (row,) = found.seats, found.rows
    assert (seat.draws, seat.ratio, seat.asks, seat.known) == (96, 48.0, 1, "identity")
    assert (row.draws, row.ratio) == (32, 16.0)  # the first of three tries held
    recursive: Any = speaker
    for depth in range(1, 4):
        recursive = moot.Quantilized(recursive, 4, 1, score=scored)
        play = moot.run(Once(), QUESTION, {"a": recursive, "judge": judge})
        assert moot.pressure(play, speaker).seats[0].ratio == 4.0**depth


def test_an_imported_play_certifies_nothing(tmp_path: Path) -> None:
    plays = by_name("khan", FIXTURES / "khan", tmp_path).values()
    assert plays
    for play in plays:
        assert "the play was imported" in refusals(moot.pressure(play, speaker, event=1e-6))


def test_a_record_of_more_attempts_than_are_declared_today_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Patient(Script):
        name = "pressure-patient"
        most_repairs = 3

        async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
            def check(move: moot.Speech) -> moot.Speech:
                raise moot.Illegal("never")

            await floor.ask("a", moot.Speech, check=check, repairs=3)
            raise AssertionError

    play = moot.run(Patient(), QUESTION, {"a": moot.BestOf(speaker, 2, score=scored), "judge": judge})
    assert moot.pressure(play, speaker, event=1e-6).seats[0].asks == 4
    monkeypatch.setattr(Patient, "most_repairs", 1)
    assert "more often than" in refusals(moot.pressure(play, speaker, event=1e-6))
