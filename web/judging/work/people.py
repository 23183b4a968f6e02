"""The people of a study: a link each, with a token that nobody can guess.

Rule of this file: tokens are made from one secret of the folder, so that links stay the same; they are never stored or logged, and are
compared in constant time.
"""

from __future__ import annotations

import base64
import hmac
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from moot.protocols.engine.errors import UsageError

SIZE = 32
"""Bytes of the secret."""
SECRET = "secret"


class Person(NamedTuple):
    """One of the people: what they are called in records, and the secret part of their link."""

    id: str
    token: str


class People:
    """Everybody with their tokens. secret: at least 32 bytes."""

    def __init__(self, names: Sequence[str], secret: bytes) -> None:
        self.everybody = {name: Person(name, token_of(secret, name)) for name in names}

    def of(self, token: str) -> Person | None:
        """Whose token it is; None where it is nobody's. It takes the same time whoever it is: every token is compared."""
        given, found = token.encode("utf-8", "replace"), None
        for person in self.everybody.values():
            if hmac.compare_digest(given, person.token.encode()):
                found = person
        return found


def token_of(secret: bytes, name: str) -> str:
    """The token of a person: 256 bits, in letters that stand in addresses as they are."""
    made = hmac.digest(secret, name.encode(), "sha256")
    return base64.urlsafe_b64encode(made).decode().rstrip("=")


def secret_in(folder: Path) -> bytes:
    """The secret of a folder, made where there is none; nobody else may read its file. Raises UsageError where it is damaged, and
    where it cannot be written."""
    path = folder / SECRET
    try:
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_name(f".{SECRET}.{secrets.token_hex(4)}")
            file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "wb") as out:
                out.write(secrets.token_bytes(SIZE))
                out.flush()
                os.fsync(out.fileno())
            os.replace(beside, path)
        found = path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot have {path}: {error.strerror or error}") from None
    if len(found) != SIZE:
        raise UsageError(f"{path} has {len(found)} bytes, and not {SIZE}: put it back, or remove it and send new links")
    return found
