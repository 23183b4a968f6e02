"""Many questions: one transcript each, several plays at a time, taken up again where an earlier run broke off."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import anyio

from moot.agents.base import close_all, start_all
from moot.cli.board import Board, board
from moot.cli.frame import OK, UNDECIDED, Interrupted, innermost, tell, tell_json
from moot.cli.plan import Plan, seated
from moot.cli.watch import Watched
from moot.complexity.reward import correct, judge_reward
from moot.play.driver import arun
from moot.play.rerun import aresume
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import MootError, UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.display.scenes import described
from moot.transcripts.index import ended_at, first_event
from moot.transcripts.transcript import Transcript


@dataclass(frozen=True)
class Job:
    """One play to be had: of `protocol` on `sample`, recorded at `path`. pair: its question, for both seatings."""

    pair: str
    protocol: Protocol
    sample: Sample
    seed: int
    path: Path


@dataclass(frozen=True)
class Row:
    """How one job ended. outcome: its kind, or "not played". how: "played", "resumed" or "was there"."""

    pair: str
    path: str
    outcome: str
    how: str
    probabilities: tuple[float, ...] | None = None
    correct: bool | None = None
    scored: bool = False
    reward: float | None = None
    problem: str | None = None
    seconds: float = 0.0


def play_set(
    planned: Plan, protocols: Sequence[Protocol], samples: Sequence[Sample], out: Path, limit: int, json: bool
) -> int:
    """Play every sample under every protocol, at most `limit` at a time, and print what came of it.

    What a folder holds already is not played again: ended plays are kept, unfinished and errored ones taken up. Returns
    the exit code. Raises Interrupted on Ctrl-C; then every play under way is whole and can be taken up.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file; with --set it names a folder")
    jobs = list(jobs_of(protocols, samples, out, planned.seed))
    agents = seated(planned.seats, planned.bounds, planned.config)
    rows: list[Row] = []

    async def whole() -> None:
        waiting = iter(jobs)

        async def worker() -> None:
            for job in waiting:
                row = await _one(job, agents, shown)
                rows.append(row)
                shown.ended(row.path, row.outcome, row.problem)

        await start_all(agents.values())  # held over all plays, so that connections stay open between them
        try:
            async with anyio.create_task_group() as group:
                for _ in range(min(limit, len(jobs))):
                    group.start_soon(worker)
        finally:
            with anyio.CancelScope(shield=True):
                await close_all(agents.values())

    try:
        with board(len(jobs)) as shown:
            anyio.run(whole)
    except BaseException as error:
        if not isinstance(innermost(error), KeyboardInterrupt):
            raise
        raise Interrupted(
            f"interrupted; {len(rows)} of {len(jobs)} plays have ended, and all that was said in the others is kept "
            f"in {out}; the same command goes on"
        ) from None
    rows.sort(key=lambda row: row.path)
    found = totals(rows)
    if json:
        for row in rows:
            tell_json({**asdict(row), "record": "play"})
        tell_json({**found, "record": "totals"})
    else:
        for line in totals_text(found, rows):
            tell(line)
        tell(f"transcripts: {out} (moot list {out})")
    return OK if found["outcomes"] == {"decided": len(rows)} else UNDECIDED


def jobs_of(protocols: Sequence[Protocol], samples: Sequence[Sample], out: Path, seed: int) -> Iterator[Job]:
    """The plays of a set, each with a file name and a seed that depend on its question's id alone."""
    slugs = [re.sub(r"[^A-Za-z0-9_.-]+", "-", str(sample.question.id or "")).strip("-.")[:80] for sample in samples]
    taken = [slug.lower() for slug in slugs]
    for sample, slug in zip(samples, slugs, strict=True):
        key = str(sample.question.id or sample.question.text)
        name = slug
        if not slug or taken.count(slug.lower()) > 1:
            name = f"{slug or 'question'}-{blake2b(key.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
        mine = int.from_bytes(blake2b(f"{seed}/{key}".encode("utf-8", "replace"), digest_size=4).digest(), "big")
        for index, protocol in enumerate(protocols):
            yield Job(name, protocol, sample, mine, out / f"{name}{'.swapped' if index else ''}.jsonl")


