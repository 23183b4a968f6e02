"""Records in the format of the human debates of Michael et al. 2023, made for the tests."""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]
TOKENS = (
    "THE LAMP \n \n `` Do n't touch the lamp , '' said the keeper -- twice . The boys ' boat -LRB- a small one -RRB- "
    "was gon na sink ."
).split(" ")
LOG = {"LogScoreWithLinearPenalty": {"baseCoefficient": 1.0, "constant": 0.0, "logBase": 2.0, "perTurnPenalty": 0.05}}
FEEDBACK = {"JudgeFeedbackRound": {"reportBeliefs": True, "charLimit": 60}}
NEGOTIATE = {"NegotiateEndRound": {"assignedDebatersOnly": False}}


def speeches(order: str, only: bool = False, chars: int = 80, quotes: int | None = 40) -> Json:
    return {f"{order}SpeechesRound": {"charLimit": chars, "quoteLimit": quotes, "assignedDebatersOnly": only}}


def said(who: str, at: int, *content: str | tuple[int, int]) -> Json:
    pieces = [{"Text": {"text": c}} if isinstance(c, str) else {"Quote": {"span": list(c)}} for c in content]
    return {"speaker": who, "timestamp": 1_700_000_000_000 + at, "content": pieces}


def belief(p: float, at: int, end: bool = False, text: str = "Why the lamp?") -> Json:
    feedback = said("Jo Judge", at, *([text] if text else []))
    return {"JudgeFeedback": {"distribution": [p, 1 - p], "feedback": feedback, "endDebate": end}}


def votes(**given: bool) -> Json:
    return {"NegotiateEnd": {"votes": {key[1:]: vote for key, vote in given.items()}}}


def record(
    rounds: list[Json], *, opening: list[Json], repeat: list[Json], roles: Json, closing: Json | None = None
) -> Json:
    made = {
        "setup": {
            "rules": {
                "fixedOpening": opening, "repeatingStructure": repeat, "fixedClosing": closing,
                "globalQuoteRestriction": None, "scoringFunction": LOG,
            },
            "sourceMaterial": {"QuALITYSourceMaterial": {"articleId": "7", "title": "The Lamp", "contents": TOKENS}},
            "question": "What did the keeper forbid?",
            "answers": ["To touch the lamp", "To take the boat"],
            "correctAnswerIndex": 0,
            "roles": roles,
            "offlineJudges": {"Olive Offline": "stepped"},
            "creationTime": 1_699_999_999_999,
        },
        "rounds": rounds,
        "feedback": {"Ann": {"Debater": {"answers": {"clarity": 3}}}},
        "scratchpads": {"Debater A": [[{"Quote": {"span": [4, 9]}}]]},
    }  # fmt: skip
    return copy.deepcopy(made)


BOTH = {"Debater A": "Ann", "Debater B": "Bob", "Judge": "Jo Judge"}
BOB_FIRST = {"1": said("Bob", 2, "The boat ", (21, 23), "!"), "0": said("Ann", 3, (5, 10), (11, 12), " says it all.")}


def debate(*later: Json) -> Json:
    return record(
        [belief(0.5, 1, text=""), {"SimultaneousSpeeches": {"speeches": dict(BOB_FIRST)}}, *later], roles=BOTH,
        opening=[FEEDBACK, speeches("Simultaneous"), FEEDBACK], repeat=[speeches("Sequential"), FEEDBACK],
    )  # fmt: skip


def finished_debate() -> Json:
    answers = {"0": said("Ann", 5, "No: ", (14, 20), "."), "1": said("Bob", 6, "Yes.")}
    judgment = belief(0.25, 9, end=True)["JudgeFeedback"] | {"explanation": "kept"}
    offline = {"mode": "stepped", "startTimeMillis": 8, "judgments": [belief(0.5, 8)["JudgeFeedback"], judgment]}
    return debate(
        belief(0.7, 4), {"SequentialSpeeches": {"speeches": answers}}, belief(0.99, 7, end=True, text="Enough."),
        {"OfflineJudgments": {"judgments": {"Olive Offline": offline}}},
    )  # fmt: skip


def consultancy(letter: str) -> Json:
    key = str("AB".index(letter))
    talks = [{"SequentialSpeeches": {"speeches": {key: said("Cora", at, "Believe me. ", (4, 8))}}} for at in (2, 4)]
    return record(
        [belief(0.5, 1), talks[0], belief(0.6, 3), talks[1], belief(0.2, 5, end=True)],
        opening=[FEEDBACK], repeat=[speeches("Sequential", only=True), FEEDBACK],
        roles={f"Debater {letter}": "Cora", "Judge": "Jo Judge"},
    )  # fmt: skip


def by_agreement() -> Json:
    both = {"0": said("Ann", 1, "One."), "1": said("Bob", 2, "Two.")}
    return record(
        [
            {"SimultaneousSpeeches": {"speeches": both}}, {"SequentialSpeeches": {"speeches": both}},
            {"SequentialSpeeches": {"speeches": both}}, votes(_0=True, _1=False),
            {"SequentialSpeeches": {"speeches": both}}, votes(_1=True, _0=True),
        ],
        opening=[speeches("Simultaneous")], repeat=[speeches("Sequential", quotes=None)],
        closing={"maxRepeatCycles": 2, "rounds": [NEGOTIATE, speeches("Sequential"), NEGOTIATE]},
        roles={"Debater A": "Ann", "Debater B": "Bob"},
    )  # fmt: skip


ONE_SIDE = debate()
del ONE_SIDE["rounds"][1]["SimultaneousSpeeches"]["speeches"]["0"]
WAITING = debate()
WAITING["rounds"] = []
GOOD = {
    "debate": finished_debate(),
    "consultancy for A": consultancy("A"),
    "consultancy for B": consultancy("B"),
    "agreement": by_agreement(),
    "time up": {**by_agreement(), "rounds": [*by_agreement()["rounds"][:-1], votes(_0=False, _1=False)]},
    "waiting": WAITING,
    "one side spoke": ONE_SIDE,
    "in progress": debate(belief(0.7, 4), {"SequentialSpeeches": {"speeches": {"0": said("Ann", 5, "I ask.")}}}),
}
