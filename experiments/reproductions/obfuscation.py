"""The obfuscated argument "n is prime, for no number of any of these m intervals divides it", in two kinds of debate.
Rule: what comes of one argument, exactly; the claims and their programs are in `tasks/arithmetic`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from moot.complexity.search.solve import solve
from moot.experiments.statistics.report import Report, Row
from moot.play.run import run
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Answer, Move, Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Brief, Request
from moot.protocols.engine.view import View
from moot.protocols.trees.decomposition_debate import Claimed, ClaimTree, Decomposition, DecompositionDebate, Pick
from moot.protocols.trees.prover_estimator import HIGH, LOW, Call, ProverEstimator
from moot.protocols.trees.stability import Stability
from moot.tasks.arithmetic.primality import Primality, PrimalityByBases, PrimeTask
from moot.tasks.arithmetic.primality_claims import YES, span
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover, Searcher
from moot.tasks.arithmetic.primes import is_prime
from moot.training.online import LearningEstimator, called

if TYPE_CHECKING:
    from moot.transcripts.transcript import Transcript

CASES = ((221, 4), (10_403, 8), (1_022_117, 16), (100_160_063, 32))
"""Products of two primes near their root, and the number of intervals that the root is split into."""
PRIMES = ((223, 4), (1_022_123, 16))


def reproduce(
    seed: int = 0, cases: Sequence[tuple[int, int]] = CASES, primes: Sequence[tuple[int, int]] = PRIMES, plays: int = 200,
    rounds_of_learning: int = 1000,
) -> Report:  # fmt: skip
    """Recursive debate against prover-estimator debate on the same false claims, with stability measured on each. cases:
    composite n and m; primes: prime n and m; plays: of each case with a guessing opponent; rounds_of_learning: plays of an
    estimator that learns. What is exact is an expectation over every coin and guess. UsageError on other numbers."""
    if plays < 1 or rounds_of_learning < 1:
        raise UsageError(f"obfuscation: {plays} plays and {rounds_of_learning} of learning; give at least one of each")
    wrong = [n for n, _ in cases if is_prime(n)] + [n for n, _ in primes if not is_prime(n)]
    if wrong:
        raise UsageError(f"obfuscation: {wrong[0]} is not as it was given; cases are composite, primes are prime")
    parts = (
        *(_recursive(n, m, plays, seed) for n, m in cases),
        *(_estimated(n, m) for n, m in cases),
        *(_of_prime(n, m, plays, seed) for n, m in primes),
        *(_by_bases(n, plays, seed) for n, _ in (*primes[:1], *cases[:1])),
        _learning(rounds_of_learning, seed),
    )
    rows = [row for part in parts for row in part]
    settings = {"seed": seed, "plays": plays, "epsilon": 0.05, "growth": 3, "prior": 0.5}
    return Report(
        title="Obfuscated arguments", source="Brown-Cohen, Irving and Piliouras 2025, arXiv 2506.13609", rows=tuple(rows),
        settings=settings, notes=(
            "The published figure 1/m is of the obfuscated arguments problem; bounds with <= or >= follow from the rules of the "
            "protocol as they are implemented here, and are proved in its page.",
            "A prover who knows where the flaw is can be paid for pointing at it, in an argument of its own: what holds is that "
            "it gains nothing by the false claim that the true one would not have given it.",
        ),
    )  # fmt: skip


def expected(protocol: ClaimTree, question: Question | Sample, seats: dict[str, Any]) -> float:
    """What seat a is paid, in expectation over the coins of a play between fixed programs."""
    prover = seats["a"]
    rest = {seat: agent for seat, agent in seats.items() if seat != "a"}
    return solve(protocol, question, moves={"a": lambda request: [prover.act(request)]}, seats=rest).value["a"]


def best(protocol: ClaimTree, sample: Sample, claimed: str, estimator: Any, judge: Any, task: PrimeTask) -> float:
    """The most that a prover who claims this answer gets by any calls and picks, parts being an honest or obfuscating prover's."""

    def moves(request: Request) -> Iterable[Move]:
        kind = request.kinds[0]
        if kind is Answer:
            return [Answer(choice=sample.question.choices.index(claimed))]
        if kind is Decomposition:
            return [Prover(task, knows=claimed != YES).act(request)]
        if kind is Call:
            return [Call(sign=sign) for sign in (-1, 0, 1)]  # too low, fine, too high
        return [Pick(claim=number) for number in request.brief["one_of"]["claim"]]

    return solve(protocol, sample, moves={"a": moves}, seats={"b": estimator, "judge": judge}).value["a"]


