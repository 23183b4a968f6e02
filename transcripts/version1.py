"""Version 1 of the file format, said as version 2 says it.

Rule of this file: it changes parsed events alone, for folds and replay. Lines, their chain and the digest of the play stay
as they were recorded. What version 1 says otherwise: an outcome's `role` holds the seat, the header's `implied` is
`full_tree_size`, and a request's hash was made in a way that is not computed any more.
"""

from __future__ import annotations

from typing import Any


def translate(event: dict[str, Any]) -> dict[str, Any]:
    """Give one event of a version 1 file the form of version 2, in place."""
    name = event["event"]
    if name in ("left", "failed", "ended") and "role" in event["outcome"]:
        event["outcome"] = {"seat" if field == "role" else field: value for field, value in event["outcome"].items()}
    elif name == "started" and "implied" in event:
        event["full_tree_size"] = event.pop("implied")
    return event
