"""Who would have a certificate lie below the truth, or a row below what was drawn: wrappers that are changed, models that are none,
numbers beyond what a float holds, files that were edited."""

from __future__ import annotations

import copy
import json
from decimal import Decimal, localcontext
from pathlib import Path
from typing import Any

import pytest
from hostile_kit import chained
from hypothesis import given, settings
from hypothesis import strategies as st
from test_pressure_ledger import QUESTION, Coin, Once, Script, holding, judge, refusals, scored, speaker, upper

import moot
from moot.agents.base import describe
from moot.agents.identity import identity
from moot.complexity.pressure.certificate import SeatPressure, certified
from moot.complexity.pressure.divergences import selection_kl
from moot.testing.server.server import MockOpenAI
from moot.transcripts.display.pressure import pressure_text

# -- wrappers that are changed ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrap", "name"),
    [
        (lambda agent: moot.BestOf(agent, 4, score=scored), "n"),
        (lambda agent: moot.Quantilized(agent, 16, 4, score=scored), "k"),
        (lambda agent: moot.Conditioned(agent, holding, 2), "tries"),
        (lambda agent: moot.Conditioned(agent, holding, 2), "agent"),
    ],
)
def test_what_a_wrapper_was_made_with_cannot_be_set_again(wrap: Any, name: str) -> None:
    class Sly:
        """Would have its wrapper draw otherwise than was recorded of it."""

        identity = "sly"

        def act(self, request: moot.Request) -> moot.Speech:
            setattr(wrapped, name, 100)
            return moot.Speech(text="good")

    wrapped = wrap(sly := Sly())
    outer = moot.BestOf(wrapped, 2, score=scored)
    play = moot.run(Once(), QUESTION, {"a": outer, "judge": judge})
    assert "was set when it was made" in json.dumps([*play.events()])
    allowed = {"n": 4, "k": 16, "tries": 2, "agent": 2}[name]
    found = moot.pressure(play, sly, event=1e-6)
    assert found.seats[0].draws == 2 * allowed
    assert all(each["of"] <= allowed for each in play.events() if each["event"] == "chose")


def test_a_pick_from_fewer_than_are_described_is_refused() -> None:
    def fewer(request: moot.Request) -> moot.Speech:
        vars(some)["k"] = 1
        return moot.Speech(text="good")

    some = moot.Quantilized(fewer, 16, 4, score=scored)
    play = moot.run(Script(), QUESTION, {"a": some, "judge": judge})
    assert "it picked from the best 1, where" in refusals(moot.pressure(play, fewer, seats=["a"], event=1e-6))


# -- rows ------------------------------------------------------------------------------------------------------------------


def test_a_row_counts_what_is_inside_of_a_single_try() -> None:
    agent = moot.Conditioned(moot.BestOf(speaker, 4, score=scored), holding, 1)
    play = moot.run(Once(), QUESTION, {"a": agent, "judge": judge})
    (row,) = moot.pressure(play, speaker).rows
    assert (row.draws, row.ratio, row.kind) == (4, 4.0, "valid bound")


def test_tries_are_counted_where_the_wrapper_outside_drew_nothing() -> None:
    said: list[bool] = []

    def third(request: moot.Request, move: moot.Move) -> bool:
        said.append(len(said) == 2)
        return said[-1]

    agent = moot.BestOf(moot.Conditioned(judge, third, 3), 2, score=scored)
    play = moot.run(Once(), QUESTION, {"a": speaker, "judge": agent})
    found = moot.pressure(play, judge, seats=["judge"], event=1e-6)
    assert [(row.draws, row.ratio) for row in found.rows] == [(3, 3.0)] and upper(found) >= 3e-6


@pytest.mark.parametrize("kept", [True, False])
def test_an_anchor_may_draw_many_itself(kept: bool, tmp_path: Path) -> None:
    own = moot.BestOf(speaker, 4, score=scored)
    for agent, draws in ((own, 1), (moot.BestOf(own, 2, score=scored), 2)):
        out = tmp_path / f"{draws}.jsonl" if kept else None
        play = moot.run(Once(), QUESTION, {"a": agent, "judge": judge}, out=out)
        found = moot.pressure(play, own, seats=["a"], event=1e-6)
        assert [row.draws for row in found.rows] == [draws] and upper(found) == pytest.approx(draws * 1e-6, rel=1e-5)
    notes = moot.Briefed(speaker, "Be good.")
    play = moot.run(Once(), QUESTION, {"a": notes, "judge": judge}, out=tmp_path / "notes.jsonl" if kept else None)
    assert upper(moot.pressure(play, notes, seats=["a"], event=1e-6)) == pytest.approx(1e-6)


