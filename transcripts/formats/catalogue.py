"""moot's own import formats; importing this module makes every one of them known by name."""

from moot.transcripts.formats.codenames import Codenames
from moot.transcripts.formats.dc_debates import DcDebates
from moot.transcripts.formats.khan import Khan
from moot.transcripts.formats.lechmazur import Lechmazur
from moot.transcripts.formats.multi_agent_debate import MultiAgentDebate
from moot.transcripts.formats.nyu import NyuDebates
from moot.transcripts.formats.solib import Solib

__all__ = ["Codenames", "DcDebates", "Khan", "Lechmazur", "MultiAgentDebate", "NyuDebates", "Solib"]
