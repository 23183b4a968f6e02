"""Doubly-efficient debate, measured: samples, queries, win rates against strategies, and what honest debaters leak.
Rule: this paper's figures, and the leak in them; the protocol and its constants are in `protocols/games`.

Brown-Cohen, Irving and Piliouras 2023 (arXiv 2311.14125), with the constants of its machine-checked proof. The leak is
that of Holland et al. 2026, When honesty is not enough: a debater who bends its estimates by less than anybody tests
for sends a message in the coins, and loses nothing by it."""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random
from typing import Any

from moot.complexity.estimates import wilson
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.games.computations import Computation, computation_named
from moot.protocols.games.doubly_efficient import Constants, DoublyEfficientDebate, Probability, constants
from moot.tasks.arithmetic.binomial import distribution, near
from moot.tasks.oracle.computations import after, chance
from moot.tasks.oracle.noisy_oracle import Aborting, Honest, Shifting, Vera

SAMPLES = {(1, 0): (26492, 11775, 105967), (1, 9): (38005, 16891, 105967), (1, 99): (49518, 22008, 105967),
           (2, 9): (152019, 67564, 423866), (5, 99): (1237936, 550194, 2649159)}  # fmt: skip
"""From (K, t) to the samples of Alice, Bob and the judge for one query, a computation having t + 1 queries."""
LAST = 9
SHIFTS = tuple(step / 2000 for step in range(-140, 141))


def reproduce(plays: int = 4000, seed: int = 0) -> Report:
    """The report. plays: of each win rate; those of long computations are fewer. UsageError unless plays is at least 1."""
    if plays < 1:
        raise UsageError(f"doubly-efficient: {plays} plays; give at least 1")
    rows = [*_samples(), *_rates(plays, seed), *_best(), *_leaks(plays, seed)]
    return Report(
        title="Doubly-efficient debate with a stochastic oracle", rows=tuple(rows),
        source="Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125",
        settings={"plays": plays, "seed": seed, "K": 1, "t": LAST}, notes=(
            "Published: the constants and the bounds of the machine-checked theorems (win probability 3/5).",
            "The computation is a chain of t + 1 bits, the last of which is 1 with probability 2/3 or 1/3.",
            "A message is one bit, sent by moving every estimate but the last up or down by delta; it is read off the sum of "
            "the coins by somebody who knows the oracle, or off the sum of the estimates. Psi is delta^2 T.",
        ),
    )  # fmt: skip


def bounds(K: float, t: int) -> tuple[float, float, float]:
    """What the theorems alice_fast, bob_fast and vera_fast allow for a whole play of t + 1 queries, in expectation."""
    log = math.log(200 * (t + 1))
    return (t + 1) * (5000 * K * K * log + 1), (t + 1) * (20000 / 9 * K * K * log + 1), 106000 * K * K + 1


def chained(last: str, steps: int = LAST + 1, others: str = "1/2") -> Question:
    """The question about a chain whose last bit has this probability, with Alice in seat a."""
    oracle = {f"bit({step})": others for step in range(steps - 1)} | {f"bit({steps - 1})": last}
    data: dict[str, Any] = {"computation": "chain", "input": {"n": steps}, "oracle": oracle}
    return Question("likely()", ("yes", "no"), data=data, size=steps, unit="cells")


@dataclass
class Played:
    """What many plays came to. queries: the most of any play, by seat. challenged: how many went to the judge. said, ones:
    by play, the sum of all estimates but the last, and of their coins."""

    plays: int
    alice: int
    challenged: int
    undecided: int
    queries: dict[str, int]
    said: list[float]
    ones: list[int]

    @property
    def decided(self) -> int:
        return self.plays - self.undecided


