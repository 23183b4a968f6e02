"""What must not be shown of an endpoint: its key, and the secret values in its address and in the fields that it is sent.
Rule: the one place that tells what is a secret and hides it; all that is noted, raised, kept or logged comes through here."""

from __future__ import annotations

import logging
import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from weakref import WeakSet

from moot.protocols.engine.errors import UsageError

HIDDEN = "[hidden]"
KEY = "[key]"
SHORT = 8  # characters; a shorter secret may be a word, and is hidden only where it stands as a credential
_SECRET = {"key", "apikey", "token", "secret", "password", "passwd", "pwd", "passphrase", "authorization", "credential",
           "credentials", "bearer", "signature", "sig", "cookie", "auth"}  # fmt: skip
_CREDENTIALS = ("bearer", "basic", "authorization", "api")
"""Words behind which a short secret stands as a credential, the last of them with "key"."""
_PERCENT = re.compile(r"%[0-9a-fA-F]{2}")
_LOGGERS = ("httpx2", "aiohttp.client", "httpcore2.connection", "httpcore2.http11", "httpcore2.http2", "httpcore2.proxy",
            "httpcore2.socks", "asyncio")  # fmt: skip


def secret_name(name: object) -> bool:
    """Whether a field or parameter of that name holds a secret."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", str(name))]
    return bool(words) and words[-1] in _SECRET and "cache" not in words


def shown(value: Any, secret: bool = False) -> Any:
    """A JSON value with `[hidden]` in the place of what stands, at any depth, under a name that says that it is secret."""
    if isinstance(value, Mapping):
        return {name: shown(each, secret or secret_name(name)) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [shown(each, secret) for each in value]
    return HIDDEN if secret and value not in (None, "", True, False) else value


def without_secrets(value: Any) -> Any:
    """A JSON value without what stands, at any depth, under such a name."""
    if isinstance(value, Mapping):
        return {name: without_secrets(each) for name, each in value.items() if not secret_name(name)}
    return [without_secrets(each) for each in value] if isinstance(value, (list, tuple)) else value


def secrets_in(value: Any, secret: bool = False) -> Iterator[str]:
    """The texts that `shown` hides."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from secrets_in(each, secret or secret_name(name))
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from secrets_in(each, secret)
    elif secret and isinstance(value, str) and value:
        yield re.sub(r"^(?:Bearer|Basic|Token) ", "", value, flags=re.IGNORECASE)


def shown_url(url: str) -> str:
    """An address without user, password, fragment, and the values of secret parameters."""
    parts = urlsplit(url)
    pairs = [
        (name, HIDDEN if secret_name(name) else value) for name, value in parse_qsl(parts.query, keep_blank_values=True)
    ]
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=host, query=urlencode(pairs, safe="[]"), fragment="").geturl()


def checked_key(key: str | None, source: str) -> str | None:
    """A key as it can be sent. Raises UsageError, naming where it is from, for what cannot stand in a header."""
    if not key:
        return None
    bad = next((char for char in key if not " " <= char <= "~"), None)
    if isinstance(key, str) and bad is None and key == key.strip():
        return key
    what = f"a {'line feed' if bad == chr(10) else f'character U+{ord(bad):04X}'}" if bad else "white space around it"
    raise UsageError(f"{source} holds {what}, which no key has and no header can carry; copy the key again")


def checked_headers(headers: Mapping[str, str] | None) -> dict[str, str]:
    """Headers that can be sent, their names in lower case. Raises UsageError, which shows no value."""
    made: dict[str, str] = {}
    if headers is not None and not isinstance(headers, Mapping):
        raise UsageError("headers is a table of names and texts, as in {X-Title = 'a study'}")
    for name, value in (headers or {}).items():
        if not (isinstance(name, str) and re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}", name)):
            raise UsageError(f"headers: {str(name)[:60]!r} is no name of a header")
        if not (isinstance(value, str) and value == value.strip() and all(" " <= char <= "~" for char in value)):
            raise UsageError(
                f"headers: the value of {name} must be a text without line feeds, blanks around it, or other than ASCII"
            )
        if name.lower() in (
            "content-type",
            "content-length",
            "host",
            "transfer-encoding",
            "accept-encoding",
            "connection",
        ):
            raise UsageError(f"headers: {name} is set by moot, and cannot be given")
        if name.lower() in made:
            raise UsageError(f"headers: {name} is given twice")
        made[name.lower()] = value
    return made


class CopiedWhole:
    """What has secrets, and leaves them out of a pickle only: a copy in the same process is made of the very same parts."""

    @property
    def functions(self) -> tuple[Any, ...]:
        """Those of others that it calls: of what they keep, all copies know."""
        return ()

    def __copy__(self) -> Self:
        made = object.__new__(type(self))
        made.__dict__.update(self.__dict__)
        return made

    def __deepcopy__(self, memo: Any) -> Self:
        return self.__copy__()


