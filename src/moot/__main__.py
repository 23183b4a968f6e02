"""`python -m moot` is the command `moot`.
Rule: it starts the command and adds nothing to it; commands are in `moot.cli`."""

from __future__ import annotations

from moot.cli import main

if __name__ == "__main__":
    main()
