"""moot's own protocol families; importing this module makes every one of them known by name."""

from moot.protocols.amplification import Amplification
from moot.protocols.approval import Approval
from moot.protocols.bisection import Bisection
from moot.protocols.consultancy import Consultancy, DirectQA, OpenConsultancy
from moot.protocols.debate import Debate, OpenDebate

__all__ = ["Amplification", "Approval", "Bisection", "Consultancy", "Debate", "DirectQA", "OpenConsultancy", "OpenDebate"]
