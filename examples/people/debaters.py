"""Two debaters for people to judge: one quotes the passage, one does not. Both are programs; no model is needed."""

import re

import moot


def quoting(request: moot.Request) -> moot.Speech:
    """Quotes the sentence that shares most words with the answer it defends, another one each round."""
    question = request.view.question
    answer = question.choices[request.brief["answer"]]
    wanted = set(re.findall(r"\w+", answer.lower()))
    sentences = re.split(r"(?<=[.?!])\s+", question.passage or "")
    best = sorted(sentences, key=lambda sentence: -len(wanted & set(re.findall(r"\w+", sentence.lower()))))
    quote = best[(request.brief.get("round", 1) - 1) % len(best)]
    return moot.Speech(text=f"The answer is: {answer}. The passage has it: <quote>{quote}</quote>")


def plain(request: moot.Request) -> moot.Speech:
    """Says its answer, and that the other one cannot show theirs."""
    answer = request.view.question.choices[request.brief["answer"]]
    if request.brief.get("round", 1) == 1:
        return moot.Speech(text=f"The answer is: {answer}. Whoever reads the passage to its end finds that.")
    return moot.Speech(
        text=f"Nothing that was said speaks against this: {answer}. Ask yourself which answer needs fewer assumptions."
    )
