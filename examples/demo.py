"""What `make demo` shows: a debate that a tiny judge can check, and one between tiny language models that it cannot.

    python examples/demo.py [--out DIR] [--programs-only]

(a) Two programs debate the sum of N integers, one honest and one lying, before a judge that adds two numbers at a time
    and may read O(log N) of them.
(b) Two seats of the embedded model debate a question about a passage before a judge of the same model, with both
    seatings; one debate is then judged again by another judge.

Every play is saved and replayed; the transcripts stay in DIR.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

import moot
from moot.tasks.arithmetic.sums import AddsTwo, Honest, Liar, Sum
from moot.tasks.reading.reading import samples

console = Console(width=None if sys.stdout.isatty() else 110)


def programs(out: Path) -> None:
    console.rule("(a) the sum of N integers: programs debate, the judge adds two numbers at a time")
    table = Table(
        "N", "liar sits at", "verdict", "right?", "claims in the tree", "on the path", "judge reads", "its budget"
    )
    for size in (16, 256, 4096):
        for liar in ("a", "b"):
            sample = Sum().sample(size, seed=size, true_first=liar == "b")
            seats = {"a": Honest(), "b": Honest(), "judge": moot.Bounded(AddsTwo(), reads="3*log(n) + 1", calls=1)}
            seats[liar] = Liar()
            t = moot.run(moot.Bisection(), sample, seats, seed=7, out=out / f"sum-{size}-liar-{liar}.jsonl")
            assert moot.replay(t).digest == t.digest
            assert isinstance(t.outcome, moot.Decided), t.outcome
            right = t.outcome.verdict.choice == sample.unseal()
            table.add_row(
                f"{size:,}", liar, t.outcome.verdict.text, "yes" if right else "NO", f"{t.ledger.tree.full_tree_size:,}",
                str(t.ledger.tree.depth), str(t.guarantee.used), str(t.guarantee.budget),
            )  # fmt: skip
    console.print(table)
    console.print(
        f"Why the judge could be right: {t.guarantee.because}, on one path of {t.ledger.tree.full_tree_size:,} claims."
    )
    console.print("Every transcript was replayed to the identical digest.\n")


def models(out: Path) -> None:
    console.rule("(b) a passage: the embedded 135M-parameter model in every seat")
    console.print("It is there to try things out. It cannot judge well; watch how the seating moves its verdict.\n")
    model = moot.Local(max_tokens=120)
    judge = moot.ModelJudge(model, method="logprobs")
    sample = samples("harbour-inquiry")[0]
    limit = moot.Limit(chars=600, over="clip")
    played = []
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        for swap in (False, True):
            name = f"passage-{'swapped' if swap else 'straight'}"
            task = progress.add_task(f"{name}: two debaters, two rounds, a verdict", total=1)
            seats = {"a": model, "b": model, "judge": moot.Bounded(judge, reads="10*n")}
            debate = moot.Debate(rounds=2, order="simultaneous", limit=limit, swap=swap)
            t = moot.run(debate, sample, seats, seed=7, out=out / f"{name}.jsonl")
            assert moot.replay(t).digest == t.digest
            played.append((name, t))
            progress.update(task, completed=1)
        task = progress.add_task("judged again, from the record, by stated probabilities", total=1)
        again = moot.rejudge(played[0][1], model, out=out / "passage-rejudged.jsonl")
        assert moot.replay(again).digest == again.digest
        progress.update(task, completed=1)

    question = sample.question
    console.print(f"\n{question.text}")
    for number, choice in enumerate(question.choices):
        console.print(f"  {number}: {choice}" + ("   ← by the text" if number == sample.unseal() else ""))
    table = Table("play", "a defends", "outcome", "P(0)", "P(1)", "judge's log score", "digest, replayed alike")
    first: list[float] = []
    seat_a: list[float] = []
    for name, t in [*played, ("passage-rejudged", again)]:
        row = [name, "1" if "swapped" in name else "0"]
        if isinstance(t.outcome, moot.Decided):
            p = t.outcome.verdict.probabilities
            if t is not again:
                first.append(p[0])
                seat_a.append(p[1] if "swapped" in name else p[0])
            row += ["decided", f"{p[0]:.2f}", f"{p[1]:.2f}", f"{moot.judge_reward(t):.2f}"]
        else:
            row += [t.outcome.kind if t.outcome else "not ended", "–", "–", "–"]
        table.add_row(*row, t.digest[:16])
    console.print(table)
    if len(first) == 2:
        console.print(
            f"Mean belief in what seat a defends, over both seatings: {sum(seat_a) / 2:.2f}; 0.50 is no seat bias."
        )
        console.print(f"Belief in the answer listed first: {first[0]:.2f} and {first[1]:.2f}, whoever defended it.")
        console.print("A verdict that follows the place of an answer and not what was said is position bias.\n")
    costs(played[0][1])


def costs(t: moot.Transcript) -> None:
    table = Table(
        "seat", "calls", "attempts", "prompt tokens", "of them cached", "written", "seconds", "reads", "budget"
    )
    for seat, spent in t.ledger.seats.items():
        budget = t.ledger.bounds.get(seat, {}).get("reads", "–")
        shown = [
            "unknown" if v is None else str(v)
            for v in (spent.prompt_tokens, spent.cached_tokens, spent.completion_tokens)
        ]
        table.add_row(
            seat,
            str(spent.calls),
            str(spent.attempts),
            *shown,
            f"{spent.seconds:.1f}",
            "–" if spent.reads is None else str(spent.reads),
            str(budget),
        )
    console.print(f"What {t.name} cost:")
    console.print(table)
    holds = "is met" if t.guarantee.holds else "is not met"
    console.print(f"The condition of the guarantee {holds}: {t.guarantee.because}.")
    console.print(
        "It says that the judge could read what it judged. It promises nothing without a judge that judges well."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the transcripts go (a new temporary folder)")
    parser.add_argument("--programs-only", action="store_true", help="only part (a)")
    options = parser.parse_args()
    out = options.out or Path(tempfile.mkdtemp(prefix="moot-demo-"))
    begun = time.monotonic()
    try:
        programs(out)
        if not options.programs_only:
            models(out)
    except moot.MootError as error:
        print(f"demo: {error}", file=sys.stderr)
        sys.exit(2)
    console.print(
        f"\n{time.monotonic() - begun:.0f} s; the transcripts are in {out} (moot show {out}/…, moot cost {out}/…)"
    )


if __name__ == "__main__":
    main()
