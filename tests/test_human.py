"""A human at a terminal, typed by a script."""

from __future__ import annotations

from typing import Any, Literal

import anyio
import pytest
from agent_kit import log_of, request_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.human import Human, printable
from moot.protocols.errors import AgentError
from moot.protocols.moves import Answer, Ask, Move, Quote, Speech, Stop, Verdict


class Bid(Move):
    kind: Literal["bid"] = "bid"
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
    st.sampled_from([Speech, Verdict, Answer, Ask, Stop, Bid]),
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
        (Verdict, [".", "80", "80", ".", "10", "90"], Verdict(probabilities=(0.1, 0.9))),
        (Answer, ["3", "2", "so", "."], Answer(choice=1, text="so")),
        (Ask, ["b", "Why?", "."], Ask(text="Why?", to="b")),
        (Stop, ["perhaps", "yes"], Stop(stop=True)),
        (Bid, ["many", "4", "no", "."], None),
    ],
)
def test_moves(kind: type[Move], lines: list[str], move: Move | None, backend: str) -> None:
    if move is None:
        lines, move = ["4", "no", "cheap", "."], Bid(amount=4, open=False, why="cheap")
    assert typed(lines, kind, backend=backend)[0] == move


def test_bad_fields_are_asked_again() -> None:
    move, shown = typed(['"x"', "yes", ".", "4", "yes", "."], Bid)
    assert move == Bid(amount=4, open=True) and "not right" in shown


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
    assert "Nine ships" not in typed(["x", "."], Speech, source="none")[1]


@given(st.text())
def test_printable_text_has_no_control_characters(text: str) -> None:
    assert all(c in "\n\t" or c.isprintable() for c in printable(text))


def test_the_end_of_the_input_says_what_to_do() -> None:
    with pytest.raises(AgentError, match="resume the transcript"):
        typed([], Stop)


def test_a_human_makes_and_argues_before_a_market() -> None:
    from moot.tasks.sums import Sum

    sample = Sum().sample(4, 0, true_first=False)
    true = sample.question.choices[1]
    _, seats = Sum().staged("market", sample)
    left, right = (Sum().truth(sample.question.data, text) for text in ("sum[0:2]", "sum[2:4]"))
    typed = iter(
        ["statement", "see", ".", "7", "2", "no citation", ".", "statement", ".", "2", f"sum[0:2] = {left}",
         f"sum[2:4] = {right}", "."]
    )  # fmt: skip
    shown: list[str] = []
    seats["adversary"] = moot.Human(lambda prompt: next(typed), shown.append)
    t = moot.run(moot.MarketMaking(horizon=1), sample, seats)
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == 1, t.outcome
    assert t.guarantee.holds and true in sample.question.choices
    assert any("'7' is no number from 1 to 2" in line for line in shown)
    assert any("'no citation' is no citation; write it as question = answer" in line for line in shown)
    prices = iter(["60", "40", "30", "70"])
    _, seats = Sum().staged("market", sample)
    seats["market"] = moot.Human(lambda prompt: "." if prompt == "> " else next(prices), shown.append)
    seats["adversary"] = lambda request: moot.Statement(text="I say nothing.")
    t = moot.run(moot.MarketMaking(horizon=1), sample, seats)
    said = [step.move["probabilities"] for step in t.steps() if step.move["kind"] == "price"]
    assert said == [[0.6, 0.4], [0.3, 0.7]]
