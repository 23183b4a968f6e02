"""What every test runs under: loopback addresses only, repeatable Hypothesis examples, long tests on request."""

from __future__ import annotations

import gc
import ipaddress
import os
import random
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

for _threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")  # before numpy is loaded: the tests run side by side, and threads only wait

_ASKED_FOR = {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}


class RemoteForbidden(RuntimeError):
    """A test tried to look up, reach or listen on an address that is not a loopback one."""


class _Guard:
    """An audit hook: it sees every socket of this process, whichever library or event loop opened it.

    A refusal is kept as well as raised, so that a test still fails when the code under test swallows the error.
    """

    def __init__(self) -> None:
        self.on = False
        self.refused: list[str] = []
        self.asked_for = _ASKED_FOR  # its own, as sockets are closed when the names of this module are gone

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event not in self.asked_for or not self.on:  # most events are others, and there are very many
            return
        if event.startswith("socket.get"):
            host = args[0]
        elif isinstance(args[1], tuple):  # a path or a number stands for a local address family
            host = args[1][0]
        else:
            return
        if isinstance(host, bytes):
            host = host.decode("ascii", "replace")
        if _is_loopback(host):
            return
        if str(host).rstrip(".").endswith(".invalid"):  # RFC 6761: never resolves, so tests may ask for it
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        self.refused.append(f"{event} {host!r}")
        raise RemoteForbidden(f"{event} {host!r}: tests may use loopback addresses only (or run pytest with --remote)")


def _is_loopback(host: object) -> bool:
    if host is None or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(str(host).partition("%")[0]).is_loopback
    except ValueError:
        return False


_guard = _Guard()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the tests marked long too, with many random examples")
    parser.addoption(
        "--shuffle",
        type=int,
        metavar="SEED",
        help="run the files, and the tests of each, in an order that follows from a number",
    )
    parser.addoption("--update-golden", action="store_true", help="write the golden transcripts anew, do not compare")
    parser.addoption("--remote", action="store_true", help="let tests reach addresses other than loopback ones")


def pytest_collection_finish() -> None:
    gc.collect()
    gc.freeze()  # what is there from now on, the tests themselves, is gone through by no later collection


def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(500_000, 50, 50)  # property tests make much that lives shortly, and few circles
    _keep_compiled(config)
    quiet = [HealthCheck.too_slow]  # the machine may be shared; slowness is what the benchmarks measure
    settings.register_profile("ci", max_examples=25, derandomize=True, deadline=None, suppress_health_check=quiet)
    settings.register_profile("long", max_examples=500, deadline=None, suppress_health_check=quiet, print_blob=True)
    if not config.getoption("hypothesis_profile", None):
        settings.load_profile("long" if config.getoption("--long") else "ci")
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # under nohup; processes that tests interrupt would inherit it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["MOOT_PROFILES"] = ""  # nothing is learnt from the user's own file of endpoints, and nothing kept there
    if not config.getoption("--remote"):
        os.environ["MOOT_FORBID_REMOTE"] = "1"  # for the processes that tests start, which the hook does not reach
        sys.addaudithook(_guard)
        _guard.on = True


def _keep_compiled(config: pytest.Config) -> None:
    """Where Python is told to write no bytecode, it goes to pytest's cache: the checkout stays clean, and neither each
    worker nor each process that a test starts compiles everything anew. Without that cache (mutants have none), nothing is written."""
    if sys.dont_write_bytecode and sys.pycache_prefix is None and hasattr(config, "cache"):
        sys.pycache_prefix = str(config.cache.mkdir("bytecode"))
        sys.dont_write_bytecode = False
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_unconfigure() -> None:
    if "browser_kit" in sys.modules:
        sys.modules["browser_kit"].shut()
    _guard.on = False  # a hook stays for the life of the process


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if (seed := config.getoption("--shuffle")) is not None:
        names = {item.nodeid: (item.nodeid.partition("::")[0], item.nodeid) for item in items}
        items.sort(key=lambda item: [random.Random(f"{seed} {name}").random() for name in names[item.nodeid]])
    if not config.getoption("--long"):
        for item in items:
            if "long" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="long: runs with --long (make test-all)"))


@pytest.fixture
def refused_addresses() -> list[str]:
    """The lookups and connections refused so far in this test. Clear the list to say that they were meant."""
    return _guard.refused


@pytest.fixture(autouse=True)
def _loopback_only() -> Iterator[None]:
    _guard.refused.clear()
    yield
    refused = list(_guard.refused)
    _guard.refused.clear()
    if refused:
        pytest.fail(f"reached for something that is not a loopback address: {', '.join(refused)}", pytrace=False)


@pytest.fixture
def update_golden(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--update-golden"))
