"""`moot cost --anchor`: the ledger of pressure at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_calls import JUDGE, QUESTION, folder, refused, said

__all__ = ["folder"]
CONFIG = """
[agents.many]
kind = "best-of"
of = "python:cli_agents:speaker"
by = "python:cli_agents:judge"
n = 16
"""
SPEAKER = "python:cli_agents:speaker"


@pytest.fixture
def played(folder: Path) -> Path:
    (folder / "moot.toml").write_text(CONFIG)
    said(
        "run",
        "-P",
        "debate",
        *QUESTION,
        "--seat",
        f"a={SPEAKER}",
        "--seat",
        "b=many",
        *JUDGE,
        "--config",
        "moot.toml",
        "--param",
        "rounds=1",
        "-o",
        "d.jsonl",
    )
    return folder


def test_an_anchor_is_known_by_its_identity_and_certified(played: Path) -> None:
    text = said("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "1.498e-4")
    assert "b: 16 draws an ask, ratio 16, KL 1.83509; at most 2 asks, repairs included" in text
    assert "a: 1 draws an ask" in text and "taken as they are: judge" in text
    assert "at most 0.00508" in text and "by draws" in text and "assumed: not-chosen" in text
    found = json.loads(said("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "1e-6", "--seat", "b", "--json"))
    certificate = found["pressure"]["certificate"]
    assert certificate["upper"] == pytest.approx(3.2e-5, rel=1e-3) and certificate["route"] == "draws"
    assert [row["draws"] for row in found["pressure"]["rows"]] == [16]
    found = json.loads(
        said("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "1e-6", "--seat", "b", "--per", "play", "--json")
    )
    assert found["pressure"]["certificate"]["upper"] == pytest.approx(256e-6, rel=1e-3)


def test_an_event_that_was_counted_is_taken_at_its_upper_bound(played: Path) -> None:
    found = json.loads(said("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "0/20000", "--seat", "b", "--json"))
    certificate = found["pressure"]["certificate"]
    assert (certificate["event"], certificate["delta"]) == (pytest.approx(1.498e-4, rel=1e-3), 0.05)
    text = said("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "0/20000")
    assert "an event of probability 0.000149775 at most (with a confidence of 0.95) for a reply" in text
    assert "in any reply of a, b, by draws" in text  # and of no other seat: nothing is said of the judge
    text = said("cost", "d.jsonl", "d.jsonl", "--anchor", SPEAKER, "--event", "0/20000")
    assert "declared: an event of probability 0.000149775 at most (with a confidence of 0.95) for a reply" in text


def test_a_role_stands_for_its_seats(played: Path) -> None:
    found = json.loads(said("cost", "d.jsonl", "--anchor", SPEAKER, "--seat", "debater", "--json"))
    assert [seat["seat"] for seat in found["pressure"]["seats"]] == ["a", "b"]


def test_several_plays_are_certified_together(played: Path) -> None:
    Path("runs").mkdir()
    (played / "d.jsonl").rename(played / "runs" / "d.jsonl")
    said(
        "fork",
        "runs/d.jsonl",
        "--at",
        "0.0.0",
        "--seat",
        f"a={SPEAKER}",
        "--seat",
        f"b={SPEAKER}",
        *JUDGE,
        "-o",
        "runs/e.jsonl",
    )
    text = said("cost", "runs", "--anchor", SPEAKER, "--event", "1e-6")
    assert "the event in any of 2 plays: unknown" in text and "not certified: the play goes on from another one" in text
    text = said("cost", "runs/d.jsonl", "runs/d.jsonl", "--anchor", SPEAKER, "--event", "1e-6")
    assert "the event in any of 2 plays: at most 6.79989e-05" in text and "assumed: not-chosen" in text


def test_another_agent_is_no_anchor(played: Path) -> None:
    text = said("cost", "d.jsonl", "--anchor", "python:cli_agents:judge", "--event", "1e-6", "--seat", "b")
    assert "nothing is certified" in text and "another than that of" in text


def test_what_does_not_fit_together_is_said(played: Path) -> None:
    for words, why in (
        (("cost", "d.jsonl", "--event", "1e-6"), "name it with --anchor"),
        (("cost", "d.jsonl", "--seat", "a"), "name it with --anchor"),
        (("cost", "d.jsonl", "--event", ""), "name it with --anchor"),
        (("cost", "d.jsonl", "--config", "moot.toml"), "name it with --anchor"),
        (("cost", "d.jsonl", "--per", "play"), "name it with --anchor"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--per", "play"), "give --event"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "1/0"), "draws"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "2/1"), "no more hits than draws"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "rare"), "K times in N"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--seat", "c"), "no seat or role 'c'"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--event", "2"), "must lie in [0, 1]"),
        (("cost", "d.jsonl", "--anchor", SPEAKER, "--score"), "is no model"),
        (("cost", "d.jsonl", "--anchor", "nobody"), "there is no agent 'nobody'"),
    ):  # fmt: skip
        assert why in refused(*words), words
