"""Amplification: an overseer that answers a question by asking copies of itself, or a model, about its parts.
Rule: the recursion, weak and strong; its moves are in `moves.py`, what pointers are in `protocols/pointers.py`.

HCH and iterated amplification: Christiano, Shlegeris and Amodei 2018 (arXiv 1810.08575). Questions and answers that are
plain strings make it weak HCH, which accesses EXP; messages that hold pointers to messages make it strong HCH, which
accesses R (Hubinger 2020, Alignment proposals and complexity classes; Weak HCH accesses EXP).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, ClassVar

from pydantic import Field

from moot.protocols.amplification.moves import Open as Open
from moot.protocols.amplification.moves import Reply as Reply
from moot.protocols.amplification.moves import Subquestions as Subquestions
from moot.protocols.amplification.moves import Text as Text
from moot.protocols.checks import fill, need_choices
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import Illegal
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import UNKNOWN, Move, Verdict
from moot.protocols.engine.outcomes import Decided, Forfeited
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Brief
from moot.protocols.engine.view import NOTHING, Entry, Log, Source
from moot.protocols.pointers import Store, check_message, kept, pointers_in, received

_WEAK = Subquestions | Reply
_STRONG = Subquestions | Open | Reply


@dataclass(slots=True, eq=False)
class Node:
    """A question on its way to its answer. `left` is its budget; `waits` who needs it; `missing` what it still needs."""

    text: str
    level: int
    left: int | None
    under: str | None
    closed: bool = False
    log: Log = NOTHING
    asked: list[Node] = field(default_factory=list)
    turns: int = 0
    missing: int = 0
    waits: list[Node] = field(default_factory=list)
    answer: Entry | None = None
    sees: set[str] = field(default_factory=set)  # pointers

    def spend(self) -> None:
        """Pay 1 for an answer or for opening a pointer; with nothing left an answer costs nothing."""
        if self.left:
            self.left -= 1


class Amplification(Protocol):
    """The overseer answers a question, or asks sub-questions first, which copies of it answer in the same way.

    Equal questions are answered once: the tree becomes a DAG. All that can be worked on are asked at the same time, in
    waves. The overseer sees a question, what it asked and was answered there, and the cells that it looks at; each call must
    stay within a polynomial (`reads_per_call`), while depth and the number of questions may grow faster. The root's answer must be one of the question's choices, or "?", which decides nothing.

    The defaults keep a language model to 43 questions and 57 calls (`generations`). Programs that decompose all the way
    want depth=None and more of the rest (`Task.options` says what a task's do).

    depth: levels below the root; at the last one an answer must be given at once. None: no limit. width: sub-questions
    asked at a time; turns: calls for one question, the last of which must answer. questions: how many different ones
    (with memo=False: how many in all) may ask, the root among them; those over it must be answered at once.
    budget: that of the root by the rule of ALBA (Christiano 2017): a sub-question gets min(left - 1, what was requested
    or left // 10) and costs 1 and what it spends, opening a pointer or answering costs 1, and with nothing left an answer
    must be given at once. Sub-questions asked together are paid for one after the other, each leaving 1 for every one
    behind it. None: no budgets. With depth or budget, questions are equal only if these are equal as well. memo: False
    answers equal questions each time anew.
    model: sub-questions go to the seat "model" (one step of iterated amplification) and not to copies of the overseer;
    it sees the data whole. source: how the overseer sees the data: "metered" by single cells, at which programs and
    humans can look, "all", which a language model needs and a bound is charged for at every call, or "none" for everybody.

    Nobody is paid. Questions that wait for each other in a circle end the play in Forfeited, naming it, once nothing else
    can be answered. A bound on the whole play (calls, reads, tokens) is dealt out in equal shares to the calls of each wave, so
    that no order of answers matters: a wave of w calls may run dry once less than w times its dearest call is left.
    `reads_per_call`, which the guarantee is about, is the same for every call and never dealt out.
    """

    name: ClassVar[str] = "amplify"
    players: ClassVar[tuple[str, ...]] = ("overseer", "model")
    judge: ClassVar[str] = "overseer"
    measure: ClassVar[str] = "reads_per_call"
    complexity_class: ClassVar[str | None] = "EXP"
    assumes: ClassVar[tuple[str, ...]] = ("right-judge", "polynomial-judge", "copies")

    depth: Annotated[int, Field(ge=0)] | None = 2
    width: Annotated[int, Field(ge=1)] = 3
    turns: Annotated[int, Field(ge=1)] = 3
    questions: Annotated[int, Field(ge=1)] = 1000
    budget: Annotated[int, Field(ge=0)] | None = None
    memo: bool = True
    model: bool = False
    source: Source = "metered"

    def roles(self, question: Question) -> dict[str, str]:
        need_choices(self, question)
        if self.pointers:
            check_message(self.name, question.text)
        return {"overseer": "overseer", **({"model": "model"} if self.model else {})}

    async def play(self, floor: Floor, question: Question) -> Decided | Forfeited:  # type: ignore[override]
        store = Store() if self.pointers else None
        root = self.node(question.text if store is None else store.intern(question.text), 0, self.budget, None)
        known: dict[Any, Node] = {self.key(root): root}
        wave = [root]
        while wave:
            if len(wave) == 1:
                said = (await self.consult(floor, wave[0], wave[0] is root, store),)
            else:
                asked = [self.asked(node is root) for node in wave]
                said = await floor.parallel(
                    *(self.consult(floor, node, node is root, store) for node in wave), seats=asked
                )
            ready: list[Node] = []
            for node, entry in zip(wave, said, strict=True):
                if isinstance(entry.move, Subquestions):
                    ready += self.split(node, entry.move, entry, known)
                elif isinstance(entry.move, Reply):
                    ready += self.answered(node, entry)
                else:
                    self.shown(node, entry)
                    node.spend()
                    ready.append(node)
            wave = ready
        if root.answer is None:
            return Forfeited(seat="overseer", rule=f"questions wait for each other: {circle(root)}", step=floor.step)
        return Decided(verdict_of(root.answer.move, question), step=root.answer.step)

    async def consult(self, floor: Floor, node: Node, root: bool, store: Store | None) -> Entry:
        """One call about a question: its answer, or what is asked first."""
        choices = floor.question.choices if root else ()
        seat = self.asked(root)
        node.turns += 1
        deepest = self.depth is not None and node.level >= self.depth
        final = node.closed or seat == "model" or node.turns >= self.turns or deepest or node.left == 0
        brief: Brief = {"task": "amplify-strong" if self.pointers else "amplify"}
        if not final:
            brief["most"] = {"questions": self.width}
        if root:
            brief["one_of"] = {"answer": [*choices, UNKNOWN]}
        if node.left is not None:
            brief["budget"] = node.left

        check, keep = self.checked(floor, node, choices), None
        if store is not None:
            check, keep = self.received(node, choices, store)
        move = await floor.ask(
            seat, self.kinds(node, final),
            view=floor.only(node.text, choices=choices, source=self.seen(seat), log=node.log),
            check=check, keep=keep, say=False, to=("overseer",), under=node.under, relation="answers", **brief,
        )  # fmt: skip
        return Entry(floor.step, seat, move)

    def kinds(self, node: Node, final: bool) -> Any:
        """What may be said about a question. final: only what answers it."""
        return Reply if final else _STRONG if self.pointers else _WEAK

    def checked(self, floor: Floor, node: Node, choices: tuple[str, ...]) -> Any:
        """The check of what is said about a question."""
        return partial(self.legal, node=node, choices=choices)

    def received(self, node: Node, choices: tuple[str, ...], store: Store) -> tuple[Any, Any]:
        """The check of a move with messages in it, and what is kept of it."""

        def messages(move: Subquestions | Open | Reply) -> bool:
            return not (isinstance(move, Reply) and move.answer in choices)

        def check(move: Subquestions | Open | Reply) -> Move:
            if messages(move):
                move = received(move, store, node.sees, f"whoever answers {node.text!r}")
            return self.legal(move, node, choices)

        def keep(move: Subquestions | Open | Reply) -> None:
            if messages(move):
                kept(move, store)

        return check, keep

    def asked(self, root: bool) -> str:
        """Who is asked about the root, and about any other question."""
        return "model" if self.model and not root else "overseer"

    def seen(self, seat: str) -> Source:
        """How a seat sees the data. A model sees all of it, as debaters do, unless nobody is to see any."""
        return "all" if seat == "model" and self.source != "none" else self.source

    def sees(self, question: Question) -> Mapping[str, Source]:
        return {seat: self.seen(seat) for seat in self.roles(question)}

    def legal(self, move: Subquestions | Open | Reply, node: Node, choices: tuple[str, ...]) -> Move:
        """The move as it goes on the record. Raises Illegal on what is no answer, or asks too much."""
        bounded(move, choices, self.width)
        if isinstance(move, Subquestions):
            if not all(text.strip() for text in move.questions):
                raise Illegal("a sub-question is empty; ask something, or reply")
            if move.budgets is not None and len(move.budgets) != len(move.questions):
                raise Illegal(f"{len(move.budgets)} budgets for {len(move.questions)} questions")
            if node.left is not None and len(move.questions) > node.left:
                raise Illegal(f"a budget of {node.left} does not pay for {len(move.questions)} questions, 1 each")
            if self.depth is None and self.budget is None and node.text in move.questions:
                raise Illegal(f"{node.text!r} was asked in order to answer {node.text!r} itself")
        return fill(move, of=node.text)

    def node(self, text: str, level: int, left: int | None, under: str | None) -> Node:
        """A question, with the pointers that it shows."""
        node = Node(text, level, left, under)
        if self.pointers:
            node.sees.update(pointers_in(text))
        return node

    def shown(self, node: Node, entry: Entry) -> None:
        """Give a question one more statement, and with it the pointers in it."""
        node.log = node.log.then(entry)
        if self.pointers:
            node.sees.update(pointers_in(entry.move.content()))

    def key(self, node: Node) -> Any:
        """What makes two questions the same one."""
        if not self.memo:
            return object()
        if self.depth is None and node.left is None:
            return node.text
        return node.text, node.level if self.depth is not None else None, node.left

    def split(self, node: Node, move: Subquestions, entry: Entry, known: dict[Any, Node]) -> list[Node]:
        """Hand a question's sub-questions out. Returns what can be worked on next."""
        self.shown(node, entry)
        ready: list[Node] = []
        for index, text in enumerate(move.questions):
            share = None
            if node.left is not None:
                wanted = move.budgets[index] if move.budgets else None
                reserved = len(move.questions) - index - 1
                share = min(node.left - reserved - 1, node.left // 10 if wanted is None else wanted)
                node.left -= share + 1
            child = self.node(text, node.level + 1, share, entry.step)
            key = self.key(child)
            if key in known:
                child = known[key]
            else:
                child.closed = len(known) >= self.questions
                known[key] = child
                ready.append(child)
            node.asked.append(child)
            if child.answer is None:
                child.waits.append(node)
                node.missing += 1
        node.under = entry.step
        return ready + (self.resume(node) if node.missing == 0 else [])

    def answered(self, node: Node, entry: Entry) -> list[Node]:
        """Note an answer. Returns the questions that waited for nothing else."""
        node.answer, node.log = entry, NOTHING
        node.spend()
        ready: list[Node] = []
        for other in node.waits:
            other.missing -= 1
            if other.missing == 0:
                ready += self.resume(other)
        node.waits = []
        return ready

    def resume(self, node: Node) -> list[Node]:
        """Give a question the answers that it waited for, in the order in which it asked."""
        for child in node.asked:
            assert child.answer is not None
            self.shown(node, child.answer)
            if node.left is not None and child.left is not None:
                node.left += child.left
        node.asked = []
        return [node]

    def decides(self, question: Question) -> str | None:
        """Nothing is decided but by the overseer alone where it may ask nothing: P."""
        alone = self.depth == 0 or self.budget == 0 or self.turns == 1 or self.questions == 1
        return "P" if alone else self.complexity_class

    def premises(self, question: Question) -> tuple[str, ...]:
        return (*self.assumes, "model-right-below") if self.model else self.assumes

    def copied(self, question: Question) -> tuple[str, ...]:
        return ("overseer",)

    def unmet_assumption(self, question: Question, moves: Iterable[Mapping[str, Any]]) -> str | None:
        """A question that had to be answered at once, at the last level, with too many asked before or with nothing left to
        spend: nobody knows what it would have asked. A model answers at once by its nature."""
        if self.decides(question) == "P" or self.model:
            return None
        if self.budget is not None:
            return f"a budget of {self.budget} does not grow with n: whoever has none left must answer at once"
        text, levels, most = question.text, dict[str, int](), 0
        distinct = {(text, 0)}
        for move in moves:
            if move["kind"] == Subquestions.model_fields["kind"].default:
                below = levels.get(move["of"], 0) + 1
                most = max(most, below)
                for part in move["questions"]:
                    levels[part] = max(levels.get(part, 0), below)
                    distinct.add((part, below if self.depth is not None else 0))
        if self.depth is not None and most >= self.depth:
            return f"the tree was cut at depth {self.depth}: questions there had to be answered at once"
        if len(distinct) > self.questions:
            return f"{len(distinct)} questions were asked, and those after the first {self.questions} had to be answered at once"
        return None

    def most_moves(self, question: Question) -> dict[str, int] | None:
        """An upper bound: every question asks for as many others as it may, and those that may not ask answer at once."""
        parts = 0 if self.depth == 0 or self.budget == 0 else self.width * (self.turns - 1)
        if self.model:
            overseer = self.turns if parts else 1
            return {"overseer": overseer, "model": parts if self.budget is None else min(parts, self.budget)}
        asking, level = 0, 1  # questions that may ask, level by level
        for _ in range(self.questions if self.depth is None else min(self.depth, self.questions)):
            if not parts or asking >= self.questions:
                break
            asking, level = asking + level, level * parts
        asking = min(asking, self.questions)
        most = 1 + asking * (parts + self.turns - 1)
        # each call that is no answer, and each question asked, costs 1 of the budget
        return {"overseer": most if self.budget is None else min(most, 2 * self.budget + 1)}


class StrongAmplification(Amplification):
    """Amplification whose messages may hold pointers to messages of any size: strong HCH.

    What an overseer puts in square brackets becomes a message of its own, and a pointer ("&" and 12 hex digits) stands in
    its place; equal messages have equal pointers. Whoever is shown a pointer may open it, which is a read, or pass it on;
    no other pointer is accepted, so none can be made up. Parameters as in Amplification.
    """

    name: ClassVar[str] = "amplify-strong"
    complexity_class: ClassVar[str | None] = "R"
    pointers: ClassVar[bool] = True


def bounded(move: Move, choices: tuple[str, ...], width: int) -> None:
    """Raise Illegal on an answer that is none of the choices, where there are any, and on too many questions."""
    answer = move.answer if isinstance(move, Reply) else UNKNOWN
    if choices and answer not in (*choices, UNKNOWN):
        raise Illegal(f"the answer must be one of {', '.join(choices)}, or {UNKNOWN}; it is {answer!r}")
    if isinstance(move, Subquestions) and len(move.questions) > width:
        raise Illegal(f"{len(move.questions)} questions at a time; there may be {width}")


def verdict_of(reply: Move, question: Question) -> Verdict:
    """All belief on the choice that was answered; even shares when it was "?"."""
    assert isinstance(reply, Reply)
    count = len(question.choices)
    if reply.answer not in question.choices:
        return Verdict(probabilities=(1 / count,) * count, text="the overseer does not know")
    return Verdict.sure(question.choices.index(reply.answer), count, reply.answer)


def circle(root: Node) -> str:
    """A circle of questions that wait for each other, as text."""
    path: dict[Node, None] = {}
    node = root
    while node not in path:
        path[node] = None
        node = next(child for child in node.asked if child.answer is None)
    nodes = list(path)
    nodes = nodes[nodes.index(node) :]
    shown = [each.text for each in (*nodes, node)]
    return " -> ".join(shown if len(shown) <= 8 else [*shown[:4], "…", *shown[-3:]])
