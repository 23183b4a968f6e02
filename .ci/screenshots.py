"""Pictures of the pages, made anew from plays that are played here, in a real Chromium.

    python .ci/screenshots.py [FOLDER]      writes PNG files into docs/img, or the folder

Rule of this file: a function for each page, in `PAGES`; what is in a picture was played by programs, with fixed seeds.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import browser_kit as kit  # noqa: E402

import moot  # noqa: E402
from moot.tasks.base import task_named  # noqa: E402
from moot.tasks.reading.reading import samples  # noqa: E402

Shot = Callable[[Path], None]


def debate(folder: Path, name: str = "harbour.jsonl", seed: int = 7) -> Path:
    """A debate on a passage, between programs that quote it, before a judge with a bound."""
    seats = {
        "a": moot.Briefed(quoter, "You may be asked about the survey of March; it helps you."),
        "b": quoter,
        "judge": moot.Bounded(weighs, reads="40*n + 2000"),
    }
    feedback = moot.Debate(rounds=3, repeat=(moot.Speeches(), moot.Feedback()))
    moot.run(feedback, samples("harbour-inquiry")[0], seats, seed=seed, out=folder / name)
    return folder / name


def quoter(request: moot.Request) -> moot.Speech:
    """A debater that quotes what the passage says about its answer."""
    question, said = request.view.question, sum(entry.seat == request.seat for entry in request.view)
    answer = question.choices[request.brief["answer"]]
    wanted = set(re.findall(r"\w{4,}", answer.lower()))
    sentences = re.split(r"(?<=[.?!])\s+", question.passage or "")
    best = sorted(sentences, key=lambda each: -len(wanted & set(re.findall(r"\w{4,}", each.lower()))))[said]
    more = " <quote>nobody could have known</quote>" if request.seat == "b" and said == 1 else ""
    return moot.Speech(text=f"The passage speaks for “{answer}”: <quote>{best}</quote>{more}")


def weighs(request: moot.Request) -> moot.Move:
    """A judge that counts quotes."""
    counts = [1.0, 1.0]
    for entry in request.view:
        if isinstance(entry.move, moot.Speech):
            counts["ab".index(entry.seat)] += sum(1 if quote.verified else -0.8 for quote in entry.move.quotes)
    first = counts[0] / sum(counts)
    reasons = "One of the quotes of b is not in the passage." if len(request.view) > 3 else "Both quote the passage."
    return moot.Verdict(probabilities=(first, 1 - first), text=reasons)


@contextmanager
def shown(*plays: Path, screen: str = "desktop", scheme: str = "light") -> Iterator[Any]:
    """The pages of plays, in a window."""
    from moot.web.viewer.app import viewer

    with kit.served(viewer(list(plays))) as url, kit.tab(screen, scheme) as page:
        page.goto(url)
        yield page


def play_page(out: Path) -> None:
    """A debate as its conversation beside its tree."""
    with tempfile.TemporaryDirectory() as folder, shown(debate(Path(folder))) as page:
        page.wait_for_selector(".play[data-ready]")
        page.screenshot(path=out / "play.png")
        page.get_by_role("tab", name="Ledger").click()
        page.screenshot(path=out / "play-ledger.png")
        page.get_by_role("tab", name="Charts").click()
        page.screenshot(path=out / "play-charts.png")


def play_on_a_phone(out: Path) -> None:
    """The same on a phone, in the dark."""
    with (
        tempfile.TemporaryDirectory() as folder,
        shown(debate(Path(folder)), screen="phone", scheme="dark") as page,
    ):
        page.wait_for_selector(".play[data-ready]")
        page.screenshot(path=out / "play-phone.png")
        page.get_by_role("tab", name="Tree").click()
        page.screenshot(path=out / "play-phone-tree.png")


def tree_page(out: Path) -> None:
    """An amplification tree with its overview."""
    task = task_named("sum")
    sample = task.sample(256, seed=1)
    protocol, seats = task.staged("amplify", sample)
    with tempfile.TemporaryDirectory() as folder:
        moot.run(protocol, sample, seats, seed=1, out=Path(folder) / "sum.jsonl")
        with shown(Path(folder) / "sum.jsonl") as page:
            page.wait_for_selector(".play[data-ready]")
            page.get_by_role("button", name="Expand all").click()
            page.get_by_role("tree").press("End")
            page.evaluate("scrollTo(0, 200)")
            page.screenshot(path=out / "play-tree.png")


def list_page(out: Path) -> None:
    """The recorded plays of the tests, and a debate side by side with the same one before another judge."""
    with shown(ROOT / "tests" / "golden") as page:
        page.screenshot(path=out / "plays.png")
    with tempfile.TemporaryDirectory() as folder:
        first = debate(Path(folder))
        again = moot.rejudge(moot.load(first), lambda request: moot.Verdict(probabilities=(0.2, 0.8)), stale=True)
        again.save(first.with_name("judged-again.jsonl"))
        with shown(Path(folder)) as page:
            for box in page.locator("input[name=play]").all():
                box.check()
            page.locator("input[name=play]").first.evaluate("box => box.form.requestSubmit()")
            page.wait_for_selector(".play[data-ready] >> nth=1")
            page.screenshot(path=out / "plays-compared.png")


def judging_pages(out: Path) -> None:
    """A person judges a debate within a budget: the page of their turn, and what comes after; and the turn on a phone, in the dark."""
    import judging_kit

    from moot.web.judging.app import judging

    told = judging_kit.rules_of(feedback="each", pay=judging_kit.pay(base=1.5, per_point=1.0, currency="GBP"))
    debate = moot.Debate(rounds=1, judge_source="metered")
    names = {"a": "B", "b": "A", "judge": "You"}
    bound = {"reads": 900, "seconds": 600}
    item = judging_kit.Item(debate, samples("harbour-inquiry")[0], {"a": quoter, "b": quoter}, names, bound=bound)
    for screen, scheme in (("desktop", "light"), ("phone", "dark")):
        office: Any = judging_kit.MemoryOffice({"ann": [item]}, told, "The harbour inquiry")
        with kit.served(judging(office)) as url, kit.tab(screen, scheme) as page:
            page.goto(url + office.link("ann"))
            page.get_by_role("button", name="Begin").click()
            page.get_by_role("button", name="Open statement 2").click()
            page.locator("#f0-text").fill("B quotes the inquiry itself.")
            page.locator('[name="f0-probabilities-1"]').fill("35")
            page.locator("#pays .points").first.filter(has_text="−").wait_for()
            page.evaluate("scrollTo(0, 0)")
            page.evaluate("document.activeElement.blur()")
            page.set_viewport_size({**kit.SCREENS[screen], "height": 1500})
            page.screenshot(path=out / ("judge-turn.png" if screen == "desktop" else "judge-phone.png"))
            if screen == "desktop":
                page.get_by_role("button", name="Give this verdict").click()
                page.locator("#feedback").wait_for()
                page.set_viewport_size(kit.SCREENS[screen])
                page.screenshot(path=out / "judge-feedback.png")


def _smaller(path: Path) -> None:
    """The same picture in 255 colours, at a third of its size."""
    from PIL import Image

    with Image.open(path) as picture:
        made = picture.convert("RGB").quantize(255)
    made.save(path, optimize=True)


PAGES: tuple[Shot, ...] = (play_page, tree_page, play_on_a_phone, list_page, judging_pages)


def main() -> None:
    """Write every picture."""
    out = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "img"
    out.mkdir(parents=True, exist_ok=True)
    try:
        for shot in PAGES:
            shot(out)
        for path in out.glob("*.png"):
            _smaller(path)
    finally:
        kit.shut()


if __name__ == "__main__":
    main()
