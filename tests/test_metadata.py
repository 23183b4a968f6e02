"""What protocols declare: checked where a class is defined, given as data, and what the documents say."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import pytest
from cli_calls import said

import moot
from moot.cli.parameters import parameters
from moot.protocols.engine.base import Protocol, known_protocols
from moot.protocols.engine.metadata import declared

ROOT = Path(__file__).resolve().parents[1]
QUESTION = moot.Question("Which?", ("x", "y", "z"))


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("measure", "reading", "one of reads, queries"),
        ("complexity_class", "PSPCAE", "None or one of P, "),
        ("complexity_class", "^O", "None or one of P, "),
        ("complexity_class", "", "None or one of P, "),
        ("dynamics", "parallel", "one of sequential, simultaneous, mixed"),
        ("judge", " ", "a text that is not empty"),
        ("judge", None, "a text that is not empty"),
        ("name", "", "a text that is not empty"),
        ("players", "judge", "a tuple of roles"),
        ("players", ("debater", 1), "a tuple of roles"),
        ("players", ("debater", "critic"), "judge is 'judge'; it must be one of the players debater, critic"),
        ("symmetric", 1, "True or False"),
        ("zero_sum", "yes", "True or False"),
        ("citing", None, "True or False"),
        ("pointers", 0, "True or False"),
    ],
)
def test_metadata_that_makes_no_sense_is_refused_where_the_class_is_defined(field: str, value: Any, says: str) -> None:
    with pytest.raises(moot.ProtocolError, match=f"Wrong: .*{says}") as caught:
        type("Wrong", (Protocol,), {field: value, "__module__": __name__, "__qualname__": "Wrong"})
    assert field in str(caught.value)


@pytest.mark.filterwarnings("ignore:Field name")
def test_metadata_that_is_written_as_a_parameter_is_refused() -> None:
    with pytest.raises(moot.ProtocolError, match="Wrong: zero_sum is a parameter; declare it as a ClassVar"):
        type("Wrong", (Protocol,), {"__annotations__": {"zero_sum": bool}, "zero_sum": True, "__qualname__": "Wrong"})


def test_a_protocol_needs_to_declare_nothing() -> None:
    found = declared(type("Plain", (Protocol,), {"__module__": __name__}))
    assert (found.name, found.dynamics, found.complexity_class, found.players) == ("plain", "mixed", None, ())
    assert not (found.symmetric or found.zero_sum or found.citing or found.pointers)


def test_metadata_of_a_question() -> None:
    about = moot.Debate(rounds=3).metadata(QUESTION)
    assert about.seats == {"a": "debater", "b": "debater", "c": "debater", "judge": "judge"}
    assert about.most_moves == {"a": 3, "b": 3, "c": 3, "judge": 1}
    bare = moot.Debate(rounds=3).metadata()
    assert (bare.seats, bare.most_moves) == (None, None) and bare.about.startswith("One debater per choice")
    sums = moot.Question("What is the sum?", ("3", "4"), data=[1, 2, 0], size=3, unit="cells")
    assert moot.Bisection().metadata(sums).full_tree_size == 5
    with pytest.raises(moot.UsageError, match="2 to 26 choices"):
        moot.Debate().metadata(moot.Question("open"))
    assert moot.SideSwapped().metadata().zero_sum and moot.SideSwapped().metadata().players == ("debater", "judge")


def test_the_table_of_classes_is_what_protocols_declare() -> None:
    table = re.findall(
        r"^\| (`[^|]+`) \| (\S+) \| ([a-z ]+) \|", (ROOT / "docs/architecture.md").read_text("utf-8"), re.M
    )
    said_there = {name: row[1:] for row in table for name in re.findall("`([^`]+)`", row[0])}
    ours = [made for made in known_protocols().values() if made.__module__.startswith("moot.protocols.")]
    assert said_there == {
        made.name: (made.complexity_class, f"{made.judge} {made.measure.replace('_', ' ')}")
        for made in ours if made.complexity_class is not None
    }  # fmt: skip


def test_moot_protocols_lists_the_metadata() -> None:
    found = {each["name"]: each for each in map(json.loads, said("protocols", "--json").splitlines())}
    for name, made in known_protocols().items():
        about = json.loads(json.dumps(dataclasses.asdict(declared(made))))
        assert {key: value for key, value in found[name].items() if key != "params"}.items() <= about.items()
    assert found["clue-oversight"]["complexity_class"] is None and found["debate"]["params"]["rounds"]["default"] == 2
    assert "    consultant, judge; sequential; judge reads: NP\n" in said("protocols")


def test_a_parameter_that_has_no_form_in_json_is_listed_all_the_same() -> None:
    class Odd(Protocol):
        kind: Any = moot.Speech

    (found,) = parameters(Odd)
    assert found.default == "Speech" and found.shown == "Speech"


def test_moot_tasks_is_one_object_per_line() -> None:
    rows = [json.loads(line) for line in said("tasks", "--json").splitlines()]
    assert {"tqbf", "sum"} <= {row["task"] for row in rows} and all(isinstance(row["protocols"], list) for row in rows)
