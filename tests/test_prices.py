"""Prices: of a call, from a file that the user keeps, and what is said of a file that cannot be used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from agent_kit import request_for
from anyio import run
from cli_calls import DEBATE, JUDGE, QUESTION, folder, refused, said
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.lm import LM
from moot.agents.money.bill import bill_of, charged, summed
from moot.agents.money.price_file import PriceFile, prices_for, using
from moot.agents.money.prices import Prices
from moot.agents.money.usage import Usage, usage_of
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Speech
from moot.testing.server.server import MockOpenAI, Reply

pytestmark = pytest.mark.usefixtures("folder")
__all__ = ["folder"]
MINE = "http://127.0.0.1:1/v1"
FILE = """
[[prices]]
model = "big"
prompt = 2
completion = 8.0
cache_read = 0.5
cache_write = 2.5
source = "https://provider.example/prices"
date = 2026-11-01

[[prices]]
model = "small*"
prompt = 0.1
completion = 0.4

[[prices]]
model = "small-2"
endpoint = "https://api.example/v1"
prompt = 0.2
completion = 0.4
"""


@pytest.fixture(autouse=True)
def no_file_of_the_user(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MOOT_PRICES", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))


def written(text: str = FILE, name: str = "prices.toml") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# -- what a call costs ------------------------------------------------------------------------------------------------


def test_cache_reads_and_writes_have_prices_of_their_own() -> None:
    prices = Prices(prompt=2, completion=8, cache_read=0.5, cache_write=2.5)
    used = usage_of({"usage": {"input_tokens": 100, "output_tokens": 50, "cache_read_input_tokens": 1000,
                               "cache_creation_input_tokens": 400}})  # fmt: skip
    assert used == Usage(1500, 50, 1000, None, 400)
    assert prices.cost(used) == pytest.approx((100 * 2 + 1000 * 0.5 + 400 * 2.5 + 50 * 8) / 1e6)
    assert Prices.of((2, 8, 0.5)).cost(used) is None  # what a write costs nobody has said
    assert Prices.of((2, 8)).cost(Usage(1500, 50, 1000)) == pytest.approx((1500 * 2 + 50 * 8) / 1e6)


amounts = st.floats(0, 1000)


@settings(max_examples=40)
@given(st.tuples(amounts, amounts, amounts, st.none() | amounts), st.tuples(*[st.integers(0, 10**6)] * 4))
def test_no_call_costs_more_than_the_most(
    given: tuple[float, float, float, float | None], counts: tuple[int, ...]
) -> None:
    prompt, completion, read, written = counts
    prices, w = Prices(*given), given[3]
    cost = prices.cost(Usage(prompt, completion, read, None, written))
    assert (cost is None) == (w is None and min(written, prompt - min(read, prompt)) > 0)
    assert cost is None or 0 <= cost <= prices.most(prompt, completion) * (1 + 1e-12)


OPENROUTER = {"prompt_tokens": 194, "completion_tokens": 2, "completion_tokens_details": {"reasoning_tokens": 1}, "cost": 0.95,
              "cost_details": {"upstream_inference_cost": 19}, "total_tokens": 196,
              "prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 100}}  # fmt: skip


def test_openrouter_states_its_cost_and_what_was_written_to_the_cache() -> None:
    """As in https://openrouter.ai/docs/use-cases/usage-accounting."""
    assert usage_of({"usage": OPENROUTER}) == Usage(194, 2, 0, 0.95, 100, 1)
    assert usage_of({"usage": {**OPENROUTER, "is_byok": True}}).cost == 19.95  # the provider takes its own besides
    assert usage_of({"usage": {**OPENROUTER, "is_byok": True, "cost_details": None}}).cost is None


@pytest.mark.parametrize(("prices", "cost", "told"), [
    (None, 0.95, {"cost_by": "provider"}),
    ((1, 1, 1, 1), 0.95, {"cost_by": "provider", "computed_cost": 196 / 1e6}),
])  # fmt: skip
def test_what_the_provider_states_goes_before_what_is_computed(prices: Any, cost: float, told: dict[str, Any]) -> None:
    note = attempted(OPENROUTER, prices)
    assert note["cost"] == cost and {name: note[name] for name in note if name in ("cost_by", "computed_cost")} == told
    assert note["cache_write_tokens"] == 100 and note["reasoning_tokens"] == 1


def test_a_provider_that_states_nothing_is_billed_by_the_prices() -> None:
    plain = {"prompt_tokens": 10, "completion_tokens": 10}
    assert attempted({**plain, "cost": 0}, (1, 1))["cost"] == 20 / 1e6  # a stated 0 is nothing, where prices say more
    assert attempted({**plain, "cost": 0}, None)["cost"] == 0
    note = attempted(plain, None)
    assert note["cost"] is None and "cost_by" not in note


