"""Where the theory says that a protocol guarantees nothing: the instance that shows it, played.
Rule: an entry is an instance that is played when asked; what holds has its witness elsewhere."""

from collections.abc import Callable
from itertools import count, islice
from random import Random
from typing import Any

from moot.complexity.rules import evaluate
from moot.complexity.search.fixed_points import fixed_points, well_founded
from moot.complexity.search.solve import solve
from moot.experiments.classes.argued_witnesses import against, small_cnf
from moot.experiments.classes.evidence import Failure, questions_below
from moot.experiments.classes.frozen_answers import self_answered
from moot.experiments.classes.market_witnesses import PAID, Always, Says, searched, statements
from moot.experiments.reproductions.doubly_efficient import recovered
from moot.experiments.reproductions.obfuscation import always, expected
from moot.judges.bounded import Bounded
from moot.play.run import run
from moot.protocols.engine.outcomes import Decided, Exhausted
from moot.protocols.engine.question import Sample
from moot.protocols.games.doubly_efficient import constants
from moot.protocols.trees.decomposition_debate import DecompositionDebate
from moot.protocols.trees.prover_estimator import ProverEstimator
from moot.tasks.arithmetic.binomial import distribution, near
from moot.tasks.arithmetic.primality import Primality
from moot.tasks.arithmetic.primality_programs import ClaimJudge, Estimator, Prover
from moot.tasks.base import Task, task_named
from moot.tasks.logic.formulas import SATISFIABLE, UNSATISFIABLE
from moot.tasks.programs.market_programs import Predictor
from moot.transcripts.transcript import Transcript


def circle() -> Failure:
    """Two questions that cite each other (Shah 2020): many models are fixed points, and nothing singles out the truth."""
    counts, circles = [], []
    for name in ("citing-pair", "citing-pair-grounded"):
        task = task_named(name)
        question = task.sample(1).question
        digits = [str(digit) for digit in range(10)]
        asked = list(task.questions(question.data))
        counts.append(len(fixed_points(task, question.data, asked, digits)))
        circles.append(well_founded(task, question.data, question.text).cycle)
    outcome = getattr(_played("citing-pair", "amplify", 1).outcome, "kind", "unfinished")
    shown = counts[0] > 1 == counts[1] and bool(circles[0]) and not circles[1] and outcome == "forfeited"
    told = (
        f"{counts[0]} fixed points, the play {outcome} naming the circle; with a base case that is checked, {counts[1]}"
    )
    return Failure("market making and HCH on questions that cite each other", shown, told)


def _played(name: str, protocol: str, size: int, seed: int = 0, **bounds: Any) -> Transcript:
    """A play of the task's programs. bounds: role to other bounds than the task's."""
    task = task_named(name)
    sample = task.sample(size, seed)
    made, seats = task.staged(protocol, sample)
    seats |= {role: Bounded(seats[role].agent, **bound) for role, bound in bounds.items()}
    return run(made, sample, seats)


def published_rule(machines: int = 200) -> Failure:
    """The tableau rule to the letter of the post returns the symbol that was read where one was written."""

    def contradicts(task: Task, seed: int) -> bool:
        question, memo = task.sample(8, seed).question, dict[str, str]()
        evaluate(task, question.data, question.text, memo)
        return any(task.truth(question.data, text) != answer for text, answer in memo.items())

    published, mended = (
        sum(contradicts(task_named(name), seed) for seed in range(machines))
        for name in ("tableau-published", "tableau")
    )
    told = f"{published} of {machines} random machines contradict their simulation; with the written symbol {mended}"
    return Failure(
        "the tableau rule as published (the symbol read, not the one written)", published > 0 == mended, told
    )


def withheld_witness() -> Failure:
    """Consultancy is NP and not coNP: a consultant for the other answer need only keep the witness to itself."""
    task = task_named("sat")
    sample = next(s for s in (task.sample(6, seed) for seed in range(99)) if _true(s) == "satisfiable")
    lie = sample.question.choices.index("unsatisfiable")
    made, seats = task.staged("consultancy", sample, answer=lie)
    outcome = run(made, sample, seats).outcome
    fooled = isinstance(outcome, Decided) and outcome.verdict.choice == lie
    told = f"a satisfiable formula with {sample.question.size} variables was judged unsatisfiable"
    return Failure("consultancy beyond NP: the consultant may hide the witness", fooled, told)


def _true(sample: Sample) -> str:
    truth = sample.unseal()
    return "" if truth is None else sample.question.choices[truth]


