"""Everything with a name is found by it, imports nothing else, and a broken plug-in is named."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_calls import said

import moot
from moot.agents.spec import agent_from
from moot.protocols.debate.parts import called
from moot.protocols.engine import registry
from moot.protocols.engine.registry import KINDS, everything, find, names, plugins

GOLDEN = Path(__file__).parent / "golden" / "debate.jsonl"


def fresh(script: str) -> list[str]:
    """The words that a script prints in a process of its own."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.split()


def test_replaying_a_debate_imports_no_other_family() -> None:
    loaded = fresh(
        f"import sys, moot; moot.replay(moot.load({str(GOLDEN)!r}))\n"
        "print(*(name for name in sys.modules if name.startswith('moot.')))"
    )
    families = {name.split(".")[2] for name in loaded if name.count(".") > 2 and name.startswith("moot.protocols.")}
    assert families == {"engine", "debate"}
    assert not {name.split(".")[1] for name in loaded} & {"agents", "judges", "tasks", "play", "experiments"}


def test_a_name_is_found_before_anything_is_imported_and_imports_what_it_needs() -> None:
    script = (
        "import sys\nfrom moot.protocols.engine.registry import find, names\n"
        "assert 'task' in names('agent') and 'panel' in names('judge')\n"
        "before = set(sys.modules)\n"
        "print(find('protocol', 'consultancy').name, find('task', 'tqbf').name, find('computation', 'walk').name)\n"
        "print(*(m for m in sys.modules if m.startswith(('moot.protocols.market', 'moot.agents.models', 'moot.experiments'))))"
    )
    assert fresh(script) == ["consultancy", "tqbf", "walk"]


@pytest.mark.parametrize("kind", sorted({*KINDS} - {"exporter"}))
def test_every_name_is_announced_by_the_file_that_defines_it(kind: str) -> None:
    ours = {name: registry._own(kind)[name] for name in names(kind) if name in registry._own(kind)}
    found = everything(kind)
    assert ours and ours.keys() <= found.keys()
    for name, made in found.items():
        module = inspect.unwrap(made).__module__
        if module.startswith("moot.") and not module.startswith("moot.experiments."):  # those are the studies' own
            assert module in ours[name] and (called(made) if kind == "part" else made.name) == name


@pytest.mark.parametrize(
    ("kind", "name", "near"),
    [
        ("protocol", "debats", "debate"),
        ("task", "tqb", "tqbf"),
        ("format", "khann", "khan"),
        ("judge", "pannel", "panel"),
    ],
)
def test_an_unknown_name_offers_the_nearest_one(kind: str, name: str, near: str) -> None:
    with pytest.raises(
        moot.UsageError, match=f"no {kind} is called '{name}'; did you mean '{near}'.*{KINDS[kind].group}"
    ):
        find(kind, name)


def test_a_class_that_is_called_as_ours_is_found_out_though_ours_is_not_imported() -> None:
    script = (
        "from moot.protocols.engine.base import Protocol\nfrom moot.protocols.engine.registry import find\n"
        "class Critique(Protocol):\n    async def play(self, floor, question): ...\n"
        "try:\n    find('protocol', 'critique')\nexcept Exception as error:\n    print(error)"
    )
    assert " ".join(fresh(script)).startswith("two protocols are called 'critique': ")


def test_a_class_that_is_called_as_ours_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find("protocol", "debate")
    monkeypatch.setitem(registry._registered["protocol"], "debate", [*registry._registered["protocol"]["debate"]])
    made: Any = type("Mine", (moot.Debate,), {"name": "debate", "__module__": __name__})
    with pytest.raises(
        moot.UsageError, match=r"two protocols are called 'debate': .*debate:Debate and test_registry:Mine"
    ):
        find("protocol", made.name)


