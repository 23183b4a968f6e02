"""moot's own protocol families; importing this module makes every one of them known by name."""

from moot.protocols.amplification.amplification import Amplification, StrongAmplification
from moot.protocols.amplification.approval import Approval
from moot.protocols.debate.clue_oversight import ClueOversight
from moot.protocols.debate.consultancy import Consultancy, DirectQA, OpenConsultancy
from moot.protocols.debate.critique import Critique
from moot.protocols.debate.debate import Debate, OpenDebate
from moot.protocols.debate.double_consultancy import DoubleConsultancy
from moot.protocols.debate.interactive import InteractiveDebate
from moot.protocols.debate.nested_oversight import NestedOversight
from moot.protocols.debate.propaganda import Propaganda
from moot.protocols.debate.side_swapped import SideSwapped
from moot.protocols.games.circuit_debate import CircuitPointer, CircuitWalk
from moot.protocols.games.cross_examination import CrossExamination, UncopiedExamination
from moot.protocols.games.doubly_efficient import DoublyEfficientDebate
from moot.protocols.games.doubly_efficient_steps import (
    DeterministicDoublyEfficientDebate,
    WitnessedDoublyEfficientDebate,
)
from moot.protocols.games.geography import Geography
from moot.protocols.games.pixel_debate import PixelDebate
from moot.protocols.games.qbf import QBFDebate
from moot.protocols.games.reachability import Reachability
from moot.protocols.market.market_making import MarketMaking, PointerMarketMaking, UncitedMarketMaking
from moot.protocols.trees.bisection import Bisection
from moot.protocols.trees.decomposition_debate import DecompositionDebate
from moot.protocols.trees.prover_estimator import ProverEstimator
from moot.protocols.trees.recursive_debate import RecursiveDebate
from moot.protocols.trees.tree_debate import TreeDebate

__all__ = [
    "Amplification", "Approval", "Bisection", "CircuitPointer", "CircuitWalk", "ClueOversight", "Consultancy",
    "Critique", "CrossExamination", "Debate", "DecompositionDebate", "DeterministicDoublyEfficientDebate", "DirectQA",
    "DoubleConsultancy", "DoublyEfficientDebate", "Geography", "InteractiveDebate", "MarketMaking", "NestedOversight",
    "OpenConsultancy", "OpenDebate", "PixelDebate", "PointerMarketMaking", "Propaganda", "ProverEstimator",
    "QBFDebate", "Reachability", "RecursiveDebate", "SideSwapped", "StrongAmplification", "TreeDebate",
    "UncitedMarketMaking", "UncopiedExamination", "WitnessedDoublyEfficientDebate",
]  # fmt: skip
