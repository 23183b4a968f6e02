"""Circuits from files: BENCH and AIGER read, what they mean, and what is wrong with those that are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

import pytest
from cli_calls import refused, said
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.experiments.reproductions.query_complexity import C17
from moot.protocols.games.boolean_circuit import circuit_of, normal_form
from moot.tasks.circuits.files import parse_aiger, parse_bench, read_netlist
from moot.tasks.circuits.netlist import WIDE, Netlist

HALF_ADDER = """\
aag 7 2 0 2 3
2
4
6
12
6 13 15
12 2 4
14 3 5
i0 x
i1 y
o0 s
o1 c
c
half adder
"""
"""The half adder in ASCII: the sum first, then the carry."""
PACKED = b"aig 5 2 0 2 3\n10\n6\n\x02\x02\x03\x02\x01\x02i0 x\ni1 y\no0 s\no1 c\nc\nhalf adder\n"
"""The same in binary: gate 6 is 4 and 2, gate 8 is 5 and 3, gate 10 is 9 and 7."""


def table(netlist: Netlist, output: str | None = None) -> list[int]:
    circuit = netlist.circuit(output)
    return [circuit.value(bits) for bits in product((0, 1), repeat=circuit.inputs)]


# -- BENCH ----------------------------------------------------------------------------------------------------------


def test_c17() -> None:
    netlist = parse_bench(C17)
    assert netlist.inputs == ("1", "2", "3", "6", "7") and list(netlist.outputs) == ["22", "23"]
    circuit = netlist.circuit("22")
    assert (circuit.inputs, circuit.size) == (5, 4)
    for bits in product((0, 1), repeat=5):
        one, two, three, six, seven = bits
        ten, eleven = not (one and three), not (three and six)
        sixteen, nineteen = not (two and eleven), not (eleven and seven)
        assert circuit.value(bits) == (not (ten and sixteen))
        assert netlist.circuit("23").value(bits) == (not (sixteen and nineteen))


def test_bench_as_people_write_it() -> None:
    netlist = parse_bench(
        "# a comment\r\n\r\noutput( f )  # the only one\nf = nand(g[0], b , a)\ng[0]=Not( a )\nINPUT(a)\nInput (b)\n"
    )
    assert netlist.inputs == ("a", "b") and table(netlist) == [1, 1, 1, 1]
    assert table(parse_bench("INPUT(a)\nOUTPUT(a)")) == [0, 1]
    assert table(parse_bench("OUTPUT(f)\nINPUT(a)\nf = OR(a, g)\ng = vdd")) == [1, 1]
    assert table(parse_bench("OUTPUT(f)\nINPUT(a)\nf = XOR(a, g)\ng = gnd")) == [0, 1]
    assert table(parse_bench("INPUT(a)\nOUTPUT(f)\nf = BUFF(g)\ng = INV(a)")) == [1, 0]


@pytest.mark.parametrize("kind", WIDE)
@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 8])
def test_wide_gates_become_trees(kind: str, width: int) -> None:
    names = [f"x{i}" for i in range(width)]
    text = "".join(f"INPUT({name})\n" for name in names) + f"OUTPUT(f)\nf = {kind}({', '.join(names)})\n"
    circuit = parse_bench(text).circuit()
    assert circuit.size == max(1, width - 1)
    plain: Callable[[Any], Any] = {"AND": all, "OR": any, "XOR": lambda bits: sum(bits) % 2 == 1}[WIDE[kind]]
    for bits in product((0, 1), repeat=width):
        assert circuit.value(bits) == (plain(bits) != (kind in ("NAND", "NOR", "XNOR")))
    assert normal_form(circuit).depth == (width - 1).bit_length() * (2 if "X" in kind else 1)


def test_a_circuit_holds_what_its_output_depends_on() -> None:
    netlist = parse_bench(C17 + "OUTPUT(10)\n")
    assert netlist.circuit("10").data() == {"inputs": 5, "gates": [["NAND", 0, 2]], "output": 5}
    with pytest.raises(moot.UsageError, match="which output\\? name one of 22, 23, 10"):
        netlist.circuit()
    with pytest.raises(moot.UsageError, match="no output is called '11'; there are 22, 23, 10"):
        netlist.circuit("11")


def test_a_long_chain_needs_no_deep_stack() -> None:
    lines = ["INPUT(g0)", "OUTPUT(g5000)", *(f"g{i} = NOT(g{i - 1})" for i in range(5000, 0, -1))]
    assert table(parse_bench("\n".join(lines))) == [0, 1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("INPUT(a)\nOUTPUT(q)\nq = DFF(a)", "c.bench, line 3: DFF keeps a state; only combinational circuits"),
        ("INPUT(a)\nOUTPUT(f)\nf = MAJ(a, a, a)", "line 3: 'MAJ' is no gate; there are AND, OR, XOR"),
        ("INPUT(a)\nOUTPUT(f)\nf = AND(a, )", "line 3: AND(a, ): expected the names of signals"),
        ("INPUT(a)\nOUTPUT(f)\nf = AND()", "line 3: AND(): expected the names"),
        ("INPUT(a)\nOUTPUT(f)\nf = NOT(a, a)", "line 3: NOT takes one signal, not 2"),
        ("INPUT(a)\nINPUT(a)\nOUTPUT(a)", "line 2: signal 'a' is defined already, in line 1"),
        ("INPUT(a)\nOUTPUT(a)\na = NOT(a)", "line 3: signal 'a' is defined already, in line 1"),
        ("INPUT(a)\nOUTPUT(f)\n\nf = AND(a, b)", "line 4: signal 'b' is used and nowhere defined"),
        ("INPUT(a)\nOUTPUT(f)", "line 2: output 'f' is nowhere defined"),
        ("INPUT(a)\nOUTPUT(a)\nOUTPUT(a)", "line 3: output 'a' is named twice"),
        ("INPUT(a)", "there is no OUTPUT"),
        ("", "there is no OUTPUT"),
        ("OUTPUT(f)\nf = NOT(g)\ng = BUF(h)\nh = NOT(f)", "signal 'f' depends on itself, through f <- g <- h <- f"),
        ("OUTPUT(f)\nf = OR(f, f)", "line 2: signal 'f' depends on itself, through f <- f"),
        ("INPUT(a) OUTPUT(b)", "line 1: expected INPUT(a), OUTPUT(f) or f = NAND(a, b), found 'INPUT(a) OUTPUT(b)'"),
        ("INPUT(a)\nOUTPUT(f)\nf = LUT 0x8 (a)", "line 3: expected INPUT(a)"),
    ],
)
def test_what_is_wrong_with_bench_is_told(text: str, says: str) -> None:
    with pytest.raises(moot.UsageError) as caught:
        parse_bench(text, "c.bench")
    assert says in str(caught.value) and str(caught.value).startswith("c.bench")


# -- AIGER ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [HALF_ADDER.encode(), PACKED, HALF_ADDER.replace("\n", "\r\n").encode()])
def test_the_half_adder(content: bytes) -> None:
    netlist = parse_aiger(content)
    assert netlist.inputs == ("2", "4") and list(netlist.outputs) == ["s", "c"]
    assert table(netlist, "s") == [0, 1, 1, 0] and table(netlist, "c") == [0, 0, 0, 1]


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("aag 0 0 0 1 0\n0\n", [0]),
        ("aag 0 0 0 1 0\n1\n", [1]),
        ("aag 1 1 0 1 0\n2\n2\n", [0, 1]),
        ("aag 1 1 0 1 0\n2\n3\n", [1, 0]),
        ("aag 3 2 0 1 1\n2\n4\n6\n6 2 4\n", [0, 0, 0, 1]),
        ("aag 3 2 0 1 1\n2\n4\n7\n6 3 5\n", [0, 1, 1, 1]),
        ("aag 3 2 0 1 1 0 0 0 0\n2\n4\n6\n6 2 1", [0, 0, 1, 1]),
        ("aag 9 1 0 1 2\n18\n4\n4 6 18\n6 19 19\n", [0, 0]),
        ("aig 3 2 0 1 1\n6\n\x02\x02c\n", [0, 0, 0, 1]),
    ],
)
def test_small_aiger(text: str, truth: list[int]) -> None:
    netlist = parse_aiger(text.encode("latin-1"))
    assert list(netlist.outputs) == ["o0"] and table(netlist) == truth


def test_outputs_with_one_name_are_called_by_their_place() -> None:
    netlist = parse_aiger(b"aag 1 1 0 2 0\n2\n2\n3\no0 f\no1 f\n")
    assert list(netlist.outputs) == ["o0", "o1"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"aag 1 0 1 0 0\n2 3\n", "line 1: 1 latches keep a state; only combinational circuits have values"),
        (b"aig 2 1 1 1 0\n3\n2\n", "line 1: 1 latches keep a state"),
        (b"aag 1 1 0 1 0 1\n2\n2\n2\n", "line 1: the properties B, C, J and F of AIGER 1.9"),
        (b"aag 1 1 0\n", "line 1: the header is 'aag M I L O A'"),
        (b"aag 1 1 0 1 x\n", "line 1: expected a number, found 'x'"),
        (b"aag 1 1 0 1 -1\n", "line 1: expected a number, found '-1'"),
        (b"aag 1 1 0 1 1\n", "line 1: the header announces 1 inputs and 1 gates, and 1 variables"),
        (b"aig 3 1 0 1 1\n4\n\x02\x00", "line 1: the header announces 1 inputs and 1 gates, and 3 variables"),
        (b"aag 1 1 0 0 0\n2\n", "line 1: there is no output"),
        (b"aig 9999999999 9999999999 0 1 0\n2\n", "line 1: 9999999999 inputs are more than are read here, 1000000"),
        (b"aag 1 1 0 1 0\n3\n2\n", "line 2: 3 defines no variable"),
        (b"aag 1 1 0 1 0\n2\n4\n", "line 3: the literal 4 is beyond the 1 variables"),
        (b"aag 2 2 0 1 0\n2\n2\n2\n", "line 3: variable 2 is defined already, in line 2"),
        (b"aag 1 1 0 1 0\n2 4\n2\n", "line 2: an input is 1 literal in a line"),
        (b"aag 2 1 0 1 1\n2\n4\n4 2\n", "line 4: an AND gate is 3 literals in a line, not '4 2'"),
        (b"aag 2 1 0 1 1\n2\n4\n", "line 4: the file ends here"),
        (b"aag 2 1 0 1 1\n2\n4\n4 4 2\n", "line 4: signal '4' depends on itself"),
        (b"aag 3 1 0 1 1\n2\n4\n4 6 2\n", "line 4: signal '6' is used and nowhere defined"),
        (b"aag 2 1 0 1 0\n2\n4\n", "signal '4' is used and nowhere defined"),
        (b"aag 1 1 0 1 0\n2\n2\nx0 a\n", "line 4: expected a symbol"),
        (b"aag 1 1 0 1 0\n2\n2\ni1 a\n", "line 4: the symbol of i1 is of no input or output"),
        (b"aag 1 1 0 1 0\n2\n2\ni0 a\ni0 b\n", "line 5: i0 has a symbol already, 'a'"),
        (b"aig 2 1 0 1 1\n4\n\x82", "byte 17: the binary gates end in the middle of a number"),
        (b"aig 2 1 0 1 1\n4\n\x00\x00", "byte 18: gate 4 takes the literals 4 and 4; they must fall"),
        (b"aig 2 1 0 1 1\n4\n\x02\x03", "gate 4 takes the literals 2 and -1; they must fall"),
        (b"aig 2 1 0 1 1\n4\n\xff\xff\xff\xff\xff\xff\x01", "in the middle of a number"),
    ],
)
def test_what_is_wrong_with_aiger_is_told(content: bytes, says: str) -> None:
    with pytest.raises(moot.UsageError) as caught:
        parse_aiger(content, "f.aag")
    assert says in str(caught.value) and str(caught.value).startswith("f.aag")


def packed(number: int) -> bytes:
    return bytes([number & 127 | 128]) + packed(number >> 7) if number > 127 else bytes([number])


@pytest.mark.parametrize("seed", range(5))
def test_both_forms_of_one_graph_are_one_circuit(seed: int) -> None:
    """Random graphs, written both ways here, with gates enough for differences of two bytes."""
    random = Random(seed)
    inputs, ands = 4, 150
    gates = []
    for index in range(ands):
        left = 2 * (inputs + index + 1)
        taken = sorted((random.randrange(left) for _ in range(2)), reverse=True)
        gates.append((left, *taken))
    output = 2 * (inputs + ands) + 1
    head = f"{inputs + ands} {inputs} 0 1 {ands}\n"
    text = f"aag {head}" + "".join(f"{2 * i + 2}\n" for i in range(inputs)) + f"{output}\n"
    random.shuffle(shuffled := list(gates))
    text += "".join(f"{left} {first} {second}\n" for left, first, second in shuffled)
    binary = f"aig {head}{output}\n".encode()
    binary += b"".join(packed(left - first) + packed(first - second) for left, first, second in gates)
    values = {0: 0, 1: 1}
    for bits in product((0, 1), repeat=inputs):
        for i, bit in enumerate(bits):
            values[2 * i + 2], values[2 * i + 3] = bit, 1 - bit
        for left, first, second in gates:
            values[left] = values[first] & values[second]
            values[left + 1] = 1 - values[left]
        for content in (text.encode(), binary):
            assert parse_aiger(content).circuit().value(bits) == values[output]


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=40), st.integers(0, 200), st.booleans())
def test_spoilt_files_are_read_or_refused(noise: bytes, place: int, binary: bool) -> None:
    whole = PACKED if binary else HALF_ADDER.encode()
    spoilt = whole[:place] + noise + whole[place + len(noise) :]
    try:
        netlist = parse_aiger(spoilt, "f")
    except moot.UsageError as error:
        assert str(error).startswith("f")
    else:
        assert all(netlist.circuit(name).inputs == len(netlist.inputs) for name in netlist.outputs)
    try:
        parse_bench(C17[:place] + noise.decode("latin-1") + C17[place:], "f")
    except moot.UsageError as error:
        assert str(error).startswith("f")


# -- files and the command line -------------------------------------------------------------------------------------


def test_files_are_told_apart(tmp_path: Path) -> None:
    for name, content, outputs in (
        ("a", HALF_ADDER.encode(), ["s", "c"]), ("b", PACKED, ["s", "c"]), ("c", C17.encode(), ["22", "23"]),
        ("d", b"aag = NOT(aig)\nINPUT(aig)\nOUTPUT(aag)\n", ["aag"]),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(content)
        assert list(read_netlist(tmp_path / name).outputs) == outputs
    (tmp_path / "e").write_bytes(b"\x80\x81")
    with pytest.raises(moot.UsageError, match="neither AIGER nor text \\(byte 0\\)"):
        read_netlist(tmp_path / "e")
    with pytest.raises(moot.UsageError, match="cannot read .*none: No such file"):
        read_netlist(tmp_path / "none")
    with pytest.raises(moot.UsageError, match="cannot read"):
        read_netlist(tmp_path)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "c17.bench").write_text(C17)
    (tmp_path / "half.aig").write_bytes(PACKED)
    return tmp_path


RUN = ("run", "--task", "circuit-value", "--protocol")


@pytest.mark.parametrize("protocol, budget, reads", [("circuit-walk", 4, 3), ("circuit-pointer", 6, 5)])
def test_a_debate_about_a_file(here: Path, protocol: str, budget: int, reads: int) -> None:
    said(*RUN, protocol, "--data", "c17.bench", "-q", "22(10110)", "-o", "d.jsonl", "--json")
    transcript = moot.load(here / "d.jsonl")
    data: Any = transcript.question.data
    assert transcript.question.size == 3 and data["input"] == [1, 0, 1, 1, 0]
    assert circuit_of(data["circuit"]) == parse_bench(C17).circuit("22")
    assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.choice == 0
    assert (transcript.guarantee.used, transcript.guarantee.budget) == (reads, budget) and transcript.guarantee.holds


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (
            ("--data", "c17.bench"),
            "which output, on which input? write it as OUTPUT(BITS), one bit for each of 5 inputs",
        ),
        (("--data", "c17.bench", "-q", "22(101)"), "c17.bench has 5 inputs, and '101' has 3 bits"),
        (("--data", "c17.bench", "-q", "(10110)"), "which output? name one of 22, 23"),
        (("--data", "half.aig", "-q", "the sum (10)"), "no output is called 'the sum'; there are s, c"),
        (("--data", "none.bench", "-q", "f(1)"), "cannot read none.bench"),
        (("-q", "22(10110)"), "--question and --task exclude each other"),
        (("--data", "c17.bench", "--size", "3"), "--size and --task exclude each other with --data"),
        (("--data", "c17.bench", "--limit", "3"), "--limit and --task exclude each other with --data"),
    ],
)
def test_what_is_wrong_with_a_debate_about_a_file_is_told(here: Path, words: tuple[str, ...], says: str) -> None:
    assert says in refused(*RUN, "circuit-walk", *words)


def test_a_task_that_reads_no_files_says_so(here: Path) -> None:
    assert "task tableau reads no files" in refused("run", "--task", "tableau", "-P", "amplify", "--data", "c17.bench")
    assert "not by qbf-debate" in refused(*RUN, "qbf-debate", "--data", "half.aig", "-q", "s(10)")


def test_formulas_are_read_from_files_too(here: Path) -> None:
    (here / "f.cnf").write_text("p cnf 2 2\n1 2 0\n-1 0\n")
    said("run", "--task", "tqbf", "-P", "qbf-debate", "--data", "f.cnf", "-o", "q.jsonl")
    said("run", "--task", "sat", "-P", "consultancy", "--data", "f.cnf", "-o", "s.jsonl")
    for name, answer in (("q", "true"), ("s", "satisfiable")):
        transcript = moot.load(here / f"{name}.jsonl")
        assert isinstance(transcript.outcome, moot.Decided) and transcript.outcome.verdict.choice is not None
        assert transcript.question.choices[transcript.outcome.verdict.choice] == answer and transcript.guarantee.holds
    assert "leave out 'why?'" in refused("run", "--task", "tqbf", "-P", "qbf-debate", "--data", "f.cnf", "-q", "why?")
    assert "leave out 'why?'" in refused("run", "--task", "sat", "-P", "consultancy", "--data", "f.cnf", "-q", "why?")


def test_the_data_of_a_circuit_is_json() -> None:
    circuit = parse_bench(C17).circuit("22")
    assert circuit_of(json.loads(json.dumps(circuit.data()))) == circuit
