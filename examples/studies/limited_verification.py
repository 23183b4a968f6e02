"""Does a judge do better with k queries to an oracle, and is it what the oracle says that helps?

    python limited_verification.py [--out FOLDER] [--debates 40] [--repetitions 3] [--local]

Debates are held once and saved; then each is judged again, under six arms and up to four budgets. The seats are programs whose
share of wrong verdicts is known in closed form, so that what is measured must agree with it; with --local the embedded model sits
in all of them. The same command goes on where it was stopped.
"""

import argparse
import math
import tempfile
from pathlib import Path
from typing import Any

import moot
from moot.studies.report.page import report
from moot.studies.results.gates import gates_of
from moot.studies.results.results import Results
from moot.tasks.programs.verification import LogOddsJudge, NoisyVerifier, expected_share

ACCURACY, SILENT, MUDDLED = 0.8, 0.1, 0.5
BOTH: dict[str, Any] = {"na": "no", "wrap": 2}
ARMS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "clean": ((0, 1, 2, 5), {}),  # what the oracle says, as it says it
    "both": ((1, 2, 5), BOTH),  # "not addressed" becomes "no", and each query is wrapped twice
    "placebo": ((1, 2, 5), {"placebo": True}),  # the judge is told that nothing was verified
    "na_only": ((1, 2), {"na": "no"}),
    "doubled_only": ((1, 2), {"wrap": 2}),
    "legacy": ((1, 2), BOTH),  # as "both", of debates whose sides are drawn anew
}


def start_of(text: str) -> float:
    """How a debate itself came out for the judge: its log odds for the first answer."""
    return 0.9 * math.sin(int("".join(filter(str.isdigit, text)) or 0))


class Judge:
    """The judge of the closed form: what the debate was worth to it depends on the question."""

    def act(self, request: moot.Request) -> moot.Move:
        return LogOddsJudge(start_of(request.view.question.text), ACCURACY)(request)

    def identity(self) -> list[float]:
        return [ACCURACY, 1]


class Oracle:
    """Right with a known probability, and as often silent."""

    def act(self, request: moot.Request) -> moot.Move:
        return NoisyVerifier(ACCURACY, SILENT, MUDDLED)(request)

    def identity(self) -> list[float]:
        return [ACCURACY, SILENT, MUDDLED, 1]


def speak(request: moot.Request) -> moot.Move:
    return moot.Speech(text=f"I speak for answer {request.brief['answer'] + 1}.")


def questions(count: int, local: bool) -> list[moot.Sample]:
    made = []
    for number in range(count):
        log = ("A storm rose at night, and she sank.", "The admiral had her sluices opened, and she sank.")[number % 2]
        source = {"passage": log} if local else {"data": {"truth": number % 2}}
        asked = moot.Question(f"Who sank ship {number}?", ("a storm", "the admiral"), id=f"ship-{number}", **source)
        made.append(moot.Sample(asked, truth=number % 2))
    return made


def study(count: int, repetitions: int, local: bool) -> moot.Study:
    """The saved debates, and every arm at each of its budgets, judging them again."""
    model = moot.Local(max_tokens=64) if local else None
    judge, oracle, speaker = model or Judge(), model or Oracle(), model or speak
    held = moot.Debate(rounds=1, judged=False)
    drawn = moot.Debate(rounds=1, judged=False, swap=True)  # the debaters on each other's sides
    made = moot.Study(
        "limited-verification",
        questions(count, local),
        {"saved": moot.Arm(held, {"debater": speaker}), "drawn anew": moot.Arm(drawn, {"debater": speaker})},
        agents={"judge": judge, "oracle": oracle},
        seed=2026,
    )
    for arm, (budgets, more) in ARMS.items():
        for budget in budgets:
            made = made.rejudge(
                "judge", of="drawn anew" if arm == "legacy" else "saved", name=f"{arm} {budget}", repetitions=repetitions,
                procedure=(moot.Queries(budget=budget, **more),), seats={"oracle": "oracle"}, axes={"arm": arm, "budget": budget},
            )  # fmt: skip
    # Stated beforehand: oracle answers make fewer verdicts wrong, by at least 4 points, with an interval on one side of 0.
    fewer = {"clean 1": -0.5, "clean 2": -0.5, "clean 0": 1.0}
    turns = {"clean 2": -1.0, "placebo 2": 1.0}
    return made.gate("primary", metric="wrong", contrast=fewer, at_least=0.04, interval_above=0.0).gate(
        "content, not turns", metric="wrong", contrast=turns, interval_above=0.0
    )


def closed_form(rows: list[dict[str, Any]]) -> None:
    """Every arm beside its closed form: the share of wrong verdicts, and how many standard errors they are apart."""
    print(f"{'arm':16}{'judged':>8}{'wrong':>8}{'expected':>10}{'z':>7}")
    for name, results in Results(rows).by("arm").items():
        judged = [row for row in results if row["outcome"] == "decided"]
        if not judged or "budget" not in judged[0]["axes"]:
            continue
        budget, more = judged[0]["axes"]["budget"], ARMS[judged[0]["axes"]["arm"]][1]
        silent = MUDDLED if more.get("wrap") == 2 else SILENT
        kept = {key: value for key, value in more.items() if key != "wrap"}
        expected = [
            expected_share(start_of(row["question"]), ACCURACY, budget, row["truth"], silent=silent, **kept)
            for row in judged
        ]
        wrong = sum(0.5 if row["correct"] is None else float(not row["correct"]) for row in judged)
        spread = math.sqrt(sum(p * (1 - p) for p in expected))
        z = (wrong - sum(expected)) / spread if spread else 0.0
        print(f"{name:16}{len(judged):8}{wrong / len(judged):8.3f}{sum(expected) / len(judged):10.3f}{z:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--debates", type=int, default=40)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument(
        "--local", action="store_true", help="the embedded model in every seat (pip install 'moot[local]')"
    )
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp()) / "limited-verification"
    made = study(given.debates, given.repetitions, given.local).freeze()
    print(made.run(folder))
    rows = [row for row in made.rows(folder) if row["parent"] is not None]
    if not given.local:
        closed_form(rows)
    for gate in gates_of([*made.design.gates]):
        print(f"gate {gate.rule(Results(rows))}")
    print(
        report(
            rows,
            folder / "report.html",
            title="Limited verification",
            gates=gates_of([*made.design.gates]),
            design=made.design,
        )
    )


if __name__ == "__main__":
    main()
