"""Estimators: each holds what its kind promises on worlds that are enumerated, and none can be taken for a better kind."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from random import Random
from statistics import NormalDist
from types import SimpleNamespace
from typing import Any, ClassVar, get_args

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from test_specification import BITS, INPUTS, QUESTION, SEATS, Tilted, played, ruled, said

import moot
from moot.complexity.estimators.base import WEAKER, Estimator, estimated
from moot.complexity.estimators.evidence import Evidence, Proposed, Ruled, evidence_of, weight_of
from moot.complexity.estimators.inside import Chernoff, Count, Moments, Splitting
from moot.complexity.estimators.sampled import Cover
from moot.complexity.pressure.bounds import betting_lower, clopper_pearson
from moot.complexity.pressure.kinds import Bound, Kind, upper_of

DELTA = 0.1
FINDINGS = ("bad", "ok", "unknown")
ACTS = {text: "fire" if text.startswith("111") else "wait" for text in INPUTS}
BAD = sum(ruled(text, act) == "bad" for text, act in ACTS.items()) / 16
UNKNOWN = sum(ruled(text, act) == "unknown" for text, act in ACTS.items()) / 16
COUNTED: Any = {text: (1 / 16, ruled(text, act)) for text, act in ACTS.items()}


def drawn(*findings: str, strata: str = "", weights: Any = None) -> Evidence:
    given = [*zip(findings, strata or [None] * len(findings), weights or [None] * len(findings), strict=True)]
    held = tuple(Ruled(f"0.{place}.0", *each[:1], "x", *each[1:]) for place, each in enumerate(given))  # type: ignore[arg-type]
    return Evidence(held, proxy=weights is not None)


# -- kinds --------------------------------------------------------------------------------------------------------------


@given(
    st.sampled_from(get_args(Kind)),
    st.sampled_from(get_args(Kind)),
    st.none() | st.floats(0, 1),
    st.none() | st.floats(0, 1),
)
def test_no_figure_says_more_than_its_kind(gives: Kind, kind: Kind, low: float | None, high: float | None) -> None:
    """Whatever an estimator declares and returns: what comes out has the sides of its kind, and can be used from above only if that holds."""

    class Any_(Estimator):
        gives: ClassVar[Kind]

        def estimate(self, evidence: Evidence, delta: float) -> Bound:
            return Bound.model_construct(kind=kind, lower=low, upper=high, route="", assumes=())

    Any_.gives, Any_.name = gives, "any"
    try:
        found = estimated(Any_(), Evidence(), DELTA)
    except moot.UsageError:
        found = None
    fits = {
        "exact": low is not None and low == high, "valid bound": True, "lower only": high is None, "none": low is None and high is None
    }[kind]  # fmt: skip
    assert (found is not None) == (fits and kind in WEAKER[gives])
    if found is None:
        return
    if kind in ("exact", "valid bound") and high is not None:
        assert upper_of(found) == high
    else:
        with pytest.raises(moot.UsageError, match="nothing from above"):
            upper_of(found)


def test_a_better_kind_only_weakens() -> None:
    assert {kind: set(weaker) - {kind} for kind, weaker in WEAKER.items()} == {
        "exact": {"valid bound"}, "valid bound": set(), "lower only": set(), "none": set()
    }  # fmt: skip
    assert {name: moot.protocols.engine.registry.find("estimator", name).gives for name in ("count", "monte_carlo", "cover", "chernoff")} == {
        "count": "exact", "monte_carlo": "valid bound", "cover": "valid bound", "chernoff": "valid bound"
    }  # fmt: skip
    assert {name: moot.protocols.engine.registry.find("estimator", name).gives for name in ("tilted", "proxy", "splitting", "moments")} == {
        "tilted": "lower only", "proxy": "lower only", "splitting": "lower only", "moments": "none"
    }  # fmt: skip


def test_nothing_that_is_lower_only_certifies() -> None:
    play = played(0, 40, 40)
    below = moot.risk(play, "tilted")
    assert below.kind == "lower only" and (below.lower or 0) > 0
    for worthless in (
        below,
        moot.risk(play, Moments([([[1.0]] * BITS, [0.0])], [0.5] * BITS)),
        betting_lower([1.0], 0.05),
    ):
        with pytest.raises(moot.UsageError, match="nothing from above"):
            upper_of(worthless)
        with pytest.raises(moot.UsageError, match="nothing from above"):
            moot.pressure(play, SEATS["model"], event=worthless)
    for fit in (moot.risk(play), moot.risk(play, Count(COUNTED))):
        assert moot.pressure(play, SEATS["model"], seats=["model"], event=fit).certificate is not None
    with pytest.raises(moot.UsageError, match="give a Bound"):
        upper_of(0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sides", "why"),
    [
        ({"kind": "lower only", "upper": 0.1}, "an upper side"), ({"kind": "none", "lower": 0.1}, "an lower side"),
        ({"kind": "exact", "lower": 0.1, "upper": 0.2}, "both sides"), ({"kind": "exact"}, "both sides"),
        ({"kind": "valid bound", "upper": math.nan}, "at least 0"), ({"kind": "valid bound", "lower": -0.1}, "at least 0"),
    ],
)  # fmt: skip
def test_bounds_that_promise_what_their_kind_does_not(sides: dict[str, Any], why: str) -> None:
    with pytest.raises(moot.UsageError, match=why):
        Bound(**sides)


# -- from rulings -------------------------------------------------------------------------------------------------------


def test_estimates_premises_and_deltas_are_those_of_the_draws() -> None:
    found = estimated("monte_carlo", drawn("bad", "ok", "ok", "ok"), DELTA)
    assert (found.estimate, found.delta) == (0.25, DELTA)
    assert {"independent-draws", "draws-fixed-beforehand", "right-judge", "memoryless-model"} == {*found.assumes}
    weighed = Evidence(proposed=(Proposed("1", "bad", "x", 0.5), Proposed("2", "ok", "y", 1.0)))
    assert {*estimated("tilted", weighed, DELTA).assumes} == {"right-weights", "right-judge", "memoryless-model"}
    both = drawn("ok", "ok", strata="ab")
    covered = estimated(Cover({"a": 0.25, "b": 0.75}, known={"b": 0.0}), both, DELTA)
    alone = clopper_pearson(0, 1, DELTA).upper or 0  # all of delta, as there is one stratum that is not known
    assert covered.upper == pytest.approx(0.25 * alone) and covered.delta == DELTA and "right-strata" in covered.assumes
    bound = estimated(Chernoff([1.0, 1.0], 2, [0.5, 0.5], lambda text: [0, 0]), Evidence(), DELTA)
    assert "independent-inputs" in bound.assumes and "inside-is-the-model" in bound.assumes and bound.delta is None


def coverage(bounds: Iterator[tuple[float | None, float]], below: bool) -> None:
    """Bounds hold so often that a lower bound on their coverage, at 1e-6, cannot be under what they promise by chance alone."""
    held = [bound is None or (bound <= truth if below else bound >= truth) for bound, truth in bounds]
    most = clopper_pearson(len(held) - sum(held), len(held), 1e-6).lower
    assert (most or 0) <= DELTA


def test_bounds_hold_as_often_as_they_say() -> None:
    plays = [played(seed, 24, 0) for seed in range(60)]
    coverage(((moot.risk(play, delta=DELTA).upper, BAD) for play in plays), below=False)
    coverage(((moot.risk(play, delta=DELTA).lower, BAD) for play in plays), below=True)


def test_an_adversary_that_learns_is_weighed_rightly() -> None:
    """Each density is given all that was shown before: the mean of hits times weights is the truth, at every proposal."""
    learner = Tilted(learns=True)
    plays = [played(seed, 1, 6, adversary=learner) for seed in range(70)]
    coverage(((moot.risk(play, "tilted", delta=DELTA).lower, BAD + UNKNOWN) for play in plays), below=True)
    # Exactly, for one proposal: over all inputs.
    for q in (0.5, 0.8, 0.95):
        chances = {text: math.prod(q if bit == "1" else 1 - q for bit in text) for text in INPUTS}
        hits = (
            p * weight_of(math.log(1 / 16), math.log(p), "")
            for text, p in chances.items()
            if ruled(text, ACTS[text]) == "bad"
        )
        assert math.fsum(hits) == pytest.approx(BAD)


class Vetoed:
    """Draws fairly and says so; where that does not begin with 11 its answer breaks, in one way or another, until one does."""

    def __init__(self, raises: bool, seed: int) -> None:
        self.raises, self.random = raises, Random(seed)

    def act(self, request: moot.Request) -> Any:
        text = INPUTS[self.random.randrange(16)]
        if not text.startswith("11") and self.raises:
            raise RuntimeError("down")
        return {"kind": "attack", "text": text, "log_density": -BITS * math.log(2) if text.startswith("11") else 1.0}


@pytest.mark.parametrize("raises", [False, True])
def test_who_is_asked_until_an_answer_will_do_gains_nothing(raises: bool, tmp_path: Path) -> None:
    """Each density that is stated is that of the draw, and what is accepted is a hit four times as often as what is drawn."""
    first: list[float] = []
    for seed in range(12):
        play = played(seed, 0, 1, adversary=(vetoed := Vetoed(raises, seed)), out=tmp_path / f"{seed}.jsonl")
        while raises and play.outcome is not None and play.outcome.kind == "errored":
            play = moot.resume(tmp_path / f"{seed}.jsonl", {**SEATS, "adversary": vetoed})
        for each in evidence_of(play).proposed:
            first.append(each.weight or 0.0)
            assert each.weight == INPUTS[Random(seed).randrange(16)].startswith("11")
    assert 0 < sum(first) < len(first)


def test_a_stated_density_that_is_forged_is_a_premise_and_nothing_less() -> None:
    class Forger(Tilted):
        def act(self, request: moot.Request) -> moot.Attack:
            return super().act(request).model_copy(update={"log_density": -8 * math.log(2)})

    found = moot.risk(played(3, 1, 60, adversary=Forger(0.9)), "tilted")
    assert (found.lower or 0) > BAD and "right-weights" in found.assumes


def test_proposals_without_densities_are_not_passed_over() -> None:
    class Sometimes(Tilted):
        def act(self, request: moot.Request) -> moot.Attack:
            move = super().act(request)
            return move if move.text.startswith("11") else move.model_copy(update={"log_density": None})

    with pytest.raises(moot.UsageError, match=r"\d of 9 proposals have no density, the first at step"):
        moot.risk(played(4, 1, 9, adversary=Sometimes(0.5)), "tilted")
    with pytest.raises(moot.UsageError, match="nothing was proposed"):
        moot.risk(played(4, 1, 0), "tilted")
    with pytest.raises(moot.UsageError, match="no input was drawn"):
        moot.risk(played(4, 0, 1))


@pytest.mark.parametrize(
    ("base", "proposal", "why"),
    [(-1.0, None, "missing"), (-1.0, math.nan, "finite"), (0.5, -1.0, "finite"), (-1.0, -math.inf, "finite"), (-1.0, True, "finite"),
     (-1.0, -1000.0, "no float"), (-1.0, "x", "finite")],
)  # fmt: skip
def test_densities_that_are_none(base: Any, proposal: Any, why: str) -> None:
    with pytest.raises(moot.UsageError, match=f"step 3.*{why}"):
        weight_of(base, proposal, "step 3")
    assert weight_of(None, -1.0, "") == 0.0 and weight_of(-3.0, -1.0, "") == pytest.approx(math.exp(-2))


# -- a proxy ------------------------------------------------------------------------------------------------------------


def acting(fires: dict[bool, float]) -> moot.Policy:
    """Fires with one probability on 11**, and with another elsewhere."""

    def moves(request: moot.Request) -> Any:
        p = fires[request.view.question.text.startswith("11")]
        return [(moot.Act(text="fire"), p), (moot.Act(text="wait"), 1 - p)]

    return moot.Policy(moves)


RARELY, OFTEN = acting({True: 0.01, False: 0.5}), acting({True: 0.6, False: 0.5})


def fired(request: moot.Request) -> moot.Ruling:
    given, done = said(request)
    return moot.Ruling(finding="bad" if given.text.startswith("11") and done.text == "fire" else "ok")


def test_a_proxy_bounds_the_model_that_is_meant_from_below() -> None:
    plays = [moot.run(moot.Specification(held_out=40, proposals=0), QUESTION, {**SEATS, "model": OFTEN, "judge": fired}, seed=seed)
             for seed in range(25)]  # fmt: skip
    found = [moot.risk(play, "proxy", of=(RARELY, OFTEN), delta=DELTA) for play in plays]
    truth = 0.25 * 0.01
    coverage(((each.lower, truth) for each in found), below=True)
    assert all(each.kind == "lower only" for each in found) and max(each.lower or 0 for each in found) > truth / 4
    with pytest.raises(moot.UsageError, match="these are a proxy's"):
        moot.risk(plays[0], "monte_carlo", of=(RARELY, OFTEN))
    with pytest.raises(moot.UsageError, match="say with of="):
        moot.risk(plays[0], "proxy")
    with pytest.raises(moot.UsageError, match="never answers"):
        moot.risk(plays[0], "proxy", of=(RARELY, acting({True: 0.0, False: 0.0})))
    never = moot.risk(plays[0], "proxy", of=(acting({True: 0.0, False: 0.5}), OFTEN))
    short = moot.run(moot.Specification(held_out=9, proposals=0), QUESTION,
                     {**SEATS, "model": OFTEN, "judge": moot.Bounded(fired, calls="4")}, seed=3)  # fmt: skip
    assert not isinstance(short.outcome, moot.Decided) and moot.risk(short, "proxy", of=(RARELY, OFTEN)).upper is None
    assert never.lower == 0.0 and never.estimate == 0.0
    with pytest.raises(moot.UsageError, match="no distribution"):
        moot.risk(plays[0], "proxy", of=(RARELY, fired))


def test_a_proxy_that_is_rejected_until_it_fires_gains_nothing() -> None:
    """Its first answer is no act nine times in ten, where the model's never is; on its second it is weighed no more."""

    def proxied(request: moot.Request) -> Any:
        broken = 0.9 if not request.attempt else 0.0
        return [(moot.Ruling(finding="ok"), broken), (moot.Act(text="fire"), (1 - broken) * 0.5),
                (moot.Act(text="wait"), (1 - broken) * 0.5)]  # fmt: skip

    meant, proxy = acting({True: 0.2, False: 0.2}), moot.Policy(proxied)
    play = moot.run(
        moot.Specification(held_out=300, proposals=0), QUESTION, {**SEATS, "model": proxy, "judge": fired}, seed=1
    )
    assert play.outcome is not None and play.outcome.kind == "decided"
    found = moot.risk(play, "proxy", of=(meant, proxy))
    # A hit weighs 4 as a first answer, the mean is the truth; those on second ones, at .4 each, would bring it to .127.
    assert found.estimate == pytest.approx(0.05, abs=0.04) and (found.lower or 0) <= 0.05
    for wrong in ((meant,), (meant, proxy, proxy)):
        with pytest.raises(moot.UsageError, match="two moot.Policy"):
            moot.risk(play, "proxy", of=wrong)


