"""What a reader is shown of a transcript, in the order of its steps, whatever it is then drawn on.

Rule of this file: it knows events, and asks each move what it says; it knows no kind of move and draws nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from moot.complexity.play import Play, path_of
from moot.complexity.spending import number
from moot.protocols.engine.errors import MootError
from moot.protocols.engine.game import Game
from moot.protocols.engine.moves import Move, Part
from moot.protocols.engine.question import Question
from moot.protocols.engine.steps import PROTOCOL, AskEffect
from moot.protocols.engine.values.quoting import segments
from moot.protocols.recorded import recorded_move, words_of
from moot.protocols.text import one_line
from moot.transcripts.display.private import aside, of_move

if TYPE_CHECKING:
    import networkx


Put = Mapping[str, tuple[Mapping[str, Any], Question]]
"""By step, the brief and the question as shown that were put to its seat."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of what was said. verified: None outside quotes and where nothing could be checked."""

    text: str
    quote: bool = False
    verified: bool | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One move, or one that was rejected by `rule`, or a note on what happened. remark: the rule that the move breaks, which
    another system accepted. heading: of the part of the play that it
    stands in ("Round 1 of 2"). defends: the choice that the protocol gave its speaker to argue for. beliefs: of a verdict
    over `choices`, those of the question that was put to the speaker. private: what was kept of the seat for readers alone."""

    step: str
    seat: str
    kind: str
    heading: str = ""
    defends: str | None = None
    pieces: tuple[Piece, ...] = ()
    choices: tuple[str, ...] = ()
    beliefs: tuple[float, ...] = ()
    extra: str = ""
    rule: str | None = None
    remark: str | None = None
    note: str | None = None
    private: str | None = None

    @property
    def head(self) -> str:
        """What stands above it, after the seat."""
        defends = "" if self.defends is None else f" for {self.defends}"
        return f"· {self.kind}{defends} · step {self.step}" + (f" · {self.extra}" if self.extra else "")


def scenes(transcript: Play, private: bool = False) -> list[Scene]:
    """Every move of the play in the order of its steps, rejected ones and interruptions included. private: also what the
    transcript keeps of seats for its reader alone, before the move that it led to."""
    return [scene for scene, _ in staged(transcript, put_to(transcript), private)]


def staged(transcript: Play, put: Put, private: bool = False) -> list[tuple[Scene, Mapping[str, Any]]]:
    """The same, each with the event that it shows. put: as `put_to` finds it."""
    own = transcript.question
    found: list[tuple[tuple[int, ...], tuple[Scene, Mapping[str, Any]]]] = []
    place: tuple[int, ...] = (-1,)
    for event in transcript.events():
        name = event["event"]
        kept = (of_move(event) if name in ("moved", "rejected") else aside(event)) if private else None
        if kept is not None:
            with suppress(ValueError):  # such events are read as they are, and need not name a step
                place = path_of(kept.step)
            scene = Scene(kept.step, kept.seat, kept.kind, extra=kept.about, private=kept.text)
            found.append((place, (scene, event)))
        if name in ("moved", "rejected"):
            place = path_of(event["step"])
            brief, question = put.get(event["step"], ({}, own))
            found.append((place, (_scene(event, brief, question, own), event)))
        elif name == "told":
            place = path_of(event["step"])
            to = event.get("to")
            extra = "" if to is None else f"to {', '.join(map(str, to)) or 'nobody'}"
            scene = replace(_scene({**event, "seat": PROTOCOL}, {}, own, own), extra=extra)
            found.append((place, (scene, event)))
        elif note := _note(event):
            if name in ("entered", "attempted"):
                place = path_of(event["step"])
            found.append((place, (Scene(event.get("step", ""), event.get("seat", ""), name, note=note), event)))
    return [staging for _, staging in sorted(found, key=itemgetter(0))]


def cast(transcript: Play, shown: list[Scene]) -> dict[str, str]:
    """Who sat in each seat: its role, how the agent described itself, the answer that it defends all along, its bounds."""
    defended: dict[str, set[str]] = {}
    with suppress(MootError):  # where the protocol is not installed here
        for seat, index in transcript.protocol.stances(transcript.question).items():
            defended[seat] = {_choice(transcript.question.choices, index)}
    for scene in shown:
        if scene.defends is not None:
            defended.setdefault(scene.seat, set()).add(scene.defends)
    found = {}
    for seat, role in transcript.started["roles"].items():
        found[seat] = f"{role}: {described(transcript.seats.get(seat))}"
        if len(defends := defended.get(seat, set())) == 1:
            found[seat] += f"; defends {defends.pop()}"
        if bound := transcript.bounds.get(seat):
            most = (f"{number(limit)} {measure.replace('_', ' ')}" for measure, limit in bound.items())
            found[seat] += f"; at most {', '.join(most)}"
    return found


def described(agent: Any) -> str:
    """An agent's own description, on one line."""
    if not isinstance(agent, Mapping):
        return "unknown" if agent is None else one_line(str(agent), 60)
    named = [str(agent[key]) for key in ("agent", "model", "name") if isinstance(agent.get(key), str)]
    if isinstance(members := agent.get("members"), list):
        linked = "" if named and named[-1].endswith("-of") else "of "
        named.append(linked + ", ".join(described(member) for member in members))
    return one_line(" ".join(named) or "an agent that does not describe itself", 80)