class AnyDivisor:
    """A judge who finds what is true on average over instances: prime with probability `prior`, or else with one divisor,
    equally likely at each number up to the root."""

    def __init__(self, task: Primality, whole: str, prior: float = 0.5) -> None:
        self.task, self.last, self.prior = task, span(whole)[1], prior

    def act(self, request: Request) -> Verdict:
        if request.brief["task"] != "read":
            return ClaimJudge(self.task).act(request)
        claim = request.view[0].move
        assert isinstance(claim, Claimed)
        low, high = span(claim.of)
        free = 1 - (1 - self.prior) * (high - low + 1) / (self.last - 1)
        right = free if claim.answer == YES else 1 - free
        return Verdict(probabilities=(right, 1 - right))


def _split(task: PrimeTask, n: int, m: int) -> tuple[Sample, DecompositionDebate, ProverEstimator]:
    return task.of(n), DecompositionDebate(width=m, source="metered"), ProverEstimator(width=m, source="metered")


def _recursive(n: int, m: int, plays: int, seed: int) -> list[Row]:
    """How often an opponent who can divide by no number finds the one false interval, and who can divide by all of them."""
    task = Primality()
    sample, protocol, _ = _split(task, n, m)
    seats = {"a": Prover(task, lies=True, knows=False), "judge": ClaimJudge(task)}
    wins = [expected(protocol, sample, {**seats, "b": always(number)}) < 0 for number in range(1, m + 1)]
    paid = payoffs(protocol, sample, {**seats, "b": Searcher(task, 0)}, "b", plays, seed)
    searched = expected(protocol, sample, {**seats, "b": Searcher(task)})
    exact = sum(wins) / m
    return [
        Row.equal(f"recursive, n = {n:,}, m = {m}: b wins, exactly", exact, 1 / m),
        Row.share("  the same, played", sum(each > 0 for each in paid), len(paid), published=1 / m,
                  undecided=plays - len(paid), note="b divides by no number"),
        Row(name="  b wins after dividing by all of them", measured=(1 - searched) / 2, published=1.0, holds=searched == -1,
            note=f"{span(f'prime({n})')[1] - 1:,} divisions"),
    ]  # fmt: skip


def payoffs(made: ClaimTree, sample: Sample, seats: dict[str, Any], seat: str, plays: int, seed: int) -> list[float]:
    """What a seat is paid in each of some plays, of those that are decided."""
    outcomes = (run(made, sample, seats, seed=seed + play).outcome for play in range(plays))
    return [outcome.payoffs[seat] for outcome in outcomes if isinstance(outcome, Decided)]


def _estimated(n: int, m: int) -> list[Row]:
    task = Primality()
    sample, recursive, protocol = _split(task, n, m)
    estimator, judge = Estimator(task), ClaimJudge(task)
    seats = {"a": Prover(task, lies=True, knows=False), "b": estimator, "judge": judge}
    naive = sum(expected(recursive, sample, {**seats, "b": always(k)}) for k in range(1, m + 1)) / m
    rows = [Row(name=f"n = {n:,}, m = {m}: the obfuscator's pay, recursive", measured=naive, published=1 - 2 / m)]
    if m <= 8:
        rows.append(Row.equal("  the same, prover-estimator", expected(protocol, sample, seats), 0.0, 1e-9))
    if m <= 4:
        average = AnyDivisor(task, sample.question.text)
        unknowing = best(protocol, sample, YES, estimator, average, task)
        rows += [
            Row(name="  its best calls and picks, flaw unknown", measured=unknowing, published="<= 0", holds=unknowing < 1e-9),
            Row(name="  best if it knows, claiming the truth", measured=best(protocol, sample, "no", estimator, judge, task)),
            Row(name="  best if it knows, claiming prime", measured=best(protocol, sample, YES, estimator, judge, task)),
        ]  # fmt: skip
    stability = protocol.stable(task.rests(sample.question.data, sample.question.text, 1, m))
    return [*rows, *_stable("  claim that it is not prime", stability)]


def _of_prime(n: int, m: int, plays: int, seed: int) -> list[Row]:
    task = Primality()
    sample, _, protocol = _split(task, n, m)
    measured = protocol.stable(task.rests(sample.question.data, sample.question.text, 1, m))
    rows = _stable(f"n = {n:,}, m = {m}, prime, by intervals", measured)
    if m <= 4:
        estimator, judge = Estimator(task), ClaimJudge(task)
        rows.append(Row(name="  an honest prover's best", measured=best(protocol, sample, YES, estimator, judge, task),
                        note="whatever the coins"))  # fmt: skip
    return [*rows, _honest(task, n, m, plays, seed)]


