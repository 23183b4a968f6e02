"""The face: what an editor sees of it, what it refuses where it is given, and how its errors look."""

from __future__ import annotations

import asyncio
import inspect
import traceback
from pathlib import Path
from typing import Any

import pytest
from players import QUESTION, everywhere, speak

import moot
from moot.cli import main
from moot.play.run import in_loop

DEBATE = moot.Debate(rounds=1)
SEATS = everywhere(DEBATE, speak)


class Wrong(moot.Protocol):
    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"judge": "judge"}

    async def play(self, floor: moot.Floor, question: moot.Question) -> Any:
        return 3


@pytest.mark.parametrize("name", ["run", "resume", "fork", "rejudge"])
def test_plain_verbs_take_what_their_asynchronous_forms_take(name: str) -> None:
    plain, awaited = (inspect.signature(getattr(moot, each)) for each in (name, f"a{name}"))
    assert inspect.iscoroutinefunction(getattr(moot, f"a{name}"))
    assert not any(each.kind is each.VAR_KEYWORD for each in plain.parameters.values())
    assert [*plain.parameters.values()][:-1] == [*awaited.parameters.values()]
    assert [*plain.parameters][-1] == "backend" and inspect.getdoc(getattr(moot, f"a{name}"))


@pytest.mark.parametrize(
    "given, part",
    [
        ({"seed": "x"}, "seed is 'x'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": None}, "seed is None"),
        ({"seed": True}, "seed is True"),
        ({"seats": [1]}, r"seats is \[1\]; it must be a mapping"),
        ({"seats": None}, "seats is None"),
        ({"seats": {"a": 1, "b": speak, "judge": speak}}, "1 cannot take a seat"),
        ({"protocol": moot.Debate}, r"Debate is a class; .*Debate\(\)"),
        ({"protocol": "debate"}, "not 'debate'"),
        ({"sample": "Who?"}, "not 'Who\\?'"),
        ({"out": 3}, "out is 3"),
        ({"out": "."}, "is a folder; name the transcript"),
        ({"out": "d.jsonl.zst"}, "moot seal"),
        ({"backend": "curio"}, "backend is 'curio'"),
    ],
)  # fmt: skip
def test_a_wrong_type_is_refused_where_it_is_given(given: dict[str, Any], part: str, tmp_path: Path) -> None:
    words: dict[str, Any] = {"protocol": DEBATE, "sample": QUESTION, "seats": SEATS, **given}
    with pytest.raises(moot.UsageError, match=part):
        moot.run(**words)


def test_wrong_types_of_the_other_verbs(tmp_path: Path) -> None:
    whole = moot.run(DEBATE, QUESTION, SEATS, out=tmp_path / "d.jsonl")
    wrong: Any
    for wrong in ("d.jsonl", tmp_path, None):
        with pytest.raises(moot.UsageError, match="takes a transcript"):
            moot.fork(wrong, "1", SEATS)
        with pytest.raises(moot.UsageError, match="takes a transcript"):
            moot.rejudge(wrong, speak)
    wrong = 1
    with pytest.raises(moot.UsageError, match="at is 1; it must be a step"):
        moot.fork(whole, wrong, SEATS)
    with pytest.raises(moot.UsageError, match="is a class"):
        moot.fork(whole, "1", SEATS, protocol=moot.Debate)  # type: ignore[arg-type]
    wrong = whole
    with pytest.raises(moot.UsageError, match="the path of a transcript"):
        moot.resume(wrong, SEATS)


def test_errors_come_alone() -> None:
    with pytest.raises(moot.ProtocolError) as caught:
        moot.run(Wrong(), QUESTION, {"judge": speak})
    assert "".join(traceback.format_exception(caught.value)).count("Traceback") == 1


@pytest.mark.parametrize("loop", ["asyncio", "trio", "callback"])
def test_inside_a_loop_it_runs_in_a_thread(loop: str) -> None:
    found: list[moot.Transcript] = []

    async def here() -> None:
        found.append(moot.run(DEBATE, QUESTION, SEATS))

    async def later() -> None:
        asyncio.get_running_loop().call_soon(lambda: found.append(moot.run(DEBATE, QUESTION, SEATS)))
        await asyncio.sleep(0.01)

    in_loop(later if loop == "callback" else here, "trio" if loop == "trio" else "asyncio")
    assert isinstance(found[0].outcome, moot.Decided)


def test_the_command_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert not ended.value.code and capsys.readouterr().out == f"moot {moot.__version__}\n"
