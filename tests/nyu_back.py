"""What the play of a human debate says of the record that it was made of: read off its events alone, to see that all is there."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import AnyPart, Feedback, Speeches
from moot.protocols.engine.values.quoting import segments
from moot.protocols.scoring import ScoringRule
from moot.transcripts.formats.nyu_passage import Passage
from moot.transcripts.formats.nyu_rounds import seats_of, speakers
from moot.transcripts.formats.nyu_rules import round_of
from moot.transcripts.transcript import Transcript

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def told(play: Transcript, passage: Passage) -> dict[str, Any]:
    """The record as far as its play says it."""
    protocol, question, meta = play.protocol, play.question, play.started["meta"]
    assert isinstance(protocol, Debate)
    roles = seats_of(protocol, question)
    return {
        "setup": {
            "rules": rules_of(protocol),
            "question": question.text,
            "answers": list(question.choices),
            "correctAnswerIndex": play.sample.unseal(),
            "roles": {roles[seat]: who["name"] for seat, who in play.seats.items()},
            **milliseconds("creationTime", meta),
        },
        "rounds": list(rounds_of(play, protocol, passage)),
    }


def tellable(record: Mapping[str, Any]) -> dict[str, Any]:
    """What of a record its play can say: all but surveys, scratchpads, judgments after its end, and where its source is from."""
    setup = {key: value for key, value in record["setup"].items() if key not in ("sourceMaterial", "offlineJudges")}
    return {"setup": setup, "rounds": [each for each in record["rounds"] if "OfflineJudgments" not in each]}


def plain(value: Any) -> Any:
    """Without who spoke in somebody's place, and without empty pieces of text: what only the record kept of it tells."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "speaker"}
    if isinstance(value, list):
        return [plain(inner) for inner in value if inner != {"Text": {"text": ""}}]
    return value


def rules_of(protocol: Debate) -> dict[str, Any]:
    """The rules of a record for a protocol made by `protocol_of`."""
    only = isinstance(protocol, Consultancy)
    closing = None
    if protocol.rounds is not None:
        closing = {"maxRepeatCycles": protocol.rounds, "rounds": [_rule(part, only) for part in protocol.closing]}
    return {
        "fixedOpening": [_rule(part, only) for part in protocol.opening],
        "repeatingStructure": [_rule(part, only) for part in protocol.repeated()],
        "fixedClosing": closing,
        "globalQuoteRestriction": None,
        "scoringFunction": _scoring_function(protocol.scoring),
    }


def _rule(part: AnyPart, only: bool) -> dict[str, Any]:
    name = f"{round_of(part)}Round"
    limit = getattr(part, "limit", None)
    chars = limit.chars if limit is not None else 0
    if isinstance(part, Speeches):
        quotes = part.quote_limit.chars if part.quote_limit is not None else None
        return {name: {"charLimit": chars, "quoteLimit": quotes, "assignedDebatersOnly": only}}
    if isinstance(part, Feedback):
        return {name: {"reportBeliefs": True, "charLimit": chars}}
    return {name: {"assignedDebatersOnly": only}}


def _scoring_function(rule: ScoringRule) -> dict[str, Any]:
    if rule.rule == "log":
        return {"LogScoreWithLinearPenalty": {
            "baseCoefficient": rule.coefficient, "constant": rule.constant, "logBase": rule.base,
            "perTurnPenalty": rule.penalty,
        }}  # fmt: skip
    name = "QuadraticScoreWithLinearPenalty" if rule.rule == "brier" else "SphericalScoreWithLinearPenalty"
    return {name: {"baseCoefficient": rule.coefficient, "perTurnPenalty": rule.penalty}}


def rounds_of(transcript: Transcript, protocol: Debate, passage: Passage) -> Iterator[dict[str, Any]]:
    moved = deque(event for event in transcript.events() if event["event"] == "moved")
    keys = {seat: key for key, seat in speakers(protocol, transcript.question).items()}
    names = {seat: who["name"] for seat, who in transcript.seats.items()}

    def spoken(event: Mapping[str, Any], content: list[dict[str, Any]]) -> dict[str, Any]:
        speaker = {"speaker": names[event["seat"]]} if event["seat"] in names else {}
        return {**speaker, **milliseconds("timestamp", event["meta"]), "content": content}

    for part, _ in protocol.parts():
        if not moved:
            return
        if isinstance(part, Feedback):
            move = (event := moved.popleft())["move"]
            content = [{"Text": {"text": move["text"]}}] if move["text"] else []
            yield {"JudgeFeedback": {
                "distribution": list(move["probabilities"]), "feedback": spoken(event, content),
                "endDebate": move["end"],
            }}  # fmt: skip
            continue
        taken = [moved.popleft() for _ in range(min(len(keys), len(moved)))]
        if round_of(part) == "NegotiateEnd":
            yield {"NegotiateEnd": {"votes": {keys[event["seat"]]: event["move"]["stop"] for event in taken}}}
        else:
            said = {keys[event["seat"]]: spoken(event, content_of(event["move"], passage)) for event in taken}
            yield {round_of(part): {"speeches": said}}


def milliseconds(name: str, meta: Mapping[str, Any]) -> dict[str, int]:
    """The way back: {name: milliseconds since 1970}."""
    at = meta.get("at")
    return {} if at is None else {name: (datetime.fromisoformat(at) - _EPOCH) // timedelta(milliseconds=1)}


def content_of(speech: Mapping[str, Any], passage: Passage) -> list[dict[str, Any]]:
    """A recorded speech in segments again: quotes with an exact span of whole tokens, and text."""
    content: list[dict[str, Any]] = []
    quotes = iter(speech.get("quotes") or ())
    for segment in segments(speech["text"]):
        text = segment.text
        if segment.quote:
            quote = next(quotes, None) or {}
            span = positions(passage, *quote["span"]) if quote.get("verified") and quote.get("span") else None
            if span is not None:
                content.append({"Quote": {"span": span}})
                continue
            text = f"<quote>{text}</quote>"
        if content and "Text" in content[-1]:
            text = content.pop()["Text"]["text"] + text
        content.append({"Text": {"text": text}})
    return content


def positions(passage: Passage, start: int, end: int) -> list[int] | None:
    """The tokens that characters [start, end) of a passage hold, as [first, last); None when they cut one."""
    spans = [passage.characters(i, i + 1) for i in range(len(passage.tokens))]
    starts, ends = ([span[side] for span in spans if span is not None] for side in (0, 1))
    first, last = bisect_left(starts, start), bisect_right(ends, end)
    whole = first < last and starts[first] == start and ends[last - 1] == end
    return [first, last] if whole else None
