"""A recorded step of a debate between programs: moot, against an AEC environment of the same debate that writes a JSON line
a step. The environment is written as PettingZoo's page on creating one has it (pettingzoo.farama.org, "Environment
Creation"), without its wrappers, which only check."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from gymnasium.spaces import Text
from pettingzoo import AECEnv
from pettingzoo.utils import AgentSelector

import moot
from benchmarks.offline import QUESTION, decide, speak
from benchmarks.peers.paired import Paired, paired

ROUNDS = 1000
DEBATERS = ("a", "b")


class DebateEnv(AECEnv):  # type: ignore[misc]
    """Two debaters speak in turn; then the judge's verdict pays them. An observation is all that was said."""

    metadata = {"name": "debate_v0", "render_modes": [], "is_parallelizable": False}

    def __init__(self, rounds: int, out: Path) -> None:
        super().__init__()
        self.rounds, self.out = rounds, out
        self.possible_agents = list(DEBATERS)
        self.space = Text(10_000)

    def observation_space(self, agent: str) -> Text:
        return self.space

    def action_space(self, agent: str) -> Text:
        return self.space

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        self.agents = self.possible_agents[:]
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}
        self.said: list[tuple[str, str]] = []
        self.file = open(self.out, "w")  # noqa: SIM115 - an environment has a `close`
        self.file.write(json.dumps({"event": "started", "question": QUESTION.model_dump(mode="json")}) + "\n")
        self._agent_selector = AgentSelector(self.agents)
        self.agent_selection = self._agent_selector.next()

    def observe(self, agent: str) -> list[tuple[str, str]]:
        return self.said

    def step(self, action: str | None) -> None:
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        assert action is not None
        step = str(len(self.said))
        self.said.append((agent, action))
        self.file.write(
            json.dumps({"event": "moved", "step": step, "seat": agent, "move": {"kind": "speech", "text": action}})
            + "\n"
        )
        self.file.flush()
        if len(self.said) == 2 * self.rounds:
            verdict = decide(None)
            paid = verdict.probabilities[0] - verdict.probabilities[1]
            self.rewards = {"a": paid, "b": -paid}
            self.terminations = dict.fromkeys(self.agents, True)
            self.file.write(
                json.dumps({"event": "ended", "verdict": verdict.probabilities, "rewards": self.rewards}) + "\n"
            )
        else:
            self._clear_rewards()
        self.agent_selection = self._agent_selector.next()
        self._accumulate_rewards()

    def close(self) -> None:
        self.file.close()


def theirs(out: Path) -> list[tuple[str, str]]:
    """What was said, after a play as PettingZoo's pages have one."""
    env = DebateEnv(ROUNDS, out)
    env.reset(seed=0)
    for _ in env.agent_iter():
        observation, _reward, terminated, truncated, _info = env.last()
        step = SimpleNamespace(step=str(len(observation)))
        env.step(None if terminated or truncated else speak(step).text)
    env.close()
    return env.said


def ours(out: Path) -> list[tuple[str, str]]:
    seats = {"a": speak, "b": speak, "judge": decide}
    play = moot.run(moot.Debate(rounds=ROUNDS, order="sequential"), QUESTION, seats, out=out)
    assert isinstance(play.outcome, moot.Decided), play.outcome
    return [(step.seat, step.move["text"]) for step in play.steps() if step.seat in DEBATERS]


def rows() -> Iterator[Paired]:
    from pettingzoo import __version__

    with tempfile.TemporaryDirectory() as folder:
        names = (Path(folder) / f"{number}.jsonl" for number in range(10**9))
        assert ours(next(names)) == theirs(next(names)) and len(ours(next(names))) == 2 * ROUNDS
        seats = {"a": speak, "b": speak, "judge": decide}

        def play() -> None:
            moot.run(moot.Debate(rounds=ROUNDS, order="sequential"), QUESTION, seats, out=next(names))

        yield paired(
            "a recorded step against an AEC step with a JSON line", play, lambda: theirs(next(names)), 2.2,
            lambda mine, other: f"{mine / ROUNDS / 2 * 1e6:.1f} µs against {other / ROUNDS / 2 * 1e6:.1f} of PettingZoo {__version__}",
        )  # fmt: skip