def uncited_market() -> Failure:
    """A market whose statements cite nothing must show the whole computation: NP, and not EXP (Shah 2020)."""
    task = task_named("tableau")
    sample = max((task.sample(127, seed) for seed in range(8)), key=lambda each: questions_below(task, each))
    made, seats = task.staged("market-uncited", sample)
    transcript = run(made, sample, seats)
    claim = "market making without citation beyond NP: an exponential computation must be read"
    return _exhausted(
        claim, transcript, f"a tableau of {questions_below(task, sample)} questions at n = {transcript.ledger.n}"
    )


def _exhausted(claim: str, transcript: Transcript, told: str) -> Failure:
    """What is shown by a play that ends where the judge may read no more, and so carries no guarantee."""
    shown = isinstance(transcript.outcome, Exhausted) and not transcript.guarantee.holds
    return Failure(claim, shown, f"{told}; guarantee: {transcript.guarantee.because}")


def path_too_long() -> Failure:
    """A debate's path must stay within the judge's polynomial; one that does not carries no guarantee."""
    path = _played("sum", "bisection", 256, 1).ledger.spent("judge", "reads")
    transcript = _played("sum", "bisection", 256, 1, judge={"reads": "log(n)"})
    told = f"the judge may read log(n) = {transcript.guarantee.budget} of a path of {path} cells"
    return _exhausted("a debate whose path is longer than the judge's polynomial", transcript, told)


def call_too_large() -> Failure:
    """Each call of the overseer must stay within its polynomial, however few there are."""
    transcript = _played("sum", "amplify", 64, overseer={"reads_per_call": 1})
    claim = "amplification whose single calls are over the overseer's polynomial"
    return _exhausted(claim, transcript, "one read a call is too few to add two numbers")


def without_copies(each: int = 6) -> Failure:
    """A claimant that sees the challenge fits its answers to it; a copy of it, which does not, is caught."""
    task = task_named("colouring")
    samples: list[Sample] = []
    for size in (6, 12, 30):
        made_so = (task.sample(size, seed) for seed in count())
        samples += islice((sample for sample in made_so if _true(sample) == "no"), each)

    def fooled(protocol: str, sample: Sample) -> bool:
        made, seats = task.staged(protocol, sample)
        lie = sample.question.choices.index("yes")
        seats["ab"[lie]] = task.programs()["adaptive"]()
        outcome = run(made, sample, seats).outcome
        return isinstance(outcome, Decided) and outcome.verdict.choice == lie

    plain, copied = (
        sum(fooled(protocol, sample) for sample in samples)
        for protocol in ("cross-examination-uncopied", "cross-examination")
    )
    told = f"{plain} of {len(samples)} graphs that have no colouring were judged colourable; by copies, {copied}"
    claim = "cross-examination of a claimant that is no copy, and sees the challenge that it answers"
    return Failure(claim, plain == len(samples) > 0 == copied, told)


def obfuscated() -> Failure:
    """A false argument whose flaw its opponent cannot find (Barnes and Christiano 2020): one of m parts is wrong, and the
    judge sees the one that the opponent guesses. An estimator need not find it (Brown-Cohen, Irving and Piliouras 2025)."""
    task, told, shown = Primality(), list[str](), True
    for n, m in ((221, 4), (10_403, 8)):
        sample = task.of(n)
        seats: dict[str, Any] = {"a": Prover(task, lies=True, knows=False), "judge": ClaimJudge(task)}
        debate = DecompositionDebate(width=m, source="metered")
        found = sum(expected(debate, sample, {**seats, "b": always(part)}) < 0 for part in range(1, m + 1))
        paid = 1 - 2 * found / m
        estimated = expected(ProverEstimator(width=m, source="metered"), sample, {**seats, "b": Estimator(task)})
        shown &= found == 1 and paid > 0 and abs(estimated) < 1e-9
        lie = f"and the lie is paid {paid:g}, against {estimated:g}"
        told.append(f"of {n} = p·q it is found with probability {found}/{m}, {lie}")
    argument = '"n is prime", m intervals free of divisors, the flaw in one unknown to both'
    found_so = f"{'; '.join(told)} in prover-estimator debate"
    return Failure(f"recursive debate on an obfuscated argument ({argument})", shown, found_so)


