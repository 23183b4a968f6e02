"""Cross-examination about a tableau: claims about a whole run, of which the judge reads one window of 3 + 1 cells.

Barnes and Christiano 2020: the claimant commits to a table of 2^p rows (times) and 2^p columns (places) through copies; the
opponent names a cell of the first row, a cell of the last, or a window; the judge asks for what stands there.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.amplification.amplification import Reply
from moot.tasks.machines.turing_machines import BLANK, runs
from moot.tasks.programs.play import ruled

Table = dict[tuple[int, int], str]
# Writes over its word from the left: 1 becomes 0, and back; accepts at the first blank.
FLIP = {"q,0": ["q", "1", 1], "q,1": ["q", "0", 1], "q,_": ["accept", "_", 0]}
HALT = {f"{end},{symbol}": [end, symbol, 0] for end in ("accept", "reject") for symbol in "01_"}


def machine(delta: dict[str, list[Any]], word: str, p: int) -> dict[str, Any]:
    return {"start": "q", "input": list(word), "delta": {**delta, **HALT}, "p": p}


def tableau(data: dict[str, Any]) -> Table:
    """The true table: a symbol, or "state,symbol" where the head is."""
    side, table = 2 ** data["p"], Table()
    for row, (state, tape, head) in enumerate(islice(runs(data), side)):
        for column in range(side):
            symbol = tape.get(column, BLANK)
            table[row, column] = f"{state},{symbol}" if column == head else symbol
    return table


def stays_inside(data: dict[str, Any]) -> bool:
    return all(0 <= head < 2 ** data["p"] for _, _, head in islice(runs(data), 2 ** data["p"]))


def address(row: int, column: int) -> str:
    return f"cell({row},{column})"


def place(text: str) -> tuple[int, int]:
    row, column = text.removeprefix("cell(").removesuffix(")").split(",")
    return int(row), int(column)


def follows(delta: Any, left: str, middle: str, right: str) -> str | None:
    """What stands below the middle of three cells, by the machine's table; None where two heads meet."""
    arriving = []
    for cell, move in ((left, 1), (middle, 0), (right, -1)):
        if "," in cell and delta[cell][2] == move:
            arriving.append(delta[cell][0])
    symbol = delta[middle][1] if "," in middle else middle
    return symbol if not arriving else f"{arriving[0]},{symbol}" if len(arriving) == 1 else None


def windows(data: dict[str, Any]) -> list[tuple[str, ...]]:
    """Every challenge that there is: cells of the first and of the last row, and windows of three cells and the one below."""
    side = 2 ** data["p"]
    found: list[tuple[str, ...]] = [(address(row, c),) for row in (0, side - 1) for c in range(side)]
    for row in range(side - 1):
        for c in range(side):
            above = [address(row, d) for d in (c - 1, c, c + 1) if 0 <= d < side]
            found.append((*above, address(row + 1, c)))
    return found


def passes(data: Any, said: dict[tuple[int, int], str]) -> bool:
    """Whether the cells of one challenge keep the local rule."""
    side = 2 ** data["p"]
    if len(said) == 1:
        ((row, column), cell) = next(iter(said.items()))
        if row == 0:
            symbol = data["input"][column] if column < len(data["input"]) else BLANK
            return cell == (f"{data['start']},{symbol}" if column == 0 else symbol)
        return row != side - 1 or "," not in cell or cell.startswith("accept,")
    row, column = max(said)
    above = [said.get((row - 1, d), BLANK) for d in (column - 1, column, column + 1)]
    return all(cell in "01_" or cell in data["delta"] for cell in above) and (
        said[row, column] == follows(data["delta"], *above)
    )


def judging(data: dict[str, Any]) -> Any:
    """The judge, who knows the machine's description and checks the answers to one challenge against it."""

    def judge(request: moot.Request) -> moot.Verdict:
        answers = [entry.move for entry in request.view if isinstance(entry.move, Reply)]
        return ruled(request.view.question, "yes", passes(data, {place(each.of): each.answer for each in answers}), "")

    return judge


