"""Many questions: one transcript each, several plays at a time. A folder that is played again plays exactly what changed.

Rule of this file: it decides what is played, and counts what came of it; playing is the driver's.
"""

from __future__ import annotations

import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import count
from pathlib import Path
from typing import Any

import anyio
from pydantic_core import from_json

from moot.agents.base import close_all, describe, start_all, together
from moot.agents.failing import cancelled, contained, interrupts
from moot.agents.identity import Identity, identity, protocol_fingerprint
from moot.agents.models.batches.batch import Batch
from moot.agents.money.bill import bill_of, charged
from moot.agents.money.cap import Cap, pricing
from moot.agents.money.models import models_in
from moot.cli.frame import OK, UNDECIDED, Interrupted, complain, tell, tell_json
from moot.cli.plan import Plan, seated, seed_of_play
from moot.complexity.reward import correct, judge_reward
from moot.play.rerun import aresume
from moot.play.run import arun
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, SealedElsewhere, UsageError, said
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Sample
from moot.studies.watch import Board, Watched, board
from moot.transcripts.events import LONGEST
from moot.transcripts.index import ended_at
from moot.transcripts.store import Fsync, Writer, room_for
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import stem_of, truth_files


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
    """How one job ended. outcome: its kind, "not ended" or "not played". how: "played", "resumed", "kept" or "played again",
    and why."""

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
    why: str | None = None


def play_set(
    planned: Plan, protocols: Sequence[Protocol], samples: Sequence[Sample], out: Path, limit: int | None, json: bool,
    batched: bool = False,
) -> int:  # fmt: skip
    """Play every sample under every protocol, at most `limit` at a time, and print what came of it. batched: calls are gathered in
    batches, which are kept in the folder's `batches/`; then all are played at the same time, unless there is a limit.

    What a folder holds of the same question, seed, protocol and agents (by identity) is not played again: ended plays are
    kept, unreadable ones too, as answers that are asked for until they fit show nothing; unfinished and errored ones are
    taken up. Anything else is played again, and the old file kept in `replaced/`.
    Returns the exit code. Raises Interrupted on Ctrl-C; then every play under way is whole and can be taken up, and
    UsageError where two seats have models that differ by nothing but their host.
    """
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out} is a file; with --set it names a folder")
    jobs = list(jobs_of(protocols, samples, out, planned.seed))
    limit = limit or (len(jobs) if batched else 4)
    agents = seated(planned.seats, planned.bounds, planned.config)
    one_host(agents)
    known = {seat: identity(agent) for seat, agent in agents.items()}
    ended: dict[Path, Row] = {}
    cap = None if planned.max_cost is None else Cap(planned.max_cost, spent_in(out, agents))
    if cap is not None:
        cap.check(agents, cap.left)
    if (room := room_for(min(limit, len(jobs)))) < min(limit, len(jobs)):
        complain(f"{room} plays at a time and not {limit}: no more files can be open here (ulimit -n)")
        limit = room

    async def whole() -> None:
        waiting = iter(jobs)

        async def worker() -> None:
            for job in waiting:
                if cap is not None and cap.refused:
                    return
                row = ended[job.path] = await _one(job, agents, known, shown, planned.fsync)
                shown.ended(row.path, row.outcome, row.problem)

        try:
            await start_all(agents.values())  # held over all plays, so that connections stay open between them
        except UsageError:
            raise
        except Exception:
            pass  # each play starts them too, and says what is wrong
        try:
            await together([worker] * min(limit, len(jobs)))
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await close_all(agents.values())
                except Exception as error:
                    complain(f"an agent failed to close: {type(error).__name__}: {said(error)}; the plays are kept")

    try:
        gathered = Batch(out / "batches") if batched else nullcontext()
        with board(len(jobs)) as shown, nullcontext() if cap is None else cap, gathered:
            anyio.run(whole)
    except BaseException as error:
        if not interrupts(error):
            raise
        raise Interrupted(f"interrupted; {len(ended)} of {len(jobs)} plays have ended, and all that was said in the others is "
                          f"kept in {out}; the same command goes on") from None  # fmt: skip
    rows = [ended.get(job.path) or Row(job.pair, str(job.path), "not played", "") for job in jobs]
    rows.sort(key=lambda row: row.path)
    found = totals(rows)
    if json:
        for row in rows:
            tell_json({**asdict(row), "record": "play"})
        tell_json({**found, "record": "totals"})
    else:
        tell("\n".join((*totals_text(found, rows), f"transcripts: {out} (moot list {out})")))
    if cap is not None and cap.refused:
        complain(f"stopped at the cap: {cap.refused}; the same command with a higher --max-cost goes on")
    return OK if found["outcomes"] == {"decided": len(jobs)} else UNDECIDED


def spent_in(folder: Path, agents: Mapping[str, Any]) -> float:
    """What the plays of a folder have cost, those that were replaced with them. Raises UsageError where that is unknown."""
    found = (
        path
        for path in (*folder.glob("*.jsonl*"), *folder.glob("replaced/*.jsonl*"))
        if path.suffix in (".jsonl", ".zst")
    )
    price = pricing(agents)
    return sum(
        charged(bill_of(Transcript(path=path).events(), price), str(path)) for path in sorted(found) if _begun(path)
    )


