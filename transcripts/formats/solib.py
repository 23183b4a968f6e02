"""Experiments of solib (Pallavi Sudhir, Kaunismaa and Panickssery 2025, arXiv 2504.03731) as plays, one for each answer that
was argued for.

A record's recorded scores are computed again from the judge's probabilities (`solib_scores`), and what differs is reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as given_by
from pathlib import Path
from typing import Any, ClassVar

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Questions, Speeches
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Ask, Move, Speech, Verdict
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.formats.importing import Format, Play, Record, json_value
from moot.transcripts.formats.records import field, json_records, objects
from moot.transcripts.formats.solib_scores import disagreements, of_record

CLIENT = "client"
_FOLDER = re.compile(r"(Blind|Propaganda|Consultancy|Debate)(?:_t([01])_n\d+)?")


@dataclass(frozen=True, slots=True)
class Run(Record):
    """A record, with what the files beside it say of the run. kind: of its protocol ("Debate"). simultaneous: whether its
    debaters spoke at the same time. None where nothing says. seats: who sat where. problems: what is wrong with the config."""

    kind: str | None = None
    simultaneous: bool | None = None
    seats: Mapping[str, Mapping[str, Any]] = given_by(default_factory=dict)
    problems: tuple[str, ...] = ()


class Solib(Format):
    """Files `results.jsonl`, with the `config.json` that was saved beside each."""

    name: ClassVar[str] = "solib"
    about: ClassVar[str] = (
        "results.jsonl of solib experiments, an answer argued for at a time (Pallavi Sudhir et al. 2025)"
    )
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)

    def records(self, file: Path) -> Iterator[Record | str]:
        told = config_of(file)
        above = file.resolve().parent.parts[-2:]
        names = above if file.stem == "results" and any(map(_FOLDER.fullmatch, above)) else ()
        problems = _config_problems(file)
        for record in json_records(file):
            if isinstance(record, str):
                yield record
            else:
                name = "-".join([*names, record.name])
                yield Run(name.lstrip("-._"), record.value, record.place, bool(names), *told, problems)
                problems = ()  # told once, with the first record

    def plays(self, record: Record) -> Iterator[Play | str]:
        run = record if isinstance(record, Run) else Run(record.name, record.value, record.place)
        value = run.value
        text, cases = field(value, "question", str), objects(value, "answer_cases")
        answers = _answers(cases)
        labels = sorted(answers)
        choices = tuple(answers[label] for label in labels)
        if len(set(choices)) < len(choices):
            choices = tuple(f"({label}) {answers[label]}" for label in labels)
        truth, problems = _truth(cases, labels)
        problems = [*run.problems, *problems]
        argued = {case["short"]: case.get("case_probs") for case in cases}
        if all(each is None for each in argued.values()):
            raise UsageError("answer_cases: none has case_probs, so that no answer was argued for and judged")
        problems += _scores(value, cases, truth)
        for number, case in enumerate(cases):
            if case.get("case_probs") is None:
                yield f"answer_cases.{number}.case_probs is missing: nobody argued for this answer"
                continue
            try:
                yield _play(run, text, labels, choices, truth, case, f"answer_cases.{number}.case_probs", problems)
            except UsageError as error:
                yield str(error)
            else:
                problems = []  # those of the whole record are told once, with its first play


def config_of(file: Path) -> tuple[str | None, bool | None, dict[str, dict[str, Any]]]:
    """What `config.json` beside a file says of the run, and where it is silent or missing, the name of a folder
    ("Debate_t1_n4"): the kind of protocol, whether debaters spoke at the same time, who sat where."""
    kind: str | None = None
    simultaneous: bool | None = None
    seats: dict[str, dict[str, Any]] = {}
    config: Any = None
    try:
        config = json_value((file.parent / "config.json").read_bytes())
    except (OSError, ValueError, RecursionError):
        pass  # a run without a readable config: the transcripts show what they can
    if isinstance(config, dict):
        protocol = _described(config.get("protocol"))
        if isinstance(protocol.get("__class__"), str):
            kind = protocol["__class__"].rpartition(".")[2]
        if isinstance(protocol.get("simultaneous"), bool):
            simultaneous = protocol["simultaneous"]
        for who in ("agent", "adversary", "judge"):
            about = {
                key: each for key, each in _described(config.get(who)).items() if key in ("__class__", "model", "tools")
            }
            if about:
                seats[who] = about
    for part in (file.resolve().parent.name, file.resolve().parent.parent.name):
        named = _FOLDER.fullmatch(part)
        if named is not None:
            kind = kind or named[1]
            if simultaneous is None and named[1] == "Debate" and named[2] is not None:
                simultaneous = named[2] == "1"
    return kind, simultaneous, seats


def _config_problems(file: Path) -> tuple[str, ...]:
    config = file.parent / "config.json"
    try:
        value = json_value(config.read_bytes())
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, RecursionError) as error:
        return (f"config.json beside it cannot be read: {' '.join(str(error).split())[:80]}",)
    return () if isinstance(value, dict) else ("config.json beside it is not an object",)


def _described(component: Any) -> dict[str, Any]:
    """A component of the config, its parameters beside its class."""
    if not isinstance(component, dict):
        return {}
    inner = component.get("dict")
    return {**(inner if isinstance(inner, dict) else {}), **{k: v for k, v in component.items() if k != "dict"}}


def _answers(cases: list[dict[str, Any]]) -> dict[str, str]:
    """The answers by their short names. Files put the true one first, so their order must not become that of the choices."""
    answers: dict[str, str] = {}
    for number, case in enumerate(cases):
        short = field(case, "short", str, at=f"answer_cases.{number}")
        long = case.get("long")
        if short in answers:
            raise UsageError(f"answer_cases.{number}.short is {short!r}, which another answer has too")
        if short == CLIENT:
            raise UsageError(f"answer_cases.{number}.short is {short!r}, which is the judge's name in a consultancy")
        answers[short] = long if isinstance(long, str) and long.strip() else short if long is None else str(long)
    if len(answers) != 2:
        raise UsageError(f"answer_cases has {len(answers)} answers; a record has two")
    return answers


def _truth(cases: list[dict[str, Any]], labels: list[str]) -> tuple[int | None, list[str]]:
    values = {case["short"]: case.get("value") for case in cases}
    if all(value is None for value in values.values()):
        return None, []
    true = [short for short, value in values.items() if not isinstance(value, bool) and value == 1]
    false = [short for short, value in values.items() if not isinstance(value, bool) and value == -1]
    if len(true) == 1 and len(false) == 1:
        return labels.index(true[0]), []
    return None, [f"answer_cases: the values are {str(list(values.values()))[:60]}; one must be 1 and one -1"]


def _scores(value: Any, cases: list[dict[str, Any]], truth: int | None) -> list[str]:
    """Which recorded scores are not what the probabilities give."""
    labels, reports = sorted(case["short"] for case in cases), {}
    for number, case in enumerate(cases):
        try:
            p = _probabilities(case.get("case_probs"), labels, f"answer_cases.{number}.case_probs")
        except UsageError:
            p = None  # reported with its play
        if p is not None:
            reports[case["short"]] = p
    places: dict[str, tuple[Any, str]] = {}
    for number, case in enumerate(cases):
        inner = case.get("case_probs")
        places[f"agent_score.{case['short']}"] = (case, f"answer_cases.{number}.agent_score")
        places[f"judge_score.{case['short']}"] = (inner, f"answer_cases.{number}.case_probs.judge_score")
    found: list[str] = []
    for name, values in of_record(reports, None if truth is None else labels[truth]).items():
        holder, where = places.get(name, (value, name))
        recorded = holder.get(name.partition(".")[0]) if isinstance(holder, dict) else None
        if isinstance(recorded, dict):
            found += disagreements(recorded, values, where)
        elif recorded is not None:
            found.append(f"{where} is not an object of scores")
    return found


def _probabilities(judged: Any, labels: list[str], at: str) -> dict[str, float] | None:
    """The judge's probability of each answer; None where it has none for any. Raises UsageError on anything between."""
    found: dict[str, float] = {}
    for number, answer in enumerate(objects(judged, "answer_cases", at)):
        where = f"{at}.answer_cases.{number}"
        short, prob = field(answer, "short", str, at=where), answer.get("judge_prob")
        if prob is None:
            continue
        p = field(prob, "prob", float, at=f"{where}.judge_prob") if isinstance(prob, dict) else (
            field(answer, "judge_prob", float, at=where))  # fmt: skip
        if not 0 <= p <= 1:
            raise UsageError(f"{where}.judge_prob is {p:g}, which is no probability")
        found[short] = p
    if not found:
        return None
    if sorted(found) != labels:
        raise UsageError(f"{at}: there are probabilities for {sorted(found)}, and the answers are {labels}")
    return found


