"""moot: scalable-oversight protocols as programs.

Protocols coordinate agents and a bounded judge over argument trees; every play is recorded, replayed exactly and
counted.

Rule of this file: it names what is offered and where that lives, and imports none of it, nor anything else that takes time.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # type checkers take it for true; `typing` is not imported for it
if TYPE_CHECKING:
    from typing import Any

    from moot import testing
    from moot.agents.models.lm import LM
    from moot.agents.models.local import Local
    from moot.agents.people.human import Human
    from moot.agents.prompts import Templates
    from moot.agents.prompts.asking import prompt_for, read_move, repair_messages, response_format
    from moot.agents.prompts.values import UnreadableAnswer
    from moot.agents.wrappers.best_of import BestOf
    from moot.agents.wrappers.critique_and_refine import CritiqueAndRefine
    from moot.complexity.guarantee import Guarantee
    from moot.complexity.polynomial import Polynomial
    from moot.complexity.reward import judge_reward
    from moot.complexity.search.exploit import exploit
    from moot.complexity.search.solve import Solution, solve
    from moot.complexity.spending import Ledger
    from moot.judges.bounded import Bounded
    from moot.judges.model import ModelJudge
    from moot.judges.panel import Panel
    from moot.play.rerun import afork, arejudge, aresume, fork, rejudge, resume
    from moot.play.run import arun, run
    from moot.protocols.amplification.amplification import Amplification, StrongAmplification
    from moot.protocols.debate.clue_oversight import Clue, ClueCritique, ClueOversight, WordComparison
    from moot.protocols.debate.consultancy import Consultancy, DirectQA, OpenConsultancy
    from moot.protocols.debate.critique import Critique
    from moot.protocols.debate.debate import Debate, OpenDebate
    from moot.protocols.debate.double_consultancy import DoubleConsultancy
    from moot.protocols.debate.interactive import InteractiveDebate
    from moot.protocols.debate.nested_oversight import NestedOversight, Strength
    from moot.protocols.debate.parts import Feedback, Negotiate, Questions, Speeches, SpeechesOrConcessions
    from moot.protocols.debate.propaganda import Propaganda
    from moot.protocols.debate.side_swapped import SideSwapped
    from moot.protocols.engine.base import Protocol, payoffs_of
    from moot.protocols.engine.errors import (
        AgentError,
        BudgetExceeded,
        Illegal,
        MootError,
        ProtocolError,
        ReplayDivergence,
        TranscriptError,
        UsageError,
    )
    from moot.protocols.engine.floor import Floor
    from moot.protocols.engine.game import Game
    from moot.protocols.engine.moves import Answer, Ask, Asked, Concession, Move, Part, Quote, Speech, Stop, Verdict
    from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited, Outcome, Unreadable
    from moot.protocols.engine.question import Question, Sample
    from moot.protocols.engine.version import __version__
    from moot.protocols.engine.view import Brief, Entry, Request, View
    from moot.protocols.games.circuit_debate import CircuitPointer, CircuitWalk, Descend, GateNumber, GateValues
    from moot.protocols.games.computations import computation
    from moot.protocols.games.cross_examination import Challenge, CrossExamination, Examination, UncopiedExamination
    from moot.protocols.games.doubly_efficient import Check, DoublyEfficientDebate, Probability
    from moot.protocols.games.doubly_efficient_steps import (
        Accept,
        DeterministicDoublyEfficientDebate,
        Fault,
        Value,
        Witness,
        WitnessedDoublyEfficientDebate,
    )
    from moot.protocols.games.geography import Geography
    from moot.protocols.games.pixel_debate import Pixel, PixelDebate
    from moot.protocols.games.qbf import QBFDebate
    from moot.protocols.games.reachability import Reachability
    from moot.protocols.limits import Limit
    from moot.protocols.market.market_making import MarketMaking, PointerMarketMaking, UncitedMarketMaking
    from moot.protocols.market.moves import Citation, Examine, Price, Query, Statement
    from moot.protocols.scoring import ScoringRule
    from moot.protocols.trees.bisection import Bisection
    from moot.protocols.trees.decomposition_debate import Decomposition, DecompositionDebate, Pick
    from moot.protocols.trees.moves import Assertion, Reaction, Response
    from moot.protocols.trees.prover_estimator import Call, Estimate, ProverEstimator
    from moot.protocols.trees.recursive_debate import RecursiveDebate
    from moot.protocols.trees.tree_debate import TreeDebate
    from moot.transcripts.replay import replay, verify
    from moot.transcripts.transcript import Transcript, load

__all__ = [
    "testing", "Accept", "AgentError", "Amplification", "Answer", "Ask", "Asked", "Assertion", "BestOf", "Bisection",
    "Bounded", "Brief", "BudgetExceeded", "Call", "Challenge", "Check", "CircuitPointer", "CircuitWalk", "Citation",
    "Clue", "ClueCritique", "ClueOversight", "Concession", "Consultancy", "Critique", "CritiqueAndRefine",
    "CrossExamination", "Debate", "Decided", "Decomposition", "DecompositionDebate", "Descend",
    "DeterministicDoublyEfficientDebate", "DirectQA", "DoubleConsultancy", "DoublyEfficientDebate", "Entry", "Errored",
    "Estimate", "Examination", "Examine", "Exhausted", "Fault", "Feedback", "Floor", "Forfeited", "Game", "GateNumber",
    "GateValues", "Geography", "Guarantee", "Human", "Illegal", "InteractiveDebate", "LM", "Ledger", "Limit", "Local",
    "MarketMaking", "ModelJudge", "MootError", "Move", "Negotiate", "NestedOversight", "OpenConsultancy", "OpenDebate",
    "Outcome", "Panel", "Part", "Pick", "Pixel", "PixelDebate", "PointerMarketMaking", "Polynomial", "Price",
    "Probability", "Propaganda", "Protocol", "ProtocolError", "ProverEstimator", "QBFDebate", "Query", "Question",
    "Questions", "Quote", "Reachability", "Reaction", "RecursiveDebate", "ReplayDivergence", "Request", "Response",
    "Sample", "ScoringRule", "SideSwapped", "Solution", "Speech", "Speeches", "SpeechesOrConcessions", "Statement",
    "Stop", "Strength", "StrongAmplification", "Templates", "Transcript", "TranscriptError", "TreeDebate",
    "UncitedMarketMaking", "UncopiedExamination", "Unreadable", "UnreadableAnswer", "UsageError", "Value", "Verdict",
    "View", "Witness", "WitnessedDoublyEfficientDebate", "WordComparison", "__version__", "afork", "arejudge",
    "aresume", "arun", "computation", "exploit", "fork", "judge_reward", "load", "payoffs_of", "prompt_for",
    "read_move", "rejudge", "repair_messages", "replay", "response_format", "resume", "run", "solve", "verify"
]  # fmt: skip

# Type checkers read the imports above; at run time each name is imported from the module that stands there, when it is first used.
_WHERE: dict[str, str] = {}
with open(__file__, encoding="utf-8") as _source:
    for _part in _source.read().partition("\n__all__")[0].split("\n    from moot.")[1:]:
        _module, _, *_names = _part.translate({40: 32, 41: 32, 44: 32}).split()  # without brackets and commas
        _WHERE |= dict.fromkeys(_names, f"moot.{_module}")


def __getattr__(name: str) -> Any:
    if name == "testing":
        return import_module("moot.testing")
    if name not in _WHERE:
        raise AttributeError(f"moot has no {name!r}; it offers {', '.join(__all__)}")
    value = getattr(import_module(_WHERE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted((*globals(), *__all__))