def jobs_of(protocols: Sequence[Protocol], samples: Sequence[Sample], out: Path, seed: int) -> Iterator[Job]:
    """The plays of a set, each with a file name and a seed that depend on its question's id alone."""
    slugs = [re.sub(r"[^A-Za-z0-9_.-]+", "-", str(sample.question.id or "")).strip("-.")[:80] for sample in samples]
    known, taken = Counter(slug.lower() for slug in slugs), set[str]()
    for sample, slug in zip(samples, slugs, strict=True):
        key = str(sample.question.id or sample.question.text)
        name = slug
        if (
            not slug or known[slug.lower()] > 1 or slug.lower().endswith(".swapped")
        ):  # which may be another's second seating
            name = f"{slug or 'question'}-{blake2b(key.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
        names = (name, *(f"{name}-{number}" for number in range(2, len(slugs) + 1)))
        name = next(each for each in names if each.lower() not in taken)  # ids that differ can have one hash
        taken.add(name.lower())
        mine = seed_of_play(seed, sample.question)
        for index, protocol in enumerate(protocols):
            yield Job(name, protocol, sample, mine, out / f"{name}{'.swapped' if index else ''}.jsonl")


def one_host(agents: Mapping[str, Any]) -> None:
    """Raise UsageError where the models of two seats differ by nothing but their host, unless their identity is stated."""
    places: dict[str, tuple[str, Any]] = {}
    for seat, agent in agents.items():
        for model in models_in(describe(agent)):
            same = repr(sorted((key, str(value)) for key, value in model.items() if key not in ("endpoint", "prices")))
            other, place = places.setdefault(same, (seat, model["endpoint"]))
            if place != model["endpoint"] and "identity" not in model:
                raise UsageError(f"the model {model['model']} of {other!r} is at {place}, that of {seat!r} at {model['endpoint']}, "
                                 'and nothing else tells them apart: say whether they are one model by identity = "NAME" '
                                 "in an [agents.NAME] of --config (in Python: LM(identity=))")  # fmt: skip


async def _one(
    job: Job, agents: Mapping[str, Any], known: Mapping[str, Identity | None], shown: Board, fsync: Fsync
) -> Row:
    begun = time.perf_counter()
    sealed = job.path.with_name(job.path.name + ".zst")
    try:
        seats = job.protocol.roles(job.sample.question)
        path = sealed if sealed.exists() else job.path
        how, why = state(path, job, {seat: known[seat] for seat in seats})
        if how == "kept":
            transcript = Transcript(path=path)
        else:
            watched = {seat: Watched(agents[seat], shown.watch(str(job.path)), known[seat]) for seat in seats}
            if how == "played again":
                set_aside(path)
            if how == "resumed":
                transcript = await aresume(path, watched, protocol=job.protocol, fsync=fsync)
            else:
                path = job.path
                transcript = await arun(job.protocol, job.sample, watched, seed=job.seed, out=path, fsync=fsync)
        outcome, seconds = transcript.outcome, round(time.perf_counter() - begun, 3)
        problem = next(filter(None, (getattr(outcome, name, None) for name in ("cause", "rule", "reason"))), None)
        believed = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
        row = Row(job.pair, str(path), outcome.kind if outcome else "not ended", how, believed, problem=problem,
                  seconds=seconds, why=why)  # fmt: skip
    except BaseException as error:
        failure = contained(error)
        if not isinstance(failure, Exception) or cancelled():
            raise failure from None
        told = said(failure) if isinstance(failure, MootError) else f"{type(failure).__name__}: {said(failure)}"
        return Row(job.pair, str(job.path), "not played", "", problem=told)
    try:
        scored = believed is not None and job.sample.unseal() is not None
        return replace(row, scored=scored, correct=correct(transcript), reward=judge_reward(transcript))
    except Exception as error:
        return replace(row, problem=f"it cannot be scored: {type(error).__name__}: {said(error)}")


def state(path: Path, job: Job, known: Mapping[str, Identity | None]) -> tuple[str, str | None]:
    """What is to be done about a job's file: "played" (there is nothing yet), "resumed", "kept", or "played again" and why.

    known: the identities of those who would sit there now. Raises TranscriptError where the file is no transcript.
    """
    if not path.exists():
        return "played", None
    if path.suffix != ".zst" and not _begun(path):
        with closing(Writer(path, append=True)):  # nobody writes it just now
            if not _begun(path):  # killed before the first event was whole: nothing was said
                path.unlink()
                return "played", None
    outcome = ended_at(path)
    started = (found := Transcript(path=path)).started
    meta, protocol = started["meta"], protocol_fingerprint(job.protocol)
    for what, same in (
        ("another question", found.question == job.sample.question),
        ("another truth", _same_truth(found, job.sample)),
        ("another seed", started["seed"] == job.seed),
        ("the protocol states no identity", protocol is not None),
        ("the protocol has changed", protocol == meta.get("protocol_identity")),
    ):
        if not same:
            return "played again", what
    sat = (b'{"event":"started"', b'{"event":"resumed"')  # those who began the play, and those who took it up
    for line in (line for line in Transcript(path=path).lines() if line.startswith(sat)):
        names = from_json(line)["meta"].get("identities") or {}
        for seat, now in known.items():
            if now is None:
                return "played again", f"{seat} states no identity"
            if names.get(seat) != now.fingerprint:
                return "played again", f"{seat} has changed"
    return "kept" if outcome is not None and outcome != "errored" else "resumed", None


