"""The laws that every protocol keeps, each a function: `laws.replays(MyProtocol())`. `check_protocol` examines them all.

Rule: here stand the laws of what a play does and how it is recorded, and the list of all; those of what the seats may
spend and win, and of what a protocol declares, stand in `laws_of_sight`, that of what they may not see in `secrecy`, those of
what searches rest on in `laws_of_search`.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
from hypothesis import strategies as st

from moot.play.rerun import resume
from moot.play.run import arun as drive
from moot.play.run import in_loop
from moot.protocols.engine.base import Protocol, record_of
from moot.protocols.engine.errors import ProtocolError
from moot.protocols.engine.outcomes import outcome_adapter
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.testing.checks.check import MOST, Case, Law, LawBroken, Questions, examine, law
from moot.testing.checks.elsewhere import portable
from moot.testing.checks.impure import Watch
from moot.testing.checks.laws_of_search import led_back, solved
from moot.testing.checks.laws_of_sight import (
    bounded_judge,
    dynamics,
    fits,
    paid,
    players,
    sealed,
    symmetric,
    utility,
    within_budget,
    zero_sum,
)
from moot.testing.checks.secrecy import blind
from moot.testing.hand import shown
from moot.testing.strategies import Moves, hostile_replies, illegal_replies
from moot.transcripts.replay import replay, verify
from moot.transcripts.transcript import Transcript


@law("every play comes to an outcome, whatever legal moves are made")
def ends(case: Case) -> None:
    """And after it nothing is asked: neither by the play itself, nor by code of it that runs as it is closed."""
    hand = case.play(case.order())
    game = hand.game
    if game.open:
        case.broken(f"steps {', '.join(game.open)} are still open after the outcome")
    if not hand.order:
        return
    with suppress(ProtocolError):
        game.answer(hand.order[-1], {})
        case.broken("a step could be answered after the outcome")
    broken_off = case.hand()
    case.attempt(broken_off.run, (), case.draw(st.integers(0, len(hand.order) - 1)))
    if broken_off.game.outcome is None:
        case.attempt(broken_off.game.fail, next(iter(broken_off.game.open)), "the world gave out")
        if broken_off.game.open:
            case.broken(f"after a failure steps {', '.join(broken_off.game.open)} are still open")


@law("a protocol reads no clock, no randomness, no file and no network")
def pure(case: Case) -> None:
    """Calls of `time`, `datetime.now`, the global `random`, `os` and `open` from the protocol are seen, with their line."""
    watch = Watch(case.protocol)
    case.play(case.order(), watch=watch)
    if watch.found:
        case.broken(watch.found[0])


@law("the same moves give the same play")
def deterministic(case: Case) -> None:
    first = case.play().bodies
    case.same(first, case.play().bodies, "played again on the same moves")
    case.same(first, case.play().bodies, "played a third time on the same moves")


@law("replay gives the identical digest")
def replays(case: Case) -> None:
    transcript = case.play(case.order()).transcript
    again, whole = case.attempt(replay, transcript, case.protocol), verify(transcript)
    if again.digest != transcript.digest:
        case.broken(f"the digest is {transcript.digest}, that of the replay {again.digest}")
    if not whole.ended or whole.digest != transcript.digest:
        case.broken(f"verification found {whole}")


@law("what is encoded and decoded is what it was")
def encodes(case: Case) -> None:
    """The protocol with its parameters, the question, every move that was accepted, and the outcome."""
    protocol = case.protocol
    record = record_of(protocol)
    made = case.attempt(lambda: type(protocol).from_record(record["params"]))
    if made != protocol:
        case.broken(f"the protocol came back from its record {record} as {made!r}")
    question = case.question
    if Question(**question.model_dump(mode="json", exclude_defaults=True)) != question:
        case.broken("the question did not come back from its record")
    hand = case.play()
    outcome = hand.game.outcome
    assert outcome is not None
    if outcome_adapter.validate_json(outcome.model_dump_json()) != outcome:
        case.broken(f"the outcome did not come back from its record: {outcome!r}")
    kinds = {step: request.kinds for (step, _), (request, _) in hand.asked.items()}
    for step in hand.transcript.steps():
        for form in filter(None, (step.move, step.raw)):
            kind = next((kind for kind in kinds[step.step] if kind.model_fields["kind"].default == form["kind"]), None)
            if kind is None:
                continue  # a check may put a kind of its own on the record
            move = case.attempt(kind.model_validate, form)
            if move.model_dump(mode="json") != form:
                case.broken(f"the move of step {step.step} was recorded as {form}, and reads back as {shown(move)}")


@law("the order in which calls come back changes nothing")
def order_free(case: Case) -> None:
    """Stepped by hand in two drawn orders, and with async agents that answer in a drawn order on a real event loop."""
    first = case.play()
    order = case.order()
    for other in (order, [-1] * MOST):  # and whichever was asked last is answered first
        case.same(first.bodies, case.play(other).bodies, "with its calls answered in another order")
    case.alike(first, case.attempt(_live, case, order), "with async agents answering in another order")


def _live(case: Case, order: list[int]) -> Transcript:
    """The case played by the driver, with async agents that a gatekeeper lets answer in the given order."""
    waiting: dict[str, anyio.Event] = {}
    turns = iter(order)

    async def act(request: Request) -> Any:
        gate = waiting[request.step] = anyio.Event()
        await gate.wait()
        return case.script.agent(request)

    async def keep() -> None:
        while True:
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
            if waiting:
                waiting.pop(list(waiting)[next(turns, 0) % len(waiting)]).set()

    async def both() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(keep)
            seats = dict.fromkeys(case.protocol.roles(case.question), act)
            played.append(await drive(case.protocol, case.question, seats, seed=case.seed))
            group.cancel_scope.cancel()

    played: list[Transcript] = []
    in_loop(both)
    return played[0]


@law("a play that is cut off at any moment and resumed is the play that was not")
def resumes(case: Case) -> None:
    """The log is cut after a drawn event, and in the middle of a drawn line; no call that was recorded is made again."""
    first = case.play(case.order())
    lines = first.lines
    if len(lines) < 2:
        return
    kept = case.draw(st.integers(1, len(lines) - 1))
    torn = case.draw(st.integers(0, len(lines[kept]) - 1))
    calls: list[str] = []

    def agent(request: Request) -> Any:
        calls.append(request.step)
        return case.script.agent(request)

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut.jsonl"
        path.write_bytes(b"".join(lines[:kept]) + lines[kept][:torn])
        seats = dict.fromkeys(case.protocol.roles(case.question), agent)
        resumed = case.attempt(resume, path, seats, protocol=case.protocol)
        case.alike(first, resumed, f"resumed after {kept} events")
    done = [event["step"] for event in Transcript(lines[:kept]).events() if event["event"] in ("moved", "rejected")]
    for step in set(done):
        if calls.count(step) > len(case.script.replies[step]) - done.count(step):
            case.broken(f"resumed after {kept} events, step {step} was asked again although its answer was recorded")


@law("an illegal move changes nothing, and is recorded")
def rejects(case: Case) -> None:
    """A reply that no protocol may accept, or a hostile one, comes before the legal answer of a drawn step."""
    first = case.play()
    once = [step for step in first.order if len(case.script.replies[step]) == 1]
    if not once:
        return
    at = case.draw(st.sampled_from(once))
    hand = case.hand()
    while at not in hand.game.open:
        case.attempt(hand.step, next(iter(hand.game.open)))
    request = hand.look(at)
    illegal = case.draw(st.booleans())
    reply = case.draw(illegal_replies(request) if illegal else hostile_replies(request, most=1000))
    before, count = {step: waiting.digest for step, waiting in hand.game.open.items()}, len(hand.lines)
    if case.attempt(hand.game.answer, at, reply):
        if illegal:
            kinds = " or ".join(kind.__name__ for kind in request.kinds)
            case.broken(f"step {at} accepted {shown(reply)}, which is no {kinds}")
        return
    events = [(event["event"], event.get("step")) for event in hand.transcript.events()][count:]
    if events[:1] != [("rejected", at)]:
        case.broken(f"step {at} was answered with {shown(reply)}; recorded was {[event for event, _ in events]}")
    if hand.game.outcome is not None:
        return
    if {step: waiting.digest for step, waiting in hand.game.open.items()} != before or len(events) > 1:
        case.broken(f"after the illegal {shown(reply)} at step {at} other steps were open than before")
    script = case.script.replies[at]
    case.script.replies[at] = [reply, *script]
    try:
        case.attempt(hand.run)
        other = hand.bodies
        other[at] = [body for body in other[at] if not body.startswith(b'{"event":"rejected"')]
        case.same(first.bodies, other, f"after an illegal {shown(reply)} at step {at}, mended at once")
        case.attempt(replay, hand.transcript, case.protocol)
    finally:
        case.script.replies[at] = script


@law("the argument tree is rooted and acyclic, and the ledger counts it as networkx does")
def tree(case: Case) -> None:
    import networkx

    transcript = case.play(case.order()).transcript
    graph, size = case.attempt(lambda: (transcript.tree, transcript.ledger.tree))
    if not networkx.is_arborescence(graph):
        case.broken(f"the tree is no tree with one root: edges {list(graph.edges)}")
    root = graph.graph["root"]
    if graph.in_degree(root) != 0:
        case.broken(f"the root {root} answers something: {list(graph.pred[root])}")
    sizes = {node: 0 if data["kind"] == "question" else data["size"] for node, data in graph.nodes(data=True)}
    depths = networkx.single_source_shortest_path_length(graph, root)
    paths = {root: 0}
    for parent, node in networkx.bfs_edges(graph, root):
        paths[node] = paths[parent] + sizes[node]
    counted: dict[str, Any] = {
        "nodes": len(graph), "depth": max(depths.values()), "branching": max(dict(graph.out_degree).values()),
        "largest": max(sizes.values()), "longest_path": max(paths.values()), "total": sum(sizes.values()),
    }  # fmt: skip
    for name, value in counted.items():
        if getattr(size, name) != value:
            case.broken(f"the ledger counts {name} {getattr(size, name)}; networkx {value}")


@law("most_moves() is an upper bound on the moves of each seat")
def estimates(case: Case) -> None:
    """For protocols that give one."""
    most = case.attempt(case.protocol.most_moves, case.question)
    if most is None:
        return
    for seat, count in Counter(step.seat for step in case.play().transcript.steps()).items():
        if count > most.get(seat, 0):
            case.broken(f"seat {seat} made {count} moves; most_moves() allows for {most.get(seat, 0)}")


def check_protocol(
    protocol: Protocol, *, questions: Questions | None = None, moves: Moves | None = None, examples: int = 50,
    seats: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Examine `protocol` under every law that moot's own protocols keep.

        def test_mine(): moot.testing.check_protocol(MyProtocol())

    questions: a question, several, or a strategy; by default those among a few shapes (2 to 4 choices with and without a
    passage, lists of integers, open questions) that `roles` accepts. moves: from a request to a strategy of replies; by
    default made from the schema of the kinds that are asked for. examples: plays per law. seats: synchronous agents for
    seats that should not say drawn things.

    Raises LawBroken with the law, the protocol and the smallest play found that breaks it; UsageError when no question
    fits or a kind of move cannot be made. Warns (NotExamined) of a law that could not be examined, and why.
    """
    examine(list(LAWS.values()), protocol, questions=questions, moves=moves, examples=examples, seats=seats)


__all__ = [
    "ends", "pure", "deterministic", "replays", "portable", "encodes", "order_free", "resumes", "rejects", "tree", "estimates", "players",
    "dynamics", "utility", "fits", "paid", "blind", "sealed", "within_budget", "bounded_judge", "led_back", "solved",
    "zero_sum", "symmetric",
    "LAWS", "LawBroken", "check_protocol",
]  # fmt: skip
LAWS = {name: each for name in __all__ if isinstance(each := globals().get(name), Law)}
"""Every law by name, in the order in which `check_protocol` examines them."""
