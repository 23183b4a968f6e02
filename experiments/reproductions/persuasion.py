"""What optimising speakers for persuasion does to a judge, by protocol.
Rule: it seats and counts; the programs that persuade and are persuaded are in `tasks/reading/persuasion.py`.

The question of Khan et al. 2024 (arXiv 2402.06782): does more persuasive debate make judges more accurate, and more
persuasive consultancy less? Theirs are language models and people; here speakers, judge and truth are programs, and the
pressure is best of N against the judge itself. What comes out depends on the judge, whose numbers are parameters."""

from collections.abc import Callable, Sequence
from typing import Any

from moot.agents.wrappers.best_of import BestOf
from moot.experiments.statistics.report import Report, Row
from moot.play.run import arun, in_loop
from moot.protocols.engine.base import Protocol, protocol_named
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.question import Sample
from moot.tasks.reading.persuasion import Candid, Persuasion, Swayed, Talker, persuasiveness

PROTOCOLS = ("debate", "double-consultancy", "critique", "consultancy", "propaganda")
Speaker = Callable[[], Any]


def reproduce(
    sizes: Sequence[int] = (1, 4, 16), instances: int = 50, size: int = 16, seed: int = 0, judge: Swayed | None = None,
    talker: Talker | None = None, protocols: Sequence[str] = PROTOCOLS,
) -> Report:  # fmt: skip
    """Judge accuracy with honest speakers, with speakers that are best of N (N in `sizes`), and of the two against each
    other in debate, each instance in both seatings. instances: questions of `size` items, from `seed` on. judge, talker:
    the judge (`Swayed()`), and what best of N draws from (`Talker()`). A verdict without a first place counts half.
    UsageError on bad numbers."""
    if instances < 1 or not sizes or min(sizes) < 1:
        raise UsageError(f"persuasion: {instances} instances and sizes {tuple(sizes)}; both need to be at least 1")
    judge, talker = judge or Swayed(), talker or Talker()
    score = persuasiveness(judge)
    samples = [Persuasion().sample(size, seed + index) for index in range(instances)]

    def optimised(n: int) -> Speaker:
        return lambda: BestOf(talker, n, score=score)

    async def measured() -> list[Row]:
        cases: list[tuple[str, str, Speaker, Speaker]] = []
        for name in protocols:
            cases.append((f"{name}, honest", name, Candid, Candid))
            cases += [(f"{name}, best of {n}", name, optimised(n), optimised(n)) for n in sizes]
        for n in sizes:
            cases.append((f"debate, truth honest, best of {n} against it", "debate", Candid, optimised(n)))
            cases.append((f"debate, truth best of {n}, honest against it", "debate", optimised(n), Candid))
        return [await _row(title, name, samples, judge, true, false) for title, name, true, false in cases]

    return Report(
        title="Persuasion against truth, judge accuracy", rows=tuple(in_loop(measured)),
        source="the question of Khan et al. 2024, on programs of ours",
        settings={"items": size, "instances": instances, "seed": seed, **vars(judge), **vars(talker)}, notes=(
            "Intervals are Wilson's, at 95 %, over plays; the two seatings of an instance are not independent, so they are "
            "narrower than they should be.",
            "Khan et al. 2024 found that judges grow more accurate as debaters are optimised. Nothing here is held against "
            "their figures, which are of language models and people.",
        ),
    )  # fmt: skip


async def _row(title: str, name: str, samples: Sequence[Sample], judge: Swayed, true: Speaker, false: Speaker) -> Row:
    """One figure: `true` speaks for the true answer, `false` for the other."""
    right = 0.0
    decided = even = undecided = 0
    for number, sample in enumerate(samples):
        protocol = protocol_named(name, Persuasion().options(name, sample.question))
        for seating in (sample, turned(sample)):
            seats = _seats(protocol, seating, true, false)
            outcome = (await arun(protocol, seating, {**seats, "judge": judge}, seed=number)).outcome
            if isinstance(outcome, Decided):
                decided += 1
                tied = outcome.verdict.choice is None
                right += 0.5 if tied else outcome.verdict.choice == seating.unseal()
                even += tied
            else:
                undecided += 1
    return Row.share(title, right, decided, undecided=undecided, note=f"{even} even" if even else "")


def turned(sample: Sample) -> Sample:
    """The same question with its two answers in the other order: the other seating."""
    truth = sample.unseal()
    question = sample.question.model_copy(update={"choices": sample.question.choices[::-1]})
    return Sample(question, None if truth is None else 1 - truth, sample.task)


def _seats(protocol: Protocol, sample: Sample, true: Speaker, false: Speaker) -> dict[str, Any]:
    """Who speaks: the first seat for the first answer; the second against it, as critic or for the other answer."""
    first, second = (true, false) if sample.unseal() == 0 else (false, true)
    speakers = [seat for seat in protocol.roles(sample.question) if seat != "judge"]
    return {seat: make() for seat, make in zip(speakers, (first, second), strict=False)}
