"""The list of plays and two plays side by side in a real Chromium: by keyboard, on a desktop and a phone, light and dark."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser_kit import SCREENS, browser, serious, served, tab
from hostile_kit import GOLDEN, chained, originals
from test_web_viewer_list import folder_of

from moot.web.viewer.app import viewer

HOSTILE = "<script>window.hit=1</script><img src=x onerror='window.hit=1'>\u202e"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    browser()
    events = next(found for name, found in originals() if name == "v2/debate.jsonl")
    events[0][0]["question"].update(text=HOSTILE)
    debate, market = ((GOLDEN / "v2" / f"{name}.jsonl").read_bytes() for name in ("debate", "market"))
    folder = tmp_path_factory.mktemp("plays")
    name = Path(HOSTILE.replace("/", "\u2215")).name
    folder_of(folder, debate=debate, market=market, broken=b"no json\n", **{name: chained(events)})
    for number in range(60):
        folder_of(folder, **{f"z{number:02}": debate})
    with served(viewer([folder])) as found:
        yield found


def reach(page: Any, what: Any, key: str = "Tab", most: int = 40) -> None:
    """Go there by the tabulator alone."""
    for _ in range(most):
        page.keyboard.press(key)
        if what.evaluate("each => each === document.activeElement"):
            return
    raise AssertionError("it cannot be reached by the keyboard")


def test_searching_turning_pages_and_comparing_by_keyboard(address: str) -> None:
    from playwright.sync_api import expect

    with tab() as page:
        page.goto(f"{address}/")
        expect(page.locator("table.plays tbody tr")).to_have_count(50)
        assert page.evaluate("window.hit === undefined") and page.locator("img").count() == 0
        page.locator("table.plays a").last.focus()
        reach(page, page.get_by_role("link", name="Next 50"))
        page.keyboard.press("Enter")
        expect(page.locator("table.plays tbody tr")).to_have_count(14)
        page.goto(f"{address}/")
        reach(page, page.get_by_label("Words said"))
        page.keyboard.type("no play says this")
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_contain_text("searched 0 to 64 of 64 plays: 0 found")
        page.goto(f"{address}/")
        for name in ("compare debate.jsonl", "compare market.jsonl"):
            reach(page, page.get_by_label(name))
            page.keyboard.press("Space")
        page.keyboard.press("Enter")
        expect(page.locator(".beside > section")).to_have_count(2)
        expect(page.locator(".play article").nth(8)).to_be_attached()
        assert page.locator(".play").evaluate_all("all => all.every((each) => each.querySelector('article') !== null)")


@pytest.mark.parametrize("screen", sorted(SCREENS))
def test_no_serious_fault_of_the_list_on_any_screen(address: str, screen: str) -> None:
    from playwright.sync_api import expect

    with tab(screen) as page:
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.goto(f"{address}/?q=z0")
            expect(page.locator("table.plays tbody tr")).to_have_count(10)
            assert serious(page, "table.plays tbody tr") == []
            assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), (
                "the page is as wide as the screen"
            )


def test_no_serious_fault_of_two_plays_side_by_side(address: str) -> None:
    from playwright.sync_api import expect

    with tab("phone", "dark") as page:
        page.goto(f"{address}/?q=market")
        first = page.locator("input[name=play]").first.get_attribute("value")
        page.goto(f"{address}/?q=debate.jsonl")
        second = page.locator("input[name=play]").first.get_attribute("value")
        page.goto(f"{address}/compare?play={first}&play={second}")
        expect(page.locator(".play article").nth(8)).to_be_attached()
        assert serious(page, ".play article") == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
