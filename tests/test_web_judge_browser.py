"""The pages of a person who judges in a real Chromium: a debate to its verdict, two tabs, coming back, hostile texts, keyboard, axe."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import anyio.to_thread
import pytest
from browser_kit import SCREENS, eventually, serious, served, tab
from judging_kit import Item, MemoryOffice, pay, rules_of, talks

import moot
from moot.protocols.text import visible
from moot.web.judging.app import judging

expect: Any = pytest.importorskip("playwright.sync_api").expect
HOSTILE = "<script>window.hit=1</script><img src=x onerror=window.hit=2>\u202e\x1b[31m{{7*7}}</textarea>"
PASSAGE = "The storm sank three ships in the night. The admiral wrote that nobody had seen such a storm before, and went home."
PAY = pay(base=1, per_point=0.5, currency="GBP")


def debate(bound: dict[str, Any] | None = None, hostile: bool = False, rounds: int = 1) -> Item:
    """A debate whose judge may look at the passage for a price, or, of more rounds, states a belief after each, and may end it. hostile:
    every text that others write is."""
    mark = HOSTILE if hostile else ""
    question = moot.Question(f"What sank the ships?{mark}", (f"the storm{mark}", "the admiral"), passage=PASSAGE)
    parts: dict[str, Any] = (
        {"repeat": (moot.Speeches(), moot.Feedback())} if rounds > 1 else {"judge_source": "metered"}
    )
    protocol = moot.Debate(rounds=rounds, scoring=moot.ScoringRule(penalty=0.1), **parts)
    said = {
        "a": f"The record says <quote>The storm sank three ships</quote>, and that settles it.{mark}",
        "b": f"The admiral made <quote>no report at all</quote>. {mark}" + 30 * "One thing follows from another. ",
    }
    seats = {seat: talks(text) for seat, text in said.items()}
    return Item(
        protocol, moot.Sample(question, truth=0), seats, {"a": f"B{mark}", "b": "A", "judge": "You"}, bound=bound or {}
    )


def test_a_debate_is_judged_to_its_verdict_and_the_budget_runs_dry() -> None:
    rules = rules_of(
        consent="# Consent\nYou take part.", instructions="# How it works\nRead, then say.", feedback="each", pay=PAY
    )
    office = MemoryOffice({"ann": [debate({"reads": 400, "seconds": 600})]}, rules)
    with served(judging(office)) as url, tab() as page:  # type: ignore[arg-type]
        page.goto(url + office.link("ann"))
        page.get_by_label("I have read this").check()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="I have read this; begin").click()
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_role("heading", name="What sank the ships?")).to_be_visible()
        expect(page.get_by_text("400 of 400 characters left")).to_be_visible()
        page.get_by_label("Your reasons").fill("half typed")
        page.get_by_role("button", name="Open statement 2").click()  # of a, who is called B
        expect(page.get_by_text("and that settles it")).to_be_visible()
        expect(page.get_by_label("Your reasons")).to_have_value("half typed")
        expect(page.get_by_text("✓ in the passage")).to_be_visible()
        page.get_by_role("button", name="Look around the quote").click()
        expect(page.locator(".look")).to_contain_text("nobody had seen")
        page.get_by_role("button", name="Open statement 1").click()
        expect(page.get_by_text("It costs more than you have left.")).to_be_visible()
        expect(page.get_by_text("One thing follows")).to_have_count(0)
        slider = page.get_by_role("slider")
        slider.focus()
        for _ in range(20):
            slider.press("ArrowRight")
        expect(page.locator('[name="f0-probabilities-1"]')).to_have_value("70")
        expect(page.locator('[name="f0-probabilities-2"]')).to_have_value("30")
        expect(page.locator("#pays .points").first).to_have_text("−0.36")
        expect(page.locator("#pays .money").nth(1)).to_have_text("0.40 GBP")
        page.get_by_role("button", name="Give this verdict").click()
        expect(page.get_by_text("This one is finished.")).to_be_visible()
        expect(page.locator("#feedback")).to_contain_text("The right answer: the storm")
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Thank you!")).to_be_visible()
    transcript = office.ended["ann"][0]
    assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.probabilities == pytest.approx(
        (0.7, 0.3)
    )
    events = list(transcript.events())
    assert [event["action"] for event in events if event["event"] == "acted"].count("answered") == 1
    assert [event["reads"] for event in events if event["event"] == "read"] and any(
        event.get("action") == "refused" for event in events
    )


def test_two_tabs_vote_once_and_a_page_that_was_closed_goes_on() -> None:
    office = MemoryOffice({"ann": [debate(rounds=2)]})
    with served(judging(office)) as url, tab() as one:  # type: ignore[arg-type]
        one.goto(url + office.link("ann"))
        one.get_by_role("button", name="Begin").click()
        expect(one.get_by_text("and that settles it")).to_be_visible()
        one.get_by_label("Your reasons").fill("what I think")
        one.locator('[name="f0-probabilities-1"]').fill("35")
        turn = office.seatings["ann"].turn
        assert turn is not None and turn.present
        one.goto("about:blank")
        eventually(lambda: not turn.present)

        def kept() -> bool:  # what is sent as a page closes may come in after the next one is asked for
            one.goto(url + office.link("ann"))
            return bool(one.get_by_label("Your reasons").input_value() == "what I think")

        eventually(kept)
        expect(one.locator('[name="f0-probabilities-2"]')).to_have_value("65")
        assert turn.present and turn.waiting
        two = one.context.new_page()
        two.add_init_script("window.fetch = () => new Promise(() => {})")  # it hears no news
        two.goto(url + office.link("ann"))
        expect(two.locator('[name="f0-probabilities-1"]')).to_have_value("35")
        one.get_by_role("button", name="Give this verdict").click()
        expect(one.get_by_text("This is round 2")).to_be_visible()
        two.get_by_role("button", name="Give this verdict").click()
        expect(two.get_by_role("heading", name="Already answered")).to_be_visible()
        two.close()
        one.locator('[name="f0-probabilities-1"]').fill("20")
        one.get_by_label("End here?").check()
        one.get_by_role("button", name="Give this verdict").click()
        eventually(lambda: office.seatings["ann"].ended is not None)
        expect(one.locator('form[action="leave"]')).to_be_visible()
    transcript = office.seatings["ann"].transcript
    assert transcript is not None
    said = [
        event["move"]["probabilities"][0]
        for event in transcript.events()
        if event["event"] == "moved" and event["seat"] == "judge"
    ]
    assert said == pytest.approx([0.35, 0.2]), "each turn was answered once"
    acts = [event["action"] for event in transcript.events() if event["event"] == "acted"]
    assert "away" in acts and "back" in acts


def test_what_is_typed_before_the_script_is_there_is_kept() -> None:
    office, come = MemoryOffice({"ann": [debate(rounds=2)]}), threading.Event()
    pages = judging(office)  # type: ignore[arg-type]

    async def slowly(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/static/judge.js":
            await anyio.to_thread.run_sync(come.wait)
        await pages(scope, receive, send)

    with served(slowly) as url, tab() as page:
        come.set()
        page.goto(url + office.link("ann"))
        page.get_by_role("button", name="Begin").click()
        expect(page.get_by_text("and that settles it")).to_be_visible()
        come.clear()
        page.goto(url + office.link("ann"), wait_until="commit")
        page.get_by_label("Your reasons").fill("what I think")
        come.set()
        page.wait_for_load_state()
        page.goto("about:blank")

        def kept() -> bool:
            page.goto(url + office.link("ann"))
            return bool(page.get_by_label("Your reasons").input_value() == "what I think")

        eventually(kept)


def test_hostile_texts_do_nothing_and_are_seen() -> None:
    office = MemoryOffice({"ann": [debate(hostile=True)]}, rules_of(consent=HOSTILE, feedback="each"), name=HOSTILE)
    with served(judging(office)) as url, tab() as page:  # type: ignore[arg-type]
        page.goto(url + office.link("ann"))
        expect(page.locator("article.text")).to_contain_text("<script>")
        page.get_by_label("I have read this").check()
        page.get_by_role("button", name="Go on").click()
        page.get_by_role("button", name="Begin").click()
        expect(page.locator(".words").first).to_contain_text("<script>window.hit=1</script>")
        for where in ("h1", ".choices", ".words", ".who", "#pays", ".where"):
            assert page.locator(where).first.inner_text()
        text = page.content()
        assert "\u202e" not in text and "\x1b" not in text and "\\u202e" in text and "{{7*7}}" in text
        page.get_by_label("Your reasons").fill(HOSTILE)
        page.get_by_role("button", name="Give this verdict").click()
        expect(page.get_by_text("give a number for each answer")).to_be_visible()
        expect(page.get_by_label("Your reasons")).to_have_value(visible(HOSTILE))
        assert page.evaluate("window.hit") is None and page.locator("img, main script").count() == 0
        assert [each for each in page.wrong if "422" not in each] == []
        page.wrong.clear()


VARIANTS = [(screen, scheme) for screen in ("desktop", "phone") for scheme in ("light", "dark")]


def faults(page: Any, rows: str, variants: Sequence[tuple[str, str]]) -> list[str]:
    """What axe finds on a page, on each screen and in each scheme, and where a page is wider than its screen."""
    found = []
    for screen, scheme in variants:
        page.set_viewport_size(SCREENS[screen])
        page.emulate_media(color_scheme=scheme)
        found += [f"{screen} {scheme}: {each}" for each in serious(page, rows)]
        if not page.evaluate("document.documentElement.scrollWidth <= innerWidth"):
            found.append(f"{screen}: it is wider than the screen")
    return found


def reach(page: Any, name: str) -> None:
    """Go on by Tab until something of that name has the focus."""
    named = "(document.activeElement.ariaLabel ?? document.activeElement.innerText ?? '') || document.activeElement.name || ''"
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(named).startswith(name):
            return
    raise AssertionError(f"no key leads to {name}")


@pytest.mark.parametrize(
    "variants", [[VARIANTS[0], VARIANTS[3]], pytest.param(VARIANTS, marks=pytest.mark.long)], ids=["two", "all"]
)
def test_every_page_is_clear_to_axe_and_to_the_keyboard_alone(variants: list[tuple[str, str]]) -> None:
    rules = rules_of(consent="# Consent\nYes.", instructions="Do.", feedback="each", pay=PAY)
    office = MemoryOffice({"ann": [debate({"reads": 900, "seconds": 99})]}, rules)
    with served(judging(office)) as url, tab() as page:  # type: ignore[arg-type]
        page.goto(url + office.link("ann"))
        assert faults(page, "article", variants) == []
        reach(page, "agree")
        page.keyboard.press("Space")
        reach(page, "Go on")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="begin")).to_be_visible()
        assert faults(page, "article", variants) == []
        reach(page, "I have read this")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Begin", exact=True)).to_be_visible()
        assert faults(page, "button", variants) == []
        reach(page, "Begin")
        page.keyboard.press("Enter")
        expect(page.locator(".card")).to_have_count(2)
        reach(page, "Open statement 2")
        page.keyboard.press("Enter")
        expect(page.locator(".card.open")).to_have_count(1)
        reach(page, "at")
        page.keyboard.type("0:30")
        page.keyboard.press("Enter")  # which presses nothing: each look is paid for
        expect(page.locator(".look")).to_have_count(0)
        reach(page, "Look")
        page.keyboard.press("Enter")
        expect(page.locator(".look")).to_contain_text("The storm sank three ships")
        reach(page, "1. the storm")
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        expect(page.locator("#pays .points").first).to_have_text("−0.80")
        assert faults(page, ".card", variants) == []
        reach(page, "Give this verdict")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This one is finished.")).to_be_visible()
        assert faults(page, "#feedback", variants) == []
        reach(page, "Go on")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Thank you!")).to_be_visible()
        assert faults(page, "dl", variants) == []
