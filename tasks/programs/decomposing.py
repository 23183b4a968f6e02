"""Programs that hold a decomposition debate about any question with a local rule, and what a search may try in it.
Rule: one protocol's general programs; how rules are followed is in `market_programs.py`.

A claim follows from its parts where the rule gives it from the answers that they claim. What settles a part is a model:
answers by question, written as on the record (with pointers where messages hold them), "?" where it has none."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from moot.complexity.rules import evaluate, looker
from moot.protocols.amplification.moves import Open, Reply
from moot.protocols.engine.errors import AgentError, Illegal, UsageError
from moot.protocols.engine.moves import UNKNOWN, Answer, Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.pointers import Store
from moot.protocols.trees.decomposition_debate import FOLLOWS, RIGHT, Claim, Claimed, Decomposition, Pick
from moot.tasks.family import Family
from moot.tasks.programs.market_programs import follow, opened, told
from moot.tasks.programs.play import Program, TaskProgram

Answers = Mapping[str, str]


class Known(Program, name="known"):
    """A seat "below" that has an answer to some questions, and "?" to all others: a model as it stands, frozen."""

    def __init__(self, answers: Answers) -> None:
        self.answers = answers

    def act(self, request: Request) -> Reply:
        return Reply(answer=self.answers.get(request.view.question.text, UNKNOWN))


class Decomposes(TaskProgram, name="decomposes"):
    """A prover that claims what the rule gives from the model's answers, and takes it apart as the rule does. Another claim,
    which it makes where that is none of the choices, it takes apart in the same way. model: None for the truth."""

    def __init__(self, task: Family, model: Answers | None = None) -> None:
        super().__init__(task)
        self.model = model

    def act(self, request: Request) -> Move:
        question, written = request.view.question, Written(self.task, request)
        if Answer in request.kinds:
            _, answer = written.applied(written.question, self.model)
            return Answer(choice=question.choices.index(answer) if answer in question.choices else 0)
        claimed, text = request.brief["claimed"], request.brief["claim"]
        parts, _ = written.applied(text, self.model)
        return decomposed(parts or {text: claimed})


class Disputes(TaskProgram, name="disputes"):
    """An opponent that picks the first part that the model answers otherwise; where there is none, it says that the claim
    does not follow. model: None for the truth."""

    def __init__(self, task: Family, model: Answers | None = None) -> None:
        super().__init__(task)
        self.model = model

    def act(self, request: Request) -> Pick:
        written = Written(self.task, request)
        for number, (part, answer) in enumerate(written.parts, 1):
            if written.answer(part, self.model) != answer:
                return Pick(claim=str(number))
        return Pick(claim=FOLLOWS)


class ChecksStep(TaskProgram, name="checks-step"):
    """A judge that follows the rule for one step: a claim is right where the rule gives it from the parts that are given and
    the cells that it looks at, or, of a claim that "below" answered, where that is the answer."""

    def act(self, request: Request) -> Move:
        claimed, *given = (entry.move for entry in request.view)
        if not isinstance(claimed, Claimed) or request.view.question.choices[:1] != (RIGHT,):
            raise AgentError(f"step {request.step}: this judge is shown one claim, and says whether it is right")
        if request.brief["task"] == "given":
            answer: str | None = next((move.answer for move in given if isinstance(move, Reply)), None)
        else:
            known = {move.of: move.answer for move in given if isinstance(move, Claimed)}
            behind = opened(request.view) if request.brief.get("details", {}).get("pointers") else None
            found = follow(self.task, claimed.of, request.view.look, known, behind)
            if found.pointer and Open in request.kinds:
                return Open(pointer=found.pointer)
            answer = found.answer
        why = "it does not follow" if answer is None else f"it is {answer}"
        return Verdict(probabilities=(1.0, 0.0) if answer == claimed.answer else (0.0, 1.0), text=why)


class Written:
    """What has been written in a debate, as its debaters see it: the question, the messages in it, and the last parts."""

    def __init__(self, task: Family, request: Request) -> None:
        self.task, self.about = task, request.view.question
        self.store = Store() if task.messages == "pointers" else None
        self.question = self.stored(self.about.text)
        self.parts: list[tuple[str, str]] = []
        for move in (entry.move for entry in request.view):
            if isinstance(move, Decomposition):
                self.parts = [(self.stored(claim.question), claim.answer) for claim in move.claims]

    def stored(self, text: str) -> str:
        return text if self.store is None else self.store.intern(text)

    def answer(self, text: str, model: Answers | None) -> str:
        """What the model answers; the truth, "?" to what is no question, where there is none."""
        if model is not None:
            return model.get(self.stored(text), UNKNOWN)
        if self.store is None:
            return told(self.task, self.about, text)
        if self.about.data is None:
            raise AgentError(f"{text!r}: the truth cannot be computed without the data, which this seat is not shown")
        try:
            return evaluate(self.task, self.about.data, text, store=self.store)
        except (UsageError, Illegal, ValueError, LookupError):
            return UNKNOWN

    def applied(self, text: str, model: Answers | None) -> tuple[dict[str, str], str]:
        """The questions that the rule asks for one, with the model's answers, and what it makes of them."""
        return applied(self.task, self.about, text, lambda part: self.answer(part, model), self.store)


