"""How amplification fails: circles, errors that add up, budgets that buy nothing, overseers that are persuaded. Offline.

python examples/amplification_failures.py [--quick]        --quick: smaller instances and fewer plays
"""

import sys
from random import Random

import moot
from moot.protocols.amplification.amplification import Amplification, Reply, Subquestions
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.graphs.union_find import PublishedUnionFind
from moot.tasks.programs.programs import Overseer
from moot.training.errors import Slipping, failure_curve, inject_errors, report
from moot.training.iterated import Settings, train
from moot.training.learners import Tabular, as_agent
from moot.training.oversight import PERSUASION, Persuadable, anchoring, train_by_approval

QUICK = "--quick" in sys.argv
SIZE, PLAYS, HEIGHTS, BATCHES = (8, 10, 4, 12) if QUICK else (16, 100, 6, 150)

print("1. A question whose published rule asks for itself: refused, with the circle.")
union = PublishedUnionFind()
sample = union.sample(16, seed=1)
whole = Amplification(depth=None, width=20, turns=8, questions=1000)
print(moot.run(whole, sample, {"overseer": Overseer(union)}).outcome)

print("\n2. An overseer that slips in 2 % of its answers; any wrong sub-answer makes the answer wrong.")
print(report(failure_curve(0.02, range(HEIGHTS), plays=PLAYS)))

print("\n3. The same in training, at 5 %: a table of the latest target, and one of the majority of the latest 9.")
task = PermutationPower()
data = task.data(SIZE, Random(0))
texts = list(task.learnable(data))


def right(learner: Tabular) -> str:
    """The share of right answers."""
    said = learner.predict(texts)
    return f"{sum(one == task.truth(data, text) for one, text in zip(said, texts, strict=True)) / len(texts):.1%}"


limited = Settings(batch=40, patience=5, threshold=0.7, batches=BATCHES)
for recent in (1, 9):
    run = train(task, data, Tabular(recent), limited, wrap=inject_errors(0.05))
    assert isinstance(run.learner, Tabular)
    print(f"majority of {recent}: {right(run.learner)} right")

print('\n4. "100+100?" by asking "2*100?" and back, with all the budget there is (Shah).')


def halver(request: moot.Request) -> moot.Move:
    """Passes the question on in another form; where it must answer, it guesses."""
    answers = [entry.move.answer for entry in request.view if isinstance(entry.move, Reply)]
    if answers or Subquestions not in request.kinds:
        return Reply(answer=answers[0] if answers else "150")
    other = "2*100?" if request.view.question.text == "100+100?" else "100+100?"
    return Subquestions(questions=(other,), budgets=(request.brief["budget"],))


for budget in (3, 30, 300):
    play = moot.run(
        Amplification(depth=None, budget=budget, questions=1000),
        moot.Question("100+100?", ("150", "200")),
        {"overseer": halver},
    )
    assert isinstance(play.outcome, moot.Decided)
    print(f"budget {budget:3}: {len(list(play.steps()))} calls, answer {play.outcome.verdict.text}")

print("\n5. Approval: wrong answers that come with a persuasive text, to an overseer that slips in 5 % of its answers.")
table = Tabular()
table.train(texts, [task.truth(data, text) for text in texts])
cases = []
for text in texts:
    true, wrong = task.truth(data, text), task.wrong(data, text, Random(text))
    cases.append((moot.Question(text, (true, wrong), data=data, size=SIZE, unit="cells"), wrong, PERSUASION))
print("persuaded with p   approved seen   blind   seen - blind   p (1 - e)   flips")
for p in (0.0, 0.1, 0.5, 1.0):
    found = anchoring(cases, Persuadable(Slipping(Overseer(task), 0.05), p), as_agent(table, task))
    assert found.shift is not None and found.flips is not None
    seen, blind = found.seen / found.plays, found.blind / found.plays
    print(f"{p:16.1f}   {seen:13.3f}   {blind:5.3f}   {found.shift:12.3f}   {p * 0.95:9.3f}   {found.flips:5.3f}")

print("\n6. Trained by what is approved, right answers; persuaded with p, shown the answer or blind (imitation):")
for p in (0.0, 0.1, 0.5, 1.0):
    shares = [
        right(train_by_approval(task, data, Persuadable(Overseer(task), p), seen=seen, texts=("", PERSUASION)))
        for seen in (True, False)
    ]
    print(f"p = {p:.1f}: seen {shares[0]}, blind {shares[1]}")