def test_nothing_that_is_accounted_for_is_no_pressure_of_nothing() -> None:
    def other(request: moot.Request) -> moot.Speech:
        return moot.Speech(text="other")

    play = moot.run(Once(), QUESTION, {"a": speaker, "judge": judge})
    assert moot.pressure(play, other).estimate is None


# -- models that are none --------------------------------------------------------------------------------------------------


class Proxy:
    """Passes on what it does not have, as its own identity and description."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def act(self, request: moot.Request) -> moot.Speech:
        return moot.Speech(text="bad")


class Pretender:
    def __init__(self, about: dict[str, Any]) -> None:
        self.about = about

    def describe(self) -> dict[str, Any]:
        return self.about

    def act(self, request: moot.Request) -> moot.Speech:
        return moot.Speech(text="bad")


class Mine(moot.LM):
    async def act(self, request: moot.Request, *given: Any) -> moot.Speech:
        return moot.Speech(text="bad")


def model(kind: type[moot.LM] = moot.LM, **options: Any) -> moot.LM:
    return kind("mock", base_url="http://mock/v1", http_client=MockOpenAI(lambda body: "").http_client(), **options)


def patched() -> moot.LM:
    async def act(request: moot.Request) -> moot.Speech:
        return moot.Speech(text="bad")

    found = model()
    found.act = act  # type: ignore[method-assign, assignment]
    return found


@pytest.mark.parametrize("kept", [True, False])
@pytest.mark.parametrize(
    "pretends",
    [
        lambda: Proxy(model()), lambda: Pretender(describe(model())), lambda: model(Mine), patched,
        lambda: Pretender({**describe(model()), "class": "moot.agents.models.lm:LM"}),
    ],
)  # fmt: skip
def test_what_describes_itself_as_a_model_and_is_none_is_not_the_anchor(
    pretends: Any, kept: bool, tmp_path: Path
) -> None:
    for wrap in (lambda agent: agent, lambda agent: moot.BestOf(agent, 2, score=scored)):
        play = moot.run(
            Once(), QUESTION, {"a": wrap(pretends()), "judge": judge}, out=tmp_path / "d.jsonl" if kept else None
        )
        refusals(moot.pressure(play, model(), event=1e-6))
        refusals(moot.pressure(play, model(), seats=["a"], event=1e-6))
        (tmp_path / "d.jsonl").unlink(missing_ok=True)


def test_an_identity_that_is_passed_on_is_that_of_another() -> None:
    assert identity(model()) is not None and identity(Proxy(model())) != identity(model())
    assert identity(Proxy(speaker)) != identity(speaker)


def test_a_class_of_ones_own_is_an_anchor_like_any_other() -> None:
    play = moot.run(Once(), QUESTION, {"a": moot.BestOf(model(Mine), 2, score=scored), "judge": judge})
    assert upper(moot.pressure(play, model(Mine), event=1e-6)) == pytest.approx(2e-6, rel=1e-5)
    play = moot.run(Once(), QUESTION, {"a": model(Mine, temperature=0.5), "judge": judge})
    assert "with another temperature than that of mock" in refusals(
        moot.pressure(play, model(Mine), seats=["a"], event=1e-6)
    )


def test_a_policy_as_anchor_scores_no_tokens() -> None:
    mock = MockOpenAI(lambda body: "<speech>Nine ships sank.</speech>", profile="llamacpp")
    sampled = moot.LM(
        "mock", record="tokens", structured="tags", base_url="http://mock/v1", http_client=mock.http_client()
    )
    play = moot.run(Once(), QUESTION, {"a": sampled, "judge": judge})
    assert any(event["event"] == "sampled" for event in play.events())
    found = moot.pressure(play, moot.Policy(lambda request: {moot.Speech(text="good"): 1.0}), seats=["a"])
    assert [row.kind for row in found.rows] == ["none"] and found.estimate is None


# -- numbers ---------------------------------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(st.floats(0, 1), st.floats(-323, 0).map(lambda tens: 10**tens), st.just(5e-324)),
    st.sampled_from((1, 2, 3, 16, 10_000)), st.floats(0, 1), st.integers(1, 5),
)  # fmt: skip
def test_every_route_is_rounded_up(p: float, n: int, share: float, asks: int) -> None:
    k = max(1, round(n * share))
    seat = SeatPressure(seat="a", draws=n, ratio=n / k, kl=selection_kl(n, n / k), asks=asks)
    play: Any = moot.run(Once(), QUESTION, {"a": speaker, "judge": judge})
    with localcontext(prec=400):
        of, most = Decimal(p), Decimal(n) / Decimal(k)
        exact = {
            "reply": (1 - (1 - of) ** (n * asks), 1 - (1 - min(Decimal(1), of * most)) ** asks),
            "play": (1 - (1 - of) ** n**asks, min(Decimal(1), of * most**asks)),
        }
        for per, (draws, ratio) in exact.items():
            found = certified(play, [seat], p, per)  # type: ignore[arg-type]
            assert Decimal(found.routes["draws"]) >= draws and Decimal(found.routes["ratio"]) >= ratio
            assert found.event == p


@pytest.mark.parametrize("asks", [10**9, 10**400])
def test_any_number_of_asks_has_a_bound(asks: int) -> None:
    class Long(Script):
        name = "pressure-long"

        def most_moves(self, question: moot.Question) -> dict[str, int]:
            return {"a": asks, "judge": 1}

    for agent in (speaker, moot.BestOf(speaker, 2, score=scored)):
        play = moot.run(Long(), QUESTION, {"a": agent, "judge": judge})
        assert upper(moot.pressure(play, speaker, seats=["a"], event=0.1)) == 1.0
        assert str(upper(moot.pressure(play, speaker, seats=["a"], event=-0.0))) == "0.0"
        whole = moot.pressure(play, speaker, seats=["a"], event=1e-6, per="play")
        assert upper(whole) == (pytest.approx(1e-6) if agent is speaker else 1.0)
        pressure_text(whole)


def test_a_seat_that_a_protocol_does_not_count_is_not_one_that_is_never_asked() -> None:
    class Forgets(Coin):
        name = "pressure-forgets"

        def most_moves(self, question: moot.Question) -> dict[str, int]:
            return {"a": 1, "judge": 1}

    drawn = moot.BestOf(speaker, 16, score=scored)
    plays = [moot.run(Forgets(), QUESTION, {"a": speaker, "b": drawn, "judge": judge}, seed=seed) for seed in range(8)]
    assert {row.seat for play in plays for row in moot.pressure(play, speaker, seats=["a", "b"]).rows} == {"a", "b"}
    for play in plays:
        assert "does not bound how often seat b" in refusals(moot.pressure(play, speaker, seats=["b"], event=1e-3))


# -- files that were edited ------------------------------------------------------------------------------------------------


def test_an_edited_file_is_read_or_refused_in_words(tmp_path: Path) -> None:
    agent = moot.BestOf(moot.Quantilized(speaker, 8, 2, score=scored), 4, score=scored)
    moot.run(Once(), QUESTION, {"a": agent, "judge": judge}, out=tmp_path / "d.jsonl")
    events = [json.loads(line) for line in (tmp_path / "d.jsonl").read_bytes().splitlines()]
    last = max(at for at, event in enumerate(events) if event["event"] == "chose")
    inner = ("meta", "seats", "a", "members", 0)
    places: list[tuple[int, tuple[Any, ...]]] = [
        (last, ("step",)),
        (last, ("seat",)),
        (last, ("of",)),
        (last, ("top",)),
    ]
    places += [
        (0, ("meta", "seats", "a")),
        (0, inner),
        (0, ("meta", "seats", "a", "fingerprints")),
        (0, ("meta", "identities", "a")),
    ]
    places += [(0, (*at, name)) for at in (inner, ("meta", "seats", "a")) for name in ("agent", "n", "k", "members")]
    values: list[Any] = [
        10**400,
        10_001,
        -1,
        0,
        1.5,
        float("nan"),
        float("inf"),
        True,
        None,
        "x",
        [],
        {},
        [[]],
        {"agent": []},
        {"agent": {}},
    ]
    for at, path in places:
        for value in values:
            changed = copy.deepcopy(events)
            place = changed[at]
            for name in path[:-1]:
                place = place[name]
            place[path[-1]] = value
            file = tmp_path / "edited.jsonl"
            file.write_bytes(
                chained([({k: v for k, v in e.items() if k not in ("meta", "chain")}, e["meta"]) for e in changed])
            )
            try:
                found = moot.pressure(moot.load(file), speaker, seats=["a"], event=1e-6)
            except moot.MootError:
                continue
            assert pressure_text(found) and found.certificate is not None
            if path[-1] == "n":
                assert found.certificate.upper is None, (path, value)