Install = Callable[..., None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a package: its source, and its entry points as {group: {name: object}}."""
    before = registry._registered
    known = defaultdict(lambda: defaultdict(list), {
        kind: defaultdict(list, {name: list(refs) for name, refs in found.items()})
        for kind, found in before.items()
    })  # fmt: skip
    monkeypatch.setattr(registry, "_registered", known)
    monkeypatch.syspath_prepend(str(tmp_path))

    def installed(package: str, source: str, points: dict[str, dict[str, str]]) -> None:
        (tmp_path / f"{package}.py").write_text(source)
        monkeypatch.delitem(sys.modules, package, raising=False)
        info = tmp_path / f"{package}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        lines = [
            line
            for group, each in points.items()
            for line in (f"[{group}]", *(f"{name} = {package}:{made}" for name, made in each.items()))
        ]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n")

    yield installed
    for kind, found in known.items():  # what moot imported of its own meanwhile is not imported again
        for name, refs in found.items():
            ours = (ref for ref in refs if getattr(ref(), "__module__", "").startswith("moot."))
            before[kind][name] += [ref for ref in ours if ref not in before[kind][name]]


EVERYTHING = """
from typing import Any, ClassVar
import moot
from moot.agents.kinds import AgentKind, Held, JudgeKind
from moot.tasks.oracle.machines import Tally

class Relay(moot.Debate):
    "A debate of one's own."

class Echo(AgentKind):
    name = "echo"
    words: str
    times: int = 1
    def make(self) -> Any:
        return lambda request: moot.Speech(text=self.words * self.times)

class Fair(JudgeKind):
    name = "fair"
    of: Held
    def make(self) -> Any:
        return moot.Panel(self.of)

@moot.computation(worst=lambda x: 1)
async def tossed(ask, x):
    return await ask("bit(0)")

class Heap(Tally):
    name = "heap"
"""


def test_a_plug_in_brings_every_kind_with_an_entry_point_and_nothing_else(install: Install) -> None:
    install("offering", EVERYTHING, {
        "moot.protocols": {"relay": "Relay"}, "moot.agents": {"echo": "Echo"}, "moot.judges": {"fair": "Fair"},
        "moot.computations": {"tossed": "tossed"}, "moot.machines": {"heap": "Heap"},
    })  # fmt: skip
    assert "relay" in names("protocol") and "offering" not in sys.modules
    assert find("protocol", "relay").__doc__ == "A debate of one's own." and everything("machine")["heap"]
    assert find("computation", "tossed").queries(None) == 1
    request: Any = None
    assert agent_from("echo:hear ")(request).text == "hear "
    assert agent_from("it", {"agents": {"it": {"kind": "echo", "words": "ab", "times": 2}}})(request).text == "abab"
    assert isinstance(agent_from("fair:echo:x"), moot.Panel)
    for table, says in (
        ({"words": "x", "tiems": 2}, r"\[agents.it\]: kind 'echo' has no option 'tiems'; did you mean 'times'"),
        ({"words": "x", "times": "2"}, r"\[agents.it\]: times is '2': .*integer"),
        ({}, r"\[agents.it\]: kind 'echo' needs words"),
    ):
        with pytest.raises(moot.UsageError, match=says):
            agent_from("it", {"agents": {"it": {"kind": "echo", **table}}})
    assert [plugin for kind in KINDS for plugin in plugins(kind) if plugin.problem] == []
    assert "✓ plug-in echo" in said("doctor") and "agent of offering" in said("doctor")


def test_a_broken_plug_in_is_named_and_keeps_nothing_else_from_working(install: Install) -> None:
    install("torn", "import no_such_package", {"moot.protocols": {"ragged": "Ragged"}, "moot.agents": {"ragged": "A"}})
    install("misnamed", "import moot\nclass Other(moot.Debate): pass", {"moot.protocols": {"unlike": "Other"}})
    assert find("protocol", "direct-qa") and "debate" in everything("protocol") and agent_from("human")
    broken = "the plug-in 'ragged' of torn cannot be loaded .torn:Ragged.: ModuleNotFoundError"
    with pytest.raises(moot.UsageError, match=broken):
        find("protocol", "ragged")
    with pytest.raises(moot.UsageError, match=broken.replace("Ragged", "A")):
        agent_from("ragged:x")
    lines = said("doctor", code=1).splitlines()
    (line, _) = [line for line in lines if line.startswith("✗ plug-in ragged")]
    assert "protocol of torn: the plug-in 'ragged'" in line and "no_such_package" in line
    (line,) = [line for line in lines if line.startswith("✗ plug-in unlike")]
    assert "misnamed:Other defines no protocol called 'unlike'" in line
    states = {each["name"]: each["state"] for each in map(json.loads, said("doctor", "--json", code=1).splitlines())}
    assert states["plug-in ragged"] == "broken" and states["python"] == "ok"


def test_two_plug_ins_with_one_name_are_named(install: Install) -> None:
    source = "import moot\nclass Twice(moot.Debate):\n    name = 'offered-twice'\nclass Debate(moot.Debate):\n    name = 'debate'"
    install("first", source, {"moot.protocols": {"offered-twice": "Twice"}})
    install("second", source, {"moot.protocols": {"offered-twice": "Twice", "debate": "Debate"}})
    with pytest.raises(
        moot.UsageError, match="two plug-ins offer a protocol called 'offered-twice': first:Twice of first and second"
    ):
        find("protocol", "offered-twice")
    assert find("protocol", "consultancy") and "offered-twice" not in everything("protocol")
    found = {(each.name, each.package): each.problem for each in plugins("protocol")}
    assert {*found} == {("offered-twice", "first"), ("offered-twice", "second"), ("debate", "second")}
    assert "uninstall one of them" in (found["offered-twice", "first"] or "")
    assert "two protocols are called 'debate': moot.protocols" in (found["debate", "second"] or "")


def test_a_missing_package_of_our_own_is_no_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "lost", registry.Kind("moot.lost", ("moot.tasks.lost",)))
    with pytest.raises(moot.UsageError, match="moot's own moot.tasks.lost is missing"):
        registry.names("lost")
