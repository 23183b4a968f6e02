"""Every protocol with one model in every seat, and in each seat alone beside a task's programs: how its plays end.

    moot reproduce seats                                                            # the embedded model over HTTP
    moot reproduce seats --endpoint http://127.0.0.1:8080/v1 --model NAME --plays 5

Rule of this file: it plays and counts; nothing is claimed of what a model should reach. Questions are the smallest that
show each protocol's moves, so that what fails is the model and not its context.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from moot.agents.models.lm import LM
from moot.agents.models.local import Server, packaged_model
from moot.agents.models.profiles.small import Small
from moot.judges.model import ModelJudge
from moot.play.run import arun
from moot.protocols.engine.base import Protocol, known_protocols, protocol_named
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited, Outcome, Unreadable
from moot.protocols.engine.question import Question, Sample
from moot.tasks.base import known_tasks, task_named
from moot.transcripts.display.show import table
from moot.transcripts.transcript import Transcript, load

ENDS = ("decided", "forfeited", "unreadable", "errored", "exhausted", "unfinished")
MOST_TOKENS = 160  # of one answer: two sentences, and the JSON around them
SPEECH = {"chars": 120, "over": "clip"}  # a model that cannot count does not forfeit by a word
PATIENCE = 180.0  # seconds for one play
PLAIN = Question(
    "What sank the ships?", ("a storm", "an enemy"), passage="By morning nine ships had sunk in the storm."
)
OPEN = Question("What sank the ships?", passage=PLAIN.passage)


@dataclass(frozen=True, slots=True)
class Case:
    """What a protocol is played with. task, size: whose question it is, and whose programs sit beside the model; without a
    task it is `question`."""

    params: Mapping[str, Any] = field(default_factory=dict)
    task: str = ""
    size: int = 0
    question: Question = PLAIN

    def sample(self, seed: int) -> Sample:
        return task_named(self.task).sample(self.size, seed=seed) if self.task else Sample(self.question)


_SPOKEN: Mapping[str, Any] = {"rounds": 1, "limit": SPEECH}
CASES: Mapping[str, Case] = {
    "amplify": Case({"depth": 1, "width": 2, "turns": 3}, "sum", 2),
    "amplify-strong": Case({"depth": 1, "width": 2, "turns": 3}, "expression", 2),
    "approval": Case({"turns": 3, "width": 2}, "expression", 2),
    "bisection": Case({}, "sum", 2),
    "circuit-pointer": Case({}, "circuit-value", 2),
    "circuit-walk": Case({}, "circuit-value", 2),
    "clue-oversight": Case({"critiques": 1, "comparisons": 0}, question=Question(
        "How many good words will be found?", ("0", "1"), data={"good_words": ["sea"], "bad_words": ["sun"],
        "similarities": {"ship": {"sea": 0.9, "sun": 0.1}, "light": {"sea": 0.1, "sun": 0.9}}},
    )),
    "consultancy": Case(_SPOKEN),
    "critique": Case({"limit": SPEECH, "reply": True}),
    "cross-examination": Case({"queries": 3}, "colouring", 3),
    "cross-examination-uncopied": Case({"queries": 3}, "colouring", 3),
    "debate": Case(_SPOKEN),
    "decomposition-debate": Case({"width": 2}, "expression", 2),
    "decomposition-debate-pointers": Case({"width": 2}, "expression", 2),
    "direct-qa": Case({"source": True}),
    "double-consultancy": Case(_SPOKEN),
    "doubly-efficient": Case({}, "oracle-walk", 2),
    "doubly-efficient-deterministic": Case({}, "oracle-tally", 2),
    "doubly-efficient-witness": Case({}, "oracle-subset", 2),
    "fresh-debate": Case({"params": _SPOKEN}, question=OPEN),
    "geography": Case({}, "geography", 2),
    "interactive-debate": Case({"rounds": 2, "examiner": True, "limit": SPEECH}),
    "market": Case({"horizon": 1, "unmoved": "judge"}, "expression", 2),
    "market-pointers": Case({"horizon": 1, "unmoved": "judge"}, "expression", 2),
    "market-uncited": Case({"horizon": 1, "unmoved": "judge"}, "expression", 2),
    "nested-oversight": Case({"steps": 2}, question=Question("Does oversight hold?", ("yes", "no"))),
    "open-consultancy": Case(_SPOKEN),
    "open-debate": Case(_SPOKEN),
    "pixel-debate": Case({"pixels": 2}, question=Question(
        "Which digit is this?", ("0", "1"), data={"image": [[0, 9, 0], [0, 9, 0], [0, 9, 0]]}, size=3, unit="cells")),
    "propaganda": Case({"limit": SPEECH}),
    "proposer-critic": Case({"rounds": 0, "limit": SPEECH}, question=OPEN),
    "prover-estimator": Case({"width": 2}),
    "qbf-debate": Case({}, "tqbf", 2),
    "reachability": Case({}, "reach", 2),
    "recursive-debate": Case({"depth": 1, "limit": SPEECH}),
    "side-swapped": Case({"params": _SPOKEN}),
    "specification": Case({"held_out": 1, "proposals": 1}, question=Question(
        "Never speak of mushrooms.", ("the specification is met", "it is violated"))),
    "tree-debate": Case({"turns": "ab", "most": 1, "limit": SPEECH}),
}  # fmt: skip
"""What each of moot's own protocols is played with. Any other is played on the smallest question of the first task whose
programs play it, or else on `PLAIN`."""


def case_of(name: str) -> Case:
    """What the protocol called so is played with."""
    if name in CASES:
        return CASES[name]
    task = next((task for task, made in known_tasks().items() if made.cast(name)), "")
    return Case({}, task, 4 if task else 0)


Ask = Callable[[str, str], tuple[Any, Any]]
"""From an endpoint and a model's name to who speaks and who judges."""


