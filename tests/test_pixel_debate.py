"""The debate about an image: what may be revealed, who wins, what the judge reads, and programs in its seats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.games.pixel_debate import unseen
from moot.testing.hand import Hand, Script
from moot.testing.strategies import images

SOME = settings(deadline=None, max_examples=25)
IMAGE = {"image": [[0, 90, 255, 0], [0, 0, 255, 0], [0, 60, 40, 0]]}
QUESTION = moot.Question("Which digit is this?", ("0", "1", "2"), data=IMAGE, size=4, unit="cells")


def debater(label: int, *pixels: tuple[int, int]) -> Callable[[moot.Request], moot.Move]:
    """Claims a label and reveals these pixels, or, where they have run out, the first that it may."""
    given = iter(pixels)

    def act(request: moot.Request) -> moot.Move:
        if moot.Answer in request.kinds:
            return moot.Answer(choice=label, text="believe me")
        row, column = next(given, (-1, -1))
        return moot.Pixel(row=row, column=column) if row >= 0 else next(unseen(request))

    return act


def judge(*probabilities: float) -> Callable[[moot.Request], moot.Move]:
    """A judge that opens all it is shown, and says this."""

    def act(request: moot.Request) -> moot.Move:
        assert len(list(request.view)) >= 1
        return moot.Verdict(probabilities=probabilities)

    return act


def debated(a: int, b: int, *verdict: float, **params: Any) -> moot.Transcript:
    seats = {"a": debater(a), "b": debater(b), "judge": judge(*verdict)}
    return moot.run(moot.PixelDebate(pixels=4, **params), QUESTION, seats)


def decision(transcript: moot.Transcript) -> tuple[dict[str, float], tuple[float, ...]]:
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided)
    return outcome.payoffs, outcome.verdict.probabilities


@pytest.mark.parametrize("flip", [False, True])
def test_the_judge_is_told_the_claims_in_the_order_that_it_is_shown(flip: bool) -> None:
    """By the words of the labels, it says the same however they are numbered; a number of the other order would name a label that
    nobody claimed, and what it gives to that is nothing."""

    def sure(request: moot.Request) -> moot.Move:
        choices, claims = request.view.question.choices, request.brief["details"]["claims"]
        assert [choices[claim] for claim in claims] == ["0", "1"]
        return moot.Verdict.sure(claims[0], len(choices))

    play = debated(0, 1, 0.3, 0.3, 0.4)
    assert decision(moot.rejudge(play, sure, flip=flip))[1] == (1, 0, 0)


# -- who wins --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("a", "b", "verdict", "paid", "kept"),
    [
        (0, 1, (0.2, 0.1, 0.7), 1, (2 / 3, 1 / 3, 0)),
        (1, 0, (0.2, 0.1, 0.7), -1, (2 / 3, 1 / 3, 0)),
        (2, 1, (1.0, 0.0, 0.0), 0, (0, 0.5, 0.5)),
        (0, 1, (0.25, 0.25, 0.5), 0, (0.5, 0.5, 0)),
        (1, 1, (0.9, 0.1, 0.0), 0, (0, 1, 0)),
        (1, 1, (1.0, 0.0, 0.0), 0, (0, 1, 0)),
    ],
)
def test_of_two_claims_the_likelier_wins(
    a: int, b: int, verdict: tuple[float, ...], paid: int, kept: tuple[float, ...]
) -> None:
    payoffs, recorded = decision(debated(a, b, *verdict))
    assert payoffs == {"a": paid, "b": -paid} and recorded == pytest.approx(kept)


@pytest.mark.parametrize(("a", "paid"), [(0, -1), (1, -1), (2, 1)])
def test_without_precommit_the_claim_must_be_the_likeliest(a: int, paid: int) -> None:
    payoffs, recorded = decision(debated(a, 0, 0.2, 0.1, 0.7, precommit=False))
    assert payoffs == {"a": paid, "b": -paid} and recorded == (0.2, 0.1, 0.7)
    assert decision(debated(a, 0, 0.5, 0.0, 0.5, precommit=False))[0]["a"] == (0 if a != 1 else -1)


@SOME
@given(images(), st.integers(1, 6), st.booleans(), st.sampled_from("ab"), st.data())
def test_pixels_come_in_turn_are_distinct_and_hold_what_the_image_does(
    question: moot.Question, pixels: int, precommit: bool, first: Any, data: st.DataObject
) -> None:
    protocol = moot.PixelDebate(pixels=pixels, precommit=precommit, first=first)
    hand = Hand(protocol, question, Script(data.draw, moot.testing.strategies.moves)).run()
    assert isinstance(hand.game.outcome, moot.Decided)
    shown: list[tuple[int, int]] = []
    for step in hand.transcript.steps():
        if step.move is not None and step.move["kind"] == "pixel":
            move: Any = step.move
            image: Any = question.data
            assert step.seat == ("ab" if first == "a" else "ba")[len(shown) % 2]
            assert move["value"] == image["image"][move["row"]][move["column"]] > 0
            shown.append((move["row"], move["column"]))
    assert len(set(shown)) == len(shown) == pixels
    made = {seat: hand.transcript.ledger.seats[seat].calls for seat in "ab"}
    made["judge"] = hand.transcript.ledger.seats["judge"].calls
    assert made == protocol.most_moves(question)


# -- what may be revealed, and what the judge reads ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pixel", "says"),
    [
        ((0, 0), "the pixel in row 0, column 0 is 0"),
        ((3, 0), "no pixel in row 3, column 0 of 3 by 4"),
        ((0, 4), "no pixel in row 0, column 4"),
        ((2, 1), "row 2, column 1 was revealed before"),
    ],
)
def test_what_may_not_be_revealed(pixel: tuple[int, int], says: str) -> None:
    seats = {"a": debater(0, (2, 1)), "b": debater(1, pixel, pixel), "judge": judge(1.0, 0.0, 0.0)}
    outcome = moot.run(moot.PixelDebate(pixels=4), QUESTION, seats).outcome
    assert isinstance(outcome, moot.Forfeited) and outcome.seat == "b" and says in outcome.rule


def test_a_value_is_what_the_image_holds_whatever_was_said() -> None:
    def lies(request: moot.Request) -> moot.Move:
        move = debater(1)(request)
        return move.model_copy(update={"value": 255}) if isinstance(move, moot.Pixel) else move

    transcript = moot.run(moot.PixelDebate(pixels=4), QUESTION, {"a": lies, "b": lies, "judge": judge(1.0, 0.0, 0.0)})
    assert [step.move["value"] for step in transcript.steps() if step.move and "value" in step.move] == [
        90,
        255,
        255,
        60,
    ]


def test_the_judge_sees_the_pixels_and_never_the_image() -> None:
    seen: list[Any] = []

    def looks(request: moot.Request) -> moot.Move:
        seen.append((request.view.question.data, request.view.has_cells, [entry.move for entry in request.view]))
        return moot.Verdict(probabilities=(1.0, 0.0, 0.0))

    seats = {"a": debater(0), "b": debater(2), "judge": moot.Bounded(looks, reads="n")}
    transcript = moot.run(moot.PixelDebate(pixels=4), QUESTION, seats)
    ((data, cells, moves),) = seen
    assert data is None and not cells and [move.kind for move in moves] == ["answer"] * 2 + ["pixel"] * 4
    assert all(move.text == "" for move in moves[:2]), "a claim has no words"
    assert transcript.ledger.spent("judge", "reads") == 4 and isinstance(transcript.outcome, moot.Decided)
    short = {**seats, "judge": moot.Bounded(looks, reads=3)}
    outcome = moot.run(moot.PixelDebate(pixels=4), QUESTION, short).outcome
    assert isinstance(outcome, moot.Exhausted) and (outcome.used, outcome.limit) == (4, 3)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"choices": ()}, "no choices"),
        ({"data": None}, "data is no image"),
        ({"data": {"image": []}}, "data is no image"),
        ({"data": {"image": [[1, 2], [3]]}}, "data is no image"),
        ({"data": {"image": [[1, -2]]}}, "data is no image"),
        ({"data": {"image": [[1, 0.5]]}}, "data is no image"),
        ({"data": {"image": [[1, True]]}}, "data is no image"),
        ({"data": {"image": [[1, 0], [2, 3]]}}, "4 non-zero pixels are to be revealed, and it has 3"),
    ],
)
def test_questions_that_do_not_fit(changed: dict[str, Any], says: str) -> None:
    question = moot.Question("Which?", **{"choices": ("0", "1"), "data": IMAGE, **changed})
    with pytest.raises(moot.UsageError, match=says):
        moot.PixelDebate(pixels=4).roles(question)


# -- programs in the seats -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained() -> Any:
    pytest.importorskip("sklearn")
    import numpy as np

    from moot.experiments.mnist.judge import train_judge
    from moot.tasks.reading.images import bundled_digits

    return train_judge(bundled_digits().train, 4, steps=1000, batch=128, hidden=(32, 16)).in_type(np.float64)


def digit(number: int, pixels: int = 4) -> moot.Sample:
    """A test image, with all but its first `pixels` non-zero pixels, from the middle on, blanked."""
    from moot.tasks.reading.images import bundled_digits, sample_of

    test = bundled_digits().test
    image = test.pixels[number].copy()
    flat = image.reshape(-1)
    lit = flat.nonzero()[0]
    flat[[place for place in lit if place not in lit[len(lit) // 3 :][:pixels]]] = 0
    return sample_of(image, int(test.labels[number]), revealed=4)


@pytest.mark.parametrize("precommit", [True, False])
def test_programs_play_as_the_arrays_do(trained: Any, precommit: bool) -> None:
    """Greedy debaters draw nothing at random: through the protocol and side by side they reveal the same pixels."""
    import numpy as np

    from moot.experiments.mnist.debates import Claims, Standing, greedily, play
    from moot.experiments.mnist.judge import boards_of
    from moot.experiments.mnist.seats import PixelDebater, SparseVerdict

    for number in range(6):
        sample = digit(number, 12)
        truth = sample.unseal() or 0
        lie, first = (truth + 3) % 10, number % 2
        image = np.array([sample.question.data["image"]], np.uint8)  # type: ignore[index, call-overload]
        claims = Claims(np.array([truth]), np.array([lie]) if precommit else None)
        standing = Standing(trained, boards_of(image), claims, [(0,)], first)
        won = play(standing, greedily, greedily)
        seats = {"a": PixelDebater(trained, truth, "greedy"), "b": PixelDebater(trained, lie, "greedy"),
                 "judge": moot.Bounded(SparseVerdict(trained), reads="n")}  # fmt: skip
        transcript = moot.run(
            moot.PixelDebate(pixels=4, precommit=precommit, first="b" if first else "a"), sample, seats
        )
        moves: list[Any] = [step.move for step in transcript.steps() if step.move and step.move["kind"] == "pixel"]
        shown = [8 * move["row"] + move["column"] for move in moves]
        assert shown == [int(standing.boards.places[0, slot]) for slot in standing.slots[0]]
        assert decision(transcript)[0] == {"a": won[0], "b": -won[0]}
        assert moot.replay(transcript).digest == transcript.digest


@pytest.mark.parametrize("first", ["a", "b"])
def test_solving_the_protocol_gives_the_value_of_optimal_play(trained: Any, first: Any) -> None:
    """Every sequence of moves through the protocol, against induction over sets of pixels."""
    import numpy as np

    from moot.experiments.mnist.debates import final_logits, optimal
    from moot.experiments.mnist.judge import boards_of
    from moot.experiments.mnist.seats import SparseVerdict

    values = set()
    for number in range(8):
        sample = digit(number, 6)
        truth = sample.unseal() or 0

        def options(request: moot.Request, label: int = truth) -> Iterator[moot.Move]:
            return iter([moot.Answer(choice=label)]) if moot.Answer in request.kinds else unseen(request)

        solution = moot.solve(
            moot.PixelDebate(pixels=4, first=first, precommit=False), sample, moves={"a": options, "b": options},
            seats={"judge": SparseVerdict(trained)},
        )  # fmt: skip
        boards = boards_of(np.array([sample.question.data["image"]], np.uint8))  # type: ignore[index, call-overload]
        logits = final_logits(trained, boards)
        ahead = np.sign(logits[:, truth] - np.delete(logits, truth, axis=1).max(axis=1))[:, None]
        assert solution.value["a"] == optimal(ahead, 6, 4, "ab".index(first))[0][0]
        values.add(solution.value["a"])
    assert values == {1.0, -1.0}, "some are won and some are lost"


def test_searching_debaters_are_honest_winners_more_often(trained: Any) -> None:
    from moot.experiments.mnist.seats import PixelDebater, SparseVerdict

    won = {"search": 0, "random": 0}
    for number in range(8):
        sample = digit(number, 30)
        truth = sample.unseal() or 0
        for way in won:
            seats = {"a": PixelDebater(trained, (truth + 5) % 10, "random"), "b": PixelDebater(trained, truth, way, rollouts=60),
                     "judge": SparseVerdict(trained)}  # fmt: skip
            won[way] += int(decision(moot.run(moot.PixelDebate(pixels=4), sample, seats, seed=number))[0]["b"] > 0)
    assert won["search"] == 8 > won["random"]


def test_programs_in_the_wrong_place_say_so(trained: Any) -> None:
    from moot.experiments.mnist.seats import PixelDebater, SparseVerdict

    with pytest.raises(moot.UsageError, match="label 10 is none of the judge's 10"):
        PixelDebater(trained, 10)
    with pytest.raises(moot.UsageError, match="search, greedy, random"):
        PixelDebater(trained, 1, "wisely")
    verdict = SparseVerdict(trained)
    outcome = moot.run(
        moot.PixelDebate(pixels=4), QUESTION, {"a": debater(0), "b": debater(1), "judge": verdict}
    ).outcome
    assert isinstance(outcome, moot.Errored) and "knows 10 labels; the question has 3" in outcome.cause
    outcome = moot.run(
        moot.PixelDebate(pixels=4), QUESTION, {"a": PixelDebater(trained, 1), "b": debater(1), "judge": verdict}
    ).outcome
    assert isinstance(outcome, moot.Errored) and "(8, 8) pixels" in outcome.cause
    described = PixelDebater(trained, 3, rollouts=7).describe()
    assert described == {"agent": "program", "name": "pixel debater", "label": 3, "by": "search", "rollouts": 7}
