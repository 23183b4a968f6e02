"""Satisfiability and counting, and the formats of formulas, held against python-sat and brute force."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pysat.formula import CNF
from pysat.solvers import Cadical153
from rule_kit import is_sampled_well, keeps_the_rules, one_step, refuses, verdict_of

import moot
from moot.complexity.rules import looker
from moot.protocols.engine.errors import UsageError
from moot.tasks.arithmetic.counting import CountSat
from moot.tasks.base import task_named
from moot.tasks.logic.dimacs import Formula, parse_dimacs, read_dimacs, write_dimacs
from moot.tasks.logic.formulas import SATISFIABLE, UNSATISFIABLE, cells_of, find_witness, satisfies
from moot.tasks.logic.satisfiability import Bluffer, Satisfiability, Talker, Verifier, Witness
from moot.tasks.logic.solver import solve

SAT, COUNT = Satisfiability(), CountSat()

clauses_over = st.integers(1, 7).flatmap(
    lambda n: st.tuples(
        st.just(n),
        st.lists(st.lists(st.integers(-n, n).filter(bool), max_size=4), max_size=20),
    )
)


def true_under(bits: tuple[int, ...], clauses: list[list[int]]) -> bool:
    return all(any(bits[abs(literal) - 1] == (literal > 0) for literal in clause) for clause in clauses)


def models(n: int, clauses: list[list[int]]) -> list[tuple[int, ...]]:
    return [bits for bits in product((0, 1), repeat=n) if true_under(bits, clauses)]


# -- the solver --------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(clauses_over)
def test_the_solver_finds_a_model_where_brute_force_finds_one(drawn: tuple[int, list[list[int]]]) -> None:
    n, clauses = drawn
    values, every = solve(clauses), models(n, clauses)
    assert (values is not None) == bool(every)
    if values is not None:  # what it leaves out may be either
        for rest in (0, 1):
            assert tuple(int(values.get(v, rest)) for v in range(1, n + 1)) in every
    data = cells_of(clauses, n)
    for bits in product((0, 1), repeat=n):
        assert satisfies([bool(bit) for bit in bits], looker(data)) == (bits in every)


@pytest.mark.parametrize("size", [20, 50])
def test_random_formulas_have_a_witness_where_cadical_finds_one(size: int) -> None:
    found = 0
    for seed in range(40):
        data = SAT.data(size, Random(seed))
        with Cadical153(bootstrap_with=data["clauses"]) as solver:
            truth = solver.solve()
        witness = find_witness(data)
        assert (witness is not None) == truth
        if witness is not None:
            with Cadical153(bootstrap_with=data["clauses"]) as solver:
                assert solver.solve([v if bit == "1" else -v for v, bit in enumerate(witness, start=1)])
            found += 1
    assert 12 <= found <= 28  # the number of clauses is where half of them are


def test_a_formula_beyond_the_solver_is_not_decided() -> None:
    holes = 4  # pigeons one more than holes: unsatisfiable, and not by propagation alone
    at = {pair: i for i, pair in enumerate(product(range(holes + 1), range(holes)), start=1)}
    clauses = [[at[pigeon, hole] for hole in range(holes)] for pigeon in range(holes + 1)]
    clauses += [[-at[a, hole], -at[b, hole]] for hole in range(holes) for a, b in combinations(range(holes + 1), 2)]
    assert solve(clauses) is None
    with pytest.raises(UsageError, match="not solved after 3 branches"):
        solve(clauses, most=3)


# -- consultancy: NP and not coNP --------------------------------------------------------------------------------------


def played(sample: moot.Sample, consultant: Any, open_: bool = False, **others: Any) -> moot.Transcript:
    protocol = moot.OpenConsultancy if open_ else moot.Consultancy
    options = SAT.options(protocol.name, sample.question)
    judge = moot.Bounded(Verifier(), reads=SAT.reads)
    return moot.run(protocol(**{**options, **others}), sample, {"consultant": consultant, "judge": judge})


def decision(t: moot.Transcript, sample: moot.Sample) -> str:
    assert isinstance(t.outcome, moot.Decided) and t.guarantee.holds
    choice = verdict_of(t).choice
    assert choice is not None
    return sample.question.choices[choice]


@pytest.mark.parametrize("size", [3, 20, 60])
@pytest.mark.parametrize("open_", [False, True])
def test_an_honest_consultant_decides_every_instance_within_the_judges_bound(size: int, open_: bool) -> None:
    for seed in range(6):
        sample = SAT.sample(size, seed)
        t = played(sample, Witness(), open_)
        assert verdict_of(t).choice == sample.unseal() and t.guarantee.holds
        assert moot.replay(t).digest == t.digest


@pytest.mark.parametrize("liar", [Bluffer, Talker])
@pytest.mark.parametrize("open_", [False, True])
def test_a_liar_proves_nothing_but_can_hide_a_witness(liar: type, open_: bool) -> None:
    for seed in range(12):
        sample = SAT.sample(12, seed)
        assert decision(played(sample, liar(), open_), sample) == UNSATISFIABLE


@settings(deadline=None, max_examples=60)
@given(
    st.integers(0, 10**6),
    st.text("01", min_size=4, max_size=4) | st.text("01 ?²", min_size=1, max_size=9).filter(str.strip),
)
def test_a_speech_that_is_no_witness_never_makes_the_judge_say_satisfiable(seed: int, text: str) -> None:
    sample = SAT.sample(4, seed)
    data: Any = sample.question.data
    t = played(sample, lambda request: moot.Speech(text=text))
    heard = next(e["move"]["text"] for e in t.events() if e.get("move", {}).get("kind") == "speech").strip()
    witness = len(heard) == 4 and set(heard) <= {"0", "1"} and true_under(tuple(map(int, heard)), data["clauses"])
    assert decision(t, sample) == (SATISFIABLE if witness else UNSATISFIABLE)
    assert not witness or SAT.truth(data, "sat()") == SATISFIABLE


def test_what_speaks_for_unsatisfiability_cannot_be_told_from_a_liar() -> None:
    """The honest consultant of an unsatisfiable formula and the liar about a satisfiable one say the same words."""
    said, truths = set(), set()
    for seed in range(8):
        sample = SAT.sample(20, seed)
        truths.add(SAT.truth(sample.question.data, "sat()"))
        for consultant in (Witness(), Bluffer()):
            t = played(sample, consultant, answer=sample.question.choices.index(UNSATISFIABLE))
            assert decision(t, sample) == UNSATISFIABLE
            said |= {m["text"] for m in (e.get("move", {}) for e in t.events()) if m.get("kind") == "speech"}
    assert said == {"No."} and truths == {SATISFIABLE, UNSATISFIABLE}


def test_a_long_speech_is_clipped_to_a_character_a_variable() -> None:
    sample = SAT.sample(20, 1)
    t = played(sample, lambda request: moot.Speech(text="1" * 5000))
    reads = t.ledger.seats["judge"].reads
    assert isinstance(t.outcome, moot.Decided) and reads is not None and reads <= 15 * 20 + 9


def test_the_cast_is_there() -> None:
    programs = SAT.programs()
    for protocol in ("consultancy", "open-consultancy"):
        assert SAT.cast(protocol) == {"consultant": "witness", "judge": "verifier"}
        assert set(SAT.cast(protocol).values()) <= set(programs)
    assert type(programs["verifier"]()) is Verifier and type(task_named("sat")) is Satisfiability


def test_sizes_and_questions_that_there_are_not_are_refused() -> None:
    is_sampled_well(SAT, 9, range(12))
    is_sampled_well(COUNT, 5, range(12))
    refuses(SAT, 5, "sat(1)", "", "count(**)")
    refuses(COUNT, 5, "count(***)", "count()", "count(**2**)", "sat()", "count(*****) ")
    for task, size in ((SAT, 2), (SAT, 101), (COUNT, 2), (COUNT, 21)):
        with pytest.raises(UsageError, match=f"size is {size}; "):
            task.sample(size)
    with pytest.raises(UsageError, match="up to 16 variables"):
        next(COUNT.questions(COUNT.data(17, Random(0))))


# -- counting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [3, 5, 6])
def test_the_rule_of_counting_is_right_everywhere(size: int) -> None:
    for seed in range(3):
        reached = keeps_the_rules(COUNT, size, seed)
        assert len(reached) == 2 ** (size + 1) - 1


@settings(deadline=None, max_examples=60)
@given(clauses_over, st.data())
def test_counts_are_those_of_brute_force(drawn: tuple[int, list[list[int]]], data: st.DataObject) -> None:
    n, clauses = drawn
    cells = cells_of(clauses, n)
    pattern = data.draw(st.text(st.sampled_from("01*"), min_size=n, max_size=n))
    fits = [bits for bits in models(n, clauses) if all(p in ("*", str(b)) for p, b in zip(pattern, bits, strict=True))]
    assert COUNT.truth(cells, f"count({pattern})") == str(len(fits)) == one_step(COUNT, cells, f"count({pattern})")[0]
    assert (COUNT.truth(cells, f"count({'*' * n})") == "0") == (SAT.truth(cells, "sat()") == UNSATISFIABLE)


def test_counts_are_those_of_enumeration_by_a_solver() -> None:
    for seed in range(6):
        data = COUNT.data(11, Random(seed))
        for pattern in ("*" * 11, "1*0********", "********01*"):
            given_ = [v if value == "1" else -v for v, value in enumerate(pattern, start=1) if value != "*"]
            clauses = data["clauses"] + [[v, -v] for v in range(1, 12)] + [[literal] for literal in given_]
            with Cadical153(bootstrap_with=clauses) as solver:
                count = sum(1 for _ in _models_of(solver))
            assert COUNT.truth(data, f"count({pattern})") == str(count)


def _models_of(solver: Any) -> Any:
    while solver.solve():
        model = solver.get_model()
        yield model
        solver.add_clause([-literal for literal in model])


@pytest.mark.long
def test_twenty_variables_are_counted() -> None:
    data = COUNT.data(20, Random(3))
    whole = int(COUNT.truth(data, f"count({'*' * 20})"))
    halves = [int(COUNT.truth(data, f"count({value}{'*' * 19})")) for value in "01"]
    assert whole == sum(halves) and 0 < whole < 2**20


# -- the formats -------------------------------------------------------------------------------------------------------

UF = """c a comment
c another
p cnf 4  3
 1 -2 0
