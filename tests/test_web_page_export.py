"""A play as one HTML file: it opens from a disk by one request, nothing in it acts but its own script, and private words stay out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from private_kit import Hunch, Hunches
from web_page_kit import scene, whole

import moot
from moot.protocols.recorded import words_of
from moot.protocols.text import visible
from moot.web.viewer.single import Html, page, style_and_code, within

GOLDEN = Path(__file__).parent / "golden"


@settings(max_examples=60)
@given(
    st.recursive(
        st.text() | st.sampled_from(["</script>", "<!--", "]]>", "\u2028"]), lambda inner: st.lists(inner, max_size=3)
    )
)
def test_what_stands_in_the_file_is_read_back_and_ends_no_element(value: object) -> None:
    text = within({"play": value})
    assert not re.search("[<>&\u2028\u2029]", text)

    def shown(each: object) -> object:
        return visible(each) if isinstance(each, str) else [shown(one) for one in each]  # type: ignore[attr-defined]

    assert json.loads(text) == {"play": shown(value)}


def test_the_scripts_are_joined_whole() -> None:
    style, code = style_and_code()
    assert not re.search(r"^(import|export)\b", code, re.MULTILINE) and "style=" not in code and "innerHTML" not in code
    assert "url(" not in style and "@import" not in style and "eval(" not in code


def test_it_needs_no_server_and_no_templates(tmp_path: Path) -> None:
    out = tmp_path / "play.html"
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(('starlette', 'jinja2', 'uvicorn', 'markdown_it')));"
        f"sys.argv = ['moot', 'export', {str(GOLDEN / 'debate.jsonl')!r}, '--to', 'html', '-o', {str(out)!r}]; runpy.run_module('moot', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, timeout=60)
    assert out.is_file(), done.stderr
    assert "What sank the ships?" in out.read_text("utf-8")


def test_private_words_are_in_it_only_on_request(tmp_path: Path) -> None:
    path, notes, plan = tmp_path / "d.jsonl", "a note to nobody else", "a plan kept to oneself"
    first = moot.Briefed(lambda request: Hunch(text="So it is.", plan=plan), notes)
    seats = {
        "a": first,
        "b": lambda request: moot.Speech(text="no"),
        "judge": lambda request: moot.Verdict(probabilities=(0.5, 0.5)),
    }
    moot.run(Hunches(), moot.Question("Who?", ("x", "y")), seats, out=path)
    open_, whole = Html().text(moot.load(path)), Html(private=True).text(moot.load(path))
    assert "So it is." in open_ and plan not in open_ and notes not in open_
    assert plan in whole and notes in whole


def test_the_truth_is_in_it_only_on_request(tmp_path: Path) -> None:
    path, answers = tmp_path / "d.jsonl", ("x", "y")
    seats: dict[str, Any] = {seat: lambda request: moot.Speech(text="So it is.") for seat in ("a", "b")}
    seats["judge"] = lambda request: moot.Verdict(probabilities=(0.7, 0.3))
    moot.run(moot.Debate(rounds=1), moot.Sample(moot.Question("Who?", answers), 1), seats, out=path)
    for private, told in ((False, (None, None, [])), (True, (1, False, ["true answer: y"]))):
        text = Html(private=private).text(moot.load(path))
        head = json.loads(re.findall(r'id="moot-play">(.*?)</script>', text)[0])["head"]
        scores = [line.partition(";")[0] for line in head["outcome"]["scores"] if "true" in line]
        assert (head["truth"], head["right"], scores) == told
        assert ("its reward" in text) == private


def test_what_is_private_in_a_move_that_fits_its_class_no_more_is_not_in_its_words() -> None:
    kind = Hunch(text="").kind
    assert words_of({"kind": kind, "text": 5, "plan": "SECRET"}) == "text 5"


@pytest.mark.parametrize("change", ["script", "handler", "style", "fetch", "frame"])
def test_what_is_put_into_the_file_is_refused(tmp_path: Path, change: str) -> None:
    pytest.importorskip("playwright")
    import browser_kit as kit

    put = {
        "script": "<script>window.hit=1</script>", "handler": "<img src='data:,' onerror='window.hit=1'>",
        "style": "<style>body { display: none }</style>", "fetch": "<img src='https://evil.example/x.png'>",
        "frame": "<iframe src='https://evil.example/'></iframe>",
    }[change]  # fmt: skip
    text = Html().text(moot.load(GOLDEN / "debate.jsonl"))
    path = tmp_path / "mutant.html"
    path.write_text(text.replace("<main ", f"{put}<main "), "utf-8")
    with kit.tab() as tab:
        tab.goto(path.as_uri())
        tab.wait_for_selector(".play[data-ready]")
        assert tab.evaluate("window.hit") is None and tab.locator("h1").is_visible()
        assert any("Content Security Policy" in each for each in tab.wrong), tab.wrong
        tab.wrong.clear()
        tab.asked.clear()


def test_hostile_texts_in_the_file_are_text(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    import browser_kit as kit
    from playwright.sync_api import expect

    evil = "</title></script><script>window.hit=1</script><img src=x onerror=window.hit=1>"
    path = tmp_path / "evil.html"
    path.write_text(
        page(whole([scene(0, "0", evil, evil)], question=evil, choices=[evil], about=evil, name=evil)), "utf-8"
    )
    with kit.tab() as tab:
        tab.goto(path.as_uri())
        expect(tab.locator("h1")).to_have_text(evil)
        expect(tab.locator("article .said")).to_have_text(evil)
        assert tab.evaluate("window.hit") is None and tab.locator("main img, main script").count() == 0


def test_it_opens_from_a_disk_by_one_request(tmp_path: Path) -> None:
    pytest.importorskip("playwright")
    import browser_kit as kit
    from playwright.sync_api import expect

    path = tmp_path / "play.html"
    path.write_text(Html().text(moot.load(GOLDEN / "debate.jsonl")), "utf-8")
    with kit.tab() as tab:
        tab.goto(f"{path.as_uri()}#step=1.1.0")
        expect(tab.locator("article[aria-current=step]")).to_contain_text("step 1.1.0")
        expect(tab.get_by_role("treeitem")).to_have_count(7)
        assert [url.partition("#")[0] for url in tab.asked] == [path.as_uri()]
        tab.keyboard.press("ArrowLeft")
        expect(tab.locator("article:visible")).to_have_count(4)
        tab.wait_for_url("**#step=1.0.0")


def test_a_browser_leaves_no_loop_running_for_the_tests_that_follow() -> None:
    pytest.importorskip("playwright")
    import browser_kit as kit

    for _ in range(2):
        with kit.tab() as tab:
            tab.goto("about:blank")
        with pytest.raises(RuntimeError, match="no running event loop"):
            asyncio.get_running_loop()
        assert asyncio.run(asyncio.sleep(0, 3)) == 3
