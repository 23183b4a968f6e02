"""Identity: what changes it, what does not, and that every process finds the same."""

from __future__ import annotations

import functools
import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import module_from_spec, spec_from_file_location
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import QUESTION, everywhere, speak

import moot
from moot.agents.identity import Identity, fingerprints, identity, protocol_fingerprint
from moot.agents.people.human import Human
from moot.studies.watch import Watched
from moot.tasks.base import known_tasks

HERE = Path(__file__).parent
_numbers = count()


def loaded(source: str, folder: Path) -> Any:
    """A module of this source, in a file of its own."""
    path = folder / f"identity{next(_numbers)}.py"
    path.write_text(source)
    spec = spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


PROGRAM = """
import functools, moot

def plain(request, least=1, *, most=2):
    return 3

def made(value):
    def agent(request):
        return value
    return agent
captured = made({"x": [1, (2, {3, "four"})]})

class Base:
    def act(self, request):
        return self.text

class Speaker(Base):
    def __init__(self, text="so"):
        self.text = text
    def told(self, how=7):
        return how
speaker = Speaker()
method = Speaker("as").act

def classes(value):
    class Held:
        def act(self, request):
            return value
    return Held
held = classes(5)()

@functools.lru_cache
def kept(request, than=3):
    return 4

first, second = lambda r: 10, lambda r: 11
third = (
    lambda r:
        12
)
part = functools.partial(plain, least=8)

@functools.wraps(plain)
def wrapped(request):
    return 9

SKILL = 0.25

def helped(request):
    return help_out(request)

def help_out(request):
    return SKILL if request else [deeper() for _ in "1"]

def deeper():
    return helped and 13

class Helped:
    def act(self, request):
        return (lambda: help_out(request))()
asking = Helped()

class Mine(moot.Debate):
    rounds: int | None = 6
"""
AGENTS = "plain captured speaker method held first second third part wrapped kept helped asking".split()
CHANGES = {  # an edit, and whom it changes
    ("return 3", "return 33"): {"plain", "part"},
    ("least=1", "least=0"): {"plain", "part"},
    ("most=2", "most=0"): {"plain", "part"},
    ('{3, "four"}', '{3, "five"}'): {"captured"},
    ("(2, {3", "(2.0, {3"): {"captured"},
    ("return self.text", "return str(self.text)"): {"speaker", "method"},
    ('text="so"', 'text="no"'): {"speaker", "method"},
    ("how=7", "how=0"): {"speaker", "method"},
    ('Speaker("as")', 'Speaker("is")'): {"method"},
    ("classes(5)", "classes(50)"): {"held"},
    ("r: 10", "r: 100"): {"first"},
    ("r: 11", "r: 1_1"): {"second"},
    ("        12", "        120"): {"third"},
    ("least=8", "least=80"): {"part"},
    ("return 9", "return 90"): {"wrapped"},
    ("return 4", "return 40"): {"kept"},
    ("than=3", "than=30"): {"kept"},
    ("if request else", "if not request else"): {"helped", "asking"},
    ("and 13", "and 14"): {"helped", "asking"},
    ("SKILL = 0.25", "SKILL = 0.5"): {"helped", "asking"},
    ("moot.Debate", "moot.OpenDebate"): set(),
    ("import functools, moot", "import functools, moot  # and a remark"): set(),
}


@pytest.mark.parametrize("edit", CHANGES, ids=lambda edit: edit[1].strip())
def test_an_edit_changes_those_whom_it_concerns(edit: tuple[str, str], tmp_path: Path) -> None:
    before, after = loaded(PROGRAM, tmp_path), loaded(PROGRAM.replace(*edit), tmp_path)
    found = {name: (identity(getattr(before, name)), identity(getattr(after, name))) for name in AGENTS}
    assert all(one is not None and other is not None for one, other in found.values())
    assert {name for name, (one, other) in found.items() if one != other} == CHANGES[edit]


def test_values_that_change_after_it_was_loaded(tmp_path: Path) -> None:
    module = loaded(PROGRAM, tmp_path)
    known = {name: identity(getattr(module, name)) for name in AGENTS}
    module.speaker.more = None
    module.plain.__defaults__ = (4,)
    assert {name for name in AGENTS if identity(getattr(module, name)) != known[name]} == {"speaker", "plain", "part"}


def holding(value: Any) -> Any:
    """An agent that holds a value."""
    return functools.partial(lambda held, request: speak(request), value)


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner) | st.dictionaries(st.text(max_size=2), inner),
    max_leaves=8,
)


@given(_values, _values)
def test_attributes_count_by_value_and_type(one: Any, other: Any) -> None:
    def found(value: Any) -> Identity | None:
        return identity(holding(value))

    assert found(one) is not None
    assert (found(one) == found(other)) == (repr(one) == repr(other) or _reordered(one) == _reordered(other))


