"""Quantified formulas solved as games: `moot.solve` on the debate about one, against OpenSpiel's alpha-beta search
(open_spiel.python.algorithms.minimax) on the same game, written as its Python games are (its tic_tac_toe.py)."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pyspiel
from open_spiel.python.algorithms import minimax

import moot
from benchmarks.peers.paired import Paired, paired
from benchmarks.solving import SEEDS, SIZES
from moot.protocols.games.qbf import variables
from moot.tasks.logic.tqbf import TQBF, MatrixJudge

_TYPE = pyspiel.GameType(
    short_name="python_tqbf", long_name="Quantified Boolean formula",
    dynamics=pyspiel.GameType.Dynamics.SEQUENTIAL, chance_mode=pyspiel.GameType.ChanceMode.DETERMINISTIC,
    information=pyspiel.GameType.Information.PERFECT_INFORMATION, utility=pyspiel.GameType.Utility.ZERO_SUM,
    reward_model=pyspiel.GameType.RewardModel.TERMINAL, max_num_players=2, min_num_players=2,
    provides_information_state_string=True, provides_information_state_tensor=False,
    provides_observation_string=True, provides_observation_tensor=False,
)  # fmt: skip


class TQBFGame(pyspiel.Game):  # type: ignore[misc]
    """Player 0 says that the formula is true and sets its existential variables; player 1 sets the others."""

    def __init__(self, data: Any) -> None:
        self.prefix = variables(data)
        self.clauses = data["clauses"]
        info = pyspiel.GameInfo(
            num_distinct_actions=2, max_chance_outcomes=0, num_players=2, min_utility=-1.0, max_utility=1.0, utility_sum=0.0,
            max_game_length=len(self.prefix),
        )  # fmt: skip
        super().__init__(_TYPE, info, {})

    def new_initial_state(self) -> TQBFState:
        return TQBFState(self)

    def make_py_observer(self, iig_obs_type: Any = None, params: Any = None) -> None:
        return None


class TQBFState(pyspiel.State):  # type: ignore[misc]
    """The literals that were made true so far. A copy is made by hand: the general one would copy the formula as well."""

    def __init__(self, game: TQBFGame) -> None:
        super().__init__(game)
        self.game = game
        self.true: tuple[int, ...] = ()

    def clone(self) -> TQBFState:
        copied = TQBFState(self.game)
        copied.true = self.true
        return copied

    def current_player(self) -> int:
        if len(self.true) == len(self.game.prefix):
            return int(pyspiel.PlayerId.TERMINAL)
        return 0 if self.game.prefix[len(self.true)][0] == "e" else 1

    def _legal_actions(self, player: int) -> list[int]:
        return [0, 1]

    def _apply_action(self, action: int) -> None:
        variable = self.game.prefix[len(self.true)][1]
        self.true += (variable if action else -variable,)

    def _action_to_string(self, player: int, action: int) -> str:
        return str(bool(action))

    def is_terminal(self) -> bool:
        return len(self.true) == len(self.game.prefix)

    def returns(self) -> list[float]:
        if not self.is_terminal():
            return [0.0, 0.0]
        true = set(self.true)
        value = 1.0 if all(any(literal in true for literal in clause) for clause in self.game.clauses) else -1.0
        return [value, -value]

    def __str__(self) -> str:
        return " ".join(map(str, self.true))


def rows() -> Iterator[Paired]:
    size, task, protocol = SIZES[-1], TQBF(), moot.QBFDebate()
    judge = moot.Bounded(MatrixJudge(), reads=task.reads)
    samples = [task.sample(size, seed) for seed in SEEDS]
    games = [TQBFGame(sample.question.data) for sample in samples]

    def ours() -> list[bool]:
        solved = (moot.solve(protocol, each, moves={"a": None, "b": None}, seats={"judge": judge}) for each in samples)
        return [
            each.question.choices[0 if solution.value["a"] > 0 else 1] == "true"
            for each, solution in zip(samples, solved, strict=True)
        ]

    def theirs() -> list[bool]:
        return [minimax.alpha_beta_search(game, maximizing_player_id=0)[0] > 0 for game in games]

    truths = [task.truth(each.question.data, each.question.text) == "true" for each in samples]
    assert ours() == theirs() == truths and len(set(truths)) == 2
    yield paired(
        f"TQBF with {size} variables solved, against OpenSpiel's alpha-beta", ours, theirs, 2.5,
        lambda mine, other: f"{len(samples)} formulas: {mine:.2f} s against {other:.2f} s of OpenSpiel {version('open_spiel')}",
    )  # fmt: skip