def _same_truth(transcript: Transcript, sample: Sample) -> bool:
    """Whether a transcript is of the truth of a sample, as far as it is here: a play whose truth lies elsewhere is kept."""
    try:
        return transcript.sample.unseal() == sample.unseal()
    except SealedElsewhere:
        return True


def _begun(path: Path) -> bool:
    if path.suffix == ".zst":
        return True
    with open(path, "rb") as file:
        return file.readline(LONGEST).endswith(b"\n")


def set_aside(path: Path) -> Path:
    """Move a transcript, whole, and its truth to a name in the folder `replaced` beside it that nothing has. Raises UsageError while another
    process writes it."""
    stem, dot, suffix = path.name.partition(".jsonl")
    names = (path.parent / "replaced" / f"{stem}.replaced-{number}{dot}{suffix}" for number in count(1))
    aside = next(name for name in names if not name.exists())
    aside.parent.mkdir(exist_ok=True)
    with nullcontext() if path.suffix == ".zst" else closing(Writer(path, append=True)):
        if (truth := truth_file(path)) is None:
            return path.rename(aside)
        shutil.copyfile(truth, aside.with_name(f"{stem_of(aside)}.truth.json"))  # before, so that a kill loses neither
        path.rename(aside)
        truth.unlink()
        return aside


def truth_file(path: Path) -> Path | None:
    """The file beside a transcript that holds its truth and is called after it."""
    try:
        seal = Transcript(path=path).started["meta"].get("sealed") or {}
    except MootError:
        return None
    return next((each for each in truth_files(path) if each.name == seal.get("file")), None)


def seat_gain(plain: Sequence[float], swapped: Sequence[float]) -> float:
    """What the answer of seat a gets on average over both seatings, less an even share."""
    return (plain[0] + swapped[-1]) / 2 - 1 / len(plain)


def totals(rows: Sequence[Row]) -> dict[str, Any]:
    """How many of each outcome; of the scored ones how many right, wrong and tied; the mean reward."""
    scored = [row for row in rows if row.scored]
    rewards = [row.reward for row in scored if row.reward is not None]
    finite = bool(rewards) and all(abs(reward) != float("inf") for reward in rewards)
    found: dict[str, Any] = {
        "plays": len(rows), "outcomes": Counter(row.outcome for row in rows), "scored": len(scored),
        "right": sum(row.correct is True for row in scored), "wrong": sum(row.correct is False for row in scored),
        "tied": sum(row.correct is None for row in scored),
        "mean_reward": sum(rewards) / len(rewards) if finite else None,
        "how": Counter(row.how for row in rows if row.how), "why": Counter(row.why for row in rows if row.why),
    }  # fmt: skip
    plain, swapped = ({row.pair: row.probabilities for row in rows if row.probabilities is not None
                       and Path(row.path).name.startswith(f"{row.pair}.swapped.") is second}
                      for second in (False, True))  # fmt: skip
    gains = [seat_gain(plain[pair], swapped[pair]) for pair in plain if pair in swapped]
    if gains:
        found.update(pairs=len(gains), first_seat=sum(gains) / len(gains))
    return found


def totals_text(found: Mapping[str, Any], rows: Sequence[Row]) -> list[str]:
    """The totals as lines."""
    lines = [", ".join(f"{count} {kind}" for kind, count in sorted(found["outcomes"].items())) or "no plays"]
    bad = [row for row in rows if row.problem][:20]
    lines += [f"  {row.path}: {row.outcome}: {' '.join(str(row.problem).split())[:300]}" for row in bad]
    if found["scored"]:
        reward = "" if found["mean_reward"] is None else f"; mean reward of the judge {found['mean_reward']:.4g}"
        lines.append("of {scored} decided with a known truth: {right} right, {wrong} wrong, {tied} without an answer "
                     "ahead".format_map(found) + reward)  # fmt: skip
    if "pairs" in found:
        lines.append("seat a gains {first_seat:+.3f} over an even share, whatever it defends ({pairs} pairs)".format_map(found))  # fmt: skip
    if found["how"].keys() - {"played"}:
        lines.append(", ".join(f"{number} {how}" for how, number in sorted(found["how"].items())))
    for why, number in found["why"].most_common():
        lines.append(f"  {number} played again: {why}; what was there is in {Path(rows[0].path).parent / 'replaced'}")
    return lines
