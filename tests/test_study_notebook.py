"""Progress in a notebook: one display that is updated in its place, by a kernel's module that is a fake here."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from test_study import Judge, samples

import moot
from moot.studies.study import Study
from moot.studies.watch import board, notebook


class ZMQInteractiveShell:
    """The shell of IPython's kernel."""


class Shell(ZMQInteractiveShell):
    """Colab's, derived from it."""


class TerminalInteractiveShell:
    """IPython's at a terminal."""


class Displays(ModuleType):
    """`IPython.display`, which keeps what it is told."""

    def __init__(self, fails: bool = False) -> None:
        super().__init__("IPython.display")
        self.shown: list[tuple[str, Any, dict[str, Any]]] = []
        self.fails = fails

    def display(self, what: Any, **more: Any) -> None:
        self.shown.append(("display", what, more))
        if self.fails:
            raise RuntimeError("the front end is gone")

    def update_display(self, what: Any, *, display_id: str, **more: Any) -> None:
        self.shown.append(("update", what, {"display_id": display_id, **more}))


def kernel(monkeypatch: pytest.MonkeyPatch, shell: object, fails: bool = False) -> Displays:
    module, displays = ModuleType("IPython"), Displays(fails)
    vars(module)["get_ipython"] = lambda: shell
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return displays


def study(**more: Any) -> Study:
    return Study("n", samples(5), {"<b>qa</b> & \x1b[31m": moot.Arm(moot.DirectQA(), {"judge": Judge()})}, **more)


@pytest.mark.parametrize("shell", [ZMQInteractiveShell, Shell])
def test_a_study_in_a_notebook_is_one_display(
    shell: type, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    displays = kernel(monkeypatch, shell())
    monkeypatch.setattr("moot.studies.watch.EVERY", 0.0)
    assert study().run(tmp_path).complete
    kinds = [kind for kind, _, _ in displays.shown]
    assert kinds[0] == "display" and set(kinds[1:]) == {"update"} and len(kinds) >= 7
    assert len({more["display_id"] for _, _, more in displays.shown}) == 1 and all(
        more["raw"] for _, _, more in displays.shown
    )
    html, text = (displays.shown[-1][1][kind] for kind in ("text/html", "text/plain"))
    assert "value='5' max='5'" in html and text.startswith("5 of 5 plays ended (5 decided)")
    among = " ".join(each["text/html"] for _, each, _ in displays.shown)
    assert "&lt;b&gt;qa&lt;/b&gt; &amp;" in among and "<b>" not in among and "\x1b" not in among
    assert capsys.readouterr() == ("", "")  # no lines beside it
    again = study().run(tmp_path)
    assert again.how == {"kept": 5} and "value='5'" in displays.shown[-1][1]["text/html"]


def test_it_is_drawn_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    displays = kernel(monkeypatch, ZMQInteractiveShell())
    monkeypatch.setattr("moot.studies.watch.EVERY", 1000.0)
    assert study(epochs=20).run(tmp_path).complete
    assert [kind for kind, _, _ in displays.shown] == ["display", "update"]
    assert displays.shown[-1][1]["text/plain"].startswith("100 of 100")


def test_a_front_end_that_fails_costs_no_play(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    displays = kernel(monkeypatch, ZMQInteractiveShell(), fails=True)
    assert study().run(tmp_path).complete and len(displays.shown) == 1


@pytest.mark.parametrize("shell", [None, TerminalInteractiveShell()])
def test_elsewhere_there_are_plain_lines(
    shell: object, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    displays = kernel(monkeypatch, shell)
    with board(1) as shown:
        shown.ended("one", "decided", None)
    assert displays.shown == [] and "[1/1] decided  one" in capsys.readouterr().err
    monkeypatch.delitem(sys.modules, "IPython")
    assert notebook() is None
    monkeypatch.setitem(sys.modules, "IPython", ModuleType("IPython"))  # one that is half imported
    assert notebook() is None


def test_a_terminal_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    displays = kernel(monkeypatch, ZMQInteractiveShell())
    monkeypatch.setattr("moot.studies.watch.is_terminal", lambda error=False: True)
    with board(1) as shown:
        shown.ended("one", "decided", None)
    assert displays.shown == []
