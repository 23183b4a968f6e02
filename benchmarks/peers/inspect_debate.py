"""Debates between models over a loopback server: moot, against the same debate as a solver of Inspect, with its log.

Both make the same calls, message by message, at once and with the same limits, and take the same speeches from the answers. Each
side is a process of its own, which is warm when it is measured: CPU seconds, the peak of its memory, and the bytes of its
files. A run of Inspect writes one `.eval` with all debates; moot writes a file for each, and seals them.

    python -m benchmarks.peers.inspect_debate moot|inspect URL < calls
"""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.calls import AT_ONCE, QUESTION, ROUNDS, bodies, decide, decided, seats
from benchmarks.peers.paired import PAIRS, Paired

DEBATES = AT_ONCE[0]
CALLS = DEBATES * 2 * ROUNDS
Body = dict[str, Any]


def theirs(url: str, calls: list[Body], folder: Path) -> tuple[list[list[str]], int]:
    """What was said in each debate, and the bytes of the log."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, get_model
    from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
    from inspect_ai.solver import Generate, Solver, TaskState, solver

    def messages(body: Body) -> list[Any]:
        of = {"system": ChatMessageSystem, "user": ChatMessageUser}
        return [of[each["role"]](content=each["content"]) for each in body["messages"]]

    prompts = [messages(body) for body in calls]
    model = get_model(
        "openai-api/mock/mock", base_url=url, api_key="none",
        config=GenerateConfig(max_tokens=calls[0]["max_tokens"], max_connections=2 * DEBATES, max_retries=0),
    )  # fmt: skip

    @solver  # type: ignore[untyped-decorator]
    def debate() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            said: list[str] = []

            async def turn(place: int) -> str:
                config = GenerateConfig(
                    seed=calls[place]["seed"], extra_body={"response_format": calls[place]["response_format"]}
                )
                output = await model.generate(prompts[place], config=config)
                return str(json.loads(output.completion)["text"])

            for first in range(0, len(prompts), 2):
                said += await asyncio.gather(turn(first), turn(first + 1))
            state.metadata["said"] = said
            state.completed = True
            return state

        return solve

    @scorer(metrics=[mean()])  # type: ignore[untyped-decorator]
    def judged() -> Scorer:
        async def score(state: TaskState, target: Target) -> Score:
            return Score(value=decide(None).probabilities[0])

        return score

    samples = [
        Sample(id=number, input=QUESTION.text, choices=list(QUESTION.choices), target="A")
        for number in range(1, DEBATES + 1)
    ]
    [log] = eval(
        Task(dataset=samples, solver=debate(), scorer=judged()), model=model, display="none", log_dir=str(folder),
        log_format="eval", max_samples=DEBATES, log_level="error",
    )  # fmt: skip
    assert log.status == "success" and log.samples is not None and len(log.samples) == DEBATES, log.error
    for sample in log.samples:
        assert sample.scores is not None and sample.scores["judged"].value == decide(None).probabilities[0]
    size = sum(each.stat().st_size for each in folder.glob("*.eval"))
    return [sample.metadata["said"] for sample in log.samples], size


def ours(url: str, calls: list[Body], folder: Path) -> tuple[list[list[str]], int]:
    import moot

    async def plays() -> None:
        sitting = seats(base_url=url)
        async with asyncio.TaskGroup() as group:
            for number in range(DEBATES):
                out = folder / f"{number}.jsonl"
                group.create_task(decided(moot.arun(moot.Debate(rounds=ROUNDS), QUESTION, sitting, out=out)))

    asyncio.run(plays())
    return [], 0


def sealed(folder: Path) -> tuple[list[list[str]], int]:
    """The same of moot's files; not measured, as it is done once, when a play is put away."""
    import moot
    from moot.transcripts.seal import seal

    said = [
        [step.move["text"] for step in moot.load(each).steps() if step.seat != "judge"]
        for each in sorted(folder.glob("*.jsonl"))
    ]
    return said, sum(seal(each).stat().st_size for each in sorted(folder.glob("*.jsonl")))


def child(side: str, url: str) -> None:
    """Play all debates twice in this process; print what the second time took, and what was said."""
    calls: list[Body] = json.loads(sys.stdin.read())
    run: Callable[..., Any] = ours if side == "moot" else theirs
    seconds = peak = size = 0.0
    said: list[list[str]] = []
    for _ in range(2):
        with tempfile.TemporaryDirectory() as name:
            begun = time.process_time()
            said, size = run(url, calls, Path(name))
            seconds = time.process_time() - begun
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            if side == "moot":
                said, size = sealed(Path(name))
    print(json.dumps({"seconds": seconds, "peak": peak, "bytes": size, "said": said}))


def rows() -> Iterator[Paired]:
    from inspect_ai import __version__

    from moot.testing.server.process import mock_process

    calls = json.dumps(bodies())
    took: dict[str, list[dict[str, Any]]] = {"moot": [], "inspect": []}
    with mock_process(latency_ms=50) as url:
        for _ in range(PAIRS):
            for side, found in took.items():
                command = [sys.executable, "-m", "benchmarks.peers.inspect_debate", side, url]
                done = subprocess.run(command, input=calls, capture_output=True, text=True, check=False)
                if done.returncode:
                    raise RuntimeError(f"{side}: {done.stderr[-2000:]}")
                found.append(json.loads(done.stdout.splitlines()[-1]))
    for mine, other in zip(*took.values(), strict=True):
        assert sorted(map(sorted, mine["said"])) == sorted(map(sorted, other["said"])), "they did not say the same"
        assert len(mine["said"]) == DEBATES and all(len(each) == 2 * ROUNDS for each in mine["said"])

    def row(name: str, field: str, limit: float, words: str, each: float) -> Paired:
        a, b = ([found[field] for found in side] for side in took.values())
        middle = [sorted(values)[len(values) // 2] * each for values in (a, b)]
        ratios = tuple(mine / other for mine, other in zip(a, b, strict=True))
        return Paired(name, ratios, limit, f"{words.format(*middle)} of Inspect {__version__}")

    yield row("CPU of a debate between models, against Inspect", "seconds", 1 / 12,
              f"{CALLS} generations: {{:.2f}} ms each against {{:.2f}} ms", 1000 / CALLS)  # fmt: skip
    yield row("peak memory of the same, against Inspect", "peak", 1.0, "{:.0f} MB against {:.0f} MB", 1)
    yield row("sealed bytes of the same, against Inspect's .eval", "bytes", 1.0,
              "{:.0f} bytes a generation against {:.0f}", 1 / CALLS)  # fmt: skip


if __name__ == "__main__":
    child(sys.argv[1], sys.argv[2])