async def _one(job: Job, agents: Mapping[str, Any], shown: Board) -> Row:
    begun = time.perf_counter()
    sealed = job.path.with_name(job.path.name + ".zst")
    try:
        agents = {seat: agents[seat] for seat in job.protocol.roles(job.sample.question)}
        path = sealed if sealed.exists() else job.path
        how = state(path, job, agents)
        if how == "was there":
            transcript = Transcript(path=path)
        else:
            watched = {seat: Watched(agent, shown.watch(str(job.path))) for seat, agent in agents.items()}
            if how == "resumed":
                transcript = await aresume(path, watched, protocol=job.protocol)
            else:
                transcript = await arun(job.protocol, job.sample, watched, seed=job.seed, out=path)
        outcome = transcript.outcome
        problem = getattr(outcome, "cause", None) or getattr(outcome, "rule", None)
        return Row(
            job.pair, str(path), outcome.kind if outcome else "not ended", how,
            outcome.verdict.probabilities if isinstance(outcome, Decided) else None, correct(transcript),
            isinstance(outcome, Decided) and job.sample.unseal() is not None, judge_reward(transcript), problem,
            round(time.perf_counter() - begun, 3),
        )  # fmt: skip
    except MootError as error:
        return Row(job.pair, str(job.path), "not played", "", problem=str(error))


def state(path: Path, job: Job, agents: Mapping[str, Any]) -> str:
    """What is to be done about a job's file: "played" (there is nothing yet), "resumed", or "was there" (ended).

    Raises UsageError when the file holds another play, so that old results never pass for new ones.
    """
    if not path.exists():
        return "played"
    if path.suffix != ".zst":
        with open(path, "rb") as file:
            if not file.readline().endswith(b"\n"):  # killed before the first event was whole: nothing was said
                path.unlink()
                return "played"
    outcome = ended_at(path)
    started = first_event(path) if path.suffix != ".zst" else Transcript(path=path).started
    seats = {seat: described(agent) for seat, agent in (started["meta"].get("seats") or {}).items()}
    ours = {seat: described(Watched(agent, lambda *_: None).describe()) for seat, agent in agents.items()}
    differs = next(
        (name for name, same in (
            ("question", Question(**started["question"]) == job.sample.question),
            ("protocol", started["protocol"] == record_of(job.protocol)),
            ("seed", started["seed"] == job.seed),
            ("agents", seats == ours),
        ) if not same), None,
    )  # fmt: skip
    if differs is not None:
        raise UsageError(f"{path} holds a play with other {differs}; take another folder for -o")
    return "was there" if outcome is not None and outcome != "errored" else "resumed"


def totals(rows: Sequence[Row]) -> dict[str, Any]:
    """How many of each outcome; of the scored ones how many right, wrong and tied; the mean reward."""
    outcomes: dict[str, int] = {}
    for row in rows:
        outcomes[row.outcome] = outcomes.get(row.outcome, 0) + 1
    scored = [row for row in rows if row.scored]
    rewards = [row.reward for row in scored if row.reward is not None]
    finite = bool(rewards) and all(abs(reward) != float("inf") for reward in rewards)
    found: dict[str, Any] = {
        "plays": len(rows), "outcomes": outcomes, "scored": len(scored),
        "right": sum(row.correct is True for row in scored), "wrong": sum(row.correct is False for row in scored),
        "tied": sum(row.correct is None for row in scored),
        "mean_reward": sum(rewards) / len(rewards) if finite else None,
    }  # fmt: skip
    pairs: dict[str, list[Row]] = {}
    for row in rows:
        if row.probabilities is not None:
            pairs.setdefault(row.pair, []).append(row)
    both = [pair for pair in pairs.values() if len(pair) == 2]
    if both:
        gains = []
        for pair in both:
            plain, swapped = sorted(pair, key=lambda row: ".swapped." in row.path)
            assert plain.probabilities is not None and swapped.probabilities is not None
            gains.append((plain.probabilities[0] + swapped.probabilities[-1]) / 2 - 1 / len(plain.probabilities))
        found.update(pairs=len(both), first_seat=sum(gains) / len(gains))
    return found


def totals_text(found: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    """The totals as lines."""
    lines = [", ".join(f"{count} {kind}" for kind, count in sorted(found["outcomes"].items())) or "no plays"]
    lines += [
        f"  {row.path}: {row.outcome}: {' '.join(str(row.problem).split())[:300]}" for row in rows if row.problem
    ][:20]
    if found["scored"]:
        reward = found["mean_reward"]
        lines.append(
            f"of {found['scored']} decided with a known truth: {found['right']} right, {found['wrong']} wrong, "
            f"{found['tied']} without an answer ahead"
            + (f"; mean reward of the judge {reward:.4g}" if reward is not None else "")
        )
    if "pairs" in found:
        lines.append(
            f"seat a gains {found['first_seat']:+.3f} over an even share, whatever it defends ({found['pairs']} pairs)"
        )
    kept = sum(row.how == "was there" for row in rows)
    if kept:
        lines.append(f"{kept} had ended before and were not played again")
    return lines
