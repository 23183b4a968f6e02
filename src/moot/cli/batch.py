"""Many questions: one transcript each, several plays at a time. A folder that is played again plays exactly what changed.

Rule of this file: it decides what is played, and counts what came of it; playing is the driver's.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
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
from moot.agents.people.terminal import show
from moot.cli.frame import OK, UNDECIDED, Interrupted, complain, json_line, tell, tell_json
from moot.cli.plan import Plan, seated, seed_of_play
from moot.complexity.reward import continues, correct, judge_reward, leader, reward_of
from moot.play.rerun import aresume
from moot.play.run import arun
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import MootError, SealedElsewhere, UsageError, said
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Sample
from moot.studies.kept import Facts, Kept, file_mark, mark_of, truth_beside
from moot.studies.tally import Row, Tally
from moot.studies.watch import Board, Watched, board
from moot.transcripts.events import LONGEST
from moot.transcripts.index import ended_at
from moot.transcripts.store import Fsync, Writer, room_for
from moot.transcripts.transcript import Transcript
from moot.transcripts.truth import stem_of, truth_files

_TAKEN = -1
_OTHERS = re.compile(r"[^A-Za-z0-9_.-]+")


@dataclass(frozen=True, slots=True)
class Job:
    """One play to be had: of `protocol` on `sample`, recorded at `path`. pair: its question, for both seatings."""

    pair: str
    protocol: Protocol
    sample: Sample
    seed: int
    path: Path


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
    jobs, plays = jobs_of(protocols, samples, out, planned.seed), len(protocols) * len(samples)
    limit = limit or (plays if batched else 4)
    agents = seated(planned.seats, planned.bounds, planned.config)
    one_host(agents)
    known = {seat: identity(agent) for seat, agent in agents.items()}
    tally, lines = Tally(len(protocols) > 1), list[str]()
    cap = None if planned.max_cost is None else Cap(planned.max_cost, spent_in(out, agents))
    if cap is not None:
        cap.check(agents, cap.left)
    if (room := room_for(min(limit, plays))) < min(limit, plays):
        complain(f"{room} plays at a time and not {limit}: no more files can be open here (ulimit -n)")
        limit = room
    marks = {seat: None if found is None else found.fingerprint for seat, found in known.items()}
    sitting = Sitting(agents, known, marks, {id(each): protocol_fingerprint(each) for each in protocols}, Kept(out))

    def had(row: Row) -> None:
        tally.add(row)
        if json:
            lines.append(json_line(row.told()))

    async def whole() -> None:
        async def worker() -> None:
            while cap is None or not cap.refused:
                if (job := next(jobs, None)) is None:
                    return sitting.kept.flush()  # others may play for long yet
                had(row := await _one(job, sitting, shown, planned.fsync))
                shown.ended(row.path, row.outcome, row.problem)

        try:
            await start_all(agents.values())  # held over all plays, so that connections stay open between them
        except UsageError:
            raise
        except Exception:
            pass  # each play starts them too, and says what is wrong
        try:
            await together([worker] * min(limit, plays))
        finally:
            with anyio.CancelScope(shield=True):
                try:
                    await close_all(agents.values())
                except Exception as error:
                    complain(f"an agent failed to close: {type(error).__name__}: {said(error)}; the plays are kept")

    try:
        gathered = Batch(out / "batches") if batched else nullcontext()
        with closing(sitting.kept), board(plays) as shown, nullcontext() if cap is None else cap, gathered:
            anyio.run(whole)
    except BaseException as error:
        if not interrupts(error):
            raise
        raise Interrupted(f"interrupted; {tally.count} of {plays} plays have ended, and all that was said in the others is "
                          f"kept in {out}; the same command goes on") from None  # fmt: skip
    for job in jobs:
        had(Row(job.pair, str(job.path), "not played", ""))
    if json:
        for line in sorted(lines, key=lambda line: str(from_json(line, cache_strings=False)["path"])):
            show(line, whole=True)
        tell_json({**tally.totals(), "record": "totals"})
    else:
        tell("\n".join((*tally.text(out), f"transcripts: {out} (moot list {out})")))
    if cap is not None and cap.refused:
        complain(f"stopped at the cap: {cap.refused}; the same command with a higher --max-cost goes on")
    return OK if tally.outcomes == {"decided": plays} else UNDECIDED


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
    """The plays of a set, each made when it is asked for, with a file name and a seed that depend on its question's id alone."""
    known = Counter(_slug(sample).lower() for sample in samples)  # and _TAKEN, once a play is called so
    others, numbers = set[str](), dict[str, int]()  # names that are no such slug, and the last number of each

    def free(name: str) -> bool:
        return known[name.lower()] != _TAKEN and name.lower() not in others

    for sample in samples:
        name = _slug(sample)
        plain = bool(name) and known[name.lower()] == 1 and not name.lower().endswith(".swapped")
        if not plain:  # which may be another's second seating
            key = str(sample.question.id or sample.question.text)
            name = f"{name or 'question'}-{blake2b(key.encode('utf-8', 'replace'), digest_size=4).hexdigest()}"
        if plain and free(name):
            known[name.lower()] = _TAKEN
        else:  # ids that differ can have one hash
            if not free(first := name):
                number = next(each for each in count(numbers.get(first, 2)) if free(f"{first}-{each}"))
                name, numbers[first] = f"{first}-{number}", number
            others.add(name.lower())
        mine = seed_of_play(seed, sample.question)
        for index, protocol in enumerate(protocols):
            yield Job(name, protocol, sample, mine, out / f"{name}{'.swapped' if index else ''}.jsonl")


