"""Experiments of solib (Pallavi Sudhir, Kaunismaa and Panickssery 2025, arXiv 2504.03731) as plays, one for each answer that
was argued for.

A record's recorded scores are computed again from the judge's probabilities (`solib_scores`), and what differs is reported.

Rule: one format; its scores are computed by `solib_scores`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from pydantic import field_validator

from moot.protocols.debate.consultancy import Consultancy, DirectQA
from moot.protocols.debate.debate import Debate
from moot.protocols.debate.parts import Questions, Speeches
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Ask, Speech
from moot.protocols.engine.question import Question, Sample
from moot.transcripts.formats.importing import Format, Play, Said
from moot.transcripts.formats.records import Given, Record, content_of, json_records, json_value, read
from moot.transcripts.formats.solib_scores import disagreements, of_record

CLIENT = "client"
_SEATS, _KEPT = ("agent", "adversary", "judge"), ("__class__", "model", "tools")
_FOLDER = re.compile(r"(Blind|Propaganda|Consultancy|Debate)(?:_t([01])_n\d+)?")


class _Case(Given):
    short: str
    long: Any = None
    value: Any = None
    case_probs: Any = None
    agent_score: Any = None


class _Experiment(Given):
    question: str
    answer_cases: list[_Case]
    source_text: Any = None


class _Item(Given):
    role: str
    content: str


class _Argued(Given):
    transcript: list[_Item] = []
    source_text: Any = None


class _Belief(Given):
    short: str
    judge_prob: float | None = None

    @field_validator("judge_prob", mode="before")
    @classmethod
    def _unwrapped(cls, value: Any) -> Any:
        return value.get("prob", value) if isinstance(value, dict) else value


class _Beliefs(Given):
    answer_cases: list[_Belief]


class Config(NamedTuple):
    """What is said of a run beside its file. kind: of its protocol ("Debate"). simultaneous: whether its debaters spoke at
    the same time. None where nothing says. seats: who sat where. problems: what is wrong with the config."""

    kind: str | None = None
    simultaneous: bool | None = None
    seats: Mapping[str, Mapping[str, Any]] = {}
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Run(Record):
    """A record with its configuration."""

    config: Config = Config()


class Solib(Format):
    """Files `results.jsonl`, with the `config.json` that was saved beside each."""

    name: ClassVar[str] = "solib"
    about: ClassVar[str] = "results.jsonl of solib, an answer argued for at a time (Pallavi Sudhir et al. 2025)"
    suffixes: ClassVar[tuple[str, ...]] = (".jsonl",)

    def records(self, file: Path) -> Iterator[Record | str]:
        config = config_of(file)
        above = file.resolve().parent.parts[-2:]
        names = above if file.stem == "results" and any(map(_FOLDER.fullmatch, above)) else ()
        for record in json_records(file):
            if isinstance(record, str):
                yield record
            else:
                name = "-".join([*names, record.name]).lstrip("-._")
                yield Run(name, record.value, record.place, bool(names), config)
                config = config._replace(problems=())  # told once, with the first record

    def plays(self, record: Record) -> Iterator[Play | str]:
        run = record if isinstance(record, Run) else Run(record.name, record.value, record.place)
        given = read(_Experiment, run.value)
        cases, answers = given.answer_cases, _answers(given.answer_cases)
        labels = sorted(answers)
        choices = tuple(answers[label] for label in labels)
        if len(set(choices)) == 1:
            choices = tuple(f"({label}) {answers[label]}" for label in labels)
        problems = list(run.config.problems)
        truth = _truth(cases, labels, problems)
        if all(case.case_probs is None for case in cases):
            raise UsageError("answer_cases: none has case_probs, so that no answer was argued for and judged")
        problems += _scores(run.value, cases, None if truth is None else labels[truth])
        for number, case in enumerate(cases):
            at = f"answer_cases.{number}.case_probs"
            if case.case_probs is None:
                yield f"{at} is missing: nobody argued for this answer"
                continue
            try:
                argued = read(_Argued, case.case_probs, at)
                passage = given.source_text if argued.source_text is None else argued.source_text
                passage = passage if isinstance(passage, str) and passage else None
                question = Question(given.question, choices, passage=passage, id=run.name)
                yield _play(run, Sample(question, truth), labels, case, argued.transcript, at, problems)
            except UsageError as error:
                yield str(error)
            else:
                problems = []  # those of the whole record are told once, with its first play


def config_of(file: Path) -> Config:
    """What `config.json` beside a file says of the run, and where it is silent or missing, the name of a folder
    ("Debate_t1_n4")."""
    config: Any = {}
    problems: tuple[str, ...] = ()
    try:
        config = json_value(content_of(file.parent / "config.json"))
    except FileNotFoundError:
        pass
    except (OSError, ValueError, RecursionError) as error:
        problems = (f"config.json beside it cannot be read: {' '.join(str(error).split())[:80]}",)
    if not isinstance(config, dict):
        config, problems = {}, ("config.json beside it is not an object",)
    protocol = _described(config.get("protocol"))
    named, told = protocol.get("__class__"), protocol.get("simultaneous")
    kind = named.rpartition(".")[2] if isinstance(named, str) else None
    simultaneous = told if isinstance(told, bool) else None
    seats = {who: {key: each for key, each in _described(config.get(who)).items() if key in _KEPT} for who in _SEATS}
    for part in file.resolve().parent.parts[:-3:-1]:
        if (found := _FOLDER.fullmatch(part)) is not None:
            kind = kind or found[1]
            if simultaneous is None and found[1] == "Debate" and found[2] is not None:
                simultaneous = found[2] == "1"
    return Config(kind, simultaneous, seats, problems)


def _described(component: Any) -> dict[str, Any]:
    """A component of the config, its parameters beside its class."""
    if not isinstance(component, dict):
        return {}
    inner = component.pop("dict", None)
    return {**(inner if isinstance(inner, dict) else {}), **component}


def _answers(cases: list[_Case]) -> dict[str, str]:
    """The answers by their short names. Files put the true one first, so their order must not become that of the choices."""
    answers: dict[str, str] = {}
    for number, case in enumerate(cases):
        short, long = case.short, case.long
        if short in answers:
            raise UsageError(f"answer_cases.{number}.short is {short!r}, which another answer has too")
        if short == CLIENT:
            raise UsageError(f"answer_cases.{number}.short is {short!r}, which is the judge's name in a consultancy")
        answers[short] = short if long is None or isinstance(long, str) and not long.strip() else str(long)
    if len(answers) != 2:
        raise UsageError(f"answer_cases has {len(answers)} answers; a record has two")
    return answers


def _truth(cases: list[_Case], labels: list[str], problems: list[str]) -> int | None:
    """Which answer is true: of the values one must be 1 and one -1."""
    values = [case.value for case in cases]
    if all(value is None for value in values):
        return None
    if not any(isinstance(value, bool) for value in values) and values in ([1, -1], [-1, 1]):
        return labels.index(cases[values.index(1)].short)
    problems.append(f"answer_cases: the values are {str(values)[:60]}; one must be 1 and one -1")
    return None


def _scores(value: Any, cases: list[_Case], truth: str | None) -> list[str]:
    """Which recorded scores are not what the probabilities give."""
    labels, reports, places = sorted(case.short for case in cases), {}, dict[str, tuple[Any, str]]()
    for number, case in enumerate(cases):
        at = f"answer_cases.{number}"
        places[f"agent_score.{case.short}"] = (case.agent_score, f"{at}.agent_score")
        if isinstance(case.case_probs, dict):
            places[f"judge_score.{case.short}"] = (case.case_probs.get("judge_score"), f"{at}.case_probs.judge_score")
        with suppress(UsageError):  # reported with its play
            if p := _probabilities(case.case_probs, labels, f"{at}.case_probs"):
                reports[case.short] = p
    found: list[str] = []
    for name, values in of_record(reports, truth).items():
        recorded, where = places.get(name, (value.get(name), name))
        if isinstance(recorded, dict):
            found += disagreements(recorded, values, where)
        elif recorded is not None:
            found.append(f"{where} is not an object of scores")
    return found


def _probabilities(judged: Any, labels: list[str], at: str) -> dict[str, float]:
    """The judge's probability of each answer; nothing where it has none for any. Raises UsageError on anything between."""
    found: dict[str, float] = {}
    for number, belief in enumerate(read(_Beliefs, judged, at).answer_cases):
        if (p := belief.judge_prob) is None:
            continue
        if p < 0:
            raise UsageError(f"{at}.answer_cases.{number}.judge_prob is {p:g}, which is no probability")
        found[belief.short] = p
    if found and sorted(found) != labels:
        raise UsageError(f"{at}: there are probabilities for {sorted(found)}, and the answers are {labels}")
    return found


