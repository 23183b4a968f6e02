"""Recursive debates: programs on every task that they play, optimal play by exhaustive search, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations, islice, product
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.prompts.elements import statement
from moot.agents.prompts.forms import Form
from moot.agents.prompts.reading import read
from moot.protocols.engine.errors import UsageError
from moot.protocols.trees.moves import Assertion, Response
from moot.tasks.base import known_tasks, task_named
from moot.tasks.programs.objecting import ChecksLine, every_claim, same_claims
from moot.transcripts.display.claims import citation_graph, responses, support_circle
from moot.transcripts.display.show import as_text

OURS = {name: task for name, task in known_tasks().items() if type(task).__module__.startswith("moot.")}
PLAYED = sorted(name for name, task in OURS.items() if task.cast("recursive-debate"))
FEW = settings(deadline=None, max_examples=30)
EVEN = moot.Verdict(probabilities=(0.5, 0.5))


def samples(name: str) -> Iterator[moot.Sample]:
    for size, seed, first in product((2, 3, 4, 6, 8), range(2), (True, False)):
        try:
            yield task_named(name).sample(size, seed, true_first=first)
        except UsageError:
            continue  # not every task has every size


@pytest.mark.parametrize("name", PLAYED)
def test_the_truth_wins_and_the_judge_stays_within_its_bound(name: str) -> None:
    count = 0
    for sample in samples(name):
        protocol, seats = task_named(name).staged("recursive-debate", sample)
        transcript = moot.run(protocol, sample, seats)
        outcome = transcript.outcome
        assert isinstance(outcome, moot.Decided), outcome
        assert outcome.verdict.choice == sample.unseal()
        assert transcript.guarantee.holds and transcript.guarantee.complexity_class == "PSPACE"
        count += 1
    assert count >= 8


def formulas() -> Iterator[tuple[Any, str]]:
    """Every formula of two quantified variables with one or two clauses of both."""
    clauses = [list(clause) for clause in product((1, -1), (2, -2))]
    for first, second in product("ae", repeat=2):
        for chosen in (*combinations(clauses, 1), *combinations(clauses, 2)):
            yield {"prefix": [[first, [1]], [second, [2]]], "clauses": list(chosen)}, "tqbf(**)"


def expressions() -> Iterator[tuple[Any, str]]:
    """Every operation on two numbers of 0 and 1."""
    for operation, left, right in product("+-*", (0, 1), (0, 1)):
        yield [[operation, 1, 2], ["int", left], ["int", right]], "val(0)"


SMALL: dict[str, tuple[Any, tuple[str, ...], int]] = {
    "tqbf": (formulas, ("true", "false"), 40), "expression": (expressions, ("-1", "0", "1", "2"), 12)
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("stride", [3, pytest.param(1, marks=pytest.mark.long)])
def test_optimal_play_finds_the_truth_of_every_small_instance(name: str, stride: int) -> None:
    """Of every third one, but with --long: with each prefix and operation. Every other time it is the first debater's to defend."""
    instances, domain, wanted = SMALL[name]
    task, count = task_named(name), 0
    moves = dict.fromkeys("ab", every_claim(task, domain))
    for data, text in islice(instances(), 0, None, stride):
        truth_first = count % 2 == 0
        sample = task.pose(data, text, Random(0), true_first=truth_first)
        protocol = moot.RecursiveDebate(depth=3, objections=1, cites=0)
        found = moot.solve(protocol, sample, moves=moves, seats={"judge": ChecksLine(task)}, key=same_claims)
        assert found.value["a" if truth_first else "b"] == 1, (data, found.line)
        count += 1
    assert count == -(-wanted // stride)


# -- the rules of the play -----------------------------------------------------------------------------------------------

QUESTION = moot.Question("What put the candle out?", ("heat", "want of air"), passage="The bell was hot.")


class Says:
    """A seat that says what it is given, in order, and remembers what it was shown."""

    def __init__(self, *moves: Any) -> None:
        self.moves, self.requests = list(moves), list[tuple[moot.Request, list[str]]]()

    def act(self, request: moot.Request) -> Any:
        self.requests.append((request, [entry.step for entry in request.view]))
        return self.moves.pop(0)


def claim(text: str, *cites: str) -> dict[str, Any]:
    return {"kind": "assertion", "text": text, "cites": cites}


def label(label: str) -> dict[str, Any]:
    return {"kind": "response", "label": label}


def held(protocol: moot.Protocol, a: Says, b: Says) -> tuple[moot.Transcript, Says]:
    judge = Says(moot.Verdict(probabilities=(0.75, 0.25)))
    return moot.run(protocol, QUESTION, {"a": a, "b": b, "judge": judge}), judge


def test_the_recursion_goes_into_the_main_objection_and_the_judge_reads_that_path() -> None:
    a = Says(claim("Heat."), label("main objection"), claim("Not so.", "0", "4", "4", "77"))
    b = Says(
        label("secondary objection"), claim("It was only warm.", "0"), label("yes but"), claim("Air ran low, too."),
        label("main objection"), claim("Flames like heat.", "2"), label("yes"),
    )  # fmt: skip
    transcript, judge = held(moot.RecursiveDebate(depth=3, objections=3), a, b)
    assert isinstance(transcript.outcome, moot.Decided)
    ((request, shown),) = judge.requests
    assert shown == ["0", "6", "8", "9"], "the first claim, the main objections, and the yes"
    assert request.view.question.passage is None
    edges = {(x, y): place["relation"] for x, y, place in transcript.tree.edges(data=True)}
    assert edges == {
        ("q", "0"): "supports", ("0", "2"): "secondary objection", ("0", "4"): "adds to", ("0", "6"): "main objection",
        ("6", "8"): "main objection",
    }  # fmt: skip
    graph = citation_graph(transcript)
    assert set(graph.edges) == {("2", "0"), ("6", "2"), ("8", "0"), ("8", "4")}
    assert graph.nodes["8"]["missing"] == ["77"]
    assert support_circle(transcript) == ()
    assert responses(transcript) == {"0": {"b": "main objection"}, "6": {"a": "main objection"}, "8": {"b": "yes"}}
    moot.replay(transcript)
    text = as_text(transcript)
    assert "(cites 0, 4, 4, 77 (no claim))" in text and "main objection, to claim 0" in text


def test_a_last_objection_is_the_main_one_and_a_label_that_is_none_is_refused() -> None:
    b = Says(label("yes but"), claim("And so?"), label("yes but"), label("main objection"), claim("No."))
    transcript, _ = held(moot.RecursiveDebate(depth=1), Says(claim("Heat.")), b)
    assert isinstance(transcript.outcome, moot.Decided)
    rules = [event["rule"] for event in transcript.events() if event["event"] == "rejected"]
    assert rules == ["'yes but' is none of yes, main objection"]


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (claim("  "), "the claim is empty"),
        (claim("one two three"), "the limit is 2 words; this text has 3: shorten it"),
        (claim("one", "0", "1"), "at most 1 claims may be cited, not 2"),
        ({"kind": "assertion", "text": 7}, "text"),
    ],
)
def test_what_is_no_claim_is_refused(said: Any, rule: str) -> None:
    protocol = moot.RecursiveDebate(depth=0, limit=moot.Limit(words=2), cites=1)
    transcript, _ = held(protocol, Says(said, claim("fine")), Says())
    (event,) = (event for event in transcript.events() if event["event"] == "rejected")
    assert rule in event["rule"]
    assert isinstance(transcript.outcome, moot.Decided)


