"""Agents by name, as the command line writes them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moot.protocols.errors import UsageError

FORMS = (
    "local, local:FILE.gguf, openai:MODEL, openai:MODEL@BASE_URL, human, python:MODULE:NAME, python:FILE.py:NAME, "
    "logprobs:SPEC (a judge by token log-probabilities), or a name from the [agents] of a --config file"
)


def agent_from(spec: str, config: Mapping[str, Any] | None = None) -> Any:
    """The agent that `spec` names. config: tables by name, as `[agents.NAME]` of a TOML file gives them.

    Raises UsageError listing the forms, or saying what is missing (a key, a file, an extra).
    """
    named = config or {}
    if spec in named:
        return _from_table(spec, named[spec], named)
    kind, _, rest = spec.partition(":")
    if kind == "local":
        from moot.agents.local import Local

        return Local(rest or None)
    if kind == "openai" and rest:
        from moot.agents.lm import LM

        model, _, url = rest.partition("@")
        return LM(model, base_url=url or None)
    if spec == "human":
        from moot.agents.human import Human

        return Human()
    if kind == "logprobs" and rest:
        from moot.judges.model import ModelJudge

        return ModelJudge(agent_from(rest, config), method="logprobs")
    if kind == "python" and rest:
        return _python(rest)
    known = f"; this config names {', '.join(named)}" if named else ""
    raise UsageError(f"no agent is called {spec!r}; agents are {FORMS}{known}")


def load_config(path: Path | str) -> dict[str, Any]:
    """The `[agents]` of a TOML file, by name. Raises UsageError naming file and place."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        tables = tomllib.loads(text).get("agents", {})
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: {error}") from None
    if not isinstance(tables, dict) or not all(isinstance(table, dict) for table in tables.values()):
        raise UsageError(f'{path}: agents are written as tables: [agents.NAME], then kind = "openai", model = …')
    return tables


def _from_table(name: str, table: Mapping[str, Any], config: Mapping[str, Any]) -> Any:
    settings = dict(table)
    kind = settings.pop("kind", "openai")
    try:
        if kind == "openai":
            from moot.agents.lm import LM

            variable = settings.pop("api_key_env", None)
            if variable is not None:
                if variable not in os.environ:
                    raise UsageError(f"agent {name}: the environment has no {variable}; set it to the endpoint's key")
                settings["api_key"] = os.environ[variable]
            if "prices" in settings:
                settings["prices"] = tuple(settings["prices"])
            return LM(settings.pop("model"), **settings)
        if kind == "local":
            from moot.agents.local import Local

            return Local(settings.pop("path", None), **settings)
        if kind == "spec":
            return agent_from(settings.pop("spec"), {key: value for key, value in config.items() if key != name})
    except KeyError as error:
        raise UsageError(f"agent {name}: {error.args[0]} is missing") from None
    except TypeError as error:
        raise UsageError(f"agent {name}: {error}") from None
    raise UsageError(f"agent {name}: kind {kind!r}; it can be openai, local or spec")


def _python(where: str) -> Any:
    place, _, name = where.rpartition(":")
    if not place:
        raise UsageError(f"python:{where} names no object; write python:MODULE:NAME or python:FILE.py:NAME")
    try:
        if place.endswith(".py"):
            spec = importlib.util.spec_from_file_location(Path(place).stem, place)
            if spec is None or spec.loader is None or not Path(place).is_file():
                raise UsageError(f"there is no file {place}")
            module = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(module)
        else:
            if "" not in sys.path:
                sys.path.insert(0, "")
            module = importlib.import_module(place)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{place} cannot be imported: {type(error).__name__}: {error}") from None
    found: Any = getattr(module, name, None)
    if found is None:
        raise UsageError(f"{place} has no {name!r}")
    return found() if isinstance(found, type) else found