def _play(
    run: Run, sample: Sample, labels: list[str], case: _Case, items: list[_Item], at: str, problems: list[str]
) -> Play:
    for number, item in enumerate(items):
        if item.role not in (*labels, CLIENT):
            raise UsageError(f"{at}.transcript.{number}.role is {item.role!r}, neither {CLIENT!r} nor one of {labels}")
    found = list(problems)
    protocol, moves = _protocol(run.config, labels, case.short, items, at, found)
    try:
        if p := _probabilities(case.case_probs, labels, at):
            moves["judge"] += _verdict(p, labels, at, found)
        else:
            found.append(f"{at}: there is no judge_prob, and so no verdict")
    except UsageError as error:
        found.append(str(error))
    seats = _seats(run.config.seats, protocol, labels, case.short)
    return Play(protocol, sample, moves, seats=seats, problems=tuple(found), name=f"{run.name}-{case.short}")


def _verdict(p: dict[str, float], labels: list[str], at: str, found: list[str]) -> list[Said]:
    """The judge's probabilities as a verdict, where they are some."""
    if not any(p.values()):
        found.append(f"{at}: all probabilities are 0, and so there is no verdict")
        return []
    return [{"kind": "verdict", "probabilities": [p[label] for label in labels]}]


def _protocol(
    config: Config, labels: list[str], argued: str, said: list[_Item], at: str, found: list[str]
) -> tuple[Protocol, dict[str, list[Said | None]]]:
    """The protocol that a transcript is a play of, and what each seat said in it."""
    roles = [item.role for item in said]
    speakers = [role for role in dict.fromkeys(roles) if role != CLIENT]
    debate, asked = len(speakers) == 2, CLIENT in roles
    shows = "Blind" if not said else "Debate" if debate else "Propaganda" if len(said) == 1 else "Consultancy"
    if shows == "Propaganda" and (asked or config.kind in ("Consultancy", "Debate")):
        shows = "Debate" if config.kind == "Debate" else "Consultancy"
    if config.kind not in (None, shows):
        found.append(f"{at}.transcript is not of {config.kind}, which the run is said to be, and is read as {shows}")
    if shows == "Blind":
        return DirectQA(), {"judge": []}
    if shows == "Debate":
        if asked:
            raise UsageError(f"{at}.transcript has two debaters and a client; no protocol of solib has")
        return _debate(config.simultaneous, labels, said, at, found)
    if speakers and speakers != [argued]:
        found.append(f"{at}.transcript argues for {speakers[0]}, and is recorded under {argued}")
    answer = labels.index(speakers[0] if speakers else argued)
    moves: dict[str, list[Said | None]] = {
        "consultant": [Speech(text=item.content) for item in said if item.role != CLIENT],
        "judge": [Ask(text=item.content) for item in said if item.role == CLIENT],
    }
    if not asked:
        return Consultancy(answer=answer, rounds=len(said)), moves
    parts = tuple(Questions() if role == CLIENT else Speeches() for role in roles)
    return Consultancy(answer=answer, rounds=0, opening=parts), moves


