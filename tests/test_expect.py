"""What a dry run says: an expectation within 1.5 times of what is then spent, and a bound that nothing goes over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli_calls import call, folder, refused, said

import moot
from moot.testing.server.faults import Fault
from moot.testing.server.replies import schema_of
from moot.testing.server.server import MockOpenAI, Reply

pytestmark = pytest.mark.usefixtures("folder")
__all__ = ["folder"]
NEAR = 1.5
PRICES = '[[prices]]\nmodel = "mock"\nprompt = 1.0\ncompletion = 4.0\ncache_read = 0.1\n'
WORDS = "the ledger shows that payment was made before winter and nobody disputes which bridge it was for".split()


def lifelike(words: tuple[int, int], thought: int = 0, unread: float = 0.0) -> Callable[[dict[str, Any]], Any]:
    """A model whose statements have so many words, that thinks in so many tokens, and writes at times what cannot be read."""

    def reply(body: dict[str, Any]) -> Any:
        random = Random(str([body["messages"][-1], body.get("seed")]))
        text = " ".join(random.choice(WORDS) for _ in range(random.randint(*words)))
        if len(body["messages"]) < 4 and random.random() < unread:
            return f"I would rather say: {text}"
        fields = (schema_of(body) or {}).get("properties", {})
        if "probabilities" not in (fields or str(body["messages"][-1])):
            return json.dumps({"kind": "speech", "text": text})
        belief = round(random.uniform(0.1, 0.9), 2)
        return json.dumps(
            {
                "kind": "verdict",
                "text": " ".join(text.split()[:30]),
                "probabilities": {"1": belief, "2": round(1 - belief, 2)},
            }
        )

    def thinking(body: dict[str, Any]) -> Any:
        said = reply(body)
        if not thought:
            return said
        prompt = len(json.dumps(body["messages"]).encode()) // 4
        usage = {
            "prompt_tokens": prompt,
            "completion_tokens": len(said) // 4 + thought,
            "completion_tokens_details": {"reasoning_tokens": thought},
        }
        return Reply(said, usage=usage)

    return thinking


def a_set(path: str, count: int, passage: int) -> str:
    random = Random(path)
    lines = [{
        "id": f"{path}/{number}", "question": f"Question {number}: when was the bridge paid for?", "choices": ["before winter", "after it"],
        "truth": number % 2, "passage": " ".join(random.choice(WORDS) for _ in range(int(passage * random.uniform(0.7, 1.3)))),
    } for number in range(count)]  # fmt: skip
    Path(path).write_text("\n".join(map(json.dumps, lines)))
    return path


SETS: dict[str, tuple[Any, tuple[str, ...], tuple[str, ...]]] = {
    "consultancy of a model that thinks, measured on shorter passages": (
        lifelike((80, 200), thought=150),
        ("consultancy",),
        (),
    ),
    "debate with best of 3, measured": (
        lifelike((40, 120), unread=0.15),
        ("debate", "-p", "questions=false"),
        ("best",),
    ),
    "a longer debate, declared": (
        lifelike((90, 150)),
        ("debate", "-p", "rounds=4"),
        ("--expect", "words=120", "--expect", "cached=0.8"),
    ),
    "debate, declared by a limit": (lifelike((70, 99)), ("debate", "-p", "limit.words=100"), ("assumed",)),
}


@pytest.mark.parametrize("name", SETS)
def test_the_expectation_is_near_and_the_bound_holds(name: str) -> None:
    reply, protocol, how = SETS[name]
    Path("prices.toml").write_text(PRICES)
    with MockOpenAI(reply).serve() as url:
        Path("agents.toml").write_text(
            f'[agents.model]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nmax_tokens = 1500\n'
            '[agents.best]\nkind = "best-of"\nof = "model"\nn = 3\nby = "model"\n'
        )
        speaker = "best" if "best" in how else "model"
        seats = (
            "--seat",
            f"{'consultant' if protocol[0] == 'consultancy' else 'debater'}={speaker}",
            "--seat",
            "judge=model",
        )
        words = ("run", "-P", *protocol, *seats, "--config", "agents.toml", "--prices", "prices.toml", "--set")
        if "measured" in name:
            said(*words, a_set("before.jsonl", 3, 150), "-o", "before")
            told: tuple[str, ...] = ("--like", "before")
        else:
            told = how if "--expect" in how else ()
        planned = (*words, a_set("set.jsonl", 3, 700))
        bill = json.loads(said(*planned, "--dry-run", "--json", *told))
        said(*planned, "-o", "out")
    spent = json.loads(said("cost", "out", "--json"))
    actual = {
        name: sum(line["tokens"][name] for line in spent["bill"]) for name in ("prompt_tokens", "completion_tokens")
    }
    actual |= {"cost": spent["cost"], "calls": sum(line["attempts"] for line in spent["bill"])}
    hoped = bill["expected"]["total"]
    for field, took in actual.items():
        if field == "cost" and "limit" in name:
            continue  # what the provider has cached nobody said, and it makes it cheaper
        assert took / NEAR <= hoped[field] <= took * NEAR, (field, took, hoped)
        most = bill["total"][field]
        assert most is None or took <= most, (field, took, most)
    assert hoped["cost"] >= actual["cost"] / NEAR
    assert ("measured on 3 plays" if "measured" in name else "assumed") in bill["expected"]["basis"]


DRY = ("run", "-P", "debate", "-q", "Who?", "-c", "x", "-c", "y", "--seat", "debater=openai:mock@http://127.0.0.1:1/v1",
       "--seat", "judge=python:cli_agents:judge", "--dry-run")  # fmt: skip


def test_what_is_assumed_is_said_and_what_is_unknown_stays_so() -> None:
    text = said(*DRY)
    assert "120 words a statement" in text and "assumed" in text and "the price of mock is unknown" in text
    found = json.loads(said(*DRY, "--json"))
    assert found["total"]["cost"] is None and found["expected"]["total"]["cost"] is None
    assert found["expected"]["seats"]["judge"] == {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "cost": 0}
    more, less = (
        json.loads(said(*DRY, "--json", "--expect", f"a.words={n}", "--expect", "words=10")) for n in (300, 100)
    )
    seats = [each["expected"]["seats"] for each in (more, less)]
    assert seats[0]["a"]["completion_tokens"] > 2.5 * seats[1]["a"]["completion_tokens"]
    assert seats[0]["b"]["completion_tokens"] == seats[1]["b"]["completion_tokens"]


def test_a_cap_is_held_against_both() -> None:
    Path("prices.toml").write_text(PRICES)
    priced = (*DRY, "--prices", "prices.toml")
    hoped = json.loads(said(*priced, "--json"))
    assert 0 < hoped["expected"]["total"]["cost"] < hoped["total"]["cost"]
    assert "is enough" in said(*priced, "--max-cost", "100")
    assert "may not be enough for what it costs at most" in said(
        *priced, "--max-cost", f"{hoped['total']['cost'] * 0.9}"
    )
    assert "to expect and at most" in said(*priced, "--max-cost", "0.0001")


@pytest.mark.parametrize(("words", "told"), [
    (("--like", "nowhere"), "no such folder"), (("--like", "empty"), "no transcript there tells"),
    (("--expect", "words=many"), "write it as"), (("--expect", "words=-1"), "write it as"), (("--expect", "chars=3"), "write it as"),
    (("--expect", "words=nan"), "write it as"), (("--expect", "cached=2"), "write it as"), (("--expect", "z.words=3"), "nobody sits at 'z'"),
    (("--expect", "words=3", "--like", "empty"), "exclude each other"),
])  # fmt: skip
def test_what_cannot_be_expected_is_told(words: tuple[str, ...], told: str) -> None:
    Path("empty").mkdir()
    assert told in refused(*DRY, *words)


def test_a_play_without_counts_tells_nothing_and_is_said_to() -> None:
    with MockOpenAI(lambda body: Reply(lifelike((5, 9))(body), usage=None)).serve() as url:
        lm = moot.LM("mock", base_url=url)
        moot.run(moot.Debate(), moot.Question("Who?", ("x", "y")), {"debater": lm, "judge": lm}, out="out/d.jsonl")
    assert "no call of it tells its tokens" in refused(*DRY, "--like", "out")
    assert call(*DRY[:-1], "--like", "out").exit_code == 2  # it is for a dry run


def always(how: str) -> Callable[[dict[str, Any]], Any]:
    """A model that does what costs most: thinks up to each cap, and then writes what cannot be read, each time otherwise."""
    seen: dict[str, int] = {}

    def reply(body: dict[str, Any]) -> Any:
        most, form = body["max_tokens"], (body.get("response_format") or {}).get("type")
        turn = str(body["messages"][:2])
        usage = {
            "prompt_tokens": len(json.dumps(body["messages"], ensure_ascii=False).encode()),
            "completion_tokens": most,
        }
        if most < 8 * 64 and how not in ("unread", "long"):
            return Reply("<think>on and on", "length", usage)
        if how == "thinking":
            return Reply("", "length", usage)
        if how == "changing" and form == "json_object":
            return Fault("status", 400, "'response_format.type' must be 'json_schema' or 'text'")
        count = seen[turn] = seen.get(turn, 0) + 1
        broken = (
            '{"kind": "speech", "text": ' if count == 1 or (how == "changing" and count % 2) else "I would rather say: "
        )
        return Reply(broken + "\U0001f600" * (5000 if how == "long" else 16), "stop", usage)

    return reply


@pytest.mark.parametrize(("how", "seat"), [
    ("thinking", "m"), ("unread", "m"), ("long", "m"), ("grown", "m"), ("changing", "m"), ("grown", "samples:2:m"), ("grown", "stated-and-logprobs:m"),
])  # fmt: skip
def test_nothing_goes_over_the_bound(how: str, seat: str) -> None:
    """Not a model that always thinks to the end and is never read, nor an endpoint that changes its mind about forms."""
    with MockOpenAI(always(how)).serve() as url:
        Path("agents.toml").write_text(
            f'[agents.m]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nmax_tokens = {4096 if how == "long" else 64}\n'
        )
        words = (
            "run",
            "-P",
            "direct-qa",
            "-q",
            "Who?",
            "-c",
            "x",
            "-c",
            "y",
            "--seat",
            f"judge={seat}",
            "--config",
            "agents.toml",
        )
        most = json.loads(said(*words, "--dry-run", "--json"))["total"]
        call(*words, "-o", "out.jsonl")
    bill = json.loads(said("cost", "out.jsonl", "--json"))["bill"]
    took = {field: sum(line["tokens"][field] or 0 for line in bill) for field in ("prompt_tokens", "completion_tokens")}
    calls = sum(event["status"] == 200 for event in moot.load("out.jsonl").events() if event["event"] == "attempted")
    most = {
        field: most[field] // 2 for field in ("calls", *took)
    }  # the seat is asked once; only a move that breaks a rule, again
    assert 0 < took["completion_tokens"] <= most["completion_tokens"]
    assert took["prompt_tokens"] <= most["prompt_tokens"] and calls <= most["calls"]
    if (how, seat) == ("grown", "m"):  # the bound is that very case, and not 8 times max_tokens for each call
        assert (calls, took["completion_tokens"]) == (7, 39 * 64) == (most["calls"], most["completion_tokens"])


def test_wrappers_and_examples_are_expected_and_bounded() -> None:
    """A panel that looks twice, reasons first and is shown long examples; debaters that draw sixteen candidates in one call."""
    random = Random(5)

    def reply(body: dict[str, Any]) -> Any:
        if body.get("logprobs"):
            return Reply("1", logprobs={"1": 0.6, "2": 0.4})
        return lifelike((80, 120))(body)

    example = {
        "question": "Who?", "choices": ["x", "y"], "transcript": " ".join(random.choice(WORDS) for _ in range(4000)),
        "verdict": {"probabilities": [0.8, 0.2]},
    }  # fmt: skip
    Path("examples.jsonl").write_text(json.dumps(example))
    Path("prices.toml").write_text(PRICES)
    mock = MockOpenAI(reply)
    with mock.serve() as url:
        Path("agents.toml").write_text(
            f'[agents.model]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\nmax_tokens = 800\n'
            '[agents.sixteen]\nkind = "best-of"\nof = "model"\nn = 16\nby = "logprobs:model"\n'
            '[agents.both]\nkind = "stated-and-logprobs"\nof = "model"\nexamples = "examples.jsonl"\n'
            '[agents.judge]\nkind = "both-orders"\nof = "samples:3:both"\n'
        )
        words = ("run", "-P", "debate", "-p", "rounds=1", "--seat", "debater=sixteen", "--seat", "judge=judge",
                 "--config", "agents.toml", "--prices", "prices.toml", "--set", a_set("few.jsonl", 2, 150))  # fmt: skip
        told = json.loads(said(*words, "--dry-run", "--json", "--expect", "words=100", "--expect", "cached=0.95"))
        assert mock.count == 0
        said(*words, "-o", "plays")
        spent = json.loads(said("cost", "plays", "--json"))
    took = {"calls": mock.count, "cost": spent["cost"]}
    took |= {
        name: sum(line["tokens"][name] for line in spent["bill"]) for name in ("prompt_tokens", "completion_tokens")
    }
    assert took["calls"] == told["expected"]["total"]["calls"] == 2 * (2 * 17 + 12)
    for name, number in took.items():
        assert number / NEAR <= told["expected"]["total"][name] <= number * NEAR, (name, number, told["expected"])
        assert number <= told["total"][name]
    judge = [line for line in spent["bill"] if line["seat"] == "judge"]
    assert sum(line["tokens"]["prompt_tokens"] for line in judge) <= told["seats"]["judge"]["prompt_tokens"]


def test_the_bound_holds_what_a_panel_says_together() -> None:
    from moot.agents.kinds import Profile

    one = Profile(100, calls=3)
    panel = Profile.asking((one, 5), joined=True)
    assert (panel.answer, panel.said, panel.calls, panel.usual) == (100, 500, 15, 5)
    assert Profile.asking((panel, 2), joined=True).said == 1000
    assert Profile.asking((one, 5), (Profile(), 1)).answer is None and Profile.asking((one, 5)).said is None
