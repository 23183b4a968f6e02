"""Prompts: versioned files of templates (`v2/debate/judge.verdict.txt`), any of which a user replaces with a file of the same name.

Rule of this room: a request and a text go in, messages and a move come out. Nothing is called, and no kind of move is known:
its class says how it is shown and asked for.
"""

from moot.agents.prompts.templates import VERSION as VERSION
from moot.agents.prompts.templates import Templates as Templates