def attempted(usage: dict[str, Any], prices: Any) -> dict[str, Any]:
    mock = MockOpenAI(reply=lambda body: Reply('{"kind": "speech", "text": "so"}', usage=usage))
    notes: list[dict[str, Any]] = []
    lm = LM("mock", base_url=MINE, http_client=mock.http_client(), prices=prices)
    run(lm.act, request_for(Speech, notes=notes))
    return next(note for note in notes if note["event"] == "attempted")


# -- the file ---------------------------------------------------------------------------------------------------------


def test_the_narrowest_price_counts() -> None:
    file = PriceFile.read(written())
    assert file.find("big", MINE) == Prices(2, 8, 0.5, 2.5, "https://provider.example/prices", "2026-11-01")
    assert file.find("small-2", "https://api.example/v1/") == Prices(0.2, 0.4, 0.2)
    assert file.find("small-2", "https://api.example/v11") == file.find("small-9", MINE) == Prices(0.1, 0.4, 0.1)
    assert file.find("bigger", MINE) is None


def test_where_prices_are_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def price(**options: Any) -> float | None:
        found = LM("small-1", base_url=MINE, **options).prices
        return None if found is None else found.prompt

    one = '[[prices]]\nmodel = "small-1"\nprompt = {}\ncompletion = 1\n'
    assert price() is None
    written(one.format(1), "config/moot/prices.toml")
    assert price() == 1
    monkeypatch.setenv("MOOT_PRICES", str(written(one.format(2), "two.toml")))
    assert price() == 2
    with using(written(one.format(3), "three.toml")):
        assert price() == 3
        assert price(prices=(4, 1)) == 4 and price(prices="two.toml") == 2
    assert price() == 2
    monkeypatch.setenv("MOOT_PRICES", "nowhere.toml")
    with pytest.raises(UsageError, match=r"MOOT_PRICES: there is no file nowhere\.toml"):
        price()


def test_prices_stand_in_the_record_with_their_source() -> None:
    lm = LM("big", base_url=MINE, prices=written())
    assert lm.describe()["prices"] == {"prompt": 2.0, "completion": 8.0, "cache_read": 0.5, "cache_write": 2.5,
                                       "source": "https://provider.example/prices", "date": "2026-11-01"}  # fmt: skip