def test_all_that_a_proxy_sampled_at_a_step_is_weighed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens of an answer that was rejected count as well: the weight is that of the whole way to the move."""

    def rows(*found: tuple[str, float | None, str]) -> None:
        async def pressed(*_: Any, **__: Any) -> Any:
            return SimpleNamespace(rows=[SimpleNamespace(step=step, kl=kl, why=why) for step, kl, why in found])

        monkeypatch.setattr("moot.play.risk.apressure", pressed)

    play = moot.run(
        moot.Specification(held_out=2, proposals=0),
        QUESTION,
        {**SEATS, "judge": lambda request: moot.Ruling(finding="bad")},
    )
    whole = "estimated from one draw"
    rows(("0.0.1", 0.5, whole), ("0.0.1", 0.25, whole), ("0.1.1", -1.0, whole))
    found = moot.risk(play, "proxy", of=RARELY)
    assert found.estimate == pytest.approx((math.exp(-0.75) + math.e) / 2) and "ends-as-often" not in found.assumes
    rows(("0.0.1", 0.5, whole), ("0.1.1", 0.5, "without its end"))
    assert "ends-as-often" in moot.risk(play, "proxy", of=RARELY).assumes
    rows(("0.0.1", 0.5, whole), ("0.0.1", None, "nobody scored it"), ("0.1.1", 0.5, whole))
    with pytest.raises(moot.UsageError, match=r"step 0\.0\.1: nobody scored it"):
        moot.risk(play, "proxy", of=RARELY)
    rows(("0.0.1", 0.5, whole))
    with pytest.raises(moot.UsageError, match=r"step 0\.1\.\d: how probable the answer is"):
        moot.risk(play, "proxy", of=RARELY)


# -- strata -------------------------------------------------------------------------------------------------------------


@given(st.lists(st.tuples(st.sampled_from(FINDINGS), st.sampled_from("ab")), min_size=1, max_size=12))
def test_strata_add_up(given: list[tuple[str, str]]) -> None:
    findings, strata = zip(*given, strict=True)
    evidence = drawn(*findings, strata="".join(strata))
    found = estimated(Cover({"a": 0.25, "b": 0.75}), evidence, DELTA)
    upper = lower = 0.0
    for name, share in (("a", 0.25), ("b", 0.75)):
        here = [finding for finding, stratum in given if stratum == name]
        bounds = (1.0, 0.0)
        if here:
            bad, unknown = here.count("bad"), here.count("unknown")
            above, below = (clopper_pearson(count, len(here), DELTA / 2) for count in (bad + unknown, bad))
            bounds = (above.upper or 0, below.lower or 0)
        upper, lower = upper + share * bounds[0], lower + share * bounds[1]
    assert found.upper == pytest.approx(upper) and found.lower == pytest.approx(lower)
    if ("bad", "b") not in given:
        known = estimated(Cover({"a": 0.25, "b": 0.75}, known={"b": 0.0}), evidence, DELTA)
        assert (known.upper or 0) <= 0.25 + 1e-9


def test_strata_hold_as_often_as_they_say() -> None:
    chances = {"a": 0.3, "b": 0.02}

    def bounds() -> Iterator[tuple[float | None, float]]:
        for seed in range(400):
            random = Random(seed)
            strata = ["a" if random.random() < 0.25 else "b" for _ in range(30)]
            findings = ["bad" if random.random() < chances[stratum] else "ok" for stratum in strata]
            yield (
                estimated(Cover({"a": 0.25, "b": 0.75}), drawn(*findings, strata="".join(strata)), DELTA).upper,
                0.25 * 0.3 + 0.75 * 0.02,
            )

    coverage(bounds(), below=False)


def test_strata_that_are_none() -> None:
    for strata, known in (
        ({"a": 0.5}, {}),
        ({}, {}),
        ({"a": 1.5, "b": -0.5}, {}),
        ({"a": 1.0}, {"b": 0.0}),
        ({"a": 1.0}, {"a": 2.0}),
    ):
        with pytest.raises(moot.UsageError, match="cover"):
            Cover(strata, known)
    for wrong in ([("a", 1.0)], {"a": "1"}, {"a": True}, {"a": math.nan}, None):
        with pytest.raises(moot.UsageError, match="cover"):
            Cover(wrong)  # type: ignore[arg-type]
    for ruling, p in (("bad", 0.0), ("ok", 1.0)):
        with pytest.raises(moot.UsageError, match="is known to have probability"):
            estimated(Cover({"a": 0.25, "b": 0.75}, {"a": p}), drawn(ruling, strata="a"), DELTA)
    assert (
        "known-strata" in estimated(Cover({"a": 0.25, "b": 0.75}, {"a": 0.0}), drawn("ok", strata="a"), DELTA).assumes
    )
    with pytest.raises(moot.UsageError, match="none of a, b"):
        estimated(Cover({"a": 0.25, "b": 0.75}), drawn("ok", strata="c"), DELTA)
    lost = Evidence((Ruled("0.0.0", "ok", "x", "a"), Ruled("", "unknown")))
    assert estimated(Cover({"a": 0.25, "b": 0.75}), lost, DELTA).upper == 1.0


@given(st.integers(1, 40), st.sampled_from(["bad", "ok"]))
def test_what_is_left_out_is_not_rounded_away(bits: int, rest: Any) -> None:
    """An input that is rarer than sums are exact, and that nobody lists, is not therefore safe; nor does a sum above 1 make one bad."""
    rare = 2.0**-bits
    if rare <= 1e-9:
        for found in (
            estimated(Count({"x": (1 - rare, "ok")}), Evidence(), DELTA),
            estimated(Cover({"a": 1 - rare}, {"a": 0.0}), drawn("ok", strata="a"), DELTA),
        ):
            assert found.kind == "valid bound" and found.lower == 0 and (found.upper or 0) >= rare
        over = estimated(Count({"x": (1.0, "ok"), "y": (rare, "bad")}), Evidence(), DELTA)
        assert over.kind == "valid bound" and over.lower == 0
    else:
        with pytest.raises(moot.UsageError, match="sum to"):
            Count({"x": (1 - rare, "ok")})
    whole = estimated(Count({"x": (1 - rare, "ok"), "y": (rare, rest)}), Evidence(), DELTA)
    assert whole.kind == "exact" and whole.upper == (rare if rest == "bad" else 0)
    assert {"inside-is-the-model", "right-law"} <= {*whole.assumes}


@pytest.mark.parametrize("delta", [0, 1, math.nan, True, "x", None])
def test_a_delta_that_is_none_is_refused_whoever_needs_it(delta: Any) -> None:
    for estimator in ("monte_carlo", Count({"x": (1.0, "ok")}), Cover({"a": 1.0}, {"a": 0.0})):
        with pytest.raises(moot.UsageError, match="delta is"):
            estimated(estimator, drawn("ok", strata="a"), delta)


# -- inside -------------------------------------------------------------------------------------------------------------


def test_counting_is_exact_but_for_what_is_unknown() -> None:
    play = played(5, 30, 10)
    found = moot.risk(play, Count(COUNTED))
    assert found.kind == "valid bound" and found.delta is None
    assert found.lower == pytest.approx(BAD) and found.upper == pytest.approx(BAD + UNKNOWN)
    plain: Any = {
        text: (share, "ok" if finding == "unknown" else finding) for text, (share, finding) in COUNTED.items()
    }
    exact = moot.risk(play, Count(plain))
    assert exact.kind == "exact" and exact.estimate == exact.upper == BAD


def test_a_count_or_a_threshold_that_a_ruling_contradicts_is_of_another_model() -> None:
    play = played(6, 40, 10)
    safe: Any = dict.fromkeys(INPUTS, (1 / 16, "ok"))
    with pytest.raises(moot.UsageError, match="step .*was ruled bad, and counted as ok"):
        moot.risk(play, Count(safe))
    with pytest.raises(moot.UsageError, match="none of those that were counted"):
        moot.risk(play, Count({text: (1 / 8, "bad") for text in INPUTS if text[0] == "0"}))

    def bits(text: str) -> list[int]:
        return [int(bit) for bit in text]

    fits = moot.risk(play, Chernoff([1] * BITS, 3, [0.5] * BITS, bits))
    assert fits.kind == "valid bound" and (fits.upper or 0) >= sum(text.count("1") >= 3 for text in INPUTS) / 16
    with pytest.raises(moot.UsageError, match="this is not the model"):
        moot.risk(play, Chernoff([1] * BITS, 4.5, [0.5] * BITS, bits))
    with pytest.raises(moot.UsageError, match="3 bits for 4 weights"):
        moot.risk(play, Chernoff([1] * BITS, 3, [0.5] * BITS, lambda text: bits(text)[:3]))
    for inputs in (
        {"0": (0.5, "bad")},
        {"0": (1.0, "fine")},
        {"0": 1.0},
        {"0": ("1", "ok")},
        {"0": (math.nan, "ok")},
        [1],
        {},
    ):
        with pytest.raises(moot.UsageError, match="count"):
            Count(inputs)  # type: ignore[arg-type]


def test_walks_bound_from_below_and_are_held_against_rulings() -> None:
    def moved(bits: tuple[int, ...], random: Random) -> tuple[int, ...]:
        place = random.randrange(len(bits))
        return (*bits[:place], random.randrange(2), *bits[place + 1 :])

    def splits(target: float, runs: int, seed: int = 0, wide: int = 10) -> Splitting:
        return Splitting(
            lambda random: tuple(random.randrange(2) for _ in range(wide)), sum, moved, target,
            read=lambda text: tuple(map(int, text)), runs=runs, walkers=12, sweeps=2, seed=seed, levels=range(6, 10),
        )  # fmt: skip

    bounds = [estimated(splits(10, 12, seed), Evidence(), DELTA) for seed in range(30)]
    coverage(((bound.lower, 2.0**-10) for bound in bounds), below=True)
    assert {bound.kind for bound in bounds} == {"lower only"} and max(bound.lower or 0 for bound in bounds) > 2.0**-13
    play = played(8, 60, 0)
    narrow = Splitting(
        lambda random: (1,) * BITS, sum, moved, 4, read=lambda text: tuple(map(int, text)), runs=1, walkers=2
    )
    assert moot.risk(play, narrow).lower is not None
    with pytest.raises(moot.UsageError, match="was ruled ok, and has the score"):
        moot.risk(
            play,
            Splitting(
                lambda random: (1,) * BITS, sum, moved, 2, read=lambda text: tuple(map(int, text)), runs=1, walkers=2
            ),
        )
    with pytest.raises(moot.UsageError, match="0 runs"):
        splits(10, 0)


@given(st.lists(st.floats(-2, 2), min_size=1, max_size=4), st.floats(-2, 2), st.data())
def test_moments_of_a_linear_model_are_its_own(weights: list[float], bias: float, data: st.DataObject) -> None:
    chances = data.draw(st.lists(st.floats(0.1, 0.9), min_size=len(weights), max_size=len(weights)))
    mean = bias + sum(w * p for w, p in zip(weights, chances, strict=True))
    spread = math.sqrt(sum(w * w * p * (1 - p) for w, p in zip(weights, chances, strict=True)))
    assume(spread > 1e-3)
    found = estimated(Moments([([[w] for w in weights], [bias])], chances), Evidence(), DELTA)
    assert found.kind == "none" and found.lower is None and found.upper is None
    assert found.estimate == pytest.approx(1 - NormalDist(mean, spread).cdf(0), abs=1e-9)


def test_moments_guess_a_bend_and_miss_what_is_rare() -> None:
    """A unit that is alone behind the bend has its mean and variance exactly; a conjunction of 12 bits is wrong by far."""
    layer = ([[2.0], [2.0]], [-2.5])
    found = Moments([layer, ([[1.0]], [0.0])], [0.5, 0.5], slope=0.1)
    mean, cov = found._bent([-0.5], [[2.0]])
    values = [NormalDist(-0.5, math.sqrt(2)).inv_cdf((place + 0.5) / 20_000) for place in range(20_000)]
    bent = [max(value, 0.1 * value) for value in values]
    assert mean[0] == pytest.approx(sum(bent) / len(bent), abs=1e-4)
    assert cov[0][0] == pytest.approx(sum((each - mean[0]) ** 2 for each in bent) / len(bent), abs=1e-3)
    pair = Moments([([[1.0, 1.0]], [0.0, 0.0]), ([[1.0], [1.0]], [0.0])], [0.5], low=-1.0, high=1.0, slope=0.5)
    assert pair.mean == [0.0] and pair.spread == [1.0], "a bit of -1 and 1 has a variance of 1"
    _, together = pair._bent([0.0, 0.0], [[1.0, 1.0], [1.0, 1.0]])
    assert together[0][1] == together[1][0] == pytest.approx(0.75**2), "to first order: the mean slope of each"
    sure = estimated(Moments([([[0.0]], [1.0])], [0.5]), Evidence(), DELTA)
    assert sure.estimate == 1.0
    rare = estimated(Moments([([[1.0]] * 12, [-11.5])], [0.5] * 12), Evidence(), DELTA).estimate or 0
    assert rare > 2.0**-12 * 3 or rare < 2.0**-12 / 3
    truth = sum(sum(bits) >= 11.5 for bits in product((0, 1), repeat=12)) / 2**12
    assert truth == 2.0**-12
    for weights, tau in (([[math.nan]], 0.0), ([[1e200]], 0.0), ([[1.0]], math.nan)):
        with pytest.raises(moot.UsageError, match="moments: the output has"):
            estimated(Moments([(weights, [0.0])], [0.5], tau), Evidence(), DELTA)
    for layers in ([([[1.0]] * 3, [0.0])], [], [([[1.0, 2.0]] * 2, [0.0, 0.0])]):
        with pytest.raises(moot.UsageError, match="moments"):
            Moments(layers, [0.5, 0.5])


# -- plug-ins -----------------------------------------------------------------------------------------------------------


def test_one_of_your_own_is_found_by_its_name() -> None:
    class Halved(Estimator):
        """A guess."""

        name: ClassVar[str] = "halved-in-a-test"
        gives: ClassVar[Kind] = "none"

        def estimate(self, evidence: Evidence, delta: float) -> Bound:
            return Bound(kind="none", estimate=evidence.count("bad") / 2)

    found = moot.risk(played(9), "halved-in-a-test")
    assert found.kind == "none" and found.route == "halved-in-a-test"
    with pytest.raises(moot.UsageError, match="needs arguments"):
        moot.risk(played(9), "cover")
    with pytest.raises(moot.UsageError, match="must return a Bound"):
        estimated(type("Bad", (Halved,), {"name": "bad-in-a-test", "estimate": lambda *_: 0.1})(), Evidence(), DELTA)
    with pytest.raises(moot.UsageError, match="an estimator is 3"):
        moot.risk(played(9), 3)  # type: ignore[arg-type]


def test_proposals_that_end_the_play_weigh_nothing() -> None:
    def fails(request: moot.Request) -> Any:
        raise RuntimeError("down")

    play = played(1, 0, 2, nature=fails)
    assert [(each.finding, each.weight) for each in evidence_of(play).proposed] == [("unknown", 0.0)]
    assert moot.risk(play, "tilted").lower == 0.0