@FEW
@given(st.data())
def test_no_claim_cites_a_later_one(data: st.DataObject) -> None:
    """Whatever is cited, the graph has edges to earlier steps only; the rest is marked as missing."""
    ids = st.lists(st.sampled_from(["q", *map(str, range(12)), "x"]), max_size=4)

    def debater(request: moot.Request) -> Any:
        if Response in request.kinds:
            return label(data.draw(st.sampled_from(list(request.brief["one_of"]["label"]))))
        return claim("So.", *data.draw(ids))

    transcript = moot.run(
        moot.RecursiveDebate(depth=3), QUESTION, {"a": debater, "b": debater, "judge": lambda request: EVEN}
    )
    graph = citation_graph(transcript)
    assert all(int(cited) < int(step) for step, cited in graph.edges)
    for step, place in graph.nodes(data=True):
        assert all(each not in graph or int(each) >= int(step) for each in place["missing"])


def reaction(to: str, label: str, claims: int) -> dict[str, Any]:
    return {"kind": "reaction", "to": to, "label": label, "claims": claims}


def test_an_argument_tree_grows_anywhere_and_support_that_leads_back_is_found() -> None:
    a = Says(
        reaction("q", "yes", 2), claim("One."), claim("Two.", "1"), reaction("1", "yes", 1), claim("Of course.", "1")
    )
    b = Says(reaction("9", "no", 1), reaction("2", "no", 1), claim("Not two.", "1", "2"))
    transcript, judge = held(moot.TreeDebate(turns="aba"), a, b)
    assert isinstance(transcript.outcome, moot.Decided)
    assert set(transcript.tree.edges) == {("q", "1"), ("q", "2"), ("2", "4"), ("1", "6")}
    assert support_circle(transcript) in [("1", "6"), ("6", "1")]
    assert judge.requests[0][1] == ["0", "1", "2", "3", "4", "5", "6"]
    rules = [event["rule"] for event in transcript.events() if event["event"] == "rejected"]
    assert rules == ["'9' is none of q, 1, 2"]


