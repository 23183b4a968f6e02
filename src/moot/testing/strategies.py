"""Hypothesis strategies for questions, moves, transcripts, and for what a hostile agent may send back.

Rule: the public face of all strategies, and those of questions and whole plays; how values are drawn stands in `drawing`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate, OpenDebate
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.protocols.games.boolean_circuit import ARITY, Circuit, normal_form
from moot.protocols.trees.bisection import Bisection
from moot.testing.drawing import Moves, moves, orders, sentences, texts
from moot.testing.hand import Hand, Script
from moot.testing.hostile import Hanging, Raises, hostile_replies, hostile_text, illegal_replies
from moot.testing.schemas import WORDS
from moot.transcripts.transcript import Transcript

__all__ = [
    "Hanging", "Moves", "Raises", "circuits", "clue_games", "formulas", "graphs", "hostile_replies", "hostile_text",
    "illegal_replies", "images", "moves", "orders", "questions", "questions_for", "samples", "sums", "takes", "texts",
    "transcripts",
]  # fmt: skip


@st.composite
def questions(draw: st.DrawFn, choices: int | None = None, passage: bool | None = None) -> Question:
    """Questions. choices: how many (None: 2 to 4). passage: with one, without, or (None) either."""
    count = draw(st.integers(2, 4)) if choices is None else choices
    wording = st.sampled_from(WORDS[:10]).flatmap(lambda word: st.just(f"Is it {word}?"))
    name = st.text("abcxyz ", min_size=1, max_size=6).map(lambda text: " ".join(text.split()) or "z")
    named = draw(st.lists(name, min_size=count, max_size=count, unique=True))
    with_passage = draw(st.booleans()) if passage is None else passage
    source = draw(sentences(12)) if with_passage else None
    return Question(draw(wording), tuple(named), passage=source, size=draw(st.integers(1, 50)))


@st.composite
def sums(draw: st.DrawFn, most: int = 17) -> Question:
    """ "What is the sum of these integers?", with two claimed sums: data is the list, 1 to `most` long."""
    data = draw(st.lists(st.integers(-9, 99), min_size=1, max_size=most))
    claimed = sum(data)
    other = claimed + draw(st.integers(1, 9))
    pair = draw(st.permutations([str(claimed), str(other)]))
    return Question("What is the sum?", tuple(pair), data=data, size=len(data), unit="cells")


@st.composite
def formulas(draw: st.DrawFn, most: int = 6) -> Question:
    """ "Is this quantified formula true?", of 1 to `most` variables, as `QBFDebate` takes it."""
    count = draw(st.integers(1, most))
    prefix = [[draw(st.sampled_from("ae")), [v]] for v in draw(st.permutations(range(1, count + 1)))]
    literal = st.integers(1, count).flatmap(lambda v: st.sampled_from([v, -v]))
    clauses = draw(st.lists(st.lists(literal, min_size=1, max_size=3), max_size=8))
    data = {"prefix": prefix, "clauses": clauses}
    text = f"tqbf({'*' * count})"
    return Question(text, draw(st.permutations(["true", "false"])), data=data, size=count, unit="cells")


@st.composite
def graphs(draw: st.DrawFn, most: int = 6) -> Question:
    """A yes-or-no question about a directed graph of 1 to `most` vertices, as `Reachability` and `Geography` take it."""
    count = draw(st.integers(1, most))
    row = st.lists(st.integers(0, 1), min_size=count, max_size=count)
    vertex = st.integers(0, count - 1)
    data = {"vertices": count, "start": draw(vertex), "goal": draw(vertex),
            "edges": draw(st.lists(row, min_size=count, max_size=count))}  # fmt: skip
    return Question("Is it so?", draw(st.permutations(["yes", "no"])), data=data, size=count, unit="cells")


@st.composite
def circuits(draw: st.DrawFn, most: int = 6, kinds: Sequence[str] = tuple(ARITY)) -> Question:
    """ "Does the circuit give 1 on the input?", of 1 to `most` gates of these kinds, as `CircuitWalk` and `CircuitPointer`
    take it."""
    inputs = draw(st.integers(1, 4))
    gates: list[tuple[Any, ...]] = []
    for before in range(inputs, inputs + draw(st.integers(1, most))):
        kind = draw(st.sampled_from(kinds))
        gates.append((kind, *(draw(st.integers(0, before - 1)) for _ in range(ARITY[kind]))))
    circuit = Circuit(inputs, tuple(gates), inputs + len(gates) - 1)
    data = {"circuit": circuit.data(), "input": draw(st.lists(st.integers(0, 1), min_size=inputs, max_size=inputs))}
    size = max(1, normal_form(circuit).depth, circuit.number_bits)
    return Question("Does it give 1?", draw(st.permutations(["1", "0"])), data=data, size=size, unit="bits")


@st.composite
def clue_games(draw: st.DrawFn, most: int = 3) -> Question:
    """A word game of 1 to `most` words on each side, with one or two clues, as `ClueOversight` takes it."""
    good, bad = ([f"{side}{i}" for i in range(draw(st.integers(1, most)))] for side in ("GOOD", "BAD"))
    words = good + bad
    close = st.lists(st.integers(-4, 4).map(lambda eighth: eighth / 8), min_size=len(words), max_size=len(words))
    clues = draw(st.sampled_from([["sea"], ["sea", "air"]]))
    table = {clue: dict(zip(words, draw(close), strict=True)) for clue in clues}
    data = {"good_words": good, "bad_words": bad, "similarities": table}
    scores = tuple(str(score) for score in range(len(good) + 1))
    return Question("What does the clue score?", scores, data=data, size=len(words), unit="cells")


@st.composite
def images(draw: st.DrawFn, most: int = 4, lit: int = 6) -> Question:
    """ "Which digit is this?", about an image of up to `most` by `most` pixels, `lit` or more of them not 0."""
    height, width = draw(st.integers(3, most)), draw(st.integers(3, most))
    grey = draw(st.lists(st.integers(1, 9), min_size=height * width, max_size=height * width))
    for place in draw(st.sets(st.integers(0, height * width - 1), max_size=height * width - lit)):
        grey[place] = 0
    rows: Any = [grey[row * width : (row + 1) * width] for row in range(height)]
    labels = tuple("0123456789"[: draw(st.integers(2, 10))])
    return Question("Which digit is this?", labels, data={"image": rows}, size=lit, unit="cells")


@st.composite
def samples(draw: st.DrawFn, of: st.SearchStrategy[Question] | None = None) -> Sample:
    """Questions with a sealed truth (or none known)."""
    question = draw(questions() if of is None else of)
    known = st.integers(0, len(question.choices) - 1) if question.choices else st.nothing()
    return Sample(question, draw(st.none() | known))


def questions_for(protocol: Protocol) -> st.SearchStrategy[Question]:
    """Questions that `protocol` takes, found by trying its `roles` on several shapes of question.

    Raises UsageError when it takes none of them.
    """
    probes: list[tuple[Question, st.SearchStrategy[Question]]] = [
        *((Question("Which?", tuple("vwxyz"[:count]), passage="the page says so", size=9), questions(choices=count)) for count in (2, 3, 4)),
        (Question("What is the sum?", ("3", "4"), data=[1, 2], size=2, unit="cells"), sums()),
        (Question("tqbf(*)", ("true", "false"), data={"prefix": [["e", [1]]], "clauses": [[1]]}), formulas()),
        (Question("Is it so?", ("yes", "no"), data={"start": 0, "goal": 0, "edges": [[0]]}), graphs()),
        (Question("Does it give 1?", ("1", "0"), data={"circuit": Circuit(1, (("NOT", 0),), 1).data(), "input": [0]}, size=1, unit="bits"), circuits()),
        (Question("What does the clue score?", ("0", "1"),
                  data={"good_words": ["A"], "bad_words": ["B"], "similarities": {"c": {"A": 1.0, "B": 0.0}}}), clue_games()),
        (Question("Which digit is this?", ("0", "1"), data={"image": [[1] * 3] * 2}, size=6, unit="cells"), images()),
        (Question("Which then?", passage="the page says so", size=9), questions(choices=0)),
    ]  # fmt: skip
    shapes = [shape for probe, shape in probes if takes(protocol, probe)]
    if not shapes:
        why = refusal(protocol, probes[0][0])
        raise UsageError(f"{protocol.name} takes no question that moot.testing makes ({why}): give questions=")
    return st.one_of(shapes).filter(lambda question: takes(protocol, question))


def refusal(protocol: Protocol, question: Question) -> str | None:
    """Why the protocol cannot be played on this question; None where it can."""
    try:
        protocol.roles(question)
    except UsageError as error:
        return str(error)
    return None


def takes(protocol: Protocol, question: Question) -> bool:
    """Whether the protocol can be played on this question."""
    return refusal(protocol, question) is None


@st.composite
def transcripts(
    draw: st.DrawFn, protocol: Protocol | None = None, of: st.SearchStrategy[Question] | None = None, rejections: bool = True
) -> Transcript:  # fmt: skip
    """Whole transcripts, in memory, of `protocol` (None: any of moot's own) with drawn moves.

    of: the questions. rejections: now and then a seat says something illegal first.
    """
    if protocol is None:
        protocol = draw(st.sampled_from([Debate(), Debate(rounds=1, questions=True), Consultancy(), DirectQA(), OpenDebate(),
                                         Bisection()]))  # fmt: skip
    sample = draw(samples(questions_for(protocol) if of is None else of))

    def replies(request: Request) -> st.SearchStrategy[Any]:
        legal = moves(request)
        return st.one_of(legal, legal, legal, illegal_replies(request)) if rejections and not request.attempt else legal

    hand = Hand(protocol, sample, Script(draw, replies), seed=draw(st.integers(0, 2**32)))
    return hand.run(draw(orders())).transcript