def _debate(
    simultaneous: bool | None, labels: list[str], said: list[_Item], at: str, found: list[str]
) -> tuple[Protocol, dict[str, list[Said | None]]]:
    if simultaneous is None:
        found.append(f"{at}: nothing says if the debaters spoke at the same time; they are read as speaking in turn")
    roles, first = [item.role for item in said], labels.index(said[0].role)
    if roles != [labels[(first + i) % 2] for i in range(len(said))]:
        raise UsageError(f"{at}.transcript: the debaters do not take turns: {roles[:12]}")
    swap = first == 1 and not simultaneous
    seats = dict(zip(labels[::-1] if swap else labels, ("a", "b"), strict=True))
    moves: dict[str, list[Said | None]] = {"a": [], "b": [], "judge": []}
    for item in said:
        moves[seats[item.role]].append(Speech(text=item.content))
    order: Any = "simultaneous" if simultaneous else "sequential"
    return Debate(rounds=(len(said) + 1) // 2, order=order, swap=swap), moves


def _seats(
    given: Mapping[str, Mapping[str, Any]], protocol: Protocol, labels: list[str], argued: str
) -> dict[str, Mapping[str, Any]]:
    """Who sat where: the agent argues for the answer of its case, the adversary for the other."""
    held = {"judge": given.get("judge")}
    if isinstance(protocol, Consultancy):
        held["consultant"] = given.get("agent")
    elif isinstance(protocol, Debate):
        own = labels.index(argued) ^ protocol.swap
        held |= {"ab"[own]: given.get("agent"), "ab"[1 - own]: given.get("adversary") or given.get("agent")}
    return {seat: who for seat, who in held.items() if who}
