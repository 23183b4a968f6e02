"""How far best-of-n and quantilizing push a model from what it says by itself, and what that certifies.

    python examples/pressure.py

A mock endpoint on 127.0.0.1 stands for a model of yours: once in a hundred answers or so it says "certainly", which is the event
that is to stay rare. The anchor is played alone and the event counted; then it is played inside wrappers, and what its count is worth
there is read off the records (docs/pressure.md).
"""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from pathlib import Path
from random import Random
from typing import Any

import moot
from moot.agents.spec import agent_from
from moot.cli.app import app
from moot.testing.server.replies import default_reply, schema_of
from moot.testing.server.server import MockOpenAI

STUDY = """\
[agents.base]                 # the anchor
kind = "openai"
model = "mock"
base_url = "{url}"
temperature = 1.0

[agents.best]
kind = "best-of"
of = "base"
by = "base"                   # it prefers, too
n = 8

[agents.some]
kind = "quantilized"
of = "base"
by = "base"
n = 8
k = 4
"""
PLAYS, FEW = 150, 3


def reply(body: dict[str, Any]) -> str:
    """A speech, or a verdict, by the seed of the call."""
    if "probabilities" in (schema_of(body) or {})["properties"]:
        return default_reply(body)
    sure = Random(body["seed"]).random() < 0.01
    return json.dumps({"kind": "speech", "text": "It is certainly so." if sure else f"It seems so ({body['seed']})."})


def run(*words: str) -> None:
    """A command as it would be typed, and what it prints."""
    print("\n$ moot", *words)
    try:
        app(list(words), standalone_mode=False)
    except SystemExit as ended:
        print(f"(exit code {ended.code})")


def bad(play: moot.Transcript) -> bool:
    """The event, decided on before a play is read."""
    return any("certainly" in str(step.move.get("text")) for step in play.steps() if step.seat == "consultant")


def main() -> None:
    mock = MockOpenAI(reply)
    with tempfile.TemporaryDirectory() as folder, mock.serve() as url:
        os.chdir(folder)
        Path("study.toml").write_text(STUDY.format(url=url))
        config = tomllib.loads(Path("study.toml").read_text())
        question, seen = moot.Question("Is it so?", ("yes", "no")), 0
        for name, plays in (("base", PLAYS), ("best", FEW), ("some", FEW)):
            seats = {
                "consultant": agent_from(name, config),
                "judge": lambda request: moot.Verdict(probabilities=(0.5, 0.5)),
            }
            Path(f"runs/{name}").mkdir(parents=True)
            found = [
                moot.run(moot.Consultancy(rounds=1), question, seats, seed=seed, out=f"runs/{name}/{seed}.jsonl")
                for seed in range(plays)
            ]
            count = sum(map(bad, found))
            seen = count if name == "base" else seen
            print(f"{name}: the event in {count} of {plays} plays")
        for name in ("best", "some"):
            run(
                "cost",
                f"runs/{name}",
                "--anchor",
                "base",
                "--config",
                "study.toml",
                "--event",
                f"{seen}/{PLAYS}",
                "--per",
                "play",
            )


if __name__ == "__main__":
    main()
