"""Which protocol accesses which complexity class: the table of the theory, each row with a witness that runs.
Rule: rows and what checks them; witnesses are in the files of that name, what fails in `known_failures.py`.

A proposal accesses a class C when for every language in C there is a strategy for a polynomial-time judge such that
every model that is optimal for the training signal decides it (Hubinger 2020, Alignment proposals and complexity
classes). That is a lower bound in the limit of training; a witness is evidence for it on what it plays."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

from moot.experiments.classes.evidence import Evidence
from moot.experiments.classes.known_failures import FAILURES, Failure
from moot.experiments.classes.witnesses import WITNESSES


@dataclass(frozen=True)
class Row:
    """A line of the table. access: the class. proposal: what the theory calls it. protocol, task: what is played.
    source: where the claim stands. P^O and NP^O are relative to an oracle, which judge and debaters may ask."""

    complexity_class: str
    proposal: str
    protocol: str
    task: str
    source: str


POST = "Hubinger 2020, Alignment proposals and complexity classes"
EXP = "Hubinger 2020, Weak HCH accesses EXP"
DEBATE = "Irving, Christiano and Amodei 2018"
CROSS = "Barnes and Christiano 2020, Writeup: Progress on AI Safety via Debate"
TREES = DEBATE + "; the form of dc-debates 2026"
CIRCUITS = "Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026, Debate is efficient with your time"
ORACLE = "Brown-Cohen, Irving and Piliouras 2023, Scalable AI safety via doubly-efficient debate"
MARKET = "Hubinger 2020, AI safety via market making"

ROWS: tuple[Row, ...] = (
    Row("P", "the judge alone", "direct-qa", "expression", POST),
    Row("P", "debate that walks down a circuit", "circuit-walk", "circuit-value", CIRCUITS),
    Row("P", "debate that points to a gate", "circuit-pointer", "circuit-value", CIRCUITS),
    Row("P^O", "doubly-efficient debate", "doubly-efficient", "oracle-chain", ORACLE),
    Row("P^O", "doubly-efficient debate, no noise", "doubly-efficient-deterministic", "oracle-tally", ORACLE),
    Row("NP^O", "doubly-efficient debate, no noise, a witness", "doubly-efficient-witness", "oracle-subset", ORACLE),
    Row("NP", "consultancy", "consultancy", "sat", DEBATE),
    Row("NP", "market making without citation", "market-uncited", "sum", "Shah 2020, comment on " + MARKET),
    Row("PSPACE", "debate", "qbf-debate", "tqbf", DEBATE),
    Row("PSPACE", "recursive debate", "recursive-debate", "tqbf", TREES),
    Row("PSPACE", "debate", "reachability", "reach", DEBATE),
    Row("PSPACE", "debate", "geography", "geography", DEBATE),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "tableau", EXP),
    Row("EXP", "weak HCH (imitative amplification)", "amplify", "circuit", EXP),
    Row("EXP", "approval-based amplification", "approval", "tableau", EXP),
    Row("EXP", "market making with citation", "market", "tableau", EXP),
    Row("NEXP", "debate with cross-examination", "cross-examination", "colouring", CROSS),
    Row("R", "strong HCH", "amplify-strong", "halting", POST),
    Row("R", "market making with pointers", "market-pointers", "halting", POST),
)

UNCHECKED = (("EXP", "recursive reward modeling", POST),)
"""Rows of the theory that have no witness here."""


@dataclass(frozen=True)
class Checked:
    """A row with what its witness found, and the seconds that it took."""

    row: Row
    evidence: Evidence
    seconds: float


def check(rows: tuple[Row, ...] = ROWS) -> Iterator[Checked]:
    """Run the witness of each row."""
    for row in rows:
        begun = time.perf_counter()
        evidence = WITNESSES[row.protocol, row.task](row.protocol)
        yield Checked(row, evidence, time.perf_counter() - begun)


def failures() -> Iterator[Failure]:
    """Where the theory says that a protocol fails: the failing instance, played."""
    for show in FAILURES:
        yield show()
