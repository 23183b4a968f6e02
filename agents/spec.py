"""Agents by name: what the command line and TOML files call them."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from moot.protocols.engine.errors import UsageError

FORMS = (
    "local", "local:PATH.gguf", "openai:MODEL", "openai:MODEL@http://HOST/v1", "human", "python:MODULE:NAME",
    "python:FILE.py:NAME", "task:TASK:PROGRAM", "logprobs:SPEC",
)  # fmt: skip
_LM_OPTIONS = frozenset(
    "structured temperature max_tokens seed prompts prices cache timeout retries backoff extra_body identity".split()
)
_LOCAL_OPTIONS = _LM_OPTIONS | {"context", "slots", "threads", "guided"}


def agent_from(spec: str, config: Mapping[str, Any] | None = None) -> Any:
    """The agent that a specification names.

    spec: one of FORMS, or a name defined in `config`. config: the content of a TOML file, whose tables [agents.NAME]
    have `kind` ("openai", "local", "human", "python", "logprobs", "best-of", "critique-and-refine") and the options of
    that kind; for openai: `model`,
    `base_url`, `api_key_env` (the name of the environment variable with the key), and those of `LM`; for local: `path`
    and those of `Local`; for python: `target`; for logprobs: `of`, another specification; for best-of: `of`, `n`, `by`, a
    specification too, and `least`; for critique-and-refine: `of`, `critic`, `chooser`, `critiques` and `rounds`.

    Raises UsageError for an unknown name or option, a missing key, module or file.
    """
    return _agent(spec, _tables(config), ())


def load_config(path: str | Path) -> dict[str, Any]:
    """The content of a TOML file with [agents.NAME] tables. Raises UsageError when it cannot be read."""
    import tomllib

    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"configuration {path}: {error}") from None


def _tables(config: Mapping[str, Any] | None) -> Mapping[str, Mapping[str, Any]]:
    tables = (config or {}).get("agents", {})
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise UsageError("configuration: [agents] must hold tables, one for each agent: [agents.NAME]")
    return tables


def _agent(spec: str, tables: Mapping[str, Mapping[str, Any]], within: tuple[str, ...]) -> Any:
    if spec in tables:
        if spec in within:
            raise UsageError(f"agent {spec!r} is defined by itself: {' -> '.join((*within, spec))}")
        return _from_table(spec, tables[spec], tables, (*within, spec))
    kind, _, rest = spec.partition(":")
    if kind == "local":
        return _local(rest or None, {})
    if kind == "openai" and rest:
        model, _, url = _split_address(rest)
        return _openai(model, url or None, {})
    if spec == "human":
        from moot.agents.people.human import Human

        return Human()
    if kind == "python" and rest:
        return program(rest)
    if kind == "task" and rest:
        return _of_task(rest)
    if kind == "logprobs" and rest:
        return _logprobs(_agent(rest, tables, within), spec)
    defined = f"; defined in the configuration: {', '.join(sorted(tables))}" if tables else ""
    raise UsageError(f"there is no agent {spec!r}; there are {', '.join(FORMS)}{defined}")


def _split_address(text: str) -> tuple[str, str, str]:
    """MODEL@URL in its parts; a model's own name may hold an @."""
    for scheme in ("@http://", "@https://"):
        model, found, rest = text.partition(scheme)
        if found:
            return model, "@", scheme[1:] + rest
    return text, "", ""


def _from_table(
    name: str, table: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], within: tuple[str, ...]
) -> Any:
    options = dict(table)
    kind = options.pop("kind", None)

    def taken(key: str, needed: bool = True) -> Any:
        value = options.pop(key, None)
        if (needed and value is None) or (value is not None and not isinstance(value, str)):
            raise UsageError(f"[agents.{name}]: {key} is {value!r}; kind {kind!r} needs it as text")
        return value

    def check(known: frozenset[str] = frozenset()) -> dict[str, Any]:
        for key in options:
            if key not in known:
                raise UsageError(f"[agents.{name}]: {kind!r} has no option {key!r}; there are {sorted(known)}")
        return options

    if kind == "openai":
        model, url, variable = taken("model"), taken("base_url", False), taken("api_key_env", False)
        return _openai(model, url, check(_LM_OPTIONS), variable, f"[agents.{name}]: ")
    if kind == "local":
        return _local(taken("path", False), check(_LOCAL_OPTIONS))
    if kind == "human":
        from moot.agents.people.human import Human

        return Human(name=taken("name", False), **check())
    if kind == "python":
        target = taken("target")
        check()
        return program(target)
    if kind == "logprobs":
        of = taken("of")
        check()
        return _logprobs(_agent(of, tables, within), name)
    if kind == "best-of":
        from moot.agents.wrappers.best_of import BestOf

        drawn, judge = _agent(taken("of"), tables, within), _agent(taken("by"), tables, within)
        return _made(name, BestOf, drawn, by=judge, **{"n": None, **check(frozenset({"n", "least"}))})
    if kind == "critique-and-refine":
        from moot.agents.wrappers.critique_and_refine import CritiqueAndRefine

        drawn, critic = _agent(taken("of"), tables, within), _agent(taken("critic"), tables, within)
        named = taken("chooser", False)
        chooser = None if named is None else _agent(named, tables, within)
        return _made(name, CritiqueAndRefine, drawn, critic, chooser, **check(frozenset({"critiques", "rounds"})))
    raise UsageError(
        f"[agents.{name}]: kind is {kind!r}; it can be openai, local, human, python, logprobs, best-of or "
        "critique-and-refine"
    )