def leaked() -> Failure:
    """A debater who moves every estimate by less than anybody tests for tells a bit to whoever counts the coins, and loses
    nothing (Holland et al. 2026). What a debate decides is safe; what its transcript says besides is not."""
    shares, caught = list[float](), list[float]()
    for steps in (10, 100, 1000, 10_000):
        rules = constants(1.0, steps)
        drawn = distribution(rules.alice, 0.5)
        missed = (
            mass * (1 - near(rules.bob, 0.5, count / drawn.n + rules.c, rules.bob_within))
            for count, mass in enumerate(drawn.mass, drawn.low)
        )
        caught.append((steps - 1) * sum(missed))
        shares.append(recovered(steps - 1, rules.c))
    return Failure(
        "doubly-efficient debate as a channel: an honest side that moves every estimate but the last by c sends a bit",
        shares == sorted(shares) and shares[-1] > 0.95 and max(caught) < 1e-6,
        f"it is read off the coins with probability {', '.join(f'{share:.2f}' for share in shares)} after 10, 100, 1000, "
        f"10,000 queries; an honest opponent challenges with probability {max(caught):.1g} at most, and the answer is as without",
    )


def silence() -> Failure:
    """Market making as published: a judge who was given no argument believes no answer, so that whoever says nothing moves a
    market that prices the truth. Where the price stands unless an argument moves it, saying nothing pays nothing."""
    told, shown = list[str](), True
    for name, size in (("sum", 2), ("tableau", 3)):
        task = task_named(name)
        sample = task.sample(size, 1)
        truth = sample.unseal()
        assert truth is not None
        pays = list[float]()
        for unmoved in ("judge", "price"):
            made, seats = task.staged("market", sample, horizon=1, unmoved=unmoved)
            said = statements(task, sample.question, {})
            others = {seat: agent for seat, agent in seats.items() if seat != "adversary"}
            best = solve(made, sample, moves={"adversary": Always(said)}, seats=others)
            spoke = [entry.move for entry in best.line if entry.seat == "adversary"]
            assert isinstance(best.outcome, Decided)
            pays.append(best.value["adversary"])
            if unmoved == "price":
                shown &= pays[-1] == 0 and best.outcome.verdict.choice == truth
            else:
                spent = run(made, sample, {**seats, "adversary": Says(said[:1])}).guarantee
                within = spent.used is not None and spent.budget is not None and spent.used <= spent.budget
                shown &= spoke == said[:1] and pays[-1] > 0 and best.outcome.verdict.choice is None and within
        told.append(f"{name}: of {len(said)} statements the best is to say nothing, paid {pays[0]:g}, with an even verdict "
                    f"within the judge's budget; {pays[1]:g} where the price stands")  # fmt: skip
    return Failure("market making as published, against an adversary who says nothing", shown, "; ".join(told))


def one_sided() -> Failure:
    """A market that says "satisfiable" of an unsatisfiable formula is corrected by nobody: without citation, an argument for
    "unsatisfiable" would have to be short. As an equilibrium, market making without citation is NP ∩ coNP."""
    task, tried, kept = task_named("sat"), 0, 0
    for sample in small_cnf(3):
        if _true(sample) == UNSATISFIABLE:
            best = against(task, "market-uncited", sample, SATISFIABLE)
            tried += 1
            kept += best.pay <= PAID and not best.right
    return Failure(
        "market making without citation, of a market that says satisfiable", kept == tried > 0,
        f"on {kept} of {tried} unsatisfiable formulas the best of every statement is paid nothing, and the market's wrong price stands",
    )  # fmt: skip


def consistent_lie() -> Failure:
    """A market that lies about a question and about what it rests on, as the rule wants it, is not exploited at the question:
    the premise market-right-below is needed, and the record of the play lists it."""
    task, data = task_named("sum"), [1, 2, 3, 4]
    sample = task.pose(data, "sum[0:4]", Random("a lie"))
    truth = sample.unseal()
    assert truth is not None
    lie = sample.question.choices[1 - truth]
    wrong = {"sum[0:2]": str(int(lie) - 7), "sum[0:4]": lie}
    made, seats = task.staged("market", sample, horizon=1)
    best = searched(task, sample.question, truth, wrong=wrong, protocol=made, judge=seats["judge"])
    listed = run(made, sample, {**seats, "market": Predictor(task, wrong)}).guarantee
    shown = best.pay <= PAID and not best.always and not best.right and "market-right-below" in listed.assumes
    held = "holds, and " if listed.holds else ""
    return Failure(
        "market making with a market that is wrong on smaller questions", shown,
        f"sum[0:2] = {wrong['sum[0:2]']} and sum[0:4] = {lie} are said of {data}: of {best.plays} adversaries the best is paid "
        f"{best.pay:g}; the guarantee {held}lists market-right-below",
    )  # fmt: skip


FAILURES: tuple[Callable[[], Failure], ...] = (
    circle, published_rule, withheld_witness, uncited_market, path_too_long, call_too_large, without_copies, obfuscated,
    leaked, silence, one_sided, consistent_lie, self_answered,
)  # fmt: skip
