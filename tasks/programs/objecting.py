"""Programs that hold a recursive debate about any question with a local rule: debaters, and a judge of one path.
Rule: one protocol's general programs; how rules are followed is in `market_programs.py`.

A claim is written as lines "question=answer": what is claimed, then each answer that it follows from by the rule."""

from collections.abc import Callable, Iterator
from itertools import product
from random import Random
from typing import Any, NamedTuple

from moot.complexity.rules import looker
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.trees.moves import Assertion, Response
from moot.tasks.family import Family
from moot.tasks.programs.market_programs import Followed, follow, lines, slip, told
from moot.tasks.programs.play import TaskProgram, side_of


class Stated(NamedTuple):
    """A claim taken apart: the question, the answer claimed for it, and the answers that it is said to follow from."""

    question: str
    answer: str
    parts: dict[str, str]

    def __str__(self) -> str:
        return "\n".join(f"{question}={answer}" for question, answer in [self[:2], *self.parts.items()])


class Objecting(TaskProgram):
    """A debater that defends its seat's answer. To a claim it objects at the first part that is false, with the truth
    and what that follows from; where there is none, it lies about a part so that the lie follows from others, and where
    none does it says yes. Its own wrong answer it bases on such lies."""

    def act(self, request: Request) -> Move:
        question = request.view.question
        own = side_of(request)
        disputed = request.brief.get("claim")
        if disputed is None:
            return Assertion(text=str(self.based(request, question.text, own)))
        claim = next(entry.move for entry in request.view if entry.step == disputed)
        assert isinstance(claim, Assertion)
        objection = self.objection(request, stated(claim.text))
        if Response in request.kinds:
            return Response(label="yes" if objection is None else "main objection")
        return Assertion(text=str(objection))

    def objection(self, request: Request, claim: Stated) -> Stated | None:
        """The claim to set against another one; None when there is none to be found."""
        for part, answer in claim.parts.items():
            if (true := self.truth(request, part)) != answer:
                return self.based(request, part, true)
        if claim.answer != (true := self.truth(request, claim.question)):
            return self.based(request, claim.question, true)  # it does not follow: the judge will see
        random = Random(request.seed)
        for part, answer in claim.parts.items():
            for lie in lies(answer, random, request.view.question.choices):
                based = self.based(request, part, lie)
                if follow(self.task, part, self.look(request), based.parts)[:2] == (based.parts, lie):
                    return based
        return None

    def based(self, request: Request, text: str, answer: str) -> Stated:
        """A claim with what it follows from: truths, or all of them but one where such a lie is found."""
        true = self.followed(request, text, {})
        if true.answer != answer:
            random = Random(request.seed)
            for part, truth in true.used.items():
                for lie in lies(truth, random, request.view.question.choices, true.answer, answer):
                    if (found := self.followed(request, text, {part: lie})).answer == answer:
                        return Stated(text, answer, found.used)
        return Stated(text, answer, true.used)

    def followed(self, request: Request, text: str, known: dict[str, str]) -> Followed:
        """The rule of a question from the truth about all that it asks but what is `known`."""
        known = dict(known)
        while missing := (found := follow(self.task, text, self.look(request), known)).missing:
            known.update({part: self.truth(request, part) for part in missing})
        return found

    def truth(self, request: Request, text: str) -> str:
        return told(self.task, request.view.question, text)

    def look(self, request: Request) -> Any:
        return looker(request.view.question.data)


class ChecksLine(TaskProgram, name="checks-line"):
    """A judge that reads one line of claims. A claim loses that does not follow by the rule from what it is said to
    follow from, or that speaks of nothing in the claim before it; if there is no such claim, the last one wins."""

    def act(self, request: Request) -> Verdict:
        view, claimed = request.view, {request.view.question.text: request.view.question.choices[1]}
        first, why = 0.5, "nothing was claimed"
        for entry in view:
            if not isinstance(entry.move, Assertion):
                continue
            claim, fault = stated(entry.move.text), ""
            if claimed.get(claim.question, claim.answer) == claim.answer:
                fault = "objects to nothing that was said"
            elif follow(self.task, claim.question, view.look, claim.parts)[:2] != (claim.parts, claim.answer):
                fault = "does not follow"
            first, why = (
                float((entry.seat == "a") == (not fault)),
                f"the claim of step {entry.step} {fault or 'stands'}",
            )
            if fault:
                break
            claimed = claim.parts
        return Verdict(probabilities=(first, 1 - first), text=why)


def stated(text: str) -> Stated:
    """A claim as these programs write it; lines without "=" say nothing."""
    (question, answer), *parts = lines(text) or [("", "")]
    return Stated(question, answer, dict(parts))


def lies(
    true: str, random: Random, choices: tuple[str, ...], got: str | None = None, wanted: str = ""
) -> Iterator[str]:
    """Answers other than the true one that could pass for it. choices: of the debate. got, wanted: what follows, and should."""
    yield slip(true, random)
    if got and wanted and all(text.removeprefix("-").isdecimal() for text in (true, got, wanted)):
        off = int(wanted) - int(got)
        yield from (str(int(true) + off), str(int(true) - off))
    if true in choices or not true.removeprefix("-").isdecimal():
        yield from (choice for choice in choices if choice != true)


def every_claim(task: Family, domain: tuple[str, ...]) -> Callable[[Request], Iterator[Move]]:
    """What a search may try for both debaters: every claim about what is disputed whose answers are among `domain`.
    Each answer is claimed to follow from every set of answers to what the task's rule asks, and from none. The only
    responses are yes and the main objection."""

    def moves(request: Request) -> Iterator[Move]:
        if Response in request.kinds:
            yield from (Response(label="main objection"), Response(label="yes"))
            return
        question, disputed = request.view.question, request.brief.get("claim")
        about = [question.text]
        if disputed is not None:
            before = stated(request.view.at(str(disputed)).move.content())
            about = [*before.parts, before.question]
        for text in about:
            yield from (Assertion(text=str(claim)) for claim in _claims(task, text, looker(question.data), domain))

    return moves


def _claims(task: Family, text: str, look: Any, domain: tuple[str, ...]) -> Iterator[Stated]:
    """Every claim about a question."""
    followed, todo = [dict[str, str]()], [dict[str, str]()]
    while todo:
        known = todo.pop()
        found = follow(task, text, look, known)
        if found.used and not found.missing:
            followed.append(found.used)
        each = product(domain, repeat=len(found.missing)) if found.missing else ()
        todo += ({**known, **dict(zip(found.missing, answers, strict=True))} for answers in each)
    yield from (Stated(text, answer, parts) for answer in domain for parts in followed)


def same_claims(request: Request) -> Any:
    """The key of a position for a search: where the same claims stand on the line, the rest of the play is the same."""
    return (request.kinds, tuple(entry.move.text for entry in request.view if isinstance(entry.move, Assertion)))
