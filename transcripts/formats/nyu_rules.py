"""The records of the human debates of Michael et al. 2023 (arXiv 2311.08702; data CC-BY 4.0): what a file must hold,
and its rules as a moot protocol. The rules are read as the platform of that study plays them.

Rule: records and rules; texts stand in `nyu_passage`, play in `nyu`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from string import ascii_uppercase
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import AnyPart, Feedback, Negotiate, Part, Speeches
from moot.protocols.engine.errors import UsageError
from moot.protocols.limits import Limit
from moot.protocols.scoring import ScoringRule
from moot.transcripts.formats.records import read

# -- what a file must hold ---------------------------------------------------------------------------------------------


class _Source(BaseModel):
    model_config = ConfigDict(strict=True)


class _OneOf(_Source):
    """An object with exactly one of its fields: a case of a Scala sum type."""

    @model_validator(mode="after")
    def _one(self) -> _OneOf:
        if sum([value is not None for value in self.__dict__.values()]) != 1:
            raise ValueError(f"it must hold exactly one of {', '.join(type(self).model_fields)}")
        return self

    @property
    def case(self) -> tuple[str, Any]:
        """The field that is there, and its value."""
        return next((name, value) for name, value in self.__dict__.items() if value is not None)


class Words(_Source):
    text: str


class Span(_Source):
    span: Annotated[list[int], Field(min_length=2, max_length=2)]


class Segment(_OneOf):
    Text: Words | None = None
    Quote: Span | None = None


class Spoken(_Source):
    speaker: str | None = None
    timestamp: int | None = None
    content: list[Segment]


class Judgment(_Source):
    distribution: list[float]
    feedback: Spoken
    endDebate: bool


class SpeechesRound(_Source):
    speeches: dict[str, Spoken]


class VotesRound(_Source):
    votes: dict[str, bool]


class Offline(_Source):
    mode: str
    judgments: list[Judgment]


class OfflineRound(_Source):
    judgments: dict[str, Offline]


class Round(_OneOf):
    JudgeFeedback: Judgment | None = None
    SimultaneousSpeeches: SpeechesRound | None = None
    SequentialSpeeches: SpeechesRound | None = None
    NegotiateEnd: VotesRound | None = None
    OfflineJudgments: OfflineRound | None = None


class _DebatersRule(_Source):
    assignedDebatersOnly: bool = False


class SpeechesRule(_DebatersRule):
    charLimit: int
    quoteLimit: int | None = None


class FeedbackRule(_Source):
    charLimit: int


class RoundType(_OneOf):
    JudgeFeedbackRound: FeedbackRule | None = None
    SimultaneousSpeechesRound: SpeechesRule | None = None
    SequentialSpeechesRound: SpeechesRule | None = None
    NegotiateEndRound: _DebatersRule | None = None


class Closing(_Source):
    maxRepeatCycles: int
    rounds: list[RoundType]


class OtherScore(_Source):
    baseCoefficient: float
    perTurnPenalty: float


class LogScore(OtherScore):
    constant: float
    logBase: float


class Scoring(_OneOf):
    LogScoreWithLinearPenalty: LogScore | None = None
    QuadraticScoreWithLinearPenalty: OtherScore | None = None
    SphericalScoreWithLinearPenalty: OtherScore | None = None


class Rules(_Source):
    fixedOpening: list[RoundType]
    repeatingStructure: list[RoundType]
    fixedClosing: Closing | None = None
    globalQuoteRestriction: int | None = None
    scoringFunction: Scoring


class Material(_Source):
    contents: list[Any]  # of text, which `Passage.of` checks where it has not seen them before


class Setup(_Source):
    rules: Rules
    sourceMaterial: Annotated[dict[str, Material], Field(min_length=1, max_length=1)]
    question: str
    answers: list[str]
    correctAnswerIndex: int
    roles: dict[str, str]
    creationTime: int | None = None


class Record(_Source):
    setup: Setup
    rounds: list[Round]


def read_record(record: object) -> Record:
    """A record, checked. Raises UsageError that names the place of what is missing or wrong."""
    return read(Record, record)


_MOST_CYCLES = 10_000


# -- rules and protocols -----------------------------------------------------------------------------------------------


def debater(index: int) -> str:
    """The role of who defends answer `index`: "Debater A" defends answer 0."""
    return f"Debater {ascii_uppercase[index]}"


def protocol_of(setup: Setup) -> Debate:
    """The protocol that a record's own rules describe: a consultancy where rounds are for assigned debaters only and one is
    assigned. Raises UsageError on rules that no moot protocol can hold to."""
    assigned = tuple(i for i in range(min(len(setup.answers), 26)) if debater(i) in setup.roles)
    return _protocol(setup.rules.model_dump_json(), assigned, len(setup.answers))


def not_held_to(rules: Rules) -> list[str]:
    """The rules of a record that its protocol has not."""
    if (limit := rules.globalQuoteRestriction) is None:
        return []
    return [f"setup.rules.globalQuoteRestriction is {limit}: no protocol here limits quotes over a whole debate, and that one "
            "is not looked at"]  # fmt: skip


@lru_cache(maxsize=64)
def _protocol(given: str, assigned: tuple[int, ...], answers: int) -> Debate:
    """Thousands of debates are held by a dozen sets of rules."""
    rules = Rules.model_validate_json(given)
    cycles, last = (closing.maxRepeatCycles, closing.rounds) if (closing := rules.fixedClosing) else (None, [])
    if cycles is not None and not 0 <= cycles <= _MOST_CYCLES:
        raise UsageError(f"setup.rules.fixedClosing.maxRepeatCycles is {cycles}; it must be from 0 to {_MOST_CYCLES:,}")
    fields: dict[str, Any] = {
        "rounds": cycles,
        "opening": _parts("fixedOpening", rules.fixedOpening),
        "repeat": _parts("repeatingStructure", rules.repeatingStructure),
        "closing": _parts("fixedClosing.rounds", last),
        "scoring": _scoring(rules.scoringFunction),
    }
    held = [each.case[1] for each in (*rules.fixedOpening, *rules.repeatingStructure, *last)]
    only = {rule.assignedDebatersOnly for rule in held if isinstance(rule, _DebatersRule)}
    if only <= {False} or len(assigned) == answers:
        return Debate(**fields)
    if only == {True} and len(assigned) == 1:
        return Consultancy(answer=assigned[0], **fields)
    mixed = f"{len(assigned)} of {answers} assigned{' and other rounds for all' if len(only) > 1 else ''}"
    raise UsageError(f"setup.rules: rounds for assigned debaters only, {mixed}: neither a debate nor a consultancy")


def round_of(part: Part) -> str:
    """What a round held under `part` is called in a record."""
    if isinstance(part, Speeches):
        return "SimultaneousSpeeches" if part.order == "simultaneous" else "SequentialSpeeches"
    return "JudgeFeedback" if isinstance(part, Feedback) else "NegotiateEnd"


def _parts(place: str, types: Sequence[RoundType]) -> tuple[AnyPart, ...]:
    return tuple(_part(f"setup.rules.{place}.{index}", *each.case) for index, each in enumerate(types))


def _part(place: str, name: str, rule: Any) -> AnyPart:
    if isinstance(rule, FeedbackRule):
        return Feedback(limit=_characters(rule.charLimit))
    if not isinstance(rule, SpeechesRule):
        return Negotiate()
    if rule.quoteLimit is not None and rule.quoteLimit < 1:
        raise UsageError(f"{place}.{name}.quoteLimit is {rule.quoteLimit}; a limit on quotes is 1 character or more")
    order: Any = "simultaneous" if name == "SimultaneousSpeechesRound" else "sequential"
    return Speeches(order=order, limit=_characters(rule.charLimit), quote_limit=_characters(rule.quoteLimit or 0))


@cache
def _characters(limit: int) -> Limit | None:
    return Limit(chars=limit) if limit > 0 else None  # 0 lifts the limit


def _scoring(scoring: Scoring) -> ScoringRule:
    name, given = scoring.case
    shared = {"penalty": given.perTurnPenalty, "coefficient": given.baseCoefficient}
    if isinstance(given, LogScore):
        return ScoringRule(rule="log", base=given.logBase, constant=given.constant, **shared)
    if name == "QuadraticScoreWithLinearPenalty":  # 2 p - |p|^2 is the Brier score here plus 1
        return ScoringRule(rule="brier", constant=given.baseCoefficient, **shared)
    return ScoringRule(rule="spherical", **shared)
