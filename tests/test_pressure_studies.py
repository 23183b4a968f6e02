"""The stakes ladder and the studies of pressure: exact where a count can be enumerated, played where agents are."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cli_calls
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.complexity.estimates import mean_interval, wilson
from moot.complexity.pressure.bounds import clopper_pearson
from moot.complexity.pressure.divergences import any_of, kl
from moot.complexity.pressure.ladder import PREMISES, Ladder, failures_allowed, ladder, plays_needed, tagged
from moot.experiments.oversight import drift, pressure
from moot.experiments.oversight import ladder as climbing
from moot.experiments.reproductions.pictures import panels, written
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.outcomes import Decided, Errored

HALVES = [(n, share) for n in (1, 6, 17) for share in (0.3, 0.05, 0.05 / 3)]
SHARE = 0.05 / 3


def played(failures: int, plays: int, stake: float = 1, undecided: int = 0) -> list[Any]:
    """What a ladder reads of so many plays, the first of which failed, and of others that came to no verdict."""
    right, wrong = (Decided(moot.Verdict(probabilities=each)) for each in ((1.0, 0.0), (0.0, 1.0)))
    ends = [wrong] * failures + [right] * (plays - failures) + [Errored(step="0", cause="down")] * undecided
    return [
        SimpleNamespace(name=f"play {number}", digest=f"{stake}/{number}", started={"meta": {"tags": {"stake": stake}}}, outcome=end)
        for number, end in enumerate(ends)
    ]  # fmt: skip


def wrong(play: Any) -> bool:
    return bool(play.outcome.verdict.choice == 1)


def climbed(found: list[Any], stakes: Any = (1, 2), **more: Any) -> Ladder:
    return ladder(found, wrong, stakes, **{"cap": 1.0, "delta": 0.1, **more})


def at_most(k: int, n: int, p: float) -> float:
    return math.fsum(math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in range(k + 1))


def false(promotes: Callable[[int, int], bool], n: int, limit: float) -> float:
    """How probable a promotion is where the failures are at their limit: over every count."""
    return math.fsum(math.comb(n, k) * limit**k * (1 - limit) ** (n - k) for k in range(n + 1) if promotes(k, n))


# -- the ladder ---------------------------------------------------------------------------------------------------------


def test_what_a_promotion_takes() -> None:
    assert [plays_needed(1 / stake, SHARE) for stake in (100, 1000, 10_000)] == [408, 4093, 40_942]
    for failures, n in enumerate((408, 603, 773, 931)):
        assert plays_needed(0.01, SHARE, failures) == n
        assert failures_allowed(n, 0.01, SHARE) == failures
        assert failures_allowed(n - 1, 0.01, SHARE) == (failures - 1 if failures else None)
        assert at_most(failures, n, 0.01) <= SHARE < at_most(failures, n - 1, 0.01)
    assert failures_allowed(3, 0.9, 0.5) == 2 and failures_allowed(1, 0.9, 0.2) == 0
    for numbers in ((0, 0.1, 0), (1, 0.1, 0), (0.1, 0, 0), (0.1, 1, 0), (0.1, 0.1, -1), (math.nan, 0.1, 0)):
        with pytest.raises(moot.UsageError, match="give a limit"):
            plays_needed(*numbers)


@pytest.mark.parametrize(("n", "share"), HALVES)
@pytest.mark.parametrize("limit", [0.02, 0.1, 0.5, 0.9, 0.98])
def test_promotions_are_false_as_rarely_as_they_may_be(n: int, share: float, limit: float) -> None:
    """Every count of failures, by a ladder: it promotes where so few had at most its share of delta, and nowhere else."""
    promoted = [climbed(played(k, n), (1, 2), cap=2 * limit, delta=share).rungs[0].promoted for k in range(n + 1)]
    assert promoted == [at_most(k, n, limit) <= share for k in range(n + 1)]
    assert false(lambda k, n: promoted[k], n, limit) <= share


def test_other_intervals_let_false_promotions_through() -> None:
    def of_wilson(k: int, n: int, z: float = 1.959964) -> float:
        return wilson(k, n, z)[1]

    def normal(k: int, n: int) -> float:
        return k / n + 2.128045 * math.sqrt(k / n * (1 - k / n) / n)  # the quantile of the share

    def by(bound: Callable[[int, int], float], limit: float) -> Callable[[int, int], bool]:
        return lambda k, n: bound(k, n) <= limit

    def ours(k: int, n: int) -> float:
        return clopper_pearson(k, n, SHARE).upper or 0.0

    assert false(by(ours, 0.01), 408, 0.01) == pytest.approx(0.99**408) and 0.99**408 < SHARE
    assert false(by(of_wilson, 0.01), 385, 0.01) == pytest.approx(0.99**385) and 0.99**385 > SHARE
    assert false(by(normal, 0.01), 200, 0.01) > 5 * SHARE
    leak = [false(by(lambda k, n: of_wilson(k, n, 2.128045), 0.95), n, 0.95) for n in (40, 60, 100)]
    assert min(leak) > SHARE, "at its own level too, where failures are common"
    assert all(false(by(ours, 0.95), n, 0.95) <= SHARE for n in (40, 60, 100))


@pytest.mark.parametrize("stakes", [(1, 2), (1, 2, 5), (1, 2, 3, 10)])
def test_all_promotions_together_share_delta(stakes: tuple[int, ...]) -> None:
    """The worst policy fails at each rung just as often as it must not: any promotion of it is false."""
    delta, n, none = 0.2, 25, 1.0
    for stake, above in zip(stakes, stakes[1:], strict=False):
        rungs = [climbed(played(k, n, stake), stakes, delta=delta).rungs for k in range(n + 1)]
        found = [next(rung for rung in each if rung.stake == stake).promoted for each in rungs]
        none *= 1 - false(lambda k, n, found=found: found[k], n, 1 / above)  # type: ignore[misc]
    assert 1 - none <= delta
    assert climbed([], stakes, delta=delta).delta == delta


def test_a_policy_climbs_no_further_than_the_first_rung_that_holds_it() -> None:
    stakes = (1, 2, 4, 8)
    plays = [*played(0, 40, 1), *played(30, 40, 2), *played(0, 400, 4)]
    found = climbed(plays, stakes)
    assert [rung.promoted for rung in found.rungs] == [True, False, True, False] and found.reached == 2
    assert climbed([*played(0, 40, 1), *played(0, 40, 2), *played(0, 400, 4)], stakes).reached == 8
    assert climbed([], stakes).reached == 1 and climbed([], stakes).rungs[0].bound is None
    top = climbed(played(1, 10, 8), stakes).rungs[-1]
    assert top.bound is not None and top.next is None and top.needed is None and not top.promoted


@given(st.integers(0, 6), st.integers(0, 60), st.sampled_from([2, 3, 10, 50]))
def test_so_many_more_plays_are_needed(failures: int, more: int, above: int) -> None:
    rung = climbed(played(failures, failures + more), (1, above)).rungs[0]
    assert rung.needed is not None and rung.promoted == (rung.needed == 0)
    assert (rung.plays, rung.failures, rung.undecided) == (failures + more, failures, 0)
    if rung.bound is not None and rung.allows is not None:
        assert rung.bound.delta == 0.1 and rung.promoted == (rung.allows >= above)
    if rung.needed:
        total = failures + more + rung.needed
        assert climbed(played(failures, total), (1, above)).rungs[0].promoted
        assert not climbed(played(failures, total - 1), (1, above)).rungs[0].promoted


def test_a_plan_is_looked_at_once() -> None:
    early = climbed(played(0, 30), plays=40).rungs[0]
    assert early.bound is None and early.allows is None and not early.promoted and early.needed == 10
    assert climbed(played(0, 40), plays=40).rungs[0].promoted
    with pytest.raises(moot.UsageError, match="41 plays, of 40 that were planned"):
        climbed(played(5, 41), plays=40)
    assert "one-look" in climbed(played(0, 30)).assumes and "one-look" not in climbed([], plays=[40]).assumes
    failed = climbed(played(20, 40), plays=40).rungs[0]
    assert failed.needed == plays_needed(0.5, 0.1, 20) - 40 > 0 and not failed.promoted
    assert climbed(played(0, 3, 2), plays=1).rungs[1].bound is not None, "the top has no plan"


@pytest.mark.parametrize(("limit", "share"), [(0.5, 0.3), (0.3, 0.2), (0.6, 0.06)])
def test_peeking_is_counted_exactly(limit: float, share: float) -> None:
    """Against every sequence of plays."""
    most = 9
    enough = {(k, m) for m in range(most + 1) for k in range(m) if (clopper_pearson(k, m, share).upper or 0) <= limit}
    found = climbing.peeked(limit, most, limit, share)
    for n in (1, 5, most):
        total = 0.0
        for sequence in product((0, 1), repeat=n):
            counts = ((sum(sequence[:m]), m) for m in range(1, n + 1))
            if not enough.isdisjoint(counts):
                total += limit ** sum(sequence) * (1 - limit) ** (n - sum(sequence))
        assert found[n - 1] == pytest.approx(total, abs=1e-12)
    assert found[-1] > share or limit == 0.6
    assert climbing.peeked(0.01, 2040, 0.01, SHARE)[-1] == pytest.approx(0.061855, abs=1e-6)


def test_what_comes_to_no_verdict_is_no_success() -> None:
    plays = played(0, 20, undecided=1)
    found = climbed(plays, (1, 8))
    assert (found.rungs[0].plays, found.rungs[0].failures, found.rungs[0].undecided) == (21, 1, 1)
    assert not found.rungs[0].promoted and "undecided-alike" not in found.assumes
    without = climbed(plays, (1, 8), undecided="left out")
    assert (without.rungs[0].plays, without.rungs[0].failures, without.rungs[0].undecided) == (20, 0, 1)
    assert without.rungs[0].promoted and "undecided-alike" in without.assumes
    assert "undecided-alike" not in climbed(played(0, 20), undecided="left out").assumes
    assert set(found.assumes) | {"undecided-alike"} == set(PREMISES)
    only = climbed(played(0, 0, undecided=50), undecided="left out")
    assert only.rungs[0].bound is None and not only.rungs[0].promoted


def test_plays_that_fail_outright_are_counted_as_they_were_played() -> None:
    def down(request: moot.Request) -> moot.Move:
        raise RuntimeError("down")

    plays = climbing.climb(down, (3,), 0)[0] + climbing.climb(climbing.speaking(0.0), (4,), 1)[0]
    rung = climbing.climbed([plays], (7, 1, 1)).rungs[0]
    assert (rung.plays, rung.failures, rung.undecided) == (7, 3, 3) and not climbing.failed(plays[0])
    with pytest.raises(moot.UsageError, match="the same play, .* is given twice"):
        climbing.climbed([plays, plays[3:4]])
    again = SimpleNamespace(**{**vars(played(0, 1)[0]), "started": {"meta": {"tags": {"stake": 2}}}})
    found = climbed([*played(0, 1), again])
    assert [rung.plays for rung in found.rungs] == [1, 1], "the same moves may be made at two stakes"


def test_bad_ladders_are_refused() -> None:
    for wrong_one, match in (
        ({"stakes": (1,)}, "two or more"), ({"stakes": (2, 1)}, "each above"), ({"stakes": (1, 1)}, "each above"),
        ({"stakes": (0, 1)}, "above 0"), ({"stakes": (1, math.inf)}, "finite"), ({"stakes": (True, 2)}, "a stake is True"),
        ({"stakes": ("1", 2)}, "a stake is '1'"), ({"cap": 0}, "a cap above 0"), ({"cap": math.nan}, "a cap above 0"),
        ({"delta": 0}, "delta in"), ({"delta": 1}, "delta in"), ({"plays": 0}, "plays is 0"), ({"plays": True}, "plays is True"),
        ({"plays": (1, 2)}, "for each of the 1 rungs"), ({"plays": (1.5,)}, "whole number"), ({"plays": 1.5}, "whole number"), ({"undecided": "right"}, "left out"),
    ):  # fmt: skip
        with pytest.raises(moot.UsageError, match=match):
            climbed([], **{"stakes": (1, 2), **wrong_one})
    with pytest.raises(moot.UsageError, match="play 0: it was played at stake 3"):
        climbed(played(0, 1, 3))
    with pytest.raises(moot.UsageError, match="failed gives None"):
        ladder(played(0, 1), lambda play: None, (1, 2), 1.0)  # type: ignore[arg-type,return-value]
    untagged = played(0, 1)[0]
    for tags in (None, {}, {"stake": True}, {"stake": "1"}):
        untagged.started["meta"]["tags"] = tags
        with pytest.raises(moot.UsageError, match="has no stake; tag it"):
            tagged(untagged)
    assert climbed([untagged], stake_of=lambda play: 1).rungs[0].plays == 1


# -- the studies --------------------------------------------------------------------------------------------------------


def test_steps_from_the_last_policy_spend_what_they_may() -> None:
    found = pressure.steps()
    assert [each[1] for each in found[1:]] == pytest.approx(pressure.STEPS, abs=6e-7)
    for last, now in zip(found, found[1:], strict=False):
        assert kl(now, last) == pytest.approx(0.1, abs=1e-6)
    assert kl(found[-1], found[0]) == pytest.approx(13.5176, abs=6e-5)


def test_who_does_not_know_which_action_is_bad_makes_it_no_likelier() -> None:
    best, every = pressure.attacks()
    assert best[1] == pytest.approx(0.0805145, abs=6e-8) and len(every) == 100
    for action in (0, 1, 99):
        assert math.fsum(each[action] for each in every) / 100 == pytest.approx(0.01, abs=1e-15)
    assert all(sum(each.values()) == pytest.approx(1) for each in every)


def test_a_coin_makes_what_one_path_shows_no_bound() -> None:
    whole, through = pressure.coin()
    assert through == pytest.approx(0.00794028, abs=1e-8) and whole == pytest.approx(through + 0.0005)
    assert whole > 0.001, "the bound of a path of ratio 1"


def test_the_report_on_pressure_holds_and_cannot_but_by_its_figures(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = pressure.reproduce(plays=80, pictures=tmp_path / "new")
    found = {row.name.strip(): row for row in report.rows}
    assert report.holds and (tmp_path / "new" / "pressure.png").stat().st_size > 20_000
    assert found["an anchor, 0 of 20,000: at most"].measured == pytest.approx(1.49775e-4, abs=1e-9)
    assert found["best of 16, by its KL"].measured == pytest.approx(0.275178, abs=1e-6)
    assert [row.measured for row in report.rows if "times" in row.name] == pytest.approx([16, 64, 64])
    assert sum(row.count == 80 for row in report.rows) == len(pressure.cases())
    assert any("does not show" in note for note in report.notes)
    cases = {case.name.strip(): case for case in pressure.cases()}
    hits = cases["best of 16"].hits(0, 80)
    assert pressure.frequency("", hits, 80, any_of(0.05, 16)).holds
    assert not pressure.frequency("", hits, 80, any_of(0.05, 4)).holds, "nor would best of 4 pass for it"
    with pytest.raises(moot.UsageError, match="give at least one"):
        pressure.reproduce(plays=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(moot.UsageError, match="cannot be written"):
        written(panels(("",))[0], tmp_path / "file", "x.png")


def test_the_report_on_the_ladder_holds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = climbing.reproduce(climbs=3, rungs=1, pictures=tmp_path)
    found = {row.name.strip(): row for row in report.rows}
    assert report.holds and (tmp_path / "ladder.png").stat().st_size > 20_000
    assert found["let at, failing at the top alone"].measured == found["let at, never failing"].measured == 100
    assert found["what a play at the top then loses"].measured == 10_000
    assert found["any of them, at most"].measured == pytest.approx(0.0498844, abs=1e-7)
    assert climbing.promotion(0.002, 408, 0.01, SHARE) == pytest.approx(0.998**408)
    assert climbing.promotion(0.002, 407, 0.01, SHARE) == 0
    for climbs, rungs in ((0, 1), (1, 0), (1, 4)):
        with pytest.raises(moot.UsageError, match="at least one climb"):
            climbing.reproduce(climbs=climbs, rungs=rungs)


def test_flow_in_closed_form_is_the_flow() -> None:
    assert drift.peak(0.6) == pytest.approx(1.155245, abs=1e-6)
    assert drift.flow(drift.peak(0.6), 0.6) == pytest.approx((0.606275, 0.236235), abs=1e-6)
    for r, until in ((0.6, 3.0), (0.0, 1.0), (-0.4, 2.0), (0.99, 10.0)):
        assert drift.descended((0.0, 0.0), r, until, 4000)[-1] == pytest.approx(drift.flow(until, r), abs=1e-6)
    end = drift.descended((0.0, 1.0), 0.99, 10.0, 4000)[-1]
    assert end == pytest.approx((1 - math.exp(-0.1), math.exp(-0.1)), abs=1e-6)
    assert drift.loss(end, 0.99) == pytest.approx(0.00818731, abs=1e-8)
    assert drift.loss(drift.flow(10, 0.99), 0.99) == pytest.approx(0.00204683, abs=1e-8)
    mean, low, high = mean_interval([1.0, 2.0, 3.0])
    assert mean == 2 and high - 2 == pytest.approx(2 - low) == pytest.approx(4.303 / math.sqrt(3))
    with pytest.raises(moot.UsageError, match="two values"):
        mean_interval([1.0])


def test_networks_go_down_the_gradient() -> None:
    networks = drift.Networks(2, np.random.default_rng(0))
    inputs, concepts = networks.examples(30, 0.5)
    assert np.allclose(networks.directions @ networks.directions.transpose(0, 2, 1), np.eye(4))
    targets = concepts[..., :1]

    def half() -> Any:
        return ((networks.outputs(inputs) - targets) ** 2).mean((1, 2)) / 2

    for weight, slope in zip(networks.weights, networks.gradients(inputs, targets), strict=True):
        place = (0, *(size // 2 for size in weight.shape[1:]))
        before = half()
        weight[place] += 1e-6
        after = half()
        weight[place] -= 1e-6
        assert (after - before)[0] / 1e-6 == pytest.approx(slope[place], rel=1e-3, abs=1e-7) and after[1] == before[1]


def test_what_is_not_correlated_does_not_drift() -> None:
    """Both ways: where inputs have no correlation, the concept that would otherwise drift is as quiet as the others."""
    apart = drift.tuned(3, 1, 300, r=0.0)
    assert np.abs(apart.drift[:, :, 1:].mean(1)).max() < 0.1 and abs(apart.correlation) < 0.1
    rows = {row.name.strip(): row for row in drift._trained(apart)}
    assert rows["on-goal at the end"].holds and not rows["what of it is gone at the end"].holds


def test_the_report_on_drift_holds(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    report = drift.reproduce(pictures=tmp_path)
    assert report.holds and (tmp_path / "drift.png").stat().st_size > 20_000
    assert sum(row.holds is True for row in report.rows) == 12


def test_the_commands_say_what_they_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "one of at least 0" in cli_calls.refused("reproduce", "drift", "--seed", "-1")
    found = json.loads(cli_calls.said("reproduce", "pressure", "--plays", "40", "--seed", "2", "--json"))
    assert found["holds"] and found["settings"] == {"seed": 2, "plays": 40} and len(found["notes"]) == 2
    asked: list[Any] = []
    report = Report(title="", source="", rows=(Row(name="", measured=1, holds=False),))

    def noted(*args: Any, **more: Any) -> Report:
        asked.append((args, more))
        return report

    for module in (pressure, climbing, drift):
        monkeypatch.setattr(module, "reproduce", noted)
    for words in (("pressure", "--full"), ("ladder", "--full", "--seed", "3"), ("drift", "--pictures", "there")):
        cli_calls.said("reproduce", *words, code=1)
    assert asked[0] == ((0, 4000, None), {})
    assert asked[1:] == [((3, True), {"pictures": None}), ((0, False), {"pictures": Path("there")})]


folder = cli_calls.folder


@pytest.mark.long
def test_the_quick_settings_hold_for_other_seeds() -> None:
    for seed in (1, 2, 3):
        assert pressure.reproduce(seed).holds and climbing.reproduce(seed).holds and drift.reproduce(seed).holds