class Secrets:
    """The secrets of one endpoint. `hide` and `clean` take them out of texts and JSON values, in whatever way they are
    escaped there. A pickle of it holds none of them: unpickled, the key is that of the variable `source`, and `lost` says
    what is not there."""

    def __init__(self, key: str | None = None, source: str = "api_key", *, url: str = "", fields: Any = None) -> None:
        self.key, self.source, self.lost = key, source, ""
        query = dict(parse_qsl(urlsplit(url).query))
        found = [*([key] if key else ()), *secrets_in(query), *secrets_in(fields)]
        self._values = sorted(set(found), key=len, reverse=True)
        self._long = [value for value in self._values if len(value) >= SHORT]
        self._plain = [form for value in self._long for form in (value, value.replace("/", "\\/"), *_base64(value))]
        self._longest = max(map(len, self._values), default=0)
        self._short = len(self._long) < len(self._values)
        self._pattern: re.Pattern[str] | None = None
        if self._values:
            _live.add(self)

    def __repr__(self) -> str:
        return f"Secrets({len(self._values)})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _elsewhere, (self.source, bool(self.key), self.others)

    def __copy__(self) -> Secrets:
        return self

    def __deepcopy__(self, memo: Any) -> Secrets:
        return self

    def found(self, text: str) -> bool:
        """Whether a text holds one of them."""
        if not self._values:
            return False
        if any(form in text for form in self._plain):
            return True
        escaped = "u00" in text or "\\x" in text or "&#" in text or _PERCENT.search(text)
        return bool((escaped or (self._short and _credential(text))) and self._matcher().search(text))

    @property
    def others(self) -> int:
        """How many there are besides the key."""
        return len(self._values) - bool(self.key)

    def inside(self, data: bytes) -> bool:
        """Whether bytes hold one of them, as it is or as JSON and base64 have it."""
        return any(form.encode("utf-8", "replace") in data for form in self._plain)

    def hide(self, text: str) -> str:
        """The text without them. A secret is hidden whole; a text that is cut is cut after this."""
        return self._matcher().sub(self._mark, text) if self.found(text) else text

    def hide_cut(self, text: str) -> str:
        """The same of a text whose end is missing, and may be the beginning of a secret."""
        return self.hide(text)[: -7 * self._longest or None]

    def clean(self, value: Any) -> Any:
        """A JSON value without them."""
        if isinstance(value, str):
            return self.hide(value)
        if isinstance(value, dict):
            return {self.hide(name): self.clean(each) for name, each in value.items()}
        return [self.clean(each) for each in value] if isinstance(value, list) else value

    def _mark(self, match: re.Match[str]) -> str:
        return (match["before"] or "") + (KEY if self.key else HIDDEN)

    def _matcher(self) -> re.Pattern[str]:
        if self._pattern is None:
            forms = [form for value in self._long for form in (_escapes(value), *map(re.escape, _base64(value)))]
            short = [_escapes(value) for value in self._values if len(value) < SHORT]
            if short:
                before = (
                    rf"(?P<before>(?:{'|'.join(_CREDENTIALS)}[-_ ]?key)(?:\\{{0,4}}[\"']|[:= ]){{1,4}}(?:bearer )?)"
                )
                forms.append(rf"(?i:{before})(?:{'|'.join(short)})(?![\w-])")
            else:
                forms.append(r"(?P<before>(?!))")
            self._pattern = re.compile("|".join(forms))
        return self._pattern


def _credential(text: str) -> bool:
    """Whether a credential may stand in a text: a word for one does, or letters that are others than they are in lower case."""
    small = text.lower()
    return not text.isascii() or any(word in small for word in _CREDENTIALS)


_live: WeakSet[Secrets] = WeakSet()


def live() -> list[Secrets]:
    """The secrets of every endpoint of this process."""
    return list(_live)


def _elsewhere(source: str, had_key: bool, others: int) -> Secrets:
    made = Secrets(os.environ.get(source) or None if had_key else None, source)
    if had_key and not made.key:
        made.lost = f"the key was left out of the pickle; set {source}" if source.isupper() else (
            "the key was left out of the pickle; make the model with api_key_env= and set that variable"
        )  # fmt: skip
    elif others:
        made.lost = "secret values of base_url, headers or extra_body were left out of the pickle; make the model anew"
    return made


def _escapes(value: str) -> str:
    """A pattern for a text in which each character may stand for itself or be escaped, as JSON, URLs and HTML do."""
    each = []
    for char in value:
        code = f"{ord(char):02x}"
        hexed = "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in code)
        each.append(
            rf"(?:\\{{0,4}}(?:{re.escape(char)}|u00{hexed}|x{hexed})|%(?:25){{0,2}}{hexed}|&#(?:[xX]0?{hexed}|0?{ord(char)});)"
        )
    return "".join(each)


def _base64(value: str) -> list[str]:
    """What stands in the base64 of any text that holds this one, at each of the three places where it may begin."""
    raw = value.encode("utf-8", "replace")
    found: list[str] = []
    if len(value) < SHORT:
        return found
    for before, skipped in ((0, 0), (1, 2), (2, 3)):
        text = b64encode(b"\0" * before + raw).decode()[skipped : (before + len(raw)) * 8 // 6]
        found += [text, text.replace("+", "-").replace("/", "_"), quote(text, safe="")]
    return list(dict.fromkeys(found))


class _Hides(logging.Filter):
    """Keeps secrets out of what the HTTP clients log."""

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            return True
        for each in [each for each in _live if each.found(text)]:
            text = each.hide(text)
            record.msg, record.args = text, ()
        return True


_hides = _Hides()


def keep_out_of_logs() -> None:
    """Hide the secrets of all endpoints in what the HTTP clients log."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if _hides not in logger.filters:
            logger.addFilter(_hides)
