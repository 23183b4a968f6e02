"""A human at a terminal, typed by a script."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import pytest
from agent_kit import log_of, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import model_validator

import moot
from moot.agents.people.human import Human
from moot.agents.prompts import variables
from moot.protocols.engine.errors import AgentError
from moot.protocols.engine.moves import Answer, Ask, Move, Quote, Speech, Stop, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.limits import Limit
from moot.protocols.quotes import on_record


class Tender(Move):
    kind: Literal["tender"] = "tender"
    amount: int
    open: bool
    why: str = ""


def typed(lines: list[str], *kinds: type[Move], human: Any = None, backend: str = "asyncio", **request: Any) -> Any:
    left, shown = iter(lines), []

    def read(prompt: str) -> str:
        shown.append(prompt)
        try:
            return next(left)
        except StopIteration:
            raise EOFError from None

    async def main() -> Move:
        return await Human(read, shown.append).act(request_for(*kinds, **request))

    return anyio.run(main, backend=backend), "\n".join(shown)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.one_of(st.text(max_size=8), st.sampled_from(["50", "yes", ".", "1", "speech", "nan", "-1"])), max_size=30
    ),
    st.sampled_from([Speech, Verdict, Answer, Ask, Stop, Tender]),
)
def test_whatever_is_typed_gives_a_legal_move_or_the_input_ends(lines: list[str], kind: type[Move]) -> None:
    try:
        move, _ = typed(lines, kind)
    except AgentError as error:
        assert "closed the input" in str(error)
        return
    assert type(move) is kind


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize(
    ("kind", "lines", "move"),
    [
        (Speech, [".", "One.", "Two.", "."], Speech(text="One.\nTwo.")),
        (Verdict, ["why", ".", "x", "120", "80 %", "20"], Verdict(probabilities=(0.8, 0.2), text="why")),
        (Verdict, ["why", ".", "80", "80", "80", "10", "25", "75"], Verdict(probabilities=(0.25, 0.75), text="why")),
        (Answer, ["so", ".", "3", "2"], Answer(choice=1, text="so")),
        (Ask, ["Why?", ".", "b"], Ask(text="Why?", to="b")),
        (Stop, ["perhaps", "yes"], Stop(stop=True)),
        (Tender, ["many", "4", "no", "."], None),
    ],
)
def test_moves(kind: type[Move], lines: list[str], move: Move | None, backend: str) -> None:
    if move is None:
        lines, move = ["4", "no", "cheap", "."], Tender(amount=4, open=False, why="cheap")
    assert typed(lines, kind, backend=backend)[0] == move


@given(st.lists(st.integers(0, 100), min_size=2, max_size=2), st.text("abc", min_size=1))
def test_a_sum_near_100_is_scaled_and_another_asks_for_the_percentages_alone(given: list[int], why: str) -> None:
    right = 95 <= sum(given) <= 105
    lines = [why, ".", *map(str, given), *([] if right else ["50", "52"])]
    move, shown = typed(lines, Verdict)
    first, second = given if right else (50, 52)
    assert move.text == why and move.probabilities == pytest.approx(
        (first / (first + second), second / (first + second))
    )
    assert (f"the percentages sum to {sum(given)}, not 100" in shown) != right and shown.count("Your reasons") == 1


def test_what_was_right_is_kept_when_a_move_is_not_accepted() -> None:
    def read(prompt: str) -> str:
        shown.append(prompt)
        return next(left)

    shown, left = list[str](), iter(["4", "yes", "cheap\x1b", ".", "amount", "0", "7", "", "1", "no", ".", "perhaps"])
    human = Human(read, shown.append)
    request = request_for(Tender, below={"amount": 9})
    assert anyio.run(human.act, request) == Tender(amount=4, open=True, why="cheap\x1b")
    request.attempt, request.problem = 1, "too dear"
    assert anyio.run(human.act, request) == Tender(amount=0, open=True, why="cheap\x1b")
    assert (
        "Your why was:\ncheap\\x1b" in shown
        and "What do you want to give again (amount, open, why; empty for all)? " in shown
    )
    left = iter(["", "1", "no", "."])
    assert anyio.run(human.act, request) == Tender(amount=1, open=False), "all of it"
    other = request_for(Tender)
    other.step, other.attempt = "1", 1
    left = iter(["2", "no", "."])
    assert anyio.run(human.act, other) == Tender(amount=2, open=False), "another step begins anew"


def test_the_fields_that_do_not_fit_each_other_are_given_again() -> None:
    class Span(Move):
        kind: Literal["span-in-tests"] = "span-in-tests"
        first: int
        last: int
        why: str = ""

        @model_validator(mode="after")
        def _order(self) -> Span:
            if self.last < self.first:
                raise ValueError("the last comes before the first")
            return self

    move, shown = typed(["5", "3", "so", ".", "last", "9"], Span)
    assert move == Span(first=5, last=9, why="so") and "the last comes before the first" in shown


def test_bad_fields_are_asked_again() -> None:
    move, shown = typed(["x", "4.5", "4", "yes", "."], Tender)
    assert move == Tender(amount=4, open=True) and "not right" in shown


def test_the_kind_is_asked_for_when_there_are_several() -> None:
    assert typed(["x", "stop", "no"], Stop, Ask)[0] == Stop(stop=False)


def test_the_view_is_shown_without_steering_the_terminal() -> None:
    log = log_of(
        ("b", Speech(text="\x1b[2Jgone <quote>A storm</quote>", quotes=(Quote(text="A storm", verified=False),)))
    )
    _, shown = typed(["x", "."], Speech, log=log, answer=1, limit={"words": 9}, asks="Why?")
    for part in (
        "Who sank the fleet?",
        "1. a storm",
        "Nine ships sank",
        "You defend answer 2",
        "at most 9 words",
        "Why?",
    ):
        assert part in shown
    assert "\x1b" not in shown and "not in the passage" in shown
    asked = moot.Question("\x1b[2J?", ("\x1b[31mone", "two\u202e"), passage="\x07")
    assert not set("\x1b\x07\u202e") & set(typed(["so", ".", "50", "50"], Verdict, question=asked)[1])
    assert "Nine ships" not in typed(["x", "."], Speech, source="none")[1]


def test_the_end_of_the_input_says_what_to_do() -> None:
    with pytest.raises(AgentError, match="resume the transcript"):
        typed([], Stop)


def test_a_human_makes_and_argues_before_a_market() -> None:
    from moot.tasks.arithmetic.sums import Sum

    sample = Sum().sample(4, 0, true_first=False)
    true = sample.question.choices[1]
    _, seats = Sum().staged("market", sample)
    left, right = (Sum().truth(sample.question.data, text) for text in ("sum[0:2]", "sum[2:4]"))
    typed = iter(
        ["statement", "see", ".", "7", "2", "no citation", ".", f"sum[0:2] = {left}",
         f"sum[2:4] = {right}", "."]
    )  # fmt: skip
    shown: list[str] = []
    seats["adversary"] = moot.Human(lambda prompt: next(typed), shown.append)
    t = moot.run(moot.MarketMaking(horizon=1), sample, seats)
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 1, t.outcome
    assert t.guarantee.holds and true in sample.question.choices
    assert any("'7' is no number from 1 to 2" in line for line in shown)
    assert any("'no citation' is not of that form; write it as question = answer" in line for line in shown)
    prices = iter(["60", "40", "30", "70"])
    _, seats = Sum().staged("market", sample)
    seats["market"] = moot.Human(lambda prompt: "." if prompt == "> " else next(prices), shown.append)
    seats["adversary"] = lambda request: moot.Statement(text="I say nothing.")
    t = moot.run(moot.MarketMaking(horizon=1), sample, seats)
    said = [step.move["probabilities"] for step in t.steps() if step.move["kind"] == "price"]
    assert said == [[0.6, 0.4], [0.3, 0.7]]


def held(protocol: moot.Protocol, question: moot.Question, lines: list[str]) -> tuple[moot.Transcript, str]:
    """A play with one person in every seat, who types these lines and no others."""
    left, shown = iter(lines), list[str]()

    def read(prompt: str) -> str:
        shown.append(prompt)
        return next(left)

    human = moot.Human(read, shown.append)
    transcript = moot.run(protocol, question, dict.fromkeys(protocol.roles(question), human))
    assert isinstance(transcript.outcome, moot.Decided), transcript.outcome
    assert list(left) == [] and moot.replay(transcript).digest == transcript.digest
    return transcript, "\n".join(shown)


SHIPS = moot.Question("What sank the ships?", ("a storm", "an enemy"), passage="Nine ships sank in the storm.")


def test_a_person_takes_a_claim_apart_and_picks_a_part() -> None:
    lines = [
        ".",
        "1",
        "Was there a storm",
        ".",
        "Was there a storm? = yes",
        "Did a = b? = no",
        ".",
        "7",
        "2",
        ".",
        "30",
        "70",
    ]
    transcript, shown = held(moot.DecompositionDebate(width=2), SHIPS, lines)
    said = [step.move for step in transcript.steps()]
    assert said[1]["claims"] == [
        {"question": "Was there a storm?", "answer": "yes"}, {"question": "Did a = b?", "answer": "no"}
    ]  # fmt: skip
    assert said[2]["claim"] == "2"
    for part in (
        'This is about the claim that the answer to "What sank the ships?" is "a storm".',
        "The claims that a claim rests on.",
        "claims, one a line, each as question = answer, at most 2",
        "'Was there a storm' is not of that form; write it as question = answer",
        "The number of the claim, of those just given, that the debate goes on about",
        "'7' is none of them.",
        "Your task: read.",
    ):
        assert part in shown


def test_a_person_estimates_and_calls_estimates() -> None:
    lines = [".", "1", "x", "0.75", "2", "-1", "One? = yes", ".", ".", "90", "10", "0.5", ".", "60", "40", "1", "0"]
    transcript, shown = held(moot.ProverEstimator(width=1), SHIPS, lines)
    said = [step.move for step in transcript.steps()]
    assert [move["probability"] for move in said if move["kind"] == "estimate"] == [0.75, 0.5]
    assert [move["sign"] for move in said if move["kind"] == "call"] == [-1, 0]
    for part in ("'x' is no number.", "'2' is none of them.", "estimate: 0.75", "forgiven: 0.05", "Which sign?",
                 '"-1": "the estimate is too low"', "Your task: follows."):  # fmt: skip
        assert part in shown


def test_a_person_reacts_in_a_tree_and_concedes_a_debate() -> None:
    lines = ["1", "6", "3", "claims", "1", "So.", ".", ".", "60", "40"]
    transcript, shown = held(moot.TreeDebate(turns="a", most=2), SHIPS, lines)
    assert "Your last move was not accepted: at most 2 claims may be made in one turn, not 3" in shown
    first, claim = [step.move for step in transcript.steps()][:2]
    assert (first["to"], first["label"], first["claims"], claim["text"]) == ("q", "main objection", 1, "So.")
    assert "This is about the question, as main objection." in shown and "claims (0 to 2): " in shown
    assert "Which earlier claims" not in shown, "there are none to cite"
    lines = ["concession", "You are right.", ".", "speech", "I am.", "."]
    transcript, shown = held(moot.Debate(rounds=1, concede=True, order="sequential"), SHIPS, lines)
    assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.choice == 1
    assert "What do you want to give (speech, concession)?" in shown


def test_a_person_gives_and_criticises_a_clue_and_compares_words() -> None:
    data: Any = {
        "good_words": ["sea", "port"],
        "bad_words": ["sun"],
        "similarities": {"ship": {"sea": 9, "port": 8, "sun": 1}},
    }
    question = moot.Question("How many?", ("0", "1", "2"), data=data)
    lines = ["", "1", "sea", ".", "1", "sea", "1", "word", "1", "3", "", "", ".", "0", "50", "50"]
    transcript, shown = held(moot.ClueOversight(critiques=1, comparisons=1), question, lines)
    clue, critique, compared = [step.move for step in transcript.steps()][:3]
    assert (clue["clue"], clue["targets"]) == ("ship", ["sea"])
    assert (critique["bad_word"], critique["target"]) == ("sun", "sea")
    assert (compared["first"], compared["second"], compared["closer"]) == ("sea", "sun", "first")
    assert "targets, one a line, of sea, port" in shown and 'good words: ["sea", "port"]' in shown


def test_a_person_gives_numbers_below_a_bound_and_lists_of_bits() -> None:
    from moot.protocols.games.circuit_debate import GateNumber, GateValues

    move, shown = typed(["x", "2"], GateNumber, below={"gate": 3}, task="gate")
    assert move == GateNumber(gate=2) and "gate (0 to 2): " in shown
    move, shown = typed(["1 0", "1", "."], GateValues, most={"values": 3}, least={"values": 3}, task="values")
    assert move == GateValues(values=(1, 0, 1)) and "The values of all gates in their order" in shown


def test_a_person_is_told_what_the_turn_is_about() -> None:
    from moot.protocols.games.doubly_efficient import Check, Probability
    from moot.protocols.games.qbf import Assign

    move, shown = typed(["yes"], Assign, task="assign", details={"quantifier": "e", "variable": 3}, human=None)
    assert (
        "variable: 3" in shown and "quantifier: e" in shown and "The value of the variable whose turn it is." in shown
    )
    assert move.value is True
    move, shown = typed(["0.25", ""], Probability, task="estimate", details={"query": "bit(2)", "samples": 9})
    assert (move.p, move.queries) == (0.25, 0) and "query: bit(2)" in shown and "The probability p that" in shown
    move, shown = typed(["no", "4"], Check, task="check", details={"query": "bit(2)", "within": 0.5})
    assert (move.accept, move.queries) == (False, 4) and "within: 0.5" in shown


def test_what_the_others_leave_is_offered_for_the_last_answer() -> None:
    move, shown = typed(["why", ".", "65", ""], Verdict)
    assert move == Verdict(probabilities=(0.65, 0.35), text="why")
    assert "How probable is 2. the admiral, in percent (35 left; Enter takes it)? " in shown


def test_nothing_is_offered_for_the_first_answer_nor_less_than_nothing() -> None:
    question = Question("Which?", ("x", "y", "z"))
    move, shown = typed([".", "", "70", "50", "", "10", "60", "20", ""], Verdict, question=question)
    assert move == Verdict(probabilities=(0.6, 0.2, 0.2)), "a sum of 130 is asked for again"
    assert "'' is no number" in shown and "-20" not in shown and shown.count("left; Enter") == 1


def test_words_are_counted_as_they_are_typed_and_a_line_too_many_is_taken_back() -> None:
    lines = ["one two three", "<quote>four five</quote>", "six seven", "what", "dr", "six", "."]
    move, shown = typed(lines, limit={"words": 6})
    assert move == Speech(text="one two three\n<quote>four five</quote>\nsix")
    counts = [line.strip() for line in shown.splitlines() if " of 6 words" in line]
    assert counts == ["3 of 6 words", "5 of 6 words", "7 of 6 words", "5 of 6 words", "6 of 6 words"]
    assert "'what' is neither" in shown


def test_a_line_too_long_is_cut_where_it_fits() -> None:
    move, shown = typed(["a storm of the north", "cut", "."], limit={"chars": 12})
    assert move == Speech(text="a storm of") and "20 of 12 characters" in shown and "…  a storm of" not in shown
    assert "3 of 9 tokens (bytes are counted)" in typed(["abc", "."], limit={"tokens": 9})[1]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.one_of(st.text("ab <>/quote", max_size=20), st.sampled_from(
        ["a b c d e f g", "<quote>a b c d</quote>", ".", "cut", "drop"])), max_size=12),
    st.sampled_from(["words", "chars", "tokens"]), st.integers(1, 8), st.sampled_from(["reject", "clip"]),
)  # fmt: skip
def test_no_speech_is_given_that_its_limit_would_reject(lines: list[str], unit: str, most: int, over: str) -> None:
    try:
        move, _ = typed([*lines, *["cut"] * 13, "."], limit={unit: most, "over": over})
    except AgentError as error:
        assert "closed the input" in str(error)
        return
    assert isinstance(move, Speech) and on_record(move, None, Limit(**{unit: most}), None)


def test_who_defends_what_and_who_sees_the_passage_is_said_once_to_each() -> None:
    shown, left = list[str](), iter(["x", ".", "y", ".", "z", ".", "w", ".", ".", "60", ""])

    def read(prompt: str) -> str:
        return next(left)

    seats = {seat: Human(read, shown.append, name="Jo") for seat in ("a", "b", "judge")}
    moot.run(moot.Debate(rounds=2), Question("Who?", ("x", "y"), passage="P"), seats)
    said = "a defends answer 1: x. b defends answer 2: y.\na and b can see the passage. judge cannot see it"
    told = [place for place, text in enumerate(shown) if text.startswith(said)]
    assert len(told) == 3, "to the seat, and not at each of its turns"
    first = told[0]
    assert not any("[" in each for each in shown[:first]), "before what was said"


def test_private_notes_are_shown_to_their_seat_alone() -> None:
    shown: dict[str, list[str]] = {"a": [], "b": []}
    left = iter(["x", ".", "y", ".", "z", ".", "w", "."])

    def read(prompt: str) -> str:
        return next(left)

    a = moot.Briefed(Human(read, shown["a"].append), "You are the honest one.")
    seats = {"a": a, "b": Human(read, shown["b"].append), "judge": moot.testing.puppet}
    moot.run(moot.Debate(rounds=2, order="sequential"), Question("Who?", ("x", "y")), seats)
    told = "Your private notes, which nobody else is shown:\nYou are the honest one."
    assert sum(told in text for text in shown["a"]) == 1 and not any("honest one" in text for text in shown["b"])


def test_a_text_that_is_too_short_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    class Between(Limit):
        least: int | None = None

    monkeypatch.setattr(variables, "Limit", Between)
    move, shown = typed(["one two", ".", "three", ".", "four", "."], limit={"words": 6, "least": 4})
    assert move == Speech(text="one two\nthree\nfour"), "nothing is typed twice"
    assert "2 of 6 words, at least 4" in shown and "These are 3 words, and at least 4 are asked for." in shown