@pytest.mark.parametrize("protocol", [moot.RecursiveDebate(), moot.TreeDebate()])
def test_a_question_without_two_choices_is_refused(protocol: moot.Protocol) -> None:
    with pytest.raises(UsageError, match="needs 2 choices"):
        protocol.roles(moot.Question("Which?", ("x", "y", "z")))
    with pytest.raises(UsageError, match="turns|depth"):
        type(protocol)(**{"turns" if isinstance(protocol, moot.TreeDebate) else "depth": "abc"})


def test_a_person_is_asked_for_labels_and_citations() -> None:
    from moot.agents.people.human import Human

    shown: list[str] = []
    lines = iter(["Heat.", ".", "maybe", "2", "No.", ".", "0", "9", ".", "9", ".", "yes", "So.", ".", "60", "40"])
    human = Human(input=lambda prompt: shown.append(prompt) or next(lines), output=shown.append)  # type: ignore[func-returns-value]
    seats: Mapping[str, Any] = dict.fromkeys(("a", "b", "judge"), human)
    transcript = moot.run(moot.RecursiveDebate(depth=2, objections=1), QUESTION, seats)
    said = [step.move for step in transcript.steps()]
    assert said[1]["label"] == "main objection" and said[2]["cites"] == ["9"] and said[2]["missing"] == ["9"]
    text = "\n".join(shown)
    assert "  2. main objection" in text and "'maybe' is none of them." in text
    assert "these are 2; there may be 1" in text and "Your claim." in text
    assert "This is about the claim of step 0, as main objection." in text and "(main objection, to 0) No." in text


def test_a_model_is_asked_in_a_form_that_it_can_fill() -> None:
    form = Form((Response,), 2, {"one_of": {"label": ["yes", "main objection"]}}, length=200)
    assert form.schema(Response)["properties"] == {
        "kind": {"type": "string", "enum": ["response"]}, "label": {"type": "string", "enum": ["yes", "main objection"]}
    }  # fmt: skip
    assert read(form, "<response><label>yes</label></response>") == Response(label="yes")
    form = Form((Assertion,), 2, {"most": {"cites": 2}}, length=200)
    assert set(form.schema(Assertion)["properties"]) == {"kind", "text", "cites"}
    for written in ("0, 2.1.0", '["0", "2.1.0"]'):
        answer = f"<assertion><text>So.</text><cites>{written}</cites></assertion>"
        assert read(form, answer) == Assertion(text="So.", cites=("0", "2.1.0"))
    entry = moot.Entry(
        "4", "b", Assertion(text="<b>No", to="0", label="main objection", cites=("2", "x"), missing=("x",))
    )
    assert statement(entry) == (
        '<statement by="b" step="4" kind="assertion" to="0" label="main objection" cites="2">&lt;b>No</statement>\n'
    )


@pytest.mark.parametrize("depth", range(1, 6))
@pytest.mark.parametrize("objections", [1, 3])
def test_whoever_objects_whenever_it_can_makes_as_many_moves_as_were_estimated(depth: int, objections: int) -> None:
    """And the line is cut, so that nothing is guaranteed; agreement at any time ends it."""
    protocol = moot.RecursiveDebate(depth=depth, objections=objections)

    def objects(request: moot.Request) -> moot.Move:
        if Response in request.kinds:
            labels = request.brief["one_of"]["label"]
            return Response(label="secondary objection" if "secondary objection" in labels else "main objection")
        return EVEN if moot.Verdict in request.kinds else Assertion(text="so it is")

    question = moot.Question("Which?", ("x", "y"), passage="a page")
    transcript = moot.run(protocol, question, dict.fromkeys("ab", objects) | {"judge": lambda request: EVEN})
    made = [step.seat for step in transcript.steps()]
    assert protocol.most_moves(question) == {seat: made.count(seat) for seat in ("a", "b", "judge")}
    moves = [step.move for step in transcript.steps()]
    cut = protocol.unmet_assumption(question, moves)
    assert cut == f"the line was cut at depth {depth}: its last claim could not be objected to"
    assert protocol.unmet_assumption(question, [*moves[:-1], {"kind": "response", "label": "yes"}]) is None
