"""A real Chromium for tests of pages, one for all tests of a process, and a server in a thread for them to ask.

Where the machine has none, such tests are skipped with the reason; with MOOT_CHROMIUM=required they fail instead.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
)  # fmt: skip
SCREENS = {"desktop": {"width": 1280, "height": 800}, "phone": {"width": 390, "height": 844}}
_held: dict[str, Any] = {}


def chromium() -> str | None:
    """The Chromium of this machine: as MOOT_CHROMIUM says, or the first that is on the path."""
    told = os.environ.get("MOOT_CHROMIUM", "")
    if told not in ("", "required"):
        return told
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def browser() -> Any:
    """The browser, started for the first test that asks. Skips the test where there is none."""
    if "browser" not in _held:
        where, why = chromium(), ""
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            why = "Playwright is not installed here"
        if where is None:
            why = "there is no Chromium on this machine (apt-get install chromium, or MOOT_CHROMIUM=PATH)"
        if why and os.environ.get("MOOT_CHROMIUM") == "required":
            pytest.fail(why)
        if why:
            pytest.skip(why)

        _held["playwright"] = sync_playwright().start()
        _held["browser"] = _held["playwright"].chromium.launch(executable_path=where, args=[*ARGUMENTS])
    return _held["browser"]


def _loop(running: bool) -> None:
    """Say of Playwright's event loop, which it keeps in this thread, that it runs: it has to while a page is asked, and must not
    for tests that come later and run a loop of their own."""
    asyncio._set_running_loop(_held["playwright"]._loop if running else None)


def shut() -> None:
    """Stop the browser, where one was started."""
    if "browser" in _held:
        _loop(True)
        _held.pop("browser").close()
        _held.pop("playwright").stop()
        asyncio._set_running_loop(None)


@contextmanager
def tab(screen: str = "desktop", scheme: str = "light", **more: Any) -> Iterator[Any]:
    """A page in a window of its own. After it, whatever a script of the page failed with, or what its policy refused, fails the test.
    scheme: "light" or "dark"."""
    started = browser()
    _loop(True)
    context = started.new_context(viewport=SCREENS[screen], color_scheme=scheme, has_touch=screen == "phone", **more)
    page, wrong, asked = context.new_page(), list[str](), list[str]()
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("console", lambda said: wrong.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.wrong, page.asked = wrong, asked
    page.set_default_timeout(10_000)
    try:
        yield page
    finally:
        _loop(True)
        for each in context.pages:  # one that is just leaving for another may keep the window from closing
            with suppress(Exception):
                each.wait_for_load_state(timeout=3000)
        context.close()
        _loop(False)
    assert not wrong, wrong
    abroad = [url for url in asked if not url.startswith(("http://127.0.0.1:", "file:", "data:", "blob:", "about:"))]
    assert not abroad, f"the page asked others: {abroad}"


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The address at which an ASGI application is served, by uvicorn in a thread, on a real socket."""
    import uvicorn

    from moot.web.server.serving import address_of, listening

    listener = listening("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield address_of(listener)
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()


def serious(page: Any, rows: str) -> list[str]:
    """What axe finds that is serious or worse, in words. rows: a selector of what must be there before: an empty page has no faults."""
    from axe_playwright_python.sync_playwright import Axe

    assert page.locator(rows).count() > 0, f"nothing is there that axe could look at: {rows}"
    found = Axe().run(page).response["violations"]
    return [
        f"{each['impact']} {each['id']}: {each['help']} ({node['html'][:160]})"
        for each in found if each["impact"] in ("serious", "critical") for node in each["nodes"]
    ]  # fmt: skip


def eventually(check: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds. Fails where it does not."""
    import time

    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.02)