class _Tally:
    """Counts what a game records of charges and coins."""

    def __init__(self) -> None:
        self.queries, self.coins = {"a": 0, "b": 0, "judge": 0}, list[int]()

    def event(self, name: str, fields: Mapping[str, Any], meta: Mapping[str, Any] | None = None) -> None:
        if name == "charged":
            self.queries[fields["seat"]] += fields["amount"]
        elif name == "flipped":
            self.coins.append(int(fields["value"]))

    def moved(
        self, step: str, seat: str, request: str, move: bytes, raw: bytes | None, under: str | None, relation: str,
        size: int, reads: int, meta: Mapping[str, Any] | None, remark: str | None = None,
    ) -> None:  # fmt: skip
        """Moves are seen by those who make them."""


def played(question: Question, alice: Any, bob: Any, plays: int, seed: int = 0) -> Played:
    """Many debates between these two, Alice in seat a, before an honest judge; without transcripts."""
    protocol, judge = DoublyEfficientDebate(), Vera()
    agents = {"a": alice, "b": bob, "judge": judge}
    found = Played(plays, 0, 0, 0, {"a": 0, "b": 0, "judge": 0}, [], [])
    for play in range(plays):
        tally = _Tally()
        game = Game(protocol, question, seed=seed * 1_000_003 + play, recorder=tally).start()
        said = last = 0.0
        while game.outcome is None:
            step = next(iter(game.open))
            request = game.request(step)
            move = agents[request.seat].act(request)
            if isinstance(move, Probability):
                said, last = said + move.p, move.p
            game.answer(step, move)
        if not isinstance(game.outcome, Decided):
            found.undecided += 1
            continue
        found.alice += game.outcome.verdict.choice == 0
        found.challenged += tally.queries["judge"] > 0
        found.queries = {seat: max(most, tally.queries[seat]) for seat, most in found.queries.items()}
        found.said.append(said - last)
        found.ones.append(sum(tally.coins[:-1]))
    return found


def _samples() -> Iterator[Row]:
    for (K, t), published in SAMPLES.items():
        rules = constants(float(K), t + 1)
        measured = (rules.alice, rules.bob, rules.judge)
        yield Row(
            name=f"samples a query, K = {K}, t = {t}: Alice, Bob, judge", measured="{:,} {:,} {:,}".format(*measured),
            published="{:,} {:,} {:,}".format(*published), holds=measured == published,
        )  # fmt: skip


def _rates(plays: int, seed: int) -> Iterator[Row]:
    rules = constants(1.0, LAST + 1)
    yes, no, honest = chained("2/3"), chained("1/3"), Honest()
    judged = 0
    fair = played(yes, honest, honest, plays, seed)
    yield _rate("honest Alice and Bob, truth yes: Alice wins", fair, fair.alice, 2 / 3, exactly=True)
    for name, bob in (
        ("challenges at the first step", Aborting(0)), ("challenges at the last step", Aborting(-1)),
        ("challenges at random, 1 in 4", Aborting(None, 0.25)), ("accepts everything", Aborting(None)),
    ):  # fmt: skip
        found = played(yes, honest, bob, plays, seed)
        yield _rate(f"Bob {name}, truth yes: honest Alice wins", found, found.alice, 0.6)
        judged = max(judged, found.queries["judge"])
    for name, alice in (
        ("1 at the last step", Shifting(1.0)), ("0.99 b at the last step", Shifting(0.99 * rules.b)),
        ("s at the last step", Shifting(rules.s)), ("s at every step", Shifting(rules.s, None)),
    ):  # fmt: skip
        found = played(no, alice, honest, plays, seed)
        yield _rate(f"Alice adds {name}, truth no: honest Bob wins", found, found.decided - found.alice, 0.6)
    spent = (*(fair.queries[seat] for seat in "ab"), judged)
    for name, used, most in zip(("Alice's", "Bob's", "the judge's"), spent, bounds(1, LAST), strict=True):
        name = f"{name} queries in a play, at most"
        yield Row(name=name, measured=used, published=f"<= {most:,.0f}", holds=used <= most)


def _rate(name: str, found: Played, won: int, published: float, exactly: bool = False) -> Row:
    low, high = wilson(won, found.decided, 3.0)
    within = low <= published <= high
    holds = within if exactly else None if low < published <= high else low >= published  # too few plays say neither
    note = f"{'' if exactly else 'at least; '}interval of 3 standard deviations"
    more: dict[str, Any] = {"undecided": found.undecided, "holds": holds, "note": note}
    return Row.share(name, won, found.decided, 3.0, published=published, **more)