def _honest(task: PrimeTask, n: int, m: int, plays: int, seed: int) -> Row:
    """What an honest prover who knows the answer is paid on average against an estimator who does not."""
    sample, _, protocol = _split(task, n, m)
    seats = {"a": Prover(task), "b": Estimator(task), "judge": ClaimJudge(task)}
    paid = payoffs(protocol, sample, seats, "a", plays, seed)
    return _mean("  the honest prover's pay, played", paid, plays - len(paid))


def _mean(name: str, values: Sequence[float], undecided: int = 0) -> Row:
    """A mean with its normal interval; unknown where there are no values."""
    if not values:
        return Row(name=name, measured=None, count=0, undecided=undecided)
    mean, half = fmean(values), 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else None
    low, high = (None, None) if half is None else (mean - half, mean + half)
    return Row(name=name, measured=mean, low=low, high=high, count=len(values), undecided=undecided)


def _by_bases(n: int, plays: int, seed: int) -> list[Row]:
    task = PrimalityByBases()
    sample = task.of(n)
    measured = ProverEstimator().stable(task.rests(sample.question.data, sample.question.text))
    return [*_stable(f"n = {n:,}, by nine bases", measured), _honest(task, n, task.bases, plays, seed)]


def _stable(name: str, measured: Stability) -> list[Row]:
    at = f"{'stable' if measured.holds else 'NOT stable'} at epsilon {measured.epsilon}"
    return [Row(name=f"{name}: shift", measured=max(measured.shifts), note=f"{at}: errors grow by {measured.gain:.3g}")]


def always(number: int) -> Callable[[Request], Pick]:
    """An opponent that picks the part of this number."""
    return lambda request: Pick(claim=str(number))


class Follower(Prover):
    """A prover who does not know where the flaw is, and calls every estimate, as past plays say: too low where claims of that
    round came out right more often than it says, else too high."""

    def __init__(self, task: Primality) -> None:
        super().__init__(task, lies=True, knows=False)
        self.seen: dict[int, list[float]] = {}

    def _sign(self, view: View, brief: Brief) -> int:
        seen = self.seen.get(brief["round"], [1.0])  # too low, until a play has shown otherwise
        return LOW if sum(seen) / len(seen) > brief["details"]["estimate"] else HIGH

    def learn(self, transcript: Transcript) -> float:
        """Remember how claims came out in a play. Returns what its calls were paid in it, without the stake."""
        signs = [sign for _, sign in called(transcript)]
        moves = [step.move for step in transcript.steps()]
        found = (  # the verdict after a decomposition is on whether the claim follows from its parts as they are claimed
            move["probabilities"][0]
            for before, move in pairwise(moves)
            if move["kind"] == "verdict" and before["kind"] != "decomposition"
        )
        for t, sign in enumerate(signs, 1):
            if sign:
                self.seen.setdefault(t, []).append(next(found))
        outcome = transcript.outcome
        assert isinstance(outcome, Decided)
        coin = next(event["value"] for event in transcript.events() if event["event"] == "flipped")
        return outcome.payoffs["a"] - (1 if coin else -1)


def _learning(plays: int, seed: int) -> list[Row]:
    """An estimator that starts from even odds everywhere, against a prover who calls as past plays would have paid."""
    task, learner = Primality(), LearningEstimator()
    protocol = ProverEstimator(width=2, source="metered", epsilon=0, growth=1)
    prover, judge = Follower(task), ClaimJudge(task)
    gains: list[float] = []
    for play in range(seed, seed + plays):
        transcript = run(protocol, task.sample(12, play), {"a": prover, "b": learner, "judge": judge}, seed=play)
        learner.learn(transcript)
        gains.append(prover.learn(transcript))
    half = max(1, plays // 2)
    worst = max((odds.regret - odds.most for odds in learner.odds.values() if odds.steps), default=0.0)
    return [
        _mean("learning estimator: what calls pay, first half of plays", gains[:half]),
        _mean("  second half", gains[-half:]),
        Row(name="  regret less 3/2 sqrt(calls), worst context", measured=worst, published="<= 0", holds=worst <= 1e-9,
            note="Hazan, theorem 3.1"),
    ]  # fmt: skip
