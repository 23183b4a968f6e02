"""Import 250 debates and fold their transcripts: against `json.loads` of the same files.

The records are made here in the format of the human debates of Michael et al. 2023 (`moot import nyu`), and are like theirs
on average: stories of 5,900 tokens, 1,400 of them different, each story in six or seven debates; a debate has 5 speeches, 13
quotes, 2,600 characters of text and half a dozen rounds, and surveys of a kilobyte; two in five were judged again after their
end, and one in three holds characters that are not Latin.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.timing import Row, best
from moot.transcripts.formats.nyu import import_debate, read_json

DEBATES, STORIES, TOKENS = 250, 39, 5_900
_COMMON = "the of and to a in was he that it his had for with as not on at you is him I be said they from have were but".split()
_WORDS = [
    a + b + c
    for a in "bridge cap fin gal hol jar kel mor nil pan".split()
    for b in "a en ir o us".split()
    for c in "d der ging l ling ly man ment n ned ning r red ring s sed ses sing st t ted tes th ting tion ty ve ving w x".split()
]
_MARKS = [",", ",", ".", ".", "``", "''", "?", "!", "--", "n't", "'s", ";", "-LRB-", "-RRB-", "\n", "..."]


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        given = os.environ.get("MOOT_NYU_DATA")  # the real ones, where they are there
        files = sorted(Path(given).glob("debates/*.json"))[:DEBATES] if given else _made(Path(folder))

        def bare() -> None:
            for file in files:
                json.loads(file.read_bytes())

        def imported() -> None:
            for file in files:
                transcript = import_debate(read_json(file.read_bytes()))
                folded.append((transcript.outcome, transcript.tree.number_of_nodes(), transcript.ledger.tree.nodes))

        folded: list[Any] = []
        base, whole = best(bare, imported, repeats=5)
        assert folded and not len(folded) % len(files) and all(nodes for _, nodes, _ in folded)
        whose = "published debates" if given else "debates made here"
        size = sum(file.stat().st_size for file in files)
    yield Row("import 250 debates and fold them, against json.loads of the same files", whole / base, 5.5, "×",
              f"{len(files)} {whose}, {size / 1e6:.1f} MB; json.loads alone {base:.3f} s")  # fmt: skip


def _made(folder: Path) -> list[Path]:
    random = Random("importing")
    vocabulary = random.sample(_WORDS, len(_WORDS))
    stories = [[_token(random, vocabulary) for _ in range(TOKENS)] for _ in range(STORIES)]
    files = [folder / f"{number:03}.json" for number in range(DEBATES)]
    for number, file in enumerate(files):
        file.write_text(_compact(_record(random, stories[number * STORIES // DEBATES])), encoding="utf-8")
    return files


def _compact(record: dict[str, Any]) -> str:
    return json.dumps(record, separators=(",", ":"), ensure_ascii=False)


def _token(random: Random, vocabulary: list[str]) -> str:
    """A common word, a mark, or a rarer word."""
    return random.choice(random.choice((_COMMON, _COMMON, _MARKS, vocabulary, vocabulary)))


def _record(random: Random, story: list[str]) -> dict[str, Any]:
    """A debate of two or three rounds of two speeches, with the judge's belief before and after each."""
    feedback = {"JudgeFeedbackRound": {"reportBeliefs": True, "charLimit": 1500}}

    def speeches(order: str) -> dict[str, Any]:
        return {f"{order}SpeechesRound": {"charLimit": 5000, "quoteLimit": 5000, "assignedDebatersOnly": False}}

    end = random.choice((" — and that’s it.\n", ".\n", "."))

    def said(who: str, quotes: int) -> dict[str, Any]:
        content: list[dict[str, Any]] = []
        for _ in range(quotes):
            start = random.randrange(TOKENS - 30)
            content += [{"Text": {"text": " ".join(random.choices(story, k=31)) + " "}}]
            content += [{"Quote": {"span": [start, start + random.randint(3, 20)]}}]
        content += [{"Text": {"text": " ".join(random.choices(story, k=16)) + end}}]
        return {"speaker": who, "timestamp": 1_690_000_000_000, "content": content}

    def belief(end: bool) -> dict[str, Any]:
        p = random.randint(1, 99) / 100
        return {"JudgeFeedback": {"distribution": [p, 1 - p], "feedback": said("Jo", 0), "endDebate": end}}

    def both(kind: str) -> dict[str, Any]:
        return {kind: {"speeches": {"0": said("Ann", 3), "1": said("Bob", random.choice((2, 2, 3)))}}}

    later = [belief(end)["JudgeFeedback"] for end in (False, False, True)]
    judged = {"mode": "stepped", "startTimeMillis": 1_690_000_000_000, "judgments": later}
    offline = [{"OfflineJudgments": {"judgments": {"Olive": judged}}}] * (random.random() < 0.4)
    scoring = {"baseCoefficient": 1.0, "constant": 0.0, "logBase": 2.0, "perTurnPenalty": 0.05}
    return {
        "setup": {
            "rules": {
                "fixedOpening": [feedback, speeches("Simultaneous"), feedback],
                "repeatingStructure": [speeches("Sequential"), feedback],
                "fixedClosing": None, "globalQuoteRestriction": None,
                "scoringFunction": {"LogScoreWithLinearPenalty": scoring},
            },
            "sourceMaterial": {"QuALITYSourceMaterial": {"articleId": "7", "title": "A Story", "contents": story}},
            "question": "Who looked back?", "answers": ["The captain", "The old men"], "correctAnswerIndex": 1,
            "roles": {"Debater A": "Ann", "Debater B": "Bob", "Judge": "Jo"}, "offlineJudges": {},
            "creationTime": 1_690_000_000_000,
        },
        "rounds": [
            belief(False), both("SimultaneousSpeeches"), belief(False),
            *([both("SequentialSpeeches"), belief(False)] * random.randint(0, 1)),
            both("SequentialSpeeches"), belief(True), *offline,
        ],
        "feedback": {who: {"answers": {f"question {n}": {"free text": "It was clear." * 2} for n in range(6)}}
                     for who in ("Ann", "Bob", "Jo")},
        "scratchpads": {},
    }  # fmt: skip
