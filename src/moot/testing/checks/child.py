"""A process that replays plays for another one: run by `elsewhere`, with another PYTHONHASHSEED.

Rule: it reads a line of JSON, writes one, and knows no law; Hypothesis is not needed here.
"""

from __future__ import annotations

import json
import os
import sys
from functools import cache
from hashlib import sha256
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import ReplayDivergence
from moot.transcripts.replay import replay
from moot.transcripts.transcript import Transcript


class _NotFound(Exception):
    """The protocol cannot be made in this process."""


def serve() -> None:
    """Answer until the input ends. What imported modules print goes to the errors."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    for line in sys.stdin:
        asked = json.loads(line)
        sys.path[:] = [*dict.fromkeys((*sys.path, *asked.pop("path")))]
        print(json.dumps(_answer(**asked)), file=out, flush=True)


def _answer(module: str, file: str | None, name: str, params: dict[str, Any], lines: list[str]) -> dict[str, str]:
    try:
        made = _found(module, file, name)
        protocol = made.from_record(params)
    except _NotFound as error:
        return {"unknown": str(error)}
    except Exception as error:
        return {"unknown": f"it cannot be made there: {type(error).__name__}: {error}"}
    try:
        return {"digest": replay(Transcript([line.encode() for line in lines]), protocol).digest}
    except ReplayDivergence as error:
        return {"differs": str(error)}
    except Exception as error:
        return {"differs": f"{type(error).__name__}: {error}"}


@cache
def _found(module: str, file: str | None, name: str) -> type[Protocol]:
    try:
        found: Any = _module(module, file)
        for part in name.split("."):
            found = getattr(found, part)
    except BaseException as error:
        raise _NotFound(f"{module}.{name} cannot be imported there: {type(error).__name__}: {error}") from None
    if not (isinstance(found, type) and issubclass(found, Protocol)):
        raise _NotFound(f"{module}.{name} is another thing there: {found!r}")
    return found


def _module(module: str, file: str | None) -> Any:
    """A module by its name, or else by its file: a script is not run as one, and tests may have been found by their files."""
    if module != "__main__":
        try:
            return import_module(module)
        except ModuleNotFoundError:
            if file is None:
                raise
    assert file is not None
    alias = f"_moot_{sha256(file.encode()).hexdigest()[:12]}"
    if alias not in sys.modules:
        spec = spec_from_file_location(alias, file)
        assert spec is not None and spec.loader is not None
        sys.modules[alias] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[alias])
    return sys.modules[alias]


if __name__ == "__main__":
    serve()
