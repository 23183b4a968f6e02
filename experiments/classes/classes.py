"""Which protocol accesses which complexity class: the table of the theory, each row with a witness that runs.
Rule: rows and what checks them; witnesses are in the files of that name, what fails in `known_failures.py`.

A proposal accesses a class C when for every language in C there is a strategy for a polynomial-time judge such that
every model that is optimal for the training signal decides it (Hubinger 2020, Alignment proposals and complexity
classes). That is a lower bound in the limit of training; a witness is evidence for it on what it plays."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from moot.experiments.classes import amplification_witnesses as amplification
from moot.experiments.classes import argued_witnesses as argued
from moot.experiments.classes import debate_witnesses as debates
from moot.experiments.classes import exchange as below
from moot.experiments.classes import market_witnesses as markets
from moot.experiments.classes import oracle_witnesses as oracles
from moot.experiments.classes.evidence import Evidence, Failure
from moot.experiments.classes.known_failures import FAILURES

Witness = Callable[..., Evidence]
"""Called with the name of the protocol; with small=True it is on the smallest instances alone, and takes a blink."""


@dataclass(frozen=True)
class Row:
    """A line of the table. complexity_class: what is accessed. proposal: what the theory calls it. protocol, task: what is
    played. source: where the claim stands. witness: what checks it. P^O and NP^O are relative to an oracle, which judge and
    debaters may ask."""

    complexity_class: str
    proposal: str
    protocol: str
    task: str
    source: str
    witness: Witness


POST = "Hubinger 2020, Alignment proposals and complexity classes"
EXP = "Hubinger 2020, Weak HCH accesses EXP"
DEBATE = "Irving, Christiano and Amodei 2018"
CROSS = "Barnes and Christiano 2020, Writeup: Progress on AI Safety via Debate"
TREES = DEBATE + "; the form of dc-debates 2026"
CIRCUITS = "Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026, Debate is efficient with your time"
ORACLE = "Brown-Cohen, Irving and Piliouras 2023, Scalable AI safety via doubly-efficient debate"
MARKET = "Hubinger 2020, AI safety via market making"
BELOW = "derived here from " + POST + " (docs/debate/exchange.md)"

ROWS: tuple[Row, ...] = (
    Row("P", "the judge alone", "direct-qa", "expression", POST, argued.expression),
    Row("P", "debate that halves a sum", "bisection", "sum", DEBATE, debates.bisection),
    Row("P", "debate that walks down a circuit", "circuit-walk", "circuit-value", CIRCUITS, debates.walk),
    Row("P", "debate that points to a gate", "circuit-pointer", "circuit-value", CIRCUITS, debates.pointer),
    Row("NL", "debate that halves a walk", "reachability", "reach", DEBATE, debates.reach),
    Row("P^O", "doubly-efficient debate", "doubly-efficient", "oracle-chain", ORACLE, oracles.chain),
    Row("P^O", "doubly-efficient debate, no noise", "doubly-efficient-deterministic", "oracle-tally", ORACLE,
        oracles.tally),
    Row("NP^O", "doubly-efficient debate, no noise, a witness", "doubly-efficient-witness", "oracle-subset", ORACLE,
        oracles.subset),
    Row("NP", "consultancy", "consultancy", "sat", DEBATE, argued.consultancy),
    Row("NP", "market making without citation", "market-uncited", "sat", "Shah 2020, comment on " + MARKET, argued.uncited),
    Row("PSPACE", "debate", "qbf-debate", "tqbf", DEBATE, debates.tqbf),
    Row("PSPACE", "recursive debate", "recursive-debate", "tqbf", TREES, debates.recursive),
    Row("PSPACE", "debate", "geography", "geography", DEBATE, debates.geography),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "tableau", EXP, amplification.tableau),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "circuit", EXP, amplification.circuit),
    Row("EXP", "approval-based amplification", "approval", "tableau", EXP, amplification.approval),
    Row("EXP", "market making with citation", "market", "tableau", EXP, markets.tableau),
    Row("EXP", "debate settled below", "decomposition-debate", "circuit", BELOW, below.exchange),
    Row("NEXP", "debate with cross-examination", "cross-examination", "colouring", CROSS, debates.colouring),
    Row("R", "strong HCH", "amplify-strong", "halting", POST, amplification.halting),
    Row("R", "market making with pointers", "market-pointers", "halting", POST, markets.halting),
    Row("R", "debate settled below, with pointers", "decomposition-debate-pointers", "halting", BELOW,
        below.exchange_pointers),
)  # fmt: skip

UNCHECKED = (
    ("NP", "open consultancy, propaganda", DEBATE),
    ("S2P", "two consultants who do not hear each other", "Canetti 1996; Russell and Sundaram 1998"),
    ("Sigma2P", "an argument and a critique of it", "Stockmeyer 1976"),
    ("PSPACE", "debate, open and interactive debate, of rounds that grow with n", DEBATE),
    ("EXP", "recursive reward modeling", POST),
)
"""Claims of the theory, or of protocols, that have no witness here."""


@dataclass(frozen=True)
class Checked:
    """A row with what its witness found, and the seconds that it took."""

    row: Row
    evidence: Evidence
    seconds: float

    @property
    def holds(self) -> bool:
        """Whether the witness holds, something was seen to grow as claimed, and the protocol says that it decides, with the
        parameters that were played, the class of the row."""
        found = self.evidence
        return found.holds and found.growth is not None and found.decides == self.row.complexity_class

    def record(self) -> dict[str, Any]:
        """Everything as JSON values."""
        row, grown = self.row, self.evidence.growth
        return {
            **{field: getattr(row, field) for field in ("complexity_class", "proposal", "protocol", "task", "source")},
            **self.evidence.model_dump(),
            "growth": None if grown is None else {**grown.model_dump(), "found": grown.found, "told": str(grown)},
            "holds": self.holds,
            "seconds": round(self.seconds, 2),
        }


def check(rows: tuple[Row, ...] = ROWS) -> Iterator[Checked]:
    """Run the witness of each row."""
    for row in rows:
        begun = perf_counter()
        evidence = row.witness(row.protocol)
        yield Checked(row, evidence, perf_counter() - begun)


def failures() -> Iterator[Failure]:
    """Where the theory says that a protocol fails: the failing instance, played."""
    for show in FAILURES:
        yield show()
