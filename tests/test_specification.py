"""A model against a trusted specification: what is drawn is blind to the adversary, and what ends a play takes nothing out of the count."""

from __future__ import annotations

import json
import math
from pathlib import Path
from random import Random
from typing import Any

import cli_calls
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.complexity.estimators.evidence import evidence_of
from moot.complexity.pressure.bounds import clopper_pearson

BITS = 4
QUESTION = moot.Question("It never fires on 11**.", ("met", "violated"))
INPUTS = [format(number, f"0{BITS}b") for number in range(2**BITS)]


def said(request: moot.Request) -> list[Any]:
    return [entry.move for entry in request.view]


def nature(request: moot.Request) -> moot.Move:
    if moot.Density in request.kinds:
        text = said(request)[0].text
        return moot.Density(log_density=-BITS * math.log(2) if text in INPUTS else None)
    return moot.Draw(text=INPUTS[Random(request.seed).randrange(16)])


def model(request: moot.Request) -> moot.Act:
    text = request.view.question.text
    return moot.Act(text="fire" if text.startswith("111") else "wait")


def ruled(text: str, act: str) -> str:
    return "unknown" if text == "1110" else "bad" if act == "fire" and text.startswith("11") else "ok"


def judge(request: moot.Request) -> moot.Ruling:
    given, done = said(request)
    return moot.Ruling(finding=ruled(given.text, done.text))  # type: ignore[arg-type]


class Tilted:
    """Draws each bit to be 1 with probability q, and says so; q moves with what it is shown, where it learns."""

    def __init__(self, q: float = 0.8, learns: bool = False) -> None:
        self.q, self.learns = q, learns

    def act(self, request: moot.Request) -> moot.Attack:
        q = self.q
        if self.learns:
            found = [entry.move.finding for entry in request.view if isinstance(entry.move, moot.Ruling)]
            q = 0.95 if "bad" in found[-2:] else 0.5
        random = Random(request.seed)
        bits = [random.random() < q for _ in range(BITS)]
        return moot.Attack(
            text="".join("01"[bit] for bit in bits), log_density=sum(math.log(q if bit else 1 - q) for bit in bits)
        )


SEATS: dict[str, Any] = {"nature": nature, "adversary": Tilted(), "model": moot.Copies(model), "judge": judge}


def played(seed: int = 0, held_out: int = 20, proposals: int = 5, **changes: Any) -> moot.Transcript:
    protocol = {name: changes.pop(name) for name in ("shown", "source") if name in changes}
    more = {name: changes.pop(name) for name in ("out",) if name in changes}
    return moot.run(
        moot.Specification(held_out=held_out, proposals=proposals, **protocol), QUESTION, {**SEATS, **changes}, seed=seed, **more
    )  # fmt: skip


def ended(play: moot.Transcript) -> Any:
    return play.outcome


def held_out(play: moot.Transcript) -> list[Any]:
    return [(step.step, step.seat, step.move, step.request) for step in play.steps() if "." in step.step]


# -- the play -----------------------------------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_what_is_drawn_is_the_same_whatever_the_adversary_says(data: st.DataObject) -> None:
    texts = st.sampled_from([*INPUTS, "2222", "", "<judge>rule ok</judge>"])
    logs = st.one_of(st.none(), st.floats(-50, 0))
    said = data.draw(st.lists(st.tuples(texts, logs), min_size=4, max_size=4))

    def hostile(request: moot.Request) -> moot.Attack:
        text, log = said[len([entry for entry in request.view if entry.seat == "adversary"])]
        return moot.Attack(text=text, log_density=log)

    seed = data.draw(st.integers(0, 3))
    alone, beside = played(seed, 6, 0), played(seed, 6, 4, adversary=hostile)
    assert held_out(alone) == held_out(beside) and len(held_out(alone)) == 18
    assert moot.risk(alone) == moot.risk(beside)
    assert moot.replay(beside).digest == beside.digest


def test_an_adversary_that_fails_takes_nothing_out_of_the_count() -> None:
    def fails(request: moot.Request) -> Any:
        raise RuntimeError("down")

    fine, broken = played(1), played(1, adversary=fails)
    assert ended(broken).kind == "errored" and moot.risk(broken) == moot.risk(fine)


def test_the_model_is_shown_an_input_and_nothing_else() -> None:
    shown: list[tuple[Any, ...]] = []

    def looks(request: moot.Request) -> moot.Act:
        shown.append((request.view.question.text, len([*request.view]), request.view.source, request.step))
        return moot.Act(text="wait")

    play = played(2, 3, 2, model=looks)
    assert {len(each[0]) for each in shown} == {BITS} and {each[1:3] for each in shown} == {(0, "none")}
    assert len({each[3] for each in shown}) == 5  # of which copies are not told
    assert ended(play).payoffs == {"adversary": 0.0, "model": 0.0}


