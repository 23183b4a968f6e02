"""Which template a turn has, by the protocol, the role and what is asked for; and templates of a user's and of plug-ins.

Rule of this file: names and texts of files; what is put into them is `variables.py`'s.

Version "v2", for role "judge" of protocol "debate", asked for a "verdict" in the last round: the turn is the first of

    debate/judge.verdict.last  debate/judge.verdict  debate/any.verdict.last  debate/any.verdict

then of the same names in the folders of the protocols that it derives from, then without a folder; then `turn`, which says what
the classes of the moves say. The system message is the first of `debate/judge.system`, `debate/any.system` and so on, then
`system`; `record`, which explains the record, stands behind it, as `tail` does behind a turn that does not say `$format`
itself. A turn may be the `first` or the `last` of its kind, by the rounds of the brief, or stand `under` an earlier claim. A
task with a slash, "drafting/refine", names its folder itself. Each is looked for in a user's folder, then for a small model
in "v2-small", then in the folder that the protocol's class names (`prompts`), then in "v2".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import copy
from functools import cache, lru_cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from string import Template
from typing import Any

from moot.agents.prompts.kept import Kept
from moot.agents.prompts.variables import KNOWN, SYSTEM
from moot.protocols.engine.errors import UsageError, near

VERSION = "v2"
VERSIONS = {"v1": ("v1",), "v1-small": ("v1-small", "v1"), "v2": ("v2",), "v2-small": ("v2-small", "v2")}
"""Version to the folders that its templates are taken from, nearest first. Version 1 is what older plays were asked with."""
_ODD = re.compile(r"[^A-Za-z0-9_./-]")
_NAMED = re.compile(r"(?<!\$)\$(?:\{(\w+)\}|(\w+)) ?")
_LONGEST = 100_000  # characters of a template


class Templates:
    """The templates of one version, with those of a user's folder before them.

    own: a folder, or the name of a version. `version` is recorded with every call: "v2", or "v2+" and a hash of the user's
    files. Raises UsageError when the folder is not there, or holds no template, or one that cannot be read or used.
    """

    def __init__(self, own: str | Path | None = None, version: str = VERSION) -> None:
        if isinstance(own, str) and own in VERSIONS and not Path(own).is_dir():
            version, own = own, None
        self.version, self._behind = version, ""
        self._layers = [_packaged(folder) for folder in VERSIONS[version]]
        self.old = version.startswith("v1")
        if own is not None:
            found = _read(Path(own))
            if not self.old and (before := [name for name in found if re.match(r"(task|system)\.|task$", name)]):
                raise UsageError(
                    f"prompts: {Path(own) / before[0]}.txt is a name of version 1, which nothing asks for: say ROLE.system.txt and "
                    'ROLE.TASK.txt ("any" for every role), or Templates(folder, version="v1")'
                )
            for name, text in found.items():
                _checked(text, Path(own) / f"{name}.txt", system=None if self.old else _is_system(name))
            self._layers.insert(0, found)
            self.version = f"{version}+{_hashed(found)[:12]}"

    def introduced(self, text: str) -> Templates:
        """The same templates with a text behind every system message, which is the same for every turn of a seat."""
        made = copy(self)
        made._behind = f"{self._behind}\n\n{text}"
        made.version = f"{self.version}+{_hashed({'': text})[:12]}"
        return made

    @property
    def hash(self) -> str:
        """A hash of all its texts."""
        kept = _kept.of(self)
        if "hash" not in kept:
            layers = "".join(_hashed(dict(sorted(layer.items()))) for layer in self._layers)
            kept["hash"] = sha256(f"{layers}{self._behind}".encode()).hexdigest()[:16]
        return str(kept["hash"])

    def system(self, protocol: Any, role: str, task: str, values: Mapping[str, str]) -> tuple[str, str]:
        """The system message of a role, and the name of its template."""
        behind, folder, slash = "", *task.partition("/")[:2]

        def names() -> list[str]:
            if self.old:
                return [f"system.{role}", "system"]
            stems = [f"{role}.system", "any.system"]
            led = [f"{folder}/{stem}" for stem in stems] if slash and protocol is None else []
            return [*_within(protocol, stems), *led, *stems, "system"]

        if not self.old:
            behind = f"\n\n{self._fill(('record',), lambda: ['record'], None, values)[0]}"
        said, name, used = self._fill(("system", role, folder, slash), names, protocol, values)
        notes = "" if "notes" in used or not values.get("notes") else f"\n\n{values['notes']}"
        return f"{said}{behind}{self._behind}{notes}", name

    def turn(
        self, protocol: Any, role: str, task: str, kinds: Sequence[str], phases: Sequence[str], values: Mapping[str, str]
    ) -> tuple[str, str]:  # fmt: skip
        """The message of a turn, with how to answer, and the name of its template. phases: what it is besides ("last")."""

        def names() -> list[str]:
            own = kinds if len(kinds) == 1 else []
            folder, slash, named = task.rpartition("/")
            if self.old:
                of_task = [f"task.{named}.{kind}" for kind in own] + [f"task.{named}.{role}", f"task.{named}"]
                return [*(of_task if named else []), *(f"task.{kind}" for kind in own), "task"]
            stems = [f"{who}.{each}{phase}" for each in ([named] if named else own) for who in (role, "any")
                     for phase in (*(f".{phase}" for phase in phases), "")]  # fmt: skip
            return [*([f"{folder}/{stem}" for stem in stems] if slash else [*_within(protocol, stems), *stems]), "turn"]

        of = ("turn", role, task, *kinds, None, *phases)
        said, name, used = self._fill(of, names, None if self.old else protocol, values)
        if self.old or "format" in used:
            return said, name
        return f"{said}\n{self._fill(('tail',), lambda: ['tail'], None, values)[0]}", name

    def repair(self, values: Mapping[str, str]) -> str:
        """What is said to an answer that could not be read."""
        return self._fill(("repair",), lambda: ["repair"], None, values)[0]

    def found(self, names: Iterable[str], protocol: Any = None) -> tuple[str, str]:
        """The first of these names that there is, and its text. Raises UsageError when there is none."""
        names = [_ODD.sub("_", name) for name in names]
        for layer in self._layered(protocol):
            for name in names:
                if name in layer:
                    return name, layer[name]
        raise UsageError(f"prompts: there is none of {', '.join(f'{name}.txt' for name in names)}")

    def _layered(self, protocol: Any) -> Iterator[Mapping[str, str]]:
        yield from self._layers[:-1]
        if not self.old:
            for cls in _lineage(protocol):
                if (folder := vars(cls).get("prompts")) is not None:
                    yield _plugged(cls.name, Path(folder))
        yield self._layers[-1]

    def _fill(
        self, of: tuple[Any, ...], names: Callable[[], list[str]], protocol: Any, values: Mapping[str, str]
    ) -> tuple[str, str, list[str]]:
        """The first of these templates that there is, filled in; its name, and the variables that it uses. of: what the names are
        made of, beside the protocol's class."""
        kept, of = _kept.of(self), (type(protocol), *of)
        if of not in kept:
            if len(kept) > _MANY:
                kept.clear()
            name, text = self.found(names(), protocol)
            kept[of] = name, *_named_in(text), _pieces(text)
        name, used, parts, pieces = kept[of]
        said = dict(self._parts(parts, protocol, values)) if parts else {}
        made = []
        try:
            for words, variable, blank in pieces:
                made.append(words)
                if variable:
                    value = said[variable] if variable in said else values[variable]
                    # what says nothing leaves no space behind
                    made.append(value if value == "" and not self.old else f"{value}{blank}")
        except KeyError as error:
            known = ", ".join(f"${key}" for key in sorted(values))
            raise UsageError(f"prompts: {name}.txt uses ${error.args[0]}; there are {known}") from None
        return "".join(made).strip(), name, used

    def _parts(self, used: Iterable[str], protocol: Any, values: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        """The parts that a template uses, filled in: `$part_weighing` is `parts/weighing.txt`, in the folder of the protocol or
        without one. `$case_reward` is for what a parameter of the protocol makes a difference to: `parts/reward.lmsr.txt` where
        `reward` is "lmsr", `parts/reward.txt` where there is no file for its value."""
        for key in used:
            kind, _, name = key.partition("_")
            value = values.get(f"param_{name}") if kind == "case" else None
            if value is None and kind != "part":
                continue

            def names(name: str = name, value: str | None = value) -> list[str]:
                stems = [f"parts/{name}", *([] if value is None else [f"parts/{name}.{value}"])][::-1]
                return [*_within(protocol, stems), *stems]

            yield key, self._fill(("part", name, value), names, protocol, values)[0]


_kept = Kept()  # of templates: by what they are asked for, which file that is
_MANY = 1000


@lru_cache(maxsize=1024)
def _named_in(text: str) -> tuple[list[str], list[str]]:
    """The variables of a template, and those of them that may be parts."""
    names = Template(text).get_identifiers()
    return names, [name for name in names if name.startswith(("part_", "case_"))]


@lru_cache(maxsize=1024)
def _pieces(text: str) -> list[tuple[str, str, str]]:
    """A template in pieces: words, the variable behind them ("": none), and the space behind that, which goes with it where it
    says nothing."""
    blank = {found.start(): found for found in _NAMED.finditer(text)}
    pieces, at = [], 0
    for found in Template.pattern.finditer(text):
        name = found["named"] or found["braced"]
        if name is None and found["escaped"] is None:
            Template(text).substitute({})  # says where the $ stands that starts no name
        before, at = text[at : found.start()], found.end()
        space = blank.get(found.start())
        goes = space is not None and space.end() == at + 1 and (space[1] or space[2]) == name
        at += goes
        pieces.append((before if name else f"{before}$", name or "", " " if goes else ""))
    return [*pieces, (text[at:], "", "")]


def _lineage(protocol: Any) -> list[Any]:
    """The classes of a protocol that have a name, its own first."""
    return [] if protocol is None else [cls for cls in type(protocol).__mro__ if getattr(cls, "name", "")]


def _within(protocol: Any, stems: Sequence[str]) -> list[str]:
    """Names in the folder of a protocol, then in those of the protocols that it derives from."""
    names = dict.fromkeys(cls.name for cls in _lineage(protocol) if "play" in vars(cls) or "name" in vars(cls))
    return [f"{name}/{stem}" for name in names for stem in stems]


@cache
def _packaged(version: str) -> Mapping[str, str]:
    folder = resources.files("moot.agents.prompts") / version
    found = dict(_texts(folder, ""))
    if not found:
        raise UsageError(f"the prompt templates {version} are not installed; install moot again")
    return found


def _texts(folder: Any, before: str) -> Iterator[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda item: str(item.name)):
        if item.is_dir():
            yield from _texts(item, f"{before}{item.name}/")
        elif item.name.endswith(".txt"):
            yield before + item.name.removesuffix(".txt"), item.read_text(encoding="utf-8")


@cache
def _plugged(protocol: str, folder: Path) -> Mapping[str, str]:
    """The templates that a protocol's own class brings along, by the names that they are looked for."""
    found = {f"{protocol}/{name}": text for name, text in _read(folder).items()}
    for name, text in found.items():
        _checked(text, folder / f"{name.partition('/')[2]}.txt", _is_system(name))
    return found


def _read(folder: Path) -> dict[str, str]:
    """The templates in a folder of somebody's own, by name."""
    if not folder.is_dir():
        raise UsageError(f"prompts: there is no folder {folder}")
    try:
        found = dict(_texts(folder, ""))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"prompts: {folder}: {error}") from None
    if not found:
        raise UsageError(f"prompts: {folder} holds no .txt file; see moot prompts PROTOCOL for the names there are")
    return found


def _is_system(name: str) -> bool:
    return name.rpartition("/")[2].endswith("system")


def _checked(text: str, path: Path, system: bool | None) -> None:
    """Raise UsageError on a template that can never be filled in. system: of a system message; None: of version 1."""
    if len(text) > _LONGEST:
        raise UsageError(f"prompts: {path} has {len(text):,} characters; a template may have {_LONGEST:,}")
    if not Template(text).is_valid():
        raise UsageError(f"prompts: {path}: a $ that starts no name; write $$ for a dollar")
    if system is None:
        return
    for name in Template(text).get_identifiers():
        known = SYSTEM if system else KNOWN
        if (
            name in known
            or name.startswith(("part_", "case_", "param_"))
            or (not system and name.startswith("detail_"))
        ):
            continue
        why = (
            ", which changes from turn to turn and has no place in a system message"
            if name in KNOWN
            else near(name, known)
        )
        raise UsageError(f"prompts: {path} uses ${name}{why}; there are {', '.join(sorted(known))}")


def _hashed(texts: Mapping[str, str]) -> str:
    return sha256("\0".join(f"{name}\0{text}" for name, text in texts.items()).encode()).hexdigest()