def _play(
    run: Run, text: str, labels: list[str], choices: tuple[str, ...], truth: int | None, case: dict[str, Any], at: str,
    problems: list[str],
) -> Play:  # fmt: skip
    judged, argued = field(case, "case_probs", dict, at=at.rpartition(".")[0]), case["short"]
    items = objects(judged, "transcript", at, [])
    said = [(field(item, "role", str, at=f"{at}.transcript.{i}"), field(item, "content", str, at=f"{at}.transcript.{i}"))
            for i, item in enumerate(items)]  # fmt: skip
    for number, (role, _) in enumerate(said):
        if role not in (*labels, CLIENT):
            raise UsageError(f"{at}.transcript.{number}.role is {role!r}, neither {CLIENT!r} nor one of {labels}")
    found = list(problems)
    protocol, moves = _protocol(run, labels, argued, said, at, found)
    try:
        p = _probabilities(judged, labels, at)
    except UsageError as error:
        p = None
        found.append(str(error))
    else:
        if p is None:
            found.append(f"{at}: there is no judge_prob, and so no verdict")
    if p is not None and (verdict := _verdict(p, labels, at, found)) is not None:
        moves["judge"].append(verdict)
    passage = judged.get("source_text", run.value.get("source_text"))
    question = Question(
        text, choices, passage=passage if isinstance(passage, str) and passage else None, id=run.name,
    )  # fmt: skip
    return Play(
        protocol, Sample(question, truth), moves, seats=_seats(run, protocol, labels, argued), problems=tuple(found),
        name=f"{run.name}-{argued}",
    )  # fmt: skip