def _slug(sample: Sample) -> str:
    return _OTHERS.sub("-", str(sample.question.id or "")).strip("-.")[:80]


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


@dataclass(frozen=True)
class Sitting:
    """Who sits where in all plays of a set, with their identities, and the fingerprints of those and of the protocols (by `id`), None where
    there is none; and what is known of the folder."""

    agents: Mapping[str, Any]
    known: Mapping[str, Identity | None]
    seats: Mapping[str, str | None]
    protocols: Mapping[int, str | None]
    kept: Kept


async def _one(job: Job, sitting: Sitting, shown: Board, fsync: Fsync) -> Row:
    begun = time.perf_counter()
    path = str(job.path)
    try:
        path = _sealed_or(path)
        seats = job.protocol.roles(job.sample.question)
        marks = [sitting.protocols[id(job.protocol)], *(sitting.seats[seat] for seat in seats)]
        mark = None if None in marks else mark_of(job.sample.question, [job.seed, *seats, *marks])
        if mark is not None and (row := _known(job, path, sitting.kept.find(path, mark))) is not None:
            return row
        file = Path(path)
        known = {seat: sitting.known[seat] for seat in seats}
        read = _mark_of(path)  # before anything of it is read: another process may put a play there
        how, why = state(file, job, known)
        transcript = Transcript(path=path)
        if how != "kept":
            told = shown.watch(str(job.path))
            watched = {seat: Watched(sitting.agents[seat], told, known[seat]) for seat in seats}
            if how == "played again":
                set_aside(file)
            if how == "resumed":
                transcript = await aresume(file, watched, protocol=job.protocol, fsync=fsync)
            else:
                path = str(job.path)
                transcript = await arun(job.protocol, job.sample, watched, seed=job.seed, out=path, fsync=fsync)
            read = file_mark(path)
        outcome, seconds = transcript.outcome, round(time.perf_counter() - begun, 3)
        problem = next(filter(None, (getattr(outcome, name, None) for name in ("cause", "rule", "reason"))), None)
        believed = outcome.verdict.probabilities if isinstance(outcome, Decided) else None
        row = Row(job.pair, path, outcome.kind if outcome else "not ended", how, believed, problem=problem,
                  seconds=seconds, why=why)  # fmt: skip
    except BaseException as error:
        failure = contained(error)
        if not isinstance(failure, Exception) or cancelled():
            raise failure from None
        wrong = said(failure) if isinstance(failure, MootError) else f"{type(failure).__name__}: {said(failure)}"
        return Row(job.pair, str(job.path), "not played", "", problem=wrong)
    try:
        scored = believed is not None and job.sample.unseal() is not None
        row = replace(row, scored=scored, correct=correct(transcript), reward=judge_reward(transcript))
    except Exception as error:
        return replace(row, problem=f"it cannot be scored: {type(error).__name__}: {said(error)}")
    if mark is not None and outcome is not None and outcome.kind != "errored":
        again = continues(transcript) if believed is not None else 0
        sha256 = (transcript.started["meta"].get("sealed") or {}).get("sha256")
        facts = Facts(outcome=row.outcome, probabilities=believed, problem=problem, continues=again, sha256=sha256)
        sitting.kept.put(path, read, mark, facts)
    return row


def _sealed_or(path: str) -> str:
    return f"{path}.zst" if os.path.exists(f"{path}.zst") else path


def _mark_of(path: str) -> bytes:
    return file_mark(path) if os.path.exists(path) else b""


def _known(job: Job, path: str, facts: Facts | None) -> Row | None:
    """The row of a play that was read before, scored by its truth as that lies there now; None where that is not what is known of
    the question, or is not there."""
    if facts is None:
        return None
    truth, believed = job.sample.unseal(), facts.probabilities
    try:
        if (None if facts.sha256 is None else truth_beside(path, facts.sha256)) != truth:
            return None
        if believed is None or truth is None:
            return Row(job.pair, path, facts.outcome, "kept", believed, problem=facts.problem)
        ahead, reward = leader(believed), reward_of(job.protocol, believed, truth, facts.continues)
        right = None if ahead is None else ahead == truth
        return Row(job.pair, path, facts.outcome, "kept", believed, right, True, reward, facts.problem)
    except Exception:  # whatever is wrong, the play says it
        return None


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