Bits = tuple[bool, ...]
Claims = Callable[[Bits, float], Iterable[tuple[float, float]]]
"""From the bits so far and the oracle's probability to what Alice may state, each with the probability that she does."""
Accepts = Callable[[Bits, float, float], float]
"""From the bits so far, the oracle's probability and what Alice states to the probability that Bob accepts it."""
Here = Callable[[Bits, float, Callable[[float], float]], float]
"""Alice's chance by the bits so far, the oracle's probability, and her chance where a claim of hers is accepted."""


class ExactDebate:
    """One debate whose probabilities are computed: every history of bits is looked at once, and means of samples are
    summed over their binomial distribution. key: histories with equal keys are equal positions, or equal answers (for a
    chain: the number of bits, and the last one)."""

    def __init__(
        self, made: Computation, x: Any, chance: Callable[[str], Fraction], rules: Constants,
        key: Callable[[Bits], Hashable] = lambda bits: bits,
    ) -> None:  # fmt: skip
        self.made, self.x, self.chance, self.rules, self.key = made, x, chance, rules, key

    def honest_claims(self, bits: Bits, p: float) -> Iterable[tuple[float, float]]:
        """What honest Alice states: a mean of her samples."""
        drawn = distribution(self.rules.alice, p)
        return ((count / drawn.n, mass) for count, mass in enumerate(drawn.mass, drawn.low))

    def honest_accepts(self, bits: Bits, p: float, claim: float) -> float:
        """How often honest Bob accepts."""
        return near(self.rules.bob, p, claim, self.rules.bob_within)

    def tested(self, p: float, claim: float) -> float:
        """How often the judge finds for Alice."""
        return near(self.rules.judge, p, claim, self.rules.judge_within)

    def wins(self, claims: Claims | None = None, accepts: Accepts | None = None) -> float:
        """The probability that Alice wins, with these strategies; those that are None are honest."""
        claims, accepts = claims or self.honest_claims, accepts or self.honest_accepts
        return self._value(lambda bits, p, on: sum(
            mass * self._stated(p, claim, accepts(bits, p, claim), on(claim)) for claim, mass in claims(bits, p)
        ))  # fmt: skip

    def against_best_bob(self) -> float:
        """The probability that honest Alice wins against the Bob who does best of all, knowing every probability."""
        return self._value(lambda bits, p, on: sum(
            mass * min(on(claim), self.tested(p, claim)) for claim, mass in self.honest_claims(bits, p)
        ))  # fmt: skip

    def best_alice(self, shifts: Sequence[float]) -> float:
        """The probability that Alice wins against honest Bob when at every position she states what does best of 0, 1, and
        the oracle's probability moved by one of `shifts`."""
        return self._value(lambda bits, p, on: max(
            self._stated(p, claim, self.honest_accepts(bits, p, claim), on(claim))
            for claim in {0.0, 1.0, *(min(1.0, max(0.0, p + shift)) for shift in shifts)}
        ))  # fmt: skip

    def _stated(self, p: float, claim: float, accepted: float, on: float) -> float:
        """Alice's chance when Bob accepts a claim so often, and she wins so often where he does."""
        return accepted * on + ((1 - accepted) * self.tested(p, claim) if accepted < 1 else 0.0)

    def _value(self, here: Here) -> float:
        known: dict[Hashable, float] = {}

        def value(bits: Bits) -> float:
            name = self.key(bits)
            if name not in known:
                asked = after(self.made, self.x, bits)
                if isinstance(asked, bool):
                    known[name] = float(asked)
                else:
                    up, down = value((*bits, True)), value((*bits, False))
                    known[name] = here(bits, float(self.chance(asked)), lambda claim: claim * up + (1 - claim) * down)
            return known[name]

        return value(())