def _reordered(value: Any) -> str:
    """A value as text, its dicts in one order."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_reordered(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, (list, tuple)):
        return type(value).__name__ + f"[{', '.join(map(_reordered, value))}]"
    return repr(value)


@given(st.dictionaries(st.text(max_size=3) | st.integers(), st.integers(), min_size=2), st.randoms())
def test_the_order_of_keys_does_not_count(table: dict[Any, int], order: random.Random) -> None:
    keys = list(table)
    order.shuffle(keys)
    assert identity(holding(table)) == identity(holding({key: table[key] for key in keys}))


def test_two_processes_find_the_same(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        PROGRAM + "\nwords = functools.partial(plain, frozenset('some of these words'.split()))\n"
    )
    code = (
        "import program, moot\nfrom moot.agents.identity import fingerprints, protocol_fingerprint\n"
        f"print(fingerprints({{name: getattr(program, name) for name in {[*AGENTS, 'words']}}}), protocol_fingerprint(program.Mine()))"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(tmp_path)])}
    found = {
        subprocess.run([sys.executable, "-c", code], env={**environment, "PYTHONHASHSEED": seed}, text=True, check=True,
                       capture_output=True).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(found) == 1 and "None" not in found.pop()


def test_what_cannot_be_seen_has_no_identity(tmp_path: Path) -> None:
    class Locked:
        def __init__(self) -> None:
            self.lock = threading.Lock()

        def act(self, request: moot.Request) -> moot.Move:
            return speak(request)

    names: dict[str, Any] = {}
    exec("def agent(request): return 1\nclass Agent:\n    def act(self, request): return 2", names)
    for agent in (names["agent"], names["Agent"](), Locked(), moot.Panel(speak, Locked()), Watched(Locked(), print)):
        assert identity(agent) is None
    assert identity(holding(threading.Lock())) is None
    names["agent"].identity = "1"
    names["Agent"].identity = property(lambda self: {"version": 1})
    assert identity(names["agent"]) == Identity(["stated", "1"]) and identity(names["Agent"]()) is not None


def test_a_stated_identity_counts_alone(tmp_path: Path) -> None:
    source = "class Agent:\n    identity = 'v1'\n    def act(self, request): return 1\nclass Heir(Agent): pass\n"
    one, other = loaded(source, tmp_path), loaded(source.replace("return 1", "return 2"), tmp_path)
    assert identity(one.Agent()) == identity(other.Agent()) != identity(one.Heir())
    newer = loaded(source.replace("v1", "v2"), tmp_path)
    assert identity(one.Agent()) != identity(newer.Agent())
    heir = loaded(source.replace("pass", "more = 1"), tmp_path)
    assert identity(one.Heir()) != identity(heir.Heir())


def test_circles_end_and_what_is_made_from_attributes_does_not_count() -> None:
    class Agent:
        def __init__(self) -> None:
            self.me: Any = [self]
            self.calls: Callable[..., Any] = self.act

        @functools.cached_property
        def table(self) -> dict[str, int]:
            return {"x": 1}

        def act(self, request: moot.Request) -> moot.Move:
            return speak(request)

    agent = Agent()
    before = identity(agent)
    assert before is not None and agent.table and identity(agent) == before


# -- models --------------------------------------------------------------------------------------------------------


def lm(model: str = "m", url: str = "http://127.0.0.1:1/v1", **options: Any) -> moot.LM:
    return moot.LM(model, base_url=url, **options)


def variants(folder: Path) -> Iterator[tuple[bool, moot.LM]]:
    """Models beside `lm()`, and whether they are the same."""
    (folder / "system.txt").write_text("You argue.")
    yield True, lm(url="http://127.0.0.1:2/v1")
    yield True, lm(api_key="k", prices=(1, 2), timeout=3, retries=0, backoff=1, cache=folder / "cache")
    yield True, lm(extra_body={"api_key": "k"})
    for changed in (
        {"temperature": 0.0}, {"max_tokens": 9}, {"seed": False}, {"structured": "tags"}, {"extra_body": {"min_tokens": 3}},
        {"prompts": folder}, {"identity": "mine"}, {"guided": True}, {"model": "n"},
    ):  # fmt: skip
        yield False, lm(**changed)


def test_a_model_is_its_name_its_sampling_and_its_prompts(tmp_path: Path) -> None:
    for same, other in variants(tmp_path):
        assert (identity(other) == identity(lm())) == same, other.describe()
        assert (identity(moot.ModelJudge(other)) == identity(moot.ModelJudge(lm()))) == same
    before = identity(lm(prompts=tmp_path))
    (tmp_path / "system.txt").write_text("You argue well.")
    assert identity(lm(prompts=tmp_path)) != before
    assert lm(identity="mine").describe()["identity"] == "mine" and "identity" not in lm().describe()
    for wrong in ("", 3):
        with pytest.raises(moot.UsageError, match="identity is"):
            lm(identity=wrong)


def test_wrappers_compose() -> None:
    def other(request: moot.Request) -> moot.Move:
        return speak(request)

    third = functools.partial(speak)

    def made(agent: Any) -> list[Any]:
        return [
            moot.BestOf(agent, 2, by=third), moot.BestOf(third, 2, by=agent), moot.BestOf(agent, 3, by=third),
            moot.BestOf(third, 2, score=agent), moot.BestOf(third, 2, by=agent, least=2),
            moot.CritiqueAndRefine(agent, third), moot.CritiqueAndRefine(third, agent),
            moot.CritiqueAndRefine(third, third, agent, critiques=2), moot.Panel(agent, third),
            moot.Panel(agent, third, rule="vote"), moot.Bounded(agent, reads="n"), moot.Bounded(agent, reads="n + 1"),
            Human(input=agent), Human(input=agent, name="Ann"),
        ]  # fmt: skip

    ours, theirs = ([identity(each) for each in made(agent)] for agent in (speak, other))
    assert None not in (*ours, *theirs)
    assert len({str(each) for each in (*ours, *theirs)}) == 2 * len(ours)
    assert ours == [identity(each) for each in made(speak)] == [identity(Watched(each, print)) for each in made(speak)]
    assert identity(Human()) != identity(Human(name="Ann")) is not None
    before = identity(Watched(other, print))
    assert identity(Watched(speak, print, before)) == before


def test_every_program_of_every_task_has_an_identity() -> None:
    for name, task in known_tasks().items():
        programs = {key: identity(made()) for key, made in task.programs().items()}
        assert None not in programs.values(), name
        assert len({str(each) for each in programs.values()}) == len(programs), name


# -- protocols, and what is recorded -------------------------------------------------------------------------------


def test_a_protocol_is_its_parameters_and_its_source(tmp_path: Path) -> None:
    one, other = loaded(PROGRAM, tmp_path), loaded(PROGRAM.replace("= 6", "= 7"), tmp_path)
    assert protocol_fingerprint(moot.Debate(rounds=2)) == protocol_fingerprint(moot.Debate())
    assert protocol_fingerprint(moot.Debate(rounds=3)) != protocol_fingerprint(moot.Debate())
    assert protocol_fingerprint(one.Mine()) != protocol_fingerprint(other.Mine())
    assert None not in (protocol_fingerprint(one.Mine()), protocol_fingerprint(moot.Debate()))
    stated = PROGRAM.replace(
        "class Mine(moot.Debate):",
        "from typing import ClassVar\nclass Mine(moot.Debate):\n    identity: ClassVar[str] = '1'",
    )
    one, other = loaded(stated, tmp_path), loaded(stated + "    def more(self): ...\n", tmp_path)
    assert protocol_fingerprint(one.Mine()) == protocol_fingerprint(other.Mine())


def test_identities_are_recorded_and_take_no_part_in_the_digest(tmp_path: Path) -> None:
    debate = moot.Debate(rounds=1)
    held = functools.partial(speak)
    recorded = moot.run(debate, QUESTION, everywhere(debate, speak, judge=held), out=tmp_path / "d.jsonl")
    meta = recorded.started["meta"]
    known = identity(speak)
    assert known is not None and meta["identities"]["a"] == meta["identities"]["b"] == known.fingerprint
    assert meta["identities"]["judge"] not in (None, known.fingerprint)
    assert meta["protocol_identity"] == protocol_fingerprint(debate)
    assert recorded.digest == moot.run(debate, QUESTION, everywhere(debate, speak)).digest


def test_an_agent_that_holds_several_seats_is_read_once_a_play_and_again_in_the_next() -> None:
    class Stated:
        version, reads = 1, 0

        def identity(self) -> int:
            self.reads += 1
            return self.version

    agent, other = Stated(), Stated()
    first = fingerprints({"a": agent, "b": agent, "judge": other})
    assert (agent.reads, other.reads) == (1, 1) and first["a"] == first["b"] == first["judge"]
    agent.version = 2
    again = fingerprints({"a": agent, "b": other, "judge": agent})
    assert again["a"] == again["judge"] != first["a"] == again["b"]


def test_moves_that_an_agent_holds_count_by_what_they_say() -> None:
    def policy(*moves: moot.Move) -> object:
        shares = {move: 1 / len(moves) for move in moves}
        return moot.Policy(lambda request: shares)

    class Vow(moot.Speech):
        kind: Literal["identity-vow"] = "identity-vow"  # type: ignore[assignment]

    def fingerprint(agent: object) -> str | None:
        found = identity(agent)
        return None if found is None else found.fingerprint

    said = [fingerprint(policy(moot.Speech(text=text))) for text in ("a", "a", "b")]
    assert said[0] == said[1] != said[2] and None not in said
    assert fingerprint(policy(Vow(text="a"))) not in (None, said[0])
    assert fingerprint(policy(moot.Answer(choice=1))) != fingerprint(policy(moot.Answer(choice=0)))