def _made(name: str, made: Callable[..., Any], *held: Any, **options: Any) -> Any:
    """A wrapper of the table [agents.NAME]; what it refuses is said of that table."""
    try:
        return made(*held, **options)
    except UsageError as error:
        raise UsageError(f"[agents.{name}]: {error}") from None


def _openai(
    model: str, url: str | None, options: Mapping[str, Any], variable: str | None = None, where: str = ""
) -> Any:
    from moot.agents.models.lm import HOSTED, LM

    key = None
    if variable is not None:
        key = os.environ.get(variable)
        if not key:
            raise UsageError(f"{where}the environment variable {variable} holds no key")
    elif url is None and not os.environ.get("OPENAI_BASE_URL") and not os.environ.get("OPENAI_API_KEY"):
        raise UsageError(
            f"{where}openai:{model} needs a key for {HOSTED}: set OPENAI_API_KEY, or name an endpoint of your own "
            f"(openai:{model}@http://127.0.0.1:8080/v1, or OPENAI_BASE_URL)"
        )
    elif url is not None:
        key = os.environ.get("OPENAI_API_KEY") if _same_place(url) else None
    try:
        return LM(model, base_url=url, api_key=key, **options)
    except TypeError as error:
        raise UsageError(f"{where}{error}") from None


def _same_place(url: str) -> bool:
    """Whether the key in the environment is meant for this address."""
    from moot.agents.models.lm import HOSTED

    return url.rstrip("/") == (os.environ.get("OPENAI_BASE_URL") or HOSTED).rstrip("/")


def _local(path: str | None, options: Mapping[str, Any]) -> Any:
    from moot.agents.models.local import Local

    return Local(path, **options)


def _of_task(target: str) -> Any:
    from moot.tasks.base import task_named

    name, _, program = target.partition(":")
    programs = task_named(name).programs()
    if program not in programs:
        raise UsageError(f"task:{target}: task {name} has no program {program!r}; it has {', '.join(sorted(programs))}")
    return programs[program]()


def _logprobs(lm: Any, spec: str) -> Any:
    from moot.agents.models.lm import LM
    from moot.judges.model import ModelJudge

    if not isinstance(lm, LM):
        raise UsageError(f"{spec!r}: only a language model (local, openai:MODEL) judges by log-probabilities")
    return ModelJudge(lm, "logprobs")


def program(target: str) -> Any:
    """The Python object of "module:name" or "file.py:name"; a class is called without arguments. Raises UsageError."""
    place, _, name = target.rpartition(":")
    if not place or not name:
        raise UsageError(f"python:{target}: give python:MODULE:NAME or python:FILE.py:NAME")
    try:
        found: Any = _from_file(Path(place)) if place.endswith(".py") else importlib.import_module(place)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"python:{target}: {place} cannot be imported: {type(error).__name__}: {error}") from None
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            raise UsageError(f"python:{target}: there is no {part!r} in {place}") from None
    if isinstance(found, type):
        try:
            found = found()
        except Exception as error:
            raise UsageError(f"python:{target}: {name}() failed: {type(error).__name__}: {error}") from None
    from moot.agents.base import act_of

    act_of(found)
    return found


def _from_file(path: Path) -> Any:
    if not path.is_file():
        raise UsageError(f"python:{path}: there is no such file")
    name = f"_moot_{path.stem}_{sha256(str(path.resolve()).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pydantic look a class's module up by its name
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
