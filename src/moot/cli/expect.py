"""What a run is expected to take: its plays on moves of a likely length, with the prompts that those would be shown.
Rule: nobody is called. How long moves are, and what a byte of a prompt takes, is measured on transcripts, or declared, or
assumed; which of these it was is always said.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from moot.agents.kinds import Asked, Profile
from moot.agents.models.vision import text_bytes
from moot.agents.money.prices import Prices
from moot.agents.prompts.asking import prompt_for
from moot.agents.prompts.variables import limits_of
from moot.cli.estimate import placeholder
from moot.protocols.engine.errors import MootError, UsageError, near, said
from moot.protocols.engine.game import Game

if TYPE_CHECKING:
    from moot.protocols.engine.base import Protocol
    from moot.protocols.engine.moves import Move
    from moot.protocols.engine.question import Question, Sample
    from moot.protocols.engine.request import Request

MOST = 1000  # moves of a play that is rehearsed: each prompt is rendered
WORDS = 120  # of a statement, where nobody says
OTHER = 40  # tokens of a move that argues nothing: a verdict, an answer, a vote
FRAME = 16  # tokens of the form around a statement
CHARACTERS = 6  # of an English word, with the blank behind it
PER_WORD = 4 / 3  # tokens of an English word
PER_BYTE = 1 / 4  # tokens of a prompt's byte
FIELDS = ("calls", "prompt_tokens", "completion_tokens", "cost")
Walked = tuple[str, str, str, int, "Request"]  # step, seat, kind of move, bytes of the prompt, request


@dataclass(slots=True)
class Habit:
    """What was seen of one kind of move in one seat, summed. characters: of what others read of them. shown: bytes of the
    prompts that a bare model would have been sent, once for each move. tokens: by model and then by name, all attempts
    counted, as are `calls`."""

    moves: int = 0
    characters: int = 0
    shown: int = 0
    calls: int = 0
    tokens: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


@dataclass(frozen=True)
class Expected:
    """How long moves are. seen: by seat and kind of move, by role and kind, and by kind. words: of a statement, by seat, and
    under "" for all others. cached: the share of prompts that the provider has cached, where that was not seen."""

    basis: str
    seen: Mapping[tuple[str, str], Habit]
    words: Mapping[str, float]
    cached: float = 0.0
    skipped: tuple[str, ...] = ()

    @classmethod
    def given(cls, like: Path | None, expect: Sequence[str], agents: Mapping[str, Profile]) -> Expected:
        """From transcripts like those that are to come, or from the words that a statement is said to have: "words=120",
        "a.words=200". Raises UsageError where either cannot be read."""
        if like is not None and expect:
            raise UsageError("--like and --expect exclude each other: measured or declared")
        words: dict[str, float] = {}
        cached = 0.0
        for pair in expect:
            name, _, text = pair.partition("=")
            seat, _, what = name.rpartition(".")
            try:
                value = float(text)
            except ValueError:
                value = math.nan
            if what == "words" and 0 < value <= 100_000:
                words[seat] = value
            elif name == "cached" and 0 <= value <= 1:
                cached = value
            else:
                raise UsageError(
                    f"--expect {pair!r}: write it as words=120, SEAT.words=120 (of a statement), or cached=0.5 (the share of "
                    "prompts that the provider reads from its cache)"
                )
            if seat and seat not in agents:
                raise UsageError(f"--expect {pair!r}: nobody sits at {seat!r}{near(seat, agents)}")
        if like is not None:
            return cls._measured(like)
        told = ", ".join(f"{seat + ': ' if seat else ''}{number:g} words" for seat, number in words.items())
        rest = (
            ""
            if "" in words
            else f"{WORDS} words a statement, unless it is limited, which is assumed (--like FOLDER measures)"
        )
        basis = "; ".join(filter(None, (f"declared: {told} a statement" if told else "", rest)))
        told = f"{basis}; a quarter of a token for a byte, {OTHER} tokens for a move that argues nothing"
        share = f" are assumed; {cached:.0%} of prompts cached" if cached else " and nothing cached are assumed"
        return cls(told + share, {}, words, cached)

    @classmethod
    def _measured(cls, like: Path) -> Expected:
        from moot.transcripts.index import summaries
        from moot.transcripts.transcript import load

        seen: dict[tuple[str, str], Habit] = defaultdict(Habit)
        plays, skipped = 0, []
        if not like.is_dir():
            raise UsageError(f"--like {like}: there is no such folder of transcripts")
        for found in summaries(like):
            try:
                transcript = load(found.path)
                if _measure(transcript, seen):
                    plays += 1
                else:
                    skipped.append(f"{found.path}: no call of it tells its tokens")
            except (MootError, ValueError, TypeError, KeyError) as error:
                skipped.append(f"{found.path}: {said(error)}")
        if not plays:
            why = f"; {skipped[0]}" if skipped else ""
            raise UsageError(f"--like {like}: no transcript there tells what its calls took{why}")
        return cls(
            f"as measured on {plays} play{'s' if plays != 1 else ''} in {like}", dict(seen), {}, 0.0, tuple(skipped)
        )

    def habit(self, seat: str, role: str, kind: str) -> Habit | None:
        """What was seen that is nearest to this seat's move of this kind."""
        return next(
            (self.seen[key] for key in ((seat, kind), (f"{role}*", kind), ("*", kind)) if key in self.seen), None
        )

    def bill(
        self, protocols: Sequence[Protocol], samples: Sequence[Sample], agents: Mapping[str, Profile]
    ) -> dict[str, Any]:
        """What to expect by seat over all plays: calls, tokens, cost. None is unknown; `notes` say why. `basis`: what it rests on."""
        notes = {f"not measured: {each}" for each in self.skipped[:5]}
        seats: dict[str, dict[str, float | None]] = {}
        for protocol in protocols:
            for sample in samples:
                for seat, took in self._of_play(protocol, sample.question, agents, notes).items():
                    _add(seats.setdefault(seat, dict.fromkeys(FIELDS, 0.0)), took)
        total: dict[str, float | None] = dict.fromkeys(FIELDS, 0.0)
        for took in seats.values():
            _add(total, took)
        return {"basis": self.basis, "seats": seats, "total": total, "notes": sorted(notes)}

    def _of_play(
        self, protocol: Protocol, question: Question, agents: Mapping[str, Profile], notes: set[str]
    ) -> dict[str, dict[str, float | None]]:
        roles = protocol.roles(question)
        found: dict[str, dict[str, float | None]] = {seat: dict.fromkeys(FIELDS, 0.0) for seat in roles}

        def reply(step: str, request: Request) -> Iterator[Move]:
            kind = request.kinds[0]
            for length in (self._characters(request, kind), 1):
                yield placeholder(kind, question, _text(length))

        try:
            if (most := protocol.most_moves(question)) is None or sum(most.values()) > MOST:
                raise UsageError(f"it has {'no last round' if most is None else f'over {MOST} moves'}")
            for _, seat, kind, shown, request in walk(protocol, question, reply, lambda seat: not _free(agents, seat)):
                if not _free(agents, seat):
                    _add(found[seat], self._of_move(request, seat, kind, shown, agents.get(seat, Profile()), notes))
        except (MootError, ValueError, TypeError, KeyError) as error:
            notes.add(f"what to expect is unknown: {protocol.name} cannot be rehearsed ({said(error)})")
            return {seat: dict.fromkeys(FIELDS, 0.0 if _free(agents, seat) else None) for seat in roles}
        return found

    def _characters(self, request: Request, kind: type[Move]) -> float:
        """How many characters others read of a move."""
        habit, limit = self.habit(request.seat, request.role, kind.__name__), _limit(request)
        if habit is not None:
            return min(habit.characters / habit.moves, limit or math.inf)
        if not kind.argues:
            return 1
        words = self.words.get(request.seat, self.words.get(""))
        return min(limit or math.inf, (limit or WORDS * CHARACTERS) if words is None else words * CHARACTERS)

    def _of_move(
        self, request: Request, seat: str, kind: str, shown: int, agent: Profile, notes: set[str]
    ) -> dict[str, float | None]:
        habit = self.habit(seat, request.role, kind)
        if habit is None:
            if self.seen:
                notes.add(f"no {kind} of {request.role} was measured: its length is assumed")
            calls = agent.usual
            argues = request.kinds[0].argues
            said = self._characters(request, request.kinds[0]) / CHARACTERS * PER_WORD + FRAME if argues else OTHER
            said = min(said, agent.answer or said)
            prompt, prices = (shown + agent.shown) * PER_BYTE * calls, agent.prices
            said = said * (calls if agent.answers is None else agent.answers) + OTHER * agent.asides
            if images := len(request.view.question.images):
                if agent.image_tokens is None:
                    notes.add(f"nothing says how many tokens an image takes for {seat}: image_tokens; without them")
                prompt += images * (agent.image_tokens or 0) * calls
            cost = None if prices is None else prices.cost_of(prompt, said, prompt * self.cached)
            return {"calls": calls, "prompt_tokens": prompt, "completion_tokens": said, "cost": cost}
        took: dict[str, float | None] = dict(zip(FIELDS, (habit.calls / habit.moves, 0.0, 0.0, 0.0), strict=True))
        for model, tokens in habit.tokens.items():
            scale = shown / habit.shown
            prompt, read, written = (
                scale * tokens[name] for name in ("prompt_tokens", "cached_tokens", "cache_write_tokens")
            )
            said = tokens["completion_tokens"] / habit.moves
            place = _priced(agent.models, model, notes)
            cost = None if place is None else place.cost_of(prompt, said, read, written)
            _add(took, {"calls": 0, "prompt_tokens": prompt, "completion_tokens": said, "cost": cost})
        return took


