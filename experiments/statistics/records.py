"""What a metric needs of a play: who was asked what, how it ended, what the judge believed, and the truth.
Rule: the one file of this room that reads transcripts and their truth; it computes no figure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from moot.protocols.engine.errors import SealedElsewhere, UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.scoring import score

if TYPE_CHECKING:
    from moot.transcripts.transcript import Transcript

Kind = Literal["decided", "forfeited", "exhausted", "unreadable", "unjudged", "errored", "unfinished"]
Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Judged:
    """One play, as far as metrics look at it. question: its id; equal ids are one question, with its choices in one order.
    probabilities: what the judge believed of each choice at the end of a decided play. truth: the true choice, where it is
    known. continues: how often the judge went on. argued: the choice that the agent under study argued for. defenders:
    who argued for each choice, by name. UsageError on what contradicts itself."""

    question: str
    probabilities: tuple[float, ...] | None = None
    truth: int | None = None
    outcome: Kind = "decided"
    continues: int = 0
    argued: int | None = None
    defenders: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"the record of question {self.question!r}"
        if self.outcome not in get_args(Kind):
            raise UsageError(f"{where}: the outcome is {self.outcome!r}; it is one of {', '.join(get_args(Kind))}")
        if (self.outcome == "decided") != (self.probabilities is not None):
            raise UsageError(f"{where}: it was {self.outcome}, so its probabilities cannot be {self.probabilities}")
        if self.probabilities is None:
            return
        score("brier", self.probabilities, 0)  # raises when they are no distribution
        count = len(self.probabilities)
        for name, choice in (("truth", self.truth), ("argued", self.argued)):
            if choice is not None and (type(choice) is not int or not 0 <= choice < count):
                raise UsageError(f"{where}: {name} is {choice!r}; with {count} choices it is 0 to {count - 1}, or None")
        if self.defenders and len(self.defenders) != count:
            raise UsageError(f"{where}: {len(self.defenders)} defenders for {count} choices")
        if type(self.continues) is not int or self.continues < 0:
            raise UsageError(f"{where}: continues is {self.continues!r}; it must be an integer of at least 0")

    @property
    def believed(self) -> tuple[float, ...]:
        """The probabilities of a play that was decided. UsageError for another."""
        if self.probabilities is None:
            raise UsageError(f"the record of question {self.question!r} was {self.outcome}: nothing was believed")
        return self.probabilities

    @property
    def true(self) -> int:
        """The true choice. UsageError when nobody knows it."""
        if self.truth is None:
            raise UsageError(f"the record of question {self.question!r} has no truth to score by")
        return self.truth

    @property
    def choice(self) -> int | None:
        """The most probable choice; None when two or more share the first place (a tie)."""
        best = max(self.believed)
        return None if self.believed.count(best) > 1 else self.believed.index(best)

    @property
    def correct(self) -> bool:
        """Whether the true choice is the single most probable one: with two choices, whether p > 0.5. A tie is not; what it
        counts in figures is said by `metrics.right`."""
        return self.choice == self.true


def of(
    transcript: Transcript, *, agent: str | None = None, names: Mapping[str, str] | None = None, question: str | None = None,
    answer: str | None = None,
) -> Judged:  # fmt: skip
    """The record of a transcript. Opens the sealed truth; where its file is not here, there is none. answer: whose answer to
    record, a seat of `transcript.answers` such as "market"; by default the judge's. agent: the seat whose choice is `argued`;
    by default the consultant, where there is one. names: what the agents in the seats are called; by default the name, model or kind
    by which they described themselves. question: the id; by default the question's own, or its text and choices."""
    from moot.complexity.reward import continues

    outcome, asked = transcript.outcome, transcript.question
    name = question or asked.id or " | ".join((asked.text, *asked.choices))
    places = sides(transcript)
    if agent is not None and agent not in transcript.started["roles"]:
        raise UsageError(f"{transcript.name} has no seat {agent!r}; it has {', '.join(transcript.started['roles'])}")
    called = {**{seat: label(who) for seat, who in transcript.seats.items()}, **(names or {})}
    whose = {choice: called.get(seat, seat) for seat, choice in places.items()}
    whole = set(whose) == set(range(len(asked.choices)))
    argued, defenders = places.get(agent or "consultant"), tuple(whose[i] for i in sorted(whose)) if whole else ()
    try:
        truth = transcript.sample.unseal()
    except SealedElsewhere:
        truth = None
    if not isinstance(outcome, Decided):
        kind: Kind = "unfinished" if outcome is None else outcome.kind
        return Judged(name, None, truth, kind, argued=argued, defenders=defenders)
    if agent is not None and argued is None:
        raise UsageError(
            f"{transcript.name}: seat {agent!r} argues for no choice; {', '.join(places) or 'nobody'} does"
        )
    believed = outcome.verdict.probabilities
    if answer is not None:
        given = transcript.answers
        if answer not in given:
            raise UsageError(f"{transcript.name}: seat {answer!r} gives no answer; {', '.join(given)} does")
        believed = given[answer]
    return Judged(name, believed, truth, "decided", continues(transcript), argued, defenders)


def label(who: Mapping[str, Any]) -> str:
    """What an agent that described itself so is called."""
    return str(who.get("name") or who.get("model") or who.get("agent") or "somebody")


def sides(transcript: Transcript) -> dict[str, int]:
    """The seats that argue for a choice each, and which, as far as the play came to settle it."""
    from moot.protocols.debate.consultancy import OpenConsultancy
    from moot.protocols.debate.debate import OpenDebate

    roles = transcript.started["roles"]
    seats = [seat for seat, role in roles.items() if role in ("debater", "consultant")]
    protocol, count = transcript.protocol, len(transcript.question.choices)
    answered = {s.seat: int(s.move["choice"]) for s in transcript.steps() if s.move.get("kind") == "answer"}
    if isinstance(protocol, (OpenConsultancy, OpenDebate)) and not answered:
        return {}
    if "consultant" in seats:
        return {"consultant": answered.get("consultant", getattr(protocol, "answer", 0))}
    if len(seats) != count or not seats:
        return {}
    order = list(range(count))[:: -1 if getattr(protocol, "swap", False) else 1]
    if seats[0] in answered:
        order = sorted(range(count), key=lambda choice: choice != answered[seats[0]])
    return dict(zip(seats, order, strict=True))


def decided(records: Iterable[Judged], truth: bool = True) -> tuple[list[Judged], Counter[str]]:
    """The records that can be scored, and how many others there are, by why. truth: whether scoring needs the truth."""
    found, others = list[Judged](), Counter[str]()
    for record in records:
        if record.outcome != "decided":
            others[record.outcome] += 1
        elif truth and record.truth is None:
            others["no truth"] += 1
        else:
            found.append(record)
    return found, others


def grouped(records: Iterable[Judged], key: Callable[[Judged], Key]) -> dict[Key, list[Judged]]:
    """The records by key, in the order in which keys first came."""
    groups: dict[Key, list[Judged]] = {}
    for record in records:
        groups.setdefault(key(record), []).append(record)
    return groups


def by_question(records: Sequence[Judged]) -> dict[str, list[Judged]]:
    """The records of each question. UsageError when records of one question differ in their choices or truth."""
    groups = grouped(records, lambda record: record.question)
    for question, group in groups.items():
        if len({(record.truth, len(record.believed)) for record in group}) > 1:
            do = "give different questions different ids, and keep their choices in one order"
            raise UsageError(f"records of question {question!r} have different truths or numbers of choices; {do}")
    return groups
