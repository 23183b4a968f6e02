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


def broken(change: str) -> tuple[Json, str, str | None]:
    """A record that breaks a rule, what is said of it, and the step that has a remark."""
    given = finished_debate()
    rounds = given["rounds"]
    if change == "long quotes":
        rounds[3]["SequentialSpeeches"]["speeches"]["0"]["content"] = [{"Quote": {"span": [4, 20]}}]
        return given, r"rounds.3.SequentialSpeeches.speeches.0: the limit is 40 characters", "3"
    if change == "long feedback":
        rounds[2] = belief(0.7, 4, text="y" * 61)
        return given, r"rounds.2.JudgeFeedback: the limit is 60 characters; this text has 61", "2"
    if change == "no distribution":
        rounds[2]["JudgeFeedback"]["distribution"] = [0.5, 0.6]
        return given, r"rounds.2.JudgeFeedback: .*sum to 1, not \[0.5, 0.6\]", "2"
    if change == "wrong round":
        rounds[2] = votes(_0=False, _1=False)
        return given, r"rounds.2.NegotiateEnd: the rules call for JudgeFeedback here; the debate is played by", None
    if change == "more rounds":
        given["setup"]["rules"]["fixedClosing"] = {"maxRepeatCycles": 0, "rounds": []}
        return given, r"rounds.3.SequentialSpeeches: the rules call for no more rounds; the debate is played by", None
    if change == "rules without end":
        given["setup"]["rules"]["repeatingStructure"] = []
        return (
            given,
            r"setup.rules: a debate by them never ends; the debate is played by the rounds that were held",
            None,
        )
    if change == "a rule of no protocol":
        given["setup"]["rules"]["globalQuoteRestriction"] = 9
        return given, r"setup.rules.globalQuoteRestriction is 9: .* is not looked at", None
    if change == "wrong order":
        del rounds[3]["SequentialSpeeches"]["speeches"]["0"]
        return (
            given,
            r"rounds.3.SequentialSpeeches: step 3: there is nothing by a, and it went on: .* without words",
            "3",
        )
    if change == "nobody's speech":
        rounds[3]["SequentialSpeeches"]["speeches"]["2"] = said("Eve", 7, "Me too.")
        return given, r"rounds.3.SequentialSpeeches.speeches.2: it is not for whoever defends answer 2", None
    if change == "unfinished round":
        del rounds[3]["SequentialSpeeches"]["speeches"]["1"]
        return (
            given,
            r"rounds.3.SequentialSpeeches: step 4: there is nothing by b, and it went on: .* without words",
            "4",
        )
    if change == "after the end":
        rounds.append(belief(0.5, 20))
        return given, r"rounds.6.JudgeFeedback: the debate has ended before it", None
    if change == "early offline judgment":
        rounds.insert(2, rounds.pop())
        return given, r"rounds.2.OfflineJudgments: the debate has not ended yet", None
    rounds[5]["OfflineJudgments"]["judgments"]["Olive Offline"]["judgments"][0]["distribution"] = [2.0, -1.0]
    return given, r"rounds.5.OfflineJudgments.judgments.Olive Offline: .*less than or equal to 1", None
