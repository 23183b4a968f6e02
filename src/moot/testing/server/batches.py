"""How the mock server keeps batches: OpenAI's files and batches, and Anthropic's message batches, as `agents/models/batches/forms.py` cites them.

    MockOpenAI(batches=Batches(after=2, expired=0.1))   # each ends when it is looked at for the second time, a tenth of it expired

Rule: what is kept of batches, and how they end; each request in one is answered by the server as if it had come alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Any

from moot.testing.server.faults import Body, Fault
from moot.testing.server.wire import Answer, failure, json_answer

One = Callable[[Body, str], Awaitable[tuple[int, Any]]]
_BOUNDARY = re.compile(r"boundary=([\w-]+)")


@dataclass
class Batches:
    """The batches of a mock server.

    after: how many looks it takes until a batch ends. failed: by number of the batch, from 0, the errors for which it fails at once
    (`{"code": …, "message": …, "line": …}`). expired: by number, which of its requests expire (places, from 0), or True for all.
    broken: by number, what is done to the lines of its results. refuse: statuses that creations, in their order, are refused
    with; None: taken; 0: taken, and then answered with a 500. listed: whether batches are listed. looks: all, in their order;
    submitted: the requests of each batch, as (custom_id, body). Results come in an order that the number decides.
    """

    after: int = 1
    failed: dict[int, list[Body]] = field(default_factory=dict)
    expired: dict[int, Sequence[int] | bool] = field(default_factory=dict)
    broken: dict[int, Callable[[list[bytes]], list[bytes]]] = field(default_factory=dict)
    refuse: list[int | None] = field(default_factory=list)
    listed: bool = True
    looks: list[str] = field(default_factory=list)
    submitted: list[list[tuple[str, Body]]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    made: dict[str, Body] = field(default_factory=dict)

    def takes(self, method: str, path: str) -> bool:
        return path.split("/")[1] in ("files", "batches") or path.startswith("/messages/batches")

    async def answer(self, method: str, path: str, raw: bytes, headers: dict[str, str], one: One) -> Answer:
        """The answer to a request for files or batches. one: answers a request of a batch, by its API's name."""
        parts = path.strip("/").split("/")
        anthropic = parts[0] == "messages"
        parts = parts[1:] if anthropic else parts
        if parts[0] == "files":
            if method == "POST":
                return self._upload(raw, headers)
            found = self.files.get(parts[1]) if parts[2:] == ["content"] else None
            return _none() if found is None else Answer(200, found, {"content-type": "application/octet-stream"})
        if method == "POST":
            return self._create(raw, anthropic)
        if len(parts) == 1:
            if not self.listed:
                return failure(Fault.http(405, "no list"))
            return json_answer(
                {"data": [self._shown(each) for each in reversed(self.made.values())], "has_more": False}
            )
        batch = self.made.get(parts[1])
        if batch is None:
            return _none()
        if parts[2:] == ["results"]:
            return Answer(200, self.files[batch["output_file_id"]], {"content-type": "application/x-jsonl"})
        self.looks.append(parts[1])
        batch["looked"] += 1
        if batch["looked"] >= self.after and not batch["ended"]:
            await self._end(batch, one)
        return json_answer(self._shown(batch))

    def _upload(self, raw: bytes, headers: dict[str, str]) -> Answer:
        found = _BOUNDARY.search(headers.get("content-type", ""))
        pieces = raw.split(b"--" + found[1].encode()) if found else []
        fields = dict(re.findall(rb'name="(\w+)".*?\r\n\r\n(.*)\r\n\Z', piece, re.DOTALL)[0] for piece in pieces[1:-1])
        if fields.get(b"purpose") != b"batch" or b"file" not in fields:
            return failure(Fault.http(400, "a file needs a purpose"))
        return json_answer({"id": self._put(fields[b"file"]), "object": "file", "purpose": "batch"})

    def _put(self, content: bytes) -> str:
        id = f"file-{len(self.files)}"
        self.files[id] = content
        return id

    def _create(self, raw: bytes, anthropic: bool) -> Answer:
        status = self.refuse.pop(0) if self.refuse else None
        if status:
            return failure(Fault.http(status, "no batches just now"), "messages" if anthropic else "chat")
        body = json.loads(raw)
        if anthropic:
            lines = [(each["custom_id"], each["params"]) for each in body["requests"]]
        else:
            each = [json.loads(line) for line in self.files[body["input_file_id"]].splitlines()]
            lines = [(line["custom_id"], line["body"]) for line in each]
            assert all(line["url"] == body["endpoint"] and line["method"] == "POST" for line in each)
            assert len({line["body"]["model"] for line in each}) == 1, "model_mismatch"
        assert len({id for id, _ in lines}) == len(lines), "duplicate_custom_id"
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", id) for id, _ in lines)
        number = len(self.submitted)
        self.submitted.append(lines)
        batch = {
            "id": f"batch-{number}", "number": number, "looked": 0, "ended": False, "anthropic": anthropic, "lines": lines,
            "api": "messages" if anthropic else {"/v1/responses": "responses"}.get(body["endpoint"], "chat"),
            "metadata": body.get("metadata"), "status": "in_progress", "created_at": datetime.now(UTC).isoformat(),
            "output_file_id": None, "error_file_id": None, "errors": None,
        }  # fmt: skip
        self.made[batch["id"]] = batch
        return failure(Fault.http(500, "lost")) if status == 0 else json_answer(self._shown(batch))

    async def _end(self, batch: Body, one: One) -> None:
        number = batch["number"]
        batch["ended"], batch["status"] = True, "completed"
        if number in self.failed:
            batch["status"], batch["errors"] = "failed", {"object": "list", "data": self.failed[number]}
            return
        gone = self.expired.get(number, ())
        good: list[bytes] = []
        bad: list[bytes] = []
        for place, (id, body) in enumerate(batch["lines"]):
            if gone is True or (gone is not False and place in gone):
                batch["status"] = "expired"
                status, said = 0, None
            else:
                status, said = await one(body, batch["api"])
            line = _anthropic(id, status, said) if batch["anthropic"] else _openai(id, status, said)
            (good if status == 200 or batch["anthropic"] else bad).append(json.dumps(line).encode())
        Random(number).shuffle(good)
        if number in self.broken:
            good = self.broken[number](good)
        if good:
            batch["output_file_id"] = self._put(b"\n".join(good) + b"\n")
        if bad:
            batch["error_file_id"] = self._put(b"\n".join(bad) + b"\n")

    def _shown(self, batch: Body) -> Body:
        counts = {"processing" if not batch["ended"] else "succeeded": len(batch["lines"]), "errored": 0}
        if batch["anthropic"]:
            return {
                "id": batch["id"], "type": "message_batch", "request_counts": counts, "created_at": batch["created_at"],
                "processing_status": "ended" if batch["ended"] else "in_progress",
                "results_url": f"https://elsewhere.invalid/v1/messages/batches/{batch['id']}/results" if batch["ended"] else None,
            }  # fmt: skip
        names = ("id", "status", "metadata", "output_file_id", "error_file_id", "errors")
        return {**{name: batch[name] for name in names}, "object": "batch"}


def _openai(id: str, status: int, said: Any) -> Body:
    if not status:
        words = "This request could not be executed before the completion window expired."
        return {"custom_id": id, "response": None, "error": {"code": "batch_expired", "message": words}}
    return {"custom_id": id, "response": {"status_code": status, "request_id": "r", "body": said}, "error": None}


def _anthropic(id: str, status: int, said: Any) -> Body:
    if not status:
        return {"custom_id": id, "result": {"type": "expired"}}
    result = {"type": "succeeded", "message": said} if status == 200 else {"type": "errored", "error": said}
    return {"custom_id": id, "result": result}


def _none() -> Answer:
    return failure(Fault.http(404, "there is no such batch or file"))