def _verdict(p: dict[str, float], labels: list[str], at: str, found: list[str]) -> Verdict | None:
    """The judge's probabilities as a verdict; what had to be done to them is reported."""
    total = sum(p.values())
    if total == 0:
        found.append(f"{at}: all probabilities are 0, and so there is no verdict")
        return None
    if abs(total - 1) > 1e-6:
        found.append(f"{at}: the probabilities sum to {total:g}; the verdict has them divided by that")
        return Verdict(probabilities=tuple(p[label] / total for label in labels))
    return Verdict(probabilities=tuple(p[label] for label in labels))


def _protocol(
    run: Run, labels: list[str], argued: str, said: list[tuple[str, str]], at: str, found: list[str]
) -> tuple[Protocol, dict[str, list[Move]]]:
    """The protocol that a transcript is a play of, and what each seat said in it."""
    roles = [role for role, _ in said]
    speakers = [role for role in dict.fromkeys(roles) if role != CLIENT]
    shows = (
        "Blind" if not said else "Debate" if len(speakers) == 2 else "Propaganda" if len(said) == 1 else "Consultancy"
    )
    if shows == "Propaganda" and (CLIENT in roles or run.kind in ("Consultancy", "Debate")):
        shows = "Debate" if run.kind == "Debate" else "Consultancy"
    if run.kind is not None and run.kind != shows:
        found.append(f"{at}.transcript is not of {run.kind}, which the run is said to be, and is read as {shows}")
    if shows == "Blind":
        return DirectQA(), {"judge": []}
    if shows == "Debate":
        if CLIENT in roles:
            raise UsageError(f"{at}.transcript has two debaters and a client; no protocol of solib has")
        return _debate(run, labels, said, at, found)
    if speakers and speakers != [argued]:
        found.append(f"{at}.transcript argues for {speakers[0]}, and is recorded under {argued}")
    parts = tuple(Questions() if role == CLIENT else Speeches() for role in roles)
    answer = labels.index(speakers[0] if speakers else argued)
    moves: dict[str, list[Move]] = {
        "consultant": [Speech(text=text) for role, text in said if role != CLIENT],
        "judge": [Ask(text=text) for role, text in said if role == CLIENT],
    }
    if CLIENT not in roles:
        return Consultancy(answer=answer, rounds=len(said)), moves
    return Consultancy(answer=answer, rounds=0, opening=parts), moves


def _debate(
    run: Run, labels: list[str], said: list[tuple[str, str]], at: str, found: list[str]
) -> tuple[Protocol, dict[str, list[Move]]]:
    if run.simultaneous is None:
        found.append(
            f"{at}: nothing says whether the debaters spoke at the same time; they are read as speaking in turn"
        )
    first = said[0][0]
    other = next(label for label in labels if label != first)
    if [role for role, _ in said] != [(first, other)[i % 2] for i in range(len(said))]:
        raise UsageError(f"{at}.transcript: the debaters do not take turns: {[role for role, _ in said][:12]}")
    swap = labels.index(first) == 1 and not run.simultaneous
    seats = dict(zip(reversed(labels) if swap else labels, ("a", "b"), strict=True))
    moves: dict[str, list[Move]] = {"a": [], "b": [], "judge": []}
    for role, text in said:
        moves[seats[role]].append(Speech(text=text))
    order: Any = "simultaneous" if run.simultaneous else "sequential"
    return Debate(rounds=(len(said) + 1) // 2, order=order, swap=swap), moves


def _seats(run: Run, protocol: Protocol, labels: list[str], argued: str) -> dict[str, Mapping[str, Any]]:
    """Who sat where: the agent argues for the answer of its case, the adversary for the other."""
    told = {"judge": run.seats["judge"]} if "judge" in run.seats else {}
    agent, adversary = run.seats.get("agent"), run.seats.get("adversary")
    if isinstance(protocol, Consultancy):
        return {**told, "consultant": agent} if agent else told
    if isinstance(protocol, Debate):
        own = labels.index(argued) ^ protocol.swap
        pair = {"ab"[own]: agent, "ab"[1 - own]: adversary or agent}
        return {**told, **{seat: who for seat, who in pair.items() if who}}
    return told
