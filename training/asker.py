"""H': a learner of the overseer's decisions, which sub-questions to ask next and what to conclude, from transcripts.
Rule: it learns from what the overseer did, by the form of texts; it knows no task, and no true answer."""

import re
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

from moot.protocols.amplification.amplification import Reply, Subquestions
from moot.protocols.engine.moves import UNKNOWN, Move
from moot.protocols.engine.request import Request
from moot.tasks.programs.programs import rounds

_TOKEN = re.compile(r"(-?\d+|(?<=.)[A-Za-z](?!\d))|^[A-Za-z]+|.", re.DOTALL)

Texts = tuple[str, ...]
Form = tuple[str | None, ...]
Slot = frozenset[object]  # what an output token can be: a copy of input token i (an int), or a constant (a str)
Shape = tuple[object, ...]  # an output: fixed tokens and, at the places of variable ones, None


class Decision(NamedTuple):
    """What the overseer did in a situation. situation: the question, then "|" and the answers of each round; asks: whether
    `texts` are sub-questions; otherwise it is the answer alone."""

    situation: Texts
    asks: bool
    texts: Texts


def situation_of(request: Request) -> Texts:
    """All that a decision of the overseer may depend on: the question and what was answered, round by round."""
    return request.view.question.text, *(text for answers in rounds(request.view) for text in ("|", *answers))


def decision_of(request: Request, move: Move) -> Decision:
    """The decision that a move is."""
    asks = isinstance(move, Subquestions)
    texts = move.questions if isinstance(move, Subquestions) else (move.answer,) if isinstance(move, Reply) else ()
    return Decision(situation_of(request), asks, texts)


def tokens(texts: Texts) -> tuple[Form, Texts]:
    """The form of texts, in which every variable token is None, and their variable tokens in order. Integers are variable,
    and so are letters, except for a word at the beginning of a text and a letter before a number."""
    form, variable = list[str | None](), list[str]()
    for text in texts:
        for match in _TOKEN.finditer(text):
            form.append(match[0] if match[1] is None else None)
            variable += [] if match[1] is None else [match[1]]
        form.append("\n")
    return tuple(form), tuple(variable)


class Hypothesis:
    """ "The decision follows from the input tokens at `places`": per value of these, a shape with slots to fill.

    A slot keeps all copies and constants that agree with every example. `right` counts examples that were predicted
    before they were learned; one that contradicts ends the hypothesis (`broken`)."""

    __slots__ = ("places", "known", "right", "broken")

    def __init__(self, places: tuple[int, ...]) -> None:
        self.places = places
        self.known: dict[Texts, tuple[Shape, tuple[Slot, ...]]] = {}
        self.right = 0
        self.broken = False

    def predict(self, given: Texts) -> tuple[Shape, Texts] | None:
        """The shape and its variable tokens, if the value was seen and all that agrees with it says the same."""
        found = self.known.get(tuple([given[place] for place in self.places]))
        if found is None:
            return None
        filled = [{given[each] if isinstance(each, int) else each for each in slot} for slot in found[1]]
        return (found[0], tuple(str(said.pop()) for said in filled)) if all(len(said) < 2 for said in filled) else None

    def learn(self, given: Texts, shape: Shape, wanted: Texts) -> None:
        said = self.predict(given)
        key = tuple([given[place] for place in self.places])
        found = self.known.get(key)
        if (said is not None and said != (shape, wanted)) or (found is not None and found[0] != shape):
            self.broken = True
            return
        self.right += said is not None
        slots: list[Slot] = [
            frozenset([*(i for i, other in enumerate(given) if other == each), each]) for each in wanted
        ]
        if found is not None:
            slots = [before & slot for before, slot in zip(found[1], slots, strict=True)]
        self.known[key] = shape, tuple(slots)
        self.broken = not all(slots)


