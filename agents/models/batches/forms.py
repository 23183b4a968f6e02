"""Batches as providers have them: OpenAI's files, which many servers take, and Anthropic's message batches.

OpenAI: `POST files` (purpose "batch"), `POST batches`, `GET batches/ID`, `GET files/ID/content`; 50,000 requests and 200 MB a file
(learn.microsoft.com/azure/foundry/reference/rest/batches-create-batch), of one model (`model_mismatch`; stdapi-ai/stdapi.ai#240).
A request that was refused is a line with a 4xx and an error as body, mostly in the error file; `error` at the top is for what never
ran: `batch_expired`, `batch_cancelled`, `request_timeout` (docs.rs/openai-client-base, BatchRequestOutputError); vLLM sets both
(artefactory/artefactual#332). A completed batch may have no output file at all (ProjectTech4DevAI/kaapi-backend#723). What is wrong
with a file is said by a batch that `failed`, in `errors.data` with `code` and `line`; `token_limit_exceeded` means to try again once
other batches have ended (openai/openai-python#2084). Batches are listed with their metadata, 100 at a time (ruby-openai#490).
Some write states in capitals (zainhas/togetherai-skills, batch inference's api-reference.md).

Anthropic: `POST messages/batches`, 100,000 requests and 256 MB; results in any order behind `results_url`, each succeeded, errored,
canceled or expired (platform.claude.com/docs/en/api/messages/batches/results). It keeps no metadata (bespokelabsai/curator#227).

Rule: requests and answers of these APIs; when they are made, and what is kept of them, is `batch.py`'s.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol
from urllib.parse import quote, urlsplit

from moot.agents.models.apis.api import API
from moot.agents.models.http.transport import Answer
from moot.agents.models.refusals import refusal_in, refusal_of
from moot.agents.models.secrets import Secrets

LISTED = 20  # pages of a list of batches that are looked through
_MEGABYTE = 1_000_000
_UNWORKED = ("batch_expired", "batch_cancelled")


class Place(Protocol):
    """An endpoint, as far as batches need it."""

    base_url: str
    identity: str
    secrets: Secrets

    async def fetch(
        self, method: str, path: str, body: Mapping[str, Any] | bytes | None = None, api: API = ..., *,
        seconds: float | None = None, limit: int | None = None, headers: Mapping[str, str] | None = None,
    ) -> Answer:  # fmt: skip
        """One request and its answer."""
        ...


class Refusal(Exception):
    """The provider refused something about a batch. status: as HTTP has it; passing: whether it may be asked again."""

    def __init__(self, answer: Answer, what: str, hide: Any) -> None:
        found = refusal_of(answer.status, answer.headers, answer.content)
        super().__init__(f"{what} ({answer.status}): {hide(found.words)[:500]}")
        self.status, self.passing, self.wait = answer.status, found.passing, found.wait


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one request. status, body: its answer, as if it had come alone. lapsed: why there is none, and worked:
    whether it may have been worked on all the same."""

    status: int = 0
    body: Any = None
    lapsed: str = ""
    worked: bool = False


@dataclass(slots=True)
class State:
    """How a batch stands. refused: what is wrong with all of it; lines: with single ones, by their number from 0. full: the account
    has too much under way, so that it is to be submitted once more. stopped: what never ran was not worked on."""

    ended: bool
    refused: str = ""
    lines: dict[int, str] = field(default_factory=dict)
    full: bool = False
    stopped: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


class Form(ABC):
    """One way to have batches. requests, size: the most of a batch, size in bytes."""

    requests: ClassVar[int]
    size: ClassVar[int]

    @abstractmethod
    def line(self, id: str, api: API, body: Mapping[str, Any]) -> bytes:
        """A request as it stands in a batch, with its line feed; the id comes first."""

    async def upload(self, place: Place, lines: bytes, api: API) -> str:
        """Send the requests ahead, where that is a step of its own; the name of what was sent, or ""."""
        return ""

    @abstractmethod
    async def create(self, place: Place, lines: bytes, file: str, tag: str, api: API) -> str:
        """Submit a batch, and give its id. Raises Refusal, or what a connection raises."""

    @abstractmethod
    async def find(
        self, place: Place, tag: str, count: int, since: str, known: Collection[str], api: API
    ) -> str | None:
        """The id of a batch that was submitted, but whose id was not told; None where there is none."""

    @abstractmethod
    async def state(self, place: Place, id: str, api: API) -> State:
        """How a batch stands. Raises like `create`."""

    @abstractmethod
    async def results(self, place: Place, state: State, api: API) -> Iterator[tuple[str, Result]]:
        """What became of the requests of a batch that has ended, by their ids, in any order. Lines that say nothing are left out."""

    async def asked(
        self, place: Place, what: str, method: str, path: str, body: Mapping[str, Any] | bytes | None, api: API,
        **options: Any,
    ) -> Answer:  # fmt: skip
        answer = await place.fetch(method, path, body, api, **options)
        if answer.status != 200:
            raise Refusal(answer, what, place.secrets.hide)
        return answer

    async def told(self, place: Place, what: str, method: str, path: str, body: Any, api: API, **options: Any) -> Any:
        """The JSON object that is answered."""
        answer = await self.asked(place, what, method, path, body, api, **options)
        try:
            found = json.loads(answer.content)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise OSError(f"{what}: {place.base_url} answered, but not with a JSON object")
        return found


