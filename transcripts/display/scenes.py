"""What a reader is shown of a transcript, in the order of its steps, whatever it is then drawn on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moot.complexity.play import Play, path_of
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.game import Game
from moot.protocols.quotes import segments
from moot.protocols.text import one_line
from moot.transcripts.display.saying import text_of

if TYPE_CHECKING:
    import networkx


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what was said. verified: None outside quotes and where nothing could be checked."""

    text: str
    quote: bool = False
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One move, or one that was rejected by `rule`, or a note on what happened.

    heading: of the part of the play that it stands in ("Round 1 of 2"). defends: the choice that its speaker argues for,
    when the protocol gave it one. beliefs: the probabilities of a verdict over `choices`, which are those of the question
    that was put to the speaker.
    """

    step: str
    seat: str
    role: str
    kind: str
    heading: str = ""
    defends: str | None = None
    pieces: tuple[Piece, ...] = ()
    choices: tuple[str, ...] = ()
    beliefs: tuple[float, ...] = ()
    extra: str = ""
    rule: str | None = None
    note: str | None = None


@dataclass(slots=True)
class Cast:
    """Who sits where: role, how the agent described itself, what it defends (None: nothing, or it varies), bounds."""

    seat: str
    role: str
    agent: str
    defends: str | None = None
    bound: Mapping[str, int | float] = field(default_factory=dict)


def scenes(transcript: Play) -> list[Scene]:
    """Every move of the play in the order of its steps, rejected ones and interruptions included."""
    put = put_to(transcript)
    own = Put({}, transcript.question.text, transcript.question.choices)
    roles: Mapping[str, str] = transcript.started["roles"]
    found: list[tuple[tuple[int, ...], int, Scene]] = []
    place: tuple[int, ...] = (-1,)
    for number, event in enumerate(transcript.events()):
        name = event["event"]
        if name in ("moved", "rejected"):
            place = path_of(event["step"])
            found.append((place, number, _scene(event, roles, put.get(event["step"], own), own)))
        elif note := _note(event):
            if name in ("entered", "attempted"):
                place = path_of(event["step"])
            found.append((place, number, Scene(event.get("step", ""), event.get("seat", ""), "", name, note=note)))
    found.sort(key=lambda item: item[:2])
    return [scene for _, _, scene in found]


def cast(transcript: Play, shown: list[Scene]) -> list[Cast]:
    """Who sat where."""
    defended: dict[str, set[str]] = {}
    for seat, index in stances(transcript).items():
        defended[seat] = {_choice(transcript.question.choices, index)}
    for scene in shown:
        if scene.defends is not None:
            defended.setdefault(scene.seat, set()).add(scene.defends)
    return [
        Cast(seat, role, described(transcript.seats.get(seat)),
             next(iter(defended[seat])) if len(defended.get(seat, ())) == 1 else None, transcript.bounds.get(seat, {}))
        for seat, role in transcript.started["roles"].items()
    ]  # fmt: skip


def described(agent: Any) -> str:
    """An agent's own description, on one line."""
    if not isinstance(agent, Mapping):
        return "unknown" if agent is None else one_line(str(agent), 60)
    named = [str(agent[key]) for key in ("agent", "model", "name") if isinstance(agent.get(key), str)]
    members = agent.get("members")
    if isinstance(members, list):
        linked = "" if named and named[-1].endswith("-of") else "of "
        named.append(linked + ", ".join(described(member) for member in members))
    return one_line(" ".join(named) or "an agent that does not describe itself", 80)


@dataclass(frozen=True, slots=True)
class Put:
    """What was put to a seat: the brief of the ask, and the question with its choices, as it was shown there."""

    brief: Mapping[str, Any]
    question: str
    choices: tuple[str, ...]


def put_to(transcript: Play) -> dict[str, Put]:
    """What was put to the seat of each step: the protocol is run again on the recorded moves, without comparing.

    As far as that goes: empty when the protocol is not installed here, shorter when it has changed since.
    """
    put: dict[str, Put] = {}
    game = None
    try:
        game = Game(transcript.protocol, transcript.question, seed=transcript.seed).start()
        for event in transcript.events():
            if event["event"] in ("moved", "rejected"):
                waiting = game.open.get(event["step"])
                if waiting is None:
                    break
                asked = waiting.ask.view.question
                put.setdefault(event["step"], Put(waiting.ask.brief, asked.text, tuple(asked.choices)))
                game.answer(event["step"], event.get("raw") or event["move"])
    except MootError:
        pass
    finally:
        if game is not None:
            game.close()
    return put


