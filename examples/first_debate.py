"""A debate between Python functions on a real passage: scripted, saved, replayed, judged again. No model, no network."""

import re
import tempfile
from pathlib import Path

import moot
from moot.tasks.reading.reading import samples

sample = samples("harbour-inquiry")[0]  # a question, its passage, and the sealed true answer


def debater(request: moot.Request) -> moot.Speech:
    """Quotes the sentence of the passage that shares most words with the answer it was given to defend."""
    question = request.view.question
    answer = question.choices[request.brief["answer"]]
    wanted = set(answer.lower().split())
    sentences = re.split(r"(?<=[.?!])\s+", question.passage or "")
    best = max(sentences, key=lambda sentence: len(wanted & set(sentence.lower().split())))
    return moot.Speech(text=f"I say: {answer}. The text has it: <quote>{best}</quote>")


def judge(request: moot.Request) -> moot.Verdict:
    """Believes the debater with more verified quotes. It never sees the passage, only what was said."""
    counts = [1.0, 1.0]
    for entry in request.view:
        if isinstance(entry.move, moot.Speech):
            counts["ab".index(entry.seat)] += sum(bool(quote.verified) for quote in entry.move.quotes)
    total = sum(counts)
    return moot.Verdict(probabilities=tuple(count / total for count in counts))


def longest(request: moot.Request) -> moot.Verdict:
    """Another judge: believes whoever said more."""
    said = [sum(len(e.move.content()) for e in request.view if e.seat == seat) for seat in "ab"]
    return moot.Verdict(probabilities=tuple(length / sum(said) for length in said))


out = Path(tempfile.mkdtemp()) / "debate.jsonl"
protocol = moot.Debate(rounds=2, order="simultaneous")
seats = {"a": debater, "b": debater, "judge": moot.Bounded(judge, reads="40*n + 2000")}
t = moot.run(protocol, sample, seats, seed=7, out=out)

print(t.outcome)
print(t.tree)
print(t.guarantee)
assert moot.replay(moot.load(out)).digest == t.digest

again = moot.rejudge(t, longest)
print("judged again:", again.outcome)