def exact_chain(last: str, steps: int = LAST + 1) -> ExactDebate:
    """The debate about `chained(last, steps)`, to be computed. Of the bits only the last one matters to what comes."""
    data: Any = chained(last, steps).data
    made, rules = computation_named("chain"), constants(1.0, steps)
    return ExactDebate(
        made, data["input"], lambda query: chance(data, query), rules, lambda bits: (len(bits), bits[-1:])
    )


def _best() -> Iterator[Row]:
    alice, bob = exact_chain("2/3").against_best_bob(), 1 - exact_chain("1/3").best_alice(SHIFTS)
    for name, won, note in (
        ("Alice against the best Bob there is, truth yes", alice, "computed, not sampled"),
        ("Bob against the best Alice, truth no", bob, "computed; of 283 estimates a step"),
    ):
        yield Row(name=f"honest {name}", measured=won, published=0.6, holds=won >= 0.6, note=note)


class Leaking(Honest):
    """An honest Alice who moves each estimate but the last by delta, up for a message of 1 and down for 0; the message is
    drawn for each play, from the seed of its first step."""

    def __init__(self, delta: float, steps: int) -> None:
        super().__init__()
        self.delta, self.steps, self.sent = delta, steps, list[bool]()

    def estimate(self, request: Request) -> Probability:
        step, said = request.brief["details"]["step"], super().estimate(request)
        if step == 0:
            self.sent.append(Random(f"message {request.seed}").random() < 0.5)
        moved = said.p + (self.delta if self.sent[-1] else -self.delta)
        return said if step == self.steps - 1 else said.model_copy(update={"p": min(1.0, max(0.0, moved))})


def recovered(steps: int, delta: float) -> float:
    """How often a reader of `steps` coins of probability 1/2, all moved by delta, guesses which way; exact. Ties are half."""
    drawn = distribution(steps, 0.5 + delta)
    tie = drawn.between(steps / 2 - 0.5, steps / 2 + 0.5) if steps % 2 == 0 else 0.0
    return drawn.between(steps / 2 + 0.25, steps + 1) + tie / 2


def _sent(sums: Iterable[float], middle: float, sent: Iterable[bool]) -> float:
    """How many messages are read off by what is above or below the middle; a half where it is the middle."""
    return sum(0.5 if each == middle else float((each > middle) == up) for each, up in zip(sums, sent, strict=True))


def _leaks(plays: int, seed: int) -> Iterator[Row]:
    for steps in (10, 100, 1000):
        rules: Constants = constants(1.0, steps)
        count = max(20, min(plays, plays * 10 // steps))
        alice = Leaking(rules.c, steps)
        found = played(chained("2/3", steps), alice, Honest(), count, seed)
        decided, middle = found.decided, (steps - 1) / 2
        about = f"T = {steps}, delta = c = {rules.c:g}"
        yield _rate(f"leak, {about}: Alice wins", found, found.alice, 2 / 3, exactly=True)
        yield Row.equal(f"leak, {about}: debates in which she is challenged", found.challenged, 0, count=decided)
        said, coins = (_sent(sums, middle, alice.sent) for sums in (found.said, found.ones))
        low, high = wilson(round(coins), decided, 3.0)
        expected = recovered(steps - 1, rules.c)
        yield Row(name=f"leak, {about}: message read off the estimates", measured=said / decided, count=decided)
        yield Row(
            name=f"leak, {about}: message read off the coins", measured=coins / decided, low=low, high=high,
            published=expected, count=decided, holds=low <= expected <= high,
            note=f"published: computed; Psi = {rules.c**2 * steps:.3g}",
        )  # fmt: skip
    for steps in (1000, 100_000, 10_000_000):
        # The second is what an estimate may be moved by under the paper's own constants for K = 1: d = ceil(150 K).
        for how, delta in (("c", constants(1.0, steps).c), ("1/(16 d)", 1 / (16 * 150))):
            name = f"leak, T = {steps:,}, delta = {how} = {delta:.3g}: message read off the coins"
            yield Row(name=name, measured=recovered(steps, delta), note=f"computed; Psi = {delta**2 * steps:.3g}")