def stances(transcript: Play) -> Mapping[str, int]:
    """Which choice a seat defends all along, where the protocol is installed here and says so."""
    try:
        return transcript.protocol.stances(transcript.question)
    except MootError:
        return {}


def _scene(event: Mapping[str, Any], roles: Mapping[str, str], put: Put, own: Put) -> Scene:
    move = event["move"] if isinstance(event["move"], Mapping) else {"reply": event["move"]}
    seat, kind = event["seat"], str(move.get("kind", "move"))
    defends = put.brief.get("answer")
    common: dict[str, Any] = {
        "step": event["step"], "seat": seat, "role": roles.get(seat, ""), "kind": kind, "heading": _heading(put.brief),
        "defends": _choice(put.choices, defends) if isinstance(defends, int) else None, "choices": put.choices,
    }  # fmt: skip
    if event["event"] == "rejected":
        return Scene(**common, rule=str(event.get("rule", "")))
    beliefs = tuple(float(p) for p in move.get("probabilities", ())) if kind in ("verdict", "price") else ()
    extra = ""
    if kind == "verdict":
        extra = "ends it here" if move.get("end") else put.question if set(put.choices) != set(own.choices) else ""
    elif kind == "ask":
        extra = f"to {move.get('to') or 'all'}"
    elif kind == "answer":
        choice = move.get("choice")
        extra = f"takes {_choice(put.choices, choice)}" if isinstance(choice, int) else ""
    elif kind == "stop":
        return Scene(**common, pieces=(Piece("agrees to end" if move.get("stop") else "wants to go on"),))
    return Scene(**common, pieces=tuple(_pieces(move)), beliefs=beliefs, extra=one_line(extra))


def _choice(choices: tuple[str, ...], index: int) -> str:
    return f"“{one_line(choices[index], 60)}”" if 0 <= index < len(choices) else f"answer {index}"


def _pieces(move: Mapping[str, Any]) -> Iterator[Piece]:
    text = text_of(move)
    quotes = list(move.get("quotes") or ())
    for segment in segments(text):
        if segment.quote:
            checked = quotes.pop(0) if quotes else {}
            yield Piece(segment.text, quote=True, verified=checked.get("verified"))
        elif segment.text:
            yield Piece(segment.text)


def _heading(brief: Mapping[str, Any]) -> str:
    task, number, rounds = brief.get("task"), brief.get("round"), brief.get("rounds")
    if isinstance(number, int):
        if number == 0:
            return "Opening"
        return f"Round {number} of {rounds}" if rounds is not None else f"Round {number}"
    return "Verdict" if task == "verdict" else ""


def _note(event: Mapping[str, Any]) -> str | None:
    name, meta = event["event"], event.get("meta", {})
    if name == "entered":
        choices = " or ".join(one_line(choice, 60) for choice in event["question"].get("choices", ()))
        return f"sub-play of {event['protocol']['name']} on: {event['question']['text']}" + (choices and f" {choices}")
    if name == "flipped":
        return f"coin at step {event['step']}: {event['value']}"
    if name == "cancelled":
        return f"interrupted {meta.get('at', '')}, waiting at step {', '.join(event['steps'])}"
    if name == "resumed":
        return f"taken up again {meta.get('at', '')}"
    if name == "attempted" and not event.get("ok", True):
        return f"{event['seat']}'s call failed: {event.get('error') or event.get('problem') or 'no cause recorded'}"
    return None


def walk(graph: networkx.DiGraph[str], deepest: int = 24) -> Iterator[tuple[str, str, str, bool]]:
    """The nodes from the root down: node, the stem drawn before it, its relation, whether it was there before.

    Below `deepest` levels the stem gives the depth as a number and grows no longer.
    """
    root = graph.graph["root"]
    seen: set[str] = set()
    stack: list[tuple[str, str, str, int, str]] = [(root, "", "", 0, "")]
    while stack:
        node, stem, below, depth, relation = stack.pop()
        yield node, stem if depth <= deepest else f"{below[: 3 * deepest]}⋯{depth} ", relation, node in seen
        if node in seen:
            continue
        seen.add(node)
        children = sorted(graph.successors(node), key=lambda child: path_of(child) if child != "q" else ())
        for index in range(len(children) - 1, -1, -1):
            last = index == len(children) - 1
            inner = below + ("   " if last else "│  ") if depth < deepest else below
            relation = str(graph.edges[node, children[index]].get("relation", ""))
            stack.append((children[index], below + ("└─ " if last else "├─ "), inner, depth + 1, relation))
