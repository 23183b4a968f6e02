"""Who can take a seat: anything that turns a request into a move.

Rule of this room: no protocol's rules. An agent reads its request, and what moves say of themselves.
"""

if not __name__.startswith("moot."):
    raise ImportError(f"{__name__} is a part of moot, and is imported as moot.{__name__}", name=__name__)


def __getattr__(name: str) -> object:
    """`moot.agents.Browser`, imported when it is asked for."""
    if name == "Browser":
        from moot.agents.people.browser import Browser

        return Browser
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
