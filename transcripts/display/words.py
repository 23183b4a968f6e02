"""How outcomes, settings, scores and ledgers are put into words, for the terminal and the notebook alike.

Rule of this file: sentences, not layout.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from moot.complexity.play import Play
from moot.complexity.reward import correct, judge_reward, leader
from moot.complexity.spending import number, percent
from moot.protocols.engine.errors import MootError, TranscriptError
from moot.protocols.engine.images.image import Image
from moot.protocols.engine.outcomes import Decided, Errored, Exhausted, Forfeited, Unjudged, Unreadable
from moot.protocols.text import one_line


def setting(transcript: Play) -> str:
    """The protocol with its parameters, the seed, the size of the question, the length of the passage, what the images are."""
    record, question = transcript.started["protocol"], transcript.question
    given = {key: _bare(value) for key, value in record["params"].items()}
    params = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
    parts = [one_line(record["name"] + (f" ({params})" if params else ""), 400), f"n = {number(question.size)}"]
    if question.passage is not None:
        parts.append(f"passage of {number(len(question.passage.split()))} words")
    if question.images:
        what = f"{len(question.images)} images" if len(question.images) > 1 else "1 image"
        parts.append(f"{what} ({'; '.join(map(_pictured, question.images))})")
    if question.data is not None:
        parts.append("data" + (f" of {len(question.data)} items" if isinstance(question.data, (list, dict)) else ""))
    return "; ".join([*parts, f"seed {transcript.seed}"])


def _pictured(image: Image) -> str:
    """An image in words, never its bytes."""
    return f"{image}: {one_line(image.alt, 200)}" if image.alt else str(image)


def _bare(value: Any) -> Any:
    """A parameter without the fields that say nothing."""
    if isinstance(value, dict):
        return {key: _bare(inner) for key, inner in value.items() if inner is not None}
    return [_bare(inner) for inner in value] if isinstance(value, list) else value


def ending(transcript: Play) -> str:
    """The outcome in a sentence."""
    outcome, choices = transcript.outcome, transcript.question.choices
    if outcome is None:
        return "Not ended" + (f": go on with it by `moot resume {transcript.path}`" if transcript.path else "")
    if isinstance(outcome, Decided):
        believed = outcome.verdict.probabilities
        return f"Decided{',' if leader(believed) is None else ':'} {_first(believed, choices)}"
    if isinstance(outcome, Forfeited):
        return f"Forfeited by {one_line(outcome.seat, 64)} at step {outcome.step}: {one_line(outcome.rule, 500)}"
    if isinstance(outcome, Exhausted):
        spent = f"{number(outcome.used)} {one_line(outcome.measure, 40).replace('_', ' ')} of {number(outcome.limit)}"
        return f"Exhausted at step {outcome.step}: {one_line(outcome.seat, 64)} would have spent {spent}"
    if isinstance(outcome, Unreadable):
        return f"Unreadable at step {outcome.step}: what {one_line(outcome.seat, 64)} said: {one_line(outcome.reason, 500)}"
    if isinstance(outcome, Unjudged):
        return "Unjudged: all is said; let it be judged by `moot rejudge`"
    assert isinstance(outcome, Errored)
    where = f"at step {outcome.step}" if outcome.step else "before anybody was asked"
    return f"Errored {where}: {one_line(outcome.cause.removeprefix(f'step {outcome.step}: '), 1000)}"


def scored(transcript: Play) -> list[str]:
    """What others than the judge answered; payoffs; and, when the truth is known, whether the judge was right and its reward,
    and whether the others were."""
    outcome, lines = transcript.outcome, list[str]()
    answered = _others(transcript) if isinstance(outcome, Decided) else {}
    for seat, answer in answered.items():
        lines.append(f"the {one_line(seat, 64)} answers: {_first(answer, transcript.question.choices)}")
    if isinstance(outcome, Decided) and outcome.payoffs:
        paid = (f"{one_line(seat, 64)} {pay:+.4g}" for seat, pay in outcome.payoffs.items())
        lines.append(f"payoffs: {', '.join(paid)}")
    try:
        truth, choices = transcript.sample.unseal(), transcript.question.choices
    except TranscriptError as error:  # it is sealed in a file that is not here
        return [*lines, one_line(str(error), 500)]
    if truth is None or not 0 <= truth < len(choices):
        return lines
    line = f"true answer: {one_line(choices[truth], 200)}"
    if isinstance(outcome, Decided):
        line += f"; the judge {({True: 'is right', False: 'is wrong', None: 'does not say'})[correct(transcript)]}"
        try:
            reward = judge_reward(transcript)
        except MootError as error:
            line += f"; no reward: {one_line(str(error), 200)}"
        else:
            line += f"; its reward: {reward:.4g}" if reward is not None else ""
    for seat, answer in answered.items():
        first = leader(answer)
        line += f"; the {one_line(seat, 64)} {'does not say' if first is None else 'is right' if first == truth else 'is wrong'}"
    return [*lines, line]


def _others(transcript: Play) -> Mapping[str, tuple[float, ...]]:
    """What seats other than the judge answered; nothing where the protocol is not installed."""
    try:
        return transcript.protocol.other_answers(transcript.steps())
    except MootError:
        return {}


def _first(believed: Sequence[float], choices: Sequence[str]) -> str:
    """The most probable choice, and how probable it is."""
    best = leader(believed)
    if best is None:
        return "with no answer ahead of the others"
    name = one_line(choices[best], 200) if best < len(choices) else f"answer {best}"
    return f"{name} ({percent(believed[best])})"
