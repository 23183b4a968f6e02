"""What a recording is good for: take up a play that broke off, or go another way from one of its steps."""

import tempfile
from pathlib import Path

import moot

question = moot.Question("Which came first?", ("the chicken", "the egg"))
folder = Path(tempfile.mkdtemp())


def speaker(request: moot.Request) -> moot.Speech:
    return moot.Speech(text=f"Step {request.step}: it was {question.choices[request.brief['answer']]}.")


def undecided(request: moot.Request) -> moot.Verdict:
    return moot.Verdict(probabilities=(0.5, 0.5))


def absent(request: moot.Request) -> moot.Verdict:
    raise ConnectionError("the judge's endpoint is down")


seats = {"a": speaker, "b": speaker}
broken = moot.run(moot.Debate(rounds=3), question, {**seats, "judge": absent}, out=folder / "debate.jsonl")
print("first:", broken.outcome)  # Errored: a failed call is no verdict

whole = moot.resume(folder / "debate.jsonl", {**seats, "judge": undecided})
print("resumed:", whole.outcome, "with", whole.ledger.seats["a"].calls, "speeches of a, none made twice")


def turncoat(request: moot.Request) -> moot.Speech:
    return moot.Speech(text="On reflection, I concede.")


other = moot.fork(whole, at="1.0.0", seats={"a": turncoat, "b": speaker, "judge": undecided}, out=folder / "fork.jsonl")
print(other.tree)
assert moot.replay(other).digest == other.digest != whole.digest