def play(data: dict[str, Any], table: Table, challenge: tuple[str, ...]) -> moot.Transcript:
    """A play of a claimant that answers by a table; the judge may read 4 addresses and 4 answers, however large that is."""
    question = moot.Question("accepts()", ("yes", "no"), data=data, size=data["p"], unit="cells")

    def claimant(request: moot.Request) -> moot.Move:
        return Reply(answer=table[place(request.view.question.text)])

    seats = {
        "a": moot.Copies(claimant),
        "b": lambda request: moot.Challenge(addresses=challenge),
        "judge": moot.Bounded(judging(data), reads=8),
    }
    return moot.run(moot.CrossExamination(), question, seats)


def verdict(transcript: moot.Transcript) -> str:
    outcome = transcript.outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.choice is not None
    return transcript.question.choices[outcome.verdict.choice]


def test_the_planted_error_is_found_in_one_window() -> None:
    """The third row is true; in the fourth, column 2 becomes 0 though the head stands at column 4."""
    data = machine(FLIP, "10110", 3)
    true = tableau(data)
    assert true[3, 2] == true[4, 2] == "0" and true[4, 4].startswith("q,")
    flipped = machine(FLIP, "10010", 3)
    true = tableau(flipped)
    assert true[3, 2] == true[4, 2] == "1" and true[4, 4] == "q,0"
    for challenge in windows(flipped):
        assert verdict(play(flipped, true, challenge)) == "yes"
    planted = {**true, (4, 2): "0"}
    window = tuple(address(*at) for at in ((3, 1), (3, 2), (3, 3), (4, 2)))
    found = play(flipped, planted, window)
    assert verdict(found) == "no"
    assert found.ledger.seats["judge"].reads == 8 and found.guarantee.holds
    caught = {challenge for challenge in windows(flipped) if verdict(play(flipped, planted, challenge)) == "no"}
    below = [(address(4, 1), address(4, 2), address(4, 3), address(5, 2))]
    assert caught == {window, *below}, "the window above the cell, and the one in which it stands above"


rows = st.tuples(st.sampled_from(["q", "r", "accept", "reject"]), st.sampled_from("01_"), st.sampled_from([-1, 0, 1]))


@settings(deadline=None, max_examples=20)
@given(st.lists(rows, min_size=6, max_size=6), st.text("01", min_size=1, max_size=4), st.integers(1, 3), st.data())
def test_one_wrong_cell_is_in_some_window(made: list[Any], word: str, p: int, drawn: st.DataObject) -> None:
    """The true table passes every window if and only if the run accepts; with any one cell changed it fails one."""
    names = [f"{state},{symbol}" for state in "qr" for symbol in "01_"]
    data = machine(dict(zip(names, map(list, made), strict=True)), word[: 2**p], p)
    assume(stays_inside(data))
    true = tableau(data)

    def broken(table: Table) -> list[tuple[str, ...]]:
        return [each for each in windows(data) if not passes(data, {place(a): table[place(a)] for a in each})]

    accepts = any(true[2**p - 1, c].startswith("accept,") for c in range(2**p))
    assert (not broken(true)) == accepts
    at = drawn.draw(st.sampled_from(sorted(true)))
    other = drawn.draw(st.sampled_from(["0", "1", "_", *data["delta"]]).filter(lambda cell: cell != true[at]))
    found = broken({**true, at: other})
    assert found and all(len(each) <= 4 for each in found)
    assert verdict(play(data, {**true, at: other}, found[0])) == "no"


@pytest.mark.parametrize("p", [1, 2, 3, pytest.param(4, marks=pytest.mark.long)])
def test_the_judge_reads_as_much_of_a_table_of_any_size(p: int) -> None:
    data = machine(FLIP, "1"[: 2**p], p)
    reads = {play(data, tableau(data), each).ledger.seats["judge"].reads for each in windows(data)}
    assert reads == ({2, 6, 8} if p > 1 else {2, 6})
