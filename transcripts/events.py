"""The event log: one JSON line per event, in the order in which they happened, each chained to the one before.

Rule of this file: what a line is, in bytes, and nothing of where lines are kept or what is folded from them.

A line is `{"event": …, fields…, "meta": {…}, "chain": "…"}`. What stands before `"meta"` in a line is the play; meta is how
it came about (clock readings, costs, attempts) and takes no part in a play's digest. `chain` is the blake2b hash of the
previous chain value and this line up to it. Views are not stored: `request` is the hash of what the seat was shown.

| event | fields | part of the play |
|---|---|---|
| started | format, version, protocol, question, seed, roles, bounds, full_tree_size | yes |
| asked, attempted | a call went out; it came back or failed, with its cost: step, seat, … | no |
| chose, refined | what an agent that draws several candidates had to choose among; a draft and its critiques | no |
| combined, looked | the verdicts that a joint one was made of: of a panel or of samples; of two looks, with their difference | no |
| believed, calibrated | a judge's confidences beside its verdict: `stated` and `logprobs`; `stated` before it was calibrated | no |
| reserved, capped | under a cap: what was set aside for an attempt: step, seat, hold, at_most (money), most_tokens; a call that did not fit | no |
| moved | a move was accepted: step, seat, request, move, raw (as given, where a check altered it), under, relation, size, reads (of a bounded seat; of others in the meta), remark (the rule that a move breaks which another system accepted) | yes |
| rejected | a move was illegal: step, seat, request, move, rule, reads | yes |
| flipped, charged | a coin: step, weights, value; a charge on a budget: step, seat, measure, amount | yes |
| entered, left | a sub-play began: step, protocol, question, seats; ended: step, outcome | yes |
| failed | a seat ran out of budget or failed: step, seat, outcome, reads | yes, unless the play was resumed after it |
| cancelled, resumed, imported | interruption; taking up again; what an import keeps of its source | no |
| ended | outcome | yes, likewise |
| thought | what a model thought before its answer: step, seat, attempt, text; shown to no seat | no |
| answered | the raw text of an answer, accepted or not: step, seat, attempt, text; likewise | no |
| sampled | with `record="tokens"`: the tokens of an answer as they were drawn: step, seat, attempt, tokens (`ids` or null, `texts`, `logprobs` in nats), sampler (the fields of the request that may touch a draw), host, constrained (by a grammar, a form or tools), finish, whole (they are all of the answer; else what it `lacks`), ended (the last one ends the turn); likewise | no |
| prompted | the messages of a call, where they are to be kept: step, seat, attempt, messages (role with content, or parts; a text of over 64 characters has its sha256, and its content where the play records it first; an image its sha256); likewise | no |
| told | words of the protocol itself: step, move, to (the seats that may be shown them; null: all) | no: it follows from the play, and replay finds it again |
| shown | what a seat is shown where that is not all that was said to it so far: step, seat, `first` (how many of the statements are those), `statements` (the others: each a step, with its seat and move where it does not stand there word for word), question and choices where it is asked another, data where other data may be looked at | no: the request's hash covers it |
| read | what a model looked at within its turn: step, seat, places (each `at` an address or what it was to `find`, and what was `shown` or the `problem`), reads, left (how often it may still look or call), of a person the `turn`; shown to no other seat | no |
| acted | what a person did at their page within a turn: step, seat, action (`shown`, `opened`, `looked`, `draft`, `away`, `back`, `answered`, …), turn (the attempt at the request), seconds (how long a page was open on it so far), and what belongs to the action; shown to no other seat | no |
| called | a tool that a model called within its turn: step, seat, tool, arguments, result (its first 20,000 characters) with its `length`, or error, seconds, reads, spent, left; `request` and `turn` (the attempt at the request), by which a play that is taken up again finds it; likewise | no |

The meta of `started`, every field optional: `moot`, its version; `at`, the clock; `seats`, who sat where; `task`; `id`, what the
question is called; `tags`, by which results are grouped; `parent`, of a fork or rejudgement: `{"digest", "at", "seats", "path"}` of the play that it was derived from,
with the `seed` that live agents drew by where it is not the play's own, the rounds `upto` which it was judged, and the seats
besides the judge's that were asked anew, `live`; `cap`: the most that it could cost, which the meta of `resumed` has as well;
`sealed`: the salted hash of the truth, and the file that holds it (`transcripts/truth.py`); `images`: the bytes of the
question's images in base64, by the sha256 that stands for each in the question, and so in the digest.

What a transcript says once of its calls, and lines leave out, `once.py` lists; readers are given events whole. An `asked` has no
request: that of the move which answers it is the same, and replay makes it anew where none does.

Which events are the play is settled for version 2. Readers pass over any other, and `verify` counts it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from hashlib import blake2b
from typing import Any

from pydantic_core import from_json, to_json

from moot.complexity.play import path_of
from moot.protocols.engine.errors import TranscriptError
from moot.transcripts.once import Once

FORMAT = "moot-transcript"
VERSION = 2

PLAYED = frozenset({"started", "moved", "rejected", "flipped", "charged", "entered", "left", "failed", "ended"})
"""The events that make up the play itself: replay must produce each of them again."""
WHOLE = PLAYED - {"started"}
"""Events of which `once.py` leaves nothing out."""
KNOWN = PLAYED | {
    "asked",
    "attempted",
    "told",
    "shown",
    "thought",
    "answered",
    "prompted",
    "sampled",
    "read",
    "called",
    "acted",
    "chose",
    "refined",
    "combined",
    "looked",
    "believed",
    "calibrated",
    "cancelled",
    "resumed",
    "imported",
    "reserved",
    "capped",
}

_EMPTY = blake2b(digest_size=16)  # to copy it takes a third of the time that making one does
_CHAIN = b',"chain":"'
_META = b',"meta":'
KEPT = b'{"event":"imported",'  # how a line begins that holds what an import keeps of its source
LONGEST = 1 << 24
"""The most bytes of a line: what is read as JSON takes many times its length in memory."""


@cache
def _quoted(relation: str) -> str:
    return to_json(relation).decode()


def event_body(name: str, fields: Mapping[str, Any]) -> bytes:
    """The part of a line, other than of a move, that says what happened."""
    return b'{"event":"%b",' % name.encode() + to_json(fields)[1:-1] if fields else b'{"event":"%b"' % name.encode()


class EventLog:
    """A recorder that chains lines and hands each to `write` at once. Raises whatever `write` raises, and from then on the same
    at every further event: what follows one that was lost is not recorded, whoever has passed over the error."""

    __slots__ = ("write", "chain", "count", "failure", "_once")

    def __init__(
        self, write: Callable[[bytes], None], chain: bytes = b"", count: int = 0, at: str | None = None
    ) -> None:  # fmt: skip
        """chain, count, at: of a log that is taken up again: its last chain value, its events, the `at` of the first."""
        self.write, self.chain, self.count = write, chain, count
        self._once = Once(at)
        self.failure: BaseException | None = None

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None, remark: str | None = None,
    ) -> None:  # fmt: skip
        body = f'{{"event":"moved","step":"{step}","seat":"{seat}","request":"{request}","move":'.encode() + move
        if raw is not None:
            body += b',"raw":' + raw
        if under is not None:
            body += f',"under":"{under}","relation":{_quoted(relation)},"size":{size}'.encode()
        if reads:
            body += b',"reads":%d' % reads
        if remark is not None:
            body += b',"remark":' + to_json(remark)
        self.line(body, meta)

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
        whole = fields
        if meta and name not in WHOLE:
            fields, meta = self._once.short(name, fields, meta)
        self.line(event_body(name, fields), meta)
        if name == "attempted":
            self._once.wrote(whole)

    def ahead(self, name: str, fields: Mapping[str, Any]) -> None:
        """An event that may be written together with the next one: nothing is lost where that one is never reached."""
        write = self.write
        self.write = getattr(write, "later", write)
        try:
            self.line(event_body(name, fields))
        finally:
            self.write = write

    def line(self, body: bytes, meta: Mapping[str, Any] | None = None) -> None:
        body += b',"meta":%b' % to_json(meta) if meta else b',"meta":{}'
        if len(body) > LONGEST - 64:
            raise TranscriptError(
                f"{label(body + b'}')} takes {len(body):,} bytes, and a line may hold {LONGEST:,}: say less at once"
            )
        chain = blake2b(self.chain + body, digest_size=16).hexdigest().encode()
        if self.failure is not None:
            raise self.failure
        try:
            self.write(b'%b,"chain":"%b"}\n' % (body, chain))
            self.chain = chain
        except BaseException as error:  # Ctrl-C too: what is in the file by then, nobody knows here
            self.failure = error
            raise
        self.count += 1


def played_part(line: bytes) -> bytes:
    """The part of a line that is the play: all before its meta, whatever is called "meta" inside of it or before."""
    place, last = line.find(_META), line.rfind(_META)
    while place < last and not _whole(line[place + len(_META) : -45]):
        place = line.find(_META, place + 1)
    return line[:place]


def _whole(data: bytes) -> bool:
    """Whether it is one value in JSON."""
    try:
        from_json(data, cache_strings=False)
    except ValueError:
        return False
    return True


def chain_of(line: bytes) -> bytes:
    """The chain value that a whole line carries."""
    return line[-35:-3]


def check_line(line: bytes, number: int, chain: bytes, name: str) -> bytes:
    """The chain value of a line, after checking it against `chain`, that of the line before. Raises TranscriptError naming
    file, line and event when the line was edited, reordered or is no event at all."""
    own = line[-35:-3]
    if line[-45:-35] != _CHAIN or line[-3:] != b'"}\n':
        raise TranscriptError(f"{name}: line {number}: this is no moot event: {line[:80]!r}")
    found = _EMPTY.copy()
    found.update(chain + line[:-45])
    if found.hexdigest().encode() == own:
        return own
    raise TranscriptError(
        f"{name}: line {number} ({label(line)}): the hash chain breaks here: this line or one before it was edited, "
        "removed or reordered; keep an untouched copy, or `moot fork` from a step before it"
    )


def parse(line: bytes, number: int, name: str) -> dict[str, Any]:
    """A line as a dict. number: its own, 0 for the last line. Raises TranscriptError naming file and line."""
    wrong = ""
    try:
        event: dict[str, Any] = from_json(line, cache_strings="keys")
        if isinstance(event["event"], str):
            return event
    except (KeyError, TypeError):  # another object, or no object
        pass
    except ValueError as error:
        wrong = f"cannot be read as JSON: {error}"
    where = f"line {number}" if number else "the last line"
    raise TranscriptError(f"{name}: {where} {wrong or f'is no moot event: {line[:80]!r}'}")


def label(line: bytes) -> str:
    """A short name for an event, for messages: "event moved, step 0.1"."""
    try:
        event = parse(line, 0, "")
        return f"event {event['event']}" + (f", step {event['step']}" if event.get("step") else "")
    except TranscriptError:
        return "unreadable"


def check_header(event: Mapping[str, Any], name: str) -> None:
    """Raise TranscriptError unless `event` opens a transcript of a version that this moot reads."""
    if event.get("event") != "started" or event.get("format") != FORMAT:
        raise TranscriptError(f"{name}: line 1 does not open a moot transcript (its format is {event.get('format')!r})")
    if type(version := event.get("version")) is not int or version < 1:
        raise TranscriptError(f"{name}: line 1 gives no version of the format, but {version!r}")
    if version > VERSION:
        raise TranscriptError(f"{name}: written in version {version}; this moot reads up to {VERSION}: upgrade moot")


def played(lines: Iterable[tuple[bytes, dict[str, Any]]]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Only the events of the play, without an ending that a later `resumed` took back."""
    held: list[tuple[bytes, dict[str, Any]]] = []
    for line, event in lines:
        name = event["event"]
        if name == "moved" and not held:
            yield line, event
        elif name == "resumed":
            held.clear()
        elif name in ("failed", "ended"):
            held.append((line, event))
        elif name in PLAYED:
            yield from held
            held.clear()
            yield line, event
    yield from held


def digest_of(lines: Iterable[tuple[bytes, dict[str, Any]]]) -> str:
    """The digest of a play: of what happened at every step, whatever order it happened in, and of the outcome."""
    paths: list[tuple[int, ...]] = []
    leaves: list[bytes] = []
    for line, event in played(lines):
        name = event["event"]
        if name == "moved" and (step := event["step"]).isdecimal():  # as nearly all are
            paths.append((int(step),))
        else:
            paths.append(
                (-1,) if name == "started" else (1 << 62,) if name in ("ended", "failed") else path_of(event["step"])
            )
        leaf = _EMPTY.copy()
        leaf.update(played_part(line))
        leaves.append(leaf.digest())
    order = sorted(range(len(paths)), key=paths.__getitem__)
    return blake2b(b"".join(map(leaves.__getitem__, order)), digest_size=16).hexdigest()