def _priced(models: Sequence[Asked], name: str, notes: set[str]) -> Prices | None:
    """The prices of the model of this name; of a seat with one model, that one's, whatever the transcripts call it."""
    for each in models:
        if each.model == name or len(models) == 1:
            return each.prices
    notes.add(f"{name}, which the transcripts have, is no model of these seats: its cost is unknown")
    return None


def _limit(request: Request) -> float | None:
    """The most characters that a statement may have, by the limit of its brief."""
    limit, _ = limits_of(request.brief)
    sizes = [] if limit is None else [(limit.chars, 1), (limit.words, CHARACTERS), (limit.tokens, 1)]
    return min((most * size for most, size in sizes if most), default=None)


def _free(agents: Mapping[str, Profile], seat: str) -> bool:
    return seat in agents and agents[seat].program


def _add(into: dict[str, float | None], more: Mapping[str, float | None]) -> None:
    for name, value in more.items():
        known = into[name]
        into[name] = None if known is None or value is None else known + value


def _text(length: float) -> str:
    return ("word, " * (int(length) // 6 + 1))[: max(1, int(length))].rstrip(" ,") or "x"


def _measure(transcript: Any, seen: dict[tuple[str, str], Habit]) -> bool:
    """Add what a transcript tells to `seen`. Whether it tells anything."""
    attempts: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    moves: dict[str, Mapping[str, Any]] = {}
    for event in transcript.events():
        if event["event"] == "attempted":
            attempts[event["step"]].append(event)
        elif event["event"] == "moved":
            moves[event["step"]] = event["move"]
    roles, any_told = transcript.started["roles"], False

    def reply(step: str, request: Request) -> Iterator[Any]:
        yield moves.get(step)

    for step, seat, kind, shown, _ in walk(
        transcript.protocol, transcript.question, reply, lambda _: True, transcript.seed, moves
    ):
        made = attempts.get(step, [])
        counts = ("prompt_tokens", "completion_tokens")
        if not made or any(event.get(name) is None for event in made for name in counts):
            continue
        any_told = True
        for key in ((seat, kind), (f"{roles[seat]}*", kind), ("*", kind)):
            habit = seen[key]
            habit.moves += 1
            habit.characters += len(_content(moves[step]))
            habit.shown += shown
            habit.calls += len(made)
            for event in made:
                for name in (*counts, "cached_tokens", "cache_write_tokens"):
                    habit.tokens[str(event.get("model"))][name] += event.get(name) or 0
    return any_told


def _content(move: Mapping[str, Any]) -> str:
    from moot.protocols.recorded import recorded_move

    known = recorded_move(move)
    return known.content() if known is not None else str(move.get("text", ""))


def walk(
    protocol: Protocol, question: Question, reply: Callable[[str, Request], Iterator[Any]], wanted: Callable[[str], bool],
    seed: int = 0, within: Mapping[str, Any] | None = None,
) -> Iterator[Walked]:  # fmt: skip
    """Every move of a play that answers by `reply`, the first that is legal of what it gives; with the bytes of the prompt
    where the seat is `wanted`. within: the steps to answer; where another opens, the walk ends. Raises UsageError where no
    reply is legal, or the play has no end."""
    count = 0
    with closing(Game(protocol, question, seed=seed)) as game:
        game.start()
        while game.outcome is None:
            step = next((each for each in game.open if within is None or each in within), None)
            if step is None:
                return
            if (count := count + 1) > MOST:
                raise UsageError(f"it has over {MOST} moves")
            request = game.request(step, lambda event: None)
            seat, shown = request.seat, 0
            if wanted(seat):
                messages = prompt_for(request).messages()
                shown = text_bytes(messages)
            kind = request.kinds[0].__name__
            for move in reply(step, request):
                if move is not None and game.answer(step, move, history=within is not None):
                    break
            else:
                raise UsageError(f"step {step}: no move can be made up for {seat}")
            yield step, seat, kind, shown, request