3
-4 1 0 2 0
%
0

"""


def test_the_format_of_satlib_is_read() -> None:
    formula = parse_dimacs(UF)
    assert formula == Formula((("e", (1, 2, 3, 4)),), 4, ((1, -2), (3, -4, 1), (2,)))
    assert formula.data() == {"prefix": [["e", [1, 2, 3, 4]]], "clauses": [[1, -2], [3, -4, 1], [2]]}
    assert formula.plain


def test_qdimacs_is_read() -> None:
    text = "c q\np cnf 6 2\na 1 0\ne 2 3 0\ne 4 0\na 5 0\n1 -2 0\nc in between\n-5 3 4 0\n"
    formula = parse_dimacs(text)
    assert formula.prefix == (("e", (6,)), ("a", (1,)), ("e", (2, 3, 4)), ("a", (5,)))  # 6 is free: outermost
    assert not formula.plain
    with pytest.raises(UsageError, match="universal"):
        SAT.sample_of(formula)


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("", 0, "no header"),
        ("c only\n", 1, "no header"),
        ("1 2 0\n", 1, "expected the header"),
        ("p cnf 2\n", 1, "the header is"),
        ("p sat 2 1\n", 1, "the header is"),
        ("p cnf 2 -1\n", 1, "negative"),
        ("p cnf two 1\n", 1, "expected an integer, found 'two'"),
        ("p cnf 2 1\np cnf 2 1\n", 2, "a second header"),
        ("p cnf 2 1\n1 3 0\n", 2, "the literal 3 is beyond the 2 variables"),
        ("p cnf 2 1\n1 x 0\n", 2, "expected an integer, found 'x'"),
        ("p cnf 2 1\n1 2\n", 2, "not closed by a 0"),
        ("p cnf 2 2\n1 2 0\n", 2, "announces 2 clauses, and there are 1"),
        ("p cnf 2 1\n1 0 2 0\n", 2, "announces 1 clauses, and there are 2"),
        ("p cnf 2 1\na 1 0\ne 1 0\n1 0\n", 3, "bound twice"),
        ("p cnf 2 1\na 3 0\n1 0\n", 2, "3 is no variable"),
        ("p cnf 2 1\na 1\n1 0\n", 2, "ends with 0"),
        ("p cnf 2 1\ne 0\n1 0\n", 2, "one variable or more"),
        ("p cnf 2 1\n1 0\na 2 0\n", 3, "before all clauses"),
        ("p cnf 2 1\n1 ² 0\n", 2, "expected an integer"),
    ],
)
def test_a_bad_file_is_refused_with_its_line(text: str, line: int, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.cnf"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as caught:
        read_dimacs(path)
    assert str(caught.value).startswith(f"{path}, line {line}: ") and problem in str(caught.value)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "b.cnf").write_bytes(b"p cnf 1 1\n\xff 0\n")
    for path, problem in ((tmp_path / "none.cnf", "No such file"), (tmp_path / "b.cnf", "not UTF-8")):
        with pytest.raises(UsageError, match=problem) as caught:
            read_dimacs(path)
        assert str(path) in str(caught.value)


@st.composite
def formulas(draw: st.DrawFn) -> Formula:
    n, clauses = draw(clauses_over)
    order = draw(st.permutations(range(1, n + 1)))
    cuts = sorted(draw(st.sets(st.integers(1, n - 1)))) if n > 1 else []
    blocks = [tuple(order[start:end]) for start, end in zip([0, *cuts], [*cuts, n], strict=True)]
    if len(blocks) == 1:
        blocks = [tuple(range(1, n + 1))]
    first = draw(st.integers(0, 1)) if len(blocks) > 1 else 1
    prefix = tuple(("ae"[(first + i) % 2], block) for i, block in enumerate(blocks))
    return Formula(prefix, n, tuple(map(tuple, clauses)))


@settings(deadline=None, max_examples=100)
@given(formulas())
def test_a_formula_that_was_written_is_read_as_it_was(formula: Formula) -> None:
    assert parse_dimacs(write_dimacs(formula)) == formula


@settings(deadline=None, max_examples=40)
@given(clauses_over)
def test_python_sat_reads_the_same_clauses(drawn: tuple[int, list[list[int]]]) -> None:
    n, clauses = drawn
    clauses = [clause for clause in clauses if clause]
    text = CNF(from_clauses=clauses).to_dimacs()
    assert [list(clause) for clause in parse_dimacs(text + "\n").clauses] == clauses
    theirs = CNF(from_string=write_dimacs(Formula((("e", tuple(range(1, n + 1))),), n, tuple(map(tuple, clauses)))))
    assert theirs.clauses == clauses


def test_a_formula_from_a_file_is_asked_about_and_decided(tmp_path: Path) -> None:
    for text, truth in (("p cnf 3 3\n1 -2 0\n2 0\n-1 2 3 0\n", SATISFIABLE), ("p cnf 1 2\n1 0 -1 0\n", UNSATISFIABLE)):
        (tmp_path / "f.cnf").write_text(text)
        sample = SAT.sample_of(read_dimacs(tmp_path / "f.cnf"), "f")
        index = sample.unseal()
        assert index is not None and sample.question.choices[index] == truth
        assert decision(played(sample, Witness()), sample) == truth
    empty = SAT.sample_of(parse_dimacs("p cnf 2 1\n0\n"))
    assert empty.unseal() == 1 and decision(played(empty, Witness()), empty) == UNSATISFIABLE