@pytest.mark.parametrize(("bad", "where", "told"), [
    ('[[prices]]\nmodel = "a"\nprompt = 1\n', ":1: ", "no completion"),
    ('[[prices]]\nprompt = 1\ncompletion = 1\n', ":1: ", "no model"),
    ('[[prices]]\nmodel = "a"\nprompt = -1\ncompletion = 1\n', ":3: ", "prompt is -1"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = true\n', ":4: ", "completion is True"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = nan\n', ":4: ", "completion is nan"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = inf\n', ":4: ", "completion is inf"),
    ('[[prices]]\nmodel = "a"\nprompt = "1"\ncompletion = 1\n', ":3: ", "prompt is '1'"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = 1\ncache_raed = 1\n', ":5: ", "did you mean 'cache_read'"),
    ('[[prices]]\nmodel = 7\nprompt = 1\ncompletion = 1\n', ":2: ", "must be a text"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = 1\ndate = 7\n', ":5: ", "date is 7"),
    ('[[prices]]\nmodel = "a"\nprompt = 1\ncompletion = 1\n\n[[prices]]\nmodel = "a"\nprompt = 2\ncompletion = 1\n', ":6: ",
     "given twice, first in line 1"),
    ('[[price]]\nmodel = "a"\n', ":1: ", "[[prices]]"),
    ("prices = 3\n", "", "holds no prices"), ("", "", "holds no prices"),
    ('prices = [{model = "a", prompt = 1}]\n', "", "no completion"),
    ("[[prices]\n", "", "no TOML: .*line 1"), ("x = " + "[" * 5000, "", "no TOML"),
])  # fmt: skip
def test_what_is_wrong_with_a_price_file_is_told_with_its_line(bad: str, where: str, told: str) -> None:
    with pytest.raises(UsageError, match=r"prices\.toml" + where + ".*" + told.replace("[[", r"\[\[")):
        PriceFile.read(written(bad))


def test_files_that_are_none() -> None:
    Path("folder").mkdir()
    Path("latin").write_bytes(b'# \xe9\n[[prices]]\nmodel = "a"\n')
    for path, told in (("nowhere", "no file"), ("folder", "cannot read"), ("latin", "not UTF-8")):
        with pytest.raises(UsageError, match=told):
            PriceFile.read(path)
    assert "nowhere" in refused(*DEBATE, "--prices", "nowhere")


@settings(max_examples=40)
@given(st.binary(max_size=60) | st.text(alphabet='[]="prices\nmodel.1{},', max_size=60).map(str.encode))
def test_any_file_is_read_or_refused(data: bytes) -> None:
    path = Path("any.toml")
    path.write_bytes(data)
    try:
        PriceFile.read(path)
    except UsageError as error:
        assert "any.toml" in str(error)


def test_a_misspelt_model_is_told() -> None:
    file = PriceFile.read(written())
    notes = file.notes([("bigg", MINE)])
    assert "no price for 'bigg'; did you mean 'big'?" in notes[0] and "its cost is unknown" in notes[0]
    assert "no seat uses the price of 'big' (line 2), 'small*' (line 11)" in notes[1]
    assert file.notes([("big", MINE), ("small-2", "https://api.example/v1"), ("small-3", MINE)]) == []
    with pytest.raises(UsageError, match="did you mean 'big'"):
        prices_for("prices.toml", "bigg", MINE)


def test_a_dry_run_tells_misspelt_and_idle_prices() -> None:
    from cli_calls import call

    path = str(written())
    done = call(
        "run", "-P", "debate", *QUESTION, "--seat", f"debater=openai:bigg@{MINE}", *JUDGE, "--dry-run", "--prices", path
    )
    assert (
        done.exit_code == 0
        and "did you mean 'big'?" in done.stderr
        and "no seat uses the price of 'big'" in done.stderr
    )
    assert "the price of bigg is unknown" in done.stdout


# -- what was spent ---------------------------------------------------------------------------------------------------


def test_the_bill_says_what_nobody_told() -> None:
    at: dict[str, Any] = {"step": "0", "seat": "a", "model": "m"}
    known = {"event": "attempted", **at, "prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 4, "cost": 0.5}
    started: dict[str, Any] = {
        "event": "started",
        "meta": {"seats": {"a": {"model": "m", "endpoint": MINE}, "b": {"agent": "human"}}},
    }
    bill = bill_of([
        started, {"event": "reserved", **at, "hold": 1, "at_most": 2.0}, {**known, "hold": 1, "cost_by": "provider"},
        {"event": "reserved", **at, "hold": 2, "at_most": 3.0}, {"event": "attempted", **at, "hold": 2, "cost": None},
        {"event": "reserved", **at, "hold": 3, "at_most": 4.0},  # the process was killed
        {"event": "resumed", "meta": {}}, {"event": "reserved", **at, "hold": 1, "at_most": 7.0},
        {"event": "reserved", **at, "hold": 1, "at_most": 0.0},  # given back, as nothing was sent
    ])  # fmt: skip
    (line,) = bill
    assert (line.attempts, line.cost, line.stated, line.unknown, line.at_most, line.untold) == (3, 0.5, 0.5, 2, 7.0, 2)
    assert line.tokens["cached_tokens"] == 4 and charged(bill, "x") == 7.5 and charged(summed(bill + bill), "x") == 15
    asked: list[dict[str, Any]] = [
        started,
        {"event": "asked", "step": "1", "seat": "a"},
        {"event": "asked", "step": "2", "seat": "b"},
    ]
    (lost,) = bill_of(asked)  # of the person nobody bills anything
    assert lost.seat == "a" and lost.at_most is None
    with pytest.raises(UsageError, match="d.jsonl: what a spent with model m is unknown"):
        charged([lost], "d.jsonl")
    assert bill_of([known | {"cost": None}], lambda event: 3.0)[0].cost == 3.0


def test_cost_adds_up_folders() -> None:
    with MockOpenAI().serve() as url:
        lm = moot.LM("mock", base_url=url, prices=(1, 2))
        for number in range(2):
            moot.run(
                moot.Debate(), moot.Question("Who?", ("x", "y")), {"debater": lm, "judge": lm}, out=f"{number}.jsonl"
            )
    text = said("cost", "0.jsonl")
    assert "judge  mock          1" in text
    found = json.loads(said("cost", ".", "--json"))
    ledgers = [moot.load(f"{number}.jsonl").ledger for number in range(2)]
    assert (
        found["cost"] == pytest.approx(sum(float(ledger.total("cost") or 0) for ledger in ledgers))
        and found["unknown"] == 0
    )
    Path("empty").mkdir()
    assert "cost over 2 plays" in said("cost", "0.jsonl", "1.jsonl") and "no transcript in" in refused("cost", "empty")