class OpenAIForm(Form):
    requests, size = 50_000, 200 * _MEGABYTE

    def line(self, id: str, api: API, body: Mapping[str, Any]) -> bytes:
        made = {"custom_id": id, "method": "POST", "url": f"/v1/{api.path}", "body": body}
        return json.dumps(made, separators=(",", ":")).encode() + b"\n"

    async def upload(self, place: Place, lines: bytes, api: API) -> str:
        edge = "moot-5f1d2c8a90b74e63"  # JSON written by `line` cannot hold it after a line feed and two dashes
        head = (
            f'--{edge}\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nbatch\r\n--{edge}\r\ncontent-disposition: '
            'form-data; name="file"; filename="requests.jsonl"\r\ncontent-type: application/jsonl\r\n\r\n'
        )
        content = head.encode() + lines + f"\r\n--{edge}--\r\n".encode()
        headers = {"content-type": f"multipart/form-data; boundary={edge}"}
        found = await self.told(place, "the file of a batch was refused", "POST", "files", content, api, seconds=600.0, headers=headers)  # fmt: skip
        return _id(found, place)

    async def create(self, place: Place, lines: bytes, file: str, tag: str, api: API) -> str:
        body = {
            "input_file_id": file,
            "endpoint": f"/v1/{api.path}",
            "completion_window": "24h",
            "metadata": {"moot": tag},
        }
        return _id(await self.told(place, "a batch was refused", "POST", "batches", body, api), place)

    async def find(
        self, place: Place, tag: str, count: int, since: str, known: Collection[str], api: API
    ) -> str | None:
        after = ""
        for _ in range(LISTED):
            page = await self.told(place, "the list of batches was refused", "GET", f"batches?limit=100{after}", None, api)  # fmt: skip
            listed = [each for each in _dicts(page.get("data")) if isinstance(each.get("id"), str)]
            for each in listed:
                metadata = each.get("metadata")
                if isinstance(metadata, dict) and metadata.get("moot") == tag:
                    return str(each["id"])
            if not page.get("has_more") or not listed:
                break
            after = f"&after={quote(listed[-1]['id'], safe='')}"
        return None

    async def state(self, place: Place, id: str, api: API) -> State:
        path = f"batches/{quote(id, safe='')}"
        data = await self.told(place, f"batch {id} was not told of", "GET", path, None, api)
        status = str(data.get("status")).lower()
        if status == "failed":
            errors = _dicts(data["errors"].get("data")) if isinstance(data.get("errors"), dict) else []
            words = [f"{each.get('code') or 'error'}: {place.secrets.hide(str(each.get('message')))}"[:500] for each in errors]  # fmt: skip
            lines = {each["line"] - 1: said for each, said in zip(errors, words, strict=True) if _number(each.get("line"))}  # fmt: skip
            full = any(each.get("code") == "token_limit_exceeded" for each in errors)
            return State(True, "; ".join(words) or "it failed, and nothing says why", lines, full, data=data)
        stopped = {"expired": "the batch expired before", "cancelled": "the batch was cancelled before"}.get(
            status.replace("canceled", "cancelled"), ""
        )
        return State(bool(stopped) or status == "completed", stopped=stopped, data=data)

    async def results(self, place: Place, state: State, api: API) -> Iterator[tuple[str, Result]]:
        found: list[tuple[str, Result]] = []
        for name in ("output_file_id", "error_file_id"):
            if isinstance(file := state.data.get(name), str) and file:
                path = f"files/{quote(file, safe='')}/content"
                answer = await self.asked(place, f"the {name[:-8]} file of a batch was refused", "GET", path, None, api,
                                          seconds=600.0, limit=4 * self.size)  # fmt: skip
                found += _read(_whole(answer, place), self._result)
        return iter(found)

    def _result(self, line: dict[str, Any]) -> Result | None:
        response, error = line.get("response"), line.get("error")
        error = error if isinstance(error, dict) else {"message": error} if error else None
        status = response.get("status_code") if isinstance(response, dict) else None
        body = response.get("body") if isinstance(response, dict) else None
        if isinstance(status, int) and (body or error):
            return Result(status if status != 200 or body else 500, body or {"error": error})
        if error is None:
            return None
        code, message = str(error.get("code") or ""), str(error.get("message") or "")
        return Result(
            lapsed=": ".join(filter(None, (code[:100], message[:300]))) or "an error without words",
            worked=code not in _UNWORKED,
        )


