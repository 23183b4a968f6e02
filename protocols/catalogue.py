"""moot's own protocol families; importing this module makes every one of them known by name."""

from moot.protocols.bisection import Bisection
from moot.protocols.consultancy import Consultancy, DirectQA, OpenConsultancy
from moot.protocols.debate import Debate, OpenDebate
from moot.protocols.geography import Geography
from moot.protocols.qbf import QBFDebate
from moot.protocols.reachability import Reachability

__all__ = [
    "Bisection",
    "Consultancy",
    "Debate",
    "DirectQA",
    "Geography",
    "OpenConsultancy",
    "OpenDebate",
    "QBFDebate",
    "Reachability",
]
