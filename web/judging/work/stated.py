"""What a folder says of the judging in it, so that it can be looked at without the study: the people, the rules, how many plays there are.

Rule of this file: one small file, written whole each time that an office opens.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from moot.protocols.engine.errors import UsageError, first_problem
from moot.studies.folder import PEOPLE, write_whole
from moot.web.judging.rules import Rules
from moot.web.judging.work.queue import Kind

STATED = "office.json"


@dataclass(frozen=True)
class Stated:
    """name: of the study; jobs: how many plays with people there are of each kind."""

    name: str
    rules: Rules
    jobs: Mapping[Kind, int]


def state(folder: Path, name: str, rules: Rules, jobs: Mapping[Kind, int]) -> None:
    """Write it. folder: `judging/`. Raises UsageError where it cannot be written."""
    told: dict[str, Any] = {"format": 1, "name": name, "rules": rules.model_dump(mode="json"),
                            "jobs": [[list(kind), count] for kind, count in jobs.items()]}  # fmt: skip
    write_whole(folder / STATED, json.dumps(told, indent=1) + "\n")


def stated(folder: Path) -> Stated:
    """What the folder of a study, or of judgements, says. Raises UsageError where nobody has judged in it."""
    path = folder / PEOPLE / STATED
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        rules = Rules.model_validate_json(json.dumps(told["rules"]))
        return Stated(str(told["name"]), rules, {tuple(kind): int(count) for kind, count in told["jobs"]})
    except FileNotFoundError:
        raise UsageError(f"{folder} has no people in it: moot judge serve … -o {folder} begins") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except ValidationError as error:
        raise UsageError(f"{path}: {first_problem(error)}") from None
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise UsageError(f"{path} is not what moot wrote: {error}") from None


def mark_of(text: str) -> str:
    """A short hash of a text that somebody has read."""
    return blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()