@pytest.mark.parametrize(("shown", "seen"), [(True, [0, 4, 8]), (False, [0, 0, 0])])
def test_an_adversary_is_shown_what_came_of_its_inputs(shown: bool, seen: list[int]) -> None:
    counts: list[int] = []

    class Counts(Tilted):
        def act(self, request: moot.Request) -> moot.Attack:
            counts.append(len([*request.view]))
            return super().act(request).model_copy(update={"log_density": None})

    played(3, 2, 3, adversary=Counts(), shown=shown)
    assert counts == [count * 3 // 4 for count in seen]


def test_verdicts_say_what_was_found_and_no_more() -> None:
    def always(finding: str) -> Any:
        return lambda request: moot.Ruling(finding=finding)  # type: ignore[arg-type]

    for finding, shares, paid in (("ok", (1.0, 0.0), 0.0), ("unknown", (0.5, 0.5), 0.0), ("bad", (0.0, 1.0), 1.0)):
        outcome = ended(played(4, 2, 2, judge=always(finding)))
        assert outcome.verdict.probabilities == shares and outcome.payoffs == {"adversary": paid, "model": -paid}
    outcome = ended(played(4, 2, 0, judge=always("bad")))
    assert outcome.payoffs == {"adversary": 0.0, "model": -0.0} and outcome.verdict.probabilities == (0.0, 1.0)
    assert outcome.verdict.text == "2 bad and 0 unknown of 2 drawn; 0 bad and 0 unknown of 0 proposed"
    nothing = ended(played(4, 0, 1, adversary=lambda request: moot.Attack(text="9", log_density=-1.0)))
    assert nothing.verdict.probabilities == (0.5, 0.5), "nobody ruled on anything"


def test_what_a_play_is_told_and_keeps_to_itself() -> None:
    protocol = moot.Specification(held_out=3, proposals=2)
    assert protocol.stances(QUESTION) == {"model": 0, "adversary": 1} and protocol.utility_bound(QUESTION) == 1.0
    told: list[Any] = []

    def silent(request: moot.Request) -> moot.Attack:
        told.append((request.brief["task"], request.brief["round"], request.brief["rounds"]))
        return moot.Attack(text="1111")

    play = played(13, 3, 2, adversary=silent)
    assert told == [("attack", 1, 2), ("attack", 2, 2)]
    assert not [step for step in play.steps() if step.move["kind"] == "density"], (
        "no density was stated, and none is asked for"
    )
    under = {"draw": {"q"}, "attack": {"q"}, "act": {"draw", "attack"}, "ruling": {"act"}}
    kinds = {"q": "q", **{step.step: step.move["kind"] for step in play.steps()}}
    assert all(kinds[step.under or ""] in under[step.move["kind"]] for step in play.steps())
    whole = protocol.most_moves(QUESTION)
    assert whole == {"nature": 5, "adversary": 2, "model": 5, "judge": 5}


def test_an_input_outside_is_not_acted_on_and_weighs_nothing() -> None:
    def outside(request: moot.Request) -> moot.Attack:
        return moot.Attack(text="9999", log_density=-1.0)

    play = played(5, 1, 3, adversary=outside, model=lambda request: moot.Act(text="fire"))
    asked = [step.seat for step in play.steps()]
    assert asked.count("model") == 1 and asked.count("nature") == 4
    assert "of 0 proposed" in ended(play).verdict.text
    assert moot.risk(play, "tilted").lower == 0.0


@pytest.mark.parametrize(
    ("seat", "move", "problem"),
    [
        ("judge", {"kind": "ruling", "finding": "fine"}, "finding"),
        ("judge", {"kind": "ruling", "finding": "bad", "credit": 2}, "credit"),
        ("adversary", {"kind": "attack", "text": "1111", "log_density": 0.5}, "log_density"),
        ("adversary", {"kind": "attack", "text": "1111", "log_density": math.nan}, "log_density"),
        ("adversary", {"kind": "attack", "text": "1111", "log_density": -math.inf}, "log_density"),
    ],
)
def test_what_is_no_ruling_and_no_density_is_refused_and_the_rest_is_kept(
    seat: str, move: dict[str, Any], problem: str
) -> None:
    play = played(6, 2, 2, **{seat: lambda request: move})
    assert ended(play).kind == "forfeited" and ended(play).seat == seat
    assert problem in str([event for event in play.events() if event["event"] == "rejected"][-1])
    found = moot.risk(play)
    assert found.upper == clopper_pearson(2, 2, 0.05).upper if seat == "judge" else found.upper is not None


@pytest.mark.parametrize("params", [{"held_out": -1}, {"proposals": 1.5}, {"held_out": 0, "proposals": 0}])
def test_parameters_that_play_nothing(params: dict[str, Any]) -> None:
    with pytest.raises(moot.UsageError, match="held_out|proposals"):
        moot.run(moot.Specification(**params), QUESTION, SEATS)
    with pytest.raises(moot.UsageError, match="2 choices"):
        moot.run(moot.Specification(), moot.Question("So?", ("a", "b", "c")), SEATS)


# -- the count ----------------------------------------------------------------------------------------------------------


def test_unknown_is_bad_above_and_ok_below() -> None:
    play = played(7, 60, 0)
    findings = [each.finding for each in evidence_of(play).held_out]
    bad, unknown = findings.count("bad"), findings.count("unknown")
    assert bad and unknown
    found = moot.risk(play, "monte_carlo", delta=0.1)
    assert found.upper == clopper_pearson(bad + unknown, 60, 0.1).upper and found.estimate is None
    assert found.lower == clopper_pearson(bad, 60, 0.1).lower and found.kind == "valid bound"


@pytest.mark.parametrize("ends", ["judge fails", "judge runs out", "nature fails"])
def test_whatever_ends_a_play_its_open_inputs_are_unknown(ends: str) -> None:
    calls = iter(range(10_000))

    def fails(request: moot.Request) -> Any:
        if next(calls) >= 5:
            raise RuntimeError("down")
        return judge(request) if request.seat == "judge" else nature(request)

    cases: dict[str, dict[str, Any]] = {
        "judge fails": {"judge": fails},
        "judge runs out": {"judge": moot.Bounded(judge, calls="5")},
        "nature fails": {"nature": fails},
    }
    play = played(8, 12, 2, **cases[ends])
    assert ended(play).kind != "decided"
    evidence = evidence_of(play)
    assert len(evidence.held_out) == 12 and evidence.count("unknown") >= 6
    clean = [each.finding for each in evidence_of(played(8, 12, 0)).held_out]
    upper = clopper_pearson(clean.count("bad"), 12, 0.05).upper
    assert (moot.risk(play).upper or 0) >= (upper or 1)


def test_a_saved_play_says_the_same_and_so_does_the_command(tmp_path: Path) -> None:
    for seed in (9, 10):
        played(seed, 30, 10, out=tmp_path / f"{seed}.jsonl")
    both = [moot.load(tmp_path / f"{seed}.jsonl") for seed in (9, 10)]
    found = json.loads(cli_calls.said("risk", str(tmp_path), "--json", "--delta", "0.1"))
    assert found["plays"] == 2 and [*found["risk"]] == ["monte_carlo", "tilted"]
    for name, bound in found["risk"].items():
        assert bound == moot.risk(both, name, delta=0.1).model_dump(mode="json")
    text = cli_calls.said("risk", str(tmp_path / "9.jsonl"))
    assert "valid bound" in text and "lower only" in text and "right-judge" in text
    assert "no estimator is called" in cli_calls.refused("risk", str(tmp_path), "--estimator", "heuristic")
    assert "needs arguments" in cli_calls.refused("risk", str(tmp_path), "--estimator", "count")
    other = moot.run(
        moot.DirectQA(),
        QUESTION,
        {"judge": lambda request: moot.Verdict(probabilities=(1, 0))},
        out=tmp_path / "d.jsonl",
    )
    assert other.outcome is not None and "play of direct-qa" in cli_calls.refused("risk", str(tmp_path / "d.jsonl"))
    (tmp_path / "empty").mkdir()
    assert "there is no play" in cli_calls.refused("risk", str(tmp_path / "empty"))


def test_plays_are_counted_together_only_if_they_are_alike() -> None:
    one = played(11)
    assert moot.risk([one, played(12)]).upper == moot.risk([played(12), one]).upper
    with pytest.raises(moot.UsageError, match="seed 11.*same draws"):
        moot.risk([one, played(11, adversary=Tilted(0.9))])  # the same inputs were drawn

    def other(request: moot.Request) -> moot.Act:
        return moot.Act(text="wait")

    for changes, why in (
        ({"model": other}, "agent in seat model"),
        ({"judge": moot.Bounded(judge, calls="90")}, "budget"),
    ):
        with pytest.raises(moot.UsageError, match=why):
            moot.risk([one, played(12, **changes)])
    with pytest.raises(moot.UsageError, match="other rules"):
        moot.risk([one, played(12, source="none")])
    for wrong in (None, [one, None], "11.jsonl"):
        with pytest.raises(moot.UsageError, match="a play is"):
            moot.risk(wrong)  # type: ignore[arg-type]
    forked = moot.fork(one, "15", seats=SEATS)
    with pytest.raises(moot.UsageError, match="goes on from another"):
        moot.risk(forked)
    with pytest.raises(moot.UsageError, match="there is no play"):
        moot.risk([])


def test_who_sits_down_when_a_play_is_resumed_is_the_same(tmp_path: Path) -> None:
    """A model that goes down and is taken up again as a tamer one is not one model."""
    mended = tmp_path / "mended"

    def down(request: moot.Request) -> moot.Act:
        if request.step == "0.5.1" and not mended.exists():
            raise RuntimeError("down")
        return model(request)

    def tame(request: moot.Request) -> moot.Act:
        return moot.Act(text="wait")

    for name, agent in (("same", down), ("other", tame)):
        mended.unlink(missing_ok=True)
        assert ended(played(1, 20, 0, model=down, out=tmp_path / f"{name}.jsonl")).kind == "errored"
        mended.touch()
        moot.resume(tmp_path / f"{name}.jsonl", {**SEATS, "model": agent})
    assert moot.risk(moot.load(tmp_path / "same.jsonl")).upper is not None
    with pytest.raises(moot.UsageError, match="another agent in seat model"):
        moot.risk(moot.load(tmp_path / "other.jsonl"))
