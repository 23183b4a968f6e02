"""How many bits a judge must read: debates about growing circuits, measured against the bounds of their theorems.
Rule: families of circuits and the bits read; circuits and debates are defined in `protocols/games`.

Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026, Debate is efficient with your time (2602.08630)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from random import Random
from typing import Any

from moot.experiments.statistics.report import Report, Row
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.request import Request
from moot.protocols.games.boolean_circuit import Circuit, circuit_of, normal_form
from moot.protocols.games.circuit_debate import CircuitGame, CircuitPointer, CircuitWalk, Descend
from moot.tasks.circuits.circuit_value import CircuitValue, Drawing
from moot.tasks.circuits.files import parse_bench
from moot.tasks.circuits.netlist import Netlist

C17 = (
    "INPUT(1)\nINPUT(2)\nINPUT(3)\nINPUT(6)\nINPUT(7)\nOUTPUT(22)\nOUTPUT(23)\n10 = NAND(1, 3)\n11 = NAND(3, 6)\n"
    "16 = NAND(2, 11)\n19 = NAND(11, 7)\n22 = NAND(10, 16)\n23 = NAND(16, 19)\n"
)
"""The smallest of the ISCAS 1985 benchmarks, in the BENCH format."""


def tree(kind: str, count: int) -> Circuit:
    """A balanced tree of gates over `count` inputs: of XOR, whether an odd number of them is 1; of AND, whether all are."""
    inputs = tuple(f"x{i}" for i in range(count))
    return Netlist(inputs, {"f": "f"}, {"f": (kind, *inputs)}).circuit()


def majority(count: int) -> Circuit:
    """Whether more than half of `count` inputs are 1: by all the sums "at least j of the first i"."""
    inputs = tuple(f"x{i}" for i in range(count))
    need = count // 2 + 1
    gates: dict[str, tuple[str, ...]] = {}
    before: dict[int, str] = {}
    for i, bit in enumerate(inputs):
        for j in range(1, min(i + 1, need) + 1):
            if j > 1:
                gates[f"with{i}.{j}"] = ("AND", before[j - 1], bit)
            options = [before[j]] if j in before else []
            gates[f"least{i}.{j}"] = ("OR", *options, bit if j == 1 else f"with{i}.{j}")
        before = {j: f"least{i}.{j}" for j in range(1, min(i + 1, need) + 1)}
    return Netlist(inputs, {"f": before[need]}, gates).circuit()


def adder(width: int) -> Circuit:
    """The carry out of the sum of two numbers of `width` bits: a ripple of full adders."""
    inputs = tuple(f"{name}{i}" for i in range(width) for name in "ab")
    gates: dict[str, tuple[str, ...]] = {"c0": ("AND", "a0", "b0")}
    for i in range(1, width):
        gates[f"p{i}"] = ("XOR", f"a{i}", f"b{i}")
        gates[f"g{i}"] = ("AND", f"a{i}", f"b{i}")
        gates[f"t{i}"] = ("AND", f"p{i}", f"c{i - 1}")
        gates[f"c{i}"] = ("OR", f"g{i}", f"t{i}")
    return Netlist(inputs, {"f": f"c{width - 1}"}, gates).circuit()


def c17(output: str) -> Circuit:
    """One output of the benchmark, "22" or "23"."""
    return parse_bench(C17, "c17").circuit(output)


def drawn(depth: int) -> Circuit:
    """A random circuit of the task circuit-value."""
    return circuit_of(CircuitValue().data(depth, Random(f"query complexity/{depth}"))["circuit"])


FAMILIES: dict[str, tuple[Callable[[Any], Circuit], tuple[int | str, ...]]] = {
    "conjunction": (partial(tree, "AND"), (2, 4, 8, 16, 64)),
    "parity": (partial(tree, "XOR"), (2, 4, 8, 16, 64)),
    "majority": (majority, (3, 5, 7, 9)),
    "adder carry": (adder, (2, 4, 8, 16)),
    "c17": (c17, ("22", "23")),
    "random": (drawn, (3, 5, 7, 9)),
}
"""Families of circuits, each with the sizes that are measured by default."""


def relevant(circuit: Circuit) -> int:
    """How many inputs are seen to change the circuit's value, alone, on some input.
    Up to 10 inputs all are tried, and the number is exact. Beyond that only ones followed by zeros or by either
    alternation of the two are, and there may be more such inputs."""
    count = circuit.inputs
    tails = product(range(count + 1), ((0, 0), (0, 1), (1, 0)))
    some = ((1,) * ones + tuple(tail[i % 2] for i in range(count - ones)) for ones, tail in tails)
    tried: set[tuple[int, ...]] = set(product((0, 1), repeat=count) if count <= 10 else some)
    values = {bits: circuit.value(bits) for bits in tried}

    def changes(bits: tuple[int, ...], i: int) -> bool:
        turned = (*bits[:i], 1 - bits[i], *bits[i + 1 :])
        return (values[turned] if turned in values else circuit.value(turned)) != values[bits]

    return sum(any(changes(bits, i) for bits in tried) for i in range(count))


def least_bits(inputs: int) -> int:
    """⌈log2(inputs + 1)⌉: what a judge must read at least, for a function that depends on so many bits of its input.

    A judge that reads at most k bits, each chosen in the light of those before, is a decision tree with at most 2^k − 1
    inner nodes, and so looks at no more places in all its plays. A bit of the input at which it never looks cannot
    change who wins, and the value of the debate does not depend on it."""
    return inputs.bit_length()


def reproduce(
    families: Mapping[str, Sequence[Any]] | None = None, inputs: int = 16, draws: int = 4, seed: int = 0
) -> Report:
    """Both debates about each circuit of some families (None: all of `FAMILIES`), their judge held to the exact bound.

    inputs: on how many inputs at most; all of them where they are as few, else drawn ones. On each the debates are played
    by two honest players, by a liar against an honest one (these count as right or wrong), by two that take the longest
    walk, and `draws` times by two that move at random. UsageError on an unknown family, and on numbers below 1."""
    if inputs < 1 or draws < 0:
        raise UsageError(f"inputs is {inputs} and draws is {draws}; give at least 1 input, and 0 draws or more")
    chosen = {name: sizes for name, (_, sizes) in FAMILIES.items()} if families is None else families
    if unknown := next((name for name in chosen if name not in FAMILIES), None):
        raise UsageError(f"no family of circuits is called {unknown!r}; there are {', '.join(FAMILIES)}")
    rows: list[Row] = []
    for name, sizes in chosen.items():
        for size in sizes:
            rows += _rows(f"{name} {size}", FAMILIES[name][0](size), inputs, draws, seed)
    return Report(
        title="Bits that the judge of a debate about a circuit reads", rows=tuple(rows),
        source="Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026, arXiv 2602.08630",
        settings={"inputs": inputs, "draws": draws, "seed": seed}, notes=(
            "measured: the most bits, of the transcript and the input, that the judge read in any play. published: the "
            "theorem's bound, depth + 1 for the walk and ⌈log2 size⌉ + 3 for the pointer. The judge's budget is this "
            "bound; reading past it would end a play undecided.",
            "depth counts AND and OR gates of two inputs, a XOR twice and a NOT never; size counts all gates.",
            "of: plays that were decided. right: verdicts equal to the circuit's value, of plays with an honest player on "
            "the true side. holds: no bit beyond the bound, and every such verdict right.",
            "least: a judge of any debate about a function that depends on k bits of its input reads ⌈log2(k + 1)⌉ bits or "
            "more in some play, as a decision tree of less depth does not look at all of them. It is the Ω(log n) for functions "
            "of all n inputs, with this constant; k is how many inputs were seen to matter.",
        ),
    )  # fmt: skip


def _rows(name: str, circuit: Circuit, inputs: int, draws: int, seed: int) -> Iterator[Row]:
    matter = relevant(circuit)
    games: tuple[CircuitGame, ...] = (CircuitWalk(), CircuitPointer())
    for protocol in games:
        most, undecided, decided, right, judged = 0, 0, 0, 0, 0
        for bits in _inputs(circuit, inputs, seed):
            for play in range(draws + 3):
                kind = ("honest", "liar", "longest")[play] if play < 3 else "random"
                reads, verdict = _played(protocol, circuit, bits, kind, seed + play)
                if verdict is None:
                    undecided += 1
                    continue
                decided, most = decided + 1, max(most, reads)
                if play < 2:
                    judged, right = judged + 1, right + verdict
        bound = protocol.most_bits(circuit)
        yield Row(
            name=f"{name}: {protocol.name.removeprefix('circuit-')}", measured=most, published=bound, count=decided,
            undecided=undecided, holds=most <= bound and right == judged and not undecided,
            note=f"right {right} of {judged}; {circuit.inputs} inputs, {circuit.size} gates; least {least_bits(matter)}",
        )  # fmt: skip


def _inputs(circuit: Circuit, most: int, seed: int) -> list[tuple[int, ...]]:
    if circuit.inputs < 20 and 2**circuit.inputs <= most:
        return list(product((0, 1), repeat=circuit.inputs))
    random = Random(f"{seed}/{circuit.inputs}")
    return [tuple(random.randrange(2) for _ in range(circuit.inputs)) for _ in range(most)]


class _Longest(Drawing):
    """Walks to the deeper child, and points or writes at random."""

    def act(self, request: Request) -> Move:
        if Descend not in request.kinds:
            return super().act(request)
        data: Any = request.view.question.data
        form = normal_form(circuit_of(data["circuit"]))
        _, first, second = form.nodes[request.brief["details"]["node"]]
        return Descend(which="first" if form.depths[first] >= form.depths[second] else "second")


def _played(game: CircuitGame, circuit: Circuit, bits: Sequence[int], kind: str, seed: int) -> tuple[int, bool | None]:
    """The bits that the judge read in one play, and whether its verdict is right; None when the play was not decided."""
    task = CircuitValue()
    sample = task.sample_of(circuit, bits, game.name)
    programs, truth = task.programs(), sample.unseal()
    players = {"random": Drawing, "longest": _Longest}
    seats: dict[str, Any] = {seat: players.get(kind, programs["honest"])() for seat in "ab"}
    if kind == "liar":
        seats["ba"[truth or 0]] = programs["liar"]()
    seats["judge"] = Bounded(programs["bit-judge"](), reads=str(game.most_bits(circuit)))
    transcript = run(game, sample, seats, seed=seed)
    outcome, reads = transcript.outcome, transcript.ledger.seats["judge"].reads
    if not isinstance(outcome, Decided) or reads is None:
        return 0, None
    return reads, outcome.verdict.choice == truth
