"""Agents by name: what the command line and TOML files call them.

Rule of this file: it takes specifications apart and resolves tables; what a kind is, the kind says (`moot.agents.kinds`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from moot.agents.base import act_of
from moot.agents.kinds import AgentKind, Profile, What
from moot.protocols.engine.errors import UsageError, nearest
from moot.protocols.engine.registry import find, kind_of, names

Tables = Mapping[str, Mapping[str, Any]]


def agent_from(spec: str, config: Mapping[str, Any] | None = None) -> Any:
    """The agent that a specification names: KIND:TEXT, for instance "openai:MODEL", or a name defined in `config`.

    config: the content of a TOML file, whose tables [agents.NAME] have `kind`, a kind of agent or judge, and the options
    of that kind. Raises UsageError for an unknown name or option, a missing key, module or file.
    """
    return _made(spec, _tables(config), (), "make")


def profile_of(spec: str, config: Mapping[str, Any] | None = None) -> Profile:
    """What the answers of the agent that a specification names can take. Raises UsageError like `agent_from`."""
    found: Profile = _made(spec, _tables(config), (), "profile")
    return found


def seatable(agent: Any) -> Any:
    """An agent, or the one that a text names. Raises UsageError when it is neither."""
    agent = agent_from(agent) if isinstance(agent, str) else agent
    act_of(agent)
    return agent


def _tables(config: Mapping[str, Any] | None) -> Tables:
    tables = (config or {}).get("agents", {})
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise UsageError("configuration: [agents] must hold tables, one for each agent: [agents.NAME]")
    return tables


def _made(spec: str, tables: Tables, within: tuple[str, ...], what: What) -> Any:
    kind: type[AgentKind] | None
    if spec in tables:
        if spec in within:
            raise UsageError(f"agent {spec!r} is defined by itself: {' -> '.join((*within, spec))}")
        within, where, options = (*within, spec), f"[agents.{spec}]", dict(tables[spec])
        name = options.pop("kind", None)
        kind = _kind(name)
        if kind is None:
            raise UsageError(f"{where}: kind is {name!r}{nearest(str(name), _kinds())}")
    else:
        name, _, text = spec.partition(":")
        kind = _kind(name)
        if kind is None:
            raise UsageError(f"there is no agent {spec!r}{nearest(name, sorted({*_kinds(), *tables}))}; "
                             "write KIND:TEXT, as in openai:MODEL, or the name of a table [agents.NAME]")  # fmt: skip
        where, options = spec, kind.read(text)
    return kind.made(options, lambda inner: _made(inner, tables, within, what), where, what)


def _kind(name: object) -> type[AgentKind] | None:
    kind = kind_of(name, "agent", "judge") if isinstance(name, str) else None
    return None if kind is None else find(kind, str(name))


def _kinds() -> list[str]:
    return [*names("agent"), *names("judge")]
