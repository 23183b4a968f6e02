"""Prompt templates: versioned files (`v1/*.txt`), any of which a user replaces with a file of the same name.

A template is looked for by the most special name first: `system.ROLE`, then `system`; `task.TASK.KIND`, `task.TASK.ROLE`,
`task.TASK`, `task.KIND`, then `task`. Templates are `string.Template`s. Version "v1-small" says the same in few
words, for models too small to follow many; what it does not have it takes from "v1".

Rule of this room: a request and a text go in, messages and a move come out. Nothing is called, and no kind of move is known:
its class says how it is shown and asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import copy
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from string import Template

from moot.protocols.engine.errors import UsageError

VERSION = "v1"


@cache
def _packaged(version: str) -> Mapping[str, str]:
    folder = resources.files(__name__) / version
    found = {item.name: item.read_text(encoding="utf-8") for item in folder.iterdir() if item.name.endswith(".txt")}
    if not found:
        raise UsageError(f"the prompt templates {version} are not installed; install moot again")
    return found


def _hashed(texts: Mapping[str, str]) -> str:
    return sha256("\0".join(f"{name}\0{text}" for name, text in texts.items()).encode()).hexdigest()


class Templates:
    """The templates of one version, with those of a user's folder in their place.

    `version` is recorded with every call: "v1", or "v1+" and a hash of the user's files.
    Raises UsageError when the folder is not there, or holds no template, or one that cannot be read.
    """

    def __init__(self, folder: str | Path | None = None, version: str = VERSION) -> None:
        self._texts = {**_packaged(VERSION), **_packaged(version)}
        self.version = version
        if folder is None:
            return
        path = Path(folder)
        if not path.is_dir():
            raise UsageError(f"prompts: there is no folder {path}")
        try:
            own = {item.name: item.read_text(encoding="utf-8") for item in sorted(path.glob("*.txt"))}
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"prompts: {path}: {error}") from None
        if not own:
            raise UsageError(f"prompts: {path} holds no .txt file; there are {', '.join(sorted(self._texts))}")
        for name, text in own.items():
            if not Template(text).is_valid():
                raise UsageError(f"prompts: {path / name}: a $ that starts no name; write $$ for a dollar")
        self._texts.update(own)
        self.version = f"{version}+{_hashed(own)[:12]}"

    def introduced(self, text: str) -> Templates:
        """The same templates with a text behind every system message, which is the same for every turn of a seat."""
        made = copy(self)
        more = {
            name: f"{own}\n\n{text.replace('$', '$$')}"
            for name, own in self._texts.items()
            if name.startswith("system")
        }
        made._texts = {**self._texts, **more}
        made.version = f"{self.version}+{_hashed({'': text})[:12]}"
        return made

    @property
    def hash(self) -> str:
        """A hash of all its texts."""
        return _hashed(dict(sorted(self._texts.items())))[:16]

    def fill(self, names: Iterable[str], values: Mapping[str, str]) -> str:
        """The first of `names` that there is, filled in. Raises UsageError when it asks for unknown values."""
        files = [f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.txt" for name in names]
        for file in filter(self._texts.__contains__, files):
            try:
                return Template(self._texts[file]).substitute(values).strip()
            except KeyError as error:
                known = ", ".join(f"${key}" for key in sorted(values))
                raise UsageError(f"prompts: {file} uses ${error.args[0]}; there are {known}") from None
        raise UsageError(f"prompts: there is none of {', '.join(files)}")
