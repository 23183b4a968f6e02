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

if TYPE_CHECKING:
    from moot import testing as testing
    from moot.agents.models.batches.batch import Batch as Batch
    from moot.agents.models.lm import LM as LM
    from moot.agents.models.local import Local as Local
    from moot.agents.models.profiles.profile import EndpointProfile as EndpointProfile
    from moot.agents.models.profiles.small import Small as Small
    from moot.agents.money.cap import Cap as Cap
    from moot.agents.money.prices import Prices as Prices
    from moot.agents.people.browser import Browser as Browser
    from moot.agents.people.human import Human as Human
    from moot.agents.policy import Policy as Policy
    from moot.agents.prompts import Templates as Templates
    from moot.agents.prompts.asking import prompt_for as prompt_for
    from moot.agents.prompts.asking import read_move as read_move
    from moot.agents.prompts.asking import repair_messages as repair_messages
    from moot.agents.prompts.asking import response_format as response_format
    from moot.agents.prompts.values import UnreadableAnswer as UnreadableAnswer
    from moot.agents.tools.tool import Tool as Tool
    from moot.agents.tools.tool import tool as tool
    from moot.agents.wrappers.best_of import BestOf as BestOf
    from moot.agents.wrappers.briefed import Briefed as Briefed
    from moot.agents.wrappers.conditioned import Conditioned as Conditioned
    from moot.agents.wrappers.copies import Copies as Copies
    from moot.agents.wrappers.critique_and_refine import CritiqueAndRefine as CritiqueAndRefine
    from moot.agents.wrappers.frozen import Frozen as Frozen
    from moot.agents.wrappers.quantilized import Quantilized as Quantilized
    from moot.complexity.estimators.base import Estimator as Estimator
    from moot.complexity.families import FamilyGuarantee as FamilyGuarantee
    from moot.complexity.families import guarantee_over as guarantee_over
    from moot.complexity.guarantee import Guarantee as Guarantee
    from moot.complexity.polynomial import Polynomial as Polynomial
    from moot.complexity.pressure.kinds import Bound as Bound
    from moot.complexity.pressure.ledger import Pressure as Pressure
    from moot.complexity.reward import judge_reward as judge_reward
    from moot.complexity.search.exploit import exploit as exploit
    from moot.complexity.search.solve import Solution as Solution
    from moot.complexity.search.solve import solve as solve
    from moot.complexity.search.stackelberg import stackelberg as stackelberg
    from moot.complexity.spending import Ledger as Ledger
    from moot.judges.bounded import Bounded as Bounded
    from moot.judges.calibrated import Calibrated as Calibrated
    from moot.judges.looks import BothOrders as BothOrders
    from moot.judges.looks import BothSeatings as BothSeatings
    from moot.judges.model import ModelJudge as ModelJudge
    from moot.judges.panel import Panel as Panel
    from moot.play.pressure import apressure as apressure
    from moot.play.pressure import pressure as pressure
    from moot.play.rejudging import abeliefs as abeliefs
    from moot.play.rejudging import arejudge as arejudge
    from moot.play.rejudging import beliefs as beliefs
    from moot.play.rejudging import rejudge as rejudge
    from moot.play.rerun import afork as afork
    from moot.play.rerun import aresume as aresume
    from moot.play.rerun import fork as fork
    from moot.play.rerun import resume as resume
    from moot.play.risk import arisk as arisk
    from moot.play.risk import risk as risk
    from moot.play.run import arun as arun
    from moot.play.run import run as run
    from moot.protocols.amplification.amplification import Amplification as Amplification
    from moot.protocols.amplification.amplification import StrongAmplification as StrongAmplification
    from moot.protocols.debate.clue_oversight import Clue as Clue
    from moot.protocols.debate.clue_oversight import ClueCritique as ClueCritique
    from moot.protocols.debate.clue_oversight import ClueOversight as ClueOversight
    from moot.protocols.debate.clue_oversight import WordComparison as WordComparison
    from moot.protocols.debate.consultancy import Consultancy as Consultancy
    from moot.protocols.debate.consultancy import DirectQA as DirectQA
    from moot.protocols.debate.consultancy import OpenConsultancy as OpenConsultancy
    from moot.protocols.debate.critique import Critique as Critique
    from moot.protocols.debate.debate import Debate as Debate
    from moot.protocols.debate.debate import OpenDebate as OpenDebate
    from moot.protocols.debate.double_consultancy import DoubleConsultancy as DoubleConsultancy
    from moot.protocols.debate.fresh import FreshDebate as FreshDebate
    from moot.protocols.debate.fresh import Proposal as Proposal
    from moot.protocols.debate.fresh import ProposerCritic as ProposerCritic
    from moot.protocols.debate.interactive import InteractiveDebate as InteractiveDebate
    from moot.protocols.debate.judging import Deliberation as Deliberation
    from moot.protocols.debate.market_prices import MarketPrices as MarketPrices
    from moot.protocols.debate.nested_oversight import NestedOversight as NestedOversight
    from moot.protocols.debate.nested_oversight import Strength as Strength
    from moot.protocols.debate.parts import Feedback as Feedback
    from moot.protocols.debate.parts import Negotiate as Negotiate
    from moot.protocols.debate.parts import Questions as Questions
    from moot.protocols.debate.parts import Speeches as Speeches
    from moot.protocols.debate.parts import SpeechesOrConcessions as SpeechesOrConcessions
    from moot.protocols.debate.propaganda import Propaganda as Propaganda
    from moot.protocols.debate.queries import OracleAnswer as OracleAnswer
    from moot.protocols.debate.queries import OracleQuery as OracleQuery
    from moot.protocols.debate.queries import OracleReply as OracleReply
    from moot.protocols.debate.queries import Queries as Queries
    from moot.protocols.debate.side_swapped import SideSwapped as SideSwapped
    from moot.protocols.engine import __version__ as __version__
    from moot.protocols.engine.base import Protocol as Protocol
    from moot.protocols.engine.base import payoffs_of as payoffs_of
    from moot.protocols.engine.errors import AgentError as AgentError
    from moot.protocols.engine.errors import BudgetExceeded as BudgetExceeded
    from moot.protocols.engine.errors import Illegal as Illegal
    from moot.protocols.engine.errors import MootError as MootError
    from moot.protocols.engine.errors import ProtocolError as ProtocolError
    from moot.protocols.engine.errors import ReplayDivergence as ReplayDivergence
    from moot.protocols.engine.errors import SealedElsewhere as SealedElsewhere
    from moot.protocols.engine.errors import TranscriptError as TranscriptError
    from moot.protocols.engine.errors import UsageError as UsageError
    from moot.protocols.engine.floor import Floor as Floor
    from moot.protocols.engine.game import Game as Game
    from moot.protocols.engine.images.image import Image as Image
    from moot.protocols.engine.moves import Answer as Answer
    from moot.protocols.engine.moves import Ask as Ask
    from moot.protocols.engine.moves import Asked as Asked
    from moot.protocols.engine.moves import Concession as Concession
    from moot.protocols.engine.moves import Move as Move
    from moot.protocols.engine.moves import Part as Part
    from moot.protocols.engine.moves import Quote as Quote
    from moot.protocols.engine.moves import Speech as Speech
    from moot.protocols.engine.moves import Stop as Stop
    from moot.protocols.engine.moves import Verdict as Verdict
    from moot.protocols.engine.outcomes import Decided as Decided
    from moot.protocols.engine.outcomes import Errored as Errored
    from moot.protocols.engine.outcomes import Exhausted as Exhausted
    from moot.protocols.engine.outcomes import Forfeited as Forfeited
    from moot.protocols.engine.outcomes import Outcome as Outcome
    from moot.protocols.engine.outcomes import Unjudged as Unjudged
    from moot.protocols.engine.outcomes import Unreadable as Unreadable
    from moot.protocols.engine.question import Question as Question
    from moot.protocols.engine.question import Sample as Sample
    from moot.protocols.engine.request import Brief as Brief
    from moot.protocols.engine.request import Request as Request
    from moot.protocols.engine.view import Entry as Entry
    from moot.protocols.engine.view import View as View
    from moot.protocols.games.circuit_debate import CircuitPointer as CircuitPointer
    from moot.protocols.games.circuit_debate import CircuitWalk as CircuitWalk
    from moot.protocols.games.circuit_debate import Descend as Descend
    from moot.protocols.games.circuit_debate import GateNumber as GateNumber
    from moot.protocols.games.circuit_debate import GateValues as GateValues
    from moot.protocols.games.computations import computation as computation
    from moot.protocols.games.cross_examination import Challenge as Challenge
    from moot.protocols.games.cross_examination import CrossExamination as CrossExamination
    from moot.protocols.games.cross_examination import Examination as Examination
    from moot.protocols.games.cross_examination import UncopiedExamination as UncopiedExamination
    from moot.protocols.games.doubly_efficient import Check as Check
    from moot.protocols.games.doubly_efficient import DoublyEfficientDebate as DoublyEfficientDebate
    from moot.protocols.games.doubly_efficient import Probability as Probability
    from moot.protocols.games.doubly_efficient_steps import Accept as Accept
    from moot.protocols.games.doubly_efficient_steps import (
        DeterministicDoublyEfficientDebate as DeterministicDoublyEfficientDebate,
    )
    from moot.protocols.games.doubly_efficient_steps import Fault as Fault
    from moot.protocols.games.doubly_efficient_steps import Value as Value
    from moot.protocols.games.doubly_efficient_steps import Witness as Witness
    from moot.protocols.games.doubly_efficient_steps import (
        WitnessedDoublyEfficientDebate as WitnessedDoublyEfficientDebate,
    )
    from moot.protocols.games.geography import Geography as Geography
    from moot.protocols.games.pixel_debate import Pixel as Pixel
    from moot.protocols.games.pixel_debate import PixelDebate as PixelDebate
    from moot.protocols.games.qbf import QBFDebate as QBFDebate
    from moot.protocols.games.reachability import Reachability as Reachability
    from moot.protocols.limits import Limit as Limit
    from moot.protocols.market.market_making import MarketMaking as MarketMaking
    from moot.protocols.market.market_making import PointerMarketMaking as PointerMarketMaking
    from moot.protocols.market.market_making import UncitedMarketMaking as UncitedMarketMaking
    from moot.protocols.market.moves import Citation as Citation
    from moot.protocols.market.moves import Examine as Examine
    from moot.protocols.market.moves import Price as Price
    from moot.protocols.market.moves import Query as Query
    from moot.protocols.market.moves import Stands as Stands
    from moot.protocols.market.moves import Statement as Statement
    from moot.protocols.scoring import ScoringRule as ScoringRule
    from moot.protocols.specification.moves import Act as Act
    from moot.protocols.specification.moves import Attack as Attack
    from moot.protocols.specification.moves import Density as Density
    from moot.protocols.specification.moves import Draw as Draw
    from moot.protocols.specification.moves import Ruling as Ruling
    from moot.protocols.specification.specification import Specification as Specification
    from moot.protocols.trees.bisection import Bisection as Bisection
    from moot.protocols.trees.decomposition_debate import Decomposition as Decomposition
    from moot.protocols.trees.decomposition_debate import DecompositionDebate as DecompositionDebate
    from moot.protocols.trees.decomposition_debate import Pick as Pick
    from moot.protocols.trees.decomposition_debate import PointerDecompositionDebate as PointerDecompositionDebate
    from moot.protocols.trees.moves import Assertion as Assertion
    from moot.protocols.trees.moves import Reaction as Reaction
    from moot.protocols.trees.moves import Response as Response
    from moot.protocols.trees.prover_estimator import Call as Call
    from moot.protocols.trees.prover_estimator import Estimate as Estimate
    from moot.protocols.trees.prover_estimator import ProverEstimator as ProverEstimator
    from moot.protocols.trees.recursive_debate import RecursiveDebate as RecursiveDebate
    from moot.protocols.trees.tree_debate import TreeDebate as TreeDebate
    from moot.studies.grid import Arm as Arm
    from moot.studies.many import arun_many as arun_many
    from moot.studies.many import run_many as run_many
    from moot.studies.study import Study as Study
    from moot.tasks.answers.grading import Graded as Graded
    from moot.tasks.answers.grading import graded as graded
    from moot.tasks.sets.questions import questions as questions
    from moot.transcripts.replay import replay as replay
    from moot.transcripts.replay import verify as verify
    from moot.transcripts.signing import sign as sign
    from moot.transcripts.transcript import Transcript as Transcript
    from moot.transcripts.transcript import load as load

# Type checkers read the imports above; at run time each name is imported from the module that stands there, when it is first used.
_WHERE: dict[str, str] = {}
_module = "moot"
with open(__file__, encoding="utf-8") as _source:
    for _line in _source:
        if _line.startswith("# Type checkers"):
            break
        _words = _line.split()
        if _words[:1] == ["from"]:
            _module = _words[1]
        if _words[-2:-1] == ["as"] and _module != "moot":
            _WHERE[_words[-3]] = _module

__all__ = ["testing", *sorted(_WHERE)]


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