class Imitator:
    """H', the imitation of an overseer: for each form of a situation, hypotheses about what its decision follows from.

    A hypothesis names none, one or two of the input tokens, or all of the latest round; where the latest answers hold
    integers, the least of them and its place count as tokens too. So "sigma^37(5)" -> "sigma^18(5)" is learned as a
    table from 37 to 18 and a copy, the sum of two answers as a table of pairs. Of a form, or of a token in its place, that
    it never saw it knows nothing.

    Hypotheses that are believed must agree, or it does not know. trust: how many right predictions, in situations that
    were new, make a hypothesis believed. Situations that were seen are remembered: there it decides as H did last."""

    def __init__(self, trust: int = 10) -> None:
        self.trust = trust
        self.forms: dict[Form, list[Hypothesis]] = {}
        self.seen: dict[Texts, Decision] = {}
        self._decided: dict[Form, dict[Texts, tuple[Shape, Texts] | None]] = {}

    def decide(self, situation: Texts) -> Decision | None:
        """The decision, or None where it does not know."""
        if situation in self.seen:
            return self.seen[situation]
        form, given = tokens(situation)
        if form not in self.forms:
            return None
        decided = self._decided[form]
        if given not in decided:
            full = _derived(form, given)
            agreed = {each.predict(full) for each in self.forms[form] if each.right >= self.trust} - {None}
            decided[given] = agreed.pop() if len(agreed) == 1 else None
        said = decided[given]
        return None if said is None else _written(situation, *said)

    def train(self, decisions: Sequence[Decision]) -> float:
        """Learn decisions. Returns the share that it did not predict beforehand (abstentions count); 0.0 for none."""
        wrong = 0
        for decision in decisions:
            wrong += self.decide(decision.situation) != decision
            self._learn(decision)
        return wrong / len(decisions) if decisions else 0.0

    def _learn(self, decision: Decision) -> None:
        if self.seen.get(decision.situation) == decision:
            return
        self.seen[decision.situation] = decision
        form, given = tokens(decision.situation)
        output, wanted = tokens(decision.texts)
        full, shape = _derived(form, given), (decision.asks, *output)
        if form not in self.forms:
            few = [places for size in (0, 1, 2) for places in combinations(range(len(full)), size)]
            latest = tuple(range(len(given) - _latest(form), len(given)))
            self.forms[form] = [Hypothesis(places) for places in dict.fromkeys([*few, latest])]
        for hypothesis in self.forms[form]:
            hypothesis.learn(full, shape, wanted)
        self.forms[form] = [hypothesis for hypothesis in self.forms[form] if not hypothesis.broken]
        self._decided[form] = {}


def _latest(form: Form) -> int:
    """How many variable tokens the latest round of answers has; 0 before the first round."""
    return form[len(form) - form[::-1].index("|") :].count(None) if "|" in form else 0


def _derived(form: Form, given: Texts) -> Texts:
    """The input tokens, and the least integer of the latest answers and its place, where these are integers."""
    count = _latest(form)
    latest = given[len(given) - count :]
    if count < 2 or not all(token.lstrip("-").isdecimal() for token in latest):
        return given
    numbers = [int(token) for token in latest]
    return *given, f"least {min(numbers)}", f"place {numbers.index(min(numbers))}"


def _written(situation: Texts, shape: Shape, variable: Texts) -> Decision:
    left = iter(variable)
    text = "".join(next(left) if token is None else str(token) for token in shape[1:])
    return Decision(situation, bool(shape[0]), tuple(text[:-1].split("\n")) if text else (UNKNOWN,))


class Asker:
    """The overseer of iterated amplification: H' where it knows what to do, H where it does not, or failed.
    labels: how many decisions were asked of H. asked: these decisions, to be learned; take them with `take`."""

    def __init__(self, human: object, imitator: Imitator | None) -> None:
        self.human, self.imitator = human, imitator
        self.labels = self.decisions = 0
        self.asked: list[Decision] = []

    def act(self, request: Request) -> Move:
        self.decisions += 1
        if self.imitator is not None and request.attempt == 0:
            decision = self.imitator.decide(situation_of(request))
            if decision is not None and not decision.asks:
                return Reply(answer=decision.texts[0])
            if decision is not None and Subquestions in request.kinds:
                return Subquestions(questions=decision.texts)
        move: Move = self.human.act(request)  # type: ignore[attr-defined]
        self.labels += 1
        self.asked.append(decision_of(request, move))
        return move

    def take(self) -> list[Decision]:
        """The decisions of H since the last call."""
        taken, self.asked = self.asked, []
        return taken