def applied(
    task: Family, about: Question, text: str, answer: Callable[[str], str], store: Store | None = None
) -> tuple[dict[str, str], str]:
    """One application of a task's rule to the data of a question: what it asks, as it writes it, each with the answer
    given, and its own answer, "?" where it gives none."""
    parts: dict[str, str] = {}
    try:
        rule = task.rule(text, looker(about.data))
        step = next(rule)
        while True:
            if isinstance(step, str):
                step = rule.send((store.open(step) if store is not None else "",))
                continue
            parts.update((part, answer(part)) for part in step)
            step = rule.send(tuple(parts[part] for part in step))
    except StopIteration as stop:
        return parts, str(stop.value)
    except (UsageError, Illegal, ValueError, LookupError):
        return parts, UNKNOWN


def decomposed(parts: Answers) -> Decomposition:
    """A claim's parts as a move."""
    return Decomposition(claims=tuple(Claim(question=part, answer=answer) for part, answer in parts.items()))


def every_split(
    task: Family, domain: Callable[[str], Iterable[str]], others: Callable[[str], Iterable[str]] = lambda text: ()
) -> Callable[[Request], Iterator[Move]]:
    """What a search may try for both debaters: every choice and pick, and every set of parts, each answered by all of its
    `domain`, that are what the rule asks, the first few of that, the claim itself, or one of `others` of its question.
    More parts than the rule asks change nothing: no judge by the rule uses them, and each is one more to dispute."""

    def moves(request: Request) -> Iterator[Move]:
        if Answer in request.kinds:
            yield from (Answer(choice=choice) for choice in range(len(request.view.question.choices)))
        elif Pick in request.kinds:
            yield from (Pick(claim=number) for number in request.brief["one_of"]["claim"])
        else:
            written, text = Written(task, request), request.brief["claim"]
            yield from map(decomposed, _asked(written, text, domain))
            for part in (text, *others(text)):
                yield from (decomposed({part: answer}) for answer in domain(part))

    return moves


class _Missing(Exception):
    """The rule asks what no answer was given to yet: the question."""


def _asked(written: Written, text: str, domain: Callable[[str], Iterable[str]]) -> Iterator[dict[str, str]]:
    """Every set of answers to what the rule asks for a question, and to the first few of that."""
    todo: list[dict[str, str]] = [{}]
    while todo:
        known = todo.pop()

        def answer(part: str, known: Answers = known) -> str:
            if part not in known:
                raise _Missing(part)
            return known[part]

        try:
            applied(written.task, written.about, text, answer, written.store)
        except _Missing as missing:
            todo += [{**known, missing.args[0]: each} for each in domain(missing.args[0])]
        if known:
            yield known
