"""What plays cost, beforehand and afterwards: prices from a file, a dry run, a cap, and candidates from one call.

    python examples/costs.py

A mock endpoint on 127.0.0.1 stands for a provider: its debaters write 60 to 160 words. The figures are those
of docs/costs.md.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from random import Random
from typing import Any

import moot
from moot.cli.app import app
from moot.testing.server.replies import default_reply, schema_of
from moot.testing.server.server import MockOpenAI

PRICES = """\
[[prices]]
model = "mock"
prompt = 1.00        # per million tokens, as are the others
completion = 4.00
cache_read = 0.10
source = "made up, for this example"
date = 2026-11-01
"""
WORDS = "the ledger shows that payment was made before winter and nobody disputes which bridge it was for".split()


def reply(body: dict[str, Any]) -> str:
    """A debater's speech, or a judge's verdict."""
    if "probabilities" in (schema_of(body) or {})["properties"]:
        return default_reply(body)
    random = Random(str([body["messages"], body["seed"]]))
    return json.dumps(
        {"kind": "speech", "text": " ".join(random.choice(WORDS) for _ in range(random.randint(60, 160)))}
    )


def run(*words: str) -> None:
    """A command as it would be typed, and what it prints."""
    print("\n$ moot", *(word for word in words if not word.endswith("/v1")))
    try:
        app(list(words), standalone_mode=False)
    except SystemExit as ended:
        print(f"(exit code {ended.code})")


def main() -> None:
    mock = MockOpenAI(reply)
    with tempfile.TemporaryDirectory() as folder, mock.serve() as url:
        os.chdir(folder)
        Path("prices.toml").write_text(PRICES)
        Path("agents.toml").write_text(f'[agents.model]\nkind = "openai"\nmodel = "mock"\nbase_url = "{url}"\n')
        debate = ("run", "-P", "debate", "-p", "questions=false", "--set", "passages")
        agents = (
            "--config",
            "agents.toml",
            "--seat",
            "debater=model",
            "--seat",
            "judge=model",
            "--prices",
            "prices.toml",
        )
        run(*debate, *agents, "--limit", "4", "-o", "pilot")
        run(*debate, *agents, "--limit", "12", "--dry-run", "--like", "pilot")
        run(*debate, *agents, "--limit", "12", "--dry-run", "--expect", "words=110", "--expect", "cached=0.7")
        run(*debate, *agents, "--limit", "12", "-o", "study", "--max-cost", "0.03")
        run(*debate, *agents, "--limit", "12", "-o", "study", "--max-cost", "1.00")
        run("cost", "study")

        print("\nBest of 16 of one debater, two rounds:")
        lm = moot.LM("mock", base_url=url, prices="prices.toml")
        question = moot.Question(
            "Who sank the fleet?", ("a storm", "the admiral"), passage="The fleet sank in a storm. " * 100
        )
        for one_call in (True, False):
            mock.reset()
            best = moot.BestOf(lm, 16, score=lambda request, move: len(move.content()), one_call=one_call)
            t = moot.run(moot.Debate(rounds=2, questions=False), question, {"a": best, "b": lm, "judge": lm})
            spent = t.ledger.seats["a"]
            how = "in one call" if one_call else "in 16 calls"
            print(f"  {how}: {mock.count} calls, {spent.prompt_tokens} prompt tokens of seat a, cost {spent.cost:.4f}")
        os.chdir("/")


if __name__ == "__main__":
    main()
