"""The page of a play in a real Chromium: what was said, the tree, steps, addresses, keys; hostile texts; a play that grows."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette")
pytest.importorskip("playwright")

import browser_kit as kit
import web_page_kit as plays
from playwright.sync_api import expect

EVIL = "<img src=x onerror='window.hit=1'><script>window.hit=1</script></script><svg onload=window.hit=1>"
GROWING: dict[str, Any] = {"count": 3, "ended": False}

QUICKLY = "const later = setTimeout; setTimeout = (does, wait, ...more) => later(does, wait / 10, ...more)"
"""A clock that goes ten times as fast, for pages that ask again after a second and more."""


def hostile() -> plays.Whole:
    """A play in which every text tries to act."""
    scenes = [
        plays.scene(0, "0", EVIL, EVIL, kind=EVIL, defends=EVIL, rule=EVIL, remark=EVIL, extra=EVIL, at=EVIL, heading=EVIL, relation=EVIL, under=EVIL),
        plays.scene(1, "1", EVIL, EVIL, private=EVIL, asides=[{"kind": EVIL, "about": EVIL, "text": EVIL}], beliefs=[0.5, 0.5], choices=[EVIL, "javascript:window.hit=1"],
                    pieces=[{"text": EVIL, "quote": True, "verified": True, "at": [0, 5]}]),
        plays.scene(2, "2", "a", "", note="\u202e evil \x1b[2J", pieces=[]),
    ]  # fmt: skip
    made = plays.whole(
        scenes, question=EVIL, choices=[EVIL, EVIL], about=EVIL, name=EVIL, passage=EVIL, data=EVIL, setting=EVIL, verdict=[0.5, 0.5],
        outcome={"kind": EVIL, "words": EVIL}, truth=1, right=False, judge=EVIL, parent={"digest": EVIL, "at": EVIL, "name": EVIL},
        images=[{"alt": EVIL, "src": None}],
        seats=[{"seat": EVIL, "role": EVIL, "who": EVIL, "defends": 0, "bound": {EVIL: 3}, "notes": [EVIL]}],
        charts=[{"title": EVIL, "svg": "<svg xmlns='http://www.w3.org/2000/svg' onload='window.hit=1' viewBox='0 0 9 9'><script>window.hit=1</script>"
                 "<rect width='9' height='9' fill='url(https://evil.example/)' onclick='window.hit=1'/><image href='https://evil.example/'/></svg>"}],
    )  # fmt: skip
    made["head"]["guarantee"] |= {
        "holds": False,
        "because": EVIL,
        "class": EVIL,
        "assumes": [{"name": EVIL, "says": EVIL}],
    }
    made["head"]["ledger"] |= {"rows": [[EVIL, 1]], "tree": {EVIL: EVIL}}
    made["tree"]["cites"] = {"2": [EVIL]}
    return made


def growing() -> plays.Whole:
    count = GROWING["count"]
    return plays.whole(
        [plays.scene(at, str(at), "ab"[at % 2], f"speech number {at}") for at in range(count)],
        ended=GROWING["ended"],
        parent=GROWING.get("parent"),
        state=f"{count} {GROWING['ended']}",
    )


def quoted() -> plays.Whole:
    text = "A storm rose 🌊. Nine ships sank. " * 40 + "It was the admiral. " + "A storm rose. " * 40
    at = text.index("It was the admiral")
    piece = {"text": "It was the admiral", "quote": True, "verified": True, "at": [at, at + 18]}
    false = {"text": "never said", "quote": True, "verified": False, "at": None}
    scenes = [
        plays.scene(0, "0", "a", "", pieces=[{**piece, "text": "See: ", "quote": False, "at": None}, piece, false])
    ]
    scenes += [plays.scene(k + 1, f"1.{k}.0", "ab"[k], f"said at once {k}") for k in range(2)]
    scenes += [plays.scene(3, "2", "judge", "too long", rule="at most 1 word"), plays.scene(4, "2", "judge", "short")]
    made = plays.whole(
        scenes,
        passage=text,
        charts=plays.recorded("market")["head"]["charts"][:1],
        verdict=[0.25, 0.75],
        truth=1,
        right=True,
    )
    made["head"]["steps"]["together"] = [None, 0, 0, None, None]
    made["tree"]["scene"] = [-1, 0, 1, 2, -1, 4]
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    known = {name: plays.recorded(name) for name in ("debate", "market", "amplify", "double-consultancy")}
    made: dict[str, Any] = {name: lambda name=name: known[name] for name in known}
    made |= {"hostile": hostile, "growing": growing, "quoted": quoted}
    for shape in ("random", "star", "chain"):
        found = plays.large(shape)
        made[shape] = lambda found=found: found
    with kit.served(plays.app(made)) as url:
        yield f"{url}/play/"


def opened(page: Any, url: str) -> Any:
    page.goto(url)
    page.wait_for_selector(".play[data-ready]")
    return page


@pytest.mark.parametrize("name", ["debate", "market", "amplify"])
def test_a_recorded_play_is_seen_whole(address: str, name: str) -> None:
    found = plays.recorded(name)
    with kit.tab() as page:
        opened(page, address + name)
        expect(page.locator("h1")).to_have_text(found["head"]["question"])
        expect(page.locator("article")).to_have_count(len(found["scenes"]))
        expect(page.get_by_role("treeitem")).to_have_count(len(found["tree"]["id"]))
        expect(page.locator(".chips")).to_contain_text(found["head"]["outcome"]["words"])
        page.get_by_role("tab", name="Ledger").click()
        expect(page.locator(".guarantee h3")).to_contain_text("guarantee")
        for each in found["head"]["guarantee"]["assumes"]:
            expect(page.locator(".assumes")).to_contain_text(each["name"])
        if (because := found["head"]["guarantee"]["because"]) and not found["head"]["guarantee"]["holds"]:
            expect(page.locator(".guarantee")).to_contain_text(because)
        page.get_by_role("tab", name="Charts").click()
        expect(page.locator(".chart svg")).to_have_count(len(found["head"]["charts"]))
        assert found["head"]["charts"] or name != "market"
        assert page.locator(".chart svg *").count() >= 10 * len(found["head"]["charts"])


@pytest.mark.parametrize("shape", ["random", "star", "chain"])
def test_a_tree_of_ten_thousand_nodes_has_few_rows_and_is_soon_there(address: str, shape: str) -> None:
    with kit.tab() as page:
        opened(page, address + shape)
        rows, tree = page.get_by_role("treeitem"), page.get_by_role("tree")
        counts = []

        def few() -> None:
            counts.append(rows.count())
            assert 10 < counts[-1] <= 100 or (shape == "chain" and counts[-1] > 0), counts

        expect(rows.first).to_be_visible()
        began = page.evaluate("performance.now()")
        page.get_by_role("button", name="Expand all").click()
        expect(page.locator(".arguments .told")).to_have_text("10,000 of 10,000 nodes in rows")
        assert page.evaluate("performance.now()") - began < 2000  # 40 ms here, with the way to the browser and back
        few()
        tree.focus()
        page.keyboard.press("End")
        chosen = page.locator("[role=treeitem][aria-selected=true]")
        expect(chosen).to_be_visible()
        few()
        place = tree.evaluate("box => [box.scrollTop + box.clientHeight, box.scrollHeight]")
        assert abs(place[0] - place[1]) < 4
        assert tree.get_attribute("aria-activedescendant") == chosen.get_attribute("id")
        if shape == "chain":
            expect(chosen).to_have_attribute("aria-level", "10000")
            expect(chosen).to_contain_text("level 10000")
        if shape == "star":
            expect(chosen).to_have_attribute("aria-posinset", "9999")
            expect(chosen).to_have_attribute("aria-setsize", "9999")
        for part in (0.1, 0.5, 0.9):
            tree.evaluate("(box, part) => { box.scrollTop = part * box.scrollHeight; }", part)
            page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            few()
            expect(page.locator(f"#{tree.get_attribute('aria-activedescendant')}")).to_have_count(1)
        page.locator(".arguments input").fill("word7777")
        expect(page.locator("[role=treeitem]", has_text="word7777 ")).to_have_count(1)
        few() if shape != "star" else None
        assert page.locator("article").count() <= 50


def test_hostile_texts_are_text(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "hostile")
        expect(page.locator("h1")).to_have_text(EVIL)
        expect(page.locator("article")).to_have_count(3)
        for tab in page.get_by_role("tab").all():
            if tab.is_visible():
                tab.click()
        for fold in page.locator("details").all():
            fold.evaluate("fold => { fold.open = true; }")
        page.locator("button.mark").click()
        expect(page.locator("mark")).to_have_text(EVIL)
        expect(page.locator(".private").last).to_contain_text(EVIL)
        assert page.evaluate("window.hit") is None
        assert (
            page.locator(
                "main img, main script, main svg script, main svg image, main [onload], main [onclick]"
            ).count()
            == 0
        )
        assert page.locator(".chart rect").get_attribute("fill") is None
        expect(page.locator("article").last).to_contain_text("\\u202e evil \\x1b[2J")
        assert page.locator("a[href^=javascript]").count() == 0


def test_every_action_by_keyboard(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "debate")
        place, scenes = page.locator(".place"), page.locator("article:visible")
        page.keyboard.press("ArrowRight")
        expect(place).to_contain_text("2 of 7")
        expect(scenes).to_have_count(2)
        page.keyboard.press("j")
        page.keyboard.press("k")
        page.keyboard.press("ArrowLeft")
        expect(place).to_contain_text("1 of 7")
        expect(scenes).to_have_count(1)
        expect(page.get_by_role("treeitem")).to_have_count(2)  # the question, and what was said by then
        page.get_by_label("Step of the play").focus()
        page.keyboard.press("End")
        expect(place).to_contain_text("7 of 7")
        page.get_by_role("button", name="First step").focus()
        page.keyboard.press("Enter")
        expect(scenes).to_have_count(1)
        page.get_by_label("Hide what comes later").focus()
        page.keyboard.press("Space")
        expect(scenes).to_have_count(7)
        page.get_by_role("tab", selected=True).focus()
        for name in ("Passage", "Ledger", "Charts", "Tree"):
            page.keyboard.press("ArrowRight")
            expect(page.get_by_role("tab", selected=True)).to_have_text(name)
            expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
        tree, chosen = page.get_by_role("tree"), page.locator("[role=treeitem][aria-selected=true]")
        tree.focus()
        page.keyboard.press("Home")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_role("treeitem")).to_have_count(1)
        expect(chosen).to_have_attribute("aria-expanded", "false")
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        expect(chosen).to_have_attribute("aria-level", "2")
        page.keyboard.press("ArrowLeft")
        expect(chosen).not_to_have_attribute("aria-expanded", "true")
        page.keyboard.press("*")
        expect(page.get_by_role("treeitem")).to_have_count(7)
        page.keyboard.press("c")  # the seat
        expect(chosen).to_contain_text("admiral says page")
        page.keyboard.press("Enter")
        expect(page.locator("article:focus")).to_have_count(1)
        expect(page.locator("article:focus")).to_contain_text("admiral says page")
        assert page.evaluate("location.hash") == "#step=0.2.0"
        page.keyboard.press("Tab")  # into the article: the address of its step
        expect(page.locator("a:focus")).to_have_text("step 0.2.0")


def test_addresses_of_steps(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "debate#step=1.1.0")
        current = page.locator("article[aria-current=step]")
        expect(current).to_contain_text("step 1.1.0")
        expect(page.locator("[role=treeitem][aria-selected=true]")).to_contain_text("naïve otherwise storm")
        expect(page.locator("article:visible")).to_have_count(7)  # an address hides nothing
        page.get_by_role("link", name="step 0.1.0").click()
        expect(current).to_contain_text("step 0.1.0")
        page.get_by_role("treeitem", name="admiral says page").click()
        expect(current).to_contain_text("step 0.2.0")
        page.go_back()
        expect(current).to_contain_text("step 0.1.0")
        page.go_back()
        expect(current).to_contain_text("step 1.1.0")
        page.go_forward()
        expect(current).to_contain_text("step 0.1.0")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        expect(page.locator(".copied")).to_have_text("copied")
        assert page.evaluate("navigator.clipboard.readText()") == address + "debate#step=0.1.0"
        for wrong in ("#step=9.9.9", "#step=%", "#step=0.0.0~7", "#else"):
            page.evaluate("hash => { location.hash = hash; }", wrong)
            expect(current).to_contain_text("step 0.1.0")


def test_quotes_lead_into_the_passage_and_what_was_said_at_once_stands_side_by_side(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "quoted#step=2~1")
        expect(page.locator("article[aria-current=step]")).to_contain_text("Rejected: at most 1 word")
        expect(page.locator("q.bad + .mark")).to_have_text("✗ not in the passage")
        page.get_by_role("button", name="in the passage: show").click()
        expect(page.locator("mark")).to_have_text("It was the admiral")
        expect(page.locator("mark")).to_be_in_viewport()
        page.get_by_role("button", name="back to the speech").click()
        expect(page.get_by_role("button", name="in the passage: show")).to_be_focused()
        boxes = [each.bounding_box() for each in page.locator(".together article").all()]
        assert len(boxes) == 2 and boxes[0]["y"] == boxes[1]["y"] and boxes[0]["x"] < boxes[1]["x"]
    with kit.tab("phone") as page:
        opened(page, address + "quoted")
        boxes = [each.bounding_box() for each in page.locator(".together article").all()]
        assert boxes[0]["x"] == boxes[1]["x"] and boxes[0]["y"] < boxes[1]["y"]
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_play_that_is_running_grows_in_place(address: str) -> None:
    GROWING.update(count=3, ended=False)
    with kit.tab() as page:
        page.add_init_script(QUICKLY)
        opened(page, address + "growing#step=1")
        expect(page.locator(".chips .running")).to_be_visible()
        first = page.locator("article").first.element_handle()
        page.evaluate("first => { first.kept = true; }", first)
        GROWING.update(count=60)
        expect(page.locator(".place")).to_contain_text("2 of 60")
        expect(page.locator("article")).to_have_count(50)
        expect(page.locator("article[aria-current=step]")).to_contain_text("speech number 1")
        assert page.evaluate("document.querySelector('article').kept")  # the very same: nothing that was unfolded folds
        GROWING.update(ended=True)
        expect(page.locator(".running")).to_have_count(0)
        page.get_by_role("button", name="Later").click()
        expect(page.locator("article")).to_have_count(10)


def test_what_grows_keeps_the_focus_and_what_is_unfolded(address: str) -> None:
    GROWING.update(count=3, ended=False)
    with kit.tab() as page:
        page.add_init_script(QUICKLY)
        opened(page, address + "growing#step=1")
        page.get_by_role("tab", name="Ledger").click()
        fold, numbers = page.locator(".cast"), page.get_by_role("region", name="By seat")
        fold.locator("> summary").click()
        numbers.focus()
        for count in (5, 9):
            GROWING.update(count=count)
            expect(page.locator(".place")).to_contain_text(f"2 of {count}")
            expect(numbers).to_be_focused()
            expect(fold).to_have_attribute("open", "")
        page.keyboard.press("ArrowRight")  # moves the table, and not the play
        expect(page.locator(".place")).to_contain_text("2 of 9")
        GROWING.update(ended=True)
        expect(page.locator(".running")).to_have_count(0)


@pytest.mark.parametrize(
    ("at", "told"),
    [("1.0.0", "A fork of whole.jsonl at step 1.0.0"), ("judge", "whole.jsonl, judged again"), (None, "A fork of whole.jsonl")],
)  # fmt: skip
def test_what_a_play_was_made_from_is_said(address: str, at: str | None, told: str) -> None:
    GROWING.update(count=3, ended=True, parent={"digest": "0", "at": at, "name": "whole.jsonl"})
    with kit.tab() as page:
        opened(page, address + "growing")
        expect(page.locator(".descent")).to_have_text(told)
        assert page.locator(".descent a").count() == (at == "1.0.0")
    del GROWING["parent"]


def test_what_collapses_takes_the_selection_up(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "chain#step=9")
        chosen, about = page.locator("[role=treeitem][aria-selected=true]"), page.locator(".selected")
        expect(about).to_contain_text("Selected: step 9")
        page.locator("[data-node='5'] .twist").click()
        expect(about).to_contain_text("Selected: step 4 ")
        expect(chosen).to_have_attribute("data-node", "5")
        expect(page.locator(".place")).to_contain_text("step 4 ")
        page.get_by_role("button", name="Collapse all").click()
        expect(about).to_contain_text("Selected: step q")
        expect(chosen).to_have_attribute("data-node", "0")


def test_axe_finds_nothing_serious(address: str) -> None:
    with kit.tab() as page:
        opened(page, address + "quoted#step=1.1.0")
        expect(page.locator(".chart svg")).to_have_count(1)
        for screen, size in kit.SCREENS.items():
            page.set_viewport_size(size)
            expect(page.locator(".play.wide")).to_have_count(int(screen == "desktop"))
            page.evaluate("for (const panel of document.querySelectorAll('.panel')) panel.hidden = false;")
            expect(page.locator("[role=treeitem]").first).to_be_visible()
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                found = kit.serious(page, "article .said, [role=treeitem], .passage, .ledger table, .chart svg")
                assert not found, (screen, scheme, found)


def test_from_the_list_to_a_play_and_to_two_side_by_side(tmp_path: Path) -> None:
    from moot.web.viewer.app import viewer

    for name in ("debate", "market"):
        shutil.copy(plays.GOLDEN / f"{name}.jsonl", tmp_path)
    with kit.served(viewer([tmp_path])) as url, kit.tab() as page:
        page.goto(url)
        assert not kit.serious(page, "table tbody tr")
        page.get_by_role("link", name="market.jsonl").click()
        page.wait_for_selector(".play[data-ready]")
        page.get_by_role("link", name="All plays").click()
        for box in page.get_by_role("checkbox").all():
            box.check()
        page.get_by_role("button", name="Compare two").click()
        expect(page.locator(".play[data-ready]")).to_have_count(2)
        one, other = page.locator(".play").all()
        assert abs(one.bounding_box()["y"] - other.bounding_box()["y"]) < 40
        other.get_by_role("button", name="Step on").click()
        expect(other.locator(".place")).to_contain_text("2 of")
        expect(one.locator(".place")).to_contain_text("1 of")
        one.get_by_role("link", name="step 0.1.0").click()
        expect(one.locator(".place")).to_contain_text("step 0.1.0")
        page.wait_for_url("**#step=0.1.0")
        assert not kit.serious(page, "article .said")
