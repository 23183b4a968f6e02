"""A study in a file: `study.toml`, for whoever needs no Python.

Rule of this file: it reads and checks; what it makes is a `Study`, as Python would make it.

    name = "does debate help?"
    questions = "questions.jsonl"        # or "passages"; {file = "q.csv", fields = {text = "question", …}}; {task = "sum", size = [8, 16], instances = 20}
    epochs = 2
    seatings = "both"

    [agents.small]                       # as in the configuration of `moot run`
    kind = "openai"
    model = "…"

    [protocols]                          # name = parameters, with "protocol" where the name is another
    debate = {rounds = 3}
    direct-qa = {}

    [seats]                              # a list is an axis
    debater = "strong"
    judge = ["small", "strong"]

    [params]
    rounds = [1, 3]

    [arms.again]                         # one by one; of = an arm that is judged again
    of = "debate, judge=small"
    seats = {judge = "strong"}

    [[without]]                          # cells that are left out: those that fit every line
    protocol = "direct-qa"
    judge = "strong"

    [judging]                            # the people in it, for `moot judge serve`
    people = ["ann", "bob"]
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from moot.agents.spec import agent_from
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.question import Sample
from moot.studies.grid import Arm
from moot.studies.study import Study
from moot.tasks.base import task_named
from moot.tasks.reading.reading import samples
from moot.tasks.sets.questions import questions

_KEYS = (
    "name",
    "questions",
    "seed",
    "epochs",
    "seatings",
    "flips",
    "agents",
    "protocols",
    "seats",
    "params",
    "arms",
    "without",
    "gates",
    "judging",
)
_ARM = ("protocol", "params", "seats", "axes", "of", "repetitions", "flip", "upto", "stale", "live")


def study_from(path: Path) -> Study:
    """The study that a TOML file describes. Raises UsageError naming the file, and the key that is wrong."""
    try:
        told = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read {path}: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is no TOML: {error}") from None
    try:
        return _study(told, path)
    except UsageError as error:
        raise UsageError(f"{path}: {error}") from None


def _study(told: dict[str, Any], path: Path) -> Study:
    _known(told, _KEYS, "")
    for key in ("name", "questions"):
        if key not in told:
            raise UsageError(f"{key} is missing")
    tables = _table(told, "agents")
    agents = {name: agent_from(name, {"agents": tables}) for name in tables}
    protocols = {
        name: _protocol(name, params, f"protocols.{name}") for name, params in _table(told, "protocols").items()
    }
    arms = {name: _arm(name, given) for name, given in _table(told, "arms").items()}
    without = told.get("without", [])
    if not isinstance(without, list) or not all(isinstance(each, dict) and each for each in without):
        raise UsageError("without must be a list of tables, [[without]], each with at least one line")
    more = {key: told[key] for key in ("seed", "epochs", "seatings", "flips") if key in told}
    used = set[int]()
    study = Study(
        told["name"], _questions(told["questions"], path.parent), arms, protocols=protocols or None, seats=_table(told, "seats"),
        params=_table(told, "params"), agents=agents, gates=told.get("gates", ()), where=_left(without, used) if without else None,
        judging=_table(told, "judging") if "judging" in told else None, **more,
    )  # fmt: skip
    study.beside = path.parent
    for place, each in enumerate(without):
        axes = {name for arm in study.seated for name in arm.design.axes}
        _known(each, ("arm", "question", *sorted(axes)), "without.")
        if place not in used:
            lines = ", ".join(f"{key} = {value!r}" for key, value in each.items())
            raise UsageError(f"[[without]] {lines} fits no cell of the study, so that it leaves nothing out")
    return study


def _known(told: Mapping[str, Any], keys: tuple[str, ...], where: str) -> None:
    if unknown := next((key for key in told if key not in keys), None):
        raise UsageError(f"{where}{unknown} is no key{near(unknown, list(keys))}; there are {', '.join(keys)}")


def _table(told: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = told.get(key, {})
    if not isinstance(table, dict):
        raise UsageError(f"{key} must be a table, [{key}]")
    return table


def _protocol(name: str, params: Any, where: str) -> Protocol:
    if not isinstance(params, dict):
        raise UsageError(f"{where} must be a table of parameters; {{}} for none")
    params = dict(params)
    try:
        return protocol_named(str(params.pop("protocol", name)), params)
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None


def _arm(name: str, given: Any) -> Arm:
    where = f"arms.{name}"
    if not isinstance(given, dict):
        raise UsageError(f"{where} must be a table, [{where}]")
    _known(given, _ARM, f"{where}.")
    told = dict(given)
    protocol, params = told.pop("protocol", None), told.pop("params", {})
    if protocol is not None:
        told["protocol"] = _protocol(str(protocol), params, where)
    elif params:
        raise UsageError(f"{where} has params and no protocol")
    for key in ("seats", "axes"):
        if not isinstance(told.get(key, {}), dict):
            raise UsageError(f"{where}.{key} must be a table")
    return Arm(**told)


def _questions(given: Any, folder: Path) -> list[Sample]:
    if isinstance(given, str):
        if given == "passages" or given.startswith("passages:"):
            return samples(given.partition(":")[2] or None)
        return questions(folder / given)
    if not isinstance(given, dict):
        raise UsageError(
            'questions is a file, "passages", {file = …, fields = {…}}, or {task = NAME, size = N, instances = N}'
        )
    if "file" in given:
        _known(given, ("file", "fields", "id", "grade", "limit", "shuffle"), "questions.")
        if not isinstance(given.get("fields", {}), dict):
            raise UsageError("questions.fields must be a table, {text = COLUMN, …}")
        more = {key: value for key, value in given.items() if key != "file"}
        return questions(folder / str(given["file"]), **more)
    _known(given, ("task", "size", "instances", "seed"), "questions.")
    if "task" not in given:
        raise UsageError("questions.task is missing")
    sizes = given.get("size", [8])
    sizes = sizes if isinstance(sizes, list) else [sizes]
    instances, seed = given.get("instances", 1), given.get("seed", 0)
    for key, values in (("size", sizes), ("instances", [instances])):
        if not values or not all(type(value) is int and value > 0 for value in values):
            raise UsageError(f"questions.{key} is {given.get(key)!r}; it must be whole numbers over 0")
    if type(seed) is not int:
        raise UsageError(f"questions.seed is {seed!r}; it must be a whole number")
    task = task_named(str(given["task"]))
    return [task.sample(size, seed + number) for size in sizes for number in range(instances)]


def _left(without: list[dict[str, Any]], used: set[int]) -> Any:
    """The filter that tables make. used: takes the places of those that leave something out."""

    def where(cell: Mapping[str, Any]) -> bool:
        told = {**cell["axes"], "arm": cell["arm"], "question": cell["question"]}
        fits = [n for n, each in enumerate(without) if all(told.get(key) == value for key, value in each.items())]
        used.update(fits)
        return not fits

    return where