def _lm(url: str, model: str, **options: Any) -> LM:
    known = {"max_tokens": MOST_TOKENS, "temperature": 0.2, "timeout": PATIENCE}
    return LM(model, base_url=url, extra_body={"repeat_penalty": 1.1}, **{**known, **options})


def _guided(url: str, model: str) -> tuple[Any, Any]:
    lm = _lm(url, model, structured="schema", guided=True)
    return lm, lm


def _tagged(url: str, model: str) -> tuple[Any, Any]:
    lm = _lm(url, model, structured="tags")
    return lm, lm


def _small(url: str, model: str) -> tuple[Any, Any]:
    lm = Small(model, base_url=url, max_tokens=MOST_TOKENS, timeout=PATIENCE, extra_body={"repeat_penalty": 1.1})
    return lm, ModelJudge(lm, "logprobs")


WAYS: Mapping[str, Ask] = {"guided": _guided, "tags": _tagged, "small": _small}
"""guided: JSON by a schema, which the server's grammar holds it to. tags: tagged text. small: `Small`, no grammar, verdicts by
log-probabilities."""


@dataclass(frozen=True, slots=True)
class Played:
    """One play: who was the model ("all", or a seat), in which way, how it ended, why, and the seconds that it took."""

    protocol: str
    who: str
    way: str
    end: str
    why: str
    seconds: float


def castings(
    protocol: Protocol, case: Case, sample: Sample
) -> Iterator[tuple[str, Protocol, Mapping[str, Any], set[str]]]:
    """Who the model is: "all" with every seat, then each seat alone where the task's programs play the others. Gives its
    name, the protocol (with the parameters that the programs need), the programs, and the model's seats."""
    seats = set(protocol.roles(sample.question))
    yield "all", protocol, {}, seats
    if not (case.task and task_named(case.task).cast(protocol.name)) or len(seats) < 2:
        return
    staged, programs = task_named(case.task).staged(protocol.name, sample)
    for seat in sorted(programs):
        yield seat, staged, {name: agent for name, agent in programs.items() if name != seat}, {seat}


async def play(
    name: str, way: str, ask: Ask, url: str, model: str, seed: int, *, alone: bool, out: Path | None
) -> list[Played]:
    """The plays of one protocol in one way with one seed. out: where they are kept; one that is there is not played
    again. UsageError where the protocol takes no such question."""
    case, found = case_of(name), list[Played]()
    sample = case.sample(seed)
    made = protocol_named(name, dict(case.params))
    for who, protocol, programs, seats in castings(made, case, sample):
        if who != "all" and not alone:
            continue
        path = out / f"{name}-{who}-{way}-{seed}.jsonl" if out is not None else None
        if path is not None and path.exists():
            known = load(path)
            found.append(Played(name, who, way, *_ended(known.outcome), _seconds(known)))
            continue
        speaker, judge = ask(url, model)
        roles = protocol.roles(sample.question)
        models = {seat: judge if roles[seat] == protocol.judge else speaker for seat in seats}
        begun, outcome = time.monotonic(), None
        with anyio.move_on_after(PATIENCE):
            outcome = (await arun(protocol, sample, {**programs, **models}, seed=seed, out=path)).outcome
        await speaker.close()
        found.append(Played(name, who, way, *_ended(outcome), time.monotonic() - begun))
    return found


def _seconds(known: Transcript) -> float:
    """How long a recorded play took, by the clock readings of its events."""
    at = [datetime.fromisoformat(event["meta"]["at"]) for event in known.events() if "at" in event["meta"]]
    return (at[-1] - at[0]).total_seconds() if at else 0.0