def put_to(transcript: Play) -> dict[str, tuple[Mapping[str, Any], Question]]:
    """The brief, and the question as shown, that were put to the seat of each step: the protocol is run again, without
    comparing, as far as that goes: not at all when it is not installed here, less far when it has changed since."""
    put: dict[str, tuple[Mapping[str, Any], Question]] = {}
    for event, ask, _ in led(transcript):
        put.setdefault(event["step"], (ask.brief, ask.view.question))
    return put


def led(transcript: Play) -> Iterator[tuple[Mapping[str, Any], AskEffect, bool]]:
    """The moves of a play, rejected ones too, each with the ask that it answered and whether it is taken there: the protocol is run again on
    them, as far as that goes."""
    with suppress(MootError), closing(Game(transcript.protocol, transcript.question, seed=transcript.seed)) as game:
        game.start()
        for event in transcript.events():
            if event["event"] in ("moved", "rejected"):
                if (waiting := game.open.get(event["step"])) is None:
                    return
                ask, taken = waiting.ask, False
                with suppress(MootError):
                    game.answer(event["step"], event.get("raw") or event["move"], history="remark" in event)
                    taken = True
                yield event, ask, taken
                if not taken:
                    return


def _scene(event: Mapping[str, Any], brief: Mapping[str, Any], put: Question, own: Question) -> Scene:
    move = event["move"] if isinstance(event["move"], Mapping) else {"reply": event["move"]}
    choices, defends = tuple(put.choices), brief.get("answer")
    common: dict[str, Any] = {
        "step": event["step"], "seat": event["seat"], "kind": str(move.get("kind", "move")), "heading": _heading(brief),
        "defends": _choice(choices, defends) if isinstance(defends, int) else None, "choices": choices,
    }  # fmt: skip
    if event["event"] == "rejected":
        return Scene(**common, rule=str(event.get("rule", "")))
    if "remark" in event:
        common["remark"] = str(event["remark"])
    if (known := recorded_move(move)) is None:
        return Scene(**common, pieces=tuple(pieces(words_of(move))))
    if own.passage is None:
        known = known.without_marks()
    beliefs, extra = known.stated_probabilities(), known.in_short(choices)
    if beliefs and not extra and set(choices) != set(own.choices):
        extra = put.text
    return Scene(**common, pieces=tuple(pieces(known.in_words(), known)), beliefs=beliefs, extra=one_line(extra))


def _choice(choices: tuple[str, ...], index: int) -> str:
    return f"“{one_line(choices[index], 60)}”" if 0 <= index < len(choices) else f"answer {index}"


def pieces(text: str, move: Move | None = None) -> Iterator[Piece]:
    """The words of a move, quotations apart, each with what the move says of it."""
    body = () if move is None else move.prompt_body()
    # by their texts: words for people may hold other quotes before those that were looked for, and not all of them
    marks = {part.text: part.verified for part in body if isinstance(part, Part) and part.tag == "quote"}
    for quote, said in segments(text):
        yield Piece(said, quote, marks.get(said) if quote else None)


def _heading(brief: Mapping[str, Any]) -> str:
    at, rounds = brief.get("round"), brief.get("rounds")
    if not isinstance(at, int):
        return "Verdict" if brief.get("task") in ("verdict", "verdict-or-stands") else ""
    return "Opening" if at == 0 else f"Round {at}" if rounds is None else f"Round {at} of {rounds}"


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
    if name == "imported" and (problems := event.get("problems")):
        return f"imported from {event.get('source')}; {len(problems)} remarks: {'; '.join(map(str, problems))}"
    if name == "attempted" and not event.get("ok", True):
        return f"{event['seat']}'s call failed: {event.get('error') or event.get('problem') or 'no cause recorded'}"
    return None


def walk(graph: networkx.DiGraph[str], deepest: int = 24) -> Iterator[tuple[str, str, str, bool]]:
    """The nodes from the root down: node, the stem drawn before it, its relation, whether it was there before. Below
    `deepest` levels the stem gives the depth as a number and grows no longer."""
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
        for child in reversed(children):
            own, inner = ("└─ ", "   ") if child == children[-1] else ("├─ ", "│  ")
            relation = str(graph.edges[node, child].get("relation", ""))
            stack.append((child, below + own, below + inner if depth < deepest else below, depth + 1, relation))