class AnthropicForm(Form):
    requests, size = 100_000, 256 * _MEGABYTE

    def line(self, id: str, api: API, body: Mapping[str, Any]) -> bytes:
        return json.dumps({"custom_id": id, "params": body}, separators=(",", ":")).encode() + b"\n"

    async def create(self, place: Place, lines: bytes, file: str, tag: str, api: API) -> str:
        content = b'{"requests":[' + b",".join(lines.splitlines()) + b"]}"
        found = await self.told(place, "a batch was refused", "POST", "messages/batches", content, api, seconds=600.0)
        return _id(found, place)

    async def find(
        self, place: Place, tag: str, count: int, since: str, known: Collection[str], api: API
    ) -> str | None:
        page = await self.told(place, "the list of batches was refused", "GET", "messages/batches?limit=100", None, api)
        fitting = [
            str(each["id"])
            for each in _dicts(page.get("data"))
            if isinstance(each.get("id"), str)
            and each["id"] not in known
            and _since(each.get("created_at"), since)
            and isinstance(counts := each.get("request_counts"), dict)
            and sum(number for number in counts.values() if _number(number)) == count
        ]
        return fitting[0] if len(fitting) == 1 else None  # whether it is ours, its results will tell

    async def state(self, place: Place, id: str, api: API) -> State:
        path = f"messages/batches/{quote(id, safe='')}"
        data = await self.told(place, f"batch {id} was not told of", "GET", path, None, api)
        return State(data.get("processing_status") == "ended", data=data)

    async def results(self, place: Place, state: State, api: API) -> Iterator[tuple[str, Result]]:
        where = str(state.data.get("results_url") or "")
        if urlsplit(where)[:2] != urlsplit(place.base_url)[:2]:  # no other host is sent the key
            where = f"messages/batches/{quote(str(state.data.get('id')), safe='')}/results"
        answer = await self.asked(place, "the results of a batch were refused", "GET", where, None, api, seconds=600.0, limit=4 * self.size)  # fmt: skip
        return _read(_whole(answer, place), self._result)

    def _result(self, line: dict[str, Any]) -> Result | None:
        result = line.get("result")
        result = result if isinstance(result, dict) else {}
        kind, message, error = result.get("type"), result.get("message"), result.get("error")
        if kind == "succeeded" and isinstance(message, dict):
            return Result(200, message)
        if kind == "errored" and isinstance(error, dict):
            error = error if error.get("type") == "error" else {"type": "error", "error": error}
            refusal = refusal_in(error)
            return Result((refusal.status if refusal is not None else 0) or 500, error)
        if kind in ("expired", "canceled"):
            return Result(lapsed=f"the request {'expired' if kind == 'expired' else 'was cancelled'} with its batch")
        return None


OPENAI, ANTHROPIC = OpenAIForm(), AnthropicForm()


def form_of(api: API) -> Form:
    """The form that batches of an API have."""
    return ANTHROPIC if api.spoken == "messages" else OPENAI


def _read(content: bytes, result: Any) -> Iterator[tuple[str, Result]]:
    for line in content.splitlines():
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            continue
        id = found.get("custom_id") if isinstance(found, dict) else None
        if isinstance(id, str) and (made := result(found)) is not None:
            yield id, made


def _whole(answer: Answer, place: Place) -> bytes:
    if not answer.whole:
        raise OSError(f"the results of a batch at {place.base_url} are longer than {len(answer.content):,} bytes")
    return answer.content


def _id(found: Mapping[str, Any], place: Place) -> str:
    id = found.get("id")
    if not isinstance(id, str) or not id:
        raise OSError(f"{place.base_url} answered a batch without an id")
    return id


def _since(told: Any, since: str) -> bool:
    try:
        return datetime.fromisoformat(str(told)) >= datetime.fromisoformat(since)
    except (ValueError, TypeError):
        return False


def _number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else []  # fmt: skip
