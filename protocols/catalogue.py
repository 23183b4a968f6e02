"""moot's own protocol families; importing this module makes every one of them known by name."""

from moot.protocols.amplification import Amplification
from moot.protocols.bisection import Bisection
from moot.protocols.consultancy import Consultancy, DirectQA, OpenConsultancy
from moot.protocols.debate import Debate, OpenDebate
from moot.protocols.market_making import MarketMaking, PointerMarketMaking, UncitedMarketMaking

__all__ = [
    "Amplification", "Bisection", "Consultancy", "Debate", "DirectQA", "MarketMaking", "OpenConsultancy", "OpenDebate",
    "PointerMarketMaking", "UncitedMarketMaking",
]  # fmt: skip
