"""The command line: `moot run`, `show`, `replay`, …

Rule of this room: options and printing. What a command does is a function elsewhere that Python can call as well, and
nothing heavy is imported before a command needs it.
"""

from __future__ import annotations

from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 all decided, 1 some did not, 2 usage, 3 moot failed, 130 interrupted."""
    from moot.agents.people.terminal import guard

    guard()
    from moot.cli.app import app
    from moot.cli.frame import guarded

    guarded(app)(list(arguments) if arguments is not None else None, prog_name="moot")
