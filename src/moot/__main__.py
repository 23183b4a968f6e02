"""`python -m moot` is the command `moot`."""

from __future__ import annotations

from moot.cli import main

if __name__ == "__main__":
    main()