def _ended(outcome: Outcome | None) -> tuple[str, str]:
    """How a play ended, and why in a line."""
    match outcome:
        case Decided():
            return "decided", ""
        case Forfeited(seat=seat, rule=rule):
            return "forfeited", f"{seat}: {rule}"
        case Unreadable(seat=seat, reason=reason):
            return "unreadable", f"{seat}: {reason}"
        case Errored(cause=cause):
            return "errored", cause
        case Exhausted(seat=seat, measure=measure, limit=limit):
            return "exhausted", f"{seat}: more than {limit:g} {measure}"
        case _:
            return "unfinished", f"no end within {PATIENCE:g} s, or broken off before"


def text_of(played: Sequence[Played], ways: Iterable[str], width: int = 118) -> str:
    """The plays as a table (a row for a protocol and who was the model, a column for a way), a line of sums, and below it
    why plays were not decided, the most frequent causes of each row."""
    ways = list(ways)
    cells, causes = [["protocol", "the model", *ways]], list[str]()
    for protocol, who in dict.fromkeys((each.protocol, each.who) for each in played):
        row = [protocol, who]
        for way in ways:
            some = [each for each in played if (each.protocol, each.who, each.way) == (protocol, who, way)]
            row.append(_counted(some))
            for (end, why), count in Counter(
                (each.end, each.why) for each in some if each.end != "decided"
            ).most_common(1):
                causes.append(f"{protocol}, {who}, {way}: {end} {count} of {len(some)}: {_short(why, width)}")
        cells.append(row)
    sums = ["", "in sum", *(_counted([each for each in played if each.way == way]) for way in ways)]
    return "\n".join([*table([*cells, sums], left=2), "", "Why the others were not decided (the most frequent cause of each):",
                      *causes] if causes else table([*cells, sums], left=2))  # fmt: skip


def _counted(some: Sequence[Played]) -> str:
    """How some plays ended: "3 of 5, 2 forfeited; 1.2 s"."""
    if not some:
        return "-"
    ends = Counter(each.end for each in some)
    others = "".join(f", {ends[end]} {end}" for end in ENDS[1:] if ends[end])
    return f"{ends['decided']} of {len(some)}{others}; {sum(each.seconds for each in some) / len(some):.1f} s"


def _short(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


async def run_all(
    names: Iterable[str], ways: Iterable[str], url: str, model: str, *, plays: int = 2, seed: int = 0, alone: bool = True,
    out: Path | None = None, say: Callable[[str], None] = lambda text: None, found: list[Played] | None = None,
) -> list[Played]:  # fmt: skip
    """Every protocol of `names` in every way, `plays` times with the seeds from `seed` on. say: told of each that is done.
    found: takes the plays as they end."""
    found = [] if found is None else found
    for name in names:
        for way in ways:
            for each in range(seed, seed + plays):
                found += await play(name, way, WAYS[way], url, model, each, alone=alone, out=out)
            done = [each for each in found if (each.protocol, each.way) == (name, way)]
            say(f"{name}, {way}: {_counted(done)} a play")
    return found


def reproduce(
    names: Sequence[str] = (), ways: Sequence[str] = tuple(WAYS), *, endpoint: str | None = None, model: str | None = None,
    plays: int = 1, seed: int = 0, alone: bool = False, out: Path | None = None, say: Callable[[str], None] = lambda text: None,
) -> tuple[str, list[Played]]:  # fmt: skip
    """Every protocol of `names` (all) in every way, and which model that was: the one at an endpoint, or the embedded one. What
    was played until Ctrl-C is given all the same. Raises UsageError."""
    names = names or sorted(known_protocols())
    if unknown := [way for way in ways if way not in WAYS]:
        raise UsageError(f"there is no way {unknown[0]!r}; there are {', '.join(WAYS)}")
    if not ways:
        raise UsageError(f"no way of asking is named; there are {', '.join(WAYS)}")
    if plays < 1:
        raise UsageError(f"plays is {plays}; give at least 1")
    if (endpoint is None) != (model is None):
        raise UsageError("an endpoint and a model belong together: give both, or none for the embedded model")
    for name in names:
        protocol_named(name, dict(case_of(name).params))
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
    server = Server(packaged_model(), context=4096) if endpoint is None else None
    url, called, found = endpoint or "", model or packaged_model().name, list[Played]()
    if server is not None:
        url = server.base_url
    try:
        with suppress(KeyboardInterrupt):
            anyio.run(partial(run_all, names, ways, url, called, plays=plays, seed=seed, alone=alone, out=out, say=say,
                              found=found))  # fmt: skip
    finally:
        if server is not None:
            server.stop()
    return called, found
